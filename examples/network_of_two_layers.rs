//! Four points of alternating classes, learnt by a network of two layers with Adam and binary cross-entropy.
//!
//! Labels are 0 and 1, as the loss wants them. Run it with `cargo run --release --example network_of_two_layers`.

use tilework::loss::BceWithLogits;
use tilework::nn::{Linear, Module, Relu, Sequential};
use tilework::optim::{Adam, Optimizer};
use tilework::train::{Examples, Job, Objective, Trainer};
use tilework::{Device, Result, Rng, Tensor};

fn main() -> Result<()> {
    let device = Device::cpu();
    let points = Tensor::from_vec(vec![1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 5.0], [4, 2], &device);
    let x = &points - 3.0; // around 0, where the layers start
    let y = Tensor::from_vec(vec![1.0, 0.0, 1.0, 0.0], [4, 1], &device);
    let data = Examples::new(x.clone(), y)?;

    let rng = &mut Rng::seed(SEED);
    // The sigmoid is part of the loss, which so keeps its digits where a probability is near 0 or 1.
    let net = Sequential::new().add(Linear::new(2, 4, rng, &device)).add(Relu).add(Linear::new(4, 1, rng, &device));
    let mut adam = Optimizer::new(Adam { lr: 0.01, ..Adam::default() }, net.parameters());
    let mut trainer = Trainer { epochs: 1000, batch_size: 2, seed: SEED, ..Trainer::default() };
    let objective = Objective { loss: &BceWithLogits::default(), hits: None };
    let run = trainer.fit(Job::new(&net, &mut adam, objective, &data))?;
    for epoch in run.history.epochs.iter().filter(|e| e.epoch == 1 || e.epoch % 250 == 0) {
        println!("epoch {:4}: loss {:.4}", epoch.epoch, epoch.loss);
    }
    let probability = net.forward(&x).sigmoid().to_vec::<f32>()?;
    let rounded: Vec<f32> = probability.iter().map(|p| p.round()).collect();
    println!("probabilities {probability:.3?}");
    println!("rounded predictions: {rounded:?}; the classes are [1.0, 0.0, 1.0, 0.0]");
    Ok(())
}

/// Four units are just enough for three turns along a line: not every start finds them.
const SEED: u64 = 1;
