//! Training inside an application that owns a wgpu device: both share it, the application goes on drawing, and a button ends
//! the training.
//!
//! Here the application has no window: it fills a buffer sixty times a second, as a renderer would record a frame. (Where the GPU
//! is a software one, as on a server without any, frames and training share the processor, and frames are late.) Run it with
//! `cargo run --release --example embed_in_app`.

use std::time::{Duration, Instant};
use tilework::nn::{Linear, Module, Relu, Sequential};
use tilework::optim::{Adam, Optimizer};
use tilework::train::{Cancel, Event, Examples, Job, Objective, Trainer};
use tilework::{Device, Error, Rng, Tensor, wgpu};

/// Trains until it is cancelled; the number of steps that it did.
fn train(device: &Device, cancel: Cancel) -> tilework::Result<usize> {
    let rng = &mut Rng::seed(1);
    let x = Tensor::normal([2048, 32], 0.0, 1.0, rng, device);
    let y = x.square().sum_axes(&[1]).reshape([2048, 1]) / 32.0;
    let net = Sequential::new().add(Linear::new(32, 64, rng, device)).add(Relu).add(Linear::new(64, 1, rng, device));
    let mut optimizer = Optimizer::new(Adam::default(), net.parameters());
    let mut trainer = Trainer { epochs: 100_000, batch_size: 256, cancel, ..Trainer::default() };
    let mut steps = 0;
    let mut count = |event: &Event<'_>| {
        if let Event::Step { .. } = event {
            steps += 1; // an application would post the loss to its window
        }
    };
    let data = Examples::new(x, y)?;
    match trainer.fit(Job { progress: Some(&mut count), ..Job::new(&net, &mut optimizer, Objective::values(), &data) })
    {
        Err(Error::Cancelled { .. }) => Ok(steps), // the network is whole, and can be used or trained on
        other => other.map(|_| steps),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // What the application has anyway.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = match pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())) {
        Ok(adapter) => adapter,
        Err(error) => {
            println!("no GPU for the application: {error}");
            return Ok(());
        }
    };
    let (gpu, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()))?;
    let frame = gpu.create_buffer(&wgpu::BufferDescriptor {
        label: Some("frame"),
        size: 4 * 640 * 480,
        usage: wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });

    // Tilework takes part: no second device, no copies of its own through the host, and no more memory than it is given.
    let device = Device::from_wgpu(&adapter, gpu.clone(), queue.clone())?;
    device.set_memory_budget(64 << 20);
    println!("sharing {device}: {}", device.reason());

    let cancel = Cancel::default();
    let button = cancel.clone();
    let training = std::thread::spawn(move || train(&device, cancel));
    let (began, mut frames) = (Instant::now(), Vec::new());
    while began.elapsed() < Duration::from_secs(2) && !training.is_finished() {
        let start = Instant::now();
        let mut encoder = gpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.clear_buffer(&frame, 0, None);
        let submitted = queue.submit([encoder.finish()]);
        gpu.poll(wgpu::PollType::Wait { submission_index: Some(submitted), timeout: None })?;
        frames.push(start.elapsed());
        std::thread::sleep(Duration::from_millis(16).saturating_sub(start.elapsed()));
    }
    button.cancel();
    let steps = training.join().map_err(|_| "the training thread panicked")??;
    frames.sort_unstable();
    let ms = |frame: Option<&Duration>| frame.map_or(f64::NAN, |frame| frame.as_secs_f64() * 1e3);
    let (half, longest) = (ms(frames.get(frames.len() / 2)), ms(frames.last()));
    println!("{} frames, half of them under {half:.1} ms, the longest {longest:.1} ms", frames.len());
    println!("{steps} training steps beside them");
    Ok(())
}
