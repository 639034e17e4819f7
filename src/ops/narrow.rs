//! Rounding to the 16-bit floats: nearest, ties to even, the same bits on every device. (Widening is a map.)

use crate::device::cpu::parallel::for_chunks;
use crate::device::launch::{Arg, Launch, Word};
use crate::device::shader::{Access, assemble, bindings};
use crate::dtype::DType;
use crate::error::Result;
use crate::ops::wgsl::groups_of;
use crate::ops::{Accepts, Op};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Role};
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record;
use half::{bf16, f16};
use smallvec::smallvec;
use std::sync::Arc;

/// Words of the output that one thread takes at a time.
const CHUNK: usize = 16 * 1024;

/// `f32` to `f16` or `bf16`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Narrow {
    to: DType,
}

impl Kernel for Narrow {
    fn name(&self) -> &'static str {
        "to_dtype"
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let (n, to) = (args.inputs[0].layout.numel(), self.to);
        Ok(Box::new(move |call| {
            let (words, offset) = call.inputs[0];
            let values: &[f32] = bytemuck::cast_slice(&words[offset..offset + n]);
            let half = |value: f32| match to {
                DType::BF16 => u32::from(bf16::from_f32(value).to_bits()),
                _ => u32::from(f16::from_f32(value).to_bits()),
            };
            for_chunks(call.cpu.threads(), call.outputs[0], CHUNK, 8 * CHUNK as u64, |index, out| {
                for (word, pair) in out.iter_mut().zip(values[2 * index * CHUNK..].chunks(2)) {
                    *word = pair.iter().rev().fold(0, |word, &value| word << 16 | half(value));
                }
            });
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let n = args.inputs[0].layout.numel();
        let words = vec![
            n.into(),
            Word::Const(u32::from(self.to == DType::BF16)),
            Word::Var(args.input_offset(0)),
            Word::Var(args.output_offset(0)),
        ];
        let declared = bindings(&[("x", "f32", Access::Read), ("y", "u32", Access::Write)], words.len());
        Ok(Launch {
            name: "to_dtype",
            source: assemble("narrow", &[("bindings", &declared)])?,
            args: vec![Arg::Read(0), Arg::Write(1)],
            words,
            groups: groups_of(n.div_ceil(2), 256),
            work: 10 * n as u64,
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

impl Rule for Narrow {
    fn rule_name(&self) -> &'static str {
        "to_dtype"
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::NONE
    }

    fn grad(&self, _: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        Ok(smallvec![Some(dy.clone())])
    }
}

impl Op for Narrow {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        Ok(Meta { dtype: self.to, ..inputs[0] })
    }

    fn accepts(&self) -> Accepts {
        Accepts::RowMajor
    }
}

/// The elements rounded to `dtype`, a 16-bit float.
#[track_caller]
pub(crate) fn narrow(x: &Tensor, dtype: DType) -> Tensor {
    record(Narrow { to: dtype }, &[&x.to_dtype(DType::F32)], &[])
}
