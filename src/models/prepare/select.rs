//! Columns that are worth keeping.

use super::from_model::SelectFromModel;
use super::rfe::{Rfe, Rfecv};
use super::score::{ScoreFunc, scores};
use super::transformer::{Feature, Transform, Transformer};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::{Problem, Reader, Writer, check_rows, check_width};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Keeps columns that vary more than a threshold: scikit-learn's `VarianceThreshold`. NaN is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VarianceThreshold {
    /// The variance that a column must exceed.
    pub threshold: f64,
}

/// Keeps the columns that score best on their own: scikit-learn's `SelectKBest`.
///
/// ```
/// use tilework::models::prepare::{SelectKBest, Transform, Transformer};
/// let x = [[1.0, 5.0], [1.1, 2.0], [3.0, 5.0], [3.2, 2.0]];
/// let best = SelectKBest { k: 1, ..Default::default() }.fit_to(&x, &[0u32, 0, 1, 1])?;
/// assert_eq!(best.kept, [0]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelectKBest {
    /// How a column is scored.
    pub score_func: ScoreFunc,
    /// How many are kept; all where there are fewer.
    pub k: usize,
}

impl Default for SelectKBest {
    fn default() -> SelectKBest {
        SelectKBest { score_func: ScoreFunc::FClassif, k: 10 }
    }
}

/// A fitted selection of any kind.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedSelection {
    kind: &'static str,
    /// The columns that are kept, ascending.
    pub kept: Vec<u32>,
    /// What each column was chosen by: its variance, score, importance or, of an elimination, rank; NaN of one that has none,
    /// such as the F value of a constant.
    pub scores: Vec<f64>,
}

impl Transformer for VarianceThreshold {
    type Fitted = FittedSelection;
    const NAME: &'static str = "variance-threshold";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedSelection> {
        problem.check_but_missing(Self::NAME)?;
        let variance = |column: usize| {
            let values = problem.x.column(column);
            let (least, most) =
                values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)));
            let (_, variance) = super::scale::moments(&values, &vec![1.0; values.len()]);
            // A constant column's variance may be rounding, its range is not.
            if self.threshold == 0.0 && least <= most { variance.min(most - least) } else { variance }
        };
        let scores: Vec<f64> = (0..problem.x.width()).map(variance).collect();
        let kept: Vec<u32> = (0..).zip(&scores).filter(|(_, v)| **v > self.threshold).map(|(i, _)| i).collect();
        match kept.is_empty() {
            true => {
                let message = format!("no column varies more than {}; lower the threshold", self.threshold);
                Err(Error::argument(Self::NAME, message))
            }
            false => Ok(FittedSelection { kind: Self::NAME, kept, scores }),
        }
    }
}

impl Transformer for SelectKBest {
    type Fitted = FittedSelection;
    const NAME: &'static str = "select-k-best";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedSelection> {
        problem.check(Self::NAME)?;
        if self.k == 0 {
            return Err(Error::argument(Self::NAME, "k 0 keeps nothing; give at least 1"));
        }
        let scores = scores(Self::NAME, self.score_func, problem)?;
        let mut order: Vec<u32> = (0..scores.len() as u32).collect();
        let rank = |i: &u32| scores.get(*i as usize).copied().filter(|v| !v.is_nan()).unwrap_or(f64::MIN);
        order.sort_by(|a, b| rank(a).total_cmp(&rank(b))); // stable: of equals scikit-learn keeps the last
        let mut kept = order.split_off(order.len().saturating_sub(self.k));
        kept.sort_unstable();
        Ok(FittedSelection { kind: Self::NAME, kept, scores })
    }
}

impl FittedSelection {
    pub(super) fn new(kind: &'static str, kept: Vec<u32>, scores: Vec<f64>) -> FittedSelection {
        FittedSelection { kind, kept, scores }
    }
}

impl Transform for FittedSelection {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn width(&self) -> usize {
        self.scores.len()
    }

    fn outputs(&self) -> usize {
        self.kept.len()
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        match self.kind == VarianceThreshold::NAME {
            true => check_width(self.kind, self.width(), x)?,
            false => check_rows(self.kind, self.width(), x)?,
        }
        let kept: Vec<usize> = self.kept.iter().map(|&i| i as usize).collect();
        x.columns(&kept)
    }

    fn features(&self, from: &[Feature]) -> Vec<Feature> {
        self.kept.iter().filter_map(|&i| from.get(i as usize)).cloned().collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        // No file may hold NaN: the columns that have a score are named beside them.
        let scored: Vec<u32> = (0..).zip(&self.scores).filter(|(_, v)| !v.is_nan()).map(|(i, _)| i).collect();
        let scores: Vec<f64> = self.scores.iter().copied().filter(|v| !v.is_nan()).collect();
        out.note(&(self.kind, self.scores.len()))?;
        out.counts("kept", &self.kept, &[self.kept.len()])?;
        out.counts("scored", &scored, &[scored.len()])?;
        out.doubles("scores", &scores, &[scores.len()])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedSelection> {
        let (kind, width): (String, usize) = from.note()?;
        let kinds = [VarianceThreshold::NAME, SelectKBest::NAME, SelectFromModel::NAME, Rfe::NAME, Rfecv::NAME];
        let kind =
            kinds.into_iter().find(|known| *known == kind).ok_or_else(|| from.error("no selection known here"))?;
        let (kept, _) = from.counts("kept")?;
        let (scored, _) = from.counts("scored")?;
        let known = from.vector("scores", scored.len())?;
        let ascending = |places: &[u32]| places.windows(2).all(|pair| pair[0] < pair[1]);
        let inside = kept.iter().chain(&scored).all(|&i| (i as usize) < width);
        if width > 1 << 24 || !inside || !ascending(&kept) || !ascending(&scored) {
            return Err(from.error("a selection of columns that are not there"));
        }
        let mut scores = vec![f64::NAN; width];
        scored.iter().zip(known).for_each(|(&i, score)| scores[i as usize] = score);
        Ok(FittedSelection { kind, kept, scores })
    }
}
