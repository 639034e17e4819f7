// y_k[i] = f_k(x_0[i], x_1[i], ...): an element-wise program over a common shape.
// Bindings: p = number of elements, dimensions and strides of strided inputs, offsets, run-time scalars; inputs; outputs.
// Grid: one thread an element. Rounding: that of the program's primitives. Owner: src/ops/map.rs.
//#include lib/index.wgsl
//#include lib/math.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 1>;
@group(0) @binding(1) var<storage, read> in0: array<f32>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;
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
//#begin body
    out0[i] = in0[i];
//#end body
}
