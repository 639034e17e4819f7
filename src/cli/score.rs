//! The score of a fitted model on rows that it has not seen.

use super::count;
use crate::data::{Dataset, Target, Task};
use crate::error::{Error, Result};
use crate::metrics::{ConfusionMatrix, accuracy, log_loss, mae, mse, r2};
use crate::models::FittedMlp;
use serde::Serialize;

/// Classes whose confusion is shown whole; of more, the commonest mistakes are.
const SHOWN_CLASSES: usize = 20;
const SHOWN_MISTAKES: usize = 10;

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Metrics {
    Classes { accuracy: f64, log_loss: f64 },
    Values { mse: f64, mae: f64, r2: f64 },
}

/// Scores, and the mistakes as text (classes only).
pub(super) struct Score {
    pub metrics: Metrics,
    pub mistakes: Option<String>,
}

impl Score {
    /// Holds the model's predictions against `test`, which is of the model's schema.
    pub fn of(model: &FittedMlp, test: &Dataset) -> Result<Score> {
        match (test.target(), &test.schema().task) {
            (Target::Labels(truth), Task::Classes(classes)) => {
                let predicted = model.predict(test.features())?;
                let probabilities = wide(&model.predict_proba(test.features())?);
                let log_loss = log_loss(truth, &probabilities, classes.len())?;
                let metrics = Metrics::Classes { accuracy: accuracy(truth, &predicted)?, log_loss };
                Ok(Score { metrics, mistakes: mistakes(truth, &predicted, classes)? })
            }
            (Target::Values(truth), _) => {
                let (truth, predicted) = (&wide(truth), &wide(&model.predict_values(test.features())?));
                let (mse, mae, r2) = (mse(truth, predicted)?, mae(truth, predicted)?, r2(truth, predicted)?);
                Ok(Score { metrics: Metrics::Values { mse, mae, r2 }, mistakes: None })
            }
            _ => Err(Error::internal("score", "labels without classes")),
        }
    }

    /// `test accuracy 0.9778, log loss 0.0812 (450 rows)`.
    pub fn line(&self, rows: usize) -> String {
        let rows = count(rows, "row");
        match &self.metrics {
            Metrics::Classes { accuracy, log_loss } => {
                format!("test accuracy {accuracy:.4}, log loss {log_loss:.4} ({rows})")
            }
            Metrics::Values { mse, mae, r2 } => {
                format!("test R² {r2:.4}, MSE {}, MAE {} ({rows})", short(*mse), short(*mae))
            }
        }
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// Four decimals, or five digits of what is large.
pub(super) fn digits(value: f64) -> String {
    if value.abs() < 100.0 { format!("{value:.4}") } else { short(value) }
}

/// Five digits, whatever the unit of the target.
pub(super) fn short(value: f64) -> String {
    match value {
        0.0 => "0".to_string(),
        _ if (1e-3..1e6).contains(&value) => {
            let decimals = (4 - value.log10().floor() as i32).max(0) as usize;
            format!("{value:.decimals$}")
        }
        _ => format!("{value:.4e}"),
    }
}

pub(super) fn mistakes(truth: &[u32], predicted: &[u32], classes: &[String]) -> Result<Option<String>> {
    if classes.len() > ConfusionMatrix::MAX_CLASSES {
        return Ok(None);
    }
    let matrix = ConfusionMatrix::new(truth, predicted, classes)?;
    if classes.len() <= SHOWN_CLASSES {
        return Ok(Some(matrix.to_string()));
    }
    let names = matrix.names().iter().enumerate();
    let mut pairs: Vec<(u64, &str, &str)> = names
        .clone()
        .flat_map(|(t, truth)| names.clone().map(move |(p, name)| (t, truth, p, name)))
        .filter(|(t, _, p, _)| t != p && matrix.count(*t, *p) > 0)
        .map(|(t, truth, p, name)| (matrix.count(t, p), truth.as_str(), name.as_str()))
        .collect();
    pairs.sort_by_key(|pair| std::cmp::Reverse(pair.0)); // stable: equals in the order of classes
    pairs.truncate(SHOWN_MISTAKES);
    let lines = pairs.iter().map(|(count, truth, taken)| format!("{count:>7} of {truth} taken for {taken}\n"));
    Ok(Some(format!("the commonest mistakes among {} classes:\n{}", classes.len(), lines.collect::<String>())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_classes_show_the_commonest_mistakes() {
        let classes: Vec<String> = (0..30).map(|c| format!("c{c}")).collect();
        let text = mistakes(&[0, 1, 1, 2, 29], &[0, 2, 2, 3, 28], &classes).unwrap().unwrap();
        let lines: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
        assert_eq!(lines, ["2 of c1 taken for c2", "1 of c2 taken for c3", "1 of c29 taken for c28"]);
        assert!(mistakes(&[0, 1], &[1, 1], &classes[..2]).unwrap().unwrap().starts_with("true \\ predicted"));
    }

    #[test]
    fn errors_of_any_size_have_five_digits() {
        assert_eq!(
            [0.0, 0.012345678, 2993.14159, 123456.7, 3.2e-9].map(short),
            ["0", "0.012346", "2993.1", "123457", "3.2000e-9"]
        );
    }
}
