//! Fits of linear models on the sets of `shared/data/DATA.md`, 150,000 rows. The peer: `benches/peers/linear.py`.
//! `cargo bench --bench linear`

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::Array2;
use tilework::models::Estimator;
use tilework::models::linear::{ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge};

const ROWS: usize = 150_000;

/// splitmix64, number `i` of a stream.
fn raw(seed: u64, i: u64) -> u64 {
    let z = seed.wrapping_add((i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

const UNIT: f64 = 1.0 / (1u64 << 53) as f64;

/// Box and Muller's normal number `k` of a stream.
fn normal(seed: u64, k: u64) -> f64 {
    let (a, b) = (raw(seed, k & !1), raw(seed, k | 1));
    let radius = (-2.0 * (((a >> 11) + 1) as f64 * UNIT).ln()).sqrt();
    let angle = 2.0 * std::f64::consts::PI * (b >> 11) as f64 * UNIT;
    radius * if k.is_multiple_of(2) { angle.cos() } else { angle.sin() }
}

fn features(seed: u64, width: usize) -> Array2<f64> {
    Array2::from_shape_fn((ROWS, width), |(i, j)| f64::from(normal(seed, (i * width + j) as u64) as f32))
}

fn fits(c: &mut Criterion) {
    let mut group = c.benchmark_group("fit");
    group.sample_size(10);
    let x = features(1001, 100);
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

    let x = features(2001, 50);
    let w: Vec<f64> = (0..50).map(|j| 0.5 * normal(2002, j)).collect();
    let odds = |i: usize| x.row(i).iter().zip(&w).map(|(x, w)| x * w).sum::<f64>() + 0.25;
    let chance = |i: usize| (raw(2003, i as u64) >> 11) as f64 * UNIT;
    let y: Vec<u32> = (0..ROWS).map(|i| u32::from(chance(i) < 1.0 / (1.0 + (-odds(i)).exp()))).collect();
    group.bench_function("logistic f64", |b| b.iter(|| LogisticRegression::default().fit(&x, &y).expect("a fit")));
    let narrow = x.mapv(|v| v as f32);
    group.bench_function("logistic f32", |b| b.iter(|| LogisticRegression::default().fit(&narrow, &y).expect("a fit")));
    drop((x, narrow));

    const MULTI: usize = 37_500;
    let labels: Vec<u32> = (0..MULTI as u64).map(|i| (raw(3003, i) % 10) as u32).collect();
    let mean = |class: u32, j: usize| 0.3 * normal(3002, u64::from(class) * 100 + j as u64);
    let x = Array2::from_shape_fn((MULTI, 100), |(i, j)| {
        f64::from((mean(labels[i], j) + normal(3001, (i * 100 + j) as u64)) as f32)
    });
    group.bench_function("softmax f64", |b| b.iter(|| LogisticRegression::default().fit(&x, &labels).expect("a fit")));
    group.finish();
}

criterion_group!(benches, fits);
criterion_main!(benches);
