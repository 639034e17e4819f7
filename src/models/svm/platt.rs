//! Probabilities from decisions: a sigmoid for each pair of classes, fitted to decisions on rows that were not learnt from, and
//! pairs joined to one distribution.
//!
//! Sources: Platt 1999; Lin, Lin, Weng, "A note on Platt's probabilistic outputs", Machine Learning 68 (2007), algorithm 1; Wu,
//! Lin, Weng, "Probability estimates for multi-class classification by pairwise coupling", JMLR 5 (2004), algorithm 2; all as in
//! LIBSVM.

use super::kernel::Function;
use super::machine::pair_problem;
use super::smo::{self, Options};
use crate::models::tiles::Rows;
use crate::rng::Rng;

/// Parts that the rows are cut into; each is decided on by a fit of the others.
const FOLDS: usize = 5;

/// `P(first class | decision) = 1 / (1 + exp(slope · decision + offset))`
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sigmoid {
    pub slope: f64,
    pub offset: f64,
}

impl Sigmoid {
    /// Of the pair's first class; never 0 or 1, so that a distribution over all classes exists.
    pub fn probability(&self, decision: f64) -> f64 {
        const LEAST: f64 = 1e-7;
        first_share(self.slope * decision + self.offset).clamp(LEAST, 1.0 - LEAST)
    }
}

/// `1 / (1 + exp(z))`, without overflow.
fn first_share(z: f64) -> f64 {
    if z >= 0.0 { (-z).exp() / (1.0 + (-z).exp()) } else { 1.0 / (1.0 + z.exp()) }
}

/// The sigmoid of one pair, from decisions on parts that were left out.
pub(super) fn fit(
    function: Function,
    rows: &Rows,
    aims: &[f64],
    limits: &[f64],
    options: Options,
    rng: &mut Rng,
) -> Sigmoid {
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
    sigmoid(&decisions, aims)
}

/// Newton's method with a line search on the likelihood of targets that are pulled away from 0 and 1.
fn sigmoid(decisions: &[f64], aims: &[f64]) -> Sigmoid {
    let first = aims.iter().filter(|&&aim| aim > 0.0).count() as f64;
    let second = aims.len() as f64 - first;
    let target = |aim: f64| if aim > 0.0 { (first + 1.0) / (first + 2.0) } else { 1.0 / (second + 2.0) };
    let loss = |at: Sigmoid| -> f64 {
        let term = |(&decision, &aim): (&f64, &f64)| {
            let (z, t) = (at.slope * decision + at.offset, target(aim));
            if z >= 0.0 { t * z + (-z).exp().ln_1p() } else { (t - 1.0) * z + z.exp().ln_1p() }
        };
        decisions.iter().zip(aims).map(term).sum()
    };
    let mut at = Sigmoid { slope: 0.0, offset: ((second + 1.0) / (first + 1.0)).ln() };
    let mut value = loss(at);
    for _ in 0..100 {
        let (mut h11, mut h22, mut h21, mut g1, mut g2) = (1e-12, 1e-12, 0.0, 0.0, 0.0);
        for (&decision, &aim) in decisions.iter().zip(aims) {
            let p = first_share(at.slope * decision + at.offset);
            let (d2, d1) = (p * (1.0 - p), target(aim) - p);
            h11 += decision * decision * d2;
            h22 += d2;
            h21 += decision * d2;
            g1 += decision * d1;
            g2 += d1;
        }
        if g1.abs() < 1e-5 && g2.abs() < 1e-5 {
            break;
        }
        let det = h11 * h22 - h21 * h21;
        let (d_slope, d_offset) = (-(h22 * g1 - h21 * g2) / det, -(h11 * g2 - h21 * g1) / det);
        let descent = g1 * d_slope + g2 * d_offset;
        let mut step = 1.0;
        while step >= 1e-10 {
            let next = Sigmoid { slope: at.slope + step * d_slope, offset: at.offset + step * d_offset };
            let next_value = loss(next);
            if next_value < value + 1e-4 * step * descent {
                (at, value) = (next, next_value);
                break;
            }
            step /= 2.0;
        }
        if step < 1e-10 {
            break; // rounding keeps the loss from falling further
        }
    }
    at
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

    #[test]
    fn a_sigmoid_recovers_the_odds_of_its_targets() {
        // 3 of 4 at decision 1, 1 of 4 at -1, many times: the odds are 3 and 1/3
        let decisions: Vec<f64> = (0..4000).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let aims: Vec<f64> = (0..4000).map(|i| if (i % 2 == 0) != (i / 2 % 4 == 0) { 1.0 } else { -1.0 }).collect();
        let got = sigmoid(&decisions, &aims);
        assert!((got.slope + 3f64.ln()).abs() < 0.01 && got.offset.abs() < 0.01, "{got:?}");
    }
}
