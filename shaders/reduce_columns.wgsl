// y[o] = finish(x[o, 0] + x[o, 1] + ...) for any associative "+": one thread an output, for short rows and for columns.
// Bindings: p = outputs, elements of a row, then those of the loads and the finish; inputs; outputs.
// Grid: one thread an output. Rounding: four sums of every fourth element, joined as (0+1)+(2+3): the same on every device.
// Owner: src/ops/reduce.rs.
//#include lib/index.wgsl
//#include lib/math.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 1>;
@group(0) @binding(1) var<storage, read> in0: array<f32>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;
//#end bindings

//#begin combine
alias Sum = f32;
fn identity() -> Sum { return 0.0; }
fn combine(a: Sum, b: Sum) -> Sum { return a + b; }
//#end combine

//#begin load
fn load(i: u32) -> Sum { return in0[i]; }
//#end load

//#begin finish
fn finish(i: u32, result: Sum) { out0[i] = result; }
//#end finish

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let o = group_index(wid, count) * 64u + lane;
    if (o >= p[0].x) {
        return;
    }
    let n = p[0].y;
    let first = o * n;
    var s0 = identity();
    var s1 = identity();
    var s2 = identity();
    var s3 = identity();
    var j = 0u;
    for (; j + 4u <= n; j += 4u) {
        s0 = combine(s0, load(first + j));
        s1 = combine(s1, load(first + j + 1u));
        s2 = combine(s2, load(first + j + 2u));
        s3 = combine(s3, load(first + j + 3u));
    }
    for (; j < n; j += 1u) {
        s0 = combine(s0, load(first + j));
    }
    finish(o, combine(combine(s0, s1), combine(s2, s3)));
}
