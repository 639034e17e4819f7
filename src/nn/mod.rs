//! Networks: layers are plain structs with a `forward` and named parameters.

mod activation;
mod batch_norm;
mod dropout;
mod embedding;
mod flatten;
mod init;
mod linear;
mod module;
mod norm;
mod param;
mod sequential;
mod summary;

pub use activation::*;
pub use batch_norm::BatchNorm1d;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use init::Init;
pub use linear::{Dense, Linear};
pub use module::{Buffer, Cell, Item, Mode, ModeCell, Module, RandomCell, Visitor, call, walk};
pub use norm::{LayerNorm, RmsNorm};
pub use param::Param;
pub use sequential::Sequential;
pub use summary::{LayerSummary, Summary};
