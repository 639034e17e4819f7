//! Tables as users read, make, cut and write them.

use super::{Chosen, Column, Dataset, Kind, MissingCells, ReadOptions, Stream, Table, Values};

fn read(text: &str, options: &ReadOptions) -> Table {
    Table::parse_csv_with(text.as_bytes(), "t.csv", options).unwrap_or_else(|e| panic!("{e}"))
}

fn error(text: &str, options: &ReadOptions) -> String {
    Table::parse_csv_with(text.as_bytes(), "t.csv", options).unwrap_err().to_string()
}

fn keep() -> ReadOptions {
    ReadOptions { missing: MissingCells::Keep, ..ReadOptions::default() }
}

#[test]
fn missing_cells_are_kept_on_demand() {
    let table = read("n,t\n1,a\nNA,null\n,b\n2.5,\n", &keep());
    let Values::Numbers(n) = &table.columns()[0].values else { panic!("text") };
    assert_eq!((n[0], n[1].is_nan(), n[2].is_nan(), n[3]), (1.0, true, true, 2.5));
    assert_eq!(table.columns()[1].values, Column::text("", ["a", "", "b", ""]).values);
    assert_eq!((table.columns()[0].missing(), table.columns()[1].missing()), (2, 2));
    assert_eq!(table.drop_missing_rows(&["n"]).unwrap().rows(), 2);
    assert_eq!(table.drop_missing_columns(0.4).columns().len(), 0);
    assert_eq!(table.drop_missing_columns(0.5).columns().len(), 2);
}

/// pandas writes the labels of its rows before the others, without a name, unless it is told not to.
#[test]
fn a_column_without_a_name_can_be_left_out() {
    let text = ",a,b\n0,1,2\n1,3,4\n";
    for options in [keep().without([""]), keep().only(["a", "b"])] {
        let table = read(text, &options);
        assert_eq!(table.columns(), [Column::numbers("a", [1.0, 3.0]), Column::numbers("b", [2.0, 4.0])]);
        assert_eq!(table.left_out(), [""]);
    }
    assert!(error(text, &keep()).contains("pandas: index=False"));
    assert!(error(text, &keep().without(["a"])).contains("column without a name"));
    assert!(error(",a,\n0,1,2\n", &keep().without([""])).contains("t.csv:1:3 (): column without a name"));
}

#[test]
fn what_is_wrong_in_a_cell_stays_an_error_where_missing_ones_are_kept() {
    for (text, begin) in [
        ("a,b\n1,\ninf,2\n", "t.csv:3:1 (a): infinite value: given \"inf\""),
        ("a,b\n,2\n1e400,2\n", "t.csv:3:1 (a): number too large: given \"1e400\""),
        ("a,b\n,2\n\"1,5\",2\n", "t.csv:3:1 (a): comma in a number: given \"1,5\""),
        (
            "a,b\n1,2\n2,\n?,4\n",
            "t.csv:4:1 (a): not a number: \"?\" in a column of numbers; correct it, read it as missing",
        ),
        ("a,b\n1\n", "t.csv:2: row of another length"),
    ] {
        let message = error(text, &keep());
        assert!(message.starts_with(begin), "{text:?} gave {message}");
    }
    assert_eq!(read("a,b\n1,2\n2,\n?,4\n", &keep().marker("?")).columns()[0].missing(), 1);
}

#[test]
fn the_separator_is_found_in_the_header() {
    for separator in [',', ';', '\t', '|'] {
        let text = ["a,b", "1,\"x;y\"", "2,z"]
            .join("\n")
            .replacen(',', &separator.to_string(), 2)
            .replace("2,", &format!("2{separator}"));
        let table = read(&text, &ReadOptions { separator: None, ..ReadOptions::default() });
        assert_eq!(table.columns()[1].values, Column::text("", ["x;y", "z"]).values, "{text:?}");
    }
    let text = error("a;b\n1;\"2\n", &ReadOptions { separator: Some(';'), ..ReadOptions::default() });
    assert!(text.starts_with("t.csv:2:2: quote never closed"), "{text}");
    let text = error("a\n1\n", &ReadOptions { separator: Some('é'), ..ReadOptions::default() });
    assert!(text.starts_with("t.csv: separator 'é'"), "{text}");
}

#[test]
fn each_column_has_the_kind_of_its_cells() {
    let text = "n,i,b,d,t\n1.5,1,Yes,2024-01-02,x\n,,,,\n2,3,no,2024-01-03 10:00,7\n";
    let table = read(text, &keep());
    let kinds: Vec<Kind> = table.columns().iter().map(Column::kind).collect();
    assert_eq!(kinds, [Kind::Number, Kind::Integer, Kind::Boolean, Kind::Date, Kind::Text]);
    assert_eq!(table.names_of(&[Kind::Integer, Kind::Number]), ["n", "i"]);
}

#[test]
fn columns_are_chosen_by_name_and_the_others_are_not_looked_at() {
    let text = b"id,a,b\n\xff,1,x\n\xfe,,y\n";
    let of = |options: &ReadOptions| Table::parse_csv_with(&text[..], "t.csv", options);
    let names = |table: &Table| table.columns().iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    assert!(of(&keep()).unwrap_err().to_string().starts_with("t.csv:2:1 (id): not UTF-8"));
    let any = ReadOptions { columns: Chosen::WithoutAny(vec!["id".into(), "gone".into()]), ..keep() };
    for options in [keep().only(["b", "a"]), keep().without(["id"]), any] {
        let table = of(&options).unwrap();
        assert_eq!((names(&table), table.left_out()), (vec!["a".into(), "b".into()], &["id".to_string()][..]));
        let stream = Stream::of(move || Ok(&text[..]), "t.csv", &options).unwrap();
        assert_eq!((stream.columns().len(), stream.left_out()), (2, table.left_out()));
        let part = stream.parts(2).unwrap().next().unwrap().unwrap();
        assert_eq!((part.column("b").unwrap(), part.left_out()), (table.column("b").unwrap(), table.left_out()));
    }
    let text = of(&keep().only(["b"]).kind("a", Kind::Number)).unwrap();
    assert_eq!((names(&text), text.column("a").is_err()), (vec!["b".to_string()], true));
    let said = |options: &ReadOptions| of(options).unwrap_err().to_string();
    assert_eq!(
        said(&keep().only(["a", "x"])),
        "t.csv: no column of that name: given \"x\"; the file has \"id\", \"a\", \"b\""
    );
    assert!(said(&keep().without(["ID"])).starts_with("t.csv: no column of that name: given \"ID\""));
    assert!(said(&keep().only([""; 0])).starts_with("t.csv: no column is chosen"));
    assert!(said(&keep().without(["id", "a", "b"])).starts_with("t.csv: no column is chosen"));
    assert!(said(&ReadOptions::default().without(["id"])).starts_with("t.csv:3:2 (a): missing value"));
}

#[test]
fn of_many_columns_an_error_names_those_that_are_like_what_was_given() {
    let header = (0..40).map(|i| format!("x{i}")).chain(["price_total".into()]).collect::<Vec<_>>().join(",");
    let text = format!("{header}\n{}\n", vec!["1"; 41].join(","));
    let said = error(&text, &keep().only(["Price"]));
    assert_eq!(said.split("has ").nth(1).unwrap().split(',').next(), Some("\"price_total\""), "{said}");
    assert!(said.ends_with(" and 31 more"), "{said}");
}

#[test]
fn a_data_set_passes_over_what_was_left_out() {
    let table = read("id,x,y\n7,1,a\n8,2,b\n", &ReadOptions::default().without(["id"]));
    let data = Dataset::from_table(&table, None).unwrap();
    let schema = data.schema();
    assert_eq!((data.width(), &schema.ignored), (1, &vec!["id".to_string()]));
    for text in ["x,y\n1,a\n", "y,id,x\na,?,1\n"] {
        let table = Table::parse_csv_with(text.as_bytes(), "t.csv", &schema.read_options()).unwrap();
        assert_eq!(schema.features_of(&table).unwrap(), [1.0]);
    }
    let whole = read("id,x,y\n7,1,a\n", &ReadOptions::default());
    assert_eq!(schema.features_of(&whole).unwrap(), [1.0]);
}

#[test]
fn a_kind_that_was_fixed_wins_over_the_look_of_the_cells() {
    let table = read("code,n\n007,x\n010,2\n", &keep().kind("code", Kind::Text).kind("gone", Kind::Text));
    assert_eq!(table.columns()[0].values, Column::text("", ["007", "010"]).values);
    let text = error("code,n\n007,x\n010,y\n", &keep().kind("n", Kind::Number));
    assert!(
        text.starts_with("t.csv:2:2 (n): not a number: \"x\" in a column of numbers; correct it or read it"),
        "{text}"
    );
}

#[test]
fn a_table_is_written_as_it_is_read() {
    let numbers = [0.1, -0.0, 1e300, 5e-324, f64::MAX, f64::NAN, 1e16];
    let texts = ["a,b", "\"", " ", "", "line\nend", "é", "x"];
    let table = Table::new("t", vec![Column::numbers("n", numbers), Column::text("t, u", texts)]).unwrap();
    let mut csv = Vec::new();
    table.write_csv(&mut csv).unwrap();
    let again = Table::parse_csv_with(csv.as_slice(), "t", &keep()).unwrap();
    let Values::Numbers(read) = &again.columns()[0].values else { panic!("text") };
    assert!(read.iter().zip(numbers).all(|(r, n)| r.to_bits() == n.to_bits() || r.is_nan() && n.is_nan()), "{read:?}");
    let trimmed: Vec<&str> = texts.iter().map(|t| t.trim()).collect();
    assert_eq!(again.columns()[1].values, Column::text("", trimmed).values);
    let one = Table::new("t", vec![Column::text("t", ["", "x"])]).unwrap();
    let mut csv = Vec::new();
    one.write_csv(&mut csv).unwrap();
    assert_eq!(Table::parse_csv_with(csv.as_slice(), "t", &keep()).unwrap().columns(), one.columns());
}

#[test]
fn tables_that_do_not_fit_together_are_refused() {
    let error = |columns| Table::new("t", columns).unwrap_err().to_string();
    assert!(error(vec![]).starts_with("t: no columns"));
    assert!(error(vec![Column::numbers("a", [1.0]), Column::numbers("b", [1.0, 2.0])]).contains("2 cells"));
    assert!(error(vec![Column::numbers("a", [1.0]), Column::numbers("a", [1.0])]).contains("used twice"));
    assert!(error(vec![Column::numbers("a", [0.0, f64::INFINITY])]).starts_with("t:2:1 (a): infinite value"));
    let table = Table::of_matrix("t", &[[1.0, 2.0], [3.0, 4.0]], &["a".into(), "b".into()]).unwrap();
    assert!(
        table.select(&[2]).is_err() && table.with_columns(&["c"]).is_err() && table.without_columns(&["c"]).is_err()
    );
    assert_eq!(table.with_columns(&["b"]).unwrap(), table.without_columns(&["a"]).unwrap());
    assert!(Table::of_matrix("t", &[[1.0]], &[]).is_err());
}

#[test]
fn a_missing_value_is_named_by_the_network_that_cannot_take_it() {
    let table = read("x,y\n1,a\n,b\n", &keep());
    let text = super::Dataset::from_table(&table, None).unwrap_err().to_string();
    assert!(text.starts_with("t.csv:3:1 (x): missing value"), "{text}");
    let text = super::Dataset::from_table(&read("x,y\n1,a\n2,\n", &keep()), None).unwrap_err().to_string();
    assert!(text.starts_with("t.csv:3:2 (y): target is missing"), "{text}");
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_read() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(Table::MAX_BYTES + 1).unwrap(); // a hole, which takes no space
    let text = Table::read_csv(file.path()).unwrap_err().to_string();
    assert!(text.contains(": too large: more than 2147483648 bytes; split the file or read it as a Stream"), "{text}");
}
