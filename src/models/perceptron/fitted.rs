//! What was trained: layers of doubles, which predict on the CPU.

use crate::data::Matrix;
use crate::device::cpu::parallel::for_chunks;
use crate::device::host_threads;
use crate::error::{Error, Result};
use crate::models::estimator::{check_range, check_rows};
use crate::models::linalg;
use crate::models::network::Activation;
use crate::models::store::{Reader, Writer};
use crate::nn::{Module, Param, Sequential};
use crate::tensor::Tensor;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// A dense layer of a fitted network.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseLayer {
    /// `[out, in]`; scikit-learn's `coefs_` are `[in, out]`.
    pub weight: Array2<f64>,
    /// `[out]`
    pub bias: Vec<f64>,
}

/// What was trained.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trained {
    pub activation: Activation,
    pub layers: Vec<DenseLayer>,
    pub loss_curve: Vec<f64>,
    pub converged: bool,
}

/// A network's layers, as doubles.
pub(super) fn layers(net: &Sequential) -> Result<Vec<DenseLayer>> {
    let doubles = |t: &Tensor| -> Result<Vec<f64>> { Ok(t.to_vec::<f32>()?.into_iter().map(f64::from).collect()) };
    let parameters = net.parameters();
    let pairs = parameters.as_chunks::<2>().0.iter();
    let layer = |[(_, weight), (_, bias)]: &[(String, Param); 2]| {
        let (weight, bias) = (doubles(&weight.tensor())?, doubles(&bias.tensor())?);
        let shape = (bias.len(), weight.len() / bias.len().max(1));
        let weight = Array2::from_shape_vec(shape, weight).map_err(|e| Error::internal("mlp", e.to_string()))?;
        Ok(DenseLayer { weight, bias })
    };
    pairs.map(layer).collect()
}

#[derive(Serialize, Deserialize)]
struct Note {
    activation: Activation,
    layers: usize,
    loss_curve: Vec<f64>,
    converged: bool,
}

impl Trained {
    pub fn width(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.weight.ncols())
    }

    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.bias.len())
    }

    /// The last layer's sums, `[N, outputs]`.
    pub fn forward(&self, op: &'static str, x: Matrix<'_>) -> Result<Array2<f64>> {
        const ROWS: usize = 128;
        check_rows(op, self.width(), x)?;
        let mut out = Array2::zeros((x.rows(), self.outputs()));
        let work = self.layers.iter().map(|layer| 2 * ROWS * layer.weight.len()).sum::<usize>() as u64;
        for_chunks(host_threads(), out.as_slice_mut().unwrap_or_default(), ROWS * self.outputs(), work, |i, out| {
            let mut values = x.block(i * ROWS..(i + 1) * ROWS).into_owned();
            for (place, layer) in self.layers.iter().enumerate() {
                let (outputs, inputs) = layer.weight.dim();
                let mut sums = vec![0.0; values.len() / inputs.max(1) * outputs];
                linalg::scores(inputs, &values, layer.weight.as_slice().unwrap_or_default(), &mut sums);
                for row in sums.chunks_mut(outputs.max(1)) {
                    row.iter_mut().zip(&layer.bias).for_each(|(sum, bias)| *sum += bias);
                }
                if place + 1 < self.layers.len() {
                    sums.iter_mut().for_each(|v| *v = apply(self.activation, *v));
                }
                values = sums;
            }
            out.copy_from_slice(&values);
        });
        check_range(op, "predictions", &out)?;
        Ok(out)
    }

    pub fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let (layers, loss_curve) = (self.layers.len(), self.loss_curve.clone());
        out.note(&Note { activation: self.activation, layers, loss_curve, converged: self.converged })?;
        for (place, layer) in self.layers.iter().enumerate() {
            let mut part = out.part(&place.to_string());
            part.matrix("weight", &layer.weight)?;
            part.doubles("bias", &layer.bias, &[layer.bias.len()])?;
        }
        Ok(())
    }

    pub fn restore(from: &Reader<'_>) -> Result<Trained> {
        let Note { activation, layers: count, loss_curve, converged } = from.note()?;
        let mut layers: Vec<DenseLayer> = Vec::new();
        for place in 0..count {
            let part = from.part(&place.to_string());
            let weight = part.matrix("weight")?;
            if weight.is_empty() || layers.last().is_some_and(|last| last.bias.len() != weight.ncols()) {
                return Err(from.error(format!("layer {place} has shape {:?}, which does not follow", weight.dim())));
            }
            layers.push(DenseLayer { bias: part.vector("bias", weight.nrows())?, weight });
        }
        match layers.is_empty() {
            true => Err(from.error("no layers")),
            false => Ok(Trained { activation, layers, loss_curve, converged }),
        }
    }
}

fn apply(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Identity => x,
        Activation::Logistic => 1.0 / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
        Activation::Relu => x.max(0.0),
    }
}
