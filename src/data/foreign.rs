//! Files that are given as CSV and are none, or begin with something else.

use super::cell::Cell;
use super::options::ReadOptions;
use crate::error::Error;
use csv::ByteRecord;

/// What a file is that is no CSV, by its first bytes, and what to do about it.
pub(super) fn other_file(head: &[u8]) -> Option<(&'static str, &'static str)> {
    const UNPACK: &str = "unpack it first";
    const TO_CSV: &str = "save it as CSV (pandas: to_csv(index=False))";
    const MARKS: [(&[u8], &str, &str); 11] = [
        (b"\x1f\x8b", "a gzip file", UNPACK),
        (b"BZh", "a bzip2 file", UNPACK),
        (b"\xfd7zXZ", "an xz file", UNPACK),
        (b"\x28\xb5\x2f\xfd", "a zstd file", UNPACK),
        (b"PK\x03\x04", "a zip archive, as a workbook (.xlsx) is too", "unpack it, or save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0", "a workbook of old (.xls)", "save the sheet as CSV"),
        (b"PAR1", "a Parquet file", "give its name the ending .parquet"),
        (b"ARROW1", "an Arrow file", "give its name the ending .arrow"),
        (b"\x93NUMPY", "an array of NumPy", "give its name the ending .npy"),
        (b"%PDF-", "a PDF", TO_CSV),
        (b"\x80\x04\x95", "a pickle of Python", TO_CSV),
    ];
    if let Some((_, what, advice)) = MARKS.iter().find(|(mark, ..)| head.starts_with(mark)) {
        return Some((what, advice));
    }
    let text = head.trim_ascii_start();
    let begins = |with: &str| text.get(..with.len()).is_some_and(|text| text.eq_ignore_ascii_case(with.as_bytes()));
    let inner = text.split_first().map(|(first, rest)| (*first, rest.trim_ascii_start().first().copied()));
    match inner {
        Some((b'{', Some(b'"'))) | Some((b'[', Some(b'{' | b'['))) => Some(("JSON", TO_CSV)),
        Some((b'<', _)) if ["<!doctype", "<html", "<?xml"].iter().any(|with| begins(with)) => {
            Some(("a page of HTML or XML", "save the table itself; was this meant to be downloaded?"))
        }
        _ => None,
    }
}

/// A first line of one field, which may be a title or a comment above the header: then all others are alike, and longer.
pub(super) struct Title {
    line: u64,
    /// Whether the next line reads as names do.
    words: bool,
    /// Of each line so far.
    fields: usize,
    is: bool,
}

impl Title {
    pub(super) fn new(line: u64) -> Title {
        Title { line, words: false, fields: 0, is: true }
    }

    /// One more line below it.
    pub(super) fn add(&mut self, record: &ByteRecord, options: &ReadOptions) {
        if self.fields == 0 {
            let text =
                |field: &[u8]| std::str::from_utf8(field).map(|field| Cell::read(field.trim(), &options.markers));
            self.words = record.iter().all(|field| text(field) == Ok(Cell::Text));
            self.fields = record.len();
        }
        self.is &= record.len() == self.fields && self.fields > 1;
    }

    /// The error of the first line, where it is one.
    pub(super) fn error(&self, names: &[String], source: &str) -> Option<Error> {
        let marked = names.first().is_some_and(|name| name.starts_with('#'));
        (self.is && (marked || self.words)).then(|| {
            let message = format!(
                "no header: the first line has 1 field, all others {}; remove it, so that the names of the columns come first",
                self.fields
            );
            Error::data(format!("{source}:{}", self.line), message)
        })
    }
}
