//! What a device can do: the numbers by which kernels choose their variant.

/// Limits and features of a device. The default is what WebGPU promises everywhere; the CPU device has it too, so that plans
/// are alike on all devices.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Caps {
    /// Storage buffers of one launch.
    pub max_storage_buffers: usize,
    /// Bytes of one storage binding.
    pub max_binding_bytes: u64,
    /// Bytes of one buffer.
    pub max_buffer_bytes: u64,
    /// Bytes of one launch's parameter words.
    pub max_param_bytes: u64,
    /// Invocations of a workgroup, all along x.
    pub max_invocations: u32,
    /// Bytes of a workgroup's shared memory.
    pub shared_bytes: u32,
    /// Workgroups along one dimension of a grid.
    pub max_groups_per_dim: u32,
    /// Smallest and largest subgroup, where shaders may use subgroups.
    pub subgroups: Option<(u32, u32)>,
    /// Shaders may `enable f16`. A [`Device`](crate::Device) says so only where it passed the test of `gpu/f16.rs`.
    pub shader_f16: bool,
    /// The GPU can time its own work.
    pub timestamps: bool,
    #[cfg_attr(not(feature = "gpu"), allow(dead_code, reason = "for uniform bindings of GPUs"))]
    pub(crate) param_alignment: u64,
}

impl Default for Caps {
    fn default() -> Caps {
        Caps {
            max_storage_buffers: 8,
            max_binding_bytes: 128 << 20,
            max_buffer_bytes: 256 << 20,
            max_param_bytes: 64 << 10,
            max_invocations: 256,
            shared_bytes: 16 << 10,
            max_groups_per_dim: 65_535,
            subgroups: None,
            shader_f16: false,
            timestamps: false,
            param_alignment: 256,
        }
    }
}
