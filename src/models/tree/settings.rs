//! What trees and forests are told: how to measure a split, and when to stop.

use crate::error::{Error, Result};
use crate::models::problem::Problem;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How mixed the classes in a node are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassCriterion {
    /// `1 - Σ p²`: the chance that two rows are of different classes.
    #[default]
    Gini,
    /// `-Σ p log₂ p`, in bits; scikit-learn calls it `log_loss` too.
    #[serde(alias = "log_loss")]
    Entropy,
}

/// How spread the numbers in a node are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueCriterion {
    /// The variance; leaves predict the mean.
    #[default]
    SquaredError,
    /// The mean distance from the median; leaves predict the median.
    AbsoluteError,
}

/// How many features a split is sought among, drawn anew for each. In JSON `"all"` or `null`, `"sqrt"`, `"log2"`, a count, or a
/// share with a decimal point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", from = "MaxFeaturesGiven")]
pub enum MaxFeatures {
    /// All of them: nothing is drawn.
    All,
    /// Their square root.
    Sqrt,
    /// Their logarithm to base 2.
    Log2,
    /// So many, or all where there are fewer.
    #[serde(untagged)]
    Count(usize),
    /// A share of them, above 0 up to 1.
    #[serde(untagged)]
    Share(f64),
}

/// [`MaxFeatures`] as JSON may spell it.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "give \"all\" (or null), \"sqrt\", \"log2\", a count from 1, or a share above 0 up to 1.0"
)]
enum MaxFeaturesGiven {
    Nothing(()),
    Word(MaxFeaturesWord),
    Count(usize),
    Share(f64),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum MaxFeaturesWord {
    All,
    Sqrt,
    Log2,
}

impl From<MaxFeaturesGiven> for MaxFeatures {
    fn from(given: MaxFeaturesGiven) -> MaxFeatures {
        match given {
            MaxFeaturesGiven::Nothing(()) | MaxFeaturesGiven::Word(MaxFeaturesWord::All) => MaxFeatures::All,
            MaxFeaturesGiven::Word(MaxFeaturesWord::Sqrt) => MaxFeatures::Sqrt,
            MaxFeaturesGiven::Word(MaxFeaturesWord::Log2) => MaxFeatures::Log2,
            MaxFeaturesGiven::Count(count) => MaxFeatures::Count(count),
            MaxFeaturesGiven::Share(share) => MaxFeatures::Share(share),
        }
    }
}

/// A number of rows: a count, or a share of all that have a weight. In JSON a whole number, or one with a decimal point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "give a count of rows, or a share of them such as 0.1")]
pub enum Samples {
    /// So many.
    Count(usize),
    /// A share of them.
    Share(f64),
}

impl From<usize> for Samples {
    fn from(count: usize) -> Samples {
        Samples::Count(count)
    }
}

impl From<f64> for Samples {
    fn from(share: f64) -> Samples {
        Samples::Share(share)
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Samples::Count(count) => write!(f, "{count}"),
            Samples::Share(share) => write!(f, "{share:?}"),
        }
    }
}

impl Samples {
    /// The rows that are needed at least, out of `rows`: a share rounded up, as in scikit-learn; a count of at least `least`.
    ///
    /// # Errors
    /// [`Error::Argument`] for fewer, and for a share outside (0, 1).
    pub(super) fn needed(self, op: &'static str, name: &str, rows: usize, least: usize) -> Result<usize> {
        match self {
            Samples::Count(count) if count >= least => Ok(count),
            Samples::Share(share) if share > 0.0 && share < 1.0 => {
                Ok(((share * rows as f64).ceil() as usize).max(least))
            }
            _ => {
                let message =
                    format!("{name} = {self}; give at least {least}, or a share of the rows above 0 and below 1");
                Err(Error::argument(op, message))
            }
        }
    }
}

/// Rows of some weight.
pub(super) fn weighed_rows(problem: &Problem<'_>) -> usize {
    problem.weights.map_or(problem.x.rows(), |weights| weights.iter().filter(|weight| **weight > 0.0).count())
}

/// Which split of a feature is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Splitter {
    /// The best of all.
    #[default]
    Best,
    /// One drawn evenly between the node's smallest and largest value; then the best feature.
    Random,
}

/// The stopping rules that all trees share, as they come from settings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub max_depth: Option<usize>,
    pub min_samples_split: usize,
    pub min_samples_leaf: usize,
    pub min_weight_fraction_leaf: f64,
    pub max_features: MaxFeatures,
    pub max_leaf_nodes: Option<usize>,
    pub min_impurity_decrease: f64,
    pub ccp_alpha: f64,
    pub splitter: Splitter,
}

/// Refuses a setting, with its name.
pub(super) fn demand(op: &'static str, good: bool, name: &str, given: String, wanted: &str) -> Result<()> {
    match good {
        true => Ok(()),
        false => Err(Error::argument(op, format!("{name} = {given}; {wanted}"))),
    }
}

impl Rules {
    /// Refuses what makes no sense, by the setting's name.
    pub fn check(&self, op: &'static str, width: usize) -> Result<()> {
        let demand = |good: bool, name: &str, given: String, wanted: &str| demand(op, good, name, given, wanted);
        let text = |value: Option<usize>| value.map_or_else(|| "none".into(), |v| v.to_string());
        demand(self.max_depth != Some(0), "max_depth", text(self.max_depth), "give at least 1, or none")?;
        let most = self.max_leaf_nodes;
        demand(most.is_none_or(|most| most >= 2), "max_leaf_nodes", text(most), "give at least 2, or none")?;
        let share = self.min_weight_fraction_leaf;
        let between = (0.0..=0.5).contains(&share);
        demand(between, "min_weight_fraction_leaf", share.to_string(), "give 0 to 0.5")?;
        for (name, value) in [("min_impurity_decrease", self.min_impurity_decrease), ("ccp_alpha", self.ccp_alpha)] {
            demand(value >= 0.0 && value.is_finite(), name, value.to_string(), "give 0 or more")?;
        }
        self.max_features.of(op, width).map(|_| ())
    }
}

impl MaxFeatures {
    /// The number of features out of `width`.
    ///
    /// # Errors
    /// [`Error::Argument`] for a count of 0 and a share outside (0, 1].
    pub fn of(self, op: &'static str, width: usize) -> Result<usize> {
        let wrong = |given: String| {
            Err(Error::argument(op, format!("max_features = {given}; give a count from 1, or a share above 0 up to 1")))
        };
        let count = match self {
            MaxFeatures::All => width,
            MaxFeatures::Sqrt => width.isqrt(),
            MaxFeatures::Log2 => width.checked_ilog2().unwrap_or(0) as usize,
            MaxFeatures::Count(0) => return wrong("0".into()),
            MaxFeatures::Count(count) => count,
            MaxFeatures::Share(share) if share > 0.0 && share <= 1.0 => (share * width as f64) as usize,
            MaxFeatures::Share(share) => return wrong(share.to_string()),
        };
        Ok(count.clamp(1, width.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_counted_as_scikit_learn_counts_them() {
        let of = |json: &str, width| serde_json::from_str::<MaxFeatures>(json).unwrap().of("fit", width);
        let counts = ["\"all\"", "null", "\"sqrt\"", "\"log2\"", "7", "0.3", "1.0"].map(|json| of(json, 30).unwrap());
        assert_eq!(counts, [30, 30, 5, 4, 7, 9, 30]);
        assert_eq!(of("0.01", 3).unwrap(), 1);
        assert_eq!(of("9", 3).unwrap(), 3);
        assert!(of("0", 3).is_err() && of("1.5", 3).is_err() && of("-0.5", 3).is_err());
    }

    #[test]
    fn rows_are_counts_or_shares_rounded_up() {
        let of = |json: &str| {
            let samples: Samples = serde_json::from_str(json).unwrap();
            samples.needed("fit", "min_samples_split", 442, 2).map_err(|e| e.to_string())
        };
        // scikit-learn: ceil(0.05 * 442), and at least 2
        assert_eq!(["5", "0.05", "0.001"].map(of), [Ok(5), Ok(23), Ok(2)]);
        for (json, given) in [("1", "1"), ("0.0", "0.0"), ("1.0", "1.0"), ("-0.5", "-0.5")] {
            let wanted = format!("fit: min_samples_split = {given}; give at least 2, or a share of the rows");
            assert!(of(json).unwrap_err().starts_with(&wanted), "{json}");
        }
        assert_eq!(serde_json::to_string(&[Samples::Count(1), Samples::Share(1.0)]).unwrap(), "[1,1.0]");
    }
}
