//! Features that are normal in each class.

use super::{check_logs, from_file, log_prior, to_file, weight_of_classes};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::estimator::{Estimator, Influence, Model, Prediction, check_rows, largest, softmax};
use crate::models::problem::Problem;
use crate::models::store::{Reader, Writer};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Naive Bayes of normal features. scikit-learn's `GaussianNB`.
///
/// ```
/// use tilework::models::{Estimator, GaussianNb};
/// let model = GaussianNb::default().fit(&[[1.0], [2.0], [7.0], [8.0]], &[0u32, 0, 1, 1])?;
/// assert_eq!(model.predict(&[[0.0], [9.0]])?, [0, 1]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianNb {
    /// The share of each class, 1 in all: as in the rows when left out.
    pub priors: Option<Vec<f64>>,
    /// What is added to all variances, as a share of the largest variance of a feature.
    pub var_smoothing: f64,
}

impl Default for GaussianNb {
    fn default() -> GaussianNb {
        GaussianNb { priors: None, var_smoothing: 1e-9 }
    }
}

/// A fitted [`GaussianNb`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedGaussianNb {
    log_prior: Vec<f64>,
    /// Mean of each feature in each class, `[C, F]`.
    pub theta: Array2<f64>,
    /// Variance of each feature in each class, `[C, F]`, with what was added.
    pub var: Array2<f64>,
}

impl Estimator for GaussianNb {
    type Fitted = FittedGaussianNb;
    const NAME: &'static str = "gaussian-nb";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedGaussianNb> {
        problem.check(Self::NAME)?;
        let (labels, classes) = problem.labels(Self::NAME)?;
        if !(self.var_smoothing >= 0.0 && self.var_smoothing.is_finite()) {
            let message = format!("var_smoothing is {}; give a number of at least 0", self.var_smoothing);
            return Err(Error::argument(Self::NAME, message));
        }
        let weights = problem.row_weights();
        let of_class = weight_of_classes(labels, &weights, classes);
        let log_prior = log_prior(Self::NAME, self.priors.as_deref(), &of_class)?;
        let (values, width) = (problem.x.values(), problem.x.width());
        let rows = || values.chunks(width.max(1)).zip(labels).zip(&weights);
        let mut theta = Array2::zeros((classes, width));
        for ((row, &label), weight) in rows() {
            theta.row_mut(label as usize).iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * x);
        }
        let divide = |sums: &mut Array2<f64>| {
            for (mut row, weight) in sums.rows_mut().into_iter().zip(&of_class) {
                row.mapv_inplace(|sum| if *weight > 0.0 { sum / weight } else { 0.0 });
            }
        };
        divide(&mut theta);
        let mut var = Array2::zeros((classes, width));
        for ((row, &label), weight) in rows() {
            let means = theta.row(label as usize);
            let sums = var.row_mut(label as usize);
            sums.into_iter().zip(row).zip(means).for_each(|((sum, x), mean)| *sum += weight * (x - mean) * (x - mean));
        }
        divide(&mut var);
        let added = self.var_smoothing * largest_variance(&theta, &var, &of_class);
        // A variance of 0 and nothing to add: a small one stands in, so that no division is by 0.
        let added = if added > 0.0 || var.iter().all(|&v| v > 0.0) { added } else { f64::MIN_POSITIVE.sqrt() };
        var.mapv_inplace(|v| v + added);
        Ok(FittedGaussianNb { log_prior, theta, var })
    }
}

/// The largest variance of a feature over all rows: within the classes and between them.
fn largest_variance(theta: &Array2<f64>, var: &Array2<f64>, of_class: &[f64]) -> f64 {
    let total: f64 = of_class.iter().sum();
    let spread = |(means, within): (ndarray::ArrayView1<'_, f64>, ndarray::ArrayView1<'_, f64>)| -> f64 {
        let mean: f64 = means.iter().zip(of_class).map(|(m, w)| m * w).sum::<f64>() / total;
        let parts = means.iter().zip(within).zip(of_class);
        parts.map(|((m, v), w)| w * (v + (m - mean) * (m - mean))).sum::<f64>() / total
    };
    theta.columns().into_iter().zip(var.columns()).map(spread).fold(0.0, f64::max)
}

impl FittedGaussianNb {
    /// The class of each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        Ok(largest(&self.logs(x.into())?))
    }

    /// The probability of each class, `[N, C]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict_proba<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        Ok(softmax(self.logs(x.into())?))
    }

    /// The share of each class.
    pub fn class_prior(&self) -> Vec<f64> {
        self.log_prior.iter().map(|log| log.exp()).collect()
    }

    fn logs(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_rows(GaussianNb::NAME, self.width(), x)?;
        let values = x.values();
        let constants: Vec<f64> = self
            .var
            .rows()
            .into_iter()
            .zip(&self.log_prior)
            .map(|(var, prior)| prior - 0.5 * var.iter().map(|v| (std::f64::consts::TAU * v).ln()).sum::<f64>())
            .collect();
        let mut out = Array2::zeros((x.rows(), self.classes()));
        for (row, mut out) in values.chunks(self.width().max(1)).zip(out.rows_mut()) {
            let classes = self.theta.rows().into_iter().zip(self.var.rows()).zip(&constants);
            for (out, ((theta, var), constant)) in out.iter_mut().zip(classes) {
                let terms = row.iter().zip(theta).zip(var);
                *out = constant - 0.5 * terms.map(|((x, m), v)| (x - m) * (x - m) / v).sum::<f64>();
            }
        }
        check_logs(GaussianNb::NAME, out)
    }
}

impl Model for FittedGaussianNb {
    fn kind(&self) -> &'static str {
        GaussianNb::NAME
    }

    fn width(&self) -> usize {
        self.theta.ncols()
    }

    fn classes(&self) -> usize {
        self.log_prior.len()
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
        self.predict(x).map(Prediction::Labels)
    }

    fn probabilities(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        self.predict_proba(x).map(Some)
    }

    fn decision(&self, _: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        Ok(None)
    }

    fn influence(&self) -> Option<Influence> {
        None
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.doubles("log_prior", &to_file(&self.log_prior), &[self.classes()])?;
        out.matrix("theta", &self.theta)?;
        out.matrix("var", &self.var)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedGaussianNb> {
        let (theta, var) = (from.matrix("theta")?, from.matrix("var")?);
        if theta.is_empty() || theta.dim() != var.dim() || var.iter().any(|v| v.is_nan() || *v <= 0.0) {
            return Err(from.error(format!(
                "means {:?} and variances {:?} do not fit together",
                theta.dim(),
                var.dim()
            )));
        }
        let log_prior = from_file(from.vector("log_prior", theta.nrows())?);
        Ok(FittedGaussianNb { log_prior, theta, var })
    }
}
