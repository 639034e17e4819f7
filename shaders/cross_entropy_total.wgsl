// The sum of losses, or their mean, from the sums of several workgroups.
// Bindings: p = workgroups, then those of the write; (sum of losses, sum of w_y) of each workgroup; the result, one element.
// Grid: one workgroup. Rounding: f32, thread i adds every 256th part, then a fixed tree. Owner: src/ops/cross_entropy.rs.
//#include lib/index.wgsl
//#include lib/math.wgsl
//#include lib/team.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 1>;
@group(0) @binding(1) var<storage, read> parts: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;
//#end bindings

//#begin writes
fn finish(group: u32, total: vec4<f32>) { out0[0] = total.x / total.y; }
//#end writes

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    var total = vec4<f32>();
    for (var i = lane; i < p[0].x; i += 256u) {
        total += vec4<f32>(parts[i], 0.0, 0.0);
    }
    total = group_sum(lane, total);
    let group = group_index(wid, count);
    if (lane == 0u && group == 0u) {
        finish(group, total);
    }
}
