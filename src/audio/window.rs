//! Windows: what the samples of a frame are weighed by.

use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// What the samples of a frame are weighed by before the Fourier transform: `scipy.signal.get_window`, periodic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// `0.5 − 0.5 cos(2πk / n)`.
    #[default]
    Hann,
    /// `0.54 − 0.46 cos(2πk / n)`.
    Hamming,
    /// All samples alike: SciPy's `boxcar`.
    Rectangular,
}

impl Window {
    /// The weights of `length` samples.
    ///
    /// ```
    /// use tilework::audio::Window;
    /// let weights = Window::Hann.weights(4);
    /// assert!(weights.iter().zip([0.0, 0.5, 1.0, 0.5]).all(|(w, exact)| (w - exact).abs() < 1e-15));
    /// ```
    pub fn weights(self, length: usize) -> Vec<f64> {
        let cosine = |mean: f64| {
            let weight = move |k: usize| mean - (1.0 - mean) * (TAU * k as f64 / length as f64).cos();
            // SciPy's window of one sample leaves it as it is.
            (0..length).map(|k| if length == 1 { 1.0 } else { weight(k) }).collect()
        };
        match self {
            Window::Hann => cosine(0.5),
            Window::Hamming => cosine(0.54),
            Window::Rectangular => vec![1.0; length],
        }
    }
}
