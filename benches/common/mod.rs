//! Synthetic sets, the same in Rust and in `benches/peers/`: splitmix64, Box and Muller's normal numbers, features rounded to f32.

#![allow(dead_code, reason = "no bench uses all of it")]

pub mod beside;

use ndarray::Array2;

const UNIT: f64 = 1.0 / (1u64 << 53) as f64;

/// splitmix64, number `i` of a stream.
pub fn raw(seed: u64, i: u64) -> u64 {
    let z = seed.wrapping_add((i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// In `[0, 1)`.
pub fn uniform(seed: u64, i: u64) -> f64 {
    (raw(seed, i) >> 11) as f64 * UNIT
}

/// Box and Muller's normal number `k` of a stream.
pub fn normal(seed: u64, k: u64) -> f64 {
    let (a, b) = (raw(seed, k & !1), raw(seed, k | 1));
    let radius = (-2.0 * (((a >> 11) + 1) as f64 * UNIT).ln()).sqrt();
    let angle = 2.0 * std::f64::consts::PI * ((b >> 11) as f64 * UNIT);
    radius * if k.is_multiple_of(2) { angle.cos() } else { angle.sin() }
}

/// Normal features.
pub fn features(seed: u64, rows: usize, width: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, width), |(i, j)| f64::from(normal(seed, (i * width + j) as u64) as f32))
}

/// svm10k: two classes with a curved border, a twentieth of them wrong.
pub fn svm10k(rows: usize) -> (Array2<f64>, Vec<u32>) {
    let x = features(4001, rows, 20);
    let side = |i: usize| {
        let r = x.row(i);
        let right = r[0] * r[1] + r[2] * r[2] - r[3] * r[4] + 0.8 * r[5] - 1.0 > 0.0;
        u32::from(right != (uniform(4003, i as u64) < 0.05))
    };
    let y = (0..rows).map(side).collect();
    (x, y)
}

/// bin200k: two classes with linear odds.
pub fn bin200k(rows: usize) -> (Array2<f64>, Vec<u32>) {
    let x = features(2001, rows, 50);
    let w: Vec<f64> = (0..50).map(|j| 0.5 * normal(2002, j)).collect();
    let odds = |i: usize| x.row(i).iter().zip(&w).map(|(x, w)| x * w).sum::<f64>() + 0.25;
    let y = (0..rows).map(|i| u32::from(uniform(2003, i as u64) < 1.0 / (1.0 + (-odds(i)).exp()))).collect();
    (x, y)
}

/// multi50k: ten clouds.
pub fn multi50k(rows: usize) -> (Array2<f64>, Vec<u32>) {
    let y: Vec<u32> = (0..rows as u64).map(|i| (raw(3003, i) % 10) as u32).collect();
    let x = Array2::from_shape_fn((rows, 100), |(i, j)| {
        let centre = 0.3 * normal(3002, u64::from(y[i]) * 100 + j as u64);
        f64::from((centre + normal(3001, (i * 100 + j) as u64)) as f32)
    });
    (x, y)
}

/// tab100k, draw `draw` of it: 30 features, of which 10 matter, and a score; the class is the score's sign.
pub fn tab100k(draw: u64, rows: usize) -> (Array2<f64>, Vec<f64>) {
    let x = features(5001 + 100 * draw, rows, 30);
    let step = |condition: bool| f64::from(u8::from(condition));
    let score = |(i, r): (usize, ndarray::ArrayView1<'_, f64>)| {
        let steps = 1.5 * step(r[0] > 0.3) + 0.8 * step(r[5] + r[6] > 0.5) - r[7] * step(r[8] < 0.0);
        let noise = 0.5 * normal(5003 + 100 * draw, i as u64);
        steps + r[1] * r[2] + (2.0 * r[3]).sin() + 0.5 * r[4] * r[4] + 0.3 * r[9] - 1.4 + noise
    };
    let scores = x.rows().into_iter().enumerate().map(score).collect();
    (x, scores)
}
