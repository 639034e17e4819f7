//! Records of CSV text, each with the line that it begins on. The `csv` crate splits records and fields; what it lets pass
//! (quotes left open, text after a closing quote, any size) is refused here.

use crate::error::{Error, Result};
use csv::ByteRecord;

pub(super) const MAX_RECORD: usize = 16 << 20;

/// Records with the exact line that each begins on. (The crate counts LF only, and from before blank lines.)
pub(super) struct Records<'a> {
    text: &'a [u8],
    source: &'a str,
    separator: u8,
    reader: csv::Reader<&'a [u8]>,
    /// The record read last.
    pub(super) record: ByteRecord,
    line: u64,
    after_cr: bool,
}

impl<'a> Records<'a> {
    pub(super) fn new(text: &'a [u8], source: &'a str, separator: u8) -> Records<'a> {
        let reader = reader(text, separator);
        Records { text, source, separator, reader, record: ByteRecord::new(), line: 1, after_cr: false }
    }

    /// Reads the next record into `self.record`; returns its line.
    pub(super) fn next(&mut self) -> Result<Option<u64>> {
        let start = self.offset();
        if !read_record(&mut self.reader, &mut self.record, self.source)? {
            return Ok(None);
        }
        let raw = self.text.get(start..self.offset()).unwrap_or_default();
        let blank = raw.iter().take_while(|&&b| b == b'\n' || b == b'\r').count();
        let (blank, raw) = raw.split_at_checked(blank).unwrap_or_default();
        self.count_lines(blank);
        let line = self.line;
        self.count_lines(raw);
        check_quotes(raw, self.separator, self.source, line)?;
        if raw.len() > MAX_RECORD {
            let message = format!("record too long: {} bytes; at most {MAX_RECORD}: is a quote left open?", raw.len());
            return Err(Error::data(format!("{}:{line}", self.source), message));
        }
        Ok(Some(line))
    }

    fn offset(&self) -> usize {
        usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX)
    }

    fn count_lines(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.line += u64::from(byte == b'\r' || byte == b'\n' && !self.after_cr);
            self.after_cr = byte == b'\r';
        }
    }
}

/// The crate's reader; rows of any length pass, so that their error can name the line.
pub(super) fn reader(text: &[u8], separator: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(text)
}

pub(super) fn read_record(reader: &mut csv::Reader<&[u8]>, record: &mut ByteRecord, source: &str) -> Result<bool> {
    reader.read_byte_record(record).map_err(|e| Error::data(source, format!("not readable as CSV: {e}")))
}

/// Refuses a quoted field that is never closed, or goes on after its closing quote: the crate would read both as text.
fn check_quotes(raw: &[u8], separator: u8, source: &str, line: u64) -> Result<()> {
    if !raw.contains(&b'"') {
        return Ok(());
    }
    #[derive(Clone, Copy)]
    enum State {
        Start,
        Plain,
        Quoted,
        Closed,
        Padded,
    }
    let mut state = State::Start;
    let mut column = 1;
    for &byte in raw {
        state = match (state, byte) {
            (State::Quoted, b'"') => State::Closed,
            (State::Quoted, _) => State::Quoted,
            (State::Start, b'"') | (State::Closed, b'"') => State::Quoted, // a doubled quote is a quote
            (_, byte) if byte == separator => {
                column += 1;
                State::Start
            }
            (_, b'\n' | b'\r') => State::Start, // only the record's own line end stands outside quotes
            (State::Closed | State::Padded, b' ' | b'\t') => State::Padded,
            (State::Closed | State::Padded, _) => {
                let message = "text after a closing quote; double a quote that belongs to the text";
                return Err(Error::data(format!("{source}:{line}:{column}"), message));
            }
            (State::Start | State::Plain, _) => State::Plain,
        };
    }
    match state {
        State::Quoted => Err(Error::data(
            format!("{source}:{line}:{column}"),
            "quote never closed: the field runs to the end of the file; close it",
        )),
        _ => Ok(()),
    }
}
