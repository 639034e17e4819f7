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
mod warnings;
mod watch;

pub(super) use compare::{CompareArgs, run as compare};
pub(super) use evaluate::{EvaluateArgs, network_page, run as evaluate};
pub(super) use explain::{ExplainArgs, run as explain};
pub(super) use fitted::{Loaded, load, predictions};
pub(super) use names::{Integers, is_mlp};
pub(super) use parts::read;
pub(super) use scored::Scored;
pub(super) use train::{Common, ModelArgs, run as train};
pub(super) use warnings::of_network;

use super::failure::{Failure, Outcome};
use crate::models::selection::{Fold, KFold, Outcomes, Score, StratifiedKFold, TimeSeriesSplit};
use crate::models::{Answer, Answers, Ended, Prediction, Predicts, Problem};
use ndarray::Array2;

/// Which rows are held out.
#[derive(Clone, Copy)]
enum Held {
    /// Rows drawn by this seed, classes in proportion.
    Drawn(u64),
    /// The last: rows are in the order of time.
    Last,
}

/// Folds of a problem.
fn folds(problem: &Problem<'_>, n_splits: usize, held: Held) -> Outcome<Vec<Fold>> {
    let folds = match (held, problem.y) {
        (Held::Last, _) => TimeSeriesSplit { n_splits, ..TimeSeriesSplit::default() }.split(problem.x.rows()),
        (Held::Drawn(seed), Answer::Labels { of, .. }) => StratifiedKFold { n_splits, shuffle: Some(seed) }.split(of),
        (Held::Drawn(seed), _) => KFold { n_splits, shuffle: Some(seed) }.split(problem.x.rows()),
    };
    folds.map_err(|error| Failure::failed(format!("cross-validation: {error}")))
}

/// Refuses folds with fewer rows to test on than a score needs.
fn check_folds(folds: &[Fold], score: &Score) -> Outcome {
    match folds.iter().any(|fold| fold.test.len() < score.least_rows()) {
        false => Ok(()),
        true => Err(Failure::failed(format!(
            "cross-validation: {} needs at least {} rows, and some of {} folds test on fewer; give fewer folds, or --scoring mae",
            score.name,
            score.least_rows(),
            folds.len()
        ))),
    }
}

/// Refuses a score that models without probabilities, or the rows of a fold, do not have: each fold's truth is scored as if
/// it had been predicted.
fn check_score(score: &Score, gives_probabilities: bool, problem: &Problem<'_>, folds: &[Fold]) -> Outcome {
    for fold in folds {
        let truth = problem.y.select(&fold.test);
        let Answers::Labels(labels, classes) = &truth else { return Ok(()) };
        let even = Array2::from_elem((labels.len(), *classes), 1.0 / (*classes).max(1) as f64);
        let outcomes = Outcomes {
            predicted: Prediction::Labels(labels.clone()),
            probabilities: gives_probabilities.then(|| even.clone()),
            decision: Some(if *classes == 2 { Array2::zeros((labels.len(), 1)) } else { even }),
            ended: Ended::default(),
            truth,
        };
        score.of(&outcomes).map_err(|error| Failure::failed(format!("cross-validation: {error}")))?;
    }
    Ok(())
}

/// The error of a score that the target does not have.
fn other_sort(score: &Score, predicts: Predicts) -> Failure {
    let (what, other) = match predicts {
        Predicts::Labels => ("numbers", "classes; --regression takes integers as numbers"),
        Predicts::Values => ("classes", "numbers"),
    };
    Failure::usage(format!("--scoring {}: scores {what}, and the target is of {other}", score.name))
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
