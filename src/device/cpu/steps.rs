//! What the folds of [`reduce`](super::reduce), [`extreme`](super::extreme) and [`columns`](super::columns) do with a value:
//! written once, for vectors of any width; a single number is a vector of one (`pulp::Scalar`).

use pulp::{Scalar, Simd};

/// A fold, one value after the other.
pub(super) trait Step: Copy + Sync {
    /// The fold of nothing.
    fn start(self) -> f32;

    /// Two folds as one.
    fn join<S: Simd>(self, simd: S, a: S::f32s, b: S::f32s) -> S::f32s;

    /// [`Step::join`] of two numbers.
    #[inline(always)]
    fn join_one(self, a: f32, b: f32) -> f32 {
        self.join(Scalar, a, b)
    }
}

#[derive(Clone, Copy)]
pub(super) struct Sum;

impl Step for Sum {
    fn start(self) -> f32 {
        0.0
    }

    #[inline(always)]
    fn join<S: Simd>(self, simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
        simd.add_f32s(a, b)
    }
}

#[derive(Clone, Copy)]
pub(super) struct Product;

impl Step for Product {
    fn start(self) -> f32 {
        1.0
    }

    #[inline(always)]
    fn join<S: Simd>(self, simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
        simd.mul_f32s(a, b)
    }
}

/// The larger, the first of equals; NaN if there is one.
#[derive(Clone, Copy)]
pub(super) struct Max;

impl Step for Max {
    fn start(self) -> f32 {
        f32::NEG_INFINITY
    }

    #[inline(always)]
    fn join<S: Simd>(self, simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
        // Comparisons, because the vector instructions for a maximum differ in what they do with NaN.
        let larger = simd.select_f32s(simd.greater_than_f32s(b, a), b, a);
        simd.select_f32s(simd.equal_f32s(b, b), larger, b)
    }
}

/// The smaller, the first of equals; NaN if there is one.
#[derive(Clone, Copy)]
pub(super) struct Min;

impl Step for Min {
    fn start(self) -> f32 {
        f32::INFINITY
    }

    #[inline(always)]
    fn join<S: Simd>(self, simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
        let smaller = simd.select_f32s(simd.less_than_f32s(b, a), b, a);
        simd.select_f32s(simd.equal_f32s(b, b), smaller, b)
    }
}
