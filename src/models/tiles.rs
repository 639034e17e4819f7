//! Rows of features in tiles, feature by feature: what one row has to do with many is a loop over neighbours in memory.

use crate::data::Matrix;
use pulp::Simd;
use std::ops::Range;

/// Rows that lie side by side in a tile, feature after feature: a tile's dot products with a row are sums that stay in registers.
pub(super) const TILE: usize = 64;

/// Rows in tiles of [`TILE`], the last one filled up with zeros.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rows {
    pub count: usize,
    pub width: usize,
    tiles: Vec<f64>,
    squares: Vec<f64>,
}

impl Rows {
    /// The rows of `x` at `indices`, all below its length.
    pub fn new(x: Matrix<'_>, indices: &[usize]) -> Rows {
        let rows: Vec<_> = indices.iter().map(|&i| x.block(i..i + 1)).collect();
        Rows::of(rows.iter().map(|row| &row[..]), indices.len(), x.width())
    }

    fn of<'a>(rows: impl Iterator<Item = impl IntoIterator<Item = &'a f64>>, count: usize, width: usize) -> Rows {
        let mut tiles = vec![0.0; count.div_ceil(TILE) * TILE * width];
        let mut squares = vec![0.0; count];
        for ((i, row), square) in rows.enumerate().zip(&mut squares) {
            let start = i / TILE * TILE * width + i % TILE;
            for (to, &value) in tiles.iter_mut().skip(start).step_by(TILE).zip(row) {
                *to = value;
                *square += value * value;
            }
        }
        Rows { count, width, tiles, squares }
    }

    /// One row, feature after feature.
    pub fn row(&self, i: usize) -> impl Iterator<Item = &f64> {
        self.tiles.iter().skip(i / TILE * TILE * self.width + i % TILE).step_by(TILE).take(self.width)
    }

    /// Row `order[i]` at `i`.
    pub fn reordered(&self, order: &[u32]) -> Rows {
        Rows::of(order.iter().map(|&i| self.row(i as usize)), order.len(), self.width)
    }

    /// The tiles of rows `range`, of which the first begins one, and the squares `|x|²` of these rows.
    pub fn part(&self, range: Range<usize>) -> (&[f64], &[f64]) {
        let tiles = self.tiles.get(range.start / TILE * TILE * self.width..).unwrap_or_default();
        (tiles, self.squares.get(range).unwrap_or_default())
    }

    /// Copies row `i` out, with its square.
    pub fn read(&self, i: usize, row: &mut Vec<f64>) -> f64 {
        row.clear();
        row.extend(self.row(i));
        self.squares.get(i).copied().unwrap_or(0.0)
    }
}

/// The dot products of a tile's rows with `x`: eight vectors of sums at a time, enough to hide the latency of one addition.
#[inline(always)]
pub(super) fn dots<S: Simd>(simd: S, tile: &[f64], x: &[f64], dots: &mut [f64; TILE]) {
    sums(simd, tile, x, dots, |x, v, sum| simd.mul_add_e_f64s(x, v, sum));
}

/// The squared distances `|x - z|²` of a tile's rows from `x`: 0 from the same row, unlike `|x|² + |z|² - 2 x · z`.
#[inline(always)]
pub(super) fn distances<S: Simd>(simd: S, tile: &[f64], x: &[f64], distances: &mut [f64; TILE]) {
    sums(simd, tile, x, distances, |x, v, sum| {
        let apart = simd.sub_f64s(x, v);
        simd.mul_add_e_f64s(apart, apart, sum)
    });
}

#[inline(always)]
fn sums<S: Simd>(
    simd: S,
    tile: &[f64],
    x: &[f64],
    out: &mut [f64; TILE],
    step: impl Fn(S::f64s, S::f64s, S::f64s) -> S::f64s,
) {
    const SUMS: usize = 8;
    let (vectors, _) = S::as_simd_f64s(tile);
    let (out, _) = S::as_mut_simd_f64s(out.as_mut_slice());
    let across = out.len();
    for (group, out) in out.as_chunks_mut::<SUMS>().0.iter_mut().enumerate() {
        let mut sums = [simd.splat_f64s(0.0); SUMS];
        for (x, of_feature) in x.iter().zip(vectors.chunks_exact(across)) {
            let x = simd.splat_f64s(*x);
            let Some(part) = of_feature.as_chunks::<SUMS>().0.get(group) else { continue };
            for (sum, v) in sums.iter_mut().zip(part) {
                *sum = step(x, *v, *sum);
            }
        }
        *out = sums;
    }
}
