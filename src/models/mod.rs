//! Estimators: settings, `fit`, and a fitted model that predicts and is one file.

mod mlp;

pub use mlp::{FittedMlp, Mlp, Scaling};
