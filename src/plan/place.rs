//! Where the values of a plan lie: outside buffers, fresh outputs, or temporaries that later steps reuse.

use crate::plan::kernel::{Meta, Role};
use crate::plan::key::{CallKey, is_whole};
use crate::plan::step::Step;
use rustc_hash::{FxHashMap, FxHashSet};

/// A value's buffer in the plan's table, and its first element in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub buffer: usize,
    pub base: usize,
}

/// The table of buffers: `externals` from outside, then one for each output (its call and words), then temporaries.
#[derive(Debug, Default)]
pub(crate) struct Placement {
    pub externals: usize,
    pub outputs: Vec<(usize, usize)>,
    /// Words of each temporary.
    pub temps: Vec<usize>,
    places: FxHashMap<u32, Place>,
    /// Values that lie within another one's buffer, which they do not free.
    parts: FxHashSet<u32>,
}

impl Placement {
    /// Gives every value of `steps` a place. Producers of a concatenation write straight into it; that step then goes.
    pub fn of(steps: &mut Vec<Step>, calls: &[CallKey], externals: usize) -> Placement {
        let mut placement = Placement { externals, ..Placement::default() };
        for k in 0..externals {
            placement.put((calls.len() + k) as u32, k, 0);
        }
        for (number, call) in calls.iter().enumerate() {
            if call.live {
                placement.outputs.push((number, words(&call.meta)));
                placement.put(number as u32, externals + placement.outputs.len() - 1, 0);
            }
        }
        placement.concatenations(steps, calls);
        placement.temporaries(steps);
        placement
    }

    /// The place of a value; every value of a step has one.
    pub fn get(&self, value: u32) -> Place {
        self.places.get(&value).copied().unwrap_or(Place { buffer: 0, base: 0 })
    }

    /// Buffers in all, without scratch.
    pub fn buffers(&self) -> usize {
        self.externals + self.outputs.len() + self.temps.len()
    }

    /// A temporary of its own, for a kernel's scratch.
    #[cfg(feature = "gpu")]
    pub fn scratch(&mut self, words: usize) -> usize {
        self.temps.push(words);
        self.buffers() - 1
    }

    fn put(&mut self, value: u32, buffer: usize, base: usize) {
        self.places.insert(value, Place { buffer, base });
    }

    fn concatenations(&mut self, steps: &mut Vec<Step>, calls: &[CallKey]) {
        let mut at = 0;
        while at < steps.len() {
            if let Some(bases) = direct_parts(steps, at, calls) {
                let output = steps[at].outputs[0];
                if !self.places.contains_key(&output.value) {
                    // Not wanted outside: a temporary from the first producer on.
                    self.temps.push(words(&output.meta));
                    self.put(output.value, self.buffers() - 1, 0);
                }
                let target = self.get(output.value);
                for (value, base) in bases {
                    self.put(value, target.buffer, target.base + base);
                    self.parts.insert(value);
                }
                steps.remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Each temporary is free again after the last step that reads it.
    fn temporaries(&mut self, steps: &[Step]) {
        let first = self.externals + self.outputs.len();
        let mut last_use: FxHashMap<u32, usize> = FxHashMap::default();
        for (at, step) in steps.iter().enumerate() {
            for input in &step.inputs {
                last_use.insert(input.value, at);
            }
        }
        let mut free: Vec<usize> = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            for output in &step.outputs {
                if self.places.contains_key(&output.value) {
                    continue;
                }
                let need = words(&output.meta);
                let best =
                    (0..free.len()).filter(|&i| self.temps[free[i]] >= need).min_by_key(|&i| self.temps[free[i]]);
                let temp = match best {
                    Some(i) => free.swap_remove(i),
                    None => {
                        self.temps.push(need);
                        self.temps.len() - 1
                    }
                };
                self.put(output.value, first + temp, 0);
            }
            let mut done: Vec<u32> =
                step.inputs.iter().map(|i| i.value).chain(step.outputs.iter().map(|o| o.value)).collect();
            done.sort_unstable();
            done.dedup();
            for value in done.into_iter().filter(|value| !self.parts.contains(value)).collect::<Vec<_>>() {
                let place = self.get(value);
                if place.buffer >= first && last_use.get(&value).is_none_or(|&last| last == at) {
                    free.push(place.buffer - first);
                }
            }
        }
    }
}

/// If every part of the concatenation at `at` can be written in place by its producer: the parts and where they begin.
fn direct_parts(steps: &[Step], at: usize, calls: &[CallKey]) -> Option<Vec<(u32, usize)>> {
    let concat = &steps[at];
    if !matches!(concat.kernel.role(), Role::Concat) {
        return None;
    }
    let mut base = 0;
    let mut parts = Vec::new();
    for input in &concat.inputs {
        let maker = steps[..at].iter().find(|step| step.writes(input.value))?;
        let call = calls.get(input.value as usize)?;
        let readers = steps.iter().flat_map(|s| &s.inputs).filter(|i| i.value == input.value).count();
        // One output a step: a launch may not bind one buffer twice for writing. 16-bit values share words at the seams.
        let direct = !call.live
            && readers == 1
            && maker.outputs.len() == 1
            && !matches!(maker.kernel.role(), Role::Concat)
            && is_whole(&input.operand.layout, &call.meta)
            && call.meta.dtype.size() == 4;
        if !direct {
            return None;
        }
        parts.push((input.value, base));
        base += call.meta.shape.numel();
    }
    Some(parts)
}

/// Words of a value's storage; never 0, because no device binds an empty buffer.
pub(crate) fn words(meta: &Meta) -> usize {
    meta.dtype.words(meta.shape.numel()).max(1)
}
