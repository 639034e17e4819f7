//! Estimators: settings, `fit`, and a fitted model that predicts and is one file.
//!
//! Settings and fitted model are different types, so an unfitted model cannot predict: [`Estimator::fit`] of the one gives the
//! other. Names, defaults and results are scikit-learn's. [`MODELS`] lists every kind.

#[cfg(feature = "models")]
pub mod calibration;
#[cfg(feature = "models")]
mod class_weight;
#[cfg(feature = "models")]
mod dummy;
#[cfg(feature = "models")]
mod estimator;
#[cfg(feature = "models")]
mod linalg;
#[cfg(feature = "models")]
pub mod linear;
mod mlp;
#[cfg(feature = "models")]
pub mod prepare;
#[cfg(feature = "models")]
mod problem;
#[cfg(feature = "models")]
pub mod selection;
#[cfg(feature = "models")]
mod store;
#[cfg(feature = "models")]
mod table;

pub use mlp::{FittedMlp, Mlp, Scaling};
#[cfg(feature = "models")]
pub use {
    calibration::{CalibratedClassifier, FittedCalibratedClassifier},
    class_weight::ClassWeight,
    dummy::{DummyClassifier, DummyRegressor, FittedDummyClassifier, FittedDummyRegressor},
    estimator::{Estimator, Influence, Model, Prediction, check_rows, check_width, largest},
    problem::{Answer, Answers, Labels, Part, Problem},
    store::{Reader, Writer, archive_of, save},
    table::{MODELS, Missing, Needs, Predicts, Row, load},
};
