//! One step of a training: recorded anew, or once for all batches of a shape.

use crate::autograd::Gradients;
use crate::error::{Error, Result};
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

/// What is summed over batches: one element each.
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
            loss: (loss.detach() * batch.rows() as f32).reshape(()),
            hits: objective.hits.map(|hits| hits(&prediction.detach(), &batch.y).reshape(())),
        })
    }

    /// With that of the batches before.
    pub fn after(self, before: Option<Measured>) -> Measured {
        let Some(before) = before else { return self };
        no_grad(|| Measured {
            loss: before.loss + self.loss,
            hits: before.hits.zip(self.hits).map(|(before, hits)| before + hits),
        })
    }

    /// What goes into a traced step, and comes out of it.
    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        std::iter::once(&self.loss).chain(&self.hits)
    }

    fn of_tensors(tensors: impl IntoIterator<Item = Tensor>) -> Option<Measured> {
        let mut tensors = tensors.into_iter();
        tensors.next().map(|loss| Measured { loss, hits: tensors.next() })
    }
}

/// Takes the steps of a training, in the way that was asked for.
pub(super) struct Steps<'a> {
    net: &'a dyn Module,
    objective: Objective<'a>,
    clip_norm: Option<f32>,
    how: How,
}

enum How {
    EachStep,
    /// The first is to be traced.
    ToTrace,
    /// That of the first batch's shape, and what was measured before it.
    Traced(Box<TracedStep>, Measured),
}

impl<'a> Steps<'a> {
    pub fn new(
        recording: Recording,
        net: &'a dyn Module,
        objective: Objective<'a>,
        clip_norm: Option<f32>,
    ) -> Steps<'a> {
        let mut changes = false;
        walk(net, &mut |_, item| changes |= matches!(item, Item::Random(_) | Item::Buffer(_)));
        let how = if recording == Recording::Once && !changes { How::ToTrace } else { How::EachStep };
        Steps { net, objective, clip_norm, how }
    }

    /// One step on a batch; what is measured with it, after what was measured before. In a traced step even that sum is a part of
    /// its plan: on a GPU it would be a submit of its own.
    pub fn step(&mut self, optimizer: &mut Optimizer, batch: &Examples, before: Option<Measured>) -> Result<Measured> {
        if let How::ToTrace = self.how {
            self.how = self.traced(optimizer, batch).unwrap_or_else(each_step);
        }
        if let How::Traced(step, nothing) = &self.how {
            let sums = before.as_ref().unwrap_or(nothing);
            let tensors: Vec<&Tensor> = [&batch.x, &batch.y].into_iter().chain(sums.tensors()).collect();
            if step.takes(&tensors) {
                match step.results(optimizer, &tensors).map(Measured::of_tensors) {
                    Ok(measured) => {
                        return measured.ok_or_else(|| Error::internal("fit", "a traced step without results"));
                    }
                    Err(error) => self.how = each_step(error),
                }
            }
        }
        let (grads, measured) = self.record(batch, before)?;
        optimizer.step(grads)?;
        Ok(measured)
    }

    fn record(&self, batch: &Examples, before: Option<Measured>) -> Result<(Gradients, Measured)> {
        let prediction = self.net.forward(&batch.x);
        let loss = self.objective.loss.loss(&prediction, &batch.y);
        let measured = Measured::new(self.objective, &prediction, &loss, batch).after(before);
        let mut grads = loss.backward()?;
        if let Some(limit) = self.clip_norm {
            let _norm = grads.clip_norm(limit);
        }
        Ok((grads, measured))
    }

    fn traced(&self, optimizer: &mut Optimizer, batch: &Examples) -> Result<How> {
        let nothing = Tensor::zeros((), batch.x.device());
        let nothing = Measured { loss: nothing.clone(), hits: self.objective.hits.map(|_| nothing) };
        let examples: Vec<&Tensor> = [&batch.x, &batch.y].into_iter().chain(nothing.tensors()).collect();
        let step = TracedStep::of(optimizer, &examples, |given| {
            let [x, y, before @ ..] = given else {
                return Err(Error::internal("fit", "a traced step without a batch"));
            };
            let before = Measured::of_tensors(before.iter().cloned());
            let (grads, measured) = self.record(&Examples { x: x.clone(), y: y.clone() }, before)?;
            Ok((grads, measured.tensors().cloned().collect()))
        })?;
        Ok(How::Traced(Box::new(step), nothing))
    }
}

/// What cannot be traced, or no longer, is recorded at each step, which says what is wrong with it if anything is.
fn each_step(error: Error) -> How {
    log::debug!("fit: each step is recorded: {error}");
    How::EachStep
}
