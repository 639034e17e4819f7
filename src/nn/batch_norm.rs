//! Normalisation over a batch.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::nn::{Buffer, Mode, ModeCell, Module, Param, Visitor};
use crate::ops::row::failed;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::tensor::record::no_grad;

/// `y = (x - mean) / √(var + eps)·weight + bias` for each feature. Shapes: `x` and `y` `[B, F]` or `[B, F, L]`; weight, bias and
/// running values `[F]`.
///
/// While learning, mean and variance are those of the batch (over `B` and `L`, the variance divided by their number), and the
/// running values move towards them: `running ← (1 - momentum)·running + momentum·batch`, the variance there divided by the
/// number less one. In use, the running values normalise. All as in PyTorch.
///
/// Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2.
///
/// ```
/// use tilework::{Device, Tensor, nn::{BatchNorm1d, Mode, Module}};
/// let layer = BatchNorm1d::new(1, &Device::cpu());
/// let x = Tensor::from_vec(vec![0.0, 2.0], [2, 1], &Device::cpu());
/// let y = layer.forward(&x).to_vec::<f32>()?;
/// assert!((y[0] + 1.0).abs() < 1e-4 && (y[1] - 1.0).abs() < 1e-4);
/// assert_eq!(layer.running_mean.get().to_vec::<f32>()?, [0.1]);
/// layer.set_mode(Mode::Eval);
/// assert!(layer.forward(&x).to_vec::<f32>()?[0] > -0.2);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug)]
pub struct BatchNorm1d {
    /// Starts at 1.
    pub weight: Param,
    /// Starts at 0.
    pub bias: Param,
    /// Starts at 0.
    pub running_mean: Buffer,
    /// Starts at 1.
    pub running_var: Buffer,
    /// Keeps the division finite.
    pub eps: f32,
    /// The share of a batch in the running values.
    pub momentum: f32,
    mode: ModeCell,
}

impl BatchNorm1d {
    /// A layer for `features` features with PyTorch's `eps` of 1e-5 and momentum of 0.1.
    #[track_caller]
    pub fn new(features: usize, device: &Device) -> BatchNorm1d {
        let (ones, zeros) = (Tensor::ones([features], device), Tensor::zeros([features], device));
        BatchNorm1d {
            weight: Param::new(&ones),
            bias: Param::new(&zeros),
            running_mean: Buffer::new(&zeros),
            running_var: Buffer::new(&ones),
            eps: 1e-5,
            momentum: 0.1,
            mode: ModeCell::default(),
        }
    }

    #[track_caller]
    fn normalised(&self, x: &Tensor) -> Result<Tensor> {
        let shape = x.check()?.shape();
        let weight = self.weight.tensor();
        let features = weight.check()?.shape();
        if !matches!(shape.rank(), 2 | 3) || shape[1..2] != features[..] {
            let message =
                format!("needs [B, F] or [B, F, L] with F of the layer: input {shape}, layer {features}; reshape it");
            return Err(Error::shape("batch_norm", message));
        }
        let column = if shape.rank() == 2 { Shape::new(&[1, shape[1]])? } else { Shape::new(&[1, shape[1], 1])? };
        let (centred, variance) = match self.mode.get() {
            Mode::Train => self.of_batch(x, column)?,
            Mode::Eval => (x - self.running_mean.get().reshape(column), self.running_var.get().reshape(column)),
        };
        Ok(centred * (variance + self.eps).rsqrt() * weight.reshape(column) + self.bias.tensor().reshape(column))
    }

    /// The input less its mean, and its variance; the running values follow.
    #[track_caller]
    fn of_batch(&self, x: &Tensor, column: Shape) -> Result<(Tensor, Tensor)> {
        let shape = x.shape();
        let number = shape.numel() / shape[1].max(1);
        if number < 2 {
            let message =
                format!("one value has no variance: input {shape}; learn from larger batches, or set Mode::Eval");
            return Err(Error::shape("batch_norm", message));
        }
        let axes: &[isize] = if shape.rank() == 2 { &[0] } else { &[0, 2] };
        let mean = x.mean_axes(axes);
        let centred = x - mean.reshape(column);
        let variance = centred.square().mean_axes(axes);
        no_grad(|| {
            let moved =
                |old: &Buffer, new: &Tensor| old.set(&(old.get() * (1.0 - self.momentum) + new * self.momentum));
            moved(&self.running_mean, &mean.detach())?;
            moved(&self.running_var, &(variance.detach() * (number as f32 / (number - 1) as f32)))
        })?;
        Ok((centred, variance.reshape(column)))
    }
}

impl Module for BatchNorm1d {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.normalised(x).unwrap_or_else(|error| failed(error, x))
    }

    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.param("weight", &self.weight);
        visitor.param("bias", &self.bias);
        visitor.buffer("running_mean", &self.running_mean);
        visitor.buffer("running_var", &self.running_var);
        visitor.mode(&self.mode);
    }

    fn kind(&self) -> &'static str {
        "BatchNorm1d"
    }
}
