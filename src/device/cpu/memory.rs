//! Memory of the CPU device: blocks of words that are kept for the next step instead of being returned to the system.
//!
//! A training step asks for the same sizes again and again. Fresh memory costs a page fault for every 4 KiB, several times what
//! a kernel needs to write the page, so freed blocks wait in lists by size. The lists never hold more than was once in use
//! at the same time, and give way when the budget is short.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use super::pages::ask_for_large;
use crate::error::{Error, Result};

/// Blocks begin on a cache line, which is also the widest vector register.
const ALIGN: usize = 64;
/// Words that an allocation is longer than its block, so that a 64-byte boundary lies in it.
const SLACK: usize = ALIGN / size_of::<u32>() - 1;

/// A block of words with one owner, who may write it.
pub struct Block {
    store: Box<[u32]>, // as long as its size class, with the slack in front and behind
    start: usize,
    words: usize,
    home: Arc<Memory>,
}

impl Block {
    /// The words. Unspecified until written.
    pub fn words(&self) -> &[u32] {
        self.store.get(self.start..self.start + self.words).unwrap_or_default()
    }

    /// The words, for writing.
    pub fn words_mut(&mut self) -> &mut [u32] {
        self.store.get_mut(self.start..self.start + self.words).unwrap_or_default()
    }

    /// Ends writing: from here on the words are shared and do not change.
    pub fn freeze(self) -> CpuBuffer {
        CpuBuffer(Arc::new(self))
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.home.take_back(std::mem::take(&mut self.store));
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({} words)", self.words)
    }
}

/// Words that no longer change, shared by their owners. The last one's drop returns them to the pool.
#[derive(Debug, Clone)]
pub struct CpuBuffer(Arc<Block>);

impl CpuBuffer {
    /// The words.
    pub fn words(&self) -> &[u32] {
        self.0.words()
    }

    /// The block for writing again, when this was the last owner; nothing is copied.
    pub fn into_unique(self) -> Option<Block> {
        Arc::into_inner(self.0)
    }
}

/// What a device's memory is doing, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// In blocks that have an owner, rounded up to size classes.
    pub in_use: u64,
    /// In blocks that wait for the next owner.
    pub cached: u64,
    /// The most that was in use at once, since the start or the last `trim`.
    pub peak: u64,
    /// What `in_use` and `cached` may reach together.
    pub budget: u64,
    /// How many blocks came from the system and not from the cache. A count, not bytes.
    pub fresh: u64,
}

/// The pool behind all blocks of one device.
#[derive(Debug)]
pub(super) struct Memory {
    pool: Mutex<Pool>,
}

#[derive(Debug)]
struct Pool {
    free: FxHashMap<usize, Vec<Box<[u32]>>>, // by length
    usage: Usage,
}

impl Memory {
    pub(super) fn new(budget: u64) -> Arc<Memory> {
        let usage = Usage { in_use: 0, cached: 0, peak: 0, budget, fresh: 0 };
        Arc::new(Memory { pool: Mutex::new(Pool { free: FxHashMap::default(), usage }) })
    }

    pub(super) fn alloc(self: &Arc<Memory>, words: usize) -> Result<Block> {
        let len = class(words).ok_or_else(|| self.lock().out_of_memory((words as u64).saturating_mul(4)))?;
        let kept = self.lock().reserve(len)?;
        let store = match kept {
            Some(store) => store,
            None => self.fresh(len)?,
        };
        // 15 words of slack always reach the boundary; a platform that cannot tell gets an unaligned block.
        let start = match store.as_ptr().align_offset(ALIGN) {
            start if start <= SLACK => start,
            _ => 0,
        };
        Ok(Block { store, start, words, home: self.clone() })
    }

    /// Zeroed memory: the system's large blocks are zero anyway, so that nothing is written before its owner does.
    fn fresh(&self, len: usize) -> Result<Box<[u32]>> {
        let refused = |()| {
            self.lock().trim();
            bytemuck::allocation::try_zeroed_slice_box(len)
        };
        let mut store = bytemuck::allocation::try_zeroed_slice_box(len).or_else(refused).map_err(|()| {
            let mut pool = self.lock();
            pool.usage.in_use -= bytes(len);
            pool.usage.fresh -= 1;
            pool.out_of_memory(bytes(len))
        })?;
        ask_for_large(&mut store);
        Ok(store)
    }

    fn take_back(&self, store: Box<[u32]>) {
        self.lock().keep(store);
    }

    pub(super) fn usage(&self) -> Usage {
        self.lock().usage
    }

    pub(super) fn set_budget(&self, bytes: u64) {
        self.lock().usage.budget = bytes;
    }

    pub(super) fn trim(&self) {
        let mut pool = self.lock();
        pool.trim();
        pool.usage.peak = pool.usage.in_use;
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner) // every update of the pool is whole, panic or not
    }
}

impl Pool {
    /// Counts a block of `len` words as in use, and returns a cached one if there is one.
    fn reserve(&mut self, len: usize) -> Result<Option<Box<[u32]>>> {
        let size = bytes(len);
        let kept = self.free.get_mut(&len).and_then(Vec::pop);
        if kept.is_some() {
            self.usage.cached -= size;
        } else {
            if self.usage.in_use.saturating_add(self.usage.cached).saturating_add(size) > self.usage.budget {
                self.trim();
            }
            if self.usage.in_use.saturating_add(size) > self.usage.budget {
                return Err(self.out_of_memory(size));
            }
            self.usage.fresh += 1;
        }
        self.usage.in_use += size;
        self.usage.peak = self.usage.peak.max(self.usage.in_use);
        Ok(kept)
    }

    fn keep(&mut self, store: Box<[u32]>) {
        let size = bytes(store.len());
        self.usage.in_use -= size;
        if self.usage.cached + size > self.usage.peak {
            self.trim(); // sizes that nobody asks for any more would crowd out those in use
        }
        self.usage.cached += size;
        self.free.entry(store.len()).or_default().push(store);
    }

    fn trim(&mut self) {
        self.free.clear();
        self.usage.cached = 0;
    }

    fn out_of_memory(&self, requested: u64) -> Error {
        Error::OutOfMemory {
            device: "cpu".to_string(),
            requested,
            in_use: self.usage.in_use,
            budget: self.usage.budget,
        }
    }
}

/// The allocation, in words, for a block of `words`: four classes a doubling, so that at most a quarter is spare. `None` past
/// what a pointer can span.
fn class(words: usize) -> Option<usize> {
    let step = (words.checked_next_power_of_two()? / 8).max(16);
    let len = words.max(1).checked_next_multiple_of(step)?.checked_add(SLACK)?;
    (len <= isize::MAX as usize / size_of::<u32>()).then_some(len)
}

fn bytes(words: usize) -> u64 {
    words as u64 * size_of::<u32>() as u64
}

/// 80 % of the memory of the machine or of our control group, whichever is less; the rest is for the program around us.
pub(super) fn default_budget() -> u64 {
    match machine_memory().into_iter().chain(container_memory()).min() {
        Some(bytes) => bytes / 5 * 4,
        None => u64::MAX,
    }
}

/// `MemTotal:  24575000 kB`, where there is a Linux to ask.
fn machine_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The limit of a container (control groups, version 2), which mounts its own group at the root. `max` means none.
fn container_memory() -> Option<u64> {
    std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_freed_block_is_handed_out_again_as_it_is() {
        let memory = Memory::new(u64::MAX);
        let mut block = memory.alloc(1000).unwrap();
        block.words_mut().fill(7);
        drop(block);
        let again = memory.alloc(990).unwrap();
        assert_eq!(again.words(), [7; 990]);
        assert_eq!(memory.usage().fresh, 1);
    }

    #[test]
    fn usage_counts_blocks_with_an_owner() {
        let memory = Memory::new(u64::MAX);
        let a = memory.alloc(1 << 20).unwrap();
        let b = memory.alloc(1 << 20).unwrap();
        let both = memory.usage();
        assert!(both.in_use >= 8 << 20 && both.cached == 0, "{both:?}");
        drop(a);
        drop(b);
        let none = memory.usage();
        assert_eq!((none.in_use, none.cached, none.peak), (0, both.in_use, both.in_use));
        memory.trim();
        assert_eq!((memory.usage().cached, memory.usage().peak), (0, 0));
    }

    #[test]
    fn a_shared_buffer_becomes_writable_only_for_its_last_owner() {
        let memory = Memory::new(u64::MAX);
        let mut block = memory.alloc(2).unwrap();
        block.words_mut().copy_from_slice(&[1, 2]);
        let buffer = block.freeze();
        let other = buffer.clone();
        assert!(buffer.into_unique().is_none());
        assert_eq!(other.words(), [1, 2]);
        assert_eq!(other.into_unique().unwrap().words(), [1, 2]);
    }

    #[test]
    fn the_budget_is_an_error_with_its_numbers_and_the_cache_gives_way_first() {
        let memory = Memory::new(1 << 20);
        drop(memory.alloc(100_000).unwrap());
        let large = memory.alloc(200_000).unwrap(); // fits only without the cached 400 kB
        assert_eq!(memory.usage().cached, 0);
        let error = memory.alloc(100_000).unwrap_err();
        assert_eq!(error.code(), "out-of-memory");
        let in_use = memory.usage().in_use;
        assert!(error.to_string().contains(&format!("{in_use} in use, budget 1048576")), "{error}");
        drop(large);
        assert!(memory.alloc(100_000).is_ok());
    }

    #[test]
    fn a_request_that_no_machine_can_meet_is_an_error() {
        let memory = Memory::new(u64::MAX);
        for words in [usize::MAX, usize::MAX / 4, 1 << 48] {
            assert_eq!(memory.alloc(words).unwrap_err().code(), "out-of-memory");
        }
        assert_eq!(memory.usage().in_use, 0);
    }

    #[test]
    fn the_cache_never_outgrows_the_peak() {
        let memory = Memory::new(u64::MAX);
        for step in 1..200 {
            drop(memory.alloc(step * 1000).unwrap());
            let usage = memory.usage();
            assert!(usage.cached <= usage.peak, "{usage:?}");
        }
    }

    #[test]
    fn the_default_budget_is_below_the_machines_memory() {
        let total = machine_memory().unwrap_or(u64::MAX);
        assert!(default_budget() > 0 && default_budget() <= total);
    }

    proptest! {
        #[test]
        fn blocks_are_aligned_and_as_long_as_asked(words in 0usize..100_000) {
            let memory = Memory::new(u64::MAX);
            let mut block = memory.alloc(words).unwrap();
            prop_assert_eq!(block.words_mut().len(), words);
            prop_assert_eq!(block.words().as_ptr() as usize % ALIGN, 0);
            prop_assert!(class(words).unwrap() <= words + words / 4 + 16 + SLACK);
        }
    }
}
