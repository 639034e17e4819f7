// math.wgsl — scalar functions for generated code, right at the edges of their domains.
// Bindings: none; a kernel that holds generated statements is put after this text.
// Rounding: as the builtins', see each function.   Owner: src/expr/wgsl.rs

// The f32 of these bits. An argument is no constant expression, so that infinity and NaN are allowed.
fn tw_bits(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}

// NaN is found by its bits: a comparison may be compiled as if there were none.
fn tw_is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn tw_sign(x: f32) -> f32 {
    return select(sign(x), x, tw_is_nan(x));
}

fn tw_exp(x: f32) -> f32 {
    let y = select(exp(min(x, 88.72283f)), tw_bits(0x7f800000u), x > 88.72283f);
    return select(y, x, tw_is_nan(x));
}

fn tw_exp_m1(x: f32) -> f32 {
    return tw_exp(x) - 1.0f;
}

fn tw_ln(x: f32) -> f32 {
    return log(x);
}

fn tw_ln_1p(x: f32) -> f32 {
    return log(1.0f + x);
}

fn tw_tanh(x: f32) -> f32 {
    return select(tanh(clamp(x, -15.0f, 15.0f)), x, tw_is_nan(x));
}

fn tw_erf(x: f32) -> f32 {
    let t = 1.0f / (1.0f + 0.3275911f * abs(x));
    let p = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    return sign(x) * (1.0f - p * exp(-x * x));
}

fn tw_sin(x: f32) -> f32 {
    return sin(x);
}

fn tw_cos(x: f32) -> f32 {
    return cos(x);
}

fn tw_pow(a: f32, b: f32) -> f32 {
    return pow(a, b);
}
