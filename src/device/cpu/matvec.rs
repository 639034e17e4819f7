//! Products of a matrix with a vector, where one of the matrix's axes is contiguous. They are bound by reading the matrix once;
//! the crate `gemm-f32` reads narrow ones at a quarter of that pace, on one thread.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::parallel;

/// Terms that are added up one after the other; longer sums are cut, and the pieces added pairwise.
const CHAIN: usize = 512;
/// Sums that stay in the first-level cache while rows stream through.
const TILE: usize = 4096;
/// Rows whose products with the vector are taken together: enough independent sums to hide the latency of one.
const ROWS: usize = 8;

/// Rows of equal length, contiguous each, that lie `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub values: &'a [f32],
    pub offset: usize,
    pub stride: isize,
    pub width: usize,
}

impl<'a> Rows<'a> {
    /// Columns `columns` of row `i`; nothing if they are not there.
    #[inline(always)]
    fn row(self, i: usize, columns: &Range<usize>) -> &'a [f32] {
        let start = self.offset.wrapping_add_signed(self.stride.wrapping_mul(i as isize));
        self.values.get(start.wrapping_add(columns.start)..start.wrapping_add(columns.end)).unwrap_or_default()
    }
}

/// `out[i] = row i · x`.
pub(super) fn dots(threads: usize, rows: Rows, x: &[f32], out: &mut [f32]) {
    let chunk = ROWS * (CHAIN / rows.width.max(1)).max(1);
    let work = 2 * (chunk * rows.width) as u64;
    parallel::for_chunks(threads, out, chunk, work, |i, out| {
        Arch::new().dispatch(Dots { rows, first: i * chunk, x, out });
    });
}

struct Dots<'a> {
    rows: Rows<'a>,
    first: usize,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Dots { rows, first, x, out } = self;
        out.fill(0.0);
        let width = rows.width.min(x.len());
        for start in (0..width).step_by(CHAIN * S::F32_LANES) {
            let columns = start..width.min(start + CHAIN * S::F32_LANES);
            let x = &x[columns.clone()];
            let (groups, rest) = out.as_chunks_mut::<ROWS>();
            let mut i = first;
            for group in groups {
                dots_of(simd, std::array::from_fn(|r| rows.row(i + r, &columns)), x, group);
                i += ROWS;
            }
            for out in rest {
                dots_of(simd, [rows.row(i, &columns)], x, std::array::from_mut(out));
                i += 1;
            }
        }
    }
}

/// Adds the products of `R` rows with `x`.
#[inline(always)]
fn dots_of<S: Simd, const R: usize>(simd: S, rows: [&[f32]; R], x: &[f32], out: &mut [f32; R]) {
    let (x, x_tail) = S::as_simd_f32s(x);
    let rows = rows.map(|row| S::as_simd_f32s(row));
    let mut sums = [simd.splat_f32s(0.0); R];
    if rows.iter().all(|(row, _)| row.len() == x.len()) {
        for (i, x) in x.iter().enumerate() {
            for (sum, (row, _)) in sums.iter_mut().zip(&rows) {
                *sum = simd.mul_add_e_f32s(row[i], *x, *sum);
            }
        }
    }
    if !x_tail.is_empty() {
        let x = simd.partial_load_f32s(x_tail);
        for (sum, (_, tail)) in sums.iter_mut().zip(&rows) {
            *sum = simd.mul_add_e_f32s(simd.partial_load_f32s(tail), x, *sum);
        }
    }
    out.iter_mut().zip(sums).for_each(|(out, sum)| *out += simd.reduce_sum_f32s(sum));
}

/// `out = Σ x[k] · row k`.
pub(super) fn combine(threads: usize, rows: Rows, x: &[f32], out: &mut [f32]) {
    if rows.width > TILE {
        let work = 2 * (x.len() * TILE) as u64;
        return parallel::for_chunks(threads, out, TILE, work, |i, out| {
            combine_columns(1, rows, x, i * TILE..i * TILE + out.len(), out);
        });
    }
    combine_columns(threads, rows, x, 0..out.len(), out);
}

fn combine_columns(threads: usize, rows: Rows, x: &[f32], columns: Range<usize>, out: &mut [f32]) {
    let width = columns.len();
    let chain = |range: Range<usize>| {
        let mut sums = vec![0.0; width];
        Arch::new().dispatch(Chain { rows, columns: columns.clone(), x, range, out: &mut sums });
        sums
    };
    if x.len() <= CHAIN {
        out.fill(0.0);
        return Arch::new().dispatch(Chain { rows, columns: columns.clone(), x, range: 0..x.len(), out });
    }
    let sums = parallel::map_reduce(threads, x.len(), CHAIN, 2 * (CHAIN * width) as u64, chain, |mut a, b| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    });
    out.copy_from_slice(&sums.unwrap_or_else(|| vec![0.0; width]));
}

/// Adds rows `range`, times their numbers in `x`, to `out`; four at a time, so that a sum is loaded and stored once for four.
struct Chain<'a> {
    rows: Rows<'a>,
    columns: Range<usize>,
    x: &'a [f32],
    range: Range<usize>,
    out: &'a mut [f32],
}

impl WithSimd for Chain<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Chain { rows, columns, x, range, out } = self;
        let (groups, rest) = x[range.clone()].as_chunks::<4>();
        let mut i = range.start;
        for x in groups {
            add_rows(simd, std::array::from_fn(|r| rows.row(i + r, &columns)), *x, out);
            i += 4;
        }
        for x in rest {
            add_rows(simd, [rows.row(i, &columns)], [*x], out);
            i += 1;
        }
    }
}

#[inline(always)]
fn add_rows<S: Simd, const R: usize>(simd: S, rows: [&[f32]; R], x: [f32; R], out: &mut [f32]) {
    let x = x.map(|x| simd.splat_f32s(x));
    let rows = rows.map(|row| S::as_simd_f32s(row));
    let (out, out_tail) = S::as_mut_simd_f32s(out);
    if rows.iter().all(|(row, _)| row.len() == out.len()) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = rows.iter().zip(x).fold(*out, |sum, ((row, _), x)| simd.mul_add_e_f32s(row[i], x, sum));
        }
    }
    if !out_tail.is_empty() {
        let sum = simd.partial_load_f32s(out_tail);
        let add = |sum, ((_, tail), x): (&(_, &[f32]), _)| simd.mul_add_e_f32s(simd.partial_load_f32s(tail), x, sum);
        simd.partial_store_f32s(out_tail, rows.iter().zip(x).fold(sum, add));
    }
}
