//! The best split of a leaf, from its histograms.

use super::bins::{Binned, Binning, LANES, MISSING};
use super::histogram::{BINS, Entry, Running, Scale, WIDE};
use pulp::{Arch, Simd, WithSimd};

/// Hessian that each side of a split keeps, as in scikit-learn.
const MIN_HESSIAN: f64 = 1e-3;
/// Rows that a category needs to be told apart in a leaf, by its share of the hessian: what fewer say is noise. Added to its
/// hessian too before categories are put in order, so that rare ones do not come out extreme. scikit-learn's `MIN_CAT_SUPPORT`,
/// LightGBM's `min_data_per_group` and `cat_smooth`.
const MIN_SUPPORT: f64 = 10.0;

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

/// All cuts between the bins of a feature. No closure: those that `dispatch` takes were compiled without vectors.
struct Cuts<'a> {
    search: &'a Search<'a>,
    running: &'a Running,
    start: Entry,
    base: f64,
    monotonic: i8,
}

impl WithSimd for Cuts<'_> {
    type Output = (usize, f64);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (usize, f64) {
        let Cuts { search, running, start, base, monotonic } = self;
        match monotonic == 0 && !search.is_bounded() {
            true => search.largest::<false>(running, start, base, 0),
            false => search.largest::<true>(running, start, base, monotonic),
        }
    }
}

impl Search<'_> {
    /// Newton's step for a sum, within the leaf's bounds.
    #[inline(always)]
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
    fn gain<const BOUNDED: bool>(&self, left: Entry, base: f64, monotonic: i8) -> f64 {
        let mut right = self.leaf.sum;
        right.subtract(left);
        let (least, min_hessian) = (self.limits.min_samples_leaf, MIN_HESSIAN / self.scale.hessian);
        let counts = left.has(least) & right.has(least);
        let curved = (left.hessian() >= min_hessian) & (right.hessian() >= min_hessian);
        let gain = if BOUNDED { self.bounded(left, right, monotonic) } else { self.unbounded(left, right) };
        if counts & curved { gain - base } else { f64::NEG_INFINITY }
    }

    /// Both sides' steps unbounded: gradient² / hessian, in units of the fixed point until the end.
    #[inline(always)]
    fn unbounded(&self, left: Entry, right: Entry) -> f64 {
        let Scale { gradient, hessian } = self.scale;
        let (l2, unit) = (self.limits.l2 / hessian, gradient * gradient / hessian);
        let square = |sum: Entry| sum.gradient() * sum.gradient();
        let [below, beyond] = [left.hessian() + l2, right.hessian() + l2];
        (square(left) * beyond + square(right) * below) / (below * beyond) * unit // a division costs more than all else
    }

    /// Steps within the leaf's bounds and in the order of a monotone feature.
    #[inline(always)]
    fn bounded(&self, left: Entry, right: Entry, monotonic: i8) -> f64 {
        let gradient = |sum: Entry| sum.gradient() * self.scale.gradient;
        let (left_value, right_value) = (self.value(left), self.value(right));
        let wrong = (right_value - left_value) * f64::from(monotonic) < 0.0;
        if wrong { f64::NEG_INFINITY } else { -gradient(left) * left_value - gradient(right) * right_value }
    }

    /// The first of the largest gains of cuts behind each bin, and where it is.
    #[inline(always)]
    fn largest<const BOUNDED: bool>(&self, running: &Running, start: Entry, base: f64, monotonic: i8) -> (usize, f64) {
        let (mut most, mut at) = ([f64::NEG_INFINITY; WIDE], [0; WIDE]);
        for (vector, (first, second)) in running.vectors().enumerate() {
            for i in 0..WIDE {
                let mut left = Entry([first[i], second[i]]);
                left.add(start);
                let gain = self.gain::<BOUNDED>(left, base, monotonic);
                let larger = gain > most[i];
                most[i] = if larger { gain } else { most[i] };
                at[i] = if larger { vector as u64 } else { at[i] };
            }
        }
        let mut best = (0, f64::NEG_INFINITY);
        for i in 0..WIDE {
            let place = at[i] as usize * WIDE + i;
            if most[i] > best.1 || most[i] == best.1 && place < best.0 {
                best = (place, most[i]);
            }
        }
        best
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
            let (at, gain) = Arch::new().dispatch(Cuts { search: self, running, start, base, monotonic });
            if gain > best.map_or(0.0, |best| best.gain) {
                best = Some(Candidate { gain, at, left: running.at(at, start), missing_left });
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

    /// Cuts between categories in the order of their mean gradient (Fisher, "On grouping for maximum homogeneity", 1958); missing
    /// values are one of them. As in scikit-learn, the rare ones are on no side of such a cut: they go right, with at least half
    /// of the others, as cuts are sought from both ends of the order up to its middle and the end goes left.
    fn categories(&self, feature: usize, histogram: &[Entry]) -> Option<Split> {
        let order = |entry: &Entry| {
            let (gradient, hessian) = (entry.gradient() * self.scale.gradient, entry.hessian() * self.scale.hessian);
            gradient / (hessian + MIN_SUPPORT)
        };
        let rows_of_hessian = f64::from(self.leaf.sum.count()) / self.leaf.sum.hessian();
        let known = |entry: &Entry| entry.count() > 0 && entry.hessian() * rows_of_hessian >= MIN_SUPPORT;
        let mut used: Vec<(usize, Entry)> =
            histogram.iter().copied().enumerate().filter(|(_, entry)| known(entry)).collect();
        if used.len() < 2 {
            return None;
        }
        used.sort_by(|a, b| order(&a.1).total_cmp(&order(&b.1)).then(a.0.cmp(&b.0)));
        let middle = used.len().div_ceil(2);
        let rising: Vec<_> = used.iter().take(middle).collect();
        let falling: Vec<_> = used.iter().rev().take(middle - 1).collect();
        let base = self.base();
        let mut best: Option<(Candidate, &[&(usize, Entry)])> = None;
        for end in [&rising, &falling] {
            let mut left = Entry::default();
            for (at, &&(_, entry)) in end.iter().enumerate() {
                left.add(entry);
                let gain = match self.is_bounded() {
                    true => self.gain::<true>(left, base, 0),
                    false => self.gain::<false>(left, base, 0),
                };
                if gain > best.map_or(0.0, |(best, _)| best.gain) {
                    best = Some((Candidate { gain, at, left, missing_left: false }, end.get(..=at)?));
                }
            }
        }
        let (best, chosen) = best?;
        let mut bins = [0; 4];
        chosen.iter().for_each(|&&(bin, _)| insert(&mut bins, bin));
        // where nothing was missing, what will be goes to the larger side
        if self.binned.missing.get(feature) != Some(&true) && 2 * best.left.count() > self.leaf.sum.count() {
            insert(&mut bins, MISSING);
        }
        Some(self.split(feature, best, bins))
    }

    fn split(&self, feature: usize, best: Candidate, left: Bins) -> Split {
        let mut right = self.leaf.sum;
        right.subtract(best.left);
        let values = [self.value(best.left), self.value(right)];
        Split { feature, gain: best.gain, left, bin: best.at, left_sum: best.left, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_cut_is_the_first_of_the_largest_gains() {
        let scale = Scale::of(1000.0, 1000.0);
        for (bins, missing, monotonic) in [(2, 0, 0), (8, 3, 0), (13, 0, 1), (100, 5, 0), (255, 0, -1), (255, 40, 0)] {
            let mut histogram = vec![Entry::default(); BINS];
            for i in 0..1000 {
                let bin = if i < missing { MISSING } else { i * 7 % bins };
                let steps = [(bin as f32 / 9.0).sin() + (i as f32).cos(), 0.25 + (i % 5) as f32 / 8.0];
                histogram[bin].add(scale.entry(steps));
            }
            let mut sum = Entry::default();
            histogram.iter().for_each(|&entry| sum.add(entry));
            let limits = Limits { min_samples_leaf: 20, l2: 0.5, monotonic: vec![monotonic] };
            let features = vec![Binning::Numbers((1..bins).map(|edge| edge as f64).collect())];
            let binned = Binned { features, missing: vec![missing > 0], blocks: Vec::new() };
            let leaf = Leaf { sum, bounds: [f64::NEG_INFINITY, f64::INFINITY] };
            let search = Search { binned: &binned, limits: &limits, scale, leaf };

            let step = |sum: Entry| -sum.gradient() * scale.gradient / (sum.hessian() * scale.hessian + limits.l2);
            let gain = |sum: Entry| -sum.gradient() * scale.gradient * step(sum);
            let mut best: Option<(f64, usize, bool)> = None;
            for missing_left in [false, true] {
                let mut left = if missing_left { histogram[MISSING] } else { Entry::default() };
                for (bin, &entry) in histogram.iter().enumerate().take(bins) {
                    left.add(entry);
                    let mut right = sum;
                    right.subtract(left);
                    let ordered = f64::from(monotonic) * (step(right) - step(left)) >= 0.0;
                    let found = gain(left) + gain(right) - gain(sum);
                    let allowed = left.count().min(right.count()) >= 20 && ordered;
                    if allowed && found > best.map_or(0.0, |best| best.0 * (1.0 + 1e-12)) {
                        best = Some((found, bin, missing_left));
                    }
                }
            }
            let found = search.block(0, &histogram);
            assert_eq!(found.map(|found| found.bin), best.map(|best| best.1), "{bins} bins");
            if let (Some(found), Some((wanted, _, missing_left))) = (found, best) {
                assert!((found.gain - wanted).abs() < 1e-9 * wanted, "{bins} bins: {} and {wanted}", found.gain);
                assert!(missing == 0 || contains(&found.left, MISSING as u8) == missing_left);
            }
        }
    }

    #[test]
    fn rare_categories_go_right_and_the_cut_is_sought_from_both_ends() {
        let scale = Scale::of(1000.0, 1000.0);
        // mean gradients and rows of six categories; the last two are rare
        let found = |categories: [(f32, usize); 6], bounds: [f64; 2]| {
            let mut histogram = vec![Entry::default(); BINS];
            for (bin, (gradient, rows)) in categories.into_iter().enumerate() {
                (0..rows).for_each(|_| histogram[bin].add(scale.entry([gradient, 1.0])));
            }
            let mut sum = Entry::default();
            histogram.iter().for_each(|&entry| sum.add(entry));
            let limits = Limits { min_samples_leaf: 1, l2: 0.0, monotonic: Vec::new() };
            let features = vec![Binning::Categories((0..6).map(f64::from).collect())];
            let binned = Binned { features, missing: vec![false], blocks: Vec::new() };
            let search = Search { binned: &binned, limits: &limits, scale, leaf: Leaf { sum, bounds } };
            search.block(0, &histogram).map(|split| (split.left[0], contains(&split.left, MISSING as u8)))
        };
        let free = [f64::NEG_INFINITY, f64::INFINITY];
        // one category stands out, above or below all others: it goes left alone, whatever the rare ones say
        assert_eq!(found([(0.0, 20), (9.0, 20), (0.1, 20), (0.2, 20), (9.0, 9), (-9.0, 9)], free), Some((0b10, false)));
        assert_eq!(found([(0.0, 20), (-9.0, 20), (0.1, 20), (0.2, 20), (9.0, 9), (0.0, 0)], free), Some((0b10, false)));
        // most rows are left: what will be missing goes there
        assert_eq!(found([(0.0, 20), (9.0, 90), (0.1, 20), (0.2, 20), (9.0, 9), (0.0, 0)], free), Some((0b10, true)));
        assert_eq!(found([(0.0, 20), (9.0, 9), (3.0, 9), (1.0, 9), (2.0, 9), (0.0, 0)], free), None, "one is left");
        assert_eq!(found([(-1.0, 20), (1.0, 20), (0.0, 0), (0.0, 0), (0.0, 0), (0.0, 0)], [0.0, 0.0]), None);
    }
}
