//! New rows between those of a class.

use super::strategy::{Sampling, SamplingStrategy, members};
use crate::data::Features;
use crate::error::{Error, Result};
use crate::models::neighbors::nearest_others;
use crate::models::problem::{Answers, Part, Problem};
use crate::rng::Rng;
use ndarray::{Array2, Axis};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// New rows of small classes, each somewhere on the line from a row to one of its nearest neighbours of the same class (Chawla,
/// Bowyer, Hall and Kegelmeyer, JAIR 16, 2002): imbalanced-learn's `SMOTE`. The rows given come first, in their order; those of
/// weight 0 are left out, and a new row's weight lies on the line too. Columns of like scale are needed; one of 0 and 1 takes
/// values between.
///
/// ```
/// use tilework::models::{Problem, balance::Smote};
/// let x = [[0.0], [1.0], [2.0], [3.0], [8.0], [9.0]];
/// let part = Smote { k_neighbors: 1, ..Smote::default() }.fit_resample(&Problem::new(&x, &[0u32, 0, 0, 0, 1, 1]))?;
/// let x = part.x.into_dense();
/// assert_eq!(x.nrows(), 8);
/// assert!(x.iter().skip(6).all(|x| (8.0..=9.0).contains(x)));
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Smote {
    /// Which classes grow, and to how many rows.
    pub sampling_strategy: SamplingStrategy,
    /// How many neighbours a row has; a class that grows has more rows than that.
    pub k_neighbors: usize,
    /// Of the draws.
    pub seed: u64,
}

impl Default for Smote {
    fn default() -> Smote {
        Smote { sampling_strategy: SamplingStrategy::Auto, k_neighbors: 5, seed: 0 }
    }
}

impl Smote {
    /// All rows, and the new ones behind them.
    ///
    /// # Errors
    /// What [`Problem::check`] finds; fewer than two classes; a strategy that does not fit them; a class of too few rows.
    pub fn fit_resample(&self, problem: &Problem<'_>) -> Result<Part> {
        const OP: &str = "smote";
        problem.check(OP)?;
        let members = members(OP, problem)?;
        let targets = self.sampling_strategy.targets(OP, Sampling::Over, &members)?;
        let k = self.k_neighbors;
        if k == 0 {
            return Err(Error::argument(OP, "k_neighbors 0; give at least 1"));
        }
        let mut rng = Rng::seed(self.seed);
        let mut rows: Vec<usize> = members.concat();
        rows.sort_unstable();
        let mut part = problem.select(&rows)?;
        let Answers::Labels(labels, _) = &mut part.y else {
            return Err(Error::internal(OP, "no labels"));
        };
        let mut made = Vec::new();
        for (class, (members, target)) in members.iter().zip(targets).enumerate() {
            let count = target.unwrap_or(0).saturating_sub(members.len());
            if count == 0 {
                continue;
            }
            if members.len() <= k {
                let rows = members.len();
                let message = format!(
                    "class {class} has {rows} rows, too few for {k} neighbours; lower k_neighbors, or draw rows (RandomOverSampler)"
                );
                return Err(Error::argument(OP, message));
            }
            let x = problem.x.select(members)?;
            let near = nearest_others(OP, (&x).into(), k)?;
            for _ in 0..count {
                let from = rng.random_range(0..members.len());
                let to = near[from][rng.random_range(0..k)];
                let step: f64 = rng.random();
                made.extend(x.row(from).iter().zip(x.row(to)).map(|(from, to)| from + step * (to - from)));
                labels.push(class as u32);
                if let Some(weights) = &mut part.weights {
                    let of = |row: usize| problem.weights.map_or(1.0, |w| w[members[row]]);
                    weights.push(of(from) + step * (of(to) - of(from)));
                }
            }
        }
        let width = problem.x.width();
        let made = Array2::from_shape_vec((made.len() / width, width), made)
            .map_err(|e| Error::internal(OP, e.to_string()))?;
        let mut x = part.x.into_dense(); // as the rows that are made are
        x.append(Axis(0), made.view()).map_err(|e| Error::internal(OP, e.to_string()))?;
        Ok(Part { x: Features::Dense(x), ..part })
    }
}
