//! Crops, flips and colours.

use super::{Color, Image};
use crate::error::{Error, Result};
use crate::rng::Rng;

impl Image {
    /// `height` rows of `width` pixels, the first of them at row `top`, column `left`.
    ///
    /// ```
    /// use tilework::image::{Color, Image};
    /// let image = Image::new((0..12).collect(), Color::Grey, 3, 4)?;
    /// assert_eq!(image.crop(1, 2, 2, 2)?.pixels(), [6, 7, 10, 11]);
    /// assert_eq!(image.center_crop(1, 2)?.pixels(), [5, 6]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for a height or width of 0, and a part that reaches beyond the picture.
    pub fn crop(&self, top: usize, left: usize, height: usize, width: usize) -> Result<Image> {
        let within = |from: usize, size: usize, all| size > 0 && from.checked_add(size).is_some_and(|end| end <= all);
        if !(within(top, height, self.height) && within(left, width, self.width)) {
            let message = format!(
                "{height} rows of {width} pixels from row {top}, column {left} on; the picture has {} rows of {}",
                self.height, self.width
            );
            return Err(Error::argument("crop", message));
        }
        let channels = self.color.channels();
        let part = left * channels..(left + width) * channels;
        let rows = (top..top + height).flat_map(|y| self.row(y).get(part.clone()).unwrap_or_default());
        Ok(Image { height, width, pixels: rows.copied().collect(), ..*self })
    }

    /// The middle of the picture: torchvision's `CenterCrop`. Of two middles it takes the even row or column.
    ///
    /// # Errors
    /// As [`Image::crop`].
    pub fn center_crop(&self, height: usize, width: usize) -> Result<Image> {
        // Python rounds half to even.
        let middle = |room: usize| room / 2 + room % 2 * (room / 2 % 2);
        let (y, x) = (self.height.saturating_sub(height), self.width.saturating_sub(width));
        self.crop(middle(y), middle(x), height, width)
    }

    /// A part of this size from anywhere in the picture, each place as likely as any other: torchvision's `RandomCrop`.
    ///
    /// # Errors
    /// As [`Image::crop`].
    pub fn random_crop(&self, height: usize, width: usize, rng: &mut Rng) -> Result<Image> {
        let (y, x) = (self.height.saturating_sub(height), self.width.saturating_sub(width));
        let drawn = rng.uniforms(2);
        let place = |room: usize, i: usize| {
            let share = drawn.get(i).copied().unwrap_or_default();
            ((f64::from(share) * (room as f64 + 1.0)) as usize).min(room)
        };
        self.crop(place(y, 0), place(x, 1), height, width)
    }

    /// The picture with left and right exchanged.
    pub fn flip_horizontal(&self) -> Image {
        let mut flipped = self.clone();
        for row in flipped.pixels.chunks_exact_mut(self.width * self.color.channels()) {
            match self.color {
                Color::Grey => row.reverse(),
                Color::Rgb => row.as_chunks_mut::<3>().0.reverse(),
            }
        }
        flipped
    }

    /// The picture upside down.
    pub fn flip_vertical(&self) -> Image {
        let pixels = (0..self.height).rev().flat_map(|y| self.row(y)).copied().collect();
        Image { pixels, ..*self }
    }

    /// The picture in grey: Pillow's `convert("L")`, by the weights of ITU-R BT.601.
    pub fn to_grey(&self) -> Image {
        let pixels = match self.color {
            Color::Grey => self.pixels.clone(),
            Color::Rgb => self.pixels.as_chunks::<3>().0.iter().map(|pixel| brightness(*pixel)).collect(),
        };
        Image { color: Color::Grey, pixels, ..*self }
    }

    /// The picture with three channels; those of a grey one are the same.
    pub fn to_rgb(&self) -> Image {
        let pixels = match self.color {
            Color::Rgb => self.pixels.clone(),
            Color::Grey => self.pixels.iter().flat_map(|&v| [v; 3]).collect(),
        };
        Image { color: Color::Rgb, pixels, ..*self }
    }
}

/// 0.299, 0.587 and 0.114 in 16 binary digits.
fn brightness([r, g, b]: [u8; 3]) -> u8 {
    let sum = u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471;
    ((sum + (1 << 15)) >> 16) as u8 // at most 255: the weights sum to 2^16
}
