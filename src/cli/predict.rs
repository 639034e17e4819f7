//! `tilework predict`: a model file and new rows in, predictions out.

use super::failure::{Failure, Outcome};
use super::models::{self, Loaded};
use super::{count, input, note, write_out};
use crate::data::{Schema, Task};
use crate::device::Device;
use crate::io::{check_writable, write_atomic};
use crate::models::FittedMlp;
use clap::Args;
use std::path::PathBuf;

/// Predict the target of new rows with a model file.
///
/// Columns are matched by name, in any order; the target column, and those that `train` left out, may be there and are passed over. For classes the result
/// has the class and the probability of each; for numbers, the number. Rows keep their order.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct PredictArgs {
    /// The model file that `tilework train` wrote
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// A table (CSV, .npz, .parquet or .arrow) with the columns that the model was trained on; or `digits`
    #[arg(value_name = "DATA")]
    data: PathBuf,
    /// Where predictions go; the file appears whole or not at all [default: standard output]
    #[arg(long, value_name = "FILE.csv")]
    out: Option<PathBuf>,
    /// Where to run a network, a forest or boosting; other models run on the CPU: auto, cpu, gpu, an index or part of a name of
    /// `tilework devices`
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,
}

const EXAMPLES: &str = "\
Examples:
  tilework predict --model iris.mlp.safetensors new.csv
  tilework predict --model houses.boosting.safetensors new.csv
  tilework predict --model iris.mlp.safetensors new.csv --out species.csv";

pub(super) fn run(args: &PredictArgs) -> Outcome {
    if let Some(out) = &args.out {
        input::apart("--out", out, &[&args.data, &args.model])?;
        check_writable(out)?;
    }
    let (text, rows) = match models::load(&args.model)? {
        Loaded::Pipeline(model) => models::predictions(*model, &args.data, &args.device)?,
        Loaded::Network(archive) => {
            let named = (args.device != "auto").then(|| Device::open(&args.device)).transpose()?;
            let mut model = FittedMlp::of_archive(&archive, named.as_ref().unwrap_or(&Device::cpu()))?;
            let table = models::read(&args.data, &model.schema().read_options())?;
            let features = model.schema().features_of(&table)?;
            let device = named.unwrap_or_else(|| Device::auto_for(&model.work(table.rows())));
            if *model.device() != device {
                model = FittedMlp::of_archive(&archive, &device)?; // it was made to learn how much there is to do
            }
            predictions(&model, &features)?
        }
    };
    match &args.out {
        None => write_out(&text),
        Some(out) => {
            write_atomic(out, |file| file.write_all(&text))?;
            note(format_args!("{}: {}", out.display(), count(rows, "prediction")));
            Ok(())
        }
    }
}

/// CSV, and the number of its rows.
fn predictions(model: &FittedMlp, features: &[f32]) -> Outcome<(Vec<u8>, usize)> {
    let Schema { target, task, .. } = model.schema();
    let mut out = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Failure::failed(format!("predictions: {error}"));
    let rows = match task {
        Task::Regression => {
            out.write_record([target]).map_err(failed)?;
            let values = model.predict_values(features)?;
            values.iter().try_for_each(|value| out.serialize(value)).map_err(failed)?;
            values.len()
        }
        Task::Classes(classes) => {
            let header = classes.iter().map(|class| format!("probability_{class}"));
            out.write_record(std::iter::once(target.clone()).chain(header)).map_err(failed)?;
            let labels = model.predict(features)?;
            let probabilities = model.predict_proba(features)?;
            for (&label, row) in labels.iter().zip(probabilities.chunks(classes.len().max(1))) {
                let class = classes.get(label as usize).map_or("", String::as_str);
                out.serialize((class, row)).map_err(failed)?;
            }
            labels.len()
        }
    };
    let bytes = out.into_inner().map_err(|error| Failure::failed(format!("predictions: {error}")))?;
    Ok((bytes, rows))
}
