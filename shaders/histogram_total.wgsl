// y[i] = sum over chunks c of parts[c, i], 64-bit integers of two words, the low one first; parts [C, I, 2], y [I, 2].
// Bindings: p = I, C, offset of y; parts (histogram.wgsl); y.
// Grid: one thread an integer of y. Rounding: none. Owner: src/ops/histogram.rs.
//#include lib/index.wgsl

@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 1>;
@group(0) @binding(1) var<storage, read> parts: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = group_index(wid, count) * 256u + lane;
    if (i >= p[0].x) {
        return;
    }
    var low = 0u;
    var high = 0u;
    for (var chunk = 0u; chunk < p[0].y; chunk += 1u) {
        let at = 2u * (chunk * p[0].x + i);
        let before = low;
        low = before + parts[at];
        high += parts[at + 1u] + select(0u, 1u, low < before);
    }
    y[p[0].z + 2u * i] = low;
    y[p[0].z + 2u * i + 1u] = high;
}
