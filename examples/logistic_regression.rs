//! The probability of a class along a line, by gradient descent on the cross-entropy.
//!
//! The gradient is taken of the probability, never of the class that it is rounded to: a threshold has no slope to go down. Run
//! it with `cargo run --release --example logistic_regression`.

use tilework::{Device, Result, Rng, Tensor, no_grad};

fn main() -> Result<()> {
    let device = Device::cpu();
    let x = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0, 5.0], [5, 1], &device);
    let y = Tensor::from_vec(vec![1.0, 1.0, 0.0, 0.0, 1.0], [5, 1], &device);

    let rng = &mut Rng::seed(1);
    let mut weight = Tensor::normal([1], 0.0, 1.0, rng, &device).tracked();
    let mut bias = Tensor::normal([1], 0.0, 1.0, rng, &device).tracked();
    for step in 0..=1000 {
        let loss = (&x * &weight + &bias).bce_with_logits(&y).mean();
        if step % 200 == 0 {
            println!("step {step:4}: loss {:.4}", loss.item::<f32>()?);
        }
        let grads = loss.backward()?;
        let (by_weight, by_bias) = (grads.get(&weight)?, grads.get(&bias)?);
        (weight, bias) = no_grad(|| (&weight - by_weight * 0.01, &bias - by_bias * 0.01));
        (weight, bias) = (weight.tracked(), bias.tracked());
    }
    // Three of five are of class 1, and no threshold on a line tells them apart: the model says how sure one can be.
    let probability = (&x * &weight + &bias).sigmoid().to_vec::<f32>()?;
    let classes: Vec<u32> = probability.iter().map(|&p| u32::from(p >= 0.5)).collect();
    println!("weight {:.3}, bias {:.3}", weight.item::<f32>()?, bias.item::<f32>()?);
    println!("probability of class 1 at 1 to 5: {probability:.2?}");
    println!("predicted classes: {classes:?}");
    Ok(())
}
