//! Gradient boosting over histograms (Friedman, "Greedy function approximation", 2001; Ke and others, "LightGBM", 2017).
//!
//! Features fall into at most 255 bins. A tree grows leaf by leaf, the best split first; sums of gradients by bin are whole
//! numbers, so that the trees are the same on any number of threads, and on a GPU.

mod bins;
mod device;
mod estimators;
mod fit;
mod grow;
mod histogram;
mod loss;
mod named;
mod split;

pub use estimators::{
    EarlyStop, FittedHistGradientBoostingClassifier, FittedHistGradientBoostingRegressor,
    HistGradientBoostingClassifier, HistGradientBoostingRegressor,
};
pub use loss::BoostingLoss;
pub use named::{ColumnChoice, Monotonic};
