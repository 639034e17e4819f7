//! `tilework evaluate`: a model file and rows with answers in, scores out.

use super::super::failure::Outcome;
use super::super::{input, note, say};
use super::fitted::on_table;
use super::page::Page;
use super::parts::read;
use super::scored::Scored;
use super::warnings::as_facts;
use super::{Loaded, json, load};
use crate::data::Dataset;
use crate::device::Device;
use crate::io::{check_writable, write_atomic};
use crate::models::FittedMlp;
use clap::Args;
use serde_json::json as value;
use std::path::PathBuf;

/// Score a model file on rows whose answers are known.
///
/// Prints accuracy, log loss and what else applies, with precision and recall of each class; for numbers R² and the errors.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EvaluateArgs {
    /// The model file that `tilework train` wrote
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// A table (CSV, .npz, .parquet or .arrow) with the columns that the model was trained on, and the target; or `digits`
    #[arg(value_name = "DATA")]
    data: PathBuf,
    /// Write a page with scores and charts
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Write each chart as SVG and PNG into this folder, which exists
    #[arg(long, value_name = "FOLDER")]
    charts: Option<PathBuf>,
    /// Where to run a network, a forest or boosting; other models run on the CPU: auto, cpu, gpu, an index or part of a name of `tilework devices`
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,
    /// Print one JSON object on standard output, nothing else
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  tilework evaluate --model iris.tree.safetensors new.csv
  tilework evaluate --model iris.tree.safetensors new.csv --report iris.html
  tilework evaluate --model iris.tree.safetensors new.csv --charts .
  tilework evaluate --model iris.tree.safetensors new.csv --json | jq .metrics";

pub(crate) fn run(args: &EvaluateArgs) -> Outcome {
    if let Some(report) = &args.report {
        input::apart("--report", report, &[&args.data, &args.model])?;
        check_writable(report)?;
    }
    if let Some(folder) = &args.charts {
        check_writable(folder.join("confusion.svg"))?;
    }
    let (kind, scored) = match load(&args.model)? {
        Loaded::Pipeline(model) => {
            let kind = model.settings().model.clone();
            let (model, frame) = on_table(*model, &args.data, &args.device)?;
            (kind, Scored::of(&model, &frame)?)
        }
        Loaded::Network(archive) => {
            let device = Device::open(&args.device)?;
            let model = FittedMlp::of_archive(&archive, &device)?;
            note(format_args!("device: {device}: {}", device.reason()));
            let data = Dataset::matching(&read(&args.data, &model.schema().read_options())?, model.schema())?;
            ("mlp".to_owned(), Scored::of_network(&model, &data)?)
        }
    };
    if let Some(path) = &args.report {
        let mut page = Page::new(&kind, &args.data.display().to_string());
        page.scores(&scored, "evaluation")?;
        let html = page.html();
        write_atomic(path, |file| file.write_all(html.as_bytes()))?;
    }
    if let Some(folder) = &args.charts {
        for chart in scored.charts()? {
            let file = |ending: &str| folder.join(format!("{}.{ending}", chart.title.to_lowercase().replace(' ', "-")));
            let (svg, png) = (chart.svg()?, chart.png()?);
            write_atomic(file("svg"), |file| file.write_all(svg.as_bytes()))?;
            write_atomic(file("png"), |file| file.write_all(&png))?;
        }
    }
    if args.json {
        let summary = value!({
            "model": kind,
            "data": args.data.display().to_string(),
            "rows": scored.rows(),
            "metrics": scored.json(),
        });
        return say(json(&summary)?);
    }
    say(scored.line(&kind))?;
    match (scored.report()?, scored.mistakes()?) {
        (Some(report), Some(mistakes)) => say(format_args!("\n{report}\n{mistakes}"))?,
        _ => {
            for (name, value) in &scored.metrics {
                say(format_args!("{name:>18}  {}", super::super::score::short(*value)))?;
            }
        }
    }
    args.report.as_ref().map_or(Ok(()), |path| say(format_args!("report: {}", path.display())))
}

/// The report of the network that `train --model mlp` has fitted.
pub(crate) fn network_page(
    model: &FittedMlp,
    scored: &Scored,
    (data, line): (&str, &str),
    seconds: f64,
    warning: Option<String>,
) -> Outcome<String> {
    let mut page = Page::new("mlp", data);
    let settings = match serde_json::to_value(model.settings()) {
        Ok(serde_json::Value::Object(settings)) => settings,
        _ => serde_json::Map::new(),
    };
    page.facts(line, &[], &settings, seconds, &as_facts(warning));
    page.scores(scored, "test")?;
    Ok(page.html())
}
