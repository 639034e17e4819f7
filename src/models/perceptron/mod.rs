//! Networks of dense layers as estimators, trained by the engine's loop.
//!
//! They are trained in `f32` on any device, and predict in `f64` on the CPU: a row's prediction does not depend on those beside it.

mod fitted;
mod settings;

pub use fitted::DenseLayer;
pub use settings::{MlpSettings, MlpSolver};

use super::estimator::{Ended, Estimator, Influence, Model, Prediction, largest, softmax};
use super::problem::Problem;
use super::store::{Reader, Writer};
use crate::data::Matrix;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use crate::train::Examples;
use fitted::Trained;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// A network that tells classes apart: softmax and cross-entropy. scikit-learn's `MLPClassifier`; early stopping judges by the loss
/// of the rows held out. Features of like scale are needed.
///
/// ```
/// use tilework::models::{Estimator, MlpClassifier, MlpSettings};
/// let x = [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]];
/// let settings = MlpSettings { hidden_layer_sizes: vec![16], learning_rate_init: 0.02, ..MlpSettings::default() };
/// assert_eq!(MlpClassifier(settings).fit(&x, &[0u32, 0, 1, 1])?.predict(&x)?, [0, 0, 1, 1]); // exclusive or
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MlpClassifier(pub MlpSettings);

/// A network that predicts numbers: half the mean squared error. scikit-learn's `MLPRegressor`; early stopping judges by the loss of
/// the rows held out. Features of like scale are needed, and a target of about that scale helps.
///
/// ```
/// use tilework::models::{Estimator, MlpRegressor, MlpSettings};
/// let x: Vec<[f64; 1]> = (0..40).map(|i| [f64::from(i) / 20.0 - 1.0]).collect();
/// let y: Vec<f64> = x.iter().map(|[x]| x * x).collect();
/// let settings = MlpSettings { learning_rate_init: 0.01, max_iter: 500, ..MlpSettings::default() };
/// assert!((MlpRegressor(settings).fit(&x[..], &y)?.predict(&[[0.5]])?[0] - 0.25).abs() < 0.1);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MlpRegressor(pub MlpSettings);

/// A fitted [`MlpClassifier`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedMlpClassifier {
    trained: Trained,
}

/// A fitted [`MlpRegressor`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedMlpRegressor {
    trained: Trained,
}

/// The rows that count, as tensors, with `target(row)` for each and its weight where there are weights: `[N, width]`, the weight last.
fn examples(
    problem: &Problem<'_>,
    device: &Device,
    target: impl Fn(usize) -> Vec<f32>,
) -> Result<(Examples, Vec<usize>)> {
    let weights = problem.row_weights();
    let kept: Vec<usize> = (0..weights.len()).filter(|&row| weights[row] > 0.0).collect();
    let x = Matrix::from(&problem.x.select(&kept)?).to_tensor(device)?;
    let y: Vec<f32> = kept
        .iter()
        .flat_map(|&row| {
            let mut target = target(row);
            target.push(weights[row] as f32);
            target
        })
        .collect();
    let width = y.len() / kept.len().max(1);
    Ok((Examples::new(x, Tensor::from_vec(y, [kept.len(), width], device))?, kept))
}

impl Estimator for MlpClassifier {
    type Fitted = FittedMlpClassifier;
    const NAME: &'static str = "mlp-classifier";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedMlpClassifier> {
        problem.check(Self::NAME)?;
        let (labels, classes) = problem.labels(Self::NAME)?;
        self.0.check(Self::NAME)?;
        let one_hot = |row: usize| (0..classes as u32).map(|class| f32::from(u8::from(labels[row] == class))).collect();
        let device = problem.device(&self.0.work(problem.x, classes));
        let (data, kept) = examples(problem, &device, one_hot)?;
        let labels: Vec<u32> = kept.iter().map(|&row| labels[row]).collect();
        let trained = self.0.train(Self::NAME, data, classes, Some(&labels), |logits, target| {
            let (truth, weight) = (target.slice(-1, ..classes), target.slice(-1, classes..));
            -((logits.log_softmax(-1) * truth * &weight).sum() / weight.sum())
        })?;
        Ok(FittedMlpClassifier { trained })
    }
}

impl Estimator for MlpRegressor {
    type Fitted = FittedMlpRegressor;
    const NAME: &'static str = "mlp-regressor";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedMlpRegressor> {
        problem.check(Self::NAME)?;
        let values = problem.values(Self::NAME)?;
        self.0.check(Self::NAME)?;
        if let Some(row) = values.iter().position(|&value| !(value as f32).is_finite()) {
            let message = format!("target {:e} in row {row} is beyond 32-bit floats; scale the target", values[row]);
            return Err(Error::NonFinite { op: Self::NAME, message });
        }
        let device = problem.device(&self.0.work(problem.x, 1));
        let (data, _) = examples(problem, &device, |row| vec![values[row] as f32])?;
        let trained = self.0.train(Self::NAME, data, 1, None, |prediction, target| {
            let (truth, weight) = (target.slice(-1, ..1), target.slice(-1, 1..));
            (prediction.squared_difference(&truth) * &weight).sum() * 0.5 / weight.sum()
        })?;
        Ok(FittedMlpRegressor { trained })
    }
}

impl FittedMlpClassifier {
    /// The class of each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        Ok(largest(&self.trained.forward(MlpClassifier::NAME, x.into())?))
    }

    /// The probability of each class, `[N, C]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict_proba<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        Ok(softmax(self.trained.forward(MlpClassifier::NAME, x.into())?))
    }

    /// The layers, from the input on.
    pub fn layers(&self) -> &[DenseLayer] {
        &self.trained.layers
    }

    /// The mean loss of each pass.
    pub fn loss_curve(&self) -> &[f64] {
        &self.trained.loss_curve
    }

    /// Whether it ended before `max_iter`.
    pub fn converged(&self) -> bool {
        self.trained.converged
    }
}

impl FittedMlpRegressor {
    /// The number for each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<f64>> {
        Ok(self.trained.forward(MlpRegressor::NAME, x.into())?.into_raw_vec_and_offset().0)
    }

    /// The layers, from the input on.
    pub fn layers(&self) -> &[DenseLayer] {
        &self.trained.layers
    }

    /// The mean loss of each pass.
    pub fn loss_curve(&self) -> &[f64] {
        &self.trained.loss_curve
    }

    /// Whether it ended before `max_iter`.
    pub fn converged(&self) -> bool {
        self.trained.converged
    }
}

impl Model for FittedMlpClassifier {
    fn kind(&self) -> &'static str {
        MlpClassifier::NAME
    }

    fn width(&self) -> usize {
        self.trained.width()
    }

    fn classes(&self) -> usize {
        self.trained.outputs()
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
        Ended::of(self.trained.converged)
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        self.trained.store(out)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedMlpClassifier> {
        let trained = Trained::restore(from)?;
        match trained.outputs() >= 2 {
            true => Ok(FittedMlpClassifier { trained }),
            false => Err(from.error("one output tells no classes apart")),
        }
    }
}

impl Model for FittedMlpRegressor {
    fn kind(&self) -> &'static str {
        MlpRegressor::NAME
    }

    fn width(&self) -> usize {
        self.trained.width()
    }

    fn classes(&self) -> usize {
        0
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
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
        Ended::of(self.trained.converged)
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        self.trained.store(out)
    }

    fn restore(from: &Reader<'_>) -> Result<FittedMlpRegressor> {
        let trained = Trained::restore(from)?;
        match trained.outputs() == 1 {
            true => Ok(FittedMlpRegressor { trained }),
            false => Err(from.error(format!("{} outputs; a regressor has one", trained.outputs()))),
        }
    }
}
