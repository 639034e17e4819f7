//! Scores of predictions against the truth, as scikit-learn defines them. Sums are taken in `f64`.

use crate::error::{Error, Result};
use std::fmt;

/// The share of labels predicted right, 0 to 1.
///
/// ```
/// assert_eq!(tilework::metrics::accuracy(&[0, 1, 2, 3], &[0, 2, 1, 3])?, 0.5);
/// # Ok::<(), tilework::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] when the lengths differ or are 0.
pub fn accuracy(truth: &[u32], predicted: &[u32]) -> Result<f64> {
    same_length("accuracy", truth.len(), predicted.len())?;
    let right = truth.iter().zip(predicted).filter(|(t, p)| t == p).count();
    Ok(right as f64 / truth.len() as f64)
}

/// The mean negative logarithm of the probability given to the true class, in nats.
///
/// `probabilities` is `[N, classes]` row by row, for `N` labels in `truth`. As scikit-learn does, probabilities are clipped to
/// `[ε, 1 - ε]` with the ε of `f32`, so that one certain mistake costs about 16 and not infinity.
///
/// # Errors
/// [`Error::Shape`] when the lengths do not fit, [`Error::Argument`] for a label past the classes or a row that is no
/// distribution: a value outside 0 to 1, or a sum that is not 1.
pub fn log_loss(truth: &[u32], probabilities: &[f32], classes: usize) -> Result<f64> {
    const OP: &str = "log_loss";
    if truth.is_empty() || classes == 0 || truth.len().checked_mul(classes) != Some(probabilities.len()) {
        let message = format!("{} probabilities for {} labels of {classes} classes", probabilities.len(), truth.len());
        return Err(Error::shape(OP, message));
    }
    let mut loss = 0.0;
    for (row, (values, &label)) in probabilities.chunks_exact(classes).zip(truth).enumerate() {
        let sum: f64 = values.iter().map(|&p| f64::from(p)).sum();
        // scikit-learn's tolerance for the sum is the square root of ε too.
        if !values.iter().all(|p| (0.0..=1.0).contains(p)) || (sum - 1.0).abs() > f64::from(f32::EPSILON).sqrt() {
            let message = format!("row {row} is no distribution: its sum is {sum}; pass probabilities, not logits");
            return Err(Error::argument(OP, message));
        }
        let p = values.get(label as usize).ok_or_else(|| past(OP, label, classes))?;
        loss -= f64::from(p.clamp(f32::EPSILON, 1.0 - f32::EPSILON)).ln();
    }
    Ok(loss / truth.len() as f64)
}

/// The mean squared error.
///
/// # Errors
/// [`Error::Shape`] when the lengths differ or are 0, [`Error::NonFinite`] for a NaN or infinity.
pub fn mse(truth: &[f32], predicted: &[f32]) -> Result<f64> {
    mean("mse", truth, predicted, |t, p| (t - p) * (t - p))
}

/// The mean absolute error.
///
/// # Errors
/// As [`mse`].
pub fn mae(truth: &[f32], predicted: &[f32]) -> Result<f64> {
    mean("mae", truth, predicted, |t, p| (t - p).abs())
}

/// The coefficient of determination: 1 for perfect predictions, 0 for those of the mean, negative for worse.
///
/// When all of `truth` is one value it is 1 for perfect predictions and 0 for any others, as in scikit-learn.
///
/// ```
/// let r2 = tilework::metrics::r2(&[3.0, -0.5, 2.0, 7.0], &[2.5, 0.0, 2.0, 8.0])?;
/// assert!((r2 - 0.9486081370449679).abs() < 1e-12);
/// # Ok::<(), tilework::Error>(())
/// ```
///
/// # Errors
/// As [`mse`].
pub fn r2(truth: &[f32], predicted: &[f32]) -> Result<f64> {
    let residual = mean("r2", truth, predicted, |t, p| (t - p) * (t - p))?;
    let centre = truth.iter().map(|&t| f64::from(t)).sum::<f64>() / truth.len() as f64;
    let variance = mean("r2", truth, truth, |t, _| (t - centre) * (t - centre))?;
    let constant = truth.windows(2).all(|pair| pair[0] == pair[1]);
    Ok(match (constant, residual == 0.0) {
        (_, true) => 1.0,
        (true, false) => 0.0,
        (false, false) => 1.0 - residual / variance,
    })
}

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

fn same_length(op: &'static str, truth: usize, predicted: usize) -> Result<()> {
    match truth == predicted && truth > 0 {
        true => Ok(()),
        false => {
            Err(Error::shape(op, format!("{truth} true and {predicted} predicted values; give as many, at least one")))
        }
    }
}

fn past(op: &'static str, label: u32, classes: usize) -> Error {
    Error::argument(op, format!("label {label} of {classes} classes; count from 0"))
}

/// The mean of a term over all pairs.
fn mean(op: &'static str, truth: &[f32], predicted: &[f32], term: impl Fn(f64, f64) -> f64) -> Result<f64> {
    same_length(op, truth.len(), predicted.len())?;
    if let Some(index) = truth.iter().zip(predicted).position(|(t, p)| !t.is_finite() || !p.is_finite()) {
        let message =
            format!("{} true, {} predicted at {index}; scores need finite values", truth[index], predicted[index]);
        return Err(Error::NonFinite { op, message });
    }
    let sum: f64 = truth.iter().zip(predicted).map(|(&t, &p)| term(f64::from(t), f64::from(p))).sum();
    Ok(sum / truth.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn close(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-6, "{value} is not {expected}"); // inputs are f32: 6e-8 relative
    }

    #[test]
    fn scores_are_those_of_scikit_learns_documentation() {
        let (truth, predicted) = ([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]);
        assert_eq!(mse(&truth, &predicted).unwrap(), 0.375);
        assert_eq!(mae(&truth, &predicted).unwrap(), 0.5);
        close(r2(&truth, &predicted).unwrap(), 1.0 - 1.5 / 29.1875);
        assert_eq!(r2(&[1.0, 2.0, 3.0], &[2.0, 2.0, 2.0]).unwrap(), 0.0);
        assert_eq!(r2(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]).unwrap(), -3.0);
        // -(ln 0.9 + ln 0.9 + ln 0.8 + ln 0.65) / 4
        let loss = log_loss(&[1, 0, 0, 1], &[0.1, 0.9, 0.9, 0.1, 0.8, 0.2, 0.35, 0.65], 2).unwrap();
        close(loss, 0.216_161_87);
    }

    #[test]
    fn a_constant_truth_scores_one_or_zero() {
        assert_eq!(r2(&[0.1; 7], &[0.1; 7]).unwrap(), 1.0);
        assert_eq!(r2(&[0.1; 7], &[0.2; 7]).unwrap(), 0.0);
    }

    #[test]
    fn a_certain_mistake_costs_the_logarithm_of_epsilon() {
        close(log_loss(&[0], &[0.0, 1.0], 2).unwrap(), 15.942_385); // -ln(2^-23)
        close(log_loss(&[1], &[0.0, 1.0], 2).unwrap(), 0.0);
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
    fn inputs_that_do_not_fit_are_refused() {
        assert_eq!(accuracy(&[], &[]).map_err(|e| e.code()), Err("shape"));
        assert_eq!(accuracy(&[1], &[1, 2]).map_err(|e| e.code()), Err("shape"));
        assert_eq!(mse(&[1.0], &[f32::NAN]).map_err(|e| e.code()), Err("non-finite"));
        assert_eq!(log_loss(&[0], &[0.5, 0.5, 0.0], 2).map_err(|e| e.code()), Err("shape"));
        assert_eq!(log_loss(&[0], &[3.0, -2.0], 2).map_err(|e| e.code()), Err("argument"));
        assert_eq!(log_loss(&[0], &[f32::NAN, 1.0], 2).map_err(|e| e.code()), Err("argument"));
        assert_eq!(log_loss(&[2], &[0.5, 0.5], 2).map_err(|e| e.code()), Err("argument"));
        assert_eq!(ConfusionMatrix::new(&[0], &[2], &names(&["a", "b"])).map_err(|e| e.code()), Err("argument"));
    }
}
