//! Tables of Arrow's files (which Feather's of version 2 are too) and of its streams, a message at a time.

use super::arrays::{Columns, check_size, contained};
use super::batches::{Batches, table};
use super::options::ReadOptions;
use super::table::Table;
use crate::error::{Error, Result};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::{Endianness, RecordBatch, root_as_message};
use arrow_schema::{ArrowError, SchemaRef};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A file begins and ends with it; a stream lies between, and the places of its batches behind that.
const MAGIC: &[u8; 6] = b"ARROW1";

/// Each message of a stream begins with it; behind the last it stands before a length of 0.
const MARK: [u8; 4] = [0xff; 4];

/// All batches.
pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Table> {
    contained(path, || table(path, batches(path, options)?, options))
}

/// The batches of a file, of which one message is in memory at a time, and what all of it holds.
pub(super) fn batches(path: &Path, options: &ReadOptions) -> Result<(SchemaRef, Batches)> {
    let file = path.to_owned();
    let reader = StreamReader::try_new(Messages::open(path)?, None).map_err(|e| damaged_or(path, e))?;
    let schema = reader.schema();
    let places = Columns::new(&path.display().to_string(), &schema, options)?.places().to_vec();
    let chosen = move |batch: Result<_, ArrowError>| {
        batch.and_then(|batch: arrow_array::RecordBatch| batch.project(&places)).map_err(|e| damaged_or(&file, e))
    };
    Ok((schema, Box::new(reader.map(chosen))))
}

fn damaged(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::format(path, format!("damaged Arrow file: {what}; save it again"))
}

fn cut_off(path: &Path) -> Error {
    Error::format(path, "cut off: the mark at the end of an Arrow file or stream is missing; save it again")
}

/// The error that [`Messages`] gave the reader, or one of its own.
fn damaged_or(path: &Path, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(what, error) => match error.downcast::<Error>() {
            Ok(ours) => ours,
            Err(_) => damaged(path, what),
        },
        error => damaged(path, error),
    }
}

/// The messages of a file or stream and the mark of their end, each checked before the first byte of it is handed on. The reader
/// slices a message's buffers where it says that they are, and reserves the memory that compressed ones say they need.
struct Messages {
    input: BufReader<File>,
    path: PathBuf,
    /// The message that is handed on, and how much of it has been.
    message: Vec<u8>,
    given: usize,
    ended: bool,
}

impl Messages {
    fn open(path: &Path) -> Result<Messages> {
        let fault = |e| Error::io(path, e);
        let mut file = File::open(path).map_err(fault)?;
        let mut begins = Vec::new();
        file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut begins).map_err(fault)?;
        let is_file = begins == MAGIC;
        if is_file {
            let mut ends = Vec::new();
            let there = file.seek(SeekFrom::End(-(MAGIC.len() as i64))).is_ok_and(|at| at >= MAGIC.len() as u64);
            file.read_to_end(&mut ends).map_err(fault)?;
            if !there || ends != MAGIC {
                return Err(cut_off(path));
            }
        } else if !begins.starts_with(&MARK) {
            let advice = match begins.starts_with(b"FEA1") {
                true => "it is Feather's first version; save it by version 2",
                false => "it begins neither as a file does nor as a stream; save it by to_feather",
            };
            return Err(Error::format(path, format!("no Arrow file: {advice}")));
        }
        file.seek(SeekFrom::Start(if is_file { MAGIC.len() as u64 } else { 0 })).map_err(fault)?;
        let mut input = BufReader::new(file);
        // Zeros fill up to 8 bytes, or to as many as the writer aligns to.
        while is_file && input.fill_buf().map_err(fault)?.first() == Some(&0) {
            input.consume(1);
        }
        Ok(Messages { input, path: path.to_owned(), message: Vec::new(), given: 0, ended: false })
    }

    /// Reads so many bytes behind the others of the message.
    fn take(&mut self, length: usize) -> Result<()> {
        let before = self.message.len();
        check_size(&self.path.display().to_string(), (before as u64).saturating_add(length as u64))?;
        let part = self.input.by_ref().take(length as u64).read_to_end(&mut self.message);
        part.map_err(|e| Error::io(&self.path, e))?;
        if self.message.len() - before == length { Ok(()) } else { Err(cut_off(&self.path)) }
    }

    fn next(&mut self) -> Result<()> {
        const HEAD: usize = 8; // the mark, and the length of what describes the message
        let wrong = |path: &Path, what: &str| Err(damaged(path, what));
        self.message.clear();
        self.given = 0;
        self.take(MARK.len())?;
        if self.message != MARK {
            return wrong(&self.path, "a message begins without its mark");
        }
        self.take(HEAD - MARK.len())?;
        let length = self.message.last_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length));
        if length == 0 {
            self.ended = true;
            return Ok(());
        }
        self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        let (described, body) = {
            let head = self.message.get(HEAD..).unwrap_or_default();
            let message = root_as_message(head).map_err(|e| damaged(&self.path, e))?;
            (head.len(), usize::try_from(message.bodyLength()).unwrap_or(usize::MAX))
        };
        self.take(body)?;
        let (head, body) = self.message.get(HEAD..).and_then(|m| m.split_at_checked(described)).unwrap_or_default();
        let message = root_as_message(head).map_err(|e| damaged(&self.path, e))?;
        if message.header_as_schema().is_some_and(|schema| schema.endianness() != Endianness::Little) {
            return wrong(&self.path, "bytes in the order of big-endian machines");
        }
        let batch = message.header_as_record_batch().or_else(|| message.header_as_dictionary_batch()?.data());
        match batch.map(|batch| unpacked_bytes(batch, body)) {
            None => Ok(()),
            Some(None) => wrong(&self.path, "a buffer beyond its message"),
            Some(Some(bytes)) => check_size(&self.path.display().to_string(), bytes),
        }
    }
}

impl Read for Messages {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.given == self.message.len() && !self.ended {
            self.next().map_err(io::Error::other)?;
        }
        let mut rest = self.message.get(self.given..).unwrap_or_default();
        let read = rest.read(out)?;
        self.given += read;
        Ok(read)
    }
}

/// What the buffers of a batch say they are unpacked, somewhat above the limit at most; `None` where one is not in the body.
fn unpacked_bytes(batch: RecordBatch, body: &[u8]) -> Option<u64> {
    let mut all = 0u64;
    for buffer in batch.buffers().into_iter().flatten() {
        let (offset, length) = (usize::try_from(buffer.offset()).ok()?, usize::try_from(buffer.length()).ok()?);
        let bytes = body.get(offset..)?.get(..length)?;
        let size = match (batch.compression(), bytes.first_chunk()) {
            (Some(_), Some(size)) => u64::try_from(i64::from_le_bytes(*size)).unwrap_or(0), // -1: this one is not packed
            _ => 0,
        };
        all = (all + size).min(Table::MAX_BYTES + 1);
    }
    Some(all)
}
