//! One tree of a boosted ensemble, grown leaf by leaf, the best split first.

use super::bins::{Binned, Binning, LANES};
use super::device::{Entries, There};
use super::histogram::{BINS, BLOCK, Entry, Scale, build};
use super::split::{Bins, Leaf, Limits, Search, Split, better, contains};
use crate::device::cpu::parallel::for_chunks;
use crate::error::Result;
use crate::models::tree::nodes::{CATEGORIES, Facts, LEAF, MISSING_RIGHT, Node, Tree};
use std::ops::Range;

/// Rows that a thread moves at once.
const CHUNK: usize = 8192;
/// Work of a row in a block of features, and of searching a block's bins, in the unit of [`for_chunks`]: about 4 and 8,000 ns.
const ROW: u64 = 80;
const SEARCH: u64 = 80_000;

/// How trees are grown, the same for all of them.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub binned: &'a Binned,
    /// Where the histograms of large leaves are made; the CPU's own loop where there is none.
    pub there: Option<&'a There>,
    pub limits: &'a Limits,
    pub max_leaves: usize,
    pub max_depth: usize,
    pub learning_rate: f64,
}

/// A grown tree and the rows of its leaves.
#[derive(Debug, Default)]
pub(super) struct Grown {
    pub tree: Tree,
    /// Each leaf's node and its part of `rows`.
    pub leaves: Vec<(usize, Range<usize>)>,
    pub rows: Vec<u32>,
    /// Per feature, what its splits gained.
    pub gains: Vec<f64>,
}

/// Memory of growing, kept from tree to tree: new pages cost more than what is written to them.
#[derive(Debug, Default)]
pub(super) struct Memory {
    histograms: Vec<Vec<Entry>>,
    entries: Vec<Entry>,
    scratch: Vec<u32>,
}

/// A leaf that may be split.
struct Open {
    node: usize,
    rows: Range<usize>,
    depth: usize,
    leaf: Leaf,
    histograms: Vec<Entry>,
    split: Option<Split>,
}

/// The work of one block of features: to build the histograms of one leaf, to take them from its sibling's, and to search both.
struct Slot<'a> {
    small: &'a mut [Entry],
    large: Option<&'a mut [Entry]>,
    found: [Option<Split>; 2],
}

impl Plan<'_> {
    /// Grows a tree on `rows` with the gradients and hessians of all rows. `memory` is that of trees before.
    ///
    /// # Errors
    /// What the device reports.
    pub fn grow(
        &self,
        steps: &[[f32; 2]],
        scale: Scale,
        rows: Vec<u32>,
        memory: &mut Memory,
        threads: usize,
    ) -> Result<Grown> {
        let width = self.binned.features.len();
        let mut grown = Grown { gains: vec![0.0; width], rows, ..Grown::default() };
        grown.tree.outputs = 1;
        let all = 0..grown.rows.len();
        let Memory { histograms: spare, entries, scratch } = memory;
        scratch.resize(all.len(), 0);
        let empty = || vec![Entry::default(); self.binned.blocks.len() * BLOCK];
        let mut histograms = spare.pop().unwrap_or_else(empty);
        take_entries(&grown.rows, steps, scale, entries, threads);
        let there = match self.there {
            Some(there) => there.entries(steps, scale, grown.rows.len(), threads)?,
            None => None,
        };
        let bounds = [f64::NEG_INFINITY, f64::INFINITY];
        let mut leaf = Leaf { sum: Entry::default(), bounds };
        entries.iter().for_each(|&entry| leaf.sum.add(entry));
        let value = self.search(scale, leaf).value(leaf.sum);
        self.add(&mut grown.tree, leaf, value);
        let mut root = Open { node: 0, rows: all.clone(), depth: 0, leaf, histograms: Vec::new(), split: None };
        if self.splittable(&root) {
            let made = made(&there, &grown.rows, &mut histograms)?;
            let entries = (!made).then_some(entries.as_slice());
            let [found, _] =
                self.sum_and_search(scale, &grown.rows, entries, [leaf; 2], &mut histograms, None, threads);
            root.split = found;
            root.histograms = histograms;
        }
        let mut open = vec![root];
        while open.len() < self.max_leaves {
            let gain = |leaf: &Open| leaf.split.map_or(0.0, |split| split.gain);
            // the first of the largest
            let best = (0..open.len()).rev().max_by(|&a, &b| gain(&open[a]).total_cmp(&gain(&open[b])));
            let Some((best, split)) = best.and_then(|best| Some((best, open[best].split?))) else { break };
            let parent = open.swap_remove(best);
            let children = self.divide(&mut grown, scratch, &parent, split, threads);
            let [mut left, mut right] = children;
            let wanted = open.len() + 2 < self.max_leaves && (self.splittable(&left) || self.splittable(&right));
            if wanted {
                let (small, large) =
                    if left.rows.len() <= right.rows.len() { (&mut left, &mut right) } else { (&mut right, &mut left) };
                let rows = &grown.rows[small.rows.clone()];
                small.histograms = spare.pop().unwrap_or_else(empty);
                let made = made(&there, rows, &mut small.histograms)?;
                if !made {
                    take_entries(rows, steps, scale, entries, threads);
                }
                let entries = (!made).then_some(entries.as_slice());
                large.histograms = parent.histograms;
                let leaves = [small.leaf, large.leaf];
                let siblings = Some(large.histograms.as_mut_slice());
                let memory = &mut small.histograms;
                let found = self.sum_and_search(scale, rows, entries, leaves, memory, siblings, threads);
                [small.split, large.split] = found;
                for child in [small, large] {
                    if !self.splittable(child) || child.split.is_none() {
                        child.split = None;
                        spare.push(std::mem::take(&mut child.histograms));
                    }
                }
            } else {
                spare.push(parent.histograms);
            }
            open.extend([left, right]);
        }
        spare.extend(open.iter_mut().map(|leaf| std::mem::take(&mut leaf.histograms)).filter(|h| !h.is_empty()));
        grown.leaves = open.into_iter().map(|leaf| (leaf.node, leaf.rows)).collect();
        grown.leaves.sort_by_key(|leaf| leaf.0);
        Ok(grown)
    }

    fn search(&self, scale: Scale, leaf: Leaf) -> Search<'_> {
        Search { binned: self.binned, limits: self.limits, scale, leaf }
    }

    fn splittable(&self, leaf: &Open) -> bool {
        leaf.depth < self.max_depth && leaf.rows.len() / 2 >= self.limits.min_samples_leaf as usize
    }

    fn add(&self, tree: &mut Tree, leaf: Leaf, value: f64) {
        tree.nodes.push(Node { threshold: 0.0, feature: 0, left: LEAF });
        tree.values.push(value * self.learning_rate);
        let samples = leaf.sum.count();
        tree.facts.push(Facts { impurity: 0.0, weight: f64::from(samples), samples });
    }

    /// Histograms of a leaf's rows (from their entries; made already where there are none), those of its sibling by what is left
    /// of their parent's, and the best split of both.
    #[allow(clippy::too_many_arguments)] // both leaves, their memory and their rows: a struct would be filled once
    fn sum_and_search(
        &self,
        scale: Scale,
        rows: &[u32],
        entries: Option<&[Entry]>,
        leaves: [Leaf; 2],
        small: &mut [Entry],
        large: Option<&mut [Entry]>,
        threads: usize,
    ) -> [Option<Split>; 2] {
        let mut siblings = large.map(|large| large.chunks_exact_mut(BLOCK));
        let mut slots: Vec<Slot<'_>> = small
            .chunks_exact_mut(BLOCK)
            .map(|small| Slot { small, large: siblings.as_mut().and_then(Iterator::next), found: [None; 2] })
            .collect();
        let [small, large] = leaves.map(|leaf| self.search(scale, leaf));
        let work = ROW * rows.len() as u64 + 2 * SEARCH;
        for_chunks(threads, &mut slots, 1, work, |block, slots| {
            for slot in slots {
                let Some(bins) = self.binned.blocks.get(block) else { return };
                if let Some(entries) = entries {
                    build(bins, rows, entries, slot.small);
                }
                slot.found[0] = small.block(block, slot.small);
                if let Some(sibling) = slot.large.as_deref_mut() {
                    sibling.iter_mut().zip(&*slot.small).for_each(|(entry, other)| entry.subtract(*other));
                    slot.found[1] = large.block(block, sibling);
                }
            }
        });
        slots.iter().fold([None; 2], |best, slot| [better(best[0], slot.found[0]), better(best[1], slot.found[1])])
    }

    /// Splits a leaf: its rows, and its node into two more.
    fn divide(&self, grown: &mut Grown, scratch: &mut [u32], parent: &Open, split: Split, threads: usize) -> [Open; 2] {
        let (start, end) = (parent.rows.start, parent.rows.end);
        let bins = self.binned.blocks.get(split.feature / LANES).map_or(&[][..], Vec::as_slice);
        let (rows, scratch) = (&mut grown.rows[start..end], &mut scratch[start..end]);
        let middle = start + partition(rows, scratch, bins, split.feature % LANES, &split.left, threads);

        let mut right_sum = parent.leaf.sum;
        right_sum.subtract(split.left_sum);
        let [low, high] = parent.leaf.bounds;
        let cut = (split.values[0] + split.values[1]) / 2.0;
        let bounds = match self.limits.monotonic.get(split.feature).copied().unwrap_or(0) {
            0 => [[low, high]; 2],
            rising if rising > 0 => [[low, cut], [cut, high]],
            _ => [[cut, high], [low, cut]],
        };
        let child = grown.tree.nodes.len();
        let (node, set) = self.node(&split, child as u32, grown.tree.sets.len());
        grown.tree.nodes[parent.node] = node;
        grown.tree.sets.extend(set);
        if let Some(sum) = grown.gains.get_mut(split.feature) {
            *sum += split.gain;
        }
        let depth = parent.depth + 1;
        let leaves = [Leaf { sum: split.left_sum, bounds: bounds[0] }, Leaf { sum: right_sum, bounds: bounds[1] }];
        for (leaf, value) in leaves.into_iter().zip(split.values) {
            self.add(&mut grown.tree, leaf, value);
        }
        let open = |node, rows, leaf| Open { node, rows, depth, leaf, histograms: Vec::new(), split: None };
        [open(child, start..middle, leaves[0]), open(child + 1, middle..end, leaves[1])]
    }

    /// The split as a node that needs no bins, and the categories that go left.
    fn node(&self, split: &Split, left: u32, sets: usize) -> (Node, Option<Vec<f64>>) {
        let missing_right = if contains(&split.left, super::bins::MISSING as u8) { 0 } else { MISSING_RIGHT };
        let feature = split.feature as u32 | missing_right;
        match self.binned.features.get(split.feature) {
            Some(Binning::Categories(values)) => {
                let goes_left = (0..=255).zip(values).filter(|(bin, _)| contains(&split.left, *bin));
                let set = goes_left.map(|(_, &value)| value).collect();
                (Node { threshold: sets as f64, feature: feature | CATEGORIES, left }, Some(set))
            }
            Some(Binning::Numbers(edges)) => {
                // no edge: all numbers go left, and missing values right
                (Node { threshold: edges.get(split.bin).copied().unwrap_or(f64::MAX), feature, left }, None)
            }
            None => (Node { threshold: 0.0, feature: 0, left: LEAF }, None),
        }
    }
}

/// Whether the histograms of rows were made on a device.
fn made(there: &Option<Entries<'_>>, rows: &[u32], out: &mut [Entry]) -> Result<bool> {
    there.as_ref().map_or(Ok(false), |there| there.sum(rows, out))
}

/// Makes `entries` those of rows, in their order.
fn take_entries(rows: &[u32], steps: &[[f32; 2]], scale: Scale, entries: &mut Vec<Entry>, threads: usize) {
    entries.resize(rows.len(), Entry::default());
    for_chunks(threads, entries, CHUNK, 60 * CHUNK as u64, |chunk, out| {
        for (out, &row) in out.iter_mut().zip(&rows[chunk * CHUNK..]) {
            *out = scale.entry(steps[row as usize]);
        }
    });
}

/// Rows of one chunk while they are parted.
struct Part<'a> {
    rows: &'a mut [u32],
    scratch: &'a mut [u32],
    left: usize,
}

/// Puts rows whose bin is in `left` before the others; both keep their order. Returns how many go left.
fn partition(
    rows: &mut [u32],
    scratch: &mut [u32],
    bins: &[[u8; LANES]],
    lane: usize,
    left: &Bins,
    threads: usize,
) -> usize {
    let goes_left: [bool; BINS] = std::array::from_fn(|bin| contains(left, bin as u8));
    let parts = rows.chunks_mut(CHUNK).zip(scratch.chunks_mut(CHUNK));
    let mut parts: Vec<Part<'_>> = parts.map(|(rows, scratch)| Part { rows, scratch, left: 0 }).collect();
    for_chunks(threads, &mut parts, 1, 40 * CHUNK as u64, |_, parts| {
        for Part { rows, scratch, left } in parts {
            let (mut lefts, mut rights) = (0, 0); // in registers
            for i in 0..rows.len() {
                let row = rows[i];
                let goes_left = goes_left[bins[row as usize][lane] as usize];
                rows[lefts] = row; // written to both sides, counted on one: no branch to guess
                scratch[rights] = row;
                lefts += usize::from(goes_left);
                rights += usize::from(!goes_left);
            }
            *left = lefts;
        }
    });
    let lefts: Vec<usize> = parts.iter().map(|part| part.left).collect();
    let total = lefts.iter().sum();
    let mut to = 0;
    for (chunk, &left) in lefts.iter().enumerate() {
        rows.copy_within(chunk * CHUNK..chunk * CHUNK + left, to);
        to += left;
    }
    for (scratch, &left) in scratch.chunks(CHUNK).zip(&lefts) {
        let right = scratch.len() - left;
        rows[to..to + right].copy_from_slice(&scratch[..right]);
        to += right;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_parted_in_order_however_many_chunks_there_are() {
        for n in [0, 1, 100, CHUNK, 3 * CHUNK + 5] {
            let bins: Vec<[u8; LANES]> = (0..n).map(|i| [(i * 7 % 256) as u8; LANES]).collect();
            let mut rows: Vec<u32> = (0..n as u32).collect();
            let left: Bins = [0x00ff_00ff_00ff_00ff, 0, u64::MAX, 1];
            let expected: (Vec<u32>, Vec<u32>) = rows.iter().partition(|&&row| contains(&left, bins[row as usize][2]));
            let count = partition(&mut rows, &mut vec![0; n], &bins, 2, &left, 2);
            assert_eq!(count, expected.0.len());
            assert_eq!(rows, [expected.0, expected.1].concat());
        }
    }
}
