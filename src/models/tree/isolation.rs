//! Isolation forest: rows that few random cuts set apart are outliers.

use super::columns::Columns;
use super::criterion::SquaredError;
use super::grow::Ground;
use super::nodes::{LEAF, Tree};
use super::settings::{MaxFeatures, Rules, Splitter};
use crate::data::Matrix;
use crate::device::cpu::Cpu;
use crate::device::cpu::parallel::{WORK_PER_THREAD, for_chunks};
use crate::error::{Error, Result};
use crate::models::estimator::{Estimator, Influence, Model, Prediction, check_rows};
use crate::models::problem::Problem;
use crate::models::store::{Reader, Writer};
use crate::rng::Rng;
use ndarray::{Array2, Axis};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Finds outliers without being told of any (Liu, Ting, Zhou, "Isolation forest", 2008); scikit-learn's `IsolationForest`. Each
/// tree cuts a few hundred rows at random; an outlier is alone after few cuts. Answers are not looked at, weights are refused.
///
/// ```
/// use tilework::models::{Answer, Estimator, IsolationForest};
/// let x = [[0.1, 0.2], [0.0, 0.1], [0.2, 0.0], [0.1, 0.1], [0.2, 0.1], [9.0, -7.0]];
/// let model = IsolationForest::default().fit(&x, Answer::None)?;
/// assert_eq!(model.predict(&x)?, [0, 0, 0, 0, 0, 1]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IsolationForest {
    /// How many trees. 100.
    pub n_estimators: usize,
    /// Rows that each tree sees. 256, or all where there are fewer.
    pub max_samples: MaxSamples,
    /// The features that each tree sees, drawn for it. All.
    pub max_features: MaxFeatures,
    /// Whether rows are drawn with replacement; one that is drawn twice counts once, as in scikit-learn. No.
    pub bootstrap: bool,
    /// The share of training rows to call outliers, above 0 up to 0.5. None: those that score above 0.5.
    pub contamination: Option<f64>,
    /// Of all that is drawn. 0.
    pub seed: u64,
}

impl Default for IsolationForest {
    fn default() -> IsolationForest {
        IsolationForest {
            n_estimators: 100,
            max_samples: MaxSamples::Auto,
            max_features: MaxFeatures::All,
            bootstrap: false,
            contamination: None,
            seed: 0,
        }
    }
}

/// Rows that each tree of an [`IsolationForest`] sees. In JSON `"auto"`, a count, or a share with a decimal point.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", expecting = "give \"auto\", a count from 1, or a share above 0 up to 1.0")]
pub enum MaxSamples {
    /// 256, or all where there are fewer.
    #[default]
    Auto,
    /// So many, or all where there are fewer.
    #[serde(untagged)]
    Count(usize),
    /// A share of them, above 0 up to 1.
    #[serde(untagged)]
    Share(f64),
}

impl MaxSamples {
    fn of(self, op: &'static str, rows: usize) -> Result<usize> {
        let wrong = |given: String| {
            let message = format!("max_samples = {given}; give \"auto\", a count from 1, or a share above 0 up to 1.0");
            Err(Error::argument(op, message))
        };
        match self {
            MaxSamples::Auto => Ok(rows.min(256)),
            MaxSamples::Count(0) => wrong("0".into()),
            MaxSamples::Count(count) => Ok(count.min(rows)),
            MaxSamples::Share(share) if share > 0.0 && share <= 1.0 => Ok(((share * rows as f64) as usize).max(1)),
            MaxSamples::Share(share) => wrong(format!("{share:?}")),
        }
    }
}

/// A fitted [`IsolationForest`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedIsolationForest {
    width: usize,
    trees: Vec<Tree>,
    /// Per tree and node, the cuts that set a row apart which ends there.
    paths: Vec<Vec<f64>>,
    samples: usize,
    /// The score above which a row is an outlier.
    pub threshold: f64,
}

/// The mean number of cuts that set one of `n` rows apart when all are drawn from one place: equation 1 of the paper.
fn cuts(n: usize) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    match n {
        0 | 1 => 0.0,
        2 => 1.0,
        n => 2.0 * (((n - 1) as f64).ln() + EULER) - 2.0 * (n - 1) as f64 / n as f64,
    }
}

impl FittedIsolationForest {
    fn of(width: usize, trees: Vec<Tree>, samples: usize, threshold: f64) -> FittedIsolationForest {
        let path = |tree: &Tree| -> Vec<f64> {
            let depths = tree.depths().into_iter().zip(&tree.facts);
            depths.map(|(depth, facts)| depth as f64 + cuts(facts.samples as usize)).collect()
        };
        let paths = trees.iter().map(path).collect();
        FittedIsolationForest { width, trees, paths, samples, threshold }
    }
}

impl Estimator for IsolationForest {
    type Fitted = FittedIsolationForest;
    const NAME: &'static str = "isolation-forest";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedIsolationForest> {
        problem.check(Self::NAME)?;
        let error = |message: String| Err(Error::argument(Self::NAME, message));
        if self.n_estimators == 0 {
            return error("n_estimators = 0; give at least 1".into());
        }
        if let Some(share) = self.contamination.filter(|share| !(*share > 0.0 && *share <= 0.5)) {
            return error(format!("contamination = {share}; give a share above 0 up to 0.5"));
        }
        if problem.weights.is_some() {
            return error("weights have no meaning here: rows are drawn; leave them out".into());
        }
        let x = problem.x;
        let samples = self.max_samples.of(Self::NAME, x.rows())?;
        let features = self.max_features.of(Self::NAME, x.width())?;
        let rules = Rules {
            max_depth: Some((samples.max(2) as f64).log2().ceil() as usize),
            min_samples_split: 2,
            min_samples_leaf: 1,
            min_weight_fraction_leaf: 0.0,
            max_features: MaxFeatures::Count(1),
            max_leaf_nodes: None,
            min_impurity_decrease: 0.0,
            ccp_alpha: 0.0,
            splitter: Splitter::Random,
        };
        let root = Rng::seed(self.seed);
        let rows = u32::try_from(x.rows()).unwrap_or(u32::MAX);
        let mut trees: Vec<Result<Tree>> = Vec::new();
        trees.resize_with(self.n_estimators, || Ok(Tree::default()));
        for_chunks(Cpu::new().threads(), &mut trees, 1, WORK_PER_THREAD, |i, out| {
            let mut rng = root.fork(i as u64);
            let drawn: Vec<usize> = match self.bootstrap {
                true => {
                    let drawn: BTreeSet<u32> = (0..samples).map(|_| rng.random_range(0..rows)).collect();
                    drawn.into_iter().map(|row| row as usize).collect()
                }
                false => sample(rows, samples, &mut rng),
            };
            let seen = (features < x.width()).then(|| sample(x.width() as u32, features, &mut rng));
            // answers that differ everywhere, so that cutting goes on until rows are alone
            let answers: Vec<f64> = (0..drawn.len()).map(|i| i as f64).collect();
            let weights = vec![1.0; drawn.len()];
            let grow = || {
                let part = x.select(&drawn)?;
                let part = match &seen {
                    Some(seen) => part.select(Axis(1), seen),
                    None => part,
                };
                let columns = Columns::new(Self::NAME, (&part).into(), 1)?;
                let ground = Ground {
                    columns: &columns,
                    criterion: &SquaredError,
                    answers: &answers,
                    weights: &weights,
                    rules: &rules,
                    max_features: 1,
                    threads: 1,
                };
                let mut tree = ground.grow((0..drawn.len() as u32).collect(), rng.clone());
                if let Some(seen) = &seen {
                    for node in tree.nodes.iter_mut().filter(|node| node.left != LEAF) {
                        node.feature = seen.get(node.column()).map_or(node.feature, |&column| column as u32);
                    }
                }
                Ok(tree)
            };
            out.fill_with(grow);
        });
        let trees = trees.into_iter().collect::<Result<Vec<Tree>>>()?;
        let mut model = FittedIsolationForest::of(x.width(), trees, samples, 0.5);
        if let Some(share) = self.contamination {
            let mut scores = model.outlier_scores(x)?;
            scores.sort_by(|a, b| b.total_cmp(a));
            let outliers = ((share * scores.len() as f64).round() as usize).clamp(1, scores.len());
            // half way to the first that is none; equal scores are on one side
            let pair = (scores.get(outliers - 1), scores.get(outliers));
            model.threshold = match pair {
                (Some(last), Some(next)) => (last + next) / 2.0,
                _ => 0.5,
            };
        }
        Ok(model)
    }
}

/// `count` different numbers below `n` (Floyd's method; Bentley, "Programming pearls", 1987).
fn sample(n: u32, count: usize, rng: &mut Rng) -> Vec<usize> {
    let mut chosen = BTreeSet::new();
    for last in n.saturating_sub(count as u32)..n {
        let drawn = rng.random_range(0..=last);
        if !chosen.insert(drawn) {
            chosen.insert(last);
        }
    }
    chosen.into_iter().map(|row| row as usize).collect()
}

impl FittedIsolationForest {
    /// How much of an outlier each row is, `[N]`, between 0 and 1: 2 to the power of minus its mean number of cuts, by what is
    /// usual. 0.5 is usual, near 1 an outlier. scikit-learn's `score_samples` with the sign turned.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn outlier_scores<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<f64>> {
        const BLOCK: usize = 64;
        let x = x.into();
        check_rows(IsolationForest::NAME, self.width, x)?;
        let usual = cuts(self.samples).max(f64::MIN_POSITIVE) * self.trees.len() as f64;
        let mut scores = vec![0.0; x.rows()];
        let work = self.trees.len() as u64 * BLOCK as u64 * 1_000;
        for_chunks(Cpu::new().threads(), &mut scores, BLOCK, work, |block, scores| {
            let rows = x.block(block * BLOCK..(block + 1) * BLOCK);
            for (tree, paths) in self.trees.iter().zip(&self.paths) {
                for (row, score) in rows.chunks_exact(self.width.max(1)).zip(&mut *scores) {
                    *score += paths.get(tree.leaf(row)).copied().unwrap_or(0.0);
                }
            }
            // a forest of single rows knows nothing: all are usual
            let score = |cuts: f64| if self.samples > 1 { (-cuts / usual).exp2() } else { 0.5 };
            scores.iter_mut().for_each(|cuts| *cuts = score(*cuts));
        });
        Ok(scores)
    }

    /// 1 for an outlier, 0 for others, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        Ok(self.outlier_scores(x)?.into_iter().map(|score| u32::from(score > self.threshold)).collect())
    }

    /// Score less threshold: positive for outliers, `[N]`. scikit-learn's has the other sign.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn decision_function<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<f64>> {
        Ok(self.outlier_scores(x)?.into_iter().map(|score| score - self.threshold).collect())
    }
}

impl Model for FittedIsolationForest {
    fn kind(&self) -> &'static str {
        IsolationForest::NAME
    }

    fn width(&self) -> usize {
        self.width
    }

    fn classes(&self) -> usize {
        2
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
        self.predict(x).map(Prediction::Labels)
    }

    fn probabilities(&self, _: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        Ok(None)
    }

    fn decision(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        let scores = self.decision_function(x)?;
        let column = Array2::from_shape_vec((scores.len(), 1), scores);
        column.map(Some).map_err(|e| Error::internal(IsolationForest::NAME, e.to_string()))
    }

    fn influence(&self) -> Option<Influence> {
        None
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&(self.width, self.samples))?;
        out.doubles("threshold", &[self.threshold], &[1])?;
        Tree::store_all(&self.trees, out)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedIsolationForest> {
        let (width, samples) = from.note()?;
        let trees = Tree::restore_all(from, width, 1)?;
        match from.vector("threshold", 1)?[..] {
            [threshold] if threshold.is_finite() => Ok(FittedIsolationForest::of(width, trees, samples, threshold)),
            _ => Err(from.error("threshold: not finite")),
        }
    }
}
