//! One prediction of a trained network, from a row of numbers to its outputs, and first what it consists of. For the big network
//! also how long its weights take to come from where they lie: the least that a prediction can take.
//! Traced: the network recorded once. `cargo bench --bench inference`; beside PyTorch: `benches/peers/tensors.sh inference`

mod common;

use criterion::{BenchmarkId, Criterion, criterion_group};
use pulp::{Arch, Simd, WithSimd};
use std::hint::black_box;
use std::time::Instant;
use tilework::nn::{Linear, Module, Relu, Sequential};
use tilework::{Device, Rng, Tensor, Traced, no_grad};

/// Name and layers.
type Case = (&'static str, &'static [usize]);

const CASES: [Case; 2] = [("small", &[64, 64, 32, 10]), ("big", &[784, 512, 512, 10])];

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

fn predict(net: &Sequential, row: &[f32], device: &Device) -> Vec<f32> {
    no_grad(|| net.forward(&Tensor::from_slice(row, [1, row.len()], device))).to_vec().expect("a prediction")
}

fn traced(net: &Sequential, width: usize, device: &Device) -> Traced {
    Traced::new(&[&Tensor::zeros([1, width], device)], |x| net.forward(&x[0])).expect("a function of its input")
}

fn predict_traced(net: &Traced, row: &[f32], device: &Device) -> Vec<f32> {
    let y = net.run(&[&Tensor::from_slice(row, [1, row.len()], device)]).expect("a prediction");
    y.to_vec().expect("its values")
}

/// Prints the medians of what a prediction consists of: upload, recording, finding its plan, running it, reading.
fn parts((name, sizes): Case, device: &Device) {
    let (net, row) = (network(sizes, device), vec![0.5f32; sizes[0]]);
    (0..100).for_each(|_| drop(predict(&net, &row, device)));
    let mut all: [Vec<f64>; 6] = Default::default();
    for _ in 0..5000 {
        let (before, began) = (device.stats(), Instant::now());
        let micros = || began.elapsed().as_secs_f64() * 1e6;
        let x = Tensor::from_slice(&row, [1, row.len()], device);
        let uploaded = micros();
        let y = no_grad(|| net.forward(&x));
        let recorded = micros();
        black_box(y.to_vec::<f32>().expect("a prediction"));
        let read = micros();
        let after = device.stats();
        let planning = (after.planning_ns - before.planning_ns) as f64 / 1e3;
        let running = (after.running_ns - before.running_ns) as f64 / 1e3;
        let reading = read - recorded - planning - running;
        for (all, part) in all.iter_mut().zip([read, uploaded, recorded - uploaded, planning, running, reading]) {
            all.push(part);
        }
    }
    let [whole, upload, recording, planning, running, reading] = all.map(median);
    println!(
        "{name:6} {}: {whole:6.2} µs = upload {upload:.2} + recording {recording:.2} + planning {planning:.2} + running \
         {running:.2} + reading {reading:.2}",
        device.kind()
    );
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// The sum of what lies in a slice, by eight chains of vectors: as fast as it can be read.
struct Read<'a>(&'a [f32]);

impl WithSimd for Read<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (vectors, _) = S::as_simd_f32s(self.0);
        let mut sums = [simd.splat_f32s(0.0); 8];
        for vectors in vectors.as_chunks::<8>().0 {
            for (sum, x) in sums.iter_mut().zip(vectors) {
                *sum = simd.add_f32s(*sum, *x);
            }
        }
        sums.into_iter().map(|sum| simd.reduce_sum_f32s(sum)).sum()
    }
}

fn inference(c: &mut Criterion) {
    let device = Device::cpu();
    CASES.iter().for_each(|case| parts(*case, &device));
    let mut group = c.benchmark_group("inference");
    for (name, sizes) in CASES {
        let (net, row) = (network(sizes, &device), vec![0.5f32; sizes[0]]);
        group.bench_function(BenchmarkId::new(name, device.kind()), |b| b.iter(|| predict(&net, &row, &device)));
        let once = traced(&net, sizes[0], &device);
        group.bench_function(BenchmarkId::new(name, "traced"), |b| b.iter(|| predict_traced(&once, &row, &device)));
        let weights: Vec<Vec<f32>> =
            net.parameters().iter().map(|(_, p)| p.tensor().to_vec().expect("weights")).collect();
        let arch = Arch::new();
        group.bench_function(BenchmarkId::new(name, "weights read by one thread"), |b| {
            b.iter(|| weights.iter().map(|w| arch.dispatch(Read(w))).sum::<f32>());
        });
        let halves: Vec<(&[f32], &[f32])> = weights.iter().map(|w| w.split_at(w.len() / 2)).collect();
        group.bench_function(BenchmarkId::new(name, "weights read by two threads"), |b| {
            let read = |halves: &mut dyn Iterator<Item = &&[f32]>| halves.map(|w| arch.dispatch(Read(w))).sum::<f32>();
            let (left, right): (Vec<&[f32]>, Vec<&[f32]>) = halves.iter().copied().unzip();
            b.iter(|| rayon::join(|| read(&mut left.iter()), || read(&mut right.iter())));
        });
    }
    group.finish();
}

/// A prediction of the network of this name, perhaps traced.
fn asked(name: &str) -> Box<dyn FnMut()> {
    let (_, sizes) = CASES.into_iter().find(|case| name.starts_with(case.0)).expect("small or big");
    let device = Device::cpu();
    let (net, row) = (network(sizes, &device), vec![0.5f32; sizes[0]]);
    if name.ends_with("traced") {
        let net = traced(&net, sizes[0], &device);
        return Box::new(move || drop(black_box(predict_traced(&net, &row, &device))));
    }
    Box::new(move || drop(black_box(predict(&net, &row, &device))))
}

criterion_group!(benches, inference);

fn main() {
    if !common::beside::answers(asked) {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
