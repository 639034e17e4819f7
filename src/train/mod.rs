//! The training loop: batches, shuffling, validation, early stopping, checkpoints and exact resume, history, progress,
//! cancellation.

pub(crate) mod checkpoint;
mod examples;
mod progress;

pub use examples::Examples;
pub use progress::{Cancel, EpochRecord, Event, History, Progress, Silent};

use crate::device::DeviceKind;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::nn::{Mode, Module};
use crate::optim::Optimizer;
use crate::rng::Rng;
use crate::tensor::Tensor;
use crate::tensor::record::no_grad;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

/// Steps between two looks at the loss on a GPU: each look waits for the device.
const LOOK_EVERY: usize = 32;

/// A function of predictions and targets.
pub type Score<'a> = &'a dyn Fn(&Tensor, &Tensor) -> Tensor;

/// What is minimised, and what is counted beside it.
#[derive(Clone, Copy)]
pub struct Objective<'a> {
    /// The mean loss of a batch: one element.
    pub loss: Score<'a>,
    /// The number of right answers in a batch: one element, `f32`.
    pub hits: Option<Score<'a>>,
}

impl Objective<'static> {
    /// Cross-entropy of logits `[B, C]` against classes `[B]`; right answers are counted.
    pub fn classes() -> Objective<'static> {
        Objective {
            loss: &|logits, classes| logits.cross_entropy(classes),
            hits: Some(&|logits, classes| logits.argmax_axis(-1).eq(classes).to_dtype(DType::F32).sum()),
        }
    }

    /// Mean squared error; targets have the predictions' shape.
    pub fn values() -> Objective<'static> {
        Objective { loss: &|y, t| y.squared_difference(t).mean(), hits: None }
    }
}

/// When to end because the validation loss no longer falls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EarlyStopping {
    /// Epochs without improvement before it ends.
    pub patience: usize,
    /// What counts as an improvement.
    pub min_delta: f64,
}

/// The order of rows in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Anew in each epoch, from the seed.
    #[default]
    Shuffled,
    /// As given.
    AsGiven,
}

/// Changes the learning rate: gets the base rate, the steps done, and the record of the last epoch.
pub type RateOf = Box<dyn FnMut(f64, u64, Option<&EpochRecord>) -> f64 + Send>;

/// Runs a training.
///
/// ```
/// use tilework::nn::{Linear, Module};
/// use tilework::optim::{Optimizer, Sgd};
/// use tilework::train::{Examples, Objective, Silent, Trainer};
/// use tilework::{Device, Rng, Tensor};
///
/// let device = Device::cpu();
/// let x = Tensor::linspace(-1.0, 1.0, 32, &device).reshape([32, 1]);
/// let data = Examples::new(x.clone(), &x * 3.0 + 1.0)?;
/// let net = Linear::new(1, 1, &mut Rng::seed(0), &device);
/// let mut optimizer = Optimizer::new(Sgd { lr: 0.1, ..Sgd::default() }, net.parameters());
/// let mut trainer = Trainer { epochs: 100, batch_size: 8, ..Trainer::default() };
/// let run = trainer.fit(&net, &mut optimizer, Objective::values(), &data, None, &mut Silent)?;
/// assert!(run.history.epochs[99].loss < 1e-6);
/// # Ok::<(), tilework::Error>(())
/// ```
pub struct Trainer {
    /// Passes over the data.
    pub epochs: usize,
    /// Rows of a step; the last of an epoch may have fewer.
    pub batch_size: usize,
    /// The order of rows.
    pub order: Order,
    /// Of the shuffles.
    pub seed: u64,
    /// Limits the norm of all gradients together.
    pub clip_norm: Option<f32>,
    /// Ends when the validation loss no longer falls, with the best parameters seen.
    pub early_stopping: Option<EarlyStopping>,
    /// Changes the learning rate before each step.
    pub schedule: Option<RateOf>,
    /// Where the state is saved after each epoch; resumed from there if asked.
    pub checkpoint: Option<PathBuf>,
    /// Ends the run from outside.
    pub cancel: Cancel,
}

impl Default for Trainer {
    fn default() -> Trainer {
        Trainer {
            epochs: 10,
            batch_size: 32,
            order: Order::Shuffled,
            seed: 0,
            clip_norm: None,
            early_stopping: None,
            schedule: None,
            checkpoint: None,
            cancel: Cancel::default(),
        }
    }
}

/// Where a run stands between two epochs, its history apart opaque: what it takes to go on with it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// All epochs so far.
    pub history: History,
    rng: Rng,
    base_rate: f64,
    /// The lowest validation loss, its epoch, and the parameters then.
    best: Option<(f64, usize, BTreeMap<String, Tensor>)>,
}

impl Standing {
    /// Before the first epoch.
    pub(crate) fn new(seed: u64, base_rate: f64) -> Standing {
        Standing { history: History::default(), rng: Rng::seed(seed), base_rate, best: None }
    }
}

impl Trainer {
    /// Trains `net` from where it is. Parameters are those after the last step, or the best ones if early stopping is on.
    ///
    /// # Errors
    /// A batch size of 0; whatever the network's operations carry; [`Error::NonFinite`] when the loss is no longer finite (the
    /// parameters are then those before that epoch); [`Error::Cancelled`].
    pub fn fit(
        &mut self,
        net: &dyn Module,
        optimizer: &mut Optimizer,
        objective: Objective<'_>,
        train: &Examples,
        validation: Option<&Examples>,
        progress: &mut dyn Progress,
    ) -> Result<Standing> {
        self.run(
            Standing::new(self.seed, optimizer.learning_rate()),
            net,
            optimizer,
            objective,
            train,
            validation,
            progress,
        )
    }

    /// Continues the run that wrote the checkpoint at [`Trainer::checkpoint`]: the result is that of an uninterrupted one, bit
    /// for bit on one device. Without such a file it starts anew.
    ///
    /// # Errors
    /// As [`Trainer::fit`]; a checkpoint of another network, or a damaged one.
    pub fn resume(
        &mut self,
        net: &dyn Module,
        optimizer: &mut Optimizer,
        objective: Objective<'_>,
        train: &Examples,
        validation: Option<&Examples>,
        progress: &mut dyn Progress,
    ) -> Result<Standing> {
        match self.checkpoint.clone().filter(|path| path.exists()) {
            None => self.fit(net, optimizer, objective, train, validation, progress),
            Some(path) => {
                let standing = checkpoint::load(&path, net, optimizer)?;
                self.run(standing, net, optimizer, objective, train, validation, progress)
            }
        }
    }

    /// Goes on from where a run stands, up to [`Trainer::epochs`] in all.
    #[allow(clippy::too_many_arguments, reason = "fit's arguments and where the run stands")]
    pub(crate) fn run(
        &mut self,
        mut at: Standing,
        net: &dyn Module,
        optimizer: &mut Optimizer,
        objective: Objective<'_>,
        train: &Examples,
        validation: Option<&Examples>,
        progress: &mut dyn Progress,
    ) -> Result<Standing> {
        if self.batch_size == 0 {
            return Err(Error::argument("fit", "batch_size is 0: give at least 1"));
        }
        let began = Instant::now();
        let done = at.history.epochs.len();
        let parameters = net.parameters().iter().map(|(_, param)| param.tensor().numel()).sum();
        let (samples, steps) = (train.rows(), train.rows().div_ceil(self.batch_size));
        let device = train.x.device().clone();
        progress.event(&Event::Start { epochs: self.epochs, done, steps, samples, parameters, device: &device });
        for epoch in done + 1..=self.epochs {
            let record = self.epoch(epoch, &mut at, net, optimizer, objective, train, validation, progress)?;
            progress.event(&Event::Epoch(&record));
            at.history.epochs.push(record);
            self.judge(&mut at, net);
            if let Some(path) = &self.checkpoint {
                checkpoint::save(path, net, optimizer, &at)?;
            }
            if let Some(reason) = &at.history.stopped {
                progress.event(&Event::Stopped { reason });
                break;
            }
        }
        if let (Some(_), Some((.., best))) = (self.early_stopping, &at.best) {
            net.load_state(best)?;
        }
        net.set_mode(Mode::Eval);
        progress.event(&Event::Finished { seconds: began.elapsed().as_secs_f64(), steps: optimizer.steps() });
        Ok(at)
    }

    #[allow(clippy::too_many_arguments, reason = "fit's arguments and where the run stands")]
    fn epoch(
        &mut self,
        epoch: usize,
        at: &mut Standing,
        net: &dyn Module,
        optimizer: &mut Optimizer,
        objective: Objective<'_>,
        train: &Examples,
        validation: Option<&Examples>,
        progress: &mut dyn Progress,
    ) -> Result<EpochRecord> {
        let began = Instant::now();
        let before = net.state();
        let data = match self.order {
            Order::Shuffled => train.reordered(&at.rng.permutation(train.rows() as u32)),
            Order::AsGiven => train.clone(),
        };
        net.set_mode(Mode::Train);
        let (rows, steps) = (data.rows(), data.rows().div_ceil(self.batch_size));
        // Reading costs nothing on the CPU; a GPU would be waited for.
        let look = if data.x.device().kind() == DeviceKind::Cpu { 1 } else { LOOK_EVERY };
        let mut sums = Sums::default();
        for step in 1..=steps {
            if self.cancel.is_cancelled() {
                return Err(Error::Cancelled { op: "fit" });
            }
            if let Some(schedule) = &mut self.schedule {
                let rate = schedule(at.base_rate, optimizer.steps(), at.history.epochs.last());
                optimizer.set_learning_rate(rate);
            }
            let batch = data.slice((step - 1) * self.batch_size, rows.min(step * self.batch_size));
            let prediction = net.forward(&batch.x);
            let loss = (objective.loss)(&prediction, &batch.y);
            sums.add(objective, &prediction, &loss, &batch);
            let mut grads = loss.backward()?;
            if let Some(limit) = self.clip_norm {
                let _norm = grads.clip_norm(limit);
            }
            optimizer.step(grads)?;
            let mut seen = (None, None);
            if step % look == 0 || step == steps {
                seen =
                    sums.read(step).map_err(|first_bad| self.not_finite(net, &before, epoch, first_bad, optimizer))?;
            }
            let samples_per_second = sums.rows as f64 / began.elapsed().as_secs_f64().max(1e-9);
            progress.event(&Event::Step { epoch, step, steps, loss: seen.0, accuracy: seen.1, samples_per_second });
        }
        let (loss, accuracy) = (sums.loss, sums.accuracy);
        let fitted = began.elapsed().as_secs_f64();
        let (validation_loss, validation_accuracy) = match validation {
            None => (None, None),
            Some(held_out) => {
                let (loss, accuracy) = self.evaluate(net, objective, held_out)?;
                (Some(loss), accuracy)
            }
        };
        Ok(EpochRecord {
            epoch,
            loss,
            accuracy,
            validation_loss,
            validation_accuracy,
            seconds: began.elapsed().as_secs_f64(),
            samples_per_second: rows as f64 / fitted.max(1e-9),
            learning_rate: optimizer.learning_rate(),
        })
    }

    /// Mean loss and share of right answers over `data`, in batches, without training.
    ///
    /// # Errors
    /// Whatever the network's operations carry.
    pub fn evaluate(&self, net: &dyn Module, objective: Objective<'_>, data: &Examples) -> Result<(f64, Option<f64>)> {
        net.set_mode(Mode::Eval);
        let mut sums = Sums::default();
        no_grad(|| {
            for start in (0..data.rows()).step_by(self.batch_size.max(1)) {
                let batch = data.slice(start, data.rows().min(start + self.batch_size.max(1)));
                let prediction = net.forward(&batch.x);
                sums.add(objective, &prediction, &(objective.loss)(&prediction, &batch.y), &batch);
            }
        });
        sums.total()?;
        Ok((sums.loss, sums.accuracy))
    }

    /// Notes the best epoch, and whether it is time to stop.
    fn judge(&self, at: &mut Standing, net: &dyn Module) {
        let (Some(rule), Some(record)) = (self.early_stopping, at.history.epochs.last()) else { return };
        let Some(loss) = record.validation_loss else { return };
        match &at.best {
            Some((best, epoch, _)) if loss >= best - rule.min_delta => {
                if record.epoch - epoch >= rule.patience {
                    let reason = format!("validation loss has not improved for {} epochs", rule.patience);
                    at.history.stopped = Some(reason);
                }
            }
            _ => at.best = Some((loss, record.epoch, net.state())),
        }
    }

    /// The error of a loss that is no longer finite, after the parameters went back to those before the epoch.
    fn not_finite(
        &self,
        net: &dyn Module,
        before: &BTreeMap<String, Tensor>,
        epoch: usize,
        found: Found,
        optimizer: &Optimizer,
    ) -> Error {
        let Found::Bad { from, to, value } = found else {
            return match found {
                Found::Error(error) => error,
                Found::Bad { .. } => Error::internal("fit", "a finding without an error"),
            };
        };
        let place = if from == to { format!("step {to}") } else { format!("steps {from} to {to}") };
        let advice = "lower the learning rate, clip gradients (clip_norm), or scale the inputs";
        let rate = optimizer.learning_rate();
        let restored = match net.load_state(before) {
            Ok(()) => "parameters are back to those before the epoch".to_string(),
            Err(error) => format!("parameters could not be put back: {error}"),
        };
        let message =
            format!("the loss is {value} in epoch {epoch}, {place}, at learning rate {rate}; {restored}; {advice}");
        Error::NonFinite { op: "fit", message }
    }
}

/// Why a running sum could not be read.
enum Found {
    Bad { from: usize, to: usize, value: f64 },
    Error(Error),
}

/// Loss and right answers of an epoch so far: summed on the device between looks, in f64 on the host.
#[derive(Default)]
struct Sums {
    pending: Option<(Tensor, Option<Tensor>)>,
    rows: usize,
    loss_sum: f64,
    hit_sum: f64,
    looked: usize,
    loss: f64,
    accuracy: Option<f64>,
}

impl Sums {
    fn add(&mut self, objective: Objective<'_>, prediction: &Tensor, loss: &Tensor, batch: &Examples) {
        no_grad(|| {
            let rows = batch.rows();
            let (loss, prediction) = (loss.detach() * rows as f32, prediction.detach());
            let hits = objective.hits.map(|hits| hits(&prediction, &batch.y));
            self.pending = Some(match self.pending.take() {
                None => (loss, hits),
                Some((sum, have)) => (sum + loss, have.zip(hits).map(|(a, b)| a + b)),
            });
            self.rows += rows;
        });
    }

    /// Reads what has come since the last look; the means of the epoch so far.
    fn read(&mut self, step: usize) -> Result<(Option<f64>, Option<f64>), Found> {
        self.total().map_err(Found::Error)?;
        let from = std::mem::replace(&mut self.looked, step) + 1;
        if !self.loss.is_finite() {
            return Err(Found::Bad { from, to: step, value: self.loss });
        }
        Ok((Some(self.loss), self.accuracy))
    }

    fn total(&mut self) -> Result<()> {
        if let Some((loss, hits)) = self.pending.take() {
            self.loss_sum += f64::from(loss.reshape(()).item::<f32>()?);
            if let Some(hits) = hits {
                self.hit_sum += f64::from(hits.reshape(()).item::<f32>()?);
                self.accuracy = Some(self.hit_sum / self.rows.max(1) as f64);
            }
        }
        self.loss = self.loss_sum / self.rows.max(1) as f64;
        Ok(())
    }
}
