//! Files, pipelines and tables around a model.

use super::case::{Case, close};
use ndarray::Array2;
use tilework::data::{Column, Table};
use tilework::models::prepare::{FittedPipeline, Outcome, Pipeline, Step, TransformerRow};
use tilework::models::{Needs, Predicts, load, save};

pub fn saved(case: &Case) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for classes in [2, 3] {
        let data = case.data(40, classes, 120);
        let model = case.fit(&data);
        save(&*model, &path).unwrap();
        let again = load(&path).unwrap_or_else(|e| panic!("{case}: {e}"));
        assert_eq!((again.kind(), again.width(), again.classes()), (case.row.name, 3, model.classes()));
        let (told, right) = (case.numbers(&*again, &data.x), case.numbers(&*model, &data.x));
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

/// Rows with their answers, classes by name, and the pipeline of the model alone.
fn of_table(case: &Case, seed: u64) -> (Table, Array2<f64>, FittedPipeline) {
    let data = case.data(40, 2, seed);
    let answers = match case.row.predicts {
        Predicts::Values => Column::numbers("answer", data.values),
        Predicts::Labels => Column::text("answer", data.labels.iter().map(|&label| ["thin", "fat"][label as usize])),
    };
    let columns = names().into_iter().zip(data.x.columns()).map(|(name, of)| Column::numbers(name, of.to_vec()));
    let table = Table::new("boxes", columns.chain([answers]).collect()).unwrap();
    let pipeline = Pipeline { settings: case.settings.clone(), ..Pipeline::raw(case.row) };
    let fitted = pipeline.fit(&table, Some("answer")).unwrap_or_else(|e| panic!("{case}: {e}"));
    (table, data.x, fitted)
}

pub fn columns_by_name(case: &Case) {
    let (table, x, fitted) = of_table(case, 123);
    let turned = table.with_columns(&["height", "answer", "length", "width"]).unwrap();
    assert_eq!(fitted.predict(&turned).unwrap(), fitted.predict(&table).unwrap(), "{case}");
    let text = fitted.predict(&table.without_columns(&["width"]).unwrap()).unwrap_err().to_string();
    assert!(text.contains("missing width"), "{case}: {text}");
    let other = Table::of_matrix("boxes", &x, &["length", "width", "depth"].map(String::from)).unwrap();
    let text = fitted.predict(&other).unwrap_err().to_string();
    assert!(text.contains("missing height") && text.contains("not known to the model depth"), "{case}: {text}");
}

/// `thin` is 0 of the labels, and 1 of the names in their order.
pub fn names_of_classes(case: &Case) {
    if case.row.predicts == Predicts::Values {
        return;
    }
    let (table, x, fitted) = of_table(case, 124);
    let Outcome::Classes(names) = fitted.predict(&table).unwrap() else { panic!("{case} predicts numbers") };
    let labels = case.labels(&fitted, &x);
    assert!(names.iter().zip(&labels).all(|(name, &label)| name == ["fat", "thin"][label as usize]), "{case}");
    let right = names.iter().enumerate().filter(|(row, name)| *name == ["thin", "fat"][row % 2]).count();
    assert!(case.row.name.starts_with("dummy") || right > 28, "{case}: {right} of 40");
}
