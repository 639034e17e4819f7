//! Every loss against its formula in f64, values and gradients, on every device of this machine.

mod common;

use common::devices;
use tilework::loss::{BceWithLogits, CrossEntropy, Hinge, Huber, Loss, Mae, Mse, Reduction, SmoothL1};
use tilework::{Device, Rng, Tensor};

const ROWS: usize = 7;
const CLASSES: usize = 5;
const WEIGHTS: [f32; CLASSES] = [0.5, 2.0, 1.0, 0.25, 3.0];

/// Numbers in `low..high` that depend on the stream alone.
fn draws(stream: u64, n: usize, low: f32, high: f32) -> Vec<f32> {
    let x = Tensor::uniform([n], low, high, &mut Rng::seed(stream), &Device::cpu());
    x.to_vec().unwrap()
}

fn labels() -> Vec<u32> {
    vec![0, 4, 2, 2, 1, 3, 4]
}

/// Each row a distribution over the classes.
fn distributions() -> Vec<f32> {
    let raw = draws(3, ROWS * CLASSES, 0.1, 1.0);
    raw.chunks(CLASSES).flat_map(|row| row.iter().map(move |p| p / row.iter().sum::<f32>())).collect()
}

/// Value and gradient of a loss on every device against `formula` of the predictions and its central differences.
fn holds(
    make: &dyn Fn(&Device) -> Box<dyn Loss>,
    x: &[f32],
    shape: &[usize],
    target: impl Fn(&Device) -> Tensor,
    formula: impl Fn(&[f64]) -> f64,
) {
    let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
    let value = formula(&wide);
    let step = 1e-5; // of f64: cuts off 1e-10 and rounds off 1e-11 of values near 1
    let slopes: Vec<f64> = (0..x.len())
        .map(|i| {
            let at = |d: f64| {
                formula(&wide.iter().enumerate().map(|(j, x)| if i == j { x + d } else { *x }).collect::<Vec<_>>())
            };
            (at(step) - at(-step)) / (2.0 * step)
        })
        .collect();
    for device in devices() {
        let loss = make(&device);
        let x = Tensor::from_slice(x, shape, &device).tracked();
        let y = loss.loss(&x, &target(&device));
        let grads = y.sum().backward().unwrap();
        let got = f64::from(y.sum().item::<f32>().unwrap());
        // f32 sums of a few dozen terms near 1
        let name = loss.name();
        assert!((got - value).abs() <= 1e-5 * value.abs().max(1.0), "{name} on {device}: {got}, not {value}");
        for (i, (got, want)) in grads.get(&x).unwrap().to_vec::<f32>().unwrap().iter().zip(&slopes).enumerate() {
            let close = (f64::from(*got) - want).abs() <= 1e-5 * want.abs().max(1.0);
            assert!(close, "{name} on {device}: gradient {i} is {got}, not {want}");
        }
    }
}

/// A loss that compares element by element, under all reductions.
fn elementwise(make: impl Fn(Reduction) -> Box<dyn Loss>, targets: &[f32], term: impl Fn(usize, f64, f64) -> f64) {
    let n = targets.len();
    let x = draws(1, n, -3.0, 3.0);
    let total =
        |x: &[f64]| x.iter().zip(targets).enumerate().map(|(i, (x, t))| term(i, *x, f64::from(*t))).sum::<f64>();
    let target = |device: &Device| Tensor::from_slice(targets, [n / CLASSES, CLASSES], device);
    let shape = [n / CLASSES, CLASSES];
    holds(&|_| make(Reduction::Mean), &x, &shape, target, |x| total(x) / n as f64);
    holds(&|_| make(Reduction::Sum), &x, &shape, target, total);
    let apart = make(Reduction::None).loss(&Tensor::from_slice(&x, shape, &Device::cpu()), &target(&Device::cpu()));
    assert_eq!(apart.shape(), shape);
    holds(&|_| make(Reduction::None), &x, &shape, target, total);
}

#[test]
fn losses_of_values_are_their_formulas() {
    let targets = draws(2, ROWS * CLASSES, -3.0, 3.0);
    elementwise(|reduction| Box::new(Mse { reduction }), &targets, |_, x, t| (x - t).powi(2));
    elementwise(|reduction| Box::new(Mae { reduction }), &targets, |_, x, t| (x - t).abs());
    let huber = |d: f64, delta: f64| if d.abs() <= delta { d * d / 2.0 } else { delta * (d.abs() - delta / 2.0) };
    for delta in [0.5f32, 1.0, 2.5] {
        let wide = f64::from(delta);
        elementwise(|reduction| Box::new(Huber { delta, reduction }), &targets, |_, x, t| huber(x - t, wide));
        let smooth = |_, x: f64, t: f64| huber(x - t, wide) / wide;
        elementwise(|reduction| Box::new(SmoothL1 { beta: delta, reduction }), &targets, smooth);
    }
}

#[test]
fn losses_of_two_classes_are_their_formulas() {
    let sides: Vec<f32> = draws(4, ROWS * CLASSES, -1.0, 1.0).iter().map(|x| x.signum()).collect();
    elementwise(|reduction| Box::new(Hinge { reduction }), &sides, |_, x, t| (1.0 - x * t).max(0.0));
    let shares = draws(5, ROWS * CLASSES, 0.0, 1.0);
    let terms = |x: f64, t: f64, w: f64| {
        let p = 1.0 / (1.0 + (-x).exp());
        -w * t * p.ln() - (1.0 - t) * (1.0 - p).ln()
    };
    let bce = |reduction| BceWithLogits { pos_weight: None, reduction };
    elementwise(|reduction| Box::new(bce(reduction)), &shares, |_, x, t| terms(x, t, 1.0));
    let x = draws(1, ROWS * CLASSES, -3.0, 3.0);
    let weighted = |device: &Device| -> Box<dyn Loss> {
        let pos_weight = Some(Tensor::from_slice(&WEIGHTS, [CLASSES], device));
        Box::new(BceWithLogits { pos_weight, reduction: Reduction::Sum })
    };
    let target = |device: &Device| Tensor::from_slice(&shares, [ROWS, CLASSES], device);
    holds(&weighted, &x, &[ROWS, CLASSES], target, |x| {
        let term = |i: usize| terms(x[i], f64::from(shares[i]), f64::from(WEIGHTS[i % CLASSES]));
        (0..x.len()).map(term).sum()
    });
    let weight = Tensor::from_slice(&WEIGHTS, [CLASSES], &Device::cpu());
    let loss = BceWithLogits { pos_weight: Some(weight), reduction: Reduction::Mean };
    let failed = loss.loss(&Tensor::zeros([3, 4], &Device::cpu()), &Tensor::zeros([3, 4], &Device::cpu()));
    assert!(failed.check().is_err(), "a weight of another number of classes");
}

#[test]
fn bce_stays_finite_where_the_probability_rounds_to_one() {
    for device in devices() {
        let logits = Tensor::from_vec(vec![200.0, -200.0, 200.0, -200.0], [4], &device).tracked();
        let target = Tensor::from_vec(vec![1.0, 1.0, 0.0, 0.0], [4], &device);
        let loss = BceWithLogits { reduction: Reduction::None, ..BceWithLogits::default() }.loss(&logits, &target);
        assert_eq!(loss.to_vec::<f32>().unwrap(), [0.0, 200.0, 200.0, 0.0], "{device}");
        let grads = loss.sum().backward().unwrap();
        assert_eq!(grads.get(&logits).unwrap().to_vec::<f32>().unwrap(), [0.0, -1.0, 1.0, 0.0], "{device}");
    }
}

/// `ln softmax` of each row, in f64.
fn log_softmax(x: &[f64]) -> Vec<f64> {
    x.chunks(CLASSES)
        .flat_map(|row| row.iter().map(move |x| x - row.iter().map(|x| x.exp()).sum::<f64>().ln()))
        .collect()
}

/// PyTorch's `cross_entropy` for classes: the two parts are reduced apart.
fn classes_in_f64(x: &[f64], smoothing: f64, weight: Option<[f32; CLASSES]>, reduction: Reduction) -> f64 {
    let log_p = log_softmax(x);
    let w = |c: usize| weight.map_or(1.0, |w| f64::from(w[c]));
    let labels: Vec<usize> = labels().iter().map(|&c| c as usize).collect();
    let hard: f64 = labels.iter().enumerate().map(|(i, &c)| -w(c) * log_p[i * CLASSES + c]).sum();
    let even: f64 = log_p.iter().enumerate().map(|(i, p)| -w(i % CLASSES) * p).sum();
    let divisor = match reduction {
        Reduction::Mean => labels.iter().map(|&c| w(c)).sum(),
        Reduction::Sum | Reduction::None => 1.0,
    };
    (1.0 - smoothing) * hard / divisor + smoothing / CLASSES as f64 * even / divisor
}

#[test]
fn cross_entropy_of_classes_is_its_formula() {
    let x = draws(6, ROWS * CLASSES, -4.0, 4.0);
    for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
        for smoothing in [0.0f32, 0.1, 1.0] {
            let loss = CrossEntropy { label_smoothing: smoothing, weight: None, reduction };
            let target = |device: &Device| Tensor::from_vec(labels(), [ROWS], device);
            let formula = |x: &[f64]| classes_in_f64(x, f64::from(smoothing), None, reduction);
            holds(&|_| Box::new(loss.clone()), &x, &[ROWS, CLASSES], target, formula);
        }
    }
}

#[test]
fn weighted_cross_entropy_is_its_formula_in_value_and_gradient() {
    let x = draws(6, ROWS * CLASSES, -4.0, 4.0);
    for reduction in [Reduction::Mean, Reduction::Sum] {
        for smoothing in [0.0f32, 0.2] {
            let weighted = |device: &Device| -> Box<dyn Loss> {
                let weight = Some(Tensor::from_slice(&WEIGHTS, [CLASSES], device));
                Box::new(CrossEntropy { label_smoothing: smoothing, weight, reduction })
            };
            let signed: Vec<i32> = labels().iter().map(|&c| c as i32).collect();
            let target = |device: &Device| Tensor::from_slice(&signed, [ROWS], device);
            let formula = |x: &[f64]| classes_in_f64(x, f64::from(smoothing), Some(WEIGHTS), reduction);
            holds(&weighted, &x, &[ROWS, CLASSES], target, formula);
        }
    }
}

#[test]
fn cross_entropy_of_probabilities_is_its_formula() {
    let (x, t) = (draws(6, ROWS * CLASSES, -4.0, 4.0), distributions());
    for smoothing in [0.0f32, 0.3] {
        let loss = CrossEntropy { label_smoothing: smoothing, ..CrossEntropy::default() };
        let share = f64::from(smoothing);
        let formula = |x: &[f64]| {
            let wanted = t.iter().map(|&t| f64::from(t) * (1.0 - share) + share / CLASSES as f64);
            -log_softmax(x).iter().zip(wanted).map(|(p, t)| p * t).sum::<f64>() / ROWS as f64
        };
        holds(
            &|_| Box::new(loss.clone()),
            &x,
            &[ROWS, CLASSES],
            |device| Tensor::from_slice(&t, [ROWS, CLASSES], device),
            formula,
        );
    }
}

#[test]
fn cross_entropy_stays_finite_for_large_logits() {
    for device in devices() {
        let logits = Tensor::from_vec(vec![1000.0, 0.0, -1000.0, 0.0], [2, 2], &device).tracked();
        let loss = CrossEntropy::default().loss(&logits, &Tensor::from_vec(vec![1u32, 1], [2], &device));
        let grads = loss.backward().unwrap();
        assert_eq!(loss.item::<f32>().unwrap(), 500.0, "{device}");
        assert_eq!(grads.get(&logits).unwrap().to_vec::<f32>().unwrap(), [0.5, -0.5, 0.0, 0.0], "{device}");
    }
}

#[test]
fn a_column_of_predictions_against_a_row_of_targets_is_an_error() {
    let device = Device::cpu();
    let all: [Box<dyn Loss>; 7] = [
        Box::new(Mse::default()),
        Box::new(Mae::default()),
        Box::new(Huber::default()),
        Box::new(SmoothL1::default()),
        Box::new(BceWithLogits::default()),
        Box::new(Hinge::default()),
        Box::new(CrossEntropy::default()),
    ];
    for loss in all {
        let failed = loss.loss(&Tensor::zeros([5, 1], &device), &Tensor::zeros([5], &device));
        let text = failed.check().unwrap_err().to_string();
        assert!(text.starts_with(loss.name()) && text.contains("[5, 1]") && text.contains("[5]"), "{text}");
    }
}

#[test]
fn settings_out_of_range_are_errors() {
    let x = Tensor::zeros([2, 3], &Device::cpu());
    let classes = Tensor::from_vec(vec![0u32, 1], [2], &Device::cpu());
    let smoothing = |label_smoothing| CrossEntropy { label_smoothing, ..CrossEntropy::default() }.loss(&x, &classes);
    assert!(smoothing(1.5).check().is_err() && smoothing(f32::NAN).check().is_err() && smoothing(1.0).check().is_ok());
    let weight = Some(Tensor::ones([2], &Device::cpu()));
    assert!(CrossEntropy { weight, ..CrossEntropy::default() }.loss(&x, &classes).check().is_err());
    for bad in [0.0, -1.0, f32::NAN] {
        assert!(Huber { delta: bad, ..Huber::default() }.loss(&x, &x).check().is_err());
        assert!(SmoothL1 { beta: bad, ..SmoothL1::default() }.loss(&x, &x).check().is_err());
    }
}
