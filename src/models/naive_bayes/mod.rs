//! Naive Bayes: features are taken to be independent within a class.

mod discrete;
mod gaussian;

pub use discrete::{BernoulliNb, FittedBernoulliNb, FittedMultinomialNb, MultinomialNb};
pub use gaussian::{FittedGaussianNb, GaussianNb};

use super::estimator::check_range;
use crate::error::{Error, Result};
use ndarray::Array2;

/// The logarithms of the classes' shares: as given, or as the rows' weights `of_class` are. A class without rows has no share.
fn log_prior(op: &'static str, given: Option<&[f64]>, of_class: &[f64]) -> Result<Vec<f64>> {
    let total: f64 = of_class.iter().sum();
    let Some(given) = given else { return Ok(of_class.iter().map(|weight| (weight / total).ln()).collect()) };
    let sum: f64 = given.iter().sum();
    if given.len() != of_class.len() || given.iter().any(|p| p.is_nan() || *p < 0.0) || (sum - 1.0).abs() > 1e-8 {
        let message = format!("priors {given:?} for {} classes; give one share a class, 1 in all", of_class.len());
        return Err(Error::argument(op, message));
    }
    let share = |(p, weight): (&f64, &f64)| if *weight > 0.0 { p.ln() } else { f64::NEG_INFINITY };
    let logs: Vec<f64> = given.iter().zip(of_class).map(share).collect();
    match logs.iter().any(|log| log.is_finite()) {
        true => Ok(logs),
        false => Err(Error::argument(op, format!("priors {given:?}: no class with rows has a share; give it one"))),
    }
}

/// The weight of each class's rows.
fn weight_of_classes(labels: &[u32], weights: &[f64], classes: usize) -> Vec<f64> {
    let mut sums = vec![0.0; classes];
    for (&label, weight) in labels.iter().zip(weights) {
        sums[label as usize] += weight; // below `classes`: checked
    }
    sums
}

/// Refuses rows that no class explains: each of their likelihoods is less than any number.
fn check_logs(op: &'static str, logs: Array2<f64>) -> Result<Array2<f64>> {
    for row in logs.rows() {
        check_range(op, "likelihoods", &[row.iter().copied().fold(f64::NEG_INFINITY, f64::max)])?;
    }
    Ok(logs)
}

/// Finite stand-ins in files, which hold no infinity: the least number there is.
fn to_file(logs: &[f64]) -> Vec<f64> {
    logs.iter().map(|&log| log.max(f64::MIN)).collect()
}

/// The logarithms that [`to_file`] was given.
fn from_file(logs: Vec<f64>) -> Vec<f64> {
    logs.into_iter().map(|log| if log == f64::MIN { f64::NEG_INFINITY } else { log }).collect()
}
