//! Fewer columns that keep the distances between rows, nearly.

use super::transformer::{Feature, Transform, Transformer};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::{Problem, Reader, Writer, check_rows};
use crate::rng::Rng;
use ndarray::Array2;
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// Columns that are random sums of all, with normal weights of variance 1 over their number: scikit-learn's
/// `GaussianRandomProjection`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianRandomProjection {
    /// How many; when left out, as many as keep all distances to within `eps` (Johnson and Lindenstrauss).
    pub n_components: Option<usize>,
    /// The share by which distances may change.
    pub eps: f64,
    /// Of the weights.
    pub seed: u64,
}

/// The same with most weights 0: scikit-learn's `SparseRandomProjection` with its density of 1 over the root of the number of
/// features (Li, Hastie and Church, KDD 2006).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SparseRandomProjection {
    /// How many; when left out, as many as keep all distances to within `eps` (Johnson and Lindenstrauss).
    pub n_components: Option<usize>,
    /// The share by which distances may change.
    pub eps: f64,
    /// Of the weights.
    pub seed: u64,
}

impl Default for GaussianRandomProjection {
    fn default() -> GaussianRandomProjection {
        GaussianRandomProjection { n_components: None, eps: 0.1, seed: 0 }
    }
}

impl Default for SparseRandomProjection {
    fn default() -> SparseRandomProjection {
        SparseRandomProjection { n_components: None, eps: 0.1, seed: 0 }
    }
}

/// A fitted random projection of either kind.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedRandomProjection {
    kind: &'static str,
    /// The weights, `[components, F]`.
    pub components: Array2<f64>,
}

/// Weights at most: 2 GiB.
const MOST_WEIGHTS: usize = 1 << 28;

/// 4 ln N / (eps² / 2 - eps³ / 3).
fn components(op: &'static str, n: Option<usize>, eps: f64, problem: &Problem<'_>) -> Result<usize> {
    problem.check(op)?;
    let width = problem.x.width();
    let wrong = |message: String| Err(Error::argument(op, message));
    match n {
        Some(0) => wrong("n_components 0; give at least 1".into()),
        Some(n) if n.saturating_mul(width) > MOST_WEIGHTS => {
            wrong(format!("n_components {n} of {width} features: more than {MOST_WEIGHTS} weights; give fewer"))
        }
        Some(n) => Ok(n),
        None if !(eps > 0.0 && eps < 1.0) => wrong(format!("eps {eps}; give a share between 0 and 1")),
        None => {
            let rows = problem.x.rows() as f64;
            let needed = (4.0 * rows.ln() / (eps * eps / 2.0 - eps * eps * eps / 3.0)) as usize;
            match needed.max(1) {
                needed if needed <= width => Ok(needed),
                needed => wrong(format!(
                    "{needed} columns are needed to keep distances, more than the {width} given; set n_components"
                )),
            }
        }
    }
}

impl Transformer for GaussianRandomProjection {
    type Fitted = FittedRandomProjection;
    const NAME: &'static str = "gaussian-random-projection";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedRandomProjection> {
        let n = components(Self::NAME, self.n_components, self.eps, problem)?;
        let size = (n, problem.x.width());
        let scale = 1.0 / (n as f64).sqrt();
        let normals = Rng::seed(self.seed).normals(size.0 * size.1);
        let components = Array2::from_shape_fn(size, |(i, j)| scale * f64::from(normals[i * size.1 + j]));
        Ok(FittedRandomProjection { kind: Self::NAME, components })
    }
}

impl Transformer for SparseRandomProjection {
    type Fitted = FittedRandomProjection;
    const NAME: &'static str = "sparse-random-projection";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedRandomProjection> {
        let n = components(Self::NAME, self.n_components, self.eps, problem)?;
        let density = 1.0 / (problem.x.width() as f64).sqrt();
        let size = (1.0 / density).sqrt() / (n as f64).sqrt();
        let mut rng = Rng::seed(self.seed);
        let components = Array2::from_shape_simple_fn((n, problem.x.width()), || {
            let draw: f64 = rng.random();
            if draw < density / 2.0 {
                size
            } else if draw < density {
                -size
            } else {
                0.0
            }
        });
        Ok(FittedRandomProjection { kind: Self::NAME, components })
    }
}

impl Transform for FittedRandomProjection {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn width(&self) -> usize {
        self.components.ncols()
    }

    fn outputs(&self) -> usize {
        self.components.nrows()
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_rows(self.kind, self.width(), x)?;
        let values = x.values();
        let mut out = Array2::zeros((x.rows(), self.outputs()));
        for (row, mut out) in values.chunks_exact(self.width().max(1)).zip(out.rows_mut()) {
            for (weights, cell) in self.components.rows().into_iter().zip(out.iter_mut()) {
                *cell = weights.iter().zip(row).map(|(w, v)| w * v).sum();
            }
        }
        Matrix::from(&out).check_finite(self.kind, None).map(|()| out)
    }

    fn features(&self, _: &[Feature]) -> Vec<Feature> {
        (0..self.outputs()).map(|i| Feature::number(format!("projection{i}"))).collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&self.kind)?;
        out.matrix("components", &self.components)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedRandomProjection> {
        let kind: String = from.note()?;
        let kinds = [GaussianRandomProjection::NAME, SparseRandomProjection::NAME];
        match kinds.into_iter().find(|known| *known == kind) {
            Some(kind) => Ok(FittedRandomProjection { kind, components: from.matrix("components")? }),
            None => Err(from.error("no projection known here")),
        }
    }
}
