//! Terms of losses: one value for each prediction and its target. [`crate::loss`] checks shapes and reduces them.

use crate::ops::row::rows;

rows! { LOSS;
    /// `|x - target|`; its gradient at 0 is 0.
    absolute_difference(x, target) on -10.0..10.0 = (x - target).abs();
    /// `d²/2` for `d = |x - target|` up to `delta`, `delta·(d - delta/2)` above: a line where squares would weigh outliers.
    ///
    /// Source: Huber 1964, Annals of Mathematical Statistics 35, section 1.
    huber(x, target; delta) on -3.0..3.0 = {
        let d = (x - target).abs();
        let near = d.min(delta);
        near * (d - 0.5 * near)
    };
    /// `-t·ln σ(x) - (1 - t)·ln(1 - σ(x))` of a logit `x` and a target `t` in `[0, 1]`: finite for every finite `x`.
    bce_with_logits(x, target) on -20.0..20.0 = x.max(0.0) - x * target + (-x.abs()).exp().ln_1p();
    /// [`Tensor::bce_with_logits`](crate::Tensor::bce_with_logits) with the terms of positive targets multiplied by `weight`:
    /// `-w·t·ln σ(x) - (1 - t)·ln(1 - σ(x))`.
    bce_with_logits_weighted(x, target, weight) on -20.0..20.0 = {
        let softplus = (-x.abs()).exp().ln_1p(); // ln(1 + e^-|x|), of which -ln σ(x) = max(-x, 0) + this
        (1.0 - target) * x + (1.0 + (weight - 1.0) * target) * (softplus + (-x).max(0.0))
    };
    /// `max(1 - t·x, 0)` of a score `x` and a target `t` of -1 or 1; no gradient from a margin of 1 on.
    ///
    /// Source: Cortes & Vapnik 1995, Machine Learning 20.
    hinge(x, target) on -2.0..2.0 = {
        let short = 1.0 - x * target;
        short.gt(0.0).select(short, 0.0)
    };
}
