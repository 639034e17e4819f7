//! How cross-validation and searches are shown on standard error: a bar in a terminal, nothing elsewhere.

use super::super::bar;
use indicatif::ProgressBar;
use std::ops::ControlFlow;

/// A bar over fits.
pub(super) struct Fits(Option<ProgressBar>);

impl Fits {
    /// `what` is done, in a word.
    pub fn new(what: &str) -> Fits {
        let bar = bar::is_terminal().then(|| bar::styled(" {prefix}  {wide_bar}  {pos}/{len} fits  {eta} left "));
        if let Some(bar) = &bar {
            bar.set_prefix(what.to_owned());
        }
        Fits(bar)
    }

    /// What a [`Watch`](crate::models::selection::Watch) hears.
    pub fn done(&self, done: usize, all: usize) -> ControlFlow<()> {
        if let Some(bar) = &self.0 {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        }
        ControlFlow::Continue(())
    }
}

impl Drop for Fits {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
