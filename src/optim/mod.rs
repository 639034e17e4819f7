//! Optimizers: each is its formula. One step updates all parameters together, in one launch where their gradients allow it.

mod flat;
mod rules;
mod schedule;
mod traced;

pub use rules::{AdaGrad, Adam, AdamW, Momentum, RmsProp, Sgd};
pub use schedule::{Constant, Cosine, Goal, OnPlateau, OneCycle, Per, Plateau, Schedule, StepDecay, Threshold, WarmUp};
pub use traced::TracedStep;

use crate::autograd::Gradients;
use crate::error::{Error, Result};
use crate::nn::Param;
use crate::tensor::Tensor;
use crate::tensor::record::no_grad;
use flat::{flatten, unflatten};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// An update formula with its settings. [`Optimizer`] keeps the state and applies it.
pub trait Rule: Debug + Send + Sync {
    /// As it is spelled in files: `adam`.
    fn name(&self) -> &'static str;
    /// The learning rate that schedules multiply.
    fn learning_rate(&self) -> f64;
    /// Names of the tensors that it keeps for each parameter; they start at zero.
    fn slots(&self) -> &'static [&'static str];
    /// New parameters and slots from the old ones. All tensors are of one shape.
    fn update(&self, at: At, w: &Tensor, g: &Tensor, slots: &[Tensor]) -> (Tensor, Vec<Tensor>);
}

/// When an update happens.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// The learning rate now.
    pub lr: f64,
    /// Counts from 1.
    pub step: u64,
}

/// Applies a [`Rule`] to parameters, and keeps its state.
///
/// ```
/// use tilework::{Device, Tensor, nn::Param, optim::{Optimizer, Sgd}};
/// let w = Param::new(&Tensor::ones([1], &Device::cpu()));
/// let mut optimizer = Optimizer::new(Sgd { lr: 0.1, ..Sgd::default() }, [("w".to_string(), w.clone())]);
/// let grads = (&w.tensor() * &w.tensor()).sum().backward()?;
/// optimizer.step(grads)?;
/// assert_eq!(w.tensor().item::<f32>()?, 0.8);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug)]
pub struct Optimizer {
    rule: Box<dyn Rule>,
    params: Vec<(String, Param)>,
    /// The rule's slots, each flat: of one parameter after the other.
    slots: Vec<Tensor>,
    lr: f64,
    step: u64,
}

impl Optimizer {
    /// An optimizer of `params`, as [`crate::nn::Module::parameters`] lists them.
    pub fn new(rule: impl Rule + 'static, params: impl IntoIterator<Item = (String, Param)>) -> Optimizer {
        let params: Vec<(String, Param)> = params.into_iter().collect();
        let zeros: Vec<Tensor> = params.iter().map(|(_, param)| param.tensor().detach().zeros_like()).collect();
        let slots = match zeros.is_empty() {
            true => Vec::new(),
            false => vec![flatten(&zeros); rule.slots().len()],
        };
        Optimizer { lr: rule.learning_rate(), rule: Box::new(rule), params, slots, step: 0 }
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.lr
    }

    /// Sets the learning rate of the next steps. It is a run-time scalar: nothing is compiled anew.
    pub fn set_learning_rate(&mut self, lr: f64) {
        self.lr = lr;
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Moves every parameter that has a gradient by the rule; others stay, as in PyTorch. Queues the work and starts it.
    ///
    /// The gradients are consumed: those that nobody else holds are never written as tensors of their own. Clone them to look
    /// at them later.
    ///
    /// # Errors
    /// A failed gradient or parameter; then no parameter changed.
    pub fn step(&mut self, grads: Gradients) -> Result<()> {
        let mut found = Vec::with_capacity(self.params.len());
        let mut gradients = Vec::with_capacity(self.params.len());
        for (i, (_, param)) in self.params.iter().enumerate() {
            if let Some(gradient) = param.id().and_then(|id| grads.of_node(id)) {
                found.push(i);
                gradients.push(gradient.clone());
            }
        }
        let Some(&first) = found.first() else {
            let message = "no parameter has a gradient: differentiate a loss that depends on them";
            return Err(Error::argument("step", message));
        };
        let device = self.params[first].1.tensor().device().clone();
        drop(grads);
        no_grad(|| self.apply(&found, gradients))?;
        device.flush()
    }

    fn apply(&mut self, found: &[usize], gradients: Vec<Tensor>) -> Result<()> {
        let at = self.next();
        let weights: Vec<Tensor> = found.iter().map(|&i| self.params[i].1.tensor()).collect();
        let all = found.len() == self.params.len();
        let slots: Vec<Tensor> = match all {
            true => self.slots.clone(),
            false => self.slots.iter().map(|slot| self.parts(slot, found)).collect(),
        };
        let (flat, gradient) = (flatten(&weights), flatten(&gradients));
        let (w, new_slots) = self.updated(at, &flat, &gradient, &slots)?;
        drop((gradients, gradient, flat)); // held no longer, they are never written as tensors of their own
        let new_slots = match all {
            true => new_slots,
            false => self.slots.iter().zip(&new_slots).map(|(old, new)| self.with_parts(old, new, found)).collect(),
        };
        for slot in &new_slots {
            slot.check()?;
        }
        self.place(&w, found.iter().copied())?;
        (self.slots, self.step) = (new_slots, at.step);
        Ok(())
    }

    /// Makes parameters views of the flat tensor `w`, one after the other.
    fn place(&self, w: &Tensor, which: impl Iterator<Item = usize>) -> Result<()> {
        let mut start = 0;
        for i in which {
            start += self.params[i].1.set_part(w, start)?;
        }
        Ok(())
    }

    /// When the next update happens.
    fn next(&self) -> At {
        At { lr: self.lr, step: self.step + 1 }
    }

    /// What the rule makes of flat parameters, their gradient and slots: flat too.
    fn updated(&self, at: At, flat: &Tensor, gradient: &Tensor, slots: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)> {
        let (w, new_slots) = self.rule.update(at, flat, gradient, slots);
        let (w, total) = (w.contiguous(), flat.numel());
        for (part, tensor) in [("parameters", &w)].into_iter().chain(self.rule.slots().iter().copied().zip(&new_slots))
        {
            if tensor.value()?.layout.numel() != total {
                let message = format!(
                    "{} gave {part} of shape {} for {total} elements: give each as many as it had",
                    self.rule.name(),
                    tensor.shape()
                );
                return Err(Error::shape("step", message));
            }
        }
        if w.dtype() != flat.dtype() {
            let message = format!("the parameters are {}: {} gave {}", flat.dtype(), self.rule.name(), w.dtype());
            return Err(Error::dtype("step", message));
        }
        Ok((w, new_slots))
    }

    /// Views of a flat slot, one for each parameter.
    fn cut(&self, slot: &Tensor) -> Vec<Tensor> {
        let shapes: Vec<Tensor> = self.params.iter().map(|(_, param)| param.tensor()).collect();
        unflatten(slot, &shapes)
    }

    /// What a flat slot holds for some of the parameters, flat.
    fn parts(&self, slot: &Tensor, which: &[usize]) -> Tensor {
        let cut = self.cut(slot);
        flatten(&which.iter().map(|&i| cut[i].clone()).collect::<Vec<_>>())
    }

    /// A flat slot with some of the parameters' parts replaced.
    fn with_parts(&self, slot: &Tensor, new: &Tensor, which: &[usize]) -> Tensor {
        let mut cut = self.cut(slot);
        let like: Vec<Tensor> = which.iter().map(|&i| cut[i].clone()).collect();
        for (&i, part) in which.iter().zip(unflatten(new, &like)) {
            cut[i] = part;
        }
        flatten(&cut)
    }

    /// The state by name: `SLOT.PARAMETER`. Together with [`Optimizer::steps`] and the learning rate it resumes training.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let mut all = BTreeMap::new();
        for (slot, flat) in self.rule.slots().iter().zip(&self.slots) {
            for ((name, _), part) in self.params.iter().zip(self.cut(flat)) {
                all.insert(format!("{slot}.{name}"), part);
            }
        }
        all
    }

    /// Takes over a state that [`Optimizer::state`] gave, after `steps` steps. Nothing changes on an error.
    ///
    /// # Errors
    /// A missing name or another shape.
    pub fn load_state(&mut self, state: &BTreeMap<String, Tensor>, steps: u64) -> Result<()> {
        let mut next = Vec::with_capacity(self.slots.len());
        for slot in self.rule.slots() {
            let mut parts = Vec::with_capacity(self.params.len());
            for (name, param) in &self.params {
                let (key, own) = (format!("{slot}.{name}"), param.tensor());
                let Some(given) = state.get(&key).filter(|given| given.shape() == own.shape()) else {
                    let message = format!(
                        "no tensor '{key}' of shape {}: resume with the optimizer and network of the file",
                        own.shape()
                    );
                    return Err(Error::argument("load_state", message));
                };
                parts.push(given.to_device(own.device()));
            }
            if !parts.is_empty() {
                next.push(no_grad(|| flatten(&parts)).check()?.clone());
            }
        }
        (self.slots, self.step) = (next, steps);
        Ok(())
    }

    /// The rule's name.
    pub fn name(&self) -> &'static str {
        self.rule.name()
    }
}
