//! Tables of Parquet files, flat ones, as the `parquet` crate reads them: whole, or a part of a row group at a time.

use super::arrays::{Columns, bytes_of, contained, no_rows};
use super::cell::shown;
use super::kind::Seen;
use super::options::ReadOptions;
use super::read::{Form, changed};
use super::stream::PART_BYTES;
use super::table::{Table, Values};
use super::typed::fitting;
use crate::error::{Error, Result};
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::basic::Compression;
use ::parquet::file::reader::ChunkReader;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use std::fmt::Display;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Rows that are unpacked at once, where they are not long.
const BATCH_ROWS: usize = 8192;

/// All row groups.
pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Table> {
    let bytes = Bytes::from(bytes_of(path)?);
    contained(path, || {
        let source = path.display().to_string();
        let (schema, batches) = open(bytes, path, options)?;
        let mut columns = Columns::new(&source, &schema, options)?;
        for batch in batches {
            columns.add(&batch.map_err(|e| damaged(path, &e))?)?;
        }
        columns.table(options)
    })
}

/// What a stream needs to know before it gives parts: one look at all of them.
pub(super) fn form(path: &Path, options: &ReadOptions) -> Result<Form> {
    let mut pass = Rows::open(path, options)?;
    let (mut rows, mut bytes) = (0, 0u64);
    let mut seen: Vec<Seen> = Vec::new();
    loop {
        let part = pass.fill((BATCH_ROWS, PART_BYTES), &mut || true)?;
        seen.resize(part.columns.len(), Seen::default());
        match part.rows() {
            0 if rows == 0 => return Err(no_rows(&part.source)),
            0 => {
                let kind = |values: &Values, seen: Seen| seen.kind(matches!(values, Values::Numbers(_)));
                let columns = part.columns.into_iter().zip(seen).map(|(c, seen)| (c.name, kind(&c.values, seen)));
                return Ok(Form { columns: columns.collect(), left_out: part.left_out, rows, bytes });
            }
            read => rows += read,
        }
        for (column, seen) in part.columns.iter().zip(&mut seen) {
            match &column.values {
                Values::Numbers(numbers) => {
                    seen.add_numbers(numbers);
                    bytes += 8 * numbers.len() as u64;
                }
                Values::Text(texts) => {
                    seen.add_texts(texts);
                    bytes += texts.iter().map(|text| text.len() as u64).sum::<u64>();
                }
            }
        }
    }
}

/// A pass over a file that is never whole in memory.
pub(super) struct Rows {
    path: PathBuf,
    options: ReadOptions,
    /// Of all that is in the file.
    schema: SchemaRef,
    batches: ParquetRecordBatchReader,
    /// What has been unpacked of the rows that come next, the first of which is row `next` of the file.
    unpacked: Option<RecordBatch>,
    next: usize,
}

impl Rows {
    pub(super) fn open(path: &Path, options: &ReadOptions) -> Result<Rows> {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let (schema, batches) = contained(path, || open(file, path, options))?;
        Ok(Rows { path: path.to_owned(), options: options.clone(), schema, batches, unpacked: None, next: 0 })
    }

    /// An error when a file that is read again has other columns than before.
    pub(super) fn check(mut self, form: &Form) -> Result<Rows> {
        let columns = self.fill((0, 0), &mut || true)?;
        let names = columns.columns.iter().map(|column| &column.name);
        let same = names.eq(form.columns.iter().map(|(name, _)| name));
        if same { Ok(self) } else { Err(changed(&columns.source)) }
    }

    /// The next rows, as [`fill`](super::read::fill) of text: as many as `most.0` and as take `most.1` bytes, of those that
    /// `wanted` says yes to.
    pub(super) fn fill(&mut self, most: (usize, usize), wanted: &mut dyn FnMut() -> bool) -> Result<Table> {
        let source = self.path.display().to_string();
        let empty = Columns::new(&source, &self.schema, &self.options)?;
        let (mut table, mut bytes) = (empty.raw(), 0u64);
        while table.rows() < most.0 && bytes < most.1 as u64 {
            let Some(batch) = self.unpacked.take().filter(|batch| batch.num_rows() > 0) else {
                let next = contained(&self.path, || Ok(self.batches.next().transpose()))?;
                self.unpacked = next.map_err(|e| damaged(&self.path, &e))?;
                if self.unpacked.is_none() {
                    break;
                }
                continue;
            };
            let (mut rows, mut asked) = (Vec::new(), 0);
            while asked < batch.num_rows() && table.rows() + rows.len() < most.0 {
                if wanted() {
                    rows.push(asked);
                }
                asked += 1;
            }
            if !rows.is_empty() {
                let mut columns = Columns::new(&source, &self.schema, &self.options)?.after(self.next);
                contained(&self.path, || columns.add(&batch.slice(0, asked)))?;
                bytes += columns.bytes() / asked as u64 * rows.len() as u64;
                let part = columns.raw();
                table.append(if rows.len() == asked { part } else { part.select(&rows)? });
            }
            self.next += asked;
            self.unpacked = Some(batch.slice(asked, batch.num_rows() - asked));
        }
        fitting(table, &self.options)
    }
}

/// What a file holds, and batches of the columns that are chosen.
fn open<R: ChunkReader + 'static>(
    input: R,
    path: &Path,
    options: &ReadOptions,
) -> Result<(SchemaRef, ParquetRecordBatchReader)> {
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
    Ok((schema, batches))
}

fn damaged(path: &Path, what: &dyn Display) -> Error {
    Error::format(path, format!("Parquet file that cannot be read: {what}; save it again"))
}
