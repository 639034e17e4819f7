//! Precision, recall and F1 of all classes, printed as scikit-learn prints them.

use super::confusion::{ClassScores, ConfusionMatrix};
use crate::error::Result;
use std::fmt;

/// Precision, recall, F1 and support of each class that occurs, in truth or predicted, with their averages. `Display` prints what
/// scikit-learn's `classification_report` does.
///
/// ```
/// use tilework::metrics::ClassificationReport;
/// let names = ["cat".to_string(), "dog".to_string()];
/// let report = ClassificationReport::new(&[0, 0, 1], &[0, 1, 1], &names)?;
/// assert!(report.to_string().contains("         cat       1.00      0.50      0.67         2\n"));
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ClassificationReport {
    /// The classes that occur, in order.
    pub names: Vec<String>,
    /// The scores of each.
    pub classes: Vec<ClassScores>,
    /// The share of all labels predicted right.
    pub accuracy: f64,
    /// The mean over the classes.
    pub macro_avg: ClassScores,
    /// The mean over the classes, each by its support.
    pub weighted_avg: ClassScores,
}

impl ClassificationReport {
    /// Scores labels that are positions in `names`.
    ///
    /// # Errors
    /// As [`ConfusionMatrix::new`].
    pub fn new(truth: &[u32], predicted: &[u32], names: &[String]) -> Result<ClassificationReport> {
        Ok(ClassificationReport::of(&ConfusionMatrix::new(truth, predicted, names)?))
    }

    /// The report of counted labels.
    pub fn of(matrix: &ConfusionMatrix) -> ClassificationReport {
        let all = 0..matrix.names().len();
        let occurs = |class: usize| all.clone().any(|c| matrix.count(class, c) + matrix.count(c, class) > 0);
        let scored = all.clone().zip(matrix.names()).zip(matrix.scores()).filter(|((class, _), _)| occurs(*class));
        let (names, classes): (Vec<String>, Vec<ClassScores>) = scored.map(|((_, n), s)| (n.clone(), s)).unzip();
        let support: u64 = classes.iter().map(|class| class.support).sum();
        let right: u64 = all.clone().map(|class| matrix.count(class, class)).sum();
        let average = |weight: fn(&ClassScores) -> f64| {
            let whole: f64 = classes.iter().map(weight).sum();
            let mean = |score: fn(&ClassScores) -> f64| {
                classes.iter().map(|class| weight(class) * score(class)).sum::<f64>() / whole
            };
            ClassScores { precision: mean(|c| c.precision), recall: mean(|c| c.recall), f1: mean(|c| c.f1), support }
        };
        ClassificationReport {
            names,
            accuracy: right as f64 / support as f64,
            macro_avg: average(|_| 1.0),
            weighted_avg: average(|class| class.support as f64),
            classes,
        }
    }
}

impl fmt::Display for ClassificationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LAST: &str = "weighted avg";
        let width = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(LAST.len());
        writeln!(f, "{:width$}  {:>9} {:>9} {:>9} {:>9}\n", "", "precision", "recall", "f1-score", "support")?;
        let row = |f: &mut fmt::Formatter<'_>, name: &str, s: &ClassScores| {
            let ClassScores { precision, recall, f1, support } = s;
            writeln!(f, "{name:>width$}  {precision:>9.2} {recall:>9.2} {f1:>9.2} {support:>9}")
        };
        for (name, scores) in self.names.iter().zip(&self.classes) {
            row(f, name, scores)?;
        }
        writeln!(f, "\n{:>width$}  {:19} {:>9.2} {:>9}", "accuracy", "", self.accuracy, self.macro_avg.support)?;
        row(f, "macro avg", &self.macro_avg)?;
        row(f, LAST, &self.weighted_avg)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Average, f1};
    use super::*;

    #[test]
    fn the_report_is_letter_for_letter_that_of_scikit_learns_documentation() {
        let names = ["class 0", "class 1", "class 2"].map(String::from);
        let report = ClassificationReport::new(&[0, 1, 2, 2, 2], &[0, 0, 2, 2, 1], &names).unwrap();
        let expected = "              precision    recall  f1-score   support

     class 0       0.50      1.00      0.67         1
     class 1       0.00      0.00      0.00         1
     class 2       1.00      0.67      0.80         3

    accuracy                           0.60         5
   macro avg       0.50      0.56      0.49         5
weighted avg       0.70      0.60      0.61         5
";
        assert_eq!(report.to_string(), expected);
    }

    #[test]
    fn a_class_that_occurs_nowhere_counts_in_no_average() {
        let names = ["a", "b", "c"].map(String::from);
        let report = ClassificationReport::new(&[0, 0, 2], &[0, 2, 2], &names).unwrap();
        // scikit-learn: classification_report([0, 0, 2], [0, 2, 2])
        assert_eq!(report.names, ["a", "c"]);
        assert_eq!(report.macro_avg.recall, 0.75);
        assert_eq!(report.macro_avg.f1, f1(&[0, 0, 2], &[0, 2, 2], Average::Macro).unwrap());
        let report = ClassificationReport::new(&[0, 0], &[0, 1], &names).unwrap();
        assert_eq!((report.names.len(), report.macro_avg.recall), (2, 0.25), "one that is predicted alone counts");
    }
}
