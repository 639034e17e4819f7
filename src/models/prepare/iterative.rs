//! Missing values filled in by models of each column from the others, in rounds.

use super::impute::{FittedSimpleImputer, ImputeStrategy, SimpleImputer};
use super::transformer::{Feature, Transform, Transformer};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::selection::Settings;
use crate::models::{Model, Prediction, Predicts, Problem, Reader, Row, Writer};
use crate::rng::Rng;
use ndarray::Array2;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// In which order columns are filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImputationOrder {
    /// From the column with the fewest gaps.
    #[default]
    Ascending,
    /// From the column with the most gaps.
    Descending,
    /// From the first column to the last.
    Roman,
    /// From the last column to the first.
    Arabic,
    /// Another in each round.
    Random,
}

/// Fills in missing values (NaN) by what a model of their column predicts from the other columns, and again with what was
/// filled in, until that settles: scikit-learn's `IterativeImputer` (with `sample_posterior=False`, each column from all
/// others).
///
/// ```
/// use tilework::models::prepare::{IterativeImputer, Transform, Transformer};
/// let x = [[1.0, 2.0], [2.0, 4.0], [3.0, 6.0], [4.0, 8.0], [5.0, f64::NAN]];
/// let imputer = IterativeImputer::default().fit(&x)?;
/// assert!((imputer.transform(&[[f64::NAN, 4.0]])?[[0, 0]] - 2.0).abs() < 0.01);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IterativeImputer {
    /// The model of a column: a name in [`MODELS`](crate::models::MODELS), of one that predicts numbers.
    pub estimator: String,
    /// Its settings.
    pub settings: Settings,
    /// The most rounds; none leaves what [`SimpleImputer`] fills in.
    pub max_iter: usize,
    /// It has settled when no row changes by more than this share of the largest number there is, its changes summed.
    pub tol: f64,
    /// What is filled in to begin with.
    pub initial_strategy: ImputeStrategy,
    /// The number of the strategy `constant`; 0 when left out.
    pub fill_value: Option<f64>,
    /// In which order columns are filled in.
    pub imputation_order: ImputationOrder,
    /// Whether columns without gaps in the fit get no model: faster, but a gap in a new row is filled in as to begin with.
    pub skip_complete: bool,
    /// The least that is filled in.
    pub min_value: Option<f64>,
    /// The most that is filled in.
    pub max_value: Option<f64>,
    /// As [`SimpleImputer::add_indicator`].
    pub add_indicator: bool,
    /// As [`SimpleImputer::keep_empty_features`].
    pub keep_empty_features: bool,
    /// Of the order [`ImputationOrder::Random`].
    pub seed: u64,
}

impl Default for IterativeImputer {
    fn default() -> IterativeImputer {
        IterativeImputer {
            estimator: "bayesian-ridge".to_owned(),
            settings: Settings::new(),
            max_iter: 10,
            tol: 1e-3,
            initial_strategy: ImputeStrategy::Mean,
            fill_value: None,
            imputation_order: ImputationOrder::Ascending,
            skip_complete: false,
            min_value: None,
            max_value: None,
            add_indicator: false,
            keep_empty_features: false,
            seed: 0,
        }
    }
}

/// A fitted [`IterativeImputer`].
#[derive(Debug)]
pub struct FittedIterativeImputer {
    /// What is filled in to begin with, and the marks.
    initial: FittedSimpleImputer,
    limits: (Option<f64>, Option<f64>),
    /// Kept columns without any value in the fit, which no model fills in.
    empty: Vec<usize>,
    /// A position among the kept columns and the model that fills it in, round after round.
    sequence: Vec<(usize, Box<dyn Model>)>,
    /// Rounds.
    pub n_iter: usize,
    /// Whether what is filled in has settled.
    pub converged: bool,
}

/// What a file says beside the models.
#[derive(Serialize, Deserialize)]
struct Note {
    limits: (Option<f64>, Option<f64>),
    empty: Vec<usize>,
    /// The position and the kind of each model.
    sequence: Vec<(usize, String)>,
    n_iter: usize,
    converged: bool,
}

impl Transformer for IterativeImputer {
    type Fitted = FittedIterativeImputer;
    const NAME: &'static str = "iterative-imputer";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedIterativeImputer> {
        self.learn_and_apply(problem).map(|(fitted, _)| fitted)
    }

    fn learn_and_apply(&self, problem: &Problem<'_>) -> Result<(FittedIterativeImputer, Array2<f64>)> {
        let wrong = |message: String| Err(Error::argument(Self::NAME, message));
        let row = Row::named(&self.estimator)?;
        if row.predicts != Predicts::Values {
            return wrong(format!("estimator {:?} tells classes apart; name one that predicts numbers", row.name));
        }
        if !(self.tol.is_finite() && self.tol >= 0.0) {
            return wrong(format!("tol {}; give a finite number, 0 or more", self.tol));
        }
        if let (Some(least), Some(most)) = (self.min_value, self.max_value)
            && least >= most
        {
            return wrong(format!("min_value {least} and max_value {most}; give a range"));
        }
        let initial = SimpleImputer {
            strategy: self.initial_strategy,
            fill_value: self.fill_value,
            add_indicator: self.add_indicator,
            keep_empty_features: self.keep_empty_features,
        };
        let mut fitted = FittedIterativeImputer {
            initial: initial.learn(problem)?,
            limits: (self.min_value, self.max_value),
            empty: Vec::new(),
            sequence: Vec::new(),
            n_iter: 0,
            converged: true,
        };
        let x = problem.x;
        let mut made = fitted.initial.apply(x)?;
        let kept = fitted.initial.kept.len();
        fitted.empty = (0..kept).filter(|&column| fitted.missing(x, column).len() == x.rows()).collect();
        if kept < 2 || self.max_iter == 0 {
            return Ok((fitted, made));
        }
        let gaps = fitted.gaps(x);
        let largest = (x.values().iter()).fold(0.0f64, |most, v| if v.is_nan() { most } else { most.max(v.abs()) });
        let mut order: Vec<usize> =
            (0..kept).filter(|&column| !(self.skip_complete && gaps[column].is_empty())).collect();
        match self.imputation_order {
            ImputationOrder::Roman | ImputationOrder::Random => {}
            ImputationOrder::Arabic => order.reverse(),
            ImputationOrder::Ascending | ImputationOrder::Descending => {
                order.sort_by_key(|&column| gaps[column].len()); // stable
                if self.imputation_order == ImputationOrder::Descending {
                    order.reverse();
                }
            }
        }
        let mut rng = Rng::seed(self.seed);
        fitted.converged = false;
        while fitted.n_iter < self.max_iter && !fitted.converged {
            fitted.n_iter += 1;
            if self.imputation_order == ImputationOrder::Random {
                order.shuffle(&mut rng);
            }
            let before = made.clone();
            for &column in &order {
                let rows: Vec<usize> = (0..x.rows()).filter(|i| gaps[column].binary_search(i).is_err()).collect();
                let y: Vec<f64> = rows.iter().map(|&i| made[[i, column]]).collect();
                let others = others(&made, kept, column, &rows);
                let of = Problem { device: problem.device, ..Problem::new(&others, &y) };
                let model = row.fit(&self.settings, &of)?;
                fitted.fill(&mut made, column, &*model, &gaps[column])?;
                fitted.sequence.push((column, model));
            }
            let change = |(new, old): (ndarray::ArrayView1<'_, f64>, ndarray::ArrayView1<'_, f64>)| {
                new.iter().zip(old).map(|(new, old)| (new - old).abs()).sum::<f64>()
            };
            let most = made.rows().into_iter().zip(before.rows()).map(change).fold(0.0f64, f64::max);
            fitted.converged = most < self.tol * largest;
        }
        if !fitted.converged {
            log::warn!("{}: not settled after {} rounds; raise max_iter or tol", Self::NAME, fitted.n_iter);
        }
        Ok((fitted, made))
    }
}

/// The kept columns but one, of some rows.
fn others(made: &Array2<f64>, kept: usize, column: usize, rows: &[usize]) -> Array2<f64> {
    Array2::from_shape_fn((rows.len(), kept - 1), |(i, j)| made[[rows[i], j + usize::from(j >= column)]])
}

impl FittedIterativeImputer {
    /// The rows where a kept column has no value.
    fn missing(&self, x: Matrix<'_>, column: usize) -> Vec<usize> {
        let from = self.initial.kept.get(column).map_or(usize::MAX, |&from| from as usize);
        x.column(from).iter().enumerate().filter(|(_, v)| v.is_nan()).map(|(row, _)| row).collect()
    }

    /// The rows to fill in of each kept column.
    fn gaps(&self, x: Matrix<'_>) -> Vec<Vec<usize>> {
        let of = |column| if self.empty.contains(&column) { Vec::new() } else { self.missing(x, column) };
        (0..self.initial.kept.len()).map(of).collect()
    }

    /// Fills in one column in these rows.
    fn fill(&self, made: &mut Array2<f64>, column: usize, model: &dyn Model, rows: &[usize]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let seen = others(made, self.initial.kept.len(), column, rows);
        let Prediction::Values(values) = model.outcome((&seen).into())? else {
            return Err(Error::internal(IterativeImputer::NAME, "a model of classes"));
        };
        let (least, most) = (self.limits.0.unwrap_or(f64::NEG_INFINITY), self.limits.1.unwrap_or(f64::INFINITY));
        for (&row, value) in rows.iter().zip(values) {
            made[[row, column]] = value.max(least).min(most);
        }
        Ok(())
    }
}

impl Transform for FittedIterativeImputer {
    fn kind(&self) -> &'static str {
        IterativeImputer::NAME
    }

    fn width(&self) -> usize {
        self.initial.width()
    }

    fn outputs(&self) -> usize {
        self.initial.outputs()
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        let mut made = self.initial.apply(x)?;
        let gaps = self.gaps(x);
        for (column, model) in &self.sequence {
            self.fill(&mut made, *column, &**model, gaps.get(*column).map_or(&[], Vec::as_slice))?;
        }
        Ok(made)
    }

    fn features(&self, from: &[Feature]) -> Vec<Feature> {
        self.initial.features(from)
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let sequence = self.sequence.iter().map(|(column, model)| (*column, model.kind().to_owned())).collect();
        let (limits, empty, n_iter, converged) = (self.limits, self.empty.clone(), self.n_iter, self.converged);
        out.note(&Note { limits, empty, sequence, n_iter, converged })?;
        self.initial.store(&mut out.part("initial"))?;
        self.sequence.iter().enumerate().try_for_each(|(i, (_, model))| model.store(&mut out.part(&i.to_string())))
    }

    fn restore(from: &Reader<'_>) -> Result<FittedIterativeImputer> {
        let Note { limits, empty, sequence: kinds, n_iter, converged } = from.note()?;
        let initial = FittedSimpleImputer::restore(&from.part("initial"))?;
        let kept = initial.kept.len();
        let mut sequence = Vec::new();
        for (i, (column, kind)) in kinds.into_iter().enumerate() {
            let row = Row::named(&kind).map_err(|e| from.error(e.to_string()))?;
            let model = row.restore(&from.part(&i.to_string()))?;
            if column >= kept || model.width() + 1 != kept || model.classes() != 0 {
                return Err(from.error(format!("model {i} of the imputer does not fit its columns")));
            }
            sequence.push((column, model));
        }
        Ok(FittedIterativeImputer { initial, limits, empty, sequence, n_iter, converged })
    }
}
