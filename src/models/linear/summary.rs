//! The regression table: how sure the coefficients of a least-squares fit are.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What statistics knows about a least-squares fit, as a regression table prints it ([`Display`](fmt::Display)). Rows count as
/// often as their weight says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The number of rows: the sum of their weights.
    pub rows: f64,
    /// The number of columns that do not depend on each other; fewer than the features where some are sums of others, and then
    /// the coefficients are those of least length.
    pub rank: usize,
    /// Rows less fitted numbers.
    pub freedom: f64,
    /// The standard deviation of the residuals, in units of the target; `None` without degrees of freedom.
    pub deviation: Option<f64>,
    /// The share of the target's variance that is explained (of its square, without an intercept).
    pub r2: f64,
    /// The same with a price for every feature; `None` without degrees of freedom.
    pub adjusted_r2: Option<f64>,
    /// The intercept, if one was fitted.
    pub intercept: Option<Term>,
    /// One a feature.
    pub terms: Vec<Term>,
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// The feature's name, or `x0`, `x1`, …
    pub name: String,
    /// The coefficient.
    pub coef: f64,
    /// Its standard error; `None` where columns depend on each other and without degrees of freedom.
    pub error: Option<f64>,
    /// The probability that chance alone moves a coefficient that far from 0: Student's t test, two-sided.
    pub p: Option<f64>,
}

impl Term {
    pub(super) fn new(name: String, coef: f64, error: Option<f64>, freedom: f64) -> Term {
        let error = error.filter(|error| error.is_finite());
        let p = error.filter(|&error| error > 0.0).map(|error| two_sided(coef / error, freedom));
        Term { name, coef, error, p }
    }

    /// The coefficient in standard errors.
    pub fn t(&self) -> Option<f64> {
        self.error.filter(|&error| error > 0.0).map(|error| self.coef / error)
    }
}

impl Summary {
    /// Whether this may be of a model with so many features.
    pub(super) fn fits(&self, width: usize) -> bool {
        self.terms.len() == width && self.rank <= width
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cell = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.6}"));
        let wide = |value: f64| format!("{value:.6e}");
        let terms = || self.intercept.iter().chain(&self.terms);
        let name = terms().map(|term| term.name.chars().count()).max().unwrap_or(0).max(4);
        writeln!(f, "{:name$}  {:>14}  {:>14}  {:>10}  {:>8}", "term", "coef", "std err", "t", "p")?;
        for term in terms() {
            let error = term.error.map_or("-".to_owned(), wide);
            let t = term.t().map_or("-".to_owned(), |t| format!("{t:.3}"));
            writeln!(f, "{:name$}  {:>14}  {error:>14}  {t:>10}  {:>8}", term.name, wide(term.coef), cell(term.p))?;
        }
        write!(f, "{} rows, rank {}, {} degrees of freedom; ", self.rows, self.rank, self.freedom)?;
        write!(f, "residual deviation {}, ", self.deviation.map_or("-".to_owned(), wide))?;
        write!(f, "R² {:.6}, adjusted {}", self.r2, cell(self.adjusted_r2))
    }
}

/// The probability of a t at least that large, of either sign: the regularised incomplete beta function
/// `I(ν / (ν + t²); ν/2, 1/2)`.
fn two_sided(t: f64, freedom: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    let square = t * t;
    incomplete_beta(freedom / (freedom + square), square / (freedom + square), freedom / 2.0, 0.5)
}

/// `I(x; a, b)`, with `y = 1 − x` given by itself, as one of them may be small: by its continued fraction, on the side where that
/// converges fast (Numerical Recipes §6.4, Lentz's method).
fn incomplete_beta(x: f64, y: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || y <= 0.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(y, x, b, a);
    }
    let log = |v: f64, rest: f64| if rest < 0.5 { (-rest).ln_1p() } else { v.ln() };
    let beta = if a > b { log_gamma(b) - rise(a, b) } else { log_gamma(a) - rise(b, a) };
    let front = (a * log(x, y) + b * log(y, x) - beta).exp() / a;
    let away = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let (mut c, mut d) = (1.0, away(1.0 - (a + b) * x / (a + 1.0)).recip());
    let mut fraction = d;
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = fraction;
        for step in [even, odd] {
            d = away(1.0 + step * d).recip();
            c = away(1.0 + step / c);
            fraction *= c * d;
        }
        if (fraction - before).abs() <= f64::EPSILON * fraction.abs() {
            break;
        }
    }
    front * fraction
}

/// `ln Γ(x)` for positive `x`: Stirling's series, from 10 on.
fn log_gamma(x: f64) -> f64 {
    match x < 10.0 {
        true => log_gamma(x + 1.0) - x.ln(),
        false => (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + stirling(x),
    }
}

/// `ln Γ(a + b) − ln Γ(a)`, without the digits that two large numbers lose.
fn rise(a: f64, b: f64) -> f64 {
    match a < 10.0 {
        true => rise(a + 1.0, b) - (b / a).ln_1p(),
        false => (a - 0.5) * (b / a).ln_1p() + b * (a + b).ln() - b + stirling(a + b) - stirling(a),
    }
}

fn stirling(x: f64) -> f64 {
    let inverse = 1.0 / (x * x);
    let series = [-691.0 / 360_360.0, 1.0 / 1188.0, -1.0 / 1680.0, 1.0 / 1260.0, -1.0 / 360.0, 1.0 / 12.0];
    series.iter().fold(0.0, |sum, c| sum * inverse + c) / x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_of_t_are_those_of_closed_forms() {
        // One degree of freedom: 1 − 2/π atan t; two: 1 − t / √(2 + t²); many: the normal distribution's.
        for t in [0.1, 1.0, 2.5, 40.0] {
            let one = 1.0 - 2.0 / std::f64::consts::PI * f64::atan(t);
            assert!((two_sided(t, 1.0) / one - 1.0).abs() < 1e-12, "{t}");
            let two = 1.0 - t / (2.0 + t * t).sqrt();
            assert!((two_sided(-t, 2.0) - two).abs() < 1e-14, "{t}");
        }
        assert!((two_sided(1.959_963_984_540_054, 1e9) - 0.05).abs() < 1e-8);
        assert_eq!((two_sided(0.0, 5.0), two_sided(f64::INFINITY, 5.0)), (1.0, 0.0));
    }
}
