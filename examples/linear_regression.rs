//! A straight line through five points: by gradient descent written out on tensors.
//!
//! Shows tracked tensors, `backward` and `no_grad`. Run it with `cargo run --release --example linear_regression`.

use tilework::{Device, Result, Rng, Tensor, no_grad};

fn main() -> Result<()> {
    let device = Device::cpu(); // five numbers: a GPU would only wait
    // Columns, [5, 1] both: a target of shape [5] would stretch against predictions of [5, 1] to a 5×5 matrix.
    let x = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0, 5.0], [5, 1], &device);
    let y = x.clone();

    let rng = &mut Rng::seed(1);
    let mut weight = Tensor::normal([1], 0.0, 1.0, rng, &device).tracked();
    let mut bias = Tensor::normal([1], 0.0, 1.0, rng, &device).tracked();
    for step in 0..=1000 {
        let loss = (&x * &weight + &bias - &y).square().mean();
        if step % 200 == 0 {
            println!("step {step:4}: loss {:.6}", loss.item::<f32>()?);
        }
        let grads = loss.backward()?;
        let (by_weight, by_bias) = (grads.get(&weight)?, grads.get(&bias)?);
        (weight, bias) = no_grad(|| (&weight - by_weight * 0.01, &bias - by_bias * 0.01));
        (weight, bias) = (weight.tracked(), bias.tracked());
    }
    let (weight, bias) = (weight.item::<f32>()?, bias.item::<f32>()?);
    println!("by descent: weight {weight:.3}, bias {bias:.3} (the points lie on weight 1, bias 0)");
    println!("prediction at 6: {:.2}", weight * 6.0 + bias);
    Ok(())
}
