//! What a training run tells while it runs, and what remains of it.

use crate::device::Device;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Receives the events of a training run: a bar in a terminal, a plot in a window, a log.
pub trait Progress {
    /// Called on the training thread; what takes long here holds the training up.
    fn event(&mut self, event: &Event<'_>);
}

/// A closure hears the events.
///
/// ```
/// use tilework::train::{Event, Progress};
/// let mut epochs = 0;
/// let mut count = |event: &Event<'_>| epochs += usize::from(matches!(event, Event::Epoch(_)));
/// count.event(&Event::Stopped { reason: "an example" });
/// assert_eq!(epochs, 0);
/// ```
impl<F: FnMut(&Event<'_>)> Progress for F {
    fn event(&mut self, event: &Event<'_>) {
        self(event);
    }
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&mut self, _: &Event<'_>) {}
}

/// Something happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Before the first step.
    Start {
        /// Epochs in all; a resumed run has done some of them already.
        epochs: usize,
        /// Epochs done by the run that this one resumes.
        done: usize,
        /// Steps of one epoch.
        steps: usize,
        /// Rows of the training data.
        samples: usize,
        /// Numbers that learn.
        parameters: usize,
        /// Where it runs.
        device: &'a Device,
    },
    /// A step was queued.
    Step {
        /// Counts from 1.
        epoch: usize,
        /// Within the epoch; counts from 1.
        step: usize,
        /// Steps of one epoch.
        steps: usize,
        /// The mean loss of the epoch so far, where it was read: never on a GPU's fast path.
        loss: Option<f64>,
        /// The share of right answers of the epoch so far, where it was read.
        accuracy: Option<f64>,
        /// Rows a second since the epoch began.
        samples_per_second: f64,
    },
    /// An epoch ended.
    Epoch(&'a EpochRecord),
    /// The run ends before its last epoch.
    Stopped {
        /// Why: `validation loss has not improved for 10 epochs`.
        reason: &'a str,
    },
    /// After the last step.
    Finished {
        /// Seconds of the whole run.
        seconds: f64,
        /// Steps done, those of a resumed run included.
        steps: u64,
    },
}

/// One epoch in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counts from 1.
    pub epoch: usize,
    /// Mean loss over the epoch's rows, each under the parameters of its step.
    pub loss: f64,
    /// Share of right answers, measured likewise; for classes only.
    pub accuracy: Option<f64>,
    /// Mean loss over the validation rows, after the epoch.
    pub validation_loss: Option<f64>,
    /// Share of right answers over the validation rows.
    pub validation_accuracy: Option<f64>,
    /// Seconds that it took, validation included. Not part of a saved file.
    #[serde(skip)]
    pub seconds: f64,
    /// Training rows a second. Not part of a saved file.
    #[serde(skip)]
    pub samples_per_second: f64,
    /// The learning rate of its last step.
    pub learning_rate: f64,
}

/// All epochs of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// In order.
    pub epochs: Vec<EpochRecord>,
    /// Why it ended before its last epoch, if it did.
    pub stopped: Option<String>,
}

/// Ends a run from outside: from another thread, a signal, a button. Clones are the same switch.
///
/// ```
/// let cancel = tilework::train::Cancel::default();
/// cancel.cancel();
/// assert!(cancel.is_cancelled());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the run to end after its current step. It returns [`crate::Error::Cancelled`]; parameters are whole.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
