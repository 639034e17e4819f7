//! Which columns of a file are read.

use super::table::unknown;
use crate::error::{Error, Result};
use std::collections::HashSet;

/// Which columns of a file are read; always in the file's order. The others are not looked at, so that they may hold what a
/// table cannot. A model that learns from the table passes them over in whatever it is given later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Chosen {
    /// All of them.
    #[default]
    All,
    /// Those of these names, which must all be there: pandas' `usecols`.
    Only(Vec<String>),
    /// All but those of these names, which must all be there.
    Without(Vec<String>),
    /// All but those of these names, as far as they are there.
    WithoutAny(Vec<String>),
}

impl Chosen {
    /// Whether a column of this name is not read.
    pub(super) fn leaves_out(&self, name: &str) -> bool {
        let is = |listed: &[String]| listed.iter().any(|n| n == name);
        match self {
            Chosen::All => false,
            Chosen::Only(listed) => !is(listed),
            Chosen::Without(listed) | Chosen::WithoutAny(listed) => is(listed),
        }
    }

    /// The places of what is chosen among a file's names, and the names of the others.
    pub(super) fn of(&self, names: &[&str], source: &str) -> Result<(Vec<usize>, Vec<String>)> {
        let (listed, only) = match self {
            Chosen::All => return Ok(((0..names.len()).collect(), Vec::new())),
            Chosen::Only(listed) => (listed, true),
            Chosen::Without(listed) | Chosen::WithoutAny(listed) => (listed, false),
        };
        let known: HashSet<&str> = names.iter().copied().collect();
        if let Some(name) = listed.iter().find(|name| !known.contains(name.as_str()))
            && !matches!(self, Chosen::WithoutAny(_))
        {
            return Err(unknown(source, name, names));
        }
        let listed: HashSet<&str> = listed.iter().map(String::as_str).collect();
        let is_chosen = |place: &usize| names.get(*place).is_some_and(|name| listed.contains(name) == only);
        let (chosen, others): (Vec<usize>, Vec<usize>) = (0..names.len()).partition(is_chosen);
        if chosen.is_empty() {
            return Err(Error::data(source, "no column is chosen; choose at least one"));
        }
        Ok((chosen, others.into_iter().filter_map(|place| names.get(place)).map(|name| (*name).to_owned()).collect()))
    }
}
