//! Tables from CSV files, data sets for supervised learning, scaling, splits, and the embedded digits.
//!
//! Everything here lives on the host. Numbers are parsed as `f64` and narrowed to `f32` once, with a check; a cell that
//! cannot be used is an error that names file, line and column, never a silent NaN.

mod cell;
mod dataset;
mod digits;
mod matrix;
mod read;
mod records;
mod scale;
mod schema;
mod split;
mod table;

pub use dataset::{Dataset, Target};
pub use digits::{Digits, digits};
pub use matrix::Matrix;
pub use scale::Standardizer;
pub use schema::{Schema, Task};
pub use split::{Split, batches, shuffled_split, stratified_split};
pub use table::{Column, Table, Values};
