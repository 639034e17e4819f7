//! The classical models on the command line: train, evaluate, explain, compare. All of it walks
//! [`MODELS`](crate::models::MODELS): a new row needs nothing here but, perhaps, a short name.

mod classes;
mod compare;
mod evaluate;
mod explain;
mod fitted;
mod names;
mod page;
mod parts;
mod scored;
mod train;
mod values;
mod watch;

pub(super) use compare::{CompareArgs, run as compare};
pub(super) use evaluate::{EvaluateArgs, network_page, run as evaluate};
pub(super) use explain::{ExplainArgs, run as explain};
pub(super) use fitted::{is_pipeline, predictions};
pub(super) use names::is_mlp;
pub(super) use train::{Common, ModelArgs, run as train};

use super::failure::{Failure, Outcome};
use crate::models::selection::{Fold, KFold, StratifiedKFold};
use crate::models::{Answer, Problem};

/// Folds of a problem: shuffled, classes in proportion.
fn folds(problem: &Problem<'_>, n_splits: usize, seed: u64) -> Outcome<Vec<Fold>> {
    let folds = match problem.y {
        Answer::Labels { of, .. } => StratifiedKFold { n_splits, shuffle: Some(seed) }.split(of),
        _ => KFold { n_splits, shuffle: Some(seed) }.split(problem.x.rows()),
    };
    folds.map_err(|error| Failure::failed(format!("cross-validation: {error}")))
}

/// JSON for `--json`: one line.
fn json(value: &impl serde::Serialize) -> Outcome<String> {
    serde_json::to_string(value).map_err(|e| Failure::failed(format!("summary: {e}")))
}

/// `0.4 ms`, `120 ms`, `1.25 s`.
fn time(seconds: f64) -> String {
    match seconds {
        s if s < 0.1 => format!("{:.1} ms", 1e3 * s),
        s if s < 1.0 => format!("{:.0} ms", 1e3 * s),
        s => format!("{s:.2} s"),
    }
}
