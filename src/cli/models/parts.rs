//! A table with its test part, and what is to be predicted.

use super::super::columns::{ColumnArgs, without};
use super::super::failure::{Failure, Outcome};
use super::super::{count, input, note};
use super::Held;
use super::names::Integers;
use super::train::Common;
use crate::data::{
    Dataset, Kind, ReadOptions, Stream, Table, Target, Task, digits, last_split, shuffled_split, stratified_split,
};
use crate::models::{
    Answers, Predicts,
    prepare::{Frame, Pipeline},
};
use crate::rng::Rng;
use std::path::Path;

/// Rows to learn from, and rows to score on.
pub(super) struct Parts {
    pub train: Table,
    pub test: Table,
    pub target: String,
    /// Where the test part is from.
    pub origin: String,
}

/// A table as it is read, with its target and what that is.
pub(super) struct Whole {
    pub table: Table,
    pub target: String,
    pub predicts: Predicts,
    /// What is said of its target, where it may be taken in two ways.
    pub line: Option<String>,
    /// The embedded digits: the rows of their test part.
    fixed_test: Option<Vec<usize>>,
}

impl Whole {
    /// Reads a file, or the embedded digits.
    pub fn read(data: &Path, target: Option<&str>, columns: &ColumnArgs, integers: &Integers<'_>) -> Outcome<Whole> {
        if input::is_digits(data) {
            columns.refuse("digits has columns of its own")?;
            if target.is_some() || integers.predicts(Kind::Integer) == Predicts::Values {
                let text = "digits has its own target, of classes; leave --target and --regression out, and take a model of classes";
                return Err(Failure::usage(text));
            }
            return embedded();
        }
        let options = columns.choose_of(data, ReadOptions::lenient(), target)?;
        let table = Table::read(data, &options)?;
        columns.check(table.source(), table.columns().iter().map(|column| (column.name.as_str(), column.kind())))?;
        let column = match target {
            Some(name) => table.column(name)?,
            None => table.columns().last().ok_or_else(|| Failure::failed(format!("{}: no columns", data.display())))?,
        };
        let codes = table.has_codes(&column.name) && !columns.is_text(&column.name);
        let (name, kind) = (column.name.clone(), kind_of(column.kind(), codes));
        let predicts = integers.predicts(kind);
        let table = match predicts == Predicts::Labels && codes {
            true => Table::read(data, &options.kind(&name, Kind::Text))?,
            false => table,
        };
        let line = (kind == Kind::Integer).then(|| integers.line(&name));
        Ok(Whole { table, target: name, predicts, line, fixed_test: None })
    }

    /// The rows to learn from and to score on: those of `test`, or a fifth held out as for `mlp`.
    pub fn parts(self, test: Option<&Path>, predicts: Predicts, held: Held) -> Outcome<Parts> {
        let Whole { table, target, fixed_test, .. } = self;
        let select = |rows: &[usize]| table.select(rows);
        if let Some(test) = fixed_test {
            let train: Vec<usize> = (0..table.rows()).filter(|row| test.binary_search(row).is_err()).collect();
            let origin = "its fixed split".to_string();
            return Ok(Parts { train: select(&train)?, test: select(&test)?, target, origin });
        }
        if let Some(file) = test {
            let origin = file.display().to_string();
            let columns = table.columns().iter().map(|column| (column.name.clone(), column.kind()));
            let test = Table::read(file, &like(columns, table.left_out(), (&target, predicts)))?;
            return Ok(Parts { train: table, test, target, origin });
        }
        let (train, test, how) = held_out(&table, &target, predicts, held, "a test: give a file by --test")?;
        Ok(Parts { train, test, target, origin: format!("{how}; --test FILE gives others") })
    }
}

/// A table without a share of its rows, those rows, and how they were chosen. `purpose` is said when there are too few.
pub(super) fn held_out(
    table: &Table,
    target: &str,
    predicts: Predicts,
    held: Held,
    purpose: &str,
) -> Outcome<(Table, Table, String)> {
    const SHARE: f64 = input::TEST_SHARE;
    let (frame, rows, percent) = (Frame::of(table, Some(target), predicts)?, table.rows(), 100.0 * SHARE);
    let (split, how) = match (held, &frame.answers) {
        (Held::Last, _) => (last_split(rows, SHARE), format!("the last {percent} % held out")),
        (Held::Drawn(seed), answers) => {
            let mut rng = Rng::seed(seed ^ input::SPLIT_STREAM);
            let (split, how) = match answers {
                Answers::Labels(labels, _) => (stratified_split(labels, SHARE, &mut rng), ", classes in proportion"),
                _ => (shuffled_split(rows, SHARE, &mut rng), ""),
            };
            (split, format!("{percent} % held out by seed {seed}{how}"))
        }
    };
    let split = split.map_err(|_| {
        let (name, few, what) = (table.source(), count(rows, "row"), describe(&frame));
        let (purpose, advice) = purpose.split_once(": ").unwrap_or((purpose, "give more"));
        Failure::failed(format!(
            "{name}: too few rows to hold out {percent} % for {purpose}: {few} of {what}; {advice}"
        ))
    })?;
    Ok((table.select(&split.train)?, table.select(&split.held_out)?, how))
}

/// Integers that are no numbers to `f64`, such as `007`, are integers all the same.
fn kind_of(kind: Kind, has_codes: bool) -> Kind {
    if has_codes { Kind::Integer } else { kind }
}

/// How another file of the same columns is read: they hold what they held in the first, and classes are as they are written.
fn like(
    columns: impl Iterator<Item = (String, Kind)>,
    left_out: &[String],
    (target, predicts): (&str, Predicts),
) -> ReadOptions {
    let kind = |(name, kind): (String, Kind)| match predicts == Predicts::Labels && name == target {
        true => (name, Kind::Text),
        false => (name, kind),
    };
    ReadOptions { kinds: columns.map(kind).collect(), ..without(ReadOptions::lenient(), left_out) }
}

/// A file larger than memory: its rows to learn from, a sample of them and the rows to score on, what is predicted, and what is
/// said of the target.
pub(super) fn streamed(
    common: &Common<'_>,
    integers: &Integers<'_>,
    seed: u64,
) -> Outcome<(Stream, Parts, Predicts, Option<String>)> {
    const MOST: usize = 50_000; // rows to score on: they are in memory, with all that is predicted of them
    let options = common.columns.choose(ReadOptions::lenient(), common.target, |options| {
        let stream = Stream::open(common.data, options)?;
        Ok((stream.columns().iter().map(|(name, _)| name.clone()).collect(), stream.left_out().to_vec()))
    })?;
    let stream = Stream::open(common.data, &options)?;
    common.columns.check(stream.source(), stream.columns().iter().map(|(name, kind)| (name.as_str(), *kind)))?;
    let named = |(name, _): &&(String, Kind)| common.target.is_none_or(|target| name == target);
    let Some((target, kind)) = stream.columns().iter().rev().find(named).cloned() else {
        let (file, name) = (common.data.display(), common.target.unwrap_or_default());
        return Err(Failure::failed(format!("{file}: no column of that name: given {name:?}")));
    };
    let codes = stream.has_codes(&target) && !common.columns.is_text(&target);
    let kind = kind_of(kind, codes);
    let predicts = integers.predicts(kind);
    let stream = match predicts == Predicts::Labels && codes {
        true => Stream::open(common.data, &options.kind(&target, Kind::Text))?,
        false => stream,
    };
    let (train, test, origin) = match common.test {
        Some(file) => {
            let options = like(stream.columns().iter().cloned(), stream.left_out(), (&target, predicts));
            let test = Table::read(file, &options)?;
            (stream, test, file.display().to_string())
        }
        None => {
            let fifth = (stream.rows() as f64 * input::TEST_SHARE) as usize;
            let held_out = stream.draw(fifth.min(MOST), seed ^ input::SPLIT_STREAM);
            let origin = format!("held out by seed {seed}; --test FILE gives others");
            (stream.without(&held_out)?, stream.select(&held_out)?, origin)
        }
    };
    let sample = Pipeline::sample(&train, seed)?;
    let line = (kind == Kind::Integer).then(|| integers.line(&target));
    Ok((train, Parts { train: sample, test, target, origin }, predicts, line))
}

/// Refuses text among the features of a table whose columns are taken as they are.
pub(super) fn check_raw(table: &Table, target: &str) -> Outcome {
    let columns = table.columns().iter().enumerate().filter(|(_, column)| column.name != target);
    let mut texts = columns.filter(|(_, column)| column.kind() == Kind::Text).peekable();
    let Some(place) = texts.peek().map(|(index, _)| table.place(0, *index)) else { return Ok(()) };
    let names: Vec<&str> = texts.map(|(_, column)| column.name.as_str()).collect();
    let which = if names.len() == 1 { "it" } else { "them" };
    Err(Failure::failed(format!(
        "{place}: column of text where numbers are needed; leave --raw out, which encodes {which}, or give --drop {}",
        names.join(",")
    )))
}

/// What is said where all answers are one number.
pub(super) fn constant(frame: &Frame) -> Option<String> {
    let Answers::Values(values) = &frame.answers else { return None };
    input::constant(&frame.target, values)
}

/// `4 features, 3 classes of species`.
pub(super) fn describe(frame: &Frame) -> String {
    let features = count(frame.features.len(), "feature");
    match &frame.task {
        Task::Classes(names) => {
            let hint = input::integers_hint(names);
            format!("{features}, {} classes of {}{hint}", names.len(), frame.target)
        }
        Task::Regression => format!("{features}, {} as a number", frame.target),
    }
}

/// A table of rows to predict or to score: a file, or all of the embedded digits.
pub(crate) fn read(data: &Path, options: &ReadOptions) -> Outcome<Table> {
    if !input::is_digits(data) {
        return Ok(Table::read(data, options)?);
    }
    let table = embedded()?.table;
    note(format_args!("data: digits: all {}, those of the test part among them", count(table.rows(), "row")));
    Ok(table)
}

fn embedded() -> Outcome<Whole> {
    let digits = digits()?;
    let rows = |data: &Dataset| data.rows();
    let (train, all) = (rows(&digits.train), rows(&digits.train) + rows(&digits.test));
    let schema = digits.train.schema();
    let (train_x, test_x) = (digits.train.features(), digits.test.features());
    let values: Vec<f64> = train_x.iter().chain(test_x).map(|&v| f64::from(v)).collect();
    let x = ndarray::Array2::from_shape_vec((all, schema.features.len()), values)
        .map_err(|e| Failure::failed(format!("digits: {e}")))?;
    let labels = [&digits.train, &digits.test].map(|data| match data.target() {
        Target::Labels(labels) => labels.iter().map(|&label| f64::from(label)).collect(),
        Target::Values(values) => values.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>(),
    });
    let features = Table::of_matrix("digits", &x, &schema.features)?;
    let target = crate::data::Column::numbers(&schema.target, labels.concat());
    let table = Table::new("digits", features.columns().iter().cloned().chain([target]).collect())?;
    let (target, fixed_test) = (schema.target.clone(), Some((train..all).collect()));
    Ok(Whole { table, target, predicts: Predicts::Labels, line: None, fixed_test })
}
