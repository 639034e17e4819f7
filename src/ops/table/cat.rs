//! Samples of `cat`, `stack` and `split`.

use super::{Bad, Data, OpInfo, Sample};
use crate::dtype::DType;
use crate::tensor::Tensor;
use ndarray::{ArrayD, Axis, Slice};

pub(super) static ROWS: &[OpInfo] = &[
    OpInfo::new("cat", "numpy.concatenate", cat, cat_bad),
    OpInfo::new("stack", "numpy.stack", stack, stack_bad),
    OpInfo::new("split", "torch.split", split, split_bad),
];

/// Shapes to be joined along the axis.
const JOINS: &[(&[&[usize]], usize)] = &[
    (&[&[3]], 0),
    (&[&[3], &[4]], 0),
    (&[&[1], &[255], &[257]], 0),
    (&[&[2, 3], &[2, 5]], 1),
    (&[&[2, 3], &[4, 3]], 0),
    (&[&[2, 0], &[2, 3]], 1),
    (&[&[0], &[0]], 0),
    (&[&[0, 3], &[2, 3], &[1, 3]], 0),
    (&[&[2, 1, 3], &[2, 7, 3], &[2, 2, 3]], 1),
    (&[&[13, 11], &[13, 17]], 1),
    (&[&[2, 3, 5, 7], &[2, 3, 5, 1]], 3),
    (&[&[1031, 3], &[1031, 5]], 1),
];

fn joined(x: &[ArrayD<f64>], axis: usize) -> ArrayD<f64> {
    let views: Vec<_> = x.iter().map(|x| x.view()).collect();
    ndarray::concatenate(Axis(axis), &views).unwrap_or_default()
}

fn all(inputs: &[Data]) -> Vec<usize> {
    (0..inputs.len()).collect()
}

fn cat() -> Vec<Sample> {
    let sample = |dtypes: &[DType], shapes: &[&[usize]], axis: usize| {
        let types = dtypes.iter().copied().cycle();
        let inputs: Vec<Data> =
            shapes.iter().zip(types).zip(0..).map(|((s, t), seed)| Data::integers(t, s, 0, 99, seed)).collect();
        let joint = inputs.iter().map(|x| x.dtype).reduce(DType::promote).unwrap_or(DType::F32);
        let (label, order) = (format!("{inputs:?} axis {axis}"), all(&inputs));
        let sample = Sample::new(
            label,
            inputs,
            move |x| Tensor::cat(&x.iter().collect::<Vec<_>>(), axis as isize),
            move |x| joined(x, axis),
        );
        let sample = sample.dtype(joint);
        if dtypes == [DType::F32] { sample.gradient(&order).halves() } else { sample }
    };
    let mut samples: Vec<Sample> = JOINS.iter().map(|(shapes, axis)| sample(&[DType::F32], shapes, *axis)).collect();
    for dtypes in
        [[DType::I32; 2], [DType::Bool; 2], [DType::U32, DType::I32], [DType::F16; 2], [DType::BF16, DType::F32]]
    {
        samples.push(sample(&dtypes, &[&[3, 5], &[3, 2]], 1));
        samples.push(sample(&dtypes, &[&[5], &[257]], 0));
    }
    samples
}

fn cat_bad() -> Vec<Bad> {
    vec![
        Bad::new("cat: no tensors given", |_| Tensor::cat(&[], 0)),
        Bad::new("cat: shapes differ off axis 0: first [2, 3], another [2, 4]", |device| {
            Tensor::cat(&[&Tensor::zeros([2, 3], device), &Tensor::zeros([2, 4], device)], 0)
        }),
        Bad::new("cat: axis 2 is out of range for shape [2, 3]", |device| {
            let x = Tensor::zeros([2, 3], device);
            Tensor::cat(&[&x, &x], 2)
        }),
    ]
}

fn stack() -> Vec<Sample> {
    let sample = |shape: &[usize], count: usize, axis: isize| {
        let inputs: Vec<Data> = (0..count).map(|seed| Data::uniform(shape, -9.0, 9.0, seed as u64)).collect();
        let order = all(&inputs);
        let at = axis.rem_euclid(shape.len() as isize + 1) as usize;
        Sample::new(
            format!("{count} of {shape:?} axis {axis}"),
            inputs,
            move |x| Tensor::stack(&x.iter().collect::<Vec<_>>(), axis),
            move |x| joined(&x.iter().map(|x| x.clone().insert_axis(Axis(at))).collect::<Vec<_>>(), at),
        )
        .gradient(&order)
    };
    vec![
        sample(&[], 3, 0),
        sample(&[0], 2, 0),
        sample(&[5], 2, 0),
        sample(&[5], 2, -1),
        sample(&[2, 3], 4, 1),
        sample(&[13, 17], 3, -1),
    ]
}

fn stack_bad() -> Vec<Bad> {
    vec![Bad::new("unsqueeze: axis 3 is out of range", |device| Tensor::stack(&[&Tensor::zeros([2], device)], 3))]
}

fn split() -> Vec<Sample> {
    let sample = |shape: &[usize], size: usize, axis: usize, part: usize| {
        let end = shape[axis].min((part + 1) * size);
        Sample::new(
            format!("{shape:?} by {size} along {axis}, part {part}"),
            vec![Data::uniform(shape, -9.0, 9.0, 3)],
            move |x| x[0].split(size, axis as isize).swap_remove(part),
            move |x| x[0].slice_axis(Axis(axis), Slice::from(part * size..end)).to_owned(),
        )
        .gradient(&[0])
    };
    vec![
        sample(&[7], 3, 0, 0),
        sample(&[7], 3, 0, 2),
        sample(&[4, 257], 128, 1, 2),
        sample(&[6, 5, 2], 2, 0, 1),
        sample(&[6, 5, 2], 5, 1, 0),
    ]
}

fn split_bad() -> Vec<Bad> {
    vec![
        Bad::new("slice: 0..7 by 0 is not within axis 0 of [7]", |device| {
            Tensor::zeros([7], device).split(0, 0).swap_remove(0)
        }),
        Bad::new("slice: axis 1 is out of range for shape [7]", |device| {
            Tensor::zeros([7], device).split(2, 1).swap_remove(0)
        }),
    ]
}
