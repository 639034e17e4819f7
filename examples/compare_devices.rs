//! The same training steps on every device of this machine: seconds a step, and how far results differ from the CPU's.
//!
//! Start weights and data are drawn on each device and are the same on all. Run it with
//! `cargo run --release --example compare_devices`.

use std::time::Instant;
use tilework::nn::{Gelu, Linear, Module, Sequential};
use tilework::optim::{Adam, Optimizer};
use tilework::{Device, Result, Rng, Tensor};

const STEPS: usize = 20;

/// Seconds a step after the first two, which build plans and pipelines; then what the network says.
fn train(device: &Device) -> Result<(f64, Vec<f32>)> {
    let rng = &mut Rng::seed(1);
    let net = Sequential::new()
        .add(Linear::new(128, 256, rng, device))
        .add(Gelu)
        .add(Linear::new(256, 256, rng, device))
        .add(Gelu)
        .add(Linear::new(256, 10, rng, device));
    let x = Tensor::normal([256, 128], 0.0, 1.0, rng, device);
    let y = x.slice(1, ..10).argmax_axis(-1);
    let mut optimizer = Optimizer::new(Adam::default(), net.parameters());
    let mut began = Instant::now();
    for step in 0..STEPS + 2 {
        if step == 2 {
            device.synchronize()?;
            began = Instant::now();
        }
        optimizer.step(net.forward(&x).cross_entropy(&y).backward()?)?;
    }
    device.synchronize()?;
    let seconds = began.elapsed().as_secs_f64() / STEPS as f64;
    Ok((seconds, net.forward(&x).to_vec::<f32>()?))
}

fn main() -> Result<()> {
    let mut reference: Option<(f64, Vec<f32>)> = None;
    println!("{:40}  {:>10}  {:>8}  {:>14}", "device", "ms a step", "speed", "max difference");
    for index in 0..Device::list().len() {
        let device = match Device::open(&index.to_string()) {
            Ok(device) => device,
            Err(error) => {
                println!("{index}: {error}");
                continue;
            }
        };
        let (seconds, outputs) = train(&device)?;
        let (base, expected) = reference.get_or_insert_with(|| (seconds, outputs.clone()));
        let difference = outputs.iter().zip(expected.iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{:40}  {:10.2}  {:7.2}x  {difference:14.1e}", device.name(), seconds * 1e3, *base / seconds);
    }
    Ok(())
}
