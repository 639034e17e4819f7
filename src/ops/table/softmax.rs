//! Samples of `softmax`, `log_softmax` and `logsumexp`.

use super::bound::fold_along;
use super::{Bad, Bound, Data, OpInfo, Sample};
use crate::tensor::Tensor;
use ndarray::{ArrayD, Axis};

pub(super) static ROWS: &[OpInfo] = &[
    OpInfo::new("softmax", "torch.softmax", softmax, softmax_bad),
    OpInfo::new("log_softmax", "torch.log_softmax", log_softmax, log_softmax_bad),
    OpInfo::new("logsumexp", "torch.logsumexp", logsumexp, logsumexp_bad),
];

/// Shapes and the axis of their rows.
const SHAPES: &[(&[usize], isize)] = &[
    (&[1], 0),
    (&[5], -1),
    (&[3, 1], -1),
    (&[1, 7], 1),
    (&[4, 3], 0),
    (&[13, 17], -1),
    (&[300, 3], -1),
    (&[3, 255], -1),
    (&[2, 256], -1),
    (&[2, 257], -1),
    (&[2, 3, 5], 1),
    (&[2, 3, 2, 5], -3),
    (&[0, 3], -1),
    (&[2, 3001], -1),
];

/// Rows whose powers overflow or vanish.
const EXTREMES: &[f64] =
    &[1000.0, 1001.0, 1002.0, 88.0, -88.0, 0.0, 300.0, -300.0, 300.0, f64::NEG_INFINITY, 1.0, 2.0, 1e30, -1e30, 0.0];

fn bound() -> Bound {
    Bound::within(
        6e-6,
        6e-6,
        "e^x in WGSL is right to 3 + 2·|x| units in the last place, and |x - max| <= 8 where it counts",
    )
}

fn number(shape: &[usize], axis: isize) -> usize {
    axis.rem_euclid(shape.len() as isize) as usize
}

/// `ln Σ e^x` along axes, which go from the shape.
fn total(x: &ArrayD<f64>, axes: &[usize]) -> ArrayD<f64> {
    let top = fold_along(x, axes, f64::NEG_INFINITY, f64::max).mapv(|top| if top.is_finite() { top } else { 0.0 });
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    let kept = sorted.iter().fold(top.clone(), |top, &axis| top.insert_axis(Axis(axis)));
    fold_along(&(x - &kept).mapv(f64::exp), axes, 0.0, |sum, v| sum + v).mapv(f64::ln) + top
}

fn logarithm(x: &ArrayD<f64>, axis: usize) -> ArrayD<f64> {
    x - &total(x, &[axis]).insert_axis(Axis(axis))
}

fn along(
    call: fn(&Tensor, isize) -> Tensor,
    reference: impl Fn(&ArrayD<f64>, usize) -> ArrayD<f64> + Copy + Send + Sync + 'static,
) -> Vec<Sample> {
    let sample = |data: Data, axis: isize| {
        let at = number(data.values.shape(), axis);
        let label = format!("{data:?} axis {axis}");
        Sample::new(label, vec![data], move |x| call(&x[0], axis), move |x| reference(&x[0], at)).bound(bound())
    };
    let plain = SHAPES.iter().map(|&(shape, axis)| {
        let sample = sample(Data::uniform(shape, -4.0, 4.0, 3), axis).gradient(&[0]);
        if shape.len() == 2 { sample.halves() } else { sample }
    });
    plain.chain([sample(Data::of(&[5, 3], EXTREMES), -1)]).collect()
}

fn softmax() -> Vec<Sample> {
    along(Tensor::softmax, |x, axis| logarithm(x, axis).mapv(f64::exp))
}

fn log_softmax() -> Vec<Sample> {
    along(Tensor::log_softmax, logarithm)
}

fn softmax_bad() -> Vec<Bad> {
    vec![
        Bad::new("softmax: axis 2 is out of range for shape [2, 3]", |device| Tensor::zeros([2, 3], device).softmax(2)),
        Bad::new("softmax: axis -1 is out of range for shape []", |device| Tensor::zeros((), device).softmax(-1)),
    ]
}

fn log_softmax_bad() -> Vec<Bad> {
    vec![Bad::new("log_softmax: axis -3 is out of range for shape [2, 3]", |device| {
        Tensor::zeros([2, 3], device).log_softmax(-3)
    })]
}

fn logsumexp() -> Vec<Sample> {
    let sample = |data: Data, axes: &[isize]| {
        let (label, axes) = (format!("{data:?} axes {axes:?}"), axes.to_vec());
        let at: Vec<usize> = axes.iter().map(|&axis| number(data.values.shape(), axis)).collect();
        let call = move |x: &[Tensor]| x[0].logsumexp(&axes);
        Sample::new(label, vec![data], call, move |x| total(&x[0], &at)).bound(bound())
    };
    let drawn = |shape: &[usize], axes: &[isize]| sample(Data::uniform(shape, -4.0, 4.0, 5), axes).gradient(&[0]);
    let mut samples: Vec<Sample> = SHAPES.iter().map(|&(shape, axis)| drawn(shape, &[axis])).collect();
    samples.extend([
        drawn(&[3, 4, 5], &[2, 0]),
        drawn(&[3, 4, 5], &[0, 1, 2]),
        drawn(&[7, 5], &[1]).halves(),
        sample(Data::of(&[2, 0], &[]), &[1]),
        sample(Data::of(&[5, 3], EXTREMES), &[1]),
        sample(Data::of(&[2, 2], &[f64::NEG_INFINITY]), &[1]),
        sample(Data::of(&[2, 2], &[f64::INFINITY, 1.0]), &[1]),
    ]);
    samples
}

fn logsumexp_bad() -> Vec<Bad> {
    vec![Bad::new("logsumexp: axis -3 is out of range for shape [2, 3]", |device| {
        Tensor::zeros([2, 3], device).logsumexp(&[1, -3])
    })]
}
