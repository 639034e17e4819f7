//! Classes of very different size: rows drawn or made up so that classes are even, and decisions that weigh what a mistake costs.
//!
//! All of it is part of a [`Pipeline`](super::prepare::Pipeline): a [`Balance`] changes only the rows that its model learns from, in
//! each fold anew, never those that are predicted or scored; a [`Decision`] changes only what is predicted.
//!
//! ```
//! use tilework::models::balance::{Balance, Decision, Smote, TunedThreshold};
//! use tilework::models::prepare::Pipeline;
//! use tilework::models::{Model, Problem, linear::LogisticRegression};
//! let x: Vec<[f64; 1]> = (0..60).map(|i| [f64::from(i * 7 % 60)]).collect();
//! let y: Vec<u32> = x.iter().map(|row| u32::from(row[0] >= 50.0)).collect();
//! let pipeline = Pipeline::new(&LogisticRegression::default())?
//!     .balanced(Balance::Smote(Smote { k_neighbors: 3, ..Smote::default() }))
//!     .deciding(Decision::Tuned(TunedThreshold::default()));
//! let fitted = pipeline.learn(&Problem::new(&x[..], &y))?;
//! assert!(fitted.threshold().is_some_and(|threshold| threshold > 0.0 && threshold < 1.0));
//! # Ok::<(), tilework::Error>(())
//! ```

mod decision;
mod sample;
mod smote;
mod strategy;

pub(super) use decision::Rule;
pub use decision::{Decision, TunedThreshold};
pub use sample::{RandomOverSampler, RandomUnderSampler};
pub use smote::Smote;
pub use strategy::SamplingStrategy;

use super::class_weight::ClassWeight;
use super::problem::{Part, Problem};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// How classes are evened out before a model learns. In JSON `{"smote": {"k_neighbors": 3}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// Rows of small classes several times.
    RandomOverSampler(RandomOverSampler),
    /// Some rows of large classes only.
    RandomUnderSampler(RandomUnderSampler),
    /// New rows of small classes, between those that there are.
    Smote(Smote),
    /// All rows, weighed by their class, whatever the model.
    ClassWeight(ClassWeight),
}

impl Balance {
    /// The rows to learn from.
    ///
    /// # Errors
    /// What [`Problem::check_but_missing`] finds; answers that are no classes; those of the sampler.
    pub fn fit_resample(&self, problem: &Problem<'_>) -> Result<Part> {
        match self {
            Balance::RandomOverSampler(sampler) => sampler.fit_resample(problem),
            Balance::RandomUnderSampler(sampler) => sampler.fit_resample(problem),
            Balance::Smote(sampler) => sampler.fit_resample(problem),
            Balance::ClassWeight(class_weight) => {
                const OP: &str = "class-weight";
                problem.check_but_missing(OP)?;
                let (labels, classes) = problem.labels(OP)?;
                let mut weights = problem.row_weights();
                class_weight.apply(OP, labels, classes, &mut weights)?;
                let all: Vec<usize> = (0..labels.len()).collect();
                Ok(Part { weights: Some(weights), ..problem.select(&all)? })
            }
        }
    }
}
