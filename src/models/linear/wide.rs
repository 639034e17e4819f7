//! Least squares and ridge regression with more features than rows: solved among the rows, in the memory of one copy of the
//! data.

use super::rows::{Centre, Rows};
use crate::models::linalg::{dot, singular, top, triangle};

/// What is found for each answer.
pub(super) struct Wide {
    pub coefs: Vec<Vec<f64>>,
    pub rank: usize,
    /// Of each answer, the sum of squares of the residuals.
    pub squares: Vec<f64>,
    /// Of each answer, the sum of squares to explain.
    pub total: Vec<f64>,
}

/// The shortest coefficients that minimise the sum of squares plus `alpha` times their own. They are `Xᵀc`, with
/// `(X Xᵀ + alpha) c = y`; `X Xᵀ = V S² Vᵀ` by the triangle of `Xᵀ`, so that its condition is never squared.
pub(super) fn solve_wide(rows: &Rows<'_, '_>, centre: &Centre, alpha: f64) -> Wide {
    let (width, outputs, count) = (rows.width(), rows.outputs(), rows.x.rows());
    let n = width + outputs;
    let mut x = rows.all_centred(centre);
    let answers: Vec<Vec<f64>> = (0..outputs).map(|k| x[width + k..].iter().step_by(n).copied().collect()).collect();
    for row in 0..count {
        x.copy_within(row * n..row * n + width, row * width);
    }
    x.truncate(count * width);
    triangle(width, count, &mut x); // the rows of X are the columns of Xᵀ
    let r = top(count, &x);
    drop(x);
    let (s, _, v) = singular(count, &r).unwrap_or_else(|| (vec![f64::NAN; count], Vec::new(), Vec::new()));
    let least = 16.0 * f64::EPSILON * width as f64 * s.first().copied().unwrap_or(0.0);
    let rank = s.iter().take_while(|&&s| s > least).count();
    let solve = |right: &[f64]| {
        let mut c = vec![0.0; count];
        for (v, s) in v.chunks_exact(count).zip(&s).take(rank) {
            let along = dot(v, right) / (s * s + alpha);
            c.iter_mut().zip(v).for_each(|(c, v)| *c += along * v);
        }
        c
    };
    // One pass over the rows: Xᵀc, or X coef.
    let mut row = Vec::new();
    let mut each = |act: &mut dyn FnMut(usize, &[f64])| {
        for i in 0..count {
            rows.centred(centre, i..i + 1, &mut row);
            act(i, &row[..width]);
        }
    };
    let (mut coefs, mut squares, mut total) = (Vec::new(), Vec::new(), Vec::new());
    for y in &answers {
        let mut c = solve(y);
        let mut coef = vec![0.0; width];
        let mut residuals = y.clone();
        for correct in [true, false] {
            coef.fill(0.0);
            each(&mut |i, x| coef.iter_mut().zip(x).for_each(|(coef, x)| *coef += c[i] * x));
            each(&mut |i, x| residuals[i] = y[i] - dot(x, &coef));
            if correct {
                let right: Vec<f64> = residuals.iter().zip(&c).map(|(r, c)| r - alpha * c).collect();
                c.iter_mut().zip(solve(&right)).for_each(|(c, step)| *c += step);
            }
        }
        coefs.push(if s.iter().all(|s| s.is_finite()) { coef } else { vec![f64::NAN; width] });
        squares.push(dot(&residuals, &residuals));
        total.push(dot(y, y));
    }
    Wide { coefs, rank, squares, total }
}
