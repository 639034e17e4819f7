//! What a stream takes of memory, whatever the number of rows.

use super::{folder, text};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Two numbers that differ from row to row, and a class of one of them.
fn row(i: usize) -> (usize, usize, &'static str) {
    (i % 97, (i * 31) % 89, if i % 97 > 40 { "yes" } else { "no" })
}

fn csv(path: &Path, rows: usize) {
    let lines: String = (0..rows).map(row).map(|(a, b, c)| format!("{a},{b},{c}\n")).collect();
    fs::write(path, format!("a,b,c\n{lines}")).unwrap();
}

#[cfg(feature = "parquet")]
fn batch(rows: usize) -> arrow_array::RecordBatch {
    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use std::sync::Arc;
    let number = |of: fn(usize) -> usize| Arc::new((0..rows).map(|i| Some(of(i) as i64)).collect::<Int64Array>());
    let columns: [(&str, ArrayRef); 3] = [
        ("a", number(|i| row(i).0)),
        ("b", number(|i| row(i).1)),
        ("c", Arc::new((0..rows).map(|i| Some(row(i).2)).collect::<StringArray>())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// All rows in one group.
#[cfg(feature = "parquet")]
fn parquet(path: &Path, rows: usize) {
    let batch = batch(rows);
    let mut out = parquet::arrow::ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    out.write(&batch).unwrap();
    out.close().unwrap();
}

/// Batches of as many rows as are read at once.
#[cfg(feature = "parquet")]
fn arrow(path: &Path, rows: usize) {
    let whole = batch(rows);
    let mut out = arrow_ipc::writer::FileWriter::try_new(fs::File::create(path).unwrap(), &whole.schema()).unwrap();
    for start in (0..rows).step_by(8192) {
        out.write(&whole.slice(start, 8192.min(rows - start))).unwrap();
    }
    out.finish().unwrap();
}

/// The most memory of a training run, kB.
fn peak(write: fn(&Path, usize), name: &str, rows: usize) -> usize {
    let folder = folder();
    write(&folder.path().join(name), rows);
    csv(&folder.path().join("few.csv"), 90);
    let line = format!(
        "train {name} --test few.csv --model logistic --stream --json --device cpu --out m \
         --set batches.epochs=1,batches.batch_size=4096,batches.learning_rate=0.3"
    );
    let mut child = Command::new(env!("CARGO_BIN_EXE_tilework"))
        .args(line.split_whitespace())
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak = kib.map_or(peak, |kib| kib.trim().parse::<usize>().unwrap());
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let out = child.wait_with_output().unwrap();
    let out: Value = serde_json::from_str(text(&out.stdout)).unwrap();
    assert_eq!(out["rows"]["train"], rows);
    assert!(out["metrics"]["accuracy"].as_f64().unwrap() > 0.9, "{out}");
    peak
}

/// More rows than the sample that the preparation is learnt from.
fn is_flat(write: fn(&Path, usize), name: &str) {
    let (one, eight) = (peak(write, name, 60_000), peak(write, name, 480_000));
    // In memory, 420,000 more rows of two numbers and a text would take over 16 MB.
    assert!(eight < one + 6 * 1024, "{name}: {one} kB, then {eight} kB");
}

#[test]
fn a_stream_of_eight_times_the_rows_takes_no_more_memory() {
    is_flat(csv, "long.csv");
    #[cfg(feature = "parquet")]
    is_flat(parquet, "long.parquet");
    #[cfg(feature = "parquet")]
    is_flat(arrow, "long.arrow");
}
