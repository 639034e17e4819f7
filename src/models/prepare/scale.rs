//! Columns brought to a like scale. NaN stands for a missing value: it is passed over in a fit, and stays.

use super::chain::owned;
use super::transformer::{Feature, Transform, Transformer};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::{Problem, Reader, Writer, check_width};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Each column to mean 0 and standard deviation 1 (of the population): scikit-learn's `StandardScaler`. A constant column is
/// shifted only. Weights count.
///
/// ```
/// use tilework::models::prepare::{StandardScaler, Transform, Transformer};
/// let scaler = StandardScaler::default().fit(&[[1.0], [3.0]])?;
/// assert_eq!(scaler.transform(&[[4.0]])?, ndarray::array![[2.0]]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StandardScaler {
    /// Whether to subtract the mean.
    pub with_mean: bool,
    /// Whether to divide by the deviation.
    pub with_std: bool,
}

/// Each column so that its least and largest value become the ends of a range: scikit-learn's `MinMaxScaler`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MinMaxScaler {
    /// The ends of the range.
    pub feature_range: (f64, f64),
    /// Whether new values outside it are cut to it.
    pub clip: bool,
}

/// Each column divided by its largest absolute value: scikit-learn's `MaxAbsScaler`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaxAbsScaler {
    /// Whether new values outside -1 to 1 are cut to it.
    pub clip: bool,
}

/// Each column to median 0 and a range between two quantiles of 1, which outliers hardly move: scikit-learn's `RobustScaler`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RobustScaler {
    /// Whether to subtract the median.
    pub with_centering: bool,
    /// Whether to divide by the range.
    pub with_scaling: bool,
    /// The quantiles in percent.
    pub quantile_range: (f64, f64),
    /// Whether normal data come out with variance 1.
    pub unit_variance: bool,
}

impl Default for StandardScaler {
    fn default() -> StandardScaler {
        StandardScaler { with_mean: true, with_std: true }
    }
}

impl Default for MinMaxScaler {
    fn default() -> MinMaxScaler {
        MinMaxScaler { feature_range: (0.0, 1.0), clip: false }
    }
}

impl Default for RobustScaler {
    fn default() -> RobustScaler {
        let quantile_range = (25.0, 75.0);
        RobustScaler { with_centering: true, with_scaling: true, quantile_range, unit_variance: false }
    }
}

/// A fitted scaler of any of the four kinds: `(x - shift) / scale + offset`, cut to `clip`.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedScaler {
    kind: &'static str,
    /// Subtracted first: mean, minimum or median of each column.
    pub shift: Vec<f64>,
    /// Divided by then: deviation, range or largest absolute value.
    pub scale: Vec<f64>,
    /// Added last: the lower end of the range.
    pub offset: f64,
    /// Where results are cut.
    pub clip: Option<(f64, f64)>,
}

impl Transformer for StandardScaler {
    type Fitted = FittedScaler;
    const NAME: &'static str = "standard-scaler";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedScaler> {
        problem.check_but_missing(Self::NAME)?;
        let weights = problem.row_weights();
        per_column(Self::NAME, problem.x, 0.0, None, |values| {
            let unit = unit(values);
            let values: Vec<f64> = values.iter().map(|v| v / unit).collect();
            let (mean, variance) = moments(&values, &weights);
            let count = values.iter().filter(|v| !v.is_nan()).count() as f64;
            // The error bound of two passes (Chan, Golub and LeVeque 1983): what is below it is rounding, and the column constant.
            let rounding = count * f64::EPSILON * variance + (count * mean * f64::EPSILON).powi(2);
            let scale = if !self.with_std || variance <= rounding { 1.0 } else { variance.sqrt() * unit };
            (if self.with_mean { mean * unit } else { 0.0 }, scale)
        })
    }
}

impl Transformer for MinMaxScaler {
    type Fitted = FittedScaler;
    const NAME: &'static str = "min-max-scaler";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedScaler> {
        problem.check_but_missing(Self::NAME)?;
        let (low, high) = self.feature_range;
        if !(low < high && (high - low).is_finite()) {
            let message = format!("feature_range ({low}, {high}); give a lower and an upper end");
            return Err(Error::argument(Self::NAME, message));
        }
        per_column(Self::NAME, problem.x, low, self.clip.then_some((low, high)), |values| {
            let (least, most) =
                values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)));
            match least <= most {
                true => (least, not_zero(most - least) / (high - low)),
                false => (0.0, 1.0), // no value at all
            }
        })
    }
}

impl Transformer for MaxAbsScaler {
    type Fitted = FittedScaler;
    const NAME: &'static str = "max-abs-scaler";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedScaler> {
        problem.check_but_missing(Self::NAME)?;
        per_column(Self::NAME, problem.x, 0.0, self.clip.then_some((-1.0, 1.0)), |values| {
            (0.0, not_zero(values.iter().fold(0.0, |most: f64, v| most.max(v.abs()))))
        })
    }
}

impl Transformer for RobustScaler {
    type Fitted = FittedScaler;
    const NAME: &'static str = "robust-scaler";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedScaler> {
        problem.check_but_missing(Self::NAME)?;
        let (low, high) = self.quantile_range;
        if !(0.0..=100.0).contains(&low) || !(low..=100.0).contains(&high) {
            let message = format!("quantile_range ({low}, {high}); give two percentages, the lower first");
            return Err(Error::argument(Self::NAME, message));
        }
        let normal = match self.unit_variance {
            true => super::normal::quantile(high / 100.0) - super::normal::quantile(low / 100.0),
            false => 1.0,
        };
        per_column(Self::NAME, problem.x, 0.0, None, |values| {
            let sorted = sorted(values);
            let range = not_zero(quantile(&sorted, high / 100.0) - quantile(&sorted, low / 100.0));
            let scale = if self.with_scaling && !range.is_nan() { range / normal } else { 1.0 };
            let centre = if self.with_centering { quantile(&sorted, 0.5) } else { 0.0 };
            (if centre.is_nan() { 0.0 } else { centre }, scale)
        })
    }
}

/// A scaler whose shift and scale `of` finds in each column.
fn per_column(
    kind: &'static str,
    x: Matrix<'_>,
    offset: f64,
    clip: Option<(f64, f64)>,
    of: impl Fn(&[f64]) -> (f64, f64),
) -> Result<FittedScaler> {
    let (shift, scale): (Vec<f64>, Vec<f64>) = (0..x.width()).map(|column| of(&x.column(column))).unzip();
    match shift.iter().chain(&scale).position(|v| !v.is_finite()) {
        Some(at) => {
            let message = format!("column {} has numbers too large to scale; divide it first", at % x.width());
            Err(Error::NonFinite { op: kind, message })
        }
        None => Ok(FittedScaler { kind, shift, scale, offset, clip }),
    }
}

/// A power of two in which the squares of all values are within the range of f64; 1 where they are as they stand.
fn unit(values: &[f64]) -> f64 {
    let most = values.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    match most == 0.0 || (1e-100..1e100).contains(&most) || !most.is_finite() {
        true => 1.0,
        false => most.log2().floor().exp2(),
    }
}

/// 1 for a scale that is only rounding, as scikit-learn has it.
fn not_zero(scale: f64) -> f64 {
    if scale < 10.0 * f64::EPSILON { 1.0 } else { scale }
}

/// Mean and variance of what is not missing, in two passes; 0 of nothing.
pub(super) fn moments(values: &[f64], weights: &[f64]) -> (f64, f64) {
    let given = || values.iter().zip(weights).filter(|(v, _)| !v.is_nan());
    let total: f64 = given().map(|(_, w)| w).sum();
    if total <= 0.0 {
        return (0.0, 0.0);
    }
    let mean = given().map(|(v, w)| v * w).sum::<f64>() / total;
    let mean = mean + given().map(|(v, w)| (v - mean) * w).sum::<f64>() / total; // what the first sum rounded away
    (mean, given().map(|(v, w)| (v - mean).powi(2) * w).sum::<f64>() / total)
}

/// What is not missing, in order.
pub(super) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut given: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    given.sort_by(f64::total_cmp);
    given
}

/// The quantile of sorted values by linear interpolation, as NumPy's default; NaN of none.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let at = |i: f64| sorted.get(i as usize).copied().unwrap_or(f64::NAN);
    let (low, high) = (at(place.floor()), at(place.ceil()));
    let part = place.fract();
    // From the nearer end, as NumPy does, so that the result is exact at both.
    if part < 0.5 { low + (high - low) * part } else { high - (high - low) * (1.0 - part) }
}

impl Transform for FittedScaler {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn width(&self) -> usize {
        self.shift.len()
    }

    fn outputs(&self) -> usize {
        self.width()
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_width(self.kind, self.width(), x)?;
        let mut x = owned(x)?;
        for mut row in x.rows_mut() {
            for ((v, shift), scale) in row.iter_mut().zip(&self.shift).zip(&self.scale) {
                *v = (*v - shift) / scale + self.offset;
            }
        }
        if let Some((low, high)) = self.clip {
            x.mapv_inplace(|v| {
                if v < low {
                    low
                } else if v > high {
                    high
                } else {
                    v
                }
            });
        }
        Ok(x)
    }

    fn features(&self, from: &[Feature]) -> Vec<Feature> {
        from.iter().map(|feature| Feature::number(&feature.name)).collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&(self.kind, self.offset, self.clip))?;
        out.doubles("shift", &self.shift, &[self.width()])?;
        out.doubles("scale", &self.scale, &[self.width()])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedScaler> {
        let (kind, offset, clip): (String, f64, Option<(f64, f64)>) = from.note()?;
        let kinds = [StandardScaler::NAME, MinMaxScaler::NAME, MaxAbsScaler::NAME, RobustScaler::NAME];
        let kind = kinds.into_iter().find(|known| *known == kind);
        let (shift, shape) = from.doubles("shift")?;
        match (kind, &shape[..]) {
            (Some(kind), &[width]) => {
                Ok(FittedScaler { kind, shift, scale: from.vector("scale", width)?, offset, clip })
            }
            _ => Err(from.error("no scaler of this version")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::prepare::Transform;

    #[test]
    fn columns_whose_squares_leave_the_range_of_f64_are_scaled_as_others() {
        let plain = ndarray::array![[1.0], [2.0], [3.0], [6.0]];
        let scaled = StandardScaler::default().fit(&plain).unwrap().transform(&plain).unwrap();
        for factor in [1e200, 1e300, 1e-200] {
            let x = &plain * factor;
            let found = StandardScaler::default().fit(&x).unwrap().transform(&x).unwrap();
            assert!((&found - &scaled).iter().all(|off| off.abs() < 1e-14), "{factor:e}: {found}");
        }
    }
}
