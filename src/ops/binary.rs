//! Element-wise functions of two tensors (which broadcast) or of a tensor and a number. Mixed element types are promoted.

use crate::dtype::DType;
use crate::expr::{Builder, Program, Ty};
use crate::ops::map::Map;
use crate::ops::row::rows;
use crate::tensor::Tensor;
use crate::tensor::record::record;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, PoisonError};

rows! { BINARY;
    /// `x + y`. The operator `+` is this.
    add(x, y) on -10.0..10.0 = x + y;
    /// `x - y`. The operator `-` is this.
    sub(x, y) on -10.0..10.0 = x - y;
    /// `x·y`. The operator `*` is this.
    mul(x, y) on -10.0..10.0 = x * y;
    /// `x / y`, a float for integers too. The operator `/` is this.
    div(x, y) on 0.2..10.0 = x.cast(Ty::F32) / y.cast(Ty::F32);
    /// The remainder with the sign of the divisor, as Python's `%`; of integers by 0 it is 0.
    remainder(x, y) on 0.5..10.0 = match x.ty().max(y.ty()) {
        Ty::Bool | Ty::U32 => x % y,
        _ => {
            let rest = x % y; // with the sign of the dividend
            rest.ne(0).and(rest.lt(0).ne(y.cast(rest.ty()).lt(0))).select(rest + y, rest)
        }
    };
    /// `x^y`; NaN for a negative base and a broken exponent.
    pow(x, y) on 0.2..4.0 = x.cast(Ty::F32).pow(y.cast(Ty::F32));
    /// The larger of both; ties share the gradient.
    maximum(x, y) on -10.0..10.0 = x.max(y);
    /// The smaller of both; ties share the gradient.
    minimum(x, y) on -10.0..10.0 = x.min(y);
    /// `(x - y)²`.
    squared_difference(x, y) on -10.0..10.0 = (x - y) * (x - y);
    /// Whether `x = y`: a bool.
    eq(x, y) on -2.0..2.0 = x.eq(y);
    /// Whether `x ≠ y`: a bool.
    ne(x, y) on -2.0..2.0 = x.ne(y);
    /// Whether `x < y`: a bool.
    lt(x, y) on -2.0..2.0 = x.lt(y);
    /// Whether `x ≤ y`: a bool.
    le(x, y) on -2.0..2.0 = x.le(y);
    /// Whether `x > y`: a bool.
    gt(x, y) on -2.0..2.0 = x.gt(y);
    /// Whether `x ≥ y`: a bool.
    ge(x, y) on -2.0..2.0 = x.ge(y);
    /// Whether both are not zero: a bool.
    logical_and(x, y) on -1.0..1.0 = x.cast(Ty::Bool).and(y.cast(Ty::Bool));
    /// Whether one or both are not zero: a bool.
    logical_or(x, y) on -1.0..1.0 = x.cast(Ty::Bool).or(y.cast(Ty::Bool));
    /// Whether exactly one is not zero: a bool.
    logical_xor(x, y) on -1.0..1.0 = x.cast(Ty::Bool).ne(y.cast(Ty::Bool));
    /// `x + number`.
    add_scalar(x; number) on -10.0..10.0 = x + number;
    /// `x - number`.
    sub_scalar(x; number) on -10.0..10.0 = x - number;
    /// `number - x`.
    rsub_scalar(x; number) on -10.0..10.0 = number - x;
    /// `x·number`.
    mul_scalar(x; number) on -10.0..10.0 = x * number;
    /// `x / number`.
    div_scalar(x; number) on -10.0..10.0 = x.cast(Ty::F32) / number;
    /// `number / x`.
    rdiv_scalar(x; number) on 0.2..10.0 = number / x.cast(Ty::F32);
    /// `x^number`.
    pow_scalar(x; number) on 0.2..4.0 = x.cast(Ty::F32).pow(number);
    /// `x` held between `low` and `high`; no gradient flows where it was held.
    clamp(x; low, high) on -10.0..10.0 = x.max(low).min(high);
    /// Whether `x > number`: a bool.
    gt_scalar(x; number) on -2.0..2.0 = x.gt(number);
    /// Whether `x < number`: a bool.
    lt_scalar(x; number) on -2.0..2.0 = x.lt(number);
    /// Whether `x = number`: a bool.
    eq_scalar(x; number) on -2.0..2.0 = x.eq(number);
}

impl Tensor {
    /// `x` where `condition` is not zero, `y` elsewhere; all three broadcast. (`where` in NumPy; a word of its own in Rust.)
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![-1.0, 2.0], [2], &Device::cpu());
    /// let y = Tensor::select_where(&x.gt_scalar(0.0), &x, &x.zeros_like());
    /// assert_eq!(y.to_vec::<f32>()?, [0.0, 2.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn select_where(condition: &Tensor, x: &Tensor, y: &Tensor) -> Tensor {
        SELECT.call(&[condition, x, y], &[])
    }

    /// `value` where `mask` is not zero, this tensor elsewhere.
    #[track_caller]
    pub fn masked_fill(&self, mask: &Tensor, value: f32) -> Tensor {
        MASKED_FILL.call(&[self, mask], &[value])
    }
}

pub(crate) static SELECT: crate::ops::row::Row = crate::ops::row::Row {
    name: "select_where",
    inputs: &["condition", "x", "y"],
    scalars: &[],
    domain: (-2.0, 2.0),
    formula: |b, x, _| match x {
        [condition, x, y] => condition.cast(Ty::Bool).select(*x, *y),
        _ => b.constant(f32::NAN),
    },
    slopes: &[],
    cache: crate::ops::row::Cache::new(),
};

pub(crate) static MASKED_FILL: crate::ops::row::Row = crate::ops::row::Row {
    name: "masked_fill",
    inputs: &["x", "mask"],
    scalars: &["value"],
    domain: (-2.0, 2.0),
    formula: |b, x, p| match (x, p) {
        ([x, mask], [value]) => mask.cast(Ty::Bool).select(value.cast(x.ty()), *x),
        _ => b.constant(f32::NAN),
    },
    slopes: &[],
    cache: crate::ops::row::Cache::new(),
};

/// The elements in row-major order, as a new tensor.
#[track_caller]
pub(crate) fn copy(x: &Tensor) -> Tensor {
    convert(x, x.dtype(), "copy")
}

/// The elements in another type; to a 16-bit float, rounded to the nearest and ties to even, to the same bits on every device.
#[track_caller]
pub(crate) fn cast(x: &Tensor, dtype: DType) -> Tensor {
    convert(x, dtype, "to_dtype")
}

#[track_caller]
fn convert(x: &Tensor, dtype: DType, name: &'static str) -> Tensor {
    type Programs = FxHashMap<(DType, DType), Arc<Program>>;
    static PROGRAMS: Mutex<Option<Programs>> = Mutex::new(None);
    let from = x.dtype();
    let build = || {
        let b = Builder::new();
        let y = b.input(0, from).cast(Ty::of(dtype)).rounded_to(dtype);
        b.finish_as("convert", &[y], &[dtype])
    };
    let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
    let program = programs.get_or_insert_default().entry((from, dtype)).or_insert_with(build).clone();
    drop(programs);
    record(Map::new(name, program), &[x], &[])
}
