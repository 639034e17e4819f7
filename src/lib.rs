// The README shows models too; without them its examples would not compile.
#![cfg_attr(feature = "models", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "models"),
    doc = "Tensors and networks on any GPU through WGSL, with a CPU device that runs the same plans."
)]
// rustdoc asks of each public type whether it is Send and Sync, which within wgpu goes deeper than the usual 128 types.
#![recursion_limit = "256"]
#![warn(missing_docs)]
#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable
    )
)]

#[cfg(feature = "audio")]
pub mod audio;
pub mod autograd;
mod checksum;
#[cfg(feature = "cli")]
pub mod cli;
pub mod cost;
pub mod data;
pub mod device;
pub mod dtype;
pub mod error;
pub mod expr;
#[cfg(feature = "image")]
pub mod image;
pub mod io;
pub mod loss;
pub mod metrics;
pub mod models;
pub mod nn;
pub mod ops;
pub mod optim;
mod plan;
pub mod rng;
pub mod shape;
pub mod tensor;
pub mod train;

pub use autograd::Gradients;
pub use device::{Device, DeviceKind};
pub use dtype::{DType, Element};
pub use error::{Error, Result};
pub use ops::{Correction, CrossEntropyOptions, Order, Reduction};
pub use rng::Rng;
pub use shape::{IntoShape, Shape};
pub use tensor::record::{is_grad_enabled, no_grad};
pub use tensor::{Tensor, Traced};
#[cfg(feature = "gpu")]
pub use wgpu;

/// What most programs need: `use tilework::prelude::*;`.
pub mod prelude {
    pub use crate::loss::{BceWithLogits, CrossEntropy, Loss, Mse};
    pub use crate::nn::{Dropout, Linear, Mode, Module, Param, Relu, Sequential};
    pub use crate::optim::{Adam, AdamW, Optimizer, Sgd};
    pub use crate::train::{Examples, Job, Objective, Trainer};
    pub use crate::{DType, Device, Rng, Tensor};
}
