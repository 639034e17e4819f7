//! The classical models on the command line, over every row of `MODELS`.

use super::{bad, folder, good, run, text};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tilework::models::{MODELS, Predicts, Row};

/// Numbers with a gap, text, and a class that follows both.
pub fn mixed(folder: &Path) {
    let mut csv = String::from("age,town,score,buys\n");
    for i in 0..60 {
        let town = ["Ulm", "Bonn", "Kiel"][i % 3];
        let age = if i % 7 == 3 { String::new() } else { (20 + i % 40).to_string() };
        let buys = if i % 3 == 0 || i % 40 > 30 { "yes" } else { "no" };
        csv += &format!("{age},{town},{}.5,{buys}\n", i % 10);
    }
    fs::write(folder.join("mixed.csv"), csv).unwrap();
}

pub fn json(folder: &Path, line: &str) -> Value {
    let out = good(folder, line);
    assert_eq!(out.lines().count(), 1, "{line}: {out}");
    serde_json::from_str(&out).unwrap()
}

fn file_of(row: &Row) -> &'static str {
    match row.predicts {
        Predicts::Labels => "classes.csv",
        Predicts::Values => "numbers.csv",
    }
}

#[test]
fn every_model_trains_predicts_and_is_scored() {
    let folder = folder();
    let folder = folder.path();
    for row in MODELS {
        let (name, file) = (row.name, file_of(row));
        // Their default penalty of 1 outweighs a target of this deviation, as scikit-learn's does.
        let set = if ["lasso", "elastic-net"].contains(&name) { " --set alpha=0.01" } else { "" };
        let trained = json(folder, &format!("train {file} --model {name}{set} --json --seed 1 --device cpu --out m"));
        assert_eq!(trained["model"], name);
        assert_eq!(trained["rows"], serde_json::json!({"train": 48, "test": 12}), "{name}");
        assert!(trained["seconds"]["fit"].as_f64().unwrap() <= trained["seconds"]["total"].as_f64().unwrap());
        let (key, least) = match row.predicts {
            Predicts::Labels => ("accuracy", 0.5),
            Predicts::Values => ("r2", 0.5),
        };
        let score = trained["metrics"][key].as_f64().unwrap();
        assert!(name.starts_with("dummy") || score >= least, "{name}: {key} {score}");

        let predicted = good(folder, "predict --model m new.csv --device cpu");
        assert_eq!(predicted.lines().count(), 61, "{name}");
        let evaluated = json(folder, &format!("evaluate --model m {file} --json"));
        assert_eq!((&evaluated["model"], &evaluated["rows"]), (&name.into(), &60.into()));
        assert!(evaluated["metrics"][key].is_number(), "{name}: {evaluated}");
        // What `predict` says is what `evaluate` scores.
        if row.predicts == Predicts::Labels {
            let truth = fs::read_to_string(folder.join(file)).unwrap();
            let pairs = predicted.lines().zip(truth.lines()).skip(1);
            let right = pairs.filter(|(p, t)| t.ends_with(&format!(",{}", p.split(',').next().unwrap()))).count();
            let accuracy = evaluated["metrics"]["accuracy"].as_f64().unwrap();
            assert!((accuracy - right as f64 / 60.0).abs() < 1e-12, "{name}: {accuracy} and {right} of 60");
        }
    }
}

#[test]
fn a_table_with_gaps_and_text_is_prepared_and_each_step_said() {
    let folder = folder();
    let folder = folder.path();
    mixed(folder);
    let output = run(folder, "train mixed.csv --model dummy --out m --device cpu");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("data: mixed.csv: 48 rows to learn from, 12 rows to test on"), "{said}");
    assert!(said.contains("preparation: text as a column of 0 and 1 for each level: town (3 levels)"), "{said}");
    let said = error(folder, "train mixed.csv --model dummy --raw --out m", 1);
    let expected =
        "(town): column of text where numbers are needed; leave --raw out, which encodes it, or give --drop town";
    assert_eq!(said, format!("mixed.csv:2:2 {expected}"));
    assert_eq!(error(folder, "compare mixed.csv --raw", 1), said);
    fs::write(folder.join("two.csv"), "a,b,c\nx,z,1\ny,z,2\n").unwrap();
    let said = error(folder, "train two.csv --model tree --raw --out m", 1);
    assert!(said.ends_with("leave --raw out, which encodes them, or give --drop a,b"), "{said}");
    // A town and a gap that were not there to learn from.
    fs::write(folder.join("other.csv"), "town,age,score\nMars,,1\nUlm,30,2\n").unwrap();
    assert_eq!(good(folder, "predict --model m other.csv").lines().count(), 3);
}

#[test]
fn a_gap_in_the_rows_to_test_on_alone_is_filled_in() {
    let folder = folder();
    let folder = folder.path();
    let rows = |gap: usize| {
        let line = |i: usize| format!("{},{},{}\n", if i == gap { String::new() } else { i.to_string() }, i % 4, 2 * i);
        "a,b,y\n".to_owned() + &(0..20).map(line).collect::<String>()
    };
    fs::write(folder.join("whole.csv"), rows(99)).unwrap();
    fs::write(folder.join("gap.csv"), rows(7)).unwrap();
    let output = run(folder, "train whole.csv --model ridge --regression --test gap.csv --out m --device cpu");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("preparation: 1 missing cell filled in by the column's median: a"), "{said}");
    assert_eq!(good(folder, "predict --model m gap.csv").lines().count(), 21);
}

/// Of `tests/data/files`.
fn take(folder: &Path, name: &str) {
    fs::copy(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name),
        folder.join(name.rsplit('/').next().unwrap()),
    )
    .unwrap();
}

#[test]
fn an_archive_of_arrays_is_taken_where_csv_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    take(folder, "iris.csv");
    take(folder, "files/iris.npz");
    let line = "--model logistic --device cpu --json --out m";
    let (csv, npz) = (json(folder, &format!("train iris.csv {line}")), json(folder, &format!("train iris.npz {line}")));
    assert_eq!((&csv["rows"], &csv["metrics"]), (&npz["rows"], &npz["metrics"]));
    assert_eq!(json(folder, "evaluate --model m iris.npz --json")["rows"], 150);
    assert_eq!(good(folder, "predict --model m iris.npz").lines().count(), 151);
    assert!(good(folder, "explain --model m iris.npz --repeats 1").contains("X_3"));
    assert_eq!(json(folder, "compare iris.npz --models dummy --json")["models"].as_array().unwrap().len(), 1);
    let network = json(folder, "train iris.npz --test iris.npz --epochs 1 --device cpu --json --out n");
    assert_eq!(network["rows"], serde_json::json!({"train": 150, "test": 150}));
    assert_eq!(good(folder, "predict --model n iris.npz").lines().count(), 151);
    let said = error(folder, "train iris.npz --model logistic --stream", 1);
    assert!(said.starts_with("iris.npz: an archive of arrays is read whole alone"), "{said}");
}

#[test]
fn parquet_and_arrow_files_are_taken_where_csv_is_by_a_build_that_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["iris.csv", "files/iris.parquet", "files/iris.feather"] {
        take(folder, name);
    }
    if !cfg!(feature = "parquet") {
        let said = error(folder, "train iris.parquet --model logistic", 1);
        assert!(said.starts_with("iris.parquet: this kind of file needs the feature `parquet`"), "{said}");
        return;
    }
    let train = |file: &str| json(folder, &format!("train {file} --model logistic --device cpu --json --out m"));
    let (csv, parquet) = (train("iris.csv"), train("iris.parquet"));
    assert_eq!((&csv["rows"], &csv["metrics"]), (&parquet["rows"], &parquet["metrics"]));
    let predicted = good(folder, "predict --model m iris.csv");
    for file in ["iris.parquet", "iris.feather"] {
        assert_eq!(good(folder, &format!("predict --model m {file}")), predicted);
        assert_eq!(json(folder, &format!("evaluate --model m {file} --json"))["rows"], 150);
        assert!(good(folder, &format!("explain --model m {file} --repeats 1")).contains("petal"));
        assert_eq!(
            json(folder, &format!("compare {file} --models dummy --json"))["models"].as_array().unwrap().len(),
            1
        );
    }
    let streamed =
        |file: &str| json(folder, &format!("train {file} --model logistic --stream --device cpu --json --out m"));
    let csv = streamed("iris.csv");
    for file in ["iris.parquet", "iris.feather"] {
        let other = streamed(file);
        assert_eq!((&csv["rows"], &csv["metrics"]), (&other["rows"], &other["metrics"]), "{file}");
    }
}

#[test]
fn columns_are_left_out_of_what_is_learnt_and_passed_over_in_what_is_predicted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let row = |i: usize| (i, i % 13, i % 7, if i % 13 > 6 { "yes" } else { "no" });
    let (mut wide, mut narrow) = (String::from("id,a,b,c\n"), String::from("a,b\n"));
    for (id, a, b, c) in (0..90).map(row) {
        wide += &format!("n{id},{a},{b},{c}\n");
        narrow += &format!("{a},{b}\n");
    }
    fs::write(folder.join("wide.csv"), wide).unwrap();
    fs::write(folder.join("narrow.csv"), narrow).unwrap();
    for (model, choice) in [("tree", "--drop id"), ("tree", "--columns a,b --target c"), ("mlp", "--drop id")] {
        let line = format!("train wide.csv --model {model} {choice} --test wide.csv --device cpu --json --out m");
        assert_eq!(json(folder, &line)["rows"]["train"], 90);
        let predicted = good(folder, "predict --model m wide.csv");
        assert_eq!((predicted.lines().count(), good(folder, "predict --model m narrow.csv")), (91, predicted));
        assert_eq!(json(folder, "evaluate --model m wide.csv --json")["rows"], 90);
    }
    good(folder, "train wide.csv --drop id --epochs 1 --device cpu --out m");
    good(folder, "train wide.csv --resume m --epochs 2 --device cpu --out m");
    good(folder, "train wide.csv --model logistic --stream --drop id,b --device cpu --out m");
    assert_eq!(good(folder, "predict --model m narrow.csv").lines().count(), 91);
    let compared = json(folder, "compare wide.csv --drop id --models dummy --json");
    assert_eq!(compared["models"].as_array().unwrap().len(), 1);
    let said = "wide.csv: no column of that name: given \"ib\"; the file has \"id\", \"a\", \"b\", \"c\"";
    assert_eq!(error(folder, "train wide.csv --model tree --drop ib", 1), said);
    assert!(error(folder, "train digits --drop id", 2).starts_with("--drop: digits has columns of its own"));
    assert!(error(folder, "train wide.csv --columns a --drop id", 2).contains("cannot be used with"));
    good(folder, "train wide.csv --epochs 1 --drop id --device cpu --out m");
    let said = error(folder, "train wide.csv --resume m --epochs 2 --drop b --device cpu --out m", 2);
    assert!(said.starts_with("--drop: the file to go on with says"), "{said}");
}

#[test]
fn trees_predict_on_the_device_that_is_asked_for_and_other_models_say_that_they_do_not() {
    let folder = folder();
    let folder = folder.path();
    let gpu = tilework::Device::gpu().is_ok();
    let numbers = |csv: &str| -> Vec<Vec<String>> {
        csv.lines().map(|line| line.split(',').map(String::from).collect()).collect()
    };
    for (model, data) in
        [("forest", "classes"), ("boosting", "classes"), ("forest", "numbers"), ("boosting", "numbers")]
    {
        good(folder, &format!("train {data}.csv --model {model} --device cpu --out m"));
        let host = numbers(&good(folder, "predict --model m new.csv"));
        let scores = json(folder, &format!("evaluate --model m {data}.csv --json"));
        if !gpu {
            assert!(bad(folder, "predict --model m new.csv --device gpu", 2).contains("gpu"));
            continue;
        }
        let output = run(folder, "predict --model m new.csv --device gpu");
        let said = text(&output.stderr);
        assert!(said.starts_with("device: ") && said.ends_with(": asked for\n"), "{said}");
        for (host, device) in host.iter().zip(numbers(text(&output.stdout))) {
            for (host, device) in host.iter().zip(device) {
                match (host.parse::<f64>(), device.parse::<f64>()) {
                    (Ok(host), Ok(device)) => assert!((host - device).abs() <= 1e-12 * host.abs().max(1.0)),
                    _ => assert_eq!(*host, device),
                }
            }
        }
        let on_gpu = json(folder, &format!("evaluate --model m {data}.csv --device gpu --json"));
        assert_eq!(on_gpu["rows"], scores["rows"]);
    }
    if gpu {
        good(folder, "train numbers.csv --model ridge --device cpu --out m");
        let output = run(folder, "predict --model m new.csv --device gpu");
        assert!(
            text(&output.stderr).starts_with("device: ridge predicts on the CPU alone; "),
            "{}",
            text(&output.stderr)
        );
        assert_eq!(text(&output.stdout), good(folder, "predict --model m new.csv"));
    }
    assert!(bad(folder, "predict --model m new.csv --device nosuch", 2).contains("no device called 'nosuch'"));
}

#[test]
fn rows_in_the_order_of_time_are_tested_by_those_before_them() {
    let folder = folder();
    let folder = folder.path();
    // The answer jumps in the last fifth of the rows: only a test of the last rows is surprised.
    let rows: String = (0..60).map(|i| format!("{},{}.5\n", i % 7, if i < 48 { 0 } else { 100 })).collect();
    fs::write(folder.join("jump.csv"), format!("x,y\n{rows}")).unwrap();
    let out = json(folder, "train jump.csv --model ridge --cv-time 3 --search alpha=1,2 --json --device cpu --out m");
    assert_eq!(out["rows"], serde_json::json!({"train": 48, "test": 12}));
    assert!((out["metrics"]["mae"].as_f64().unwrap() - 100.0).abs() < 1e-9, "{out}");
    assert_eq!(out["cv"]["mae"]["folds"].as_array().unwrap().len(), 3);
    assert!(out["cv"]["mae"]["mean"].as_f64().unwrap() < 1e-9);
    error(folder, "train jump.csv --model ridge --cv-time 3 --cv 3", 2);
    error(folder, "train jump.csv --model ridge --cv-time 1", 2);
}

#[test]
fn intervals_are_measured_saved_and_predicted() {
    let folder = folder();
    let folder = folder.path();
    let out =
        json(folder, "train numbers.csv --model ridge --intervals 0.8 --json --device cpu --out m --report r.html");
    let page = fs::read_to_string(folder.join("r.html")).unwrap();
    assert!(page.contains("<th>intervals</th><td>± ") && page.contains(" for 80 %; "));
    assert_eq!(out["rows"], serde_json::json!({"train": 38, "test": 12}));
    let (margin, held) = (&out["intervals"]["margin"], &out["intervals"]["held"]);
    assert!(margin.as_f64().unwrap() > 0.0 && (0.4..=1.0).contains(&held.as_f64().unwrap()), "{out}");
    let predicted = good(folder, "predict --model m new.csv --device cpu");
    let (header, rows) = predicted.split_once('\n').unwrap();
    assert!(header.ends_with(",lower,upper"), "{header}");
    for row in rows.lines() {
        let cells: Vec<f64> = row.split(',').map(|cell| cell.parse().unwrap()).collect();
        let half = margin.as_f64().unwrap();
        assert!((cells[0] - cells[1] - half).abs() < 1e-9 && (cells[2] - cells[0] - half).abs() < 1e-9, "{row}");
    }
    let said = error(folder, "train classes.csv --model tree --intervals 0.8", 2);
    assert!(said.contains("classes have probabilities"), "{said}");
    error(folder, "train numbers.csv --model ridge --intervals 1.5", 2);
}

#[test]
fn cross_validation_and_search_are_in_the_summary() {
    let folder = folder();
    let folder = folder.path();
    let line = "train classes.csv --model calibrated-classifier --cv 3 --search method=sigmoid,isotonic --search cv=2,3 --json --device cpu";
    let out = json(folder, line);
    let search = &out["search"];
    assert_eq!((&search["score"], search["candidates"].as_array().unwrap().len()), (&"accuracy".into(), 4));
    for candidate in search["candidates"].as_array().unwrap() {
        assert_eq!(candidate["folds"].as_array().unwrap().len(), 3);
        assert!(candidate["mean"].as_f64().unwrap() <= 1.0);
    }
    assert_eq!(out["settings"]["method"], search["best"]["method"]);
    let folds = out["cv"]["accuracy"]["folds"].as_array().unwrap();
    assert_eq!(folds.len(), 3);
    let again = json(folder, line);
    assert_eq!(
        (&again["cv"], &again["settings"]),
        (&out["cv"], &out["settings"]),
        "the same seed gives the same folds"
    );
}

#[test]
fn classes_are_evened_out_and_decided_as_asked() {
    let folder = folder();
    let folder = folder.path();
    mixed(folder);
    let train = |more: &str| {
        let output =
            run(folder, &format!("train mixed.csv --model logistic {more} --json --seed 1 --device cpu --out m"));
        assert_eq!(output.status.code(), Some(0), "{more}: {}", text(&output.stderr));
        (serde_json::from_str::<Value>(text(&output.stdout)).unwrap(), text(&output.stderr).to_owned())
    };
    let plain = train("").0;
    assert!(plain["threshold"].is_null());
    for (how, said) in [
        ("over", "rows of small classes drawn again"),
        ("under", "rows of large classes left out"),
        ("smote", "rows of small classes made up between neighbours"),
        ("weights", "rows weighed so that classes count the same"),
    ] {
        let (json, stderr) = train(&format!("--balance {how}"));
        assert!(stderr.contains(said), "{how}: {stderr}");
        assert!(json["preparation"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains(said)));
        assert_eq!(json["rows"], plain["rows"], "the rows that are counted and scored stay");
        assert_ne!(json["metrics"]["log_loss"], plain["metrics"]["log_loss"], "{how}");
    }
    let (json, stderr) = train("--threshold tuned --report r.html");
    let threshold = json["threshold"].as_f64().unwrap();
    let page = fs::read_to_string(folder.join("r.html")).unwrap();
    let row = format!("<th>threshold</th><td>the second class from {threshold:.4} on</td>");
    assert!(page.contains(&row), "{row}");
    assert!((0.0..=1.0).contains(&threshold) && stderr.contains("threshold: the second class from 0."), "{stderr}");
    // Nothing is sure enough for the second class, which is "yes"; or anything is.
    for (options, class) in [("--threshold 1", "no"), ("--threshold 0", "yes"), ("--costs 0,0;9,0", "yes")] {
        train(options);
        fs::write(folder.join("rows.csv"), "age,town,score\n30,Ulm,1.5\n31,Bonn,2.5\n").unwrap();
        let out = good(folder, "predict --model m rows.csv");
        assert!(out.lines().skip(1).all(|line| line.starts_with(&format!("{class},"))), "{options}: {out}");
    }
}

#[test]
fn all_models_are_compared_best_first() {
    let folder = folder();
    let folder = folder.path();
    for (file, key, predicts) in
        [("classes.csv", "accuracy", Predicts::Labels), ("numbers.csv", "r2", Predicts::Values)]
    {
        let out = json(folder, &format!("compare {file} --cv 3 --json"));
        let models = out["models"].as_array().unwrap();
        let held = |name: &str| ["calibrated", "voting", "stacking"].iter().any(|h| name.starts_with(h));
        let expected = MODELS.iter().filter(|row| row.predicts == predicts && !held(row.name)).count();
        assert_eq!(models.len(), expected);
        let means: Vec<f64> = models.iter().map(|m| m["scores"][key]["mean"].as_f64().unwrap_or(f64::NAN)).collect();
        assert!(means.iter().all(|mean| mean.is_finite()), "{out}");
        assert!(means.windows(2).all(|pair| pair[0] >= pair[1]), "{means:?}");
        assert!(models.iter().all(|model| model["seconds"].as_f64().unwrap() > 0.0));
    }
    let out = good(folder, "compare classes.csv --cv 3 --models dummy --scoring log_loss --device cpu");
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("log_loss") && lines[1].starts_with("dummy-classifier"), "{out}");
}

#[test]
fn the_report_is_one_page_that_needs_no_other() {
    let folder = folder();
    let folder = folder.path();
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    for row in MODELS {
        let (name, file) = (row.name, file_of(row));
        let out = good(folder, &format!("train {file} --model {name} --report r.html --device cpu --out m --cv 2"));
        assert!(out.contains("report: r.html"), "{out}");
        let page = read("r.html");
        assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"), "{name}");
        for outside in ["src=", "href=", "@import", "url("] {
            assert!(!page.contains(outside), "{name}: {outside}");
        }
        let charts: &[&str] = match row.predicts {
            Predicts::Labels => &["Confusion", "Classes", "Cross-validation"],
            Predicts::Values => &["Residuals", "True and predicted", "Cross-validation"],
        };
        assert!(charts.iter().all(|chart| page.contains(chart)), "{name}");
        assert!(page.contains("What each column is worth"), "{name}");
    }
    good(folder, "train classes.csv --epochs 2 --report r.html --device cpu --out n");
    assert!(read("r.html").contains("Receiver operating characteristic"));
    good(folder, "evaluate --model n classes.csv --report e.html --device cpu");
    assert!(read("e.html").contains("Calibration"));
}

#[test]
fn charts_are_written_as_svg_and_png() {
    let folder = folder();
    let folder = folder.path();
    good(folder, "train numbers.csv --model dummy --device cpu --out m");
    good(folder, "evaluate --model m numbers.csv --charts .");
    assert!(fs::read_to_string(folder.join("residuals.svg")).unwrap().starts_with("<svg"));
    let png = fs::read(folder.join("residuals.png")).unwrap();
    let word = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!((&png[..4], word(16), word(20)), (&b"\x89PNG"[..], 960, 800));
}

#[test]
fn a_model_says_what_it_goes_by() {
    let folder = folder();
    let folder = folder.path();
    for row in MODELS {
        let (name, file) = (row.name, file_of(row));
        good(folder, &format!("train {file} --model {name} --device cpu --out m"));
        let out = json(folder, &format!("explain --model m {file} --json --repeats 2"));
        let columns = out["permutation"]["columns"].as_object().unwrap();
        assert_eq!(columns.keys().collect::<Vec<_>>(), ["x", "y"], "{name}");
        let said = good(folder, &format!("explain --model m {file}"));
        assert!(
            said.starts_with(&format!("model: {name}\n")) && said.contains("lost when the column is shuffled"),
            "{said}"
        );
    }
}

#[test]
fn what_cannot_be_done_is_one_line() {
    let folder = folder();
    let folder = folder.path();
    mixed(folder);
    good(folder, "train classes.csv --model dummy --device cpu --out m");
    good(folder, "train classes.csv --epochs 1 --device cpu --out n");
    fs::write(folder.join("odd.csv"), "x,y,kind\n1,2,low\n1,2,none\n").unwrap();
    fs::write(folder.join("gap.csv"), "x,kind\n1,a\n2,\n").unwrap();
    let cases = [
        ("train classes.csv --model dummy --epochs 5", 2, "--epochs is an option of mlp alone"),
        ("train classes.csv --cv 3", 2, "--cv is an option of all models but mlp"),
        ("train classes.csv --model dummy --cv 1", 2, "--cv 1: one fold has nothing to learn from"),
        ("train classes.csv --model dummy --cv 1000", 1, "cross-validation: StratifiedKFold: 1000 folds of "),
        ("train classes.csv --model dummy --set nosuch=1", 2, "--set: "),
        ("train classes.csv --model dummy --set alpha", 2, "--set alpha: give NAME=VALUE"),
        (
            "train classes.csv --model calibrated-classifier --set cv=many",
            2,
            "--set: calibrated-classifier: settings: ",
        ),
        (
            "train classes.csv --model calibrated-classifier --set cv=1",
            1,
            "calibrated-classifier: cv 1; give 2 folds or more",
        ),
        ("train classes.csv --model dummy --set nostep.a=1", 2, "no step is called \"nostep\""),
        ("train classes.csv --model dummy --search alpha", 2, "--search alpha: give NAME=VALUE"),
        ("train classes.csv --model dummy --search nosuch=1,2", 2, "--search: "),
        ("train classes.csv --model dummy --scoring nosuch", 2, "no score is called \"nosuch\""),
        ("train classes.csv --model dummy-regressor", 1, "--model dummy-regressor: the target is of classes"),
        ("train numbers.csv --model dummy-classifier", 1, "--model dummy-classifier: the target is of numbers"),
        ("train classes.csv --model dummy --test odd.csv", 1, "odd.csv:3:3 (kind): class \"none\" is not known"),
        ("train classes.csv --model dummy --report classes.csv", 2, "--report classes.csv would overwrite the input"),
        ("train classes.csv --model dummy --out a --report a", 2, "--report a is where the model goes"),
        ("train classes.csv --model dummy --report no/r.html", 1, "no/r.html: its folder does not exist"),
        ("train gap.csv --model dummy", 1, "gap.csv:3:2 (kind): target is missing"),
        ("evaluate --model m new.csv", 1, "no column of that name: given \"kind\""),
        ("evaluate --model none classes.csv", 1, "none: No such file"),
        ("predict --model m gap.csv", 1, "gap.csv: other columns than the model's"),
        ("explain --model n", 1, "n: is a network"),
        ("explain --model m classes.csv --scoring mae", 1, "mae needs a model of numbers"),
        ("compare classes.csv --models nosuch", 2, "--model nosuch: no such model"),
        ("compare classes.csv --scoring mae", 2, "--scoring mae: scores numbers, and the target is of classes"),
        ("compare classes.csv --device nosuch", 2, "no device called 'nosuch'"),
        ("compare none.csv", 1, "none.csv: No such file"),
    ];
    for (line, code, what) in cases {
        let said = error(folder, line, code);
        assert!(said.contains(what), "{line}: {said}");
    }
}

/// The one line of error of a run that fails with this code; notes about the data may come before it.
pub fn error(folder: &Path, line: &str, code: i32) -> String {
    let output = run(folder, line);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), ""), "{line}: {said}");
    let errors: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
    assert_eq!(errors.len(), 1, "{line}: {said}");
    errors.concat()
}
