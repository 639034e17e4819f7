//! Columns given another distribution by their ranks.

use super::normal;
use super::scale::{quantile, sorted};
use super::transformer::{Feature, Transform, Transformer};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::{Problem, Reader, Writer, check_width};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// The distribution that columns are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Even from 0 to 1.
    #[default]
    Uniform,
    /// Normal, of mean 0 and deviation 1.
    Normal,
}

/// Maps each column through its own distribution, so that it becomes even or normal: scikit-learn's `QuantileTransformer`, on
/// all rows. NaN stays.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuantileTransformer {
    /// How many quantiles are kept; as many as rows where these are fewer.
    pub n_quantiles: usize,
    /// What the columns become.
    pub output_distribution: Distribution,
}

impl Default for QuantileTransformer {
    fn default() -> QuantileTransformer {
        QuantileTransformer { n_quantiles: 1000, output_distribution: Distribution::Uniform }
    }
}

/// A fitted [`QuantileTransformer`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedQuantileTransformer {
    distribution: Distribution,
    /// The quantiles of each column, `[F, Q]`.
    pub quantiles: Array2<f64>,
}

/// How near to an end a value counts as it, and where the normal distribution is cut.
const EDGE: f64 = 1e-7;

impl Transformer for QuantileTransformer {
    type Fitted = FittedQuantileTransformer;
    const NAME: &'static str = "quantile-transformer";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedQuantileTransformer> {
        problem.check_but_missing(Self::NAME)?;
        if self.n_quantiles == 0 {
            return Err(Error::argument(Self::NAME, "n_quantiles 0; give at least 1"));
        }
        let count = self.n_quantiles.min(problem.x.rows());
        let mut quantiles = Array2::zeros((problem.x.width(), count));
        for (column, mut row) in quantiles.rows_mut().into_iter().enumerate() {
            let sorted = sorted(&problem.x.column(column));
            let mut least = f64::NEG_INFINITY;
            for (i, cell) in row.iter_mut().enumerate().filter(|_| !sorted.is_empty()) {
                least = quantile(&sorted, share(i, count)).max(least); // never down by rounding
                *cell = least;
            }
        }
        Ok(FittedQuantileTransformer { distribution: self.output_distribution, quantiles })
    }
}

fn share(i: usize, count: usize) -> f64 {
    i as f64 / count.saturating_sub(1).max(1) as f64
}

/// The share of the distribution below a value, from the last quantile that is not above it.
fn interpolate(value: f64, at: impl Fn(usize) -> f64, below: usize, count: usize, share: impl Fn(usize) -> f64) -> f64 {
    match below {
        0 => share(0),
        n if n == count => share(count - 1),
        n => {
            let (low, high) = (at(n - 1), at(n));
            share(n - 1) + (share(n) - share(n - 1)) / (high - low) * (value - low)
        }
    }
}

impl FittedQuantileTransformer {
    fn map(&self, quantiles: &[f64], value: f64) -> f64 {
        let count = quantiles.len();
        let (Some(&first), Some(&last)) = (quantiles.first(), quantiles.last()) else { return value };
        let near = match self.distribution {
            Distribution::Uniform => 0.0,
            Distribution::Normal => EDGE,
        };
        // The mean of the shares from below and from above, which differ where quantiles are equal.
        let up = quantiles.partition_point(|q| *q <= value);
        let down = count - quantiles.partition_point(|q| *q < value);
        let rising = interpolate(value, |i| quantiles[i], up, count, |i| share(i, count));
        let falling = interpolate(-value, |i| -quantiles[count - 1 - i], down, count, |i| -share(count - 1 - i, count));
        let mut made = 0.5 * (rising - falling);
        if value + near >= last {
            made = 1.0;
        }
        if value - near <= first {
            made = 0.0;
        }
        match self.distribution {
            _ if value.is_nan() => value,
            Distribution::Uniform => made,
            Distribution::Normal => {
                let cut = EDGE - f64::EPSILON; // scikit-learn's cut is np.spacing(1) before its edge
                normal::quantile(made).clamp(normal::quantile(cut), normal::quantile(1.0 - cut))
            }
        }
    }
}

impl Transform for FittedQuantileTransformer {
    fn kind(&self) -> &'static str {
        QuantileTransformer::NAME
    }

    fn width(&self) -> usize {
        self.quantiles.nrows()
    }

    fn outputs(&self) -> usize {
        self.width()
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_width(QuantileTransformer::NAME, self.width(), x)?;
        let mut out = Array2::zeros((x.rows(), self.width()));
        for (column, quantiles) in self.quantiles.rows().into_iter().enumerate() {
            let quantiles = quantiles.to_vec();
            let values = x.column(column);
            out.column_mut(column).iter_mut().zip(values).for_each(|(cell, v)| *cell = self.map(&quantiles, v));
        }
        Ok(out)
    }

    fn features(&self, from: &[Feature]) -> Vec<Feature> {
        from.iter().map(|feature| Feature::number(&feature.name)).collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&self.distribution)?;
        out.matrix("quantiles", &self.quantiles)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedQuantileTransformer> {
        let quantiles = from.matrix("quantiles")?;
        let descends = |row: ndarray::ArrayView1<'_, f64>| row.iter().zip(row.iter().skip(1)).any(|(a, b)| a > b);
        match quantiles.rows().into_iter().any(descends) {
            true => Err(from.error("quantiles out of order")),
            false => Ok(FittedQuantileTransformer { distribution: from.note()?, quantiles }),
        }
    }
}
