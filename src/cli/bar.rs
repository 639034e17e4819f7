//! How a training run is shown on standard error: a bar in a terminal, else a line now and then.

use super::{count, note};
use crate::train::{EpochRecord, Event, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

/// Between two changes of the bar's text; the eye sees no more.
const REDRAW: Duration = Duration::from_millis(60);
/// Lines that a long run prints where there is no terminal.
const LINES: usize = 10;

/// Shows the events of a run.
pub(super) struct Bar {
    /// In a terminal only.
    bar: Option<ProgressBar>,
    began: Instant,
    drawn: Instant,
    epochs: usize,
    done: usize,
    losses: String,
    /// What the rows held out said after the last epoch.
    watched: String,
}

impl Bar {
    pub fn new() -> Bar {
        let now = Instant::now();
        let bar = is_terminal().then(|| styled(" {prefix}  {wide_bar}  {msg}  {eta} left "));
        Bar { bar, began: now, drawn: now, epochs: 0, done: 0, losses: String::new(), watched: String::new() }
    }

    fn line(&self, record: &EpochRecord) {
        let (done, all) = (record.epoch.saturating_sub(self.done), self.epochs.saturating_sub(self.done));
        let every = all.div_ceil(LINES).max(1);
        if done > 1 && done % every != 0 && record.epoch != self.epochs {
            return;
        }
        let left = self.began.elapsed().as_secs_f64() / done.max(1) as f64 * (all - done.min(all)) as f64;
        note(format_args!(
            "epoch {:>width$}/{}{}{}  {} left",
            record.epoch,
            self.epochs,
            losses(record),
            rate(record.samples_per_second),
            seconds(left),
            width = self.epochs.to_string().len(),
        ));
    }
}

impl Progress for Bar {
    fn event(&mut self, event: &Event<'_>) {
        match *event {
            Event::Start { epochs, done, steps, parameters, .. } => {
                (self.epochs, self.done, self.began) = (epochs, done, Instant::now());
                let further = if done > 0 { format!(", {done} of them done before") } else { String::new() };
                note(format_args!(
                    "training: {}{further}, {} each, {}",
                    count(epochs, "epoch"),
                    count(steps, "step"),
                    count(parameters, "parameter")
                ));
                if let Some(bar) = &self.bar {
                    bar.set_length((epochs.saturating_sub(done) as u64).saturating_mul(steps as u64));
                    bar.reset_eta();
                }
            }
            Event::Step { epoch, step, steps, loss, accuracy, samples_per_second } => {
                let Some(bar) = &self.bar else { return };
                if let Some(loss) = loss {
                    let accuracy = accuracy.map_or_else(String::new, |share| format!("  accuracy {share:.4}"));
                    self.losses = format!("  loss {loss:.4}{accuracy}");
                }
                if self.drawn.elapsed() >= REDRAW {
                    self.drawn = Instant::now();
                    let rate = rate(samples_per_second);
                    bar.set_prefix(format!("epoch {epoch}/{}", self.epochs));
                    bar.set_message([self.losses.trim_start(), &self.watched, &rate].concat());
                    bar.set_position(((epoch - self.done - 1) * steps + step) as u64);
                }
            }
            Event::Epoch(record) if self.bar.is_none() => self.line(record),
            Event::Epoch(record) => {
                let watched = record.validation_accuracy.or(record.validation_loss);
                self.watched = watched.map_or_else(String::new, |value| format!("  validation {value:.4}"));
                self.losses = losses(record);
            }
            Event::Stopped { reason } => match &self.bar {
                Some(bar) => bar.suspend(|| note(format_args!("stopped: {reason}"))),
                None => note(format_args!("stopped: {reason}")),
            },
            Event::Finished { seconds: whole, steps } => {
                if let Some(bar) = &self.bar {
                    bar.finish_and_clear();
                }
                note(format_args!(
                    "trained: {} in all, {}{}",
                    count(steps as usize, "step"),
                    seconds(whole),
                    self.losses
                ));
            }
        }
    }
}

impl Drop for Bar {
    /// What comes next, an error perhaps, has the line to itself.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Whether somebody watches standard error on something that can draw.
pub(super) fn is_terminal() -> bool {
    stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A bar without a length yet. A template that does not parse leaves indicatif's own.
pub(super) fn styled(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style.progress_chars("━━╌"))
}

fn losses(record: &EpochRecord) -> String {
    let share = |name: &str, value: Option<f64>| value.map_or_else(String::new, |v| format!("  {name} {v:.4}"));
    [
        format!("  loss {:.4}", record.loss),
        share("accuracy", record.accuracy),
        share("validation loss", record.validation_loss),
        share("accuracy", record.validation_accuracy),
    ]
    .concat()
}

fn rate(samples_per_second: f64) -> String {
    format!("  {} samples/s", count(samples_per_second as usize, "").trim_end_matches(['s', ' ']))
}

/// `0.8 s`, `12 s`, `3 min 5 s`, `2 h 10 min`.
pub(super) fn seconds(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_fits() {
        let texts = [0.04, 9.4, 59.4, 60.0, 3599.4, 7800.0].map(seconds);
        assert_eq!(texts, ["0.0 s", "9.4 s", "59 s", "1 min 0 s", "59 min 59 s", "2 h 10 min"]);
        assert_eq!(rate(1_234_567.8), "  1,234,567 samples/s");
    }
}
