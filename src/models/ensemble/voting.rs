//! Models that vote, or whose numbers are averaged.

use super::{Fitted, Member, check};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::estimator::{Ended, Estimator, Influence, Model, Movable, Prediction, check_rows, largest};
use crate::models::problem::Problem;
use crate::models::store::{Reader, Writer};
use crate::models::table::Predicts;
use crate::models::wrapper::{self, Shared, Wrapper};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// How classifiers decide together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voting {
    /// Each has a vote for a class.
    #[default]
    Hard,
    /// Their probabilities are averaged.
    Soft,
}

/// Several classifiers that vote. scikit-learn's `VotingClassifier`; there are default members, so that it can be tried.
///
/// ```
/// use tilework::models::{Estimator, Member, Voting, VotingClassifier};
/// let estimators = vec![Member::new("near", "knn-classifier").set("n_neighbors", 1), Member::new("bayes", "gaussian-nb")];
/// let settings = VotingClassifier { estimators, voting: Voting::Soft, ..VotingClassifier::default() };
/// let model = settings.fit(&[[0.0], [1.0], [5.0], [6.0]], &[0u32, 0, 1, 1])?;
/// assert_eq!(model.predict(&[[0.5], [5.5]])?, [0, 1]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VotingClassifier {
    /// The classifiers.
    pub estimators: Vec<Member>,
    /// How they decide together.
    pub voting: Voting,
    /// How much each counts; all the same when left out.
    pub weights: Option<Vec<f64>>,
}

/// Several regressors whose predictions are averaged. scikit-learn's `VotingRegressor`; there are default members, so that it can
/// be tried.
///
/// ```
/// use tilework::models::{Estimator, Member, VotingRegressor};
/// let estimators = vec![Member::new("near", "knn-regressor").set("n_neighbors", 1), Member::new("mean", "dummy-regressor")];
/// let model = VotingRegressor { estimators, weights: None }.fit(&[[0.0], [1.0]], &[0.0, 4.0])?;
/// assert_eq!(model.predict(&[[1.0]])?, [3.0]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VotingRegressor {
    /// The regressors.
    pub estimators: Vec<Member>,
    /// How much each counts; all the same when left out.
    pub weights: Option<Vec<f64>>,
}

impl Default for VotingClassifier {
    fn default() -> VotingClassifier {
        let estimators = vec![
            Member::new("linear", "logistic-regression"),
            Member::new("near", "knn-classifier"),
            Member::new("bayes", "gaussian-nb"),
        ];
        VotingClassifier { estimators, voting: Voting::Hard, weights: None }
    }
}

impl Default for VotingRegressor {
    fn default() -> VotingRegressor {
        let estimators = vec![Member::new("linear", "ridge"), Member::new("near", "knn-regressor")];
        VotingRegressor { estimators, weights: None }
    }
}

/// A fitted [`VotingClassifier`].
#[derive(Debug)]
pub struct FittedVotingClassifier {
    fitted: Fitted,
    voting: Voting,
    /// 1 in all.
    shares: Vec<f64>,
    classes: usize,
}

/// A fitted [`VotingRegressor`].
#[derive(Debug)]
pub struct FittedVotingRegressor {
    fitted: Fitted,
    /// 1 in all.
    shares: Vec<f64>,
}

/// Whether a file's shares are one a member, 1 in all.
fn are_shares(shares: &[f64], of: &Fitted) -> bool {
    let whole = (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9; // rounded sums
    shares.len() == of.models.len() && shares.iter().all(|&share| share >= 0.0) && whole
}

fn shares(op: &'static str, weights: Option<&[f64]>, members: usize) -> Result<Vec<f64>> {
    let weights = weights.map_or_else(|| vec![1.0; members], <[f64]>::to_vec);
    let total: f64 = weights.iter().sum();
    if weights.len() != members || weights.iter().any(|w| w.is_nan() || *w < 0.0) || !(total > 0.0 && total.is_finite())
    {
        return Err(Error::argument(
            op,
            format!("weights {weights:?} for {members} estimators; give one of each, not all 0"),
        ));
    }
    Ok(weights.into_iter().map(|weight| weight / total).collect())
}

impl Estimator for VotingClassifier {
    type Fitted = FittedVotingClassifier;
    const NAME: &'static str = "voting-classifier";

    fn gives_probabilities(&self) -> bool {
        self.voting == Voting::Soft
    }

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedVotingClassifier> {
        problem.check_but_missing(Self::NAME)?;
        let (_, classes) = problem.labels(Self::NAME)?;
        check(Self::NAME, &self.estimators, Predicts::Labels)?;
        let shares = shares(Self::NAME, self.weights.as_deref(), self.estimators.len())?;
        let fitted = Fitted::learn(&self.estimators, problem)?;
        Ok(FittedVotingClassifier { fitted, voting: self.voting, shares, classes })
    }
}

impl Estimator for VotingRegressor {
    type Fitted = FittedVotingRegressor;
    const NAME: &'static str = "voting-regressor";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedVotingRegressor> {
        problem.check_but_missing(Self::NAME)?;
        problem.values(Self::NAME)?;
        check(Self::NAME, &self.estimators, Predicts::Values)?;
        let shares = shares(Self::NAME, self.weights.as_deref(), self.estimators.len())?;
        Ok(FittedVotingRegressor { fitted: Fitted::learn(&self.estimators, problem)?, shares })
    }
}

impl FittedVotingClassifier {
    /// The class of each row, `[N]`; of equally good ones the first.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        let x = x.into();
        if self.voting == Voting::Soft {
            return Ok(largest(&self.predict_proba(x)?));
        }
        let mut votes = Array2::zeros((x.rows(), self.classes));
        for (model, share) in self.fitted.models.iter().zip(&self.shares) {
            if let Prediction::Labels(labels) = model.outcome(x)? {
                let rows = votes.rows_mut().into_iter().zip(labels);
                rows.for_each(|(mut votes, label)| votes[label as usize] += share);
            }
        }
        Ok(largest(&votes))
    }

    /// The average probability of each class, `[N, C]`; of soft voting only.
    ///
    /// # Errors
    /// As [`Model::outcome`]; hard voting; a member without probabilities.
    pub fn predict_proba<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let x = x.into();
        let refused = |what: String| Err(Error::argument(VotingClassifier::NAME, what));
        if self.voting == Voting::Hard {
            return refused("has no probabilities: set voting = soft".into());
        }
        let mut sum = Array2::zeros((x.rows(), self.classes));
        for ((model, name), share) in self.fitted.models.iter().zip(&self.fitted.names).zip(&self.shares) {
            match model.probabilities(x)? {
                Some(p) => sum.scaled_add(*share, &p),
                None => return refused(format!("{name:?} has no probabilities; set voting = hard, or leave it out")),
            }
        }
        Ok(sum)
    }

    /// The members by name.
    pub fn estimators(&self) -> impl Iterator<Item = (&str, &dyn Model)> {
        self.fitted.names.iter().map(String::as_str).zip(self.fitted.models.iter().map(|model| &**model))
    }
}

impl FittedVotingRegressor {
    /// The number for each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<f64>> {
        let x = x.into();
        let mut sum = vec![0.0; x.rows()];
        for (model, share) in self.fitted.models.iter().zip(&self.shares) {
            if let Prediction::Values(values) = model.outcome(x)? {
                sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += share * value);
            }
        }
        Ok(sum)
    }

    /// The members by name.
    pub fn estimators(&self) -> impl Iterator<Item = (&str, &dyn Model)> {
        self.fitted.names.iter().map(String::as_str).zip(self.fitted.models.iter().map(|model| &**model))
    }
}

#[derive(Serialize, Deserialize)]
struct Note {
    voting: Voting,
    shares: Vec<f64>,
}

impl Wrapper for FittedVotingClassifier {
    fn members(&self) -> impl Iterator<Item = &Shared> {
        self.fitted.models.iter()
    }

    fn with(&self, members: Vec<Shared>) -> Self {
        let (fitted, shares) = (self.fitted.with(members), self.shares.clone());
        FittedVotingClassifier { fitted, voting: self.voting, shares, classes: self.classes }
    }
}

impl Wrapper for FittedVotingRegressor {
    fn members(&self) -> impl Iterator<Item = &Shared> {
        self.fitted.models.iter()
    }

    fn with(&self, members: Vec<Shared>) -> Self {
        FittedVotingRegressor { fitted: self.fitted.with(members), shares: self.shares.clone() }
    }
}

impl Model for FittedVotingClassifier {
    fn movable(&self) -> Option<&dyn Movable> {
        wrapper::movable(self)
    }

    fn kind(&self) -> &'static str {
        VotingClassifier::NAME
    }

    fn width(&self) -> usize {
        self.fitted.width()
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
        check_rows(VotingClassifier::NAME, self.width(), x)?;
        self.predict(x).map(Prediction::Labels)
    }

    fn probabilities(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        match self.voting {
            Voting::Hard => Ok(None),
            Voting::Soft => self.predict_proba(x).map(Some),
        }
    }

    fn decision(&self, _: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        Ok(None)
    }

    fn influence(&self) -> Option<Influence> {
        None
    }

    fn ended(&self) -> Ended {
        Ended::of_all(&self.fitted.models)
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&Note { voting: self.voting, shares: self.shares.clone() })?;
        self.fitted.store(out)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedVotingClassifier> {
        let Note { voting, shares } = from.note()?;
        let fitted = Fitted::restore(from)?;
        let classes = fitted.classes();
        match are_shares(&shares, &fitted) && classes >= 2 {
            true => Ok(FittedVotingClassifier { fitted, voting, shares, classes }),
            false => Err(from.error("members do not fit their shares, or have no classes")),
        }
    }
}

impl Model for FittedVotingRegressor {
    fn movable(&self) -> Option<&dyn Movable> {
        wrapper::movable(self)
    }

    fn kind(&self) -> &'static str {
        VotingRegressor::NAME
    }

    fn width(&self) -> usize {
        self.fitted.width()
    }

    fn classes(&self) -> usize {
        0
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
        check_rows(VotingRegressor::NAME, self.width(), x)?;
        self.predict(x).map(Prediction::Values)
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
        Ended::of_all(&self.fitted.models)
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&Note { voting: Voting::Hard, shares: self.shares.clone() })?;
        self.fitted.store(out)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedVotingRegressor> {
        let Note { shares, .. } = from.note()?;
        let fitted = Fitted::restore(from)?;
        match are_shares(&shares, &fitted) && fitted.classes() == 0 {
            true => Ok(FittedVotingRegressor { fitted, shares }),
            false => Err(from.error("members do not fit their shares")),
        }
    }
}
