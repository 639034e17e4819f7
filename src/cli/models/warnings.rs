//! What is said of a fit that ended before it was done, or found less than it was asked for.

use super::super::count;
use crate::models::prepare::{
    Branch, ColumnTransformer, FittedPipeline, MaxAbsScaler, MinMaxScaler, OneHotEncoder, Pipeline, RobustScaler,
    StandardScaler, Step, Transformer,
};
use crate::models::{Estimator, FittedMlp, MlpRegressor, Model, Row};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// Lines that begin with `warning: `.
pub(super) fn warnings(fitted: &FittedPipeline) -> Vec<String> {
    let (kind, ended, settings) = (fitted.model().kind(), fitted.ended(), fitted.settings());
    let known = Row::named(kind).and_then(|row| row.settings()).unwrap_or_default();
    let mut lines = Vec::new();
    if ended.converged == Some(false) {
        let more = match settings.settings.get("solver").and_then(Value::as_str) {
            Some("stochastic") => Some("raise batches.epochs by --set"),
            _ if known.contains_key("max_iter") => Some("raise max_iter by --set"),
            _ => None,
        };
        let scale = match (scales(settings), kind == MlpRegressor::NAME) {
            (true, false) => None,
            (false, false) => Some("scale the columns"),
            (true, true) => Some("scale the target, which a network of numbers learns best near -1 to 1"),
            (false, true) => Some("scale the columns and the target"),
        };
        let advice: Vec<&str> = more.into_iter().chain(scale).collect();
        let advice = if advice.is_empty() { "change its settings by --set".to_owned() } else { advice.join(", or ") };
        lines.push(format!("warning: {kind} has not converged: it may predict otherwise after more rounds; {advice}"));
    }
    let (features, encoded) = (fitted.outputs().len(), by_encoding(settings));
    if let Some(rank) = ended.rank.filter(|rank| rank + encoded < features) {
        let others = features - rank - encoded;
        let follow = if others == 1 { "follows" } else { "follow" };
        let besides = if encoded > 0 { ", besides a level of each text" } else { "" };
        lines.push(format!(
            "warning: rank {rank} of {features} features: {others} {follow} from others{besides}; what is predicted is sound, but \
             other coefficients predict the same; --drop columns that repeat others, or take ridge where coefficients matter"
        ));
    }
    lines
}

/// The same of the network, which goes on from its file.
pub(crate) fn of_network(model: &FittedMlp, file: &Path) -> Option<String> {
    let (epochs, file) = (count(model.history().epochs.len(), "epoch"), file.display());
    (!model.converged()).then(|| {
        format!(
            "warning: mlp has not converged in {epochs}: it may predict otherwise after more; give more by --epochs, and by \
             --resume {file} it goes on from here"
        )
    })
}

/// The same as rows of a page.
pub(super) fn as_facts(lines: impl IntoIterator<Item = String>) -> Vec<(&'static str, String)> {
    lines.into_iter().filter_map(|line| Some(("warning", line.split_once(": ")?.1.into()))).collect()
}

/// The steps of each group of columns, and of all of them.
fn branches(pipeline: &Pipeline) -> impl Iterator<Item = Branch> {
    let steps = pipeline.steps.iter().filter(|step| step.kind == ColumnTransformer::NAME);
    steps
        .filter_map(|step| ColumnTransformer::deserialize(&Value::Object(step.settings.clone())).ok())
        .flat_map(|columns| columns.branches)
}

/// Whether columns are scaled before the model has them.
fn scales(pipeline: &Pipeline) -> bool {
    const SCALERS: [&str; 4] = [StandardScaler::NAME, MinMaxScaler::NAME, MaxAbsScaler::NAME, RobustScaler::NAME];
    let scaler = |step: &Step| SCALERS.contains(&step.kind.as_str());
    pipeline.steps.iter().any(scaler) || branches(pipeline).any(|branch| branch.steps.iter().any(scaler))
}

/// How many features follow from others because texts are encoded: the levels of each sum to 1, which the intercept is too.
fn by_encoding(pipeline: &Pipeline) -> usize {
    let each_level = |step: &Step| {
        step.kind == OneHotEncoder::NAME && step.settings.get("drop_first").and_then(Value::as_bool) != Some(true)
    };
    let encoded = branches(pipeline).filter(|branch| branch.steps.last().is_some_and(each_level));
    let texts: usize = encoded.map(|branch| branch.columns.len()).sum();
    let intercept = pipeline.settings.get("fit_intercept").and_then(Value::as_bool).unwrap_or(true);
    texts.saturating_sub(usize::from(!intercept))
}
