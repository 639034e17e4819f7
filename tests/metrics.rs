//! Scores against scikit-learn's, from `tests/data/metrics.json`, which scikit-learn 1.9.1 made.

use ndarray::Array2;
use serde_json::Value;
use tilework::metrics::*;

struct Golden(Value);

impl Golden {
    fn read() -> Golden {
        Golden(serde_json::from_str(include_str!("data/metrics.json")).unwrap())
    }

    fn doubles(&self, path: &str) -> Vec<f64> {
        let value = self.0.pointer(path).unwrap_or_else(|| panic!("{path}"));
        value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    }

    fn labels(&self, name: &str) -> Vec<u32> {
        self.doubles(name).into_iter().map(|v| v as u32).collect()
    }
}

/// Both sides sum 60 numbers of about 1 in `f64`, in another order.
fn close(what: &str, value: f64, expected: f64) {
    assert!((value - expected).abs() <= 1e-13 * (1.0 + expected.abs()), "{what}: {value} is not {expected}");
}

fn all_close(what: &str, values: &[f64], expected: &[f64]) {
    assert_eq!(values.len(), expected.len(), "{what}: {values:?} is not {expected:?}");
    values.iter().zip(expected).for_each(|(v, e)| close(what, *v, *e));
}

#[test]
fn scores_are_those_of_scikit_learn() {
    let g = Golden::read();
    let (t, p, probabilities) = (&g.labels("/truth"), &g.labels("/predicted"), &g.doubles("/probabilities"));
    let (bt, bp, bs) = (&g.labels("/binary_truth"), &g.labels("/binary_predicted"), &g.doubles("/binary_scores"));
    let both: Vec<f64> = bs.iter().flat_map(|p| [1.0 - p, *p]).collect();
    let (v, w) = (&g.doubles("/values"), &g.doubles("/predicted_values"));
    let points: Vec<f64> =
        g.0["points"].as_array().unwrap().iter().flat_map(|p| [0, 1].map(|i| p[i].as_f64().unwrap())).collect();
    let points = Array2::from_shape_vec((t.len(), 2), points).unwrap();

    let mut scores = vec![
        ("accuracy".to_string(), accuracy(t, p)),
        ("balanced_accuracy".into(), balanced_accuracy(t, p)),
        ("matthews".into(), matthews(t, p)),
        ("matthews_binary".into(), matthews(bt, bp)),
        ("cohen_kappa".into(), cohen_kappa(t, p)),
        ("log_loss".into(), log_loss(t, probabilities, 4)),
        ("log_loss_binary".into(), log_loss(bt, &both, 2)),
        ("brier".into(), brier(t, probabilities, 4)),
        ("brier_binary".into(), brier(bt, &both, 2)),
        ("roc_auc".into(), roc_auc(bt, bs)),
        ("average_precision".into(), average_precision(bt, bs)),
        ("mse".into(), mse(v, w)),
        ("rmse".into(), rmse(v, w)),
        ("mae".into(), mae(v, w)),
        ("mape".into(), mape(v, w)),
        ("r2".into(), r2(v, w)),
        ("explained_variance".into(), explained_variance(v, w)),
        ("silhouette".into(), silhouette(&points, t)),
        ("adjusted_rand".into(), adjusted_rand(t, p)),
    ];
    let averages = [("micro", Average::Micro), ("macro", Average::Macro), ("weighted", Average::Weighted)];
    let binary = [("binary", Average::Binary)];
    for (names, t, p) in [(&averages[..], t, p), (&binary[..], bt, bp)] {
        for &(name, average) in names {
            scores.push((format!("precision_{name}"), precision(t, p, average)));
            scores.push((format!("recall_{name}"), recall(t, p, average)));
            scores.push((format!("f1_{name}"), f1(t, p, average)));
            scores.push((format!("fbeta_{name}"), fbeta(t, p, 2.0, average)));
        }
    }
    for (how, versus) in [("ovr", Versus::Rest), ("ovo", Versus::One)] {
        for &(name, average) in &averages[1..] {
            let score = roc_auc_multiclass(t, probabilities, 4, versus, average);
            scores.push((format!("roc_auc_{how}_{name}"), score));
        }
    }
    let expected = g.0["expected"].as_object().unwrap();
    assert_eq!(scores.len(), expected.len());
    for (name, score) in scores {
        close(&name, score.unwrap(), expected[&name].as_f64().unwrap());
    }
}

#[test]
fn curves_are_those_of_scikit_learn() {
    let g = Golden::read();
    let (truth, scores) = (g.labels("/binary_truth"), g.doubles("/binary_scores"));
    let roc = roc_curve(&truth, &scores).unwrap();
    all_close("fpr", &roc.false_positive_rate, &g.doubles("/roc/fpr"));
    all_close("tpr", &roc.true_positive_rate, &g.doubles("/roc/tpr"));
    all_close("thresholds", &roc.thresholds[1..], &g.doubles("/roc/thresholds"));
    let curve = precision_recall_curve(&truth, &scores).unwrap();
    all_close("precision", &curve.precision, &g.doubles("/precision_recall/precision"));
    all_close("recall", &curve.recall, &g.doubles("/precision_recall/recall"));
    all_close("thresholds", &curve.thresholds, &g.doubles("/precision_recall/thresholds"));
    for (name, how) in [("uniform", Bins::Uniform), ("quantile", Bins::Quantile)] {
        let curve = calibration_curve(&truth, &scores, 5, how).unwrap();
        all_close(name, &curve.truth, &g.doubles(&format!("/calibration/{name}/truth")));
        all_close(name, &curve.predicted, &g.doubles(&format!("/calibration/{name}/predicted")));
        assert_eq!(curve.rows.iter().sum::<usize>(), truth.len());
    }
}

#[test]
fn the_report_prints_as_scikit_learns() {
    let g = Golden::read();
    let names = ["ape", "bee", "cat", "dog"].map(String::from);
    let report = ClassificationReport::new(&g.labels("/truth"), &g.labels("/predicted"), &names).unwrap();
    assert_eq!(report.to_string(), g.0["report"].as_str().unwrap());
}
