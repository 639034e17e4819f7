// parts[c, b, l, v] = sum of entries[r] over the rows r of chunk c with v in byte l of bins[b, r]; an entry is two 64-bit
// integers of two words each, the low one first. bins [B, N], rows [R], entries [N, 4], parts [C, B, 4, 256, 4].
// Sums are whole numbers, which are the same in whatever order atomics add them: the low word that was there tells of a carry.
// Bindings: p = rows taken of R, N, B, rows of a chunk, C, offsets of bins, rows and entries; bins; rows; entries; parts.
// Grid: one workgroup a chunk and b, in 16 KiB of shared memory. Rounding: none. Owner: src/ops/histogram.rs.
//#include lib/index.wgsl

@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 2>;
@group(0) @binding(1) var<storage, read> bins: array<u32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read> entries: array<u32>;
@group(0) @binding(4) var<storage, read_write> parts: array<u32>;

const WORDS: u32 = 4096u;

var<workgroup> sums: array<atomic<u32>, 4096>;

fn add(at: u32, low: u32, high: u32) {
    let before = atomicAdd(&sums[at], low);
    let more = high + select(0u, 1u, before + low < before);
    if (more != 0u) {
        atomicAdd(&sums[at + 1u], more);
    }
}

fn add_entry(at: u32, entry: vec4<u32>) {
    add(at, entry.x, entry.y);
    add(at + 2u, entry.z, entry.w);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = group_index(wid, count);
    if (group >= p[0].z * p[1].x) {
        return;
    }
    for (var i = lane; i < WORDS; i += 256u) {
        atomicStore(&sums[i], 0u);
    }
    workgroupBarrier();
    let block = group % p[0].z;
    let chunk = group / p[0].z;
    let end = min(p[0].x, (chunk + 1u) * p[0].w);
    for (var i = chunk * p[0].w + lane; i < end; i += 256u) {
        let row = rows[p[1].z + i];
        if (row >= p[0].y) {
            continue;
        }
        let of_row = bins[p[1].y + block * p[0].y + row];
        let at = p[1].w + 4u * row;
        let entry = vec4<u32>(entries[at], entries[at + 1u], entries[at + 2u], entries[at + 3u]);
        add_entry((of_row & 0xffu) * 4u, entry);
        add_entry(((of_row >> 8u) & 0xffu) * 4u + 1024u, entry);
        add_entry(((of_row >> 16u) & 0xffu) * 4u + 2048u, entry);
        add_entry((of_row >> 24u) * 4u + 3072u, entry);
    }
    workgroupBarrier();
    for (var i = lane; i < WORDS; i += 256u) {
        parts[group * WORDS + i] = atomicLoad(&sums[i]);
    }
}
