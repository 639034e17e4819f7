// The number of a workgroup in a grid that the device folded over three dimensions (src/device/gpu/grid.rs):
//   group = (z * count.y + y) * count.x + x
// Bindings: none. Rounding: none. Owner: src/device/shader.rs.
//
// The folded grid may hold a few workgroups more than the launch asked for; they come out past its end, and a shader
// returns from them by its own bound, before any barrier.

// `wid` is @builtin(workgroup_id), `count` is @builtin(num_workgroups).
fn group_index(wid: vec3<u32>, count: vec3<u32>) -> u32 {
    return (wid.z * count.y + wid.y) * count.x + wid.x;
}
