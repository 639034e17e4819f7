//! Tables of Parquet files, flat ones, as the `parquet` crate reads them: whole, or a part of a row group at a time.

use super::arrays::{Columns, bytes_of, contained};
use super::batches::{BATCH_ROWS, Batches, table};
use super::cell::shown;
use super::options::ReadOptions;
use super::stream::PART_BYTES;
use super::table::Table;
use crate::error::{Error, Result};
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::basic::Compression;
use ::parquet::file::reader::ChunkReader;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use std::fmt::Display;
use std::fs::File;
use std::path::Path;

/// All row groups.
pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Table> {
    let bytes = Bytes::from(bytes_of(path)?);
    contained(path, || table(path, open(bytes, path, options)?, options))
}

/// The batches of a file that is never whole in memory, and what all of it holds.
pub(super) fn batches(path: &Path, options: &ReadOptions) -> Result<(SchemaRef, Batches)> {
    open(File::open(path).map_err(|e| Error::io(path, e))?, path, options)
}

/// What a file holds, and batches of the columns that are chosen.
fn open<R: ChunkReader + 'static>(input: R, path: &Path, options: &ReadOptions) -> Result<(SchemaRef, Batches)> {
    let source = path.display().to_string();
    let fault = |message: &str| Err(Error::format(path, message));
    let length = input.len();
    let four =
        |start: u64| if start + 4 > length { Bytes::new() } else { input.get_bytes(start, 4).unwrap_or_default() };
    match &*four(0) {
        b"PAR1" => {}
        b"PARE" => return fault("encrypted Parquet file; save it without encryption"),
        _ => return fault("no Parquet file: it does not begin with PAR1; save it by to_parquet"),
    }
    if &*four(length.saturating_sub(4)) != b"PAR1" {
        return fault("cut off: the list of its columns, at its end, is missing; save it again");
    }
    let builder = ParquetRecordBatchReaderBuilder::try_new(input).map_err(|e| damaged(path, &e))?;
    let schema = builder.schema().clone();
    let columns = Columns::new(&source, &schema, options)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), columns.places().iter().copied());
    let (mut rows, mut bytes) = (1u64, 0u64);
    for group in builder.metadata().row_groups() {
        rows = rows.saturating_add(group.num_rows().unsigned_abs());
        for (_, chunk) in group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf)) {
            let name = chunk.column_path().string();
            // The reader asserts that they are not negative, and reserves the memory that they ask for.
            let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
            let place = u64::try_from(start).ok().zip(u64::try_from(chunk.compressed_size()).ok());
            let end = place.and_then(|(start, size)| start.checked_add(size));
            if chunk.data_page_offset() < 0 || end.is_none_or(|end| end > length) {
                return Err(damaged(path, &format!("column {} beyond its end", shown(&name))));
            }
            if let codec @ (Compression::BROTLI(_) | Compression::LZO) = chunk.compression() {
                let message =
                    format!("column packed by {codec}, which is not read; save it by snappy, zstd, gzip or lz4");
                return Err(Error::data(format!("{source} ({name})"), message));
            }
            bytes = bytes.saturating_add(chunk.uncompressed_size().unsigned_abs());
        }
    }
    let row_bytes = usize::try_from(bytes / rows).unwrap_or(usize::MAX);
    let at_once = (PART_BYTES / row_bytes.max(1)).clamp(1, BATCH_ROWS);
    let batches = builder.with_projection(mask).with_batch_size(at_once).build().map_err(|e| damaged(path, &e))?;
    let file = path.to_owned();
    Ok((schema, Box::new(batches.map(move |batch| batch.map_err(|e| damaged(&file, &e))))))
}

fn damaged(path: &Path, what: &dyn Display) -> Error {
    Error::format(path, format!("Parquet file that cannot be read: {what}; save it again"))
}
