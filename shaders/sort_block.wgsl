// Sorts blocks of 1,024 pairs (key, place) in shared memory, or finishes a merge of longer runs within such blocks. Short rows
// share a block.
// Bindings: p = rows, elements of a row n, blocks of a row, inner, the first run length (2: sort; 1024 with `merging`: finish
// a merge), merging (0 or 1), offsets of x and y, pairs of a row within a block (a power of two); then what the regions read
// and write.
// Grid: one workgroup a block. A row r = (o, i) of x [outer, n, inner] has its element j at (o * n + j) * inner + i.
// Rounding: none. Places make all pairs different, so the order is stable and has one outcome. Owner: src/ops/sort.rs.
//
// Bitonic merging whose first step compares mirrored places, so that all runs ascend: Batcher 1968, figure 3.
//#include lib/index.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 3>;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
//#end bindings

//#begin key
fn key(word: u32) -> u32 { return word; }
//#end key

fn place(row: u32, j: u32) -> u32 {
    return (row / p[0].w * p[0].y + j) * p[0].w + row % p[0].w;
}

//#begin load
fn load(row: u32, j: u32) -> vec2<u32> {
    if (j >= p[0].y || row >= p[0].x) {
        return vec2(0xffffffffu, j); // past all elements: their places are smaller
    }
    return vec2(key(x[p[1].z + place(row, j)]), j);
}
//#end load

//#begin store
fn store(row: u32, j: u32, pair: vec2<u32>) {
    if (j < p[0].y && row < p[0].x) {
        y[p[1].w + place(row, j)] = pair.y;
    }
}
//#end store

var<workgroup> pairs: array<vec2<u32>, 1024>;

fn after(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.x > b.x || (a.x == b.x && a.y > b.y);
}

// Orders the pairs that lie `mask` apart in bits, for all places whose bit `half` is 0.
fn exchange(lane: u32, half: u32, mask: u32) {
    workgroupBarrier();
    for (var t = lane; t < 512u; t += 256u) {
        let i = t / half * 2u * half + t % half;
        let j = i ^ mask;
        let a = pairs[i];
        let b = pairs[j];
        if (after(a, b)) {
            pairs[i] = b;
            pairs[j] = a;
        }
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = group_index(wid, count);
    let width = p[2].x;
    let row = group / p[0].z * (1024u / width);
    if (row >= p[0].x) {
        return; // the whole workgroup leaves together
    }
    let first = group % p[0].z * 1024u;
    for (var t = lane; t < 1024u; t += 256u) {
        pairs[t] = load(row + t / width, first + t % width);
    }
    for (var run = p[1].x; run <= width; run *= 2u) {
        exchange(lane, run / 2u, select(run - 1u, run / 2u, p[1].y == 1u));
        for (var half = run / 4u; half > 0u; half /= 2u) {
            exchange(lane, half, half);
        }
    }
    workgroupBarrier();
    for (var t = lane; t < 1024u; t += 256u) {
        store(row + t / width, first + t % width, pairs[t]);
    }
}
