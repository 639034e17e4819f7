//! Linear machines with a squared loss, by Newton's method on the weights: `½|w|² + Σ C max(0, distance)²` is piecewise quadratic.
//!
//! The Newton step is found by conjugate gradients, which need products with the Hessian only: one pass over the rows that cost
//! something. Source: Keerthi, DeCoste, "A modified finite Newton method for fast solution of large scale linear SVMs", JMLR 6
//! (2005); the stopping rule is LIBLINEAR's.

use super::linear::{Fit, Rows, Values, Weights};
use crate::data::Sparse;
use crate::device::cpu::parallel::for_chunks;
use crate::device::host_threads;
use crate::models::linalg::dot;
use pulp::{Arch, Simd, WithSimd};

/// Rows of a part: some hundred kilobytes of features, so that a part's second look at its rows finds them in cache.
const PART: usize = 1024;
/// Rows whose products are taken together.
const GROUP: usize = 4;

/// What the rows of a part add up to.
#[derive(Default)]
struct Part {
    /// Rows that cost something, and twice the cost of each.
    active: Vec<(u32, f64)>,
    sum: Vec<f64>,
    loss: f64,
}

/// Minimises `½|w|² + Σ costs · max(0, distance)²`, where `distance(row, decision)` is how far a row is from where it costs nothing,
/// with its sign: the derivative of its square is twice itself.
pub(super) fn minimise(
    rows: Rows<'_>,
    costs: &[f64],
    tol: f64,
    max_iter: usize,
    distance: impl Fn(usize, f64) -> f64 + Sync,
) -> Fit {
    let size = rows.width + 1;
    let mut parts: Vec<Part> = Vec::new();
    parts.resize_with(rows.count.div_ceil(PART), Part::default);
    let mut w = vec![0.0; size];
    let (mut value, mut gradient) = evaluate(rows, &mut parts, &w, costs, &distance);
    let target = tol * norm(&gradient);
    for iteration in 0..max_iter {
        if target.is_finite() && norm(&gradient) <= target {
            return Fit { weights: Weights::of(rows, &w), iterations: iteration, converged: true };
        }
        let step = newton_step(rows, &mut parts, &gradient);
        let slope = dot(&step, &gradient);
        let mut length = 1.0;
        loop {
            let next: Vec<f64> = w.iter().zip(&step).map(|(w, d)| w + length * d).collect();
            let (next_value, next_gradient) = evaluate(rows, &mut parts, &next, costs, &distance);
            // Where rounding hides the decrease, the gradient tells whether it is nearer.
            let nearer = norm(&next_gradient) < norm(&gradient) && next_value <= value + 1e-12 * value.abs();
            if next_value <= value + 1e-4 * length * slope || nearer {
                (w, value, gradient) = (next, next_value, next_gradient);
                break;
            }
            length /= 2.0;
            if length < 1e-10 {
                return Fit { weights: Weights::of(rows, &w), iterations: iteration, converged: false };
            }
        }
    }
    let converged = norm(&gradient) <= target;
    Fit { weights: Weights::of(rows, &w), iterations: max_iter, converged }
}

/// The objective and its gradient at `w`; notes the rows that cost something.
fn evaluate(
    rows: Rows<'_>,
    parts: &mut [Part],
    w: &[f64],
    costs: &[f64],
    distance: &(impl Fn(usize, f64) -> f64 + Sync),
) -> (f64, Vec<f64>) {
    for_chunks(host_threads(), parts, 1, (4 * PART * rows.width) as u64, |p, part| {
        for part in part {
            let all = p * PART..rows.count.min((p + 1) * PART);
            part.active.clear();
            part.loss = 0.0;
            let list: Vec<(u32, f64)> = all.map(|row| (row as u32, 0.0)).collect();
            let (active, loss) = (&mut part.active, &mut part.loss);
            sweep(rows, &list, w, &mut part.sum, |row, _, decision| {
                let off = distance(row, decision);
                if off == 0.0 || costs[row] == 0.0 {
                    return 0.0;
                }
                active.push((row as u32, 2.0 * costs[row]));
                *loss += costs[row] * off * off;
                2.0 * costs[row] * off
            });
        }
    });
    let (mut gradient, mut value) = (w.to_vec(), 0.5 * dot(w, w));
    for part in parts {
        value += part.loss;
        gradient.iter_mut().zip(&part.sum).for_each(|(g, s)| *g += s);
    }
    (value, gradient)
}

/// Solves `H d = -gradient` to a tenth of its norm, or better as the optimum comes near: that makes it converge faster than
/// linearly.
fn newton_step(rows: Rows<'_>, parts: &mut [Part], gradient: &[f64]) -> Vec<f64> {
    let size = gradient.len();
    let mut step = vec![0.0; size];
    let mut residual: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut direction = residual.clone();
    let mut square = dot(&residual, &residual);
    let wanted = 0.1f64.min(square.sqrt().sqrt()).powi(2) * square;
    for _ in 0..10 * size {
        if square <= wanted || square == 0.0 {
            break;
        }
        for_chunks(host_threads(), parts, 1, (2 * PART * rows.width) as u64, |_, part| {
            for Part { active, sum, .. } in part {
                sweep(rows, active, &direction, sum, |_, curvature, product| curvature * product);
            }
        });
        let mut bent = direction.clone();
        for part in &*parts {
            bent.iter_mut().zip(&part.sum).for_each(|(b, s)| *b += s);
        }
        let length = square / dot(&direction, &bent);
        step.iter_mut().zip(&direction).for_each(|(s, d)| *s += length * d);
        residual.iter_mut().zip(&bent).for_each(|(r, b)| *r -= length * b);
        let next = dot(&residual, &residual);
        let keep = next / square;
        direction.iter_mut().zip(&residual).for_each(|(d, r)| *d = r + keep * *d);
        square = next;
    }
    step
}

/// `sum = Σ factor(row, note, [x, intercept_scaling] · v) · [x, intercept_scaling]` over the listed rows, in one pass.
fn sweep(
    rows: Rows<'_>,
    list: &[(u32, f64)],
    v: &[f64],
    sum: &mut Vec<f64>,
    factor: impl FnMut(usize, f64, f64) -> f64,
) {
    sum.clear();
    sum.resize(v.len(), 0.0);
    if let Values::Sparse(x) = rows.values {
        return sparse_sweep(rows, x, list, v, sum, factor);
    }
    Arch::new().dispatch(Sweep { rows, list, v, sum, factor });
}

fn sparse_sweep(
    rows: Rows<'_>,
    x: &Sparse,
    list: &[(u32, f64)],
    v: &[f64],
    sum: &mut [f64],
    mut factor: impl FnMut(usize, f64, f64) -> f64,
) {
    let (Some((last, v)), Some((last_sum, sum))) = (v.split_last(), sum.split_last_mut()) else { return };
    for &(row, note) in list {
        let value = factor(row as usize, note, x.dot(row as usize, v) + rows.scaling * last);
        *last_sum += rows.scaling * value;
        x.add_row(row as usize, value, sum);
    }
}

struct Sweep<'a, F> {
    rows: Rows<'a>,
    list: &'a [(u32, f64)],
    v: &'a [f64],
    sum: &'a mut [f64],
    factor: F,
}

impl<F: FnMut(usize, f64, f64) -> f64> WithSimd for Sweep<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Sweep { rows, list, v, sum, mut factor } = self;
        let (Some((last, v)), Some((last_sum, sum))) = (v.split_last(), sum.split_last_mut()) else { return };
        let (groups, rest) = list.as_chunks::<GROUP>();
        for group in groups {
            let of = group.map(|(row, _)| rows.row(row as usize));
            let dots = dots(simd, of, v);
            let mut factors = [0.0; GROUP];
            for ((out, &(row, note)), dot) in factors.iter_mut().zip(group).zip(dots) {
                *out = factor(row as usize, note, dot + rows.scaling * last);
                *last_sum += rows.scaling * *out;
            }
            if factors != [0.0; GROUP] {
                add(simd, of, factors, sum);
            }
        }
        for &(row, note) in rest {
            let of = [rows.row(row as usize)];
            let [dot] = dots(simd, of, v);
            let value = factor(row as usize, note, dot + rows.scaling * last);
            *last_sum += rows.scaling * value;
            add(simd, of, [value], sum);
        }
    }
}

/// The products of `R` rows with `v`, as long as it.
#[inline(always)]
fn dots<S: Simd, const R: usize>(simd: S, rows: [&[f64]; R], v: &[f64]) -> [f64; R] {
    let (v, v_tail) = S::as_simd_f64s(v);
    let rows = rows.map(|row| S::as_simd_f64s(row));
    let mut sums = [simd.splat_f64s(0.0); R];
    if rows.iter().all(|(row, _)| row.len() == v.len()) {
        for (i, v) in v.iter().enumerate() {
            for (sum, (row, _)) in sums.iter_mut().zip(&rows) {
                *sum = simd.mul_add_e_f64s(row[i], *v, *sum);
            }
        }
    }
    if !v_tail.is_empty() {
        let v = simd.partial_load_f64s(v_tail);
        for (sum, (_, tail)) in sums.iter_mut().zip(&rows) {
            *sum = simd.mul_add_e_f64s(simd.partial_load_f64s(tail), v, *sum);
        }
    }
    sums.map(|sum| simd.reduce_sum_f64s(sum))
}

/// Adds `R` rows, times their factors.
#[inline(always)]
fn add<S: Simd, const R: usize>(simd: S, rows: [&[f64]; R], factors: [f64; R], sum: &mut [f64]) {
    let factors = factors.map(|factor| simd.splat_f64s(factor));
    let rows = rows.map(|row| S::as_simd_f64s(row));
    let (sum, sum_tail) = S::as_mut_simd_f64s(sum);
    if rows.iter().all(|(row, _)| row.len() == sum.len()) {
        for (i, sum) in sum.iter_mut().enumerate() {
            *sum = rows.iter().zip(factors).fold(*sum, |sum, ((row, _), f)| simd.mul_add_e_f64s(row[i], f, sum));
        }
    }
    if !sum_tail.is_empty() {
        let start = simd.partial_load_f64s(sum_tail);
        let join = |sum, ((_, tail), f): (&(_, &[f64]), _)| simd.mul_add_e_f64s(simd.partial_load_f64s(tail), f, sum);
        simd.partial_store_f64s(sum_tail, rows.iter().zip(factors).fold(start, join));
    }
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}
