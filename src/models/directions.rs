//! The directions in which rows reach farthest, and rows along them: what principal components and truncated SVD share. Rows are
//! read in parts that depend on the data's size alone, so results do not depend on the number of threads.

use super::linalg;
use crate::data::Matrix;
use crate::device::cpu::parallel::for_chunks;
use crate::device::host_threads;
use crate::rng::Rng;
use ndarray::Array2;

/// Rows of a part: some hundred kilobytes, so that a part is centred and multiplied in cache.
const PART: usize = 512;

/// Singular values, largest first, and the direction of each, one after another.
pub(super) type Directions = (Vec<f64>, Vec<f64>);

/// All of centred rows, by singular value decomposition. `None` as [`linalg::singular_rows`].
pub(super) fn exact(x: Matrix<'_>, mean: &[f64]) -> Option<Directions> {
    let mut centred = x.values().into_owned();
    centre(&mut centred, mean);
    linalg::singular_rows(x.rows(), x.width(), &centred)
}

/// How random directions are turned towards the ones looked for.
pub(super) struct Randomised {
    /// Directions wanted.
    pub wanted: usize,
    /// Random directions beyond them.
    pub oversamples: usize,
    /// Powers of `XᵀX`.
    pub powers: usize,
    /// Of the random directions.
    pub seed: u64,
}

/// The first singular values and directions of centred rows: those of the rows within a space that powers of `XᵀX` have turned
/// towards them. Halko, Martinsson, Tropp 2011, algorithm 4.4. `None` as [`linalg::singular_rows`].
pub(super) fn randomised(x: Matrix<'_>, mean: &[f64], how: &Randomised) -> Option<Directions> {
    let (rows, width) = (x.rows(), x.width());
    let most = rows.min(width);
    let size = how.wanted.saturating_add(how.oversamples).min(most);
    let mut space: Vec<f64> = Rng::seed(how.seed).normals(size * width).into_iter().map(f64::from).collect();
    for _ in 0..=how.powers {
        let next = sum_of_parts(x, size * width, |block, sum| {
            centre(block, mean);
            let mut along = vec![0.0; block.len() / width * size];
            linalg::scores(width, block, &space, &mut along);
            linalg::add_products(width, &along, block, sum);
        });
        // an orthonormal basis of it
        space = linalg::singular_rows(size, width, &next)?.1;
    }
    let along = project(x, mean, &space);
    let (values, turns) = linalg::singular_rows(rows, size, &along)?;
    let mut vectors = vec![0.0; size * width];
    let turned = transposed(&space, size, width); // a basis vector in each column
    linalg::scores(size, &turns, &turned, &mut vectors);
    Some((values, vectors))
}

/// The first `kept` directions, turned so that the largest entry of each is positive.
pub(super) fn turned(vectors: &[f64], kept: usize, width: usize) -> Array2<f64> {
    let mut components = Array2::from_shape_fn((kept, width), |(k, j)| vectors[k * width + j]);
    for mut row in components.rows_mut() {
        let largest = row.iter().fold(0.0f64, |best, &v| if v.abs() > best.abs() { v } else { best });
        if largest < 0.0 {
            row.mapv_inplace(|v| -v);
        }
    }
    components
}

/// Centred rows along directions, row after row.
pub(super) fn project(x: Matrix<'_>, mean: &[f64], directions: &[f64]) -> Vec<f64> {
    let width = x.width();
    let kept = directions.len() / width.max(1);
    let mut out = vec![0.0; x.rows() * kept];
    let work = (2 * PART * width * kept) as u64;
    for_chunks(host_threads(), &mut out, PART * kept, work, |p, out| {
        let mut block = x.block(p * PART..(p + 1) * PART).into_owned();
        centre(&mut block, mean);
        linalg::scores(width, &block, directions, out);
    });
    out
}

/// Rows along directions back as features, row after row.
pub(super) fn expand(z: Matrix<'_>, mean: &[f64], directions: &[f64]) -> Vec<f64> {
    let (kept, width) = (z.width(), mean.len());
    let turned = transposed(directions, kept, width);
    let mut out = vec![0.0; z.rows() * width];
    let work = (2 * PART * width * kept) as u64;
    for_chunks(host_threads(), &mut out, PART * width, work, |p, out| {
        linalg::scores(kept, &z.block(p * PART..(p + 1) * PART), &turned, out);
        for row in out.chunks_mut(width.max(1)) {
            row.iter_mut().zip(mean).for_each(|(v, mean)| *v += mean);
        }
    });
    out
}

/// `[rows, columns]` as `[columns, rows]`.
fn transposed(a: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|j| (0..rows).map(move |i| a[i * columns + j])).collect()
}

/// Subtracts the mean from each row.
fn centre(rows: &mut [f64], mean: &[f64]) {
    for row in rows.chunks_mut(mean.len().max(1)) {
        row.iter_mut().zip(mean).for_each(|(x, mean)| *x -= mean);
    }
}

/// Adds `size` numbers that `add` gives for each part of the rows, in their order.
fn sum_of_parts(x: Matrix<'_>, size: usize, add: impl Fn(&mut Vec<f64>, &mut [f64]) + Sync) -> Vec<f64> {
    let parts = x.rows().div_ceil(PART);
    // A sum for each of a few runs of parts, by the number of rows alone.
    let runs = parts.clamp(1, 16);
    let per_run = parts.div_ceil(runs);
    let mut sums = vec![0.0; runs * size];
    let work = (per_run * PART * size) as u64;
    for_chunks(host_threads(), &mut sums, size.max(1), work, |run, sum| {
        let mut block = Vec::new();
        for part in run * per_run..parts.min((run + 1) * per_run) {
            block.clear();
            block.extend_from_slice(&x.block(part * PART..(part + 1) * PART));
            add(&mut block, sum);
        }
    });
    let (first, rest) = sums.split_at_mut(size);
    for other in rest.chunks(size.max(1)) {
        first.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
    }
    sums.truncate(size);
    sums
}

/// Means and variances, and the covariance where it is asked for.
pub(super) struct Moments {
    /// Of each column.
    pub mean: Vec<f64>,
    /// With one degree of freedom less than rows; 0 of one row.
    pub variance: Vec<f64>,
    /// The lower triangle of `Σ (x - mean)(x - mean)ᵀ`.
    scatter: Vec<f64>,
}

impl Moments {
    /// In one pass: sums are taken from the first rows' mean, which is near enough to the mean that nothing cancels.
    pub fn of(x: Matrix<'_>, covariance: bool) -> Moments {
        let (rows, width) = (x.rows(), x.width());
        let mut shift = vec![0.0; width];
        let head = x.block(0..PART);
        let add = |sum: &mut [f64], row: &[f64]| sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        head.chunks(width.max(1)).for_each(|row| add(&mut shift, row));
        shift.iter_mut().for_each(|sum| *sum /= rows.min(PART) as f64);
        let square = if covariance { width } else { 1 };
        let sums = sum_of_parts(x, width * (square + 1), |block, sums| {
            centre(block, &shift);
            let (sum, products) = sums.split_at_mut(width);
            block.chunks(width.max(1)).for_each(|row| add(sum, row));
            if covariance {
                linalg::add_gram(width, block, products);
            } else {
                for row in block.chunks(width.max(1)) {
                    products.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * x);
                }
            }
        });
        let (sum, products) = sums.split_at(width);
        let n = rows as f64;
        let off: Vec<f64> = sum.iter().map(|sum| sum / n).collect();
        let mut scatter = products.to_vec();
        if covariance {
            for (column, left) in scatter.chunks_mut(width.max(1)).zip(&off) {
                column.iter_mut().zip(&off).for_each(|(p, right)| *p -= n * left * right);
            }
        } else {
            scatter.iter_mut().zip(&off).for_each(|(p, off)| *p -= n * off * off);
        }
        let step = if covariance { width + 1 } else { 1 };
        let variance = scatter.iter().step_by(step).map(|s| s.max(0.0) / (n - 1.0).max(1.0)).collect();
        let mean = shift.iter().zip(&off).map(|(shift, off)| shift + off).collect();
        Moments { mean, variance, scatter }
    }

    /// Singular values and directions from the covariance, the first `most` of them.
    pub fn components(&self, most: usize) -> Option<Directions> {
        let width = self.mean.len();
        let (values, vectors) = linalg::eigen(width, &self.scatter)?;
        let singular = values.iter().rev().take(most).map(|value| value.max(0.0).sqrt()).collect();
        let vectors = vectors.chunks(width.max(1)).rev().take(most).flatten().copied().collect();
        Some((singular, vectors))
    }
}
