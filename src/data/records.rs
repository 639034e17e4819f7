//! Records of CSV text, each with the line that it begins on. The `csv` crate splits records and fields; what it lets pass
//! (quotes left open, text after a closing quote, any size) is refused here. Text comes from any reader, and no more of it is
//! held than a record and what was read ahead.

use super::foreign::other_file;
use super::options::ReadOptions;
use crate::error::{Error, Result};
use csv::ByteRecord;
use std::io::{self, Chain, Cursor, Read};

pub(super) const MAX_RECORD: usize = 16 << 20;

/// Bytes that are asked of a file at once.
const BUFFER: usize = 1 << 16;

/// What a file of UTF-8 may begin with.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Records with the exact line that each begins on. (The crate counts LF only, and from before blank lines.)
pub(super) struct Records<R> {
    reader: csv::Reader<Tape<Chain<Cursor<Vec<u8>>, R>>>,
    pub(super) source: String,
    pub(super) separator: u8,
    /// The record read last.
    pub(super) record: ByteRecord,
    /// Bytes of it.
    pub(super) length: usize,
    lines: Lines,
}

impl<R: Read> Records<R> {
    /// Of text from its beginning: a mark of its encoding is skipped, the separator found where it is to be.
    pub(super) fn new(mut text: R, source: &str, options: &ReadOptions) -> Result<Records<R>> {
        let mut head = Vec::new();
        while !has_line(&head) && head.len() <= MAX_RECORD {
            let more = head.len().max(BUFFER) as u64;
            let read = text.by_ref().take(more).read_to_end(&mut head).map_err(|e| Error::io(source, e))?;
            if read == 0 {
                break;
            }
        }
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return Err(Error::data(source, "not UTF-8: the file begins as UTF-16; save it as UTF-8"));
        }
        if head.starts_with(MARK) {
            head.drain(..MARK.len());
        }
        if let Some((what, advice)) = other_file(&head) {
            return Err(Error::data(source, format!("{what}, where CSV is read; {advice}")));
        }
        let separator = options.separator_of(&head, source)?;
        let tape = Tape { inner: Cursor::new(head).chain(text), kept: Vec::new(), first: 0, done: 0, full: false };
        let mut builder = csv::ReaderBuilder::new();
        // Rows of any length pass, so that their error can name the line.
        let reader =
            builder.has_headers(false).flexible(true).delimiter(separator).buffer_capacity(BUFFER).from_reader(tape);
        let lines = Lines { line: 1, after_cr: false };
        Ok(Records { reader, source: source.to_owned(), separator, record: ByteRecord::new(), length: 0, lines })
    }

    /// Reads the next record into `self.record`; returns its line.
    pub(super) fn next(&mut self) -> Result<Option<u64>> {
        let start = self.reader.position().byte();
        self.reader.get_mut().done = start;
        let read = self.reader.read_byte_record(&mut self.record);
        let (end, tape) = (self.reader.position().byte(), self.reader.get_ref());
        let raw = tape.between(start, if tape.full { u64::MAX } else { end });
        let blank = raw.iter().take_while(|&&b| b == b'\n' || b == b'\r').count();
        let (blank, raw) = raw.split_at_checked(blank).unwrap_or_default();
        self.lines.count(blank);
        let line = self.lines.line;
        self.lines.count(raw);
        self.length = raw.len();
        match read {
            Ok(false) => return Ok(None),
            Ok(true) if raw.len() <= MAX_RECORD => {}
            Err(e) if !tape.full => {
                return Err(match e.into_kind() {
                    csv::ErrorKind::Io(e) => Error::io(&self.source, e),
                    kind => Error::data(&self.source, format!("not readable as CSV: {kind:?}")),
                });
            }
            Ok(true) | Err(_) => {
                let message = format!("record too long: more than {MAX_RECORD} bytes; is a quote left open?");
                return Err(Error::data(format!("{}:{line}", self.source), message));
            }
        }
        check_quotes(raw, self.separator, &self.source, line)?;
        Ok(Some(line))
    }
}

/// Whether the first line that is not blank is there to its end.
fn has_line(head: &[u8]) -> bool {
    let is_end = |byte: &&u8| b"\r\n".contains(byte);
    let text = head.strip_prefix(MARK).unwrap_or(head);
    text.iter().skip_while(is_end).any(|byte| is_end(&byte))
}

/// Counts the line ends of LF, CRLF and CR.
struct Lines {
    line: u64,
    after_cr: bool,
}

impl Lines {
    fn count(&mut self, bytes: &[u8]) {
        if !self.after_cr && !bytes.contains(&b'\r') {
            self.line += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
            return;
        }
        for &byte in bytes {
            self.line += u64::from(byte == b'\r' || byte == b'\n' && !self.after_cr);
            self.after_cr = byte == b'\r';
        }
    }
}

/// Hands bytes on and keeps those of the record that is being read, as they stand in the file.
struct Tape<R> {
    inner: R,
    kept: Vec<u8>,
    /// The offset of the first byte that is kept, and of the first that is still wanted.
    first: u64,
    done: u64,
    /// Whether it gave up, because no record may be so long.
    full: bool,
}

impl<R> Tape<R> {
    fn between(&self, start: u64, end: u64) -> &[u8] {
        let place = |offset: u64| usize::try_from(offset.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.kept.get(place(start)..place(end).min(self.kept.len())).unwrap_or_default()
    }
}

impl<R: Read> Read for Tape<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let past = self.kept.len() - self.between(self.done, u64::MAX).len();
        self.kept.drain(..past);
        self.first += past as u64;
        // All that is kept was handed on before more is asked for, so it is of one record.
        if self.kept.len() > MAX_RECORD {
            self.full = true;
            return Err(io::Error::other("record too long"));
        }
        let read = self.inner.read(out)?;
        self.kept.extend_from_slice(out.get(..read).unwrap_or_default());
        Ok(read)
    }
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
