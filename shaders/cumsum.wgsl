// y[o, j, i] = x[o, 0, i] + ... + x[o, j, i], x [outer, n, inner]; backward: from the end of the axis.
// Bindings: p = rows (outer * inner), n, inner, threads that share a part (a power of two up to 256), parts a row is cut into,
// elements of a part, backward (0 or 1), offsets of x and y; x; what the regions name.
// Grid: 256 / threads parts a workgroup. Rounding: a thread adds four elements in order, threads are joined by doubling
// distances, then the sum so far is added: the same on every device of the kind. Owner: src/ops/cumsum.rs.
//#include lib/index.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 3>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
//#end bindings

//#begin type
alias Sum = f32;
//#end type

//#begin begin
fn begin(part: u32) -> Sum { return Sum(0); }
//#end begin

//#begin store
fn store(at: u32, sum: Sum) { y[p[2].x + at] = sum; }
//#end store

//#begin finish
fn finish(part: u32, sum: Sum) { }
//#end finish

var<workgroup> sums: array<Sum, 256>;

// Where element j of a row lies, counted from the first of x and of y.
fn place(row: u32, j: u32) -> u32 {
    let along = select(j, p[0].y - 1u - j, p[1].z == 1u);
    return (row / p[0].z * p[0].y + along) * p[0].z + row % p[0].z;
}

fn load(row: u32, j: u32, end: u32) -> Sum {
    if (j >= end) {
        return Sum(0);
    }
    return x[p[1].w + place(row, j)];
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
    let exists = part < p[0].x * p[1].x;
    let row = part / p[1].x;
    let first = part % p[1].x * p[1].y;
    let end = select(0u, min(first + p[1].y, p[0].y), exists);
    var so_far = Sum(0);
    if (exists) {
        so_far = begin(part);
    }
    for (var start = 0u; start < p[1].y; start += 4u * threads) { // all threads of the workgroup go the same rounds
        let j = first + start + 4u * member;
        let a = load(row, j, end);
        let b = a + load(row, j + 1u, end);
        let c = b + load(row, j + 2u, end);
        let d = c + load(row, j + 3u, end);
        workgroupBarrier(); // the round before has read what is written now
        sums[lane] = d;
        for (var back = 1u; back < threads; back *= 2u) {
            workgroupBarrier();
            var sum = sums[lane];
            if (member >= back) {
                sum = sums[lane - back] + sum;
            }
            workgroupBarrier();
            sums[lane] = sum;
        }
        workgroupBarrier();
        var before = so_far;
        if (member > 0u) {
            before = so_far + sums[lane - 1u];
        }
        if (j < end) { store(place(row, j), before + a); }
        if (j + 1u < end) { store(place(row, j + 1u), before + b); }
        if (j + 2u < end) { store(place(row, j + 2u), before + c); }
        if (j + 3u < end) { store(place(row, j + 3u), before + d); }
        so_far += sums[lane - member + threads - 1u];
    }
    if (member == 0u && exists) {
        finish(part, so_far);
    }
}
