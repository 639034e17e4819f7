//! A step of a plan: one kernel with the calls that were fused into it.

use crate::device::caps::Caps;
use crate::dtype::DType;
use crate::expr::{Builder, E, Program};
use crate::plan::kernel::{Fusion, Kernel, Meta, Operand, Role};
use crate::plan::key::{CallKey, is_whole};
use std::sync::Arc;

/// Instructions of one fused program at most: it bounds what a shader compiler and the CPU's registers have to hold.
const MAX_PROGRAM: usize = 96;

/// Storage buffers that a fused step binds at most, on any device: WebGPU's default limit, so that plans are alike everywhere.
const MAX_BUFFERS: usize = 8;

/// An input of a step: the value, how it is read, and the variable that holds its offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StepInput {
    pub value: u32,
    pub operand: Operand,
    pub var: usize,
}

impl StepInput {
    /// The same elements in the same order: one binding serves both.
    fn same(&self, other: &StepInput) -> bool {
        self.value == other.value && self.operand == other.operand
    }
}

/// An output of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepOutput {
    pub value: u32,
    pub meta: Meta,
    #[cfg_attr(not(feature = "gpu"), allow(dead_code, reason = "CPU kernels write at their buffer's start"))]
    pub var: usize,
}

/// One kernel of a plan.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The kernel as it will run.
    pub kernel: Arc<dyn Kernel>,
    base: Arc<dyn Kernel>,
    prologue: Option<Arc<Program>>,
    epilogue: Option<Arc<Program>>,
    /// The kernel's own inputs, then those of its epilogue.
    pub inputs: Vec<StepInput>,
    own: usize,
    pub outputs: Vec<StepOutput>,
    /// Variables of the run-time scalars: the kernel's (and its prologue's), then the epilogue's.
    pub scalars: Vec<usize>,
    /// The operations in it, for traces.
    pub names: Vec<&'static str>,
}

impl Step {
    /// The step of one call; `var` is the first of the call's variables: input offsets, output offset, scalars.
    pub fn of(call: &CallKey, value: u32, var: usize) -> Step {
        let inputs = call.inputs.iter().enumerate();
        let inputs: Vec<_> = inputs.map(|(i, &(value, operand))| StepInput { value, operand, var: var + i }).collect();
        let own = inputs.len();
        Step {
            kernel: call.kernel.clone(),
            base: call.kernel.clone(),
            prologue: None,
            epilogue: None,
            inputs,
            own,
            outputs: vec![StepOutput { value, meta: call.meta, var: var + own }],
            scalars: (0..call.scalars).map(|s| var + own + 1 + s).collect(),
            names: vec![call.kernel.name()],
        }
    }

    pub fn reads(&self, value: u32) -> bool {
        self.inputs.iter().any(|input| input.value == value)
    }

    pub fn writes(&self, value: u32) -> bool {
        self.outputs.iter().any(|output| output.value == value)
    }

    fn program(&self) -> Option<&Arc<Program>> {
        match self.kernel.role() {
            Role::Map(program) => Some(program),
            _ => None,
        }
    }

    /// The step that does `self` and then `next` in one kernel; `wanted` says of a value whether anyone besides `next` needs it.
    pub fn join(&self, next: &Step, caps: &Caps, wanted: impl Fn(u32) -> bool) -> Option<Step> {
        let joined = match (self.program(), next.program()) {
            (Some(_), Some(_)) => self.join_maps(next, &wanted)?,
            (None, Some(_)) => self.join_epilogue(next, caps, &wanted)?,
            (Some(_), None) => self.join_prologue(next, &wanted)?,
            (None, None) => return None,
        };
        let buffers = caps.max_storage_buffers.min(MAX_BUFFERS);
        (joined.inputs.len() + joined.outputs.len() <= buffers).then_some(joined)
    }

    /// `next`, an element-wise step, walked over `self`'s output shape; `None` when its views do not allow it or it reads an
    /// output of `self` in another order.
    fn aligned(&self, next: &Step) -> Option<Step> {
        let shape = self.outputs.first()?.meta.shape;
        let mut next = next.clone();
        if next.outputs.first()?.meta.shape.numel() != shape.numel() {
            return None;
        }
        for input in &mut next.inputs {
            if let Some(output) = self.outputs.iter().find(|o| o.value == input.value)
                && !is_whole(&input.operand.layout, &output.meta)
            {
                return None;
            }
            input.operand.layout = input.operand.layout.reshape(&shape)?;
        }
        Some(next)
    }

    fn join_maps(&self, next: &Step, wanted: &impl Fn(u32) -> bool) -> Option<Step> {
        let next = self.aligned(next)?;
        let (first, second) = (self.program()?, next.program()?);
        let mut join = Joiner::new();
        let x: Vec<_> = self.inputs.iter().map(|&input| join.input(input)).collect();
        let made = join.wire(&next.inputs, &self.outputs);
        let b = Builder::new();
        let (xs, ps) = join.declare(&b, self.scalars.len() + next.scalars.len());
        let (p1, p2) = ps.split_at(self.scalars.len());
        let mid = b.inline(first, &pick(&xs, &x), p1);
        let args = wired(&made, &xs, &mid)?;
        let out = b.inline(second, &args, p2);
        let (outputs, results) = keep(&self.outputs, &mid, &next.outputs, &out, wanted);
        let program = b.finish_as(joint_name(first.name(), second.name()), &results, &types(&outputs));
        if program.len() > MAX_PROGRAM {
            return None;
        }
        let kernel = self.base.fuse(&Fusion::Program(program))?;
        let own = join.inputs.len();
        Some(Step {
            base: kernel.clone(),
            kernel,
            prologue: None,
            epilogue: None,
            inputs: join.inputs,
            own,
            outputs,
            scalars: [&self.scalars[..], &next.scalars].concat(),
            names: [&self.names[..], &next.names].concat(),
        })
    }

    fn join_epilogue(&self, next: &Step, caps: &Caps, wanted: &impl Fn(u32) -> bool) -> Option<Step> {
        let next = self.aligned(next)?;
        let second = next.program()?;
        let by_itself = |dtype: &DType| dtype.size() == 4 || *dtype == DType::F16 && caps.shader_f16;
        if !second.outputs().iter().all(by_itself) {
            return None; // two results share a word, which only a map knows to write
        }
        let mut join = Joiner::new();
        let x: Vec<_> = self.inputs[self.own..].iter().map(|&input| join.input(input)).collect();
        let made = join.wire(&next.inputs, &self.outputs);
        let before = self.epilogue.as_ref();
        let own_scalars = self.scalars.len() - before.map_or(0, |e| e.params());
        let b = Builder::new();
        // Input 0 of an epilogue is the kernel's result.
        let result = b.input(0, before.map_or(self.outputs.first()?.meta.dtype.compute(), |e| e.inputs()[0]));
        let (xs, ps) = join.declare_after(&b, 1, self.scalars.len() - own_scalars + next.scalars.len());
        let (p1, p2) = ps.split_at(self.scalars.len() - own_scalars);
        let mid = match before {
            Some(epilogue) => {
                let args: Vec<_> = std::iter::once(result).chain(pick(&xs, &x)).collect();
                b.inline(epilogue, &args, p1)
            }
            None => vec![result],
        };
        let args = wired(&made, &xs, &mid)?;
        let out = b.inline(second, &args, p2);
        let (outputs, results) = keep(&self.outputs, &mid, &next.outputs, &out, wanted);
        let name = before.map_or(second.name().to_string(), |e| joint_name(e.name(), second.name()));
        let epilogue = b.finish_as(name, &results, &types(&outputs));
        if epilogue.len() > MAX_PROGRAM {
            return None;
        }
        let kernel = self.fused(self.prologue.as_ref(), Some(&epilogue))?;
        let mut inputs = self.inputs[..self.own].to_vec();
        inputs.extend(join.inputs);
        Some(Step {
            kernel,
            base: self.base.clone(),
            prologue: self.prologue.clone(),
            epilogue: Some(epilogue),
            inputs,
            own: self.own,
            outputs,
            scalars: [&self.scalars[..], &next.scalars].concat(),
            names: [&self.names[..], &next.names].concat(),
        })
    }

    fn join_prologue(&self, next: &Step, wanted: &impl Fn(u32) -> bool) -> Option<Step> {
        let program = self.program()?;
        let ([output], Some(first)) = (&self.outputs[..], next.inputs.first()) else { return None };
        // The prologue's result is not stored: nobody else may need it, and it must be read in the order it is computed.
        let once = next.inputs.iter().filter(|input| input.value == output.value).count() == 1;
        let fits = output.meta.dtype.size() == 4
            && next.prologue.is_none()
            && next.epilogue.is_none()
            && next.own == 1
            && first.value == output.value
            && !wanted(output.value)
            && once
            && is_whole(&first.operand.layout, &output.meta);
        if !fits {
            return None;
        }
        let kernel = next.fused(Some(program), None)?;
        let mut inputs = self.inputs.clone();
        for input in &mut inputs {
            input.operand.layout = input.operand.layout.reshape(&first.operand.layout.shape)?;
        }
        Some(Step {
            kernel,
            base: next.base.clone(),
            prologue: Some(program.clone()),
            epilogue: None,
            own: inputs.len(),
            inputs,
            outputs: next.outputs.clone(),
            scalars: [&next.scalars[..], &self.scalars].concat(),
            names: [&self.names[..], &next.names].concat(),
        })
    }

    fn fused(&self, prologue: Option<&Arc<Program>>, epilogue: Option<&Arc<Program>>) -> Option<Arc<dyn Kernel>> {
        let mut kernel = self.base.clone();
        if let Some(program) = prologue {
            kernel = kernel.fuse(&Fusion::Prologue(program.clone()))?;
        }
        if let Some(program) = epilogue {
            kernel = kernel.fuse(&Fusion::Epilogue(program.clone()))?;
        }
        Some(kernel)
    }
}

/// Where an argument of the second program comes from.
enum Wire {
    Outside(usize),
    Made(usize),
}

/// Collects the inputs of a joint program, each once.
struct Joiner {
    inputs: Vec<StepInput>,
}

impl Joiner {
    fn new() -> Joiner {
        Joiner { inputs: Vec::new() }
    }

    fn input(&mut self, input: StepInput) -> usize {
        if let Some(known) = self.inputs.iter().position(|have| have.same(&input)) {
            return known;
        }
        self.inputs.push(input);
        self.inputs.len() - 1
    }

    fn wire(&mut self, inputs: &[StepInput], made: &[StepOutput]) -> Vec<Wire> {
        let mut wire = |input: &StepInput| match made.iter().position(|o| o.value == input.value) {
            Some(output) => Wire::Made(output),
            None => Wire::Outside(self.input(*input)),
        };
        inputs.iter().map(&mut wire).collect()
    }

    fn declare<'b>(&self, b: &'b Builder, params: usize) -> (Vec<E<'b>>, Vec<E<'b>>) {
        self.declare_after(b, 0, params)
    }

    fn declare_after<'b>(&self, b: &'b Builder, first: usize, params: usize) -> (Vec<E<'b>>, Vec<E<'b>>) {
        let inputs = self.inputs.iter().enumerate();
        (
            inputs.map(|(i, input)| b.input(first + i, input.operand.dtype)).collect(),
            (0..params).map(|j| b.param(j)).collect(),
        )
    }
}

fn pick<'b>(xs: &[E<'b>], which: &[usize]) -> Vec<E<'b>> {
    which.iter().filter_map(|&i| xs.get(i).copied()).collect()
}

fn wired<'b>(wires: &[Wire], xs: &[E<'b>], made: &[E<'b>]) -> Option<Vec<E<'b>>> {
    wires
        .iter()
        .map(|wire| match *wire {
            Wire::Outside(i) => xs.get(i).copied(),
            Wire::Made(o) => made.get(o).copied(),
        })
        .collect()
}

/// The outputs that the joint step still has to write: those of the first that others want, and all of the second.
fn keep<'b>(
    first: &[StepOutput],
    mid: &[E<'b>],
    second: &[StepOutput],
    out: &[E<'b>],
    wanted: &impl Fn(u32) -> bool,
) -> (Vec<StepOutput>, Vec<E<'b>>) {
    let shape = first.first().map(|o| o.meta.shape);
    let kept = first.iter().zip(mid).filter(|(o, _)| wanted(o.value)).map(|(o, &e)| (*o, e));
    let new = second.iter().zip(out).map(|(o, &e)| {
        let shape = shape.unwrap_or(o.meta.shape); // the second was walked over the first's shape
        (StepOutput { meta: Meta { shape, ..o.meta }, ..*o }, e)
    });
    kept.chain(new).unzip()
}

fn types(outputs: &[StepOutput]) -> Vec<DType> {
    outputs.iter().map(|output| output.meta.dtype).collect()
}

fn joint_name(first: &str, second: &str) -> String {
    format!("{first}+{second}")
}
