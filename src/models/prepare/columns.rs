//! Columns of different kinds through different steps, joined to one matrix: scikit-learn's `ColumnTransformer`.

use super::chain::{Chain, Step, with_features};
use super::text::takes_texts;
use super::transformer::{Feature, Transform, Transformer, names_of, plain_features};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::{Problem, Reader, Writer, check_width};
use ndarray::{Array2, Axis, concatenate};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Some columns through some steps, others through others; what the branches give stands side by side, in their order. Columns
/// are chosen by name (`x0`, `x1` … where none were given); by kind with [`Table::names_of`](crate::data::Table::names_of).
///
/// ```
/// use tilework::models::prepare::{Branch, ColumnTransformer, MinMaxScaler, Step, Transform, Transformer};
/// let settings = ColumnTransformer::default().branch(["x1"], [Step::of(&MinMaxScaler::default())]);
/// let fitted = settings.fit(&[[5.0, 1.0], [5.0, 3.0]])?;
/// assert_eq!(fitted.transform(&[[7.0, 2.0]])?, ndarray::array![[0.5]]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColumnTransformer {
    /// Which columns go through which steps.
    pub branches: Vec<Branch>,
    /// What becomes of columns that no branch takes.
    pub remainder: Remainder,
}

/// Some columns and their steps; no step passes them on as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The steps, one after another.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// What becomes of columns that no branch takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remainder {
    /// They are left out.
    #[default]
    Drop,
    /// They follow the branches as they are.
    Passthrough,
}

/// A fitted [`ColumnTransformer`].
#[derive(Debug)]
pub struct FittedColumnTransformer {
    width: usize,
    /// The positions of each branch's columns, and its steps.
    branches: Vec<(Vec<usize>, Chain)>,
}

impl ColumnTransformer {
    /// The same with one more branch.
    pub fn branch<S: Into<String>>(
        mut self,
        columns: impl IntoIterator<Item = S>,
        steps: impl IntoIterator<Item = Step>,
    ) -> ColumnTransformer {
        let columns = columns.into_iter().map(Into::into).collect();
        self.branches.push(Branch { columns, steps: steps.into_iter().collect() });
        self
    }

    /// The names of the columns that it takes; `None` when it takes all.
    pub(super) fn wanted(&self) -> Option<HashSet<&str>> {
        match self.remainder {
            Remainder::Passthrough => None,
            Remainder::Drop => Some(self.branches.iter().flat_map(|b| b.columns.iter().map(String::as_str)).collect()),
        }
    }

    /// The names of the columns that steps take as texts, and nothing else does.
    pub(super) fn free_texts(&self) -> HashSet<&str> {
        let looked_into = |branch: &Branch| branch.steps.first().is_some_and(|step| takes_texts(&step.kind));
        let (mut free, mut others) = (HashSet::new(), HashSet::new());
        for branch in &self.branches {
            let names = if looked_into(branch) { &mut free } else { &mut others };
            names.extend(branch.columns.iter().map(String::as_str));
        }
        &free - &others
    }

    /// The branches as positions, the remainder as one more.
    fn resolve<'a>(&'a self, features: &[Feature]) -> Result<Vec<(Vec<usize>, &'a [Step])>> {
        let place = |name: &String| {
            features.iter().position(|feature| feature.name == *name).ok_or_else(|| {
                let names = names_of(features).join(", ");
                Error::argument(Self::NAME, format!("no column of that name: given {name:?}; there are {names}"))
            })
        };
        let mut branches = Vec::new();
        for branch in &self.branches {
            let places = branch.columns.iter().map(place).collect::<Result<Vec<_>>>()?;
            branches.push((places, branch.steps.as_slice()));
        }
        if self.remainder == Remainder::Passthrough {
            let taken: HashSet<usize> = branches.iter().flat_map(|(places, _)| places.iter().copied()).collect();
            branches.push(((0..features.len()).filter(|i| !taken.contains(i)).collect(), &[]));
        }
        branches.retain(|(places, _)| !places.is_empty());
        match branches.is_empty() {
            true => {
                Err(Error::argument(Self::NAME, "no columns: every branch is empty; name some, or keep the remainder"))
            }
            false => Ok(branches),
        }
    }
}

impl Transformer for ColumnTransformer {
    type Fitted = FittedColumnTransformer;
    const NAME: &'static str = "column-transformer";

    fn takes_levels(&self) -> bool {
        true // its branches look for themselves
    }

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedColumnTransformer> {
        self.learn_and_apply(problem).map(|(fitted, _)| fitted)
    }

    fn learn_and_apply(&self, problem: &Problem<'_>) -> Result<(FittedColumnTransformer, Array2<f64>)> {
        problem.check_but_missing(Self::NAME)?;
        let features = plain_features(problem);
        let mut branches = Vec::new();
        let mut parts = Vec::new();
        for (places, steps) in self.resolve(&features)? {
            let (x, texts) = (problem.x.columns(&places)?, problem.x.texts_of(&places));
            let features = pick(&features, &places);
            let names = names_of(&features);
            let (chain, made) =
                Chain::learn(steps, &with_features(problem, Some(Matrix::with_texts(&x, &texts)), &names), &features)?;
            branches.push((places, chain));
            parts.push(made);
        }
        Ok((FittedColumnTransformer { width: problem.x.width(), branches }, beside(parts)?))
    }
}

impl Transform for FittedColumnTransformer {
    fn kind(&self) -> &'static str {
        ColumnTransformer::NAME
    }

    fn width(&self) -> usize {
        self.width
    }

    fn outputs(&self) -> usize {
        self.branches.iter().map(|(_, chain)| chain.outputs()).sum()
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_width(ColumnTransformer::NAME, self.width, x)?;
        let part = |(places, chain): &(Vec<usize>, Chain)| {
            let (x, texts) = (x.columns(places)?, x.texts_of(places));
            chain.apply(ColumnTransformer::NAME, Matrix::with_texts(&x, &texts))
        };
        beside(self.branches.iter().map(part).collect::<Result<Vec<_>>>()?)
    }

    /// As the branches name them; a name that comes twice has the number of its branch before it.
    fn features(&self, from: &[Feature]) -> Vec<Feature> {
        let parts: Vec<Vec<Feature>> =
            self.branches.iter().map(|(places, chain)| chain.features(&pick(from, places))).collect();
        let mut seen = HashSet::new();
        let twice: HashSet<String> =
            parts.iter().flatten().filter(|f| !seen.insert(f.name.as_str())).map(|f| f.name.clone()).collect();
        let name = |branch: usize, feature: Feature| match twice.contains(&feature.name) {
            true => Feature { name: format!("{branch}_{}", feature.name), ..feature },
            false => feature,
        };
        parts
            .into_iter()
            .enumerate()
            .flat_map(|(i, part)| part.into_iter().map(move |f| (i, f)))
            .map(|(i, f)| name(i, f))
            .collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let places: Vec<&[usize]> = self.branches.iter().map(|(places, _)| places.as_slice()).collect();
        out.note(&(self.width, places))?;
        self.branches.iter().enumerate().try_for_each(|(i, (_, chain))| chain.store(&mut out.part(&i.to_string())))
    }

    fn restore(from: &Reader<'_>) -> Result<FittedColumnTransformer> {
        let (width, places): (usize, Vec<Vec<usize>>) = from.note()?;
        let mut branches = Vec::with_capacity(places.len());
        for (i, places) in places.into_iter().enumerate() {
            let chain = Chain::restore(&from.part(&i.to_string()))?;
            if chain.width() != places.len() || places.iter().any(|&place| place >= width) {
                return Err(from.error(format!("branch {i}: its columns do not fit its steps")));
            }
            branches.push((places, chain));
        }
        match branches.is_empty() {
            true => Err(from.error("a column transformer without branches")),
            false => Ok(FittedColumnTransformer { width, branches }),
        }
    }
}

fn pick(features: &[Feature], places: &[usize]) -> Vec<Feature> {
    places.iter().filter_map(|&place| features.get(place)).cloned().collect()
}

fn beside(mut parts: Vec<Array2<f64>>) -> Result<Array2<f64>> {
    if parts.len() == 1
        && let Some(one) = parts.pop()
    {
        return Ok(one);
    }
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    concatenate(Axis(1), &views).map_err(|e| Error::internal(ColumnTransformer::NAME, e.to_string()))
}
