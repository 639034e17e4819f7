//! The `tilework` command: trains, predicts, and says what the devices of a machine can do.
//!
//! Results go to standard output; progress and notes go to standard error. A failure is one line there that begins with
//! `error:`. Exit codes: 0 done, 1 failed, 2 the command line is wrong.

mod bar;
mod bench;
mod chart;
mod columns;
mod devices;
mod doctor;
mod failure;
mod input;
mod models;
mod plot;
mod predict;
mod score;
mod train;
mod values;

use clap::{Parser, Subcommand};
use failure::{Failure, Outcome};
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Tensors and learning on any GPU, and on the CPU.
#[derive(Parser)]
#[command(name = "tilework", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  tilework train digits                        train a network on 1,797 handwritten digits
  tilework train iris.csv --out iris.model     train on a table of your own
  tilework train iris.csv --model forest       a random forest; --help lists the models
  tilework compare iris.csv                    every model on one table, best first
  tilework predict --model iris.model new.csv  predict with it
  tilework evaluate --model iris.model new.csv score it where the answers are known
  tilework explain --model iris.model          what it goes by
  tilework devices                             what there is to run on
  tilework doctor                              whether every operation is right here

TILEWORK_DEVICE chooses the device where --device does not: cpu, gpu, an index or part of a name.
Exit codes: 0 done, 1 failed, 2 the command line is wrong.";

#[derive(Subcommand)]
enum Command {
    Train(Box<train::TrainArgs>),
    Predict(predict::PredictArgs),
    Evaluate(models::EvaluateArgs),
    Explain(models::ExplainArgs),
    Compare(models::CompareArgs),
    /// List the devices of this machine, and which one `auto` takes.
    Devices,
    Doctor(doctor::DoctorArgs),
    Bench(bench::BenchArgs),
}

/// Runs the command with the arguments of this process.
pub fn main() -> ExitCode {
    let done = Cli::try_parse().map_err(Failure::from).and_then(|cli| match cli.command {
        Command::Train(args) => train::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Evaluate(args) => models::evaluate(&args),
        Command::Explain(args) => models::explain(&args),
        Command::Compare(args) => models::compare(&args),
        Command::Devices => devices::run(),
        Command::Doctor(args) => doctor::run(&args),
        Command::Bench(args) => bench::run(&args),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Writes a line to standard output.
fn say(line: impl Display) -> Outcome {
    write_out(format!("{line}\n").as_bytes())
}

fn write_out(bytes: &[u8]) -> Outcome {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::output)
}

/// Writes a line to standard error. One that nobody can read is no reason to stop.
fn note(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// `1 row`, `2 rows`.
fn count(number: usize, noun: &str) -> String {
    let mut digits = number.to_string();
    let mut at = digits.len();
    while at > 3 {
        at -= 3;
        digits.insert(at, ',');
    }
    format!("{digits} {noun}{}", if number == 1 { "" } else { "s" })
}
