//! Every kind of model, in one table: the command, searches and one battery of checks walk it.

use super::calibration::CalibratedClassifier;
use super::dummy::{DummyClassifier, DummyRegressor};
use super::ensemble::{StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor};
use super::estimator::{Estimator, Model};
use super::linear::{BayesianRidge, ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge};
use super::naive_bayes::{BernoulliNb, GaussianNb, MultinomialNb};
use super::neighbors::{KnnClassifier, KnnRegressor};
use super::perceptron::{MlpClassifier, MlpRegressor};
use super::prepare::FittedPipeline;
use super::problem::Problem;
use super::settings::settled;
use super::store::Reader;
use super::svm::{LinearSvc, LinearSvr, Svc, Svr};
use super::tree::{
    DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreesClassifier, ExtraTreesRegressor,
    HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor,
};
use crate::error::{Error, Result};
use crate::io::Archive;
use serde_json::{Map, Value};
use std::path::Path;

/// What a model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predicts {
    /// Numbers.
    Values,
    /// Classes.
    Labels,
}

/// What a model asks of its features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: trees, for example, do not care for a column's unit.
    Nothing,
    /// Columns of like scale.
    Scaling,
    /// Numbers of at least 0, such as counts.
    Counts,
}

/// What a model makes of NaN among its features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It refuses them.
    Refused,
    /// It takes them for missing values and learns what to do with them.
    Learnt,
}

/// One kind of model.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The kind: [`Estimator::NAME`].
    pub name: &'static str,
    /// What it predicts.
    pub predicts: Predicts,
    /// What it asks of its features.
    pub needs: Needs,
    /// What it makes of NaN.
    pub missing: Missing,
    /// Whether a weight of 2 gives the same model as the row twice; not where rows are drawn at random.
    pub weights_repeat: bool,
    settings: fn() -> Result<Value>,
    check: fn(&Value) -> Result<()>,
    gives_probabilities: fn(&Value) -> Result<bool>,
    fit: fn(&Value, &Problem<'_>) -> Result<Box<dyn Model>>,
    restore: fn(&Reader<'_>) -> Result<Box<dyn Model>>,
}

/// Every kind of model that learns from answers.
pub const MODELS: &[Row] = &[
    drawn(row::<CalibratedClassifier>(Predicts::Labels, Needs::Scaling, Missing::Refused)),
    row::<DummyClassifier>(Predicts::Labels, Needs::Nothing, Missing::Learnt),
    row::<DummyRegressor>(Predicts::Values, Needs::Nothing, Missing::Learnt),
    row::<LinearRegression>(Predicts::Values, Needs::Nothing, Missing::Refused),
    row::<Ridge>(Predicts::Values, Needs::Scaling, Missing::Refused),
    row::<BayesianRidge>(Predicts::Values, Needs::Scaling, Missing::Refused),
    row::<Lasso>(Predicts::Values, Needs::Scaling, Missing::Refused),
    row::<ElasticNet>(Predicts::Values, Needs::Scaling, Missing::Refused),
    row::<LogisticRegression>(Predicts::Labels, Needs::Scaling, Missing::Refused),
    row::<LinearSvc>(Predicts::Labels, Needs::Scaling, Missing::Refused),
    row::<LinearSvr>(Predicts::Values, Needs::Scaling, Missing::Refused),
    row::<Svc>(Predicts::Labels, Needs::Scaling, Missing::Refused),
    row::<Svr>(Predicts::Values, Needs::Scaling, Missing::Refused),
    row::<KnnClassifier>(Predicts::Labels, Needs::Scaling, Missing::Refused),
    row::<KnnRegressor>(Predicts::Values, Needs::Scaling, Missing::Refused),
    row::<GaussianNb>(Predicts::Labels, Needs::Nothing, Missing::Refused),
    row::<MultinomialNb>(Predicts::Labels, Needs::Counts, Missing::Refused),
    row::<BernoulliNb>(Predicts::Labels, Needs::Nothing, Missing::Refused),
    drawn(row::<MlpClassifier>(Predicts::Labels, Needs::Scaling, Missing::Refused)),
    drawn(row::<MlpRegressor>(Predicts::Values, Needs::Scaling, Missing::Refused)),
    row::<VotingClassifier>(Predicts::Labels, Needs::Scaling, Missing::Refused),
    row::<VotingRegressor>(Predicts::Values, Needs::Scaling, Missing::Refused),
    drawn(row::<StackingClassifier>(Predicts::Labels, Needs::Scaling, Missing::Refused)),
    drawn(row::<StackingRegressor>(Predicts::Values, Needs::Scaling, Missing::Refused)),
    row::<DecisionTreeClassifier>(Predicts::Labels, Needs::Nothing, Missing::Refused),
    row::<DecisionTreeRegressor>(Predicts::Values, Needs::Nothing, Missing::Refused),
    drawn(row::<RandomForestClassifier>(Predicts::Labels, Needs::Nothing, Missing::Refused)),
    drawn(row::<RandomForestRegressor>(Predicts::Values, Needs::Nothing, Missing::Refused)),
    drawn(row::<ExtraTreesClassifier>(Predicts::Labels, Needs::Nothing, Missing::Refused)),
    drawn(row::<ExtraTreesRegressor>(Predicts::Values, Needs::Nothing, Missing::Refused)),
    drawn(row::<HistGradientBoostingClassifier>(Predicts::Labels, Needs::Nothing, Missing::Learnt)),
    drawn(row::<HistGradientBoostingRegressor>(Predicts::Values, Needs::Nothing, Missing::Learnt)),
];

/// A row of a model that draws rows at random or counts them, so that a weight of 2 is not the row twice.
const fn drawn(row: Row) -> Row {
    Row { weights_repeat: false, ..row }
}

const fn row<E: Estimator>(predicts: Predicts, needs: Needs, missing: Missing) -> Row {
    Row {
        name: E::NAME,
        predicts,
        needs,
        missing,
        weights_repeat: true,
        settings: || serde_json::to_value(E::default()).map_err(|e| Error::internal(E::NAME, e.to_string())),
        check: |settings| settled::<E>(E::NAME, settings).map(|_| ()),
        gives_probabilities: |settings| Ok(settled::<E>(E::NAME, settings)?.gives_probabilities()),
        fit: |settings, problem| Ok(Box::new(settled::<E>(E::NAME, settings)?.learn(problem)?)),
        restore: |reader| Ok(Box::new(E::Fitted::restore(reader)?)),
    }
}

impl Row {
    /// The row of that name.
    ///
    /// # Errors
    /// [`Error::Argument`] with the names there are.
    pub fn named(name: &str) -> Result<&'static Row> {
        MODELS.iter().find(|row| row.name == name).ok_or_else(|| {
            let names = MODELS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
            Error::argument("model", format!("no model is called {name:?}: there are {names}"))
        })
    }

    /// The default settings, by name.
    ///
    /// # Errors
    /// None in a sound build.
    pub fn settings(&self) -> Result<Map<String, Value>> {
        match (self.settings)()? {
            Value::Object(map) => Ok(map),
            _ => Err(Error::internal(self.name, "settings are no object")),
        }
    }

    /// Whether settings have known names and values of the right type; those left out keep their default.
    ///
    /// # Errors
    /// [`Error::Argument`] that names the setting.
    pub fn check(&self, settings: &Map<String, Value>) -> Result<()> {
        (self.check)(&Value::Object(settings.clone()))
    }

    /// Whether what is fitted with these settings gives probabilities of classes: [`Estimator::gives_probabilities`].
    ///
    /// # Errors
    /// As [`Row::check`].
    pub fn gives_probabilities(&self, settings: &Map<String, Value>) -> Result<bool> {
        (self.gives_probabilities)(&Value::Object(settings.clone()))
    }

    /// Fits with settings by name; those left out keep their default.
    ///
    /// # Errors
    /// As [`Row::check`] and [`Estimator::learn`].
    pub fn fit(&self, settings: &Map<String, Value>, problem: &Problem<'_>) -> Result<Box<dyn Model>> {
        (self.fit)(&Value::Object(settings.clone()), problem)
    }

    /// The fitted model of a file's part.
    ///
    /// # Errors
    /// [`Error::Format`] as [`Model::restore`].
    pub fn restore(&self, reader: &Reader<'_>) -> Result<Box<dyn Model>> {
        reader.check_depth()?;
        (self.restore)(reader)
    }
}

/// Reads a fitted model of any kind, or a fitted pipeline.
///
/// # Errors
/// [`Error::Io`], and [`Error::Format`] for a file that is damaged, of a newer version, or holds no model of [`MODELS`].
pub fn load(path: impl AsRef<Path>) -> Result<Box<dyn Model>> {
    let archive = Archive::load(path)?;
    let reader = Reader::of(&archive)?;
    match MODELS.iter().find(|row| row.name == archive.kind) {
        Some(row) => row.restore(&reader),
        None if archive.kind == FittedPipeline::KIND => Ok(Box::new(FittedPipeline::restore(&reader)?)),
        None => Err(reader.error(holds(&archive.kind))),
    }
}

/// What a file of that kind holds, where neither a pipeline nor one of [`MODELS`] is wanted or there, and what reads it.
pub(crate) fn holds(kind: &str) -> String {
    let (what, reader) = match kind {
        "mlp" => ("a network with its own columns", "FittedMlp::load reads it"),
        "k-means" => ("groups of rows, which predict no answers", "KMeans::load reads it"),
        "isolation-forest" => {
            ("a forest that finds outliers, which predicts no answers", "IsolationForest::load reads it")
        }
        "pca" => ("directions of the features, which predict no answers", "FittedPca::load reads it"),
        FittedPipeline::KIND => ("a model with its preparation", "FittedPipeline::load reads it"),
        _ if MODELS.iter().any(|row| row.name == kind) => {
            ("a model without the columns and their preparation", "load reads it; save a FittedPipeline to have both")
        }
        _ => ("which is no model of this version", "update tilework"),
    };
    format!("holds kind {kind:?}, {what}; {reader}")
}
