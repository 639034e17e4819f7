//! Columns of Arrow's arrays: what Parquet and Arrow files are read as, batch by batch.

use super::cell::shown;
use super::chosen::Chosen;
use super::moment::{clock, date, moment};
use super::options::ReadOptions;
use super::table::{Column, Table, Values, check_names, place};
use super::typed::fitting;
use crate::error::{Error, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrowPrimitiveType, RecordBatch};
use arrow_schema::{DataType, Schema, TimeUnit};
use serde_json::Value;
use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// A value that is no cell of a table: its row within the batch, and what is wrong.
type Fault = (usize, String);

/// The whole file, of which readers then take parts: what a damaged one says of its sizes cannot ask for more.
pub(super) fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let mut bytes = Vec::new();
    file.take(Table::MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| Error::io(path, e))?;
    check_size(&path.display().to_string(), bytes.len() as u64)?;
    Ok(bytes)
}

/// What `read` makes of a file, or an error where the crates that it calls panic. Whatever can be checked before is checked; but
/// within damaged pages that unpack well, parquet 60.1 and arrow-buffer 60.1 slice past the end, of a dictionary or of bytes of a
/// fixed size among others, where no caller can look. Nothing that was being made outlives the panic. A program that aborts on
/// panics aborts here too.
pub(super) fn contained<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(Error::format(path, "damaged file: what it says of its parts does not fit them; save it again"))
    })
}

/// Refuses more bytes than a table may have.
pub(super) fn check_size(source: &str, bytes: u64) -> Result<()> {
    if bytes > Table::MAX_BYTES {
        let message = format!("too large: more than {} bytes unpacked; split the file", Table::MAX_BYTES);
        return Err(Error::data(source, message));
    }
    Ok(())
}

/// The columns of the batches so far.
pub(super) struct Columns<'a> {
    source: &'a str,
    /// The place in the file of each column.
    places: Vec<usize>,
    columns: Vec<Column>,
    left_out: Vec<String>,
    rows: usize,
    /// Rows of the file before the first.
    before: usize,
    /// Of memory that the columns take.
    bytes: u64,
}

impl<'a> Columns<'a> {
    /// Empty columns, those that are chosen; refuses those whose values are no cells.
    pub(super) fn new(source: &'a str, schema: &Schema, options: &ReadOptions) -> Result<Columns<'a>> {
        // pandas' names of row labels that have none.
        let is_label = |name: &str| name.starts_with("__index_level_") && name.ends_with("__");
        let fields = schema.fields().iter().enumerate().filter(|(_, field)| !is_label(field.name()));
        let (all, fields): (Vec<usize>, Vec<_>) = fields.unzip();
        let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        check_names(source, names.iter().copied())?;
        let (mut chosen, mut left_out) = options.columns.of(&names, source)?;
        if !matches!(options.columns, Chosen::Only(_)) {
            let labels = row_labels(schema);
            let is_label = |place: &usize| names.get(*place).is_some_and(|name| labels.iter().any(|l| l == name));
            let passed = chosen.iter().filter(|place| is_label(place)).filter_map(|place| names.get(*place));
            left_out.extend(passed.map(|name| (*name).to_owned()));
            chosen.retain(|place| !is_label(place));
        }
        let (mut places, mut columns) = (Vec::new(), Vec::new());
        for (place, field) in chosen.into_iter().filter_map(|at| Some((all.get(at)?, fields.get(at)?))) {
            let values = empty(field.data_type()).map_err(|(what, advice)| {
                let kind = shown(&field.data_type().to_string()).replace('"', "");
                let message = format!("column of {what}, where each row has one value: {kind}; {advice}");
                Error::data(format!("{source} ({})", field.name()), message)
            })?;
            places.push(*place);
            columns.push(Column { name: field.name().clone(), values });
        }
        if columns.is_empty() {
            return Err(Error::data(source, "no columns; give at least one"));
        }
        Ok(Columns { source, places, columns, left_out, rows: 0, before: 0, bytes: 0 })
    }

    /// The same for rows of which so many come before them in the file.
    pub(super) fn after(self, before: usize) -> Columns<'a> {
        Columns { before, ..self }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the columns stand in the file, ascending.
    pub(super) fn places(&self) -> &[usize] {
        &self.places
    }

    /// Puts a batch of these columns below the others.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let cell = |column: &Column| if matches!(column.values, Values::Numbers(_)) { 8 } else { size_of::<String>() };
        let cells: usize = self.columns.iter().map(cell).sum();
        self.bytes = self.bytes.saturating_add((batch.num_rows() as u64).saturating_mul(cells as u64));
        check_size(self.source, self.bytes)?;
        for (index, column) in self.columns.iter_mut().enumerate() {
            let array = batch.columns().get(index);
            let array = array.ok_or_else(|| Error::internal("columns", "a batch of fewer columns than its schema"))?;
            fill(array, &mut column.values).map_err(|(row, text)| {
                let row = (self.before + self.rows + row) as u64 + 1;
                Error::data(place(self.source, row, index, &column.name), text)
            })?;
            if let Values::Text(texts) = &column.values {
                self.bytes += texts.iter().skip(self.rows).map(|text| text.len() as u64).sum::<u64>();
                check_size(self.source, self.bytes)?;
            }
        }
        self.rows += batch.num_rows();
        Ok(())
    }

    /// The table of all batches, as the options say.
    pub(super) fn table(self, options: &ReadOptions) -> Result<Table> {
        if self.rows == 0 {
            return Err(no_rows(self.source));
        }
        fitting(self.raw(), options)
    }

    /// The same before it is made to fit the options.
    pub(super) fn raw(self) -> Table {
        let lines = (self.before as u64 + 1..=(self.before + self.rows) as u64).collect();
        let source = self.source.to_owned();
        Table { source, columns: self.columns, lines, left_out: self.left_out, codes: Vec::new() }
    }
}

/// The columns that pandas says are the labels of its rows, such as `set_index` makes: they stand last, and say who a row is.
/// (Labels that are counted from 0 are described there by a record, and are no column.)
fn row_labels(schema: &Schema) -> Vec<String> {
    let about = schema.metadata().get("pandas").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let labels = about.as_ref().and_then(|about| about.get("index_columns")?.as_array());
    labels.into_iter().flatten().filter_map(|label| Some(label.as_str()?.to_owned())).collect()
}

/// The error of a file without rows.
pub(super) fn no_rows(source: &str) -> Error {
    Error::data(source, "no rows: at least one is needed; save a table of examples")
}

/// Values of what a type is read as; or what it is, and what to do instead.
fn empty(kind: &DataType) -> Result<Values, (&'static str, &'static str)> {
    const SPREAD: &str = "give each of its values a column of its own, or leave the column out by `ReadOptions::columns`, \
                          in the command by --drop";
    use DataType::*;
    match kind {
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Float16 | Float32 | Float64 => {
            Ok(Values::Numbers(Vec::new()))
        }
        Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => Ok(Values::Numbers(Vec::new())),
        Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView => Ok(Values::Text(Vec::new())),
        Boolean | Null | Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(..) => Ok(Values::Text(Vec::new())),
        Dictionary(_, kind) => empty(kind),
        List(_) | ListView(_) | LargeList(_) | LargeListView(_) | FixedSizeList(..) => Err(("lists", SPREAD)),
        Struct(_) => Err(("records", SPREAD)),
        Map(..) => Err(("maps", SPREAD)),
        Union(..) => Err(("unions", SPREAD)),
        RunEndEncoded(..) => Err(("runs", "save it without run-end encoding")),
        Duration(_) | Interval(_) => Err(("time spans", "save it as a number of seconds or days")),
        FixedSizeBinary(_) => {
            Err(("bytes", "save it as text or as numbers, or leave the column out by `ReadOptions::columns`"))
        }
    }
}

/// Puts an array's values below those there are.
fn fill(array: &dyn Array, values: &mut Values) -> Result<(), Fault> {
    match values {
        _ if matches!(array.data_type(), DataType::Dictionary(..)) => decode(array, values),
        Values::Numbers(out) => numbers(array, out).ok_or_else(|| changed(array)),
        Values::Text(out) => texts(array, out),
    }
}

fn changed(array: &dyn Array) -> Fault {
    (0, format!("a part of the column is of another type: {}; save the file again", array.data_type()))
}

/// A dictionary's values, as its codes say.
fn decode(array: &dyn Array, values: &mut Values) -> Result<(), Fault> {
    let dictionary = array.as_any_dictionary_opt().ok_or_else(|| changed(array))?;
    let mut codes = Vec::with_capacity(array.len());
    numbers(dictionary.keys(), &mut codes).ok_or_else(|| changed(array))?;
    let mut entries = match values {
        Values::Numbers(_) => Values::Numbers(Vec::new()),
        Values::Text(_) => Values::Text(Vec::new()),
    };
    let row_of = |entry: usize| codes.iter().position(|&code| code == entry as f64).unwrap_or(0);
    fill(dictionary.values(), &mut entries).map_err(|(entry, text)| (row_of(entry), text))?;
    let lost = |row: usize| (row, "code that is not in the column's dictionary; save the file again".to_owned());
    let place = |code: &f64| match *code {
        code if code.is_nan() => None,
        code if code < 0.0 => Some(usize::MAX),
        code => Some(code as usize),
    };
    let mut bytes = 0;
    match (values, &entries) {
        (Values::Numbers(out), Values::Numbers(entries)) => {
            for (row, place) in codes.iter().map(place).enumerate() {
                let number = place.map_or(Some(&f64::NAN), |place| entries.get(place));
                out.push(*number.ok_or_else(|| lost(row))?);
            }
        }
        (Values::Text(out), Values::Text(entries)) => {
            let none = String::new();
            for (row, place) in codes.iter().map(place).enumerate() {
                let text = place.map_or(Some(&none), |place| entries.get(place)).ok_or_else(|| lost(row))?;
                bytes += text.len() as u64;
                check_texts(row, bytes)?;
                out.push(text.clone());
            }
        }
        _ => return Err(changed(array)),
    }
    Ok(())
}

/// `None` for an array of another type.
fn numbers(array: &dyn Array, out: &mut Vec<f64>) -> Option<()> {
    use DataType::*;
    match array.data_type() {
        Int8 => each::<Int8Type>(array, out, f64::from),
        Int16 => each::<Int16Type>(array, out, f64::from),
        Int32 => each::<Int32Type>(array, out, f64::from),
        Int64 => each::<Int64Type>(array, out, |v| v as f64),
        UInt8 => each::<UInt8Type>(array, out, f64::from),
        UInt16 => each::<UInt16Type>(array, out, f64::from),
        UInt32 => each::<UInt32Type>(array, out, f64::from),
        UInt64 => each::<UInt64Type>(array, out, |v| v as f64),
        Float16 => each::<Float16Type>(array, out, f64::from),
        Float32 => each::<Float32Type>(array, out, f64::from),
        Float64 => each::<Float64Type>(array, out, |v| v),
        Decimal32(_, scale) => each::<Decimal32Type>(array, out, |v| decimal(v, *scale)),
        Decimal64(_, scale) => each::<Decimal64Type>(array, out, |v| decimal(v, *scale)),
        Decimal128(_, scale) => each::<Decimal128Type>(array, out, |v| decimal(v, *scale)),
        Decimal256(_, scale) => each::<Decimal256Type>(array, out, |v| decimal(v, *scale)),
        _ => None,
    }
}

fn each<T: ArrowPrimitiveType>(array: &dyn Array, out: &mut Vec<f64>, number: impl Fn(T::Native) -> f64) -> Option<()> {
    let values = array.as_primitive_opt::<T>()?;
    out.extend(values.iter().map(|value| value.map_or(f64::NAN, &number)));
    Some(())
}

/// `digits / 10^scale`, rounded once, as it would be read from text.
fn decimal(digits: impl Display, scale: i8) -> f64 {
    format!("{digits}e{}", -i32::from(scale)).parse().unwrap_or(f64::NAN)
}

fn texts(array: &dyn Array, out: &mut Vec<String>) -> Result<(), Fault> {
    use DataType::*;
    let written = |text: &str| Ok(text.to_owned());
    let outside =
        |text: Option<String>, what: &str| text.ok_or_else(|| format!("{what}; correct it or remove the row"));
    let date = |days: i64| outside(date(days), "date beyond the years 0000 to 9999");
    let clock = |parts: i64, per_second| outside(clock(parts, per_second), "time of day beyond 24 hours");
    match array.data_type() {
        Null => all((0..array.len()).map(|_| None::<()>), out, |()| Ok(String::new())),
        Boolean => all(array.as_boolean_opt().into_iter().flatten(), out, |truth| Ok(truth.to_string())),
        Utf8 => all(array.as_string_opt::<i32>().into_iter().flatten(), out, written),
        LargeUtf8 => all(array.as_string_opt::<i64>().into_iter().flatten(), out, written),
        Utf8View => all(array.as_string_view_opt().into_iter().flatten(), out, written),
        Binary => all(array.as_binary_opt::<i32>().into_iter().flatten(), out, decoded),
        LargeBinary => all(array.as_binary_opt::<i64>().into_iter().flatten(), out, decoded),
        BinaryView => all(array.as_binary_view_opt().into_iter().flatten(), out, decoded),
        Date32 => primitives::<Date32Type>(array, out, |days| date(days.into())),
        Date64 => primitives::<Date64Type>(array, out, |millis| date(millis.div_euclid(86_400_000))),
        Time32(TimeUnit::Second) => primitives::<Time32SecondType>(array, out, |v| clock(v.into(), 1)),
        Time32(_) => primitives::<Time32MillisecondType>(array, out, |v| clock(v.into(), 1000)),
        Time64(TimeUnit::Microsecond) => primitives::<Time64MicrosecondType>(array, out, |v| clock(v, 1_000_000)),
        Time64(_) => primitives::<Time64NanosecondType>(array, out, |v| clock(v, 1_000_000_000)),
        Timestamp(unit, zone) => {
            let text = |parts: i64, per_second: i64| {
                let text = outside(moment(parts, per_second), "date beyond the years 0000 to 9999")?;
                Ok(if zone.is_some() { format!("{text}Z") } else { text })
            };
            match unit {
                TimeUnit::Second => primitives::<TimestampSecondType>(array, out, |v| text(v, 1)),
                TimeUnit::Millisecond => primitives::<TimestampMillisecondType>(array, out, |v| text(v, 1000)),
                TimeUnit::Microsecond => primitives::<TimestampMicrosecondType>(array, out, |v| text(v, 1_000_000)),
                TimeUnit::Nanosecond => primitives::<TimestampNanosecondType>(array, out, |v| text(v, 1_000_000_000)),
            }
        }
        _ => Err(changed(array)),
    }
}

fn primitives<T: ArrowPrimitiveType>(
    array: &dyn Array,
    out: &mut Vec<String>,
    text: impl Fn(T::Native) -> Result<String, String>,
) -> Result<(), Fault> {
    let values = array.as_primitive_opt::<T>().ok_or_else(|| changed(array))?;
    all(values.iter(), out, text)
}

fn decoded(bytes: &[u8]) -> Result<String, String> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| "not UTF-8: an invalid byte sequence; save the column as text")?;
    Ok(text.to_owned())
}

/// A text for each value, none for a null.
fn all<T>(
    values: impl Iterator<Item = Option<T>>,
    out: &mut Vec<String>,
    text: impl Fn(T) -> Result<String, String>,
) -> Result<(), Fault> {
    let mut bytes = 0;
    for (row, value) in values.enumerate() {
        let text = value.map_or(Ok(String::new()), &text).map_err(|fault| (row, fault))?;
        bytes += text.len() as u64;
        check_texts(row, bytes)?;
        out.push(text);
    }
    Ok(())
}

/// Many rows may share one long text of the file, but not of the table.
fn check_texts(row: usize, bytes: u64) -> Result<(), Fault> {
    if bytes > Table::MAX_BYTES {
        return Err((row, format!("too large: more than {} bytes of text unpacked; split the file", Table::MAX_BYTES)));
    }
    Ok(())
}
