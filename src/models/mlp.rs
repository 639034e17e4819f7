//! A network of dense layers as an estimator: a data set in, a model file out.

use super::network::{Activation, Plateau, network};
use crate::cost::Work;
use crate::data::{Dataset, Schema, Standardizer, Target, Task, stratified_split};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::io::{Archive, to_json};
use crate::nn::{Mode, Module, Sequential};
use crate::optim::{Adam, Optimizer};
use crate::rng::Rng;
use crate::tensor::Tensor;
use crate::tensor::record::no_grad;
use crate::train::checkpoint::{Notes, pack, take, unpack};
use crate::train::{Cancel, EarlyStopping, Examples, History, Job, Objective, Progress, Recording, Standing, Trainer};
use serde::{Deserialize, Serialize};
use std::path::Path;

const KIND: &str = "mlp";

/// What happens to features before the network sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// Each column to mean 0 and deviation 1, measured on the training rows.
    #[default]
    Standard,
    /// As given.
    None,
}

/// A multilayer perceptron: dense layers with ReLU between them, trained by Adam; softmax and cross-entropy for classes, mean
/// squared error for numbers. Settings are scikit-learn's `MLPClassifier` in meaning.
///
/// ```
/// use tilework::data::{Dataset, Table};
/// use tilework::models::Mlp;
/// use tilework::train::Silent;
/// use tilework::Device;
/// let csv = "x,y,side\n0,0,left\n0,1,left\n1,0,right\n1,1,right\n";
/// let data = Dataset::from_table(&Table::parse_csv(csv.as_bytes(), "sides.csv")?, None)?;
/// let settings = Mlp { hidden: vec![8], epochs: 200, learning_rate: 0.01, ..Mlp::default() };
/// let model = settings.fit(&data, &Device::cpu(), &mut Silent)?;
/// assert_eq!(model.predict(data.features())?, [0, 0, 1, 1]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mlp {
    /// Units of the hidden layers.
    pub hidden: Vec<usize>,
    /// Passes over the data.
    pub epochs: usize,
    /// Rows of a step.
    pub batch_size: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Of start weights, shuffles and the validation split.
    pub seed: u64,
    /// The share of rows held out for validation, 0 for none.
    pub validation: f64,
    /// Ends after this many epochs without a lower validation loss; needs `validation`.
    pub patience: Option<usize>,
    /// What happens to features first.
    pub scaling: Scaling,
    /// Ends a fit from outside.
    #[serde(skip)]
    pub cancel: CancelSetting,
}

/// [`Cancel`] as a setting: equal to every other, because it says nothing about the model.
#[derive(Debug, Clone, Default)]
pub struct CancelSetting(pub Cancel);

impl PartialEq for CancelSetting {
    fn eq(&self, _: &CancelSetting) -> bool {
        true
    }
}

impl Default for Mlp {
    fn default() -> Mlp {
        Mlp {
            hidden: vec![128], // held-out digits: lower loss than two narrow layers, and no higher than wider ones
            epochs: 50,
            batch_size: 32,
            learning_rate: 1e-3,
            seed: 0,
            validation: 0.0,
            patience: None,
            scaling: Scaling::Standard,
            cancel: CancelSetting::default(),
        }
    }
}

/// A trained [`Mlp`].
#[derive(Debug)]
pub struct FittedMlp {
    settings: Mlp,
    schema: Schema,
    scaler: Option<Standardizer>,
    /// Mean and deviation of a numeric target, which the network predicts in standard form.
    target: Option<(f64, f64)>,
    net: Sequential,
    optimizer: Optimizer,
    standing: Standing,
    device: Device,
}

/// All of a model file that is no tensor.
#[derive(Serialize, Deserialize)]
struct Description {
    settings: Mlp,
    schema: Schema,
    scaler: Option<Standardizer>,
    target: Option<(f64, f64)>,
    run: Notes,
}

impl Mlp {
    /// Trains on all rows of `train` (but those held out for validation).
    ///
    /// # Errors
    /// A setting out of range; no rows; one class only; a loss that is not finite; what the device reports.
    pub fn fit(&self, train: &Dataset, device: &Device, progress: &mut dyn Progress) -> Result<FittedMlp> {
        self.check(train)?;
        let scaler = match self.scaling {
            Scaling::Standard => Some(Standardizer::fit(train.features(), train.width())?),
            Scaling::None => None,
        };
        let target = match train.target() {
            Target::Labels(_) => None,
            Target::Values(values) => Some(moments(values)),
        };
        let model = self.start(train.schema().clone(), scaler, target, device)?;
        model.train(train, None, progress)
    }

    /// What a fit on so many rows consists of, for [`Device::auto_for`].
    pub fn work(&self, train: &Dataset) -> Work {
        Work::training(&self.sizes(train.schema()), train.rows(), self.batch_size, self.epochs)
    }

    /// Numbers between the layers, the features first.
    fn sizes(&self, schema: &Schema) -> Vec<usize> {
        let ends = [schema.features.len(), outputs(&schema.task)];
        [&ends[..1], &self.hidden, &ends[1..]].concat()
    }

    /// Goes on with a model file that a fit with these settings wrote, up to `epochs` in all: the result is that of one longer
    /// fit, bit for bit on one device.
    ///
    /// # Errors
    /// As [`Mlp::fit`] and [`FittedMlp::load`]; other data or another network than the file's.
    pub fn resume(
        &self,
        file: &Path,
        train: &Dataset,
        device: &Device,
        progress: &mut dyn Progress,
    ) -> Result<FittedMlp> {
        self.check(train)?;
        let archive = Archive::load(file)?;
        let description = description(&archive)?;
        let known = Schema { ignored: train.schema().ignored.clone(), ..description.schema.clone() };
        if known != *train.schema() {
            return Err(Error::format(file, "was trained on other columns or classes; resume with the same data"));
        }
        if description.settings.hidden != self.hidden {
            let message = format!(
                "has hidden layers {:?}: asked for {:?}; use those of the file",
                description.settings.hidden, self.hidden
            );
            return Err(Error::format(file, message));
        }
        let mut model = self.start(description.schema, description.scaler, description.target, device)?;
        let at = unpack(file, &archive, description.run, &model.net, &mut model.optimizer)?;
        model.train(train, Some(at), progress)
    }

    fn check(&self, train: &Dataset) -> Result<()> {
        let wrong = |what: String| Err(Error::argument("mlp", what));
        if self.batch_size == 0 || self.hidden.contains(&0) {
            return wrong(format!("batch_size {} and hidden {:?} must be at least 1", self.batch_size, self.hidden));
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return wrong(format!("learning_rate must be positive: given {}", self.learning_rate));
        }
        if !(0.0..1.0).contains(&self.validation) {
            return wrong(format!("validation is a share of the rows in [0, 1): given {}", self.validation));
        }
        if self.patience.is_some() && self.validation == 0.0 {
            return wrong("patience needs held-out rows: set validation, for example to 0.1".into());
        }
        match &train.schema().task {
            Task::Classes(classes) if classes.len() < 2 => {
                wrong(format!("needs at least two classes: the target {} has {classes:?}", train.schema().target))
            }
            _ => Ok(()),
        }
    }

    /// The untrained model.
    fn start(
        &self,
        schema: Schema,
        scaler: Option<Standardizer>,
        target: Option<(f64, f64)>,
        device: &Device,
    ) -> Result<FittedMlp> {
        let mut rng = Rng::seed(self.seed);
        let net = network(&self.sizes(&schema), Activation::Relu, &mut rng, device)?;
        let optimizer = Optimizer::new(Adam { lr: self.learning_rate, ..Adam::default() }, net.parameters());
        let standing = Standing::new(self.seed, self.learning_rate);
        Ok(FittedMlp {
            settings: self.clone(),
            schema,
            scaler,
            target,
            net,
            optimizer,
            standing,
            device: device.clone(),
        })
    }
}

impl FittedMlp {
    fn train(mut self, train: &Dataset, at: Option<Standing>, progress: &mut dyn Progress) -> Result<FittedMlp> {
        let settings = self.settings.clone();
        let (fitted, held_out) = self.parts(train)?;
        let fitted = self.examples(&fitted)?;
        let held_out = held_out.map(|held_out| self.examples(&held_out)).transpose()?;
        let mut trainer = Trainer {
            epochs: settings.epochs,
            batch_size: settings.batch_size,
            recording: Recording::Once,
            seed: settings.seed,
            early_stopping: settings.patience.map(|patience| EarlyStopping { patience, min_delta: 0.0 }),
            cancel: settings.cancel.0,
            ..Trainer::default()
        };
        let objective = match self.schema.task {
            Task::Classes(_) => Objective::classes(),
            Task::Regression => Objective::values(),
        };
        let at = at.unwrap_or_else(|| self.standing.clone());
        let (net, optimizer) = (&self.net, &mut self.optimizer);
        let job = Job::new(net, optimizer, objective, &fitted);
        self.standing = trainer.run(at, Job { validation: held_out.as_ref(), progress: Some(progress), ..job })?;
        Ok(self)
    }

    /// The rows to fit, and those held out.
    fn parts(&self, data: &Dataset) -> Result<(Dataset, Option<Dataset>)> {
        if self.settings.validation == 0.0 {
            return Ok((data.select(&(0..data.rows()).collect::<Vec<_>>())?, None));
        }
        // A stream of its own, so that the split does not move the start weights.
        let mut rng = Rng::seed(self.settings.seed ^ 0x5711_7000);
        let labels: Vec<u32> = match data.target() {
            Target::Labels(labels) => labels.clone(),
            Target::Values(values) => vec![0; values.len()],
        };
        let split = stratified_split(&labels, self.settings.validation, &mut rng)?;
        Ok((data.select(&split.train)?, Some(data.select(&split.held_out)?)))
    }

    fn examples(&self, data: &Dataset) -> Result<Examples> {
        let y = match data.target() {
            Target::Labels(labels) => Tensor::from_slice(labels, labels.len(), &self.device),
            Target::Values(values) => {
                let (mean, std) = self.target.unwrap_or((0.0, 1.0));
                let scaled: Vec<f32> = values.iter().map(|&v| ((f64::from(v) - mean) / std) as f32).collect();
                Tensor::from_slice(&scaled, [values.len(), 1], &self.device)
            }
        };
        Examples::new(self.inputs(data.features())?, y)
    }

    /// Scaled rows on the device.
    fn inputs(&self, features: &[f32]) -> Result<Tensor> {
        let width = self.schema.features.len();
        if width == 0 || !features.len().is_multiple_of(width) {
            let message = format!("the model has {width} features: given {} values; give whole rows", features.len());
            return Err(Error::shape("predict", message));
        }
        let mut scaled = features.to_vec();
        if let Some(scaler) = &self.scaler {
            scaler.apply(&mut scaled)?;
        }
        Tensor::from_slice(&scaled, [features.len() / width, width], &self.device).check().cloned()
    }

    /// The network's outputs, row by row, in batches that bound memory.
    fn outputs(&self, features: &[f32], apply: impl Fn(&Tensor) -> Tensor) -> Result<Vec<f32>> {
        const ROWS: usize = 4096;
        let x = self.inputs(features)?;
        self.net.set_mode(Mode::Eval);
        let rows = x.shape().first().copied().unwrap_or(0);
        let mut all = Vec::new();
        for start in (0..rows).step_by(ROWS) {
            let y = no_grad(|| apply(&self.net.forward(&x.slice(0, start..rows.min(start + ROWS)))));
            all.extend(y.to_vec::<f32>()?);
        }
        Ok(all)
    }

    /// The class of each row (a position in the schema's list). `features`: row-major, as many columns as the schema has.
    ///
    /// # Errors
    /// A model of numbers; another number of features.
    pub fn predict(&self, features: &[f32]) -> Result<Vec<u32>> {
        let classes = self.classes()?;
        let logits = self.outputs(features, Tensor::clone)?;
        Ok(logits.chunks(classes).map(best).collect())
    }

    /// The probability of each class for each row: `[N, C]`, row-major.
    ///
    /// # Errors
    /// As [`FittedMlp::predict`].
    pub fn predict_proba(&self, features: &[f32]) -> Result<Vec<f32>> {
        self.classes()?;
        self.outputs(features, |logits| logits.softmax(-1))
    }

    /// The predicted number of each row.
    ///
    /// # Errors
    /// A model of classes; another number of features.
    pub fn predict_values(&self, features: &[f32]) -> Result<Vec<f32>> {
        let Some((mean, std)) = self.target else {
            return Err(Error::argument("predict_values", "the model predicts classes: use predict or predict_proba"));
        };
        let scaled = self.outputs(features, Tensor::clone)?;
        Ok(scaled.iter().map(|&y| (f64::from(y) * std + mean) as f32).collect())
    }

    fn classes(&self) -> Result<usize> {
        match &self.schema.task {
            Task::Classes(classes) => Ok(classes.len()),
            Task::Regression => Err(Error::argument("predict", "the model predicts numbers: use predict_values")),
        }
    }

    /// Where it runs.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What predicting so many rows consists of, for [`Device::auto_for`].
    pub fn work(&self, rows: usize) -> Work {
        Work::prediction(&self.settings.sizes(&self.schema), rows)
    }

    /// The columns and classes that it was trained on.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The settings that it was trained with.
    pub fn settings(&self) -> &Mlp {
        &self.settings
    }

    /// The network.
    pub fn network(&self) -> &Sequential {
        &self.net
    }

    /// Its epochs in numbers.
    pub fn history(&self) -> &History {
        &self.standing.history
    }

    /// Whether its training came to an end before its epochs did: it was stopped early, or scikit-learn's networks would have ended
    /// there by their defaults, after more than 10 epochs in a row whose loss was not below the lowest before by 1e-4. One that has not
    /// may predict otherwise after more epochs: [`Mlp::resume`] goes on with it.
    pub fn converged(&self) -> bool {
        let (history, mut plateau) = (self.history(), Plateau::new(1e-4, 10));
        history.stopped.is_some() || history.epochs.iter().any(|epoch| plateau.reached(epoch.loss))
    }

    /// Numbers that were learnt.
    pub fn parameters(&self) -> usize {
        self.net.parameters().iter().map(|(_, param)| param.tensor().numel()).sum()
    }

    /// Optimizer steps done.
    pub fn steps(&self) -> u64 {
        self.optimizer.steps()
    }

    /// Writes one file with everything that prediction and further training need. It appears whole or not at all.
    ///
    /// # Errors
    /// What the file system reports; parameters that are not finite.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut archive = Archive::new(KIND);
        let run = pack(&mut archive, &self.net, &self.optimizer, &self.standing)?;
        let (scaler, schema) = (self.scaler.clone(), self.schema.clone());
        let description = Description { settings: self.settings.clone(), schema, scaler, target: self.target, run };
        archive.metadata = to_json("save", &description)?;
        archive.save(path)
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// A file that is damaged, foreign, or of another kind of model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<FittedMlp> {
        FittedMlp::of_archive(&Archive::load(path)?, device)
    }

    /// The same of a file that has been read.
    pub(crate) fn of_archive(archive: &Archive, device: &Device) -> Result<FittedMlp> {
        let Description { settings, schema, scaler, target, run } = description(archive)?;
        let mut model = settings.start(schema, scaler, target, device)?;
        let (net, path) = (take(archive, "net.", device)?, archive.source());
        model.net.load_state(&net).map_err(|e| Error::format(path, format!("does not fit its description: {e}")))?;
        model.standing = unpack(path, archive, run, &model.net, &mut model.optimizer)?;
        Ok(model)
    }
}

/// Outputs of a network: one a class, or the number.
fn outputs(task: &Task) -> usize {
    match task {
        Task::Classes(classes) => classes.len(),
        Task::Regression => 1,
    }
}

fn description(archive: &Archive) -> Result<Description> {
    archive.expect_kind(KIND)?;
    archive.metadata_as()
}

/// The position of the largest; the first of equals.
fn best(row: &[f32]) -> u32 {
    let mut best = 0;
    for (i, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = i;
        }
    }
    best as u32
}

/// Mean and deviation (1 if there is none), in two passes.
fn moments(values: &[f32]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
    (mean, if variance > 0.0 { variance.sqrt() } else { 1.0 })
}
