//! Columns that are read as text because it is asked for, though they look like numbers.

use super::models::{error, json};
use super::{good, run, text};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// What each code stands for has nothing to do with its size, and `7` is not `007`.
const CODES: [(&str, i32, &str); 4] = [("007", 5, "b"), ("7", 1, "a"), ("10115", 4, "b"), ("80331", 2, "a")];

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (mut prices, mut kinds, mut new) =
        (String::from("size,zip,price\n"), String::from("size,zip,kind\n"), String::from("zip,size\n"));
    for i in 0..80 {
        let (zip, price, kind) = CODES[i / 2 % 4];
        let size = i % 5;
        prices += &format!("{size},{zip},{}.25\n", price * 10 + size as i32);
        kinds += &format!("{size},{zip},{kind}\n");
    }
    // All of its cells are integers, and one is written as no number is.
    for (zip, ..) in CODES {
        new += &format!("{zip},0\n");
    }
    for (name, text) in [("prices.csv", prices), ("kinds.csv", kinds), ("new.csv", new)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The first column of what is predicted of the new rows.
fn predicted(folder: &Path) -> Vec<String> {
    let out = good(folder, "predict --model m new.csv");
    out.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect()
}

#[test]
fn codes_are_levels_where_that_is_asked_for_and_the_model_remembers() {
    let folder = folder();
    let folder = folder.path();
    let line = "train prices.csv --model ridge --set alpha=1e-6 --text zip --device cpu --out m";
    let output = run(folder, line);
    let said = text(&output.stderr);
    assert!(said.contains("text as a column of 0 and 1 for each level: zip (4 levels)"), "{said}");
    for (value, (zip, price, _)) in predicted(folder).iter().zip(CODES) {
        let expected = f64::from(price) * 10.0 + 0.25;
        assert!((value.parse::<f64>().unwrap() - expected).abs() < 1e-3, "{zip}: {value} is not {expected}");
    }
    assert!(json(folder, "evaluate --model m prices.csv --json")["metrics"]["r2"].as_f64().unwrap() > 0.999_999);
    assert!(good(folder, "explain --model m prices.csv").contains("zip_007"));
    let plain = json(folder, "train prices.csv --model ridge --device cpu --json --out n");
    assert!(plain["metrics"]["r2"].as_f64().unwrap() < 0.9, "as numbers they say less: {plain}");

    for model in ["tree", "logistic", "logistic --stream"] {
        good(folder, &format!("train kinds.csv --model {model} --text zip --test kinds.csv --device cpu --out m"));
        assert_eq!(predicted(folder), CODES.map(|(.., kind)| kind), "{model}");
        assert_eq!(json(folder, "evaluate --model m kinds.csv --json")["metrics"]["accuracy"], 1.0, "{model}");
    }
    let of = |more: &str| {
        let out = json(folder, &format!("compare prices.csv --models linear {more} --device cpu --json"));
        out["models"][0]["scores"]["r2"]["mean"].as_f64().unwrap()
    };
    assert!(of("--text zip") > 0.999_999 && of("") < 0.9);
    assert!(of("--text zip,size") > 0.999_999, "several at once");
}

#[test]
fn a_target_read_as_text_is_of_classes() {
    let folder = folder();
    let folder = folder.path();
    for model in ["tree", "mlp --epochs 1"] {
        let line = format!("train kinds.csv --drop kind --target zip --text zip --model {model} --device cpu --out m");
        let output = run(folder, &line);
        let said = text(&output.stderr);
        assert!(output.status.success() && said.contains("4 classes of zip"), "{said}");
        assert!(!said.contains("target: zip holds integers"), "{said}");
    }
}

#[test]
fn what_cannot_be_read_as_text_is_said() {
    let folder = folder();
    let folder = folder.path();
    let rows: String = (0..30).map(|i| format!("2024-03-{:02},{i}.5\n", i + 1)).collect();
    fs::write(folder.join("days.csv"), format!("day,y\n{rows}")).unwrap();
    let cases = [
        (
            "train prices.csv --model ridge --text zap",
            1,
            "prices.csv: no column of that name is read: given \"zap\" by --text; there are \"size\", \"zip\", \"price\"",
        ),
        ("train prices.csv --model ridge --text zip --drop zip", 1, "given \"zip\" by --text"),
        ("train kinds.csv --model logistic --stream --text zap", 1, "given \"zap\" by --text"),
        ("compare prices.csv --text zap", 1, "given \"zap\" by --text"),
        (
            "train prices.csv --text zip",
            2,
            "--text zip: mlp learns from numbers alone; leave it out, or choose another",
        ),
        ("train days.csv --model ridge --text day", 2, "--text day: its cells are dates, which models take as numbers"),
        ("train digits --text pixel_0", 2, "--text: digits has columns of its own"),
    ];
    for (line, code, what) in cases {
        let said = error(folder, line, code);
        assert!(said.contains(what), "{line}: {said}");
    }
}
