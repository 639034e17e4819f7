//! What settings and fitted models have in common, so that pipelines, searches, the command and one battery of checks can
//! walk over all of them.

use super::problem::{Answer, Problem, check_sparse};
use super::store::{Reader, Writer, read_part};
use super::wrapper::Shared;
use crate::cost::Work;
use crate::data::Matrix;
use crate::device::Device;
use crate::error::{Error, Result};
use ndarray::Array2;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::Path;

/// Predictions of any model.
#[derive(Debug, Clone, PartialEq)]
pub enum Prediction {
    /// Numbers.
    Values(Vec<f64>),
    /// Classes, as positions from 0.
    Labels(Vec<u32>),
}

/// Settings that can be fitted: scikit-learn's names and defaults. `Default` is what the documentation of the type says.
pub trait Estimator:
    Debug + Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// What a fit gives.
    type Fitted: Model;

    /// The kind, as the command, model files and [`MODELS`](super::MODELS) spell it.
    const NAME: &'static str;

    /// Learns.
    ///
    /// # Errors
    /// What [`Problem::check`] finds; settings out of range, by name; answers of the wrong sort.
    fn learn(&self, problem: &Problem<'_>) -> Result<Self::Fitted>;

    /// Whether what is fitted gives the probabilities of classes; classifiers that give scores alone do not.
    fn gives_probabilities(&self) -> bool {
        true
    }

    /// Learns from features `[N, F]` and as many answers: numbers for regression, labels for classes.
    ///
    /// # Errors
    /// As [`Estimator::learn`].
    fn fit<'a>(&self, x: impl Into<Matrix<'a>>, y: impl Into<Answer<'a>>) -> Result<Self::Fitted> {
        self.learn(&Problem::new(x, y))
    }

    /// Reads a file that [`save`](super::save) wrote of this kind of model.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Format`]: no file, a damaged one, a newer version, another kind of model.
    fn load(path: impl AsRef<Path>) -> Result<Self::Fitted> {
        read_part(Self::NAME, path.as_ref(), Self::Fitted::restore)
    }
}

/// A fitted model.
pub trait Model: Debug + Send + Sync + 'static {
    /// The kind: [`Estimator::NAME`].
    fn kind(&self) -> &'static str;

    /// The number of features, `F`.
    fn width(&self) -> usize;

    /// The number of classes, `C`; 0 when it predicts numbers.
    fn classes(&self) -> usize;

    /// Numbers or classes for rows `[N, F]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of features, with both; [`Error::NonFinite`] for NaN or infinity.
    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction>;

    /// The probability of each class, `[N, C]`; `None` of a model that has none.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    fn probabilities(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>>;

    /// The score of each class, `[N, C]`, or `[N, 1]` of two classes, positive for class 1: scikit-learn's `decision_function`.
    /// `None` of a model that has none.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    fn decision(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>>;

    /// What each feature counts: coefficients `[outputs, F]` with their sign, or importances `[1, F]` that sum to 1. `None` of
    /// a model that has neither.
    fn influence(&self) -> Option<Influence>;

    /// Puts into a file what [`Model::restore`] takes out of it.
    ///
    /// # Errors
    /// Names used twice.
    fn store(&self, out: &mut Writer<'_>) -> Result<()>;

    /// The model that was stored. All that the file says is checked: it may be damaged or made to harm.
    ///
    /// # Errors
    /// [`Error::Format`] for whatever does not fit together.
    fn restore(from: &Reader<'_>) -> Result<Self>
    where
        Self: Sized;

    /// How the fit ended, where it can end before it is done or find less than it was asked for.
    fn ended(&self) -> Ended {
        Ended::default()
    }

    /// What moves the model to a device, where it can predict on one, as ensembles of trees can, and models that are made of such;
    /// `None` of all others, which predict on the CPU.
    fn movable(&self) -> Option<&dyn Movable> {
        None
    }
}

/// How a fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ended {
    /// Whether the solver came within its tolerance; `None` of a fit without one.
    pub converged: Option<bool>,
    /// The number of columns that do not depend on each other, of a fit that finds it: fewer than the features where some are sums
    /// of others.
    pub rank: Option<usize>,
}

impl Ended {
    /// Of a solver.
    pub(super) fn of(converged: bool) -> Ended {
        Ended { converged: Some(converged), rank: None }
    }

    /// Of a model of several: it has converged when all have that can.
    pub(super) fn of_all<'a>(members: impl IntoIterator<Item = &'a Shared>) -> Ended {
        let all = members.into_iter().filter_map(|model| model.ended().converged);
        Ended { converged: all.reduce(|all, one| all && one), rank: None }
    }
}

/// A fitted model that can predict on a device.
pub trait Movable {
    /// What predicting so many rows consists of, for [`Device::auto_for`].
    fn work(&self, rows: usize) -> Work;

    /// The same model on a device, for many rows at once.
    ///
    /// # Errors
    /// Not enough memory on the device; a lost device.
    fn on(&self, device: &Device) -> Result<Box<dyn Model>>;
}

/// What each feature counts in a model.
#[derive(Debug, Clone, PartialEq)]
pub enum Influence {
    /// Of a linear model, `[outputs, F]`; one output for numbers and for two classes.
    Coefficients(Array2<f64>),
    /// Of trees: shares of the impurity that splits on each feature removed, `[F]`.
    Importances(Vec<f64>),
}

/// What every model asks of rows to predict: as many features as it learnt from, all finite.
///
/// # Errors
/// [`Error::Shape`] with both counts; [`Error::NonFinite`] with the place.
pub fn check_rows(op: &'static str, width: usize, x: Matrix<'_>) -> Result<()> {
    check_features(op, width, x)?;
    x.check_finite(op, None)
}

/// As [`check_rows`], but NaN stands for a missing value and passes.
///
/// # Errors
/// As [`check_rows`].
pub fn check_width(op: &'static str, width: usize, x: Matrix<'_>) -> Result<()> {
    check_features(op, width, x)?;
    x.check_not_infinite(op, None)
}

fn check_features(op: &'static str, width: usize, x: Matrix<'_>) -> Result<()> {
    match x.width() == width {
        true => check_sparse(op, x),
        false => {
            let message =
                format!("the model has {width} features: given {}; give the columns it was fitted on", x.width());
            Err(Error::shape(op, message))
        }
    }
}

/// The class of the largest score in each row; the first of equals.
pub fn largest(scores: &Array2<f64>) -> Vec<u32> {
    let best = |row: ndarray::ArrayView1<'_, f64>| {
        row.iter().enumerate().fold((0, f64::NEG_INFINITY), |best, (i, &v)| if v > best.1 { (i, v) } else { best }).0
    };
    scores.rows().into_iter().map(|row| best(row) as u32).collect()
}

/// Probabilities from logarithms that lack a constant in each row.
pub(super) fn softmax(mut logs: Array2<f64>) -> Array2<f64> {
    for mut row in logs.rows_mut() {
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.mapv_inplace(|log| (log - most).exp());
        let sum = row.sum();
        row.mapv_inplace(|p| p / sum);
    }
    logs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_scores_wins() {
        assert_eq!(largest(&ndarray::array![[1.0, 1.0], [0.0, 2.0]]), [0, 1]);
    }
}
