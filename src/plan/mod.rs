//! From a batch of recorded calls to work on a device.
//!
//! [`batch`] collects calls. When they run, [`key`] describes their structure; if [`cache`] knows it, the plan is replayed with
//! new buffers, offsets and scalars. Otherwise [`fuse`] drops dead results and joins neighbours into [`step`]s, [`place`] gives
//! every value its memory, and [`run`] builds the kernels.

pub(crate) mod batch;
pub(crate) mod cache;
pub(crate) mod fuse;
pub(crate) mod kernel;
pub(crate) mod key;
pub(crate) mod place;
pub(crate) mod run;
pub(crate) mod slot;
pub(crate) mod step;
mod trace;
