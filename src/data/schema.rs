//! The columns and classes that a fitted model knows, and new data checked against them.

use super::cell::{Cell, EXACT, MARKERS, keeps_digits, shown};
use super::chosen::Chosen;
use super::kind::Kind;
use super::options::ReadOptions;
use super::table::{Column, Table, Values, list};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What a model was trained on: the columns it needs, and what it predicts. Stored in model files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// The feature columns, in the order of the model's inputs.
    pub features: Vec<String>,
    /// The target column.
    pub target: String,
    /// What the target is.
    pub task: Task,
    /// Columns that may be there and are passed over: those that were left out as the file was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

/// What is predicted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One of these classes; a label is a position in this list.
    Classes(Vec<String>),
    /// A number.
    Regression,
}

impl Schema {
    /// How a file of new rows is to be read: with no missing cell, without the columns that are ignored, and with classes as they are
    /// written.
    pub fn read_options(&self) -> ReadOptions {
        let classes = matches!(self.task, Task::Classes(_)).then(|| (self.target.clone(), Kind::Text));
        ReadOptions {
            kinds: classes.into_iter().collect(),
            columns: Chosen::WithoutAny(self.ignored.clone()),
            separator: None,
            ..ReadOptions::default()
        }
    }

    /// The features of a table in the order of the schema, row by row: `[N, F]`. Columns are matched by name; the target
    /// column and those that are ignored may be there and are passed over.
    ///
    /// # Errors
    /// [`Error::Data`] that names what is missing and what is too much, a feature column of text, or a number beyond `f32`.
    pub fn features_of(&self, table: &Table) -> Result<Vec<f32>> {
        let wanted: HashSet<&str> = self.features.iter().map(String::as_str).collect();
        let passed: HashSet<&str> = self.ignored.iter().chain([&self.target]).map(String::as_str).collect();
        let given: Vec<&str> =
            table.columns().iter().map(|c| c.name.as_str()).filter(|name| !passed.contains(name)).collect();
        let here: HashSet<&str> = given.iter().copied().collect();
        let missing: Vec<&str> = self.features.iter().map(String::as_str).filter(|n| !here.contains(n)).collect();
        let unknown: Vec<&str> = given.iter().copied().filter(|n| !wanted.contains(n)).collect();
        if !missing.is_empty() || !unknown.is_empty() {
            let part = |what: &str, names: Vec<&str>| match names.len() {
                0 => String::new(),
                _ => format!("; {what} {}", list(names.into_iter())),
            };
            let message = format!(
                "other columns than the model's: {} features given, {} expected{}{}",
                given.len(),
                self.features.len(),
                part("missing", missing),
                part("not known to the model", unknown)
            );
            return Err(Error::data(table.source(), message));
        }
        let columns =
            self.features.iter().map(|name| numbers_of(table, table.index_of(name)?)).collect::<Result<Vec<_>>>()?;
        Ok((0..table.rows())
            .flat_map(|row| columns.iter().filter_map(move |column| column.get(row)))
            .copied()
            .collect())
    }
}

/// The class names of each row; `None` when the column is neither text nor integer.
pub(super) fn labels_of(column: &Column) -> Option<Box<dyn Iterator<Item = String> + '_>> {
    let integer = |v: &f64| v.fract() == 0.0 && v.abs() < EXACT;
    match &column.values {
        Values::Text(values) => Some(Box::new(values.iter().cloned())),
        Values::Numbers(values) if values.iter().all(integer) => {
            Some(Box::new(values.iter().map(|&v| (v as i64).to_string())))
        }
        Values::Numbers(_) => None,
    }
}

/// The class of that name; a file may write 1 as 1.0, and 0 as -0, but not as 01.
pub(crate) fn class_of(places: &HashMap<&str, u32>, name: &str) -> Option<u32> {
    let number = || match keeps_digits(name) {
        Some(false) => None,
        _ => places.get((name.parse::<f64>().ok().filter(|v| v.abs() < EXACT)? + 0.0).to_string().as_str()),
    };
    places.get(name).or_else(number).copied()
}

/// The distinct classes, integers in the order of their values.
pub(super) fn classes_of(column: &Column) -> Vec<String> {
    match &column.values {
        Values::Text(values) => values.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect(),
        Values::Numbers(values) => {
            values.iter().map(|&v| v as i64).collect::<BTreeSet<_>>().iter().map(i64::to_string).collect()
        }
    }
}

/// A column of numbers narrowed to `f32`.
pub(super) fn numbers_of(table: &Table, index: usize) -> Result<Vec<f32>> {
    match table.columns().get(index).map(|c| &c.values) {
        Some(Values::Numbers(values)) => values
            .iter()
            .enumerate()
            .map(|(row, &value)| {
                let narrow = value as f32;
                narrow.is_finite().then_some(narrow).ok_or_else(|| {
                    let message = match value.is_nan() {
                        true => "missing value; fill it in or remove the row".to_owned(),
                        false => format!("number too large: {value:e} is beyond 32-bit floats; scale the column"),
                    };
                    Error::data(table.place(row, index), message)
                })
            })
            .collect(),
        Some(Values::Text(values)) => {
            let row = values.iter().position(|text| Cell::read(text, &MARKERS) == Cell::Text).unwrap_or(0);
            let text = values.get(row).map_or_else(String::new, |text| shown(text));
            let message = format!("column of text where numbers are needed: {text}; encode it as numbers or remove it");
            Err(Error::data(table.place(row, index), message))
        }
        None => Err(Error::internal("dataset", "a column vanished")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_survives_json() {
        let mut schema = Schema {
            features: vec!["x".into()],
            target: "t".into(),
            task: Task::Classes(vec!["a".into()]),
            ignored: Vec::new(),
        };
        let text = serde_json::to_string(&schema).unwrap();
        assert_eq!(text, r#"{"features":["x"],"target":"t","task":{"classes":["a"]}}"#);
        assert_eq!(serde_json::from_str::<Schema>(&text).unwrap(), schema);
        schema.ignored.push("id".into());
        let text = serde_json::to_string(&schema).unwrap();
        assert_eq!(serde_json::from_str::<Schema>(&text).unwrap(), schema);
    }
}
