//! The nearest rows: a class by their votes, a number by their mean. All rows are looked at, block by block.

use super::estimator::{Estimator, Influence, Model, Prediction, check_range, check_rows, largest};
use super::problem::{Answer, Problem};
use super::store::{Reader, Writer};
use super::tiles::{Rows, TILE, distances};
use crate::data::Matrix;
use crate::device::cpu::parallel::for_chunks;
use crate::device::host_threads;
use crate::error::{Error, Result};
use ndarray::Array2;
use pulp::{Arch, Simd, WithSimd};
use serde::{Deserialize, Serialize};

/// How much a neighbour counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NeighborWeights {
    /// All the same.
    #[default]
    Uniform,
    /// One over its distance; where some are at distance 0, those alone.
    Distance,
}

/// The class that is commonest among the nearest rows (Euclidean distance). scikit-learn's `KNeighborsClassifier`; of equally far
/// rows the first ones count, of equally common classes the first.
///
/// A row of weight 2 fills two of the places, as it would if it were there twice. With fewer rows than `n_neighbors`, all count.
/// Features of like scale are needed.
///
/// ```
/// use tilework::models::{Estimator, KnnClassifier};
/// let settings = KnnClassifier { n_neighbors: 1, ..KnnClassifier::default() };
/// let model = settings.fit(&[[0.0], [1.0], [5.0]], &[0u32, 0, 1])?;
/// assert_eq!(model.predict(&[[0.4], [3.5]])?, [0, 1]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KnnClassifier {
    /// How many rows vote, at least 1.
    pub n_neighbors: usize,
    /// How much each counts.
    pub weights: NeighborWeights,
}

/// The mean of the nearest rows' numbers (Euclidean distance). scikit-learn's `KNeighborsRegressor`; weights, ties and few rows as
/// in [`KnnClassifier`].
///
/// ```
/// use tilework::models::{Estimator, KnnRegressor};
/// let settings = KnnRegressor { n_neighbors: 2, ..KnnRegressor::default() };
/// let model = settings.fit(&[[0.0], [1.0], [5.0]], &[10.0, 20.0, 90.0])?;
/// assert_eq!(model.predict(&[[0.4]])?, [15.0]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KnnRegressor {
    /// How many rows are averaged, at least 1.
    pub n_neighbors: usize,
    /// How much each counts.
    pub weights: NeighborWeights,
}

impl Default for KnnClassifier {
    fn default() -> KnnClassifier {
        KnnClassifier { n_neighbors: 5, weights: NeighborWeights::Uniform }
    }
}

impl Default for KnnRegressor {
    fn default() -> KnnRegressor {
        KnnRegressor { n_neighbors: 5, weights: NeighborWeights::Uniform }
    }
}

/// Rows that were learnt, and how to choose among them.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    rows: Rows,
    /// How many places each row fills.
    places: Vec<f64>,
    n_neighbors: usize,
    weights: NeighborWeights,
}

#[derive(Serialize, Deserialize)]
struct Note {
    width: usize,
    n_neighbors: usize,
    weights: NeighborWeights,
}

impl Known {
    /// The rows that count, and which they are.
    fn learn(
        op: &'static str,
        problem: &Problem<'_>,
        n_neighbors: usize,
        weights: NeighborWeights,
    ) -> Result<(Known, Vec<usize>)> {
        if n_neighbors == 0 {
            return Err(Error::argument(op, "n_neighbors is 0; give at least 1"));
        }
        let all = problem.row_weights();
        let kept: Vec<usize> = (0..all.len()).filter(|&row| all[row] > 0.0).collect();
        let places = kept.iter().map(|&row| all[row]).collect();
        Ok((Known { rows: Rows::new(problem.x, &kept), places, n_neighbors, weights }, kept))
    }

    /// For each row of `x`, what `of` makes of its neighbours and how much each counts: `outputs` numbers, `[N, outputs]`.
    ///
    /// # Errors
    /// As [`check_rows`]; distances beyond the range of f64.
    fn each(
        &self,
        op: &'static str,
        x: Matrix<'_>,
        outputs: usize,
        of: impl Fn(&[(usize, f64)], &mut [f64]) + Sync,
    ) -> Result<Array2<f64>> {
        check_rows(op, self.rows.width, x)?;
        const ROWS: usize = 16;
        let mut out = Array2::zeros((x.rows(), outputs));
        let work = (3 * ROWS * self.rows.count * self.rows.width) as u64;
        for_chunks(host_threads(), out.as_slice_mut().unwrap_or_default(), ROWS * outputs, work, |i, out| {
            let block = x.block(i * ROWS..(i + 1) * ROWS);
            for (row, out) in block.chunks(self.rows.width.max(1)).zip(out.chunks_mut(outputs.max(1))) {
                let mut near = Nearest { wanted: self.n_neighbors as f64, have: 0.0, list: Vec::new() };
                Arch::new().dispatch(Search { known: self, x: row, near: &mut near });
                match near.have < near.wanted && near.list.len() < self.rows.count {
                    true => out.fill(f64::NAN), // there are rows at no distance
                    false => of(&self.counted(near), out),
                }
            }
        });
        check_range(op, "distances", &out)?;
        Ok(out)
    }

    /// How much each neighbour counts.
    fn counted(&self, near: Nearest) -> Vec<(usize, f64)> {
        let mut left = near.wanted;
        let mut list = Vec::with_capacity(near.list.len());
        let exact = near.list.first().is_some_and(|&(square, _)| square == 0.0);
        for (square, row) in near.list {
            let share = self.places[row].min(left);
            left -= share;
            let factor = match self.weights {
                NeighborWeights::Uniform => 1.0,
                NeighborWeights::Distance if exact => f64::from(u8::from(square == 0.0)),
                NeighborWeights::Distance => 1.0 / square.sqrt(),
            };
            list.push((row, share * factor));
        }
        list
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let width = self.rows.width;
        out.note(&Note { width, n_neighbors: self.n_neighbors, weights: self.weights })?;
        let values: Vec<f64> = (0..self.rows.count).flat_map(|i| self.rows.row(i)).copied().collect();
        out.doubles("rows", &values, &[self.rows.count, width])?;
        out.doubles("places", &self.places, &[self.places.len()])
    }

    fn restore(from: &Reader<'_>) -> Result<Known> {
        let Note { width, n_neighbors, weights } = from.note()?;
        let rows = from.matrix("rows")?;
        if rows.ncols() != width || rows.is_empty() || n_neighbors == 0 {
            return Err(from.error(format!("rows of {} features for {width}, or none", rows.ncols())));
        }
        let places = from.vector("places", rows.nrows())?;
        if places.iter().any(|places| !(*places > 0.0 && places.is_finite())) {
            return Err(from.error("places: a row that fills none"));
        }
        let all: Vec<usize> = (0..rows.nrows()).collect();
        Ok(Known { rows: Rows::new((&rows).into(), &all), places, n_neighbors, weights })
    }
}

/// The nearest rows so far, nearest first; of equally far ones the first.
struct Nearest {
    wanted: f64,
    have: f64,
    /// Squared distances and rows.
    list: Vec<(f64, usize)>,
}

impl Nearest {
    /// Beyond it, a row is not taken.
    fn reach(&self) -> f64 {
        match self.list.last() {
            Some(&(square, _)) if self.have >= self.wanted => square,
            _ => f64::INFINITY,
        }
    }

    fn take(&mut self, square: f64, row: usize, places: &[f64]) {
        let at = self.list.partition_point(|&(other, _)| other <= square);
        self.list.insert(at, (square, row));
        self.have += places[row];
        while let Some(&(_, last)) = self.list.last().filter(|&&(_, last)| self.have - places[last] >= self.wanted) {
            self.list.pop();
            self.have -= places[last];
        }
    }
}

/// The `count` rows nearest to each row of `x`, itself left out, nearest first; there are more than `count` rows.
pub(super) fn nearest_others(op: &'static str, x: Matrix<'_>, count: usize) -> Result<Vec<Vec<usize>>> {
    let (known, _) = Known::learn(op, &Problem::new(x, Answer::None), count + 1, NeighborWeights::Uniform)?;
    let near = known.each(op, x, count + 1, |near, out| {
        near.iter().zip(out).for_each(|(&(row, _), out)| *out = row as f64);
    })?;
    // A row with many doubles may not be among its own neighbours.
    let others = |(own, near): (usize, ndarray::ArrayView1<'_, f64>)| {
        near.iter().map(|&row| row as usize).filter(|&row| row != own).take(count).collect()
    };
    Ok(near.rows().into_iter().enumerate().map(others).collect())
}

/// Looks through all rows.
struct Search<'a> {
    known: &'a Known,
    x: &'a [f64],
    near: &'a mut Nearest,
}

impl WithSimd for Search<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Search { known, x, near } = self;
        let count = known.rows.count;
        let (tiles, _) = known.rows.part(0..count);
        for (t, tile) in tiles.chunks_exact((TILE * x.len()).max(1)).enumerate() {
            let mut squares = [0.0; TILE];
            distances(simd, tile, x, &mut squares);
            let from = t * TILE;
            for (i, &square) in squares.iter().enumerate().take(count - from) {
                if square < near.reach() {
                    near.take(square, from + i, &known.places);
                }
            }
        }
    }
}

/// A fitted [`KnnClassifier`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedKnnClassifier {
    known: Known,
    labels: Vec<u32>,
    classes: usize,
}

/// A fitted [`KnnRegressor`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedKnnRegressor {
    known: Known,
    values: Vec<f64>,
}

impl Estimator for KnnClassifier {
    type Fitted = FittedKnnClassifier;
    const NAME: &'static str = "knn-classifier";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedKnnClassifier> {
        problem.check(Self::NAME)?;
        let (labels, classes) = problem.labels(Self::NAME)?;
        let (known, kept) = Known::learn(Self::NAME, problem, self.n_neighbors, self.weights)?;
        Ok(FittedKnnClassifier { known, labels: kept.into_iter().map(|row| labels[row]).collect(), classes })
    }
}

impl Estimator for KnnRegressor {
    type Fitted = FittedKnnRegressor;
    const NAME: &'static str = "knn-regressor";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedKnnRegressor> {
        problem.check(Self::NAME)?;
        let values = problem.values(Self::NAME)?;
        let (known, kept) = Known::learn(Self::NAME, problem, self.n_neighbors, self.weights)?;
        Ok(FittedKnnRegressor { known, values: kept.into_iter().map(|row| values[row]).collect() })
    }
}

impl FittedKnnClassifier {
    /// The class of each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        Ok(largest(&self.predict_proba(x)?))
    }

    /// The share of each class among the neighbours, `[N, C]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict_proba<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        self.known.each(KnnClassifier::NAME, x.into(), self.classes, |near, out| {
            near.iter().for_each(|&(row, counts)| out[self.labels[row] as usize] += counts); // below `classes`: checked
            let total: f64 = out.iter().sum();
            out.iter_mut().for_each(|share| *share /= total);
        })
    }
}

impl FittedKnnRegressor {
    /// The number for each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<f64>> {
        let out = self.known.each(KnnRegressor::NAME, x.into(), 1, |near, out| {
            let (sum, total) = near
                .iter()
                .fold((0.0, 0.0), |(sum, total), &(row, counts)| (sum + counts * self.values[row], total + counts));
            out.fill(sum / total);
        })?;
        Ok(out.into_raw_vec_and_offset().0)
    }
}

impl Model for FittedKnnClassifier {
    fn kind(&self) -> &'static str {
        KnnClassifier::NAME
    }

    fn width(&self) -> usize {
        self.known.rows.width
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
        None
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        self.known.store(out)?;
        // A class without rows has its place in the list, so that the file tells how many classes there are.
        let mut of_class = vec![0; self.classes];
        self.labels.iter().for_each(|&label| of_class[label as usize] += 1);
        out.counts("rows_of_class", &of_class, &[self.classes])?;
        out.counts("labels", &self.labels, &[self.labels.len()])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedKnnClassifier> {
        let known = Known::restore(from)?;
        let labels = from.counts("labels")?.0;
        let classes = from.counts("rows_of_class")?.0.len();
        match labels.len() == known.rows.count && labels.iter().all(|&label| (label as usize) < classes) {
            true => Ok(FittedKnnClassifier { known, labels, classes }),
            false => Err(from.error(format!("labels do not fit {} rows and {classes} classes", known.rows.count))),
        }
    }
}

impl Model for FittedKnnRegressor {
    fn kind(&self) -> &'static str {
        KnnRegressor::NAME
    }

    fn width(&self) -> usize {
        self.known.rows.width
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
        None
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        self.known.store(out)?;
        out.doubles("values", &self.values, &[self.values.len()])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedKnnRegressor> {
        let known = Known::restore(from)?;
        let values = from.vector("values", known.rows.count)?;
        Ok(FittedKnnRegressor { known, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equally_far_rows_count() {
        let x = [[1.0], [-1.0], [1.0], [-1.0]];
        let model = KnnRegressor { n_neighbors: 2, ..KnnRegressor::default() }.fit(&x, &[1.0, 2.0, 4.0, 8.0]).unwrap();
        assert_eq!(model.predict(&[[0.0]]).unwrap(), [1.5]);
    }

    #[test]
    fn a_row_at_distance_0_decides_alone_where_distance_counts() {
        let settings = KnnRegressor { n_neighbors: 3, weights: NeighborWeights::Distance };
        let model = settings.fit(&[[0.0], [1.0], [3.0]], &[1.0, 2.0, 4.0]).unwrap();
        assert_eq!(model.predict(&[[1.0]]).unwrap(), [2.0]);
        let exact = (1.0 / 2.0 + 2.0 + 4.0) / (0.5 + 1.0 + 1.0); // at distances 2, 1 and 1
        assert!((model.predict(&[[2.0]]).unwrap()[0] - exact).abs() < 1e-15);
    }

    #[test]
    fn a_heavy_row_fills_several_places() {
        let problem = Problem::new(&[[0.0], [1.0], [2.0]], &[0.0, 1.0, 10.0]).weights(&[2.0, 0.5, 4.0]);
        let model = KnnRegressor { n_neighbors: 3, ..KnnRegressor::default() }.learn(&problem).unwrap();
        assert_eq!(model.predict(&[[0.0]]).unwrap(), [(2.0 * 0.0 + 0.5 * 1.0 + 0.5 * 10.0) / 3.0]);
    }
}
