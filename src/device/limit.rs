//! What a device does at most of the two things that all work is made of: moving bytes, and multiplying and adding. Benchmarks say
//! what share of it they reach.

use crate::device::{Backend, Device};
use crate::error::Result;
use std::time::Instant;

/// The most that was seen of a device, by [`Device::limits`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Bytes a second of a copy between two long arrays, read and written counted.
    pub bandwidth: f64,
    /// Operations a second of `f32` multiply-adds on registers alone, two each.
    pub arithmetic: f64,
}

/// Bytes of each array of the copy: beyond caches.
pub(super) const COPIED: usize = 64 << 20;

/// Seconds that one measurement of arithmetic should take at least.
pub(super) const LONG_ENOUGH: f64 = 0.005;

impl Device {
    /// Measures this device's limits: some tens of milliseconds, on a device that does nothing else meanwhile.
    ///
    /// ```no_run
    /// let limits = tilework::Device::cpu().limits()?;
    /// println!("{:.1} GB/s, {:.0} GFLOP/s", limits.bandwidth / 1e9, limits.arithmetic / 1e9);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory), [`Error::DeviceLost`](crate::Error::DeviceLost).
    pub fn limits(&self) -> Result<Limits> {
        match self.backend() {
            Backend::Cpu(cpu) => cpu.limits(),
            #[cfg(feature = "gpu")]
            Backend::Gpu(gpu) => gpu.limits(),
        }
    }
}

/// The shortest of `times` runs, in seconds.
pub(super) fn shortest(times: usize, mut run: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..times {
        let began = Instant::now();
        run()?;
        best = best.min(began.elapsed().as_secs_f64());
    }
    Ok(best.max(1e-9))
}
