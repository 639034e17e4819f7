//! Samples of `argmax` and `argmin`.

use super::bound::numbers;
use super::{Bad, Data, OpInfo, Sample};
use crate::dtype::DType;
use crate::tensor::Tensor;
use ndarray::{ArrayD, ArrayView1, Axis};

pub(super) static ROWS: &[OpInfo] = &[
    OpInfo::new("argmax", "numpy.argmax: the first of ties, and NaN before all numbers", argmax, argmax_bad),
    OpInfo::new("argmin", "numpy.argmin: the first of ties, and NaN before all numbers", argmin, argmin_bad),
];

/// Shapes and the axis of their lanes; the last ones are cut into parts, and walked by a thread each.
const SHAPES: &[(&[usize], isize)] = &[
    (&[1], 0),
    (&[7], -1),
    (&[13, 17], 0),
    (&[13, 17], 1),
    (&[300, 3], -1),
    (&[3, 255], 1),
    (&[2, 256], 1),
    (&[257, 2], 0),
    (&[2, 3, 5], 1),
    (&[2, 3, 2, 1, 5], -3),
    (&[3, 1, 2], 1),
    (&[0, 3], 1),
    (&[5, 40, 33], 1),
    (&[2, 20_001], 1),
    (&[11_003, 3], 1),
    (&[1, 17_000, 2], 1),
];

type Wins = fn(f64, f64) -> bool;

/// The first place that none later wins against.
fn place(lane: ArrayView1<'_, f64>, wins: Wins) -> f64 {
    let best = lane.iter().enumerate().reduce(|best, new| if wins(*new.1, *best.1) { new } else { best });
    best.map_or(0.0, |(place, _)| place as f64)
}

fn samples(along: fn(&Tensor, isize) -> Tensor, whole: fn(&Tensor) -> Tensor, wins: Wins) -> Vec<Sample> {
    let sample = |data: Data, axis: isize| {
        let at = numbers(data.values.shape(), &[axis]);
        let label = format!("{data:?} axis {axis}");
        let places = move |x: &[ArrayD<f64>]| x[0].map_axis(Axis(at[0]), |lane| place(lane, wins));
        Sample::new(label, vec![data], move |x| along(&x[0], axis), places).dtype(DType::U32)
    };
    let of_whole = |data: Data| {
        let label = format!("{data:?} as a whole");
        let places = move |x: &[ArrayD<f64>]| ArrayD::from_elem(vec![], place(x[0].flatten().view(), wins));
        Sample::new(label, vec![data], move |x| whole(&x[0]), places).dtype(DType::U32)
    };
    let mut all: Vec<Sample> = Vec::new();
    for &(shape, axis) in SHAPES {
        all.push(sample(Data::permutation(DType::F32, shape, 1), axis).halves()); // 16 bits make ties of neighbours
        all.push(sample(Data::integers(DType::I32, shape, -4, 4, 2), axis)); // ties
        let odd = [1.0, f64::INFINITY, 2.0, f64::NAN, f64::NEG_INFINITY, 0.0, -0.0, f64::NAN, 3.0, f64::INFINITY, 5.0];
        all.push(sample(Data::of(shape, &odd), axis));
    }
    let full = [f64::from(u32::MAX), 0.0, 7.0, f64::from(u32::MAX), 0.0, 0.0];
    all.push(sample(Data::typed(DType::U32, &[3, 4], &full), 1));
    let ends = [0.0, f64::from(i32::MIN), f64::from(i32::MAX), -1.0, f64::from(i32::MIN)];
    all.push(sample(Data::typed(DType::I32, &[5, 3], &ends), 0));
    all.push(sample(Data::integers(DType::Bool, &[9, 5], 0, 2, 3), 1));
    all.push(sample(Data::of(&[2, 4], &[0.0, -0.0, 0.0, -0.0, -0.0, 0.0, -0.0, 0.0]), 1)); // equal
    all.push(sample(Data::of(&[2, 3], &[f64::NEG_INFINITY]), 1));
    all.push(sample(Data::of(&[2, 3], &[f64::INFINITY]), 1));
    all.extend([&[][..], &[1], &[257], &[4, 5]].map(|shape| of_whole(Data::permutation(DType::F32, shape, 4))));
    all
}

fn argmax() -> Vec<Sample> {
    samples(Tensor::argmax_axis, Tensor::argmax, |new, best| {
        new > best && !best.is_nan() || new.is_nan() && !best.is_nan()
    })
}

fn argmin() -> Vec<Sample> {
    samples(Tensor::argmin_axis, Tensor::argmin, |new, best| {
        new < best && !best.is_nan() || new.is_nan() && !best.is_nan()
    })
}

fn argmax_bad() -> Vec<Bad> {
    vec![
        Bad::new("argmax: nothing to choose from: given shape [3, 0]", |device| {
            Tensor::zeros([3, 0], device).argmax_axis(1)
        }),
        Bad::new("argmax: nothing to choose from: given shape [0]", |device| Tensor::zeros([2, 0], device).argmax()),
        Bad::new("argmax: axis 2 is out of range for shape [2, 3]", |device| {
            Tensor::zeros([2, 3], device).argmax_axis(2)
        }),
    ]
}

fn argmin_bad() -> Vec<Bad> {
    vec![
        Bad::new("argmin: nothing to choose from: given shape [0, 2]", |device| {
            Tensor::zeros([0, 2], device).argmin_axis(0)
        }),
        Bad::new("argmin: axis 0 is out of range for shape []", |device| Tensor::zeros((), device).argmin_axis(0)),
    ]
}
