//! L-BFGS (Liu and Nocedal, 1989), and OWL-QN (Andrew and Gao, 2007) where coefficients have a price on their size.

use crate::error::Result;
use crate::models::linalg::dot;
use std::collections::VecDeque;

/// Steps that the curvature is learnt from.
const MEMORY: usize = 10;
/// Trials of a step's length.
const TRIALS: usize = 40;
/// A step must lower the value by this share of what the slope promises, and flatten the slope to that share (Wolfe).
const DECREASE: f64 = 1e-4;
const FLATTEN: f64 = 0.9;

/// When to stop, and what is known of the function.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    /// The price of each coordinate's size; none when empty.
    pub l1: &'a [f64],
    /// A guess of the inverse curvature along each coordinate: it makes the units of the columns irrelevant.
    pub inverse: &'a [f64],
    /// The largest entry of the gradient to reach, each times the root of its coordinate's `inverse`.
    pub tol: f64,
    /// The rounding of a value, relative to it.
    pub noise: f64,
    pub max_iter: usize,
}

/// Where the search came to rest.
#[derive(Debug)]
pub(super) struct Found {
    pub x: Vec<f64>,
    pub n_iter: usize,
    pub converged: bool,
}

/// A point: where, the smooth value and its gradient there.
#[derive(Clone)]
struct Point {
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// Minimises from `x`. `function` gives the value and fills in the gradient.
pub(super) fn minimise(
    x: Vec<f64>,
    search: Search<'_>,
    mut function: impl FnMut(&[f64], &mut [f64]) -> Result<f64>,
) -> Result<Found> {
    let mut at = |x: Vec<f64>| -> Result<Point> {
        let mut gradient = vec![0.0; x.len()];
        let value = function(&x, &mut gradient)? + search.price(&x);
        Ok(Point { x, value, gradient })
    };
    let mut memory = Memory::default();
    let mut here = at(x)?;
    for n_iter in 0..=search.max_iter {
        let downhill = search.downhill(&here);
        let steepest =
            downhill.iter().zip(search.inverse).fold(0.0f64, |most, (g, inverse)| most.max(g.abs() * inverse.sqrt()));
        if steepest <= search.tol || n_iter == search.max_iter || !here.value.is_finite() {
            return Ok(Found { x: here.x, n_iter, converged: steepest <= search.tol });
        }
        let mut direction = memory.apply(&downhill, search.inverse);
        if !search.l1.is_empty() {
            direction.iter_mut().zip(&downhill).filter(|(d, g)| **d * **g <= 0.0).for_each(|(d, _)| *d = 0.0);
        }
        if dot(&direction, &downhill) <= 0.0 {
            memory = Memory::default();
            direction = memory.apply(&downhill, search.inverse);
        }
        match search.step(&here, &direction, &downhill, &mut at)? {
            Some(next) => {
                memory.learn(&here, &next, search.inverse);
                here = next;
            }
            None if memory.pairs.is_empty() => return Ok(Found { x: here.x, n_iter, converged: false }),
            None => memory = Memory::default(), // what was learnt misleads: the plain gradient once more
        }
    }
    Ok(Found { x: here.x, n_iter: search.max_iter, converged: false })
}

impl Search<'_> {
    fn price(&self, x: &[f64]) -> f64 {
        self.l1.iter().zip(x).map(|(l1, x)| l1 * x.abs()).sum()
    }

    /// Minus the gradient; with prices, minus the element of least length of the subdifferential.
    fn downhill(&self, here: &Point) -> Vec<f64> {
        let Point { x, gradient, .. } = here;
        if self.l1.is_empty() {
            return gradient.iter().map(|g| -g).collect();
        }
        let one = |((x, g), l1): ((&f64, &f64), &f64)| match *x {
            x if x > 0.0 => -(g + l1),
            x if x < 0.0 => -(g - l1),
            _ => -g.signum() * (g.abs() - l1).max(0.0),
        };
        x.iter().zip(gradient).zip(self.l1).map(one).collect()
    }

    /// A step along `direction` that goes down far enough; `None` when there is none within rounding.
    fn step(
        &self,
        here: &Point,
        direction: &[f64],
        downhill: &[f64],
        at: &mut impl FnMut(Vec<f64>) -> Result<Point>,
    ) -> Result<Option<Point>> {
        let slope = -dot(direction, downhill);
        let noise = self.noise * here.value.abs();
        let (mut low, mut high, mut length) = (0.0, f64::INFINITY, 1.0);
        for _ in 0..TRIALS {
            let x: Vec<f64> = here.x.iter().zip(direction).map(|(x, d)| x + length * d).collect();
            let x = self.within_orthant(x, here, downhill);
            let promised = match self.l1.is_empty() {
                true => length * slope,
                false => x.iter().zip(&here.x).zip(downhill).map(|((x, from), g)| -(x - from) * g).sum(),
            };
            let next = at(x)?;
            let lower = next.value <= here.value + DECREASE * promised + noise;
            if !lower {
                high = length; // also where the value is NaN
            } else if self.l1.is_empty() && dot(&next.gradient, direction) < FLATTEN * slope {
                low = length;
            } else {
                return Ok((next.x != here.x).then_some(next));
            }
            length = if high.is_finite() { f64::midpoint(low, high) } else { 2.0 * length };
        }
        Ok(None)
    }

    /// Coordinates that changed sign on the way are 0: the price has a corner there.
    fn within_orthant(&self, mut x: Vec<f64>, here: &Point, downhill: &[f64]) -> Vec<f64> {
        for (((x, from), g), l1) in x.iter_mut().zip(&here.x).zip(downhill).zip(self.l1) {
            let side = if *from != 0.0 { *from } else { *g };
            if *l1 > 0.0 && *x * side <= 0.0 {
                *x = 0.0;
            }
        }
        x
    }
}

/// The last steps and the changes of the gradient along them.
#[derive(Default)]
struct Memory {
    pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)>, // step, change, 1 / (step · change)
    scale: Option<f64>,
}

impl Memory {
    fn learn(&mut self, from: &Point, to: &Point, inverse: &[f64]) {
        let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
        let (step, change) = (difference(&to.x, &from.x), difference(&to.gradient, &from.gradient));
        let along = dot(&step, &change);
        let size: f64 = change.iter().zip(inverse).map(|(c, inverse)| c * c * inverse).sum();
        if along > f64::EPSILON * size && size > 0.0 {
            self.scale = Some(along / size);
            self.pairs.push_back((step, change, along.recip()));
            if self.pairs.len() > MEMORY {
                self.pairs.pop_front();
            }
        }
    }

    /// The inverse of the curvature, as far as it is known, times `v`.
    fn apply(&self, v: &[f64], inverse: &[f64]) -> Vec<f64> {
        let mut v = v.to_vec();
        let add = |v: &mut [f64], factor: f64, u: &[f64]| v.iter_mut().zip(u).for_each(|(v, u)| *v += factor * u);
        let mut shares = Vec::with_capacity(self.pairs.len());
        for (step, change, reciprocal) in self.pairs.iter().rev() {
            let share = reciprocal * dot(step, &v);
            add(&mut v, -share, change);
            shares.push(share);
        }
        let scale = self.scale.unwrap_or(1.0);
        v.iter_mut().zip(inverse).for_each(|(v, inverse)| *v *= scale * inverse);
        for ((step, change, reciprocal), share) in self.pairs.iter().zip(shares.into_iter().rev()) {
            let taken = reciprocal * dot(change, &v);
            add(&mut v, share - taken, step);
        }
        v
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_valley_of_rosenbrock_is_followed_to_its_end() {
        let valley = |x: &[f64], g: &mut [f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            g.copy_from_slice(&[-2.0 * a - 400.0 * x[0] * b, 200.0 * b]);
            Ok(a * a + 100.0 * b * b)
        };
        let search = Search { l1: &[], inverse: &[1.0, 1.0], tol: 1e-10, noise: 1e-15, max_iter: 200 };
        let found = minimise(vec![-1.2, 1.0], search, valley).unwrap();
        assert!(found.converged && found.x.iter().all(|x| (x - 1.0).abs() < 1e-9), "{found:?}");
    }

    #[test]
    fn a_price_on_size_sets_coordinates_to_zero() {
        // ½ (x − target)² + |x|: the target moved towards 0 by 1, or 0.
        let target = [3.0, -2.0, 0.5, -0.25];
        let function = |x: &[f64], g: &mut [f64]| {
            g.iter_mut().zip(x).zip(&target).for_each(|((g, x), t)| *g = x - t);
            Ok(x.iter().zip(&target).map(|(x, t)| 0.5 * (x - t).powi(2)).sum())
        };
        let search = Search { l1: &[1.0; 4], inverse: &[0.7; 4], tol: 1e-12, noise: 1e-15, max_iter: 100 };
        let found = minimise(vec![0.0; 4], search, function).unwrap();
        assert!(found.converged);
        found.x.iter().zip([2.0, -1.0, 0.0, 0.0]).for_each(|(x, t)| assert!((x - t).abs() < 1e-11, "{x}"));
    }
}
