//! Samples of random tensors: the numbers of the generator on the host, on every device.

use super::{Bad, Data, OpInfo, Sample, Variant};
use crate::device::Device;
use crate::dtype::DType;
use crate::rng::Rng;
use crate::tensor::Tensor;
use ndarray::{ArrayD, IxDyn};

pub(super) static ROWS: &[OpInfo] = &[
    OpInfo::new("uniform", "Philox 4x32-10, Salmon et al. 2011", uniform, uniform_bad),
    OpInfo::new("bernoulli", "Philox 4x32-10, Salmon et al. 2011", bernoulli, bernoulli_bad),
    OpInfo::new("normal", "Box & Muller 1958", normal, normal_bad),
    OpInfo::new("permutation", "Fisher & Yates 1938", permutation, permutation_bad),
];

const SHAPES: &[&[usize]] = &[&[], &[0], &[1], &[3], &[257], &[5, 7, 3], &[20_001]];

/// A draw of the generator in the middle of its stream, and the numbers that it must give.
fn draw(
    label: String,
    shape: &'static [usize],
    call: impl Fn(&mut Rng, &Device) -> Tensor + Send + Sync + 'static,
    numbers: impl Fn(&mut Rng, usize) -> Vec<f64> + Send + Sync + 'static,
) -> Sample {
    let late = || {
        let mut rng = Rng::seed(11);
        rng.reserve(1001);
        rng
    };
    let count = shape.iter().product();
    Sample::new(
        label,
        vec![Data::of(&[1], &[0.0])],
        move |x| call(&mut late(), x[0].device()),
        move |_| ArrayD::from_shape_vec(IxDyn(shape), numbers(&mut late(), count)).unwrap_or_default(),
    )
    .variants(&[Variant::Plain])
}

fn uniform() -> Vec<Sample> {
    let sample = |shape: &'static [usize], low: f32, high: f32| {
        draw(
            format!("{shape:?} in {low}..{high}"),
            shape,
            move |rng, device| Tensor::uniform(shape, low, high, rng, device),
            move |rng, n| rng.uniforms(n).into_iter().map(|u| f64::from(low + (high - low) * u)).collect(),
        )
    };
    SHAPES.iter().flat_map(|shape| [sample(shape, 0.0, 1.0), sample(shape, -3.0, 5.0)]).collect()
}

fn uniform_bad() -> Vec<Bad> {
    let bad = |low: f32, high: f32| {
        Bad::new("uniform: bounds must be finite, low before high", move |device| {
            Tensor::uniform([2], low, high, &mut Rng::seed(1), device)
        })
    };
    vec![bad(1.0, 0.0), bad(f32::NAN, 1.0), bad(0.0, f32::INFINITY), bad(f32::MIN, f32::MAX)]
}

fn bernoulli() -> Vec<Sample> {
    let sample = |shape: &'static [usize], p: f32| {
        draw(
            format!("{shape:?} with {p}"),
            shape,
            move |rng, device| Tensor::bernoulli(shape, p, rng, device),
            move |rng, n| rng.uniforms(n).into_iter().map(|u| f64::from(u8::from(u < p))).collect(),
        )
        .dtype(DType::Bool)
    };
    SHAPES.iter().flat_map(|shape| [0.0, 0.3, 1.0].map(|p| sample(shape, p))).collect()
}

fn bernoulli_bad() -> Vec<Bad> {
    let bad = |p: f32| {
        Bad::new("bernoulli: p must be in 0..=1", move |device| Tensor::bernoulli([2], p, &mut Rng::seed(1), device))
    };
    vec![bad(-0.1), bad(1.1), bad(f32::NAN)]
}

fn normal() -> Vec<Sample> {
    let sample = |&shape: &&'static [usize]| {
        draw(
            format!("{shape:?}"),
            shape,
            move |rng, device| Tensor::normal(shape, 2.0, 0.5, rng, device),
            |rng, n| rng.normals(n).into_iter().map(|z| f64::from(2.0 + 0.5 * z)).collect(),
        )
    };
    SHAPES.iter().map(sample).collect()
}

fn normal_bad() -> Vec<Bad> {
    vec![Bad::new("shape: at most 8 dimensions: given 9", |device| {
        Tensor::normal([1; 9], 0.0, 1.0, &mut Rng::seed(1), device)
    })]
}

fn permutation() -> Vec<Sample> {
    let sample = |shape: &'static [usize; 1]| {
        draw(
            format!("{shape:?}"),
            shape,
            move |rng, device| Tensor::permutation(shape[0], rng, device),
            |rng, n| rng.permutation(n as u32).into_iter().map(f64::from).collect(),
        )
        .dtype(DType::U32)
    };
    [&[0], &[1], &[2], &[257], &[1000]].map(sample).into()
}

fn permutation_bad() -> Vec<Bad> {
    vec![Bad::new("shape: too many elements", |device| Tensor::permutation(1 << 33, &mut Rng::seed(1), device))]
}
