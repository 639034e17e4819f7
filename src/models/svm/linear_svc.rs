//! Linear support vector classification, for many rows.

use super::descent::{self, Bounds};
use super::linear::{self, Common, Fit, Rows, Values};
use super::newton;
use crate::data::Matrix;
use crate::error::Result;
use crate::models::class_weight::ClassWeight;
use crate::models::estimator::{Ended, Estimator, Influence, Model, Prediction, largest};
use crate::models::linear::scores;
use crate::models::problem::Problem;
use crate::models::store::{Reader, Writer};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// What a row on the wrong side of its margin costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HingeLoss {
    /// How far it is.
    Hinge,
    /// The square of that.
    #[default]
    SquaredHinge,
}

/// Linear support vector classification; of more than two classes, one machine a class against the rest. scikit-learn's
/// `LinearSVC` with its L2 penalty: the intercept is regularised too. Features of like scale are needed.
///
/// ```
/// use tilework::models::{Estimator, LinearSvc};
/// let x = [[0.0, 1.0], [1.0, 0.0], [3.0, 2.0], [2.0, 3.0]];
/// let model = LinearSvc::default().fit(&x, &[0u32, 0, 1, 1])?;
/// assert_eq!(model.predict(&[[0.0, 0.0], [4.0, 4.0]])?, [0, 1]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearSvc {
    /// How much a row on the wrong side costs, above 0; scikit-learn's `C`.
    #[serde(alias = "C")]
    pub c: f64,
    /// What is summed over rows. The squared one is solved by Newton's method, the other by coordinate descent on the dual.
    pub loss: HingeLoss,
    /// How far the optimum may be missed.
    pub tol: f64,
    /// Whether there is an intercept.
    pub fit_intercept: bool,
    /// The constant that stands for the intercept's feature: the larger, the less the intercept is regularised.
    pub intercept_scaling: f64,
    /// How much each class counts: no change when left out.
    pub class_weight: Option<ClassWeight>,
    /// The most iterations.
    pub max_iter: usize,
    /// Of the order of rows in coordinate descent.
    pub seed: u64,
}

impl Default for LinearSvc {
    fn default() -> LinearSvc {
        LinearSvc {
            c: 1.0,
            loss: HingeLoss::SquaredHinge,
            tol: 1e-4,
            fit_intercept: true,
            intercept_scaling: 1.0,
            class_weight: None,
            max_iter: 1000,
            seed: 0,
        }
    }
}

/// A fitted [`LinearSvc`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedLinearSvc {
    classes: usize,
    /// The features' weights, `[C, F]`, or `[1, F]` of two classes, for class 1.
    pub coef: Array2<f64>,
    /// What is added, one an output. Of a class without rows it is the least number there is.
    pub intercept: Vec<f64>,
    /// The most iterations of any output.
    pub n_iter: usize,
    /// Whether all outputs reached the tolerance.
    pub converged: bool,
}

impl Estimator for LinearSvc {
    type Fitted = FittedLinearSvc;
    const NAME: &'static str = "linear-svc";

    fn gives_probabilities(&self) -> bool {
        false
    }

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedLinearSvc> {
        problem.check(Self::NAME)?;
        let (labels, classes) = problem.labels(Self::NAME)?;
        let LinearSvc { c, tol, fit_intercept, intercept_scaling, .. } = *self;
        let scaling = Common { op: Self::NAME, c, tol, fit_intercept, intercept_scaling }.scaling()?;
        let mut costs = problem.row_weights();
        let plain: Vec<f64> = costs.iter().map(|weight| weight * c).collect();
        if let Some(class_weight) = &self.class_weight {
            class_weight.apply(Self::NAME, labels, classes, &mut costs)?;
        }
        costs.iter_mut().for_each(|cost| *cost *= c);
        let values = Values::widened(problem.x);
        let (count, width) = (problem.x.rows(), problem.x.width());
        let rows = Rows { values: Values::of(problem.x.reborrow(), &values), count, width, scaling };
        rows.check(Self::NAME)?;
        let first = if classes == 2 { 1 } else { 0 };
        let (mut coef, mut intercept, mut n_iter, mut converged) = (Vec::new(), Vec::new(), 0, true);
        for class in first..classes as u32 {
            if !labels.iter().zip(&costs).any(|(&label, &cost)| label == class && cost > 0.0) {
                coef.extend(std::iter::repeat_n(0.0, width));
                intercept.push(f64::MIN);
                continue;
            }
            // As LIBLINEAR: of more than two classes, the rest counts without its own classes' weights.
            let of_row = |row: usize| if classes == 2 || labels[row] == class { costs[row] } else { plain[row] };
            let fit = self.one(rows, labels, &(0..count).map(of_row).collect::<Vec<_>>(), class);
            fit.warn(Self::NAME);
            coef.extend(fit.weights.coef);
            intercept.push(fit.weights.intercept);
            n_iter = n_iter.max(fit.iterations);
            converged &= fit.converged;
        }
        let coef = Array2::from_shape_fn((intercept.len(), width), |(i, j)| coef[i * width + j]);
        Ok(FittedLinearSvc { classes, coef, intercept, n_iter, converged })
    }
}

impl LinearSvc {
    /// One class against the rest.
    fn one(&self, rows: Rows<'_>, labels: &[u32], costs: &[f64], class: u32) -> Fit {
        let side = |row: usize| if labels[row] == class { 1.0 } else { -1.0 };
        if self.loss == HingeLoss::Hinge {
            let bounds: Vec<Bounds> = (0..rows.count)
                .map(|row| {
                    let (aim, most) = (side(row), side(row) * costs[row]);
                    Bounds { aim, low: most.min(0.0), high: most.max(0.0) }
                })
                .collect();
            return descent::minimise(rows, &bounds, 0.0, self.tol, self.max_iter, self.seed);
        }
        let of_class = labels.iter().filter(|&&label| label == class).count();
        let fewest = of_class.min(rows.count - of_class).max(1) as f64 / rows.count as f64;
        newton::minimise(rows, costs, self.tol * fewest, self.max_iter, |row, decision| {
            let y = side(row);
            if y * decision < 1.0 { decision - y } else { 0.0 }
        })
    }
}

impl FittedLinearSvc {
    /// The class of each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        let scores = self.decision_function(x)?;
        Ok(match self.classes {
            2 => scores.iter().map(|&score| u32::from(score > 0.0)).collect(),
            _ => largest(&scores),
        })
    }

    /// How far each row is on the side of each class, `[N, C]`, or of class 1 of two, `[N, 1]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn decision_function<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        scores(LinearSvc::NAME, x.into(), self.coef.view(), &self.intercept)
    }
}

#[derive(Serialize, Deserialize)]
struct Note {
    n_iter: usize,
    converged: bool,
}

impl Model for FittedLinearSvc {
    fn kind(&self) -> &'static str {
        LinearSvc::NAME
    }

    fn width(&self) -> usize {
        self.coef.ncols()
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
        self.predict(x).map(Prediction::Labels)
    }

    fn probabilities(&self, _: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        Ok(None)
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
        out.note(&Note { n_iter: self.n_iter, converged: self.converged })?;
        out.matrix("coef", &self.coef)?;
        out.doubles("intercept", &self.intercept, &[self.intercept.len()])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedLinearSvc> {
        let Note { n_iter, converged } = from.note()?;
        let (coef, intercept) = linear::restore(from)?;
        let classes = intercept.len().max(2); // one output tells two classes apart
        match intercept.len() {
            2 => Err(from.error("two classes have one output: coef has two")),
            _ => Ok(FittedLinearSvc { classes, coef, intercept, n_iter, converged }),
        }
    }
}
