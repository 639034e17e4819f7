//! Isotonic regression: the rising curve nearest to the data, by pooling neighbours that fall (scikit-learn's
//! `IsotonicRegression(out_of_bounds="clip")`).

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A curve that never falls: straight between its points, level beyond them.
///
/// ```
/// use tilework::models::calibration::Isotonic;
/// let curve = Isotonic::fit(&[1.0, 2.0, 3.0], &[0.0, 1.0, 0.5], None)?;
/// assert_eq!([0.0, 1.5, 2.5, 9.0].map(|x| curve.value(x)), [0.0, 0.375, 0.75, 0.75]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Isotonic {
    /// Rising, the ends of each level part.
    pub x: Vec<f64>,
    /// The value at each.
    pub y: Vec<f64>,
}

/// As many values as `count`, all finite, and as many weights where there are any.
pub(super) fn pairs(op: &'static str, values: &[f64], count: usize, weights: Option<&[f64]>) -> Result<()> {
    let n = values.len();
    if n == 0 || count != n || weights.is_some_and(|w| w.len() != n) {
        let weights = weights.map_or_else(String::new, |w| format!(" and {} weights", w.len()));
        return Err(Error::shape(op, format!("{n} scores, {count} answers{weights}; give as many, at least one")));
    }
    match values.iter().chain(weights.into_iter().flatten()).find(|v| !v.is_finite()) {
        Some(value) => Err(Error::NonFinite { op, message: format!("{value} among the scores; give finite ones") }),
        None => Ok(()),
    }
}

/// Places nearer than this are one, as scikit-learn's: scores that differ in rounding alone.
const NEAR: f64 = 1e-15;

/// Points that share a mean.
struct Pool {
    first: f64,
    last: f64,
    mean: f64,
    weight: f64,
}

impl Isotonic {
    /// The least-squares curve through `(x, y)`; points of one `x`, or less than 1e-15 above it, count as their mean.
    ///
    /// # Errors
    /// [`Error::Shape`] when the lengths differ or are 0; [`Error::NonFinite`] for NaN or infinity.
    pub fn fit(x: &[f64], y: &[f64], weights: Option<&[f64]>) -> Result<Isotonic> {
        const OP: &str = "isotonic";
        pairs(OP, x, y.len(), weights)?;
        pairs(OP, y, x.len(), None)?;
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
        // Points of one x are one before any are pooled, or their order would count.
        let mut points: Vec<Pool> = Vec::new();
        for row in order {
            let weight = weights.and_then(|w| w.get(row)).copied().unwrap_or(1.0);
            match points.last_mut() {
                _ if weight == 0.0 => {}
                Some(point) if x[row] - point.first < NEAR => {
                    let sum = point.weight + weight;
                    point.mean = (point.mean * point.weight + y[row] * weight) / sum;
                    point.weight = sum;
                }
                _ => points.push(Pool { first: x[row], last: x[row], mean: y[row], weight }),
            }
        }
        let mut pools: Vec<Pool> = Vec::new();
        points.into_iter().for_each(|point| push(&mut pools, point));
        let mut curve = Isotonic { x: Vec::new(), y: Vec::new() };
        for pool in &pools {
            curve.x.push(pool.first);
            curve.y.push(pool.mean);
            if pool.last > pool.first {
                curve.x.push(pool.last);
                curve.y.push(pool.mean);
            }
        }
        match curve.x.is_empty() {
            true => Err(Error::argument(OP, "all weights are 0; give some points a weight")),
            false => Ok(curve),
        }
    }

    /// The curve at `x`.
    pub fn value(&self, x: f64) -> f64 {
        let next = self.x.partition_point(|&at| at < x);
        let at = |i: usize| Some((self.x.get(i).copied()?, self.y.get(i).copied()?));
        match (next.checked_sub(1).and_then(at), at(next)) {
            (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * (x - x0) / (x1 - x0),
            (Some((_, y)), None) | (None, Some((_, y))) => y,
            (None, None) => f64::NAN,
        }
    }

    /// Whether a curve read from a file is one: as many values as places, both rising and finite.
    pub(super) fn is_sound(&self) -> bool {
        let finite = self.x.iter().chain(&self.y).all(|v| v.is_finite());
        let rises = self.x.windows(2).all(|pair| pair[0] < pair[1]) && self.y.windows(2).all(|pair| pair[0] <= pair[1]);
        !self.x.is_empty() && self.x.len() == self.y.len() && finite && rises
    }
}

/// Adds a point on the right; pools that no longer rise become one.
fn push(pools: &mut Vec<Pool>, mut pool: Pool) {
    while let Some(before) = pools.pop_if(|before| before.mean >= pool.mean) {
        let weight = before.weight + pool.weight;
        let mean = (before.mean * before.weight + pool.mean * pool.weight) / weight;
        pool = Pool { first: before.first, last: pool.last, mean, weight };
    }
    pools.push(pool);
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub const SCORES: [f64; 40] = [
        -0.969, 0.976, 0.201, -0.945, -0.376, -0.474, -0.553, 2.106, 0.247, 0.894, 1.812, -0.706, -1.426, 0.084, 0.083,
        -0.715, -0.083, -0.271, -2.994, 1.39, 1.191, -2.139, 0.761, -0.264, 0.257, -2.534, -1.414, 0.21, 1.856, -2.658,
        0.202, 1.028, -1.109, 1.091, -0.491, -0.145, -0.348, 0.906, -0.522, 0.328,
    ];
    pub const TRUTH: [bool; 40] = {
        let ones = [0, 1, 4, 7, 9, 10, 16, 19, 20, 22, 23, 28, 30, 31, 34, 36, 39];
        let (mut truth, mut i) = ([false; 40], 0);
        while i < ones.len() {
            truth[ones[i]] = true;
            i += 1;
        }
        truth
    };
    pub const WEIGHTS: [f64; 40] = [
        0.99, 1.7, 1.93, 1.42, 0.43, 1.09, 1.41, 0.1, 1.36, 0.74, 1.18, 1.34, 1.34, 1.05, 1.11, 0.4, 0.99, 0.25, 0.96,
        1.07, 1.55, 0.79, 0.04, 1.06, 0.41, 1.48, 0.78, 0.76, 1.82, 0.79, 0.7, 0.7, 0.96, 0.19, 1.09, 1.84, 1.13, 1.49,
        1.89, 1.68,
    ];

    #[test]
    fn points_of_one_x_count_as_their_mean_in_whatever_order() {
        for y in [[0.6, 0.5, 0.9], [0.6, 0.9, 0.5]] {
            let curve = Isotonic::fit(&[1.0, 2.0, 2.0], &y, None).unwrap();
            assert_eq!([curve.value(1.0), curve.value(2.0)], [0.6, 0.7]);
        }
    }

    fn close(values: &[f64], expected: &[f64]) {
        assert_eq!(values.len(), expected.len(), "{values:?}");
        let near = |(v, e): (&f64, &f64)| (v - e).abs() < 1e-12;
        assert!(values.iter().zip(expected).all(near), "{values:?} is not {expected:?}");
    }

    #[test]
    fn the_curve_is_that_of_scikit_learn() {
        let y = TRUTH.map(f64::from);
        let curve = Isotonic::fit(&SCORES, &y, None).unwrap();
        close(&curve.x, &[-2.994, -1.109, -0.969, -0.522, -0.491, 0.257, 0.328, 1.091, 1.191, 2.106]);
        let (a, b, c) = (1.0 / 6.0, 0.4, 5.0 / 7.0);
        close(&curve.y, &[0.0, 0.0, a, a, b, b, c, c, 1.0, 1.0]);
        let places = [-9.0, -1.0, -0.3, 0.0, 0.2, 0.5, 1.0, 9.0];
        close(&places.map(|x| curve.value(x)), &[0.0, 0.129_761_904_761_904_72, b, b, b, c, c, 1.0]);
        let curve = Isotonic::fit(&SCORES, &y, Some(&WEIGHTS)).unwrap();
        let (a, b) = (0.103_461_169_702_780_42, 0.355_263_157_894_736_9);
        let (c, d) = (0.622_784_810_126_582_3, 0.926_640_926_640_926_7);
        close(&places.map(|x| curve.value(x)), &[0.0, a, b, b, b, c, d, 1.0]);
    }

    #[test]
    fn points_of_one_place_count_as_their_mean() {
        let curve = Isotonic::fit(&[1.0, 1.0, 2.0, 3.0, 3.0, 4.0], &[0.0, 1.0, 0.0, 1.0, 0.0, 1.0], None).unwrap();
        close(&[1.0, 2.0, 3.0, 4.0].map(|x| curve.value(x)), &[1.0 / 3.0, 1.0 / 3.0, 0.5, 1.0]);
        assert!(curve.is_sound());
        // IsotonicRegression().fit(x, y) of scikit-learn 1.9.1: 1e-16 apart is one place, 1e-14 two
        let curve = Isotonic::fit(&[1e-16, 0.0, 1e-14, 1.0], &[0.0, 1.0, 0.75, 1.0], None).unwrap();
        close(&curve.x, &[0.0, 1e-14, 1.0]);
        close(&curve.y, &[0.5, 0.75, 1.0]);
        assert!(Isotonic::fit(&[1.0], &[1.0], Some(&[0.0])).is_err());
        assert!(!Isotonic { x: vec![1.0, 1.0], y: vec![0.0, 1.0] }.is_sound());
    }
}
