//! Recorded calls as one plan that runs for other inputs: what [`super::Traced`] and traced training steps have in common.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::plan::batch::{Call, Input, in_order, run_taken, settle, taken};
use crate::plan::kernel::Meta;
use crate::plan::key::Structure;
use crate::plan::run::Plan;
use crate::plan::slot::Slot;
use crate::shape::Layout;
use crate::tensor::record::no_grad;
use crate::tensor::{Tensor, Value};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Instant;

/// Results of a run, in the order in which the recorded function gave them.
pub(crate) type Results = SmallVec<[Tensor; 4]>;

/// A function of stand-ins for its inputs, recorded.
pub(crate) struct Trace {
    pub device: Device,
    plan: Plan,
    /// What the plan reads from outside.
    sources: Vec<Source>,
    /// The variables of its calls, as if every input began its storage.
    pub vars: Vec<u32>,
    /// Variables that are offsets into an input: which variable, and of which input.
    offsets: Vec<(usize, usize)>,
    /// The calls whose outputs hold results, with shape and type of those.
    made: SmallVec<[(usize, Meta); 4]>,
    /// The results: which of `made`, and the view of it.
    results: SmallVec<[(usize, Layout); 4]>,
}

enum Source {
    Input(usize),
    Fixed(Arc<Slot>),
}

impl Trace {
    /// Records what `f` computes from `inputs`, which are stand-ins; with the calls, none of which has run.
    ///
    /// # Errors
    /// Those of `f` and its results; an `f` that reads values, records more than fits in a batch, keeps a tensor that it computed,
    /// or computes nothing.
    pub fn record(
        device: &Device,
        inputs: &[Tensor],
        f: impl FnOnce() -> Result<Results>,
    ) -> Result<(Trace, Vec<Call>)> {
        let Some((results, calls)) = taken(device, f)? else {
            return Err(refused(
                "the function reads values or records more than 512 operations: trace only what lies between reads",
            ));
        };
        match results.and_then(|results| Trace::of(device, inputs, &results, &calls)) {
            // Whoever holds a result all the same is told: left pending, it would be taken for a value of later batches.
            Ok(trace) => {
                let kept = refused("what a traced function gave back has no values outside it");
                calls.iter().for_each(|call| call.output.fill(Err(kept.clone())));
                Ok((trace, calls))
            }
            // What it keeps, such as running means, is as if it had been called.
            Err(error) => run_taken(device, &calls).and(Err(error)),
        }
    }

    fn of(device: &Device, inputs: &[Tensor], results: &[Tensor], calls: &[Call]) -> Result<Trace> {
        let stand_ins: Vec<&Value> = inputs.iter().map(Tensor::value).collect::<Result<_>>()?;
        let structure = Structure::of(calls);
        let (mut made, mut views) = (SmallVec::new(), SmallVec::new());
        for result in results {
            let value = result.value()?;
            let Some(call) = calls.iter().position(|call| Arc::ptr_eq(&call.output, &value.slot)) else {
                return Err(refused("the function computes nothing: it gives back an input, or what was there before"));
            };
            let known = made.iter().position(|&(of, _)| of == call);
            views.push((known.unwrap_or(made.len()), value.layout));
            if known.is_none() {
                made.push((call, calls[call].meta));
            }
        }
        if structure.live.iter().enumerate().any(|(n, &live)| live && made.iter().all(|&(call, _)| call != n)) {
            return Err(refused("the function keeps a tensor that it computed: give back all that is needed as one"));
        }
        let plan = Plan::build(device, &structure.keys(), structure.externals.len())?;
        let input_of = |slot: &Arc<Slot>| stand_ins.iter().position(|input| Arc::ptr_eq(&input.slot, slot));
        let source = |slot: &&Arc<Slot>| input_of(slot).map_or_else(|| Source::Fixed((*slot).clone()), Source::Input);
        let (mut vars, mut offsets) = (plan.variables(calls), Vec::new());
        let mut var = 0;
        for call in calls {
            offsets.extend((var..).zip(&call.inputs).filter_map(|(var, input)| Some((var, input_of(&input.slot)?))));
            var += variables_of(call);
        }
        for &(var, input) in &offsets {
            vars[var] -= stand_ins[input].layout.offset as u32;
        }
        Ok(Trace {
            sources: structure.externals.iter().map(source).collect(),
            vars,
            offsets,
            made,
            results: views,
            plan,
            device: device.clone(),
        })
    }

    /// Shape and type of each result.
    pub fn results(&self) -> impl Iterator<Item = Meta> {
        self.results.iter().map(|&(made, layout)| Meta { shape: layout.shape, dtype: self.made[made].1.dtype })
    }

    /// Runs once for `inputs`, which are computed and contiguous, with the variables of [`Trace::vars`], changed or not.
    pub fn run(&self, inputs: &[Input], mut vars: Vec<u32>) -> Result<Results> {
        for &(var, input) in &self.offsets {
            vars[var] += inputs[input].layout.offset as u32;
        }
        let externals: Vec<&Arc<Slot>> = self
            .sources
            .iter()
            .map(|source| match source {
                Source::Input(i) => &inputs[*i].slot,
                Source::Fixed(slot) => slot,
            })
            .collect();
        let empty = |(_, meta): &(usize, Meta)| Arc::new(Slot::empty(meta.dtype, meta.shape.numel()));
        let slots: SmallVec<[Arc<Slot>; 4]> = self.made.iter().map(empty).collect();
        let fill = |call, buffer| {
            if let Some(n) = self.made.iter().position(|&(made, _)| made == call) {
                slots[n].fill(Ok(buffer));
            }
        };
        let began = Instant::now();
        in_order(&self.device, || self.plan.run(&self.device, &externals, &vars, fill))?;
        self.device.counters().running.add(began.elapsed().as_nanos() as u64);
        let tensor = |&(made, layout): &(usize, Layout)| {
            Tensor::new(Value { device: self.device.clone(), slot: slots[made].clone(), layout, node: None })
        };
        Ok(self.results.iter().map(tensor).collect())
    }

    /// The inputs of a run that are given by a caller, ready.
    ///
    /// # Errors
    /// The error that an input carries; another number of inputs, shape, type or device than the trace was made for.
    pub fn bind(&self, given: &[&Tensor], wanted: &[Meta], inputs: &mut SmallVec<[Input; 6]>) -> Result<()> {
        if given.len() != wanted.len() {
            return Err(refused(format!("traced for {} inputs: given {}", wanted.len(), given.len())));
        }
        for (i, (input, wanted)) in given.iter().zip(wanted).enumerate() {
            let meta = input.value()?.meta();
            if meta != *wanted {
                let message = format!(
                    "input {i} is {}{}: traced for {}{}; trace again for other shapes",
                    meta.dtype, meta.shape, wanted.dtype, wanted.shape
                );
                return Err(refused(message));
            }
            inputs.push(bound(&self.device, input)?);
        }
        Ok(())
    }
}

/// How many variables a call has: the offsets of its inputs, of its output, and its scalars.
pub(crate) fn variables_of(call: &Call) -> usize {
    call.inputs.len() + 1 + call.scalars.len()
}

/// The values of an input, computed, row by row in one piece of its storage.
pub(crate) fn bound(device: &Device, input: &Tensor) -> Result<Input> {
    if input.device() != device {
        let message = format!("an input is on {}, another on {device}; move it with to_device", input.device());
        return Err(refused(message));
    }
    let value = match input.is_contiguous() {
        true => input.value()?.input(),
        false => no_grad(|| input.contiguous()).value()?.input(),
    };
    if value.slot.is_pending() {
        settle(device, &value.slot)?;
    }
    value.slot.buffer()?;
    Ok(value)
}

/// Tensors of the same values, each in a slot of its own: what reads one is known by the slot.
///
/// # Errors
/// Those of [`bound`].
pub(crate) fn stand_ins(device: &Device, tensors: &[&Tensor]) -> Result<Vec<Tensor>> {
    let stand_in = |tensor: &&Tensor| {
        let Input { slot, layout } = bound(device, tensor)?;
        let own = Arc::new(Slot::filled(slot.dtype, slot.len, slot.buffer()?.clone()));
        own.set_number(0); // its memory is that of the other
        Ok(Tensor::new(Value { device: device.clone(), slot: own, layout, node: None }))
    };
    tensors.iter().map(stand_in).collect()
}

/// Shape and type of each tensor.
pub(crate) fn metas_of(tensors: &[Tensor]) -> Result<Vec<Meta>> {
    tensors.iter().map(|x| Ok(x.value()?.meta())).collect()
}

pub(crate) fn refused(message: impl Into<String>) -> Error {
    Error::argument("trace", message)
}
