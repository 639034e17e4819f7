// starts[r, v] = how many indices of lane r are below v, for v = 0..=m: where the run of each index begins in sorted order.
// Bindings: p = lanes * (m + 1), m + 1, n, inner, strides of index and order by o, k and i, offset of index; index; order
// (places of the indices in ascending order); starts. A lane r is (o, i) = (r / inner, r % inner).
// Grid: one thread a start. Rounding: none. Owner: src/ops/scatter.rs.
//#include lib/index.wgsl

@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 2>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> starts: array<u32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = group_index(wid, count) * 256u + lane;
    if (at >= p[0].x) {
        return;
    }
    let v = at % p[0].y;
    let r = at / p[0].y;
    let first = r / p[0].w * p[1].x + r % p[0].w * p[1].z;
    var low = 0u;
    var high = p[0].z;
    while (low < high) {
        let middle = low + (high - low) / 2u;
        let k = order[first + middle * p[1].y];
        if (index[p[1].w + first + k * p[1].y] < v) {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    starts[at] = low;
}
