//! Rows of files that hold batches of Arrow's arrays, such as Parquet and Arrow files: whole, or a part at a time.

use super::arrays::{Columns, contained, no_rows};
use super::files::Format;
use super::kind::Seen;
use super::options::ReadOptions;
use super::read::{Form, changed};
use super::stream::PART_BYTES;
use super::table::{Table, Values};
use super::typed::fitting;
use super::{ipc, parquet};
use crate::error::Result;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use std::path::{Path, PathBuf};

/// Rows that are looked at together.
pub(super) const BATCH_ROWS: usize = 8192;

/// Batches of the columns that are chosen.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// All batches as a table.
pub(super) fn table(path: &Path, (schema, batches): (SchemaRef, Batches), options: &ReadOptions) -> Result<Table> {
    let source = path.display().to_string();
    let mut columns = Columns::new(&source, &schema, options)?;
    for batch in batches {
        columns.add(&batch?)?;
    }
    columns.table(options)
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
                return Ok(Form {
                    columns: columns.collect(),
                    left_out: part.left_out,
                    rows,
                    bytes,
                    codes: Vec::new(),
                });
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
    batches: Batches,
    /// What has been unpacked of the rows that come next, the first of which is row `next` of the file.
    unpacked: Option<RecordBatch>,
    next: usize,
}

impl Rows {
    pub(super) fn open(path: &Path, options: &ReadOptions) -> Result<Rows> {
        let open = if Format::of(path) == Format::Parquet { parquet::batches } else { ipc::batches };
        let (schema, batches) = contained(path, || open(path, options))?;
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
                self.unpacked = contained(&self.path, || self.batches.next().transpose())?;
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
