//! The loss of logistic regression, binary and multinomial, and its gradient: in f64 over blocks of rows on the CPU, or in f32
//! on the tensors of any device. Features are moved by their means on the way, which makes the intercept independent of them
//! and changes nothing else.

use super::rows::{Block, Centre, Cut, Rows, add};
use crate::data::Matrix;
use crate::device::Device;
use crate::error::Result;
use crate::models::linalg;
use crate::tensor::Tensor;
use std::ops::Range;

/// What is minimised: the weighted mean of the rows' losses plus prices on the coefficients. Parameters are coefficients
/// `[K, F]` and then, if there are any, intercepts `[K]`, for centred features; `K` is 1 for two classes.
pub(super) struct Softmax<'a> {
    pub rows: Rows<'a, 'a>,
    pub labels: &'a [u32],
    /// Weights that sum to 1.
    pub weights: Vec<f64>,
    pub outputs: usize,
    pub fit_intercept: bool,
    pub l1: f64,
    pub l2: f64,
    pub centre: Centre,
    /// The weighted variance of each feature.
    pub variance: Vec<f64>,
}

impl<'a> Softmax<'a> {
    pub fn new(
        rows: Rows<'a, 'a>,
        labels: &'a [u32],
        weights: Vec<f64>,
        outputs: usize,
        fit_intercept: bool,
    ) -> Softmax<'a> {
        let weighted = Rows { x: rows.x, y: rows.y, weights: Some(&weights) };
        let centre = weighted.centre(fit_intercept);
        let variance = weighted.variance(&centre);
        Softmax { rows, labels, weights, outputs, fit_intercept, l1: 0.0, l2: 0.0, centre, variance }
    }

    pub fn parameters(&self) -> usize {
        self.outputs * (self.rows.width() + usize::from(self.fit_intercept))
    }

    /// The price of each parameter's size; empty when there is none.
    pub fn sizes(&self) -> Vec<f64> {
        let coefs = self.outputs * self.rows.width();
        let price = |i| if i < coefs { self.l1 } else { 0.0 };
        if self.l1 > 0.0 { (0..self.parameters()).map(price).collect() } else { Vec::new() }
    }

    /// The curvature of the loss along a score where all classes are equally likely.
    pub fn curvature(&self) -> f64 {
        let classes = self.outputs.max(2) as f64;
        (1.0 - 1.0 / classes) / classes
    }

    /// A guess of the inverse curvature along each parameter: that of equally likely classes.
    pub fn inverse(&self) -> Vec<f64> {
        let of_scores = self.curvature();
        let one = |variance: &f64| match of_scores * variance + self.l2 {
            0.0 => 0.0, // a constant column: it stays at 0
            curvature => curvature.recip(),
        };
        let of_columns: Vec<f64> = self.variance.iter().map(one).collect();
        let mut inverse = of_columns.repeat(self.outputs);
        inverse.resize(self.parameters(), of_scores.recip());
        inverse
    }

    /// What each feature is divided by in f32.
    pub fn deviation(&self) -> Vec<f64> {
        self.variance.iter().map(|v| if *v > 0.0 { v.sqrt() } else { 1.0 }).collect()
    }

    /// Coefficients, and intercepts of features that are not centred.
    pub fn uncentred(&self, parameters: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (coef, constants) = parameters.split_at(self.outputs * self.rows.width());
        (coef.to_vec(), intercepts(coef, constants, &self.centre.x))
    }

    /// The value at `parameters`, and its gradient, in f64.
    pub fn evaluate(&self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        let (width, outputs) = (self.rows.width(), self.outputs);
        let (coef, intercept) = self.uncentred(parameters);
        struct Sums {
            loss: f64,
            products: Vec<f64>,
            residuals: Vec<f64>,
            scores: Vec<f64>,
        }
        let start = || Sums {
            loss: 0.0,
            products: vec![0.0; outputs * width],
            residuals: vec![0.0; outputs],
            scores: Vec::new(),
        };
        let each = |sums: &mut Sums, range: Range<usize>| {
            let x = Block::of(self.rows.x, range.clone());
            let Sums { loss, products, residuals, scores } = sums;
            scores.resize(range.len() * outputs, 0.0);
            x.scores(width, &coef, scores);
            let known = self.labels[range.clone()].iter().zip(&self.weights[range]);
            for (scores, (&label, &weight)) in scores.chunks_exact_mut(outputs).zip(known) {
                scores.iter_mut().zip(&intercept).for_each(|(score, b)| *score += b);
                *loss += weight * surprise(scores, label as usize);
                scores.iter_mut().zip(residuals.iter_mut()).for_each(|(score, sum)| {
                    *score *= weight;
                    *sum += *score;
                });
            }
            x.add_products(width, scores, products);
        };
        let combine = |a: Sums, b: Sums| Sums {
            loss: a.loss + b.loss,
            products: add(a.products, b.products),
            residuals: add(a.residuals, b.residuals),
            scores: Vec::new(),
        };
        let per_row = match self.rows.x {
            Matrix::Sparse(x) => x.stored() / x.rows().max(1),
            _ => width,
        };
        let cut = Cut { block: 256, cost: outputs * (4 * per_row + 50), least: outputs };
        let Sums { loss, products, residuals, .. } = self.rows.reduce(cut, start, each, |sums| sums, combine);
        self.finish(parameters, loss, &products, &residuals, gradient)
    }

    /// Adds the prices; turns products with the columns into those with the centred columns.
    fn finish(&self, parameters: &[f64], loss: f64, products: &[f64], residuals: &[f64], gradient: &mut [f64]) -> f64 {
        let width = self.rows.width();
        let (of_coef, of_constants) = gradient.split_at_mut(self.outputs * width);
        of_constants.iter_mut().zip(residuals).for_each(|(g, sum)| *g = *sum);
        let mut squares = 0.0;
        let rows =
            of_coef.chunks_exact_mut(width).zip(products.chunks_exact(width)).zip(parameters.chunks_exact(width));
        for (((g, products), coef), residual) in rows.zip(residuals) {
            for (((g, product), coef), mean) in g.iter_mut().zip(products).zip(coef).zip(&self.centre.x) {
                *g = product - mean * residual + self.l2 * coef;
                squares += coef * coef;
            }
        }
        loss + 0.5 * self.l2 * squares
    }
}

/// `−ln p` of the class; the scores become `p − 1` of the class and `p` of the others. One score is that of class 1 over 0.
fn surprise(scores: &mut [f64], label: usize) -> f64 {
    if let [score] = scores {
        let (z, one) = (*score, label == 1);
        let e = (-z.abs()).exp();
        let p = if z > 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
        *score = if one { p - 1.0 } else { p };
        return e.ln_1p() + if one { (-z).max(0.0) } else { z.max(0.0) };
    }
    let largest = scores.iter().fold(f64::NEG_INFINITY, |most, z| most.max(*z));
    let of_label = scores.get(label).copied().unwrap_or(f64::NAN) - largest;
    let mut sum = 0.0;
    scores.iter_mut().for_each(|z| {
        *z = (*z - largest).exp();
        sum += *z;
    });
    scores.iter_mut().for_each(|z| *z /= sum);
    if let Some(p) = scores.get_mut(label) {
        *p -= 1.0;
    }
    sum.ln() - of_label
}

/// The intercepts of features as they are, from `constants` of those that were moved by `mean`; zeros where there are none.
pub(super) fn intercepts(coef: &[f64], constants: &[f64], mean: &[f64]) -> Vec<f64> {
    let one = |(k, coef)| constants.get(k).map_or(0.0, |constant| constant - linalg::dot(coef, mean));
    coef.chunks_exact(mean.len().max(1)).enumerate().map(one).collect()
}

/// The classes of some rows, `[rows, K]`: 1 for the row's own, or for class 1 of two.
pub(super) fn targets(labels: &[u32], outputs: usize, rows: impl ExactSizeIterator<Item = usize>) -> Vec<f32> {
    let mut targets = vec![0.0; rows.len() * outputs];
    for (target, row) in targets.chunks_exact_mut(outputs).zip(rows) {
        let label = labels.get(row).map_or(usize::MAX, |&label| label as usize);
        let place = if outputs == 1 { label.wrapping_sub(1) } else { label };
        target.get_mut(place).into_iter().for_each(|target| *target = 1.0);
    }
    targets
}

/// The losses of scores `[B, K]` against [`targets`], `[B, K]`.
pub(super) fn losses(scores: &Tensor, targets: &Tensor) -> Tensor {
    match targets.shape().last() {
        Some(1) => scores.softplus() - scores * targets,
        _ => -(scores.log_softmax(-1) * targets),
    }
}

/// The same loss in f32 on a device: features centred and of deviation 1, `[N, F]`, targets times weights, and weights.
pub(super) struct OnDevice<'a, 'b> {
    softmax: &'b Softmax<'a>,
    x: Tensor,
    targets: Tensor,
    weights: Tensor,
    /// What each feature was divided by.
    deviation: Vec<f64>,
}

impl<'a, 'b> OnDevice<'a, 'b> {
    /// # Errors
    /// Not enough memory on the device; a lost device.
    pub fn new(softmax: &'b Softmax<'a>, device: &Device) -> Result<OnDevice<'a, 'b>> {
        let (rows, width, outputs) = (softmax.rows.x.rows(), softmax.rows.width(), softmax.outputs);
        let deviation = softmax.deviation();
        let x = standardised(softmax.rows.x, &softmax.centre.x, &deviation);
        let weights: Vec<f32> = softmax.weights.iter().map(|&w| w as f32).collect();
        let mut targets = targets(softmax.labels, outputs, 0..rows);
        targets.chunks_exact_mut(outputs).zip(&weights).for_each(|(row, w)| row.iter_mut().for_each(|t| *t *= w));
        Ok(OnDevice {
            softmax,
            x: Tensor::from_vec(x, [rows, width], device).check()?.clone(),
            targets: Tensor::from_vec(targets, [rows, outputs], device).check()?.clone(),
            weights: Tensor::from_vec(weights, [rows, 1], device).check()?.clone(),
            deviation,
        })
    }

    /// As [`Softmax::evaluate`].
    ///
    /// # Errors
    /// What the device reports.
    pub fn evaluate(&self, parameters: &[f64], gradient: &mut [f64]) -> Result<f64> {
        let (width, outputs, device) = (self.deviation.len(), self.softmax.outputs, self.x.device());
        let (coef, constants) = parameters.split_at(outputs * width);
        let scaled: Vec<f32> =
            coef.iter().zip(self.deviation.iter().cycle()).map(|(c, deviation)| (c * deviation) as f32).collect();
        let mut scores = self.x.matmul(&Tensor::from_vec(scaled, [outputs, width], device).t());
        if !constants.is_empty() {
            let constants: Vec<f32> = constants.iter().map(|&b| b as f32).collect();
            scores = scores + Tensor::from_vec(constants, [outputs], device);
        }
        let (losses, p) = match outputs {
            1 => (scores.softplus() * &self.weights - &scores * &self.targets, scores.sigmoid()),
            _ => (-(scores.log_softmax(-1) * &self.targets), scores.softmax(-1)),
        };
        let residuals = p * &self.weights - &self.targets;
        let products = residuals.t().matmul(&self.x);
        let (loss, sums) = (losses.sum(), residuals.sum_axes(&[0]));
        let wide =
            |tensor: &Tensor| -> Result<Vec<f64>> { Ok(tensor.to_vec::<f32>()?.into_iter().map(f64::from).collect()) };
        let (loss, products, sums) = (wide(&loss)?, wide(&products)?, wide(&sums)?);
        // Products with the columns as they were, about their means: what `finish` makes of them again.
        let means = self.softmax.centre.x.iter().zip(&self.deviation).cycle();
        let products: Vec<f64> = products
            .chunks_exact(width)
            .zip(&sums)
            .flat_map(|(row, sum)| row.iter().map(move |p| (p, sum)))
            .zip(means)
            .map(|((product, sum), (mean, deviation))| product * deviation + mean * sum)
            .collect();
        let loss = loss.first().copied().unwrap_or(f64::NAN);
        Ok(self.softmax.finish(parameters, loss, &products, &sums, gradient))
    }
}

/// Features moved by `mean` and divided by `deviation`, as singles.
pub(super) fn standardised(x: Matrix<'_>, mean: &[f64], deviation: &[f64]) -> Vec<f32> {
    const ROWS: usize = 256;
    let width = mean.len();
    let mut out = Vec::with_capacity(x.rows() * width);
    for start in (0..x.rows()).step_by(ROWS) {
        for row in x.block(start..start + ROWS).chunks_exact(width.max(1)) {
            let columns = row.iter().zip(mean).zip(deviation);
            out.extend(columns.map(|((x, mean), deviation)| ((x - mean) / deviation) as f32));
        }
    }
    out
}
