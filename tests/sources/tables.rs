//! Parquet and Arrow files, as `tests/data/golden_tables.py` wrote them, and Arrow files that are made here.

use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::*;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use proptest::prelude::*;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tilework::data::{Column, Dataset, Kind, ReadOptions, Stream, Table, Values};

const FOLDER: &str = "tests/data/files";
const WHOLE: [&str; 6] = ["snappy.parquet", "zstd.parquet", "plain.parquet", "lz4.feather", "plain.arrow", "zstd.ipc"];
const SOME: [&str; 2] = ["lz4.parquet", "gzip.parquet"];

fn read(name: &str) -> Table {
    Table::read(format!("{FOLDER}/{name}"), &ReadOptions::lenient()).unwrap()
}

fn csv(table: &Table) -> String {
    let mut out = Vec::new();
    table.write_csv(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A stream of one batch, in a file of its own.
fn stream(columns: Vec<(&str, ArrayRef)>) -> (TempDir, PathBuf) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.arrows");
    let mut out = StreamWriter::try_new(fs::File::create(&path).unwrap(), &batch.schema()).unwrap();
    out.write(&batch).unwrap();
    out.finish().unwrap();
    (folder, path)
}

fn error(path: &Path, options: &ReadOptions) -> String {
    Table::read(path, options).unwrap_err().to_string()
}

#[test]
fn a_table_is_the_same_from_every_format_and_codec_as_from_csv() {
    let expected = read("table.csv");
    let kinds = |table: &Table| table.columns().iter().map(|c| (c.name.clone(), c.kind())).collect::<Vec<_>>();
    for name in WHOLE {
        let table = read(name);
        assert_eq!(csv(&table), csv(&expected), "{name}");
        assert_eq!(kinds(&table), kinds(&expected), "{name}");
    }
    for name in SOME {
        let table = read(name);
        let names: Vec<&str> = table.columns().iter().map(|column| column.name.as_str()).collect();
        assert_eq!(csv(&table), csv(&expected.with_columns(&names).unwrap()), "{name}");
    }
    let kind = |name: &str| expected.column(name).unwrap().kind();
    assert_eq!((kind("truth"), kind("day"), kind("at_utc")), (Kind::Boolean, Kind::Date, Kind::Date));
    assert_eq!((kind("whole"), kind("money"), kind("class")), (Kind::Integer, Kind::Number, Kind::Text));
    assert_eq!(read("iris.parquet").columns(), read("iris.feather").columns());
    let iris = Dataset::from_table(&read("iris.parquet"), None).unwrap();
    assert_eq!((iris.rows(), iris.width()), (150, 4));
}

#[test]
fn columns_become_the_kinds_that_the_options_fix_and_missing_cells_are_refused_or_kept() {
    let path = Path::new(FOLDER).join("gzip.parquet");
    let table = Table::read(&path, &ReadOptions::lenient().kind("tiny", Kind::Text)).unwrap();
    assert_eq!(table.columns()[0], Column::text("tiny", ["-128", "", "127", "0", "5", "6", "7"]));
    let text = error(&path, &ReadOptions::default());
    let said = "gzip.parquet:2:1 (tiny): missing value; fill it in or remove the row (1 more cells like it)";
    assert!(text.ends_with(said), "{text}");
    let text = error(&path, &ReadOptions::lenient().kind("word", Kind::Number));
    assert!(text.contains("gzip.parquet:1:2 (word): not a number: \"é\u{1f33b}\" in a column of numbers"), "{text}");
}

#[test]
fn values_that_are_no_cells_are_named_with_their_row_and_column() {
    let whole = || Arc::new(Int32Array::from(vec![1, 2, 3])) as ArrayRef;
    for (array, said) in [
        (Arc::new(Float64Array::from(vec![1.0, f64::NAN, f64::NEG_INFINITY])) as ArrayRef, ":3:2 (b): infinite value"),
        (Arc::new(BinaryArray::from(vec![&b"a"[..], b"\xff", b"c"])), ":2:2 (b): not UTF-8"),
        (Arc::new(Date32Array::from(vec![0, 0, i32::MAX])), ":3:2 (b): date beyond the years 0000 to 9999"),
        (Arc::new(TimestampSecondArray::from(vec![i64::MIN, 0, 0])), ":1:2 (b): date beyond the years 0000 to 9999"),
        (Arc::new(Time32SecondArray::from(vec![0, 86_400, 0])), ":2:2 (b): time of day beyond 24 hours"),
        (
            Arc::new(DictionaryArray::<Int8Type>::new(
                vec![1, 0, 1].into(),
                Arc::new(BinaryArray::from(vec![&b"\xff"[..], b"c"])),
            )),
            ":2:2 (b): not UTF-8",
        ),
    ] {
        let (_folder, path) = stream(vec![("a", whole()), ("b", array)]);
        let text = error(&path, &ReadOptions::lenient());
        assert!(text.starts_with(&format!("{}{said}", path.display())), "{text}");
    }
}

#[test]
fn columns_of_more_than_a_value_a_row_are_refused_by_name_with_what_to_do() {
    let mut lists = ListBuilder::new(Int32Builder::new());
    lists.append_value([Some(1), None]);
    let records = RecordBatch::try_from_iter([("x", Arc::new(Int32Array::from(vec![1])) as ArrayRef)]).unwrap();
    let runs = RunArray::try_new(&Int32Array::from(vec![1]), &Int32Array::from(vec![7])).unwrap();
    for (array, said) in [
        (Arc::new(lists.finish()) as ArrayRef, "(b): column of lists, where each row has one value: List("),
        (Arc::new(StructArray::from(records)), "(b): column of records, where each row has one value: Struct("),
        (Arc::new(runs), "(b): column of runs"),
        (
            Arc::new(DurationSecondArray::from(vec![1])),
            "(b): column of time spans, where each row has one value: Duration(s)",
        ),
        (Arc::new(FixedSizeBinaryArray::try_from_iter([b"ab"].into_iter()).unwrap()), "(b): column of bytes"),
    ] {
        let (_folder, path) = stream(vec![("a", Arc::new(Int32Array::from(vec![1]))), ("b", array)]);
        let text = error(&path, &ReadOptions::lenient());
        assert!(text.starts_with(&format!("{} {said}", path.display())), "{text}");
        assert!(text.contains("; give each of its values a column of its own") || text.contains("; save it"), "{text}");
        let table = Table::read(&path, &ReadOptions::lenient().only(["a"])).unwrap();
        assert_eq!((table.columns(), table.left_out()), (&[Column::numbers("a", [1.0])][..], &["b".to_owned()][..]));
    }
}

#[test]
fn chosen_columns_of_every_format_are_those_of_the_whole_table() {
    for name in WHOLE {
        let (path, whole) = (format!("{FOLDER}/{name}"), read(name));
        let table = Table::read(&path, &ReadOptions::lenient().only(["money", "whole"])).unwrap();
        assert_eq!(csv(&table), csv(&whole.with_columns(&["whole", "money"]).unwrap()), "{name}");
        assert_eq!(table.columns().len() + table.left_out().len(), whole.columns().len());
        let table = Table::read(&path, &ReadOptions::lenient().without(["whole"])).unwrap();
        assert_eq!(csv(&table), csv(&whole.without_columns(&["whole"]).unwrap()), "{name}");
        let text = error(Path::new(&path), &ReadOptions::lenient().only(["hole"]));
        assert!(text.starts_with(&format!("{path}: no column of that name: given \"hole\"; the file has ")), "{text}");
    }
}

/// `df.set_index('id').to_parquet(...)` puts the labels behind the other columns, and says so.
#[test]
fn row_labels_of_pandas_are_no_columns_unless_they_are_asked_for() {
    let column = |values: Vec<i32>| Arc::new(Int32Array::from(values)) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("a", column(vec![1, 2])),
        ("y", column(vec![3, 4])),
        ("id", column(vec![70, 71])),
    ]);
    let batch = batch.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.arrows");
    let write = |about: &str| {
        let metadata = HashMap::from([("pandas".to_owned(), about.to_owned())]);
        let schema = Arc::new(batch.schema().as_ref().clone().with_metadata(metadata));
        let mut out = StreamWriter::try_new(fs::File::create(&path).unwrap(), &schema).unwrap();
        out.write(&batch.clone().with_schema(schema.clone()).unwrap()).unwrap();
        out.finish().unwrap();
    };
    let names = |options: &ReadOptions| {
        let table = Table::read(&path, options).unwrap();
        let stream = Stream::open(&path, options).unwrap();
        let names: Vec<String> = table.columns().iter().map(|column| column.name.clone()).collect();
        assert_eq!(names, stream.columns().iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
        assert_eq!(table.left_out(), stream.left_out());
        (names.join(" "), table.left_out().join(" "))
    };
    write(r#"{"index_columns": ["id"], "columns": []}"#);
    let said = |columns: &str, left_out: &str| (columns.to_owned(), left_out.to_owned());
    assert_eq!(names(&ReadOptions::lenient()), said("a y", "id"));
    assert_eq!(names(&ReadOptions::lenient().without(["id"])), said("a y", "id"));
    assert_eq!(names(&ReadOptions::lenient().without(["a"])), said("y", "a id"));
    assert_eq!(names(&ReadOptions::lenient().only(["a", "id"])), said("a id", "y"));
    for about in [r#"{"index_columns": [{"kind": "range", "start": 0, "stop": 2, "step": 1}]}"#, "{", "[]", "{}"] {
        write(about);
        assert_eq!(names(&ReadOptions::lenient()), said("a y id", ""), "{about}");
    }
}

/// `nested.parquet`: numbers, a column of lists, one of records, and text.
#[test]
fn a_parquet_file_with_nested_columns_is_read_without_them() {
    let path = Path::new(FOLDER).join("nested.parquet");
    let text = error(&path, &ReadOptions::lenient());
    assert!(
        text.contains("nested.parquet (tags): column of lists") && text.contains("`ReadOptions::columns`"),
        "{text}"
    );
    let text = error(&path, &ReadOptions::lenient().without(["tags"]));
    assert!(text.contains("nested.parquet (place): column of records"), "{text}");
    for options in [ReadOptions::lenient().only(["word", "n"]), ReadOptions::lenient().without(["tags", "place"])] {
        let table = Table::read(&path, &options).unwrap();
        assert_eq!((csv(&table), table.left_out().len()), ("n,word\n1,a\n2,\n3,c\n".to_owned(), 2));
    }
}

#[test]
fn labels_of_rows_are_left_out_and_views_and_files_of_any_alignment_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.ARROW");
    let batch = RecordBatch::try_from_iter([
        ("word", Arc::new(StringViewArray::from(vec![Some("a text beyond twelve bytes"), None])) as ArrayRef),
        ("bytes", Arc::new(BinaryViewArray::from(vec![Some(&b"a"[..]), None]))),
        ("code", Arc::new(DictionaryArray::<Int32Type>::from_iter([Some("x"), None]))),
        ("moment", Arc::new(Date64Array::from(vec![Some(86_400_000), None]))),
        ("__index_level_0__", Arc::new(Int32Array::from(vec![10, 20]))),
    ])
    .unwrap();
    let mut out = FileWriter::try_new(fs::File::create(&path).unwrap(), &batch.schema()).unwrap();
    out.write(&batch).unwrap();
    out.finish().unwrap();
    let table = Table::read(&path, &ReadOptions::lenient()).unwrap();
    assert_eq!(csv(&table), "word,bytes,code,moment\na text beyond twelve bytes,a,x,1970-01-02\n,,,\n");
}

#[test]
fn streams_give_the_rows_of_the_table() {
    for name in WHOLE {
        let (path, options) = (format!("{FOLDER}/{name}"), ReadOptions::lenient());
        let (table, stream) = (Table::read(&path, &options).unwrap(), Stream::open(&path, &options).unwrap());
        for rows in [1, 2, 100] {
            let parts = stream.parts(rows).unwrap().map(|part| csv(&part.unwrap()));
            let lines: String = parts.map(|part| part.split_once('\n').unwrap().1.to_owned()).collect();
            assert_eq!(lines, csv(&table).split_once('\n').unwrap().1, "{name}: {rows} at a time");
        }
    }
}

#[test]
fn foreign_files_and_empty_tables_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let said = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        error(&path, &ReadOptions::lenient())
    };
    for bytes in [&b""[..], b"a,b\n1,2\n", b"PK\x03\x04"] {
        assert!(said("t.parquet", bytes).contains("t.parquet: no Parquet file: it does not begin with PAR1"));
        assert!(said("t.feather", bytes).contains("t.feather: no Arrow file: it begins neither"));
    }
    assert!(said("t.feather", b"FEA1").contains("Feather's first version; save it by version 2"));
    assert!(said("t.parquet", b"PARE").contains("encrypted Parquet file"));
    let (_folder, path) = stream(vec![("a", Arc::new(Int32Array::from(Vec::<i32>::new())))]);
    assert!(error(&path, &ReadOptions::lenient()).contains("no rows"));
    let text = Table::read("no.parquet", &ReadOptions::lenient()).unwrap_err().to_string();
    assert!(text.contains("no.parquet"), "{text}");
}

#[test]
fn files_cut_off_anywhere_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["gzip.parquet", "iris.feather", "zstd.ipc"] {
        let (good, path) = (fs::read(format!("{FOLDER}/{name}")).unwrap(), folder.path().join(name));
        for length in (0..good.len()).step_by(7).chain(good.len() - 8..good.len()) {
            fs::write(&path, &good[..length]).unwrap();
            let text = error(&path, &ReadOptions::lenient());
            assert!(text.starts_with(&path.display().to_string()), "{length}: {text}");
            let text = Stream::open(&path, &ReadOptions::lenient()).unwrap_err().to_string();
            assert!(text.starts_with(&path.display().to_string()), "{length}: {text}");
        }
    }
}

#[test]
fn a_changed_byte_of_a_checked_page_is_noticed() {
    // A page's checksum stands in its header: the values of the first page lie before byte 60 of the file.
    let good = fs::read(format!("{FOLDER}/snappy.parquet")).unwrap();
    let path = tempfile::tempdir().unwrap();
    let path = path.path().join("t.parquet");
    let mut noticed = 0;
    for at in 4..104 {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, bytes).unwrap();
        noticed += usize::from(Table::read(&path, &ReadOptions::lenient()).is_err());
    }
    assert!(noticed > 80, "{noticed}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn damaged_tables_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        name in prop::sample::select([&WHOLE[..], &SOME].concat())
    ) {
        let mut bytes = fs::read(format!("{FOLDER}/{name}")).unwrap();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        if let Ok(table) = Table::read(&path, &ReadOptions::lenient()) {
            let whole = |column: &Column| matches!(&column.values, Values::Numbers(v) if v.len() == table.rows()) || column.len() == table.rows();
            prop_assert!(table.columns().iter().all(whole));
        }
        if let Ok(stream) = Stream::open(&path, &ReadOptions::lenient()) {
            let rows: usize = stream.parts(3).unwrap().map(|part| part.map_or(0, |part| part.rows())).sum();
            prop_assert_eq!(rows, stream.rows());
        }
    }
}
