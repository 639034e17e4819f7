//! What is measured: each case with its work, and a check of its result.

use crate::device::Device;
use crate::error::Result;
use crate::nn::{Linear, Module, Relu, Sequential};
use crate::optim::{Adam, Optimizer};
use crate::rng::Rng;
use crate::tensor::Tensor;

/// One thing to measure.
pub(super) struct Case {
    pub name: String,
    /// Of one run, in units a second.
    pub work: f64,
    pub unit: &'static str,
    pub prepare: Prepare,
}

type Prepare = Box<dyn Fn(&Device) -> Result<Ready>>;

/// A case on a device.
pub(super) struct Ready {
    /// Starts one run.
    pub run: Box<dyn FnMut() -> Result<()>>,
    /// Whether a run's result is right, or what is wrong.
    pub check: Result<(), String>,
}

/// Elements of the element-wise cases: 16 MiB an array, beyond most caches.
const LONG: usize = 4 << 20;
/// Rounding unit of f32.
const UNIT: f64 = 5.960_464_5e-8;

pub(super) fn cases() -> Vec<Case> {
    let (rows, columns) = (4096, 1024);
    vec![
        matmul(256),
        matmul(1024),
        // One addition, correctly rounded.
        mapped("add 4M", 3, |x, y| x + y, |x, y| (x + y, UNIT * (x + y).abs())),
        // Product and sum, each rounded once, or both together.
        mapped(
            "relu(2x+y) 4M",
            3,
            |x, y| (x * 2.0 + y).relu(),
            |x, y| ((2.0 * x + y).max(0.0), 3.0 * UNIT * (2.0 * x.abs() + y.abs())),
        ),
        // WGSL allows 3 + 2|x| units in the last place, each of two rounding units, and |x| is below 1.
        mapped("exp 4M", 2, |x, _| x.exp(), |x, _| (x.exp(), 10.0 * UNIT * x.exp())),
        sum(),
        softmax(rows, columns),
        training("train 64-64-32-10 batch 32", &[64, 64, 32, 10], 32),
        training("train 784-512-256-10 batch 128", &[784, 512, 256, 10], 128),
    ]
}

fn uniform(shape: &[usize], seed: u64, device: &Device) -> Tensor {
    Tensor::uniform(shape, -1.0, 1.0, &mut Rng::seed(seed), device)
}

/// Runs `call` and holds its result until it is on its way: one that nobody holds would not be computed.
fn kept(device: &Device, call: impl Fn() -> Tensor + 'static) -> Box<dyn FnMut() -> Result<()>> {
    let device = device.clone();
    Box::new(move || {
        let held = call();
        held.check()?;
        device.flush()
    })
}

/// Holds `(given, right, allowed)` together.
fn within(terms: impl Iterator<Item = (f32, f64, f64)>) -> Result<(), String> {
    for (i, (given, right, allowed)) in terms.enumerate() {
        let error = (f64::from(given) - right).abs();
        if error.is_nan() || error > allowed {
            return Err(format!("element {i} is {given:e}, right is {right:e} ± {allowed:.1e}"));
        }
    }
    Ok(())
}

fn matmul(n: usize) -> Case {
    let prepare = move |device: &Device| {
        let (a, b) = (uniform(&[n, n], 1, device), uniform(&[n, n], 2, device));
        let (left, right) = (a.to_vec::<f32>()?, b.to_vec::<f32>()?);
        let product = a.matmul(&b).to_vec::<f32>()?;
        // Some elements all over the result, each a sum of n products in whatever order.
        let terms = (0..n * n).step_by(n * n / 61).map(|at| {
            let (row, column) = (at / n, at % n);
            let terms = (0..n).map(|k| f64::from(left[row * n + k]) * f64::from(right[k * n + column]));
            let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()));
            (product[at], sum, n as f64 * UNIT * size)
        });
        let check = within(terms);
        Ok(Ready { check, run: kept(device, move || a.matmul(&b)) })
    };
    Case { name: format!("matmul {n}³"), work: 2e-9 * (n as f64).powi(3), unit: "GFLOP/s", prepare: Box::new(prepare) }
}

/// An element-wise case that reads and writes `arrays` arrays.
fn mapped(name: &str, arrays: usize, call: fn(&Tensor, &Tensor) -> Tensor, right: fn(f64, f64) -> (f64, f64)) -> Case {
    let prepare = move |device: &Device| {
        let (x, y) = (uniform(&[LONG], 1, device), uniform(&[LONG], 2, device));
        let (given, xs, ys) = (call(&x, &y).to_vec::<f32>()?, x.to_vec::<f32>()?, y.to_vec::<f32>()?);
        let terms = given.iter().zip(xs.iter().zip(&ys)).map(|(&given, (&x, &y))| {
            let (right, allowed) = right(f64::from(x), f64::from(y));
            (given, right, allowed + f64::from(f32::MIN_POSITIVE)) // subnormal results may be flushed
        });
        let check = within(terms);
        Ok(Ready { check, run: kept(device, move || call(&x, &y)) })
    };
    Case { name: name.into(), work: 4e-9 * (arrays * LONG) as f64, unit: "GB/s", prepare: Box::new(prepare) }
}

fn sum() -> Case {
    let prepare = |device: &Device| {
        let x = uniform(&[LONG], 1, device);
        let values = x.to_vec::<f32>()?;
        let (right, size) =
            values.iter().map(|&v| f64::from(v)).fold((0.0, 0.0), |(sum, size), v| (sum + v, size + v.abs()));
        // Sums of a few hundred, then pairwise: no element goes through more than 500 roundings.
        let check = within(std::iter::once((x.sum().item::<f32>()?, right, 500.0 * UNIT * size)));
        Ok(Ready { check, run: kept(device, move || x.sum()) })
    };
    Case { name: "sum 4M".into(), work: 4e-9 * LONG as f64, unit: "GB/s", prepare: Box::new(prepare) }
}

fn softmax(rows: usize, columns: usize) -> Case {
    let prepare = move |device: &Device| {
        let x = uniform(&[rows, columns], 1, device);
        let (given, xs) = (x.softmax(-1).to_vec::<f32>()?, x.to_vec::<f32>()?);
        let terms = given.chunks(columns).zip(xs.chunks(columns)).step_by(37).flat_map(|(given, xs)| {
            let total: f64 = xs.iter().map(|&x| f64::from(x).exp()).sum();
            given.iter().zip(xs).map(move |(&given, &x)| {
                let right = f64::from(x).exp() / total;
                // exp of a difference of up to 2 costs 14 units, the sum of positive terms at most one a term, the quotient 5.
                (given, right, (columns + 33) as f64 * UNIT * right)
            })
        });
        let check = within(terms);
        Ok(Ready { check, run: kept(device, move || x.softmax(-1)) })
    };
    let work = 8e-9 * (rows * columns) as f64;
    Case { name: format!("softmax {rows}×{columns}"), work, unit: "GB/s", prepare: Box::new(prepare) }
}

/// Steps of a network of dense layers: forward, cross-entropy, backward, Adam.
fn training(name: &str, sizes: &'static [usize], batch: usize) -> Case {
    let prepare = move |device: &Device| {
        let mut learner = Learner::new(sizes, batch, device)?;
        let mut witness = Learner::new(sizes, batch, &Device::cpu())?;
        let (first, expected) = (learner.loss()?, witness.loss()?);
        for _ in 0..2 * Learner::BATCHES {
            learner.step()?;
            witness.step()?;
        }
        let (last, witnessed) = (learner.loss()?, witness.loss()?);
        // Rounding of the first loss; Adam divides by small deviations, and so enlarges that of later ones.
        let check = within([(first, f64::from(expected), 1e-5), (last, f64::from(witnessed), 1e-3)].into_iter());
        let check = check.and_then(|()| match last < first {
            true => Ok(()),
            false => Err(format!("the loss went from {first} to {last}")),
        });
        Ok(Ready { check, run: Box::new(move || learner.step()) })
    };
    Case { name: name.into(), work: batch as f64, unit: "samples/s", prepare: Box::new(prepare) }
}

struct Learner {
    net: Sequential,
    adam: Optimizer,
    batches: Vec<(Tensor, Tensor)>,
    step: usize,
}

impl Learner {
    const BATCHES: usize = 8;

    fn new(sizes: &[usize], batch: usize, device: &Device) -> Result<Learner> {
        let (inputs, classes) = (sizes.first().copied().unwrap_or(1), sizes.last().copied().unwrap_or(1));
        let mut rng = Rng::seed(0);
        let mut net = Sequential::new();
        for (layer, pair) in sizes.windows(2).enumerate() {
            if layer > 0 {
                net = net.add(Relu);
            }
            net = net.add(Linear::new(pair[0], pair[1], &mut rng, device));
        }
        // The class is the place of the largest of the first inputs: something that can be learnt.
        let x = uniform(&[Learner::BATCHES * batch, inputs], 3, &Device::cpu());
        let y = x.slice(1, 0..classes).argmax_axis(-1).to_vec::<u32>()?;
        let x = Tensor::from_vec(x.to_vec::<f32>()?, [y.len(), inputs], device);
        let y = Tensor::from_vec(y, Learner::BATCHES * batch, device);
        let rows = |i: usize| i * batch..(i + 1) * batch;
        let batches = (0..Learner::BATCHES).map(|i| (x.slice(0, rows(i)), y.slice(0, rows(i)))).collect();
        let adam = Optimizer::new(Adam::default(), net.parameters());
        Ok(Learner { net, adam, batches, step: 0 })
    }

    fn step(&mut self) -> Result<()> {
        let Some((x, y)) = self.batches.get(self.step % Learner::BATCHES) else { return Ok(()) };
        self.step += 1;
        let grads = self.net.forward(x).cross_entropy(y).backward()?;
        self.adam.step(grads).map(|_| ())
    }

    /// Mean over all batches.
    fn loss(&self) -> Result<f32> {
        let losses = self.batches.iter().map(|(x, y)| self.net.forward(x).cross_entropy(y).item::<f32>());
        Ok(losses.sum::<Result<f32>>()? / Learner::BATCHES as f32)
    }
}
