//! NumPy's archives, as `tests/data/golden_files.py` wrote them.

use proptest::prelude::*;
use std::fs;
use tilework::data::{Column, Dataset, Kind, ReadOptions, Stream, Table, Target, Task, Values};
use tilework::io::{FileType, Npz};
use tilework::{DType, Device, Tensor};

const FOLDER: &str = "tests/data/files";

fn bytes(name: &str) -> Vec<u8> {
    fs::read(format!("{FOLDER}/{name}")).unwrap()
}

fn open(name: &str) -> Npz {
    Npz::parse(bytes(name), name).unwrap()
}

fn names(table: &Table) -> Vec<&str> {
    table.columns().iter().map(|column| column.name.as_str()).collect()
}

#[test]
fn arrays_of_every_type_are_what_numpy_saved() {
    let npz = open("kinds.npz");
    let array = |name: &str| npz.array(name).unwrap();
    assert_eq!(array("doubles").to_doubles().unwrap(), [0.1, -1e300]);
    assert_eq!(array("singles").to_vec::<f32>().unwrap(), [0.1, 2.5]);
    assert_eq!(array("halves").to_matrix().unwrap(), ndarray::array![[1.5], [-0.25]]);
    assert_eq!(array("bytes").to_vec::<u32>().unwrap(), [0, 255]);
    assert_eq!(array("wide").to_vec::<i32>().unwrap(), [-7, i32::MAX]);
    assert_eq!(array("swapped").to_vec::<i32>().unwrap(), [1, 2, 3, 4]);
    assert_eq!(array("columns").to_matrix().unwrap(), ndarray::array![[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(array("truth").dtype(), FileType::Device(DType::Bool));
    assert_eq!(npz.texts("words").unwrap(), ["é\u{1f33b}", ""]);
    assert_eq!(npz.texts("bytes_of_text").unwrap(), ["ab", "c"]);
    let tensor: Tensor = array("singles").tensor(&Device::cpu()).unwrap();
    assert_eq!(tensor.to_vec::<f32>().unwrap(), [0.1, 2.5]);
    assert_eq!(array("cube").shape().dims(), [2, 2, 2]);
    assert_eq!(
        names(&Table::of_npz(&npz, &["cube", "words"]).unwrap()),
        ["cube_0", "cube_1", "cube_2", "cube_3", "words"]
    );
}

#[test]
fn stored_and_deflated_archives_are_the_same_table_with_the_target_last() {
    let read = |name: &str| Table::read(format!("{FOLDER}/{name}"), &ReadOptions::default()).unwrap();
    let (stored, deflated) = (read("flowers.npz"), read("flowers_deflated.npz"));
    assert_eq!(names(&stored), ["X_0", "X_1", "y", "size"]);
    // It was saved as y, X, size and a single value.
    assert_eq!(names(&deflated), names(&stored));
    assert_eq!(deflated.columns(), stored.columns());
    assert_eq!(stored.columns()[1], Column::numbers("X_1", [3.5, 3.0, 3.2, 3.1, 3.3, 2.75]));
    assert_eq!((stored.columns()[2].kind(), stored.columns()[3].kind()), (Kind::Text, Kind::Integer));
    let data = Dataset::from_table(&Table::of_npz(&open("flowers_deflated.npz"), &["X", "y"]).unwrap(), None).unwrap();
    let classes = ["setosa", "versicolor", "virginica"].map(String::from).to_vec();
    assert_eq!((data.width(), &data.schema().task), (2, &Task::Classes(classes)));
    assert_eq!(data.target(), &Target::Labels(vec![0, 0, 1, 1, 2, 2]));
}

#[test]
fn columns_become_the_kinds_that_a_model_knows_them_as() {
    let read = |options: ReadOptions| Table::read(format!("{FOLDER}/flowers.npz"), &options);
    let table = read(ReadOptions::default().kind("size", Kind::Text)).unwrap();
    assert_eq!(table.column("size").unwrap().values, Column::text("", [1, -2, 3, 4, 5, 6]).values);
    let text = read(ReadOptions::default().kind("y", Kind::Number)).unwrap_err().to_string();
    let expected = "flowers.npz:1:3 (y): not a number: \"setosa\" in a column of numbers; correct it or remove the row \
                    (5 more cells like it)";
    assert!(text.ends_with(expected), "{text}");
    let table = read(ReadOptions::default().without(["X_0"])).unwrap();
    assert_eq!((names(&table), table.left_out()), (vec!["X_1", "y", "size"], &["X_0".to_owned()][..]));
}

#[test]
fn missing_and_infinite_numbers_are_kept_or_named_as_in_csv() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.npz");
    let write = |values: &[f64]| fs::write(&path, stored(&[("a", &npy("<f8", "(3,)", values))])).unwrap();
    write(&[1.0, f64::NAN, f64::NAN]);
    let error = |options: &ReadOptions| Table::read(&path, options).unwrap_err().to_string();
    let text = error(&ReadOptions::default());
    assert!(
        text.ends_with("t.npz:2:1 (a): missing value; fill it in or remove the row (1 more cells like it)"),
        "{text}"
    );
    let table = Table::read(&path, &ReadOptions::lenient()).unwrap();
    assert!(matches!(&table.columns()[0].values, Values::Numbers(v) if v[0] == 1.0 && v[1].is_nan()));
    write(&[1.0, 2.0, f64::NEG_INFINITY]);
    assert!(error(&ReadOptions::lenient()).contains("t.npz:3:1 (a): infinite value"));
}

/// A `.npy` file.
fn npy(descr: &str, shape: &str, values: &[f64]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let values = values.iter().flat_map(|v| v.to_le_bytes());
    let length = (header.len() as u16).to_le_bytes();
    b"\x93NUMPY\x01\x00".iter().copied().chain(length).chain(header.bytes()).chain(values).collect()
}

#[test]
fn an_array_of_its_own_is_columns_of_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.npy");
    let read = |shape: &str, values: &[f64], options: &ReadOptions| {
        fs::write(&path, npy("<f8", shape, values)).unwrap();
        Table::read(&path, options)
    };
    let table = read("(2, 3)", &[1.0, 2.0, 3.5, 4.0, 5.0, 6.5], &ReadOptions::default()).unwrap();
    assert_eq!(names(&table), ["x0", "x1", "x2"]);
    assert_eq!(table.columns()[2], Column::numbers("x2", [3.5, 6.5]));
    let table = read("(2, 2)", &[1.0, 2.0, 3.5, 4.0], &ReadOptions::default().without(["x0"])).unwrap();
    assert_eq!((names(&table), table.left_out()), (vec!["x1"], &["x0".to_owned()][..]));
    assert_eq!(names(&read("(2,)", &[1.0, 2.0], &ReadOptions::default()).unwrap()), ["x0"]);
    let error = |shape: &str, values: &[f64]| read(shape, values, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error("()", &[1.0]).ends_with("t.npy: one value, no rows; save an array of rows"));
    assert!(error("(0, 2)", &[]).contains("t.npy: no rows: at least one is needed"));
    assert!(error("(2, 1)", &[1.0, f64::NAN]).contains("t.npy:2:1 (x0): missing value"));
    assert!(Stream::open(&path, &ReadOptions::default()).unwrap_err().to_string().contains("read whole alone"));
    let csv = folder.path().join("t.csv");
    fs::copy(&path, &csv).unwrap();
    let error = Table::read(&csv, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.ends_with("t.csv: an array of NumPy, where CSV is read; give its name the ending .npy"), "{error}");
}

/// An archive of stored arrays.
fn stored(arrays: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write;
    let mut out = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut out);
    for (name, bytes) in arrays {
        let (mut entry, config) = archive.new_file(format!("{name}.npy")).start().unwrap();
        let mut writer = config.wrap(&mut entry);
        writer.write_all(bytes).unwrap();
        let (_, descriptor) = writer.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    out
}

#[test]
fn what_is_not_there_or_not_read_is_said() {
    let npz = open("kinds.npz");
    let error = |name: &str| npz.array(name).unwrap_err().to_string();
    let text = error("X");
    let there = "kinds.npz: no array of that name: given \"X\"; the archive has \"doubles\", \"singles\", ";
    assert!(text.starts_with(there) && text.ends_with("\"truth\", \"words\", \"bytes_of_text\" and 3 more"), "{text}");
    let text = error("objects");
    let begin = "kinds.npz (objects): array of \"|O\", Python objects: a pickle may run any code and is never read";
    assert!(text.starts_with(begin), "{text}");
    assert!(error("times").starts_with("kinds.npz (times): array of \"<M8[D]\"; numbers and truth values are read"));
    assert!(error("words").starts_with("kinds.npz (words): array of text, where numbers are needed"));
    let text = npz.texts("doubles").unwrap_err().to_string();
    assert!(text.starts_with("kinds.npz (doubles): array of numbers, where text is needed"), "{text}");

    let one =
        |array: &[u8]| Npz::parse(stored(&[("a", &npy("<f8", "(2,)", &[1.0, 2.0])), ("b", array)]), "t.npz").unwrap();
    let error = |array: &[u8]| Table::of_npz(&one(array), &["a", "b"]).unwrap_err().to_string();
    for (shape, count, said) in [
        ("(3,)", 3, "t.npz: arrays of unequal rows: a has 2, b 3; save those that belong together"),
        ("()", 1, "t.npz (b): one value, no rows"),
        ("(0, 2)", 0, "t.npz (b): no rows: at least one is needed"),
        ("(0, 1099511627776, 1099511627776)", 0, "t.npz (b): no rows"),
        ("(2, 0)", 0, "t.npz (b): shape [2, 0] has no columns"),
        ("(2, 3)", 5, "t.npz (b): shape [2, 3] of \"<f8\" takes 48 bytes: only 40 follow"),
    ] {
        let text = error(&npy("<f8", shape, &vec![1.0; count]));
        assert!(text.starts_with(said), "{shape}: {text}");
    }
    let twice = stored(&[("b_0", &npy("<f8", "(2,)", &[1.0; 2])), ("b", &npy("<f8", "(2, 2)", &[1.0; 4]))]);
    let text = Table::of_npz(&Npz::parse(twice, "t.npz").unwrap(), &["b_0", "b"]).unwrap_err().to_string();
    assert!(text.starts_with("t.npz: column name \"b_0\": empty or used twice"), "{text}");
    let text = Table::of_npz(&open("kinds.npz"), &[]).unwrap_err().to_string();
    assert!(text.starts_with("kinds.npz: no arrays of rows"), "{text}");
    let text = Stream::open(format!("{FOLDER}/kinds.npz"), &ReadOptions::lenient()).unwrap_err().to_string();
    assert!(text.contains("an archive of arrays is read whole alone"), "{text}");
}

/// All arrays of an archive; the first error.
fn all(bytes: Vec<u8>) -> Result<(), tilework::Error> {
    let npz = Npz::parse(bytes, "t.npz")?;
    npz.names().iter().try_for_each(|name| match npz.texts(name) {
        Ok(_) => Ok(()),
        Err(_) => npz.array(name).map(|_| ()),
    })
}

#[test]
fn foreign_files_and_those_cut_off_anywhere_are_refused() {
    let error = |bytes: &[u8]| Npz::parse(bytes.to_vec(), "t.npz").unwrap_err().to_string();
    assert_eq!(error(b""), "t.npz: no .npz file: it is no zip archive; save it by numpy.savez");
    assert_eq!(error(b"a,b\n1,2\n"), "t.npz: no .npz file: it is no zip archive; save it by numpy.savez");
    assert!(error(&npy("<f8", "(1,)", &[1.0])).contains("it is a .npy file, of one array"));
    for name in ["flowers.npz", "flowers_deflated.npz"] {
        let good = bytes(name);
        for length in 0..good.len() {
            let text = error(&good[..length]);
            let said = text.starts_with("t.npz: no .npz file")
                || text.starts_with("t.npz: cut off")
                || text.starts_with("t.npz: damaged archive");
            assert!(said, "{length}: {text}");
        }
        assert!(all(good).is_ok());
    }
}

#[test]
fn a_byte_that_was_changed_in_an_array_is_noticed() {
    // One change makes a run of zeros out of other zeros: NumPy reads that too.
    for (name, harmless) in [("flowers.npz", vec![]), ("flowers_deflated.npz", vec![147])] {
        let good = bytes(name);
        let changed = |at: usize| {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            all(bytes)
        };
        // The first member of both: its bytes lie behind a header, and end in less than a byte.
        for at in (55..170).filter(|at| !harmless.contains(at)) {
            let text = changed(at).map_err(|e| e.to_string()).expect_err(&format!("{name}, byte {at}"));
            assert!(text.starts_with("t.npz ("), "{at}: {text}");
        }
    }
}

proptest! {
    #[test]
    fn damaged_archives_and_random_bytes_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        name in prop::sample::select(vec!["flowers.npz", "flowers_deflated.npz", "kinds.npz"]),
        random in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        let mut bytes = bytes(name);
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = all(bytes);
        let _ = all([b"PK\x03\x04", &random[..]].concat());
    }
}
