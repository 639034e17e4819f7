//! Solvers say how many steps they took, and that they stopped before the optimum.

use super::data;
use std::collections::BTreeSet;
use tilework::models::linear::{BayesianRidge, ElasticNet, Lasso, LogisticRegression, LogisticSolver};
use tilework::models::{
    Estimator, HistGradientBoostingClassifier, HistGradientBoostingRegressor, KMeans, LinearSvc, LinearSvr, MODELS,
    MlpClassifier, MlpRegressor, MlpSettings, Svc, Svr,
};

#[test]
fn a_solver_that_is_cut_short_says_so_and_gives_what_it_has() {
    let data = data(60, 3, 140);
    let (x, y, labels) = (&data.x, &data.values, &data.labels);
    let stochastic = LogisticRegression { solver: LogisticSolver::Stochastic, ..Default::default() };
    let batches = tilework::models::linear::Batches { epochs: 1, ..Default::default() };
    let network = MlpClassifier(MlpSettings { max_iter: 1, ..Default::default() });
    for (name, converged) in [
        ("lasso", Lasso { max_iter: 1, alpha: 1e-3, ..Default::default() }.fit(x, y).unwrap().converged),
        ("elastic net", ElasticNet { max_iter: 1, alpha: 1e-3, ..Default::default() }.fit(x, y).unwrap().converged),
        ("logistic", LogisticRegression { max_iter: 1, ..Default::default() }.fit(x, labels).unwrap().converged),
        ("stochastic", LogisticRegression { batches, ..stochastic }.fit(x, labels).unwrap().converged),
        ("svc", Svc { max_iter: Some(1), ..Default::default() }.fit(x, labels).unwrap().converged),
        ("svr", Svr { max_iter: Some(1), ..Default::default() }.fit(x, y).unwrap().converged),
        ("linear svc", LinearSvc { max_iter: 1, ..Default::default() }.fit(x, labels).unwrap().converged),
        ("linear svr", LinearSvr { max_iter: 1, ..Default::default() }.fit(x, y).unwrap().converged),
        ("network", network.fit(x, labels).unwrap().converged()),
        (
            "k-means",
            KMeans { n_clusters: 5, max_iter: 1, n_init: Some(1), ..Default::default() }.fit(x).unwrap().converged,
        ),
    ] {
        assert!(!converged, "{name}");
    }
}

#[test]
fn every_kind_that_takes_steps_says_how_many() {
    let data = data(60, 2, 141);
    let (x, y, labels) = (&data.x, &data.values, &data.labels);
    let network = MlpSettings { max_iter: 3, ..Default::default() };
    // A network's losses are one a step.
    let steps = [
        ("bayesian-ridge", BayesianRidge::default().fit(x, y).unwrap().n_iter),
        ("lasso", Lasso::default().fit(x, y).unwrap().n_iter),
        ("elastic-net", ElasticNet::default().fit(x, y).unwrap().n_iter),
        ("logistic-regression", LogisticRegression::default().fit(x, labels).unwrap().n_iter),
        ("linear-svc", LinearSvc::default().fit(x, labels).unwrap().n_iter),
        ("linear-svr", LinearSvr::default().fit(x, y).unwrap().n_iter),
        ("svc", Svc::default().fit(x, labels).unwrap().n_iter.iter().map(|&n| n as usize).min().unwrap()),
        ("svr", Svr::default().fit(x, y).unwrap().n_iter),
        ("mlp-classifier", MlpClassifier(network.clone()).fit(x, labels).unwrap().loss_curve().len()),
        ("mlp-regressor", MlpRegressor(network).fit(x, y).unwrap().loss_curve().len()),
        (
            "hist-gradient-boosting-classifier",
            HistGradientBoostingClassifier::default().fit(x, labels).unwrap().n_iter(),
        ),
        ("hist-gradient-boosting-regressor", HistGradientBoostingRegressor::default().fit(x, y).unwrap().n_iter()),
    ];
    for (name, n_iter) in steps {
        assert!(n_iter >= 1, "{name}: {n_iter} steps");
    }
    let stepping = MODELS.iter().filter(|row| row.settings().unwrap().contains_key("max_iter")).map(|row| row.name);
    assert_eq!(stepping.collect::<BTreeSet<_>>(), steps.map(|(name, _)| name).into());
}
