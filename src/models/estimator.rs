//! What settings and fitted models have in common, so that pipelines, searches, the command and one battery of checks can
//! walk over all of them.

use super::problem::{Answer, Problem, check_sparse};
use super::store::{Reader, Writer, check_finite, read_part};
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
    /// What [`Problem::check`] finds; settings out of range, by name; answers of the wrong sort; numbers so large that the model
    /// would not be finite.
    fn learn(&self, problem: &Problem<'_>) -> Result<Self::Fitted> {
        let fitted = self.compute(problem)?;
        check_finite(Self::NAME, |out| fitted.store(out))?;
        Ok(fitted)
    }

    /// What [`Estimator::learn`] gives unless one of its numbers is not finite.
    ///
    /// # Errors
    /// As [`Estimator::learn`].
    fn compute(&self, problem: &Problem<'_>) -> Result<Self::Fitted>;

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

    /// The score over the rows learnt from, each told by the members that did not draw it: accuracy, or R² for numbers. `None` of a
    /// model that is no forest, or was not asked for it.
    fn oob_score(&self) -> Option<f64> {
        None
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

/// Numbers that are no longer finite: they come of features or targets near the limits of f64.
pub(super) fn beyond_range(op: &'static str, what: &str) -> Error {
    let message = format!("{what} too large to compute with: not finite; scale the features, and a large target");
    Error::NonFinite { op, message }
}

/// Refuses numbers that are not finite; `what` they are.
pub(super) fn check_range<'a>(op: &'static str, what: &str, values: impl IntoIterator<Item = &'a f64>) -> Result<()> {
    match values.into_iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(beyond_range(op, what)),
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
    use crate::models::{MODELS, Predicts};
    use serde_json::Map;

    const ROWS: usize = 40;

    /// How well a model of these features and this target, both multiplied by a factor, tells the rows that it was fitted on: the
    /// share of right classes, or 1 less the mean square of what numbers are off, before the factor.
    fn told(model: &str, factors: [f64; 2], of_target: f64) -> Result<f64> {
        let row = MODELS.iter().find(|row| row.name == model).unwrap();
        let classes: Vec<u32> = (0..ROWS as u32).map(|i| i % 2).collect();
        let at = |i: usize, j: usize| 1.0 + 3.0 * f64::from(classes[i]) + ((i * 7 + j * 5) % 11) as f64 / 11.0;
        let x = Array2::from_shape_fn((ROWS, 2), |(i, j)| at(i, j) * factors[j]);
        let y: Vec<f64> = (0..ROWS).map(|i| (at(i, 0) + 0.1 * at(i, 1)) * of_target).collect();
        let problem = match row.predicts {
            Predicts::Values => Problem::new(&x, &y),
            Predicts::Labels => Problem::new(&x, &classes),
        };
        let fitted = row.fit(&Map::new(), &problem)?;
        let said = fitted.outcome((&x).into())?;
        let scores = [fitted.probabilities((&x).into())?, fitted.decision((&x).into())?];
        assert!(scores.iter().flatten().flatten().all(|score| score.is_finite()), "{model}: {scores:?}");
        let rights: Vec<f64> = match said {
            Prediction::Labels(labels) => {
                labels.iter().zip(&classes).map(|(a, b)| f64::from(u8::from(a == b))).collect()
            }
            Prediction::Values(values) => {
                values.iter().zip(&y).map(|(a, b)| 1.0 - ((a - b) / of_target).powi(2)).collect()
            }
        };
        Ok(rights.iter().sum::<f64>() / ROWS as f64)
    }

    #[test]
    fn numbers_near_the_limits_of_f64_are_learnt_from_or_refused() {
        // They look at no feature, at shares and signs of features alone, or at no more of the target than `C` lets them.
        let other = ["dummy-classifier", "dummy-regressor", "multinomial-nb", "bernoulli-nb", "svr", "linear-svr"];
        let features = [[1e160, 1e160], [1e200, 1e200], [1.0, 1e200], [1e290, 1e290]].map(|factors| (factors, 1.0));
        for (factors, of_target) in features.into_iter().chain([1e160, 1e300].map(|of_target| ([1.0; 2], of_target))) {
            for row in MODELS.iter().filter(|row| row.predicts == Predicts::Values || of_target == 1.0) {
                match told(row.name, factors, of_target) {
                    Ok(right) => assert!(
                        right > 0.9 || other.contains(&row.name),
                        "{} of {factors:?} and {of_target:e}: {right}",
                        row.name
                    ),
                    Err(error) => {
                        assert!(matches!(error, Error::NonFinite { .. }), "{}: {error}", row.name);
                        assert!(error.to_string().contains("scale"), "{}: {error}", row.name);
                    }
                }
            }
        }
    }

    #[test]
    fn what_became_too_large_is_named() {
        let said =
            |model: &str, factor: f64, of_target: f64| told(model, [factor; 2], of_target).unwrap_err().to_string();
        let rest = "too large to compute with: not finite; scale the features, and a large target";
        assert_eq!(said("gaussian-nb", 1e200, 1.0), format!("gaussian-nb: var {rest}"));
        assert_eq!(said("knn-regressor", 1e200, 1.0), format!("knn-regressor: distances {rest}"));
        assert_eq!(said("decision-tree-regressor", 1.0, 1e160), format!("decision-tree-regressor: impurities {rest}"));
        assert_eq!(said("bayesian-ridge", 1.0, 1e160), format!("bayesian-ridge: the target's variance {rest}"));
        let text = said("hist-gradient-boosting-regressor", 1.0, 1e160);
        assert_eq!(text, format!("hist-gradient-boosting-regressor: gradients in 32-bit floats {rest}"));
    }

    #[test]
    fn the_first_of_equal_scores_wins() {
        assert_eq!(largest(&ndarray::array![[1.0, 1.0], [0.0, 2.0]]), [0, 1]);
    }
}
