//! Sums, products and extremes along contiguous slices.
//!
//! A block of 4,096 values is folded into 64 lanes, the lanes and then the blocks pairwise. So a sum's error grows with the
//! depth of that tree (at most 64 + 6 + log2(blocks) roundings on the way of any value; Higham, "The accuracy of floating
//! point summation", 1993), and the result is the same on every CPU, with any vector width and any number of threads.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::parallel;
use super::steps::{Max, Min, Product, Step, Sum};

/// Values that are folded side by side: 4 vectors of AVX-512 or 8 of AVX2, enough to hide the latency of an addition.
pub(super) const LANES: usize = 64;
/// Values of a leaf of the tree: 16 KiB, which leaves room in the first-level cache, and 64 steps a lane.
pub(super) const BLOCK: usize = 64 * LANES;
/// Values that a thread takes at once. A power of two of blocks, so that a part is a whole subtree.
pub(super) const PART: usize = 16 * BLOCK;

/// How values become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fold {
    /// Of nothing: 0.
    Sum,
    /// Of nothing: 1.
    Product,
    /// NaN if there is one. Of nothing: -∞.
    Max,
    /// NaN if there is one. Of nothing: +∞.
    Min,
}

/// All values as one.
pub fn fold(threads: usize, kind: Fold, x: &[f32]) -> f32 {
    match kind {
        Fold::Sum => whole(threads, x, Sum),
        Fold::Product => whole(threads, x, Product),
        Fold::Max => whole(threads, x, Max),
        Fold::Min => whole(threads, x, Min),
    }
}

/// Each row as one value: `x` is `[N, width]`, row by row, `out` is `[N]`.
pub fn fold_rows(threads: usize, kind: Fold, x: &[f32], width: usize, out: &mut [f32]) {
    match kind {
        Fold::Sum => rows(threads, x, width, out, Sum),
        Fold::Product => rows(threads, x, width, out, Product),
        Fold::Max => rows(threads, x, width, out, Max),
        Fold::Min => rows(threads, x, width, out, Min),
    }
}

/// Whole slices, over threads.
fn whole(threads: usize, x: &[f32], step: impl Step) -> f32 {
    if x.len() <= BLOCK {
        return leaf(x, step);
    }
    let part = |range: Range<usize>| tree(&x[range], step);
    parallel::map_reduce(threads, x.len(), PART, 2 * PART as u64, part, |a, b| step.join_one(a, b))
        .unwrap_or(step.start())
}

/// Halves at the largest power of two of blocks, the shape that `map_reduce` gives to its parts as well.
fn tree(x: &[f32], step: impl Step) -> f32 {
    let blocks = x.len().div_ceil(BLOCK);
    if blocks <= 1 {
        return leaf(x, step);
    }
    let middle = blocks.next_power_of_two() / 2 * BLOCK;
    let (x, rest) = x.split_at(middle);
    step.join_one(tree(x, step), tree(rest, step))
}

/// One block, with the CPU's widest vectors.
pub(super) fn leaf(x: &[f32], step: impl Step) -> f32 {
    Arch::new().dispatch(Leaf { x, step })
}

struct Leaf<'a, T> {
    x: &'a [f32],
    step: T,
}

impl<T: Step> WithSimd for Leaf<'_, T> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        lanes(simd, self.x, self.step)
    }
}

/// One block: value `i` goes to lane `i % 64`, then lanes are joined pairwise, half to half.
#[inline(always)]
fn lanes<S: Simd>(simd: S, x: &[f32], step: impl Step) -> f32 {
    if x.len() < LANES / 2 {
        // too few to be worth the joining
        return x.iter().fold(step.start(), |so_far, x| step.join_one(so_far, *x));
    }
    let mut lanes = [step.start(); LANES];
    let (x, x_tail) = S::as_simd_f32s(x);
    let vectors = S::as_mut_simd_f32s(&mut lanes).0;
    let rest = match vectors.len() {
        4 => runs::<S, 4>(simd, x, vectors, step),   // AVX-512
        8 => runs::<S, 8>(simd, x, vectors, step),   // AVX2
        16 => runs::<S, 16>(simd, x, vectors, step), // NEON
        _ => runs::<S, LANES>(simd, x, vectors, step),
    };
    for (lane, x) in vectors.iter_mut().zip(&x[rest..]) {
        *lane = step.join(simd, *lane, *x);
    }
    let tail = (x.len() - rest) * S::F32_LANES;
    for (lane, x) in lanes[tail..].iter_mut().zip(x_tail) {
        *lane = step.join_one(*lane, *x);
    }
    let mut half = LANES / 2;
    while half > 0 {
        let (low, high) = lanes.split_at_mut(half);
        let (high, high_rest) = S::as_simd_f32s(&high[..half]);
        let (low, low_rest) = S::as_mut_simd_f32s(low);
        low.iter_mut().zip(high).for_each(|(low, high)| *low = step.join(simd, *low, *high));
        low_rest.iter_mut().zip(high_rest).for_each(|(low, high)| *low = step.join_one(*low, *high));
        half /= 2;
    }
    lanes[0]
}

/// Folds whole runs of `R` vectors into `lanes`, which stay in registers meanwhile. Returns how many vectors that were.
#[inline(always)]
fn runs<S: Simd, const R: usize>(simd: S, x: &[S::f32s], lanes: &mut [S::f32s], step: impl Step) -> usize {
    let mut sums = [simd.splat_f32s(step.start()); R];
    let x = x.as_chunks::<R>().0;
    for x in x {
        for i in 0..R {
            sums[i] = step.join(simd, sums[i], x[i]);
        }
    }
    lanes.copy_from_slice(&sums);
    x.len() * R
}

fn rows(threads: usize, x: &[f32], width: usize, out: &mut [f32], step: impl Step) {
    if width == 0 {
        return out.fill(step.start());
    }
    let chunk = rows_at_once(width);
    parallel::for_chunks(threads, out, chunk, 2 * (chunk * width) as u64, |i, out| {
        let x = x.get(i * chunk * width..).unwrap_or_default();
        if width > BLOCK {
            return out.iter_mut().zip(x.chunks(width)).for_each(|(out, row)| *out = tree(row, step));
        }
        Arch::new().dispatch(Rows { x, width, out, step });
    });
}

/// Each row of at most a block.
struct Rows<'a, T> {
    x: &'a [f32],
    width: usize,
    out: &'a mut [f32],
    step: T,
}

impl<T: Step> WithSimd for Rows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (out, row) in self.out.iter_mut().zip(self.x.chunks(self.width)) {
            *out = lanes(simd, row, self.step);
        }
    }
}

/// Rows that a thread takes at once, some 16,384 values.
pub(super) fn rows_at_once(width: usize) -> usize {
    (4 * BLOCK / width.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use pulp::Scalar;

    const FOLDS: [Fold; 4] = [Fold::Sum, Fold::Product, Fold::Max, Fold::Min];
    const IDENTITIES: [f32; 4] = [0.0, 1.0, f32::NEG_INFINITY, f32::INFINITY];
    const LENGTHS: [usize; 14] =
        [0, 1, 2, 31, 32, 63, 64, 65, 127, 1000, BLOCK, BLOCK + 1, 5 * BLOCK + 77, 3 * PART + 5];

    fn numbers(len: usize) -> Vec<f32> {
        (0..len as u32).map(|i| i.wrapping_mul(0x9e37_79b9) as f32 / (1u32 << 31) as f32 - 1.0).collect()
    }

    #[test]
    fn sums_stay_within_the_error_of_their_tree() {
        for len in LENGTHS {
            let x: Vec<f32> = numbers(len);
            let terms = x.iter().map(|x| f64::from(*x));
            let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()));
            let got = fold(1, Fold::Sum, &x);
            // 64 steps in a lane, 6 joins of lanes, 6 of blocks here; 2⁻²⁴ each
            let allowed = size * 76.0 / f64::from(1 << 24);
            assert!((f64::from(got) - sum).abs() <= allowed, "{len}: {got}, not {sum}");
        }
    }

    #[test]
    fn a_long_sum_of_a_tenth_keeps_its_digits() {
        let x = vec![0.1f32; 1 << 22];
        let exact = 0.1f32 as f64 * x.len() as f64;
        // a running f32 sum is off by 0.5 %
        assert!((fold(1, Fold::Sum, &x) as f64 / exact - 1.0).abs() < 4e-6);
    }

    #[test]
    fn folds_of_nothing_are_their_identities() {
        for (kind, identity) in FOLDS.into_iter().zip(IDENTITIES) {
            assert_eq!(fold(1, kind, &[]), identity);
            let mut out = [7.0; 2];
            fold_rows(1, kind, &[], 0, &mut out);
            assert_eq!(out, [identity; 2]);
        }
    }

    #[test]
    fn products_multiply_every_value() {
        for len in LENGTHS {
            // twos and then halves in every lane, so that no partial product overflows
            let mut x: Vec<f32> = (0..len).map(|i| if i % 128 < 64 { 2.0 } else { 0.5 }).collect();
            x.push(3.0);
            let twos = if len % 128 < 64 { len % 128 } else { 128 - len % 128 };
            assert_eq!(fold(1, Fold::Product, &x), 3.0 * 2f32.powi(twos as i32), "{len}");
        }
    }

    #[test]
    fn extremes_are_found_wherever_they_are_and_nan_beats_them() {
        for len in LENGTHS {
            for at in [0, 1, len / 3, len / 2, len.saturating_sub(1)].into_iter().filter(|at| *at < len) {
                for (kind, extreme) in [(Fold::Max, 2.0), (Fold::Min, -2.0)] {
                    let mut x = numbers(len);
                    x[at] = extreme;
                    assert_eq!(fold(1, kind, &x), extreme);
                    x[at] = f32::NAN;
                    assert!(fold(1, kind, &x).is_nan());
                }
            }
        }
        for infinity in [f32::INFINITY, f32::NEG_INFINITY] {
            let x = vec![infinity; 100];
            assert_eq!((fold(1, Fold::Max, &x), fold(1, Fold::Min, &x)), (infinity, infinity));
        }
    }

    #[test]
    fn a_sum_of_opposite_infinities_is_nan() {
        let mut x = vec![1.0; 500];
        x[3] = f32::INFINITY;
        assert_eq!(fold(1, Fold::Sum, &x), f32::INFINITY);
        x[400] = f32::NEG_INFINITY;
        assert!(fold(1, Fold::Sum, &x).is_nan());
    }

    #[test]
    fn threads_change_no_bit() {
        let x = numbers(21 * PART + 1234);
        for kind in FOLDS {
            let by = |threads| fold(threads, kind, &x).to_bits();
            assert_eq!(by(1), by(2));
            assert_eq!(by(1), by(5));
        }
        assert_eq!(fold(1, Fold::Sum, &x).to_bits(), tree(&x, Sum).to_bits(), "parts are subtrees");
    }

    #[test]
    fn the_width_of_the_vectors_changes_no_bit() {
        fn all(step: impl Step) {
            for len in LENGTHS.into_iter().filter(|len| *len <= BLOCK) {
                let x = numbers(len + 1);
                let leaf = || Leaf { x: &x[1..], step };
                let one = leaf().with_simd(Scalar).to_bits();
                assert_eq!(one, Arch::new().dispatch(leaf()).to_bits(), "{len}");
                #[cfg(target_arch = "x86_64")]
                if let Some(avx2) = pulp::x86::V3::try_new() {
                    assert_eq!(one, Simd::vectorize(avx2, leaf()).to_bits(), "AVX2, {len}");
                }
            }
        }
        all(Sum);
        all(Product);
        all(Max);
        all(Min);
    }

    proptest! {
        #[test]
        fn rows_are_folded_one_by_one(height in 0usize..300, width in 1usize..200, threads in 1usize..4) {
            let x = numbers(height * width);
            for kind in FOLDS {
                let mut out = vec![f32::NAN; height];
                fold_rows(threads, kind, &x, width, &mut out);
                let each: Vec<f32> = x.chunks(width).map(|row| fold(1, kind, row)).collect();
                prop_assert_eq!(out, each);
            }
        }
    }

    #[test]
    fn rows_longer_than_a_block_are_trees() {
        let x = numbers(3 * (2 * BLOCK + 9));
        let mut out = [0.0; 3];
        fold_rows(2, Fold::Sum, &x, 2 * BLOCK + 9, &mut out);
        assert_eq!(out.to_vec(), x.chunks(2 * BLOCK + 9).map(|row| fold(1, Fold::Sum, row)).collect::<Vec<_>>());
    }
}
