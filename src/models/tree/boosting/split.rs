//! The best split of a leaf, from its histograms.

use super::bins::{Binned, Binning, LANES, MISSING};
use super::histogram::{BINS, Entry, Running, Scale};
use pulp::Arch;

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

/// The first of the largest gains, and where it is.
fn first_largest(gains: &[f64; BINS]) -> Option<(usize, f64)> {
    let (vectors, _) = gains.as_chunks::<8>();
    let larger = |a: f64, b: f64| if b > a { b } else { a };
    let most =
        vectors.iter().fold([f64::NEG_INFINITY; 8], |most, gains| std::array::from_fn(|i| larger(most[i], gains[i])));
    let most = most.into_iter().fold(f64::NEG_INFINITY, larger);
    gains.iter().position(|&gain| gain == most).map(|at| (at, most))
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
        let mut running = Running::NONE;
        for (lane, histogram) in histograms.chunks_exact(BINS).enumerate() {
            let feature = block * LANES + lane;
            let Some(binning) = self.binned.features.get(feature) else { break };
            let found = match binning {
                Binning::Numbers(_) => self.numbers(feature, binning.len(), histogram, &mut running),
                Binning::Categories(_) => self.categories(feature, histogram),
            };
            best = better(best, found);
        }
        best
    }

    /// What a split takes away from twice the loss; `-inf` when a side keeps too little, or the sides are in the wrong order.
    /// Without a branch, so that the compiler makes vectors of it.
    #[inline(always)]
    fn gain(&self, left: Entry, base: f64, both: impl Fn([f64; 2], [f64; 2]) -> f64) -> f64 {
        let mut right = self.leaf.sum;
        right.subtract(left);
        let (least, min_hessian) = (self.limits.min_samples_leaf, MIN_HESSIAN / self.scale.hessian);
        let counts = left.has(least) & right.has(least);
        let curved = (left.hessian() >= min_hessian) & (right.hessian() >= min_hessian);
        let gain = both([left.gradient(), left.hessian()], [right.gradient(), right.hessian()]);
        if counts & curved { gain - base } else { f64::NEG_INFINITY }
    }

    /// Both sides' steps unbounded: gradient² / hessian, in units of the fixed point until the end.
    #[inline(always)]
    fn unbounded(&self) -> impl Fn([f64; 2], [f64; 2]) -> f64 {
        let Scale { gradient, hessian } = self.scale;
        let (l2, unit) = (self.limits.l2 / hessian, gradient * gradient / hessian);
        let side = move |[gradient, hessian]: [f64; 2]| gradient * gradient / (hessian + l2);
        move |left, right| (side(left) + side(right)) * unit
    }

    /// Steps within the leaf's bounds and in the order of a monotone feature.
    #[inline(always)]
    fn bounded(&self, monotonic: i8) -> impl Fn([f64; 2], [f64; 2]) -> f64 {
        let Scale { gradient, hessian } = self.scale;
        let side = move |[g, h]: [f64; 2]| (g * gradient, self.step(g * gradient, h * hessian));
        move |left, right| {
            let ((left, left_value), (right, right_value)) = (side(left), side(right));
            let wrong = (right_value - left_value) * f64::from(monotonic) < 0.0;
            if wrong { f64::NEG_INFINITY } else { -left * left_value - right * right_value }
        }
    }

    fn is_bounded(&self) -> bool {
        self.leaf.bounds != [f64::NEG_INFINITY, f64::INFINITY]
    }

    /// Gain of the leaf as it is.
    fn base(&self) -> f64 {
        -self.leaf.sum.gradient() * self.scale.gradient * self.value(self.leaf.sum)
    }

    /// Cuts between bins in their order, with missing values right, and then left.
    fn numbers(&self, feature: usize, bins: usize, histogram: &[Entry], running: &mut Running) -> Option<Split> {
        let monotonic = self.limits.monotonic.get(feature).copied().unwrap_or(0);
        let missing = histogram.get(MISSING).copied().unwrap_or_default();
        let base = self.base();
        // with missing values on the right, all others may go left; else the last bin has nothing right of it
        running.fill(histogram.get(..bins.min(MISSING))?);
        let mut best: Option<Candidate> = None;
        let ways = if missing.count() > 0 { 2 } else { 1 };
        for (start, missing_left) in [(Entry::default(), false), (missing, true)].into_iter().take(ways) {
            let mut gains = [f64::NEG_INFINITY; BINS];
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    let cuts = gains.iter_mut().zip(running.and(start));
                    match monotonic == 0 && !self.is_bounded() {
                        true => {
                            let both = self.unbounded();
                            cuts.for_each(|(gain, left)| *gain = self.gain(left, base, &both));
                        }
                        false => {
                            let both = self.bounded(monotonic);
                            cuts.for_each(|(gain, left)| *gain = self.gain(left, base, &both));
                        }
                    }
                },
            );
            if let Some((at, gain)) = first_largest(&gains)
                && gain > best.map_or(0.0, |best| best.gain)
            {
                let left = running.and(start).nth(at)?;
                best = Some(Candidate { gain, at, left, missing_left });
            }
        }
        let best = best?;
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
        let mut best: Option<Candidate> = None;
        let mut left = Entry::default();
        for (at, &(_, entry)) in present.iter().enumerate() {
            left.add(entry);
            let gain = match self.is_bounded() {
                true => self.gain(left, base, self.bounded(0)),
                false => self.gain(left, base, self.unbounded()),
            };
            if gain > best.map_or(0.0, |best| best.gain) {
                best = Some(Candidate { gain, at, left, missing_left: false });
            }
        }
        let best = best?;
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
