//! Levels by the answers of their rows.

use super::one_hot::{Levels, restore_levels, store_levels};
use super::transformer::{Feature, Transform, Transformer};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::{Answer, Problem, Reader, Writer, check_width};
use crate::rng::Rng;
use ndarray::Array2;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// Each level of a column becomes the mean answer of its rows, drawn towards the mean of all rows the more the fewer they are;
/// with more than two classes a column for each class: scikit-learn's `TargetEncoder`. A missing value is a level; levels that
/// were not there in the fit become the mean of all rows.
///
/// The rows of the fit itself are encoded by the answers of other rows ([`Transformer::learn_and_apply`], which pipelines use), or
/// a model behind it would find its answers among its features.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TargetEncoder {
    /// How many rows the mean of all counts as; found from the variances (empirical Bayes) when left out, `"auto"`.
    pub smooth: Option<f64>,
    /// How many parts the rows of the fit are dealt to; each is encoded by the others.
    pub cv: usize,
    /// Of the deal.
    pub seed: u64,
}

impl Default for TargetEncoder {
    fn default() -> TargetEncoder {
        TargetEncoder { smooth: None, cv: 5, seed: 0 }
    }
}

/// A fitted [`TargetEncoder`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedTargetEncoder {
    columns: Vec<Encoded>,
    /// The mean of all rows, one an output.
    pub target_mean: Vec<f64>,
}

/// The levels of a column and their encodings, `[levels, outputs]`.
#[derive(Debug, Clone, PartialEq)]
struct Encoded {
    values: Vec<f64>,
    codes: Array2<f64>,
}

impl Transformer for TargetEncoder {
    type Fitted = FittedTargetEncoder;
    const NAME: &'static str = "target-encoder";

    fn takes_levels(&self) -> bool {
        true
    }

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedTargetEncoder> {
        problem.check_but_missing(Self::NAME)?;
        if self.smooth.is_some_and(|smooth| !(smooth.is_finite() && smooth >= 0.0)) {
            return Err(Error::argument(
                Self::NAME,
                "smooth is a number of rows, 0 or more; give one, or none for auto",
            ));
        }
        let outputs = answers(problem)?;
        let target_mean: Vec<f64> = outputs.iter().map(|y| y.iter().sum::<f64>() / y.len() as f64).collect();
        let column = |i: usize| self.encode(&problem.x.column(i), &outputs, &target_mean);
        Ok(FittedTargetEncoder { columns: (0..problem.x.width()).map(column).collect(), target_mean })
    }

    fn learn_and_apply(&self, problem: &Problem<'_>) -> Result<(FittedTargetEncoder, Array2<f64>)> {
        let fitted = self.learn(problem)?;
        let rows = problem.x.rows();
        if self.cv < 2 {
            return Err(Error::argument(Self::NAME, format!("cv {}; give at least 2", self.cv)));
        }
        let mut order: Vec<usize> = (0..rows).collect();
        order.shuffle(&mut Rng::seed(self.seed));
        if let Answer::Labels { of, .. } = problem.y {
            order.sort_by_key(|&row| of.get(row)); // dealt class by class: each part has its share of each
        }
        let mut out = Array2::zeros((rows, fitted.outputs()));
        for part in 0..self.cv.min(rows) {
            let (order, cv) = (&order, self.cv);
            let dealt = |own: bool| {
                let mine = move |(place, _): &(usize, &usize)| (place % cv == part) == own;
                order.iter().enumerate().filter(mine).map(|(_, &row)| row)
            };
            let (own, others): (Vec<usize>, Vec<usize>) = (dealt(true).collect(), dealt(false).collect());
            if others.is_empty() {
                out.rows_mut().into_iter().for_each(|mut row| {
                    row.iter_mut().zip(fitted.target_mean.iter().cycle()).for_each(|(cell, mean)| *cell = *mean);
                });
                break;
            }
            let rest = problem.select(&others)?;
            let encoder = self.learn(&rest.problem(problem))?;
            let made = encoder.apply((&problem.x.select(&own)?).into())?;
            own.iter().zip(made.rows()).for_each(|(&row, made)| out.row_mut(row).assign(&made));
        }
        Ok((fitted, out))
    }
}

/// The answers as numbers: themselves, or 1 for a class and 0 for the others; of two classes the second is enough.
fn answers(problem: &Problem<'_>) -> Result<Vec<Vec<f64>>> {
    let of_class = |of: &[u32], class: usize| of.iter().map(|&label| f64::from(label as usize == class)).collect();
    match problem.y {
        Answer::Values(values) => Ok(vec![values.to_vec()]),
        Answer::Labels { of, classes } if classes <= 2 => Ok(vec![of_class(of, 1)]),
        Answer::Labels { of, classes } => Ok((0..classes).map(|class| of_class(of, class)).collect()),
        Answer::None => {
            Err(Error::argument(TargetEncoder::NAME, "learns from answers: given none; give numbers or classes"))
        }
    }
}

impl TargetEncoder {
    fn encode(&self, column: &[f64], outputs: &[Vec<f64>], means: &[f64]) -> Encoded {
        let (values, counts) = Levels::count(column);
        let places: Vec<usize> = column.iter().filter_map(|&v| Levels::place(&values, v)).collect();
        let mut codes = Array2::zeros((values.len(), outputs.len()));
        for ((y, &mean), mut codes) in outputs.iter().zip(means).zip(codes.columns_mut()) {
            let mut sums = vec![0.0; values.len()];
            places.iter().zip(y).for_each(|(&place, y)| sums[place] += y);
            let mut squares = vec![0.0; values.len()]; // about the level's own mean
            places.iter().zip(y).for_each(|(&p, y)| squares[p] += (y - sums[p] / counts[p] as f64).powi(2));
            let variance = y.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / y.len() as f64;
            for (place, code) in codes.iter_mut().enumerate() {
                let count = counts[place] as f64;
                *code = match self.smooth {
                    Some(smooth) => (sums[place] + smooth * mean) / (count + smooth),
                    None if variance == 0.0 => mean,
                    // Micci-Barreca, SIGKDD Explorations 3 (2001), equations 5 and 6.
                    None => {
                        let trust = variance * count / (variance * count + squares[place] / count);
                        trust * sums[place] / count + (1.0 - trust) * mean
                    }
                };
            }
        }
        Encoded { values, codes }
    }
}

impl Transform for FittedTargetEncoder {
    fn kind(&self) -> &'static str {
        TargetEncoder::NAME
    }

    fn width(&self) -> usize {
        self.columns.len()
    }

    fn outputs(&self) -> usize {
        self.columns.len() * self.target_mean.len()
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_width(TargetEncoder::NAME, self.width(), x)?;
        let each = self.target_mean.len();
        let mut out = Array2::zeros((x.rows(), self.outputs()));
        for (column, encoded) in self.columns.iter().enumerate() {
            for (row, value) in x.column(column).into_iter().enumerate() {
                let place = Levels::place(&encoded.values, value);
                for (output, mean) in self.target_mean.iter().enumerate() {
                    out[[row, column * each + output]] = place.map_or(*mean, |place| encoded.codes[[place, output]]);
                }
            }
        }
        Ok(out)
    }

    fn features(&self, from: &[Feature]) -> Vec<Feature> {
        let each = self.target_mean.len();
        let names = |feature: &Feature| match each {
            1 => vec![feature.name.clone()],
            _ => (0..each).map(|class| format!("{}_{class}", feature.name)).collect(),
        };
        from.iter().flat_map(names).map(Feature::number).collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&self.columns.len())?;
        out.doubles("mean", &self.target_mean, &[self.target_mean.len()])?;
        for (i, encoded) in self.columns.iter().enumerate() {
            let mut part = out.part(&i.to_string());
            let missing = store_levels(&mut part, &encoded.values)?;
            part.note(&missing)?;
            part.matrix("codes", &encoded.codes)?;
        }
        Ok(())
    }

    fn restore(from: &Reader<'_>) -> Result<FittedTargetEncoder> {
        let width: usize = from.note()?;
        let (target_mean, _) = from.doubles("mean")?;
        let mut columns = Vec::new();
        for i in 0..width {
            let part = from.part(&i.to_string());
            let values = restore_levels(&part, part.note()?)?;
            let codes = part.matrix("codes")?;
            if codes.dim() != (values.len(), target_mean.len()) {
                return Err(part.error(format!("column {i}: its levels do not fit its codes")));
            }
            columns.push(Encoded { values, codes });
        }
        Ok(FittedTargetEncoder { columns, target_mean })
    }
}
