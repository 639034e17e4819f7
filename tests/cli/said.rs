//! What the command says of numbers, classes and fits that are not as a user expects, the same for all models.

use super::models::{error, json, mixed};
use super::{folder, good, run, text};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// What a run that succeeds says on standard error.
fn said(folder: &Path, line: &str) -> String {
    let output = run(folder, line);
    let said = text(&output.stderr).to_owned();
    assert_eq!(output.status.code(), Some(0), "{line}: {said}");
    said
}

/// A file of rows in a folder of its own.
fn file(name: &str, header: &str, row: impl Fn(usize) -> String) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..60).map(|i| row(i) + "\n").collect();
    fs::write(folder.path().join(name), format!("{header}\n{rows}")).unwrap();
    folder
}

#[test]
fn numbers_too_large_to_square_are_an_error_that_names_the_column() {
    let folder = file("t.csv", "x,price", |i| format!("{},{}e160", i % 7, i % 11 + 1));
    for model in ["knn", "ridge", "dummy", "tree"] {
        let said = error(folder.path(), &format!("train t.csv --model {model} --device cpu --out m"), 1);
        assert!(said.contains("scale"), "{model}: {said}");
        assert!(!folder.path().join("m").exists(), "{model}: a model is left");
    }
    let said = error(folder.path(), "train t.csv --model knn --device cpu --out m", 1);
    assert!(said.starts_with("price: ") && said.contains("too large to square"), "{said}");
}

#[test]
fn what_is_saved_can_be_read_again() {
    let folder = file("f.csv", "x,w,y", |i| format!("{}e200,{},{}.5", i % 7, i % 3, i % 11));
    for model in ["bayesian-ridge", "ridge", "linear", "lasso", "svr", "knn", "tree"] {
        for raw in ["", " --raw"] {
            let output = run(folder.path(), &format!("train f.csv --model {model}{raw} --device cpu --out m"));
            if output.status.success() {
                good(folder.path(), "predict --model m f.csv");
                fs::remove_file(folder.path().join("m")).unwrap();
            } else {
                let said = text(&output.stderr);
                assert!(said.contains("error: ") && said.contains("scale"), "{model}{raw}: {said}");
                assert!(!folder.path().join("m").exists(), "{model}{raw}: a model is left");
            }
        }
    }
}

#[test]
fn classes_that_would_be_one_number_are_kept_apart() {
    let labels = ["007", "7", "9007199254740993", "9007199254740992"];
    let folder = file("codes.csv", "x,y,code", |i| format!("{},{},{}", i % 4, i / 4 % 5, labels[i % 4]));
    let folder = folder.path();
    for model in ["tree", "mlp --epochs 200 --lr 0.01"] {
        let said = said(folder, &format!("train codes.csv --model {model} --test codes.csv --device cpu --out m"));
        assert!(said.contains("4 classes of code"), "{said}");
        let predicted = good(folder, "predict --model m codes.csv");
        let first: Vec<&str> = predicted.lines().skip(1).take(4).map(|row| row.split(',').next().unwrap()).collect();
        assert_eq!(first, labels, "{model}");
        let report = good(folder, "evaluate --model m codes.csv");
        assert!(
            labels.iter().all(|label| report.lines().any(|line| line.split_whitespace().next() == Some(label))),
            "{model}: {report}"
        );
    }
    let streamed = said(folder, "train codes.csv --model logistic --stream --device cpu --out m");
    assert!(streamed.contains("4 classes of code"), "{streamed}");
    let numbers = said(folder, "train codes.csv --model tree --regression --device cpu --out m");
    assert!(numbers.contains("code as a number"), "{numbers}");
    // One way to write a class is not another, but 1.0 is 1.
    let folder = file("ones.csv", "x,y", |i| format!("{},{}", i % 2, i % 2));
    let folder = folder.path();
    good(folder, "train ones.csv --model tree --device cpu --out m");
    fs::write(folder.join("same.csv"), "x,y\n0,0.0\n1,1.0\n").unwrap();
    fs::write(folder.join("other.csv"), "x,y\n0,0\n1,01\n").unwrap();
    assert_eq!(json(folder, "evaluate --model m same.csv --json")["metrics"]["accuracy"], 1.0);
    assert!(error(folder, "evaluate --model m other.csv", 1).contains("class \"01\" is not known"));
}

#[test]
fn a_constant_target_of_numbers_is_learnt_and_warned_of_by_all_models() {
    let folder = file("c.csv", "x,y", |i| format!("{},2.5", i % 7));
    for model in ["linear", "knn", "tree", "dummy", "svr", "mlp --epochs 1"] {
        let line = format!("train c.csv --model {model} --device cpu --out m");
        let said = said(folder.path(), &line);
        assert!(said.contains("warning: y is 2.5 in all rows"), "{model}: {said}");
    }
    assert_eq!(json(folder.path(), "train c.csv --model dummy --json --out m")["metrics"]["r2"], 1.0);
}

#[test]
fn averages_are_the_same_in_text_and_json_where_a_class_has_no_rows() {
    let folder = folder();
    let folder = folder.path();
    good(folder, "train classes.csv --model tree --set max_depth=1 --device cpu --out m");
    fs::write(folder.join("two.csv"), "x,y,kind\n0,0,low\n0.9,0.9,top\n0.1,0,low\n0.3,0.2,top\n").unwrap();
    let report = good(folder, "evaluate --model m two.csv");
    let metrics = &json(folder, "evaluate --model m two.csv --json")["metrics"];
    let average = report.lines().find(|line| line.trim_start().starts_with("macro avg")).unwrap();
    let shown: Vec<f64> = average.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    for (shown, key) in shown.iter().zip(["precision_macro", "recall_macro", "f1_macro"]) {
        assert!((shown - metrics[key].as_f64().unwrap()).abs() <= 0.005, "{key}: {report} {metrics}");
    }
}

#[test]
fn a_fit_that_ends_early_or_finds_less_says_so() {
    let folder = folder();
    let folder = folder.path();
    for (file, model, set) in [
        ("classes.csv", "logistic", "max_iter=1"),
        ("classes.csv", "svc", "max_iter=1"),
        ("classes.csv", "linear-svc", "max_iter=1"),
        ("classes.csv", "mlp-classifier", "max_iter=2"),
        ("numbers.csv", "svr", "max_iter=1"),
        ("numbers.csv", "lasso", "max_iter=1,alpha=0.001,tol=1e-12"),
        ("numbers.csv", "elastic-net", "max_iter=1,alpha=0.001,tol=1e-12"),
        ("numbers.csv", "bayesian-ridge", "max_iter=1"),
    ] {
        let line = format!("train {file} --model {model} --set {set} --device cpu --out m");
        let said = said(folder, &line);
        assert!(said.contains("has not converged") && said.contains("raise max_iter by --set"), "{model}: {said}");
        assert_eq!(json(folder, &format!("{line} --json"))["converged"], false, "{model}");
    }
    for (file, model) in [("classes.csv", "logistic"), ("numbers.csv", "svr"), ("numbers.csv", "linear")] {
        let line = format!("train {file} --model {model} --device cpu --out m");
        assert!(!said(folder, &line).contains("warning"), "{model}");
    }
    let doubled = (0..30).map(|i| format!("{i},{},{}.5\n", 2 * i, i % 4)).collect::<String>();
    fs::write(folder.join("doubled.csv"), format!("a,b,y\n{doubled}")).unwrap();
    let said = said(folder, "train doubled.csv --model linear --device cpu --out m --report r.html");
    assert!(
        said.contains("warning: rank 1 of 2 features: 1 follows from others; what is predicted is sound"),
        "{said}"
    );
    assert!(fs::read_to_string(folder.join("r.html")).unwrap().contains("<th>warning</th><td>rank 1 of 2"));
    let out = json(folder, "train doubled.csv --model linear --device cpu --out m --json");
    assert_eq!((&out["rank"], &out["converged"], &out["features"]), (&1.into(), &serde_json::Value::Null, &2.into()));
}

#[test]
fn the_network_says_whether_its_loss_had_come_to_rest() {
    let folder = file("c.csv", "x,y", |i| format!("{},2.5", i % 7));
    let folder = folder.path();
    for (epochs, converged) in [(10, false), (200, true)] {
        let line = format!("train c.csv --epochs {epochs} --lr 0.01 --device cpu --out m");
        let said = said(folder, &format!("{line} --report r.html"));
        let warning = format!("mlp has not converged in {epochs} epochs: it may predict otherwise after more");
        assert_eq!(said.contains(&format!("warning: {warning}")), !converged, "{said}");
        assert_eq!(said.contains("--resume m "), !converged, "{said}");
        let page = fs::read_to_string(folder.join("r.html")).unwrap();
        assert_eq!(page.contains(&format!("<th>warning</th><td>{warning}")), !converged);
        assert_eq!(json(folder, &format!("{line} --json"))["converged"], converged);
    }
}

#[test]
fn a_comparison_says_which_models_have_not_converged() {
    let folder = folder();
    // So few steps as 60 rows have in 200 passes do not bring a network to rest; a tree has nothing to come to.
    let line = "compare classes.csv --models tree,logistic,mlp-classifier --cv 2 --device cpu";
    let output = run(folder.path(), line);
    let (out, said) = (text(&output.stdout), text(&output.stderr));
    assert!(said.contains("\nwarning: not converged: mlp-classifier; "), "{said}");
    for line in out.lines() {
        let expected = line.starts_with("mlp-classifier");
        assert_eq!(line.ends_with("  not converged in 2 of 2 folds"), expected, "{out}");
    }
    let models = &json(folder.path(), &format!("{line} --json"))["models"];
    let of = |name: &str| &models.as_array().unwrap().iter().find(|model| model["model"] == name).unwrap()["converged"];
    assert_eq!((of("mlp-classifier"), of("logistic-regression")), (&false.into(), &true.into()));
    assert!(of("decision-tree-classifier").is_null());
}

#[test]
fn columns_that_follow_from_others_are_warned_of_but_for_the_levels_of_texts() {
    let (towns, regions) = (["Ulm", "Bonn", "Kiel"], ["south", "west", "north"]);
    let folder = file("t.csv", "a,town,plan,region,y", |i| {
        format!("{},{},{},{},{}.5", i % 11, towns[i % 3], ["s", "l"][i / 3 % 2], regions[i % 3], i % 7)
    });
    let folder = folder.path();
    let said = |options: &str| said(folder, &format!("train t.csv --model linear {options} --device cpu --out m"));
    for options in ["--drop region", "--drop region --set fit_intercept=false", "--drop region,town,plan"] {
        let said = said(options);
        assert!(!said.contains("warning"), "{options}: {said}");
    }
    // The levels of a region say what those of its town do: beside one of them, which the others tell, two more are told.
    for (options, rank) in [("", 4), ("--set fit_intercept=false", 5)] {
        let said = said(options);
        let expected =
            format!("warning: rank {rank} of 9 features: 2 follow from others, besides a level of each text;");
        assert!(said.contains(&expected), "{options}: {said}");
    }
}

#[test]
fn a_gap_that_no_step_fills_in_is_named_by_every_command() {
    let folder = file("t.csv", "a,b,y", |i| format!("{},{},{}.5", i % 7, ["yes", "no"][i % 2], i % 11));
    let folder = folder.path();
    good(folder, "train t.csv --model ridge --raw --device cpu --out m");
    fs::write(folder.join("gap.csv"), "b,a,y\nyes,2,0.5\nno,3,1.5\n,4,2.5\n").unwrap();
    for line in [
        "predict --model m gap.csv",
        "evaluate --model m gap.csv",
        "explain --model m gap.csv",
        "evaluate --model m gap.csv --json",
    ] {
        let said = error(folder, line, 1);
        let expected = "gap.csv:4:1 (b): missing value, and there was none here to learn from";
        assert!(said.starts_with(expected), "{line}: {said}");
    }
}

#[test]
fn a_number_below_zero_is_named_where_a_model_counts() {
    let kind = |i: usize| ["low", "top"][usize::from(i % 7 > 3)];
    let folder = file("t.csv", "a,b,kind", |i| format!("{},{},{}", i % 7, if i == 40 { -3 } else { 2 }, kind(i)));
    let folder = folder.path();
    let expected =
        "t.csv:42:2 (b): -3 where counts are needed, which are at least 0; leave the column out, or take another";
    let line = "--model multinomial-nb --test t.csv --device cpu --out m";
    let said = error(folder, &format!("train t.csv {line}"), 1);
    assert!(said.starts_with(expected), "{said}");
    let compared = good(folder, "compare t.csv --models multinomial-nb --device cpu");
    assert!(compared.contains(&format!("multinomial-nb  {expected}")), "{compared}");
    good(folder, "train t.csv --model multinomial-nb --drop b --test t.csv --device cpu --out m");
    fs::write(folder.join("new.csv"), "a,kind\n1,low\n-0.5,low\n").unwrap();
    for line in ["predict --model m new.csv", "evaluate --model m new.csv", "explain --model m new.csv"] {
        let said = error(folder, line, 1);
        assert!(said.starts_with("new.csv:3:1 (a): -0.5 where counts are needed"), "{line}: {said}");
    }
}

#[test]
fn one_row_has_no_coefficient_of_determination() {
    let folder = folder();
    let folder = folder.path();
    fs::write(folder.join("one.csv"), "x,y,z\n0.5,0.5,0.5\n").unwrap();
    for model in ["ridge", "mlp --epochs 1"] {
        let line = format!("train numbers.csv --model {model} --test one.csv --device cpu --out m");
        let out = good(folder, &format!("{line} --report r.html"));
        assert!(out.starts_with("test R² not defined (of at least 2 rows), MSE "), "{model}: {out}");
        assert!(!fs::read_to_string(folder.join("r.html")).unwrap().contains("NaN"), "{model}");
        for line in [format!("{line} --json"), "evaluate --model m one.csv --json".into()] {
            let metrics = &json(folder, &line)["metrics"];
            let names: Vec<&String> = metrics.as_object().unwrap().keys().collect();
            assert_eq!(names, ["explained_variance", "mae", "mape", "mse", "rmse"], "{line}");
        }
        assert!(good(folder, "evaluate --model m one.csv").contains("R² not defined"));
    }
    good(folder, "train numbers.csv --model ridge --device cpu --out m");
    assert!(error(folder, "explain --model m one.csv", 1).starts_with("r2: one row has no variance to explain"));
}

#[test]
fn folds_that_test_on_one_row_have_other_scores_alone() {
    let folder = folder();
    let folder = folder.path();
    let of_folds =
        "cross-validation: r2 needs at least 2 rows, and some of 48 folds test on fewer; give fewer folds, or";
    let rows: String = (0..48).map(|i| format!("{i},{}.5\n", 2 * i)).collect();
    fs::write(folder.join("few.csv"), format!("x,y\n{rows}")).unwrap();
    for line in ["train numbers.csv --model ridge --cv 48 --out n", "compare few.csv --cv 48 --models ridge"] {
        let said = error(folder, &format!("{line} --device cpu"), 1);
        assert!(said.starts_with(of_folds), "{line}: {said}");
    }
    let out = json(folder, "train numbers.csv --model ridge --cv 48 --scoring mae --device cpu --json --out m");
    assert!(out["cv"]["r2"].is_null() && out["cv"]["mae"]["mean"].is_number(), "{}", out["cv"]);
}

#[test]
fn the_network_takes_and_says_what_other_models_do() {
    let folder = file("s.csv", "x;y;kind", |i| format!("{};{};{}", i % 10, i % 3, if i % 10 > 4 { "b" } else { "a" }));
    let folder = folder.path();
    let network = json(folder, "train s.csv --epochs 2 --device cpu --json --report r.html --out n");
    let other = json(folder, "train s.csv --model mlp-classifier --device cpu --json --out m");
    let names = |json: &serde_json::Value| json["metrics"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&network), names(&other));
    assert_eq!(good(folder, "predict --model n s.csv").lines().count(), 61);
    assert_eq!(json(folder, "evaluate --model n s.csv --json")["rows"], 60);
    let page = fs::read_to_string(folder.join("r.html")).unwrap();
    assert!(page.contains("<th>data</th><td>s.csv: "), "{page}");
}

#[test]
fn one_rule_says_what_integers_are() {
    let folder = file("i.csv", "x,y", |i| format!("{},{}", i % 10, i % 10 / 3));
    let folder = folder.path();
    let classes = "target: y holds integers, which are taken as classes; --regression takes them as numbers";
    let numbers = |why: &str| format!("target: y holds integers, which are taken as numbers, {why}");
    let cases = [
        ("train i.csv --model tree --out m", classes.to_owned()),
        ("train i.csv --epochs 1 --out m", classes.to_owned()),
        ("train i.csv --model svr --out m", numbers("as svr predicts no classes")),
        ("train i.csv --model tree --regression --out m", numbers("as --regression says")),
        ("train i.csv --epochs 1 --regression --out m", numbers("as --regression says")),
        ("train i.csv --model logistic --stream --out m", classes.to_owned()),
        ("compare i.csv --models tree,logistic", classes.to_owned()),
        ("compare i.csv --models ridge", numbers("as ridge predicts no classes")),
        ("compare i.csv --models tree,svr", numbers("as svr predicts no classes")),
        ("compare i.csv --models tree --regression", numbers("as --regression says")),
    ];
    for (line, expected) in cases {
        let said = said(folder, &format!("{line} --device cpu"));
        assert!(said.lines().any(|line| line == expected), "{line}: {said}");
    }
    assert!(error(folder, "compare i.csv --models ridge,logistic", 1).contains("logistic"));
}

#[test]
fn rows_of_another_length_are_counted() {
    let folder = file("r.csv", "x,y", |i| if i % 10 == 3 { i.to_string() } else { format!("{i},{i}.5") });
    for options in ["--model ridge", "--model ridge --stream", "--epochs 1"] {
        let said = error(folder.path(), &format!("train r.csv {options} --out m"), 1);
        assert!(said.starts_with("r.csv:5: row of another length: 1 field, the header has 2"), "{said}");
        assert!(said.ends_with("(5 more rows of another length)"), "{options}: {said}");
    }
}

#[test]
fn options_are_refused_in_words_of_the_command() {
    let folder = folder();
    let folder = folder.path();
    mixed(folder);
    let few = (0..30).map(|i| format!("{i},{}\n", if i % 6 == 0 { "b" } else { "a" })).collect::<String>();
    fs::write(folder.join("few.csv"), format!("x,kind\n{few}")).unwrap();
    let cases = [
        ("train numbers.csv --model ridge --set alpha=much", 2, "string \"much\", expected a number"),
        ("train numbers.csv --model tree --set max_depth=-1", 2, "integer `-1`, expected a whole number of at least 0"),
        ("train classes.csv --model dummy --balance none", 2, "--balance none: no such way; there are over, under"),
        ("train classes.csv --model dummy --threshold low", 2, "--threshold low: give a number, or tuned"),
        ("train mixed.csv --model logistic --threshold 2", 2, "--threshold 2: logistic-regression gives probabilities"),
        ("train mixed.csv --model logistic --threshold -1", 2, "which lie between 0 and 1"),
        ("train mixed.csv --model linear-svc --threshold inf", 2, "--threshold inf: give a number, or tuned"),
        (
            "train classes.csv --model dummy --threshold 0.5",
            2,
            "--threshold 0.5 parts two classes, and kind has 3: \"low\", \"mid\", \"top\"; give --costs",
        ),
        (
            "train classes.csv --model dummy --costs 0,1",
            2,
            "--costs: kind has 3 classes: \"low\", \"mid\", \"top\"; give 3",
        ),
        (
            "train mixed.csv --model linear-svc --costs 0,1;5,0",
            2,
            "which linear-svc does not give; take a model that does",
        ),
        ("train classes.csv --model dummy --costs 0;x", 2, "--costs 0;x: give numbers such as 0,1;5,0"),
        (
            "train numbers.csv --model dummy --balance smote",
            2,
            "--balance is of classes, and z is predicted as a number",
        ),
        (
            "train few.csv --model logistic --balance smote",
            2,
            "--balance smote makes up rows between 5 neighbours of a class, and \"b\" of kind has 4 rows; take --balance over",
        ),
        ("train mixed.csv --model logistic --stream --balance over", 2, "--balance needs all rows in memory"),
        ("train classes.csv --balance over", 2, "--balance is an option of all models but mlp"),
    ];
    for (line, code, what) in cases {
        let said = error(folder, line, code);
        assert!(said.contains(what), "{line}: {said}");
    }
}
