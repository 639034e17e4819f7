//! The table of primitives: everything that is known about each, in one row.
//!
//! Derivatives follow PyTorch's conventions where a function has a corner: 0 for `abs` at 0, ties of `max` and `min` split
//! equally, `pow` at a base of 0 as `pow_backward`.

use super::lift::{Block, CHUNK, one, three, two};
use super::value::E;
use super::{Ty, math, reference};

/// A primitive: a name for its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[rustfmt::skip]
pub(crate) enum Prim {
    Add, Sub, Mul, Div, Rem, Max, Min, Neg, Abs, Sign,
    Exp, ExpM1, Ln, Ln1P, Sin, Cos, Tanh, Erf, Sqrt, Pow, Floor, Ceil, Round, Trunc,
    Lt, Le, Gt, Ge, Eq, Ne, And, Or, Xor, Not, Shl, Shr,
    Select, ToBool, ToU32, ToI32, ToF32, ToBits, FromBits,
}

/// How operand types determine the result's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Operands of one type, a result of the same.
    Same,
    /// Operands of one type, a result of true or false.
    Test,
    /// The second operand is a number of bits (u32); the result is of the first's type.
    Shift,
    /// A condition and two values of one type, the result's.
    Select,
    /// Any of the types, to this one.
    To(Ty),
}

/// What a derivative is made from: operands, result, and the derivative with respect to the result.
pub(crate) struct Local<'b> {
    pub(crate) x: [E<'b>; 3],
    pub(crate) y: E<'b>,
    pub(crate) dy: E<'b>,
}

/// One primitive.
pub(crate) struct Row {
    pub(crate) prim: Prim,
    /// As the method of [`E`] is spelled.
    pub(crate) name: &'static str,
    pub(crate) arity: usize,
    /// Whether its first two operands may be swapped.
    pub(crate) commutes: bool,
    pub(crate) rule: Rule,
    /// Operand types that it takes.
    pub(crate) types: &'static [Ty],
    /// A block of results, for operands of a type.
    pub(crate) cpu: fn(Ty, &[Block<'_>; 3], &mut [u32]),
    /// The result for f32 operands, in f64; tests and casts for all types.
    pub(crate) f64: fn(&[f64; 3]) -> f64,
    /// The WGSL expression: `$a $b $c` are the operands.
    pub(crate) wgsl: fn(Ty) -> &'static str,
    /// Derivatives with respect to the operands, for f32.
    pub(crate) diff: for<'b> fn(&Local<'b>) -> [Option<E<'b>>; 3],
}

impl Prim {
    /// Everything that is known about it.
    pub(crate) fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The result for one word an operand, of the first operand's type; as the CPU computes it.
    pub(crate) fn apply_words(self, ty: Ty, words: &[u32]) -> u32 {
        let splats: [[u32; CHUNK]; 3] = std::array::from_fn(|i| [words.get(i).copied().unwrap_or(0); CHUNK]);
        let mut out = [0; CHUNK];
        (self.row().cpu)(ty, &std::array::from_fn(|i| Block::splat(&splats[i])), &mut out);
        out[0]
    }
}

const ANY: &[Ty] = &[Ty::Bool, Ty::U32, Ty::I32, Ty::F32];
const NUMBER: &[Ty] = &[Ty::U32, Ty::I32, Ty::F32];
const SIGNED: &[Ty] = &[Ty::I32, Ty::F32];
const FLOAT: &[Ty] = &[Ty::F32];
const BITS: &[Ty] = &[Ty::Bool, Ty::U32, Ty::I32];

/// What most rows share: a smooth function of one f32.
const UNARY: Row = Row {
    prim: Prim::Neg,
    name: "",
    arity: 1,
    commutes: false,
    rule: Rule::Same,
    types: FLOAT,
    cpu: |_, _, _| {},
    f64: |_| f64::NAN,
    wgsl: |_| "",
    diff: |_| [None; 3],
};
/// Arithmetic of two numbers.
const BINARY: Row = Row { arity: 2, types: NUMBER, ..UNARY };
/// Comparison of two numbers.
const TEST: Row = Row { arity: 2, rule: Rule::Test, types: NUMBER, ..UNARY };
/// Logic of two truth values, or bit by bit of two integers.
const LOGIC: Row = Row { arity: 2, commutes: true, types: BITS, ..UNARY };

/// `f` on floats, `g` on signed and `h` on unsigned integers.
#[inline(always)]
fn arithmetic(
    ty: Ty,
    x: &[Block<'_>; 3],
    out: &mut [u32],
    f: impl Fn(f32, f32) -> f32 + Copy,
    g: impl Fn(i32, i32) -> i32 + Copy,
    h: impl Fn(u32, u32) -> u32 + Copy,
) {
    match ty {
        Ty::F32 => two(x, out, f),
        Ty::I32 => two(x, out, g),
        Ty::U32 | Ty::Bool => two(x, out, h),
    }
}

/// A comparison, by the operands' type.
#[inline(always)]
fn compare(
    ty: Ty,
    x: &[Block<'_>; 3],
    out: &mut [u32],
    f: impl Fn(f32, f32) -> bool + Copy,
    g: impl Fn(i32, i32) -> bool + Copy,
    h: impl Fn(u32, u32) -> bool + Copy,
) {
    match ty {
        Ty::F32 => two(x, out, f),
        Ty::I32 => two(x, out, g),
        Ty::U32 | Ty::Bool => two(x, out, h),
    }
}

/// 1.0 or 0.0.
fn truth(value: bool) -> f64 {
    f64::from(u8::from(value))
}

static ROWS: [Row; 43] = [
    Row {
        prim: Prim::Add,
        name: "add",
        commutes: true,
        cpu: |ty, x, out| arithmetic(ty, x, out, |a, b| a + b, i32::wrapping_add, u32::wrapping_add),
        f64: |[a, b, _]| a + b,
        wgsl: |_| "$a + $b",
        diff: |d| [Some(d.dy), Some(d.dy), None],
        ..BINARY
    },
    Row {
        prim: Prim::Sub,
        name: "sub",
        cpu: |ty, x, out| arithmetic(ty, x, out, |a, b| a - b, i32::wrapping_sub, u32::wrapping_sub),
        f64: |[a, b, _]| a - b,
        wgsl: |_| "$a - $b",
        diff: |d| [Some(d.dy), Some(-d.dy), None],
        ..BINARY
    },
    Row {
        prim: Prim::Mul,
        name: "mul",
        commutes: true,
        cpu: |ty, x, out| arithmetic(ty, x, out, |a, b| a * b, i32::wrapping_mul, u32::wrapping_mul),
        f64: |[a, b, _]| a * b,
        wgsl: |_| "$a * $b",
        diff: |d| [Some(d.dy * d.x[1]), Some(d.dy * d.x[0]), None],
        ..BINARY
    },
    // integers as WGSL has it: x / 0 = x and x % 0 = 0
    Row {
        prim: Prim::Div,
        name: "div",
        cpu: |ty, x, out| arithmetic(ty, x, out, |a, b| a / b, math::div_i32, math::div_u32),
        f64: |[a, b, _]| a / b,
        wgsl: |_| "$a / $b",
        diff: |d| [Some(d.dy / d.x[1]), Some(-(d.dy * d.y) / d.x[1]), None],
        ..BINARY
    },
    Row {
        prim: Prim::Rem,
        name: "rem",
        cpu: |ty, x, out| arithmetic(ty, x, out, |a, b| a % b, math::rem_i32, math::rem_u32),
        f64: |[a, b, _]| a % b,
        wgsl: |_| "$a % $b",
        diff: |d| [Some(d.dy), Some(-d.dy * (d.x[0] / d.x[1]).trunc()), None],
        ..BINARY
    },
    Row {
        prim: Prim::Max,
        name: "max",
        commutes: true,
        cpu: |ty, x, out| arithmetic(ty, x, out, math::max, Ord::max, Ord::max),
        f64: |&[a, b, _]| if a.is_nan() || a > b { a } else { b },
        wgsl: |_| "max($a, $b)",
        diff: |d| {
            let [a, b, _] = d.x;
            let tie = a.eq(b).select(d.dy * 0.5, d.dy);
            [Some(a.lt(b).select(0.0, tie)), Some(b.lt(a).select(0.0, tie)), None]
        },
        ..BINARY
    },
    Row {
        prim: Prim::Min,
        name: "min",
        commutes: true,
        cpu: |ty, x, out| arithmetic(ty, x, out, math::min, Ord::min, Ord::min),
        f64: |&[a, b, _]| if a.is_nan() || a < b { a } else { b },
        wgsl: |_| "min($a, $b)",
        diff: |d| {
            let [a, b, _] = d.x;
            let tie = a.eq(b).select(d.dy * 0.5, d.dy);
            [Some(a.gt(b).select(0.0, tie)), Some(b.gt(a).select(0.0, tie)), None]
        },
        ..BINARY
    },
    Row {
        prim: Prim::Neg,
        name: "neg",
        types: SIGNED,
        cpu: |ty, x, out| if ty == Ty::F32 { one(x, out, |a: f32| -a) } else { one(x, out, i32::wrapping_neg) },
        f64: |[a, ..]| -a,
        wgsl: |_| "-$a",
        diff: |d| [Some(-d.dy), None, None],
        ..UNARY
    },
    Row {
        prim: Prim::Abs,
        name: "abs",
        types: SIGNED,
        cpu: |ty, x, out| if ty == Ty::F32 { one(x, out, f32::abs) } else { one(x, out, i32::wrapping_abs) },
        f64: |[a, ..]| a.abs(),
        wgsl: |_| "abs($a)",
        diff: |d| [Some(d.dy * d.x[0].sign()), None, None],
        ..UNARY
    },
    Row {
        prim: Prim::Sign,
        name: "sign",
        types: SIGNED,
        cpu: |ty, x, out| if ty == Ty::F32 { one(x, out, math::sign) } else { one(x, out, i32::signum) },
        f64: |&[a, ..]| if a == 0.0 || a.is_nan() { a } else { a.signum() },
        wgsl: |ty| if ty == Ty::F32 { "tw_sign($a)" } else { "sign($a)" },
        ..UNARY
    },
    Row {
        prim: Prim::Exp,
        name: "exp",
        cpu: |_, x, out| one(x, out, math::exp),
        f64: |[a, ..]| a.exp(),
        wgsl: |_| "tw_exp($a)",
        diff: |d| [Some(d.dy * d.y), None, None],
        ..UNARY
    },
    Row {
        prim: Prim::ExpM1,
        name: "exp_m1",
        cpu: |_, x, out| one(x, out, math::exp_m1),
        f64: |[a, ..]| a.exp_m1(),
        wgsl: |_| "tw_exp_m1($a)",
        diff: |d| [Some(d.dy * (d.y + 1.0)), None, None],
        ..UNARY
    },
    Row {
        prim: Prim::Ln,
        name: "ln",
        cpu: |_, x, out| one(x, out, math::ln),
        f64: |[a, ..]| a.ln(),
        wgsl: |_| "tw_ln($a)",
        diff: |d| [Some(d.dy / d.x[0]), None, None],
        ..UNARY
    },
    Row {
        prim: Prim::Ln1P,
        name: "ln_1p",
        cpu: |_, x, out| one(x, out, math::ln_1p),
        f64: |[a, ..]| a.ln_1p(),
        wgsl: |_| "tw_ln_1p($a)",
        diff: |d| [Some(d.dy / (d.x[0] + 1.0)), None, None],
        ..UNARY
    },
    Row {
        prim: Prim::Sin,
        name: "sin",
        cpu: |_, x, out| one(x, out, math::sin),
        f64: |[a, ..]| a.sin(),
        wgsl: |_| "tw_sin($a)",
        diff: |d| [Some(d.dy * d.x[0].cos()), None, None],
        ..UNARY
    },
    Row {
        prim: Prim::Cos,
        name: "cos",
        cpu: |_, x, out| one(x, out, math::cos),
        f64: |[a, ..]| a.cos(),
        wgsl: |_| "tw_cos($a)",
        diff: |d| [Some(-d.dy * d.x[0].sin()), None, None],
        ..UNARY
    },
    Row {
        prim: Prim::Tanh,
        name: "tanh",
        cpu: |_, x, out| one(x, out, math::tanh),
        f64: |[a, ..]| a.tanh(),
        wgsl: |_| "tw_tanh($a)",
        diff: |d| [Some(d.dy * (1.0 - d.y * d.y)), None, None],
        ..UNARY
    },
    Row {
        prim: Prim::Erf,
        name: "erf",
        cpu: |_, x, out| one(x, out, math::erf),
        f64: |&[a, ..]| reference::erf(a),
        wgsl: |_| "tw_erf($a)",
        // 2/sqrt(pi) exp(-x²)
        diff: |d| [Some(d.dy * (std::f32::consts::FRAC_2_SQRT_PI * (-(d.x[0] * d.x[0])).exp())), None, None],
        ..UNARY
    },
    Row {
        prim: Prim::Sqrt,
        name: "sqrt",
        cpu: |_, x, out| one(x, out, f32::sqrt),
        f64: |[a, ..]| a.sqrt(),
        wgsl: |_| "sqrt($a)",
        diff: |d| [Some(0.5 * d.dy / d.y), None, None],
        ..UNARY
    },
    Row {
        prim: Prim::Pow,
        name: "pow",
        arity: 2,
        cpu: |_, x, out| two(x, out, math::pow),
        f64: |&[a, b, _]| a.powf(b),
        wgsl: |_| "tw_pow($a, $b)",
        diff: |d| {
            let ([a, b, _], dy) = (d.x, d.dy);
            let base = b.eq(0.0).select(0.0, dy * b * a.pow(b - 1.0));
            let exponent = a.eq(0.0).and(b.ge(0.0)).select(0.0, dy * (d.y * a.ln()));
            [Some(base), Some(exponent), None]
        },
        ..UNARY
    },
    Row {
        prim: Prim::Floor,
        name: "floor",
        cpu: |_, x, out| one(x, out, f32::floor),
        f64: |[a, ..]| a.floor(),
        wgsl: |_| "floor($a)",
        ..UNARY
    },
    Row {
        prim: Prim::Ceil,
        name: "ceil",
        cpu: |_, x, out| one(x, out, f32::ceil),
        f64: |[a, ..]| a.ceil(),
        wgsl: |_| "ceil($a)",
        ..UNARY
    },
    Row {
        prim: Prim::Round,
        name: "round",
        cpu: |_, x, out| one(x, out, f32::round_ties_even),
        f64: |[a, ..]| a.round_ties_even(),
        wgsl: |_| "round($a)",
        ..UNARY
    },
    Row {
        prim: Prim::Trunc,
        name: "trunc",
        cpu: |_, x, out| one(x, out, f32::trunc),
        f64: |[a, ..]| a.trunc(),
        wgsl: |_| "trunc($a)",
        ..UNARY
    },
    Row {
        prim: Prim::Lt,
        name: "lt",
        cpu: |ty, x, out| compare(ty, x, out, |a, b| a < b, |a, b| a < b, |a, b| a < b),
        f64: |[a, b, _]| truth(a < b),
        wgsl: |_| "$a < $b",
        ..TEST
    },
    Row {
        prim: Prim::Le,
        name: "le",
        cpu: |ty, x, out| compare(ty, x, out, |a, b| a <= b, |a, b| a <= b, |a, b| a <= b),
        f64: |[a, b, _]| truth(a <= b),
        wgsl: |_| "$a <= $b",
        ..TEST
    },
    Row {
        prim: Prim::Gt,
        name: "gt",
        cpu: |ty, x, out| compare(ty, x, out, |a, b| a > b, |a, b| a > b, |a, b| a > b),
        f64: |[a, b, _]| truth(a > b),
        wgsl: |_| "$a > $b",
        ..TEST
    },
    Row {
        prim: Prim::Ge,
        name: "ge",
        cpu: |ty, x, out| compare(ty, x, out, |a, b| a >= b, |a, b| a >= b, |a, b| a >= b),
        f64: |[a, b, _]| truth(a >= b),
        wgsl: |_| "$a >= $b",
        ..TEST
    },
    Row {
        prim: Prim::Eq,
        name: "eq",
        commutes: true,
        types: ANY,
        cpu: |ty, x, out| compare(ty, x, out, |a, b| a == b, |a, b| a == b, |a, b| a == b),
        f64: |[a, b, _]| truth(a == b),
        wgsl: |_| "$a == $b",
        ..TEST
    },
    Row {
        prim: Prim::Ne,
        name: "ne",
        commutes: true,
        types: ANY,
        cpu: |ty, x, out| compare(ty, x, out, |a, b| a != b, |a, b| a != b, |a, b| a != b),
        f64: |[a, b, _]| truth(a != b),
        wgsl: |_| "$a != $b",
        ..TEST
    },
    Row {
        prim: Prim::And,
        name: "and",
        cpu: |_, x, out| two(x, out, |a: u32, b: u32| a & b),
        wgsl: |_| "$a & $b",
        ..LOGIC
    },
    Row {
        prim: Prim::Or,
        name: "or",
        cpu: |_, x, out| two(x, out, |a: u32, b: u32| a | b),
        wgsl: |_| "$a | $b",
        ..LOGIC
    },
    Row {
        prim: Prim::Xor,
        name: "xor",
        cpu: |_, x, out| two(x, out, |a: u32, b: u32| a ^ b),
        wgsl: |ty| if ty == Ty::Bool { "$a != $b" } else { "$a ^ $b" },
        ..LOGIC
    },
    Row {
        prim: Prim::Not,
        name: "not",
        arity: 1,
        commutes: false,
        cpu: |ty, x, out| if ty == Ty::Bool { one(x, out, |a: u32| a ^ 1) } else { one(x, out, |a: u32| !a) },
        wgsl: |ty| if ty == Ty::Bool { "!$a" } else { "~$a" },
        ..LOGIC
    },
    Row {
        prim: Prim::Shl,
        name: "shl",
        arity: 2,
        rule: Rule::Shift,
        types: &[Ty::U32, Ty::I32],
        cpu: |_, x, out| two(x, out, |a: u32, n: u32| a << (n & 31)),
        wgsl: |_| "$a << ($b & 31u)",
        ..UNARY
    },
    Row {
        prim: Prim::Shr,
        name: "shr",
        arity: 2,
        rule: Rule::Shift,
        types: &[Ty::U32, Ty::I32],
        cpu: |ty, x, out| match ty {
            Ty::I32 => two(x, out, |a: i32, n: i32| a >> (n & 31)),
            _ => two(x, out, |a: u32, n: u32| a >> (n & 31)),
        },
        wgsl: |_| "$a >> ($b & 31u)",
        ..UNARY
    },
    Row {
        prim: Prim::Select,
        name: "select",
        arity: 3,
        rule: Rule::Select,
        types: ANY,
        cpu: |_, x, out| three(x, out, |c, a, b| if c != 0 { a } else { b }),
        f64: |&[c, a, b]| if c != 0.0 { a } else { b },
        wgsl: |_| "select($c, $b, $a)",
        diff: |d| [None, Some(d.x[0].select(d.dy, 0.0)), Some(d.x[0].select(0.0, d.dy))],
        ..UNARY
    },
    Row {
        prim: Prim::ToBool,
        name: "bool",
        rule: Rule::To(Ty::Bool),
        types: ANY,
        cpu: |ty, x, out| if ty == Ty::F32 { one(x, out, |a: f32| a != 0.0) } else { one(x, out, |a: u32| a != 0) },
        f64: |&[a, ..]| truth(a != 0.0),
        wgsl: |_| "bool($a)",
        ..UNARY
    },
    Row {
        prim: Prim::ToU32,
        name: "u32",
        rule: Rule::To(Ty::U32),
        types: ANY,
        cpu: |ty, x, out| if ty == Ty::F32 { one(x, out, |a: f32| a as u32) } else { one(x, out, |a: u32| a) },
        f64: |&[a, ..]| f64::from(a as u32),
        wgsl: |_| "u32($a)",
        ..UNARY
    },
    Row {
        prim: Prim::ToI32,
        name: "i32",
        rule: Rule::To(Ty::I32),
        types: ANY,
        cpu: |ty, x, out| if ty == Ty::F32 { one(x, out, |a: f32| a as i32) } else { one(x, out, |a: u32| a) },
        f64: |&[a, ..]| f64::from(a as i32),
        wgsl: |_| "i32($a)",
        ..UNARY
    },
    Row {
        prim: Prim::ToF32,
        name: "f32",
        rule: Rule::To(Ty::F32),
        types: ANY,
        cpu: |ty, x, out| if ty == Ty::I32 { one(x, out, |a: i32| a as f32) } else { one(x, out, |a: u32| a as f32) },
        f64: |[a, ..]| *a,
        wgsl: |_| "f32($a)",
        ..UNARY
    },
    Row {
        prim: Prim::ToBits,
        name: "bits",
        rule: Rule::To(Ty::U32),
        cpu: |_, x, out| one(x, out, |a: u32| a),
        f64: |&[a, ..]| f64::from((a as f32).to_bits()),
        wgsl: |_| "bitcast<u32>($a)",
        ..UNARY
    },
    Row {
        prim: Prim::FromBits,
        name: "from_bits",
        rule: Rule::To(Ty::F32),
        types: &[Ty::U32],
        cpu: |_, x, out| one(x, out, |a: u32| a),
        f64: |&[a, ..]| f64::from(f32::from_bits(a as u32)),
        wgsl: |_| "tw_bits($a)",
        ..UNARY
    },
];

#[cfg(test)]
pub(crate) fn rows() -> &'static [Row] {
    &ROWS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_primitive_finds_its_own_row() {
        for (i, row) in rows().iter().enumerate() {
            assert_eq!(row.prim as usize, i, "{}", row.name);
            assert_eq!(row.prim.row().name, row.name);
        }
        assert_eq!(Prim::FromBits as usize + 1, ROWS.len());
    }
}
