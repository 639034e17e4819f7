//! Samples of `argsort`, `sort` and `topk`.

use super::bound::numbers;
use super::{Bad, Data, OpInfo, Sample, Variant};
use crate::dtype::DType;
use crate::ops::Order;
use crate::tensor::Tensor;
use ndarray::{ArrayD, Axis, Slice, Zip};
use std::cmp::Ordering;

pub(super) static ROWS: &[OpInfo] = &[
    OpInfo::new("argsort", "numpy.argsort, stable; NaN last in both orders", argsort, argsort_bad),
    OpInfo::new("sort", "numpy.sort; NaN last in both orders", sort, sort_bad),
    OpInfo::new("topk", "torch.topk; ties go to the smaller place, NaN last", topk, topk_bad),
];

/// Shapes and the axis of their lanes: below, at and above the 1,024 elements that a workgroup sorts.
const SHAPES: &[(&[usize], isize)] = &[
    (&[0], 0),
    (&[1], 0),
    (&[2], -1),
    (&[7], 0),
    (&[13, 17], 0),
    (&[13, 17], 1),
    (&[3, 255], -1),
    (&[2, 256], 1),
    (&[257, 2], 0),
    (&[2, 3, 5], 1),
    (&[2, 3, 2, 1, 5], -3),
    (&[3, 0, 2], 1),
    (&[0, 3], 1),
    (&[2, 1023], 1),
    (&[1024], 0),
    (&[1025, 2], 0),
    (&[3, 4099], 1),
];

/// With ties, both zeros, infinities and NaN.
const ODD: &[f64] =
    &[1.0, f64::INFINITY, 2.0, f64::NAN, -7.5, 0.0, -0.0, f64::NEG_INFINITY, 2.0, -0.0, 0.0, 1.0, f64::NAN];

const ORDERS: [Order; 2] = [Order::Ascending, Order::Descending];

fn compare(order: Order, a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) if order == Order::Descending => b.partial_cmp(&a).unwrap_or(Ordering::Equal),
        (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (a, b) => a.cmp(&b),
    }
}

/// The places of each lane in order, by std's stable sort, and what stands there.
fn sorted(x: &ArrayD<f64>, axis: usize, order: Order) -> (ArrayD<f64>, ArrayD<f64>) {
    let (mut places, mut values) = (x.clone(), x.clone());
    let lanes = Zip::from(x.lanes(Axis(axis)));
    lanes.and(places.lanes_mut(Axis(axis))).and(values.lanes_mut(Axis(axis))).for_each(|x, mut places, mut values| {
        let mut chosen: Vec<usize> = (0..x.len()).collect();
        chosen.sort_by(|&a, &b| compare(order, x[a], x[b]));
        for (j, &place) in chosen.iter().enumerate() {
            places[j] = place as f64;
            values[j] = x[place];
        }
    });
    (places, values)
}

fn argsort() -> Vec<Sample> {
    let sample = |data: Data, axis: isize, order: Order| {
        let at = numbers(data.values.shape(), &[axis]);
        let label = format!("{data:?} axis {axis} {order:?}");
        Sample::new(label, vec![data], move |x| x[0].argsort(axis, order), move |x| sorted(&x[0], at[0], order).0)
            .dtype(DType::U32)
    };
    let mut all = Vec::new();
    for order in ORDERS {
        for &(shape, axis) in SHAPES {
            all.push(sample(Data::integers(DType::F32, shape, -50, 50, 1), axis, order).halves());
            all.push(sample(Data::of(shape, ODD), axis, order));
        }
        let ends = [0.0, f64::from(i32::MIN), f64::from(i32::MAX), -1.0, f64::from(i32::MIN)];
        all.push(sample(Data::typed(DType::I32, &[7, 3], &ends), 0, order));
        all.push(sample(
            Data::typed(DType::U32, &[3, 5], &[f64::from(u32::MAX), 0.0, 7.0, f64::from(u32::MAX)]),
            1,
            order,
        ));
        all.push(sample(Data::integers(DType::Bool, &[9, 5], 0, 2, 3), 1, order));
        all.push(sample(Data::integers(DType::BF16, &[5, 9], -3, 3, 3), 1, order));
    }
    // Many workgroups that short lanes share.
    all.push(
        sample(Data::integers(DType::U32, &[65_537, 2], 0, 9, 4), 1, Order::Ascending).variants(&[Variant::Plain]),
    );
    all
}

fn argsort_bad() -> Vec<Bad> {
    vec![
        Bad::new("argsort: axis 2 is out of range for shape [2, 3]", |device| {
            Tensor::zeros([2, 3], device).argsort(2, Order::Ascending)
        }),
        Bad::new("argsort: axis 0 is out of range for shape []", |device| {
            Tensor::zeros((), device).argsort(0, Order::Descending)
        }),
    ]
}

/// No two are equal, so that the step of a difference changes no order; 16-bit floats tie, which makes no difference to values.
fn distinct(shape: &[usize]) -> Data {
    Data::permutation(DType::F32, shape, 2)
}

fn sort() -> Vec<Sample> {
    let sample = |data: Data, axis: isize, order: Order| {
        let at = numbers(data.values.shape(), &[axis]);
        let (label, dtype) = (format!("{data:?} axis {axis} {order:?}"), data.dtype);
        Sample::new(label, vec![data], move |x| x[0].sort(axis, order), move |x| sorted(&x[0], at[0], order).1)
            .dtype(dtype)
    };
    let mut all = Vec::new();
    for order in ORDERS {
        for &(shape, axis) in SHAPES {
            all.push(sample(distinct(shape), axis, order).gradient(&[0]).halves());
        }
        all.push(sample(Data::of(&[3, 26], ODD), 1, order));
        all.extend(
            [DType::I32, DType::U32, DType::Bool, DType::F16]
                .map(|dtype| sample(Data::integers(dtype, &[5, 17], 0, 9, 3), 1, order)),
        );
    }
    all
}

fn sort_bad() -> Vec<Bad> {
    vec![Bad::new("sort: axis -3 is out of range for shape [2, 3]", |device| {
        Tensor::zeros([2, 3], device).sort(-3, Order::Ascending)
    })]
}

fn topk() -> Vec<Sample> {
    let front = |x: ArrayD<f64>, at: usize, k: usize| x.slice_axis(Axis(at), Slice::from(..k)).to_owned();
    let values = |data: Data, k: usize, axis: isize| {
        let at = numbers(data.values.shape(), &[axis])[0];
        let (label, dtype) = (format!("{k} of {data:?} axis {axis}"), data.dtype);
        let reference = move |x: &[ArrayD<f64>]| front(sorted(&x[0], at, Order::Descending).1, at, k);
        Sample::new(label, vec![data], move |x| x[0].topk(k, axis).0, reference).dtype(dtype)
    };
    let places = |data: Data, k: usize, axis: isize| {
        let at = numbers(data.values.shape(), &[axis])[0];
        let label = format!("places of {k} of {data:?} axis {axis}");
        let reference = move |x: &[ArrayD<f64>]| front(sorted(&x[0], at, Order::Descending).0, at, k);
        Sample::new(label, vec![data], move |x| x[0].topk(k, axis).1, reference).dtype(DType::U32)
    };
    let cases: &[(&[usize], usize, isize)] = &[
        (&[1], 1, 0),
        (&[5], 0, 0),
        (&[5], 5, -1),
        (&[13, 17], 3, 0),
        (&[13, 17], 3, 1),
        (&[2, 257], 256, 1),
        (&[2, 7, 3], 2, 1),
        (&[3, 2049], 11, 1),
    ];
    let mut all = Vec::new();
    for &(shape, k, axis) in cases {
        all.push(values(distinct(shape), k, axis).gradient(&[0]).halves());
        all.push(places(Data::integers(DType::F32, shape, -5, 5, 3), k, axis).halves());
    }
    all.push(values(Data::of(&[3, 13], ODD), 4, 1));
    all.push(places(Data::of(&[3, 13], ODD), 12, 1));
    all.push(values(Data::integers(DType::I32, &[3, 13], -9, 9, 1), 4, 1));
    all.push(places(Data::integers(DType::Bool, &[3, 13], 0, 2, 1), 4, 1));
    all
}

fn topk_bad() -> Vec<Bad> {
    vec![
        Bad::new("topk: k is larger than axis 1 of [2, 3]: given 4; give at most 3", |device| {
            Tensor::zeros([2, 3], device).topk(4, 1).0
        }),
        Bad::new("topk: axis 2 is out of range for shape [2, 3]", |device| Tensor::zeros([2, 3], device).topk(1, 2).1),
    ]
}
