//! Scalar functions of f32 for the CPU, written without branches so that loops over them vectorise.
//!
//! Multiplications that an addition follows are fused where it says so and nowhere else: a result is the same bits on every
//! CPU (one without the instruction, older than 2013, takes its time for it). Polynomials are minimax (Remez exchange), their
//! coefficients rounded to f32 one after another and the rest fitted again; the bound stated beside each is the
//! polynomial's own error, relative to the function. Whole-function errors are measured in the tests.

#[cfg(any(test, feature = "verify"))]
use super::prim::Prim;

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

/// Adding it rounds a float of less than 2^22 to the nearest integer, which then sits in the low bits.
const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23

// ln 2 in two parts; the first has 16 bits, so that its product with an exponent is exact
const LN2_HIGH: f32 = 0.693_145_75;
const LN2_LOW: f32 = 1.428_606_8e-6;

/// `a` if `condition`, else `b`; by masks, since an `if` between costly values becomes a branch, and the loop stays scalar.
#[inline(always)]
pub(crate) fn pick(condition: bool, a: f32, b: f32) -> f32 {
    let mask = u32::from(condition).wrapping_neg();
    f32::from_bits(a.to_bits() & mask | b.to_bits() & !mask)
}

/// `c[0] + c[1] x + c[2] x² …`
#[inline(always)]
fn polynomial<const N: usize>(x: f32, c: [f32; N]) -> f32 {
    let mut y = c[N - 1];
    for &c in c[..N - 1].iter().rev() {
        y = y.mul_add(x, c);
    }
    y
}

/// The smaller of `x` and a constant; NaN stays.
#[inline(always)]
fn at_most(limit: f32, x: f32) -> f32 {
    if x > limit { limit } else { x }
}

/// The larger of `x` and a constant; NaN stays.
#[inline(always)]
fn at_least(limit: f32, x: f32) -> f32 {
    if x < limit { limit } else { x }
}

/// `2^k` for `-127 < k < 128`.
#[inline(always)]
fn pow2(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) << 23).cast_unsigned())
}

/// `(k, p)` with `exp(x) = 2^k (1 + p)`, for `|x| < 2^22`.
#[inline(always)]
fn exp_parts(x: f32) -> (i32, f32) {
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let k = shifted.to_bits().wrapping_sub(ROUND.to_bits()).cast_signed();
    let r = (-n).mul_add(LN2_LOW, (-n).mul_add(LN2_HIGH, x));
    // (exp(r) - 1 - r) / r² on |r| <= ln(2)/2, to 2^-28.1 of exp(r) - 1
    let q = polynomial(r, [0.5, 0.166_666_36, 4.166_651e-2, 8.341_51e-3, 1.393_054_3e-3, 1.504_622_6e-4]);
    (k, (r * r).mul_add(q, r))
}

/// `e^x`: subnormal below -87.3, 0 below -103.97, infinite above 88.72.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let (k, p) = exp_parts(at_least(-104.0, at_most(89.0, x)));
    let half = k >> 1; // in two steps, since 2^k itself may be out of range
    (1.0 + p) * pow2(half) * pow2(k.wrapping_sub(half))
}

/// [`exp`] of numbers that are not above 0, in two operations less; the same bits.
#[inline(always)]
pub(crate) fn exp_below(x: f32) -> f32 {
    let (k, p) = exp_parts(at_least(-104.0, x));
    // k is -150 to 0: with 64 more it is in range, and the last product alone rounds
    (1.0 + p) * pow2(k.wrapping_add(64)) * f32::from_bits((127 - 64) << 23)
}

/// `e^x - 1`.
#[inline(always)]
pub(crate) fn exp_m1(x: f32) -> f32 {
    let (k, p) = exp_parts(at_least(-20.0, at_most(89.0, x))); // e^-20 is below half a unit of 1
    let scale = pow2(k.wrapping_sub(1));
    let y = p.mul_add(scale, scale - 0.5) * 2.0;
    pick(x.abs() < TINY, x, y)
}

/// Below it `f(x) = x + O(x²)` rounds to `x`, which keeps subnormals and the sign of 0.
const TINY: f32 = 2.980_232_2e-8; // 2^-25

/// `ln(u) + c`, with `c` a correction much smaller than 1.
#[inline(always)]
fn ln_plus(u: f32, c: f32) -> f32 {
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let subnormal = u < f32::MIN_POSITIVE;
    let bits = pick(subnormal, u * 8_388_608.0, u).to_bits(); // 2^23
    let k = bits.wrapping_sub(SQRT_HALF).cast_signed() >> 23;
    let f = f32::from_bits(bits.wrapping_sub((k << 23).cast_unsigned())) - 1.0; // in [sqrt(1/2) - 1, sqrt(2) - 1]
    let k = k.wrapping_sub(i32::from(subnormal) * 23) as f32;
    // With s = f / (2 + f): ln(1 + f) = 2 atanh(s) = f - f²/2 + s (f²/2 + s² R(s²)). R to 2^-30.2 of the logarithm.
    let s = f / (2.0 + f);
    let z = s * s;
    let r = z * polynomial(z, [0.666_667_76, 0.399_775_68, 0.298_714_6]);
    let half = 0.5 * f * f;
    let y = k.mul_add(LN2_HIGH, f - (half - s.mul_add(half + r, k.mul_add(LN2_LOW, c))));
    let y = pick(u == 0.0, f32::NEG_INFINITY, y);
    let y = pick(u < 0.0, f32::NAN, y);
    pick(u < f32::INFINITY, y, u) // infinity and NaN stay
}

/// Natural logarithm.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    ln_plus(x, 0.0)
}

/// `ln(1 + x)`: what the rounding of `1 + x` lost is put back as a first-order correction.
#[inline(always)]
pub(crate) fn ln_1p(x: f32) -> f32 {
    let u = 1.0 + x;
    let y = ln_plus(u, (x - (u - 1.0)) / u);
    pick(x.abs() < TINY, x, y)
}

/// Hyperbolic tangent, `t / (t + 2)` with `t = e^(2|x|) - 1`.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let a = at_most(10.0, a); // 1 - tanh(10) is below half a unit of 1
    let t = exp_m1(2.0 * a);
    (t / (t + 2.0)).copysign(x)
}

/// Error function: `x + x P(x²)` up to 1, `1 - exp(-Q(x))` above.
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    let a = x.abs();
    let z = x * x;
    // erf(x)/x - 1 on [0, 1], to 2^-29.3
    let p = [0.128_379_17, -0.376_126_26, 0.112_835_79, -2.685_334_7e-2, 5.187_162e-3, -7.997_853e-4, 7.806_904e-5];
    let small = x.mul_add(polynomial(z, p), x);
    // -ln(1 - erf(x)) on [1, 4], to 2^-29.3 of erf; 1 - erf(4) is below half a unit of 1
    let q = [3.393_922_8e-4, 1.127_097_6, 0.638_131_2, 0.103_118_345, -2.184_351_2e-2, 2.948_997e-3, -1.865_134_4e-4];
    let q = polynomial(at_most(4.0, a), q);
    let large = (1.0 - exp_below(-q)).copysign(x);
    pick(a < 1.0, small, large)
}

/// Rounded to the nearest f16, ties to even, and still an f32: 11 bits are left, or a multiple of the smallest subnormal.
#[inline(always)]
pub(crate) fn to_f16(x: f32) -> f32 {
    let size = x.abs();
    let bits = size.to_bits();
    let normal = f32::from_bits(bits.wrapping_add(0xfff + (bits >> 13 & 1)) & !0x1fff);
    let normal = pick(normal > 65_504.0, f32::INFINITY, normal);
    let small = (size + 0.5) - 0.5; // the last place of 0.5 is 2^-24
    quiet(x, pick(size < 6.103_515_6e-5, small, normal).copysign(x))
}

/// Rounded to the nearest bf16, ties to even, and still an f32.
#[inline(always)]
pub(crate) fn to_bf16(x: f32) -> f32 {
    let bits = x.to_bits();
    quiet(x, f32::from_bits(bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000))
}

/// `rounded`; NaN for NaN, in the bits that 16-bit floats keep.
#[inline(always)]
fn quiet(x: f32, rounded: f32) -> f32 {
    pick(x.is_nan(), f32::from_bits(x.to_bits() & 0xffff_0000 | 0x0040_0000), rounded)
}

/// What each function of f32 is held to on the CPU, in units of the last place. Measured over every seventh bit pattern: exp 0.98,
/// exp_m1 1.44, ln 0.83, ln_1p 0.83, tanh 2.42, erf 1.07; over all of them: sin, cos and pow 0.50. The rest rounds once.
#[cfg(any(test, feature = "verify"))]
pub(super) fn cpu_ulps(prim: Prim) -> f64 {
    match prim {
        Prim::Tanh => 2.5,
        Prim::ExpM1 | Prim::Erf => 1.5,
        Prim::Exp | Prim::Ln | Prim::Ln1P => 1.0,
        Prim::Sin | Prim::Cos | Prim::Pow => 0.501,
        Prim::Add | Prim::Sub | Prim::Mul | Prim::Div | Prim::Rem | Prim::Sqrt | Prim::ToF32 => 0.5,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_way_below_0_has_the_bits_of_the_long_one() {
        let negative = (0x8000_0000u32..=0xff80_0000).step_by(1009).chain(0xc2ae_0000..0xc2d1_0000); // -87 to -104.5, subnormal
        for x in negative.map(f32::from_bits).chain([0.0, -0.0, -104.0, f32::NEG_INFINITY]) {
            assert_eq!(exp_below(x).to_bits(), exp(x).to_bits(), "{x}");
        }
        assert!(exp_below(f32::NAN).is_nan());
    }
}
