//! Rows of length 1.

use super::chain::owned;
use super::transformer::{Feature, Transform, Transformer};
use crate::data::Matrix;
use crate::error::Result;
use crate::models::{Problem, Reader, Writer, check_rows};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// How long a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// The sum of its absolute values.
    L1,
    /// The root of the sum of their squares.
    #[default]
    L2,
    /// The largest of them.
    Max,
}

/// Divides each row by its length, unless that is 0: scikit-learn's `Normalizer`. Nothing is learnt.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Normalizer {
    /// What its length is.
    pub norm: Norm,
}

/// A fitted [`Normalizer`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedNormalizer {
    width: usize,
    norm: Norm,
}

impl Transformer for Normalizer {
    type Fitted = FittedNormalizer;
    const NAME: &'static str = "normalizer";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedNormalizer> {
        problem.check(Self::NAME)?;
        Ok(FittedNormalizer { width: problem.x.width(), norm: self.norm })
    }
}

impl Transform for FittedNormalizer {
    fn kind(&self) -> &'static str {
        Normalizer::NAME
    }

    fn width(&self) -> usize {
        self.width
    }

    fn outputs(&self) -> usize {
        self.width
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_rows(Normalizer::NAME, self.width, x)?;
        let mut x = owned(x)?;
        for mut row in x.rows_mut() {
            // By the largest first, so that no square overflows.
            let most = row.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
            if most == 0.0 {
                continue;
            }
            row.mapv_inplace(|v| v / most);
            let length = match self.norm {
                Norm::L1 => row.iter().map(|v| v.abs()).sum(),
                Norm::L2 => row.iter().map(|v| v * v).sum::<f64>().sqrt(),
                Norm::Max => 1.0,
            };
            row.mapv_inplace(|v| v / length);
        }
        Ok(x)
    }

    fn features(&self, from: &[Feature]) -> Vec<Feature> {
        from.iter().map(|feature| Feature::number(&feature.name)).collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(self)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedNormalizer> {
        from.note()
    }
}
