//! Samples of `matmul`, with what follows and goes before it in a network.

use super::bound::ROUNDING;
use super::{Bad, Bound, Data, OpInfo, Sample, Variant};
use crate::dtype::DType;
use crate::shape::Shape;
use crate::tensor::Tensor;
use ndarray::{Array2, ArrayD, Axis, Ix2, IxDyn};

pub(super) static ROWS: &[OpInfo] = &[OpInfo::new("matmul", "numpy.matmul; integers as f32", matmul, matmul_bad)];

/// Around the sides of tiles, of blocks of the CPU's kernel, and of vectors.
const EDGES: [usize; 12] = [15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129];

/// Shapes of vectors, of tall and of flat matrices, and of batches that broadcast.
const SHAPES: &[(&[usize], &[usize])] = &[
    (&[1], &[1]),
    (&[5], &[5]),
    (&[257], &[257]),
    (&[3, 5], &[5]),
    (&[256, 3], &[3]),
    (&[5], &[5, 3]),
    (&[255], &[255, 2]),
    (&[1, 1], &[1, 1]),
    (&[13, 17], &[17, 11]),
    (&[1, 1000], &[1000, 1]),
    (&[1000, 1], &[1, 7]),
    (&[1000, 3], &[3, 2]),
    (&[3, 2], &[2, 1000]),
    (&[2, 3001], &[3001, 5]),
    (&[3, 2, 5], &[3, 5, 4]),
    (&[3, 2, 5], &[5, 4]),
    (&[2, 5], &[3, 5, 4]),
    (&[1, 2, 5], &[3, 5, 4]),
    (&[2, 1, 3, 4], &[3, 4, 2]),
    (&[2, 1, 3, 4], &[1, 3, 4, 2]),
    (&[4], &[3, 4, 2]),
    (&[3, 2, 4], &[4]),
    (&[2, 3, 2, 2, 5], &[3, 1, 5, 4]),
    (&[7, 17, 19], &[7, 19, 23]),
    (&[2, 65, 33], &[2, 33, 66]),
];

/// Without elements, and sums of none.
const EMPTY: &[(&[usize], &[usize])] = &[
    (&[0], &[0]),
    (&[0, 3], &[3, 2]),
    (&[3, 2], &[2, 0]),
    (&[3, 0], &[0, 2]),
    (&[3, 0], &[0]),
    (&[0], &[0, 2]),
    (&[2, 3, 0], &[0, 4]),
    (&[0, 2, 3], &[3, 4]),
    (&[0, 2, 3], &[1, 3, 4]),
];

/// The product in f64.
fn product(a: &ArrayD<f64>, b: &ArrayD<f64>) -> ArrayD<f64> {
    let (row, column) = (a.ndim() == 1, b.ndim() == 1);
    let a = if row { a.clone().insert_axis(Axis(0)) } else { a.clone() };
    let b = if column { b.clone().insert_axis(Axis(1)) } else { b.clone() };
    let (batch_a, [m, k]) = split(&a);
    let (batch_b, [_, n]) = split(&b);
    let batch = Shape::broadcast("matmul", &batch_a, &batch_b).unwrap_or(Shape::SCALAR);
    let of_batch = |x: &ArrayD<f64>, [rows, columns]: [usize; 2]| {
        let shape = [&batch[..], &[rows, columns]].concat();
        x.broadcast(IxDyn(&shape)).map(|x| x.to_owned()).unwrap_or_default()
    };
    let (a, b) = (of_batch(&a, [m, k]), of_batch(&b, [k, n]));
    let mut y: ArrayD<f64> = ArrayD::zeros(IxDyn(&[&batch[..], &[m, n]].concat()));
    let matrix = |x: &ArrayD<f64>, at: &IxDyn| -> Array2<f64> {
        let inner = (0..batch.rank()).fold(x.view(), |x, axis| x.index_axis_move(Axis(0), at[axis]));
        inner.into_dimensionality::<Ix2>().map(|x| x.to_owned()).unwrap_or_default()
    };
    for at in ndarray::indices(IxDyn(&batch)) {
        let each = matrix(&a, &at).dot(&matrix(&b, &at));
        (0..batch.rank()).fold(y.view_mut(), |y, axis| y.index_axis_move(Axis(0), at[axis])).assign(&each);
    }
    let rank = batch.rank();
    if column {
        y = y.index_axis_move(Axis(rank + 1), 0);
    }
    if row {
        y = y.index_axis_move(Axis(rank), 0);
    }
    y
}

fn split(x: &ArrayD<f64>) -> (Shape, [usize; 2]) {
    let (batch, sides) = x.shape().split_at(x.ndim() - 2);
    (Shape::of(batch), [sides[0], sides[1]])
}

fn drawn(shape: &[usize], seed: u64) -> Data {
    Data::uniform(shape, -1.0, 1.0, seed)
}

fn sample(a: Data, b: Data) -> Sample {
    let depth = a.values.shape().last().copied().unwrap_or(0);
    let label = format!("{a:?} by {b:?}");
    Sample::new(label, vec![a, b], |x| x[0].matmul(&x[1]), |x| product(&x[0], &x[1]))
        .bound(Bound::product(depth, product))
}

/// `op(a)·op(b)`, where `op` transposes as the flags say: the operands lie in memory in all ways, and so do the gradients.
fn transposed([m, k, n]: [usize; 3], flags: [bool; 2]) -> Sample {
    let side = |flag: bool, [rows, columns]: [usize; 2]| if flag { [columns, rows] } else { [rows, columns] };
    let turned = move |x: &ArrayD<f64>, flag: bool| if flag { x.t().to_owned() } else { x.clone() };
    let of_both = move |a: &ArrayD<f64>, b: &ArrayD<f64>| product(&turned(a, flags[0]), &turned(b, flags[1]));
    let call = move |x: &[Tensor]| {
        let [a, b] = [0, 1].map(|i| if flags[i] { x[i].t() } else { x[i].clone() });
        a.matmul(&b)
    };
    let inputs = vec![drawn(&side(flags[0], [m, k]), 1), drawn(&side(flags[1], [k, n]), 2)];
    Sample::new(format!("{m} by {k} by {n}, transposed {flags:?}"), inputs, call, move |x| of_both(&x[0], &x[1]))
        .bound(Bound::product(k, of_both))
        .gradient(&[0, 1])
        .variants(&[Variant::Plain, Variant::Gapped])
}

/// On tensors and in f64.
type Activation = (fn(&Tensor) -> Tensor, fn(f64) -> f64);

/// `f(x·w + b)`: bias and activation are the product's epilogue. `f` has slopes up to `steep` and is itself right to `own`.
fn layer(name: &'static str, [x, w, b]: [&[usize]; 3], activation: Activation, (steep, own): (f64, f64)) -> Sample {
    let depth = x[x.len() - 1];
    let sum = |x: &[ArrayD<f64>]| product(&x[0], &x[1]) + &x[2];
    let (call, reference) = activation;
    let inputs = vec![drawn(x, 1), drawn(w, 2), drawn(b, 3)];
    let apply = move |x: &[Tensor]| call(&(&x[0].matmul(&x[1]) + &x[2]));
    Sample::new(format!("{name}(x·w + b), {x:?} by {w:?}"), inputs, apply, move |x| sum(x).mapv(reference))
        .bound(Bound::each(
            "2·(k + 1)·2⁻²⁴·(|x|·|w| + |b|) by the steepest slope, and the function's own error",
            {
                move |x, _| {
                    let sizes: Vec<ArrayD<f64>> = x.iter().map(|x| x.mapv(f64::abs)).collect();
                    sum(&sizes) * (2.0 * (depth + 1) as f64 * ROUNDING * steep + own)
                }
            },
        ))
        .gradient(&[0, 1, 2])
}

fn matmul() -> Vec<Sample> {
    let mut all = Vec::new();
    for &(a, b) in SHAPES {
        all.push(sample(drawn(a, 1), drawn(b, 2)).gradient(&[0, 1]).halves());
    }
    for &(a, b) in EMPTY {
        all.push(sample(drawn(a, 1), drawn(b, 2)).gradient(&[0, 1]));
    }
    for i in 0..EDGES.len() {
        // Each edge stands once on each side, beside others.
        let [m, k, n] = [i, (5 * i + 1) % 12, (7 * i + 3) % 12].map(|at| EDGES[at]);
        all.push(sample(drawn(&[m, k], 1), drawn(&[k, n], 2)).gradient(&[0, 1]));
    }
    for flags in [[false, true], [true, false], [true, true]] {
        all.extend([[13, 17, 11], [65, 31, 64], [3, 1, 7], [1, 257, 2]].map(|sides| transposed(sides, flags)));
    }
    // More tiles than the low limit of the tests has workgroups in one dimension of a grid.
    all.push(sample(drawn(&[101, 1, 2], 1), drawn(&[101, 2, 1], 2)).gradient(&[0, 1]));
    for dtypes in [[DType::I32; 2], [DType::U32, DType::I32], [DType::Bool, DType::F32], [DType::F16, DType::F32]] {
        let [a, b] = [(dtypes[0], 1, [5, 7]), (dtypes[1], 2, [7, 3])]
            .map(|(dtype, seed, shape)| Data::integers(dtype, &shape, 0, 40, seed));
        all.push(sample(a, b).bound(Bound::Exact));
    }
    all.extend(composites());
    all
}

fn composites() -> Vec<Sample> {
    let relu: Activation = (Tensor::relu, |v| v.max(0.0));
    let gelu = |v: f64| 0.5 * v * (1.0 + (0.797_884_560_802_865_4 * (v + 0.044715 * v * v * v)).tanh());
    let e_to_the_row = |x: &[ArrayD<f64>]| product(&x[0].mapv(f64::exp), &x[1]);
    vec![
        layer("relu", [&[32, 64], &[64, 10], &[10]], relu, (1.0, 0.0)),
        layer("relu", [&[2, 5, 7], &[7, 66], &[66]], relu, (1.0, 0.0)),
        layer("relu", [&[5, 7], &[7, 3], &[5, 1]], relu, (1.0, 0.0)),
        layer("gelu_tanh", [&[17, 33], &[33, 65], &[65]], (Tensor::gelu_tanh, gelu), (1.2, 2e-6)),
        layer("tanh", [&[3], &[3, 5], &[5]], (Tensor::tanh, f64::tanh), (1.0, 2e-6)),
        // A map before a product runs on its own.
        Sample::new("e^x·w", vec![drawn(&[5, 33], 1), drawn(&[33, 7], 2)], |x| x[0].exp().matmul(&x[1]), e_to_the_row)
            .bound(Bound::each("(2·k + 10)·2⁻²⁴·(e^x·|w|): e^x is right to 5 units where |x| < 1", |x, _| {
                product(&x[0].mapv(f64::exp), &x[1].mapv(f64::abs)) * (76.0 * ROUNDING)
            }))
            .gradient(&[0, 1]),
        // The same tensor on both sides.
        Sample::new(
            "x·xᵀ",
            vec![drawn(&[17, 5], 1)],
            |x| x[0].matmul(&x[0].t()),
            |x| product(&x[0], &x[0].t().to_owned()),
        )
        .bound(Bound::each("2·k·2⁻²⁴·(|x|·|x|ᵀ)", |x, _| {
            let size = x[0].mapv(f64::abs);
            product(&size, &size.t().to_owned()) * (10.0 * ROUNDING)
        }))
        .gradient(&[0]),
    ]
}

fn matmul_bad() -> Vec<Bad> {
    let zeros = |a: &'static [usize], b: &'static [usize]| {
        move |device: &crate::device::Device| Tensor::zeros(a, device).matmul(&Tensor::zeros(b, device))
    };
    vec![
        Bad::new("matmul: inner dimensions differ: left [2, 3], right [4, 5]", zeros(&[2, 3], &[4, 5])),
        Bad::new("matmul: inner dimensions differ: left [2], right [3]", zeros(&[2], &[3])),
        Bad::new("matmul: inner dimensions differ: left [2, 3], right [2]", zeros(&[2, 3], &[2])),
        Bad::new("matmul: needs vectors or matrices: left [], right [2]", zeros(&[], &[2])),
        Bad::new("matmul: shapes do not broadcast: left [2], right [3]", zeros(&[2, 3, 4], &[3, 4, 5])),
    ]
}
