//! What training takes at its peak beside its data (features and answers in f64, which the caller holds), each case in a process
//! of its own, since memory that is given back may stay with it. Linux: the kernel keeps the peak. `cargo bench --bench memory`

mod common;

use common::{bin200k, features, multi50k, tab100k};
use ndarray::Array2;
use std::process::Command;
use std::{env, fs};
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

/// By hundred features, or a thousand.
fn numbers(width: usize, fit: impl FnOnce(&Array2<f64>, &[f64], usize)) {
    let x = features(1001, 15_000_000 / width, width);
    let y = x.column(0).to_vec();
    fit(&x, &y, 8 * (x.len() + y.len()));
}

/// Boosting's set: its features, scores and bytes.
fn tab(fit: impl FnOnce(&Array2<f64>, &[f64], usize)) {
    let (x, values) = tab100k(0, 75_000);
    fit(&x, &values, 8 * (x.len() + values.len()));
}

const CASES: [fn(); 9] = [
    || numbers(100, |x, y, data| measure("least squares", data, || LinearRegression::default().fit(x, y))),
    || numbers(100, |x, y, data| measure("ridge", data, || Ridge::default().fit(x, y))),
    || numbers(100, |x, y, data| measure("lasso", data, || Lasso { alpha: 0.1, ..Lasso::default() }.fit(x, y))),
    || {
        numbers(1000, |x, y, data| {
            measure("least squares, 1,000 features", data, || LinearRegression::default().fit(x, y))
        })
    },
    || numbers(1000, |x, y, data| measure("ridge, 1,000 features", data, || Ridge::default().fit(x, y))),
    || {
        let (x, y) = bin200k(150_000);
        measure("logistic", 8 * (x.len() + y.len()), || LogisticRegression::default().fit(&x, &y));
    },
    || {
        let (x, y) = multi50k(37_500);
        measure("softmax", 8 * (x.len() + y.len()), || LogisticRegression::default().fit(&x, &y));
    },
    || {
        tab(|x, values, data| {
            let labels: Vec<u32> = values.iter().map(|&score| u32::from(score > 0.0)).collect();
            let model = HistGradientBoostingClassifier { early_stopping: EarlyStop::When(false), ..Default::default() };
            measure("boosting", data, || model.fit(x, &labels));
        });
    },
    || {
        tab(|x, values, data| {
            let model = HistGradientBoostingRegressor { early_stopping: EarlyStop::When(false), ..Default::default() };
            measure("boosting, numbers", data, || model.fit(x, values));
        });
    },
];

fn main() {
    let asked = env::args().find_map(|arg| arg.strip_prefix("case=")?.parse::<usize>().ok());
    if let Some(case) = asked.and_then(|case| CASES.get(case)) {
        return case();
    }
    let program = env::current_exe().expect("the program's path");
    for case in 0..CASES.len() {
        let status = Command::new(&program).arg(format!("case={case}")).status().expect("a process of its own");
        assert!(status.success(), "case {case} failed");
    }
}
