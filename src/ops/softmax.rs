//! `softmax`, `log_softmax` and `logsumexp`, computed from the largest element down so that nothing overflows.

use crate::device::cpu::reduce::{Fold, fold_rows};
use crate::error::Result;
use crate::expr::{Stores, exp_below};
use crate::ops::row::failed;
use crate::ops::row_wise::{Formulas, RowFormula, RowResult, RowWise, Walk, formula};
use crate::ops::row_wise_cpu::WholeRows;
use crate::ops::rows::{LONG_ROW, floats};
use crate::plan::kernel::Meta;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Saves};
use crate::tensor::record::record;
use pulp::{Arch, Simd, WithSimd};
use smallvec::smallvec;

/// What is made of the powers and their sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    /// `e^x / Σ e^x`
    Share,
    /// `x - ln Σ e^x`
    Log,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Softmax {
    form: Form,
}

impl RowFormula for Softmax {
    fn name(&self) -> &'static str {
        match self.form {
            Form::Share => "softmax",
            Form::Log => "log_softmax",
        }
    }

    fn formulas(&self) -> Formulas {
        let top = Walk::new(Fold::Max, [1, 0, 1], |x, _, _| vec![x[0]], |j, _, _| vec![j[0]]);
        let (sum, result) = match self.form {
            Form::Share => (
                Walk::new(Fold::Sum, [1, 1, 1], |x, s, _| vec![(x[0] - s[0]).exp()], |j, _, _| vec![j[0].recip()]),
                // numbers: top, 1 / sum; then the power
                formula(1, 3, 1, |_, s, _| vec![s[2] * s[1]]),
            ),
            Form::Log => (
                Walk::new(Fold::Sum, [1, 1, 1], |x, s, _| vec![(x[0] - s[0]).exp()], |j, _, _| vec![j[0].ln()]),
                formula(1, 2, 1, |x, s, _| vec![x[0] - s[0] - s[1]]),
            ),
        };
        Formulas { walks: vec![top, sum], result: Some(result) }
    }

    fn whole_rows(&self) -> Option<WholeRows> {
        (self.form == Form::Share).then_some(shares)
    }

    fn result(&self) -> RowResult {
        RowResult::Row
    }

    fn check(&self, _: &[Meta]) -> Result<()> {
        Ok(())
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::OUTPUT
    }

    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        Ok(smallvec![Some(slope(self.form, &call.output()?, dy))])
    }
}

/// `e^(x - max) / Σ e^(x - max)` row by row: the powers are written to where the result goes, or in the cache where that is
/// written past it, and scaled there.
fn shares(stores: Stores, width: usize, x: &[f32], out: &mut [f32]) {
    let arch = Arch::new();
    let mut apart = vec![0.0; if stores == Stores::Streamed { width } else { 0 }];
    for (at, out) in out.chunks_exact_mut(width).enumerate() {
        let rest = x.get(at * width..).unwrap_or_default();
        let (x, next) = rest.split_at(width.min(rest.len()));
        let y = if stores == Stores::Streamed { &mut apart[..] } else { &mut *out };
        let (mut top, mut sum) = ([0.0], [0.0]);
        fold_rows(1, Fold::Max, x, width, &mut top);
        arch.dispatch(Powers { x, top: top[0], out: y });
        fold_rows(1, Fold::Sum, y, width, &mut sum);
        let by = 1.0 / sum[0];
        match stores {
            Stores::Streamed => stores.scale(by, &apart, out, &next[..width.min(next.len())]),
            Stores::Cached => arch.dispatch(Scaled { by, out }),
        }
    }
    stores.settle();
}

/// Numbers that are taken at a time: a fixed count that the compiler makes vectors of.
const RUN: usize = 64;

struct Powers<'a> {
    x: &'a [f32],
    top: f32,
    out: &'a mut [f32],
}

impl WithSimd for Powers<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let ((x, x_rest), (out, out_rest)) = (self.x.as_chunks::<RUN>(), self.out.as_chunks_mut::<RUN>());
        for (x, out) in x.iter().zip(out) {
            for (x, out) in x.iter().zip(out) {
                *out = exp_below(*x - self.top);
            }
        }
        for (x, out) in x_rest.iter().zip(out_rest) {
            *out = exp_below(*x - self.top);
        }
    }
}

struct Scaled<'a> {
    by: f32,
    out: &'a mut [f32],
}

impl WithSimd for Scaled<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for out in self.out {
            *out *= self.by;
        }
    }
}

/// Inputs: the softmax `y` and the derivative by it, `dy`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SoftmaxGrad {
    form: Form,
}

fn slope(form: Form, y: &Tensor, dy: &Tensor) -> Tensor {
    record(RowWise::new(SoftmaxGrad { form }), &[y, dy], &[])
}

impl RowFormula for SoftmaxGrad {
    fn name(&self) -> &'static str {
        match self.form {
            Form::Share => "softmax_grad",
            Form::Log => "log_softmax_grad",
        }
    }

    fn formulas(&self) -> Formulas {
        let (sum, result) = match self.form {
            // y·(dy - Σ y·dy)
            Form::Share => (
                Walk::new(Fold::Sum, [2, 0, 1], |x, _, _| vec![x[0] * x[1]], |j, _, _| vec![j[0]]),
                formula(2, 1, 1, |x, s, _| vec![x[0] * (x[1] - s[0])]),
            ),
            // dy - e^y·Σ dy
            Form::Log => (
                Walk::new(Fold::Sum, [2, 0, 1], |x, _, _| vec![x[1]], |j, _, _| vec![j[0]]),
                formula(2, 1, 1, |x, s, _| vec![x[1] - x[0].exp() * s[0]]),
            ),
        };
        Formulas { walks: vec![sum], result: Some(result) }
    }

    fn result(&self) -> RowResult {
        RowResult::Row
    }

    fn check(&self, _: &[Meta]) -> Result<()> {
        Ok(())
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::INPUTS
    }

    fn grad(&self, call: &GradCall<'_>, u: &Tensor) -> Result<Partials> {
        let (y, dy) = (call.input(0)?, call.input(1)?);
        let sum = |x: Tensor| x.sum_axes(&[-1]).unsqueeze(-1);
        let (by_y, by_dy) = match self.form {
            Form::Share => {
                let (inner, outer) = (sum(y * dy), sum(y * u));
                (u * (dy - &inner) - dy * outer, slope(self.form, y, u))
            }
            Form::Log => {
                let power = y.exp();
                let weighed = u * &power;
                (-(&weighed * sum(dy.clone())), u - sum(weighed))
            }
        };
        Ok(smallvec![Some(by_y), Some(by_dy)])
    }
}

/// `ln Σ e^x` of each row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct LogSumExp;

impl RowFormula for LogSumExp {
    fn name(&self) -> &'static str {
        "logsumexp"
    }

    fn formulas(&self) -> Formulas {
        // An infinite maximum is not subtracted: ∞ - ∞ would be NaN.
        let top =
            Walk::new(Fold::Max, [1, 0, 1], |x, _, _| vec![x[0]], |j, _, _| vec![j[0].is_finite().select(j[0], 0.0)]);
        let sum =
            Walk::new(Fold::Sum, [1, 1, 1], |x, s, _| vec![(x[0] - s[0]).exp()], |j, s, _| vec![j[0].ln() + s[0]]);
        Formulas { walks: vec![top, sum], result: None }
    }

    fn result(&self) -> RowResult {
        RowResult::One
    }

    fn check(&self, _: &[Meta]) -> Result<()> {
        Ok(())
    }

    fn saves(&self, _: u32) -> Saves {
        Saves { inputs: 1, output: true }
    }

    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        let share = (call.input(0)? - call.output()?.unsqueeze(-1)).exp();
        Ok(smallvec![Some(share * dy.unsqueeze(-1))])
    }
}

/// `form` along `axis`.
#[track_caller]
fn along(x: &Tensor, form: Form, axis: isize) -> Tensor {
    let op = Softmax { form };
    if x.ok().is_none() {
        return x.clone();
    }
    match x.shape().axis(op.name(), axis) {
        Ok(at) if x.shape()[at] > LONG_ROW => {
            let log = x - x.logsumexp(&[axis]).unsqueeze(at as isize);
            if form == Form::Log { log } else { log.exp() }
        }
        Ok(_) => record(RowWise::new(op), &[&floats(x).transpose(axis, -1)], &[]).transpose(axis, -1),
        Err(error) => failed(error, x),
    }
}

/// `ln Σ e^x` along the last axis.
#[track_caller]
fn total(x: &Tensor) -> Tensor {
    if x.shape().last().is_none_or(|&width| width <= LONG_ROW) {
        return record(RowWise::new(LogSumExp), &[x], &[]);
    }
    let top = x.max_axes(&[-1]).detach();
    let top = Tensor::select_where(&top.is_finite(), &top, &top.zeros_like());
    (x - top.unsqueeze(-1)).exp().sum_axes(&[-1]).ln() + top
}

impl Tensor {
    /// `e^x / Σ e^x` along `axis`: positive numbers that add up to 1. Shape: unchanged. A row of -∞ alone gives NaN.
    ///
    /// Errors: an axis out of range.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![1000.0, 1000.0, f32::NEG_INFINITY], [3], &Device::cpu());
    /// assert_eq!(x.softmax(-1).to_vec::<f32>()?, [0.5, 0.5, 0.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Tensor {
        along(self, Form::Share, axis)
    }

    /// `x - ln Σ e^x` along `axis`, the logarithm of [`Tensor::softmax`] where that would round to 0. Shape: unchanged.
    ///
    /// Errors: an axis out of range.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![0.0, 200.0], [2], &Device::cpu());
    /// assert_eq!(x.log_softmax(-1).to_vec::<f32>()?, [-200.0, 0.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Tensor {
        along(self, Form::Log, axis)
    }

    /// `ln Σ e^x` along `axes`, which go from the shape; -∞ where all elements are, and of no elements.
    ///
    /// Errors: an axis out of range.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![1000.0, 1000.0], [2], &Device::cpu());
    /// assert_eq!(x.logsumexp(&[-1]).item::<f32>()?, 1000.0 + 2f32.ln());
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn logsumexp(&self, axes: &[isize]) -> Tensor {
        if self.ok().is_none() {
            return self.clone();
        }
        match axes_last(&self.shape(), "logsumexp", axes) {
            Ok(None) => floats(self), // ln e^x
            Ok(Some((order, flat))) => total(&floats(self).permute(&order).reshape(flat)),
            Err(error) => failed(error, self),
        }
    }
}

/// The order of dimensions that puts `axes` last, and the shape with these joined into one; `None` without axes.
fn axes_last(shape: &Shape, op: &'static str, axes: &[isize]) -> Result<Option<(Vec<isize>, Shape)>> {
    let named: Vec<usize> = axes.iter().map(|&axis| shape.axis(op, axis)).collect::<Result<_>>()?;
    let (last, mut order): (Vec<usize>, Vec<usize>) = (0..shape.rank()).partition(|axis| named.contains(axis));
    let mut flat: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    flat.push(last.iter().map(|&axis| shape[axis]).product());
    order.extend(&last);
    let order = order.into_iter().map(|axis| axis as isize).collect();
    Ok(if last.is_empty() { None } else { Some((order, Shape::of(&flat))) })
}

#[cfg(test)]
mod tests {
    use crate::{Device, Rng, Tensor};

    #[test]
    fn rows_at_one_go_have_the_bits_of_the_formulas() {
        let device = Device::cpu();
        for (rows, width) in [(1, 128), (7, 129), (300, 200), (3, 1000), (2, 70_001)] {
            // A row is as long as what is compared and one more: its neighbours do not follow, and the formulas are walked.
            let wide = Tensor::uniform([rows, width + 1], -30.0, 30.0, &mut Rng::seed(width as u64), &device);
            let apart = wide.slice(1, 0..width);
            assert!(rows == 1 || !apart.is_contiguous());
            let bits = |x: &Tensor| -> Vec<u32> {
                x.softmax(-1).to_vec::<f32>().unwrap().iter().map(|y| y.to_bits()).collect()
            };
            let together = Tensor::from_vec(apart.to_vec::<f32>().unwrap(), [rows, width], &device);
            assert!(bits(&apart) == bits(&together), "{rows} rows of {width}");
        }
        for width in [128, 129, 1000] {
            let x: Vec<f32> = (0..3 * width as u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 8) as f32 * 1e-6).collect();
            let [mut cached, mut streamed] = [vec![0.0; x.len()], vec![0.0; x.len()]];
            super::shares(super::Stores::Cached, width, &x, &mut cached);
            super::shares(super::Stores::Streamed, width, &x, &mut streamed);
            assert_eq!(cached, streamed);
        }
        let special = |value: f32| {
            let mut row = vec![0.0; 150];
            row[70] = value;
            Tensor::from_vec(row, [1, 150], &device).softmax(-1).to_vec::<f32>().unwrap()
        };
        assert!(special(f32::NAN).iter().all(|y| y.is_nan()));
        assert!(special(f32::INFINITY).iter().any(|y| y.is_nan()));
        assert_eq!(special(f32::NEG_INFINITY)[70], 0.0);
        assert_eq!(special(1000.0)[70], 1.0);
    }
}
