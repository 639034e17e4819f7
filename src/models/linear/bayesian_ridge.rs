//! Ridge regression that finds its own penalty.

use super::ridge::check_price;
use super::rows::{Centre, Rows};
use super::{FittedBayesianRidge, FittedLinear};
use crate::error::{Error, Result};
use crate::models::estimator::{Estimator, beyond_range, check_range};
use crate::models::linalg::{dot, singular_rows};
use crate::models::problem::Problem;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

/// Ridge regression whose penalty is found from the data: noise and coefficients are normal, and their precisions, `alpha` and
/// `lambda`, are those under which the data are likeliest (MacKay, 1992). scikit-learn's `BayesianRidge`. Its default tolerance is
/// an absolute one: of targets far from a size of 1, set `tol` accordingly.
///
/// ```
/// use tilework::models::{Estimator, linear::BayesianRidge};
/// let x: Vec<[f64; 1]> = (0..20).map(|i| [f64::from(i)]).collect();
/// let y: Vec<f64> = (0..20).map(|i| f64::from(3 * i + i % 2)).collect();
/// let model = BayesianRidge::default().fit(&x[..], &y)?;
/// assert!((model.coef[0] - 3.0).abs() < 0.01 && model.converged);
/// assert!((1.0 / model.alpha().unwrap_or(0.0) - 0.25).abs() < 0.1); // the variance of the noise
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BayesianRidge {
    /// The most rounds.
    pub max_iter: usize,
    /// It has converged when the coefficients change by less than this in a round, in sum.
    pub tol: f64,
    /// Shape of the gamma prior over `alpha`.
    pub alpha_1: f64,
    /// Rate of the gamma prior over `alpha`.
    pub alpha_2: f64,
    /// Shape of the gamma prior over `lambda`.
    pub lambda_1: f64,
    /// Rate of the gamma prior over `lambda`.
    pub lambda_2: f64,
    /// The precision of the noise to begin with; 1 over the target's variance when left out.
    pub alpha_init: Option<f64>,
    /// The precision of the coefficients to begin with; 1 when left out.
    pub lambda_init: Option<f64>,
    /// Whether a constant is fitted too.
    pub fit_intercept: bool,
}

impl Default for BayesianRidge {
    fn default() -> BayesianRidge {
        BayesianRidge {
            max_iter: 300,
            tol: 1e-3,
            alpha_1: 1e-6,
            alpha_2: 1e-6,
            lambda_1: 1e-6,
            lambda_2: 1e-6,
            alpha_init: None,
            lambda_init: None,
            fit_intercept: true,
        }
    }
}

impl Estimator for BayesianRidge {
    type Fitted = FittedBayesianRidge;
    const NAME: &'static str = "bayesian-ridge";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedBayesianRidge> {
        problem.check(Self::NAME)?;
        let values = problem.values(Self::NAME)?;
        for (name, value) in [
            ("tol", self.tol),
            ("alpha_1", self.alpha_1),
            ("alpha_2", self.alpha_2),
            ("lambda_1", self.lambda_1),
            ("lambda_2", self.lambda_2),
            ("alpha_init", self.alpha_init.unwrap_or(0.0)),
            ("lambda_init", self.lambda_init.unwrap_or(0.0)),
        ] {
            check_price(Self::NAME, name, value)?;
        }
        if self.max_iter == 0 {
            return Err(Error::argument(Self::NAME, "max_iter 0; give at least 1"));
        }
        let y = ArrayView2::from(values.as_chunks::<1>().0);
        let rows = Rows { x: problem.x, y, weights: problem.weights };
        let centre = rows.centre(self.fit_intercept);
        let least = Least::of(&rows, &centre).ok_or_else(|| beyond_range(Self::NAME, "singular values"))?;
        // The target's variance about its mean, with an intercept and without.
        let about = Centre { y: rows.centre(true).y, ..centre.clone() };
        let variance = rows.variance(&about).last().copied().unwrap_or(0.0);
        check_range(Self::NAME, "the target's variance", &[variance])?;
        let mut alpha = self.alpha_init.unwrap_or(1.0 / (variance + f64::EPSILON));
        let mut lambda = self.lambda_init.unwrap_or(1.0);
        let (mut before, mut n_iter, mut converged) = (Vec::new(), 0, false);
        while n_iter < self.max_iter && !converged {
            n_iter += 1;
            let (coef, squares) = least.solve(lambda / alpha);
            let known: f64 = least.singular.iter().map(|s| alpha * s * s / (lambda + alpha * s * s)).sum();
            lambda = (known + 2.0 * self.lambda_1) / (dot(&coef, &coef) + 2.0 * self.lambda_2);
            alpha = (centre.weight - known + 2.0 * self.alpha_1) / (squares + 2.0 * self.alpha_2);
            let change = coef.iter().zip(&before).map(|(new, old): (&f64, &f64)| (new - old).abs()).sum::<f64>();
            converged = n_iter > 1 && change < self.tol;
            before = coef;
        }
        if !converged {
            log::warn!("{}: not converged after {n_iter} rounds; raise max_iter or tol", Self::NAME);
        }
        let coef = least.solve(lambda / alpha).0;
        let intercept = if self.fit_intercept { centre.constant(0, &coef) } else { 0.0 };
        let fitted = FittedLinear::new(coef, intercept)?;
        Ok(FittedLinear { n_iter, converged, precisions: Some((alpha, lambda)), ..fitted })
    }
}

impl FittedBayesianRidge {
    /// The precision of the noise: 1 over its variance. scikit-learn's `alpha_`.
    pub fn alpha(&self) -> Option<f64> {
        self.precisions.map(|(alpha, _)| alpha)
    }

    /// The precision of the coefficients. scikit-learn's `lambda_`.
    pub fn lambda(&self) -> Option<f64> {
        self.precisions.map(|(_, lambda)| lambda)
    }
}

/// A least-squares problem by its singular values: `A` has as few rows as give the same sums of squares.
struct Least {
    /// Row after row.
    a: Vec<f64>,
    right: Vec<f64>,
    /// What no coefficients can explain.
    rest: f64,
    singular: Vec<f64>,
    /// A direction of `[F]` for each, one after another.
    directions: Vec<f64>,
    /// `Aᵀ right` along each.
    along: Vec<f64>,
}

impl Least {
    /// Of more rows than features by the triangle of QR; else of the rows as they are. `None` as [`singular_rows`].
    fn of(rows: &Rows<'_, '_>, centre: &Centre) -> Option<Least> {
        let width = rows.width();
        let n = width + 1;
        let (mut a, mut right, mut rest) = (Vec::new(), Vec::new(), 0.0);
        if rows.x.rows() > width {
            let whole = rows.triangle(centre); // column after column
            a.extend((0..width).flat_map(|i| whole.iter().skip(i).step_by(n).take(width)));
            let of_y = whole.get(width * n..)?;
            right.extend_from_slice(of_y.get(..width)?);
            rest = of_y.last()?.powi(2);
        } else {
            for row in rows.all_centred(centre).chunks_exact(n) {
                let (y, x) = row.split_last()?;
                a.extend_from_slice(x);
                right.push(*y);
            }
        }
        let (singular, directions) = singular_rows(right.len(), width, &a)?;
        let mut product = vec![0.0; width];
        for (row, y) in a.chunks_exact(width).zip(&right) {
            product.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * y);
        }
        let along = directions.chunks_exact(width).map(|direction| dot(direction, &product)).collect();
        Some(Least { a, right, rest, singular, directions, along })
    }

    /// The coefficients at a price of `penalty` for the square of each, and the sum of squared residuals.
    fn solve(&self, penalty: f64) -> (Vec<f64>, f64) {
        let width = self.directions.len() / self.singular.len().max(1);
        let mut coef = vec![0.0; width];
        for ((direction, s), along) in self.directions.chunks_exact(width).zip(&self.singular).zip(&self.along) {
            let size = s * s + penalty;
            let share = if size > 0.0 { along / size } else { 0.0 };
            coef.iter_mut().zip(direction).for_each(|(c, d)| *c += share * d);
        }
        let residual = |(row, y): (&[f64], &f64)| (y - dot(row, &coef)).powi(2);
        let squares = self.a.chunks_exact(width).zip(&self.right).map(residual).sum::<f64>();
        (coef, squares + self.rest)
    }
}
