//! Samples of `scatter_add` and `index_add`.

use super::bound::{ROUNDING, numbers, wrapped_i32};
use super::{Bad, Bound, Data, OpInfo, Sample, Variant};
use crate::dtype::DType;
use crate::tensor::Tensor;
use ndarray::{ArrayD, IxDyn};

pub(super) static ROWS: &[OpInfo] = &[
    OpInfo::new("scatter_add", "torch.scatter_add; out of range is dropped", scatter_add, scatter_add_bad),
    OpInfo::new("index_add", "torch.index_add; out of range is dropped", index_add, index_add_bad),
];

/// The type of places and how they are spread: evenly, nearly all in one, some out of range.
#[derive(Debug, Clone, Copy)]
enum Places {
    Even,
    Skewed,
    Outside,
}

impl Places {
    fn data(self, shape: &[usize], len: usize) -> Data {
        let even = Data::integers(DType::U32, shape, 0, len as i32, 9);
        match self {
            Places::Even => even,
            Places::Skewed => Data::new(DType::I32, even.values.mapv(|v| if v > 0.0 { (len / 2) as f64 } else { v })),
            Places::Outside => {
                let far = [-1.0, 0.0, len as f64, f64::from(i32::MIN), f64::from(i32::MAX), len as f64 - 1.0];
                Data::typed(DType::I32, shape, &far)
            }
        }
    }
}

const ALL: [Places; 3] = [Places::Even, Places::Skewed, Places::Outside];

/// `x[0]` with each element of `x[2]` added at the place that `at` gives for it and its index.
fn added(x: &[ArrayD<f64>], axis: usize, index: impl Fn(&IxDyn) -> Option<f64>) -> ArrayD<f64> {
    let mut y = x[0].clone();
    for (place, v) in x[2].indexed_iter() {
        let Some(to) = index(&place).filter(|to| (0.0..y.shape()[axis] as f64).contains(to)) else { continue };
        let mut place = place.clone();
        place[axis] = to as usize;
        if let Some(y) = y.get_mut(place) {
            *y += v;
        }
    }
    y
}

/// Element by element: the index may be smaller than what is added.
fn by_element(x: &[ArrayD<f64>], axis: usize) -> ArrayD<f64> {
    added(x, axis, |place| x[1].get(place.clone()).copied())
}

fn by_lane(x: &[ArrayD<f64>], axis: usize) -> ArrayD<f64> {
    added(x, axis, |place| x[1].get([place[axis]].as_slice()).copied())
}

type Call = fn(&Tensor, isize, &Tensor, &Tensor) -> Tensor;
type Reference = fn(&[ArrayD<f64>], usize) -> ArrayD<f64>;

fn sample(call: Call, reference: Reference, [base, index, src]: [Data; 3], axis: isize) -> Sample {
    let at = numbers(base.values.shape(), &[axis])[0];
    let (label, dtype, terms) =
        (format!("{src:?} at {index:?} to {base:?} axis {axis}"), base.dtype, index.values.len());
    // 16-bit floats are added up as f32; the sum is rounded, and then the sum with what was there.
    let rounded = if dtype.size() == 2 { 2f64.powi(-8) } else { 0.0 };
    let bound = Bound::each("a rounding for each term that may land there, and one of the sum where it has 16 bits", {
        move |x, _| {
            let sizes: Vec<ArrayD<f64>> =
                x.iter().enumerate().map(|(i, x)| if i == 1 { x.clone() } else { x.mapv(f64::abs) }).collect();
            reference(&sizes, at) * ((terms + 1) as f64 * ROUNDING + rounded)
        }
    });
    let call = move |x: &[Tensor]| call(&x[0], axis, &x[1], &x[2]);
    let sample = Sample::new(label, vec![base, index, src], call, move |x| reference(x, at)).dtype(dtype);
    match dtype {
        DType::F32 => sample.bound(bound).gradient(&[0, 2]),
        DType::F16 | DType::BF16 => sample.bound(bound),
        _ => Sample { reference: Box::new(move |x| reference(x, at).mapv(wrapped_i32)), ..sample },
    }
}

fn scatter_add() -> Vec<Sample> {
    let shapes: &[([&[usize]; 3], isize)] = &[
        ([&[1], &[1], &[1]], 0),
        ([&[5], &[257], &[257]], 0),
        ([&[3, 4], &[3, 2], &[3, 2]], 1),
        ([&[3, 4], &[2, 3], &[2, 4]], 0), // an index smaller than both
        ([&[13, 17], &[13, 255], &[13, 255]], 1),
        ([&[7, 2], &[256, 2], &[256, 2]], 0),
        ([&[2, 3, 5], &[2, 7, 5], &[2, 7, 5]], 1),
        ([&[2, 3, 5], &[1, 2, 4], &[2, 2, 5]], -2),
        ([&[3, 4], &[3, 0], &[3, 0]], 1),
        ([&[0, 3], &[0, 3], &[0, 3]], 1),
        ([&[3, 0], &[3, 2], &[3, 2]], 1),
        ([&[2, 3], &[2, 1500], &[2, 1500]], 1), // runs over many chunks
        ([&[600], &[2049], &[2049]], 0),
    ];
    let mut all = Vec::new();
    for &([base, index, src], axis) in shapes {
        let len = base[numbers(base, &[axis])[0]];
        for places in ALL {
            let drawn = |shape, seed| Data::uniform(shape, -3.0, 5.0, seed);
            let inputs = [drawn(base, 1), places.data(index, len), drawn(src, 2)];
            all.push(sample(Tensor::scatter_add, by_element, inputs, axis));
        }
        let large = |shape, seed| Data::integers(DType::I32, shape, -2_000_000_000, 2_000_000_000, seed);
        let inputs = [large(base, 3), Places::Even.data(index, len), large(src, 4)];
        all.push(sample(Tensor::scatter_add, by_element, inputs, axis));
    }
    all.extend([DType::F16, DType::BF16].map(|dtype| {
        let drawn = |shape: &[usize], seed| Data::new(dtype, Data::uniform(shape, -3.0, 5.0, seed).values);
        let inputs = [drawn(&[3, 4], 1), Places::Even.data(&[3, 50], 4), drawn(&[3, 50], 2)];
        sample(Tensor::scatter_add, by_element, inputs, 1)
    }));
    all
}

fn scatter_add_bad() -> Vec<Bad> {
    vec![
        Bad::new("scatter_add: axis 2 is out of range for shape [2, 3]", |device| {
            let x = Tensor::zeros([2, 3], device);
            x.scatter_add(2, &x.to_dtype(DType::U32), &x)
        }),
        Bad::new("scatter_add: index [2, 3] does not fit src [1, 3] and shape [2, 3] along axis 0", |device| {
            let x = Tensor::zeros([2, 3], device);
            x.scatter_add(0, &x.to_dtype(DType::U32), &x.slice(0, ..1))
        }),
        Bad::new("scatter_add: an index is u32 or i32: given f32", |device| {
            let x = Tensor::zeros([2, 3], device);
            x.scatter_add(0, &x, &x)
        }),
        Bad::new("scatter_add: bools do not add: given bool", |device| {
            let x = Tensor::zeros([2, 3], device).to_dtype(DType::Bool);
            x.scatter_add(0, &x.to_dtype(DType::U32), &x)
        }),
    ]
}

fn index_add() -> Vec<Sample> {
    let shapes: &[(&[usize], usize, isize)] = &[
        (&[1], 1, 0),
        (&[5], 257, 0),
        (&[3, 7], 255, 0),
        (&[7, 3], 256, 1),
        (&[2, 3, 5], 4, 1),
        (&[3, 4], 0, 0),
        (&[0, 3], 2, 0),
        (&[2, 0], 3, 0),
        (&[2, 3, 2, 1, 5], 3, -3),
        (&[2, 3], 5003, 0),
        (&[1000, 2], 2049, 0),
        (&[11_003, 1], 300, 0),
    ];
    let mut all = Vec::new();
    for &(base, count, axis) in shapes {
        let at = numbers(base, &[axis])[0];
        let mut src = base.to_vec();
        src[at] = count;
        for places in ALL {
            let drawn = |shape: &[usize], seed| Data::uniform(shape, -3.0, 5.0, seed);
            let inputs = [drawn(base, 1), places.data(&[count], base[at]), drawn(&src, 2)];
            all.push(sample(Tensor::index_add, by_lane, inputs, axis));
        }
        let large = |shape: &[usize], seed| Data::integers(DType::I32, shape, -2_000_000_000, 2_000_000_000, seed);
        let inputs = [large(base, 3), Places::Skewed.data(&[count], base[at]), large(&src, 4)];
        all.push(sample(Tensor::index_add, by_lane, inputs, axis));
    }
    // Many runs over many chunks.
    let [base, src] = [&[13, 101], &[2049, 101]].map(|shape| Data::uniform(shape, -3.0, 5.0, 5));
    let many = sample(Tensor::index_add, by_lane, [base, Places::Even.data(&[2049], 13), src], 0);
    all.push(many.gradient(&[]).variants(&[Variant::Plain]));
    all
}

fn index_add_bad() -> Vec<Bad> {
    vec![
        Bad::new("index_add: index [6] does not fit what is added, [2, 3], along axis 0", |device| {
            let x = Tensor::zeros([2, 3], device);
            x.index_add(0, &x.to_dtype(DType::U32).flatten(), &x)
        }),
        Bad::new("index_add: src [3, 2] does not fit shape [2, 3] along axis 0", |device| {
            let x = Tensor::zeros([2, 3], device);
            x.index_add(0, &x.to_dtype(DType::U32).flatten(), &x.t())
        }),
        Bad::new("index_add: axis 2 is out of range for shape [2, 3]", |device| {
            let x = Tensor::zeros([2, 3], device);
            x.index_add(2, &x.to_dtype(DType::U32).flatten(), &x)
        }),
    ]
}
