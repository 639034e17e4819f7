//! From words to vectors.

use crate::device::Device;
use crate::dtype::DType;
use crate::error::Error;
use crate::nn::{Init, Module, Param, Visitor};
use crate::ops::row::failed;
use crate::rng::Rng;
use crate::tensor::Tensor;

/// The row of a table for each index. Shapes: indices (`u32` or `i32`) `[..]`, weight `[V, D]`, output `[.., D]`.
///
/// Starts as PyTorch's: standard normal. An index that is not in `0..V` gives a row of NaN, and no gradient: it is found out
/// without reading the indices back, and the loss says so.
///
/// Errors: indices that are no integers.
///
/// ```
/// use tilework::{Device, Rng, Tensor, nn::{Embedding, Module}};
/// let device = Device::cpu();
/// let layer = Embedding::new(100, 8, &mut Rng::seed(0), &device);
/// let words = Tensor::from_vec(vec![3u32, 99, 3, 0, 1, 2], [2, 3], &device);
/// assert_eq!(layer.forward(&words).shape(), [2, 3, 8]);
/// ```
#[derive(Debug, Clone)]
pub struct Embedding {
    /// `[V, D]`.
    pub weight: Param,
    /// The index that gives zeros.
    padding: Option<u32>,
}

impl Embedding {
    /// A table of `rows` vectors of `width` numbers.
    #[track_caller]
    pub fn new(rows: usize, width: usize, rng: &mut Rng, device: &Device) -> Embedding {
        let start = Init::Normal { mean: 0.0, std: 1.0 };
        Embedding { weight: Param::new(&start.tensor([rows, width], rng, device)), padding: None }
    }

    /// The same, but this index gives zeros and teaches nothing: it fills up short sentences. PyTorch's `padding_idx`, whose row
    /// starts at 0 and does not learn.
    ///
    /// ```
    /// use tilework::{Device, Rng, Tensor, nn::{Embedding, Module}};
    /// let device = Device::cpu();
    /// let layer = Embedding::new(3, 2, &mut Rng::seed(0), &device).with_padding(2);
    /// let y = layer.forward(&Tensor::from_vec(vec![2u32, 1], [2], &device));
    /// assert_eq!(y.to_vec::<f32>()?[..2], [0.0, 0.0]);
    /// let slopes = y.sum().backward()?.get(&layer.weight.tensor())?;
    /// assert_eq!(slopes.to_vec::<f32>()?, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    pub fn with_padding(self, index: u32) -> Embedding {
        Embedding { padding: Some(index), ..self }
    }
}

impl Module for Embedding {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if x.check().is_ok() && !matches!(x.dtype(), DType::U32 | DType::I32) {
            let message = format!("an index is u32 or i32: given {}; convert it with to_dtype", x.dtype());
            return failed(Error::dtype("embedding", message), x);
        }
        let y = self.weight.tensor().take(0, x);
        let Some(padding) = self.padding else { return y };
        let at = Tensor::scalar(padding, x.device()).to_dtype(x.dtype());
        y.masked_fill(&x.eq(&at).unsqueeze(-1), 0.0)
    }

    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.param("weight", &self.weight);
    }

    fn kind(&self) -> &'static str {
        "Embedding"
    }
}
