//! Files: tensors and their description as safetensors, NumPy's arrays; written so that a crash leaves the old file or the new
//! one.

mod archive;
mod file;
mod header;
mod host;
mod json;
mod npy;
#[cfg(feature = "npz")]
mod npz;

pub use archive::{Archive, LoadOptions, NonFinite};
pub use file::{check_writable, write_atomic};
pub use host::{FileType, HostTensor};
pub(crate) use json::to_json;
#[cfg(feature = "npz")]
pub(crate) use npy::NpyArray;
#[cfg(feature = "npz")]
pub use npz::Npz;
