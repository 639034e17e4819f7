// Gradient of the cross entropy of rows: with P the softmax of the row, w the class weights, e the smoothing, y the target,
//   dx_c = dy * scale * ( ((1 - e) w_y + e / C * sum of w) P_c - (1 - e) w_y [c = y] - e / C * w_c ); NaN where y is no class.
// Bindings: p = rows, classes, 1 / rows or how many parts the denominator has, smoothing, offset of dx, then those of the
// reads; logits [rows, classes], targets [rows], dy (one, or [rows]), class weights [classes] if any; parts of the
// denominator if any; dx [rows, classes].
// Grid: TEAM threads a row. Rounding: f32, sums in a fixed tree. Owner: src/ops/cross_entropy_grad.rs.
//#include lib/index.wgsl
//#include lib/math.wgsl
//#include lib/team.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 2>;
@group(0) @binding(1) var<storage, read> in0: array<f32>;
@group(0) @binding(2) var<storage, read> in1: array<u32>;
@group(0) @binding(3) var<storage, read> in2: array<f32>;
@group(0) @binding(4) var<storage, read_write> out0: array<f32>;
//#end bindings

//#begin reads
fn logit_row(row: u32) -> u32 { return row * p[0].y; }
fn logit(start: u32, column: u32) -> f32 { return in0[start + column]; }
fn target_of(row: u32) -> u32 { return in1[row]; }
fn class_weight(c: u32) -> f32 { return 1.0; }
fn dy_of(row: u32) -> f32 { return in2[row]; }
//#end reads

//#begin scale
fn scale_of(lane: u32) -> f32 { return bitcast<f32>(p[0].z); }
//#end scale

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let rows = p[0].x;
    let classes = p[0].y;
    let smoothing = bitcast<f32>(p[0].w);
    let first = group_index(wid, count) * TEAMS;
    if (first >= rows) {
        return; // the whole workgroup leaves together
    }
    let mate = lane % TEAM;
    let own = first + lane / TEAM;
    let row = min(own, rows - 1u); // teams past the end keep others company at the barriers
    let start = logit_row(row);
    var top = tw_bits(0xff800000u);
    for (var c = mate; c < classes; c += TEAM) {
        top = max(top, logit(start, c));
    }
    top = team_max(lane, top);
    var sums = vec4<f32>(); // exp z, w
    for (var c = mate; c < classes; c += TEAM) {
        sums.x += tw_exp(logit(start, c) - top);
        if (smoothing > 0.0) {
            sums.y += class_weight(c);
        }
    }
    sums = team_sum(lane, sums);
    let label = target_of(row);
    let known = select(1.0, tw_bits(0x7fc00000u), label >= classes);
    let scale = known * scale_of(lane) * dy_of(row);
    let hit = (1.0 - smoothing) * class_weight(min(label, classes - 1u));
    let smooth_part = smoothing / f32(classes);
    let factor = (hit + smooth_part * sums.y) / sums.x;
    if (own < rows) {
        for (var c = mate; c < classes; c += TEAM) {
            var d = factor * tw_exp(logit(start, c) - top);
            if (smoothing > 0.0) {
                d -= smooth_part * class_weight(c);
            }
            d -= select(0.0, hit, c == label);
            out0[p[1].x + row * classes + c] = scale * d;
        }
    }
}
