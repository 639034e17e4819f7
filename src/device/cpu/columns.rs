//! Folds of the rows of a matrix into one row: `[N, F]` → `[F]`.
//!
//! 32 rows are added up one after the other, their sums pairwise, as in [`reduce`](super::reduce): the error grows with the
//! logarithm of `N`, and no number of threads changes a bit. Rows of few columns are taken several at a time, side by side,
//! so that a vector register is filled.

use pulp::{Arch, Simd, WithSimd};

use super::parallel;
use super::reduce::Fold;
use super::steps::{Max, Min, Product, Step, Sum};

/// Rows of a leaf of the tree.
const ROWS: usize = 32;
/// Columns whose running sums stay in the first-level cache beside the rows that stream through.
const TILE: usize = 2048;
/// A row at least this wide fills the vector registers of every CPU.
const WIDE: usize = 64;
/// Words that a thread takes at once, when rows are shared out.
const PART: usize = 1 << 16;

/// Folds the rows of `x`, `[N, width]` row by row, into `out`, `[width]`. With no rows, `out` holds the identity.
pub fn fold_columns(threads: usize, kind: Fold, x: &[f32], width: usize, out: &mut [f32]) {
    match kind {
        Fold::Sum => columns(threads, x, width, out, Sum),
        Fold::Product => columns(threads, x, width, out, Product),
        Fold::Max => columns(threads, x, width, out, Max),
        Fold::Min => columns(threads, x, width, out, Min),
    }
}

/// `all[j]` and `row[j]` as one, in `all[j]`, for as many as both have. For callers that make their rows one at a time.
pub fn fold_row(kind: Fold, all: &mut [f32], row: &[f32]) {
    match kind {
        Fold::Sum => Arch::new().dispatch(Join { left: all, right: row, step: Sum }),
        Fold::Product => Arch::new().dispatch(Join { left: all, right: row, step: Product }),
        Fold::Max => Arch::new().dispatch(Join { left: all, right: row, step: Max }),
        Fold::Min => Arch::new().dispatch(Join { left: all, right: row, step: Min }),
    }
}

fn columns(threads: usize, x: &[f32], width: usize, out: &mut [f32], step: impl Step) {
    out.fill(step.start());
    if width == 0 || x.is_empty() {
        return;
    }
    if width >= TILE {
        let work = 2 * (x.len() / width * TILE) as u64;
        return parallel::for_chunks(threads, out, TILE, work, |i, out| {
            let tile = Tile { x, stride: width, first: i * TILE, width: out.len() };
            tile.fold(step, out);
        });
    }
    // `side` rows side by side are one row of the tile; a power of two, to be halved at the end.
    let side = WIDE.div_ceil(width).next_power_of_two();
    let stride = side * width;
    // A power of two of leaves, so that a part is a whole subtree.
    let part = (PART / stride / ROWS).max(1).next_power_of_two() * ROWS * stride;
    let fold_part = |range: std::ops::Range<usize>| {
        let mut sums = vec![step.start(); stride];
        Tile { x: &x[range], stride, first: 0, width: stride }.fold(step, &mut sums);
        sums
    };
    let sums = parallel::map_reduce(threads, x.len(), part, 2 * part as u64, fold_part, |mut a, b| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a = step.join_one(*a, b));
        a
    });
    let mut sums = sums.unwrap_or_default();
    let mut half = sums.len() / 2;
    while half >= width {
        let (low, high) = sums.split_at_mut(half);
        low.iter_mut().zip(high).for_each(|(low, high)| *low = step.join_one(*low, *high));
        half /= 2;
    }
    out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum);
}

/// Columns `first..first + width` of rows that lie `stride` apart. The last row may be short.
#[derive(Clone, Copy)]
struct Tile<'a> {
    x: &'a [f32],
    stride: usize,
    first: usize,
    width: usize,
}

impl<'a> Tile<'a> {
    fn fold(self, step: impl Step, out: &mut [f32]) {
        let rows = self.x.len().div_ceil(self.stride);
        let depth = rows.div_ceil(ROWS).next_power_of_two().ilog2() as usize;
        let mut scratch = vec![0.0; depth * self.width]; // one row for each level of the tree
        self.tree(0, rows, step, out, &mut scratch);
    }

    /// Folds rows `from..to` into `out`, halving at the largest power of two of leaves.
    fn tree(self, from: usize, to: usize, step: impl Step, out: &mut [f32], scratch: &mut [f32]) {
        let leaves = (to - from).div_ceil(ROWS);
        if leaves <= 1 {
            return Arch::new().dispatch(Leaf { tile: self, from, to, step, out });
        }
        let middle = from + leaves.next_power_of_two() / 2 * ROWS;
        self.tree(from, middle, step, out, scratch);
        let (right, scratch) = scratch.split_at_mut(self.width);
        self.tree(middle, to, step, right, scratch);
        Arch::new().dispatch(Join { left: out, right, step });
    }

    #[inline(always)]
    fn row(self, row: usize) -> &'a [f32] {
        let start = row * self.stride + self.first;
        self.x.get(start..self.x.len().min(start + self.width)).unwrap_or_default()
    }
}

/// Rows `from..to` of a tile, one after the other, into `out`.
struct Leaf<'a, T> {
    tile: Tile<'a>,
    from: usize,
    to: usize,
    step: T,
    out: &'a mut [f32],
}

impl<T: Step> WithSimd for Leaf<'_, T> {
    type Output = ();

    /// Four rows at a time, so that the sums are loaded and stored once for four.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Leaf { tile, mut from, to, step, out } = self;
        out.fill(step.start());
        while from + 4 <= to && tile.row(from + 3).len() == tile.width {
            let rows = [tile.row(from), tile.row(from + 1), tile.row(from + 2), tile.row(from + 3)];
            let [(a, a_tail), (b, b_tail), (c, c_tail), (d, d_tail)] = rows.map(S::as_simd_f32s);
            let (sums, sums_tail) = S::as_mut_simd_f32s(&mut *out);
            for ((((sum, a), b), c), d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                let two = step.join(simd, step.join(simd, *sum, *a), *b);
                *sum = step.join(simd, step.join(simd, two, *c), *d);
            }
            for ((((sum, a), b), c), d) in sums_tail.iter_mut().zip(a_tail).zip(b_tail).zip(c_tail).zip(d_tail) {
                let two = step.join_one(step.join_one(*sum, *a), *b);
                *sum = step.join_one(step.join_one(two, *c), *d);
            }
            from += 4;
        }
        for row in from..to {
            join_into(simd, &mut *out, tile.row(row), step);
        }
    }
}

/// `left` and `right` as one, in `left`.
struct Join<'a, T> {
    left: &'a mut [f32],
    right: &'a [f32],
    step: T,
}

impl<T: Step> WithSimd for Join<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        join_into(simd, self.left, self.right, self.step);
    }
}

/// Joins as many values as `right` has.
#[inline(always)]
fn join_into<S: Simd>(simd: S, left: &mut [f32], right: &[f32], step: impl Step) {
    let len = left.len().min(right.len());
    let ((left, left_tail), (right, right_tail)) = (S::as_mut_simd_f32s(&mut left[..len]), S::as_simd_f32s(right));
    left.iter_mut().zip(right).for_each(|(left, right)| *left = step.join(simd, *left, *right));
    left_tail.iter_mut().zip(right_tail).for_each(|(left, right)| *left = step.join_one(*left, *right));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FOLDS: [Fold; 4] = [Fold::Sum, Fold::Product, Fold::Max, Fold::Min];

    fn numbers(len: usize) -> Vec<f32> {
        (0..len as u32).map(|i| i.wrapping_mul(0x9e37_79b9) as f32 / (1u32 << 31) as f32 - 1.0).collect()
    }

    fn folded(threads: usize, kind: Fold, x: &[f32], width: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; width];
        fold_columns(threads, kind, x, width, &mut out);
        out
    }

    /// Against sums in f64: 31 steps in a leaf and one a level, 2⁻²⁴ each, of the sum of magnitudes.
    fn check_sums(rows: usize, width: usize) {
        let x = numbers(rows * width);
        for (column, got) in folded(2, Fold::Sum, &x, width).into_iter().enumerate() {
            let values = (0..rows).map(|row| x[row * width + column] as f64);
            let (sum, size) = values.fold((0.0, 0.0), |(sum, size), v| (sum + v, size + v.abs()));
            let allowed = size * 48.0 / (1 << 24) as f64;
            assert!((got as f64 - sum).abs() <= allowed, "{rows}x{width}, column {column}: {got}, not {sum}");
        }
    }

    #[test]
    fn sums_agree_with_f64_for_narrow_wide_tall_and_flat() {
        for (rows, width) in
            [(70_001, 1), (9_999, 10), (5_000, 63), (4_097, 64), (1_000, 100), (65, 5_000), (2, 30_000)]
        {
            check_sums(rows, width);
        }
    }

    #[test]
    fn no_rows_give_the_identity() {
        for kind in FOLDS {
            assert_eq!(folded(2, kind, &[], 3), [kind.identity(); 3]);
            assert!(folded(2, kind, &[], 0).is_empty());
        }
    }

    #[test]
    fn a_row_joins_as_many_values_as_both_have() {
        for len in [0, 1, 15, 64, 100] {
            let row = vec![2.0; len];
            let mut all = vec![3.0; 80];
            fold_row(Fold::Product, &mut all, &row);
            assert!(all.iter().enumerate().all(|(j, x)| *x == if j < len { 6.0 } else { 3.0 }));
        }
    }

    #[test]
    fn nan_stays_in_its_column() {
        for kind in FOLDS {
            for row in [0, 40, 99] {
                let mut x = vec![1.0; 100 * 7];
                x[row * 7 + 3] = f32::NAN;
                let nan: Vec<bool> = folded(1, kind, &x, 7).iter().map(|x| x.is_nan()).collect();
                assert_eq!(nan, [false, false, false, true, false, false, false]);
            }
        }
    }

    #[test]
    fn threads_change_no_bit() {
        for (rows, width) in [(100_001, 3), (30_001, 17), (3_001, 300), (301, 7_000)] {
            let x = numbers(rows * width);
            for kind in FOLDS {
                let bits = |threads| folded(threads, kind, &x, width).iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(1), bits(2));
                assert_eq!(bits(1), bits(5));
            }
        }
    }

    proptest! {
        #[test]
        fn extremes_are_exact(rows in 1usize..200, width in 1usize..150) {
            let x = numbers(rows * width);
            for (kind, pick) in [(Fold::Max, f32::max as fn(f32, f32) -> f32), (Fold::Min, f32::min)] {
                let expected: Vec<f32> = (0..width)
                    .map(|column| x.iter().skip(column).step_by(width).copied().reduce(pick).unwrap())
                    .collect();
                prop_assert_eq!(folded(1, kind, &x, width), expected);
            }
        }

        #[test]
        fn sums_agree_with_f64_at_any_size(rows in 1usize..300, width in 1usize..150) {
            check_sums(rows, width);
        }
    }
}
