//! One step of a training: recorded anew, or once for all batches of a shape.

use crate::autograd::Gradients;
use crate::error::Result;
use crate::nn::{Item, Module, walk};
use crate::optim::{Optimizer, TracedStep};
use crate::tensor::Tensor;
use crate::tensor::record::no_grad;
use crate::train::{Examples, Objective};

/// How the operations of steps are recorded. The results are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recording {
    /// Anew for each step: whatever the network, loss and score do on the host happens each time.
    #[default]
    EachStep,
    /// Once for all batches of the same shape, where network, loss and score compute on tensors alone, as [`TracedStep`] wants it: a
    /// step of a small network then takes half the time. Networks that draw random numbers or keep running values, and those
    /// that are too large to record at once, record each step all the same.
    Once,
}

/// What is summed over the batches of an epoch.
pub(super) struct Measured {
    /// Of all rows together.
    pub loss: Tensor,
    /// Right answers.
    pub hits: Option<Tensor>,
}

impl Measured {
    /// Of a batch with its prediction and mean loss.
    pub fn new(objective: Objective<'_>, prediction: &Tensor, loss: &Tensor, batch: &Examples) -> Measured {
        no_grad(|| Measured {
            loss: loss.detach() * batch.rows() as f32,
            hits: objective.hits.map(|hits| hits(&prediction.detach(), &batch.y)),
        })
    }
}

/// Takes steps, in the way that was asked for.
pub(super) enum Steps {
    EachStep,
    /// The first is to be traced.
    ToTrace,
    /// That of the first batch's shape.
    Traced(Box<TracedStep>),
}

impl Steps {
    pub fn new(recording: Recording, net: &dyn Module) -> Steps {
        let mut changes = false;
        walk(net, &mut |_, item| changes |= matches!(item, Item::Random(_) | Item::Buffer(_)));
        match recording {
            Recording::Once if !changes => Steps::ToTrace,
            _ => Steps::EachStep,
        }
    }

    /// One step on a batch.
    pub fn step(
        &mut self,
        objective: Objective<'_>,
        net: &dyn Module,
        optimizer: &mut Optimizer,
        batch: &Examples,
        clip_norm: Option<f32>,
    ) -> Result<Measured> {
        let record = |batch: &Examples| -> Result<(Gradients, Measured)> {
            let prediction = net.forward(&batch.x);
            let loss = objective.loss.loss(&prediction, &batch.y);
            let measured = Measured::new(objective, &prediction, &loss, batch);
            let mut grads = loss.backward()?;
            if let Some(limit) = clip_norm {
                let _norm = grads.clip_norm(limit);
            }
            Ok((grads, measured))
        };
        let tensors = [&batch.x, &batch.y];
        if let Steps::ToTrace = self {
            let traced = TracedStep::of(optimizer, &tensors, |x| {
                let (grads, measured) = record(&Examples { x: x[0].clone(), y: x[1].clone() })?;
                Ok((grads, [measured.loss].into_iter().chain(measured.hits).collect()))
            });
            *self = match traced {
                Ok(step) => Steps::Traced(Box::new(step)),
                Err(error) => {
                    log::debug!("fit: each step is recorded: {error}");
                    Steps::EachStep
                }
            };
        }
        if let Steps::Traced(step) = self
            && step.takes(&tensors)
        {
            let mut results = step.results(optimizer, &tensors)?.into_iter();
            if let Some(loss) = results.next() {
                return Ok(Measured { loss, hits: results.next() });
            }
        }
        let (grads, measured) = record(batch)?;
        optimizer.step(grads)?;
        Ok(measured)
    }
}
