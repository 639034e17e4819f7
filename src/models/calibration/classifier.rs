//! A classifier whose probabilities are calibrated on rows that it has not learnt from.

use super::isotonic::Isotonic;
use super::sigmoid::Sigmoid;
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::selection::{Fold, Settings, StratifiedKFold};
use crate::models::wrapper::{self, Shared, Wrapper};
use crate::models::{
    Ended, Estimator, Influence, Missing, Model, Movable, Prediction, Predicts, Problem, Reader, Row, Writer,
    check_width, largest,
};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// The curve from a classifier's scores to probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    /// Platt's [`Sigmoid`]: for few rows, and scores that are off in one direction.
    #[default]
    Sigmoid,
    /// An [`Isotonic`] curve: for a thousand rows and more, of any shape.
    Isotonic,
}

/// Any classifier, with probabilities that are calibrated by cross-validation: scikit-learn's `CalibratedClassifierCV`.
///
/// ```
/// use tilework::models::{CalibratedClassifier, Estimator};
/// let x: Vec<[f64; 1]> = (0..20).map(|i| [f64::from(i)]).collect();
/// let y: Vec<u32> = (0..20).map(|i| u32::from(i >= 10)).collect();
/// let model = CalibratedClassifier { cv: 2, ..CalibratedClassifier::default() }.fit(x.as_slice(), &y)?;
/// assert!(model.predict_proba(&[[19.0]])?[[0, 1]] > 0.8);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CalibratedClassifier {
    /// What is calibrated: the name of a row of [`MODELS`](crate::models::MODELS) that predicts classes.
    pub estimator: String,
    /// Its settings.
    pub settings: Settings,
    /// The curve.
    pub method: Calibration,
    /// Folds. A class of fewer rows means fewer folds, with a line in the log; a class of one row is calibrated on the rows
    /// learnt from.
    pub cv: usize,
    /// Keep the classifier and curve of every fold and take the mean of their probabilities. Without it one classifier learns
    /// from all rows, and one curve from the scores of all folds: smaller and faster to predict.
    pub ensemble: bool,
}

impl Default for CalibratedClassifier {
    fn default() -> CalibratedClassifier {
        let estimator = "linear-svc".to_string();
        let settings = Settings::new();
        CalibratedClassifier { estimator, settings, method: Calibration::Sigmoid, cv: 5, ensemble: true }
    }
}

/// A fitted [`CalibratedClassifier`].
#[derive(Debug)]
pub struct FittedCalibratedClassifier {
    members: Vec<Member>,
}

/// A classifier with its curves.
#[derive(Debug)]
struct Member {
    model: Shared,
    /// One for class 1 of two, else one a class.
    curves: Vec<Curve>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Curve {
    Sigmoid(Sigmoid),
    Isotonic(Isotonic),
    /// Of a class without rows.
    Never,
}

/// What the file says beside the classifiers.
#[derive(Serialize, Deserialize)]
struct Note {
    kinds: Vec<String>,
    curves: Vec<Vec<Curve>>,
}

impl Estimator for CalibratedClassifier {
    type Fitted = FittedCalibratedClassifier;
    const NAME: &'static str = "calibrated-classifier";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedCalibratedClassifier> {
        let row = Row::named(&self.estimator)?;
        match row.missing {
            Missing::Refused => problem.check(Self::NAME)?,
            Missing::Learnt => problem.check_but_missing(Self::NAME)?,
        }
        let (labels, classes) = problem.labels(Self::NAME)?;
        if row.predicts != Predicts::Labels || row.name == Self::NAME {
            let message = format!("estimator {:?}; name a model that predicts classes and is not calibrated", row.name);
            return Err(Error::argument(Self::NAME, message));
        }
        // Rows without weight do not help a fold to know a class.
        let kept: Vec<usize> = (0..labels.len()).filter(|&row| problem.weights.is_none_or(|w| w[row] > 0.0)).collect();
        let part = problem.select(&kept)?;
        let problem = &part.problem(problem);
        let (labels, _) = problem.labels(Self::NAME)?;
        let mut counts = vec![0; classes];
        labels.iter().for_each(|&label| counts[label as usize] += 1); // below `classes`: checked
        let fewest = counts.iter().copied().filter(|&count| count > 0).min().unwrap_or(0);
        if self.cv < 2 {
            return Err(Error::argument(Self::NAME, format!("cv {}; give 2 folds or more", self.cv)));
        }
        if fewest < self.cv {
            log::warn!("{}: a class has {fewest} rows: calibrated by {fewest} folds, not {}", Self::NAME, self.cv);
        }
        let all: Vec<usize> = (0..labels.len()).collect();
        let folds = match fewest {
            0 | 1 => vec![Fold { train: all.clone(), test: all.clone() }],
            _ => StratifiedKFold { n_splits: self.cv.min(fewest), shuffle: None }.split(labels)?,
        };
        let fit = |rows: &[usize]| {
            let part = problem.select(rows)?;
            row.fit(&self.settings, &part.problem(problem)).map(Shared::from)
        };
        let mut parts = Vec::new();
        for Fold { train, test } in folds {
            let model = fit(&train)?;
            let scores = scores(&*model, (&problem.x.select(&test)?).into())?;
            parts.push((model, scores, test));
        }
        if self.ensemble {
            let member = |(model, scores, rows): (Shared, Array2<f64>, Vec<usize>)| {
                let curves = self.curves(problem, labels, classes, &scores, &rows)?;
                Ok(Member { model, curves })
            };
            let members = parts.into_iter().map(member).collect::<Result<_>>()?;
            return Ok(FittedCalibratedClassifier { members });
        }
        let rows: Vec<usize> = parts.iter().flat_map(|(_, _, rows)| rows).copied().collect();
        let views: Vec<_> = parts.iter().map(|(_, scores, _)| scores.view()).collect();
        let scores = ndarray::concatenate(ndarray::Axis(0), &views)
            .map_err(|e| Error::internal(Self::NAME, format!("folds of different width: {e}")))?;
        let curves = self.curves(problem, labels, classes, &scores, &rows)?;
        Ok(FittedCalibratedClassifier { members: vec![Member { model: fit(&all)?, curves }] })
    }
}

impl CalibratedClassifier {
    /// The curve of each column of scores, which are those of `rows`.
    fn curves(
        &self,
        problem: &Problem<'_>,
        labels: &[u32],
        classes: usize,
        scores: &Array2<f64>,
        rows: &[usize],
    ) -> Result<Vec<Curve>> {
        let weights: Option<Vec<f64>> =
            problem.weights.map(|w| rows.iter().filter_map(|&row| w.get(row)).copied().collect());
        let curve = |(column, scores): (usize, ndarray::ArrayView1<'_, f64>)| {
            let class = if classes == 2 { 1 } else { column };
            let scores = scores.to_vec();
            let of: Vec<bool> = rows.iter().map(|&row| labels.get(row).is_some_and(|&l| l as usize == class)).collect();
            let known = labels.iter().any(|&label| label as usize == class);
            let learnt = known && scores.iter().any(|&score| score > f64::MIN); // which is that of a class without rows
            let weighed = weights.as_ref().is_none_or(|w| w.iter().any(|&w| w > 0.0));
            Ok(match self.method {
                _ if !learnt || !weighed => Curve::Never,
                Calibration::Sigmoid => Curve::Sigmoid(Sigmoid::fit(&scores, &of, weights.as_deref())?),
                Calibration::Isotonic => {
                    let y: Vec<f64> = of.into_iter().map(f64::from).collect();
                    Curve::Isotonic(Isotonic::fit(&scores, &y, weights.as_deref())?)
                }
            })
        };
        scores.columns().into_iter().enumerate().map(curve).collect()
    }
}

/// `[N, 1]` of two classes, else `[N, C]`: the decision function, or probabilities of a model that has none.
fn scores(model: &dyn Model, x: Matrix<'_>) -> Result<Array2<f64>> {
    if let Some(decision) = model.decision(x)? {
        return Ok(decision);
    }
    match model.probabilities(x)? {
        Some(p) if model.classes() == 2 => Ok(p.slice_move(ndarray::s![.., 1..])),
        Some(p) => Ok(p),
        None => {
            let message = format!("{} gives neither scores nor probabilities; choose another", model.kind());
            Err(Error::argument(CalibratedClassifier::NAME, message))
        }
    }
}

impl Member {
    fn probabilities(&self, x: Matrix<'_>, classes: usize) -> Result<Array2<f64>> {
        let scores = scores(&*self.model, x)?;
        let value = |row: usize, column: usize| {
            let score = scores.get((row, column)).copied().unwrap_or(f64::NAN);
            match self.curves.get(column) {
                Some(Curve::Sigmoid(sigmoid)) => sigmoid.probability(score),
                Some(Curve::Isotonic(curve)) => curve.value(score),
                Some(Curve::Never) | None => 0.0,
            }
        };
        if classes == 2 {
            let p = |(row, class)| if class == 1 { value(row, 0) } else { 1.0 - value(row, 0) };
            return Ok(Array2::from_shape_fn((x.rows(), 2), p));
        }
        let mut p = Array2::from_shape_fn((x.rows(), classes), |(row, class)| value(row, class));
        for mut row in p.rows_mut() {
            let sum = row.sum();
            row.mapv_inplace(|v| if sum > 0.0 { v / sum } else { 1.0 / classes as f64 });
        }
        Ok(p)
    }
}

impl FittedCalibratedClassifier {
    /// The class of largest probability for each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        Ok(largest(&self.predict_proba(x)?))
    }

    /// The probability of each class, `[N, C]`: the mean over the folds' classifiers.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict_proba<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let x = x.into();
        check_width(CalibratedClassifier::NAME, self.width(), x)?;
        let mut sum = Array2::zeros((x.rows(), self.classes()));
        for member in &self.members {
            sum += &member.probabilities(x, self.classes())?;
        }
        Ok(sum / self.members.len() as f64)
    }
}

impl Wrapper for FittedCalibratedClassifier {
    fn members(&self) -> impl Iterator<Item = &Shared> {
        self.members.iter().map(|member| &member.model)
    }

    fn with(&self, members: Vec<Shared>) -> Self {
        let curves = self.members.iter().map(|member| member.curves.clone());
        let members = members.into_iter().zip(curves).map(|(model, curves)| Member { model, curves }).collect();
        FittedCalibratedClassifier { members }
    }
}

impl Model for FittedCalibratedClassifier {
    fn movable(&self) -> Option<&dyn Movable> {
        wrapper::movable(self)
    }

    fn kind(&self) -> &'static str {
        CalibratedClassifier::NAME
    }

    fn width(&self) -> usize {
        self.members.first().map_or(0, |member| member.model.width())
    }

    fn classes(&self) -> usize {
        self.members.first().map_or(0, |member| member.model.classes())
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
        self.predict(x).map(Prediction::Labels)
    }

    fn probabilities(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        self.predict_proba(x).map(Some)
    }

    fn decision(&self, _: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        Ok(None)
    }

    fn influence(&self) -> Option<Influence> {
        None
    }

    fn ended(&self) -> Ended {
        Ended::of_all(self.members.iter().map(|member| &member.model))
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let kinds = self.members.iter().map(|member| member.model.kind().to_owned()).collect();
        out.note(&Note { kinds, curves: self.members.iter().map(|member| member.curves.clone()).collect() })?;
        for (i, member) in self.members.iter().enumerate() {
            member.model.store(&mut out.part(&format!("fold{i}")))?;
        }
        Ok(())
    }

    fn restore(from: &Reader<'_>) -> Result<FittedCalibratedClassifier> {
        let Note { kinds, curves } = from.note()?;
        if kinds.is_empty() || kinds.len() != curves.len() {
            return Err(from.error(format!("{} classifiers with curves of {}", kinds.len(), curves.len())));
        }
        let mut members: Vec<Member> = Vec::new();
        for (i, (kind, curves)) in kinds.iter().zip(curves).enumerate() {
            let model =
                Row::named(kind).map_err(|e| from.error(e.to_string()))?.restore(&from.part(&format!("fold{i}")))?;
            let needed = if model.classes() == 2 { 1 } else { model.classes() };
            let sound = |curve: &Curve| match curve {
                Curve::Sigmoid(s) => s.slope.is_finite() && s.intercept.is_finite(),
                Curve::Isotonic(curve) => curve.is_sound() && curve.y.iter().all(|y| (0.0..=1.0).contains(y)),
                Curve::Never => true,
            };
            let alike = members
                .first()
                .is_none_or(|first| (first.model.width(), first.model.classes()) == (model.width(), model.classes()));
            if model.classes() < 2 || curves.len() != needed || !alike || !curves.iter().all(sound) {
                return Err(from.error(format!("fold {i} does not fit the others, or its curves do not fit it")));
            }
            members.push(Member { model: Shared::from(model), curves });
        }
        Ok(FittedCalibratedClassifier { members })
    }
}
