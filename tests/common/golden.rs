//! Data sets and numbers of scikit-learn in `tests/data`.

#![allow(dead_code, reason = "no file uses all of it")]

use ndarray::{Array2, Axis};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tilework::data::{Dataset, Target};

pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

pub fn json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap()
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// Features, and the last column.
pub fn csv(name: &str) -> (Array2<f64>, Vec<f64>) {
    let text = std::fs::read_to_string(path(&format!("{name}.csv"))).unwrap();
    let rows: Vec<Vec<f64>> =
        text.lines().skip(1).map(|line| line.split(',').map(|v| v.parse().unwrap()).collect()).collect();
    let width = rows[0].len() - 1;
    let x = Array2::from_shape_fn((rows.len(), width), |(i, j)| rows[i][j]);
    (x, rows.iter().map(|row| row[width]).collect())
}

/// The embedded digits, pixels 0 to 1: features and labels of the fixed training part, then those of the test part.
pub fn digits() -> [(Array2<f64>, Vec<u32>); 2] {
    let digits = tilework::data::digits().unwrap();
    [digits.train, digits.test].map(|part: Dataset| {
        let x = Array2::from_shape_vec((part.rows(), 64), part.features().iter().map(|&v| f64::from(v)).collect());
        let Target::Labels(labels) = part.target() else { panic!("digits are classes") };
        (x.unwrap(), labels.clone())
    })
}

/// The rows of the fixed training part, and of the test part.
pub fn split(name: &str) -> (Vec<usize>, Vec<usize>) {
    let text = std::fs::read_to_string(path(&format!("{name}.split.csv"))).unwrap();
    let is_test: Vec<bool> = text.lines().skip(1).map(|line| line.split(',').nth(1) == Some("1")).collect();
    (0..is_test.len()).partition(|&row| !is_test[row])
}

pub fn labels(y: &[f64]) -> Vec<u32> {
    y.iter().map(|&v| v as u32).collect()
}

/// By mean and deviation of `of`.
pub fn standardised(x: &Array2<f64>, of: &Array2<f64>) -> Array2<f64> {
    (x - &of.mean_axis(Axis(0)).unwrap()) / &of.std_axis(Axis(0), 0.0)
}

pub fn at<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|&row| values[row]).collect()
}

pub fn share_right(left: &[u32], right: &[u32]) -> f64 {
    left.iter().zip(right).filter(|(l, r)| l == r).count() as f64 / left.len() as f64
}

pub fn close(what: &str, got: impl IntoIterator<Item = f64>, exact: &[f64], tolerance: f64) {
    let got: Vec<f64> = got.into_iter().collect();
    assert_eq!(got.len(), exact.len(), "{what}");
    for (i, (got, exact)) in got.iter().zip(exact).enumerate() {
        assert!((got - exact).abs() <= tolerance * (1.0 + exact.abs()), "{what}: {got} is not {exact} at {i}");
    }
}

/// iris as `golden_models.py` cuts it: every third row tests.
pub struct Iris {
    pub x: Array2<f64>,
    pub y: Vec<u32>,
    pub test: Array2<f64>,
    /// Weights of the training rows.
    pub weights: Vec<f64>,
    /// The first three features, and the fourth as a target.
    pub three: Array2<f64>,
    pub target: Vec<f64>,
    pub test_three: Array2<f64>,
}

pub fn iris() -> Iris {
    let (x, y) = csv("iris");
    let (test, train): (Vec<usize>, Vec<usize>) = (0..150).partition(|row| row % 3 == 0);
    let three = |x: &Array2<f64>| x.select(Axis(1), &[0, 1, 2]);
    let (of_train, of_test) = (x.select(Axis(0), &train), x.select(Axis(0), &test));
    Iris {
        three: three(&of_train),
        target: of_train.column(3).to_vec(),
        test_three: three(&of_test),
        y: labels(&at(&y, &train)),
        weights: (0..100).map(|i| 0.5 + f64::from(i % 4)).collect(),
        x: of_train,
        test: of_test,
    }
}
