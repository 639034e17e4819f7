//! A small network learns handwritten digits: layers, an optimizer, a schedule, validation, early stopping, progress.
//!
//! The command does the same with `tilework train digits`; here are the parts. Run it with
//! `cargo run --release --example train_network`.

use tilework::data::{Dataset, Target, digits};
use tilework::nn::{Dropout, LayerNorm, Linear, Module, Relu, Sequential};
use tilework::optim::{Adam, Cosine, Optimizer, Per};
use tilework::train::{EarlyStopping, Event, Examples, Job, Objective, Progress, Trainer};
use tilework::{Device, Result, Rng, Tensor};

/// One line an epoch. An application would move a bar or add a point to a plot here.
struct Lines;

impl Progress for Lines {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { epochs, samples, parameters, device, .. } => {
                println!("{epochs} epochs of {samples} digits, {parameters} parameters, on {device}");
            }
            Event::Epoch(e) if e.epoch == 1 || e.epoch % 5 == 0 => println!(
                "epoch {:2}: loss {:.3}, held out {:.3}, rate {:.5}, {:.0} digits/s",
                e.epoch,
                e.loss,
                e.validation_loss.unwrap_or(f64::NAN),
                e.learning_rate,
                e.samples_per_second
            ),
            Event::Stopped { reason } => println!("stopped: {reason}"),
            _ => {}
        }
    }
}

fn examples(data: &Dataset, device: &Device) -> Result<Examples> {
    let rows = data.rows();
    let x = Tensor::from_slice(data.features(), [rows, data.width()], device);
    let labels = match data.target() {
        Target::Labels(labels) => labels.clone(),
        Target::Values(values) => values.iter().map(|&value| value as u32).collect(),
    };
    Examples::new(x, Tensor::from_vec(labels, [rows], device))
}

fn main() -> Result<()> {
    let device = Device::auto();
    let data = digits()?;
    let (train, held_out) = examples(&data.train, &device)?.split(0.1, 1)?;
    let test = examples(&data.test, &device)?;

    let rng = &mut Rng::seed(1);
    let net = Sequential::new()
        .add(Linear::new(64, 64, rng, &device))
        .add(LayerNorm::new([64], &device))
        .add(Relu)
        .add(Dropout::new(0.1, rng))
        .add(Linear::new(64, 10, rng, &device));
    println!("{}", net.summary(&Tensor::zeros([1, 64], &device))?);

    let mut trainer = Trainer {
        epochs: 30,
        seed: 1,
        early_stopping: Some(EarlyStopping { patience: 10, min_delta: 0.0 }),
        schedule: Some(Box::new(Cosine { length: 30, min: 1e-4, per: Per::Epoch })),
        ..Trainer::default()
    };
    let mut optimizer = Optimizer::new(Adam { lr: 3e-3, ..Adam::default() }, net.parameters());
    trainer.fit(Job {
        validation: Some(&held_out),
        progress: Some(&mut Lines),
        ..Job::new(&net, &mut optimizer, Objective::classes(), &train)
    })?;

    let (loss, accuracy) = trainer.evaluate(&net, Objective::classes(), &test)?;
    println!("test loss {loss:.3}, accuracy {:.1} %", 100.0 * accuracy.unwrap_or(f64::NAN));
    Ok(())
}
