//! Activations. Formulas and defaults are PyTorch's.

use crate::ops::row::rows;

rows! { ACTIVATION;
    /// `max(x, 0)`; its gradient at 0 is 0.
    ///
    /// Source: Nair & Hinton 2010, ICML.
    relu(x) on -10.0..10.0 = x.max(0.0), d 0(_x, y, dy) = y.gt(0.0).select(dy, 0.0);
    /// `x` above 0, `slope·x` below. PyTorch's default slope is 0.01.
    ///
    /// Source: Maas, Hannun & Ng 2013, section 3.
    leaky_relu(x; slope) on -10.0..10.0 = x.gt(0.0).select(x, slope * x);
    /// Logistic function `1 / (1 + e^-x)`: range (0, 1), finite for every finite `x`.
    sigmoid(x) on -6.0..6.0 = (1.0 + (-x).exp()).recip(), d 0(_x, y, dy) = dy * y * (1.0 - y);
    /// `ln σ(x)`, finite for every finite `x`.
    log_sigmoid(x) on -20.0..20.0 = x.min(0.0) - (-x.abs()).exp().ln_1p();
    /// `ln(1 + e^x)`, finite for every finite `x`.
    softplus(x) on -20.0..20.0 = x.max(0.0) + (-x.abs()).exp().ln_1p(),
        d 0(_x, y, dy) = -(dy * (-y).exp_m1());
    /// `x·σ(x)`, also called swish.
    ///
    /// Source: Elfwing, Uchibe & Doya 2017, arXiv:1702.03118.
    silu(x) on -20.0..20.0 = x / (1.0 + (-x).exp()),
        d 0(x, _y, dy) = {
            let s = (1.0 + (-x).exp()).recip();
            dy * s * (1.0 + x * (1.0 - s))
        };
    /// `x·Φ(x)` by the error function: the exact form, PyTorch's default.
    ///
    /// Source: Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2.
    gelu(x) on -6.0..6.0 = 0.5 * x * (1.0 + (x * std::f32::consts::FRAC_1_SQRT_2).erf());
    /// GELU in its tanh form.
    ///
    /// Source: Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2.
    gelu_tanh(x) on -6.0..6.0 = {
        let inner = 0.797_884_6 * (x + 0.044_715 * x * x * x);
        0.5 * x * (1.0 + inner.tanh())
    };
    /// `x` above 0, `alpha·(e^x - 1)` below. PyTorch's default alpha is 1.
    ///
    /// Source: Clevert, Unterthiner & Hochreiter 2015, arXiv:1511.07289.
    elu(x; alpha) on -10.0..10.0 = x.gt(0.0).select(x, alpha * x.min(0.0).exp_m1());
    /// ELU with the constants that keep mean and variance.
    ///
    /// Source: Klambauer et al. 2017, arXiv:1706.02515, equation 2.
    selu(x) on -10.0..10.0 = {
        let below = 1.673_263_2 * x.min(0.0).exp_m1();
        1.050_701 * x.gt(0.0).select(x, below)
    };
    /// `x·tanh(ln(1 + e^x))`.
    ///
    /// Source: Misra 2019, arXiv:1908.08681.
    mish(x) on -10.0..10.0 = x * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh();
    /// `clamp(x + 3, 0, 6) / 6`.
    hard_sigmoid(x) on -6.0..6.0 = (x + 3.0).max(0.0).min(6.0) / 6.0;
    /// `x·clamp(x + 3, 0, 6) / 6`.
    hard_swish(x) on -6.0..6.0 = x * (x + 3.0).max(0.0).min(6.0) / 6.0;
    /// `x / (1 + |x|)`.
    softsign(x) on -10.0..10.0 = x / (1.0 + x.abs());
}
