//! Something fitted on some rows and asked about others, over folds.

use super::folds::Fold;
use super::mean_and_deviation;
use super::score::Score;
use crate::device::cpu::Cpu;
use crate::device::cpu::parallel::{WORK_PER_THREAD, for_chunks};
use crate::error::{Error, Result};
use crate::models::prepare::Pipeline;
use crate::models::{Answers, Ended, Model, Prediction, Problem, Row};
use ndarray::{Array2, Axis};
use serde_json::{Map, Value};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Settings by name; those left out keep their default.
pub type Settings = Map<String, Value>;

/// Hears how many of how many fits are done, from any thread; [`ControlFlow::Break`] ends the work with [`Error::Cancelled`].
pub type Watch<'a> = &'a (dyn Fn(usize, usize) -> ControlFlow<()> + Sync);

/// A [`Watch`] that tells nobody.
pub fn silent(_: usize, _: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Something that is fitted on some rows of its data and asked about others.
pub trait Trial: Sync {
    /// Fits on the rows `train` alone, and answers for each set of rows in `on`.
    ///
    /// # Errors
    /// Those of the fit and the predictions.
    fn run(&self, settings: &Settings, train: &[usize], on: &[&[usize]]) -> Result<Vec<Outcomes>>;
}

/// What a fitted model says about rows, beside the truth.
#[derive(Debug, Clone)]
pub struct Outcomes {
    /// The right answers.
    pub truth: Answers,
    /// What was predicted.
    pub predicted: Prediction,
    /// `[N, C]`, of models that have them.
    pub probabilities: Option<Array2<f64>>,
    /// As [`Model::decision`].
    pub decision: Option<Array2<f64>>,
    /// As [`Model::ended`].
    pub ended: Ended,
}

impl Outcomes {
    /// What `model` says about all rows of `problem`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn of(model: &dyn Model, problem: &Problem<'_>) -> Result<Outcomes> {
        let rows: Vec<usize> = (0..problem.x.rows()).collect();
        Ok(Outcomes {
            truth: problem.y.select(&rows),
            predicted: model.outcome(problem.x)?,
            probabilities: model.probabilities(problem.x)?,
            decision: model.decision(problem.x)?,
            ended: model.ended(),
        })
    }
}

impl Outcomes {
    /// Those of one row alone.
    pub(super) fn row(&self, row: usize) -> Outcomes {
        let one = |matrix: &Option<Array2<f64>>| matrix.as_ref().map(|m| m.select(Axis(0), &[row]));
        Outcomes {
            truth: match &self.truth {
                Answers::Labels(of, classes) => Answers::Labels(of.get(row).copied().into_iter().collect(), *classes),
                Answers::Values(of) => Answers::Values(of.get(row).copied().into_iter().collect()),
                Answers::None => Answers::None,
            },
            predicted: match &self.predicted {
                Prediction::Labels(of) => Prediction::Labels(of.get(row).copied().into_iter().collect()),
                Prediction::Values(of) => Prediction::Values(of.get(row).copied().into_iter().collect()),
            },
            probabilities: one(&self.probabilities),
            decision: one(&self.decision),
            ended: self.ended,
        }
    }
}

/// A kind of model on a problem.
#[derive(Debug, Clone, Copy)]
pub struct OnProblem<'a, 'p> {
    /// What is fitted.
    pub row: &'a Row,
    /// All rows.
    pub problem: &'a Problem<'p>,
}

impl Trial for OnProblem<'_, '_> {
    fn run(&self, settings: &Settings, train: &[usize], on: &[&[usize]]) -> Result<Vec<Outcomes>> {
        let part = self.problem.select(train)?;
        let model = self.row.fit(settings, &part.problem(self.problem))?;
        outcomes(&*model, self.problem, on)
    }
}

/// A pipeline on a problem; settings of a step are called `step.name`. The steps learn from the rows of a fold alone.
#[derive(Debug, Clone, Copy)]
pub struct OnPipeline<'a, 'p> {
    /// What is fitted, with the settings that stay.
    pub pipeline: &'a Pipeline,
    /// All rows.
    pub problem: &'a Problem<'p>,
}

impl OnPipeline<'_, '_> {
    /// The pipeline with these settings.
    ///
    /// # Errors
    /// As [`Pipeline::set`].
    pub fn with(&self, settings: &Settings) -> Result<Pipeline> {
        settings.iter().try_fold(self.pipeline.clone(), |pipeline, (name, value)| pipeline.set(name, value.clone()))
    }
}

impl Trial for OnPipeline<'_, '_> {
    fn run(&self, settings: &Settings, train: &[usize], on: &[&[usize]]) -> Result<Vec<Outcomes>> {
        let part = self.problem.select(train)?;
        let model = self.with(settings)?.learn(&part.problem(self.problem))?;
        outcomes(&model, self.problem, on)
    }
}

/// What a model says about sets of rows.
fn outcomes(model: &dyn Model, problem: &Problem<'_>, on: &[&[usize]]) -> Result<Vec<Outcomes>> {
    let answer = |rows: &&[usize]| {
        let part = problem.select(rows)?;
        Outcomes::of(model, &part.problem(problem))
    };
    on.iter().map(answer).collect()
}

/// What cross-validation found.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossValidation {
    /// The scores' names, `[S]`.
    pub names: Vec<&'static str>,
    /// The scores of each fold on its test rows, `[S][folds]`.
    pub scores: Vec<Vec<f64>>,
    /// Seconds of each fold: fit and predictions.
    pub seconds: Vec<f64>,
    /// How the fit of each fold ended.
    pub ended: Vec<Ended>,
}

impl CrossValidation {
    /// Mean and standard deviation of a score over the folds.
    pub fn summary(&self, name: &str) -> Option<(f64, f64)> {
        let place = self.names.iter().position(|known| *known == name)?;
        self.scores.get(place).map(|scores| mean_and_deviation(scores))
    }
}

/// Fits on each fold and scores on its test rows. A score that the model or the fold does not have ([`Score::applies`]) is NaN, and
/// so is its mean, as in scikit-learn.
///
/// # Errors
/// The first fold's error in the order of the folds; [`Error::Cancelled`].
pub fn cross_validate(
    trial: &dyn Trial,
    settings: &Settings,
    folds: &[Fold],
    scores: &[&'static Score],
    watch: Watch<'_>,
) -> Result<CrossValidation> {
    let jobs: Vec<(&Settings, &[usize], &[usize])> =
        folds.iter().map(|fold| (settings, &fold.train[..], &fold.test[..])).collect();
    let results = all("cross_validate", trial, &jobs, scores, Sides::Those, watch)?;
    let score = |place: usize| results.iter().filter_map(|done| done.test.get(place).copied()).collect();
    Ok(CrossValidation {
        names: scores.iter().map(|score| score.name).collect(),
        scores: (0..scores.len()).map(score).collect(),
        seconds: results.iter().map(|done| done.seconds).collect(),
        ended: results.iter().map(|done| done.ended).collect(),
    })
}

/// What is scored.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sides {
    /// The test rows.
    Test,
    /// The test rows, by those scores that the model has.
    Those,
    /// The test rows and those learnt from.
    Both,
}

/// One fit, scored.
pub(super) struct Done {
    /// One of each score asked for.
    pub test: Vec<f64>,
    /// The same on the rows learnt from; none unless asked for.
    pub train: Vec<f64>,
    pub seconds: f64,
    pub ended: Ended,
}

/// Runs all jobs (settings, rows to learn from, rows to test on) side by side; results in their order.
pub(super) fn all(
    op: &'static str,
    trial: &dyn Trial,
    jobs: &[(&Settings, &[usize], &[usize])],
    scores: &[&'static Score],
    sides: Sides,
    watch: Watch<'_>,
) -> Result<Vec<Done>> {
    // Jobs from this one on need not run: it failed, so that the error is that of the first job which does, on any number of threads.
    let (finished, stop) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let one = |&(settings, train, test): &(&Settings, &[usize], &[usize])| -> Result<Done> {
        let began = Instant::now();
        let on: &[&[usize]] = if sides == Sides::Both { &[test, train] } else { &[test] };
        let outcomes = trial.run(settings, train, on)?;
        let seconds = began.elapsed().as_secs_f64();
        let scored = |place: usize| match outcomes.get(place) {
            Some(outcomes) => scores
                .iter()
                .map(|score| match sides == Sides::Those && !score.applies(outcomes) {
                    true => Ok(f64::NAN),
                    false => score.of(outcomes),
                })
                .collect::<Result<Vec<f64>>>(),
            None => Ok(Vec::new()),
        };
        let ended = outcomes.first().map(|outcomes| outcomes.ended).unwrap_or_default();
        Ok(Done { test: scored(0)?, train: scored(1)?, seconds, ended })
    };
    let mut results: Vec<Option<Result<Done>>> = Vec::new();
    results.resize_with(jobs.len(), || None);
    // A fit is worth a thread, always.
    let work = WORK_PER_THREAD.saturating_mul(8);
    for_chunks(Cpu::new().threads(), &mut results, 1, work, |job, slot| {
        if job > stop.load(Ordering::Relaxed) {
            return;
        }
        let result = jobs.get(job).map(one);
        let failed = matches!(result, Some(Err(_)));
        if let Some(slot) = slot.first_mut() {
            *slot = result;
        }
        let done = finished.fetch_add(1, Ordering::Relaxed) + 1;
        if failed {
            stop.fetch_min(job, Ordering::Relaxed);
        } else if watch(done, jobs.len()).is_break() {
            stop.store(0, Ordering::Relaxed);
        }
    });
    // A job that was not run has an error or a cancellation as its cause, which another slot may tell.
    let mut done = Vec::with_capacity(jobs.len());
    let mut missing = false;
    for result in results {
        match result {
            Some(result) => done.push(result?),
            None => missing = true,
        }
    }
    if missing { Err(Error::Cancelled { op }) } else { Ok(done) }
}
