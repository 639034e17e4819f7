//! Channels of mean 0 and deviation 1.

use crate::error::{Error, Result};
use ndarray::{Array3, Axis};
use serde::{Deserialize, Serialize};

/// `(value - mean) / std`, for each channel: torchvision's `Normalize`. The numbers are measured on a data set or given by whoever
/// trained the model.
///
/// ```
/// use tilework::image::Normalize;
/// let x = ndarray::array![[[0.0f32, 1.0]], [[0.5, 0.5]]]; // [C, H, W]
/// let normalize = Normalize { mean: vec![0.5, 0.25], std: vec![0.5, 0.25] };
/// assert_eq!(normalize.apply(x)?, ndarray::array![[[-1.0, 1.0]], [[1.0, 1.0]]]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalize {
    /// The mean of each channel.
    pub mean: Vec<f32>,
    /// The standard deviation of each channel.
    pub std: Vec<f32>,
}

impl Normalize {
    /// Those of ImageNet's pictures, which most models that were trained on photographs ask for.
    pub fn imagenet() -> Normalize {
        Normalize { mean: vec![0.485, 0.456, 0.406], std: vec![0.229, 0.224, 0.225] }
    }

    /// A picture `[C, H, W]`, normalized.
    ///
    /// # Errors
    /// [`Error::Argument`] for another number of means or deviations than `C`, and deviations that are not above 0.
    pub fn apply(&self, mut image: Array3<f32>) -> Result<Array3<f32>> {
        self.check(image.len_of(Axis(0)))?;
        for ((mut channel, mean), std) in image.axis_iter_mut(Axis(0)).zip(&self.mean).zip(&self.std) {
            channel.mapv_inplace(|v| (v - mean) / std);
        }
        Ok(image)
    }

    pub(super) fn check(&self, channels: usize) -> Result<()> {
        let Normalize { mean, std } = self;
        let usable = mean.iter().all(|v| v.is_finite()) && std.iter().all(|&v| v > 0.0 && v.is_finite());
        if mean.len() == channels && std.len() == channels && usable {
            return Ok(());
        }
        let message = format!("mean {mean:?}, std {std:?}; give {channels} of each, std above 0");
        Err(Error::argument("normalize", message))
    }
}
