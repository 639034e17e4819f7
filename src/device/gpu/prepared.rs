//! Launches made ready to run again and again: pipelines, folded grids, parameter words in one buffer, bind groups.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use smallvec::SmallVec;

use super::grid::fold;
use super::guard::lock;
use super::pipeline::Pipeline;
use super::pool::GpuBuffer;
use super::{Gpu, Inner};
use crate::device::launch::{Arg, Launch, Word};
use crate::error::{Error, Result};

/// Launches of one plan on one device. Runs of it may come from several threads; they take turns.
pub struct Prepared {
    steps: Vec<Step>,
    params: Option<Params>,
    state: Mutex<State>,
}

/// One launch, ready.
struct Step {
    name: &'static str,
    args: SmallVec<[Arg; 6]>,
    pipeline: Arc<Pipeline>,
    grid: [u32; 3],
    work: u64,
    /// Bytes of the parameter buffer that hold this launch's words.
    words: Range<u64>,
}

/// The words of all launches, each at its own aligned offset.
struct Params {
    buffer: wgpu::Buffer,
    /// (place in the words, variable) of each word that comes with the run.
    patches: Vec<(usize, usize)>,
}

/// What a run changes.
struct State {
    words: Vec<u32>,
    /// Whether the parameter buffer holds `words`.
    written: bool,
    bound: Vec<Bound>,
}

/// The bind groups of one launch, by the buffers that they bind, last used first.
type Bound = SmallVec<[(SmallVec<[u64; 6]>, wgpu::BindGroup); 1]>;

/// Bind groups kept for one launch. A training step alternates between few sets of pooled buffers.
const BOUND: usize = 4;

impl Gpu {
    /// Builds what the launches need, once for all of their runs. Launches of 0 groups are left out.
    ///
    /// # Errors
    /// [`Error::Argument`] for a launch beyond the device's limits, [`Error::Internal`] naming the launch whose shader does not
    /// compile, [`Error::DeviceLost`].
    pub fn prepare(&self, launches: Vec<Launch>) -> Result<Prepared> {
        let inner = &*self.0;
        inner.guard.check()?;
        let (mut steps, mut words, mut patches) = (Vec::new(), Vec::new(), Vec::new());
        for launch in launches.into_iter().filter(|launch| launch.groups > 0) {
            let pipeline = inner.pipeline(&launch)?;
            let grid = fold(launch.groups, inner.caps.max_groups_per_dim).ok_or_else(|| {
                let message = format!("too large for one kernel: {} workgroups; split the input", launch.groups);
                Error::argument(launch.name, message)
            })?;
            let start = align(words.len(), inner.caps.param_alignment);
            words.resize(start, 0);
            for word in &launch.words {
                if let Word::Var(var) = word {
                    patches.push((words.len(), *var));
                }
                words.push(if let Word::Const(value) = word { *value } else { 0 });
            }
            words.resize(words.len().next_multiple_of(4), 0); // the uniform is an array of vec4
            steps.push(Step {
                name: launch.name,
                args: launch.args.iter().copied().collect(),
                pipeline,
                grid,
                work: launch.work,
                words: start as u64 * 4..words.len() as u64 * 4,
            });
        }
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let params = match words.len() {
            0 => None,
            len => Some(Params { buffer: inner.create("tilework params", len as u64 * 4, usage)?, patches }),
        };
        let bound = steps.iter().map(|_| Bound::new()).collect();
        Ok(Prepared { steps, params, state: Mutex::new(State { words, written: false, bound }) })
    }

    /// Queues the launches on these buffers, with these run-time words, and returns without waiting for them.
    ///
    /// # Errors
    /// [`Error::Argument`] for a buffer of another device or beyond a binding's limit, [`Error::Internal`] for a missing buffer
    /// or word, [`Error::DeviceLost`].
    pub fn run(&self, prepared: &Prepared, buffers: &[GpuBuffer], vars: &[u32]) -> Result<()> {
        let inner = &*self.0;
        for buffer in buffers {
            inner.check_owner("run", buffer)?;
        }
        // Held until all is submitted: the words of one run must not be overwritten by another before its launches are on the
        // queue. From there on order protects them: a write to the parameter buffer is executed with the submit that follows
        // it, after all earlier submits, so an earlier run has read its words by then.
        let state = &mut *lock(&prepared.state);
        for (step, bound) in prepared.steps.iter().zip(&mut state.bound) {
            inner.bind(step, prepared.params.as_ref(), bound, buffers)?;
        }
        if let Some(params) = &prepared.params {
            inner.write_params(params, state, vars)?;
        }
        let budget = inner.submit_budget();
        let (mut steps, mut bound) = (&prepared.steps[..], &state.bound[..]);
        while !steps.is_empty() {
            let (count, work) = first_submit(steps, budget);
            let (now, later) = steps.split_at(count);
            let (now_bound, later_bound) = bound.split_at(count);
            let commands = inner.guard.call(|| inner.encode(now, now_bound)).map_err(|fault| fault.error("run"))?;
            inner.submit(Some(commands), work)?;
            (steps, bound) = (later, later_bound);
        }
        inner.counters.add(&inner.counters.dispatches, prepared.steps.len() as u64);
        Ok(())
    }
}

impl Inner {
    /// Brings the parameter buffer up to date: one write over the words that changed since the last run, none if none did.
    fn write_params(&self, params: &Params, state: &mut State, vars: &[u32]) -> Result<()> {
        let mut changed: Option<Range<usize>> = (!state.written).then_some(0..state.words.len());
        for (at, var) in &params.patches {
            let (Some(word), Some(value)) = (state.words.get_mut(*at), vars.get(*var)) else {
                let message = format!("variable {var} of a run that has {}", vars.len());
                return Err(Error::internal("run", message));
            };
            if *word != *value {
                *word = *value;
                let range = changed.get_or_insert(*at..at + 1);
                *range = range.start.min(*at)..range.end.max(at + 1);
            }
        }
        let Some(changed) = changed else { return Ok(()) };
        state.written = false;
        let start = changed.start as u64 * 4;
        let words = state.words.get(changed).unwrap_or_default();
        let write = || self.queue.write_buffer(&params.buffer, start, bytemuck::cast_slice(words));
        self.guard.call(write).map_err(|fault| fault.error("run"))?;
        state.written = true;
        Ok(())
    }

    /// Puts the bind group of these buffers first in `bound`, creating it if it is not there.
    fn bind(&self, step: &Step, params: Option<&Params>, bound: &mut Bound, buffers: &[GpuBuffer]) -> Result<()> {
        let mut chosen: SmallVec<[&GpuBuffer; 6]> = SmallVec::new();
        for arg in &step.args {
            chosen.push(buffers.get(arg.buffer()).ok_or_else(|| {
                let message = format!("buffer {} of a run that has {}", arg.buffer(), buffers.len());
                Error::internal(step.name, message)
            })?);
        }
        let same = |(ids, _): &(SmallVec<[u64; 6]>, _)| ids.iter().copied().eq(chosen.iter().map(|b| b.id()));
        if let Some(found) = bound.iter().position(same) {
            if let Some(upto) = bound.get_mut(..=found) {
                upto.rotate_right(1);
            }
            return Ok(());
        }
        self.check_bindings(step, &chosen)?;
        let group = self.guard.call(|| {
            let mut entries: SmallVec<[wgpu::BindGroupEntry; 7]> = SmallVec::new();
            if let (Some(params), Some(size)) = (params, wgpu::BufferSize::new(step.words.end - step.words.start)) {
                let buffer = wgpu::BufferBinding { buffer: &params.buffer, offset: step.words.start, size: Some(size) };
                entries.push(wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(buffer) });
            }
            for (binding, buffer) in (1..).zip(&chosen) {
                entries.push(wgpu::BindGroupEntry { binding, resource: buffer.raw().as_entire_binding() });
            }
            let layout = &step.pipeline.bindings;
            self.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
        });
        let group = group.map_err(|fault| fault.error(step.name))?;
        self.counters.add(&self.counters.bind_groups, 1);
        bound.truncate(BOUND - 1);
        bound.insert(0, (chosen.iter().map(|buffer| buffer.id()).collect(), group));
        Ok(())
    }

    /// Refuses what wgpu would refuse, with the numbers.
    fn check_bindings(&self, step: &Step, chosen: &[&GpuBuffer]) -> Result<()> {
        for (i, (arg, buffer)) in step.args.iter().zip(chosen).enumerate() {
            let (bytes, most) = (buffer.raw().size(), self.caps.max_binding_bytes);
            if bytes > most {
                let message = format!(
                    "tensor too large for one binding: {bytes} bytes, this GPU takes {most}; split it or use the CPU device"
                );
                return Err(Error::argument(step.name, message));
            }
            let clash = step.args.iter().zip(chosen).skip(i + 1).any(|(other, b)| {
                b.id() == buffer.id()
                    && matches!((arg, other), (Arg::Read(_), Arg::Write(_)) | (Arg::Write(_), Arg::Read(_)))
            });
            if clash {
                let message = format!("buffer {} is bound for reading and for writing", arg.buffer());
                return Err(Error::internal(step.name, message));
            }
        }
        Ok(())
    }

    /// One encoder with one pass over the steps.
    fn encode(&self, steps: &[Step], bound: &[Bound]) -> wgpu::CommandBuffer {
        let mut encoder =
            self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("tilework run") });
        let mut pass = encoder
            .begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some("tilework run"), timestamp_writes: None });
        let mut set: Option<&Arc<Pipeline>> = None;
        for (step, bound) in steps.iter().zip(bound) {
            if !set.is_some_and(|set| Arc::ptr_eq(set, &step.pipeline)) {
                pass.set_pipeline(&step.pipeline.raw);
                set = Some(&step.pipeline);
            }
            if let Some((_, group)) = bound.first() {
                pass.set_bind_group(0, group, &[]);
            }
            let [x, y, z] = step.grid;
            pass.dispatch_workgroups(x, y, z);
        }
        drop(pass);
        encoder.finish()
    }
}

/// How many of the steps go into the next submit, at least one, and their work.
fn first_submit(steps: &[Step], budget: u64) -> (usize, u64) {
    let mut work = 0u64;
    for (count, step) in steps.iter().enumerate() {
        let with = work.saturating_add(step.work);
        if count > 0 && with > budget {
            return (count, work);
        }
        work = with;
    }
    (steps.len(), work)
}

/// The first place for words at or after `at` that a uniform binding may begin at.
fn align(at: usize, alignment: u64) -> usize {
    at.next_multiple_of((alignment / 4).max(4) as usize)
}
