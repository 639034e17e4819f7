//! `tilework train --model …`: a table in; preparation, search, cross-validation, a model file and its test score out.

use super::super::columns::ColumnArgs;
use super::super::failure::{Failure, Outcome};
use super::super::score::short;
use super::super::{input, note, say, values as checked};
use super::classes::ClassArgs;
use super::fitted::{out_of_bag, weights};
use super::names::Integers;
use super::page::{Page, Trials};
use super::parts::{Parts, Whole, check_raw, constant, describe, held_out, streamed};
use super::scored::Scored;
use super::values::{axis, refused, settings, shown};
use super::warnings::{as_facts, warnings};
use super::watch::Fits;
use super::{Held, check_folds, check_score, explain, folds, json, names, other_sort, time};
use crate::data::{Stream, Table};
use crate::device::Device;
use crate::io::{check_writable, write_atomic};
use crate::models::linear::STREAMED;
use crate::models::prepare::{FittedPipeline, Frame, Pipeline, Plan};
use crate::models::selection::{
    Candidate, CrossValidation, GridSearch, OnPipeline, SCORES, Score, Search, cross_validate, score, search,
};
use crate::models::{Answers, Model, Predicts, Row};
use clap::Args;
use serde_json::{Value, json as value};
use std::path::Path;
use std::time::Instant;

/// What the network does not have.
#[derive(Args)]
pub(crate) struct ModelArgs {
    /// Settings of the model, for example alpha=0.1,fit_intercept=false; of a step as prepare.NAME
    #[arg(long, value_name = "NAME=VALUE,…", help_heading = HEADING)]
    set: Vec<String>,
    /// Take the columns as they are: no filling in, no scaling, no encoding
    #[arg(long, help_heading = HEADING)]
    raw: bool,
    /// Read DATA, CSV, Parquet or Arrow, a part at a time, as files larger than memory need; with linear, ridge and logistic
    #[arg(long, conflicts_with_all = ["cv", "search"], help_heading = HEADING)]
    stream: bool,
    /// Cross-validate with so many folds [default with --search: 5]
    #[arg(long, value_name = "FOLDS", value_parser = checked::at_least_one, allow_negative_numbers = true, help_heading = HEADING)]
    cv: Option<usize>,
    /// Cross-validate with so many folds that never look ahead: rows are in the order of time, and the last are the test
    #[arg(long, value_name = "FOLDS", value_parser = checked::at_least_one, conflicts_with_all = ["cv", "stream"], help_heading = HEADING)]
    cv_time: Option<usize>,
    /// Predict intervals too, which hold the truth with this probability, for example 0.9; a fifth of the rows measures them
    #[arg(long, value_name = "PROBABILITY", conflicts_with = "stream", help_heading = HEADING)]
    intervals: Option<f64>,
    /// Try these values of a setting, for example alpha=0.1,1,10; give it again for all combinations with another
    #[arg(long, value_name = "NAME=V1,V2,…", help_heading = HEADING)]
    search: Vec<String>,
    /// What a search and cross-validation go by, for example f1_macro or mae [default: accuracy, or r2 for numbers]
    #[arg(long, value_name = "SCORE", help_heading = HEADING)]
    scoring: Option<String>,
    #[command(flatten)]
    classes: ClassArgs,
}

pub(super) const HEADING: &str = "All models but mlp";

/// What all models share.
pub(crate) struct Common<'a> {
    pub model: &'a str,
    pub data: &'a Path,
    pub test: Option<&'a Path>,
    pub target: Option<&'a str>,
    pub columns: &'a ColumnArgs,
    pub regression: bool,
    pub device: &'a str,
    pub seed: Option<u64>,
    pub out: Option<&'a Path>,
    pub report: Option<&'a Path>,
    pub json: bool,
}

impl ModelArgs {
    /// The first option of these that was given.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            ("--set", !self.set.is_empty()),
            ("--raw", self.raw),
            ("--stream", self.stream),
            ("--cv", self.cv.is_some()),
            ("--cv-time", self.cv_time.is_some()),
            ("--intervals", self.intervals.is_some()),
            ("--search", !self.search.is_empty()),
            ("--scoring", self.scoring.is_some()),
        ];
        given.into_iter().chain(self.classes.given()).find(|(_, given)| *given).map(|(name, _)| name)
    }

    /// Refuses a setting that is given twice: one of the two would not count.
    fn check_twice(&self, grid: &[(String, Vec<Value>)]) -> Outcome {
        let mut given: Vec<(&str, String)> = Vec::new();
        for text in &self.set {
            given.extend(settings("--set", text)?.into_iter().map(|(name, _)| ("--set", name)));
        }
        given.extend(grid.iter().map(|(name, _)| ("--search", name.clone())));
        for (place, (option, name)) in given.iter().enumerate() {
            match given.iter().take(place).find(|(_, before)| before == name) {
                Some((before, _)) if before == option => {
                    let all = if *option == "--set" { "one value" } else { "all its values at once" };
                    return Err(Failure::usage(format!("{option} {name}: is given twice; give {all}")));
                }
                Some((before, _)) => {
                    return Err(Failure::usage(format!("{option} {name}: {before} gives it too; leave one out")));
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// A model with everything that was found on the way.
struct Work {
    row: &'static Row,
    plan: Plan,
    fitted: FittedPipeline,
    fit_seconds: f64,
    search: Option<Search>,
    folds: Option<CrossValidation>,
    scored: Scored,
    /// The share of the test rows that lie in their intervals.
    held: Option<f64>,
}

pub(crate) fn run(common: &Common<'_>, args: &ModelArgs) -> Outcome {
    let began = Instant::now();
    let (rows, asked) = (names::meant(common.model)?, [common.model]);
    let integers = Integers::of(common.regression, &asked)?;
    let choice = args.scoring.as_deref().map(score).transpose().map_err(|e| Failure::usage(e.to_string()))?;
    let grid = args.search.iter().map(|text| axis("--search", text)).collect::<Outcome<Vec<_>>>()?;
    let cv = args.cv.or(args.cv_time);
    args.check_twice(&grid)?;
    if let (Some(score), None, true) = (choice, cv, grid.is_empty()) {
        let text =
            format!("--scoring {}: is what --search, --cv and --cv-time go by; leave it out, or give one", score.name);
        return Err(Failure::usage(text));
    }
    if cv == Some(1) {
        return Err(Failure::usage("--cv 1: one fold has nothing to learn from; give at least 2"));
    }
    if let Some(coverage) = args.intervals.filter(|coverage| !(*coverage > 0.0 && *coverage < 1.0)) {
        return Err(Failure::usage(format!("--intervals {coverage}: give a probability between 0 and 1, such as 0.9")));
    }
    if let Some(row) = rows.iter().find(|row| args.stream && !STREAMED.contains(&row.name)) {
        let able = STREAMED.join(", ");
        return Err(Failure::usage(format!("--stream: {} needs all rows in memory; {able} do not", row.name)));
    }
    if let Some(option) = args.classes.needs_rows().filter(|_| args.stream) {
        return Err(Failure::usage(format!("{option} needs all rows in memory; leave it out, or --stream")));
    }
    let out = common
        .out
        .map_or_else(|| input::beside(common.data, &format!(".{}.safetensors", common.model)), Path::to_path_buf);
    outputs(common, &out)?;
    let device = Device::open(common.device)?;
    let seed = common.seed.unwrap_or(0);
    let held = if args.cv_time.is_some() { Held::Last } else { Held::Drawn(seed) };
    let (stream, mut parts, predicts, line) = match args.stream {
        true => {
            let (stream, parts, predicts, line) = streamed(common, &integers, seed)?;
            if args.raw {
                check_raw(&parts.train, &parts.target)?;
            }
            (Some(stream), parts, predicts, line)
        }
        false => {
            let whole = Whole::read(common.data, common.target, common.columns, &integers)?;
            let (predicts, line) = (whole.predicts, whole.line.clone());
            names::row(common.model, predicts)?;
            if args.raw {
                check_raw(&whole.table, &whole.target)?;
            }
            (None, whole.parts(common.test, predicts, held)?, predicts, line)
        }
    };
    let row = names::row(common.model, predicts)?;
    let name = parts.train.source().to_owned();
    let measured = match args.intervals {
        None => None,
        Some(_) if predicts == Predicts::Labels => {
            return Err(Failure::usage("--intervals: of numbers alone; classes have probabilities"));
        }
        Some(coverage) => {
            let (train, rows, how) = held_out(&parts.train, &parts.target, predicts, held, "intervals")?;
            parts.train = train;
            note(format_args!("intervals: measured on {} ({how})", super::super::count(rows.rows(), "row")));
            Some((rows, coverage))
        }
    };
    let plan = plan(row, args, common.seed, &parts)?;
    let frame = plan.pipeline.frame(&parts.train, Some(&parts.target))?;
    let frame = frame.on(&device);
    args.classes.check(&frame, &plan.pipeline)?;
    let train_rows = stream.as_ref().map_or(parts.train.rows(), |stream| stream.rows());
    let test_rows = parts.test.rows();
    let data_line = format!(
        "{name}: {} to learn from, {} to test on ({}); {}",
        super::super::count(train_rows, "row"),
        super::super::count(test_rows, "row"),
        parts.origin,
        describe(&frame)
    );
    note(format_args!("data: {data_line}"));
    line.iter().for_each(note);
    if parts.train.rows() == train_rows {
        constant(&frame).iter().for_each(note);
    }
    plan.lines.iter().for_each(|line| note(format_args!("preparation: {line}")));
    if stream.is_some() && parts.train.rows() < train_rows {
        note(format_args!("preparation: learnt from {} rows spread over all", parts.train.rows()));
    }

    let work = fit(row, plan, &frame, (&parts, stream.as_ref()), (grid, cv, choice, held), measured)?;
    work.fitted.save(&out)?;
    if let Some(path) = common.report {
        let html = page(common, &work, &parts.test, &data_line)?;
        write_atomic(path, |file| file.write_all(html.as_bytes()))?;
    }
    if common.json {
        let ended = work.fitted.ended();
        let summary = value!({
            "model": work.row.name,
            "data": common.data.display().to_string(),
            "device": {"kind": device.kind().to_string(), "name": device.name(), "reason": device.reason()},
            "rows": {"train": train_rows, "test": test_rows},
            "features": work.fitted.outputs().len(),
            "preparation": work.plan.lines,
            "settings": work.fitted.settings().settings,
            "threshold": work.fitted.threshold(),
            "seed": seed,
            "seconds": {"fit": work.fit_seconds, "total": began.elapsed().as_secs_f64()},
            "metrics": work.scored.json(),
            "converged": ended.converged,
            "rank": ended.rank,
            "oob_score": work.fitted.model().oob_score(),
            "cv": work.folds.as_ref().map(cv_json),
            "intervals": work.fitted.intervals().map(|i| value!({"coverage": i.coverage, "margin": i.margin, "held": work.held})),
            "search": work.search.as_ref().map(search_json),
            "out": out.display().to_string(),
        });
        return say(json(&summary)?);
    }
    say(work.scored.line("test"))?;
    if let Some(mistakes) = work.scored.mistakes()? {
        say(format_args!("\n{mistakes}"))?;
    }
    say(format_args!("model: {}", out.display()))?;
    common.report.map_or(Ok(()), |path| say(format_args!("report: {}", path.display())))
}

/// The steps and settings asked for, checked before any work.
fn plan(row: &Row, args: &ModelArgs, seed: Option<u64>, parts: &Parts) -> Outcome<Plan> {
    let mut plan = match args.raw {
        true => Plan { pipeline: Pipeline::raw(row), lines: Vec::new() },
        false => Pipeline::auto_with(&parts.train, &parts.test, Some(&parts.target), row)?,
    };
    if let Some(seed) = seed.filter(|_| row.settings().is_ok_and(|settings| settings.contains_key("seed"))) {
        plan.pipeline.settings.insert("seed".into(), seed.into());
    }
    if args.stream {
        plan.pipeline.settings.insert("solver".into(), "stochastic".into());
    }
    for text in &args.set {
        for (name, value) in settings("--set", text)? {
            plan.pipeline = plan.pipeline.set(&name, value).map_err(|e| refused("--set", &e))?;
        }
    }
    plan.pipeline.check().map_err(|e| refused("--set", &e))?;
    args.classes.apply(&mut plan, seed.unwrap_or(0))?;
    Ok(plan)
}

type Asked = (Vec<(String, Vec<Value>)>, Option<usize>, Option<&'static Score>, Held);

fn fit(
    row: &'static Row,
    mut plan: Plan,
    frame: &Frame,
    (parts, stream): (&Parts, Option<&Stream>),
    (grid, cv, choice, held): Asked,
    measured: Option<(Table, f64)>,
) -> Outcome<Work> {
    let problem = frame.problem();
    let folds = match (cv, grid.is_empty()) {
        (None, true) => None,
        (n, _) => Some(folds(&problem, n.unwrap_or(5), held)?),
    };
    let choice = choice.unwrap_or_else(|| Score::of_choice(row.predicts));
    if choice.predicts() != row.predicts {
        return Err(other_sort(choice, row.predicts));
    }
    folds.iter().try_for_each(|folds| check_folds(folds, choice))?;
    let mut found = None;
    let searched = !grid.is_empty();
    // Without a search the settings as they are, alone.
    let candidates = GridSearch { grid }.candidates()?;
    let trial = OnPipeline { pipeline: &plan.pipeline, problem: &problem };
    for candidate in &candidates {
        let tried = trial.with(candidate).and_then(|tried| tried.check().map(|()| tried));
        let tried = tried.map_err(|e| refused("--search", &e))?;
        let gives = row.gives_probabilities(&tried.settings)?;
        folds.iter().try_for_each(|folds| check_score(choice, gives, &problem, folds))?;
    }
    if let Some(folds) = folds.as_ref().filter(|_| searched) {
        let fits = Fits::new("search");
        let search = search(&trial, &candidates, folds, choice, &|done, all| fits.done(done, all))?;
        drop(fits);
        let best = search.best()?;
        note(format_args!("search: best of {}: {}", search.candidates.len(), candidate_line(best, &search)));
        plan.pipeline = trial.with(&best.settings)?;
        found = Some(search);
    }
    let fit = Instant::now();
    let fitted = match stream {
        None => plan.pipeline.fit_frame(&parts.train, frame)?,
        Some(stream) => plan.pipeline.fit_stream(stream, &parts.train, Some(&parts.target), frame.device.as_ref())?,
    };
    let fit_seconds = fit.elapsed().as_secs_f64();
    note(format_args!("fitted: {} in {}", row.name, time(fit_seconds)));
    warnings(&fitted).iter().for_each(note);
    let fitted = match &measured {
        Some((rows, coverage)) => fitted.with_intervals(rows, *coverage)?,
        None => fitted,
    };
    let test = fitted.frame(&parts.test)?;
    let held = share_held(&fitted, &parts.test, &test)?;
    answers(&fitted, held).iter().for_each(|(name, line)| note(format_args!("{name}: {line}")));
    let scored = Scored::of(&fitted, &test)?;
    let mut validated = None;
    if let Some(folds) = folds.filter(|_| cv.is_some()) {
        let has = |score: &&Score| {
            let of_test = score.name == choice.name || scored.metric(score.name).is_some();
            of_test && folds.iter().all(|fold| fold.test.len() >= score.least_rows())
        };
        let applying: Vec<_> = SCORES.iter().filter(has).collect();
        let trial = OnPipeline { pipeline: &plan.pipeline, problem: &problem };
        let fits = Fits::new("cross-validation");
        let done = cross_validate(&trial, &Default::default(), &folds, &applying, &|d, all| fits.done(d, all))?;
        drop(fits);
        let (mean, deviation) = done.summary(choice.name).unwrap_or((f64::NAN, f64::NAN));
        if mean.is_nan() {
            let text = format!("cross-validation: {} is of scores that {} does not give", choice.name, row.name);
            return Err(Failure::failed(text));
        }
        note(format_args!("cross-validation: {} {mean:.4} ± {deviation:.4} ({} folds)", choice.name, folds.len()));
        validated = Some(done);
    }
    Ok(Work { row, plan, fitted, fit_seconds, search: found, folds: validated, scored, held })
}

/// What its own rows say of a forest, and how a model's answers are meant: where its second class begins, and how wide its
/// intervals are.
fn answers(fitted: &FittedPipeline, held: Option<f64>) -> Vec<(&'static str, String)> {
    let of_rows =
        out_of_bag(fitted).map(|score| ("out-of-bag", format!("{score}, each row by the trees that did not draw it")));
    let threshold = fitted.threshold().map(|least| ("threshold", format!("the second class from {least:.4} on")));
    let intervals = fitted.intervals().zip(held).map(|(intervals, held)| {
        let (percent, margin) = (100.0 * intervals.coverage, short(intervals.margin));
        ("intervals", format!("± {margin} for {percent} %; {:.1} % of the test rows lie within", 100.0 * held))
    });
    of_rows.into_iter().chain(threshold).chain(intervals).collect()
}

/// The share of a table's rows whose answer lies in its interval, where there are intervals.
fn share_held(fitted: &FittedPipeline, table: &Table, frame: &Frame) -> Outcome<Option<f64>> {
    let (Some(ends), Answers::Values(truth)) = (fitted.predict_intervals(table)?, &frame.answers) else {
        return Ok(None);
    };
    let within = ends.iter().zip(truth).filter(|((low, high), y)| low <= y && *y <= high).count();
    Ok(Some(within as f64 / truth.len() as f64))
}

fn candidate_line(candidate: &Candidate, search: &Search) -> String {
    let settings = candidate.settings.iter().map(|(name, value)| format!("{name}={}", shown(value)));
    let settings = settings.collect::<Vec<_>>().join(", ");
    format!("{settings}: {} {:.4} ± {:.4}", search.score, candidate.mean, candidate.deviation)
}

fn cv_json(found: &CrossValidation) -> Value {
    let score = |(name, scores): (&&str, &Vec<f64>)| {
        let (mean, deviation) = found.summary(name).unwrap_or((f64::NAN, f64::NAN));
        ((*name).to_owned(), value!({"mean": mean, "deviation": deviation, "folds": scores}))
    };
    Value::Object(found.names.iter().zip(&found.scores).map(score).collect())
}

fn search_json(found: &Search) -> Value {
    let one = |c: &Candidate| value!({"settings": c.settings, "mean": c.mean, "deviation": c.deviation, "folds": c.scores, "seconds": c.seconds});
    let all: Vec<Value> = found.candidates.iter().map(one).collect();
    value!({"score": found.score, "best": found.best().map(|best| best.settings.clone()).unwrap_or_default(), "candidates": all})
}

/// The HTML page of a training run.
fn page(common: &Common<'_>, work: &Work, test: &Table, data_line: &str) -> Outcome<String> {
    let mut page = Page::new(work.row.name, &common.data.display().to_string());
    let answers = answers(&work.fitted, work.held);
    let notes: Vec<(&str, String)> = answers.into_iter().chain(as_facts(warnings(&work.fitted))).collect();
    page.facts(data_line, &work.plan.lines, &work.fitted.settings().settings, work.fit_seconds, &notes);
    page.scores(&work.scored, "test")?;
    if let Some(found) = &work.folds {
        page.folds(found);
    }
    if let Some(found) = &work.search {
        let rows = found.candidates.iter().map(|candidate| candidate_line(candidate, found)).collect();
        page.search(Trials {
            rows,
            best: found.best()?.settings.iter().map(|(n, v)| format!("{n}={}", shown(v))).collect(),
        });
    }
    page.weights(&weights(&work.fitted));
    let choice = Score::of_choice(work.row.predicts);
    let choice = if test.rows() < choice.least_rows() { score("mae")? } else { choice };
    let shuffled = explain::permutation(&work.fitted, &work.fitted.frame(test)?, choice, 5, 0)?;
    page.permutation(choice.name, &shuffled);
    if let Some(tree) = explain::tree(&work.fitted)? {
        page.tree(&tree);
    }
    Ok(page.html())
}

/// Whether results will have somewhere to go, asked before the work.
fn outputs(common: &Common<'_>, out: &Path) -> Outcome {
    let mut inputs = vec![common.data];
    inputs.extend(common.test);
    input::apart("--out", out, &inputs)?;
    check_writable(out)?;
    if let Some(report) = common.report {
        if report == out {
            let text = format!("--report {} is where the model goes; name another file", report.display());
            return Err(Failure::usage(text));
        }
        input::apart("--report", report, &inputs)?;
        check_writable(report)?;
    }
    Ok(())
}
