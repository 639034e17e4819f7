//! `fold_windows`: overlap-add, the gradient of sliding windows. Source: the adjoint of [`Tensor::unfold`]; PyTorch's `fold`.

use crate::device::cpu::parallel::for_chunks;
use crate::device::launch::{Arg, Launch, Word};
use crate::device::shader::{Access, assemble, bindings, coordinates};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::ops::along::add;
use crate::ops::wgsl::{Words, groups_of, storage_type};
use crate::ops::{Accepts, Op};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Role};
use crate::shape::{Layout, MAX_RANK, Shape};
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// Windows that one launch adds to an element: far fewer than the rounds that llvmpipe grants a loop, and no launch is long.
const WINDOWS: usize = 4096;
/// Words of the output that one thread takes at a time.
const CHUNK: usize = 16 * 1024;

/// Windows counted on `axis`, `step` apart, their content on the last axis, added up where they lay in a dimension of `len`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct FoldWindows {
    axis: usize,
    size: usize,
    step: usize,
    len: usize,
}

/// The windows' layout in parts.
struct Parts {
    /// Dimensions of the output and strides of the windows, merged where they can be walked as one; 0 at `axis`.
    spans: SmallVec<[(usize, isize); MAX_RANK]>,
    axis: usize,
    windows: usize,
    /// Strides from window to window, and within one.
    along: isize,
    within: isize,
}

impl FoldWindows {
    fn parts(&self, x: &Layout) -> Parts {
        let last = x.shape.rank() - 1;
        let mut spans: SmallVec<[(usize, isize); MAX_RANK]> = SmallVec::new();
        let mut axis = 0;
        for (a, (&dim, &stride)) in x.shape.iter().zip(x.strides()).enumerate().take(last) {
            if a == self.axis {
                axis = spans.len();
                spans.push((self.len, 0));
                continue;
            }
            let joins = a > 0 && a - 1 != self.axis;
            match spans.last_mut() {
                Some(before) if joins && before.1 == stride * dim as isize => *before = (before.0 * dim, stride),
                _ => spans.push((dim, stride)),
            }
        }
        let (along, within) = (x.strides()[self.axis], x.strides()[last]);
        Parts { spans, axis, windows: x.shape[self.axis], along, within }
    }
}

impl Kernel for FoldWindows {
    fn name(&self) -> &'static str {
        "fold_windows"
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let parts = self.parts(&args.inputs[0].layout);
        let (dtype, size, step) = (args.outputs[0].dtype, self.size, self.step);
        let cost = 1 + size.div_ceil(step) as u64;
        Ok(Box::new(move |call| {
            let (words, offset) = call.inputs[0];
            for_chunks(call.cpu.threads(), call.outputs[0], CHUNK, cost * CHUNK as u64, |index, out| {
                for (j, y) in out.iter_mut().enumerate() {
                    let mut rest = index * CHUNK + j;
                    let (mut at, mut o) = (offset as isize, 0);
                    for (a, &(dim, stride)) in parts.spans.iter().enumerate().rev() {
                        let i = rest % dim;
                        rest /= dim;
                        at += i as isize * stride;
                        if a == parts.axis {
                            o = i;
                        }
                    }
                    let first = if o >= size { (o - size) / step + 1 } else { 0 };
                    let reaching = first..parts.windows.min(o / step + 1);
                    *y = reaching.fold(0, |sum, w| {
                        let place = at + w as isize * parts.along + (o - w * step) as isize * parts.within;
                        add(dtype, sum, words[place as usize])
                    });
                }
            });
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let parts = self.parts(&args.inputs[0].layout);
        let n = args.outputs[0].shape.numel();
        let kind = storage_type(args.outputs[0].dtype);
        let overlap = self.size.div_ceil(self.step).min(parts.windows);
        let mut all = Launches::default();
        for first in (0..overlap.max(1)).step_by(WINDOWS) {
            let mut words = Words(vec![
                n.into(),
                Word::Var(args.input_offset(0)),
                Word::Var(args.output_offset(0)),
                parts.windows.into(),
                self.size.into(),
                self.step.into(),
                parts.along.into(),
                parts.within.into(),
                first.into(),
                WINDOWS.into(),
            ]);
            let dims: Vec<usize> = parts.spans.iter().map(|&(dim, _)| words.position(dim)).collect();
            let mut find = coordinates("o", "i", &dims);
            for (a, &(_, stride)) in parts.spans.iter().enumerate() {
                find += &if a == parts.axis {
                    format!("    o = o{a};\n")
                } else {
                    format!("    at += o{a} * {};\n", words.push(stride))
                };
            }
            let start = if first == 0 { format!("    var sum = {kind}(0);") } else { "    var sum = y[to];".into() };
            let declared = bindings(&[("x", kind, Access::Read), ("y", kind, Access::Write)], words.0.len());
            all.launches.push(Launch {
                name: "fold_windows",
                source: assemble("fold_windows", &[("bindings", &declared), ("find", &find), ("start", &start)])?,
                args: vec![Arg::Read(0), Arg::Write(1)],
                words: words.0,
                groups: groups_of(n, 256),
                work: (n * (2 + overlap.min(WINDOWS))) as u64,
            });
        }
        Ok(all)
    }

    fn role(&self) -> Role<'_> {
        Role::Other
    }

    fn fuse(&self, _: &Fusion) -> Option<Arc<dyn Kernel>> {
        None
    }
}

impl Rule for FoldWindows {
    fn rule_name(&self) -> &'static str {
        "fold_windows"
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::NONE
    }

    fn grad(&self, _: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        Ok(smallvec![Some(dy.unfold(self.axis as isize, self.size, self.step))])
    }
}

impl Op for FoldWindows {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        let x = inputs[0];
        let rank = x.shape.rank();
        let Self { axis, size, step, len } = *self;
        let fits = axis + 1 < rank
            && step > 0
            && (1..=len).contains(&size)
            && x.shape[axis] == (len - size) / step + 1
            && x.shape[rank - 1] == size;
        if !fits || x.dtype == DType::Bool {
            let message = format!("{}{} is not windows of {size} by {step} of {len} on axis {axis}", x.dtype, x.shape);
            return Err(Error::internal("fold_windows", message));
        }
        Ok(Meta { shape: Shape::new(&x.shape.without(rank - 1).with(self.axis, self.len))?, dtype: x.dtype })
    }

    fn accepts(&self) -> Accepts {
        Accepts::Any
    }
}

/// Overlap-add: windows counted on `axis`, `step` apart, their content of `size` on the last axis; `axis` becomes `len`.
#[track_caller]
pub(crate) fn fold_windows(dy: &Tensor, axis: usize, size: usize, step: usize, len: usize) -> Tensor {
    record(FoldWindows { axis, size, step, len }, &[dy], &[])
}
