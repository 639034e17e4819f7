//! How often each class was taken for each.

use super::{past, same_length};
use crate::error::{Error, Result};
use std::fmt;

/// How often each class was taken for each. `Display` prints it as a table, the truth down, the prediction across.
///
/// ```
/// use tilework::metrics::ConfusionMatrix;
/// let names = ["cat".to_string(), "dog".to_string()];
/// let matrix = ConfusionMatrix::new(&[0, 0, 1], &[0, 1, 1], &names)?;
/// assert_eq!(matrix.count(0, 1), 1); // a cat taken for a dog
/// assert_eq!(matrix.to_string(), "true \\ predicted  cat  dog\n             cat    1    1\n             dog    .    1\n");
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    names: Vec<String>,
    /// `[C, C]`, row by row; the row is the truth.
    counts: Vec<u64>,
}

/// One class's scores. A ratio of nothing to nothing is 0, as in scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScores {
    /// Of those predicted as the class, the share that is of it.
    pub precision: f64,
    /// Of those of the class, the share predicted as it.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
    /// How many are of the class.
    pub support: u64,
}

impl ConfusionMatrix {
    /// The most classes that are counted: their table takes 128 MiB.
    pub const MAX_CLASSES: usize = 4096;

    /// Counts labels that are positions in `names`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the lengths differ or are 0, [`Error::Argument`] for a label past the names or more than
    /// [`ConfusionMatrix::MAX_CLASSES`] of them.
    pub fn new(truth: &[u32], predicted: &[u32], names: &[String]) -> Result<ConfusionMatrix> {
        const OP: &str = "confusion_matrix";
        same_length(OP, truth.len(), predicted.len())?;
        let classes = names.len();
        if classes > ConfusionMatrix::MAX_CLASSES {
            let message = format!("{classes} classes; at most {}", ConfusionMatrix::MAX_CLASSES);
            return Err(Error::argument(OP, message));
        }
        let mut counts = vec![0; classes * classes];
        for (&t, &p) in truth.iter().zip(predicted) {
            let worst = t.max(p);
            if worst as usize >= classes {
                return Err(past(OP, worst, classes));
            }
            counts[t as usize * classes + p as usize] += 1;
        }
        Ok(ConfusionMatrix { names: names.to_vec(), counts })
    }

    /// The class names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How often class `truth` was predicted as class `predicted`; 0 for classes that do not exist.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        let classes = self.names.len();
        match truth < classes && predicted < classes {
            true => self.counts[truth * classes + predicted],
            false => 0,
        }
    }

    /// Precision, recall and F1 of each class.
    pub fn scores(&self) -> Vec<ClassScores> {
        let classes = 0..self.names.len();
        let ratio = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let scores = |class: usize| {
            let right = self.count(class, class);
            let support = classes.clone().map(|other| self.count(class, other)).sum();
            let predicted: u64 = classes.clone().map(|other| self.count(other, class)).sum();
            let f1 = ratio(2 * right, support + predicted);
            ClassScores { precision: ratio(right, predicted), recall: ratio(right, support), f1, support }
        };
        classes.clone().map(scores).collect()
    }
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CORNER: &str = "true \\ predicted";
        let chars = |text: &String| text.chars().count();
        let margin = self.names.iter().map(chars).max().unwrap_or(0).max(CORNER.len());
        let digits = self.counts.iter().max().map_or(1, |count| count.to_string().len());
        let widths: Vec<usize> = self.names.iter().map(|name| chars(name).max(digits)).collect();
        write!(f, "{CORNER:>margin$}")?;
        for (name, &width) in self.names.iter().zip(&widths) {
            write!(f, "  {name:>width$}")?;
        }
        writeln!(f)?;
        for (truth, name) in self.names.iter().enumerate() {
            write!(f, "{name:>margin$}")?;
            for (predicted, &width) in widths.iter().enumerate() {
                match self.count(truth, predicted) {
                    0 => write!(f, "  {:>width$}", ".")?, // mistakes stand out among dots
                    count => write!(f, "  {count:>width$}")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn confusion_is_counted_with_the_truth_down() {
        let matrix = ConfusionMatrix::new(&[2, 0, 2, 2, 0, 1], &[0, 0, 2, 2, 0, 2], &names(&["a", "b", "c"])).unwrap();
        let rows: Vec<u64> = (0..9).map(|i| matrix.count(i / 3, i % 3)).collect();
        assert_eq!(rows, [2, 0, 0, 0, 0, 1, 1, 0, 2]);
        assert_eq!(matrix.count(0, 3), 0);
    }

    #[test]
    fn a_class_never_predicted_has_precision_zero() {
        let (truth, predicted) = ([0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1]);
        let scores = ConfusionMatrix::new(&truth, &predicted, &names(&["cat", "dog", "pig"])).unwrap().scores();
        let cat = ClassScores { precision: 2.0 / 3.0, recall: 1.0, f1: 0.8, support: 2 };
        let none = ClassScores { precision: 0.0, recall: 0.0, f1: 0.0, support: 2 };
        assert_eq!(scores, [cat, none, none]);
    }

    #[test]
    fn the_table_lines_up_for_long_names_and_large_counts() {
        let truth: Vec<u32> = std::iter::repeat_n(0, 1234).chain([1]).collect();
        let matrix = ConfusionMatrix::new(&truth, &truth, &names(&["é", "a class of long name"])).unwrap();
        let expected = "    true \\ predicted     é  a class of long name
                   é  1234                     .
a class of long name     .                     1
";
        assert_eq!(matrix.to_string(), expected);
    }

    #[test]
    fn labels_past_the_names_are_refused() {
        assert_eq!(ConfusionMatrix::new(&[0], &[2], &names(&["a", "b"])).map_err(|e| e.code()), Err("argument"));
        assert_eq!(ConfusionMatrix::new(&[], &[], &names(&["a", "b"])).map_err(|e| e.code()), Err("shape"));
    }
}
