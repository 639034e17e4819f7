//! A model's scores on rows with answers, and what is said of them.

use super::super::chart::{self, Chart};
use super::super::count;
use super::super::failure::{Failure, Outcome};
use super::super::score::{mistakes, short};
use crate::data::{Dataset, Target, Task};
use crate::error::{Error, Result};
use crate::metrics::{ClassificationReport, ConfusionMatrix};
use crate::models::prepare::{FittedPipeline, Frame};
use crate::models::selection::{Outcomes, SCORES};
use crate::models::{Answers, Ended, FittedMlp, Prediction};
use ndarray::Array2;
use serde_json::{Map, Value};

/// Outcomes with all their scores.
pub(crate) struct Scored {
    pub outcomes: Outcomes,
    pub task: Task,
    /// Every score that applies.
    pub metrics: Vec<(&'static str, f64)>,
}

impl Scored {
    /// Of a pipeline on the rows of a frame.
    pub fn of(model: &FittedPipeline, frame: &Frame) -> Outcome<Scored> {
        let outcomes = Outcomes::of(model, &frame.problem()).map_err(|e| model.blame(e, frame))?;
        Scored::new(outcomes, &frame.task, &frame.target)
    }

    /// Of a network on the rows of a data set.
    pub fn of_network(model: &FittedMlp, data: &Dataset) -> Outcome<Scored> {
        let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<f64>>();
        let outcomes = match data.target() {
            Target::Values(truth) => Outcomes {
                truth: Answers::Values(wide(truth.clone())),
                predicted: Prediction::Values(wide(model.predict_values(data.features())?)),
                probabilities: None,
                decision: None,
                ended: Ended::default(),
            },
            Target::Labels(truth) => {
                let p = wide(model.predict_proba(data.features())?);
                let classes = p.len() / truth.len().max(1);
                let p = Array2::from_shape_vec((truth.len(), classes), p)
                    .map_err(|e| Failure::failed(format!("probabilities: {e}")))?;
                Outcomes {
                    truth: Answers::Labels(truth.clone(), classes),
                    predicted: Prediction::Labels(model.predict(data.features())?),
                    probabilities: Some(p),
                    decision: None,
                    ended: Ended::default(),
                }
            }
        };
        Scored::new(outcomes, &model.schema().task, &model.schema().target)
    }

    fn new(outcomes: Outcomes, task: &Task, target: &str) -> Outcome<Scored> {
        let mut metrics = Vec::new();
        for score in SCORES.iter().filter(|score| score.applies(&outcomes)) {
            match score.of(&outcomes) {
                Ok(value) => metrics.push((score.name, value)),
                Err(error @ Error::NonFinite { .. }) => return Err(Failure::failed(format!("{target}: {error}"))),
                // One class alone among the rows, for example, has no area under a curve: the others are scored all the same.
                Err(_) => {}
            }
        }
        Ok(Scored { metrics, task: task.clone(), outcomes })
    }

    pub fn json(&self) -> Value {
        let finite = self.metrics.iter().filter(|(_, value)| value.is_finite());
        Value::Object(finite.map(|(name, value)| ((*name).to_owned(), (*value).into())).collect::<Map<_, _>>())
    }

    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// `test accuracy 0.9778, log loss 0.0812 (450 rows)`.
    pub fn line(&self, what: &str) -> String {
        let rows = count(self.rows(), "row");
        let value = |name: &str| self.metric(name).unwrap_or(f64::NAN);
        match self.task {
            Task::Classes(_) => {
                let loss = self.metric("log_loss").map_or_else(String::new, |loss| format!(", log loss {loss:.4}"));
                format!("{what} accuracy {:.4}{loss} ({rows})", value("accuracy"))
            }
            Task::Regression => {
                let (mse, mae) = (short(value("mse")), short(value("mae")));
                let r2 = self.metric("r2").map_or("not defined (of at least 2 rows)".into(), |r2| format!("{r2:.4}"));
                format!("{what} R² {r2}, MSE {mse}, MAE {mae} ({rows})")
            }
        }
    }

    pub fn rows(&self) -> usize {
        self.outcomes.truth.answer().len().unwrap_or(0)
    }

    /// True and predicted labels, and the classes' names.
    fn labels(&self) -> Option<(&[u32], &[u32], &[String])> {
        match (&self.outcomes.truth, &self.outcomes.predicted, &self.task) {
            (Answers::Labels(truth, _), Prediction::Labels(predicted), Task::Classes(names)) => {
                Some((truth, predicted, names))
            }
            _ => None,
        }
    }

    /// The confusion of classes as text, or the commonest mistakes among many.
    pub fn mistakes(&self) -> Result<Option<String>> {
        self.labels().map_or(Ok(None), |(truth, predicted, names)| mistakes(truth, predicted, names))
    }

    /// Precision, recall and F1 of each class; not of more than can be counted.
    pub fn report(&self) -> Result<Option<ClassificationReport>> {
        self.labels()
            .filter(|(_, _, names)| names.len() <= ConfusionMatrix::MAX_CLASSES)
            .map(|(truth, predicted, names)| ClassificationReport::new(truth, predicted, names))
            .transpose()
    }

    /// All charts that apply.
    pub fn charts(&self) -> Outcome<Vec<Chart>> {
        if let (Answers::Values(truth), Prediction::Values(predicted)) =
            (&self.outcomes.truth, &self.outcomes.predicted)
        {
            return Ok(chart::residuals(truth, predicted));
        }
        let Some((truth, predicted, names)) = self.labels() else { return Ok(Vec::new()) };
        let mut charts = Vec::new();
        if names.len() <= ConfusionMatrix::MAX_CLASSES {
            charts.push(chart::confusion(&ConfusionMatrix::new(truth, predicted, names)?));
        }
        let column = |scores: &Array2<f64>, class: usize| {
            let place = if scores.ncols() == 1 { 0 } else { class };
            scores.columns().into_iter().nth(place).map(|column| column.to_vec()).unwrap_or_default()
        };
        if let Some(scores) = self.outcomes.probabilities.as_ref().or(self.outcomes.decision.as_ref()) {
            charts.extend(chart::curves(truth, names, &|class| column(scores, class))?);
        }
        if let Some(p) = &self.outcomes.probabilities {
            charts.push(chart::calibration(truth, names, &|class| column(p, class))?);
        }
        Ok(charts)
    }
}
