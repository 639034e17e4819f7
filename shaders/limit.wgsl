// out[i] = the sum of 8 chains of vec4 c = c * x + y, p[0].y links each: nothing but arithmetic, to find what the device does of it.
// Bindings: p[0] = invocations, links; out0: one value an invocation.
// Grid: one invocation a value, 256 a workgroup.
// Rounding: of no interest. Owner: src/device/gpu/limit.rs.
//#include lib/index.wgsl

@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 1>;
@group(0) @binding(1) var<storage, read_write> out0: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) count: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = group_index(wid, count) * 256u + lane;
    if (i >= p[0].x) { return; }
    // Values of the data, so that no compiler works the chains out beforehand; x below 1, so that they stay finite.
    let y = vec4<f32>(f32(i), 1.0, 2.0, 3.0);
    let x = vec4<f32>(0.5) / (y + 1.0);
    var c0 = y; var c1 = y * 2.0; var c2 = y * 3.0; var c3 = y * 4.0;
    var c4 = y * 5.0; var c5 = y * 6.0; var c6 = y * 7.0; var c7 = y * 8.0;
    for (var link = 0u; link < p[0].y; link++) {
        c0 = fma(c0, x, y); c1 = fma(c1, x, y); c2 = fma(c2, x, y); c3 = fma(c3, x, y);
        c4 = fma(c4, x, y); c5 = fma(c5, x, y); c6 = fma(c6, x, y); c7 = fma(c7, x, y);
    }
    out0[i] = dot(((c0 + c1) + (c2 + c3)) + ((c4 + c5) + (c6 + c7)), vec4<f32>(1.0));
}
