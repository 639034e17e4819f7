//! Probabilities that mean what they say, and intervals that hold what they promise.

mod classifier;
mod conformal;
mod isotonic;
mod sigmoid;

pub use classifier::{CalibratedClassifier, Calibration, FittedCalibratedClassifier};
pub use conformal::Conformal;
pub use isotonic::Isotonic;
pub use sigmoid::Sigmoid;
