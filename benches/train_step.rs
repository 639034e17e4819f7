//! A training step (forward, cross-entropy, backward, Adam) of the two reference networks, on each device (a CPU that plays a GPU
//! is left out), and first what it consists of. `cargo bench --bench train_step`; beside PyTorch and JAX:
//! `benches/peers/tensors.sh train_step`

mod common;

use criterion::{BenchmarkId, Criterion, criterion_group};
use std::time::Instant;
use tilework::nn::{Linear, Module, Relu, Sequential};
use tilework::optim::{Adam, Optimizer, TracedStep};
use tilework::{Device, Rng, Tensor};

/// Name, layers and batch.
type Case = (&'static str, &'static [usize], usize);

const CASES: [Case; 4] = [
    ("small_b32", &[64, 64, 32, 10], 32),
    ("big_b32", &[784, 512, 256, 10], 32),
    ("big_b128", &[784, 512, 256, 10], 128),
    ("big_b1024", &[784, 512, 256, 10], 1024),
];

fn network(sizes: &[usize], device: &Device) -> Sequential {
    let rng = &mut Rng::seed(0);
    let mut net = Sequential::new();
    for (l, pair) in sizes.windows(2).enumerate() {
        net = net.add(Linear::new(pair[0], pair[1], rng, device));
        if l + 2 < sizes.len() {
            net = net.add(Relu);
        }
    }
    net
}

/// A network in training.
struct Learner {
    net: Sequential,
    adam: Optimizer,
    x: Tensor,
    y: Tensor,
    batch: usize,
    step: usize,
}

impl Learner {
    const BATCHES: usize = 8;

    fn new((_, sizes, batch): Case, device: &Device) -> Learner {
        let net = network(sizes, device);
        let rows = Learner::BATCHES * batch;
        let x = Tensor::uniform([rows, sizes[0]], 0.0, 1.0, &mut Rng::seed(1), device);
        let y = Tensor::from_vec((0..rows as u32).map(|i| i % 10).collect::<Vec<u32>>(), rows, device);
        let adam = Optimizer::new(Adam::default(), net.parameters());
        Learner { net, adam, x, y, batch, step: 0 }
    }

    /// One step; `mark` is called after forward, after backward and after the optimizer.
    fn step(&mut self, mut mark: impl FnMut(usize)) {
        let start = self.step % Learner::BATCHES * self.batch;
        self.step += 1;
        let rows = start..start + self.batch;
        let loss = self.net.forward(&self.x.slice(0, rows.clone())).cross_entropy(&self.y.slice(0, rows));
        mark(0);
        let grads = loss.backward().expect("a gradient");
        mark(1);
        self.adam.step(grads).expect("a step runs");
        mark(2);
    }
}

/// The same step, recorded once.
struct Traced {
    learner: Learner,
    step: TracedStep,
}

impl Traced {
    fn new(case: Case, device: &Device) -> Traced {
        let Learner { net, mut adam, x, y, batch, step } = Learner::new(case, device);
        let examples = [&x.slice(0, 0..batch), &y.slice(0, 0..batch)];
        let traced = TracedStep::new(&mut adam, &examples, |b| net.forward(&b[0]).cross_entropy(&b[1]));
        Traced { step: traced.expect("a function of the batch"), learner: Learner { net, adam, x, y, batch, step } }
    }

    fn step(&mut self) {
        let Learner { adam, x, y, batch, step, .. } = &mut self.learner;
        let start = *step % Learner::BATCHES * *batch;
        *step += 1;
        let rows = start..start + *batch;
        let loss = self.step.run(adam, &[&x.slice(0, rows.clone()), &y.slice(0, rows)]);
        drop(loss.expect("a step runs"));
    }
}

/// Prints the medians of what a step consists of: recording its three parts, finding its plan, running it.
fn parts(case: Case, device: &Device) {
    let mut learner = Learner::new(case, device);
    (0..20).for_each(|_| learner.step(|_| ()));
    let mut all: [Vec<f64>; 6] = Default::default();
    for _ in 0..samples(case) {
        let (before, began) = (device.stats(), Instant::now());
        let mut ends = [0.0; 3];
        learner.step(|part| ends[part] = began.elapsed().as_secs_f64() * 1e6);
        let after = device.stats();
        let planning = (after.planning_ns - before.planning_ns) as f64 / 1e3;
        let running = (after.running_ns - before.running_ns) as f64 / 1e3;
        let optimizer = ends[2] - ends[1] - planning - running;
        for (all, part) in all.iter_mut().zip([ends[0], ends[1] - ends[0], optimizer, planning, running, ends[2]]) {
            all.push(part);
        }
    }
    let [forward, backward, optimizer, planning, running, whole] = all.map(median);
    println!(
        "{:10} {}: {whole:8.1} µs = recording {:.1} (forward {forward:.1}, backward {backward:.1}, optimizer {optimizer:.1}) \
         + planning {planning:.1} + running {running:.1}",
        case.0,
        device.kind(),
        forward + backward + optimizer,
    );
}

/// The same of a traced step: binding a batch and the state, and running the plan.
fn parts_traced(case: Case, device: &Device) {
    let mut traced = Traced::new(case, device);
    (0..20).for_each(|_| traced.step());
    let mut all: [Vec<f64>; 3] = Default::default();
    for _ in 0..samples(case) {
        let (before, began) = (device.stats().running_ns, Instant::now());
        traced.step();
        let whole = began.elapsed().as_secs_f64() * 1e6;
        let running = (device.stats().running_ns - before) as f64 / 1e3;
        for (all, part) in all.iter_mut().zip([whole, whole - running, running]) {
            all.push(part);
        }
    }
    let [whole, binding, running] = all.map(median);
    println!("{:10} {}: {whole:8.1} µs = binding {binding:.1} + running {running:.1}, traced", case.0, device.kind());
}

fn samples((_, sizes, batch): Case) -> usize {
    (300_000 / (sizes[0] * batch)).clamp(20, 3000)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn train_step(c: &mut Criterion) {
    let devices = || std::iter::once(Device::cpu()).chain(Device::gpu().ok().filter(|gpu| !gpu.is_software()));
    for device in devices() {
        for case in CASES {
            parts(case, &device);
            parts_traced(case, &device);
        }
    }
    let mut group = c.benchmark_group("train_step");
    for device in devices() {
        for case in CASES {
            let mut learner = Learner::new(case, &device);
            group.bench_function(BenchmarkId::new(case.0, device.kind()), |b| {
                b.iter(|| learner.step(|_| ()));
                learner.net.parameters()[0].1.tensor().to_vec::<f32>().expect("the queued steps ran");
            });
            let mut traced = Traced::new(case, &device);
            group.bench_function(BenchmarkId::new(format!("{}, traced", case.0), device.kind()), |b| {
                b.iter(|| traced.step());
                traced.learner.net.parameters()[0].1.tensor().to_vec::<f32>().expect("the queued steps ran");
            });
        }
    }
    group.finish();
}

/// A step of the case of this name, traced or not.
fn asked(name: &str) -> Box<dyn FnMut()> {
    let (of, traced) = name.strip_suffix(", traced").map_or((name, false), |of| (of, true));
    let case = CASES.into_iter().find(|case| case.0 == of).expect("a case of this name");
    if traced {
        let mut traced = Traced::new(case, &Device::cpu());
        return Box::new(move || traced.step());
    }
    let mut learner = Learner::new(case, &Device::cpu());
    Box::new(move || learner.step(|_| ()))
}

criterion_group!(benches, train_step);

fn main() {
    if !common::beside::answers(asked) {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
