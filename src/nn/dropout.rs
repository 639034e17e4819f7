//! Dropout.

use crate::error::Error;
use crate::nn::{Mode, ModeCell, Module, RandomCell, Visitor};
use crate::ops::row::{Cache, Row, failed};
use crate::rng::Rng;
use crate::tensor::Tensor;

/// `scale·x` where `keep` is true, 0 elsewhere, whatever `x` is there.
static DROPOUT: Row = Row {
    name: "dropout",
    inputs: &["x", "keep"],
    scalars: &["scale"],
    domain: (-2.0, 2.0),
    formula: |b, x, p| match (x, p) {
        ([x, keep], [scale]) => keep.cast(crate::expr::Ty::Bool).select(*x * *scale, 0.0),
        _ => b.constant(f32::NAN),
    },
    slopes: &[],
    cache: Cache::new(),
};

/// While learning, sets each element to 0 with probability `p` and divides the others by `1 - p`, so that the expectation stays;
/// in use, hands its input on. Shapes: any, the output's is the input's.
///
/// The mask is drawn where the input is, from numbers that do not depend on the device. Each call draws another one; a checkpoint
/// keeps where the numbers stand.
///
/// Source: Srivastava et al. 2014, JMLR 15; scaled while learning, as in PyTorch.
///
/// ```
/// use tilework::{Device, Rng, Tensor, nn::{Dropout, Mode, Module}};
/// let layer = Dropout::new(0.5, &mut Rng::seed(0));
/// let x = Tensor::ones([1000], &Device::cpu());
/// assert!(layer.forward(&x).to_vec::<f32>()?.iter().all(|&y| y == 0.0 || y == 2.0));
/// layer.set_mode(Mode::Eval);
/// assert_eq!(layer.forward(&x).to_vec::<f32>()?, [1.0; 1000]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug)]
pub struct Dropout {
    p: f32,
    mode: ModeCell,
    random: RandomCell,
}

impl Dropout {
    /// Drops with probability `p` (PyTorch's default is 0.5). Outside `0..=1` the output is an error. Its numbers are its own: they
    /// follow from the generator's state now.
    pub fn new(p: f32, rng: &mut Rng) -> Dropout {
        let stream = rng.reserve(1);
        Dropout { p, mode: ModeCell::default(), random: RandomCell::new(rng.fork(stream)) }
    }
}

impl Module for Dropout {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if !(0.0..=1.0).contains(&self.p) {
            let message = format!("p must be in 0..=1: given {}; PyTorch's default is 0.5", self.p);
            return failed(Error::argument("dropout", message), x);
        }
        if self.mode.get() == Mode::Eval || self.p == 0.0 || x.check().is_err() {
            return x.clone();
        }
        let share = 1.0 - self.p;
        let keep = Tensor::bernoulli(x.shape(), share, &mut self.random.lock(), x.device());
        DROPOUT.call(&[x, &keep], &[if share > 0.0 { share.recip() } else { 0.0 }])
    }

    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.mode(&self.mode);
        visitor.random(&self.random);
    }

    fn kind(&self) -> &'static str {
        "Dropout"
    }
}
