//! Sound as features: WAV files, spectrograms, mel bands, MFCC.
//!
//! Names, defaults and results are librosa's. Everything here lives on the host and computes in `f64`; [`Matrix::to_tensor`] puts
//! a result on a device.
//!
//! ```
//! use tilework::audio::Mfcc;
//! let rate = 8000;
//! let tone: Vec<f32> = (0..4000u16).map(|i| (f32::from(i) * 0.3).sin()).collect();
//! let mfcc = Mfcc::default().transform(&tone, rate)?; // [20, frames]
//! assert_eq!(mfcc.dim(), (20, 1 + 4000 / 512));
//! let mean = mfcc.mean_axis(ndarray::Axis(1)); // one row of features for a model
//! # Ok::<(), tilework::Error>(())
//! ```
//!
//! [`Matrix::to_tensor`]: crate::data::Matrix::to_tensor

mod mel;
mod mfcc;
mod resample;
mod stft;
mod wav;
mod window;

pub use mel::{MelNorm, MelScale, MelSpectrogram};
pub use mfcc::{Mfcc, PowerToDb};
pub use stft::{PadMode, Stft};
pub use wav::Waveform;
pub use window::Window;

use crate::error::{Error, Result};
use ndarray::Array2;

/// Zeros `[rows, columns]`, or an error where they do not fit in memory: both may come from settings that nobody looked at.
fn zeros(op: &'static str, rows: usize, columns: usize) -> Result<Array2<f64>> {
    let too_large = || {
        let message =
            format!("{rows} x {columns} numbers do not fit in memory; take a larger hop_length, or shorter parts");
        Error::argument(op, message)
    };
    let numel = rows.checked_mul(columns).ok_or_else(too_large)?;
    let mut values = Vec::new();
    values.try_reserve_exact(numel).map_err(|_| too_large())?;
    values.resize(numel, 0.0);
    Array2::from_shape_vec((rows, columns), values).map_err(|e| Error::internal(op, e.to_string()))
}
