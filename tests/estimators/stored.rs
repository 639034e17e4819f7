//! Files, pipelines and tables around a model.

use super::case::{Case, Data, close};
use tilework::data::{Column, Table};
use tilework::models::prepare::{FittedPipeline, Outcome, Pipeline, Step, TransformerRow};
use tilework::models::{Missing, Needs, Predicts, load, save};

pub fn saved(case: &Case) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for classes in [2, 3] {
        let mut data = case.data(40, classes, 120);
        if case.row.missing == Missing::Learnt {
            data.x[[5, 1]] = f64::NAN;
        }
        let model = case.fit(&data);
        save(&*model, &path).unwrap();
        let again = load(&path).unwrap_or_else(|e| panic!("{case}: {e}"));
        assert_eq!((again.kind(), again.width(), again.classes()), (case.row.name, 3, model.classes()));
        let [told, right] = [&again, &model].map(|model| case.says_by_row(&**model, &data.x));
        match model.movable() {
            None => assert_eq!(told, right, "{case}"),
            Some(_) => close(case, &told, &right, 1e-12), // sums over trees in another order
        }
        assert_eq!(again.influence(), model.influence(), "{case}");
    }
}

pub fn cut_short(case: &Case) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    save(&*case.fit(&case.data(30, 2, 121)), &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for cut in (0..bytes.len()).step_by(bytes.len().div_ceil(50)) {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        assert!(load(&path).is_err(), "{case} cut at {cut}");
    }
}

pub fn pipeline(case: &Case) {
    let data = case.data(40, 2, 122);
    let kind = if case.row.needs == Needs::Counts { "min-max-scaler" } else { "standard-scaler" };
    let step = Step { name: "scale".into(), kind: kind.into(), settings: Default::default() };
    let pipeline = Pipeline { settings: case.settings.clone(), ..Pipeline::raw(case.row) }.then(step);
    let fitted = pipeline.learn(&data.problem(case.row).on(&case.device)).unwrap_or_else(|e| panic!("{case}: {e}"));
    let scaler = TransformerRow::named(kind).unwrap();
    let (_, scaled) = scaler.fit(&Default::default(), &data.problem(case.row)).unwrap();
    let by_hand = case.fit(&data.with(scaled.clone()));
    close(case, &case.numbers(&fitted, &data.x), &case.numbers(&*by_hand, &scaled), 1e-12);
}

fn names() -> Vec<String> {
    ["length", "width", "height"].map(String::from).to_vec()
}

/// What the classes are called in a table.
#[derive(Clone, Copy)]
enum Called {
    Words(&'static [&'static str]),
    Numbers(&'static [f64]),
}

/// Rows with their answers, classes by name, and the pipeline of the model alone.
fn of_table(case: &Case, seed: u64, called: Called) -> (Table, Data, FittedPipeline) {
    let classes = match called {
        Called::Words(words) => words.len(),
        Called::Numbers(numbers) => numbers.len(),
    };
    let data = case.data(40, classes as u32, seed);
    let labels = data.labels.iter().map(|&label| label as usize);
    let answers = match (case.row.predicts, called) {
        (Predicts::Values, _) => Column::numbers("answer", data.values.clone()),
        (Predicts::Labels, Called::Words(words)) => Column::text("answer", labels.map(|label| words[label])),
        (Predicts::Labels, Called::Numbers(numbers)) => {
            Column::numbers("answer", labels.map(|label| numbers[label]).collect::<Vec<_>>())
        }
    };
    let columns = names().into_iter().zip(data.x.columns()).map(|(name, of)| Column::numbers(name, of.to_vec()));
    let table = Table::new("boxes", columns.chain([answers]).collect()).unwrap();
    let pipeline = Pipeline { settings: case.settings.clone(), ..Pipeline::raw(case.row) };
    let fitted = pipeline.fit(&table, Some("answer")).unwrap_or_else(|e| panic!("{case}: {e}"));
    (table, data, fitted)
}

const WORDS: Called = Called::Words(&["thin", "fat"]);

pub fn tables_are_matrices(case: &Case) {
    for classes in [Called::Words(&["a", "b"]), Called::Words(&["a", "b", "c"])] {
        let (_, data, fitted) = of_table(case, 125, classes);
        assert_eq!(case.says_by_row(&fitted, &data.x), case.says_by_row(&*case.fit(&data), &data.x), "{case}");
    }
}

pub fn columns_by_name(case: &Case) {
    let (table, data, fitted) = of_table(case, 123, WORDS);
    let turned = table.with_columns(&["height", "answer", "length", "width"]).unwrap();
    assert_eq!(fitted.predict(&turned).unwrap(), fitted.predict(&table).unwrap(), "{case}");
    let text = fitted.predict(&table.without_columns(&["width"]).unwrap()).unwrap_err().to_string();
    assert!(text.contains("missing width"), "{case}: {text}");
    let other = Table::of_matrix("boxes", &data.x, &["length", "width", "depth"].map(String::from)).unwrap();
    let text = fitted.predict(&other).unwrap_err().to_string();
    assert!(text.contains("missing height") && text.contains("not known to the model depth"), "{case}: {text}");
}

/// Classes are known by their place among their names in order, numbers by value; what is predicted are the names.
pub fn names_of_classes(case: &Case) {
    if case.row.predicts == Predicts::Values {
        return;
    }
    let cases: [(Called, &[&str], &[&str], usize); 3] = [
        (WORDS, &["thin", "fat"], &["fat", "thin"], 28),
        (Called::Words(&["one", "two", "three"]), &["one", "two", "three"], &["one", "three", "two"], 20),
        (Called::Numbers(&[10.0, -1.0]), &["10", "-1"], &["-1", "10"], 28),
    ];
    for (called, by_label, in_order, floor) in cases {
        let (table, data, fitted) = of_table(case, 124, called);
        let Outcome::Classes(names) = fitted.predict(&table).unwrap() else { panic!("{case} predicts numbers") };
        let labels = case.labels(&fitted, &data.x);
        assert_eq!(names.len(), 40, "{case}");
        assert!(names.iter().zip(&labels).all(|(name, &label)| name == in_order[label as usize]), "{case}: {names:?}");
        let right = names.iter().zip(&data.labels).filter(|(name, truth)| *name == by_label[**truth as usize]).count();
        assert!(case.row.name.starts_with("dummy") || right > floor, "{case}: {right} of 40 are right of {by_label:?}");
    }
}
