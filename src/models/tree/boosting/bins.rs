//! Features in at most 255 bins, a byte each.

use crate::data::Matrix;
use crate::device::cpu::parallel::for_chunks;
use crate::models::tree::columns::middle;
use crate::models::tree::sort::{ordered, radix};

/// Features that lie side by side in memory: their histograms, 16 KiB, stay in the first-level cache while rows pass.
pub(super) const LANES: usize = crate::ops::histogram::LANES;
/// The bin of missing values, behind all others.
pub(super) const MISSING: usize = 255;
/// Rows that quantiles are taken from, at most, evenly spaced: as many as scikit-learn and LightGBM take.
const SAMPLE: usize = 200_000;

/// How one feature falls into bins.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Binning {
    /// Bin `i` is above edge `i - 1` and up to edge `i`.
    Numbers(Vec<f64>),
    /// Bin `i` is the i-th of these values, ascending; others go right.
    Categories(Vec<f64>),
}

impl Binning {
    fn bin(&self, value: f64) -> u8 {
        let bin = match self {
            _ if value.is_nan() => MISSING,
            Binning::Numbers(edges) => edges.partition_point(|&edge| edge < value),
            Binning::Categories(values) => {
                values.binary_search_by(|category| category.total_cmp(&(value + 0.0))).unwrap_or(MISSING)
            }
        };
        bin as u8 // at most 255 by construction
    }

    /// The number of bins, without that of missing values.
    pub fn len(&self) -> usize {
        match self {
            Binning::Numbers(edges) => edges.len() + 1,
            Binning::Categories(values) => values.len(),
        }
    }
}

/// All rows as bins.
#[derive(Debug)]
pub(super) struct Binned {
    pub features: Vec<Binning>,
    /// Whether a feature has missing values in rows of some weight.
    pub missing: Vec<bool>,
    /// Bins of [`LANES`] features a block, `[blocks][N]`.
    pub blocks: Vec<Vec<[u8; LANES]>>,
}

impl Binned {
    /// Chooses bins by quantiles of the column, each row by its weight, and puts all rows into them.
    pub fn new(x: Matrix<'_>, weights: &[f64], max_bins: usize, categorical: &[usize], threads: usize) -> Binned {
        let (rows, width) = (x.rows(), x.width());
        let uneven = weights.iter().any(|weight| Some(weight) != weights.first());
        let step = match uneven {
            true => weights.iter().filter(|weight| **weight > 0.0).count().div_ceil(SAMPLE),
            false => rows.div_ceil(SAMPLE),
        };
        let known = uneven.then_some(weights);
        let mut blocks = vec![(Vec::new(), Vec::new()); width.div_ceil(LANES)];
        let work = 1_000 * rows as u64; // 50 ns a row: the sort of four columns
        for_chunks(threads, &mut blocks, 1, work, |block, out| {
            let mut bins = vec![[0; LANES]; rows];
            let mut features = Vec::with_capacity(LANES);
            for lane in 0..LANES.min(width - block * LANES) {
                let feature = block * LANES + lane;
                let column = x.column(feature);
                let binning = match categorical.contains(&feature) {
                    true => Binning::Categories(Distinct::of(&column, known, 1).values),
                    false => Binning::Numbers(Distinct::of(&column, known, step).edges(max_bins)),
                };
                let mut missing = false;
                for ((bins, &value), &weight) in bins.iter_mut().zip(&column).zip(weights) {
                    bins[lane] = binning.bin(value);
                    missing |= value.is_nan() && weight > 0.0;
                }
                features.push((binning, missing));
            }
            out.fill_with(|| (std::mem::take(&mut bins), std::mem::take(&mut features)));
        });
        let (mut features, mut missing) = (Vec::with_capacity(width), Vec::with_capacity(width));
        let mut rows_of = Vec::with_capacity(blocks.len());
        for (bins, of_block) in blocks {
            rows_of.push(bins);
            for (binning, gaps) in of_block {
                features.push(binning);
                missing.push(gaps);
            }
        }
        Binned { features, missing, blocks: rows_of }
    }
}

/// The distinct values of a column and the weight of the rows of each.
#[derive(Default)]
struct Distinct {
    values: Vec<f64>,
    weights: Vec<f64>,
}

impl Distinct {
    /// Of every `step`-th row of some weight; without weights, each row counts as one.
    fn of(column: &[f64], weights: Option<&[f64]>, step: usize) -> Distinct {
        let mut distinct = Distinct::default();
        let step = step.max(1);
        let Some(weights) = weights else {
            let mut keys: Vec<u64> = column.iter().step_by(step).filter(|v| !v.is_nan()).map(|&v| ordered(v)).collect();
            radix(&mut keys, &mut Vec::new(), 0..64, 11, |&key| key);
            keys.chunk_by(|a, b| a == b).for_each(|run| distinct.add(run[0], run.len() as f64));
            return distinct;
        };
        let rows = column.iter().zip(weights).filter(|(_, weight)| **weight > 0.0).step_by(step);
        let mut pairs: Vec<(u64, f64)> =
            rows.filter(|(v, _)| !v.is_nan()).map(|(&v, &weight)| (ordered(v), weight)).collect();
        radix(&mut pairs, &mut Vec::new(), 0..64, 11, |pair| pair.0);
        for run in pairs.chunk_by(|a, b| a.0 == b.0) {
            distinct.add(run[0].0, run.iter().map(|pair| pair.1).sum());
        }
        distinct
    }

    /// One more value, from its key.
    fn add(&mut self, bits: u64, weight: f64) {
        self.values.push(f64::from_bits(bits ^ if bits >> 63 == 1 { 1 << 63 } else { u64::MAX }));
        self.weights.push(weight);
    }

    /// Edges of bins: half way between neighbours where there are few values, else scikit-learn's quantiles, which are values of
    /// the column (where a share of the weight ends just between two, half way).
    fn edges(&self, max_bins: usize) -> Vec<f64> {
        if self.values.len() <= max_bins {
            return self.values.windows(2).map(|pair| middle(pair[0], pair[1])).collect();
        }
        let total: f64 = self.weights.iter().sum();
        let rounding = 1e-12 * total; // weights that are no whole numbers add up to a share but for this
        let (mut edges, mut at, mut passed) = (Vec::with_capacity(max_bins), 0, 0.0);
        for share in 1..max_bins {
            let wanted = total * share as f64 / max_bins as f64;
            // the value of the row after `wanted` others
            while let Some(weight) = self.weights.get(at).filter(|weight| passed + **weight <= wanted + rounding) {
                passed += weight;
                at += 1;
            }
            let Some(&value) = self.values.get(at) else { break };
            let before = if (passed - wanted).abs() <= rounding { at.saturating_sub(1) } else { at };
            edges.push(middle(self.values.get(before).copied().unwrap_or(value), value));
        }
        edges.dedup();
        edges
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn few_values_have_a_bin_each_and_many_share_them_evenly() {
        let x = Array2::from_shape_fn((1000, 2), |(i, j)| if j == 0 { (i % 7) as f64 } else { (i * 37 % 1000) as f64 });
        let binned = Binned::new((&x).into(), &[1.0; 1000], 255, &[], 2);
        assert_eq!(binned.features[0], Binning::Numbers(vec![0.5, 1.5, 2.5, 3.5, 4.5, 5.5]));
        let mut counts = [0; 256];
        binned.blocks[0].iter().for_each(|bins| counts[bins[1] as usize] += 1);
        assert_eq!(counts[MISSING], 0);
        assert!(counts[..255].iter().all(|count| (3..=4).contains(count)), "{counts:?}");
    }

    #[test]
    fn edges_are_the_quantiles_of_numpy() {
        // np.percentile(x, [25, 50, 75], method="averaged_inverted_cdf"), doubles dropped
        let edges = |column: &[f64]| Distinct::of(column, None, 1).edges(4);
        assert_eq!(edges(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]), [2.0, 8.0, 32.0]);
        assert_eq!(edges(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]), [3.0, 12.0, 48.0]);
        assert_eq!(edges(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0]), [0.0, 2.0]);
    }

    #[test]
    fn edges_are_the_weighted_quantiles_of_scikit_learn() {
        // _find_binning_thresholds(x, 4, sample_weight=w) of scikit-learn 1.9.1
        let edges = |column: &[f64], weights: &[f64]| Distinct::of(column, Some(weights), 1).edges(4);
        let column = [4.0, 1.0, 8.0, 2.0, 32.0, 16.0, 64.0, f64::NAN];
        assert_eq!(edges(&column, &[1.0, 2.0, 1.5, 0.5, 3.0, 1.0, 1.0, 9.0]), [3.0, 12.0, 32.0]);
        assert_eq!(edges(&column, &[1.0, 2.0, 0.0, 0.5, 3.0, 1.0, 1.0, 9.0]), [2.0, 16.0, 32.0]);
        // a weight is as good as the row so often, and 0 as good as no row
        let (thirds, repeated) = ([1.0 / 3.0; 8], Distinct::of(&column, None, 1).edges(4));
        assert_eq!(edges(&column, &thirds), repeated);
        assert_eq!(edges(&[column, [9.0; 8]].concat(), &[thirds, [0.0; 8]].concat()), repeated);
        let x = ndarray::array![[1.0], [f64::NAN], [3.0]];
        let binned = Binned::new((&x).into(), &[1.0, 0.0, 1.0], 255, &[0], 1);
        assert_eq!((&binned.features[0], binned.missing[0]), (&Binning::Categories(vec![1.0, 3.0]), false));
    }

    #[test]
    fn missing_and_unknown_values_have_a_bin_of_their_own() {
        let x = ndarray::array![[f64::NAN, 3.0], [-1.0, 1.0], [2.0, f64::NAN]];
        let binned = Binned::new((&x).into(), &[1.0; 3], 255, &[1], 1);
        assert_eq!(binned.blocks[0].iter().map(|b| b[0]).collect::<Vec<_>>(), [255, 0, 1]);
        assert_eq!(binned.blocks[0].iter().map(|b| b[1]).collect::<Vec<_>>(), [1, 0, 255]);
        assert_eq!(binned.features[1].bin(7.0), 255);
        assert_eq!(binned.missing, [true, true]);
    }
}
