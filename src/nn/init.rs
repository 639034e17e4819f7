//! How parameters start. Names and formulas are PyTorch's `torch.nn.init`.

use crate::device::Device;
use crate::rng::Rng;
use crate::shape::{IntoShape, Shape};
use crate::tensor::Tensor;

/// The distribution of a parameter's first values. Fans follow from the shape: `[out, in, …]`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// All zero.
    Zeros,
    /// All one.
    Ones,
    /// All the same.
    Constant(f32),
    /// Uniform in `[low, high)`.
    Uniform {
        /// Lower bound.
        low: f32,
        /// Upper bound.
        high: f32,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f32,
        /// Standard deviation.
        std: f32,
    },
    /// Uniform within `±√(6 / in)`: keeps the variance through ReLU. He et al. 2015, arXiv:1502.01852, equation 14.
    KaimingUniform,
    /// Normal with variance `2 / in`. As [`Init::KaimingUniform`].
    KaimingNormal,
    /// Uniform within `±√(6 / (in + out))`. Glorot & Bengio 2010, equation 16.
    XavierUniform,
    /// Normal with variance `2 / (in + out)`. As [`Init::XavierUniform`].
    XavierNormal,
}

impl Init {
    /// Draws a tensor. Draws depend on the generator alone, never on the device.
    #[track_caller]
    pub fn tensor(self, shape: impl IntoShape, rng: &mut Rng, device: &Device) -> Tensor {
        let shape = match shape.into_shape() {
            Ok(shape) => shape,
            Err(error) => return Tensor::failed(error, device),
        };
        let (fan_in, fan_out) = fans(&shape);
        let uniform = |rng: &mut Rng, bound: f32| Tensor::uniform(shape, -bound, bound, rng, device);
        let normal = |rng: &mut Rng, mean: f32, std: f32| Tensor::normal(shape, mean, std, rng, device);
        match self {
            Init::Zeros => Tensor::zeros(shape, device),
            Init::Ones => Tensor::ones(shape, device),
            Init::Constant(value) => Tensor::full(shape, value, device),
            Init::Uniform { low, high } => Tensor::uniform(shape, low, high, rng, device),
            Init::Normal { mean, std } => normal(rng, mean, std),
            Init::KaimingUniform => uniform(rng, (6.0 / fan_in).sqrt()),
            Init::KaimingNormal => normal(rng, 0.0, (2.0 / fan_in).sqrt()),
            Init::XavierUniform => uniform(rng, (6.0 / (fan_in + fan_out)).sqrt()),
            Init::XavierNormal => normal(rng, 0.0, (2.0 / (fan_in + fan_out)).sqrt()),
        }
    }
}

/// Inputs and outputs of one unit: `[out, in]`, times the size of the window for `[out, in, …]`.
fn fans(shape: &Shape) -> (f32, f32) {
    let window: usize = shape.iter().skip(2).product();
    let dim = |axis: usize| shape.get(axis).copied().unwrap_or(1);
    let fan_in = if shape.rank() > 1 { dim(1) } else { dim(0) };
    ((fan_in * window).max(1) as f32, (dim(0) * window).max(1) as f32)
}
