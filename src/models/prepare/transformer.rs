//! What all steps before a model have in common.

use crate::data::{Kind, Matrix};
use crate::error::Result;
use crate::models::store::check_finite;
use crate::models::{Answer, Problem, Reader, Writer};
use ndarray::Array2;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// Settings of a step: scikit-learn's names and defaults.
pub trait Transformer:
    Debug + Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// What a fit gives.
    type Fitted: Transform;

    /// The kind, as pipelines and files spell it.
    const NAME: &'static str;

    /// Learns from features, and from answers where the step uses them; the others pass over them.
    ///
    /// # Errors
    /// What [`Problem::check`] finds; settings out of range, by name; no answers where they are needed; numbers so large that the
    /// step would not be finite.
    fn learn(&self, problem: &Problem<'_>) -> Result<Self::Fitted> {
        let fitted = self.compute(problem)?;
        check_finite(Self::NAME, |out| fitted.store(out))?;
        Ok(fitted)
    }

    /// What [`Transformer::learn`] gives unless one of its numbers is not finite.
    ///
    /// # Errors
    /// As [`Transformer::learn`].
    fn compute(&self, problem: &Problem<'_>) -> Result<Self::Fitted>;

    /// Whether columns of text are something to it: it encodes them, counts their words, or fills in one of their levels. Before
    /// any other step a pipeline refuses them: it would read their places in the list of levels as numbers.
    fn takes_levels(&self) -> bool {
        false
    }

    /// Learns, and transforms the rows it learnt from: the same as one after the other but where answers must not leak into
    /// features, as in [`TargetEncoder`](super::TargetEncoder).
    ///
    /// # Errors
    /// As [`Transformer::learn`].
    fn learn_and_apply(&self, problem: &Problem<'_>) -> Result<(Self::Fitted, Array2<f64>)> {
        let fitted = self.learn(problem)?;
        let x = fitted.apply(problem.x)?;
        Ok((fitted, x))
    }

    /// Learns from features `[N, F]` alone.
    ///
    /// # Errors
    /// As [`Transformer::learn`].
    fn fit<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Self::Fitted> {
        self.learn(&Problem::new(x, Answer::None))
    }

    /// Learns from features and as many answers.
    ///
    /// # Errors
    /// As [`Transformer::learn`].
    fn fit_to<'a>(&self, x: impl Into<Matrix<'a>>, y: impl Into<Answer<'a>>) -> Result<Self::Fitted> {
        self.learn(&Problem::new(x, y))
    }
}

/// A fitted step.
pub trait Transform: Debug + Send + Sync + 'static {
    /// The kind: [`Transformer::NAME`].
    fn kind(&self) -> &'static str;

    /// The number of features that it takes, `F`.
    fn width(&self) -> usize;

    /// The number of features that it gives.
    fn outputs(&self) -> usize;

    /// The new features of rows `[N, F]`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for another number of features, with both;
    /// [`Error::NonFinite`](crate::Error::NonFinite) for infinity, and for NaN where the step has no use for it.
    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>>;

    /// What the new features are, one a column of [`Transform::apply`], made of `from`.
    fn features(&self, from: &[Feature]) -> Vec<Feature>;

    /// Puts into a file what [`Transform::restore`] takes out of it.
    ///
    /// # Errors
    /// Names used twice.
    fn store(&self, out: &mut Writer<'_>) -> Result<()>;

    /// The step that was stored. All that the file says is checked: it may be damaged or made to harm.
    ///
    /// # Errors
    /// [`Error::Format`](crate::Error::Format) for whatever does not fit together.
    fn restore(from: &Reader<'_>) -> Result<Self>
    where
        Self: Sized;

    /// As [`Transform::apply`], of whatever becomes a [`Matrix`].
    ///
    /// # Errors
    /// As [`Transform::apply`].
    fn transform<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>>
    where
        Self: Sized,
    {
        self.apply(x.into())
    }
}

/// What is known about a column of features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// What its cells are in a table.
    pub kind: Kind,
    /// The texts that its numbers stand for, 0 for the first; none unless it is of text. Numbers past the last
    /// stand for texts that are none of them, NaN for a missing one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<String>,
}

impl Feature {
    /// A column of plain numbers.
    pub fn number(name: impl Into<String>) -> Feature {
        Feature { name: name.into(), kind: Kind::Number, levels: Vec::new() }
    }

    /// How a value reads: the level where there are some, else the number.
    pub fn shown(&self, value: f64) -> String {
        match self.levels.get(value as usize) {
            _ if value.is_nan() => "missing".to_owned(),
            Some(level) => level.clone(),
            None => value.to_string(),
        }
    }
}

/// Features of these names, or `x0`, `x1` … of the problem's width: of text where the matrix holds the texts of a column, else
/// plain numbers.
pub fn plain_features(problem: &Problem<'_>) -> Vec<Feature> {
    let name = |i: usize| problem.names.and_then(|names| names.get(i)).cloned().unwrap_or_else(|| format!("x{i}"));
    let feature = |i: usize| match problem.x.texts(i) {
        Some(_) => Feature { kind: Kind::Text, ..Feature::number(name(i)) },
        None => Feature::number(name(i)),
    };
    (0..problem.x.width()).map(feature).collect()
}

/// The names alone.
pub fn names_of(features: &[Feature]) -> Vec<String> {
    features.iter().map(|feature| feature.name.clone()).collect()
}
