//! Series against statsmodels 0.15.0, whose numbers are in `tests/data/text.json`.

use serde::Deserialize;
use tilework::models::ExponentialSmoothing;

#[derive(Deserialize)]
struct Golden {
    series: Vec<f64>,
    smoothing: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    settings: ExponentialSmoothing,
    weights: [f64; 3],
    sse: f64,
    fitted: Vec<f64>,
    forecast: Vec<f64>,
}

fn close(left: &[f64], right: &[f64], tolerance: f64) {
    assert_eq!(left.len(), right.len());
    let near = |(l, r): (&f64, &f64)| (l - r).abs() <= tolerance * (1.0 + r.abs());
    assert!(left.iter().zip(right).all(near), "{left:?} is not {right:?}");
}

#[test]
fn smoothing_is_that_of_statsmodels() {
    let golden: Golden = serde_json::from_str(include_str!("../data/text.json")).unwrap();
    for case in golden.smoothing {
        let fitted = case.settings.fit(&golden.series).unwrap();
        // A season's last row is forecast with what it has just been seen to be; statsmodels takes what was known a season before.
        let ahead = case.settings.seasonal_periods.map_or(6, |period| period - 1);
        let forecast = fitted.forecast(ahead);
        let weights = [fitted.smoothing_level, fitted.smoothing_trend, fitted.smoothing_seasonal];
        if case.settings.initial.is_some() {
            close(&weights, &case.weights, 0.0);
            close(&fitted.fitted_values, &case.fitted, 1e-12);
            close(&forecast, &case.forecast[..ahead], 1e-12);
            close(&[fitted.sse], &[case.sse], 1e-12);
        } else {
            // The least squares are as low; where its optimizer stopped short they are lower.
            assert!(fitted.sse <= case.sse * (1.0 + 1e-9), "{:?}: {} above {}", case.settings, fitted.sse, case.sse);
            assert!(fitted.sse > case.sse * 0.999, "{:?}: {} below {}", case.settings, fitted.sse, case.sse);
            close(&weights, &case.weights, 1e-3);
            close(&forecast, &case.forecast[..ahead], 1e-2);
        }
    }
}

#[test]
fn a_line_and_a_season_are_forecast_as_they_are() {
    let y: Vec<f64> = (0..24).map(|i| 5.0 + 0.5 * f64::from(i) + [2.0, -3.0, 1.0][i as usize % 3]).collect();
    let settings = ExponentialSmoothing { trend: true, seasonal_periods: Some(3), ..Default::default() };
    let next: Vec<f64> = (24..30).map(|i| 5.0 + 0.5 * f64::from(i) + [2.0, -3.0, 1.0][i as usize % 3]).collect();
    let fitted = settings.fit(&y).unwrap();
    close(&fitted.forecast(6), &next, 1e-9);
    assert!(fitted.sse < 1e-18, "{}", fitted.sse);
}

#[test]
fn series_that_cannot_be_smoothed_say_why() {
    let error = |settings: ExponentialSmoothing, y: &[f64]| settings.fit(y).unwrap_err().to_string();
    let plain = ExponentialSmoothing::default;
    assert!(error(plain(), &[1.0, f64::NAN, 2.0]).contains("NaN in row 1"));
    assert!(error(plain(), &[1.0]).contains("1 values; give 2 or more"));
    assert!(error(ExponentialSmoothing { seasonal_periods: Some(4), ..plain() }, &[1.0; 7]).contains("give 8 or more"));
    assert!(error(ExponentialSmoothing { seasonal_periods: Some(1), ..plain() }, &[1.0; 9]).contains("2 or more"));
    assert!(error(ExponentialSmoothing { smoothing_level: Some(1.5), ..plain() }, &[1.0; 9]).contains("0 to 1"));
    assert!(error(ExponentialSmoothing { smoothing_trend: Some(0.5), ..plain() }, &[1.0; 9]).contains("leave it out"));
    assert!(error(plain(), &[1e308, -1e308, 1e308]).contains("too large to compute with"));
    assert_eq!(plain().fit(&[3.0; 5]).unwrap().forecast(2), [3.0, 3.0]);
}
