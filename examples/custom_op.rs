//! Operations of your own: a formula that becomes one kernel with its gradient derived, an operation whose gradient you give,
//! and the check that finds a wrong one.
//!
//! Run it with `cargo run --release --example custom_op`.

use tilework::autograd::{CustomOp, GradCheck, gradcheck};
use tilework::expr::Program;
use tilework::{DType, Device, Result, Rng, Tensor};

/// `ln(e^a + e^b)`, with a gradient that is exact where the derived one would divide infinities.
#[derive(Debug)]
struct SoftMaximum {
    /// A wrong sign, to be found.
    mistaken: bool,
}

impl CustomOp for SoftMaximum {
    fn name(&self) -> &'static str {
        "soft_maximum"
    }

    fn forward(&self, inputs: &[&Tensor]) -> Tensor {
        let [a, b] = inputs else { return inputs[0].clone() };
        // max + ln(1 + e^-|a - b|), which no large input makes infinite
        a.maximum(b) + (-(*a - *b).abs()).exp().ln_1p()
    }

    fn backward(&self, inputs: &[&Tensor], _output: &Tensor, dy: &Tensor) -> Vec<Option<Tensor>> {
        let share = if self.mistaken { inputs[1] - inputs[0] } else { inputs[0] - inputs[1] }.sigmoid();
        vec![Some(dy * &share), Some(dy * (1.0 - &share))]
    }
}

fn main() -> Result<()> {
    let device = Device::auto();
    let rng = &mut Rng::seed(1);
    let (a, b) = (Tensor::normal([2, 3], 0.0, 1.0, rng, &device), Tensor::normal([2, 3], 0.0, 1.0, rng, &device));

    // x·σ(s·x): any formula of elements is one launch however long it is.
    let swish = Program::build("swish", &[DType::F32], 1, |_, x, s| vec![x[0] / (1.0 + (-(x[0] * s[0])).exp())]);
    println!("swish:\n{}", Tensor::map(&swish, &[&a], &[1.5]));
    let worst = gradcheck(|x| Tensor::map(&swish, &[&x[0]], &[1.5]), std::slice::from_ref(&a), GradCheck::default())?;
    println!("its derived gradient is off by {worst:.3} of what is allowed\n");

    println!("soft maximum:\n{}", Tensor::custom(SoftMaximum { mistaken: false }, &[&a, &b]));
    for mistaken in [false, true] {
        let op = |x: &[Tensor]| Tensor::custom(SoftMaximum { mistaken }, &[&x[0], &x[1]]);
        match gradcheck(op, &[a.clone(), b.clone()], GradCheck::default()) {
            Ok(worst) => println!("its gradient is off by {worst:.3} of what is allowed"),
            Err(error) => println!("with a mistake in it: {error}"),
        }
    }
    Ok(())
}
