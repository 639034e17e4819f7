//! Least squares with a price on the coefficients' sizes, which sets those that are not worth it to 0.

use super::descent::{Prices, descend};
use super::least_squares::of_features;
use super::ridge::{check_price, solve_one};
use super::rows::Rows;
use super::{FittedElasticNet, FittedLasso, FittedLinear};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::estimator::Estimator;
use crate::models::problem::{Answer, Problem};
use ndarray::{ArrayView2, s};
use serde::{Deserialize, Serialize};

/// The lasso, scikit-learn's `Lasso`: minimises `‖y − X·coef − intercept‖² / 2N + alpha ‖coef‖₁` by coordinate descent in f64 on
/// the CPU. Many coefficients become 0. Weights count as repeated rows.
///
/// ```
/// use tilework::models::{Estimator, linear::Lasso};
/// let model = Lasso { alpha: 0.1, ..Lasso::default() }.fit(&[[0.0], [1.0], [2.0]], &[0.0, 1.0, 2.0])?;
/// assert!((model.coef[0] - 0.85).abs() < 1e-12 && (model.intercept - 0.15).abs() < 1e-12);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lasso {
    /// The price of a coefficient's size.
    pub alpha: f64,
    /// Whether a constant is fitted too, free of price.
    pub fit_intercept: bool,
    /// The most rounds over the coefficients.
    pub max_iter: usize,
    /// It stops once the objective is known to be within this share of `‖y‖²` of the least.
    pub tol: f64,
}

/// Lasso and ridge mixed, scikit-learn's `ElasticNet`: minimises
/// `‖y − X·coef − intercept‖² / 2N + alpha · l1_ratio · ‖coef‖₁ + alpha · (1 − l1_ratio) / 2 · ‖coef‖²`, as [`Lasso`] does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ElasticNet {
    /// The price of both penalties together.
    pub alpha: f64,
    /// The share of the price that is on sizes: 1 is the lasso; 0 is ridge regression, and solved as such.
    pub l1_ratio: f64,
    /// As [`Lasso::fit_intercept`].
    pub fit_intercept: bool,
    /// As [`Lasso::max_iter`].
    pub max_iter: usize,
    /// As [`Lasso::tol`].
    pub tol: f64,
}

impl Default for Lasso {
    fn default() -> Lasso {
        Lasso { alpha: 1.0, fit_intercept: true, max_iter: 1000, tol: 1e-4 }
    }
}

impl Default for ElasticNet {
    fn default() -> ElasticNet {
        ElasticNet { alpha: 1.0, l1_ratio: 0.5, fit_intercept: true, max_iter: 1000, tol: 1e-4 }
    }
}

impl Estimator for Lasso {
    type Fitted = FittedLasso;
    const NAME: &'static str = "lasso";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedLasso> {
        one(&self.as_net(), problem)
    }
}

impl Lasso {
    /// Fits each column of `y`, `[N, K]`, as [`Estimator::fit`] would.
    ///
    /// # Errors
    /// As [`Lasso::learn_many`].
    pub fn fit_many<'a>(&self, x: impl Into<Matrix<'a>>, y: ArrayView2<'a, f64>) -> Result<Vec<FittedLasso>> {
        self.learn_many(&Problem::new(x, Answer::None), y)
    }

    /// The same of a problem's features, weights and names; answers of its own are not looked at.
    ///
    /// # Errors
    /// As [`Estimator::learn`]; [`Error::Shape`] when there are not as many answers as rows.
    pub fn learn_many<'a>(&self, problem: &Problem<'a>, y: ArrayView2<'a, f64>) -> Result<Vec<FittedLasso>> {
        many(&self.as_net(), problem, y)
    }

    fn as_net(&self) -> ElasticNet {
        let Lasso { alpha, fit_intercept, max_iter, tol } = *self;
        ElasticNet { alpha, l1_ratio: 1.0, fit_intercept, max_iter, tol }
    }
}

impl Estimator for ElasticNet {
    type Fitted = FittedElasticNet;
    const NAME: &'static str = "elastic-net";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedElasticNet> {
        one(self, problem)
    }
}

impl ElasticNet {
    /// As [`Lasso::fit_many`].
    ///
    /// # Errors
    /// As [`Lasso::learn_many`].
    pub fn fit_many<'a>(&self, x: impl Into<Matrix<'a>>, y: ArrayView2<'a, f64>) -> Result<Vec<FittedElasticNet>> {
        self.learn_many(&Problem::new(x, Answer::None), y)
    }

    /// As [`Lasso::learn_many`].
    ///
    /// # Errors
    /// As [`Lasso::learn_many`].
    pub fn learn_many<'a>(&self, problem: &Problem<'a>, y: ArrayView2<'a, f64>) -> Result<Vec<FittedElasticNet>> {
        many(self, problem, y)
    }
}

/// A problem with its own answers.
fn one<E: Estimator>(settings: &ElasticNet, problem: &Problem<'_>) -> Result<FittedLinear<E>> {
    problem.check(E::NAME)?;
    check(E::NAME, settings)?;
    let y = ArrayView2::from(problem.values(E::NAME)?.as_chunks::<1>().0);
    solve(settings, &Rows { x: problem.x, y, weights: problem.weights })
}

/// Each column of several answers.
fn many<'a, E: Estimator>(
    settings: &ElasticNet,
    problem: &Problem<'a>,
    y: ArrayView2<'a, f64>,
) -> Result<Vec<FittedLinear<E>>> {
    let problem = of_features(E::NAME, problem, y)?;
    check(E::NAME, settings)?;
    let rows = |y| Rows { x: problem.x, y, weights: problem.weights };
    (0..y.ncols()).map(|k| solve(settings, &rows(y.slice_move(s![.., k..=k])))).collect()
}

fn check(op: &'static str, settings: &ElasticNet) -> Result<()> {
    check_price(op, "alpha", settings.alpha)?;
    check_price(op, "tol", settings.tol)?;
    if !(0.0..=1.0).contains(&settings.l1_ratio) {
        let message = format!("l1_ratio is {}; give a share, from 0 to 1", settings.l1_ratio);
        return Err(Error::argument(op, message));
    }
    if settings.max_iter == 0 {
        return Err(Error::argument(op, "max_iter is 0; give at least 1"));
    }
    Ok(())
}

/// Rows with one answer each.
fn solve<E: Estimator>(settings: &ElasticNet, rows: &Rows<'_, '_>) -> Result<FittedLinear<E>> {
    let centre = rows.centre(settings.fit_intercept);
    let alpha = settings.alpha * centre.weight; // of the sum of squares, where the settings speak of its mean
    let (l1, l2) = (alpha * settings.l1_ratio, alpha * (1.0 - settings.l1_ratio));
    let constant = |coef: &[f64]| if settings.fit_intercept { centre.constant(0, coef) } else { 0.0 };
    if l1 == 0.0 {
        let coef = solve_one(rows, &centre, l2);
        let intercept = constant(&coef);
        return FittedLinear::new(coef, intercept);
    }
    let rest = descend(rows, &centre, Prices { l1, l2, tol: settings.tol, max_iter: settings.max_iter });
    if !rest.converged {
        log::warn!(
            "{}: not converged after {} rounds; raise max_iter or alpha, or scale the columns",
            E::NAME,
            rest.n_iter
        );
    }
    let intercept = constant(&rest.coef);
    let fitted = FittedLinear::new(rest.coef, intercept)?;
    Ok(FittedLinear { n_iter: rest.n_iter, converged: rest.converged, ..fitted })
}
