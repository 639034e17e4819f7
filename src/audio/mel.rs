//! Mel bands: energies summed as the ear tells pitches apart.

use super::stft::Stft;
use super::zeros;
use crate::error::{Error, Result};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

const OP: &str = "mel-spectrogram";

/// Bands at most; more is a mistake in a settings file.
const MAX_BANDS: usize = 1 << 16;

/// Energies in mel bands, frame by frame: librosa's `feature.melspectrogram`.
///
/// ```
/// use tilework::audio::MelSpectrogram;
/// let tone: Vec<f32> = (0..8000u16).map(|i| (f32::from(i) * 0.5).sin()).collect();
/// let settings = MelSpectrogram { n_mels: 40, ..MelSpectrogram::default() };
/// assert_eq!(settings.transform(&tone, 8000)?.dim(), (40, 16)); // [n_mels, frames]
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MelSpectrogram {
    /// Frames and their spectra.
    pub stft: Stft,
    /// The exponent of the magnitudes that are summed: 2 for energies, 1 for magnitudes.
    pub power: f64,
    /// The number of bands.
    pub n_mels: usize,
    /// Where the lowest band begins, in Hz.
    pub fmin: f64,
    /// Where the highest band ends, in Hz; half the sample rate when left out.
    pub fmax: Option<f64>,
    /// How frequencies are spaced: librosa's `htk`.
    pub scale: MelScale,
    /// What a band's weights come to.
    pub norm: MelNorm,
}

/// A scale on which pitches that sound equally far apart are so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MelScale {
    /// Linear up to 1 kHz, logarithmic above (M. Slaney, Auditory Toolbox, 1998).
    #[default]
    Slaney,
    /// `2595 log10(1 + f / 700)` (D. O'Shaughnessy, Speech Communication, 1987), as HTK has it.
    Htk,
}

/// What the weights of a band come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MelNorm {
    /// Triangles of equal area, 1 Hz: wide bands are no louder.
    #[default]
    Slaney,
    /// Triangles with 1 at their peak.
    None,
}

impl Default for MelSpectrogram {
    fn default() -> MelSpectrogram {
        MelSpectrogram {
            stft: Stft::default(),
            power: 2.0,
            n_mels: 128,
            fmin: 0.0,
            fmax: None,
            scale: MelScale::Slaney,
            norm: MelNorm::Slaney,
        }
    }
}

/// Slaney's scale: mels for a Hz below the bend, the bend in Hz and in mels, mels for a factor of e above it.
const LINEAR: f64 = 3.0 / 200.0;
const BEND_HZ: f64 = 1000.0;
const BEND_MEL: f64 = BEND_HZ * LINEAR;

fn mels_per_e() -> f64 {
    27.0 / 6.4f64.ln()
}

impl MelScale {
    /// A frequency in Hz on this scale: `librosa.hz_to_mel`.
    ///
    /// ```
    /// use tilework::audio::MelScale;
    /// assert_eq!(MelScale::Slaney.mel(1000.0), 15.0);
    /// assert!((MelScale::Htk.mel(1000.0) - 1000.0).abs() < 0.1);
    /// ```
    pub fn mel(self, hz: f64) -> f64 {
        match self {
            MelScale::Htk => 2595.0 * (1.0 + hz / 700.0).log10(),
            MelScale::Slaney if hz < BEND_HZ => hz * LINEAR,
            MelScale::Slaney => BEND_MEL + (hz / BEND_HZ).ln() * mels_per_e(),
        }
    }

    /// The frequency in Hz of a place on this scale: `librosa.mel_to_hz`.
    pub fn hz(self, mel: f64) -> f64 {
        match self {
            MelScale::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
            MelScale::Slaney if mel < BEND_MEL => mel / LINEAR,
            MelScale::Slaney => BEND_HZ * ((mel - BEND_MEL) / mels_per_e()).exp(),
        }
    }
}

impl MelSpectrogram {
    /// The energies of samples at `sample_rate` in Hz: `[n_mels, frames]`.
    ///
    /// # Errors
    /// As [`MelSpectrogram::filters`] and [`Stft::magnitude`].
    pub fn transform(&self, samples: &[f32], sample_rate: u32) -> Result<Array2<f64>> {
        let bands = self.bands(sample_rate)?;
        let mut out = zeros(OP, bands.len(), self.stft.frames(samples.len())?)?;
        let mut raised = vec![0.0; self.stft.bins()];
        self.stft.each(samples, |frame, power| {
            let exponent = self.power / 2.0; // of the squares that the spectrum comes as
            let raise = |&power: &f64| if exponent == 1.0 { power } else { power.powf(exponent) };
            raised.iter_mut().zip(power).for_each(|(out, power)| *out = raise(power));
            for (out, band) in out.column_mut(frame).iter_mut().zip(&bands) {
                *out = band.weights.iter().zip(raised.iter().skip(band.first)).map(|(w, v)| w * v).sum();
            }
        })?;
        Ok(out)
    }

    /// The weight of each frequency in each band, triangles: `[n_mels, 1 + n_fft / 2]`. librosa's `filters.mel`.
    ///
    /// A band so narrow that no frequency of a frame lies in it is 0 throughout, and a warning says how many are.
    ///
    /// # Errors
    /// [`Error::Argument`] for settings out of range.
    pub fn filters(&self, sample_rate: u32) -> Result<Array2<f64>> {
        let bands = self.bands(sample_rate)?;
        let mut out = zeros(OP, bands.len(), self.stft.bins())?;
        for (mut row, band) in out.rows_mut().into_iter().zip(&bands) {
            row.iter_mut().skip(band.first).zip(&band.weights).for_each(|(out, weight)| *out = *weight);
        }
        Ok(out)
    }

    fn bands(&self, sample_rate: u32) -> Result<Vec<Band>> {
        self.stft.check()?;
        let half = f64::from(sample_rate) / 2.0;
        let (fmin, fmax) = (self.fmin, self.fmax.unwrap_or(half));
        if !(fmin >= 0.0 && fmin < fmax && fmax <= half) {
            let message = format!(
                "bands from {fmin} to {fmax} Hz at a sample rate of {sample_rate}; fmin lies from 0 to below fmax, fmax up to {half}"
            );
            return Err(Error::argument(OP, message));
        }
        if !(1..=MAX_BANDS).contains(&self.n_mels) {
            return Err(Error::argument(OP, format!("n_mels is {}; give 1 to {MAX_BANDS}", self.n_mels)));
        }
        if !(self.power > 0.0 && self.power.is_finite()) {
            return Err(Error::argument(OP, format!("power is {}; give 2 for energies, 1 for magnitudes", self.power)));
        }
        let (low, high) = (self.scale.mel(fmin), self.scale.mel(fmax));
        let step = (high - low) / (self.n_mels + 1) as f64;
        let edge = |i: usize| self.scale.hz(low + step * i as f64);
        let edges: Vec<f64> = (0..self.n_mels + 2).map(edge).collect();
        let apart = f64::from(sample_rate) / self.stft.n_fft as f64;
        let bands: Vec<Band> = edges
            .windows(3)
            .map(|edges| match *edges {
                [start, peak, end] => Band::of(start, peak, end, apart, self.stft.bins(), self.norm),
                _ => Band { first: 0, weights: Vec::new() },
            })
            .collect();
        let empty = bands.iter().filter(|band| band.weights.iter().all(|&w| w == 0.0)).count();
        if empty > 0 {
            log::warn!("{OP}: {empty} of {} bands hold no frequency; raise n_fft, or lower n_mels", self.n_mels);
        }
        Ok(bands)
    }
}

/// The weights of a band, from the first frequency that it may hold.
struct Band {
    first: usize,
    weights: Vec<f64>,
}

impl Band {
    /// A triangle between these frequencies in Hz, of bins that lie `apart`.
    fn of(start: f64, peak: f64, end: f64, apart: f64, bins: usize, norm: MelNorm) -> Band {
        let scale = match norm {
            MelNorm::Slaney => 2.0 / (end - start),
            MelNorm::None => 1.0,
        };
        let weight = |bin: usize| {
            let hz = bin as f64 * apart;
            scale * ((hz - start) / (peak - start)).min((end - hz) / (end - peak)).max(0.0)
        };
        let first = ((start / apart).floor() as usize).min(bins);
        let last = (end / apart).ceil() as usize;
        Band { first, weights: (first..bins.min(last.saturating_add(1))).map(weight).collect() }
    }
}
