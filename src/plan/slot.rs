//! Where a value will lie: empty until its batch has run, then an immutable buffer.

use crate::device::Buffer;
use crate::dtype::DType;
use crate::error::{Error, Result};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Storage of one computed value, filled once.
#[derive(Debug)]
pub struct Slot {
    /// Element type as stored.
    pub dtype: DType,
    /// Elements, row-major.
    pub len: usize,
    state: OnceLock<Result<Buffer>>,
    number: AtomicU32, // of the call that fills it, in the pending batch; once filled it only tells `is_fresh`
    thread: AtomicU32, // whose batch that is
}

impl Slot {
    /// A slot that a pending call will fill.
    pub fn empty(dtype: DType, len: usize) -> Slot {
        Slot { dtype, len, state: OnceLock::new(), number: AtomicU32::new(u32::MAX), thread: AtomicU32::new(0) }
    }

    /// A slot with its data.
    pub fn filled(dtype: DType, len: usize, buffer: Buffer) -> Slot {
        let slot = Slot::empty(dtype, len);
        slot.fill(Ok(buffer));
        slot
    }

    /// The data of a slot whose batch has run.
    ///
    /// # Errors
    /// That of its batch; [`Error::Internal`] when it is still pending.
    pub fn buffer(&self) -> Result<&Buffer> {
        match self.state.get() {
            Some(Ok(buffer)) => Ok(buffer),
            Some(Err(error)) => Err(error.clone()),
            None => Err(Error::internal("plan", "a value was read before its batch ran")),
        }
    }

    /// Ends the wait; the first call counts.
    pub(crate) fn fill(&self, state: Result<Buffer>) {
        let _already_filled = self.state.set(state);
    }

    /// Bytes of its elements.
    pub(crate) fn bytes(&self) -> u64 {
        self.dtype.words(self.len) as u64 * 4
    }

    /// Whether it was uploaded, and no call has read it yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.number() == u32::MAX
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.state.get().is_none()
    }

    pub(crate) fn number(&self) -> u32 {
        self.number.load(Ordering::Relaxed) // written and read under the batch's lock
    }

    /// The thread in whose batch the call is that fills it.
    pub(crate) fn thread(&self) -> u32 {
        self.thread.load(Ordering::Relaxed)
    }

    pub(crate) fn set_place(&self, thread: u32, number: u32) {
        self.thread.store(thread, Ordering::Relaxed);
        self.set_number(number);
    }

    pub(crate) fn set_number(&self, number: u32) {
        self.number.store(number, Ordering::Relaxed);
    }
}
