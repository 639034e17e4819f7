//! How cost grows: a training step over batch, width and depth, its memory over batch, and a graph over its length. Flat where it
//! should be flat, linear where it should be linear.

use super::chart::{Curve, Panel};
use super::learner::Learner;
use super::measure::{Effort, measure};
use super::report::amount;
use crate::device::{Device, DeviceKind};
use crate::error::Result;
use crate::tensor::Tensor;
use std::time::Instant;

/// One quantity over one size.
pub(super) struct Growth {
    pub title: &'static str,
    axis: &'static str,
    unit: &'static str,
    sizes: Vec<usize>,
    /// What it should grow with, and the cost at a size on a device, in units.
    cost: fn(usize, &Device) -> Result<Option<f64>>,
    expected: &'static str,
}

pub(super) fn growths() -> Vec<Growth> {
    let powers = |range: std::ops::RangeInclusive<u32>| range.map(|power| 1 << power).collect::<Vec<usize>>();
    vec![
        Growth {
            title: "step over batch (784-512-256-10)",
            axis: "rows of a step",
            unit: "ms",
            sizes: powers(0..=10),
            cost: |batch, device| step(&[784, 512, 256, 10], batch, device),
            expected: "flat while weights and optimizer dominate, then linear",
        },
        Growth {
            title: "step over width (two hidden layers, batch 64)",
            axis: "units of a layer",
            unit: "ms",
            sizes: powers(4..=11),
            cost: |width, device| step(&[64, width, width, 10], 64, device),
            expected: "flat, then as the square",
        },
        Growth {
            title: "step over depth (64 units, batch 32)",
            axis: "hidden layers",
            unit: "ms",
            sizes: powers(0..=6),
            cost: |depth, device| step(&[&[64].repeat(depth + 1)[..], &[10]].concat(), 32, device),
            expected: "linear",
        },
        Growth {
            title: "memory over batch (784-512-256-10)",
            axis: "rows of a step",
            unit: "MiB",
            sizes: powers(0..=12),
            cost: |batch, device| memory(&[784, 512, 256, 10], batch, device),
            expected: "flat while weights and moments dominate, then linear",
        },
        Growth {
            title: "recording an operation, over graph length",
            axis: "operations",
            unit: "µs",
            sizes: vec![4, 8, 16, 32, 64, 128, 256, 500], // a batch of 512 runs by itself
            cost: |length, device| graph(length, device).map(|costs| Some(costs[0])),
            expected: "flat: each operation costs the same",
        },
        Growth {
            title: "an operation whose plan is known, over graph length",
            axis: "operations",
            unit: "µs",
            sizes: vec![4, 8, 16, 32, 64, 128, 256, 500],
            cost: |length, device| graph(length, device).map(|costs| Some(costs[1])),
            expected: "flat but for what a run costs as a whole",
        },
    ]
}

impl Growth {
    /// The curve of one device.
    pub fn measure(&self, device: &Device, color: usize) -> Result<Curve> {
        let mut points = Vec::new();
        for &size in &self.sizes {
            if let Some(cost) = (self.cost)(size, device)? {
                points.push((size as f64, cost));
            }
        }
        Ok(Curve { color, points, dashed: false })
    }

    pub fn panel(&self, curves: Vec<Curve>) -> Panel {
        Panel { title: self.title.into(), x: self.axis, y: self.unit.into(), curves }
    }

    /// The ends of a curve, and how the last doubling went.
    pub fn line(&self, curve: &Curve) -> String {
        let (Some(first), [.., before, last]) = (curve.points.first(), &curve.points[..]) else {
            return format!("{}: not measured", self.title);
        };
        let Growth { title, unit, axis, expected, .. } = self;
        format!(
            "{title}: {} {unit} at {} to {} {unit} at {} {axis}; ×{:.2} over the last ×{:.2}; expected {expected}",
            amount(first.1),
            first.0,
            amount(last.1),
            last.0,
            last.1 / before.1,
            last.0 / before.0,
        )
    }
}

/// Milliseconds of a training step.
fn step(sizes: &[usize], batch: usize, device: &Device) -> Result<Option<f64>> {
    let mut learner = Learner::new(sizes, batch, device)?;
    Ok(Some(1e3 * measure(&mut || learner.step(), device, Effort::Quick)?.median))
}

/// The most MiB in use during training steps, data and weights included; on the CPU, whose peak can be forgotten.
fn memory(sizes: &[usize], batch: usize, device: &Device) -> Result<Option<f64>> {
    if device.kind() != DeviceKind::Cpu {
        return Ok(None);
    }
    device.clear_plans()?;
    device.trim();
    let mut learner = Learner::new(sizes, batch, device)?;
    for _ in 0..2 * Learner::BATCHES {
        learner.step()?;
    }
    device.synchronize()?;
    Ok(Some(device.stats().peak_bytes as f64 / f64::from(1 << 20)))
}

/// Microseconds an operation of a graph of so many small products: recorded, and recorded and run when its plan is known.
fn graph(length: usize, device: &Device) -> Result<[f64; 2]> {
    let (x, w) = (Tensor::ones([4, 4], device), Tensor::full([4, 4], 0.25, device));
    let mut best = [f64::INFINITY; 2];
    for _ in 0..20 {
        let began = Instant::now();
        let held = (0..length).fold(x.clone(), |x, _| x.matmul(&w));
        let recorded = began.elapsed().as_secs_f64();
        device.synchronize()?;
        let run = began.elapsed().as_secs_f64();
        held.check()?;
        for (best, seconds) in best.iter_mut().zip([recorded, run]) {
            *best = best.min(1e6 * seconds / length as f64);
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recording_an_operation_costs_the_same_in_long_graphs() {
        let cpu = Device::cpu();
        let [short, long] = [16, 500].map(|length| graph(length, &cpu).unwrap()[0]);
        assert!(long < 4.0 * short, "{short} and {long} µs an operation"); // busy machines; a quadratic cost would be 30 times
    }
}
