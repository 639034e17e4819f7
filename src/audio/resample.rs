//! Recordings at another sample rate.

use super::Waveform;
use crate::error::{Error, Result};
use ndarray::Array2;
use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

const OP: &str = "resample";
/// Samples of the lower rate that pass the filter together: it falls off above 0.99 of the highest frequency that is left.
const BLOCK: usize = 2048;
/// The longest block that two rates without a common divisor may ask for.
const MOST_BLOCK: usize = 1 << 20;

impl Waveform {
    /// The same sound with another number of samples in a second, such as that of the recordings that a model was trained on:
    /// `ceil(samples · sample_rate / rate)` of them, as in `librosa.resample`. Frequencies of at least half of the lower rate go, where
    /// they would become others; the ends count as surrounded by silence.
    ///
    /// ```
    /// use tilework::audio::Waveform;
    /// let tone = |rate: u32| (0..rate).map(|i| (i as f32 / rate as f32 * 500.0).sin()).collect::<Vec<_>>();
    /// let at = |rate| Waveform::new(ndarray::Array2::from_shape_vec((1, rate as usize), tone(rate)).unwrap(), rate);
    /// let wave = at(44_100)?.resample(16_000)?;
    /// assert_eq!((wave.sample_rate(), wave.samples().dim()), (16_000, (1, 16_000)));
    /// assert!((wave.samples()[[0, 8000]] - at(16_000)?.samples()[[0, 8000]]).abs() < 1e-5);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for a rate of 0, two rates without a large common divisor, and more samples than fit in memory.
    pub fn resample(&self, sample_rate: u32) -> Result<Waveform> {
        let (channels, length) = self.samples().dim();
        if sample_rate == self.sample_rate() {
            return Ok(self.clone());
        }
        let (from, to) = (self.sample_rate() as usize, sample_rate as usize);
        let divisor = divisor(from, to);
        let wrong = |what: &str| Error::argument(OP, format!("from {from} to {to} samples a second: {what}"));
        if to == 0 || from.max(to) / divisor > MOST_BLOCK {
            return Err(wrong("give a rate above 0 that has a larger common divisor with the first"));
        }
        let wanted = length.checked_mul(to).map(|product| product.div_ceil(from)).and_then(|n| n.checked_mul(channels));
        let fits = wanted.is_some_and(|wanted| Vec::<f64>::new().try_reserve_exact(wanted).is_ok());
        if !fits {
            return Err(wrong("the samples do not fit in memory; cut it into parts"));
        }
        let samples: Vec<f64> = self.samples().iter().map(|&sample| f64::from(sample)).collect();
        let input = SequentialSlice::new(samples.as_slice(), channels, length).map_err(|e| internal(&e))?;
        let block = BLOCK * from.div_ceil(to);
        let window = WindowFunction::BlackmanHarris2;
        let mut fft =
            Fft::<f64>::new_custom(from, to, block, 1, channels, window, FixedSync::Both).map_err(|e| internal(&e))?;
        let output = fft.process_all(&input, length, None).map_err(|e| internal(&e))?.take_data();
        let side_by_side =
            Array2::from_shape_vec((output.len() / channels, channels), output).map_err(|e| internal(&e))?;
        let samples = side_by_side.reversed_axes().as_standard_layout().mapv(|sample| sample as f32);
        Waveform::new(samples, sample_rate)
    }
}

fn internal(error: &dyn std::error::Error) -> Error {
    Error::internal(OP, error.to_string())
}

/// The greatest that two numbers have in common.
fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}
