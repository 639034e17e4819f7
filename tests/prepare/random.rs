//! Random tables, as raw as users bring them, all the way from bytes to the predictions of a loaded file.

use super::{row, strict};
use serde_json::Value;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use tilework::data::{ReadOptions, Table};
use tilework::models::prepare::{FittedPipeline, Outcome, Pipeline};
use tilework::models::{Model, Predicts, Reader, archive_of};
use tilework::{Error, Result};

/// Models that cost little, and what keeps them so.
const MODELS: &[(&str, &str)] = &[
    ("linear-regression", "{}"),
    ("ridge", "{}"),
    ("bayesian-ridge", r#"{"max_iter": 20}"#),
    ("lasso", r#"{"max_iter": 50, "alpha": 0.1}"#),
    ("linear-svr", r#"{"max_iter": 20}"#),
    ("knn-regressor", r#"{"n_neighbors": 2}"#),
    ("decision-tree-regressor", "{}"),
    ("hist-gradient-boosting-regressor", r#"{"max_iter": 2, "min_samples_leaf": 2}"#),
    ("logistic-regression", r#"{"max_iter": 20}"#),
    ("linear-svc", r#"{"max_iter": 20}"#),
    ("svc", r#"{"max_iter": 50}"#),
    ("knn-classifier", r#"{"n_neighbors": 2, "weights": "distance"}"#),
    ("gaussian-nb", "{}"),
    ("multinomial-nb", "{}"),
    ("bernoulli-nb", "{}"),
    ("decision-tree-classifier", "{}"),
    ("random-forest-classifier", r#"{"n_estimators": 2}"#),
    ("hist-gradient-boosting-classifier", r#"{"max_iter": 2, "min_samples_leaf": 2}"#),
];

struct Draw(u64);

impl Draw {
    /// splitmix64, <https://prng.di.unimi.it/splitmix64.c>.
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 33) % n as u64) as usize
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    /// Once in so many times.
    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// What the cells of a column are drawn from.
#[derive(Clone, Copy)]
enum Cells {
    Of(&'static [&'static str]),
    Whole,
    Decimal,
    Size,
    Day,
    Name,
    Words,
}

const FEATURES: &[Cells] = &[
    Cells::Whole,
    Cells::Whole,
    Cells::Decimal,
    Cells::Decimal,
    Cells::Size,
    Cells::Day,
    Cells::Name,
    Cells::Words,
    Cells::Of(&["yes", "No", "TRUE", "false"]),
    Cells::Of(&["2020-01-01", "1999-12-31T23:59", "2020/02/29", "0001-01-01", "9999-12-31 00:00:00Z"]),
    Cells::Of(&["a", "b", "\"c,d;e\t|\"", "é", "\"\"\"\"", "\"two\nlines\"", " padded ", "日本"]),
    Cells::Of(&["a", "1", "2.5", "null", "2020-01-01"]),
    Cells::Of(&["5"]), // constant
    Cells::Of(&["", "NA", "nan", "N/A", "null"]),
    Cells::Of(&["0.5", "-0", "5e-324", "1e-300", "3"]),
    Cells::Of(&["1e300", "-1e300", "1.7976931348623157e308", "9007199254740993", "3e38"]),
    Cells::Of(&["0", "0", "0", "0", "1"]),
    Cells::Of(&["007", "010", "01"]),
];

/// Numbers that nobody can trust.
const WRONG: &[Cells] = &[
    Cells::Of(&["7", "7", "7", "7", "7", "7", "7", "x"]),
    Cells::Of(&["inf", "1", "2", "3", "4", "5", "6", "7"]),
    Cells::Of(&["1e400", "1", "2", "3", "4", "5", "6", "7"]),
    Cells::Of(&["\"1,5\"", "1 234", "2", "3", "4"]),
];

const CLASSES: &[Cells] = &[
    Cells::Of(&["a", "b"]),
    Cells::Of(&["yes", "no"]),
    Cells::Of(&["red", "\"gr\"\"een\"", "\"bl,ue\"", "blue"]),
    Cells::Of(&["0", "1", "2"]),
    Cells::Of(&["-1", "1"]),
];

const VALUES: &[Cells] = &[
    Cells::Whole,
    Cells::Decimal,
    Cells::Decimal,
    Cells::Of(&["0.5"]),
    Cells::Size,
    Cells::Of(&["1e300", "-1e300", "0"]),
    Cells::Day,
];

impl Cells {
    fn draw(self, rng: &mut Draw) -> String {
        let n = rng.below(2000) as f64 - 1000.0;
        match self {
            Cells::Of(texts) => rng.of(texts).to_owned(),
            Cells::Whole => rng.below(10).to_string(),
            Cells::Decimal => (n / 64.0).to_string(),
            Cells::Size => format!("{n}e{}", rng.below(80) as i32 - 40),
            Cells::Day => format!("20{:02}-{:02}-{:02}", rng.below(100), 1 + rng.below(12), 1 + rng.below(28)),
            Cells::Name => format!("n{}", rng.below(100_000)),
            Cells::Words => {
                let word = |_| rng.of(&["good", "bad", "Ärger", "und", "the", "x1", "don't"]);
                let words: Vec<&str> = (0..4).map(word).collect();
                format!("\"{}.\"", words.join(" "))
            }
        }
    }
}

/// Bytes of a table: any columns, gaps, separators and line ends; in a few, what breaks the form.
fn random_table(rng: &mut Draw, classes: bool) -> Vec<u8> {
    let rows = if rng.once_in(100) { 66 + rng.below(30) } else { 1 + rng.below(16) };
    let separator = if rng.once_in(4) { rng.of(&[";", "\t", "|"]) } else { "," };
    let end = rng.of(&["\n", "\n", "\r\n", "\r"]);
    let width = 1 + rng.below(6);
    let mut features: Vec<(Cells, usize)> = (0..width).map(|_| (rng.of(FEATURES), rng.of(&[8, 8, 64, 1000]))).collect();
    if rng.once_in(10) {
        features[0].0 = rng.of(WRONG);
    }
    let target = rng.of(if classes { CLASSES } else { VALUES });
    let twin = rng.once_in(8).then(|| rng.below(width)); // a column twice
    let mut lines: Vec<Vec<String>> = vec![(0..width).map(|i| format!("c{i}")).collect()];
    for _ in 0..rows {
        let cell = |&(cells, gaps): &(Cells, usize)| if rng.once_in(gaps) { String::new() } else { cells.draw(rng) };
        lines.push(features.iter().map(cell).collect());
    }
    for (i, line) in lines.iter_mut().enumerate() {
        let twin = twin.map(|at| if i == 0 { "twin".to_owned() } else { line[at].clone() });
        line.extend(twin);
        let gap = rng.once_in(400);
        line.push(if i == 0 {
            "y".to_owned()
        } else if gap {
            String::new()
        } else {
            target.draw(rng)
        });
    }
    let damaged = rng.below(lines.len());
    match rng.below(80) {
        0 => _ = lines[damaged].pop(),
        1 => lines[damaged].push("more".into()),
        2 => lines[damaged][0] = "\"open".into(),
        3 => lines[damaged][0] = "n\0l".into(),
        4 => lines[0][0] = "y".into(),
        5 => lines.truncate(1),
        6 => lines[damaged][0] = "\"quoted\" more".into(),
        _ => {}
    }
    let mut text: Vec<u8> = if rng.once_in(10) { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
    for line in lines {
        text.extend(line.join(separator).bytes());
        text.extend(end.bytes());
        if rng.once_in(50) {
            text.extend(end.bytes()); // a blank line
        }
    }
    if rng.once_in(100) {
        let at = rng.below(text.len());
        text[at] = 0xe9; // no UTF-8
    }
    text
}

/// The model of a seed learns from most rows, predicts the others, and does so again after it was stored. Every sixteenth one
/// passes through a file.
fn run(seed: u64, bytes: &[u8], (name, settings): (&str, &str), folder: &Path) -> Result<()> {
    let table = Table::parse_csv_with(bytes, "t.csv", &ReadOptions::lenient())?;
    let rows = table.rows();
    let kept: Vec<usize> = (0..rows).filter(|row| row % 4 != 3).collect();
    let held: Vec<usize> = (0..rows).filter(|row| row % 4 == 3 || rows < 4).collect();
    let (train, test) = (table.select(&kept)?, table.select(&held)?);
    let row = if name.starts_with("dummy") { strict(name) } else { *row(name) };
    let plan = match seed % 2 {
        0 => Pipeline::auto(&train, Some("y"), &row)?,
        _ => Pipeline::auto_with(&train, &test, Some("y"), &row)?,
    };
    assert!(plan.lines.iter().all(|line| !line.contains('\n')), "{:?}", plan.lines);
    let mut pipeline = plan.pipeline;
    let Value::Object(settings) = serde_json::from_str(settings).unwrap() else { panic!("settings are an object") };
    pipeline.settings = settings;
    let fitted = pipeline.fit(&train, Some("y"))?;
    for part in [&train, &test] {
        let told = match fitted.predict(part) {
            Err(error) if std::ptr::eq(part, &test) => return Err(error), // levels or gaps that were not there to learn from
            told => told?,
        };
        let (count, sound) = match &told {
            Outcome::Values(values) => (values.len(), values.iter().all(|v| v.is_finite())),
            Outcome::Classes(names) => (names.len(), names.iter().all(|name| !name.is_empty())),
        };
        assert!(count == part.rows() && sound, "{told:?}");
    }
    let again = if seed.is_multiple_of(16) {
        fitted.save(folder.join("m.safetensors"))?;
        FittedPipeline::load(folder.join("m.safetensors"))?
    } else {
        let archive = archive_of(&fitted)?;
        FittedPipeline::restore(&Reader::of(&archive)?)?
    };
    assert_eq!(again.predict(&test)?, fitted.predict(&test)?);
    let p = fitted.predict_proba(&test)?;
    assert!(p.iter().flatten().all(|v| (0.0..=1.0).contains(v)), "{p:?}");
    assert_eq!(again.predict_proba(&test)?, p);
    Ok(())
}

/// Every table is read and prepared for a model that says the same of all rows; every tenth one for a model of `MODELS` instead.
fn random_tables(seeds: Range<u64>) {
    let folder = tempfile::tempdir().unwrap();
    let (mut learnt, mut refused, mut panicked) = (0, 0, Vec::new());
    for seed in seeds {
        let model = match seed % 10 {
            0 => MODELS[(seed / 10) as usize % MODELS.len()],
            1..5 => ("dummy-regressor", "{}"),
            _ => ("dummy-classifier", "{}"),
        };
        let classes = row(model.0).predicts == Predicts::Labels;
        let bytes = random_table(&mut Draw(seed), classes);
        match catch_unwind(AssertUnwindSafe(|| run(seed, &bytes, model, folder.path()))) {
            Ok(Ok(())) => learnt += 1,
            Ok(Err(error)) => {
                refused += 1;
                let text = error.to_string();
                let clear = text.len() > 20 && !text.contains('\n') && !matches!(error, Error::Internal { .. });
                if !clear {
                    panicked.push((seed, model.0, text));
                }
            }
            Err(_) => panicked.push((seed, model.0, String::from_utf8_lossy(&bytes).into_owned())),
        }
    }
    println!("{learnt} learnt, {refused} refused");
    assert!(
        panicked.is_empty(),
        "{} tables, the first of them {:?}",
        panicked.len(),
        &panicked[..panicked.len().min(5)]
    );
    assert!(learnt > 20_000 && refused > 5_000, "{learnt} learnt, {refused} refused");
}

/// In two halves, which two threads run side by side.
#[test]
fn fifty_thousand_random_tables_give_predictions_that_last_or_words() {
    random_tables(0..50_000);
}

#[test]
fn fifty_thousand_more_do() {
    random_tables(50_000..100_000);
}
