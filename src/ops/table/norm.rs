//! Samples of `layer_norm` and `rms_norm`.

use super::{Bad, Bound, Data, OpInfo, Sample};
use crate::tensor::Tensor;
use ndarray::ArrayD;

pub(super) static ROWS: &[OpInfo] = &[
    OpInfo::new("layer_norm", "torch.nn.functional.layer_norm", layer_norm, layer_norm_bad),
    OpInfo::new("rms_norm", "torch.nn.functional.rms_norm", rms_norm, rms_norm_bad),
];

/// Shapes, and how many of their dimensions make up a row.
const SHAPES: &[(&[usize], usize)] = &[
    (&[1], 1),
    (&[5], 1),
    (&[4, 1], 1),
    (&[13, 17], 1),
    (&[300, 3], 1),
    (&[3, 255], 1),
    (&[2, 256], 1),
    (&[2, 257], 1),
    (&[2, 3, 5], 2),
    (&[2, 3, 5], 1),
    (&[0, 3], 1),
    (&[2, 3001], 1),
];

/// Large enough that a wrong place for it is seen.
const EPS: f32 = 0.01;

fn bound() -> Bound {
    Bound::within(4e-6, 4e-6, "some twelve roundings of sums, root and quotient, relative to numbers of a few units")
}

/// Rows at one scale, less their mean where they are centred.
fn hat(x: &ArrayD<f64>, row: usize, centred: bool) -> ArrayD<f64> {
    let lead = x.ndim() - row;
    let width: usize = x.shape()[lead..].iter().product();
    let mut y = x.clone();
    let mut values: Vec<f64> = y.iter().copied().collect();
    for row in values.chunks_mut(width.max(1)) {
        let n = row.len() as f64;
        let mean = if centred { row.iter().sum::<f64>() / n } else { 0.0 };
        let square = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        row.iter_mut().for_each(|x| *x = (*x - mean) / (square + f64::from(EPS)).sqrt());
    }
    y.iter_mut().zip(values).for_each(|(y, value)| *y = value);
    y
}

fn layer_norm() -> Vec<Sample> {
    let sample = |&(shape, row): &(&[usize], usize), low: f64, high: f64| {
        let inner = &shape[shape.len() - row..];
        let sample = Sample::new(
            format!("{shape:?} in {low}..{high}, rows of {row}"),
            vec![
                Data::uniform(shape, low, high, 1),
                Data::uniform(inner, -2.0, 2.0, 2),
                Data::uniform(inner, -2.0, 2.0, 3),
            ],
            |x| x[0].layer_norm(&x[1], &x[2], EPS),
            move |x| hat(&x[0], row, true) * &x[1] + &x[2],
        );
        sample.bound(bound())
    };
    let mut samples: Vec<Sample> = SHAPES
        .iter()
        .map(|shape| {
            let sample = sample(shape, -3.0, 4.0).gradient(&[0, 1, 2]);
            if shape.0.len() == 2 { sample.halves() } else { sample }
        })
        .collect();
    samples.extend([
        sample(&(&[3, 257], 1), 1e4, 1e4 + 8.0),
        Sample::new(
            "[4, 6], without weight and bias",
            vec![Data::uniform(&[4, 6], -3.0, 4.0, 4)],
            |x| x[0].layer_norm(None, None, EPS),
            |x| hat(&x[0], 1, true),
        )
        .bound(bound())
        .gradient(&[0]),
        Sample::new(
            "[4, 6], without a weight",
            vec![Data::uniform(&[4, 6], -3.0, 4.0, 4), Data::uniform(&[6], -3.0, 4.0, 5)],
            |x| x[0].layer_norm(None, &x[1], EPS),
            |x| hat(&x[0], 1, true) + &x[1],
        )
        .bound(bound())
        .gradient(&[0, 1]),
    ]);
    samples
}

fn layer_norm_bad() -> Vec<Bad> {
    vec![
        Bad::new(
            "layer_norm: weight and bias must have the shape of the last dimensions: input [2, 3], weight [2], bias none",
            |device| Tensor::zeros([2, 3], device).layer_norm(&Tensor::ones([2], device), None, EPS),
        ),
        Bad::new(
            "layer_norm: weight and bias must have the shape of the last dimensions: input [2, 3], weight [3], bias [2, 3]",
            |device| {
                let x = Tensor::zeros([2, 3], device);
                x.layer_norm(&Tensor::ones([3], device), &x, EPS)
            },
        ),
    ]
}

fn rms_norm() -> Vec<Sample> {
    let weighted = |&(shape, row): &(&[usize], usize)| {
        let inner = &shape[shape.len() - row..];
        let sample = Sample::new(
            format!("{shape:?}, rows of {row}"),
            vec![Data::uniform(shape, -3.0, 4.0, 1), Data::uniform(inner, -2.0, 2.0, 2)],
            |x| x[0].rms_norm(&x[1], EPS),
            move |x| hat(&x[0], row, false) * &x[1],
        );
        let sample = sample.bound(bound()).gradient(&[0, 1]);
        if shape.len() == 2 { sample.halves() } else { sample }
    };
    let plain = Sample::new(
        "[4, 6], without a weight",
        vec![Data::uniform(&[4, 6], -3.0, 4.0, 4)],
        |x| x[0].rms_norm(None, EPS),
        |x| hat(&x[0], 1, false),
    );
    SHAPES.iter().map(weighted).chain([plain.bound(bound()).gradient(&[0])]).collect()
}

fn rms_norm_bad() -> Vec<Bad> {
    vec![Bad::new(
        "rms_norm: weight and bias must have the shape of the last dimensions: input [], weight none",
        |device| Tensor::zeros((), device).rms_norm(None, EPS),
    )]
}
