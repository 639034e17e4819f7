//! Columns made more normal by a power.

use super::scale::moments;
use super::transformer::{Feature, Transform, Transformer};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::{Problem, Reader, Writer, check_width};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// The family of powers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PowerMethod {
    /// Of any numbers: Yeo and Johnson, Biometrika 87 (2000).
    #[default]
    YeoJohnson,
    /// Of positive numbers: Box and Cox, J. R. Stat. Soc. B 26 (1964).
    BoxCox,
}

/// Raises each column to the power that makes it most like a normal distribution, then to mean 0 and deviation 1:
/// scikit-learn's `PowerTransformer`. NaN stays.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PowerTransformer {
    /// The family of powers.
    pub method: PowerMethod,
    /// Whether to bring the result to mean 0 and deviation 1.
    pub standardize: bool,
}

impl Default for PowerTransformer {
    fn default() -> PowerTransformer {
        PowerTransformer { method: PowerMethod::YeoJohnson, standardize: true }
    }
}

/// A fitted [`PowerTransformer`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedPowerTransformer {
    method: PowerMethod,
    /// The power of each column.
    pub lambdas: Vec<f64>,
    mean: Vec<f64>,
    scale: Vec<f64>,
}

impl PowerMethod {
    fn map(self, lambda: f64, x: f64) -> f64 {
        // (e^z - 1) / lambda for z = lambda ln x, which keeps its digits near a power of 0.
        let power = |ln: f64, lambda: f64| if lambda == 0.0 { ln } else { (lambda * ln).exp_m1() / lambda };
        match self {
            PowerMethod::BoxCox => power(x.ln(), lambda),
            PowerMethod::YeoJohnson if x >= 0.0 => power(x.ln_1p(), lambda),
            PowerMethod::YeoJohnson => -power((-x).ln_1p(), 2.0 - lambda),
        }
    }

    /// The power of greatest likelihood.
    fn fit(self, values: &[f64]) -> f64 {
        let given: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        let ones = vec![1.0; given.len()];
        let (mean, variance) = moments(&given, &ones);
        if variance <= given.len() as f64 * f64::EPSILON * variance + (given.len() as f64 * mean * f64::EPSILON).powi(2)
        {
            return 1.0; // a constant column is left as it is
        }
        let jacobian: f64 = match self {
            PowerMethod::BoxCox => given.iter().map(|v| v.ln()).sum(),
            PowerMethod::YeoJohnson => given.iter().map(|v| v.abs().ln_1p().copysign(*v)).sum(),
        };
        let loss = |lambda: f64| {
            let made: Vec<f64> = given.iter().map(|&v| self.map(lambda, v)).collect();
            let (_, variance) = moments(&made, &ones);
            let loss = given.len() as f64 / 2.0 * variance.ln() - (lambda - 1.0) * jacobian;
            if loss.is_nan() || variance <= 0.0 { f64::INFINITY } else { loss }
        };
        minimum(loss)
    }
}

/// The minimum near -2 to 2, by golden sections of a bracket that grows downhill.
fn minimum(loss: impl Fn(f64) -> f64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let (mut low, mut high) = (-2.0, 2.0);
    for _ in 0..40 {
        let (step, at) = (high - low, [loss(low), loss((low + high) / 2.0), loss(high)]);
        match at {
            [l, m, _] if l < m => low -= step,
            [_, m, h] if h < m => high += step,
            _ => break,
        }
    }
    let (mut a, mut b) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
    let (mut of_a, mut of_b) = (loss(a), loss(b));
    while high - low > 1e-9 * (1.0 + low.abs()) && low < a && a < b && b < high {
        if of_a < of_b {
            (high, b, of_b) = (b, a, of_a);
            a = high - GOLDEN * (high - low);
            of_a = loss(a);
        } else {
            (low, a, of_a) = (a, b, of_b);
            b = low + GOLDEN * (high - low);
            of_b = loss(b);
        }
    }
    (low + high) / 2.0
}

impl Transformer for PowerTransformer {
    type Fitted = FittedPowerTransformer;
    const NAME: &'static str = "power-transformer";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedPowerTransformer> {
        problem.check_but_missing(Self::NAME)?;
        let mut fitted =
            FittedPowerTransformer { method: self.method, lambdas: Vec::new(), mean: Vec::new(), scale: Vec::new() };
        check_positive(self.method, problem.x)?;
        for column in 0..problem.x.width() {
            let values = problem.x.column(column);
            let lambda = self.method.fit(&values);
            let made: Vec<f64> = values.iter().map(|&v| self.method.map(lambda, v)).collect();
            let (mean, variance) = moments(&made, &vec![1.0; made.len()]);
            if !(lambda.is_finite() && mean.is_finite() && variance.is_finite()) {
                let message = format!("column {column} has numbers too large for a power; scale it first");
                return Err(Error::NonFinite { op: Self::NAME, message });
            }
            let rounding =
                made.len() as f64 * f64::EPSILON * variance + (made.len() as f64 * mean * f64::EPSILON).powi(2);
            let scale = if variance <= rounding { 1.0 } else { variance.sqrt() };
            fitted.lambdas.push(lambda);
            fitted.mean.push(if self.standardize { mean } else { 0.0 });
            fitted.scale.push(if self.standardize { scale } else { 1.0 });
        }
        Ok(fitted)
    }
}

fn check_positive(method: PowerMethod, x: Matrix<'_>) -> Result<()> {
    let columns = 0..if method == PowerMethod::BoxCox { x.width() } else { 0 };
    for column in columns {
        if let Some(row) = x.column(column).iter().position(|v| *v <= 0.0) {
            let message =
                format!("{} in row {row}, column {column}; box-cox takes positive numbers", x.get(row, column));
            return Err(Error::argument(PowerTransformer::NAME, format!("{message}: use yeo-johnson")));
        }
    }
    Ok(())
}

impl Transform for FittedPowerTransformer {
    fn kind(&self) -> &'static str {
        PowerTransformer::NAME
    }

    fn width(&self) -> usize {
        self.lambdas.len()
    }

    fn outputs(&self) -> usize {
        self.width()
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_width(PowerTransformer::NAME, self.width(), x)?;
        check_positive(self.method, x)?;
        let made = Array2::from_shape_fn((x.rows(), self.width()), |(row, column)| {
            (self.method.map(self.lambdas[column], x.get(row, column)) - self.mean[column]) / self.scale[column]
        });
        Matrix::from(&made).check_not_infinite(PowerTransformer::NAME, None).map(|()| made)
    }

    fn features(&self, from: &[Feature]) -> Vec<Feature> {
        from.iter().map(|feature| Feature::number(&feature.name)).collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&self.method)?;
        out.doubles("lambdas", &self.lambdas, &[self.width()])?;
        out.doubles("mean", &self.mean, &[self.width()])?;
        out.doubles("scale", &self.scale, &[self.width()])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedPowerTransformer> {
        let (lambdas, _) = from.doubles("lambdas")?;
        let width = lambdas.len();
        let (mean, scale) = (from.vector("mean", width)?, from.vector("scale", width)?);
        Ok(FittedPowerTransformer { method: from.note()?, lambdas, mean, scale })
    }
}
