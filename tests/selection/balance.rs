//! Classes of different size: what is drawn and made up, that scored rows never are, and decisions.

use ndarray::{Array2, ArrayView1};
use serde_json::Value;
use tilework::Rng;
use tilework::data::{ReadOptions, Stream};
use tilework::models::balance::*;
use tilework::models::prepare::{FittedPipeline, Outcome, Pipeline, StandardScaler, Step};
use tilework::models::selection::{OnPipeline, Settings, StratifiedKFold, Trial};
use tilework::models::{
    Answers, ClassWeight, DummyClassifier, GaussianNb, KnnClassifier, LinearSvc, Model, Part, Prediction, Problem, Row,
};

/// 40 rows of class 0, 12 of class 1, 6 of class 2, in turn; labels say nothing about the features.
fn uneven() -> (Array2<f64>, Vec<u32>) {
    let noise = Rng::seed(9).normals(58 * 2);
    let labels =
        Rng::seed(4).permutation(58).into_iter().map(|i| [0, 1, 2][usize::from(i >= 40) + usize::from(i >= 52)]);
    (Array2::from_shape_fn((58, 2), |(i, j)| f64::from(noise[2 * i + j])), labels.collect())
}

fn labels(part: &Part) -> &[u32] {
    match &part.y {
        Answers::Labels(labels, _) => labels,
        other => panic!("{other:?}"),
    }
}

fn counts(labels: &[u32]) -> Vec<usize> {
    (0..3).map(|class| labels.iter().filter(|&&label| label == class).count()).collect()
}

fn dense(part: &Part) -> Array2<f64> {
    part.x.clone().into_dense()
}

fn square(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    (&a - &b).mapv(|d| d * d).sum()
}

#[test]
fn rows_made_up_lie_between_a_row_and_a_neighbour_of_its_class() {
    let (x, y) = uneven();
    let weights: Vec<f64> = (0..58).map(|i| 1.0 + f64::from(i % 3)).collect();
    let smote = Smote { k_neighbors: 3, ..Smote::default() };
    let part = smote.fit_resample(&Problem::new(&x, &y).weights(&weights)).unwrap();
    let (made, of) = (dense(&part), labels(&part));
    assert_eq!(counts(of), [40, 40, 40]);
    assert_eq!((made.slice(ndarray::s![..58, ..]), &of[..58]), (x.view(), &y[..]), "the rows given come first");
    let weight = part.weights.as_ref().unwrap();
    assert_eq!(weight.len(), 120);
    for row in 58..120 {
        let same: Vec<usize> = (0..58).filter(|&i| y[i] == of[row]).collect();
        let between = |&from: &usize| {
            let mut near: Vec<usize> = same.iter().copied().filter(|&i| i != from).collect();
            near.sort_by(|&a, &b| square(x.row(a), x.row(from)).total_cmp(&square(x.row(b), x.row(from))));
            near.iter().take(3).any(|&to| {
                let along = &x.row(to) - &x.row(from);
                let step = (&made.row(row) - &x.row(from)).dot(&along) / along.dot(&along);
                let point = &x.row(from) + &(step * &along);
                let weight_there = weights[from] + step * (weights[to] - weights[from]);
                (0.0..=1.0).contains(&step)
                    && square(point.view(), made.row(row)) < 1e-24
                    && (weight_there - weight[row]).abs() < 1e-9
            })
        };
        assert!(same.iter().any(between), "row {row} of class {}", of[row]);
    }
    let again = |seed| Smote { seed, ..smote.clone() }.fit_resample(&Problem::new(&x, &y)).unwrap().x.into_dense();
    assert_eq!(again(0), made);
    assert_ne!(again(1), made);
}

#[test]
fn rows_are_drawn_until_classes_are_as_large_as_asked() {
    let (x, y) = uneven();
    let problem = Problem::new(&x, &y);
    let over = RandomOverSampler::default().fit_resample(&problem).unwrap();
    assert_eq!(counts(labels(&over)), [40, 40, 40]);
    assert_eq!(dense(&over).slice(ndarray::s![..58, ..]), x);
    let known = |row: ArrayView1<'_, f64>, label: u32| (0..58).any(|i| y[i] == label && x.row(i) == row);
    assert!(dense(&over).rows().into_iter().zip(labels(&over)).all(|(row, &label)| known(row, label)));

    let under = RandomUnderSampler::default().fit_resample(&problem).unwrap();
    assert_eq!(counts(labels(&under)), [6, 6, 6]);
    let places: Vec<usize> =
        dense(&under).rows().into_iter().map(|row| (0..58).find(|&i| x.row(i) == row).unwrap()).collect();
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "each row once, in their order: {places:?}");
    let other = RandomUnderSampler { seed: 1, ..RandomUnderSampler::default() }.fit_resample(&problem).unwrap();
    assert_ne!(other.x, under.x);
    let strategy = SamplingStrategy::Counts(vec![Some(30), None, None]);
    let drawn = RandomUnderSampler { sampling_strategy: strategy, replacement: true, seed: 0 };
    let drawn = drawn.fit_resample(&problem).unwrap();
    assert_eq!(counts(labels(&drawn)), [30, 12, 6]);
    let mut places: Vec<usize> =
        dense(&drawn).rows().into_iter().map(|row| (0..58).find(|&i| x.row(i) == row).unwrap()).collect();
    places.dedup();
    assert!(places.len() < 48, "some rows twice");

    // A row of weight 0 is none.
    let mut weights = vec![1.0; 58];
    y.iter().zip(&mut weights).filter(|(label, _)| **label == 2).take(4).for_each(|(_, weight)| *weight = 0.0);
    let under = RandomUnderSampler::default().fit_resample(&problem.weights(&weights)).unwrap();
    assert_eq!(counts(labels(&under)), [2, 2, 2]);
    assert_eq!(under.weights, Some(vec![1.0; 6]));
}

#[test]
fn what_cannot_be_evened_out_is_refused_in_words() {
    let (mut x, y) = uneven();
    let said = |balance: &str, x: &Array2<f64>| {
        let balance: Balance = serde_json::from_str(balance).unwrap();
        balance.fit_resample(&Problem::new(x, &y)).unwrap_err().to_string()
    };
    let few = said(r#"{"smote": {"k_neighbors": 6}}"#, &x);
    assert!(few.contains("class 2 has 6 rows, too few for 6 neighbours; lower k_neighbors"), "{few}");
    assert!(said(r#"{"smote": {"k_neighbors": 0}}"#, &x).contains("k_neighbors 0"));
    assert!(said(r#"{"smote": {"sampling_strategy": 0.5}}"#, &x).contains("0.5 of 3 classes"));
    assert!(said(r#"{"class_weight": [1, 2]}"#, &x).contains("2 weights for 3 classes"));
    x[[3, 1]] = f64::NAN;
    assert!(said(r#"{"smote": {}}"#, &x).contains("NaN in row 3, column 1"));
    let over = Balance::RandomOverSampler(RandomOverSampler::default());
    assert!(over.fit_resample(&Problem::new(&x, &y)).is_ok(), "rows are drawn with their gaps");
    let values = over.fit_resample(&Problem::new(&x, &[1.0; 58])).unwrap_err().to_string();
    assert!(values.contains("needs classes"), "{values}");
    assert!(serde_json::from_str::<Balance>(r#"{"smote": {"neighbours": 3}}"#).is_err());
}

#[test]
fn rows_that_are_scored_are_neither_drawn_nor_made_up() {
    let (x, y) = uneven();
    let problem = Problem::new(&x, &y);
    let nearest = KnnClassifier { n_neighbors: 1, ..KnnClassifier::default() };
    let plain = Pipeline::new(&nearest).unwrap().then(Step::of(&StandardScaler::default()));
    let folds = StratifiedKFold { n_splits: 3, shuffle: None }.split(&y).unwrap();
    for balance in [
        Balance::RandomOverSampler(RandomOverSampler::default()),
        Balance::RandomUnderSampler(RandomUnderSampler::default()),
        Balance::Smote(Smote { k_neighbors: 2, ..Smote::default() }),
        Balance::ClassWeight(ClassWeight::Balanced),
    ] {
        let pipeline = plain.clone().balanced(balance.clone());
        let trial = OnPipeline { pipeline: &pipeline, problem: &problem };
        let (mut right, mut all) = (0, 0);
        for fold in &folds {
            let outcomes = trial.run(&Settings::new(), &fold.train, &[&fold.test]).unwrap().remove(0);
            let truth: Vec<u32> = fold.test.iter().map(|&row| y[row]).collect();
            assert_eq!(outcomes.truth, Answers::Labels(truth.clone(), 3));
            // What the fold's own rows give, prepared by steps that saw them as they are.
            let train = problem.select(&fold.train).unwrap();
            let test = problem.select(&fold.test).unwrap();
            let fitted = plain.learn(&train.problem(&problem)).unwrap();
            let prepared = fitted.prepare(train.x.matrix()).unwrap();
            let even = balance.fit_resample(&Problem { x: (&prepared).into(), ..train.problem(&problem) }).unwrap();
            let row = Row::named("knn-classifier").unwrap();
            let model = row.fit(&pipeline.settings, &even.problem(&problem)).unwrap();
            let expected = model.outcome((&fitted.prepare(test.x.matrix()).unwrap()).into()).unwrap();
            assert_eq!(outcomes.predicted, expected);
            let Prediction::Labels(predicted) = expected else { panic!("classes") };
            let of_small = predicted.iter().zip(&truth).filter(|(_, label)| **label == 2);
            right += of_small.clone().filter(|(p, t)| p == t).count();
            all += of_small.count();
        }
        // The nearest row of a copy is its original: had rows been drawn before the folds, class 2 would be known by heart.
        assert!(all == 6 && right < 6, "{balance:?}: {right} of {all}");
    }
}

fn binary() -> (Array2<f64>, Vec<u32>) {
    let text = include_str!("../data/iris.csv");
    let rows: Vec<Vec<f64>> =
        text.lines().skip(1).map(|line| line.split(',').map(|v| v.parse().unwrap()).collect()).collect();
    let x = Array2::from_shape_fn((rows.len(), 2), |(i, j)| rows[i][j]);
    (x, rows.iter().map(|row| u32::from(row[4] == 1.0)).collect())
}

#[test]
fn a_tuned_threshold_is_the_one_of_scikit_learn() {
    let (x, y) = binary();
    let problem = Problem::new(&x, &y);
    let golden: Value = serde_json::from_str(include_str!("../data/prepare.json")).unwrap();
    let bayes = Pipeline::new(&GaussianNb::default()).unwrap();
    for (scoring, expected) in golden["thresholds"].as_object().unwrap() {
        let scoring = scoring.replace("matthews_corrcoef", "matthews");
        let tuned = TunedThreshold { scoring: scoring.clone(), ..TunedThreshold::default() };
        let fitted = bayes.clone().deciding(Decision::Tuned(tuned)).learn(&problem).unwrap();
        let (found, expected) = (fitted.threshold().unwrap(), expected.as_f64().unwrap());
        assert!((found - expected).abs() < 1e-9, "{scoring}: {found} is not {expected}");
        // It is what decides.
        let p = fitted.probabilities((&x).into()).unwrap().unwrap();
        let decided: Vec<u32> = p.column(1).iter().map(|p| u32::from(*p >= found)).collect();
        assert_eq!(fitted.outcome((&x).into()).unwrap(), Prediction::Labels(decided));
    }
}

#[test]
fn a_model_without_probabilities_is_decided_by_its_scores() {
    let (x, y) = binary();
    let fixed = Pipeline::new(&LinearSvc::default()).unwrap().deciding(Decision::Threshold(-0.5));
    let fitted = fixed.learn(&Problem::new(&x, &y)).unwrap();
    let scores = fitted.decision((&x).into()).unwrap().unwrap();
    let decided: Vec<u32> = scores.column(0).iter().map(|score| u32::from(*score >= -0.5)).collect();
    assert!(decided.contains(&0) && decided.contains(&1));
    assert_eq!(fitted.outcome((&x).into()).unwrap(), Prediction::Labels(decided));
    let tuned = Decision::Tuned(TunedThreshold::default());
    assert!(fixed.deciding(tuned).learn(&Problem::new(&x, &y)).unwrap().threshold().is_some());
}

#[test]
fn costs_decide_for_the_class_that_costs_least_and_a_file_remembers_them() {
    let (x, y) = uneven();
    let costs = vec![vec![0.0, 1.0, 2.0], vec![4.0, 0.0, 1.0], vec![20.0, 6.0, 0.0]];
    let pipeline = Pipeline::new(&GaussianNb::default())
        .unwrap()
        .then(Step::of(&StandardScaler::default()))
        .balanced(Balance::Smote(Smote { k_neighbors: 2, ..Smote::default() }))
        .deciding(Decision::CostMatrix(costs.clone()));
    let fitted = pipeline.learn(&Problem::new(&x, &y)).unwrap();
    let p = fitted.probabilities((&x).into()).unwrap().unwrap();
    let cost =
        |p: ArrayView1<'_, f64>, decision: usize| (0..3).map(|class| p[class] * costs[class][decision]).sum::<f64>();
    let cheapest = |p| (0..3).min_by(|&a, &b| cost(p, a).total_cmp(&cost(p, b))).unwrap() as u32;
    let expected: Vec<u32> = p.rows().into_iter().map(cheapest).collect();
    assert_eq!(fitted.outcome((&x).into()).unwrap(), Prediction::Labels(expected));
    let folder = tempfile::tempdir().unwrap();
    fitted.save(folder.path().join("p")).unwrap();
    let again = FittedPipeline::load(folder.path().join("p")).unwrap();
    assert_eq!(again.outcome((&x).into()).unwrap(), fitted.outcome((&x).into()).unwrap());
    assert_eq!((again.settings(), again.threshold()), (&pipeline, None));
}

#[test]
fn decisions_that_do_not_fit_are_refused_in_words() {
    let ((x, y), (three_x, three_y)) = (binary(), uneven());
    let (two, three) = (Problem::new(&x, &y), Problem::new(&three_x, &three_y));
    let bayes = Pipeline::new(&GaussianNb::default()).unwrap();
    let said = |pipeline: &Pipeline, decision: Decision, problem: &Problem<'_>| {
        pipeline.clone().deciding(decision).learn(problem).unwrap_err().to_string()
    };
    let costs = |costs: &[&[f64]]| Decision::CostMatrix(costs.iter().map(|row| row.to_vec()).collect());
    let tuned = |tuned: TunedThreshold| Decision::Tuned(tuned);
    let defaults = TunedThreshold::default;
    let dummy = Pipeline::new(&DummyClassifier::default()).unwrap();
    let vectors = Pipeline::new(&LinearSvc::default()).unwrap();
    for (pipeline, decision, problem, what) in [
        (&bayes, Decision::Threshold(0.3), &three, "a threshold tells two classes apart: given 3"),
        (&bayes, Decision::Threshold(f64::NAN), &two, "threshold NaN; give a finite number"),
        (&bayes, costs(&[&[0.0, 1.0]]), &two, "cost_matrix has 1 rows, one of 2 costs, for 2 classes"),
        (&bayes, costs(&[&[0.0, 1.0], &[1.0]]), &two, "2 rows, one of 1 costs, for 2 classes"),
        (&bayes, costs(&[&[0.0, f64::INFINITY], &[1.0, 0.0]]), &two, "a cost of inf"),
        (&vectors, costs(&[&[0.0, 1.0], &[1.0, 0.0]]), &two, "probabilities, which this model does not give"),
        (&bayes, tuned(TunedThreshold { scoring: "roc_auc".into(), ..defaults() }), &two, "not one of decisions"),
        (&bayes, tuned(TunedThreshold { scoring: "mae".into(), ..defaults() }), &two, "not one of decisions"),
        (&bayes, tuned(TunedThreshold { thresholds: 1, ..defaults() }), &two, "thresholds 1; give at least 2"),
        (&bayes, tuned(TunedThreshold { cv: 101, ..defaults() }), &two, "101 folds"),
        (&dummy, tuned(defaults()), &two, "the model says the same of all rows held out"),
    ] {
        let text = said(pipeline, decision, problem);
        assert!(text.contains(what), "{text}");
    }
    let values = vec![1.0; 150];
    let ridge = Pipeline::raw(Row::named("ridge").unwrap());
    let text = said(&ridge, Decision::Threshold(0.5), &Problem::new(&x, &values));
    assert!(text.contains("needs classes as its target"), "{text}");
}

#[test]
fn a_pipeline_learnt_in_parts_decides_as_told_and_refuses_what_needs_all_rows() {
    let csv: String = (0..60).map(|i| format!("{i},{}\n", if i < 45 { "no" } else { "yes" })).collect();
    let csv = format!("n,y\n{csv}");
    let stream = Stream::of(move || Ok(std::io::Cursor::new(csv.clone())), "t.csv", &ReadOptions::lenient()).unwrap();
    let sample = Pipeline::sample(&stream, 0).unwrap();
    let plan = Pipeline::auto(&sample, None, Row::named("logistic-regression").unwrap()).unwrap();
    let pipeline = plan.pipeline.set("solver", "stochastic".into()).unwrap();
    let always = pipeline.clone().deciding(Decision::Threshold(0.0));
    let fitted = always.fit_stream(&stream, &sample, None, None).unwrap();
    assert_eq!(fitted.predict(&sample).unwrap(), Outcome::Classes(vec!["yes".into(); 60]));
    let said = |pipeline: Pipeline| pipeline.fit_stream(&stream, &sample, None, None).unwrap_err().to_string();
    let tuned = said(pipeline.clone().deciding(Decision::Tuned(TunedThreshold::default())));
    assert!(tuned.contains("a threshold is tuned on rows in memory"), "{tuned}");
    let even = said(pipeline.balanced(Balance::ClassWeight(ClassWeight::Balanced)));
    assert!(even.contains("balance needs all rows in memory"), "{even}");
}
