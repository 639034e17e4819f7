//! The calls that a device has yet to run, and when they are run: on a read, on `flush`, or when there are many.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::plan::cache::Plans;
use crate::plan::kernel::{Kernel, Meta};
use crate::plan::slot::Slot;
use crate::shape::Layout;
use smallvec::SmallVec;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// Calls after which a batch is run unasked, so that a loop that never reads keeps its memory bounded.
const MAX_CALLS: usize = 512;
/// Bytes of pending results after which a batch is run unasked.
const MAX_BYTES: u64 = 256 << 20;

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
    pub inputs: SmallVec<[Input; 3]>,
    /// What it writes: row-major.
    pub output: Arc<Slot>,
    /// Shape and type of the output.
    pub meta: Meta,
    /// Numbers that may change from run to run of the same plan.
    pub scalars: SmallVec<[u32; 4]>,
}

/// A device's pending calls and its cached plans. One lock orders recording and running.
#[derive(Default)]
pub(crate) struct Batch {
    calls: Vec<Call>,
    /// What the calls keep alive: their outputs, and uploads that no call has read before, whose owners may be gone. Results of
    /// earlier batches were counted there.
    bytes: u64,
    plans: Plans,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} calls)", self.calls.len())
    }
}

/// The batch of a device; made on first use.
fn batch_of(device: &Device) -> Result<&Mutex<Batch>> {
    let queue = device.queue(|| Box::new(Mutex::new(Batch::default())));
    queue.downcast_ref().ok_or_else(|| Error::internal("record", "the device's queue is not a batch"))
}

/// Adds a call to the device's batch; runs the batch when it is full.
///
/// # Errors
/// None of the call itself: those of running appear where values are read.
pub(crate) fn push(device: &Device, call: Call) -> Result<()> {
    let mut batch = batch_of(device)?.lock().unwrap_or_else(PoisonError::into_inner);
    call.output.set_number(batch.calls.len() as u32);
    batch.bytes += call.output.bytes();
    for Input { slot, .. } in call.inputs.iter().filter(|input| input.slot.is_fresh()) {
        slot.set_number(0);
        batch.bytes += slot.bytes();
    }
    batch.calls.push(call);
    device.counters().calls.add(1);
    if batch.calls.len() >= MAX_CALLS || batch.bytes >= MAX_BYTES {
        batch.run(device);
    }
    Ok(())
}

impl Batch {
    /// Runs everything pending. A failure fills every slot of the batch with the error.
    fn run(&mut self, device: &Device) {
        let calls = std::mem::take(&mut self.calls);
        self.bytes = 0;
        if calls.is_empty() {
            return;
        }
        device.counters().flushes.add(1);
        // A kernel that panics is a fault of ours, but none that may leave values pending for ever: they would be taken for those
        // of later calls.
        let run = catch_unwind(AssertUnwindSafe(|| self.plans.run(device, &calls)));
        let fault = |_| Err(Error::internal("plan", "a kernel panicked; its message is on standard error"));
        if let Err(error) = run.unwrap_or_else(fault) {
            log::debug!("a batch of {} calls failed: {error}", calls.len());
            for call in &calls {
                call.output.fill(Err(error.clone()));
            }
        }
        // Keep the allocation of the list for the next batch.
        self.calls = calls;
        self.calls.clear();
    }
}

impl Device {
    /// Starts all recorded work now, without waiting for results. Reads do this by themselves.
    ///
    /// # Errors
    /// Only a fault of this crate; errors of the work itself appear where its values are read.
    pub fn flush(&self) -> Result<()> {
        batch_of(self)?.lock().unwrap_or_else(PoisonError::into_inner).run(self);
        Ok(())
    }

    /// Runs all recorded work and waits until it is done: for timing, and before a host takes the device over.
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
        self.flush()?;
        self.wait()
    }

    /// Forgets all cached plans, with the buffers and bind groups that they keep.
    ///
    /// # Errors
    /// Only a fault of this crate.
    pub fn clear_plans(&self) -> Result<()> {
        batch_of(self)?.lock().unwrap_or_else(PoisonError::into_inner).plans.clear();
        Ok(())
    }
}
