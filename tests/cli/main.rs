//! The `tilework` command as a user runs it: results, files, exit codes, and what it says about bad input.

mod asked;
#[cfg(target_os = "linux")]
mod memory;
mod models;
mod said;
mod texts;

use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

fn tilework(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tilework"));
    command.current_dir(folder).env_remove("TILEWORK_DEVICE").env("RUST_BACKTRACE", "0");
    command
}

fn run(folder: &Path, line: &str) -> Output {
    tilework(folder).args(line.split(' ').filter(|word| !word.is_empty())).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Standard output of a run that succeeds.
fn good(folder: &Path, line: &str) -> String {
    let output = run(folder, line);
    assert_eq!(output.status.code(), Some(0), "{line}: {}", text(&output.stderr));
    text(&output.stdout).to_string()
}

/// What a run says that fails with this code, on its one line.
fn bad(folder: &Path, line: &str, code: i32) -> String {
    let output = run(folder, line);
    let (said, out) = (text(&output.stderr), text(&output.stdout));
    assert_eq!(output.status.code(), Some(code), "{line}: {said}");
    assert_eq!((said.lines().count(), out), (1, ""), "{line}: {said}");
    said.strip_prefix("error: ").unwrap_or_else(|| panic!("{line}: {said}")).trim_end().to_string()
}

/// Three classes in two features, and a target of numbers.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (mut classes, mut numbers, mut new) =
        (String::from("x,y,kind\n"), String::from("x,y,z\n"), String::from("y,x\n"));
    for i in 0..60 {
        let (x, y) = (f64::from(i % 10) / 10.0, f64::from(i / 10) / 6.0);
        let kind = if x + y < 0.6 { "low" } else { ["mid", "top"][usize::from(x + y > 1.1)] };
        classes += &format!("{x},{y},{kind}\n");
        numbers += &format!("{x},{y},{}\n", 3.0 * x - 2.0 * y + 0.25);
        new += &format!("{y},{x}\n");
    }
    for (name, text) in [("classes.csv", classes), ("numbers.csv", numbers), ("new.csv", new)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn digits_need_no_other_argument() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), "train digits");
    let (out, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(out.starts_with("test accuracy 0.9") && out.contains("true \\ predicted"), "{out}");
    assert!(out.trim_end().ends_with("model: digits.mlp.safetensors"), "{out}");
    assert!(folder.path().join("digits.mlp.safetensors").is_file());
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("device: ") && lines[0].matches(": ").count() >= 2, "the device and why: {said}");
    assert!(lines[1].contains("1,347 rows to learn from, 450 rows to test on"), "{said}");
    let epochs = lines.iter().filter(|line| line.starts_with("epoch")).count();
    assert!((10..=12).contains(&epochs) && said.contains("loss") && said.contains("samples/s"), "{said}");
}

#[test]
fn the_summary_is_one_line_of_json() {
    let folder = folder();
    let out = good(folder.path(), "train digits --json --epochs 2 --seed 1 --device cpu --out m");
    assert_eq!(out.lines().count(), 1);
    let json: Value = serde_json::from_str(&out).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&json), "converged data device epochs metrics model out parameters rows seconds seed steps");
    assert_eq!(
        json["device"],
        serde_json::json!({"kind": "cpu", "name": json["device"]["name"], "reason": "asked for"})
    );
    assert_eq!(json["rows"], serde_json::json!({"train": 1347, "test": 450}));
    assert_eq!((&json["model"], &json["data"], &json["epochs"]), (&"mlp".into(), &"digits".into(), &2.into()));
    assert_eq!(json["converged"], false, "two epochs are too few to say so");
    assert_eq!((&json["parameters"], &json["steps"]), (&(64 * 128 + 128 + 128 * 10 + 10).into(), &86.into()));
    assert!(json["seconds"]["fit"].as_f64().unwrap() <= json["seconds"]["total"].as_f64().unwrap());
    let others = "accuracy average_precision balanced_accuracy brier cohen_kappa f1_macro f1_weighted log_loss matthews \
                  precision_macro recall_macro roc_auc";
    assert_eq!(keys(&json["metrics"]), others, "as of all models");
    let json: Value = serde_json::from_str(&good(folder.path(), "train numbers.csv --json --epochs 2")).unwrap();
    let others = "explained_variance mae mape mse r2 rmse";
    assert_eq!((keys(&json["metrics"]), &json["rows"]["test"]), (others.into(), &12.into()));
}

#[test]
fn default_settings_read_digits_as_well_as_scikit_learn() {
    let folder = folder();
    for seed in 0..5 {
        let out = good(folder.path(), &format!("train digits --json --device cpu --seed {seed}"));
        let json: Value = serde_json::from_str(&out).unwrap();
        let accuracy = json["metrics"]["accuracy"].as_f64().unwrap();
        assert!(accuracy >= 0.97, "seed {seed}: {accuracy}"); // scikit-learn's network: 0.9756
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let folder = folder();
    let mut devices = vec!["cpu"];
    if tilework::Device::gpu().is_ok() {
        devices.push("gpu");
    } else {
        assert!(std::env::var_os("TILEWORK_REQUIRE_GPU").is_none(), "a GPU device is required here");
    }
    for device in devices {
        let run = |data: &str, seed: u64| {
            let line =
                format!("train {data} --json --epochs 3 --validation 0.2 --seed {seed} --device {device} --out m");
            let mut json: Value = serde_json::from_str(&good(folder.path(), &line)).unwrap();
            json.as_object_mut().unwrap().remove("seconds").unwrap();
            (json, fs::read(folder.path().join("m")).unwrap())
        };
        for data in ["classes.csv", "numbers.csv"] {
            assert!(run(data, 7) == run(data, 7), "{data} on {device}: two runs of a seed differ");
            assert!(run(data, 7).1 != run(data, 8).1, "{data} on {device}: two seeds agree");
        }
    }
}

#[test]
fn a_resumed_run_is_byte_for_byte_the_uninterrupted_one() {
    let folder = folder();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    for data in ["digits", "classes.csv --validation 0.2 --lr 0.01 --hidden 8,4 --seed 5", "numbers.csv"] {
        let whole = good(folder.path(), &format!("train {data} --epochs 5 --out whole"));
        good(folder.path(), &format!("train {data} --epochs 2 --out half"));
        let file = data.split(' ').next().unwrap();
        let resumed = good(folder.path(), &format!("train {file} --epochs 5 --resume half --out resumed"));
        assert!(read("whole") == read("resumed"), "{data}: the files differ");
        assert_eq!(whole.replace("whole", "resumed"), resumed);
        good(folder.path(), &format!("train {data} --epochs 5 --resume half --out half"));
        assert!(read("whole") == read("half"), "{data}: a run that goes on in its own file");
    }
    let said = bad(folder.path(), "train numbers.csv --epochs 5 --resume whole", 2);
    assert_eq!(said, "whole has 5 epochs and was asked for 5 in all; give more by --epochs");
    let said = bad(folder.path(), "train numbers.csv --epochs 9 --resume whole --lr 0.5", 2);
    assert!(said.starts_with("--lr 0.5: whole was trained with 0.001"), "{said}");
    let said = bad(folder.path(), "train digits --epochs 9 --resume whole", 1);
    assert_eq!(said, "digits: other columns or classes than the model's; resume with the same data");
    let said = bad(folder.path(), "train classes.csv --epochs 9 --resume whole", 1);
    assert!(said.starts_with("classes.csv: other columns than the model's"), "{said}");
}

#[test]
fn predictions_are_csv_with_a_probability_for_each_class() {
    let folder = folder();
    let settings = "--epochs 60 --lr 0.02 --hidden 16 --device cpu";
    good(folder.path(), &format!("train classes.csv {settings} --out m"));
    let out = good(folder.path(), "predict --model m new.csv --device cpu");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!((lines.len(), lines[0]), (61, "kind,probability_low,probability_mid,probability_top"));
    let truth = fs::read_to_string(folder.path().join("classes.csv")).unwrap();
    let mut right = 0;
    for (line, truth) in lines[1..].iter().zip(truth.lines().skip(1)) {
        let cells: Vec<&str> = line.split(',').collect();
        let shares: Vec<f64> = cells[1..].iter().map(|cell| cell.parse().unwrap()).collect();
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{line}");
        let best = (0..3).max_by(|&a, &b| shares[a].total_cmp(&shares[b])).unwrap();
        assert_eq!(cells[0], ["low", "mid", "top"][best], "{line}");
        right += usize::from(truth.ends_with(cells[0]));
    }
    assert!(right >= 54, "columns are matched by name: {right} of 60 right");
    // The file has the target too, in another order of columns, and goes to a file.
    assert_eq!(good(folder.path(), "predict --model m classes.csv --device cpu --out p.csv"), "");
    assert_eq!(fs::read_to_string(folder.path().join("p.csv")).unwrap(), out);

    good(folder.path(), &format!("train numbers.csv {settings} --out n"));
    let out = good(folder.path(), "predict --model n new.csv");
    let truth = fs::read_to_string(folder.path().join("numbers.csv")).unwrap();
    assert_eq!((out.lines().count(), out.lines().next()), (61, Some("z")));
    for (value, truth) in out.lines().zip(truth.lines()).skip(1) {
        let number = |text: &str| text.rsplit(',').next().unwrap().parse::<f64>().unwrap();
        assert!((number(value) - number(truth)).abs() < 0.3, "{value} for {truth}"); // values go from -1.4 to 2.9
    }
}

#[test]
fn integers_are_numbers_when_asked_and_test_rows_may_come_from_a_file() {
    let folder = folder();
    let rows: String = (0..50).map(|i| format!("{i},{}\n", 3 * i)).collect();
    fs::write(folder.path().join("i.csv"), format!("x,y\n{rows}")).unwrap();
    let said = bad(folder.path(), "train i.csv --epochs 1", 1);
    assert!(
        said.starts_with("i.csv: too few rows to hold out 20 % for a test: 50 rows of 1 feature, 50 classes of y"),
        "{said}"
    );
    assert!(said.contains("--regression takes these integers as numbers"), "{said}");
    let line = "train i.csv --regression --test i.csv --target y --epochs 300 --lr 0.01 --json";
    let json: Value = serde_json::from_str(&good(folder.path(), line)).unwrap();
    assert!(json["metrics"]["r2"].as_f64().unwrap() > 0.99, "{json}");
    assert_eq!(json["rows"], serde_json::json!({"train": 50, "test": 50}));
}

#[test]
fn curves_are_drawn_as_svg() {
    let folder = folder();
    let out = good(folder.path(), "train classes.csv --epochs 3 --validation 0.2 --plot c.svg");
    assert!(out.contains("\ncurves: c.svg\n"), "{out}");
    let svg = fs::read_to_string(folder.path().join("c.svg")).unwrap();
    for word in ["<svg", "</svg>", "loss", "accuracy", "epoch", "training", "validation", "classes.csv"] {
        assert!(svg.contains(word), "{word} is not in the drawing");
    }
}

#[test]
fn bad_input_is_one_line_that_says_what_and_where() {
    let folder = folder();
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    file("ragged.csv", "x,y\n1,2\n3\n");
    file("text.csv", "x,y\n1,2.5\noops,3.5\n2,1.5\n");
    file("empty.csv", "");
    file("header.csv", "x,y\n");
    file("nan.csv", "x,y\n1,2.5\nNaN,3.5\n");
    file("one.csv", "x,y\n1,a\n2,a\n");
    file("few.csv", "x,y\n1,a\n2,b\n");
    file("other.csv", "x,y,kind\n1,2,low\n1,2,none\n");
    file("narrow.csv", "x\n1\n");
    file("wide.csv", "x,y,w\n1,2,3\n");
    good(folder.path(), "train classes.csv --epochs 1 --out m");
    let model = fs::read(folder.path().join("m")).unwrap();
    fs::write(folder.path().join("cut"), &model[..model.len() - 7]).unwrap();
    let mut damaged = model.clone();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(folder.path().join("damaged"), damaged).unwrap();
    file("foreign", "this is no model");

    // The line, its exit code, and what must be said.
    let cases = [
        ("train ragged.csv", 1, "ragged.csv:3"),
        ("train text.csv", 1, "text.csv:3:1 (x): not a number: \"oops\""),
        ("train empty.csv", 1, "empty.csv: empty file"),
        ("train header.csv", 1, "header.csv: no rows"),
        ("train nan.csv", 1, "nan.csv:3:1 (x): "),
        ("train one.csv", 1, "one.csv:2:2 (y): target has one value"),
        ("train few.csv", 1, "few.csv: too few rows to hold out 20 %"),
        ("train none.csv", 1, "none.csv: No such file"),
        ("train classes.csv --target color", 1, "classes.csv: no column of that name: given \"color\""),
        ("train classes.csv --test other.csv", 1, "other.csv:3:3 (kind): class \"none\" is not known"),
        ("train classes.csv --test new.csv", 1, "new.csv: no column of that name: given \"kind\""),
        ("train classes.csv --device abacus", 2, "device: no device called 'abacus'"),
        ("train classes.csv --hidden 0", 2, "'0' for '--hidden <UNITS>': give a whole number of at least 1"),
        ("train classes.csv --hidden 8,x", 2, "'x' for '--hidden <UNITS>'"),
        ("train classes.csv --lr nan", 2, "'nan' for '--lr <X>': give a positive number"),
        ("train classes.csv --epochs 0", 2, "'0' for '--epochs <N>'"),
        ("train classes.csv --batch-size -1", 2, "'-1' for '--batch-size <N>': give a whole number"),
        ("train classes.csv --seed x", 2, "'x' for '--seed <N>'"),
        ("train classes.csv --validation 1", 2, "'1' for '--validation <SHARE>'"),
        ("train classes.csv --model nosuch", 2, "--model nosuch: no such model; there are mlp, "),
        ("train classes.csv --colour", 2, "unexpected argument '--colour'"),
        ("train", 2, "required arguments were not provided: <DATA>"),
        ("fly", 2, "unrecognized subcommand 'fly'"),
        ("train digits --target x", 2, "digits has its own target"),
        ("train classes.csv --regression", 1, "classes.csv:2:3 (kind): column of text where numbers are needed"),
        ("train classes.csv --out no/m", 1, "no/m: its folder does not exist"),
        ("train classes.csv --plot no/p.svg", 1, "no/p.svg: its folder does not exist"),
        ("train classes.csv --out .", 1, ".: is a folder"),
        ("train classes.csv --out classes.csv", 2, "--out classes.csv would overwrite the input"),
        ("train classes.csv --out a --plot a", 2, "--plot a is where the model goes"),
        ("train classes.csv --resume cut", 1, "cut: "),
        (
            "predict --model m narrow.csv",
            1,
            "narrow.csv: other columns than the model's: 1 features given, 2 expected; missing \"y\"",
        ),
        (
            "predict --model m wide.csv",
            1,
            "wide.csv: other columns than the model's: 3 features given, 2 expected; not known to the model \"w\"",
        ),
        ("predict --model m nan.csv", 1, "nan.csv:3:1 (x): "),
        ("predict --model m none.csv", 1, "none.csv: No such file"),
        ("predict --model none new.csv", 1, "none: No such file"),
        ("predict --model cut new.csv", 1, "cut: "),
        ("predict --model damaged new.csv", 1, "damaged: "),
        ("predict --model foreign new.csv", 1, "foreign: "),
        ("predict --model m new.csv --out m", 2, "--out m would overwrite the input"),
        ("predict new.csv", 2, "required arguments were not provided: --model <FILE>"),
        ("doctor --ops nosuch", 2, "--ops nosuch: no operation's name contains that"),
        ("doctor --device abacus", 2, "device: no device called 'abacus'"),
        ("bench --only nosuch", 2, "--only nosuch: no case's name contains that"),
        ("bench --json no/f.json", 1, "no/f.json: its folder does not exist"),
    ];
    let inputs: Vec<String> = names(folder.path());
    for (line, code, what) in cases {
        let said = bad(folder.path(), line, code);
        assert!(said.contains(what), "{line}: {said}");
        assert_eq!(names(folder.path()), inputs, "{line}: leaves a file");
        if (line.starts_with("train ") || line.starts_with("predict ")) && !line.contains("--out") {
            file("old", "the old content");
            bad(folder.path(), &format!("{line} --out old"), code);
            assert_eq!(fs::read_to_string(folder.path().join("old")).unwrap(), "the old content", "{line}");
            fs::remove_file(folder.path().join("old")).unwrap();
        }
    }
    assert!(fs::read(folder.path().join("m")).unwrap() == model);
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_run_that_diverges_says_where_and_leaves_the_old_file() {
    let folder = folder();
    fs::write(folder.path().join("old"), "the old content").unwrap();
    let output = run(folder.path(), "train numbers.csv --lr 1e30 --epochs 50 --device cpu --out old");
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{said}");
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(
        errors.len() == 1 && errors[0].contains("in epoch") && errors[0].contains("lower the learning rate"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(folder.path().join("old")).unwrap(), "the old content");
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = folder();
    for line in ["devices", "--help", "doctor --device cpu --ops exp", "train classes.csv --epochs 1 --json"] {
        let mut child = tilework(folder.path())
            .args(line.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{line}: {said}");
        assert!(!said.contains("panicked") && !said.contains("error"), "{line}: {said}");
    }
}

#[test]
fn devices_are_listed_with_what_auto_takes() {
    let folder = folder();
    let out = good(folder.path(), "devices");
    assert!(out.lines().any(|line| line.starts_with("0  cpu (")), "{out}");
    assert!(out.lines().last().unwrap().starts_with("auto takes "), "{out}");
    let output = tilework(folder.path()).arg("devices").env("TILEWORK_DEVICE", "cpu").output().unwrap();
    assert!(text(&output.stdout).trim_end().ends_with(": TILEWORK_DEVICE=cpu"), "{}", text(&output.stdout));
}

#[test]
fn doctor_prints_a_row_for_each_operation() {
    let folder = folder();
    let out = good(folder.path(), "doctor --device cpu --ops softmax,norm");
    let rows: Vec<&str> = out.lines().filter(|line| line.ends_with("ok")).collect();
    assert!(rows.len() >= 2 && rows.iter().all(|row| row.contains("softmax") || row.contains("norm")), "{out}");
    assert!(out.contains("all within bounds; worst "), "{out}");
}

#[test]
fn bench_measures_what_it_found_right() {
    let folder = folder();
    let out = good(folder.path(), "bench --device cpu --only 256³ --json f.json --markdown f.md --plot f.svg");
    assert!(out.contains("GFLOP/s") && !out.contains("WRONG") && out.contains("the automatic choice costs"), "{out}");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("f.md").contains("| matmul 256³ | 0 |") && read("f.svg").contains("GFLOP/s"));
    let json: Value = serde_json::from_str(&fs::read_to_string(folder.path().join("f.json")).unwrap()).unwrap();
    let result = &json["results"][0];
    assert_eq!((&result["case"], &json["devices"][0]["kind"]), (&"matmul 256³".into(), &"cpu".into()));
    let steady = &result["seconds"]["steady"];
    let (seconds, rate) = (steady["median"].as_f64().unwrap(), result["figure"]["value"].as_f64().unwrap());
    assert!((rate * seconds - 2e-9 * 256f64.powi(3)).abs() < 1e-9, "{result}");
    assert!(steady["samples"].as_u64().unwrap() >= 7, "{result}");
}

#[test]
fn a_new_process_is_timed_to_its_first_results() {
    let folder = folder();
    let out = good(folder.path(), "bench --startup --device cpu");
    let rows: Vec<&str> = out.lines().filter(|line| line.starts_with("cpu (")).collect();
    assert!(rows.len() == 2 && rows[0].contains("  none ") && rows[1].contains("  warm "), "{out}");
    assert!(rows.iter().all(|row| row.matches(" ms").count() + row.matches(" s").count() >= 3), "{out}");
}

#[test]
fn help_has_examples_and_version_a_number() {
    let folder = folder();
    assert!(good(folder.path(), "--version").starts_with(concat!("tilework ", env!("CARGO_PKG_VERSION"))));
    for command in ["", "train", "predict", "evaluate", "explain", "compare", "doctor", "bench"] {
        let out = good(folder.path(), &format!("{command} --help"));
        assert!(out.contains("Examples:\n  tilework"), "{command}: {out}");
    }
}
