//! Normalisation within each example.

use crate::device::Device;
use crate::nn::{Module, Param, Visitor};
use crate::shape::IntoShape;
use crate::tensor::Tensor;

/// [`Tensor::layer_norm`] with a weight and a bias that learn: mean and variance over the last dimensions of each example.
/// Shapes: `x` and `y` `[…, F…]`, weight and bias `[F…]`.
///
/// Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450, equation 4; the variance divided by the number, as in PyTorch.
///
/// ```
/// use tilework::{Device, Tensor, nn::{LayerNorm, Module}};
/// let layer = LayerNorm::new([2], &Device::cpu());
/// let x = Tensor::from_vec(vec![1.0, 3.0, 10.0, -10.0], [2, 2], &Device::cpu());
/// let y = layer.forward(&x).to_vec::<f32>()?;
/// assert!(y.iter().zip([-1.0, 1.0, 1.0, -1.0]).all(|(y, want)| (y - want).abs() < 1e-4));
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LayerNorm {
    /// Starts at 1.
    pub weight: Param,
    /// Starts at 0.
    pub bias: Param,
    /// Keeps the division finite.
    pub eps: f32,
}

impl LayerNorm {
    /// Normalises over last dimensions of this shape; `eps` is PyTorch's 1e-5.
    #[track_caller]
    pub fn new(shape: impl IntoShape, device: &Device) -> LayerNorm {
        let (ones, zeros) = ones_and_zeros(shape, device);
        LayerNorm { weight: Param::new(&ones), bias: Param::new(&zeros), eps: 1e-5 }
    }
}

impl Module for LayerNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.layer_norm(&self.weight.tensor(), &self.bias.tensor(), self.eps)
    }

    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.param("weight", &self.weight);
        visitor.param("bias", &self.bias);
    }

    fn kind(&self) -> &'static str {
        "LayerNorm"
    }
}

/// [`Tensor::rms_norm`] with a weight that learns: the mean over the last dimensions of each example. Shapes: `x` and `y`
/// `[…, F…]`, weight `[F…]`.
///
/// Source: Zhang & Sennrich 2019, arXiv:1910.07467, equation 4; with PyTorch's `eps`.
///
/// ```
/// use tilework::{Device, Tensor, nn::{Module, RmsNorm}};
/// let layer = RmsNorm::new([2], &Device::cpu());
/// let y = layer.forward(&Tensor::from_vec(vec![1.0, 7.0], [1, 2], &Device::cpu())).to_vec::<f32>()?;
/// assert!((y[0] - 0.2).abs() < 1e-6 && (y[1] - 1.4).abs() < 1e-6);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RmsNorm {
    /// Starts at 1.
    pub weight: Param,
    /// Keeps the division finite.
    pub eps: f32,
}

impl RmsNorm {
    /// Normalises over last dimensions of this shape; `eps` is that of `f32`, as in PyTorch.
    #[track_caller]
    pub fn new(shape: impl IntoShape, device: &Device) -> RmsNorm {
        RmsNorm { weight: Param::new(&ones_and_zeros(shape, device).0), eps: f32::EPSILON }
    }
}

impl Module for RmsNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.rms_norm(&self.weight.tensor(), self.eps)
    }

    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.param("weight", &self.weight);
    }

    fn kind(&self) -> &'static str {
        "RmsNorm"
    }
}

#[track_caller]
fn ones_and_zeros(shape: impl IntoShape, device: &Device) -> (Tensor, Tensor) {
    match shape.into_shape() {
        Ok(shape) => (Tensor::ones(shape, device), Tensor::zeros(shape, device)),
        Err(error) => {
            let tensor = Tensor::failed(error, device);
            (tensor.clone(), tensor)
        }
    }
}
