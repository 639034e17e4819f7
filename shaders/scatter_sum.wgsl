// y[o, v, i] = sum of x[o, k, i] over all k with index[o, k, i] = v; x [outer, n, inner], y [outer, m, inner].
// Bindings: p = numel of y, chunks, size of a chunk, inner, n, m + 1, strides of order by o, k and i, strides of lanes by o
// and i, offsets of x and y; x; order; starts; parts (scatter_parts.wgsl); y.
// Grid: one thread an element of y. Rounding: in the order of the index, runs over several chunks as sums of their parts.
// Owner: src/ops/scatter.rs.
//#include lib/index.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 4>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read> starts: array<u32>;
@group(0) @binding(4) var<storage, read> parts: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
//#end bindings

//#begin type
alias Sum = f32;
//#end type

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
    let inner = p[0].w;
    let m = p[1].y - 1u;
    let i = at % inner;
    let v = at / inner % m;
    let o = at / inner / m;
    let run = (o * p[2].y + i * p[2].z) * p[1].y + v;
    let begin = starts[run];
    let end = starts[run + 1u];
    var sum = Sum(0);
    if (begin < end) {
        let size = p[0].z;
        let first = begin / size;
        let last = (end - 1u) / size;
        if (first == last) {
            let lane_at = o * p[1].z + i * p[2].x;
            for (var place = begin; place < end; place += 1u) {
                let k = order[lane_at + place * p[1].w];
                sum += x[p[2].w + (o * p[1].x + k) * inner + i];
            }
        } else {
            let part = o * p[0].y * inner + i;
            sum = parts[2u * (part + first * inner) + 1u];
            for (var c = first + 1u; c <= last; c += 1u) {
                sum += parts[2u * (part + c * inner)];
            }
        }
    }
    y[p[3].x + at] = sum;
}
