//! What is checked: a kind of model with settings on a device, and the rows that it learns from.

use super::common;
use ndarray::{Array2, Axis};
use serde_json::{Map, Value, json};
use std::fmt;
use tilework::data::{Matrix, Sparse};
use tilework::models::{Answer, MODELS, Model, Needs, Prediction, Predicts, Problem, Row};
use tilework::{Device, Result, Rng};

/// A kind of model with settings, on a device.
pub struct Case {
    pub row: &'static Row,
    pub settings: Map<String, Value>,
    pub device: Device,
}

/// Kinds with other settings that run elsewhere or otherwise.
const VARIANTS: &[(&str, &str, &str)] = &[
    ("linear-regression", "solver", "stochastic"),
    ("ridge", "solver", "stochastic"),
    ("logistic-regression", "solver", "stochastic"),
    ("logistic-regression", "solver", "tensor"),
    ("logistic-regression", "penalty", "l1"),
    ("linear-svc", "loss", "hinge"),
    ("mlp-classifier", "solver", "sgd"),
];

/// All kinds of models, and variants of some, on a device.
pub fn all(device: &Device) -> Vec<Case> {
    let case = |name: &str| {
        let row = Row::named(name).unwrap();
        Case { row, settings: small(name), device: device.clone() }
    };
    let variant = |&(name, setting, value): &(&str, &str, &str)| {
        let mut case = case(name);
        case.settings.insert(setting.into(), value.into());
        if value == "stochastic" {
            case.settings.insert("batches".into(), json!({"epochs": 30, "learning_rate": 0.1, "batch_size": 32}));
        }
        case
    };
    MODELS.iter().map(|row| case(row.name)).chain(VARIANTS.iter().map(variant)).collect()
}

/// Settings for few rows: the defaults are for more.
fn small(name: &str) -> Map<String, Value> {
    let value = match name {
        "mlp-classifier" | "mlp-regressor" => {
            json!({"hidden_layer_sizes": [8], "max_iter": 60, "learning_rate_init": 0.02})
        }
        _ if name.starts_with("hist-gradient-boosting") => json!({"max_iter": 10, "min_samples_leaf": 4}),
        _ if name.starts_with("random-forest") || name.starts_with("extra-trees") => json!({"n_estimators": 10}),
        _ => json!({}),
    };
    let Value::Object(map) = value else { panic!("settings are an object") };
    map
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} on {}", self.row.name, Value::Object(self.settings.clone()), self.device)
    }
}

impl Case {
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).and_then(Value::as_str)
    }

    pub fn is_classifier(&self) -> bool {
        self.row.predicts == Predicts::Labels
    }

    /// Whether a fit or a prediction of few rows runs on the device that it is given.
    pub fn uses_device(&self) -> bool {
        let trees = ["random-forest", "extra-trees", "hist-gradient-boosting"];
        let solver = matches!(self.setting("solver"), Some("stochastic" | "tensor"));
        solver || self.row.name.starts_with("mlp-") || trees.iter().any(|name| self.row.name.starts_with(name))
    }

    /// Whether it computes in singles.
    pub fn in_singles(&self) -> bool {
        self.row.name.starts_with("mlp-") || self.uses_device() && self.setting("solver").is_some()
    }

    /// How far two predictions of one model may be apart that were rounded in another order.
    pub fn rounding(&self) -> f64 {
        if self.in_singles() { 1e-5 } else { 1e-9 }
    }

    /// Rows as this kind takes them.
    pub fn data(&self, rows: usize, classes: u32, seed: u64) -> Data {
        data(rows, classes, seed).of(self.row)
    }

    /// The model, on the device where it can predict there.
    pub fn learn(&self, problem: &Problem<'_>) -> Result<Box<dyn Model>> {
        self.learn_with(&self.settings, problem)
    }

    pub fn learn_with(&self, settings: &Map<String, Value>, problem: &Problem<'_>) -> Result<Box<dyn Model>> {
        let problem = Problem { x: problem.x.reborrow(), device: Some(&self.device), ..*problem };
        let model = self.row.fit(settings, &problem)?;
        if self.device == Device::cpu() {
            return Ok(model);
        }
        let moved = model.movable().map(|model| model.on(&self.device)).transpose()?;
        Ok(moved.unwrap_or(model))
    }

    pub fn fit(&self, data: &Data) -> Box<dyn Model> {
        self.fit_problem(&data.problem(self.row))
    }

    pub fn fit_problem(&self, problem: &Problem<'_>) -> Box<dyn Model> {
        self.learn(problem).unwrap_or_else(|e| panic!("{self}: {e}"))
    }

    /// The text of the error that this must be.
    pub fn refusal(&self, problem: &Problem<'_>) -> String {
        match self.learn(problem) {
            Ok(_) => panic!("{self} learnt from nonsense"),
            Err(error) => error.to_string(),
        }
    }

    /// All that a model says of rows.
    pub fn says(&self, model: &dyn Model, x: Matrix<'_>) -> Result<Vec<f64>> {
        let mut said = match model.outcome(x)? {
            Prediction::Values(values) => values,
            Prediction::Labels(labels) => labels.into_iter().map(f64::from).collect(),
        };
        said.extend(model.probabilities(x)?.into_iter().flatten());
        said.extend(model.decision(x)?.into_iter().flatten());
        Ok(said)
    }

    /// The same row after row: each row's prediction, its probabilities and its scores.
    pub fn says_by_row(&self, model: &dyn Model, x: &Array2<f64>) -> Vec<f64> {
        let said = self.says(model, x.into()).unwrap_or_else(|e| panic!("{self}: {e}"));
        let scores = [model.probabilities(x.into()).unwrap(), model.decision(x.into()).unwrap()];
        let widths = std::iter::once(1).chain(scores.iter().flatten().map(|scores| scores.ncols()));
        let starts = widths.scan(0, |at, width| {
            let start = *at;
            *at += width * x.nrows();
            Some((start, width))
        });
        let starts: Vec<_> = starts.collect();
        let of_row = |row: usize| starts.iter().flat_map(move |(at, width)| at + row * width..at + (row + 1) * width);
        (0..x.nrows()).flat_map(of_row).map(|at| said[at]).collect()
    }

    /// The numbers behind predictions: values, or probabilities where there are any, or scores, or labels.
    pub fn numbers<'a>(&self, model: &dyn Model, x: impl Into<Matrix<'a>>) -> Vec<f64> {
        let x = x.into();
        if let Some(numbers) = model.probabilities(x).unwrap().or_else(|| model.decision(x).unwrap()) {
            return numbers.into_iter().collect();
        }
        match model.outcome(x).unwrap() {
            Prediction::Values(values) => values,
            Prediction::Labels(labels) => labels.into_iter().map(f64::from).collect(),
        }
    }

    pub fn labels(&self, model: &dyn Model, x: &Array2<f64>) -> Vec<u32> {
        match model.outcome(x.into()).unwrap() {
            Prediction::Labels(labels) => labels,
            Prediction::Values(_) => panic!("{self} predicts numbers"),
        }
    }

    pub fn values(&self, model: &dyn Model, x: &Array2<f64>) -> Vec<f64> {
        match model.outcome(x.into()).unwrap() {
            Prediction::Values(values) => values,
            Prediction::Labels(_) => panic!("{self} predicts classes"),
        }
    }

    /// All that it says of these rows is finite.
    pub fn expect_finite(&self, model: &dyn Model, x: &Array2<f64>) {
        let said = self.says(model, x.into()).unwrap_or_else(|e| panic!("{self}: {e}"));
        assert!(said.iter().all(|v| v.is_finite()), "{self}: {said:?}");
    }

    /// Settings with which solvers come as near to the optimum as they can: what is asked is whether two optima are one.
    pub fn converged(&self) -> Map<String, Value> {
        let mut settings = self.row.settings().unwrap();
        settings.extend(self.settings.clone());
        let tighten = |settings: &mut Map<String, Value>| {
            if settings.contains_key("tol") && !settings.contains_key("hidden_layer_sizes") {
                settings.insert("tol".into(), json!(1e-8));
                if settings.contains_key("max_iter") && settings["max_iter"].is_number() {
                    settings.insert("max_iter".into(), json!(10_000));
                }
            }
        };
        tighten(&mut settings);
        for member in settings.get_mut("estimators").and_then(Value::as_array_mut).into_iter().flatten() {
            let mut inner = Row::named(member["model"].as_str().unwrap()).unwrap().settings().unwrap();
            tighten(&mut inner);
            member["settings"] = Value::Object(inner);
        }
        settings
    }

    /// Whether a weight is as good as the row repeated; not of solvers that draw rows at random.
    pub fn weights_repeat(&self) -> bool {
        self.row.weights_repeat && self.setting("solver") != Some("stochastic")
    }

    /// Whether a row of weight 0 is as good as none; not of models that draw from all rows.
    pub fn drops_zeros(&self) -> bool {
        let drops = ["hist-gradient-boosting", "stacking", "calibrated"];
        self.weights_repeat() || drops.iter().any(|name| self.row.name.starts_with(name))
    }

    /// Sums in another order, and solvers that stop at another step: scikit-learn's tolerance for weights, and that of singles.
    pub fn optimum(&self) -> f64 {
        if self.in_singles() { 1e-2 } else { 1e-5 }
    }
}

/// Rows of three features and an answer for each sort of model: clouds around two or three centres, and a noisy plane.
#[derive(Clone)]
pub struct Data {
    pub x: Array2<f64>,
    pub values: Vec<f64>,
    pub labels: Vec<u32>,
}

pub fn data(rows: usize, classes: u32, seed: u64) -> Data {
    wide(rows, 3, classes, seed)
}

/// The same with more features.
pub fn wide(rows: usize, width: usize, classes: u32, seed: u64) -> Data {
    let mut rng = Rng::seed(seed);
    let noise = rng.normals(rows * (width + 1));
    let labels: Vec<u32> = (0..rows as u32).map(|row| row % classes).collect();
    let x = Array2::from_shape_fn((rows, width), |(i, j)| {
        let centre = if labels[i] as usize == j { 2.0 } else { 0.0 };
        centre + f64::from(noise[(width + 1) * i + j])
    });
    let last = x.ncols().min(2) - 1;
    let value = |i: usize| x[[i, 0]] - 2.0 * x[[i, last]] + 0.3 * f64::from(noise[(width + 1) * i + width]) + 1.0;
    Data { values: (0..rows).map(value).collect(), x, labels }
}

impl Data {
    pub fn problem(&self, row: &Row) -> Problem<'_> {
        self.problem_of(row, &self.x)
    }

    /// The same answers with other features.
    pub fn problem_of<'a>(&'a self, row: &Row, x: impl Into<Matrix<'a>>) -> Problem<'a> {
        Problem::new(x, self.answer(row))
    }

    pub fn answer(&self, row: &Row) -> Answer<'_> {
        match row.predicts {
            Predicts::Values => (&self.values).into(),
            Predicts::Labels => (&self.labels).into(),
        }
    }

    /// The rows as this kind of model takes them.
    pub fn of(&self, row: &Row) -> Data {
        self.with(match row.needs {
            Needs::Counts => self.x.mapv(f64::abs),
            _ => self.x.clone(),
        })
    }

    pub fn with(&self, x: Array2<f64>) -> Data {
        Data { x, ..self.clone() }
    }

    pub fn select(&self, rows: &[usize]) -> Data {
        Data {
            x: self.x.select(Axis(0), rows),
            values: rows.iter().map(|&i| self.values[i]).collect(),
            labels: rows.iter().map(|&i| self.labels[i]).collect(),
        }
    }

    /// Small counts of which most are 0, and the same as a sparse matrix.
    pub fn counts(&self) -> (Data, Sparse) {
        let counts = self.with(self.x.mapv(|v| (v - 0.5).max(0.0).ceil()));
        let sparse = Sparse::of(&counts.x).unwrap();
        (counts, sparse)
    }
}

pub fn fit_with(row: &Row, settings: &Map<String, Value>, problem: &Problem<'_>) -> Box<dyn Model> {
    row.fit(settings, problem).unwrap_or_else(|e| panic!("{}: {e}", row.name))
}

pub fn close(name: impl fmt::Display, left: &[f64], right: &[f64], tolerance: f64) {
    assert_eq!(left.len(), right.len(), "{name}");
    for (i, (l, r)) in left.iter().zip(right).enumerate() {
        assert!((l - r).abs() <= tolerance * (1.0 + r.abs()), "{name}: {l} is not {r} at {i}");
    }
}

/// The devices of this machine but this one.
pub fn others(device: &Device) -> Vec<Device> {
    common::devices().into_iter().filter(|other| other != device).collect()
}
