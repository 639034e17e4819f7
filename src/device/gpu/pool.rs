//! Buffers, reused. A dropped [`GpuBuffer`] goes back to the pool at once: a device has one queue, so whatever is submitted
//! later, and may get the block next, runs after the work that still uses it.
//!
//! One wgpu buffer a block and no arena, because wgpu tracks barriers by whole buffers.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rustc_hash::FxHashMap;

use super::guard::lock;

/// A block of 32-bit words on one device. Clones share it; the last one returns it to its pool.
#[derive(Clone)]
pub struct GpuBuffer(Arc<Block>);

struct Block {
    raw: Raw,
    words: usize,
    pool: Arc<Pool>,
}

/// A wgpu buffer with its name and size.
#[derive(Clone)]
pub(super) struct Raw {
    pub(super) buffer: wgpu::Buffer,
    pub(super) id: u64,
    pub(super) bytes: u64,
}

impl Raw {
    pub(super) fn new(buffer: wgpu::Buffer) -> Raw {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Raw { bytes: buffer.size(), buffer, id: NEXT.fetch_add(1, Ordering::Relaxed) }
    }
}

impl GpuBuffer {
    pub(super) fn new(raw: Raw, words: usize, pool: Arc<Pool>) -> GpuBuffer {
        GpuBuffer(Arc::new(Block { raw, words, pool }))
    }

    /// The words that were asked for.
    pub fn words(&self) -> usize {
        self.0.words
    }

    /// The number of the wgpu buffer underneath: unique in the process, and never given again.
    pub fn id(&self) -> u64 {
        self.0.raw.id
    }

    pub(super) fn raw(&self) -> &wgpu::Buffer {
        &self.0.raw.buffer
    }

    pub(super) fn is_of(&self, pool: &Arc<Pool>) -> bool {
        Arc::ptr_eq(&self.0.pool, pool)
    }
}

impl fmt::Debug for GpuBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GpuBuffer({}, {} words)", self.id(), self.words())
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.pool.give(self.raw.clone());
    }
}

/// The blocks of one device.
pub(super) struct Pool(Mutex<State>);

#[derive(Default)]
struct State {
    free: FxHashMap<u64, Vec<Raw>>, // by bytes
    closed: bool,
    budget: u64,
    usage: Usage,
}

/// The pool's numbers. Bytes are those of whole blocks, which is what the driver gave.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    pub(super) in_use: u64,
    pub(super) pooled: u64,
    pub(super) peak: u64,
    pub(super) created: u64,
}

impl Pool {
    pub(super) fn new() -> Arc<Pool> {
        Arc::new(Pool(Mutex::new(State { budget: u64::MAX, ..State::default() })))
    }

    /// A free block of exactly this size.
    pub(super) fn take(&self, bytes: u64) -> Option<Raw> {
        let mut state = lock(&self.0);
        let raw = state.free.get_mut(&bytes)?.pop()?;
        state.usage.pooled -= bytes;
        state.usage.in_use += bytes;
        Some(raw)
    }

    fn give(&self, raw: Raw) {
        let mut state = lock(&self.0);
        state.usage.in_use -= raw.bytes;
        if !state.closed {
            state.usage.pooled += raw.bytes;
            state.free.entry(raw.bytes).or_default().push(raw);
        }
    }

    /// Counts a block that is about to be created, if the budget has room for it.
    pub(super) fn reserve(&self, bytes: u64) -> bool {
        let mut state = lock(&self.0);
        let held = state.usage.in_use + state.usage.pooled;
        if held.saturating_add(bytes) > state.budget {
            return false;
        }
        state.usage.in_use += bytes;
        state.usage.peak = state.usage.peak.max(held + bytes);
        state.usage.created += 1;
        true
    }

    /// Takes back a reservation whose block could not be created.
    pub(super) fn release(&self, bytes: u64) {
        let mut state = lock(&self.0);
        state.usage.in_use -= bytes;
        state.usage.created -= 1;
    }

    /// All free blocks, which leave the pool.
    pub(super) fn drain(&self) -> Vec<Raw> {
        let mut state = lock(&self.0);
        state.usage.pooled = 0;
        std::mem::take(&mut state.free).into_values().flatten().collect()
    }

    /// Keeps no block from now on: its device goes away.
    pub(super) fn close(&self) {
        lock(&self.0).closed = true;
        self.drain();
    }

    pub(super) fn usage(&self) -> Usage {
        lock(&self.0).usage
    }

    pub(super) fn budget(&self) -> u64 {
        lock(&self.0).budget
    }

    pub(super) fn set_budget(&self, bytes: u64) {
        lock(&self.0).budget = bytes;
    }
}

/// The size of the block for so many bytes: four classes an octave, so that a block is at most a quarter too large, and
/// multiples of 256, so that `vec4` arrays end within it. A class above `most` (the largest storage binding) is cut to it,
/// because a block is bound whole.
pub(super) fn block_bytes(bytes: u64, most: u64) -> u64 {
    let bytes = bytes.max(256);
    let step = (bytes.next_power_of_two() / 8).max(256);
    let class = bytes.div_ceil(step) * step;
    class.min(most & !255).max(bytes)
}

/// Mappable buffers for reads, by bytes; at most `KEPT` bytes wait here.
#[derive(Default)]
pub(super) struct Staging {
    free: HashMap<u64, Vec<Raw>>,
    bytes: u64,
}

impl Staging {
    /// Two of the largest, so that a long read can alternate.
    const KEPT: u64 = 2 * super::read::CHUNK_BYTES;

    pub(super) fn take(&mut self, bytes: u64) -> Option<Raw> {
        let raw = self.free.get_mut(&bytes)?.pop()?;
        self.bytes -= bytes;
        Some(raw)
    }

    pub(super) fn give(&mut self, raw: Raw) {
        if self.bytes + raw.bytes <= Self::KEPT {
            self.bytes += raw.bytes;
            self.free.entry(raw.bytes).or_default().push(raw);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Staging::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_block_holds_its_bytes_and_wastes_at_most_a_quarter(words in 1u64..1 << 40) {
            let bytes = words * 4;
            let block = block_bytes(bytes, u64::MAX);
            prop_assert!(block >= bytes);
            prop_assert!(block <= (bytes + bytes / 4).max(bytes + 256));
            prop_assert_eq!(block % 256, 0);
            prop_assert_eq!(block_bytes(block, u64::MAX), block);
        }
    }

    #[test]
    fn a_block_is_no_larger_than_a_binding_unless_it_must() {
        let most = 128 << 20;
        assert_eq!(block_bytes(most, most), most);
        assert_eq!(block_bytes(most - 4, most), most);
        assert_eq!(block_bytes(i32::MAX as u64 - 3, i32::MAX as u64 - 3), i32::MAX as u64 - 3);
        assert_eq!(block_bytes(2_100_000_000, i32::MAX as u64 - 3), 2_147_483_392);
    }
}
