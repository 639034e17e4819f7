//! Prediction intervals by split conformal prediction: whatever the model, and with no assumption but that rows are drawn alike.
//!
//! Papadopoulos and others, "Inductive confidence machines for regression" (ECML 2002); Lei and others, "Distribution-free
//! predictive inference for regression" (JASA 113, 2018), theorem 2.2: intervals hold the truth with at least the probability
//! asked for.

use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::{Model, Prediction, Problem};
use serde::{Deserialize, Serialize};

/// How far the truth lies from a model's predictions, measured on rows that it has not learnt from.
///
/// ```
/// use tilework::models::calibration::Conformal;
/// use tilework::models::{DummyRegressor, Estimator, Problem};
/// let y: Vec<f64> = (0..40).map(f64::from).collect();
/// let x: Vec<[f64; 1]> = y.iter().map(|&y| [y]).collect();
/// let model = DummyRegressor::default().fit(&x[..20], &y[..20])?;
/// let conformal = Conformal::fit(&model, &Problem::new(&x[20..], &y[20..]), 0.9)?;
/// assert_eq!(conformal.intervals(&model, (&x[..1]).into())?, [(9.5 - 28.5, 9.5 + 28.5)]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Conformal {
    /// The probability that an interval holds the truth.
    pub coverage: f64,
    /// Half the width of an interval, in the target's unit.
    pub margin: f64,
}

impl Conformal {
    /// Measures a fitted model on `held_out`, rows that it has not learnt from: the margin is the `⌈(N + 1) coverage⌉`-th smallest
    /// error.
    ///
    /// # Errors
    /// [`Error::Argument`] for a coverage outside 0 to 1, a model of classes, or too few rows for it (19 for 95 %), or weights:
    /// ranks of errors promise something of rows that count alike; those of the model.
    pub fn fit(model: &dyn Model, held_out: &Problem<'_>, coverage: f64) -> Result<Conformal> {
        const OP: &str = "conformal";
        if !(coverage > 0.0 && coverage < 1.0) {
            return Err(Error::argument(OP, format!("coverage {coverage}; give a probability such as 0.9")));
        }
        held_out.check_but_missing(OP)?;
        if held_out.weights.is_some_and(|weights| weights.iter().any(|w| Some(w) != weights.first())) {
            let message = "weights that differ: the promise is of rows that count alike; leave them out, and the rows of weight 0";
            return Err(Error::argument(OP, message));
        }
        let truth = held_out.values(OP)?;
        let predicted = values(OP, model, held_out.x)?;
        let mut errors: Vec<f64> = truth.iter().zip(&predicted).map(|(t, p)| (t - p).abs()).collect();
        errors.sort_by(f64::total_cmp);
        // 20 × 0.95 is 19.000000000000004: a rank is not lost to rounding.
        let rank = ((errors.len() + 1) as f64 * coverage - 1e-9).ceil() as usize;
        match rank.checked_sub(1).and_then(|place| errors.get(place)) {
            Some(&margin) => Ok(Conformal { coverage, margin }),
            None => {
                let needed = (coverage / (1.0 - coverage) - 1e-9).ceil();
                let message =
                    format!("{} rows cannot tell coverage {coverage}; hold out {needed} or more", errors.len());
                Err(Error::argument(OP, message))
            }
        }
    }

    /// The interval of each row: lower and upper end.
    ///
    /// # Errors
    /// Those of the model; a model of classes.
    pub fn intervals(&self, model: &dyn Model, x: Matrix<'_>) -> Result<Vec<(f64, f64)>> {
        let predicted = values("conformal", model, x)?;
        Ok(predicted.into_iter().map(|p| (p - self.margin, p + self.margin)).collect())
    }
}

fn values(op: &'static str, model: &dyn Model, x: Matrix<'_>) -> Result<Vec<f64>> {
    match model.outcome(x)? {
        Prediction::Values(values) => Ok(values),
        Prediction::Labels(_) => Err(Error::argument(op, "the model predicts classes; intervals are of numbers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{DummyRegressor, Estimator};
    use crate::rng::Rng;

    #[test]
    fn intervals_hold_the_truth_as_often_as_promised() {
        let noise: Vec<f64> = Rng::seed(1).normals(3000).into_iter().map(f64::from).collect();
        let x = vec![[0.0]; 3000];
        let model = DummyRegressor::default().fit(&x[..1000], &noise[..1000]).unwrap();
        for coverage in [0.5, 0.9, 0.99] {
            let conformal =
                Conformal::fit(&model, &Problem::new(&x[1000..2000], &noise[1000..2000]), coverage).unwrap();
            let intervals = conformal.intervals(&model, (&x[2000..]).into()).unwrap();
            let held = intervals.iter().zip(&noise[2000..]).filter(|((low, high), y)| low <= y && *y <= high).count();
            // Four deviations of the two binomial counts of 1,000 rows.
            let allowed = 4.0 * (2.0 * coverage * (1.0 - coverage) / 1000.0).sqrt();
            assert!((held as f64 / 1000.0 - coverage).abs() < allowed, "{held} of 1000 for {coverage}");
        }
    }

    #[test]
    fn too_few_rows_cannot_promise() {
        let (x, y) = ([[0.0]; 19], [1.0; 19]);
        let model = DummyRegressor::default().fit(&x, &y).unwrap();
        assert!(Conformal::fit(&model, &Problem::new(&x, &y), 0.95).is_ok());
        let text = Conformal::fit(&model, &Problem::new(&x[..18], &y[..18]), 0.95).unwrap_err().to_string();
        assert!(text.contains("18 rows cannot tell coverage 0.95; hold out 19 or more"), "{text}");
        assert!(Conformal::fit(&model, &Problem::new(&x, &y), 1.0).is_err());
        let mut weights = [0.5; 19];
        assert!(Conformal::fit(&model, &Problem::new(&x, &y).weights(&weights), 0.95).is_ok());
        weights[3] = 0.0;
        let text = Conformal::fit(&model, &Problem::new(&x, &y).weights(&weights), 0.95).unwrap_err().to_string();
        assert!(text.contains("weights that differ"), "{text}");
    }
}
