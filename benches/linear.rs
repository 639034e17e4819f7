//! Fits of linear models on synthetic sets of 150,000 rows. The peer: `benches/peers/linear.py`.
//! `cargo bench --bench linear`

mod common;

use common::{bin200k, features, multi50k, normal};
use criterion::{Criterion, criterion_group, criterion_main};
use tilework::models::Estimator;
use tilework::models::linear::{ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge};

const ROWS: usize = 150_000;

fn fits(c: &mut Criterion) {
    let mut group = c.benchmark_group("fit");
    group.sample_size(10);
    let x = features(1001, ROWS, 100);
    let w: Vec<f64> = (0..100).map(|j| if j < 20 { 3.0 * normal(1002, j) } else { 0.0 }).collect();
    let plane = |i: usize| x.row(i).iter().zip(&w).map(|(x, w)| x * w).sum::<f64>();
    let y: Vec<f64> = (0..ROWS).map(|i| f64::from((plane(i) + 5.0 + 2.0 * normal(1003, i as u64)) as f32)).collect();
    let narrow = x.mapv(|v| v as f32);
    let net = ElasticNet { alpha: 0.1, ..ElasticNet::default() };
    group.bench_function("linear f64", |b| b.iter(|| LinearRegression::default().fit(&x, &y).expect("a fit")));
    group.bench_function("linear f32", |b| b.iter(|| LinearRegression::default().fit(&narrow, &y).expect("a fit")));
    group.bench_function("ridge f64", |b| b.iter(|| Ridge::default().fit(&x, &y).expect("a fit")));
    group.bench_function("ridge f32", |b| b.iter(|| Ridge::default().fit(&narrow, &y).expect("a fit")));
    group.bench_function("lasso f64", |b| {
        b.iter(|| Lasso { alpha: 0.1, ..Lasso::default() }.fit(&x, &y).expect("a fit"));
    });
    group.bench_function("elastic-net f64", |b| b.iter(|| net.fit(&x, &y).expect("a fit")));
    drop((x, narrow));

    let (x, y) = bin200k(ROWS);
    group.bench_function("logistic f64", |b| b.iter(|| LogisticRegression::default().fit(&x, &y).expect("a fit")));
    let narrow = x.mapv(|v| v as f32);
    group.bench_function("logistic f32", |b| b.iter(|| LogisticRegression::default().fit(&narrow, &y).expect("a fit")));
    drop((x, narrow));

    let (x, labels) = multi50k(37_500);
    group.bench_function("softmax f64", |b| b.iter(|| LogisticRegression::default().fit(&x, &labels).expect("a fit")));
    group.finish();
}

criterion_group!(benches, fits);
criterion_main!(benches);
