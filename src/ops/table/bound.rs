//! How far a result may be from the reference, and why.

use crate::device::DeviceKind;
use crate::dtype::DType;
use ndarray::{ArrayD, IxDyn};
use std::fmt;

/// An f32 operation that is rounded to nearest is off by at most this, relatively: 2⁻²⁴.
pub const ROUNDING: f64 = 1.0 / 16_777_216.0;

/// Roundings on the longest path from an element to its sum, on any device: 128 elements one after the other, then a tree.
pub const SUM_DEPTH: usize = 160;

/// The largest allowed error of each element, found from the inputs; infinite where any value is right.
pub type Each = Box<dyn Fn(&[ArrayD<f64>], DeviceKind) -> ArrayD<f64> + Send + Sync>;

/// How far results may be from the f64 reference.
pub enum Bound {
    /// Not at all: values are moved, compared, or counted.
    Exact,
    /// `|y - r| <= rel·|r| + abs`.
    Within {
        /// Relative to the reference.
        rel: f64,
        /// Absolute.
        abs: f64,
        /// Where the numbers come from.
        reason: &'static str,
    },
    /// By element, from the inputs.
    Each {
        /// The allowed error of each element of the result.
        allowed: Each,
        /// Where the numbers come from.
        reason: &'static str,
    },
}

impl Bound {
    /// `|y - r| <= rel·|r| + abs`, because of `reason`.
    pub fn within(rel: f64, abs: f64, reason: &'static str) -> Bound {
        Bound::Within { rel, abs, reason }
    }

    /// By element, from the inputs, because of `reason`.
    pub fn each(
        reason: &'static str,
        allowed: impl Fn(&[ArrayD<f64>], DeviceKind) -> ArrayD<f64> + Send + Sync + 'static,
    ) -> Bound {
        Bound::Each { allowed: Box::new(allowed), reason }
    }

    /// Sums of input 0 along `axes`: `min(n, 160)` roundings, each relative to `Σ|x|`.
    pub fn sum(axes: &[usize]) -> Bound {
        let axes = axes.to_vec();
        Bound::each("the roundings of partial sums, in any order, relative to Σ|x|", move |x, _| {
            let count: usize = axes.iter().map(|&axis| x[0].shape()[axis]).product();
            sum_along(&x[0].mapv(f64::abs), &axes).mapv(|sum| count.min(SUM_DEPTH) as f64 * ROUNDING * sum)
        })
    }

    /// A product of matrices of inner dimension `k`, where `product` computes it: `2·k·2⁻²⁴·(|A|·|B|)`.
    pub fn product(
        k: usize,
        product: impl Fn(&ArrayD<f64>, &ArrayD<f64>) -> ArrayD<f64> + Send + Sync + 'static,
    ) -> Bound {
        Bound::each("2·k·2⁻²⁴·(|A|·|B|): the forward error bound of a product, in any order", move |x, _| {
            product(&x[0].mapv(f64::abs), &x[1].mapv(f64::abs)).mapv(|sum| 2.0 * k as f64 * ROUNDING * sum)
        })
    }

    /// The allowed error of each element for results `reference` from `inputs`, stored as `dtype`.
    pub fn allowed(
        &self,
        inputs: &[ArrayD<f64>],
        reference: &ArrayD<f64>,
        kind: DeviceKind,
        dtype: DType,
    ) -> ArrayD<f64> {
        let mut allowed = match self {
            Bound::Exact => ArrayD::zeros(reference.raw_dim()),
            Bound::Within { rel, abs, .. } => reference.mapv(|r| rel * r.abs() + abs),
            Bound::Each { allowed, .. } => allowed(inputs, kind),
        };
        // Half a unit of the last place that is stored, and the spacing near 0.
        let (relative, least) = match dtype {
            DType::F16 => (2f64.powi(-11), 2f64.powi(-25)),
            DType::BF16 => (2f64.powi(-8), 0.0),
            _ => return allowed,
        };
        allowed.zip_mut_with(reference, |a, r| {
            if r.is_finite() {
                *a += relative * (r.abs() + *a) + least;
            }
        });
        allowed
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Exact => f.write_str("exact"),
            Bound::Within { rel, abs, reason } => write!(f, "{rel:e}·|r| + {abs:e}: {reason}"),
            Bound::Each { reason, .. } => f.write_str(reason),
        }
    }
}

/// Sums along `axes`, which go from the shape.
pub fn sum_along(x: &ArrayD<f64>, axes: &[usize]) -> ArrayD<f64> {
    fold_along(x, axes, 0.0, |sum, v| sum + v)
}

/// Folds along `axes`, which go from the shape, in row-major order.
pub fn fold_along(x: &ArrayD<f64>, axes: &[usize], start: f64, join: impl Fn(f64, f64) -> f64) -> ArrayD<f64> {
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let kept: Vec<usize> = (0..x.ndim()).filter(|axis| !sorted.contains(axis)).collect();
    let order: Vec<usize> = kept.iter().chain(&sorted).copied().collect();
    let shape: Vec<usize> = kept.iter().map(|&axis| x.shape()[axis]).collect();
    let moved = x.view().permuted_axes(IxDyn(&order));
    let count: usize = sorted.iter().map(|&axis| x.shape()[axis]).product();
    let mut values = moved.iter().copied();
    let mut out = ArrayD::from_elem(IxDyn(&shape), start);
    for sum in &mut out {
        *sum = values.by_ref().take(count).fold(start, &join);
    }
    out
}

/// Axes counted from 0.
pub fn numbers(shape: &[usize], axes: &[isize]) -> Vec<usize> {
    axes.iter().map(|axis| axis.rem_euclid(shape.len() as isize) as usize).collect()
}

/// An integer as an i32 that has wrapped.
pub fn wrapped_i32(value: f64) -> f64 {
    wrapped_u32(value + 2f64.powi(31)) - 2f64.powi(31)
}

/// An integer as a u32 that has wrapped.
pub fn wrapped_u32(value: f64) -> f64 {
    value.rem_euclid(2f64.powi(32))
}
