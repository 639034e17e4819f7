//! A sparse matrix is learnt from as the dense one that it is.

use super::{close, fit_with};
use ndarray::Array2;
use serde_json::{Map, Value, json};
use tilework::Rng;
use tilework::data::{Matrix, Sparse};
use tilework::models::selection::{KFold, OnProblem, cross_validate, score, silent};
use tilework::models::{MODELS, Model, Prediction, Predicts, Problem, Row, load, save};

/// Counts of which two in three are 0, with answers that hang on them.
struct Counts {
    x: Array2<f64>,
    values: Vec<f64>,
    labels: Vec<u32>,
    weights: Vec<f64>,
}

fn counts(rows: usize, width: usize, classes: u32, seed: u64) -> Counts {
    let noise = Rng::seed(seed).normals(rows * (width + 1));
    let labels: Vec<u32> = (0..rows as u32).map(|row| row % classes).collect();
    let x = Array2::from_shape_fn((rows, width), |(i, j)| {
        let more = if labels[i] as usize == j % classes as usize { 0.9 } else { 0.0 };
        (f64::from(noise[i * (width + 1) + j]) - 0.4 + more).max(0.0).ceil()
    });
    let value = |i: usize| 2.0 * x[[i, 0]] - x[[i, 1]] + 0.5 * f64::from(noise[i * (width + 1) + width]);
    Counts {
        values: (0..rows).map(value).collect(),
        weights: (0..rows).map(|i| 0.5 + (i % 3) as f64).collect(),
        labels,
        x,
    }
}

impl Counts {
    fn problem<'a>(&'a self, row: &Row, x: Matrix<'a>) -> Problem<'a> {
        let problem = match row.predicts {
            Predicts::Values => Problem::new(x, &self.values),
            Predicts::Labels => Problem::new(x, &self.labels),
        };
        problem.weights(&self.weights)
    }
}

fn numbers(model: &dyn Model, x: Matrix<'_>) -> Vec<f64> {
    let numbers = |answer: Array2<f64>| answer.iter().copied().collect();
    if let Some(scores) = model.decision(x).unwrap() {
        return numbers(scores);
    }
    match model.outcome(x).unwrap() {
        Prediction::Values(values) => values,
        Prediction::Labels(labels) => {
            let p = model.probabilities(x).unwrap().map(numbers);
            p.unwrap_or_else(|| labels.into_iter().map(f64::from).collect())
        }
    }
}

fn settings(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => panic!("settings are an object"),
    }
}

/// Kind, settings, and how far two optima may be apart: solvers stop near it, each on its own way; sums in another order are all
/// that tells counts apart.
#[test]
fn models_of_sparse_matrices_are_those_of_dense_ones() {
    let cases = [
        ("linear-regression", json!({}), 1e-8),
        ("linear-regression", json!({"fit_intercept": false}), 1e-8),
        ("linear-regression", json!({"solver": "stochastic", "batches": {"epochs": 5}}), 1e-5), // in singles
        ("ridge", json!({"alpha": 0.5}), 1e-9),
        ("ridge", json!({"alpha": 2.0, "fit_intercept": false}), 1e-9),
        ("logistic-regression", json!({"tol": 1e-9, "max_iter": 1000}), 1e-6),
        ("logistic-regression", json!({"penalty": "l1", "tol": 1e-9, "max_iter": 1000}), 1e-6),
        ("logistic-regression", json!({"solver": "stochastic", "batches": {"epochs": 5}}), 1e-4), // in singles
        ("linear-svc", json!({"tol": 1e-9}), 1e-6),
        ("linear-svc", json!({"loss": "hinge", "max_iter": 20}), 1e-9),
        ("linear-svr", json!({"max_iter": 20}), 1e-9),
        ("linear-svr", json!({"loss": "squared_epsilon_insensitive", "tol": 1e-9}), 1e-6),
        ("multinomial-nb", json!({}), 1e-12),
        ("bernoulli-nb", json!({}), 1e-12),
        ("bernoulli-nb", json!({"binarize": 1.5}), 1e-12),
        ("bernoulli-nb", json!({"binarize": -0.5}), 1e-12), // zeros are there
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for classes in [2, 3] {
        let (data, asked) = (counts(90, 12, classes, 50), counts(20, 12, classes, 51).x);
        let (x, asked_sparse) = (Sparse::of(&data.x).unwrap(), Sparse::of(&asked).unwrap());
        assert!(3 * x.stored() < 2 * 90 * 12);
        for (name, of, tolerance) in &cases {
            let (row, of) = (Row::named(name).unwrap(), settings(of.clone()));
            let dense = fit_with(row, &of, &data.problem(row, (&data.x).into()));
            let sparse = fit_with(row, &of, &data.problem(row, (&x).into()));
            let what = format!("{name} {of:?}");
            let exact = numbers(&*dense, (&asked).into());
            close(&what, &numbers(&*sparse, (&asked_sparse).into()), &exact, *tolerance);
            close(&what, &numbers(&*dense, (&asked_sparse).into()), &exact, 1e-12);
            save(&*sparse, &path).unwrap();
            assert_eq!(numbers(&*load(&path).unwrap(), (&asked).into()), numbers(&*sparse, (&asked).into()), "{what}");
        }
    }
}

#[test]
fn more_words_than_rows_have_the_shortest_least_squares() {
    let data = counts(20, 40, 2, 52);
    let (x, row) = (Sparse::of(&data.x).unwrap(), Row::named("linear-regression").unwrap());
    let dense = fit_with(row, &Map::new(), &data.problem(row, (&data.x).into()));
    let sparse = fit_with(row, &Map::new(), &data.problem(row, (&x).into()));
    let asked = counts(10, 40, 2, 53).x;
    close("wide", &numbers(&*sparse, (&asked).into()), &numbers(&*dense, (&asked).into()), 1e-8);
}

#[test]
fn what_takes_no_sparse_matrix_makes_a_small_one_dense() {
    let data = counts(40, 4, 2, 54);
    let x = Sparse::of(&data.x).unwrap();
    for name in ["knn-classifier", "gaussian-nb", "decision-tree-classifier", "lasso", "svr"] {
        let row = MODELS.iter().find(|row| row.name == name).unwrap();
        let dense = fit_with(row, &Map::new(), &data.problem(row, (&data.x).into()));
        let sparse = fit_with(row, &Map::new(), &data.problem(row, (&x).into()));
        assert_eq!(numbers(&*sparse, (&x).into()), numbers(&*dense, (&data.x).into()), "{name}");
    }
}

#[test]
fn folds_of_a_sparse_matrix_stay_sparse() {
    let data = counts(60, 8, 3, 55);
    let (x, row) = (Sparse::of(&data.x).unwrap(), Row::named("multinomial-nb").unwrap());
    let folds = KFold::default().split(60).unwrap();
    let (problem, dense) = (data.problem(row, (&x).into()), data.problem(row, (&data.x).into()));
    let scores = [&problem, &dense].map(|problem| {
        let trial = OnProblem { row, problem };
        cross_validate(&trial, &Map::new(), &folds, &[score("accuracy").unwrap()], &silent).unwrap().scores
    });
    assert_eq!(scores[0], scores[1]);
    assert!(matches!(problem.select(&[3, 1]).unwrap().x.matrix(), Matrix::Sparse(_)));
}

#[test]
fn bad_values_of_a_sparse_matrix_are_refused_with_their_place() {
    let data = counts(30, 3, 2, 56);
    for (name, bad) in [("ridge", f64::NAN), ("logistic-regression", f64::INFINITY), ("multinomial-nb", -1.0)] {
        let mut x = data.x.clone();
        x[[7, 1]] = bad;
        let (x, row) = (Sparse::of(&x).unwrap(), Row::named(name).unwrap());
        let error = row.fit(&Map::new(), &data.problem(row, (&x).into())).unwrap_err().to_string();
        assert!(error.contains("row 7, column 1"), "{name}: {error}");
    }
}
