//! `tilework compare`: every model on one table, best first, with times.

use super::super::columns::ColumnArgs;
use super::super::failure::{Failure, Outcome};
use super::super::score::digits;
use super::super::{bar, count, note, say, values as checked};
use super::names::{Integers, candidates, is_mlp, row};
use super::parts::{Whole, check_raw, constant, describe};
use super::{Held, check_folds, folds, json, other_sort, time};
use crate::device::Device;
use crate::error::Result;
use crate::models::Row;
use crate::models::prepare::{Frame, Pipeline};
use crate::models::selection::{Fold, OnPipeline, SCORES, Score, Settings, cross_validate, score};
use clap::Args;
use serde_json::json as value;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

/// Cross-validate every model on one table, each with its default settings and the preparation it needs.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompareArgs {
    /// A table (CSV, .npz, .parquet or .arrow), or `digits`: 1,797 handwritten digits that are part of this program
    data: PathBuf,
    /// The column to predict [default: the file's last, whatever --columns says; of those that --drop leaves, the last]
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    #[command(flatten)]
    columns: ColumnArgs,
    /// Take a target of integers as numbers to regress on, not as classes
    #[arg(long)]
    regression: bool,
    /// Compare these models only, separated by commas
    #[arg(long, value_name = "MODELS", value_delimiter = ',')]
    models: Vec<String>,
    /// Folds
    #[arg(long, value_name = "FOLDS", default_value_t = 5, value_parser = checked::at_least_one, allow_negative_numbers = true)]
    cv: usize,
    /// What they are sorted by [default: accuracy, or r2 for numbers]
    #[arg(long, value_name = "SCORE")]
    scoring: Option<String>,
    /// Take the columns as they are: no filling in, no scaling, no encoding
    #[arg(long)]
    raw: bool,
    /// Where models on the tensor layer run: auto, cpu, gpu, an index or part of a name of `tilework devices`
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,
    /// Of the folds
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    seed: u64,
    /// Print one JSON object on standard output, nothing else
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  tilework compare iris.csv
  tilework compare houses.csv --target price --scoring mae
  tilework compare digits --models logistic,svc,forest,boosting --json";

/// One model's part.
struct Line {
    row: &'static Row,
    /// What was found; or why nothing was.
    found: Result<Found>,
}

/// What is found of a model over the folds.
struct Found {
    /// Mean and deviation of each score that it has.
    scores: Vec<(&'static str, f64, f64)>,
    /// Of a fold: fit and predictions.
    seconds: f64,
    /// Of each fold whose fit can end before it is done, whether it was.
    converged: Vec<bool>,
}

pub(crate) fn run(args: &CompareArgs) -> Outcome {
    let choice = args.scoring.as_deref().map(score).transpose().map_err(|e| Failure::usage(e.to_string()))?;
    if args.models.iter().any(|name| is_mlp(name)) {
        let text = "--models mlp: trains alone, by its own loop; compare mlp-classifier or mlp-regressor, which are networks too";
        return Err(Failure::usage(text));
    }
    if args.cv == 1 {
        return Err(Failure::usage("--cv 1: one fold has nothing to learn from; give at least 2"));
    }
    let device = Device::open(&args.device)?;
    let integers = Integers::of(args.regression, &args.models)?;
    let whole = Whole::read(&args.data, args.target.as_deref(), &args.columns, &integers)?;
    let predicts = whole.predicts;
    let choice = choice.unwrap_or_else(|| Score::of_choice(predicts));
    if choice.predicts() != predicts {
        return Err(other_sort(choice, predicts));
    }
    let rows = match args.models.is_empty() {
        true => candidates(predicts),
        false => args.models.iter().map(|name| row(name, predicts)).collect::<Outcome<Vec<_>>>()?,
    };
    if args.raw {
        check_raw(&whole.table, &whole.target)?;
    }
    let frame = Frame::of(&whole.table, Some(&whole.target), predicts)?;
    let (rows_of, what) = (count(whole.table.rows(), "row"), describe(&frame));
    note(format_args!("data: {}: {rows_of}; {what}", whole.table.source()));
    whole.line.iter().for_each(note);
    constant(&frame).iter().for_each(note);
    note(format_args!("device: {device}: {}", device.reason()));
    note(format_args!("comparing {} by {}, {} folds", count(rows.len(), "model"), choice.name, args.cv));
    let folds = folds(&frame.problem(), args.cv, Held::Drawn(args.seed))?;
    check_folds(&folds, choice)?;
    let progress = bar::is_terminal().then(|| bar::styled(" {prefix}  {wide_bar}  {pos}/{len}  {eta} left "));
    if let Some(bar) = &progress {
        bar.set_length((rows.len() * folds.len()) as u64);
    }
    let mut lines = Vec::new();
    for (i, &row) in rows.iter().enumerate() {
        if let Some(bar) = &progress {
            bar.set_prefix(row.name);
        }
        let watch = |done: usize, _: usize| {
            if let Some(bar) = &progress {
                bar.set_position((i * folds.len() + done) as u64);
            }
            ControlFlow::Continue(())
        };
        let began = Instant::now();
        let found = tried(row, (args.raw, &device), &whole, &folds, &watch);
        let seconds = began.elapsed().as_secs_f64();
        if progress.is_none() {
            note(format_args!("{} of {}: {}: {}", i + 1, rows.len(), row.name, time(seconds)));
        }
        lines.push(Line { row, found });
    }
    drop(progress);
    let short: Vec<&str> = lines.iter().filter(|l| l.converged() == Some(false)).map(|line| line.row.name).collect();
    if !short.is_empty() {
        let names = short.join(", ");
        note(format_args!(
            "warning: not converged: {names}; what they score may be otherwise after more rounds, which train gives by --set"
        ));
    }
    let sign = if choice.greater_is_better { -1.0 } else { 1.0 };
    lines.sort_by(|a, b| (sign * a.of(choice.name)).total_cmp(&(sign * b.of(choice.name))));
    lines.sort_by_key(|line| line.of(choice.name).is_nan());
    if args.json { print_json(&lines, choice, args) } else { print(&lines, choice) }
}

/// All scores of a kind over the folds.
fn tried(
    row: &Row,
    (raw, device): (bool, &Device),
    whole: &Whole,
    folds: &[Fold],
    watch: &(dyn Fn(usize, usize) -> ControlFlow<()> + Sync),
) -> Result<Found> {
    let target = Some(whole.target.as_str());
    let pipeline = if raw { Pipeline::raw(row) } else { Pipeline::auto(&whole.table, target, row)?.pipeline };
    let frame = pipeline.frame(&whole.table, target)?.on(device);
    let problem = frame.problem();
    let trial = OnPipeline { pipeline: &pipeline, problem: &problem };
    let scores: Vec<&'static Score> = SCORES.iter().filter(|score| score.predicts() == row.predicts).collect();
    // A fold's rows are not the file's; what is wrong with one is wrong with it in the whole table, which knows its place.
    let found = cross_validate(&trial, &Settings::new(), folds, &scores, watch)
        .map_err(|error| pipeline.fit_frame(&whole.table, &frame).err().unwrap_or(error))?;
    let mean = |name: &&'static str| {
        let (mean, deviation) = found.summary(name)?;
        mean.is_finite().then_some((*name, mean, deviation))
    };
    let seconds = found.seconds.iter().sum::<f64>() / found.seconds.len().max(1) as f64;
    let converged = found.ended.iter().filter_map(|ended| ended.converged).collect();
    Ok(Found { scores: found.names.iter().filter_map(mean).collect(), seconds, converged })
}

impl Line {
    fn of(&self, name: &str) -> f64 {
        let scores = self.found.as_ref().map_or(&[][..], |found| &found.scores);
        scores.iter().find(|(known, ..)| *known == name).map_or(f64::NAN, |(_, mean, _)| *mean)
    }

    /// Whether the fits of all folds were done when they ended; none of a model that has nothing to be done with.
    fn converged(&self) -> Option<bool> {
        let converged = self.found.as_ref().map_or(&[][..], |found| &found.converged);
        converged.iter().copied().reduce(|all, one| all && one)
    }
}

fn print(lines: &[Line], choice: &Score) -> Outcome {
    let second = ["log_loss", "f1_macro", "mae", "r2"]
        .into_iter()
        .find(|name| *name != choice.name && lines.iter().any(|line| !line.of(name).is_nan()));
    let width = lines.iter().map(|line| line.row.name.len()).max().unwrap_or(0).max("model".len());
    say(format_args!("{:width$}  {:>19}  {:>10}  {:>10}", "model", choice.name, second.unwrap_or(""), "fold"))?;
    for line in lines {
        match &line.found {
            Err(error) => say(format_args!("{:width$}  {error}", line.row.name))?,
            Ok(Found { scores, seconds, converged }) => {
                let of = |name: &str| scores.iter().find(|(known, ..)| *known == name);
                let main =
                    of(choice.name).map_or_else(String::new, |(_, m, d)| format!("{} ± {}", digits(*m), digits(*d)));
                let other = second.and_then(of).map_or_else(String::new, |(_, mean, _)| digits(*mean));
                let short = match converged.iter().filter(|converged| !**converged).count() {
                    0 => String::new(),
                    folds => format!("  not converged in {folds} of {}", count(converged.len(), "fold")),
                };
                let seconds = time(*seconds);
                say(format_args!("{:width$}  {main:>19}  {other:>10}  {seconds:>10}{short}", line.row.name))?;
            }
        }
    }
    Ok(())
}

fn print_json(lines: &[Line], choice: &Score, args: &CompareArgs) -> Outcome {
    let one = |line: &Line| match &line.found {
        Err(error) => value!({"model": line.row.name, "error": error.to_string()}),
        Ok(Found { scores, seconds, .. }) => {
            let score = |(name, mean, deviation): &(&str, f64, f64)| {
                ((*name).to_owned(), value!({"mean": mean, "deviation": deviation}))
            };
            let scores: serde_json::Map<_, _> = scores.iter().map(score).collect();
            value!({"model": line.row.name, "scores": scores, "seconds": seconds, "converged": line.converged()})
        }
    };
    let all: Vec<_> = lines.iter().map(one).collect();
    say(json(
        &value!({"data": args.data.display().to_string(), "score": choice.name, "folds": args.cv, "models": all}),
    )?)
}
