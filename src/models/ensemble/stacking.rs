//! A model that learns from what others say of rows that they had not seen.

use super::{Fitted, Member, check, opinion, restored};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::estimator::{Ended, Estimator, Influence, Model, Movable, Prediction, check_rows};
use crate::models::problem::{Answer, Problem};
use crate::models::selection::{Fold, KFold, StratifiedKFold};
use crate::models::store::{Reader, Writer};
use crate::models::table::Predicts;
use crate::models::wrapper::{self, Shared, Wrapper};
use ndarray::{Array2, Axis, concatenate};
use serde::{Deserialize, Serialize};

/// Classifiers whose probabilities (or scores) on rows left out are the features of another. scikit-learn's `StackingClassifier`;
/// there are default members, so that it can be tried.
///
/// Rows are dealt into folds with the same share of each class; fewer than `cv` where a class has fewer rows. Where it has but one,
/// nothing can be left out, and the final estimator learns from what members say of their own rows.
///
/// ```
/// use tilework::models::{Estimator, Member, StackingClassifier};
/// let estimators = vec![Member::new("near", "knn-classifier").set("n_neighbors", 1), Member::new("bayes", "gaussian-nb")];
/// let settings = StackingClassifier { estimators, cv: 2, ..StackingClassifier::default() };
/// let model = settings.fit(&[[0.0], [1.0], [2.0], [7.0], [8.0], [9.0]], &[0u32, 0, 0, 1, 1, 1])?;
/// assert_eq!(model.predict(&[[0.5], [8.5]])?, [0, 1]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StackingClassifier {
    /// The classifiers.
    pub estimators: Vec<Member>,
    /// The classifier that learns from them.
    pub final_estimator: Member,
    /// Folds, at least 2.
    pub cv: usize,
    /// Whether the final estimator sees the features too.
    pub passthrough: bool,
}

/// Regressors whose predictions of rows left out are the features of another. scikit-learn's `StackingRegressor`; there are default
/// members, so that it can be tried. Of one row, nothing can be left out.
///
/// ```
/// use tilework::models::{Estimator, StackingRegressor};
/// let x: Vec<[f64; 1]> = (0..20).map(|i| [f64::from(i)]).collect();
/// let y: Vec<f64> = x.iter().map(|[x]| 2.0 * x).collect();
/// let model = StackingRegressor::default().fit(&x[..], &y)?;
/// assert!((model.predict(&[[10.0]])?[0] - 20.0).abs() < 4.0);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StackingRegressor {
    /// The regressors.
    pub estimators: Vec<Member>,
    /// The regressor that learns from them.
    pub final_estimator: Member,
    /// Folds, at least 2.
    pub cv: usize,
    /// Whether the final estimator sees the features too.
    pub passthrough: bool,
}

impl Default for StackingClassifier {
    fn default() -> StackingClassifier {
        let estimators = vec![Member::new("linear", "logistic-regression"), Member::new("near", "knn-classifier")];
        StackingClassifier {
            estimators,
            final_estimator: Member::new("final", "logistic-regression"),
            cv: 5,
            passthrough: false,
        }
    }
}

impl Default for StackingRegressor {
    fn default() -> StackingRegressor {
        let estimators = vec![Member::new("linear", "ridge"), Member::new("near", "knn-regressor")];
        StackingRegressor { estimators, final_estimator: Member::new("final", "ridge"), cv: 5, passthrough: false }
    }
}

/// Members, and the model over them.
#[derive(Debug)]
struct Stack {
    fitted: Fitted,
    last: Shared,
    passthrough: bool,
}

/// A fitted [`StackingClassifier`].
#[derive(Debug)]
pub struct FittedStackingClassifier {
    stack: Stack,
}

/// A fitted [`StackingRegressor`].
#[derive(Debug)]
pub struct FittedStackingRegressor {
    stack: Stack,
}

/// What members say of rows, side by side, and the rows themselves where they are passed through.
fn features(models: &[Shared], x: Matrix<'_>, passthrough: bool) -> Result<Array2<f64>> {
    let mut parts = models.iter().map(|model| opinion(&**model, x)).collect::<Result<Vec<_>>>()?;
    if passthrough {
        parts.push(x.select(&(0..x.rows()).collect::<Vec<_>>())?);
    }
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    concatenate(Axis(1), &views).map_err(|e| Error::internal("stacking", e.to_string()))
}

impl Stack {
    fn learn(
        op: &'static str,
        estimators: &[Member],
        last: &Member,
        folds: Vec<Fold>,
        passthrough: bool,
        problem: &Problem<'_>,
    ) -> Result<Stack> {
        let fitted = Fitted::learn(estimators, problem)?;
        let mut seen = features(&fitted.models, problem.x, passthrough)?;
        for fold in folds {
            let part = problem.select(&fold.train)?;
            let models = Fitted::learn(estimators, &part.problem(problem))?.models;
            let test = problem.x.select(&fold.test)?;
            let said = features(&models, (&test).into(), passthrough)?;
            if said.ncols() != seen.ncols() {
                return Err(Error::internal(op, "members say different things of different folds"));
            }
            for (&row, said) in fold.test.iter().zip(said.rows()) {
                seen.row_mut(row).assign(&said);
            }
        }
        let over = Problem { x: (&seen).into(), names: None, ..*problem };
        Ok(Stack { last: last.fit(&over)?, fitted, passthrough })
    }

    fn ended(&self) -> Ended {
        Ended::of_all(self.members())
    }

    fn members(&self) -> impl Iterator<Item = &Shared> {
        self.fitted.models.iter().chain([&self.last])
    }

    fn with(&self, mut members: Vec<Shared>) -> Stack {
        let last = members.pop().unwrap_or_else(|| Shared::clone(&self.last));
        Stack { fitted: self.fitted.with(members), last, passthrough: self.passthrough }
    }

    fn features(&self, op: &'static str, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_rows(op, self.fitted.width(), x)?;
        features(&self.fitted.models, x, self.passthrough)
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&Note { passthrough: self.passthrough, last: self.last.kind().to_owned() })?;
        self.fitted.store(out)?;
        self.last.store(&mut out.part("final"))
    }

    fn restore(from: &Reader<'_>) -> Result<Stack> {
        let Note { passthrough, last } = from.note()?;
        let last = restored(&last, &from.part("final"))?;
        let fitted = Fitted::restore(from)?;
        // What the members say of one row shows how many numbers the final model gets.
        let row = Array2::<f64>::zeros((1, fitted.width()));
        match features(&fitted.models, (&row).into(), passthrough) {
            Ok(seen) if seen.ncols() == last.width() && last.classes() == fitted.classes() => {
                Ok(Stack { fitted, last, passthrough })
            }
            _ => Err(from.error("the final model does not fit the members")),
        }
    }
}

fn check_folds(op: &'static str, cv: usize, last: &Member, predicts: Predicts) -> Result<()> {
    check(op, std::slice::from_ref(last), predicts)?;
    match cv >= 2 {
        true => Ok(()),
        false => Err(Error::argument(op, format!("cv is {cv}; give at least 2"))),
    }
}

impl Estimator for StackingClassifier {
    type Fitted = FittedStackingClassifier;
    const NAME: &'static str = "stacking-classifier";

    fn gives_probabilities(&self) -> bool {
        self.final_estimator.gives_probabilities()
    }

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedStackingClassifier> {
        problem.check_but_missing(Self::NAME)?;
        let (labels, classes) = problem.labels(Self::NAME)?;
        check(Self::NAME, &self.estimators, Predicts::Labels)?;
        check_folds(Self::NAME, self.cv, &self.final_estimator, Predicts::Labels)?;
        // Rows without weight do not help a fold to know a class.
        let kept: Vec<usize> = (0..labels.len()).filter(|&row| problem.weights.is_none_or(|w| w[row] > 0.0)).collect();
        let part = problem.select(&kept)?;
        let problem = part.problem(problem);
        let Answer::Labels { of, .. } = problem.y else { return Err(Error::internal(Self::NAME, "no labels")) };
        let mut counts = vec![0; classes];
        of.iter().for_each(|&label| counts[label as usize] += 1);
        let fewest = counts.into_iter().filter(|&count| count > 0).min().unwrap_or(0);
        let folds = match self.cv.min(fewest) {
            n_splits @ 2.. => StratifiedKFold { n_splits, shuffle: None }.split(of)?,
            _ => Vec::new(),
        };
        let stack =
            Stack::learn(Self::NAME, &self.estimators, &self.final_estimator, folds, self.passthrough, &problem)?;
        Ok(FittedStackingClassifier { stack })
    }
}

impl Estimator for StackingRegressor {
    type Fitted = FittedStackingRegressor;
    const NAME: &'static str = "stacking-regressor";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedStackingRegressor> {
        problem.check_but_missing(Self::NAME)?;
        problem.values(Self::NAME)?;
        check(Self::NAME, &self.estimators, Predicts::Values)?;
        check_folds(Self::NAME, self.cv, &self.final_estimator, Predicts::Values)?;
        let kept: Vec<usize> =
            (0..problem.x.rows()).filter(|&row| problem.weights.is_none_or(|w| w[row] > 0.0)).collect();
        let part = problem.select(&kept)?;
        let problem = part.problem(problem);
        let folds = match self.cv.min(kept.len()) {
            n_splits @ 2.. => KFold { n_splits, shuffle: None }.split(kept.len())?,
            _ => Vec::new(),
        };
        let stack =
            Stack::learn(Self::NAME, &self.estimators, &self.final_estimator, folds, self.passthrough, &problem)?;
        Ok(FittedStackingRegressor { stack })
    }
}

impl FittedStackingClassifier {
    /// The class of each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        match self.outcome(x.into())? {
            Prediction::Labels(labels) => Ok(labels),
            Prediction::Values(_) => Err(Error::internal(StackingClassifier::NAME, "the final model predicts numbers")),
        }
    }
}

impl FittedStackingRegressor {
    /// The number for each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<f64>> {
        match self.outcome(x.into())? {
            Prediction::Values(values) => Ok(values),
            Prediction::Labels(_) => Err(Error::internal(StackingRegressor::NAME, "the final model predicts classes")),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Note {
    passthrough: bool,
    last: String,
}

impl Wrapper for FittedStackingClassifier {
    fn members(&self) -> impl Iterator<Item = &Shared> {
        self.stack.members()
    }

    fn with(&self, members: Vec<Shared>) -> Self {
        FittedStackingClassifier { stack: self.stack.with(members) }
    }
}

impl Wrapper for FittedStackingRegressor {
    fn members(&self) -> impl Iterator<Item = &Shared> {
        self.stack.members()
    }

    fn with(&self, members: Vec<Shared>) -> Self {
        FittedStackingRegressor { stack: self.stack.with(members) }
    }
}

impl Model for FittedStackingClassifier {
    fn movable(&self) -> Option<&dyn Movable> {
        wrapper::movable(self)
    }

    fn kind(&self) -> &'static str {
        StackingClassifier::NAME
    }

    fn width(&self) -> usize {
        self.stack.fitted.width()
    }

    fn classes(&self) -> usize {
        self.stack.last.classes()
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
        self.stack.last.outcome((&self.stack.features(StackingClassifier::NAME, x)?).into())
    }

    fn probabilities(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        self.stack.last.probabilities((&self.stack.features(StackingClassifier::NAME, x)?).into())
    }

    fn decision(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        self.stack.last.decision((&self.stack.features(StackingClassifier::NAME, x)?).into())
    }

    fn influence(&self) -> Option<Influence> {
        None
    }

    fn ended(&self) -> Ended {
        self.stack.ended()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        self.stack.store(out)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedStackingClassifier> {
        let stack = Stack::restore(from)?;
        match stack.last.classes() {
            0 => Err(from.error("the final model predicts numbers")),
            _ => Ok(FittedStackingClassifier { stack }),
        }
    }
}

impl Model for FittedStackingRegressor {
    fn movable(&self) -> Option<&dyn Movable> {
        wrapper::movable(self)
    }

    fn kind(&self) -> &'static str {
        StackingRegressor::NAME
    }

    fn width(&self) -> usize {
        self.stack.fitted.width()
    }

    fn classes(&self) -> usize {
        0
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
        self.stack.last.outcome((&self.stack.features(StackingRegressor::NAME, x)?).into())
    }

    fn probabilities(&self, _: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        Ok(None)
    }

    fn decision(&self, _: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        Ok(None)
    }

    fn influence(&self) -> Option<Influence> {
        None
    }

    fn ended(&self) -> Ended {
        self.stack.ended()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        self.stack.store(out)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedStackingRegressor> {
        let stack = Stack::restore(from)?;
        match stack.last.classes() {
            0 => Ok(FittedStackingRegressor { stack }),
            _ => Err(from.error("the final model predicts classes")),
        }
    }
}
