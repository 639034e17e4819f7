//! Scores of predicted classes, and of predicted probabilities.

use super::{past, same_length};
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// How the scores of the classes become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// That of class 1 alone; there are no others but class 0.
    Binary,
    /// All decisions counted together.
    Micro,
    /// The mean over the classes that occur, each as good as another.
    Macro,
    /// The mean over the classes, each by how many are of it.
    Weighted,
}

/// What became of one class.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    /// Of the class and predicted as it.
    right: f64,
    /// Of the class.
    support: f64,
    predicted: f64,
}

/// The tallies of all classes that occur, in truth or predicted.
fn tallies(op: &'static str, truth: &[u32], predicted: &[u32]) -> Result<BTreeMap<u32, Tally>> {
    same_length(op, truth.len(), predicted.len())?;
    let mut tallies: BTreeMap<u32, Tally> = BTreeMap::new();
    for (&t, &p) in truth.iter().zip(predicted) {
        let of = tallies.entry(t).or_default();
        of.support += 1.0;
        of.right += f64::from(t == p);
        tallies.entry(p).or_default().predicted += 1.0;
    }
    Ok(tallies)
}

/// 0 where there is nothing to divide by, as in scikit-learn.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

/// One score of each class, averaged.
fn averaged(
    op: &'static str,
    truth: &[u32],
    predicted: &[u32],
    average: Average,
    score: impl Fn(&Tally) -> f64,
) -> Result<f64> {
    let tallies = tallies(op, truth, predicted)?;
    let mean = |weight: fn(&Tally) -> f64| {
        let weights: f64 = tallies.values().map(weight).sum();
        tallies.values().map(|tally| weight(tally) * score(tally)).sum::<f64>() / weights
    };
    match average {
        Average::Macro => Ok(mean(|_| 1.0)),
        Average::Weighted => Ok(mean(|tally| tally.support)),
        Average::Micro => {
            let all = tallies.values().fold(Tally::default(), |all, tally| Tally {
                right: all.right + tally.right,
                support: all.support + tally.support,
                predicted: all.predicted + tally.predicted,
            });
            Ok(score(&all))
        }
        Average::Binary => match tallies.keys().find(|&&label| label > 1) {
            Some(label) => {
                let message = format!("label {label} where there are two classes, 0 and 1; choose another average");
                Err(Error::argument(op, message))
            }
            None => Ok(tallies.get(&1).map_or(0.0, score)),
        },
    }
}

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

/// The mean over the classes of `truth` of the share of each that was found: a rare class counts as much as a common one.
///
/// # Errors
/// As [`accuracy`].
pub fn balanced_accuracy(truth: &[u32], predicted: &[u32]) -> Result<f64> {
    let tallies = tallies("balanced_accuracy", truth, predicted)?;
    let recalls: Vec<f64> = tallies.values().filter(|t| t.support > 0.0).map(|t| t.right / t.support).collect();
    Ok(recalls.iter().sum::<f64>() / recalls.len() as f64)
}

/// Of those predicted as a class, the share that is of it. A class that is never predicted has 0.
///
/// ```
/// use tilework::metrics::{Average, precision};
/// let score = precision(&[0, 1, 2, 0, 1, 2], &[0, 2, 1, 0, 0, 1], Average::Macro)?;
/// assert!((score - 2.0 / 9.0).abs() < 1e-12);
/// # Ok::<(), tilework::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] when the lengths differ or are 0; [`Error::Argument`] for more than two classes with [`Average::Binary`].
pub fn precision(truth: &[u32], predicted: &[u32], average: Average) -> Result<f64> {
    averaged("precision", truth, predicted, average, |t| ratio(t.right, t.predicted))
}

/// Of those of a class, the share predicted as it. A class that never occurs has 0.
///
/// # Errors
/// As [`precision`].
pub fn recall(truth: &[u32], predicted: &[u32], average: Average) -> Result<f64> {
    averaged("recall", truth, predicted, average, |t| ratio(t.right, t.support))
}

/// The harmonic mean of precision and recall of each class.
///
/// # Errors
/// As [`precision`].
pub fn f1(truth: &[u32], predicted: &[u32], average: Average) -> Result<f64> {
    averaged("f1", truth, predicted, average, |t| f_score(t, 1.0))
}

/// As [`f1`], with recall counting `beta` times as much as precision.
///
/// # Errors
/// As [`precision`]; a `beta` that is negative or not finite.
pub fn fbeta(truth: &[u32], predicted: &[u32], beta: f64, average: Average) -> Result<f64> {
    if !(beta >= 0.0 && beta.is_finite()) {
        return Err(Error::argument("fbeta", format!("beta {beta}; give a finite number of at least 0")));
    }
    averaged("fbeta", truth, predicted, average, |t| f_score(t, beta))
}

fn f_score(tally: &Tally, beta: f64) -> f64 {
    let square = beta * beta;
    ratio((1.0 + square) * tally.right, square * tally.support + tally.predicted)
}

/// What [`matthews`] and [`cohen_kappa`] are made of: how many, how many right, and the sums over the classes of
/// support × predicted, support² and predicted².
fn moments(op: &'static str, truth: &[u32], predicted: &[u32]) -> Result<[f64; 5]> {
    let tallies = tallies(op, truth, predicted)?;
    let sum = |term: fn(&Tally) -> f64| tallies.values().map(term).sum::<f64>();
    Ok([
        truth.len() as f64,
        sum(|t| t.right),
        sum(|t| t.support * t.predicted),
        sum(|t| t.support * t.support),
        sum(|t| t.predicted * t.predicted),
    ])
}

/// Matthews' correlation of truth and prediction, -1 to 1, for any number of classes; 0 where either has one class only.
///
/// # Errors
/// As [`accuracy`].
pub fn matthews(truth: &[u32], predicted: &[u32]) -> Result<f64> {
    let [n, right, both, truths, predictions] = moments("matthews", truth, predicted)?;
    let scale = (n * n - truths) * (n * n - predictions);
    Ok(ratio(right * n - both, scale.sqrt()))
}

/// Cohen's κ: agreement beyond that of chance, 1 for perfect and 0 for none. NaN where both have the same single class, and
/// chance alone agrees: scikit-learn's value.
///
/// # Errors
/// As [`accuracy`].
pub fn cohen_kappa(truth: &[u32], predicted: &[u32]) -> Result<f64> {
    let [n, right, both, ..] = moments("cohen_kappa", truth, predicted)?;
    let (seen, chance) = (right / n, both / (n * n));
    Ok(if chance == 1.0 { f64::NAN } else { (seen - chance) / (1.0 - chance) })
}

/// Calls `add` with the probabilities of each row and its label; refuses what is no distribution.
fn each_row(
    op: &'static str,
    truth: &[u32],
    probabilities: &[f64],
    classes: usize,
    mut add: impl FnMut(&[f64], usize),
) -> Result<()> {
    if truth.is_empty() || classes == 0 || truth.len().checked_mul(classes) != Some(probabilities.len()) {
        let message = format!("{} probabilities for {} labels of {classes} classes", probabilities.len(), truth.len());
        return Err(Error::shape(op, message));
    }
    // scikit-learn's tolerance for the sum is the square root of the type's ε; networks give single precision.
    let tolerance = f64::from(f32::EPSILON).sqrt();
    for (row, (values, &label)) in probabilities.chunks_exact(classes).zip(truth).enumerate() {
        let sum: f64 = values.iter().sum();
        if sum.is_nan() {
            let message =
                format!("a probability of row {row} is NaN; numbers left the range of floats, scale the columns");
            return Err(Error::NonFinite { op, message });
        }
        if !values.iter().all(|p| (0.0..=1.0).contains(p)) || (sum - 1.0).abs() > tolerance {
            let message = format!("row {row} is no distribution: its sum is {sum}; pass probabilities, not logits");
            return Err(Error::argument(op, message));
        }
        match (label as usize) < classes {
            true => add(values, label as usize),
            false => return Err(past(op, label, classes)),
        }
    }
    Ok(())
}

/// The mean negative logarithm of the probability given to the true class, in nats.
///
/// `probabilities` is `[N, classes]` row by row, for `N` labels in `truth`. As scikit-learn does, probabilities are clipped to
/// `[ε, 1 - ε]` with the ε of `f64`, so that one certain mistake costs about 36 and not infinity.
///
/// # Errors
/// [`Error::Shape`] when the lengths do not fit, [`Error::Argument`] for a label past the classes or a row that is no
/// distribution: a value outside 0 to 1, or a sum that is not 1; [`Error::NonFinite`] for NaN.
pub fn log_loss(truth: &[u32], probabilities: &[f64], classes: usize) -> Result<f64> {
    let mut loss = 0.0;
    each_row("log_loss", truth, probabilities, classes, |values, label| {
        loss -= values[label].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
    })?;
    Ok(loss / truth.len() as f64)
}

/// Brier's score: the mean squared distance of the probabilities from certainty of the truth, 0 for perfect. Of two classes it
/// is `mean((p₁ - y)²)`, at most 1; of more the sum over the classes, at most 2.
///
/// `probabilities` is `[N, classes]` row by row.
///
/// # Errors
/// As [`log_loss`].
pub fn brier(truth: &[u32], probabilities: &[f64], classes: usize) -> Result<f64> {
    let mut sum = 0.0;
    each_row("brier", truth, probabilities, classes, |values, label| {
        let distance = |(class, p): (usize, &f64)| (p - f64::from(class == label)).powi(2);
        sum += values.iter().enumerate().map(distance).sum::<f64>();
    })?;
    let scale = if classes == 2 { 0.5 } else { 1.0 };
    Ok(scale * sum / truth.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-12, "{value} is not {expected}");
    }

    #[test]
    fn a_certain_mistake_costs_the_logarithm_of_epsilon() {
        close(log_loss(&[0], &[0.0, 1.0], 2).unwrap(), 52.0 * 2f64.ln());
        assert!(log_loss(&[1], &[0.0, 1.0], 2).unwrap() < 1e-15);
    }

    #[test]
    fn one_class_alone_has_no_correlation_and_no_agreement_beyond_chance() {
        assert_eq!(matthews(&[1, 1], &[1, 1]).unwrap(), 0.0);
        assert!(cohen_kappa(&[1, 1], &[1, 1]).unwrap().is_nan());
        assert_eq!(balanced_accuracy(&[1, 1], &[1, 0]).unwrap(), 0.5);
    }

    #[test]
    fn a_label_of_any_size_costs_no_memory() {
        assert_eq!(f1(&[u32::MAX, 0], &[u32::MAX, 0], Average::Macro).unwrap(), 1.0);
    }

    #[test]
    fn inputs_that_do_not_fit_are_refused() {
        assert_eq!(accuracy(&[], &[]).map_err(|e| e.code()), Err("shape"));
        assert_eq!(accuracy(&[1], &[1, 2]).map_err(|e| e.code()), Err("shape"));
        assert_eq!(f1(&[1, 2], &[1, 1], Average::Binary).map_err(|e| e.code()), Err("argument"));
        assert_eq!(fbeta(&[1], &[1], f64::NAN, Average::Micro).map_err(|e| e.code()), Err("argument"));
        for (truth, p, code) in [
            (0, &[0.5, 0.5, 0.0][..], "shape"),
            (0, &[3.0, -2.0], "argument"),
            (0, &[f64::NAN, 1.0], "non-finite"),
            (2, &[0.5, 0.5], "argument"),
        ] {
            assert_eq!(log_loss(&[truth], p, 2).map_err(|e| e.code()), Err(code));
            assert_eq!(brier(&[truth], p, 2).map_err(|e| e.code()), Err(code));
        }
    }
}
