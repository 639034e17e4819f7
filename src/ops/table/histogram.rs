//! Samples of `histogram`.

use super::{Bad, Data, OpInfo, Sample, Variant};
use crate::dtype::DType;
use crate::ops::histogram::{BINS, ENTRY, LANES, histogram};
use crate::rng::Rng;
use crate::shape::Shape;
use crate::tensor::Tensor;
use ndarray::ArrayD;

pub(super) static ROWS: &[OpInfo] =
    &[OpInfo::new("histogram", "sums by bin, as LightGBM's, in 64-bit integers; no gradient", sums, sums_bad)];

/// Words of all 32 bits.
fn drawn(shape: &[usize], seed: u64) -> Data {
    let count = shape.iter().product();
    let draws = |seed| Rng::seed(seed).uniforms(count).into_iter().map(|u| f64::from((u * 65_536.0) as u32));
    let words: Vec<f64> = draws(seed).zip(draws(seed + 100)).map(|(high, low)| high * 65_536.0 + low).collect();
    Data::typed(DType::U32, shape, &words)
}

fn added(x: &[ArrayD<f64>], count: u32) -> ArrayD<f64> {
    let (bins, rows, entries) = (&x[0], &x[1], &x[2]);
    let (blocks, all) = (bins.shape()[0], bins.shape()[1]);
    let mut sums = vec![[0u64; 2]; blocks * LANES * BINS];
    for row in rows.iter().take(count as usize).map(|&row| row as usize).filter(|&row| row < all) {
        for feature in 0..blocks * LANES {
            let bin = bins[[feature / LANES, row]] as usize >> (8 * (feature % LANES)) & 255;
            for (half, sum) in sums[feature * BINS + bin].iter_mut().enumerate() {
                let word = |i: usize| entries[[row, 2 * half + i]] as u64;
                *sum = sum.wrapping_add(word(0) | word(1) << 32);
            }
        }
    }
    let words = sums.iter().flatten().flat_map(|&sum| [f64::from(sum as u32), f64::from((sum >> 32) as u32)]);
    ArrayD::from_shape_vec(vec![blocks * LANES, BINS, ENTRY], words.collect()).unwrap_or_default()
}

fn sums() -> Vec<Sample> {
    let sample = |blocks: usize, rows: usize, listed: usize, count: u32, bins: Data| {
        let label = format!("{count} of {listed} of {rows} rows, {blocks} blocks");
        // some rows come twice, and some are none
        let places = Data::integers(DType::U32, &[listed], 0, rows as i32 + 1 + rows as i32 / 50, 7);
        let inputs = vec![bins, places, drawn(&[rows, ENTRY], 8)];
        let call = move |x: &[Tensor]| histogram(&x[0], &x[1], count, &x[2]);
        Sample::new(label, inputs, call, move |x| added(x, count)).dtype(DType::U32)
    };
    let mut all = vec![
        sample(1, 1, 1, 1, drawn(&[1, 1], 1)),
        sample(1, 7, 5, 0, drawn(&[1, 7], 1)),
        sample(0, 7, 5, 5, drawn(&[0, 7], 1)),
        sample(2, 300, 257, 255, drawn(&[2, 300], 2)),
        // all rows in one bin: what a bin can be added at once
        sample(1, 1000, 2048, 2048, Data::typed(DType::U32, &[1, 1000], &[66_051.0])),
    ];
    // several chunks, and more workgroups than a dimension of some grids has
    all.push(sample(11, 5000, 9000, 8999, drawn(&[11, 5000], 3)).variants(&[Variant::Plain]));
    all
}

fn sums_bad() -> Vec<Bad> {
    type Shapes<'a> = [&'a [usize]; 3];
    let call = |shapes: Shapes<'_>, dtype: DType, device: &crate::device::Device| {
        let [bins, rows, entries] = shapes.map(|shape| Tensor::zeros(Shape::of(shape), device).to_dtype(dtype));
        histogram(&bins, &rows, 1, &entries)
    };
    vec![
        Bad::new("histogram: bins are u32: given i32", move |device| {
            call([&[1, 2], &[1], &[2, 4]], DType::I32, device)
        }),
        Bad::new("histogram: shapes of bins [1, 2], rows [1] and entries [3, 4]", move |device| {
            call([&[1, 2], &[1], &[3, 4]], DType::U32, device)
        }),
        Bad::new("histogram: shapes of bins [1, 2], rows [0] and entries [2, 4]", move |device| {
            call([&[1, 2], &[0], &[2, 4]], DType::U32, device)
        }),
    ]
}
