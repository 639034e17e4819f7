//! Rows of inputs with their targets, on a device.

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Inputs `[N, …]` and their targets `[N, …]`.
#[derive(Debug, Clone)]
pub struct Examples {
    /// One row an example.
    pub x: Tensor,
    /// The target of each row.
    pub y: Tensor,
}

impl Examples {
    /// Pairs inputs with targets.
    ///
    /// # Errors
    /// No rows; as many targets as inputs are needed; the errors that the tensors carry.
    pub fn new(x: Tensor, y: Tensor) -> Result<Examples> {
        x.check()?;
        y.check()?;
        let rows = |t: &Tensor| t.shape().first().copied();
        match (rows(&x), rows(&y)) {
            (Some(a), Some(b)) if a == b && a > 0 => Ok(Examples { x, y }),
            _ => {
                let message = format!(
                    "inputs {} and targets {} must have the same number of rows, at least one",
                    x.shape(),
                    y.shape()
                );
                Err(Error::shape("examples", message))
            }
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.x.shape().first().copied().unwrap_or(0)
    }

    /// Rows `start..end`, without a copy.
    pub(crate) fn slice(&self, start: usize, end: usize) -> Examples {
        Examples { x: self.x.slice(0, start..end), y: self.y.slice(0, start..end) }
    }

    /// The rows in another order: one copy an epoch, so that the batches of a step are views at changing offsets.
    pub(crate) fn reordered(&self, order: &[u32]) -> Examples {
        let order = Tensor::from_slice(order, order.len(), self.x.device());
        Examples { x: self.x.index_select(0, &order), y: self.y.index_select(0, &order) }
    }
}
