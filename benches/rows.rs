//! Reductions, softmax, norms, cross-entropy, gathers and sorts on each device. `cargo bench --bench rows`

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tilework::{Device, Rng, Tensor};

/// A name, the arrays that it reads and writes at least, and the operation on `x`, `[rows, 1024]`, and row numbers.
type Case = (&'static str, u64, fn(&Tensor, &Tensor) -> Tensor);

const CASES: [Case; 8] = [
    ("sum of all", 1, |x, _| x.sum()),
    ("sum of rows", 1, |x, _| x.sum_axes(&[-1])),
    ("sum of columns", 1, |x, _| x.sum_axes(&[0])),
    ("softmax", 2, |x, _| x.softmax(-1)),
    ("argmax", 1, |x, _| x.argmax_axis(-1)),
    ("cumsum", 2, |x, _| x.cumsum(-1)),
    ("cross-entropy", 1, |x, rows| x.cross_entropy(rows)),
    ("rows gathered", 2, |x, rows| x.index_select(0, rows)),
];

fn rows(c: &mut Criterion) {
    for device in std::iter::once(Device::cpu()).chain(Device::gpu()) {
        let mut group = c.benchmark_group(format!("rows/{}", device.kind()));
        for rows in [64usize, 4096] {
            let x = Tensor::uniform([rows, 1024], -1.0, 1.0, &mut Rng::seed(1), &device);
            // Each is a row and a class.
            let numbers: Vec<u32> = (0..rows as u32).map(|i| i * 37 % rows.min(1024) as u32).collect();
            let numbers = Tensor::from_vec(numbers, rows, &device);
            for (name, arrays, operation) in CASES {
                group.throughput(Throughput::Bytes(4 * arrays * 1024 * rows as u64));
                group.bench_function(BenchmarkId::new(name, rows), |b| {
                    b.iter(|| {
                        let held = operation(&x, &numbers);
                        held.check().expect("shapes fit");
                        device.synchronize().expect("it ran");
                    });
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, rows);
criterion_main!(benches);
