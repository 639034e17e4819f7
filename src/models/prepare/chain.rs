//! Steps one after another.

use super::table::TransformerRow;
use super::transformer::{Feature, Transform, Transformer, names_of};
use crate::data::{Kind, Matrix};
use crate::error::{Error, Result};
use crate::models::{Problem, Reader, Writer, check_width};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// A step by the name of its kind, with its settings.
///
/// ```
/// use tilework::models::prepare::{StandardScaler, Step};
/// let step = Step::of(&StandardScaler { with_mean: false, ..Default::default() }).called("scale");
/// assert_eq!((step.name.as_str(), step.kind.as_str()), ("scale", "standard-scaler"));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What the pipeline calls it; used once in a chain.
    pub name: String,
    /// The kind, a name in [`TRANSFORMERS`](super::TRANSFORMERS).
    pub kind: String,
    /// Settings by name; those left out keep their default.
    #[serde(default)]
    pub settings: Map<String, Value>,
}

impl Step {
    /// The step with these settings, called as its kind is.
    pub fn of<T: Transformer>(settings: &T) -> Step {
        let settings = match serde_json::to_value(settings) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(), // settings are structs of plain values: these are always an object
        };
        Step { name: T::NAME.to_owned(), kind: T::NAME.to_owned(), settings }
    }

    /// The same under another name.
    pub fn called(self, name: impl Into<String>) -> Step {
        Step { name: name.into(), ..self }
    }
}

/// Fitted steps, each on what the one before it gives.
#[derive(Debug)]
pub(super) struct Chain {
    width: usize,
    steps: Vec<(String, Box<dyn Transform>)>,
}

/// What a file says about a chain.
#[derive(Serialize, Deserialize)]
struct Note {
    width: usize,
    /// Name and kind of each step.
    steps: Vec<(String, String)>,
}

impl Chain {
    /// Fits each step on what the ones before it made of the rows; also gives the rows as the last one leaves them.
    pub(super) fn learn(steps: &[Step], problem: &Problem<'_>, from: &[Feature]) -> Result<(Chain, Array2<f64>)> {
        check_names(steps)?;
        let mut features = from.to_vec();
        let mut fitted: Vec<(String, Box<dyn Transform>)> = Vec::with_capacity(steps.len());
        let mut x: Option<Array2<f64>> = None;
        for step in steps {
            let names = names_of(&features);
            let row = TransformerRow::named(&step.kind)?;
            if !row.takes_levels(&step.settings)? {
                check_texts(&features)?;
            }
            let (next, made) =
                row.fit(&step.settings, &with_features(problem, x.as_ref().map(Matrix::from), &names))?;
            features = next.features(&features);
            fitted.push((step.name.clone(), next));
            x = Some(made);
        }
        let x = x.map_or_else(|| owned(problem.x), Ok)?;
        Ok((Chain { width: from.len(), steps: fitted }, x))
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn outputs(&self) -> usize {
        self.steps.last().map_or(self.width, |(_, step)| step.outputs())
    }

    pub(super) fn apply(&self, op: &'static str, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_width(op, self.width, x)?;
        let mut made: Option<Array2<f64>> = None;
        for (_, step) in &self.steps {
            made = Some(match &made {
                Some(made) => step.apply(made.into())?,
                None => step.apply(x)?,
            });
        }
        made.map_or_else(|| owned(x), Ok)
    }

    pub(super) fn features(&self, from: &[Feature]) -> Vec<Feature> {
        self.steps.iter().fold(from.to_vec(), |features, (_, step)| step.features(&features))
    }

    /// The step of that name.
    pub(super) fn step(&self, name: &str) -> Option<&dyn Transform> {
        self.steps.iter().find(|(known, _)| known == name).map(|(_, step)| &**step)
    }

    pub(super) fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let steps = self.steps.iter().map(|(name, step)| (name.clone(), step.kind().to_owned())).collect();
        out.note(&Note { width: self.width, steps })?;
        self.steps.iter().enumerate().try_for_each(|(i, (_, step))| step.store(&mut out.part(&i.to_string())))
    }

    pub(super) fn restore(from: &Reader<'_>) -> Result<Chain> {
        let note: Note = from.note()?;
        let mut width = note.width;
        let mut steps = Vec::with_capacity(note.steps.len());
        for (i, (name, kind)) in note.steps.into_iter().enumerate() {
            let row = TransformerRow::named(&kind).map_err(|e| from.error(e.to_string()))?;
            let step = row.restore(&from.part(&i.to_string()))?;
            if step.width() != width {
                let message = format!("step {name:?} takes {} features; the step before gives {width}", step.width());
                return Err(from.error(message));
            }
            width = step.outputs();
            steps.push((name, step));
        }
        Ok(Chain { width: note.width, steps })
    }
}

pub(super) fn check_names(steps: &[Step]) -> Result<()> {
    let mut seen = HashSet::new();
    match steps.iter().find(|step| !seen.insert(step.name.as_str())) {
        Some(step) => {
            Err(Error::argument("pipeline", format!("two steps are called {:?}; rename one (Step::called)", step.name)))
        }
        None => Ok(()),
    }
}

/// What is said of a column of text behind its name.
pub(super) const OF_TEXT: &str = "column of text where numbers are needed; encode it (OneHotEncoder) or leave it out";

/// Refuses text among features whose values are to be read as numbers.
pub(super) fn check_texts(features: &[Feature]) -> Result<()> {
    match features.iter().find(|feature| feature.kind == Kind::Text) {
        Some(text) => Err(Error::argument("pipeline", format!("{}: {OF_TEXT}", text.name))),
        None => Ok(()),
    }
}

/// The problem with other features, where there are some.
pub(super) fn with_features<'a>(problem: &'a Problem<'_>, x: Option<Matrix<'a>>, names: &'a [String]) -> Problem<'a> {
    let x = x.unwrap_or_else(|| problem.x.reborrow());
    Problem { x, y: problem.y, weights: problem.weights, names: Some(names), device: problem.device }
}

/// The matrix as an array of its own.
pub(super) fn owned(x: Matrix<'_>) -> Result<Array2<f64>> {
    Array2::from_shape_vec((x.rows(), x.width()), x.values().into_owned())
        .map_err(|e| Error::internal("pipeline", e.to_string()))
}
