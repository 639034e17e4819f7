//! Samples of `sum`, `mean`, `prod`, `max`, `min`, `any` and `all`.

use super::bound::{ROUNDING, SUM_DEPTH, fold_along, numbers, sum_along, wrapped_i32, wrapped_u32};
use super::{Bad, Bound, Data, OpInfo, Sample};
use crate::dtype::DType;
use crate::tensor::Tensor;
use ndarray::{ArrayD, IxDyn};

pub(super) static ROWS: &[OpInfo] = &[
    OpInfo::new("sum", "numpy.sum", sum, sum_bad),
    OpInfo::new("mean", "numpy.mean", mean, mean_bad),
    OpInfo::new("prod", "numpy.prod", prod, prod_bad),
    OpInfo::new("max", "numpy.max; ties share the gradient, as in torch.amax", max, max_bad),
    OpInfo::new("min", "numpy.min; ties share the gradient, as in torch.amin", min, min_bad),
    OpInfo::new("any", "numpy.any", any, any_bad),
    OpInfo::new("all", "numpy.all", all, all_bad),
];

/// Shapes and axes; where there are none, the tensor stays as it is.
const SHAPES: &[(&[usize], &[isize])] = &[
    (&[], &[]),
    (&[1], &[0]),
    (&[7], &[0]),
    (&[7], &[]),
    (&[13, 17], &[1]),
    (&[13, 17], &[0]),
    (&[300, 3], &[-1]),
    (&[3, 255], &[1]),
    (&[2, 256], &[-1]),
    (&[257, 2], &[0]),
    (&[2, 3, 5], &[1]),
    (&[2, 3, 5], &[2, 0]),
    (&[2, 3, 5], &[-1, 0, 1]),
    (&[2, 3, 2, 1, 2, 3], &[5, 0, 3]),
    (&[0, 3], &[1]),
    (&[3, 0, 2], &[2]),
    (&[3001, 5], &[0]),
];

/// A row that a GPU cuts into parts, and rows of which each has a workgroup, more than one block of the CPU long.
const LONG: &[(&[usize], &[isize])] = &[(&[2, 33_001], &[1]), (&[5, 2049], &[1])];

type Call = fn(&Tensor, &[isize]) -> Tensor;
type Reference = fn(&ArrayD<f64>, &[usize]) -> ArrayD<f64>;

/// What a reduction is: its call over axes, and over all; the same in f64; what results may differ by.
#[derive(Clone, Copy)]
struct Reduction {
    axes: Call,
    whole: fn(&Tensor) -> Tensor,
    reference: Reference,
    bound: fn(&[usize]) -> Bound,
}

impl Reduction {
    fn sample(self, data: Data, axes: &'static [isize]) -> Sample {
        let at = numbers(data.values.shape(), axes);
        let label = format!("{data:?} axes {axes:?}");
        let bound = (self.bound)(&at);
        Sample::new(label, vec![data], move |x| (self.axes)(&x[0], axes), move |x| (self.reference)(&x[0], &at))
            .bound(bound)
    }

    /// Over all axes, of which there may be none.
    fn of_whole(self, data: Data) -> Sample {
        let at: Vec<usize> = (0..data.values.ndim()).collect();
        let (label, bound) = (format!("{data:?} as a whole"), (self.bound)(&at));
        let whole = move |x: &[Tensor]| (self.whole)(&x[0]);
        Sample::new(label, vec![data], whole, move |x| (self.reference)(&x[0], &at)).bound(bound)
    }

    /// Samples of floats with gradients.
    fn floats(self, data: fn(&[usize]) -> Data) -> Vec<Sample> {
        let along = SHAPES.iter().chain(LONG).map(|&(shape, axes)| {
            let sample = self.sample(data(shape), axes).gradient(&[0]);
            if shape.len() == 2 { sample.halves() } else { sample }
        });
        let whole = [&[][..], &[5], &[2, 3, 4]].map(|shape| self.of_whole(data(shape)).gradient(&[0]));
        along.chain(whole).collect()
    }

    /// Samples of a type whose results are exact.
    fn exact(self, data: impl Fn(&[usize]) -> Data, result: DType) -> Vec<Sample> {
        let exact = |sample: Sample| sample.bound(Bound::Exact).dtype(result);
        let along = SHAPES.iter().chain(LONG).map(|&(shape, axes)| exact(self.sample(data(shape), axes)));
        along.chain([exact(self.of_whole(data(&[3, 5])))]).collect()
    }

    /// No elements at all, and an axis of none: every result is the one of nothing.
    fn empty(self) -> Vec<Sample> {
        let none = |shape: &[usize]| Data::of(shape, &[]);
        vec![
            self.sample(none(&[0, 3]), &[0]),
            self.sample(none(&[2, 0, 3]), &[1, 2]),
            self.of_whole(none(&[0])),
            self.of_whole(none(&[2, 0])),
        ]
    }

    /// More outputs than one dimension of a grid has workgroups: by a thread each, and by a workgroup each; and many rows that
    /// are cut into parts. Few elements are stored: they are repeated along an axis that stays.
    fn many(self, data: impl Fn(&[usize]) -> Data) -> Vec<Sample> {
        let sample = |[rows, times, elements]: [usize; 3]| {
            let data = data(&[rows, 1, elements]);
            let (label, bound) = (format!("{data:?} {times} times"), (self.bound)(&[2]));
            let call = move |x: &[Tensor]| (self.axes)(&x[0].expand([rows, times, elements]), &[2]);
            let each = move |x: &ArrayD<f64>| {
                let each = (self.reference)(x, &[2]);
                each.broadcast(IxDyn(&[rows, times])).map(|all| all.to_owned()).unwrap_or_default()
            };
            let sample = Sample::new(label, vec![data], call, move |x| each(&x[0])).variants(&[super::Variant::Plain]);
            match bound {
                Bound::Each { allowed, reason } => sample.bound(Bound::each(reason, move |x, kind| {
                    allowed(x, kind).broadcast(IxDyn(&[rows, times])).map(|all| all.to_owned()).unwrap_or_default()
                })),
                bound => sample.bound(bound),
            }
        };
        vec![sample([61, 68_800, 2]), sample([131, 503, 128]), sample([1, 257, 40_001])]
    }
}

fn uniform(shape: &[usize]) -> Data {
    Data::uniform(shape, -3.0, 5.0, 1)
}

/// No two are equal, so that no step of a difference changes which is the largest.
fn distinct(shape: &[usize]) -> Data {
    Data::permutation(DType::F32, shape, 2)
}

fn count(x: &ArrayD<f64>, axes: &[usize]) -> usize {
    axes.iter().map(|&axis| x.shape()[axis]).product()
}

fn sum() -> Vec<Sample> {
    let reduction = Reduction { axes: Tensor::sum_axes, whole: Tensor::sum, reference: sum_along, bound: Bound::sum };
    let wrapping = Reduction { reference: |x, axes| sum_along(x, axes).mapv(wrapped_i32), ..reduction };
    let unsigned = Reduction { reference: |x, axes| sum_along(x, axes).mapv(wrapped_u32), ..reduction };
    let mut samples = reduction.floats(uniform);
    let large = |shape: &[usize]| Data::integers(DType::I32, shape, -2_000_000_000, 2_000_000_000, 3);
    samples.extend(wrapping.exact(large, DType::I32));
    samples.extend(unsigned.exact(|shape| Data::integers(DType::U32, shape, 0, 2_000_000_000, 4), DType::U32));
    samples.extend(reduction.exact(|shape| Data::integers(DType::Bool, shape, 0, 2, 5), DType::I32));
    samples.extend(reduction.empty());
    samples.extend(reduction.many(uniform));
    samples.extend([counted(), weighted()]);
    samples.extend([with_prologue(&[5, 7]), with_prologue(&[3, 257]), with_prologue(&[2, 20_001]), with_both()]);
    samples
}

/// `Σ (a - b)²`: one launch, with the difference and the square before the sum.
fn with_prologue(shape: &'static [usize]) -> Sample {
    let squares = |x: &[ArrayD<f64>]| sum_along(&(&x[0] - &x[1]).mapv(|v| v * v), &[1]);
    Sample::new(
        format!("squares of a difference, {shape:?}"),
        vec![Data::uniform(shape, -1.0, 1.0, 1), Data::uniform(shape, -1.0, 1.0, 2)],
        |x| (&x[0] - &x[1]).square().sum_axes(&[1]),
        squares,
    )
    .bound(Bound::each("the roundings of a sum, and three of each term", move |x, _| {
        squares(x) * ((shape[1].min(SUM_DEPTH) + 3) as f64 * ROUNDING)
    }))
    .gradient(&[0, 1])
}

/// How many are positive: the comparison is part of an integer sum.
fn counted() -> Sample {
    let positive = |x: &[ArrayD<f64>]| sum_along(&x[0].mapv(|v| f64::from(u8::from(v > 0.0))), &[1]);
    let inputs = vec![Data::uniform(&[13, 257], -1.0, 1.0, 1)];
    Sample::new("numbers above 0", inputs, |x| x[0].gt_scalar(0.0).sum_axes(&[1]), positive).dtype(DType::I32)
}

/// `Σ x·w` where `w` is repeated along the rows that are summed, and along those that stay.
fn weighted() -> Sample {
    let product = |x: &[ArrayD<f64>]| sum_along(&(&x[0] * &x[1] * &x[2]), &[0]);
    let uniform = |shape: &[usize], seed| Data::uniform(shape, -1.0, 1.0, seed);
    let inputs = vec![uniform(&[33, 5], 1), uniform(&[5], 2), uniform(&[33, 1], 3)];
    Sample::new("products of what is repeated", inputs, |x| (&(&x[0] * &x[1]) * &x[2]).sum_axes(&[0]), product)
        .bound(Bound::each("the roundings of a sum, and two of each term", move |x, _| {
            let sizes: Vec<ArrayD<f64>> = x.iter().map(|x| x.mapv(f64::abs)).collect();
            product(&sizes) * (35.0 * ROUNDING)
        }))
        .gradient(&[0, 1, 2])
}

/// `√(1 + Σ e^x)·b`: a map before the sum and one after it, with an input of its own.
fn with_both() -> Sample {
    let reference = |x: &[ArrayD<f64>]| sum_along(&x[0].mapv(f64::exp), &[0]).mapv(|sum| (1.0 + sum).sqrt()) * &x[1];
    Sample::new(
        "root of a sum of exponentials, [65, 40]",
        vec![Data::uniform(&[65, 40], -1.0, 1.0, 1), Data::uniform(&[40], -1.0, 1.0, 2)],
        |x| &(1.0 + &x[0].exp().sum_axes(&[0])).sqrt() * &x[1],
        reference,
    )
    .bound(Bound::each(
        "half of the sum's 65 roundings and of the 10 of each e^x, 10 of the root, one of the product",
        move |x, _| reference(x).mapv(|y| (75.0 / 2.0 + 12.0) * ROUNDING * y.abs()),
    ))
    .gradient(&[0, 1])
}

fn sum_bad() -> Vec<Bad> {
    vec![
        Bad::new("sum: axis 2 is out of range for shape [2, 3]", |device| Tensor::zeros([2, 3], device).sum_axes(&[2])),
        Bad::new("sum: axis 0 is out of range for shape []", |device| Tensor::zeros((), device).sum_axes(&[0])),
    ]
}

fn mean() -> Vec<Sample> {
    let bound = |axes: &[usize]| {
        let axes = axes.to_vec();
        Bound::each("the roundings of the sum, one of 1/n and one of the product, relative to Σ|x|/n", move |x, _| {
            let n = count(&x[0], &axes);
            sum_along(&x[0].mapv(f64::abs), &axes) * ((n.min(SUM_DEPTH) + 2) as f64 * ROUNDING / n.max(1) as f64)
        })
    };
    let reduction = Reduction {
        axes: Tensor::mean_axes,
        whole: Tensor::mean,
        reference: |x, axes| sum_along(x, axes) / count(x, axes) as f64,
        bound,
    };
    let mut samples = reduction.floats(uniform);
    let halves = [DType::F16, DType::BF16]; // their sums pass 65,504, the largest f16
    samples.extend(halves.map(|half| reduction.sample(Data::integers(half, &[3, 300], 400, 600, 3), &[1]).dtype(half)));
    let whole = |dtype: DType, low: i32| reduction.sample(Data::integers(dtype, &[5, 33], low, 100, 3), &[0]);
    samples.extend([whole(DType::I32, -100), whole(DType::U32, 0), whole(DType::Bool, 0)]);
    samples.extend(reduction.empty());
    samples
}

fn mean_bad() -> Vec<Bad> {
    vec![Bad::new("mean: axis -3 is out of range for shape [2, 3]", |device| {
        Tensor::zeros([2, 3], device).mean_axes(&[-3])
    })]
}

fn prod() -> Vec<Sample> {
    let bound = |axes: &[usize]| {
        let axes = axes.to_vec();
        Bound::each("a rounding for each factor, in any order", move |x, _| {
            product(&x[0], &axes).mapv(f64::abs) * (count(&x[0], &axes) as f64 * ROUNDING)
        })
    };
    let reduction = Reduction { axes: Tensor::prod_axes, whole: Tensor::prod, reference: product, bound };
    let wrapping = Reduction { reference: |x, axes| product(x, axes).mapv(wrapped_i32), ..reduction };
    // Close to 1, or the product of many leaves f32.
    let mut samples = reduction.floats(|shape| Data::uniform(shape, 0.9, 1.1, 1));
    let zeros = [2.0, -3.0, 0.5, 1.5, 2.0, 0.0, 0.5, 1.5, 0.0, -3.0, 0.0, 1.5]; // none, one and two in a row
    samples
        .extend([&[1][..], &[0], &[0, 1]].map(|axes| reduction.sample(Data::of(&[3, 4], &zeros), axes).gradient(&[0])));
    samples.push(
        wrapping.sample(Data::integers(DType::I32, &[7, 5], -90, 90, 3), &[0]).bound(Bound::Exact).dtype(DType::I32),
    );
    let small = |dtype: DType, low: i32| Data::integers(dtype, &[5, 3], low, 7, 3);
    samples.extend([
        reduction.sample(small(DType::U32, 0), &[1]).bound(Bound::Exact).dtype(DType::U32),
        reduction.sample(small(DType::Bool, 0), &[1]).bound(Bound::Exact).dtype(DType::I32),
    ]);
    samples.extend(reduction.empty());
    samples
}

fn product(x: &ArrayD<f64>, axes: &[usize]) -> ArrayD<f64> {
    fold_along(x, axes, 1.0, |all, v| all * v)
}

fn prod_bad() -> Vec<Bad> {
    vec![Bad::new("prod: axis 2 is out of range for shape [2, 3]", |device| {
        Tensor::zeros([2, 3], device).prod_axes(&[2])
    })]
}

/// Samples of `max` or `min`.
fn extremes(axes: Call, whole: fn(&Tensor) -> Tensor, reference: Reference) -> Vec<Sample> {
    let reduction = Reduction { axes, whole, reference, bound: |_| Bound::Exact };
    let mut samples = reduction.floats(distinct);
    // Two share the gradient.
    let two = Data::of(&[2, 4], &[1.0, 3.0, 3.0, 1.0, -2.0, -2.0, -7.0, -7.0]);
    let infinite = Data::of(&[3, 2], &[f64::INFINITY, f64::NEG_INFINITY, 1.0, f64::INFINITY, f64::NEG_INFINITY, 2.0]);
    samples.extend([reduction.sample(two, &[1]).gradient(&[0]).once(), reduction.sample(infinite, &[0])]);
    samples.push(reduction.sample(Data::of(&[3, 2], &[f64::NEG_INFINITY]), &[1]));
    samples.push(reduction.sample(Data::of(&[3, 2], &[f64::INFINITY]), &[1]));
    // NaN wins wherever it stands, in each of the ways in which rows are reduced.
    for shape in [[3, 5], [5, 257], [2, 40_001]] {
        let n = shape[1] as f64;
        let nan = move |i: f64| if [n - 1.0, n, 3.0 * n / 2.0].contains(&i.trunc()) { f64::NAN } else { 1.0 };
        let values: Vec<f64> = (0..shape[0] * shape[1]).map(|i| nan(i as f64)).collect();
        samples.push(reduction.sample(Data::of(&shape, &values), &[1]));
        samples.push(reduction.sample(Data::of(&[shape[1], shape[0]], &values), &[0]));
    }
    let extreme = [f64::from(i32::MIN), f64::from(i32::MAX), -1.0, 0.0, f64::from(i32::MIN), 5.0];
    samples.push(reduction.sample(Data::typed(DType::I32, &[3, 2], &extreme), &[0]).dtype(DType::I32));
    let full = [f64::from(u32::MAX), 0.0, 7.0, f64::from(u32::MAX)];
    samples.push(reduction.sample(Data::typed(DType::U32, &[3, 4], &full), &[0]).dtype(DType::U32));
    samples.extend(reduction.exact(|shape| Data::integers(DType::I32, shape, -900, 900, 3), DType::I32));
    samples.push(reduction.sample(Data::integers(DType::Bool, &[9, 3], 0, 2, 4), &[1]).dtype(DType::Bool));
    samples
}

fn max() -> Vec<Sample> {
    extremes(Tensor::max_axes, Tensor::max, |x, axes| {
        fold_along(x, axes, f64::NEG_INFINITY, |a, b| if a.is_nan() || a > b { a } else { b })
    })
}

fn min() -> Vec<Sample> {
    extremes(Tensor::min_axes, Tensor::min, |x, axes| {
        fold_along(x, axes, f64::INFINITY, |a, b| if a.is_nan() || a < b { a } else { b })
    })
}

fn max_bad() -> Vec<Bad> {
    vec![
        Bad::new("max: nothing to choose from: given shape [2, 0]", |device| {
            Tensor::zeros([2, 0], device).max_axes(&[1])
        }),
        Bad::new("max: axis 2 is out of range for shape [2, 3]", |device| Tensor::zeros([2, 3], device).max_axes(&[2])),
    ]
}

fn min_bad() -> Vec<Bad> {
    vec![
        Bad::new("min: nothing to choose from: given shape [0]", |device| Tensor::zeros([0], device).min()),
        Bad::new("min: axis -3 is out of range for shape [2, 3]", |device| {
            Tensor::zeros([2, 3], device).min_axes(&[-3])
        }),
    ]
}

/// Samples of `any` or `all`: rows of nothing, of everything, and mixed ones.
fn quantified(axes: Call, whole: fn(&Tensor) -> Tensor, reference: Reference) -> Vec<Sample> {
    let reduction = Reduction { axes, whole, reference, bound: |_| Bound::Exact };
    let mixed = |dtype: DType| move |shape: &[usize]| Data::typed(dtype, shape, &[0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
    let mut samples = reduction.exact(mixed(DType::Bool), DType::Bool);
    for value in [0.0, 1.0] {
        samples.extend(reduction.exact(|shape| Data::typed(DType::Bool, shape, &[value]), DType::Bool));
    }
    let floats = Data::of(&[4, 3], &[0.0, -0.0, 0.0, 1e-30, 0.0, -0.0, f64::INFINITY, -2.5, 0.25, 0.0, 1e30, 1.0]);
    samples.push(reduction.sample(floats, &[1]).dtype(DType::Bool).halves().bound(Bound::Exact));
    samples.extend(
        [DType::I32, DType::U32, DType::F16]
            .map(|dtype| reduction.sample(mixed(dtype)(&[5, 3]), &[1]).dtype(DType::Bool)),
    );
    samples.extend(reduction.empty().into_iter().map(|sample| sample.dtype(DType::Bool)));
    // A comparison before it is part of it.
    let pair = || vec![Data::integers(DType::I32, &[9, 4], 0, 2, 7), Data::integers(DType::I32, &[4], 0, 2, 8)];
    let equal = |x: &[ArrayD<f64>]| (&x[0] - &x[1]).mapv(|v| f64::from(u8::from(v == 0.0)));
    samples.push(
        Sample::new("of equality", pair(), move |x| axes(&x[0].eq(&x[1]), &[1]), move |x| reference(&equal(x), &[1]))
            .dtype(DType::Bool),
    );
    samples
}

fn any() -> Vec<Sample> {
    quantified(Tensor::any_axes, Tensor::any, |x, axes| {
        fold_along(x, axes, 0.0, |any, v| if v != 0.0 { 1.0 } else { any })
    })
}

fn all() -> Vec<Sample> {
    quantified(Tensor::all_axes, Tensor::all, |x, axes| {
        fold_along(x, axes, 1.0, |all, v| if v == 0.0 { 0.0 } else { all })
    })
}

fn any_bad() -> Vec<Bad> {
    vec![Bad::new("any: axis 2 is out of range for shape [2, 3]", |device| {
        Tensor::zeros([2, 3], device).any_axes(&[2])
    })]
}

fn all_bad() -> Vec<Bad> {
    vec![Bad::new("all: axis 0 is out of range for shape []", |device| Tensor::zeros((), device).all_axes(&[0]))]
}
