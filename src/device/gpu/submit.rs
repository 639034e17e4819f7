//! The queue: how much may be in flight, and how long to wait for it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::guard::lock;
use super::{Inner, Owner};
use crate::error::{Error, Result};

/// One slice of a wait. Short, because wgpu holds a lock while it waits that the release of buffers needs.
pub(super) const SLICE: Duration = Duration::from_millis(100);

/// A GPU that finishes no submit for this long hangs. Submits are cut to fractions of a second; the slowest software adapter
/// stays a hundred times below this.
pub(super) const WAIT_LIMIT: Duration = Duration::from_secs(120);

/// Uploads that wait for the next submit keep their staging memory. At these sizes they get a submit of their own. Two such
/// submits of bytes may be under way, so that copying into one overlaps copying out of the other.
const PENDING_BYTES: u64 = 32 << 20;
const PENDING_WRITES: u32 = 256;

/// Submits that are not known to be finished, oldest first.
#[derive(Default)]
pub(super) struct Flight {
    submits: VecDeque<(wgpu::SubmissionIndex, u64)>,
    work: u64,
    pending_bytes: u64,
    pending_writes: u32,
    bulk: Option<wgpu::SubmissionIndex>,
}

/// How much may run or wait on the queue at once: submits, and submit budgets of work. On our own device deep enough that the GPU
/// never waits for the host; on a host's device so little that its frames come through.
fn depth(owner: Owner) -> (usize, u64) {
    match owner {
        Owner::Us => (32, 4),
        Owner::Host => (4, 1),
    }
}

impl Inner {
    /// Submits commands (and whatever uploads wait), first waiting for older work if too much is in flight. Submitting also
    /// collects what is finished, so memory does not grow without further polls.
    pub(super) fn submit(&self, commands: Option<wgpu::CommandBuffer>, work: u64) -> Result<wgpu::SubmissionIndex> {
        self.make_room(work)?;
        let index = self.guard.call(|| self.queue.submit(commands)).map_err(|fault| fault.error("submit"))?;
        self.counters.add(&self.counters.submits, 1);
        let mut flight = lock(&self.flight);
        flight.submits.push_back((index.clone(), work));
        flight.work = flight.work.saturating_add(work);
        (flight.pending_bytes, flight.pending_writes) = (0, 0);
        Ok(index)
    }

    #[cfg(test)]
    pub(super) fn in_flight(&self) -> usize {
        lock(&self.flight).submits.len()
    }

    fn make_room(&self, work: u64) -> Result<()> {
        let (submits, budgets) = depth(self.owner);
        let most = self.submit_budget().saturating_mul(budgets);
        loop {
            let oldest = {
                let mut flight = lock(&self.flight);
                if flight.submits.len() < submits && flight.work.saturating_add(work) <= most {
                    return Ok(());
                }
                let Some((oldest, work)) = flight.submits.pop_front() else { return Ok(()) };
                flight.work = flight.work.saturating_sub(work);
                oldest
            };
            self.wait_for(Some(oldest))?;
        }
    }

    /// Notes an upload that the next submit carries; submits at once when much has gathered.
    pub(super) fn note_write(&self, bytes: u64) -> Result<()> {
        let (many, large) = {
            let mut flight = lock(&self.flight);
            flight.pending_bytes += bytes;
            flight.pending_writes += 1;
            (flight.pending_writes >= PENDING_WRITES, flight.pending_bytes >= PENDING_BYTES)
        };
        if large {
            let index = self.submit(None, 0)?;
            let before = lock(&self.flight).bulk.replace(index);
            return before.map_or(Ok(()), |before| self.wait_for(Some(before)));
        }
        if many { self.submit(None, 0).map(drop) } else { Ok(()) }
    }

    /// Submits uploads that wait for a submit.
    pub(super) fn flush_writes(&self) -> Result<()> {
        let waiting = lock(&self.flight).pending_writes > 0;
        if waiting { self.submit(None, 0).map(drop) } else { Ok(()) }
    }

    /// Waits for a submit, or for all of them.
    ///
    /// # Errors
    /// [`Error::DeviceLost`], also after [`WAIT_LIMIT`] without an end.
    pub(super) fn wait_for(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let all = submission_index.is_none();
        let began = Instant::now();
        loop {
            let slice = wgpu::PollType::Wait { submission_index: submission_index.clone(), timeout: Some(SLICE) };
            match self.guard.poll(slice)? {
                Ok(status) => {
                    if all && status.is_queue_empty() {
                        let mut flight = lock(&self.flight);
                        (flight.work, _) = (0, flight.submits.clear());
                    }
                    return Ok(());
                }
                Err(wgpu::PollError::Timeout) if began.elapsed() < WAIT_LIMIT => {}
                Err(wgpu::PollError::Timeout) => {
                    return Err(self.guard.lose(format!("no answer within {} s", WAIT_LIMIT.as_secs())));
                }
                Err(error) => {
                    self.guard.probe()?;
                    return Err(Error::internal("wait", error.to_string()));
                }
            }
        }
    }
}
