//! A network that learns by steps: what training costs is measured on it.

use crate::device::Device;
use crate::error::Result;
use crate::nn::{Linear, Module, Relu, Sequential};
use crate::optim::{Adam, Optimizer};
use crate::rng::Rng;
use crate::tensor::Tensor;

/// Dense layers with ReLU, cross-entropy and Adam, on some batches in turn.
pub(super) struct Learner {
    net: Sequential,
    adam: Optimizer,
    batches: Vec<(Tensor, Tensor)>,
    step: usize,
}

impl Learner {
    pub const BATCHES: usize = 8;

    pub fn new(sizes: &[usize], batch: usize, device: &Device) -> Result<Learner> {
        let (inputs, classes) = (sizes.first().copied().unwrap_or(1), sizes.last().copied().unwrap_or(1));
        let mut rng = Rng::seed(0);
        let mut net = Sequential::new();
        for (layer, pair) in sizes.windows(2).enumerate() {
            if layer > 0 {
                net = net.add(Relu);
            }
            net = net.add(Linear::new(pair[0], pair[1], &mut rng, device));
        }
        // The class is the place of the largest of the first inputs: something that can be learnt.
        let x = Tensor::uniform([Learner::BATCHES * batch, inputs], -1.0, 1.0, &mut Rng::seed(3), &Device::cpu());
        let y = x.slice(1, 0..classes).argmax_axis(-1).to_vec::<u32>()?;
        let x = Tensor::from_vec(x.to_vec::<f32>()?, [y.len(), inputs], device);
        let y = Tensor::from_vec(y, Learner::BATCHES * batch, device);
        let rows = |i: usize| i * batch..(i + 1) * batch;
        let batches = (0..Learner::BATCHES).map(|i| (x.slice(0, rows(i)), y.slice(0, rows(i)))).collect();
        let adam = Optimizer::new(Adam::default(), net.parameters());
        Ok(Learner { net, adam, batches, step: 0 })
    }

    /// One step, queued.
    pub fn step(&mut self) -> Result<()> {
        let Some((x, y)) = self.batches.get(self.step % Learner::BATCHES) else { return Ok(()) };
        self.step += 1;
        let grads = self.net.forward(x).cross_entropy(y).backward()?;
        self.adam.step(grads).map(|_| ())
    }

    /// Mean over all batches.
    pub fn loss(&self) -> Result<f32> {
        let losses = self.batches.iter().map(|(x, y)| self.net.forward(x).cross_entropy(y).item::<f32>());
        Ok(losses.sum::<Result<f32>>()? / Learner::BATCHES as f32)
    }
}
