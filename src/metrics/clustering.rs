//! Scores of groups that were found without answers.

use super::same_length;
use crate::data::Matrix;
use crate::device::cpu::Cpu;
use crate::device::cpu::parallel::for_chunks;
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// How well groups are apart: the mean of [`silhouette_samples`], -1 to 1.
///
/// ```
/// let x = [[0.0], [0.1], [5.0], [5.1]];
/// assert!(tilework::metrics::silhouette(&x, &[0, 0, 1, 1])? > 0.95);
/// # Ok::<(), tilework::Error>(())
/// ```
///
/// # Errors
/// As [`silhouette_samples`].
pub fn silhouette<'a>(x: impl Into<Matrix<'a>>, labels: &[u32]) -> Result<f64> {
    let samples = silhouette_samples(x, labels)?;
    Ok(samples.iter().sum::<f64>() / samples.len() as f64)
}

/// How much nearer each row is to its own group than to the next one, `[N]`: `(b - a) / max(a, b)` with the mean Euclidean
/// distances `a` to the others of its group and `b` to the nearest other group; 0 in a group of one.
///
/// Work grows with the square of the rows.
///
/// # Errors
/// [`Error::Shape`] when there is not one label a row; [`Error::NonFinite`]; [`Error::Argument`] when there are fewer than two
/// groups, or as many as rows.
pub fn silhouette_samples<'a>(x: impl Into<Matrix<'a>>, labels: &[u32]) -> Result<Vec<f64>> {
    const OP: &str = "silhouette";
    let x = x.into();
    same_length(OP, x.rows(), labels.len())?;
    x.check_finite(OP, None)?;
    let mut groups: BTreeMap<u32, usize> = labels.iter().map(|&label| (label, 0)).collect();
    groups.values_mut().zip(0..).for_each(|(place, i)| *place = i);
    let (rows, width, count) = (x.rows(), x.width(), groups.len());
    if count < 2 || count >= rows {
        let message = format!("{count} groups of {rows} rows; give at least 2, and fewer than rows");
        return Err(Error::argument(OP, message));
    }
    let places: Vec<usize> = labels.iter().map(|label| groups[label]).collect();
    let mut sizes = vec![0.0; count];
    places.iter().for_each(|&place| sizes[place] += 1.0);
    let values = x.values();
    let row = |i: usize| &values[i * width..(i + 1) * width];
    let mut samples = vec![0.0; rows];
    for_chunks(Cpu::new().threads(), &mut samples, 1, (3 * rows * width) as u64, |i, out| {
        let mut sums = vec![0.0; count];
        for (j, &place) in places.iter().enumerate() {
            let square: f64 = row(i).iter().zip(row(j)).map(|(a, b)| (a - b) * (a - b)).sum();
            sums[place] += square.sqrt();
        }
        let own = places[i];
        let others = (0..count).filter(|&group| group != own).map(|group| sums[group] / sizes[group]);
        let (inside, outside) = (sums[own] / (sizes[own] - 1.0), others.fold(f64::INFINITY, f64::min));
        let larger = inside.max(outside);
        out.fill(if sizes[own] > 1.0 && larger > 0.0 { (outside - inside) / larger } else { 0.0 });
    });
    Ok(samples)
}

/// How far two groupings of the same rows agree beyond chance, whatever the groups are called: 1 for the same groups, about 0 for
/// unrelated ones.
///
/// # Errors
/// [`Error::Shape`] when the lengths differ or are 0.
pub fn adjusted_rand(truth: &[u32], predicted: &[u32]) -> Result<f64> {
    same_length("adjusted_rand", truth.len(), predicted.len())?;
    let mut cells: BTreeMap<(u32, u32), f64> = BTreeMap::new();
    let (mut rows, mut columns) = (BTreeMap::<u32, f64>::new(), BTreeMap::<u32, f64>::new());
    for (&t, &p) in truth.iter().zip(predicted) {
        *cells.entry((t, p)).or_default() += 1.0;
        *rows.entry(t).or_default() += 1.0;
        *columns.entry(p).or_default() += 1.0;
    }
    fn pairs<'a>(counts: impl Iterator<Item = &'a f64>) -> f64 {
        counts.map(|n| n * (n - 1.0) / 2.0).sum()
    }
    let n = truth.len() as f64;
    let (together, same_truth, same_predicted) = (pairs(cells.values()), pairs(rows.values()), pairs(columns.values()));
    let chance = if n > 1.0 { same_truth * same_predicted / (n * (n - 1.0) / 2.0) } else { 0.0 };
    let most = (same_truth + same_predicted) / 2.0;
    Ok(if most == chance { 1.0 } else { (together - chance) / (most - chance) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_groups_do_not_matter() {
        assert_eq!(adjusted_rand(&[0, 0, 1, 1], &[7, 7, 3, 3]).unwrap(), 1.0);
        assert_eq!(adjusted_rand(&[0, 0, 0], &[1, 1, 1]).unwrap(), 1.0);
        assert_eq!(adjusted_rand(&[0, 1, 2], &[0, 0, 0]).unwrap(), 0.0);
        assert!((adjusted_rand(&[0, 0, 1, 2], &[0, 0, 1, 1]).unwrap() - 4.0 / 7.0).abs() < 1e-12); // its documentation's
    }

    #[test]
    fn groups_that_cannot_be_scored_are_refused() {
        let x = [[0.0], [1.0], [2.0]];
        for labels in [[0, 0, 0], [0, 1, 2]] {
            assert_eq!(silhouette(&x, &labels).map_err(|e| e.code()), Err("argument"));
        }
        assert_eq!(silhouette(&x, &[0, 1]).map_err(|e| e.code()), Err("shape"));
        assert_eq!(silhouette_samples(&x, &[0, 0, 1]).unwrap()[2], 0.0);
        assert_eq!(silhouette(&[[1.0], [1.0], [1.0]], &[0, 0, 1]).unwrap(), 0.0);
    }
}
