//! Resizing.

use super::{Image, numel};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// How pixels between pixels are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The pixel that lies there.
    Nearest,
    /// A mean weighed by a triangle, two pixels wide where a picture grows and as much wider as it shrinks: nothing that lies
    /// between two new pixels is lost (torchvision's `antialias`).
    #[default]
    Bilinear,
}

/// Binary digits after the point of a weight, as many as Pillow keeps for 8-bit pixels.
const DIGITS: u32 = 22;

impl Image {
    /// The picture in another size: Pillow's `resize`, to the bit.
    ///
    /// ```
    /// use tilework::image::{Color, Filter, Image};
    /// let image = Image::new(vec![0, 100, 200, 100], Color::Grey, 1, 4)?;
    /// assert_eq!(image.resize(1, 2, Filter::Bilinear)?.pixels(), [71, 143]);
    /// assert_eq!(image.resize(1, 2, Filter::Nearest)?.pixels(), [100, 100]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for a height or width of 0, and more than 2²⁷ pixels.
    pub fn resize(&self, height: usize, width: usize, filter: Filter) -> Result<Image> {
        const OP: &str = "resize";
        numel(OP, self.color, height, width)?;
        numel(OP, self.color, self.height, width)?; // what lies between the two passes
        Ok(match filter {
            Filter::Nearest => self.nearest(height, width),
            Filter::Bilinear => self.narrowed(&windows(self.width, width)).shortened(&windows(self.height, height)),
        })
    }

    fn nearest(&self, height: usize, width: usize) -> Image {
        // The pixel under the middle of each new one.
        let under = |at: usize, new: usize, old: usize| (2 * at + 1) * old / (2 * new);
        let columns: Vec<usize> = (0..width).map(|x| under(x, width, self.width)).collect();
        let channels = self.color.channels();
        let mut pixels = Vec::with_capacity(height * width * channels);
        for y in 0..height {
            let row = self.row(under(y, height, self.height));
            for x in &columns {
                pixels.extend_from_slice(row.get(x * channels..(x + 1) * channels).unwrap_or_default());
            }
        }
        Image { color: self.color, height, width, pixels }
    }

    /// Each row by these windows.
    fn narrowed(&self, windows: &[Window]) -> Image {
        let channels = self.color.channels();
        let mut pixels = Vec::with_capacity(self.height * windows.len() * channels);
        for y in 0..self.height {
            let row = self.row(y);
            for window in windows {
                for channel in 0..channels {
                    let values = row.iter().skip(window.first * channels + channel).step_by(channels);
                    pixels.push(rounded(window.weights.iter().zip(values).map(|(w, &v)| w * u64::from(v)).sum()));
                }
            }
        }
        Image { width: windows.len(), pixels, ..*self }
    }

    /// Each column by these windows.
    fn shortened(&self, windows: &[Window]) -> Image {
        let length = self.width * self.color.channels();
        let mut pixels = Vec::with_capacity(windows.len() * length);
        let mut sums = vec![0; length];
        for window in windows {
            sums.fill(0);
            for (weight, y) in window.weights.iter().zip(window.first..) {
                sums.iter_mut().zip(self.row(y)).for_each(|(sum, &v)| *sum += weight * u64::from(v));
            }
            pixels.extend(sums.iter().map(|&sum| rounded(sum)));
        }
        Image { height: windows.len(), pixels, ..*self }
    }

    pub(super) fn row(&self, y: usize) -> &[u8] {
        let length = self.width * self.color.channels();
        self.pixels.get(y * length..(y + 1) * length).unwrap_or_default()
    }
}

/// Pixels that a new one is the mean of.
struct Window {
    first: usize,
    /// They sum to 2^22, nearly.
    weights: Vec<u64>,
}

/// The windows of `new` pixels over `old` ones.
fn windows(old: usize, new: usize) -> Vec<Window> {
    let scale = old as f64 / new as f64;
    let wide = scale.max(1.0); // half a window, in old pixels
    let window = |at: usize| {
        let middle = (at as f64 + 0.5) * scale;
        let first = (middle - wide + 0.5).max(0.0) as usize;
        let end = ((middle + wide + 0.5) as usize).min(old);
        let weight = |x: usize| (1.0 - ((x as f64 + 0.5 - middle) / wide).abs()).max(0.0);
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |w: &f64| (w / sum * f64::from(1u32 << DIGITS) + 0.5) as u64;
        Window { first, weights: weights.iter().map(fixed).collect() }
    };
    (0..new).map(window).collect()
}

fn rounded(sum: u64) -> u8 {
    u8::try_from((sum + (1 << (DIGITS - 1))) >> DIGITS).unwrap_or(u8::MAX)
}
