//! The gradient of `cross_entropy`: `(softmax - target distribution)·scale` in one launch (two for a weighted mean).

use crate::device::cpu::parallel::for_chunks;
use crate::device::launch::{Arg, Launch};
use crate::device::shader::{Access, assemble, bindings};
use crate::dtype::DType;
use crate::error::Result;
use crate::expr::{gather, load};
use crate::ops::cross_entropy::{Batch, Reduction, target_text, target_type};
use crate::ops::rows::Rows;
use crate::ops::wgsl::{Words, reads};
use crate::ops::{Accepts, Op};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Role};
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// Workgroups that sum the class weights of a batch: as many as one load a thread can join.
const MAX_PARTS: usize = 256;

/// Inputs: logits `[…, C]`, targets `[…]`, dy (`[]`, or `[…]` where each row has a loss), class weights `[C]` if `weighted`.
/// Run-time scalar: the smoothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CrossEntropyGrad {
    pub reduction: Reduction,
    pub weighted: bool,
}

impl CrossEntropyGrad {
    /// Whether the scale is a sum over the batch.
    fn divides_by_weights(&self) -> bool {
        self.weighted && self.reduction == Reduction::Mean
    }

    fn weights(&self) -> Option<usize> {
        self.weighted.then_some(3)
    }

    fn weights_launch(&self, args: &Args<'_>, rows: &Rows, parts: usize) -> Result<Launch> {
        let mut words = Words::default();
        for value in [rows.rows, rows.width, parts] {
            words.push(value);
        }
        let text = target_text(args, 1, self.weights(), &mut words);
        let named =
            [("in1", target_type(args), Access::Read), ("in3", "f32", Access::Read), ("parts", "f32", Access::Write)];
        let declared = bindings(&named, words.0.len());
        Ok(Launch {
            name: "cross_entropy_grad",
            source: assemble("cross_entropy_weights", &[("bindings", &declared), ("reads", &text)])?,
            args: vec![Arg::Read(1), Arg::Read(3), Arg::Write(args.scratch(0))],
            words: words.0,
            groups: parts as u64,
            work: 2 * rows.rows as u64,
        })
    }
}

impl Kernel for CrossEntropyGrad {
    fn name(&self) -> &'static str {
        "cross_entropy_grad"
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let batch = Batch::new(args, self.weights());
        let (op, rows, dy) = (self.clone(), batch.rows, args.inputs[2].layout);
        Ok(Box::new(move |call| {
            let smoothing = f32::from_bits(call.scalars[0]);
            let batch = batch.reading(call.inputs, smoothing);
            let scale = match op.reduction {
                Reduction::Sum | Reduction::None => 1.0,
                Reduction::Mean if op.weighted => {
                    let weight = |row| batch.target(row).map_or(f64::NAN, |label| f64::from(batch.weight(label)));
                    (1.0 / (0..rows.rows).map(weight).sum::<f64>()) as f32
                }
                Reduction::Mean => 1.0 / rows.rows as f32,
            };
            let (dy_words, dy_offset) = call.inputs[2];
            let dy_all = dy.at(dy_offset);
            let single = f32::from_bits(load(DType::F32, dy_words, dy_offset));
            let spread = smoothing / rows.width as f32;
            let part = rows.part();
            let work = 20 * (part.min(rows.rows) * rows.width) as u64;
            let out: &mut [f32] = bytemuck::cast_slice_mut(call.outputs[0]);
            for_chunks(call.cpu.threads(), out, part * rows.width, work, |index, out| {
                let (first, mut out) = (index * part, out);
                let count = out.len() / rows.width;
                let mut slopes = vec![0u32; if dy_all.is_scalar() { 0 } else { count }];
                if !slopes.is_empty() {
                    gather(DType::F32, dy_words, &dy_all, first, &mut slopes);
                }
                batch.blocks(first, count, |start, made| {
                    for (row, (powers, sum)) in (start..).zip(made.powers.chunks_exact(rows.width).zip(&made.sums)) {
                        let (dx, rest) = std::mem::take(&mut out).split_at_mut(rows.width);
                        out = rest;
                        let Some(label) = batch.target(row) else {
                            dx.fill(f32::NAN);
                            continue;
                        };
                        let slope = slopes.get(row - first).map_or(single, |&bits| f32::from_bits(bits));
                        let hit = (1.0 - smoothing) * batch.weight(label);
                        let factor = (hit + spread * batch.weight_sum as f32) / sum;
                        let scale = scale * slope;
                        dx.iter_mut().zip(powers).for_each(|(d, e)| *d = factor * e);
                        if smoothing > 0.0 {
                            dx.iter_mut().enumerate().for_each(|(c, d)| *d -= spread * batch.weight(c));
                        }
                        dx[label] -= hit;
                        dx.iter_mut().for_each(|d| *d *= scale);
                    }
                });
            });
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let rows = Rows::of(&args.inputs[0]);
        let parts = rows.rows.div_ceil(256).min(MAX_PARTS);
        let mut words = Words::default();
        words.push(rows.rows);
        words.push(rows.width);
        match self.reduction {
            Reduction::Mean if self.weighted => words.push(parts),
            Reduction::Mean => words.push(1.0 / rows.rows as f32),
            Reduction::Sum | Reduction::None => words.push(1f32),
        };
        words.var(args.scalar(0));
        words.var(args.output_offset(0));
        let mut text = rows.text("logit", "in0", args.input_offset(0), &mut words);
        text += &target_text(args, 1, self.weights(), &mut words);
        let (find, loads) = reads(&args.inputs[2..3], 2, "in", "row", &mut words);
        text += &format!("fn dy_of(row: u32) -> f32 {{\n{find}    return {};\n}}\n", loads.concat());
        let mut named = vec![
            ("in0", "f32", Access::Read),
            ("in1", target_type(args), Access::Read),
            ("in2", "f32", Access::Read),
            ("in3", "f32", Access::Read),
            ("parts", "f32", Access::Read),
            ("out0", "f32", Access::Write),
        ];
        let mut buffers: Vec<Arg> = (0..args.inputs.len()).map(Arg::Read).collect();
        let mut scale = "fn scale_of(lane: u32) -> f32 { return bitcast<f32>(p[0].z); }";
        let mut all = Launches::default();
        if self.divides_by_weights() {
            buffers.push(Arg::Read(args.scratch(0)));
            scale = "fn scale_of(lane: u32) -> f32 {\n    var part = vec4<f32>();\n    if (lane < p[0].z) {\n        \
                     part.x = parts[lane];\n    }\n    return 1.0 / group_sum(lane, part).x;\n}";
            all.launches.push(self.weights_launch(args, &rows, parts)?);
            all.scratch.push(parts);
        }
        named.retain(|(name, ..)| match *name {
            "in3" => self.weighted,
            "parts" => self.divides_by_weights(),
            _ => true,
        });
        buffers.push(Arg::Write(args.inputs.len()));
        let declared = bindings(&named, words.0.len());
        let regions =
            [("bindings", declared.as_str()), ("team", &rows.team_text()), ("reads", &text), ("scale", scale)];
        all.launches.push(Launch {
            name: "cross_entropy_grad",
            source: assemble("cross_entropy_grad", &regions)?,
            args: buffers,
            words: words.0,
            groups: rows.rows.div_ceil(rows.teams()) as u64,
            work: 12 * (rows.rows * rows.width) as u64,
        });
        Ok(all)
    }

    fn role(&self) -> Role<'_> {
        Role::Other
    }

    fn fuse(&self, _: &Fusion) -> Option<Arc<dyn Kernel>> {
        None
    }
}

impl Rule for CrossEntropyGrad {
    fn rule_name(&self) -> &'static str {
        "cross_entropy_grad"
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::INPUTS
    }

    /// With `g = dy·a·(P - t)`, where `a` is a number a row and `t` does not depend on the logits, and `u` the derivative of `g`:
    /// `dx = dy·a·P·(u - Σ u·P)` and `d(dy) = Σ u·g / dy`.
    fn grad(&self, call: &GradCall<'_>, u: &Tensor) -> Result<Partials> {
        let (logits, dy) = (call.input(0)?, call.input(2)?);
        let ones = dy.ones_like();
        let mut inputs: SmallVec<[&Tensor; 4]> = smallvec![logits, call.input(1)?, &ones];
        if self.weighted {
            inputs.push(call.input(3)?);
        }
        let by_dy = u * record(self.clone(), &inputs, call.scalars());
        let each = self.reduction == Reduction::None;
        let by_dy = if each { by_dy.sum_axes(&[-1]) } else { by_dy.sum() };
        let p = logits.softmax(-1);
        let inner = (u * &p).sum_axes(&[-1]).unsqueeze(-1);
        let dy = if each { dy.unsqueeze(-1) } else { dy.clone() };
        let by_logits = self.factor(call)? * dy * p * (u - inner);
        Ok(smallvec![Some(by_logits), None, Some(by_dy), None])
    }
}

impl CrossEntropyGrad {
    /// What stands before the softmax in the gradient: a number, or one a row with a last axis of 1.
    fn factor(&self, call: &GradCall<'_>) -> Result<Tensor> {
        let rows = call.meta(1).shape.numel();
        let one = Tensor::scalar(1f32, call.input(0)?.device());
        let mean = self.reduction == Reduction::Mean;
        if !self.weighted {
            return Ok(if mean { one / rows as f32 } else { one });
        }
        let (targets, weights) = (call.input(1)?, call.input(3)?);
        let classes = Tensor::arange(0..weights.numel() as u32, weights.device()).to_dtype(targets.dtype());
        let hit = targets.unsqueeze(-1).eq(&classes).to_dtype(DType::F32);
        let own = (hit * weights).sum_axes(&[-1]).unsqueeze(-1);
        let smoothing = f32::from_bits(call.scalars().first().copied().unwrap_or_default());
        let mixed = &own * (1.0 - smoothing) + weights.mean() * smoothing;
        Ok(if mean { mixed / own.sum() } else { mixed })
    }
}

impl Op for CrossEntropyGrad {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        Ok(inputs[0]) // arguments were checked by `cross_entropy`
    }

    fn accepts(&self) -> Accepts {
        Accepts::Any
    }
}
