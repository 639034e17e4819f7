// An operation on rows given as formulas: walks that each join a formula of the row's elements, then a formula of elements
// and joined values that is written. As it stands: y = x / (sum of x), row by row.
// Bindings: p = rows, width, then those of the functions; inputs; outputs. Grid: TEAM threads a row.
// Rounding: f32; each thread joins every TEAM-th element in order, a fixed tree joins the threads.
// Owner: src/ops/row_wise.rs.
//#include lib/index.wgsl
//#include lib/math.wgsl
//#include lib/team.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 1>;
@group(0) @binding(1) var<storage, read> in0: array<f32>;
@group(0) @binding(2) var<storage, read_write> out0: array<f32>;
//#end bindings

//#begin functions
struct Row {
    at0: u32, // where it begins
    s0: f32,  // what was joined
}
fn row_of(row: u32) -> Row { return Row(row * p[0].y, 0.0); }
fn each0(r: Row, c: u32) -> vec4<f32> { return vec4<f32>(in0[r.at0 + c], 0.0, 0.0, 0.0); }
fn then0(r: Row, joined: vec4<f32>) -> Row { return Row(r.at0, joined.x); }
fn write(r: Row, row: u32, c: u32) { out0[row * p[0].y + c] = in0[r.at0 + c] / r.s0; }
const ONE = false; // a row becomes one element
//#end functions

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let rows = p[0].x;
    let width = p[0].y;
    let first = group_index(wid, count) * TEAMS;
    if (first >= rows) {
        return; // the whole workgroup leaves together
    }
    let mate = lane % TEAM;
    let own = first + lane / TEAM;
    let row = min(own, rows - 1u); // teams past the end keep others company at the barriers
    var r = row_of(row);
    //#begin walks
    var sum0 = vec4<f32>();
    for (var c = mate; c < width; c += TEAM) {
        sum0 += each0(r, c);
    }
    r = then0(r, team_sum(lane, sum0));
    //#end walks
    if (own >= rows) {
        return;
    }
    if (ONE) {
        if (mate == 0u) {
            write(r, row, 0u);
        }
        return;
    }
    for (var c = mate; c < width; c += TEAM) {
        write(r, row, c);
    }
}
