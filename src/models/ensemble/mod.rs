//! Several models that decide together, of any kinds of [`MODELS`](super::MODELS).

mod stacking;
mod voting;

pub use stacking::{FittedStackingClassifier, FittedStackingRegressor, StackingClassifier, StackingRegressor};
pub use voting::{FittedVotingClassifier, FittedVotingRegressor, Voting, VotingClassifier, VotingRegressor};

use super::estimator::Model;
use super::problem::Problem;
use super::store::{Reader, Writer};
use super::table::{MODELS, Predicts, Row};
use super::wrapper::Shared;
use crate::data::Matrix;
use crate::error::{Error, Result};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A model of an ensemble: its kind and its settings by name.
///
/// ```
/// use tilework::models::Member;
/// let member: Member = serde_json::from_str(r#"{"name": "near", "model": "knn-classifier", "settings": {"n_neighbors": 3}}"#)?;
/// assert_eq!(member, Member::new("near", "knn-classifier").set("n_neighbors", 3));
/// # serde_json::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// As it is called in this ensemble; no other has the name.
    pub name: String,
    /// Its kind, as in [`MODELS`](super::MODELS).
    pub model: String,
    /// Its settings; those left out keep their default.
    #[serde(default)]
    pub settings: Map<String, Value>,
}

impl Member {
    /// A model with default settings.
    pub fn new(name: &str, model: &str) -> Member {
        Member { name: name.to_owned(), model: model.to_owned(), settings: Map::new() }
    }

    /// The same with a setting.
    pub fn set(mut self, setting: &str, value: impl Into<Value>) -> Member {
        self.settings.insert(setting.to_owned(), value.into());
        self
    }

    fn gives_probabilities(&self) -> bool {
        // A kind or a setting that is not known is the error of the fit.
        Row::named(&self.model).and_then(|row| row.gives_probabilities(&self.settings)).unwrap_or(true)
    }

    fn fit(&self, problem: &Problem<'_>) -> Result<Shared> {
        Row::named(&self.model)?.fit(&self.settings, problem).map(Shared::from)
    }
}

/// Refuses no members, two of one name, and kinds that predict something else.
fn check(op: &'static str, members: &[Member], predicts: Predicts) -> Result<()> {
    if members.is_empty() {
        return Err(Error::argument(op, "estimators is empty; give at least one"));
    }
    for (i, member) in members.iter().enumerate() {
        if members.iter().take(i).any(|other| other.name == member.name) {
            return Err(Error::argument(op, format!("two estimators are called {:?}", member.name)));
        }
        let known = MODELS.iter().find(|row| row.name == member.model);
        let Some(row) = known.filter(|row| row.predicts == predicts) else {
            let what = match known {
                Some(row) => format!("is a {}, which predicts {:?}", row.name, row.predicts),
                None => format!("is a {:?}, and no model is called that", member.model),
            };
            let fit: Vec<&str> = MODELS.iter().filter(|row| row.predicts == predicts).map(|row| row.name).collect();
            let message =
                format!("estimator {:?} {what}; give one that predicts {predicts:?}: {}", member.name, fit.join(", "));
            return Err(Error::argument(op, message));
        };
        row.check(&member.settings)?;
    }
    Ok(())
}

/// Fitted members with their names.
#[derive(Debug)]
struct Fitted {
    names: Vec<String>,
    models: Vec<Shared>,
}

#[derive(Serialize, Deserialize)]
struct Kinds {
    names: Vec<String>,
    kinds: Vec<String>,
}

impl Fitted {
    fn learn(members: &[Member], problem: &Problem<'_>) -> Result<Fitted> {
        let models = members.iter().map(|member| member.fit(problem)).collect::<Result<_>>()?;
        Ok(Fitted { names: members.iter().map(|member| member.name.clone()).collect(), models })
    }

    /// The same with other models under the names.
    fn with(&self, models: Vec<Shared>) -> Fitted {
        Fitted { names: self.names.clone(), models }
    }

    fn width(&self) -> usize {
        self.models.first().map_or(0, |model| model.width())
    }

    fn classes(&self) -> usize {
        self.models.first().map_or(0, |model| model.classes())
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let kinds = self.models.iter().map(|model| model.kind().to_owned()).collect();
        out.part("members").note(&Kinds { names: self.names.clone(), kinds })?;
        for (i, model) in self.models.iter().enumerate() {
            model.store(&mut out.part(&format!("member_{i}")))?;
        }
        Ok(())
    }

    /// Members of a file: all of one width and of as many classes.
    fn restore(from: &Reader<'_>) -> Result<Fitted> {
        let Kinds { names, kinds } = from.part("members").note()?;
        if kinds.is_empty() || kinds.len() != names.len() {
            return Err(from.error(format!("{} members with {} names", kinds.len(), names.len())));
        }
        let restored = |(i, kind): (usize, &String)| restored(kind, &from.part(&format!("member_{i}")));
        let models = kinds.iter().enumerate().map(restored).collect::<Result<Vec<_>>>()?;
        let fitted = Fitted { names, models };
        let classes = fitted.classes();
        match fitted.models.iter().all(|model| model.width() == fitted.width() && model.classes() == classes) {
            true => Ok(fitted),
            false => Err(from.error("members of different features or classes")),
        }
    }
}

/// The model of a part of a file, by its kind.
fn restored(kind: &str, from: &Reader<'_>) -> Result<Shared> {
    Row::named(kind).map_err(|e| from.error(e.to_string()))?.restore(from).map(Shared::from)
}

/// What a model says of each row in numbers: probabilities, or else scores, or else values; of two classes one column, as the
/// other follows from it.
fn opinion(model: &dyn Model, x: Matrix<'_>) -> Result<Array2<f64>> {
    if let Some(p) = model.probabilities(x)? {
        return Ok(if model.classes() == 2 { p.slice_move(ndarray::s![.., 1..]) } else { p });
    }
    if let Some(scores) = model.decision(x)? {
        // A class without rows has the least score there is, of which no model learns.
        return Ok(scores.mapv(|score| if score > f64::MIN { score } else { 0.0 }));
    }
    let values: Vec<f64> = match model.outcome(x)? {
        super::Prediction::Values(values) => values,
        super::Prediction::Labels(labels) => labels.into_iter().map(f64::from).collect(),
    };
    Ok(Array2::from_shape_fn((values.len(), 1), |(i, _)| values[i]))
}
