//! `pad`: a tensor with a border, and the same kernel with gaps: the gradient of a slice. Source: `numpy.pad`, and the padding
//! of XLA, which has gaps between elements too.

use crate::device::cpu::parallel::for_chunks;
use crate::device::launch::{Arg, Launch};
use crate::device::shader::{Access, assemble, bindings, coordinates, word};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::ops::row::failed;
use crate::ops::wgsl::{Words, groups_of};
use crate::ops::{Accepts, Op};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Role};
use crate::shape::{Layout, MAX_RANK, Shape};
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record;
use smallvec::{SmallVec, smallvec};
use std::fmt::Write;
use std::sync::Arc;

/// Words of an output row that one thread takes at a time.
const CHUNK: usize = 16 * 1024;

/// `x` within a larger tensor. Element `a` of an axis lands at `before + a·step`. The value of all others and `before` of each
/// axis are run-time scalars, so that slices of one size from many places share a plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Pad {
    shape: Shape,
    steps: SmallVec<[usize; MAX_RANK]>,
}

/// A run of axes that can be walked as one, or one axis with a border or gaps.
#[derive(Debug, Clone, Copy)]
struct Span {
    dim: usize,
    out: usize,
    step: usize,
    stride: isize,
    /// The run-time scalar with the elements before the first; `None` where nothing is added.
    before: Option<usize>,
}

impl Pad {
    fn spans(&self, x: &Layout) -> SmallVec<[Span; MAX_RANK]> {
        let mut spans: SmallVec<[Span; MAX_RANK]> = SmallVec::new();
        for (axis, (&dim, &stride)) in x.shape.iter().zip(x.strides()).enumerate() {
            let (out, step) = (self.shape[axis], self.steps[axis]);
            let before = (out != dim).then_some(1 + axis);
            let span = Span { dim, out, step, stride, before };
            match spans.last_mut() {
                Some(last) if last.before.is_none() && before.is_none() && last.stride == stride * dim as isize => {
                    *last = Span { dim: last.dim * dim, out: last.out * out, ..span };
                }
                _ => spans.push(span),
            }
        }
        if spans.is_empty() {
            spans.push(Span { dim: 1, out: 1, step: 1, stride: 0, before: None });
        }
        spans
    }
}

impl Kernel for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let spans = self.spans(&args.inputs[0].layout);
        let row = spans.last().map_or(1, |span| span.out);
        Ok(Box::new(move |call| {
            let (words, offset) = call.inputs[0];
            let (value, scalars) = (call.scalars[0], call.scalars);
            let before = |span: &Span| span.before.map_or(0, |s| scalars[s] as usize);
            let rows = (CHUNK / row).max(1);
            for_chunks(call.cpu.threads(), call.outputs[0], rows * row, (rows * row) as u64, |index, out| {
                for (j, out) in out.chunks_mut(row).enumerate() {
                    out.fill(value);
                    let mut rest = index * rows + j;
                    let mut at = offset as isize;
                    let mut inside = true;
                    for span in spans.iter().rev().skip(1) {
                        let o = rest % span.out;
                        rest /= span.out;
                        let place = o.checked_sub(before(span)).filter(|q| q % span.step == 0).map(|q| q / span.step);
                        match place.filter(|&a| a < span.dim) {
                            Some(a) => at += a as isize * span.stride,
                            None => inside = false,
                        }
                    }
                    let Some(span) = spans.last().filter(|span| inside && span.dim > 0) else { continue };
                    let out = &mut out[before(span)..];
                    if span.step == 1 && span.stride == 1 {
                        out[..span.dim].copy_from_slice(&words[at as usize..at as usize + span.dim]);
                    } else {
                        for (a, y) in out.iter_mut().step_by(span.step).take(span.dim).enumerate() {
                            *y = words[(at + a as isize * span.stride) as usize];
                        }
                    }
                }
            });
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let spans = self.spans(&args.inputs[0].layout);
        let n = self.shape.numel();
        let mut words = Words::default();
        words.push(n);
        words.var(args.scalar(0));
        words.var(args.input_offset(0));
        words.var(args.output_offset(0));
        let outs: Vec<usize> = spans.iter().map(|span| words.position(span.out)).collect();
        let mut find = coordinates("o", "i", &outs);
        for (k, span) in spans.iter().enumerate() {
            let stride = words.push(span.stride);
            let Some(before) = span.before.map(|s| word(words.var(args.scalar(s)))) else {
                find += &format!("    at += o{k} * {stride};\n");
                continue;
            };
            let (dim, step) = (words.push(span.dim), words.push(span.step));
            let _ = write!(
                find,
                "    let q{k} = o{k} - {before};\n    let a{k} = q{k} / {step};\n    \
                 inside = inside && o{k} >= {before} && q{k} % {step} == 0u && a{k} < {dim};\n    \
                 at += a{k} * {stride};\n"
            ); // writing to a String does not fail
        }
        let declared = bindings(&[("x", "u32", Access::Read), ("y", "u32", Access::Write)], words.0.len());
        Ok(Launch {
            name: "pad",
            source: assemble("pad", &[("bindings", &declared), ("find", &find)])?,
            args: vec![Arg::Read(0), Arg::Write(1)],
            words: words.0,
            groups: groups_of(n, 256),
            work: 2 * n as u64,
        }
        .into())
    }

    fn role(&self) -> Role<'_> {
        Role::Other
    }

    fn fuse(&self, _: &Fusion) -> Option<Arc<dyn Kernel>> {
        None
    }
}

impl Rule for Pad {
    fn rule_name(&self) -> &'static str {
        "pad"
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::NONE
    }

    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        let mut dx = dy.clone();
        for (axis, (&dim, &step)) in call.meta(0).shape.iter().zip(&self.steps).enumerate() {
            let before = call.scalars().get(1 + axis).copied().unwrap_or(0) as usize;
            let end = if dim == 0 { before } else { before + (dim - 1) * step + 1 };
            dx = dx.slice_step(axis as isize, before..end, step);
        }
        Ok(smallvec![Some(dx)])
    }
}

impl Op for Pad {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        Ok(Meta { shape: self.shape, dtype: inputs[0].dtype })
    }

    fn accepts(&self) -> Accepts {
        Accepts::Any
    }
}

/// Zeros of length `len` along `axis`, but for `dy`'s elements at `start`, `start + step`, …: the gradient of a slice.
#[track_caller]
pub(crate) fn spread(dy: &Tensor, axis: usize, start: usize, step: usize, len: usize) -> Tensor {
    let own = dy.shape();
    if axis >= own.rank() {
        return failed(Error::internal("spread", format!("axis {axis} of shape {own}")), dy);
    }
    // A single element has no next one; the step that it was cut with may be anything.
    let step = if own[axis] > 1 { step } else { 1 };
    let end = start + own[axis].saturating_sub(1) * step + usize::from(own[axis] > 0);
    if end > len {
        return failed(Error::internal("spread", format!("{start} by {step} in {len} on axis {axis} of {own}")), dy);
    }
    let mut steps: SmallVec<[usize; MAX_RANK]> = smallvec![1; own.rank()];
    steps[axis] = step;
    let mut scalars: SmallVec<[u32; 1 + MAX_RANK]> = smallvec![0; 1 + own.rank()];
    scalars[1 + axis] = start as u32; // below `len`, a dimension of a tensor
    record(Pad { shape: own.with(axis, len), steps }, &[dy], &scalars)
}

/// `value` as an element of `dtype`; 16-bit floats are computed as `f32`.
fn element(dtype: DType, value: f32) -> u32 {
    match dtype {
        DType::Bool => u32::from(value != 0.0),
        DType::U32 => value as u32,
        DType::I32 => (value as i32).cast_unsigned(),
        DType::F16 | DType::BF16 | DType::F32 => value.to_bits(),
    }
}

impl Tensor {
    /// A border of `value`: `borders` gives the elements (before, after) on each axis. Dimension `d` becomes
    /// `before + d + after`. The gradient of the border is dropped. Source: `numpy.pad`, mode `constant`.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![1.0, 2.0], [1, 2], &Device::cpu());
    /// let y = x.pad(&[(1, 0), (0, 1)], 9.0);
    /// assert_eq!(y.to_vec::<f32>()?, [9.0, 9.0, 9.0, 1.0, 2.0, 9.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn pad(&self, borders: &[(usize, usize)], value: f32) -> Tensor {
        let Some(own) = self.ok() else { return self.clone() };
        let shape = own.layout.shape;
        if borders.len() != shape.rank() {
            let message = format!(
                "needs (before, after) for each axis: given {} for shape {shape}; give (0, 0) where nothing is added",
                borders.len()
            );
            return failed(Error::argument("pad", message), self);
        }
        if borders.iter().all(|&border| border == (0, 0)) {
            return self.clone();
        }
        let dim = |(&d, &(before, after)): (&usize, &(usize, usize))| d.saturating_add(before).saturating_add(after);
        let dims: SmallVec<[usize; MAX_RANK]> = shape.iter().zip(borders).map(dim).collect();
        match Shape::new(&dims) {
            Ok(padded) => {
                let mut scalars: SmallVec<[u32; 1 + MAX_RANK]> = smallvec![element(own.dtype(), value)];
                scalars.extend(borders.iter().map(|&(before, _)| before as u32)); // part of a dimension that was checked
                record(Pad { shape: padded, steps: smallvec![1; shape.rank()] }, &[self], &scalars)
            }
            Err(error) => failed(error, self),
        }
    }
}
