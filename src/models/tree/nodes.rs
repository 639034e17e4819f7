//! A grown tree: its nodes, what it says of rows, and its place in a file.

use crate::error::Result;
use crate::models::store::{Reader, Writer};

/// `left` of a leaf: no node comes before the root.
pub(super) const LEAF: u32 = 0;

/// Flag of a node's feature: missing values go right. Without it, left.
pub(super) const MISSING_RIGHT: u32 = 1 << 31;
/// Flag of a node's feature: the threshold is the place of a set of categories, and those in it go left.
pub(super) const CATEGORIES: u32 = 1 << 30;

/// A node that rows pass. Those whose feature is at most the threshold go to `left`, the others to `left + 1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Node {
    pub threshold: f64,
    pub feature: u32,
    pub left: u32,
}

impl Node {
    /// The column that is looked at.
    pub fn column(self) -> usize {
        (self.feature & !(MISSING_RIGHT | CATEGORIES)) as usize
    }
}

/// What is known of the rows a node was grown on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Facts {
    pub impurity: f64,
    pub weight: f64,
    pub samples: u32,
}

/// A grown tree. Node 0 is the root; children come in pairs, after their parent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) facts: Vec<Facts>,
    /// What each node predicts as a leaf, `[nodes, outputs]`.
    pub(super) values: Vec<f64>,
    pub(super) outputs: usize,
    /// Sets of categories that go left, each ascending.
    pub(super) sets: Vec<Vec<f64>>,
}

/// One node of a [`Tree`], as it is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeView<'a> {
    /// How it splits; `None` of a leaf.
    pub split: Option<SplitView>,
    /// What it predicts, or would: the classes' shares, or a number.
    pub value: &'a [f64],
    /// Its disorder, by the criterion.
    pub impurity: f64,
    /// The weight of its rows.
    pub weight: f64,
    /// The number of its rows.
    pub samples: usize,
}

/// How a node splits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitView {
    /// The column that is looked at.
    pub feature: usize,
    /// Rows with at most this value go left; NaN where it is categories that do.
    pub threshold: f64,
    /// The node on the left.
    pub left: usize,
    /// The node on the right.
    pub right: usize,
}

/// Features that a file may tell of: importances take as much memory, whatever its trees use.
const MOST_FEATURES: usize = 1 << 24;

impl Tree {
    /// The number of nodes; node 0 is the root.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// A node; `None` past the end.
    pub fn node(&self, index: usize) -> Option<NodeView<'_>> {
        let (node, facts) = (self.nodes.get(index)?, self.facts.get(index)?);
        let left = node.left as usize;
        let threshold = if node.feature & CATEGORIES == 0 { node.threshold } else { f64::NAN };
        let split = SplitView { feature: node.column(), threshold, left, right: left + 1 };
        Some(NodeView {
            split: (node.left != LEAF).then_some(split),
            value: self.value(index),
            impurity: facts.impurity,
            weight: facts.weight,
            samples: facts.samples as usize,
        })
    }

    /// The number of leaves.
    pub fn leaf_count(&self) -> usize {
        self.nodes.iter().filter(|node| node.left == LEAF).count()
    }

    /// The longest way from the root to a leaf, in splits.
    pub fn depth(&self) -> usize {
        self.depths().into_iter().max().unwrap_or(0)
    }

    /// The depth of each node.
    pub(super) fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.nodes.len()];
        for (i, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.left != LEAF) {
            let below = depths[i] + 1;
            depths.iter_mut().skip(node.left as usize).take(2).for_each(|depth| *depth = below);
        }
        depths
    }

    /// The leaf that a row ends in.
    #[inline]
    pub fn leaf(&self, row: &[f64]) -> usize {
        let mut at = 0;
        while let Some(node) = self.nodes.get(at).filter(|node| node.left != LEAF) {
            let value = row.get(node.column()).copied().unwrap_or(f64::NAN);
            // NaN is on neither side of a threshold
            let goes_right = match node.feature & (MISSING_RIGHT | CATEGORIES) {
                0 => value > node.threshold,
                MISSING_RIGHT => value > node.threshold || value.is_nan(),
                _ => !self.in_set(*node, value),
            };
            at = node.left as usize + usize::from(goes_right);
        }
        at
    }

    fn in_set(&self, node: Node, value: f64) -> bool {
        let set = self.sets.get(node.threshold as usize).map_or(&[][..], Vec::as_slice);
        let found = set.binary_search_by(|category| category.total_cmp(&(value + 0.0))).is_ok();
        found || value.is_nan() && node.feature & MISSING_RIGHT == 0
    }

    /// What a node predicts as a leaf.
    #[inline]
    pub(super) fn value(&self, node: usize) -> &[f64] {
        self.values.get(node * self.outputs..(node + 1) * self.outputs).unwrap_or_default()
    }

    /// Per feature, the disorder that its splits took away, as a share of all that was; 0 for a single leaf.
    pub fn importances(&self, width: usize) -> Vec<f64> {
        let mut importances = vec![0.0; width];
        let disorder = |i: usize| self.facts.get(i).map_or(0.0, |facts| facts.weight * facts.impurity);
        for (i, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.left != LEAF) {
            let left = node.left as usize;
            if let Some(importance) = importances.get_mut(node.column()) {
                *importance += (disorder(i) - disorder(left) - disorder(left + 1)).max(0.0);
            }
        }
        normalise(&mut importances);
        importances
    }

    /// Puts the trees of a model into its file, one after another.
    pub(super) fn store_all(trees: &[Tree], out: &mut Writer<'_>) -> Result<()> {
        let sizes: Vec<u32> = trees.iter().map(|tree| tree.nodes.len() as u32).collect();
        let nodes = || trees.iter().flat_map(|tree| &tree.nodes);
        let facts = || trees.iter().flat_map(|tree| &tree.facts);
        let all: usize = trees.iter().map(|tree| tree.nodes.len()).sum();
        let outputs = trees.first().map_or(0, |tree| tree.outputs);
        out.counts("sizes", &sizes, &[sizes.len()])?;
        out.counts("features", &nodes().map(|node| node.feature).collect::<Vec<_>>(), &[all])?;
        out.counts("left", &nodes().map(|node| node.left).collect::<Vec<_>>(), &[all])?;
        out.doubles("thresholds", &nodes().map(|node| node.threshold).collect::<Vec<_>>(), &[all])?;
        out.doubles("impurities", &facts().map(|facts| facts.impurity).collect::<Vec<_>>(), &[all])?;
        out.doubles("weights", &facts().map(|facts| facts.weight).collect::<Vec<_>>(), &[all])?;
        out.counts("samples", &facts().map(|facts| facts.samples).collect::<Vec<_>>(), &[all])?;
        let values: Vec<f64> = trees.iter().flat_map(|tree| &tree.values).copied().collect();
        out.doubles("values", &values, &[all, outputs])?;
        let sets = || trees.iter().flat_map(|tree| &tree.sets);
        if sets().next().is_some() {
            let of_tree: Vec<u32> = trees.iter().map(|tree| tree.sets.len() as u32).collect();
            let lengths: Vec<u32> = sets().map(|set| set.len() as u32).collect();
            let categories: Vec<f64> = sets().flatten().copied().collect();
            out.counts("sets_of_tree", &of_tree, &[of_tree.len()])?;
            out.counts("set_sizes", &lengths, &[lengths.len()])?;
            out.doubles("categories", &categories, &[categories.len()])?;
        }
        Ok(())
    }

    /// Takes them out again. Whatever the file says, the trees that come out have a root and no cycle, and their features,
    /// values and thresholds can be used: children lie behind their parent, each has one, and all numbers are finite.
    pub(super) fn restore_all(from: &Reader<'_>, width: usize, outputs: usize) -> Result<Vec<Tree>> {
        if width > MOST_FEATURES {
            return Err(from.error(format!("{width} features; at most {MOST_FEATURES}")));
        }
        let (sizes, _) = from.counts("sizes")?;
        let (left, shape) = from.counts("left")?;
        let [all] = shape[..] else { return Err(from.error("left: one dimension is needed")) };
        let whole = sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size as usize));
        if whole != Some(all) || sizes.contains(&0) || sizes.is_empty() {
            return Err(from.error(format!("sizes: they do not add up to the {all} nodes")));
        }
        let counts = |name: &str| match from.counts(name)? {
            (values, shape) if shape == [all] => Ok(values),
            (_, shape) => Err(from.error(format!("{name} has shape {shape:?}; [{all}] is needed"))),
        };
        let (features, samples) = (counts("features")?, counts("samples")?);
        let (thresholds, impurities) = (from.vector("thresholds", all)?, from.vector("impurities", all)?);
        let weights = from.vector("weights", all)?;
        let (values, shape) = from.doubles("values")?;
        if shape != [all, outputs] || outputs == 0 {
            return Err(from.error(format!("values has shape {shape:?}; [{all}, {outputs}] is needed")));
        }
        let all_finite = [&thresholds, &impurities, &weights, &values].into_iter().flatten().all(|v| v.is_finite());
        if !all_finite {
            return Err(from.error("trees: a number is not finite"));
        }
        let mut nodes = thresholds.iter().zip(&features).zip(&left).map(|((&threshold, &feature), &left)| Node {
            threshold,
            feature,
            left,
        });
        let mut facts = impurities.iter().zip(&weights).zip(&samples).map(|((&impurity, &weight), &samples)| Facts {
            impurity,
            weight,
            samples,
        });
        let mut values = values.chunks_exact(outputs);
        let mut trees = Vec::with_capacity(sizes.len());
        let mut sets = Tree::restore_sets(from, &features, sizes.len())?.into_iter();
        for &size in &sizes {
            let size = size as usize;
            let tree = Tree {
                nodes: nodes.by_ref().take(size).collect(),
                facts: facts.by_ref().take(size).collect(),
                values: values.by_ref().take(size).flatten().copied().collect(),
                outputs,
                sets: sets.next().unwrap_or_default(),
            };
            tree.validate(width).map_err(|what| from.error(what))?;
            trees.push(tree);
        }
        Ok(trees)
    }

    /// The sets of each tree; none where no node looks at categories.
    fn restore_sets(from: &Reader<'_>, features: &[u32], trees: usize) -> Result<Vec<Vec<Vec<f64>>>> {
        if features.iter().all(|feature| feature & CATEGORIES == 0) {
            return Ok(Vec::new());
        }
        let (of_tree, lengths) = (from.counts("sets_of_tree")?.0, from.counts("set_sizes")?.0);
        let categories = from.doubles("categories")?.0;
        let sum = |counts: &[u32]| counts.iter().map(|&count| u64::from(count)).sum::<u64>();
        let fits = sum(&of_tree) == lengths.len() as u64 && sum(&lengths) == categories.len() as u64;
        if !fits || of_tree.len() != trees || categories.iter().any(|v| !v.is_finite()) {
            return Err(from.error("sets of categories: counts and contents differ"));
        }
        let (mut lengths, mut categories) = (lengths.into_iter(), categories.into_iter());
        let mut set = || categories.by_ref().take(lengths.next().unwrap_or(0) as usize).collect();
        Ok(of_tree.into_iter().map(|count| (0..count).map(|_| set()).collect()).collect())
    }

    /// Whether every node but the root has one parent, before it, every feature a column, and every set is there.
    fn validate(&self, width: usize) -> std::result::Result<(), String> {
        let mut parents = vec![0u8; self.nodes.len()];
        for (i, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.left != LEAF) {
            let left = node.left as usize;
            if left <= i || left + 1 >= self.nodes.len() {
                return Err(format!("left: children {left} and {} of node {i}; they must follow it", left + 1));
            }
            if node.column() >= width {
                return Err(format!("features: column {} of {width} in node {i}", node.column()));
            }
            if node.feature & CATEGORIES != 0 && self.sets.get(node.threshold as usize).is_none() {
                return Err(format!("thresholds: set {} of {} in node {i}", node.threshold, self.sets.len()));
            }
            parents.iter_mut().skip(left).take(2).for_each(|count| *count = count.saturating_add(1));
        }
        match parents.iter().skip(1).position(|&count| count != 1) {
            None => Ok(()),
            Some(i) => Err(format!("left: node {} has not one parent", i + 1)),
        }
    }
}

/// Scales shares to sum to 1, unless all are 0.
pub(super) fn normalise(shares: &mut [f64]) {
    let total: f64 = shares.iter().sum();
    if total > 0.0 {
        shares.iter_mut().for_each(|share| *share /= total);
    }
}
