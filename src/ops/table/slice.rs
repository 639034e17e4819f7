//! Samples of views of a part of the values, in another order, or in windows.

use super::view::{bad, number, samples};
use super::{Bad, OpInfo, Sample};
use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn, Slice};

pub(super) static ROWS: &[OpInfo] = &[
    OpInfo::new("slice", "x[start:end] of NumPy", slice, slice_bad),
    OpInfo::new("slice_step", "x[start:end:step] of NumPy", slice_step, slice_step_bad),
    OpInfo::new("select", "numpy.take of one index", select, select_bad),
    OpInfo::new("flip", "numpy.flip", flip, flip_bad),
    OpInfo::new("unfold", "torch.Tensor.unfold", unfold, unfold_bad),
];

/// Every `step`-th index from `start` to before `end`.
fn cut(x: ArrayViewD<'_, f64>, axis: isize, start: usize, end: usize, step: usize) -> ArrayD<f64> {
    let kept: Vec<usize> = (start..end).step_by(step).collect();
    x.select(Axis(number(axis, x.ndim())), &kept)
}

fn slice() -> Vec<Sample> {
    let sample = |(shape, axis, start, end): (&[usize], isize, usize, usize)| {
        samples(
            shape,
            format!("{start}..{end} of {axis}"),
            move |x| x.slice(axis, start..end),
            move |x| cut(x, axis, start, end, 1),
        )
    };
    let cases: [(&[usize], isize, usize, usize); 9] = [
        (&[7], 0, 0, 7),
        (&[7], 0, 2, 5),
        (&[7], 0, 7, 7),
        (&[0], 0, 0, 0),
        (&[257], -1, 1, 257),
        (&[13, 17], 0, 12, 13),
        (&[13, 17], 1, 0, 16),
        (&[2, 3, 5], 1, 1, 3),
        (&[3, 0], 0, 1, 2),
    ];
    let mut all: Vec<Sample> = cases.into_iter().flat_map(sample).collect();
    all.extend(samples(&[5, 3], "open".into(), |x| x.slice(0, 2..), |x| cut(x, 0, 2, 5, 1)));
    all.extend(samples(&[5, 3], "closed".into(), |x| x.slice(0, ..=3), |x| cut(x, 0, 0, 4, 1)));
    all.extend(samples(&[5, 3], "all".into(), |x| x.slice(1, ..), |x| x.to_owned()));
    all
}

fn slice_bad() -> Vec<Bad> {
    vec![
        bad("slice: 0..4 by 1 is not within axis 0 of [3]", &[3], |x| x.slice(0, 0..4)),
        bad("slice: 2..1 by 1 is not within axis 0 of [3]", &[3], |x| x.slice(0, std::ops::Range { start: 2, end: 1 })),
        bad("slice: axis 1 is out of range for shape [3]", &[3], |x| x.slice(1, 0..1)),
        bad("slice: 0..18446744073709551615 by 1 is not within", &[3], |x| x.slice(0, ..=usize::MAX)),
    ]
}

fn slice_step() -> Vec<Sample> {
    let sample = |(shape, axis, start, end, step): (&[usize], isize, usize, usize, usize)| {
        let label = format!("{start}..{end} by {step} of {axis}");
        samples(shape, label, move |x| x.slice_step(axis, start..end, step), move |x| cut(x, axis, start, end, step))
    };
    let cases: [(&[usize], isize, usize, usize, usize); 7] = [
        (&[7], 0, 0, 7, 2),
        (&[7], 0, 1, 7, 3),
        (&[7], 0, 3, 4, 9),
        (&[7], 0, 4, 4, 2),
        (&[257], 0, 0, 257, 256),
        (&[13, 17], -1, 1, 16, 5),
        (&[2, 3, 5], 0, 1, 2, 1),
    ];
    cases.into_iter().flat_map(sample).collect()
}

fn slice_step_bad() -> Vec<Bad> {
    vec![
        bad("slice: 0..3 by 0 is not within axis 0 of [3]", &[3], |x| x.slice_step(0, .., 0)),
        bad("slice: 4..3 by 2 is not within axis 0 of [3]", &[3], |x| x.slice_step(0, 4.., 2)),
    ]
}

fn select() -> Vec<Sample> {
    let sample = |(shape, axis, index): (&[usize], isize, usize)| {
        samples(
            shape,
            format!("{index} of {axis}"),
            move |x| x.select(axis, index),
            move |x| x.index_axis(Axis(number(axis, x.ndim())), index).to_owned(),
        )
    };
    let cases: [(&[usize], isize, usize); 6] =
        [(&[1], 0, 0), (&[257], 0, 256), (&[13, 17], 0, 12), (&[13, 17], -1, 3), (&[2, 3, 5], 1, 2), (&[2, 0], 0, 1)];
    cases.into_iter().flat_map(sample).collect()
}

fn select_bad() -> Vec<Bad> {
    vec![
        bad("slice: 3..4 by 1 is not within axis 0 of [3]", &[3], |x| x.select(0, 3)),
        bad("slice: axis 0 is out of range for shape []", &[], |x| x.select(0, 0)),
    ]
}

fn flip() -> Vec<Sample> {
    let sample = |(shape, axes): (&[usize], &'static [isize])| {
        samples(
            shape,
            format!("{axes:?}"),
            move |x| x.flip(axes),
            move |x| {
                let mut x = x.to_owned();
                axes.iter().for_each(|&axis| x.invert_axis(Axis(number(axis, x.ndim()))));
                x.as_standard_layout().into_owned()
            },
        )
    };
    let cases: [(&[usize], &[isize]); 8] = [
        (&[], &[]),
        (&[0], &[0]),
        (&[257], &[0]),
        (&[13, 17], &[0]),
        (&[13, 17], &[-1]),
        (&[2, 3, 5], &[0, 2]),
        (&[2, 3, 5], &[0, 1, 2]),
        (&[5], &[0, 0]),
    ];
    cases.into_iter().flat_map(sample).collect()
}

fn flip_bad() -> Vec<Bad> {
    vec![bad("flip: axis -3 is out of range for shape [2, 3]", &[2, 3], |x| x.flip(&[0, -3]))]
}

fn unfold() -> Vec<Sample> {
    let sample = |(shape, axis, size, step): (&[usize], isize, usize, usize)| {
        let label = format!("{size} by {step} of {axis}");
        samples(
            shape,
            label,
            move |x| x.unfold(axis, size, step),
            move |x| {
                let at = Axis(number(axis, x.ndim()));
                let starts = (0..=x.len_of(at) - size).step_by(step);
                let windows: Vec<_> = starts
                    .map(|start| {
                        let mut order: Vec<usize> = (0..x.ndim()).filter(|&other| other != at.0).collect();
                        order.push(at.0);
                        x.slice_axis(at, Slice::from(start..start + size)).permuted_axes(IxDyn(&order))
                    })
                    .collect();
                ndarray::stack(at, &windows).unwrap_or_default()
            },
        )
    };
    let cases: [(&[usize], isize, usize, usize); 9] = [
        (&[5], 0, 3, 1),
        (&[5], 0, 3, 2),
        (&[5], 0, 5, 7),
        (&[5], 0, 1, 1),
        (&[7], 0, 2, 3),
        (&[257], 0, 16, 8),
        (&[13, 17], 0, 3, 2),
        (&[2, 7, 3], 1, 4, 1),
        (&[0, 5], 1, 2, 2),
    ];
    cases.into_iter().flat_map(sample).collect()
}

fn unfold_bad() -> Vec<Bad> {
    vec![
        bad("unfold: windows of 6 by 1 do not fit axis 0 of [5]", &[5], |x| x.unfold(0, 6, 1)),
        bad("unfold: windows of 0 by 1 do not fit axis 0 of [5]", &[5], |x| x.unfold(0, 0, 1)),
        bad("unfold: windows of 2 by 0 do not fit axis 0 of [5]", &[5], |x| x.unfold(0, 2, 0)),
        bad("unfold: windows of 1 by 1 do not fit axis 0 of [1, 1", &[1; 8], |x| x.unfold(0, 1, 1)),
        bad("unfold: axis 0 is out of range for shape []", &[], |x| x.unfold(0, 1, 1)),
    ]
}
