//! Fits of support vector machines on svm10k, bin200k and multi50k. The peer: `benches/peers/svm.py`.
//! `cargo bench --bench svm`

mod common;

use common::{bin200k, multi50k, svm10k};
use criterion::{Criterion, criterion_group, criterion_main};
use tilework::models::{Estimator, LinearSvc, Svc};

fn fits(c: &mut Criterion) {
    let mut group = c.benchmark_group("fit");
    group.sample_size(10);
    let (x, y) = svm10k(7500);
    group.bench_function("svc rbf svm10k", |b| b.iter(|| Svc::default().fit(&x, &y).expect("a fit")));
    let (x, y) = bin200k(150_000);
    group.bench_function("linear-svc bin200k", |b| b.iter(|| LinearSvc::default().fit(&x, &y).expect("a fit")));
    let (x, y) = multi50k(37_500);
    group.bench_function("linear-svc multi50k", |b| b.iter(|| LinearSvc::default().fit(&x, &y).expect("a fit")));
    group.finish();
}

criterion_group!(benches, fits);
criterion_main!(benches);
