//! Tables of NumPy's archives: an array's first dimension is the rows, whatever follows is columns.

use super::options::ReadOptions;
use super::table::{Column, Table, Values};
use super::typed::fitting;
use crate::error::{Error, Result};
use crate::io::Npz;
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
        let arrays = names.iter().map(|name| columns_of(npz, name)).collect::<Result<Vec<_>>>()?;
        match names.iter().zip(&arrays).find(|(_, (dimensions, _))| *dimensions == 0) {
            Some((name, _)) => Err(Error::data(npz.place(name), "one value, no rows; take arrays of rows")),
            None => joined(npz, flat(arrays)),
        }
    }
}

/// All arrays of rows: those of several columns first, so that what is predicted stands last; single values are passed over.
pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Table> {
    let npz = Npz::open(path)?;
    if npz.bytes() > Table::MAX_BYTES {
        let message = format!("too large: more than {} bytes; split the file", Table::MAX_BYTES);
        return Err(Error::data(npz.source(), message));
    }
    let mut arrays = npz.names().iter().map(|name| columns_of(&npz, name)).collect::<Result<Vec<_>>>()?;
    arrays.retain(|(dimensions, _)| *dimensions > 0);
    arrays.sort_by_key(|(dimensions, _)| *dimensions == 1);
    let columns = flat(arrays);
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let (places, left_out) = options.columns.of(&names, npz.source())?;
    let columns = places.iter().filter_map(|&place| columns.get(place).cloned()).collect();
    fitting(Table { left_out, ..joined(&npz, columns)? }, options)
}

fn flat(arrays: Vec<Array>) -> Vec<Column> {
    arrays.into_iter().flat_map(|(_, columns)| columns).collect()
}

/// One table of them.
fn joined(npz: &Npz, columns: Vec<Column>) -> Result<Table> {
    let rows = columns.first().map_or(0, Column::len);
    if let Some(other) = columns.iter().find(|column| column.len() != rows) {
        let message = format!(
            "arrays of unequal rows: {} has {rows}, {} {}; save those that belong together as a file of their own",
            columns.first().map_or("", |column| &column.name),
            other.name,
            other.len()
        );
        return Err(Error::data(npz.source(), message));
    }
    match rows {
        0 => Err(Error::data(npz.source(), "no arrays of rows; save the examples and their targets by numpy.savez")),
        _ => Table::new(npz.source(), columns),
    }
}

fn columns_of(npz: &Npz, name: &str) -> Result<Array> {
    let (array, place) = (npz.member(name)?, npz.place(name));
    let width: usize = match array.shape.as_slice() {
        [] => return Ok((0, Vec::new())),
        [0, ..] => return Err(Error::data(place, "no rows: at least one is needed; save an array of examples")),
        [_, rest @ ..] => rest.iter().product(),
    };
    let names = (0..width).map(|i| if width == 1 { name.to_owned() } else { format!("{name}_{i}") });
    let columns = if array.is_text() {
        let texts = array.texts(&place)?;
        let column = |i: usize| Values::Text(texts.iter().skip(i).step_by(width).cloned().collect());
        names.enumerate().map(|(i, name)| Column { name, values: column(i) }).collect()
    } else {
        let values = array.tensor(&place)?.flat()?;
        let column = |i: usize| Values::Numbers(values.iter().skip(i).step_by(width).copied().collect());
        names.enumerate().map(|(i, name)| Column { name, values: column(i) }).collect()
    };
    // Without a column the rows would be lost.
    if width == 0 {
        return Err(Error::data(place, format!("shape {:?} has no columns; leave the array out", array.shape)));
    }
    Ok((array.shape.len(), columns))
}
