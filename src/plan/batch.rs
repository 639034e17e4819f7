//! The calls that a device has yet to run, and when they are run: on a read, on `flush`, or when there are many.

use crate::device::{Device, DeviceKind};
use crate::error::{Error, Result};
use crate::plan::cache::Plans;
use crate::plan::kernel::{Kernel, Meta};
use crate::plan::slot::Slot;
use crate::shape::Layout;
use smallvec::SmallVec;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Calls after which a batch is run unasked, so that a loop that never reads keeps its memory bounded.
const MAX_CALLS: usize = 512;
/// Bytes of pending results after which a batch is run unasked.
const MAX_BYTES: u64 = 256 << 20;
/// All threads together may hold so many times that.
const ALL_THREADS: usize = 4;

/// A view of a slot, as a call reads it.
#[derive(Debug, Clone)]
pub struct Input {
    /// The storage.
    pub slot: Arc<Slot>,
    /// The elements of it.
    pub layout: Layout,
}

/// One recorded operation: plain data.
#[derive(Debug, Clone)]
pub struct Call {
    /// What to do.
    pub kernel: Arc<dyn Kernel>,
    /// What it reads.
    pub inputs: SmallVec<[Input; 2]>,
    /// What it writes: row-major.
    pub output: Arc<Slot>,
    /// Shape and type of the output.
    pub meta: Meta,
    /// Numbers that may change from run to run of the same plan.
    pub scalars: SmallVec<[u32; 4]>,
}

/// A device's pending calls and its cached plans. One lock orders recording and running.
///
/// Each thread has a batch of its own, so that what is fused and planned, and with it the last bit of a GPU's result, depends on
/// that thread's program and not on what others happen to record meanwhile; and so that a step finds its plan again.
#[derive(Default)]
pub(crate) struct Batches {
    pending: Vec<Batch>,
    calls: usize,
    bytes: u64,
    plans: Plans,
}

/// What a thread has recorded and not run.
#[derive(Default)]
struct Batch {
    thread: u32,
    calls: Vec<Call>,
    /// What the calls keep alive: their outputs, and uploads that no call has read before, whose owners may be gone. Results of
    /// earlier batches were counted there.
    bytes: u64,
    /// How often it was run.
    runs: u64,
    /// What it records is to be taken: it stays, though empty, so that its runs are counted.
    traced: bool,
}

impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batches({} calls)", self.calls)
    }
}

/// A number for each thread of the process, from 1.
fn this_thread() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    thread_local!(static NUMBER: u32 = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.with(|number| *number)
}

/// The batches of a device, locked; made on first use.
fn batches_of(device: &Device) -> Result<MutexGuard<'_, Batches>> {
    let queue = device.queue(|| Box::new(Mutex::new(Batches::default())));
    let batches: Option<&Mutex<Batches>> = queue.downcast_ref();
    let batches = batches.ok_or_else(|| Error::internal("record", "the device's queue holds no batches"))?;
    Ok(batches.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Adds a call to the thread's batch; runs the batch when it is full.
///
/// # Errors
/// None of the call itself: those of running appear where values are read.
pub(crate) fn push(device: &Device, call: Call) -> Result<()> {
    let thread = this_thread();
    let mut batches = batches_of(device)?;
    for Input { slot, .. } in &call.inputs {
        if slot.is_pending() && slot.thread() != thread {
            batches.run(device, slot.thread());
        }
    }
    batches.add(thread, call);
    device.counters().calls.add(1);
    batches.run_if_full(device, thread);
    Ok(())
}

/// Runs the batch that fills a pending slot.
///
/// # Errors
/// Only a fault of this crate; the slot holds what went wrong with its batch.
pub(crate) fn settle(device: &Device, slot: &Slot) -> Result<()> {
    batches_of(device)?.run(device, slot.thread());
    Ok(())
}

/// Lets `record` record on this thread, and takes what it recorded: not run. `None` when some of it was run meanwhile, because it
/// read values, or is more than fits in a batch.
///
/// # Errors
/// Only a fault of this crate.
pub(crate) fn taken<T>(device: &Device, record: impl FnOnce() -> T) -> Result<Option<(T, Vec<Call>)>> {
    let thread = this_thread();
    device.flush()?;
    let before = {
        let mut batches = batches_of(device)?;
        let batch = batches.of_thread(thread);
        batch.traced = true;
        batch.runs
    };
    let result = record();
    let mut batches = batches_of(device)?;
    let batch = batches.of_thread(thread);
    batch.traced = false;
    if batch.runs != before {
        return Ok(None);
    }
    let (calls, bytes) = (std::mem::take(&mut batch.calls), std::mem::take(&mut batch.bytes));
    batches.bytes -= bytes;
    batches.calls -= calls.len();
    Ok(Some((result, calls)))
}

/// Runs calls that were [`taken`], for whoever holds their outputs.
///
/// # Errors
/// Only a fault of this crate; errors of the work itself appear where its values are read.
pub(crate) fn run_taken(device: &Device, calls: &[Call]) -> Result<()> {
    batches_of(device)?.run_calls(device, calls);
    Ok(())
}

/// Calls `run`: on a GPU while nothing else is recorded or run there, so that its queue has all work in one order.
///
/// # Errors
/// Those of `run`; a fault of this crate.
pub(crate) fn in_order(device: &Device, run: impl FnOnce() -> Result<()>) -> Result<()> {
    let _batches = match device.kind() {
        DeviceKind::Cpu => None,
        _ => Some(batches_of(device)?),
    };
    run()
}

impl Batches {
    /// The batch of a thread.
    fn of_thread(&mut self, thread: u32) -> &mut Batch {
        let at = self.pending.iter().position(|batch| batch.thread == thread).unwrap_or_else(|| {
            self.pending.retain(|batch| batch.traced || !batch.calls.is_empty()); // of threads that are gone, perhaps
            self.pending.push(Batch { thread, ..Batch::default() });
            self.pending.len() - 1
        });
        &mut self.pending[at]
    }

    fn add(&mut self, thread: u32, call: Call) {
        let batch = self.of_thread(thread);
        call.output.set_place(thread, batch.calls.len() as u32);
        let mut bytes = call.output.bytes();
        for Input { slot, .. } in call.inputs.iter().filter(|input| input.slot.is_fresh()) {
            slot.set_number(0);
            bytes += slot.bytes();
        }
        batch.calls.push(call);
        batch.bytes += bytes;
        self.calls += 1;
        self.bytes += bytes;
    }

    fn run_if_full(&mut self, device: &Device, thread: u32) {
        if self.calls >= MAX_CALLS || self.bytes >= MAX_BYTES {
            let own = self.pending.iter().find(|batch| batch.thread == thread);
            if own.is_some_and(|own| own.calls.len() >= MAX_CALLS || own.bytes >= MAX_BYTES) {
                self.run(device, thread);
            }
            // Many threads that each hold a little, or ended without a read.
            if self.calls >= ALL_THREADS * MAX_CALLS || self.bytes >= ALL_THREADS as u64 * MAX_BYTES {
                self.run_all(device);
            }
        }
    }

    /// Runs everything pending of a thread.
    fn run(&mut self, device: &Device, thread: u32) {
        let Some(batch) = self.pending.iter_mut().find(|batch| batch.thread == thread) else { return };
        let calls = std::mem::take(&mut batch.calls);
        let bytes = std::mem::take(&mut batch.bytes);
        if calls.is_empty() {
            return;
        }
        batch.runs += 1;
        self.calls -= calls.len();
        self.bytes -= bytes;
        self.run_calls(device, &calls);
        // Keep the allocation of the list for the next batch.
        if let Some(batch) = self.pending.iter_mut().find(|batch| batch.thread == thread) {
            batch.calls = calls;
            batch.calls.clear();
        }
    }

    /// Runs calls. A failure fills every slot of theirs with the error.
    fn run_calls(&mut self, device: &Device, calls: &[Call]) {
        if calls.is_empty() {
            return;
        }
        device.counters().flushes.add(1);
        // A kernel that panics is a fault of ours, but none that may leave values pending for ever: they would be taken for those
        // of later calls.
        let run = catch_unwind(AssertUnwindSafe(|| self.plans.run(device, calls)));
        let fault = |_| Err(Error::internal("plan", "a kernel panicked; its message is on standard error"));
        if let Err(error) = run.unwrap_or_else(fault) {
            log::debug!("a batch of {} calls failed: {error}", calls.len());
            for call in calls {
                call.output.fill(Err(error.clone()));
            }
        }
    }

    fn run_all(&mut self, device: &Device) {
        let threads: Vec<u32> = self.pending.iter().map(|batch| batch.thread).collect();
        threads.into_iter().for_each(|thread| self.run(device, thread));
    }
}

impl Device {
    /// Starts the work that this thread has recorded, without waiting for results. Reads do this by themselves.
    ///
    /// # Errors
    /// Only a fault of this crate; errors of the work itself appear where its values are read.
    pub fn flush(&self) -> Result<()> {
        batches_of(self)?.run(self, this_thread());
        Ok(())
    }

    /// Runs all work that any thread has recorded and waits until it is done: for timing, and before a host takes the device over.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let device = Device::cpu();
    /// let y = Tensor::ones([256, 256], &device).matmul(&Tensor::ones([256, 256], &device));
    /// device.synchronize()?; // y is computed
    /// # drop(y);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn synchronize(&self) -> Result<()> {
        batches_of(self)?.run_all(self);
        self.wait()
    }

    /// Forgets all cached plans, with the buffers and bind groups that they keep.
    ///
    /// # Errors
    /// Only a fault of this crate.
    pub fn clear_plans(&self) -> Result<()> {
        batches_of(self)?.plans.clear();
        Ok(())
    }
}
