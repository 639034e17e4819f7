//! What holds each check of scikit-learn 1.9 here: every one that `check_estimator` can run on a classifier, a regressor, a
//! transformer, a clusterer or an outlier detector.

use std::collections::BTreeSet;
use std::path::Path;

/// What holds a check of scikit-learn's here.
enum By {
    /// Checks of the battery, as `file::function`: of the lists that every kind of model goes through, or tests of their own.
    Checks(&'static [&'static str]),
    /// The compiler: what the check looks for cannot be written.
    Types(&'static str),
    /// Nothing: there is nothing here that the check could look at.
    Nothing(&'static str),
}

use By::{Checks, Nothing, Types};

const MAP: &[(&str, By)] = &[
    ("check_all_zero_sample_weights_error", Checks(&["input::weights_that_are_none"])),
    ("check_array_api_input", Nothing("tensors of other libraries are copied into a matrix by their owner")),
    ("check_array_api_mixed_inputs", Nothing("tensors of other libraries are copied into a matrix by their owner")),
    ("check_array_api_same_namespace", Nothing("tensors of other libraries are copied into a matrix by their owner")),
    ("check_class_weight_balanced_linear_classifier", Checks(&["outcome::balanced_classes"])),
    ("check_class_weight_classifiers", Checks(&["outcome::class_weights"])),
    (
        "check_classifier_data_not_an_array",
        Checks(&["shape::arrays_of_arrays", "stored::tables_are_matrices", ALIKE_WITHOUT_ANSWERS]),
    ),
    ("check_classifier_multioutput", Nothing("a model has one answer a row")),
    ("check_classifier_not_supporting_multiclass", Nothing("every classifier tells any number of classes apart")),
    (
        "check_classifiers_classes",
        Checks(&["stored::names_of_classes", "outcome::agreement", "outcome::class_without_rows"]),
    ),
    (
        "check_classifiers_multilabel_output_format_decision_function",
        Nothing("a row has one class; several are several models"),
    ),
    ("check_classifiers_multilabel_output_format_predict", Nothing("a row has one class; several are several models")),
    (
        "check_classifiers_multilabel_output_format_predict_proba",
        Nothing("a row has one class; several are several models"),
    ),
    (
        "check_classifiers_multilabel_representation_invariance",
        Nothing("a row has one class; several are several models"),
    ),
    ("check_classifiers_one_label", Checks(&["input::one_class"])),
    ("check_classifiers_one_label_sample_weights", Checks(&["input::one_class"])),
    ("check_classifiers_regression_target", Checks(&["input::answers_of_the_wrong_sort"])),
    (
        "check_classifiers_train",
        Checks(&[
            "input::answers_missing",
            "input::another_width",
            "outcome::learns",
            "outcome::agreement",
            "outcome::distributions",
            "shape::singles",
            "shape::arrays_of_arrays",
        ]),
    ),
    ("check_clusterer_compute_labels_predict", Nothing("no setting leaves out the groups of the fit's own rows")),
    ("check_clustering", Checks(&["unsupervised::groups_that_are_there_are_found_and_numbered_from_0"])),
    ("check_complex_data", Types("rows are f64 or f32, answers f64 or u32")),
    ("check_decision_proba_consistency", Checks(&["outcome::ranks"])),
    ("check_dict_unchanged", Checks(&["invariance::predicted_twice", ORDER_OF_STEPS])),
    ("check_do_not_raise_errors_in_init_or_set_params", Types("settings are plain fields: only a fit looks at them")),
    ("check_dont_overwrite_parameters", Types("a fit borrows the settings, and what it learns is another type")),
    (
        "check_dtype_object",
        Types("rows are f64 or f32; text comes in a `Table`, through steps that make numbers of it"),
    ),
    (
        "check_estimator_cloneable",
        Types("`Clone`, `Serialize` and `DeserializeOwned` are part of `Estimator` and `Transformer`"),
    ),
    ("check_estimator_repr", Types("`Debug` is part of `Estimator` and of `Transformer`")),
    ("check_estimator_sparse_array", Checks(&["shape::sparse_is_dense"])),
    ("check_estimator_sparse_matrix", Checks(&["shape::sparse_is_dense"])),
    ("check_estimator_sparse_tag", Nothing("no tag: all take a sparse matrix, or say in the fit that they take none")),
    ("check_estimator_tags_renamed", Nothing("there are no tags; what a kind needs are fields of its `Row`")),
    ("check_estimators_dtypes", Checks(&["shape::singles", FORMS_OF_STEPS])),
    ("check_estimators_empty_data_messages", Checks(&["input::nothing_to_learn_from", REFUSED_WITHOUT_ANSWERS])),
    ("check_estimators_fit_returns_self", Types("a fit returns the fitted model, which is another type")),
    ("check_estimators_nan_inf", Checks(&["input::not_finite", REFUSED_WITHOUT_ANSWERS])),
    ("check_estimators_overwrite_params", Types("a fit borrows the settings, none of which can change behind a `&`")),
    ("check_estimators_partial_fit_n_features", Nothing("a fit is whole: none goes on from another")),
    ("check_estimators_pickle", Checks(&["stored::saved", ALIKE_WITHOUT_ANSWERS])),
    ("check_estimators_unfitted", Types("settings cannot predict")),
    ("check_f_contiguous_array_estimator", Checks(&["shape::columns_one_after_another", FORMS_OF_STEPS])),
    ("check_fit1d", Types("rows are a matrix")),
    ("check_fit2d_1feature", Checks(&["shape::one_feature", REFUSED_WITHOUT_ANSWERS])),
    ("check_fit2d_1sample", Checks(&["shape::one_row", REFUSED_WITHOUT_ANSWERS])),
    ("check_fit2d_predict1d", Types("rows are a matrix")),
    ("check_fit_check_is_fitted", Types("a fitted model is another type than its settings")),
    ("check_fit_idempotent", Checks(&["invariance::fitted_twice", SAME_STEP, ALIKE_WITHOUT_ANSWERS])),
    ("check_fit_non_negative", Checks(&["input::below_zero"])),
    ("check_fit_score_takes_y", Types("answers are the second argument of every fit, and a part of every `Problem`")),
    ("check_get_params_invariance", Types("settings are one value, and those of members are a part of it")),
    ("check_methods_sample_order_invariance", Checks(&["invariance::order", ORDER_OF_STEPS, ALIKE_WITHOUT_ANSWERS])),
    ("check_methods_subset_invariance", Checks(&["invariance::subsets", ORDER_OF_STEPS, ALIKE_WITHOUT_ANSWERS])),
    ("check_mixin_order", Nothing("there are no base classes")),
    (
        "check_n_features_in",
        Checks(&["input::another_width", "shape::more_features_than_rows", REFUSED_WITHOUT_ANSWERS]),
    ),
    ("check_n_features_in_after_fitting", Checks(&["input::another_width", SAME_STEP, REFUSED_WITHOUT_ANSWERS])),
    ("check_no_attributes_set_in_init", Types("settings have the fields of their type and no others")),
    (
        "check_non_transformer_estimators_n_iter",
        Checks(&[
            "ends::every_kind_that_takes_steps_says_how_many",
            "outcome::ended",
            "unsupervised::groups_that_are_there_are_found_and_numbered_from_0",
        ]),
    ),
    ("check_nonsquare_error", Nothing("no model takes a matrix of distances or of kernels for its rows")),
    ("check_outlier_contamination", Checks(&[OUTLIERS])),
    ("check_outliers_fit_predict", Checks(&[OUTLIERS, ALIKE_WITHOUT_ANSWERS])),
    ("check_outliers_train", Checks(&[OUTLIERS])),
    ("check_parameters_default_constructible", Checks(&["settings::defaults"])),
    ("check_pipeline_consistency", Checks(&["stored::tables_are_matrices", "stored::pipeline"])),
    ("check_positive_only_tag_during_fit", Checks(&["input::below_zero"])),
    ("check_readonly_memmap_input", Types("rows and answers are borrowed: no fit can write to them")),
    ("check_regressor_data_not_an_array", Checks(&["shape::arrays_of_arrays", "stored::tables_are_matrices"])),
    ("check_regressor_multioutput", Nothing("a model has one answer a row")),
    ("check_regressors_int", Types("the answers of a regression are f64; labels are refused")),
    ("check_regressors_no_decision_function", Checks(&["outcome::no_classes"])),
    (
        "check_regressors_train",
        Checks(&["input::answers_missing", "outcome::learns", "shape::singles", "shape::arrays_of_arrays"]),
    ),
    ("check_requires_y_none", Checks(&["input::answers_missing"])),
    (
        "check_sample_weight_equivalence_on_dense_data",
        Checks(&["invariance::weights_are_repetition", "invariance::weights_of_zero"]),
    ),
    ("check_sample_weight_equivalence_on_sparse_data", Checks(&["invariance::sparse_weights_are_repetition"])),
    ("check_sample_weights_list", Types("weights are a slice of f64, which a list of numbers is too")),
    ("check_sample_weights_not_an_array", Types("weights are a slice of f64")),
    ("check_sample_weights_not_overwritten", Types("weights are borrowed: no fit can write to them")),
    ("check_sample_weights_pandas_series", Types("weights are a slice of f64")),
    ("check_sample_weights_shape", Checks(&["input::weights_that_are_none", "invariance::weights_of_one"])),
    ("check_set_params", Checks(&["settings::defaults", "settings::out_of_range", "settings::unknown_words"])),
    ("check_sparsify_coefficients", Nothing("coefficients are kept as they are; sparse rows skip their zeros")),
    ("check_supervised_y_2d", Types("answers are a slice: one a row")),
    ("check_supervised_y_no_nan", Checks(&["input::answers_not_finite"])),
    ("check_transformer_data_not_an_array", Checks(&[FORMS_OF_STEPS])),
    ("check_transformer_general", Checks(&[SAME_STEP])),
    ("check_transformer_n_iter", Checks(&["steps::a_step_that_takes_rounds_says_how_many"])),
    ("check_transformer_preserve_dtypes", Nothing("steps make f64 of all they are given, and promise no other")),
    ("check_transformers_unfitted", Types("settings of a step cannot be applied")),
    ("check_transformers_unfitted_stateless", Nothing("no step goes without a fit, not even one that learns nothing")),
    ("check_valid_tag_types", Nothing("there are no tags; what a kind needs are fields of its `Row`")),
];

const ALIKE_WITHOUT_ANSWERS: &str = "unsupervised::what_learns_without_answers_says_the_same_of_the_same_rows";
const FORMS_OF_STEPS: &str = "steps::rows_in_other_forms_go_through_a_step_as_the_same";
const ORDER_OF_STEPS: &str = "steps::the_order_and_the_company_of_rows_mean_nothing_to_a_fitted_step";
const OUTLIERS: &str = "unsupervised::outliers_are_as_many_as_asked_for_and_agree_with_their_scores";
const REFUSED_WITHOUT_ANSWERS: &str = "unsupervised::what_learns_without_answers_says_what_it_cannot_take";
const SAME_STEP: &str = "steps::a_step_makes_of_its_own_rows_what_it_makes_of_them_later";

/// The text of a file of the battery.
fn source(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Whether a function is there and is run: from a list that every kind goes through, or as a test of its own.
fn runs(lists: &str, function: &str) -> bool {
    let (file, name) = function.split_once("::").unwrap_or_else(|| panic!("{function} has no file"));
    let text = source(&format!("estimators/{file}.rs"));
    let listed = text.contains(&format!("\npub fn {name}(case: &Case) {{")) && lists.contains(&format!("{function}),"));
    listed || text.contains(&format!("\n#[test]\nfn {name}() {{"))
}

#[test]
fn every_check_of_scikit_learn_is_held_by_one_that_runs_or_has_its_reason() {
    let lists = source("estimators.rs");
    let mut counts = [0; 3];
    for (check, by) in MAP {
        match by {
            Checks(functions) => {
                counts[0] += 1;
                assert!(!functions.is_empty(), "{check} is held by none");
                for function in *functions {
                    assert!(runs(&lists, function), "{check}: {function} is not there, or no list of checks runs it");
                }
            }
            Types(why) | Nothing(why) => {
                counts[if matches!(by, Types(_)) { 1 } else { 2 }] += 1;
                assert!(why.contains(' '), "{check}: {why:?} is no reason");
            }
        }
    }
    let [checked, typed, nothing] = counts;
    println!("scikit-learn's checks: {checked} held by checks, {typed} by types, {nothing} with nothing to hold");
    assert!(checked >= 45, "{checked} checks of scikit-learn are held by checks here");
}

/// As many as scikit-learn 1.9.1's lists of checks name (`_yield_*` in `sklearn.utils.estimator_checks`), each once, in order.
#[test]
fn the_map_is_whole_and_in_order() {
    let names: BTreeSet<&str> = MAP.iter().map(|(check, _)| *check).collect();
    assert!(names.iter().eq(MAP.iter().map(|(check, _)| check)), "a name is there twice or out of order");
    assert_eq!(names.len(), 89);
    assert!(names.iter().all(|name| name.starts_with("check_")));
    assert!(!runs(&source("estimators.rs"), "input::no_such_check"));
}
