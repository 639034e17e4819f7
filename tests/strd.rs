//! NIST's Statistical Reference Datasets for linear regression (public domain; itl.nist.gov/div898/strd): certified values, and
//! how many of their digits least squares finds.

#[path = "common/mod.rs"]
mod common;

use common::devices;
use ndarray::Array2;
use tilework::data::Matrix;
use tilework::models::linear::{FittedLinearRegression, LinearRegression};
use tilework::models::{Estimator, Problem};

/// Columns of a file in `tests/data`, the target last.
fn columns(text: &str) -> (Array2<f64>, Vec<f64>) {
    let rows: Vec<Vec<f64>> =
        text.lines().skip(1).map(|line| line.split(',').map(|v| v.parse().unwrap()).collect()).collect();
    let width = rows[0].len() - 1;
    let x = Array2::from_shape_fn((rows.len(), width), |(i, j)| rows[i][j]);
    (x, rows.iter().map(|row| row[width]).collect())
}

/// `x, x², … x^degree` of one column, each power the rounded product of the one before: what the certified problem is to f64.
fn powers(x: &Array2<f64>, degree: usize) -> Array2<f64> {
    Array2::from_shape_fn((x.nrows(), degree), |(i, j)| (0..j).fold(x[[i, 0]], |power, _| power * x[[i, 0]]))
}

fn fit(x: &Array2<f64>, y: &[f64]) -> FittedLinearRegression {
    learn(&LinearRegression::default(), x.into(), y)
}

/// The model, which is the same to the last bit whichever device is chosen, and without one.
fn learn(settings: &LinearRegression, x: Matrix<'_>, y: &[f64]) -> FittedLinearRegression {
    let model = settings.learn(&Problem::new(x.reborrow(), y)).unwrap();
    for device in devices() {
        assert_eq!(settings.learn(&Problem::new(x.reborrow(), y).on(&device)).unwrap(), model, "{device:?}");
    }
    model
}

/// The fewest correct digits among numbers that are certified to some 15.
fn digits(found: impl IntoIterator<Item = f64>, certified: &[f64]) -> f64 {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), certified.len());
    let lost = found.iter().zip(certified).map(|(f, c)| ((f - c) / if *c == 0.0 { 1.0 } else { *c }).abs());
    -lost.fold(1e-16, f64::max).log10()
}

/// The intercept and the coefficients.
fn coefficients(model: &FittedLinearRegression) -> Vec<f64> {
    std::iter::once(model.intercept).chain(model.coef.iter().copied()).collect()
}

fn errors(model: &FittedLinearRegression) -> Vec<f64> {
    let table = model.summary().unwrap();
    table.intercept.iter().chain(&table.terms).map(|term| term.error.unwrap()).collect()
}

fn expect(what: &str, digits: f64, least: f64) {
    println!("{what}: {digits:.1} digits");
    assert!(digits >= least, "{what}: {digits:.2} correct digits, {least} are wanted");
}

#[test]
fn norris() {
    let (x, y) = columns(include_str!("data/strd_norris.csv"));
    let model = fit(&x, &y);
    expect("coef", digits(coefficients(&model), &[-0.262323073774029, 1.00211681802045]), 12.0);
    expect("std err", digits(errors(&model), &[0.232818234301152, 0.429796848199937e-3]), 12.0);
    let table = model.summary().unwrap();
    expect("deviation", digits(table.deviation, &[0.884796396144373]), 12.0);
    expect("R²", digits([table.r2], &[0.999993745883712]), 12.0);
}

#[test]
fn pontius() {
    let (x, y) = columns(include_str!("data/strd_pontius.csv"));
    let model = fit(&powers(&x, 2), &y);
    let certified = [0.673565789473684e-3, 0.732059160401003e-6, -0.316081871345029e-14];
    expect("coef", digits(coefficients(&model), &certified), 11.0);
    let certified = [0.107938612033077e-3, 0.157817399981659e-9, 0.486652849992036e-16];
    expect("std err", digits(errors(&model), &certified), 11.0);
    expect("deviation", digits(model.summary().unwrap().deviation, &[0.205177424076185e-3]), 11.0);
}

#[test]
fn without_an_intercept() {
    let settings = LinearRegression { fit_intercept: false, ..LinearRegression::default() };
    let x = Array2::from_shape_fn((11, 1), |(i, _)| 60.0 + i as f64);
    let y: Vec<f64> = (0..11).map(|i| 130.0 + f64::from(i)).collect();
    let model = learn(&settings, (&x).into(), &y);
    expect("NoInt1", digits(model.coef.clone(), &[2.07438016528926]), 14.0);
    let table = model.summary().unwrap();
    expect("NoInt1 std err", digits([table.terms[0].error.unwrap()], &[0.0165289256198347]), 13.5); // certified to 15 digits
    expect("NoInt1 R²", digits([table.r2], &[0.999365492298663]), 14.0);
    let model = learn(&settings, (&[[4.0], [5.0], [6.0]]).into(), &[3.0, 4.0, 4.0]);
    expect("NoInt2", digits(model.coef.clone(), &[0.727272727272727]), 14.0);
    expect("NoInt2 std err", digits([model.summary().unwrap().terms[0].error.unwrap()], &[0.0420827318078432]), 13.5);
}

#[test]
fn longley() {
    let (x, y) = columns(include_str!("data/strd_longley.csv"));
    let model = fit(&x, &y);
    // In exact rational arithmetic, so that digits beyond NIST's fifteen are not lost.
    let exact = [
        -3482258.6345958184,
        15.061872271373323,
        -0.03581917929259102,
        -2.020229803816825,
        -1.033226867173592,
        -0.05110410565358071,
        1829.151464613552,
    ];
    expect("coef", digits(coefficients(&model), &exact), 12.0);
    let certified = [
        890420.383607373,
        84.9149257747669,
        0.334910077722432e-1,
        0.488399681651699,
        0.214274163161675,
        0.226073200069370,
        455.478499142212,
    ];
    expect("std err", digits(errors(&model), &certified), 11.0);
    let table = model.summary().unwrap();
    expect("deviation", digits(table.deviation, &[304.854073561965]), 12.0);
    expect("R²", digits([table.r2], &[0.995479004577296]), 12.0);
}

#[test]
fn filip() {
    let (x, y) = columns(include_str!("data/strd_filip.csv"));
    let model = fit(&powers(&x, 10), &y);
    let certified = [
        -1467.48961422980,
        -2772.17959193342,
        -2316.37108160893,
        -1127.97394098372,
        -354.478233703349,
        -75.1242017393757,
        -10.8753180355343,
        -1.06221498588947,
        -0.670191154593408e-1,
        -0.246781078275479e-2,
        -0.402962525080404e-4,
    ];
    // The columns are powers rounded to f64, which alone moves the solution by some 1e-8.
    expect("coef", digits(coefficients(&model), &certified), 7.0);
    expect("deviation", digits(model.summary().unwrap().deviation, &[0.334801051324544e-2]), 7.0);
    assert_eq!(model.summary().unwrap().rank, 10);
}

#[test]
fn a_polynomial_as_hard_as_filip_is_solved_to_the_last_digits_for_the_columns_as_they_are() {
    let (x, y) = columns(include_str!("data/strd_poly10.csv"));
    let model = fit(&powers(&x, 10), &y);
    let exact = [
        -117.25500142415038,
        -235.54400512058297,
        -207.9172724220136,
        -106.95382209631606,
        -35.49065701702358,
        -7.93602557339265,
        -1.2109507662078431,
        -0.12452405140122,
        -0.008261802650049669,
        -0.000319548021019545,
        -5.475474820499836e-06,
    ];
    expect("coef", digits(coefficients(&model), &exact), 13.0);
}

/// `Σ factorᵏ xᵏ` for `x` in `0..=20`, and the deviations that all but the first two sets add.
fn wampler(factor: f64, deviations: f64) -> (Array2<f64>, Vec<f64>) {
    let (a, b, c, d) = (759.0, 2048.0, 2523.0, 1838.0);
    let added = [a, -b, b, -b, c, -b, b, -b, d, -b, b, -b, d, -b, b, -b, c, -b, b, -b, a];
    let x = Array2::from_shape_fn((21, 1), |(i, _)| i as f64);
    let value = |i: usize| (0..6).rev().fold(0.0, |sum, _| sum * factor * i as f64 + 1.0);
    let y = (0..21).map(|i| value(i) + deviations * added[i]).collect();
    (powers(&x, 5), y)
}

#[test]
fn wampler_polynomials() {
    for (name, deviations, least) in [("1", 0.0, 9.0), ("3", 1.0, 9.0), ("4", 100.0, 8.0), ("5", 10_000.0, 6.5)] {
        let (x, y) = wampler(1.0, deviations);
        let model = fit(&x, &y);
        expect(&format!("Wampler{name}"), digits(coefficients(&model), &[1.0; 6]), least);
        if deviations > 0.0 {
            let certified = [2152.32624678170 * deviations];
            expect(&format!("Wampler{name} std err"), digits([errors(&model)[0]], &certified), least);
        }
    }
    let (x, y) = wampler(0.1, 0.0);
    let y: Vec<f64> = y.iter().map(|v| (v * 1e5).round() / 1e5).collect(); // as NIST prints it
    let model = fit(&x, &y);
    expect("Wampler2", digits(coefficients(&model), &[1.0, 0.1, 0.01, 0.001, 0.0001, 0.00001]), 9.0);
}
