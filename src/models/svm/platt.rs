//! Probabilities from decisions: a sigmoid for each pair of classes, fitted to decisions on rows that were not learnt from, and
//! pairs joined to one distribution.
//!
//! Source of the joining: Wu, Lin, Weng, "Probability estimates for multi-class classification by pairwise coupling", JMLR 5
//! (2004), algorithm 2, as in LIBSVM.

use super::kernel::Function;
use super::machine::pair_problem;
use super::smo::{self, Options};
use crate::error::Result;
use crate::models::calibration::Sigmoid;
use crate::models::tiles::Rows;
use crate::rng::Rng;

/// Parts that the rows are cut into; each is decided on by a fit of the others.
const FOLDS: usize = 5;

/// The sigmoid of one pair, from decisions on parts that were left out.
pub(super) fn fit(
    function: Function,
    rows: &Rows,
    aims: &[f64],
    limits: &[f64],
    options: Options,
    rng: &mut Rng,
) -> Result<Sigmoid> {
    let order = rng.permutation(rows.count as u32);
    let mut decisions = vec![0.0; rows.count];
    for fold in 0..FOLDS {
        let (from, to) = (fold * rows.count / FOLDS, (fold + 1) * rows.count / FOLDS);
        let (held_out, learnt) = (&order[from..to], [&order[..from], &order[to..]].concat());
        let of = |values: &[f64]| -> Vec<f64> { learnt.iter().map(|&row| values[row as usize]).collect() };
        let aims = of(aims);
        let constant = match (aims.contains(&1.0), aims.contains(&-1.0)) {
            (true, true) => None,
            (true, false) => Some(1.0),
            (false, true) => Some(-1.0),
            (false, false) => Some(0.0),
        };
        if let Some(constant) = constant {
            held_out.iter().for_each(|&row| decisions[row as usize] = constant);
            continue;
        }
        let part = rows.reordered(&learnt);
        let solution = smo::solve(function, &part, pair_problem(&aims, &of(limits)), options);
        let (mut x, mut kernel) = (Vec::new(), vec![0.0; part.count]);
        for &row in held_out {
            let square = rows.read(row as usize, &mut x);
            function.of(&part, 0..part.count, &x, square, &mut kernel);
            decisions[row as usize] =
                kernel.iter().zip(&solution.beta).map(|(k, b)| k * b).sum::<f64>() + solution.bias;
        }
    }
    let of_first: Vec<bool> = aims.iter().map(|&aim| aim > 0.0).collect();
    Sigmoid::fit(&decisions, &of_first, None)
}

/// Of the pair's first class; never 0 or 1, so that a distribution over all classes exists.
pub(super) fn share_of_first(sigmoid: &Sigmoid, decision: f64) -> f64 {
    const LEAST: f64 = 1e-7;
    sigmoid.probability(decision).clamp(LEAST, 1.0 - LEAST)
}

/// One distribution over `classes` from the probability of the first class of each pair.
pub(super) fn couple(classes: usize, first: &[f64]) -> Vec<f64> {
    let mut r = vec![vec![0.0; classes]; classes];
    for (&(i, j), &p) in super::svc::pairs(classes).iter().zip(first) {
        (r[i][j], r[j][i]) = (p, 1.0 - p);
    }
    if let [_] = first {
        return vec![r[0][1], r[1][0]];
    }
    let mut q = vec![vec![0.0; classes]; classes];
    for t in 0..classes {
        q[t][t] = (0..classes).filter(|&j| j != t).map(|j| r[j][t] * r[j][t]).sum();
        for j in (0..classes).filter(|&j| j != t) {
            q[t][j] = -r[j][t] * r[t][j];
        }
    }
    let mut p = vec![1.0 / classes as f64; classes];
    for _ in 0..classes.max(100) {
        let mut qp: Vec<f64> = q.iter().map(|row| row.iter().zip(&p).map(|(q, p)| q * p).sum()).collect();
        let mut pqp: f64 = p.iter().zip(&qp).map(|(p, q)| p * q).sum();
        let worst = qp.iter().map(|q| (q - pqp).abs()).fold(0.0, f64::max);
        if worst < 0.005 / classes as f64 {
            break;
        }
        for t in 0..classes {
            let change = (pqp - qp[t]) / q[t][t];
            let scale = 1.0 + change;
            p[t] += change;
            pqp = (pqp + change * (change * q[t][t] + 2.0 * qp[t])) / scale / scale;
            for j in 0..classes {
                qp[j] = (qp[j] + change * q[t][j]) / scale;
                p[j] /= scale;
            }
        }
    }
    let sum: f64 = p.iter().sum();
    p.iter().map(|p| p / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_that_agree_give_back_their_distribution() {
        let p = [0.5, 0.3, 0.2];
        let first: Vec<f64> = super::super::svc::pairs(3).iter().map(|&(i, j)| p[i] / (p[i] + p[j])).collect();
        for (got, p) in couple(3, &first).iter().zip(p) {
            assert!((got - p).abs() < 0.005, "{got} is not {p}"); // the rule that ends it
        }
        assert_eq!(couple(2, &[0.25]), [0.25, 0.75]);
    }
}
