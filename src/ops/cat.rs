//! `cat`: tensors joined along an axis. Source: `numpy.concatenate`.

use crate::device::launch::{Arg, Launch, Word};
use crate::device::shader::{Access, assemble, bindings, word};
use crate::error::{Error, Result};
use crate::ops::wgsl::{groups_of, storage_type};
use crate::ops::{Accepts, Op};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Role};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record;
use std::panic::Location;
use std::sync::Arc;

/// Inputs joined along `axis`: seen as `[outer, inner_i]` each, they become the columns of `[outer, Σ inner_i]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Cat {
    axis: usize,
    /// Product of the dimensions before `axis`; 1 means that the parts lie one after the other.
    outer: usize,
}

impl Kernel for Cat {
    fn name(&self) -> &'static str {
        "cat"
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let widths: Vec<usize> = args.inputs.iter().map(|x| x.layout.numel() / self.outer.max(1)).collect();
        let (outer, row) = (self.outer, widths.iter().sum::<usize>());
        Ok(Box::new(move |call| {
            let mut column = 0;
            for (&(words, offset), &width) in call.inputs.iter().zip(&widths) {
                for i in 0..outer {
                    let from = offset + i * width;
                    let to = i * row + column;
                    call.outputs[0][to..to + width].copy_from_slice(&words[from..from + width]);
                }
                column += width;
            }
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let row = args.outputs[0].shape.numel() / self.outer.max(1);
        let mut column = 0;
        let mut all = Launches::default();
        for (i, input) in args.inputs.iter().enumerate() {
            let width = input.layout.numel() / self.outer.max(1);
            let kind = storage_type(input.dtype);
            let words: Vec<Word> = vec![
                input.layout.numel().into(),
                width.into(),
                row.into(),
                column.into(),
                Word::Var(args.input_offset(i)),
                Word::Var(args.output_offset(0)),
            ];
            let declared = bindings(&[("x", kind, Access::Read), ("y", kind, Access::Write)], words.len());
            debug_assert_eq!(word(0), "p[0].x");
            all.launches.push(Launch {
                name: "cat",
                source: assemble("cat", &[("bindings", &declared)])?,
                args: vec![Arg::Read(i), Arg::Write(args.inputs.len())],
                words,
                groups: groups_of(input.layout.numel(), 256),
                work: 2 * input.layout.numel() as u64,
            });
            column += width;
        }
        Ok(all)
    }

    fn role(&self) -> Role<'_> {
        if self.outer == 1 { Role::Concat } else { Role::Other }
    }

    fn fuse(&self, _: &Fusion) -> Option<Arc<dyn Kernel>> {
        None
    }
}

impl Rule for Cat {
    fn rule_name(&self) -> &'static str {
        "cat"
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::NONE
    }

    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        let mut start = 0;
        let slices = (0..call.len()).map(|i| {
            let width = call.meta(i).shape[self.axis];
            start += width;
            call.wants(i).then(|| dy.slice(self.axis as isize, start - width..start))
        });
        Ok(slices.collect())
    }
}

impl Op for Cat {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        let first = inputs[0];
        let mut joined = 0;
        for x in inputs {
            let fits = x.shape.rank() == first.shape.rank()
                && (0..x.shape.rank()).all(|a| a == self.axis || x.shape[a] == first.shape[a]);
            if !fits {
                let message = format!(
                    "shapes differ off axis {}: first {}, another {}; all other dimensions must be equal",
                    self.axis, first.shape, x.shape
                );
                return Err(Error::shape("cat", message));
            }
            joined += x.shape[self.axis];
        }
        Ok(Meta { shape: Shape::new(&first.shape.with(self.axis, joined))?, dtype: first.dtype })
    }

    fn accepts(&self) -> Accepts {
        Accepts::RowMajor
    }
}

impl Tensor {
    /// Joins tensors along `axis`. Shapes: equal but for `axis`. Mixed element types are promoted.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let a = Tensor::from_vec(vec![1.0, 2.0], [1, 2], &Device::cpu());
    /// let b = Tensor::from_vec(vec![3.0, 4.0], [1, 2], &Device::cpu());
    /// assert_eq!(Tensor::cat(&[&a, &b], 0).to_vec::<f32>()?, [1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(Tensor::cat(&[&a, &b], 1).shape(), [1, 4]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn cat(tensors: &[&Tensor], axis: isize) -> Tensor {
        let line = Location::caller();
        let Some(first) = tensors.first() else {
            let error = Error::argument("cat", "no tensors given; give at least one").located(line);
            return Tensor::failed(error, &crate::device::Device::cpu());
        };
        if let Some(failed) = tensors.iter().find(|x| x.ok().is_none()) {
            return (*failed).clone();
        }
        let at = match first.shape().axis("cat", axis) {
            Ok(at) => at,
            Err(error) => return Tensor::failed(error.located(line), first.device()),
        };
        if let [only] = tensors {
            return (*only).clone();
        }
        let dtype = tensors.iter().map(|x| x.dtype()).reduce(|a, b| a.promote(b)).unwrap_or(first.dtype());
        let parts: Vec<Tensor> = tensors.iter().map(|x| x.to_dtype(dtype)).collect();
        let parts: Vec<&Tensor> = parts.iter().collect();
        record(Cat { axis: at, outer: first.shape()[..at].iter().product() }, &parts, &[])
    }

    /// Joins tensors of one shape along a new axis.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let a = Tensor::ones([3], &Device::cpu());
    /// assert_eq!(Tensor::stack(&[&a, &a], 0).shape(), [2, 3]);
    /// ```
    #[track_caller]
    pub fn stack(tensors: &[&Tensor], axis: isize) -> Tensor {
        let mut parts: Vec<Tensor> = Vec::with_capacity(tensors.len());
        for x in tensors {
            parts.push(x.unsqueeze(axis)); // not in a closure: errors carry the caller's line
        }
        Tensor::cat(&parts.iter().collect::<Vec<_>>(), axis)
    }

    /// Cuts along `axis` into parts of `size`; the last may be smaller.
    #[track_caller]
    pub fn split(&self, size: usize, axis: isize) -> Vec<Tensor> {
        let dim = self.shape().axis("split", axis).map_or(0, |at| self.shape()[at]);
        if size == 0 || dim == 0 {
            return vec![self.slice_step(axis, .., size)]; // carries the error, or is empty itself
        }
        (0..dim).step_by(size).map(|start| self.slice(axis, start..dim.min(start + size))).collect() // never fails
    }
}
