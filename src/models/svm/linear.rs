//! What the linear machines share: their rows, and their weights.

use crate::data::{Matrix, Sparse};
use crate::error::{Error, Result};
use crate::models::estimator::check_range;
use crate::models::store::Reader;
use ndarray::Array2;
use std::borrow::Cow;

/// Features row by row, to which a constant is added for the intercept: it is regularised as the weights are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    pub values: Values<'a>,
    pub count: usize,
    pub width: usize,
    /// The constant; 0 for none.
    pub scaling: f64,
}

/// The features themselves.
#[derive(Debug, Clone, Copy)]
pub(super) enum Values<'a> {
    /// Row by row.
    Dense(&'a [f64]),
    Sparse(&'a Sparse),
}

impl<'a> Values<'a> {
    /// Those of a matrix, which was widened to `dense` unless it is sparse.
    pub fn of(x: Matrix<'a>, dense: &'a [f64]) -> Values<'a> {
        match x {
            Matrix::Sparse(x) => Values::Sparse(x),
            _ => Values::Dense(dense),
        }
    }

    /// What [`Values::of`] needs of a matrix.
    pub fn widened(x: Matrix<'a>) -> Cow<'a, [f64]> {
        match x {
            Matrix::Sparse(_) => Cow::Borrowed(&[]),
            x => x.values(),
        }
    }
}

impl<'a> Rows<'a> {
    /// Refuses features whose squares are not finite: no step leads anywhere from them.
    pub fn check(self, op: &'static str) -> Result<()> {
        check_range(op, "squares of the features", &[(0..self.count).map(|i| self.square(i)).sum()])
    }

    /// A row of dense features; none of sparse ones.
    pub fn row(self, i: usize) -> &'a [f64] {
        match self.values {
            Values::Dense(values) => values.get(i * self.width..(i + 1) * self.width).unwrap_or_default(),
            Values::Sparse(_) => &[],
        }
    }

    /// The sum of a row's squares.
    pub fn square(self, i: usize) -> f64 {
        match self.values {
            Values::Dense(_) => self.row(i).iter().map(|v| v * v).sum(),
            Values::Sparse(x) => x.entries(i).map(|(_, v)| v * v).sum(),
        }
    }

    /// The product of a row with `[F]`.
    pub fn dot(self, i: usize, v: &[f64]) -> f64 {
        match self.values {
            Values::Dense(_) => self.row(i).iter().zip(v).map(|(x, w)| x * w).sum(),
            Values::Sparse(x) => x.dot(i, v),
        }
    }

    /// Adds a row, times a factor.
    pub fn add(self, i: usize, factor: f64, to: &mut [f64]) {
        match self.values {
            Values::Dense(_) => to.iter_mut().zip(self.row(i)).for_each(|(to, x)| *to += factor * x),
            Values::Sparse(x) => x.add_row(i, factor, to),
        }
    }
}

/// `x · coef + intercept`
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weights {
    pub coef: Vec<f64>,
    pub intercept: f64,
}

impl Weights {
    /// Of weights, the last of them the constant's.
    pub fn of(rows: Rows<'_>, w: &[f64]) -> Weights {
        let (coef, last) = w.split_at(rows.width);
        Weights { coef: coef.to_vec(), intercept: rows.scaling * last.first().copied().unwrap_or(0.0) }
    }
}

/// What a solver reached.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fit {
    pub weights: Weights,
    pub iterations: usize,
    pub converged: bool,
}

impl Fit {
    /// Says so when the tolerance was not reached.
    pub fn warn(&self, op: &str) {
        if !self.converged {
            log::warn!(
                "{op}: stopped after {} iterations, before the tolerance was reached; scale the features, or raise max_iter",
                self.iterations
            );
        }
    }
}

/// Settings that both have, and their checks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Common {
    pub op: &'static str,
    pub c: f64,
    pub tol: f64,
    pub fit_intercept: bool,
    pub intercept_scaling: f64,
}

impl Common {
    /// The constant that is added to each row.
    pub fn scaling(&self) -> Result<f64> {
        for (name, value) in [("c", self.c), ("tol", self.tol), ("intercept_scaling", self.intercept_scaling)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::argument(self.op, format!("{name} is {value}; give a number above 0")));
            }
        }
        Ok(if self.fit_intercept { self.intercept_scaling } else { 0.0 })
    }
}

/// Coefficients and intercepts of a file, for `outputs` and `width`.
pub(super) fn restore(from: &Reader<'_>) -> Result<(Array2<f64>, Vec<f64>)> {
    let coef = from.matrix("coef")?;
    let intercept = from.vector("intercept", coef.nrows())?;
    match coef.is_empty() {
        true => Err(from.error("coef: no coefficients")),
        false => Ok((coef, intercept)),
    }
}
