//! Numbers by the range that they fall in.

use super::scale::sorted;
use super::transformer::{Feature, Transform, Transformer};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::{Problem, Reader, Writer, check_rows};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// What becomes of a bin's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BinEncode {
    /// A column of 0 and 1 for each bin.
    #[default]
    Onehot,
    /// It is the feature.
    Ordinal,
}

/// Where one bin ends and the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BinStrategy {
    /// Ranges of equal length.
    Uniform,
    /// Ranges with as many rows each.
    #[default]
    Quantile,
    /// Ranges around the centres that one-dimensional k-means finds.
    Kmeans,
}

/// Cuts each column into ranges: scikit-learn's `KBinsDiscretizer`, on all rows, with quantiles by its `averaged_inverted_cdf`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KBinsDiscretizer {
    /// How many bins a column has, unless its values do not fill them.
    pub n_bins: usize,
    /// What becomes of a bin's number.
    pub encode: BinEncode,
    /// Where one bin ends and the next begins.
    pub strategy: BinStrategy,
}

impl Default for KBinsDiscretizer {
    fn default() -> KBinsDiscretizer {
        KBinsDiscretizer { n_bins: 5, encode: BinEncode::Onehot, strategy: BinStrategy::Quantile }
    }
}

/// A fitted [`KBinsDiscretizer`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedKBinsDiscretizer {
    encode: BinEncode,
    /// The edges between the bins of each column, ascending: one fewer than bins.
    pub edges: Vec<Vec<f64>>,
}

impl Transformer for KBinsDiscretizer {
    type Fitted = FittedKBinsDiscretizer;
    const NAME: &'static str = "k-bins-discretizer";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedKBinsDiscretizer> {
        problem.check(Self::NAME)?;
        if !(2..=65_536).contains(&self.n_bins) {
            return Err(Error::argument(Self::NAME, format!("n_bins {}; give 2 to 65536", self.n_bins)));
        }
        let edges = (0..problem.x.width()).map(|i| self.edges(&sorted(&problem.x.column(i)))).collect();
        Ok(FittedKBinsDiscretizer { encode: self.encode, edges })
    }
}

impl KBinsDiscretizer {
    fn edges(&self, sorted: &[f64]) -> Vec<f64> {
        let (Some(&first), Some(&last)) = (sorted.first(), sorted.last()) else { return Vec::new() };
        if first == last {
            return Vec::new();
        }
        let bins = self.n_bins;
        let even = |i: usize| first + (last - first) * (i as f64 / bins as f64);
        let edges: Vec<f64> = match self.strategy {
            BinStrategy::Uniform => return (1..bins).map(even).collect(),
            BinStrategy::Quantile => (0..=bins).map(|i| inverted(sorted, i as f64 / bins as f64)).collect(),
            BinStrategy::Kmeans => {
                let mut centres: Vec<f64> = (0..bins).map(|i| (even(i) + even(i + 1)) / 2.0).collect();
                centre(sorted, &mut centres);
                let between = centres.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0);
                [first].into_iter().chain(between).chain([last]).collect()
            }
        };
        // Bins too narrow to hold anything are left out, as scikit-learn does.
        let wide = edges.windows(2).filter(|pair| pair[1] - pair[0] > 1e-8).map(|pair| pair[1]);
        let mut kept: Vec<f64> = wide.collect();
        kept.pop();
        kept
    }
}

/// NumPy's quantile by `averaged_inverted_cdf`.
fn inverted(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len() as f64;
    let at = |i: f64| sorted.get((i.max(1.0) as usize).min(sorted.len()) - 1).copied().unwrap_or(f64::NAN);
    if place.fract() == 0.0 { (at(place) + at(place + 1.0)) / 2.0 } else { at(place.ceil()) }
}

/// Lloyd's steps on sorted values with sorted centres, up to scikit-learn's 300 and its tolerance. A centre without values moves
/// to the value that is farthest from its own.
fn centre(sorted: &[f64], centres: &mut [f64]) {
    let (_, variance) = super::scale::moments(sorted, &vec![1.0; sorted.len()]);
    for _ in 0..300 {
        let before = centres.to_vec();
        let ends = before.windows(2).map(|pair| sorted.partition_point(|v| *v <= (pair[0] + pair[1]) / 2.0));
        let ends: Vec<usize> = ends.chain([sorted.len()]).collect();
        let mut owners = Vec::with_capacity(sorted.len());
        ends.iter().enumerate().for_each(|(i, &end)| owners.resize(end.max(owners.len()), i));
        let (mut sums, mut counts) = (vec![0.0; before.len()], vec![0usize; before.len()]);
        for (v, &owner) in sorted.iter().zip(&owners) {
            sums[owner] += v;
            counts[owner] += 1;
        }
        let mut far: Vec<usize> = (0..sorted.len()).collect();
        far.sort_by(|&i, &j| (sorted[i] - before[owners[i]]).abs().total_cmp(&(sorted[j] - before[owners[j]]).abs()));
        for empty in (0..counts.len()).filter(|&i| ends[i] == i.checked_sub(1).map_or(0, |before| ends[before])) {
            if let Some(taken) = far.pop() {
                sums[owners[taken]] -= sorted[taken];
                counts[owners[taken]] -= 1;
                (sums[empty], counts[empty]) = (sorted[taken], 1);
            }
        }
        for ((centre, sum), &count) in centres.iter_mut().zip(sums).zip(&counts).filter(|(_, count)| **count > 0) {
            *centre = sum / count as f64;
        }
        let moved: f64 = centres.iter().zip(&before).map(|(now, then)| (now - then).powi(2)).sum();
        centres.sort_by(f64::total_cmp);
        if moved <= 1e-4 * variance {
            return;
        }
    }
}

impl Transform for FittedKBinsDiscretizer {
    fn kind(&self) -> &'static str {
        KBinsDiscretizer::NAME
    }

    fn width(&self) -> usize {
        self.edges.len()
    }

    fn outputs(&self) -> usize {
        match self.encode {
            BinEncode::Ordinal => self.width(),
            BinEncode::Onehot => self.edges.iter().map(|edges| edges.len() + 1).sum(),
        }
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_rows(KBinsDiscretizer::NAME, self.width(), x)?;
        let mut out = Array2::zeros((x.rows(), self.outputs()));
        let mut first = 0;
        for (column, edges) in self.edges.iter().enumerate() {
            for (row, value) in x.column(column).into_iter().enumerate() {
                let bin = edges.partition_point(|edge| *edge <= value);
                match self.encode {
                    BinEncode::Ordinal => out[[row, column]] = bin as f64,
                    BinEncode::Onehot => out[[row, first + bin]] = 1.0,
                }
            }
            first += edges.len() + 1;
        }
        Ok(out)
    }

    fn features(&self, from: &[Feature]) -> Vec<Feature> {
        let names = |(feature, edges): (&Feature, &Vec<f64>)| match self.encode {
            BinEncode::Ordinal => vec![feature.name.clone()],
            BinEncode::Onehot => (0..=edges.len()).map(|bin| format!("{}_{bin}", feature.name)).collect(),
        };
        from.iter().zip(&self.edges).flat_map(names).map(Feature::number).collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&(self.encode, self.edges.iter().map(Vec::len).collect::<Vec<_>>()))?;
        let all = self.edges.concat();
        out.doubles("edges", &all, &[all.len()])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedKBinsDiscretizer> {
        let (encode, counts): (BinEncode, Vec<usize>) = from.note()?;
        let (all, _) = from.doubles("edges")?;
        let mut rest = all.as_slice();
        let mut edges = Vec::with_capacity(counts.len());
        for count in counts {
            let (own, others) = rest.split_at_checked(count).ok_or_else(|| from.error("fewer edges than counted"))?;
            if own.windows(2).any(|pair| pair[0] > pair[1]) {
                return Err(from.error("edges out of order"));
            }
            edges.push(own.to_vec());
            rest = others;
        }
        Ok(FittedKBinsDiscretizer { encode, edges })
    }
}
