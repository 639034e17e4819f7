//! Columns by position or by name, as settings of boosting give them.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A column: its position from 0, or its name where the [`Problem`](crate::models::Problem) has names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "give columns by their names or by their positions from 0")]
pub enum ColumnChoice {
    /// So many columns come before it.
    Position(usize),
    /// It is called this.
    Name(String),
}

impl From<usize> for ColumnChoice {
    fn from(position: usize) -> ColumnChoice {
        ColumnChoice::Position(position)
    }
}

impl From<&str> for ColumnChoice {
    fn from(name: &str) -> ColumnChoice {
        ColumnChoice::Name(name.to_owned())
    }
}

/// How predictions may change as columns grow: 1 not fall, -1 not rise, 0 either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "give a list of 1, -1 or 0 for each column, or a map from columns' names to them")]
pub enum Monotonic {
    /// A direction for each column; none at all for no bounds.
    Each(Vec<i8>),
    /// Of some columns by their names; 0 for the others.
    Named(BTreeMap<String, i8>),
}

impl Default for Monotonic {
    fn default() -> Monotonic {
        Monotonic::Each(Vec::new())
    }
}

impl From<Vec<i8>> for Monotonic {
    fn from(each: Vec<i8>) -> Monotonic {
        Monotonic::Each(each)
    }
}

/// The columns of a problem, for what settings and messages call them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'a> {
    pub op: &'static str,
    pub names: Option<&'a [String]>,
    pub width: usize,
}

impl Columns<'_> {
    /// The place of the column of a name.
    fn named(&self, setting: &str, name: &str) -> Result<usize> {
        const SHOWN: usize = 30;
        let Some(names) = self.names else {
            let message = format!("{setting} = {name:?}; these columns have no names, so give positions from 0");
            return Err(Error::argument(self.op, message));
        };
        names.iter().position(|known| known == name).ok_or_else(|| {
            let more = if names.len() > SHOWN { ", …" } else { "" };
            let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
            Error::argument(self.op, format!("{setting} = {name:?}; no column is called that: there are {shown}{more}"))
        })
    }

    /// As messages call a column: its position, and its name where it has one.
    pub fn tell(&self, column: usize) -> String {
        match self.names.and_then(|names| names.get(column)) {
            Some(name) => format!("column {column} ({name})"),
            None => format!("column {column}"),
        }
    }

    /// The places of chosen columns.
    pub fn places(&self, setting: &str, chosen: &[ColumnChoice]) -> Result<Vec<usize>> {
        let place = |choice: &ColumnChoice| match choice {
            ColumnChoice::Position(position) if *position < self.width => Ok(*position),
            ColumnChoice::Position(position) => {
                let message = format!("{setting} = {position}; there are {} features, from 0", self.width);
                Err(Error::argument(self.op, message))
            }
            ColumnChoice::Name(name) => self.named(setting, name),
        };
        chosen.iter().map(place).collect()
    }

    /// The direction of each column; empty where none is bound.
    pub fn directions(&self, setting: &str, monotonic: &Monotonic) -> Result<Vec<i8>> {
        let error = |message: String| Err(Error::argument(self.op, message));
        let directions = match monotonic {
            Monotonic::Each(each) if each.is_empty() || each.len() == self.width => each.clone(),
            Monotonic::Each(each) => {
                return error(format!("{setting} = {each:?}; give one number for each of {} features", self.width));
            }
            Monotonic::Named(map) => {
                let mut directions = vec![0; self.width];
                for (name, &direction) in map {
                    if let Some(slot) = directions.get_mut(self.named(setting, name)?) {
                        *slot = direction;
                    }
                }
                directions
            }
        };
        match directions.iter().position(|direction| !(-1..=1).contains(direction)) {
            Some(column) => {
                let given = directions.get(column).copied().unwrap_or(0);
                error(format!("{setting} = {given} for {}; give 1, -1 or 0 for each feature", self.tell(column)))
            }
            None => Ok(directions),
        }
    }
}
