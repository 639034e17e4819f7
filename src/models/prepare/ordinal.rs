//! Levels by their place.

use super::one_hot::{Levels, restore_levels, store_levels, unknown};
use super::transformer::{Feature, Transform, Transformer};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::{Problem, Reader, Writer, check_width};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Each level of a column (a text's position, or any number) becomes its place in their order: scikit-learn's
/// `OrdinalEncoder`. NaN stays, or becomes `encoded_missing_value`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrdinalEncoder {
    /// What a level that was not there in the fit becomes; an error when left out. scikit-learn's
    /// `handle_unknown="use_encoded_value"`.
    pub unknown_value: Option<f64>,
    /// What a missing value becomes; it stays NaN when left out.
    pub encoded_missing_value: Option<f64>,
}

/// A fitted [`OrdinalEncoder`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedOrdinalEncoder {
    settings: OrdinalEncoder,
    /// The levels of each column, in order, without NaN.
    pub levels: Vec<Vec<f64>>,
}

impl Transformer for OrdinalEncoder {
    type Fitted = FittedOrdinalEncoder;
    const NAME: &'static str = "ordinal-encoder";

    fn takes_levels(&self) -> bool {
        true
    }

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedOrdinalEncoder> {
        problem.check_but_missing(Self::NAME)?;
        if let Some(value) =
            [self.unknown_value, self.encoded_missing_value].into_iter().flatten().find(|v| !v.is_finite())
        {
            return Err(Error::argument(Self::NAME, format!("{value} for a level; give a finite number")));
        }
        let levels = |column: usize| {
            let (mut values, _) = Levels::count(&problem.x.column(column));
            values.retain(|v| !v.is_nan());
            values
        };
        Ok(FittedOrdinalEncoder { settings: *self, levels: (0..problem.x.width()).map(levels).collect() })
    }
}

impl Transform for FittedOrdinalEncoder {
    fn kind(&self) -> &'static str {
        OrdinalEncoder::NAME
    }

    fn width(&self) -> usize {
        self.levels.len()
    }

    fn outputs(&self) -> usize {
        self.width()
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_width(OrdinalEncoder::NAME, self.width(), x)?;
        let mut out = Array2::zeros((x.rows(), self.width()));
        for (column, levels) in self.levels.iter().enumerate() {
            for (row, value) in x.column(column).into_iter().enumerate() {
                out[[row, column]] = match (Levels::place(levels, value), self.settings.unknown_value) {
                    _ if value.is_nan() => self.settings.encoded_missing_value.unwrap_or(f64::NAN),
                    (Some(place), _) => place as f64,
                    (None, Some(value)) => value,
                    (None, None) => return Err(unknown(OrdinalEncoder::NAME, row, column, value)),
                };
            }
        }
        Ok(out)
    }

    fn features(&self, from: &[Feature]) -> Vec<Feature> {
        from.iter().map(|feature| Feature::number(&feature.name)).collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&(self.settings, self.levels.len()))?;
        self.levels
            .iter()
            .enumerate()
            .try_for_each(|(i, levels)| store_levels(&mut out.part(&i.to_string()), levels).map(|_| ()))
    }

    fn restore(from: &Reader<'_>) -> Result<FittedOrdinalEncoder> {
        let (settings, width): (OrdinalEncoder, usize) = from.note()?;
        let mut levels = Vec::new();
        for i in 0..width {
            levels.push(restore_levels(&from.part(&i.to_string()), false)?);
        }
        Ok(FittedOrdinalEncoder { settings, levels })
    }
}
