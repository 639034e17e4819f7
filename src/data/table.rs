//! A table of named columns, each of numbers or of text.

use super::cell::{EXACT, shown};
use super::kind::Kind;
use super::matrix::Matrix;
use super::options::ReadOptions;
use super::read;
use crate::error::{Error, Result};
use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Named columns of equal length, read from a CSV file or made of columns.
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
    pub(super) left_out: Vec<String>,
    pub(super) codes: Vec<Code>,
}

/// A cell of a column of integers that reads otherwise once it is a number, such as `007`: the first of its column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Code {
    pub(super) column: String,
    pub(super) place: String,
    pub(super) text: String,
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
    /// Finite numbers; NaN where one is missing.
    Numbers(Vec<f64>),
    /// Text; empty where it is missing. Dates and booleans are kept as they were written: [`Column::kind`] knows them.
    Text(Vec<String>),
}

impl Column {
    /// Numbers of that name; NaN stands for a missing one.
    pub fn numbers(name: impl Into<String>, values: impl Into<Vec<f64>>) -> Column {
        Column { name: name.into(), values: Values::Numbers(values.into()) }
    }

    /// Texts of that name; an empty one is missing.
    pub fn text<T: ToString>(name: impl Into<String>, values: impl IntoIterator<Item = T>) -> Column {
        let values = values.into_iter().map(|value| value.to_string()).collect();
        Column { name: name.into(), values: Values::Text(values) }
    }

    /// What all its cells are that are not missing.
    pub fn kind(&self) -> Kind {
        match &self.values {
            Values::Numbers(values) => Kind::of_numbers(values),
            Values::Text(values) => Kind::of_text(values),
        }
    }

    /// How many cells it has.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Numbers(values) => values.len(),
            Values::Text(values) => values.len(),
        }
    }

    /// Whether it has no cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a cell is missing; one outside the column is.
    pub fn is_missing(&self, row: usize) -> bool {
        match &self.values {
            Values::Numbers(values) => values.get(row).is_none_or(|v| v.is_nan()),
            Values::Text(values) => values.get(row).is_none_or(String::is_empty),
        }
    }

    /// How many cells are missing.
    pub fn missing(&self) -> usize {
        (0..self.len()).filter(|&row| self.is_missing(row)).count()
    }

    fn select(&self, rows: &[usize]) -> Column {
        let values = match &self.values {
            Values::Numbers(values) => {
                Values::Numbers(rows.iter().filter_map(|&row| values.get(row)).copied().collect())
            }
            Values::Text(values) => Values::Text(rows.iter().filter_map(|&row| values.get(row)).cloned().collect()),
        };
        Column { name: self.name.clone(), values }
    }
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
        Table::read_csv_with(path, &ReadOptions::default())
    }

    /// Reads a CSV file as the options say.
    ///
    /// # Errors
    /// As [`Table::read_csv`], but for missing cells where they are kept.
    pub fn read_csv_with(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Table> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|source| Error::io(path, source))?;
        let source = path.display().to_string();
        if file.metadata().is_ok_and(|about| about.len() > Table::MAX_BYTES) {
            return Err(too_large(&source)); // before it is in memory
        }
        Table::parse_csv_with(file, &source, options)
    }

    /// Reads CSV text from anywhere. `name` stands for the file in errors.
    ///
    /// # Errors
    /// As [`Table::read_csv`].
    pub fn parse_csv(reader: impl Read, name: &str) -> Result<Table> {
        Table::parse_csv_with(reader, name, &ReadOptions::default())
    }

    /// Reads CSV text from anywhere as the options say.
    ///
    /// # Errors
    /// As [`Table::read_csv_with`].
    pub fn parse_csv_with(reader: impl Read, name: &str, options: &ReadOptions) -> Result<Table> {
        let mut bytes = Vec::new();
        reader.take(Table::MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|source| Error::io(name, source))?;
        if bytes.len() as u64 > Table::MAX_BYTES {
            return Err(too_large(name));
        }
        read::parse(&bytes, name, options)
    }

    /// A table of columns; `name` stands for a file in errors, and its rows count from 1 there.
    ///
    /// ```
    /// use tilework::data::{Column, Table};
    /// let table = Table::new("cups", vec![Column::numbers("size", [0.2, f64::NAN]), Column::text("drink", ["tea", "milk"])])?;
    /// assert_eq!(table.select(&[1])?.column("drink")?.values, Column::text("", ["milk"]).values);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Data`] for no column, columns of unequal length, names that are empty or used twice, and infinite numbers.
    pub fn new(name: &str, columns: Vec<Column>) -> Result<Table> {
        let rows =
            columns.first().map(Column::len).ok_or_else(|| Error::data(name, "no columns; give at least one"))?;
        check_names(name, columns.iter().map(|column| column.name.as_str()))?;
        for (index, column) in columns.iter().enumerate() {
            let at = |row: usize| place(name, row as u64 + 1, index, &column.name);
            if column.len() != rows {
                let message = format!("{} cells, the first column has {rows}; give as many", column.len());
                return Err(Error::data(format!("{name} ({})", column.name), message));
            }
            if let Values::Numbers(values) = &column.values
                && let Some(row) = values.iter().position(|v| v.is_infinite())
            {
                return Err(Error::data(at(row), "infinite value; give a finite number, or NaN for a missing one"));
            }
        }
        let lines = (1..=rows as u64).collect();
        Ok(Table { source: name.to_owned(), columns, lines, left_out: Vec::new(), codes: Vec::new() })
    }

    /// A table of a matrix's columns, with these names.
    ///
    /// # Errors
    /// As [`Table::new`]; another number of names than columns.
    pub fn of_matrix<'a>(name: &str, x: impl Into<Matrix<'a>>, names: &[String]) -> Result<Table> {
        let x = x.into();
        if names.len() != x.width() {
            return Err(Error::data(name, format!("{} names for {} columns; give one each", names.len(), x.width())));
        }
        Table::new(name, names.iter().enumerate().map(|(i, name)| Column::numbers(name, x.column(i))).collect())
    }

    /// The columns, in the file's order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The columns of the file that were not read, because others were chosen by [`ReadOptions::columns`]. A model that learns
    /// from this table passes them over in tables to predict.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
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

    /// The names of the columns of these kinds.
    pub fn names_of(&self, kinds: &[Kind]) -> Vec<String> {
        self.columns.iter().filter(|column| kinds.contains(&column.kind())).map(|column| column.name.clone()).collect()
    }

    /// The columns of these names, in this order.
    ///
    /// # Errors
    /// [`Error::Data`] for a name that is not there.
    pub fn with_columns(&self, names: &[&str]) -> Result<Table> {
        let columns = names.iter().map(|name| self.column(name).cloned()).collect::<Result<_>>()?;
        Ok(Table { columns, ..self.clone_without_columns() })
    }

    /// All columns but these.
    ///
    /// # Errors
    /// [`Error::Data`] for a name that is not there.
    pub fn without_columns(&self, names: &[&str]) -> Result<Table> {
        names.iter().try_for_each(|name| self.index_of(name).map(|_| ()))?;
        let keep = |column: &&Column| !names.contains(&column.name.as_str());
        Ok(Table { columns: self.columns.iter().filter(keep).cloned().collect(), ..self.clone_without_columns() })
    }

    /// The rows at `rows`, in that order; a row may be taken more than once.
    ///
    /// # Errors
    /// [`Error::Argument`] for a row past the end.
    pub fn select(&self, rows: &[usize]) -> Result<Table> {
        if let Some(row) = rows.iter().find(|&&row| row >= self.rows()) {
            return Err(Error::argument("select", format!("row {row} of {}; count from 0", self.rows())));
        }
        let columns = self.columns.iter().map(|column| column.select(rows)).collect();
        let lines = rows.iter().filter_map(|&row| self.lines.get(row)).copied().collect();
        Ok(Table { columns, lines, ..self.clone_without_columns() })
    }

    /// The rows without a missing cell in the columns of these names.
    ///
    /// # Errors
    /// [`Error::Data`] for a name that is not there.
    pub fn drop_missing_rows(&self, names: &[&str]) -> Result<Table> {
        let columns = names.iter().map(|name| self.column(name)).collect::<Result<Vec<_>>>()?;
        let rows: Vec<usize> =
            (0..self.rows()).filter(|&row| !columns.iter().any(|column| column.is_missing(row))).collect();
        self.select(&rows)
    }

    /// The columns of which at most this share of the cells, 0 to 1, is missing.
    pub fn drop_missing_columns(&self, most: f64) -> Table {
        let keep = |column: &&Column| column.missing() as f64 <= most * column.len() as f64;
        Table { columns: self.columns.iter().filter(keep).cloned().collect(), ..self.clone_without_columns() }
    }

    /// Writes it as CSV with a header row, so that reading it gives the same table; missing cells are empty.
    ///
    /// # Errors
    /// What the writer reports.
    pub fn write_csv(&self, out: impl Write) -> Result<()> {
        let fault = |e: csv::Error| Error::io("csv", std::io::Error::other(e));
        let mut out = csv::Writer::from_writer(out);
        out.write_record(self.columns.iter().map(|column| &column.name)).map_err(fault)?;
        for row in 0..self.rows() {
            let cell = |column: &Column| match &column.values {
                Values::Numbers(values) => values.get(row).map_or_else(String::new, |&v| number(v)),
                Values::Text(values) => values.get(row).cloned().unwrap_or_default(),
            };
            out.write_record(self.columns.iter().map(cell)).map_err(fault)?;
        }
        out.flush().map_err(|e| Error::io("csv", e))
    }

    /// Puts the rows of a table of the same columns below these.
    #[cfg(feature = "parquet")]
    pub(super) fn append(&mut self, below: Table) {
        self.lines.extend(below.lines);
        for (column, below) in self.columns.iter_mut().zip(below.columns) {
            match (&mut column.values, below.values) {
                (Values::Numbers(values), Values::Numbers(below)) => values.extend(below),
                (Values::Text(values), Values::Text(below)) => values.extend(below),
                _ => {} // of the same columns there are none
            }
        }
    }

    pub(super) fn clone_without_columns(&self) -> Table {
        let (source, lines, left_out) = (self.source.clone(), self.lines.clone(), self.left_out.clone());
        Table { source, columns: Vec::new(), lines, left_out, codes: self.codes.clone() }
    }

    /// Whether a column of integers has some that read otherwise once they are numbers: it must be read as text to be classes.
    pub(crate) fn has_codes(&self, name: &str) -> bool {
        self.codes.iter().any(|code| code.column == name)
    }

    /// Refuses a column of numbers as classes where two of them may have become one.
    pub(crate) fn check_classes(&self, name: &str) -> Result<()> {
        let index = self.index_of(name)?;
        let values = match self.columns.get(index).map(|column| &column.values) {
            Some(Values::Numbers(values)) => values,
            _ => return Ok(()),
        };
        let large = || {
            let row = values.iter().position(|v| v.abs() >= EXACT)?;
            let whole = values.iter().all(|v| v.is_nan() || v.fract() == 0.0);
            whole.then(|| (self.place(row, index), number(values[row])))
        };
        let written = self.codes.iter().find(|code| code.column == name);
        let Some((place, text)) = written.map(|code| (code.place.clone(), code.text.clone())).or_else(large) else {
            return Ok(());
        };
        let message = format!(
            "class {} reads otherwise once it is a number, and may be taken for another; read the column as text \
             (`ReadOptions::kind`)",
            shown(&text)
        );
        Err(Error::data(place, message))
    }

    /// The position of the column of that name.
    pub(crate) fn index_of(&self, name: &str) -> Result<usize> {
        self.columns.iter().position(|column| column.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            unknown(&self.source, name, &names)
        })
    }

    /// `FILE:LINE:COLUMN (name)` of a cell.
    pub(crate) fn place(&self, row: usize, column: usize) -> String {
        let name = self.columns.get(column).map_or("", |c| c.name.as_str());
        place(&self.source, self.lines.get(row).copied().unwrap_or(0), column, name)
    }
}

fn too_large(source: &str) -> Error {
    let message = format!("too large: more than {} bytes; split the file or read it as a Stream", Table::MAX_BYTES);
    Error::data(source, message)
}

/// Refuses names that are empty or used twice.
pub(super) fn check_names<'a>(source: &str, mut names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = HashSet::new();
    match names.find(|name| name.is_empty() || !seen.insert(*name)) {
        Some(name) => Err(Error::data(source, format!("column name {}: empty or used twice", shown(name)))),
        None => Ok(()),
    }
}

/// The error of a name that is none of a file's; of many names it lists those that begin most like it.
pub(super) fn unknown(source: &str, given: &str, names: &[&str]) -> Error {
    let alike = |name: &&str| name.chars().zip(given.chars()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    let mut names = names.to_vec();
    if names.len() > SHOWN_NAMES {
        names.sort_by_key(|name| std::cmp::Reverse(alike(name))); // stable: of equals, in the file's order
    }
    let names = list(names.into_iter());
    Error::data(source, format!("no column of that name: given {}; the file has {names}", shown(given)))
}

/// A number as a cell: the shortest text that reads back to it, nothing for a missing one.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        size if size.is_nan() => String::new(),
        size if size == 0.0 || (1e-5..1e16).contains(&size) => format!("{value}"),
        _ => format!("{value:e}"),
    }
}

/// `FILE:LINE:COLUMN (name)`; columns count from 1 there, from 0 here.
pub(super) fn place(source: &str, line: u64, column: usize, name: &str) -> String {
    let name = shown(name);
    format!("{source}:{line}:{} ({})", column + 1, name.trim_matches('"'))
}

const SHOWN_NAMES: usize = 10;

/// Names for a message: the first ten, then how many more.
pub(crate) fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let mut text = names.take(SHOWN_NAMES).map(shown).collect::<Vec<_>>().join(", ");
    if count > SHOWN_NAMES {
        text.push_str(&format!(" and {} more", count - SHOWN_NAMES));
    }
    text
}
