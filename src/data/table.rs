//! A table of named columns, each of numbers or of text.

use super::cell::shown;
use super::read;
use crate::error::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Named columns of equal length, read from a CSV file.
///
/// The file has a header row. Fields are separated by commas and may be quoted; line ends are LF, CRLF or CR; a UTF-8
/// byte-order mark is skipped; spaces around a field are dropped; blank lines are skipped. A column holds numbers when more
/// than half of its cells are written as numbers, and text otherwise.
///
/// ```
/// use tilework::data::{Table, Values};
/// let table = Table::parse_csv("length,species\n5.1,setosa\n6.3,virginica\n".as_bytes(), "flowers.csv")?;
/// assert_eq!(table.rows(), 2);
/// assert_eq!(table.column("length")?.values, Values::Numbers(vec![5.1, 6.3]));
///
/// let bad = Table::parse_csv("a,b\n1,2\n1,oops\n2,3\n".as_bytes(), "bad.csv").unwrap_err();
/// assert_eq!(bad.to_string(), r#"bad.csv:3:2 (b): not a number: "oops" in a column of numbers; correct it or remove the row"#);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub(super) source: String,
    pub(super) columns: Vec<Column>,
    /// The line of the file that each row begins on, from 1.
    pub(super) lines: Vec<u64>,
}

/// One column of a [`Table`].
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The name in the header row.
    pub name: String,
    /// One value a row.
    pub values: Values,
}

/// The values of a [`Column`].
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Finite numbers.
    Numbers(Vec<f64>),
    /// Non-empty text.
    Text(Vec<String>),
}

impl Table {
    /// Bytes that a CSV file may have. The file is held in memory while it is read.
    pub const MAX_BYTES: u64 = 2 << 30;

    /// Reads a CSV file.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Data`] with line and column for a row of another length than the
    /// header, a cell that is missing, infinite, too large or not a number in a column of numbers, an unclosed quote, a NUL
    /// byte, text that is not UTF-8, an empty or repeated column name, a file without rows, a field over 1 MiB, a record over
    /// 16 MiB, more than 65,536 columns, or a file over [`Table::MAX_BYTES`].
    pub fn read_csv(path: impl AsRef<Path>) -> Result<Table> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|source| Error::io(path, source))?;
        Table::parse_csv(file, &path.display().to_string())
    }

    /// Reads CSV text from anywhere. `name` stands for the file in errors.
    ///
    /// # Errors
    /// As [`Table::read_csv`].
    pub fn parse_csv(reader: impl Read, name: &str) -> Result<Table> {
        let mut bytes = Vec::new();
        reader.take(Table::MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|source| Error::io(name, source))?;
        if bytes.len() as u64 > Table::MAX_BYTES {
            return Err(Error::data(name, format!("too large: more than {} bytes; split the file", Table::MAX_BYTES)));
        }
        read::parse(&bytes, name)
    }

    /// The columns, in the file's order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The number of rows, without the header.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// The file or the name given for it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The column of that name.
    ///
    /// # Errors
    /// [`Error::Data`] when there is none; names those there are.
    pub fn column(&self, name: &str) -> Result<&Column> {
        let index = self.index_of(name)?;
        self.columns.get(index).ok_or_else(|| Error::internal("table", "a column vanished"))
    }

    /// The position of the column of that name.
    pub(super) fn index_of(&self, name: &str) -> Result<usize> {
        self.columns.iter().position(|column| column.name == name).ok_or_else(|| {
            let names = list(self.columns.iter().map(|column| column.name.as_str()));
            Error::data(&self.source, format!("no column of that name: given {}; the file has {names}", shown(name)))
        })
    }

    /// `FILE:LINE:COLUMN (name)` of a cell.
    pub(super) fn place(&self, row: usize, column: usize) -> String {
        let name = self.columns.get(column).map_or("", |c| c.name.as_str());
        place(&self.source, self.lines.get(row).copied().unwrap_or(0), column, name)
    }
}

/// `FILE:LINE:COLUMN (name)`; columns count from 1 there, from 0 here.
pub(super) fn place(source: &str, line: u64, column: usize, name: &str) -> String {
    let name = shown(name);
    format!("{source}:{line}:{} ({})", column + 1, name.trim_matches('"'))
}

/// Names for a message: the first ten, then how many more.
pub(super) fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let mut text = names.take(10).map(shown).collect::<Vec<_>>().join(", ");
    if count > 10 {
        text.push_str(&format!(" and {} more", count - 10));
    }
    text
}
