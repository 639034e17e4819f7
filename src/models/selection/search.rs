//! The best of many settings, by cross-validation.

use super::folds::Fold;
use super::mean_and_deviation;
use super::score::Score;
use super::trial::{Settings, Sides, Trial, Watch, all};
use crate::error::{Error, Result};
use crate::rng::Rng;
use rand::{Rng as _, RngExt};
use serde_json::Value;

/// All combinations of the values of some settings: scikit-learn's `GridSearchCV`, of which this is the grid.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GridSearch {
    /// The settings' names with the values to try.
    pub grid: Vec<(String, Vec<Value>)>,
}

/// Settings drawn at random: scikit-learn's `RandomizedSearchCV`, of which these are the distributions.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomSearch {
    /// The settings' names with what to draw from.
    pub draws: Vec<(String, Draw)>,
    /// How many settings are tried.
    pub n_iter: usize,
    /// Of the draws.
    pub seed: u64,
}

/// What a setting is drawn from.
#[derive(Debug, Clone, PartialEq)]
pub enum Draw {
    /// One of these, each as likely.
    Choice(Vec<Value>),
    /// Whole numbers from the first to the last, both included.
    Integers(i64, i64),
    /// Numbers between two.
    Uniform(f64, f64),
    /// Numbers between two positive ones, each order of magnitude as likely: for penalties and rates.
    LogUniform(f64, f64),
}

/// Settings and how they did.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The settings.
    pub settings: Settings,
    /// The score of each fold.
    pub scores: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// Seconds of all its fits and predictions.
    pub seconds: f64,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// The score's name.
    pub score: &'static str,
    /// Whether more of it is better.
    pub greater_is_better: bool,
    /// All that was tried, in order.
    pub candidates: Vec<Candidate>,
}

impl Search {
    /// The candidate with the best mean; the first of equals.
    ///
    /// # Errors
    /// [`Error::Argument`] when nothing was tried.
    pub fn best(&self) -> Result<&Candidate> {
        let sign = if self.greater_is_better { -1.0 } else { 1.0 };
        let best = self.candidates.iter().min_by(|a, b| {
            let by_mean = (sign * a.mean).total_cmp(&(sign * b.mean));
            a.mean.is_nan().cmp(&b.mean.is_nan()).then(by_mean) // no score is the last
        });
        best.ok_or_else(|| Error::argument("search", "no settings were tried; give at least one value"))
    }
}

impl GridSearch {
    /// All combinations; the last setting changes fastest. One candidate, the defaults, of an empty grid.
    ///
    /// # Errors
    /// [`Error::Argument`] for a setting without values, and for more than 100,000 combinations.
    pub fn candidates(&self) -> Result<Vec<Settings>> {
        const MOST: usize = 100_000;
        let mut all = vec![Settings::new()];
        for (name, values) in &self.grid {
            if values.is_empty() || all.len().saturating_mul(values.len()) > MOST {
                let message =
                    format!("{} values of {name:?}; give some, and at most {MOST} combinations", values.len());
                return Err(Error::argument("GridSearch", message));
            }
            let with = |settings: &Settings, value: &Value| {
                let mut settings = settings.clone();
                settings.insert(name.clone(), value.clone());
                settings
            };
            all = all.iter().flat_map(|settings| values.iter().map(move |value| with(settings, value))).collect();
        }
        Ok(all)
    }
}

impl RandomSearch {
    /// The settings drawn: the same for the same seed.
    ///
    /// # Errors
    /// [`Error::Argument`] for nothing to draw from.
    pub fn candidates(&self) -> Result<Vec<Settings>> {
        let mut rng = Rng::seed(self.seed);
        let mut one = || {
            let draw = |(name, draw): &(String, Draw)| Ok((name.clone(), draw.value(name, &mut rng)?));
            self.draws.iter().map(draw).collect()
        };
        (0..self.n_iter).map(|_| one()).collect()
    }
}

impl Draw {
    fn value(&self, name: &str, rng: &mut Rng) -> Result<Value> {
        let share = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let wrong = || Error::argument("RandomSearch", format!("{name:?} has nothing to draw from: {self:?}"));
        match self {
            Draw::Choice(values) if !values.is_empty() => {
                values.get((share * values.len() as f64) as usize).cloned().ok_or_else(wrong)
            }
            Draw::Integers(low, high) if low <= high => Ok(rng.random_range(*low..=*high).into()),
            Draw::Uniform(low, high) if low <= high && (high - low).is_finite() => {
                Ok((low + share * (high - low)).into())
            }
            Draw::LogUniform(low, high) if *low > 0.0 && low <= high && high.is_finite() => {
                let (low, high) = (low.ln(), high.ln());
                Ok((low + share * (high - low)).exp().into())
            }
            _ => Err(wrong()),
        }
    }
}

/// Cross-validates all candidates; every fit of every candidate is a job of its own, run side by side.
///
/// # Errors
/// The first error of a fit, in the order of the candidates; [`Error::Cancelled`].
pub fn search(
    trial: &dyn Trial,
    candidates: &[Settings],
    folds: &[Fold],
    score: &'static Score,
    watch: Watch<'_>,
) -> Result<Search> {
    let jobs: Vec<(&Settings, &[usize], &[usize])> = candidates
        .iter()
        .flat_map(|settings| folds.iter().map(move |fold| (settings, &fold.train[..], &fold.test[..])))
        .collect();
    let done = all("search", trial, &jobs, &[score], Sides::Test, watch)?;
    let summary = |(settings, done): (&Settings, &[super::trial::Done])| {
        let scores: Vec<f64> = done.iter().flat_map(|done| done.test.iter().copied()).collect();
        let (mean, deviation) = mean_and_deviation(&scores);
        let seconds = done.iter().map(|done| done.seconds).sum();
        Candidate { settings: settings.clone(), scores, mean, deviation, seconds }
    };
    let candidates = candidates.iter().zip(done.chunks(folds.len().max(1))).map(summary).collect();
    Ok(Search { score: score.name, greater_is_better: score.greater_is_better, candidates })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_grid_is_all_combinations() {
        let grid = vec![("a".to_string(), vec![json!(1), json!(2)]), ("b".into(), vec![json!("x"), json!(null)])];
        let all = GridSearch { grid }.candidates().unwrap();
        let text: Vec<String> = all.iter().map(|settings| Value::Object(settings.clone()).to_string()).collect();
        assert_eq!(text, [r#"{"a":1,"b":"x"}"#, r#"{"a":1,"b":null}"#, r#"{"a":2,"b":"x"}"#, r#"{"a":2,"b":null}"#]);
        assert_eq!(GridSearch::default().candidates().unwrap(), [Settings::new()]);
        assert!(GridSearch { grid: vec![("a".into(), vec![])] }.candidates().is_err());
        let many = || ("a".to_string(), vec![json!(1); 1000]);
        assert!(GridSearch { grid: vec![many(), many()] }.candidates().is_err());
    }

    #[test]
    fn draws_lie_in_their_range_and_follow_the_seed() {
        let draws = vec![
            ("c".to_string(), Draw::Choice(vec![json!("x"), json!("y")])),
            ("i".into(), Draw::Integers(-2, 2)),
            ("u".into(), Draw::Uniform(1.0, 2.0)),
            ("l".into(), Draw::LogUniform(1e-4, 1e4)),
        ];
        let search = RandomSearch { draws, n_iter: 200, seed: 3 };
        let all = search.candidates().unwrap();
        assert_eq!(all, search.candidates().unwrap());
        assert_ne!(all, RandomSearch { seed: 4, ..search.clone() }.candidates().unwrap());
        let numbers = |name: &str| all.iter().map(|s| s[name].as_f64().unwrap()).collect::<Vec<_>>();
        assert!(numbers("i").iter().all(|v| (-2.0..=2.0).contains(v)) && numbers("i").contains(&2.0));
        assert!(numbers("u").iter().all(|v| (1.0..=2.0).contains(v)));
        let small = numbers("l").iter().filter(|v| **v < 1.0).count();
        assert!(numbers("l").iter().all(|v| (1e-4..=1e4).contains(v)) && (60..140).contains(&small), "{small}");
        for draw in
            [Draw::Choice(vec![]), Draw::Integers(1, 0), Draw::Uniform(0.0, f64::NAN), Draw::LogUniform(0.0, 1.0)]
        {
            assert!(RandomSearch { draws: vec![("a".into(), draw)], n_iter: 1, seed: 0 }.candidates().is_err());
        }
    }
}
