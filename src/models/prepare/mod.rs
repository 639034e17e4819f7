//! From a raw table to what a model learns from: imputers, scalers, encoders and selections, joined to a pipeline that is one
//! file with its model.
//!
//! Every step maps a matrix to a matrix; texts enter as positions in the sorted list of a column's levels, NaN where one is
//! missing, and the steps that look into texts find the list beside the matrix. So a step, a whole pipeline and a bare model are tried by the same folds and searches.

mod bins;
mod chain;
mod columns;
mod fitted;
mod frame;
mod from_model;
mod impute;
mod intervals;
mod iterative;
mod knn;
mod normal;
mod normalize;
mod one_hot;
mod ordinal;
mod pipeline;
mod plan;
mod polynomial;
mod power;
mod projection;
mod quantile;
mod rfe;
mod scale;
mod score;
mod select;
mod stream;
mod table;
mod target;
mod text;
mod transformer;

pub use bins::{BinEncode, BinStrategy, FittedKBinsDiscretizer, KBinsDiscretizer};
pub use chain::Step;
pub use columns::{Branch, ColumnTransformer, FittedColumnTransformer, Remainder};
pub use fitted::FittedPipeline;
pub use frame::{Frame, Outcome};
pub use from_model::{ImportanceThreshold, SelectFromModel};
pub use impute::{FittedSimpleImputer, ImputeStrategy, SimpleImputer};
pub use iterative::{FittedIterativeImputer, ImputationOrder, IterativeImputer};
pub use knn::{FittedKnnImputer, KnnImputer, NeighbourWeights};
pub use normalize::{FittedNormalizer, Norm, Normalizer};
pub use one_hot::{FittedOneHotEncoder, OneHotEncoder, UnknownLevel};
pub use ordinal::{FittedOrdinalEncoder, OrdinalEncoder};
pub use pipeline::Pipeline;
pub use plan::Plan;
pub use polynomial::{FittedPolynomialFeatures, PolynomialFeatures};
pub use power::{FittedPowerTransformer, PowerMethod, PowerTransformer};
pub use projection::{FittedRandomProjection, GaussianRandomProjection, SparseRandomProjection};
pub use quantile::{Distribution, FittedQuantileTransformer, QuantileTransformer};
pub use rfe::{Rfe, Rfecv};
pub use scale::{FittedScaler, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler};
pub use score::ScoreFunc;
pub use select::{FittedSelection, SelectKBest, VarianceThreshold};
pub use table::{Applied, TRANSFORMERS, TransformerRow, Uses};
pub use target::{FittedTargetEncoder, TargetEncoder};
pub use text::{
    Analyzer, CountVectorizer, DocumentFrequency, FittedCountVectorizer, FittedTexts, FittedTfidfTransformer,
    FittedTfidfVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer, tokens,
};
pub use transformer::{Feature, Transform, Transformer, names_of, plain_features};
