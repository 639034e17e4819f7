//! Samples of tensors made from nothing, and of the same values in another element type or place.

use super::bound::ROUNDING;
use super::{Bad, Bound, Data, OpInfo, Sample, Variant};
use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::tensor::Tensor;
use half::{bf16, f16};
use ndarray::{ArrayD, IxDyn};

pub(super) static ROWS: &[OpInfo] = &[
    OpInfo::new("zeros", "numpy.zeros", zeros, zeros_bad),
    OpInfo::new("ones", "numpy.ones", ones, ones_bad),
    OpInfo::new("full", "numpy.full", full, full_bad),
    OpInfo::new("full_like", "numpy.full_like", full_like, none),
    OpInfo::new("eye", "numpy.eye", eye, eye_bad),
    OpInfo::new("arange", "numpy.arange", arange, arange_bad),
    OpInfo::new("linspace", "numpy.linspace", linspace, linspace_bad),
    OpInfo::new("to_dtype", "numpy.ndarray.astype; Rust's `as` out of range", to_dtype, none),
    OpInfo::new("contiguous", "the identity", contiguous, none),
    OpInfo::new("detach", "the identity, without a gradient", detach, none),
];

const SHAPES: &[&[usize]] = &[&[], &[0], &[1], &[257], &[13, 17], &[3, 0, 2], &[2, 3, 5]];

fn none() -> Vec<Bad> {
    Vec::new()
}

/// A tensor made on the device of an input that counts for nothing.
fn made(
    label: String,
    shape: &[usize],
    values: Vec<f64>,
    call: impl Fn(&Device) -> Tensor + Send + Sync + 'static,
) -> Sample {
    let wanted = ArrayD::from_shape_vec(IxDyn(shape), values).unwrap_or_default();
    Sample::new(label, vec![Data::of(&[1], &[0.0])], move |x| call(x[0].device()), move |_| wanted.clone())
        .variants(&[Variant::Plain])
}

fn filled<T: Element>(shape: &'static [usize], value: T, number: f64) -> Sample {
    let values = vec![number; shape.iter().product()];
    let label = format!("{shape:?} of {value:?}");
    made(label, shape, values, move |device| Tensor::full(shape, value, device)).dtype(T::DTYPE)
}

fn constant(value: f64, call: fn(&'static [usize], &Device) -> Tensor) -> Vec<Sample> {
    let values = |shape: &[usize]| vec![value; shape.iter().product()];
    let sample =
        |&shape: &&'static [usize]| made(format!("{shape:?}"), shape, values(shape), move |device| call(shape, device));
    SHAPES.iter().map(sample).collect()
}

fn zeros() -> Vec<Sample> {
    constant(0.0, Tensor::zeros)
}

fn ones() -> Vec<Sample> {
    constant(1.0, Tensor::ones)
}

fn zeros_bad() -> Vec<Bad> {
    vec![Bad::new("shape: too many elements", |device| Tensor::zeros([1 << 16, 1 << 16], device))]
}

fn ones_bad() -> Vec<Bad> {
    vec![Bad::new("shape: too many elements", |device| Tensor::ones([1 << 16, 1 << 16], device))]
}

fn full() -> Vec<Sample> {
    let every = SHAPES.iter().flat_map(|&shape| {
        [
            filled(shape, 2.5f32, 2.5),
            filled(shape, u32::MAX, f64::from(u32::MAX)),
            filled(shape, i32::MIN, f64::from(i32::MIN)),
            filled(shape, true, 1.0),
            filled(shape, f16::from_f32(-2.5), -2.5),
            filled(shape, bf16::from_f32(-2.5), -2.5),
        ]
    });
    let special = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN_POSITIVE];
    every.chain(special.map(|value| filled(&[5], value, f64::from(value)))).collect()
}

fn full_bad() -> Vec<Bad> {
    vec![
        Bad::new("shape: at most 8 dimensions: given 9", |device| Tensor::full([1; 9], 1.0f32, device)),
        Bad::new("shape: too many elements", |device| Tensor::full([1 << 16, 1 << 16], true, device)),
    ]
}

/// The value as the type has it.
fn held(dtype: DType, value: f64) -> f64 {
    Data::typed(dtype, &[], &[value]).values.sum()
}

fn full_like() -> Vec<Sample> {
    let sample = |dtype: DType, shape: &[usize], value: f64| {
        let wanted = held(dtype, value);
        let inputs = vec![Data::integers(dtype, shape, 0, 5, 1)];
        let label = format!("{inputs:?} of {value}");
        Sample::new(label, inputs, move |x| x[0].full_like(value), move |x| x[0].mapv(|_| wanted)).dtype(dtype)
    };
    let values = [0.0, 1.0, -2.75, 1e9];
    let typed = DType::ALL.into_iter().flat_map(|dtype| values.map(|value| sample(dtype, &[3, 5], value)));
    typed.chain([sample(DType::F32, &[], 7.0), sample(DType::I32, &[2, 0], 7.0)]).collect()
}

fn eye() -> Vec<Sample> {
    let sample = |n: usize| {
        let values = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n)));
        made(format!("{n}"), &[n, n], values.collect(), move |device| Tensor::eye(n, device))
    };
    [0, 1, 2, 7, 17, 257].map(sample).into()
}

fn eye_bad() -> Vec<Bad> {
    // 2³² + 1 would be 1 in 32 bits
    [1 << 16, (1 << 32) + 1].map(|n| Bad::new("eye: too many elements", move |device| Tensor::eye(n, device))).into()
}

fn arange() -> Vec<Sample> {
    let count = |start: f64, n: usize| (0..n).map(|i| start + i as f64).collect::<Vec<f64>>();
    let mut samples = Vec::new();
    for (start, end) in [(0, 0), (0, 1), (3, 10), (0, 257), (7, 3)] {
        let n = (end - start).max(0) as usize;
        let values = count(f64::from(start), n);
        let label = format!("{start}..{end}");
        let [s, e] = [start, end].map(|v| v as u32);
        samples.push(made(label.clone(), &[n], values.clone(), move |d| Tensor::arange(s..e, d)).dtype(DType::U32));
        samples
            .push(made(label.clone(), &[n], values.clone(), move |d| Tensor::arange(start..end, d)).dtype(DType::I32));
        let [s, e] = [start, end].map(|v| v as f32);
        samples.push(made(label, &[n], values, move |d| Tensor::arange(s..e, d)));
    }
    samples.push(made("-5..6".into(), &[11], count(-5.0, 11), |d| Tensor::arange(-5..6, d)).dtype(DType::I32));
    samples.push(made("0.5..3".into(), &[3], count(0.5, 3), |d| Tensor::arange(0.5f32..3.0, d)));
    samples.push(made("-0.5..-0.25".into(), &[1], count(-0.5, 1), |d| Tensor::arange(-0.5f32..-0.25, d)));
    samples
}

fn arange_bad() -> Vec<Bad> {
    let ranges =
        [0.0..f32::INFINITY, 0.0..f32::NEG_INFINITY, f32::NEG_INFINITY..0.0, f32::NAN..1.0, 0.0..f32::NAN, 0.0..1e10];
    ranges.map(|range| Bad::new("arange: ", move |device| Tensor::arange(range.clone(), device))).into()
}

fn linspace() -> Vec<Sample> {
    let sample = |(start, end, n): (f32, f32, usize)| {
        let [s, e] = [start, end].map(f64::from);
        let value = |i: usize| if n == 1 { s } else { s + (e - s) * i as f64 / (n - 1) as f64 };
        made(format!("{start}..={end} in {n}"), &[n], (0..n).map(value).collect(), move |device| {
            Tensor::linspace(start, end, n, device)
        })
        .bound(Bound::within(ROUNDING, 1e-12 * e.abs().max(s.abs()), "computed in f64, rounded once"))
    };
    [(0.0, 1.0, 0), (2.0, 5.0, 1), (0.0, 1.0, 2), (-1.0, 1.0, 257), (5.0, -5.0, 11), (3.0, 3.0, 4), (-3e38, 3e38, 5)]
        .map(sample)
        .into()
}

fn linspace_bad() -> Vec<Bad> {
    [1 << 32, usize::MAX]
        .map(|n| Bad::new("shape: too many elements", move |device| Tensor::linspace(0.0, 1.0, n, device)))
        .into()
}

/// The value in another type: floats towards zero and to the nearest bound, NaN to 0; integers by their bits.
fn converted(from: DType, to: DType, value: f64) -> f64 {
    match to {
        DType::Bool => f64::from(u8::from(value != 0.0)),
        DType::U32 if from == DType::I32 => f64::from((value as i32).cast_unsigned()),
        DType::U32 => f64::from(value as u32),
        DType::I32 if from == DType::U32 => f64::from((value as u32).cast_signed()),
        DType::I32 => f64::from(value as i32),
        _ => value,
    }
}

fn to_dtype() -> Vec<Sample> {
    let sample = |data: Data, to: DType| {
        let from = data.dtype;
        let rounds = !from.is_float() && to.is_float();
        let sample = Sample::new(
            format!("{data:?} to {to}"),
            vec![data],
            move |x| x[0].to_dtype(to),
            move |x| x[0].mapv(|v| converted(from, to, v)),
        );
        let sample = sample.dtype(to);
        if rounds {
            return sample.bound(Bound::within(2.0 * ROUNDING, 0.0, "WGSL rounds an integer to f32 either way"));
        }
        sample
    };
    let float = [
        0.0,
        -0.0,
        0.5,
        -0.5,
        0.99,
        -0.99,
        1.5,
        -1.5,
        2.5,
        255.9,
        -7.1,
        65_504.0,
        65_519.0,
        65_520.0,
        -65_536.0,
        1e-7,
        16_777_215.0,
        2_147_483_520.0,
        2_147_483_648.0,
        -2_147_483_648.0,
        3e9,
        4_294_967_040.0,
        4_294_967_296.0,
        1e20,
        -1e20,
        f64::from(f32::MAX),
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
    ];
    let whole = [0.0, 1.0, -1.0, 7.0, 2049.0, -2051.0, 65_535.0, 16_777_217.0, 2_147_483_647.0, -2_147_483_648.0, 4e9];
    let mut samples = Vec::new();
    for from in DType::ALL {
        for to in DType::ALL {
            let values = if from.is_float() { &float[..] } else { &whole };
            samples.push(sample(Data::typed(from, &[values.len()], values), to));
            let drawn = |shape: &[usize]| Data::integers(from, shape, 0, 100, 3);
            samples.extend([&[][..], &[0], &[5, 7], &[257], &[2, 3, 5]].map(|shape| sample(drawn(shape), to)));
            if from.is_float() && to.is_float() {
                let data = Data { dtype: from, ..Data::integers(DType::F32, &[3, 7], -99, 99, 4) };
                // the gradient comes in the type of the result: 8 bits of a bf16
                samples.push(sample(data, to).gradient(&[0]).gradient_within(2f64.powi(-8)));
            }
        }
    }
    samples
}

fn same(call: fn(&Tensor) -> Tensor, gradient: bool) -> Vec<Sample> {
    let sample = |shape: &[usize], dtype: DType| {
        let inputs = vec![Data::integers(dtype, shape, -50, 50, 5)];
        let sample = Sample::new(format!("{inputs:?}"), inputs, move |x| call(&x[0]), |x| x[0].clone()).dtype(dtype);
        if gradient && dtype == DType::F32 { sample.gradient(&[0]).halves() } else { sample }
    };
    let plain = SHAPES.iter().map(|shape| sample(shape, DType::F32));
    let typed = DType::ALL.into_iter().filter(|&dtype| dtype != DType::U32).map(|dtype| sample(&[5, 7], dtype));
    plain.chain(typed).collect()
}

fn contiguous() -> Vec<Sample> {
    same(Tensor::contiguous, true)
}

fn detach() -> Vec<Sample> {
    same(Tensor::detach, false)
}
