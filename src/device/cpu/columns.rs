//! Rows of a matrix folded into one row: sums over the first axis.

use pulp::{Arch, Simd, WithSimd};

use super::reduce::Fold;
use super::steps::{Max, Min, Product, Step, Sum};

/// Vectors of columns that are joined at a time: enough independent chains to hide the latency of one.
const VECTORS: usize = 4;

/// `all[j]` and `row[j]` as one, in `all[j]`, for each row in turn. Rows begin `stride` apart in `rows`; the last one may be cut.
pub fn fold_down(kind: Fold, all: &mut [f32], rows: &[f32], stride: usize) {
    let stride = stride.max(1);
    match kind {
        Fold::Sum => Arch::new().dispatch(Down { all, rows, stride, step: Sum }),
        Fold::Product => Arch::new().dispatch(Down { all, rows, stride, step: Product }),
        Fold::Max => Arch::new().dispatch(Down { all, rows, stride, step: Max }),
        Fold::Min => Arch::new().dispatch(Down { all, rows, stride, step: Min }),
    }
}

struct Down<'a, T> {
    all: &'a mut [f32],
    rows: &'a [f32],
    stride: usize,
    step: T,
}

impl<T: Step> WithSimd for Down<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Down { all, rows, stride, step } = self;
        let width = VECTORS * S::F32_LANES;
        let mut first = 0;
        for all in all.chunks_mut(width) {
            let columns = first..first + all.len();
            first += all.len();
            let part = rows.chunks(stride).map(|row| row.get(columns.clone()).unwrap_or_default());
            if all.len() == width {
                let (all, _) = S::as_mut_simd_f32s(all);
                let mut sums: [S::f32s; VECTORS] = std::array::from_fn(|v| all[v]);
                for row in part {
                    let (row, _) = S::as_simd_f32s(row);
                    for (sum, x) in sums.iter_mut().zip(row) {
                        *sum = step.join(simd, *sum, *x);
                    }
                }
                all.copy_from_slice(&sums);
            } else {
                part.for_each(|row| all.iter_mut().zip(row).for_each(|(all, x)| *all = step.join_one(*all, *x)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_joined_in_order_wherever_they_begin() {
        for width in [0, 1, 15, 16, 64, 100, 300] {
            for stride in [width.max(1), width + 7] {
                let rows: Vec<f32> = (0..5 * stride + width).map(|i| 1.0 + (i * 7 % 13) as f32).collect();
                let mut all = vec![3.0; width];
                fold_down(Fold::Product, &mut all, &rows, stride);
                for (j, all) in all.iter().enumerate() {
                    assert_eq!(*all, (0..6).fold(3.0, |all, r| all * rows[r * stride + j]), "{width}, {stride}, {j}");
                }
            }
        }
    }
}
