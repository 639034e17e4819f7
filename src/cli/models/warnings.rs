//! What is said of a fit that ended before it was done, or found less than it was asked for.

use super::super::count;
use crate::models::prepare::{ColumnTransformer, FittedPipeline, OneHotEncoder, Pipeline, Step, Transformer};
use crate::models::{FittedMlp, Model, Row};
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
            Some("stochastic") => "raise batches.epochs by --set, or ",
            _ if known.contains_key("max_iter") => "raise max_iter by --set, or ",
            _ => "",
        };
        lines.push(format!(
            "warning: {kind} has not converged: it may predict otherwise after more rounds; {more}scale the columns"
        ));
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

/// How many features follow from others because texts are encoded: the levels of each sum to 1, which the intercept is too.
fn by_encoding(pipeline: &Pipeline) -> usize {
    let each_level = |step: &Step| {
        step.kind == OneHotEncoder::NAME && step.settings.get("drop_first").and_then(Value::as_bool) != Some(true)
    };
    let steps = pipeline.steps.iter().filter(|step| step.kind == ColumnTransformer::NAME);
    let branches = steps
        .filter_map(|step| ColumnTransformer::deserialize(&Value::Object(step.settings.clone())).ok())
        .flat_map(|columns| columns.branches);
    let texts: usize =
        branches.filter(|b| b.steps.last().is_some_and(each_level)).map(|branch| branch.columns.len()).sum();
    let intercept = pipeline.settings.get("fit_intercept").and_then(Value::as_bool).unwrap_or(true);
    texts.saturating_sub(usize::from(!intercept))
}
