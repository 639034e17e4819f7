//! `cumsum`: running sums along an axis. Source: `numpy.cumsum`; the scan within a workgroup is Hillis & Steele 1986.

use crate::device::cpu::parallel::for_chunks;
use crate::device::launch::{Arg, Launch, Word};
use crate::device::shader::{Access, assemble, bindings};
use crate::dtype::DType;
use crate::error::Result;
use crate::ops::along::Along;
use crate::ops::row::failed;
use crate::ops::wgsl::{groups_of, storage_type};
use crate::ops::{Accepts, Op};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Role};
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record;
use smallvec::smallvec;
use std::sync::Arc;

/// Elements of a part of a long lane: with four elements a round, fewer rounds than llvmpipe grants a loop.
const PART: usize = 32 * 1024;

/// Where the sums begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Start,
    End,
}

/// Running sums along an axis; `from` its end they are the gradient of those from its start.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Cumsum {
    axis: usize,
    from: Side,
}

/// What a launch of the scan does with the parts of its lanes.
enum Scan {
    /// Sums that each start at 0, to the output.
    Whole,
    /// Their totals only, to the buffer `totals`.
    Totals(usize),
    /// Sums that start with the running total of the parts before, from the buffer `totals`.
    After(usize),
}

impl Cumsum {
    /// One launch over `x`; `y` is unused for totals.
    fn scan(&self, dtype: DType, along: Along, x: (usize, Word), y: (usize, Word), scan: &Scan) -> Result<Launch> {
        let parts = match scan {
            Scan::Whole => 1,
            _ => along.len.div_ceil(PART),
        };
        let part = along.len.div_ceil(parts);
        // Lanes side by side are read together by one thread each; otherwise eight elements a thread.
        let threads = if along.inner >= 32 { 1 } else { (part / 8).next_power_of_two().clamp(1, 256) };
        let backward = usize::from(self.from == Side::End);
        let sizes = [along.lanes(), along.len, along.inner, threads, parts, part, backward];
        let mut words: Vec<Word> = sizes.map(Word::from).to_vec();
        words.extend([x.1, y.1]);
        let kind = storage_type(dtype);
        let alias = format!("alias Sum = {kind};");
        let mut buffers = vec![("x", kind, Access::Read)];
        let mut args = vec![Arg::Read(x.0)];
        let mut regions = vec![("type", alias.as_str())];
        if let Scan::Totals(totals) = *scan {
            buffers.push(("totals", kind, Access::Write));
            args.push(Arg::Write(totals));
            regions.push(("store", "fn store(at: u32, sum: Sum) { }"));
            regions.push(("finish", "fn finish(part: u32, sum: Sum) { totals[part] = sum; }"));
        } else {
            if let Scan::After(totals) = *scan {
                buffers.push(("totals", kind, Access::Read));
                args.push(Arg::Read(totals));
                let begin = "fn begin(part: u32) -> Sum {\n    if (part % p[1].x == 0u) { return Sum(0); }\n    \
                             return totals[part - 1u];\n}";
                regions.push(("begin", begin));
            }
            buffers.push(("y", kind, Access::Write));
            args.push(Arg::Write(y.0));
        }
        let declared = bindings(&buffers, words.len());
        regions.push(("bindings", &declared));
        Ok(Launch {
            name: "cumsum",
            source: assemble("cumsum", &regions)?,
            args,
            words,
            groups: groups_of(along.lanes() * parts, 256 / threads),
            work: 6 * along.numel() as u64,
        })
    }
}

impl Kernel for Cumsum {
    fn name(&self) -> &'static str {
        "cumsum"
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let Along { len, inner, .. } = Along::of(&args.outputs[0].shape, self.axis);
        let (dtype, from) = (args.outputs[0].dtype, self.from);
        let block = len * inner;
        Ok(Box::new(move |call| {
            let (words, offset) = call.inputs[0];
            for_chunks(call.cpu.threads(), call.outputs[0], block, 3 * block as u64, |o, out| {
                let x = &words[offset + o * block..][..block];
                let place = |j: usize| if from == Side::Start { j } else { len - 1 - j };
                if dtype == DType::F32 {
                    // In f64, so that the last of many sums is as good as the first.
                    let mut sums = vec![0f64; inner];
                    for row in (0..len).map(|j| place(j) * inner) {
                        for ((sum, y), &x) in sums.iter_mut().zip(&mut out[row..]).zip(&x[row..]) {
                            *sum += f64::from(f32::from_bits(x));
                            *y = (*sum as f32).to_bits();
                        }
                    }
                } else {
                    let mut sums = vec![0u32; inner];
                    for row in (0..len).map(|j| place(j) * inner) {
                        for ((sum, y), &x) in sums.iter_mut().zip(&mut out[row..]).zip(&x[row..]) {
                            *sum = sum.wrapping_add(x);
                            *y = *sum;
                        }
                    }
                }
            });
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let dtype = args.outputs[0].dtype;
        let along = Along::of(&args.outputs[0].shape, self.axis);
        let x = (0, Word::Var(args.input_offset(0)));
        let y = (1, Word::Var(args.output_offset(0)));
        let parts = along.len.div_ceil(PART);
        if parts == 1 {
            return Ok(self.scan(dtype, along, x, y, &Scan::Whole)?.into());
        }
        // The totals of all parts, their running sums, and then each part from there on.
        let (totals, running) = (args.scratch(0), args.scratch(1));
        let rows = Along { outer: along.lanes(), len: parts, inner: 1 };
        let forward = Cumsum { from: Side::Start, ..*self };
        let (unused, start) = ((0, Word::Const(0)), Word::Const(0));
        let launches = vec![
            self.scan(dtype, along, x, unused, &Scan::Totals(totals))?,
            forward.scan(dtype, rows, (totals, start), (running, start), &Scan::Whole)?,
            self.scan(dtype, along, x, y, &Scan::After(running))?,
        ];
        Ok(Launches { launches, scratch: vec![rows.numel(); 2] })
    }

    fn role(&self) -> Role<'_> {
        Role::Other
    }

    fn fuse(&self, _: &Fusion) -> Option<Arc<dyn Kernel>> {
        None
    }
}

impl Rule for Cumsum {
    fn rule_name(&self) -> &'static str {
        "cumsum"
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::NONE
    }

    fn grad(&self, _: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        let from = match self.from {
            Side::Start => Side::End,
            Side::End => Side::Start,
        };
        Ok(smallvec![Some(record(Cumsum { from, ..*self }, &[dy], &[]))])
    }
}

impl Op for Cumsum {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        Ok(inputs[0])
    }

    fn accepts(&self) -> Accepts {
        Accepts::RowMajor
    }
}

impl Tensor {
    /// Running sums along `axis`: `y[j] = x[0] + … + x[j]`. Integers wrap, bools count as `i32`.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![1.0, 2.0, 3.0], [3], &Device::cpu());
    /// assert_eq!(x.cumsum(0).to_vec::<f32>()?, [1.0, 3.0, 6.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> Tensor {
        let Some(own) = self.ok() else { return self.clone() };
        let x = if own.dtype() == DType::Bool { self.to_dtype(DType::I32) } else { self.clone() };
        match own.layout.shape.axis("cumsum", axis) {
            Ok(axis) => record(Cumsum { axis, from: Side::Start }, &[&x], &[]),
            Err(error) => failed(error, self),
        }
    }
}
