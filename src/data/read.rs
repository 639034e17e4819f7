//! CSV text to a [`Table`], in two passes: the first checks the form and finds what each column holds, the second fills the
//! columns, all of them or so many rows at a time.

use super::cell::{Cell, keeps_digits, shown};
use super::chosen::Chosen;
use super::foreign::Title;
use super::kind::{Kind, Seen};
use super::options::{MissingCells, ReadOptions};
use super::records::Records;
use super::table::{Code, Column, Table, Values, place};
use crate::error::{Error, Result};
use csv::ByteRecord;
use std::collections::HashSet;
use std::io::Read;

const MAX_FIELD: usize = 1 << 20;
const MAX_COLUMNS: usize = 65_536;

/// Reads a whole file's bytes; `source` names it in errors.
pub(super) fn parse(bytes: &[u8], source: &str, options: &ReadOptions) -> Result<Table> {
    let (header, form) = Form::find(Records::new(bytes, source, options)?, options)?;
    let mut records = Records::new(bytes, source, options)?;
    records.next()?; // the header
    fill(&mut records, (&header, &form), options, (form.rows, usize::MAX), &mut || true)
}

/// What the first pass finds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Form {
    /// Name and kind of each column that is read.
    pub columns: Vec<(String, Kind)>,
    /// The names of the others.
    pub left_out: Vec<String>,
    pub rows: usize,
    /// Of all rows.
    pub bytes: u64,
    pub codes: Vec<Code>,
}

/// The first row of a file.
#[derive(Debug)]
pub(super) struct Header {
    names: Vec<String>,
    /// Where the columns stand that are read.
    places: Vec<usize>,
}

impl Form {
    pub(super) fn find(mut records: Records<impl Read>, options: &ReadOptions) -> Result<(Header, Form)> {
        let Some(line) = records.next()? else {
            let message = "empty file: a header row and at least one row of data are needed";
            return Err(Error::data(&records.source, message));
        };
        let names = header(&records.record, &records.source, line, records.separator, &options.columns)?;
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let (places, left_out) = options.columns.of(&all, &records.source)?;
        let (mut rows, mut bytes) = (0, 0);
        let mut votes = vec![0i64; places.len()]; // cells written as numbers, less cells of text
        let mut seen = vec![Seen::default(); places.len()];
        let mut codes: Vec<Option<Code>> = vec![None; places.len()];
        let mut ragged: Option<(Error, usize)> = None;
        let mut title = (names.len() == 1).then(|| Title::new(line));
        loop {
            let line = match (records.next(), ragged.take()) {
                (Ok(Some(line)), before) => {
                    ragged = before;
                    line
                }
                (_, Some((first, more))) => {
                    let title = title.as_ref().and_then(|title| title.error(&names, &records.source));
                    return Err(title.unwrap_or_else(|| and_more(first, more)));
                }
                (Ok(None), None) => break,
                (Err(error), None) => return Err(error),
            };
            if let Some(title) = &mut title {
                title.add(&records.record, options);
            }
            if let Err(error) = check_length(&records.record, names.len(), &records.source, line) {
                ragged = Some(ragged.map_or((error, 0), |(first, more)| (first, more + 1)));
            }
            if ragged.is_some() {
                continue;
            }
            let found = votes.iter_mut().zip(&mut seen).zip(&mut codes);
            for (&column, ((vote, seen), code)) in places.iter().zip(found) {
                let (field, name) = (records.record.get(column).unwrap_or_default(), &names[column]);
                let field = field_text(field, || place(&records.source, line, column, name))?;
                let cell = Cell::read(field, &options.markers);
                match cell {
                    Cell::Missing => continue,
                    _ if cell.is_numeric() => *vote += 1,
                    _ => *vote -= 1,
                }
                seen.add(cell, field);
                if code.is_none() && keeps_digits(field) == Some(false) {
                    let place = place(&records.source, line, column, name);
                    *code = Some(Code { column: name.clone(), place, text: field.to_owned() });
                }
            }
            rows += 1;
            bytes += records.length as u64;
        }
        if rows == 0 {
            let message = "no rows: the file has a header only; at least one row of data is needed";
            return Err(Error::data(&records.source, message));
        }
        let of_codes = seen.iter().zip(codes).filter(|(seen, _)| seen.are_integers());
        let codes = of_codes.filter_map(|(_, code)| code).collect();
        let kind = |((&column, vote), seen): ((&usize, i64), Seen)| {
            let name = &names[column];
            let numeric = match options.kind_of(name) {
                Some(Kind::Number | Kind::Integer) => true,
                Some(Kind::Boolean | Kind::Date | Kind::Text) => false,
                None => vote > 0,
            };
            (name.clone(), seen.kind(numeric))
        };
        let columns = places.iter().zip(votes).zip(seen).map(kind).collect();
        Ok((Header { names, places }, Form { columns, left_out, rows, bytes, codes }))
    }
}

impl Header {
    /// An error when a file that is read again begins otherwise than before.
    pub(super) fn check(&self, records: &mut Records<impl Read>) -> Result<()> {
        let same = records.next()?.is_some()
            && records.record.len() == self.names.len()
            && records
                .record
                .iter()
                .zip(&self.names)
                .all(|(field, name)| std::str::from_utf8(field).is_ok_and(|field| field.trim() == name));
        if same { Ok(()) } else { Err(changed(&records.source)) }
    }
}

/// The error of a file that was written to between two passes.
pub(super) fn changed(source: &str) -> Error {
    Error::data(source, "the file changed while it was read; leave it alone until the work is done")
}

/// The second pass: the next rows, as many as `most.0` and as take `most.1` bytes of text, of those that `wanted` says yes to
/// (it is asked once a row, in order). The first unusable cell is the error; the rest are counted.
pub(super) fn fill(
    records: &mut Records<impl Read>,
    (header, form): (&Header, &Form),
    options: &ReadOptions,
    most: (usize, usize),
    wanted: &mut dyn FnMut() -> bool,
) -> Result<Table> {
    let capacity = if most.1 == usize::MAX { most.0 } else { 0 };
    let empty = |(_, kind): &(String, Kind)| match kind {
        Kind::Number | Kind::Integer => Values::Numbers(Vec::with_capacity(capacity)),
        _ => Values::Text(Vec::new()),
    };
    let mut values: Vec<Values> = form.columns.iter().map(empty).collect();
    let (mut lines, mut bytes) = (Vec::new(), 0);
    let (mut first, mut faults) = (None, 0usize);
    while lines.len() < most.0 && bytes < most.1 {
        let Some(line) = records.next()? else { break };
        if !wanted() {
            continue;
        }
        check_length(&records.record, header.names.len(), &records.source, line)?;
        bytes += records.length;
        lines.push(line);
        for ((&column, (name, _)), values) in header.places.iter().zip(&form.columns).zip(&mut values) {
            let field = records.record.get(column).unwrap_or_default();
            let at = || place(&records.source, line, column, name);
            let field = field_text(field, at)?;
            if let Some(fault) = add(field, values, name, options) {
                faults += 1;
                first.get_or_insert_with(|| (at(), fault));
            }
        }
    }
    match first {
        Some((place, fault)) if faults == 1 => Err(Error::data(place, fault)),
        Some((place, fault)) => Err(Error::data(place, format!("{fault} ({} more cells like it)", faults - 1))),
        None => {
            let column = |((name, _), values): (&(String, Kind), Values)| Column { name: name.clone(), values };
            let columns = form.columns.iter().zip(values).map(column).collect();
            let (source, left_out, codes) = (records.source.clone(), form.left_out.clone(), form.codes.clone());
            Ok(Table { source, columns, lines, left_out, codes })
        }
    }
}

/// Puts a cell below the others of its column; or says what is wrong with it.
pub(super) fn add(field: &str, values: &mut Values, name: &str, options: &ReadOptions) -> Option<String> {
    let keep = options.missing == MissingCells::Keep;
    match (Cell::read(field, &options.markers), values) {
        (Cell::Number(value), Values::Numbers(values)) => values.push(value),
        (Cell::Missing, Values::Numbers(values)) if keep => values.push(f64::NAN),
        (Cell::Missing, Values::Text(values)) if keep => values.push(String::new()),
        (Cell::Missing, _) => {
            return Some(format!("missing value: given {}; fill it in or remove the row", shown(field)));
        }
        (_, Values::Text(values)) => values.push(field.to_owned()),
        (Cell::Unusable(what, advice), _) => return Some(format!("{what}: given {}; {advice}", shown(field))),
        (Cell::Text, _) => {
            let advice = match (keep, options.kind_of(name).is_some()) {
                (true, false) => "correct it, read it as missing or read the column as text",
                (true, true) => "correct it or read it as missing",
                (false, _) => "correct it or remove the row",
            };
            return Some(format!("not a number: {} in a column of numbers; {advice}", shown(field)));
        }
    }
    None
}

/// The column names, which must be there unless it is left out, distinct and separated by what was said.
fn header(record: &ByteRecord, source: &str, line: u64, separator: u8, columns: &Chosen) -> Result<Vec<String>> {
    if record.len() > MAX_COLUMNS {
        return Err(Error::data(
            format!("{source}:{line}"),
            format!("too many columns: {}; at most {MAX_COLUMNS}", record.len()),
        ));
    }
    let mut names = Vec::with_capacity(record.len());
    let mut seen = HashSet::new();
    for (column, field) in record.iter().enumerate() {
        let at = |name: &str| place(source, line, column, name);
        let name = field_text(field, || at(""))?;
        if name.is_empty() && (!columns.leaves_out(name) || seen.contains(name)) {
            let advice = if column + 1 == record.len() && column > 0 {
                "remove the trailing comma or name it"
            } else if column == 0 {
                "name it; or if it holds row labels, save the table without (pandas: index=False), or leave out column \"\""
            } else {
                "name it"
            };
            return Err(Error::data(at(""), format!("column without a name; {advice}")));
        }
        if !seen.insert(name) {
            return Err(Error::data(at(name), "column name used twice; rename one of the two"));
        }
        names.push(name.to_owned());
    }
    match names.as_slice() {
        [only] if separator == b',' && only.contains([';', '\t']) => Err(Error::data(
            place(source, line, 0, only),
            "one column whose name holds semicolons or tabs; separate the fields by commas",
        )),
        _ => Ok(names),
    }
}

/// Refuses a row that has not one field for each column.
fn check_length(record: &ByteRecord, columns: usize, source: &str, line: u64) -> Result<()> {
    if record.len() == columns {
        return Ok(());
    }
    let advice = match record.iter().next_back() {
        Some(last) if record.len() > columns && last.trim_ascii().is_empty() => "remove the trailing comma",
        _ if record.len() > columns => "quote a field that holds a comma, and write decimals with a point",
        _ => "fill in the missing fields",
    };
    let fields = if record.len() == 1 { "field" } else { "fields" };
    let message = format!("row of another length: {} {fields}, the header has {columns}; {advice}", record.len());
    Err(Error::data(format!("{source}:{line}"), message))
}

/// The error of a row, and how many more have the like.
fn and_more(first: Error, more: usize) -> Error {
    match (first, more) {
        (Error::Data { place, message }, 1..) => {
            let rows = if more == 1 { "row" } else { "rows" };
            Error::data(place, format!("{message} ({more} more {rows} of another length)"))
        }
        (first, _) => first,
    }
}

/// A field as trimmed text.
fn field_text(field: &[u8], at: impl Fn() -> String) -> Result<&str> {
    if field.len() > MAX_FIELD {
        let message = format!("field too long: {} bytes; at most {MAX_FIELD}: is a quote left open?", field.len());
        return Err(Error::data(at(), message));
    }
    if field.contains(&0) {
        return Err(Error::data(at(), "NUL byte: the file is binary or UTF-16; save it as UTF-8 text"));
    }
    match std::str::from_utf8(field) {
        Ok(text) => Ok(text.trim()),
        Err(_) => Err(Error::data(at(), "not UTF-8: an invalid byte sequence; save the file as UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::MAX_RECORD;
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &[u8], name: &str) -> Result<Table> {
        super::parse(text, name, &ReadOptions::default())
    }

    fn error(text: &[u8]) -> String {
        parse(text, "t.csv").unwrap_err().to_string()
    }

    fn numbers(text: &str) -> Vec<Vec<f64>> {
        let column = |c: Column| match c.values {
            Values::Numbers(values) => values,
            Values::Text(_) => panic!("{} is text", c.name),
        };
        parse(text.as_bytes(), "t.csv").unwrap().columns.into_iter().map(column).collect()
    }

    #[test]
    fn every_line_end_a_mark_and_blank_lines_read_the_same() {
        let expected = vec![vec![1.0, 3.0], vec![2.0, 4.0]];
        for text in [
            "a,b\n1,2\n3,4\n",
            "a,b\n1,2\n3,4",
            "a,b\r\n1,2\r\n3,4\r\n",
            "a,b\r1,2\r3,4\r",
            "\u{feff}a,b\n1,2\n3,4\n",
            "\n\na,b\n\n1,2\r\n\r\n3,4\n\n",
            "\"a\",b
\"1\" ,2
3, 4 
",
        ] {
            assert_eq!(numbers(text), expected, "{text:?}");
        }
    }

    #[test]
    fn errors_name_the_line_whatever_the_line_ends() {
        for end in ["\n", "\r\n", "\r", "\n\n", "\r\n\r\n"] {
            let text = ["a,b", "1,2", "\"x\n,\",4", "5"].join(end);
            let lines = end.replace("\r\n", "\n").len();
            let expected = format!("t.csv:{}: row of another length: 1 field, the header has 2", 3 * lines + 2);
            assert!(error(text.as_bytes()).starts_with(&expected), "{end:?}: {}", error(text.as_bytes()));
        }
    }

    #[test]
    fn quoted_fields_hold_commas_quotes_and_line_ends() {
        let table = parse(b"t,n\n\"a,\"\"b\"\"\nc\",1\n5\" pipe,2\n", "t.csv").unwrap();
        assert_eq!(table.columns[0].values, Values::Text(vec!["a,\"b\"\nc".into(), "5\" pipe".into()]));
        assert_eq!(table.lines, [2, 4]);
    }

    #[test]
    fn a_column_is_of_numbers_when_most_of_its_cells_are() {
        assert!(matches!(parse(b"a\n1\nx\ny\n", "t.csv").unwrap().columns[0].values, Values::Text(_)));
        assert!(matches!(parse(b"a\n1\nx\n", "t.csv").unwrap().columns[0].values, Values::Text(_)));
        assert!(error(b"a\n1\nx\n2\n").starts_with("t.csv:3:1 (a): not a number: \"x\""));
    }

    /// The named cases: file, beginning of the message.
    const CASES: &[(&[u8], &str)] = &[
        (b"", "t.csv: empty file"),
        (b"\xef\xbb\xbf", "t.csv: empty file"),
        (b"\n\r\n\n", "t.csv: empty file"),
        (b"a,b\n", "t.csv: no rows: the file has a header only"),
        (b"a,b", "t.csv: no rows"),
        (b"\xff\xfea\x00,\x00", "t.csv: not UTF-8: the file begins as UTF-16"),
        (b"\xfe\xff\x00a", "t.csv: not UTF-8: the file begins as UTF-16"),
        (b"a,b\n1,2,3\n", "t.csv:2: row of another length: 3 fields, the header has 2; quote a field"),
        (b"a,b\n1,2,\n", "t.csv:2: row of another length: 3 fields, the header has 2; remove the trailing comma"),
        (b"a,b\n1,2\n3\n", "t.csv:3: row of another length: 1 field, the header has 2; fill in"),
        (b"a,b\n1,5,2,5\n", "t.csv:2: row of another length: 4 fields"),
        (
            b"a,b\n1,2\n3\n4,5\n6\n7,8,9\n1,\"2\" x\n3\n",
            "t.csv:3: row of another length: 1 field, the header has 2; fill in the missing fields (2 more rows of another length)",
        ),
        (
            b"a,b\n3\nx,\xff\n6\n",
            "t.csv:2: row of another length: 1 field, the header has 2; fill in the missing fields (1 more row of another length)",
        ),
        (b"a,,c\n1,2,3\n", "t.csv:1:2 (): column without a name; name it"),
        (b"a,b,\n1,2,3\n", "t.csv:1:3 (): column without a name; remove the trailing comma"),
        (b",a,b\n0,1,2\n", "t.csv:1:1 (): column without a name; name it; or if it holds row labels, save"),
        (b"# my data\na,b\n1,2\n", "t.csv:1: no header: the first line has 1 field, all others 2; remove it"),
        (b"\nSales of 2024\n\na,b,c\n1,2,3\n", "t.csv:2: no header: the first line has 1 field, all others 3"),
        (b"# my data\n1,2\n3,4\n", "t.csv:1: no header: the first line has 1 field, all others 2"),
        (b"a\n1,5\n2,5\n", "t.csv:2: row of another length: 2 fields, the header has 1; quote a field"),
        (b"a\nx,y\n2\n", "t.csv:2: row of another length: 2 fields, the header has 1"),
        (b"\x1f\x8b\x08\x00", "t.csv: a gzip file, where CSV is read; unpack it first"),
        (
            b"PK\x03\x04\x14\x00",
            "t.csv: a zip archive, as a workbook (.xlsx) is too, where CSV is read; unpack it, or save",
        ),
        (b"[{\"a\": 1}]", "t.csv: JSON, where CSV is read; save it as CSV"),
        (b" {\n \"a\": 1}", "t.csv: JSON, where CSV is read; save it as CSV"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html>\n", "t.csv: a page of HTML or XML, where CSV is read; save the table itself"),
        (b"a, a\n1,2\n", "t.csv:1:2 (a): column name used twice"),
        (b"a;b\n1;2\n", "t.csv:1:1 (a;b): one column whose name holds semicolons or tabs"),
        (b"a\tb\n1\t2\n", "t.csv:1:1 (a\\tb): one column whose name holds semicolons or tabs"),
        (b"a,b\n1,\n", "t.csv:2:2 (b): missing value: given \"\""),
        (b"a,b\n1,2\nNA,2\n", "t.csv:3:1 (a): missing value: given \"NA\""),
        (b"a,b\n1,2\nnan,2\n", "t.csv:3:1 (a): missing value: given \"nan\""),
        (b"a,b\nx,2\n ,2\n", "t.csv:3:1 (a): missing value: given \"\""),
        (b"a,b\n1,2\ninf,2\n", "t.csv:3:1 (a): infinite value: given \"inf\""),
        (b"a,b\n1e400,2\n", "t.csv:2:1 (a): number too large: given \"1e400\""),
        (b"a,b\n\"1,5\",2\n", "t.csv:2:1 (a): comma in a number: given \"1,5\"; write 1.5 with a point"),
        (b"a,b\n\"1,234,567\",2\n", "t.csv:2:1 (a): thousands separators in a number"),
        (b"a,b\n1,2\nx,2\n2,2\n", "t.csv:3:1 (a): not a number: \"x\" in a column of numbers"),
        (
            b"a,b\n1,\n,2\n3,\n",
            "t.csv:2:2 (b): missing value: given \"\"; fill it in or remove the row (2 more cells like it)",
        ),
        (b"a,b\n1,\"2\n3,4\n", "t.csv:2:2: quote never closed"),
        (b"a,\"b\n1,2\n", "t.csv:1:2: quote never closed"),
        (b"a,b\n\"1\"2,3\n", "t.csv:2:1: text after a closing quote"),
        (b"a,b\n1,\"2\" \"3\"\n", "t.csv:2:2: text after a closing quote"),
        (b"a,b\n1,2\x00\n", "t.csv:2:2 (b): NUL byte"),
        (b"a\x00,b\n1,2\n", "t.csv:1:1 (): NUL byte"),
        (b"a,b\n1,\xe9t\xe9\n", "t.csv:2:2 (b): not UTF-8: an invalid byte sequence"),
        (b"\xe9,b\n1,2\n", "t.csv:1:1 (): not UTF-8"),
    ];

    #[test]
    fn each_malformed_file_names_its_place_and_fault_on_one_line() {
        for (text, begin) in CASES {
            let message = error(text);
            assert!(message.starts_with(begin), "{:?} gave {message}", String::from_utf8_lossy(text));
            assert!(!message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn fields_records_and_columns_have_limits() {
        let field = format!("a,b\n1,{}\n", "x".repeat(MAX_FIELD + 1));
        assert!(error(field.as_bytes()).starts_with("t.csv:2:2 (b): field too long: 1048577 bytes"));
        let record = format!("a,b\n1,{}\n", "x,".repeat(MAX_RECORD / 2));
        assert!(error(record.as_bytes()).starts_with("t.csv:2: record too long"));
        let columns = format!("{}x\n", "x,".repeat(MAX_COLUMNS));
        assert!(error(columns.as_bytes()).starts_with("t.csv:1: too many columns: 65537"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, "t.csv");
        }

        #[test]
        fn bytes_of_the_grammar_give_a_table_of_equal_columns_or_an_error(
            bytes in prop::collection::vec(prop::sample::select(b"a1.,,,\"\"\n\n\r -e\xe9\0;".to_vec()), 0..60)
        ) {
            if let Ok(table) = parse(&bytes, "t.csv") {
                for column in &table.columns {
                    let rows = match &column.values {
                        Values::Numbers(values) => values.len(),
                        Values::Text(values) => values.len(),
                    };
                    prop_assert_eq!(rows, table.rows());
                }
            }
        }

        #[test]
        fn every_finite_number_survives(values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO, 1..20)) {
            let text = format!("a\n{}\n", values.iter().map(|v| format!("{v:e}")).collect::<Vec<_>>().join("\n"));
            prop_assert_eq!(numbers(&text), vec![values]);
        }

        #[test]
        fn text_survives_quoting(cells in prop::collection::vec("[a-z\",\r\n é]{0,8}", 1..10)) {
            let cells: Vec<String> = cells.iter().map(|cell| format!("x{cell}x")).collect();
            let rows = cells.iter().map(|cell| format!("\"{}\"\n", cell.replace('"', "\"\""))).collect::<String>();
            let table = parse(format!("a\n{rows}").as_bytes(), "t.csv").unwrap();
            prop_assert_eq!(&table.columns[0].values, &Values::Text(cells));
        }
    }
}
