//! Columns left out one after another, the least important first.

use super::chain::with_features;
use super::from_model::{Power, importances, judge};
use super::select::FittedSelection;
use super::transformer::{Transformer, names_of, plain_features};
use crate::error::{Error, Result};
use crate::models::selection::{Fold, KFold, Outcomes, Score, Settings, StratifiedKFold, score};
use crate::models::{Answer, Components, Model, Problem, Row};
use serde::{Deserialize, Serialize};

/// Recursive elimination: fits a model, leaves out the columns that count least in it, and again, until as many are left as are
/// wanted. scikit-learn's `RFE`. The `scores` of the fitted selection are scikit-learn's `ranking_`: 1 of those kept, 2 of those
/// left out last.
///
/// ```
/// use tilework::models::Components;
/// use tilework::models::prepare::{Rfe, Transform, Transformer};
/// let x = [[1.0, 5.0, 0.0], [2.0, 4.0, 1.0], [3.0, 5.0, 1.0], [4.0, 4.0, 0.0]];
/// let settings = Rfe { estimator: Some("ridge".into()), n_features_to_select: Some(Components::Count(1)), ..Rfe::default() };
/// let fitted = settings.fit_to(&x, &[2.0, 4.1, 6.0, 7.9])?;
/// assert_eq!((&fitted.kept[..], &fitted.scores[..]), (&[0][..], &[1.0, 2.0, 3.0][..]));
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rfe {
    /// The model: a name in [`MODELS`](crate::models::MODELS), of one with coefficients or importances. A random forest for the sort
    /// of answers when left out.
    pub estimator: Option<String>,
    /// Its settings.
    pub settings: Settings,
    /// How many columns are kept, or which share; half of them when left out.
    pub n_features_to_select: Option<Components>,
    /// How many are left out at a time, or which share of all.
    pub step: Components,
}

impl Default for Rfe {
    fn default() -> Rfe {
        Rfe { estimator: None, settings: Settings::new(), n_features_to_select: None, step: Components::Count(1) }
    }
}

/// [`Rfe`] that finds by cross-validation how many columns to keep: the number with the best mean score, the least of equals.
/// scikit-learn's `RFECV`.
///
/// ```
/// use tilework::models::prepare::{Rfecv, Transform, Transformer};
/// let x: Vec<[f64; 2]> = (0..20).map(|i| [f64::from(i), f64::from(i * 7 % 5)]).collect();
/// let y: Vec<f64> = x.iter().map(|row| 3.0 * row[0]).collect();
/// let fitted = Rfecv { estimator: Some("linear-regression".into()), ..Rfecv::default() }.fit_to(&x[..], &y)?;
/// assert_eq!(fitted.kept, [0]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rfecv {
    /// As [`Rfe::estimator`].
    pub estimator: Option<String>,
    /// Its settings.
    pub settings: Settings,
    /// The fewest columns that are kept.
    pub min_features_to_select: usize,
    /// As [`Rfe::step`].
    pub step: Components,
    /// Folds: of like shares of each class, in the order of the rows.
    pub cv: usize,
    /// The score, a name in [`SCORES`](crate::models::selection::SCORES); accuracy or R² when left out.
    pub scoring: Option<String>,
}

impl Default for Rfecv {
    fn default() -> Rfecv {
        let (step, settings) = (Components::Count(1), Settings::new());
        Rfecv { estimator: None, settings, min_features_to_select: 1, step, cv: 5, scoring: None }
    }
}

/// A model, and how it leaves columns out.
struct Elimination<'a> {
    op: &'static str,
    row: &'static Row,
    settings: &'a Settings,
    /// Columns left out at a time.
    step: usize,
}

/// Numbers of columns, each with the score of every fold.
type Curve = Vec<(usize, Vec<f64>)>;

/// Hears of a model and the columns that it learnt from.
type Each<'a> = &'a mut dyn FnMut(&[usize], &dyn Model) -> Result<()>;

impl Elimination<'_> {
    fn of<'a>(
        op: &'static str,
        estimator: Option<&str>,
        settings: &'a Settings,
        step: Components,
        problem: &Problem<'_>,
    ) -> Result<Elimination<'a>> {
        let step = match step {
            Components::Count(step) if step > 0 => step,
            Components::Share(share) if share > 0.0 && share < 1.0 => {
                ((share * problem.x.width() as f64) as usize).max(1)
            }
            other => return Err(Error::argument(op, format!("step {other:?}; give 1 or more, or a share below 1"))),
        };
        Ok(Elimination { op, row: judge(op, estimator, problem)?, settings, step })
    }

    /// Leaves columns out until `target` are left; the rank of each column. `each` hears of all models, that of the last
    /// columns too.
    fn run(&self, problem: &Problem<'_>, target: usize, mut each: Option<Each<'_>>) -> Result<Vec<u32>> {
        let names = names_of(&plain_features(problem));
        let mut left: Vec<usize> = (0..problem.x.width()).collect();
        let mut ranks = vec![1; left.len()];
        while left.len() > target || each.is_some() {
            let x = problem.x.columns(&left)?;
            let names: Vec<String> = left.iter().filter_map(|&i| names.get(i)).cloned().collect();
            let model = self.row.fit(self.settings, &with_features(problem, Some((&x).into()), &names))?;
            if let Some(each) = &mut each {
                each(&left, &*model)?;
            }
            if left.len() <= target {
                break;
            }
            let scores = importances(self.op, &*model, Power::Two)?;
            let mut order: Vec<usize> = (0..left.len()).collect();
            order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b])); // stable: of equals the first goes
            let mut stays = vec![true; left.len()];
            order.iter().take(self.step.min(left.len() - target)).for_each(|&i| stays[i] = false);
            left = left.iter().zip(stays).filter(|(_, stays)| *stays).map(|(&i, _)| i).collect();
            let is_left = |i: usize| left.binary_search(&i).is_ok();
            ranks.iter_mut().enumerate().filter(|(i, _)| !is_left(*i)).for_each(|(_, rank)| *rank += 1);
        }
        Ok(ranks)
    }

    fn select(&self, problem: &Problem<'_>, target: usize) -> Result<FittedSelection> {
        let ranks = self.run(problem, target, None)?;
        let kept = (0..).zip(&ranks).filter(|(_, rank)| **rank == 1).map(|(i, _)| i).collect();
        Ok(FittedSelection::new(self.op, kept, ranks.into_iter().map(f64::from).collect()))
    }
}

impl Transformer for Rfe {
    type Fitted = FittedSelection;
    const NAME: &'static str = "rfe";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedSelection> {
        problem.check(Self::NAME)?;
        let width = problem.x.width();
        let target = match self.n_features_to_select {
            None => width / 2,
            Some(Components::Count(count)) if (1..=width).contains(&count) => count,
            Some(Components::Share(share)) if share > 0.0 && share <= 1.0 => (share * width as f64) as usize,
            Some(other) => {
                let message = format!("n_features_to_select {other:?}; give 1 to {width}, or a share up to 1");
                return Err(Error::argument(Self::NAME, message));
            }
        };
        let how = Elimination::of(Self::NAME, self.estimator.as_deref(), &self.settings, self.step, problem)?;
        how.select(problem, target.max(1))
    }
}

impl Rfecv {
    /// The numbers of columns that are tried, falling, each with its score on every fold: scikit-learn's `cv_results_`.
    ///
    /// # Errors
    /// As [`Transformer::learn`].
    pub fn scores(&self, problem: &Problem<'_>) -> Result<Vec<(usize, Vec<f64>)>> {
        problem.check(Self::NAME)?;
        self.curve(problem, &self.elimination(problem)?).map(|(_, curve)| curve)
    }

    fn elimination(&self, problem: &Problem<'_>) -> Result<Elimination<'_>> {
        if self.min_features_to_select == 0 {
            return Err(Error::argument(Self::NAME, "min_features_to_select 0 keeps nothing; give at least 1"));
        }
        Elimination::of(Self::NAME, self.estimator.as_deref(), &self.settings, self.step, problem)
    }

    fn curve(&self, problem: &Problem<'_>, how: &Elimination<'_>) -> Result<(&'static Score, Curve)> {
        let score = match &self.scoring {
            Some(name) => score(name)?,
            None => Score::of_choice(how.row.predicts),
        };
        let folds = match problem.y {
            Answer::Labels { of, .. } => StratifiedKFold { n_splits: self.cv, shuffle: None }.split(of)?,
            _ => KFold { n_splits: self.cv, shuffle: None }.split(problem.x.rows())?,
        };
        let mut curve = Curve::new();
        for Fold { train, test } in folds {
            let (train, test) = (problem.select(&train)?, problem.select(&test)?);
            let mut at = 0;
            let mut each = |left: &[usize], model: &dyn Model| {
                let x = test.problem(problem).x.columns(left)?;
                let of = Problem { x: (&x).into(), names: None, ..test.problem(problem) };
                let found = score.of(&Outcomes::of(model, &of)?)?;
                if curve.len() == at {
                    curve.push((left.len(), Vec::new()));
                }
                curve[at].1.push(found);
                at += 1;
                Ok(())
            };
            how.run(&train.problem(problem), self.min_features_to_select, Some(&mut each))?;
        }
        Ok((score, curve))
    }
}

impl Transformer for Rfecv {
    type Fitted = FittedSelection;
    const NAME: &'static str = "rfecv";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedSelection> {
        problem.check(Self::NAME)?;
        let how = self.elimination(problem)?;
        let (score, curve) = self.curve(problem, &how)?;
        let sign = if score.greater_is_better { 1.0 } else { -1.0 };
        let best = curve.iter().fold(None, |best: Option<(usize, f64)>, (count, scores)| {
            let sum = sign * scores.iter().sum::<f64>();
            // Counts fall, so that of equal scores the later one is the lesser.
            Some(best.filter(|best| best.1 > sum).unwrap_or((*count, sum)))
        });
        how.select(problem, best.map_or(problem.x.width(), |(count, _)| count))
    }
}
