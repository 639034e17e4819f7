//! Features that are counts, or there or not: logarithms of probabilities are linear in them.

use super::{check_logs, from_file, log_prior, to_file, weight_of_classes};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::estimator::{Estimator, Influence, Model, Prediction, check_rows, largest, softmax};
use crate::models::problem::Problem;
use crate::models::store::{Reader, Writer};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// The least `alpha`: with 0 a count never seen would rule a class out (scikit-learn's bound).
const LEAST_ALPHA: f64 = 1e-10;

/// Naive Bayes of counts, such as those of words. scikit-learn's `MultinomialNB`. Features are at least 0.
///
/// ```
/// use tilework::models::{Estimator, MultinomialNb};
/// let words = [[3.0, 0.0], [2.0, 1.0], [0.0, 4.0], [1.0, 3.0]];
/// let model = MultinomialNb::default().fit(&words, &[0u32, 0, 1, 1])?;
/// assert_eq!(model.predict(&[[5.0, 1.0], [0.0, 1.0]])?, [0, 1]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MultinomialNb {
    /// What is added to each feature's count in each class.
    pub alpha: f64,
    /// Whether classes have the shares that they have in the rows; all the same if not.
    pub fit_prior: bool,
    /// The share of each class, 1 in all, in place of those.
    pub class_prior: Option<Vec<f64>>,
}

/// Naive Bayes of features that are there or not. scikit-learn's `BernoulliNB`.
///
/// ```
/// use tilework::models::{BernoulliNb, Estimator};
/// let model = BernoulliNb::default().fit(&[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], &[0u32, 0, 1])?;
/// assert_eq!(model.predict(&[[1.0, 0.0], [0.0, 1.0]])?, [0, 1]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BernoulliNb {
    /// What is added to each feature's count in each class.
    pub alpha: f64,
    /// Above it, a feature is there.
    pub binarize: f64,
    /// Whether classes have the shares that they have in the rows; all the same if not.
    pub fit_prior: bool,
    /// The share of each class, 1 in all, in place of those.
    pub class_prior: Option<Vec<f64>>,
}

impl Default for MultinomialNb {
    fn default() -> MultinomialNb {
        MultinomialNb { alpha: 1.0, fit_prior: true, class_prior: None }
    }
}

impl Default for BernoulliNb {
    fn default() -> BernoulliNb {
        BernoulliNb { alpha: 1.0, binarize: 0.0, fit_prior: true, class_prior: None }
    }
}

/// Weights of features and a constant for each class.
#[derive(Debug, Clone, PartialEq)]
struct Linear {
    prior: Vec<f64>,
    feature: Array2<f64>,
}

/// Weights of classes, and sums of features in them.
struct Counts {
    prior: Vec<f64>,
    of_class: Vec<f64>,
    sums: Array2<f64>,
}

impl Counts {
    fn of(
        op: &'static str,
        problem: &Problem<'_>,
        fit_prior: bool,
        class_prior: Option<&[f64]>,
        value: impl Fn(f64) -> f64,
    ) -> Result<Counts> {
        let (labels, classes) = problem.labels(op)?;
        let weights = problem.row_weights();
        let of_class = weight_of_classes(labels, &weights, classes);
        let present = of_class.iter().filter(|&&weight| weight > 0.0).count() as f64;
        let same: Vec<f64> = of_class.iter().map(|&weight| if weight > 0.0 { 1.0 / present } else { 0.0 }).collect();
        let given = class_prior.or(if fit_prior { None } else { Some(&same) });
        let prior = log_prior(op, given, &of_class)?;
        let mut sums = Array2::<f64>::zeros((classes, problem.x.width()));
        if let Matrix::Sparse(x) = problem.x {
            // What zeros count is the class's weight; the others add what they differ by.
            let zero = value(0.0);
            for ((row, &label), weight) in (0..).zip(labels).zip(&weights) {
                let mut sums = sums.row_mut(label as usize);
                x.entries(row).for_each(|(column, x)| sums[column] += weight * (value(x) - zero));
            }
            for (mut sums, weight) in sums.rows_mut().into_iter().zip(&of_class) {
                sums.mapv_inplace(|sum| sum + weight * zero);
            }
            return Ok(Counts { prior, of_class, sums });
        }
        let values = problem.x.values();
        for ((row, &label), weight) in values.chunks(problem.x.width().max(1)).zip(labels).zip(&weights) {
            sums.row_mut(label as usize).iter_mut().zip(row).for_each(|(sum, &x)| *sum += weight * value(x));
        }
        Ok(Counts { prior, of_class, sums })
    }
}

fn alpha(op: &'static str, alpha: f64) -> Result<f64> {
    match alpha >= 0.0 && alpha.is_finite() {
        true => Ok(alpha.max(LEAST_ALPHA)),
        false => Err(Error::argument(op, format!("alpha is {alpha}; give a number of at least 0"))),
    }
}

fn check_counts(op: &'static str, x: Matrix<'_>, names: Option<&[String]>) -> Result<()> {
    let found = match x {
        Matrix::Sparse(x) => {
            (0..x.rows()).find_map(|row| Some((row, x.entries(row).find(|&(_, value)| value < 0.0)?.0)))
        }
        x => {
            let width = x.width().max(1);
            x.values().iter().position(|&value| value < 0.0).map(|at| (at / width, at % width))
        }
    };
    match found {
        None => Ok(()),
        Some((row, column)) => {
            let name = names.and_then(|n| n.get(column)).map_or_else(String::new, |name| format!(" ({name})"));
            let value = x.get(row, column);
            let message = format!(
                "{value} in row {row}, column {column}{name}; counts are at least 0: leave the column out, or take another model"
            );
            Err(Error::argument(op, message))
        }
    }
}

impl Linear {
    fn logs(&self, x: Matrix<'_>, value: impl Fn(f64) -> f64) -> Array2<f64> {
        let mut out = Array2::zeros((x.rows(), self.prior.len()));
        if let Matrix::Sparse(x) = x {
            let zero = value(0.0);
            let of_zeros: Vec<f64> = self.feature.rows().into_iter().map(|logs| zero * logs.sum()).collect();
            for (row, mut out) in out.rows_mut().into_iter().enumerate() {
                let classes = out.iter_mut().zip(&self.prior).zip(self.feature.rows()).zip(&of_zeros);
                for (((out, prior), logs), of_zeros) in classes {
                    let there = x.entries(row).map(|(column, x)| (value(x) - zero) * logs[column]);
                    *out = prior + of_zeros + there.sum::<f64>();
                }
            }
            return out;
        }
        let values = x.values();
        for (row, mut out) in values.chunks(x.width().max(1)).zip(out.rows_mut()) {
            for ((out, prior), feature) in out.iter_mut().zip(&self.prior).zip(self.feature.rows()) {
                *out = prior + row.iter().zip(feature).map(|(&x, log)| value(x) * log).sum::<f64>();
            }
        }
        out
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.doubles("prior", &to_file(&self.prior), &[self.prior.len()])?;
        out.matrix("feature", &self.feature)
    }

    fn restore(from: &Reader<'_>) -> Result<Linear> {
        let feature = from.matrix("feature")?;
        let prior = from_file(from.vector("prior", feature.nrows())?);
        match feature.is_empty() {
            true => Err(from.error("feature: no features")),
            false => Ok(Linear { prior, feature }),
        }
    }
}

/// A fitted [`MultinomialNb`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedMultinomialNb {
    linear: Linear,
}

/// A fitted [`BernoulliNb`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedBernoulliNb {
    linear: Linear,
    binarize: f64,
}

impl Estimator for MultinomialNb {
    type Fitted = FittedMultinomialNb;
    const NAME: &'static str = "multinomial-nb";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedMultinomialNb> {
        problem.check(Self::NAME)?;
        let alpha = alpha(Self::NAME, self.alpha)?;
        check_counts(Self::NAME, problem.x, problem.names)?;
        let counts = Counts::of(Self::NAME, problem, self.fit_prior, self.class_prior.as_deref(), |x| x)?;
        let mut feature = counts.sums;
        for mut row in feature.rows_mut() {
            let total = row.sum() + alpha * row.len() as f64;
            row.mapv_inplace(|sum| ((sum + alpha) / total).ln());
        }
        Ok(FittedMultinomialNb { linear: Linear { prior: counts.prior, feature } })
    }
}

impl Estimator for BernoulliNb {
    type Fitted = FittedBernoulliNb;
    const NAME: &'static str = "bernoulli-nb";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedBernoulliNb> {
        problem.check(Self::NAME)?;
        let alpha = alpha(Self::NAME, self.alpha)?;
        if !self.binarize.is_finite() {
            return Err(Error::argument(Self::NAME, format!("binarize is {}; give a number", self.binarize)));
        }
        let there = |x: f64| f64::from(u8::from(x > self.binarize));
        let counts = Counts::of(Self::NAME, problem, self.fit_prior, self.class_prior.as_deref(), there)?;
        // log p of what is there and log (1 - p) of what is not: the difference counts, and the latter's sum is a constant
        let (mut prior, mut feature) = (counts.prior, counts.sums);
        for ((mut row, weight), prior) in feature.rows_mut().into_iter().zip(counts.of_class).zip(&mut prior) {
            let total = weight + 2.0 * alpha;
            *prior += row.iter().map(|sum| ((weight - sum + alpha) / total).ln()).sum::<f64>();
            row.mapv_inplace(|sum| ((sum + alpha) / (weight - sum + alpha)).ln());
        }
        Ok(FittedBernoulliNb { linear: Linear { prior, feature }, binarize: self.binarize })
    }
}

impl FittedMultinomialNb {
    /// The class of each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`]; a feature below 0.
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        Ok(largest(&self.logs(x.into())?))
    }

    /// The probability of each class, `[N, C]`.
    ///
    /// # Errors
    /// As [`FittedMultinomialNb::predict`].
    pub fn predict_proba<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        Ok(softmax(self.logs(x.into())?))
    }

    /// The logarithm of each feature's share in each class, `[C, F]`.
    pub fn feature_log_prob(&self) -> &Array2<f64> {
        &self.linear.feature
    }

    fn logs(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_rows(MultinomialNb::NAME, self.width(), x)?;
        check_counts(MultinomialNb::NAME, x, None)?;
        check_logs(MultinomialNb::NAME, self.linear.logs(x, |x| x))
    }
}

impl FittedBernoulliNb {
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

    fn logs(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_rows(BernoulliNb::NAME, self.width(), x)?;
        Ok(self.linear.logs(x, |x| f64::from(u8::from(x > self.binarize))))
    }
}

impl Model for FittedMultinomialNb {
    fn kind(&self) -> &'static str {
        MultinomialNb::NAME
    }

    fn width(&self) -> usize {
        self.linear.feature.ncols()
    }

    fn classes(&self) -> usize {
        self.linear.prior.len()
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
        self.linear.store(out)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedMultinomialNb> {
        Ok(FittedMultinomialNb { linear: Linear::restore(from)? })
    }
}

impl Model for FittedBernoulliNb {
    fn kind(&self) -> &'static str {
        BernoulliNb::NAME
    }

    fn width(&self) -> usize {
        self.linear.feature.ncols()
    }

    fn classes(&self) -> usize {
        self.linear.prior.len()
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
        out.note(&self.binarize)?;
        self.linear.store(out)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedBernoulliNb> {
        Ok(FittedBernoulliNb { linear: Linear::restore(from)?, binarize: from.note()? })
    }
}
