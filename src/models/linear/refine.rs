//! The last digits of least squares. Residuals and their products with the columns are formed in twice the precision (an
//! unevaluated sum of two f64), and the triangle that gave the first solution corrects it: each round shrinks the error by
//! the condition number times 2⁻⁵³ (Björck, Iterative refinement of linear least squares solutions I, 1967).

use super::rows::{Centre, Cut, Rows};
use super::triangle::Triangle;
use ndarray::{ArrayView1, Axis, Slice};
use std::ops::Range;

/// Rounds until a correction that is not much smaller than the one before shows that nothing is to be gained.
const ROUNDS: usize = 10;
/// A correction of this size, relative to the largest part of the solution, leaves less than a rounding to correct in parts a
/// thousandth as large.
const SMALL: f64 = 1e-12;

const LANES: usize = 8;

/// A number and what it lacks: their sum is meant.
#[derive(Debug, Clone, Copy, Default)]
struct Twice {
    high: f64,
    low: f64,
}

impl Twice {
    #[inline(always)]
    fn add(&mut self, value: f64) {
        let sum = self.high + value;
        let part = sum - self.high;
        self.low += (self.high - (sum - part)) + (value - part); // Knuth: what rounding took
        self.high = sum;
    }

    #[inline(always)]
    fn add_product(&mut self, a: f64, b: f64) {
        let product = a * b;
        self.add(product);
        self.low += a.mul_add(b, -product);
    }

    #[inline(always)]
    fn add_twice(&mut self, other: Twice) {
        self.add(other.high);
        self.low += other.low;
    }

    fn value(self) -> f64 {
        self.high + self.low
    }
}

/// What one pass over the rows finds.
#[derive(Clone)]
struct Products {
    /// Sum of the weighted residuals.
    sum: Twice,
    /// Sums of their products with each column, `[F]`.
    with_columns: Vec<Twice>,
    /// The weighted sum of squares of the residuals.
    squares: f64,
}

/// Improves a solution for one answer; gives the sum of squares of its residuals.
pub(super) fn refine(
    rows: &Rows<'_, '_>,
    centre: &Centre,
    triangle: &Triangle,
    output: usize,
    coef: &mut [f64],
    intercept: &mut Option<f64>,
) -> f64 {
    let y = rows.y.index_axis(Axis(1), output);
    let mut constant = Twice { high: intercept.unwrap_or(0.0), low: 0.0 };
    let mut before = f64::INFINITY;
    let mut squares = f64::INFINITY;
    for _ in 0..ROUNDS {
        let products = products(rows, y, coef, constant);
        squares = products.squares;
        let mean = products.sum.value() / centre.weight;
        let mut step = Vec::with_capacity(coef.len());
        for (with_column, mean) in products.with_columns.iter().zip(&centre.x) {
            let mut centred = *with_column; // the product with the centred column
            if intercept.is_some() {
                centred.add_product(-mean, products.sum.high);
                centred.low -= mean * products.sum.low;
            }
            step.push(centred.value());
        }
        triangle.solve_normal(&mut step);
        let size = triangle.relative_size(&step, coef);
        if size.is_nan() || size > before / 2.0 {
            break; // as exact as the numbers allow
        }
        coef.iter_mut().zip(&step).for_each(|(c, step)| *c += step);
        if intercept.is_some() {
            constant.add(mean);
            step.iter().zip(&centre.x).for_each(|(step, mean)| constant.add_product(-step, *mean));
        }
        if size <= SMALL {
            break;
        }
        before = size;
    }
    if let Some(intercept) = intercept {
        *intercept = constant.value();
    }
    squares
}

fn products(rows: &Rows<'_, '_>, y: ArrayView1<'_, f64>, coef: &[f64], constant: Twice) -> Products {
    let width = rows.width();
    let start = || Products { sum: Twice::default(), with_columns: vec![Twice::default(); width], squares: 0.0 };
    let each = |state: &mut Products, range: Range<usize>| {
        let x = rows.x.block(range.clone());
        let y = y.slice_axis(Axis(0), Slice::from(range.clone()));
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                for ((row, x), &y) in range.zip(x.chunks_exact(width)).zip(y) {
                    add_row(state, x, y, rows.weight(row), coef, constant);
                }
            },
        );
    };
    let combine = |mut a: Products, b: Products| {
        a.sum.add_twice(b.sum);
        a.with_columns.iter_mut().zip(b.with_columns).for_each(|(a, b)| a.add_twice(b));
        a.squares += b.squares;
        a
    };
    rows.reduce(Cut { block: 64, cost: 40 * width, least: 1 }, start, each, |state| state, combine)
}

#[inline(always)]
fn add_row(state: &mut Products, x: &[f64], y: f64, weight: f64, coef: &[f64], constant: Twice) {
    let mut lanes = [Twice::default(); LANES];
    let (x_blocks, x_rest) = x.as_chunks::<LANES>();
    let (coef_blocks, coef_rest) = coef.as_chunks::<LANES>();
    for (x, coef) in x_blocks.iter().zip(coef_blocks) {
        for lane in 0..LANES {
            lanes[lane].add_product(-x[lane], coef[lane]);
        }
    }
    for ((lane, x), coef) in lanes.iter_mut().zip(x_rest).zip(coef_rest) {
        lane.add_product(-x, *coef);
    }
    let mut residual = Twice { high: y, low: 0.0 };
    residual.add(-constant.high);
    residual.low -= constant.low;
    lanes.into_iter().for_each(|lane| residual.add_twice(lane));

    let mut weighted = Twice { high: weight * residual.high, low: weight * residual.low };
    weighted.low += weight.mul_add(residual.high, -weighted.high);
    state.sum.add_twice(weighted);
    let (sums, sums_rest) = state.with_columns.as_chunks_mut::<LANES>();
    for (sums, x) in sums.iter_mut().zip(x_blocks) {
        for lane in 0..LANES {
            sums[lane].add_product(x[lane], weighted.high);
            sums[lane].low += x[lane] * weighted.low;
        }
    }
    for (sum, x) in sums_rest.iter_mut().zip(x_rest) {
        sum.add_product(*x, weighted.high);
        sum.low += x * weighted.low;
    }
    state.squares += weight * residual.value().powi(2);
}
