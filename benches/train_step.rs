//! A training step (forward, cross-entropy, backward, Adam) of the two reference networks, on each device.
//! `cargo bench --bench train_step`

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tilework::nn::{Linear, Module, Relu, Sequential};
use tilework::optim::{Adam, Optimizer};
use tilework::{Device, Rng, Tensor};

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

fn train_step(c: &mut Criterion) {
    let mut group = c.benchmark_group("train_step");
    for device in std::iter::once(Device::cpu()).chain(Device::gpu()) {
        for (name, sizes, batch) in [
            ("small_b32", &[64, 64, 32, 10][..], 32),
            ("big_b32", &[784, 512, 256, 10][..], 32),
            ("big_b128", &[784, 512, 256, 10][..], 128),
        ] {
            let net = network(sizes, &device);
            let rows = 8 * batch;
            let x = Tensor::uniform([rows, sizes[0]], 0.0, 1.0, &mut Rng::seed(1), &device);
            let y = Tensor::from_vec((0..rows as u32).map(|i| i % 10).collect::<Vec<u32>>(), rows, &device);
            let mut adam = Optimizer::new(Adam::default(), net.parameters());
            let mut step = 0;
            group.bench_function(BenchmarkId::new(name, device.kind()), |b| {
                b.iter(|| {
                    let start = step % 8 * batch;
                    step += 1;
                    let x = x.slice(0, start..start + batch);
                    let loss = net.forward(&x).cross_entropy(&y.slice(0, start..start + batch));
                    loss.backward().and_then(|grads| adam.step(grads)).expect("a step runs");
                });
                net.parameters()[0].1.tensor().to_vec::<f32>().expect("the queued steps ran");
            });
        }
    }
    group.finish();
}

criterion_group!(benches, train_step);
criterion_main!(benches);
