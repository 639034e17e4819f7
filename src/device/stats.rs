//! Counters of what a device has done, so that a test (or a user) can see that a step builds nothing.

use crate::device::cpu::Cpu;
use std::sync::atomic::{AtomicU64, Ordering};

/// One number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the layers above a backend count.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub calls: Counter,
    pub flushes: Counter,
    pub plans: Counter,
    pub plan_hits: Counter,
    pub planning: Counter,
    pub running: Counter,
}

impl Counters {
    pub fn read(&self) -> Stats {
        Stats {
            calls: self.calls.get(),
            flushes: self.flushes.get(),
            plans_built: self.plans.get(),
            plans_reused: self.plan_hits.get(),
            planning_ns: self.planning.get(),
            running_ns: self.running.get(),
            ..Stats::default()
        }
    }
}

/// What a device has done since it was opened. Differences of two readings measure what lies between them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Operations recorded.
    pub calls: u64,
    /// Batches run.
    pub flushes: u64,
    /// Plans built.
    pub plans_built: u64,
    /// Plans found in the cache.
    pub plans_reused: u64,
    /// Nanoseconds spent on finding the plan of a batch, or building it.
    pub planning_ns: u64,
    /// Nanoseconds spent on running plans: on the CPU the work itself, on a GPU handing it over.
    pub running_ns: u64,
    /// Compute dispatches (GPU).
    pub dispatches: u64,
    /// Submits to the queue (GPU).
    pub submits: u64,
    /// Pipelines built (GPU).
    pub pipelines: u64,
    /// Bind groups built (GPU).
    pub bind_groups: u64,
    /// Buffers newly taken from the driver or the allocator, not from the pool.
    pub allocations: u64,
    /// Bytes in tensors and plans now.
    pub bytes_in_use: u64,
    /// The most bytes ever in use.
    pub peak_bytes: u64,
}

impl Stats {
    pub(crate) fn add_cpu(&mut self, cpu: &Cpu) {
        let memory = cpu.memory();
        self.allocations = memory.fresh;
        self.bytes_in_use = memory.in_use;
        self.peak_bytes = memory.peak;
    }

    #[cfg(feature = "gpu")]
    pub(crate) fn add_gpu(&mut self, gpu: &crate::device::gpu::Gpu) {
        let stats = gpu.stats();
        self.dispatches = stats.dispatches;
        self.submits = stats.submits;
        self.pipelines = stats.pipelines;
        self.bind_groups = stats.bind_groups;
        self.allocations = stats.buffers;
        self.bytes_in_use = stats.bytes_in_use;
        self.peak_bytes = stats.peak_bytes;
    }
}
