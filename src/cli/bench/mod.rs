//! `tilework bench`: what the devices of this machine reach. A figure is printed only after its result was found right.

mod cases;
mod chart;
mod growth;
mod learner;
mod measure;
mod report;
mod startup;

use super::bar::{is_terminal, styled};
use super::failure::{Failure, Outcome};
use super::{input, note, say};
use crate::device::Device;
use crate::io::{check_writable, write_atomic};
use cases::{Case, Unit, cases};
use chart::{Curve, Panel, draw};
use clap::Args;
use growth::growths;
use indicatif::ProgressBar;
use measure::Effort;
use report::{Described, HEADER, Measured, Report};
use std::path::{Path, PathBuf};

/// Measure matrix products, element-wise maths, reductions and training steps on every device of this machine.
///
/// Each case is first checked: all of its output against the CPU's, and parts of it against f64. Then come the upload, the
/// first call (which plans and compiles), the steady state (median of at least seven samples, three where a run takes long; ±
/// is half the distance between the quartiles), and the read back. The limit is what the device itself does at most: a copy
/// between two long arrays, or multiply-adds on registers alone; above 100 % is work within caches.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BenchArgs {
    /// Measure this device only; may be given again for more [default: every device]
    #[arg(long, value_name = "DEVICE")]
    device: Vec<String>,
    /// Measure the cases whose kind or name contains one of these, separated by commas: matmul, elementwise, reduce, rows,
    /// train [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Measure more and larger sizes, each longer: some minutes
    #[arg(long)]
    full: bool,
    /// Write the figures to this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write figures and summary as a table to this file, too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Draw the rate of each workload over its size
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Measure how long a new process takes to its first results instead, without caches and with
    #[arg(long, conflicts_with_all = ["only", "full", "json", "markdown", "plot", "growth"])]
    startup: bool,
    /// Measure how the cost of a training step and of a graph grows with its size instead
    #[arg(long, conflicts_with_all = ["only", "full", "json", "markdown"])]
    growth: bool,
    #[arg(long, hide = true)]
    first_results: bool,
}

const EXAMPLES: &str = "\
Examples:
  tilework bench
  tilework bench --device cpu --only matmul,train --json figures.json
  tilework bench --full --markdown figures.md --plot rates.svg
  tilework bench --startup
  tilework bench --growth --plot growth.svg";

pub(super) fn run(args: &BenchArgs) -> Outcome {
    if args.first_results {
        return startup::first_results(args.device.first().map_or("auto", String::as_str));
    }
    [&args.json, &args.markdown, &args.plot].into_iter().flatten().try_for_each(check_writable)?;
    let effort = if args.full { Effort::Full } else { Effort::Quick };
    let wanted = |case: &Case| {
        args.only.is_empty() || args.only.iter().any(|part| case.group == part || case.name.contains(part.as_str()))
    };
    let cases: Vec<Case> = cases(effort).into_iter().filter(wanted).collect();
    if cases.is_empty() {
        return Err(Failure::usage(format!("--only {}: no case's name contains that", args.only.join(","))));
    }
    let devices = input::devices(&args.device)?;
    if args.startup {
        return startup::run(&devices);
    }
    if args.growth {
        return grow(&devices, args.plot.as_deref());
    }
    let (report, wrong) = figures(&cases, &devices, effort)?;
    for line in report.crossovers().into_iter().chain(report.choice()) {
        say(line)?;
    }
    say(format_args!("\n{}", report.summary()))?;
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&report).map_err(|e| Failure::failed(format!("figures: {e}")))?;
        save(path, &(text + "\n"))?;
    }
    if let Some(path) = &args.markdown {
        save(path, &report.markdown())?;
    }
    if let Some(path) = &args.plot {
        save(path, &plot(&report, &cases)?)?;
    }
    match wrong.first() {
        None => Ok(()),
        Some(first) => Err(Failure::failed(format!("bench: {} wrong; the first: {first}", wrong.len()))),
    }
}

/// Measures all cases on all devices, a row each as it comes; and what was wrong.
fn figures(cases: &[Case], devices: &[Device], effort: Effort) -> Outcome<(Report, Vec<String>)> {
    let mut described = Vec::new();
    for (index, device) in devices.iter().enumerate() {
        let limits = Described::new(device, &device.limits()?);
        say(format_args!("device {index}: {}", limits.line()))?;
        described.push(limits);
    }
    say("")?;
    let width = cases.iter().map(|case| case.name.chars().count()).max().unwrap_or(0);
    let row = |cells: [&str; 9]| {
        let [case, device, upload, first, steady, spread, back, rate, share] = cells;
        format!(
            "{case:width$}  {device:>6}  {upload:>8}  {first:>10}  {steady:>8}  {spread:>4}  {back:>9}  {rate:>17}  {share:>8}"
        )
    };
    say(row(HEADER))?;
    let mut report = Report { version: env!("CARGO_PKG_VERSION"), devices: described, results: Vec::new() };
    let mut wrong = Vec::new();
    let bar = progress(cases.len() * devices.len());
    for case in cases {
        let auto = Device::auto_for(&case.work);
        for (index, device) in devices.iter().enumerate() {
            bar.set_message(format!("{} on {device}", case.name));
            let measured = case.measure(device, effort)?;
            bar.inc(1);
            let line = match measured {
                Ok(stages) => {
                    let Some(described) = report.devices.get(index) else { continue };
                    let measured = Measured::new(case, index, described, stages, auto == *device);
                    let cells = measured.cells();
                    report.results.push(measured);
                    row(cells.each_ref().map(String::as_str))
                }
                Err(why) => {
                    wrong.push(format!("{} on {device}: {why}", case.name));
                    format!("{:width$}  {index:>6}  WRONG: {why}", case.name)
                }
            };
            bar.suspend(|| say(line))?;
        }
    }
    bar.finish_and_clear();
    say("")?;
    Ok((report, wrong))
}

/// A bar in a terminal. Elsewhere the rows are progress enough.
fn progress(steps: usize) -> ProgressBar {
    let bar = if is_terminal() { styled(" {wide_bar}  {msg}  {eta} left ") } else { ProgressBar::hidden() };
    bar.set_length(steps as u64);
    bar
}

/// A panel a family: rate over size, a line a device, with its limit.
fn plot(report: &Report, cases: &[Case]) -> Outcome<String> {
    let mut panels: Vec<Panel> = Vec::new();
    for case in cases {
        if panels.iter().any(|panel| panel.title == case.family) {
            continue;
        }
        let mut panel = Panel { title: case.family.into(), x: case.axis, y: String::new(), curves: Vec::new() };
        for (color, device) in report.devices.iter().enumerate() {
            let mut of = report.results.iter().filter(|r| r.family == case.family && r.device == color);
            let points: Vec<(f64, f64)> = of.clone().map(|r| (r.size as f64, r.figure.value)).collect();
            panel.y = of.next_back().map_or(panel.y, |r| r.figure.unit.to_string());
            let limit = match case.unit {
                Unit::Flops => Some(device.arithmetic_gflops),
                Unit::Bytes => Some(device.copy_gb_per_second),
                Unit::Samples => None,
            };
            if let (Some(first), Some(last), Some(limit)) = (points.first(), points.last(), limit) {
                let points = vec![(first.0, limit), (last.0, limit)];
                panel.curves.push(Curve { color, points, dashed: true });
            }
            panel.curves.push(Curve { color, points, dashed: false });
        }
        panels.push(panel);
    }
    draw(
        "Rate over size; broken lines: what the device does at most",
        &report.devices.iter().map(Described::label).collect::<Vec<_>>(),
        &panels,
    )
}

/// How cost grows, a line a curve, and a panel each.
fn grow(devices: &[Device], file: Option<&Path>) -> Outcome {
    let mut panels = Vec::new();
    for growth in growths() {
        let mut curves = Vec::new();
        for (color, device) in devices.iter().enumerate() {
            if is_terminal() {
                note(format_args!("measuring {} on {device}", growth.title));
            }
            let curve = growth.measure(device, color)?;
            say(format_args!("{device}: {}", growth.line(&curve)))?;
            curves.push(curve);
        }
        panels.push(growth.panel(curves));
    }
    let name = |device: &Device| format!("{device}{}", if device.is_software() { ", software" } else { "" });
    match file {
        Some(file) => save(file, &draw("How cost grows", &devices.iter().map(name).collect::<Vec<_>>(), &panels)?),
        None => Ok(()),
    }
}

fn save(path: &Path, text: &str) -> Outcome {
    Ok(write_atomic(path, |file| file.write_all(text.as_bytes()))?)
}
