//! Samples of `pad`, and of the overlap-add that is the gradient of sliding windows.

use super::bound::{ROUNDING, wrapped_i32};
use super::{Bad, Bound, Data, OpInfo, Sample, Variant};
use crate::dtype::DType;
use crate::ops::fold_windows as overlap_add;
use crate::tensor::Tensor;
use ndarray::{ArrayD, Axis, Dimension, IxDyn};

pub(super) static ROWS: &[OpInfo] = &[
    OpInfo::new("pad", "numpy.pad, mode constant", pad, pad_bad),
    OpInfo::new("fold_windows", "torch.nn.Fold in one dimension: the adjoint of unfold", fold_windows, Vec::new),
];

type Borders = &'static [(usize, usize)];

/// Shapes and the elements before and after each axis.
const SHAPES: &[(&[usize], Borders)] = &[
    (&[], &[]),
    (&[1], &[(1, 0)]),
    (&[5], &[(0, 0)]),
    (&[5], &[(0, 252)]),
    (&[0], &[(2, 3)]),
    (&[13, 17], &[(0, 0), (2, 1)]),
    (&[13, 17], &[(1, 0), (0, 0)]),
    (&[13, 17], &[(3, 2), (1, 4)]),
    (&[7, 256], &[(1, 1), (0, 1)]),
    (&[0, 3], &[(1, 2), (1, 0)]),
    (&[2, 0], &[(0, 0), (1, 0)]),
    (&[2, 3, 5], &[(0, 0), (1, 1), (0, 0)]),
    (&[2, 3, 2, 1, 5], &[(1, 0), (0, 0), (0, 1), (2, 2), (0, 0)]),
    (&[1, 1, 1], &[(99, 0), (0, 1), (1, 0)]),
];

fn padded(x: &ArrayD<f64>, borders: Borders, value: f64) -> ArrayD<f64> {
    let shape: Vec<usize> = x.shape().iter().zip(borders).map(|(d, (before, after))| before + d + after).collect();
    ArrayD::from_shape_fn(IxDyn(&shape), |place| {
        let inner: Option<Vec<usize>> =
            place.slice().iter().zip(borders).map(|(at, (before, _))| at.checked_sub(*before)).collect();
        inner.and_then(|inner| x.get(IxDyn(&inner)).copied()).unwrap_or(value)
    })
}

fn pad() -> Vec<Sample> {
    let sample = |data: Data, borders: Borders, value: f32, held: f64| {
        let (label, dtype) = (format!("{data:?} by {borders:?} of {value}"), data.dtype);
        let reference = move |x: &[ArrayD<f64>]| padded(&x[0], borders, held);
        Sample::new(label, vec![data], move |x| x[0].pad(borders, value), reference).dtype(dtype)
    };
    let mut all = Vec::new();
    for &(shape, borders) in SHAPES {
        all.push(sample(Data::uniform(shape, -9.0, 9.0, 1), borders, -0.5, -0.5).gradient(&[0]).halves());
        all.push(sample(Data::integers(DType::I32, shape, -9, 9, 2), borders, -7.9, -7.0).dtype(DType::I32));
    }
    let both: Borders = &[(1, 1), (0, 2)];
    for (dtype, value, held) in [
        (DType::F32, f32::NEG_INFINITY, f64::NEG_INFINITY),
        (DType::F32, f32::NAN, f64::NAN),
        (DType::U32, 7.0, 7.0),
        (DType::U32, -1.0, 0.0),
        (DType::I32, 1e20, 2_147_483_647.0),
        (DType::Bool, 2.0, 1.0),
        (DType::F16, 1.0, 1.0),
        (DType::BF16, -0.5, -0.5),
    ] {
        all.push(sample(Data::integers(dtype, &[3, 5], 0, 9, 3), both, value, held));
    }
    all.push(many());
    all
}

/// More elements than one dimension of a grid has workgroups of 256 threads for; rows of them are summed.
fn many() -> Sample {
    const ROWS: usize = 65_600;
    let reference = |x: &[ArrayD<f64>]| {
        let mut sums = ArrayD::from_elem(vec![ROWS], 3.0 * 256.0);
        sums[ROWS - 3] += x[0].iter().take(100).map(|v| v - 3.0).sum::<f64>(); // ends 100 elements into that row
        sums[ROWS - 2] += x[0].iter().skip(100).map(|v| v - 3.0).sum::<f64>();
        sums
    };
    let before = (ROWS - 3) * 256 + 156;
    let call = move |x: &[Tensor]| x[0].pad(&[(before, 256 + 56)], 3.0).reshape([ROWS, 256]).sum_axes(&[1]);
    let inputs = vec![Data::integers(DType::I32, &[300], -999, 999, 1)];
    Sample::new("65,600 times 256", inputs, call, reference).dtype(DType::I32).variants(&[Variant::Plain])
}

fn pad_bad() -> Vec<Bad> {
    vec![
        Bad::new("pad: needs (before, after) for each axis: given 1 for shape []", |device| {
            Tensor::zeros((), device).pad(&[(1, 1)], 0.0)
        }),
        Bad::new("pad: needs (before, after) for each axis: given 1 for shape [2, 3]", |device| {
            Tensor::zeros([2, 3], device).pad(&[(1, 1)], 0.0)
        }),
        Bad::new("shape: too many elements: given", |device| Tensor::zeros([2], device).pad(&[(usize::MAX, 1)], 0.0)),
    ]
}

/// Windows of `size`, `step` apart, of a dimension of `len` at `axis`, in a tensor that has `shape` elsewhere.
#[derive(Debug, Clone, Copy)]
struct Windows {
    shape: &'static [usize],
    axis: usize,
    size: usize,
    step: usize,
}

impl Windows {
    /// Where element `j` of window `w` lay.
    fn added(self, x: &ArrayD<f64>) -> ArrayD<f64> {
        let mut y = ArrayD::zeros(IxDyn(self.shape));
        let last = x.ndim() - 1;
        for (w, window) in x.axis_iter(Axis(self.axis)).enumerate() {
            for (j, part) in window.axis_iter(Axis(last - 1)).enumerate() {
                let mut to = y.index_axis_mut(Axis(self.axis), w * self.step + j);
                to += &part;
            }
        }
        y
    }

    fn data(self, dtype: DType) -> Data {
        let windows = (self.shape[self.axis] - self.size) / self.step + 1;
        let mut shape = self.shape.to_vec();
        shape[self.axis] = windows;
        shape.push(self.size);
        match dtype {
            DType::F32 => Data::uniform(&shape, -3.0, 5.0, 1),
            dtype => Data::integers(dtype, &shape, -2_000_000_000, 2_000_000_000, 1),
        }
    }
}

fn fold_windows() -> Vec<Sample> {
    let sample = |windows: Windows, dtype: DType| {
        let Windows { shape, axis, size, step } = windows;
        let call = move |x: &[Tensor]| overlap_add(&x[0], axis, size, step, shape[axis]);
        Sample::new(format!("{windows:?} {dtype}"), vec![windows.data(dtype)], call, move |x| windows.added(&x[0]))
            .dtype(dtype)
    };
    let cases: &[(&[usize], usize, usize, usize)] = &[
        (&[1], 0, 1, 1),
        (&[5], 0, 3, 1),
        (&[5], 0, 5, 7),
        (&[9], 0, 2, 4),     // gaps
        (&[11, 2], 0, 4, 3), // a rest
        (&[2, 11], 1, 4, 2),
        (&[2, 257, 3], 1, 16, 5),
        (&[0, 5], 1, 3, 1),
        (&[3, 255], 1, 128, 1),
        (&[2, 3, 2, 7], 2, 1, 1),
        (&[101, 107], 0, 3, 2),
    ];
    let mut all = Vec::new();
    for &(shape, axis, size, step) in cases {
        let windows = Windows { shape, axis, size, step };
        let bound = Bound::each("a rounding for each window over an element", move |x, _| {
            windows.added(&x[0].mapv(f64::abs)) * (size.div_ceil(step) as f64 * ROUNDING)
        });
        all.push(sample(windows, DType::F32).bound(bound).gradient(&[0]).halves());
        let integers = sample(windows, DType::I32);
        all.push(Sample { reference: Box::new(move |x| windows.added(&x[0]).mapv(wrapped_i32)), ..integers });
    }
    all
}
