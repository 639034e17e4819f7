//! Texts against scikit-learn 1.9.1, whose numbers are in `tests/data/text.json`, and columns of text through pipelines.

use super::{row, table};
use ndarray::array;
use serde::Deserialize;
use serde_json::json;
use tilework::data::{Sparse, Table};
use tilework::models::prepare::{
    ColumnTransformer, CountVectorizer, DocumentFrequency, FittedPipeline, HashingVectorizer, OneHotEncoder, Outcome,
    Pipeline, Step, TfidfTransformer, TfidfVectorizer, Transformer, UnknownLevel,
};
use tilework::models::selection::{KFold, OnPipeline, cross_validate, score, silent};
use tilework::models::{Estimator, MultinomialNb, linear::LogisticRegression};

#[derive(Deserialize)]
struct Golden {
    docs: Vec<String>,
    new: Vec<String>,
    count: Vec<Case<CountVectorizer>>,
    tfidf: Vec<Case<TfidfVectorizer>>,
    hashing: Vec<Hashed>,
}

#[derive(Deserialize)]
struct Case<T> {
    settings: T,
    terms: Vec<String>,
    made: Vec<Vec<f64>>,
    new: Vec<Vec<f64>>,
    idf: Option<Vec<f64>>,
}

#[derive(Deserialize)]
struct Hashed {
    settings: HashingVectorizer,
    made: Vec<Vec<f64>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../data/text.json")).unwrap()
}

/// To the last bits: sums of squares in another order.
fn same(what: &str, got: &Sparse, exact: &[Vec<f64>]) {
    let got = got.to_dense();
    assert_eq!(got.dim(), (exact.len(), exact[0].len()), "{what}");
    for (row, exact) in got.rows().into_iter().zip(exact) {
        assert!(
            row.iter().zip(exact).all(|(g, e)| (g - e).abs() <= 1e-14 * (1.0 + e.abs())),
            "{what}: {row} {exact:?}"
        );
    }
}

#[test]
fn counts_of_terms_are_those_of_scikit_learn() {
    let Golden { docs, new, count, .. } = golden();
    for case in count {
        let what = format!("{:?}", case.settings);
        let (fitted, made) = case.settings.fit_transform(&docs).unwrap();
        assert_eq!(fitted.vocabulary(), case.terms, "{what}");
        same(&what, &made, &case.made);
        same(&what, &fitted.transform(&new).unwrap(), &case.new);
        assert_eq!(fitted.transform(&docs).unwrap(), made, "{what}");
    }
}

#[test]
fn weights_of_terms_are_those_of_scikit_learn() {
    let Golden { docs, new, tfidf, .. } = golden();
    for case in tfidf {
        let what = format!("{:?}", case.settings);
        let (fitted, made) = case.settings.fit_transform(&docs).unwrap();
        assert_eq!(fitted.vocabulary(), case.terms, "{what}");
        assert_eq!(fitted.idf().is_some(), case.idf.is_some(), "{what}");
        for (got, exact) in fitted.idf().into_iter().flatten().zip(case.idf.iter().flatten()) {
            assert!((got - exact).abs() < 1e-14, "{what}: {got} is not {exact}");
        }
        same(&what, &made, &case.made);
        same(&what, &fitted.transform(&new).unwrap(), &case.new);
    }
}

#[test]
fn hashed_terms_are_where_scikit_learn_puts_them() {
    let Golden { docs, hashing, .. } = golden();
    for case in hashing {
        same(&format!("{:?}", case.settings), &case.settings.transform(&docs).unwrap(), &case.made);
    }
}

#[test]
fn texts_that_leave_no_term_and_settings_out_of_range_say_so() {
    let error = |settings: serde_json::Value| {
        let settings: CountVectorizer = serde_json::from_value(settings).unwrap();
        settings.fit(&["one two", "two three"]).unwrap_err().to_string()
    };
    assert!(error(json!({"stop_words": ["one", "two", "three"]})).contains("no term is left of 2 texts"));
    assert!(error(json!({"min_df": 3})).contains("min_df 3"));
    assert!(error(json!({"max_df": 1.5})).contains("max_df is 1.5"));
    assert!(error(json!({"ngram_range": [2, 1]})).contains("(2, 1)"));
    assert!(error(json!({"analyzer": "char", "stop_words": ["a"]})).contains("stop_words"));
    assert!(HashingVectorizer { n_features: 0, ..Default::default() }.transform(&["a"]).is_err());
    let counts = Sparse::of(&[[1.0, 2.0]]).unwrap();
    let weights = TfidfTransformer::default().fit(&counts).unwrap();
    assert!(weights.transform(&Sparse::of(&[[1.0]]).unwrap()).unwrap_err().to_string().contains("2 terms"));
    assert!(TfidfTransformer::default().fit(&Sparse::of(&[[-1.0]]).unwrap()).is_err());
}

const REVIEWS: [(&str, &str); 8] = [
    ("a good story, well told", "yes"),
    ("dull and far too long", "no"),
    ("good actors in a good story", "yes"),
    ("too long, and badly told", "no"),
    ("I laughed: a good evening", "yes"),
    ("a dull evening, bad actors", "no"),
    ("well told and never too long", "yes"),
    ("bad story, dull actors", "no"),
];

fn reviews(times: usize) -> Table {
    let line = |i: usize| {
        let (text, liked) = REVIEWS[i % 8];
        format!("{},\"{text} number{}\",{liked}\n", i % 5, i % 40)
    };
    table(&format!("stars,review,liked\n{}", (0..8 * times).map(line).collect::<String>()))
}

#[test]
fn a_sparse_matrix_of_words_gives_the_model_that_a_dense_one_gives() {
    let texts: Vec<&str> = REVIEWS.iter().map(|(text, _)| *text).collect();
    let labels: Vec<u32> = REVIEWS.iter().map(|(_, liked)| u32::from(*liked == "yes")).collect();
    let (words, x) = TfidfVectorizer::default().fit_transform(&texts).unwrap();
    let asked = words.transform(&["a good one", "dull, dull"]).unwrap();
    let of_sparse = MultinomialNb::default().fit(&x, &labels).unwrap().predict_proba(&asked).unwrap();
    let of_dense = MultinomialNb::default().fit(&x.to_dense(), &labels).unwrap().predict_proba(&asked).unwrap();
    assert!((&of_sparse - &of_dense).iter().all(|d| d.abs() < 1e-12));
    assert_eq!(LogisticRegression::default().fit(&x, &labels).unwrap().predict(&asked).unwrap(), [1, 0]);
}

#[test]
fn a_column_of_text_goes_through_a_pipeline_with_words_that_were_never_seen() {
    let steps = ColumnTransformer::default()
        .branch(["stars"], [])
        .branch(["review"], [Step::of(&TfidfVectorizer { min_df: DocumentFrequency::Count(2), ..Default::default() })]);
    let pipeline = Pipeline::new(&LogisticRegression::default()).unwrap().then(Step::of(&steps));
    let fitted = pipeline.fit(&reviews(1), None).unwrap();
    let names: Vec<String> = fitted.outputs().into_iter().map(|f| f.name).collect();
    assert_eq!(names[..3], ["stars", "review_actors", "review_and"]);
    let new = table("review,stars\n\"good, and of words unheard of\",2\n\"dull\",2\n,2\n");
    assert_eq!(fitted.predict(&new).unwrap(), Outcome::Classes(["yes", "no", "yes"].map(String::from).to_vec()));
    // No review is in the file, and it predicts the same.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.safetensors");
    fitted.save(&path).unwrap();
    let bytes = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
    assert!(!bytes.contains("well told"));
    let again = FittedPipeline::load(&path).unwrap();
    assert_eq!(again.predict_proba(&new).unwrap(), fitted.predict_proba(&new).unwrap());
    assert!(again.inputs()[1].levels.is_empty());
    let none = table("review,stars\n,1\n,2\n");
    assert_eq!(
        again.prepare(again.frame(&table("review,stars,liked\n,1,no\n")).unwrap().problem().x).unwrap().sum(),
        1.0
    );
    assert!(again.predict(&none).is_ok());
}

#[test]
fn columns_of_text_are_counted_each_with_its_own_words() {
    let data = table("a,b,y\n\"red red car\",\"old car\",1.5\n\"blue car\",\"new house\",2\n");
    let steps = ColumnTransformer::default().branch(["a", "b"], [Step::of(&CountVectorizer::default())]);
    let fitted = Pipeline::raw(row("dummy-regressor")).then(Step::of(&steps)).fit(&data, None).unwrap();
    let names: Vec<String> = fitted.outputs().into_iter().map(|f| f.name).collect();
    assert_eq!(names, ["a_blue", "a_car", "a_red", "b_car", "b_house", "b_new", "b_old"]);
    let made = fitted.prepare(fitted.frame(&data).unwrap().problem().x).unwrap();
    assert_eq!(made, array![[0., 1., 2., 1., 0., 0., 1.], [1., 1., 0., 0., 1., 1., 0.]]);
    let error = CountVectorizer::default().learn(&tilework::models::Problem::new(&[[1.0]], &[1.0])).unwrap_err();
    assert!(error.to_string().starts_with("count-vectorizer: column 0 holds numbers"), "{error}");
}

#[test]
fn a_column_may_be_looked_into_and_encoded_as_a_whole() {
    let data = table("a,y\nred car,1.5\nblue car,2\nred car,3\n");
    let steps = ColumnTransformer::default()
        .branch(["a"], [Step::of(&CountVectorizer::default())])
        .branch(["a"], [Step::of(&OneHotEncoder { handle_unknown: UnknownLevel::Ignore, ..Default::default() })]);
    let fitted = Pipeline::raw(row("dummy-regressor")).then(Step::of(&steps)).fit(&data, None).unwrap();
    let made = |text: &str| {
        let data = table(&format!("a,y\n{text},1\n"));
        fitted.prepare(fitted.frame(&data).unwrap().problem().x).unwrap()
    };
    assert_eq!(made("red car"), array![[0.0, 1.0, 1.0, 0.0, 1.0]]);
    assert_eq!(made("red house"), array![[0.0, 0.0, 1.0, 0.0, 0.0]]); // a new level, but a known word
}

#[test]
fn sentences_are_looked_into_without_being_asked() {
    let data = reviews(10); // 40 different reviews
    let plan = Pipeline::auto(&data, None, row("logistic-regression")).unwrap();
    let line = "text as weights of its words (TF-IDF; the 1000 commonest words at most): review";
    assert!(plan.lines.iter().any(|l| l == line), "{:?}", plan.lines);
    let fitted = plan.pipeline.fit(&data, None).unwrap();
    let asked = table("stars,review\n1,\"good, so good\"\n1,dull\n");
    assert_eq!(fitted.predict(&asked).unwrap(), Outcome::Classes(vec!["yes".into(), "no".into()]));
    // A fold learns its own words: those of the rows held out are not among them.
    let frame = plan.pipeline.frame(&data, None).unwrap();
    let problem = frame.problem();
    let rows: Vec<usize> = (0..8).collect();
    let part = problem.select(&rows).unwrap();
    let of_fold = plan.pipeline.learn(&part.problem(&problem)).unwrap();
    let words: Vec<String> = of_fold.outputs().into_iter().map(|f| f.name).collect();
    assert!(words.iter().any(|w| w == "review_number7") && !words.iter().any(|w| w == "review_number8"), "{words:?}");
    let trial = OnPipeline { pipeline: &plan.pipeline, problem: &problem };
    let folds = KFold { n_splits: 4, shuffle: Some(1) }.split(80).unwrap();
    let found = cross_validate(&trial, &Default::default(), &folds, &[score("accuracy").unwrap()], &silent).unwrap();
    assert_eq!(found.summary("accuracy").unwrap().0, 1.0);
}

#[test]
fn intervals_are_saved_with_the_pipeline() {
    let y = |i: usize| i as f64 + [0.0, 3.0, -2.0][i % 3];
    let text: String = (0..60).map(|i| format!("{i},{}\n", y(i))).collect();
    let data = table(&format!("x,y\n{text}"));
    let (learnt, held): (Vec<usize>, Vec<usize>) = (0..60).partition(|i| i % 2 == 0);
    let (learnt, held) = (data.select(&learnt).unwrap(), data.select(&held).unwrap());
    let settings = tilework::models::linear::LinearRegression::default();
    let fitted = Pipeline::new(&settings).unwrap().fit(&learnt, None).unwrap();
    assert_eq!(fitted.predict_intervals(&held).unwrap(), None);
    let fitted = fitted.with_intervals(&held, 0.9).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line.safetensors");
    fitted.save(&path).unwrap();
    let again = FittedPipeline::load(&path).unwrap();
    let (ends, Outcome::Values(values)) =
        (again.predict_intervals(&held).unwrap().unwrap(), again.predict(&held).unwrap())
    else {
        panic!("numbers")
    };
    let margin = again.intervals().unwrap().margin;
    assert!(ends.iter().zip(&values).all(|((low, high), v)| (*low, *high) == (v - margin, v + margin)));
    assert!(margin > 1.0 && margin < 6.0, "{margin}");
}
