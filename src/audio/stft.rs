//! Spectra of short frames.

use super::window::Window;
use super::zeros;
use crate::error::{Error, Result};
use ndarray::Array2;
use realfft::RealFftPlanner;
use serde::{Deserialize, Serialize};

const OP: &str = "stft";

/// Samples of a frame at most: six minutes at 44.1 kHz. More is a mistake in a settings file.
const MAX_FRAME: usize = 1 << 24;

/// The short-time Fourier transform: librosa's `stft`, as magnitudes or powers.
///
/// ```
/// use tilework::audio::Stft;
/// let tone: Vec<f32> = (0..1024u16).map(|i| (f32::from(i) * std::f32::consts::TAU / 16.0).cos()).collect();
/// let stft = Stft { n_fft: 256, ..Stft::default() };
/// let magnitude = stft.magnitude(&tone)?;
/// assert_eq!(magnitude.dim(), (129, 17)); // [1 + n_fft / 2, 1 + samples / hop_length]
/// let frame = magnitude.column(8);
/// let loudest = (0..129).max_by(|&a, &b| frame[a].total_cmp(&frame[b]));
/// assert_eq!(loudest, Some(256 / 16)); // a sixteenth of the sample rate
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stft {
    /// Samples of a frame; a power of two is fastest.
    pub n_fft: usize,
    /// Samples from one frame to the next; a quarter of `win_length` when left out.
    pub hop_length: Option<usize>,
    /// Samples of the window, which lies in the middle of the frame with zeros around it; `n_fft` when left out.
    pub win_length: Option<usize>,
    /// The window.
    pub window: Window,
    /// Whether frame `t` has its middle at sample `t * hop_length`, of sound that is padded on both sides by `n_fft / 2`; it
    /// begins there otherwise.
    pub center: bool,
    /// What the padding of `center` is.
    pub pad_mode: PadMode,
}

/// What stands before the first sample and after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PadMode {
    /// Zeros.
    #[default]
    Constant,
    /// The samples in reverse, the outermost not repeated: NumPy's `reflect`.
    Reflect,
}

impl Default for Stft {
    fn default() -> Stft {
        Stft {
            n_fft: 2048,
            hop_length: None,
            win_length: None,
            window: Window::Hann,
            center: true,
            pad_mode: PadMode::Constant,
        }
    }
}

impl Stft {
    /// The absolute values of the spectra, `[1 + n_fft / 2, frames]`: row `k` is the frequency `k * rate / n_fft`.
    ///
    /// # Errors
    /// [`Error::Argument`] for settings out of range, and for fewer samples than a frame needs; [`Error::NonFinite`] for a
    /// sample that is NaN or infinite.
    pub fn magnitude(&self, samples: &[f32]) -> Result<Array2<f64>> {
        self.spectrogram(samples, f64::sqrt)
    }

    /// The squares of [`Stft::magnitude`].
    ///
    /// # Errors
    /// As [`Stft::magnitude`].
    pub fn power(&self, samples: &[f32]) -> Result<Array2<f64>> {
        self.spectrogram(samples, |power| power)
    }

    fn spectrogram(&self, samples: &[f32], of: impl Fn(f64) -> f64) -> Result<Array2<f64>> {
        let mut out = zeros(OP, self.bins(), self.frames(samples.len())?)?;
        self.each(samples, |frame, power| {
            out.column_mut(frame).iter_mut().zip(power).for_each(|(out, &power)| *out = of(power));
        })?;
        Ok(out)
    }

    /// The number of frames of so many samples.
    ///
    /// # Errors
    /// [`Error::Argument`] for settings out of range, and for fewer samples than a frame needs.
    pub fn frames(&self, samples: usize) -> Result<usize> {
        let (hop, _) = self.check()?;
        let padded = samples.checked_add(2 * self.padding()).filter(|_| samples > 0);
        match padded.and_then(|padded| padded.checked_sub(self.n_fft)) {
            Some(last) => Ok(last / hop + 1),
            None => {
                let message = format!("{samples} samples do not fill a frame of {}; lower n_fft", self.n_fft);
                Err(Error::argument(OP, message))
            }
        }
    }

    /// The frequencies of a frame.
    pub(super) fn bins(&self) -> usize {
        self.n_fft / 2 + 1
    }

    /// Shows the squared spectrum of each frame, in order.
    pub(super) fn each(&self, samples: &[f32], mut show: impl FnMut(usize, &[f64])) -> Result<()> {
        let (hop, length) = self.check()?;
        let frames = self.frames(samples.len())?;
        if let Some(at) = samples.iter().position(|v| !v.is_finite()) {
            let message = format!("sample {at} is {}; repair the recording", samples[at]);
            return Err(Error::NonFinite { op: OP, message });
        }
        let weights = self.window.weights(length);
        let before = (self.n_fft - length) / 2; // zeros: their samples need not be looked at
        let fft = RealFftPlanner::<f64>::new().plan_fft_forward(self.n_fft);
        let (mut frame, mut spectrum, mut scratch) =
            (fft.make_input_vec(), fft.make_output_vec(), fft.make_scratch_vec());
        let mut power = vec![0.0; spectrum.len()];
        for at in 0..frames {
            frame.fill(0.0); // the transform leaves its own there
            let first = at * hop + before;
            for ((value, weight), position) in frame.iter_mut().skip(before).zip(&weights).zip(first..) {
                *value = weight * f64::from(self.sample(samples, position));
            }
            fft.process_with_scratch(&mut frame, &mut spectrum, &mut scratch)
                .map_err(|e| Error::internal(OP, e.to_string()))?;
            power.iter_mut().zip(&spectrum).for_each(|(power, value)| *power = value.norm_sqr());
            show(at, &power);
        }
        Ok(())
    }

    /// The sample at a position of the padded sound.
    fn sample(&self, samples: &[f32], position: usize) -> f32 {
        let padding = self.padding();
        if let Some(&sample) = position.checked_sub(padding).and_then(|at| samples.get(at)) {
            return sample;
        }
        match self.pad_mode {
            PadMode::Constant => 0.0,
            PadMode::Reflect => {
                let last = samples.len().saturating_sub(1);
                let period = (2 * last).max(1); // to the end and back
                let at = (position + (period - padding % period)) % period;
                samples.get(at.min(period - at)).or(samples.first()).copied().unwrap_or(0.0)
            }
        }
    }

    fn padding(&self) -> usize {
        if self.center { self.n_fft / 2 } else { 0 }
    }

    /// Hop and window length, of settings in range.
    pub(super) fn check(&self) -> Result<(usize, usize)> {
        if !(1..=MAX_FRAME).contains(&self.n_fft) {
            return Err(Error::argument(OP, format!("n_fft is {}; give 1 to {MAX_FRAME}", self.n_fft)));
        }
        let length = self.win_length.unwrap_or(self.n_fft);
        if !(1..=self.n_fft).contains(&length) {
            return Err(Error::argument(OP, format!("win_length is {length}; give 1 to n_fft, {}", self.n_fft)));
        }
        match self.hop_length.unwrap_or(length / 4) {
            0 => Err(Error::argument(OP, format!("hop_length is 0, the window {length} long; give 1 or more"))),
            hop => Ok((hop, length)),
        }
    }
}
