//! How a file of a table is to be read.

use super::cell::MARKERS;
use super::chosen::Chosen;
use super::kind::Kind;
use crate::error::{Error, Result};

/// How a file of a table is to be read; `Default` is strict: commas, and no missing value; and all columns. Markers and
/// separator are of CSV alone.
///
/// ```
/// use tilework::data::{MissingCells, ReadOptions, Table, Values};
/// let csv = "age;town\n31;Ulm\n;-\n";
/// let options = ReadOptions { missing: MissingCells::Keep, separator: None, ..ReadOptions::default() }.marker("-");
/// let table = Table::parse_csv_with(csv.as_bytes(), "people.csv", &options)?;
/// assert_eq!(table.column("town")?.values, Values::Text(vec!["Ulm".into(), "".into()]));
/// assert_eq!(table.column("age")?.missing(), 1);
///
/// let table = Table::parse_csv_with(csv.as_bytes(), "people.csv", &options.only(["town"]))?;
/// assert_eq!((table.columns().len(), table.left_out()), (1, &["age".to_string()][..]));
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// What a missing cell is.
    pub missing: MissingCells,
    /// What a missing cell reads, in any case: what pandas takes for one, such as `NA`, `N/A`, `NaN`, `null` and `#N/A`, and `None`
    /// in this spelling alone. An empty cell is always missing. [`ReadOptions::marker`] adds others.
    pub markers: Vec<String>,
    /// What stands between two fields, an ASCII character; `None` takes the one of comma, semicolon, tab and `|` that the header
    /// has most of.
    pub separator: Option<char>,
    /// What these columns hold, whatever their cells look like: a postcode is text though all its characters are digits. Names
    /// that the file does not have are passed over.
    pub kinds: Vec<(String, Kind)>,
    /// Which columns are read.
    pub columns: Chosen,
}

/// What a missing cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingCells {
    /// An error with its place.
    Refuse,
    /// Kept: NaN in a column of numbers, an empty text in one of text.
    Keep,
}

impl Default for ReadOptions {
    fn default() -> ReadOptions {
        let markers = MARKERS.map(String::from).to_vec();
        ReadOptions {
            missing: MissingCells::Refuse,
            markers,
            separator: Some(','),
            kinds: Vec::new(),
            columns: Chosen::All,
        }
    }
}

impl ReadOptions {
    /// Missing cells kept and the separator found: what a file from elsewhere asks for.
    pub fn lenient() -> ReadOptions {
        ReadOptions { missing: MissingCells::Keep, separator: None, ..ReadOptions::default() }
    }

    /// The same with one more marker of a missing cell.
    pub fn marker(mut self, marker: impl Into<String>) -> ReadOptions {
        self.markers.push(marker.into());
        self
    }

    /// The same with the kind of a column fixed.
    pub fn kind(mut self, column: impl Into<String>, kind: Kind) -> ReadOptions {
        self.kinds.push((column.into(), kind));
        self
    }

    /// The same with these columns alone: pandas' `usecols`. A name that is not there is an error.
    pub fn only<T: Into<String>>(self, columns: impl IntoIterator<Item = T>) -> ReadOptions {
        ReadOptions { columns: Chosen::Only(columns.into_iter().map(T::into).collect()), ..self }
    }

    /// The same with all columns but these. A name that is not there is an error.
    pub fn without<T: Into<String>>(self, columns: impl IntoIterator<Item = T>) -> ReadOptions {
        ReadOptions { columns: Chosen::Without(columns.into_iter().map(T::into).collect()), ..self }
    }

    /// The kind that was fixed for a column.
    pub(super) fn kind_of(&self, column: &str) -> Option<Kind> {
        self.kinds.iter().find(|(name, _)| name == column).map(|(_, kind)| *kind)
    }

    /// The byte between two fields of this text.
    pub(super) fn separator_of(&self, text: &[u8], source: &str) -> Result<u8> {
        match self.separator {
            None => Ok(find_separator(text)),
            Some(c) => match u8::try_from(c) {
                Ok(byte) if byte.is_ascii() && !b"\"\r\n\0".contains(&byte) => Ok(byte),
                _ => Err(Error::data(source, format!("separator {c:?}; give an ASCII character that is no quote"))),
            },
        }
    }
}

/// The commonest separator of the first line that is not blank; a comma where there is none.
fn find_separator(text: &[u8]) -> u8 {
    let mut counts = [(b',', 0usize), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    let blank = text.iter().take_while(|b| b"\r\n".contains(b)).count();
    for &byte in text.iter().skip(blank).take_while(|b| !b"\r\n".contains(b)) {
        quoted ^= byte == b'"';
        counts.iter_mut().filter(|(mark, _)| !quoted && *mark == byte).for_each(|(_, count)| *count += 1);
    }
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(mark, _)| mark) // of equals, the first in the list
}
