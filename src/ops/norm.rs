//! `layer_norm` and `rms_norm`: rows brought to one scale, and their gradients, one launch each.

use crate::device::cpu::reduce::Fold;
use crate::error::{Error, Result};
use crate::expr::E;
use crate::ops::row::failed;
use crate::ops::row_wise::{Formulas, RowFormula, RowResult, RowWise, Walk, formula};
use crate::ops::rows::{LONG_ROW, floats};
use crate::plan::kernel::Meta;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Saves};
use crate::tensor::record::record;
use smallvec::{SmallVec, smallvec};

/// How a row is brought to one scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// `(x - mean) / √(var + eps)`
    Layer,
    /// `x / √(mean x² + eps)`
    Rms,
}

impl Kind {
    /// The walks that find mean and scale. `inputs` are the operation's. Scalars: the width of a row, eps.
    fn walks(self, inputs: usize) -> Vec<Walk> {
        match self {
            Kind::Layer => vec![
                Walk::new(Fold::Sum, [inputs, 0, 2], |x, _, _| vec![x[0]], |j, _, p| vec![j[0] / p[0]]),
                // The mean was rounded; what it is off by, `shift`, is found with the squares and taken from them, or rows of
                // a large mean would lose their digits. Source: Chan, Golub & LeVeque 1983, The American Statistician 37,
                // equation 1.7.
                Walk::new(
                    Fold::Sum,
                    [inputs, 1, 2],
                    |x, s, _| {
                        let d = x[0] - s[0];
                        vec![d * d, d]
                    },
                    |j, _, p| {
                        let shift = j[1] / p[0];
                        vec![shift, scale((j[0] - j[1] * shift) / p[0], p[1])]
                    },
                ),
            ],
            Kind::Rms => vec![Walk::new(
                Fold::Sum,
                [inputs, 0, 2],
                |x, _, _| vec![x[0] * x[0]],
                |j, _, p| vec![scale(j[0] / p[0], p[1])],
            )],
        }
    }

    /// Numbers that the walks find.
    fn numbers(self) -> usize {
        match self {
            Kind::Layer => 3, // mean, shift, scale
            Kind::Rms => 1,   // scale
        }
    }

    /// The element at one scale, from itself and the numbers.
    fn hat<'b>(self, x: E<'b>, s: &[E<'b>]) -> E<'b> {
        match self {
            Kind::Layer => (x - s[0] - s[1]) * s[2],
            Kind::Rms => x * s[0],
        }
    }
}

/// `1 / √(mean square + eps)`.
fn scale<'b>(mean_square: E<'b>, eps: E<'b>) -> E<'b> {
    (mean_square.max(0.0) + eps).sqrt().recip()
}

/// Inputs: `x`, the weight if `weighted`, the bias if `biased`. Run-time scalar: eps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Norm {
    kind: Kind,
    weighted: bool,
    biased: bool,
}

/// `x` at one scale, without weight and bias.
fn hat(kind: Kind, x: &Tensor, scalars: &[u32]) -> Tensor {
    record(RowWise::new(Norm { kind, weighted: false, biased: false }), &[x], scalars)
}

impl RowFormula for Norm {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Layer => "layer_norm",
            Kind::Rms => "rms_norm",
        }
    }

    fn formulas(&self) -> Formulas {
        let Norm { kind, weighted, biased } = *self;
        let inputs = 1 + usize::from(weighted) + usize::from(biased);
        let result = formula(inputs, kind.numbers(), 2, |x, s, _| {
            let hat = kind.hat(x[0], s);
            let scaled = if weighted { hat * x[1] } else { hat };
            vec![if biased { scaled + x[inputs - 1] } else { scaled }]
        });
        Formulas { walks: kind.walks(inputs), result: Some(result) }
    }

    fn result(&self) -> RowResult {
        RowResult::Row
    }

    fn check(&self, _: &[Meta]) -> Result<()> {
        Ok(())
    }

    fn saves(&self, _: u32) -> Saves {
        Saves { inputs: if self.weighted { 0b11 } else { 1 }, output: false }
    }

    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        let x = call.input(0)?;
        let weight = if self.weighted { Some(call.input(1)?) } else { None };
        let mut partials: Partials = smallvec![call.wants(0).then(|| slope(self.kind, x, dy, weight, call.scalars()))];
        if self.weighted {
            partials.push(call.wants(1).then(|| dy * hat(self.kind, x, call.scalars())));
        }
        if self.biased {
            partials.push(Some(dy.clone()));
        }
        Ok(partials)
    }
}

/// The gradient by `x`. Inputs: `x`, `dy`, the weight if `weighted`. Run-time scalar: eps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct NormGrad {
    kind: Kind,
    weighted: bool,
}

fn slope(kind: Kind, x: &Tensor, dy: &Tensor, weight: Option<&Tensor>, scalars: &[u32]) -> Tensor {
    let inputs: SmallVec<[&Tensor; 3]> = [x, dy].into_iter().chain(weight).collect();
    record(RowWise::new(NormGrad { kind, weighted: weight.is_some() }), &inputs, scalars)
}

impl RowFormula for NormGrad {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Layer => "layer_norm_grad",
            Kind::Rms => "rms_norm_grad",
        }
    }

    /// With `g = dy·w`, `h` the element at one scale `r`: `dx = r·(g - mean(g) - h·mean(g·h))`; for rms without `mean(g)`.
    fn formulas(&self) -> Formulas {
        let NormGrad { kind, weighted } = *self;
        let inputs = 2 + usize::from(weighted);
        let known = kind.numbers();
        fn slope<'b>(x: &[E<'b>]) -> E<'b> {
            if let [_, dy, weight] = *x { dy * weight } else { x[1] }
        }
        let mut walks = kind.walks(inputs);
        walks.push(Walk::new(
            Fold::Sum,
            [inputs, known, 2],
            |x, s, _| {
                let g = slope(x);
                let along = g * kind.hat(x[0], s);
                match kind {
                    Kind::Layer => vec![along, g],
                    Kind::Rms => vec![along],
                }
            },
            |j, _, p| j.iter().take(2).map(|&sum| sum / p[0]).take(kind.means()).collect(),
        ));
        let result = formula(inputs, known + kind.means(), 2, |x, s, _| {
            let (numbers, means) = s.split_at(known);
            let rest = slope(x) - kind.hat(x[0], numbers) * means[0];
            let rest = means.get(1).map_or(rest, |&mean| rest - mean);
            vec![rest * numbers[known - 1]]
        });
        Formulas { walks, result: Some(result) }
    }

    fn result(&self) -> RowResult {
        RowResult::Row
    }

    fn check(&self, _: &[Meta]) -> Result<()> {
        Ok(())
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::INPUTS
    }

    /// With `N(v)` this gradient for `dy = v` without a weight (its own transpose), `c = mean(u·h)`, `b = mean(g·h)`:
    /// `dg = N(u)`, `dx = N(-r·(u·b + g·c)) - r·h·mean(u·N(g))`: through `h`, and through `r` alone.
    fn grad(&self, call: &GradCall<'_>, u: &Tensor) -> Result<Partials> {
        let (x, dy, eps) = (call.input(0)?, call.input(1)?, call.scalars());
        let weight = if self.weighted { Some(call.input(2)?) } else { None };
        let operator = |v: &Tensor| slope(self.kind, x, v, None, eps);
        let mean = |v: Tensor| v.mean_axes(&[-1]).unsqueeze(-1);
        let by_g = operator(u);
        let (g, by_dy) = match weight {
            Some(weight) => (dy * weight, &by_g * weight),
            None => (dy.clone(), by_g.clone()),
        };
        let mut partials: Partials = smallvec![None, Some(by_dy)];
        if call.wants(0) {
            let h = hat(self.kind, x, eps);
            let r = self.kind.scale(x, f32::from_bits(eps.first().copied().unwrap_or_default()));
            let through_h = operator(&(&r * (u * mean(&g * &h) + &g * mean(u * &h))));
            let through_r = &r * &h * mean(u * operator(&g));
            partials[0] = Some(-(through_h + through_r));
        }
        if self.weighted {
            partials.push(Some(by_g * dy));
        }
        Ok(partials)
    }
}

impl Kind {
    /// Means that the gradient needs.
    fn means(self) -> usize {
        match self {
            Kind::Layer => 2,
            Kind::Rms => 1,
        }
    }

    fn centred(self, x: &Tensor) -> Tensor {
        match self {
            Kind::Layer => x - x.mean_axes(&[-1]).unsqueeze(-1),
            Kind::Rms => x.clone(),
        }
    }

    /// The scale of each row, `[…, 1]`, in tensor operations.
    fn scale(self, x: &Tensor, eps: f32) -> Tensor {
        (self.centred(x).square().mean_axes(&[-1]).unsqueeze(-1) + eps).rsqrt()
    }

    /// The whole in tensor operations; `others` are the weight, if `weighted`, and the bias, if any.
    fn composed(self, x: &Tensor, others: &[Tensor], weighted: bool, eps: f32) -> Tensor {
        let (weight, bias) = others.split_at(usize::from(weighted));
        let hat = self.centred(x) * self.scale(x, eps);
        let scaled = weight.iter().fold(hat, |hat, weight| hat * weight);
        bias.iter().fold(scaled, |scaled, bias| scaled + bias)
    }
}

/// The normalised tensor; weight and bias have the shape of the dimensions that make up a row.
#[track_caller]
fn normalise(x: &Tensor, kind: Kind, weight: Option<&Tensor>, bias: Option<&Tensor>, eps: f32) -> Tensor {
    if let Some(failed) = [Some(x), weight, bias].into_iter().flatten().find(|x| x.ok().is_none()) {
        return failed.clone();
    }
    let op = Norm { kind, weighted: weight.is_some(), biased: bias.is_some() };
    match row_shape(op.name(), x.shape(), weight, bias) {
        Ok(flat) => {
            let width = flat.last().copied().unwrap_or(0);
            let x = floats(x);
            let others: SmallVec<[Tensor; 2]> =
                [weight, bias].into_iter().flatten().map(|other| floats(other).reshape(width)).collect();
            let rows = x.reshape(flat);
            if width > LONG_ROW {
                return kind.composed(&rows, &others, op.weighted, eps).reshape(x.shape());
            }
            let inputs: SmallVec<[&Tensor; 3]> = std::iter::once(&rows).chain(&others).collect();
            record(RowWise::new(op), &inputs, &[eps.to_bits()]).reshape(x.shape())
        }
        Err(error) => failed(error, x),
    }
}

/// The shape with the dimensions of a row joined into one.
fn row_shape(op: &'static str, shape: Shape, weight: Option<&Tensor>, bias: Option<&Tensor>) -> Result<Shape> {
    let row = match weight.or(bias) {
        Some(other) => other.shape(),
        None => Shape::of(&shape[shape.rank().saturating_sub(1)..]),
    };
    let same = bias.is_none_or(|bias| bias.shape() == row);
    if row.rank() == 0 || !shape.ends_with(&row) || !same {
        let other = |x: Option<&Tensor>| x.map_or("none".to_string(), |x| x.shape().to_string());
        let message = format!(
            "weight and bias must have the shape of the last dimensions: input {shape}, weight {}, bias {}; reshape one",
            other(weight),
            other(bias)
        );
        return Err(Error::shape(op, message));
    }
    let lead = shape.rank() - row.rank();
    Ok(Shape::of(&[&shape[..lead], &[row.numel()]].concat()))
}

impl Tensor {
    /// `(x - mean) / √(var + eps)·weight + bias` over the last dimensions, those that weight and bias have; over the last one
    /// where neither is given. The variance is divided by the number of elements. Shapes: `x` `[…, F…]`, weight and bias `[F…]`.
    ///
    /// Errors: a weight or bias whose shape is not that of the last dimensions.
    ///
    /// Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450, equation 4; PyTorch's eps is 1e-5.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![1.0, 3.0, 10.0, -10.0], [2, 2], &Device::cpu());
    /// let (w, b) = (Tensor::full([2], 2.0, &Device::cpu()), Tensor::ones([2], &Device::cpu()));
    /// assert_eq!(x.layer_norm(&w, &b, 0.0).to_vec::<f32>()?, [-1.0, 3.0, 3.0, -1.0]);
    /// assert_eq!(x.layer_norm(None, None, 0.0).to_vec::<f32>()?, [-1.0, 1.0, 1.0, -1.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn layer_norm<'a>(
        &self,
        weight: impl Into<Option<&'a Tensor>>,
        bias: impl Into<Option<&'a Tensor>>,
        eps: f32,
    ) -> Tensor {
        normalise(self, Kind::Layer, weight.into(), bias.into(), eps)
    }

    /// `x / √(mean(x²) + eps)·weight` over the last dimensions, those that the weight has; over the last one without a weight.
    /// Shapes: `x` `[…, F…]`, weight `[F…]`.
    ///
    /// Errors: a weight whose shape is not that of the last dimensions.
    ///
    /// Source: Zhang & Sennrich 2019, arXiv:1910.07467, equation 4.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![3.0, 3.0, 3.0, -3.0], [1, 4], &Device::cpu());
    /// assert_eq!(x.rms_norm(None, 0.0).to_vec::<f32>()?, [1.0, 1.0, 1.0, -1.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn rms_norm<'a>(&self, weight: impl Into<Option<&'a Tensor>>, eps: f32) -> Tensor {
        normalise(self, Kind::Rms, weight.into(), None, eps)
    }
}
