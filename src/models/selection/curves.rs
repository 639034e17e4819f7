//! Scores as the data grow, and as one setting changes.

use super::folds::Fold;
use super::score::Score;
use super::trial::{Settings, Sides, Trial, Watch, all};
use crate::error::{Error, Result};
use serde_json::Value;

/// The scores at one size or value.
#[derive(Debug, Clone, PartialEq)]
pub struct Point<T> {
    /// Rows learnt from, or the setting's value.
    pub at: T,
    /// The score of each fold on the rows learnt from.
    pub train: Vec<f64>,
    /// The score of each fold on its test rows.
    pub test: Vec<f64>,
}

/// Points in the order asked for.
pub type Curve<T> = Vec<Point<T>>;

/// Scores of a model that learns from the first of each fold's rows, in these numbers: whether more data would help.
/// scikit-learn's `learning_curve`.
///
/// # Errors
/// [`Error::Argument`] for a size of 0 or beyond the smallest fold; as [`cross_validate`](super::cross_validate).
pub fn learning_curve(
    trial: &dyn Trial,
    settings: &Settings,
    folds: &[Fold],
    sizes: &[usize],
    score: &'static Score,
    watch: Watch<'_>,
) -> Result<Curve<usize>> {
    const OP: &str = "learning_curve";
    let most = folds.iter().map(|fold| fold.train.len()).min().unwrap_or(0);
    if let Some(size) = sizes.iter().find(|&&size| size == 0 || size > most) {
        return Err(Error::argument(OP, format!("size {size}; the folds have 1 to {most} rows to learn from")));
    }
    let jobs = sizes.iter().flat_map(|&size| {
        folds.iter().map(move |fold| (settings, fold.train.get(..size).unwrap_or(&fold.train), &fold.test[..]))
    });
    points(OP, trial, &jobs.collect::<Vec<_>>(), sizes, folds.len(), score, watch)
}

/// Scores as one setting takes these values and all others stay: where a model begins to overfit. scikit-learn's
/// `validation_curve`.
///
/// # Errors
/// As [`cross_validate`](super::cross_validate).
pub fn validation_curve(
    trial: &dyn Trial,
    settings: &Settings,
    folds: &[Fold],
    (name, values): (&str, &[Value]),
    score: &'static Score,
    watch: Watch<'_>,
) -> Result<Curve<Value>> {
    let with = |value: &Value| {
        let mut settings = settings.clone();
        settings.insert(name.to_owned(), value.clone());
        settings
    };
    let all: Vec<Settings> = values.iter().map(with).collect();
    let jobs = all.iter().flat_map(|s| folds.iter().map(move |fold| (s, &fold.train[..], &fold.test[..])));
    points("validation_curve", trial, &jobs.collect::<Vec<_>>(), values, folds.len(), score, watch)
}

fn points<T: Clone>(
    op: &'static str,
    trial: &dyn Trial,
    jobs: &[(&Settings, &[usize], &[usize])],
    at: &[T],
    folds: usize,
    score: &'static Score,
    watch: Watch<'_>,
) -> Result<Curve<T>> {
    let done = all(op, trial, jobs, &[score], Sides::Both, watch)?;
    let point = |(at, done): (&T, &[super::trial::Done])| Point {
        at: at.clone(),
        train: done.iter().flat_map(|done| done.train.iter().copied()).collect(),
        test: done.iter().flat_map(|done| done.test.iter().copied()).collect(),
    };
    Ok(at.iter().zip(done.chunks(folds.max(1))).map(point).collect())
}
