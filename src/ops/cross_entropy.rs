//! `cross_entropy`: softmax, logarithm and mean in one launch. Source: PyTorch's `cross_entropy`, whose conventions these are.

use crate::device::cpu::parallel::{for_chunks, map_reduce};
use crate::device::launch::{Arg, Launch};
use crate::device::shader::{Access, assemble, bindings, word};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::ops::cross_entropy_grad::CrossEntropyGrad;
use crate::ops::row::failed;
use crate::ops::rows::{Exponentials, Rows, gathered};
use crate::ops::wgsl::{Words, declarations, reads};
use crate::ops::{Accepts, Op};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Operand, Role};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// Elements that one workgroup sums up alone; beyond, several do, and a second launch joins their sums.
const ONE_GROUP: usize = 1 << 16;
/// Workgroups that share the sum of a large batch.
const MAX_GROUPS: usize = 1024;

/// What becomes of the losses of single rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reduction {
    /// Their mean, weighted where there are weights; of no rows, NaN.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// They are the result.
    None,
}

/// Options of [`Tensor::cross_entropy_with`]. The defaults are those of [`Tensor::cross_entropy`].
#[derive(Debug, Clone, Copy, Default)]
pub struct CrossEntropyOptions<'a> {
    /// Share of the target distribution that is spread evenly over all classes: 0 to 1.
    ///
    /// Source: Szegedy et al. 2015, arXiv:1512.00567, section 7.
    pub label_smoothing: f32,
    /// A weight for each class, shape `[C]`. The mean is then divided by the sum of the targets' weights. No gradient flows to it.
    pub weights: Option<&'a Tensor>,
    /// Mean, sum, or the losses of the rows.
    pub reduction: Reduction,
}

/// Inputs: logits `[…, C]`, targets `[…]`, class weights `[C]` if `weighted`. Run-time scalar: the smoothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct CrossEntropy {
    reduction: Reduction,
    weighted: bool,
}

/// `fn target_of` and `fn class_weight`, of the operands at these positions.
pub(super) fn target_text(args: &Args<'_>, targets: usize, weights: Option<usize>, words: &mut Words) -> String {
    let read = |i: usize, linear: &str, words: &mut Words| {
        let (find, loads) = reads(&args.inputs[i..=i], i, "in", linear, words);
        (find, loads.into_iter().next().unwrap_or_default())
    };
    let (find, element) = read(targets, "row", words);
    let mut text = format!("fn target_of(row: u32) -> u32 {{\n{find}    return bitcast<u32>({element});\n}}\n");
    let (find, element) = match weights {
        Some(i) => read(i, "c", words),
        None => (String::new(), "1.0".into()),
    };
    text += &format!("fn class_weight(c: u32) -> f32 {{\n{find}    return {element};\n}}\n");
    text
}

impl CrossEntropy {
    /// The statement that writes the result from `total`, the sums of losses and of weights.
    fn result(&self, args: &Args<'_>, rows: usize, words: &mut Words) -> String {
        let at = word(words.var(args.output_offset(0)));
        match self.reduction {
            Reduction::Mean if rows == 0 => format!("out0[{at}] = tw_bits(0x7fc00000u);"),
            Reduction::Mean => format!("out0[{at}] = total.x / total.y;"),
            Reduction::Sum | Reduction::None => format!("out0[{at}] = total.x;"),
        }
    }

    /// The region `writes` of a launch whose sums are whole.
    fn writes(&self, args: &Args<'_>, rows: usize, words: &mut Words) -> String {
        if self.reduction == Reduction::None {
            let at = word(words.var(args.output_offset(0)));
            return format!(
                "const EACH_ROW = true;\nfn keep(row: u32, loss: f32) {{ out0[{at} + row] = loss; }}\n\
                 fn finish(group: u32, total: vec4<f32>) {{}}\n"
            );
        }
        let result = self.result(args, rows, words);
        format!(
            "const EACH_ROW = false;\nfn keep(row: u32, loss: f32) {{}}\n\
             fn finish(group: u32, total: vec4<f32>) {{ {result} }}\n"
        )
    }

    fn first_launch(&self, args: &Args<'_>, rows: &Rows, groups: usize, scratch: Option<usize>) -> Result<Launch> {
        let mut words = Words::default();
        words.push(rows.rows);
        words.push(rows.width);
        words.push(groups);
        words.var(args.scalar(0));
        let mut text = rows.text("logit", "in0", args.input_offset(0), &mut words);
        text += &target_text(args, 1, self.weighted.then_some(2), &mut words);
        let inputs = args.inputs.len();
        let mut buffers: Vec<Arg> = (0..inputs).map(Arg::Read).collect();
        let (writes, declared) = match scratch {
            None => {
                buffers.push(Arg::Write(inputs));
                (self.writes(args, rows.rows, &mut words), declarations(args, words.0.len()))
            }
            Some(parts) => {
                buffers.push(Arg::Write(parts));
                let mut named = vec![("in0", "f32", Access::Read), ("in1", target_type(args), Access::Read)];
                if self.weighted {
                    named.push(("in2", "f32", Access::Read));
                }
                named.push(("parts", "vec2<f32>", Access::Write));
                let writes = "const EACH_ROW = false;\nfn keep(row: u32, loss: f32) {}\n\
                              fn finish(group: u32, total: vec4<f32>) { parts[group] = total.xy; }\n";
                (writes.to_string(), bindings(&named, words.0.len()))
            }
        };
        let regions =
            [("bindings", declared.as_str()), ("team", &rows.team_text()), ("reads", &text), ("writes", &writes)];
        Ok(Launch {
            name: "cross_entropy",
            source: assemble("cross_entropy", &regions)?,
            args: buffers,
            words: words.0,
            groups: groups as u64,
            work: 10 * (rows.rows * rows.width) as u64,
        })
    }

    fn second_launch(&self, args: &Args<'_>, rows: &Rows, groups: usize) -> Result<Launch> {
        let mut words = Words::default();
        words.push(groups);
        let result = self.result(args, rows.rows, &mut words);
        let writes = format!("fn finish(group: u32, total: vec4<f32>) {{ {result} }}\n");
        let named = [("parts", "vec2<f32>", Access::Read), ("out0", "f32", Access::Write)];
        let declared = bindings(&named, words.0.len());
        Ok(Launch {
            name: "cross_entropy",
            source: assemble("cross_entropy_total", &[("bindings", &declared), ("writes", &writes)])?,
            args: vec![Arg::Read(args.scratch(0)), Arg::Write(args.inputs.len())],
            words: words.0,
            groups: 1,
            work: 2 * groups as u64,
        })
    }
}

/// The WGSL type that targets are stored as.
pub(super) fn target_type(args: &Args<'_>) -> &'static str {
    crate::ops::wgsl::storage_type(args.inputs[1].dtype)
}

impl Kernel for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let batch = Batch::new(args, self.weighted.then_some(2));
        let (op, rows) = (self.clone(), batch.rows);
        Ok(Box::new(move |call| {
            let smoothing = f32::from_bits(call.scalars[0]);
            let batch = batch.reading(call.inputs, smoothing);
            let (threads, part) = (call.cpu.threads(), rows.part());
            let work = 20 * (part.min(rows.rows) * rows.width) as u64;
            let out: &mut [f32] = bytemuck::cast_slice_mut(call.outputs[0]);
            if op.reduction == Reduction::None {
                for_chunks(threads, out, part, work, |index, out| {
                    batch.losses(index * part, out.len(), |row, loss, _| out[row - index * part] = loss);
                });
                return Ok(());
            }
            let sums = map_reduce(
                threads,
                rows.rows,
                part,
                work,
                |range| {
                    // f64, so that the order of adding does not show
                    let mut sums = (0f64, 0f64);
                    batch.losses(range.start, range.len(), |_, loss, weight| {
                        sums.0 += f64::from(loss);
                        sums.1 += f64::from(weight);
                    });
                    sums
                },
                |a, b| (a.0 + b.0, a.1 + b.1),
            );
            let (loss, weight) = sums.unwrap_or_default();
            out[0] = if op.reduction == Reduction::Mean { loss / weight } else { loss } as f32;
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let rows = Rows::of(&args.inputs[0]);
        let all = rows.rows.div_ceil(rows.teams()).max(1);
        if self.reduction == Reduction::None {
            return Ok(self.first_launch(args, &rows, all, None)?.into());
        }
        if rows.rows * rows.width <= ONE_GROUP || all == 1 {
            return Ok(self.first_launch(args, &rows, 1, None)?.into());
        }
        let groups = all.min(MAX_GROUPS);
        let first = self.first_launch(args, &rows, groups, Some(args.scratch(0)))?;
        let second = self.second_launch(args, &rows, groups)?;
        Ok(Launches { launches: vec![first, second], scratch: vec![2 * groups] })
    }

    fn role(&self) -> Role<'_> {
        Role::Other
    }

    fn fuse(&self, _: &Fusion) -> Option<Arc<dyn Kernel>> {
        None
    }
}

/// The operands of a batch on the CPU, as a kernel is built for them.
pub(super) struct Batch {
    pub rows: Rows,
    targets: Operand,
    weights: Option<(usize, Operand)>,
}

/// A batch with its buffers.
pub(super) struct Reading<'a> {
    pub rows: &'a Rows,
    logits: (&'a [u32], usize),
    targets: Vec<u32>,
    /// One a class; none when all are 1.
    weights: Vec<f32>,
    pub weight_sum: f64,
    pub smoothing: f32,
}

impl Batch {
    /// The logits are input 0, the targets input 1.
    pub fn new(args: &Args<'_>, weights: Option<usize>) -> Batch {
        let weights = weights.map(|i| (i, args.inputs[i]));
        Batch { rows: Rows::of(&args.inputs[0]), targets: args.inputs[1], weights }
    }

    pub fn reading<'a>(&'a self, inputs: &[(&'a [u32], usize)], smoothing: f32) -> Reading<'a> {
        let weights: Vec<f32> = match &self.weights {
            Some((i, operand)) => gathered(operand, inputs[*i]).into_iter().map(f32::from_bits).collect(),
            None => Vec::new(),
        };
        Reading {
            rows: &self.rows,
            logits: inputs[0],
            targets: gathered(&self.targets, inputs[1]),
            weight_sum: match &self.weights {
                Some(_) => weights.iter().map(|&w| f64::from(w)).sum(),
                None => self.rows.width as f64,
            },
            weights,
            smoothing,
        }
    }
}

impl Reading<'_> {
    /// The weight of class `c`.
    pub fn weight(&self, c: usize) -> f32 {
        self.weights.get(c).copied().unwrap_or(1.0)
    }

    /// The class of a row, if its target is one. Targets below 0 are large numbers here.
    pub fn target(&self, row: usize) -> Option<usize> {
        let label = self.targets.get(row).map_or(usize::MAX, |&label| label as usize);
        (label < self.rows.width).then_some(label)
    }

    /// Rows `first..first + count` in blocks: `visit` gets each block's first row and what was made of it.
    pub fn blocks(&self, first: usize, count: usize, mut visit: impl FnMut(usize, &Exponentials)) {
        Exponentials::with(|made| {
            for start in (first..first + count).step_by(self.rows.block()) {
                let size = self.rows.block().min(first + count - start);
                made.take(self.rows, self.logits, start, size);
                visit(start, made);
            }
        });
    }

    /// Calls `keep` with each row, its loss and the weight of its target.
    fn losses(&self, first: usize, count: usize, mut keep: impl FnMut(usize, f32, f32)) {
        let spread = self.smoothing / self.rows.width as f32;
        self.blocks(first, count, |start, made| {
            let all = made.shifted.chunks_exact(self.rows.width).zip(&made.sums);
            for (row, (shifted, sum)) in (start..).zip(all) {
                let Some(label) = self.target(row) else {
                    keep(row, f32::NAN, f32::NAN);
                    continue;
                };
                let (weight, ln_sum) = (self.weight(label), sum.ln());
                let mut loss = weight * (ln_sum - shifted[label]);
                if self.smoothing > 0.0 {
                    let even: f64 = if self.weights.is_empty() {
                        shifted.iter().map(|&z| f64::from(z)).sum()
                    } else {
                        shifted.iter().zip(&self.weights).map(|(&z, &w)| f64::from(w) * f64::from(z)).sum()
                    };
                    let even = (self.weight_sum * f64::from(ln_sum) - even) as f32;
                    loss = (1.0 - self.smoothing) * loss + spread * even;
                }
                keep(row, loss, weight);
            }
        });
    }
}

impl Rule for CrossEntropy {
    fn rule_name(&self) -> &'static str {
        "cross_entropy"
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::INPUTS
    }

    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        let grad = CrossEntropyGrad { reduction: self.reduction, weighted: self.weighted };
        let mut inputs: SmallVec<[&Tensor; 4]> = smallvec![call.input(0)?, call.input(1)?, dy];
        if self.weighted {
            inputs.push(call.input(2)?);
        }
        Ok(smallvec![Some(record(grad, &inputs, call.scalars())), None, None])
    }
}

impl Op for CrossEntropy {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        let (logits, targets) = (inputs[0], inputs[1]);
        let wrong = |message: String| Err(Error::shape("cross_entropy", message));
        if !logits.dtype.is_float() {
            let message = format!("logits must be floats: given {}; convert with to_dtype", logits.dtype);
            return Err(Error::dtype("cross_entropy", message));
        }
        if !matches!(targets.dtype, DType::U32 | DType::I32) {
            let message = format!(
                "targets must be class numbers, u32 or i32: given {}; convert with to_dtype, or one-hot rows with argmax",
                targets.dtype
            );
            return Err(Error::dtype("cross_entropy", message));
        }
        let Some((&classes, leading)) = logits.shape.split_last().filter(|(classes, _)| **classes > 0) else {
            return wrong(format!(
                "logits need a last axis of classes: given {}; one or more are needed",
                logits.shape
            ));
        };
        if targets.shape != *leading {
            return wrong(format!(
                "targets must have the logits' shape without its last axis: logits {}, targets {}; give one class number a row",
                logits.shape, targets.shape
            ));
        }
        if let Some(weights) = inputs.get(2)
            && (weights.shape != [classes] || !weights.dtype.is_float())
        {
            return wrong(format!(
                "weights must be floats of shape [{classes}]: given {} of {}; give one a class",
                weights.shape, weights.dtype
            ));
        }
        let shape = if self.reduction == Reduction::None { targets.shape } else { Shape::SCALAR };
        Ok(Meta { shape, dtype: DType::F32 })
    }

    fn accepts(&self) -> Accepts {
        Accepts::Any
    }
}

impl Tensor {
    /// The mean cross entropy between the softmax of these logits and the classes `targets`: `mean(ln Σ_c e^(x_c) - x_y)`, computed
    /// without overflow. Shapes: logits `[…, C]`, targets `[…]` (`u32` or `i32`, `0..C`) → `[]`. A target outside `0..C` makes
    /// the loss NaN.
    ///
    /// Errors: logits that are no floats, or without a class; targets of another type or shape.
    ///
    /// Source: PyTorch's `cross_entropy`; classes are the last axis here.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let logits = Tensor::from_vec(vec![2.0, 0.0, 0.0, 3.0], [2, 2], &Device::cpu());
    /// let targets = Tensor::from_vec(vec![0u32, 1], [2], &Device::cpu());
    /// let loss = logits.cross_entropy(&targets).item::<f32>()?; // (ln(1 + e^-2) + ln(1 + e^-3)) / 2
    /// assert!((loss - 0.087_757_68).abs() < 1e-6);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn cross_entropy(&self, targets: &Tensor) -> Tensor {
        self.cross_entropy_with(targets, CrossEntropyOptions::default())
    }

    /// [`Tensor::cross_entropy`] with smoothed labels, class weights, or another reduction. With `w` the weights, `ε` the
    /// smoothing and `P` the softmax, the loss of a row is `-(1 - ε)·w_y·ln P_y - ε/C·Σ_c w_c·ln P_c`; the weighted mean divides
    /// by the sum of `w_y`.
    ///
    /// Errors: as there; smoothing outside `0..=1`; weights of another shape than `[C]`.
    ///
    /// ```
    /// use tilework::{CrossEntropyOptions, Device, Reduction, Tensor};
    /// let logits = Tensor::zeros([3, 4], &Device::cpu());
    /// let targets = Tensor::from_vec(vec![0u32, 1, 3], [3], &Device::cpu());
    /// let options = CrossEntropyOptions { reduction: Reduction::Sum, ..Default::default() };
    /// let loss = logits.cross_entropy_with(&targets, options);
    /// assert!((loss.item::<f32>()? - 3.0 * 4f32.ln()).abs() < 1e-6);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn cross_entropy_with(&self, targets: &Tensor, options: CrossEntropyOptions<'_>) -> Tensor {
        let CrossEntropyOptions { label_smoothing, weights, reduction } = options;
        if !(0.0..=1.0).contains(&label_smoothing) {
            let message = format!("label_smoothing is a share of the target: given {label_smoothing}; give 0 to 1");
            return failed(Error::argument("cross_entropy", message), self);
        }
        let op = CrossEntropy { reduction, weighted: weights.is_some() };
        let inputs: SmallVec<[&Tensor; 3]> = [self, targets].into_iter().chain(weights).collect();
        record(op, &inputs, &[label_smoothing.to_bits()])
    }
}
