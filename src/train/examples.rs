//! Rows of inputs with their targets, on a device.

use crate::data::shuffled_split;
use crate::error::{Error, Result};
use crate::rng::Rng;
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

    /// Deals the rows at random, from a seed: what is left to learn from, and `fraction` of them, rounded up, held out for
    /// validation.
    ///
    /// # Errors
    /// A fraction that is not between 0 and 1, or that leaves a part empty.
    ///
    /// ```
    /// use tilework::{Device, Tensor, train::Examples};
    /// let x = Tensor::arange(0..10u32, &Device::cpu());
    /// let (train, held_out) = Examples::new(x.clone(), x)?.split(0.2, 7)?;
    /// assert_eq!((train.rows(), held_out.rows()), (8, 2));
    /// # Ok::<(), tilework::Error>(())
    /// ```
    pub fn split(&self, fraction: f64, seed: u64) -> Result<(Examples, Examples)> {
        let split = shuffled_split(self.rows(), fraction, &mut Rng::seed(seed))?;
        let part = |rows: &[usize]| self.reordered(&rows.iter().map(|&row| row as u32).collect::<Vec<u32>>());
        Ok((part(&split.train), part(&split.held_out)))
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
