//! `--columns`, `--drop`, `--text`: which columns of a table are read, and what they hold.

use super::failure::{Failure, Outcome};
use crate::data::{Chosen, Kind, ReadOptions, Table, list};
use clap::Args;
use std::path::Path;

/// Which columns are read, and what they hold.
#[derive(Args, Clone)]
pub(super) struct ColumnArgs {
    /// Read these columns alone, and the target, for example age,town
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', conflicts_with = "drop")]
    columns: Vec<String>,
    /// Leave these columns out, for example id,name; the model then takes tables with and without them
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    drop: Vec<String>,
    /// Read these columns as text though they look like numbers, for example zip,plan; the model remembers that they are
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    text: Vec<String>,
}

impl ColumnArgs {
    /// The first option of these that was given.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            ("--columns", !self.columns.is_empty()),
            ("--drop", !self.drop.is_empty()),
            ("--text", !self.text.is_empty()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }

    /// Refuses them where `what` has columns that nobody chooses.
    pub fn refuse(&self, what: &str) -> Outcome {
        match self.given() {
            Some(option) => Err(Failure::usage(format!("{option}: {what}; leave it out"))),
            None => Ok(()),
        }
    }

    /// How the file to learn from is read. `names` reads it so, and tells the columns that are read and those that are not, each
    /// in the file's order: it is asked where the target is the file's last column, which may be none of those chosen.
    pub fn choose(
        &self,
        options: ReadOptions,
        target: Option<&str>,
        names: impl Fn(&ReadOptions) -> Outcome<(Vec<String>, Vec<String>)>,
    ) -> Outcome<ReadOptions> {
        let options = self.text.iter().fold(options, |options, name| options.kind(name, Kind::Text));
        let only = |target: Option<&str>| options.clone().only(self.columns.iter().map(String::as_str).chain(target));
        match (self.columns.is_empty(), self.drop.is_empty()) {
            (false, _) if target.is_some() => Ok(only(target)),
            (false, _) => {
                // The file's last column is the last of those chosen, or the last of the others. These are not looked at, as they
                // may hold what a table cannot.
                let (_, others) = names(&only(None))?;
                let Some(last) = others.last() else { return Ok(only(None)) };
                let with_last = only(Some(last));
                let (read, _) = names(&with_last)?;
                Ok(if read.last() == Some(last) { with_last } else { only(None) })
            }
            (true, false) => Ok(options.without(&self.drop)),
            (true, true) => Ok(options),
        }
    }

    /// As [`ColumnArgs::choose`], of a file that is read whole.
    pub fn choose_of(&self, data: &Path, options: ReadOptions, target: Option<&str>) -> Outcome<ReadOptions> {
        self.choose(options, target, |options| {
            let table = Table::read(data, options)?;
            let read = table.columns().iter().map(|column| column.name.clone()).collect();
            Ok((read, table.left_out().to_vec()))
        })
    }

    /// Whether a column is read as text because that was asked for.
    pub fn is_text(&self, column: &str) -> bool {
        self.text.iter().any(|name| name == column)
    }

    /// The first column but the target that is read as text because that was asked for.
    pub fn text_but(&self, target: &str) -> Option<&str> {
        self.text.iter().map(String::as_str).find(|name| *name != target)
    }

    /// Refuses a column to be read as text that is not among those of the file that were read, or does not hold text even so.
    pub fn check<'a>(&self, source: &str, read: impl Iterator<Item = (&'a str, Kind)>) -> Outcome {
        if self.text.is_empty() {
            return Ok(());
        }
        let read: Vec<(&str, Kind)> = read.collect();
        for name in &self.text {
            match read.iter().find(|(known, _)| known == name) {
                Some((_, Kind::Text)) => {}
                Some((_, kind)) => {
                    let what = kind.noun();
                    return Err(Failure::usage(format!(
                        "--text {name}: its cells are {what}s, which models take as numbers; leave it out"
                    )));
                }
                None => {
                    let names = list(read.iter().map(|(known, _)| *known));
                    return Err(Failure::failed(format!(
                        "{source}: no column of that name is read: given {name:?} by --text; there are {names}"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// How another file is read of which the model passes over what was left out of the first.
pub(super) fn without(options: ReadOptions, left_out: &[String]) -> ReadOptions {
    ReadOptions { columns: Chosen::WithoutAny(left_out.to_vec()), ..options }
}
