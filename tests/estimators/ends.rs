//! Solvers that stop before the optimum say so.

use super::data;
use tilework::models::linear::{ElasticNet, Lasso, LogisticRegression, LogisticSolver};
use tilework::models::{Estimator, KMeans, LinearSvc, LinearSvr, MlpClassifier, MlpSettings, Svc, Svr};

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
