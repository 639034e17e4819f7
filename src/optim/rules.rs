//! The update formulas. Names, formulas and defaults are PyTorch's. Scalars are run-time values, so that a change of the
//! learning rate builds nothing. Settings are f64 on the host: 1 - 0.999 in f32 would be off by 5e-5 of itself.

use crate::expr::{Builder, E};
use crate::ops::row::{Cache, Row};
use crate::optim::{At, Rule};
use crate::tensor::Tensor;

/// A row that only optimizers use: it is no method of a tensor.
const fn row(
    name: &'static str,
    inputs: &'static [&'static str],
    scalars: &'static [&'static str],
    formula: for<'b> fn(&'b Builder, &[E<'b>], &[E<'b>]) -> E<'b>,
) -> Row {
    Row { name, inputs, scalars, domain: (-1.0, 1.0), formula, slopes: &[], cache: Cache::new() }
}

/// `x + a·y`
static AXPY: Row = row("axpy", &["x", "y"], &["a"], |_, x, p| x[0] + p[0] * x[1]);
/// `a·x + b·y`
static MIX: Row = row("mix", &["x", "y"], &["a", "b"], |_, x, p| p[0] * x[0] + p[1] * x[1]);
/// `a·x + b·y²`
static MIX_SQUARE: Row = row("mix_square", &["x", "y"], &["a", "b"], |_, x, p| p[0] * x[0] + p[1] * x[1] * x[1]);
/// `keep·w - rate·m / (scale·√v + eps)`
static SCALED_STEP: Row = row("scaled_step", &["w", "m", "v"], &["keep", "rate", "scale", "eps"], |_, x, p| {
    p[0] * x[0] - p[1] * x[1] / (p[2] * x[2].sqrt() + p[3])
});

/// Adds L2 decay to the gradient, if any.
fn decayed(g: &Tensor, w: &Tensor, weight_decay: f64) -> Tensor {
    if weight_decay == 0.0 { g.clone() } else { AXPY.call(&[g, w], &[weight_decay as f32]) }
}

/// Momentum of [`Sgd`]: how the velocity is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Momentum {
    /// `w ← w - lr·v`
    #[default]
    Heavy,
    /// `w ← w - lr·(g + μ·v)`. Sutskever et al. 2013, ICML, equations 3 and 4, in PyTorch's form.
    Nesterov,
}

/// Stochastic gradient descent: `v ← μ·v + g`, `w ← w - lr·v`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// Learning rate.
    pub lr: f64,
    /// `μ`; 0 keeps no velocity.
    pub momentum: f64,
    /// How the velocity is used.
    pub kind: Momentum,
    /// L2 decay, added to the gradient.
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Sgd {
        Sgd { lr: 1e-3, momentum: 0.0, kind: Momentum::Heavy, weight_decay: 0.0 }
    }
}

impl Rule for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn learning_rate(&self) -> f64 {
        self.lr
    }

    fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["velocity"] }
    }

    fn update(&self, at: At, w: &Tensor, g: &Tensor, slots: &[Tensor]) -> (Tensor, Vec<Tensor>) {
        let g = decayed(g, w, self.weight_decay);
        let [v] = slots else { return (AXPY.call(&[w, &g], &[-at.lr as f32]), Vec::new()) };
        let v = AXPY.call(&[&g, v], &[self.momentum as f32]);
        let direction = match self.kind {
            Momentum::Heavy => v.clone(),
            Momentum::Nesterov => AXPY.call(&[&g, &v], &[self.momentum as f32]),
        };
        (AXPY.call(&[w, &direction], &[-at.lr as f32]), vec![v])
    }
}

/// Adam with L2 decay in the gradient. Kingma & Ba 2014, arXiv:1412.6980, algorithm 1; ε outside the root, as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squares.
    pub beta2: f64,
    /// Keeps the division finite.
    pub eps: f64,
    /// L2 decay, added to the gradient.
    pub weight_decay: f64,
}

impl Default for Adam {
    fn default() -> Adam {
        Adam { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

impl Adam {
    /// The step with the weights first multiplied by `keep`.
    fn stepped(&self, at: At, keep: f64, w: &Tensor, g: &Tensor, slots: &[Tensor]) -> (Tensor, Vec<Tensor>) {
        let [m, v] = slots else { return (w.clone(), slots.to_vec()) };
        let m = MIX.call(&[m, g], &[self.beta1 as f32, (1.0 - self.beta1) as f32]);
        let v = MIX_SQUARE.call(&[v, g], &[self.beta2 as f32, (1.0 - self.beta2) as f32]);
        let power = |beta: f64| 1.0 - beta.powf(at.step as f64);
        let rate = at.lr / power(self.beta1);
        let scale = 1.0 / power(self.beta2).sqrt();
        let w = SCALED_STEP.call(&[w, &m, &v], &[keep as f32, rate as f32, scale as f32, self.eps as f32]);
        (w, vec![m, v])
    }
}

impl Rule for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn learning_rate(&self) -> f64 {
        self.lr
    }

    fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn update(&self, at: At, w: &Tensor, g: &Tensor, slots: &[Tensor]) -> (Tensor, Vec<Tensor>) {
        self.stepped(at, 1.0, w, &decayed(g, w, self.weight_decay), slots)
    }
}

/// Adam with decay apart from the gradient: `w ← (1 - lr·λ)·w` first. Loshchilov & Hutter 2017, arXiv:1711.05101, algorithm 2,
/// the decay scaled by the learning rate as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squares.
    pub beta2: f64,
    /// Keeps the division finite.
    pub eps: f64,
    /// `λ`.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> AdamW {
        AdamW { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 1e-2 }
    }
}

impl Rule for AdamW {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn learning_rate(&self) -> f64 {
        self.lr
    }

    fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn update(&self, at: At, w: &Tensor, g: &Tensor, slots: &[Tensor]) -> (Tensor, Vec<Tensor>) {
        let &AdamW { lr, beta1, beta2, eps, .. } = self;
        let adam = Adam { lr, beta1, beta2, eps, weight_decay: 0.0 };
        adam.stepped(at, 1.0 - at.lr * self.weight_decay, w, g, slots)
    }
}

/// Steps divided by a running root mean square of the gradients. Hinton 2012, lecture 6e; ε outside the root, as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsProp {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the mean of squares.
    pub alpha: f64,
    /// Keeps the division finite.
    pub eps: f64,
    /// L2 decay, added to the gradient.
    pub weight_decay: f64,
}

impl Default for RmsProp {
    fn default() -> RmsProp {
        RmsProp { lr: 1e-2, alpha: 0.99, eps: 1e-8, weight_decay: 0.0 }
    }
}

impl Rule for RmsProp {
    fn name(&self) -> &'static str {
        "rmsprop"
    }

    fn learning_rate(&self) -> f64 {
        self.lr
    }

    fn slots(&self) -> &'static [&'static str] {
        &["v"]
    }

    fn update(&self, at: At, w: &Tensor, g: &Tensor, slots: &[Tensor]) -> (Tensor, Vec<Tensor>) {
        let [v] = slots else { return (w.clone(), slots.to_vec()) };
        let g = decayed(g, w, self.weight_decay);
        let v = MIX_SQUARE.call(&[v, &g], &[self.alpha as f32, (1.0 - self.alpha) as f32]);
        (SCALED_STEP.call(&[w, &g, &v], &[1.0, at.lr as f32, 1.0, self.eps as f32]), vec![v])
    }
}

/// Steps divided by the root of the sum of all squares so far. Duchi, Hazan & Singer 2011, JMLR 12.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaGrad {
    /// Learning rate.
    pub lr: f64,
    /// The rate at step t is `lr / (1 + (t - 1)·lr_decay)`.
    pub lr_decay: f64,
    /// Keeps the division finite.
    pub eps: f64,
    /// L2 decay, added to the gradient.
    pub weight_decay: f64,
}

impl Default for AdaGrad {
    fn default() -> AdaGrad {
        AdaGrad { lr: 1e-2, lr_decay: 0.0, eps: 1e-10, weight_decay: 0.0 }
    }
}

impl Rule for AdaGrad {
    fn name(&self) -> &'static str {
        "adagrad"
    }

    fn learning_rate(&self) -> f64 {
        self.lr
    }

    fn slots(&self) -> &'static [&'static str] {
        &["sum"]
    }

    fn update(&self, at: At, w: &Tensor, g: &Tensor, slots: &[Tensor]) -> (Tensor, Vec<Tensor>) {
        let [sum] = slots else { return (w.clone(), slots.to_vec()) };
        let g = decayed(g, w, self.weight_decay);
        let sum = MIX_SQUARE.call(&[sum, &g], &[1.0, 1.0]);
        let lr = at.lr / (1.0 + (at.step - 1) as f64 * self.lr_decay);
        (SCALED_STEP.call(&[w, &g, &sum], &[1.0, lr as f32, 1.0, self.eps as f32]), vec![sum])
    }
}
