//! Missing values filled in from the rows that are most alike.

use super::impute::mark;
use super::transformer::{Feature, Transform, Transformer};
use crate::data::Matrix;
use crate::device::cpu::Cpu;
use crate::device::cpu::parallel::for_chunks;
use crate::error::{Error, Result};
use crate::models::{Problem, Reader, Writer, check_width};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// How neighbours count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NeighbourWeights {
    /// All the same.
    #[default]
    Uniform,
    /// By 1 over their distance.
    Distance,
}

/// Fills in a missing value by the mean of the column in the rows that are nearest in the columns that both have:
/// scikit-learn's `KNNImputer`. It keeps all rows of the fit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KnnImputer {
    /// How many rows count.
    pub n_neighbors: usize,
    /// How they count.
    pub weights: NeighbourWeights,
    /// As [`SimpleImputer::add_indicator`](super::SimpleImputer::add_indicator).
    pub add_indicator: bool,
}

impl Default for KnnImputer {
    fn default() -> KnnImputer {
        KnnImputer { n_neighbors: 5, weights: NeighbourWeights::Uniform, add_indicator: false }
    }
}

/// A fitted [`KnnImputer`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedKnnImputer {
    settings: KnnImputer,
    /// The rows of the fit, NaN where one is missing.
    rows: Array2<f64>,
    /// The mean of each column, for rows without a neighbour; NaN of a column without values, which is left out.
    means: Vec<f64>,
}

impl Transformer for KnnImputer {
    type Fitted = FittedKnnImputer;
    const NAME: &'static str = "knn-imputer";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedKnnImputer> {
        problem.check_but_missing(Self::NAME)?;
        if self.n_neighbors == 0 {
            return Err(Error::argument(Self::NAME, "n_neighbors 0; give at least 1"));
        }
        Ok(FittedKnnImputer::new(*self, super::chain::owned(problem.x)?))
    }
}

impl FittedKnnImputer {
    fn new(settings: KnnImputer, rows: Array2<f64>) -> FittedKnnImputer {
        let mean = |column: ndarray::ArrayView1<'_, f64>| {
            let given: Vec<f64> = column.iter().copied().filter(|v| !v.is_nan()).collect();
            given.iter().sum::<f64>() / given.len() as f64
        };
        let means = rows.columns().into_iter().map(mean).collect();
        FittedKnnImputer { settings, rows, means }
    }

    fn kept(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.means.len()).filter(|&i| !self.means[i].is_nan())
    }

    /// The columns that have an indicator.
    fn marked(&self) -> impl Iterator<Item = usize> + '_ {
        let gap = |i: &usize| self.rows.column(*i).iter().any(|v| v.is_nan());
        (0..self.means.len()).filter(|_| self.settings.add_indicator).filter(gap)
    }

    /// Fills in one row.
    fn fill(&self, row: &mut [f64]) {
        if !row.iter().any(|v| v.is_nan()) {
            return;
        }
        let distance = |known: ndarray::ArrayView1<'_, f64>| {
            let both = row.iter().zip(known).filter(|(a, b)| !a.is_nan() && !b.is_nan());
            let (sum, count) = both.fold((0.0, 0usize), |(sum, n), (a, b)| (sum + (a - b).powi(2), n + 1));
            (sum * row.len() as f64 / count as f64).sqrt() // NaN where nothing is in both
        };
        let distances: Vec<f64> = self.rows.rows().into_iter().map(distance).collect();
        let mut filled = row.to_vec();
        for column in (0..row.len()).filter(|&i| row[i].is_nan()) {
            let mut donors: Vec<(f64, f64)> = distances
                .iter()
                .zip(self.rows.column(column))
                .filter(|(d, v)| !d.is_nan() && !v.is_nan())
                .map(|(d, v)| (*d, *v))
                .collect();
            donors.sort_by(|a, b| a.0.total_cmp(&b.0)); // stable: of equals the earlier rows
            donors.truncate(self.settings.n_neighbors);
            let exact = donors.iter().any(|(d, _)| *d == 0.0);
            let weight = |d: f64| match self.settings.weights {
                NeighbourWeights::Uniform => 1.0,
                NeighbourWeights::Distance if exact => f64::from(d == 0.0),
                NeighbourWeights::Distance => 1.0 / d,
            };
            let total: f64 = donors.iter().map(|(d, _)| weight(*d)).sum();
            filled[column] = match total > 0.0 {
                true => donors.iter().map(|(d, v)| weight(*d) * v).sum::<f64>() / total,
                false => self.means[column],
            };
        }
        row.copy_from_slice(&filled);
    }
}

impl Transform for FittedKnnImputer {
    fn kind(&self) -> &'static str {
        KnnImputer::NAME
    }

    fn width(&self) -> usize {
        self.means.len()
    }

    fn outputs(&self) -> usize {
        self.kept().count() + self.marked().count()
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_width(KnnImputer::NAME, self.width(), x)?;
        let width = self.width();
        let mut values = x.values().into_owned();
        let work = (self.rows.len() as u64).saturating_mul(4);
        for_chunks(Cpu::new().threads(), &mut values, width, work, |_, row| self.fill(row));
        let filled = Array2::from_shape_vec((x.rows(), width), values)
            .map_err(|e| Error::internal(KnnImputer::NAME, e.to_string()))?;
        let kept = filled.select(ndarray::Axis(1), &self.kept().collect::<Vec<_>>());
        let marked: Vec<usize> = self.marked().collect();
        let marks = Array2::from_shape_fn((x.rows(), marked.len()), |(i, j)| f64::from(x.get(i, marked[j]).is_nan()));
        ndarray::concatenate(ndarray::Axis(1), &[kept.view(), marks.view()])
            .map_err(|e| Error::internal(KnnImputer::NAME, e.to_string()))
    }

    fn features(&self, from: &[Feature]) -> Vec<Feature> {
        let pick = |i: usize| from.get(i);
        self.kept().filter_map(pick).cloned().chain(self.marked().filter_map(pick).map(mark)).collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        // No file may hold NaN: gaps are zeros, and told by their places.
        let gaps = self.rows.iter().enumerate().filter(|(_, v)| v.is_nan());
        let gaps = gaps.map(|(i, _)| u32::try_from(i)).collect::<Result<Vec<u32>, _>>();
        let gaps = gaps.map_err(|_| Error::argument("save", "over 2^32 cells; fit the imputer on fewer rows"))?;
        out.note(&self.settings)?;
        out.matrix("rows", &self.rows.mapv(|v| if v.is_nan() { 0.0 } else { v }))?;
        out.counts("gaps", &gaps, &[gaps.len()])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedKnnImputer> {
        let settings: KnnImputer = from.note()?;
        let mut rows = from.matrix("rows")?;
        let (gaps, _) = from.counts("gaps")?;
        let width = rows.ncols().max(1);
        for gap in gaps {
            match rows.get_mut((gap as usize / width, gap as usize % width)) {
                Some(cell) => *cell = f64::NAN,
                None => return Err(from.error("a gap outside the rows")),
            }
        }
        Ok(FittedKnnImputer::new(settings, rows))
    }
}
