//! Scores of predictions against the truth, as scikit-learn defines them, in `f64`.
//!
//! Labels are positions in a list of classes, from 0; where there are two, class 1 is the one looked for.

mod classification;
mod clustering;
mod confusion;
mod ranking;
mod regression;
mod report;

pub use classification::{
    Average, accuracy, balanced_accuracy, brier, cohen_kappa, f1, fbeta, log_loss, matthews, precision, recall,
};
pub use clustering::{adjusted_rand, silhouette, silhouette_samples};
pub use confusion::{ClassScores, ConfusionMatrix};
pub use ranking::{
    Bins, CalibrationCurve, PrecisionRecall, Roc, Versus, average_precision, calibration_curve, precision_recall_curve,
    roc_auc, roc_auc_multiclass, roc_curve,
};
pub use regression::{explained_variance, mae, mape, mse, r2, rmse};
pub use report::ClassificationReport;

use crate::error::{Error, Result};

fn same_length(op: &'static str, truth: usize, predicted: usize) -> Result<()> {
    match truth == predicted && truth > 0 {
        true => Ok(()),
        false => {
            Err(Error::shape(op, format!("{truth} true and {predicted} predicted values; give as many, at least one")))
        }
    }
}

fn past(op: &'static str, label: u32, classes: usize) -> Error {
    Error::argument(op, format!("label {label} of {classes} classes; count from 0"))
}

/// Refuses NaN and infinity among `what`.
fn finite(op: &'static str, what: &str, values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let message = format!("{what} {} at {at}; scores need finite values", values[at]);
            Err(Error::NonFinite { op, message })
        }
    }
}
