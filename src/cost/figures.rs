//! What a device takes for what work consists of.

use super::Work;
use crate::device::DeviceKind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a device takes for what work consists of, in seconds and per second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Seconds until it can begin: driver, first kernels. 0 for the CPU, and for a GPU that is open.
    pub start: f64,
    /// Seconds that a launch takes however little it does.
    pub launch: f64,
    /// Operations a second of a large matrix product.
    pub flops: f64,
    /// Bytes a second of element-wise work on arrays beyond the caches.
    pub bandwidth: f64,
    /// The same within the caches.
    pub cached: f64,
    /// Bytes a second from the program to the device and back.
    pub transfer: f64,
    /// Seen on this machine; otherwise what is usual for the kind.
    pub measured: bool,
}

/// Bytes of a launch up to which [`Figures::cached`] holds.
pub(super) const CACHED: f64 = (1 << 20) as f64;

impl Figures {
    /// What is usual: a CPU of few cores, an integrated or a discrete GPU. Rather slow, so that surprises are pleasant.
    pub fn usual(kind: DeviceKind, discrete: bool) -> Figures {
        let cpu = Figures {
            start: 0.0,
            launch: 2e-6,
            flops: 3e10,
            bandwidth: 8e9,
            cached: 3e10,
            transfer: 5e9,
            measured: false,
        };
        let gpu = Figures { start: 0.3, launch: 1.5e-5, flops: 5e11, bandwidth: 3e10, cached: 5e10, ..cpu };
        match (kind, discrete) {
            (DeviceKind::Cpu, _) => cpu,
            (DeviceKind::Gpu, false) => gpu,
            (DeviceKind::Gpu, true) => Figures { flops: 5e12, bandwidth: 2e11, cached: 4e11, ..gpu },
        }
    }

    /// Seconds of this work.
    pub fn seconds(&self, work: &Work) -> f64 {
        let rate = if work.bytes <= CACHED * work.launches { self.cached } else { self.bandwidth };
        let busy = work.launches * self.launch + work.flops / self.flops + work.bytes / rate;
        self.start + busy + work.transfer / self.transfer
    }

    /// Whether all are numbers that a device can have: a file may say anything.
    pub(super) fn are_sane(&self) -> bool {
        let rates = [self.flops, self.bandwidth, self.cached, self.transfer];
        let times = [self.start, self.launch];
        rates.iter().all(|rate| rate.is_finite() && *rate > 0.0) && times.iter().all(|t| t.is_finite() && *t >= 0.0)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let giga = |rate: f64| rate / 1e9;
        let seen = if self.measured { "measured" } else { "usual, not measured here" };
        writeln!(f, "  figures ({seen}):")?;
        writeln!(f, "    {:>9}  to begin", time(self.start))?;
        writeln!(f, "    {:>9}  a launch", time(self.launch))?;
        writeln!(f, "    {:>9.0}  GFLOP/s in large products", giga(self.flops))?;
        writeln!(
            f,
            "    {:>9.1}  GB/s element by element, {:.1} within caches",
            giga(self.bandwidth),
            giga(self.cached)
        )?;
        write!(f, "    {:>9.1}  GB/s from the program and back", giga(self.transfer))
    }
}

/// Two digits and the unit that fits.
pub(super) fn time(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s <= 0.0 => return "0 s".into(),
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s if s < 120.0 => (s, "s"),
        s => (s / 60.0, "min"),
    };
    let decimals = usize::from(value < 9.95);
    format!("{value:.decimals$} {unit}")
}
