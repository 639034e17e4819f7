//! The first singular directions of rows as they are: components without moving the origin.

use super::directions::{Moments, Randomised, exact, expand, project, randomised, turned};
use super::prepare::{Feature, Transform, Transformer};
use super::store::{Reader, Writer};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::estimator::{beyond_range, check_rows};
use crate::models::problem::Problem;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// How [`TruncatedSvd`] finds its directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SvdAlgorithm {
    /// [`SvdAlgorithm::Exact`] where that takes about a second at most, or most directions are wanted; else
    /// [`SvdAlgorithm::Randomized`].
    #[default]
    Auto,
    /// All singular values, of which the first are kept; scikit-learn's `arpack` gives the same numbers.
    Exact,
    /// The first directions, from random ones: Halko, Martinsson, Tropp 2011, algorithm 4.4.
    Randomized,
}

/// Rows along the directions in which they reach farthest from the origin: scikit-learn's `TruncatedSVD`, known for texts as latent
/// semantic analysis. Unlike [`Pca`](super::Pca), nothing is centred. The largest entry of each component is positive.
///
/// ```
/// use tilework::models::TruncatedSvd;
/// use tilework::models::prepare::{Transform, Transformer};
/// let x = [[3.0, 4.0], [6.0, 8.0], [-3.0, -4.0]];
/// let svd = TruncatedSvd { n_components: 1, ..TruncatedSvd::default() }.fit(&x)?;
/// assert!((svd.transform(&[[3.0, 4.0]])?[[0, 0]] - 5.0).abs() < 1e-12);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TruncatedSvd {
    /// How many directions are kept, at most as many as there are rows or features.
    pub n_components: usize,
    /// How they are found.
    pub algorithm: SvdAlgorithm,
    /// Power iterations of the randomised algorithm.
    pub n_iter: usize,
    /// Random directions of the randomised algorithm beyond those kept.
    pub n_oversamples: usize,
    /// Of the random directions.
    pub seed: u64,
}

impl Default for TruncatedSvd {
    fn default() -> TruncatedSvd {
        TruncatedSvd { n_components: 2, algorithm: SvdAlgorithm::Auto, n_iter: 5, n_oversamples: 10, seed: 0 }
    }
}

/// A fitted [`TruncatedSvd`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedTruncatedSvd {
    /// The directions, `[K, F]`, by falling singular value.
    pub components: Array2<f64>,
    /// The variance of the rows along each, `[K]`.
    pub explained_variance: Vec<f64>,
    /// Its share of the features' whole variance.
    pub explained_variance_ratio: Vec<f64>,
    /// The singular value of each.
    pub singular_values: Vec<f64>,
}

/// Operations that an exact decomposition may take: about a second.
const CHEAP: usize = 1 << 30;

impl Transformer for TruncatedSvd {
    type Fitted = FittedTruncatedSvd;
    const NAME: &'static str = "truncated-svd";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedTruncatedSvd> {
        const NAME: &str = TruncatedSvd::NAME;
        problem.check(NAME)?;
        let x = problem.x;
        let (rows, width, wanted) = (x.rows(), x.width(), self.n_components);
        let most = rows.min(width);
        if !(1..=most).contains(&wanted) {
            let message = format!("n_components {wanted} of {rows} rows and {width} features; give 1 to {most}");
            return Err(Error::argument(NAME, message));
        }
        let work = rows.saturating_mul(width).saturating_mul(most);
        let origin = vec![0.0; width];
        let found = match self.algorithm {
            SvdAlgorithm::Auto if work <= CHEAP || wanted as f64 >= 0.8 * most as f64 => exact(x, &origin),
            SvdAlgorithm::Exact => exact(x, &origin),
            SvdAlgorithm::Auto | SvdAlgorithm::Randomized => {
                let (oversamples, powers) = (self.n_oversamples, self.n_iter);
                randomised(x, &origin, &Randomised { wanted, oversamples, powers, seed: self.seed })
            }
        };
        let (mut singular_values, vectors) = found.ok_or_else(|| beyond_range(NAME, "singular values"))?;
        singular_values.truncate(wanted);
        let components = turned(&vectors, wanted, width);
        let mut fitted = FittedTruncatedSvd {
            components,
            explained_variance: Vec::new(),
            explained_variance_ratio: Vec::new(),
            singular_values,
        };
        // Of all rows, not one less: so are scikit-learn's here.
        let of_all = |variance: &f64| variance * (rows - 1) as f64 / rows as f64;
        let total: f64 = Moments::of(x, false).variance.iter().map(of_all).sum();
        let along = Moments::of((&fitted.apply(x)?).into(), false).variance;
        fitted.explained_variance = along.iter().map(of_all).collect();
        let share = |v: &f64| if total > 0.0 { v / total } else { 0.0 };
        fitted.explained_variance_ratio = fitted.explained_variance.iter().map(share).collect();
        Ok(fitted)
    }
}

impl FittedTruncatedSvd {
    /// Rows `[N, K]` along the components back as features, `[N, F]`.
    ///
    /// # Errors
    /// Another number of columns than components; NaN or infinity.
    pub fn inverse_transform<'a>(&self, z: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let z = z.into();
        check_rows(TruncatedSvd::NAME, self.outputs(), z)?;
        self.array(z.rows(), self.width(), expand(z, &vec![0.0; self.width()], &self.directions()))
    }

    fn directions(&self) -> Vec<f64> {
        self.components.iter().copied().collect()
    }

    fn array(&self, rows: usize, columns: usize, values: Vec<f64>) -> Result<Array2<f64>> {
        Array2::from_shape_vec((rows, columns), values).map_err(|e| Error::internal(TruncatedSvd::NAME, e.to_string()))
    }
}

impl Transform for FittedTruncatedSvd {
    fn kind(&self) -> &'static str {
        TruncatedSvd::NAME
    }

    fn width(&self) -> usize {
        self.components.ncols()
    }

    fn outputs(&self) -> usize {
        self.components.nrows()
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_rows(TruncatedSvd::NAME, self.width(), x)?;
        self.array(x.rows(), self.outputs(), project(x, &vec![0.0; self.width()], &self.directions()))
    }

    fn features(&self, _: &[Feature]) -> Vec<Feature> {
        (0..self.outputs()).map(|i| Feature::number(format!("truncatedsvd{i}"))).collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let kept = self.outputs();
        out.note(&kept)?;
        out.matrix("components", &self.components)?;
        out.doubles("explained_variance", &self.explained_variance, &[kept])?;
        out.doubles("explained_variance_ratio", &self.explained_variance_ratio, &[kept])?;
        out.doubles("singular_values", &self.singular_values, &[kept])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedTruncatedSvd> {
        let (kept, components) = (from.note()?, from.matrix("components")?);
        if components.is_empty() || components.nrows() != kept {
            return Err(from.error("components: not as many as the file says"));
        }
        Ok(FittedTruncatedSvd {
            components,
            explained_variance: from.vector("explained_variance", kept)?,
            explained_variance_ratio: from.vector("explained_variance_ratio", kept)?,
            singular_values: from.vector("singular_values", kept)?,
        })
    }
}
