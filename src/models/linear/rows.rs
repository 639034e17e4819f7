//! Rows, answers and weights as the solvers read them: block after block, widened to f64 and centred on the way, so that the
//! data is never copied. Parts and blocks depend on the data's size alone, so results do not depend on the number of threads.

use crate::data::{Matrix, Sparse};
use crate::device::cpu::parallel;
use crate::device::host_threads;
use crate::error::Result;
use crate::models::estimator::{check_range, check_rows};
use crate::models::linalg;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Slice};
use std::borrow::Cow;
use std::ops::Range;

/// Parts that the rows are cut into: enough for the threads of a desktop machine; combining them stays cheap.
const PARTS: usize = 32;
/// Rows that become columns at once.
const TURNED: usize = 128;

/// How rows are cut.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    /// Rows of a block.
    pub block: usize,
    /// Operations that a row takes.
    pub cost: usize,
    /// Rows that a part has at least: as many as its result is rows of the data large, so that all results together are no larger
    /// than the data.
    pub least: usize,
}

/// What is to be fitted: `y ≈ x · coef + intercept`.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, 'w> {
    /// Features, `[N, F]`.
    pub x: Matrix<'a>,
    /// Answers, `[N, K]`.
    pub y: ArrayView2<'a, f64>,
    /// How much each row counts, `[N]`.
    pub weights: Option<&'w [f64]>,
}

/// What the columns are moved by before anything is squared, and the rows that this was measured on.
#[derive(Debug, Clone)]
pub(super) struct Centre {
    /// Of each feature, `[F]`; zeros without an intercept.
    pub x: Vec<f64>,
    /// Of each answer, `[K]`.
    pub y: Vec<f64>,
    /// The sum of the weights.
    pub weight: f64,
}

impl Centre {
    /// The intercept that belongs to coefficients.
    pub fn constant(&self, output: usize, coef: &[f64]) -> f64 {
        self.y.get(output).copied().unwrap_or(0.0) - linalg::dot(&self.x, coef)
    }
}

/// Some rows, as products with them are taken.
pub(super) enum Block<'a> {
    Dense(Cow<'a, [f64]>),
    Sparse(&'a Sparse, Range<usize>),
}

impl<'a> Block<'a> {
    pub fn of(x: Matrix<'a>, rows: Range<usize>) -> Block<'a> {
        match x {
            Matrix::Sparse(x) => Block::Sparse(x, rows.start..rows.end.min(x.rows())),
            x => Block::Dense(x.block(rows)),
        }
    }

    /// As [`linalg::scores`].
    pub fn scores(&self, width: usize, coef: &[f64], out: &mut [f64]) {
        match self {
            Block::Dense(x) => linalg::scores(width, x, coef, out),
            Block::Sparse(x, rows) => {
                let outputs = coef.len() / width.max(1);
                for (row, out) in rows.clone().zip(out.chunks_mut(outputs.max(1))) {
                    out.iter_mut().zip(coef.chunks_exact(width.max(1))).for_each(|(out, coef)| *out = x.dot(row, coef));
                }
            }
        }
    }

    /// As [`linalg::add_products`].
    pub fn add_products(&self, width: usize, residuals: &[f64], sum: &mut [f64]) {
        match self {
            Block::Dense(x) => linalg::add_products(width, residuals, x, sum),
            Block::Sparse(x, rows) => {
                let outputs = sum.len() / width.max(1);
                for (row, residuals) in rows.clone().zip(residuals.chunks(outputs.max(1))) {
                    for (sum, residual) in sum.chunks_exact_mut(width.max(1)).zip(residuals) {
                        x.add_row(row, *residual, sum);
                    }
                }
            }
        }
    }
}

/// `x · coefᵀ + intercept`, `[N, K]`, of coefficients `[K, F]`.
///
/// # Errors
/// As [`check_rows`]; sums beyond the range of f64.
pub(in crate::models) fn scores(
    op: &'static str,
    x: Matrix<'_>,
    coef: ArrayView2<'_, f64>,
    intercept: &[f64],
) -> Result<Array2<f64>> {
    const ROWS: usize = 256; // of a block that is widened at once
    let (outputs, width) = coef.dim();
    check_rows(op, width, x)?;
    let coef = coef.as_standard_layout();
    let coef = coef.as_slice().unwrap_or_default();
    let mut out = Array2::zeros((x.rows(), outputs));
    let (values, work) = (out.as_slice_mut().unwrap_or_default(), (2 * ROWS * coef.len()) as u64);
    parallel::for_chunks(host_threads(), values, ROWS * outputs, work, |i, out| {
        Block::of(x, i * ROWS..(i + 1) * ROWS).scores(width, coef, out);
        for row in out.chunks_exact_mut(outputs.max(1)) {
            row.iter_mut().zip(intercept).for_each(|(score, b)| *score += b);
        }
    });
    check_range(op, "predictions", &out)?;
    Ok(out)
}

/// The same for one output, `[N]`.
///
/// # Errors
/// As [`scores`].
pub(in crate::models) fn predictions(
    op: &'static str,
    x: Matrix<'_>,
    coef: &[f64],
    intercept: f64,
) -> Result<Vec<f64>> {
    Ok(scores(op, x, ArrayView1::from(coef).insert_axis(Axis(0)), &[intercept])?.into_raw_vec_and_offset().0)
}

impl Rows<'_, '_> {
    pub fn width(&self) -> usize {
        self.x.width()
    }

    pub fn outputs(&self) -> usize {
        self.y.ncols()
    }

    pub fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |w| w.get(row).copied().unwrap_or(0.0))
    }

    /// As [`reduce`], over all rows.
    pub fn reduce<S, R: Send>(
        &self,
        cut: Cut,
        start: impl Fn() -> S + Sync,
        each: impl Fn(&mut S, Range<usize>) + Sync,
        end: impl Fn(S) -> R + Sync,
        combine: impl Fn(R, R) -> R + Sync,
    ) -> R {
        reduce(self.x.rows(), cut, start, each, end, combine)
    }

    /// The weighted means, or zeros. Sums are of distances from the first row that counts: a constant column has that constant as its mean,
    /// to the bit, and is 0 once centred.
    pub fn centre(&self, fit_intercept: bool) -> Centre {
        if let Matrix::Sparse(x) = self.x {
            return self.sparse_centre(x, fit_intercept);
        }
        let (width, outputs) = (self.width(), self.outputs());
        let sum = width + outputs;
        let at = (0..self.x.rows()).find(|&row| self.weight(row) > 0.0).unwrap_or(0);
        let first: Vec<f64> = match fit_intercept {
            true => self.x.block(at..at + 1).iter().chain(self.y.row(at)).copied().collect(),
            false => vec![0.0; sum],
        };
        let each = |sums: &mut Vec<f64>, range: Range<usize>| {
            let Some((total, sums)) = sums.split_last_mut() else { return };
            let (of_x, of_y) = sums.split_at_mut(width);
            let x = self.x.block(range.clone());
            for (row, x) in range.zip(x.chunks_exact(width)) {
                let w = self.weight(row);
                *total += w;
                if fit_intercept {
                    of_x.iter_mut().zip(x).zip(&first).for_each(|((sum, x), first)| *sum += w * (x - first));
                    let y = self.y.row(row);
                    of_y.iter_mut().zip(y).zip(&first[width..]).for_each(|((sum, y), first)| *sum += w * (y - first));
                }
            }
        };
        let sums =
            self.reduce(Cut { block: 256, cost: 3 * sum, least: 1 }, || vec![0.0; sum + 1], each, |sums| sums, add);
        let weight = sums.last().copied().unwrap_or(0.0);
        let means: Vec<f64> = first.iter().zip(&sums).map(|(first, sum)| first + sum / weight).collect();
        Centre { x: means[..width].to_vec(), y: means[width..].to_vec(), weight }
    }

    /// The weighted variances of features and answers about their centre, `[F + K]`.
    pub fn variance(&self, centre: &Centre) -> Vec<f64> {
        if let Matrix::Sparse(x) = self.x {
            return self.sparse_variance(x, centre);
        }
        let n = self.width() + self.outputs();
        let each = |(sums, rows): &mut (Vec<f64>, Vec<f64>), range: Range<usize>| {
            self.centred(centre, range, rows);
            for row in rows.chunks_exact(n) {
                sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v * v);
            }
        };
        let mut sums = self.reduce(
            Cut { block: 256, cost: 3 * n, least: 1 },
            || (vec![0.0; n], Vec::new()),
            each,
            |(sums, _)| sums,
            add,
        );
        sums.iter_mut().for_each(|sum| *sum /= centre.weight);
        sums
    }

    /// Features and answers of some rows, centred and multiplied by the root of the row's weight: row after row of `[F + K]`.
    pub fn centred(&self, centre: &Centre, range: Range<usize>, out: &mut Vec<f64>) {
        out.clear();
        out.reserve(range.len() * (self.width() + self.outputs()));
        let x = self.x.block(range.clone());
        let y = self.y.slice_axis(Axis(0), Slice::from(range.clone()));
        for ((row, x), y) in range.zip(x.chunks_exact(self.width())).zip(y.rows()) {
            let root = self.weights.map_or(1.0, |_| self.weight(row).sqrt());
            out.extend(x.iter().zip(&centre.x).map(|(x, mean)| (x - mean) * root));
            out.extend(y.iter().zip(&centre.y).map(|(y, mean)| (y - mean) * root));
        }
    }

    /// All features and answers centred, row after row of `[F + K]`.
    pub fn all_centred(&self, centre: &Centre) -> Vec<f64> {
        let mut out = Vec::new();
        self.centred(centre, 0..self.x.rows(), &mut out);
        out
    }

    /// The triangle `R` of the QR factors of centred features and answers, `[F + K, F + K]`, column after column: that of parts
    /// of the rows, and of those on top of each other (TSQR; Demmel and others, 2012).
    pub fn triangle(&self, centre: &Centre) -> Vec<f64> {
        let n = self.width() + self.outputs();
        let block = (3 * n).clamp(128, n.max(2048)); // with the triangle on top it stays in the second-level cache up to some 150 columns
        let height = n + block;
        let start = || (vec![0.0; height * n], Vec::new());
        let each = |(stack, rows): &mut (Vec<f64>, Vec<f64>), range: Range<usize>| {
            for first in (0..block).step_by(TURNED) {
                let (start, end) = (range.end.min(range.start + first), range.end.min(range.start + first + TURNED));
                self.centred(centre, start..end, rows);
                for (j, column) in stack.chunks_exact_mut(height).enumerate() {
                    let mut values = rows.iter().skip(j).step_by(n);
                    let out = column[n + first..].iter_mut().take(TURNED);
                    out.for_each(|out| *out = values.next().copied().unwrap_or(0.0));
                }
            }
            linalg::triangle(height, n, stack);
        };
        let end = |(stack, _): (Vec<f64>, Vec<f64>)| linalg::top(n, &stack);
        // A part's stack is there beside the results: with twice the rows a part both together are smaller than the data.
        self.reduce(Cut { block, cost: 4 * n * n, least: 2 * n }, start, each, end, |a, b| join(n, &a, &b))
    }

    /// `XᵀX` of centred features and answers, `[F + K, F + K]`; the lower triangle of it, column after column.
    pub fn gram(&self, centre: &Centre) -> Vec<f64> {
        let n = self.width() + self.outputs();
        let each = |(sum, rows): &mut (Vec<f64>, Vec<f64>), range: Range<usize>| {
            self.centred(centre, range, rows);
            linalg::add_gram(n, rows, sum);
        };
        self.reduce(
            Cut { block: 256, cost: n * n, least: n },
            || (vec![0.0; n * n], Vec::new()),
            each,
            |(sum, _)| sum,
            add,
        )
    }
}

/// Maps parts of `rows` rows, each in blocks, and combines what they give.
pub(super) fn reduce<S, R: Send>(
    rows: usize,
    Cut { block, cost, least }: Cut,
    start: impl Fn() -> S + Sync,
    each: impl Fn(&mut S, Range<usize>) + Sync,
    end: impl Fn(S) -> R + Sync,
    combine: impl Fn(R, R) -> R + Sync,
) -> R {
    let part = rows.div_ceil(PARTS).max(least).next_multiple_of(block.max(1));
    let map = |range: Range<usize>| {
        let mut state = start();
        for first in range.clone().step_by(block.max(1)) {
            each(&mut state, first..range.end.min(first + block));
        }
        end(state)
    };
    let work = (part * cost) as u64;
    parallel::map_reduce(host_threads(), rows, part, work, map, combine).unwrap_or_else(|| end(start()))
}

/// The triangle of two triangles on top of each other.
pub(super) fn join(n: usize, a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut stack = Vec::with_capacity(2 * n * n);
    for (a, b) in a.chunks_exact(n.max(1)).zip(b.chunks_exact(n.max(1))) {
        stack.extend_from_slice(a);
        stack.extend_from_slice(b);
    }
    linalg::triangle(2 * n, n, &mut stack);
    linalg::top(n, &stack)
}

pub(super) fn add(mut a: Vec<f64>, b: Vec<f64>) -> Vec<f64> {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
    a
}
