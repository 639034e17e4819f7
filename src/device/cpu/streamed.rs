//! Products of two matrices that both lie along `K`, as in `x · wᵀ` for weights that lie row by row.
//!
//! The crate `gemm` turns the whole second operand round before it multiplies, which costs a small batch more than the product.
//! Here only the first is turned round, once, in panels of two vectors; the rows of the second are streamed as they lie, each
//! number broadcast to a panel.

use std::cell::Cell;

use pulp::{Arch, Simd, WithSimd};

use super::parallel;

/// Rows of the second operand that a thread takes at a time: whole blocks, which stay in the second cache for all panels.
const SHARE: usize = 48;
/// Rows of the second operand at a time where there are 32 vector registers: 24 sums, two vectors of a panel, a broadcast.
const WIDE: usize = 12;
/// The same with 16 registers.
const NARROW: usize = 6;
/// Numbers across a panel at most: two vectors of AVX-512.
const PANEL: usize = 32;
/// Numbers that a thread keeps for its next panels.
const KEPT: usize = 4 << 20;

/// Rows of `depth` numbers that begin `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Along<'a> {
    pub values: &'a [f32],
    pub offset: usize,
    pub count: usize,
    pub stride: isize,
    pub depth: usize,
}

impl<'a> Along<'a> {
    /// Row `i`; nothing if it is not there.
    #[inline(always)]
    fn row(self, i: usize) -> &'a [f32] {
        let start = self.offset.wrapping_add_signed(self.stride.wrapping_mul(i as isize));
        self.values.get(start..start.wrapping_add(self.depth)).unwrap_or_default()
    }
}

/// Calls `write(i, first, sums)` with the products of row `i` of `a` and rows `first..` of `b`, once for each pair of rows, on up
/// to `threads` threads. Each is one chain of fused multiply-adds along the depth.
pub(super) fn products(threads: usize, a: Along, b: Along, write: impl Fn(usize, usize, &[f32]) + Sync) {
    thread_local!(static SPACE: Cell<Vec<f32>> = const { Cell::new(Vec::new()) });
    let mut space = SPACE.take();
    let width = Arch::new().dispatch(Width);
    let panel = a.depth * width;
    space.resize(panel * a.count.div_ceil(width), 0.0);
    parallel::for_chunks(threads, &mut space, panel, 4 * panel as u64, |p, panel| turn(a, p * width, width, panel));
    // A vector unit does some 50 multiply-adds while it does 20 of what `work` counts.
    let work = (SHARE * a.depth * a.count * 2 / 5) as u64;
    parallel::for_chunks(threads, &mut vec![(); b.count], SHARE, work, |share, rows| {
        let rows = share * SHARE..share * SHARE + rows.len();
        for (p, panel) in space.chunks_exact(panel).enumerate() {
            let first = p * width;
            let count = width.min(a.count - first);
            Arch::new().dispatch(Share { panel, b, rows: rows.clone(), first, count, write: &write });
        }
    });
    if space.len() <= KEPT {
        SPACE.set(space);
    }
}

/// Rows `first..first + width` of `a`, number by number; zero where there are none.
fn turn(a: Along, first: usize, width: usize, panel: &mut [f32]) {
    for j in 0..width {
        let row = if first + j < a.count { a.row(first + j) } else { &[] };
        let places = panel.chunks_exact_mut(width).map(|numbers| &mut numbers[j]);
        let numbers = row.iter().copied().chain(std::iter::repeat(0.0));
        places.zip(numbers).for_each(|(place, x)| *place = x);
    }
}

/// How many numbers lie across a panel.
struct Width;

impl WithSimd for Width {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        2 * S::F32_LANES
    }
}

/// A panel by some rows.
struct Share<'a, F> {
    panel: &'a [f32],
    b: Along<'a>,
    rows: std::ops::Range<usize>,
    first: usize,
    count: usize,
    write: &'a F,
}

impl<F: Fn(usize, usize, &[f32])> WithSimd for Share<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 { self.blocks::<S, WIDE>(simd) } else { self.blocks::<S, NARROW>(simd) }
    }
}

impl<F: Fn(usize, usize, &[f32])> Share<'_, F> {
    #[inline(always)]
    fn blocks<S: Simd, const R: usize>(self, simd: S) {
        let Share { panel, b, rows, first, count, write } = self;
        let last = rows.end.saturating_sub(1);
        for start in rows.clone().step_by(R) {
            // Past the end the last row is taken again, and its sums left.
            let block: [&[f32]; R] = std::array::from_fn(|r| b.row(last.min(start + r)));
            let sums = block_sums(simd, panel, block);
            let mut lines = [[0.0; PANEL]; R];
            for (line, [left, right]) in lines.iter_mut().zip(sums) {
                let (line, _) = S::as_mut_simd_f32s(line);
                (line[0], line[1]) = (left, right);
            }
            let size = R.min(rows.end - start);
            (0..count).for_each(|j| write(first + j, start, &lines.map(|line| line[j])[..size]));
        }
    }
}

/// The products of a panel with `R` rows.
#[inline(always)]
fn block_sums<S: Simd, const R: usize>(simd: S, panel: &[f32], rows: [&[f32]; R]) -> [[S::f32s; 2]; R] {
    let mut sums = [[simd.splat_f32s(0.0); 2]; R];
    let (panel, _) = S::as_simd_f32s(panel);
    let (panel, _) = panel.as_chunks::<2>();
    let depth = panel.len();
    if rows.iter().any(|row| row.len() < depth) {
        return sums;
    }
    let rows = rows.map(|row| &row[..depth]);
    for (k, &[left, right]) in panel.iter().enumerate() {
        for (sum, row) in sums.iter_mut().zip(&rows) {
            let b = simd.splat_f32s(row[k]);
            *sum = [simd.mul_add_e_f32s(left, b, sum[0]), simd.mul_add_e_f32s(right, b, sum[1])];
        }
    }
    sums
}
