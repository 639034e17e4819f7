//! Tables of Parquet files, flat ones, as the `parquet` crate reads them.

use super::arrays::{Columns, bytes_of, contained};
use super::cell::shown;
use super::options::ReadOptions;
use super::table::Table;
use crate::error::{Error, Result};
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::basic::Compression;
use bytes::Bytes;
use std::fmt::Display;
use std::path::Path;

/// All row groups.
pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Table> {
    let bytes = bytes_of(path)?;
    let fault = |message: &str| Err(Error::format(path, message));
    match bytes.first_chunk() {
        Some(b"PAR1") => {}
        Some(b"PARE") => return fault("encrypted Parquet file; save it without encryption"),
        _ => return fault("no Parquet file: it does not begin with PAR1; save it by to_parquet"),
    }
    if !bytes.ends_with(b"PAR1") {
        return fault("cut off: the list of its columns, at its end, is missing; save it again");
    }
    contained(path, || table_of(bytes.into(), path, options))
}

fn table_of(bytes: Bytes, path: &Path, options: &ReadOptions) -> Result<Table> {
    let source = path.display().to_string();
    let damaged =
        |e: &dyn Display| Error::format(path, format!("Parquet file that cannot be read: {e}; save it again"));
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|e| damaged(&e))?;
    let mut columns = Columns::new(&source, builder.schema(), options)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), columns.places().iter().copied());
    for (leaf, chunk) in builder.metadata().row_groups().iter().flat_map(|group| group.columns().iter().enumerate()) {
        let name = chunk.column_path().string();
        // The reader asserts that they are not.
        let places = [chunk.data_page_offset(), chunk.compressed_size(), chunk.dictionary_page_offset().unwrap_or(0)];
        if places.iter().any(|place| *place < 0) {
            return Err(damaged(&format!("column {} at a negative place", shown(&name))));
        }
        if let codec @ (Compression::BROTLI(_) | Compression::LZO) = chunk.compression()
            && mask.leaf_included(leaf)
        {
            let message = format!("column packed by {codec}, which is not read; save it by snappy, zstd, gzip or lz4");
            return Err(Error::data(format!("{source} ({name})"), message));
        }
    }
    for batch in builder.with_projection(mask).build().map_err(|e| damaged(&e))? {
        columns.add(&batch.map_err(|e| damaged(&e))?)?;
    }
    columns.table(options)
}
