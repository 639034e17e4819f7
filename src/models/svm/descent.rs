//! Linear machines with an absolute loss, by coordinate descent on the dual: `½|Σ β x|² - Σ aim β + ε Σ |β|` with `low <= β <= high`.
//!
//! Sources: Hsieh et al., "A dual coordinate descent method for large-scale linear SVM", ICML 2008; Ho, Lin, "Large-scale linear
//! support vector regression", JMLR 13 (2012); as in LIBLINEAR.

use super::linear::{Fit, Rows, Weights};
use crate::rng::Rng;

/// One variable a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub aim: f64,
    pub low: f64,
    pub high: f64,
}

/// Ends when no condition of optimality is missed by more than `tol`, or after `max_iter` passes over the rows.
pub(super) fn minimise(rows: Rows<'_>, bounds: &[Bounds], epsilon: f64, tol: f64, max_iter: usize, seed: u64) -> Fit {
    let mut w = vec![0.0; rows.width + 1];
    let mut beta = vec![0.0; rows.count];
    let bias = rows.scaling * rows.scaling;
    let curvature: Vec<f64> = (0..rows.count).map(|i| rows.square(i) + bias).collect();
    let mut rng = Rng::seed(seed);
    for pass in 1..=max_iter {
        let mut worst = 0.0f64;
        for i in rng.permutation(rows.count as u32) {
            let i = i as usize;
            let Bounds { aim, low, high } = bounds[i];
            let (features, last) = w.split_at_mut(rows.width);
            let decision = rows.dot(i, features) + rows.scaling * last[0];
            let (slope, at) = (decision - aim, beta[i]);
            // the slopes to the right and to the left: they differ at 0
            let right = if at >= 0.0 { slope + epsilon } else { slope - epsilon };
            let left = if at > 0.0 { slope + epsilon } else { slope - epsilon };
            let violation = if right < 0.0 && at < high {
                -right
            } else if left > 0.0 && at > low {
                left
            } else {
                0.0
            };
            worst = worst.max(violation);
            if violation == 0.0 || curvature[i] == 0.0 {
                continue;
            }
            let (up, down) = (slope + epsilon, slope - epsilon);
            let wished = if up < curvature[i] * at {
                at - up / curvature[i]
            } else if down > curvature[i] * at {
                at - down / curvature[i]
            } else {
                0.0
            };
            beta[i] = wished.clamp(low, high);
            let by = beta[i] - at;
            rows.add(i, by, features);
            last[0] += by * rows.scaling;
        }
        if worst <= tol {
            return Fit { weights: Weights::of(rows, &w), iterations: pass, converged: true };
        }
    }
    Fit { weights: Weights::of(rows, &w), iterations: max_iter, converged: false }
}
