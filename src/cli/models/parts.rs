//! A table with its test part, and what is to be predicted.

use super::super::columns::{ColumnArgs, without};
use super::super::failure::{Failure, Outcome};
use super::super::{count, input};
use super::Held;
use super::train::Common;
use crate::data::{
    Dataset, Kind, ReadOptions, Stream, Table, Target, Task, digits, last_split, shuffled_split, stratified_split,
};
use crate::models::{
    Answers, Predicts, Row,
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
    /// The embedded digits: the rows of their test part.
    fixed_test: Option<Vec<usize>>,
}

impl Whole {
    /// Reads a file, or the embedded digits.
    pub fn read(data: &Path, target: Option<&str>, columns: &ColumnArgs, regression: bool) -> Outcome<Whole> {
        if input::is_digits(data) {
            columns.refuse("digits has columns of its own")?;
            if target.is_some() || regression {
                return Err(Failure::usage("digits has its own target; leave --target and --regression out"));
            }
            return embedded();
        }
        let table = Table::read(data, &columns.choose(ReadOptions::lenient(), target))?;
        let column = match target {
            Some(name) => table.column(name)?,
            None => table.columns().last().ok_or_else(|| Failure::failed(format!("{}: no columns", data.display())))?,
        };
        let predicts = predicts(column.kind(), regression, &[]);
        let target = column.name.clone();
        Ok(Whole { table, target, predicts, fixed_test: None })
    }

    /// What is predicted when one of these kinds is to do it: integers are numbers to a model that knows numbers alone.
    pub fn predicted_by(&self, rows: &[&'static Row]) -> Predicts {
        let kind = self.table.column(&self.target).map_or(Kind::Number, |column| column.kind());
        predicts(kind, self.predicts == Predicts::Values, rows)
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
            let test = Table::read(file, &without(ReadOptions::lenient(), table.left_out()))?;
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

/// What is predicted of a target of that kind, by one of these kinds of models where they are known: texts are classes, and
/// integers are too unless they are meant as numbers or the models know numbers alone.
fn predicts(kind: Kind, regression: bool, rows: &[&'static Row]) -> Predicts {
    let only_values = !rows.is_empty() && rows.iter().all(|row| row.predicts == Predicts::Values);
    match kind {
        Kind::Number => Predicts::Values,
        Kind::Integer if regression || only_values => Predicts::Values,
        _ => Predicts::Labels,
    }
}

/// A file larger than memory: its rows to learn from, a sample of them and the rows to score on, and what is predicted.
pub(super) fn streamed(common: &Common<'_>, rows: &[&'static Row], seed: u64) -> Outcome<(Stream, Parts, Predicts)> {
    const MOST: usize = 50_000; // rows to score on: they are in memory, with all that is predicted of them
    let stream = Stream::open(common.data, &common.columns.choose(ReadOptions::lenient(), common.target))?;
    let named = |(name, _): &&(String, Kind)| common.target.is_none_or(|target| name == target);
    let Some((target, kind)) = stream.columns().iter().rev().find(named).cloned() else {
        let (file, name) = (common.data.display(), common.target.unwrap_or_default());
        return Err(Failure::failed(format!("{file}: no column of that name: given {name:?}")));
    };
    let (train, test, origin) = match common.test {
        Some(file) => {
            let test = Table::read(file, &without(ReadOptions::lenient(), stream.left_out()))?;
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
    let predicts = predicts(kind, common.regression, rows);
    Ok((train, Parts { train: sample, test, target, origin }, predicts))
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
    Ok(Whole { table, target, predicts: Predicts::Labels, fixed_test })
}
