//! Models that learn without answers, which are no rows of the table of models: what applies of scikit-learn's checks of
//! clusterers and outlier detectors.

use super::case::{close, data, wide};
use ndarray::{Array2, Axis, concatenate, s};
use std::path::Path;
use tilework::Result;
use tilework::data::Matrix;
use tilework::metrics::adjusted_rand;
use tilework::models::{Answer, Estimator, IsolationForest, KMeans, Model, Prediction, Problem, save};

struct Kind {
    name: &'static str,
    fit: fn(&Problem<'_>) -> Result<Box<dyn Model>>,
    load: fn(&Path) -> Result<Box<dyn Model>>,
}

const KINDS: [Kind; 2] = [
    Kind {
        name: "k-means",
        fit: |problem| Ok(Box::new(three_groups().learn(problem)?)),
        load: |path| Ok(Box::new(KMeans::load(path)?)),
    },
    Kind {
        name: "isolation-forest",
        fit: |problem| Ok(Box::new(IsolationForest::default().learn(problem)?)),
        load: |path| Ok(Box::new(<IsolationForest as Estimator>::load(path)?)),
    },
];

fn three_groups() -> KMeans {
    KMeans { n_clusters: 3, ..KMeans::default() }
}

impl Kind {
    fn learn<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Box<dyn Model>> {
        (self.fit)(&Problem::new(x, Answer::None))
    }

    fn refusal(&self, x: &Array2<f64>) -> String {
        match self.learn(x) {
            Ok(_) => panic!("{} learnt from nonsense", self.name),
            Err(error) => error.to_string(),
        }
    }
}

/// The group of each row, or whether it is an outlier, and its score where there is one.
fn says<'a>(model: &dyn Model, x: impl Into<Matrix<'a>>) -> Vec<Vec<f64>> {
    let x = x.into();
    let Prediction::Labels(labels) = model.outcome(x).unwrap() else { panic!("predicts numbers") };
    let scores = model.decision(x).unwrap();
    let score = |row: usize| scores.as_ref().map(|scores| scores[[row, 0]]);
    labels.iter().enumerate().map(|(row, &label)| [f64::from(label)].into_iter().chain(score(row)).collect()).collect()
}

#[test]
fn what_learns_without_answers_says_what_it_cannot_take() {
    for kind in &KINDS {
        let (name, rows) = (kind.name, data(40, 3, 150).x);
        for x in [Array2::zeros((0, 3)), Array2::zeros((12, 0))] {
            assert!(kind.refusal(&x).contains("nothing to learn from"), "{name}: {}", kind.refusal(&x));
        }
        let model = kind.learn(&rows).unwrap();
        assert_eq!(model.width(), 3, "{name}");
        for bad in [f64::NAN, f64::INFINITY] {
            let mut rows = rows.clone();
            rows[[7, 1]] = bad;
            for text in [kind.refusal(&rows), model.outcome((&rows).into()).unwrap_err().to_string()] {
                assert!(text.contains("row 7, column 1"), "{name} of {bad}: {text}");
            }
        }
        for x in [Array2::<f64>::zeros((2, 4)), Array2::zeros((2, 1))] {
            let text = model.outcome((&x).into()).unwrap_err().to_string();
            assert!(
                text.contains("has 3 features") && text.contains(&format!("given {}", x.ncols())),
                "{name}: {text}"
            );
        }
        match kind.learn(&rows.slice(s![..1, ..]).to_owned()) {
            Ok(model) => assert!(says(&*model, &rows).iter().flatten().all(|v| v.is_finite()), "{name}"),
            Err(error) => assert!(error.to_string().contains("1 rows"), "{name}: {error}"),
        }
        let narrow = rows.slice(s![.., ..1]).to_owned();
        let said = says(&*kind.learn(&narrow).unwrap(), &narrow);
        assert!(said.iter().flatten().all(|v| v.is_finite()), "{name}: {said:?}");
    }
}

#[test]
fn what_learns_without_answers_says_the_same_of_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for kind in &KINDS {
        let (name, rows) = (kind.name, data(40, 3, 151).x);
        let model = kind.learn(&rows).unwrap();
        let said = says(&*model, &rows);
        assert_eq!(says(&*kind.learn(&rows).unwrap(), &rows), said, "{name} fitted twice");
        let alone: Vec<_> = (0..40).flat_map(|i| says(&*model, &rows.select(Axis(0), &[i]))).collect();
        close(name, &alone.concat(), &said.concat(), 1e-9);
        let backwards: Vec<usize> = (0..40).rev().collect();
        let turned: Vec<_> = says(&*model, &rows.select(Axis(0), &backwards)).into_iter().rev().collect();
        close(name, &turned.concat(), &said.concat(), 1e-9);
        assert_eq!(says(&*model, &rows), said, "{name} asked again");
        save(&*model, &path).unwrap();
        assert_eq!(says(&*(kind.load)(&path).unwrap(), &rows), said, "{name} saved");

        let columns = concatenate![Axis(0), rows.t()];
        assert_eq!(says(&*kind.learn(columns.t()).unwrap(), columns.t()), said, "{name} of columns");
        let arrays: Vec<[f64; 3]> = rows.rows().into_iter().map(|row| [row[0], row[1], row[2]]).collect();
        assert_eq!(says(&*kind.learn(arrays.as_slice()).unwrap(), arrays.as_slice()), said, "{name} of arrays");
        let narrow = rows.mapv(|v| v as f32);
        let wide = narrow.mapv(f64::from);
        let of_narrow = says(&*kind.learn(&narrow).unwrap(), &narrow);
        assert_eq!(of_narrow, says(&*kind.learn(&wide).unwrap(), &wide), "{name} of singles");
    }
}

#[test]
fn groups_that_are_there_are_found_and_numbered_from_0() {
    let mut data = data(50, 3, 152);
    for (row, &label) in data.labels.iter().enumerate() {
        data.x[[row, label as usize]] += 4.0;
    }
    let fitted = three_groups().fit(&data.x).unwrap();
    assert_eq!(fitted.labels.len(), 50);
    let likeness = adjusted_rand(&data.labels, &fitted.labels).unwrap();
    assert!(likeness > 0.9, "{likeness}"); // scikit-learn asks for 0.4 of clouds that are nearer
    assert_eq!(fitted.predict(&data.x).unwrap(), fitted.labels);
    assert_eq!(three_groups().fit(&data.x).unwrap().labels, fitted.labels);
    assert!(fitted.n_iter >= 1);

    let noise = wide(5, 3, 3, 153).x * 6.0;
    let labels = three_groups().fit(&concatenate![Axis(0), data.x, noise]).unwrap().labels;
    let found: std::collections::BTreeSet<u32> = labels.into_iter().collect();
    assert!(found.into_iter().eq(0..3));
}

#[test]
fn outliers_are_as_many_as_asked_for_and_agree_with_their_scores() {
    let x = wide(300, 3, 1, 154).x;
    let forest = |contamination| IsolationForest { contamination, ..IsolationForest::default() }.learn(&rows(&x));
    let fitted = forest(None).unwrap();
    let (told, decision) = (fitted.predict(&x).unwrap(), fitted.decision_function(&x).unwrap());
    assert_eq!((told.len(), decision.len()), (300, 300));
    for kind in [0, 1] {
        assert!(told.contains(&kind), "none is {kind}");
    }
    assert!(told.iter().zip(&decision).all(|(&told, &score)| (told == 1) == (score > 0.0)));
    let scores = fitted.outlier_scores(&x).unwrap();
    close("scores", &scores.iter().map(|score| score - fitted.threshold).collect::<Vec<_>>(), &decision, 1e-12);
    for error in [fitted.decision_function(x.t()).err(), fitted.outlier_scores(x.t()).err()] {
        assert!(error.unwrap().to_string().contains("has 3 features"));
    }

    let tenth = forest(Some(0.1)).unwrap().predict(&x).unwrap();
    assert_eq!(tenth.iter().filter(|&&told| told == 1).count(), 30);
    assert!(forest(Some(0.5)).is_ok());
    for share in [0.0, -0.1, 0.6, f64::NAN, f64::INFINITY] {
        let text = forest(Some(share)).unwrap_err().to_string();
        assert!(text.contains("contamination") && text.contains("up to 0.5"), "{share}: {text}");
    }
}

fn rows(x: &Array2<f64>) -> Problem<'_> {
    Problem::new(x, Answer::None)
}
