//! Steps against scikit-learn 1.9.1, whose numbers are in `tests/data/prepare.json`.

use ndarray::Array2;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tilework::models::prepare::{SelectKBest, TargetEncoder, Transform, Transformer, TransformerRow};
use tilework::models::{Answer, Problem};

type Rows = Vec<Vec<Option<f64>>>;

#[derive(Deserialize)]
struct Golden {
    data: BTreeMap<String, Rows>,
    values: Vec<f64>,
    labels: Vec<u32>,
    rows: Vec<Case>,
    scores: BTreeMap<String, Vec<f64>>,
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    settings: Map<String, Value>,
    x: String,
    new: String,
    answers: Option<String>,
    out: Rows,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../data/prepare.json")).unwrap()
}

fn matrix(rows: &Rows) -> Array2<f64> {
    let values = rows.iter().flatten().map(|v| v.unwrap_or(f64::NAN)).collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), values).unwrap()
}

#[test]
fn steps_give_the_numbers_of_scikit_learn() {
    let golden = golden();
    for case in &golden.rows {
        let (x, new, expected) = (matrix(&golden.data[&case.x]), matrix(&golden.data[&case.new]), matrix(&case.out));
        let y = match case.answers.as_deref() {
            Some("labels") => Answer::from(&golden.labels),
            Some(_) => Answer::from(&golden.values),
            None => Answer::None,
        };
        let what = format!("{} {}", case.kind, Value::Object(case.settings.clone()));
        let row = TransformerRow::named(&case.kind).unwrap();
        let fitted = row.fit(&case.settings, &Problem::new(&x, y)).unwrap_or_else(|e| panic!("{what}: {e}"));
        let made = fitted.0.apply((&new).into()).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(made.dim(), expected.dim(), "{what}");
        // Both sum doubles, in other orders; the power is scipy's to the root of the precision, where its likelihood is flat.
        let tolerance = if case.kind == "power-transformer" { 1e-5 } else { 1e-11 };
        for ((at, m), e) in made.indexed_iter().zip(&expected) {
            let same = (m - e).abs() <= tolerance * (1.0 + e.abs()) || m.is_nan() && e.is_nan();
            assert!(same, "{what}: {m} is not {e} at {at:?}");
        }
    }
}

#[test]
fn columns_score_as_in_scikit_learn() {
    let golden = golden();
    for (name, expected) in &golden.scores {
        let mut x = matrix(&golden.data[if name == "chi2" { "P" } else { "X" }]);
        x = x.select(ndarray::Axis(1), &(0..expected.len()).collect::<Vec<_>>());
        let y = if name.ends_with("regression") { Answer::from(&golden.values) } else { Answer::from(&golden.labels) };
        let settings: SelectKBest = serde_json::from_value(json!({"score_func": name, "k": 1})).unwrap();
        let scores = settings.fit_to(&x, y).unwrap().scores;
        for (s, e) in scores.iter().zip(expected) {
            assert!((s - e).abs() <= 1e-9 * (1.0 + e.abs()), "{name}: {scores:?} is not {expected:?}");
        }
    }
}

#[test]
fn rows_of_the_fit_are_encoded_by_the_answers_of_others() {
    // Each level is in one row only: its own answer must not be found in its code.
    let x = Array2::from_shape_fn((40, 1), |(i, _)| i as f64);
    let y: Vec<f64> = (0..40).map(|i| if i % 2 == 0 { 10.0 } else { -10.0 }).collect();
    let (fitted, made) =
        TargetEncoder { smooth: Some(0.0), ..TargetEncoder::default() }.learn_and_apply(&Problem::new(&x, &y)).unwrap();
    assert!(made.iter().all(|code| code.abs() < 3.0), "{made}");
    assert_eq!(fitted.transform(&x).unwrap().column(0).to_vec(), y);
}
