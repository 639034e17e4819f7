//! `var`, `std` and `norm` along any axes: two passes, or one, of the reduction `sum`, with gradients of their own.

use crate::dtype::DType;
use crate::error::Result;
use crate::ops::row::failed;
use crate::ops::rows::floats;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::{no_grad, record_rule};
use smallvec::smallvec;

/// What a sum of squares is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Correction {
    /// `n - 1`: unbiased for a sample (Bessel's correction), and PyTorch's default.
    #[default]
    Sample,
    /// `n`: the elements are all there are. NumPy's default.
    Population,
}

/// A measure of how far elements lie from their mean, or from 0, along some axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// `Σ (x - mean)² / divisor`
    Variance,
    /// Its root.
    Deviation,
    /// `√Σ x²`
    Norm,
}

/// The gradient of a measure.
#[derive(Debug)]
struct Spread {
    measure: Measure,
    axes: Vec<isize>,
    divisor: f32,
}

impl Spread {
    fn name(&self) -> &'static str {
        match self.measure {
            Measure::Variance => "var",
            Measure::Deviation => "std",
            Measure::Norm => "norm",
        }
    }

    /// The shape of `x` with 1 in place of the axes.
    fn kept(&self, shape: Shape) -> Shape {
        self.axes.iter().fold(shape, |kept, &axis| kept.with(axis as usize, 1))
    }

    fn centred(&self, x: &Tensor) -> Tensor {
        match self.measure {
            Measure::Variance | Measure::Deviation => x - x.mean_axes(&self.axes).reshape(self.kept(x.shape())),
            Measure::Norm => x.clone(),
        }
    }

    fn value(&self, x: &Tensor) -> Tensor {
        let squares = self.centred(x).square().sum_axes(&self.axes);
        match self.measure {
            Measure::Variance => squares / self.divisor,
            Measure::Deviation => (squares / self.divisor).sqrt(),
            Measure::Norm => squares.sqrt(),
        }
    }
}

impl Rule for Spread {
    fn rule_name(&self) -> &'static str {
        self.name()
    }

    fn saves(&self, _: u32) -> Saves {
        Saves { inputs: 1, output: self.measure != Measure::Variance }
    }

    /// `2·(x - mean) / divisor`; of the roots, `(x - mean) / (divisor·y)`, and 0 where `y` is, as in PyTorch.
    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        let x = call.input(0)?;
        let slope = match self.measure {
            Measure::Variance => dy * (2.0 / self.divisor),
            Measure::Deviation | Measure::Norm => {
                let y = call.output()?;
                (dy / (&y * self.divisor)).masked_fill(&y.eq_scalar(0.0), 0.0)
            }
        };
        Ok(smallvec![Some(self.centred(x) * slope.reshape(self.kept(x.shape())))])
    }
}

#[track_caller]
fn spread(x: &Tensor, measure: Measure, axes: &[isize], correction: Correction) -> Tensor {
    let mut rule = Spread { measure, axes: Vec::new(), divisor: 1.0 };
    if x.ok().is_none() {
        return x.clone();
    }
    let shape = x.shape();
    for &axis in axes {
        match shape.axis(rule.name(), axis) {
            Ok(axis) => rule.axes.push(axis as isize),
            Err(error) => return failed(error, x),
        }
    }
    rule.axes.sort_unstable();
    rule.axes.dedup();
    if measure != Measure::Norm {
        let count: usize = rule.axes.iter().map(|&axis| shape[axis as usize]).product();
        let fewer = match correction {
            Correction::Sample => 1,
            Correction::Population => 0,
        };
        // of too few elements it is NaN
        rule.divisor = if count > fewer { (count - fewer) as f32 } else { f32::NAN };
    }
    let dtype = floats(x).dtype();
    let wide = x.to_dtype(DType::F32); // not rounded in between
    let y = no_grad(|| rule.value(&wide.detach()));
    record_rule(rule, &[&wide], y).to_dtype(dtype)
}

impl Tensor {
    fn all_axes_of(&self) -> Vec<isize> {
        (0..self.rank() as isize).collect()
    }

    /// The variance of all elements, divided by `n - 1`: shape `[]`. NaN of fewer than two.
    #[track_caller]
    pub fn var(&self) -> Tensor {
        self.var_axes(&self.all_axes_of(), Correction::default())
    }

    /// Variances along `axes`, which go from the shape: `Σ (x - mean)² / n`, or `/ (n - 1)`. NaN of too few elements.
    ///
    /// Errors: an axis out of range.
    ///
    /// ```
    /// use tilework::{Correction, Device, Tensor};
    /// let x = Tensor::from_vec(vec![1.0, 3.0, 2.0, 8.0], [2, 2], &Device::cpu());
    /// assert_eq!(x.var_axes(&[1], Correction::Sample).to_vec::<f32>()?, [2.0, 18.0]);
    /// assert_eq!(x.var_axes(&[1], Correction::Population).to_vec::<f32>()?, [1.0, 9.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn var_axes(&self, axes: &[isize], correction: Correction) -> Tensor {
        spread(self, Measure::Variance, axes, correction)
    }

    /// The standard deviation of all elements, with `n - 1`: shape `[]`. NaN of fewer than two.
    #[track_caller]
    pub fn std(&self) -> Tensor {
        self.std_axes(&self.all_axes_of(), Correction::default())
    }

    /// Standard deviations along `axes`, which go from the shape: roots of [`Tensor::var_axes`]. Where one is 0, no gradient flows.
    ///
    /// Errors: an axis out of range.
    ///
    /// ```
    /// use tilework::{Correction, Device, Tensor};
    /// let x = Tensor::from_vec(vec![1.0, 3.0, 2.0, 8.0], [2, 2], &Device::cpu());
    /// assert_eq!(x.std_axes(&[1], Correction::Population).to_vec::<f32>()?, [1.0, 3.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn std_axes(&self, axes: &[isize], correction: Correction) -> Tensor {
        spread(self, Measure::Deviation, axes, correction)
    }

    /// The Euclidean norm `√Σ x²` of all elements: shape `[]`. Squares above 3.4e38 overflow.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![3.0, 4.0], [2], &Device::cpu());
    /// assert_eq!(x.norm().item::<f32>()?, 5.0);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn norm(&self) -> Tensor {
        self.norm_axes(&self.all_axes_of())
    }

    /// Euclidean norms along `axes`, which go from the shape. Where one is 0, no gradient flows.
    ///
    /// Errors: an axis out of range.
    #[track_caller]
    pub fn norm_axes(&self, axes: &[isize]) -> Tensor {
        spread(self, Measure::Norm, axes, Correction::default())
    }
}
