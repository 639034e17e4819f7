//! `tilework explain`: what a fitted model goes by.

use super::super::failure::{Failure, Outcome};
use super::super::score::short;
use super::super::{say, values};
use super::fitted::{out_of_bag, weights};
use super::parts::read;
use super::{Loaded, json, load};
use crate::data::Task;
use crate::error::Result;
use crate::models::prepare::{FittedPipeline, Frame, names_of};
use crate::models::selection::{Importance, Score, permutation_importance, score};
use crate::models::{
    DecisionTreeClassifier, DecisionTreeRegressor, Estimator, FittedDecisionTreeClassifier,
    FittedDecisionTreeRegressor, Model, Predicts, Reader, TreeNames, archive_of,
};
use clap::Args;
use serde_json::{Value, json as value};
use std::path::PathBuf;

/// Say what a model goes by: its coefficients or importances, and what each column is worth.
///
/// With rows whose answers are known, best some that the model has not seen, each column's values are shuffled in turn: what
/// the score loses is what the column is worth to the model.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExplainArgs {
    /// The model file that `tilework train` wrote
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// A table (CSV, .npz, .parquet or .arrow) with the columns that the model was trained on, and the target; or `digits`
    #[arg(value_name = "DATA")]
    data: Option<PathBuf>,
    /// The score that shuffled columns cost [default: accuracy, or r2 for numbers]
    #[arg(long, value_name = "SCORE")]
    scoring: Option<String>,
    /// How often each column is shuffled
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = values::at_least_one, allow_negative_numbers = true)]
    repeats: usize,
    /// Of the shuffles
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    seed: u64,
    /// Features printed; the JSON has all
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = values::at_least_one, allow_negative_numbers = true)]
    top: usize,
    /// Print one JSON object on standard output, nothing else
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  tilework explain --model houses.ridge.safetensors
  tilework explain --model houses.forest.safetensors houses.csv --scoring mae";

/// Columns with their worth, largest first.
pub(super) type Worth = Vec<(String, Importance)>;

pub(crate) fn run(args: &ExplainArgs) -> Outcome {
    let choice = args.scoring.as_deref().map(score).transpose().map_err(|e| Failure::usage(e.to_string()))?;
    let Loaded::Pipeline(model) = load(&args.model)? else {
        let text = "is a network, which has neither coefficients nor importances; explain another model";
        return Err(Failure::failed(format!("{}: {text}", args.model.display())));
    };
    let weights = weights(&model);
    let choice = choice
        .unwrap_or_else(|| Score::of_choice(if model.classes() > 0 { Predicts::Labels } else { Predicts::Values }));
    let worth = match &args.data {
        None => None,
        Some(data) => {
            let frame = model.frame(&read(data, &model.read_options())?)?;
            Some(permutation(&model, &frame, choice, args.repeats, args.seed)?)
        }
    };
    if args.json {
        let table = |values: &[(String, f64)]| {
            Value::Object(values.iter().map(|(name, v)| (name.clone(), (*v).into())).collect())
        };
        let all: Vec<Value> = weights.iter().map(|w| value!({"what": w.heading, "values": table(&w.values)})).collect();
        let shuffled = worth.as_ref().map(|worth| {
            let one = |(name, i): &(String, Importance)| {
                (name.clone(), value!({"mean": i.mean, "deviation": i.deviation, "repeats": i.losses}))
            };
            value!({"score": choice.name, "columns": Value::Object(worth.iter().map(one).collect())})
        });
        return say(json(&value!({
            "model": model.settings().model,
            "oob_score": model.model().oob_score(),
            "weights": all,
            "permutation": shuffled,
        }))?);
    }
    say(format_args!("model: {}", model.settings().model))?;
    out_of_bag(&model).map_or(Ok(()), |score| say(format_args!("out-of-bag {score}")))?;
    for weights in &weights {
        say(format_args!("\n{}", weights.heading))?;
        let shown = weights.values.iter().map(|(name, value)| (name.as_str(), *value, String::new()));
        bars(shown.collect(), args.top)?;
    }
    if let Some(tree) = tree(&model)? {
        say(format_args!("\nthe tree\n{}", tree.text.trim_end()))?;
    }
    if let Some(worth) = &worth {
        say(format_args!("\n{} lost when the column is shuffled", choice.name))?;
        let shown = worth.iter().map(|(name, i)| (name.as_str(), i.mean, format!(" ± {}", short(i.deviation))));
        bars(shown.collect(), args.top)?;
    }
    if weights.is_empty() && worth.is_none() {
        say("it has neither coefficients nor importances; give a table with answers, and its columns are shuffled")?;
    }
    Ok(())
}

/// Names with values, and bars as long as these are large.
fn bars(rows: Vec<(&str, f64, String)>, top: usize) -> Outcome {
    const LONGEST: f64 = 30.0;
    let width = rows.iter().take(top).map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
    let most = rows.iter().map(|(_, value, _)| value.abs()).fold(0.0, f64::max);
    for (name, value, after) in rows.iter().take(top) {
        let length = if most > 0.0 { (LONGEST * value.abs() / most).round() as usize } else { 0 };
        let sign = if *value < 0.0 { "-" } else { " " };
        let bar = "█".repeat(length);
        say(format_args!("  {name:width$}  {sign}{:<10}{after}  {bar}", short(value.abs())).to_string().trim_end())?;
    }
    match rows.len().saturating_sub(top) {
        0 => Ok(()),
        more => say(format_args!("  and {more} more; --top shows them")),
    }
}

/// What each column of a table is worth to a pipeline, largest first.
pub(super) fn permutation(
    model: &FittedPipeline,
    frame: &Frame,
    score: &Score,
    repeats: usize,
    seed: u64,
) -> Result<Worth> {
    let found = permutation_importance(model, &frame.problem(), score, repeats, seed);
    let found = found.map_err(|e| model.blame(e, frame))?;
    let mut worth: Worth = frame.names.iter().cloned().zip(found).collect();
    worth.sort_by(|a, b| b.1.mean.total_cmp(&a.1.mean));
    Ok(worth)
}

/// A tree as text and as a drawing.
pub(super) struct Drawn {
    pub text: String,
    pub svg: String,
}

/// The tree of a model that is one.
pub(super) fn tree(model: &FittedPipeline) -> Outcome<Option<Drawn>> {
    /// Splits below one another that are drawn; more are too wide for a page.
    const LEVELS: usize = 5;
    let kind = model.model().kind();
    if ![DecisionTreeClassifier::NAME, DecisionTreeRegressor::NAME].contains(&kind) {
        return Ok(None);
    }
    // The table of models gives them as what they all are; a file gives them back as what each is.
    let archive = archive_of(model.model())?;
    let reader = Reader::of(&archive)?;
    let tree = match kind {
        DecisionTreeClassifier::NAME => FittedDecisionTreeClassifier::restore(&reader)?.tree,
        _ => FittedDecisionTreeRegressor::restore(&reader)?.tree,
    };
    let features = names_of(&model.outputs());
    let classes = match model.task() {
        Some(Task::Classes(names)) => Some(names.as_slice()),
        _ => None,
    };
    let names = TreeNames { features: Some(&features), classes };
    Ok(Some(Drawn { text: tree.to_text(3, names), svg: tree.to_svg(Some(LEVELS), names) }))
}
