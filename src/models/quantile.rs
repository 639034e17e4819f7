//! Quantiles of numbers that may have weights.

/// Whether rows weigh the same, which decides how quantiles are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weighing {
    Even,
    Uneven,
}

impl Weighing {
    /// Of rows by their weights; those of weight 0 are none.
    pub fn of(weights: &[f64]) -> Weighing {
        let mut kept = weights.iter().filter(|weight| **weight > 0.0);
        let first = kept.next();
        match kept.all(|weight| Some(weight) == first) {
            true => Weighing::Even,
            false => Weighing::Uneven,
        }
    }
}

/// The quantile `q` of values with their weights. Of even ones, between two of them in proportion, as `numpy.percentile`; of
/// others, the smallest value with at least this share of the weight up to it, and half way to the next where it is just that.
pub(super) fn quantile(mut values: Vec<(f64, f64)>, q: f64, weighing: Weighing) -> f64 {
    values.retain(|(_, weight)| *weight > 0.0);
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    if weighing == Weighing::Even {
        let place = q * values.len().saturating_sub(1) as f64;
        let at = |place: f64| values.get(place as usize).map_or(0.0, |value| value.0);
        let (low, high, share) = (at(place.floor()), at(place.ceil()), place.fract());
        return low * (1.0 - share) + high * share;
    }
    let wanted = q * values.iter().map(|(_, weight)| weight).sum::<f64>();
    let mut sum = 0.0;
    for (i, &(value, weight)) in values.iter().enumerate() {
        sum += weight;
        if sum >= wanted {
            let next = values.get(i + 1).map_or(value, |next| next.0);
            return if sum == wanted { value / 2.0 + next / 2.0 } else { value };
        }
    }
    values.last().map_or(0.0, |last| last.0)
}

/// The quantile `q` of values by their weights.
pub(super) fn weighed(values: &[f64], weights: &[f64], q: f64) -> f64 {
    quantile(values.iter().copied().zip(weights.iter().copied()).collect(), q, Weighing::of(weights))
}
