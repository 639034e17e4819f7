//! Scores of predicted numbers.

use super::{finite, same_length};
use crate::error::{Error, Result};

/// The mean of a term over all pairs of true and predicted values.
fn mean(op: &'static str, truth: &[f64], predicted: &[f64], term: impl Fn(f64, f64) -> f64) -> Result<f64> {
    same_length(op, truth.len(), predicted.len())?;
    finite(op, "true value", truth)?;
    finite(op, "predicted value", predicted)?;
    let sum: f64 = truth.iter().zip(predicted).map(|(&t, &p)| term(t, p)).sum();
    Ok(sum / truth.len() as f64)
}

/// The mean of the square of a term.
fn mean_square(
    op: &'static str,
    truth: &[f64],
    predicted: &[f64],
    term: impl Fn(f64, f64) -> f64 + Copy,
) -> Result<f64> {
    let square = mean(op, truth, predicted, |t, p| term(t, p).powi(2))?;
    if square.is_finite() {
        return Ok(square);
    }
    let most = truth.iter().zip(predicted).map(|(&t, &p)| term(t, p).abs()).fold(0.0, f64::max);
    let message = format!("numbers too large to square: {most:e} is among them; scale the target");
    Err(Error::NonFinite { op, message })
}

/// The mean squared error, in the target's unit squared.
///
/// # Errors
/// [`Error::Shape`] when the lengths differ or are 0, [`Error::NonFinite`] for a NaN or infinity, and for numbers whose squares
/// are beyond the range of `f64`.
pub fn mse(truth: &[f64], predicted: &[f64]) -> Result<f64> {
    mean_square("mse", truth, predicted, |t, p| t - p)
}

/// The root of [`mse`], in the target's unit.
///
/// # Errors
/// As [`mse`].
pub fn rmse(truth: &[f64], predicted: &[f64]) -> Result<f64> {
    mean_square("rmse", truth, predicted, |t, p| t - p).map(f64::sqrt)
}

/// The mean absolute error, in the target's unit.
///
/// # Errors
/// As [`mse`].
pub fn mae(truth: &[f64], predicted: &[f64]) -> Result<f64> {
    mean("mae", truth, predicted, |t, p| (t - p).abs())
}

/// The mean absolute error as a share of the truth, 0.1 for 10 %. A truth near 0 makes it huge: it is divided by at least ε.
///
/// # Errors
/// As [`mse`].
pub fn mape(truth: &[f64], predicted: &[f64]) -> Result<f64> {
    mean("mape", truth, predicted, |t, p| (t - p).abs() / t.abs().max(f64::EPSILON))
}

/// 1 - `left` of `whole`, with scikit-learn's values for a truth that does not vary: 1 if nothing is left, else 0.
fn explained(left: f64, whole: f64, constant: bool) -> f64 {
    match (constant, left == 0.0) {
        (_, true) => 1.0,
        (true, false) => 0.0,
        (false, false) => 1.0 - left / whole,
    }
}

fn constant(truth: &[f64]) -> bool {
    truth.windows(2).all(|pair| pair[0] == pair[1])
}

/// The coefficient of determination: 1 for perfect predictions, 0 for those of the mean, negative for worse.
///
/// When all of `truth` is one value it is 1 for perfect predictions and 0 for any others, as in scikit-learn.
///
/// ```
/// let r2 = tilework::metrics::r2(&[3.0, -0.5, 2.0, 7.0], &[2.5, 0.0, 2.0, 8.0])?;
/// assert!((r2 - 0.9486081370449679).abs() < 1e-12);
/// # Ok::<(), tilework::Error>(())
/// ```
///
/// # Errors
/// As [`mse`]; [`Error::Argument`] for one row alone, where scikit-learn gives NaN.
pub fn r2(truth: &[f64], predicted: &[f64]) -> Result<f64> {
    const OP: &str = "r2";
    let left = mean_square(OP, truth, predicted, |t, p| t - p)?;
    if truth.len() == 1 {
        return Err(Error::argument(
            OP,
            "one row has no variance to explain; give at least two, or take another score",
        ));
    }
    let centre = mean(OP, truth, truth, |t, _| t)?;
    let whole = mean_square(OP, truth, truth, |t, _| t - centre)?;
    Ok(explained(left, whole, constant(truth)))
}

/// As [`r2`], but a constant error costs nothing: 1 less the variance of the errors as a share of that of the truth.
///
/// # Errors
/// As [`mse`].
pub fn explained_variance(truth: &[f64], predicted: &[f64]) -> Result<f64> {
    const OP: &str = "explained_variance";
    let bias = mean(OP, truth, predicted, |t, p| t - p)?;
    let left = mean_square(OP, truth, predicted, |t, p| t - p - bias)?;
    let centre = mean(OP, truth, truth, |t, _| t)?;
    let whole = mean_square(OP, truth, truth, |t, _| t - centre)?;
    Ok(explained(left, whole, constant(truth)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_scikit_learns_documentation() {
        let (truth, predicted) = ([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]);
        assert_eq!(mse(&truth, &predicted).unwrap(), 0.375);
        assert_eq!(mae(&truth, &predicted).unwrap(), 0.5);
        assert_eq!(r2(&[1.0, 2.0, 3.0], &[2.0, 2.0, 2.0]).unwrap(), 0.0);
        assert_eq!(r2(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]).unwrap(), -3.0);
    }

    #[test]
    fn a_constant_truth_scores_one_or_zero() {
        assert_eq!(r2(&[0.1; 7], &[0.1; 7]).unwrap(), 1.0);
        assert_eq!(r2(&[0.1; 7], &[0.2; 7]).unwrap(), 0.0);
        assert_eq!(r2(&[0.1], &[0.1]).map_err(|e| e.code()), Err("argument"), "one row is no spread");
        assert_eq!(explained_variance(&[1.0, 1.0], &[0.5, 0.75]).unwrap(), 0.0);
    }

    #[test]
    fn numbers_too_large_to_square_are_said_to_be() {
        for score in [mse, rmse, r2, explained_variance] {
            let said = score(&[1e160, 3e160], &[2e160, -2e160]).unwrap_err().to_string();
            assert!(said.contains("too large to square: ") && said.ends_with("scale the target"), "{said}");
        }
        assert!(r2(&[1e160, -1e160], &[1e160, -1e160]).is_err(), "their variance cannot be told");
        assert!((mae(&[1e160], &[3e160]).unwrap() / 2e160 - 1.0).abs() < 1e-15);
    }

    #[test]
    fn inputs_that_do_not_fit_are_refused() {
        for score in [mse, rmse, mae, mape, r2, explained_variance] {
            assert_eq!(score(&[1.0], &[f64::NAN]).map_err(|e| e.code()), Err("non-finite"));
            assert_eq!(score(&[1.0], &[]).map_err(|e| e.code()), Err("shape"));
        }
    }
}
