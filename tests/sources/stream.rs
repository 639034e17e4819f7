//! Models that learn from files larger than memory, against the same models with all rows in memory.

use ndarray::{Array2, Axis, Slice};
use std::fmt::Write;
use tilework::data::{Kind, ReadOptions, Stream, Table};
use tilework::models::linear::*;
use tilework::models::prepare::{FittedPipeline, Pipeline};
use tilework::models::{Answer, ClassWeight, Estimator, Influence, Problem, Row};
use tilework::{Device, Rng};

const ROWS: usize = 700;

/// Features of unequal scale, numbers that follow them, and three classes of those.
fn cloud() -> (Array2<f64>, Vec<f64>, Vec<u32>) {
    let draws = Rng::seed(5).normals(ROWS * 4);
    let x = Array2::from_shape_fn((ROWS, 3), |(i, j)| f64::from(draws[i * 4 + j]) * 10f64.powi(j as i32) + 7.0);
    let value = |i: usize| x[[i, 0]] - 0.2 * x[[i, 1]] + 0.03 * x[[i, 2]] + f64::from(draws[i * 4 + 3]) * 1.5;
    let y: Vec<f64> = (0..ROWS).map(value).collect();
    let labels = y.iter().map(|y| u32::from(*y > 5.0) + u32::from(*y > 7.0)).collect();
    (x, y, labels)
}

fn close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let size = expected.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() <= tolerance * size, "{what}: {f} is not {e}");
    }
}

fn batches(epochs: usize) -> Batches {
    Batches { batch_size: 32, epochs, ..Batches::default() }
}

/// The problem in parts of 0 to 99 rows.
fn in_parts<'a>(x: &'a Array2<f64>, y: Answer<'a>, weights: &'a [f64], device: &'a Device) -> Box<Pass<'a>> {
    Box::new(move |each| {
        let (mut start, mut size) = (0, 0);
        while start < x.nrows() {
            let end = x.nrows().min(start + size);
            let rows = x.slice_axis(Axis(0), Slice::from(start..end));
            let y = match y {
                Answer::Values(values) => Answer::Values(&values[start..end]),
                Answer::Labels { of, classes } => Answer::Labels { of: &of[start..end], classes },
                Answer::None => Answer::None,
            };
            each(&Problem::new(rows, y).weights(&weights[start..end]).on(device))?;
            (start, size) = (end, (size + 37) % 100);
        }
        Ok(())
    })
}

#[test]
fn rows_in_parts_give_the_model_of_rows_in_memory() {
    let (x, y, labels) = cloud();
    let weights: Vec<f64> = (0..ROWS).map(|i| 0.5 + (i % 3) as f64).collect();
    for device in std::iter::once(Device::cpu()).chain(Device::gpu()) {
        let values = Problem::new(&x, &y).weights(&weights).on(&device);
        let classes = Problem::new(&x, &labels).weights(&weights).on(&device);
        // All rows fit one block, so the order is the same. Means differ in their last digits, and so, rarely, does a feature's
        // rounding to f32.
        let tolerance = 1e-5;
        for fit_intercept in [true, false] {
            let model = LinearRegression { solver: LinearSolver::Stochastic, batches: batches(3), fit_intercept };
            let whole = model.learn(&values).unwrap();
            let parts = model.learn_parts(&*in_parts(&x, values.y, &weights, &device)).unwrap();
            close("linear", &parts.coef, &whole.coef, tolerance);
            close("linear", &[parts.intercept], &[whole.intercept], tolerance);
            assert_eq!((parts.n_iter, whole.n_iter), (3, 3));
        }
        let model = Ridge { alpha: 50.0, solver: RidgeSolver::Stochastic, batches: batches(3), ..Ridge::default() };
        let parts = model.learn_parts(&*in_parts(&x, values.y, &weights, &device)).unwrap();
        close("ridge", &parts.coef, &model.learn(&values).unwrap().coef, tolerance);
        for class_weight in [None, Some(ClassWeight::Balanced)] {
            let solver = LogisticSolver::Stochastic;
            let model = LogisticRegression { solver, batches: batches(3), class_weight, ..Default::default() };
            let whole = model.learn(&classes).unwrap();
            let parts = model.learn_parts(&*in_parts(&x, classes.y, &weights, &device)).unwrap();
            let flat = |m: &FittedLogisticRegression| [m.coef.iter().copied().collect(), m.intercept.clone()].concat();
            close("logistic", &flat(&parts), &flat(&whole), tolerance);
        }
    }
}

#[test]
fn small_blocks_come_near_the_exact_solutions() {
    let (x, y, labels) = cloud();
    let (weights, device) = (vec![1.0; ROWS], Device::cpu());
    let batches = Batches { shuffle_rows: 100, ..batches(200) };
    let exact = Ridge { alpha: 50.0, ..Ridge::default() }.fit(&x, &y).unwrap();
    let model = Ridge { alpha: 50.0, solver: RidgeSolver::Stochastic, batches: batches.clone(), ..Ridge::default() };
    let found = model.learn_parts(&*in_parts(&x, Answer::Values(&y), &weights, &device)).unwrap();
    assert!(found.converged);
    // As documented: three digits or so, of features of deviation 1.
    let scaled = |coef: &[f64]| coef.iter().enumerate().map(|(j, c)| c * 10f64.powi(j as i32)).collect::<Vec<_>>();
    close("ridge", &scaled(&found.coef), &scaled(&exact.coef), 5e-3);
    let exact = LogisticRegression::default().fit(&x, &labels).unwrap();
    let model = LogisticRegression { solver: LogisticSolver::Stochastic, batches, ..Default::default() };
    let found = model.learn_parts(&*in_parts(&x, (&labels[..], 3).into(), &weights, &device)).unwrap();
    // Columns of one scale each share the price, so coefficients may trade places; what is minimised is what counts.
    let cost = |m: &FittedLogisticRegression| {
        let p = m.predict_proba(&x).unwrap();
        let surprise: f64 = labels.iter().enumerate().map(|(i, &l)| -p[[i, l as usize]].ln()).sum();
        (surprise + m.coef.iter().map(|c| c * c).sum::<f64>() / 2.0) / ROWS as f64
    };
    let excess = cost(&found) - cost(&exact);
    assert!((-1e-4..2e-3).contains(&excess), "{excess} of {}", cost(&exact)); // the exact one stops at a gradient of 1e-4
}

#[test]
fn parts_that_do_not_fit_together_are_refused() {
    let (x, y, labels) = cloud();
    let (weights, device) = (vec![1.0; ROWS], Device::cpu());
    let whole = in_parts(&x, Answer::Values(&y), &weights, &device);
    let model = LinearRegression { solver: LinearSolver::Stochastic, batches: batches(2), ..Default::default() };
    let error = |read: &Pass<'_>| model.learn_parts(read).unwrap_err().to_string();
    let text = LinearRegression::default().learn_parts(&*whole).unwrap_err().to_string();
    assert!(text.starts_with("linear-regression: learns from parts with solver stochastic alone"), "{text}");
    assert!(error(&|_| Ok(())).contains("nothing to learn from: 0 rows"));
    let text = error(&*in_parts(&x, (&labels[..], 3).into(), &weights, &device));
    assert!(text.contains("needs numbers as its target"), "{text}");
    let text = error(&|each| {
        each(&Problem::new(&[[1.0]], &[1.0]))?;
        each(&Problem::new(&[[1.0, 2.0]], &[1.0]))
    });
    assert!(text.contains("a part from row 1 on has other features"), "{text}");
    let text = error(&|each| {
        each(&Problem::new(&[[1.0], [2.0]], &[1.0, 2.0]))?;
        each(&Problem::new(&[[1.0], [f64::NAN]], &[1.0, 2.0]))
    });
    assert!(text.contains("NaN in row 1, column 0") && text.contains("row 2 of all"), "{text}");
    let calls = std::cell::Cell::new(0);
    let text = error(&|each| {
        calls.set(calls.get() + 1);
        let y = [1.0, 2.0, 3.0];
        each(&Problem::new(&[[1.0], [2.0], [3.0]][..4 - calls.get()], &y[..4 - calls.get()]))
    });
    assert!(text.contains("a pass gave 2 rows, the one before 3"), "{text}");
    let logistic = LogisticRegression { solver: LogisticSolver::Stochastic, ..Default::default() };
    let text = logistic.learn_parts(&*whole).unwrap_err().to_string();
    assert!(text.contains("needs classes as its target"), "{text}");
    let text = logistic.learn_parts(&|each| each(&Problem::new(&[[1.0]], (&[1u32][..], 2)))).unwrap_err().to_string();
    assert!(text.contains("needs at least two classes"), "{text}");
}

/// A column of numbers with gaps, one of text, and a class of both.
fn mixed(rows: usize) -> String {
    let mut csv = String::from("age,town,buys\n");
    for i in 0..rows {
        let age = if i % 7 == 3 { String::new() } else { (20 + i % 41).to_string() };
        let buys = if i % 3 == 0 || i % 41 > 30 { "yes" } else { "no" };
        writeln!(csv, "{age},{},{buys}", ["Ulm", "Bonn", "Kiel"][i % 3]).unwrap();
    }
    csv
}

fn csv_of(table: &Table) -> Vec<u8> {
    let mut csv = Vec::new();
    table.write_csv(&mut csv).unwrap();
    csv
}

fn coefficients(model: &FittedPipeline) -> Vec<f64> {
    match model.model().influence() {
        Some(Influence::Coefficients(table)) => table.iter().copied().collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pipeline_learns_from_a_stream_what_it_learns_from_the_table() {
    let csv = mixed(600);
    let options = ReadOptions::lenient();
    let table = Table::parse_csv_with(csv.as_bytes(), "t.csv", &options).unwrap();
    let stream = Stream::of(move || Ok(std::io::Cursor::new(csv.clone())), "t.csv", &options).unwrap();
    assert_eq!(stream.columns()[1], ("town".to_string(), Kind::Text));
    let sample = Pipeline::sample(&stream, 0).unwrap();
    assert_eq!(csv_of(&sample), csv_of(&table));
    let plan = Pipeline::auto(&sample, None, Row::named("logistic-regression").unwrap()).unwrap();
    let pipeline = plan.pipeline.set("solver", "stochastic".into()).unwrap();
    let pipeline = pipeline.set("batches.epochs", 5.into()).unwrap().set("batches.batch_size", 64.into()).unwrap();
    let whole = pipeline.fit(&table, None).unwrap();
    let parts = pipeline.fit_stream(&stream, &sample, None, None).unwrap();
    close("pipeline", &coefficients(&parts), &coefficients(&whole), 1e-5); // means differ in their last digits
    assert_eq!((parts.task(), parts.target()), (whole.task(), whole.target()));
    assert_eq!(parts.inputs(), whole.inputs());

    let text = plan_of_trees(&sample).fit_stream(&stream, &sample, None, None).unwrap_err().to_string();
    assert!(text.starts_with("stream: decision-tree-classifier needs all rows in memory"), "{text}");
    let text = pipeline.fit_stream(&stream, &sample, Some("age"), None).unwrap_err().to_string();
    assert!(text.contains("target"), "{text}");
}

fn plan_of_trees(sample: &Table) -> Pipeline {
    Pipeline::auto(sample, None, Row::named("decision-tree-classifier").unwrap()).unwrap().pipeline
}

#[test]
fn a_row_that_breaks_what_the_sample_was_is_named() {
    let mut csv = mixed(300);
    csv += "31,Ulm,\n"; // the target of the last row is missing
    let stream = Stream::of(move || Ok(std::io::Cursor::new(csv.clone())), "t.csv", &ReadOptions::lenient()).unwrap();
    let sample = stream.select(&(0..300).collect::<Vec<_>>()).unwrap();
    let plan = Pipeline::auto(&sample, None, Row::named("logistic-regression").unwrap()).unwrap();
    let pipeline = plan.pipeline.set("solver", "stochastic".into()).unwrap();
    let text = pipeline.fit_stream(&stream, &sample, None, None).unwrap_err().to_string();
    assert!(text.starts_with("t.csv:302:3 (buys): target is missing"), "{text}");
}
