//! Principal components: the directions in which rows differ most.

use super::linalg;
use super::store::{Reader, Writer, read_part, save_part};
use crate::data::Matrix;
use crate::device::cpu::parallel::for_chunks;
use crate::device::host_threads;
use crate::error::{Error, Result};
use crate::models::estimator::check_rows;
use crate::models::problem::{Answer, Problem};
use crate::rng::Rng;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::path::Path;

const NAME: &str = "pca";

/// Rows of a part: some hundred kilobytes, so that a part is centred and multiplied in cache.
const PART: usize = 512;

/// How many components are kept: in JSON a whole number, or a share between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Components {
    /// So many, at least 1.
    Count(usize),
    /// As many as explain more than this share of the variance.
    Share(f64),
}

/// How components are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PcaSolver {
    /// [`PcaSolver::CovarianceEigh`] for up to 1,000 features and ten times as many rows; else [`PcaSolver::Full`] up to 500 of both,
    /// [`PcaSolver::Randomized`] for fewer than 80 % of all components, and else full.
    #[default]
    Auto,
    /// Singular value decomposition of the centred rows.
    Full,
    /// Eigenvectors of the covariance: fast for many rows, with half the digits in the least components.
    CovarianceEigh,
    /// Halko, Martinsson, Tropp 2011, algorithm 4.4: the first components, from random directions.
    Randomized,
}

/// Principal component analysis. scikit-learn's `PCA`. The largest entry of each component is positive.
///
/// ```
/// use tilework::models::{Components, Pca};
/// let x = [[1.0, 1.0], [2.0, 2.1], [3.0, 2.9], [4.0, 4.0]];
/// let model = Pca { n_components: Some(Components::Count(1)), ..Pca::default() }.fit(&x)?;
/// assert!(model.explained_variance_ratio[0] > 0.99);
/// let back = model.inverse_transform(&model.transform(&x)?)?;
/// assert!((back[[0, 0]] - 1.0).abs() < 0.1);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pca {
    /// How many components are kept: as many as there are rows or features, whichever is less, when left out.
    pub n_components: Option<Components>,
    /// Whether transformed columns have variance 1.
    pub whiten: bool,
    /// How components are found.
    pub svd_solver: PcaSolver,
    /// Power iterations of the randomised solver: 7 for fewer than a tenth of all components, else 4, when left out.
    pub iterated_power: Option<usize>,
    /// Random directions of the randomised solver beyond the components wanted: 10 when left out.
    pub n_oversamples: Option<usize>,
    /// Of the random directions.
    pub seed: u64,
}

/// A fitted [`Pca`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedPca {
    whiten: bool,
    /// The directions, `[K, F]`, by falling variance.
    pub components: Array2<f64>,
    /// The variance along each, `[K]`, with one degree of freedom less than rows.
    pub explained_variance: Vec<f64>,
    /// Its share of the whole variance.
    pub explained_variance_ratio: Vec<f64>,
    /// The singular value of each, of the centred rows.
    pub singular_values: Vec<f64>,
    /// Each feature's mean.
    pub mean: Vec<f64>,
    /// The mean variance along the directions left out.
    pub noise_variance: f64,
}

impl Pca {
    /// Finds the components of rows `[N, F]`; at least two of them.
    ///
    /// # Errors
    /// What [`Problem::check`] finds; more components than rows or features, or none.
    pub fn fit<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<FittedPca> {
        let x = x.into();
        Problem { x, y: Answer::None, weights: None, names: None, device: None }.check(NAME)?;
        let (rows, width) = (x.rows(), x.width());
        if rows < 2 {
            return Err(Error::shape(NAME, "1 row has no variance; give at least two"));
        }
        let most = rows.min(width);
        let wanted = match self.n_components {
            None => most,
            Some(Components::Count(count)) if (1..=most).contains(&count) => count,
            Some(Components::Share(share)) if share > 0.0 && share < 1.0 => most,
            Some(other) => {
                let message = format!("n_components is {other:?}; give 1 to {most}, or a share between 0 and 1");
                return Err(Error::argument(NAME, message));
            }
        };
        let share = matches!(self.n_components, Some(Components::Share(_)));
        let solver = match self.svd_solver {
            PcaSolver::Auto if width <= 1000 && rows >= 10 * width => PcaSolver::CovarianceEigh,
            PcaSolver::Auto if rows.max(width) > 500 && !share && (wanted as f64) < 0.8 * most as f64 => {
                PcaSolver::Randomized
            }
            PcaSolver::Auto => PcaSolver::Full,
            PcaSolver::Randomized if share => {
                let message = "svd_solver randomized needs a count of components: given a share; use full";
                return Err(Error::argument(NAME, message));
            }
            given => given,
        };
        let moments = Moments::of(x, solver == PcaSolver::CovarianceEigh);
        let found = match solver {
            PcaSolver::CovarianceEigh => moments.components(most),
            PcaSolver::Randomized => self.randomised(x, &moments.mean, wanted),
            _ => {
                let mut centred = x.values().into_owned();
                centre(&mut centred, &moments.mean);
                linalg::singular_rows(rows, width, &centred)
            }
        };
        let (singular, vectors) = found.ok_or_else(|| Error::NonFinite {
            op: NAME,
            message: "the decomposition does not end: numbers too large; scale the features".into(),
        })?;
        let freedom = (rows - 1) as f64;
        let variance: Vec<f64> = singular.iter().map(|s| s * s / freedom).collect();
        let total = moments.variance.iter().sum::<f64>();
        let ratio: Vec<f64> = variance.iter().map(|v| if total > 0.0 { v / total } else { 0.0 }).collect();
        let kept = match self.n_components {
            Some(Components::Share(share)) => {
                let reached = ratio.iter().scan(0.0, |sum, r| {
                    *sum += r;
                    Some(*sum)
                });
                (reached.take_while(|&sum| sum <= share).count() + 1).min(most)
            }
            _ => wanted,
        };
        let explained: f64 = variance.iter().take(kept).sum();
        let noise = if kept < most { (total - explained).max(0.0) / (most - kept) as f64 } else { 0.0 };
        let mut components = Array2::from_shape_fn((kept, width), |(k, j)| vectors[k * width + j]);
        for mut row in components.rows_mut() {
            let largest = row.iter().fold(0.0f64, |best, &v| if v.abs() > best.abs() { v } else { best });
            if largest < 0.0 {
                row.mapv_inplace(|v| -v);
            }
        }
        let first = |values: Vec<f64>| values.into_iter().take(kept).collect();
        Ok(FittedPca {
            whiten: self.whiten,
            components,
            explained_variance: first(variance),
            explained_variance_ratio: first(ratio),
            singular_values: first(singular),
            mean: moments.mean,
            noise_variance: noise,
        })
    }

    /// The first singular values and directions: those of the rows within a space that powers of `XᵀX` have turned towards them.
    fn randomised(&self, x: Matrix<'_>, mean: &[f64], wanted: usize) -> Option<(Vec<f64>, Vec<f64>)> {
        let (rows, width) = (x.rows(), x.width());
        let most = rows.min(width);
        let size = wanted.saturating_add(self.n_oversamples.unwrap_or(10)).min(most);
        let powers = self.iterated_power.unwrap_or(if wanted * 10 < most { 7 } else { 4 });
        let mut space: Vec<f64> = Rng::seed(self.seed).normals(size * width).into_iter().map(f64::from).collect();
        for _ in 0..=powers {
            let next = sum_of_parts(x, size * width, |block, sum| {
                centre(block, mean);
                let mut along = vec![0.0; block.len() / width * size];
                linalg::scores(width, block, &space, &mut along);
                linalg::add_products(width, &along, block, sum);
            });
            // an orthonormal basis of it
            space = linalg::singular_rows(size, width, &next)?.1;
        }
        let mut along = vec![0.0; rows * size];
        let work = (2 * PART * width * size) as u64;
        for_chunks(host_threads(), &mut along, PART * size, work, |p, out| {
            let mut block = x.block(p * PART..(p + 1) * PART).into_owned();
            centre(&mut block, mean);
            linalg::scores(width, &block, &space, out);
        });
        let (values, turns) = linalg::singular_rows(rows, size, &along)?;
        let mut vectors = vec![0.0; size * width];
        let turned = transposed(&space, size, width); // a basis vector in each column
        linalg::scores(size, &turns, &turned, &mut vectors);
        Some((values, vectors))
    }
}

/// `[rows, columns]` as `[columns, rows]`.
fn transposed(a: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|j| (0..rows).map(move |i| a[i * columns + j])).collect()
}

/// Subtracts the mean from each row.
fn centre(rows: &mut [f64], mean: &[f64]) {
    for row in rows.chunks_mut(mean.len().max(1)) {
        row.iter_mut().zip(mean).for_each(|(x, mean)| *x -= mean);
    }
}

/// Adds `size` numbers that `add` gives for each part of the rows, in their order.
fn sum_of_parts(x: Matrix<'_>, size: usize, add: impl Fn(&mut Vec<f64>, &mut [f64]) + Sync) -> Vec<f64> {
    let parts = x.rows().div_ceil(PART);
    // A sum for each of a few runs of parts, by the number of rows alone.
    let runs = parts.clamp(1, 16);
    let per_run = parts.div_ceil(runs);
    let mut sums = vec![0.0; runs * size];
    let work = (per_run * PART * size) as u64;
    for_chunks(host_threads(), &mut sums, size.max(1), work, |run, sum| {
        let mut block = Vec::new();
        for part in run * per_run..parts.min((run + 1) * per_run) {
            block.clear();
            block.extend_from_slice(&x.block(part * PART..(part + 1) * PART));
            add(&mut block, sum);
        }
    });
    let (first, rest) = sums.split_at_mut(size);
    for other in rest.chunks(size.max(1)) {
        first.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
    }
    sums.truncate(size);
    sums
}

/// Means and variances, and the covariance where it is asked for.
struct Moments {
    mean: Vec<f64>,
    variance: Vec<f64>,
    /// The lower triangle of `Σ (x - mean)(x - mean)ᵀ`.
    scatter: Vec<f64>,
}

impl Moments {
    /// In one pass: sums are taken from the first rows' mean, which is near enough to the mean that nothing cancels.
    fn of(x: Matrix<'_>, covariance: bool) -> Moments {
        let (rows, width) = (x.rows(), x.width());
        let mut shift = vec![0.0; width];
        let head = x.block(0..PART);
        let add = |sum: &mut [f64], row: &[f64]| sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        head.chunks(width.max(1)).for_each(|row| add(&mut shift, row));
        shift.iter_mut().for_each(|sum| *sum /= rows.min(PART) as f64);
        let square = if covariance { width } else { 1 };
        let sums = sum_of_parts(x, width * (square + 1), |block, sums| {
            centre(block, &shift);
            let (sum, products) = sums.split_at_mut(width);
            block.chunks(width.max(1)).for_each(|row| add(sum, row));
            if covariance {
                linalg::add_gram(width, block, products);
            } else {
                for row in block.chunks(width.max(1)) {
                    products.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * x);
                }
            }
        });
        let (sum, products) = sums.split_at(width);
        let n = rows as f64;
        let off: Vec<f64> = sum.iter().map(|sum| sum / n).collect();
        let mut scatter = products.to_vec();
        if covariance {
            for (column, left) in scatter.chunks_mut(width.max(1)).zip(&off) {
                column.iter_mut().zip(&off).for_each(|(p, right)| *p -= n * left * right);
            }
        } else {
            scatter.iter_mut().zip(&off).for_each(|(p, off)| *p -= n * off * off);
        }
        let step = if covariance { width + 1 } else { 1 };
        let variance = scatter.iter().step_by(step).map(|s| s.max(0.0) / (n - 1.0)).collect();
        let mean = shift.iter().zip(&off).map(|(shift, off)| shift + off).collect();
        Moments { mean, variance, scatter }
    }

    /// Singular values and directions from the covariance, the first `most` of them.
    fn components(&self, most: usize) -> Option<(Vec<f64>, Vec<f64>)> {
        let width = self.mean.len();
        let (values, vectors) = linalg::eigen(width, &self.scatter)?;
        let singular = values.iter().rev().take(most).map(|value| value.max(0.0).sqrt()).collect();
        let vectors = vectors.chunks(width.max(1)).rev().take(most).flatten().copied().collect();
        Some((singular, vectors))
    }
}

#[derive(Serialize, Deserialize)]
struct Note {
    whiten: bool,
    noise_variance: f64,
}

impl FittedPca {
    /// Rows along the components, `[N, K]`.
    ///
    /// # Errors
    /// Another number of features; NaN or infinity.
    pub fn transform<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let x = x.into();
        let (kept, width) = self.components.dim();
        check_rows(NAME, width, x)?;
        let mut directions: Vec<f64> = self.components.iter().copied().collect();
        if self.whiten {
            for (row, scale) in directions.chunks_mut(width.max(1)).zip(self.scales()) {
                row.iter_mut().for_each(|v| *v /= scale);
            }
        }
        let mut out = Array2::zeros((x.rows(), kept));
        let work = (2 * PART * width * kept) as u64;
        for_chunks(host_threads(), out.as_slice_mut().unwrap_or_default(), PART * kept, work, |p, out| {
            let mut block = x.block(p * PART..(p + 1) * PART).into_owned();
            centre(&mut block, &self.mean);
            linalg::scores(width, &block, &directions, out);
        });
        Ok(out)
    }

    /// Rows `[N, K]` along the components back as features, `[N, F]`.
    ///
    /// # Errors
    /// Another number of columns than components; NaN or infinity.
    pub fn inverse_transform<'a>(&self, z: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let z = z.into();
        let (kept, width) = self.components.dim();
        check_rows(NAME, kept, z)?;
        let scales = if self.whiten { self.scales() } else { vec![1.0; kept] };
        let directions: Vec<f64> = self.components.iter().copied().collect();
        let turned = transposed(&directions, kept, width);
        let mut out = Array2::zeros((z.rows(), width));
        let work = (2 * PART * width * kept) as u64;
        for_chunks(host_threads(), out.as_slice_mut().unwrap_or_default(), PART * width, work, |p, out| {
            let mut block = z.block(p * PART..(p + 1) * PART).into_owned();
            for row in block.chunks_mut(kept.max(1)) {
                row.iter_mut().zip(&scales).for_each(|(v, scale)| *v *= scale);
            }
            linalg::scores(kept, &block, &turned, out);
            for row in out.chunks_mut(width.max(1)) {
                row.iter_mut().zip(&self.mean).for_each(|(v, mean)| *v += mean);
            }
        });
        Ok(out)
    }

    /// The deviation along each component; 1 where there is none.
    fn scales(&self) -> Vec<f64> {
        let scale = |v: &f64| if *v > 0.0 { v.sqrt() } else { 1.0 };
        self.explained_variance.iter().map(scale).collect()
    }

    /// Writes one safetensors file. It appears whole or not at all.
    ///
    /// # Errors
    /// What the file system reports.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save_part(NAME, path.as_ref(), |out| self.store(out))
    }

    /// Reads what [`FittedPca::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Format`]: no file, a damaged one, a newer version, another kind.
    pub fn load(path: impl AsRef<Path>) -> Result<FittedPca> {
        read_part(NAME, path.as_ref(), FittedPca::restore)
    }

    /// Puts it into a file, as a part of a pipeline for example.
    ///
    /// # Errors
    /// Names used twice.
    pub fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let (kept, width) = self.components.dim();
        out.note(&Note { whiten: self.whiten, noise_variance: self.noise_variance })?;
        out.matrix("components", &self.components)?;
        out.doubles("explained_variance", &self.explained_variance, &[kept])?;
        out.doubles("explained_variance_ratio", &self.explained_variance_ratio, &[kept])?;
        out.doubles("singular_values", &self.singular_values, &[kept])?;
        out.doubles("mean", &self.mean, &[width])
    }

    /// What was stored.
    ///
    /// # Errors
    /// [`Error::Format`] for whatever does not fit together.
    pub fn restore(from: &Reader<'_>) -> Result<FittedPca> {
        let Note { whiten, noise_variance } = from.note()?;
        let components = from.matrix("components")?;
        let (kept, width) = components.dim();
        if components.is_empty() {
            return Err(from.error("components: none"));
        }
        Ok(FittedPca {
            whiten,
            explained_variance: from.vector("explained_variance", kept)?,
            explained_variance_ratio: from.vector("explained_variance_ratio", kept)?,
            singular_values: from.vector("singular_values", kept)?,
            mean: from.vector("mean", width)?,
            components,
            noise_variance,
        })
    }
}
