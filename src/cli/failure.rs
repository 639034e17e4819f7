//! Why a command ends early: one line on standard error, and the exit code.

use super::note;
use crate::error::Error;
use clap::error::ErrorKind;
use std::io;
use std::process::ExitCode;

pub(super) type Outcome<T = ()> = Result<T, Failure>;

#[derive(Debug)]
pub(super) enum Failure {
    /// The command line is wrong: exit code 2.
    Usage(String),
    /// It was tried and could not be done: exit code 1.
    Failed(String),
    /// What was asked for is a text of clap: help or the version.
    Help(clap::Error),
    /// The reader of standard output went away, as `head` does.
    ReaderGone,
}

impl Failure {
    pub fn usage(text: impl Into<String>) -> Failure {
        Failure::Usage(text.into())
    }

    pub fn failed(text: impl Into<String>) -> Failure {
        Failure::Failed(text.into())
    }

    /// Standard output refused.
    pub fn output(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ReaderGone,
            _ => Failure::Failed(format!("standard output: {error}")),
        }
    }

    pub fn report(self) -> ExitCode {
        let (text, code) = match self {
            Failure::Usage(text) => (text, 2),
            Failure::Failed(text) => (text, 1),
            Failure::Help(text) => {
                let _ = text.print(); // to where clap wants it; help that nobody reads is no failure
                return ExitCode::from(u8::try_from(text.exit_code()).unwrap_or(2));
            }
            Failure::ReaderGone => return ExitCode::SUCCESS,
        };
        note(format_args!("error: {}", one_line(&text)));
        ExitCode::from(code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::NoDevice { .. } => Failure::Usage(error.to_string()),
            _ => Failure::Failed(error.to_string()),
        }
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Failure {
        match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Failure::Help(error),
            _ => Failure::Usage(in_one_line(&error.to_string())),
        }
    }
}

/// clap's message without the lines on usage, its paragraphs joined.
fn in_one_line(rendered: &str) -> String {
    let end = rendered.find("\n\nUsage:").or_else(|| rendered.find("\n\nFor more information"));
    let message = rendered[..end.unwrap_or(rendered.len())].trim_start_matches("error:");
    let paragraphs = message.split("\n\n").map(|paragraph| {
        let lines: Vec<&str> = paragraph.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines.join(" ")
    });
    let paragraphs: Vec<String> = paragraphs.filter(|paragraph| !paragraph.is_empty()).collect();
    format!("{}; --help says more", paragraphs.join("; "))
}

/// A name may hold a line break; the message stays one line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clap_says_in_paragraphs_becomes_one_line() {
        let text = "error: the following required arguments were not provided:\n  --model <FILE>\n  <DATA>\n\nUsage: tilework predict --model <FILE> <DATA>\n\nFor more information, try '--help'.\n";
        let line = "the following required arguments were not provided: --model <FILE> <DATA>; --help says more";
        assert_eq!(in_one_line(text).trim(), line);
        assert_eq!(one_line("a\nb\u{1b}[31m"), "a b [31m");
    }
}
