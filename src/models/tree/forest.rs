//! Many trees, each on rows and features of its own, and their mean: random forests and extra trees.

use super::columns::Columns;
use super::criterion::Criterion;
use super::grow::Ground;
use super::nodes::{Tree, normalise};
use super::settings::{Rules, Samples};
use crate::data::Matrix;
use crate::device::cpu::Cpu;
use crate::device::cpu::parallel::{WORK_PER_THREAD, for_chunks};
use crate::error::{Error, Result};
use crate::models::estimator::check_rows;
use crate::rng::{Rng, fill_words};
use ndarray::Array2;

/// Rows that pass one tree after another while they are in cache.
const BLOCK: usize = 64;

/// What makes a forest of trees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub n_estimators: usize,
    pub bootstrap: bool,
    pub max_samples: Option<Samples>,
    pub oob_score: bool,
    pub seed: u64,
}

impl Plan {
    pub fn check(&self, op: &'static str, rows: usize) -> Result<()> {
        if self.n_estimators == 0 {
            return Err(Error::argument(op, "n_estimators = 0; give at least 1"));
        }
        let few = |samples: &Samples| match *samples {
            Samples::Count(count) => (1..=rows).contains(&count),
            Samples::Share(share) => share > 0.0 && share <= 1.0,
        };
        if let Some(wrong) = self.max_samples.filter(|samples| !few(samples)) {
            let message =
                format!("max_samples = {wrong}; give a count from 1 to the {rows} rows, or a share above 0 up to 1.0");
            return Err(Error::argument(op, message));
        }
        match self.oob_score && !self.bootstrap {
            true => Err(Error::argument(op, "oob_score needs rows left out of trees; set bootstrap = true")),
            false => Ok(()),
        }
    }

    /// How often each row is drawn for a tree, with replacement.
    fn counts(&self, rows: usize, rng: &mut Rng) -> Vec<u32> {
        let draws = match self.max_samples {
            None => rows,
            Some(Samples::Count(count)) => count,
            Some(Samples::Share(share)) => ((share * rows as f64) as usize).max(1),
        };
        let (seed, _) = rng.state();
        let mut words = vec![0; draws];
        fill_words(seed, rng.reserve(draws as u64), 0, &mut words);
        let mut counts = vec![0; rows];
        for word in words {
            let row = (u64::from(word) * rows as u64) >> 32; // below rows; some rows are likelier by rows / 2^32
            counts[row as usize] += 1;
        }
        counts
    }
}

/// Grown trees, and what they say of the rows that they did not see.
pub(super) struct Grown {
    pub trees: Vec<Tree>,
    /// The mean over the trees that a row was left out of, `[N, outputs]`; NaN of a row that all trees saw.
    pub out_of_bag: Option<Array2<f64>>,
}

/// Grows all trees, one a thread at a time. Tree `i` depends on the seed and `i` alone.
pub(super) fn grow<C: Criterion>(
    op: &'static str,
    x: Matrix<'_>,
    answers: &[C::Answer],
    weights: &[f64],
    criterion: &C,
    rules: &Rules,
    plan: &Plan,
) -> Result<Grown> {
    let threads = Cpu::new().threads();
    let columns = Columns::new(op, x, threads)?;
    let max_features = rules.max_features.of(op, x.width())?;
    let root = Rng::seed(plan.seed);
    let rows = x.rows();
    let draw = |rng: &mut Rng| plan.bootstrap.then(|| plan.counts(rows, rng));
    let mut trees = vec![Tree::default(); plan.n_estimators];
    // one tree is worth a thread unless there is next to nothing to grow
    let work = (rows as u64).saturating_mul(max_features as u64).saturating_mul(2_000);
    for_chunks(threads, &mut trees, 1, work, |i, out| {
        let mut rng = root.fork(i as u64);
        let weigh = |counts: Vec<_>| -> Vec<f64> {
            weights.iter().zip(counts).map(|(w, count)| w * f64::from(count)).collect()
        };
        // where only rows of weight 0 were drawn, all count
        let drawn = draw(&mut rng).map(weigh).filter(|drawn| drawn.iter().any(|&weight| weight > 0.0));
        let weights = drawn.as_deref().unwrap_or(weights);
        let mut kept: Vec<u32> = (0u32..).zip(weights).filter(|(_, w)| **w > 0.0).map(|(row, _)| row).collect();
        let ground = Ground { columns: &columns, criterion, answers, weights, rules, max_features, threads: 1 };
        out.fill_with(|| ground.grow(std::mem::take(&mut kept), rng.clone()).pruned(rules.ccp_alpha));
    });
    let out_of_bag = plan.oob_score.then(|| {
        let seen: Vec<Vec<bool>> = (0..trees.len() as u64)
            .map(|i| draw(&mut root.fork(i)).unwrap_or_default().into_iter().map(|count| count > 0).collect())
            .collect();
        mean(&trees, x, threads, |tree, row| !seen.get(tree).and_then(|seen| seen.get(row)).copied().unwrap_or(true))
    });
    Ok(Grown { trees, out_of_bag })
}

/// What the trees say of rows, on average.
///
/// # Errors
/// As [`check_rows`].
pub(super) fn predict(op: &'static str, trees: &[Tree], width: usize, x: Matrix<'_>) -> Result<Array2<f64>> {
    check_rows(op, width, x)?;
    Ok(mean(trees, x, Cpu::new().threads(), |_, _| true))
}

/// The mean over those trees that are asked about a row.
fn mean(trees: &[Tree], x: Matrix<'_>, threads: usize, asked: impl Fn(usize, usize) -> bool + Sync) -> Array2<f64> {
    let (width, outputs) = (x.width().max(1), trees.first().map_or(1, |tree| tree.outputs.max(1)));
    let mut means = Array2::zeros((x.rows(), outputs));
    let work = (trees.len() as u64).saturating_mul(BLOCK as u64 * 2_000).min(WORK_PER_THREAD);
    let out = means.as_slice_mut().unwrap_or_default();
    for_chunks(threads, out, BLOCK * outputs, work, |block, out| {
        let first = block * BLOCK;
        let rows = x.block(first..first + BLOCK);
        let mut counts = [0u32; BLOCK];
        for (i, tree) in trees.iter().enumerate() {
            for (at, ((row, out), count)) in
                rows.chunks_exact(width).zip(out.chunks_exact_mut(outputs)).zip(&mut counts).enumerate()
            {
                if asked(i, first + at) {
                    *count += 1;
                    out.iter_mut().zip(tree.value(tree.leaf(row))).for_each(|(sum, value)| *sum += value);
                }
            }
        }
        for (out, count) in out.chunks_exact_mut(outputs).zip(counts) {
            out.iter_mut().for_each(|sum| *sum /= f64::from(count));
        }
    });
    means
}

/// The mean of the trees' importances, which sums to 1 again.
pub(super) fn importances(trees: &[Tree], width: usize) -> Vec<f64> {
    let mut sums = vec![0.0; width];
    for tree in trees {
        sums.iter_mut().zip(tree.importances(width)).for_each(|(sum, share)| *sum += share);
    }
    normalise(&mut sums);
    sums
}
