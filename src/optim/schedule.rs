//! Learning rates that change while training. Names, formulas and defaults are PyTorch's `torch.optim.lr_scheduler`.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::f64::consts::PI;
use std::fmt::Debug;

/// How the learning rate follows from where the training is. Ask it before each step, in order.
pub trait Schedule: Debug + Send {
    /// The learning rate of the next step. `base` is the optimizer's own, `step` and `epoch` count what is done (from 0), `metric`
    /// is what the last whole epoch was judged by (its validation loss), if there was one.
    fn rate(&mut self, base: f64, step: u64, epoch: u64, metric: Option<f64>) -> f64;

    /// What a checkpoint must keep beside the settings. Most schedules follow from the step alone.
    fn state(&self) -> Value {
        Value::Null
    }

    /// Goes on from a state that [`Schedule::state`] gave.
    ///
    /// # Errors
    /// The state of another schedule.
    fn load_state(&mut self, _state: &Value) -> Result<()> {
        Ok(())
    }
}

/// What a schedule counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Per {
    /// Passes over the data.
    #[default]
    Epoch,
    /// Updates.
    Step,
}

impl Per {
    fn count(self, step: u64, epoch: u64) -> u64 {
        match self {
            Per::Epoch => epoch,
            Per::Step => step,
        }
    }
}

/// The optimizer's own rate, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Constant;

impl Schedule for Constant {
    fn rate(&mut self, base: f64, _: u64, _: u64, _: Option<f64>) -> f64 {
        base
    }
}

/// `base·gamma^⌊t / size⌋`: PyTorch's `StepLR`.
///
/// ```
/// use tilework::optim::{Schedule, StepDecay};
/// let mut schedule = StepDecay { size: 30, ..StepDecay::default() };
/// assert_eq!(schedule.rate(0.5, 0, 29, None), 0.5);
/// assert_eq!(schedule.rate(0.5, 0, 30, None), 0.05);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepDecay {
    /// Epochs (or steps) between two falls.
    pub size: u64,
    /// The factor of a fall.
    pub gamma: f64,
    /// What `size` counts.
    pub per: Per,
}

impl Default for StepDecay {
    /// A tenth every 30 epochs: PyTorch has no default size; its documentation's example has this one.
    fn default() -> StepDecay {
        StepDecay { size: 30, gamma: 0.1, per: Per::Epoch }
    }
}

impl Schedule for StepDecay {
    fn rate(&mut self, base: f64, step: u64, epoch: u64, _: Option<f64>) -> f64 {
        base * self.gamma.powf((self.per.count(step, epoch) / self.size.max(1)) as f64)
    }
}

/// `min + (base - min)·(1 + cos(π·t / length)) / 2`: PyTorch's `CosineAnnealingLR`. From `length` on it stays at `min`, where
/// PyTorch's would rise again.
///
/// Source: Loshchilov & Hutter 2016, arXiv:1608.03983, equation 5, without restarts.
///
/// ```
/// use tilework::optim::{Cosine, Per, Schedule};
/// let mut schedule = Cosine { length: 100, min: 0.0, per: Per::Step };
/// assert_eq!(schedule.rate(0.5, 0, 0, None), 0.5);
/// assert!((schedule.rate(0.5, 50, 0, None) - 0.25).abs() < 1e-12);
/// assert_eq!(schedule.rate(0.5, 1000, 0, None), 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cosine {
    /// Epochs (or steps) until it arrives at `min`.
    pub length: u64,
    /// The last rate; PyTorch's default is 0.
    pub min: f64,
    /// What `length` counts.
    pub per: Per,
}

impl Schedule for Cosine {
    fn rate(&mut self, base: f64, step: u64, epoch: u64, _: Option<f64>) -> f64 {
        let t = self.per.count(step, epoch);
        if t >= self.length { self.min } else { anneal(base, self.min, t as f64 / self.length as f64) }
    }
}

/// From `start` to `end` along half a cosine as `share` goes from 0 to 1.
fn anneal(start: f64, end: f64, share: f64) -> f64 {
    end + (start - end) / 2.0 * (1.0 + (PI * share).cos())
}

/// Up to the optimizer's rate, which is the highest, then down to almost nothing, both along cosines: PyTorch's `OneCycleLR`.
/// Momentum is left alone.
///
/// Source: Smith & Topin 2017, arXiv:1708.07120; with PyTorch's two phases.
///
/// ```
/// use tilework::optim::{OneCycle, Schedule};
/// let mut schedule = OneCycle::new(100);
/// assert!((schedule.rate(1.0, 0, 0, None) - 0.04).abs() < 1e-12);
/// assert!((schedule.rate(1.0, 29, 0, None) - 1.0).abs() < 1e-12);
/// assert!((schedule.rate(1.0, 99, 0, None) - 4e-6).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OneCycle {
    /// Steps of the whole training.
    pub steps: u64,
    /// The share of them in which the rate rises.
    pub rise: f64,
    /// It starts at the optimizer's rate divided by this.
    pub div: f64,
    /// It ends at the start divided by this.
    pub final_div: f64,
}

impl OneCycle {
    /// With PyTorch's defaults: rises for 0.3 of the steps, from 1/25, and ends at 1/10,000 of the start.
    pub fn new(steps: u64) -> OneCycle {
        OneCycle { steps, rise: 0.3, div: 25.0, final_div: 1e4 }
    }
}

impl Schedule for OneCycle {
    fn rate(&mut self, base: f64, step: u64, _: u64, _: Option<f64>) -> f64 {
        let start = base / self.div;
        let last = start / self.final_div;
        let (top, end) = (self.rise * self.steps as f64 - 1.0, self.steps as f64 - 1.0);
        let t = step as f64;
        let share = |from: f64, to: f64| if to > from { ((t - from) / (to - from)).min(1.0) } else { 1.0 };
        if t <= top { anneal(start, base, share(0.0, top)) } else { anneal(base, last, share(top, end)) }
    }
}

/// Rises in a line from `start·base` to `base`, then hands over to another schedule, which counts from there: PyTorch's `LinearLR`
/// and `SequentialLR`.
///
/// ```
/// use tilework::optim::{Constant, Per, Schedule, WarmUp};
/// let mut schedule = WarmUp { start: 0.5, length: 10, per: Per::Step, then: Constant };
/// assert_eq!(schedule.rate(1.0, 0, 0, None), 0.5);
/// assert_eq!(schedule.rate(1.0, 5, 0, None), 0.75);
/// assert_eq!(schedule.rate(1.0, 10, 0, None), 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WarmUp<S> {
    /// The first rate as a share of the base; PyTorch's default is 1/3.
    pub start: f64,
    /// Steps (or epochs) of the rise; PyTorch's default is 5.
    pub length: u64,
    /// What `length` counts.
    pub per: Per,
    /// What follows. Of steps and epochs, it sees those that `per` names less `length`.
    pub then: S,
}

impl<S: Schedule> WarmUp<S> {
    /// With PyTorch's first rate of a third.
    pub fn new(length: u64, per: Per, then: S) -> WarmUp<S> {
        WarmUp { start: 1.0 / 3.0, length, per, then }
    }
}

impl<S: Schedule> Schedule for WarmUp<S> {
    fn rate(&mut self, base: f64, step: u64, epoch: u64, metric: Option<f64>) -> f64 {
        let t = self.per.count(step, epoch);
        if t < self.length {
            return base * (self.start + (1.0 - self.start) * t as f64 / self.length as f64);
        }
        let (step, epoch) = match self.per {
            Per::Epoch => (step, epoch - self.length),
            Per::Step => (step - self.length, epoch),
        };
        self.then.rate(base, step, epoch, metric)
    }

    fn state(&self) -> Value {
        self.then.state()
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        self.then.load_state(state)
    }
}

/// Which metric is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Goal {
    /// A loss.
    #[default]
    Lower,
    /// A score.
    Higher,
}

/// What the threshold of an improvement is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Threshold {
    /// Shares of the best metric.
    #[default]
    Relative,
    /// The metric's own unit.
    Absolute,
}

/// Multiplies the rate by `factor` when the metric has not improved for more than `patience` epochs: PyTorch's
/// `ReduceLROnPlateau`. Epochs without a metric do not count.
///
/// ```
/// use tilework::optim::{OnPlateau, Schedule};
/// let mut schedule = OnPlateau { patience: 1, ..OnPlateau::default() };
/// let mut rates = [1.0, 0.5, 0.5, 0.5].into_iter().zip(1..).map(|(loss, epoch)| schedule.rate(1.0, 0, epoch, Some(loss)));
/// assert_eq!(rates.by_ref().take(3).collect::<Vec<_>>(), [1.0; 3]);
/// assert_eq!(rates.next(), Some(0.1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OnPlateau {
    /// Which metric is the better one.
    pub goal: Goal,
    /// What the rate is multiplied by.
    pub factor: f64,
    /// Epochs without improvement that are borne.
    pub patience: u64,
    /// What counts as an improvement.
    pub threshold: f64,
    /// What `threshold` is measured in.
    pub measure: Threshold,
    /// Epochs after a change in which nothing is counted.
    pub cooldown: u64,
    /// The lowest rate.
    pub min: f64,
    /// A smaller change of the rate is not made.
    pub eps: f64,
    /// Where it stands; new ones start at the default.
    pub standing: Plateau,
}

/// Where an [`OnPlateau`] stands.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Plateau {
    /// The best metric so far.
    pub best: Option<f64>,
    /// Epochs without improvement.
    pub bad: u64,
    /// Epochs in which nothing is counted yet.
    pub cooling: u64,
    /// The epoch whose metric was counted last.
    pub epoch: u64,
    /// The rate, once it was changed.
    pub rate: Option<f64>,
}

impl Default for OnPlateau {
    fn default() -> OnPlateau {
        OnPlateau {
            goal: Goal::Lower,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            measure: Threshold::Relative,
            cooldown: 0,
            min: 0.0,
            eps: 1e-8,
            standing: Plateau::default(),
        }
    }
}

impl OnPlateau {
    fn improves(&self, metric: f64) -> bool {
        let worst = if self.goal == Goal::Lower { f64::INFINITY } else { f64::NEG_INFINITY };
        let best = self.standing.best.unwrap_or(worst);
        let margin = match self.measure {
            Threshold::Relative if best.is_infinite() => 0.0,
            Threshold::Relative => best * self.threshold,
            Threshold::Absolute => self.threshold,
        };
        match self.goal {
            Goal::Lower => metric < best - margin,
            Goal::Higher => metric > best + margin,
        }
    }

    fn judge(&mut self, base: f64, metric: f64) {
        if self.improves(metric) {
            self.standing.best = Some(metric);
            self.standing.bad = 0;
        } else {
            self.standing.bad += 1;
        }
        if self.standing.cooling > 0 {
            self.standing.cooling -= 1;
            self.standing.bad = 0;
        }
        if self.standing.bad > self.patience {
            let old = self.standing.rate.unwrap_or(base);
            let new = (old * self.factor).max(self.min);
            if old - new > self.eps {
                self.standing.rate = Some(new);
            }
            self.standing.cooling = self.cooldown;
            self.standing.bad = 0;
        }
    }
}

impl Schedule for OnPlateau {
    fn rate(&mut self, base: f64, _: u64, epoch: u64, metric: Option<f64>) -> f64 {
        if let Some(metric) = metric.filter(|_| epoch > self.standing.epoch) {
            self.standing.epoch = epoch; // asked before each step, it counts an epoch once
            self.judge(base, metric);
        }
        self.standing.rate.unwrap_or(base)
    }

    fn state(&self) -> Value {
        serde_json::to_value(self.standing).unwrap_or(Value::Null) // plain numbers have a value
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        self.standing = Plateau::deserialize(state).map_err(|error| {
            Error::argument(
                "load_state",
                format!("no state of on_plateau: {error}; resume with the schedule of the file"),
            )
        })?;
        Ok(())
    }
}
