//! Every kind of step, in one table.

use super::bins::KBinsDiscretizer;
use super::columns::ColumnTransformer;
use super::from_model::SelectFromModel;
use super::impute::SimpleImputer;
use super::iterative::IterativeImputer;
use super::knn::KnnImputer;
use super::normalize::Normalizer;
use super::one_hot::OneHotEncoder;
use super::ordinal::OrdinalEncoder;
use super::polynomial::PolynomialFeatures;
use super::power::PowerTransformer;
use super::projection::{GaussianRandomProjection, SparseRandomProjection};
use super::quantile::QuantileTransformer;
use super::rfe::{Rfe, Rfecv};
use super::scale::{MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler};
use super::select::{SelectKBest, VarianceThreshold};
use super::target::TargetEncoder;
use super::text::{CountVectorizer, TfidfVectorizer};
use super::transformer::{Transform, Transformer};
use crate::error::{Error, Result};
use crate::models::settings::settled;
use crate::models::{Missing, Pca, Problem, Reader, TruncatedSvd};
use ndarray::Array2;
use serde_json::{Map, Value};

/// What a step learns from beside the features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uses {
    /// Nothing.
    Features,
    /// Classes.
    Labels,
    /// Classes or numbers.
    Answers,
    /// Nothing; but its features are columns of text.
    Texts,
}

/// One kind of step.
#[derive(Debug, Clone, Copy)]
pub struct TransformerRow {
    /// The kind: [`Transformer::NAME`].
    pub name: &'static str,
    /// What it learns from.
    pub uses: Uses,
    /// What it makes of NaN.
    pub missing: Missing,
    settings: fn() -> Result<Value>,
    check: fn(&Value) -> Result<()>,
    takes_levels: fn(&Value) -> Result<bool>,
    fit: fn(&Value, &Problem<'_>) -> Result<Applied>,
    restore: fn(&Reader<'_>) -> Result<Box<dyn Transform>>,
}

/// A fitted step, and what it made of the rows that it learnt from.
pub type Applied = (Box<dyn Transform>, Array2<f64>);

/// Every kind of step.
pub const TRANSFORMERS: &[TransformerRow] = &[
    row::<ColumnTransformer>(Uses::Features, Missing::Learnt),
    row::<StandardScaler>(Uses::Features, Missing::Learnt),
    row::<MinMaxScaler>(Uses::Features, Missing::Learnt),
    row::<MaxAbsScaler>(Uses::Features, Missing::Learnt),
    row::<RobustScaler>(Uses::Features, Missing::Learnt),
    row::<SimpleImputer>(Uses::Features, Missing::Learnt),
    row::<OneHotEncoder>(Uses::Features, Missing::Learnt),
    row::<Normalizer>(Uses::Features, Missing::Refused),
    row::<QuantileTransformer>(Uses::Features, Missing::Learnt),
    row::<PowerTransformer>(Uses::Features, Missing::Learnt),
    row::<PolynomialFeatures>(Uses::Features, Missing::Refused),
    row::<KBinsDiscretizer>(Uses::Features, Missing::Refused),
    row::<KnnImputer>(Uses::Features, Missing::Learnt),
    row::<IterativeImputer>(Uses::Features, Missing::Learnt),
    row::<OrdinalEncoder>(Uses::Features, Missing::Learnt),
    row::<TargetEncoder>(Uses::Answers, Missing::Learnt),
    row::<CountVectorizer>(Uses::Texts, Missing::Learnt),
    row::<TfidfVectorizer>(Uses::Texts, Missing::Learnt),
    row::<VarianceThreshold>(Uses::Features, Missing::Learnt),
    row::<SelectKBest>(Uses::Labels, Missing::Refused),
    row::<SelectFromModel>(Uses::Answers, Missing::Refused),
    row::<Rfe>(Uses::Answers, Missing::Refused),
    row::<Rfecv>(Uses::Answers, Missing::Refused),
    row::<Pca>(Uses::Features, Missing::Refused),
    row::<TruncatedSvd>(Uses::Features, Missing::Refused),
    row::<GaussianRandomProjection>(Uses::Features, Missing::Refused),
    row::<SparseRandomProjection>(Uses::Features, Missing::Refused),
];

const fn row<T: Transformer>(uses: Uses, missing: Missing) -> TransformerRow {
    TransformerRow {
        name: T::NAME,
        uses,
        missing,
        settings: || serde_json::to_value(T::default()).map_err(|e| Error::internal(T::NAME, e.to_string())),
        check: |settings| settled::<T>(T::NAME, settings).map(|_| ()),
        takes_levels: |settings| settled::<T>(T::NAME, settings).map(|step| step.takes_levels()),
        fit: |settings, problem| {
            let (fitted, x) = settled::<T>(T::NAME, settings)?.learn_and_apply(problem)?;
            Ok((Box::new(fitted), x))
        },
        restore: |reader| Ok(Box::new(T::Fitted::restore(reader)?)),
    }
}

impl TransformerRow {
    /// The row of that name.
    ///
    /// # Errors
    /// [`Error::Argument`] with the names there are.
    pub fn named(name: &str) -> Result<&'static TransformerRow> {
        TRANSFORMERS.iter().find(|row| row.name == name).ok_or_else(|| {
            let names = TRANSFORMERS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
            Error::argument("pipeline", format!("no step is called {name:?}: there are {names}"))
        })
    }

    /// The default settings, by name.
    ///
    /// # Errors
    /// None in a sound build.
    pub fn settings(&self) -> Result<Map<String, Value>> {
        match (self.settings)()? {
            Value::Object(map) => Ok(map),
            _ => Err(Error::internal(self.name, "settings are no object")),
        }
    }

    /// Whether settings have known names and values of the right type; those left out keep their default.
    ///
    /// # Errors
    /// [`Error::Argument`] that names the setting.
    pub fn check(&self, settings: &Map<String, Value>) -> Result<()> {
        (self.check)(&Value::Object(settings.clone()))
    }

    /// As [`Transformer::takes_levels`], with settings by name.
    ///
    /// # Errors
    /// As [`TransformerRow::check`].
    pub fn takes_levels(&self, settings: &Map<String, Value>) -> Result<bool> {
        (self.takes_levels)(&Value::Object(settings.clone()))
    }

    /// Fits with settings by name; also gives the rows that it learnt from, transformed.
    ///
    /// # Errors
    /// As [`Transformer::learn_and_apply`].
    pub fn fit(&self, settings: &Map<String, Value>, problem: &Problem<'_>) -> Result<Applied> {
        (self.fit)(&Value::Object(settings.clone()), problem)
    }

    /// The fitted step of a file's part.
    ///
    /// # Errors
    /// [`Error::Format`] as [`Transform::restore`].
    pub fn restore(&self, reader: &Reader<'_>) -> Result<Box<dyn Transform>> {
        reader.check_depth()?;
        (self.restore)(reader)
    }
}
