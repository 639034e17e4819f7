//! The charts of a model's outcomes.

use super::legend::apart;
use super::{Body, Chart, Curve, Dots, Role};
use crate::error::Result;
use crate::metrics::{self, Bins, ConfusionMatrix};

/// Curves that a legend names; of more, so many of the worst.
const NAMED: usize = 7;
const WORST: usize = 4;
/// Characters of a class in a legend.
const LONGEST: usize = 24;
const BINS: usize = 10;
/// Points of a curve or a cloud: more are not seen, and make a file that no browser likes.
const MOST: usize = 2000;

/// Receiver operating characteristic and precision-recall, of class 1 or of each class against the rest.
pub(crate) fn curves(truth: &[u32], names: &[String], score: &dyn Fn(usize) -> Vec<f64>) -> Result<Vec<Chart>> {
    let (mut roc, mut recall) = (Vec::new(), Vec::new());
    for (class, name) in classes_of(names) {
        let of: Vec<u32> = truth.iter().map(|&label| u32::from(label as usize == class)).collect();
        if !of.contains(&1) || !of.contains(&0) {
            continue; // no curve without both
        }
        let scores = score(class);
        let curve = metrics::roc_curve(&of, &scores)?;
        let points: Points = curve.false_positive_rate.into_iter().zip(curve.true_positive_rate).collect();
        roc.push(OfClass { name: name.clone(), worth: metrics::roc_auc(&of, &scores)?, points: thinned(points) });
        let curve = metrics::precision_recall_curve(&of, &scores)?;
        let points = steps(&thinned(curve.recall.into_iter().zip(curve.precision).collect()));
        recall.push(OfClass { name, worth: metrics::average_precision(&of, &scores)?, points });
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
                told_apart(roc, Some("area")),
                Some([(0.0, 0.0), (1.0, 1.0)]),
            ),
            chart("Precision and recall", ("recall", "precision"), told_apart(recall, Some("AP")), None),
        ],
    })
}

/// What probabilities are worth, of class 1 or of the predicted class.
pub(crate) fn calibration(truth: &[u32], names: &[String], probability: &dyn Fn(usize) -> Vec<f64>) -> Result<Chart> {
    let mut curves = Vec::new();
    for (class, name) in classes_of(names) {
        let of: Vec<u32> = truth.iter().map(|&label| u32::from(label as usize == class)).collect();
        let curve = metrics::calibration_curve(&of, &probability(class), BINS, Bins::Uniform)?;
        let points: Points = curve.predicted.into_iter().zip(curve.truth).collect();
        let off = points.iter().map(|(predicted, truth)| (predicted - truth).abs()).sum::<f64>();
        curves.push(OfClass { name, worth: -off / points.len().max(1) as f64, points });
    }
    Ok(Chart {
        title: "Calibration".into(),
        axes: ("predicted probability", "share that is of the class"),
        body: Body::Curves {
            curves: told_apart(curves, None),
            reference: Some([(0.0, 0.0), (1.0, 1.0)]),
            dots: Dots::Shown,
        },
    })
}

type Points = Vec<(f64, f64)>;

/// The curve of a class, with what says how good it is: more is better.
struct OfClass {
    name: String,
    worth: f64,
    points: Points,
}

/// The classes that have curves, with names that fit a legend.
fn classes_of(names: &[String]) -> Vec<(usize, String)> {
    let cut = apart(names.iter().map(String::as_str), LONGEST);
    let wanted = |class: &usize| names.len() != 2 || *class == 1;
    cut.into_iter().enumerate().filter(|(class, _)| wanted(class)).collect()
}

/// Every curve by its name, or, of more than a legend holds, the worst of them and the mean of all. `what` their worth is, where
/// that is said: of a calibration a mean would say nothing, as what one class has too much of, others lack.
fn told_apart(mut curves: Vec<OfClass>, what: Option<&str>) -> Vec<Curve> {
    let label = |name: &str, worth: f64| match what {
        Some(what) => format!("{name}: {what} {worth:.3}"),
        None => name.to_owned(),
    };
    let all = curves.len();
    let few = all <= NAMED;
    let mean = curves.iter().map(|curve| curve.worth).sum::<f64>() / all.max(1) as f64;
    let of_mean = (!few && what.is_some()).then(|| Curve {
        name: Some(label(&format!("mean of {all}"), mean)),
        points: mean_of(&curves),
        role: Role::Mean,
    });
    if !few {
        curves.sort_by(|a, b| a.worth.total_cmp(&b.worth)); // stable: of equals, in the order of classes
    }
    let one = |(place, curve): (usize, OfClass)| {
        let named = few || place < WORST;
        Curve {
            name: named.then(|| label(&curve.name, curve.worth)),
            points: curve.points,
            role: if named { Role::Plain } else { Role::Faint },
        }
    };
    of_mean.into_iter().chain(curves.into_iter().enumerate().map(one)).collect()
}

/// The mean height of curves over the unit interval; where one goes straight up, its upper end.
fn mean_of(curves: &[OfClass]) -> Points {
    const PLACES: usize = 100;
    let height = |curve: &OfClass, x: f64| {
        let pairs = curve.points.iter().zip(curve.points.iter().skip(1));
        let here = pairs.filter(|(a, b)| a.0.min(b.0) <= x && x <= a.0.max(b.0)).map(|(a, b)| match b.0 - a.0 {
            0.0 => a.1.max(b.1),
            wide => a.1 + (b.1 - a.1) * (x - a.0) / wide,
        });
        here.fold(f64::NEG_INFINITY, f64::max)
    };
    let at = |place: usize| {
        let x = place as f64 / PLACES as f64;
        let heights: Vec<f64> = curves.iter().map(|curve| height(curve, x)).filter(|y| y.is_finite()).collect();
        (x, heights.iter().sum::<f64>() / heights.len().max(1) as f64)
    };
    (0..=PLACES).map(at).collect()
}

/// A curve that keeps its height until the next point, as scikit-learn draws precision: between two thresholds there is none, and
/// a straight line would promise more.
fn steps(points: &[(f64, f64)]) -> Points {
    let next = points.iter().skip(1).zip(points).flat_map(|(&(x, y), &(_, before))| [(x, before), (x, y)]);
    points.first().copied().into_iter().chain(next).collect()
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

    fn of(chart: &Chart) -> &[Curve] {
        match &chart.body {
            Body::Curves { curves, .. } => curves,
            _ => &[],
        }
    }

    #[test]
    fn of_many_classes_the_worst_are_named_and_the_mean() {
        let names: Vec<String> = (0..12).map(|i| format!("class-with-a-very-long-name-{i}")).collect();
        let truth: Vec<u32> = (0..240).map(|i| i % 12).collect();
        // Class by class fewer of the others are ranked above its rows.
        let score = |class: usize| -> Vec<f64> {
            let above = |(row, label): (usize, &u32)| {
                if *label as usize == class { 0.5 } else { f64::from(u8::from(row % 13 > class)) }
            };
            truth.iter().enumerate().map(above).collect()
        };
        for chart in curves(&truth, &names, &score).unwrap() {
            let named: Vec<&str> = of(&chart).iter().filter_map(|curve| curve.name.as_deref()).collect();
            assert_eq!(named.len(), 1 + WORST, "{named:?}");
            assert!(named[0].starts_with("mean of 12: "), "{named:?}");
            for (class, name) in named[1..].iter().enumerate() {
                assert!(name.starts_with(&format!("class-with-a…long-name-{class}: ")), "{named:?}");
            }
            assert_eq!(of(&chart).iter().filter(|curve| curve.role == Role::Faint).count(), 12 - WORST);
        }
        let chart = calibration(&truth, &names, &|_| vec![1.0 / 12.0; 240]).unwrap();
        assert_eq!(of(&chart).iter().filter(|curve| curve.name.is_some()).count(), WORST);
    }

    #[test]
    fn precision_keeps_its_height_to_the_next_recall() {
        // As PrecisionRecallDisplay(precision, recall).plot() of scikit-learn 1.9.1, whose line is "steps-post".
        let chart = curves(&[0, 1, 1, 0], &["a".into(), "b".into()], &|_| vec![0.1, 0.4, 0.8, 0.6]).unwrap();
        let third = 2.0 / 3.0;
        let expected = [
            (1.0, 0.5),
            (1.0, 0.5),
            (1.0, third),
            (0.5, third),
            (0.5, 0.5),
            (0.5, 0.5),
            (0.5, 1.0),
            (0.0, 1.0),
            (0.0, 1.0),
        ];
        assert_eq!(of(&chart[1])[0].points, expected);
    }
}
