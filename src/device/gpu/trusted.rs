//! The one unsafe call of this module: shaders without injected checks.
//!
//! wgpu's checked modules add a counter to every loop and a clamp to every shared-memory index, which costs a matrix product
//! most of its speed. Every kernel of this crate bounds its own indices, and the tests run both builds of them.
#![allow(unsafe_code)]

/// A module of one of this crate's own kernels, without bounds checks, loop counters and division checks.
pub(super) fn module(device: &wgpu::Device, descriptor: wgpu::ShaderModuleDescriptor) -> wgpu::ShaderModule {
    // SAFETY: the source is assembled from files of this crate, never from a user's text. Each kernel leaves invocations past
    // its bound, indexes within the sizes in its parameter words, ends its loops by counters and divides by sizes above 0, by a
    // user's integers only where they are not 0; naga validates each, and the tests run both builds of each.
    unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
}
