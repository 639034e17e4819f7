//! Options that say which columns, scores and settings are meant: each counts, or is refused by name.

use super::models::{error, json};
use super::{folder, good, run, text};
use std::fs;
use std::path::Path;

/// Numbers, of which `c` is the last column: `2 a - b`.
fn numbers(folder: &Path) {
    let row = |i: usize| format!("{},{},{}.5,{}.25\n", i % 7, i % 5, i % 3, 2 * (i % 7) as i64 - (i % 5) as i64);
    fs::write(folder.join("reg.csv"), format!("a,b,n,c\n{}", (0..60).map(row).collect::<String>())).unwrap();
}

#[test]
fn the_target_is_the_last_column_of_the_file_whichever_are_chosen() {
    let folder = folder();
    let folder = folder.path();
    numbers(folder);
    for model in ["--model ridge", "--model ridge --stream", "--epochs 1"] {
        for columns in ["a,b", "b,a", "a,b,c"] {
            let line = format!("train reg.csv --columns {columns} {model} --device cpu --out m");
            let output = run(folder, &line);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{line}: {said}");
            assert!(said.contains("2 features, c as a number"), "{line}: {said}");
            assert!(good(folder, "predict --model m reg.csv").starts_with("c\n"), "{line}");
        }
    }
    // Columns that are left out may still hold what a table cannot.
    fs::write(folder.join("odd.csv"), fs::read_to_string(folder.join("reg.csv")).unwrap().replace(",0.5,", ",1e999,"))
        .unwrap();
    assert!(error(folder, "train odd.csv --model ridge --out m", 1).contains("1e999"));
    good(folder, "train odd.csv --columns a,b --model ridge --device cpu --out m");
    let compared = run(folder, "compare reg.csv --columns a,b --models ridge --device cpu");
    assert!(text(&compared.stderr).contains("2 features, c as a number"), "{}", text(&compared.stderr));
    let named = run(folder, "train reg.csv --columns a,b --target n --model ridge --device cpu --out m");
    assert!(text(&named.stderr).contains("2 features, n as a number"), "{}", text(&named.stderr));
}

#[test]
fn a_score_that_the_model_or_a_fold_does_not_have_is_refused_before_any_fit() {
    let folder = folder();
    let folder = folder.path();
    let needs = "log_loss needs probabilities, which this model does not give";
    for how in ["--cv 3", "--search C=1,2", "--cv-time 3 --search C=1,2"] {
        let output = run(folder, &format!("train classes.csv --model linear-svc {how} --scoring log_loss --out m"));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{how}: {said}");
        assert!(said.contains(needs) && !said.contains("fitted: "), "{how}: {said}");
    }
    let said = error(folder, "train classes.csv --model svc --cv 3 --scoring log_loss --device cpu --out m", 1);
    assert!(said.contains(needs), "{said}");
    let line =
        "train classes.csv --model svc --cv 3 --scoring log_loss --set probability=true --device cpu --json --out m";
    assert!(json(folder, line)["cv"]["log_loss"]["mean"].is_number());
    let line = "train classes.csv --model linear-svc --cv 3 --scoring roc_auc --device cpu --json --out m";
    assert!(json(folder, line)["cv"]["roc_auc"]["mean"].is_number());
    let line =
        "train classes.csv --model voting-classifier --cv 3 --scoring roc_auc --set voting=hard --device cpu --out m";
    let said = error(folder, line, 1);
    assert_eq!(said, "cross-validation: roc_auc is of scores that voting-classifier does not give");
    // The last rows are all of one class.
    let rows: String = (0..60).map(|i| format!("{i},{}\n", if i < 30 { ["a", "b"][i % 2] } else { "a" })).collect();
    fs::write(folder.join("late.csv"), format!("x,kind\n{rows}")).unwrap();
    let line = "train late.csv --model tree --cv-time 3 --scoring roc_auc --device cpu --out m";
    let output = run(folder, line);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("error: cross-validation: ") && !said.contains("fitted: ") && !said.contains("NaN"),
        "{said}"
    );
}

#[test]
fn what_would_not_count_is_refused_by_name() {
    let folder = folder();
    let folder = folder.path();
    let cases = [
        ("--set alpha=5 --search alpha=0.1,1", "--search alpha: --set gives it too; leave one out"),
        ("--search alpha=1 --search alpha=2", "--search alpha: is given twice; give all its values at once"),
        ("--set alpha=1 --set alpha=2", "--set alpha: is given twice; give one value"),
        ("--set alpha=1,alpha=2", "--set alpha: is given twice; give one value"),
        ("--scoring mae", "--scoring mae: is what --search, --cv and --cv-time go by; leave it out, or give one"),
    ];
    for (options, expected) in cases {
        assert_eq!(error(folder, &format!("train numbers.csv --model ridge {options}"), 2), expected, "{options}");
    }
    let line = "train numbers.csv --model ridge --set fit_intercept=true --search alpha=1,2 --scoring mae --out m";
    good(folder, line);
}

#[test]
fn rows_out_of_the_bag_are_told_of_where_asked_for() {
    let folder = folder();
    let folder = folder.path();
    for (file, name) in [("classes.csv", "accuracy"), ("numbers.csv", "R²")] {
        let line = format!("train {file} --model forest --set n_estimators=30,oob_score=true --device cpu --out m");
        let output = run(folder, &format!("{line} --report r.html"));
        let said = text(&output.stderr);
        let score = json(folder, &format!("{line} --json"))["oob_score"].as_f64().unwrap();
        assert!(score > 0.5 && said.contains(&format!("out-of-bag: {name} {score:.4}, each row by")), "{said}");
        assert!(fs::read_to_string(folder.join("r.html")).unwrap().contains("<th>out-of-bag</th>"));
        assert!(good(folder, "explain --model m").contains(&format!("\nout-of-bag {name} {score:.4}\n")));
        assert_eq!(json(folder, "explain --model m --json")["oob_score"], score);
    }
    let out = json(folder, "train classes.csv --model forest --device cpu --json --out m");
    assert!(out["oob_score"].is_null());
    assert!(!good(folder, "explain --model m").contains("out-of-bag"));
}

#[test]
fn the_network_names_the_models_that_prepare_columns() {
    let folder = folder();
    let folder = folder.path();
    let other = "--model mlp-classifier or --model mlp-regressor, which prepare columns by themselves";
    let of = |cell: &dyn Fn(usize) -> String| {
        let row = |i: usize| format!("{},{},{}\n", i % 7, cell(i), ["p", "q"][i % 2]);
        format!("x,w,kind\n{}", (0..40).map(row).collect::<String>())
    };
    let gap = |i: usize| if i == 5 { String::new() } else { i.to_string() };
    let cells: [&dyn Fn(usize) -> String; 3] =
        [&gap, &|i| ["Ulm", "Bonn"][i % 2].into(), &|i| (i % 3 == 0).to_string()];
    for cell in cells {
        fs::write(folder.join("t.csv"), of(cell)).unwrap();
        let said = error(folder, "train t.csv --epochs 1 --device cpu --out m", 1);
        assert!(said.starts_with("t.csv:") && said.ends_with(other), "{said}");
        good(folder, "train t.csv --model mlp-classifier --set max_iter=1 --device cpu --out m");
    }
    fs::write(folder.join("t.csv"), of(&|i| i.to_string())).unwrap();
    fs::write(folder.join("later.csv"), of(&gap)).unwrap();
    assert!(error(folder, "train t.csv --test later.csv --epochs 1 --device cpu --out m", 1).ends_with(other));
    for option in ["--cv 3", "--set alpha=1", "--search alpha=1,2"] {
        assert!(error(folder, &format!("train t.csv {option}"), 2).ends_with(other), "{option}");
    }
    assert!(error(folder, "train t.csv --stream", 2).ends_with("such as logistic or ridge"));
    // Neither gaps nor text: no other model would help.
    let said = error(folder, "train t.csv --target nosuch --epochs 1", 1);
    assert!(!said.contains("mlp-classifier"), "{said}");
}

#[test]
fn a_column_whose_values_merge_in_32_bits_is_refused_by_the_network_alone() {
    let folder = folder();
    let folder = folder.path();
    let write = |start: f64, step: f64| {
        let row = |i: usize| format!("{},{},{}.5\n", start + step * (i % 100) as f64, i % 7, 3 * (i % 100));
        fs::write(folder.join("t.csv"), format!("time,x,y\n{}", (0..200).map(row).collect::<String>())).unwrap();
    };
    write(1.7e9, 1.0);
    let said = error(folder, "train t.csv --epochs 1 --device cpu --out m", 1);
    assert!(said.starts_with("t.csv: time is 1.7000e9 ± 28.866, and mlp reads 32-bit floats"), "{said}");
    good(folder, "train t.csv --drop time --epochs 1 --device cpu --out m");
    good(folder, "train t.csv --model mlp-regressor --set max_iter=2 --device cpu --out m");
    let said = error(folder, "train t.csv --target time --regression --epochs 1 --device cpu --out m", 1);
    assert!(said.ends_with("merge; subtract a number near its mean"), "{said}");
    // Within a year they are told apart well enough, and so are a few cents of a large sum.
    for (start, step) in [(1.7e9, 3e5), (123_456.0, 1.01), (0.0, 1e-30), (0.1, 0.0)] {
        write(start, step);
        good(folder, "train t.csv --epochs 1 --device cpu --out m");
    }
}

#[test]
fn a_comparison_says_what_stands_for_the_network() {
    let folder = folder();
    let said = error(folder.path(), "compare classes.csv --models mlp,tree", 2);
    assert!(said.starts_with("--models mlp: ") && said.contains("compare mlp-classifier or mlp-regressor"), "{said}");
    assert!(!said.contains("no such model"), "{said}");
}

#[test]
fn the_embedded_digits_are_predicted_and_scored_as_they_are_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    good(folder, "train digits --model dummy --device cpu --out m");
    good(folder, "train digits --epochs 1 --device cpu --out n");
    for model in ["m", "n"] {
        let rows = json(folder, &format!("evaluate --model {model} digits --json"));
        assert_eq!(rows["rows"], 1797);
        let output = run(folder, &format!("predict --model {model} digits --device cpu"));
        assert_eq!(text(&output.stdout).lines().count(), 1798, "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("digits: all 1,797 rows, those of the test part among them"));
    }
    assert!(json(folder, "explain --model m digits --repeats 1 --json")["permutation"]["columns"].is_object());
}

#[test]
fn a_file_that_the_command_does_not_read_is_told_from_others() {
    let folder = folder();
    let folder = folder.path();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden");
    for (name, kind) in [("k", "k-means"), ("f", "isolation-forest"), ("p", "pca"), ("r", "ridge")] {
        fs::copy(golden.join(format!("{kind}.safetensors")), folder.join(name)).unwrap();
    }
    for (model, expected) in [
        ("k", "k: holds kind \"k-means\", groups of rows, which predict no answers; KMeans::load reads it"),
        ("f", "f: holds kind \"isolation-forest\", a forest that finds outliers, which predicts no answers; Isol"),
        ("p", "p: holds kind \"pca\", directions of the features, which predict no answers; FittedPca::load reads it"),
        ("r", "r: holds kind \"ridge\", a model without the columns and their preparation; load reads it; save a Fitt"),
    ] {
        for command in ["predict", "evaluate", "explain"] {
            let said = error(folder, &format!("{command} --model {model} numbers.csv"), 1);
            assert!(said.starts_with(expected), "{command}: {said}");
        }
    }
}

#[test]
fn what_was_scaled_is_not_advised_to_be_scaled() {
    let folder = folder();
    let folder = folder.path();
    let said = |line: &str| {
        let output = run(folder, &format!("train {line} --device cpu --out m"));
        let said = text(&output.stderr).to_owned();
        assert!(output.status.success() && said.contains("has not converged"), "{line}: {said}");
        said
    };
    assert!(!said("classes.csv --model logistic --set max_iter=1").contains("scale the columns"));
    assert!(said("classes.csv --model logistic --set max_iter=1 --raw").contains(", or scale the columns\n"));
    assert!(said("numbers.csv --model mlp-regressor --set max_iter=2").contains(", or scale the target"));
    let raw = said("numbers.csv --model mlp-regressor --set max_iter=2 --raw");
    assert!(raw.contains(", or scale the columns and the target\n"), "{raw}");
}
