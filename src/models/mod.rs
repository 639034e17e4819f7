//! Estimators: settings, `fit`, and a fitted model that predicts and is one file.
//!
//! Settings and fitted model are different types, so an unfitted model cannot predict: [`Estimator::fit`] of the one gives the
//! other. Names, defaults and results are scikit-learn's. [`MODELS`] lists every kind.

#[cfg(feature = "models")]
pub mod balance;
#[cfg(feature = "models")]
pub mod calibration;
#[cfg(feature = "models")]
mod class_weight;
#[cfg(feature = "models")]
mod cluster;
#[cfg(feature = "models")]
mod directions;
#[cfg(feature = "models")]
mod dummy;
#[cfg(feature = "models")]
mod ensemble;
#[cfg(feature = "models")]
mod estimator;
#[cfg(feature = "models")]
mod linalg;
#[cfg(feature = "models")]
pub mod linear;
mod mlp;
#[cfg(feature = "models")]
mod naive_bayes;
#[cfg(feature = "models")]
mod neighbors;
mod network;
#[cfg(feature = "models")]
mod pca;
#[cfg(feature = "models")]
mod perceptron;
#[cfg(feature = "models")]
pub mod prepare;
#[cfg(feature = "models")]
mod problem;
#[cfg(feature = "models")]
mod quantile;
#[cfg(feature = "models")]
pub mod selection;
#[cfg(feature = "models")]
mod settings;
#[cfg(feature = "models")]
mod smoothing;
#[cfg(feature = "models")]
mod store;
#[cfg(feature = "models")]
mod svm;
#[cfg(feature = "models")]
mod table;
#[cfg(feature = "models")]
mod tiles;
#[cfg(feature = "models")]
mod tree;
#[cfg(feature = "models")]
mod truncated_svd;
#[cfg(feature = "models")]
mod wrapper;

pub use mlp::{FittedMlp, Mlp, Scaling};
pub use network::Activation;
#[cfg(feature = "cli")]
pub(crate) use table::holds;
#[cfg(feature = "models")]
pub use {
    calibration::{CalibratedClassifier, FittedCalibratedClassifier},
    class_weight::ClassWeight,
    cluster::{FittedKMeans, KMeans, Start},
    dummy::{
        ClassBaseline, DummyClassifier, DummyRegressor, FittedDummyClassifier, FittedDummyRegressor, ValueBaseline,
    },
    ensemble::{
        FittedStackingClassifier, FittedStackingRegressor, FittedVotingClassifier, FittedVotingRegressor, Member,
        StackingClassifier, StackingRegressor, Voting, VotingClassifier, VotingRegressor,
    },
    estimator::{Ended, Estimator, Influence, Model, Movable, Prediction, check_rows, check_width, largest},
    naive_bayes::{BernoulliNb, FittedBernoulliNb, FittedGaussianNb, FittedMultinomialNb, GaussianNb, MultinomialNb},
    neighbors::{FittedKnnClassifier, FittedKnnRegressor, KnnClassifier, KnnRegressor, NeighborWeights},
    pca::{Components, FittedPca, Pca, PcaSolver},
    perceptron::{
        DenseLayer, FittedMlpClassifier, FittedMlpRegressor, MlpClassifier, MlpRegressor, MlpSettings, MlpSolver,
    },
    problem::{Answer, Answers, Labels, Part, Problem},
    smoothing::{ExponentialSmoothing, FittedSmoothing, SmoothingState},
    store::{Reader, Writer, archive_of, save},
    svm::{
        DecisionShape, FittedLinearSvc, FittedLinearSvr, FittedSvc, FittedSvr, Gamma, HingeLoss, Kernel, LinearSvc,
        LinearSvr, Svc, Svr, TubeLoss,
    },
    table::{MODELS, Missing, Needs, Predicts, Row, load},
    tree::*,
    truncated_svd::{FittedTruncatedSvd, SvdAlgorithm, TruncatedSvd},
};
