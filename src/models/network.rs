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
