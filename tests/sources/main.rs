//! Where data comes from: files of several kinds, and files larger than memory.

#[cfg(feature = "npz")]
mod npz;
mod stream;
#[cfg(feature = "parquet")]
mod tables;
