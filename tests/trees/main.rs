//! Trees, forests and boosting against brute force, scikit-learn's numbers and what they promise.

mod boosting;
#[path = "../common/mod.rs"]
mod common;
mod device;
mod exact;
mod forests;
#[path = "../common/golden.rs"]
mod golden;

use golden::{at, csv, digits, split};
use ndarray::{Array2, Axis};

/// A data set in its fixed split.
struct Parts<Y> {
    x: Array2<f64>,
    y: Vec<Y>,
    test_x: Array2<f64>,
    test_y: Vec<Y>,
}

/// `tests/data/NAME.csv` (scikit-learn's), the last column as the answer.
fn parts<Y: Copy>(name: &str, answer: impl Fn(f64) -> Y) -> Parts<Y> {
    let (x, y) = csv(name);
    let y: Vec<Y> = y.into_iter().map(answer).collect();
    let (train, test) = split(name);
    let part = |rows: &[usize]| (x.select(Axis(0), rows), at(&y, rows));
    let ((x, y), (test_x, test_y)) = (part(&train), part(&test));
    Parts { x, y, test_x, test_y }
}

/// Ten features and a number.
fn diabetes() -> Parts<f64> {
    parts("diabetes", |y| y)
}

/// Thirty features and two classes.
fn breast_cancer() -> Parts<u32> {
    parts("breast_cancer", |y| y as u32)
}

fn images() -> Parts<u32> {
    let [(x, y), (test_x, test_y)] = digits();
    Parts { x, y, test_x, test_y }
}

fn accuracy(told: &[u32], truth: &[u32]) -> f64 {
    told.iter().zip(truth).filter(|(a, b)| a == b).count() as f64 / truth.len() as f64
}

fn r2(told: &[f64], truth: &[f64]) -> f64 {
    let mean = truth.iter().sum::<f64>() / truth.len() as f64;
    let rest: f64 = told.iter().zip(truth).map(|(a, b)| (a - b) * (a - b)).sum();
    1.0 - rest / truth.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>()
}

/// Runs on one thread and on three, and expects the same.
fn on_any_threads<T: PartialEq + std::fmt::Debug + Send>(run: impl Fn() -> T + Sync) -> T {
    let on = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(&run);
    let one = on(1);
    assert!(one == on(3), "threads change the result");
    one
}
