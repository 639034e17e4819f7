// y[o] = x[(o - before) / step] on every axis where that is a whole place of x, else a value.
// Bindings: p = numel of y, the value's bits, offsets of x and y, then the words of `find`; x; y.
// Grid: one thread an element of y. Rounding: none, words are copied. Owner: src/ops/pad.rs.
//#include lib/index.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 1>;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
//#end bindings

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = group_index(wid, count) * 256u + lane;
    if (i >= p[0].x) {
        return;
    }
    var at = p[0].z;
    var inside = true;
    //#begin find
    at += i;
    //#end find
    var word = p[0].y;
    if (inside) {
        word = x[at];
    }
    y[p[0].w + i] = word;
}
