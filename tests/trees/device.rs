use crate::common::devices;
use crate::{Parts, diabetes, images};
use ndarray::Array2;
use serde_json::json;
use tilework::data::{Column as TableColumn, Table};
use tilework::models::balance::Decision;
use tilework::models::prepare::{FittedPipeline, Outcome, Pipeline};
use tilework::models::{
    Estimator, ExtraTreesClassifier, ExtraTreesRegressor, HistGradientBoostingClassifier,
    HistGradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor, Row,
};
use tilework::{Device, Rng};

/// Sums over trees differ by their rounding in f64 alone.
fn near(told: impl IntoIterator<Item = f64>, right: impl IntoIterator<Item = f64>) {
    for (told, right) in told.into_iter().zip(right) {
        assert!((told - right).abs() <= 1e-12 * right.abs().max(1.0), "{told}, {right}");
    }
}

#[test]
fn forests_on_a_device_predict_as_without_it() {
    let Parts { x, y, test_x, .. } = images();
    let random = RandomForestClassifier { n_estimators: 30, min_samples_leaf: 3.into(), ..Default::default() };
    let extra = ExtraTreesClassifier { n_estimators: 30, ..Default::default() };
    for model in [random.fit(&x, &y).unwrap(), extra.fit(&x, &y).unwrap()] {
        for device in devices() {
            let there = model.on(&device).unwrap();
            assert_eq!(*there.device(), device);
            assert_eq!(there.predict(&test_x).unwrap(), model.predict(&test_x).unwrap(), "{device}");
            near(there.predict_proba(&test_x).unwrap(), model.predict_proba(&test_x).unwrap());
        }
    }
    let Parts { x, y, test_x, .. } = diabetes();
    let random = RandomForestRegressor { n_estimators: 20, ..Default::default() }.fit(&x, &y).unwrap();
    let extra = ExtraTreesRegressor { n_estimators: 20, ..Default::default() }.fit(&x, &y).unwrap();
    for model in [random, extra] {
        for device in devices() {
            near(model.on(&device).unwrap().predict(&test_x).unwrap(), model.predict(&test_x).unwrap());
        }
    }
}

/// Numbers, missing values, and categories, of which the last ten rows have some that no row before had.
fn mixed(rows: usize) -> Array2<f64> {
    let noise = Rng::seed(11).normals(rows * 3);
    Array2::from_shape_fn((rows, 3), |(i, j)| match j {
        0 if i % 7 == 0 => f64::NAN,
        1 if i + 10 > rows => 1e9 + i as f64,
        1 if i % 11 == 0 => f64::NAN,
        1 => [-3.0, 0.0, 0.5, 7.0, 1e15][i * i % 5],
        _ => f64::from(noise[3 * i + j]) * 1.1,
    })
}

#[test]
fn boosting_on_a_device_predicts_as_without_it_with_missing_values_and_categories() {
    let all = mixed(700);
    let x = all.slice(ndarray::s![..690, ..]).to_owned();
    let score = |row: ndarray::ArrayView1<'_, f64>| {
        let of_set = if row[1] == 7.0 || row[1] == -3.0 { 2.0 } else { 0.0 };
        of_set + row[2] + if row[0].is_nan() { 1.0 } else { row[0] }
    };
    let y: Vec<f64> = x.rows().into_iter().map(score).collect();
    let settings =
        HistGradientBoostingRegressor { max_iter: 20, categorical_features: vec![1.into()], ..Default::default() };
    let model = settings.fit(&x, &y).unwrap();
    for device in devices() {
        near(model.on(&device).unwrap().predict(&all).unwrap(), model.predict(&all).unwrap());
    }
    for classes in [2, 4] {
        let labels: Vec<u32> = y.iter().map(|y| (y.max(0.0) as u32).min(classes - 1)).collect();
        let settings =
            HistGradientBoostingClassifier { max_iter: 10, categorical_features: vec![1.into()], ..Default::default() };
        let model = settings.fit(&x, &labels).unwrap();
        for device in devices() {
            let there = model.on(&device).unwrap();
            assert_eq!(there.predict(&all).unwrap(), model.predict(&all).unwrap(), "{device}");
            near(there.predict_proba(&all).unwrap(), model.predict_proba(&all).unwrap());
            near(there.decision_function(&all).unwrap(), model.decision_function(&all).unwrap());
        }
    }
}

#[test]
fn thresholds_that_are_values_of_the_column_send_these_left_though_no_f32_holds_them() {
    // 400 values of which each is an edge of a bin, none of them an f32
    let x = Array2::from_shape_fn((4000, 1), |(i, _)| f64::from(i as u32 % 400) / 10.0 + 0.03);
    let y: Vec<f64> = x.iter().map(|x| (x * 7.0).sin()).collect();
    let model = HistGradientBoostingRegressor { min_samples_leaf: 1, ..Default::default() }.fit(&x, &y).unwrap();
    for device in devices() {
        near(model.on(&device).unwrap().predict(&x).unwrap(), model.predict(&x).unwrap());
    }
}

#[test]
fn rows_a_device_cannot_take_are_refused_as_without_it() {
    let (x, y) = ([[0.0], [1.0]], [0.0, 1.0]);
    let model = RandomForestRegressor { n_estimators: 2, ..Default::default() }.fit(&x, &y).unwrap();
    let there = model.on(&Device::cpu()).unwrap();
    for (wrong, text) in
        [(ndarray::array![[0.0, 1.0]], "the model has 1 features"), (ndarray::array![[f64::NAN]], "NaN")]
    {
        let error = there.predict(&wrong).unwrap_err().to_string();
        assert!(error.starts_with("random-forest-regressor: ") && error.contains(text), "{error}");
    }
    assert!(there.predict(&Array2::<f64>::zeros((0, 1))).unwrap().is_empty());
    assert!(model.work(1000).transfer > 4000.0);
}

#[test]
fn a_pipeline_predicts_scores_decides_and_is_saved_from_a_device() {
    let classes: Vec<String> = (0..60).map(|i| ["low", "high"][usize::from(i % 10 > 4)].to_owned()).collect();
    let numbers: Vec<f64> = (0..60).map(|i| f64::from(i % 10) + f64::from(i) / 100.0).collect();
    let x = TableColumn::numbers("x", numbers.clone());
    let of = |target| Table::new("t", vec![x.clone(), target]).unwrap();
    let (labelled, measured) = (of(TableColumn::text("y", classes)), of(TableColumn::numbers("y", numbers.clone())));
    let members = |kinds: [&str; 2]| {
        let member = |kind: &str| json!({"name": kind, "model": kind, "settings": {}});
        json!(kinds.map(member))
    };
    let classifiers = members(["random-forest-classifier", "knn-classifier"]);
    let regressors = members(["ridge", "hist-gradient-boosting-regressor"]);
    let forest = json!({"name": "last", "model": "extra-trees-classifier", "settings": {"n_estimators": 5}});
    let cases = [
        ("random-forest-classifier", json!({}), &labelled),
        ("hist-gradient-boosting-classifier", json!({}), &labelled),
        ("extra-trees-regressor", json!({}), &measured),
        ("hist-gradient-boosting-regressor", json!({}), &measured),
        ("voting-classifier", json!({"estimators": classifiers, "voting": "soft"}), &labelled),
        ("voting-regressor", json!({"estimators": regressors}), &measured),
        ("stacking-classifier", json!({"final_estimator": forest}), &labelled),
        ("stacking-regressor", json!({"estimators": regressors}), &measured),
        ("calibrated-classifier", json!({"estimator": "extra-trees-classifier"}), &labelled),
    ];
    for device in devices() {
        for (kind, settings, table) in &cases {
            let set = |pipeline: Pipeline, (name, value): (&String, &serde_json::Value)| {
                pipeline.set(name, value.clone()).unwrap()
            };
            let pipeline = Pipeline::raw(Row::named(kind).unwrap());
            let pipeline = settings.as_object().unwrap().iter().fold(pipeline, set);
            let pipeline = match std::ptr::eq(*table, &labelled) {
                true => pipeline.deciding(Decision::Threshold(0.4)),
                false => pipeline,
            };
            let [host, there] = [(); 2].map(|()| pipeline.fit(table, None).unwrap());
            assert!(there.work(60).is_some());
            let there = there.on(&device).unwrap();
            match (host.predict(table).unwrap(), there.predict(table).unwrap()) {
                (Outcome::Values(host), Outcome::Values(there)) => near(there, host),
                (host, there) => assert_eq!(host, there, "{kind} on {device}"),
            }
            let p =
                |fitted: &FittedPipeline| fitted.predict_proba(table).unwrap().map(|p| p.into_raw_vec_and_offset().0);
            match (p(&host), p(&there)) {
                (Some(host), Some(there)) => near(there, host),
                (host, there) => assert_eq!(host, there, "{kind} on {device}"),
            }
            let bytes = |fitted: &FittedPipeline| {
                let folder = tempfile::tempdir().unwrap();
                fitted.save(folder.path().join("m")).unwrap();
                std::fs::read(folder.path().join("m")).unwrap()
            };
            assert!(bytes(&host) == bytes(&there), "{kind} on {device}");
        }
        let alone = Pipeline::raw(Row::named("ridge").unwrap()).fit(&measured, None).unwrap();
        assert_eq!(alone.work(60), None);
        let said = alone.on(&device).unwrap_err().to_string();
        assert!(said.starts_with("pipeline: ridge predicts on the CPU alone: given "), "{said}");
    }
}
