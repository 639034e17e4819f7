//! Files that are given as CSV and are none, or begin with something else.

use super::cell::Cell;
use super::options::ReadOptions;
use crate::error::Error;
use csv::ByteRecord;

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
