//! Primitives of all number types: arithmetic, comparisons, logic, bits, conversions.

use super::{Prim, Row, Rule, UNARY};
use crate::expr::Ty;
use crate::expr::lift::{Block, Out, Word, one, three, two};
use crate::expr::{math, math64};

const ANY: &[Ty] = &[Ty::Bool, Ty::U32, Ty::I32, Ty::F32];
const NUMBER: &[Ty] = &[Ty::U32, Ty::I32, Ty::F32];
const SIGNED: &[Ty] = &[Ty::I32, Ty::F32];
const BITS: &[Ty] = &[Ty::Bool, Ty::U32, Ty::I32];

/// Arithmetic of two numbers.
const BINARY: Row = Row { arity: 2, types: NUMBER, ..UNARY };
/// Comparison of two numbers.
const TEST: Row = Row { arity: 2, rule: Rule::Test, types: NUMBER, ..UNARY };
/// Logic of two truth values, or bit by bit of two integers.
const LOGIC: Row = Row { arity: 2, commutes: true, types: BITS, ..UNARY };

/// `f` on floats, `g` on signed and `h` on unsigned integers and truth values.
#[inline(always)]
fn typed<F: Word, G: Word, H: Word>(
    ty: Ty,
    x: &[Block<'_>; 3],
    out: Out<'_>,
    f: impl Fn(f32, f32) -> F,
    g: impl Fn(i32, i32) -> G,
    h: impl Fn(u32, u32) -> H,
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

pub(super) static ROWS: [Row; 31] = [
    Row {
        prim: Prim::Add,
        name: "add",
        commutes: true,
        cpu: |ty, x, out| typed(ty, x, out, |a, b| a + b, i32::wrapping_add, u32::wrapping_add),
        f64: |[a, b, _]| a + b,
        wgsl: |_| "$a + $b",
        diff: |d| [Some(d.dy), Some(d.dy), None],
        ..BINARY
    },
    Row {
        prim: Prim::Sub,
        name: "sub",
        cpu: |ty, x, out| typed(ty, x, out, |a, b| a - b, i32::wrapping_sub, u32::wrapping_sub),
        f64: |[a, b, _]| a - b,
        wgsl: |_| "$a - $b",
        diff: |d| [Some(d.dy), Some(-d.dy), None],
        ..BINARY
    },
    Row {
        prim: Prim::Mul,
        name: "mul",
        commutes: true,
        cpu: |ty, x, out| typed(ty, x, out, |a, b| a * b, i32::wrapping_mul, u32::wrapping_mul),
        f64: |[a, b, _]| a * b,
        wgsl: |_| "$a * $b",
        diff: |d| [Some(d.dy * d.x[1]), Some(d.dy * d.x[0]), None],
        ..BINARY
    },
    // integers as WGSL has it: x / 0 = x and x % 0 = 0
    Row {
        prim: Prim::Div,
        name: "div",
        cpu: |ty, x, out| typed(ty, x, out, |a, b| a / b, math::div_i32, math::div_u32),
        f64: |[a, b, _]| a / b,
        wgsl: |ty| match ty {
            Ty::F32 => "$a / $b",
            Ty::I32 => "tw_div_i32($a, $b)",
            Ty::U32 | Ty::Bool => "tw_div_u32($a, $b)",
        },
        diff: |d| [Some(d.dy / d.x[1]), Some(-(d.dy * d.y) / d.x[1]), None],
        ..BINARY
    },
    Row {
        prim: Prim::Rem,
        name: "rem",
        cpu: |ty, x, out| typed(ty, x, out, |a, b| a % b, math::rem_i32, math::rem_u32),
        f64: |[a, b, _]| a % b,
        wgsl: |ty| match ty {
            Ty::F32 => "tw_rem($a, $b)",
            Ty::I32 => "tw_rem_i32($a, $b)",
            Ty::U32 | Ty::Bool => "tw_rem_u32($a, $b)",
        },
        diff: |d| [Some(d.dy), Some(-d.dy * (d.x[0] / d.x[1]).trunc()), None],
        ..BINARY
    },
    Row {
        prim: Prim::Max,
        name: "max",
        commutes: true,
        cpu: |ty, x, out| typed(ty, x, out, math::max, Ord::max, Ord::max),
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
        cpu: |ty, x, out| typed(ty, x, out, math::min, Ord::min, Ord::min),
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
        types: NUMBER,
        cpu: |ty, x, out| match ty {
            Ty::F32 => one(x, out, f32::abs),
            Ty::I32 => one(x, out, i32::wrapping_abs),
            _ => one(x, out, |a: u32| a),
        },
        f64: |[a, ..]| a.abs(),
        wgsl: |_| "abs($a)",
        diff: |d| [Some(d.dy * d.x[0].sign()), None, None],
        ..UNARY
    },
    Row {
        prim: Prim::Sign,
        name: "sign",
        types: NUMBER,
        cpu: |ty, x, out| match ty {
            Ty::F32 => one(x, out, math::sign),
            Ty::I32 => one(x, out, i32::signum),
            _ => one(x, out, |a: u32| a.min(1)),
        },
        f64: |&[a, ..]| if a == 0.0 || a.is_nan() { a } else { a.signum() },
        wgsl: |ty| match ty {
            Ty::F32 => "tw_sign($a)",
            Ty::I32 => "sign($a)",
            _ => "min($a, 1u)",
        },
        ..UNARY
    },
    Row {
        prim: Prim::Lt,
        name: "lt",
        cpu: |ty, x, out| typed(ty, x, out, |a, b| a < b, |a, b| a < b, |a, b| a < b),
        f64: |[a, b, _]| truth(a < b),
        wgsl: |_| "$a < $b",
        ..TEST
    },
    Row {
        prim: Prim::Le,
        name: "le",
        cpu: |ty, x, out| typed(ty, x, out, |a, b| a <= b, |a, b| a <= b, |a, b| a <= b),
        f64: |[a, b, _]| truth(a <= b),
        wgsl: |_| "$a <= $b",
        ..TEST
    },
    Row {
        prim: Prim::Gt,
        name: "gt",
        cpu: |ty, x, out| typed(ty, x, out, |a, b| a > b, |a, b| a > b, |a, b| a > b),
        f64: |[a, b, _]| truth(a > b),
        wgsl: |_| "$a > $b",
        ..TEST
    },
    Row {
        prim: Prim::Ge,
        name: "ge",
        cpu: |ty, x, out| typed(ty, x, out, |a, b| a >= b, |a, b| a >= b, |a, b| a >= b),
        f64: |[a, b, _]| truth(a >= b),
        wgsl: |_| "$a >= $b",
        ..TEST
    },
    Row {
        prim: Prim::Eq,
        name: "eq",
        commutes: true,
        types: ANY,
        cpu: |ty, x, out| typed(ty, x, out, |a, b| a == b, |a, b| a == b, |a, b| a == b),
        f64: |[a, b, _]| truth(a == b),
        wgsl: |_| "$a == $b",
        ..TEST
    },
    Row {
        prim: Prim::Ne,
        name: "ne",
        commutes: true,
        types: ANY,
        cpu: |ty, x, out| typed(ty, x, out, |a, b| a != b, |a, b| a != b, |a, b| a != b),
        f64: |[a, b, _]| truth(a != b),
        // a comparison for "unordered or not equal" is what WGSL's != is not everywhere: NaN ≠ NaN
        wgsl: |ty| if ty == Ty::F32 { "!($a == $b)" } else { "$a != $b" },
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
        types: NUMBER,
        cpu: |ty, x, out| if ty == Ty::F32 { one(x, out, |a: f32| a != 0.0) } else { one(x, out, |a: u32| a != 0) },
        f64: |&[a, ..]| truth(a != 0.0),
        wgsl: |_| "bool($a)",
        ..UNARY
    },
    Row {
        prim: Prim::ToU32,
        name: "u32",
        rule: Rule::To(Ty::U32),
        types: &[Ty::Bool, Ty::I32, Ty::F32],
        cpu: |ty, x, out| if ty == Ty::F32 { one(x, out, math64::to_u32) } else { one(x, out, |a: u32| a) },
        f64: |&[a, ..]| f64::from(a as u32),
        wgsl: |ty| if ty == Ty::F32 { "tw_to_u32($a)" } else { "u32($a)" },
        ..UNARY
    },
    Row {
        prim: Prim::ToI32,
        name: "i32",
        rule: Rule::To(Ty::I32),
        types: &[Ty::Bool, Ty::U32, Ty::F32],
        cpu: |ty, x, out| if ty == Ty::F32 { one(x, out, math64::to_i32) } else { one(x, out, |a: u32| a) },
        f64: |&[a, ..]| f64::from(a as i32),
        wgsl: |ty| if ty == Ty::F32 { "tw_to_i32($a)" } else { "i32($a)" },
        ..UNARY
    },
    Row {
        prim: Prim::ToF32,
        name: "f32",
        rule: Rule::To(Ty::F32),
        types: BITS,
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
    Row {
        prim: Prim::ToF16,
        name: "f16",
        rule: Rule::To(Ty::F32),
        cpu: |_, x, out| one(x, out, math::to_f16),
        f64: |&[a, ..]| half::f16::from_f32(a as f32).to_f64(),
        wgsl: |_| "tw_f16($a)",
        diff: |d| [Some(d.dy), None, None],
        ..UNARY
    },
    Row {
        prim: Prim::ToBF16,
        name: "bf16",
        rule: Rule::To(Ty::F32),
        cpu: |_, x, out| one(x, out, math::to_bf16),
        f64: |&[a, ..]| half::bf16::from_f32(a as f32).to_f64(),
        wgsl: |_| "tw_bf16($a)",
        diff: |d| [Some(d.dy), None, None],
        ..UNARY
    },
];
