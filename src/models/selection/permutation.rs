//! What a feature is worth to a fitted model: how much worse it scores when the feature's values are shuffled.

use super::mean_and_deviation;
use super::score::Score;
use super::trial::Outcomes;
use crate::data::Matrix;
use crate::device::cpu::Cpu;
use crate::device::cpu::parallel::{WORK_PER_THREAD, for_chunks};
use crate::error::Result;
use crate::models::{Model, Problem};
use crate::rng::Rng;
use rand::seq::SliceRandom;

/// How much a score suffers without one feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// The mean loss over the repeats, positive where the feature helps.
    pub mean: f64,
    /// Its standard deviation.
    pub deviation: f64,
    /// Of each repeat.
    pub losses: Vec<f64>,
}

/// Importances of all features of a fitted model on rows with answers, best those that it has not seen: scikit-learn's
/// `permutation_importance`. Weights weigh the rows of the score; rows of weight 0 are left out.
///
/// # Errors
/// Those of the predictions and the score; weights that differ, of a score that takes none.
pub fn permutation_importance(
    model: &dyn Model,
    problem: &Problem<'_>,
    score: &Score,
    n_repeats: usize,
    seed: u64,
) -> Result<Vec<Importance>> {
    let kept: Vec<usize> = (0..problem.x.rows())
        .filter(|&row| problem.weights.is_none_or(|w| w.get(row).is_some_and(|&w| w > 0.0)))
        .collect();
    if kept.len() < problem.x.rows() {
        let part = problem.select(&kept)?;
        return permutation_importance(model, &part.problem(problem), score, n_repeats, seed);
    }
    let all: Vec<usize> = (0..problem.x.rows()).collect();
    let scored = |outcomes: &Outcomes| match problem.weights {
        Some(weights) if weights.iter().any(|w| Some(w) != weights.first()) => score.weighted(outcomes, weights),
        _ => score.of(outcomes),
    };
    let shuffled = |column: usize, order: &[usize]| {
        let mut x = problem.x.select(&all)?;
        let values = problem.x.column(column);
        for (cell, &from) in x.column_mut(column).iter_mut().zip(order) {
            *cell = values.get(from).copied().unwrap_or(f64::NAN);
        }
        scored(&Outcomes::of(
            model,
            &Problem {
                x: Matrix::from(&x).with_texts_of(&problem.x),
                y: problem.y,
                weights: problem.weights,
                names: problem.names,
                device: problem.device,
            },
        )?)
    };
    let (size, whole) = ((problem.x.rows(), problem.x.width()), scored(&Outcomes::of(model, problem)?)?);
    permuted(size, whole, score.greater_is_better, n_repeats, seed, &shuffled)
}

/// The same for anything: `shuffled(column, order)` is the score with the column's values taken in another order of rows.
/// `size` is the number of rows and of columns, `whole` the score with nothing shuffled.
///
/// # Errors
/// The first of `shuffled`, in the order of the columns.
pub fn permuted(
    (rows, columns): (usize, usize),
    whole: f64,
    greater_is_better: bool,
    n_repeats: usize,
    seed: u64,
    shuffled: &(dyn Fn(usize, &[usize]) -> Result<f64> + Sync),
) -> Result<Vec<Importance>> {
    let mut results: Vec<Option<Result<Importance>>> = Vec::new();
    results.resize_with(columns, || None);
    let one = |column: usize| {
        let mut rng = Rng::seed(seed).fork(column as u64);
        let mut order: Vec<usize> = (0..rows).collect();
        let mut losses = Vec::new();
        for _ in 0..n_repeats {
            order.shuffle(&mut rng);
            let score = shuffled(column, &order)?;
            losses.push(if greater_is_better { whole - score } else { score - whole });
        }
        let (mean, deviation) = mean_and_deviation(&losses);
        Ok(Importance { mean, deviation, losses })
    };
    for_chunks(Cpu::new().threads(), &mut results, 1, WORK_PER_THREAD.saturating_mul(8), |column, slot| {
        slot.fill_with(|| Some(one(column)));
    });
    results.into_iter().flatten().collect()
}
