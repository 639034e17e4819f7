//! Samples of `cumsum`.

use super::bound::{ROUNDING, numbers, wrapped_i32, wrapped_u32};
use super::{Bad, Bound, Data, OpInfo, Sample};
use crate::dtype::DType;
use crate::tensor::Tensor;
use ndarray::{ArrayD, Axis};

pub(super) static ROWS: &[OpInfo] = &[OpInfo::new("cumsum", "numpy.cumsum", cumsum, cumsum_bad)];

/// Shapes and axes; the last ones are cut into parts, and walked by a thread each.
const SHAPES: &[(&[usize], isize)] = &[
    (&[0], 0),
    (&[1], 0),
    (&[5], -1),
    (&[13, 17], 0),
    (&[13, 17], 1),
    (&[300, 3], -1),
    (&[3, 255], 1),
    (&[2, 256], 1),
    (&[257, 2], 0),
    (&[2, 3, 5], 1),
    (&[3, 1, 2], 1),
    (&[2, 0, 3], 2),
    (&[2, 3, 2, 1, 5], -3),
    (&[2, 1027], 1),
    (&[3, 70, 33], 1),
    (&[33_001, 2], 0),
    (&[11_003, 3], 1),
];

fn running(x: &ArrayD<f64>, axis: usize) -> ArrayD<f64> {
    let mut y = x.clone();
    y.accumulate_axis_inplace(Axis(axis), |&before, v| *v += before);
    y
}

fn sample(data: Data, axis: isize) -> Sample {
    let at = numbers(data.values.shape(), &[axis])[0];
    let label = format!("{data:?} axis {axis}");
    Sample::new(label, vec![data], move |x| x[0].cumsum(axis), move |x| running(&x[0], at))
}

fn cumsum() -> Vec<Sample> {
    let floats = SHAPES.iter().map(|&(shape, axis)| {
        let at = numbers(shape, &[axis])[0];
        // A thread that has a lane for itself adds four elements in order and then their sum: lanes side by side are many.
        let alone = shape[at + 1..].iter().product::<usize>() >= 32;
        let depth = if alone { 4 + shape[at] / 4 } else { 64 }.min(shape[at]) as f64;
        let bound = Bound::each("the roundings of partial sums, relative to the running Σ|x|", move |x, _| {
            running(&x[0].mapv(f64::abs), at) * (depth * ROUNDING)
        });
        let sample = sample(Data::uniform(shape, -2.0, 3.0, 1), axis).bound(bound).gradient(&[0]);
        if shape.len() == 2 { sample.halves() } else { sample }
    });
    let wrapping = |dtype: DType, low: i32, wrapped: fn(f64) -> f64| {
        SHAPES.iter().map(move |&(shape, axis)| {
            let at = numbers(shape, &[axis])[0];
            let sample = sample(Data::integers(dtype, shape, low, 2_000_000_000, 2), axis).dtype(dtype);
            Sample { reference: Box::new(move |x| running(&x[0], at).mapv(wrapped)), ..sample }
        })
    };
    floats
        .chain(wrapping(DType::I32, -2_000_000_000, wrapped_i32))
        .chain(wrapping(DType::U32, 0, wrapped_u32))
        .chain([sample(Data::integers(DType::Bool, &[5, 9], 0, 2, 3), 1).dtype(DType::I32)])
        .collect()
}

fn cumsum_bad() -> Vec<Bad> {
    vec![
        Bad::new("cumsum: axis 2 is out of range for shape [2, 3]", |device| Tensor::zeros([2, 3], device).cumsum(2)),
        Bad::new("cumsum: axis -1 is out of range for shape []", |device| Tensor::zeros((), device).cumsum(-1)),
    ]
}
