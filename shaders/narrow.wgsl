// y[i] = x[i] rounded to a 16-bit float, two to a word, the even element low.
// Bindings: p = number of elements, 1 for bf16 or 0 for f16, offset of x, offset of y (0); x; y. Grid: one thread a word of y.
// Rounding: nearest, ties to even, in integer arithmetic, because pack2x16float may round either way. Owner: src/ops/narrow.rs.
//#include lib/index.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 1>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
//#end bindings

// Drops the low `bits` bits; ties to even.
fn rounded(v: u32, bits: u32) -> u32 {
    let half = 1u << (bits - 1u);
    return (v + (half - 1u) + ((v >> bits) & 1u)) >> bits;
}

fn to_bf16(v: u32) -> u32 {
    if ((v & 0x7fffffffu) > 0x7f800000u) {
        return (v >> 16u) | 0x40u; // NaN stays one
    }
    return rounded(v, 16u);
}

fn to_f16(v: u32) -> u32 {
    let sign = (v >> 16u) & 0x8000u;
    let size = v & 0x7fffffffu;
    if (size > 0x7f800000u) {
        return sign | 0x7e00u | ((size >> 13u) & 0x3ffu);
    }
    if (size >= 0x477ff000u) { // rounds to 65536 or more
        return sign | 0x7c00u;
    }
    if (size >= 0x38800000u) { // a normal f16: exponent bias 127 becomes 15
        return sign | rounded(size - 0x38000000u, 13u);
    }
    if (size < 0x33000000u) { // below half the smallest subnormal
        return sign;
    }
    let exponent = size >> 23u;
    let fraction = (size & 0x7fffffu) | 0x800000u;
    return sign | rounded(fraction, 126u - exponent);
}

fn narrow(v: u32) -> u32 {
    if (p[0].y == 1u) {
        return to_bf16(v);
    }
    return to_f16(v);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let w = group_index(wid, count) * 256u + lane;
    let i = 2u * w;
    if (i >= p[0].x) {
        return;
    }
    var word = narrow(bitcast<u32>(x[p[0].z + i]));
    if (i + 1u < p[0].x) {
        word |= narrow(bitcast<u32>(x[p[0].z + i + 1u])) << 16u;
    }
    y[w] = word;
}
