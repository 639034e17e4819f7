//! One battery of checks over every kind of model on every device: what applies of scikit-learn's `check_estimator`, and what
//! this library promises beside it. `map.rs` says of each of scikit-learn's checks what holds it here.

#[path = "estimators/case.rs"]
mod case;
#[path = "common/mod.rs"]
mod common;
#[path = "estimators/ends.rs"]
mod ends;
#[path = "estimators/golden.rs"]
mod golden;
#[path = "estimators/input.rs"]
mod input;
#[path = "estimators/invariance.rs"]
mod invariance;
#[path = "estimators/map.rs"]
mod map;
#[path = "estimators/outcome.rs"]
mod outcome;
#[path = "estimators/settings.rs"]
mod settings;
#[path = "estimators/shape.rs"]
mod shape;
#[path = "estimators/sparse.rs"]
mod sparse;
#[path = "estimators/steps.rs"]
mod steps;
#[path = "estimators/stored.rs"]
mod stored;
#[path = "estimators/unsupervised.rs"]
mod unsupervised;

use case::{Case, close, data, fit_with};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tilework::Device;
use tilework::models::MODELS;

type Check = (&'static str, fn(&Case));

/// What every kind of model holds on every device that it can run on.
const CHECKS: &[Check] = &[
    ("nothing to learn from is said", input::nothing_to_learn_from),
    ("answers of the wrong sort are refused", input::answers_of_the_wrong_sort),
    ("answers that are missing or too few are refused", input::answers_missing),
    ("answers that are not finite are refused with their row", input::answers_not_finite),
    ("weights that are none are refused", input::weights_that_are_none),
    ("NaN and infinity are refused by row and name or learnt from", input::not_finite),
    ("numbers below 0 are refused where counts are needed", input::below_zero),
    ("another number of features is an error with both numbers", input::another_width),
    ("one class is nothing to tell apart", input::one_class),
    ("numbers of any size give finite predictions or words", input::any_size),
    ("one feature is enough", shape::one_feature),
    ("one row is a prediction or words", shape::one_row),
    ("two rows are enough", shape::two_rows),
    ("constant columns do no harm", shape::constant_columns),
    ("more features than rows do no harm", shape::more_features_than_rows),
    ("a column twice does no harm", shape::a_column_twice),
    ("answers that are all the same are predicted", shape::answers_all_the_same),
    ("no rows give no predictions", shape::no_rows),
    ("singles are the doubles they are", shape::singles),
    ("columns one after another are rows", shape::columns_one_after_another),
    ("arrays of arrays are matrices", shape::arrays_of_arrays),
    ("sparse is dense", shape::sparse_is_dense),
    ("the same fit twice predicts the same bits", invariance::fitted_twice),
    ("a fit leaves nothing behind", invariance::fitted_on_other_data_between),
    ("predicting changes nothing", invariance::predicted_twice),
    ("the number of threads does not matter", invariance::threads),
    ("a row is predicted alike alone and among others", invariance::subsets),
    ("the order of rows to predict does not matter", invariance::order),
    ("weights of 1 are no weights", invariance::weights_of_one),
    ("whole weights are rows repeated", invariance::weights_are_repetition),
    ("rows of weight 0 are not there", invariance::weights_of_zero),
    ("whole weights of sparse rows are rows repeated", invariance::sparse_weights_are_repetition),
    ("the order of classes does not matter", invariance::order_of_classes),
    ("it learns", outcome::learns),
    ("probabilities are distributions", outcome::distributions),
    ("the prediction is the most probable class and the highest score", outcome::agreement),
    ("scores and probabilities rank alike", outcome::ranks),
    ("a regression has no classes", outcome::no_classes),
    ("a class without rows is known and never predicted", outcome::class_without_rows),
    ("a class that counts more is predicted more", outcome::class_weights),
    ("balanced classes are weighted by hand", outcome::balanced_classes),
    ("a solver says whether it reached its optimum", outcome::ended),
    ("influence is one number a feature", outcome::influence),
    ("a saved model predicts what it did", stored::saved),
    ("steps and model are a pipeline", stored::pipeline),
];

/// What no device has a say in.
const ONCE: &[Check] = &[
    ("names can be typed", settings::name),
    ("defaults are valid and the same when written out", settings::defaults),
    ("settings survive JSON", settings::json),
    ("unknown settings are refused by name", settings::unknown),
    ("settings of the wrong type are refused by name", settings::wrong_type),
    ("words that are none of a setting's are refused", settings::unknown_words),
    ("settings out of range are refused by name or do no harm", settings::out_of_range),
    ("a fitted model prints itself", settings::prints),
    ("a file cut short is refused", stored::cut_short),
    ("a table is the matrix that it holds", stored::tables_are_matrices),
    ("columns are found by name, and missing ones named", stored::columns_by_name),
    ("classes have their names back", stored::names_of_classes),
];

/// Runs the checks on the cases; tells all that fail.
fn run(checks: &[Check], cases: &[Case]) {
    let mut failed = Vec::new();
    for case in cases {
        for (name, check) in checks {
            if catch_unwind(AssertUnwindSafe(|| check(case))).is_err() {
                failed.push(format!("{case}: {name}"));
            }
        }
    }
    assert!(failed.is_empty(), "{} checks failed (what was wrong is above):\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn every_kind_of_model_holds_every_check_on_the_cpu() {
    run(CHECKS, &case::all(&Device::cpu()));
}

#[test]
fn every_kind_of_model_holds_what_no_device_changes() {
    let names: std::collections::BTreeSet<&str> = MODELS.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), MODELS.len(), "a name is used twice");
    run(ONCE, &case::all(&Device::cpu()));
}

#[test]
fn kinds_that_use_a_device_hold_every_check_on_the_gpu_and_agree_with_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    let (there, elsewhere): (Vec<Case>, Vec<Case>) = case::all(&gpu).into_iter().partition(Case::uses_device);
    for (cases, expected) in [(&there, true), (&elsewhere, false)] {
        for case in cases {
            let before = gpu.stats().dispatches;
            let data = case.data(40, 2, 1);
            case.numbers(&*case.fit(&data), &data.x);
            assert_eq!(gpu.stats().dispatches > before, expected, "{case} runs on the device");
        }
    }
    run(CHECKS, &there);
    run(&[("the device makes no difference", invariance::devices)], &there);
}
