//! The trees of a fitted model as a device walks them, all in one launch, and the rows that it is given.

use super::nodes::{CATEGORIES, LEAF, MISSING_RIGHT, Tree};
use crate::cost::Work;
use crate::data::Matrix;
use crate::device::Device;
use crate::device::cpu::Cpu;
use crate::device::cpu::parallel::for_chunks;
use crate::error::{Error, Result};
use crate::ops::tree_ensemble::{self as op, MISSING, NODE, Trees, key, tree_ensemble};
use crate::tensor::Tensor;

/// Bytes of rows that a device is given at once, and the bits of the largest sum.
const BATCH: usize = 1 << 25;
const BITS: i32 = 61;
/// Bytes that a step costs: a node and a number, each in a cache line that few others share.
const STEP: f64 = 64.0;

/// A column of the device's rows: numbers of a feature, or the places of its categories among all that splits name.
#[derive(Debug, Clone, PartialEq)]
struct Column {
    feature: usize,
    categories: Option<Vec<f64>>,
}

/// Trees on a device.
#[derive(Debug)]
pub(super) struct Packed {
    device: Device,
    trees: Trees,
    columns: Vec<Column>,
    outputs: usize,
    /// What one unit of the sums is worth.
    unit: f64,
}

impl Packed {
    /// Puts trees on a device. Tree `i` adds to the outputs of group `i % groups`.
    ///
    /// # Errors
    /// Not enough memory on the device; trees of 2³⁰ nodes and more.
    pub fn new(kind: &'static str, trees: &[Tree], groups: usize, device: &Device) -> Result<Packed> {
        let outputs = trees.first().map_or(1, |tree| tree.outputs.max(1));
        let columns = columns_of(trees);
        let unit = unit_of(trees);
        let (mut roots, mut nodes, mut leaves) = (Vec::with_capacity(trees.len()), Vec::new(), Vec::new());
        let mut sets = vec![0u32]; // there is at least one word
        let mut rows = 0u32;
        for tree in trees {
            let first = (nodes.len() / NODE) as u32; // below, trees are too many before this wraps
            roots.push(first);
            for (i, node) in tree.nodes.iter().enumerate() {
                if node.left == LEAF {
                    nodes.extend([0, rows, 0, 0]);
                    rows += 1;
                    for value in tree.value(i) {
                        let whole = (value / unit).round() as i64 as u64; // at most 2^61 units
                        let [high, low] = halves(whole);
                        leaves.extend([low, high]);
                    }
                    continue;
                }
                let by_set = node.feature & CATEGORIES != 0;
                let wanted = |column: &Column| (column.feature, column.categories.is_some());
                let column = columns.binary_search_by_key(&(node.column(), by_set), wanted).unwrap_or_default();
                let [high, low] = match columns.get(column).and_then(|column| column.categories.as_deref()) {
                    Some(known) => {
                        let place = sets.len() as u32;
                        let of_node = tree.sets.get(node.threshold as usize).map_or(&[][..], Vec::as_slice);
                        sets.extend(bits_of(of_node, known));
                        [place, 0]
                    }
                    None => halves(key(node.threshold)),
                };
                let mut split = column as u32;
                split |= if node.feature & MISSING_RIGHT != 0 { op::MISSING_RIGHT } else { 0 };
                split |= if by_set { op::CATEGORIES } else { 0 };
                nodes.extend([split, high, low, first + node.left]);
            }
            if nodes.len() / NODE >= 1 << 30 || sets.len() >= 1 << 30 {
                return Err(Error::argument(kind, "more than 2^30 nodes; predict on the CPU"));
            }
        }
        let held = |words: Vec<u32>, shape: &[usize]| -> Result<Tensor> {
            Tensor::from_vec(words, crate::shape::Shape::new(shape)?, device).check().cloned()
        };
        let counts = [nodes.len() / NODE, sets.len(), leaves.len() / 2 / outputs];
        let trees = Trees {
            roots: held(roots, &[trees.len()])?,
            nodes: held(nodes, &[counts[0], NODE])?,
            sets: held(sets, &[counts[1]])?,
            leaves: held(leaves, &[counts[2], outputs, 2])?,
            depth: trees.iter().map(Tree::depth).max().unwrap_or(0),
            groups,
        };
        Ok(Packed { device: device.clone(), trees, columns, outputs: outputs * groups, unit })
    }

    /// Where they are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The sums over all trees, `[N, outputs]`, of leaves rounded to units of at most 2⁻⁶⁰ of the largest possible sum.
    ///
    /// # Errors
    /// What the device reports.
    pub fn sums(&self, x: Matrix<'_>) -> Result<Vec<f64>> {
        let width = self.columns.len().max(1);
        let at_once = (BATCH / 8 / width.max(self.outputs)).max(1);
        let mut sums = Vec::with_capacity(x.rows() * self.outputs);
        for first in (0..x.rows()).step_by(at_once) {
            let rows = at_once.min(x.rows() - first);
            let taken = Tensor::from_vec(self.taken(x, first, rows), [rows, width, 2], &self.device);
            let words = tree_ensemble(&taken, &self.trees).to_vec::<u32>()?;
            sums.extend(words.chunks_exact(2).map(|pair| {
                let whole = u64::from(pair[0]) | u64::from(pair[1]) << 32;
                whole as i64 as f64 * self.unit
            }));
        }
        Ok(sums)
    }

    /// Some rows as the trees look at them, `[rows, columns, 2]`.
    fn taken(&self, x: Matrix<'_>, first: usize, rows: usize) -> Vec<u32> {
        const ROWS: usize = 256;
        let width = self.columns.len().max(1);
        let mut out = vec![0; rows * width * 2];
        let work = (ROWS * width * 16) as u64;
        for_chunks(Cpu::new().threads(), &mut out, ROWS * width * 2, work, |chunk, out| {
            let start = first + chunk * ROWS;
            let block = x.block(start..start + out.len() / width / 2);
            for (out, row) in out.chunks_exact_mut(width * 2).zip(block.chunks_exact(x.width().max(1))) {
                for (out, column) in out.chunks_exact_mut(2).zip(&self.columns) {
                    let value = row.get(column.feature).copied().unwrap_or(f64::NAN);
                    let number = match &column.categories {
                        None => key(value),
                        Some(_) if value.is_nan() => MISSING,
                        // what no split names has a place behind all, in no set
                        Some(known) => (place_in(known, value).unwrap_or(known.len()) as u64) << 32,
                    };
                    out.copy_from_slice(&halves(number));
                }
            }
        });
        out
    }
}

/// The high and the low half of a 64-bit integer.
fn halves(long: u64) -> [u32; 2] {
    [(long >> 32) as u32, long as u32]
}

/// What predicting so many rows consists of: a step from node to node for each of a tree's levels.
pub(super) fn work(trees: &[Tree], width: usize, outputs: usize, rows: usize) -> Work {
    let (rows, outputs) = (rows as f64, outputs as f64);
    let mean_depth = |tree: &Tree| (tree.leaf_count().max(1) as f64).log2() + 1.0; // of trees that are even
    let steps: f64 = trees.iter().map(mean_depth).sum();
    let nodes: f64 = trees.iter().map(|tree| tree.nodes.len() as f64).sum();
    Work {
        flops: 0.0,
        bytes: STEP * steps * rows,
        launches: 1.0,
        transfer: 8.0 * rows * (width as f64 + outputs) + 16.0 * nodes,
    }
}

/// What splits look at, by feature, numbers first.
fn columns_of(trees: &[Tree]) -> Vec<Column> {
    let mut seen: Vec<(usize, bool)> = Vec::new();
    let mut categories: Vec<(usize, f64)> = Vec::new();
    for tree in trees {
        for node in tree.nodes.iter().filter(|node| node.left != LEAF) {
            let by_set = node.feature & CATEGORIES != 0;
            seen.push((node.column(), by_set));
            if let Some(set) = tree.sets.get(node.threshold as usize).filter(|_| by_set) {
                categories.extend(set.iter().map(|&category| (node.column(), category)));
            }
        }
        seen.sort_unstable();
        seen.dedup();
    }
    categories.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    categories.dedup_by(|a, b| a.0 == b.0 && a.1.total_cmp(&b.1).is_eq());
    let of = |feature: usize| categories.iter().filter(|known| known.0 == feature).map(|known| known.1).collect();
    let column = |(feature, by_set): (usize, bool)| Column { feature, categories: by_set.then(|| of(feature)) };
    seen.into_iter().map(column).collect()
}

fn place_in(known: &[f64], value: f64) -> Option<usize> {
    known.binary_search_by(|category| category.total_cmp(&(value + 0.0))).ok()
}

/// The number of words of a set, and the words.
fn bits_of(set: &[f64], known: &[f64]) -> Vec<u32> {
    let mut words = vec![0; 1 + known.len().div_ceil(32)];
    words[0] = (words.len() - 1) as u32;
    for place in set.iter().filter_map(|&category| place_in(known, category)) {
        if let Some(word) = words.get_mut(1 + place / 32) {
            *word |= 1 << (place % 32);
        }
    }
    words
}

/// The finest power of two with which no sum overflows.
fn unit_of(trees: &[Tree]) -> f64 {
    let largest = |tree: &Tree| tree.values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    let most: f64 = trees.iter().map(largest).sum();
    match most > 0.0 && most.is_finite() {
        true => 2f64.powi((most.log2().ceil() as i32 - BITS).clamp(-1000, 1000)),
        false => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_numbers_and_missing_ones_are_no_number() {
        let numbers = [f64::NEG_INFINITY, -1.0, -5e-324, 0.0, 5e-324, 0.1, 0.1f64.next_up(), f64::INFINITY, f64::NAN];
        assert!(numbers.map(key).is_sorted_by(|a, b| a < b));
        assert_eq!(key(-0.0), key(0.0));
        assert!(halves(key(f64::INFINITY))[0] < u32::MAX && key(-f64::NAN) == MISSING);
    }

    #[test]
    fn no_sum_leaves_64_bits() {
        let tree = |value: f64| Tree { values: vec![value, -value / 3.0], ..Tree::default() };
        for value in [1.0, 0.7, 1e300, 1e-200, 0.0] {
            let trees = vec![tree(value); 100];
            let units = 100.0 * value / unit_of(&trees);
            assert!(units <= 2f64.powi(BITS) && (value == 0.0 || units > 2f64.powi(BITS - 2)), "{value}: {units}");
        }
    }
}
