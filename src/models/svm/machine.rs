//! What fitted machines share: support vectors, and kernel values of rows with them.

use super::kernel::{Function, Gamma, Kernel};
use super::smo::{Options, Side};
use crate::data::Matrix;
use crate::device::cpu::parallel::for_chunks;
use crate::device::host_threads;
use crate::error::{Error, Result};
use crate::models::estimator::{check_range, check_rows};
use crate::models::store::Reader;
use crate::models::tiles::Rows;
use ndarray::Array2;

/// Support vectors and their kernel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Machine {
    pub function: Function,
    pub vectors: Rows,
}

impl Machine {
    /// The support vectors, `[SV, F]`.
    pub fn vectors(&self) -> Array2<f64> {
        let mut out = Array2::zeros((self.vectors.count, self.vectors.width));
        for (i, mut row) in out.rows_mut().into_iter().enumerate() {
            row.iter_mut().zip(self.vectors.row(i)).for_each(|(out, value)| *out = *value);
        }
        out
    }

    /// For each row of `x`, what `of` makes of its kernel values with the support vectors: `outputs` numbers, `[N, outputs]`.
    ///
    /// # Errors
    /// As [`check_rows`]; numbers beyond the range of f64.
    pub fn decide(
        &self,
        op: &'static str,
        x: Matrix<'_>,
        outputs: usize,
        of: impl Fn(&[f64], &mut [f64]) + Sync,
    ) -> Result<Array2<f64>> {
        check_rows(op, self.vectors.width, x)?;
        let mut out = Array2::zeros((x.rows(), outputs));
        let (count, width) = (self.vectors.count, self.vectors.width);
        const ROWS: usize = 16;
        let work = (ROWS * count * (2 * width + 40)) as u64; // an exponential is some 40 operations
        let values = out.as_slice_mut().unwrap_or_default();
        for_chunks(host_threads(), values, ROWS * outputs, work, |i, out| {
            let block = x.block(i * ROWS..(i + 1) * ROWS);
            let mut kernel = vec![0.0; count];
            for (row, out) in block.chunks(width.max(1)).zip(out.chunks_mut(outputs.max(1))) {
                let square: f64 = row.iter().map(|v| v * v).sum();
                self.function.of(&self.vectors, 0..count, row, square, &mut kernel);
                of(&kernel, out);
                if !square.is_finite() {
                    out.fill(square); // its distances are none
                }
            }
        });
        check_range(op, "kernel values", &out)?;
        Ok(out)
    }

    /// The machine of a file.
    pub fn restore(from: &Reader<'_>, function: Function, width: usize) -> Result<Machine> {
        let vectors = from.matrix("support_vectors")?;
        let degree = function.degree <= 1000;
        if vectors.ncols() != width
            || width == 0
            || !degree
            || !(function.gamma.is_finite() && function.coef0.is_finite())
        {
            return Err(from.error(format!(
                "support vectors of {} features for {width}, or a kernel out of range",
                vectors.ncols()
            )));
        }
        let all: Vec<usize> = (0..vectors.nrows()).collect();
        Ok(Machine { function, vectors: Rows::new((&vectors).into(), &all) })
    }
}

/// The variables of a pair of classes: `aims` are 1 and -1, `limits` the most that each row counts.
pub(super) fn pair_problem(aims: &[f64], limits: &[f64]) -> Vec<Side> {
    let low = aims.iter().zip(limits).map(|(aim, limit)| (aim * limit).min(0.0)).collect();
    let high = aims.iter().zip(limits).map(|(aim, limit)| (aim * limit).max(0.0)).collect();
    vec![Side { aim: aims.to_vec(), low, high }]
}

/// The checks and numbers that [`Svc`](super::Svc) and [`Svr`](super::Svr) share.
#[derive(Clone, Copy)]
pub(super) struct Common {
    pub op: &'static str,
    pub c: f64,
    pub kernel: Kernel,
    pub degree: u32,
    pub gamma: Gamma,
    pub coef0: f64,
    pub shrinking: bool,
    pub tol: f64,
    pub cache_size: f64,
    pub max_iter: Option<usize>,
}

impl Common {
    pub fn function(&self, x: Matrix<'_>, weights: &[f64]) -> Result<Function> {
        let wrong = |what: String| Err(Error::argument(self.op, what));
        if !(self.c > 0.0 && self.c.is_finite()) {
            return wrong(format!("c is {}; give a number above 0", self.c));
        }
        if !(self.tol > 0.0 && self.tol.is_finite()) {
            return wrong(format!("tol is {}; give a number above 0", self.tol));
        }
        if !(self.cache_size >= 0.0 && self.coef0.is_finite() && self.degree <= 1000) {
            return wrong(format!(
                "cache_size {}, coef0 {} and degree {} must be finite and in range; degree at most 1000",
                self.cache_size, self.coef0, self.degree
            ));
        }
        check_range(self.op, "squares of the features", &[x.values().iter().map(|v| v * v).sum()])?;
        let gamma = if self.kernel == Kernel::Linear { 1.0 } else { self.gamma.number(self.op, x, weights)? };
        Ok(Function { kernel: self.kernel, gamma, coef0: self.coef0, degree: self.degree })
    }

    /// For one problem, or several side by side. Shares of the cache decide when rows are left out, and so the last bits: they
    /// depend on the number of problems, never on that of threads.
    pub fn options(&self, rows: usize, problems: usize) -> Options {
        const MOST_SHARES: usize = 16;
        let shares = problems.clamp(1, MOST_SHARES);
        let cache = (self.cache_size * f64::from(1 << 20) / shares as f64) as usize; // saturates
        let threads = if problems > 1 { 1 } else { host_threads() };
        let most = rows.saturating_mul(100).max(10_000_000); // LIBSVM's "no limit"
        Options { tol: self.tol, max_iter: self.max_iter.unwrap_or(most), shrinking: self.shrinking, cache, threads }
    }
}
