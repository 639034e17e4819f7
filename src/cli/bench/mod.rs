//! `tilework bench`: what the devices of this machine reach. A figure is printed only after its result was found right.

mod cases;
mod measure;

use super::failure::{Failure, Outcome};
use super::{input, say};
use crate::device::Device;
use crate::io::{check_writable, write_atomic};
use cases::{Case, cases};
use clap::Args;
use measure::{Timing, measure};
use serde::Serialize;
use std::path::PathBuf;

/// Measure matrix products, element-wise maths and training steps on every device of this machine.
///
/// Each case is first checked for right results, then warmed up, then timed at least seven times (three where a run takes
/// seconds). Printed are the median, half the distance between the quartiles as ±, and what the median amounts to.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BenchArgs {
    /// Measure this device only; may be given again for more [default: every device]
    #[arg(long, value_name = "DEVICE")]
    device: Vec<String>,
    /// Measure the cases whose name contains one of these, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Write the figures to this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  tilework bench
  tilework bench --device cpu --only matmul,train --json figures.json";

/// What `--json` writes.
#[derive(Serialize)]
struct Figures<'a> {
    version: &'a str,
    results: Vec<Measured<'a>>,
}

#[derive(Serialize)]
struct Measured<'a> {
    case: &'a str,
    device: Named,
    seconds: Timing,
    figure: Figure,
}

#[derive(Serialize)]
struct Named {
    kind: String,
    name: String,
}

#[derive(Serialize)]
struct Figure {
    value: f64,
    unit: &'static str,
}

pub(super) fn run(args: &BenchArgs) -> Outcome {
    let wanted = |case: &Case| args.only.is_empty() || args.only.iter().any(|part| case.name.contains(part.as_str()));
    let cases: Vec<Case> = cases().into_iter().filter(wanted).collect();
    if cases.is_empty() {
        return Err(Failure::usage(format!("--only {}: no case's name contains that", args.only.join(","))));
    }
    args.json.as_ref().map_or(Ok(()), check_writable)?;
    let devices = input::devices(&args.device)?;
    for (index, device) in devices.iter().enumerate() {
        say(format_args!("device {index}: {device}"))?;
    }
    let width = cases.iter().map(|case| case.name.len()).max().unwrap_or(0);
    say(format_args!("\n{:width$}  device  {:>9}     {:>4}  {:>10}", "case", "median", "±", "figure"))?;
    let mut results = Vec::new();
    let mut wrong = Vec::new();
    for case in &cases {
        for (index, device) in devices.iter().enumerate() {
            match timed(case, device)? {
                Ok(result) => {
                    let (Timing { median, .. }, Figure { value, unit }) = (&result.seconds, &result.figure);
                    let (time, spread) = (time(*median), 100.0 * result.seconds.spread());
                    let value = amount(*value);
                    say(format_args!(
                        "{:width$}  {index:>6}  {time:>12}  {spread:>3.0} %  {value:>10} {unit}",
                        case.name
                    ))?;
                    results.push(result);
                }
                Err(why) => {
                    say(format_args!("{:width$}  {index:>6}  WRONG: {why}", case.name))?;
                    wrong.push(format!("{} on {device}: {why}", case.name));
                }
            }
        }
    }
    if let Some(path) = &args.json {
        let figures = Figures { version: env!("CARGO_PKG_VERSION"), results };
        let text = serde_json::to_string_pretty(&figures).map_err(|e| Failure::failed(format!("figures: {e}")))?;
        write_atomic(path, |file| writeln!(file, "{text}"))?;
    }
    match wrong.first() {
        None => Ok(()),
        Some(first) => Err(Failure::failed(format!("bench: {} wrong; the first: {first}", wrong.len()))),
    }
}

/// The figure of a case on a device, or why its result is wrong.
fn timed<'a>(case: &'a Case, device: &Device) -> Outcome<Result<Measured<'a>, String>> {
    let mut ready = (case.prepare)(device)?;
    if let Err(why) = ready.check {
        return Ok(Err(why));
    }
    let seconds = measure(&mut ready.run, device)?;
    let figure = Figure { value: case.work / seconds.median, unit: case.unit };
    let device = Named { kind: device.kind().to_string(), name: device.name().to_string() };
    Ok(Ok(Measured { case: &case.name, device, seconds, figure }))
}

/// Three digits and the unit that fits.
fn time(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s "),
    };
    format!("{} {unit}", amount(value))
}

/// Three digits, or all of a larger whole part.
fn amount(value: f64) -> String {
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_amounts_have_three_digits() {
        assert_eq!([1.234e-5, 0.01234, 1.5, 123.0].map(time), ["12.3 µs", "12.3 ms", "1.50 s ", "123 s "]);
        assert_eq!([0.123, 45678.9].map(amount), ["0.12", "45679"]);
    }

    #[test]
    fn every_case_is_right_on_the_cpu() {
        for case in cases() {
            let ready = (case.prepare)(&Device::cpu()).unwrap();
            assert_eq!(ready.check, Ok(()), "{}", case.name);
        }
    }
}
