//! Trees, and forests of them.

mod absolute;
mod boosting;
mod columns;
mod criterion;
mod decision;
mod forest;
mod forests;
mod grow;
mod isolation;
mod nodes;
mod on_device;
mod packed;
mod prune;
mod settings;
mod sort;
mod split;
mod svg;
mod text;

pub use boosting::{
    BoostingLoss, ColumnChoice, EarlyStop, FittedHistGradientBoostingClassifier, FittedHistGradientBoostingRegressor,
    HistGradientBoostingClassifier, HistGradientBoostingRegressor, Monotonic,
};
pub use decision::{
    DecisionTreeClassifier, DecisionTreeRegressor, FittedDecisionTreeClassifier, FittedDecisionTreeRegressor,
};
pub use forests::{
    ExtraTreesClassifier, ExtraTreesRegressor, FittedForestClassifier, FittedForestRegressor, RandomForestClassifier,
    RandomForestRegressor,
};
pub use isolation::{FittedIsolationForest, IsolationForest, MaxSamples};
pub use nodes::{NodeView, SplitView, Tree};
pub use on_device::TreesOnDevice;
pub use prune::PruningPath;
pub use settings::{ClassCriterion, MaxFeatures, Samples, Splitter, ValueCriterion};
pub use text::TreeNames;
