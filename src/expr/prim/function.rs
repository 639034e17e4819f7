//! Primitives of real numbers: exponentials, logarithms, angles, powers, rounding. Other types are computed as f32.

use super::{Prim, Row, UNARY};
use crate::expr::lift::{one, one_or, two};
use crate::expr::{math, math64, reference};

pub(super) static ROWS: [Row; 14] = [
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
        cpu: |_, x, out| one_or(x, out, math64::sin, math64::MAX_ANGLE, math64::sin_any),
        f64: |[a, ..]| a.sin(),
        wgsl: |_| "tw_sin($a)",
        diff: |d| [Some(d.dy * d.x[0].cos()), None, None],
        ..UNARY
    },
    Row {
        prim: Prim::Cos,
        name: "cos",
        cpu: |_, x, out| one_or(x, out, math64::cos, math64::MAX_ANGLE, math64::cos_any),
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
        cpu: |_, x, out| two(x, out, math64::pow),
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
];
