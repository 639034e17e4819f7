//! Random tensors: drawn on the host, the same on every device.

use crate::device::Device;
use crate::rng::Rng;
use crate::shape::IntoShape;
use crate::tensor::Tensor;

impl Tensor {
    /// Uniform values in `[low, high)`.
    #[track_caller]
    pub fn uniform(shape: impl IntoShape, low: f32, high: f32, rng: &mut Rng, device: &Device) -> Tensor {
        match shape.into_shape() {
            Ok(shape) => {
                let values = rng.uniforms(shape.numel()).iter().map(|u| low + (high - low) * u).collect();
                Tensor::from_vec::<f32>(values, shape, device)
            }
            Err(error) => Tensor::failed(error, device),
        }
    }

    /// Normal values.
    #[track_caller]
    pub fn normal(shape: impl IntoShape, mean: f32, std: f32, rng: &mut Rng, device: &Device) -> Tensor {
        match shape.into_shape() {
            Ok(shape) => {
                let values = rng.normals(shape.numel()).iter().map(|z| mean + std * z).collect();
                Tensor::from_vec::<f32>(values, shape, device)
            }
            Err(error) => Tensor::failed(error, device),
        }
    }
}
