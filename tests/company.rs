//! Neighbours, naive Bayes, k-means, principal components, networks and ensembles beside scikit-learn's.

#[path = "common/golden.rs"]
mod golden;

use golden::*;
use ndarray::{Array2, ArrayView1};
use tilework::metrics;
use tilework::models::linear::{BayesianRidge, LogisticRegression};
use tilework::models::prepare::{Transform, Transformer};
use tilework::models::{
    BernoulliNb, Components, Estimator, FittedPca, GaussianNb, KMeans, KnnClassifier, KnnRegressor, Member,
    MlpClassifier, MlpSettings, Model, MultinomialNb, NeighborWeights, Pca, PcaSolver, Prediction, Problem,
    StackingClassifier, Start, Voting, VotingClassifier,
};

/// Whether the fifth and the sixth row are equally far: scikit-learn then takes whichever its tree met first, ours the first.
fn tied(x: &Array2<f64>, row: ArrayView1<'_, f64>) -> bool {
    let far = |other: ArrayView1<'_, f64>| other.iter().zip(row).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let mut distances: Vec<f64> = x.rows().into_iter().map(far).collect();
    distances.sort_by(f64::total_cmp);
    distances[5] - distances[4] < 1e-9
}

#[test]
fn neighbours_vote_as_scikit_learn_s() {
    let (iris, golden) = (iris(), json("golden_models.json"));
    for (name, weights) in [("uniform", NeighborWeights::Uniform), ("distance", NeighborWeights::Distance)] {
        let exact = &golden[format!("knn_{name}")];
        let model = KnnClassifier { weights, ..KnnClassifier::default() }.fit(&iris.x, &iris.y).unwrap();
        let settled = |x: &Array2<f64>, test: &Array2<f64>, per_row: usize, all: Vec<f64>| -> Vec<f64> {
            let of_row = |row: usize| if tied(x, test.row(row)) { 0..0 } else { row * per_row..(row + 1) * per_row };
            (0..test.nrows()).flat_map(of_row).map(|i| all[i]).collect()
        };
        let classes = |all| settled(&iris.x, &iris.test, 3, all);
        let p = model.predict_proba(&iris.test).unwrap().into_iter().collect();
        close(name, classes(p), &classes(numbers(&exact["proba"])), 1e-9);
        let model = KnnRegressor { weights, ..KnnRegressor::default() }.fit(&iris.three, &iris.target).unwrap();
        let values = |all| settled(&iris.three, &iris.test_three, 1, all);
        let found = values(model.predict(&iris.test_three).unwrap());
        assert!(found.len() > 25, "only {} rows of 50 without a tie", found.len());
        close(name, found, &values(numbers(&exact["values"])), 1e-9);
    }
}

#[test]
fn naive_bayes_gives_scikit_learn_s_probabilities() {
    let (iris, golden) = (iris(), json("golden_models.json"));
    let problem = Problem::new(&iris.x, &iris.y).weights(&iris.weights);
    // The variance that is added is a share, 1e-9, of the features' largest: weighted here, not in scikit-learn.
    let p = GaussianNb::default().learn(&problem).unwrap().predict_proba(&iris.test).unwrap();
    close("gaussian", p, &numbers(&golden["gaussian_nb"]), 1e-6);
    let p = MultinomialNb { alpha: 0.7, ..MultinomialNb::default() }.learn(&problem).unwrap();
    close("multinomial", p.predict_proba(&iris.test).unwrap(), &numbers(&golden["multinomial_nb"]), 1e-9);
    let p = BernoulliNb { binarize: 3.0, ..BernoulliNb::default() }.learn(&problem).unwrap();
    close("bernoulli", p.predict_proba(&iris.test).unwrap(), &numbers(&golden["bernoulli_nb"]), 1e-9);
    let negative = MultinomialNb::default().fit(&[[1.0], [-2.0]], &[0u32, 1]).unwrap_err().to_string();
    assert!(negative.contains("-2 in row 1, column 0"), "{negative}");
}

#[test]
fn digits_are_told_apart_as_by_scikit_learn() {
    let [(x, y), (test, truth)] = digits();
    // Accuracy and log loss of PEERS.md, which rounds them. Certain mistakes cost 36 where they cost 34.5 there: naive Bayes had
    // 3.3014, neighbours 0.1941 with two such rows in 450. Logistic regression's is that of the optimum, 0.15604 by scikit-learn with
    // tol 1e-10; with its default of 1e-4 it stops at 0.1565.
    let (gaussian, neighbours) = (GaussianNb::default().fit(&x, &y), KnnClassifier::default().fit(&x, &y));
    let logistic = LogisticRegression::default().fit(&x, &y);
    let cases: [(Box<dyn Model>, f64, f64, f64); 3] = [
        (Box::new(gaussian.unwrap()), 0.8356, 3.3962, 6e-5),
        (Box::new(neighbours.unwrap()), 0.9800, 0.2007, 6e-5),
        (Box::new(logistic.unwrap()), 0.9689, 0.15604, 6e-5),
    ];
    for (model, accuracy, loss, margin) in cases {
        let Prediction::Labels(told) = model.outcome((&test).into()).unwrap() else { panic!("digits are classes") };
        let p = model.probabilities((&test).into()).unwrap().unwrap();
        close(model.kind(), [metrics::accuracy(&truth, &told).unwrap()], &[accuracy], 5e-5);
        close(model.kind(), [metrics::log_loss(&truth, p.as_slice().unwrap(), 10).unwrap()], &[loss], margin);
    }
}

#[test]
fn bayesian_ridge_finds_scikit_learn_s_penalty() {
    let (iris, golden) = (iris(), json("golden_models.json"));
    let y: Vec<f64> = iris.target.iter().zip(&iris.y).map(|(t, &label)| t + f64::from(label)).collect();
    let few = BayesianRidge { fit_intercept: false, tol: 1e-6, alpha_init: Some(2.0), ..BayesianRidge::default() };
    for (name, settings, rows) in [("all", BayesianRidge::default(), y.len()), ("few", few, 3)] {
        let exact = &golden[format!("bayesian_ridge_{name}")];
        let x = iris.x.slice(ndarray::s![..rows, ..]);
        let model = settings.learn(&Problem::new(x, &y[..rows]).weights(&iris.weights[..rows])).unwrap();
        close(name, model.coef.iter().copied(), &numbers(&exact["coef"]), 1e-9);
        // The precisions are of sums of small squares, which lose some digits.
        let rest = [model.intercept, model.alpha().unwrap(), model.lambda().unwrap()];
        close(name, rest, &numbers(&exact["rest"]), 1e-7);
        assert_eq!(model.n_iter as u64, exact["n_iter"].as_u64().unwrap());
    }
    let bad = BayesianRidge { lambda_1: -1.0, ..BayesianRidge::default() }.fit(&iris.x, &y).unwrap_err().to_string();
    assert!(bad.contains("lambda_1 is -1"), "{bad}");
}

#[test]
fn k_means_from_given_centres_is_scikit_learn_s() {
    let (iris, golden) = (iris(), json("golden_models.json"));
    let exact = &golden["k_means"];
    let start: Vec<f64> = iris.x.rows().into_iter().take(3).flat_map(|row| row.to_vec()).collect();
    let settings = KMeans { n_clusters: 3, init: Start::Given(start), tol: 0.0, ..KMeans::default() };
    let model = settings.learn(&Problem::new(&iris.x, &iris.y).weights(&iris.weights)).unwrap();
    close("centres", model.cluster_centers.iter().copied(), &numbers(&exact["centers"]), 1e-9);
    close("inertia", [model.inertia], &[exact["inertia"].as_f64().unwrap()], 1e-9);
    assert_eq!(model.n_iter as u64, exact["n_iter"].as_u64().unwrap());
    assert_eq!(model.labels.iter().map(|&l| f64::from(l)).collect::<Vec<_>>(), numbers(&exact["labels"]));
    assert_eq!(model.predict(&iris.x).unwrap(), model.labels);
    let folder = tempfile::tempdir().unwrap();
    model.save(folder.path().join("k.safetensors")).unwrap();
    let again = KMeans::load(folder.path().join("k.safetensors")).unwrap();
    assert_eq!(again.predict(&iris.test).unwrap(), model.predict(&iris.test).unwrap());
}

#[test]
fn an_empty_group_takes_the_row_farthest_from_its_centre() {
    let x = [[0.0], [1.0], [2.0], [100.0]];
    let start = Start::Given(vec![0.0, -1e3, 2.0]); // no row is nearest to the second
    let model = KMeans { n_clusters: 3, init: start, ..KMeans::default() }.fit(&x).unwrap();
    let mut sizes = [0; 3];
    model.labels.iter().for_each(|&label| sizes[label as usize] += 1);
    assert!(sizes.iter().all(|&size| size > 0), "{sizes:?}");
    assert_eq!(model.inertia, 0.5);
}

#[test]
fn far_origins_do_not_blur_groups_or_components() {
    let near = iris().x;
    let far = near.mapv(|v| v + 1e6);
    let settings = KMeans { n_clusters: 3, ..KMeans::default() };
    let (a, b) = (settings.fit(&near).unwrap(), settings.fit(&far).unwrap());
    // v + 1e6 itself is rounded, to 1e-10
    assert!((a.inertia - b.inertia).abs() < 1e-6 * a.inertia, "{} {}", a.inertia, b.inertia);
    for svd_solver in [PcaSolver::Full, PcaSolver::CovarianceEigh, PcaSolver::Randomized] {
        let settings = Pca { n_components: Some(Components::Count(2)), svd_solver, ..Pca::default() };
        let (a, b) = (settings.fit(&near).unwrap(), settings.fit(&far).unwrap());
        close("variance", b.explained_variance, &a.explained_variance, 1e-7);
    }
}

#[test]
fn every_solver_finds_scikit_learn_s_components() {
    let (iris, golden) = (iris(), json("golden_models.json"));
    for (name, svd_solver) in [
        ("full", PcaSolver::Full),
        ("covariance_eigh", PcaSolver::CovarianceEigh),
        ("full", PcaSolver::Randomized),
        ("covariance_eigh", PcaSolver::Auto),
    ] {
        let exact = &golden[format!("pca_{name}")];
        let n_components = Some(Components::Count(3));
        let model = Pca { n_components, whiten: true, svd_solver, ..Pca::default() }.fit(&iris.x).unwrap();
        close(name, model.components.iter().copied(), &numbers(&exact["components"]), 1e-9);
        close(name, model.explained_variance.iter().copied(), &numbers(&exact["variance"]), 1e-9);
        close(name, [model.noise_variance], &[exact["noise"].as_f64().unwrap()], 1e-9);
        let z = model.transform(&iris.test).unwrap();
        close(name, z.iter().copied(), &numbers(&exact["transform"]), 1e-9);
        let whole = Pca { whiten: true, svd_solver, ..Pca::default() }.fit(&iris.x).unwrap();
        let back = whole.inverse_transform(&whole.transform(&iris.test).unwrap()).unwrap();
        close(name, back, &iris.test.iter().copied().collect::<Vec<_>>(), 1e-9);
        let folder = tempfile::tempdir().unwrap();
        model.save(folder.path().join("pca.safetensors")).unwrap();
        assert_eq!(FittedPca::load(folder.path().join("pca.safetensors")).unwrap(), model);
    }
    let share = Pca { n_components: Some(Components::Share(0.95)), ..Pca::default() }.fit(&iris.x).unwrap();
    assert_eq!(share.components.nrows(), 2);
    let few = Pca { n_components: Some(Components::Count(5)), ..Pca::default() }.fit(&iris.x).unwrap_err().to_string();
    assert!(few.contains("give 1 to 4"), "{few}");
}

#[test]
fn a_network_as_an_estimator_learns_weighs_rows_and_stops_early() {
    let iris = iris();
    let settings = MlpSettings { learning_rate_init: 0.01, max_iter: 100, ..MlpSettings::default() };
    let model = MlpClassifier(settings.clone()).fit(&iris.x, &iris.y).unwrap();
    assert!(share_right(&model.predict(&iris.x).unwrap(), &iris.y) > 0.95);
    assert!(model.loss_curve().len() <= 100 && model.layers().len() == 2);
    // with all weight on one class, nothing else is learnt
    let weights: Vec<f64> = iris.y.iter().map(|&y| if y == 2 { 1.0 } else { 1e-6 }).collect();
    let one = MlpClassifier(settings.clone()).learn(&Problem::new(&iris.x, &iris.y).weights(&weights)).unwrap();
    assert!(one.predict(&iris.test).unwrap().iter().all(|&label| label == 2));
    let early = MlpSettings { early_stopping: true, max_iter: 1000, n_iter_no_change: 3, ..settings };
    let early = MlpClassifier(early).fit(&iris.x, &iris.y).unwrap();
    assert!(early.converged() && early.loss_curve().len() < 1000);
}

#[test]
fn ensembles_of_any_kinds_decide_together() {
    let iris = iris();
    let estimators = vec![
        Member::new("near", "knn-classifier").set("n_neighbors", 3),
        Member::new("bayes", "gaussian-nb"),
        Member::new("vectors", "svc").set("probability", true),
    ];
    let soft =
        VotingClassifier { estimators: estimators.clone(), voting: Voting::Soft, weights: Some(vec![1.0, 2.0, 1.0]) };
    let model = soft.fit(&iris.x, &iris.y).unwrap();
    let mut sum = Array2::zeros((50, 3));
    for ((_, member), share) in model.estimators().zip([0.25, 0.5, 0.25]) {
        sum.scaled_add(share, &member.probabilities((&iris.test).into()).unwrap().unwrap());
    }
    assert_eq!(model.predict_proba(&iris.test).unwrap(), sum);
    let stack = StackingClassifier { estimators, passthrough: true, ..StackingClassifier::default() };
    assert!(share_right(&stack.fit(&iris.x, &iris.y).unwrap().predict(&iris.x).unwrap(), &iris.y) > 0.94);
    let twice = VotingClassifier {
        estimators: vec![Member::new("a", "gaussian-nb"), Member::new("a", "gaussian-nb")],
        ..VotingClassifier::default()
    };
    assert!(twice.fit(&iris.x, &iris.y).unwrap_err().to_string().contains("two estimators are called \"a\""));
    let wrong = VotingClassifier { estimators: vec![Member::new("a", "svr")], ..VotingClassifier::default() };
    assert!(wrong.fit(&iris.x, &iris.y).unwrap_err().to_string().contains("predicts Values"));
    let unknown = VotingClassifier { estimators: vec![Member::new("near", "knn")], ..VotingClassifier::default() };
    let text = unknown.fit(&iris.x, &iris.y).unwrap_err().to_string();
    assert!(
        text.starts_with("voting-classifier: estimator \"near\" is a \"knn\", and no model is called that"),
        "{text}"
    );
    assert!(text.contains("gaussian-nb, ") && !text.contains("regressor"), "{text}");
}
