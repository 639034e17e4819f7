//! The two estimators.

use super::fit::{Ensemble, Rows, Settings, Task, fit};
use super::loss::{BoostingLoss, Loss};
use super::named::{ColumnChoice, Columns, Monotonic};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::class_weight::ClassWeight;
use crate::models::estimator::{Estimator, Influence, Model, Movable, Prediction, check_width};
use crate::models::problem::Problem;
use crate::models::store::{Reader, Writer};
use crate::models::tree::nodes::Tree;
use crate::models::tree::settings::weighed_rows;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Whether boosting stops when held-out rows stop getting better. In JSON `"auto"`, `true` or `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", expecting = "give \"auto\", true or false")]
pub enum EarlyStop {
    /// With more than 10,000 rows.
    #[default]
    Auto,
    /// Yes or no.
    #[serde(untagged)]
    When(bool),
}

impl EarlyStop {
    fn at(self, rows: usize) -> bool {
        match self {
            EarlyStop::Auto => rows > 10_000,
            EarlyStop::When(stop) => stop,
        }
    }
}

/// Settings of both: they differ in their first.
macro_rules! boosting {
    ($(#[$doc:meta])* $name:ident { $($(#[$own_doc:meta])* $own:ident: $own_type:ty = $own_default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[$own_doc])* pub $own: $own_type,)*
            /// How much of each tree counts. 0.1.
            pub learning_rate: f64,
            /// How many iterations: of a tree each, or one for each of more than two classes. 100.
            pub max_iter: usize,
            /// Leaves of a tree; the best splits come first. 31.
            pub max_leaf_nodes: Option<usize>,
            /// The longest way from the root to a leaf, in splits. No bound.
            pub max_depth: Option<usize>,
            /// Rows that each side of a split keeps. 20.
            pub min_samples_leaf: usize,
            /// Added to the hessians of a leaf, so that small leaves say less. 0.
            pub l2_regularization: f64,
            /// Bins of a feature, 2 to 255; missing values have one more. 255.
            pub max_bins: usize,
            /// Columns that hold categories, by name or position: numbers without an order, at most 255 of them. One with fewer
            /// than ten rows of a leaf is not told apart there. A category that was not seen in training goes right. None.
            pub categorical_features: Vec<ColumnChoice>,
            /// For each column, or for some by name, 1 where predictions must not fall as it grows, -1 where they must not rise,
            /// 0 for neither; with two classes, of the probability of class 1. None.
            pub monotonic_cst: Monotonic,
            /// Whether to stop when held-out rows stop getting better. With more than 10,000 rows.
            pub early_stopping: EarlyStop,
            /// The share of rows that is held out then. 0.1.
            pub validation_fraction: f64,
            /// Iterations without a better loss of these rows before it ends. 10.
            pub n_iter_no_change: usize,
            /// What counts as better. 1e-7.
            pub tol: f64,
            /// Of the rows that are held out. 0.
            pub seed: u64,
        }

        impl Default for $name {
            fn default() -> $name {
                $name {
                    $($own: $own_default,)*
                    learning_rate: 0.1,
                    max_iter: 100,
                    max_leaf_nodes: Some(31),
                    max_depth: None,
                    min_samples_leaf: 20,
                    l2_regularization: 0.0,
                    max_bins: 255,
                    categorical_features: Vec::new(),
                    monotonic_cst: Monotonic::default(),
                    early_stopping: EarlyStop::Auto,
                    validation_fraction: 0.1,
                    n_iter_no_change: 10,
                    tol: 1e-7,
                    seed: 0,
                }
            }
        }

        impl $name {
            fn settings<'a>(&self, problem: &Problem<'a>) -> Result<Settings<'a>> {
                let columns = Columns { op: Self::NAME, names: problem.names, width: problem.x.width() };
                let settings = Settings {
                    learning_rate: self.learning_rate,
                    max_iter: self.max_iter,
                    max_leaf_nodes: self.max_leaf_nodes,
                    max_depth: self.max_depth,
                    min_samples_leaf: self.min_samples_leaf,
                    l2_regularization: self.l2_regularization,
                    max_bins: self.max_bins,
                    categorical_features: columns.places("categorical_features", &self.categorical_features)?,
                    monotonic_cst: columns.directions("monotonic_cst", &self.monotonic_cst)?,
                    columns,
                    early_stopping: self.early_stopping.at(weighed_rows(problem)),
                    n_iter_no_change: self.n_iter_no_change,
                    tol: self.tol,
                };
                settings.check(Self::NAME, problem.x.rows())?;
                Ok(settings)
            }

            fn rows<'a>(&self, settings: &Settings<'_>, weights: &'a [f64], labels: Option<&[u32]>) -> Result<Rows<'a>> {
                match settings.early_stopping {
                    true => Rows::split(Self::NAME, weights, labels, self.validation_fraction, self.seed),
                    false => Ok(Rows::new(weights, Vec::new())),
                }
            }
        }
    };
}

boosting! {
    /// Boosted trees over histograms that tell classes apart by log loss: scikit-learn's `HistGradientBoostingClassifier`. NaN is
    /// a missing value, and goes where it does best; where a column had none, to the side with more rows.
    ///
    /// Histograms of many rows are made on the device of the [`Problem`], or, where it names none, on a GPU that is done first
    /// with them; the trees are the same, bit for bit.
    ///
    /// ```
    /// use tilework::models::{Estimator, HistGradientBoostingClassifier};
    /// let settings = HistGradientBoostingClassifier { min_samples_leaf: 1, ..Default::default() };
    /// let x = [[1.0], [2.0], [f64::NAN], [7.0], [8.0], [f64::NAN]];
    /// let model = settings.fit(&x, &[0u32, 0, 1, 1, 1, 1])?;
    /// assert_eq!(model.predict(&[[0.0], [9.0], [f64::NAN]])?, [0, 1, 1]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    HistGradientBoostingClassifier {
        /// Weights of classes. None.
        class_weight: Option<ClassWeight> = None,
    }
}

boosting! {
    /// Boosted trees over histograms that predict numbers: scikit-learn's `HistGradientBoostingRegressor`. NaN is a missing
    /// value, as in [`HistGradientBoostingClassifier`].
    HistGradientBoostingRegressor {
        /// What is made small. Squared error.
        loss: BoostingLoss = BoostingLoss::SquaredError,
        /// Which quantile the loss `quantile` predicts, between 0 and 1. The median.
        quantile: f64 = 0.5,
    }
}

/// A fitted [`HistGradientBoostingClassifier`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedHistGradientBoostingClassifier {
    width: usize,
    classes: usize,
    ensemble: Ensemble,
}

/// A fitted [`HistGradientBoostingRegressor`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedHistGradientBoostingRegressor {
    width: usize,
    ensemble: Ensemble,
}

impl Estimator for HistGradientBoostingClassifier {
    type Fitted = FittedHistGradientBoostingClassifier;
    const NAME: &'static str = "hist-gradient-boosting-classifier";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedHistGradientBoostingClassifier> {
        problem.check_but_missing(Self::NAME)?;
        let (labels, classes) = problem.labels(Self::NAME)?;
        let x = problem.x;
        let settings = self.settings(problem)?;
        let mut weights = problem.row_weights();
        if let Some(class_weight) = &self.class_weight {
            class_weight.apply(Self::NAME, labels, classes, &mut weights)?;
        }
        let y: Vec<f64> = labels.iter().map(|&label| f64::from(label)).collect();
        let (loss, outputs) = if classes == 2 { (Loss::Binary, 1) } else { (Loss::Softmax, classes) };
        if outputs > 1 && settings.monotonic_cst.iter().any(|&direction| direction != 0) {
            return Err(Error::argument(Self::NAME, "monotonic_cst: only with two classes; more have no order"));
        }
        let rows = self.rows(&settings, &weights, Some(labels))?;
        let task = Task { x: x.reborrow(), y: &y, rows, loss, outputs };
        let ensemble = fit(Self::NAME, &task, &settings, problem.device)?;
        Ok(FittedHistGradientBoostingClassifier { width: x.width(), classes, ensemble })
    }
}

impl Estimator for HistGradientBoostingRegressor {
    type Fitted = FittedHistGradientBoostingRegressor;
    const NAME: &'static str = "hist-gradient-boosting-regressor";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedHistGradientBoostingRegressor> {
        problem.check_but_missing(Self::NAME)?;
        let (x, y) = (problem.x, problem.values(Self::NAME)?);
        let settings = self.settings(problem)?;
        let loss = match self.loss {
            BoostingLoss::SquaredError => Loss::Squared,
            BoostingLoss::AbsoluteError => Loss::Quantile(0.5),
            BoostingLoss::Quantile if self.quantile > 0.0 && self.quantile < 1.0 => Loss::Quantile(self.quantile),
            BoostingLoss::Quantile => {
                let message = format!("quantile = {}; give a number between 0 and 1", self.quantile);
                return Err(Error::argument(Self::NAME, message));
            }
        };
        if matches!(loss, Loss::Quantile(_)) && settings.monotonic_cst.iter().any(|&direction| direction != 0) {
            let message =
                "monotonic_cst: only with squared_error; the leaves of other losses are medians of their own rows";
            return Err(Error::argument(Self::NAME, message));
        }
        let weights = problem.row_weights();
        let rows = self.rows(&settings, &weights, None)?;
        let task = Task { x: x.reborrow(), y, rows, loss, outputs: 1 };
        let ensemble = fit(Self::NAME, &task, &settings, problem.device)?;
        Ok(FittedHistGradientBoostingRegressor { width: x.width(), ensemble })
    }
}

/// What both fitted models tell of how they were made.
macro_rules! history {
    ($name:ident) => {
        impl $name {
            /// Iterations that were made.
            pub fn n_iter(&self) -> usize {
                self.ensemble.trees.len() / self.ensemble.start.len().max(1)
            }

            /// Whether held-out rows stopped getting better before the last iteration.
            pub fn stopped_early(&self) -> bool {
                self.ensemble.stopped
            }

            /// The mean loss of the held-out rows, before the first iteration and after each; empty where none were held out.
            pub fn validation_losses(&self) -> &[f64] {
                &self.ensemble.validation
            }

            /// The trees: those of the first iteration, one an output, then those of the next.
            pub fn trees(&self) -> &[Tree] {
                &self.ensemble.trees
            }

            /// Scores before any tree, one an output.
            pub(in crate::models::tree) fn start(&self) -> &[f64] {
                &self.ensemble.start
            }

            /// Per feature, its share of what all splits gained, `[F]`: LightGBM's importance of type `gain`.
            pub fn feature_importances(&self) -> &[f64] {
                &self.ensemble.importances
            }
        }
    };
}

history!(FittedHistGradientBoostingClassifier);
history!(FittedHistGradientBoostingRegressor);

impl FittedHistGradientBoostingClassifier {
    /// The class of each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        Ok(self.classes_of(&self.decision_function(x)?))
    }

    pub(in crate::models::tree) fn classes_of(&self, scores: &Array2<f64>) -> Vec<u32> {
        match self.classes {
            2 => scores.iter().map(|&score| u32::from(score > 0.0)).collect(),
            _ => crate::models::estimator::largest(scores),
        }
    }

    /// The probability of each class, `[N, C]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict_proba<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        Ok(self.probabilities_of(self.decision_function(x)?))
    }

    pub(in crate::models::tree) fn probabilities_of(&self, mut scores: Array2<f64>) -> Array2<f64> {
        if self.classes == 2 {
            return Array2::from_shape_fn((scores.nrows(), 2), |(row, class)| {
                let score = if class == 1 { scores[[row, 0]] } else { -scores[[row, 0]] };
                1.0 / (1.0 + (-score).exp())
            });
        }
        for mut row in scores.rows_mut() {
            if let Some(row) = row.as_slice_mut() {
                Loss::Softmax.seen(row);
            }
        }
        scores
    }

    /// Scores: log odds of class 1, `[N, 1]`, with two classes, otherwise one a class, `[N, C]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn decision_function<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let x = x.into();
        let name = HistGradientBoostingClassifier::NAME;
        check_width(name, self.width, x)?;
        Array2::from_shape_vec((x.rows(), self.ensemble.start.len()), self.ensemble.scores(x))
            .map_err(|e| Error::internal(name, e.to_string()))
    }
}

impl FittedHistGradientBoostingRegressor {
    /// The number for each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<f64>> {
        let x = x.into();
        check_width(HistGradientBoostingRegressor::NAME, self.width, x)?;
        Ok(self.ensemble.scores(x))
    }
}

/// What a file says beside the trees.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    width: usize,
    classes: usize,
    stopped_early: bool,
}

impl Ensemble {
    fn store(&self, width: usize, classes: usize, out: &mut Writer<'_>) -> Result<()> {
        out.note(&Note { width, classes, stopped_early: self.stopped })?;
        out.doubles("start", &self.start, &[self.start.len()])?;
        out.doubles("importances", &self.importances, &[width])?;
        out.doubles("validation", &self.validation, &[self.validation.len()])?;
        Tree::store_all(&self.trees, out)
    }

    fn restore(from: &Reader<'_>) -> Result<(Note, Ensemble)> {
        let note: Note = from.note()?;
        let outputs = if note.classes > 2 { note.classes } else { 1 };
        let (start, importances) = (from.vector("start", outputs)?, from.vector("importances", note.width)?);
        let (validation, _) = from.doubles("validation")?;
        if [&start, &importances, &validation].into_iter().flatten().any(|v| !v.is_finite()) {
            return Err(from.error("boosting: a number is not finite"));
        }
        let trees = Tree::restore_all(from, note.width, 1)?;
        match trees.len() % outputs {
            0 => {
                let stopped = note.stopped_early;
                Ok((note, Ensemble { start, trees, importances, validation, stopped }))
            }
            _ => Err(from.error(format!("{} trees for {outputs} outputs", trees.len()))),
        }
    }
}

impl Model for FittedHistGradientBoostingClassifier {
    fn movable(&self) -> Option<&dyn Movable> {
        Some(self)
    }

    fn kind(&self) -> &'static str {
        HistGradientBoostingClassifier::NAME
    }

    fn width(&self) -> usize {
        self.width
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
        self.predict(x).map(Prediction::Labels)
    }

    fn probabilities(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        self.predict_proba(x).map(Some)
    }

    fn decision(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        self.decision_function(x).map(Some)
    }

    fn influence(&self) -> Option<Influence> {
        Some(Influence::Importances(self.ensemble.importances.clone()))
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        self.ensemble.store(self.width, self.classes, out)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedHistGradientBoostingClassifier> {
        match Ensemble::restore(from)? {
            (Note { width, classes, .. }, ensemble) if classes >= 2 => {
                Ok(FittedHistGradientBoostingClassifier { width, classes, ensemble })
            }
            (note, _) => Err(from.error(format!("{} classes; a classifier has two or more", note.classes))),
        }
    }
}

impl Model for FittedHistGradientBoostingRegressor {
    fn movable(&self) -> Option<&dyn Movable> {
        Some(self)
    }

    fn kind(&self) -> &'static str {
        HistGradientBoostingRegressor::NAME
    }

    fn width(&self) -> usize {
        self.width
    }

    fn classes(&self) -> usize {
        0
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
        self.predict(x).map(Prediction::Values)
    }

    fn probabilities(&self, _: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        Ok(None)
    }

    fn decision(&self, _: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        Ok(None)
    }

    fn influence(&self) -> Option<Influence> {
        Some(Influence::Importances(self.ensemble.importances.clone()))
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        self.ensemble.store(self.width, 0, out)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedHistGradientBoostingRegressor> {
        match Ensemble::restore(from)? {
            (Note { width, classes: 0, .. }, ensemble) => Ok(FittedHistGradientBoostingRegressor { width, ensemble }),
            (note, _) => Err(from.error(format!("{} classes; a regressor has none", note.classes))),
        }
    }
}
