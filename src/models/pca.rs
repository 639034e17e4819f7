//! Principal components: the directions in which rows differ most.

use super::directions::{Moments, Randomised, exact, expand, project, randomised, turned};
use super::prepare::{Feature, Transform, Transformer};
use super::store::{Reader, Writer, read_part, save_part};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::estimator::{beyond_range, check_rows};
use crate::models::problem::Problem;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How many components are kept: in JSON a whole number, or a share between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "give a count from 1, or a share of the variance between 0 and 1")]
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
/// use tilework::models::prepare::{Transform, Transformer};
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

impl Transformer for Pca {
    type Fitted = FittedPca;
    const NAME: &'static str = "pca";

    /// Finds the components of rows `[N, F]`; at least two of them.
    fn compute(&self, problem: &Problem<'_>) -> Result<FittedPca> {
        const NAME: &str = Pca::NAME;
        problem.check(NAME)?;
        let x = problem.x;
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
            PcaSolver::Randomized => {
                let powers = self.iterated_power.unwrap_or(if wanted * 10 < most { 7 } else { 4 });
                let oversamples = self.n_oversamples.unwrap_or(10);
                randomised(x, &moments.mean, &Randomised { wanted, oversamples, powers, seed: self.seed })
            }
            _ => exact(x, &moments.mean),
        };
        let (singular, vectors) = found.ok_or_else(|| beyond_range(NAME, "singular values"))?;
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
        let first = |values: Vec<f64>| values.into_iter().take(kept).collect();
        Ok(FittedPca {
            whiten: self.whiten,
            components: turned(&vectors, kept, width),
            explained_variance: first(variance),
            explained_variance_ratio: first(ratio),
            singular_values: first(singular),
            mean: moments.mean,
            noise_variance: noise,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Note {
    whiten: bool,
    noise_variance: f64,
}

impl FittedPca {
    /// Rows `[N, K]` along the components back as features, `[N, F]`.
    ///
    /// # Errors
    /// Another number of columns than components; NaN or infinity.
    pub fn inverse_transform<'a>(&self, z: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let z = z.into();
        let (kept, width) = self.components.dim();
        check_rows(Pca::NAME, kept, z)?;
        let values = expand(z, &self.mean, &self.directions(|v, scale| v * scale));
        Array2::from_shape_vec((z.rows(), width), values).map_err(|e| Error::internal(Pca::NAME, e.to_string()))
    }

    /// The components one after another, each entry changed by the deviation along its component where that is whitened.
    fn directions(&self, change: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let mut components = self.components.clone();
        if self.whiten {
            for (mut row, scale) in components.rows_mut().into_iter().zip(self.scales()) {
                row.mapv_inplace(|v| change(v, scale));
            }
        }
        components.iter().copied().collect()
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
        save_part(Pca::NAME, path.as_ref(), |out| self.store(out))
    }

    /// Reads what [`FittedPca::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Format`]: no file, a damaged one, a newer version, another kind.
    pub fn load(path: impl AsRef<Path>) -> Result<FittedPca> {
        read_part(Pca::NAME, path.as_ref(), FittedPca::restore)
    }
}

impl Transform for FittedPca {
    fn kind(&self) -> &'static str {
        Pca::NAME
    }

    fn width(&self) -> usize {
        self.components.ncols()
    }

    fn outputs(&self) -> usize {
        self.components.nrows()
    }

    /// Rows along the components, `[N, K]`.
    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_rows(Pca::NAME, self.width(), x)?;
        let values = project(x, &self.mean, &self.directions(|v, scale| v / scale));
        Array2::from_shape_vec((x.rows(), self.outputs()), values)
            .map_err(|e| Error::internal(Pca::NAME, e.to_string()))
    }

    fn features(&self, _: &[Feature]) -> Vec<Feature> {
        (0..self.outputs()).map(|i| Feature::number(format!("pca{i}"))).collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let (kept, width) = self.components.dim();
        out.note(&Note { whiten: self.whiten, noise_variance: self.noise_variance })?;
        out.matrix("components", &self.components)?;
        out.doubles("explained_variance", &self.explained_variance, &[kept])?;
        out.doubles("explained_variance_ratio", &self.explained_variance_ratio, &[kept])?;
        out.doubles("singular_values", &self.singular_values, &[kept])?;
        out.doubles("mean", &self.mean, &[width])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedPca> {
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
