//! Devices run launches on buffers. They know neither operations nor tensors: those hand them plain data.

pub mod launch;
pub(crate) mod shader;
