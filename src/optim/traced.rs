//! A training step, recorded once and run many times: what recording and planning cost is paid once.

use crate::autograd::Gradients;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::nn::Param;
use crate::ops::random::draws;
use crate::optim::Optimizer;
use crate::optim::flat::flatten;
use crate::plan::batch::{Call, taken};
use crate::plan::kernel::Meta;
use crate::plan::key::{CallKey, Structure};
use crate::plan::slot::Slot;
use crate::tensor::Tensor;
use crate::tensor::record::no_grad;
use crate::tensor::trace::{Results, Trace, bound, metas_of, refused, stand_ins, variables_of};
use smallvec::{SmallVec, smallvec};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A training step (forward, loss, backward, update) that was recorded for batches of some shape, as `jax.jit` does with one: a run
/// binds the next batch, the parameters and the optimizer's state to the finished plan, and records nothing but the optimizer's
/// rule, whose learning rate and step may change. The numbers are those of recording each step. Worth it for small networks, whose
/// step takes as long to record as to run.
///
/// What the loss reads besides the batch and the parameters is taken as it was while recording, and so are numbers that the host
/// computes in it. A network that draws random numbers (dropout) or keeps running values (batch normalization) is refused.
///
/// ```
/// use tilework::nn::{Linear, Module};
/// use tilework::optim::{Adam, Optimizer, TracedStep};
/// use tilework::{Device, Rng, Tensor};
/// let device = Device::cpu();
/// let x = Tensor::linspace(-1.0, 1.0, 32, &device).reshape([32, 1]);
/// let y = &x * 3.0 + 1.0;
/// let net = Linear::new(1, 1, &mut Rng::seed(0), &device);
/// let mut adam = Optimizer::new(Adam { lr: 0.1, ..Adam::default() }, net.parameters());
/// let step = TracedStep::new(&mut adam, &[&x, &y], |batch| (net.forward(&batch[0]) - &batch[1]).square().mean())?;
/// let mut loss = f32::NAN;
/// for _ in 0..200 {
///     loss = step.run(&mut adam, &[&x, &y])?.item()?;
/// }
/// assert!(loss < 1e-3, "{loss}");
/// # Ok::<(), tilework::Error>(())
/// ```
pub struct TracedStep {
    trace: Trace,
    /// Of the batch's tensors.
    batch: Vec<Meta>,
    /// Of the flat parameters and the optimizer's slots.
    state: Vec<Meta>,
    /// The optimizer's rule, which is the last calls.
    rule: Vec<CallKey>,
    /// What it reads, in its order: the parameters, the gradient and the slots, by number.
    reads: Vec<usize>,
    /// Where the scalars of each call of the rule lie among the variables.
    scalars: Vec<Range<usize>>,
}

impl TracedStep {
    /// Records the step that lowers `loss` of a batch: tensors of the shapes and types of `examples`, on the parameters' device.
    /// The loss has one element. No parameter changes.
    ///
    /// # Errors
    /// The error that an example or the loss carries; a parameter that the loss does not depend on; a loss that reads values, draws
    /// random numbers, keeps a tensor that it computed, or together with its gradient takes more than 512 operations.
    pub fn new(
        optimizer: &mut Optimizer,
        examples: &[&Tensor],
        loss: impl FnOnce(&[Tensor]) -> Tensor,
    ) -> Result<TracedStep> {
        TracedStep::of(optimizer, examples, |batch| {
            let loss = loss(batch);
            Ok((loss.backward()?, smallvec![loss.detach()]))
        })
    }

    /// [`TracedStep::new`] of what gives gradients, and results to hand out.
    pub(crate) fn of(
        optimizer: &mut Optimizer,
        examples: &[&Tensor],
        step: impl FnOnce(&[Tensor]) -> Result<(Gradients, Results)>,
    ) -> Result<TracedStep> {
        let Some(device) = optimizer.params.first().map(|(_, param)| param.tensor().device().clone()) else {
            return Err(refused("the optimizer has no parameters"));
        };
        let flat = optimizer.flat();
        let own: Vec<&Tensor> = [&flat].into_iter().chain(&optimizer.slots).collect();
        let mut inputs = stand_ins(&device, &own)?;
        let state = metas_of(&inputs)?;
        // The network is to read the stand-in, whose values are the same.
        optimizer.place(&inputs[0], 0..optimizer.params.len())?;
        let rule = RuleCalls::of(optimizer, &device, &inputs)?;
        inputs.extend(stand_ins(&device, examples)?);
        let (own, batch) = inputs.split_at(state.len());
        let (trace, calls) = Trace::record(&device, &inputs, || {
            let (grads, results) = step(batch)?;
            let gradient = optimizer.gradient(grads)?;
            let (w, slots) = no_grad(|| optimizer.updated(optimizer.next(), &own[0], &gradient, &own[1..]))?;
            Ok([w].into_iter().chain(slots).chain(results).collect())
        })?;
        if calls.iter().any(|call| draws(&*call.kernel)) {
            return Err(refused(
                "the step draws random numbers, which would be the same at each run: record each step",
            ));
        }
        let structure = Structure::of(&rule.calls);
        let reads = rule.reads(&structure, optimizer)?;
        let last = &calls[calls.len().saturating_sub(rule.calls.len())..];
        let same = |(a, b): (&Call, &Call)| a.scalars.len() == b.scalars.len() && a.kernel.equals(&*b.kernel);
        if last.len() != rule.calls.len() || !last.iter().zip(&rule.calls).all(same) {
            return Err(differs(optimizer));
        }
        let mut end = trace.vars.len() - last.iter().map(variables_of).sum::<usize>();
        let scalars = |call: &Call| {
            end += variables_of(call);
            end - call.scalars.len()..end
        };
        let scalars = last.iter().map(scalars).collect();
        Ok(TracedStep { batch: metas_of(batch)?, state, rule: structure.keys(), reads, scalars, trace })
    }

    /// One step of `optimizer` on a batch; its loss before the step. Queues or does the work, as other operations do.
    ///
    /// # Errors
    /// The error that a tensor carries; another number of tensors, shape, type or device than it was traced for; an optimizer of
    /// another rule or other parameters; no memory; a lost device. Then no parameter changed.
    pub fn run(&self, optimizer: &mut Optimizer, batch: &[&Tensor]) -> Result<Tensor> {
        self.results(optimizer, batch)?.pop().ok_or_else(|| refused("the step has no result"))
    }

    /// Whether it was traced for such a batch.
    pub(crate) fn takes(&self, batch: &[&Tensor]) -> bool {
        batch.len() == self.batch.len()
            && batch.iter().zip(&self.batch).all(|(x, wanted)| x.ok().is_some_and(|x| x.meta() == *wanted))
    }

    /// [`TracedStep::run`] with all results.
    pub(crate) fn results(&self, optimizer: &mut Optimizer, batch: &[&Tensor]) -> Result<Results> {
        let device = &self.trace.device;
        let state: SmallVec<[Tensor; 4]> =
            [optimizer.flat()].into_iter().chain(optimizer.slots.iter().cloned()).collect();
        let mut inputs = SmallVec::new();
        for (tensor, wanted) in state.iter().zip(&self.state) {
            if tensor.value()?.meta() != *wanted {
                let message = format!(
                    "the optimizer has {} parameters, {}: traced for {}, {}; trace again",
                    tensor.numel(),
                    tensor.dtype(),
                    wanted.shape.numel(),
                    wanted.dtype
                );
                return Err(refused(message));
            }
            inputs.push(bound(device, tensor)?);
        }
        self.trace.bind(batch, &self.batch, &mut inputs)?;
        let rule = RuleCalls::of(optimizer, device, &state)?;
        let structure = Structure::of(&rule.calls);
        if !structure.is(&self.rule) || rule.reads(&structure, optimizer)? != self.reads {
            return Err(differs(optimizer));
        }
        let mut vars = self.trace.vars.clone();
        for (call, scalars) in rule.calls.iter().zip(&self.scalars) {
            vars[scalars.clone()].copy_from_slice(&call.scalars);
        }
        let mut results = self.trace.run(&inputs, vars)?.into_iter();
        if let Some(w) = results.next() {
            optimizer.place(&w, 0..optimizer.params.len())?;
        }
        optimizer.slots.iter_mut().zip(results.by_ref()).for_each(|(slot, new)| *slot = new);
        optimizer.step += 1;
        Ok(results.collect())
    }
}

fn differs(optimizer: &Optimizer) -> Error {
    let (name, step) = (optimizer.name(), optimizer.step + 1);
    refused(format!("{name} does other operations in step {step} than those traced: trace again, or record each step"))
}

/// What an optimizer's rule records for its next step: none of it is run.
struct RuleCalls {
    calls: Vec<Call>,
    /// Stand-ins for the parameters, the gradient and the slots.
    own: Vec<Tensor>,
}

impl RuleCalls {
    /// Of the parameters and slots. Only what is recorded is wanted: any values of its shape stand for the gradient.
    fn of(optimizer: &Optimizer, device: &Device, state: &[Tensor]) -> Result<RuleCalls> {
        let own: Vec<&Tensor> = state.first().into_iter().chain(state).collect();
        let own = stand_ins(device, &own)?;
        let updated = || match &own[..] {
            [flat, gradient, slots @ ..] => no_grad(|| optimizer.updated(optimizer.next(), flat, gradient, slots)),
            _ => Err(Error::internal("trace", "an optimizer without parameters")),
        };
        let Some((updated, calls)) = taken(device, updated)? else {
            return Err(refused(format!("{} reads values: record each step", optimizer.name())));
        };
        updated.map(|_| RuleCalls { calls, own })
    }

    /// Which of its own tensors are what it reads from outside.
    ///
    /// # Errors
    /// Another one, whose values may be others at each step.
    fn reads(&self, structure: &Structure<'_>, optimizer: &Optimizer) -> Result<Vec<usize>> {
        let number = |slot: &&Arc<Slot>| {
            let found = self.own.iter().position(|own| own.ok().is_some_and(|own| Arc::ptr_eq(&own.slot, slot)));
            found.ok_or_else(|| {
                refused(format!("{} reads a tensor that it made itself: record each step", optimizer.name()))
            })
        };
        structure.externals.iter().map(number).collect()
    }
}

impl fmt::Debug for TracedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let batch: Vec<String> = self.batch.iter().map(|meta| format!("{}{}", meta.dtype, meta.shape)).collect();
        let parameters = self.state.first().map_or(0, |meta| meta.shape.numel());
        write!(f, "TracedStep({}, {parameters} parameters, {})", batch.join(", "), self.trace.device.kind())
    }
}

/// What a traced step asks of an optimizer.
impl Optimizer {
    /// All parameters as one tensor: a view where they lie one after the other.
    fn flat(&self) -> Tensor {
        let params: SmallVec<[Tensor; 8]> = self.params.iter().map(|(_, param)| param.tensor()).collect();
        no_grad(|| flatten(&params))
    }

    /// The gradients of all parameters as one tensor.
    fn gradient(&self, grads: Gradients) -> Result<Tensor> {
        let of = |(name, param): &(String, Param)| {
            let found = param.id().and_then(|id| grads.of_node(id)).cloned();
            found.ok_or_else(|| refused(format!("the loss does not depend on parameter {name}: record each step")))
        };
        let all: Vec<Tensor> = self.params.iter().map(of).collect::<Result<_>>()?;
        Ok(no_grad(|| flatten(&all)))
    }
}
