//! Support vector machines beside scikit-learn's.

#[path = "common/golden.rs"]
mod golden;

use golden::*;
use ndarray::Axis;
use tilework::models::{
    ClassWeight, DecisionShape, Estimator, Gamma, HingeLoss, Kernel, LinearSvc, LinearSvr, Problem, Svc, Svr, TubeLoss,
};

#[test]
fn kernel_values_beyond_single_precision_are_an_error_and_no_model() {
    let x = ndarray::array![[1e20], [2e20], [-1e20], [-2e20]];
    let svc = Svc { kernel: Kernel::Linear, ..Svc::default() }.fit(&x, &[0u32, 0, 1, 1]).map(|_| ());
    assert!(svc.unwrap_err().to_string().contains("scale the features"));
}

#[test]
fn the_optimum_of_svc_is_that_of_the_reference() {
    let (x, y) = csv("breast_cancer");
    let (x, y) = (standardised(&x, &x), labels(&y));
    let reference = &json("reference.json")["breast_cancer.svc_rbf_C1_standardised"];
    let model = Svc { tol: 1e-9, ..Svc::default() }.fit(&x, &y).unwrap();
    assert!(model.converged);
    assert_eq!(model.n_support, [60, 59]);
    close("intercept", [model.intercept[0]], &[reference["intercept"].as_f64().unwrap()], 1e-6);
    let vectors = model.support_vectors();
    let kernel = |i: usize, j: usize| {
        let square: f64 = vectors.row(i).iter().zip(vectors.row(j)).map(|(a, b)| (a - b) * (a - b)).sum();
        (-square / 30.0).exp()
    };
    let beta = model.dual_coef.row(0);
    let quadratic: f64 =
        (0..119).flat_map(|i| (0..119).map(move |j| (i, j))).map(|(i, j)| beta[i] * beta[j] * kernel(i, j)).sum();
    let objective = 0.5 * quadratic - beta.iter().map(|b| b.abs()).sum::<f64>();
    close("objective", [objective], &[reference["dual_objective_half_aQa_minus_sum_a"].as_f64().unwrap()], 1e-6);
}

#[test]
fn the_coefficients_of_linear_svc_are_those_of_the_reference() {
    let (x, y) = csv("breast_cancer");
    let reference = &json("reference.json")["breast_cancer.linearsvc_C1_standardised"];
    let model = LinearSvc { tol: 1e-10, ..LinearSvc::default() }.fit(&standardised(&x, &x), &labels(&y)).unwrap();
    assert!(model.converged);
    close("coef", model.coef.iter().copied(), &numbers(&reference["coef"]), 1e-6);
    close("intercept", [model.intercept[0]], &[reference["intercept"].as_f64().unwrap()], 1e-6);
}

#[test]
fn scores_on_the_fixed_splits_are_scikit_learn_s() {
    let (x, y) = csv("breast_cancer");
    let (train, test) = split("breast_cancer");
    let (a, b) = (x.select(Axis(0), &train), x.select(Axis(0), &test));
    let (a, b) = (standardised(&a, &a), standardised(&b, &a));
    let (ya, yb) = (labels(&at(&y, &train)), labels(&at(&y, &test)));
    let score = |predicted: Vec<u32>| (share_right(&predicted, &yb) * 1e4).round() / 1e4;
    assert_eq!(score(Svc::default().fit(&a, &ya).unwrap().predict(&b).unwrap()), 0.9580);
    let linear = Svc { kernel: Kernel::Linear, ..Svc::default() };
    assert_eq!(score(linear.fit(&a, &ya).unwrap().predict(&b).unwrap()), 0.9650);
    assert_eq!(score(LinearSvc::default().fit(&a, &ya).unwrap().predict(&b).unwrap()), 0.9510);

    let digits = tilework::data::digits().unwrap();
    let matrix = |part: &tilework::data::Dataset| {
        ndarray::Array2::from_shape_fn((part.rows(), 64), |(i, j)| f64::from(part.features()[i * 64 + j]))
    };
    let labels_of = |part: &tilework::data::Dataset| match part.target() {
        tilework::data::Target::Labels(labels) => labels.clone(),
        tilework::data::Target::Values(_) => unreachable!(),
    };
    let (a, b) = (matrix(&digits.train), matrix(&digits.test));
    let (ya, yb) = (labels_of(&digits.train), labels_of(&digits.test));
    let score = |predicted: Vec<u32>| (share_right(&predicted, &yb) * 1e4).round() / 1e4;
    assert_eq!(score(Svc { c: 10.0, ..Svc::default() }.fit(&a, &ya).unwrap().predict(&b).unwrap()), 0.9911);
    assert_eq!(score(LinearSvc::default().fit(&a, &ya).unwrap().predict(&b).unwrap()), 0.9689);
}

#[test]
fn svr_scores_as_scikit_learn_s() {
    let (x, y) = csv("diabetes");
    let (train, test) = split("diabetes");
    let (a, b) = (x.select(Axis(0), &train), x.select(Axis(0), &test));
    let (a, b) = (standardised(&a, &a), standardised(&b, &a));
    let predicted = Svr { c: 100.0, ..Svr::default() }.fit(&a, &at(&y, &train)).unwrap().predict(&b).unwrap();
    let truth = at(&y, &test);
    let mean = truth.iter().sum::<f64>() / truth.len() as f64;
    let off: f64 = truth.iter().zip(&predicted).map(|(t, p)| (t - p) * (t - p)).sum();
    let r2 = 1.0 - off / truth.iter().map(|t| (t - mean) * (t - mean)).sum::<f64>();
    assert!((r2 - 0.2160).abs() < 1e-4, "{r2}"); // four digits of PEERS.md, at a tolerance of 1e-3 in units of the target
}

#[test]
fn every_kernel_decides_as_scikit_learn_s_with_weights_and_three_classes() {
    let (iris, golden) = (iris(), json("golden_models.json"));
    for (name, kernel) in
        [("linear", Kernel::Linear), ("poly", Kernel::Poly), ("rbf", Kernel::Rbf), ("sigmoid", Kernel::Sigmoid)]
    {
        let exact = &golden[format!("svc_{name}")];
        // scikit-learn's "scale" does not look at weights: given, it is the same number for both.
        let variance = iris.x.var(0.0);
        let gamma = Gamma::Value(if kernel == Kernel::Sigmoid { 0.01 } else { 1.0 / (4.0 * variance) });
        let settings = Svc { kernel, gamma, coef0: 0.5, tol: 1e-9, ..Svc::default() };
        let problem = Problem::new(&iris.x, &iris.y).weights(&iris.weights);
        let model = settings.learn(&problem).unwrap();
        // Kernel values are kept as f32, as in LIBSVM: the sums of a hundred of them agree to six digits.
        close(name, model.decision_function(&iris.test).unwrap(), &numbers(&exact["ovr"]), 2e-6);
        close(name, model.intercept.iter().copied(), &numbers(&exact["intercept"]), 2e-6);
        let predicted: Vec<f64> = model.predict(&iris.test).unwrap().into_iter().map(f64::from).collect();
        assert_eq!(predicted, numbers(&exact["predict"]), "{name}");
        let pairs = Svc { decision_function_shape: DecisionShape::Ovo, ..settings }.learn(&problem).unwrap();
        close(name, pairs.decision_function(&iris.test).unwrap(), &numbers(&exact["ovo"]), 2e-6);
    }
}

#[test]
fn regression_and_absolute_losses_reach_scikit_learn_s_optimum() {
    let (iris, golden) = (iris(), json("golden_models.json"));
    let model = Svr { c: 2.0, epsilon: 0.05, tol: 1e-9, ..Svr::default() }.fit(&iris.three, &iris.target).unwrap();
    close("svr", model.predict(&iris.test_three).unwrap(), &numbers(&golden["svr"]["predict"]), 2e-6);

    let balanced = LinearSvc { tol: 1e-10, class_weight: Some(ClassWeight::Balanced), ..LinearSvc::default() };
    let model = balanced.fit(&iris.x, &iris.y).unwrap();
    close("linear_svc", model.coef.iter().copied(), &numbers(&golden["linear_svc"]["coef"]), 1e-6);
    let one: Vec<u32> = iris.y.iter().map(|&y| u32::from(y == 1)).collect();
    let hinge = LinearSvc { loss: HingeLoss::Hinge, tol: 1e-9, max_iter: 1_000_000, ..LinearSvc::default() };
    let model = hinge.fit(&iris.x, &one).unwrap();
    assert!(model.converged);
    close("hinge", model.coef.iter().copied(), &numbers(&golden["linear_svc_hinge"]["coef"]), 1e-6);

    let squared =
        LinearSvr { epsilon: 0.1, tol: 1e-10, loss: TubeLoss::SquaredEpsilonInsensitive, ..LinearSvr::default() };
    let model = squared.fit(&iris.three, &iris.target).unwrap();
    close("squared", model.coef, &numbers(&golden["linear_svr_squared"]["coef"]), 1e-6);
    let tube = LinearSvr { epsilon: 0.1, tol: 1e-9, max_iter: 1_000_000, ..LinearSvr::default() };
    let model = tube.fit(&iris.three, &iris.target).unwrap();
    assert!(model.converged);
    close("tube", model.coef, &numbers(&golden["linear_svr"]["coef"]), 1e-6);
}

#[test]
fn probabilities_come_where_they_are_asked_for_and_are_saved() {
    let iris = iris();
    let model = Svc { probability: true, ..Svc::default() }.fit(&iris.x, &iris.y).unwrap();
    let p = model.predict_proba(&iris.test).unwrap();
    assert!(p.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-12 && row.iter().all(|p| *p > 0.0)));
    let sure = tilework::models::largest(&p);
    assert!(share_right(&sure, &model.predict(&iris.test).unwrap()) > 0.95);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("svc.safetensors");
    tilework::models::save(&model, &path).unwrap();
    assert_eq!(Svc::load(&path).unwrap().predict_proba(&iris.test).unwrap(), p);
    let plain = Svc::default().fit(&iris.x, &iris.y).unwrap();
    assert!(plain.predict_proba(&iris.test).unwrap_err().to_string().contains("probability = true"));
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let iris = iris();
    let svc = |settings: Svc| settings.fit(&iris.x, &iris.y).unwrap_err().to_string();
    assert!(svc(Svc { c: 0.0, ..Svc::default() }).starts_with("svc: c is 0"));
    assert!(svc(Svc { tol: f64::NAN, ..Svc::default() }).starts_with("svc: tol is NaN"));
    assert!(svc(Svc { gamma: Gamma::Value(-1.0), ..Svc::default() }).starts_with("svc: gamma is -1"));
    let svr = Svr { epsilon: -0.1, ..Svr::default() }.fit(&iris.three, &iris.target).unwrap_err().to_string();
    assert!(svr.starts_with("svr: epsilon is -0.1"), "{svr}");
}
