//! Devices run launches on buffers. They know neither operations nor tensors: those hand them plain data.

pub mod cpu;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
pub mod launch;
pub(crate) mod shader;
