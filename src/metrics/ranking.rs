//! Scores of rows ranked by how sure a model is of class 1, and the curves behind them.

use super::classification::Average;
use super::{finite, past, same_length};
use crate::error::{Error, Result};

/// The receiver operating characteristic: what is found and what is falsely taken as the threshold falls.
#[derive(Debug, Clone, PartialEq)]
pub struct Roc {
    /// Of the rows of class 0, the share with a score at or above the threshold; from 0 to 1.
    pub false_positive_rate: Vec<f64>,
    /// Of the rows of class 1, the same share; from 0 to 1.
    pub true_positive_rate: Vec<f64>,
    /// From infinity down.
    pub thresholds: Vec<f64>,
}

/// Precision and recall as the threshold rises; the last point, precision 1 and recall 0, has no threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct PrecisionRecall {
    /// Of the rows with a score at or above the threshold, the share of class 1.
    pub precision: Vec<f64>,
    /// Of the rows of class 1, the share with such a score.
    pub recall: Vec<f64>,
    /// One less than there are points.
    pub thresholds: Vec<f64>,
}

/// What was predicted with a probability, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationCurve {
    /// The share of class 1 in each bin that holds rows.
    pub truth: Vec<f64>,
    /// The mean probability in the bin.
    pub predicted: Vec<f64>,
    /// How many rows are in it.
    pub rows: Vec<usize>,
}

/// How probabilities are put in bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bins {
    /// Bins of equal width.
    Uniform,
    /// Bins of as many rows each.
    Quantile,
}

/// How a score of two classes becomes one of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versus {
    /// Each class against the rest.
    Rest,
    /// Each class against each other.
    One,
}

/// Rows at or above a score: of class 0, of class 1, and the score.
type Step = (f64, f64, f64);

/// The steps at each distinct score, from the largest down.
fn cumulated(op: &'static str, truth: &[u32], scores: &[f64]) -> Result<Vec<Step>> {
    same_length(op, truth.len(), scores.len())?;
    finite(op, "score", scores)?;
    if let Some(&label) = truth.iter().find(|&&label| label > 1) {
        return Err(past(op, label, 2));
    }
    let mut rows: Vec<(f64, u32)> = scores.iter().copied().zip(truth.iter().copied()).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut points: Vec<Step> = Vec::new();
    let (mut negative, mut positive) = (0.0, 0.0);
    for (score, label) in rows {
        negative += f64::from(label == 0);
        positive += f64::from(label == 1);
        match points.last_mut() {
            Some(last) if last.2 == score => *last = (negative, positive, score),
            _ => points.push((negative, positive, score)),
        }
    }
    Ok(points)
}

/// The same, with how many there are of each class, which must both occur.
fn both_classes(op: &'static str, truth: &[u32], scores: &[f64]) -> Result<(Vec<Step>, f64, f64)> {
    let points = cumulated(op, truth, scores)?;
    match points.last() {
        Some(&(negative, positive, _)) if negative > 0.0 && positive > 0.0 => Ok((points, negative, positive)),
        _ => {
            let class = truth.first().copied().unwrap_or(0);
            let message = format!("needs rows of both classes: all {} are of class {class}", truth.len());
            Err(Error::argument(op, message))
        }
    }
}

/// The curve of a binary classifier: `truth` of classes 0 and 1, `scores` larger for class 1 (probabilities or decisions).
/// Points on a straight line between others are left out.
///
/// ```
/// let roc = tilework::metrics::roc_curve(&[0, 0, 1, 1], &[0.1, 0.4, 0.35, 0.8])?;
/// assert_eq!(roc.true_positive_rate, [0.0, 0.5, 0.5, 1.0, 1.0]);
/// # Ok::<(), tilework::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] when the lengths differ or are 0; [`Error::Argument`] for a label past 1 or one class only;
/// [`Error::NonFinite`] for a score of NaN or infinity.
pub fn roc_curve(truth: &[u32], scores: &[f64]) -> Result<Roc> {
    let (points, negative, positive) = both_classes("roc_curve", truth, scores)?;
    let mut roc =
        Roc { false_positive_rate: vec![0.0], true_positive_rate: vec![0.0], thresholds: vec![f64::INFINITY] };
    for (i, &(n, p, score)) in points.iter().enumerate() {
        let corner = match (i.checked_sub(1).and_then(|before| points.get(before)), points.get(i + 1)) {
            (Some(before), Some(after)) => before.0 + after.0 != 2.0 * n || before.1 + after.1 != 2.0 * p,
            _ => true,
        };
        if corner {
            roc.false_positive_rate.push(n / negative);
            roc.true_positive_rate.push(p / positive);
            roc.thresholds.push(score);
        }
    }
    Ok(roc)
}

/// The area under [`roc_curve`]: the probability that a row of class 1 has a larger score than one of class 0. 0.5 for guesses.
///
/// # Errors
/// As [`roc_curve`].
pub fn roc_auc(truth: &[u32], scores: &[f64]) -> Result<f64> {
    let (points, negative, positive) = both_classes("roc_auc", truth, scores)?;
    let mut area = 0.0;
    let mut before = (0.0, 0.0);
    for (n, p, _) in points {
        area += (n - before.0) * (p + before.1) / 2.0;
        before = (n, p);
    }
    Ok(area / (negative * positive))
}

/// The area under the curve for more classes: of each against the rest, or the mean of both ways for each pair.
///
/// `scores` is `[N, classes]` row by row, probabilities as a rule. [`Average::Macro`] takes all classes (or pairs) alike,
/// [`Average::Weighted`] by their rows.
///
/// # Errors
/// As [`roc_curve`]; [`Error::Argument`] for a class without rows, and for another average.
pub fn roc_auc_multiclass(
    truth: &[u32],
    scores: &[f64],
    classes: usize,
    versus: Versus,
    average: Average,
) -> Result<f64> {
    const OP: &str = "roc_auc_multiclass";
    if classes < 2 || truth.len().checked_mul(classes) != Some(scores.len()) {
        let message = format!("{} scores for {} labels of {classes} classes", scores.len(), truth.len());
        return Err(Error::shape(OP, message));
    }
    if !matches!(average, Average::Macro | Average::Weighted) {
        return Err(Error::argument(OP, format!("average {average:?}; choose Macro or Weighted")));
    }
    let mut counts = vec![0.0; classes];
    for &label in truth {
        *counts.get_mut(label as usize).ok_or_else(|| past(OP, label, classes))? += 1.0;
    }
    if let Some(class) = counts.iter().position(|&count| count == 0.0) {
        return Err(Error::argument(OP, format!("class {class} has no rows; score classes that occur")));
    }
    // The area of `class` against the rows of `others`.
    let area = |class: usize, others: &dyn Fn(u32) -> bool| {
        let chosen = truth.iter().zip(scores.chunks_exact(classes)).filter(|(label, _)| others(**label));
        let (labels, values): (Vec<u32>, Vec<f64>) =
            chosen.map(|(&label, row)| (u32::from(label as usize == class), row[class])).unzip();
        roc_auc(&labels, &values)
    };
    let (mut sum, mut whole) = (0.0, 0.0);
    let mut add = |area: f64, rows: f64| {
        let weight = if average == Average::Weighted { rows } else { 1.0 };
        (sum, whole) = (sum + weight * area, whole + weight);
    };
    for a in 0..classes {
        match versus {
            Versus::Rest => add(area(a, &|_| true)?, counts[a]),
            Versus::One => {
                for b in a + 1..classes {
                    let pair = |label: u32| label as usize == a || label as usize == b;
                    add((area(a, &pair)? + area(b, &pair)?) / 2.0, counts[a] + counts[b]);
                }
            }
        }
    }
    Ok(sum / whole)
}

/// Precision and recall at each distinct score.
///
/// # Errors
/// As [`roc_curve`], but class 0 may be missing.
pub fn precision_recall_curve(truth: &[u32], scores: &[f64]) -> Result<PrecisionRecall> {
    const OP: &str = "precision_recall_curve";
    let points = cumulated(OP, truth, scores)?;
    let positive = positives(OP, truth, &points)?;
    let of = |value: fn(&Step, f64) -> f64, end: Option<f64>| {
        points.iter().rev().map(|point| value(point, positive)).chain(end).collect()
    };
    Ok(PrecisionRecall {
        precision: of(|(n, p, _), _| p / (n + p), Some(1.0)),
        recall: of(|(_, p, _), all| p / all, Some(0.0)),
        thresholds: of(|point, _| point.2, None),
    })
}

/// The mean of the precisions, each by the recall gained at its threshold: the area under the precision-recall curve without
/// drawing lines between its points.
///
/// # Errors
/// As [`precision_recall_curve`].
pub fn average_precision(truth: &[u32], scores: &[f64]) -> Result<f64> {
    const OP: &str = "average_precision";
    let points = cumulated(OP, truth, scores)?;
    let positive = positives(OP, truth, &points)?;
    // Whole rows are gained, and their number is divided last: a perfect ranking has 1, to the bit.
    let (sum, _) = points.iter().fold((0.0, 0.0), |(sum, before), &(n, p, _)| (sum + (p - before) * (p / (n + p)), p));
    Ok(sum / positive)
}

/// How many rows are of class 1, of the points that [`cumulated`] gave.
fn positives(op: &'static str, truth: &[u32], points: &[Step]) -> Result<f64> {
    match points.last() {
        Some(last) if last.1 > 0.0 => Ok(last.1),
        _ => Err(Error::argument(op, format!("none of {} rows is of class 1; recall means nothing", truth.len()))),
    }
}

/// Probabilities of class 1 against the share of class 1, in `bins` bins: on the diagonal where a probability means what it says.
///
/// # Errors
/// [`Error::Shape`] when the lengths differ or are 0; [`Error::Argument`] for a label past 1, a value that is no probability, or
/// no bins.
pub fn calibration_curve(truth: &[u32], probabilities: &[f64], bins: usize, how: Bins) -> Result<CalibrationCurve> {
    const OP: &str = "calibration_curve";
    same_length(OP, truth.len(), probabilities.len())?;
    if bins == 0 {
        return Err(Error::argument(OP, "0 bins; give at least 1"));
    }
    if let Some(&label) = truth.iter().find(|&&label| label > 1) {
        return Err(past(OP, label, 2));
    }
    if let Some(value) = probabilities.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(Error::argument(OP, format!("{value} is no probability; give values of 0 to 1")));
    }
    let mut sorted = probabilities.to_vec();
    sorted.sort_by(f64::total_cmp);
    let bins = bins.min(probabilities.len().max(64)); // more bins than rows hold nothing
    let edge = |i: usize| {
        let share = i as f64 / bins as f64;
        match how {
            Bins::Uniform => share,
            Bins::Quantile => quantile(&sorted, share),
        }
    };
    let edges: Vec<f64> = (1..bins).map(edge).collect();
    let mut sums = vec![(0.0, 0.0, 0usize); bins];
    for (&label, &p) in truth.iter().zip(probabilities) {
        let bin = &mut sums[edges.partition_point(|&edge| edge < p)]; // at most `bins - 1` edges
        *bin = (bin.0 + f64::from(label), bin.1 + p, bin.2 + 1);
    }
    sums.retain(|bin| bin.2 > 0);
    Ok(CalibrationCurve {
        truth: sums.iter().map(|bin| bin.0 / bin.2 as f64).collect(),
        predicted: sums.iter().map(|bin| bin.1 / bin.2 as f64).collect(),
        rows: sums.iter().map(|bin| bin.2).collect(),
    })
}

/// The quantile of sorted values, between two of them in proportion: NumPy's `percentile`.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let at = |i: f64| sorted.get(i as usize).copied().unwrap_or(f64::NAN);
    let (low, high) = (at(place.floor()), at(place.ceil()));
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half_and_guesses_score_one_half() {
        assert_eq!(roc_auc(&[0, 1], &[0.5, 0.5]).unwrap(), 0.5);
        assert_eq!(roc_auc(&[0, 1, 1, 0], &[0.1, 0.9, 0.1, 0.0]).unwrap(), (1.0 + 1.0 + 1.0 + 0.5) / 4.0);
    }

    #[test]
    fn one_class_alone_has_no_curve() {
        let text = roc_auc(&[1, 1], &[0.1, 0.2]).unwrap_err().to_string();
        assert!(text.starts_with("roc_auc: needs rows of both classes: all 2 are of class 1"), "{text}");
        assert!(average_precision(&[0, 0], &[0.1, 0.2]).is_err());
        assert_eq!(average_precision(&[1, 1], &[0.1, 0.2]).unwrap(), 1.0);
    }

    #[test]
    fn a_perfect_ranking_has_a_precision_of_one_and_no_more() {
        for rows in 1..200u32 {
            let scores: Vec<f64> = (0..2 * rows).map(|row| f64::from(row * row)).collect();
            let truth: Vec<u32> = (0..2 * rows).map(|row| u32::from(row >= rows)).collect();
            assert_eq!(average_precision(&truth, &scores).unwrap(), 1.0, "{rows}");
        }
    }

    #[test]
    fn inputs_that_do_not_fit_are_refused() {
        assert_eq!(roc_curve(&[0, 1], &[0.1]).map_err(|e| e.code()), Err("shape"));
        assert_eq!(roc_curve(&[0, 2], &[0.1, 0.2]).map_err(|e| e.code()), Err("argument"));
        assert_eq!(roc_curve(&[0, 1], &[0.1, f64::NAN]).map_err(|e| e.code()), Err("non-finite"));
        let many = |truth: &[u32]| roc_auc_multiclass(truth, &[0.5; 4], 2, Versus::Rest, Average::Macro);
        assert_eq!(many(&[0, 0]).map_err(|e| e.code()), Err("argument"));
        assert_eq!(many(&[0, 9]).map_err(|e| e.code()), Err("argument"));
        assert_eq!(many(&[0]).map_err(|e| e.code()), Err("shape"));
        assert_eq!(calibration_curve(&[0], &[1.5], 5, Bins::Uniform).map_err(|e| e.code()), Err("argument"));
        assert_eq!(calibration_curve(&[0], &[0.5], 0, Bins::Uniform).map_err(|e| e.code()), Err("argument"));
        assert_eq!(calibration_curve(&[0], &[0.5], usize::MAX, Bins::Uniform).unwrap().rows, [1]);
    }
}
