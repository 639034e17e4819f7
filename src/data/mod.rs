//! Tables from CSV, Parquet and Arrow files and NumPy's archives, data sets for supervised learning, folders of classes, scaling,
//! splits, and the embedded digits.
//!
//! Everything here lives on the host. Numbers are parsed as `f64` and narrowed to `f32` once, with a check; a cell that
//! cannot be used is an error that names file, line and column, never a silent NaN; missing cells are kept where the reader asks.

#[cfg(feature = "parquet")]
mod arrays;
#[cfg(feature = "parquet")]
mod batches;
mod cell;
mod chosen;
mod dataset;
mod digits;
mod files;
mod folder;
mod foreign;
#[cfg(feature = "parquet")]
mod ipc;
mod kind;
mod matrix;
#[cfg(feature = "parquet")]
mod moment;
#[cfg(feature = "npz")]
mod npz;
mod options;
#[cfg(feature = "parquet")]
mod parquet;
mod read;
mod records;
mod scale;
mod schema;
mod series;
mod sparse;
mod split;
mod stream;
mod table;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "npz", feature = "parquet"))]
mod typed;

pub use chosen::Chosen;
pub use dataset::{Dataset, Target};
pub use digits::{Digits, digits};
pub use folder::ClassFolder;
pub use kind::Kind;
pub use matrix::{Features, Matrix};
pub use options::{MissingCells, ReadOptions};
pub use scale::Standardizer;
#[cfg(feature = "models")]
pub(crate) use schema::class_of;
pub use schema::{Schema, Task};
pub use series::{FromPast, Windows, integrate};
pub use sparse::Sparse;
pub use split::{Split, batches, last_split, shuffled_split, stratified_split};
pub use stream::{Parts, Stream};
#[cfg(any(feature = "cli", feature = "npz"))]
pub(crate) use table::list;
pub use table::{Column, Table, Values};
