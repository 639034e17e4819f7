//! A column for each level of a column.

use super::transformer::{Feature, Transform, Transformer};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::{Problem, Reader, Writer, check_width};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// What an encoder makes of a level that it did not learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownLevel {
    /// An error.
    #[default]
    Error,
    /// No level: 0 in all columns.
    Ignore,
    /// A rare level where the column has some, else no level.
    InfrequentIfExist,
}

/// Each level of each column (a text's position, or any number) becomes a column of 0 and 1: scikit-learn's `OneHotEncoder`,
/// dense. A missing value is a level of its own.
///
/// ```
/// use tilework::models::prepare::{OneHotEncoder, Transform, Transformer};
/// let encoder = OneHotEncoder::default().fit(&[[0.0], [2.0]])?;
/// assert_eq!(encoder.transform(&[[2.0], [0.0]])?, ndarray::array![[0.0, 1.0], [1.0, 0.0]]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OneHotEncoder {
    /// What becomes of a level that was not there in the fit.
    pub handle_unknown: UnknownLevel,
    /// Levels in fewer rows than this are rare and share one column.
    pub min_frequency: Option<usize>,
    /// The most columns for a column: its commonest levels, the others share one.
    pub max_categories: Option<usize>,
    /// Whether the first level has no column: the others say it all, and are not collinear.
    pub drop_first: bool,
}

/// A fitted [`OneHotEncoder`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedOneHotEncoder {
    handle_unknown: UnknownLevel,
    drop_first: bool,
    columns: Vec<Levels>,
}

/// The levels of one column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Levels {
    /// In order; NaN, for a missing value, last.
    pub values: Vec<f64>,
    /// The output column of each value.
    outputs: Vec<u32>,
    /// How many outputs there are, rare levels together counting as one, the last.
    count: usize,
    /// Whether the last output is that of the rare levels.
    rare: bool,
}

impl Levels {
    /// The distinct values of a column and how often each is there.
    pub(super) fn count(values: &[f64]) -> (Vec<f64>, Vec<usize>) {
        let mut sorted = values.to_vec();
        sorted.sort_by(|a, b| a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(b)));
        sorted.chunk_by(|a, b| a == b || a.is_nan() && b.is_nan()).map(|run| (run[0] + 0.0, run.len())).unzip()
    }

    fn new(settings: &OneHotEncoder, values: &[f64]) -> Levels {
        let (values, counts) = Levels::count(values);
        let mut rare: Vec<bool> =
            counts.iter().map(|&n| settings.min_frequency.is_some_and(|least| n < least)).collect();
        let kept = rare.iter().filter(|rare| !**rare).count();
        if let Some(most) = settings.max_categories
            && most < kept + 1
        {
            // One place is that of the rare levels, the others go to the commonest; of equals to the higher, as scikit-learn has it.
            let mut order: Vec<usize> = (0..values.len()).collect();
            order.sort_by_key(|&i| counts[i]);
            order.iter().rev().skip(most.saturating_sub(1)).for_each(|&i| rare[i] = true);
        }
        let frequent = rare.iter().filter(|rare| !**rare).count();
        let mut next = 0..;
        let outputs = rare.iter().map(|&rare| if rare { frequent as u32 } else { next.next().unwrap_or(0) }).collect();
        let some_rare = rare.contains(&true);
        Levels { values, outputs, count: frequent + usize::from(some_rare), rare: some_rare }
    }

    /// The place of a value among the levels.
    pub(super) fn place(values: &[f64], value: f64) -> Option<usize> {
        let numbers = values.partition_point(|v| *v < value); // NaN is not less than anything, and last
        let found = if value.is_nan() { values.len().checked_sub(1)? } else { numbers };
        values.get(found).filter(|v| **v == value || v.is_nan() && value.is_nan()).map(|_| found)
    }
}

impl Transformer for OneHotEncoder {
    type Fitted = FittedOneHotEncoder;
    const NAME: &'static str = "one-hot-encoder";

    fn takes_levels(&self) -> bool {
        true
    }

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedOneHotEncoder> {
        problem.check_but_missing(Self::NAME)?;
        if self.max_categories == Some(0) {
            return Err(Error::argument(Self::NAME, "max_categories 0 leaves nothing; give at least 1"));
        }
        let columns = (0..problem.x.width()).map(|i| Levels::new(self, &problem.x.column(i))).collect();
        Ok(FittedOneHotEncoder { handle_unknown: self.handle_unknown, drop_first: self.drop_first, columns })
    }
}

impl FittedOneHotEncoder {
    /// The output columns of each column.
    fn counts(&self) -> impl Iterator<Item = usize> + '_ {
        self.columns.iter().map(|levels| levels.count - usize::from(self.drop_first && levels.count > 0))
    }
}

impl Transform for FittedOneHotEncoder {
    fn kind(&self) -> &'static str {
        OneHotEncoder::NAME
    }

    fn width(&self) -> usize {
        self.columns.len()
    }

    fn outputs(&self) -> usize {
        self.counts().sum()
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_width(OneHotEncoder::NAME, self.width(), x)?;
        let mut out = Array2::zeros((x.rows(), self.outputs()));
        let mut first = 0;
        for (column, (levels, count)) in self.columns.iter().zip(self.counts()).enumerate() {
            for (row, value) in x.column(column).into_iter().enumerate() {
                let place = match (Levels::place(&levels.values, value), self.handle_unknown) {
                    (Some(place), _) => levels.outputs[place] as usize,
                    (None, UnknownLevel::Error) => return Err(unknown(OneHotEncoder::NAME, row, column, value)),
                    (None, UnknownLevel::InfrequentIfExist) if levels.rare => levels.count - 1,
                    (None, _) => continue,
                };
                if let Some(place) = place.checked_sub(usize::from(self.drop_first)) {
                    out[[row, first + place]] = 1.0;
                }
            }
            first += count;
        }
        Ok(out)
    }

    fn features(&self, from: &[Feature]) -> Vec<Feature> {
        let mut features = Vec::new();
        for (levels, feature) in self.columns.iter().zip(from) {
            let mut names: Vec<String> = vec![format!("{}_rare", feature.name); levels.count];
            for (&value, &output) in levels.values.iter().zip(&levels.outputs) {
                if !(levels.rare && output as usize == levels.count - 1) {
                    names[output as usize] = format!("{}_{}", feature.name, feature.shown(value));
                }
            }
            features.extend(names.into_iter().skip(usize::from(self.drop_first)).map(Feature::number));
        }
        features
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&(self.handle_unknown, self.drop_first, self.columns.len()))?;
        for (i, levels) in self.columns.iter().enumerate() {
            let mut part = out.part(&i.to_string());
            let missing = store_levels(&mut part, &levels.values)?;
            part.note(&(levels.rare, missing))?;
            part.counts("outputs", &levels.outputs, &[levels.outputs.len()])?;
        }
        Ok(())
    }

    fn restore(from: &Reader<'_>) -> Result<FittedOneHotEncoder> {
        let (handle_unknown, drop_first, width): (UnknownLevel, bool, usize) = from.note()?;
        let mut columns = Vec::new();
        for i in 0..width {
            let part = from.part(&i.to_string());
            let (rare, missing): (bool, bool) = part.note()?;
            let values = restore_levels(&part, missing)?;
            let (outputs, _) = part.counts("outputs")?;
            let count = outputs.iter().max().map_or(0, |&last| last as usize + 1);
            if outputs.len() != values.len() || count > outputs.len() || rare && count == 0 {
                return Err(part.error(format!("column {i}: its levels do not fit its outputs")));
            }
            columns.push(Levels { values, outputs, count, rare });
        }
        Ok(FittedOneHotEncoder { handle_unknown, drop_first, columns })
    }
}

/// Stores levels without the NaN at their end, which no file may hold; returns whether there is one.
pub(super) fn store_levels(part: &mut Writer<'_>, values: &[f64]) -> Result<bool> {
    let numbers: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    part.doubles("levels", &numbers, &[numbers.len()])?;
    Ok(numbers.len() < values.len())
}

/// What [`store_levels`] stored, in order.
pub(super) fn restore_levels(part: &Reader<'_>, missing: bool) -> Result<Vec<f64>> {
    let (mut values, _) = part.doubles("levels")?;
    if values.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(part.error("levels out of order"));
    }
    values.extend(missing.then_some(f64::NAN));
    Ok(values)
}

/// The error of a level that was not learnt.
pub(super) fn unknown(op: &'static str, row: usize, column: usize, value: f64) -> Error {
    let message = format!(
        "row {row}, column {column} holds {value}, a level that was not there in the fit; set handle_unknown, or leave the row out"
    );
    Error::argument(op, message)
}
