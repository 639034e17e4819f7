//! Bad input: refused in words that say what and where.

use super::case::Case;
use ndarray::{Array2, array};
use tilework::Error;
use tilework::models::{Answer, Missing, Model, Needs, Problem};

pub fn nothing_to_learn_from(case: &Case) {
    let data = case.data(12, 2, 20);
    for x in [Array2::<f64>::zeros((0, 3)), Array2::zeros((12, 0))] {
        let data = data.select(&(0..x.nrows()).collect::<Vec<_>>()).with(x);
        let text = case.refusal(&data.problem(case.row));
        assert!(text.contains("nothing to learn from"), "{case}: {text}");
    }
}

pub fn answers_of_the_wrong_sort(case: &Case) {
    let data = case.data(12, 2, 21);
    let (problem, wanted) = match case.is_classifier() {
        true => (Problem::new(&data.x, &data.values), "classes"),
        false => (Problem::new(&data.x, &data.labels), "numbers"),
    };
    let text = case.refusal(&problem);
    assert!(text.contains(&format!("needs {wanted} as its target")), "{case}: {text}");
}

pub fn answers_missing(case: &Case) {
    let data = case.data(12, 2, 22);
    let text = case.refusal(&Problem::new(&data.x, Answer::None));
    assert!(text.contains("as its target"), "{case}: {text}");
    let text = case.refusal(&data.select(&[0, 1, 2]).problem_of(case.row, &data.x));
    assert!(text.contains("12 rows") && text.contains("3 answers"), "{case}: {text}");
}

pub fn answers_not_finite(case: &Case) {
    let mut data = case.data(12, 2, 23);
    if case.is_classifier() {
        let text = case.refusal(&Problem::new(&data.x, (data.labels.as_slice(), 1)));
        return assert!(text.contains("label 1 of 1 classes in row 1"), "{case}: {text}");
    }
    for (bad, said) in [(f64::NAN, "NaN in row 3"), (f64::INFINITY, "inf in row 3")] {
        data.values[3] = bad;
        let text = case.refusal(&data.problem(case.row));
        assert!(text.contains(said), "{case}: {text}");
    }
}

pub fn weights_that_are_none(case: &Case) {
    let data = case.data(12, 2, 24);
    let mut nan = [1.0; 12];
    nan[5] = f64::NAN;
    for (weights, said) in [
        (&[-1.0; 12][..], "weight -1 of row 0"),
        (&[0.0; 12], "weights are 0"),
        (&[1.0; 3], "3 weights"),
        (&[1.0; 24], "24 weights"),
        (&nan, "weight NaN of row 5"),
    ] {
        let text = case.refusal(&data.problem(case.row).weights(weights));
        assert!(text.contains(said), "{case}: {text}");
    }
}

pub fn not_finite(case: &Case) {
    let names = ["a", "b", "c"].map(String::from);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut data = case.data(30, 2, 25);
        let model = case.fit(&data);
        data.x[[7, 1]] = bad;
        let learnt = case.row.missing == Missing::Learnt && bad.is_nan();
        let x = || (&data.x).into();
        let told = [
            model.outcome(x()).map(|_| true),
            model.probabilities(x()).map(|p| p.is_some()),
            model.decision(x()).map(|scores| scores.is_some()),
        ];
        for told in told {
            match told {
                Ok(there) => assert!(learnt || !there, "{case} predicts from {bad}"),
                Err(error) => {
                    assert!(!learnt && error.to_string().contains("row 7, column 1"), "{case} of {bad}: {error}");
                }
            }
        }
        match case.learn(&data.problem(case.row).names(&names)) {
            Ok(model) => {
                assert!(learnt, "{case} learns from {bad}");
                case.expect_finite(&*model, &data.x);
            }
            Err(error) => {
                assert!(!learnt && matches!(error, Error::NonFinite { .. }), "{case}: {error}");
                assert!(error.to_string().contains("row 7, column 1 (b)"), "{case}: {error}");
            }
        }
    }
}

pub fn below_zero(case: &Case) {
    let mut data = case.data(30, 2, 26);
    let model = case.fit(&data);
    data.x[[4, 2]] = -0.5;
    let (counts, names) = (case.row.needs == Needs::Counts, ["a", "b", "c"].map(String::from));
    let learnt = case.learn(&data.problem(case.row).names(&names)).err();
    for (error, said) in [(learnt, "column 2 (c)"), (model.outcome((&data.x).into()).err(), "column 2")] {
        match error.map(|error| error.to_string()) {
            Some(text) => assert!(counts && text.contains(&format!("-0.5 in row 4, {said};")), "{case}: {text}"),
            None => assert!(!counts, "{case} takes -0.5 for a count"),
        }
    }
}

pub fn another_width(case: &Case) {
    let model = case.fit(&case.data(30, 2, 27));
    assert_eq!(model.width(), 3, "{case}");
    for (x, given) in [(Array2::<f64>::zeros((2, 4)), "given 4"), (Array2::zeros((2, 1)), "given 1")] {
        let x = || (&x).into();
        let errors = [model.outcome(x()).err(), model.probabilities(x()).err(), model.decision(x()).err()];
        assert!(errors[0].is_some(), "{case}");
        for error in errors.into_iter().flatten() {
            let text = error.to_string();
            assert!(text.contains("has 3 features") && text.contains(given), "{case}: {text}");
        }
    }
}

pub fn one_class(case: &Case) {
    if !case.is_classifier() {
        return;
    }
    let data = case.data(12, 2, 28);
    let text = case.refusal(&Problem::new(&data.x, &vec![1u32; 12]));
    assert!(text.contains("at least two classes"), "{case}: {text}");
    let weights: Vec<f64> = data.labels.iter().map(|&label| f64::from(label)).collect();
    let text = case.refusal(&data.problem(case.row).weights(&weights));
    assert!(text.contains("at least two classes"), "{case}: {text}");
}

/// From numbers below all normal ones to such as singles do not hold and squares of doubles neither.
pub fn any_size(case: &Case) {
    let data = case.data(30, 2, 29);
    let model = case.fit(&data);
    for size in [1e-320, 1e-200, 1e-30, 1e30, 1e39, 1e160, 1e300] {
        let mut sized = data.with(&data.x * size);
        match case.learn(&sized.problem(case.row)) {
            Ok(model) => finite_or_in_words(case, size, &*model, &sized.x),
            Err(error) => in_words(case, size, &error),
        }
        finite_or_in_words(case, size, &*model, &sized.x);
        sized = data.clone();
        sized.values.iter_mut().for_each(|value| *value *= size);
        match case.learn(&sized.problem(case.row)) {
            Ok(model) => finite_or_in_words(case, size, &*model, &sized.x),
            Err(error) => in_words(case, size, &error),
        }
    }
    let mixed = array![[1e300, 1e-300, 1.0], [0.0, 1e-320, 1e30], [1e30, 0.0, 0.0], [1e-30, 1.0, 1e300]];
    let mixed = data.select(&[0, 1, 2, 3]).with(mixed);
    match case.learn(&mixed.problem(case.row)) {
        Ok(model) => finite_or_in_words(case, 0.0, &*model, &mixed.x),
        Err(error) => in_words(case, 0.0, &error),
    }
}

fn finite_or_in_words(case: &Case, size: f64, model: &dyn Model, x: &Array2<f64>) {
    match case.says(model, x.into()) {
        Ok(said) => assert!(said.iter().all(|v| v.is_finite()), "{case}: {said:?} of rows of {size}"),
        Err(error) => in_words(case, size, &error),
    }
}

fn in_words(case: &Case, size: f64, error: &Error) {
    let text = error.to_string();
    let clear = matches!(error, Error::NonFinite { .. }) || text.contains("scale");
    assert!(clear, "{case} says of numbers of {size}: {text}");
}
