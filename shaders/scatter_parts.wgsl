// Sums of runs that reach over a border of chunks: part[o, c, i] = (sum of the run that came from before chunk c, sum of the
// run that goes on behind it), of x [outer, n, inner] in sorted order, chunk c the places c * size and on.
// Bindings: p = outer * chunks * inner, chunks, size, inner, n, m + 1, strides of order by o, k and i, strides of lanes by o
// and i, offsets of x and index; x; index; order; starts (src/ops/scatter.rs); parts.
// Grid: one thread a part. Rounding: in the order of the index, the same on every device. Owner: src/ops/scatter.rs.
//#include lib/index.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 4>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read> starts: array<u32>;
@group(0) @binding(5) var<storage, read_write> parts: array<f32>;
//#end bindings

//#begin type
alias Sum = f32;
//#end type

// The sum of places `from..end` of the sorted order.
fn total(o: u32, i: u32, from_place: u32, end: u32) -> Sum {
    let lane = o * p[1].z + i * p[2].x;
    var sum = Sum(0);
    for (var place = from_place; place < end; place += 1u) {
        let k = order[lane + place * p[1].w];
        sum += x[p[2].w + (o * p[1].x + k) * p[0].w + i];
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = group_index(wid, count) * 64u + lane;
    if (at >= p[0].x) {
        return;
    }
    let i = at % p[0].w;
    let c = at / p[0].w % p[0].y;
    let o = at / p[0].w / p[0].y;
    let begin = c * p[0].z;
    let end = min(begin + p[0].z, p[1].x);
    let first = o * p[1].z + i * p[2].x; // of the lane in index and order
    let runs = (o * p[2].y + i * p[2].z) * p[1].y; // of the lane in starts

    let head = index[p[3].x + first + order[first + begin * p[1].w] * p[1].w];
    var before = Sum(0);
    if (head < p[1].y - 1u) {
        if (starts[runs + head] < begin) {
            before = total(o, i, begin, min(end, starts[runs + head + 1u]));
        }
    }
    let tail = index[p[3].x + first + order[first + (end - 1u) * p[1].w] * p[1].w];
    var behind = Sum(0);
    if (tail < p[1].y - 1u) {
        let start = starts[runs + tail];
        if (start >= begin && starts[runs + tail + 1u] > end) {
            behind = total(o, i, start, end);
        }
    }
    parts[2u * at] = before;
    parts[2u * at + 1u] = behind;
}
