//! Model files of pipelines: read, predicted with, and looked into.

use super::super::failure::{Failure, Outcome};
use super::super::note;
use super::names::is_mlp;
use super::parts::read;
use crate::data::Task;
use crate::device::{Device, DeviceKind};
use crate::io::Archive;
use crate::models::prepare::{FittedPipeline, Outcome as Predicted, names_of};
use crate::models::{Influence, Model, Reader, holds, prepare::Frame};
use std::path::Path;

/// What a model file holds.
pub(crate) enum Loaded {
    Pipeline(Box<FittedPipeline>),
    /// `mlp` has files of its own.
    Network(Archive),
}

pub(crate) fn load(path: &Path) -> Outcome<Loaded> {
    let archive = Archive::load(path)?;
    match archive.kind.as_str() {
        FittedPipeline::KIND => Ok(Loaded::Pipeline(Box::new(FittedPipeline::restore(&Reader::of(&archive)?)?))),
        kind if is_mlp(kind) => Ok(Loaded::Network(archive)),
        kind => Err(Failure::failed(format!("{}: {}", path.display(), holds(kind)))),
    }
}

/// The pipeline where so many rows are to be predicted: on the device of that name, or for `auto` where it is quicker.
fn placed(model: FittedPipeline, rows: usize, name: &str) -> Outcome<FittedPipeline> {
    let (kind, work) = (model.model().kind(), model.work(rows));
    let device = match (name, &work) {
        ("auto", None) => return Ok(model),
        ("auto", Some(work)) => Device::auto_for(work),
        _ => Device::open(name)?,
    };
    if device.kind() == DeviceKind::Cpu {
        return Ok(model); // where it is
    }
    if work.is_none() {
        note(format_args!("device: {kind} predicts on the CPU alone; {device} is not used"));
        return Ok(model);
    }
    note(format_args!("device: {device}: {}", device.reason()));
    Ok(model.on(&device)?)
}

/// The frame of a table that has the target, and the pipeline where its rows are to be predicted.
pub(super) fn on_table(model: FittedPipeline, file: &Path, device: &str) -> Outcome<(FittedPipeline, Frame)> {
    let frame = model.frame(&read(file, &model.read_options())?)?;
    Ok((placed(model, frame.x.nrows(), device)?, frame))
}

/// CSV, and the number of its rows.
pub(crate) fn predictions(model: FittedPipeline, data: &Path, device: &str) -> Outcome<(Vec<u8>, usize)> {
    let table = read(data, &model.read_options())?;
    let model = placed(model, table.rows(), device)?;
    let mut out = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Failure::failed(format!("predictions: {error}"));
    let target = model.target().unwrap_or("prediction").to_owned();
    let probabilities = model.predict_proba(&table)?;
    let rows = match (model.predict(&table)?, model.task()) {
        (Predicted::Values(values), _) => {
            match model.predict_intervals(&table)? {
                None => {
                    out.write_record([target]).map_err(failed)?;
                    values.iter().try_for_each(|value| out.serialize(value)).map_err(failed)?;
                }
                Some(ends) => {
                    out.write_record([&target, "lower", "upper"]).map_err(failed)?;
                    values.iter().zip(ends).try_for_each(|row| out.serialize(row)).map_err(failed)?;
                }
            }
            values.len()
        }
        (Predicted::Classes(classes), Some(Task::Classes(names))) => {
            let header = names.iter().filter(|_| probabilities.is_some()).map(|class| format!("probability_{class}"));
            out.write_record(std::iter::once(target).chain(header)).map_err(failed)?;
            for (row, class) in classes.iter().enumerate() {
                let p = probabilities.as_ref().map(|p| p.row(row).to_vec()).unwrap_or_default();
                out.serialize((class, p)).map_err(failed)?;
            }
            classes.len()
        }
        (Predicted::Classes(classes), _) => {
            out.write_record([target]).map_err(failed)?;
            classes.iter().try_for_each(|class| out.serialize(class)).map_err(failed)?;
            classes.len()
        }
    };
    let bytes = out.into_inner().map_err(|error| Failure::failed(format!("predictions: {error}")))?;
    Ok((bytes, rows))
}

/// `accuracy 0.9533` over the rows of a forest that was to score them.
pub(super) fn out_of_bag(model: &FittedPipeline) -> Option<String> {
    let name = if model.classes() > 0 { "accuracy" } else { "R²" };
    model.model().oob_score().map(|score| match score.is_finite() {
        true => format!("{name} {score:.4}"),
        false => format!("{name} not defined: too few trees leave a row out"),
    })
}

/// What each feature counts, as a table of outputs: a heading, and a value for each name.
pub(super) struct Weights {
    /// `coefficients of setosa`, `importances`.
    pub heading: String,
    /// Largest first.
    pub values: Vec<(String, f64)>,
}

/// Coefficients or importances of the model at the end of a pipeline, an entry for each output; none where it has none.
pub(super) fn weights(model: &FittedPipeline) -> Vec<Weights> {
    let names = names_of(&model.outputs());
    let sorted = |heading: String, values: Vec<f64>| {
        let mut values: Vec<(String, f64)> = names.iter().cloned().zip(values).collect();
        values.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        Weights { heading, values }
    };
    match model.model().influence() {
        None => Vec::new(),
        Some(Influence::Importances(values)) => vec![sorted("importances".into(), values)],
        Some(Influence::Coefficients(table)) => {
            let classes = match model.task() {
                Some(Task::Classes(names)) => names.as_slice(),
                _ => &[],
            };
            let heading = |output: usize| match (table.nrows(), classes) {
                (1, [_, second]) => format!("coefficients of {second}"),
                (1, _) => "coefficients".to_owned(),
                (n, classes) if n == classes.len() => format!("coefficients of {}", classes[output]),
                _ => format!("coefficients of output {output}"),
            };
            table.rows().into_iter().enumerate().map(|(i, row)| sorted(heading(i), row.to_vec())).collect()
        }
    }
}
