//! Steps against scikit-learn 1.9.1, whose numbers are in `tests/data/prepare.json`.

use ndarray::Array2;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tilework::models::prepare::{
    IterativeImputer, Rfe, Rfecv, SelectFromModel, SelectKBest, TargetEncoder, Transform, Transformer, TransformerRow,
};
use tilework::models::{Answer, Components, Problem, SvdAlgorithm, TruncatedSvd};

type Rows = Vec<Vec<Option<f64>>>;

#[derive(Deserialize)]
struct Golden {
    data: BTreeMap<String, Rows>,
    values: Vec<f64>,
    labels: Vec<u32>,
    rows: Vec<Case>,
    scores: BTreeMap<String, Vec<f64>>,
    fitted: Fitted,
}

/// What fitted steps know.
#[derive(Deserialize)]
struct Fitted {
    explained_variance: Vec<f64>,
    explained_variance_ratio: Vec<f64>,
    singular_values: Vec<f64>,
    ranking: Vec<f64>,
    scores: Vec<f64>,
    n_iter: usize,
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

/// Columns of 0 and 1 and of counts, in which most distances to neighbours are 0. scikit-learn parts their values by a noise of its
/// seed: here are its least and largest score of 1,000 seeds, by
/// `i = np.arange(120); label = ((i * 7) % 10 < 5).astype(int); count = (i * i) % 7 + 2 * label;`
/// `X = np.c_[label, np.where(i % 9 == 0, 1 - label, label), count, i % 2, (i * 5) % 11]`
/// `mutual_info_classif(X, label)`, `mutual_info_regression(X, count + np.sin(i))` and `(X, (i * 3) % 5 + 3 * label)`.
#[test]
fn columns_of_few_values_score_as_in_scikit_learn() {
    let labels: Vec<u32> = (0..120).map(|i| u32::from((i * 7) % 10 < 5)).collect();
    let label = |i: usize| (i * 7) % 10 < 5;
    let count = |i: usize| (i * i) % 7 + 2 * usize::from(label(i));
    let x = Array2::from_shape_fn((120, 5), |(i, column)| match column {
        0 => f64::from(label(i)),
        1 => f64::from(label(i) != (i % 9 == 0)),
        2 => count(i) as f64,
        3 => (i % 2) as f64,
        _ => (i * 5 % 11) as f64,
    });
    let values: Vec<f64> = (0..120).map(|i| count(i) as f64 + (i as f64).sin()).collect();
    let ties: Vec<f64> = (0..120).map(|i| (i * 3 % 5 + 3 * usize::from(label(i))) as f64).collect();
    let (classes, numbers) = ("mutual_info_classif", "mutual_info_regression");
    for (name, y, least, most) in [
        (classes, Answer::from(&labels), [0.6973, 0.2586, 0.3059, 0.0, 0.0], [0.7015, 0.4689, 0.533, 0.1815, 0.1205]),
        (numbers, Answer::from(&values), [0.2079, 0.1984, 1.1984, 0.0, 0.0], [0.2079, 0.1984, 1.2062, 0.0, 0.0]),
        (numbers, Answer::from(&ties), [0.2765, 0.0509, 0.0, 0.4263, 0.0], [0.6086, 0.3705, 0.2205, 0.7205, 0.0]),
    ] {
        let settings: SelectKBest = serde_json::from_value(json!({"score_func": name})).unwrap();
        let scores = settings.fit_to(&x, y).unwrap().scores;
        let within = |((s, l), m): ((&f64, &f64), &f64)| *s >= l - 1e-4 && *s <= m + 1e-4; // they are rounded to 4 digits
        assert!(scores.iter().zip(&least).zip(&most).all(within), "{name}: {scores:?} is not {least:?} to {most:?}");
    }
}

/// Whatever a constant's deviations from its rounded mean come to.
#[test]
fn a_constant_column_scores_behind_every_other() {
    let labels: Vec<u32> = (0..30).map(|i| i % 2).collect();
    let values: Vec<f64> = labels.iter().map(|&label| f64::from(label)).collect();
    for constant in [0.1, 0.7, 1e9 / 7.0, -3.3e-7, 0.0] {
        let x = Array2::from_shape_fn((30, 2), |(i, column)| if column == 0 { constant } else { (i % 7) as f64 });
        for name in ["f_classif", "f_regression", "mutual_info_classif", "mutual_info_regression"] {
            let y = if name.ends_with("classif") { Answer::from(&labels) } else { Answer::from(&values) };
            let settings: SelectKBest = serde_json::from_value(json!({"score_func": name, "k": 1})).unwrap();
            let fitted = settings.fit_to(&x, y).unwrap();
            assert!(fitted.scores[0] == 0.0 || fitted.scores[0].is_nan(), "{name}: {:?}", fitted.scores);
            assert_eq!(fitted.kept, [1], "{name}: {:?}", fitted.scores);
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

fn near(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let same = |(f, e): (&f64, &f64)| (f - e).abs() <= 1e-11 * (1.0 + e.abs());
    assert!(found.iter().zip(expected).all(same), "{what}: {found:?} is not {expected:?}");
}

#[test]
fn fitted_steps_know_what_scikit_learn_s_know() {
    let Golden { data, values, fitted: expected, .. } = golden();
    let (x, gaps) = (matrix(&data["X"]), matrix(&data["G"]));
    for algorithm in [SvdAlgorithm::Exact, SvdAlgorithm::Randomized, SvdAlgorithm::Auto] {
        let svd = TruncatedSvd { n_components: 3, algorithm, ..TruncatedSvd::default() }.fit(&x).unwrap();
        near("variance", &svd.explained_variance, &expected.explained_variance);
        near("ratio", &svd.explained_variance_ratio, &expected.explained_variance_ratio);
        near("singular values", &svd.singular_values, &expected.singular_values);
        let back = svd.inverse_transform(&svd.transform(&x).unwrap()).unwrap();
        let lost = (&back - &x).mapv(|d| d * d).sum();
        let whole = x.mapv(|v| v * v).sum();
        let kept = svd.singular_values.iter().map(|s| s * s).sum::<f64>();
        assert!((lost + kept - whole).abs() < 1e-9 * whole, "{lost} lost, {kept} kept of {whole}");
    }
    let estimator = Some("linear-regression".to_owned());
    let rfe = Rfe { n_features_to_select: Some(Components::Count(1)), estimator: estimator.clone(), ..Rfe::default() };
    assert_eq!(rfe.fit_to(&x, &values).unwrap().scores, expected.ranking);
    let scores = Rfecv { estimator, ..Rfecv::default() }.scores(&Problem::new(&x, &values)).unwrap();
    assert_eq!(scores.iter().map(|(count, _)| *count).collect::<Vec<_>>(), [4, 3, 2, 1]);
    let means: Vec<f64> = scores.iter().map(|(_, folds)| folds.iter().sum::<f64>() / 5.0).collect();
    near("scores", &means, &expected.scores);
    let imputer = IterativeImputer::default().fit(&gaps).unwrap();
    assert_eq!((imputer.n_iter, imputer.converged), (expected.n_iter, true));
}

#[test]
fn steps_that_ask_a_model_say_what_is_wrong_with_it() {
    let (x, y) = ([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0]], [1.0, 2.0, 3.0]);
    let select = |settings: Value| {
        let settings: SelectFromModel = serde_json::from_value(settings).unwrap();
        settings.fit_to(&x, &y).unwrap_err().to_string()
    };
    for (settings, said) in [
        (json!({"estimator": "nosuch"}), "no model is called \"nosuch\""),
        (json!({"estimator": "knn-regressor"}), "\"knn-regressor\" has neither coefficients nor importances"),
        (json!({"estimator": "ridge", "threshold": 1e9}), "no column reaches 1000000000 in the ridge"),
        (json!({"estimator": "ridge", "max_features": 0}), "max_features 0 keeps nothing"),
        (json!({"estimator": "ridge", "settings": {"beta": 1}}), "beta"),
    ] {
        let text = select(settings);
        assert!(text.contains(said), "{text}");
    }
    let threshold = serde_json::from_value::<SelectFromModel>(json!({"threshold": "2*mode"})).unwrap_err().to_string();
    assert!(threshold.contains("threshold \"2*mode\"; give a number"), "{threshold}");
    let error = |rfe: Rfe| rfe.fit_to(&x, &y).unwrap_err().to_string();
    let many = Rfe { n_features_to_select: Some(Components::Count(3)), ..Rfe::default() };
    assert!(error(many).contains("give 1 to 2, or a share up to 1"));
    assert!(error(Rfe { step: Components::Count(0), ..Rfe::default() }).contains("step Count(0); give 1 or more"));
    assert!(Rfe::default().fit(&x).unwrap_err().to_string().contains("no answers given"));
    let imputer = |settings: Value| {
        let settings: IterativeImputer = serde_json::from_value(settings).unwrap();
        settings.fit(&x).unwrap_err().to_string()
    };
    assert!(imputer(json!({"estimator": "svc"})).contains("\"svc\" tells classes apart"));
    assert!(imputer(json!({"min_value": 2.0, "max_value": 1.0})).contains("min_value 2 and max_value 1"));
    let wide = TruncatedSvd { n_components: 3, ..TruncatedSvd::default() }.fit(&x).unwrap_err().to_string();
    assert!(wide.contains("n_components 3 of 3 rows and 2 features; give 1 to 2"), "{wide}");
}
