//! The best split of a leaf, from its histograms.

use super::bins::{Binned, Binning, LANES, MISSING};
use super::histogram::{BINS, Entry, Scale};

/// Hessian that each side of a split keeps, as in scikit-learn.
const MIN_HESSIAN: f64 = 1e-3;
/// Added to the hessian of a category before categories are put in order, so that rare ones do not come out extreme: scikit-learn's
/// and LightGBM's 10.
const SMOOTHING: f64 = 10.0;

/// What splits must keep to.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub min_samples_leaf: u32,
    pub l2: f64,
    /// Of each feature: 1 where predictions must not fall as it grows, -1 where they must not rise, 0 for neither.
    pub monotonic: Vec<i8>,
}

/// A leaf's sums and the bounds that monotone splits above it put on its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf {
    pub sum: Entry,
    pub bounds: [f64; 2],
}

/// Which bins go left: the bit of a bin, of 256.
pub(super) type Bins = [u64; 4];

/// A split of a leaf.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    pub feature: usize,
    pub gain: f64,
    /// Bins that go left, that of missing values among them or not.
    pub left: Bins,
    /// For numbers: the last bin that goes left.
    pub bin: usize,
    pub left_sum: Entry,
    /// Values of both sides, before the learning rate.
    pub values: [f64; 2],
}

pub(super) fn contains(bins: &Bins, bin: u8) -> bool {
    bins[bin as usize / 64] >> (bin % 64) & 1 == 1
}

fn insert(bins: &mut Bins, bin: usize) {
    bins[bin / 64 % 4] |= 1 << (bin % 64);
}

/// One search of one leaf.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search<'a> {
    pub binned: &'a Binned,
    pub limits: &'a Limits,
    pub scale: Scale,
    pub leaf: Leaf,
}

/// The best so far of a scan.
#[derive(Clone, Copy)]
struct Candidate {
    gain: f64,
    at: usize,
    left: Entry,
    missing_left: bool,
}

/// The split of the larger gain; the first of equals.
pub(super) fn better(best: Option<Split>, found: Option<Split>) -> Option<Split> {
    match (best, found) {
        (Some(best), Some(found)) if found.gain > best.gain => Some(found),
        (best, found) => best.or(found),
    }
}

impl Search<'_> {
    /// Newton's step for a sum, within the leaf's bounds.
    pub fn value(&self, sum: Entry) -> f64 {
        self.step(sum.gradient() * self.scale.gradient, sum.hessian() * self.scale.hessian)
    }

    #[inline(always)]
    fn step(&self, gradient: f64, hessian: f64) -> f64 {
        let [low, high] = self.leaf.bounds;
        let hessian = hessian + self.limits.l2;
        if hessian > 0.0 { (-gradient / hessian).max(low).min(high) } else { 0.0f64.max(low).min(high) }
    }

    /// The best split by the features of one block, whose histograms are given.
    pub fn block(&self, block: usize, histograms: &[Entry]) -> Option<Split> {
        let mut best: Option<Split> = None;
        for (lane, histogram) in histograms.chunks_exact(BINS).enumerate() {
            let feature = block * LANES + lane;
            let Some(binning) = self.binned.features.get(feature) else { break };
            let found = match binning {
                Binning::Numbers(_) => self.numbers(feature, binning.len(), histogram),
                Binning::Categories(_) => self.categories(feature, histogram),
            };
            best = better(best, found);
        }
        best
    }

    /// What a split takes away from twice the loss; `None` when a side keeps too little, or the sides are in the wrong order.
    #[inline(always)]
    fn gain(&self, left: Entry, monotonic: i8, base: f64) -> Option<f64> {
        let mut right = self.leaf.sum;
        right.subtract(left);
        let least = self.limits.min_samples_leaf;
        if left.count() < least || right.count() < least {
            return None;
        }
        let Scale { gradient, hessian } = self.scale;
        if monotonic == 0 && self.leaf.bounds == [f64::NEG_INFINITY, f64::INFINITY] {
            // both steps unbounded: gradient² / hessian, in units of the fixed point until the end
            let (l2, min_hessian) = (self.limits.l2 / hessian, MIN_HESSIAN / hessian);
            if left.hessian() < min_hessian || right.hessian() < min_hessian {
                return None;
            }
            let side = |sum: Entry| sum.gradient() * sum.gradient() / (sum.hessian() + l2);
            return Some((side(left) + side(right)) * (gradient * gradient / hessian) - base);
        }
        let (left_hessian, right_hessian) = (left.hessian() * hessian, right.hessian() * hessian);
        if left_hessian < MIN_HESSIAN || right_hessian < MIN_HESSIAN {
            return None;
        }
        let (left_gradient, right_gradient) = (left.gradient() * gradient, right.gradient() * gradient);
        let (left_value, right_value) =
            (self.step(left_gradient, left_hessian), self.step(right_gradient, right_hessian));
        if (right_value - left_value) * f64::from(monotonic) < 0.0 {
            return None;
        }
        Some(-left_gradient * left_value - right_gradient * right_value - base)
    }

    /// Gain of the leaf as it is.
    fn base(&self) -> f64 {
        -self.leaf.sum.gradient() * self.scale.gradient * self.value(self.leaf.sum)
    }

    /// Cuts between bins in their order, with missing values right, and then left.
    fn numbers(&self, feature: usize, bins: usize, histogram: &[Entry]) -> Option<Split> {
        let monotonic = self.limits.monotonic.get(feature).copied().unwrap_or(0);
        let missing = histogram.get(MISSING).copied().unwrap_or_default();
        let base = self.base();
        let mut best = Candidate { gain: 0.0, at: usize::MAX, left: Entry::default(), missing_left: false };
        let starts = [(Entry::default(), false), (missing, true)];
        let ways = if missing.count() > 0 { 2 } else { 1 };
        // with missing values on the right, all others may go left; else the last bin has nothing right of it
        let last = bins.min(MISSING);
        let least = self.limits.min_samples_leaf;
        for (start, missing_left) in starts.into_iter().take(ways) {
            let mut left = start;
            for (at, &entry) in histogram.iter().take(last).enumerate() {
                if entry.count() == 0 {
                    continue;
                }
                left.add(entry);
                if left.count() < least {
                    continue;
                }
                if self.leaf.sum.count() - left.count() < least {
                    break;
                }
                if let Some(gain) = self.gain(left, monotonic, base)
                    && gain > best.gain
                {
                    best = Candidate { gain, at, left, missing_left };
                }
            }
        }
        if best.at == usize::MAX {
            return None;
        }
        // where nothing was missing, what will be goes to the larger side
        let missing_left = match self.binned.missing.get(feature) {
            Some(true) => best.missing_left,
            _ => 2 * best.left.count() > self.leaf.sum.count(),
        };
        let mut left = [0; 4];
        (0..=best.at).for_each(|bin| insert(&mut left, bin));
        if missing_left {
            insert(&mut left, MISSING);
        }
        Some(self.split(feature, best, left))
    }

    /// Cuts between categories in the order of their mean gradient (Fisher, "On grouping for maximum homogeneity", 1958);
    /// missing and unknown values are one of them.
    fn categories(&self, feature: usize, histogram: &[Entry]) -> Option<Split> {
        let order = |entry: &Entry| {
            let (gradient, hessian) = (entry.gradient() * self.scale.gradient, entry.hessian() * self.scale.hessian);
            gradient / (hessian + SMOOTHING)
        };
        let mut present: Vec<(usize, Entry)> =
            histogram.iter().copied().enumerate().filter(|(_, entry)| entry.count() > 0).collect();
        present.sort_by(|a, b| order(&a.1).total_cmp(&order(&b.1)).then(a.0.cmp(&b.0)));
        let base = self.base();
        let mut best = Candidate { gain: 0.0, at: usize::MAX, left: Entry::default(), missing_left: false };
        let mut left = Entry::default();
        for (at, &(_, entry)) in present.iter().enumerate() {
            left.add(entry);
            if let Some(gain) = self.gain(left, 0, base)
                && gain > best.gain
            {
                best = Candidate { gain, at, left, missing_left: false };
            }
        }
        let chosen = present.get(..=best.at)?;
        let mut bins = [0; 4];
        chosen.iter().for_each(|&(bin, _)| insert(&mut bins, bin));
        Some(self.split(feature, best, bins))
    }

    fn split(&self, feature: usize, best: Candidate, left: Bins) -> Split {
        let mut right = self.leaf.sum;
        right.subtract(best.left);
        let values = [self.value(best.left), self.value(right)];
        Split { feature, gain: best.gain, left, bin: best.at, left_sum: best.left, values }
    }
}
