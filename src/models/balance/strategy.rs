//! Which classes are sampled, and to how many rows.

use crate::error::{Error, Result};
use crate::models::problem::Problem;
use serde::{Deserialize, Serialize};

/// Which classes are sampled, and to how many rows: imbalanced-learn's `sampling_strategy`. In JSON a word, such as `"not minority"`,
/// a ratio, or a list with a count, or null, for each class.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(
    rename_all = "lowercase",
    expecting = "give \"auto\", \"minority\", \"majority\", \"not minority\", \"not majority\", \"all\", a ratio, or a list \
                 with a count or null for each class"
)]
pub enum SamplingStrategy {
    /// All classes but the one that the others are to equal: the largest when rows are added, the smallest when they are taken
    /// away.
    #[default]
    Auto,
    /// The smallest class alone, which is to equal the largest; not when rows are taken away.
    Minority,
    /// The largest class alone, which is to equal the smallest; not when rows are added.
    Majority,
    /// All classes but the smallest.
    #[serde(rename = "not minority")]
    NotMinority,
    /// All classes but the largest.
    #[serde(rename = "not majority")]
    NotMajority,
    /// All classes.
    All,
    /// Of two classes: rows of the smaller over rows of the larger, afterwards.
    #[serde(untagged)]
    Ratio(f64),
    /// The rows of each class afterwards; `None` leaves a class as it is.
    #[serde(untagged)]
    Counts(Vec<Option<usize>>),
}

/// Whether rows are added or taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sampling {
    Over,
    Under,
}

/// More rows than any data has: a count that is a slip of the pen would ask for memory for all.
const MOST_ROWS: usize = 1 << 28;

/// The rows of each class that count, in their order.
pub(super) fn members(op: &'static str, problem: &Problem<'_>) -> Result<Vec<Vec<usize>>> {
    problem.check_but_missing(op)?;
    let (labels, classes) = problem.labels(op)?;
    let mut members = vec![Vec::new(); classes];
    for (row, &label) in labels.iter().enumerate() {
        if problem.weights.is_none_or(|w| w[row] > 0.0) {
            members[label as usize].push(row); // below `classes`, and a weight a row: checked
        }
    }
    Ok(members)
}

impl SamplingStrategy {
    /// The rows of each class afterwards; `None` of a class that stays as it is. The first of equally large classes counts as the
    /// largest or smallest.
    pub(super) fn targets(
        &self,
        op: &'static str,
        sampling: Sampling,
        members: &[Vec<usize>],
    ) -> Result<Vec<Option<usize>>> {
        let wrong = |what: String| Err(Error::argument(op, format!("sampling_strategy {what}")));
        let counts: Vec<usize> = members.iter().map(Vec::len).collect();
        let there: Vec<usize> = (0..counts.len()).filter(|&class| counts[class] > 0).collect();
        let smallest = there.iter().copied().min_by_key(|&class| counts[class]).unwrap_or(0);
        let largest = there.iter().copied().rev().max_by_key(|&class| counts[class]).unwrap_or(0);
        let (least, most) = (counts[smallest], counts[largest]);
        let all_but = |left: Option<usize>| {
            let target = if sampling == Sampling::Over { most } else { least };
            let of = |class: usize| (counts[class] > 0 && Some(class) != left).then_some(target);
            Ok((0..counts.len()).map(of).collect())
        };
        let only = |one: usize, target: usize| Ok((0..counts.len()).map(|c| (c == one).then_some(target)).collect());
        match (self, sampling) {
            (SamplingStrategy::Auto, Sampling::Over) | (SamplingStrategy::NotMajority, _) => all_but(Some(largest)),
            (SamplingStrategy::Auto, Sampling::Under) | (SamplingStrategy::NotMinority, _) => all_but(Some(smallest)),
            (SamplingStrategy::All, _) => all_but(None),
            (SamplingStrategy::Minority, Sampling::Over) => only(smallest, most),
            (SamplingStrategy::Majority, Sampling::Under) => only(largest, least),
            (SamplingStrategy::Minority, Sampling::Under) => {
                wrong("minority: its rows are all kept; use majority".into())
            }
            (SamplingStrategy::Majority, Sampling::Over) => wrong("majority: it is the largest; use minority".into()),
            (SamplingStrategy::Ratio(ratio), _) => {
                if there.len() != 2 || !(*ratio > 0.0 && *ratio <= 1.0) {
                    let classes = there.len();
                    return wrong(format!(
                        "{ratio} of {classes} classes; give a ratio up to 1 of two, or a count of each"
                    ));
                }
                let (one, target) = match sampling {
                    Sampling::Over => (smallest, (most as f64 * ratio) as usize),
                    Sampling::Under => (largest, (least as f64 / ratio) as usize),
                };
                let fits = if sampling == Sampling::Over { target > least } else { target <= most };
                match fits {
                    true => only(one, target),
                    false => {
                        wrong(format!("{ratio}: the classes have {least} and {most} rows, a higher ratio already"))
                    }
                }
            }
            (SamplingStrategy::Counts(targets), _) => {
                if targets.len() != counts.len() {
                    return wrong(format!("{} counts for {} classes; give one a class", targets.len(), counts.len()));
                }
                for (class, (target, &count)) in targets.iter().zip(&counts).enumerate() {
                    let Some(target) = *target else { continue };
                    let fits = if sampling == Sampling::Over { target >= count } else { target <= count };
                    if !fits || target > MOST_ROWS || (count == 0 && target > 0) {
                        let (what, limit) =
                            if sampling == Sampling::Over { ("added", "more") } else { ("taken away", "less") };
                        return wrong(format!(
                            "{target} rows of class {class}, which has {count}: rows are {what}; give {limit}"
                        ));
                    }
                }
                Ok(targets.clone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(json: &str, sampling: Sampling, counts: &[usize]) -> Result<Vec<Option<usize>>> {
        let members: Vec<Vec<usize>> = counts.iter().map(|&count| vec![0; count]).collect();
        serde_json::from_str::<SamplingStrategy>(json).unwrap().targets("sample", sampling, &members)
    }

    /// What imbalanced-learn 0.14's `check_sampling_strategy` gives, as counts afterwards.
    #[test]
    fn words_ratios_and_counts_mean_what_imbalanced_learn_means() {
        use Sampling::{Over, Under};
        let of = |json: &str, sampling| targets(json, sampling, &[30, 10, 0, 50]).unwrap();
        assert_eq!(of("\"auto\"", Over), [Some(50), Some(50), None, None]);
        assert_eq!(of("\"auto\"", Under), [Some(10), None, None, Some(10)]);
        assert_eq!(of("\"minority\"", Over), [None, Some(50), None, None]);
        assert_eq!(of("\"majority\"", Under), [None, None, None, Some(10)]);
        assert_eq!(of("\"not minority\"", Over), [Some(50), None, None, Some(50)]);
        assert_eq!(of("\"not majority\"", Under), [Some(10), Some(10), None, None]);
        assert_eq!(of("\"all\"", Over), [Some(50), Some(50), None, Some(50)]);
        assert_eq!(of("[40, null, null, 50]", Over), [Some(40), None, None, Some(50)]);
        assert_eq!(targets("0.5", Over, &[10, 50]).unwrap(), [Some(25), None]);
        assert_eq!(targets("0.4", Under, &[10, 50]).unwrap(), [None, Some(25)]);
        for (json, sampling, said) in [
            ("\"minority\"", Under, "minority: its rows are all kept"),
            ("\"majority\"", Over, "majority: it is the largest"),
            ("0.5", Over, "0.5 of 3 classes"),
            ("[40]", Over, "1 counts for 4 classes"),
            ("[20, null, null, null]", Over, "20 rows of class 0, which has 30: rows are added; give more"),
            ("[31, null, null, null]", Under, "31 rows of class 0, which has 30: rows are taken away; give less"),
            ("[null, null, 5, null]", Over, "5 rows of class 2, which has 0"),
        ] {
            let error = targets(json, sampling, &[30, 10, 0, 50]).unwrap_err().to_string();
            assert!(error.contains(said), "{json}: {error}");
        }
        assert!(targets("0.1", Over, &[10, 50]).unwrap_err().to_string().contains("a higher ratio already"));
        assert!(targets("0.1", Under, &[10, 50]).unwrap_err().to_string().contains("a higher ratio already"));
    }
}
