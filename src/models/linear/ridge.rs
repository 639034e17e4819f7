//! Least squares with a price on large coefficients.

use super::batches::Batches;
use super::least_squares::{check_exact, of_features};
use super::passes::{Pass, Source, check_solver, regress};
use super::rows::{Centre, Rows};
use super::triangle::Triangle;
use super::wide::solve_wide;
use super::{FittedLinear, FittedRidge};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::estimator::Estimator;
use crate::models::linalg::{cholesky, solve_cholesky};
use crate::models::problem::{Answer, Problem};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

/// Ridge regression, scikit-learn's `Ridge`: minimises `‖y − X·coef − intercept‖² + alpha ‖coef‖²`. In f64 on the CPU: by
/// Cholesky's factors of the centred columns' products where these are well conditioned, else by QR; of a sparse matrix by
/// conjugate gradients.
///
/// ```
/// use tilework::models::{Estimator, linear::Ridge};
/// let model = Ridge { alpha: 2.0, ..Ridge::default() }.fit(&[[-1.0], [0.0], [1.0]], &[1.0, 2.0, 3.0])?;
/// assert!((model.coef[0] - 0.5).abs() < 1e-15 && model.intercept == 2.0); // Σxy / (Σx² + alpha)
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ridge {
    /// The price of a coefficient's square; 0 is least squares.
    pub alpha: f64,
    /// Whether a constant is fitted too, free of price.
    pub fit_intercept: bool,
    /// How, and where, it is solved.
    pub solver: RidgeSolver,
    /// How [`RidgeSolver::Stochastic`] goes about it.
    pub batches: Batches,
}

/// How [`Ridge`] is solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RidgeSolver {
    /// Cholesky or QR in f64 on the CPU, exact; see [`Ridge`].
    #[default]
    Auto,
    /// Mini-batches in f32 on the problem's device, of which they take next to no memory. Three or four digits.
    Stochastic,
}

impl Default for Ridge {
    fn default() -> Ridge {
        Ridge { alpha: 1.0, fit_intercept: true, solver: RidgeSolver::Auto, batches: Batches::default() }
    }
}

impl Estimator for Ridge {
    type Fitted = FittedRidge;
    const NAME: &'static str = "ridge";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedRidge> {
        if self.solver == RidgeSolver::Stochastic {
            check_price(Self::NAME, "alpha", self.alpha)?;
            return regress(&Source::Whole(problem), &self.batches, self.fit_intercept, self.alpha);
        }
        problem.check(Self::NAME)?;
        let y = ArrayView2::from(problem.values(Self::NAME)?.as_chunks::<1>().0);
        let mut fits = self.solve(problem, y)?;
        fits.pop().ok_or_else(|| Error::internal(Self::NAME, "one answer gave no model"))
    }
}

impl Ridge {
    /// Fits each column of `y`, `[N, K]`, as [`Estimator::fit`] would, at the price of little more than one, by [`RidgeSolver::Auto`].
    ///
    /// # Errors
    /// As [`Ridge::learn_many`].
    pub fn fit_many<'a>(&self, x: impl Into<Matrix<'a>>, y: ArrayView2<'a, f64>) -> Result<Vec<FittedRidge>> {
        self.learn_many(&Problem::new(x, Answer::None), y)
    }

    /// The same of a problem's features, weights and names; answers of its own are not looked at.
    ///
    /// # Errors
    /// As [`Estimator::learn`]; [`Error::Shape`] when there are not as many answers as rows; [`Error::Argument`] for another solver.
    pub fn learn_many<'a>(&self, problem: &Problem<'a>, y: ArrayView2<'a, f64>) -> Result<Vec<FittedRidge>> {
        check_exact(Self::NAME, "auto", self.solver == RidgeSolver::Auto)?;
        let problem = of_features(Self::NAME, problem, y)?;
        self.solve(&problem, y)
    }

    /// Learns from rows that are not all in memory, by [`RidgeSolver::Stochastic`]: a first pass measures the columns, and each
    /// of `batches.epochs` is one more.
    ///
    /// # Errors
    /// As [`Estimator::learn`]; those of the pass; another solver; passes that differ.
    pub fn learn_parts(&self, read: &Pass<'_>) -> Result<FittedRidge> {
        check_solver(Self::NAME, self.solver == RidgeSolver::Stochastic)?;
        check_price(Self::NAME, "alpha", self.alpha)?;
        regress(&Source::Parts(read), &self.batches, self.fit_intercept, self.alpha)
    }

    fn solve<'a>(&self, problem: &Problem<'a>, y: ArrayView2<'a, f64>) -> Result<Vec<FittedRidge>> {
        check_price(Self::NAME, "alpha", self.alpha)?;
        let rows = Rows { x: problem.x, y, weights: problem.weights };
        if let Matrix::Sparse(x) = problem.x {
            return FittedLinear::sparse(&rows, x, self.fit_intercept, self.alpha);
        }
        let centre = rows.centre(self.fit_intercept);
        let coefs = coefficients(&rows, &centre, self.alpha);
        let fitted = |(output, coef): (usize, Vec<f64>)| {
            let intercept = if self.fit_intercept { centre.constant(output, &coef) } else { 0.0 };
            FittedLinear::new(coef, intercept)
        };
        coefs.into_iter().enumerate().map(fitted).collect()
    }
}

/// A setting that multiplies a penalty: finite, not negative.
pub(super) fn check_price(op: &'static str, name: &str, value: f64) -> Result<()> {
    match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(Error::argument(op, format!("{name} is {value}; give a finite number, 0 or more"))),
    }
}

/// The coefficients of each answer.
fn coefficients(rows: &Rows<'_, '_>, centre: &Centre, alpha: f64) -> Vec<Vec<f64>> {
    if rows.x.rows() < rows.width() {
        return solve_wide(rows, centre, alpha).coefs;
    }
    by_products(rows, centre, alpha).unwrap_or_else(|| Triangle::penalised(rows, centre, alpha).solve().0)
}

/// The coefficients of a single answer.
pub(super) fn solve_one(rows: &Rows<'_, '_>, centre: &Centre, alpha: f64) -> Vec<f64> {
    coefficients(rows, centre, alpha).pop().unwrap_or_default()
}

/// The coefficients of each answer from `XᵀX + alpha`, unless its condition would cost them more than some six digits.
fn by_products(rows: &Rows<'_, '_>, centre: &Centre, alpha: f64) -> Option<Vec<Vec<f64>>> {
    const NARROW: f64 = 1e-3; // of a column's length, what is left of it beside the columns before
    let (width, n) = (rows.width(), rows.width() + rows.outputs());
    let gram = rows.gram(centre);
    let columns = gram.chunks_exact(n).take(width);
    let scale: Vec<f64> = columns.clone().enumerate().map(|(j, column)| (column[j] + alpha).sqrt().recip()).collect();
    if scale.iter().any(|scale| !scale.is_finite()) {
        return None;
    }
    let mut l = Vec::with_capacity(width * width);
    for (j, column) in columns.clone().enumerate() {
        let entry = |(i, v): (usize, &f64)| (v + if i == j { alpha } else { 0.0 }) * scale[i] * scale[j];
        l.extend(column[..width].iter().enumerate().map(entry));
    }
    if !cholesky(width, &mut l) || l.iter().step_by(width + 1).any(|l| *l < NARROW) {
        return None;
    }
    let solve = |output: usize| {
        let mut coef: Vec<f64> = columns.clone().zip(&scale).map(|(c, scale)| c[width + output] * scale).collect();
        solve_cholesky(&l, &mut coef);
        coef.iter_mut().zip(&scale).for_each(|(c, scale)| *c *= scale);
        coef
    };
    Some((0..rows.outputs()).map(solve).collect())
}
