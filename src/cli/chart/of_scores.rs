//! The charts of a model's outcomes.

use super::{Body, Chart, Curve, Dots};
use crate::error::Result;
use crate::metrics::{self, Bins, ConfusionMatrix};

/// Curves that a legend names.
const NAMED: usize = 7;
const BINS: usize = 10;
/// Points of a curve or a cloud: more are not seen, and make a file that no browser likes.
const MOST: usize = 2000;

/// Receiver operating characteristic and precision-recall, of class 1 or of each class against the rest.
pub(crate) fn curves(truth: &[u32], names: &[String], score: &dyn Fn(usize) -> Vec<f64>) -> Result<Vec<Chart>> {
    let classes: Vec<usize> = if names.len() == 2 { vec![1] } else { (0..names.len()).collect() };
    let (mut roc, mut recall) = (Vec::new(), Vec::new());
    for &class in &classes {
        let of: Vec<u32> = truth.iter().map(|&label| u32::from(label as usize == class)).collect();
        if !of.contains(&1) || !of.contains(&0) {
            continue; // no curve without both
        }
        let scores = score(class);
        let label = |what: &str, area: f64| {
            let name = names.get(class).map_or("", String::as_str);
            (classes.len() <= NAMED).then(|| format!("{name}: {what} {area:.3}"))
        };
        let curve = metrics::roc_curve(&of, &scores)?;
        let points = curve.false_positive_rate.into_iter().zip(curve.true_positive_rate).collect();
        roc.push(Curve { name: label("area", metrics::roc_auc(&of, &scores)?), points: thinned(points) });
        let curve = metrics::precision_recall_curve(&of, &scores)?;
        let points = curve.recall.into_iter().zip(curve.precision).collect();
        let mean = metrics::average_precision(&of, &scores)?;
        recall.push(Curve { name: label("mean", mean), points: thinned(points) });
    }
    let chart = |title: &str, axes, curves, reference| Chart {
        title: title.into(),
        axes,
        body: Body::Curves { curves, reference, dots: Dots::Hidden },
    };
    Ok(match roc.is_empty() {
        true => Vec::new(),
        false => vec![
            chart(
                "Receiver operating characteristic",
                ("false positive rate", "true positive rate"),
                roc,
                Some([(0.0, 0.0), (1.0, 1.0)]),
            ),
            chart("Precision and recall", ("recall", "precision"), recall, None),
        ],
    })
}

/// What probabilities are worth, of class 1 or of the predicted class.
pub(crate) fn calibration(truth: &[u32], names: &[String], probability: &dyn Fn(usize) -> Vec<f64>) -> Result<Chart> {
    let classes: Vec<usize> = if names.len() == 2 { vec![1] } else { (0..names.len()).collect() };
    let mut curves = Vec::new();
    for &class in &classes {
        let of: Vec<u32> = truth.iter().map(|&label| u32::from(label as usize == class)).collect();
        let curve = metrics::calibration_curve(&of, &probability(class), BINS, Bins::Uniform)?;
        let points = curve.predicted.into_iter().zip(curve.truth).collect();
        let name = names.get(class).filter(|_| classes.len() <= NAMED).cloned();
        curves.push(Curve { name, points });
    }
    Ok(Chart {
        title: "Calibration".into(),
        axes: ("predicted probability", "share that is of the class"),
        body: Body::Curves { curves, reference: Some([(0.0, 0.0), (1.0, 1.0)]), dots: Dots::Shown },
    })
}

pub(crate) fn confusion(matrix: &ConfusionMatrix) -> Chart {
    let classes = matrix.names().len();
    let counts = (0..classes).flat_map(|truth| (0..classes).map(move |taken| matrix.count(truth, taken))).collect();
    Chart {
        title: "Confusion".into(),
        axes: ("predicted", "true"),
        body: Body::Cells { names: matrix.names().to_vec(), counts },
    }
}

/// The truth against the predictions, and what is left of it.
pub(crate) fn residuals(truth: &[f64], predicted: &[f64]) -> Vec<Chart> {
    let pairs = thinned(predicted.iter().copied().zip(truth.iter().copied()).collect());
    let both = range(pairs.iter().flat_map(|&(p, t)| [p, t]));
    let left: Vec<(f64, f64)> = pairs.iter().map(|&(p, t)| (p, t - p)).collect();
    let (across, up) = (range(left.iter().map(|pair| pair.0)), range(left.iter().map(|pair| pair.1).chain([0.0])));
    let chart = |title: &str, axes, points, ranges, reference| Chart {
        title: title.into(),
        axes,
        body: Body::Points { points, ranges, reference },
    };
    let diagonal = [(both.start, both.start), (both.end, both.end)];
    let zero = [(across.start, 0.0), (across.end, 0.0)];
    vec![
        chart("True and predicted", ("predicted", "true"), pairs, (both.clone(), both), diagonal),
        chart("Residuals", ("predicted", "true less predicted"), left, (across, up), zero),
    ]
}

/// The range of values with a margin.
fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let margin = if high > low { 0.05 * (high - low) } else { high.abs().max(1.0) * 0.05 };
    low - margin..high + margin
}

/// Every so-many-th point, with the first and the last.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(MOST).max(1);
    let last = points.len().saturating_sub(1);
    points.into_iter().enumerate().filter(|(i, _)| i % every == 0 || *i == last).map(|(_, point)| point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_curves_keep_their_ends() {
        let long = thinned((0..100_001).map(|i| (f64::from(i), 0.0)).collect());
        assert!(long.len() <= MOST + 1 && long[0].0 == 0.0 && long.last().unwrap().0 == 100_000.0);
    }

    #[test]
    fn every_chart_can_be_drawn_whatever_the_numbers() {
        let names = |n: usize| (0..n).map(|i| format!("<class {i}>")).collect::<Vec<_>>();
        for n in [2, 3, 12] {
            let truth: Vec<u32> = (0..60).map(|i| i % n as u32).collect();
            let p = |class: usize| (0..60).map(|i| ((i * 7 + class * 3) % 10) as f64 / 10.0).collect::<Vec<f64>>();
            let mut charts = curves(&truth, &names(n), &p).unwrap();
            assert_eq!(charts.len(), 2);
            charts.push(calibration(&truth, &names(n), &p).unwrap());
            charts.push(confusion(&ConfusionMatrix::new(&truth, &truth, &names(n)).unwrap()));
            for chart in charts {
                let svg = chart.svg().unwrap();
                assert!(
                    svg.starts_with("<svg viewBox") && svg.contains(&chart.title) && !svg.contains("<class"),
                    "{svg}"
                );
            }
        }
        for (truth, predicted) in
            [(vec![1.0], vec![1.0]), (vec![0.0; 3], vec![0.0; 3]), (vec![1e300, -1e300], vec![0.0; 2])]
        {
            assert!(residuals(&truth, &predicted).iter().all(|chart| chart.svg().is_ok()));
        }
        assert!(curves(&[0, 0], &names(2), &|_| vec![0.5, 0.5]).unwrap().is_empty());
    }
}
