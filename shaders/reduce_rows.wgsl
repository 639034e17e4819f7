// y[o] = finish(x[o, 0] + x[o, 1] + ...) for any associative "+": one workgroup an output (or a part of one).
// Bindings: p = outputs, elements of a row, parts a row is cut into, elements of a part, then those of the loads and the
// finish; inputs; outputs. Grid: one workgroup a part.
// Rounding: each of 256 threads adds every 256th element in order, then a fixed tree joins them: the same on every device.
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

var<workgroup> partial: array<Sum, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = group_index(wid, count);
    let parts = p[0].z;
    if (group >= p[0].x * parts) {
        return; // the whole workgroup leaves together
    }
    let row = group / parts;
    let first = (group % parts) * p[0].w;
    let end = min(first + p[0].w, p[0].y);
    var sum = identity();
    for (var j = first + lane; j < end; j += 256u) {
        sum = combine(sum, load(row * p[0].y + j));
    }
    partial[lane] = sum;
    for (var half = 128u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
            partial[lane] = combine(partial[lane], partial[lane + half]);
        }
    }
    if (lane == 0u) {
        finish(group, partial[0]);
    }
}
