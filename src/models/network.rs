//! The dense networks that models are made of.

use crate::device::Device;
use crate::error::Result;
use crate::nn::{Init, Linear, Module, Relu, Sequential, Sigmoid, Tanh};
use crate::rng::Rng;
use serde::{Deserialize, Serialize};

/// What hidden units make of their sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x`
    Identity,
    /// `1 / (1 + exp(-x))`
    Logistic,
    /// `tanh x`
    Tanh,
    /// `max(0, x)`
    #[default]
    Relu,
}

/// Dense layers of `sizes[i]` to `sizes[i + 1]` units with the activation between them. They start as scikit-learn's networks and
/// Keras' Dense do: Glorot uniform, without bias at first.
///
/// # Errors
/// Not enough memory; a lost device.
pub(super) fn network(sizes: &[usize], activation: Activation, rng: &mut Rng, device: &Device) -> Result<Sequential> {
    let mut net = Sequential::new();
    for (place, pair) in sizes.windows(2).enumerate() {
        if let [inputs, outputs] = *pair {
            net = net.add(Linear::with_init(inputs, outputs, Init::XavierUniform, Init::Zeros, rng, device));
        }
        if place + 2 < sizes.len() {
            net = match activation {
                Activation::Identity => net,
                Activation::Logistic => net.add(Sigmoid),
                Activation::Tanh => net.add(Tanh),
                Activation::Relu => net.add(Relu),
            };
        }
    }
    for (_, param) in net.parameters() {
        param.tensor().check()?;
    }
    Ok(net)
}

/// scikit-learn's rule for when a network's training has come to its end: more passes in a row than `patience` whose loss is not
/// below the lowest before by `tol`.
pub(super) struct Plateau {
    tol: f64,
    patience: usize,
    best: f64,
    idle: usize,
}

impl Plateau {
    pub fn new(tol: f64, patience: usize) -> Plateau {
        Plateau { tol, patience, best: f64::INFINITY, idle: 0 }
    }

    /// Whether it is reached with the loss of one more pass.
    pub fn reached(&mut self, loss: f64) -> bool {
        self.idle = if loss > self.best - self.tol { self.idle + 1 } else { 0 };
        self.best = self.best.min(loss);
        self.idle > self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plateau_is_as_many_passes_without_progress_as_scikit_learn_waits_for() {
        let reached = |losses: &[f64]| {
            let mut plateau = Plateau::new(0.1, 2);
            losses.iter().position(|&loss| plateau.reached(loss))
        };
        assert_eq!(reached(&[1.0, 0.95, 0.92, 0.91, 0.5]), Some(3));
        assert_eq!(reached(&[1.0, 0.95, 0.92, 0.5, 0.45, 0.44]), None, "progress starts the count anew");
        assert_eq!(reached(&[1.0, 2.0, 3.0, 4.0]), Some(3));
    }
}
