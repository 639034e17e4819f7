//! The estimators of many trees.

use super::absolute::AbsoluteError;
use super::criterion::{Classes, Entropy, Gini, SquaredError};
use super::forest::{Grown, Plan, grow, importances, predict};
use super::nodes::Tree;
use super::settings::{ClassCriterion, MaxFeatures, Rules, Samples, Splitter, ValueCriterion, weighed_rows};
use crate::data::Matrix;
use crate::error::Result;
use crate::models::class_weight::ClassWeight;
use crate::models::estimator::{Estimator, Influence, Model, Movable, Prediction, largest};
use crate::models::problem::Problem;
use crate::models::store::{Reader, Writer};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// The settings of one forest: they differ in their criterion, in defaults, and in the weights of classes.
macro_rules! forest {
    (
        $(#[$doc:meta])* $name:ident, $kind:literal, $fitted:ident, $learn:ident, $criterion:ident, $splitter:ident,
        $max_features:expr, $features_doc:literal, $bootstrap:literal, $bootstrap_doc:literal
        $(, $(#[$extra_doc:meta])* $extra:ident: $extra_type:ty)?
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            /// How many trees. 100.
            pub n_estimators: usize,
            /// How disordered a node is. Gini, or squared error.
            pub criterion: $criterion,
            /// The longest way from the root to a leaf, in splits. No bound.
            pub max_depth: Option<usize>,
            /// Rows that a node needs to be split. 2.
            pub min_samples_split: Samples,
            /// Rows that each side of a split keeps. 1.
            pub min_samples_leaf: Samples,
            /// The share of all weight that each side of a split keeps, 0 to 0.5. 0.
            pub min_weight_fraction_leaf: f64,
            #[doc = $features_doc]
            pub max_features: MaxFeatures,
            /// How many leaves a tree may have; the best splits come first then. No bound.
            pub max_leaf_nodes: Option<usize>,
            /// What a split must take away from the disorder, by the node's share of the weight. 0.
            pub min_impurity_decrease: f64,
            #[doc = $bootstrap_doc]
            pub bootstrap: bool,
            /// Whether rows are scored by the trees that did not draw them. No.
            pub oob_score: bool,
            /// How many rows are drawn for a tree, where rows are drawn. As many as there are.
            pub max_samples: Option<Samples>,
            /// The price of a leaf: branches that gain less are pruned. 0.
            pub ccp_alpha: f64,
            $($(#[$extra_doc])* pub $extra: $extra_type,)?
            /// Of all that is drawn. 0.
            pub seed: u64,
        }

        impl Default for $name {
            fn default() -> $name {
                $name {
                    n_estimators: 100,
                    criterion: $criterion::default(),
                    max_depth: None,
                    min_samples_split: Samples::Count(2),
                    min_samples_leaf: Samples::Count(1),
                    min_weight_fraction_leaf: 0.0,
                    max_features: $max_features,
                    max_leaf_nodes: None,
                    min_impurity_decrease: 0.0,
                    bootstrap: $bootstrap,
                    oob_score: false,
                    max_samples: None,
                    ccp_alpha: 0.0,
                    $($extra: <$extra_type>::default(),)?
                    seed: 0,
                }
            }
        }

        impl Estimator for $name {
            type Fitted = $fitted;
            const NAME: &'static str = $kind;

            fn compute(&self, problem: &Problem<'_>) -> Result<$fitted> {
                let rows = weighed_rows(problem);
                let rules = Rules {
                    max_depth: self.max_depth,
                    min_samples_split: self.min_samples_split.needed($kind, "min_samples_split", rows, 2)?,
                    min_samples_leaf: self.min_samples_leaf.needed($kind, "min_samples_leaf", rows, 1)?,
                    min_weight_fraction_leaf: self.min_weight_fraction_leaf,
                    max_features: self.max_features,
                    max_leaf_nodes: self.max_leaf_nodes,
                    min_impurity_decrease: self.min_impurity_decrease,
                    ccp_alpha: self.ccp_alpha,
                    splitter: Splitter::$splitter,
                };
                let plan = Plan {
                    n_estimators: self.n_estimators,
                    bootstrap: self.bootstrap,
                    max_samples: self.max_samples,
                    oob_score: self.oob_score,
                    seed: self.seed,
                };
                $learn($kind, problem, self.criterion, rules, plan, $(self.$extra.as_ref())?)
            }
        }
    };
}

forest! {
    /// A random forest that tells classes apart (Breiman, "Random forests", 2001): trees on rows drawn with replacement, each
    /// split among features drawn anew, averaged. Splits are exact, as in a single tree. scikit-learn's
    /// `RandomForestClassifier`.
    ///
    /// ```
    /// use tilework::models::{Estimator, RandomForestClassifier};
    /// let settings = RandomForestClassifier { n_estimators: 20, oob_score: true, ..Default::default() };
    /// let x = [[1.0], [1.5], [2.0], [2.5], [7.0], [7.5], [8.0], [8.5]];
    /// let model = settings.fit(&x, &[0u32, 0, 0, 0, 1, 1, 1, 1])?;
    /// assert_eq!(model.predict(&[[0.0], [9.0]])?, [0, 1]);
    /// assert!(model.oob_score.unwrap() > 0.8);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    RandomForestClassifier, "random-forest-classifier", FittedForestClassifier, classes, ClassCriterion, Best,
    MaxFeatures::Sqrt, "How many features a split is sought among. The square root of their number.",
    true, "Whether each tree draws its rows, with replacement. Yes.",
    /// Weights of classes. None.
    class_weight: Option<ClassWeight>
}

forest! {
    /// A random forest that predicts numbers. scikit-learn's `RandomForestRegressor`.
    RandomForestRegressor, "random-forest-regressor", FittedForestRegressor, values, ValueCriterion, Best,
    MaxFeatures::Share(1.0), "How many features a split is sought among. All.",
    true, "Whether each tree draws its rows, with replacement. Yes."
}

forest! {
    /// Extremely randomised trees that tell classes apart (Geurts, Ernst, Wehenkel, 2006): a threshold is drawn for each feature,
    /// and the best of these is taken. scikit-learn's `ExtraTreesClassifier`.
    ExtraTreesClassifier, "extra-trees-classifier", FittedForestClassifier, classes, ClassCriterion, Random,
    MaxFeatures::Sqrt, "How many features a split is sought among. The square root of their number.",
    false, "Whether each tree draws its rows, with replacement. No.",
    /// Weights of classes. None.
    class_weight: Option<ClassWeight>
}

forest! {
    /// Extremely randomised trees that predict numbers. scikit-learn's `ExtraTreesRegressor`.
    ExtraTreesRegressor, "extra-trees-regressor", FittedForestRegressor, values, ValueCriterion, Random,
    MaxFeatures::Share(1.0), "How many features a split is sought among. All.",
    false, "Whether each tree draws its rows, with replacement. No."
}

/// A fitted [`RandomForestClassifier`] or [`ExtraTreesClassifier`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedForestClassifier {
    kind: &'static str,
    width: usize,
    classes: usize,
    /// The trees; their values are the classes' shares.
    pub trees: Vec<Tree>,
    /// The share of rows that the trees which did not draw them got right, where asked for.
    pub oob_score: Option<f64>,
    /// What these trees said of each row, `[N, C]`; NaN of a row that every tree drew. Not kept in files.
    pub oob_decision_function: Option<Array2<f64>>,
}

/// A fitted [`RandomForestRegressor`] or [`ExtraTreesRegressor`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedForestRegressor {
    kind: &'static str,
    width: usize,
    /// The trees.
    pub trees: Vec<Tree>,
    /// R² over the rows, each by the trees that did not draw it, where asked for.
    pub oob_score: Option<f64>,
    /// What these trees said of each row, `[N]`; NaN of a row that every tree drew. Not kept in files.
    pub oob_prediction: Option<Vec<f64>>,
}

fn classes(
    kind: &'static str,
    problem: &Problem<'_>,
    criterion: ClassCriterion,
    rules: Rules,
    plan: Plan,
    class_weight: Option<&ClassWeight>,
) -> Result<FittedForestClassifier> {
    problem.check(kind)?;
    let (labels, classes) = problem.labels(kind)?;
    rules.check(kind, problem.x.width())?;
    plan.check(kind, problem.x.rows())?;
    let mut weights = problem.row_weights();
    if let Some(class_weight) = class_weight {
        class_weight.apply(kind, labels, classes, &mut weights)?;
    }
    let Grown { trees, out_of_bag } = match criterion {
        ClassCriterion::Gini => grow(kind, problem.x, labels, &weights, &Classes::<Gini>::new(classes), &rules, &plan)?,
        ClassCriterion::Entropy => {
            grow(kind, problem.x, labels, &weights, &Classes::<Entropy>::new(classes), &rules, &plan)?
        }
    };
    let oob_score = out_of_bag.as_ref().map(|shares| {
        let told = largest(shares).into_iter().zip(labels).zip(shares.rows()).filter(|(_, row)| !row[0].is_nan());
        let (right, all) =
            told.fold((0, 0), |(right, all), ((told, label), _)| (right + usize::from(told == *label), all + 1));
        right as f64 / all as f64
    });
    let width = problem.x.width();
    Ok(FittedForestClassifier { kind, width, classes, trees, oob_score, oob_decision_function: out_of_bag })
}

fn values(
    kind: &'static str,
    problem: &Problem<'_>,
    criterion: ValueCriterion,
    rules: Rules,
    plan: Plan,
) -> Result<FittedForestRegressor> {
    problem.check(kind)?;
    let values = problem.values(kind)?;
    rules.check(kind, problem.x.width())?;
    plan.check(kind, problem.x.rows())?;
    let weights = problem.row_weights();
    let Grown { trees, out_of_bag } = match criterion {
        ValueCriterion::SquaredError => grow(kind, problem.x, values, &weights, &SquaredError, &rules, &plan)?,
        ValueCriterion::AbsoluteError => grow(kind, problem.x, values, &weights, &AbsoluteError, &rules, &plan)?,
    };
    let oob_prediction = out_of_bag.map(|means| means.into_raw_vec_and_offset().0);
    let oob_score = oob_prediction.as_ref().map(|told: &Vec<f64>| {
        let known = || told.iter().zip(values).filter(|(told, _)| !told.is_nan());
        let mean = known().map(|(_, y)| y).sum::<f64>() / known().count() as f64;
        let [rest, all] =
            known().fold([0.0; 2], |[rest, all], (told, y)| [rest + (y - told).powi(2), all + (y - mean).powi(2)]);
        1.0 - rest / all
    });
    Ok(FittedForestRegressor { kind, width: problem.x.width(), trees, oob_score, oob_prediction })
}

impl FittedForestClassifier {
    /// The class of each row, `[N]`: that of the largest mean share.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        Ok(largest(&self.predict_proba(x)?))
    }

    /// The mean over the trees of each class's share in a row's leaf, `[N, C]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict_proba<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        predict(self.kind, &self.trees, self.width, x.into())
    }

    /// Per feature, its share of the disorder that splits took away, averaged over the trees, `[F]`.
    pub fn feature_importances(&self) -> Vec<f64> {
        importances(&self.trees, self.width)
    }
}

impl FittedForestRegressor {
    /// The number for each row, `[N]`: the mean over the trees.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<f64>> {
        Ok(predict(self.kind, &self.trees, self.width, x.into())?.into_raw_vec_and_offset().0)
    }

    /// Per feature, its share of the disorder that splits took away, averaged over the trees, `[F]`.
    pub fn feature_importances(&self) -> Vec<f64> {
        importances(&self.trees, self.width)
    }
}

/// What a file says of a forest beside its trees.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    kind: String,
    width: usize,
    outputs: usize,
    oob_score: Option<f64>,
}

impl Note {
    /// The note and the trees; the kind as one of two.
    fn restore(from: &Reader<'_>, kinds: [&'static str; 2]) -> Result<(&'static str, Note, Vec<Tree>)> {
        let note: Note = from.note()?;
        let Some(kind) = kinds.into_iter().find(|&kind| kind == note.kind) else {
            return Err(from.error(format!("kind {:?}; {} or {} is needed", note.kind, kinds[0], kinds[1])));
        };
        let trees = Tree::restore_all(from, note.width, note.outputs)?;
        Ok((kind, note, trees))
    }
}

impl Model for FittedForestClassifier {
    fn oob_score(&self) -> Option<f64> {
        self.oob_score
    }

    fn movable(&self) -> Option<&dyn Movable> {
        Some(self)
    }

    fn kind(&self) -> &'static str {
        self.kind
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

    fn decision(&self, _: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        Ok(None)
    }

    fn influence(&self) -> Option<Influence> {
        Some(Influence::Importances(self.feature_importances()))
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let (kind, oob_score) = (self.kind.to_owned(), self.oob_score);
        out.note(&Note { kind, width: self.width, outputs: self.classes, oob_score })?;
        Tree::store_all(&self.trees, out)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedForestClassifier> {
        let (kind, note, trees) = Note::restore(from, [RandomForestClassifier::NAME, ExtraTreesClassifier::NAME])?;
        let Note { width, outputs: classes, oob_score, .. } = note;
        Ok(FittedForestClassifier { kind, width, classes, trees, oob_score, oob_decision_function: None })
    }
}

impl Model for FittedForestRegressor {
    fn oob_score(&self) -> Option<f64> {
        self.oob_score
    }

    fn movable(&self) -> Option<&dyn Movable> {
        Some(self)
    }

    fn kind(&self) -> &'static str {
        self.kind
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
        Some(Influence::Importances(self.feature_importances()))
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let (kind, oob_score) = (self.kind.to_owned(), self.oob_score);
        out.note(&Note { kind, width: self.width, outputs: 1, oob_score })?;
        Tree::store_all(&self.trees, out)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedForestRegressor> {
        let (kind, note, trees) = Note::restore(from, [RandomForestRegressor::NAME, ExtraTreesRegressor::NAME])?;
        match note.outputs {
            1 => Ok(FittedForestRegressor {
                kind,
                width: note.width,
                trees,
                oob_score: note.oob_score,
                oob_prediction: None,
            }),
            other => Err(from.error(format!("{other} values a leaf; one is needed"))),
        }
    }
}
