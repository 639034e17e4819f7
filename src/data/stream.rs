//! CSV, Parquet and Arrow files larger than memory: read part by part, as often as there are passes over them.

#[cfg(feature = "parquet")]
use super::batches;
use super::files::Format;
#[cfg(not(feature = "parquet"))]
use super::files::left_out;
use super::kind::Kind;
use super::options::ReadOptions;
use super::read::{Form, changed, fill};
use super::records::Records;
use super::table::Table;
use crate::error::{Error, Result};
use crate::rng;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
#[cfg(feature = "parquet")]
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes after which a part of a [`Stream`] ends, however few rows that are.
pub(super) const PART_BYTES: usize = 16 << 20;

/// One pass over a file. It gives the next rows: as many as the first number and as take the second number of bytes, of those
/// that the closure says yes to, which is asked once a row.
type Pass = Box<dyn FnMut((usize, usize), &mut dyn FnMut() -> bool) -> Result<Table> + Send>;

/// A CSV, Parquet or Arrow file that is never whole in memory. The rules, and the errors with line and column, are those of
/// [`Table::read`]: making one reads the whole file once, to find what each column holds; after that its rows come as
/// [`Table`]s of a part of them, as often as wanted. A file that is longer or shorter by then is an error. Of a Parquet file a
/// part of a row group is in memory at a time, however large its row groups are; of an Arrow file a batch, and the dictionaries.
///
/// ```
/// use tilework::data::{Kind, ReadOptions, Stream};
/// let text = "size,kind\n1.5,a\n2.5,b\n3.5,a\n";
/// let stream = Stream::of(move || Ok(text.as_bytes()), "cups.csv", &ReadOptions::default())?; // Stream::open of a path
/// assert_eq!((stream.rows(), &stream.columns()[0]), (3, &("size".to_string(), Kind::Number)));
/// let parts = stream.parts(2)?.collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(parts.iter().map(|part| part.rows()).collect::<Vec<_>>(), [2, 1]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Clone)]
pub struct Stream {
    open: Arc<dyn Fn() -> Result<Pass> + Send + Sync>,
    source: String,
    form: Arc<Form>,
    /// Rows of the file that it passes over, ascending.
    left_out: Arc<[usize]>,
}

/// The rows of a [`Stream`], a part of them at a time.
pub struct Parts {
    pass: Pass,
    stream: Stream,
    rows: usize,
    /// The row of the file that comes next, and how many were passed over before it.
    next: usize,
    passed: usize,
    ended: bool,
}

impl Stream {
    /// Of a file, which is opened again for each pass; a pipe is none.
    ///
    /// # Errors
    /// As [`Table::read`] but for cells of CSV that cannot be used, which come with the part that they are in; there is no limit
    /// to the file's size. [`Error::Data`] for the kinds of files that are read whole alone.
    pub fn open(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Stream> {
        let path = path.as_ref().to_path_buf();
        let name = path.display().to_string();
        match Format::of(&path) {
            Format::Csv => Stream::of(move || File::open(&path), &name, options),
            #[cfg(feature = "parquet")]
            Format::Parquet | Format::Arrow => Stream::of_batches(path, options),
            #[cfg(not(feature = "parquet"))]
            Format::Parquet | Format::Arrow => Err(left_out(&path, "parquet")),
            kind @ (Format::Npy | Format::Npz) => {
                let what = if kind == Format::Npz { "an archive of arrays" } else { "an array of NumPy" };
                let advice = format!("{what} is read whole alone; read it so, or save it as Parquet, Arrow or CSV");
                Err(Error::data(name, advice))
            }
        }
    }

    #[cfg(feature = "parquet")]
    fn of_batches(path: PathBuf, options: &ReadOptions) -> Result<Stream> {
        let form = Arc::new(batches::form(&path, options)?);
        let (source, options, known) = (path.display().to_string(), options.clone(), form.clone());
        let open = move || -> Result<Pass> {
            let mut rows = batches::Rows::open(&path, &options)?.check(&known)?;
            Ok(Box::new(move |most, wanted| rows.fill(most, wanted)))
        };
        Ok(Stream { open: Arc::new(open), source, form, left_out: Arc::new([]) })
    }

    /// Of text that can be read from its beginning again: a decompressed file, rows that are made as they are read. `name`
    /// stands for the file in errors.
    ///
    /// # Errors
    /// As [`Stream::open`].
    pub fn of<R: Read + Send + 'static>(
        open: impl Fn() -> io::Result<R> + Send + Sync + 'static,
        name: &str,
        options: &ReadOptions,
    ) -> Result<Stream> {
        let (source, options) = (name.to_owned(), options.clone());
        let records = move || -> Result<(Records<R>, ReadOptions)> {
            let text = open().map_err(|e| Error::io(&source, e))?;
            Ok((Records::new(text, &source, &options)?, options.clone()))
        };
        let (text, options) = records()?;
        let (header, form) = Form::find(text, &options)?;
        let (form, header) = (Arc::new(form), Arc::new(header));
        let known = form.clone();
        let open = move || -> Result<Pass> {
            let (mut records, options) = records()?;
            header.check(&mut records)?;
            let (header, known) = (header.clone(), known.clone());
            Ok(Box::new(move |most, wanted| fill(&mut records, (&header, &known), &options, most, wanted)))
        };
        Ok(Stream { open: Arc::new(open), source: name.to_owned(), form, left_out: Arc::new([]) })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.form.rows - self.left_out.len()
    }

    /// Bytes that a row takes, on average over the file: of its text; in Parquet and Arrow files of numbers too.
    pub fn row_bytes(&self) -> usize {
        usize::try_from(self.form.bytes / self.form.rows.max(1) as u64).unwrap_or(usize::MAX)
    }

    /// Name and kind of each column, in the file's order.
    pub fn columns(&self) -> &[(String, Kind)] {
        &self.form.columns
    }

    /// As [`Table::has_codes`].
    #[cfg(feature = "cli")]
    pub(crate) fn has_codes(&self, name: &str) -> bool {
        self.form.codes.iter().any(|code| code.column == name)
    }

    /// The columns of the file that are not read, as [`Table::left_out`].
    pub fn left_out(&self) -> &[String] {
        &self.form.left_out
    }

    /// The file or the name given for it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// All rows in the file's order, at most so many at a time: fewer at the end, and where they take more than 16 MiB.
    ///
    /// # Errors
    /// [`Error::Argument`] for 0 rows; what opening the file reports. Those of its cells come with their part.
    pub fn parts(&self, rows: usize) -> Result<Parts> {
        if rows == 0 {
            return Err(Error::argument("parts", "0 rows at a time; give at least 1"));
        }
        Ok(Parts { pass: (self.open)()?, stream: self.clone(), rows, next: 0, passed: 0, ended: false })
    }

    /// So many rows spread evenly over all, drawn by `seed`, for [`Stream::select`] and [`Stream::without`]; all where there
    /// are no more.
    pub fn draw(&self, most: usize, seed: u64) -> Vec<usize> {
        let rows = self.rows();
        if rows <= most {
            return (0..rows).collect();
        }
        let edge = |i: usize| (i as u128 * rows as u128 / most as u128) as usize;
        let drawn = |i: usize| {
            let (start, end) = (edge(i), edge(i + 1));
            start + ((u128::from(rng::word(seed, 0, i as u64)) * (end - start) as u128) >> 32) as usize
        };
        (0..most).map(drawn).collect()
    }

    /// The rows at `rows`, which ascend, as one table.
    ///
    /// # Errors
    /// [`Error::Argument`] for rows past the end or out of order; [`Error::Data`] for their cells.
    pub fn select(&self, rows: &[usize]) -> Result<Table> {
        let rows = self.of_file(rows)?;
        let (mut pass, mut row, mut taken) = ((self.open)()?, 0, 0);
        let mut wanted = || {
            let is = rows.get(taken) == Some(&row);
            (row, taken) = (row + 1, taken + usize::from(is));
            is
        };
        let table = pass((rows.len(), usize::MAX), &mut wanted)?;
        if table.rows() == rows.len() { Ok(table) } else { Err(changed(&self.source)) }
    }

    /// The same without the rows at `rows`, which ascend.
    ///
    /// # Errors
    /// [`Error::Argument`] for rows past the end or out of order.
    pub fn without(&self, rows: &[usize]) -> Result<Stream> {
        let mut left_out = [&self.of_file(rows)?, &*self.left_out].concat();
        left_out.sort_unstable();
        Ok(Stream { left_out: left_out.into(), ..self.clone() })
    }

    /// The rows of the file that rows of this stream are.
    fn of_file(&self, rows: &[usize]) -> Result<Vec<usize>> {
        if rows.last().is_some_and(|&row| row >= self.rows()) || !rows.is_sorted_by(|a, b| a < b) {
            let message = format!("rows must ascend and lie below {}, the number of rows", self.rows());
            return Err(Error::argument("select", message));
        }
        let mut before = 0;
        let place = |&row: &usize| {
            while self.left_out.get(before).is_some_and(|&out| out <= row + before) {
                before += 1;
            }
            row + before
        };
        Ok(rows.iter().map(place).collect())
    }
}

impl Parts {
    fn read(&mut self) -> Result<Table> {
        let Parts { pass, stream, next, passed, .. } = self;
        let mut wanted = || {
            let is = stream.left_out.get(*passed) != Some(&*next);
            (*next, *passed) = (*next + 1, *passed + usize::from(!is));
            is
        };
        let table = pass((self.rows, PART_BYTES), &mut wanted)?;
        let (read, all) = (self.next, self.stream.form.rows);
        if read > all || table.rows() == 0 && read < all {
            return Err(changed(&self.stream.source));
        }
        Ok(table)
    }
}

impl Iterator for Parts {
    type Item = Result<Table>;

    fn next(&mut self) -> Option<Result<Table>> {
        if self.ended {
            return None;
        }
        let table = self.read();
        self.ended = table.as_ref().map_or(true, |table| table.rows() == 0);
        match table {
            Ok(_) if self.ended => None,
            table => Some(table),
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("source", &self.source).field("rows", &self.rows()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MissingCells, Values};
    use super::*;
    use proptest::prelude::*;

    /// Text that comes a few bytes at a time.
    struct Drip(Vec<u8>, usize);

    impl Read for Drip {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let part = &self.0[self.1..self.0.len().min(self.1 + out.len().min(3))];
            self.1 += part.len();
            out[..part.len()].copy_from_slice(part);
            Ok(part.len())
        }
    }

    fn stream(text: &[u8], options: &ReadOptions) -> Result<Stream> {
        let text = text.to_vec();
        Stream::of(move || Ok(Drip(text.clone(), 0)), "t.csv", options)
    }

    fn all(stream: &Stream, rows: usize) -> Result<Vec<Table>> {
        stream.parts(rows)?.collect()
    }

    fn csv(tables: &[Table]) -> Vec<u8> {
        let mut out = Vec::new();
        for (i, table) in tables.iter().enumerate() {
            let mut text = Vec::new();
            table.write_csv(&mut text).unwrap();
            let header = text.iter().position(|&b| b == b'\n').unwrap() + 1;
            out.extend_from_slice(&text[if i == 0 { 0 } else { header }..]);
        }
        out
    }

    /// `i,t` with as many rows.
    fn numbered(rows: usize) -> Vec<u8> {
        let row = |i: usize| format!("{i},{}\n", ["x", "\"y\nz\"", ""][i % 3]);
        format!("i,t\n{}", (0..rows).map(row).collect::<String>()).into_bytes()
    }

    fn first_column(table: &Table) -> Vec<f64> {
        match &table.columns()[0].values {
            Values::Numbers(values) => values.clone(),
            Values::Text(_) => panic!("text"),
        }
    }

    #[test]
    fn parts_are_the_table_cut_with_its_lines() {
        let (text, options) = (numbered(10), ReadOptions::lenient());
        let table = Table::parse_csv_with(&text[..], "t.csv", &options).unwrap();
        let stream = stream(&text, &options).unwrap();
        for rows in [1, 3, 10, 11] {
            let parts = all(&stream, rows).unwrap();
            assert!(parts.iter().all(|part| part.rows() <= rows) && parts.len() == 10usize.div_ceil(rows));
            assert_eq!(csv(&parts), csv(std::slice::from_ref(&table)));
            let lines: Vec<String> = parts.iter().flat_map(|p| (0..p.rows()).map(|row| p.place(row, 0))).collect();
            assert_eq!(lines, (0..10).map(|row| table.place(row, 0)).collect::<Vec<_>>());
        }
        assert!(stream.parts(0).is_err());
    }

    #[test]
    fn rows_are_taken_and_left_out_by_their_place() {
        let stream = stream(&numbered(12), &ReadOptions::lenient()).unwrap();
        assert_eq!(first_column(&stream.select(&[0, 5, 11]).unwrap()), [0.0, 5.0, 11.0]);
        let odd = stream.without(&[0, 2, 4, 6, 8, 10]).unwrap();
        assert_eq!((odd.rows(), first_column(&odd.select(&[0, 2, 5]).unwrap())), (6, vec![1.0, 5.0, 11.0]));
        let few = odd.without(&[0, 5]).unwrap();
        let values: Vec<f64> = all(&few, 3).unwrap().iter().flat_map(first_column).collect();
        assert_eq!(values, [3.0, 5.0, 7.0, 9.0]);
        for wrong in [&[12][..], &[1, 1], &[2, 1]] {
            assert!(stream.select(wrong).is_err() && stream.without(wrong).is_err());
        }
    }

    #[test]
    fn rows_that_are_drawn_are_spread_over_all() {
        let stream = stream(&numbered(1000), &ReadOptions::lenient()).unwrap();
        let drawn = stream.draw(10, 1);
        assert!(drawn.iter().enumerate().all(|(i, &row)| row / 100 == i), "{drawn:?}");
        assert_ne!(drawn, stream.draw(10, 2));
        assert_eq!(stream.draw(2000, 1).len(), 1000);
    }

    #[test]
    fn a_cell_that_cannot_be_used_is_the_error_of_its_part() {
        let stream = stream(b"a,b\n1,2\n3,4\n5,\n7,8\n9,x\n", &ReadOptions::default()).unwrap();
        let mut parts = stream.parts(2).unwrap();
        assert_eq!(parts.next().unwrap().unwrap().rows(), 2);
        let text = parts.next().unwrap().unwrap_err().to_string();
        assert!(text.starts_with("t.csv:4:2 (b): missing value: given \"\""), "{text}");
        assert!(parts.next().is_none());
    }

    #[test]
    fn a_file_that_changes_between_passes_is_refused() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        for later in ["a\n1\n2\n", "a\n1\n2\n3\n4\n", "b\n1\n2\n3\n", ""] {
            let opened = AtomicUsize::new(0);
            let open = move || {
                let first = opened.fetch_add(1, Ordering::Relaxed) == 0;
                Ok(if first { "a\n1\n2\n3\n" } else { later }.as_bytes())
            };
            let stream = Stream::of(open, "t.csv", &ReadOptions::default()).unwrap();
            let text = all(&stream, 2).unwrap_err().to_string();
            assert!(text.starts_with("t.csv: the file changed while it was read"), "{later:?}: {text}");
        }
    }

    #[test]
    fn a_record_without_an_end_is_refused_before_it_is_in_memory() {
        let open = || Ok("a,b\n1,\"".as_bytes().chain(io::repeat(b'x')));
        let text = Stream::of(open, "t.csv", &ReadOptions::default()).unwrap_err().to_string();
        assert!(text.starts_with("t.csv:2: record too long: more than 16777216 bytes"), "{text}");
        let text = Stream::of(|| Ok(io::repeat(b'x')), "t.csv", &ReadOptions::default()).unwrap_err().to_string();
        assert!(text.starts_with("t.csv:1: record too long"), "{text}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn a_stream_reads_what_a_table_reads_and_refuses_what_it_refuses(
            bytes in prop::collection::vec(prop::sample::select(b"a1.,,,\"\"\n\n\r -e\xe9\0;".to_vec()), 0..60),
            keep in any::<bool>()
        ) {
            let missing = if keep { MissingCells::Keep } else { MissingCells::Refuse };
            let options = ReadOptions { missing, ..ReadOptions::default() };
            let whole = Table::parse_csv_with(&bytes[..], "t.csv", &options);
            let kinds = |table: &Table| table.columns().iter().map(|c| (c.name.clone(), c.kind())).collect::<Vec<_>>();
            match (stream(&bytes, &options).and_then(|s| Ok((all(&s, 2)?, s))), whole) {
                (Ok((parts, stream)), Ok(table)) => {
                    prop_assert_eq!(csv(&parts), csv(std::slice::from_ref(&table)));
                    prop_assert_eq!(stream.columns(), &kinds(&table)[..]);
                }
                (Err(part), Err(whole)) => {
                    // The whole table counts the faults behind the first.
                    let whole = whole.to_string();
                    let begin = whole.split(" (").next().unwrap_or_default();
                    prop_assert!(part.to_string().starts_with(begin), "{} is not {}", part, whole);
                }
                (part, whole) => prop_assert!(false, "{:?} is not {:?}", part.map(|(p, _)| p), whole),
            }
        }
    }
}
