// Sums of the class weights of targets, parts of the denominator of a weighted mean: parts[g] = sum of w_y over rows of g.
// Bindings: p = rows, classes, workgroups, then those of the reads; targets [rows]; class weights [classes]; parts
// [workgroups]. Grid: as given. Rounding: f32, in a fixed tree. Owner: src/ops/cross_entropy_grad.rs.
//#include lib/index.wgsl
//#include lib/math.wgsl
//#include lib/team.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 1>;
@group(0) @binding(1) var<storage, read> in1: array<u32>;
@group(0) @binding(2) var<storage, read> in3: array<f32>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;
//#end bindings

//#begin reads
fn target_of(row: u32) -> u32 { return in1[row]; }
fn class_weight(c: u32) -> f32 { return in3[c]; }
//#end reads

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = group_index(wid, count);
    if (group >= p[0].z) {
        return; // the whole workgroup leaves together
    }
    var total = vec4<f32>();
    for (var row = group * 256u + lane; row < p[0].x; row += p[0].z * 256u) {
        let label = target_of(row);
        let w = class_weight(min(label, p[0].y - 1u));
        total.x += select(w, tw_bits(0x7fc00000u), label >= p[0].y);
    }
    total = group_sum(lane, total);
    if (lane == 0u) {
        parts[group] = total.x;
    }
}
