//! Sequential minimal optimisation: the dual of a support vector machine, two variables at a time.
//!
//! Written in the signed coefficients `β = y α` of the decision `Σ β_t K(x_t, x) + b`, in which classification and regression are
//! one problem: minimise `½ βᵀKβ - Σ c β` with `low <= β <= high` and `Σ β = 0`. A row of a classifier has one variable (`c = ±1`,
//! between 0 and `±C`), a row of a regression two (`c = y ∓ ε`, one on each side of 0). With `f = c - Kβ`, the optimum is where no
//! `f` of a variable that may rise exceeds one that may fall.
//!
//! Sources: Platt 1998; Fan, Chen, Lin, "Working set selection using second order information", JMLR 6 (2005), and LIBSVM, whose
//! selection, stopping rule and shrinking these are.

use super::cache::Cache;
use super::kernel::Function;
use crate::device::cpu::parallel::for_chunks;
use crate::error::Result;
use crate::models::estimator::check_range;
use crate::models::tiles::{Rows, TILE};
use pulp::{Arch, Simd, WithSimd};

/// What stands for a curvature that is not positive (LIBSVM's `TAU`).
const FLAT: f64 = 1e-12;

/// The variables of all rows on one side.
#[derive(Debug, Clone)]
pub(super) struct Side {
    /// `c`: a variable's `f` at the start.
    pub aim: Vec<f64>,
    /// The least that a variable may be, at most 0.
    pub low: Vec<f64>,
    /// The most, at least 0.
    pub high: Vec<f64>,
}

/// How a problem is solved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// The most by which an `f` may exceed another at the optimum.
    pub tol: f64,
    /// Steps after which it is given up.
    pub max_iter: usize,
    /// Whether variables that will stay at a bound are left out.
    pub shrinking: bool,
    /// Bytes of kernel rows that are kept.
    pub cache: usize,
    /// Threads for one kernel row.
    pub threads: usize,
}

/// The optimum.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Solution {
    /// `β` of each row, that of both sides together.
    pub beta: Vec<f64>,
    /// `b`
    pub bias: f64,
    /// `½ βᵀKβ - Σ c β`
    pub objective: f64,
    /// Steps taken.
    pub iterations: usize,
    /// Whether the tolerance was reached.
    pub converged: bool,
}

impl Solution {
    /// Refuses what came of kernel values beyond the range of f32, in which rows of the kernel are kept.
    pub fn check(&self, op: &'static str) -> Result<()> {
        check_range(op, "kernel values", &[self.objective, self.bias])
    }
}

/// One variable: its side, and the position of its row.
type Place = (usize, usize);

struct Solver {
    function: Function,
    options: Options,
    rows: Rows,
    /// The row that stands at each position: those that may still change come first.
    order: Vec<u32>,
    active: usize,
    sides: Vec<Side>,
    /// `β`, by side.
    beta: Vec<Vec<f64>>,
    /// `Kβ`, by position.
    reached: Vec<f64>,
    diagonal: Vec<f64>,
    cache: Cache,
    /// Per position: room for values to choose by.
    scratch: Vec<f64>,
    x: Vec<f64>,
}

/// Solves for rows with one or two sides of variables, as many as rows on each.
pub(super) fn solve(function: Function, rows: &Rows, sides: Vec<Side>, options: Options) -> Solution {
    let n = rows.count;
    let mut solver = Solver {
        function,
        options,
        rows: rows.clone(),
        order: (0..n as u32).collect(),
        active: n,
        beta: vec![vec![0.0; n]; sides.len()],
        sides,
        reached: vec![0.0; n],
        diagonal: function.diagonal(rows),
        cache: Cache::new(n, options.cache),
        scratch: vec![0.0; n],
        x: Vec::new(),
    };
    let (iterations, converged) = solver.run();
    solver.solution(iterations, converged)
}

impl Solver {
    fn run(&mut self) -> (usize, bool) {
        let pause = self.rows.count.min(1000); // steps between two looks at what may be left out
        let (mut until_look, mut unshrunk) = (pause, false);
        for iteration in 0..self.options.max_iter {
            if until_look == 0 {
                until_look = pause;
                if self.options.shrinking {
                    self.shrink(iteration, &mut unshrunk);
                }
            }
            until_look -= 1;
            let mut pair = self.select();
            if pair.is_none() && self.active < self.rows.count {
                self.restore();
                until_look = 1;
                pair = self.select();
            }
            match pair {
                Some((up, down)) => self.step(up, down),
                None => return (iteration, true),
            }
        }
        self.restore();
        (self.options.max_iter, false)
    }

    /// The largest `f` of variables that may rise, with its place.
    fn highest(&mut self) -> (f64, Place) {
        let mut best = (f64::NEG_INFINITY, (0, 0));
        for (s, (side, beta)) in self.sides.iter().zip(&self.beta).enumerate() {
            let n = self.active;
            let parts = (&side.aim[..n], &self.reached[..n], &beta[..n], &side.high[..n]);
            fill(
                &mut self.scratch[..n],
                parts,
                |aim, reached, beta, high| {
                    if beta < high { aim - reached } else { f64::NEG_INFINITY }
                },
            );
            let (value, at) = largest(&self.scratch[..n]);
            if value > best.0 {
                best = (value, (s, at));
            }
        }
        best
    }

    /// The smallest `f` of variables that may fall.
    fn lowest(&mut self) -> f64 {
        let mut best = f64::INFINITY;
        for (side, beta) in self.sides.iter().zip(&self.beta) {
            let n = self.active;
            let parts = (&side.aim[..n], &self.reached[..n], &beta[..n], &side.low[..n]);
            fill(
                &mut self.scratch[..n],
                parts,
                |aim, reached, beta, low| {
                    if beta > low { reached - aim } else { f64::NEG_INFINITY }
                },
            );
            best = best.min(-largest(&self.scratch[..n]).0);
        }
        best
    }

    /// The variable to rise, that of the largest `f`, and the one to fall with it that lowers the objective most; nothing when
    /// the tolerance is reached.
    fn select(&mut self) -> Option<(Place, Place)> {
        let (top, up) = self.highest();
        if top == f64::NEG_INFINITY || top - self.lowest() < self.options.tol {
            return None;
        }
        self.kernel_row(up.1);
        let n = self.active;
        let row = &self.cache.peek(self.order[up.1] as usize)[..n];
        let own = self.diagonal[up.1];
        let mut best = (f64::NEG_INFINITY, (0, 0));
        for (s, (side, beta)) in self.sides.iter().zip(&self.beta).enumerate() {
            let parts = (&side.aim[..n], &self.reached[..n], &beta[..n], &side.low[..n]);
            gains(&mut self.scratch[..n], parts, row, &self.diagonal[..n], top, own);
            let (value, at) = largest(&self.scratch[..n]);
            if value > best.0 {
                best = (value, (s, at));
            }
        }
        (best.0 > f64::NEG_INFINITY).then_some((up, best.1))
    }

    /// Sees to it that the kernel row of a position is kept, as far as positions are active.
    fn kernel_row(&mut self, position: usize) {
        let Solver { rows, function, active, x, options, .. } = self;
        let square = rows.read(position, x);
        self.cache.row(self.order[position] as usize, *active, |have, values| {
            let start = have / TILE * TILE;
            values.truncate(start);
            let mut fresh = vec![0.0f32; *active - start];
            const PART: usize = 16 * TILE;
            let work = (PART * (2 * rows.width + 40)) as u64; // an exponential is some 40 operations
            for_chunks(options.threads, &mut fresh, PART, work, |i, out| {
                let from = start + i * PART;
                let mut exact = [0.0; PART];
                function.of(rows, from..from + out.len(), x, square, &mut exact);
                out.iter_mut().zip(exact).for_each(|(out, exact)| *out = exact as f32);
            });
            match start {
                0 => *values = fresh,
                _ => values.extend(fresh),
            }
        });
    }

    /// Moves a pair to where the objective is least between its bounds.
    fn step(&mut self, up: Place, down: Place) {
        self.kernel_row(down.1);
        let (i, j, n) = (up.1, down.1, self.active);
        let row_up = &self.cache.peek(self.order[i] as usize)[..n];
        let row_down = &self.cache.peek(self.order[j] as usize)[..n];
        let f = |(side, at): Place| self.sides[side].aim[at] - self.reached[at];
        let curvature = self.diagonal[i] + self.diagonal[j] - 2.0 * f64::from(row_up[j]);
        let wished = (f(up) - f(down)) / if curvature > 0.0 { curvature } else { FLAT };
        let (high, low) = (self.sides[up.0].high[i], self.sides[down.0].low[j]);
        let (rise, fall) = (high - self.beta[up.0][i], self.beta[down.0][j] - low);
        let by = wished.min(rise).min(fall);
        // a variable that reaches its bound is exactly there, or rounding would keep it in play
        self.beta[up.0][i] = if by == rise { high } else { self.beta[up.0][i] + by };
        self.beta[down.0][j] = if by == fall { low } else { self.beta[down.0][j] - by };
        advance(&mut self.reached[..n], row_up, row_down, by);
    }

    /// Leaves out rows whose variables are at bounds which they would only be pushed against.
    fn shrink(&mut self, steps: usize, unshrunk: &mut bool) {
        let (top, bottom) = (self.highest().0, self.lowest());
        if !*unshrunk && top - bottom <= 10.0 * self.options.tol {
            *unshrunk = true; // near the optimum: once, all are looked at again
            self.restore();
        }
        let stays = |position: &usize| {
            let mut sides = self.sides.iter().zip(&self.beta);
            !sides.all(|(side, beta)| {
                let f = side.aim[*position] - self.reached[*position];
                let beta = beta[*position];
                beta == side.high[*position] && f > top || beta == side.low[*position] && f < bottom
            })
        };
        let (mut order, gone): (Vec<usize>, Vec<usize>) = (0..self.active).partition(stays);
        let left = order.len();
        // It moves all kernel rows that are kept, and saves each later step what is gone: worth it when there are as many steps
        // to come as there have been. A twentieth gone is not worth moving even a few rows.
        let (moved, saved) = (self.cache.held() / 2, gone.len().saturating_mul(steps));
        if saved < moved || gone.len() * 20 < self.active || left < 2 {
            return;
        }
        order.extend(gone);
        order.extend(self.active..self.rows.count);
        let order: Vec<u32> = order.into_iter().map(|i| i as u32).collect();
        self.cache.reorder(&order[..left]);
        self.reorder(&order);
        self.active = left;
    }

    /// Puts what stood at `order[i]` to position `i`.
    fn reorder(&mut self, order: &[u32]) {
        let moved = |values: &mut Vec<f64>| *values = order.iter().map(|&i| values[i as usize]).collect();
        self.rows = self.rows.reordered(order);
        self.order = order.iter().map(|&i| self.order[i as usize]).collect();
        moved(&mut self.reached);
        moved(&mut self.diagonal);
        self.beta.iter_mut().for_each(moved);
        for side in &mut self.sides {
            moved(&mut side.aim);
            moved(&mut side.low);
            moved(&mut side.high);
        }
    }

    /// Takes all rows back in: `Kβ` of those left out is computed anew.
    fn restore(&mut self) {
        let (n, active) = (self.rows.count, self.active);
        self.active = n;
        if active == n {
            return;
        }
        let beta: Vec<f64> = (0..n).map(|i| self.beta.iter().map(|side| side[i]).sum()).collect();
        let start = active / TILE * TILE;
        let mut fresh = vec![0.0; n - start];
        let work = (TILE * beta.iter().filter(|&&b| b != 0.0).count() * (2 * self.rows.width + 40)) as u64;
        for_chunks(self.options.threads, &mut fresh, TILE, work, |i, out| {
            let from = start + i * TILE;
            let (mut x, mut values) = (Vec::new(), [0.0; TILE]);
            for (j, beta) in beta.iter().enumerate().filter(|(_, beta)| **beta != 0.0) {
                let square = self.rows.read(j, &mut x);
                self.function.of(&self.rows, from..from + out.len(), &x, square, &mut values);
                out.iter_mut().zip(values).for_each(|(out, value)| *out += beta * value);
            }
        });
        self.reached[active..].copy_from_slice(&fresh[active - start..]);
    }

    fn solution(mut self, iterations: usize, converged: bool) -> Solution {
        let (top, bottom) = (self.highest().0, self.lowest());
        let (mut sum, mut free, mut objective) = (0.0, 0usize, 0.0);
        let mut beta = vec![0.0; self.rows.count];
        for (side, of_side) in self.sides.iter().zip(&self.beta) {
            for (at, &value) in of_side.iter().enumerate() {
                if value > side.low[at] && value < side.high[at] {
                    sum += side.aim[at] - self.reached[at];
                    free += 1;
                }
                objective += value * (0.5 * self.reached[at] - side.aim[at]);
                beta[self.order[at] as usize] += value;
            }
        }
        let middle = match (top.is_finite(), bottom.is_finite()) {
            (true, true) => (top + bottom) / 2.0,
            (true, false) => top,
            (false, true) => bottom,
            (false, false) => 0.0,
        };
        let bias = if free > 0 { sum / free as f64 } else { middle };
        Solution { beta, bias, objective, iterations, converged }
    }
}

/// `aim`, `reached`, `β` and a bound of each position.
type Parts<'a> = (&'a [f64], &'a [f64], &'a [f64], &'a [f64]);

fn fill(out: &mut [f64], (aim, reached, beta, bound): Parts<'_>, value: impl Fn(f64, f64, f64, f64) -> f64) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for ((((out, aim), reached), beta), bound) in out.iter_mut().zip(aim).zip(reached).zip(beta).zip(bound) {
                *out = value(*aim, *reached, *beta, *bound);
            }
        },
    );
}

/// By how much the objective falls (twice, and but for bounds) when a variable falls against the one whose `f` is `top`.
fn gains(out: &mut [f64], (aim, reached, beta, low): Parts<'_>, row: &[f32], diagonal: &[f64], top: f64, own: f64) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let values = aim.iter().zip(reached).zip(beta).zip(low).zip(row).zip(diagonal);
            for (out, (((((aim, reached), beta), low), kernel), diagonal)) in out.iter_mut().zip(values) {
                let apart = top - (aim - reached);
                let curvature = own + diagonal - 2.0 * f64::from(*kernel);
                let curvature = if curvature > 0.0 { curvature } else { FLAT };
                let gain = apart * apart / curvature;
                *out = if (*beta > *low) & (apart > 0.0) { gain } else { f64::NEG_INFINITY };
            }
        },
    );
}

fn advance(reached: &mut [f64], up: &[f32], down: &[f32], by: f64) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for ((reached, up), down) in reached.iter_mut().zip(up).zip(down) {
                *reached += by * (f64::from(*up) - f64::from(*down));
            }
        },
    );
}

/// The largest value and its place, the last of equals (as LIBSVM); -infinity of nothing.
fn largest(values: &[f64]) -> (f64, usize) {
    const BLOCK: usize = 256;
    let (mut best, mut start) = (f64::NEG_INFINITY, 0);
    for (i, block) in values.chunks(BLOCK).enumerate() {
        let value = Arch::new().dispatch(Max { block });
        if value >= best {
            (best, start) = (value, i * BLOCK);
        }
    }
    let block = values.get(start..values.len().min(start + BLOCK)).unwrap_or_default();
    (best, start + block.iter().rposition(|&v| v == best).unwrap_or(0))
}

struct Max<'a> {
    block: &'a [f64],
}

impl WithSimd for Max<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let (vectors, tail) = S::as_simd_f64s(self.block);
        let mut best = [simd.splat_f64s(f64::NEG_INFINITY); 4];
        let (groups, rest) = vectors.as_chunks::<4>();
        for group in groups {
            best.iter_mut().zip(group).for_each(|(best, v)| *best = simd.max_f64s(*best, *v));
        }
        let [mut first, others @ ..] = best;
        others.iter().chain(rest).for_each(|v| first = simd.max_f64s(first, *v));
        tail.iter().fold(simd.reduce_max_f64s(first), |best, v| best.max(*v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::svm::kernel::Kernel;
    use crate::rng::Rng;
    use ndarray::Array2;

    /// Two noisy clouds, and what each variable may be.
    fn task(rows: usize, c: f64) -> (Rows, Vec<Side>) {
        let noise = Rng::seed(3).normals(rows * 2);
        let x = Array2::from_shape_fn((rows, 2), |(i, j)| f64::from(noise[2 * i + j]) + (i % 2) as f64);
        let aim: Vec<f64> = (0..rows).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let low = aim.iter().map(|y| (y * c).min(0.0)).collect();
        let high = aim.iter().map(|y| (y * c).max(0.0)).collect();
        (Rows::new((&x).into(), &(0..rows).collect::<Vec<_>>()), vec![Side { aim, low, high }])
    }

    const RBF: Function = Function { kernel: Kernel::Rbf, gamma: 0.5, coef0: 0.0, degree: 3 };
    const OPTIONS: Options = Options { tol: 1e-9, max_iter: 1_000_000, shrinking: true, cache: 1 << 20, threads: 1 };

    #[test]
    fn shrinking_a_small_cache_and_threads_lead_to_the_same_optimum() {
        let (rows, sides) = task(1500, 1.0);
        let options = Options { tol: 1e-6, ..OPTIONS };
        let plain = solve(RBF, &rows, sides.clone(), Options { shrinking: false, cache: 64 << 20, ..options });
        for options in [options, Options { cache: 0, ..options }, Options { threads: 2, ..options }] {
            let other = solve(RBF, &rows, sides.clone(), options);
            assert!(plain.converged && other.converged);
            // both within 1e-6 of the optimality conditions, over 1500 rows
            assert!((plain.objective - other.objective).abs() < 1e-6 * plain.objective.abs());
            assert!((plain.bias - other.bias).abs() < 1e-5, "{} {}", plain.bias, other.bias);
        }
    }

    #[test]
    fn the_optimum_keeps_its_conditions() {
        let (rows, sides) = task(60, 2.0);
        let got = solve(RBF, &rows, sides.clone(), OPTIONS);
        assert!(got.converged && got.beta.iter().sum::<f64>().abs() < 1e-12);
        let mut x = Vec::new();
        for i in 0..60 {
            let mut kernel = vec![0.0; 60];
            let square = rows.read(i, &mut x);
            RBF.of(&rows, 0..60, &x, square, &mut kernel);
            let decision: f64 = kernel.iter().zip(&got.beta).map(|(k, b)| k * b).sum::<f64>() + got.bias;
            let (y, alpha) = (sides[0].aim[i], got.beta[i].abs());
            let margin = y * decision;
            // kernel rows are kept as f32: 60 of them, each times at most 2, are off by 60 · 2 · 2⁻²⁵
            let slack = 1e-5;
            assert!(alpha > 0.0 || margin > 1.0 - slack, "row {i}: outside at {margin}");
            assert!(alpha < 2.0 || margin < 1.0 + slack, "row {i}: inside at {margin}");
            assert!(alpha == 0.0 || alpha == 2.0 || (margin - 1.0).abs() < slack, "row {i}: free at {margin}");
        }
    }

    #[test]
    fn steps_that_run_out_are_told() {
        let (rows, sides) = task(60, 2.0);
        let got = solve(RBF, &rows, sides, Options { max_iter: 3, ..OPTIONS });
        assert!(!got.converged && got.iterations == 3 && got.bias.is_finite());
    }
}
