//! Samples of `var`, `std` and `norm`.

use super::bound::{fold_along, numbers, sum_along};
use super::{Bad, Bound, Data, OpInfo, Sample};
use crate::ops::Correction;
use crate::tensor::Tensor;
use ndarray::{ArrayD, Axis};

pub(super) static ROWS: &[OpInfo] = &[
    OpInfo::new("var", "torch.var", var, var_bad),
    OpInfo::new("std", "torch.std", std, std_bad),
    OpInfo::new("norm", "torch.linalg.vector_norm", norm, norm_bad),
];

/// Shapes and axes of at least two elements each.
const SHAPES: &[(&[usize], &[isize])] = &[
    (&[5], &[0]),
    (&[13, 17], &[1]),
    (&[13, 17], &[0]),
    (&[300, 3], &[-1]),
    (&[3, 257], &[1]),
    (&[257, 3], &[0]),
    (&[2, 3, 5], &[0, 2]),
    (&[2, 3, 5], &[1, 0, 2]),
    (&[0, 3], &[1]),
    (&[2, 30_001], &[1]),
];

/// `Σ (x - mean)²` along axes, which go from the shape, and the number of elements.
fn squares(x: &ArrayD<f64>, axes: &[usize], centred: bool) -> (ArrayD<f64>, f64) {
    let count: f64 = axes.iter().map(|&axis| x.shape()[axis] as f64).product();
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    let mean = sum_along(x, axes) / count;
    let kept = sorted.iter().fold(mean, |mean, &axis| mean.insert_axis(Axis(axis)));
    let moved = if centred { x - &kept } else { x.clone() };
    (fold_along(&moved, axes, 0.0, |sum, v| sum + v * v), count)
}

fn bound() -> Bound {
    Bound::within(2e-5, 1e-7, "at most 160 roundings of partial sums of squares, which are all positive")
}

/// Samples of a measure: its call, and what it makes of the squares and the number of elements.
fn measured(
    call: fn(&Tensor, &[isize]) -> Tensor,
    centred: bool,
    finish: fn(f64, f64) -> f64,
) -> impl Iterator<Item = Sample> {
    SHAPES.iter().map(move |&(shape, axes)| {
        let at = numbers(shape, axes);
        let reference = move |x: &[ArrayD<f64>]| {
            let (squares, count) = squares(&x[0], &at, centred);
            squares.mapv(|sum| finish(sum, count))
        };
        let inputs = vec![Data::uniform(shape, -2.0, 3.0, 1)];
        let sample = Sample::new(format!("{shape:?} axes {axes:?}"), inputs, move |x| call(&x[0], axes), reference);
        let sample = sample.bound(bound()).gradient(&[0]);
        if shape.len() == 2 { sample.halves() } else { sample }
    })
}

fn var() -> Vec<Sample> {
    let sample = measured(|x, axes| x.var_axes(axes, Correction::Sample), true, |sum, n| sum / (n - 1.0));
    let population = measured(|x, axes| x.var_axes(axes, Correction::Population), true, |sum, n| sum / n);
    let single = Sample::new(
        "one element has none",
        vec![Data::uniform(&[3, 1], -2.0, 3.0, 1)],
        |x| x[0].var_axes(&[1], Correction::Sample),
        |_| ArrayD::from_elem(vec![3], f64::NAN),
    );
    let whole = Sample::new(
        "[4, 5] as a whole",
        vec![Data::uniform(&[4, 5], -2.0, 3.0, 1)],
        |x| x[0].var(),
        |x| {
            let (squares, count) = squares(&x[0], &[0, 1], true);
            squares / (count - 1.0)
        },
    );
    sample.chain(population).chain([single, whole.bound(bound()).gradient(&[0])]).collect()
}

fn var_bad() -> Vec<Bad> {
    vec![Bad::new("var: axis 2 is out of range for shape [2, 3]", |device| {
        Tensor::zeros([2, 3], device).var_axes(&[2], Correction::Sample)
    })]
}

fn std() -> Vec<Sample> {
    measured(|x, axes| x.std_axes(axes, Correction::Sample), true, |sum, n| (sum / (n - 1.0)).sqrt()).collect()
}

fn std_bad() -> Vec<Bad> {
    vec![Bad::new("std: axis -3 is out of range for shape [2, 3]", |device| {
        Tensor::zeros([2, 3], device).std_axes(&[0, -3], Correction::Sample)
    })]
}

fn norm() -> Vec<Sample> {
    measured(|x, axes| x.norm_axes(axes), false, |sum, _| sum.sqrt()).collect()
}

fn norm_bad() -> Vec<Bad> {
    vec![Bad::new("norm: axis 0 is out of range for shape []", |device| Tensor::zeros((), device).norm_axes(&[0]))]
}
