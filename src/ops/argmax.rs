//! `argmax`, `argmin`: where the extreme element is. NaN wins, ties go to the smaller place. Source: `torch.argmax`.

use crate::device::cpu::extreme;
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

/// Elements of a part of a long lane.
const PART: usize = 16 * 1024;

/// The place of each lane's largest key: of its largest element in ascending order, of its smallest in descending order. NaN has
/// the largest key in both.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Extreme {
    name: &'static str,
    axis: usize,
    order: Order,
}

/// How many elements of `x` (buffer, offset) stand for how many outputs of `y` in one launch.
struct Round {
    x: (usize, Word),
    /// The scratch buffer with the candidates; all elements when `None`.
    candidates: Option<usize>,
    count: usize,
    parts: usize,
    y: (usize, Word),
}

impl Extreme {
    fn round(&self, dtype: DType, along: Along, round: Round) -> Result<Launch> {
        let part = round.count.div_ceil(round.parts);
        // Eight elements a thread, so that most of its time is spent on them; lanes side by side are read together.
        let threads = if along.inner >= 32 && part <= PART { 1 } else { (part / 8).next_power_of_two().clamp(1, 256) };
        let outputs = along.lanes();
        let sizes = [outputs, along.len, along.inner, threads, round.count, round.parts, part];
        let mut words: Vec<Word> = sizes.map(Word::from).to_vec();
        words.extend([round.x.1, round.y.1]);
        let mut buffers = vec![("x", "u32", Access::Read)];
        let mut args = vec![Arg::Read(round.x.0)];
        let key = self.order.wgsl(dtype);
        let mut regions = vec![("key", key.as_str())];
        if let Some(candidates) = round.candidates {
            buffers.push(("candidates", "u32", Access::Read));
            args.push(Arg::Read(candidates));
            regions
                .push(("candidate", "fn candidate(row: u32, j: u32) -> u32 { return candidates[row * p[1].x + j]; }"));
        }
        buffers.push(("y", "u32", Access::Write));
        args.push(Arg::Write(round.y.0));
        let declared = bindings(&buffers, words.len());
        regions.push(("bindings", &declared));
        Ok(Launch {
            name: self.name,
            source: assemble("argmax", &regions)?,
            args,
            words,
            groups: groups_of(outputs * round.parts, 256 / threads),
            work: 4 * (outputs * round.count) as u64,
        })
    }
}

impl Kernel for Extreme {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let x = args.inputs[0];
        let Along { len, inner, .. } = Along::of(&x.layout.shape, self.axis);
        let (order, dtype) = (self.order, x.dtype);
        let lanes = (PART / len.max(1)).max(1);
        if dtype == DType::F32 && inner == 1 && len > 0 {
            let kind = match order {
                Order::Ascending => extreme::Extreme::Max,
                Order::Descending => extreme::Extreme::Min,
            };
            return Ok(Box::new(move |call| {
                let (words, offset) = call.inputs[0];
                let x = bytemuck::cast_slice(&words[offset..]);
                extreme::place_rows(call.cpu.threads(), kind, x, len, call.outputs[0]);
                Ok(())
            }));
        }
        Ok(Box::new(move |call| {
            let (words, offset) = call.inputs[0];
            for_chunks(call.cpu.threads(), call.outputs[0], lanes, (4 * lanes * len) as u64, |chunk, out| {
                for (j, y) in out.iter_mut().enumerate() {
                    let lane = chunk * lanes + j;
                    let first = offset + lane / inner * len * inner + lane % inner;
                    let mut best = (0, 0);
                    for (j, &x) in words[first..].iter().step_by(inner).take(len).enumerate() {
                        let key = order.key(dtype, x);
                        if key > best.0 {
                            best = (key, j);
                        }
                    }
                    *y = best.1 as u32; // below a dimension of a tensor
                }
            });
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let x = args.inputs[0];
        let along = Along::of(&x.layout.shape, self.axis);
        let outputs = along.lanes();
        let source = (0, Word::Var(args.input_offset(0)));
        let target = (1, Word::Var(args.output_offset(0)));
        // A few long lanes would leave the GPU idle: each is cut into parts, whose winners meet in a second round.
        let parts = if outputs < 256 || along.len > 256 * PART { along.len.div_ceil(PART) } else { 1 };
        let whole = Round { x: source, candidates: None, count: along.len, parts, y: target };
        if parts == 1 {
            return Ok(self.round(x.dtype, along, whole)?.into());
        }
        let winners = args.scratch(0);
        let first = Round { y: (winners, Word::Const(0)), ..whole };
        let second = Round { x: source, candidates: Some(winners), count: parts, parts: 1, y: target };
        let launches = vec![self.round(x.dtype, along, first)?, self.round(x.dtype, along, second)?];
        Ok(Launches { launches, scratch: vec![outputs * parts] })
    }

    fn role(&self) -> Role<'_> {
        Role::Other
    }

    fn fuse(&self, _: &Fusion) -> Option<Arc<dyn Kernel>> {
        None
    }
}

impl Rule for Extreme {
    fn rule_name(&self) -> &'static str {
        self.name
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::NONE
    }

    fn grad(&self, _: &GradCall<'_>, _: &Tensor) -> Result<Partials> {
        Ok(smallvec![None]) // places have no gradient
    }
}

impl Op for Extreme {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        let x = inputs[0];
        if x.shape[self.axis] == 0 {
            let message = format!("nothing to choose from: given shape {}; check for empty tensors first", x.shape);
            return Err(Error::shape(self.name, message));
        }
        Ok(Meta { shape: x.shape.without(self.axis), dtype: DType::U32 })
    }

    fn accepts(&self) -> Accepts {
        Accepts::RowMajor
    }
}

impl Tensor {
    #[track_caller]
    fn extreme(&self, name: &'static str, axis: isize, order: Order) -> Tensor {
        let Some(own) = self.ok() else { return self.clone() };
        match own.layout.shape.axis(name, axis) {
            Ok(axis) => record(Extreme { name, axis, order }, &[self], &[]),
            Err(error) => failed(error, self),
        }
    }

    /// The place of the largest element, counted in row-major order: a `u32` of shape `[]`. NaN counts as the largest; ties go to
    /// the first. No gradient flows.
    #[track_caller]
    pub fn argmax(&self) -> Tensor {
        self.flatten().extreme("argmax", 0, Order::Ascending)
    }

    /// The places of the largest elements along `axis`, which goes from the shape: `u32`. NaN counts as the largest; ties go to
    /// the first.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let scores = Tensor::from_vec(vec![0.1, 0.7, 0.2, 0.5, 0.1, 0.5], [2, 3], &Device::cpu());
    /// assert_eq!(scores.argmax_axis(-1).to_vec::<u32>()?, [1, 0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn argmax_axis(&self, axis: isize) -> Tensor {
        self.extreme("argmax", axis, Order::Ascending)
    }

    /// The place of the smallest element, as [`Tensor::argmax`] does; NaN counts as the smallest.
    #[track_caller]
    pub fn argmin(&self) -> Tensor {
        self.flatten().extreme("argmin", 0, Order::Descending)
    }

    /// The places of the smallest elements along `axis`, as [`Tensor::argmax_axis`] does; NaN counts as the smallest.
    #[track_caller]
    pub fn argmin_axis(&self, axis: isize) -> Tensor {
        self.extreme("argmin", axis, Order::Descending)
    }
}
