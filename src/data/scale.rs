//! Standardisation of features: mean 0, standard deviation 1.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Shifts and scales each feature to mean 0 and standard deviation 1, as scikit-learn's `StandardScaler` (population
/// deviation). A constant feature is shifted only. Stored in model files, so that prediction scales as training did.
///
/// ```
/// use tilework::data::Standardizer;
/// let mut x = [1.0, 5.0, 3.0, 5.0]; // two rows of two features
/// let scaler = Standardizer::fit(&x, 2)?;
/// scaler.apply(&mut x)?;
/// assert_eq!(x, [-1.0, 0.0, 1.0, 0.0]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standardizer {
    /// Each feature's mean.
    pub mean: Vec<f64>,
    /// Each feature's standard deviation; 1 for a constant feature.
    pub std: Vec<f64>,
}

impl Standardizer {
    /// Finds mean and deviation of each of the `width` columns of `features`, `[N, width]` row by row. Sums are taken in `f64`,
    /// the deviation in a second pass, so that a large mean costs no digits.
    ///
    /// # Errors
    /// [`Error::Shape`] when the length is not a positive multiple of `width`; [`Error::NonFinite`] for a NaN or infinity.
    pub fn fit(features: &[f32], width: usize) -> Result<Standardizer> {
        check(features.len(), width)?;
        let Some(first) = features.get(..width).filter(|first| !first.is_empty()) else {
            return Err(Error::shape("standardize", "no rows: mean and deviation need at least one"));
        };
        if let Some(index) = features.iter().position(|v| !v.is_finite()) {
            let message = format!("{} in row {}, feature {}", features[index], index / width, index % width);
            return Err(Error::NonFinite { op: "standardize", message });
        }
        let rows = (features.len() / width) as f64;
        let mut mean = vec![0.0; width];
        for row in features.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        mean.iter_mut().for_each(|sum| *sum /= rows);
        let mut std = vec![0.0; width];
        let mut constant = vec![true; width];
        for row in features.chunks_exact(width) {
            for (((sum, constant), mean), (&x, &first)) in
                std.iter_mut().zip(&mut constant).zip(&mean).zip(row.iter().zip(first))
            {
                *sum += (f64::from(x) - mean).powi(2);
                *constant &= x == first;
            }
        }
        for (((std, mean), constant), &first) in std.iter_mut().zip(&mut mean).zip(constant).zip(first) {
            // Rounding of the mean would give a constant feature a tiny deviation, and then large values.
            (*mean, *std) = if constant { (f64::from(first), 1.0) } else { (*mean, (*std / rows).sqrt()) };
        }
        Ok(Standardizer { mean, std })
    }

    /// Scales rows of the same features in place.
    ///
    /// # Errors
    /// [`Error::Shape`] when the length is no multiple of the number of features.
    pub fn apply(&self, features: &mut [f32]) -> Result<()> {
        check(features.len(), self.mean.len())?;
        for row in features.chunks_exact_mut(self.mean.len()) {
            for ((x, mean), std) in row.iter_mut().zip(&self.mean).zip(&self.std) {
                *x = ((f64::from(*x) - mean) / std) as f32;
            }
        }
        Ok(())
    }
}

fn check(len: usize, width: usize) -> Result<()> {
    match len.checked_rem(width) {
        Some(0) => Ok(()),
        _ => Err(Error::shape("standardize", format!("{len} values are no rows of {width} features"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_deviation_are_exact_beside_a_large_offset() {
        // In f32 sums, or in one pass, 1e6 ± 1 loses the deviation.
        let x: Vec<f32> = (0..1000).map(|i| if i % 2 == 0 { 999_999.0 } else { 1_000_001.0 }).collect();
        let scaler = Standardizer::fit(&x, 1).unwrap();
        assert_eq!((scaler.mean[0], scaler.std[0]), (1e6, 1.0));
    }

    #[test]
    fn constant_features_are_shifted_only() {
        let mut x = vec![0.1f32; 7]; // 0.1 seven times does not sum to 0.7
        let scaler = Standardizer::fit(&x, 1).unwrap();
        assert_eq!(scaler.std, [1.0]);
        scaler.apply(&mut x).unwrap();
        assert_eq!(x, [0.0; 7]);
    }

    #[test]
    fn the_deviation_is_of_the_population() {
        let scaler = Standardizer::fit(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0], 1).unwrap();
        assert_eq!((scaler.mean[0], scaler.std[0]), (5.0, 2.0));
    }

    #[test]
    fn rows_that_do_not_fit_are_refused() {
        let scaler = Standardizer::fit(&[1.0, 2.0], 2).unwrap();
        assert_eq!(scaler.apply(&mut [1.0; 3]).map_err(|e| e.code()), Err("shape"));
        assert_eq!(Standardizer::fit(&[1.0; 3], 2).map_err(|e| e.code()), Err("shape"));
        assert_eq!(Standardizer::fit(&[1.0; 3], 0).map_err(|e| e.code()), Err("shape"));
        assert_eq!(Standardizer::fit(&[], 2).map_err(|e| e.code()), Err("shape"));
        assert_eq!(Standardizer::fit(&[1.0, f32::NAN], 2).map_err(|e| e.code()), Err("non-finite"));
    }

    #[test]
    fn a_scaler_survives_json_to_the_bit() {
        let scaler = Standardizer::fit(&[0.1, 0.2, 0.7], 1).unwrap();
        let text = serde_json::to_string(&scaler).unwrap();
        assert_eq!(serde_json::from_str::<Standardizer>(&text).unwrap(), scaler);
    }
}
