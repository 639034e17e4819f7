//! Single decision trees.

use super::absolute::AbsoluteError;
use super::columns::Columns;
use super::criterion::{Classes, Criterion, Entropy, Gini, SquaredError};
use super::grow::Ground;
use super::nodes::Tree;
use super::prune::PruningPath;
use super::settings::{ClassCriterion, MaxFeatures, Rules, Samples, Splitter, ValueCriterion, weighed_rows};
use crate::data::Matrix;
use crate::device::cpu::Cpu;
use crate::error::Result;
use crate::models::class_weight::ClassWeight;
use crate::models::estimator::{Estimator, Influence, Model, Prediction, largest};
use crate::models::problem::Problem;
use crate::models::store::{Reader, Writer};
use crate::rng::Rng;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// A decision tree that tells classes apart: CART (Breiman and others, 1984) with exact splits, as scikit-learn's
/// `DecisionTreeClassifier`. Of splits that are equally good, up to rounding, the one of the first column and the smallest
/// threshold is taken, so that no seed decides.
///
/// ```
/// use tilework::models::{DecisionTreeClassifier, Estimator};
/// let x = [[1.0, 5.0], [2.0, 4.0], [3.0, 5.0], [4.0, 4.0]];
/// let model = DecisionTreeClassifier::default().fit(&x, &[0u32, 0, 1, 1])?;
/// assert_eq!(model.predict(&[[2.4, 9.0], [2.6, 0.0]])?, [0, 1]);
/// assert_eq!(model.feature_importances(), [1.0, 0.0]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecisionTreeClassifier {
    /// How mixed a node is. Gini.
    pub criterion: ClassCriterion,
    /// Which split of a feature is taken. The best.
    pub splitter: Splitter,
    /// The longest way from the root to a leaf, in splits. No bound.
    pub max_depth: Option<usize>,
    /// Rows that a node needs to be split. 2.
    pub min_samples_split: Samples,
    /// Rows that each side of a split keeps. 1.
    pub min_samples_leaf: Samples,
    /// The share of all weight that each side of a split keeps, 0 to 0.5. 0.
    pub min_weight_fraction_leaf: f64,
    /// How many features a split is sought among. All.
    pub max_features: MaxFeatures,
    /// How many leaves there may be; the best splits come first then. No bound.
    pub max_leaf_nodes: Option<usize>,
    /// What a split must take away from the disorder, by the node's share of the weight. 0.
    pub min_impurity_decrease: f64,
    /// The price of a leaf: branches that gain less are pruned. 0.
    pub ccp_alpha: f64,
    /// Weights of classes. None.
    pub class_weight: Option<ClassWeight>,
    /// Of features and thresholds that are drawn. 0.
    pub seed: u64,
}

impl Default for DecisionTreeClassifier {
    fn default() -> DecisionTreeClassifier {
        DecisionTreeClassifier {
            criterion: ClassCriterion::Gini,
            splitter: Splitter::Best,
            max_depth: None,
            min_samples_split: Samples::Count(2),
            min_samples_leaf: Samples::Count(1),
            min_weight_fraction_leaf: 0.0,
            max_features: MaxFeatures::All,
            max_leaf_nodes: None,
            min_impurity_decrease: 0.0,
            ccp_alpha: 0.0,
            class_weight: None,
            seed: 0,
        }
    }
}

/// A decision tree that predicts numbers, as scikit-learn's `DecisionTreeRegressor`. Equal splits are told apart as in
/// [`DecisionTreeClassifier`].
///
/// ```
/// use tilework::models::{DecisionTreeRegressor, Estimator};
/// let settings = DecisionTreeRegressor { max_depth: Some(1), ..Default::default() };
/// let model = settings.fit(&[[1.0], [2.0], [5.0], [6.0]], &[1.0, 1.5, 8.0, 9.0])?;
/// assert_eq!(model.predict(&[[0.0], [7.0]])?, [1.25, 8.5]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecisionTreeRegressor {
    /// How spread a node is. Squared error.
    pub criterion: ValueCriterion,
    /// Which split of a feature is taken. The best.
    pub splitter: Splitter,
    /// The longest way from the root to a leaf, in splits. No bound.
    pub max_depth: Option<usize>,
    /// Rows that a node needs to be split. 2.
    pub min_samples_split: Samples,
    /// Rows that each side of a split keeps. 1.
    pub min_samples_leaf: Samples,
    /// The share of all weight that each side of a split keeps, 0 to 0.5. 0.
    pub min_weight_fraction_leaf: f64,
    /// How many features a split is sought among. All.
    pub max_features: MaxFeatures,
    /// How many leaves there may be; the best splits come first then. No bound.
    pub max_leaf_nodes: Option<usize>,
    /// What a split must take away from the disorder, by the node's share of the weight. 0.
    pub min_impurity_decrease: f64,
    /// The price of a leaf: branches that gain less are pruned. 0.
    pub ccp_alpha: f64,
    /// Of features and thresholds that are drawn. 0.
    pub seed: u64,
}

impl Default for DecisionTreeRegressor {
    fn default() -> DecisionTreeRegressor {
        DecisionTreeRegressor {
            criterion: ValueCriterion::SquaredError,
            splitter: Splitter::Best,
            max_depth: None,
            min_samples_split: Samples::Count(2),
            min_samples_leaf: Samples::Count(1),
            min_weight_fraction_leaf: 0.0,
            max_features: MaxFeatures::All,
            max_leaf_nodes: None,
            min_impurity_decrease: 0.0,
            ccp_alpha: 0.0,
            seed: 0,
        }
    }
}

/// A fitted [`DecisionTreeClassifier`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedDecisionTreeClassifier {
    width: usize,
    /// The tree; its values are the classes' shares.
    pub tree: Tree,
}

/// A fitted [`DecisionTreeRegressor`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedDecisionTreeRegressor {
    width: usize,
    /// The tree.
    pub tree: Tree,
}

/// One tree on all rows of some weight.
fn one<C: Criterion>(
    op: &'static str,
    x: Matrix<'_>,
    answers: &[C::Answer],
    weights: &[f64],
    criterion: &C,
    rules: &Rules,
    seed: u64,
) -> Result<Tree> {
    let threads = Cpu::new().threads();
    let columns = Columns::new(op, x, threads)?;
    let max_features = rules.max_features.of(op, x.width())?;
    let rows = (0u32..).zip(weights).filter(|(_, weight)| **weight > 0.0).map(|(row, _)| row).collect();
    let ground = Ground { columns: &columns, criterion, answers, weights, rules, max_features, threads };
    Ok(ground.grow(rows, Rng::seed(seed)))
}

impl DecisionTreeClassifier {
    fn rules(&self, problem: &Problem<'_>) -> Result<Rules> {
        let rows = weighed_rows(problem);
        let rules = Rules {
            max_depth: self.max_depth,
            min_samples_split: self.min_samples_split.needed(Self::NAME, "min_samples_split", rows, 2)?,
            min_samples_leaf: self.min_samples_leaf.needed(Self::NAME, "min_samples_leaf", rows, 1)?,
            min_weight_fraction_leaf: self.min_weight_fraction_leaf,
            max_features: self.max_features,
            max_leaf_nodes: self.max_leaf_nodes,
            min_impurity_decrease: self.min_impurity_decrease,
            ccp_alpha: self.ccp_alpha,
            splitter: self.splitter,
        };
        rules.check(Self::NAME, problem.x.width())?;
        Ok(rules)
    }

    fn grow(&self, problem: &Problem<'_>) -> Result<Tree> {
        problem.check(Self::NAME)?;
        let (labels, classes) = problem.labels(Self::NAME)?;
        let rules = self.rules(problem)?;
        let mut weights = problem.row_weights();
        if let Some(class_weight) = &self.class_weight {
            class_weight.apply(Self::NAME, labels, classes, &mut weights)?;
        }
        let (x, seed) = (problem.x, self.seed);
        match self.criterion {
            ClassCriterion::Gini => one(Self::NAME, x, labels, &weights, &Classes::<Gini>::new(classes), &rules, seed),
            ClassCriterion::Entropy => {
                one(Self::NAME, x, labels, &weights, &Classes::<Entropy>::new(classes), &rules, seed)
            }
        }
    }

    /// The trees that pruning would pass through: grows the whole tree, whatever `ccp_alpha` is.
    ///
    /// # Errors
    /// As [`Estimator::learn`].
    pub fn cost_complexity_pruning_path(&self, problem: &Problem<'_>) -> Result<PruningPath> {
        Ok(self.grow(problem)?.pruning_path())
    }
}

impl Estimator for DecisionTreeClassifier {
    type Fitted = FittedDecisionTreeClassifier;
    const NAME: &'static str = "decision-tree-classifier";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedDecisionTreeClassifier> {
        let tree = self.grow(problem)?.pruned(self.ccp_alpha);
        Ok(FittedDecisionTreeClassifier { width: problem.x.width(), tree })
    }
}

impl DecisionTreeRegressor {
    fn rules(&self, problem: &Problem<'_>) -> Result<Rules> {
        let rows = weighed_rows(problem);
        let rules = Rules {
            max_depth: self.max_depth,
            min_samples_split: self.min_samples_split.needed(Self::NAME, "min_samples_split", rows, 2)?,
            min_samples_leaf: self.min_samples_leaf.needed(Self::NAME, "min_samples_leaf", rows, 1)?,
            min_weight_fraction_leaf: self.min_weight_fraction_leaf,
            max_features: self.max_features,
            max_leaf_nodes: self.max_leaf_nodes,
            min_impurity_decrease: self.min_impurity_decrease,
            ccp_alpha: self.ccp_alpha,
            splitter: self.splitter,
        };
        rules.check(Self::NAME, problem.x.width())?;
        Ok(rules)
    }

    fn grow(&self, problem: &Problem<'_>) -> Result<Tree> {
        problem.check(Self::NAME)?;
        let values = problem.values(Self::NAME)?;
        let rules = self.rules(problem)?;
        let (x, seed, weights) = (problem.x, self.seed, problem.row_weights());
        match self.criterion {
            ValueCriterion::SquaredError => one(Self::NAME, x, values, &weights, &SquaredError, &rules, seed),
            ValueCriterion::AbsoluteError => one(Self::NAME, x, values, &weights, &AbsoluteError, &rules, seed),
        }
    }

    /// The trees that pruning would pass through: grows the whole tree, whatever `ccp_alpha` is.
    ///
    /// # Errors
    /// As [`Estimator::learn`].
    pub fn cost_complexity_pruning_path(&self, problem: &Problem<'_>) -> Result<PruningPath> {
        Ok(self.grow(problem)?.pruning_path())
    }
}

impl Estimator for DecisionTreeRegressor {
    type Fitted = FittedDecisionTreeRegressor;
    const NAME: &'static str = "decision-tree-regressor";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedDecisionTreeRegressor> {
        let tree = self.grow(problem)?.pruned(self.ccp_alpha);
        Ok(FittedDecisionTreeRegressor { width: problem.x.width(), tree })
    }
}

/// What a tree says of each row, `[N, outputs]`.
fn values_of(op: &'static str, tree: &Tree, width: usize, x: Matrix<'_>) -> Result<Array2<f64>> {
    super::forest::predict(op, std::slice::from_ref(tree), width, x)
}

impl FittedDecisionTreeClassifier {
    /// The class of each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        Ok(largest(&self.predict_proba(x)?))
    }

    /// The share of each class in the leaf of each row, `[N, C]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict_proba<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        values_of(DecisionTreeClassifier::NAME, &self.tree, self.width, x.into())
    }

    /// Per feature, its share of the disorder that splits took away, `[F]`.
    pub fn feature_importances(&self) -> Vec<f64> {
        self.tree.importances(self.width)
    }
}

impl FittedDecisionTreeRegressor {
    /// The number for each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<f64>> {
        Ok(values_of(DecisionTreeRegressor::NAME, &self.tree, self.width, x.into())?.into_raw_vec_and_offset().0)
    }

    /// Per feature, its share of the disorder that splits took away, `[F]`.
    pub fn feature_importances(&self) -> Vec<f64> {
        self.tree.importances(self.width)
    }
}

fn stored(tree: &Tree, width: usize, out: &mut Writer<'_>) -> Result<()> {
    out.note(&(width, tree.outputs))?;
    Tree::store_all(std::slice::from_ref(tree), out)
}

fn restored(from: &Reader<'_>) -> Result<(usize, Tree)> {
    let (width, outputs) = from.note::<(usize, usize)>()?;
    match <[Tree; 1]>::try_from(Tree::restore_all(from, width, outputs)?) {
        Ok([tree]) => Ok((width, tree)),
        Err(trees) => Err(from.error(format!("{} trees; one is needed", trees.len()))),
    }
}

impl Model for FittedDecisionTreeClassifier {
    fn kind(&self) -> &'static str {
        DecisionTreeClassifier::NAME
    }

    fn width(&self) -> usize {
        self.width
    }

    fn classes(&self) -> usize {
        self.tree.outputs
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
        stored(&self.tree, self.width, out)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedDecisionTreeClassifier> {
        restored(from).map(|(width, tree)| FittedDecisionTreeClassifier { width, tree })
    }
}

impl Model for FittedDecisionTreeRegressor {
    fn kind(&self) -> &'static str {
        DecisionTreeRegressor::NAME
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
        stored(&self.tree, self.width, out)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedDecisionTreeRegressor> {
        match restored(from)? {
            (width, tree) if tree.outputs == 1 => Ok(FittedDecisionTreeRegressor { width, tree }),
            (_, tree) => Err(from.error(format!("{} values a leaf; one is needed", tree.outputs))),
        }
    }
}
