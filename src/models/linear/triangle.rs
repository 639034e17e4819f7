//! The triangle of a QR factorisation and what is solved with it.

use super::rows::{Centre, Rows, join};
use crate::models::linalg::{self, dot, solve_upper, solve_upper_transposed};

/// The QR triangle of centred features, its columns brought to length 1, with `Qᵀy` beside it.
pub(super) struct Triangle {
    /// `[F, F]`, column after column.
    r: Vec<f64>,
    /// The length that each column had; 1 of a column of zeros.
    length: Vec<f64>,
    /// `Qᵀy` of each answer.
    right: Vec<Vec<f64>>,
    /// Of each answer, the sum of squares that no coefficients can explain.
    pub squares: Vec<f64>,
    /// Of each answer, the sum of squares to explain.
    pub total: Vec<f64>,
    /// Singular values of `r` below this are roundings.
    tolerance: f64,
}

impl Triangle {
    pub fn new(rows: &Rows<'_, '_>, centre: &Centre) -> Triangle {
        Triangle::of(rows.width(), &rows.triangle(centre), rows.x.rows())
    }

    /// With `alpha` times the square of each coefficient added to the sum of squares.
    pub fn penalised(rows: &Rows<'_, '_>, centre: &Centre, alpha: f64) -> Triangle {
        let n = rows.width() + rows.outputs();
        let mut penalty = vec![0.0; n * n];
        penalty.iter_mut().step_by(n + 1).take(rows.width()).for_each(|p| *p = alpha.sqrt());
        Triangle::of(rows.width(), &join(n, &rows.triangle(centre), &penalty), rows.x.rows())
    }

    fn of(width: usize, whole: &[f64], rows: usize) -> Triangle {
        let n = whole.len().isqrt();
        let (of_x, of_y) = whole.split_at(width * n);
        let (mut r, mut length) = (Vec::with_capacity(width * width), Vec::with_capacity(width));
        for column in of_x.chunks_exact(n.max(1)) {
            // The largest entry is taken out first, so that no square leaves the range of f64.
            let largest = column.iter().fold(0.0f64, |largest, r| largest.max(r.abs()));
            let unit = if largest > 0.0 { largest } else { 1.0 };
            let scaled = column.iter().map(|r| (r / unit).powi(2)).sum::<f64>().sqrt() * unit;
            let scaled = if scaled > 0.0 { scaled } else { 1.0 };
            r.extend(column[..width].iter().map(|r| r / scaled));
            length.push(scaled);
        }
        let squares = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>();
        let columns = || of_y.chunks_exact(n.max(1));
        Triangle {
            r,
            length,
            right: columns().map(|column| column[..width].to_vec()).collect(),
            squares: columns().map(|column| squares(&column[width..])).collect(),
            total: columns().map(squares).collect(),
            // What `linalg::triangle` takes for nothing, in the height of one of its blocks.
            tolerance: 16.0 * f64::EPSILON * (rows + n).min(4 * n + 128) as f64,
        }
    }

    fn width(&self) -> usize {
        self.length.len()
    }

    /// Whether all columns are far enough from the span of the others. The smallest singular value is found by inverse
    /// iteration, which is never below it.
    fn is_regular(&self) -> bool {
        let width = self.width();
        if self.r.iter().step_by(width + 1).any(|r| r.abs() <= self.tolerance) {
            return false;
        }
        let mut v: Vec<f64> = (0..width).map(|i| 1.0 + (i % 7) as f64 / 8.0).collect(); // no column is left out
        let mut smallest = f64::INFINITY;
        for _ in 0..8 {
            let length = dot(&v, &v).sqrt();
            v.iter_mut().for_each(|v| *v /= length);
            solve_upper_transposed(&self.r, &mut v);
            solve_upper(&self.r, &mut v);
            smallest = dot(&v, &v).sqrt().recip().sqrt();
        }
        smallest > 16.0 * self.tolerance * (width as f64).sqrt() // else the singular values decide
    }

    /// The coefficients of each answer, and the rank: where columns depend on each other, the coefficients of least length.
    pub fn solve(&self) -> (Vec<Vec<f64>>, usize) {
        let width = self.width();
        let unscaled = |mut coef: Vec<f64>| {
            coef.iter_mut().zip(&self.length).for_each(|(c, length)| *c /= length);
            coef
        };
        if !self.is_regular()
            && let Some((s, u, v)) = linalg::singular(width, &self.r)
        {
            let least = self.tolerance * s.first().copied().unwrap_or(0.0);
            let rank = s.iter().take_while(|&&s| s > least).count();
            let columns = |m: &[f64]| m.chunks_exact(width).map(<[f64]>::to_vec).collect::<Vec<_>>();
            let (u, v) = (columns(&u), columns(&v));
            let nullspace: Vec<Vec<f64>> = v[rank..].iter().cloned().map(unscaled).collect();
            let solve = |right: &Vec<f64>| {
                let mut coef = vec![0.0; width];
                for ((u, v), s) in u.iter().zip(&v).zip(&s).take(rank) {
                    let along = dot(u, right) / s;
                    coef.iter_mut().zip(v).for_each(|(c, v)| *c += along * v);
                }
                shortest(unscaled(coef), &nullspace)
            };
            return (self.right.iter().map(solve).collect(), rank);
        }
        let solve = |right: &Vec<f64>| {
            let mut coef = right.clone();
            solve_upper(&self.r, &mut coef);
            unscaled(coef)
        };
        (self.right.iter().map(solve).collect(), width)
    }

    /// Solves `XᵀX d = g` in place.
    pub fn solve_normal(&self, g: &mut [f64]) {
        g.iter_mut().zip(&self.length).for_each(|(g, length)| *g /= length);
        solve_upper_transposed(&self.r, g);
        solve_upper(&self.r, g);
        g.iter_mut().zip(&self.length).for_each(|(g, length)| *g /= length);
    }

    /// The largest change of a prediction that a step makes, relative to what the coefficients make.
    pub fn relative_size(&self, step: &[f64], coef: &[f64]) -> f64 {
        let largest = |c: &[f64]| c.iter().zip(&self.length).fold(0.0f64, |most, (c, l)| most.max((c * l).abs()));
        match largest(step) {
            0.0 => 0.0,
            step => step / largest(coef).max(step / 2.0), // of coefficients that are 0
        }
    }

    /// The diagonal of `(XᵀX)⁻¹`, and `mᵀ (XᵀX)⁻¹ m`.
    pub fn inverse_diagonal(&self, m: &[f64]) -> (Vec<f64>, f64) {
        let width = self.width();
        let mut diagonal = vec![0.0; width];
        let mut column = vec![0.0; width];
        for j in 0..width {
            column.fill(0.0);
            column[j] = 1.0;
            solve_upper(&self.r, &mut column[..]); // a column of R⁻¹; (RᵀR)⁻¹ = R⁻¹ R⁻ᵀ
            diagonal.iter_mut().zip(&column).for_each(|(d, c)| *d += c * c);
        }
        diagonal.iter_mut().zip(&self.length).for_each(|(d, length)| *d /= length * length);
        let mut scaled: Vec<f64> = m.iter().zip(&self.length).map(|(m, length)| m / length).collect();
        solve_upper_transposed(&self.r, &mut scaled);
        (diagonal, dot(&scaled, &scaled))
    }
}

/// Of all `coef + nullspace · z` the shortest.
fn shortest(coef: Vec<f64>, nullspace: &[Vec<f64>]) -> Vec<f64> {
    let (width, free) = (coef.len(), nullspace.len());
    if free == 0 {
        return coef;
    }
    let n = free + 1;
    let height = width.max(n);
    let mut stack = vec![0.0; height * n];
    for (column, values) in stack.chunks_exact_mut(height).zip(nullspace.iter().chain([&coef])) {
        column[..width].copy_from_slice(values);
    }
    linalg::triangle(height, n, &mut stack);
    let columns: Vec<f64> = stack.chunks_exact(height).take(free).flat_map(|column| &column[..free]).copied().collect();
    let mut z = stack[free * height..][..free].to_vec();
    solve_upper(&columns, &mut z);
    let mut coef = coef;
    for (z, direction) in z.iter().zip(nullspace).filter(|(z, _)| z.is_finite()) {
        coef.iter_mut().zip(direction).for_each(|(c, d)| *c -= z * d);
    }
    coef
}
