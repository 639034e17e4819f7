//! How well a single column tells the answers.

use crate::error::{Error, Result};
use crate::models::Problem;
use crate::rng;
use serde::{Deserialize, Serialize};

/// How a column is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreFunc {
    /// The F value of an analysis of variance between the classes.
    #[default]
    FClassif,
    /// The F value of a regression on the column alone.
    FRegression,
    /// χ² between the classes and the column as counts; no value is negative.
    Chi2,
    /// Mutual information with the classes, from distances to neighbours: B. C. Ross, PLoS ONE 9 (2014). Equal values are parted
    /// by a small noise, as scikit-learn does, always the same one.
    MutualInfoClassif,
    /// Mutual information with the answers: Kraskov, Stögbauer and Grassberger, Phys. Rev. E 69 (2004), their first estimator.
    MutualInfoRegression,
}

/// The score of each column.
pub(super) fn scores(op: &'static str, by: ScoreFunc, problem: &Problem<'_>) -> Result<Vec<f64>> {
    let columns = (0..problem.x.width()).map(|i| problem.x.column(i));
    Ok(match by {
        ScoreFunc::FRegression => {
            let y = problem.values(op)?;
            columns.map(|x| f_regression(&x, y)).collect()
        }
        ScoreFunc::FClassif => {
            let (labels, classes) = problem.labels(op)?;
            columns.map(|x| f_classif(&x, labels, classes)).collect()
        }
        ScoreFunc::Chi2 => {
            let (labels, classes) = problem.labels(op)?;
            let columns: Vec<Vec<f64>> = columns.collect();
            if columns.iter().flatten().any(|&v| v < 0.0) {
                return Err(Error::argument(
                    op,
                    "chi2 counts: a value is negative; use f_classif, or scale to 0 and more",
                ));
            }
            columns.iter().map(|x| chi2(x, labels, classes)).collect()
        }
        ScoreFunc::MutualInfoClassif => {
            let (labels, _) = problem.labels(op)?;
            let noise = noise(labels.len(), 0);
            columns.map(|x| information_on_labels(&apart(&x, &noise), labels)).collect()
        }
        ScoreFunc::MutualInfoRegression => {
            let y = problem.values(op)?;
            let (y, noise) = (apart(y, &noise(y.len(), 1)), noise(y.len(), 0));
            columns.map(|x| information_on_values(&apart(&x, &noise), &y)).collect()
        }
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn f_regression(x: &[f64], y: &[f64]) -> f64 {
    let (of_x, of_y) = (mean(x), mean(y));
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(x, y)| f(x - of_x, y - of_y)).sum::<f64>();
    let (xx, yy, xy) = (sum(&|x, _| x * x), sum(&|_, y| y * y), sum(&|x, y| x * y));
    let r = xy / xx.sqrt() / yy.sqrt();
    let f = r * r / (1.0 - r * r) * (x.len() as f64 - 2.0);
    // scikit-learn's force_finite: a constant scores 0, a perfect line the largest number.
    if r.is_nan() || is_constant(x) {
        0.0
    } else if f.is_finite() {
        f
    } else {
        f64::MAX
    }
}

/// Whether all values are one: what deviates from their mean is its rounding.
fn is_constant(x: &[f64]) -> bool {
    x.windows(2).all(|pair| pair[0] == pair[1])
}

fn f_classif(x: &[f64], labels: &[u32], classes: usize) -> f64 {
    if is_constant(x) {
        return f64::NAN; // as scikit-learn has it: 0 by 0
    }
    let centre = mean(x);
    let (mut sums, mut counts) = (vec![0.0; classes], vec![0.0; classes]);
    for (x, &label) in x.iter().zip(labels) {
        sums[label as usize] += x - centre;
        counts[label as usize] += 1.0;
    }
    let there = counts.iter().filter(|n| **n > 0.0).count() as f64;
    let between: f64 = sums.iter().zip(&counts).filter(|(_, n)| **n > 0.0).map(|(s, n)| s * s / n).sum();
    let own = |label: u32| sums[label as usize] / counts[label as usize];
    let within: f64 = x.iter().zip(labels).map(|(x, &label)| (x - centre - own(label)).powi(2)).sum();
    let f = (between / (there - 1.0)) / (within / (x.len() as f64 - there));
    if f.is_infinite() { f64::MAX } else { f } // classes wholly apart; no file may hold infinity
}

fn chi2(x: &[f64], labels: &[u32], classes: usize) -> f64 {
    let (mut sums, mut counts) = (vec![0.0; classes], vec![0.0; classes]);
    for (x, &label) in x.iter().zip(labels) {
        sums[label as usize] += x;
        counts[label as usize] += 1.0;
    }
    let total: f64 = sums.iter().sum();
    let expected = |n: &f64| n / x.len() as f64 * total;
    sums.iter().zip(&counts).filter(|(_, n)| **n > 0.0).map(|(s, n)| (s - expected(n)).powi(2) / expected(n)).sum()
}

const NOISE_SEED: u64 = 0x7365_6c65_6374; // any will do

/// Neighbours that distances are measured to, as scikit-learn's default.
const NEIGHBOURS: usize = 3;

/// Normal numbers for the rows of one side; always the same, so that the same columns score the same.
fn noise(rows: usize, side: u64) -> Vec<f64> {
    let word = |at: u64| u64::from(rng::word(NOISE_SEED + side, 0, at));
    // 52 bits a number: of 32 a long column has some twice, and ties are what is to be parted.
    let share = |row: u64| ((word(2 * row) << 20 | word(2 * row + 1) >> 12) as f64 + 0.5) / (1u64 << 52) as f64;
    (0..rows as u64).map(|row| super::normal::quantile(share(row))).collect()
}

/// To deviation 1, and equal values apart by a noise too small to part others, as scikit-learn does first: among values that
/// many rows share, the distance to a neighbour is 0, and distances to neighbours tell nothing. A constant stays.
fn apart(x: &[f64], noise: &[f64]) -> Vec<f64> {
    if is_constant(x) {
        return x.to_vec();
    }
    let (_, variance) = super::scale::moments(x, &vec![1.0; x.len()]);
    let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
    let scaled: Vec<f64> = x.iter().map(|v| v / deviation).collect();
    let size = 1e-10 * scaled.iter().map(|v| v.abs() / scaled.len() as f64).sum::<f64>().max(1.0);
    scaled.iter().zip(noise).map(|(v, noise)| v + size * noise).collect()
}

/// ψ(n) of a whole number: ψ(1) is -γ, and ψ(n + 1) = ψ(n) + 1 / n.
fn digamma(n: usize) -> f64 {
    match n {
        0 => f64::NEG_INFINITY,
        1..=20 => -0.577_215_664_901_532_9 + (1..n).map(|i| 1.0 / i as f64).sum::<f64>(),
        _ => {
            let x = n as f64;
            let y = 1.0 / (x * x);
            x.ln() - 0.5 / x - y * (1.0 / 12.0 - y * (1.0 / 120.0 - y * (1.0 / 252.0 - y / 240.0)))
        }
    }
}

/// The distance from the value at `at` to its `k`-th nearest neighbour in sorted values.
fn reach(sorted: &[f64], at: usize, k: usize) -> f64 {
    let (mut low, mut high) = (at, at);
    let mut reach = 0.0;
    for _ in 0..k {
        let below = low.checked_sub(1).map_or(f64::INFINITY, |i| sorted[at] - sorted[i]);
        let above = sorted.get(high + 1).map_or(f64::INFINITY, |v| v - sorted[at]);
        (reach, low, high) = if below <= above { (below, low.saturating_sub(1), high) } else { (above, low, high + 1) };
    }
    reach
}

/// How many values lie nearer than `reach`, the value itself with them.
fn within(sorted: &[f64], value: f64, reach: f64) -> usize {
    let low = sorted.partition_point(|v| value - *v > reach);
    let high = sorted.partition_point(|v| *v - value <= reach);
    high.saturating_sub(low)
}

/// The next smaller distance, so that the neighbour at `reach` itself is not counted: scikit-learn's `np.nextafter(radius, 0)`.
fn just_below(reach: f64) -> f64 {
    if reach > 0.0 { reach.next_down() } else { 0.0 }
}

fn information_on_labels(x: &[f64], labels: &[u32]) -> f64 {
    if is_constant(x) {
        return 0.0;
    }
    let mut pairs: Vec<(f64, u32)> = x.iter().copied().zip(labels.iter().copied()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut classes: std::collections::BTreeMap<u32, Vec<f64>> = std::collections::BTreeMap::new();
    pairs.iter().for_each(|&(x, label)| classes.entry(label).or_default().push(x));
    classes.retain(|_, own| own.len() > 1); // a row alone in its class says nothing
    let mut all: Vec<f64> = classes.values().flatten().copied().collect();
    all.sort_by(f64::total_cmp);
    if all.is_empty() {
        return 0.0;
    }
    let (mut of_k, mut of_count, mut of_near) = (0.0, 0.0, 0.0);
    for own in classes.values() {
        let k = NEIGHBOURS.min(own.len() - 1);
        of_k += digamma(k) * own.len() as f64;
        of_count += digamma(own.len()) * own.len() as f64;
        for (at, &x) in own.iter().enumerate() {
            of_near += digamma(within(&all, x, just_below(reach(own, at, k))));
        }
    }
    let rows = all.len() as f64;
    (digamma(all.len()) + (of_k - of_count - of_near) / rows).max(0.0)
}

fn information_on_values(x: &[f64], y: &[f64]) -> f64 {
    let rows = x.len();
    if rows <= NEIGHBOURS || is_constant(x) {
        return 0.0;
    }
    let sorted = |values: &[f64]| super::scale::sorted(values);
    let (sorted_x, sorted_y) = (sorted(x), sorted(y));
    let mut near = 0.0;
    let mut distances = vec![0.0; rows];
    for i in 0..rows {
        for (j, distance) in distances.iter_mut().enumerate() {
            *distance = if i == j { f64::INFINITY } else { (x[i] - x[j]).abs().max((y[i] - y[j]).abs()) };
        }
        let (_, reach, _) = distances.select_nth_unstable_by(NEIGHBOURS - 1, f64::total_cmp);
        let reach = just_below(*reach);
        near += digamma(within(&sorted_x, x[i], reach)) + digamma(within(&sorted_y, y[i], reach));
    }
    (digamma(rows) + digamma(NEIGHBOURS) - near / rows as f64).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::digamma;

    #[test]
    fn digamma_is_exact_on_both_sides_of_its_series() {
        // scipy.special.digamma
        for (n, value) in [
            (1, -0.577_215_664_901_532_9),
            (3, 0.922_784_335_098_467_1),
            (20, 2.970_523_992_242_149),
            (21, 3.020_523_992_242_149),
            (1000, 6.907_255_195_648_812),
        ] {
            assert!((digamma(n) - value).abs() < 1e-13, "{n}: {}", digamma(n));
        }
    }
}
