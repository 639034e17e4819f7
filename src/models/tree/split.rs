//! The best split of a node: each feature's ranks are sorted and scanned, or cut once at random.

use super::columns::Columns;
use super::criterion::Criterion;
use super::settings::Splitter;
use super::sort::sort_keys;
use crate::rng::Rng;
use rand::RngExt;

/// A split: rows whose rank in the column is at most `code` go left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    pub feature: u32,
    pub code: u32,
    pub threshold: Threshold,
    /// Weight times impurity that it takes away.
    pub decrease: f64,
}

/// Where a split cuts: looked up in the column only for the split that is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Threshold {
    /// Half way between `code` and this rank.
    Below(u32),
    /// At a value that was drawn.
    At(f64),
}

/// A node's rows and what a split of them must leave on each side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a, C: Criterion> {
    pub columns: &'a Columns,
    pub criterion: &'a C,
    pub node: &'a C::Node,
    pub rows: &'a [u32],
    pub min_rows: usize,
    pub min_weight: f64,
    pub splitter: Splitter,
}

/// Memory that searches use again.
#[derive(Debug)]
pub(super) struct Workspace<C: Criterion> {
    keys: Vec<u64>,
    scratch: Vec<u64>,
    ranks: Vec<u32>,
    scan: C::Scan,
}

impl<C: Criterion> Default for Workspace<C> {
    fn default() -> Workspace<C> {
        Workspace { keys: Vec::new(), scratch: Vec::new(), ranks: Vec::new(), scan: C::Scan::default() }
    }
}

/// What a search of one feature found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Found {
    /// All rows have the same value.
    Constant,
    /// No split leaves enough on both sides.
    Nothing,
    /// This.
    Split(Split),
}

/// Decreases closer than this share of the node's disorder are equal: they differ by rounding, and the first is taken, so that
/// neither a row's repetition nor the order of sums decides. Sums of 2²⁴ terms stay well within.
const ROUNDING: f64 = 1e-11;

/// Rows whose values are looked up one by one, rather than a cut's place among all values.
const FEW: usize = 64;

impl<C: Criterion> Site<'_, C> {
    /// How much more a split must take away than another to be better.
    pub fn margin(&self) -> f64 {
        ROUNDING * self.criterion.weight(self.node) * self.criterion.impurity(self.node)
    }

    /// The best split of `feature`, or a random one.
    pub fn search(&self, feature: u32, rng: &mut Rng, space: &mut Workspace<C>) -> Found {
        match self.splitter {
            Splitter::Best => self.best(feature, space),
            Splitter::Random => self.random(feature, rng, space),
        }
    }

    fn best(&self, feature: u32, space: &mut Workspace<C>) -> Found {
        let codes = self.columns.codes(feature as usize);
        let Workspace { keys, scratch, scan, .. } = space;
        keys.clear();
        keys.extend(self.rows.iter().zip(0u64..).map(|(&row, i)| u64::from(codes[row as usize]) << 32 | i));
        let bits = self.columns.values(feature as usize).len().max(2).next_power_of_two().ilog2();
        sort_keys(keys, scratch, 32..32 + bits);
        let code = |key: u64| (key >> 32) as u32;
        let n = keys.len();
        if n == 0 || code(keys[0]) == code(keys[n - 1]) {
            return Found::Constant;
        }
        let (criterion, node) = (self.criterion, self.node);
        let (margin, most) = (self.margin(), criterion.weight(node) - self.min_weight);
        criterion.start(node, scan);
        let (mut best, mut at) = (f64::NEG_INFINITY, None);
        for (i, pair) in keys.windows(2).enumerate() {
            criterion.take(node, scan, pair[0] as u32 as usize);
            if code(pair[0]) == code(pair[1]) || i + 1 < self.min_rows || n - i - 1 < self.min_rows {
                continue;
            }
            let decrease = criterion.decrease(node, scan);
            if decrease > best + margin && self.balanced(criterion.left(scan), most) {
                (best, at) = (decrease, Some(i));
            }
        }
        let Some(pair) = at.and_then(|i| keys.get(i..i + 2)) else { return Found::Nothing };
        let (low, high) = (code(pair[0]), code(pair[1]));
        Found::Split(Split { feature, code: low, threshold: Threshold::Below(high), decrease: best })
    }

    fn balanced(&self, left: f64, most: f64) -> bool {
        self.min_weight == 0.0 || left >= self.min_weight && left <= most
    }

    fn random(&self, feature: u32, rng: &mut Rng, space: &mut Workspace<C>) -> Found {
        let (codes, values) = (self.columns.codes(feature as usize), self.columns.values(feature as usize));
        let Workspace { ranks, scan, .. } = space;
        ranks.clear();
        ranks.extend(self.rows.iter().map(|&row| codes[row as usize]));
        let (low, high) = ranks.iter().fold((u32::MAX, 0), |(low, high), &code| (low.min(code), high.max(code)));
        let (Some(&first), Some(&last)) = (values.get(low as usize), values.get(high as usize)) else {
            return Found::Nothing;
        };
        if low == high {
            return Found::Constant;
        }
        let share: f64 = rng.random();
        let drawn = first * (1.0 - share) + last * share;
        let threshold = if drawn >= first && drawn < last { drawn } else { first };
        let left = |rank: u32| values.get(rank as usize).is_some_and(|&value| value <= threshold);
        // the steps of a bisection wait for each other's values, a look at each row's does not
        let code = match ranks.len() <= FEW {
            true => ranks.iter().fold(low, |code, &rank| if left(rank) { code.max(rank) } else { code }),
            false => {
                low + values[low as usize..high as usize].partition_point(|&v| v <= threshold).saturating_sub(1) as u32
            }
        };
        let (criterion, node) = (self.criterion, self.node);
        let count = ranks.iter().filter(|&&rank| rank <= code).count();
        criterion.start(node, scan);
        criterion.cut(node, scan, ranks.iter().map(|&rank| rank <= code));
        let most = criterion.weight(node) - self.min_weight;
        let enough = count >= self.min_rows && self.rows.len() - count >= self.min_rows;
        match enough && self.balanced(criterion.left(scan), most) {
            true => {
                let decrease = criterion.decrease(node, scan);
                Found::Split(Split { feature, code, threshold: Threshold::At(threshold), decrease })
            }
            false => Found::Nothing,
        }
    }
}
