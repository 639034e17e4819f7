//! A table as a problem: its columns as one matrix, its target as answers.

use super::chain::OF_TEXT;
use super::transformer::{Feature, names_of};
use crate::data::{Column, Kind, Matrix, Table, Task, Values, class_of};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::models::{Answers, Labels, Prediction, Predicts, Problem};
use ndarray::Array2;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A table as models read it. Numbers are as they are, booleans 0 and 1, dates days since 1970-01-01, texts positions in the
/// list of their column's levels; NaN stands for what is missing.
///
/// ```
/// use tilework::data::Table;
/// use tilework::models::{Answers, Predicts, prepare::Frame};
/// let table = Table::parse_csv("size,colour,kind\n1,red,b\n2,blue,a\n".as_bytes(), "t.csv")?;
/// let frame = Frame::of(&table, None, Predicts::Labels)?; // the last column is the target
/// assert_eq!(frame.x, ndarray::array![[1.0, 1.0], [2.0, 0.0]]);
/// assert_eq!(frame.answers, Answers::Labels(vec![1, 0], 2));
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Frame {
    /// What the columns of `x` are.
    pub features: Vec<Feature>,
    /// Their names alone.
    pub names: Vec<String>,
    /// The rows, `[N, F]`.
    pub x: Array2<f64>,
    /// The texts that each column's numbers stand for, none of numbers: the levels, and then those that are none of them.
    pub texts: Vec<Arc<[String]>>,
    /// The column that is predicted.
    pub target: String,
    /// What is predicted.
    pub task: Task,
    /// The answers, one a row.
    pub answers: Answers,
    /// Where models that are built on tensors run: [`Device::auto`] when left out.
    pub device: Option<Device>,
    pub(super) faults: Faults,
}

/// Cells that a model may be unable to use, as errors that name them.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    /// The first gap of each feature that has one, by the feature's place.
    missing: BTreeMap<usize, Error>,
    /// What is said of each column of text, by its name, where numbers are needed.
    texts: BTreeMap<String, Error>,
    /// The first text that is none of its column's levels.
    unknown: Option<Error>,
    /// The first number below 0 of each feature that has one, and how a model that takes none begins what it says of it.
    below_zero: Vec<(String, Error)>,
}

impl Faults {
    /// The error of the cell to blame for what a step or a model says; `gap` is the feature whose gap it is, where that is known.
    pub(super) fn blame(&self, error: Error, gap: Option<usize>) -> Error {
        if let Error::Argument { message, .. } = &error
            && let Some(name) = message.strip_suffix(OF_TEXT).and_then(|name| name.strip_suffix(": "))
            && let Some(text) = self.texts.get(name)
        {
            return text.clone();
        }
        let missing = || gap.and_then(|gap| self.missing.get(&gap)).or_else(|| self.missing.values().next());
        let cell = match &error {
            Error::NonFinite { message, .. } if message.starts_with("NaN in row") => missing(),
            Error::Argument { message, .. } => {
                let below = self.below_zero.iter().find(|(begin, _)| message.starts_with(begin));
                below.map(|(_, cell)| cell).or(self.unknown.as_ref())
            }
            _ => None,
        };
        cell.cloned().unwrap_or(error)
    }
}

/// Predictions for the rows of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Numbers.
    Values(Vec<f64>),
    /// The names of classes.
    Classes(Vec<String>),
}

impl Frame {
    /// All columns but the target as features; the target is the last column unless named.
    ///
    /// # Errors
    /// [`Error::Data`] for a target that is not there, has missing cells, has one value in all rows or is not of the sort that
    /// is predicted; for a table without other columns.
    pub fn of(table: &Table, target: Option<&str>, predicts: Predicts) -> Result<Frame> {
        let target = target_of(table, target)?;
        Frame::with_task(table, &target.name, task_of(table, target, predicts)?)
    }

    /// As [`Frame::of`] where it is known what is predicted.
    pub(super) fn with_task(table: &Table, target: &str, task: Task) -> Result<Frame> {
        let features: Vec<Feature> = table.columns().iter().filter(|c| c.name != target).map(feature_of).collect();
        if features.is_empty() {
            let message = format!("no features: {target:?} is the only column; give others");
            return Err(Error::data(table.source(), message));
        }
        let read = matrix(table, &features, IN_FIT)?;
        let answers = answers_of(table, target, &task)?;
        let names = names_of(&features);
        Ok(Frame {
            features,
            names,
            x: read.x,
            texts: read.texts,
            target: target.to_owned(),
            task,
            answers,
            device: None,
            faults: read.faults,
        })
    }

    /// The same with models on a device.
    pub fn on(self, device: &Device) -> Frame {
        Frame { device: Some(device.clone()), ..self }
    }

    /// The frame as a problem.
    pub fn problem(&self) -> Problem<'_> {
        Problem {
            x: Matrix::with_texts(&self.x, &self.texts),
            y: self.answers.answer(),
            weights: None,
            names: Some(&self.names),
            device: self.device.as_ref(),
        }
    }
}

impl Outcome {
    /// Labels by the names of their classes.
    pub(super) fn new(prediction: Prediction, task: &Task) -> Outcome {
        match (prediction, task) {
            (Prediction::Values(values), _) => Outcome::Values(values),
            (Prediction::Labels(labels), Task::Classes(names)) => {
                let name = |label: u32| names.get(label as usize).cloned().unwrap_or_else(|| label.to_string());
                Outcome::Classes(labels.into_iter().map(name).collect())
            }
            (Prediction::Labels(labels), Task::Regression) => {
                Outcome::Classes(labels.iter().map(u32::to_string).collect())
            }
        }
    }
}

/// The target's column: the last unless named.
pub(super) fn target_of<'a>(table: &'a Table, name: Option<&str>) -> Result<&'a Column> {
    match name {
        Some(name) => table.column(name),
        None => table.columns().last().ok_or_else(|| Error::data(table.source(), "no columns")),
    }
}

/// What a column is to a model, with the levels it has here.
fn feature_of(column: &Column) -> Feature {
    let kind = column.kind();
    let levels = match (&column.values, kind) {
        (Values::Text(texts), Kind::Text) => {
            let levels: BTreeSet<&String> = texts.iter().filter(|text| !text.is_empty()).collect();
            levels.into_iter().cloned().collect()
        }
        _ => Vec::new(),
    };
    Feature { name: column.name.clone(), kind, levels }
}

fn task_of(table: &Table, target: &Column, predicts: Predicts) -> Result<Task> {
    let index = table.index_of(&target.name)?;
    if let Some(row) = (0..table.rows()).find(|&row| target.is_missing(row)) {
        let count = target.missing();
        let message = format!("target is missing in {count} of {} rows; fill it in or remove the rows", table.rows());
        return Err(Error::data(table.place(row, index), message));
    }
    let wrong = |what: &str| {
        let message = format!("target of {}s: {what}", target.kind().noun());
        Err(Error::data(table.place(0, index), message))
    };
    let task = match (predicts, &target.values) {
        (Predicts::Labels, Values::Numbers(values)) if values.iter().any(|v| v.fract() != 0.0) => {
            return wrong("the model tells classes apart; choose one that predicts numbers");
        }
        (Predicts::Labels, _) => Task::Classes(names_in(table, &target.name)?),
        (Predicts::Values, Values::Numbers(_)) => Task::Regression,
        (Predicts::Values, Values::Text(_)) => {
            return wrong("the model predicts numbers; choose one that tells classes apart");
        }
    };
    if let Task::Classes(names) = &task
        && names.len() < 2
    {
        return Err(Error::data(table.place(0, index), "target has one value in all rows; there is nothing to learn"));
    }
    Ok(task)
}

/// The classes in a column of text or of integers.
pub(super) fn names_in(table: &Table, target: &str) -> Result<Vec<String>> {
    table.check_classes(target)?;
    Ok(match &present(table, target)?.values {
        Values::Text(texts) => Labels::new(texts).names,
        Values::Numbers(values) => Labels::new(values.iter().map(|v| *v as i64)).names,
    })
}

/// A target column, which has no missing cell.
fn present<'a>(table: &'a Table, target: &str) -> Result<&'a Column> {
    let column = table.column(target)?;
    match (0..table.rows()).find(|&row| column.is_missing(row)) {
        None => Ok(column),
        Some(row) => {
            let place = table.place(row, table.index_of(target)?);
            Err(Error::data(place, "target is missing; fill it in or remove the row"))
        }
    }
}

/// The answers of a table's target column.
pub(super) fn answers_of(table: &Table, target: &str, task: &Task) -> Result<Answers> {
    let column = present(table, target)?;
    let index = table.index_of(target)?;
    match (task, &column.values) {
        (Task::Regression, Values::Numbers(values)) => Ok(Answers::Values(values.clone())),
        (Task::Regression, Values::Text(_)) => {
            Err(Error::data(table.place(0, index), "target of text; the model predicts numbers"))
        }
        (Task::Classes(names), values) => {
            table.check_classes(target)?;
            let place: HashMap<&str, u32> = names.iter().map(String::as_str).zip(0..).collect();
            let label = |(row, name): (usize, String)| {
                class_of(&place, &name).ok_or_else(|| {
                    let known = names.iter().take(10).map(|n| format!("{n:?}")).collect::<Vec<_>>().join(", ");
                    let message = format!("class {name:?} is not known; the classes are {known}");
                    Error::data(table.place(row, index), message)
                })
            };
            let names_here: Vec<String> = match values {
                Values::Text(texts) => texts.clone(),
                Values::Numbers(numbers) => numbers.iter().map(f64::to_string).collect(),
            };
            let labels = names_here.into_iter().enumerate().map(label).collect::<Result<_>>()?;
            Ok(Answers::Labels(labels, names.len()))
        }
    }
}

/// A table's columns as numbers.
pub(super) struct Read {
    pub x: Array2<f64>,
    /// As [`Frame::texts`].
    pub texts: Vec<Arc<[String]>>,
    pub faults: Faults,
}

/// What is said of a gap that nothing fills in, in rows that are learnt from.
pub(super) const IN_FIT: &str =
    "missing value, and the model takes no gaps; put an imputer before it (without raw there is one) or remove the row";

/// The same in rows that are predicted.
pub(super) const IN_PREDICTION: &str =
    "missing value, and there was none here to learn from; fill it in or remove the row";

/// The columns of `features`, matched by name, as numbers; `of_gap` is what is said of a gap that is to blame.
pub(super) fn matrix(table: &Table, features: &[Feature], of_gap: &str) -> Result<Read> {
    let x = Array2::zeros((table.rows(), features.len()));
    let mut read = Read { x, texts: Vec::with_capacity(features.len()), faults: Faults::default() };
    for (column, feature) in features.iter().enumerate() {
        let index = table.index_of(&feature.name)?;
        let values = numbers(table, index, feature, &mut read, of_gap)?;
        read.x.column_mut(column).iter_mut().zip(values).for_each(|(cell, value)| *cell = value);
    }
    Ok(read)
}

fn numbers(table: &Table, index: usize, feature: &Feature, read: &mut Read, of_gap: &str) -> Result<Vec<f64>> {
    let Some(column) = table.columns().get(index) else { return Err(Error::internal("frame", "a column vanished")) };
    if let Some(row) = (0..column.len()).find(|&row| column.is_missing(row)) {
        read.faults.missing.insert(read.texts.len(), Error::data(table.place(row, index), of_gap));
    }
    if let Values::Numbers(values) = &column.values
        && let Some((row, value)) = values.iter().enumerate().find(|(_, value)| **value < 0.0)
    {
        let message = format!(
            "{value} where counts are needed, which are at least 0; leave the column out, or take another model"
        );
        read.faults.below_zero.push((format!("{value} in row {row}, "), Error::data(table.place(row, index), message)));
    }
    let wrong = |row: usize, shown: &str| {
        let message = format!("no {}: {shown:?} in a column that was all {0}s; correct it", feature.kind.noun());
        Error::data(table.place(row, index), message)
    };
    let mut place: HashMap<String, f64> =
        (0..).map(f64::from).zip(&feature.levels).map(|(i, l)| (l.clone(), i)).collect();
    let mut texts = feature.levels.clone();
    let mut level = |row: usize, text: &str| match place.get(text) {
        _ if text.is_empty() => f64::NAN,
        Some(place) => *place,
        None => {
            if !feature.levels.is_empty() {
                read.faults.unknown.get_or_insert_with(|| {
                    let known = feature.levels.iter().take(10).map(|n| format!("{n:?}")).collect::<Vec<_>>().join(", ");
                    let message = format!("text that was not there to learn from: {text:?}; there were {known}");
                    Error::data(table.place(row, index), message)
                });
            }
            let beyond = texts.len() as f64;
            place.insert(text.to_owned(), beyond);
            texts.push(text.to_owned());
            beyond
        }
    };
    let values = match (&column.values, feature.kind) {
        (Values::Numbers(values), Kind::Number | Kind::Integer) => Ok(values.clone()),
        // A column of text that happens to hold numbers only here.
        (Values::Numbers(values), Kind::Text) => Ok(values
            .iter()
            .enumerate()
            .map(|(row, v)| if v.is_nan() { f64::NAN } else { level(row, &v.to_string()) })
            .collect()),
        (Values::Numbers(values), Kind::Boolean | Kind::Date) => {
            let fits = |v: &f64| v.is_nan() || feature.kind == Kind::Boolean && (*v == 0.0 || *v == 1.0);
            match values.iter().position(|v| !fits(v)) {
                Some(row) => Err(wrong(row, &values[row].to_string())),
                None => Ok(values.clone()),
            }
        }
        (Values::Text(texts), Kind::Text) => Ok(texts.iter().enumerate().map(|(row, text)| level(row, text)).collect()),
        (Values::Text(texts), kind) => {
            let number = |(row, text): (usize, &String)| match kind.number(text) {
                _ if text.is_empty() => Ok(f64::NAN),
                Some(number) => Ok(number),
                None => Err(wrong(row, text)),
            };
            texts.iter().enumerate().map(number).collect()
        }
    };
    if feature.kind == Kind::Text {
        let empty = column.missing() == column.len();
        let message = if empty { "column without a value in any row; leave it out" } else { OF_TEXT };
        read.faults.texts.insert(feature.name.clone(), Error::data(table.place(0, index), message));
        if texts.is_empty() {
            texts.push(String::new()); // a column of text, though all of it is missing here
        }
    }
    read.texts.push(texts.into());
    values
}
