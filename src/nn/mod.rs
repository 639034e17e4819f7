//! Networks: layers are plain structs with a `forward` and named parameters.

mod activation;
mod dropout;
mod init;
mod linear;
mod module;
mod param;
mod sequential;

pub use activation::*;
pub use dropout::Dropout;
pub use init::Init;
pub use linear::{Dense, Linear};
pub use module::{Buffer, Cell, Item, Mode, ModeCell, Module, RandomCell, Visitor, walk};
pub use param::Param;
pub use sequential::Sequential;
