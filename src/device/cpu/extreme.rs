//! Where the largest or smallest value lies, along contiguous slices.
//!
//! One pass finds the extreme value and the block that it is in, with the vector loop of [`reduce`](super::reduce); its place
//! is then searched in that block alone.

use std::ops::Range;

use pulp::{Arch, NullaryFnOnce};

use super::parallel;
use super::reduce::{BLOCK, LANES, PART, leaf, rows_at_once};
use super::steps::{Max, Min, Step};

/// Which value is looked for. NaN counts as more extreme than any number, as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extreme {
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// The place of the extreme value, the lowest of equals; of the first NaN if there is one. `None` of nothing.
pub fn place(threads: usize, kind: Extreme, x: &[f32]) -> Option<usize> {
    match kind {
        Extreme::Max => of_all(threads, x, Max),
        Extreme::Min => of_all(threads, x, Min),
    }
}

/// The place of the extreme value in each row: `x` is `[N, width]` with `width` > 0, `out` is `[N]`.
pub fn place_rows(threads: usize, kind: Extreme, x: &[f32], width: usize, out: &mut [u32]) {
    if let [out] = out {
        *out = place(threads, kind, x.get(..width).unwrap_or_default()).unwrap_or(0) as u32;
        return;
    }
    let chunk = rows_at_once(width);
    parallel::for_chunks(threads, out, chunk, 2 * (chunk * width) as u64, |i, out| {
        let rows = x.get(i * chunk * width..).unwrap_or_default().chunks(width.max(1));
        for (out, row) in out.iter_mut().zip(rows) {
            *out = place(1, kind, row).unwrap_or(0) as u32; // a tensor has at most u32::MAX elements
        }
    });
}

/// The place of the value that `step` picks of all.
fn of_all(threads: usize, x: &[f32], step: impl Step) -> Option<usize> {
    // The winner of each block, and of each part with the block it is in; then its place in that block.
    if x.len() <= BLOCK {
        return find(x, leaf(x, step));
    }
    let winner = |block: &[f32], at: usize| (leaf(block, step), at);
    let part = |range: Range<usize>| {
        let blocks = x[range.clone()].chunks(BLOCK).enumerate();
        blocks.map(|(i, block)| winner(block, range.start + i * BLOCK)).reduce(|a, b| earlier(a, b, step))
    };
    let best = parallel::map_reduce(threads, x.len(), PART, 2 * PART as u64, part, |a, b| match (a, b) {
        (Some(a), Some(b)) => Some(earlier(a, b, step)),
        (a, b) => a.or(b),
    });
    let (value, start) = best.flatten()?;
    find(&x[start..x.len().min(start + BLOCK)], value).map(|i| start + i)
}

/// `a`, unless `b` is strictly more extreme.
fn earlier(a: (f32, usize), b: (f32, usize), step: impl Step) -> (f32, usize) {
    let b_wins = !a.0.is_nan() && (b.0.is_nan() || (a.0 != b.0 && step.join_one(a.0, b.0) == b.0));
    if b_wins { b } else { a }
}

/// The first place of a value, or of NaN.
fn find(x: &[f32], value: f32) -> Option<usize> {
    if x.len() <= LANES {
        return x.iter().position(|x| Find::hit(*x, value));
    }
    let start = Arch::new().dispatch(Find { x, value });
    x.get(start..)?.iter().position(|x| Find::hit(*x, value)).map(|i| start + i)
}

/// Where the first run of 64 values with a hit begins. A run has no early exit, so that it is one vector loop.
struct Find<'a> {
    x: &'a [f32],
    value: f32,
}

impl Find<'_> {
    #[inline(always)]
    fn hit(x: f32, value: f32) -> bool {
        x == value || (x.is_nan() && value.is_nan())
    }
}

impl NullaryFnOnce for Find<'_> {
    type Output = usize;

    #[inline(always)]
    fn call(self) -> usize {
        for (run, values) in self.x.chunks(LANES).enumerate() {
            if values.iter().fold(false, |any, x| any | Find::hit(*x, self.value)) {
                return run * LANES;
            }
        }
        self.x.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LENGTHS: [usize; 10] = [1, 2, 31, 63, 64, 65, 1000, BLOCK + 1, 5 * BLOCK + 77, 3 * PART + 5];

    fn numbers(len: usize) -> Vec<f32> {
        (0..len as u32).map(|i| i.wrapping_mul(0x9e37_79b9) as f32 / (1u32 << 31) as f32 - 1.0).collect()
    }

    #[test]
    fn the_lowest_of_equals_wins_and_the_first_nan_wins_over_all() {
        for len in LENGTHS {
            for at in [0, 1, len / 3, len / 2, len - 1].into_iter().filter(|at| *at < len) {
                for (kind, extreme) in [(Extreme::Max, 2.0), (Extreme::Min, -2.0)] {
                    let mut x = numbers(len);
                    x[len - 1] = extreme;
                    x[at] = extreme;
                    assert_eq!(place(1, kind, &x), Some(at), "{at} of {len}");
                    x[len - 1] = f32::NAN;
                    x[at] = f32::NAN;
                    assert_eq!(place(1, kind, &x), Some(at), "NaN at {at} of {len}");
                    x[0] = f32::NAN;
                    assert_eq!(place(1, kind, &x), Some(0));
                }
            }
        }
    }

    #[test]
    fn infinities_and_zeros_of_either_sign_tie() {
        for x in [[f32::INFINITY; 100], [f32::NEG_INFINITY; 100]] {
            assert_eq!((place(1, Extreme::Max, &x), place(1, Extreme::Min, &x)), (Some(0), Some(0)));
        }
        assert_eq!(place(1, Extreme::Max, &[-0.0, 0.0]), Some(0));
        assert_eq!(place(1, Extreme::Min, &[0.0, -0.0]), Some(0));
    }

    #[test]
    fn nothing_has_no_place() {
        assert_eq!(place(1, Extreme::Max, &[]), None);
        place_rows(1, Extreme::Max, &[], 4, &mut []);
    }

    #[test]
    fn threads_find_the_same_place() {
        let x = numbers(21 * PART + 1234).into_iter().map(|x| (x * 50.0).round()).collect::<Vec<_>>(); // with ties
        for kind in [Extreme::Max, Extreme::Min] {
            assert_eq!(place(1, kind, &x), place(2, kind, &x));
            assert_eq!(place(1, kind, &x), place(5, kind, &x));
        }
    }

    proptest! {
        #[test]
        fn each_row_has_its_place(height in 0usize..300, width in 1usize..200, threads in 1usize..4) {
            let x: Vec<f32> = numbers(height * width).into_iter().map(|x| (x * 20.0).round()).collect();
            let mut places = vec![u32::MAX; height];
            place_rows(threads, Extreme::Max, &x, width, &mut places);
            for (row, got) in x.chunks(width).zip(places) {
                let most = row.iter().copied().reduce(f32::max).unwrap();
                prop_assert_eq!(row.iter().position(|x| *x == most), Some(got as usize));
            }
        }
    }
}
