//! Pruning by cost and complexity (Breiman, Friedman, Olshen, Stone, "Classification and Regression Trees", 1984, chapter 3):
//! the branch whose leaves gain least is cut first, and so on up to the root.

use super::nodes::{LEAF, Tree};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The trees that pruning passes through, from the whole one to the root alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PruningPath {
    /// The price of a leaf at which each of the trees is the best one, ascending from 0. As `ccp_alpha` it gives that tree.
    pub ccp_alphas: Vec<f64>,
    /// The disorder of each tree: that of its leaves, by their share of the weight.
    pub impurities: Vec<f64>,
}

/// A tree being pruned.
struct Pruning<'a> {
    tree: &'a Tree,
    parents: Vec<usize>,
    /// Per node: whether it is still there, leaves below it, disorder of these leaves, and of itself as a leaf.
    alive: Vec<bool>,
    leaves: Vec<usize>,
    branch: Vec<f64>,
    alone: Vec<f64>,
}

impl<'a> Pruning<'a> {
    fn new(tree: &'a Tree) -> Pruning<'a> {
        let n = tree.nodes.len();
        let total = tree.facts.first().map_or(1.0, |root| root.weight);
        let alone: Vec<f64> = tree.facts.iter().map(|facts| facts.weight * facts.impurity / total).collect();
        let (mut parents, mut leaves, mut branch) = (vec![0; n], vec![1; n], alone.clone());
        for i in (0..n).rev().filter(|&i| tree.nodes[i].left != LEAF) {
            let left = tree.nodes[i].left as usize; // children come after their parent, so they are summed already
            (parents[left], parents[left + 1]) = (i, i);
            leaves[i] = leaves[left] + leaves[left + 1];
            branch[i] = branch[left] + branch[left + 1];
        }
        Pruning { tree, parents, alive: vec![true; n], leaves, branch, alone }
    }

    /// What a leaf costs when cutting below this node loses nothing; as an integer of the same order.
    fn price(&self, node: usize) -> Option<u64> {
        let cut = self.alive[node] && self.leaves[node] > 1;
        // rounding may leave less than 0 where nothing is lost
        cut.then(|| ((self.alone[node] - self.branch[node]) / (self.leaves[node] - 1) as f64).max(0.0).to_bits())
    }

    /// Cuts while a leaf costs at most `most`; tells of each cut its price and what disorder is left.
    fn run(&mut self, most: f64, mut told: impl FnMut(f64, f64)) {
        let queue = (0..self.tree.nodes.len()).filter_map(|node| Some(Reverse((self.price(node)?, node))));
        let mut queue: BinaryHeap<_> = queue.collect();
        while let Some(Reverse((bits, node))) = queue.pop() {
            if self.price(node) != Some(bits) {
                continue; // an entry from before a cut below it
            }
            let price = f64::from_bits(bits);
            if price > most {
                break;
            }
            self.cut(node);
            let (mut at, fewer, more) = (node, self.leaves[node] - 1, self.alone[node] - self.branch[node]);
            loop {
                self.leaves[at] -= fewer;
                self.branch[at] += more;
                if let Some(bits) = self.price(at) {
                    queue.push(Reverse((bits, at)));
                }
                if at == 0 {
                    break;
                }
                at = self.parents[at];
            }
            told(price, self.branch[0]);
        }
    }

    /// All below `node` is no more.
    fn cut(&mut self, node: usize) {
        let mut below = vec![node];
        while let Some(node) = below.pop() {
            let left = self.tree.nodes[node].left as usize;
            if left != LEAF as usize && self.alive[left] {
                (self.alive[left], self.alive[left + 1]) = (false, false);
                below.extend([left, left + 1]);
            }
        }
    }
}

impl Tree {
    /// The tree without the branches that gain less than `alpha` of disorder a leaf.
    pub(super) fn pruned(self, alpha: f64) -> Tree {
        if alpha <= 0.0 {
            return self;
        }
        let mut pruning = Pruning::new(&self);
        pruning.run(alpha, |_, _| {});
        let mut places = vec![0u32; self.nodes.len()];
        let mut next = 0;
        for (place, &alive) in places.iter_mut().zip(&pruning.alive) {
            *place = next;
            next += u32::from(alive);
        }
        let mut tree = Tree { outputs: self.outputs, ..Tree::default() };
        for (i, node) in self.nodes.iter().enumerate().filter(|(i, _)| pruning.alive[*i]) {
            let mut node = *node;
            let inner = node.left != LEAF && pruning.alive[node.left as usize];
            node.left = if inner { places[node.left as usize] } else { LEAF };
            tree.nodes.push(node);
            tree.facts.push(self.facts[i]);
            tree.values.extend(self.value(i));
        }
        tree
    }

    /// The trees that pruning passes through.
    pub(super) fn pruning_path(&self) -> PruningPath {
        let mut pruning = Pruning::new(self);
        let whole = pruning.branch.first().copied().unwrap_or(0.0);
        let mut path = PruningPath { ccp_alphas: vec![0.0], impurities: vec![whole] };
        pruning.run(f64::INFINITY, |alpha, impurity| {
            path.ccp_alphas.push(alpha);
            path.impurities.push(impurity);
        });
        path
    }
}
