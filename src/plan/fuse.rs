//! From the calls of a batch to the steps of a plan: dead results dropped, neighbours fused.

use crate::device::caps::Caps;
use crate::plan::key::CallKey;
use crate::plan::step::Step;

/// The steps of a batch, unfused: only what live values need, in recorded order.
pub(crate) fn needed(calls: &[CallKey]) -> Vec<Step> {
    let mut wanted: Vec<bool> = calls.iter().map(|call| call.live).collect();
    for (number, call) in calls.iter().enumerate().rev() {
        if wanted[number] {
            for &(value, _) in &call.inputs {
                if let Some(flag) = wanted.get_mut(value as usize) {
                    *flag = true;
                }
            }
        }
    }
    let mut var = 0;
    let mut steps = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        if wanted[number] {
            steps.push(Step::of(call, number as u32, var));
        }
        var += call.inputs.len() + 1 + call.scalars;
    }
    steps
}

/// Joins producers with consumers until nothing more fits, as far as the device can run the joint ones.
pub(crate) fn fuse(mut steps: Vec<Step>, calls: &[CallKey], caps: &Caps) -> Vec<Step> {
    let live = |value: u32| calls.get(value as usize).is_some_and(|call| call.live);
    let mut at = 0;
    while at < steps.len() {
        match join_at(&mut steps, at, caps, live) {
            // The joint step stands where the two began; it may fit with another producer.
            Some(position) => at = position,
            None => at += 1,
        }
    }
    steps
}

/// Tries to join the step at `at` with one of its producers, the nearest first; returns where the joint step stands.
fn join_at(steps: &mut Vec<Step>, at: usize, caps: &Caps, live: impl Fn(u32) -> bool) -> Option<usize> {
    for from in (0..at).rev() {
        if !steps[from].outputs.iter().any(|o| steps[at].reads(o.value)) {
            continue;
        }
        let wanted = |value: u32| {
            live(value) || steps.iter().enumerate().any(|(i, step)| i != at && i != from && step.reads(value))
        };
        let Some(between) = movable(steps, from, at) else { continue };
        let Some(joint) = steps[from].join(&steps[at], caps, wanted) else { continue };
        // Steps that wait for the first go behind the joint one; the others keep their place before it.
        let mut order: Vec<Step> = Vec::with_capacity(at - from);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (i, step) in steps.drain(from..=at).enumerate().skip(1) {
            if i == at - from {
                continue;
            }
            if between[i - 1] { after.push(step) } else { before.push(step) }
        }
        let position = from + before.len();
        order.append(&mut before);
        order.push(joint);
        order.append(&mut after);
        steps.splice(from..from, order);
        return Some(position);
    }
    None
}

/// For each step between the two whether it depends on the first; `None` if the second depends on the first through one.
fn movable(steps: &[Step], from: usize, at: usize) -> Option<Vec<bool>> {
    let mut tainted: Vec<u32> = steps[from].outputs.iter().map(|o| o.value).collect();
    let own = tainted.len();
    let mut depends = Vec::with_capacity(at - from);
    for step in &steps[from + 1..at] {
        let waits = step.inputs.iter().any(|input| tainted.contains(&input.value));
        if waits {
            tainted.extend(step.outputs.iter().map(|o| o.value));
        }
        depends.push(waits);
    }
    let through = steps[at].inputs.iter().any(|input| tainted[own..].contains(&input.value));
    (!through).then_some(depends)
}
