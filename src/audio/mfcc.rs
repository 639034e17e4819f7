//! Decibels and cepstral coefficients.

use super::mel::MelSpectrogram;
use crate::error::{Error, Result};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Energies in decibels: librosa's `power_to_db`.
///
/// ```
/// use tilework::audio::PowerToDb;
/// let db = PowerToDb::default().transform(&ndarray::array![[1.0, 0.1, 0.0]])?;
/// assert_eq!(db, ndarray::array![[0.0, -10.0, -80.0]]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PowerToDb {
    /// The energy that is 0 dB: librosa's `ref`.
    pub reference: f64,
    /// What smaller energies count as.
    pub amin: f64,
    /// How far below the loudest the quietest is, in dB; no limit when left out.
    pub top_db: Option<f64>,
}

impl Default for PowerToDb {
    fn default() -> PowerToDb {
        PowerToDb { reference: 1.0, amin: 1e-10, top_db: Some(80.0) }
    }
}

impl PowerToDb {
    /// `10 log10(power / reference)`, of the same shape.
    ///
    /// # Errors
    /// [`Error::Argument`] for settings out of range.
    pub fn transform(&self, power: &Array2<f64>) -> Result<Array2<f64>> {
        const OP: &str = "power-to-db";
        let PowerToDb { reference, amin, top_db } = *self;
        if !(amin > 0.0 && amin.is_finite() && reference.is_finite() && reference >= 0.0) {
            let message = format!("reference is {reference}, amin {amin}; give amin above 0 and reference 0 or more");
            return Err(Error::argument(OP, message));
        }
        if let Some(top) = top_db.filter(|top| top.is_nan() || *top < 0.0) {
            return Err(Error::argument(OP, format!("top_db is {top}; give 0 or more")));
        }
        let db = |power: f64| 10.0 * (power.max(amin).log10() - reference.max(amin).log10());
        let mut out = power.mapv(db);
        if let Some(top) = top_db {
            let floor = out.iter().copied().fold(f64::NEG_INFINITY, f64::max) - top;
            out.mapv_inplace(|v| v.max(floor));
        }
        Ok(out)
    }
}

/// Mel-frequency cepstral coefficients: librosa's `feature.mfcc`. The mel bands in decibels, their orthonormal DCT-II, the first
/// coefficients of it.
///
/// S. Davis, P. Mermelstein, "Comparison of parametric representations for monosyllabic word recognition", 1980.
///
/// ```
/// use tilework::audio::Mfcc;
/// let noise: Vec<f32> = tilework::Rng::seed(0).normals(4096);
/// let mfcc = Mfcc { n_mfcc: 13, ..Mfcc::default() }.transform(&noise, 16_000)?;
/// assert_eq!(mfcc.dim(), (13, 9)); // [n_mfcc, frames]
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mfcc {
    /// The number of coefficients.
    pub n_mfcc: usize,
    /// The mel bands.
    pub mel: MelSpectrogram,
    /// Their decibels.
    pub db: PowerToDb,
}

impl Default for Mfcc {
    fn default() -> Mfcc {
        Mfcc { n_mfcc: 20, mel: MelSpectrogram::default(), db: PowerToDb::default() }
    }
}

impl Mfcc {
    /// The coefficients of samples at `sample_rate` in Hz: `[n_mfcc, frames]`.
    ///
    /// # Errors
    /// [`Error::Argument`] for settings out of range; as [`MelSpectrogram::transform`].
    pub fn transform(&self, samples: &[f32], sample_rate: u32) -> Result<Array2<f64>> {
        if !(1..=self.mel.n_mels).contains(&self.n_mfcc) {
            let message = format!("n_mfcc is {}; give 1 to n_mels, {}", self.n_mfcc, self.mel.n_mels);
            return Err(Error::argument("mfcc", message));
        }
        let mel = self.mel.transform(samples, sample_rate)?;
        Ok(dct(self.n_mfcc, self.mel.n_mels).dot(&self.db.transform(&mel)?))
    }
}

/// The first `rows` rows of the orthonormal DCT-II of `n` numbers.
fn dct(rows: usize, n: usize) -> Array2<f64> {
    let scale = |k: usize| if k == 0 { (1.0 / n as f64).sqrt() } else { (2.0 / n as f64).sqrt() };
    Array2::from_shape_fn((rows, n), |(k, i)| scale(k) * (PI * k as f64 * (2 * i + 1) as f64 / (2 * n) as f64).cos())
}
