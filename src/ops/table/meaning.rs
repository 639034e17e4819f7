//! What element-wise operations mean, by the standard library and not by their formulas, which are the reference elsewhere.

use super::Data;
use super::row::{all, scalars};
use crate::dtype::DType;

/// What the operation means, by the standard library and not by its formula: of inputs `x` and scalars `p`.
fn meaning(name: &str, x: &[f64], p: &[f64]) -> f64 {
    let truth = |value: bool| f64::from(u8::from(value));
    let logistic = |x: f64| if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) };
    let softplus = |x: f64| x.exp().ln_1p();
    let erf = |x: f64| {
        // the integral of its definition, by Simpson's rule in 2000 steps
        let f = |k: usize| (-(x * k as f64 / 2000.0).powi(2)).exp();
        let inner: f64 = (1..2000).map(|k| if k % 2 == 1 { 4.0 * f(k) } else { 2.0 * f(k) }).sum();
        std::f64::consts::FRAC_2_SQRT_PI * x / 6000.0 * (f(0) + inner + f(2000))
    };
    let elu = |x: f64, alpha: f64| if x > 0.0 { x } else { alpha * (x.exp() - 1.0) };
    let a = x[0];
    let b = x.get(1).copied().unwrap_or(f64::NAN);
    let n = p.first().copied().unwrap_or(f64::NAN);
    match name {
        "neg" => 0.0 - a,
        "abs" => a.abs(),
        "sign" => a.signum(),
        "exp" => a.exp(),
        "exp_m1" => a.exp_m1(),
        "ln" => a.ln(),
        "ln_1p" => a.ln_1p(),
        "log2" => a.log2(),
        "log10" => a.log10(),
        "exp2" => a.exp2(),
        "sqrt" => a.sqrt(),
        "rsqrt" => a.powf(-0.5),
        "square" => a.powi(2),
        "recip" => a.powi(-1),
        "sin" => a.sin(),
        "cos" => a.cos(),
        "tan" => a.tan(),
        "tanh" => a.tanh(),
        "erf" => erf(a),
        "floor" => a.floor(),
        "ceil" => a.ceil(),
        "round" => a.round_ties_even(),
        "trunc" => a.trunc(),
        "is_nan" => truth(a.is_nan()),
        "is_finite" => truth(a.is_finite()),
        "logical_not" => truth(a == 0.0),
        "add" => a + b,
        "sub" => a - b,
        "mul" => a * b,
        "div" => a / b,
        "remainder" => (a % b + b) % b,
        "pow" => a.powf(b),
        "maximum" => a.max(b),
        "minimum" => a.min(b),
        "squared_difference" => (a - b).powi(2),
        "eq" => truth(a == b),
        "ne" => truth(a != b),
        "lt" => truth(a < b),
        "le" => truth(a <= b),
        "gt" => truth(a > b),
        "ge" => truth(a >= b),
        "logical_and" => truth(a != 0.0 && b != 0.0),
        "logical_or" => truth(a != 0.0 || b != 0.0),
        "logical_xor" => truth((a != 0.0) != (b != 0.0)),
        "add_scalar" => a + n,
        "sub_scalar" => a - n,
        "rsub_scalar" => n - a,
        "mul_scalar" => a * n,
        "div_scalar" => a / n,
        "rdiv_scalar" => n / a,
        "pow_scalar" => a.powf(n),
        "clamp" => a.clamp(p[0], p[1]),
        "gt_scalar" => truth(a > n),
        "lt_scalar" => truth(a < n),
        "eq_scalar" => truth(a == n),
        "relu" => a.max(0.0),
        "leaky_relu" => {
            if a > 0.0 {
                a
            } else {
                n * a
            }
        }
        "sigmoid" => logistic(a),
        "log_sigmoid" => -softplus(-a),
        "softplus" => softplus(a),
        "silu" => a * logistic(a),
        "gelu" => a * (1.0 + erf(a / 2f64.sqrt())) / 2.0,
        "gelu_tanh" => a * logistic(2.0 * (2.0 / std::f64::consts::PI).sqrt() * (a + 0.044715 * a.powi(3))),
        "elu" => elu(a, n),
        "selu" => 1.0507009873554805 * elu(a, 1.6732632423543772),
        "mish" => a * softplus(a).tanh(),
        "hard_sigmoid" => (a / 6.0 + 0.5).clamp(0.0, 1.0),
        "hard_swish" => a * (a / 6.0 + 0.5).clamp(0.0, 1.0),
        "softsign" => a / (1.0 + a.abs()),
        "absolute_difference" => (a - b).abs(),
        "huber" => {
            if (a - b).abs() <= n {
                (a - b).powi(2) / 2.0
            } else {
                n * ((a - b).abs() - n / 2.0)
            }
        }
        "bce_with_logits" => b * softplus(-a) + (1.0 - b) * softplus(a),
        "bce_with_logits_weighted" => x[2] * b * softplus(-a) + (1.0 - b) * softplus(a),
        "hinge" => (1.0 - a * b).max(0.0),
        "select_where" => {
            if a != 0.0 {
                b
            } else {
                x[2]
            }
        }
        "masked_fill" => {
            if b != 0.0 {
                n
            } else {
                a
            }
        }
        other => panic!("what does {other} mean?"),
    }
}

#[test]
fn formulas_mean_what_their_names_say() {
    for row in all() {
        let count = row.inputs.len();
        let (low, high) = row.domain;
        let columns: Vec<Data> = (0..count).map(|i| Data::uniform(&[500], low, high, i as u64)).collect();
        let program = row.program(&vec![DType::F32; count]);
        for scalars in scalars(row) {
            let p: Vec<f64> = scalars.iter().map(|&s| f64::from(s)).collect();
            for i in 0..500 {
                let x: Vec<f64> = columns.iter().map(|column| column.values[i]).collect();
                let (y, wanted) = (program.eval_f64(&x, &p)[0], meaning(row.name, &x, &p));
                // constants of formulas are f32: 2⁻²⁴, which e^x multiplies by x
                let close = y == wanted || (y - wanted).abs() <= 1e-6 * wanted.abs() + 1e-7;
                assert!(close, "{}({x:?}; {p:?}) is {y}, not {wanted}", row.name);
            }
        }
    }
}

#[test]
fn the_remainder_of_floats_is_that_of_python() {
    let row = all().find(|row| row.name == "remainder").unwrap();
    let program = row.program(&[DType::F32; 2]);
    let cases =
        [(-7.5, 2.0, 0.5), (7.5, -2.0, -0.5), (5.0, f64::INFINITY, 5.0), (1e30, 7.0, 1e30 % 7.0), (-6.0, 3.0, 0.0)];
    for (x, y, wanted) in cases {
        assert_eq!(program.eval_f64(&[x, y], &[]), [wanted], "{x} % {y}");
    }
    assert!(program.eval_f64(&[1.0, 0.0], &[])[0].is_nan());
}

#[test]
fn integer_formulas_mean_what_their_names_say() {
    let (i, u) = (DType::I32, DType::U32);
    let cases: &[(&str, DType, &[f64], f64)] = &[
        ("abs", u, &[4_294_967_295.0], 4_294_967_295.0),
        ("sign", u, &[4_294_967_295.0], 1.0),
        ("abs", i, &[-2_147_483_648.0], -2_147_483_648.0),
        ("remainder", i, &[123_456_789.0, 10.0], 9.0),
        ("remainder", i, &[-7.0, 3.0], 2.0),
        ("remainder", i, &[7.0, -3.0], -2.0),
        ("remainder", i, &[-6.0, 3.0], 0.0),
        ("remainder", i, &[5.0, 0.0], 0.0),
        ("remainder", u, &[4_294_967_295.0, 7.0], 3.0),
        ("add", u, &[4_294_967_295.0, 2.0], 1.0),
        ("sub", u, &[0.0, 1.0], 4_294_967_295.0),
        ("mul", i, &[65_536.0, 65_536.0], 0.0),
        ("div", i, &[7.0, 2.0], 3.5),
    ];
    for &(name, dtype, x, wanted) in cases {
        let row = all().find(|row| row.name == name).unwrap();
        let y = row.program(&vec![dtype; x.len()]).eval_f64(x, &[])[0];
        assert_eq!(y, wanted, "{name} of {x:?} in {dtype}");
    }
}
