//! From a raw table to what a model learns from: imputers, scalers, encoders and selections, joined to a pipeline that is one
//! file with its model.
//!
//! Every step maps a matrix to a matrix; texts enter as positions in the sorted list of a column's levels, NaN where one is
//! missing. So a step, a whole pipeline and a bare model are tried by the same folds and searches.

mod chain;
mod columns;
mod frame;
mod impute;
mod normal;
mod one_hot;
mod pipeline;
mod plan;
mod scale;
mod table;
mod transformer;

pub use chain::Step;
pub use columns::{Branch, ColumnTransformer, FittedColumnTransformer, Remainder};
pub use frame::{Frame, Outcome};
pub use impute::{FittedSimpleImputer, ImputeStrategy, SimpleImputer};
pub use one_hot::{FittedOneHotEncoder, OneHotEncoder, UnknownLevel};
pub use pipeline::{FittedPipeline, Pipeline};
pub use plan::Plan;
pub use scale::{FittedScaler, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler};
pub use table::{Applied, TRANSFORMERS, TransformerRow, Uses};
pub use transformer::{Feature, Transform, Transformer, names_of, plain_features};
