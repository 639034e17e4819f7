//! The steps that a table and a model ask for, and what they do in a line each.

use super::chain::Step;
use super::columns::ColumnTransformer;
use super::impute::{ImputeStrategy, SimpleImputer};
use super::one_hot::{OneHotEncoder, UnknownLevel};
use super::pipeline::Pipeline;
use super::scale::StandardScaler;
use super::text::{TfidfVectorizer, tokens};
use crate::data::{Column, Kind, Table, Values};
use crate::error::{Error, Result};
use crate::models::{Missing, Needs, Row};
use std::collections::HashSet;

/// The most columns that a column of text becomes.
const MOST_LEVELS: usize = 32;

/// Text with more levels than one column each, and on the mean so many words, is looked into.
const FEWEST_WORDS: f64 = 3.0;

/// The most words of a column that become columns.
const MOST_WORDS: usize = 1000;

/// Text with more levels than this share of its rows says who a row is, not what it is like.
const DISTINCT_SHARE: f64 = 0.5;

/// A pipeline made for a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// What it does with which columns, a sentence each.
    pub lines: Vec<String>,
}

impl Plan {
    /// The plan for `table`, whose model is to predict the rows of `later` too: gaps there are told of as well.
    pub(super) fn of(table: &Table, later: Option<&Table>, target: &str, row: &Row) -> Result<Plan> {
        let later = |column: &Column| later.and_then(|t| t.column(&column.name).ok()).map_or(0, Column::missing);
        let mut lines = Vec::new();
        let (mut numbers, mut booleans, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut empty, mut names, mut prose) = (Vec::new(), Vec::new(), Vec::new());
        for column in table.columns().iter().filter(|column| column.name != target) {
            match column.kind() {
                _ if column.missing() == column.len() => empty.push(column),
                Kind::Number | Kind::Integer | Kind::Date => numbers.push(column),
                Kind::Boolean => booleans.push(column),
                Kind::Text if is_prose(column) => prose.push(column),
                Kind::Text if is_name(column) => names.push(column),
                Kind::Text => texts.push(column),
            }
        }
        let say = |lines: &mut Vec<String>, columns: &[&Column], what: &str| {
            if !columns.is_empty() {
                lines.push(format!("{what}: {}", listed(columns)));
            }
        };
        say(&mut lines, &empty, "left out, no value in any row");
        say(&mut lines, &names, "left out, text that differs in most rows");
        let dates: Vec<&Column> = numbers.iter().copied().filter(|column| column.kind() == Kind::Date).collect();
        say(&mut lines, &dates, "dates as days since 1970-01-01");
        say(&mut lines, &booleans, "booleans as 0 and 1");

        let fill = row.missing == Missing::Refused;
        let (mut of_numbers, mut of_booleans) = (Vec::new(), Vec::new());
        for (columns, steps, strategy, word) in [
            (&numbers, &mut of_numbers, ImputeStrategy::Median, "median"),
            (&booleans, &mut of_booleans, ImputeStrategy::MostFrequent, "commonest value"),
        ] {
            // Rows that are predicted later may have gaps where these have none.
            if fill && !columns.is_empty() {
                steps.push(Step::of(&SimpleImputer { strategy, ..SimpleImputer::default() }));
            }
            let gaps: Vec<&Column> = columns.iter().copied().filter(|c| c.missing() + later(c) > 0).collect();
            if gaps.is_empty() {
                continue;
            }
            let cells: usize = gaps.iter().map(|column| column.missing() + later(column)).sum();
            let cells = if cells == 1 { "1 missing cell".to_owned() } else { format!("{cells} missing cells") };
            if fill {
                lines.push(format!("{cells} filled in by the column's {word}: {}", listed(&gaps)));
            } else {
                lines.push(format!("{cells} left to the model, which learns from them: {}", listed(&gaps)));
            }
        }
        if row.needs == Needs::Scaling && !numbers.is_empty() {
            of_numbers.push(Step::of(&StandardScaler::default()));
            say(&mut lines, &numbers, "scaled to mean 0 and deviation 1");
        }
        let encoder = OneHotEncoder {
            handle_unknown: UnknownLevel::InfrequentIfExist,
            max_categories: Some(MOST_LEVELS),
            ..OneHotEncoder::default()
        };
        let levels = texts.iter().map(|column| match distinct(column) {
            n if n < MOST_LEVELS => format!("{} ({n} levels)", column.name),
            n => format!("{} (the {} commonest of {n} levels, the others together)", column.name, MOST_LEVELS - 1),
        });
        let levels: Vec<String> = levels.collect();
        if !levels.is_empty() {
            lines.push(format!("text as a column of 0 and 1 for each level: {}", joined(&levels)));
        }
        let words = TfidfVectorizer { max_features: Some(MOST_WORDS), ..TfidfVectorizer::default() };
        if !prose.is_empty() {
            let what = format!("text as weights of its words (TF-IDF; the {MOST_WORDS} commonest words at most)");
            lines.push(format!("{what}: {}", listed(&prose)));
        }
        let of = |columns: &[&Column]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        let columns = ColumnTransformer::default()
            .branch(of(&numbers), of_numbers)
            .branch(of(&booleans), of_booleans)
            .branch(of(&texts), [Step::of(&encoder)])
            .branch(of(&prose), [Step::of(&words)]);
        if columns.wanted().is_none_or(|wanted| wanted.is_empty()) {
            let message = format!("no column is left to learn {target:?} from: {}", lines.join("; "));
            return Err(Error::data(table.source(), message));
        }
        let steps = vec![Step::of(&columns).called("prepare")];
        Ok(Plan { pipeline: Pipeline::of(row.name, steps), lines })
    }
}

/// Whether text is sentences rather than levels or names.
fn is_prose(column: &Column) -> bool {
    let Values::Text(texts) = &column.values else { return false };
    let given = column.len() - column.missing();
    let words: usize = texts.iter().map(|text| tokens(text).count()).sum();
    distinct(column) > MOST_LEVELS && words as f64 >= FEWEST_WORDS * given as f64
}

/// Whether text differs in most rows; a few rows say nothing about that.
fn is_name(column: &Column) -> bool {
    let given = column.len() - column.missing();
    given > 2 * MOST_LEVELS && distinct(column) as f64 > DISTINCT_SHARE * given as f64
}

fn distinct(column: &Column) -> usize {
    match &column.values {
        Values::Text(texts) => texts.iter().filter(|text| !text.is_empty()).collect::<HashSet<_>>().len(),
        Values::Numbers(_) => 0,
    }
}

fn listed(columns: &[&Column]) -> String {
    joined(&columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>())
}

/// The first five, then how many more.
fn joined(names: &[String]) -> String {
    let more = if names.len() > 5 { format!(" and {} more", names.len() - 5) } else { String::new() };
    format!("{}{more}", names.get(..5).unwrap_or(names).join(", "))
}
