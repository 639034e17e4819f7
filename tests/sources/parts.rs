//! Parquet files that are never whole in memory, against the same files as tables.

use arrow_array::types::Int32Type;
use arrow_array::*;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tilework::data::{ReadOptions, Stream, Table, Values};
use tilework::models::Row;
use tilework::models::prepare::{Outcome, Pipeline};

const ROWS: usize = 1000;

/// Numbers, numbers with gaps, texts, categories, truth values and dates, in row groups of so many rows.
fn written(path: &Path, group: usize, rows: usize) {
    let each = |period: usize| (0..rows).map(move |i| (i % period != 1).then_some(i % period));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("row", Arc::new(Int32Array::from_iter_values((0..rows).map(|i| i as i32)))),
        ("gaps", Arc::new(each(7).map(|v| v.map(|v| v as f64 / 4.0)).collect::<Float64Array>())),
        ("word", Arc::new(each(5).map(|v| v.map(|v| "x".repeat(v))).collect::<StringArray>())),
        ("class", Arc::new(each(3).map(|v| v.map(|v| ["a", "b", "c"][v])).collect::<DictionaryArray<Int32Type>>())),
        ("truth", Arc::new(each(2).map(|v| Some(v.is_some())).collect::<BooleanArray>())),
        ("day", Arc::new(each(11).map(|v| v.map(|v| v as i32)).collect::<Date32Array>())),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    let mut out = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    out.write(&batch).unwrap();
    out.close().unwrap();
}

fn file(group: usize) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    written(&path, group, ROWS);
    (folder, path)
}

fn csv(tables: &[Table]) -> String {
    let mut out = String::new();
    for (i, table) in tables.iter().enumerate() {
        let mut bytes = Vec::new();
        table.write_csv(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        out += if i == 0 { &text } else { text.split_once('\n').unwrap().1 };
    }
    out
}

fn rows_of(table: &Table) -> Vec<f64> {
    match &table.column("row").unwrap().values {
        Values::Numbers(values) => values.clone(),
        Values::Text(_) => panic!("text"),
    }
}

#[test]
fn parts_are_the_table_cut_whatever_the_row_groups() {
    for group in [ROWS, 300, 1] {
        let (_folder, path) = file(group);
        for options in [ReadOptions::lenient(), ReadOptions::lenient().without(["word", "day"])] {
            let table = Table::read(&path, &options).unwrap();
            let stream = Stream::open(&path, &options).unwrap();
            let kinds: Vec<_> = table.columns().iter().map(|c| (c.name.clone(), c.kind())).collect();
            assert_eq!((stream.rows(), stream.columns()), (ROWS, &kinds[..]));
            assert_eq!(stream.left_out(), table.left_out());
            for rows in [1, 7, 299, 300, 301, ROWS, 5 * ROWS] {
                let parts = stream.parts(rows).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
                assert!(parts.iter().all(|part| part.rows() <= rows) && parts.len() == ROWS.div_ceil(rows));
                assert_eq!(csv(&parts), csv(std::slice::from_ref(&table)), "{rows} rows of groups of {group}");
            }
        }
    }
}

#[test]
fn rows_are_taken_and_left_out_by_their_place_in_the_file() {
    let (_folder, path) = file(300);
    let stream = Stream::open(&path, &ReadOptions::lenient()).unwrap();
    assert_eq!(rows_of(&stream.select(&[0, 299, 300, 999]).unwrap()), [0.0, 299.0, 300.0, 999.0]);
    let drawn = stream.draw(100, 1);
    let rest = stream.without(&drawn).unwrap();
    let parts = rest.parts(64).unwrap().map(|part| rows_of(&part.unwrap())).collect::<Vec<_>>().concat();
    let expected = (0..ROWS).filter(|row| drawn.binary_search(row).is_err()).map(|row| row as f64);
    assert_eq!(parts, expected.collect::<Vec<_>>());
}

#[test]
fn a_cell_that_cannot_be_used_is_named_with_its_row_in_the_file() {
    let (_folder, path) = file(300);
    let strict = ReadOptions::default().only(["row", "gaps"]);
    let text = Stream::open(&path, &strict).unwrap_err().to_string();
    assert!(text.starts_with(&format!("{}:2:2 (gaps): missing value", path.display())), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let mut values = vec![1.0; ROWS];
    values[777] = f64::INFINITY;
    let batch = RecordBatch::try_from_iter([("x", Arc::new(Float64Array::from(values)) as ArrayRef)]).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(300)).build();
    let mut out = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
    out.write(&batch).unwrap();
    out.close().unwrap();
    let text = Stream::open(&path, &ReadOptions::lenient()).unwrap_err().to_string();
    assert!(text.starts_with(&format!("{}:778:1 (x): infinite value", path.display())), "{text}");
}

#[test]
fn a_file_that_is_written_to_between_passes_is_refused() {
    let (_folder, path) = file(300);
    let options = ReadOptions::lenient();
    let stream = Stream::open(&path, &options).unwrap();
    for rows in [ROWS - 1, ROWS + 1, 10] {
        written(&path, 300, rows);
        let parts = stream.parts(64).unwrap().collect::<Result<Vec<_>, _>>();
        let text = parts.unwrap_err().to_string();
        assert!(text.contains("the file changed while it was read"), "{rows} rows: {text}");
    }
    std::fs::copy("tests/data/files/iris.parquet", &path).unwrap();
    let text = stream.parts(64).map(|_| ()).unwrap_err().to_string();
    assert!(text.contains("the file changed while it was read"), "{text}");
}

#[test]
fn a_model_of_a_parquet_file_is_that_of_the_same_csv_file() {
    let learnt = |path: &str| {
        let stream = Stream::open(path, &ReadOptions::lenient()).unwrap();
        let sample = Pipeline::sample(&stream, 0).unwrap();
        let plan = Pipeline::auto(&sample, None, Row::named("logistic-regression").unwrap()).unwrap();
        let pipeline = plan.pipeline.set("solver", "stochastic".into()).unwrap();
        let fitted = pipeline.fit_stream(&stream, &sample, None, Some(&tilework::Device::cpu())).unwrap();
        let table = Table::read(path, &fitted.read_options()).unwrap();
        (fitted.predict(&table).unwrap(), fitted.predict_proba(&table).unwrap())
    };
    let (csv, parquet) = (learnt("tests/data/iris.csv"), learnt("tests/data/files/iris.parquet"));
    assert_eq!(csv, parquet);
    assert!(matches!(csv.0, Outcome::Classes(classes) if classes.len() == 150));
}
