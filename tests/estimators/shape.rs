//! Rows of odd shapes, and the same rows in other forms.

use super::case::{Case, close, wide};
use ndarray::{Array2, Axis, concatenate, s};
use tilework::models::{Needs, Problem};

pub fn one_feature(case: &Case) {
    let data = case.data(30, 2, 40);
    let data = data.with(data.x.slice(s![.., ..1]).to_owned());
    case.expect_finite(&*case.fit(&data), &data.x);
}

pub fn one_row(case: &Case) {
    let data = case.data(30, 2, 41).select(&[0]);
    match case.learn(&data.problem(case.row)) {
        Ok(model) => case.expect_finite(&*model, &data.x),
        Err(error) => {
            let text = error.to_string();
            assert!(["at least", "1 row", "class"].iter().any(|said| text.contains(said)), "{case}: {text}");
        }
    }
}

pub fn two_rows(case: &Case) {
    let data = case.data(30, 2, 42).select(&[0, 1]);
    case.expect_finite(&*case.fit(&data), &data.x);
}

pub fn constant_columns(case: &Case) {
    let mut data = case.data(30, 2, 43);
    data.x.column_mut(2).fill(5.0);
    case.expect_finite(&*case.fit(&data), &data.x);
    data.x.fill(1.0);
    case.expect_finite(&*case.fit(&data), &data.x);
    data.x.fill(0.0);
    case.expect_finite(&*case.fit(&data), &data.x);
}

pub fn more_features_than_rows(case: &Case) {
    let data = wide(8, 12, 2, 44).of(case.row);
    let model = case.fit(&data);
    assert_eq!(model.width(), 12, "{case}");
    case.expect_finite(&*model, &data.x);
}

pub fn a_column_twice(case: &Case) {
    let data = case.data(30, 2, 45);
    let data = data.with(concatenate![Axis(1), data.x, data.x]);
    case.expect_finite(&*case.fit(&data), &data.x);
}

pub fn answers_all_the_same(case: &Case) {
    if case.is_classifier() {
        return; // refused as one class
    }
    // The intercept of a linear SVR has its price; it reaches as far as the rows' multipliers do that leave the coefficients at 0.
    let far = if case.row.name == "linear-svr" { 8.0 } else { 3e6 };
    for answer in [0.0, -7.25, far] {
        let mut data = case.data(30, 2, 46);
        data.values.fill(answer);
        let told = case.values(&*case.fit(&data), &data.x);
        // A network comes near only, and starts from 0.
        let tolerance = if case.row.name == "mlp-regressor" { 1.0 } else { 1e-4 };
        close(case, &told, &data.values, tolerance);
    }
}

pub fn no_rows(case: &Case) {
    let model = case.fit(&case.data(30, 2, 47));
    let said = case.says(&*model, (&Array2::<f64>::zeros((0, 3))).into()).unwrap_or_else(|e| panic!("{case}: {e}"));
    assert!(said.is_empty(), "{case}: {said:?}");
}

pub fn singles(case: &Case) {
    let data = case.data(40, 2, 48);
    // And whole numbers, of which many are alike.
    for narrow in [data.x.mapv(|v| v as f32), data.x.mapv(|v| (3.0 * v).trunc() as f32)] {
        let wide = data.with(narrow.mapv(f64::from));
        let of_narrow = case.fit_problem(&data.problem_of(case.row, &narrow));
        let of_wide = case.fit(&wide);
        case.expect_finite(&*of_wide, &wide.x);
        assert_eq!(case.numbers(&*of_narrow, &narrow), case.numbers(&*of_wide, &wide.x), "{case}");
    }
}

pub fn columns_one_after_another(case: &Case) {
    let data = case.data(40, 2, 49);
    let columns = concatenate![Axis(0), data.x.t()];
    let (left, right) = (case.fit_problem(&data.problem_of(case.row, columns.t())), case.fit(&data));
    assert_eq!(case.numbers(&*left, columns.t()), case.numbers(&*right, &data.x), "{case}");
}

pub fn arrays_of_arrays(case: &Case) {
    let data = case.data(40, 2, 50);
    let rows: Vec<[f64; 3]> = data.x.rows().into_iter().map(|row| [row[0], row[1], row[2]]).collect();
    let every_other: Array2<f64> = Array2::from_shape_fn((80, 6), |(i, j)| data.x[[i / 2, j / 2]]);
    let strided = every_other.slice(s![..;2, ..;2]);
    let right = case.numbers(&*case.fit(&data), &data.x);
    for problem in [data.problem_of(case.row, rows.as_slice()), data.problem_of(case.row, strided)] {
        assert_eq!(case.numbers(&*case.fit_problem(&problem), problem.x), right, "{case}");
    }
}

pub fn sparse_is_dense(case: &Case) {
    let (data, sparse) = case.data(60, 2, 51).counts();
    let settings = case.converged();
    let dense = case.learn_with(&settings, &data.problem(case.row)).unwrap_or_else(|e| panic!("{case}: {e}"));
    let problem: Problem<'_> = data.problem_of(case.row, &sparse);
    let of_sparse = match case.learn_with(&settings, &problem) {
        Ok(model) => model,
        Err(error) => {
            let text = error.to_string();
            return assert!(text.contains("takes no sparse matrix; take"), "{case}: {text}");
        }
    };
    close(case, &case.numbers(&*of_sparse, &sparse), &case.numbers(&*dense, &data.x), case.optimum());
    close(case, &case.numbers(&*dense, &sparse), &case.numbers(&*dense, &data.x), case.rounding());
    assert!(case.row.needs != Needs::Counts || data.x.iter().all(|&v| v >= 0.0));
}
