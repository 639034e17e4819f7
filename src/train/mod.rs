//! The training loop: batches, shuffling, validation, early stopping, checkpoints and exact resume, history, progress,
//! cancellation.

pub(crate) mod checkpoint;
mod examples;
mod progress;
mod step;

pub use examples::Examples;
pub use progress::{Cancel, EpochRecord, Event, History, Progress, Silent};
pub use step::Recording;

use crate::cost::Work;
use crate::device::DeviceKind;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::loss::{CrossEntropy, Loss, Mse, Reduction};
use crate::nn::{Mode, Module};
use crate::optim::{Optimizer, Schedule};
use crate::rng::Rng;
use crate::tensor::Tensor;
use crate::tensor::record::no_grad;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;
use step::{Measured, Steps};

/// Steps between two looks at the loss on a GPU: each look waits for the device.
const LOOK_EVERY: usize = 32;

/// A function of predictions and targets.
pub type Score<'a> = &'a dyn Fn(&Tensor, &Tensor) -> Tensor;

/// What is minimised, and what is counted beside it.
///
/// ```
/// use tilework::{Tensor, loss::CrossEntropy, train::Objective};
/// let smooth = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() };
/// let classes = Objective { loss: &smooth, ..Objective::classes() };
/// let quartic = |y: &Tensor, t: &Tensor| (y - t).square().square().mean();
/// let values = Objective { loss: &quartic, hits: None };
/// # let _ = (classes, values);
/// ```
#[derive(Clone, Copy)]
pub struct Objective<'a> {
    /// The mean loss of a batch: one element.
    pub loss: &'a dyn Loss,
    /// The number of right answers in a batch: one element, `f32`.
    pub hits: Option<Score<'a>>,
}

static CLASSES: CrossEntropy = CrossEntropy { label_smoothing: 0.0, weight: None, reduction: Reduction::Mean };

impl Objective<'static> {
    /// Cross-entropy of logits `[B, C]` against classes `[B]`; right answers are counted.
    pub fn classes() -> Objective<'static> {
        Objective {
            loss: &CLASSES,
            hits: Some(&|logits, classes| logits.argmax_axis(-1).eq(classes).to_dtype(DType::F32).sum()),
        }
    }

    /// Mean squared error; targets have the predictions' shape.
    pub fn values() -> Objective<'static> {
        Objective { loss: &Mse { reduction: Reduction::Mean }, hits: None }
    }
}

/// What is trained, on what, and who is told.
///
/// ```
/// # use tilework::{Rng, Tensor, nn::{Linear, Module}, optim::{Optimizer, Sgd}};
/// # use tilework::train::{Event, Examples, Job, Objective, Progress, Trainer};
/// # let device = tilework::Device::cpu();
/// # let data = Examples::new(Tensor::ones([4, 1], &device), Tensor::ones([4, 1], &device))?;
/// # let (train, held_out) = (data.clone(), data);
/// # let net = Linear::new(1, 1, &mut Rng::seed(0), &device);
/// # let mut optimizer = Optimizer::new(Sgd::default(), net.parameters());
/// struct Lines;
///
/// impl Progress for Lines {
///     fn event(&mut self, event: &Event<'_>) {
///         if let Event::Epoch(record) = event {
///             println!("{}: {}", record.epoch, record.loss);
///         }
///     }
/// }
///
/// let job = Job::new(&net, &mut optimizer, Objective::values(), &train);
/// let job = Job { validation: Some(&held_out), progress: Some(&mut Lines), ..job };
/// Trainer::default().fit(job)?;
/// # Ok::<(), tilework::Error>(())
/// ```
pub struct Job<'a> {
    /// The network, trained from where it is.
    pub net: &'a dyn Module,
    /// Over the network's parameters.
    pub optimizer: &'a mut Optimizer,
    /// What is minimised.
    pub objective: Objective<'a>,
    /// What is learnt from.
    pub train: &'a Examples,
    /// Rows that are measured after each epoch and not learnt from.
    pub validation: Option<&'a Examples>,
    /// Who is told.
    pub progress: Option<&'a mut dyn Progress>,
}

impl<'a> Job<'a> {
    /// A training without validation that nobody watches.
    pub fn new(
        net: &'a dyn Module,
        optimizer: &'a mut Optimizer,
        objective: Objective<'a>,
        train: &'a Examples,
    ) -> Job<'a> {
        Job { net, optimizer, objective, train, validation: None, progress: None }
    }

    fn tell(&mut self, event: &Event<'_>) {
        if let Some(progress) = &mut self.progress {
            progress.event(event);
        }
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

/// Runs a training.
///
/// ```
/// use tilework::nn::{Linear, Module};
/// use tilework::optim::{Optimizer, Sgd};
/// use tilework::train::{Examples, Job, Objective, Trainer};
/// use tilework::{Device, Rng, Tensor};
///
/// let device = Device::cpu();
/// let x = Tensor::linspace(-1.0, 1.0, 32, &device).reshape([32, 1]);
/// let data = Examples::new(x.clone(), &x * 3.0 + 1.0)?;
/// let net = Linear::new(1, 1, &mut Rng::seed(0), &device);
/// let mut optimizer = Optimizer::new(Sgd { lr: 0.1, ..Sgd::default() }, net.parameters());
/// let mut trainer = Trainer { epochs: 100, batch_size: 8, ..Trainer::default() };
/// let run = trainer.fit(Job::new(&net, &mut optimizer, Objective::values(), &data))?;
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
    /// How steps are recorded.
    pub recording: Recording,
    /// Of the shuffles.
    pub seed: u64,
    /// Limits the norm of all gradients together.
    pub clip_norm: Option<f32>,
    /// Ends when the validation loss no longer falls, with the best parameters seen.
    pub early_stopping: Option<EarlyStopping>,
    /// Sets the learning rate before each step. What it is judged by is the validation loss of the last epoch, or its loss where
    /// nothing is held out.
    pub schedule: Option<Box<dyn Schedule>>,
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
            recording: Recording::EachStep,
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
    /// What the schedule goes on from.
    schedule: Value,
}

impl Standing {
    /// Before the first epoch.
    pub(crate) fn new(seed: u64, base_rate: f64) -> Standing {
        Standing { history: History::default(), rng: Rng::seed(seed), base_rate, best: None, schedule: Value::Null }
    }
}

impl Trainer {
    /// What a fit of dense layers of `sizes` (inputs first) on so many rows consists of, for
    /// [`Device::auto_for`](crate::Device::auto_for).
    pub fn work(&self, sizes: &[usize], rows: usize) -> Work {
        Work::training(sizes, rows, self.batch_size, self.epochs)
    }

    /// Trains `net` from where it is. Parameters are those after the last step, or the best ones if early stopping is on.
    ///
    /// # Errors
    /// A batch size of 0; early stopping without validation rows; whatever the network's operations carry; [`Error::NonFinite`]
    /// when the loss is no longer finite (parameters and optimizer are then as before that epoch); [`Error::Cancelled`].
    pub fn fit(&mut self, job: Job<'_>) -> Result<Standing> {
        self.run(Standing::new(self.seed, job.optimizer.learning_rate()), job)
    }

    /// Continues the run that wrote the checkpoint at [`Trainer::checkpoint`]: the result is that of an uninterrupted one, bit
    /// for bit on one device. Without such a file it starts anew.
    ///
    /// # Errors
    /// As [`Trainer::fit`]; a checkpoint of another network, or a damaged one.
    pub fn resume(&mut self, job: Job<'_>) -> Result<Standing> {
        match self.checkpoint.clone().filter(|path| path.exists()) {
            None => self.fit(job),
            Some(path) => {
                let standing = checkpoint::load(&path, job.net, job.optimizer)?;
                self.run(standing, job)
            }
        }
    }

    /// Goes on from where a run stands, up to [`Trainer::epochs`] in all.
    pub(crate) fn run(&mut self, mut at: Standing, mut job: Job<'_>) -> Result<Standing> {
        if self.batch_size == 0 {
            return Err(Error::argument("fit", "batch_size is 0: give at least 1"));
        }
        if self.early_stopping.is_some() && job.validation.is_none() {
            let message =
                "early_stopping has nothing to judge by: no validation rows; hold some out with Examples::split";
            return Err(Error::argument("fit", message));
        }
        if let Some(schedule) = self.schedule.as_mut().filter(|_| !at.schedule.is_null()) {
            schedule.load_state(&at.schedule)?;
        }
        let began = Instant::now();
        let done = at.history.epochs.len();
        let parameters = job.net.parameters().iter().map(|(_, param)| param.tensor().numel()).sum();
        let (samples, steps) = (job.train.rows(), job.train.rows().div_ceil(self.batch_size));
        let device = job.train.x.device().clone();
        job.tell(&Event::Start { epochs: self.epochs, done, steps, samples, parameters, device: &device });
        let mut taken = Steps::new(self.recording, job.net, job.objective, self.clip_norm);
        for epoch in done + 1..=self.epochs {
            if at.history.stopped.is_some() {
                break; // a resumed run that had come to its end
            }
            let record = self.epoch(epoch, &mut at, &mut job, &mut taken)?;
            job.tell(&Event::Epoch(&record));
            at.history.epochs.push(record);
            at.schedule = self.schedule.as_ref().map_or(Value::Null, |schedule| schedule.state());
            self.judge(&mut at, job.net);
            if let Some(path) = &self.checkpoint {
                checkpoint::save(path, job.net, job.optimizer, &at)?;
            }
            if let Some(reason) = &at.history.stopped {
                job.tell(&Event::Stopped { reason });
                break;
            }
        }
        if let (Some(_), Some((.., best))) = (self.early_stopping, &at.best) {
            job.net.load_state(best)?;
        }
        job.net.set_mode(Mode::Eval);
        job.tell(&Event::Finished { seconds: began.elapsed().as_secs_f64(), steps: job.optimizer.steps() });
        Ok(at)
    }

    fn epoch(
        &mut self,
        epoch: usize,
        at: &mut Standing,
        job: &mut Job<'_>,
        taken: &mut Steps<'_>,
    ) -> Result<EpochRecord> {
        let (net, objective) = (job.net, job.objective);
        let began = Instant::now();
        let before = Before { net: net.state(), optimizer: job.optimizer.state(), steps: job.optimizer.steps() };
        let data = match self.order {
            Order::Shuffled => job.train.reordered(&at.rng.permutation(job.train.rows() as u32)),
            Order::AsGiven => job.train.clone(),
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
                let metric = at.history.epochs.last().map(|last| last.validation_loss.unwrap_or(last.loss));
                let done = at.history.epochs.len() as u64;
                let rate = schedule.rate(at.base_rate, job.optimizer.steps(), done, metric);
                job.optimizer.set_learning_rate(rate);
            }
            let batch = data.slice((step - 1) * self.batch_size, rows.min(step * self.batch_size));
            sums.add(batch.rows(), |before| taken.step(job.optimizer, &batch, before))?;
            let mut seen = (None, None);
            if step % look == 0 || step == steps {
                seen = sums.read(step).map_err(|found| before.put_back(found, epoch, net, job.optimizer))?;
            }
            let samples_per_second = sums.rows as f64 / began.elapsed().as_secs_f64().max(1e-9);
            job.tell(&Event::Step { epoch, step, steps, loss: seen.0, accuracy: seen.1, samples_per_second });
        }
        let (loss, accuracy) = (sums.loss, sums.accuracy);
        let fitted = began.elapsed().as_secs_f64();
        let (validation_loss, validation_accuracy) = match job.validation {
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
            learning_rate: job.optimizer.learning_rate(),
        })
    }

    /// Mean loss and share of right answers over `data`, in batches, without training.
    ///
    /// # Errors
    /// Whatever the network's operations carry.
    pub fn evaluate(&self, net: &dyn Module, objective: Objective<'_>, data: &Examples) -> Result<(f64, Option<f64>)> {
        net.set_mode(Mode::Eval);
        let mut sums = Sums::default();
        no_grad(|| -> Result<()> {
            for start in (0..data.rows()).step_by(self.batch_size.max(1)) {
                let batch = data.slice(start, data.rows().min(start + self.batch_size.max(1)));
                let prediction = net.forward(&batch.x);
                let loss = objective.loss.loss(&prediction, &batch.y);
                sums.add(
                    batch.rows(),
                    |before| Ok(Measured::new(objective, &prediction, &loss, &batch).after(before)),
                )?;
            }
            Ok(())
        })?;
        sums.total()?;
        Ok((sums.loss, sums.accuracy))
    }

    /// Notes the best epoch, and whether it is time to stop.
    fn judge(&self, at: &mut Standing, net: &dyn Module) {
        let (Some(rule), Some(record)) = (self.early_stopping, at.history.epochs.last()) else { return };
        let Some(loss) = record.validation_loss else { return };
        let (best, since) = at.best.as_ref().map_or((f64::INFINITY, 0), |(loss, epoch, _)| (*loss, *epoch));
        if loss < best - rule.min_delta {
            at.best = Some((loss, record.epoch, net.state()));
        } else if record.epoch - since >= rule.patience {
            // NaN is no improvement either.
            at.history.stopped = Some(format!("validation loss has not improved for {} epochs", rule.patience));
        }
    }
}

/// Network and optimizer before an epoch.
struct Before {
    net: BTreeMap<String, Tensor>,
    optimizer: BTreeMap<String, Tensor>,
    steps: u64,
}

impl Before {
    /// The error of a loss that is no longer finite, after network and optimizer went back to where they were.
    fn put_back(&self, found: Found, epoch: usize, net: &dyn Module, optimizer: &mut Optimizer) -> Error {
        let (from, to, value) = match found {
            Found::Error(error) => return error,
            Found::Bad { from, to, value } => (from, to, value),
        };
        let place = if from == to { format!("step {to}") } else { format!("steps {from} to {to}") };
        let advice = "lower the learning rate, clip gradients (clip_norm), or scale the inputs";
        let rate = optimizer.learning_rate();
        let restored = match net.load_state(&self.net).and_then(|()| optimizer.load_state(&self.optimizer, self.steps))
        {
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
    pending: Option<Measured>,
    rows: usize,
    loss_sum: f64,
    hit_sum: f64,
    looked: usize,
    loss: f64,
    accuracy: Option<f64>,
}

impl Sums {
    /// Adds a batch of so many rows, by what makes of the sums before those after it.
    fn add(&mut self, rows: usize, sum: impl FnOnce(Option<Measured>) -> Result<Measured>) -> Result<()> {
        self.pending = Some(sum(self.pending.take())?);
        self.rows += rows;
        Ok(())
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
        if let Some(Measured { loss, hits }) = self.pending.take() {
            self.loss_sum += f64::from(loss.item::<f32>()?);
            if let Some(hits) = hits {
                self.hit_sum += f64::from(hits.item::<f32>()?);
                self.accuracy = Some(self.hit_sum / self.rows.max(1) as f64);
            }
        }
        self.loss = self.loss_sum / self.rows.max(1) as f64;
        Ok(())
    }
}
