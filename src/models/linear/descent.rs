//! Coordinate descent for least squares with prices on the coefficients' sizes and squares: minimises
//! `½ ‖y − Xw‖² + l1 ‖w‖₁ + ½ l2 ‖w‖²`. It stops when the duality gap, which bounds how far the objective is from its least
//! value, is within the tolerance (Friedman and others, 2010; the gap as in scikit-learn).

use super::rows::{Centre, Rows};
use crate::models::linalg::dot;

/// The prices and when to stop.
#[derive(Clone, Copy)]
pub(super) struct Prices {
    pub l1: f64,
    pub l2: f64,
    /// The gap to reach, relative to `‖y‖²`.
    pub tol: f64,
    pub max_iter: usize,
}

/// Where it came to rest.
pub(super) struct Rest {
    pub coef: Vec<f64>,
    pub n_iter: usize,
    pub converged: bool,
}

/// Centred features and one answer, in the form that costs less.
enum Design {
    /// Few features: `XᵀX`, `Xᵀy` and `Xᵀ(y − Xw)`; a step costs a column of products.
    Products { gram: Vec<f64>, right: Vec<f64>, slopes: Vec<f64> },
    /// More features than rows: the columns of `X`, and `y − Xw`.
    Columns { x: Vec<f64>, y: Vec<f64>, residuals: Vec<f64> },
}

pub(super) fn descend(rows: &Rows<'_, '_>, centre: &Centre, prices: Prices) -> Rest {
    let width = rows.width();
    let (mut design, squares, total) = Design::new(rows, centre);
    let mut coef = vec![0.0; width];
    let mut rest = (0, false);
    for n_iter in 1..=prices.max_iter {
        let (mut largest, mut largest_step) = (0.0f64, 0.0f64);
        for j in 0..width {
            if squares[j] == 0.0 {
                continue; // a constant column says nothing
            }
            let pull = design.slope(j) + squares[j] * coef[j];
            let moved = pull.signum() * (pull.abs() - prices.l1).max(0.0) / (squares[j] + prices.l2);
            let step = moved - coef[j];
            if step != 0.0 {
                design.step(j, step);
                coef[j] = moved;
            }
            largest = largest.max(moved.abs());
            largest_step = largest_step.max(step.abs());
        }
        rest = (n_iter, false);
        if largest_step <= prices.tol * largest || n_iter == prices.max_iter {
            design.renew(&coef);
            let gap = design.gap(&coef, total, prices);
            rest.1 = gap <= prices.tol * total;
            // Steps that do not change a number any more can close no gap.
            if rest.1 || largest_step <= f64::EPSILON * largest {
                break;
            }
        }
    }
    Rest { coef, n_iter: rest.0, converged: rest.1 }
}

impl Design {
    /// The design, the sums of squares of its columns, and that of the answer.
    fn new(rows: &Rows<'_, '_>, centre: &Centre) -> (Design, Vec<f64>, f64) {
        let (width, count) = (rows.width(), rows.x.rows());
        if count >= width {
            let n = width + 1;
            let lower = rows.gram(centre);
            let entry = |i: usize, j: usize| lower[i.min(j) * n + i.max(j)];
            let gram = (0..width * width).map(|at| entry(at / width, at % width)).collect();
            let right: Vec<f64> = (0..width).map(|j| entry(j, width)).collect();
            let squares = (0..width).map(|j| entry(j, j)).collect();
            (Design::Products { gram, slopes: right.clone(), right }, squares, entry(width, width))
        } else {
            let values = rows.all_centred(centre);
            let mut columns: Vec<f64> = (0..=width)
                .flat_map(|j| values[j..].iter().step_by(width + 1).copied().collect::<Vec<f64>>())
                .collect();
            let y = columns.split_off(width * count);
            let squares = columns.chunks_exact(count).map(|column| dot(column, column)).collect();
            let total = dot(&y, &y);
            (Design::Columns { x: columns, residuals: y.clone(), y }, squares, total)
        }
    }

    /// The product of a column with the residuals.
    fn slope(&self, j: usize) -> f64 {
        match self {
            Design::Products { slopes, .. } => slopes[j],
            Design::Columns { x, residuals, .. } => dot(&x[j * residuals.len()..][..residuals.len()], residuals),
        }
    }

    fn step(&mut self, j: usize, step: f64) {
        let (column, target) = match self {
            Design::Products { gram, slopes, .. } => (&gram[j * slopes.len()..], slopes),
            Design::Columns { x, residuals, .. } => (&x[j * residuals.len()..], residuals),
        };
        target.iter_mut().zip(column).for_each(|(t, x)| *t -= step * x);
    }

    /// Computes anew what steps have changed, without their roundings.
    fn renew(&mut self, coef: &[f64]) {
        match self {
            Design::Products { slopes, right, .. } => slopes.clone_from(right),
            Design::Columns { residuals, y, .. } => residuals.clone_from(y),
        }
        (0..coef.len()).filter(|&j| coef[j] != 0.0).for_each(|j| self.step(j, coef[j]));
    }

    fn gap(&self, coef: &[f64], total: f64, prices: Prices) -> f64 {
        let slopes: Vec<f64> = (0..coef.len()).map(|j| self.slope(j)).collect();
        let (with_y, residuals) = match self {
            Design::Products { right, .. } => {
                let with_y = dot(coef, right);
                (with_y, total - with_y - dot(coef, &slopes)) // ‖r‖² = ‖y‖² − wᵀXᵀy − wᵀXᵀr
            }
            Design::Columns { y, residuals, .. } => (total - dot(y, residuals), dot(residuals, residuals)),
        };
        let squares = dot(coef, coef);
        let steepest = slopes.iter().zip(coef).fold(0.0f64, |most, (s, c)| most.max((s - prices.l2 * c).abs()));
        let scale = if steepest > prices.l1 { prices.l1 / steepest } else { 1.0 }; // brings the residuals into the dual's domain
        let sizes: f64 = coef.iter().map(|c| c.abs()).sum();
        0.5 * (1.0 + scale * scale) * (residuals + prices.l2 * squares) + prices.l1 * sizes - scale * (total - with_y)
    }
}
