//! Tables of files of several kinds, told apart by the ending of their names.

use super::options::ReadOptions;
use super::table::Table;
#[cfg(not(feature = "npz"))]
use crate::error::Error;
use crate::error::Result;
use std::path::Path;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Npz,
}

impl Format {
    /// By the ending of its name, in any case; what has none of the others' is CSV.
    pub(super) fn of(path: &Path) -> Format {
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        match ending.as_deref().and_then(|ending| ending.to_str()) {
            Some("npz") => Format::Npz,
            _ => Format::Csv,
        }
    }
}

impl Table {
    /// Reads a file by the ending of its name: `.npz` is an archive of NumPy's arrays, of which each is columns of the same rows
    /// ([`Table::of_npz`] says how they are called; those of several columns come first); anything else is CSV.
    ///
    /// # Errors
    /// As [`Table::read_csv_with`], with the row in place of the line where there are no lines; as
    /// [`Npz::array`](crate::io::Npz::array); [`Error::Data`] for a kind of file that this build leaves out: it names the
    /// feature.
    pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Table> {
        let path = path.as_ref();
        match Format::of(path) {
            Format::Csv => Table::read_csv_with(path, options),
            #[cfg(feature = "npz")]
            Format::Npz => super::npz::read(path, options),
            #[cfg(not(feature = "npz"))]
            Format::Npz => Err(left_out(path, "npz")),
        }
    }
}

/// The error of a kind of file that is read with a feature that this build leaves out.
#[cfg(not(feature = "npz"))]
pub(super) fn left_out(path: &Path, feature: &str) -> Error {
    let message = format!(
        "this kind of file needs the feature `{feature}`; build with `--features {feature}`, or save it as CSV"
    );
    Error::data(path.display().to_string(), message)
}
