//! Layers one after the other: the Keras-like front.

use crate::nn::{Module, Visitor, call};
use crate::tensor::Tensor;

/// Layers applied in order. Each is named by its place: `0`, `1`, …; an error names the layer that it began in.
///
/// ```
/// use tilework::{Device, Rng, Tensor, nn::{Linear, Module, Relu, Sequential}};
/// let (device, mut rng) = (Device::cpu(), Rng::seed(0));
/// let net = Sequential::new()
///     .add(Linear::new(4, 8, &mut rng, &device))
///     .add(Relu)
///     .add(Linear::new(8, 3, &mut rng, &device));
/// assert_eq!(net.forward(&Tensor::ones([2, 4], &device)).shape(), [2, 3]);
/// assert_eq!(net.parameters().len(), 4);
/// ```
#[derive(Debug, Default)]
pub struct Sequential {
    layers: Vec<Box<dyn Module>>,
}

impl Sequential {
    /// No layers yet: hands its input on.
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// The same with one more layer at the end.
    #[allow(clippy::should_implement_trait, reason = "Keras' name; nothing is summed")]
    pub fn add(mut self, layer: impl Module + 'static) -> Sequential {
        self.layers.push(Box::new(layer));
        self
    }

    /// The layers in order.
    pub fn layers(&self) -> &[Box<dyn Module>] {
        &self.layers
    }
}

impl Module for Sequential {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.layers.iter().enumerate().fold(x.clone(), |x, (place, layer)| call(place, &**layer, &x))
    }

    fn visit(&self, visitor: &mut Visitor<'_>) {
        for (place, layer) in self.layers.iter().enumerate() {
            visitor.child(&place.to_string(), &**layer);
        }
    }

    fn kind(&self) -> &'static str {
        "Sequential"
    }
}
