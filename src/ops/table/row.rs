//! Samples of element-wise operations, made from their rows: the formula in f64 is the reference, and the errors of its
//! primitives, carried through it, are the bound.

use super::{Bad, Bound, Data, Sample, Variant};
use crate::device::DeviceKind;
use crate::dtype::DType;
use crate::expr::{Arithmetic, Program, Span};
use crate::ops::row::Row;
use crate::ops::{activation, binary, losses, unary};
use crate::shape::Shape;
use crate::tensor::Tensor;
use ndarray::{ArrayD, IxDyn};
use std::sync::Arc;

/// Every row with a method of a tensor.
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    let lists = [unary::UNARY, binary::BINARY, activation::ACTIVATION, losses::LOSS];
    lists.into_iter().flatten().copied().chain([&binary::SELECT, &binary::MASKED_FILL])
}

/// Shapes of one input: a value, none, one, around a workgroup's 256 threads, primes, several dimensions.
const SHAPES: &[&[usize]] =
    &[&[], &[0], &[1], &[7], &[255], &[256], &[257], &[13, 17], &[3, 0], &[2, 3, 5], &[2, 1, 3, 2]];

/// Shapes of two inputs; a third has the first's.
const PAIRS: &[[&[usize]; 2]] = &[
    [&[], &[]],
    [&[0], &[0]],
    [&[1], &[1]],
    [&[257], &[257]],
    [&[13, 17], &[13, 17]],
    [&[3, 1], &[1, 5]],
    [&[], &[3, 4]],
    [&[7], &[]],
    [&[2, 3, 5], &[5]],
    [&[3, 1], &[2, 3, 5]],
    [&[2, 1, 5], &[1, 3, 1]],
    [&[0, 3], &[3]],
    [&[1], &[0]],
];

/// Zeros, halves, where functions overflow, integers that f32 rounds, the ends of the range, infinities, NaN.
#[rustfmt::skip]
const SPECIAL: &[f64] = &[
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, -2.5, 3.0, 1e-7, 1e-30, -1e-30, 20.0, 88.5, -88.5, 89.0, 100.0, -100.0, 1000.0,
    -1000.0, 16_777_215.0, 1e9, 1e30, -1e30, f32::MAX as f64, f32::MIN as f64, f64::INFINITY, f64::NEG_INFINITY, f64::NAN,
];

/// Integers at which 32 bits wrap or f32 rounds; negative ones are 0 where there is no sign.
#[rustfmt::skip]
const WHOLE: &[f64] = &[
    0.0, 1.0, -1.0, 2.0, 7.0, -7.0, 31.0, 65_536.0, 16_777_217.0, 123_456_789.0, 2_147_483_647.0, -2_147_483_648.0,
    4_294_967_295.0,
];

/// Values for the run-time scalars of a row.
pub(super) fn scalars(row: &Row) -> &'static [&'static [f32]] {
    match row.scalars {
        [] => &[&[]],
        ["number"] => &[&[1.5], &[-2.0], &[0.0]],
        ["low", "high"] => &[&[-3.0, 4.0]],
        ["slope"] => &[&[0.01], &[-0.5]],
        ["alpha"] => &[&[1.0], &[0.7]],
        ["delta"] => &[&[1.0]],
        ["value"] => &[&[-7.5], &[f32::INFINITY]],
        _ => &[],
    }
}

/// Shapes for all inputs of a row.
fn shapes(row: &Row) -> Vec<Vec<&'static [usize]>> {
    match row.inputs.len() {
        1 => SHAPES.iter().map(|&shape| vec![shape]).collect(),
        n => PAIRS.iter().map(|pair| pair.iter().copied().cycle().take(n).collect()).collect(),
    }
}

/// Element types of all inputs of a row other than f32 alone.
fn types(row: &Row) -> Vec<Vec<DType>> {
    use DType::{BF16, Bool, F16, F32, I32, U32};
    let mixed = [[I32, F32], [F32, U32], [U32, I32], [Bool, I32], [Bool, F32], [F16, I32], [F16, BF16]];
    let same = [[I32; 2], [U32; 2], [Bool; 2]];
    let mixed = if row.inputs.len() == 1 { &[][..] } else { &mixed };
    let pairs = same.iter().chain(mixed);
    pairs.map(|pair| pair.iter().copied().cycle().take(row.inputs.len()).collect()).collect()
}

/// A row with its scalars.
#[derive(Clone, Copy)]
struct Use {
    row: &'static Row,
    scalars: &'static [f32],
}

pub(super) fn samples(row: &'static Row) -> Vec<Sample> {
    let (mut samples, all) = (Vec::new(), scalars(row));
    for (&scalars, first) in all.iter().zip([true, false, false]) {
        let used = Use { row, scalars };
        let count = row.inputs.len();
        samples.extend(shapes(row).into_iter().filter(|s| first || s[0].len() == 2).map(|shapes| used.drawn(&shapes)));
        samples.push(used.sample(spread(DType::F32, SPECIAL, count)));
        for types in types(row) {
            let column = |(i, &dtype): (usize, &DType)| {
                let [rows, columns] = if i == 1 { [1, 17] } else { [5, 17] };
                Data::integers(dtype, &[rows, columns], if dtype == DType::U32 { 0 } else { -9 }, 9, i as u64)
            };
            samples.push(used.sample(types.iter().enumerate().map(column).collect()));
            if first && types.iter().all(|&t| t == types[0]) {
                samples.push(used.sample(spread(types[0], WHOLE, count)));
            }
        }
    }
    if row.name == "add" {
        samples.push(folded());
    }
    samples
}

/// `values` down the rows of one input and along the columns of the next: every pair meets.
fn spread(dtype: DType, values: &[f64], count: usize) -> Vec<Data> {
    let n = values.len();
    let shape = |i: usize| if count > 1 && i.is_multiple_of(2) { vec![n, 1] } else { vec![n] };
    (0..count).map(|i| Data::typed(dtype, &shape(i), values)).collect()
}

/// More elements than 65,535 groups of 256 threads have, from small inputs.
fn folded() -> Sample {
    let inputs = vec![
        Data::integers(DType::I32, &[65_537, 1], -1000, 1000, 1),
        Data::integers(DType::I32, &[256], -1000, 1000, 2),
    ];
    Sample::new("over 65,535 groups", inputs, |x| &x[0] + &x[1], |x| &x[0] + &x[1])
        .dtype(DType::I32)
        .variants(&[Variant::Plain])
}

impl Use {
    /// Values drawn from the row's domain, with gradients where the result has one.
    fn drawn(self, shapes: &[&[usize]]) -> Sample {
        let (low, high) = self.row.domain;
        let inputs: Vec<Data> =
            shapes.iter().zip(1..).map(|(shape, seed)| Data::uniform(shape, low, high, seed)).collect();
        let all: Vec<usize> = (0..inputs.len()).collect();
        let sample = self.sample(inputs);
        // infinities have no differences
        let values: Vec<ArrayD<f64>> = sample.inputs.iter().map(|x| x.values.clone()).collect();
        let finite = (sample.reference)(&values).iter().all(|y| y.is_finite());
        let sample = if sample.dtype == DType::F32 && finite { sample.gradient(&all) } else { sample };
        if shapes.iter().any(|shape| shape.iter().product::<usize>() > 100) { sample.halves() } else { sample }
    }

    fn sample(self, inputs: Vec<Data>) -> Sample {
        let Use { row, scalars } = self;
        let types: Vec<DType> = inputs.iter().map(|x| x.dtype.compute()).collect();
        let program = row.program(&types);
        let params: Vec<f64> = scalars.iter().map(|&s| f64::from(s)).collect();
        let computed = program.outputs().first().copied().unwrap_or(DType::F32);
        // an operand in 16 bits makes the result so, unless another float is wider
        let half = inputs.iter().any(|x| x.dtype.size() == 2).then(|| {
            let floats = inputs.iter().map(|x| x.dtype).filter(|dtype| dtype.is_float());
            floats.reduce(DType::promote).unwrap_or(DType::F32)
        });
        let dtype = half.filter(|_| computed == DType::F32).unwrap_or(computed);
        let rank = inputs.iter().map(|x| x.values.ndim()).max().unwrap_or(0);
        let label = format!("{inputs:?} {scalars:?}");
        let (exact, exact_params) = (program.clone(), params.clone());
        let sample = Sample::new(
            label,
            inputs,
            move |x| row.call(&x.iter().collect::<Vec<_>>(), scalars),
            move |x| each(x, |x| exact.eval_f64(x, &exact_params).first().copied().unwrap_or(f64::NAN)),
        );
        let bound = if computed == DType::F32 { bound(program, params) } else { Bound::Exact };
        let sample = sample.dtype(dtype).bound(bound);
        // a transposed vector is a vector, a flipped value a value
        match rank {
            0 => sample.variants(&[Variant::Plain, Variant::Gapped]),
            1 => sample.variants(&[Variant::Plain, Variant::Gapped, Variant::Flipped]),
            _ => sample,
        }
    }
}

/// As far as the primitives of the formula may be off on the device, each by its own bound.
fn bound(program: Arc<Program>, params: Vec<f64>) -> Bound {
    Bound::each(
        "each primitive's bound (reliability §3.3, src/expr/span.rs), carried through the formula",
        move |x, kind| {
            let on = match kind {
                DeviceKind::Cpu => Arithmetic::Cpu,
                DeviceKind::Gpu => Arithmetic::Wgsl,
            };
            each(x, |x| program.spans(x, &params, on).first().map_or(0.0, allowed))
        },
    )
}

/// The largest allowed distance from the exact value. None where all values are NaN, or infinite as f32 has them; any where NaN
/// or infinity is one of several.
fn allowed(span: &Span) -> f64 {
    let held = f64::from(span.exact as f32);
    let infinite = span.low >= f64::from(f32::MAX) || span.high <= f64::from(f32::MIN);
    match () {
        () if held.is_nan() && span.low > span.high => 0.0,
        () if held.is_infinite() && infinite && !span.nan => 0.0,
        () if !held.is_finite() || span.nan => f64::INFINITY,
        () => (span.high - span.exact).max(span.exact - span.low),
    }
}

/// `f` of the inputs' elements, which broadcast.
fn each(x: &[ArrayD<f64>], f: impl Fn(&[f64]) -> f64) -> ArrayD<f64> {
    let join = |shape: Shape, x: &ArrayD<f64>| Shape::broadcast("each", &shape, &Shape::of(x.shape())).unwrap_or(shape);
    let shape = x.iter().fold(Shape::SCALAR, join);
    let views: Vec<_> = x.iter().filter_map(|x| x.broadcast(IxDyn(&shape))).collect();
    let mut elements: Vec<_> = views.iter().map(|view| view.iter()).collect();
    let mut values = vec![0.0; elements.len()];
    ArrayD::from_shape_simple_fn(IxDyn(&shape), || {
        for (value, elements) in values.iter_mut().zip(&mut elements) {
            *value = elements.next().copied().unwrap_or(f64::NAN);
        }
        f(&values)
    })
}

pub(super) fn bad(row: &'static Row) -> Vec<Bad> {
    let call = move |inputs: &[&Tensor]| row.call(inputs, scalars(row).first().copied().unwrap_or_default());
    if let [_] = row.inputs {
        // No shape or type is wrong: an error of its input is handed on.
        return vec![Bad::new("from_slice: 1 values do not fill shape [2]", move |device| {
            call(&[&Tensor::from_vec(vec![1.0], [2], device)])
        })];
    }
    let text = |left: &str, right: &str| format!("{}: shapes do not broadcast: left {left}, right {right}", row.name);
    let pair = move |a: &'static [usize], b: &'static [usize]| {
        move |device: &crate::device::Device| {
            let [a, b] = [a, b].map(|shape| Tensor::zeros(shape, device));
            call(&[&a, &b, &a][..row.inputs.len()])
        }
    };
    vec![
        Bad::new(text("[2, 3]", "[2, 4]"), pair(&[2, 3], &[2, 4])),
        Bad::new(text("[2]", "[3, 4]"), pair(&[2], &[3, 4])),
        Bad::new(text("[0]", "[2]"), pair(&[0], &[2])),
    ]
}
