//! Trees, forests and boosting against brute force, scikit-learn's numbers and what they promise.

mod boosting;
#[path = "../common/mod.rs"]
mod common;
mod device;
mod exact;
mod forests;

use ndarray::{Array2, Axis};
use tilework::data::{Dataset, Target, digits};

/// A data set in its fixed split.
struct Parts<Y> {
    x: Array2<f64>,
    y: Vec<Y>,
    test_x: Array2<f64>,
    test_y: Vec<Y>,
}

/// `tests/data/diabetes.csv` (scikit-learn's), ten features.
fn diabetes() -> Parts<f64> {
    let read = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
        let text = std::fs::read_to_string(path).unwrap();
        let rows: Vec<Vec<f64>> =
            text.lines().skip(1).map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect();
        Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
    };
    let (table, split) = (read("diabetes.csv"), read("diabetes.split.csv"));
    let (train, test): (Vec<usize>, Vec<usize>) = (0..table.nrows()).partition(|&row| split[[row, 1]] == 0.0);
    let part = |rows: &[usize]| {
        let part = table.select(Axis(0), rows);
        (part.slice(ndarray::s![.., ..10]).to_owned(), part.column(10).to_vec())
    };
    let ((x, y), (test_x, test_y)) = (part(&train), part(&test));
    Parts { x, y, test_x, test_y }
}

/// The embedded digits, pixels 0 to 1.
fn images() -> Parts<u32> {
    let digits = digits().unwrap();
    let part = |data: &Dataset| {
        let x = Array2::from_shape_vec((data.rows(), 64), data.features().iter().map(|&v| f64::from(v)).collect());
        let Target::Labels(labels) = data.target() else { panic!("digits are classes") };
        (x.unwrap(), labels.clone())
    };
    let ((x, y), (test_x, test_y)) = (part(&digits.train), part(&digits.test));
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
