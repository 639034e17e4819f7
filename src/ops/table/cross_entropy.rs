//! Samples of `cross_entropy`.

use super::{Bad, Bound, Data, OpInfo, Sample};
use crate::dtype::DType;
use crate::ops::{CrossEntropyOptions, Reduction};
use crate::tensor::Tensor;
use ndarray::{ArrayD, IxDyn};

pub(super) static ROWS: &[OpInfo] =
    &[OpInfo::new("cross_entropy", "torch.nn.functional.cross_entropy", cross_entropy, cross_entropy_bad)];

/// Shapes of logits: classes last.
const SHAPES: &[&[usize]] = &[
    &[1],
    &[7],
    &[1, 1],
    &[5, 1],
    &[13, 17],
    &[300, 3],
    &[3, 255],
    &[2, 256],
    &[2, 257],
    &[2, 3, 5],
    &[700, 101],
    &[1, 3001],
];

const REDUCTIONS: [Reduction; 3] = [Reduction::Mean, Reduction::Sum, Reduction::None];

/// The losses of rows and the weights of their targets, reduced.
fn reference(x: &[ArrayD<f64>], smoothing: f64, reduction: Reduction) -> ArrayD<f64> {
    let (logits, targets) = (&x[0], &x[1]);
    let classes = logits.shape().last().copied().unwrap_or(1);
    let weights: Vec<f64> = x.get(2).map_or(vec![1.0; classes], |w| w.iter().copied().collect());
    let logits: Vec<f64> = logits.iter().copied().collect();
    let rows = logits.chunks(classes).zip(targets).map(|(row, &target)| {
        if !(0.0..classes as f64).contains(&target) {
            return (f64::NAN, f64::NAN);
        }
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total = top + row.iter().map(|x| (x - top).exp()).sum::<f64>().ln();
        let own = target as usize;
        let even: f64 = row.iter().zip(&weights).map(|(x, w)| w * (total - x)).sum();
        let smooth = if smoothing == 0.0 { 0.0 } else { smoothing / classes as f64 * even };
        ((1.0 - smoothing) * weights[own] * (total - row[own]) + smooth, weights[own])
    });
    let (losses, weights): (Vec<f64>, Vec<f64>) = rows.unzip();
    let whole = |value| ArrayD::from_elem(IxDyn(&[]), value);
    match reduction {
        Reduction::Mean => whole(losses.iter().sum::<f64>() / weights.iter().sum::<f64>()),
        Reduction::Sum => whole(losses.iter().sum()),
        Reduction::None => ArrayD::from_shape_vec(targets.raw_dim(), losses).unwrap_or_default(),
    }
}

fn sample(label: &str, inputs: Vec<Data>, smoothing: f32, reduction: Reduction) -> Sample {
    Sample::new(
        format!("{label} {inputs:?}, smoothing {smoothing}, {reduction:?}"),
        inputs,
        move |x| {
            let options = CrossEntropyOptions { label_smoothing: smoothing, weights: x.get(2), reduction };
            x[0].cross_entropy_with(&x[1], options)
        },
        move |x| reference(x, f64::from(smoothing), reduction),
    )
    .bound(Bound::within(
        6e-6,
        6e-6,
        "e^x in WGSL is right to 3 + 2·|x| units in the last place, and |x - max| <= 8 where it counts; sums in trees",
    ))
}

fn cross_entropy() -> Vec<Sample> {
    let batch = |shape: &[usize], dtype: DType| {
        let (classes, rows) = shape.split_last().map_or((1, shape), |(&classes, rows)| (classes, rows));
        let targets = Data::integers(dtype, rows, 0, classes as i32, 2);
        (vec![Data::uniform(shape, -4.0, 4.0, 1), targets], Data::uniform(&[classes], 0.2, 2.0, 3))
    };
    let mut samples = Vec::new();
    for (shape, reduction) in SHAPES.iter().flat_map(|shape| REDUCTIONS.map(|reduction| (shape, reduction))) {
        samples.push(sample("", batch(shape, DType::U32).0, 0.0, reduction).gradient(&[0]));
    }
    for reduction in REDUCTIONS {
        let (plain, weights) = batch(&[13, 10], DType::I32);
        let weighted = [plain.clone(), vec![weights]].concat();
        samples.push(sample("", plain, 0.3, reduction).gradient(&[0]).halves());
        samples.push(sample("", weighted.clone(), 0.0, reduction).gradient(&[0]).halves());
        samples.push(sample("", weighted, 0.3, reduction).gradient(&[0]));
        let (empty, _) = batch(&[0, 3], DType::U32);
        samples.push(sample("", empty, 0.0, reduction));
    }
    let extremes = [1000.0, 1001.0, 1002.0, 88.0, -88.0, 0.0, 300.0, -300.0, 300.0, f64::NEG_INFINITY, 1.0, 2.0];
    for target in 0..3 {
        let inputs = vec![Data::of(&[4, 3], &extremes), Data::typed(DType::U32, &[4], &[f64::from(target)])];
        samples.push(sample("extreme", inputs, 0.0, Reduction::None));
    }
    let foreign = Data::typed(DType::I32, &[4], &[0.0, -1.0, 3.0, 2.0]);
    samples.push(sample("no class", vec![Data::uniform(&[4, 3], -4.0, 4.0, 1), foreign], 0.0, Reduction::None));
    samples
}

fn cross_entropy_bad() -> Vec<Bad> {
    let classes = |n: usize, device: &_| Tensor::full([n], 1u32, device);
    vec![
        Bad::new("cross_entropy: logits must be floats: given i32", move |device| {
            Tensor::full([2, 3], 1i32, device).cross_entropy(&classes(2, device))
        }),
        Bad::new("cross_entropy: targets must be class numbers, u32 or i32: given f32", |device| {
            let x = Tensor::zeros([2, 3], device);
            x.cross_entropy(&x)
        }),
        Bad::new(
            "cross_entropy: targets must have the logits' shape without its last axis: logits [2, 3], targets [3]",
            move |device| Tensor::zeros([2, 3], device).cross_entropy(&classes(3, device)),
        ),
        Bad::new("cross_entropy: logits need a last axis of classes: given [2, 0]", move |device| {
            Tensor::zeros([2, 0], device).cross_entropy(&classes(2, device))
        }),
        Bad::new("cross_entropy: label_smoothing is a share of the target: given -0.1", move |device| {
            let options = CrossEntropyOptions { label_smoothing: -0.1, ..Default::default() };
            Tensor::zeros([2, 3], device).cross_entropy_with(&classes(2, device), options)
        }),
        Bad::new("cross_entropy: weights must be floats of shape [3]: given [2] of f32", move |device| {
            let weights = Tensor::ones([2], device);
            let options = CrossEntropyOptions { weights: Some(&weights), ..Default::default() };
            Tensor::zeros([2, 3], device).cross_entropy_with(&classes(2, device), options)
        }),
    ]
}
