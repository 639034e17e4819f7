//! Baselines that look at no feature: what a real model has to beat.

use super::estimator::{Estimator, Influence, Model, Prediction, check_width, largest};
use super::problem::Problem;
use super::store::{Reader, Writer};
use crate::data::Matrix;
use crate::error::Result;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Predicts the commonest class, whatever the features; probabilities are the shares of the classes. scikit-learn's
/// `DummyClassifier(strategy="prior")`.
///
/// ```
/// use tilework::models::{DummyClassifier, Estimator};
/// let model = DummyClassifier::default().fit(&[[1.0], [2.0], [3.0]], &[1u32, 0, 1])?;
/// assert_eq!(model.predict(&[[9.0]])?, [1]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DummyClassifier {}

/// A fitted [`DummyClassifier`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedDummyClassifier {
    width: usize,
    /// The share of each class.
    pub prior: Vec<f64>,
}

impl Estimator for DummyClassifier {
    type Fitted = FittedDummyClassifier;
    const NAME: &'static str = "dummy-classifier";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedDummyClassifier> {
        problem.check_but_missing(Self::NAME)?;
        let (labels, classes) = problem.labels(Self::NAME)?;
        let weights = problem.row_weights();
        let mut prior = vec![0.0; classes];
        for (&label, weight) in labels.iter().zip(&weights) {
            prior[label as usize] += weight; // below `classes`: checked
        }
        let total: f64 = weights.iter().sum();
        prior.iter_mut().for_each(|share| *share /= total);
        Ok(FittedDummyClassifier { width: problem.x.width(), prior })
    }
}

impl FittedDummyClassifier {
    /// The class of each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        Ok(largest(&self.predict_proba(x)?))
    }

    /// The probability of each class, `[N, C]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict_proba<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let x = x.into();
        check_width(DummyClassifier::NAME, self.width, x)?;
        Ok(Array2::from_shape_fn((x.rows(), self.prior.len()), |(_, class)| self.prior[class]))
    }
}

impl Model for FittedDummyClassifier {
    fn kind(&self) -> &'static str {
        DummyClassifier::NAME
    }

    fn width(&self) -> usize {
        self.width
    }

    fn classes(&self) -> usize {
        self.prior.len()
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
        out.note(&self.width)?;
        out.doubles("prior", &self.prior, &[self.prior.len()])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedDummyClassifier> {
        let (prior, _) = from.doubles("prior")?;
        match prior.is_empty() {
            true => Err(from.error("prior: no classes")),
            false => Ok(FittedDummyClassifier { width: from.note()?, prior }),
        }
    }
}

/// Predicts the mean of the target, whatever the features. scikit-learn's `DummyRegressor(strategy="mean")`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DummyRegressor {}

/// A fitted [`DummyRegressor`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedDummyRegressor {
    width: usize,
    /// What is predicted.
    pub mean: f64,
}

impl Estimator for DummyRegressor {
    type Fitted = FittedDummyRegressor;
    const NAME: &'static str = "dummy-regressor";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedDummyRegressor> {
        problem.check_but_missing(Self::NAME)?;
        let weights = problem.row_weights();
        let sum: f64 = problem.values(Self::NAME)?.iter().zip(&weights).map(|(y, w)| y * w).sum();
        Ok(FittedDummyRegressor { width: problem.x.width(), mean: sum / weights.iter().sum::<f64>() })
    }
}

impl FittedDummyRegressor {
    /// The number for each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<f64>> {
        let x = x.into();
        check_width(DummyRegressor::NAME, self.width, x)?;
        Ok(vec![self.mean; x.rows()])
    }
}

impl Model for FittedDummyRegressor {
    fn kind(&self) -> &'static str {
        DummyRegressor::NAME
    }

    fn width(&self) -> usize {
        self.width
    }

    fn classes(&self) -> usize {
        0
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
        self.predict(x).map(Prediction::Values)
    }

    fn probabilities(&self, _: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        Ok(None)
    }

    fn decision(&self, _: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        Ok(None)
    }

    fn influence(&self) -> Option<Influence> {
        None
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&self.width)?;
        out.doubles("mean", &[self.mean], &[1])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedDummyRegressor> {
        match from.vector("mean", 1)?[..] {
            [mean] => Ok(FittedDummyRegressor { width: from.note()?, mean }),
            _ => Err(from.error("mean: one number is needed")),
        }
    }
}
