//! `sort`, `argsort`, `topk`: stable, NaN last. On a GPU a bitonic sort of (key, place) pairs: blocks of 1,024 in shared memory,
//! which short lanes share, longer runs merged through memory. Source: Batcher 1968, "Sorting networks and their applications".

use crate::device::cpu::parallel::for_chunks;
use crate::device::launch::{Arg, Launch, Word};
use crate::device::shader::{Access, assemble, bindings};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::ops::along::Along;
use crate::ops::row::failed;
use crate::ops::wgsl::groups_of;
use crate::ops::{Accepts, Op, Order};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Role};
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record;
use smallvec::smallvec;
use std::sync::Arc;

/// Pairs that a workgroup sorts in shared memory: 8 KiB of the 16 KiB that every device has.
const BLOCK: usize = 1024;

/// The places of the elements of each lane in sorted order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Argsort {
    axis: usize,
    order: Order,
}

/// A sort as launches: `x` seen as `[outer, n, inner]`, its places in sorted order to `y`.
pub(crate) struct Sorting<'a> {
    pub name: &'static str,
    pub along: Along,
    /// The WGSL function `key`, by which a word of `x` is sorted.
    pub key: &'a str,
    /// Buffer and offset.
    pub x: (usize, Word),
    /// Buffer and offset.
    pub y: (usize, Word),
    /// The number of the scratch buffer for runs longer than a block.
    pub runs: usize,
}

impl Sorting<'_> {
    /// A lane's length with padding: blocks, a power of two of them.
    fn padded(&self) -> usize {
        self.along.len.next_power_of_two().max(BLOCK)
    }

    /// Words of the scratch buffer.
    pub fn scratch(&self) -> usize {
        if self.padded() == BLOCK { 1 } else { 2 * self.along.lanes() * self.padded() }
    }

    pub fn launches(&self) -> Result<Vec<Launch>> {
        if self.along.numel() == 0 {
            return Ok(Vec::new());
        }
        let padded = self.padded();
        let mut all = vec![self.block(2, padded == BLOCK)?];
        let mut run = 2 * BLOCK;
        while run <= padded {
            all.push(self.step(run / 2, run - 1)?);
            let mut half = run / 4;
            while half >= BLOCK {
                all.push(self.step(half, half)?);
                half /= 2;
            }
            all.push(self.block(BLOCK, run == padded)?);
            run *= 2;
        }
        Ok(all)
    }

    /// Sorts all blocks (`first` is 2), or finishes a merge within them; the last of all launches writes the places.
    fn block(&self, first: usize, last: bool) -> Result<Launch> {
        let Along { len, inner, .. } = self.along;
        let (lanes, blocks, merging) = (self.along.lanes(), self.padded() / BLOCK, first == BLOCK);
        let mut words: Vec<Word> = [lanes, len, blocks, inner, first, usize::from(merging)].map(Word::from).to_vec();
        words.extend([self.x.1, self.y.1]);
        // Short lanes share a workgroup.
        let width = len.next_power_of_two().min(BLOCK);
        words.push(width.into());
        let load = "fn load(row: u32, j: u32) -> vec2<u32> { return runs[row * p[0].z * 1024u + j]; }";
        let store = "fn store(row: u32, j: u32, pair: vec2<u32>) { runs[row * p[0].z * 1024u + j] = pair; }";
        let (x, y) = (("x", "u32", Access::Read), ("y", "u32", Access::Write));
        let runs = |access| ("runs", "vec2<u32>", access);
        let (x_arg, y_arg) = (Arg::Read(self.x.0), Arg::Write(self.y.0));
        let (buffers, args) = match (merging, last) {
            (false, true) => (vec![x, y], vec![x_arg, y_arg]),
            (false, false) => (vec![x, runs(Access::Write)], vec![x_arg, Arg::Write(self.runs)]),
            (true, true) => (vec![runs(Access::Read), y], vec![Arg::Read(self.runs), y_arg]),
            (true, false) => (vec![runs(Access::Write)], vec![Arg::Write(self.runs)]),
        };
        let declared = bindings(&buffers, words.len());
        let mut regions = vec![("bindings", declared.as_str())];
        regions.push(if merging { ("load", load) } else { ("key", self.key) });
        if !last {
            regions.push(("store", store));
        }
        // A run of 2^d is sorted in d·(d + 1)/2 steps, or a merge finished in d, each of half as many comparisons.
        let depth = u64::from(width.ilog2());
        let steps = if merging { depth } else { depth * (depth + 1) / 2 };
        let groups = (lanes.div_ceil(BLOCK / width) * blocks) as u64;
        let work = groups * BLOCK as u64 * (4 + 4 * steps);
        Ok(Launch { name: self.name, source: assemble("sort_block", &regions)?, args, words, groups, work })
    }

    /// One comparison a thread, `mask` apart in bits.
    fn step(&self, half: usize, mask: usize) -> Result<Launch> {
        let pairs = self.along.lanes() * self.padded() / 2;
        let words = [pairs, half, mask].map(Word::from).to_vec();
        Ok(Launch {
            name: self.name,
            source: assemble("sort_step", &[])?,
            args: vec![Arg::Write(self.runs)],
            words,
            groups: groups_of(pairs, 256),
            work: 8 * pairs as u64,
        })
    }
}

impl Kernel for Argsort {
    fn name(&self) -> &'static str {
        "argsort"
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let x = args.inputs[0];
        let along = Along::of(&x.layout.shape, self.axis);
        let Along { len, inner, .. } = along;
        let (order, dtype) = (self.order, x.dtype);
        let steps = u64::from(len.max(2).ilog2());
        Ok(Box::new(move |call| {
            let (words, offset) = call.inputs[0];
            let block = len * inner;
            for_chunks(call.cpu.threads(), call.outputs[0], block, 2 * steps * block as u64, |o, out| {
                let mut pairs: Vec<u64> = Vec::with_capacity(len);
                for i in 0..inner {
                    let lane = words[offset + o * block + i..].iter().step_by(inner).take(len);
                    // The key above the place: sorting these numbers sorts stably by key.
                    pairs.clear();
                    pairs.extend(lane.enumerate().map(|(j, &x)| u64::from(order.key(dtype, x)) << 32 | j as u64));
                    pairs.sort_unstable();
                    for (y, &pair) in out[i..].iter_mut().step_by(inner).zip(&pairs) {
                        *y = pair as u32; // the lower half, on purpose
                    }
                }
            });
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let x = args.inputs[0];
        let sorting = Sorting {
            name: "argsort",
            along: Along::of(&x.layout.shape, self.axis),
            key: &self.order.wgsl(x.dtype),
            x: (0, Word::Var(args.input_offset(0))),
            y: (1, Word::Var(args.output_offset(0))),
            runs: args.scratch(0),
        };
        Ok(Launches { launches: sorting.launches()?, scratch: vec![sorting.scratch()] })
    }

    fn role(&self) -> Role<'_> {
        Role::Other
    }

    fn fuse(&self, _: &Fusion) -> Option<Arc<dyn Kernel>> {
        None
    }
}

impl Rule for Argsort {
    fn rule_name(&self) -> &'static str {
        "argsort"
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::NONE
    }

    /// Places have no gradient; that of sorted values comes through the gather that picks them.
    fn grad(&self, _: &GradCall<'_>, _: &Tensor) -> Result<Partials> {
        Ok(smallvec![None])
    }
}

impl Op for Argsort {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        Ok(Meta { dtype: DType::U32, ..inputs[0] })
    }

    fn accepts(&self) -> Accepts {
        Accepts::RowMajor
    }
}

impl Tensor {
    /// The places of the elements along `axis` in sorted order, as `u32`: `x.gather(axis, &x.argsort(axis, order))` is sorted.
    /// Stable: equal elements keep their order. NaN comes last, whatever the order.
    ///
    /// ```
    /// use tilework::{Device, Order, Tensor};
    /// let x = Tensor::from_vec(vec![3.0, 1.0, 2.0, 1.0], [4], &Device::cpu());
    /// assert_eq!(x.argsort(0, Order::Ascending).to_vec::<u32>()?, [1, 3, 2, 0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn argsort(&self, axis: isize, order: Order) -> Tensor {
        self.places("argsort", axis, order)
    }

    #[track_caller]
    fn places(&self, name: &'static str, axis: isize, order: Order) -> Tensor {
        let Some(own) = self.ok() else { return self.clone() };
        match own.layout.shape.axis(name, axis) {
            Ok(axis) => record(Argsort { axis, order }, &[self], &[]),
            Err(error) => failed(error, self),
        }
    }

    /// The elements along `axis` in order; NaN comes last, whatever the order. The gradient goes to where each came from.
    ///
    /// ```
    /// use tilework::{Device, Order, Tensor};
    /// let x = Tensor::from_vec(vec![3.0, 1.0, 2.0], [3], &Device::cpu());
    /// assert_eq!(x.sort(0, Order::Descending).to_vec::<f32>()?, [3.0, 2.0, 1.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn sort(&self, axis: isize, order: Order) -> Tensor {
        self.gather(axis, &self.places("sort", axis, order))
    }

    /// The `k` largest elements along `axis`, largest first, and their places (`u32`). Ties go to the smaller place; NaN counts as
    /// smaller than all numbers. Alias: `k` smallest elements are the front of [`Tensor::sort`].
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![3.0, 1.0, 2.0, 5.0], [2, 2], &Device::cpu());
    /// let (values, places) = x.topk(1, 1);
    /// assert_eq!(values.to_vec::<f32>()?, [3.0, 5.0]);
    /// assert_eq!(places.to_vec::<u32>()?, [0, 1]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn topk(&self, k: usize, axis: isize) -> (Tensor, Tensor) {
        let Some(own) = self.ok() else { return (self.clone(), self.clone()) };
        let shape = own.layout.shape;
        let wrong = match shape.axis("topk", axis) {
            Ok(at) if k <= shape[at] => None,
            Ok(at) => {
                let message = format!("k is larger than axis {axis} of {shape}: given {k}; give at most {}", shape[at]);
                Some(Error::argument("topk", message))
            }
            Err(error) => Some(error),
        };
        if let Some(error) = wrong {
            let failed = failed(error, self);
            return (failed.clone(), failed);
        }
        let places = self.argsort(axis, Order::Descending).slice(axis, ..k);
        (self.gather(axis, &places), places)
    }
}
