// Scalar functions for generated code, right at the edges of their domains where the builtins promise nothing: WGSL has no
// NaN or infinity to rely on, and its tanh, sin and cos are held to an absolute error only.
// Bindings: none. Generated statements call these; the formulas are those of src/expr/math.rs, which says how they were
// fitted.
// Rounding: stated at each function in units in the last place (ulp) of an f32, given the operations that WGSL rounds
// correctly (+ - *), its 2.5 ulp of a quotient and its 3 + 2|x| ulp of exp(x). Owner: src/expr/wgsl.rs.

const TW_INF_BITS = 0x7f800000u;
const TW_NAN_BITS = 0x7fc00000u;

// The f32 of these bits. Constant expressions refuse infinity and NaN; a parameter is no constant expression.
fn tw_bits(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}

// v without its low `bits` bits, to the nearest; ties to even.
fn tw_rounded(v: u32, bits: u32) -> u32 {
    let half = 1u << (bits - 1u);
    return (v + (half - 1u) + ((v >> bits) & 1u)) >> bits;
}

// The bits of the nearest bf16.
fn tw_bf16_bits(x: f32) -> u32 {
    let v = bitcast<u32>(x);
    return select(tw_rounded(v, 16u), (v >> 16u) | 0x40u, (v & 0x7fffffffu) > TW_INF_BITS);
}

// The bits of the nearest f16. In integers, because pack2x16float may round either way.
fn tw_f16_bits(x: f32) -> u32 {
    let v = bitcast<u32>(x);
    let sign = (v >> 16u) & 0x8000u;
    let size = v & 0x7fffffffu;
    if (size > TW_INF_BITS) {
        return sign | 0x7e00u;
    }
    if (size >= 0x477ff000u) { // rounds to 65536 or more
        return sign | 0x7c00u;
    }
    if (size >= 0x38800000u) { // a normal f16: exponent bias 127 becomes 15
        return sign | tw_rounded(size - 0x38000000u, 13u);
    }
    if (size < 0x33000000u) { // below half the smallest subnormal
        return sign;
    }
    return sign | tw_rounded((size & 0x7fffffu) | 0x800000u, 126u - (size >> 23u));
}

// Rounded to 16 bits and back.
fn tw_bf16(x: f32) -> f32 {
    return bitcast<f32>(tw_bf16_bits(x) << 16u);
}

//#begin f16
fn tw_f16(x: f32) -> f32 {
    let bits = tw_f16_bits(x);
    let size = bits & 0x7fffu;
    var v = (size << 13u) + select(0x38000000u, 0x70000000u, size >= 0x7c00u);
    if (size < 0x400u) {
        v = bitcast<u32>(f32(size) * 5.9604645e-8f); // a multiple of 2^-24
    }
    return bitcast<f32>(v | ((bits & 0x8000u) << 16u));
}

// Sum and difference of values that f16 can hold, rounded to it: f32 has bits enough for rounding twice to be rounding once.
fn tw_f16_add(a: f32, b: f32) -> f32 {
    return tw_f16(a + b);
}

fn tw_f16_sub(a: f32, b: f32) -> f32 {
    return tw_f16(a - b);
}
//#end f16

// By its bits: a comparison may be compiled as if there were no NaN.
fn tw_is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > TW_INF_BITS;
}

// Towards 0; beyond the range its end, where the builtin stops at the last f32 within; NaN gives 0.
fn tw_to_i32(x: f32) -> i32 {
    return select(select(i32(x), 2147483647i, x >= 2147483648.0f), 0i, tw_is_nan(x));
}

fn tw_to_u32(x: f32) -> u32 {
    return select(select(u32(x), 4294967295u, x >= 4294967296.0f), 0u, tw_is_nan(x));
}

// x - y·trunc(x / y), the sign of x or 0: 2 ulp of x, or off by y where that is as much, as it is from quotients of 22 bits on.
// The builtin leaves a quotient that was rounded to the next integer as it is, and has no remainder of infinity.
fn tw_rem(x: f32, y: f32) -> f32 {
    let size = abs(y);
    let step = select(size, -size, x < 0.0f);
    var r = x - y * trunc(x / y);
    r = select(r, r + step, r != 0.0f && (r < 0.0f) != (x < 0.0f));
    r = select(r, r - step, abs(r) >= size);
    r = select(r, 0.0f, abs(r) >= size);
    let within = (bitcast<u32>(x) & 0x7fffffffu) < TW_INF_BITS && (bitcast<u32>(y) & 0x7fffffffu) == TW_INF_BITS;
    return select(r, x, within);
}

// Integers as WGSL has them: x / 0 = x and x % 0 = 0, and the same where the quotient is past the largest i32. Trusted
// shaders are compiled without the checks that would do it.
fn tw_whole(a: i32, b: i32) -> i32 {
    return select(b, 1, b == 0 || (b == -1 && a == -2147483648));
}

fn tw_div_i32(a: i32, b: i32) -> i32 {
    return a / tw_whole(a, b);
}

fn tw_rem_i32(a: i32, b: i32) -> i32 {
    return a % tw_whole(a, b);
}

fn tw_div_u32(a: u32, b: u32) -> u32 {
    return a / max(b, 1u);
}

fn tw_rem_u32(a: u32, b: u32) -> u32 {
    return a % max(b, 1u);
}

// -1, 0 or 1; NaN stays.
fn tw_sign(x: f32) -> f32 {
    return select(sign(x), x, tw_is_nan(x));
}

// e^x as the builtin's, 0 below -104, infinite above 88.7228 (the logarithm of the largest f32).
fn tw_exp(x: f32) -> f32 {
    let y = exp(clamp(x, -104.0f, 88.72283f));
    return select(select(y, tw_bits(TW_INF_BITS), x > 88.72283f), x, tw_is_nan(x));
}

// e^x - 1: 4 ulp up to |x| = 0.34, from there the error of e^x, at most 16 ulp of the result for |x| < 1.
fn tw_exp_m1(x: f32) -> f32 {
    let q = 0.16666636f + x * (0.041666511f + x * (0.00834151f + x * (0.0013930543f + x * 0.00015046226f)));
    return select(tw_exp(x) - 1.0f, x + x * x * (0.5f + x * q), abs(x) < 0.34f);
}

// ln(1 + x) for x in [-0.3, 0.42], 4 ulp: 2 atanh(s) with s = x / (2 + x).
fn tw_ln_near_1(x: f32) -> f32 {
    let s = x / (2.0f + x);
    let z = s * s;
    let r = z * (0.66666776f + z * (0.39977568f + z * 0.2987146f));
    let half = 0.5f * x * x;
    return x - (half - s * (half + r));
}

// Infinity and NaN stay, 0 gives -infinity, numbers below give NaN. Subnormals count as 0 where the device flushes them,
// as the smallest normal number elsewhere.
fn tw_ln_edges(x: f32, y: f32) -> f32 {
    let below = select(y, tw_bits(TW_NAN_BITS), x < 0.0f);
    let zero = select(below, tw_bits(TW_INF_BITS | 0x80000000u), x == 0.0f);
    return select(zero, x, (bitcast<u32>(x) & 0x7fffffffu) > TW_INF_BITS || bitcast<u32>(x) == TW_INF_BITS);
}

// Natural logarithm: 4 ulp around 1, else 3 ulp as the builtin.
fn tw_ln(x: f32) -> f32 {
    let y = select(log(max(x, 1.1754944e-38f)), tw_ln_near_1(x - 1.0f), abs(x - 1.0f) < 0.29f);
    return tw_ln_edges(x, y);
}

// ln(1 + x): 4 ulp around 0, else 6 ulp.
fn tw_ln_1p(x: f32) -> f32 {
    let y = select(log(max(1.0f + x, 1.1754944e-38f)), tw_ln_near_1(x), abs(x) < 0.29f);
    return tw_ln_edges(1.0f + x, y);
}

// 8 ulp: x + x³ P(x²) below 0.55, 1 - 2 / (e^(2x) + 1) above, where the quotient's error has shrunk.
fn tw_tanh(x: f32) -> f32 {
    let a = min(abs(x), 15.0f);
    let z = a * a;
    let p = -0.33333313f + z * (0.13332437f + z * (-0.053835757f + z * (0.021000376f + z * -0.006169614f)));
    let large = 1.0f - 2.0f / (exp(2.0f * a) + 1.0f);
    let y = select(large, a + a * (z * p), a < 0.55f);
    return select(select(y, -y, x < 0.0f), x, tw_is_nan(x));
}

// 4 ulp: x + x P(x²) below 1, 1 - e^-Q(x) above.
fn tw_erf(x: f32) -> f32 {
    let a = min(abs(x), 4.0f);
    let z = a * a;
    let p = 0.11283579f + z * (-0.026853347f + z * (0.005187162f + z * (-0.0007997853f + z * 7.806904e-5f)));
    let small = a + a * (0.12837917f + z * (-0.37612626f + z * p));
    let q = 0.6381312f + a * (0.103118345f + a * (-0.021843512f + a * (0.002948997f + a * -0.00018651344f)));
    let large = 1.0f - exp(-(0.00033939228f + a * (1.1270976f + a * q)));
    let y = select(large, small, a < 1.0f);
    return select(select(y, -y, x < 0.0f), x, tw_is_nan(x));
}

// sin(x + turns * pi / 2). Absolute error 2^-22 on [-pi, pi], about 2^-23 |x| / 1000 more beyond: pi / 2 is taken off in
// three parts, the first two of 12 bits, so that their products with fewer than 4096 quarter turns are exact.
fn tw_sin_turned(x: f32, turns: i32) -> f32 {
    let n = round(x * 0.63661977f);
    let r = clamp(((x - n * 1.5703125f) - n * 0.0004837513f) - n * 7.54979e-8f, -0.8f, 0.8f);
    let z = r * r;
    let s = r + r * z * (-0.16666654f + z * (0.0083321063f + z * -0.00019507883f));
    let c = 1.0f - 0.5f * z + z * z * (0.041666646f + z * (-0.0013887305f + z * 2.4431425e-5f));
    let quarter = i32(n) + turns;
    let y = select(s, c, (quarter & 1) != 0);
    let finite = (bitcast<u32>(x) & TW_INF_BITS) != TW_INF_BITS;
    return select(tw_bits(TW_NAN_BITS), select(y, -y, (quarter & 2) != 0), finite);
}

fn tw_sin(x: f32) -> f32 {
    return tw_sin_turned(x, 0);
}

fn tw_cos(x: f32) -> f32 {
    return tw_sin_turned(x, 1);
}

// a^b as IEEE 754's pow: a negative base needs a whole exponent, a^0 = 1^b = 1; the sign of a base of -0 may be lost.
// The error of exp2(b log2 a), inherited.
fn tw_pow(a: f32, b: f32) -> f32 {
    let base = abs(a);
    let e = select(b * log2(max(base, 1.1754944e-38f)), 0.0f, base == 1.0f); // 1^infinity is 1
    var y = exp2(clamp(e, -150.0f, 127.99999f));
    y = select(y, tw_bits(TW_INF_BITS), e >= 128.0f);
    y = select(y, select(0.0f, tw_bits(TW_INF_BITS), b < 0.0f), base == 0.0f);
    let whole = trunc(b) == b; // every f32 from 2^24 on is even
    let odd = whole && abs(b) < 16777216.0f && (i32(clamp(b, -16777216.0f, 16777216.0f)) & 1) != 0;
    y = select(y, -y, odd && a < 0.0f);
    y = select(y, tw_bits(TW_NAN_BITS), !whole && a < 0.0f && base <= 3.4028235e38f);
    y = select(y, tw_bits(TW_NAN_BITS), tw_is_nan(a) || tw_is_nan(b));
    return select(y, 1.0f, b == 0.0f || a == 1.0f);
}
