//! Folders of pictures.

use super::normalize::Normalize;
use super::resize::Filter;
use super::{Color, Image, numel};
use crate::data::ClassFolder;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::rng::Rng;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

const OP: &str = "image-folder";

/// Pictures in a folder that has a sub-folder for each class, all made the same size: torchvision's `ImageFolder` with the usual
/// transforms. A picture is read when it is asked for.
///
/// ```
/// use tilework::image::{Color, Image, ImageFolder, ImageOptions};
/// use tilework::{Device, Rng};
/// let folder = tempfile::tempdir()?;
/// for (class, bright) in [("day", 200), ("night", 20)] {
///     std::fs::create_dir(folder.path().join(class))?;
///     let image = Image::new(vec![bright; 60], Color::Grey, 6, 10)?;
///     image.save_png(folder.path().join(class).join("1.png"))?;
/// }
/// let options = ImageOptions { height: 4, width: 4, ..ImageOptions::default() };
/// let pictures = ImageFolder::open(folder.path(), options)?;
/// let (x, y) = pictures.batch(&[0, 1], &Device::cpu())?;
/// assert_eq!((x.shape().dims(), y.to_vec::<u32>()?), (&[2, 3, 4, 4][..], vec![0, 1])); // [N, C, H, W]
/// let (x, y) = pictures.augmented(&[1], &mut Rng::seed(0), &Device::cpu())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ImageFolder {
    found: ClassFolder,
    options: ImageOptions,
}

/// What is made of each picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageOptions {
    /// Rows, `H`.
    pub height: usize,
    /// Pixels of a row, `W`.
    pub width: usize,
    /// What a pixel consists of.
    pub color: Color,
    /// Whether pictures are turned as the camera was held ([`Image::load_upright`]). torchvision and Keras do not turn them.
    pub upright: bool,
    /// How pictures are resized, whatever the ratio of their sides.
    pub filter: Filter,
    /// Rows and columns that are resized to beyond height and width, and then cut off: around the middle, or around any part for
    /// learning.
    pub margin: usize,
    /// How likely left and right are exchanged for learning, 0 to 1.
    pub horizontal_flip: f64,
    /// How likely above and below are exchanged for learning, 0 to 1.
    pub vertical_flip: f64,
    /// Mean and deviation of each channel; from 0 to 1 when left out.
    pub normalize: Option<Normalize>,
}

impl Default for ImageOptions {
    /// 224 × 224 pixels in RGB, which most networks for photographs take, without augmentation.
    fn default() -> ImageOptions {
        ImageOptions {
            height: 224,
            width: 224,
            color: Color::Rgb,
            upright: false,
            filter: Filter::Bilinear,
            margin: 0,
            horizontal_flip: 0.0,
            vertical_flip: 0.0,
            normalize: None,
        }
    }
}

impl ImageFolder {
    /// Lists the files that end in `png`, `jpg` or `jpeg`, as [`ClassFolder::open`] does.
    ///
    /// # Errors
    /// As [`ClassFolder::open`]; [`Error::Argument`] for options out of range.
    pub fn open(folder: impl AsRef<std::path::Path>, options: ImageOptions) -> Result<ImageFolder> {
        let ImageOptions { height, width, margin, horizontal_flip, vertical_flip, .. } = options;
        numel(OP, options.color, height.saturating_add(margin), width.saturating_add(margin))?;
        numel(OP, options.color, height, width)?;
        for (name, p) in [("horizontal_flip", horizontal_flip), ("vertical_flip", vertical_flip)] {
            if !(0.0..=1.0).contains(&p) {
                return Err(Error::argument(OP, format!("{name} is {p}; give 0 to 1")));
            }
        }
        if let Some(normalize) = &options.normalize {
            normalize.check(options.color.channels())?;
        }
        Ok(ImageFolder { found: ClassFolder::open(folder, &["png", "jpg", "jpeg"])?, options })
    }

    /// The classes, and the file and label of each picture.
    pub fn found(&self) -> &ClassFolder {
        &self.found
    }

    /// A picture in its size, as it is scored and predicted.
    ///
    /// # Errors
    /// [`Error::Argument`] for an index past the end; as [`Image::load`].
    pub fn image(&self, index: usize) -> Result<Image> {
        self.resized(index)?.center_crop(self.options.height, self.options.width)
    }

    /// A picture in its size, cut and flipped at random, as it is learnt from.
    ///
    /// # Errors
    /// As [`ImageFolder::image`].
    pub fn augmented_image(&self, index: usize, rng: &mut Rng) -> Result<Image> {
        let ImageOptions { height, width, horizontal_flip, vertical_flip, .. } = self.options;
        let mut image = self.resized(index)?.random_crop(height, width, rng)?;
        let drawn = rng.uniforms(2);
        let chosen = |i: usize, p: f64| drawn.get(i).is_some_and(|&v| f64::from(v) < p);
        if chosen(0, horizontal_flip) {
            image = image.flip_horizontal();
        }
        if chosen(1, vertical_flip) {
            image = image.flip_vertical();
        }
        Ok(image)
    }

    /// Pictures `[N, C, H, W]`, and their labels `[N]`.
    ///
    /// # Errors
    /// As [`ImageFolder::image`]; [`Error::Argument`] for no indices; more than a tensor can have.
    pub fn batch(&self, indices: &[usize], device: &Device) -> Result<(Tensor, Tensor)> {
        self.tensors(indices, device, |index| self.image(index))
    }

    /// As [`ImageFolder::batch`], of [`ImageFolder::augmented_image`]: other pictures each time, the same ones from the same seed.
    ///
    /// # Errors
    /// As [`ImageFolder::batch`].
    pub fn augmented(&self, indices: &[usize], rng: &mut Rng, device: &Device) -> Result<(Tensor, Tensor)> {
        self.tensors(indices, device, |index| self.augmented_image(index, rng))
    }

    /// A picture from elsewhere as [`ImageFolder::batch`] would give it, `[1, C, H, W]`.
    ///
    /// # Errors
    /// Not enough memory; a lost device.
    pub fn prepare(&self, image: &Image, device: &Device) -> Result<Tensor> {
        let ImageOptions { height, width, .. } = self.options;
        let image = self.fit(image)?.center_crop(height, width)?;
        self.stack(std::iter::once(Ok(image)), device)
    }

    fn resized(&self, index: usize) -> Result<Image> {
        let Some(path) = self.found.files().get(index) else {
            let message = format!("picture {index} of {}; count from 0", self.found.files().len());
            return Err(Error::argument(OP, message));
        };
        self.fit(&if self.options.upright { Image::load_upright(path)? } else { Image::load(path)? })
    }

    fn fit(&self, image: &Image) -> Result<Image> {
        let ImageOptions { height, width, margin, filter, color, .. } = self.options;
        let image = match color {
            Color::Grey => image.to_grey(),
            Color::Rgb => image.to_rgb(),
        };
        image.resize(height + margin, width + margin, filter)
    }

    fn tensors(
        &self,
        indices: &[usize],
        device: &Device,
        mut image: impl FnMut(usize) -> Result<Image>,
    ) -> Result<(Tensor, Tensor)> {
        let x = self.stack(indices.iter().map(|&index| image(index)), device)?;
        let labels: Vec<u32> = indices.iter().filter_map(|&index| self.found.labels().get(index).copied()).collect();
        Ok((x, Tensor::from_slice(&labels, [labels.len()], device).check()?.clone()))
    }

    fn stack(&self, images: impl ExactSizeIterator<Item = Result<Image>>, device: &Device) -> Result<Tensor> {
        let ImageOptions { height, width, color, ref normalize, .. } = self.options;
        let one = numel(OP, color, height, width)?;
        let mut values: Vec<f32> = Vec::new();
        let count = images.len();
        let numel = count.checked_mul(one).filter(|&numel| numel > 0);
        if numel.is_none_or(|numel| values.try_reserve_exact(numel).is_err()) {
            let message = format!("{count} pictures of {one} numbers; give at least one, and as many as fit in memory");
            return Err(Error::argument(OP, message));
        }
        for image in images {
            let mut array = image?.to_array();
            if let Some(normalize) = normalize {
                array = normalize.apply(array)?;
            }
            values.extend(&array);
        }
        let shape = [count, color.channels(), height, width];
        Tensor::from_vec(values, shape, device).check().cloned()
    }
}
