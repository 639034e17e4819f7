//! Fits of trees, forests and boosting on `tab100k`: 75,000 rows of 30 features, made by a recipe in splitmix64.
//! `cargo bench --bench trees`; `TILEWORK_THREADS=1` keeps to one thread. The peers: `benches/peers/trees.py`.
//! Scores on the other 25,000 rows are printed first.

mod common;

use common::tab100k;
use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::s;
use std::hint::black_box;
use tilework::metrics::{accuracy, r2};
use tilework::models::{
    DecisionTreeClassifier, DecisionTreeRegressor, EarlyStop, Estimator, ExtraTreesClassifier,
    HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier,
};

const ROWS: usize = 100_000;
const TRAIN: usize = 75_000;

fn fits(c: &mut Criterion) {
    let (x, scores) = tab100k(0, ROWS);
    let labels: Vec<u32> = scores.iter().map(|&score| u32::from(score > 0.0)).collect();
    let values: Vec<f64> = scores.iter().map(|&score| f64::from(score as f32)).collect();
    let (train, test) = (x.slice(s![..TRAIN, ..]), x.slice(s![TRAIN.., ..]));
    let (train_labels, test_labels) = labels.split_at(TRAIN);
    let (train_values, test_values) = values.split_at(TRAIN);
    let early_stopping = EarlyStop::When(false);

    let mut group = c.benchmark_group("tab100k");
    group.sample_size(10);
    macro_rules! fit {
        ($name:literal, $settings:expr, $answers:expr, $truth:expr, $score:ident) => {
            let model = $settings.fit(train, $answers).expect("it fits");
            println!("{}: {:.4}", $name, $score($truth, &model.predict(test).expect("it predicts")).expect("a score"));
            group.bench_function($name, |b| b.iter(|| black_box($settings.fit(train, $answers))));
        };
    }
    let boosting = HistGradientBoostingClassifier { early_stopping, ..Default::default() };
    fit!("boosting", boosting, train_labels, test_labels, accuracy);
    let boosting = HistGradientBoostingRegressor { early_stopping, ..Default::default() };
    fit!("boosting_values", boosting, train_values, test_values, r2);
    fit!("tree", DecisionTreeClassifier::default(), train_labels, test_labels, accuracy);
    fit!("tree_values", DecisionTreeRegressor::default(), train_values, test_values, r2);
    fit!("forest", RandomForestClassifier::default(), train_labels, test_labels, accuracy);
    fit!("extra_trees", ExtraTreesClassifier::default(), train_labels, test_labels, accuracy);
    group.finish();
}

criterion_group!(benches, fits);
criterion_main!(benches);
