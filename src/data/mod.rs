//! Tables from CSV files, data sets for supervised learning, scaling, splits, and the embedded digits.
//!
//! Everything here lives on the host. Numbers are parsed as `f64` and narrowed to `f32` once, with a check; a cell that
//! cannot be used is an error that names file, line and column, never a silent NaN; missing cells are kept where the reader asks.

mod cell;
mod dataset;
mod digits;
mod kind;
mod matrix;
mod options;
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

pub use dataset::{Dataset, Target};
pub use digits::{Digits, digits};
pub use kind::Kind;
pub use matrix::{Features, Matrix};
pub use options::{MissingCells, ReadOptions};
pub use scale::Standardizer;
pub use schema::{Schema, Task};
pub use series::{FromPast, Windows, integrate};
pub use sparse::Sparse;
pub use split::{Split, batches, last_split, shuffled_split, stratified_split};
pub use stream::{Parts, Stream};
pub use table::{Column, Table, Values};
