// y[o, k, i] = x[o, index[o, k, i], i], or `fill` where the index is out of range; x [outer, m, inner], y [outer, n, inner].
// Bindings: p = numel of y, n, inner, m, strides of the index by o, k and i, fill (bits), offsets of x, index and y; x; index;
// y. Grid: one thread an element of y. Rounding: none, words are copied. Owner: src/ops/gather.rs.
//#include lib/index.wgsl

@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 3>;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = group_index(wid, count) * 256u + lane;
    if (at >= p[0].x) {
        return;
    }
    let inner = p[0].z;
    let i = at % inner;
    let k = at / inner % p[0].y;
    let o = at / inner / p[0].y;
    let place = index[p[2].y + o * p[1].x + k * p[1].y + i * p[1].z]; // a negative one is larger than any dimension
    var word = p[1].w;
    if (place < p[0].w) {
        word = x[p[2].x + (o * p[0].w + place) * inner + i];
    }
    y[p[2].z + at] = word;
}
