//! Steps before a model: what applies to them of scikit-learn's checks of transformers, over the table of them.

use super::case::{Data, close, data};
use ndarray::{Array2, Axis, concatenate};
use serde_json::{Map, Value, json};
use tilework::data::Matrix;
use tilework::models::Problem;
use tilework::models::prepare::{IterativeImputer, TRANSFORMERS, Transformer, TransformerRow, Uses};

/// Settings with which a kind of step has something to do with a few rows of three features.
pub fn settings(name: &str) -> Map<String, Value> {
    let value = match name {
        "column-transformer" => json!({
            "branches": [{"columns": ["x1"], "steps": [{"name": "fill", "kind": "simple-imputer"}]}],
            "remainder": "passthrough",
        }),
        "one-hot-encoder" => json!({"handle_unknown": "ignore"}),
        "ordinal-encoder" => json!({"unknown_value": -1.0}),
        "select-k-best" => json!({"k": 2}),
        "select-from-model" | "rfe" => json!({"estimator": "ridge"}),
        "rfecv" => json!({"estimator": "ridge", "cv": 3}),
        "iterative-imputer" => json!({"estimator": "ridge", "max_iter": 2, "add_indicator": true}),
        "quantile-transformer" => json!({"n_quantiles": 10}),
        "gaussian-random-projection" | "sparse-random-projection" => json!({"n_components": 2}),
        _ => json!({}),
    };
    let Value::Object(map) = value else { panic!("settings are an object") };
    map
}

fn of_numbers() -> impl Iterator<Item = &'static TransformerRow> {
    TRANSFORMERS.iter().filter(|row| row.uses != Uses::Texts)
}

/// Small whole numbers, which encoders take for levels.
fn whole(seed: u64) -> Data {
    let data = data(60, 3, seed);
    data.with(data.x.mapv(|v| v.abs().floor()))
}

fn problem<'a>(row: &TransformerRow, data: &'a Data, x: impl Into<Matrix<'a>>) -> Problem<'a> {
    match row.uses {
        Uses::Labels => Problem::new(x, &data.labels),
        Uses::Features | Uses::Answers | Uses::Texts => Problem::new(x, &data.values),
    }
}

fn flat(made: &Array2<f64>) -> Vec<f64> {
    made.iter().copied().collect()
}

#[test]
fn a_step_makes_of_its_own_rows_what_it_makes_of_them_later() {
    let data = whole(130);
    for row in of_numbers() {
        let name = row.name;
        let fit = || row.fit(&settings(name), &problem(row, &data, &data.x)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let ((fitted, made), (again, made_again)) = (fit(), fit());
        let later = fitted.apply((&data.x).into()).unwrap();
        assert_eq!(made.dim(), (60, fitted.outputs()), "{name}");
        assert_eq!(later.dim(), made.dim(), "{name}");
        assert_eq!((&made_again, &again.apply((&data.x).into()).unwrap()), (&made, &later), "{name} fitted twice");
        // A target encoder makes its own rows of the answers of others, as scikit-learn's does.
        if name != "target-encoder" {
            close(name, &flat(&later), &flat(&made), 1e-9);
        }
        for x in [Array2::<f64>::zeros((2, 2)), Array2::zeros((2, 4))] {
            let text = fitted.apply((&x).into()).unwrap_err().to_string();
            assert!(
                text.contains("has 3 features") && text.contains(&format!("given {}", x.ncols())),
                "{name}: {text}"
            );
        }
    }
}

#[test]
fn the_order_and_the_company_of_rows_mean_nothing_to_a_fitted_step() {
    let data = whole(131);
    for row in of_numbers() {
        let name = row.name;
        let (fitted, _) = row.fit(&settings(name), &problem(row, &data, &data.x)).unwrap();
        let made = fitted.apply((&data.x).into()).unwrap();
        let backwards: Vec<usize> = (0..60).rev().collect();
        let turned = fitted.apply((&data.x.select(Axis(0), &backwards)).into()).unwrap();
        close(name, &flat(&turned.select(Axis(0), &backwards)), &flat(&made), 1e-9);
        let alone = (0..60).flat_map(|i| fitted.apply((&data.x.select(Axis(0), &[i])).into()).unwrap());
        close(name, &alone.collect::<Vec<_>>(), &flat(&made), 1e-9);
        assert_eq!(fitted.apply((&data.x).into()).unwrap(), made, "{name} applied again");
    }
}

#[test]
fn rows_in_other_forms_go_through_a_step_as_the_same() {
    let data = whole(132);
    let columns = concatenate![Axis(0), data.x.t()];
    let singles = data.x.mapv(|v| v as f32);
    let arrays: Vec<[f64; 3]> = data.x.rows().into_iter().map(|row| [row[0], row[1], row[2]]).collect();
    let forms: [Matrix<'_>; 3] = [columns.t().into(), (&singles).into(), arrays.as_slice().into()];
    for row in of_numbers() {
        let name = row.name;
        let (fitted, made) = row.fit(&settings(name), &problem(row, &data, &data.x)).unwrap();
        let later = flat(&fitted.apply((&data.x).into()).unwrap());
        for form in forms {
            let (of_form, made_of_form) = row.fit(&settings(name), &problem(row, &data, form)).unwrap();
            close(name, &flat(&made_of_form), &flat(&made), 1e-9);
            close(name, &flat(&of_form.apply(form).unwrap()), &later, 1e-9);
            close(name, &flat(&fitted.apply(form).unwrap()), &later, 1e-9);
        }
    }
}

#[test]
fn a_step_that_takes_rounds_says_how_many() {
    let mut data = data(60, 3, 133);
    data.x[[7, 1]] = f64::NAN;
    let fitted = IterativeImputer { max_iter: 4, ..IterativeImputer::default() }.fit(&data.x).unwrap();
    assert!((1..=4).contains(&fitted.n_iter), "{} rounds", fitted.n_iter);
}
