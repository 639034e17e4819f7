//! Scalar functions of f32 for the CPU: written without branches, so that loops over them vectorise.

/// Quotient as WGSL has it: `x / 0 = x`, and the one overflow wraps.
#[inline(always)]
pub(crate) fn div_i32(a: i32, b: i32) -> i32 {
    a.checked_div(b).unwrap_or(a)
}
#[inline(always)]
pub(crate) fn rem_i32(a: i32, b: i32) -> i32 {
    a.checked_rem(b).unwrap_or(0)
}
#[inline(always)]
pub(crate) fn div_u32(a: u32, b: u32) -> u32 {
    a.checked_div(b).unwrap_or(a)
}
#[inline(always)]
pub(crate) fn rem_u32(a: u32, b: u32) -> u32 {
    a.checked_rem(b).unwrap_or(0)
}

/// The larger, NaN if either is.
#[inline(always)]
pub(crate) fn max(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

/// The smaller, NaN if either is.
#[inline(always)]
pub(crate) fn min(a: f32, b: f32) -> f32 {
    if a < b || a.is_nan() { a } else { b }
}

/// -1, 0 or 1; NaN and the sign of 0 stay.
#[inline(always)]
pub(crate) fn sign(x: f32) -> f32 {
    if x == 0.0 || x.is_nan() { x } else { 1f32.copysign(x) }
}

#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    x.exp()
}
#[inline(always)]
pub(crate) fn exp_m1(x: f32) -> f32 {
    x.exp_m1()
}
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    x.ln()
}
#[inline(always)]
pub(crate) fn ln_1p(x: f32) -> f32 {
    x.ln_1p()
}
#[inline(always)]
pub(crate) fn sin(x: f32) -> f32 {
    x.sin()
}
#[inline(always)]
pub(crate) fn cos(x: f32) -> f32 {
    x.cos()
}
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    x.tanh()
}
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    super::reference::erf(f64::from(x)) as f32
}
#[inline(always)]
pub(crate) fn pow(a: f32, b: f32) -> f32 {
    a.powf(b)
}
