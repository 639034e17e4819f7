//! A straight line through noisy points by gradient descent, written out on tensors: no layer, no optimizer.
//!
//! Shows tracked tensors, `backward` and `no_grad`. Run it with `cargo run --release --example linear_regression`.

use tilework::{Device, Result, Rng, Tensor, no_grad};

fn main() -> Result<()> {
    let device = Device::auto();
    println!("on {device} ({})", device.reason());

    // y = 3x - 2 and a little noise
    let rng = &mut Rng::seed(1);
    let x = Tensor::uniform([200, 1], -1.0, 1.0, rng, &device);
    let y = &x * 3.0 - 2.0 + Tensor::normal([200, 1], 0.0, 0.1, rng, &device);

    let mut slope = Tensor::zeros([1], &device).tracked();
    let mut offset = Tensor::zeros([1], &device).tracked();
    for step in 0..=100 {
        let loss = (&x * &slope + &offset - &y).square().mean();
        if step % 20 == 0 {
            println!("step {step:3}: loss {:.4}", loss.item::<f32>()?);
        }
        let grads = loss.backward()?;
        let (by_slope, by_offset) = (grads.get(&slope)?, grads.get(&offset)?);
        (slope, offset) = no_grad(|| (&slope - by_slope * 0.3, &offset - by_offset * 0.3));
        (slope, offset) = (slope.tracked(), offset.tracked());
    }
    println!("y = {:.2}·x + {:.2}; the points were drawn around 3·x - 2", slope.item::<f32>()?, offset.item::<f32>()?);
    Ok(())
}
