//! Tensors and learning on any GPU through WGSL, with a CPU device that runs the same plans.

pub mod device;
pub mod dtype;
pub mod error;
pub mod shape;

pub use dtype::{DType, Element};
pub use error::{Error, Result};
pub use shape::{IntoShape, Shape};
