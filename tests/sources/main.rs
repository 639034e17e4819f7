//! Where data comes from: files of several kinds, and files larger than memory.

#[cfg(feature = "npz")]
mod npz;
#[cfg(feature = "parquet")]
mod parts;
mod stream;
#[cfg(feature = "parquet")]
mod tables;
