//! From dimensions to features.

use crate::error::Error;
use crate::nn::{Module, Visitor};
use crate::ops::row::failed;
use crate::tensor::Tensor;

/// Makes one dimension of all but the first: `[B, …]` to `[B, F]`. A view, where strides allow it.
///
/// ```
/// use tilework::{Device, Tensor, nn::{Flatten, Module}};
/// let x = Tensor::zeros([5, 2, 3], &Device::cpu());
/// assert_eq!(Flatten.forward(&x).shape(), [5, 6]);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Flatten;

impl Module for Flatten {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        match x.shape().split_first() {
            Some((&rows, rest)) => x.reshape([rows, rest.iter().product()]),
            None => failed(Error::shape("flatten", "a scalar has no batch: input []; unsqueeze(0) gives it one"), x),
        }
    }

    fn visit(&self, _: &mut Visitor<'_>) {}

    fn kind(&self) -> &'static str {
        "Flatten"
    }
}
