//! Losses: how far predictions are from their targets. Names, formulas and defaults are PyTorch's.
//!
//! Shapes must be equal: a prediction `[B, 1]` against a target `[B]` would stretch to `[B, B]` and learn nonsense, so it is
//! an error here.

mod cross_entropy;

pub use crate::ops::Reduction;
pub use cross_entropy::CrossEntropy;

use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use std::panic::Location;

/// What training minimises. A closure of predictions and targets is a loss, too.
pub trait Loss: Send + Sync {
    /// The loss of predictions for a batch: one element, unless [`Reduction::None`] was asked for. Errors ride in the tensor.
    #[track_caller]
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor;

    /// As it is spelled in files and tables: `cross_entropy`.
    fn name(&self) -> &'static str;
}

impl<F: Fn(&Tensor, &Tensor) -> Tensor + Send + Sync> Loss for F {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        self(prediction, target)
    }

    fn name(&self) -> &'static str {
        "custom"
    }
}

/// Mean squared error: `(x - t)²`. Prediction and target of one shape.
///
/// ```
/// use tilework::{Device, Tensor, loss::{Loss, Mse}};
/// let x = Tensor::from_vec(vec![1.0, 2.0], [2], &Device::cpu());
/// let t = Tensor::from_vec(vec![1.0, 4.0], [2], &Device::cpu());
/// assert_eq!(Mse::default().loss(&x, &t).item::<f32>()?, 2.0);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mse {
    /// What becomes of the terms.
    pub reduction: Reduction,
}

impl Loss for Mse {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        terms(self.name(), prediction, target, self.reduction, |x, t| x.squared_difference(t))
    }

    fn name(&self) -> &'static str {
        "mse"
    }
}

/// Mean absolute error: `|x - t|`. Prediction and target of one shape.
///
/// ```
/// use tilework::{Device, Tensor, loss::{Loss, Mae}};
/// let x = Tensor::from_vec(vec![1.0, 2.0], [2], &Device::cpu());
/// let t = Tensor::from_vec(vec![1.0, 5.0], [2], &Device::cpu());
/// assert_eq!(Mae::default().loss(&x, &t).item::<f32>()?, 1.5);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mae {
    /// What becomes of the terms.
    pub reduction: Reduction,
}

/// PyTorch's name of [`Mae`].
pub type L1 = Mae;

impl Loss for Mae {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        terms(self.name(), prediction, target, self.reduction, |x, t| x.absolute_difference(t))
    }

    fn name(&self) -> &'static str {
        "mae"
    }
}

/// [`Tensor::huber`]: squared below `delta`, absolute above. Prediction and target of one shape.
///
/// ```
/// use tilework::{Device, Tensor, loss::{Huber, Loss}};
/// let x = Tensor::from_vec(vec![0.5, 3.0], [2], &Device::cpu());
/// let t = Tensor::zeros([2], &Device::cpu());
/// assert_eq!(Huber::default().loss(&x, &t).item::<f32>()?, 0.5 * (0.125 + 2.5));
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Huber {
    /// Where squares end, above 0.
    pub delta: f32,
    /// What becomes of the terms.
    pub reduction: Reduction,
}

impl Default for Huber {
    fn default() -> Huber {
        Huber { delta: 1.0, reduction: Reduction::Mean }
    }
}

impl Loss for Huber {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        if let Err(error) = positive(self.name(), "delta", self.delta) {
            return failed(error, prediction);
        }
        terms(self.name(), prediction, target, self.reduction, |x, t| x.huber(t, self.delta))
    }

    fn name(&self) -> &'static str {
        "huber"
    }
}

/// [`Huber`] divided by its `beta`: slope 1 far from the target. Prediction and target of one shape.
///
/// Source: Girshick 2015, arXiv:1504.08083, equation 3; with PyTorch's `beta`.
///
/// ```
/// use tilework::{Device, Tensor, loss::{Loss, SmoothL1}};
/// let x = Tensor::from_vec(vec![1.0, 4.0], [2], &Device::cpu());
/// let t = Tensor::zeros([2], &Device::cpu());
/// let loss = SmoothL1 { beta: 2.0, ..SmoothL1::default() };
/// assert_eq!(loss.loss(&x, &t).item::<f32>()?, 0.5 * (0.25 + 3.0));
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmoothL1 {
    /// Where squares end, above 0.
    pub beta: f32,
    /// What becomes of the terms.
    pub reduction: Reduction,
}

impl Default for SmoothL1 {
    fn default() -> SmoothL1 {
        SmoothL1 { beta: 1.0, reduction: Reduction::Mean }
    }
}

impl Loss for SmoothL1 {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        if let Err(error) = positive(self.name(), "beta", self.beta) {
            return failed(error, prediction);
        }
        terms(self.name(), prediction, target, self.reduction, |x, t| x.huber(t, self.beta) / self.beta)
    }

    fn name(&self) -> &'static str {
        "smooth_l1"
    }
}

/// Binary cross-entropy of logits: [`Tensor::bce_with_logits`]. Prediction and target (probabilities, or classes 0 and 1) of one
/// shape.
///
/// ```
/// use tilework::{Device, Tensor, loss::{BceWithLogits, Loss}};
/// let logits = Tensor::zeros([2], &Device::cpu());
/// let classes = Tensor::from_vec(vec![0u32, 1], [2], &Device::cpu());
/// let loss = BceWithLogits::default().loss(&logits, &classes).item::<f32>()?;
/// assert!((loss - std::f32::consts::LN_2).abs() < 1e-6);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct BceWithLogits {
    /// Multiplies the terms of positive targets; stretches to the prediction's shape, as `[C]` to `[B, C]`.
    pub pos_weight: Option<Tensor>,
    /// What becomes of the terms.
    pub reduction: Reduction,
}

impl Loss for BceWithLogits {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        terms(self.name(), prediction, target, self.reduction, |x, t| match &self.pos_weight {
            Some(weight) => x.bce_with_logits_weighted(t, &weight.expand(x.shape())),
            None => x.bce_with_logits(t),
        })
    }

    fn name(&self) -> &'static str {
        "bce_with_logits"
    }
}

/// [`Tensor::hinge`]: the loss of linear support vector machines. Scores and targets (-1 or 1) of one shape.
///
/// ```
/// use tilework::{Device, Tensor, loss::{Hinge, Loss}};
/// let scores = Tensor::from_vec(vec![2.0, 0.5, 0.5], [3], &Device::cpu());
/// let sides = Tensor::from_vec(vec![1.0, 1.0, -1.0], [3], &Device::cpu());
/// assert_eq!(Hinge::default().loss(&scores, &sides).item::<f32>()?, (0.0 + 0.5 + 1.5) / 3.0);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hinge {
    /// What becomes of the terms.
    pub reduction: Reduction,
}

impl Loss for Hinge {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        terms(self.name(), prediction, target, self.reduction, |x, t| x.hinge(t))
    }

    fn name(&self) -> &'static str {
        "hinge"
    }
}

/// The reduced terms of a loss that compares element by element.
#[track_caller]
fn terms(
    name: &'static str,
    prediction: &Tensor,
    target: &Tensor,
    reduction: Reduction,
    formula: impl FnOnce(&Tensor, &Tensor) -> Tensor,
) -> Tensor {
    if let Some(failed) = [prediction, target].into_iter().find(|x| x.check().is_err()) {
        return failed.clone();
    }
    let (x, t) = (prediction.shape(), target.shape());
    if x != t {
        let message = format!("shapes differ: prediction {x}, target {t}; reshape one to the other's shape");
        return failed(Error::shape(name, message), prediction);
    }
    reduced(reduction, &formula(&floats(prediction), &floats(target)))
}

#[track_caller]
fn reduced(reduction: Reduction, terms: &Tensor) -> Tensor {
    match reduction {
        Reduction::Mean => terms.mean(),
        Reduction::Sum => terms.sum(),
        Reduction::None => terms.clone(),
    }
}

fn floats(x: &Tensor) -> Tensor {
    if x.dtype().is_float() { x.clone() } else { x.to_dtype(DType::F32) }
}

fn positive(op: &'static str, what: &str, value: f32) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::argument(op, format!("{what} must be above 0: given {value}; PyTorch's default is 1")))
}

#[track_caller]
fn failed(error: Error, like: &Tensor) -> Tensor {
    Tensor::failed(error.located(Location::caller()), like.device())
}
