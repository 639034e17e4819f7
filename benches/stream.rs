//! The peak memory of training on files that are larger and larger: each is made on the fly, learnt from by a process of its own
//! and deleted. Linux only, which tells a process its peak.
//! `cargo bench --bench stream`, or with sizes in GB: `cargo bench --bench stream -- 0.05 0.5`

mod common;

use common::normal;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use tilework::data::{ReadOptions, Stream};
use tilework::models::prepare::{Outcome, Pipeline};
use tilework::models::{Answers, Row};
use tilework::{Device, rng};

const FEATURES: u64 = 20;

/// Rows of which a file is made, in an order without end.
const DISTINCT: u64 = 1 << 14;

fn row(i: u64) -> String {
    let x = |j: u64| normal(1, i * FEATURES + j);
    let score: f64 = (0..FEATURES).map(|j| x(j) * if j < 5 { 1.0 } else { 0.1 }).sum();
    let mut text = String::new();
    (0..FEATURES).for_each(|j| write!(text, "{:.6},", x(j)).expect("memory"));
    text + if score + normal(2, i) > 0.0 { "yes\n" } else { "no\n" }
}

fn write(path: &Path, bytes: usize) {
    let rows: Vec<String> = (0..DISTINCT).map(row).collect();
    let mut out = BufWriter::new(File::create(path).expect("a file"));
    let header = (0..FEATURES).map(|j| format!("x{j},")).collect::<String>() + "answer\n";
    out.write_all(header.as_bytes()).expect("room on the disk");
    let mut written = header.len();
    for i in 0.. {
        let row = &rows[rng::word(3, 0, i) as usize % rows.len()];
        written += row.len();
        if written > bytes {
            break;
        }
        out.write_all(row.as_bytes()).expect("room on the disk");
    }
    out.flush().expect("room on the disk");
}

/// Trains a logistic regression, in one pass after those that look at the data, and says what it took.
fn train(path: &str) {
    let start = Instant::now();
    let stream = Stream::open(path, &ReadOptions::lenient()).expect("a good file");
    let sample = Pipeline::sample(&stream, 0).expect("a sample");
    let plan = Pipeline::auto(&sample, None, Row::named("logistic-regression").expect("a model")).expect("a plan");
    let set = |pipeline: Pipeline, name, value| pipeline.set(name, value).expect("a setting");
    let pipeline = set(set(plan.pipeline, "solver", "stochastic".into()), "batches.epochs", 1.into());
    let fitted = pipeline.fit_stream(&stream, &sample, None, Some(&Device::cpu())).expect("a fit");
    let right = match (fitted.predict(&sample), fitted.frame(&sample).map(|frame| frame.answers)) {
        (Ok(Outcome::Classes(found)), Ok(Answers::Labels(known, _))) => {
            found.iter().zip(known).filter(|(found, known)| (*found == "yes") == (*known == 1)).count()
        }
        _ => 0,
    };
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or(" unknown").trim();
    let (rows, share) = (stream.rows(), right as f64 / sample.rows() as f64);
    println!("{rows} rows in {:.0} s, accuracy {share:.3}, peak {peak}", start.elapsed().as_secs_f64());
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|text| text != "--bench").collect();
    if let [word, path] = &arguments[..]
        && word == "train"
    {
        return train(path);
    }
    let given: Vec<f64> = arguments.iter().filter_map(|text| text.parse().ok()).collect();
    for size in if given.is_empty() { vec![0.05, 0.5, 5.0] } else { given } {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let path = folder.path().join("rows.csv");
        write(&path, (size * 1e9) as usize);
        print!("{size} GB: ");
        std::io::stdout().flush().expect("a terminal");
        let own = std::env::current_exe().expect("this program");
        assert!(Command::new(own).arg("train").arg(&path).status().expect("a process").success());
    }
}
