//! Element-wise functions of one tensor. Integers are computed as `f32` where a function has no integer meaning.

use crate::ops::row::rows;

rows! { UNARY;
    /// `-x`, wrapping for integers.
    neg(x) on -10.0..10.0 = -x;
    /// `|x|`; its gradient at 0 is 0.
    abs(x) on -10.0..10.0 = x.abs();
    /// -1, 0 or 1. No gradient flows.
    sign(x) on -10.0..10.0 = x.sign();
    /// `e^x`; overflows to infinity above 88.72.
    exp(x) on -20.0..20.0 = x.exp(), d 0(_x, y, dy) = dy * y;
    /// `e^x - 1`, exact near 0.
    exp_m1(x) on -5.0..5.0 = x.exp_m1();
    /// Natural logarithm; -infinity at 0, NaN below.
    ln(x) on 0.01..50.0 = x.ln();
    /// `ln(1 + x)`, exact near 0.
    ln_1p(x) on -0.9..20.0 = x.ln_1p();
    /// Logarithm to base 2.
    log2(x) on 0.01..50.0 = x.ln() * std::f32::consts::LOG2_E;
    /// Logarithm to base 10.
    log10(x) on 0.01..50.0 = x.ln() * std::f32::consts::LOG10_E;
    /// `2^x`.
    exp2(x) on -10.0..10.0 = (x * std::f32::consts::LN_2).exp();
    /// Square root; NaN below 0.
    sqrt(x) on 0.01..50.0 = x.sqrt(), d 0(_x, y, dy) = dy * 0.5 / y;
    /// `1 / √x`.
    rsqrt(x) on 0.01..50.0 = x.sqrt().recip();
    /// `x²`.
    square(x) on -10.0..10.0 = x * x;
    /// `1 / x`.
    recip(x) on 0.1..10.0 = x.recip();
    /// Sine of radians.
    sin(x) on -6.0..6.0 = x.sin();
    /// Cosine of radians.
    cos(x) on -6.0..6.0 = x.cos();
    /// Tangent of radians.
    tan(x) on -1.2..1.2 = x.sin() / x.cos();
    /// Hyperbolic tangent.
    tanh(x) on -3.0..3.0 = x.tanh(), d 0(_x, y, dy) = dy * (1.0 - y * y);
    /// Error function.
    erf(x) on -4.0..4.0 = x.erf();
    /// The largest whole number not above. No gradient flows.
    floor(x) on -10.0..10.0 = x.floor();
    /// The smallest whole number not below. No gradient flows.
    ceil(x) on -10.0..10.0 = x.ceil();
    /// The nearest whole number; halves go to the even one. No gradient flows.
    round(x) on -10.0..10.0 = x.round();
    /// The whole part, towards zero. No gradient flows.
    trunc(x) on -10.0..10.0 = x.trunc();
    /// Whether it is NaN, found by its bits: a bool.
    is_nan(x) on -10.0..10.0 = x.is_nan();
    /// Whether it is neither NaN nor infinite, found by its bits: a bool.
    is_finite(x) on -10.0..10.0 = x.is_finite();
    /// Logical not: true where the element is zero.
    logical_not(x) on -1.0..1.0 = x.cast(crate::expr::Ty::Bool).not();
}
