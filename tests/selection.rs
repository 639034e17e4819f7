//! Cross-validation, searches, curves and permutation importance, over a trial that can be worked out by hand and over every
//! kind of model.

#[path = "selection/balance.rs"]
mod balance;

use ndarray::Array2;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use tilework::models::selection::*;
use tilework::models::{Answers, Ended, MODELS, Needs, Prediction, Predicts, Problem, Row};
use tilework::{Error, Result, Rng};

/// Predicts the mean of the rows learnt from times the setting `factor`.
struct Means(Vec<f64>);

impl Trial for Means {
    fn run(&self, settings: &Settings, train: &[usize], on: &[&[usize]]) -> Result<Vec<Outcomes>> {
        let factor = settings.get("factor").and_then(Value::as_f64).unwrap_or(1.0);
        let mean = train.iter().map(|&i| self.0[i]).sum::<f64>() / train.len() as f64;
        let answer = |rows: &&[usize]| Outcomes {
            truth: Answers::Values(rows.iter().map(|&i| self.0[i]).collect()),
            predicted: Prediction::Values(vec![factor * mean; rows.len()]),
            probabilities: None,
            decision: None,
            ended: Ended::default(),
        };
        match factor < 0.0 {
            true => Err(Error::Cancelled { op: "a trial that fails" }),
            false => Ok(on.iter().map(answer).collect()),
        }
    }
}

fn means() -> Means {
    Means(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
}

fn halves() -> Vec<Fold> {
    KFold { n_splits: 2, shuffle: None }.split(6).unwrap()
}

fn settings(factor: f64) -> Settings {
    [("factor".to_string(), json!(factor))].into_iter().collect()
}

#[test]
fn each_fold_is_scored_on_rows_that_it_has_not_learnt_from() {
    let scores = [score("mae").unwrap(), score("r2").unwrap()];
    let found = cross_validate(&means(), &settings(1.0), &halves(), &scores, &silent).unwrap();
    // Rows 1 2 3 against their 5, rows 4 5 6 against 2.
    assert_eq!(found.scores, [vec![3.0, 3.0], vec![-13.5, -13.5]]);
    assert_eq!((found.names, found.seconds.len()), (vec!["mae", "r2"], 2));
}

#[test]
fn a_search_finds_the_best_settings_and_says_how_far_it_is() {
    let grid = GridSearch { grid: vec![("factor".into(), vec![json!(0.5), json!(1.0), json!(2.0)])] };
    let calls = AtomicUsize::new(0);
    let watch = |done: usize, all: usize| {
        calls.fetch_add(1, Ordering::Relaxed);
        assert!(done <= all && all == 6);
        ControlFlow::Continue(())
    };
    let found = search(&means(), &grid.candidates().unwrap(), &halves(), score("mae").unwrap(), &watch).unwrap();
    // |2.5 - 1 2 3| and |1 - 4 5 6| for 0.5; |10 - 1 2 3| and |4 - 4 5 6| for 2.
    let means: Vec<f64> = found.candidates.iter().map(|c| c.mean).collect();
    assert_eq!(means, [(5.0 / 6.0 + 4.0) / 2.0, 3.0, (8.0 + 1.0) / 2.0]);
    assert_eq!((found.best().unwrap().settings.clone(), calls.into_inner()), (settings(0.5), 6));
    let found = search(&self::means(), &[settings(2.0), settings(0.5)], &halves(), score("r2").unwrap(), &silent);
    assert_eq!(found.unwrap().best().unwrap().settings, settings(0.5), "more of R² is better");
}

#[test]
fn a_search_can_be_cancelled_and_tells_the_error_of_a_fit() {
    let stop = |_: usize, _: usize| ControlFlow::Break(());
    let many = vec![settings(1.0); 50];
    let mae = score("mae").unwrap();
    let error = search(&means(), &many, &halves(), mae, &stop).unwrap_err();
    assert!(matches!(error, Error::Cancelled { op: "search" }), "{error}");
    let error = search(&means(), &[settings(1.0), settings(-1.0)], &halves(), mae, &silent).unwrap_err();
    assert!(matches!(error, Error::Cancelled { op: "a trial that fails" }), "{error}");
}

#[test]
fn curves_tell_both_sides() {
    let mae = score("mae").unwrap();
    let curve = learning_curve(&means(), &settings(1.0), &halves(), &[1, 3], mae, &silent).unwrap();
    assert_eq!((curve[0].at, &curve[0].train, &curve[0].test), (1, &vec![0.0, 0.0], &vec![2.0, 4.0]));
    assert_eq!((curve[1].at, &curve[1].train, &curve[1].test), (3, &vec![2.0 / 3.0; 2], &vec![3.0, 3.0]));
    assert!(learning_curve(&means(), &settings(1.0), &halves(), &[4], mae, &silent).is_err());
    let values = [json!(1.0), json!(2.0)];
    let curve = validation_curve(&means(), &Settings::new(), &halves(), ("factor", &values), mae, &silent).unwrap();
    assert_eq!((&curve[1].at, &curve[1].test), (&json!(2.0), &vec![8.0, 1.0]));
}

/// Classes that lie apart in the first of three features, and numbers that follow it.
fn data(rows: usize) -> (Array2<f64>, Vec<f64>, Vec<u32>) {
    let noise = Rng::seed(5).normals(rows * 3);
    let labels: Vec<u32> = (0..rows as u32).map(|row| row % 2).collect();
    let at = |row: usize, column: usize| {
        let noise = f64::from(noise[row * 3 + column]);
        if column == 0 { 4.0 * f64::from(labels[row]) + 0.5 * noise } else { noise }
    };
    let x = Array2::from_shape_fn((rows, 3), |(row, column)| at(row, column));
    let values = x.column(0).iter().map(|v| 2.0 * v + 1.0).collect();
    (x, values, labels)
}

/// Features as the model needs them.
fn of(row: &Row, x: &Array2<f64>) -> Array2<f64> {
    if row.needs == Needs::Counts { x.mapv(f64::abs) } else { x.clone() }
}

/// Models that look at no feature.
fn baseline(name: &str) -> bool {
    name.starts_with("dummy")
}

#[test]
fn every_kind_of_model_can_be_cross_validated() {
    let (x, values, labels) = data(60);
    for row in MODELS {
        let x = of(row, &x);
        let problem = match row.predicts {
            Predicts::Values => Problem::new(&x, &values),
            Predicts::Labels => Problem::new(&x, &labels),
        };
        let folds = StratifiedKFold { n_splits: 3, shuffle: Some(1) }.split(&labels).unwrap();
        let choice = Score::of_choice(row.predicts);
        let trial = OnProblem { row, problem: &problem };
        let run = || cross_validate(&trial, &Settings::new(), &folds, &[choice], &silent).unwrap();
        let found = run();
        assert_eq!(found.scores, run().scores, "{}: two runs differ", row.name);
        let (mean, _) = found.summary(choice.name).unwrap();
        let least = if baseline(row.name) { -1.0 } else { 0.8 };
        assert!(mean >= least && mean <= 1.0, "{}: {mean}", row.name);
    }
}

#[test]
fn a_class_that_a_fold_has_not_learnt_or_does_not_hold_leaves_the_other_scores_whole() {
    let (x, _, mut labels) = data(90);
    labels[7] = 2; // alone: the fold that tests it has not learnt it
    let scores: Vec<_> = SCORES.iter().filter(|score| score.predicts() == Predicts::Labels).collect();
    let validated = |row: &Row, labels: &[u32], n_splits: usize| {
        let (x, folds) = (of(row, &x), StratifiedKFold { n_splits, shuffle: None }.split(labels).unwrap());
        let trial = OnProblem { row, problem: &Problem::new(&x, labels) };
        cross_validate(&trial, &Settings::new(), &folds, &scores, &silent)
            .map_err(|e| format!("{}: {e}", row.name))
            .unwrap()
    };
    for row in MODELS.iter().filter(|row| row.predicts == Predicts::Labels && !baseline(row.name)) {
        let found = validated(row, &labels, 3);
        let (ranked, _) = found.summary("roc_auc").unwrap();
        let plain = row.name == "voting-classifier"; // by votes, which rank nothing
        let least = if row.name == "bernoulli-nb" { 0.7 } else { 0.8 }; // it sees signs alone
        assert!(plain && ranked.is_nan() || (0.5..=1.0).contains(&ranked), "{}: {ranked}", row.name);
        assert!(found.summary("accuracy").unwrap().0 > least, "{}: {found:?}", row.name);
        // Two rows of class 1 for three folds: one of them has nothing to rank.
        let rare: Vec<u32> = (0..90).map(|row| u32::from(row == 11 || row == 61)).collect();
        let found = validated(row, &rare, 3);
        let place = found.names.iter().position(|name| *name == "roc_auc").unwrap();
        let whole = found.scores[place].iter().filter(|score| !score.is_nan()).count();
        assert_eq!(whole, if plain { 0 } else { 2 }, "{}: {:?}", row.name, found.scores[place]);
        assert!(found.summary("accuracy").unwrap().0 > 0.8, "{}: {found:?}", row.name);
    }
}

#[test]
fn a_feature_that_counts_is_worth_more_than_noise() {
    let (x, values, labels) = data(60);
    for row in MODELS.iter().filter(|row| !baseline(row.name)) {
        let x = of(row, &x);
        let problem = match row.predicts {
            Predicts::Values => Problem::new(&x, &values),
            Predicts::Labels => Problem::new(&x, &labels),
        };
        let model = row.fit(&Settings::new(), &problem).unwrap();
        let score = Score::of_choice(row.predicts);
        let found = permutation_importance(&*model, &problem, score, 5, 1).unwrap();
        assert_eq!((found.len(), found[0].losses.len()), (3, 5));
        assert!(found[0].mean > 0.2, "{}: {found:?}", row.name);
        assert!(found[1].mean.max(found[2].mean) < found[0].mean / 2.0, "{}: {found:?}", row.name);
    }
}

#[test]
fn weights_count_where_a_feature_is_worth_something() {
    let (x, values, _) = data(60);
    let row = Row::named("linear-regression").unwrap();
    let model = row.fit(&Settings::new(), &Problem::new(&x, &values)).unwrap();
    let worth = |x: &Array2<f64>, values: &[f64], weights: Option<&[f64]>, score: &str| {
        let problem = Problem { weights, ..Problem::new(x, values) };
        permutation_importance(&*model, &problem, tilework::models::selection::score(score).unwrap(), 3, 1)
    };
    let plain = worth(&x, &values, None, "r2").unwrap();
    assert_eq!(worth(&x, &values, Some(&[2.0; 60]), "r2").unwrap(), plain);
    // rows of weight 0, of whatever answers, are as good as none
    let mut odd = values.clone();
    odd[40..].fill(1e6);
    let weights: Vec<f64> = (0..60).map(|i| if i < 40 { 1.5 } else { 0.0 }).collect();
    let part = worth(&x.slice(ndarray::s![..40, ..]).to_owned(), &values[..40], None, "mae").unwrap();
    assert_eq!(worth(&x, &odd, Some(&weights), "mae").unwrap(), part);
    // what counts is where the weight is
    let weights: Vec<f64> = (0..60).map(|i| if i < 40 { 1.0 } else { 1e-9 }).collect();
    let near = worth(&x, &odd, Some(&weights), "mae").unwrap();
    assert!(near[0].mean > 0.0 && near[0].mean < 10.0, "{near:?}");
    let text = worth(&x, &values, Some(&weights), "explained_variance").unwrap_err().to_string();
    assert!(text.contains("takes no weights that differ"), "{text}");
}

#[test]
fn permutation_takes_columns_one_at_a_time_and_losses_have_the_sign_of_harm() {
    let calls = AtomicUsize::new(0);
    let shuffled = |column: usize, order: &[usize]| {
        calls.fetch_add(1, Ordering::Relaxed);
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        Ok(if column == 1 { 5.0 } else { 2.0 })
    };
    let found = permuted((10, 2), 2.0, false, 3, 0, &shuffled).unwrap();
    assert_eq!((found[0].mean, found[1].mean, found[1].deviation), (0.0, 3.0, 0.0), "an error that grows is harm");
    assert_eq!(calls.into_inner(), 6);
    assert_eq!(permuted((10, 2), 9.0, true, 1, 0, &|_, _| Ok(2.0)).unwrap()[0].mean, 7.0);
}
