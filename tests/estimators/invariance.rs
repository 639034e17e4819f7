//! What must make no difference.

use super::case::{Case, close, others, wide};
use ndarray::{Axis, s};
use rayon::ThreadPoolBuilder;
use tilework::models::Problem;

pub fn fitted_twice(case: &Case) {
    let data = case.data(60, 3, 60);
    let twice = [(); 2].map(|()| case.says(&*case.fit(&data), (&data.x).into()).unwrap());
    assert_eq!(twice[0], twice[1], "{case}");
}

pub fn fitted_on_other_data_between(case: &Case) {
    let data = case.data(60, 3, 61);
    let before = case.numbers(&*case.fit(&data), &data.x);
    let other = wide(24, 5, 2, 62).of(case.row);
    let model = case.fit(&other);
    assert_eq!((model.width(), model.classes()), (5, if case.is_classifier() { 2 } else { 0 }), "{case}");
    case.expect_finite(&*model, &other.x);
    assert_eq!(case.numbers(&*case.fit(&data), &data.x), before, "{case}");
}

pub fn predicted_twice(case: &Case) {
    let data = case.data(60, 3, 63);
    let model = case.fit(&data);
    let (before, influence) = (case.says(&*model, (&data.x).into()).unwrap(), model.influence());
    model.outcome((&data.x.slice(s![..1, ..]).to_owned()).into()).unwrap();
    assert_eq!(case.says(&*model, (&data.x).into()).unwrap(), before, "{case}");
    assert_eq!(model.influence(), influence, "{case}");
}

pub fn threads(case: &Case) {
    let data = case.data(90, 3, 64);
    let of = |threads: usize| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| case.says(&*case.fit(&data), (&data.x).into()).unwrap())
    };
    assert_eq!(of(1), of(3), "{case}");
}

pub fn subsets(case: &Case) {
    let data = case.data(40, 3, 65);
    let model = case.fit(&data);
    let alone = |i: usize| case.says_by_row(&*model, &data.x.slice(s![i..=i, ..]).to_owned());
    let alone: Vec<f64> = (0..40).flat_map(alone).collect();
    close(case, &alone, &case.says_by_row(&*model, &data.x), case.rounding());
}

pub fn order(case: &Case) {
    let data = case.data(40, 3, 66);
    let model = case.fit(&data);
    let whole = case.says_by_row(&*model, &data.x);
    let backwards: Vec<usize> = (0..40).rev().collect();
    let turned = case.says_by_row(&*model, &data.x.select(Axis(0), &backwards));
    let back: Vec<f64> = turned.chunks(whole.len() / 40).rev().flatten().copied().collect();
    close(case, &back, &whole, case.rounding());
}

pub fn weights_of_one(case: &Case) {
    let data = case.data(40, 2, 67);
    let weighted = case.fit_problem(&data.problem(case.row).weights(&[1.0; 40]));
    close(case, &case.numbers(&*weighted, &data.x), &case.numbers(&*case.fit(&data), &data.x), case.rounding());
}

/// A model of rows with weights predicts what that of other rows does; each at its optimum, where there is one.
fn same_optimum(case: &Case, one: &Problem<'_>, other: &Problem<'_>) {
    let settings = if case.weights_repeat() { case.converged() } else { case.settings.clone() };
    let one = case.learn_with(&settings, one).unwrap_or_else(|e| panic!("{case}: {e}"));
    let other = case.learn_with(&settings, other).unwrap_or_else(|e| panic!("{case}: {e}"));
    let asked = case.data(40, 2, 68);
    close(case, &case.numbers(&*one, &asked.x), &case.numbers(&*other, &asked.x), case.optimum());
}

fn whole_weights() -> (Vec<f64>, Vec<usize>) {
    let repeated = (0..40).flat_map(|i| vec![i; i % 4]).collect();
    ((0..40).map(|i| f64::from(i % 4)).collect(), repeated)
}

pub fn weights_are_repetition(case: &Case) {
    if !case.weights_repeat() {
        return;
    }
    let (data, (weights, repeated)) = (case.data(40, 2, 69), whole_weights());
    let longer = data.select(&repeated);
    same_optimum(case, &data.problem(case.row).weights(&weights), &longer.problem(case.row));
}

pub fn weights_of_zero(case: &Case) {
    if !case.drops_zeros() {
        return;
    }
    let data = case.data(40, 2, 70);
    // The rows without weight say the contrary of the others.
    let mut odd = data.clone();
    let left: Vec<usize> = (0..40).filter(|i| i % 5 != 2).collect();
    for i in (0..40).filter(|i| i % 5 == 2) {
        odd.labels[i] = 1 - odd.labels[i];
        odd.values[i] = 1e3;
    }
    let weights: Vec<f64> = (0..40).map(|i| f64::from(u8::from(i % 5 != 2))).collect();
    same_optimum(case, &odd.problem(case.row).weights(&weights), &data.select(&left).problem(case.row));
}

pub fn sparse_weights_are_repetition(case: &Case) {
    if !case.weights_repeat() || case.setting("solver") == Some("tensor") {
        return;
    }
    let ((data, sparse), (weights, repeated)) = (case.data(40, 2, 71).counts(), whole_weights());
    let longer = sparse.select(&repeated).unwrap();
    let (one, other) = (data.problem_of(case.row, &sparse).weights(&weights), data.select(&repeated));
    same_optimum(case, &one, &other.problem_of(case.row, &longer));
}

/// Ties, and what is drawn at random, may fall otherwise.
pub fn order_of_classes(case: &Case) {
    if !case.is_classifier() {
        return;
    }
    let data = case.data(90, 3, 72);
    let mut turned = data.clone();
    turned.labels.iter_mut().for_each(|label| *label = (*label + 1) % 3);
    let before = case.labels(&*case.fit(&data), &data.x);
    let after = case.labels(&*case.fit(&turned), &data.x);
    let same = before.iter().zip(&after).filter(|(before, after)| (**before + 1) % 3 == **after).count();
    let dummy = case.row.name == "dummy-classifier"; // it says the first of classes that are as common
    assert!(dummy || same >= 81, "{case}: {same} of 90 rows alike");
}

/// The same seed draws the same everywhere; singles are rounded otherwise.
pub fn devices(case: &Case) {
    let data = case.data(60, 3, 73);
    let here = case.numbers(&*case.fit(&data), &data.x);
    for device in others(&case.device) {
        let there = Case { device, settings: case.settings.clone(), ..*case };
        let told = there.numbers(&*there.fit(&data), &data.x);
        close(&there, &told, &here, if case.in_singles() { 1e-2 } else { 1e-12 });
    }
}
