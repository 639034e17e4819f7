// One step of merging runs longer than a block: orders the pairs that lie `mask` apart in bits.
// Bindings: p = pairs of places to compare, half, mask; pairs (key, place) of all rows, each padded to a power of two.
// Grid: one thread a comparison. Rounding: none. Owner: src/ops/sort.rs.
//#include lib/index.wgsl

@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 1>;
@group(0) @binding(1) var<storage, read_write> pairs: array<vec2<u32>>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let t = group_index(wid, count) * 256u + lane;
    if (t >= p[0].x) {
        return;
    }
    let half = p[0].y;
    let i = t / half * 2u * half + t % half;
    let j = i ^ p[0].z;
    let a = pairs[i];
    let b = pairs[j];
    if (a.x > b.x || (a.x == b.x && a.y > b.y)) {
        pairs[i] = b;
        pairs[j] = a;
    }
}
