//! Operations on rows: losses, softmax, normalisation. Values and gradients on every device against f64 and against what they
//! mean in simpler operations.

mod common;
mod cross_entropy;
mod norm;
mod softmax;
mod variance;
