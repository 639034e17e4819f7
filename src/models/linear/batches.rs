//! Training in mini-batches on the tensor layer: only a batch at a time is on the device, in f32.

use super::lbfgs::{Search, minimise};
use super::ridge::check_price;
use crate::cost::Work;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::nn::Param;
use crate::optim::{Adam, Optimizer};
use crate::rng::Rng;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// How a linear model is trained in mini-batches: by Adam, until a pass over the data lowers the loss by less than a hundredth; then
/// from there by L-BFGS, whose every step is a pass or more, as the steps of single batches only wander about the optimum. With fewer
/// than ten passes left, Adam goes on to the end, its learning rate a fifth of what it was after each such pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Batches {
    /// Rows of a step.
    pub batch_size: usize,
    /// Adam's first learning rate, for features of deviation 1.
    pub learning_rate: f64,
    /// The most passes over the data.
    pub epochs: usize,
    /// It stops once no entry of the gradient of the mean loss is larger, for features, and a target of numbers, of deviation 1.
    pub tol: f64,
    /// Of the order of rows.
    pub seed: u64,
    /// Where rows come in parts, so many are shuffled together, or as many as fill 64 MiB; rows that are sorted by what is
    /// predicted are better shuffled before. Rows in memory are shuffled all.
    pub shuffle_rows: usize,
}

impl Default for Batches {
    fn default() -> Batches {
        Batches { batch_size: 256, learning_rate: 0.01, epochs: 200, tol: 1e-4, seed: 0, shuffle_rows: 65_536 }
    }
}

/// The share of the loss that a pass of Adam is to lower it by.
const PAYS: f64 = 0.01;
/// Passes that a search by L-BFGS is worth while for.
const SEARCHED: usize = 10;
/// Batches whose gradient is taken together where none of them is a step.
const JOINED: usize = 16;
/// Of a loss in f32, relative to it.
const ROUNDING: f64 = 8.0 * f32::EPSILON as f64;

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

/// Gives all blocks to a function, once each time it is called.
type Pass<'a> = dyn Fn(&mut Each<'_>) -> Result<()> + 'a;

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
        pass: &Pass<'_>,
        loss: fn(&Tensor, &Tensor) -> Tensor,
        device: &Device,
    ) -> Result<Trained> {
        let (width, outputs) = (task.deviation.len(), task.outputs);
        let zeros = |shape: &[usize]| Param::new(&Tensor::zeros(shape, device));
        let run = Run { task, loss, device, w: zeros(&[outputs, width]), b: zeros(&[outputs]) };
        let passes = self.descend(&run, pass)?;
        let mut left = self.epochs - passes;
        let search = Search { l1: &[], inverse: &run.inverse(), tol: self.tol, noise: ROUNDING, max_iter: left };
        let found = minimise(run.parameters()?, search, |parameters, gradient| match left {
            0 => Ok(f64::NAN), // no step is taken to what has no value
            _ => {
                left -= 1;
                run.evaluate(pass, self.batch_size * JOINED, parameters, gradient)
            }
        })?;
        let (epochs, converged) = (self.epochs - left, found.converged && passes < self.epochs);
        let (coef, constants) = found.x.split_at(outputs * width);
        let coef = coef.iter().zip(task.deviation.iter().cycle()).map(|(c, deviation)| c / deviation).collect();
        if !converged {
            log::warn!("{}: the loss still falls after {epochs} passes; raise batches.epochs", task.op);
        }
        Ok(Trained { coef, constants: constants.to_vec(), epochs, converged })
    }

    /// Trains by Adam for as long as that pays; the passes that it took.
    fn descend(&self, run: &Run<'_>, pass: &Pass<'_>) -> Result<usize> {
        let (task, rows) = (run.task, run.task.rows as f64);
        let parameters = [("w", &run.w)].into_iter().chain(task.fit_intercept.then_some(("b", &run.b)));
        let rule = Adam { lr: self.learning_rate, ..Adam::default() };
        let mut optimizer = Optimizer::new(rule, parameters.map(|(name, param)| (name.to_owned(), param.clone())));
        let price: Vec<f32> = run.prices().map(|price| (0.5 * price) as f32).collect();
        let price = Tensor::from_vec(price, [task.deviation.len()], run.device);
        let mut rng = Rng::seed(self.seed);
        let (mut before, mut lr) = (f64::INFINITY, self.learning_rate);
        for epoch in 1..=self.epochs {
            let mut sum = Tensor::zeros([1], run.device);
            pass(&mut |block| {
                let count = u32::try_from(block.rows)
                    .map_err(|_| Error::argument(task.op, "more than 2³² rows in memory; give them in parts"))?;
                let order: Vec<usize> = rng.permutation(count).into_iter().map(|row| row as usize).collect();
                for batch in order.chunks(self.batch_size) {
                    let size = batch.len() as f64;
                    let mut value = run.loss_of(block, batch, rows / size)?; // as if all rows were like these
                    if task.l2 > 0.0 {
                        let w = run.w.tensor();
                        value = value + (&w * &w * &price).sum();
                    }
                    sum = &sum + value.detach() * (size / rows) as f32;
                    optimizer.step(value.backward()?)?;
                }
                Ok(())
            })?;
            let mean = f64::from(sum.item::<f32>()?);
            if !mean.is_finite() {
                let message = format!("the loss is {mean} in pass {epoch}; lower batches.learning_rate");
                return Err(Error::NonFinite { op: task.op, message });
            }
            if mean >= before * (1.0 - PAYS) {
                if self.epochs - epoch >= SEARCHED {
                    return Ok(epoch);
                }
                lr /= 5.0;
                optimizer.set_learning_rate(lr);
            }
            before = mean;
        }
        Ok(self.epochs)
    }
}

/// One training: parameters for features of deviation 1, on a device.
struct Run<'a> {
    task: &'a Task<'a>,
    loss: fn(&Tensor, &Tensor) -> Tensor,
    device: &'a Device,
    /// `[K, F]`
    w: Param,
    /// `[K]`
    b: Param,
}

impl Run<'_> {
    /// The price of half the square of a coefficient of each feature.
    fn prices(&self) -> impl Iterator<Item = f64> {
        self.task.deviation.iter().map(|deviation| self.task.l2 / (deviation * deviation))
    }

    /// A guess of the inverse curvature along each parameter.
    fn inverse(&self) -> Vec<f64> {
        let of_row: Vec<f64> = self.prices().map(|price| (1.0 + price).recip()).collect();
        let mut inverse = of_row.repeat(self.task.outputs);
        inverse.resize(inverse.len() + self.constants(), 1.0);
        inverse
    }

    fn constants(&self) -> usize {
        if self.task.fit_intercept { self.task.outputs } else { 0 }
    }

    /// Coefficients, and constants where there are any.
    fn parameters(&self) -> Result<Vec<f64>> {
        let mut parameters = wide(&self.w.tensor())?;
        parameters.extend(wide(&self.b.tensor())?.into_iter().take(self.constants()));
        Ok(parameters)
    }

    /// The part of the mean loss that is of these rows, `factor` times.
    fn loss_of(&self, block: &Block<'_>, rows: &[usize], factor: f64) -> Result<Tensor> {
        let (width, outputs, size) = (self.task.deviation.len(), self.task.outputs, rows.len());
        let x = Tensor::from_vec((block.x)(rows)?, [size, width], self.device);
        let targets = Tensor::from_vec((block.targets)(rows), [size, outputs], self.device);
        let share = factor / self.task.weight;
        let weights = rows.iter().map(|&row| (share * block.weights.get(row).unwrap_or(&0.0)) as f32);
        let weights = Tensor::from_vec(weights.collect::<Vec<f32>>(), [size, 1], self.device);
        let mut scores = x.matmul(&self.w.tensor().t());
        if self.task.fit_intercept {
            scores = scores + self.b.tensor();
        }
        Ok(((self.loss)(&scores, &targets) * weights).sum())
    }

    /// The loss of all rows at `parameters`, prices included, and its gradient, in one pass of `size` rows at a time.
    fn evaluate(&self, pass: &Pass<'_>, size: usize, parameters: &[f64], gradient: &mut [f64]) -> Result<f64> {
        let (coef, constants) = parameters.split_at(self.task.outputs * self.task.deviation.len());
        let narrow = |values: &[f64]| values.iter().map(|&v| v as f32).collect::<Vec<f32>>();
        self.w.set(&Tensor::from_vec(narrow(coef), self.w.tensor().shape(), self.device))?;
        if self.task.fit_intercept {
            self.b.set(&Tensor::from_vec(narrow(constants), [constants.len()], self.device))?;
        }
        let mut value = 0.0;
        gradient.fill(0.0);
        let (of_coef, of_constants) = gradient.split_at_mut(coef.len());
        pass(&mut |block| {
            let order: Vec<usize> = (0..block.rows).collect();
            for rows in order.chunks(size) {
                let loss = self.loss_of(block, rows, 1.0)?;
                let slopes = loss.backward()?;
                value += f64::from(loss.item::<f32>()?);
                of_coef.iter_mut().zip(wide(&slopes.get(&self.w.tensor())?)?).for_each(|(sum, g)| *sum += g);
                if self.task.fit_intercept {
                    of_constants.iter_mut().zip(wide(&slopes.get(&self.b.tensor())?)?).for_each(|(sum, g)| *sum += g);
                }
            }
            Ok(())
        })?;
        let prices: Vec<f64> = self.prices().collect();
        for ((slope, c), price) in of_coef.iter_mut().zip(coef).zip(prices.iter().cycle()) {
            *slope += price * c;
            value += 0.5 * price * c * c;
        }
        Ok(value)
    }
}

fn wide(tensor: &Tensor) -> Result<Vec<f64>> {
    Ok(tensor.detach().to_vec::<f32>()?.into_iter().map(f64::from).collect())
}
