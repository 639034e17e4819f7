//! Columns of text as a step: each column's terms are features, side by side.

use super::count::CountVectorizer;
use super::tfidf::{FittedTfidfVectorizer, TfidfVectorizer};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::prepare::{Feature, Transform, Transformer};
use crate::models::{Problem, Reader, Writer, check_width};
use ndarray::Array2;
use std::marker::PhantomData;

/// A fitted [`CountVectorizer`] or [`TfidfVectorizer`] of columns of text, as a step of a pipeline. What it gives is dense: set
/// `max_features`.
#[derive(Debug, Clone)]
pub struct FittedTexts<T> {
    columns: Vec<FittedTfidfVectorizer>,
    of: PhantomData<fn() -> T>,
}

/// The most cells that a step gives: a gigabyte.
const MOST_DENSE: usize = 1 << 27;

/// Whether a kind of step takes columns of text as they are.
pub(in crate::models::prepare) fn takes_texts(kind: &str) -> bool {
    [CountVectorizer::NAME, TfidfVectorizer::NAME].contains(&kind)
}

impl Transformer for TfidfVectorizer {
    type Fitted = FittedTexts<TfidfVectorizer>;
    const NAME: &'static str = "tfidf-vectorizer";

    fn takes_levels(&self) -> bool {
        true
    }

    fn compute(&self, problem: &Problem<'_>) -> Result<Self::Fitted> {
        FittedTexts::learn(self, problem)
    }
}

impl Transformer for CountVectorizer {
    type Fitted = FittedTexts<CountVectorizer>;
    const NAME: &'static str = "count-vectorizer";

    fn takes_levels(&self) -> bool {
        true
    }

    fn compute(&self, problem: &Problem<'_>) -> Result<Self::Fitted> {
        FittedTexts::learn(&TfidfVectorizer::of_counts(self.clone()), problem)
    }
}

/// The texts of a column, one a row; nothing where one is missing.
fn texts<'a>(op: &'static str, x: &Matrix<'a>, column: usize, name: &str) -> Result<Vec<&'a str>> {
    let Some(texts) = x.texts(column) else {
        let message = format!("column {column}{name} holds numbers; give it columns of text, through a table");
        return Err(Error::argument(op, message));
    };
    let text = |place: f64| if place >= 0.0 { texts.get(place as usize).map_or("", String::as_str) } else { "" };
    Ok(x.column(column).into_iter().map(text).collect())
}

impl<T: Transformer> FittedTexts<T> {
    fn learn(settings: &TfidfVectorizer, problem: &Problem<'_>) -> Result<FittedTexts<T>> {
        problem.check_but_missing(T::NAME)?;
        let name = |column| problem.names.and_then(|names| names.get(column));
        let fit = |column: usize| {
            let name = name(column).map_or_else(String::new, |name| format!(" ({name})"));
            settings.fit(&texts(T::NAME, &problem.x, column, &name)?)
        };
        Ok(FittedTexts { columns: (0..problem.x.width()).map(fit).collect::<Result<_>>()?, of: PhantomData })
    }

    /// What each column's texts were found to hold.
    pub fn vectorizers(&self) -> &[FittedTfidfVectorizer] {
        &self.columns
    }
}

impl<T: Transformer> Transform for FittedTexts<T> {
    fn kind(&self) -> &'static str {
        T::NAME
    }

    fn width(&self) -> usize {
        self.columns.len()
    }

    fn outputs(&self) -> usize {
        self.columns.iter().map(|column| column.vocabulary().len()).sum()
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_width(T::NAME, self.width(), x)?;
        let (rows, outputs) = (x.rows(), self.outputs());
        if rows.saturating_mul(outputs) > MOST_DENSE {
            let message = format!("{rows} rows of {outputs} terms would take a gigabyte; set max_features or min_df");
            return Err(Error::argument(T::NAME, message));
        }
        let mut out = Array2::zeros((rows, outputs));
        let mut first = 0;
        for (column, fitted) in self.columns.iter().enumerate() {
            let made = fitted.transform(&texts(T::NAME, &x, column, "")?)?;
            for row in 0..rows {
                made.entries(row).for_each(|(term, weight)| out[[row, first + term]] = weight);
            }
            first += made.width();
        }
        Ok(out)
    }

    fn features(&self, from: &[Feature]) -> Vec<Feature> {
        let named = |(fitted, feature): (&FittedTfidfVectorizer, &Feature)| {
            let name = |term: &String| Feature::number(format!("{}_{term}", feature.name));
            fitted.vocabulary().iter().map(name).collect::<Vec<_>>()
        };
        self.columns.iter().zip(from).flat_map(named).collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&self.columns.len())?;
        self.columns.iter().enumerate().try_for_each(|(i, fitted)| fitted.store(&mut out.part(&i.to_string())))
    }

    fn restore(from: &Reader<'_>) -> Result<FittedTexts<T>> {
        let width: usize = from.note()?;
        let column = |i: usize| FittedTfidfVectorizer::restore(&from.part(&i.to_string()));
        Ok(FittedTexts { columns: (0..width).map(column).collect::<Result<_>>()?, of: PhantomData })
    }
}
