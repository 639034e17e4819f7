//! Training in mini-batches on the tensor layer: only a batch at a time is on the device, in f32.

use super::ridge::check_price;
use crate::cost::Work;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::nn::Param;
use crate::optim::{Adam, Optimizer};
use crate::rng::Rng;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// How a linear model is trained in mini-batches: Adam, whose learning rate is divided by 5 whenever two passes in turn have not
/// lowered the loss by `tol`, until it is a thousandth of what it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Batches {
    /// Rows of a step.
    pub batch_size: usize,
    /// The first learning rate, for features of deviation 1.
    pub learning_rate: f64,
    /// The most passes over the data.
    pub epochs: usize,
    /// What a pass must lower the mean loss by, in units of the target's variance or of nats.
    pub tol: f64,
    /// Of the order of rows.
    pub seed: u64,
    /// Where rows come in parts, so many are shuffled together, or as many as fill 64 MiB; rows that are sorted by what is
    /// predicted are better shuffled before. Rows in memory are shuffled all.
    pub shuffle_rows: usize,
}

impl Default for Batches {
    fn default() -> Batches {
        Batches { batch_size: 256, learning_rate: 0.01, epochs: 200, tol: 1e-5, seed: 0, shuffle_rows: 65_536 }
    }
}

/// What is trained: scores `[B, K]` of features of mean 0 and deviation 1.
pub(super) struct Task<'a> {
    pub op: &'static str,
    pub rows: usize,
    /// The sum of the rows' weights.
    pub weight: f64,
    /// What each feature was divided by, `[F]`.
    pub deviation: &'a [f64],
    pub outputs: usize,
    pub fit_intercept: bool,
    /// The price of half a coefficient's square, beside the weighted mean of the losses.
    pub l2: f64,
}

/// Rows that are shuffled together.
pub(super) struct Block<'a> {
    pub rows: usize,
    /// The features of some of them, `[B, F]`.
    pub x: &'a dyn Fn(&[usize]) -> Result<Vec<f32>>,
    /// The targets of some of them, `[B, K]`.
    pub targets: &'a dyn Fn(&[usize]) -> Vec<f32>,
    pub weights: &'a [f64],
}

/// What is done with each block.
pub(super) type Each<'a> = dyn FnMut(&Block<'_>) -> Result<()> + 'a;

/// Coefficients `[K, F]` of the features as they were, and intercepts `[K]` of the moved ones.
pub(super) struct Trained {
    pub coef: Vec<f64>,
    pub constants: Vec<f64>,
    pub epochs: usize,
    pub converged: bool,
}

impl Batches {
    pub(super) fn check(&self, op: &'static str) -> Result<()> {
        check_price(op, "batches.tol", self.tol)?;
        check_price(op, "batches.learning_rate", self.learning_rate)?;
        let named = [("batch_size", self.batch_size), ("epochs", self.epochs), ("shuffle_rows", self.shuffle_rows)];
        match named.iter().find(|(_, value)| *value == 0) {
            None => Ok(()),
            Some((name, _)) => Err(Error::argument(op, format!("batches.{name} is 0; give at least 1"))),
        }
    }

    /// What a training of dense `layers` consists of; each pass sends the rows anew.
    pub(super) fn work(&self, rows: usize, layers: &[usize]) -> Work {
        let work = Work::training(layers, rows, self.batch_size, self.epochs);
        Work { transfer: work.transfer * self.epochs as f64, ..work }
    }

    /// Trains. `pass` gives all blocks, once each time it is called; `loss` the losses, `[B, K]`, of scores and targets.
    ///
    /// # Errors
    /// What the device reports; a loss that is not finite.
    pub(super) fn train(
        &self,
        task: &Task<'_>,
        pass: &dyn Fn(&mut Each<'_>) -> Result<()>,
        loss: fn(&Tensor, &Tensor) -> Tensor,
        device: &Device,
    ) -> Result<Trained> {
        let (rows, width, outputs) = (task.rows as f64, task.deviation.len(), task.outputs);
        let (w, b) =
            (Param::new(&Tensor::zeros([outputs, width], device)), Param::new(&Tensor::zeros([outputs], device)));
        let parameters = [("w", &w)].into_iter().chain(task.fit_intercept.then_some(("b", &b)));
        let rule = Adam { lr: self.learning_rate, ..Adam::default() };
        let mut optimizer = Optimizer::new(rule, parameters.map(|(name, param)| (name.to_owned(), param.clone())));
        let price: Vec<f32> = task.deviation.iter().map(|d| (0.5 * task.l2 / (d * d)) as f32).collect();
        let price = Tensor::from_vec(price, [width], device);
        let mut rng = Rng::seed(self.seed);
        let (mut best, mut idle, mut lr) = (f64::INFINITY, 0, self.learning_rate);
        let mut ended = (self.epochs, false);
        for epoch in 1..=self.epochs {
            let mut sum = Tensor::zeros([1], device);
            pass(&mut |block| {
                let count = u32::try_from(block.rows)
                    .map_err(|_| Error::argument(task.op, "more than 2³² rows in memory; give them in parts"))?;
                let order: Vec<usize> = rng.permutation(count).into_iter().map(|row| row as usize).collect();
                for batch in order.chunks(self.batch_size) {
                    let size = batch.len();
                    let x = Tensor::from_vec((block.x)(batch)?, [size, width], device);
                    let t = Tensor::from_vec((block.targets)(batch), [size, outputs], device);
                    let share = rows / size as f64 / task.weight; // so that a batch stands for all rows
                    let weights = batch.iter().map(|&row| (share * block.weights.get(row).unwrap_or(&0.0)) as f32);
                    let weights = Tensor::from_vec(weights.collect::<Vec<f32>>(), [size, 1], device);
                    let mut scores = x.matmul(&w.tensor().t());
                    if task.fit_intercept {
                        scores = scores + b.tensor();
                    }
                    let mut value = (loss(&scores, &t) * weights).sum();
                    if task.l2 > 0.0 {
                        value = value + (w.tensor() * w.tensor() * &price).sum();
                    }
                    sum = &sum + value.detach() * (size as f64 / rows) as f32;
                    optimizer.step(value.backward()?)?;
                }
                Ok(())
            })?;
            let mean = f64::from(sum.item::<f32>()?);
            if !mean.is_finite() {
                let message = format!("the loss is {mean} in pass {epoch}; lower batches.learning_rate");
                return Err(Error::NonFinite { op: task.op, message });
            }
            idle = if mean > best - self.tol { idle + 1 } else { 0 };
            best = best.min(mean);
            if idle == 2 {
                (idle, lr) = (0, lr / 5.0);
                optimizer.set_learning_rate(lr);
            }
            if lr < self.learning_rate / 1000.0 {
                ended = (epoch, true);
                break;
            }
        }
        let wide =
            |tensor: Tensor| -> Result<Vec<f64>> { Ok(tensor.to_vec::<f32>()?.into_iter().map(f64::from).collect()) };
        let mut coef = wide(w.tensor().detach())?;
        coef.iter_mut().zip(task.deviation.iter().cycle()).for_each(|(c, deviation)| *c /= deviation);
        let constants = if task.fit_intercept { wide(b.tensor().detach())? } else { Vec::new() };
        if !ended.1 {
            log::warn!("{}: the loss still falls after {} passes; raise batches.epochs", task.op, ended.0);
        }
        Ok(Trained { coef, constants, epochs: ended.0, converged: ended.1 })
    }
}
