//! Plans by structure: the second identical training step builds nothing.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::plan::batch::Call;
use crate::plan::key::{CallKey, Structure};
use crate::plan::run::Plan;
use rustc_hash::FxHashMap;
use std::time::Instant;

/// Plans kept; the least recently used half goes when there are more.
const MAX_PLANS: usize = 256;
/// Bytes of memory that idle plans keep for their next run; above it, all give theirs back to the device's pool.
const MAX_KEPT: u64 = 256 << 20;

#[derive(Default)]
pub(crate) struct Plans {
    by_hash: FxHashMap<u64, Vec<Entry>>,
    count: usize,
    clock: u64,
    /// Bytes that all plans keep.
    kept: u64,
}

struct Entry {
    calls: Vec<CallKey>,
    plan: Plan,
    used: u64,
}

impl Plans {
    /// Runs the calls by their plan and fills the slots that somebody holds. When memory is short, what idle plans keep is given
    /// back first.
    pub fn run(&mut self, device: &Device, calls: &[Call]) -> Result<()> {
        match self.try_run(device, calls) {
            Err(Error::OutOfMemory { .. }) => {
                for entry in self.by_hash.values().flatten() {
                    entry.plan.trim();
                }
                self.kept = 0;
                self.try_run(device, calls)
            }
            result => result,
        }
    }

    fn try_run(&mut self, device: &Device, calls: &[Call]) -> Result<()> {
        let began = Instant::now();
        let counters = device.counters();
        let structure = Structure::of(calls);
        self.clock += 1;
        let clock = self.clock;
        let same_hash = self.by_hash.entry(structure.hash).or_default();
        if let Some(entry) = same_hash.iter_mut().find(|entry| structure.is(&entry.calls)) {
            entry.used = clock;
            counters.plan_hits.add(1);
            let before = entry.plan.kept();
            let found = Instant::now();
            counters.planning.add((found - began).as_nanos() as u64);
            let result = entry.plan.run_calls(device, calls, &structure.externals);
            counters.running.add(found.elapsed().as_nanos() as u64);
            let more = entry.plan.kept() - before;
            self.keep(more);
            return result;
        }
        let keys = structure.keys();
        let plan = Plan::build(device, &keys, structure.externals.len())?;
        counters.plans.add(1);
        let built = Instant::now();
        counters.planning.add((built - began).as_nanos() as u64);
        let result = plan.run_calls(device, calls, &structure.externals);
        counters.running.add(built.elapsed().as_nanos() as u64);
        let more = plan.kept();
        same_hash.push(Entry { calls: keys, plan, used: clock });
        self.count += 1;
        if self.count > MAX_PLANS {
            self.forget_old(clock - MAX_PLANS as u64 / 2);
        }
        self.keep(more);
        result
    }

    /// Notes that the plan that ran last keeps so much more; the others give theirs back when it is too much in all.
    fn keep(&mut self, more: u64) {
        self.kept = self.kept.saturating_add(more);
        if more == 0 || self.kept <= MAX_KEPT {
            return;
        }
        self.kept = 0;
        for entry in self.by_hash.values().flatten() {
            if entry.used != self.clock {
                entry.plan.trim();
            }
            self.kept += entry.plan.kept();
        }
    }

    pub fn clear(&mut self) {
        self.by_hash.clear();
        (self.count, self.kept) = (0, 0);
    }

    fn forget_old(&mut self, before: u64) {
        self.by_hash.retain(|_, entries| {
            entries.retain(|entry| entry.used >= before);
            !entries.is_empty()
        });
        self.count = self.by_hash.values().map(Vec::len).sum();
    }
}
