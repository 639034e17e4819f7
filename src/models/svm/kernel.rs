//! Kernel functions of one row with many.
//!
//! Always in `f64`: in `f32`, `|x - z|²` of near rows loses the digits that the optimum is compared by, and the conversion would
//! cost as much as it saves.

use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::tiles::{Rows, TILE, dots};
use pulp::{Arch, Simd, WithSimd};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How alike two rows `x` and `z` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// `x · z`
    Linear,
    /// `(gamma x · z + coef0)^degree`
    Poly,
    /// `exp(-gamma |x - z|²)`
    #[default]
    Rbf,
    /// `tanh(gamma x · z + coef0)`
    Sigmoid,
}

/// The kernel's `gamma`: in JSON, `"scale"`, `"auto"` or a number.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", expecting = "give \"scale\", \"auto\" or a number above 0")]
pub enum Gamma {
    /// `1 / (F · variance of all features together)`
    #[default]
    Scale,
    /// `1 / F`
    Auto,
    /// As given, above 0.
    #[serde(untagged)]
    Value(f64),
}

/// A kernel with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Function {
    pub kernel: Kernel,
    pub gamma: f64,
    pub coef0: f64,
    pub degree: u32,
}

impl Gamma {
    /// The number, for rows that count `weights` each: scikit-learn's, and with whole weights that of repeated rows.
    pub(super) fn number(self, op: &'static str, x: Matrix<'_>, weights: &[f64]) -> Result<f64> {
        let width = x.width().max(1) as f64;
        match self {
            Gamma::Auto => Ok(1.0 / width),
            Gamma::Scale => {
                let values = x.values();
                let sum = |of: &dyn Fn(f64) -> f64| -> f64 {
                    let rows = values.chunks(x.width().max(1)).zip(weights);
                    rows.map(|(row, weight)| weight * row.iter().map(|&v| of(v)).sum::<f64>()).sum()
                };
                let count = weights.iter().sum::<f64>() * width;
                let mean = sum(&|v| v) / count;
                let variance = sum(&|v| (v - mean) * (v - mean)) / count;
                Ok(if variance > 0.0 { 1.0 / (width * variance) } else { 1.0 })
            }
            Gamma::Value(gamma) if gamma > 0.0 && gamma.is_finite() => Ok(gamma),
            Gamma::Value(gamma) => {
                Err(Error::argument(op, format!("gamma is {gamma}; give a number above 0, \"scale\" or \"auto\"")))
            }
        }
    }
}

impl Function {
    /// Of `x`, whose `|x|²` is `square`, with rows `range`, of which the first begins a tile.
    pub fn of(&self, rows: &Rows, range: Range<usize>, x: &[f64], square: f64, out: &mut [f64]) {
        let out = out.get_mut(..range.len()).unwrap_or_default();
        let (tiles, squares) = rows.part(range);
        Arch::new().dispatch(Values { function: *self, tiles, squares, x, square, out });
    }

    /// Of each row with itself.
    pub fn diagonal(&self, rows: &Rows) -> Vec<f64> {
        rows.part(0..rows.count).1.iter().map(|&square| self.value(square, square, square)).collect()
    }

    /// From the dot product of two rows and their squares.
    #[inline(always)]
    fn value(&self, dot: f64, left: f64, right: f64) -> f64 {
        match self.kernel {
            Kernel::Linear => dot,
            Kernel::Poly => (self.gamma * dot + self.coef0).powi(self.degree as i32),
            Kernel::Rbf => exp_below_0(-self.gamma * (left + right - 2.0 * dot).max(0.0)),
            Kernel::Sigmoid => (self.gamma * dot + self.coef0).tanh(),
        }
    }
}

struct Values<'a> {
    function: Function,
    tiles: &'a [f64],
    squares: &'a [f64],
    x: &'a [f64],
    square: f64,
    out: &'a mut [f64],
}

impl WithSimd for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Values { function, tiles, squares, x, square, out } = self;
        let tiles = tiles.chunks_exact((TILE * x.len()).max(1));
        for ((tile, squares), out) in tiles.zip(squares.chunks(TILE)).zip(out.chunks_mut(TILE)) {
            let mut products = [0.0; TILE];
            dots(simd, tile, x, &mut products);
            if function.kernel == Kernel::Rbf {
                for ((out, dot), right) in out.iter_mut().zip(products).zip(squares) {
                    *out = exp_below_0(-function.gamma * (square + right - 2.0 * dot).max(0.0));
                }
            } else {
                for ((out, dot), &right) in out.iter_mut().zip(products).zip(squares) {
                    *out = function.value(dot, square, right);
                }
            }
        }
    }
}

/// `exp(x)` for `x <= 0`, to two units in the last place, without branches so that the compiler makes vectors of it. Below
/// -708, where the true value is less than 4e-308, it stays there.
#[inline(always)]
fn exp_below_0(x: f64) -> f64 {
    const ROUND: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52: adding it leaves the nearest integer in the low bits
    let x = x.max(-708.0);
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts; the first has 32 bits, so that its product with n is exact
    let r = (x - n * 0.693_147_180_369_123_8) - n * 1.908_214_929_270_587_7e-10;
    // Taylor's series to the 13th power: |r| <= ln 2 / 2 leaves 4e-18
    let mut sum = 1.0 / 6_227_020_800.0;
    for inverse in [
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        sum = sum * r + inverse;
    }
    sum * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn the_exponential_is_the_standard_library_s_to_two_units() {
        for i in 0..200_000 {
            let x = -f64::from(i) * 3.539e-3; // down to -707.8
            let (ours, exact) = (exp_below_0(x), x.exp());
            assert!((ours - exact).abs() <= 2.0 * f64::EPSILON * exact, "exp({x}) is {exact}, not {ours}");
        }
        assert_eq!(exp_below_0(0.0), 1.0);
        assert!(exp_below_0(f64::NEG_INFINITY) < 1e-307);
    }

    #[test]
    fn kernels_of_one_row_with_many_are_their_formulas() {
        let x = Array2::from_shape_fn((150, 5), |(i, j)| ((i * 7 + j * 3) % 11) as f64 * 0.2 - 1.0);
        let rows = Rows::new((&x).into(), &(0..150).collect::<Vec<_>>());
        for kernel in [Kernel::Linear, Kernel::Poly, Kernel::Rbf, Kernel::Sigmoid] {
            let function = Function { kernel, gamma: 0.3, coef0: 0.5, degree: 3 };
            let (mut row, mut out) = (Vec::new(), vec![0.0; 150]);
            let square = rows.read(70, &mut row);
            assert_eq!(row, x.row(70).to_vec());
            function.of(&rows, 0..150, &row, square, &mut out);
            for (j, got) in out.iter().enumerate() {
                let dot: f64 = x.row(70).dot(&x.row(j));
                let distance: f64 = x.row(70).iter().zip(x.row(j)).map(|(a, b)| (a - b) * (a - b)).sum();
                let exact = match kernel {
                    Kernel::Linear => dot,
                    Kernel::Poly => (0.3 * dot + 0.5).powi(3),
                    Kernel::Rbf => (-0.3 * distance).exp(),
                    Kernel::Sigmoid => (0.3 * dot + 0.5).tanh(),
                };
                assert!((got - exact).abs() < 1e-13, "{kernel:?}: {got} is not {exact} at {j}");
            }
            let mut part = [0.0; 22];
            function.of(&rows, 128..150, &row, square, &mut part);
            assert_eq!(part, out[128..]);
        }
    }
}
