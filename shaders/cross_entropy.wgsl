// Cross entropy of rows: with z = x - max x, S = sum of exp z, w the class weights, e the smoothing, y the target,
//   loss = (1 - e) * w_y * (ln S - z_y) + e / C * sum over c of w_c * (ln S - z_c); NaN where y is no class.
// Bindings: p = rows, classes, workgroups, smoothing, then those of the reads and writes; logits [rows, classes], targets
// [rows], class weights [classes] if any; losses [rows], or their sum, or one (sum of losses, sum of w_y) a workgroup.
// Grid: as given; each workgroup walks over rows, TEAM threads a row. Rounding: f32, sums in a fixed tree.
// Owner: src/ops/cross_entropy.rs.
//#include lib/index.wgsl
//#include lib/math.wgsl
//#include lib/team.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 1>;
@group(0) @binding(1) var<storage, read> in0: array<f32>;
@group(0) @binding(2) var<storage, read> in1: array<u32>;
@group(0) @binding(3) var<storage, read_write> out0: array<f32>;
//#end bindings

//#begin reads
fn logit_row(row: u32) -> u32 { return row * p[0].y; }
fn logit(start: u32, column: u32) -> f32 { return in0[start + column]; }
fn target_of(row: u32) -> u32 { return in1[row]; }
fn class_weight(c: u32) -> f32 { return 1.0; }
//#end reads

//#begin writes
const EACH_ROW = true; // every loss is wanted, not their sum
fn keep(row: u32, loss: f32) { out0[row] = loss; }
fn finish(group: u32, total: vec4<f32>) {}
//#end writes

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = group_index(wid, count);
    let rows = p[0].x;
    let classes = p[0].y;
    let groups = p[0].z;
    let smoothing = bitcast<f32>(p[0].w);
    if (group >= groups) {
        return; // the whole workgroup leaves together
    }
    let mate = lane % TEAM;
    var total = vec4<f32>();
    for (var first = group * TEAMS; first < rows; first += groups * TEAMS) {
        let own = first + lane / TEAM;
        let row = min(own, rows - 1u); // teams past the end keep others company at the barriers
        let start = logit_row(row);
        var top = tw_bits(0xff800000u);
        for (var c = mate; c < classes; c += TEAM) {
            top = max(top, logit(start, c));
        }
        top = team_max(lane, top);
        var sums = vec4<f32>(); // exp z, w z, w
        for (var c = mate; c < classes; c += TEAM) {
            let z = logit(start, c) - top;
            sums.x += tw_exp(z);
            if (smoothing > 0.0) {
                let w = class_weight(c);
                sums.y += w * z;
                sums.z += w;
            }
        }
        sums = team_sum(lane, sums);
        if (mate == 0u && own < rows) {
            let label = target_of(row);
            let c = min(label, classes - 1u);
            let w = class_weight(c);
            let ln_sum = tw_ln(sums.x);
            var loss = w * (ln_sum - (logit(start, c) - top));
            if (smoothing > 0.0) {
                loss = (1.0 - smoothing) * loss + smoothing / f32(classes) * (sums.z * ln_sum - sums.y);
            }
            loss = select(loss, tw_bits(0x7fc00000u), label >= classes);
            keep(row, loss);
            total += vec4<f32>(loss, w, 0.0, 0.0);
        }
    }
    if (!EACH_ROW) {
        total = group_sum(lane, total);
        if (lane == 0u) {
            finish(group, total);
        }
    }
}
