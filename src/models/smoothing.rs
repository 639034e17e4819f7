//! Exponential smoothing: the level of a series, its trend and its season, each a mean in which what is older weighs less.
//!
//! Holt, "Forecasting seasonals and trends by exponentially weighted moving averages" (1957); Winters (1960). Names and meaning
//! are those of statsmodels' `ExponentialSmoothing`, additive.

use super::estimator::Estimator;
use super::linear::LinearRegression;
use crate::error::{Error, Result};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

const OP: &str = "exponential-smoothing";

/// Exponential smoothing of a series. The level alone by default; with `trend` Holt's method, with `seasonal_periods` too that
/// of Holt and Winters. What is left out is fitted: the smoothing parameters and how the series began are those that make the
/// squares of the errors one step ahead least.
///
/// ```
/// use tilework::models::ExponentialSmoothing;
/// let sold = [10.0, 12.0, 14.5, 15.5, 18.0, 20.0, 22.5, 23.5]; // two more each time
/// let fitted = ExponentialSmoothing { trend: true, ..Default::default() }.fit(&sold)?;
/// assert!((fitted.forecast(2)[1] - 27.7).abs() < 0.5);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExponentialSmoothing {
    /// Whether the level moves on by a trend of its own.
    pub trend: bool,
    /// Rows after which a season comes again, 2 or more; no season when left out.
    pub seasonal_periods: Option<usize>,
    /// How far the level follows a new value, 0 to 1; fitted when left out.
    pub smoothing_level: Option<f64>,
    /// How far the trend follows the level's last move, 0 to 1; fitted, up to the level's, when left out.
    pub smoothing_trend: Option<f64>,
    /// How far the season follows a new value, 0 to 1; fitted, up to 1 less the level's, when left out.
    pub smoothing_seasonal: Option<f64>,
    /// How the series began; fitted when left out.
    pub initial: Option<SmoothingState>,
}

/// What is known of a series before its next value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SmoothingState {
    /// Its level.
    pub level: f64,
    /// What the level gains with each row; 0 without a trend.
    pub trend: f64,
    /// What the next row, the one after it … lie above the level, one a row of a season; none without one.
    pub season: Vec<f64>,
}

/// A fitted [`ExponentialSmoothing`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedSmoothing {
    /// How far the level follows a new value.
    pub smoothing_level: f64,
    /// How far the trend follows the level's last move; 0 without a trend.
    pub smoothing_trend: f64,
    /// How far the season follows a new value; 0 without one.
    pub smoothing_seasonal: f64,
    /// Before the first row.
    pub initial: SmoothingState,
    /// After the last row.
    pub state: SmoothingState,
    /// What each row was expected to be when only those before it were known, `[N]`.
    pub fitted_values: Vec<f64>,
    /// The sum of the squares of its errors.
    pub sse: f64,
}

/// `[level, trend, seasonal]`, each from 0 to 1.
type Weights = [f64; 3];

impl SmoothingState {
    /// Sees a value; gives what was expected.
    fn step(&mut self, [alpha, beta, gamma]: Weights, y: f64) -> f64 {
        let (base, before) = (self.level + self.trend, self.level);
        let season = self.season.first().copied().unwrap_or(0.0);
        self.level = alpha * (y - season) + (1.0 - alpha) * base;
        self.trend = beta * (self.level - before) + (1.0 - beta) * self.trend;
        if let Some(first) = self.season.first_mut() {
            *first = gamma * (y - base) + (1.0 - gamma) * season;
            self.season.rotate_left(1);
        }
        base + season
    }

    fn is_finite(&self) -> bool {
        [self.level, self.trend].iter().chain(&self.season).all(|v| v.is_finite())
    }
}

impl ExponentialSmoothing {
    /// Fits a series, in the order of time.
    ///
    /// # Errors
    /// [`Error::NonFinite`] for a value that is not finite; [`Error::Argument`] for too few values (two seasons are needed) and for
    /// settings out of range.
    pub fn fit(&self, y: &[f64]) -> Result<FittedSmoothing> {
        self.check(y)?;
        let free: Vec<usize> = (0..3).filter(|&i| self.given(i).is_none()).collect();
        let value = |at: &[f64]| -> Result<f64> {
            let weights = self.weights(&free, at);
            let mut state = self.start(weights, y)?;
            Ok(y.iter().map(|&y| (y - state.step(weights, y)).powi(2)).sum())
        };
        let weights = self.weights(&free, &least(free.len(), value)?);
        let initial = self.start(weights, y)?;
        let mut state = initial.clone();
        let fitted_values: Vec<f64> = y.iter().map(|&y| state.step(weights, y)).collect();
        let sse: f64 = y.iter().zip(&fitted_values).map(|(y, fitted)| (y - fitted).powi(2)).sum();
        if !(sse.is_finite() && state.is_finite()) {
            let message = "numbers leave the range of f64 on the way; scale the series".to_owned();
            return Err(Error::NonFinite { op: OP, message });
        }
        let [smoothing_level, smoothing_trend, smoothing_seasonal] = weights;
        Ok(FittedSmoothing { smoothing_level, smoothing_trend, smoothing_seasonal, initial, state, fitted_values, sse })
    }

    fn check(&self, y: &[f64]) -> Result<()> {
        let period = self.seasonal_periods.unwrap_or(1);
        let needed = period.saturating_mul(2).saturating_add(usize::from(self.trend));
        let wrong = |message: String| Err(Error::argument(OP, message));
        if let Some(row) = y.iter().position(|v| !v.is_finite()) {
            let message = format!("{} in row {row}; fill missing values first", y[row]);
            return Err(Error::NonFinite { op: OP, message });
        }
        if self.seasonal_periods.is_some_and(|period| period < 2) {
            return wrong(format!("seasonal_periods is {period}; give 2 or more, or none"));
        }
        if y.len() < needed {
            return wrong(format!("{} values; give {needed} or more", y.len()));
        }
        let names = ["smoothing_level", "smoothing_trend", "smoothing_seasonal"];
        let given = [self.smoothing_level, self.smoothing_trend, self.smoothing_seasonal];
        let meant = [true, self.trend, self.seasonal_periods.is_some()];
        for ((name, given), meant) in names.iter().zip(given).zip(meant) {
            match given {
                Some(value) if !(0.0..=1.0).contains(&value) => {
                    return wrong(format!("{name} is {value}; give 0 to 1, or leave it out"));
                }
                Some(_) if !meant => return wrong(format!("{name} is given without what it smooths; leave it out")),
                _ => {}
            }
        }
        match &self.initial {
            Some(state) if !state.is_finite() || state.season.len() != self.seasonal_periods.unwrap_or(0) => {
                wrong(format!("initial is {state:?}; give finite numbers, and one of a season for each of its rows"))
            }
            _ => Ok(()),
        }
    }

    /// The weight in this place where it is not fitted.
    fn given(&self, place: usize) -> Option<f64> {
        match place {
            0 => self.smoothing_level,
            1 if self.trend => self.smoothing_trend,
            2 if self.seasonal_periods.is_some() => self.smoothing_seasonal,
            _ => Some(0.0),
        }
    }

    /// The weights at a point of the unit cube: the free ones are shares of what they may be, so that all of the cube is allowed.
    fn weights(&self, free: &[usize], at: &[f64]) -> Weights {
        let value = |place: usize| match free.iter().position(|&free| free == place) {
            Some(i) => at.get(i).copied().unwrap_or(0.0),
            None => self.given(place).unwrap_or(0.0),
        };
        let most = |place: usize, most: f64| if free.contains(&place) { value(place) * most } else { value(place) };
        let level = value(0);
        [level, most(1, level), most(2, 1.0 - level)]
    }

    /// How the series began: what is given, or the least squares of the errors, which are linear in it.
    fn start(&self, weights: Weights, y: &[f64]) -> Result<SmoothingState> {
        if let Some(initial) = &self.initial {
            return Ok(initial.clone());
        }
        // A season's parts sum to 0: what they have in common is the level's.
        let period = self.seasonal_periods.unwrap_or(0);
        let (trends, seasons) = (usize::from(self.trend), period.saturating_sub(1));
        let state = |of: &[f64]| {
            let (trend, season) = (of.get(1).filter(|_| self.trend), of.get(1 + trends..).unwrap_or_default());
            let last = (period > 0).then(|| -season.iter().sum::<f64>());
            SmoothingState {
                level: of.first().copied().unwrap_or(0.0),
                trend: trend.copied().unwrap_or(0.0),
                season: season.iter().copied().chain(last).collect(),
            }
        };
        let width = 1 + trends + seasons;
        let mut nothing = state(&vec![0.0; width]);
        let errors: Vec<f64> = y.iter().map(|&y| y - nothing.step(weights, y)).collect();
        let mut expected = Array2::zeros((y.len(), width));
        for (j, mut column) in expected.columns_mut().into_iter().enumerate() {
            let unit: Vec<f64> = (0..width).map(|i| f64::from(u8::from(i == j))).collect();
            let mut unit = state(&unit);
            column.iter_mut().for_each(|out| *out = unit.step(weights, 0.0));
        }
        let settings = LinearRegression { fit_intercept: false, ..LinearRegression::default() };
        Ok(state(&settings.fit(&expected, &errors)?.coef))
    }
}

impl FittedSmoothing {
    /// The next rows: the level, moved on by its trend, and the season.
    pub fn forecast(&self, steps: usize) -> Vec<f64> {
        let SmoothingState { level, trend, season } = &self.state;
        let mut seasons = season.iter().cycle();
        (1..=steps).map(|step| level + step as f64 * trend + seasons.next().copied().unwrap_or(0.0)).collect()
    }
}

/// The point of the unit cube of so many dimensions where `value` is least: the best of a grid, then steps along the axes that
/// halve where none leads down (compass search; Kolda, Lewis and Torczon, 2003).
fn least(dimensions: usize, value: impl Fn(&[f64]) -> Result<f64>) -> Result<Vec<f64>> {
    const GRID: [f64; 5] = [0.02, 0.2, 0.5, 0.8, 0.98];
    const LAST: f64 = 1e-7; // of a step: the value's changes are then lost in its rounding
    let mut best = (f64::INFINITY, vec![0.5; dimensions]);
    for place in 0..GRID.len().pow(dimensions as u32) {
        let axis = |d: usize| GRID[place / GRID.len().pow(d as u32) % GRID.len()];
        let at: Vec<f64> = (0..dimensions).map(axis).collect();
        let value = value(&at)?;
        if value < best.0 {
            best = (value, at);
        }
    }
    let mut step = if dimensions == 0 { 0.0 } else { 0.15 };
    while step > LAST {
        let from = best.0;
        for (axis, sign) in (0..dimensions).flat_map(|axis| [(axis, 1.0), (axis, -1.0)]) {
            let mut at = best.1.clone();
            at[axis] = (at[axis] + sign * step).clamp(0.0, 1.0);
            let value = value(&at)?;
            if value < best.0 {
                best = (value, at);
            }
        }
        step = if best.0 < from { step } else { step / 2.0 };
    }
    Ok(best.1)
}
