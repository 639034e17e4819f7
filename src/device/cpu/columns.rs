//! Rows of a matrix folded into one row, a row at a time: sums over the first axis.

use pulp::{Arch, Simd, WithSimd};

use super::reduce::Fold;
use super::steps::{Max, Min, Product, Step, Sum};

/// `all[j]` and `row[j]` as one, in `all[j]`, for as many as both have. For callers that make their rows one at a time.
pub fn fold_row(kind: Fold, all: &mut [f32], row: &[f32]) {
    match kind {
        Fold::Sum => Arch::new().dispatch(Join { left: all, right: row, step: Sum }),
        Fold::Product => Arch::new().dispatch(Join { left: all, right: row, step: Product }),
        Fold::Max => Arch::new().dispatch(Join { left: all, right: row, step: Max }),
        Fold::Min => Arch::new().dispatch(Join { left: all, right: row, step: Min }),
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

    #[test]
    fn a_row_joins_as_many_values_as_both_have() {
        for len in [0, 1, 15, 64, 100] {
            let row = vec![2.0; len];
            let mut all = vec![3.0; 80];
            fold_row(Fold::Product, &mut all, &row);
            assert!(all.iter().enumerate().all(|(j, x)| *x == if j < len { 6.0 } else { 3.0 }));
        }
    }
}
