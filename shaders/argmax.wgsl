// y[o, i] = the smallest j with the largest key(x[o, j, i]), x [outer, n, inner]: argmax, and argmin by another key.
// Bindings: p = outputs, n, inner, threads that share a part (a power of two up to 256), candidates of a row, parts a row is
// cut into, candidates of a part, offsets of x and y; x; what the regions name; y.
// Grid: 256 / threads parts a workgroup. Rounding: none; ties go to the smaller place, so the outcome has no order.
// Owner: src/ops/argmax.rs.
//#include lib/index.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 3>;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
//#end bindings

//#begin key
fn key(word: u32) -> u32 { return word; }
//#end key

//#begin candidate
fn candidate(row: u32, j: u32) -> u32 { return j; }
//#end candidate

var<workgroup> best: array<vec2<u32>, 256>;

// The pair (key, place) that wins.
fn better(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return select(b, a, a.x > b.x || (a.x == b.x && a.y < b.y));
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let threads = p[0].w;
    let member = lane % threads;
    let part = group_index(wid, count) * (256u / threads) + lane / threads;
    let exists = part < p[0].x * p[1].y;
    let row = part / p[1].y;
    let first = part % p[1].y * p[1].z;
    let end = select(0u, min(first + p[1].z, p[1].x), exists);
    var own = vec2(0u, 0xffffffffu); // any element wins over it
    for (var j = first + member; j < end; j += threads) {
        let place = candidate(row, j);
        let at = (row / p[0].z * p[0].y + place) * p[0].z + row % p[0].z;
        own = better(own, vec2(key(x[p[1].w + at]), place));
    }
    best[lane] = own;
    for (var half = threads / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (member < half) {
            best[lane] = better(best[lane], best[lane + half]);
        }
    }
    if (member == 0u && exists) {
        y[p[2].x + part] = best[lane].y;
    }
}
