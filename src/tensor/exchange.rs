//! Tensors from and to `ndarray`.

use crate::device::Device;
use crate::dtype::Element;
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use ndarray::{ArrayBase, ArrayD, Data, Dimension, IxDyn};

impl Tensor {
    /// A tensor of an array's values. Row-major arrays are read as they lie; others are put in order on the way.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let a = ndarray::array![[1.0f32, 2.0], [3.0, 4.0]];
    /// let x = Tensor::from_ndarray(&a.t(), &Device::cpu());
    /// assert_eq!(x.to_vec::<f32>()?, [1.0, 3.0, 2.0, 4.0]);
    /// assert_eq!(x.to_ndarray::<f32>()?, a.t().into_dyn());
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn from_ndarray<T, S, D>(array: &ArrayBase<S, D>, device: &Device) -> Tensor
    where
        T: Element,
        S: Data<Elem = T>,
        D: Dimension,
    {
        match array.as_slice() {
            Some(values) => Tensor::from_slice(values, array.shape(), device),
            None => Tensor::from_vec(array.iter().copied().collect(), array.shape(), device),
        }
    }

    /// Its values as an array of the same shape; waits for them.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    pub fn to_ndarray<T: Element>(&self) -> Result<ArrayD<T>> {
        let values = self.to_vec()?;
        ArrayD::from_shape_vec(IxDyn(&self.shape()), values).map_err(|e| Error::internal("to_ndarray", e.to_string()))
    }
}
