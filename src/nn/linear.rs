//! The fully connected layer.

use crate::device::Device;
use crate::nn::init::Init;
use crate::nn::{Module, Param, Visitor};
use crate::rng::Rng;
use crate::tensor::Tensor;

/// `y = x·Wᵀ + b`. Shapes: `x [.., in]`, `W [out, in]`, `b [out]`, `y [.., out]`.
///
/// Starts as PyTorch's: weight and bias uniform within `±1/√in` (Kaiming uniform with a = √5).
///
/// ```
/// use tilework::{Device, Rng, Tensor, nn::{Linear, Module}};
/// let device = Device::cpu();
/// let layer = Linear::new(3, 2, &mut Rng::seed(0), &device);
/// assert_eq!(layer.forward(&Tensor::ones([5, 3], &device)).shape(), [5, 2]);
/// ```
#[derive(Debug, Clone)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Param,
    /// `[out]`.
    pub bias: Option<Param>,
}

/// Keras' name of [`Linear`].
pub type Dense = Linear;

impl Linear {
    /// A layer of `inputs` to `outputs` features with a bias.
    pub fn new(inputs: usize, outputs: usize, rng: &mut Rng, device: &Device) -> Linear {
        let bound = 1.0 / (inputs.max(1) as f32).sqrt();
        let start = Init::Uniform { low: -bound, high: bound };
        Linear::with_init(inputs, outputs, start, start, rng, device)
    }

    /// A layer whose weight and bias start as told.
    pub fn with_init(
        inputs: usize,
        outputs: usize,
        weight: Init,
        bias: Init,
        rng: &mut Rng,
        device: &Device,
    ) -> Linear {
        let weight = Param::new(&weight.tensor([outputs, inputs], rng, device));
        let bias = Param::new(&bias.tensor([outputs], rng, device));
        Linear { weight, bias: Some(bias) }
    }

    /// The same layer without its bias.
    pub fn without_bias(self) -> Linear {
        Linear { bias: None, ..self }
    }
}

impl Module for Linear {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let bias = self.bias.as_ref().map(Param::tensor);
        x.linear(&self.weight.tensor(), bias.as_ref())
    }

    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.param("weight", &self.weight);
        if let Some(bias) = &self.bias {
            visitor.param("bias", bias);
        }
    }

    fn kind(&self) -> &'static str {
        "Linear"
    }
}
