//! Operations, each defined once: shape rule, CPU kernel, GPU launch, gradient, samples and f64 reference stand together.
//!
//! Element-wise maths are rows of formulas; structural operations have a file each. With the feature
//! `verify`, `table::ops` lists them all: tests and `tilework doctor` walk it.

mod activation;
mod along;
mod argmax;
mod binary;
mod blocks;
mod cat;
mod cross_entropy;
mod cross_entropy_grad;
mod cumsum;
mod diagonal;
mod fold_windows;
mod gather;
#[cfg(any(feature = "models", feature = "verify"))]
pub(crate) mod histogram;
mod linear;
mod losses;
pub(crate) mod map;
mod matmul;
mod norm;
mod order;
mod pad;
pub(crate) mod random;
mod reduce;
mod reduce_cpu;
pub(crate) mod row;
mod row_wise;
mod row_wise_cpu;
mod rows;
mod scatter;
mod softmax;
mod sort;
#[cfg(feature = "verify")]
pub mod table;
#[cfg(any(feature = "models", feature = "verify"))]
pub(crate) mod tree_ensemble;
mod unary;
mod variance;
mod wgsl;

pub(crate) use binary::{cast, copy};
pub use cross_entropy::{CrossEntropyOptions, Reduction};
pub(crate) use fold_windows::fold_windows;
pub use order::Order;
pub(crate) use pad::spread;
pub use variance::Correction;

use crate::error::Result;
use crate::plan::kernel::{Kernel, Meta};
use crate::tensor::node::Rule;

/// How an operation wants its inputs laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// Any strides.
    Any,
    /// Row-major; other views are copied first.
    RowMajor,
    /// Any strides, stretched to the output's shape.
    Broadcast,
    /// Any strides, and 16-bit floats as they are stored; for others they are widened first.
    Stored,
}

/// An operation. No method has a default body: a missing gradient does not compile.
pub trait Op: Kernel + Rule {
    /// The shape rule: the output, or what is wrong with the inputs. 16-bit floats arrive as `F32`.
    ///
    /// # Errors
    /// Everything that can be wrong with a call.
    fn infer(&self, inputs: &[Meta]) -> Result<Meta>;
    /// How it wants its inputs laid out.
    fn accepts(&self) -> Accepts;
}
