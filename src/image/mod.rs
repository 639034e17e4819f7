//! Pictures as tensors: PNG and JPEG files, resizing and cropping, folders of classes.
//!
//! Names and results are Pillow's and torchvision's. A picture has 8 bits a channel, as files have, until
//! [`Image::to_array`] makes `[C, H, W]` of it. The orientation that a camera noted beside the picture is applied where it is
//! asked for, by [`Image::load_upright`] and [`ImageOptions::upright`]; torchvision and Keras do not apply it.
//!
//! ```
//! use tilework::image::{Color, Filter, Image, Normalize};
//! use tilework::{Device, Rng, Tensor};
//! let image = Image::new(vec![10, 20, 30, 40, 50, 60], Color::Grey, 2, 3)?; // 2 rows of 3 pixels
//! let small = image.resize(4, 4, Filter::Bilinear)?.random_crop(2, 2, &mut Rng::seed(0))?.to_rgb();
//! let x = Normalize::imagenet().apply(small.to_array())?;
//! assert_eq!(Tensor::from_ndarray(&x, &Device::cpu()).shape(), [3, 2, 2]);
//! # Ok::<(), tilework::Error>(())
//! ```

mod change;
mod file;
mod folder;
mod normalize;
mod resize;
mod upright;

pub use folder::{ImageFolder, ImageOptions};
pub use normalize::Normalize;
pub use resize::Filter;

use crate::error::{Error, Result};
use ndarray::Array3;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Pixels of a picture at most, 2²⁷: a header that declares more is damaged or made to harm.
const MAX_PIXELS: usize = 1 << 27;

/// A picture of `height` rows of `width` pixels.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    color: Color,
    height: usize,
    width: usize,
    /// Row by row, the channels of a pixel side by side.
    pixels: Vec<u8>,
}

/// What a pixel consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Color {
    /// Brightness.
    Grey,
    /// Red, green, blue.
    #[default]
    Rgb,
}

impl Color {
    /// Numbers of a pixel, `C`.
    pub fn channels(self) -> usize {
        match self {
            Color::Grey => 1,
            Color::Rgb => 3,
        }
    }
}

impl Image {
    /// Takes pixels row by row, the channels of a pixel side by side: `height * width * C` of them, 0 dark, 255 bright.
    ///
    /// # Errors
    /// [`Error::Argument`] for a height or width of 0, and more than 2²⁷ pixels; [`Error::Shape`] for another number of pixels.
    pub fn new(pixels: Vec<u8>, color: Color, height: usize, width: usize) -> Result<Image> {
        const OP: &str = "image";
        let wanted = numel(OP, color, height, width)?;
        if pixels.len() != wanted {
            let message = format!(
                "{} numbers for {height} rows of {width} pixels of {} channels; give {wanted}",
                pixels.len(),
                color.channels()
            );
            return Err(Error::shape(OP, message));
        }
        Ok(Image { color, height, width, pixels })
    }

    /// What a pixel consists of.
    pub fn color(&self) -> Color {
        self.color
    }

    /// The number of rows, `H`.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels of a row, `W`.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The pixels row by row, the channels of a pixel side by side.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The picture as numbers from 0 to 1, `[C, H, W]`: torchvision's `ToTensor`.
    ///
    /// ```
    /// use tilework::image::{Color, Image};
    /// let image = Image::new(vec![255, 0, 51, 255, 0, 102], Color::Rgb, 1, 2)?;
    /// assert_eq!(image.to_array(), ndarray::array![[[1.0, 1.0]], [[0.0, 0.0]], [[0.2, 0.4]]]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    pub fn to_array(&self) -> Array3<f32> {
        let channels = self.color.channels();
        let value = |(c, y, x)| self.pixels.get((y * self.width + x) * channels + c).copied().unwrap_or(0);
        Array3::from_shape_fn((channels, self.height, self.width), |at| f32::from(value(at)) / 255.0)
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({:?}, {} x {})", self.color, self.height, self.width)
    }
}

/// Numbers of a picture of this size, neither empty nor beyond what is read or made.
fn numel(op: &'static str, color: Color, height: usize, width: usize) -> Result<usize> {
    match height.checked_mul(width) {
        Some(pixels @ 1..=MAX_PIXELS) => Ok(pixels * color.channels()),
        _ => {
            let message =
                format!("{height} rows of {width} pixels; give at least 1 of each, {MAX_PIXELS} pixels at most");
            Err(Error::argument(op, message))
        }
    }
}
