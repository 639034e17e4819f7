//! One battery of checks over every kind of model: the part of scikit-learn's `check_estimator` that applies.

#[path = "estimators/golden.rs"]
mod golden;
#[path = "estimators/sparse.rs"]
mod sparse;

use ndarray::{Array2, Axis, concatenate, s};
use serde_json::{Map, Value};
use tilework::models::{MODELS, Missing, Model, Needs, Prediction, Predicts, Problem, Row, load, save};
use tilework::{Error, Rng};

/// Rows of three features and an answer for each sort of model: clouds around two or three centres, and a noisy plane.
struct Data {
    x: Array2<f64>,
    values: Vec<f64>,
    labels: Vec<u32>,
}

fn data(rows: usize, classes: u32, seed: u64) -> Data {
    let mut rng = Rng::seed(seed);
    let noise = rng.normals(rows * 4);
    let labels: Vec<u32> = (0..rows as u32).map(|row| row % classes).collect();
    let x = Array2::from_shape_fn((rows, 3), |(i, j)| {
        let centre = if labels[i] as usize == j { 2.0 } else { 0.0 };
        centre + f64::from(noise[4 * i + j])
    });
    let values = (0..rows).map(|i| x[[i, 0]] - 2.0 * x[[i, 1]] + 0.3 * f64::from(noise[4 * i + 3]) + 1.0).collect();
    Data { x, values, labels }
}

impl Data {
    fn problem(&self, row: &Row) -> Problem<'_> {
        match row.predicts {
            Predicts::Values => Problem::new(&self.x, &self.values),
            Predicts::Labels => Problem::new(&self.x, &self.labels),
        }
    }

    /// The data as this kind of model takes them.
    fn of(&self, row: &Row) -> Data {
        let x = match row.needs {
            Needs::Counts => self.x.mapv(f64::abs),
            _ => self.x.clone(),
        };
        Data { x, values: self.values.clone(), labels: self.labels.clone() }
    }

    fn select(&self, rows: &[usize]) -> Data {
        Data {
            x: self.x.select(Axis(0), rows),
            values: rows.iter().map(|&i| self.values[i]).collect(),
            labels: rows.iter().map(|&i| self.labels[i]).collect(),
        }
    }
}

fn fit(row: &Row, problem: &Problem<'_>) -> Box<dyn Model> {
    fit_with(row, &Map::new(), problem)
}

fn fit_with(row: &Row, settings: &Map<String, Value>, problem: &Problem<'_>) -> Box<dyn Model> {
    row.fit(settings, problem).unwrap_or_else(|e| panic!("{}: {e}", row.name))
}

/// The numbers behind the predictions: values, or probabilities where there are any, or labels.
fn numbers(model: &dyn Model, x: &Array2<f64>) -> Vec<f64> {
    if let Some(p) = model.probabilities(x.into()).unwrap() {
        return p.iter().copied().collect();
    }
    match model.outcome(x.into()).unwrap() {
        Prediction::Values(values) => values,
        Prediction::Labels(labels) => labels.into_iter().map(f64::from).collect(),
    }
}

fn close(name: &str, left: &[f64], right: &[f64], tolerance: f64) {
    assert_eq!(left.len(), right.len(), "{name}");
    for (i, (l, r)) in left.iter().zip(right).enumerate() {
        assert!((l - r).abs() <= tolerance * (1.0 + r.abs()), "{name}: {l} is not {r} at {i}");
    }
}

#[test]
fn names_are_unique_and_can_be_typed() {
    let mut names: Vec<&str> = MODELS.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), MODELS.len());
    for row in MODELS {
        assert!(row.name.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit()), "{}", row.name);
    }
}

#[test]
fn default_settings_are_valid_and_unknown_ones_are_refused_by_name() {
    for row in MODELS {
        let mut settings = row.settings().unwrap();
        row.check(&settings).unwrap_or_else(|e| panic!("{}: {e}", row.name));
        settings.insert("no_such_setting".into(), Value::Null);
        let error = row.check(&settings).unwrap_err().to_string();
        assert!(error.contains("no_such_setting"), "{}: {error}", row.name);
    }
}

#[test]
fn the_same_fit_twice_predicts_the_same_bits() {
    let data = data(90, 3, 1);
    for row in MODELS {
        let data = data.of(row);
        let twice = [(); 2].map(|()| numbers(&*fit(row, &data.problem(row)), &data.x));
        assert_eq!(twice[0], twice[1], "{}", row.name);
    }
}

#[test]
fn a_row_is_predicted_alike_alone_and_among_others_in_any_order() {
    let data = data(60, 3, 2);
    for row in MODELS {
        let data = data.of(row);
        let model = fit(row, &data.problem(row));
        let whole = numbers(&*model, &data.x);
        let per_row = whole.len() / 60;
        let alone: Vec<f64> = (0..60).flat_map(|i| numbers(&*model, &data.x.slice(s![i..=i, ..]).to_owned())).collect();
        close(row.name, &alone, &whole, 1e-7); // scikit-learn's check_methods_subset_invariance
        let backwards: Vec<usize> = (0..60).rev().collect();
        let turned = numbers(&*model, &data.x.select(Axis(0), &backwards));
        let back: Vec<f64> = turned.chunks(per_row).rev().flatten().copied().collect();
        close(row.name, &back, &whole, 1e-7);
    }
}

#[test]
fn a_saved_model_predicts_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    for classes in [2, 3] {
        let data = data(60, classes, 3);
        for row in MODELS {
            let data = data.of(row);
            let model = fit(row, &data.problem(row));
            let path = folder.path().join(format!("{}.safetensors", row.name));
            save(&*model, &path).unwrap();
            let again = load(&path).unwrap_or_else(|e| panic!("{}: {e}", row.name));
            assert_eq!((again.kind(), again.width(), again.classes()), (row.name, 3, model.classes()));
            assert_eq!(numbers(&*again, &data.x), numbers(&*model, &data.x), "{}", row.name);
            assert_eq!(again.influence(), model.influence(), "{}", row.name);
        }
    }
}

#[test]
fn files_cut_short_or_of_another_kind_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(30, 2, 4);
    for row in MODELS {
        let data = data.of(row);
        let path = folder.path().join("model.safetensors");
        save(&*fit(row, &data.problem(row)), &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for cut in (0..bytes.len()).step_by(bytes.len().div_ceil(50)) {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert!(load(&path).is_err(), "{} cut at {cut}", row.name);
        }
    }
}

#[test]
fn another_number_of_features_is_an_error_with_both_numbers() {
    let data = data(30, 2, 5);
    for row in MODELS {
        let data = data.of(row);
        let model = fit(row, &data.problem(row));
        let error = model.outcome((&Array2::<f64>::zeros((2, 4))).into()).unwrap_err().to_string();
        assert!(error.contains("has 3 features") && error.contains("given 4"), "{}: {error}", row.name);
    }
}

#[test]
fn nan_and_infinity_are_refused_by_column_name_or_taken_as_documented() {
    let names = ["a", "b", "c"].map(String::from);
    for row in MODELS {
        for bad in [f64::NAN, f64::INFINITY] {
            let mut data = data(30, 2, 6).of(row);
            let model = fit(row, &data.problem(row));
            data.x[[7, 1]] = bad;
            let learnt = row.missing == Missing::Learnt && bad.is_nan();
            let outcome = model.outcome((&data.x).into());
            assert_eq!(outcome.is_ok(), learnt, "{} predicts {bad}", row.name);
            let fitted = row.fit(&Map::new(), &data.problem(row).names(&names)).map(|_| ());
            match fitted {
                Ok(()) => assert!(learnt, "{} fits {bad}", row.name),
                Err(error) => {
                    assert!(!learnt && matches!(error, Error::NonFinite { .. }), "{}: {error}", row.name);
                    assert!(error.to_string().contains("row 7, column 1 (b)"), "{}: {error}", row.name);
                }
            }
        }
        let data = data(30, 2, 6);
        let values: Vec<f64> =
            data.values.iter().enumerate().map(|(i, v)| if i == 3 { f64::NAN } else { *v }).collect();
        if row.predicts == Predicts::Values {
            let error = row.fit(&Map::new(), &Problem::new(&data.x, &values)).unwrap_err().to_string();
            assert!(error.contains("NaN in row 3"), "{}: {error}", row.name);
        }
    }
}

#[test]
fn input_that_cannot_be_learnt_from_is_refused_in_words() {
    let data = data(12, 2, 7);
    for row in MODELS {
        let data = data.of(row);
        let name = row.name;
        let error = |problem: &Problem<'_>| match row.fit(&Map::new(), problem) {
            Ok(_) => panic!("{name} learnt from nonsense"),
            Err(error) => error.to_string(),
        };
        let empty = Array2::<f64>::zeros((0, 3));
        let narrow = Array2::<f64>::zeros((12, 0));
        let none = match row.predicts {
            Predicts::Values => [Problem::new(&empty, &[0.0; 0]), Problem::new(&narrow, &data.values)],
            Predicts::Labels => [Problem::new(&empty, &[0u32; 0]), Problem::new(&narrow, &data.labels)],
        };
        assert!(none.iter().all(|none| error(none).contains("nothing to learn from")), "{name}");
        let weights = [-1.0; 12];
        assert!(error(&data.problem(row).weights(&weights)).contains("weight"), "{name}");
        assert!(error(&data.problem(row).weights(&[0.0; 12])).contains("weights are 0"), "{name}");
        assert!(error(&data.problem(row).weights(&[1.0; 3])).contains("3 weights"), "{name}");
        match row.predicts {
            Predicts::Values => assert!(error(&Problem::new(&data.x, &data.labels)).contains("numbers"), "{name}"),
            Predicts::Labels => {
                assert!(error(&Problem::new(&data.x, &data.values)).contains("classes"), "{name}");
                assert!(error(&Problem::new(&data.x, &vec![1u32; 12])).contains("at least two classes"), "{name}");
            }
        }
    }
}

#[test]
fn one_feature_a_constant_column_and_few_rows_give_finite_predictions() {
    for row in MODELS {
        let data = data(30, 2, 8);
        let one = Data { x: data.x.slice(s![.., ..1]).to_owned(), ..self::data(30, 2, 8) };
        let constant = Data { x: Array2::<f64>::ones((30, 3)), ..self::data(30, 2, 8) };
        let mut mixed = self::data(30, 2, 8);
        mixed.x.column_mut(2).fill(5.0);
        let few = data.select(&[0, 1]);
        for data in [one, constant, mixed, few] {
            let data = data.of(row);
            let numbers = numbers(&*fit(row, &data.problem(row)), &data.x);
            assert!(numbers.iter().all(|v| v.is_finite()), "{}: {numbers:?}", row.name);
        }
        if row.predicts == Predicts::Values {
            let single = data.select(&[0]);
            let fitted = row.fit(&Map::new(), &single.problem(row)); // either a prediction or words
            if let Ok(model) = fitted {
                assert!(numbers(&*model, &single.x).iter().all(|v| v.is_finite()), "{}", row.name);
            }
        }
    }
}

#[test]
fn probabilities_are_distributions_whose_largest_is_the_prediction() {
    let data = data(90, 3, 9);
    for row in MODELS.iter().filter(|row| row.predicts == Predicts::Labels) {
        let data = data.of(row);
        let model = fit(row, &data.problem(row));
        let Some(p) = model.probabilities((&data.x).into()).unwrap() else { continue };
        assert_eq!(p.dim(), (90, 3), "{}", row.name);
        for row_of in p.rows() {
            assert!(
                row_of.iter().all(|v| (0.0..=1.0).contains(v)) && (row_of.sum() - 1.0).abs() < 1e-9,
                "{}",
                row.name
            );
        }
    }
}

#[test]
fn a_class_without_rows_is_known_and_never_certain() {
    let data = data(30, 2, 10);
    let skipped: Vec<u32> = data.labels.iter().map(|&label| 2 * label).collect(); // 0 and 2 of three classes
    for row in MODELS.iter().filter(|row| row.predicts == Predicts::Labels) {
        let data = data.of(row);
        let model = fit(row, &Problem::new(&data.x, &skipped));
        assert_eq!(model.classes(), 3, "{}", row.name);
        let Prediction::Labels(labels) = model.outcome((&data.x).into()).unwrap() else { panic!("{}", row.name) };
        assert!(labels.iter().all(|&label| label != 1), "{}", row.name);
    }
}

#[test]
fn whole_weights_are_as_good_as_repeated_rows() {
    let data = data(40, 2, 11);
    let weights: Vec<f64> = (0..40).map(|i| f64::from(i % 4)).collect();
    let repeated: Vec<usize> = (0..40).flat_map(|i| vec![i; i % 4]).collect();
    let longer = data.select(&repeated);
    for row in MODELS.iter().filter(|row| row.weights_repeat) {
        let (data, longer) = (data.of(row), longer.of(row));
        // The two are the same optimum; where a solver stops short of it is not what is asked.
        let mut settings = row.settings().unwrap();
        if let Some(tol) = settings.get_mut("tol") {
            *tol = 1e-8.into();
        }
        for member in settings.get_mut("estimators").and_then(Value::as_array_mut).into_iter().flatten() {
            if Row::named(member["model"].as_str().unwrap()).unwrap().settings().unwrap().contains_key("tol") {
                member["settings"]["tol"] = 1e-8.into();
            }
        }
        let weighted = row.fit(&settings, &data.problem(row).weights(&weights)).unwrap();
        let repeated = row.fit(&settings, &longer.problem(row)).unwrap();
        // Sums in another order, and solvers that stop at another step: scikit-learn's tolerance for the same check.
        close(row.name, &numbers(&*weighted, &data.x), &numbers(&*repeated, &data.x), 1e-5);
    }
}

#[test]
fn singles_are_learnt_from_as_the_doubles_they_are() {
    let data = data(40, 2, 12);
    let narrow = data.x.mapv(|v| v as f32);
    let wide = Data { x: narrow.mapv(f64::from), ..self::data(40, 2, 12) };
    for row in MODELS {
        let (wide, narrow) =
            (wide.of(row), if row.needs == Needs::Counts { narrow.mapv(f32::abs) } else { narrow.clone() });
        let of_wide = fit(row, &wide.problem(row));
        let problem = Problem { x: (&narrow).into(), ..data.problem(row) };
        assert_eq!(numbers(&*fit(row, &problem), &wide.x), numbers(&*of_wide, &wide.x), "{}", row.name);
    }
}

#[test]
fn columns_stored_one_after_another_are_read_as_rows() {
    let data = data(40, 2, 13);
    for row in MODELS {
        let data = data.of(row);
        let columns = concatenate(Axis(0), &[data.x.t()]).unwrap();
        let problem = Problem { x: columns.t().into(), ..data.problem(row) };
        let (left, right) = (fit(row, &problem), fit(row, &data.problem(row)));
        assert_eq!(numbers(&*left, &data.x), numbers(&*right, &data.x), "{}", row.name);
    }
}
