//! What training takes at its peak beside its data (features and answers in f64, which the caller holds). Linux: the kernel
//! keeps the peak. `cargo bench --bench memory`

mod common;

use common::{bin200k, features, multi50k, tab100k};
use std::fs;
use tilework::models::linear::{Lasso, LinearRegression, LogisticRegression, Ridge};
use tilework::models::{EarlyStop, Estimator, HistGradientBoostingClassifier, HistGradientBoostingRegressor};

/// A line of the kernel's account of this process, in bytes.
fn bytes(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib * 1024.0)
}

fn measure<M>(name: &str, data: usize, fit: impl FnOnce() -> tilework::Result<M>) {
    let _ = fs::write("/proc/self/clear_refs", "5"); // the peak begins anew
    let before = bytes("VmRSS");
    let model = fit().expect("it fits");
    let more = bytes("VmHWM") - before;
    drop(model);
    let data = data as f64;
    println!(
        "{name}: data {:.0} MB, training {:.0} MB more: {:.2} times the data in all",
        data / 1e6,
        more / 1e6,
        1.0 + more / data
    );
}

fn main() {
    let x = features(1001, 150_000, 100);
    let y = x.column(0).to_vec();
    let data = 8 * (x.len() + y.len());
    measure("least squares", data, || LinearRegression::default().fit(&x, &y));
    measure("ridge", data, || Ridge::default().fit(&x, &y));
    measure("lasso", data, || Lasso { alpha: 0.1, ..Lasso::default() }.fit(&x, &y));
    drop((x, y));
    let x = features(1001, 15_000, 1_000);
    let y = x.column(0).to_vec();
    let data = 8 * (x.len() + y.len());
    measure("least squares, 1,000 features", data, || LinearRegression::default().fit(&x, &y));
    measure("ridge, 1,000 features", data, || Ridge::default().fit(&x, &y));
    drop((x, y));
    let (x, y) = bin200k(150_000);
    measure("logistic", 8 * (x.len() + y.len()), || LogisticRegression::default().fit(&x, &y));
    drop((x, y));
    let (x, y) = multi50k(37_500);
    measure("softmax", 8 * (x.len() + y.len()), || LogisticRegression::default().fit(&x, &y));
    drop((x, y));
    let (x, values) = tab100k(0, 75_000);
    let labels: Vec<u32> = values.iter().map(|&score| u32::from(score > 0.0)).collect();
    let early_stopping = EarlyStop::When(false);
    let data = 8 * (x.len() + values.len());
    let classes = HistGradientBoostingClassifier { early_stopping, ..Default::default() };
    measure("boosting", data, || classes.fit(&x, &labels));
    let numbers = HistGradientBoostingRegressor { early_stopping, ..Default::default() };
    measure("boosting, numbers", data, || numbers.fit(&x, &values));
}
