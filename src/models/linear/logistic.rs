//! Logistic regression.

use super::batches::Batches;
use super::lbfgs::{Search, minimise};
use super::passes::{How, Pass, Source, check_solver};
use super::ridge::check_price;
use super::rows::{Rows, scores};
use super::softmax::{OnDevice, Softmax, intercepts, losses, targets};
use crate::cost::Work;
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::class_weight::ClassWeight;
use crate::models::estimator::{
    Ended, Estimator, Influence, Model, Prediction, beyond_range, check_range, largest, softmax,
};
use crate::models::problem::{Answer, Problem};
use crate::models::store::{Reader, Writer};
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Deserializer, Serialize};

/// Logistic regression of two or more classes, scikit-learn's `LogisticRegression`: minimises
/// `C · Σ loss + penalty(coef)`; more than two classes are fitted together (softmax).
///
/// ```
/// use tilework::models::{Estimator, linear::LogisticRegression};
/// let model = LogisticRegression::default().fit(&[[0.0], [1.0], [2.0], [3.0]], &[0u32, 0, 1, 1])?;
/// assert_eq!(model.predict(&[[0.2], [2.9]])?, [0, 1]);
/// assert!((model.predict_proba(&[[1.5]])?[[0, 1]] - 0.5).abs() < 1e-6); // halfway
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogisticRegression {
    /// What large coefficients cost. [`Penalty::ElasticNet`], so that `l1_ratio` alone decides; another than it says is refused.
    pub penalty: Penalty,
    /// The inverse of the penalty's price: large is free, infinity no penalty. In JSON, which has no such number, `"inf"` or
    /// `null`.
    #[serde(rename = "C", deserialize_with = "free_or_number")]
    pub c: f64,
    /// The share of the price that is on sizes: 1 is [`Penalty::L1`], 0 [`Penalty::L2`], the default.
    pub l1_ratio: f64,
    /// Whether constants are fitted too, free of price.
    pub fit_intercept: bool,
    /// It stops once no entry of the gradient of the mean loss is larger, for features of deviation 1.
    pub tol: f64,
    /// The most steps.
    pub max_iter: usize,
    /// How much each class counts.
    pub class_weight: Option<ClassWeight>,
    /// How, and where, it is solved.
    pub solver: LogisticSolver,
    /// How [`LogisticSolver::Stochastic`] goes about it; `tol` and `max_iter` are those of the others.
    pub batches: Batches,
}

/// What large coefficients cost in [`LogisticRegression`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Penalty {
    /// Half of their squares.
    L2,
    /// Their sizes: many become 0.
    L1,
    /// Both, shared by `l1_ratio`.
    #[default]
    ElasticNet,
    /// Nothing. Classes that can be told apart without a mistake then have no best coefficients.
    None,
}

/// A number, or infinity in the words that JSON has for it.
fn free_or_number<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "give a number above 0, or \"inf\" for no penalty")]
    enum Given {
        Number(f64),
        Word(Free),
        Nothing(()),
    }
    #[derive(Deserialize)]
    enum Free {
        #[serde(rename = "inf", alias = "infinity")]
        Free,
    }
    Given::deserialize(from).map(|given| match given {
        Given::Number(number) => number,
        Given::Word(Free::Free) | Given::Nothing(()) => f64::INFINITY,
    })
}

/// How [`LogisticRegression`] is solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogisticSolver {
    /// L-BFGS in f64 on the CPU (OWL-QN with [`Penalty::L1`] and [`Penalty::ElasticNet`]). The data is read in blocks, not
    /// copied.
    #[default]
    Lbfgs,
    /// The same with loss and gradient in f32 on the problem's device, for data so large that a GPU pays. The last digits are
    /// noise: a `tol` below some 1e-5 may not be reached.
    Tensor,
    /// Mini-batches in f32 on the problem's device, of which they take next to no memory. Three or four digits; not with prices
    /// on sizes.
    Stochastic,
}

impl Default for LogisticRegression {
    fn default() -> LogisticRegression {
        LogisticRegression {
            penalty: Penalty::ElasticNet,
            c: 1.0,
            l1_ratio: 0.0,
            fit_intercept: true,
            tol: 1e-4,
            max_iter: 100,
            class_weight: None,
            solver: LogisticSolver::Lbfgs,
            batches: Batches::default(),
        }
    }
}

/// A fitted [`LogisticRegression`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedLogisticRegression {
    /// `[1, F]` of two classes, for class 1; else `[C, F]`.
    pub coef: Array2<f64>,
    /// One a row of `coef`.
    pub intercept: Vec<f64>,
    /// Steps taken.
    pub n_iter: usize,
    /// Whether they came within the tolerance.
    pub converged: bool,
}

impl LogisticRegression {
    /// The prices of sizes and of squares, before `C`.
    fn prices(&self) -> Result<(f64, f64)> {
        let op = Self::NAME;
        check_price(op, "tol", self.tol)?;
        if self.c.is_nan() || self.c <= 0.0 {
            return Err(Error::argument(op, format!("C is {}; give a number above 0, or inf for no penalty", self.c)));
        }
        if !(0.0..=1.0).contains(&self.l1_ratio) {
            return Err(Error::argument(op, format!("l1_ratio is {}; give a share, from 0 to 1", self.l1_ratio)));
        }
        if self.max_iter == 0 {
            return Err(Error::argument(op, "max_iter is 0; give at least 1"));
        }
        let ratio = self.l1_ratio;
        // an l1_ratio of 0 is what it is when none is given
        let alike = match self.penalty {
            Penalty::L2 | Penalty::None => ratio == 0.0,
            Penalty::L1 => ratio == 0.0 || ratio == 1.0,
            Penalty::ElasticNet => true,
        };
        if !alike {
            let message = format!(
                "penalty is {:?} and l1_ratio {ratio}, which contradict each other; give l1_ratio alone: 0 for L2, 1 for L1, \
                 between for both",
                self.penalty
            );
            return Err(Error::argument(op, message));
        }
        Ok(match self.penalty {
            _ if self.c == f64::INFINITY => (0.0, 0.0),
            Penalty::L2 => (0.0, 1.0),
            Penalty::L1 => (1.0, 0.0),
            Penalty::ElasticNet => (ratio, 1.0 - ratio),
            Penalty::None => (0.0, 0.0),
        })
    }
}

impl Estimator for LogisticRegression {
    type Fitted = FittedLogisticRegression;
    const NAME: &'static str = "logistic-regression";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedLogisticRegression> {
        if self.solver == LogisticSolver::Stochastic {
            return self.train(&Source::Whole(problem));
        }
        problem.check(Self::NAME)?;
        let (labels, classes) = problem.labels(Self::NAME)?;
        let (l1, l2) = self.prices()?;
        let mut weights = problem.row_weights();
        if let Some(class_weight) = &self.class_weight {
            class_weight.apply(Self::NAME, labels, classes, &mut weights)?;
        }
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= total);

        let outputs = if classes == 2 { 1 } else { classes };
        let none = ArrayView2::from_shape((problem.x.rows(), 0), &[]);
        let none = none.map_err(|e| Error::internal(Self::NAME, e.to_string()))?;
        let rows = Rows { x: problem.x, y: none, weights: None };
        let mut softmax = Softmax::new(rows, labels, weights, outputs, self.fit_intercept);
        check_range(Self::NAME, "variances of the columns", &softmax.variance)?;
        (softmax.l1, softmax.l2) = (l1 / (self.c * total), l2 / (self.c * total));
        let (sizes, inverse) = (softmax.sizes(), softmax.inverse());
        let noise = match self.solver {
            LogisticSolver::Tensor => f64::from(8.0 * f32::EPSILON),
            _ => 8.0 * f64::EPSILON,
        };
        let tol = self.tol / softmax.curvature().sqrt(); // so that it is scikit-learn's for features of deviation 1
        let search = Search { l1: &sizes, inverse: &inverse, tol, noise, max_iter: self.max_iter };
        let start = vec![0.0; softmax.parameters()];
        let found = match self.solver {
            LogisticSolver::Tensor if matches!(problem.x, Matrix::Sparse(_)) => {
                return Err(Error::argument(
                    Self::NAME,
                    "solver tensor takes no sparse matrix; take lbfgs or stochastic",
                ));
            }
            LogisticSolver::Tensor => {
                let (rows, layers) = (problem.x.rows(), [problem.x.width(), outputs]);
                let work = Work::training(&layers, rows, rows, self.max_iter);
                let on_device = OnDevice::new(&softmax, &problem.device(&work))?;
                minimise(start, search, |p, gradient| on_device.evaluate(p, gradient))?
            }
            _ => minimise(start, search, |p, gradient| Ok(softmax.evaluate(p, gradient)))?,
        };
        let (coef, intercept) = softmax.uncentred(&found.x);
        fitted(coef, intercept, found.n_iter, found.converged)
    }
}

impl LogisticRegression {
    /// Learns from rows that are not all in memory, by [`LogisticSolver::Stochastic`]: a first pass measures the columns, and
    /// each of `batches.epochs` is one more.
    ///
    /// ```
    /// use tilework::models::{Problem, linear::{LogisticRegression, LogisticSolver}};
    /// let (x, y) = ([[0.0], [1.0], [2.0], [3.0]], [0u32, 0, 1, 1]);
    /// let model = LogisticRegression { solver: LogisticSolver::Stochastic, ..Default::default() };
    /// let model = model.learn_parts(&|each| {
    ///     each(&Problem::new(&x[..2], (&y[..2], 2)))?; // read from somewhere, and let go
    ///     each(&Problem::new(&x[2..], (&y[2..], 2)))
    /// })?;
    /// assert_eq!(model.predict(&[[0.2], [2.9]])?, [0, 1]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Estimator::learn`]; those of the pass; another solver; passes that differ.
    pub fn learn_parts(&self, read: &Pass<'_>) -> Result<FittedLogisticRegression> {
        check_solver(Self::NAME, self.solver == LogisticSolver::Stochastic)?;
        self.train(&Source::Parts(read))
    }

    fn train(&self, source: &Source<'_, '_>) -> Result<FittedLogisticRegression> {
        let (l1, l2) = self.prices()?;
        if l1 > 0.0 {
            let message =
                "solver stochastic knows no price on sizes; take solver lbfgs, or l1_ratio 0 and no penalty l1";
            return Err(Error::argument(Self::NAME, message));
        }
        self.batches.check(Self::NAME)?;
        let mut survey = source.survey(Self::NAME, self.fit_intercept, None)?;
        let factors = survey.factors(self.class_weight.as_ref())?;
        if let Some(factors) = &factors {
            survey = source.survey(Self::NAME, self.fit_intercept, Some(factors))?;
        }
        let outputs = if survey.classes == 2 { 1 } else { survey.classes };
        let targets = |part: &Problem<'_>, rows: &[usize]| match part.y {
            Answer::Labels { of, .. } => targets(of, outputs, rows.iter().copied()),
            _ => vec![f32::NAN; rows.len() * outputs],
        };
        let how = How {
            outputs,
            fit_intercept: self.fit_intercept,
            deviation: survey.deviations(),
            l2: l2 / (self.c * survey.weight),
            factors: factors.as_deref(),
            targets: &targets,
            loss: losses,
        };
        let trained = source.train(&survey, &self.batches, &how)?;
        let intercept = intercepts(&trained.coef, &trained.constants, &survey.mean);
        fitted(trained.coef, intercept, trained.epochs, trained.converged)
    }
}

fn fitted(coef: Vec<f64>, intercept: Vec<f64>, n_iter: usize, converged: bool) -> Result<FittedLogisticRegression> {
    let op = LogisticRegression::NAME;
    if !coef.iter().chain(&intercept).all(|v| v.is_finite()) {
        return Err(beyond_range(op, "coefficients"));
    }
    if !converged {
        log::warn!("{op}: not converged after {n_iter} steps; raise max_iter, or scale the columns");
    }
    let shape = (intercept.len(), coef.len() / intercept.len().max(1));
    let coef = Array2::from_shape_vec(shape, coef).map_err(|e| Error::internal(op, e.to_string()))?;
    Ok(FittedLogisticRegression { coef, intercept, n_iter, converged })
}

impl FittedLogisticRegression {
    /// The class of each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        let scores = self.decision_function(x)?;
        match scores.ncols() {
            1 => Ok(scores.iter().map(|&score| u32::from(score > 0.0)).collect()),
            _ => Ok(largest(&scores)),
        }
    }

    /// The score of each class, `[N, C]`, or of class 1 over class 0, `[N, 1]`: the logarithm of their odds.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn decision_function<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        scores(LogisticRegression::NAME, x.into(), self.coef.view(), &self.intercept)
    }

    /// The probability of each class, `[N, C]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict_proba<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let scores = self.decision_function(x)?;
        if scores.ncols() == 1 {
            let p = |z: f64| 1.0 / (1.0 + (-z).exp()); // 0 where e^-z is infinite
            return Ok(Array2::from_shape_fn((scores.nrows(), 2), |(row, class)| {
                let score = scores[[row, 0]];
                p(if class == 1 { score } else { -score })
            }));
        }
        Ok(softmax(scores))
    }
}

impl Model for FittedLogisticRegression {
    fn kind(&self) -> &'static str {
        LogisticRegression::NAME
    }

    fn width(&self) -> usize {
        self.coef.ncols()
    }

    fn classes(&self) -> usize {
        self.coef.nrows().max(2)
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
        self.predict(x).map(Prediction::Labels)
    }

    fn probabilities(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        self.predict_proba(x).map(Some)
    }

    fn decision(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        self.decision_function(x).map(Some)
    }

    fn influence(&self) -> Option<Influence> {
        Some(Influence::Coefficients(self.coef.clone()))
    }

    fn ended(&self) -> Ended {
        Ended::of(self.converged)
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&(self.n_iter, self.converged))?;
        out.matrix("coef", &self.coef)?;
        out.doubles("intercept", &self.intercept, &[self.intercept.len()])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedLogisticRegression> {
        let coef = from.matrix("coef")?;
        let intercept = from.vector("intercept", coef.nrows())?;
        let (n_iter, converged) = from.note()?;
        if coef.nrows() == 0 || coef.nrows() == 2 || coef.ncols() == 0 {
            return Err(from.error(format!("coefficients {:?}: one row, or three and more, are needed", coef.dim())));
        }
        match coef.iter().chain(&intercept).all(|v| v.is_finite()) {
            true => Ok(FittedLogisticRegression { coef, intercept, n_iter, converged }),
            false => Err(from.error("coefficients that are not finite")),
        }
    }
}
