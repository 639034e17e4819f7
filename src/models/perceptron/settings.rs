//! A network's settings, and its training by the engine's loop.

use super::fitted::{Trained, layers};
use crate::cost::Work;
use crate::data::{Matrix, shuffled_split, stratified_split};
use crate::error::{Error, Result};
use crate::models::network::{Activation, Plateau, network};
use crate::nn::{Module, Param};
use crate::optim::{Adam, Momentum, Optimizer, Sgd};
use crate::rng::Rng;
use crate::tensor::Tensor;
use crate::train::{EarlyStopping, Examples, Job, Objective, Order, Standing, Trainer};
use serde::{Deserialize, Serialize};

/// How a network's weights are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MlpSolver {
    /// Adam.
    #[default]
    Adam,
    /// Gradient descent with Nesterov's momentum.
    Sgd,
}

/// How a network of dense layers is trained: scikit-learn's names and defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MlpSettings {
    /// Units of the hidden layers.
    pub hidden_layer_sizes: Vec<usize>,
    /// What hidden units make of their sums.
    pub activation: Activation,
    /// How weights are found.
    pub solver: MlpSolver,
    /// Half of what the weights' squares cost, divided by the rows of a batch.
    pub alpha: f64,
    /// Rows of a step: 200, or all of fewer, when left out.
    pub batch_size: Option<usize>,
    /// The learning rate.
    pub learning_rate_init: f64,
    /// The most passes over the rows.
    pub max_iter: usize,
    /// Whether rows are shuffled anew for each pass.
    pub shuffle: bool,
    /// Of start weights, shuffles and the rows held out.
    pub seed: u64,
    /// How much the loss must fall to count as progress.
    pub tol: f64,
    /// Of [`MlpSolver::Sgd`].
    pub momentum: f64,
    /// Whether rows are held out, and the weights that do best on them kept.
    pub early_stopping: bool,
    /// The share of rows held out.
    pub validation_fraction: f64,
    /// Of [`MlpSolver::Adam`]: decay of the mean of gradients.
    pub beta_1: f64,
    /// Of [`MlpSolver::Adam`]: decay of the mean of squares.
    pub beta_2: f64,
    /// Of [`MlpSolver::Adam`]: keeps the division finite.
    pub epsilon: f64,
    /// Passes without progress before it ends.
    pub n_iter_no_change: usize,
}

impl Default for MlpSettings {
    fn default() -> MlpSettings {
        MlpSettings {
            hidden_layer_sizes: vec![100],
            activation: Activation::Relu,
            solver: MlpSolver::Adam,
            alpha: 1e-4,
            batch_size: None,
            learning_rate_init: 1e-3,
            max_iter: 200,
            shuffle: true,
            seed: 0,
            tol: 1e-4,
            momentum: 0.9,
            early_stopping: false,
            validation_fraction: 0.1,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            n_iter_no_change: 10,
        }
    }
}

impl MlpSettings {
    pub(super) fn check(&self, op: &'static str) -> Result<()> {
        let wrong = |what: String| Err(Error::argument(op, what));
        if self.hidden_layer_sizes.contains(&0) || self.batch_size == Some(0) || self.max_iter == 0 {
            return wrong(format!(
                "hidden_layer_sizes {:?}, batch_size {:?} and max_iter {} must be at least 1",
                self.hidden_layer_sizes, self.batch_size, self.max_iter
            ));
        }
        if !(self.learning_rate_init > 0.0 && self.learning_rate_init.is_finite()) {
            return wrong(format!("learning_rate_init is {}; give a number above 0", self.learning_rate_init));
        }
        if !(self.alpha >= 0.0 && self.alpha.is_finite() && self.tol >= 0.0 && self.epsilon > 0.0) {
            return wrong(format!(
                "alpha {} and tol {} must be at least 0, epsilon {} above 0",
                self.alpha, self.tol, self.epsilon
            ));
        }
        let share = |v: f64| (0.0..1.0).contains(&v);
        if !(share(self.beta_1) && share(self.beta_2) && share(self.momentum) && share(self.validation_fraction)) {
            return wrong(format!(
                "beta_1 {}, beta_2 {}, momentum {} and validation_fraction {} must be in [0, 1)",
                self.beta_1, self.beta_2, self.momentum, self.validation_fraction
            ));
        }
        Ok(())
    }

    /// What a fit of `x` consists of, if it takes every pass that it may.
    pub(super) fn work(&self, x: Matrix<'_>, outputs: usize) -> Work {
        let sizes = [&[x.width()], &self.hidden_layer_sizes[..], &[outputs]].concat();
        Work::training(&sizes, x.rows(), self.rows_of_a_step(x.rows()), self.max_iter)
    }

    fn rows_of_a_step(&self, rows: usize) -> usize {
        self.batch_size.unwrap_or(200).min(rows)
    }

    /// Trains on rows, targets `y` of as many, and the mean `loss` of a batch. `labels` keep classes in both parts of a split.
    pub(super) fn train(
        &self,
        op: &'static str,
        data: Examples,
        outputs: usize,
        labels: Option<&[u32]>,
        loss: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync,
    ) -> Result<Trained> {
        let (rows, width) = (data.rows(), data.x.shape().last().copied().unwrap_or(0));
        let mut rng = Rng::seed(self.seed);
        let sizes = [&[width], &self.hidden_layer_sizes[..], &[outputs]].concat();
        let net = network(&sizes, self.activation, &mut rng, data.x.device())?;
        let mut optimizer = match self.solver {
            MlpSolver::Adam => {
                let (lr, beta1, beta2, eps) = (self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon);
                Optimizer::new(Adam { lr, beta1, beta2, eps, weight_decay: 0.0 }, net.parameters())
            }
            MlpSolver::Sgd => {
                let (lr, momentum) = (self.learning_rate_init, self.momentum);
                let kind = Momentum::Nesterov;
                Optimizer::new(Sgd { lr, momentum, kind, weight_decay: 0.0 }, net.parameters())
            }
        };
        let weights: Vec<Param> =
            net.parameters().into_iter().filter(|(name, _)| name.ends_with("weight")).map(|(_, param)| param).collect();
        let alpha = self.alpha as f32;
        let penalised = move |prediction: &Tensor, target: &Tensor| {
            let loss = loss(prediction, target);
            if alpha == 0.0 {
                return loss;
            }
            let factor = 0.5 * alpha / prediction.shape().first().copied().unwrap_or(1).max(1) as f32;
            weights.iter().fold(loss, |loss, w| loss + w.tensor().square().sum() * factor)
        };
        let (train, held_out) = self.parts(data, labels)?;
        let mut trainer = Trainer {
            batch_size: self.rows_of_a_step(rows),
            seed: self.seed,
            order: if self.shuffle { Order::Shuffled } else { Order::AsGiven },
            early_stopping: held_out
                .as_ref()
                .map(|_| EarlyStopping { patience: self.n_iter_no_change, min_delta: self.tol }),
            ..Trainer::default()
        };
        let objective = Objective { loss: &penalised, hits: None };
        let mut standing = Standing::new(self.seed, self.learning_rate_init);
        let (mut plateau, mut converged) = (Plateau::new(self.tol, self.n_iter_no_change), false);
        // Early stopping is the trainer's, which keeps the best parameters: it sees all passes at once.
        let first = if held_out.is_some() { self.max_iter } else { 1 };
        for epochs in first..=self.max_iter {
            trainer.epochs = epochs;
            let job = Job::new(&net, &mut optimizer, objective, &train);
            standing = trainer.run(standing, Job { validation: held_out.as_ref(), ..job })?;
            let loss = standing.history.epochs.last().map_or(f64::INFINITY, |record| record.loss);
            let flat = plateau.reached(loss);
            converged = standing.history.stopped.is_some() || held_out.is_none() && flat;
            if converged {
                break;
            }
        }
        if !converged {
            log::warn!(
                "{op}: stopped after max_iter = {} passes with the loss still falling; allow more",
                self.max_iter
            );
        }
        let loss_curve = standing.history.epochs.iter().map(|record| record.loss).collect();
        Ok(Trained { activation: self.activation, layers: layers(&net)?, loss_curve, converged })
    }

    /// The rows to fit, and those held out.
    fn parts(&self, data: Examples, labels: Option<&[u32]>) -> Result<(Examples, Option<Examples>)> {
        if !self.early_stopping {
            return Ok((data, None));
        }
        // A stream of its own, so that the split does not move the start weights.
        let mut rng = Rng::seed(self.seed).fork(1);
        let split = match labels {
            Some(labels) => stratified_split(labels, self.validation_fraction, &mut rng)?,
            None => shuffled_split(data.rows(), self.validation_fraction, &mut rng)?,
        };
        let part = |rows: &[usize]| data.reordered(&rows.iter().map(|&row| row as u32).collect::<Vec<u32>>());
        Ok((part(&split.train), Some(part(&split.held_out))))
    }
}
