// One part of a concatenation: y[o, column + j] = x[o, j] with x [outer, width] and y [outer, row].
// Bindings: p = numel of x, width, row, column, offset of x, offset of y; x; y. Grid: one thread an element of x.
// Rounding: none, words are copied. Owner: src/ops/cat.rs.
//#include lib/index.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 2>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
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
    let outer = i / p[0].y;
    let j = i % p[0].y;
    y[p[1].y + outer * p[0].z + p[0].w + j] = x[p[1].x + i];
}
