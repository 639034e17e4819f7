//! From probabilities to a class when mistakes do not cost the same.

use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::selection::{Fold, Outcomes, StratifiedKFold, score};
use crate::models::{Ended, Model, Prediction, Problem};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// How a pipeline decides for a class. In JSON `{"threshold": 0.3}`, `{"tuned": {"scoring": "f1_macro"}}` or
/// `{"cost_matrix": [[0, 1], [5, 0]]}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Class 1 of two where its probability is at least this; of a model without probabilities, its decision function.
    /// scikit-learn's `FixedThresholdClassifier`.
    Threshold(f64),
    /// The same with the threshold that does best on rows held out.
    Tuned(TunedThreshold),
    /// The class that costs least on average, by the model's probabilities: `cost_matrix[true class][decision]`, `[C, C]`.
    ///
    /// ```
    /// use tilework::models::{DummyClassifier, Prediction, Problem, Model, balance::Decision, prepare::Pipeline};
    /// // Three of four rows are of class 0, but to miss class 1 costs five times as much.
    /// let decision = Decision::CostMatrix(vec![vec![0.0, 1.0], vec![5.0, 0.0]]);
    /// let pipeline = Pipeline::new(&DummyClassifier::default())?.deciding(decision);
    /// let fitted = pipeline.learn(&Problem::new(&[[1.0], [2.0], [3.0], [4.0]], &[0u32, 0, 0, 1]))?;
    /// assert_eq!(fitted.outcome((&[[1.0]]).into())?, Prediction::Labels(vec![1]));
    /// # Ok::<(), tilework::Error>(())
    /// ```
    CostMatrix(Vec<Vec<f64>>),
}

/// A threshold chosen by cross-validation: scikit-learn's `TunedThresholdClassifierCV`. All steps before the model are fitted in each
/// fold anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TunedThreshold {
    /// What the threshold is chosen by: a name in [`SCORES`](crate::models::selection::SCORES), of a score of decisions.
    pub scoring: String,
    /// How many thresholds are tried, between the least and the largest probability.
    pub thresholds: usize,
    /// Folds: of like shares of each class, in the order of the rows.
    pub cv: usize,
}

impl Default for TunedThreshold {
    fn default() -> TunedThreshold {
        TunedThreshold { scoring: "balanced_accuracy".to_owned(), thresholds: 100, cv: 5 }
    }
}

/// A decision as a fitted pipeline makes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::models) enum Rule {
    Threshold(f64),
    CostMatrix(Vec<Vec<f64>>),
}

const OP: &str = "decision";

/// Fits on a part of a problem.
type Fit<'a> = &'a dyn Fn(&Problem<'_>) -> Result<Box<dyn Model>>;

impl Decision {
    /// Refuses what no model of that sort can decide by, with probabilities or with scores alone.
    ///
    /// # Errors
    /// [`Error::Argument`] for a threshold beyond the probabilities, or one that is not finite.
    pub fn check(&self, probabilities: bool) -> Result<()> {
        let wrong = |message: String| Err(Error::argument(OP, message));
        match self {
            Decision::Threshold(t) if !t.is_finite() => wrong(format!("threshold {t}; give a finite number")),
            Decision::Threshold(t) if probabilities && !(0.0..=1.0).contains(t) => {
                wrong(format!("threshold {t}; probabilities lie between 0 and 1"))
            }
            _ => Ok(()),
        }
    }

    /// The rule for a model that was fitted on this problem; `fit` gives one like it on some of its rows.
    pub(in crate::models) fn rule(&self, model: &dyn Model, problem: &Problem<'_>, fit: Fit<'_>) -> Result<Rule> {
        let (labels, classes) = problem.labels(OP)?;
        let wrong = |message: String| Err(Error::argument(OP, message));
        match self {
            Decision::CostMatrix(costs) => {
                if costs.len() != classes || costs.iter().any(|row| row.len() != classes) {
                    let row = costs.iter().map(Vec::len).find(|len| *len != classes).unwrap_or(classes);
                    let given = format!("{} rows, one of {row} costs, for {classes} classes", costs.len());
                    return wrong(format!(
                        "cost_matrix has {given}; give [true class][decision], [{classes}, {classes}]"
                    ));
                }
                if let Some(cost) = costs.iter().flatten().find(|cost| !cost.is_finite()) {
                    return wrong(format!("cost_matrix has a cost of {cost}; give finite numbers"));
                }
                let rule = Rule::CostMatrix(costs.clone());
                rule.decide(model, (&Array2::<f64>::zeros((1, model.width()))).into())?; // whether there are probabilities
                Ok(rule)
            }
            _ if classes != 2 => {
                wrong(format!("a threshold tells two classes apart: given {classes}; give a cost_matrix"))
            }
            Decision::Threshold(threshold) => Ok(Rule::Threshold(*threshold)),
            Decision::Tuned(tuned) => tuned.threshold(problem, labels, fit).map(Rule::Threshold),
        }
    }
}

impl TunedThreshold {
    fn threshold(&self, problem: &Problem<'_>, labels: &[u32], fit: Fit<'_>) -> Result<f64> {
        let score = score(&self.scoring)?;
        if self.thresholds < 2 {
            return Err(Error::argument(OP, format!("thresholds {}; give at least 2", self.thresholds)));
        }
        let sign = if score.greater_is_better { 1.0 } else { -1.0 };
        // Thresholds of each fold with their scores.
        let mut folds: Vec<Vec<(f64, f64)>> = Vec::new();
        for Fold { train, test } in (StratifiedKFold { n_splits: self.cv, shuffle: None }).split(labels)? {
            let (train, test) = (problem.select(&train)?, problem.select(&test)?);
            let found = certainty(&*fit(&train.problem(problem))?, test.problem(problem).x)?;
            let least = found.iter().copied().fold(f64::INFINITY, f64::min);
            let most = found.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            // numpy.isclose
            if (most - least).abs() <= 1e-8 + 1e-5 * most.abs() {
                let message =
                    "the model says the same of all rows held out: no threshold tells them apart; choose another model";
                return Err(Error::argument(OP, message));
            }
            let mut outcomes = Outcomes {
                truth: test.y,
                predicted: Prediction::Labels(Vec::new()),
                probabilities: None,
                decision: None,
                ended: Ended::default(),
            };
            if !score.applies(&outcomes) {
                let message = format!("scoring {:?} is not one of decisions; choose one such as f1_macro", score.name);
                return Err(Error::argument(OP, message));
            }
            let mut scored = Vec::with_capacity(self.thresholds);
            for threshold in between(least, most, self.thresholds) {
                outcomes.predicted = Prediction::Labels(found.iter().map(|p| u32::from(*p >= threshold)).collect());
                scored.push((threshold, sign * score.of(&outcomes)?));
            }
            folds.push(scored);
        }
        let ends = folds.iter().filter_map(|scored| Some((scored.first()?.0, scored.last()?.0)));
        let (least, most) =
            ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), (a, b)| (least.min(a), most.max(b)));
        let mean = |at: f64| folds.iter().map(|scored| interpolated(scored, at)).sum::<f64>() / folds.len() as f64;
        let best = between(least, most, self.thresholds).fold(None, |best: Option<(f64, f64)>, threshold| {
            let mean = mean(threshold);
            Some(best.filter(|best| best.1 >= mean).unwrap_or((threshold, mean)))
        });
        best.map(|(threshold, _)| threshold).ok_or_else(|| Error::internal(OP, "no threshold"))
    }
}

/// `count` numbers from one to another, evenly: `numpy.linspace`.
fn between(from: f64, to: f64, count: usize) -> impl Iterator<Item = f64> {
    let step = (to - from) / (count - 1) as f64;
    (0..count).map(move |i| if i + 1 == count { to } else { from + i as f64 * step })
}

/// The score between the two thresholds around one, on the line from the one to the other; beyond the ends, theirs: `numpy.interp`.
fn interpolated(scored: &[(f64, f64)], at: f64) -> f64 {
    let after = scored.partition_point(|(threshold, _)| *threshold <= at);
    match (after.checked_sub(1).and_then(|before| scored.get(before)), scored.get(after)) {
        (Some((a, from)), Some((b, to))) => (to - from) / (b - a) * (at - a) + from,
        (Some((_, end)), None) | (None, Some((_, end))) => *end,
        (None, None) => f64::NAN,
    }
}

/// How sure a model is of class 1 of two: its probability, else its decision function.
fn certainty(model: &dyn Model, x: Matrix<'_>) -> Result<Vec<f64>> {
    if let Some(p) = model.probabilities(x)? {
        return Ok(p.column(p.ncols().saturating_sub(1)).to_vec());
    }
    match model.decision(x)? {
        Some(scores) => Ok(scores.column(scores.ncols().saturating_sub(1)).to_vec()),
        None => Err(Error::argument(OP, "the model gives neither probabilities nor scores; choose another")),
    }
}

impl Rule {
    /// The class of each row.
    pub fn decide(&self, model: &dyn Model, x: Matrix<'_>) -> Result<Vec<u32>> {
        match self {
            Rule::Threshold(threshold) => {
                Ok(certainty(model, x)?.into_iter().map(|p| u32::from(p >= *threshold)).collect())
            }
            Rule::CostMatrix(costs) => {
                let p = model.probabilities(x)?.ok_or_else(|| {
                    let message = "costs are weighed by probabilities, which this model does not give; calibrate it";
                    Error::argument(OP, message)
                })?;
                let mut gains = Array2::zeros(p.dim());
                for (p, mut gains) in p.rows().into_iter().zip(gains.rows_mut()) {
                    for (p, costs) in p.iter().zip(costs) {
                        gains.iter_mut().zip(costs).for_each(|(gain, cost)| *gain -= p * cost);
                    }
                }
                Ok(crate::models::largest(&gains))
            }
        }
    }

    /// Whether a file's rule is one for so many classes.
    pub fn fits(&self, classes: usize) -> bool {
        match self {
            Rule::Threshold(threshold) => threshold.is_finite() && classes == 2,
            Rule::CostMatrix(costs) => {
                let whole = |row: &Vec<f64>| row.len() == classes && row.iter().all(|cost| cost.is_finite());
                classes > 1 && costs.len() == classes && costs.iter().all(whole)
            }
        }
    }
}
