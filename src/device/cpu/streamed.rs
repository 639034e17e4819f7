//! Products of two matrices that both lie along `K`, as in `x · wᵀ` for weights that lie row by row.
//!
//! The crate `gemm` turns the whole second operand round before it multiplies, which costs a small batch as much as the product.
//! Here only the smaller one is turned round, in panels of two vectors; the lines of the other are streamed as they lie, each
//! number broadcast to a panel.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::parallel;
use super::turn::{Square, turn, turned};

/// Steps along `K` whose sums are one chain, and whose panel lies in the first cache.
const DEPTH: usize = 256;
/// Streamed lines that a piece of work has at most: they stay in the second cache for all panels.
const LINES: usize = 256;
/// Streamed lines at a time where there are 32 vector registers: 16 sums, two vectors of a panel, a broadcast; few enough that the
/// address of each line has a register too.
const WIDE: usize = 8;
/// The same with 16 registers.
const NARROW: usize = 6;
/// Numbers across a panel at most: two vectors of AVX-512.
const PANEL: usize = 32;
/// A line that is not there.
static ZEROS: [f32; DEPTH] = [0.0; DEPTH];

/// Lines of `depth` numbers that begin `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Along<'a> {
    pub values: &'a [f32],
    pub offset: usize,
    pub count: usize,
    pub stride: isize,
    pub depth: usize,
}

impl<'a> Along<'a> {
    /// A part of line `i`; nothing if it is not there.
    #[inline(always)]
    fn line(self, i: usize, part: &Range<usize>) -> &'a [f32] {
        let start = self.offset.wrapping_add_signed(self.stride.wrapping_mul(i as isize));
        self.values.get(start.wrapping_add(part.start)..start.wrapping_add(part.end)).unwrap_or_default()
    }
}

/// `dst[i * n + j]`, for `n` lines of `b`, becomes the product of line `i` of `a` and line `j` of `b`, on up to `threads` threads:
/// the sum, in order, of one chain of fused multiply-adds for each part of `K`.
pub(super) fn products(threads: usize, dst: &mut [f32], a: Along, b: Along) {
    let (n, flipped) = (b.count, a.count <= b.count);
    let (lines, columns) = if flipped { (b, a) } else { (a, b) };
    let out = Out { start: dst.as_mut_ptr(), len: dst.len(), n, flipped };
    let panel = 2 * Arch::new().dispatch(Lanes);
    let panels = columns.count.div_ceil(panel);
    let blocks = lines.count.div_ceil(LINES).max(threads.div_ceil(panels.max(1)));
    let block = lines.count.div_ceil(blocks.max(1)).next_multiple_of(WIDE);
    let blocks = lines.count.div_ceil(block.max(1));
    // A vector unit does some 50 multiply-adds while it does 20 of what `work` counts.
    let work = (block * panel * lines.depth * 2 / 5) as u64;
    parallel::for_chunks(threads, &mut vec![(); panels * blocks], 1, work, |piece, _| {
        let (line, column) = (piece % blocks * block, piece / blocks * panel);
        let size = [block.min(lines.count - line), panel.min(columns.count - column)];
        Arch::new().dispatch(Piece { lines, columns, line, column, size, out: &out });
    });
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// The result, which many threads write, each its own elements.
struct Out {
    start: *mut f32,
    len: usize,
    n: usize,
    /// The streamed lines are columns of the result.
    flipped: bool,
}

// SAFETY: whoever does a piece of work reaches the elements of its lines by its columns, and pieces share none.
unsafe impl Sync for Out {}

impl Out {
    /// `len` neighbouring elements: of streamed line `line` from column `column` on, or the other way where `flipped`; none when
    /// they are not there.
    ///
    /// # Safety
    /// They belong to the caller's piece of work, and it no longer uses what it was given before.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    unsafe fn part(&self, line: usize, column: usize, len: usize) -> &mut [f32] {
        let (i, j) = if self.flipped { (column, line) } else { (line, column) };
        let place = i * self.n + j;
        if place > self.len || len > self.len - place {
            return &mut [];
        }
        // SAFETY: just checked to lie in the slice that `products` borrows exclusively; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(place), len) }
    }
}

/// Some lines by a panel of columns.
struct Piece<'a> {
    lines: Along<'a>,
    columns: Along<'a>,
    line: usize,
    column: usize,
    /// Lines and columns.
    size: [usize; 2],
    out: &'a Out,
}

thread_local!(static SPACE: Cell<Vec<f32>> = const { Cell::new(Vec::new()) });

impl WithSimd for Piece<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut space = SPACE.take();
        space.resize(DEPTH * PANEL, 0.0);
        let total = self.lines.depth;
        let depth = total.div_ceil(total.div_ceil(DEPTH).max(1)).max(1);
        for start in (0..total).step_by(depth) {
            let ks = start..total.min(start + depth);
            match self.size[1] <= S::F32_LANES {
                true => self.part::<S, 1>(simd, &mut space, &ks),
                false => self.part::<S, 2>(simd, &mut space, &ks),
            }
        }
        SPACE.set(space);
    }
}

impl Piece<'_> {
    /// A part of `K`, with panels `V` vectors across.
    #[inline(always)]
    fn part<S: Simd, const V: usize>(&self, simd: S, space: &mut [f32], ks: &Range<usize>) {
        let line =
            |j: usize| if j < self.size[1] { self.columns.line(self.column + j, ks) } else { &ZEROS[..ks.len()] };
        turn(space, V * S::F32_LANES, ks.len(), line);
        let (panel, _) = S::as_simd_f32s(space);
        let panel = &panel.as_chunks::<V>().0[..ks.len()];
        let most = if S::REGISTER_COUNT >= 32 { WIDE } else { NARROW };
        for first in (0..self.size[0]).step_by(most) {
            let first = self.line + first;
            match most.min(self.line + self.size[0] - first) {
                1 => self.tile::<S, V, 1>(simd, panel, ks, first),
                2 => self.tile::<S, V, 2>(simd, panel, ks, first),
                3 => self.tile::<S, V, 3>(simd, panel, ks, first),
                4 => self.tile::<S, V, 4>(simd, panel, ks, first),
                5 => self.tile::<S, V, 5>(simd, panel, ks, first),
                6 => self.tile::<S, V, 6>(simd, panel, ks, first),
                7 => self.tile::<S, V, 7>(simd, panel, ks, first),
                _ => self.tile::<S, V, 8>(simd, panel, ks, first),
            }
        }
    }

    /// `R` lines from `first` on by a panel: computed, and written or added to what the parts of `K` before gave.
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const R: usize>(
        &self,
        simd: S,
        panel: &[[S::f32s; V]],
        ks: &Range<usize>,
        first: usize,
    ) {
        let sums = sums(simd, panel, std::array::from_fn::<_, R, _>(|r| self.lines.line(first + r, ks)));
        let (width, fresh) = (self.size[1], ks.start == 0);
        let mut tile = [[0.0; PANEL]; R];
        for (line, sums) in tile.iter_mut().zip(sums) {
            S::as_mut_simd_f32s(line).0[..V].copy_from_slice(&sums);
        }
        if !self.out.flipped {
            for (r, line) in tile.iter().enumerate() {
                // SAFETY: elements of this piece, of which nothing else is in use.
                let out = unsafe { self.out.part(first + r, self.column, width) };
                match out.first_chunk_mut::<PANEL>() {
                    Some(out) => put(out, line, fresh),
                    None => put(out, &line[..width], fresh),
                }
            }
            return;
        }
        for column in (0..width).step_by(8) {
            let square: Square = std::array::from_fn(|r| tile[r.min(R - 1)].as_chunks().0[column / 8]);
            for (j, line) in turned(&square).iter().enumerate().take(width - column) {
                // SAFETY: as above.
                let out = unsafe { self.out.part(first, self.column + column + j, R) };
                if let Some(out) = out.first_chunk_mut::<R>() {
                    put(out, &line[..R], fresh);
                }
            }
        }
    }
}

#[inline(always)]
fn put(out: &mut [f32], sums: &[f32], fresh: bool) {
    match fresh {
        true => out.iter_mut().zip(sums).for_each(|(out, sum)| *out = *sum),
        false => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += *sum),
    }
}

/// The products of `R` lines with a panel.
#[inline(always)]
fn sums<S: Simd, const V: usize, const R: usize>(
    simd: S,
    panel: &[[S::f32s; V]],
    lines: [&[f32]; R],
) -> [[S::f32s; V]; R] {
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    if lines.iter().any(|line| line.len() < panel.len()) {
        return sums;
    }
    let lines = lines.map(<[f32]>::as_ptr);
    for (k, column) in panel.iter().enumerate() {
        for (sums, line) in sums.iter_mut().zip(&lines) {
            // SAFETY: each line was just seen to be as long as the panel. A check of each number costs as much as the products.
            let x = simd.splat_f32s(unsafe { *line.add(k) });
            for (sum, &y) in sums.iter_mut().zip(column) {
                *sum = simd.mul_add_e_f32s(x, y, *sum);
            }
        }
    }
    sums
}
