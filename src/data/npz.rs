//! Tables of NumPy's archives: an array's first dimension is the rows, whatever follows is columns.

use super::options::ReadOptions;
use super::table::{Column, Table, Values};
use super::typed::fitting;
use crate::error::{Error, Result};
use crate::io::{NpyArray, Npz};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Dimensions and columns of an array.
type Array = (usize, Vec<Column>);

impl Table {
    /// Columns of some arrays of an archive, in that order. An array of one dimension is a column of its name, and so is one of
    /// one column; a wider one gives `NAME_0`, `NAME_1`, …, as many as an example has numbers. NaN is a missing value.
    ///
    /// ```
    /// use tilework::data::{Dataset, Table};
    /// use tilework::io::Npz;
    /// let npz = Npz::open("tests/data/files/flowers.npz")?;
    /// let table = Table::of_npz(&npz, &["X", "y"])?;
    /// let names: Vec<&str> = table.columns().iter().map(|column| column.name.as_str()).collect();
    /// assert_eq!(names, ["X_0", "X_1", "y"]);
    /// let data = Dataset::from_table(&table, Some("y"))?;
    /// assert_eq!((data.rows(), data.width()), (6, 2));
    /// # Ok::<(), tilework::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Npz::array`]; [`Error::Data`] for arrays without rows or of unequal numbers of them, names used twice, and infinite
    /// numbers.
    pub fn of_npz(npz: &Npz, names: &[&str]) -> Result<Table> {
        let arrays = names.iter().map(|name| member(npz, name)).collect::<Result<Vec<_>>>()?;
        match names.iter().zip(&arrays).find(|(_, (dimensions, _))| *dimensions == 0) {
            Some((name, _)) => Err(Error::data(npz.place(name), "one value, no rows; take arrays of rows")),
            None => joined(npz.source(), flat(arrays)),
        }
    }
}

/// All arrays of rows: those of several columns first, so that what is predicted stands last; single values are passed over.
pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Table> {
    let npz = Npz::open(path)?;
    check_size(npz.source(), npz.bytes())?;
    let mut arrays = npz.names().iter().map(|name| member(&npz, name)).collect::<Result<Vec<_>>>()?;
    arrays.retain(|(dimensions, _)| *dimensions > 0);
    arrays.sort_by_key(|(dimensions, _)| *dimensions == 1);
    chosen(npz.source(), flat(arrays), options)
}

/// The array of a `.npy` file: columns `x0`, `x1` and so on, as models call those without a name.
pub(super) fn read_array(path: &Path, options: &ReadOptions) -> Result<Table> {
    let source = path.display().to_string();
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    check_size(&source, file.metadata().map_or(0, |about| about.len()))?;
    let array = NpyArray::read(BufReader::new(file), &source)?;
    match columns_of(&array, &source, &|i, _| format!("x{i}"))? {
        (0, _) => Err(Error::data(source, "one value, no rows; save an array of rows")),
        (_, columns) => chosen(&source, columns, options),
    }
}

fn check_size(source: &str, bytes: u64) -> Result<()> {
    if bytes > Table::MAX_BYTES {
        let message = format!("too large: more than {} bytes; split the file", Table::MAX_BYTES);
        return Err(Error::data(source, message));
    }
    Ok(())
}

/// A table of those that the options choose.
fn chosen(source: &str, columns: Vec<Column>, options: &ReadOptions) -> Result<Table> {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let (places, left_out) = options.columns.of(&names, source)?;
    let columns = places.iter().filter_map(|&place| columns.get(place).cloned()).collect();
    fitting(Table { left_out, ..joined(source, columns)? }, options)
}

fn flat(arrays: Vec<Array>) -> Vec<Column> {
    arrays.into_iter().flat_map(|(_, columns)| columns).collect()
}

/// One table of them.
fn joined(source: &str, columns: Vec<Column>) -> Result<Table> {
    let rows = columns.first().map_or(0, Column::len);
    if let Some(other) = columns.iter().find(|column| column.len() != rows) {
        let message = format!(
            "arrays of unequal rows: {} has {rows}, {} {}; save those that belong together as a file of their own",
            columns.first().map_or("", |column| &column.name),
            other.name,
            other.len()
        );
        return Err(Error::data(source, message));
    }
    match rows {
        0 => Err(Error::data(source, "no arrays of rows; save the examples and their targets by numpy.savez")),
        _ => Table::new(source, columns),
    }
}

fn member(npz: &Npz, name: &str) -> Result<Array> {
    let called = |i: usize, width: usize| if width == 1 { name.to_owned() } else { format!("{name}_{i}") };
    columns_of(&npz.member(name)?, &npz.place(name), &called)
}

/// The columns of an array, by what each is called of so many.
fn columns_of(array: &NpyArray, place: &str, called: &dyn Fn(usize, usize) -> String) -> Result<Array> {
    let width: usize = match array.shape.as_slice() {
        [] => return Ok((0, Vec::new())),
        [0, ..] => return Err(Error::data(place, "no rows: at least one is needed; save an array of examples")),
        [_, rest @ ..] => rest.iter().product(),
    };
    let names = (0..width).map(|i| called(i, width));
    let columns = if array.is_text() {
        let texts = array.texts(place)?;
        let column = |i: usize| Values::Text(texts.iter().skip(i).step_by(width).cloned().collect());
        names.enumerate().map(|(i, name)| Column { name, values: column(i) }).collect()
    } else {
        let values = array.tensor(place)?.flat()?;
        let column = |i: usize| Values::Numbers(values.iter().skip(i).step_by(width).copied().collect());
        names.enumerate().map(|(i, name)| Column { name, values: column(i) }).collect()
    };
    // Without a column the rows would be lost.
    if width == 0 {
        return Err(Error::data(place, format!("shape {:?} has no columns; leave the array out", array.shape)));
    }
    Ok((array.shape.len(), columns))
}
