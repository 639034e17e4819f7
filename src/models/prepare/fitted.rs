//! A fitted pipeline: what it predicts of tables and matrices, and its file.

use super::chain::Chain;
use super::frame::{Frame, IN_PREDICTION, Outcome, Read, answers_of, matrix};
use super::pipeline::{OP, Pipeline};
use super::transformer::{Feature, Transform, names_of};
use crate::cost::Work;
use crate::data::{Chosen, Kind, Matrix, ReadOptions, Table, Task};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::io::Archive;
use crate::models::balance::Rule;
use crate::models::calibration::Conformal;
use crate::models::{Ended, Influence, Model, Prediction, Reader, Row, Writer, save};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::Path;

/// A fitted [`Pipeline`]: a [`Model`] of the columns that the first step takes.
#[derive(Debug)]
pub struct FittedPipeline {
    pub(super) settings: Pipeline,
    pub(super) features: Vec<Feature>,
    pub(super) chain: Chain,
    pub(super) model: Box<dyn Model>,
    pub(super) rule: Option<Rule>,
    /// Where it came from a table.
    pub(super) table: Option<Origin>,
    pub(super) intervals: Option<Conformal>,
}

/// What a pipeline knows about the table that it learnt from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Origin {
    pub(super) target: String,
    pub(super) task: Task,
    /// Columns that no step takes, or that were left out as the file was read.
    pub(super) ignored: Vec<String>,
}

/// What a file says about a pipeline.
#[derive(Serialize, Deserialize)]
struct Note {
    settings: Pipeline,
    features: Vec<Feature>,
    table: Option<Origin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<Rule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intervals: Option<Conformal>,
}

impl FittedPipeline {
    /// What a file of a pipeline says that it is.
    pub const KIND: &'static str = OP;

    /// Of parts that were learnt from a table like that of `frame`.
    pub(super) fn of_parts(
        settings: &Pipeline,
        frame: Frame,
        (chain, model, rule): (Chain, Box<dyn Model>, Option<Rule>),
        ignored: Vec<String>,
    ) -> Result<FittedPipeline> {
        let table = Some(Origin { target: frame.target, task: frame.task, ignored });
        Ok(FittedPipeline {
            settings: settings.clone(),
            features: settings.kept(frame.features)?,
            chain,
            model,
            rule,
            table,
            intervals: None,
        })
    }

    /// Predicts the rows of a table. Columns are matched by name, in any order; the target, those that no step took
    /// and those that were left out as the file was read may be there.
    ///
    /// # Errors
    /// [`Error::Data`] for columns that are missing or not known, and for cells that cannot be used, with their place.
    pub fn predict(&self, table: &Table) -> Result<Outcome> {
        let prediction = self.of_table(table, |x| self.outcome(x))?;
        let regression = Task::Regression;
        Ok(Outcome::new(prediction, self.table.as_ref().map_or(&regression, |origin| &origin.task)))
    }

    /// The probability of each class for the rows of a table, `[N, C]`; `None` of a model that has none.
    ///
    /// # Errors
    /// As [`FittedPipeline::predict`].
    pub fn predict_proba(&self, table: &Table) -> Result<Option<Array2<f64>>> {
        self.of_table(table, |x| self.probabilities(x))
    }

    /// A table with its target as the frame that this pipeline is scored on.
    ///
    /// # Errors
    /// As [`FittedPipeline::predict`]; [`Error::Data`] for a target that is not there or a class that is not known.
    pub fn frame(&self, table: &Table) -> Result<Frame> {
        let Some(origin) = &self.table else {
            return Err(Error::argument(OP, "learnt from a matrix, which has no column names; give it one to predict"));
        };
        let answers = answers_of(table, &origin.target, &origin.task)?;
        let Read { x, texts, faults } = self.read(table)?;
        let (features, names) = (self.features.clone(), names_of(&self.features));
        Ok(Frame {
            features,
            names,
            x,
            texts,
            target: origin.target.clone(),
            task: origin.task.clone(),
            answers,
            device: None,
            faults,
        })
    }

    /// What to say of an error that this pipeline gave for the rows of a frame: the error of the cell to blame, with its place in
    /// the file, where it is one.
    pub fn blame(&self, error: Error, frame: &Frame) -> Error {
        frame.faults.blame(error, self.gap(Matrix::with_texts(&frame.x, &frame.texts)))
    }

    /// The feature with a gap that no step fills in: the first of the first such row.
    fn gap(&self, x: Matrix<'_>) -> Option<usize> {
        let prepared = self.prepare(x).ok()?;
        let ((_, column), _) = prepared.indexed_iter().find(|(_, v)| v.is_nan())?;
        let name = self.outputs().into_iter().nth(column)?.name;
        self.features.iter().position(|feature| feature.name == name)
    }

    /// How a file of new rows is to be read, so that its columns hold what they held in the fit.
    pub fn read_options(&self) -> ReadOptions {
        let kinds = self.features.iter().map(|feature| (feature.name.clone(), feature.kind)).collect();
        let target = self.table.as_ref().filter(|origin| origin.task != Task::Regression);
        let target = target.map(|origin| (origin.target.clone(), Kind::Text));
        let ignored = self.table.iter().flat_map(|origin| &origin.ignored).cloned();
        ReadOptions {
            kinds: [kinds, target.into_iter().collect::<Vec<_>>()].concat(),
            columns: Chosen::WithoutAny(ignored.collect()),
            ..ReadOptions::lenient()
        }
    }

    /// The settings that it was fitted with.
    pub fn settings(&self) -> &Pipeline {
        &self.settings
    }

    /// The columns that it takes, as they are in a table.
    pub fn inputs(&self) -> &[Feature] {
        &self.features
    }

    /// The features that the model at its end sees: what [`Model::influence`] of [`FittedPipeline::model`] speaks of.
    pub fn outputs(&self) -> Vec<Feature> {
        self.chain.features(&self.features)
    }

    /// The model at its end.
    pub fn model(&self) -> &dyn Model {
        &*self.model
    }

    /// What predicting so many rows by the model at its end consists of, for [`Device::auto_for`]; `None` where that predicts on the
    /// CPU alone.
    pub fn work(&self, rows: usize) -> Option<Work> {
        self.model.movable().map(|model| model.work(rows))
    }

    /// The same with the model at its end on a device; the steps before it stay on the CPU.
    ///
    /// ```
    /// use tilework::{Device, data::{Column, Table}};
    /// use tilework::models::{RandomForestRegressor, prepare::Pipeline};
    /// let numbers = |from: u8| (0..20).map(|i| f64::from(from + i % 7)).collect::<Vec<_>>();
    /// let table = Table::new("t", vec![Column::numbers("x", numbers(0)), Column::numbers("y", numbers(9))])?;
    /// let fitted = Pipeline::new(&RandomForestRegressor::default())?.fit(&table, None)?;
    /// let device = Device::auto_for(&fitted.work(20).unwrap()); // the CPU, for 20 rows
    /// println!("{:?}", fitted.on(&device)?.predict(&table)?);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for a model that predicts on the CPU alone; not enough memory on the device; a lost device.
    pub fn on(self, device: &Device) -> Result<FittedPipeline> {
        let kind = self.model.kind();
        let model = self.model.movable().map(|model| model.on(device)).transpose()?;
        let alone = || Error::argument(OP, format!("{kind} predicts on the CPU alone: given {device}; leave it there"));
        Ok(FittedPipeline { model: model.ok_or_else(alone)?, ..self })
    }

    /// The least probability of class 1 for which it decides, or score of a model without probabilities; `None` unless it was
    /// given or tuned.
    pub fn threshold(&self) -> Option<f64> {
        match self.rule {
            Some(Rule::Threshold(threshold)) => Some(threshold),
            _ => None,
        }
    }

    /// A fitted step by its name.
    pub fn step(&self, name: &str) -> Option<&dyn Transform> {
        self.chain.step(name)
    }

    /// The column that is predicted; `None` when it learnt from a matrix.
    pub fn target(&self) -> Option<&str> {
        self.table.as_ref().map(|origin| origin.target.as_str())
    }

    /// What is predicted; `None` when it learnt from a matrix.
    pub fn task(&self) -> Option<&Task> {
        self.table.as_ref().map(|origin| &origin.task)
    }

    /// Rows as the model at the end sees them.
    ///
    /// # Errors
    /// Those of the steps.
    pub fn prepare(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        self.chain.apply(OP, x)
    }

    /// Writes one file with all steps and the model. It appears whole or not at all.
    ///
    /// # Errors
    /// What the file system reports; numbers that are not finite.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save(self, path)
    }

    /// Reads a file that [`FittedPipeline::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Format`]: no file, a damaged one, a newer version, another kind.
    pub fn load(path: impl AsRef<Path>) -> Result<FittedPipeline> {
        let archive = Archive::load(path)?;
        archive.expect_kind(OP)?;
        FittedPipeline::restore(&Reader::of(&archive)?)
    }

    /// Asks about a table's rows; errors name the cell to blame.
    pub(super) fn of_table<T>(&self, table: &Table, ask: impl Fn(Matrix<'_>) -> Result<T>) -> Result<T> {
        let read = self.read(table)?;
        let x = Matrix::with_texts(&read.x, &read.texts);
        ask(x).map_err(|e| read.faults.blame(e, self.gap(x)))
    }

    /// The columns that it takes, as numbers.
    fn read(&self, table: &Table) -> Result<Read> {
        let known: HashSet<&str> = self.features.iter().map(|feature| feature.name.as_str()).collect();
        let passed = |name: &str| {
            self.table.as_ref().is_some_and(|origin| origin.target == name || origin.ignored.iter().any(|n| n == name))
        };
        let given: Vec<&str> = table.columns().iter().map(|c| c.name.as_str()).collect();
        let missing: Vec<&str> = self.features.iter().map(|f| f.name.as_str()).filter(|n| !given.contains(n)).collect();
        let unknown: Vec<&str> = given.iter().copied().filter(|name| !known.contains(name) && !passed(name)).collect();
        if !missing.is_empty() || !unknown.is_empty() {
            let count = self.features.len() - missing.len();
            let part = |what: &str, names: Vec<&str>| match names.len() {
                0 => String::new(),
                n => format!("; {what} {}{}", names[..n.min(10)].join(", "), if n > 10 { " and more" } else { "" }),
            };
            let message = format!(
                "other columns than the model's: {count} of its {} columns given{}{}",
                self.features.len(),
                part("missing", missing),
                part("not known to the model", unknown)
            );
            return Err(Error::data(table.source(), message));
        }
        matrix(table, &self.features, IN_PREDICTION)
    }
}

impl Model for FittedPipeline {
    fn kind(&self) -> &'static str {
        OP
    }

    fn width(&self) -> usize {
        self.features.len()
    }

    fn classes(&self) -> usize {
        self.model.classes()
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
        let x = self.prepare(x)?;
        match &self.rule {
            Some(rule) => rule.decide(&*self.model, (&x).into()).map(Prediction::Labels),
            None => self.model.outcome((&x).into()),
        }
    }

    fn probabilities(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        self.model.probabilities((&self.prepare(x)?).into())
    }

    fn decision(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        self.model.decision((&self.prepare(x)?).into())
    }

    /// None of the columns it takes; that of [`FittedPipeline::model`] speaks of [`FittedPipeline::outputs`].
    fn influence(&self) -> Option<Influence> {
        None
    }

    fn ended(&self) -> Ended {
        self.model.ended()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let (settings, features, table) = (self.settings.clone(), self.features.clone(), self.table.clone());
        out.note(&Note { settings, features, table, rule: self.rule.clone(), intervals: self.intervals })?;
        self.chain.store(&mut out.part("steps"))?;
        self.model.store(&mut out.part("model"))
    }

    fn restore(from: &Reader<'_>) -> Result<FittedPipeline> {
        let Note { settings, features, table, rule, intervals } = from.note()?;
        let chain = Chain::restore(&from.part("steps"))?;
        let row = Row::named(&settings.model).map_err(|e| from.error(e.to_string()))?;
        let model = row.restore(&from.part("model"))?;
        let classes = match &table {
            Some(Origin { task: Task::Classes(names), .. }) => names.len(),
            Some(Origin { task: Task::Regression, .. }) => 0,
            None => model.classes(),
        };
        let ruled = rule.as_ref().is_none_or(|rule| rule.fits(model.classes()));
        let fits = ruled && chain.width() == features.len() && classes == model.classes();
        if !fits || chain.outputs() != model.width() {
            return Err(from.error("the steps of the pipeline do not fit its columns or its model"));
        }
        if intervals.is_some_and(|i| !(i.margin >= 0.0 && i.margin.is_finite() && i.coverage > 0.0 && i.coverage < 1.0))
        {
            return Err(from.error("intervals of no width, or no probability"));
        }
        Ok(FittedPipeline { settings, features, chain, model, rule, table, intervals })
    }
}
