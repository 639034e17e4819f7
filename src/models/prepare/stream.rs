//! A pipeline learnt from a file larger than memory.

use super::chain::{Chain, check_texts};
use super::fitted::FittedPipeline;
use super::frame::{Frame, IN_FIT, answers_of, matrix, names_in, target_of};
use super::pipeline::{OP, Pipeline};
use super::transformer::names_of;
use crate::data::{Kind, Matrix, Stream, Table, Task};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::models::linear::learn_parts;
use crate::models::{Labels, Predicts, Problem, Row};
use std::collections::BTreeSet;

/// Rows of a part that is read, prepared and learnt from at once.
const PART_ROWS: usize = 8192;

/// Bytes of text that the sample has at most, and its rows.
const SAMPLE_BYTES: usize = 64 << 20;
const SAMPLE_ROWS: usize = 50_000;

impl Pipeline {
    /// Rows of a stream that its steps are made of and learnt from, spread over all of it: at most 50,000 and 64 MiB of text.
    ///
    /// # Errors
    /// As [`Stream::select`].
    pub fn sample(stream: &Stream, seed: u64) -> Result<Table> {
        let fitting = (SAMPLE_BYTES / stream.row_bytes().max(1)).clamp(1, SAMPLE_ROWS);
        stream.select(&stream.draw(fitting, seed))
    }

    /// Learns from a file that is larger than memory. The steps learn from `sample`, a table of [`Pipeline::sample`]; the model,
    /// which is one that can (least squares, ridge and logistic regression with `solver` set to `"stochastic"`), from all rows,
    /// of which it reads a part at a time, once to measure them and once for each pass. Classes are those of all rows.
    ///
    /// # Errors
    /// As [`Pipeline::fit`]; a cell of another kind than all cells in the sample are of; a model or solver that cannot; classes to
    /// even out, or a threshold to tune, for which rows are needed at once.
    ///
    /// ```
    /// use tilework::data::{ReadOptions, Stream};
    /// use tilework::models::{Row, prepare::Pipeline};
    /// let csv = "size,town,dear\n1,Ulm,no\n2,Bonn,no\n3,Ulm,yes\n4,Bonn,yes\n";
    /// let stream = Stream::of(move || Ok(csv.as_bytes()), "t.csv", &ReadOptions::lenient())?; // Stream::open of a path
    /// let sample = Pipeline::sample(&stream, 0)?;
    /// let plan = Pipeline::auto(&sample, None, Row::named("logistic-regression")?)?;
    /// let pipeline = plan.pipeline.set("solver", "stochastic".into())?;
    /// let fitted = pipeline.fit_stream(&stream, &sample, None, None)?;
    /// assert_eq!(fitted.outputs().len(), 3); // size, and the two towns
    /// # Ok::<(), tilework::Error>(())
    /// ```
    pub fn fit_stream(
        &self,
        stream: &Stream,
        sample: &Table,
        target: Option<&str>,
        device: Option<&Device>,
    ) -> Result<FittedPipeline> {
        self.check()?;
        if self.balance.is_some() {
            return Err(Error::argument(OP, "balance needs all rows in memory; leave it out, or read the whole table"));
        }
        let target = target_of(sample, target)?.name.clone();
        let ignored = self.ignored(sample, &target)?;
        let left: Vec<&str> = ignored.iter().map(String::as_str).collect();
        let predicts = Row::named(&self.model)?.predicts;
        let task = task_of(stream, &target, predicts)?;
        let frame = Frame::with_task(&sample.without_columns(&left)?, &target, task)?;
        let blame = |e| frame.faults.blame(e, None);
        let (chain, _) = Chain::learn(&self.steps, &frame.problem(), &frame.features).map_err(blame)?;
        let made = chain.features(&frame.features);
        check_texts(&made).map_err(blame)?;
        let names = names_of(&made);
        let model = learn_parts(&self.model, &self.settings, &|each| {
            for table in stream.parts(PART_ROWS)? {
                let table = table?;
                let read = matrix(&table, &frame.features, IN_FIT)?;
                let answers = answers_of(&table, &target, &frame.task)?;
                let blame = |e| read.faults.blame(e, None);
                let prepared = chain.apply(OP, Matrix::with_texts(&read.x, &read.texts)).map_err(blame)?;
                let (x, y) = ((&prepared).into(), answers.answer());
                each(&Problem { x, y, weights: None, names: Some(&names), device }).map_err(blame)?;
            }
            Ok(())
        })?;
        let tuned = "a threshold is tuned on rows in memory; give a number, or read the whole table";
        let fit = |_: &Problem<'_>| Err(Error::argument(OP, tuned));
        let rule = self.decision.as_ref().map(|by| by.rule(&*model, &frame.problem(), &fit)).transpose()?;
        let ignored = [ignored, sample.left_out().to_vec()].concat();
        FittedPipeline::of_parts(self, frame, (chain, model, rule), ignored)
    }
}

/// What is predicted, by all rows of a stream.
fn task_of(stream: &Stream, target: &str, predicts: Predicts) -> Result<Task> {
    let kind = stream.columns().iter().find(|(name, _)| name == target).map(|(_, kind)| *kind);
    let Some(kind) = kind else {
        return Err(Error::data(stream.source(), format!("no column of that name: given {target:?}")));
    };
    let numeric = matches!(kind, Kind::Number | Kind::Integer);
    let wrong = |advice: &str| {
        let message = format!("target {target:?} of {}s: the model {advice}", kind.noun());
        Err(Error::data(stream.source(), message))
    };
    match predicts {
        Predicts::Values if numeric => return Ok(Task::Regression),
        Predicts::Values => return wrong("predicts numbers; choose one that tells classes apart"),
        Predicts::Labels if kind == Kind::Number => {
            return wrong("tells classes apart; choose one that predicts numbers");
        }
        Predicts::Labels => {}
    }
    let mut names = BTreeSet::new();
    for table in stream.parts(PART_ROWS)? {
        names.extend(names_in(&table?, target)?);
    }
    match names.len() {
        0 | 1 => Err(Error::data(
            stream.source(),
            format!("target {target:?} has one value in all rows; there is nothing to learn"),
        )),
        _ => Ok(Task::Classes(Labels::new(names).names)),
    }
}
