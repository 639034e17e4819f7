// y[4 i + w] = draw(w-th word of block base + i of a seed): random numbers by Philox 4x32-10.
// Bindings: p = number of elements, offset of y, seed (low, high), base (low, high), then those of the draw; y.
// Grid: one thread a block of four elements. Rounding: none but the draw's own. Owner: src/ops/random.rs.
//#include lib/index.wgsl
//#include lib/rng.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 3>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
//#end bindings

//#begin draw
// Uniform in [low, high) of p = low, high, high - low, 0. The 0 hides the product from compilers that would fuse it with the
// sum, so that every device rounds twice. A sum that rounds up to the end goes to the beginning.
fn draw(word: u32) -> u32 {
    let low = bitcast<f32>(p[1].z);
    let high = bitcast<f32>(p[1].w);
    let scaled = bitcast<u32>(bitcast<f32>(p[2].x) * tw_uniform(word)) ^ p[2].y;
    let value = low + bitcast<f32>(scaled);
    return bitcast<u32>(select(value, low, value >= high));
}
//#end draw

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = group_index(wid, count) * 256u + lane;
    let n = p[0].x;
    if (i >= (n + 3u) / 4u) {
        return;
    }
    let words = tw_random(p[0].zw, p[1].xy, i);
    for (var w = 0u; w < min(4u, n - 4u * i); w++) {
        y[p[0].y + 4u * i + w] = draw(words[w]);
    }
}
