//! Columns that a model goes by.

use super::select::FittedSelection;
use super::transformer::Transformer;
use crate::error::{Error, Result};
use crate::models::selection::Settings;
use crate::models::{Answer, Influence, Model, Problem, Row};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The importance that a column must reach: in JSON a number, `"mean"` or `"median"` of all, or a multiple such as `"1.25*mean"`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Given", into = "Given")]
pub enum ImportanceThreshold {
    /// This number.
    Value(f64),
    /// So many times the mean.
    Mean(f64),
    /// So many times the median.
    Median(f64),
}

/// A threshold as JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Given {
    Number(f64),
    Text(String),
}

impl TryFrom<Given> for ImportanceThreshold {
    type Error = String;

    fn try_from(given: Given) -> std::result::Result<ImportanceThreshold, String> {
        let text = match given {
            Given::Number(value) => return Ok(ImportanceThreshold::Value(value)),
            Given::Text(text) => text,
        };
        let (times, of) = text.split_once('*').unwrap_or(("1", &text));
        match (times.trim().parse(), of.trim()) {
            (Ok(times), "mean") => Ok(ImportanceThreshold::Mean(times)),
            (Ok(times), "median") => Ok(ImportanceThreshold::Median(times)),
            _ => Err(format!("threshold {text:?}; give a number, \"mean\", \"median\" or a multiple, \"1.25*mean\"")),
        }
    }
}

impl From<ImportanceThreshold> for Given {
    fn from(threshold: ImportanceThreshold) -> Given {
        match threshold {
            ImportanceThreshold::Value(value) => Given::Number(value),
            ImportanceThreshold::Mean(times) => Given::Text(format!("{times}*mean")),
            ImportanceThreshold::Median(times) => Given::Text(format!("{times}*median")),
        }
    }
}

/// Keeps the columns that count in a model: those whose importance, or size of coefficient, reaches a threshold. scikit-learn's
/// `SelectFromModel`. Coefficients are of like unit only where the columns are: scale them first.
///
/// ```
/// use tilework::models::prepare::{SelectFromModel, Transform, Transformer};
/// let x = [[1.0, 5.0], [2.0, 4.0], [3.0, 5.0], [4.0, 4.0]];
/// let chosen = SelectFromModel { estimator: Some("ridge".into()), ..Default::default() };
/// let fitted = chosen.fit_to(&x, &[2.0, 4.0, 6.0, 8.0])?;
/// assert_eq!(fitted.kept, [0]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelectFromModel {
    /// The model: a name in [`MODELS`](crate::models::MODELS), of one with coefficients or importances. A random forest for the sort
    /// of answers when left out, as it does not ask for scaled columns.
    pub estimator: Option<String>,
    /// Its settings.
    pub settings: Settings,
    /// The importance that a column must reach; when left out 1e-5 of a model with an L1 penalty, else the mean.
    pub threshold: Option<ImportanceThreshold>,
    /// The most columns that are kept, the most important; as many as reach the threshold when left out.
    pub max_features: Option<usize>,
}

impl Transformer for SelectFromModel {
    type Fitted = FittedSelection;
    const NAME: &'static str = "select-from-model";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedSelection> {
        problem.check(Self::NAME)?;
        let row = judge(Self::NAME, self.estimator.as_deref(), problem)?;
        if self.max_features == Some(0) {
            return Err(Error::argument(Self::NAME, "max_features 0 keeps nothing; give at least 1"));
        }
        let model = row.fit(&self.settings, problem)?;
        let scores = importances(Self::NAME, &*model, Power::One)?;
        let threshold = match self.threshold {
            Some(given) => given,
            None if has_l1_penalty(row, &self.settings)? => ImportanceThreshold::Value(1e-5),
            None => ImportanceThreshold::Mean(1.0),
        };
        let least = match threshold {
            ImportanceThreshold::Value(value) => value,
            ImportanceThreshold::Mean(times) => times * scores.iter().sum::<f64>() / scores.len() as f64,
            ImportanceThreshold::Median(times) => times * super::scale::quantile(&super::scale::sorted(&scores), 0.5),
        };
        let mut kept = descending(&scores);
        kept.truncate(self.max_features.unwrap_or(kept.len()));
        kept.retain(|&column| scores.get(column as usize).is_some_and(|&score| score >= least));
        kept.sort_unstable();
        match kept.is_empty() {
            true => {
                let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let message =
                    format!("no column reaches {least} in the {}, at most {most}; lower the threshold", row.name);
                Err(Error::argument(Self::NAME, message))
            }
            false => Ok(FittedSelection::new(Self::NAME, kept, scores)),
        }
    }
}

/// Positions by falling score; of equals the first.
fn descending(scores: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    order.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]));
    order
}

/// The row of the model that judges columns.
pub(super) fn judge(op: &'static str, estimator: Option<&str>, problem: &Problem<'_>) -> Result<&'static Row> {
    let usual = match problem.y {
        Answer::Labels { .. } => "random-forest-classifier",
        Answer::Values(_) => "random-forest-regressor",
        Answer::None => return Err(Error::argument(op, "a model is to learn: no answers given; give y")),
    };
    Row::named(estimator.unwrap_or(usual))
}

/// What coefficients are raised to before they are summed over the outputs.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Power {
    One,
    Two,
}

/// What each column counts in a model.
pub(super) fn importances(op: &'static str, model: &dyn Model, power: Power) -> Result<Vec<f64>> {
    let size = |v: &f64| if power == Power::Two { v * v } else { v.abs() };
    match model.influence() {
        Some(Influence::Coefficients(coef)) => {
            Ok(coef.columns().into_iter().map(|column| column.iter().map(size).sum()).collect())
        }
        Some(Influence::Importances(shares)) => Ok(shares),
        None => {
            let message =
                format!("estimator {:?} has neither coefficients nor importances; name another", model.kind());
            Err(Error::argument(op, message))
        }
    }
}

/// Whether a model's penalty makes coefficients 0.
fn has_l1_penalty(row: &Row, settings: &Settings) -> Result<bool> {
    let mut all = row.settings()?;
    all.extend(settings.clone());
    let is = |name: &str, value: &Value| all.get(name) == Some(value);
    let l1 = all.get("l1_ratio").and_then(Value::as_f64) == Some(1.0);
    Ok(row.name == "lasso" || is("penalty", &"l1".into()) || l1)
}
