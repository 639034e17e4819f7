//! What boosting makes small: gradients and hessians of each loss, where it starts, and what leaves say where it has no curvature.

use crate::models::quantile::{Weighing, quantile, weighed};
use serde::{Deserialize, Serialize};

/// What a boosted regressor makes small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoostingLoss {
    /// `½ (y - f)²`: predicts the mean.
    #[default]
    SquaredError,
    /// `|y - f|`: predicts the median.
    AbsoluteError,
    /// Predicts the quantile that the setting `quantile` names: of rows that weigh the same, between two of them in proportion, as
    /// `numpy.percentile`; of rows with weights, the smallest value that has this share of the weight up to it, and half way to
    /// the next where that is just the share.
    Quantile,
}

/// A loss with what it needs to know.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Loss {
    Squared,
    /// Pinball loss; absolute error is twice that of 0.5.
    Quantile(f64),
    /// Of two classes, by one score: the log odds of class 1.
    Binary,
    /// Of as many classes as there are scores, softmax.
    Softmax,
}

impl Loss {
    /// Loss of a row, given its scores. For classes, `y` is the label.
    pub fn of(self, y: f64, scores: &[f64]) -> f64 {
        let score = scores.first().copied().unwrap_or(0.0);
        match self {
            Loss::Squared => (y - score).powi(2) / 2.0,
            Loss::Quantile(q) => (y - score).max(0.0) * q + (score - y).max(0.0) * (1.0 - q),
            Loss::Binary => score.max(0.0) + (-score.abs()).exp().ln_1p() - y * score,
            Loss::Softmax => {
                let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = scores.iter().map(|s| (s - most).exp()).sum();
                most + sum.ln() - scores.get(y as usize).copied().unwrap_or(0.0)
            }
        }
    }

    /// Scores as steps need them: the softmax of several, others as they are.
    pub fn seen(self, scores: &mut [f64]) {
        if self == Loss::Softmax {
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            scores.iter_mut().for_each(|score| *score = (*score - most).exp());
            let sum: f64 = scores.iter().sum();
            scores.iter_mut().for_each(|score| *score /= sum);
        }
    }

    /// The first and second derivative of a row's loss by score `k`, from what [`Loss::seen`] made of the scores.
    #[inline(always)]
    pub fn step(self, y: f64, scores: &[f64], k: usize, weight: f64) -> [f32; 2] {
        let score = scores.get(k).copied().unwrap_or(0.0);
        let [gradient, hessian] = match self {
            Loss::Squared => [score - y, 1.0],
            Loss::Quantile(q) => [if score >= y { 1.0 - q } else { -q }, 1.0],
            Loss::Binary => {
                let p = 1.0 / (1.0 + (-score).exp());
                [p - y, p * (1.0 - p)]
            }
            Loss::Softmax => [score - f64::from(u8::from(y as usize == k)), score * (1.0 - score)],
        };
        [(weight * gradient) as f32, (weight * hessian) as f32]
    }

    /// The scores that are best for all rows alike.
    pub fn start(self, y: &[f64], weights: &[f64], scores: usize) -> Vec<f64> {
        let total: f64 = weights.iter().sum();
        let share = |of: &dyn Fn(f64) -> f64| y.iter().zip(weights).map(|(&y, w)| w * of(y)).sum::<f64>() / total;
        match self {
            Loss::Squared => vec![share(&|y| y)],
            Loss::Quantile(q) => vec![weighed(y, weights, q)],
            Loss::Binary => {
                let p = share(&|y| y).clamp(f64::EPSILON, 1.0 - f64::EPSILON);
                vec![(p / (1.0 - p)).ln()]
            }
            Loss::Softmax => {
                let logs: Vec<f64> = (0..scores)
                    .map(|k| share(&|y| f64::from(u8::from(y as usize == k))).max(f64::EPSILON).ln())
                    .collect();
                let mean = logs.iter().sum::<f64>() / logs.len().max(1) as f64;
                logs.into_iter().map(|log| log - mean).collect()
            }
        }
    }

    /// The best value of a leaf, from the residuals `y - score` of its rows and their weights, where Newton's step says nothing.
    pub fn leaf(self, residuals: impl Iterator<Item = (f64, f64)>, weighing: Weighing) -> Option<f64> {
        match self {
            Loss::Quantile(q) => Some(quantile(residuals.collect(), q, weighing)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_the_derivatives_of_the_loss() {
        let cases: [(Loss, f64, &[f64]); 5] = [
            (Loss::Squared, 1.5, &[0.3]),
            (Loss::Quantile(0.8), 1.5, &[0.3]),
            (Loss::Binary, 1.0, &[-0.7]),
            (Loss::Softmax, 2.0, &[0.1, -0.4, 0.9]),
            (Loss::Softmax, 0.0, &[0.1, -0.4, 0.9]),
        ];
        for (loss, y, scores) in cases {
            for k in 0..scores.len() {
                let at = |by: f64| {
                    let mut scores = scores.to_vec();
                    scores[k] += by;
                    loss.of(y, &scores)
                };
                let h = 1e-4;
                let mut seen = scores.to_vec();
                loss.seen(&mut seen);
                let [gradient, hessian] = loss.step(y, &seen, k, 2.0).map(f64::from);
                assert!((gradient - (at(h) - at(-h)) / h).abs() < 1e-6, "{loss:?} {k}");
                if !matches!(loss, Loss::Quantile(_)) {
                    assert!((hessian - 2.0 * (at(h) + at(-h) - 2.0 * at(0.0)) / (h * h)).abs() < 1e-5, "{loss:?} {k}");
                }
            }
        }
    }

    #[test]
    fn starts_are_the_best_constants() {
        assert_eq!(Loss::Squared.start(&[1.0, 2.0, 6.0], &[1.0, 1.0, 2.0], 1), [3.75]);
        assert_eq!(Loss::Quantile(0.5).start(&[5.0, 1.0, 2.0], &[1.0; 3], 1), [2.0]);
        assert_eq!(Loss::Quantile(0.5).start(&[5.0, 1.0, 2.0, 3.0], &[1.0; 4], 1), [2.5]);
        // np.percentile([5, 1, 2, 3], 90) and 10
        assert!((Loss::Quantile(0.9).start(&[5.0, 1.0, 2.0, 3.0], &[0.5; 4], 1)[0] - 4.4).abs() < 1e-12);
        assert!((Loss::Quantile(0.1).start(&[5.0, 1.0, 2.0, 3.0], &[1.0; 4], 1)[0] - 1.3).abs() < 1e-12);
        assert_eq!(Loss::Quantile(0.5).start(&[5.0, 1.0, 2.0], &[1.0, 1.0, 3.0], 1), [2.0]);
        assert_eq!(Loss::Quantile(0.5).start(&[5.0, 1.0, 2.0], &[2.0, 1.0, 1.0], 1), [3.5]);
        assert!((Loss::Binary.start(&[0.0, 1.0, 1.0, 1.0], &[1.0; 4], 1)[0] - 3f64.ln()).abs() < 1e-12);
    }
}
