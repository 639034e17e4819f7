//! Linear support vector regression, for many rows.

use super::descent::{self, Bounds};
use super::linear::{self, Common, Rows, Values};
use super::newton;
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::estimator::{Ended, Estimator, Influence, Model, Prediction};
use crate::models::linear::predictions;
use crate::models::problem::Problem;
use crate::models::store::{Reader, Writer};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// What a row outside the tube costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TubeLoss {
    /// How far it is outside.
    #[default]
    EpsilonInsensitive,
    /// The square of that.
    SquaredEpsilonInsensitive,
}

/// Linear support vector regression: numbers within `epsilon` of the target cost nothing. scikit-learn's `LinearSVR`; the intercept
/// is regularised too. Features of like scale are needed.
///
/// ```
/// use tilework::models::{Estimator, LinearSvr};
/// let model = LinearSvr { c: 100.0, ..LinearSvr::default() }.fit(&[[0.0], [1.0], [2.0], [3.0]], &[1.0, 3.0, 5.0, 7.0])?;
/// assert!((model.predict(&[[10.0]])?[0] - 21.0).abs() < 0.1);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearSvr {
    /// Half the width of the tube, in units of the target; at least 0.
    pub epsilon: f64,
    /// How far the optimum may be missed.
    pub tol: f64,
    /// How much a row outside the tube costs, above 0; scikit-learn's `C`.
    #[serde(alias = "C")]
    pub c: f64,
    /// What is summed over rows. The squared one is solved by Newton's method, the other by coordinate descent on the dual.
    pub loss: TubeLoss,
    /// Whether there is an intercept.
    pub fit_intercept: bool,
    /// The constant that stands for the intercept's feature: the larger, the less the intercept is regularised.
    pub intercept_scaling: f64,
    /// The most iterations.
    pub max_iter: usize,
    /// Of the order of rows in coordinate descent.
    pub seed: u64,
}

impl Default for LinearSvr {
    fn default() -> LinearSvr {
        LinearSvr {
            epsilon: 0.0,
            tol: 1e-4,
            c: 1.0,
            loss: TubeLoss::EpsilonInsensitive,
            fit_intercept: true,
            intercept_scaling: 1.0,
            max_iter: 1000,
            seed: 0,
        }
    }
}

/// A fitted [`LinearSvr`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedLinearSvr {
    /// The features' weights, `[F]`.
    pub coef: Vec<f64>,
    /// What is added.
    pub intercept: f64,
    /// Iterations.
    pub n_iter: usize,
    /// Whether the tolerance was reached.
    pub converged: bool,
}

impl Estimator for LinearSvr {
    type Fitted = FittedLinearSvr;
    const NAME: &'static str = "linear-svr";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedLinearSvr> {
        problem.check(Self::NAME)?;
        let targets = problem.values(Self::NAME)?;
        let LinearSvr { c, tol, fit_intercept, intercept_scaling, epsilon, .. } = *self;
        let scaling = Common { op: Self::NAME, c, tol, fit_intercept, intercept_scaling }.scaling()?;
        if !(epsilon >= 0.0 && epsilon.is_finite()) {
            return Err(Error::argument(Self::NAME, format!("epsilon is {epsilon}; give a number of at least 0")));
        }
        let costs: Vec<f64> = problem.row_weights().iter().map(|weight| weight * c).collect();
        let values = Values::widened(problem.x);
        let (values, width) = (Values::of(problem.x.reborrow(), &values), problem.x.width());
        let rows = Rows { values, count: targets.len(), width, scaling };
        rows.check(Self::NAME)?;
        let fit = match self.loss {
            TubeLoss::EpsilonInsensitive => {
                let bounds: Vec<Bounds> =
                    targets.iter().zip(&costs).map(|(&aim, &cost)| Bounds { aim, low: -cost, high: cost }).collect();
                descent::minimise(rows, &bounds, epsilon, tol, self.max_iter, self.seed)
            }
            TubeLoss::SquaredEpsilonInsensitive => {
                newton::minimise(rows, &costs, tol, self.max_iter, |row, decision| {
                    let off = decision - targets[row];
                    if off > epsilon {
                        off - epsilon
                    } else if off < -epsilon {
                        off + epsilon
                    } else {
                        0.0
                    }
                })
            }
        };
        fit.warn(Self::NAME);
        let (coef, intercept) = (fit.weights.coef, fit.weights.intercept);
        Ok(FittedLinearSvr { coef, intercept, n_iter: fit.iterations, converged: fit.converged })
    }
}

impl FittedLinearSvr {
    /// The number for each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<f64>> {
        predictions(LinearSvr::NAME, x.into(), &self.coef, self.intercept)
    }

    fn matrix(&self) -> Array2<f64> {
        Array2::from_shape_fn((1, self.coef.len()), |(_, j)| self.coef[j])
    }
}

#[derive(Serialize, Deserialize)]
struct Note {
    n_iter: usize,
    converged: bool,
}

impl Model for FittedLinearSvr {
    fn kind(&self) -> &'static str {
        LinearSvr::NAME
    }

    fn width(&self) -> usize {
        self.coef.len()
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
        Some(Influence::Coefficients(self.matrix()))
    }

    fn ended(&self) -> Ended {
        Ended::of(self.converged)
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&Note { n_iter: self.n_iter, converged: self.converged })?;
        out.matrix("coef", &self.matrix())?;
        out.doubles("intercept", &[self.intercept], &[1])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedLinearSvr> {
        let Note { n_iter, converged } = from.note()?;
        let (coef, intercept) = linear::restore(from)?;
        match intercept[..] {
            [intercept] => Ok(FittedLinearSvr { coef: coef.into_iter().collect(), intercept, n_iter, converged }),
            _ => Err(from.error(format!("coef has {} outputs; one is needed", intercept.len()))),
        }
    }
}
