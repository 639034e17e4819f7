//! Support vector regression: numbers within a tube of width `epsilon` cost nothing.

use super::kernel::{Function, Gamma, Kernel};
use super::machine::{Common, Machine};
use super::smo::{self, Side};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::estimator::{Ended, Estimator, Influence, Model, Prediction};
use crate::models::problem::Problem;
use crate::models::store::{Reader, Writer};
use crate::models::tiles::Rows;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Epsilon-support vector regression with kernels. scikit-learn's `SVR`, which is LIBSVM's. Features of like scale are needed.
///
/// ```
/// use tilework::models::{Estimator, Svr};
/// let x: Vec<[f64; 1]> = (0..20).map(|i| [f64::from(i) / 10.0]).collect();
/// let y: Vec<f64> = x.iter().map(|[x]| x.sin()).collect();
/// let model = Svr { c: 10.0, epsilon: 0.01, ..Svr::default() }.fit(&x[..], &y)?;
/// assert!((model.predict(&[[0.55]])?[0] - 0.55f64.sin()).abs() < 0.02);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Svr {
    /// How much a row outside the tube costs, above 0; scikit-learn's `C`.
    #[serde(alias = "C")]
    pub c: f64,
    /// Half the width of the tube, in units of the target; at least 0.
    pub epsilon: f64,
    /// How alike rows are.
    pub kernel: Kernel,
    /// Of [`Kernel::Poly`].
    pub degree: u32,
    /// Of all kernels but the linear one.
    pub gamma: Gamma,
    /// Of [`Kernel::Poly`] and [`Kernel::Sigmoid`].
    pub coef0: f64,
    /// Whether rows that will not change are left out on the way; the result is the same.
    pub shrinking: bool,
    /// How far the optimality conditions may be missed.
    pub tol: f64,
    /// Kernel rows that are kept, in MiB.
    pub cache_size: f64,
    /// The most steps; no limit when left out.
    pub max_iter: Option<usize>,
}

impl Default for Svr {
    fn default() -> Svr {
        Svr {
            c: 1.0,
            epsilon: 0.1,
            kernel: Kernel::Rbf,
            degree: 3,
            gamma: Gamma::Scale,
            coef0: 0.0,
            shrinking: true,
            tol: 1e-3,
            cache_size: 200.0,
            max_iter: None,
        }
    }
}

/// A fitted [`Svr`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedSvr {
    machine: Machine,
    /// The rows that support vectors are.
    pub support: Vec<u32>,
    /// Coefficients of the support vectors.
    pub dual_coef: Vec<f64>,
    /// What is added.
    pub intercept: f64,
    /// Steps taken.
    pub n_iter: usize,
    /// Whether the tolerance was reached.
    pub converged: bool,
}

impl Estimator for Svr {
    type Fitted = FittedSvr;
    const NAME: &'static str = "svr";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedSvr> {
        problem.check(Self::NAME)?;
        let values = problem.values(Self::NAME)?;
        let Svr { c, kernel, degree, gamma, coef0, shrinking, tol, cache_size, max_iter, epsilon } = *self;
        let common = Common { op: Self::NAME, c, kernel, degree, gamma, coef0, shrinking, tol, cache_size, max_iter };
        let weights = problem.row_weights();
        let function = common.function(problem.x, &weights)?;
        if !(epsilon >= 0.0 && epsilon.is_finite()) {
            return Err(Error::argument(Self::NAME, format!("epsilon is {epsilon}; give a number of at least 0")));
        }
        let kept: Vec<usize> = (0..values.len()).filter(|&row| weights[row] > 0.0).collect();
        let rows = Rows::new(problem.x, &kept);
        let of = |value: &dyn Fn(usize) -> f64| -> Vec<f64> { kept.iter().map(|&row| value(row)).collect() };
        let none = vec![0.0; kept.len()];
        let above =
            Side { aim: of(&|row| values[row] - epsilon), low: none.clone(), high: of(&|row| c * weights[row]) };
        let below = Side { aim: of(&|row| values[row] + epsilon), low: of(&|row| -c * weights[row]), high: none };
        let solution = smo::solve(function, &rows, vec![above, below], common.options(kept.len(), 1));
        solution.check(Self::NAME)?;
        if !solution.converged {
            log::warn!(
                "svr: stopped after {} steps, before the tolerance was reached; scale the features",
                solution.iterations
            );
        }
        let support: Vec<usize> = (0..kept.len()).filter(|&at| solution.beta[at] != 0.0).collect();
        let dual_coef = support.iter().map(|&at| solution.beta[at]).collect();
        let support: Vec<usize> = support.into_iter().map(|at| kept[at]).collect();
        Ok(FittedSvr {
            machine: Machine { function, vectors: Rows::new(problem.x, &support) },
            support: support.into_iter().map(|row| row as u32).collect(),
            dual_coef,
            intercept: solution.bias,
            n_iter: solution.iterations,
            converged: solution.converged,
        })
    }
}

impl FittedSvr {
    /// The number for each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<f64>> {
        let out = self.machine.decide(Svr::NAME, x.into(), 1, |kernel, out| {
            let sum: f64 = kernel.iter().zip(&self.dual_coef).map(|(k, c)| k * c).sum();
            out.fill(sum + self.intercept);
        })?;
        Ok(out.into_raw_vec_and_offset().0)
    }

    /// The support vectors, `[SV, F]`.
    pub fn support_vectors(&self) -> Array2<f64> {
        self.machine.vectors()
    }

    /// The weights of the features, `[F]`; of a linear kernel only.
    pub fn coef(&self) -> Option<Vec<f64>> {
        (self.machine.function.kernel == Kernel::Linear).then(|| {
            let mut coef = vec![0.0; self.width()];
            for (sv, beta) in self.dual_coef.iter().enumerate() {
                coef.iter_mut().zip(self.machine.vectors.row(sv)).for_each(|(c, x)| *c += beta * x);
            }
            coef
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Note {
    width: usize,
    function: Function,
    n_iter: usize,
    converged: bool,
}

impl Model for FittedSvr {
    fn kind(&self) -> &'static str {
        Svr::NAME
    }

    fn width(&self) -> usize {
        self.machine.vectors.width
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
        let coef = self.coef()?;
        Array2::from_shape_vec((1, coef.len()), coef).ok().map(Influence::Coefficients)
    }

    fn ended(&self) -> Ended {
        Ended::of(self.converged)
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let (width, function) = (self.width(), self.machine.function);
        out.note(&Note { width, function, n_iter: self.n_iter, converged: self.converged })?;
        out.matrix("support_vectors", &self.support_vectors())?;
        out.counts("support", &self.support, &[self.support.len()])?;
        out.doubles("dual_coef", &self.dual_coef, &[self.dual_coef.len()])?;
        out.doubles("intercept", &[self.intercept], &[1])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedSvr> {
        let Note { width, function, n_iter, converged } = from.note()?;
        let machine = Machine::restore(from, function, width)?;
        let support = from.counts("support")?.0;
        let dual_coef = from.vector("dual_coef", machine.vectors.count)?;
        let [intercept] = from.vector("intercept", 1)?[..] else {
            return Err(from.error("intercept: one number is needed"));
        };
        if support.len() != dual_coef.len() {
            return Err(from.error(format!("{} support rows for {} vectors", support.len(), dual_coef.len())));
        }
        Ok(FittedSvr { machine, support, dual_coef, intercept, n_iter, converged })
    }
}
