//! Samples of `gather`, `index_select`, `take` and `one_hot`.

use super::bound::numbers;
use super::{Bad, Data, OpInfo, Sample, Variant};
use crate::dtype::DType;
use crate::tensor::Tensor;
use ndarray::{ArrayD, Axis, IxDyn};

pub(super) static ROWS: &[OpInfo] = &[
    OpInfo::new("gather", "torch.gather; out of range gives NaN or 0", gather, gather_bad),
    OpInfo::new("index_select", "torch.index_select; out of range as in gather", index_select, index_select_bad),
    OpInfo::new("take", "numpy.take; out of range as in gather", take, take_bad),
    OpInfo::new("one_hot", "torch.nn.functional.one_hot; what is no class gives zeros", one_hot, one_hot_bad),
];

/// Indices that lie outside of every tensor, some within.
const OUTSIDE: &[f64] = &[-1.0, 0.0, 1.0, 99.0, -2_147_483_648.0, 2_147_483_647.0, 0.0];
/// The same for `u32`.
const FAR: &[f64] = &[4_294_967_295.0, 0.0, 1.0, 99.0, 2_147_483_648.0, 2_147_483_647.0];

/// All types that elements are picked from.
const TYPES: [DType; 5] = [DType::I32, DType::U32, DType::Bool, DType::F16, DType::BF16];

/// Indices below `len`.
fn below(shape: &[usize], len: usize, seed: u64) -> Data {
    let dtype = if seed.is_multiple_of(2) { DType::U32 } else { DType::I32 };
    Data::integers(dtype, shape, 0, len as i32, seed)
}

/// `x` at `place` with the coordinate of `axis` replaced by `index`; what is out of range is `outside`.
fn picked(x: &ArrayD<f64>, mut place: IxDyn, axis: usize, index: f64, outside: f64) -> f64 {
    place[axis] = if (0.0..x.shape()[axis] as f64).contains(&index) { index as usize } else { usize::MAX };
    x.get(place).copied().unwrap_or(outside)
}

/// NaN for floats, 0 for others.
fn outside(dtype: DType) -> f64 {
    if dtype.is_float() { f64::NAN } else { 0.0 }
}

fn gather() -> Vec<Sample> {
    let sample = |x: Data, index: Data, axis: isize| {
        let at = numbers(x.values.shape(), &[axis])[0];
        let (label, dtype) = (format!("{x:?} at {index:?} axis {axis}"), x.dtype);
        let each = move |x: &[ArrayD<f64>]| {
            ArrayD::from_shape_fn(x[1].raw_dim(), |place| picked(&x[0], place.clone(), at, x[1][place], outside(dtype)))
        };
        Sample::new(label, vec![x, index], move |x| x[0].gather(axis, &x[1]), each).dtype(dtype)
    };
    let cases: &[(&[usize], &[usize], isize)] = &[
        (&[1], &[1], 0),
        (&[5], &[3], 0),
        (&[5], &[257], -1),
        (&[3, 4], &[3, 2], 1),
        (&[3, 4], &[1, 3], 0), // smaller than x off the axis
        (&[13, 17], &[13, 255], 1),
        (&[257, 2], &[256, 2], 0),
        (&[2, 3, 5], &[2, 7, 5], 1),
        (&[2, 3, 5], &[1, 2, 4], -2),
        (&[3, 4], &[3, 0], 1),
        (&[0, 3], &[0, 3], 1),
        (&[2, 3, 2, 1, 5], &[2, 3, 7, 1, 5], 2),
    ];
    let mut all = Vec::new();
    for (&(shape, places, axis), seed) in cases.iter().zip(0..) {
        let len = shape[numbers(shape, &[axis])[0]];
        let x = Data::uniform(shape, -9.0, 9.0, 3);
        all.push(sample(x, below(places, len, seed), axis).gradient(&[0]).halves());
    }
    for dtype in TYPES.into_iter().chain([DType::F32]) {
        let x = || Data::integers(dtype, &[4, 3], 1, 9, 5);
        all.push(sample(x(), below(&[4, 5], 3, 6), 1));
        all.push(sample(x(), Data::typed(DType::I32, &[4, 5], OUTSIDE), 1));
        all.push(sample(x(), Data::typed(DType::U32, &[7, 3], FAR), 0));
        all.push(sample(Data::integers(dtype, &[3, 0], 1, 9, 5), below(&[3, 2], 2, 6), 1)); // from nothing
    }
    all
}

fn gather_bad() -> Vec<Bad> {
    vec![
        Bad::new("gather: axis 2 is out of range for shape [2, 3]", |device| {
            Tensor::zeros([2, 3], device).gather(2, &Tensor::zeros([2, 3], device).to_dtype(DType::U32))
        }),
        Bad::new("gather: an index is u32 or i32: given f32", |device| {
            Tensor::zeros([2, 3], device).gather(0, &Tensor::zeros([2, 3], device))
        }),
        Bad::new("gather: index [6] does not fit shape [2, 3] along axis 0", |device| {
            Tensor::zeros([2, 3], device).gather(0, &Tensor::zeros([6], device).to_dtype(DType::I32))
        }),
        Bad::new("gather: index [2, 4] does not fit shape [2, 3] along axis 0", |device| {
            Tensor::zeros([2, 3], device).gather(0, &Tensor::zeros([2, 4], device).to_dtype(DType::I32))
        }),
    ]
}

/// Lanes of `x` along `axis`: those that `index` names, whose shape takes the place of that dimension.
fn lanes(x: &ArrayD<f64>, index: &ArrayD<f64>, axis: usize, outside: f64) -> ArrayD<f64> {
    let (before, after) = (&x.shape()[..axis], &x.shape()[axis + 1..]);
    let shape = [before, index.shape(), after].concat();
    ArrayD::from_shape_fn(IxDyn(&shape), |place| {
        let place = ndarray::Dimension::slice(&place);
        let (first, rest) = place.split_at(axis);
        let (named, last) = rest.split_at(index.ndim());
        let from = [first, &[0], last].concat();
        picked(x, IxDyn(&from), axis, index[IxDyn(named)], outside)
    })
}

fn lane_sample(call: fn(&Tensor, isize, &Tensor) -> Tensor, x: Data, index: Data, axis: isize) -> Sample {
    let at = numbers(x.values.shape(), &[axis])[0];
    let (label, dtype) = (format!("{x:?} at {index:?} axis {axis}"), x.dtype);
    let reference = move |x: &[ArrayD<f64>]| lanes(&x[0], &x[1], at, outside(dtype));
    Sample::new(label, vec![x, index], move |x| call(&x[0], axis, &x[1]), reference).dtype(dtype)
}

fn index_select() -> Vec<Sample> {
    let cases: &[(&[usize], usize, isize)] = &[
        (&[1], 1, 0),
        (&[5], 255, 0),
        (&[7, 13], 0, 0),
        (&[7, 13], 256, 0),
        (&[13, 7], 257, 1),
        (&[2, 3, 5], 4, 1),
        (&[2, 0, 5], 3, -1),
        (&[2, 3, 2, 1, 5], 3, -3),
        (&[3, 257], 2, 0),
    ];
    let mut all = Vec::new();
    for (&(shape, count, axis), seed) in cases.iter().zip(0..) {
        let len = shape[numbers(shape, &[axis])[0]];
        let x = Data::uniform(shape, -9.0, 9.0, 3);
        all.push(lane_sample(Tensor::index_select, x, below(&[count], len, seed), axis).gradient(&[0]).halves());
    }
    for dtype in TYPES.into_iter().chain([DType::F32]) {
        let x = || Data::integers(dtype, &[4, 3], 1, 9, 5);
        all.push(lane_sample(Tensor::index_select, x(), Data::typed(DType::I32, &[7], OUTSIDE), 0));
        all.push(lane_sample(Tensor::index_select, x(), Data::typed(DType::U32, &[6], FAR), 1));
        let nothing = Data::integers(dtype, &[0, 2], 1, 9, 5);
        all.push(lane_sample(Tensor::index_select, nothing, below(&[3], 2, 6), 0));
    }
    all.push(many());
    all
}

/// More elements than one dimension of a grid has workgroups of 256 threads for; each of the rows sums to the same.
fn many() -> Sample {
    const ROWS: usize = 65_600;
    let call = |x: &[Tensor]| {
        let index = x[1].expand([ROWS, 256]).flatten();
        x[0].index_select(0, &index).reshape([ROWS, 256]).sum_axes(&[1])
    };
    let reference = |x: &[ArrayD<f64>]| ArrayD::from_elem(vec![ROWS], lanes(&x[0], &x[1], 0, 0.0).sum());
    let inputs = vec![Data::integers(DType::I32, &[1000], -999, 999, 1), below(&[256], 1000, 2)];
    Sample::new("65,600 times 256", inputs, call, reference).dtype(DType::I32).variants(&[Variant::Plain])
}

fn index_select_bad() -> Vec<Bad> {
    vec![
        Bad::new("index_select: axis 0 is out of range for shape []", |device| {
            Tensor::zeros((), device).index_select(0, &Tensor::zeros([1], device).to_dtype(DType::U32))
        }),
        Bad::new("index_select: an index is u32 or i32: given bool", |device| {
            Tensor::zeros([2, 3], device).index_select(0, &Tensor::zeros([2], device).to_dtype(DType::Bool))
        }),
        Bad::new("index_select: index [2, 3] does not fit shape [2, 3] along axis 0", |device| {
            Tensor::zeros([2, 3], device).index_select(0, &Tensor::zeros([2, 3], device).to_dtype(DType::U32))
        }),
    ]
}

fn take() -> Vec<Sample> {
    let cases: &[(&[usize], &[usize], isize)] = &[
        (&[5], &[], 0),
        (&[7, 13], &[], 1),
        (&[7, 13], &[2, 3], 0),
        (&[7, 13], &[2, 3], -1),
        (&[7, 3], &[2, 0], 0),
        (&[7, 3], &[5, 1, 2], 0),
        (&[2, 3, 5], &[2, 2], 1),
        (&[11, 2], &[3, 257], 0),
    ];
    let mut all = Vec::new();
    for (&(shape, places, axis), seed) in cases.iter().zip(0..) {
        let len = shape[numbers(shape, &[axis])[0]];
        let x = Data::uniform(shape, -9.0, 9.0, 3);
        all.push(lane_sample(Tensor::take, x, below(places, len, seed), axis).gradient(&[0]).halves());
    }
    let x = || Data::integers(DType::F32, &[4, 3], 1, 9, 5);
    all.push(lane_sample(Tensor::take, x(), Data::typed(DType::I32, &[2, 3], OUTSIDE), 0));
    all.push(lane_sample(Tensor::take, x(), Data::typed(DType::U32, &[3, 2], FAR), 1));
    all.push(lane_sample(Tensor::take, Data::integers(DType::I32, &[4, 3], 1, 9, 5), below(&[2, 2], 3, 1), 1));
    all
}

fn take_bad() -> Vec<Bad> {
    vec![
        Bad::new("take: axis -3 is out of range for shape [2, 3]", |device| {
            Tensor::zeros([2, 3], device).take(-3, &Tensor::zeros([2], device).to_dtype(DType::U32))
        }),
        Bad::new("take: an index is u32 or i32: given f32", |device| {
            Tensor::zeros([2, 3], device).take(0, &Tensor::zeros([2, 2], device))
        }),
        Bad::new("shape: at most 8 dimensions: given 9", |device| {
            Tensor::zeros([1; 5], device).take(0, &Tensor::zeros([1; 5], device).to_dtype(DType::U32))
        }),
    ]
}

fn one_hot() -> Vec<Sample> {
    let sample = |classes: Data, count: usize| {
        let marked = move |x: &[ArrayD<f64>]| {
            let x = x[0].view().insert_axis(Axis(x[0].ndim()));
            let all = ArrayD::from_shape_fn(vec![count], |c| c[0] as f64);
            let shape = [&x.shape()[..x.ndim() - 1], &[count]].concat();
            let spread = x.broadcast(IxDyn(&shape)).map(|x| x.to_owned()).unwrap_or_default();
            let mut y = spread;
            y.zip_mut_with(&all, |y, c| *y = f64::from(u8::from(*y == *c)));
            y
        };
        Sample::new(format!("{classes:?} of {count}"), vec![classes], move |x| x[0].one_hot(count), marked)
    };
    let mut all = Vec::new();
    for (shape, seed) in [&[][..], &[1], &[5], &[0], &[2, 3], &[7, 255], &[257]].into_iter().zip(0..) {
        all.push(sample(below(shape, 3, seed), 3));
    }
    all.push(sample(below(&[4], 256, 1), 257));
    all.push(sample(below(&[4], 2, 1), 0));
    all.push(sample(Data::typed(DType::I32, &[7], OUTSIDE), 3));
    all.push(sample(Data::typed(DType::U32, &[2, 3], FAR), 3));
    all
}

fn one_hot_bad() -> Vec<Bad> {
    vec![
        Bad::new("one_hot: classes are u32 or i32: given f32", |device| Tensor::zeros([2], device).one_hot(3)),
        Bad::new("one_hot: too many classes: given 4294967295", |device| {
            Tensor::zeros([1], device).to_dtype(DType::I32).one_hot(u32::MAX as usize)
        }),
    ]
}
