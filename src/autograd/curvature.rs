//! Gradients of gradients: the derivative of a sample's gradient along a direction, against second differences of its reference.

use super::{Graph, backward};
use crate::device::Device;
use crate::error::Result;
use crate::ops::table::{Data, Sample, Variant};
use crate::tensor::Tensor;
use ndarray::ArrayD;

/// Elements of an input whose product is compared; larger inputs are checked at evenly spread ones.
const CHECKED: usize = 6;
/// Elements of all inputs and of the result up to which a sample is differentiated twice: what large ones add is sizes, which
/// the first gradient has seen.
const SMALL: usize = 700;
/// The step of the differences: truncation (step²) and cancellation (2⁻⁵³ / step²) are then both near 1e-7.
const STEP: f64 = 3e-4;

/// Products of the second derivatives of a loss, `Σ y·(w + y/2)`, with a direction. The square makes the gradient that arrives at
/// the operation depend on its inputs, so that a linear operation too has a second derivative: its rule, differentiated.
pub(super) struct Curvature {
    /// By entry of the sample's `gradient`.
    directions: Vec<Data>,
    /// Elements, and the right product of each, by entry.
    pub products: Vec<(Vec<usize>, Vec<f64>)>,
    /// What the differences may be off by.
    pub noise: f64,
}

impl Curvature {
    /// `None` where the sample is not differentiated twice: without gradient, large, or not finite.
    pub fn of(sample: &Sample, inputs: &[ArrayD<f64>], y: &ArrayD<f64>, weights: &ArrayD<f64>) -> Option<Curvature> {
        let by: Vec<&ArrayD<f64>> = sample.gradient.iter().filter_map(|&i| inputs.get(i)).collect();
        let elements = y.len() + by.iter().map(|x| x.len()).sum::<usize>();
        if !sample.twice || by.is_empty() || elements > SMALL || y.iter().any(|y| !y.is_finite()) {
            return None;
        }
        // Small elements move less, so that logarithms and roots are not followed to their edge.
        let size = |v: f64| v.abs().max(0.1);
        let direction = |(x, seed): (&&ArrayD<f64>, u64)| {
            let drawn = Data::uniform(x.shape(), -1.0, 1.0, seed);
            Data::new(drawn.dtype, drawn.values * x.mapv(size))
        };
        let directions: Vec<Data> = by.iter().zip(78..).map(direction).collect();
        let loss = |along: f64, input: usize, element: usize, step: f64| -> f64 {
            let mut moved = inputs.to_vec();
            for (&i, direction) in sample.gradient.iter().zip(&directions) {
                if let Some(x) = moved.get_mut(i) {
                    x.scaled_add(along, &direction.values);
                }
            }
            if let Some(value) = moved.get_mut(input).and_then(|x| x.iter_mut().nth(element)) {
                *value += step;
            }
            (sample.reference)(&moved).iter().zip(weights).map(|(y, w)| y * (w + 0.5 * y)).sum()
        };
        let products = sample.gradient.iter().zip(&by).map(|(&input, x)| {
            let elements: Vec<usize> = (0..x.len()).step_by(x.len().div_ceil(CHECKED).max(1)).collect();
            let product = |&e: &usize| {
                let step = STEP * x.iter().nth(e).map_or(1.0, |&v| size(v));
                let above = loss(STEP, input, e, step) - loss(-STEP, input, e, step);
                let below = loss(STEP, input, e, -step) - loss(-STEP, input, e, -step);
                (above - below) / (4.0 * STEP * step)
            };
            (elements.clone(), elements.iter().map(product).collect())
        });
        let products = products.collect();
        let loss: f64 = y.iter().zip(weights).map(|(y, w)| (y * w).abs() + 0.5 * y * y).sum();
        // Cancellation at the smallest step, and truncation.
        let noise = (4.0 * f64::EPSILON / (0.1 * STEP * STEP) + 4.0 * STEP * STEP) * (1.0 + loss);
        Some(Curvature { directions, products, noise })
    }

    /// The same by two passes over the graph: the gradient of the gradient's product with the direction, by entry.
    pub fn given(&self, sample: &Sample, weights: &Data, device: &Device) -> Vec<Result<Tensor>> {
        let wants = |i: usize| sample.gradient.contains(&i);
        let inputs = sample.inputs.iter().map(|x| x.tensor(Variant::Plain, device)).enumerate();
        let inputs: Vec<Tensor> = inputs.map(|(i, x)| if wants(i) { x.tracked() } else { x }).collect();
        let y = (sample.call)(&inputs);
        let loss = (&y * &(&weights.tensor(Variant::Plain, device) + &(&y * 0.5))).sum();
        let leaves: Vec<&Tensor> = sample.gradient.iter().filter_map(|&i| inputs.get(i)).collect();
        let second = || -> Result<Vec<Tensor>> {
            let grads = backward(&loss, Graph::Keep)?;
            let reached = leaves.iter().zip(&self.directions).filter_map(|(leaf, v)| Some((grads.get(leaf).ok()?, v)));
            let terms = reached.map(|(dx, v)| (&dx * &v.tensor(Variant::Plain, device)).sum());
            let sum = terms.reduce(|a, b| &a + &b);
            sum.as_ref().map(Tensor::check).transpose()?;
            // Where the gradient does not depend on the inputs, its own gradient is 0.
            let Some(sum) = sum.filter(Tensor::is_tracked) else {
                return Ok(leaves.iter().map(|leaf| leaf.zeros_like().detach()).collect());
            };
            let grads = sum.backward()?;
            Ok(leaves.iter().map(|leaf| grads.get(leaf).unwrap_or_else(|_| leaf.zeros_like().detach())).collect())
        };
        match second() {
            Ok(found) => found.into_iter().map(Ok).collect(),
            Err(error) => leaves.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}
