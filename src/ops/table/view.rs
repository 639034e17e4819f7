//! Samples of views: other shapes of the same values.

use super::{Bad, Data, OpInfo, Sample};
use crate::dtype::DType;
use crate::tensor::Tensor;
use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn};

pub(super) static ROWS: &[OpInfo] = &[
    OpInfo::new("reshape", "numpy.reshape", reshape, reshape_bad),
    OpInfo::new("flatten", "numpy.ravel", flatten, none),
    OpInfo::new("permute", "numpy.permute_dims", permute, permute_bad),
    OpInfo::new("transpose", "numpy.swapaxes", transpose, transpose_bad),
    OpInfo::new("t", "numpy.matrix_transpose", t, t_bad),
    OpInfo::new("expand", "numpy.broadcast_to", expand, expand_bad),
    OpInfo::new("unsqueeze", "numpy.expand_dims", unsqueeze, unsqueeze_bad),
    OpInfo::new("squeeze", "numpy.squeeze", squeeze, squeeze_bad),
];

fn none() -> Vec<Bad> {
    Vec::new()
}

/// A view of f32 values with its gradient, and of integers.
pub(super) fn samples(
    shape: &[usize],
    label: String,
    call: impl Fn(&Tensor) -> Tensor + Clone + Send + Sync + 'static,
    reference: impl Fn(ArrayViewD<'_, f64>) -> ArrayD<f64> + Clone + Send + Sync + 'static,
) -> [Sample; 2] {
    [DType::F32, DType::I32].map(|dtype| {
        let inputs = vec![Data::integers(dtype, shape, -99, 99, 1)];
        let (call, reference) = (call.clone(), reference.clone());
        let label = format!("{inputs:?} {label}");
        let sample = Sample::new(label, inputs, move |x| call(&x[0]), move |x| reference(x[0].view())).dtype(dtype);
        if dtype == DType::F32 { sample.gradient(&[0]).halves() } else { sample }
    })
}

/// A call on zeros of `shape`.
pub(super) fn bad(text: &'static str, shape: &'static [usize], call: fn(Tensor) -> Tensor) -> Bad {
    Bad::new(text, move |device| call(Tensor::zeros(shape, device)))
}

pub(super) fn number(axis: isize, rank: usize) -> usize {
    axis.rem_euclid(rank as isize) as usize
}

fn shaped(x: &ArrayViewD<'_, f64>, shape: &[usize]) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(shape), x.iter().copied().collect()).unwrap_or_default()
}

fn reshape() -> Vec<Sample> {
    let cases: [(&[usize], &[usize]); 10] = [
        (&[], &[1, 1]),
        (&[1], &[]),
        (&[0], &[3, 0]),
        (&[6], &[2, 3]),
        (&[2, 3], &[6]),
        (&[2, 3], &[3, 2]),
        (&[2, 3, 5], &[6, 5]),
        (&[4, 6], &[2, 2, 3, 2]),
        (&[257], &[257, 1]),
        (&[13, 17], &[17, 13]),
    ];
    let sample = |(from, to): (&[usize], &'static [usize])| {
        samples(from, format!("to {to:?}"), move |x| x.reshape(to), move |x| shaped(&x, to))
    };
    cases.into_iter().flat_map(sample).collect()
}

fn reshape_bad() -> Vec<Bad> {
    vec![
        bad("reshape: [2, 3] has 6 elements, [4] has 4", &[2, 3], |x| x.reshape(4)),
        bad("reshape: [0] has 0 elements, [] has 1", &[0], |x| x.reshape(())),
        bad("shape: at most 8 dimensions: given 9", &[1], |x| x.reshape([1; 9])),
    ]
}

fn flatten() -> Vec<Sample> {
    let sample = |shape: &[usize]| samples(shape, String::new(), Tensor::flatten, |x| shaped(&x, &[x.len()]));
    [&[][..], &[1], &[7], &[3, 0], &[13, 17], &[2, 3, 5]].into_iter().flat_map(sample).collect()
}

fn permute() -> Vec<Sample> {
    let sample = |(shape, axes): (&[usize], &'static [isize])| {
        let call = move |x: &Tensor| x.permute(axes);
        samples(shape, format!("{axes:?}"), call, move |x| {
            let order: Vec<usize> = axes.iter().map(|&axis| number(axis, x.ndim())).collect();
            x.permuted_axes(IxDyn(&order)).to_owned()
        })
    };
    let cases: [(&[usize], &[isize]); 7] = [
        (&[], &[]),
        (&[5], &[0]),
        (&[13, 17], &[1, 0]),
        (&[2, 3, 5], &[2, 0, 1]),
        (&[2, 3, 5], &[-2, -1, 0]),
        (&[0, 3, 2], &[1, 2, 0]),
        (&[2, 3, 1, 5], &[3, 1, 0, 2]),
    ];
    cases.into_iter().flat_map(sample).collect()
}

fn permute_bad() -> Vec<Bad> {
    vec![
        bad("permute: needs each axis of [2, 3] once: given [0]", &[2, 3], |x| x.permute(&[0])),
        bad("permute: needs each axis of [2, 3] once: given [1, -1]", &[2, 3], |x| x.permute(&[1, -1])),
        bad("permute: axis 2 is out of range for shape [2, 3]", &[2, 3], |x| x.permute(&[0, 2])),
        bad("permute: needs each axis of [2] once", &[2], |x| x.permute(&[0; 12])),
    ]
}

fn transpose() -> Vec<Sample> {
    let sample = |(shape, a, b): (&[usize], isize, isize)| {
        samples(
            shape,
            format!("{a} with {b}"),
            move |x| x.transpose(a, b),
            move |mut x| {
                x.swap_axes(number(a, x.ndim()), number(b, x.ndim()));
                x.to_owned()
            },
        )
    };
    let cases: [(&[usize], isize, isize); 5] =
        [(&[5], 0, 0), (&[13, 17], 0, 1), (&[2, 3, 5], 0, -1), (&[2, 3, 5], 1, 1), (&[2, 0, 3], -1, 0)];
    cases.into_iter().flat_map(sample).collect()
}

fn transpose_bad() -> Vec<Bad> {
    vec![
        bad("transpose: axis 2 is out of range for shape [2, 3]", &[2, 3], |x| x.transpose(0, 2)),
        bad("transpose: axis 0 is out of range for shape []", &[], |x| x.transpose(0, 0)),
    ]
}

fn t() -> Vec<Sample> {
    let sample = |shape: &[usize]| {
        samples(shape, String::new(), Tensor::t, |mut x| {
            x.swap_axes(x.ndim() - 2, x.ndim() - 1);
            x.to_owned()
        })
    };
    [&[1, 1][..], &[13, 17], &[2, 3, 5], &[0, 3]].into_iter().flat_map(sample).collect()
}

fn t_bad() -> Vec<Bad> {
    vec![bad("transpose: axis -2 is out of range for shape [3]", &[3], |x| x.t())]
}

fn expand() -> Vec<Sample> {
    let sample = |(from, to): (&[usize], &'static [usize])| {
        samples(
            from,
            format!("to {to:?}"),
            move |x| x.expand(to),
            move |x| x.broadcast(IxDyn(to)).map(|view| view.to_owned()).unwrap_or_default(),
        )
    };
    let cases: [(&[usize], &[usize]); 10] = [
        (&[], &[]),
        (&[], &[3, 4]),
        (&[1], &[257]),
        (&[1], &[0]),
        (&[5], &[3, 5]),
        (&[3, 1], &[3, 5]),
        (&[1, 5], &[2, 3, 5]),
        (&[2, 1, 5], &[2, 3, 5]),
        (&[2, 3], &[2, 3]),
        (&[0, 1], &[2, 0, 3]),
    ];
    cases.into_iter().flat_map(sample).collect()
}

fn expand_bad() -> Vec<Bad> {
    vec![
        bad("expand: cannot expand [2, 3] to [2, 4]", &[2, 3], |x| x.expand([2, 4])),
        bad("expand: cannot expand [2, 3] to [3]", &[2, 3], |x| x.expand([3])),
        bad("shape: too many elements", &[1], |x| x.expand([1 << 17, 1 << 17])),
    ]
}

fn unsqueeze() -> Vec<Sample> {
    let sample = |(shape, axis): (&[usize], isize)| {
        samples(
            shape,
            format!("at {axis}"),
            move |x| x.unsqueeze(axis),
            move |x| {
                let at = number(axis, x.ndim() + 1);
                x.insert_axis(Axis(at)).to_owned()
            },
        )
    };
    let cases: [(&[usize], isize); 7] =
        [(&[], 0), (&[], -1), (&[5], 0), (&[5], -1), (&[13, 17], 1), (&[2, 3, 5], -2), (&[0, 3], 2)];
    cases.into_iter().flat_map(sample).collect()
}

fn unsqueeze_bad() -> Vec<Bad> {
    vec![
        bad("unsqueeze: axis 2 is out of range for shape [3]", &[3], |x| x.unsqueeze(2)),
        bad("unsqueeze: axis 0 is out of range", &[1; 8], |x| x.unsqueeze(0)),
    ]
}

fn squeeze() -> Vec<Sample> {
    let sample = |(shape, axis): (&[usize], isize)| {
        samples(
            shape,
            format!("at {axis}"),
            move |x| x.squeeze(axis),
            move |x| {
                let at = number(axis, x.ndim());
                x.remove_axis(Axis(at)).to_owned()
            },
        )
    };
    let cases: [(&[usize], isize); 5] = [(&[1], 0), (&[13, 1], -1), (&[1, 17], 0), (&[2, 1, 5], 1), (&[0, 1], 1)];
    cases.into_iter().flat_map(sample).collect()
}

fn squeeze_bad() -> Vec<Bad> {
    vec![
        bad("squeeze: axis 1 of [2, 3] is 3", &[2, 3], |x| x.squeeze(1)),
        bad("squeeze: axis 0 of [0] is 0", &[0], |x| x.squeeze(0)),
        bad("squeeze: axis 0 is out of range for shape []", &[], |x| x.squeeze(0)),
    ]
}
