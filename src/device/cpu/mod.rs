//! The CPU as a device: memory, threads, and the building blocks that kernels are made of, all on slices.
//!
//! This folder alone names rayon and gemm. Every result here is the same for any number of threads: work is cut into parts by
//! its size, never by who runs it, and parts are combined in a fixed order.

pub mod columns;
mod crew;
pub mod extreme;
pub mod gemm;
mod limit;
mod matvec;
mod memory;
mod pages;
pub mod parallel;
pub mod reduce;
mod steps;
mod streamed;
mod turn;

use std::sync::Arc;

pub use memory::{Block, CpuBuffer, Usage};

use crate::error::Result;
use memory::Memory;

/// The CPU of this machine: its memory pool and its share of threads. Clones share both.
#[derive(Debug, Clone)]
pub struct Cpu {
    memory: Arc<Memory>,
    most_threads: usize,
}

impl Cpu {
    /// The CPU with a memory budget of 80 % of what this machine, or the container that we run in, has (no limit where that
    /// cannot be read), and with all threads of rayon's pool, or at most `TILEWORK_THREADS` of them.
    #[allow(clippy::new_without_default)] // it reads the environment
    pub fn new() -> Cpu {
        Cpu::with_budget(memory::default_budget())
    }

    /// The CPU with a memory budget in bytes, cached blocks included.
    pub fn with_budget(bytes: u64) -> Cpu {
        Cpu { memory: Memory::new(bytes), most_threads: threads_wanted() }
    }

    /// Threads that work is spread over: those of the rayon pool that the caller runs in, within `TILEWORK_THREADS`.
    pub fn threads(&self) -> usize {
        match self.most_threads {
            1 => 1, // no pool is started for nothing
            most => most.min(rayon::current_num_threads()),
        }
    }

    /// A block of 32-bit words with **unspecified contents**, on a 64-byte boundary.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory) over the budget, or when the system refuses.
    pub fn alloc(&self, words: usize) -> Result<Block> {
        self.memory.alloc(words)
    }

    /// Bytes in use, cached and asked for so far.
    pub fn memory(&self) -> Usage {
        self.memory.usage()
    }

    /// Bytes that blocks in use and cached ones may reach together.
    pub fn set_budget(&self, bytes: u64) {
        self.memory.set_budget(bytes);
    }

    /// Gives the cached blocks back to the system, and forgets the peak.
    pub fn trim(&self) {
        self.memory.trim();
    }
}

/// `TILEWORK_THREADS`, when it is a positive number; otherwise as many as there are.
fn threads_wanted() -> usize {
    let Ok(text) = std::env::var("TILEWORK_THREADS") else { return usize::MAX };
    match text.trim().parse() {
        Ok(threads) if threads > 0 => threads,
        _ => {
            log::warn!("TILEWORK_THREADS: not a positive number: {text:?}; all threads are used");
            usize::MAX
        }
    }
}
