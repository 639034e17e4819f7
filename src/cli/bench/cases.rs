//! What is measured: workloads, each over a range of sizes, with its result for a check.

use super::learner::Learner;
use super::measure::{Effort, Stages, stages};
use crate::cost::Work;
use crate::device::Device;
use crate::error::Result;
use crate::rng::Rng;
use crate::tensor::Tensor;
use std::time::Instant;

/// A workload at one size.
pub(super) struct Case {
    /// What is varied in size: one line of the plot.
    pub family: &'static str,
    /// For `--only`: families of a kind.
    pub group: &'static str,
    /// What a person calls it.
    pub name: String,
    /// On the family's axis.
    pub size: usize,
    pub axis: &'static str,
    pub unit: Unit,
    /// Of one run, with the data in place.
    pub work: Work,
    run: Run,
}

/// What a rate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Flops,
    Bytes,
    Samples,
}

enum Run {
    Call(Call),
    /// Layers, and rows of a step.
    Training(&'static [usize], usize),
}

/// A formula over tensors of uniform numbers in [-1, 1).
struct Call {
    shapes: Vec<Vec<usize>>,
    formula: fn(&[Tensor]) -> Tensor,
    /// Element `i` of the result, in f64.
    exact: fn(&[Host], usize) -> f64,
    /// How far each element may be from that.
    allowed: fn(&[Tensor], &Tensor) -> Tensor,
}

/// An input on the host: values, and the length of its rows.
struct Host {
    values: Vec<f32>,
    width: usize,
}

impl Host {
    fn at(&self, i: usize) -> f64 {
        self.values.get(i).map_or(f64::NAN, |&v| f64::from(v))
    }
}

/// Rounding unit of f32.
const UNIT: f32 = 5.960_464_5e-8;
const SMALL: &[usize] = &[64, 64, 32, 10];
const BIG: &[usize] = &[784, 512, 256, 10];

/// All cases: those of a quick run, or with larger and more sizes.
pub(super) fn cases(effort: Effort) -> Vec<Case> {
    let pick = |quick: &[usize], more: &[usize]| -> Vec<usize> {
        let mut sizes = quick.to_vec();
        if effort == Effort::Full {
            sizes.extend(more);
            sizes.sort_unstable();
        }
        sizes
    };
    let elements = pick(&[1 << 12, 1 << 16, 1 << 20, 1 << 22], &[1 << 10, 1 << 14, 1 << 18, 1 << 24, 1 << 26]);
    let mut all = Vec::new();
    all.extend(pick(&[64, 128, 256, 512, 1024], &[32, 768, 2048, 4096]).into_iter().map(matmul));
    all.extend(elements.iter().map(|&n| chain(n)));
    all.extend(elements.iter().map(|&n| exp(n)));
    all.extend(elements.iter().map(|&n| sum(n)));
    all.extend(pick(&[16, 256, 4096], &[64, 1024, 16384]).into_iter().map(softmax));
    all.extend(pick(&[8, 32, 128, 512], &[2, 2048]).into_iter().map(|b| training("train 64-64-32-10", SMALL, b)));
    all.extend(pick(&[8, 32, 128, 512], &[2, 2048]).into_iter().map(|b| training("train 784-512-256-10", BIG, b)));
    all
}

fn matmul(n: usize) -> Case {
    let size = n as f64;
    let run = Call {
        shapes: vec![vec![n, n], vec![n, n]],
        formula: |x| x[0].matmul(&x[1]),
        exact: |x, i| {
            let (row, column, n) = (i / x[1].width, i % x[1].width, x[1].width);
            (0..n).map(|k| x[0].at(row * n + k) * x[1].at(k * n + column)).sum()
        },
        // n products, summed in whatever order.
        allowed: |x, y| x[0].abs().matmul(&x[1].abs()) * (y.shape()[0] as f32 * UNIT),
    };
    Case {
        family: "matmul",
        group: "matmul",
        name: format!("matmul {n}³"),
        size: n,
        axis: "rows",
        unit: Unit::Flops,
        work: Work { flops: 2.0 * size.powi(3), launches: 1.0, ..Work::default() },
        run: Run::Call(run),
    }
}

/// A case that moves `arrays` arrays of `n` numbers.
fn moved(family: &'static str, group: &'static str, n: usize, arrays: usize, run: Call) -> Case {
    Case {
        family,
        group,
        name: format!("{family} {}", short(n)),
        size: n,
        axis: "elements",
        unit: Unit::Bytes,
        work: Work { bytes: (4 * arrays * n) as f64, launches: 1.0, ..Work::default() },
        run: Run::Call(run),
    }
}

fn chain(n: usize) -> Case {
    let run = Call {
        shapes: vec![vec![n], vec![n]],
        formula: |x| (&x[0] * 2.0 + &x[1]).relu(),
        exact: |x, i| (2.0 * x[0].at(i) + x[1].at(i)).max(0.0),
        // Product and sum, each rounded once, or both together.
        allowed: |x, _| (x[0].abs() * 2.0 + x[1].abs()) * (3.0 * UNIT) + f32::MIN_POSITIVE,
    };
    moved("relu(2x+y)", "elementwise", n, 3, run)
}

fn exp(n: usize) -> Case {
    let run = Call {
        shapes: vec![vec![n]],
        formula: |x| x[0].exp(),
        exact: |x, i| x[0].at(i).exp(),
        // WGSL allows 3 + 2|x| units in the last place, each of two rounding units, and |x| is below 1.
        allowed: |_, y| y * (10.0 * UNIT),
    };
    moved("exp", "elementwise", n, 2, run)
}

fn sum(n: usize) -> Case {
    let run = Call {
        shapes: vec![vec![n]],
        formula: |x| x[0].sum(),
        exact: |x, _| x[0].values.iter().map(|&v| f64::from(v)).sum(),
        // Sums of a few hundred, then pairwise: no element goes through more than 500 roundings.
        allowed: |x, _| x[0].abs().sum() * (500.0 * UNIT),
    };
    moved("sum", "reduce", n, 1, run)
}

fn softmax(rows: usize) -> Case {
    const WIDTH: usize = 1024;
    let run = Call {
        shapes: vec![vec![rows, WIDTH]],
        formula: |x| x[0].softmax(-1),
        exact: |x, i| {
            let start = i - i % WIDTH;
            let total: f64 = (start..start + WIDTH).map(|j| x[0].at(j).exp()).sum();
            x[0].at(i).exp() / total
        },
        // exp of a difference of up to 2 costs 14 units, the sum of positive terms at most one a term, the quotient 5.
        allowed: |_, y| y * ((WIDTH + 33) as f32 * UNIT),
    };
    let case = moved("softmax", "rows", rows * WIDTH, 2, run);
    Case { name: format!("softmax {rows}×{WIDTH}"), ..case }
}

fn training(family: &'static str, sizes: &'static [usize], batch: usize) -> Case {
    Case {
        family,
        group: "train",
        name: format!("{family} batch {batch}"),
        size: batch,
        axis: "rows a step",
        unit: Unit::Samples,
        work: Work { transfer: 0.0, ..Work::training(sizes, batch, batch, 1) },
        run: Run::Training(sizes, batch),
    }
}

impl Case {
    /// Of one run, in the unit of its rate.
    pub fn amount(&self) -> f64 {
        match self.unit {
            Unit::Flops => self.work.flops,
            Unit::Bytes => self.work.bytes,
            Unit::Samples => self.size as f64,
        }
    }

    /// Checks the result on a device, then times its stages. `Err` within says what is wrong.
    pub fn measure(&self, device: &Device, effort: Effort) -> Result<Result<Stages, String>> {
        match &self.run {
            Run::Call(call) => call.measure(device, effort),
            Run::Training(sizes, batch) => learn(sizes, *batch, device, effort),
        }
    }
}

impl Call {
    fn measure(&self, device: &Device, effort: Effort) -> Result<Result<Stages, String>> {
        let cpu = Device::cpu();
        let (mut hosts, mut witnesses) = (Vec::new(), Vec::new());
        for (seed, shape) in (1..).zip(&self.shapes) {
            let values = Tensor::uniform(&shape[..], -1.0, 1.0, &mut Rng::seed(seed), &cpu).to_vec::<f32>()?;
            witnesses.push(Tensor::from_slice(&values, &shape[..], &cpu));
            hosts.push(Host { values, width: shape.last().copied().unwrap_or(1) });
        }
        let expected = (self.formula)(&witnesses);
        let allowed = (self.allowed)(&witnesses, &expected).to_vec::<f32>()?;
        let expected = expected.to_vec::<f32>()?;

        let began = Instant::now();
        let inputs: Vec<Tensor> = hosts
            .iter()
            .zip(&self.shapes)
            .map(|(host, shape)| Tensor::from_slice(&host.values, &shape[..], device))
            .collect();
        device.synchronize()?;
        let upload = began.elapsed().as_secs_f64();
        let began = Instant::now();
        let held = (self.formula)(&inputs);
        device.synchronize()?;
        let first = began.elapsed().as_secs_f64();
        let began = Instant::now();
        let given = held.to_vec::<f32>()?;
        let read_back = began.elapsed().as_secs_f64();
        if let Err(why) = self.right(&hosts, &given, &expected, &allowed) {
            return Ok(Err(why));
        }
        drop(held);
        let mut run = || {
            let held = (self.formula)(&inputs); // a result that nobody holds would not be computed
            held.check()?;
            device.flush()
        };
        stages(&mut run, device, effort, [upload, first, read_back]).map(Ok)
    }

    /// Every element against the CPU's, and some all over against f64: both lie within the bound of what is exact.
    fn right(&self, hosts: &[Host], given: &[f32], expected: &[f32], allowed: &[f32]) -> Result<(), String> {
        if given.len() != expected.len() || allowed.len() != expected.len() {
            return Err(format!("{} elements, the CPU has {}", given.len(), expected.len()));
        }
        let step = (given.len() / 61).max(1);
        for (i, ((&given, &expected), &allowed)) in given.iter().zip(expected).zip(allowed).enumerate() {
            within(i, given, f64::from(expected), 2.0 * f64::from(allowed))?;
            if i % step == 0 {
                within(i, given, (self.exact)(hosts, i), f64::from(allowed))?;
            }
        }
        Ok(())
    }
}

fn within(i: usize, given: f32, right: f64, allowed: f64) -> Result<(), String> {
    let error = (f64::from(given) - right).abs();
    match error <= allowed {
        true => Ok(()),
        false => Err(format!("element {i} is {given:e}, right is {right:e} ± {allowed:.1e}")),
    }
}

/// Steps of a network, whose loss must fall as it does on the CPU.
fn learn(sizes: &[usize], batch: usize, device: &Device, effort: Effort) -> Result<Result<Stages, String>> {
    let mut witness = Learner::new(sizes, batch, &Device::cpu())?;
    let began = Instant::now();
    let mut learner = Learner::new(sizes, batch, device)?;
    device.synchronize()?;
    let upload = began.elapsed().as_secs_f64();
    let (before, expected) = (learner.loss()?, witness.loss()?);
    let began = Instant::now();
    learner.step()?;
    device.synchronize()?;
    let first = began.elapsed().as_secs_f64();
    for _ in 1..2 * Learner::BATCHES {
        learner.step()?;
    }
    for _ in 0..2 * Learner::BATCHES {
        witness.step()?;
    }
    let began = Instant::now();
    let (after, witnessed) = (learner.loss()?, witness.loss()?);
    let read_back = began.elapsed().as_secs_f64();
    // Rounding of the first loss; Adam divides by small deviations, and so enlarges that of later ones.
    let checks = [(before, f64::from(expected), 1e-5), (after, f64::from(witnessed), 1e-3)];
    if let Some(why) = checks.into_iter().find_map(|(given, right, allowed)| within(0, given, right, allowed).err()) {
        return Ok(Err(format!("the mean loss: {why}")));
    }
    if after >= before {
        return Ok(Err(format!("the loss went from {before} to {after}")));
    }
    stages(&mut || learner.step(), device, effort, [upload, first, read_back]).map(Ok)
}

/// `512`, `4K`, `16M`: in units of 1,024.
pub(super) fn short(n: usize) -> String {
    match n {
        n if n >= 1 << 20 && n.is_multiple_of(1 << 20) => format!("{}M", n >> 20),
        n if n >= 1 << 10 && n.is_multiple_of(1 << 10) => format!("{}K", n >> 10),
        n => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_right_on_the_cpu_and_a_wrong_result_is_found() {
        for case in cases(Effort::Quick).into_iter().filter(|case| case.work.flops < 1e9) {
            let measured = case.measure(&Device::cpu(), Effort::Once).unwrap();
            assert!(measured.is_ok(), "{}: {:?}", case.name, measured.err());
        }
        let sums = |given: f32| {
            let Run::Call(call) = sum(4).run else { return Ok(()) };
            let host = Host { values: vec![1.0, 2.0, 3.0, 4.0], width: 4 };
            call.right(&[host], &[given], &[10.0], &[1e-5])
        };
        assert_eq!(sums(10.0), Ok(()));
        for wrong in [10.001, f32::NAN, f32::INFINITY] {
            assert!(sums(wrong).unwrap_err().starts_with("element 0 is "), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!([512, 1000, 4096, 3 << 20].map(short), ["512", "1000", "4K", "3M"]);
    }
}
