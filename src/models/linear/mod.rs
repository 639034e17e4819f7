//! Linear models: least squares and its penalised kin, in f64 on the CPU whatever device there is, because in f32 normal
//! equations lose every digit on ill-conditioned data; and logistic regression.

mod batches;
mod bayesian_ridge;
mod descent;
mod elastic_net;
mod lbfgs;
mod least_squares;
mod logistic;
mod passes;
mod refine;
mod ridge;
mod rows;
mod softmax;
mod sparse;
mod summary;
mod triangle;
mod wide;

pub use batches::Batches;
pub use bayesian_ridge::BayesianRidge;
pub use elastic_net::{ElasticNet, Lasso};
pub use least_squares::{LinearRegression, LinearSolver};
pub use logistic::{FittedLogisticRegression, LogisticRegression, LogisticSolver, Penalty};
pub use passes::Pass;
pub(crate) use passes::{STREAMED, learn_parts};
pub use ridge::{Ridge, RidgeSolver};
pub use summary::{Summary, Term};

use super::estimator::{Ended, Estimator, Influence, Model, Prediction, beyond_range};
use super::store::{Reader, Writer};
use crate::data::{Matrix, Sparse};
use crate::error::Result;
use ndarray::Array2;
use rows::Rows;
pub(super) use rows::{predictions, scores};
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;

/// A fitted [`LinearRegression`].
pub type FittedLinearRegression = FittedLinear<LinearRegression>;
/// A fitted [`Ridge`].
pub type FittedRidge = FittedLinear<Ridge>;
/// A fitted [`BayesianRidge`].
pub type FittedBayesianRidge = FittedLinear<BayesianRidge>;
/// A fitted [`Lasso`].
pub type FittedLasso = FittedLinear<Lasso>;
/// A fitted [`ElasticNet`].
pub type FittedElasticNet = FittedLinear<ElasticNet>;

/// What the linear regressions have in common once fitted: `x · coef + intercept`.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedLinear<E> {
    /// One number a feature, `[F]`.
    pub coef: Vec<f64>,
    /// What is predicted where all features are 0; 0 when none was fitted.
    pub intercept: f64,
    /// Rounds of an iterative solver; 0 of a direct one.
    pub n_iter: usize,
    /// Whether the solver came within its tolerance; a direct one always does.
    pub converged: bool,
    summary: Option<Summary>,
    /// Of a [`BayesianRidge`]: of the noise and of the coefficients.
    precisions: Option<(f64, f64)>,
    of: PhantomData<fn() -> E>,
}

/// What is no tensor in a file.
#[derive(Serialize, Deserialize)]
struct Note {
    width: usize,
    n_iter: usize,
    converged: bool,
    summary: Option<Summary>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    precisions: Option<(f64, f64)>,
}

impl<E: Estimator> FittedLinear<E> {
    /// Of a direct solver, or of an iterative one that ended well. Numbers that are not finite come of data beyond the range
    /// of f64.
    fn new(coef: Vec<f64>, intercept: f64) -> Result<FittedLinear<E>> {
        if !(intercept.is_finite() && coef.iter().all(|c| c.is_finite())) {
            return Err(beyond_range(E::NAME, "coefficients"));
        }
        Ok(FittedLinear {
            coef,
            intercept,
            n_iter: 0,
            converged: true,
            summary: None,
            precisions: None,
            of: PhantomData,
        })
    }

    /// Of a sparse matrix, for each answer.
    fn sparse(rows: &Rows<'_, '_>, x: &Sparse, fit_intercept: bool, alpha: f64) -> Result<Vec<FittedLinear<E>>> {
        let centre = rows.centre(fit_intercept);
        let fitted = |output: usize| {
            let sparse::Solved { coef, n_iter, converged } = sparse::solve(rows, x, &centre, output, alpha);
            if !converged {
                log::warn!("{}: not converged after {n_iter} steps; columns are nearly dependent", E::NAME);
            }
            let intercept = if fit_intercept { centre.constant(output, &coef) } else { 0.0 };
            Ok(FittedLinear { n_iter, converged, ..FittedLinear::new(coef, intercept)? })
        };
        (0..rows.outputs()).map(fitted).collect()
    }

    /// The number for each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<f64>> {
        rows::predictions(E::NAME, x.into(), &self.coef, self.intercept)
    }
}

impl<E: Estimator> Model for FittedLinear<E> {
    fn kind(&self) -> &'static str {
        E::NAME
    }

    fn width(&self) -> usize {
        self.coef.len()
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
        Array2::from_shape_vec((1, self.coef.len()), self.coef.clone()).ok().map(Influence::Coefficients)
    }

    fn ended(&self) -> Ended {
        let iterates = self.n_iter > 0 || !self.converged;
        let rank = self.summary.as_ref().map(|summary| summary.rank);
        Ended { converged: iterates.then_some(self.converged), rank }
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let (n_iter, converged, precisions) = (self.n_iter, self.converged, self.precisions);
        let summary = self.summary.clone();
        out.note(&Note { width: self.coef.len(), n_iter, converged, summary, precisions })?;
        out.doubles("coef", &self.coef, &[self.coef.len()])?;
        out.doubles("intercept", &[self.intercept], &[1])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedLinear<E>> {
        let Note { width, n_iter, converged, summary, precisions } = from.note()?;
        let (coef, intercept) = (from.vector("coef", width)?, from.vector("intercept", 1)?);
        let fitted = FittedLinear::new(coef, intercept.first().copied().unwrap_or(f64::NAN));
        let fitted = fitted.map_err(|_| from.error("coefficients that are not finite"))?;
        if width == 0 || summary.as_ref().is_some_and(|summary| !summary.fits(width)) {
            return Err(from.error("coefficients and their summary do not fit together"));
        }
        Ok(FittedLinear { n_iter, converged, summary, precisions, ..fitted })
    }
}
