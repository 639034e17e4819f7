//! Several answers at once.

use super::{close, golden};
use tilework::models::linear::*;
use tilework::models::{Estimator, Problem};

#[test]
fn many_weighted_answers_are_those_of_scikit_learn() {
    // X = sepals, Y = petals, w = 0.5 + np.arange(150) % 4; m.fit(X, Y, sample_weight=w), tol=1e-12 of the last two; the
    // coefficients of each answer, and its intercept, as scikit-learn 1.9.1 finds them.
    let (iris, _) = golden::csv("iris");
    let (x, y) = (iris.slice(ndarray::s![.., ..2]), iris.slice(ndarray::s![.., 2..4]));
    let x = x.to_owned();
    let weights: Vec<f64> = (0..150).map(|i| 0.5 + f64::from(i % 4)).collect();
    let names = ["length", "width"].map(String::from);
    let answers = [1.0; 150];
    let problem = Problem::new(&x, &answers).weights(&weights).names(&names);
    let check = |what: &str, found: [(&[f64], f64); 2], expected: [[f64; 3]; 2], tolerance: f64| {
        for ((coef, intercept), expected) in found.into_iter().zip(expected) {
            close(what, &[coef, &[intercept]].concat(), &expected, tolerance);
        }
    };
    let fits = LinearRegression::default().learn_many(&problem, y).unwrap();
    let expected = [
        [1.7046382410141354, -1.4471395126361681, -1.8116194865046524],
        [0.6730151919985184, -0.523642835544749, -1.1565022643990563],
    ];
    check("least squares", [0, 1].map(|k| (&fits[k].coef[..], fits[k].intercept)), expected, 1e-12);
    let summary = fits[1].summary().unwrap();
    assert_eq!((summary.terms[1].name.as_str(), summary.rows), ("width", 298.0));
    let fits = Ridge { alpha: 2.0, ..Ridge::default() }.learn_many(&problem, y).unwrap();
    let expected = [
        [1.6920293576215018, -1.398326006358738, -1.8865621539514152],
        [0.667913716724597, -0.5061250752607532, -1.1800208620221075],
    ];
    check("ridge", [0, 1].map(|k| (&fits[k].coef[..], fits[k].intercept)), expected, 1e-12);
    let lasso = Lasso { alpha: 0.05, tol: 1e-12, max_iter: 1_000_000, ..Lasso::default() };
    let fits = lasso.learn_many(&problem, y).unwrap();
    let expected = [
        [1.6526250510167917, -1.1828313635334164, -2.31262711504883],
        [0.621002002001172, -0.25933468644199803, -1.657509892943216],
    ];
    check("lasso", [0, 1].map(|k| (&fits[k].coef[..], fits[k].intercept)), expected, 1e-9); // the gap of 1e-12 leaves a root
    let net = ElasticNet { alpha: 0.05, l1_ratio: 0.3, tol: 1e-12, max_iter: 1_000_000, ..ElasticNet::default() };
    let fits = net.learn_many(&problem, y).unwrap();
    let expected = [
        [1.6233784478696314, -1.159813270682736, -2.211511760196502],
        [0.6308687678045907, -0.3779894295053322, -1.353633662129155],
    ];
    check("elastic net", [0, 1].map(|k| (&fits[k].coef[..], fits[k].intercept)), expected, 1e-9);
    // Without weights, as each alone; what one solver alone can do is refused by its name.
    let alone = lasso.fit(&x, &y.column(1).to_vec()).unwrap();
    assert_eq!(lasso.fit_many(&x, y).unwrap()[1], alone);
    let stochastic = Ridge { solver: RidgeSolver::Stochastic, ..Ridge::default() };
    let said = stochastic.fit_many(&x, y).unwrap_err().to_string();
    assert!(said.starts_with("ridge: solver stochastic learns one answer at a time; set solver auto"), "{said}");
    let stochastic = LinearRegression { solver: LinearSolver::Stochastic, ..LinearRegression::default() };
    assert!(stochastic.learn_many(&problem, y).unwrap_err().to_string().contains("set solver qr"));
    let said = net.fit_many(&x, y.slice(ndarray::s![..3, ..])).unwrap_err().to_string();
    assert!(said.contains("150 rows of features and answers [3, 2]"), "{said}");
}
