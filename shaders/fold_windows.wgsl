// y[.., o, ..] = sum over windows w of x[.., w, .., o - w * step]: overlap-add, the adjoint of sliding windows.
// Bindings: p = numel of y, offsets of x and y, windows, size and step of a window, strides of x along windows and within
// one, the first window of this launch counted from the first that reaches an element, windows of a launch; then the words
// of `find`; x; y. Grid: one thread an element of y. Rounding: windows are added in order, the same on every device.
// Owner: src/ops/fold_windows.rs.
//#include lib/index.wgsl

//#begin bindings
@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 3>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
//#end bindings

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
    var at = p[0].y;
    var o = i;
    //#begin find
    //#end find
    let size = p[1].x;
    let step = p[1].y;
    let last = min(o / step, p[0].w - 1u);
    var first = p[2].x;
    if (o >= size) {
        first += (o - size) / step + 1u;
    }
    let to = p[0].z + i;
    //#begin start
    var sum = 0.0;
    //#end start
    for (var k = 0u; k < p[2].y && first + k <= last; k += 1u) {
        let w = first + k;
        sum += x[at + w * p[1].z + (o - w * step) * p[1].w];
    }
    y[to] = sum;
}
