//! k-means and principal components on multi50k, reg200k and digits. The peer: `benches/peers/cluster.py`.
//! `cargo bench --bench cluster`

mod common;

use common::{features, multi50k};
use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::Array2;
use tilework::models::prepare::Transformer;
use tilework::models::{Components, KMeans, Pca, Start};

fn fits(c: &mut Criterion) {
    let mut group = c.benchmark_group("fit");
    group.sample_size(20);
    let pca = Pca { n_components: Some(Components::Count(10)), ..Pca::default() };
    let (x, _) = multi50k(37_500);
    let first = x.rows().into_iter().take(10).flat_map(|row| row.to_vec()).collect();
    let k_means = KMeans { n_clusters: 10, init: Start::Given(first), tol: 0.0, ..KMeans::default() };
    group.bench_function("k-means multi50k", |b| b.iter(|| k_means.fit(&x).expect("a fit")));
    group.bench_function("pca multi50k", |b| b.iter(|| pca.fit(&x).expect("a fit")));
    let x = features(1001, 150_000, 100);
    group.bench_function("pca reg200k", |b| b.iter(|| pca.fit(&x).expect("a fit")));
    let digits = tilework::data::digits().expect("part of the crate").train;
    let x = Array2::from_shape_fn((digits.rows(), 64), |(i, j)| 16.0 * f64::from(digits.features()[i * 64 + j]));
    group.bench_function("pca digits", |b| b.iter(|| pca.fit(&x).expect("a fit")));
    let k_means = KMeans { n_clusters: 10, n_init: Some(10), ..KMeans::default() };
    group.bench_function("k-means digits", |b| b.iter(|| k_means.fit(&x).expect("a fit")));
    group.finish();
}

criterion_group!(benches, fits);
criterion_main!(benches);
