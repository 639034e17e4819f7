//! Where a program's values may lie on a device: each primitive's own bound, carried through the formula as an interval.
//! WebGPU's conformance tests accept results in the same way (`floating_point.ts`).
//!
//! The bounds are those that `math` was measured to hold on the CPU, and in WGSL those of its specification, section
//! "Floating Point Evaluation", or of `shaders/lib/math.wgsl`, which is written in its terms.

use super::math::cpu_ulps;
use super::prim::Prim;
use super::reference::{apply, number};
use super::{Id, Inst, Program, Ty};
use smallvec::SmallVec;

/// Whose f32 arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    /// IEEE 754, with the functions of `math`.
    Cpu,
    /// WGSL, with the functions of `shaders/lib/math.wgsl`.
    Wgsl,
}

/// Everything from `low` to `high`, nothing where `low` is above; and perhaps NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    /// The value in f64: within, where it is a number.
    pub(crate) exact: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) nan: bool,
}

/// The largest finite f32.
const MAX: f64 = f32::MAX as f64;
/// The smallest normal f32: WGSL may flush what is below.
const TINY: f64 = f32::MIN_POSITIVE as f64;

impl Span {
    fn exactly(value: f64) -> Span {
        Span { exact: value, low: f64::INFINITY, high: f64::NEG_INFINITY, nan: false }.with(value, 0.0)
    }

    fn with(self, value: f64, error: f64) -> Span {
        if value.is_nan() {
            return Span { nan: true, ..self };
        }
        Span { low: self.low.min(value - error), high: self.high.max(value + error), ..self }
    }

    /// The exact value, both ends, and NaN if it is possible. Where a function rises or falls all along, the ends of its
    /// results are there.
    fn samples(self) -> SmallVec<[f64; 4]> {
        let mut samples = SmallVec::from_slice(&[self.exact]);
        let ends = [self.low, self.high].into_iter().filter(|&end| self.low <= self.high && end != self.exact);
        samples.extend(ends);
        if self.nan && !self.exact.is_nan() {
            samples.push(f64::NAN);
        }
        samples
    }

    fn crosses_zero(self) -> bool {
        self.low < 0.0 && self.high > 0.0
    }

    /// What f32 makes of it: beyond the largest is infinite, or on a GPU perhaps the largest; what is below the smallest normal
    /// number may be 0 there.
    fn held(mut self, on: Arithmetic) -> Span {
        let limit = if on == Arithmetic::Cpu { MAX + 2f64.powi(103) } else { MAX }; // half a unit more rounds back
        if self.high > MAX {
            self.high = if self.high > limit { f64::INFINITY } else { MAX };
            self.low = if self.low.is_finite() { self.low.min(MAX) } else { self.low };
        }
        if self.low < -MAX {
            self.low = if self.low < -limit { f64::NEG_INFINITY } else { -MAX };
            self.high = if self.high.is_finite() { self.high.max(-MAX) } else { self.high };
        }
        if on == Arithmetic::Wgsl && self.low < TINY && self.high > -TINY && self.low <= self.high {
            (self.low, self.high) = (self.low.min(0.0), self.high.max(0.0));
        }
        self
    }
}

impl Program {
    /// Where each output may lie for one element, given its exact inputs. Missing inputs and parameters count as NaN.
    pub(crate) fn spans(&self, inputs: &[f64], params: &[f64], on: Arithmetic) -> Vec<Span> {
        let given = |list: &[f64], n: u32| Span::exactly(list.get(n as usize).copied().unwrap_or(f64::NAN));
        let mut spans: Vec<Span> = Vec::with_capacity(self.nodes().len());
        for node in self.nodes() {
            let span = match node.inst {
                Inst::Input(n) => given(inputs, n),
                Inst::Param(n) => given(params, n),
                Inst::Const(bits) => Span::exactly(number(bits, node.ty)),
                Inst::Apply(prim, args) => {
                    let operands = args.map(|id| spans.get(id as usize).copied().unwrap_or(Span::exactly(0.0)));
                    let span = image(prim, self.nodes()[args[0] as usize].ty, node.ty, &operands, on);
                    // a + (b - a)·c may become a·(1 - c) + b·c, infinities and all
                    let product = |&id: &Id| matches!(self.nodes()[id as usize].inst, Inst::Apply(Prim::Mul, _));
                    let sum = on == Arithmetic::Wgsl && matches!(prim, Prim::Add | Prim::Sub);
                    let infinite = span.low == f64::NEG_INFINITY || span.high == f64::INFINITY;
                    let nan = span.nan || sum && infinite && node.operands().iter().any(product);
                    let span = Span { nan, ..span };
                    if node.ty == Ty::F32 { span.held(on) } else { span }
                }
            };
            spans.push(span);
        }
        self.results().iter().map(|&id| spans[id as usize]).collect()
    }
}

/// Where a primitive's results may lie for operands that lie there.
fn image(prim: Prim, operand: Ty, result: Ty, x: &[Span; 3], on: Arithmetic) -> Span {
    let arity = prim.row().arity;
    let samples: [SmallVec<[f64; 4]>; 3] =
        std::array::from_fn(|i| if i < arity { x[i].samples() } else { SmallVec::from_slice(&[0.0]) });
    let mut span = Span::exactly(apply(prim, operand, result, &x.map(|x| x.exact)));
    for &a in &samples[0] {
        for &b in &samples[1] {
            for &c in &samples[2] {
                let args = [a, b, c];
                let y = apply(prim, operand, result, &args);
                let error = if result == Ty::F32 && y.is_finite() { error(prim, &args, y, on) } else { 0.0 };
                span = span.with(y, error);
                if on == Arithmetic::Wgsl && matches!(prim, Prim::Max | Prim::Min) && y.is_nan() {
                    span = span.with(a, 0.0).with(b, 0.0); // WGSL leaves it open which one it is
                }
                if on == Arithmetic::Wgsl && prim == Prim::Div && b.abs() > 2f64.powi(126) {
                    span = span.with(0.0, 0.0); // the bound ends there, as the reciprocal may be flushed
                }
                if on == Arithmetic::Wgsl && prim == Prim::Pow && a == 0.0 {
                    span = span.with(-y, 0.0); // the sign of -0 may be lost
                }
            }
        }
    }
    // where functions neither rise nor fall all along
    match prim {
        Prim::Div if x[1].crosses_zero() => Span { nan: true, ..span.with(0.0, f64::INFINITY) },
        Prim::Abs if x[0].crosses_zero() => span.with(0.0, 0.0),
        Prim::Pow if x[0].low < 0.0 && x[1].low < x[1].high => {
            Span { nan: true, ..span.with(-span.low, 0.0).with(-span.high, 0.0) } // as the exponent is odd, even or neither
        }
        Prim::Sin | Prim::Cos if x[0].high - x[0].low > 1e-3 => span.with(-1.0, 0.0).with(1.0, 0.0),
        _ => span,
    }
}

/// How far the f32 result may be from the exact `y`, for exact operands.
fn error(prim: Prim, x: &[f64; 3], y: f64, on: Arithmetic) -> f64 {
    let &[a, b, _] = x;
    let round = ulp(y);
    // exp(x) of WGSL, in units of the last place
    let exp = |x: f64| 3.0 + 2.0 * x.abs();
    // log(x) and log2(x) of WGSL, whose value is `l`
    let log = |x: f64, l: f64| if (0.5..=2.0).contains(&x) { 2f64.powi(-21) } else { 3.0 * ulp(l) };
    match (on, prim) {
        (_, Prim::Add | Prim::Sub | Prim::Mul) if a == 0.0 || b == 0.0 => 0.0,
        (_, Prim::Div | Prim::Sqrt) if a == 0.0 => 0.0,
        (_, Prim::ToF32) if a.abs() <= 16_777_216.0 => 0.0,
        (Arithmetic::Cpu, _) => cpu_ulps(prim) * round,
        (_, Prim::Add | Prim::Sub | Prim::Mul | Prim::ToF32) => round, // rounded either way
        (_, Prim::Div) => 2.5 * round,
        // 1 / inverseSqrt(x): 2 units of that are at most 4 of its reciprocal
        (_, Prim::Sqrt) => 6.5 * round,
        (_, Prim::Exp) => exp(a) * round,
        (_, Prim::ExpM1) if a.abs() < 0.34 => 4.0 * round,
        (_, Prim::ExpM1) => exp(a) * ulp(a.exp()) + round,
        (_, Prim::Ln) if (a - 1.0).abs() < 0.29 => 4.0 * round,
        (_, Prim::Ln) => log(a, y),
        (_, Prim::Ln1P) if a.abs() < 0.29 => 4.0 * round,
        (_, Prim::Ln1P) => log(1.0 + a, y) + ulp(1.0 + a) / (1.0 + a),
        (_, Prim::Tanh) => 8.0 * round,
        (_, Prim::Erf) => 4.0 * round,
        (_, Prim::Sin | Prim::Cos) => {
            // quarter turns of more than 12 bits round when they are taken off
            let turn = if a.abs() < 6000.0 { 2f64.powi(-33) } else { 2f64.powi(-21) };
            (2f64.powi(-22) + turn * a.abs()).min(2.0)
        }
        (_, Prim::Pow) if a != 0.0 && b != 0.0 && a.is_finite() && b.is_finite() => {
            let l = a.abs().log2();
            let e = b * l;
            y.abs() * ((b.abs() * log(a.abs(), l) + ulp(e)).exp2() - 1.0) + exp(e) * round
        }
        // x - y·trunc(x / y), whose sign tells most times when the quotient is off by one; beyond 22 bits nothing does
        (_, Prim::Rem) => {
            let near = 2.0 * ulp(a) + ulp(b);
            let whole = y.abs() < near || b.abs() - y.abs() < near || (a / b).abs() > 4_194_304.0;
            if whole { b.abs().min(a.abs() + near) } else { near }
        }
        _ => 0.0,
    }
}

/// The distance of neighbouring f32 at `value`; that of subnormals below the normal numbers.
fn ulp(value: f64) -> f64 {
    let exponent = (value.abs().to_bits() >> 52) as i32 - 1023;
    2f64.powi(exponent.max(-126) - 23)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType::F32;
    use crate::expr::E;

    fn span(f: for<'b> fn(E<'b>) -> E<'b>, x: f64, on: Arithmetic) -> Span {
        Program::build("one", &[F32], 0, |_, x, _| vec![f(x[0])]).spans(&[x], &[], on)[0]
    }

    #[test]
    fn errors_grow_as_the_formula_makes_them() {
        let unit = 2f64.powi(-23);
        let once = span(|x| x * 3.0, 1.5, Arithmetic::Cpu);
        assert_eq!((once.low, once.high), (4.5 - 2.0 * unit, 4.5 + 2.0 * unit));
        // (1 + 2⁻²⁴ + x) - 1: a rounding of 1 stays where the value has shrunk
        let left = span(|x| (x + 1.0) - 1.0, 1e-7, Arithmetic::Cpu);
        assert!(left.high - left.low >= unit && left.high - left.low < 1.1 * unit, "{left:?}");
        let exp = span(|x| x.exp(), 80.0, Arithmetic::Wgsl);
        assert!((exp.high / 80f64.exp() - 1.0) / unit > 80.0);
    }

    #[test]
    fn overflow_and_flushing_are_values_like_others() {
        // 1 / (1 + e^100): e^100 is infinite in f32, or the largest number
        let sigmoid: for<'b> fn(E<'b>) -> E<'b> = |x| (1.0 + (-x).exp()).recip();
        let far = span(sigmoid, -100.0, Arithmetic::Wgsl);
        assert!(far.low.abs() < 1e-44 && far.high < 1e-38 && !far.nan, "{far:?}");
        assert!(span(|x| x - x, f64::INFINITY, Arithmetic::Cpu).nan);
        assert!(span(|x| x * 1e30 * 1e30 - x * 1e30 * 1e30, 1.0, Arithmetic::Cpu).nan, "infinity - infinity");
        let flushed = span(|x| x * 1e-30, 1e-10, Arithmetic::Wgsl);
        assert_eq!(flushed.low, 0.0);
        assert!(span(|x| x * 1e-30, 1e-10, Arithmetic::Cpu).low > 0.9e-40);
    }

    #[test]
    fn a_step_within_the_error_is_taken_or_not() {
        let floor = span(|x| (x * 3.0).floor(), f64::from(1f32 / 3.0), Arithmetic::Cpu);
        assert_eq!((floor.low, floor.high), (0.0, 1.0));
        let branch = span(|x| (x * 3.0).lt(1.0).select(x, -x), f64::from(1f32 / 3.0), Arithmetic::Cpu);
        assert!(branch.crosses_zero());
        assert_eq!(span(|x| x.floor(), 2.0, Arithmetic::Wgsl), Span::exactly(2.0));
    }
}
