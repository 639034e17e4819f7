//! Least squares and ridge regression of a sparse matrix, which is never made dense: centring and weights are worked into its
//! products, and these are all that conjugate gradients need (CGLS; Björck, "Numerical Methods for Least Squares Problems", 1996,
//! 7.4).

use super::rows::{Centre, Rows};
use crate::data::Sparse;
use crate::models::linalg::dot;

/// The gradient to reach, relative to that of coefficients of 0: some nine digits of the coefficients where columns are not nearly
/// dependent.
const TOL: f64 = 1e-12;

/// The coefficients of one answer.
pub(super) struct Solved {
    pub coef: Vec<f64>,
    pub n_iter: usize,
    pub converged: bool,
}

impl Rows<'_, '_> {
    /// As [`Rows::centre`].
    pub(super) fn sparse_centre(&self, x: &Sparse, fit_intercept: bool) -> Centre {
        let (mut of_x, mut of_y, mut weight) = (vec![0.0; self.width()], vec![0.0; self.outputs()], 0.0);
        for row in 0..x.rows() {
            let w = self.weight(row);
            weight += w;
            if fit_intercept {
                x.add_row(row, w, &mut of_x);
                of_y.iter_mut().zip(self.y.row(row)).for_each(|(sum, y)| *sum += w * y);
            }
        }
        of_x.iter_mut().chain(&mut of_y).for_each(|sum| *sum /= weight);
        Centre { x: of_x, y: of_y, weight }
    }

    /// As [`Rows::variance`].
    pub(super) fn sparse_variance(&self, x: &Sparse, centre: &Centre) -> Vec<f64> {
        let (mut sums, mut there) = (vec![0.0; self.width()], vec![0.0; self.width()]);
        let mut of_y = vec![0.0; self.outputs()];
        for row in 0..x.rows() {
            let w = self.weight(row);
            for (column, value) in x.entries(row) {
                sums[column] += w * (value - centre.x[column]).powi(2);
                there[column] += w;
            }
            let y = self.y.row(row);
            of_y.iter_mut().zip(y).zip(&centre.y).for_each(|((sum, y), mean)| *sum += w * (y - mean).powi(2));
        }
        let zeros = |((sum, there), mean): ((f64, f64), &f64)| {
            let variance = (sum + (centre.weight - there).max(0.0) * mean * mean) / centre.weight;
            // What rounding leaves of a constant column is no variance.
            if variance > (16.0 * f64::EPSILON * mean).powi(2) { variance } else { 0.0 }
        };
        let of_x = sums.into_iter().zip(there).zip(&centre.x).map(zeros);
        of_x.chain(of_y.into_iter().map(|sum| sum / centre.weight)).collect()
    }
}

/// Centred rows times the root of their weights, as an operator.
struct Operator<'a> {
    x: &'a Sparse,
    centre: &'a Centre,
    roots: Vec<f64>,
}

impl Operator<'_> {
    fn times(&self, v: &[f64]) -> Vec<f64> {
        let moved = dot(&self.centre.x, v);
        self.roots.iter().enumerate().map(|(row, root)| root * (self.x.dot(row, v) - moved)).collect()
    }

    fn transposed_times(&self, r: &[f64]) -> Vec<f64> {
        let (mut out, mut sum) = (vec![0.0; self.x.width()], 0.0);
        for (row, (r, root)) in r.iter().zip(&self.roots).enumerate() {
            self.x.add_row(row, root * r, &mut out);
            sum += root * r;
        }
        out.iter_mut().zip(&self.centre.x).for_each(|(out, mean)| *out -= mean * sum);
        out
    }
}

/// The coefficients that minimise the squares of one answer's errors plus `alpha` times their own; of several that do, with
/// `alpha` 0, the shortest.
pub(super) fn solve(rows: &Rows<'_, '_>, x: &Sparse, centre: &Centre, output: usize, alpha: f64) -> Solved {
    let width = rows.width();
    let roots: Vec<f64> = (0..x.rows()).map(|row| rows.weight(row).sqrt()).collect();
    let a = Operator { x, centre, roots };
    // With a price on them the coefficients are unique, and columns of other units may be brought to one.
    let inverse: Vec<f64> = match alpha > 0.0 {
        true => rows.variance(centre).iter().take(width).map(|v| (v * centre.weight + alpha).recip()).collect(),
        false => vec![1.0; width],
    };
    let mean = centre.y.get(output).copied().unwrap_or(0.0);
    let mut left: Vec<f64> = a.roots.iter().zip(rows.y.column(output)).map(|(root, y)| root * (y - mean)).collect();
    let mut coef = vec![0.0; width];
    let mut slope = a.transposed_times(&left);
    let mut pull: Vec<f64> = slope.iter().zip(&inverse).map(|(s, i)| s * i).collect();
    let mut direction = pull.clone();
    let mut square = dot(&slope, &pull);
    let target = TOL * TOL * square;
    let most = 100 + 4 * width.min(x.rows()); // in exact numbers one round for each would do
    for n_iter in 0..most {
        if square <= target || !square.is_finite() {
            return Solved { coef, n_iter, converged: square <= target };
        }
        let moved = a.times(&direction);
        let length = square / (dot(&moved, &moved) + alpha * dot(&direction, &direction));
        coef.iter_mut().zip(&direction).for_each(|(c, d)| *c += length * d);
        left.iter_mut().zip(&moved).for_each(|(l, m)| *l -= length * m);
        slope = a.transposed_times(&left);
        slope.iter_mut().zip(&coef).for_each(|(s, c)| *s -= alpha * c);
        pull.iter_mut().zip(slope.iter().zip(&inverse)).for_each(|(p, (s, i))| *p = s * i);
        let next = dot(&slope, &pull);
        let keep = next / square;
        direction.iter_mut().zip(&pull).for_each(|(d, p)| *d = p + keep * *d);
        square = next;
    }
    Solved { coef, n_iter: most, converged: false }
}
