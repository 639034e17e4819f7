//! Tables through steps to models: what a user of a raw table meets.

#[path = "prepare/golden.rs"]
mod golden;
#[path = "prepare/random.rs"]
mod random;
#[path = "prepare/series.rs"]
mod series;
#[path = "prepare/text.rs"]
mod text;

use ndarray::{Array2, array, s};
use serde_json::{Map, Value, json};
use tilework::Rng;
use tilework::data::{Kind, ReadOptions, Table};
use tilework::models::prepare::{
    Branch, ColumnTransformer, FittedPipeline, ImputeStrategy, MinMaxScaler, OneHotEncoder, Outcome, Pipeline,
    Remainder, SimpleImputer, StandardScaler, Step, TRANSFORMERS, TransformerRow, Uses,
};
use tilework::models::{DummyClassifier, DummyRegressor, Missing, Needs, Problem, Row, load};

const PEOPLE: &str = "\
age,income,town,member,since,name,buys
31,1200.5,Ulm,yes,2020-01-01,a,no
NA,900,Bonn,no,2021-06-01,b,yes
45,3100,Ulm,,2019-03-15,c,yes
27,,Kiel,yes,,d,no
52,2500,,no,2018-11-30,e,yes
";

fn table(text: &str) -> Table {
    Table::parse_csv_with(text.as_bytes(), "people.csv", &ReadOptions::lenient()).unwrap_or_else(|e| panic!("{e}"))
}

fn row(name: &str) -> &'static Row {
    Row::named(name).unwrap()
}

/// A model that asks for more than the dummy does: scaled columns without gaps.
fn strict(name: &str) -> Row {
    let mut row = *row(name);
    (row.needs, row.missing) = (Needs::Scaling, Missing::Refused);
    row
}

#[test]
fn a_raw_table_is_prepared_and_every_step_is_said() {
    let scaled = strict("dummy-classifier");
    let plan = Pipeline::auto(&table(PEOPLE), Some("buys"), &scaled).unwrap();
    let lines = [
        "dates as days since 1970-01-01: since",
        "booleans as 0 and 1: member",
        "3 missing cells filled in by the column's median: age, income, since",
        "1 missing cell filled in by the column's commonest value: member",
        "scaled to mean 0 and deviation 1: age, income, since",
        "text as a column of 0 and 1 for each level: town (3 levels), name (5 levels)",
    ];
    assert_eq!(plan.lines, lines);
    let fitted = plan.pipeline.fit(&table(PEOPLE), Some("buys")).unwrap();
    let names: Vec<String> = fitted.outputs().into_iter().map(|f| f.name).collect();
    let first = ["age", "income", "since", "member", "town_Bonn", "town_Kiel", "town_Ulm", "town_missing", "name_a"];
    assert_eq!(names[..9], first);
    let x = fitted.prepare((&fitted.frame(&table(PEOPLE)).unwrap().x).into()).unwrap();
    for column in x.slice(s![.., ..3]).columns() {
        assert!(column.sum().abs() < 1e-12 && (column.mapv(|v| v * v).sum() - 5.0).abs() < 1e-12, "{column}");
    }
    assert_eq!(x.column(3).to_vec(), [1.0, 0.0, 0.0, 1.0, 0.0]); // yes and no are as common: the lesser
    assert_eq!(x.column(7).to_vec(), [0.0, 0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn what_a_model_learns_from_itself_is_left_to_it() {
    let plan = Pipeline::auto(&table(PEOPLE), Some("buys"), row("dummy-classifier")).unwrap();
    assert!(plan.lines.iter().any(|l| l.starts_with("3 missing cells left to the model")), "{:?}", plan.lines);
    let fitted = plan.pipeline.fit(&table(PEOPLE), Some("buys")).unwrap();
    let x = fitted.prepare((&fitted.frame(&table(PEOPLE)).unwrap().x).into()).unwrap();
    assert!(x[[1, 0]].is_nan());
    assert_eq!(fitted.predict(&table(PEOPLE)).unwrap(), Outcome::Classes(vec!["yes".into(); 5]));
}

#[test]
fn columns_without_values_and_of_names_are_left_out_and_not_asked_for_again() {
    let rows: String = (0..100).map(|i| format!("{i},,person {i},{}\n", i % 3)).collect();
    let plan = Pipeline::auto(&table(&format!("n,gap,name,y\n{rows}")), None, row("dummy-classifier")).unwrap();
    assert_eq!(plan.lines, ["left out, no value in any row: gap", "left out, text that differs in most rows: name"]);
    let fitted = plan.pipeline.fit(&table(&format!("n,gap,name,y\n{rows}")), None).unwrap();
    assert_eq!(fitted.inputs().len(), 1);
    assert!(fitted.predict(&table("n\n5\n")).is_ok());
    assert!(fitted.predict(&table("name,n\nnobody,5\n")).is_ok());
    let none = Pipeline::auto(&table("a,y\n,1\n,2\n"), None, row("dummy-classifier")).unwrap_err().to_string();
    assert!(none.starts_with("people.csv: no column is left to learn \"y\" from"), "{none}");
}

#[test]
fn rare_levels_share_a_column_and_new_ones_join_them() {
    let rows: String = (0..400).map(|i| format!("t{},{i}\n", if i < 200 { i % 10 } else { i / 5 })).collect();
    let text = table(&format!("town,y\n{rows}"));
    let plan = Pipeline::auto(&text, None, row("dummy-regressor")).unwrap();
    assert!(plan.lines[0].ends_with("town (the 31 commonest of 50 levels, the others together)"), "{:?}", plan.lines);
    let fitted = plan.pipeline.fit(&text, None).unwrap();
    let outputs = fitted.outputs();
    assert_eq!((outputs.len(), outputs[31].name.as_str()), (32, "town_rare"));
    let x = fitted.prepare((&fitted.frame(&table("town,y\nnew,1\n")).unwrap().x).into()).unwrap();
    assert_eq!(x.row(0).iter().position(|&v| v == 1.0), Some(31));
}

#[test]
fn a_raw_pipeline_refuses_text_and_gaps_with_their_place() {
    let raw = Pipeline::raw(row("dummy-regressor"));
    let text = raw.fit(&table("a,b,y\n1,x,2.5\n2,z,3\n"), None).unwrap_err().to_string();
    assert!(text.starts_with("people.csv:2:2 (b): column of text where numbers are needed"), "{text}");
    let fitted = raw.fit(&table("a,b,y\n1,true,2\n2,false,4\n"), None).unwrap();
    assert_eq!(fitted.predict(&table("b,a\nyes,1\n")).unwrap(), Outcome::Values(vec![3.0]));
}

/// Texts are positions in a list to a step: scikit-learn's `could not convert string to float`.
#[test]
fn text_is_refused_before_every_step_that_would_read_its_positions_as_numbers() {
    let text = table("n,town,y\n1,Ulm,2.5\n2,,3\n3,Bonn,1\n5,Ulm,2\n");
    let raw = || Pipeline::raw(row("dummy-regressor"));
    let expected = "people.csv:2:2 (town): column of text where numbers are needed; encode it (OneHotEncoder)";
    for kind in TRANSFORMERS.iter().filter(|kind| !kind.takes_levels(&settings(kind)).unwrap()) {
        let step = Step { name: "s".into(), kind: kind.name.into(), settings: settings(kind) };
        let branch = ColumnTransformer::default().branch(["n", "town"], [step.clone()]);
        for pipeline in [raw().then(step), raw().then(Step::of(&branch))] {
            let error = pipeline.fit(&text, None).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{}: {error}", kind.name);
            let frame = pipeline.frame(&text, None).unwrap();
            let error = pipeline.learn(&frame.problem()).unwrap_err().to_string(); // as a fold does
            assert!(error.contains("town: column of text where numbers are needed"), "{}: {error}", kind.name);
        }
    }
    let taking: Vec<&str> =
        TRANSFORMERS.iter().filter(|kind| kind.takes_levels(&settings(kind)).unwrap()).map(|kind| kind.name).collect();
    let encoders = ["one-hot-encoder", "ordinal-encoder", "target-encoder", "count-vectorizer", "tfidf-vectorizer"];
    assert_eq!(taking, [&["column-transformer"][..], &encoders].concat());
    let filled = SimpleImputer { strategy: ImputeStrategy::MostFrequent, ..SimpleImputer::default() };
    let pipeline = raw().then(Step::of(&filled)).then(Step::of(&OneHotEncoder::default()));
    assert_eq!(pipeline.fit(&text.with_columns(&["town", "y"]).unwrap(), None).unwrap().outputs().len(), 2);
    let error = raw().then(Step::of(&filled)).then(Step::of(&StandardScaler::default())).fit(&text, None).unwrap_err();
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[test]
fn a_gap_that_comes_with_new_rows_alone_is_filled_in() {
    let rows: String = (0..20).map(|i| format!("{},{},{}.5\n", i % 5, ["yes", "no"][i % 2], i % 5)).collect();
    let full = table(&format!("n,b,y\n{rows}"));
    let plan = Pipeline::auto(&full, None, row("ridge")).unwrap();
    assert_eq!(plan.lines, ["booleans as 0 and 1: b", "scaled to mean 0 and deviation 1: n"]);
    let fitted = plan.pipeline.fit(&full, None).unwrap();
    let predicted = |text: &str| fitted.predict(&table(text)).unwrap();
    assert_eq!(predicted("n,b\n,yes\n3,\n"), predicted("n,b\n2,yes\n3,no\n")); // the median; of equals the lesser
}

#[test]
fn a_gap_in_rows_to_learn_from_is_said_to_be_one_that_the_model_does_not_take() {
    let raw = Pipeline::raw(row("ridge"));
    let error = raw.fit(&table("a,b,y\n1,,2.5\n2,4,3\n"), None).unwrap_err().to_string();
    let expected = "people.csv:2:2 (b): missing value, and the model takes no gaps; put an imputer before it";
    assert!(error.starts_with(expected), "{error}");
    let error = raw.fit(&table("a,b,y\n1,,2.5\n2,,3\n"), None).unwrap_err().to_string();
    assert!(error.starts_with("people.csv:2:2 (b): column without a value in any row; leave it out"), "{error}");
    let fitted = raw.fit(&table("a,b,y\n1,7,2.5\n2,5,3\n"), None).unwrap();
    let error = fitted.predict(&table("a,b\n1,1\n1,\n")).unwrap_err().to_string();
    assert!(error.starts_with("people.csv:3:2 (b): missing value, and there was none here to learn from"), "{error}");
}

#[test]
fn a_branch_s_column_that_is_not_there_is_said_with_the_names_of_the_table() {
    let branches = ColumnTransformer::default().branch(["age", "salary"], [Step::of(&StandardScaler::default())]);
    let pipeline = Pipeline::new(&DummyClassifier::default()).unwrap().then(Step::of(&branches));
    let error = pipeline.fit(&table(PEOPLE), None).unwrap_err().to_string();
    let expected = "people.csv: no column of that name: given \"salary\"; the file has \"age\", \"income\", \"town\"";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn booleans_are_taken_as_0_and_1_where_they_were_words() {
    let fitted = Pipeline::raw(row("ridge")).fit(&table("a,b,y\n1,yes,2.5\n2,no,4\n3,no,1\n"), None).unwrap();
    let predicted = |text: &str| {
        let new = Table::parse_csv_with(text.as_bytes(), "new.csv", &fitted.read_options()).unwrap();
        fitted.predict(&new)
    };
    let words = predicted("a,b\n1,yes\n2,no\n").unwrap();
    for text in ["a,b\n1,1\n2,0\n", "a,b\n1,1.0\n2,0.0\n", "a,b\n1,True\n2,0\n"] {
        assert_eq!(predicted(text).unwrap(), words, "{text}");
    }
    let error = predicted("a,b\n1,2\n").unwrap_err().to_string();
    assert!(error.starts_with("new.csv:2:2 (b): no boolean: \"2\""), "{error}");
}

/// Every mistake that a file of new rows may hold.
#[test]
fn new_rows_that_do_not_fit_are_refused_with_their_place() {
    let steps =
        ColumnTransformer::default().branch(["n", "d", "b"], []).branch(["t"], [Step::of(&OneHotEncoder::default())]);
    let model = Pipeline::new(&DummyClassifier::default()).unwrap().then(Step::of(&steps));
    let fitted = model.fit(&table("n,t,d,b,y\n1,u,2020-01-01,yes,p\n2,v,2020-01-02,no,q\n"), None).unwrap();
    let error = |text: &str| fitted.predict(&table(text)).unwrap_err().to_string();
    for (text, begin) in [
        ("n,t,d\n1,u,2020-01-01\n", "people.csv: other columns than the model's: 3 of its 4 columns given; missing b"),
        (
            "n,t,d,y\n1,u,2020-01-01,p\n",
            "people.csv: other columns than the model's: 3 of its 4 columns given; missing b",
        ),
        (
            "n,t,d,b,z\n1,u,2020-01-01,no,1\n",
            "people.csv: other columns than the model's: 4 of its 4 columns given; not known to the model z",
        ),
        (
            "n,t,d,b\n1,w,2020-01-01,no\n",
            "people.csv:2:2 (t): text that was not there to learn from: \"w\"; there were \"u\", \"v\"",
        ),
        ("n,t,d,b\n1,7,2020-01-01,no\n", "people.csv:2:2 (t): text that was not there to learn from: \"7\""),
        ("n,t,d,b\n1,u,soon,no\n", "people.csv:2:3 (d): no date: \"soon\" in a column that was all dates"),
        ("n,t,d,b\n1,u,7,no\n", "people.csv:2:3 (d): no date: \"7\""),
        ("n,t,d,b\n1,u,2020-01-01,maybe\n", "people.csv:2:4 (b): no boolean: \"maybe\""),
        ("n,t,d,b\nx,u,2020-01-01,no\n", "people.csv:2:1 (n): no integer: \"x\""),
    ] {
        assert!(error(text).starts_with(begin), "{text:?} gave {}", error(text));
    }
    assert!(fitted.predict(&table("b,d,n,t,y\n1,2020-01-01,,v,9\n")).is_ok()); // any order, 1 for yes, a gap that it takes
    let text = fitted.frame(&table("n,t,d,b,y\n1,u,2020-01-01,no,r\n")).unwrap_err().to_string();
    assert!(text.starts_with("people.csv:2:5 (y): class \"r\" is not known; the classes are \"p\", \"q\""), "{text}");
}

#[test]
fn targets_that_cannot_be_learnt_are_refused_with_their_place() {
    let fit = |text: &str, model: &str| {
        let table = table(text);
        Pipeline::raw(row(model)).fit(&table, None).unwrap_err().to_string()
    };
    for (text, model, begin) in [
        ("a,y\n1,x\n2,\n", "dummy-classifier", "people.csv:3:2 (y): target is missing in 1 of 2 rows"),
        (
            "a,y\n1,1.5\n2,2\n",
            "dummy-classifier",
            "people.csv:2:2 (y): target of numbers: the model tells classes apart",
        ),
        ("a,y\n1,x\n2,z\n", "dummy-regressor", "people.csv:2:2 (y): target of texts: the model predicts numbers"),
        ("a,y\n1,x\n2,x\n", "dummy-classifier", "people.csv:2:2 (y): target has one value in all rows"),
        ("y\n1\n2\n", "dummy-classifier", "people.csv: no features: \"y\" is the only column"),
    ] {
        let text = fit(text, model);
        assert!(text.starts_with(begin), "{text}");
    }
    let text = Pipeline::auto(&table("a,y\n1,2\n"), Some("z"), row("dummy-regressor")).unwrap_err().to_string();
    assert!(text.starts_with("people.csv: no column of that name: given \"z\""), "{text}");
}

#[test]
fn a_saved_pipeline_is_one_file_that_predicts_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.safetensors");
    for model in ["dummy-classifier", "dummy-regressor"] {
        let target = if model == "dummy-classifier" { "buys" } else { "age" };
        let table = table(PEOPLE).drop_missing_rows(&["age"]).unwrap();
        let scaled = strict(model);
        let fitted = Pipeline::auto(&table, Some(target), &scaled).unwrap().pipeline.fit(&table, Some(target)).unwrap();
        fitted.save(&path).unwrap();
        let again = FittedPipeline::load(&path).unwrap();
        assert_eq!(again.predict(&table).unwrap(), fitted.predict(&table).unwrap());
        assert_eq!((again.outputs(), again.target(), again.task()), (fitted.outputs(), Some(target), fitted.task()));
        let x = fitted.frame(&table).unwrap().x;
        assert_eq!(again.prepare((&x).into()).unwrap(), fitted.prepare((&x).into()).unwrap());
        assert_eq!(load(&path).unwrap().kind(), "pipeline");
        let bytes = std::fs::read(&path).unwrap();
        for cut in (0..bytes.len()).step_by(bytes.len() / 40) {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert!(FittedPipeline::load(&path).is_err());
        }
    }
}

#[test]
fn new_files_are_read_as_the_first_was() {
    let fitted = Pipeline::auto(&table("code,y\n01,0.5\nx2,1\n03,2\nz,1\n"), None, row("dummy-regressor"));
    let fitted = fitted.unwrap().pipeline.fit(&table("code,y\n01,0.5\nx2,1\n03,2\nz,1\n"), None).unwrap();
    let new = Table::parse_csv_with("code\n01\n".as_bytes(), "new.csv", &fitted.read_options()).unwrap();
    assert_eq!(new.columns()[0].kind(), Kind::Text);
    assert!(fitted.predict(&new).is_ok());
}

#[test]
fn a_pipeline_learns_from_a_matrix_and_takes_settings_by_name() {
    let x = array![[1.0, 10.0], [3.0, 30.0], [5.0, f64::NAN]];
    let pipeline = Pipeline::new(&DummyRegressor::default())
        .unwrap()
        .then(Step::of(&SimpleImputer::default()).called("fill"))
        .then(Step::of(&StandardScaler::default()).called("scale"));
    let fitted = pipeline.learn(&Problem::new(&x, &[1.0, 2.0, 6.0])).unwrap();
    assert_eq!(fitted.prepare((&x).into()).unwrap()[[2, 1]], 0.0);
    assert_eq!(fitted.step("fill").map(|step| step.kind()), Some("simple-imputer"));
    let changed = pipeline.clone().set("scale.with_mean", json!(false)).unwrap();
    let fitted = changed.learn(&Problem::new(&x, &[1.0, 2.0, 6.0])).unwrap();
    assert!(fitted.prepare((&x).into()).unwrap()[[2, 1]] > 1.0);
    let error = |p: Pipeline| p.check().unwrap_err().to_string();
    assert!(error(pipeline.clone().set("scale.with_meen", json!(1)).unwrap()).contains("with_meen"));
    assert!(error(pipeline.clone().set("alpha", json!(1)).unwrap()).contains("alpha"));
    assert!(
        error(pipeline.clone().then(Step::of(&MinMaxScaler::default()).called("scale")))
            .contains("two steps are called \"scale\"")
    );
    assert!(pipeline.set("gone.x", json!(1)).unwrap_err().to_string().contains("no step is called \"gone\""));
}

#[test]
fn branches_stand_side_by_side_and_the_remainder_behind_them() {
    let x = array![[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]];
    let names = ["a", "b", "c"].map(String::from);
    let mut settings = ColumnTransformer {
        branches: vec![Branch {
            columns: vec!["c".into(), "a".into()],
            steps: vec![Step::of(&MinMaxScaler::default())],
        }],
        remainder: Remainder::Passthrough,
    };
    let row = TransformerRow::named("column-transformer").unwrap();
    let fit = |settings: &ColumnTransformer| match serde_json::to_value(settings).unwrap() {
        Value::Object(map) => row.fit(&map, &Problem::new(&x, tilework::models::Answer::None).names(&names)),
        _ => unreachable!(),
    };
    let (_, made) = fit(&settings).unwrap();
    assert_eq!(made, array![[1.0, 0.0, 2.0], [0.0, 1.0, 2.0]]);
    settings.branches[0].columns[0] = "d".into();
    assert!(fit(&settings).unwrap_err().to_string().contains("no column of that name: given \"d\"; there are a, b, c"));
    assert!(fit(&ColumnTransformer::default()).is_err());
}

fn numbers(rows: usize, seed: u64) -> Array2<f64> {
    let noise = Rng::seed(seed).normals(rows * 4);
    Array2::from_shape_fn((rows, 4), |(i, j)| match j {
        3 => (i % 3) as f64,
        _ => (f64::from(noise[4 * i + j]) * (j + 1) as f64).abs() + 0.01,
    })
}

/// Default settings, or what a step needs to do something.
fn settings(row: &TransformerRow) -> Map<String, Value> {
    let value = match row.name {
        "column-transformer" => json!({"remainder": "passthrough"}),
        "one-hot-encoder" => json!({"handle_unknown": "ignore"}),
        "ordinal-encoder" => json!({"unknown_value": -1.0}),
        "select-k-best" => json!({"k": 2}),
        // Forests of few trees are as good here.
        "select-from-model" | "rfe" => json!({"settings": {"n_estimators": 5}}),
        "rfecv" => json!({"settings": {"n_estimators": 5}, "cv": 2}),
        "gaussian-random-projection" | "sparse-random-projection" => json!({"n_components": 3}),
        _ => json!({}),
    };
    let mut settings = row.settings().unwrap();
    if let Value::Object(map) = value {
        settings.extend(map);
    }
    settings
}

fn problem<'a>(row: &TransformerRow, x: &'a Array2<f64>, values: &'a [f64], labels: &'a [u32]) -> Problem<'a> {
    match row.uses {
        Uses::Features | Uses::Answers => Problem::new(x, values),
        Uses::Labels => Problem::new(x, labels),
        Uses::Texts => panic!("{} takes no numbers", row.name),
    }
}

#[test]
fn every_step_holds_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("step.safetensors");
    let x = numbers(60, 1);
    let values: Vec<f64> = x.rows().into_iter().map(|r| r[0] - r[1]).collect();
    let labels: Vec<u32> = (0..60).map(|i| i % 3).collect();
    for row in TRANSFORMERS.iter().filter(|row| row.uses != Uses::Texts) {
        let name = row.name;
        let problem = problem(row, &x, &values, &labels);
        let (fitted, _) = row.fit(&settings(row), &problem).unwrap_or_else(|e| panic!("{name}: {e}"));
        let made = fitted.apply((&x).into()).unwrap();
        assert_eq!((fitted.kind(), fitted.width()), (name, 4));
        assert_eq!((made.nrows(), made.ncols()), (60, fitted.outputs()), "{name}");
        assert!(made.iter().all(|v| v.is_finite()), "{name}");
        let features: Vec<_> = ["a", "b", "c", "d"].map(tilework::models::prepare::Feature::number).to_vec();
        assert_eq!(fitted.features(&features).len(), made.ncols(), "{name}");

        // Rows alone are as rows among others.
        for i in [0, 17, 59] {
            let alone = fitted.apply((&x.slice(s![i..=i, ..]).to_owned()).into()).unwrap();
            assert!((&alone.row(0) - &made.row(i)).iter().all(|d| d.abs() < 1e-9), "{name}");
        }
        let error = fitted.apply((&Array2::<f64>::zeros((2, 5))).into()).unwrap_err().to_string();
        assert!(error.contains("has 4 features") && error.contains("given 5"), "{name}: {error}");
        assert!(fitted.apply((&array![[0.0, f64::INFINITY, 0.0, 0.0]]).into()).is_err(), "{name}");
        assert_eq!(fitted.apply((&Array2::<f64>::zeros((0, 4))).into()).map(|x| x.nrows()).unwrap_or(0), 0, "{name}");

        // NaN is refused or has a meaning, in the fit and after it.
        let mut gap = x.clone();
        gap[[7, 1]] = f64::NAN;
        let learnt = row.missing == Missing::Learnt;
        let of_gap = self::problem(row, &gap, &values, &labels);
        assert_eq!(row.fit(&settings(row), &of_gap).is_ok(), learnt, "{name}");
        if !learnt {
            assert!(fitted.apply((&gap).into()).is_err(), "{name}");
        }

        // A file holds it whole.
        let step = Step { name: "s".into(), kind: name.into(), settings: settings(row) };
        let model = match row.uses {
            Uses::Labels => Pipeline::new(&DummyClassifier::default()),
            _ => Pipeline::new(&DummyRegressor::default()),
        };
        let pipeline = model.unwrap().then(step).learn(&problem).unwrap();
        pipeline.save(&path).unwrap();
        let again = FittedPipeline::load(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(again.prepare((&x).into()).unwrap(), made, "{name}");
        assert_eq!(again.outputs(), pipeline.outputs(), "{name}");

        // Settings are checked by name, and nothing to learn from is said so.
        let mut unknown = settings(row);
        unknown.insert("no_such_setting".into(), Value::Null);
        assert!(row.check(&unknown).unwrap_err().to_string().contains("no_such_setting"), "{name}");
        let empty = Array2::<f64>::zeros((0, 4));
        let error = row.fit(&settings(row), &self::problem(row, &empty, &[], &[])).unwrap_err().to_string();
        assert!(error.contains("nothing to learn from"), "{name}: {error}");
    }
}

#[test]
fn constant_columns_and_single_rows_stay_finite_through_every_step() {
    for row in TRANSFORMERS.iter().filter(|row| row.uses != Uses::Texts) {
        for x in [Array2::from_elem((20, 4), 3.0), numbers(2, 3), numbers(1, 3)] {
            let values: Vec<f64> = (0..x.nrows()).map(|i| i as f64).collect();
            let labels: Vec<u32> = (0..x.nrows() as u32).map(|i| i % 2).collect();
            if let Ok((fitted, made)) = row.fit(&settings(row), &problem(row, &x, &values, &labels)) {
                assert!(made.iter().chain(&fitted.apply((&x).into()).unwrap()).all(|v| v.is_finite()), "{}", row.name);
            }
        }
    }
}
