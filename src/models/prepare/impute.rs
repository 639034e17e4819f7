//! Missing values filled in from their own column.

use super::scale::{moments, quantile, sorted};
use super::transformer::{Feature, Transform, Transformer};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::{Problem, Reader, Writer, check_width};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// What is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImputeStrategy {
    /// The column's mean.
    #[default]
    Mean,
    /// Its median.
    Median,
    /// Its commonest value, the least of equals.
    MostFrequent,
    /// `fill_value`.
    Constant,
}

/// Fills in missing values (NaN) by one value for each column: scikit-learn's `SimpleImputer`.
///
/// ```
/// use tilework::models::prepare::{SimpleImputer, Transform, Transformer};
/// let imputer = SimpleImputer::default().fit(&[[1.0], [f64::NAN], [5.0]])?;
/// assert_eq!(imputer.transform(&[[f64::NAN]])?, ndarray::array![[3.0]]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimpleImputer {
    /// What is filled in.
    pub strategy: ImputeStrategy,
    /// The number of the strategy `constant`; 0 when left out.
    pub fill_value: Option<f64>,
    /// Whether a column of 0 and 1 is added for each column that has missing values in the fit: 1 where one was missing.
    pub add_indicator: bool,
    /// Whether columns without any value are kept and filled with 0; they are left out otherwise (but by `constant`).
    pub keep_empty_features: bool,
}

/// A fitted [`SimpleImputer`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedSimpleImputer {
    width: usize,
    /// The columns that are kept.
    pub kept: Vec<u32>,
    /// What is filled in, one a kept column.
    pub statistics: Vec<f64>,
    /// The columns that have an indicator.
    pub indicators: Vec<u32>,
}

impl Transformer for SimpleImputer {
    type Fitted = FittedSimpleImputer;
    const NAME: &'static str = "simple-imputer";

    /// The commonest level is one; a mean of their places is none.
    fn takes_levels(&self) -> bool {
        self.strategy == ImputeStrategy::MostFrequent
    }

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedSimpleImputer> {
        problem.check_but_missing(Self::NAME)?;
        let constant = self.fill_value.unwrap_or(0.0);
        if !constant.is_finite() {
            return Err(Error::argument(Self::NAME, format!("fill_value {constant}; give a finite number")));
        }
        let x = problem.x;
        let mut fitted =
            FittedSimpleImputer { width: x.width(), kept: Vec::new(), statistics: Vec::new(), indicators: Vec::new() };
        for column in 0..x.width() {
            let values = x.column(column);
            let statistic = match self.strategy {
                ImputeStrategy::Constant => Some(constant),
                _ if values.iter().all(|v| v.is_nan()) => self.keep_empty_features.then_some(0.0),
                ImputeStrategy::Mean => Some(moments(&values, &vec![1.0; values.len()]).0),
                ImputeStrategy::Median => Some(quantile(&sorted(&values), 0.5)),
                ImputeStrategy::MostFrequent => commonest(&sorted(&values)),
            };
            if let Some(statistic) = statistic {
                if !statistic.is_finite() {
                    let message = format!("column {column} has numbers too large for a mean; take the median");
                    return Err(Error::NonFinite { op: Self::NAME, message });
                }
                fitted.kept.push(column as u32);
                fitted.statistics.push(statistic);
            }
            if self.add_indicator && values.iter().any(|v| v.is_nan()) {
                fitted.indicators.push(column as u32);
            }
        }
        Ok(fitted)
    }
}

/// The longest run of sorted values, the first of equals.
fn commonest(sorted: &[f64]) -> Option<f64> {
    let runs = sorted.chunk_by(|a, b| a == b);
    runs.fold(None, |best: Option<&[f64]>, run| Some(best.filter(|best| best.len() >= run.len()).unwrap_or(run)))
        .and_then(|run| run.first().copied())
}

/// The column that says where another has no value.
pub(super) fn mark(of: &Feature) -> Feature {
    Feature::number(format!("{}_missing", of.name))
}

impl Transform for FittedSimpleImputer {
    fn kind(&self) -> &'static str {
        SimpleImputer::NAME
    }

    fn width(&self) -> usize {
        self.width
    }

    fn outputs(&self) -> usize {
        self.kept.len() + self.indicators.len()
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_width(SimpleImputer::NAME, self.width, x)?;
        let kept = self.kept.len();
        Ok(Array2::from_shape_fn((x.rows(), self.outputs()), |(row, column)| {
            if column < kept {
                let value = x.get(row, self.kept[column] as usize);
                return if value.is_nan() { self.statistics[column] } else { value };
            }
            f64::from(x.get(row, self.indicators[column - kept] as usize).is_nan())
        }))
    }

    fn features(&self, from: &[Feature]) -> Vec<Feature> {
        let pick = |columns: &[u32]| columns.iter().filter_map(|&i| from.get(i as usize)).cloned().collect::<Vec<_>>();
        pick(&self.kept).into_iter().chain(pick(&self.indicators).iter().map(mark)).collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&self.width)?;
        out.counts("kept", &self.kept, &[self.kept.len()])?;
        out.doubles("statistics", &self.statistics, &[self.statistics.len()])?;
        out.counts("indicators", &self.indicators, &[self.indicators.len()])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedSimpleImputer> {
        let width = from.note()?;
        let (kept, _) = from.counts("kept")?;
        let (indicators, _) = from.counts("indicators")?;
        if kept.iter().chain(&indicators).any(|&column| column as usize >= width) {
            return Err(from.error(format!("an imputer of a column that is none of {width}")));
        }
        Ok(FittedSimpleImputer { width, statistics: from.vector("statistics", kept.len())?, kept, indicators })
    }
}
