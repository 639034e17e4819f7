//! Tables of files whose columns have types of their own, made to fit the options that they are read with.

use super::kind::Kind;
use super::options::{MissingCells, ReadOptions};
use super::read::add;
use super::table::{Column, Table, Values, number};
use crate::error::{Error, Result};

/// The same table with the kinds that the options fix. The first cell that is infinite, or missing where that is refused, is
/// the error; the rest are counted.
pub(super) fn fitting(table: Table, options: &ReadOptions) -> Result<Table> {
    let Table { source, columns, lines, left_out, codes } = table;
    let (mut first, mut faults): (Option<(usize, usize, String)>, usize) = (None, 0);
    let mut fitted = Vec::with_capacity(columns.len());
    for (index, Column { name, values }) in columns.into_iter().enumerate() {
        let mut fault = |row: usize, text: String| {
            faults += 1;
            if first.as_ref().is_none_or(|(at, ..)| row < *at) {
                first = Some((row, index, text));
            }
        };
        let values = match (values, options.kind_of(&name)) {
            (Values::Text(texts), Some(Kind::Number | Kind::Integer)) => {
                let mut numbers = Values::Numbers(Vec::with_capacity(texts.len()));
                for (row, text) in texts.iter().enumerate() {
                    if let Some(text) = add(text.trim(), &mut numbers, &name, options) {
                        fault(row, text);
                    }
                }
                numbers
            }
            (Values::Numbers(numbers), Some(Kind::Boolean | Kind::Date | Kind::Text)) => {
                Values::Text(numbers.into_iter().map(number).collect())
            }
            (values, _) => values,
        };
        let column = Column { name, values };
        if let Values::Numbers(numbers) = &column.values {
            let infinite = numbers.iter().enumerate().filter(|(_, v)| v.is_infinite());
            infinite.for_each(|(row, _)| fault(row, "infinite value; remove the row or give a finite number".into()));
        }
        if options.missing == MissingCells::Refuse {
            let missing = (0..column.len()).filter(|&row| column.is_missing(row));
            missing.for_each(|row| fault(row, "missing value; fill it in or remove the row".into()));
        }
        fitted.push(column);
    }
    let table = Table { source, columns: fitted, lines, left_out, codes };
    match first {
        None => Ok(table),
        Some((row, column, text)) if faults == 1 => Err(Error::data(table.place(row, column), text)),
        Some((row, column, text)) => {
            Err(Error::data(table.place(row, column), format!("{text} ({} more cells like it)", faults - 1)))
        }
    }
}
