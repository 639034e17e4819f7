//! A program evaluated in f64: what the CPU loops, the shaders and the gradients are held against.

use super::prim::{Prim, Rule};
use super::{Inst, Program, Ty};

impl Program {
    /// The outputs for one element, computed in f64. Integers are exact and wrap as 32-bit ones do; bool is 0 or 1.
    ///
    /// Missing inputs and parameters count as NaN.
    pub fn eval_f64(&self, inputs: &[f64], params: &[f64]) -> Vec<f64> {
        let given = |list: &[f64], n: u32| list.get(n as usize).copied().unwrap_or(f64::NAN);
        let mut values: Vec<f64> = Vec::with_capacity(self.nodes().len());
        for node in self.nodes() {
            values.push(match node.inst {
                Inst::Input(n) => given(inputs, n),
                Inst::Param(n) => given(params, n),
                Inst::Const(bits) => number(bits, node.ty),
                Inst::Apply(prim, args) => {
                    let operand = self.nodes()[args[0] as usize].ty;
                    apply(prim, operand, node.ty, &args.map(|id| values.get(id as usize).copied().unwrap_or(0.0)))
                }
            });
        }
        self.results().iter().map(|&id| values[id as usize]).collect()
    }
}

/// A primitive in f64, or on the words of integers.
pub(super) fn apply(prim: Prim, operand: Ty, result: Ty, x: &[f64; 3]) -> f64 {
    let row = prim.row();
    let exact = match row.rule {
        Rule::Same | Rule::Shift => operand != Ty::F32,
        Rule::To(to) => operand != Ty::F32 && to != Ty::F32 || prim == Prim::FromBits,
        Rule::Test | Rule::Select => false,
    };
    if exact {
        let words: [u32; 3] = x.map(word);
        return number(prim.apply_words(operand, &words[..row.arity]), result);
    }
    (row.f64)(x)
}

/// The number that a word holds.
pub(super) fn number(bits: u32, ty: Ty) -> f64 {
    match ty {
        Ty::F32 => f64::from(f32::from_bits(bits)),
        Ty::I32 => f64::from(bits.cast_signed()),
        Ty::U32 | Ty::Bool => f64::from(bits),
    }
}

/// The word of an integer.
fn word(value: f64) -> u32 {
    value as i64 as u32
}

/// Error function, to about 1e-15: the Maclaurin series with all terms positive for small arguments (Abramowitz & Stegun
/// 7.1.6), the continued fraction of erfc for large ones (7.1.14).
pub(super) fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a.is_nan() {
        return x;
    }
    if a < 2.5 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term.abs() > 1e-18 * sum.abs() {
            n += 1.0;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
        }
        return std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum;
    }
    if a > 6.0 {
        return 1f64.copysign(x); // erfc(6) = 2e-17
    }
    let fraction = (1..=80).rev().fold(a, |f, n| a + f64::from(n) / 2.0 / f);
    let erfc = (-a * a).exp() / (fraction * std::f64::consts::PI.sqrt());
    (1.0 - erfc).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    #[test]
    fn erf_has_its_published_values() {
        // Abramowitz & Stegun table 7.1, and erf's oddness
        for (x, y) in [(0.5, 0.5204998778), (1.0, 0.8427007929), (2.0, 0.9953222650), (3.0, 0.9999779095)] {
            assert!((erf(x) - y).abs() < 1e-10, "{x}");
            assert_eq!(erf(-x), -erf(x));
        }
        assert!((erf(2.5 - 1e-12) - erf(2.5 + 1e-12)).abs() < 1e-14);
        assert_eq!(erf(f64::INFINITY), 1.0);
        assert!(erf(f64::NAN).is_nan());
    }

    #[test]
    fn integers_wrap_and_divide_as_wgsl_has_it() {
        let i = |f: &dyn Fn(f64, f64) -> f64, a, b| f(a, b);
        let run = |p: std::sync::Arc<Program>| move |a: f64, b: f64| p.eval_f64(&[a, b], &[])[0];
        let two = [DType::I32, DType::I32];
        let mul = run(Program::build("mul", &two, 0, |_, x, _| vec![x[0] * x[1]]));
        let div = run(Program::build("div", &two, 0, |_, x, _| vec![x[0] / x[1]]));
        let rem = run(Program::build("rem", &two, 0, |_, x, _| vec![x[0] % x[1]]));
        let shr = run(Program::build("shr", &two, 0, |_, x, _| vec![x[0].shr(x[1])]));
        assert_eq!(i(&mul, 65536.0, 65537.0), 65536.0);
        assert_eq!(i(&div, -7.0, 2.0), -3.0);
        assert_eq!(i(&div, 5.0, 0.0), 5.0);
        assert_eq!(i(&div, -2147483648.0, -1.0), -2147483648.0);
        assert_eq!(i(&rem, -7.0, 2.0), -1.0);
        assert_eq!(i(&rem, 5.0, 0.0), 0.0);
        assert_eq!(i(&shr, -8.0, 1.0), -4.0);
    }
}
