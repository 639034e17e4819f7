// C[b, i, j] = finish(sum_k A[b, i, k] * B[b, k, j]): any strides, so that transposed operands need no copy.
// Bindings: p = m, n, k, batches, row and column strides of A and of B, then those of the batch and the finish; inputs; outputs.
// Grid: one workgroup of 16 x 16 threads a tile of 64 x 64 outputs; each thread holds 4 x 4 of them.
// Rounding: one f32 sum an output, k ascending. Owner: src/ops/matmul.rs.
//#include lib/index.wgsl
//#include lib/math.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 2>;
@group(0) @binding(1) var<storage, read> in0: array<f32>;
@group(0) @binding(2) var<storage, read> in1: array<f32>;
@group(0) @binding(3) var<storage, read_write> out0: array<f32>;
//#end bindings

// Where batch b of A and of B begins.
//#begin batch
fn a_start(b: u32) -> u32 { return b * p[0].x * p[0].z; }
fn b_start(b: u32) -> u32 { return b * p[0].z * p[0].y; }
//#end batch

// Elements at places of the storages, widened where they are stored in 16 bits.
//#begin read
fn a_at(at: u32) -> f32 { return in0[at]; }
fn b_at(at: u32) -> f32 { return in1[at]; }
//#end read

//#begin finish
fn finish(i: u32, result: f32) { out0[i] = result; }
//#end finish

const TILE = 64u;
const DEPTH = 16u;
//#begin order
const A_ALONG_K = true; // neighbouring threads read neighbouring k of A, else neighbouring rows
const B_ALONG_K = false; // the same for B, else neighbouring columns
//#end order

// What holds the operands' elements without loss.
//#begin tiles
alias Left = f32;
alias Right = f32;
//#end tiles
var<workgroup> a_tile: array<Left, 1024>; // [DEPTH][TILE]
var<workgroup> b_tile: array<Right, 1024>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let m = p[0].x;
    let n = p[0].y;
    let depth = p[0].z;
    let tiles_n = (n + TILE - 1u) / TILE;
    let tiles_m = (m + TILE - 1u) / TILE;
    let group = group_index(wid, count);
    let batch = group / (tiles_m * tiles_n);
    if (batch >= p[0].w) {
        return; // the whole workgroup leaves together
    }
    let row0 = (group / tiles_n % tiles_m) * TILE;
    let col0 = (group % tiles_n) * TILE;
    let a0 = a_start(batch);
    let b0 = b_start(batch);
    let ty = lane / 16u;
    let tx = lane % 16u;
    var acc0 = vec4<f32>();
    var acc1 = vec4<f32>();
    var acc2 = vec4<f32>();
    var acc3 = vec4<f32>();
    for (var k0 = 0u; k0 < depth; k0 += DEPTH) {
        for (var e = lane; e < TILE * DEPTH; e += 256u) {
            let a_row = select(e % TILE, e / DEPTH, A_ALONG_K);
            let a_k = select(e / TILE, e % DEPTH, A_ALONG_K);
            var a = 0.0;
            if (row0 + a_row < m && k0 + a_k < depth) {
                a = a_at(a0 + (row0 + a_row) * p[1].x + (k0 + a_k) * p[1].y);
            }
            a_tile[a_k * TILE + a_row] = Left(a);
            let b_col = select(e % TILE, e / DEPTH, B_ALONG_K);
            let b_k = select(e / TILE, e % DEPTH, B_ALONG_K);
            var b = 0.0;
            if (col0 + b_col < n && k0 + b_k < depth) {
                b = b_at(b0 + (k0 + b_k) * p[1].z + (col0 + b_col) * p[1].w);
            }
            b_tile[b_k * TILE + b_col] = Right(b);
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k += 1u) {
            let at = k * TILE + ty * 4u;
            let bt = k * TILE + tx * 4u;
            let b = vec4<f32>(f32(b_tile[bt]), f32(b_tile[bt + 1u]), f32(b_tile[bt + 2u]), f32(b_tile[bt + 3u]));
            acc0 = fma(vec4<f32>(f32(a_tile[at])), b, acc0);
            acc1 = fma(vec4<f32>(f32(a_tile[at + 1u])), b, acc1);
            acc2 = fma(vec4<f32>(f32(a_tile[at + 2u])), b, acc2);
            acc3 = fma(vec4<f32>(f32(a_tile[at + 3u])), b, acc3);
        }
        workgroupBarrier();
    }
    let row = row0 + ty * 4u;
    let col = col0 + tx * 4u;
    write_row(batch, row, col, acc0);
    write_row(batch, row + 1u, col, acc1);
    write_row(batch, row + 2u, col, acc2);
    write_row(batch, row + 3u, col, acc3);
}

fn write_row(batch: u32, row: u32, col: u32, v: vec4<f32>) {
    let n = p[0].y;
    if (row >= p[0].x) {
        return;
    }
    let i = (batch * p[0].x + row) * n + col;
    if (col < n) { finish(i, v.x); }
    if (col + 1u < n) { finish(i + 1u, v.y); }
    if (col + 2u < n) { finish(i + 2u, v.z); }
    if (col + 3u < n) { finish(i + 3u, v.w); }
}
