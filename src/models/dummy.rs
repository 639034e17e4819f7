//! Baselines that look at no feature: what a real model has to beat.

use super::estimator::{Estimator, Influence, Model, Prediction, check_width, largest};
use super::problem::Problem;
use super::quantile::weighed;
use super::store::{Reader, Writer};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::rng::Rng;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// Predicts a class whatever the features: scikit-learn's `DummyClassifier`.
///
/// ```
/// use tilework::models::{DummyClassifier, Estimator};
/// let model = DummyClassifier::default().fit(&[[1.0], [2.0], [3.0]], &[1u32, 0, 1])?;
/// assert_eq!(model.predict(&[[9.0]])?, [1]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DummyClassifier {
    /// Which class. The commonest, with the shares of the classes for probabilities.
    pub strategy: ClassBaseline,
    /// The class that [`ClassBaseline::Constant`] predicts: its position in the list of classes, from 0. None.
    pub constant: Option<u32>,
    /// Of classes that are drawn. 0.
    pub seed: u64,
}

/// What a [`DummyClassifier`] predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassBaseline {
    /// The commonest class; probabilities are the shares of the classes.
    #[default]
    Prior,
    /// The commonest class, for sure.
    MostFrequent,
    /// A class drawn for each row by the shares of the classes, the same in every call.
    Stratified,
    /// A class drawn for each row with the same chance for all that have rows.
    Uniform,
    /// The class that `constant` names.
    Constant,
}

/// A fitted [`DummyClassifier`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedDummyClassifier {
    width: usize,
    strategy: ClassBaseline,
    constant: u32,
    seed: u64,
    /// The share of each class.
    pub prior: Vec<f64>,
}

impl Estimator for DummyClassifier {
    type Fitted = FittedDummyClassifier;
    const NAME: &'static str = "dummy-classifier";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedDummyClassifier> {
        problem.check_but_missing(Self::NAME)?;
        let (labels, classes) = problem.labels(Self::NAME)?;
        let constant = match (self.strategy, self.constant) {
            (ClassBaseline::Constant, Some(constant)) if (constant as usize) < classes => constant,
            (ClassBaseline::Constant, given) => {
                let given = given.map_or("none".into(), |constant| constant.to_string());
                let message = format!("constant = {given}; give the position of a class, 0 to {}", classes - 1);
                return Err(Error::argument(Self::NAME, message));
            }
            (_, None) => 0,
            (strategy, Some(constant)) => return Err(unused(Self::NAME, "constant", constant, strategy)),
        };
        let weights = problem.row_weights();
        let mut prior = vec![0.0; classes];
        for (&label, weight) in labels.iter().zip(&weights) {
            prior[label as usize] += weight; // below `classes`: checked
        }
        let total: f64 = weights.iter().sum();
        prior.iter_mut().for_each(|share| *share /= total);
        let DummyClassifier { strategy, seed, .. } = *self;
        Ok(FittedDummyClassifier { width: problem.x.width(), strategy, constant, seed, prior })
    }
}

impl FittedDummyClassifier {
    /// The class of each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        let x = x.into();
        match self.strategy {
            ClassBaseline::Uniform => {
                check_width(DummyClassifier::NAME, self.width, x)?;
                Ok(self.drawn(&self.even(), x.rows()))
            }
            _ => Ok(largest(&self.predict_proba(x)?)),
        }
    }

    /// The same chance for all classes with rows.
    fn even(&self) -> Vec<f64> {
        let known = self.prior.iter().filter(|share| **share > 0.0).count() as f64;
        self.prior.iter().map(|&share| if share > 0.0 { 1.0 / known } else { 0.0 }).collect()
    }

    /// A class a row, drawn by the shares.
    fn drawn(&self, shares: &[f64], rows: usize) -> Vec<u32> {
        let last = shares.iter().rposition(|&share| share > 0.0).unwrap_or(0);
        let class = |at: f32| {
            let mut rest = f64::from(at);
            let found = shares.iter().position(|share| {
                rest -= share;
                rest < 0.0
            });
            found.map_or(last, |found| found.min(last)) as u32
        };
        Rng::seed(self.seed).uniforms(rows).into_iter().map(class).collect()
    }

    /// The probability of each class, `[N, C]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict_proba<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let x = x.into();
        check_width(DummyClassifier::NAME, self.width, x)?;
        let shape = (x.rows(), self.prior.len());
        let alike = |shares: &[f64]| Array2::from_shape_fn(shape, |(_, class)| shares[class]);
        let sure = |of: &dyn Fn(usize) -> u32| {
            Array2::from_shape_fn(shape, |(row, class)| f64::from(u8::from(of(row) as usize == class)))
        };
        Ok(match self.strategy {
            ClassBaseline::Prior => alike(&self.prior),
            ClassBaseline::Uniform => alike(&self.even()),
            ClassBaseline::Constant => sure(&|_| self.constant),
            ClassBaseline::MostFrequent => {
                let most = self.prior.iter().copied().fold(0.0, f64::max);
                let first = self.prior.iter().position(|&share| share == most).unwrap_or(0) as u32;
                sure(&|_| first)
            }
            ClassBaseline::Stratified => {
                let drawn = self.drawn(&self.prior, x.rows());
                sure(&|row| drawn.get(row).copied().unwrap_or(0))
            }
        })
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
        let FittedDummyClassifier { width, strategy, constant, seed, .. } = *self;
        out.note(&Note::Now { width, strategy, constant, seed })?;
        out.doubles("prior", &self.prior, &[self.prior.len()])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedDummyClassifier> {
        let (prior, _) = from.doubles("prior")?;
        let (width, strategy, constant, seed) = match from.note()? {
            Note::Before(width) => (width, ClassBaseline::Prior, 0, 0),
            Note::Now { width, strategy, constant, seed } => (width, strategy, constant, seed),
        };
        match (constant as usize) < prior.len() {
            true => Ok(FittedDummyClassifier { width, strategy, constant, seed, prior }),
            false => Err(from.error(format!("constant {constant} of {} classes", prior.len()))),
        }
    }
}

/// What a file says of a classifier beside the shares.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Note {
    /// As it was when there was but one strategy.
    Before(usize),
    Now {
        width: usize,
        strategy: ClassBaseline,
        constant: u32,
        seed: u64,
    },
}

/// A setting that the strategy does not look at.
fn unused(op: &'static str, name: &str, value: impl Display, strategy: impl Serialize) -> Error {
    let strategy = serde_json::to_string(&strategy).unwrap_or_default();
    Error::argument(
        op,
        format!("{name} = {value} with strategy {strategy}; give strategy \"{name}\", or leave {name} out"),
    )
}

/// Predicts one number whatever the features: scikit-learn's `DummyRegressor`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DummyRegressor {
    /// Which number. The mean.
    pub strategy: ValueBaseline,
    /// The number that [`ValueBaseline::Constant`] predicts. None.
    pub constant: Option<f64>,
    /// Which quantile [`ValueBaseline::Quantile`] predicts, 0 to 1. None.
    pub quantile: Option<f64>,
}

/// What a [`DummyRegressor`] predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueBaseline {
    /// The mean of the target.
    #[default]
    Mean,
    /// Its median.
    Median,
    /// The quantile that `quantile` names: of rows that weigh the same as `numpy.percentile`, else the smallest value with this
    /// share of the weight up to it.
    Quantile,
    /// The number that `constant` gives.
    Constant,
}

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
        let (values, weights) = (problem.values(Self::NAME)?, problem.row_weights());
        let DummyRegressor { strategy, constant, quantile } = *self;
        if let Some(constant) = constant.filter(|_| strategy != ValueBaseline::Constant) {
            return Err(unused(Self::NAME, "constant", constant, strategy));
        }
        if let Some(quantile) = quantile.filter(|_| strategy != ValueBaseline::Quantile) {
            return Err(unused(Self::NAME, "quantile", quantile, strategy));
        }
        let missing = |name: &str, given: Option<f64>, wanted: &str| {
            let given = given.map_or("none".into(), |given| given.to_string());
            Err(Error::argument(Self::NAME, format!("{name} = {given}; give {wanted}")))
        };
        let told = match (strategy, constant, quantile) {
            (ValueBaseline::Mean, ..) => {
                let sum: f64 = values.iter().zip(&weights).map(|(y, w)| y * w).sum();
                sum / weights.iter().sum::<f64>()
            }
            (ValueBaseline::Median, ..) => weighed(values, &weights, 0.5),
            (ValueBaseline::Quantile, _, Some(q)) if (0.0..=1.0).contains(&q) => weighed(values, &weights, q),
            (ValueBaseline::Quantile, _, given) => return missing("quantile", given, "a number from 0 to 1"),
            (ValueBaseline::Constant, Some(constant), _) if constant.is_finite() => constant,
            (ValueBaseline::Constant, given, _) => return missing("constant", given, "the number to predict"),
        };
        Ok(FittedDummyRegressor { width: problem.x.width(), mean: told })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::store::archive_of;

    const X: [[f64; 1]; 6] = [[0.0]; 6];

    #[test]
    fn numbers_are_those_of_scikit_learn() {
        let y = [3.0, 1.0, 8.0, 2.0, 13.0, 5.0];
        let told = |strategy, constant, quantile, weights: Option<&[f64]>| {
            let problem = Problem { weights, ..Problem::new(&X, &y) };
            let settings = DummyRegressor { strategy, constant, quantile };
            settings.learn(&problem).map(|model| model.mean).map_err(|e| e.to_string())
        };
        use ValueBaseline::{Constant, Mean, Median, Quantile};
        assert_eq!(told(Median, None, None, None), Ok(4.0));
        assert_eq!(told(Quantile, None, Some(0.3), None), Ok(2.5));
        assert_eq!(told(Quantile, None, Some(1.0), None), Ok(13.0));
        assert_eq!(told(Constant, Some(-7.5), None, None), Ok(-7.5));
        let weights = Some(&[1.0, 0.0, 1.0, 2.5, 0.5, 1.0][..]);
        assert_eq!(told(Median, None, None, weights), Ok(3.0));
        assert_eq!(told(Quantile, None, Some(0.9), weights), Ok(8.0));
        for (found, text) in [
            (told(Quantile, None, None, None), "quantile = none; give a number from 0 to 1"),
            (told(Quantile, None, Some(1.5), None), "quantile = 1.5; give a number from 0 to 1"),
            (told(Constant, None, None, None), "constant = none; give the number to predict"),
            (told(Mean, Some(1.0), None, None), "constant = 1 with strategy \"mean\"; give strategy \"constant\""),
            (told(Median, None, Some(0.1), None), "quantile = 0.1 with strategy \"median\""),
        ] {
            assert!(found.as_ref().is_err_and(|e| e.contains(text)), "{found:?}");
        }
    }

    #[test]
    fn classes_are_the_commonest_or_drawn_or_given() {
        let labels = [2u32, 0, 2, 2, 0, 2]; // of four classes
        let fit = |strategy, constant| {
            let problem = Problem::new(&X, (&labels[..], 4));
            DummyClassifier { strategy, constant, seed: 1 }.learn(&problem).map_err(|e| e.to_string())
        };
        let many = vec![[0.0]; 3000];
        let share = |told: &[u32], class| told.iter().filter(|&&label| label == class).count() as f64 / 3000.0;
        for (strategy, constant, shares, sure) in [
            (ClassBaseline::Prior, None, [0.0, 0.0, 1.0, 0.0], false),
            (ClassBaseline::MostFrequent, None, [0.0, 0.0, 1.0, 0.0], true),
            (ClassBaseline::Stratified, None, [1.0 / 3.0, 0.0, 2.0 / 3.0, 0.0], true),
            (ClassBaseline::Uniform, None, [0.5, 0.0, 0.5, 0.0], false),
            (ClassBaseline::Constant, Some(3), [0.0, 0.0, 0.0, 1.0], true),
        ] {
            let model = fit(strategy, constant).unwrap();
            let (told, p) = (model.predict(many.as_slice()).unwrap(), model.predict_proba(many.as_slice()).unwrap());
            // four deviations of a share of 3,000 rows
            let near = (0..4).all(|class| (share(&told, class) - shares[class as usize]).abs() < 0.037);
            assert!(near, "{strategy:?}");
            assert_eq!(p.iter().all(|&p| p == 0.0 || p == 1.0), sure, "{strategy:?}");
            assert!(p.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-12));
            assert_eq!(told, model.predict(many.as_slice()).unwrap());
            let again = FittedDummyClassifier::restore(&Reader::of(&archive_of(&model).unwrap()).unwrap()).unwrap();
            assert_eq!(again, model);
        }
        assert!(
            fit(ClassBaseline::Constant, Some(4))
                .unwrap_err()
                .contains("constant = 4; give the position of a class, 0 to 3")
        );
        assert!(fit(ClassBaseline::Constant, None).unwrap_err().contains("constant = none"));
        assert!(fit(ClassBaseline::Prior, Some(1)).unwrap_err().contains("constant = 1 with strategy \"prior\""));
        let before: Note = serde_json::from_str("7").unwrap();
        assert!(matches!(before, Note::Before(7)), "files of earlier versions hold the width alone");
    }
}
