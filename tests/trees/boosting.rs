use crate::{Parts, accuracy, breast_cancer, diabetes, images, on_any_threads, r2};
use ndarray::Array2;
use tilework::Rng;
use tilework::io::HostTensor;
use tilework::models::{
    BoostingLoss, ColumnChoice, EarlyStop, Estimator, HistGradientBoostingClassifier, HistGradientBoostingRegressor,
    Model, Problem, Reader, archive_of,
};

/// Rows of three normal features.
fn cloud(rows: usize, seed: u64) -> Array2<f64> {
    let noise = Rng::seed(seed).normals(rows * 3);
    Array2::from_shape_fn((rows, 3), |(i, j)| f64::from(noise[3 * i + j]))
}

#[test]
fn boosted_trees_score_as_those_of_scikit_learn_and_lightgbm() {
    let Parts { x, y, test_x, test_y } = images();
    let model = on_any_threads(|| HistGradientBoostingClassifier::default().fit(&x, &y).unwrap());
    let score = accuracy(&model.predict(&test_x).unwrap(), &test_y);
    assert!((score - 0.9733).abs() < 0.01, "{score}"); // PEERS.md: 0.9733, LightGBM 0.9756; nothing is drawn at random
    let Parts { x, y, test_x, test_y } = breast_cancer();
    let model = HistGradientBoostingClassifier::default().fit(&x, &y).unwrap();
    let score = accuracy(&model.predict(&test_x).unwrap(), &test_y);
    assert!((score - 0.9371).abs() < 0.01, "{score}"); // LightGBM 0.9441
    let Parts { x, y, test_x, test_y } = diabetes();
    let model = HistGradientBoostingRegressor::default().fit(&x, &y).unwrap();
    let score = r2(&model.predict(&test_x).unwrap(), &test_y);
    assert!((score - 0.1927).abs() < 0.02, "{score}"); // scikit-learn 1.9.1
    assert_eq!((model.n_iter(), model.stopped_early()), (100, false));
}

#[test]
fn predictions_keep_to_monotone_directions() {
    let x = cloud(600, 1);
    let noise = Rng::seed(2).normals(600);
    let y: Vec<f64> = (0..600)
        .map(|i| (2.0 * x[[i, 0]]).sin() + 0.5 * x[[i, 0]] - x[[i, 1]].powi(3) / 5.0 + 0.5 * f64::from(noise[i]))
        .collect();
    let settings = HistGradientBoostingRegressor {
        monotonic_cst: vec![1, -1, 0].into(),
        min_samples_leaf: 5,
        ..Default::default()
    };
    let free = HistGradientBoostingRegressor { min_samples_leaf: 5, ..Default::default() }.fit(&x, &y).unwrap();
    let held = settings.fit(&x, &y).unwrap();
    let labels: Vec<u32> = y.iter().map(|&y| u32::from(y > 0.2)).collect();
    let classes = HistGradientBoostingClassifier { monotonic_cst: vec![1, -1, 0].into(), ..Default::default() };
    let classes = classes.fit(&x, &labels).unwrap();
    let mut falls = 0;
    for start in [[-0.7, 0.3, 0.1], [0.5, -1.0, 1.0], [0.0, 0.0, 0.0]] {
        for (feature, sign) in [(0, 1.0), (1, -1.0)] {
            let line =
                Array2::from_shape_fn((200, 3), |(i, j)| if j == feature { i as f64 / 33.0 - 3.0 } else { start[j] });
            let rising = |told: &[f64]| told.windows(2).filter(|pair| (pair[1] - pair[0]) * sign < -1e-12).count();
            assert_eq!(rising(&held.predict(&line).unwrap()), 0);
            let scores = classes.decision_function(&line).unwrap();
            assert_eq!(rising(scores.as_slice().unwrap()), 0);
            falls += rising(&free.predict(&line).unwrap());
        }
    }
    assert!(falls > 0, "without the constraint there would be nothing to see");
    assert!(r2(&held.predict(&x).unwrap(), &y) > 0.5);
}

#[test]
fn missing_values_go_where_they_do_best() {
    let mut x = cloud(400, 3);
    let y: Vec<f64> = (0..400).map(|i| if i % 4 == 0 || x[[i, 0]] > 0.0 { 5.0 } else { -5.0 }).collect();
    for row in (0..400).step_by(4) {
        x[[row, 0]] = f64::NAN; // missing values answer like large ones
    }
    let model = HistGradientBoostingRegressor::default().fit(&x, &y).unwrap();
    assert!(r2(&model.predict(&x).unwrap(), &y) > 0.99);
    let y: Vec<f64> = (0..400).map(|i| if i % 4 == 0 { 3.0 } else { 0.0 }).collect(); // nothing else matters
    let model = HistGradientBoostingRegressor::default().fit(&x, &y).unwrap();
    let told = model.predict(&[[f64::NAN, 0.0, 0.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]).unwrap();
    assert!((told[0] - 3.0).abs() < 0.05 && told[1].abs() < 0.05 && told[2].abs() < 0.05, "{told:?}");
}

#[test]
fn categories_are_grouped_by_what_they_answer_not_by_their_number() {
    let noise = Rng::seed(4).normals(1200);
    let x = Array2::from_shape_fn((1200, 2), |(i, j)| if j == 0 { (i % 12) as f64 } else { f64::from(noise[i]) });
    let y: Vec<f64> = (0..1200).map(|i| f64::from(u8::from([1, 4, 5, 8, 11].contains(&(i % 12))))).collect();
    let one_split = |categorical_features: Vec<ColumnChoice>| {
        let settings = HistGradientBoostingRegressor {
            categorical_features,
            max_iter: 60,
            max_leaf_nodes: Some(2),
            ..Default::default()
        };
        settings.fit(&x, &y).unwrap()
    };
    let (sets, order) = (one_split(vec![0.into()]), one_split(Vec::new()));
    let score = |model: &<HistGradientBoostingRegressor as Estimator>::Fitted| r2(&model.predict(&x).unwrap(), &y);
    assert!(score(&sets) > 0.999 && score(&order) < 0.9, "{} {}", score(&sets), score(&order));
    let archive = archive_of(&sets).unwrap();
    let again = <HistGradientBoostingRegressor as Estimator>::Fitted::restore(&Reader::of(&archive).unwrap()).unwrap();
    assert_eq!(again.predict(&x).unwrap(), sets.predict(&x).unwrap());
    let mut cut = archive.clone();
    cut.tensors.insert("set_sizes".into(), HostTensor::new(&[5u32], [1]).unwrap());
    assert!(<HistGradientBoostingRegressor as Estimator>::Fitted::restore(&Reader::of(&cut).unwrap()).is_err());
    assert!(sets.predict(&[[99.0, 0.0], [f64::NAN, 0.0]]).unwrap().iter().all(|v| v.is_finite()));
}

/// Numbers between 0 and 1 that numpy makes too: `v = np.sin(12.9898 * i + 78.233 * k) * 43758.5453; v - np.floor(v)`.
fn scattered(i: usize, k: usize) -> f64 {
    let v = (12.9898 * i as f64 + 78.233 * k as f64).sin() * 43758.5453;
    v - v.floor()
}

#[test]
fn many_categories_of_few_rows_are_not_learnt_by_heart() {
    // 200 categories of ten rows; trees of each cut among them all fit the noise: held-out R² 0.30
    let category = |i: usize| (scattered(i, 1) * 200.0).floor();
    let x = Array2::from_shape_fn((4000, 2), |(i, j)| if j == 0 { category(i) } else { 4.0 * (scattered(i, 2) - 0.5) });
    let effect = |i: usize| 2.0 * (scattered(category(i) as usize, 7) - 0.5);
    let y: Vec<f64> = (0..4000).map(|i| effect(i) + x[[i, 1]] + 4.0 * (scattered(i, 3) - 0.5)).collect();
    let settings = HistGradientBoostingRegressor { categorical_features: vec![0.into()], ..Default::default() };
    let (train, test) = (x.slice(ndarray::s![..2000, ..]), x.slice(ndarray::s![2000.., ..]).to_owned());
    let model = settings.fit(&train.to_owned(), &y[..2000]).unwrap();
    let score = r2(&model.predict(&test).unwrap(), &y[2000..]);
    assert!((score - 0.4397).abs() < 0.005, "{score}"); // scikit-learn 1.9.1: 0.43969
}

#[test]
fn trees_of_categories_are_those_of_scikit_learn() {
    // HistGradientBoostingRegressor(categorical_features=[0], early_stopping=False, max_iter=1, learning_rate=1,
    // max_leaf_nodes=6, min_samples_leaf=5); category 15 has ten rows, which is just enough
    let mut x = Array2::from_shape_fn((240, 2), |(i, j)| (if j == 0 { (i * i + 3 * i) % 23 } else { i % 9 }) as f64);
    let y: Vec<f64> = (0..240).map(|i| (x[[i, 0]] as usize * 7 % 11) as f64 / 4.0 + (i % 5) as f64 / 8.0).collect();
    let mut settings = HistGradientBoostingRegressor {
        categorical_features: vec![0.into()],
        max_iter: 1,
        learning_rate: 1.0,
        max_leaf_nodes: Some(6),
        min_samples_leaf: 5,
        ..Default::default()
    };
    let asked = [0.0, 1.0, 4.0, 5.0, 8.0, 10.0, 15.0, 17.0, 18.0, 21.0, f64::NAN].map(|category| [category, 0.0]);
    let near = |told: &[f64], wanted: &[f64]| {
        let same = told.iter().zip(wanted).all(|(told, wanted)| (told - wanted).abs() < 1e-6); // gradients are singles
        assert!(same && told.len() == wanted.len(), "{told:?} is not {wanted:?}");
    };
    let (low, high, most) = (0.412_698_397_182_283_07, 1.649_038_450_630_047_5, 1.999_999_983_537_764_9);
    let told = settings.fit(&x, &y).unwrap().predict(&asked).unwrap();
    let (next, middle, last) = (0.761_904_752_538_317_8, 1.250_000_001_169_075, 2.488_095_269_884_382);
    near(&told, &[low, most, high, next, low, middle, high, last, high, middle, high]);
    // every seventh category missing, three trees at the rate of 0.1
    x.column_mut(0).iter_mut().step_by(7).for_each(|cell| *cell = f64::NAN);
    (settings.max_iter, settings.learning_rate) = (3, 0.1);
    let told = settings.fit(&x, &y).unwrap().predict(&asked).unwrap();
    let (first, high, low) = (0.976_079_054_479_829, 1.231_662_912_589_187_6, 1.082_738_321_967_292_6);
    near(
        &told,
        &[
            first,
            1.432_035_978_225_961_7,
            1.356_267_674_174_108,
            low,
            1.000_741_754_217_075_1,
            high,
            1.270_069_618_214_897_8,
            1.524_923_268_540_038,
            1.270_069_618_214_897_8,
            1.233_364_982_982_440_2,
            high,
        ],
    );
}

#[test]
fn boosting_ends_when_held_out_rows_get_no_better() {
    let x = cloud(500, 5);
    let noise = Rng::seed(6).normals(500);
    let y: Vec<f64> = (0..500).map(|i| x[[i, 0]] + 2.0 * f64::from(noise[i])).collect();
    let early_stopping = EarlyStop::When(true);
    let model = HistGradientBoostingRegressor { early_stopping, ..Default::default() }.fit(&x, &y).unwrap();
    assert!(model.stopped_early() && model.n_iter() < 100, "{}", model.n_iter());
    let losses = model.validation_losses();
    assert_eq!(losses.len(), model.n_iter() + 1);
    let before = losses[losses.len() - 11];
    assert!(losses[losses.len() - 10..].iter().all(|&loss| loss >= before - 1e-7), "{losses:?}");
    let labels: Vec<u32> = y.iter().map(|&y| u32::from(y > 0.0)).collect();
    let model = HistGradientBoostingClassifier { early_stopping, ..Default::default() }.fit(&x, &labels).unwrap();
    assert!(model.stopped_early());
}

#[test]
fn quantiles_cover_their_share_and_absolute_error_withstands_outliers() {
    let x = cloud(1000, 7);
    let noise = Rng::seed(8).normals(1000);
    let mut y: Vec<f64> = (0..1000).map(|i| 2.0 * x[[i, 0]] + f64::from(noise[i])).collect();
    let cover = |quantile| {
        let settings = HistGradientBoostingRegressor { loss: BoostingLoss::Quantile, quantile, ..Default::default() };
        let told = settings.fit(&x, &y).unwrap().predict(&x).unwrap();
        y.iter().zip(told).filter(|(y, told)| *y <= told).count() as f64 / 1000.0
    };
    // on the rows it learnt from; three standard deviations of a share of 1,000 rows, and some for what was fitted
    for quantile in [0.1, 0.5, 0.9] {
        let covered = cover(quantile);
        assert!((covered - quantile).abs() < 0.05, "{covered} of {quantile}");
    }
    let clean = y.clone();
    (0..1000).step_by(50).for_each(|i| y[i] += 1e4);
    let score = |loss| {
        let settings = HistGradientBoostingRegressor { loss, ..Default::default() };
        r2(&settings.fit(&x, &y).unwrap().predict(&x).unwrap(), &clean)
    };
    assert!(score(BoostingLoss::AbsoluteError) > 0.7 && score(BoostingLoss::SquaredError) < 0.0);
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let (x, y) = (cloud(30, 9), vec![0.5; 30]);
    let default = HistGradientBoostingRegressor::default();
    for (settings, text) in [
        (HistGradientBoostingRegressor { learning_rate: 0.0, ..default.clone() }, "learning_rate = 0"),
        (HistGradientBoostingRegressor { max_bins: 256, ..default.clone() }, "max_bins = 256"),
        (HistGradientBoostingRegressor { max_iter: 0, ..default.clone() }, "max_iter = 0"),
        (HistGradientBoostingRegressor { monotonic_cst: vec![1].into(), ..default.clone() }, "each of 3 features"),
        (HistGradientBoostingRegressor { monotonic_cst: vec![2, 0, 0].into(), ..default.clone() }, "1, -1 or 0"),
        (
            HistGradientBoostingRegressor { categorical_features: vec![3.into()], ..default.clone() },
            "there are 3 features",
        ),
        (HistGradientBoostingRegressor { loss: BoostingLoss::Quantile, quantile: 1.0, ..default }, "quantile = 1"),
    ] {
        let error = settings.fit(&x, &y).unwrap_err().to_string();
        assert!(error.starts_with("hist-gradient-boosting-regressor: ") && error.contains(text), "{error}");
    }
}

#[test]
fn columns_are_told_by_name_or_by_position() {
    let x = Array2::from_shape_fn((120, 3), |(i, j)| if j == 1 { (i % 6) as f64 } else { scattered(i, j) });
    let y: Vec<f64> = (0..120).map(|i| [3.0, 0.0, 2.0, 1.0, 5.0, 0.5][i % 6] + x[[i, 0]]).collect();
    let names = ["size", "kind", "age"].map(String::from);
    let fit = |json: &str, names: Option<&[String]>| {
        let settings: HistGradientBoostingRegressor = serde_json::from_str(json).map_err(|e| e.to_string())?;
        settings.learn(&Problem { names, ..Problem::new(&x, &y) }).map_err(|e| e.to_string())
    };
    let known = Some(&names[..]);
    let told = fit(r#"{"categorical_features": ["kind"], "monotonic_cst": {"size": 1}}"#, known).unwrap();
    assert_eq!(told, fit(r#"{"categorical_features": [1], "monotonic_cst": [1, 0, 0]}"#, None).unwrap());
    assert!(told != fit("{}", known).unwrap());
    for (json, names, text) in [
        (
            r#"{"categorical_features": ["knd"]}"#,
            known,
            "categorical_features = \"knd\"; no column is called that: there are size, kind, age",
        ),
        (r#"{"categorical_features": ["kind"]}"#, None, "these columns have no names, so give positions from 0"),
        (r#"{"monotonic_cst": {"sizes": 1}}"#, known, "monotonic_cst = \"sizes\"; no column is called that"),
        (r#"{"monotonic_cst": {"age": 2}}"#, known, "monotonic_cst = 2 for column 2 (age); give 1, -1 or 0"),
        (
            r#"{"categorical_features": [1], "monotonic_cst": [0, -1, 0]}"#,
            known,
            "monotonic_cst = -1 for column 1 (kind); categories have no order",
        ),
        (r#"{"monotonic_cst": "up"}"#, known, "give a list of 1, -1 or 0 for each column, or a map"),
        (r#"{"categorical_features": [true]}"#, known, "give columns by their names or by their positions"),
    ] {
        let error = fit(json, names).unwrap_err();
        assert!(error.contains(text), "{json}: {error}");
    }
    let many = Array2::from_shape_fn((300, 1), |(i, _)| i as f64);
    let settings = HistGradientBoostingRegressor { categorical_features: vec!["kind".into()], ..Default::default() };
    let error = settings.learn(&Problem::new(&many, &vec![0.5; 300]).names(&names[1..2])).unwrap_err().to_string();
    assert!(error.contains("column 0 (kind) has 300 categories; at most 255 fit"), "{error}");
}
