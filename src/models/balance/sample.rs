//! Rows drawn at random until classes are even.

use super::strategy::{Sampling, SamplingStrategy, members};
use crate::error::Result;
use crate::models::problem::{Part, Problem};
use crate::rng::Rng;
use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// Rows of small classes several times, drawn at random: imbalanced-learn's `RandomOverSampler`. The rows given come first, in their
/// order; those of weight 0 are left out.
///
/// ```
/// use tilework::models::{Answers, Problem, balance::RandomOverSampler};
/// let part = RandomOverSampler::default().fit_resample(&Problem::new(&[[1.0], [2.0], [3.0]], &[0u32, 0, 1]))?;
/// assert_eq!(part.y, Answers::Labels(vec![0, 0, 1, 1], 2));
/// assert_eq!(part.x.into_dense(), ndarray::array![[1.0], [2.0], [3.0], [3.0]]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomOverSampler {
    /// Which classes grow, and to how many rows.
    pub sampling_strategy: SamplingStrategy,
    /// Of the draws.
    pub seed: u64,
}

/// Some rows of large classes, drawn at random: imbalanced-learn's `RandomUnderSampler`. Rows stay in their order; those of weight
/// 0 are left out.
///
/// ```
/// use tilework::models::{Answers, Problem, balance::RandomUnderSampler};
/// let part = RandomUnderSampler::default().fit_resample(&Problem::new(&[[1.0], [2.0], [3.0]], &[0u32, 0, 1]))?;
/// assert_eq!(part.y, Answers::Labels(vec![0, 1], 2));
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomUnderSampler {
    /// Which classes shrink, and to how many rows.
    pub sampling_strategy: SamplingStrategy,
    /// Whether a row may be drawn more than once.
    pub replacement: bool,
    /// Of the draws.
    pub seed: u64,
}

impl RandomOverSampler {
    /// All rows, and those drawn behind them.
    ///
    /// # Errors
    /// What [`Problem::check_but_missing`] finds; fewer than two classes; a strategy that does not fit them.
    pub fn fit_resample(&self, problem: &Problem<'_>) -> Result<Part> {
        const OP: &str = "random-over-sampler";
        let members = members(OP, problem)?;
        let targets = self.sampling_strategy.targets(OP, Sampling::Over, &members)?;
        let mut rng = Rng::seed(self.seed);
        let mut rows: Vec<usize> = members.concat();
        rows.sort_unstable();
        for (members, target) in members.iter().zip(targets) {
            for _ in members.len()..target.unwrap_or(0) {
                rows.push(members[rng.random_range(0..members.len())]); // classes that grow have rows: checked
            }
        }
        problem.select(&rows)
    }
}

impl RandomUnderSampler {
    /// The rows that are kept.
    ///
    /// # Errors
    /// As [`RandomOverSampler::fit_resample`].
    pub fn fit_resample(&self, problem: &Problem<'_>) -> Result<Part> {
        const OP: &str = "random-under-sampler";
        let mut members = members(OP, problem)?;
        let targets = self.sampling_strategy.targets(OP, Sampling::Under, &members)?;
        let mut rng = Rng::seed(self.seed);
        for (members, target) in members.iter_mut().zip(targets) {
            let Some(target) = target.filter(|_| !members.is_empty()) else { continue };
            if self.replacement {
                *members = (0..target).map(|_| members[rng.random_range(0..members.len())]).collect();
            } else {
                members.shuffle(&mut rng);
                members.truncate(target);
            }
        }
        let mut rows: Vec<usize> = members.concat();
        rows.sort_unstable();
        problem.select(&rows)
    }
}
