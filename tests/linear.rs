//! Linear models against scikit-learn's numbers and against what their definitions demand.

#[path = "linear/answers.rs"]
mod answers;
#[path = "common/golden.rs"]
mod golden;

use ndarray::{Array2, Axis};
use serde_json::{Value, json};
use tilework::models::linear::*;
use tilework::models::{ClassWeight, Estimator, Influence, Problem, Row};
use tilework::{Device, Rng};

/// A set of `tests/data`: features, the last column, and whether a row is held out.
struct Set {
    x: Array2<f64>,
    y: Vec<f64>,
    test: Vec<bool>,
}

fn set(name: &str) -> Set {
    let (x, y) = golden::csv(name);
    let (_, held_out) = golden::split(name);
    let test = (0..y.len()).map(|row| held_out.binary_search(&row).is_ok()).collect();
    Set { x, y, test }
}

impl Set {
    /// The rows that are held out, or the others.
    fn part(&self, test: bool) -> Set {
        let rows: Vec<usize> = (0..self.y.len()).filter(|&i| self.test[i] == test).collect();
        let y = rows.iter().map(|&i| self.y[i]).collect();
        Set { x: self.x.select(Axis(0), &rows), y, test: vec![test; rows.len()] }
    }

    /// Moved and divided by means and population deviations of `of`.
    fn standardised(mut self, of: &Array2<f64>) -> Set {
        self.x = golden::standardised(&self.x, of);
        self
    }

    fn labels(&self) -> Vec<u32> {
        golden::labels(&self.y)
    }
}

fn reference(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("data/reference.json")).unwrap();
    all[name].clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().map_or_else(|| vec![value.as_f64().unwrap()], |v| v.iter().map(|v| v.as_f64().unwrap()).collect())
}

fn close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let size = expected.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() <= tolerance * size, "{what}: {f} is not {e}");
    }
}

fn r2(found: &[f64], y: &[f64]) -> f64 {
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    let squares = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>();
    1.0 - squares(&mut found.iter().zip(y).map(|(f, y)| f - y)) / squares(&mut y.iter().map(|y| y - mean))
}

/// `rows` rows of `width` normal features, and a noisy plane over them.
fn cloud(rows: usize, width: usize, seed: u64) -> (Array2<f64>, Vec<f64>) {
    let draws = Rng::seed(seed).normals(rows * (width + 1));
    let x = Array2::from_shape_fn((rows, width), |(i, j)| f64::from(draws[i * width + j]));
    let plane = |i: usize| (0..width).map(|j| x[[i, j]] * (1.0 + j as f64 % 5.0 - 2.0)).sum::<f64>();
    let y = (0..rows).map(|i| plane(i) + 3.0 + f64::from(draws[rows * width + i])).collect();
    (x, y)
}

#[test]
fn regressions_find_the_coefficients_of_scikit_learn() {
    let Set { x, y, .. } = set("diabetes");
    let check = |name: &str, coef: &[f64], intercept: f64, found: Vec<f64>, tolerance: f64| {
        let expected = reference(name);
        close(name, coef, &numbers(&expected["coef"]), tolerance);
        close(name, &[intercept], &numbers(&expected["intercept"]), tolerance);
        close(name, &[r2(&found, &y)], &numbers(&expected["r2"]), tolerance);
    };
    let m = LinearRegression::default().fit(&x, &y).unwrap();
    check("diabetes.linear", &m.coef, m.intercept, m.predict(&x).unwrap(), 1e-11);
    let m = Ridge::default().fit(&x, &y).unwrap();
    check("diabetes.ridge_alpha1", &m.coef, m.intercept, m.predict(&x).unwrap(), 1e-11);
    // The gap bounds the square of the coefficients' error, so 1e-14 for 1e-7.
    let m = Lasso { alpha: 0.1, tol: 1e-14, ..Lasso::default() }.fit(&x, &y).unwrap();
    assert!(m.converged);
    check("diabetes.lasso_alpha0.1", &m.coef, m.intercept, m.predict(&x).unwrap(), 1e-7);
    assert_eq!(m.coef.iter().filter(|c| **c == 0.0).count(), 3);
    let m = ElasticNet { alpha: 0.01, tol: 1e-14, ..ElasticNet::default() }.fit(&x, &y).unwrap();
    assert!(m.converged);
    check("diabetes.elasticnet_alpha0.01_l1_0.5", &m.coef, m.intercept, m.predict(&x).unwrap(), 1e-7);
}

#[test]
fn scores_on_the_fixed_splits_are_those_of_scikit_learn() {
    let all = set("diabetes");
    let (train, test) = (all.part(false), all.part(true));
    let score = |found: Vec<f64>| format!("{:.4}", r2(&found, &test.y));
    let predict = |m: FittedLinearRegression| m.predict(&test.x).unwrap();
    assert_eq!(score(predict(LinearRegression::default().fit(&train.x, &train.y).unwrap())), "0.3594");
    assert_eq!(score(Ridge::default().fit(&train.x, &train.y).unwrap().predict(&test.x).unwrap()), "0.3570");
    let lasso = Lasso { alpha: 0.1, ..Lasso::default() };
    assert_eq!(score(lasso.fit(&train.x, &train.y).unwrap().predict(&test.x).unwrap()), "0.3550");
    let net = ElasticNet { alpha: 0.1, ..ElasticNet::default() };
    assert_eq!(score(net.fit(&train.x, &train.y).unwrap().predict(&test.x).unwrap()), "0.0963");

    for (name, accuracy, loss) in [("breast_cancer", "0.9580", 0.0858), ("iris", "0.9737", 0.1518)] {
        let all = set(name);
        let train = all.part(false).standardised(&all.part(false).x);
        let test = all.part(true).standardised(&all.part(false).x);
        for tol in [1e-4, 1e-9] {
            let settings = LogisticRegression { tol, ..LogisticRegression::default() };
            let model = settings.fit(&train.x, &train.labels()).unwrap();
            let (labels, p) = (test.labels(), model.predict_proba(&test.x).unwrap());
            let right = model.predict(&test.x).unwrap().iter().zip(&labels).filter(|(f, l)| f == l).count();
            assert_eq!(format!("{:.4}", right as f64 / labels.len() as f64), accuracy, "{name}");
            let surprise: f64 = labels.iter().enumerate().map(|(i, &l)| -p[[i, l as usize]].ln()).sum();
            let found = surprise / labels.len() as f64;
            // scikit-learn's own loss moves by 1e-4 between tol = 1e-4 and 1e-10; PEERS.md rounds it by half of that.
            let margin = if tol < 1e-8 { 1.5e-4 } else { 3e-4 };
            assert!((found - loss).abs() < margin, "{name}, {tol}: {found}");
        }
    }
}

#[test]
fn logistic_regression_finds_the_coefficients_of_scikit_learn() {
    for name in ["breast_cancer", "iris"] {
        let all = set(name);
        let all = Set { x: all.x.clone(), y: all.y.clone(), test: Vec::new() }.standardised(&all.x);
        let settings = LogisticRegression { tol: 1e-9, max_iter: 1000, ..LogisticRegression::default() };
        let model = settings.fit(&all.x, &all.labels()).unwrap();
        assert!(model.converged, "{name}: {} steps", model.n_iter);
        let expected = reference(&format!("{name}.logistic_C1_standardised"));
        close(name, model.coef.as_slice().unwrap(), &numbers(&expected["coef"]), 1e-6);
        close(name, &model.intercept, &numbers(&expected["intercept"]), 1e-6);
    }
}

#[test]
fn logistic_regression_finds_the_coefficients_of_glmnet() {
    // scikit-learn's test_logreg_... against R's glmnet, to its five digits.
    let x = Array2::from_shape_fn((9, 2), |(i, j)| match j {
        0 => i as f64 - 4.0,
        _ => f64::from(u8::from([2, 4, 5, 6].contains(&i))),
    });
    let settings = LogisticRegression { c: 1.0 / 9.0, tol: 1e-10, max_iter: 1000, ..LogisticRegression::default() };
    let model = settings.fit(&x, &[0u32, 0, 0, 1, 1, 1, 1, 1, 1]).unwrap();
    close("binary", model.coef.as_slice().unwrap(), &[0.44464569182, 0.01457563448], 1e-5);
    close("binary", &model.intercept, &[0.89230405539], 1e-5);
    let model = settings.fit(&x, &[0u32, 0, 0, 1, 1, 1, 2, 2, 2]).unwrap();
    let expected = [-0.38023389305, -0.01226499932, -8.164030176e-05, 4.734548012e-02, 0.3803155334, -0.0350804808];
    close("three", model.coef.as_slice().unwrap(), &expected, 1e-5);
    close("three", &model.intercept, &[-0.12004759652, 0.2251747383, -0.1051271418], 1e-5);
}

#[test]
fn penalties_on_size_leave_a_gradient_that_they_explain() {
    let all = set("iris");
    let all = Set { x: all.x.clone(), y: all.y.clone(), test: Vec::new() }.standardised(&all.x);
    for (penalty, l1_ratio) in [(Penalty::L1, 0.0), (Penalty::ElasticNet, 0.7)] {
        let c = 0.3;
        let settings =
            LogisticRegression { penalty, l1_ratio, c, tol: 1e-10, max_iter: 5000, ..LogisticRegression::default() };
        let model = settings.fit(&all.x, &all.labels()).unwrap();
        assert!(model.converged, "{} steps", model.n_iter);
        let (l1, l2) = if penalty == Penalty::L1 { (1.0, 0.0) } else { (l1_ratio, 1.0 - l1_ratio) };
        let mut residuals = model.predict_proba(&all.x).unwrap();
        all.labels().iter().enumerate().for_each(|(i, &label)| residuals[[i, label as usize]] -= 1.0);
        let slopes = residuals.t().dot(&all.x) * c + l2 * &model.coef;
        let mut zeros = 0;
        for (slope, coef) in slopes.iter().zip(&model.coef) {
            zeros += usize::from(*coef == 0.0);
            let unexplained = if *coef == 0.0 { slope.abs() - l1 } else { (slope + l1 * coef.signum()).abs() };
            assert!(unexplained < 1e-7, "{penalty:?}: {slope} at {coef}"); // 150 rows of the tolerance
        }
        assert!(zeros > 0 && zeros < 12, "{penalty:?}: {zeros} of 12 coefficients are 0");
        assert!(residuals.sum_axis(Axis(0)).iter().all(|sum| sum.abs() < 1e-7));
    }
}

#[test]
fn the_share_alone_chooses_the_penalty_and_infinity_is_none() {
    let all = set("iris");
    let all = Set { x: all.x.clone(), y: all.y.clone(), test: Vec::new() }.standardised(&all.x);
    let row = Row::named("logistic-regression").unwrap();
    let coef = |settings: Value| {
        let Value::Object(settings) = settings else { panic!("settings are an object") };
        let found = row.fit(&settings, &Problem::new(&all.x, &all.labels())).map_err(|e| e.to_string())?;
        match found.influence() {
            Some(Influence::Coefficients(coef)) => Ok(coef),
            _ => Err("no coefficients".to_string()),
        }
    };
    let same = |one: Value, other: Value| assert_eq!(coef(one).unwrap(), coef(other).unwrap());
    same(json!({"l1_ratio": 0.0}), json!({"penalty": "l2"}));
    same(json!({"l1_ratio": 1.0}), json!({"penalty": "l1"}));
    same(json!({"l1_ratio": 1.0}), json!({"penalty": "l1", "l1_ratio": 1.0}));
    same(json!({"l1_ratio": 0.5}), json!({"penalty": "elasticnet", "l1_ratio": 0.5}));
    same(json!({"C": "inf"}), json!({"penalty": "none"}));
    same(json!({"C": "inf", "penalty": "l1"}), json!({"penalty": "none"}));
    assert!(coef(json!({"l1_ratio": 1.0})).unwrap() != coef(json!({})).unwrap());
    for (penalty, ratio) in [("l2", 0.5), ("l2", 1.0), ("l1", 0.5), ("none", 0.5)] {
        let text = coef(json!({"penalty": penalty, "l1_ratio": ratio})).unwrap_err();
        let named = text.to_lowercase().contains(&format!("penalty is {penalty} and l1_ratio {ratio}"));
        assert!(named, "{text}");
    }
    let text = coef(json!({"C": "free"})).unwrap_err();
    assert!(text.contains("C: \"free\" is none of its values; give a number above 0, or \"inf\""), "{text}");
    let settings = LogisticRegression { c: f64::INFINITY, ..Default::default() };
    let again = serde_json::to_value(&settings).and_then(serde_json::from_value::<LogisticRegression>).unwrap();
    assert_eq!(again, settings);
}

#[test]
fn columns_of_any_unit_are_no_trouble() {
    // Deviations from 3e-3 to 6e2: scikit-learn's solver takes 2,539 steps.
    let all = set("breast_cancer");
    let model = LogisticRegression { max_iter: 1000, ..Default::default() }.fit(&all.x, &all.labels()).unwrap();
    assert!(model.converged, "{} steps", model.n_iter);
}

#[test]
fn the_tensor_layer_finds_the_same_logistic_regression_on_every_device() {
    for name in ["breast_cancer", "iris"] {
        let all = set(name);
        let labels = all.labels();
        let all = Set { x: all.x.clone(), y: all.y.clone(), test: Vec::new() }.standardised(&all.x);
        for penalty in [Penalty::L2, Penalty::L1] {
            let settings = LogisticRegression { penalty, max_iter: 500, ..LogisticRegression::default() };
            let exact = settings.fit(&all.x, &labels).unwrap();
            for device in std::iter::once(Device::cpu()).chain(Device::gpu()) {
                let settings = LogisticRegression { solver: LogisticSolver::Tensor, ..settings.clone() };
                let model = settings.learn(&Problem::new(&all.x, &labels).on(&device)).unwrap();
                assert!(model.converged, "{name}, {penalty:?}, {device:?}: {} steps", model.n_iter);
                // Both stop where the gradient of the mean loss is 1e-4, which says that much about probabilities.
                let p =
                    |model: &FittedLogisticRegression| model.predict_proba(&all.x).unwrap().into_raw_vec_and_offset().0;
                close(name, &p(&model), &p(&exact), 2e-2);
            }
        }
    }
}

#[test]
fn mini_batches_come_near_the_exact_solutions_on_every_device() {
    let all = set("breast_cancer");
    let labels = all.labels();
    let all = Set { x: all.x.clone(), y: all.y.clone(), test: Vec::new() }.standardised(&all.x);
    let (x, y) = cloud(600, 4, 11);
    let least = LinearRegression::default().fit(&x, &y).unwrap();
    for device in std::iter::once(Device::cpu()).chain(Device::gpu()) {
        let batches = Batches { batch_size: 64, ..Batches::default() };
        let linear =
            LinearRegression { solver: LinearSolver::Stochastic, batches: batches.clone(), ..Default::default() };
        let model = linear.learn(&Problem::new(&x, &y).on(&device)).unwrap();
        assert!(model.converged, "{device:?}: {} passes", model.n_iter);
        close("linear", &model.coef, &least.coef, 1e-2);
        close("linear", &[model.intercept], &[least.intercept], 1e-2);
        // The less large coefficients cost, the nearer are the classes to be told apart without a mistake, and the farther the optimum.
        for c in [0.1, 1.0, 100.0] {
            let settings = LogisticRegression { c, max_iter: 1000, ..LogisticRegression::default() };
            let exact = LogisticRegression { tol: 1e-6, ..settings.clone() }.fit(&all.x, &labels).unwrap();
            let batches = batches.clone();
            let logistic = LogisticRegression { solver: LogisticSolver::Stochastic, batches, ..settings };
            let model = logistic.learn(&Problem::new(&all.x, &labels).on(&device)).unwrap();
            assert!(model.converged, "{device:?}, C {c}: {} passes", model.n_iter);
            // Coefficients of columns that say the same may trade places; what is minimised is what counts.
            let cost = |m: &FittedLogisticRegression| {
                let p = m.predict_proba(&all.x).unwrap();
                let surprise: f64 = labels.iter().enumerate().map(|(i, &l)| -p[[i, l as usize]].ln()).sum();
                (surprise + m.coef.iter().map(|v| v * v).sum::<f64>() / (2.0 * c)) / labels.len() as f64
            };
            let excess = cost(&model) - cost(&exact);
            println!("{device:?}, C {c}: {} passes, {excess}", model.n_iter);
            assert!((-1e-5..1e-4).contains(&excess), "{device:?}, C {c}: {excess}"); // it stops at a gradient of 1e-4
        }
    }
}

#[test]
fn columns_that_depend_on_each_other_share_the_least_coefficients() {
    let (x, y) = cloud(60, 3, 1);
    let full = LinearRegression::default().fit(&x, &y).unwrap();
    // The first column twice, a sum of two, and a constant one: the same plane, of least length.
    let wide = Array2::from_shape_fn((60, 6), |(i, j)| match j {
        3 => x[[i, 0]],
        4 => x[[i, 1]] + x[[i, 2]],
        5 => 7.0,
        _ => x[[i, j]],
    });
    let model = LinearRegression::default().fit(&wide, &y).unwrap();
    assert_eq!(model.summary().unwrap().rank, 3);
    close("predictions", &model.predict(&wide).unwrap(), &full.predict(&x).unwrap(), 1e-12);
    close("twins", &[model.coef[0], model.coef[3]], &[full.coef[0] / 2.0; 2], 1e-12);
    // b1 + c = β1, b2 + c = β2 and least squares of (b1, b2, c): c = (β1 + β2) / 3.
    close("sum", &[model.coef[4]], &[(full.coef[1] + full.coef[2]) / 3.0], 1e-12);
    assert_eq!(model.coef[5], 0.0);
    assert!(model.summary().unwrap().terms.iter().all(|term| term.error.is_none()));
}

#[test]
fn more_features_than_rows_are_fitted_exactly_by_the_shortest_coefficients() {
    let (x, y) = cloud(8, 20, 2);
    let model = LinearRegression::default().fit(&x, &y).unwrap();
    assert_eq!(model.summary().unwrap().rank, 7); // one is the intercept's
    close("predictions", &model.predict(&x).unwrap(), &y, 1e-12);
    // The shortest lies in the span of the rows: ridge regression with next to no price comes to the same.
    let ridge = Ridge { alpha: 1e-9, ..Ridge::default() }.fit(&x, &y).unwrap();
    close("coef", &model.coef, &ridge.coef, 1e-8);
    let free = LinearRegression { fit_intercept: false, ..LinearRegression::default() }.fit(&x, &y).unwrap();
    assert_eq!(free.summary().unwrap().rank, 8);
    close("free", &free.predict(&x).unwrap(), &y, 1e-12);
    // Ridge regression's own condition, Xᵀ(y − X coef − intercept) = alpha coef.
    let ridge = Ridge { alpha: 3.0, ..Ridge::default() }.fit(&x, &y).unwrap();
    let residuals: Vec<f64> = ridge.predict(&x).unwrap().iter().zip(&y).map(|(f, y)| y - f).collect();
    let slopes: Vec<f64> = (0..20).map(|j| (0..8).map(|i| residuals[i] * x[[i, j]]).sum()).collect();
    close("slopes", &slopes, &ridge.coef.iter().map(|c| 3.0 * c).collect::<Vec<f64>>(), 1e-12);
}

#[test]
fn ridge_keeps_its_digits_where_products_of_columns_lose_them() {
    // Two columns that differ by 1e-7: their products have lost the difference.
    let (x, y) = cloud(50, 2, 3);
    let near = Array2::from_shape_fn((50, 2), |(i, j)| x[[i, 0]] + if j == 1 { 1e-7 * x[[i, 1]] } else { 0.0 });
    let model = Ridge { alpha: 1e-13, ..Ridge::default() }.fit(&near, &y).unwrap();
    let least = LinearRegression::default().fit(&near, &y).unwrap();
    // alpha is (5e-8)² · 40 of the smallest singular value's square, which shrinks that direction so much.
    let ratio = model.coef[1] / least.coef[1];
    assert!(ratio > 0.1 && ratio < 0.99, "{ratio}");
    let mean = near.mean_axis(Axis(0)).unwrap();
    let residuals: Vec<f64> = model.predict(&near).unwrap().iter().zip(&y).map(|(f, y)| y - f).collect();
    for j in 0..2 {
        let slope: f64 = residuals.iter().enumerate().map(|(i, r)| r * (near[[i, j]] - mean[j])).sum();
        assert!((slope - 1e-13 * model.coef[j]).abs() < 1e-6 * model.coef[j].abs() * 1e-7, "{slope}");
    }
}

#[test]
fn the_lasso_of_more_features_than_rows_leaves_a_gradient_that_its_price_explains() {
    let (x, y) = cloud(30, 50, 4);
    let alpha = 0.2;
    let model = Lasso { alpha, tol: 1e-14, max_iter: 100_000, ..Lasso::default() }.fit(&x, &y).unwrap();
    assert!(model.converged);
    let residuals: Vec<f64> = model.predict(&x).unwrap().iter().zip(&y).map(|(f, y)| y - f).collect();
    let mut zeros = 0;
    for (j, coef) in model.coef.iter().enumerate() {
        let slope: f64 = residuals.iter().enumerate().map(|(i, r)| r * x[[i, j]]).sum::<f64>() / 30.0;
        zeros += usize::from(*coef == 0.0);
        let unexplained = if *coef == 0.0 { slope.abs() - alpha } else { (slope - alpha * coef.signum()).abs() };
        assert!(unexplained < 1e-6, "{slope} at {coef}");
    }
    assert!(zeros > 10, "{zeros}");
}

#[test]
fn an_elastic_net_without_a_price_on_size_is_ridge_regression() {
    let Set { x, y, .. } = set("diabetes");
    let net = ElasticNet { alpha: 0.5 / 442.0, l1_ratio: 0.0, ..ElasticNet::default() }.fit(&x, &y).unwrap();
    close("coef", &net.coef, &Ridge { alpha: 0.5, ..Ridge::default() }.fit(&x, &y).unwrap().coef, 1e-12);
}

#[test]
fn many_answers_are_fitted_as_each_alone() {
    let (x, y) = cloud(40, 4, 5);
    let (_, z) = cloud(40, 4, 6);
    let both = Array2::from_shape_fn((40, 2), |(i, j)| if j == 0 { y[i] } else { z[i] });
    let least = LinearRegression::default().fit_many(&x, both.view()).unwrap();
    let ridge = Ridge::default().fit_many(&x, both.view()).unwrap();
    for (k, answer) in [&y, &z].into_iter().enumerate() {
        let alone = LinearRegression::default().fit(&x, answer).unwrap();
        close("least squares", &least[k].coef, &alone.coef, 1e-12);
        close("r2", &[least[k].summary().unwrap().r2], &[alone.summary().unwrap().r2], 1e-12);
        close("ridge", &ridge[k].coef, &Ridge::default().fit(&x, answer).unwrap().coef, 1e-12);
    }
    let error = LinearRegression::default().fit_many(&x, both.slice(ndarray::s![..3, ..])).unwrap_err().to_string();
    assert!(error.contains("40 rows of features and answers [3, 2]"), "{error}");
}

#[test]
fn a_table_of_weighted_rows_is_that_of_repeated_rows() {
    let (x, y) = cloud(20, 2, 7);
    let weights: Vec<f64> = (0..20).map(|i| f64::from(i % 3)).collect();
    let repeated: Vec<usize> = (0..20).flat_map(|i| vec![i; i % 3]).collect();
    let names = ["height", "age"].map(String::from);
    let weighted = LinearRegression::default().learn(&Problem::new(&x, &y).weights(&weights).names(&names)).unwrap();
    let y: Vec<f64> = repeated.iter().map(|&i| y[i]).collect();
    let longer = LinearRegression::default().fit(&x.select(Axis(0), &repeated), &y).unwrap();
    let (a, b) = (weighted.summary().unwrap(), longer.summary().unwrap());
    assert_eq!((a.rows, a.freedom), (b.rows, b.freedom));
    let row = |s: &Summary| -> Vec<f64> {
        let terms = s.intercept.iter().chain(&s.terms).flat_map(|t| [t.error.unwrap(), t.p.unwrap()]);
        terms.chain([s.r2, s.adjusted_r2.unwrap(), s.deviation.unwrap()]).collect()
    };
    close("table", &row(a), &row(b), 1e-11);
    let text = a.to_string();
    assert!(text.contains("height") && text.contains("intercept") && text.lines().count() == 5, "{text}");
}

#[test]
fn balanced_classes_are_fitted_as_if_each_had_as_many_rows() {
    let (x, y) = cloud(40, 2, 8);
    let labels: Vec<u32> = (0..40).map(|i| u32::from(y[i] > 4.0)).collect();
    let ones = labels.iter().sum::<u32>() as f64;
    assert!(ones > 2.0 && ones < 18.0, "{ones}");
    let weights: Vec<f64> = labels.iter().map(|&l| 20.0 / if l == 1 { ones } else { 40.0 - ones }).collect();
    let settings = LogisticRegression { tol: 1e-8, ..LogisticRegression::default() };
    let balanced = LogisticRegression { class_weight: Some(ClassWeight::Balanced), ..settings.clone() };
    let weighted = settings.learn(&Problem::new(&x, &labels).weights(&weights)).unwrap();
    close("coef", balanced.fit(&x, &labels).unwrap().coef.as_slice().unwrap(), weighted.coef.as_slice().unwrap(), 1e-6);
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let (x, y, labels) = ([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0], [0u32, 1, 1]);
    let text = |error: Option<tilework::Error>| error.map_or_else(String::new, |e| e.to_string());
    let ridge = |alpha| text(Ridge { alpha, ..Ridge::default() }.fit(&x, &y).err());
    assert!(ridge(-1.0).starts_with("ridge: alpha is -1") && ridge(f64::NAN).contains("alpha is NaN"));
    let lasso = text(Lasso { tol: f64::INFINITY, ..Lasso::default() }.fit(&x, &y).err());
    assert!(lasso.starts_with("lasso: tol is inf"), "{lasso}");
    let net = text(ElasticNet { l1_ratio: 1.5, ..ElasticNet::default() }.fit(&x, &y).err());
    assert!(net.starts_with("elastic-net: l1_ratio is 1.5"), "{net}");
    let logistic = |settings: LogisticRegression| text(settings.fit(&x, &labels).err());
    assert!(logistic(LogisticRegression { c: 0.0, ..Default::default() }).starts_with("logistic-regression: C is 0"));
    assert!(logistic(LogisticRegression { max_iter: 0, ..Default::default() }).contains("max_iter is 0"));
}

#[test]
fn an_end_before_convergence_is_said() {
    let all = set("breast_cancer");
    let model = LogisticRegression { max_iter: 3, ..Default::default() }.fit(&all.x, &all.labels()).unwrap();
    assert_eq!((model.converged, model.n_iter), (false, 3));
    let Set { x, y, .. } = set("diabetes");
    let model = Lasso { alpha: 1e-3, tol: 1e-14, max_iter: 2, ..Lasso::default() }.fit(&x, &y).unwrap();
    assert_eq!((model.converged, model.n_iter), (false, 2));
}

#[test]
fn the_number_of_rows_in_a_block_makes_no_difference() {
    // Enough rows for several parts of several blocks, against the same rows in another order.
    let (x, y) = cloud(5000, 7, 9);
    let backwards: Vec<usize> = (0..5000).rev().collect();
    let model = LinearRegression::default().fit(&x, &y).unwrap();
    let turned: Vec<f64> = backwards.iter().map(|&i| y[i]).collect();
    let again = LinearRegression::default().fit(&x.select(Axis(0), &backwards), &turned).unwrap();
    close("coef", &model.coef, &again.coef, 1e-14);
    let ridge = Ridge { alpha: 0.0, ..Ridge::default() }.fit(&x, &y).unwrap();
    close("ridge", &ridge.coef, &model.coef, 1e-12);
}
