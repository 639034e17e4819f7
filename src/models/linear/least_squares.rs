//! Ordinary least squares.

use super::batches::Batches;
use super::passes::{Pass, Source, check_solver, regress};
use super::refine::refine;
use super::rows::{Centre, Rows};
use super::summary::{Summary, Term};
use super::triangle::Triangle;
use super::wide::{Wide, solve_wide};
use super::{FittedLinear, FittedLinearRegression};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::estimator::{Estimator, beyond_range};
use crate::models::problem::{Answer, Problem};
use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// Least squares, scikit-learn's `LinearRegression`: always in f64 on the CPU by QR of the centred columns, and refined with
/// residuals in twice the precision, so that the coefficients are as exact as the data defines them. Where columns depend on
/// each other, the coefficients of least length. The data is read in blocks, and never copied
/// where there are at least as many rows as features.
///
/// ```
/// use tilework::models::{Estimator, linear::LinearRegression};
/// let x = [[1.0, 1.0], [1.0, 2.0], [2.0, 2.0], [2.0, 3.0]];
/// let model = LinearRegression::default().fit(&x, &[6.0, 8.0, 9.0, 11.0])?; // x0 + 2 x1 + 3
/// assert!((model.predict(&[[3.0, 5.0]])?[0] - 16.0).abs() < 1e-12);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearRegression {
    /// Whether a constant is fitted too; without one, the plane goes through the origin.
    pub fit_intercept: bool,
    /// How, and where, it is solved.
    pub solver: LinearSolver,
    /// How [`LinearSolver::Stochastic`] goes about it.
    pub batches: Batches,
}

/// How [`LinearRegression`] is solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinearSolver {
    /// QR in f64 on the CPU, exact; see [`LinearRegression`]. Of a sparse matrix conjugate gradients, some nine digits, and no
    /// [`Summary`].
    #[default]
    Qr,
    /// Mini-batches in f32 on the problem's device, of which they take next to no memory. Three or four digits, and no
    /// [`Summary`].
    Stochastic,
}

impl Default for LinearRegression {
    fn default() -> LinearRegression {
        LinearRegression { fit_intercept: true, solver: LinearSolver::Qr, batches: Batches::default() }
    }
}

impl Estimator for LinearRegression {
    type Fitted = FittedLinearRegression;
    const NAME: &'static str = "linear-regression";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedLinearRegression> {
        if self.solver == LinearSolver::Stochastic {
            return regress(&Source::Whole(problem), &self.batches, self.fit_intercept, 0.0);
        }
        problem.check(Self::NAME)?;
        let values = problem.values(Self::NAME)?;
        let y = ArrayView2::from(values.as_chunks::<1>().0);
        let mut fits = self.solve(problem, y)?;
        fits.pop().ok_or_else(|| Error::internal(Self::NAME, "one answer gave no model"))
    }
}

impl LinearRegression {
    /// Fits each column of `y`, `[N, K]`, at the price of little more than one, by [`LinearSolver::Qr`].
    ///
    /// # Errors
    /// As [`LinearRegression::learn_many`].
    pub fn fit_many<'a>(
        &self,
        x: impl Into<Matrix<'a>>,
        y: ArrayView2<'a, f64>,
    ) -> Result<Vec<FittedLinearRegression>> {
        self.learn_many(&Problem::new(x, Answer::None), y)
    }

    /// The same of a problem's features, weights and names; answers of its own are not looked at.
    ///
    /// # Errors
    /// As [`Estimator::learn`]; [`Error::Shape`] when there are not as many answers as rows; [`Error::Argument`] for another solver.
    pub fn learn_many<'a>(&self, problem: &Problem<'a>, y: ArrayView2<'a, f64>) -> Result<Vec<FittedLinearRegression>> {
        check_exact(Self::NAME, "qr", self.solver == LinearSolver::Qr)?;
        let problem = of_features(Self::NAME, problem, y)?;
        self.solve(&problem, y)
    }

    /// Learns from rows that are not all in memory, by [`LinearSolver::Stochastic`]: a first pass measures the columns, and
    /// each of `batches.epochs` is one more.
    ///
    /// # Errors
    /// As [`Estimator::learn`]; those of the pass; another solver; passes that differ.
    pub fn learn_parts(&self, read: &Pass<'_>) -> Result<FittedLinearRegression> {
        check_solver(Self::NAME, self.solver == LinearSolver::Stochastic)?;
        regress(&Source::Parts(read), &self.batches, self.fit_intercept, 0.0)
    }

    fn solve<'a>(&self, problem: &Problem<'a>, y: ArrayView2<'a, f64>) -> Result<Vec<FittedLinearRegression>> {
        let rows = Rows { x: problem.x, y, weights: problem.weights };
        if let Matrix::Sparse(x) = problem.x {
            return FittedLinear::sparse(&rows, x, self.fit_intercept, 0.0);
        }
        let centre = rows.centre(self.fit_intercept);
        let mut table = Table { problem, centre: &centre, triangle: None, rank: 0, fit_intercept: self.fit_intercept };
        let mut fits = Vec::with_capacity(rows.outputs());
        let mut add = |table: &Table<'_, '_>, coef: Vec<f64>, intercept: Option<f64>, squares: f64, total: f64| {
            let mut fitted = FittedLinear::new(coef, intercept.unwrap_or(0.0))?;
            if !(squares.is_finite() && total.is_finite()) {
                return Err(beyond_range(Self::NAME, "squares of the target"));
            }
            fitted.summary = Some(table.summary(&fitted, squares, total));
            fits.push(fitted);
            Ok(())
        };
        let constant = |output: usize, coef: &[f64]| self.fit_intercept.then(|| centre.constant(output, coef));
        if rows.x.rows() < rows.width() {
            let Wide { coefs, rank, squares, total } = solve_wide(&rows, &centre, 0.0);
            table.rank = rank;
            for (output, coef) in coefs.into_iter().enumerate() {
                let intercept = constant(output, &coef);
                add(&table, coef, intercept, squares[output], total[output])?;
            }
            return Ok(fits);
        }
        let triangle = Triangle::new(&rows, &centre);
        let (coefs, rank) = triangle.solve();
        (table.triangle, table.rank) = (Some(&triangle), rank);
        for (output, mut coef) in coefs.into_iter().enumerate() {
            let mut intercept = constant(output, &coef);
            let squares = match rank == coef.len() {
                true => refine(&rows, &centre, &triangle, output, &mut coef, &mut intercept),
                false => triangle.squares[output],
            };
            add(&table, coef, intercept, squares, triangle.total[output])?;
        }
        Ok(fits)
    }
}

/// What several answers' tables have in common.
struct Table<'a, 'b> {
    problem: &'a Problem<'b>,
    centre: &'a Centre,
    triangle: Option<&'a Triangle>,
    rank: usize,
    fit_intercept: bool,
}

impl Table<'_, '_> {
    fn summary(&self, fitted: &FittedLinearRegression, squares: f64, total: f64) -> Summary {
        let rows = self.centre.weight;
        let freedom = rows - self.rank as f64 - f64::from(u8::from(self.fit_intercept));
        let deviation = (freedom > 0.0).then(|| (squares / freedom).sqrt());
        let regular = self.rank == fitted.coef.len() && deviation.is_some();
        let (inverse, of_means) = match self.triangle.filter(|_| regular) {
            Some(triangle) => triangle.inverse_diagonal(&self.centre.x),
            None => (vec![f64::NAN; fitted.coef.len()], f64::NAN),
        };
        let error = |variance: f64| deviation.map(|deviation| deviation * variance.sqrt());
        let name = |feature: usize| {
            self.problem.names.and_then(|names| names.get(feature).cloned()).unwrap_or_else(|| format!("x{feature}"))
        };
        let terms = fitted.coef.iter().zip(inverse).enumerate();
        let r2 = if total > 0.0 { 1.0 - squares / total } else { f64::from(u8::from(squares == 0.0)) };
        let of_total = rows - f64::from(u8::from(self.fit_intercept));
        Summary {
            rows,
            rank: self.rank,
            freedom,
            deviation,
            r2,
            adjusted_r2: (freedom > 0.0).then(|| 1.0 - (1.0 - r2) * of_total / freedom),
            intercept: self
                .fit_intercept
                .then(|| Term::new("intercept".into(), fitted.intercept, error(1.0 / rows + of_means), freedom)),
            terms: terms.map(|(i, (coef, variance))| Term::new(name(i), *coef, error(variance), freedom)).collect(),
        }
    }
}

impl FittedLinearRegression {
    /// The regression table: standard errors, R², the residuals' deviation; `None` of [`LinearSolver::Stochastic`] and of a sparse
    /// matrix.
    pub fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }
}

/// Refuses mini-batches, which learn one answer at a time, by the name of the solver that learns several.
pub(super) fn check_exact(op: &'static str, solver: &str, exact: bool) -> Result<()> {
    match exact {
        true => Ok(()),
        false => {
            let message =
                format!("solver stochastic learns one answer at a time; set solver {solver}, or fit each answer alone");
            Err(Error::argument(op, message))
        }
    }
}

/// A problem without its own answers, checked together with those of several.
pub(super) fn of_features<'a>(op: &'static str, problem: &Problem<'a>, y: ArrayView2<'_, f64>) -> Result<Problem<'a>> {
    let problem = Problem { y: Answer::None, ..*problem };
    problem.check(op)?;
    check_answers(op, problem.x.rows(), y)?;
    Ok(problem)
}

/// As many rows of answers as of features, all finite.
fn check_answers(op: &'static str, rows: usize, y: ArrayView2<'_, f64>) -> Result<()> {
    if y.nrows() != rows || y.ncols() == 0 {
        let message = format!("{rows} rows of features and answers {:?}; give [{rows}, answers]", y.shape());
        return Err(Error::shape(op, message));
    }
    match y.axis_iter(Axis(0)).position(|row| row.iter().any(|v| !v.is_finite())) {
        None => Ok(()),
        Some(row) => {
            let message = format!("target in row {row} is not finite; drop the row or correct it");
            Err(Error::NonFinite { op, message })
        }
    }
}
