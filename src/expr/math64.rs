//! Scalar functions of f32 that are computed in f64, where f32 has too few bits for the argument's reduction: sine, cosine
//! and powers. Free of branches, as `math`, and of fused multiply-adds.

use super::math;

/// Adding it rounds a double of less than 2^51 to the nearest integer, which then sits in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52

/// `a` if `condition`, else `b`, as [`math::pick`].
#[inline(always)]
fn pick(condition: bool, a: f64, b: f64) -> f64 {
    let mask = u64::from(condition).wrapping_neg();
    f64::from_bits(a.to_bits() & mask | b.to_bits() & !mask)
}

/// Beyond it a quarter turn is counted wrongly; [`sin_any`] and [`cos_any`] take over.
pub(crate) const MAX_ANGLE: f32 = 2.684_354_6e8; // 2^28

/// `(q, sin r, cos r)` with `x = q pi/2 + r` and `|r| <= pi/4`.
#[inline(always)]
fn turn(x: f32) -> (u64, f64, f64) {
    let x = f64::from(x);
    let shifted = x * std::f64::consts::FRAC_2_PI + ROUND;
    let n = shifted - ROUND;
    // pi/2 in two parts; the first has 25 bits, so that its product with n < 2^28 is exact
    let r = (x - n * 1.570_796_310_901_641_8) - n * 1.589_325_477_352_819_6e-8;
    let z = r * r;
    // (sin(r) - r)/r³ to 2^-37 of the sine, (cos(r) - 1 + r²/2)/r⁴ to 2^-42 of the cosine
    let s = -1.983_930_834_703_885_6e-4 + z * 2.718_084_073_015_450_7e-6;
    let s = -1.666_666_664_069_285_6e-1 + z * (8.333_329_292_704_285e-3 + z * s);
    let c = 2.479_945_586_251_115_2e-5 + z * -2.720_540_091_848_77e-7;
    let c = 4.166_666_661_929_97e-2 + z * (-1.388_888_348_371_214_5e-3 + z * c);
    (shifted.to_bits(), r * (1.0 + z * s), 1.0 - 0.5 * z + z * z * c)
}

/// Sine, for `|x| <= MAX_ANGLE`.
#[inline(always)]
pub(crate) fn sin(x: f32) -> f32 {
    let (q, s, c) = turn(x);
    let y = pick(q & 1 == 0, s, c);
    pick(q & 2 == 0, y, -y) as f32
}

/// Cosine, for `|x| <= MAX_ANGLE`.
#[inline(always)]
pub(crate) fn cos(x: f32) -> f32 {
    let (q, s, c) = turn(x);
    let y = pick(q & 1 == 0, c, s);
    pick(q.wrapping_add(1) & 2 == 0, y, -y) as f32
}

/// Sine of any angle, by the standard library.
pub(crate) fn sin_any(x: f32) -> f32 {
    f64::from(x).sin() as f32
}

/// Cosine of any angle, by the standard library.
pub(crate) fn cos_any(x: f32) -> f32 {
    f64::from(x).cos() as f32
}

/// `log2(a)` for positive finite `a`.
#[inline(always)]
fn log2(a: f32) -> f64 {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const ONE: u64 = 0x3ff0_0000_0000_0000;
    let bits = f64::from(a).to_bits().wrapping_add(ONE - SQRT_HALF);
    let m = f64::from_bits((bits & 0x000f_ffff_ffff_ffff).wrapping_add(SQRT_HALF)); // in [sqrt(1/2), sqrt(2))
    // the exponent as a double: put below the bits of 2^52
    let k = f64::from_bits((bits >> 52) | 0x4330_0000_0000_0000) - (4_503_599_627_370_496.0 + 1023.0);
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    // 2 atanh(s) / (s ln 2), to 2^-45
    let p = 0.412_209_283_895_672_35 + z * (0.319_904_321_661_890_4 + z * 0.282_920_909_306_407_23);
    let p = 2.885_390_081_777_849_5 + z * (0.961_796_694_114_260_8 + z * (0.577_077_942_074_467 + z * p));
    k + s * p
}

/// `2^y` for `|y| <= 200`.
#[inline(always)]
fn exp2(y: f64) -> f64 {
    let shifted = y + ROUND;
    let r = y - (shifted - ROUND);
    // to 2^-40
    let p = 1.540_385_200_126_027_2e-4 + r * (1.530_976_014_970_144_3e-5 + r * 1.317_584_309_079_259_3e-6);
    let p = 5.550_410_939_428_643e-2 + r * (9.618_128_542_192_45e-3 + r * (1.333_345_197_775_948_3e-3 + r * p));
    let p = 0.999_999_999_999_761_9 + r * (0.693_147_180_546_492_8 + r * (0.240_226_506_988_850_8 + r * p));
    p * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
}

/// Whether `x` is an integer; infinities count as one.
#[inline(always)]
fn is_integer(x: f32) -> bool {
    let a = x.abs();
    a >= 8_388_608.0 || (a + 8_388_608.0) - 8_388_608.0 == a // 2^23
}

/// `a^b` as IEEE 754's `pow`: `x^0 = 1^y = 1` even for NaN, a negative base needs an integer exponent.
#[inline(always)]
pub(crate) fn pow(a: f32, b: f32) -> f32 {
    let base = a.abs();
    let l = log2(base);
    let l = pick(base == 0.0, f64::NEG_INFINITY, l);
    let l = pick(base == f32::INFINITY, f64::INFINITY, l);
    let y = pick(l == 0.0, 0.0, f64::from(b) * l); // 1^±inf is 1
    let y = pick(y > 200.0, 200.0, y);
    let y = pick(y < -200.0, -200.0, y);
    let r = exp2(y) as f32;
    let odd = is_integer(b) & !is_integer(b * 0.5);
    let r = math::pick(a.is_sign_negative() & odd, -r, r);
    let r = math::pick((a < 0.0) & (base < f32::INFINITY) & !is_integer(b), f32::NAN, r);
    let r = math::pick(a.is_nan() | b.is_nan(), f32::NAN, r);
    math::pick((b == 0.0) | (a == 1.0), 1.0, r)
}

/// The integer towards 0, the nearest bound outside the range, 0 for NaN; as `as` does, but in a loop `as` stays scalar.
#[inline(always)]
pub(crate) fn to_i32(x: f32) -> i32 {
    to_word(x, f64::from(i32::MIN), f64::from(i32::MAX)).cast_signed()
}

/// As [`to_i32`], for unsigned integers.
#[inline(always)]
pub(crate) fn to_u32(x: f32) -> u32 {
    to_word(x, 0.0, f64::from(u32::MAX))
}

#[inline(always)]
fn to_word(x: f32, low: f64, high: f64) -> u32 {
    let t = f64::from(x.trunc());
    let t = pick(t < low, low, t);
    let t = pick(t > high, high, t);
    let t = pick(x.is_nan(), 0.0, t);
    (t + ROUND).to_bits() as u32 // the low half: the integer in two's complement
}
