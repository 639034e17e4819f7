//! Element-wise formulas on each device, from within caches to beyond them. `cargo bench --bench elementwise`

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tilework::{Device, Rng, Tensor};

/// A formula, and the arrays that it reads and writes.
type Case = (&'static str, u64, fn(&Tensor, &Tensor) -> Tensor);

const CASES: [Case; 5] = [
    ("relu(2x+y)", 3, |x, y| (x * 2.0 + y).relu()),
    ("exp", 2, |x, _| x.exp()),
    ("tanh", 2, |x, _| x.tanh()),
    ("gelu", 2, |x, _| x.gelu()),
    ("row added", 2, |x, _| x.reshape([x.numel() / 1024, 1024]) + x.slice(0, 0..1024)),
];

fn elementwise(c: &mut Criterion) {
    for device in std::iter::once(Device::cpu()).chain(Device::gpu()) {
        let mut group = c.benchmark_group(format!("elementwise/{}", device.kind()));
        for elements in [1usize << 14, 1 << 20, 1 << 24] {
            let uniform = |seed| Tensor::uniform(elements, -1.0, 1.0, &mut Rng::seed(seed), &device);
            let (x, y) = (uniform(1), uniform(2));
            for (name, arrays, formula) in CASES {
                group.throughput(Throughput::Bytes(4 * arrays * elements as u64));
                group.bench_function(BenchmarkId::new(name, elements), |b| {
                    b.iter(|| {
                        let held = formula(&x, &y);
                        held.check().expect("shapes fit");
                        device.synchronize().expect("it ran");
                    });
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, elementwise);
criterion_main!(benches);
