//! Golden files: what a version once wrote is read by all later ones, and predicts what it did.
//!
//! `tests/data/golden` holds a model file of every kind and, beside it, rows that it was asked and its answers. A kind without
//! one fails here; `TILEWORK_GOLDEN=write cargo test --test estimators golden` writes those that are missing and changes none.

use super::steps::settings;
use super::{data, fit_with};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tilework::data::{Dataset, ReadOptions, Table};
use tilework::models::balance::{Balance, Decision, RandomOverSampler};
use tilework::models::prepare::{
    FittedPipeline, Pipeline, Step, TRANSFORMERS, Transform, Transformer, TransformerRow, Uses,
};
use tilework::models::{
    Components, Estimator, FittedMlp, FittedPca, IsolationForest, KMeans, MODELS, Mlp, Model, Pca, Prediction, Problem,
    Row, load, save,
};
use tilework::train::Silent;
use tilework::{Device, Error};

/// What a file was asked and what it answered.
#[derive(Serialize, Deserialize)]
struct Golden {
    /// Rows of features; `null` is NaN. Or a table as CSV.
    asked: Asked,
    /// Answers by name: `outcome`, `probabilities`, `decision`; `null` is NaN.
    answers: Answers,
    /// How far a number may be from what it was, relative to its size; labels are exact.
    tolerance: f64,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Asked {
    Csv(String),
    Rows(Vec<Vec<Option<f64>>>),
}

type Answers = BTreeMap<String, Vec<Option<f64>>>;

/// Sums and exponentials end in other bits where a processor multiplies and adds at once, or a system has another `exp`.
const DOUBLES: f64 = 1e-12;
/// The same of networks in singles.
const SINGLES: f64 = 1e-5;

/// One kind of file: how it is made, and how it is asked.
struct Kind {
    name: String,
    tolerance: f64,
    make: Box<dyn Fn(&Path) -> Asked>,
    ask: fn(&Path, &Asked) -> Answers,
}

const PEOPLE: &str = "\
age,income,town,member,since,buys
31,1200.5,Ulm,yes,2020-01-01,no
NA,900,Bonn,no,2021-06-01,yes
45,3100,Ulm,,2019-03-15,yes
27,,Kiel,yes,,no
52,2500,,no,2018-11-30,yes
38,1800,Kiel,no,2020-07-04,no
";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden")
}

fn nullable(values: impl IntoIterator<Item = f64>) -> Vec<Option<f64>> {
    values.into_iter().map(|v| (!v.is_nan()).then_some(v)).collect()
}

fn rows(x: &Array2<f64>) -> Asked {
    Asked::Rows(x.rows().into_iter().map(|row| nullable(row.to_vec())).collect())
}

fn matrix(asked: &Asked) -> Array2<f64> {
    let Asked::Rows(rows) = asked else { panic!("a table where rows are asked for") };
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j].unwrap_or(f64::NAN))
}

fn table(asked: &Asked) -> Table {
    let Asked::Csv(text) = asked else { panic!("rows where a table is asked for") };
    Table::parse_csv_with(text.as_bytes(), "golden.csv", &ReadOptions::lenient()).unwrap()
}

/// Everything that a model answers.
fn answers(model: &dyn Model, x: &Array2<f64>) -> Answers {
    let outcome = match model.outcome(x.into()).unwrap() {
        Prediction::Values(values) => values,
        Prediction::Labels(labels) => labels.into_iter().map(f64::from).collect(),
    };
    let more = [("probabilities", model.probabilities(x.into())), ("decision", model.decision(x.into()))];
    let more = more.into_iter().filter_map(|(name, answer)| Some((name.to_owned(), nullable(answer.unwrap()?))));
    more.chain([("outcome".to_owned(), nullable(outcome))]).collect()
}

fn ask_model(path: &Path, asked: &Asked) -> Answers {
    answers(&*load(path).unwrap_or_else(|e| panic!("{e}")), &matrix(asked))
}

/// A small fit of a kind: the defaults are for larger data. Kinds that hold others name them, whatever their defaults are.
fn model_settings(name: &str) -> Map<String, Value> {
    let members = |kinds: [&str; 2]| json!([{"name": "a", "model": kinds[0]}, {"name": "b", "model": kinds[1]}]);
    let classifiers = members(["logistic-regression", "decision-tree-classifier"]);
    let regressors = members(["ridge", "decision-tree-regressor"]);
    let last = |model: &str| json!({"name": "last", "model": model});
    let value = match name {
        "calibrated-classifier" => json!({"estimator": "logistic-regression", "cv": 2}),
        "voting-classifier" => json!({"estimators": classifiers, "voting": "soft"}),
        "voting-regressor" => json!({"estimators": regressors}),
        "stacking-classifier" => {
            json!({"estimators": classifiers, "final_estimator": last("logistic-regression"), "cv": 2})
        }
        "stacking-regressor" => json!({"estimators": regressors, "final_estimator": last("ridge"), "cv": 2}),
        "mlp-classifier" | "mlp-regressor" => json!({"hidden_layer_sizes": [4], "max_iter": 20}),
        "hist-gradient-boosting-classifier" | "hist-gradient-boosting-regressor" => {
            json!({"max_iter": 5, "min_samples_leaf": 4})
        }
        _ if name.starts_with("random-forest") || name.starts_with("extra-trees") => json!({"n_estimators": 3}),
        _ => json!({}),
    };
    let Value::Object(map) = value else { panic!("settings are an object") };
    map
}

fn of_model(row: &'static Row) -> Kind {
    let make = move |path: &Path| {
        let (learnt, asked) = (data(36, 3, 40).of(row), data(6, 3, 41).of(row));
        save(&*fit_with(row, &model_settings(row.name), &learnt.problem(row)), path).unwrap();
        rows(&asked.x)
    };
    let tolerance = if row.name.starts_with("mlp-") { SINGLES } else { DOUBLES };
    Kind { name: row.name.into(), tolerance, make: Box::new(make), ask: ask_model }
}

/// A step in a pipeline before a model that says nothing, learnt from small whole numbers with a gap where it takes one.
fn of_step(step: &'static TransformerRow) -> Kind {
    let make = |path: &Path| {
        if step.uses == Uses::Texts {
            let asked = Asked::Csv("text,y\n\"A good, good book.\",1\nNo good.,2\nÄrger und 東京 Ärger,3\n,4\n".into());
            let step = Step { name: "step".into(), kind: step.name.into(), settings: Map::new() };
            let pipeline = Pipeline::raw(Row::named("dummy-regressor").unwrap()).then(step);
            pipeline.fit(&table(&asked), None).unwrap_or_else(|e| panic!("{e}")).save(path).unwrap();
            return asked;
        }
        let mut learnt = data(36, 3, 42);
        let mut asked = data(6, 3, 43).x.mapv(|v| v.abs().floor());
        learnt.x.mapv_inplace(|v| v.abs().floor());
        if step.missing == tilework::models::Missing::Learnt {
            (learnt.x[[5, 1]], asked[[2, 0]]) = (f64::NAN, f64::NAN);
        }
        let (model, problem) = match step.uses {
            Uses::Labels => ("dummy-classifier", Problem::new(&learnt.x, &learnt.labels)),
            Uses::Features | Uses::Answers | Uses::Texts => {
                ("dummy-regressor", Problem::new(&learnt.x, &learnt.values))
            }
        };
        let step = Step { name: "step".into(), kind: step.name.into(), settings: settings(step.name) };
        let pipeline = Pipeline::raw(Row::named(model).unwrap()).then(step);
        pipeline.learn(&problem).unwrap_or_else(|e| panic!("{e}")).save(path).unwrap();
        rows(&asked)
    };
    let ask = |path: &Path, asked: &Asked| {
        let model = FittedPipeline::load(path).unwrap();
        let made = match asked {
            Asked::Csv(_) => model.prepare(model.frame(&table(asked)).unwrap().problem().x).unwrap(),
            Asked::Rows(_) => model.prepare((&matrix(asked)).into()).unwrap(),
        };
        [("made".to_owned(), nullable(made))].into()
    };
    Kind { name: format!("step-{}", step.name), tolerance: DOUBLES, make: Box::new(make), ask }
}

/// What is no row of a table: a pipeline from a table to a prediction, a network, and what learns without answers.
fn others() -> Vec<Kind> {
    let pipeline = |path: &Path| {
        let asked = Asked::Csv(PEOPLE.into());
        let learnt = table(&asked);
        let plan = Pipeline::auto(&learnt, None, Row::named("logistic-regression").unwrap()).unwrap();
        plan.pipeline.fit(&learnt, None).unwrap().save(path).unwrap();
        asked
    };
    let decided = |path: &Path| {
        let asked = Asked::Csv(PEOPLE.into());
        let learnt = table(&asked);
        let plan = Pipeline::auto(&learnt, None, Row::named("gaussian-nb").unwrap()).unwrap();
        let pipeline = plan.pipeline.balanced(Balance::RandomOverSampler(RandomOverSampler::default()));
        pipeline.deciding(Decision::Threshold(0.9)).fit(&learnt, None).unwrap().save(path).unwrap();
        asked
    };
    let ask_pipeline = |path: &Path, asked: &Asked| {
        let (model, table) = (FittedPipeline::load(path).unwrap(), table(asked));
        assert_eq!((model.target(), model.inputs().len()), (Some("buys"), 5));
        answers(&model, &model.frame(&table).unwrap().x)
    };
    let network = |path: &Path| {
        let asked = Asked::Csv("a,b,kind\n0,1,x\n1,0.5,y\n2,0.25,y\n-1,4,x\n".into());
        let learnt = Dataset::from_table(&table(&asked), None).unwrap();
        let settings = Mlp { hidden: vec![4], epochs: 5, ..Mlp::default() };
        settings.fit(&learnt, &Device::cpu(), &mut Silent).unwrap().save(path).unwrap();
        asked
    };
    let ask_network = |path: &Path, asked: &Asked| {
        let model = FittedMlp::load(path, &Device::cpu()).unwrap();
        let asked = Dataset::matching(&table(asked), model.schema()).unwrap();
        let p = model.predict_proba(asked.features()).unwrap();
        [("probabilities".to_owned(), nullable(p.into_iter().map(f64::from)))].into()
    };
    let pca = |path: &Path| {
        Pca { n_components: Some(Components::Count(2)), ..Pca::default() }
            .fit(&data(36, 3, 44).x)
            .unwrap()
            .save(path)
            .unwrap();
        rows(&data(6, 3, 45).x)
    };
    let ask_pca = |path: &Path, asked: &Asked| {
        let made = FittedPca::load(path).unwrap().transform(&matrix(asked)).unwrap();
        [("made".to_owned(), nullable(made))].into()
    };
    let k_means = |path: &Path| {
        KMeans { n_clusters: 3, ..KMeans::default() }.fit(&data(36, 3, 46).x).unwrap().save(path).unwrap();
        rows(&data(6, 3, 47).x)
    };
    let ask_k_means = |path: &Path, asked: &Asked| {
        let (model, x) = (KMeans::load(path).unwrap(), matrix(asked));
        let labels = model.predict(&x).unwrap().into_iter().map(f64::from);
        let distances = model.transform(&x).unwrap();
        [("outcome".to_owned(), nullable(labels)), ("made".to_owned(), nullable(distances))].into()
    };
    let isolation = |path: &Path| {
        let forest = IsolationForest { n_estimators: 3, ..IsolationForest::default() };
        save(&forest.fit(&data(36, 3, 48).x, tilework::models::Answer::None).unwrap(), path).unwrap();
        rows(&data(6, 3, 49).x)
    };
    let ask_isolation =
        |path: &Path, asked: &Asked| answers(&<IsolationForest as Estimator>::load(path).unwrap(), &matrix(asked));
    let kind = |name: &str, tolerance, make: fn(&Path) -> Asked, ask| Kind {
        name: name.into(),
        tolerance,
        make: Box::new(make),
        ask,
    };
    vec![
        kind("pipeline", DOUBLES, pipeline, ask_pipeline),
        kind("pipeline-decided", DOUBLES, decided, ask_pipeline),
        kind("mlp", SINGLES, network, ask_network),
        kind("pca", DOUBLES, pca, ask_pca),
        kind("k-means", DOUBLES, k_means, ask_k_means),
        kind("isolation-forest", DOUBLES, isolation, ask_isolation),
    ]
}

fn kinds() -> Vec<Kind> {
    MODELS.iter().map(of_model).chain(TRANSFORMERS.iter().map(of_step)).chain(others()).collect()
}

fn write(kind: &Kind, model: &Path, answers: &Path) {
    std::fs::create_dir_all(folder()).unwrap();
    let asked = (kind.make)(model);
    let golden = Golden { answers: (kind.ask)(model, &asked), asked, tolerance: kind.tolerance };
    std::fs::write(answers, serde_json::to_string(&golden).unwrap() + "\n").unwrap();
}

fn compare(name: &str, golden: &Golden, answers: &Answers) {
    assert!(golden.answers.keys().eq(answers.keys()), "{name} answers {:?}", answers.keys());
    for (what, exact) in &golden.answers {
        assert_eq!(answers[what].len(), exact.len(), "{name}: {what}");
        for (i, (now, then)) in answers[what].iter().zip(exact).enumerate() {
            let near = match (now, then) {
                (Some(now), Some(then)) => (now - then).abs() <= golden.tolerance * (1.0 + then.abs()),
                (now, then) => now == then,
            };
            assert!(near, "{name}: {what} {i} was {then:?} and is {now:?}");
        }
    }
}

#[test]
fn every_golden_file_is_read_and_answers_as_it_did() {
    let writing = std::env::var("TILEWORK_GOLDEN").is_ok_and(|value| value == "write");
    for kind in kinds() {
        let [model, answers] = ["safetensors", "json"].map(|end| folder().join(format!("{}.{end}", kind.name)));
        if writing && !model.exists() {
            write(&kind, &model, &answers);
        }
        assert!(
            model.exists(),
            "{0} has no golden file: write it by TILEWORK_GOLDEN=write cargo test --test estimators golden",
            kind.name
        );
        let golden: Golden = serde_json::from_str(&std::fs::read_to_string(&answers).unwrap()).unwrap();
        assert!(golden.tolerance <= kind.tolerance, "{}", kind.name);
        compare(&kind.name, &golden, &(kind.ask)(&model, &golden.asked));
    }
}

#[test]
fn golden_files_of_no_kind_are_none_and_all_are_small() {
    let known: Vec<String> = kinds().into_iter().map(|kind| kind.name).collect();
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(known.iter().any(|known| known == name), "{name} is of a kind that is gone; files are read for ever");
        bytes += path.metadata().unwrap().len();
    }
    assert!(bytes < 300_000, "{bytes} bytes of golden files; a kind needs a few thousand");
}

#[test]
fn golden_files_of_a_newer_version_or_another_kind_are_refused_by_name() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("model.safetensors");
    let refused = |error: Error| match error {
        Error::Format { .. } => error.to_string(),
        other => panic!("{other}"),
    };
    for row in MODELS {
        let file = folder().join(format!("{}.safetensors", row.name));
        let bytes = std::fs::read(&file).unwrap();
        let (old, new) = (br#"format_version\":1"#, br#"format_version\":2"#);
        let at = bytes.windows(old.len()).position(|part| part == old).unwrap();
        let newer = [&bytes[..at], new, &bytes[at + old.len()..]].concat();
        std::fs::write(&path, newer).unwrap();
        let text = refused(load(&path).unwrap_err());
        assert!(text.contains("written by a newer version: format 2, this one reads up to 1"), "{text}");
        let text = refused(FittedPca::load(&file).unwrap_err());
        assert!(text.contains(row.name) && text.contains("pca"), "{text}");
    }
    let text = refused(load(folder().join("pca.safetensors")).unwrap_err());
    let expected = "holds kind \"pca\", directions of the features, which predict no answers; FittedPca::load reads it";
    assert!(text.contains(expected), "{text}");
    let text = refused(load(folder().join("k-means.safetensors")).unwrap_err());
    assert!(text.contains("groups of rows, which predict no answers; KMeans::load reads it"), "{text}");
    let text = refused(load(folder().join("isolation-forest.safetensors")).unwrap_err());
    assert!(text.contains("IsolationForest::load reads it"), "{text}");
    let text = refused(FittedPipeline::load(folder().join("ridge.safetensors")).unwrap_err());
    assert!(text.contains("ridge") && text.contains("pipeline"), "{text}");
}
