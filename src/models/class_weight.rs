//! Weights of classes: how a classifier is told that one class counts more than another.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// How much the rows of each class count, on top of their own weights. In JSON, `"balanced"` or a list of numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "snake_case",
    expecting = "give \"balanced\", or a list of numbers, one a class in the order of the classes"
)]
pub enum ClassWeight {
    /// All classes the same together: total weight / (number of classes with rows · weight of the class).
    Balanced,
    /// A factor for each class.
    #[serde(untagged)]
    Each(Vec<f64>),
}

impl ClassWeight {
    /// Multiplies the rows' weights by those of their classes.
    ///
    /// # Errors
    /// [`Error::Argument`] for another number of factors than classes, negative ones or NaN, or when only one class is left.
    pub fn apply(&self, op: &'static str, labels: &[u32], classes: usize, weights: &mut [f64]) -> Result<()> {
        let mut sums = vec![0.0; classes];
        for (&label, weight) in labels.iter().zip(&*weights) {
            if let Some(sum) = sums.get_mut(label as usize) {
                *sum += weight;
            }
        }
        let factors = self.factors(op, &sums)?;
        for (&label, weight) in labels.iter().zip(weights) {
            *weight *= factors.get(label as usize).copied().unwrap_or(0.0);
        }
        Ok(())
    }

    /// The factor of each class; `sums` are the weights of their rows.
    pub(super) fn factors(&self, op: &'static str, sums: &[f64]) -> Result<Vec<f64>> {
        let classes = sums.len();
        let factors = match self {
            ClassWeight::Balanced => {
                let (total, present) = (sums.iter().sum::<f64>(), sums.iter().filter(|&&sum| sum > 0.0).count());
                sums.iter().map(|&sum| if sum > 0.0 { total / (present as f64 * sum) } else { 0.0 }).collect()
            }
            ClassWeight::Each(factors) => factors.clone(),
        };
        let error = |what: String| Err(Error::argument(op, format!("class_weight: {what}")));
        if factors.len() != classes {
            return error(format!("{} weights for {classes} classes; give one a class", factors.len()));
        }
        if let Some(bad) = factors.iter().find(|w| !(w.is_finite() && **w >= 0.0)) {
            return error(format!("weight {bad}; weights are finite and not negative"));
        }
        if sums.iter().zip(&factors).filter(|(sum, factor)| **sum > 0.0 && **factor > 0.0).count() < 2 {
            return error("fewer than two classes keep a weight above 0; nothing is to be told apart".into());
        }
        Ok(factors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_classes_weigh_the_same_and_the_total_is_kept() {
        let mut weights = [1.0; 5];
        ClassWeight::Balanced.apply("fit", &[0, 2, 2, 2, 2], 3, &mut weights).unwrap();
        assert_eq!(weights, [2.5, 0.625, 0.625, 0.625, 0.625]);
    }

    #[test]
    fn factors_are_one_a_class_and_leave_something_to_tell_apart() {
        let apply = |factors: &[f64]| {
            let mut weights = [1.0, 2.0];
            ClassWeight::Each(factors.to_vec()).apply("fit", &[0, 1], 2, &mut weights).map(|()| weights)
        };
        assert_eq!(apply(&[3.0, 0.5]).unwrap(), [3.0, 1.0]);
        assert!(apply(&[1.0]).unwrap_err().to_string().contains("1 weights for 2 classes"));
        assert!(apply(&[1.0, f64::NAN]).is_err());
        assert!(apply(&[1.0, 0.0]).is_err());
    }

    #[test]
    fn json_is_a_word_or_a_list() {
        let read = |text| serde_json::from_str::<ClassWeight>(text).unwrap();
        assert_eq!(read("\"balanced\""), ClassWeight::Balanced);
        assert_eq!(read("[1, 2.5]"), ClassWeight::Each(vec![1.0, 2.5]));
    }
}
