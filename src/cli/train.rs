//! `tilework train`: data in, a model file and its test score out.

use super::bar::Bar;
use super::columns::ColumnArgs;
use super::failure::{Failure, Outcome};
use super::input::{self, Columns};
use super::models::{self, ModelArgs, Scored};
use super::{note, plot, say, values};
use crate::data::{Schema, Target, Task};
use crate::device::Device;
use crate::io::{check_writable, write_atomic};
use crate::models::{FittedMlp, Mlp};
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Train a model on a table or on the embedded digits, and score it on rows that it has not seen.
///
/// A CSV file has a header row; a .npz file has arrays of as many rows each, those of several columns first; .parquet, .arrow,
/// .feather and .ipc are read where the program was built with the feature `parquet`. The last column is the target unless
/// --target names another. A target of text is a class, and so is one of integers, unless --regression is given or the model
/// predicts numbers alone; any other is a number to regress on.
/// All other columns are features. For `mlp` they must be numbers without gaps; for all other models missing cells are filled in, columns
/// scaled where the model needs it and text encoded, each step said in a line. The model file remembers how.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TrainArgs {
    /// A table (CSV, .npz, .parquet or .arrow), or `digits`: 1,797 handwritten digits that are part of this program
    data: PathBuf,
    /// Rows to score on, with the same columns; without it a fifth of DATA is held out
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// The column to predict [default: the file's last, whatever --columns says; of those that --drop leaves, the last]
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    #[command(flatten)]
    columns: ColumnArgs,
    /// Take a target of integers as numbers to regress on, not as classes
    #[arg(long)]
    regression: bool,
    /// What to train: linear, ridge, lasso, elastic-net, logistic, linear-svc, svc, svr, tree, forest, extra-trees, boosting,
    /// knn, naive-bayes, mlp, or a model by its full name
    #[arg(long, value_name = "MODEL", default_value = "mlp")]
    model: String,
    #[command(flatten)]
    classical: ModelArgs,
    /// Units of the hidden layers, for example 64,32 [default: 128]
    #[arg(long, value_name = "UNITS", value_delimiter = ',', value_parser = values::at_least_one, allow_negative_numbers = true)]
    hidden: Option<Vec<usize>>,
    /// Passes over the data, those of a resumed file included [default: 50]
    #[arg(long, value_name = "N", value_parser = values::at_least_one, allow_negative_numbers = true)]
    epochs: Option<usize>,
    /// Rows of a step [default: 32]
    #[arg(long, value_name = "N", value_parser = values::at_least_one, allow_negative_numbers = true)]
    batch_size: Option<usize>,
    /// Adam's learning rate [default: 0.001]
    #[arg(long, value_name = "X", value_parser = values::positive, allow_negative_numbers = true)]
    lr: Option<f64>,
    /// The share of the rows to learn from that is held out to watch the training [default: none]
    #[arg(long, value_name = "SHARE", value_parser = values::share, allow_negative_numbers = true)]
    validation: Option<f64>,
    /// Where to run: auto, cpu, gpu, an index or part of a name of `tilework devices`
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,
    /// Of start weights, shuffles and splits; the same seed gives the same model, bit for bit [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Where the model goes [default: NAME.mlp.safetensors in the current folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Go on with this model file, up to --epochs in all, as if it had never stopped
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Write a page with scores, charts and what the model goes by
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Draw loss and accuracy of all epochs
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Print one JSON object on standard output, nothing else
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  tilework train digits
  tilework train iris.csv --target species --hidden 16 --epochs 200 --out iris.safetensors
  tilework train train.csv --test test.csv --validation 0.1 --plot curves.svg
  tilework train houses.csv --target price --regression --drop id,street
  tilework train houses.csv --target price --model ridge --search alpha=0.1,1,10 --cv 5 --report houses.html
  tilework train clicks.csv --model logistic --stream --set batches.epochs=3
  tilework train iris.csv --model forest --set n_estimators=300
  tilework train fraud.csv --model logistic --balance smote --threshold tuned
  tilework train digits --epochs 100 --resume digits.mlp.safetensors
  tilework train digits --json --seed 1 --device cpu | jq .metrics.accuracy";

/// What `--json` prints.
#[derive(Serialize)]
struct Summary<'a> {
    model: &'a str,
    data: String,
    device: DeviceSummary<'a>,
    rows: Rows,
    parameters: usize,
    epochs: usize,
    steps: u64,
    seed: u64,
    seconds: Seconds,
    metrics: Value,
    converged: bool,
    out: String,
}

#[derive(Serialize)]
struct DeviceSummary<'a> {
    kind: String,
    name: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct Rows {
    train: usize,
    test: usize,
}

#[derive(Serialize)]
struct Seconds {
    fit: f64,
    total: f64,
}

pub(super) fn run(args: &TrainArgs) -> Outcome {
    let mlp = models::is_mlp(&args.model);
    if let Some(option) = if mlp { args.classical.given() } else { args.network() } {
        let whose = if mlp { "of all models but mlp" } else { "of mlp alone" };
        let other = match (mlp, option) {
            (true, "--stream") => ", such as logistic or ridge".to_owned(),
            (true, _) => format!(", such as --model {}, which prepare columns by themselves", input::PREPARING),
            (false, _) => String::new(),
        };
        let text = format!("{option} is an option {whose}; leave it out, or choose another --model{other}");
        return Err(Failure::usage(text));
    }
    if mlp {
        return network(args);
    }
    let common = models::Common {
        model: &args.model,
        data: &args.data,
        test: args.test.as_deref(),
        target: args.target.as_deref(),
        columns: &args.columns,
        regression: args.regression,
        device: &args.device,
        seed: args.seed,
        out: args.out.as_deref(),
        report: args.report.as_deref(),
        json: args.json,
    };
    models::train(&common, &args.classical)
}

impl TrainArgs {
    /// The first option of the network that was given.
    fn network(&self) -> Option<&'static str> {
        let given = [
            ("--hidden", self.hidden.is_some()),
            ("--epochs", self.epochs.is_some()),
            ("--batch-size", self.batch_size.is_some()),
            ("--lr", self.lr.is_some()),
            ("--validation", self.validation.is_some()),
            ("--resume", self.resume.is_some()),
            ("--plot", self.plot.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }
}

fn network(args: &TrainArgs) -> Outcome {
    let began = Instant::now();
    let before = args.resume.as_ref().map(|file| Before::read(file, args)).transpose()?;
    let settings = match &before {
        None => settings(args),
        Some(before) => before.settings.clone(),
    };
    let columns = match &before {
        Some(before) => Columns::Known(&before.schema),
        None if args.regression => Columns::Numbers(args.target.as_deref()),
        None => Columns::Target(args.target.as_deref()),
    };
    let out = args.out.clone().unwrap_or_else(|| input::beside(&args.data, ".mlp.safetensors"));
    outputs(args, &out)?;
    let named = (args.device != "auto").then(|| Device::open(&args.device)).transpose()?;
    let parts = input::parts(&args.data, args.test.as_deref(), (&columns, &args.columns), settings.seed)?;

    let device = named.unwrap_or_else(|| Device::auto_for(&settings.work(&parts.train)));
    note(format_args!("device: {device}: {}", device.reason()));
    note(format_args!("data: {}", parts.line));
    let target = &parts.train.schema().target;
    match parts.train.target() {
        Target::Values(values) => input::constant(target, values).iter().for_each(note),
        Target::Labels(_) => {}
    }
    parts.integers.iter().for_each(note);
    let mut bar = Bar::new();
    let fit = Instant::now();
    let model = match &args.resume {
        None => settings.fit(&parts.train, &device, &mut bar)?,
        Some(file) => settings.resume(file, &parts.train, &device, &mut bar)?,
    };
    let fit = fit.elapsed().as_secs_f64();
    drop(bar);
    let warning = models::of_network(&model, &out);
    warning.iter().for_each(note);

    let scored = Scored::of_network(&model, &parts.test)?;
    let drawing =
        args.plot.as_ref().map(|_| plot::draw(model.history(), &args.data.display().to_string())).transpose()?;
    model.save(&out)?;
    if let (Some(path), Some(drawing)) = (&args.plot, drawing) {
        write_atomic(path, |file| file.write_all(drawing.as_bytes()))?;
    }
    if let Some(path) = &args.report {
        let data = args.data.display().to_string();
        let html = models::network_page(&model, &scored, (&data, &parts.line), fit, warning)?;
        write_atomic(path, |file| file.write_all(html.as_bytes()))?;
    }
    if args.json {
        let summary = Summary {
            model: &args.model,
            data: args.data.display().to_string(),
            device: DeviceSummary { kind: device.kind().to_string(), name: device.name(), reason: device.reason() },
            rows: Rows { train: parts.train.rows(), test: parts.test.rows() },
            parameters: model.parameters(),
            epochs: model.history().epochs.len(),
            steps: model.steps(),
            seed: settings.seed,
            seconds: Seconds { fit, total: began.elapsed().as_secs_f64() },
            metrics: scored.json(),
            converged: model.converged(),
            out: out.display().to_string(),
        };
        return say(serde_json::to_string(&summary).map_err(|e| Failure::failed(format!("summary: {e}")))?);
    }
    say(scored.line("test"))?;
    if let Some(mistakes) = scored.mistakes()? {
        say(format_args!("\n{mistakes}"))?;
    }
    say(format_args!("model: {}", out.display()))?;
    args.report.as_ref().map_or(Ok(()), |path| say(format_args!("report: {}", path.display())))?;
    args.plot.as_ref().map_or(Ok(()), |path| say(format_args!("curves: {}", path.display())))
}

fn settings(args: &TrainArgs) -> Mlp {
    let default = Mlp::default();
    Mlp {
        hidden: args.hidden.clone().unwrap_or(default.hidden),
        epochs: args.epochs.unwrap_or(default.epochs),
        batch_size: args.batch_size.unwrap_or(default.batch_size),
        learning_rate: args.lr.unwrap_or(default.learning_rate),
        validation: args.validation.unwrap_or(default.validation),
        seed: args.seed.unwrap_or(default.seed),
        ..default
    }
}

/// What the file to go on with says.
struct Before {
    settings: Mlp,
    schema: Schema,
}

impl Before {
    /// Reads it. Options must say what the file says, or nothing: a run that went on otherwise would not be that run.
    fn read(file: &Path, args: &TrainArgs) -> Outcome<Before> {
        let model = FittedMlp::load(file, &Device::cpu())?;
        let (settings, schema) = (model.settings().clone(), model.schema().clone());
        fn agrees<T: PartialEq + Debug>(file: &Path, option: &str, given: &Option<T>, before: &T) -> Outcome {
            match given {
                Some(given) if given != before => Err(Failure::usage(format!(
                    "{option} {given:?}: {} was trained with {before:?}; a resumed run keeps it, leave {option} out",
                    file.display()
                ))),
                _ => Ok(()),
            }
        }
        agrees(file, "--hidden", &args.hidden, &settings.hidden)?;
        agrees(file, "--batch-size", &args.batch_size, &settings.batch_size)?;
        agrees(file, "--lr", &args.lr, &settings.learning_rate)?;
        agrees(file, "--validation", &args.validation, &settings.validation)?;
        agrees(file, "--seed", &args.seed, &settings.seed)?;
        agrees(file, "--target", &args.target, &schema.target)?;
        agrees(file, "--regression", &args.regression.then_some(true), &(schema.task == Task::Regression))?;
        let (done, epochs) = (model.history().epochs.len(), args.epochs.unwrap_or(settings.epochs));
        if epochs <= done {
            return Err(Failure::usage(format!(
                "{} has {done} epochs and was asked for {epochs} in all; give more by --epochs",
                file.display()
            )));
        }
        Ok(Before { settings: Mlp { epochs, ..settings }, schema })
    }
}

/// Whether results will have somewhere to go, asked before the work.
fn outputs(args: &TrainArgs, out: &Path) -> Outcome {
    let mut inputs = vec![args.data.as_path()];
    inputs.extend(args.test.as_deref());
    input::apart("--out", out, &inputs)?;
    check_writable(out)?;
    inputs.extend(args.resume.as_deref());
    for (option, path) in [("--plot", &args.plot), ("--report", &args.report)] {
        let Some(path) = path else { continue };
        if path == out {
            let text = format!("{option} {} is where the model goes; name another file", path.display());
            return Err(Failure::usage(text));
        }
        input::apart(option, path, &inputs)?;
        check_writable(path)?;
    }
    Ok(())
}
