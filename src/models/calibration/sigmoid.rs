//! Platt's sigmoid: a logistic curve from a classifier's score to a probability.
//!
//! Platt, "Probabilistic outputs for support vector machines" (1999); the method is that of Lin, Lin and Weng, "A note on Platt's
//! probabilistic outputs for support vector machines" (Machine Learning 68, 2007): Newton's with a backtracking line search, and
//! sums that do not lose digits where the sigmoid saturates.

use super::isotonic::pairs;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// `p = 1 / (1 + exp(slope * score + intercept))`; the slope is negative where larger scores speak for class 1.
///
/// ```
/// use tilework::models::calibration::Sigmoid;
/// let sigmoid = Sigmoid::fit(&[-2.0, -1.0, 1.0, 2.0], &[false, false, true, true], None)?;
/// assert!(sigmoid.probability(2.0) > 0.6 && sigmoid.probability(-2.0) < 0.4);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sigmoid {
    /// Of the score.
    pub slope: f64,
    /// The exponent at score 0.
    pub intercept: f64,
}

impl Sigmoid {
    /// The sigmoid of largest likelihood for scores and whether each is of class 1. Targets are Platt's, a little inside 0 and 1,
    /// so that classes which lie apart do not give certainty.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) when the lengths differ or are 0; [`Error::NonFinite`](crate::Error::NonFinite) for a score of NaN or infinity.
    pub fn fit(scores: &[f64], of_class: &[bool], weights: Option<&[f64]>) -> Result<Sigmoid> {
        const OP: &str = "sigmoid";
        pairs(OP, scores, of_class.len(), weights)?;
        // Scores in the hundreds would make the Hessian useless; the curve is the same in another unit.
        let unit = scores.iter().fold(0.0, |most: f64, s| most.max(s.abs()));
        let unit = if unit > 0.0 { unit } else { 1.0 };
        let weight = |row: usize| weights.and_then(|w| w.get(row)).copied().unwrap_or(1.0);
        let count = |class: bool| -> f64 {
            of_class.iter().enumerate().filter(|(_, of)| **of == class).map(|(row, _)| weight(row)).sum()
        };
        let (negative, positive) = (count(false), count(true));
        let target = |of: bool| if of { (positive + 1.0) / (positive + 2.0) } else { 1.0 / (negative + 2.0) };
        let rows: Vec<(f64, f64, f64)> = scores
            .iter()
            .zip(of_class)
            .enumerate()
            .map(|(row, (score, &of))| (score / unit, target(of), weight(row)))
            .collect();
        let mut at = (0.0, ((negative + 1.0) / (positive + 1.0)).ln());
        let mut loss = loss_at(&rows, at);
        for _ in 0..100 {
            let (gradient, hessian) = derivatives(&rows, at);
            if gradient.0.abs().max(gradient.1.abs()) < 1e-9 * rows.len() as f64 {
                break;
            }
            let determinant = hessian.0 * hessian.2 - hessian.1 * hessian.1;
            let step = (
                -(hessian.2 * gradient.0 - hessian.1 * gradient.1) / determinant,
                -(hessian.0 * gradient.1 - hessian.1 * gradient.0) / determinant,
            );
            let slope = gradient.0 * step.0 + gradient.1 * step.1;
            let mut length = 1.0;
            let moved = loop {
                let next = (at.0 + length * step.0, at.1 + length * step.1);
                let lower = loss_at(&rows, next);
                if lower < loss + 1e-4 * length * slope {
                    break Some((next, lower));
                }
                length /= 2.0;
                if length < 1e-10 {
                    break None; // rounding is all that is left
                }
            };
            match moved {
                Some((next, lower)) => (at, loss) = (next, lower),
                None => break,
            }
        }
        Ok(Sigmoid { slope: at.0 / unit, intercept: at.1 })
    }

    /// The probability of class 1 for a score.
    pub fn probability(&self, score: f64) -> f64 {
        let exponent = self.slope * score + self.intercept;
        if exponent >= 0.0 { (-exponent).exp() / (1.0 + (-exponent).exp()) } else { 1.0 / (1.0 + exponent.exp()) }
    }
}

/// The negative log-likelihood: `t f + ln(1 + exp(-f))` of each row, `f` the exponent.
fn loss_at(rows: &[(f64, f64, f64)], (a, b): (f64, f64)) -> f64 {
    let term = |&(score, target, weight): &(f64, f64, f64)| {
        let f = a * score + b;
        let positive = if f >= 0.0 { target * f } else { (target - 1.0) * f };
        weight * (positive + (-f.abs()).exp().ln_1p())
    };
    rows.iter().map(term).sum()
}

/// Gradient, and the three entries of the Hessian, kept positive by a ridge that scores of one value would need.
fn derivatives(rows: &[(f64, f64, f64)], (a, b): (f64, f64)) -> ((f64, f64), (f64, f64, f64)) {
    let (mut gradient, mut hessian) = ((0.0, 0.0), (1e-12, 0.0, 1e-12));
    for &(score, target, weight) in rows {
        let p = Sigmoid { slope: a, intercept: b }.probability(score);
        let (first, second) = (weight * (target - p), weight * p * (1.0 - p));
        gradient = (gradient.0 + first * score, gradient.1 + first);
        hessian = (hessian.0 + second * score * score, hessian.1 + second * score, hessian.2 + second);
    }
    (gradient, hessian)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::calibration::isotonic::tests::{SCORES, TRUTH, WEIGHTS};

    #[test]
    fn the_curve_is_that_of_scikit_learn() {
        // Its L-BFGS stops at a gradient of 1e-6, which leaves the parameters with six digits.
        let close = |s: Sigmoid, slope: f64, intercept: f64| {
            assert!((s.slope / slope - 1.0).abs() < 3e-6 && (s.intercept / intercept - 1.0).abs() < 3e-6, "{s:?}");
        };
        close(Sigmoid::fit(&SCORES, &TRUTH, None).unwrap(), -1.136_707_089_512_363, 0.282_938_260_728_533_2);
        let weighted = Sigmoid::fit(&SCORES, &TRUTH, Some(&WEIGHTS)).unwrap();
        close(weighted, -1.276_744_288_307_630_5, 0.379_896_751_083_181_66);
        let large = SCORES.map(|s| 100.0 * s);
        close(Sigmoid::fit(&large, &TRUTH, None).unwrap(), -0.011_367_070_875_055_24, 0.282_938_260_193_245_2);
    }

    #[test]
    fn the_odds_of_the_targets_are_recovered() {
        // 3 of 4 at score 1, 1 of 4 at -1, many times: the odds are 3 and 1/3
        let scores: Vec<f64> = (0..4000).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let of_class: Vec<bool> = (0..4000).map(|i| (i % 2 == 0) != (i / 2 % 4 == 0)).collect();
        let got = Sigmoid::fit(&scores, &of_class, None).unwrap();
        assert!((got.slope + 3f64.ln()).abs() < 0.01 && got.intercept.abs() < 0.01, "{got:?}");
    }

    #[test]
    fn scores_that_say_nothing_give_the_share_of_the_class() {
        let s = Sigmoid::fit(&[0.5; 4], &[true, false, false, false], None).unwrap();
        // Platt's targets: 2/3 once and 1/5 three times.
        assert!((s.probability(0.5) - (2.0 / 3.0 + 0.6) / 4.0).abs() < 1e-9, "{s:?}");
        assert!(Sigmoid::fit(&[0.0; 3], &[true, false, true], None).unwrap().probability(1e300).is_finite());
        assert!(Sigmoid::fit(&[f64::NAN], &[true], None).is_err());
        assert!(Sigmoid::fit(&[1.0], &[], None).is_err());
    }
}
