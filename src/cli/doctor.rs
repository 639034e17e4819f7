//! `tilework doctor`: whether every operation is right on the devices of this machine.

use super::bar::{is_terminal, seconds, styled};
use super::failure::{Failure, Outcome};
use super::{count, input, note, say};
use crate::autograd::{Report, verify};
use crate::device::Device;
use crate::ops::table::{OpInfo, ops};
use clap::Args;
use indicatif::ProgressBar;
use std::fmt::Write;
use std::time::Instant;

/// Check every operation, forward and backward, on every device of this machine.
///
/// Results are compared with a reference in 64-bit arithmetic, gradients with central differences of it. `worst` is the
/// largest error as a share of what is allowed: up to 100 % is right. Exits with 1 when anything is out of bounds.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DoctorArgs {
    /// Check this device only; may be given again for more [default: every device]
    #[arg(long, value_name = "DEVICE")]
    device: Vec<String>,
    /// Check the operations whose name contains one of these, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    ops: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  tilework doctor
  tilework doctor --device gpu --ops matmul,softmax";

pub(super) fn run(args: &DoctorArgs) -> Outcome {
    let began = Instant::now();
    let wanted = |op: &OpInfo| args.ops.is_empty() || args.ops.iter().any(|part| op.name.contains(part.as_str()));
    let ops: Vec<OpInfo> = ops().into_iter().filter(wanted).collect();
    if ops.is_empty() {
        return Err(Failure::usage(format!("--ops {}: no operation's name contains that", args.ops.join(","))));
    }
    let devices = input::devices(&args.device)?;
    for (index, device) in devices.iter().enumerate() {
        say(format_args!("device {index}: {device}"))?;
    }
    let width = ops.iter().map(|op| op.name.len()).max().unwrap_or(0);
    let mut header = format!("\n{:width$}", "operation");
    for index in 0..devices.len() {
        let _ = write!(header, "  {:>11}  {:>7}      ", format!("{index}: checks"), "worst"); // into a String
    }
    say(header.trim_end())?;

    let bar = is_terminal()
        .then(|| styled(" {msg}  {wide_bar}  {pos}/{len} "))
        .inspect(|bar| bar.set_length(ops.len() as u64));
    let mut all: Vec<Report> = Vec::new();
    for op in &ops {
        if let Some(bar) = &bar {
            bar.set_message(op.name);
        }
        let reports = verify(op, &devices);
        let row = row(op.name, width, &reports);
        all.extend(reports);
        match &bar {
            Some(bar) => bar.suspend(|| say(row))?,
            None => say(row)?,
        }
        bar.iter().for_each(|bar| bar.inc(1));
    }
    bar.iter().for_each(ProgressBar::finish_and_clear);
    sum_up(&devices, &all, began)
}

/// `softmax   124    43.1 %  ok   124    51.0 %  FAIL`.
fn row(name: &str, width: usize, reports: &[Report]) -> String {
    let mut row = format!("{name:width$}");
    for report in reports {
        let verdict = if report.passed() { "ok" } else { "FAIL" };
        let _ = write!(row, "  {:>11}  {:>7}  {verdict:4}", report.comparisons, share(report.worst)); // into a String
    }
    row.trim_end().to_string()
}

/// An error in percent of what is allowed.
fn share(worst: f64) -> String {
    match worst {
        _ if worst.is_infinite() => "inf".to_string(),
        _ if worst >= 1e4 => format!("{worst:.0e}×"),
        _ => format!("{:.1} %", 100.0 * worst),
    }
}

fn sum_up(devices: &[Device], reports: &[Report], began: Instant) -> Outcome {
    say("")?;
    for device in devices {
        let own = || reports.iter().filter(|report| report.device == *device);
        let comparisons = own().map(|report| report.comparisons).sum();
        let elements = own().map(|report| report.elements).sum();
        let faulty = own().filter(|report| !report.passed()).count();
        let worst = own().max_by(|a, b| a.worst.total_cmp(&b.worst));
        let worst = worst.map_or_else(String::new, |worst| {
            format!("; worst {} of its bound: {} {}", share(worst.worst), worst.op, worst.worst_at)
        });
        let verdict = if faulty == 0 {
            "all within bounds".to_string()
        } else {
            format!("{} OUT OF BOUNDS", count(faulty, "operation"))
        };
        let (operations, comparisons) = (count(own().count(), "operation"), count(comparisons, "comparison"));
        say(format_args!("{device}: {operations}, {comparisons} of {}: {verdict}{worst}", count(elements, "element")))?;
    }
    let failures: Vec<&str> = reports.iter().filter_map(|report| report.failure.as_deref()).collect();
    failures.iter().try_for_each(|failure| say(format_args!("FAIL {failure}")))?;
    note(format_args!("checked in {}", seconds(began.elapsed().as_secs_f64())));
    match failures.first() {
        None => Ok(()),
        Some(first) => Err(Failure::failed(format!("doctor: {} out of bounds; the first: {first}", failures.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(worst: f64, failure: Option<&str>) -> Report {
        Report {
            op: "softmax",
            device: Device::cpu(),
            comparisons: 124,
            elements: 4000,
            worst,
            worst_at: "[2, 3]".into(),
            faults: usize::from(failure.is_some()),
            failure: failure.map(str::to_string),
        }
    }

    #[test]
    fn one_report_out_of_bounds_fails_the_whole() {
        let (good, bad) = (report(0.43, None), report(f64::INFINITY, Some("softmax on cpu: [2, 3]: element 1 is NaN")));
        assert_eq!(
            row("softmax", 9, &[good.clone(), bad.clone()]),
            "softmax            124   43.0 %  ok            124      inf  FAIL"
        );
        assert!(sum_up(&[Device::cpu()], std::slice::from_ref(&good), Instant::now()).is_ok());
        let failed = sum_up(&[Device::cpu()], &[good, bad], Instant::now());
        assert!(
            matches!(failed, Err(Failure::Failed(text)) if text.starts_with("doctor: 1 out of bounds; the first: softmax on cpu"))
        );
    }
}
