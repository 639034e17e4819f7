//! Growth: from rows to a tree, in depth or by the best split first.

use super::columns::Columns;
use super::criterion::Criterion;
use super::nodes::{Facts, LEAF, Node, Tree};
use super::settings::{Rules, Splitter};
use super::split::{Found, Site, Split, Threshold, Workspace};
use crate::device::cpu::parallel::for_chunks;
use crate::rng::Rng;
use rand::RngExt;

/// Nanoseconds a row costs in a search of one feature, in the unit of [`for_chunks`]'s work.
const WORK_PER_ROW: u64 = 200;

/// Rows of a node from which its features are shared out among threads: the sort of one feature then takes some 50 µs, ten times
/// what it costs to wake a thread.
const MIN_SHARED: usize = 2048;

/// What is grown from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground<'a, C: Criterion> {
    pub columns: &'a Columns,
    pub criterion: &'a C,
    /// What each row answers, `[N]`.
    pub answers: &'a [C::Answer],
    /// The weight of each row, `[N]`.
    pub weights: &'a [f64],
    pub rules: &'a Rules,
    /// How many features a split is sought among.
    pub max_features: usize,
    pub threads: usize,
}

/// A node that will be split.
struct Pending {
    node: usize,
    start: usize,
    end: usize,
    depth: usize,
    split: Split,
}

struct Grower<'a, C: Criterion> {
    ground: Ground<'a, C>,
    rng: Rng,
    rows: Vec<u32>,
    moved: Vec<u32>,
    features: Vec<u32>,
    total: f64,
    tree: Tree,
    node: C::Node,
    space: Workspace<C>,
    pending: Vec<Pending>,
}

impl<C: Criterion> Ground<'_, C> {
    /// Grows a tree on `rows`, which are not empty and have weights above 0; features and thresholds are drawn from `rng`.
    pub fn grow(self, rows: Vec<u32>, rng: Rng) -> Tree {
        let mut grower = Grower {
            ground: self,
            rng,
            moved: vec![0; rows.len()],
            features: (0..self.columns.width() as u32).collect(),
            total: rows.iter().map(|&row| self.weights[row as usize]).sum(),
            rows,
            tree: Tree { outputs: self.criterion.outputs(), ..Tree::default() },
            node: C::Node::default(),
            space: Workspace::default(),
            pending: Vec::new(),
        };
        grower.plant(0, grower.rows.len(), 0);
        let mut leaves = 1;
        while leaves < self.rules.max_leaf_nodes.unwrap_or(usize::MAX) {
            let Some(next) = grower.next() else { break };
            grower.divide(next);
            leaves += 1;
        }
        grower.tree
    }
}

impl<C: Criterion> Grower<'_, C> {
    /// The node to split next: the last one, or, where leaves are counted, the one that takes away most.
    fn next(&mut self) -> Option<Pending> {
        if self.ground.rules.max_leaf_nodes.is_none() {
            return self.pending.pop();
        }
        let best = (0..self.pending.len()).max_by(|&a, &b| {
            let of = |i: usize| (self.pending[i].split.decrease, self.pending[i].node);
            of(a).0.total_cmp(&of(b).0).then(of(b).1.cmp(&of(a).1))
        })?;
        Some(self.pending.swap_remove(best))
    }

    /// Adds a node of some rows, and remembers its split when it has one.
    fn plant(&mut self, start: usize, end: usize, depth: usize) {
        let Ground { criterion, answers, weights, rules, .. } = self.ground;
        let rows = &self.rows[start..end];
        criterion.enter(&mut self.node, rows.iter().map(|&row| (answers[row as usize], weights[row as usize])));
        let (weight, impurity) = (criterion.weight(&self.node), criterion.impurity(&self.node));
        let index = self.tree.nodes.len();
        self.tree.nodes.push(Node { threshold: 0.0, feature: 0, left: LEAF });
        self.tree.facts.push(Facts { impurity, weight, samples: rows.len() as u32 });
        criterion.predict(&self.node, &mut self.tree.values);

        let min_weight = rules.min_weight_fraction_leaf * self.total;
        let done = criterion.pure(&self.node)
            || rules.max_depth.is_some_and(|most| depth >= most)
            || rows.len() < rules.min_samples_split
            || rows.len() / 2 < rules.min_samples_leaf
            || weight < 2.0 * min_weight;
        if done {
            return;
        }
        let Some(split) = self.search(start, end, min_weight) else { return };
        // as in scikit-learn, a decrease of 0 is a split, for what follows may need it; rounding may show it as less
        if split.decrease.max(0.0) / self.total + f64::EPSILON >= rules.min_impurity_decrease {
            self.pending.push(Pending { node: index, start, end, depth, split });
        }
    }

    /// The best split among all features, or among as many as are drawn: at least one that is not constant.
    fn search(&mut self, start: usize, end: usize, min_weight: f64) -> Option<Split> {
        let Ground { columns, criterion, rules, max_features, threads, .. } = self.ground;
        let rows = &self.rows[start..end];
        let (node, min_rows, splitter) = (&self.node, rules.min_samples_leaf, rules.splitter);
        let site = Site { columns, criterion, node, rows, min_rows, min_weight, splitter };
        let margin = site.margin();
        let mut best: Option<Split> = None;
        let mut judge = |found: Found| {
            if let Found::Split(split) = found
                && best.is_none_or(|best| split.decrease > best.decrease + margin)
            {
                best = Some(split);
            }
        };
        let width = self.features.len();
        if max_features < width {
            let mut useful = false;
            for i in 0..width {
                let drawn = self.rng.random_range(i..width);
                self.features.swap(i, drawn);
                let found = site.search(self.features[i], &mut self.rng, &mut self.space);
                useful |= found != Found::Constant;
                judge(found);
                if useful && i + 1 >= max_features {
                    break;
                }
            }
        } else if threads > 1 && splitter == Splitter::Best && rows.len() >= MIN_SHARED {
            let mut found = vec![Found::Nothing; width];
            let idle = Rng::seed(0); // nothing is drawn
            for_chunks(threads, &mut found, 1, WORK_PER_ROW * rows.len() as u64, |feature, out| {
                let mut space = Workspace::default();
                out.fill_with(|| site.search(feature as u32, &mut idle.clone(), &mut space));
            });
            found.into_iter().for_each(judge);
        } else {
            for feature in 0..width as u32 {
                judge(site.search(feature, &mut self.rng, &mut self.space));
            }
        }
        best
    }

    /// Moves the rows of a node to its children, which keep their order.
    fn divide(&mut self, pending: Pending) {
        let Pending { node, start, end, depth, split } = pending;
        let codes = self.ground.columns.codes(split.feature as usize);
        let (rows, moved) = (&mut self.rows[start..end], &mut self.moved[start..end]);
        let (mut left, mut right) = (0, 0);
        for i in 0..rows.len() {
            let row = rows[i];
            let goes_left = codes[row as usize] <= split.code;
            rows[left] = row; // written to both sides, counted on one: no branch to guess; left <= i
            moved[right] = row;
            left += usize::from(goes_left);
            right += usize::from(!goes_left);
        }
        rows[left..].copy_from_slice(&moved[..right]);
        let child = self.tree.nodes.len();
        let threshold = match split.threshold {
            Threshold::At(value) => value,
            Threshold::Below(high) => self.ground.columns.between(split.feature as usize, split.code, high),
        };
        self.tree.nodes[node] = Node { threshold, feature: split.feature, left: child as u32 };
        // both children are pairs of neighbours: planted before either is split
        self.plant(start, start + left, depth + 1);
        self.plant(start + left, end, depth + 1);
    }
}
