//! Tables of Arrow's files (which Feather's of version 2 are too) and of its streams.

use super::arrays::{Columns, bytes_of, check_size, contained};
use super::options::ReadOptions;
use super::table::Table;
use crate::error::{Error, Result};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::{Endianness, RecordBatch, root_as_message};
use std::path::Path;

/// A file begins and ends with it; a stream lies between, and the places of its batches behind that.
const MAGIC: &[u8] = b"ARROW1";

/// Each message of a stream begins with it; behind the last it stands before a length of 0.
const MARK: [u8; 4] = [0xff; 4];

/// All batches.
pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Table> {
    let bytes = bytes_of(path)?;
    let stream = checked(stream_of(&bytes, path)?, path)?;
    contained(path, || table_of(stream, path, options))
}

fn table_of(stream: &[u8], path: &Path, options: &ReadOptions) -> Result<Table> {
    let (source, damaged) = (path.display().to_string(), |e| damaged(path, e));
    let reader = StreamReader::try_new(stream, None).map_err(damaged)?;
    let mut columns = Columns::new(&source, &reader.schema(), options)?;
    for batch in reader {
        let chosen = batch.and_then(|batch| batch.project(columns.places()));
        columns.add(&chosen.map_err(damaged)?)?;
    }
    columns.table(options)
}

fn damaged(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::format(path, format!("damaged Arrow file: {what}; save it again"))
}

fn cut_off(path: &Path) -> Error {
    Error::format(path, "cut off: the mark at the end of an Arrow file or stream is missing; save it again")
}

/// What begins with the first message.
fn stream_of<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a [u8]> {
    let Some(inner) = bytes.strip_prefix(MAGIC) else {
        let advice = match bytes {
            [b'F', b'E', b'A', b'1', ..] => "it is Feather's first version; save it by version 2",
            [0xff, 0xff, 0xff, 0xff, ..] => return Ok(bytes),
            _ => "it begins neither as a file does nor as a stream; save it by to_feather",
        };
        return Err(Error::format(path, format!("no Arrow file: {advice}")));
    };
    if !inner.ends_with(MAGIC) {
        return Err(cut_off(path));
    }
    // Zeros fill up to 8 bytes, or to as many as the writer aligns to.
    let zeros = inner.iter().take_while(|byte| **byte == 0).count();
    Ok(inner.get(zeros..).unwrap_or_default())
}

/// The messages and the mark of their end. The reader slices a message's buffers where it says that they are, and reserves the
/// memory that compressed ones say they need: both are checked before.
fn checked<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a [u8]> {
    let (mut rest, mut unpacked) = (bytes, 0);
    loop {
        let (mark, tail) = rest.split_first_chunk::<4>().ok_or_else(|| cut_off(path))?;
        if *mark != MARK {
            return Err(damaged(path, "a message begins without its mark"));
        }
        let (length, tail) = tail.split_first_chunk::<4>().ok_or_else(|| cut_off(path))?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length == 0 {
            return Ok(bytes.get(..bytes.len() - tail.len()).unwrap_or_default());
        }
        let (head, tail) = tail.split_at_checked(length).ok_or_else(|| cut_off(path))?;
        let message = root_as_message(head).map_err(|e| damaged(path, e))?;
        let length = usize::try_from(message.bodyLength()).unwrap_or(usize::MAX);
        let (body, tail) = tail.split_at_checked(length).ok_or_else(|| cut_off(path))?;
        if message.header_as_schema().is_some_and(|schema| schema.endianness() != Endianness::Little) {
            return Err(damaged(path, "bytes in the order of big-endian machines"));
        }
        let batch = message.header_as_record_batch().or_else(|| message.header_as_dictionary_batch()?.data());
        if let Some(batch) = batch {
            let bytes = unpacked_bytes(batch, body).ok_or_else(|| damaged(path, "a buffer beyond its message"))?;
            unpacked += bytes;
        }
        check_size(&path.display().to_string(), unpacked)?;
        rest = tail;
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
