//! Optimizers: each is its formula. One step updates all parameters together, in one launch where their gradients allow it.

mod flat;
mod rules;
mod schedule;

pub use rules::{AdaGrad, Adam, AdamW, Momentum, RmsProp, Sgd};
pub use schedule::{Constant, Cosine, Goal, OnPlateau, OneCycle, Per, Plateau, Schedule, StepDecay, Threshold, WarmUp};

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
    /// For each parameter its slots, in its shape.
    slots: Vec<Vec<Tensor>>,
    lr: f64,
    step: u64,
}

impl Optimizer {
    /// An optimizer of `params`, as [`crate::nn::Module::parameters`] lists them.
    pub fn new(rule: impl Rule + 'static, params: impl IntoIterator<Item = (String, Param)>) -> Optimizer {
        let params: Vec<(String, Param)> = params.into_iter().collect();
        let zeros = |param: &Param| rule.slots().iter().map(|_| param.tensor().detach().zeros_like()).collect();
        let slots = params.iter().map(|(_, param)| zeros(param)).collect();
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
        let found: Vec<(usize, Tensor)> = self
            .params
            .iter()
            .enumerate()
            .filter_map(|(i, (_, param))| Some((i, grads.of_node(param.node()?.id)?.clone())))
            .collect();
        let Some((first, _)) = found.first() else {
            let message = "no parameter has a gradient: differentiate a loss that depends on them";
            return Err(Error::argument("step", message));
        };
        let device = self.params[*first].1.tensor().device().clone();
        drop(grads);
        no_grad(|| self.apply(found))?;
        device.flush()
    }

    fn apply(&mut self, found: Vec<(usize, Tensor)>) -> Result<()> {
        let at = At { lr: self.lr, step: self.step + 1 };
        let weights: Vec<Tensor> = found.iter().map(|(i, _)| self.params[*i].1.tensor().detach()).collect();
        let grads: Vec<Tensor> = found.iter().map(|(_, grad)| grad.detach()).collect();
        let slot = |s: usize| -> Vec<Tensor> { found.iter().map(|(i, _)| self.slots[*i][s].clone()).collect() };
        let slots: Vec<Tensor> = (0..self.rule.slots().len()).map(|s| flatten(&slot(s))).collect();
        let (w, new_slots) = self.rule.update(at, &flatten(&weights), &flatten(&grads), &slots);
        let weights = unflatten(&w, &weights);
        let new_slots: Vec<Vec<Tensor>> = new_slots.iter().map(|flat| unflatten(flat, &weights)).collect();
        for tensor in weights.iter().chain(new_slots.iter().flatten()) {
            tensor.check()?;
        }
        for (place, (i, _)) in found.iter().enumerate() {
            self.params[*i].1.set(&weights[place])?;
            for (s, parts) in new_slots.iter().enumerate() {
                self.slots[*i][s] = parts[place].clone();
            }
        }
        self.step = at.step;
        Ok(())
    }

    /// The state by name: `SLOT.PARAMETER`. Together with [`Optimizer::steps`] and the learning rate it resumes training.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let mut all = BTreeMap::new();
        for ((name, _), slots) in self.params.iter().zip(&self.slots) {
            for (slot, tensor) in self.rule.slots().iter().zip(slots) {
                all.insert(format!("{slot}.{name}"), tensor.clone());
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
        for ((name, param), own) in self.params.iter().zip(&self.slots) {
            let mut slots = Vec::with_capacity(own.len());
            for (slot, have) in self.rule.slots().iter().zip(own) {
                let key = format!("{slot}.{name}");
                let Some(given) = state.get(&key).filter(|given| given.shape() == have.shape()) else {
                    let message = format!(
                        "no tensor '{key}' of shape {}: resume with the optimizer and network of the file",
                        have.shape()
                    );
                    return Err(Error::argument("load_state", message));
                };
                slots.push(given.to_device(param.tensor().device()));
            }
            next.push(slots);
        }
        (self.slots, self.step) = (next, steps);
        Ok(())
    }

    /// The rule's name.
    pub fn name(&self) -> &'static str {
        self.rule.name()
    }
}
