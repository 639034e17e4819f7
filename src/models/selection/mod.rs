//! Choosing models: folds, cross-validation, searches over settings, learning and validation curves, permutation importance.
//!
//! Settings are JSON values by name, so that all of it works for every row of [`MODELS`](crate::models::MODELS), and, through the
//! trait [`Trial`], for whatever else can be fitted on some rows and asked about others, preparation included. Folds run side by
//! side; results do not depend on the number of threads.
//!
//! ```
//! use tilework::models::selection::{GridSearch, KFold, OnProblem, score, search, silent};
//! use tilework::models::{Problem, Row};
//! let x: Vec<[f64; 1]> = (0..30).map(|i| [f64::from(i)]).collect();
//! let y: Vec<f64> = x.iter().map(|x| 3.0 * x[0] - 1.0).collect();
//! let problem = Problem::new(x.as_slice(), &y);
//! let trial = OnProblem { row: Row::named("dummy-regressor")?, problem: &problem };
//! let folds = KFold { n_splits: 3, shuffle: Some(0) }.split(30)?;
//! let found = search(&trial, &GridSearch::default().candidates()?, &folds, score("mae")?, &silent)?;
//! assert_eq!(found.best()?.scores.len(), 3);
//! # Ok::<(), tilework::Error>(())
//! ```

mod curves;
mod folds;
mod permutation;
mod score;
mod search;
mod trial;

pub use curves::{Curve, Point, learning_curve, validation_curve};
pub use folds::{Fold, GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit};
pub use permutation::{Importance, permutation_importance, permuted};
pub use score::{SCORES, Score, score};
pub use search::{Candidate, Draw, GridSearch, RandomSearch, Search, search};
pub use trial::{CrossValidation, OnPipeline, OnProblem, Outcomes, Settings, Trial, Watch, cross_validate, silent};

/// Mean and standard deviation (of the whole, as NumPy's).
fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n).sqrt())
}
