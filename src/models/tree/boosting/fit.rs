//! Boosting itself: trees one after another, each on the gradients that those before it left.

use super::bins::{Binned, Binning, MISSING};
use super::device::{There, work};
use super::grow::{Grown, Memory, Plan};
use super::histogram::{MAX_ROWS, Scale};
use super::loss::Loss;
use super::named::Columns;
use super::split::Limits;
use crate::data::Matrix;
use crate::device::Device;
use crate::device::cpu::Cpu;
use crate::device::cpu::parallel::{WORK_PER_THREAD, for_chunks, map_reduce};
use crate::error::{Error, Result};
use crate::models::estimator::check_range;
use crate::models::quantile::Weighing;
use crate::models::tree::nodes::{Tree, normalise};
use crate::models::tree::settings::demand;
use crate::rng::Rng;

/// Rows that a thread takes at once.
const CHUNK: usize = 4096;
/// Work of a row's gradient, in the unit of [`for_chunks`]: some 10 ns, most of it the exponential.
const STEP: u64 = 200;

/// Settings that regressors and classifiers share.
#[derive(Debug)]
pub(super) struct Settings<'a> {
    pub learning_rate: f64,
    pub max_iter: usize,
    pub max_leaf_nodes: Option<usize>,
    pub max_depth: Option<usize>,
    pub min_samples_leaf: usize,
    pub l2_regularization: f64,
    pub max_bins: usize,
    pub categorical_features: Vec<usize>,
    pub monotonic_cst: Vec<i8>,
    /// What messages call columns.
    pub columns: Columns<'a>,
    pub early_stopping: bool,
    pub n_iter_no_change: usize,
    pub tol: f64,
}

impl Settings<'_> {
    /// Refuses what makes no sense, by the setting's name.
    pub fn check(&self, op: &'static str, rows: usize) -> Result<()> {
        let demand = |good: bool, name: &str, given: String, wanted: &str| demand(op, good, name, given, wanted);
        let rate = self.learning_rate;
        demand(rate > 0.0 && rate.is_finite(), "learning_rate", rate.to_string(), "give a number above 0")?;
        demand(self.max_iter >= 1, "max_iter", "0".into(), "give at least 1")?;
        let most = self.max_leaf_nodes;
        demand(most.is_none_or(|most| most >= 2), "max_leaf_nodes", format!("{most:?}"), "give at least 2, or none")?;
        demand(self.max_depth != Some(0), "max_depth", "0".into(), "give at least 1, or none")?;
        demand(self.min_samples_leaf >= 1, "min_samples_leaf", "0".into(), "give at least 1")?;
        let l2 = self.l2_regularization;
        demand(l2 >= 0.0 && l2.is_finite(), "l2_regularization", l2.to_string(), "give 0 or more")?;
        demand((2..=255).contains(&self.max_bins), "max_bins", self.max_bins.to_string(), "give 2 to 255")?;
        demand(self.n_iter_no_change >= 1, "n_iter_no_change", "0".into(), "give at least 1")?;
        demand(self.tol >= 0.0, "tol", self.tol.to_string(), "give 0 or more")?;
        let both = self.categorical_features.iter().find(|&&f| self.monotonic_cst.get(f).is_some_and(|&d| d != 0));
        if let Some(&feature) = both {
            let given =
                format!("{} for {}", self.monotonic_cst.get(feature).copied().unwrap_or(0), self.columns.tell(feature));
            return demand(false, "monotonic_cst", given, "categories have no order: give 0 for them");
        }
        demand(rows <= MAX_ROWS, "rows", rows.to_string(), "boosting takes up to 268 million")
    }
}

/// The trees of a boosted model.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Ensemble {
    /// Scores before any tree, one an output.
    pub start: Vec<f64>,
    /// Trees of one iteration after another; of each, one an output.
    pub trees: Vec<Tree>,
    /// Per feature, its share of what all splits gained.
    pub importances: Vec<f64>,
    /// Mean loss of the held-out rows before the first iteration and after each; empty without early stopping.
    pub validation: Vec<f64>,
    /// Whether they stopped getting better before the last iteration.
    pub stopped: bool,
}

/// Rows to learn from and rows to watch.
pub(super) struct Rows<'a> {
    /// Of all rows.
    pub weights: &'a [f64],
    pub train: Vec<u32>,
    pub held_out: Vec<usize>,
}

/// What is learnt.
pub(super) struct Task<'a> {
    /// Features, `[N, F]`.
    pub x: Matrix<'a>,
    /// Answers; labels for classes.
    pub y: &'a [f64],
    pub rows: Rows<'a>,
    pub loss: Loss,
    /// Scores a row.
    pub outputs: usize,
}

/// Boosts. Histograms of large leaves are made on the device that was asked for, or on a GPU where they are done first there; the
/// trees are the same.
pub(super) fn fit(
    op: &'static str,
    task: &Task<'_>,
    settings: &Settings<'_>,
    device: Option<&Device>,
) -> Result<Ensemble> {
    let threads = Cpu::new().threads();
    let binned = Binned::new(task.x, task.rows.weights, settings.max_bins, &settings.categorical_features, threads);
    for (feature, binning) in binned.features.iter().enumerate() {
        if matches!(binning, Binning::Categories(values) if values.len() > MISSING) {
            let message = format!(
                "categorical_features: {} has {} categories; at most {MISSING} fit, so join rare ones",
                settings.columns.tell(feature),
                binning.len()
            );
            return Err(Error::argument(op, message));
        }
    }
    let trees = settings.max_iter.saturating_mul(task.outputs);
    let leaves = settings.max_leaf_nodes.unwrap_or(usize::MAX);
    let work = work(task.rows.train.len(), task.x.width(), trees, leaves);
    let there = There::new(&binned, device, &work, threads)?;
    let ensemble = boost(op, task, settings, &binned, there.as_ref())?;
    let sizes = ensemble.trees.iter().flat_map(|tree| &tree.values).chain(&ensemble.start).map(|value| value.abs());
    if !sizes.sum::<f64>().is_finite() {
        let message = "scores are beyond 64-bit floats; lower learning_rate or scale the target";
        return Err(Error::NonFinite { op, message: message.into() });
    }
    Ok(ensemble)
}

fn boost(
    op: &'static str,
    task: &Task<'_>,
    settings: &Settings<'_>,
    binned: &Binned,
    there: Option<&There>,
) -> Result<Ensemble> {
    let threads = Cpu::new().threads();
    let &Task { x, y, ref rows, loss, outputs } = task;
    let weights = rows.weights;
    let limits = Limits {
        min_samples_leaf: u32::try_from(settings.min_samples_leaf).unwrap_or(u32::MAX),
        l2: settings.l2_regularization,
        monotonic: settings.monotonic_cst.clone(),
    };
    let plan = Plan {
        binned,
        there,
        limits: &limits,
        max_leaves: settings.max_leaf_nodes.unwrap_or(usize::MAX),
        max_depth: settings.max_depth.unwrap_or(usize::MAX),
        learning_rate: settings.learning_rate,
    };
    let of_train = |all: &[f64]| -> Vec<f64> { rows.train.iter().map(|&row| all[row as usize]).collect() };
    let known = of_train(weights);
    let (start, weighing) = (loss.start(&of_train(y), &known, outputs), Weighing::of(&known));
    let mut scores: Vec<f64> = start.iter().copied().cycle().take(x.rows() * outputs).collect();
    let watched = x.select(&rows.held_out)?;
    let mut watched_scores: Vec<f64> = start.iter().copied().cycle().take(rows.held_out.len() * outputs).collect();
    let watched_loss = |scores: &[f64]| {
        let losses = rows.held_out.iter().zip(scores.chunks_exact(outputs));
        let (sum, weight) = losses.fold((0.0, 0.0), |(sum, weight), (&row, scores)| {
            (sum + weights[row] * loss.of(y[row], scores), weight + weights[row])
        });
        sum / weight
    };
    let mut ensemble = Ensemble { start, importances: vec![0.0; x.width()], ..Ensemble::default() };
    if settings.early_stopping {
        ensemble.validation.push(watched_loss(&watched_scores));
    }
    let mut seen = if outputs > 1 { scores.clone() } else { Vec::new() };
    // a tree for each output, with memory that the next iteration uses again
    let mut growing: Vec<(Result<Grown>, Memory)> = Vec::new();
    growing.resize_with(outputs, || (Ok(Grown::default()), Memory::default()));
    for _ in 0..settings.max_iter {
        if outputs > 1 {
            seen.copy_from_slice(&scores);
            for_chunks(threads, &mut seen, CHUNK * outputs, STEP * (CHUNK * outputs) as u64, |_, seen| {
                seen.chunks_exact_mut(outputs).for_each(|scores| loss.seen(scores));
            });
        }
        let told = if outputs > 1 { &seen } else { &scores };
        let each = |k: usize, memory: &mut Memory, threads: usize| {
            let mut steps = vec![[0.0f32; 2]; x.rows()];
            for_chunks(threads, &mut steps, CHUNK, STEP * CHUNK as u64, |chunk, steps| {
                let first = chunk * CHUNK;
                let scores = told[first * outputs..].chunks_exact(outputs);
                let known = y[first..].iter().zip(&weights[first..]).zip(scores);
                for (step, ((&y, &weight), scores)) in steps.iter_mut().zip(known) {
                    *step = loss.step(y, scores, k, weight);
                }
            });
            let sums = |range: std::ops::Range<usize>| {
                steps[range].iter().fold([0.0; 2], |[gradients, hessians], step| {
                    [gradients + f64::from(step[0].abs()), hessians + f64::from(step[1])]
                })
            };
            let sums =
                map_reduce(threads, steps.len(), CHUNK, 20 * CHUNK as u64, sums, |a, b| [a[0] + b[0], a[1] + b[1]]);
            let [gradients, hessians] = sums.unwrap_or_default();
            check_range(op, "gradients in 32-bit floats", &[gradients])?;
            let mut grown = plan.grow(&steps, Scale::of(gradients, hessians), rows.train.clone(), memory, threads)?;
            correct(&mut grown, loss, weighing, (y, weights, &scores), settings.learning_rate);
            Ok(grown)
        };
        let inside = if outputs == 1 { threads } else { 1 };
        for_chunks(threads, &mut growing, 1, WORK_PER_THREAD, |k, growing| {
            growing.iter_mut().for_each(|(grown, memory)| *grown = each(k, memory, inside));
        });
        for (k, (grown, _)) in growing.iter_mut().enumerate() {
            let grown = std::mem::replace(grown, Ok(Grown::default()))?;
            for (leaf, range) in &grown.leaves {
                let value = grown.tree.value(*leaf).first().copied().unwrap_or(0.0);
                for &row in &grown.rows[range.clone()] {
                    scores[row as usize * outputs + k] += value;
                }
            }
            for (row, scores) in watched.rows().into_iter().zip(watched_scores.chunks_exact_mut(outputs)) {
                let row = row.to_slice().unwrap_or_default(); // rows just selected lie in order
                scores[k] += grown.tree.value(grown.tree.leaf(row)).first().copied().unwrap_or(0.0);
            }
            ensemble.importances.iter_mut().zip(&grown.gains).for_each(|(sum, gain)| *sum += gain);
            ensemble.trees.push(grown.tree);
        }
        if settings.early_stopping {
            ensemble.validation.push(watched_loss(&watched_scores));
            if no_better(&ensemble.validation, settings.n_iter_no_change, settings.tol) {
                ensemble.stopped = true;
                break;
            }
        }
    }
    normalise(&mut ensemble.importances);
    Ok(ensemble)
}

/// Leaves of a loss without curvature say what is best for their rows.
fn correct(
    grown: &mut Grown,
    loss: Loss,
    weighing: Weighing,
    (y, weights, scores): (&[f64], &[f64], &[f64]),
    learning_rate: f64,
) {
    for (leaf, range) in &grown.leaves {
        let residuals = grown.rows[range.clone()].iter().map(|&row| row as usize);
        let best = loss.leaf(residuals.map(|row| (y[row] - scores[row], weights[row])), weighing);
        if let (Some(best), Some(value)) = (best, grown.tree.values.get_mut(*leaf)) {
            *value = best * learning_rate;
        }
    }
}

/// Whether none of the last `patience` losses is lower than the one before them by more than `tol`.
fn no_better(losses: &[f64], patience: usize, tol: f64) -> bool {
    let Some(before) = losses.len().checked_sub(patience).and_then(|n| n.checked_sub(1)) else { return false };
    losses[before + 1..].iter().all(|&loss| loss >= losses[before] - tol)
}

impl<'a> Rows<'a> {
    /// Rows of some weight, without those that are held out.
    pub fn new(weights: &'a [f64], mut held_out: Vec<usize>) -> Rows<'a> {
        held_out.sort_unstable();
        let train = (0..weights.len()).filter(|row| weights[*row] > 0.0 && held_out.binary_search(row).is_err());
        Rows { weights, train: train.map(|row| row as u32).collect(), held_out }
    }

    /// A share of all rows held out at random; classes by their share where there are labels.
    pub fn split(
        op: &'static str,
        weights: &'a [f64],
        labels: Option<&[u32]>,
        share: f64,
        seed: u64,
    ) -> Result<Rows<'a>> {
        let mut rng = Rng::seed(seed);
        let kept: Vec<usize> = (0..weights.len()).filter(|&row| weights[row] > 0.0).collect();
        let split = match labels {
            Some(labels) => {
                let labels: Vec<u32> = kept.iter().map(|&row| labels[row]).collect();
                crate::data::stratified_split(&labels, share, &mut rng)
            }
            None => crate::data::shuffled_split(kept.len(), share, &mut rng),
        };
        let split = split.map_err(|e| Error::argument(op, format!("validation_fraction: {e}")))?;
        Ok(Rows::new(weights, split.held_out.into_iter().map(|at| kept[at]).collect()))
    }
}

impl Ensemble {
    /// The scores of rows, `[N, outputs]`.
    pub fn scores(&self, x: Matrix<'_>) -> Vec<f64> {
        const BLOCK: usize = 64; // rows that pass all trees while they are in cache
        let (width, outputs) = (x.width().max(1), self.start.len().max(1));
        let mut scores = vec![0.0; x.rows() * outputs];
        let work = (self.trees.len() as u64).saturating_mul(BLOCK as u64 * 400);
        for_chunks(Cpu::new().threads(), &mut scores, BLOCK * outputs, work, |block, out| {
            out.chunks_exact_mut(outputs).for_each(|out| out.copy_from_slice(&self.start));
            let rows = x.block(block * BLOCK..(block + 1) * BLOCK);
            for trees in self.trees.chunks_exact(outputs) {
                for (row, out) in rows.chunks_exact(width).zip(out.chunks_exact_mut(outputs)) {
                    for (tree, score) in trees.iter().zip(out) {
                        *score += tree.value(tree.leaf(row)).first().copied().unwrap_or(0.0);
                    }
                }
            }
        });
        scores
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// The CPU device, which plays one that histograms are made on, and a GPU where there is one.
    fn devices() -> Vec<Device> {
        std::iter::once(Device::cpu()).chain(Device::gpu()).collect()
    }

    #[test]
    fn trees_from_histograms_of_a_device_are_the_same() {
        let noise = Rng::seed(21).normals(900 * 6);
        let x = Array2::from_shape_fn((900, 6), |(i, j)| match j {
            0 if i % 9 == 0 => f64::NAN,
            1 => (i * i % 13) as f64,
            _ => f64::from(noise[6 * i + j]),
        });
        let y: Vec<f64> = x.rows().into_iter().map(|row| row[2] + (row[1] % 3.0) + row[3] * row[4]).collect();
        let labels: Vec<f64> = y.iter().map(|y| y.clamp(0.0, 2.0).floor()).collect();
        let mut weights = vec![1.0; 900];
        weights[7] = 0.0;
        let settings = Settings {
            learning_rate: 0.1,
            max_iter: 3,
            max_leaf_nodes: Some(15),
            max_depth: None,
            min_samples_leaf: 5,
            l2_regularization: 0.0,
            max_bins: 255,
            categorical_features: vec![1],
            monotonic_cst: Vec::new(),
            columns: Columns { op: "boosting", names: None, width: 6 },
            early_stopping: false,
            n_iter_no_change: 10,
            tol: 1e-7,
        };
        let binned = Binned::new((&x).into(), &weights, 255, &[1], 2);
        for (y, loss, outputs) in [(&y, Loss::Squared, 1), (&labels, Loss::Softmax, 3)] {
            let held_out = (0..900).step_by(10).collect();
            let task = Task { x: (&x).into(), y, rows: Rows::new(&weights, held_out), loss, outputs };
            let here = boost("boosting", &task, &settings, &binned, None).unwrap();
            assert_eq!(here.trees.len(), 3 * outputs);
            for device in devices() {
                // 300 rows in two blocks: leaves of all sizes, some on the device
                let there = There::at(&binned, &device, 600).unwrap();
                assert_eq!(boost("boosting", &task, &settings, &binned, Some(&there)).unwrap(), here, "{device}");
            }
        }
        let work = work(900, 6, 3, 15);
        let few = |device: &Device| There::new(&binned, Some(device), &work, 1).unwrap().is_none();
        assert!(devices().iter().all(few), "1,800 rows in blocks are not worth the way");
    }
}
