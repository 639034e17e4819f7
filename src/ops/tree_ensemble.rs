//! `tree_ensemble`: what the trees of a forest or of boosting say of rows, added up. Source: ONNX's `TreeEnsemble`.
//!
//! Sums are of whole numbers (a fixed point that the caller chooses), so that all devices give the same bits whatever their
//! rounding. Numbers are compared as whole ones too, in their order, so that a row ends in the leaf that f64 leads to.

use crate::device::cpu::parallel::for_chunks;
use crate::device::launch::{Arg, Launch, Word};
use crate::device::shader::assemble;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::ops::wgsl::groups_of;
use crate::ops::{Accepts, Op};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Role};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record;
use smallvec::smallvec;
use std::sync::Arc;

/// Flag of a node's column: missing values go right. Without it, left.
pub(crate) const MISSING_RIGHT: u32 = 1 << 31;
/// Flag of a node's column: the node names a set of categories, and those in it go left.
pub(crate) const CATEGORIES: u32 = 1 << 30;
/// Words of a node.
pub(crate) const NODE: usize = 4;
/// A missing value, and the high word of one.
pub(crate) const MISSING: u64 = u64::MAX;
const MISSING_WORD: u32 = u32::MAX;

/// Rows that pass one tree after another while they are in cache.
const ROWS: usize = 64;
/// Rounds of a launch's loops: llvmpipe ends them at 65,535.
const ROUNDS: usize = 60_000;
/// The longest way from a root to a leaf.
const MAX_DEPTH: usize = 32_768;

/// Trees on a device.
#[derive(Debug)]
pub(crate) struct Trees {
    /// The first node of each tree, `u32` `[T]`.
    pub roots: Tensor,
    /// `u32` `[M, 4]`: the column with its flags; the [`key`] of the threshold, up to which rows go left, the high word first, or
    /// the place of a set of categories and anything; the left child, before the right one. Of a leaf: anything, its row of
    /// `leaves`, anything, 0.
    pub nodes: Tensor,
    /// `u32` `[S]`: of each set a number of words, and so many words with the bits of its categories.
    pub sets: Tensor,
    /// `u32` `[L, K, 2]`: 64-bit integers, the low word first.
    pub leaves: Tensor,
    /// The most splits from a root to a leaf.
    pub depth: usize,
    /// Trees `g`, `g + groups`, … add to outputs of their own.
    pub groups: usize,
}

/// A number as a whole one in the same order; both zeros are the same, NaN is [`MISSING`].
pub(crate) fn key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    match value.is_nan() {
        true => MISSING,
        false if bits >> 63 == 1 => !bits,
        false => bits | 1 << 63,
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct TreeEnsemble {
    depth: usize,
    groups: usize,
}

/// Sizes of a call.
#[derive(Clone, Copy)]
struct Sizes {
    rows: usize,
    width: usize,
    trees: usize,
    nodes: usize,
    sets: usize,
    leaves: usize,
    outputs: usize,
}

impl Sizes {
    fn of(args: &Args<'_>) -> Sizes {
        let dim = |input: usize, axis: usize| args.inputs[input].layout.shape[axis];
        Sizes {
            rows: dim(0, 0),
            width: dim(0, 1),
            trees: dim(1, 0),
            nodes: dim(2, 0),
            sets: dim(3, 0),
            leaves: dim(4, 0),
            outputs: dim(4, 1),
        }
    }

    /// The work of all rows: a step reads a node and a number somewhere else.
    fn work(&self, depth: usize) -> u64 {
        let each = (8 * depth + 4 * self.outputs) as u64;
        (self.rows as u64).saturating_mul(self.trees as u64).saturating_mul(each)
    }
}

/// The buffers of a call on the CPU, from their offsets on.
struct Walk<'a> {
    nodes: &'a [u32],
    sets: &'a [u32],
    depth: usize,
}

impl Walk<'_> {
    /// The row of leaves that a row ends in; `None` where a tree leads out of the nodes.
    #[inline]
    fn leaf(&self, root: u32, row: &[u32]) -> Option<usize> {
        let mut at = root as usize;
        for _ in 0..=self.depth {
            let &[split, high, low, left] = self.nodes.get(at * NODE..)?.first_chunk()?;
            if left == 0 {
                return Some(high as usize);
            }
            let column = (split & !(MISSING_RIGHT | CATEGORIES)) as usize;
            let &[value, rest] = row.get(2 * column.min(row.len() / 2 - 1)..)?.first_chunk()?;
            let goes_right = match value {
                MISSING_WORD => split & MISSING_RIGHT != 0,
                _ if split & CATEGORIES != 0 => !self.holds(high as usize, value),
                _ => (value, rest) > (high, low),
            };
            at = left as usize + usize::from(goes_right);
        }
        None
    }

    fn holds(&self, set: usize, category: u32) -> bool {
        let Some((&words, bits)) = self.sets.get(set..).and_then(<[u32]>::split_first) else { return false };
        let bits = bits.get(..words as usize).unwrap_or(bits);
        bits.get(category as usize / 32).is_some_and(|word| word >> (category % 32) & 1 == 1)
    }
}

impl Kernel for TreeEnsemble {
    fn name(&self) -> &'static str {
        "tree_ensemble"
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let sizes = Sizes::of(args);
        let Sizes { rows, width, trees, outputs, .. } = sizes;
        let (depth, groups) = (self.depth, self.groups);
        let of_row = outputs * groups;
        let work = sizes.work(depth) / rows.div_ceil(ROWS).max(1) as u64;
        Ok(Box::new(move |call| {
            let words = |input: usize, len: usize| {
                let (words, offset) = call.inputs[input];
                words.get(offset..offset + len).unwrap_or_default()
            };
            let (x, roots) = (words(0, rows * width * 2), words(1, trees));
            let leaves = words(4, sizes.leaves * outputs * 2);
            let walk = Walk { nodes: words(2, sizes.nodes * NODE), sets: words(3, sizes.sets), depth };
            let long = |pair: &[u32]| pair.iter().rev().fold(0u64, |long, &word| long << 32 | u64::from(word));
            for_chunks(call.cpu.threads(), call.outputs[0], 2 * ROWS * of_row, work, |chunk, out| {
                let x = x.get(chunk * ROWS * width * 2..).unwrap_or_default();
                let mut sums = vec![0u64; out.len() / 2];
                for (tree, &root) in roots.iter().enumerate() {
                    for (row, sums) in x.chunks_exact(width * 2).zip(sums.chunks_exact_mut(of_row)) {
                        let Some(leaf) = walk.leaf(root, row).and_then(|leaf| leaves.get(leaf * outputs * 2..)) else {
                            continue;
                        };
                        let sums = sums.iter_mut().skip(tree % groups).step_by(groups);
                        sums.zip(leaf.chunks_exact(2)).for_each(|(sum, pair)| *sum = sum.wrapping_add(long(pair)));
                    }
                }
                for (out, sum) in out.chunks_exact_mut(2).zip(sums) {
                    out.copy_from_slice(&[sum as u32, (sum >> 32) as u32]); // its halves
                }
            });
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let sizes = Sizes::of(args);
        // Few outputs are kept in registers; more are shared out among threads, which walk the trees each.
        let block = sizes.outputs.next_power_of_two().min(16);
        let blocks = sizes.outputs.div_ceil(block);
        let threads = sizes.rows * self.groups * blocks;
        let source = assemble("tree_ensemble", &[("outputs", &format!("const OUTPUTS: u32 = {block}u;"))])?;
        let at_once = (ROUNDS / (self.depth + 2 + block)).max(1) * self.groups;
        let launch = |first: usize| {
            let last = sizes.trees.min(first + at_once);
            let Sizes { width, nodes, leaves, outputs, sets, .. } = sizes;
            let fixed = [threads, width, first, last, nodes, leaves, outputs, sets, self.depth, self.groups, blocks];
            let mut words: Vec<Word> = fixed.map(Word::from).to_vec();
            words.extend((0..5).map(|input| Word::Var(args.input_offset(input))));
            words.push(Word::Var(args.output_offset(0)));
            let mut args: Vec<Arg> = (0..5).map(Arg::Read).collect();
            args.push(Arg::Write(5));
            Launch {
                name: "tree_ensemble",
                source: source.clone(),
                args,
                words,
                groups: groups_of(threads, 256),
                work: Sizes { trees: last - first, ..sizes }.work(self.depth).saturating_mul(blocks as u64),
            }
        };
        Ok(Launches { launches: (0..sizes.trees).step_by(at_once).map(launch).collect(), scratch: Vec::new() })
    }

    fn role(&self) -> Role<'_> {
        Role::Other
    }

    fn fuse(&self, _: &Fusion) -> Option<Arc<dyn Kernel>> {
        None
    }
}

impl Rule for TreeEnsemble {
    fn rule_name(&self) -> &'static str {
        "tree_ensemble"
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::NONE
    }

    fn grad(&self, _: &GradCall<'_>, _: &Tensor) -> Result<Partials> {
        Ok(smallvec![None; 5]) // steps have no gradient, nor have whole numbers
    }
}

impl Op for TreeEnsemble {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        const OP: &str = "tree_ensemble";
        let [x, roots, nodes, sets, leaves] = [0, 1, 2, 3, 4].map(|i| inputs[i]);
        let named = [("rows", x), ("roots", roots), ("nodes", nodes), ("sets", sets), ("leaves", leaves)];
        for (what, meta) in named {
            if meta.dtype != DType::U32 {
                return Err(Error::dtype(OP, format!("{what} are u32: given {}", meta.dtype)));
            }
        }
        let dims = (x.shape.dims(), roots.shape.dims(), nodes.shape.dims(), sets.shape.dims(), leaves.shape.dims());
        let outputs = match dims {
            (&[_, f, 2], &[t], &[m, NODE], &[s], &[l, outputs, 2]) if [f, t, m, s, l].iter().all(|&n| n > 0) => outputs,
            _ => {
                let message = format!(
                    "shapes of rows {}, roots {}, nodes {}, sets {} and leaves {} are not [N, F, 2], [T], [M, 4], [S] and \
                     [L, K, 2]; give at least one of each",
                    x.shape, roots.shape, nodes.shape, sets.shape, leaves.shape
                );
                return Err(Error::shape(OP, message));
            }
        };
        if self.groups == 0 || self.depth > MAX_DEPTH {
            let message = format!(
                "depth {} of {} groups; give at least one group, and up to {MAX_DEPTH} splits from root to leaf",
                self.depth, self.groups
            );
            return Err(Error::argument(OP, message));
        }
        let of_row = outputs.checked_mul(self.groups).ok_or_else(|| Error::shape(OP, "too many outputs"))?;
        Ok(Meta { shape: Shape::new(&[x.shape[0], of_row, 2])?, dtype: DType::U32 })
    }

    fn accepts(&self) -> Accepts {
        Accepts::RowMajor
    }
}

/// For each row of `x`, `u32` `[N, F, 2]`, the sums over all trees of what its leaves say: `u32` `[N, K·groups, 2]`, 64-bit
/// integers with the low word first; output `k·groups + g` is that of trees `g`, `g + groups`, … A number of `x` is its [`key`],
/// the high word first, or a category, counted from 0, and anything.
///
/// A tree that leads out of its nodes, or on for more than `depth` splits, adds nothing. No gradient flows.
#[track_caller]
pub(crate) fn tree_ensemble(x: &Tensor, trees: &Trees) -> Tensor {
    let op = TreeEnsemble { depth: trees.depth, groups: trees.groups };
    record(op, &[x, &trees.roots, &trees.nodes, &trees.sets, &trees.leaves], &[])
}
