//! `--columns`, `--drop`: which columns of a table are read.

use super::failure::{Failure, Outcome};
use crate::data::{Chosen, ReadOptions};
use clap::Args;

/// Which columns are read.
#[derive(Args, Clone)]
pub(super) struct ColumnArgs {
    /// Read these columns alone, and the target, for example age,town
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', conflicts_with = "drop")]
    columns: Vec<String>,
    /// Leave these columns out, for example id,name; the model then takes tables with and without them
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    drop: Vec<String>,
}

impl ColumnArgs {
    /// The first option of these that was given.
    pub fn given(&self) -> Option<&'static str> {
        let given = [("--columns", !self.columns.is_empty()), ("--drop", !self.drop.is_empty())];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }

    /// Refuses them where `what` has columns that nobody chooses.
    pub fn refuse(&self, what: &str) -> Outcome {
        match self.given() {
            Some(option) => Err(Failure::usage(format!("{option}: {what}; leave it out"))),
            None => Ok(()),
        }
    }

    /// How the file to learn from is read.
    pub fn choose(&self, options: ReadOptions, target: Option<&str>) -> ReadOptions {
        match (self.columns.is_empty(), self.drop.is_empty()) {
            (false, _) => options.only(self.columns.iter().map(String::as_str).chain(target)),
            (true, false) => options.without(&self.drop),
            (true, true) => options,
        }
    }
}

/// How another file is read of which the model passes over what was left out of the first.
pub(super) fn without(options: ReadOptions, left_out: &[String]) -> ReadOptions {
    ReadOptions { columns: Chosen::WithoutAny(left_out.to_vec()), ..options }
}
