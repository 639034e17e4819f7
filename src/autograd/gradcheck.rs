//! Whether the gradient of a function is its slope: for users' own operations and layers.

use crate::autograd::Gradients;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::rng::Rng;
use crate::shape::Shape;
use crate::tensor::Tensor;
use std::panic::Location;

/// How far [`gradcheck`] moves an element, and how near the gradient must be to the slope that it finds.
///
/// The defaults suit smooth functions of numbers near 1 in `f32`. The difference of two values of `f32` at a distance of 2·`eps`
/// is off by their rounding, 6e-8 to 1e-6 (functions in WGSL) over 0.02, so by 1e-5 to 1e-4; and by the bend of the function,
/// `eps²/6 = 2e-5` of its third derivative. A mistake in a formula is rarely as small as a hundredth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradCheck {
    /// An element `x` is moved by `eps·max(|x|, 1)` to both sides.
    pub eps: f32,
    /// A gradient may be off by `atol + rtol·|slope|`.
    pub atol: f64,
    /// A gradient may be off by `atol + rtol·|slope|`.
    pub rtol: f64,
    /// At most so many elements of each input are moved, evenly spread; each costs two runs of the function.
    pub elements: usize,
}

impl Default for GradCheck {
    fn default() -> GradCheck {
        GradCheck { eps: 1e-2, atol: 1e-3, rtol: 1e-2, elements: 100 }
    }
}

/// Holds the gradients of `f` for its float inputs against central differences of `f` itself, and a second backward pass against
/// the first, bit for bit. The output may have any shape: what is differentiated is its sum with fixed random weights. Returns
/// the largest error as a share of what is allowed.
///
/// Keep inputs away from kinks and jumps (ReLU at 0), where there is no slope. A gradient of a gradient is checked by a `f` that
/// calls [`Tensor::grad`].
///
/// # Errors
/// A gradient that is not the slope, with input, element and both numbers; two passes that differ; inputs of 16 bits; whatever
/// `f` carries.
///
/// ```
/// use tilework::autograd::{CustomOp, GradCheck, gradcheck};
/// use tilework::{Device, Tensor};
///
/// #[derive(Debug)]
/// struct Cube;
///
/// impl CustomOp for Cube {
///     fn name(&self) -> &'static str {
///         "cube"
///     }
///     fn forward(&self, x: &[&Tensor]) -> Tensor {
///         x[0] * x[0] * x[0]
///     }
///     fn backward(&self, x: &[&Tensor], _y: &Tensor, dy: &Tensor) -> Vec<Option<Tensor>> {
///         vec![Some(dy * x[0] * x[0] * 2.0)] // should be times 3
///     }
/// }
///
/// let x = Tensor::from_vec(vec![0.5, -1.0, 2.0], [3], &Device::cpu());
/// gradcheck(|x| x[0].exp(), &[x.clone()], GradCheck::default())?;
/// let error = gradcheck(|x| Tensor::custom(Cube, &[&x[0]]), &[x], GradCheck::default()).unwrap_err();
/// assert!(error.to_string().starts_with("gradcheck: the gradient is not the slope: input 0, element 0 [0]"), "{error}");
/// # Ok::<(), tilework::Error>(())
/// ```
#[track_caller]
pub fn gradcheck(f: impl Fn(&[Tensor]) -> Tensor, inputs: &[Tensor], how: GradCheck) -> Result<f64> {
    let line = Location::caller();
    check(&f, inputs, how).map_err(|error| error.located(line))
}

fn check(f: &dyn Fn(&[Tensor]) -> Tensor, inputs: &[Tensor], how: GradCheck) -> Result<f64> {
    let wrong = |what: String| Err(Error::argument("gradcheck", what));
    if !(how.eps > 0.0 && how.eps.is_finite()) {
        return wrong(format!("eps must be above 0: given {}; the default is 1e-2", how.eps));
    }
    for (i, input) in inputs.iter().enumerate() {
        if input.check()?.dtype().is_float() && input.dtype() != DType::F32 {
            let message = format!("input {i} is {}: too coarse to be moved a little; give f32", input.dtype());
            return Err(Error::dtype("gradcheck", message));
        }
    }
    let floats = || inputs.iter().enumerate().filter(|(_, x)| x.dtype() == DType::F32);
    let leaves: Vec<Tensor> = inputs.iter().map(leaf).collect();
    let y = f(&leaves);
    let weights = weights(y.check()?.numel());
    let [first, second] = [slopes(f, inputs, &weights)?, slopes(f, inputs, &weights)?];
    let mut worst = 0.0f64;
    for (i, x) in floats() {
        let (shape, values) = (x.shape(), x.to_vec::<f32>()?);
        let [given, again] = [&first, &second].map(|grads| grads.iter().find(|(input, _)| *input == i));
        let (given, again) = match (given, again) {
            (Some((_, given)), Some((_, again))) => (given.to_vec::<f32>()?, again.to_vec::<f32>()?),
            _ => continue,
        };
        if given.len() != values.len() {
            return wrong(format!(
                "the gradient of input {i} has {} elements, the input {}",
                given.len(),
                values.len()
            ));
        }
        if let Some(e) = given.iter().zip(&again).position(|(a, b)| a.to_bits() != b.to_bits()) {
            let place = place(i, e, &shape);
            return wrong(format!("two backward passes differ: {place}: {} and {}", given[e], again[e]));
        }
        for e in spread(values.len(), how.elements) {
            let (want, given) = (slope(f, inputs, i, e, &values, &weights, how.eps)?, given[e]);
            let (error, allowed) = ((f64::from(given) - want).abs(), how.atol + how.rtol * want.abs());
            if error > allowed || error.is_nan() {
                let place = place(i, e, &shape);
                return wrong(format!(
                    "the gradient is not the slope: {place}, where the value is {}: backward gives {given}, differences \
                     {} ± {allowed:.1e}; mend the backward, or keep away from a kink",
                    values[e], want as f32
                ));
            }
            worst = worst.max(error / allowed);
        }
    }
    Ok(worst)
}

fn leaf(x: &Tensor) -> Tensor {
    if x.dtype().is_float() { x.tracked() } else { x.clone() }
}

fn place(input: usize, element: usize, shape: &Shape) -> String {
    let mut rest = element;
    let mut index: Vec<usize> = shape.iter().rev().map(|&dim| (rest % dim.max(1), rest /= dim.max(1)).0).collect();
    index.reverse();
    format!("input {input}, element {element} {index:?}")
}

/// Weights of the sum that is differentiated: of both signs, and none near 0, which would hide its element.
fn weights(n: usize) -> Vec<f32> {
    Rng::seed(0x6772_6164).uniforms(n).into_iter().map(|u| if u < 0.5 { u - 1.0 } else { u }).collect()
}

/// The gradients of the float inputs, by input; one that no gradient reaches has one of 0, and differences say whether that is
/// right.
fn slopes(f: &dyn Fn(&[Tensor]) -> Tensor, inputs: &[Tensor], weights: &[f32]) -> Result<Vec<(usize, Tensor)>> {
    let leaves: Vec<Tensor> = inputs.iter().map(leaf).collect();
    let y = f(&leaves);
    let weights = Tensor::from_slice(weights, y.check()?.shape(), y.device());
    let grads = if y.is_tracked() { (y * weights).sum().backward()? } else { Gradients::default() };
    let tracked = leaves.iter().enumerate().filter(|(_, leaf)| leaf.is_tracked());
    Ok(tracked.map(|(i, leaf)| (i, grads.get(leaf).unwrap_or_else(|_| leaf.zeros_like()))).collect())
}

/// The slope of the weighted sum in one element: the outputs are read and subtracted one by one, so that their sum adds no
/// rounding of its own.
fn slope(
    f: &dyn Fn(&[Tensor]) -> Tensor,
    inputs: &[Tensor],
    input: usize,
    element: usize,
    values: &[f32],
    weights: &[f32],
    eps: f32,
) -> Result<f64> {
    let at = |step: f32| -> Result<(f32, Vec<f32>)> {
        let mut moved = values.to_vec();
        moved[element] += step;
        let x = moved[element];
        let mut leaves: Vec<Tensor> = inputs.iter().map(leaf).collect();
        leaves[input] = Tensor::from_vec(moved, inputs[input].shape(), inputs[input].device()).tracked();
        Ok((x, f(&leaves).to_vec::<f32>()?))
    };
    let step = eps * values[element].abs().max(1.0);
    let ((above, y_above), (below, y_below)) = (at(step)?, at(-step)?);
    let change = y_above.iter().zip(&y_below).zip(weights);
    let change: f64 = change.map(|((a, b), w)| (f64::from(*a) - f64::from(*b)) * f64::from(*w)).sum();
    Ok(change / (f64::from(above) - f64::from(below))) // the step that the rounded numbers make
}

/// At most `most` of `len` elements, evenly spread.
pub(super) fn spread(len: usize, most: usize) -> impl Iterator<Item = usize> {
    (0..len).step_by(len.div_ceil(most.max(1)).max(1))
}
