//! Steps and a model as one: one `fit`, one file.

use super::chain::{Chain, Step, check_names, check_texts, with_features};
use super::columns::ColumnTransformer;
use super::fitted::{FittedPipeline, Origin};
use super::frame::{Frame, target_of};
use super::plan::Plan;
use super::text::takes_texts;
use super::transformer::{Feature, Transformer, names_of, plain_features};
use crate::data::Table;
use crate::error::{Error, Result};
use crate::models::balance::{Balance, Decision};
use crate::models::{Estimator, Model, Problem, Row};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Steps by name, and the model at their end: scikit-learn's `Pipeline`. It learns from a table or from a matrix.
///
/// ```
/// use tilework::data::{ReadOptions, Table};
/// use tilework::models::{Row, prepare::{Outcome, Pipeline}};
/// let csv = "age,town,buys\n31,Ulm,yes\n,Bonn,no\n45,Ulm,yes\n27,Bonn,no\n";
/// let table = Table::parse_csv_with(csv.as_bytes(), "people.csv", &ReadOptions::lenient())?;
/// let plan = Pipeline::auto(&table, Some("buys"), Row::named("dummy-classifier")?)?;
/// println!("{}", plan.lines.join("\n"));
/// let fitted = plan.pipeline.fit(&table, Some("buys"))?;
/// assert_eq!(fitted.predict(&table.select(&[2])?)?, Outcome::Classes(vec!["no".into()]));
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// What happens to features, one step after another.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The kind of model, a name in [`MODELS`](crate::models::MODELS).
    pub model: String,
    /// The model's settings by name; those left out keep their default.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// How classes are evened out in the prepared rows that the model learns from; never in rows that it predicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// How it decides for a class; as the model does when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

pub(super) const OP: &str = "pipeline";

impl Pipeline {
    /// A model without steps before it.
    pub fn new<E: Estimator>(model: &E) -> Result<Pipeline> {
        match serde_json::to_value(model) {
            Ok(Value::Object(settings)) => Ok(Pipeline { settings, ..Pipeline::of(E::NAME, Vec::new()) }),
            _ => Err(Error::internal(E::NAME, "settings are no object")),
        }
    }

    /// The model of this row with its default settings, without steps: a table's columns are taken as they are, and texts are
    /// refused.
    pub fn raw(row: &Row) -> Pipeline {
        Pipeline::of(row.name, Vec::new())
    }

    pub(super) fn of(model: &str, steps: Vec<Step>) -> Pipeline {
        Pipeline { steps, model: model.to_owned(), settings: Map::new(), balance: None, decision: None }
    }

    /// The steps that a table's columns and the model ask for, with the model's default settings.
    ///
    /// Missing numbers become their column's median (unless the model learns from them), missing booleans the commonest, also where
    /// the first gap is in rows that are predicted;
    /// numbers are scaled where the model needs it; texts become a column for each common level, and one for the rare, but of
    /// sentences the weights of their words; dates become numbers. Columns without any value, and of text that differs in nearly every row, are left out.
    ///
    /// # Errors
    /// As [`Frame::of`] about the target; no column is left.
    pub fn auto(table: &Table, target: Option<&str>, row: &Row) -> Result<Plan> {
        Plan::of(table, None, &target_of(table, target)?.name, row)
    }

    /// As [`Pipeline::auto`], for a model that is to predict the rows of `later` too: the lines tell of gaps there as well. Nothing
    /// is learnt from `later`.
    ///
    /// # Errors
    /// As [`Pipeline::auto`].
    pub fn auto_with(table: &Table, later: &Table, target: Option<&str>, row: &Row) -> Result<Plan> {
        Plan::of(table, Some(later), &target_of(table, target)?.name, row)
    }

    /// The same with one more step.
    pub fn then(mut self, step: Step) -> Pipeline {
        self.steps.push(step);
        self
    }

    /// The same with classes evened out before the model learns.
    pub fn balanced(self, balance: Balance) -> Pipeline {
        Pipeline { balance: Some(balance), ..self }
    }

    /// The same with a way of its own to decide for a class.
    pub fn deciding(self, decision: Decision) -> Pipeline {
        Pipeline { decision: Some(decision), ..self }
    }

    /// The same with a setting: `alpha` of the model, `batches.epochs` of a group of its settings, `scale.with_mean` of a step.
    ///
    /// # Errors
    /// [`Error::Argument`] for a step that is not there; names of settings are checked by [`Pipeline::check`].
    pub fn set(mut self, name: &str, value: Value) -> Result<Pipeline> {
        match name.split_once('.') {
            None => _ = self.settings.insert(name.to_owned(), value),
            Some((outer, name)) => {
                let step = self.steps.iter_mut().find(|known| known.name == outer).map(|step| &mut step.settings);
                let grouped = || Row::named(&self.model).and_then(|row| row.settings());
                if let Some(settings) = step {
                    settings.insert(name.to_owned(), value);
                } else if let Some(Value::Object(group)) = grouped()?.get(outer) {
                    let group = self.settings.entry(outer).or_insert_with(|| Value::Object(group.clone()));
                    group.as_object_mut().map(|group| group.insert(name.to_owned(), value));
                } else {
                    let names = self.steps.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ");
                    return Err(Error::argument(OP, format!("no step is called {outer:?}: there are {names}")));
                }
            }
        }
        Ok(self)
    }

    /// Whether the steps and the model exist and know their settings, and the model can decide as it is to.
    ///
    /// # Errors
    /// [`Error::Argument`] with the name that is not known; as [`Decision::check`].
    pub fn check(&self) -> Result<()> {
        check_names(&self.steps)?;
        for step in &self.steps {
            super::table::TransformerRow::named(&step.kind)?.check(&step.settings)?;
        }
        let row = Row::named(&self.model)?;
        row.check(&self.settings)?;
        match &self.decision {
            Some(decision) => decision.check(row.gives_probabilities(&self.settings)?),
            None => Ok(()),
        }
    }

    /// The table as this pipeline reads it: only the columns that its steps take. Folds and searches try the pipeline on
    /// [`Frame::problem`].
    ///
    /// # Errors
    /// As [`Frame::of`].
    pub fn frame(&self, table: &Table, target: Option<&str>) -> Result<Frame> {
        let target = target_of(table, target)?.name.clone();
        let ignored = self.ignored(table, &target)?;
        let ignored: Vec<&str> = ignored.iter().map(String::as_str).collect();
        Frame::of(&table.without_columns(&ignored)?, Some(&target), Row::named(&self.model)?.predicts)
    }

    /// Learns from a table; the target is the last column unless named.
    ///
    /// # Errors
    /// As [`Frame::of`], with the line of the file where a cell is to blame; those of the steps and of the model.
    pub fn fit(&self, table: &Table, target: Option<&str>) -> Result<FittedPipeline> {
        let frame = self.frame(table, target)?;
        self.fit_frame(table, &frame)
    }

    /// As [`Pipeline::fit`] of a frame that was made of this table.
    ///
    /// # Errors
    /// As [`Pipeline::fit`].
    pub fn fit_frame(&self, table: &Table, frame: &Frame) -> Result<FittedPipeline> {
        let ignored = [self.ignored(table, &frame.target)?, table.left_out().to_vec()].concat();
        let fitted = self.learn_as(&frame.problem(), frame.features.clone());
        let fitted = fitted.map_err(|e| frame.faults.blame(e, None))?;
        let table = Some(Origin { target: frame.target.clone(), task: frame.task.clone(), ignored });
        Ok(FittedPipeline { table, features: self.kept(fitted.features)?, ..fitted })
    }

    /// Learns from a problem.
    ///
    /// # Errors
    /// Those of the steps and of the model.
    pub fn learn(&self, problem: &Problem<'_>) -> Result<FittedPipeline> {
        self.learn_as(problem, plain_features(problem))
    }

    fn learn_as(&self, problem: &Problem<'_>, features: Vec<Feature>) -> Result<FittedPipeline> {
        self.check()?;
        let row = Row::named(&self.model)?;
        if !self.steps.is_empty() {
            problem.check_but_missing(OP)?; // without steps the model looks at the same rows
        }
        let (chain, x) = Chain::learn(&self.steps, problem, &features)?;
        let made = chain.features(&features);
        check_texts(&made)?;
        let names = names_of(&made);
        let prepared = with_features(problem, Some((&x).into()), &names);
        let even = self.balance.as_ref().map(|balance| balance.fit_resample(&prepared)).transpose()?;
        let even = even.as_ref().map(|part| part.problem(&prepared));
        let model = row.fit(&self.settings, even.as_ref().unwrap_or(&prepared))?;
        let rule = match &self.decision {
            Some(decision) => {
                let plain = Pipeline { decision: None, ..self.clone() };
                let fit = |part: &Problem<'_>| -> Result<Box<dyn Model>> {
                    Ok(Box::new(plain.learn_as(part, features.clone())?))
                };
                Some(decision.rule(&*model, problem, &fit)?)
            }
            None => None,
        };
        Ok(FittedPipeline { settings: self.clone(), features, chain, model, rule, table: None, intervals: None })
    }

    /// The first step, where it chooses columns.
    fn columns(&self) -> Result<Option<ColumnTransformer>> {
        let Some(first) = self.steps.first().filter(|step| step.kind == ColumnTransformer::NAME) else {
            return Ok(None);
        };
        let settings = ColumnTransformer::deserialize(&Value::Object(first.settings.clone()));
        settings.map(Some).map_err(|e| Error::argument(OP, format!("settings of step {:?}: {e}", first.name)))
    }

    /// The features as a file keeps them: without the levels of columns whose texts the steps look into, which may be all there are.
    pub(super) fn kept(&self, mut features: Vec<Feature>) -> Result<Vec<Feature>> {
        let columns = self.columns()?;
        let free = columns.as_ref().map(ColumnTransformer::free_texts);
        let all = self.steps.first().is_some_and(|step| takes_texts(&step.kind));
        for feature in &mut features {
            if all || free.as_ref().is_some_and(|free| free.contains(feature.name.as_str())) {
                feature.levels.clear();
            }
        }
        Ok(features)
    }

    /// The names of a table's columns that the first step leaves out.
    ///
    /// # Errors
    /// [`Error::Data`] for a name that is no column's: the step itself sees only the columns that it asks for.
    pub(super) fn ignored(&self, table: &Table, target: &str) -> Result<Vec<String>> {
        let Some(settings) = self.columns()? else { return Ok(Vec::new()) };
        for name in settings.branches.iter().flat_map(|branch| &branch.columns) {
            table.column(name)?;
        }
        let Some(wanted) = settings.wanted() else { return Ok(Vec::new()) };
        let left = |name: &&str| !wanted.contains(name) && *name != target;
        Ok(table.columns().iter().map(|c| c.name.as_str()).filter(left).map(String::from).collect())
    }
}
