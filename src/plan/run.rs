//! A plan that is ready to run: kernels built, values placed. Each run brings buffers, offsets and scalars.

use crate::device::cpu::{Block, Cpu, CpuBuffer};
use crate::device::{Backend, Buffer, Device};
use crate::error::{Error, Result};
use crate::plan::batch::Call;
use crate::plan::fuse::{fuse, needed};
use crate::plan::kernel::{Args, CpuCall, CpuKernel, Meta, Operand};
use crate::plan::key::CallKey;
use crate::plan::place::{Placement, words};
use crate::plan::slot::Slot;
use crate::plan::step::Step;
use crate::plan::trace;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Instant;
#[cfg(feature = "gpu")]
use {
    crate::device::gpu::{Gpu, GpuBuffer, Prepared},
    std::sync::{Mutex, PoisonError},
};

/// A batch, built.
pub(crate) struct Plan {
    placement: Placement,
    /// First element of each call's output within its buffer.
    bases: Vec<usize>,
    steps: Steps,
}

enum Steps {
    Cpu(Vec<CpuStep>),
    #[cfg(feature = "gpu")]
    Gpu(GpuSteps),
}

/// Launches, and the temporaries between them: kept from run to run, so that their bind groups are found again.
#[cfg(feature = "gpu")]
struct GpuSteps {
    prepared: Prepared,
    temps: Mutex<Vec<GpuBuffer>>,
}

struct CpuStep {
    /// The operations in it, for traces.
    name: String,
    kernel: CpuKernel,
    /// Buffer and offset variable.
    inputs: Vec<(usize, usize)>,
    /// Buffer, first word, words.
    outputs: Vec<(usize, usize, usize)>,
    scalars: Vec<usize>,
}

impl Plan {
    /// The plan of calls that read so many slots from outside.
    pub fn build(device: &Device, calls: &[CallKey], externals: usize) -> Result<Plan> {
        let mut steps = fuse(needed(calls), calls, device.caps());
        #[cfg_attr(not(feature = "gpu"), allow(unused_mut, reason = "only GPU kernels have scratch buffers"))]
        let mut placement = Placement::of(&mut steps, calls, externals);
        if trace::wants("plan") {
            trace::print(device, calls.len(), &steps, &placement);
        }
        let bases = (0..calls.len()).map(|n| placement.get(n as u32).base).collect();
        let built = match device.backend() {
            Backend::Cpu(_) => {
                Steps::Cpu(steps.iter().map(|step| cpu_step(device, step, &placement)).collect::<Result<_>>()?)
            }
            #[cfg(feature = "gpu")]
            Backend::Gpu(gpu) => {
                let launches = gpu_launches(device, &steps, &mut placement)?;
                if trace::wants("wgsl") {
                    launches.iter().for_each(trace::print_shader);
                }
                let prepared = gpu.prepare(launches)?;
                Steps::Gpu(GpuSteps { prepared, temps: Mutex::new(Vec::new()) })
            }
        };
        Ok(Plan { placement, bases, steps: built })
    }

    /// Runs once for these calls, whose outputs it fills. `externals` are the outside slots in the structure's order.
    pub fn run_calls(&self, device: &Device, calls: &[Call], externals: &[&Arc<Slot>]) -> Result<()> {
        self.run(device, externals, &self.variables(calls), |call, buffer| calls[call].output.fill(Ok(buffer)))
    }

    /// Runs once with the offsets and scalars of [`Plan::variables`]; gives `fill` the buffer of each call that is wanted.
    pub fn run(
        &self,
        device: &Device,
        externals: &[&Arc<Slot>],
        vars: &[u32],
        fill: impl FnMut(usize, Buffer),
    ) -> Result<()> {
        match (device.backend(), &self.steps) {
            (Backend::Cpu(cpu), Steps::Cpu(steps)) => self.run_cpu(cpu, steps, externals, vars, fill),
            #[cfg(feature = "gpu")]
            (Backend::Gpu(gpu), Steps::Gpu(steps)) => self.run_gpu(gpu, steps, externals, vars, fill),
            #[cfg(feature = "gpu")]
            _ => Err(Error::internal("plan", "a plan was run on another kind of device")),
        }
    }

    /// Gives back the memory that it keeps between runs.
    pub fn trim(&self) {
        #[cfg(feature = "gpu")]
        if let Steps::Gpu(steps) = &self.steps {
            steps.temps.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Bytes that it keeps between runs.
    pub fn kept(&self) -> u64 {
        match &self.steps {
            Steps::Cpu(_) => 0,
            #[cfg(feature = "gpu")]
            Steps::Gpu(steps) => {
                let count = steps.temps.lock().unwrap_or_else(PoisonError::into_inner).len();
                self.placement.temps.iter().take(count).map(|&words| words as u64 * 4).sum()
            }
        }
    }

    /// For each call: the offsets of its inputs, of its output, and its scalars.
    pub fn variables(&self, calls: &[Call]) -> Vec<u32> {
        let mut vars = Vec::with_capacity(calls.len() * 4);
        for (call, &base) in calls.iter().zip(&self.bases) {
            for input in &call.inputs {
                let pending = input.slot.is_pending().then(|| self.bases.get(input.slot.number() as usize)).flatten();
                vars.push((input.layout.offset + pending.copied().unwrap_or(0)) as u32);
            }
            vars.push(base as u32);
            vars.extend_from_slice(&call.scalars);
        }
        vars
    }

    fn run_cpu(
        &self,
        cpu: &Cpu,
        steps: &[CpuStep],
        externals: &[&Arc<Slot>],
        vars: &[u32],
        mut fill: impl FnMut(usize, Buffer),
    ) -> Result<()> {
        let mut table: Vec<Held> = Vec::with_capacity(self.placement.buffers());
        for slot in externals {
            match slot.buffer()? {
                Buffer::Cpu(buffer) => table.push(Held::Shared(buffer.clone())),
                #[cfg(feature = "gpu")]
                Buffer::Gpu(_) => return Err(Error::internal("plan", "a GPU buffer in a CPU plan")),
            }
        }
        for &words in self.placement.outputs.iter().map(|(_, words)| words).chain(&self.placement.temps) {
            table.push(Held::Own(cpu.alloc(words)?));
        }
        if trace::wants("time") {
            let mut times = Vec::with_capacity(steps.len());
            for step in steps {
                let began = Instant::now();
                run_cpu_step(cpu, step, &mut table, vars)?;
                times.push((step.name.as_str(), began.elapsed()));
            }
            trace::print_times(&times);
        } else {
            for step in steps {
                run_cpu_step(cpu, step, &mut table, vars)?;
            }
        }
        for (&(call, _), held) in self.placement.outputs.iter().zip(table.drain(externals.len()..)) {
            if let Held::Own(block) = held {
                fill(call, Buffer::Cpu(block.freeze()));
            }
        }
        Ok(())
    }

    #[cfg(feature = "gpu")]
    fn run_gpu(
        &self,
        gpu: &Gpu,
        steps: &GpuSteps,
        externals: &[&Arc<Slot>],
        vars: &[u32],
        mut fill: impl FnMut(usize, Buffer),
    ) -> Result<()> {
        let mut table = Vec::with_capacity(self.placement.buffers());
        for slot in externals {
            match slot.buffer()? {
                Buffer::Gpu(buffer) => table.push(buffer.clone()),
                Buffer::Cpu(_) => return Err(Error::internal("plan", "a CPU buffer in a GPU plan")),
            }
        }
        for &(_, words) in &self.placement.outputs {
            table.push(gpu.alloc(words)?);
        }
        let mut temps = steps.temps.lock().unwrap_or_else(PoisonError::into_inner);
        for &words in self.placement.temps.iter().skip(temps.len()) {
            temps.push(gpu.alloc(words)?);
        }
        table.extend(temps.iter().cloned());
        gpu.run(&steps.prepared, &table, vars)?;
        for (&(call, _), buffer) in self.placement.outputs.iter().zip(table.drain(externals.len()..)) {
            fill(call, Buffer::Gpu(buffer));
        }
        Ok(())
    }
}

/// A buffer of the table during a run.
enum Held {
    Shared(CpuBuffer),
    Own(Block),
    /// Lent to the running step.
    Out,
}

impl Held {
    fn words(&self) -> &[u32] {
        match self {
            Held::Shared(buffer) => buffer.words(),
            Held::Own(block) => block.words(),
            Held::Out => &[],
        }
    }
}

fn run_cpu_step(cpu: &Cpu, step: &CpuStep, table: &mut [Held], vars: &[u32]) -> Result<()> {
    let mut lent: SmallVec<[Held; 2]> = SmallVec::new();
    for &(buffer, ..) in &step.outputs {
        lent.push(std::mem::replace(&mut table[buffer], Held::Out));
    }
    {
        let mut outputs: SmallVec<[&mut [u32]; 2]> = SmallVec::new();
        for (held, &(_, first, words)) in lent.iter_mut().zip(&step.outputs) {
            let words = match held {
                Held::Own(block) => block.words_mut().get_mut(first..first + words),
                _ => None,
            };
            outputs.push(words.ok_or_else(|| Error::internal("plan", "an output has no buffer of its own"))?);
        }
        let inputs: SmallVec<[(&[u32], usize); 6]> =
            step.inputs.iter().map(|&(buffer, var)| (table[buffer].words(), vars[var] as usize)).collect();
        let scalars: SmallVec<[u32; 8]> = step.scalars.iter().map(|&var| vars[var]).collect();
        (step.kernel)(&mut CpuCall { inputs: &inputs, outputs: &mut outputs, scalars: &scalars, cpu })?;
    }
    for (held, &(buffer, ..)) in lent.into_iter().zip(&step.outputs) {
        table[buffer] = held;
    }
    Ok(())
}

fn cpu_step(device: &Device, step: &Step, placement: &Placement) -> Result<CpuStep> {
    let (inputs, outputs) = operands(step);
    let args = Args { inputs: &inputs, outputs: &outputs, scalars: step.scalars.len(), caps: device.caps() };
    Ok(CpuStep {
        name: step.names.join("+"),
        kernel: step.kernel.cpu(&args)?,
        inputs: step.inputs.iter().map(|input| (placement.get(input.value).buffer, input.var)).collect(),
        outputs: step
            .outputs
            .iter()
            .map(|output| {
                let place = placement.get(output.value);
                (place.buffer, place.base, words(&output.meta))
            })
            .collect(),
        scalars: step.scalars.clone(),
    })
}

/// All launches of the steps in the numbers of the plan's table; scratch buffers become temporaries.
#[cfg(feature = "gpu")]
fn gpu_launches(
    device: &Device,
    steps: &[Step],
    placement: &mut Placement,
) -> Result<Vec<crate::device::launch::Launch>> {
    let mut all = Vec::new();
    for step in steps {
        let (inputs, outputs) = operands(step);
        let args = Args { inputs: &inputs, outputs: &outputs, scalars: step.scalars.len(), caps: device.caps() };
        let built = step.kernel.gpu(&args)?;
        let mut buffers: Vec<usize> = step.inputs.iter().map(|input| placement.get(input.value).buffer).collect();
        buffers.extend(step.outputs.iter().map(|output| placement.get(output.value).buffer));
        buffers.extend(built.scratch.iter().map(|&words| placement.scratch(words)));
        let mut vars: Vec<usize> = step.inputs.iter().map(|input| input.var).collect();
        vars.extend(step.outputs.iter().map(|output| output.var));
        vars.extend(&step.scalars);
        let launches = built.launches.into_iter().filter(|launch| launch.groups > 0);
        all.extend(launches.map(|launch| launch.renumber(|b| buffers[b], |v| vars[v])));
    }
    Ok(all)
}

fn operands(step: &Step) -> (Vec<Operand>, Vec<Meta>) {
    (step.inputs.iter().map(|input| input.operand).collect(), step.outputs.iter().map(|output| output.meta).collect())
}
