//! Tables of files of several kinds, told apart by the ending of their names.

use super::options::ReadOptions;
use super::table::Table;
#[cfg(not(all(feature = "npz", feature = "parquet")))]
use crate::error::Error;
use crate::error::Result;
use std::path::Path;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    /// One array of NumPy.
    Npy,
    /// An archive of them.
    Npz,
    Parquet,
    /// A file or a stream of Arrow's record batches.
    Arrow,
}

impl Format {
    /// By the ending of its name, in any case; what has none of the others' is CSV.
    pub(super) fn of(path: &Path) -> Format {
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        match ending.as_deref().and_then(|ending| ending.to_str()) {
            Some("npy") => Format::Npy,
            Some("npz") => Format::Npz,
            Some("parquet") => Format::Parquet,
            Some("arrow" | "arrows" | "feather" | "ipc") => Format::Arrow,
            _ => Format::Csv,
        }
    }
}

impl Table {
    /// Reads a file by the ending of its name: `.npz` is an archive of NumPy's arrays, of which each is columns of the same rows
    /// ([`Table::of_npz`] says how they are called; those of several columns come first); `.npy` is one such array, whose columns
    /// are called `x0`, `x1`, …; `.parquet` is a Parquet file; `.arrow`, `.arrows`, `.feather` and `.ipc` are Arrow's, files or
    /// streams; anything else is CSV.
    ///
    /// A column of a Parquet or Arrow file becomes what it would be in CSV: numbers, decimals among them, are numbers; text, truth
    /// values, dates and times are text, which [`Column::kind`](super::Column::kind) knows, in UTC where they have a zone. Nulls
    /// are missing, as NaN is; a dictionary's values stand for its codes. pandas' row labels, which it keeps as columns behind the
    /// others, are passed over: `__index_level_0__` and so on, and those with a name unless [`ReadOptions::only`] asks for them. [`ReadOptions::columns`] leaves out columns of lists and the like, which a table cannot
    /// hold. These files need the feature `parquet`.
    ///
    /// ```
    /// use tilework::data::{Kind, ReadOptions, Table};
    /// # if cfg!(feature = "parquet") {
    /// let table = Table::read("tests/data/files/gzip.parquet", &ReadOptions::lenient())?; // by pyarrow
    /// assert_eq!((table.rows(), table.column("tiny")?.kind(), table.column("word")?.missing()), (7, Kind::Integer, 1));
    /// # }
    /// # Ok::<(), tilework::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Table::read_csv_with`], with the row in place of the line where there are no lines; as `Npz::array`;
    /// [`Error::Format`](crate::Error::Format) for a Parquet or Arrow file that is damaged or cut off;
    /// [`Error::Data`](crate::Error::Data) for columns of lists, records and the like, text that is not UTF-8, and dates beyond
    /// the years 0000 to 9999; and for a kind of file that this build leaves out: it names the feature.
    pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Table> {
        let path = path.as_ref();
        match Format::of(path) {
            Format::Csv => Table::read_csv_with(path, options),
            #[cfg(feature = "npz")]
            Format::Npy => super::npz::read_array(path, options),
            #[cfg(feature = "npz")]
            Format::Npz => super::npz::read(path, options),
            #[cfg(not(feature = "npz"))]
            Format::Npy | Format::Npz => Err(left_out(path, "npz")),
            #[cfg(feature = "parquet")]
            Format::Parquet => super::parquet::read(path, options),
            #[cfg(feature = "parquet")]
            Format::Arrow => super::ipc::read(path, options),
            #[cfg(not(feature = "parquet"))]
            Format::Parquet | Format::Arrow => Err(left_out(path, "parquet")),
        }
    }
}

/// The error of a kind of file that is read with a feature that this build leaves out.
#[cfg(not(all(feature = "npz", feature = "parquet")))]
pub(super) fn left_out(path: &Path, feature: &str) -> Error {
    let message = format!(
        "this kind of file needs the feature `{feature}`; build with `--features {feature}`, or save it as CSV"
    );
    Error::data(path.display().to_string(), message)
}
