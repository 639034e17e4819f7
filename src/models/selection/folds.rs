//! Rows dealt into folds, each tested once by what was learnt on others: scikit-learn's splitters.

use crate::error::{Error, Result};
use crate::rng::Rng;
use rand::seq::SliceRandom;
use std::collections::BTreeMap;

/// Rows to learn from and rows to test on; none is in both. In ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Rows to learn from.
    pub train: Vec<usize>,
    /// Rows to test on.
    pub test: Vec<usize>,
}

/// Folds of as many rows each, in order or shuffled: scikit-learn's `KFold`.
///
/// ```
/// use tilework::models::selection::KFold;
/// let folds = KFold { n_splits: 2, shuffle: None }.split(5)?;
/// assert_eq!((&folds[0].test[..], &folds[1].test[..]), (&[0, 1, 2][..], &[3, 4][..]));
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KFold {
    /// How many.
    pub n_splits: usize,
    /// The seed of a shuffle; rows keep their order without one.
    pub shuffle: Option<u64>,
}

/// Folds with the same share of each class, as nearly as counts allow: scikit-learn's `StratifiedKFold`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StratifiedKFold {
    /// How many.
    pub n_splits: usize,
    /// The seed of a shuffle; rows keep their order without one.
    pub shuffle: Option<u64>,
}

/// Folds that keep the rows of a group (a patient, a customer) together, of sizes as equal as that allows: scikit-learn's
/// `GroupKFold`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupKFold {
    /// How many.
    pub n_splits: usize,
}

/// Folds that never look ahead: each learns from all rows before those it is tested on. scikit-learn's `TimeSeriesSplit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSeriesSplit {
    /// How many.
    pub n_splits: usize,
    /// Rows left out between those to learn from and those to test on.
    pub gap: usize,
    /// Rows of a test; a share of `n_splits + 1` of all when left out.
    pub test_size: Option<usize>,
    /// The most rows to learn from, the latest ones; all when left out.
    pub max_train_size: Option<usize>,
}

impl Default for KFold {
    fn default() -> KFold {
        KFold { n_splits: 5, shuffle: None }
    }
}

impl Default for StratifiedKFold {
    fn default() -> StratifiedKFold {
        StratifiedKFold { n_splits: 5, shuffle: None }
    }
}

impl Default for GroupKFold {
    fn default() -> GroupKFold {
        GroupKFold { n_splits: 5 }
    }
}

impl Default for TimeSeriesSplit {
    fn default() -> TimeSeriesSplit {
        TimeSeriesSplit { n_splits: 5, gap: 0, test_size: None, max_train_size: None }
    }
}

/// Two folds at least, and no more than there are `what`.
fn check(op: &'static str, n_splits: usize, many: usize, what: &str) -> Result<()> {
    match n_splits >= 2 && n_splits <= many {
        true => Ok(()),
        false => Err(Error::argument(op, format!("{n_splits} folds of {many} {what}; give 2 to {many}"))),
    }
}

/// The folds that test each row in the fold that it was dealt to.
fn dealt(fold_of: &[usize], n_splits: usize) -> Vec<Fold> {
    let rows = |fold: usize, within: bool| (0..fold_of.len()).filter(|&row| (fold_of[row] == fold) == within).collect();
    (0..n_splits).map(|fold| Fold { train: rows(fold, false), test: rows(fold, true) }).collect()
}

impl KFold {
    /// Deals rows `0..rows`; the first folds are one larger where the number does not divide.
    ///
    /// # Errors
    /// [`Error::Argument`] for fewer than two folds, or more than rows.
    pub fn split(&self, rows: usize) -> Result<Vec<Fold>> {
        check("KFold", self.n_splits, rows, "rows")?;
        let mut order: Vec<usize> = (0..rows).collect();
        if let Some(seed) = self.shuffle {
            order.shuffle(&mut Rng::seed(seed));
        }
        let (size, larger) = (rows / self.n_splits, rows % self.n_splits);
        let mut fold_of = vec![0; rows];
        for (place, &row) in order.iter().enumerate() {
            let in_larger = larger * (size + 1);
            fold_of[row] = if place < in_larger { place / (size + 1) } else { larger + (place - in_larger) / size };
        }
        Ok(dealt(&fold_of, self.n_splits))
    }
}

impl StratifiedKFold {
    /// Deals as many rows as labels. A class with fewer rows than folds is missing in some.
    ///
    /// # Errors
    /// [`Error::Argument`] for fewer than two folds, or more than the commonest class has rows.
    pub fn split(&self, labels: &[u32]) -> Result<Vec<Fold>> {
        let mut classes: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (row, &label) in labels.iter().enumerate() {
            classes.entry(label).or_default().push(row);
        }
        let commonest = classes.values().map(Vec::len).max().unwrap_or(0);
        check("StratifiedKFold", self.n_splits, commonest, "rows of the commonest class")?;
        let mut classes: Vec<Vec<usize>> = classes.into_values().collect();
        classes.sort_by_key(|rows| rows.first().copied()); // scikit-learn's order: of first appearance
        let mut rng = self.shuffle.map(Rng::seed);
        let mut fold_of = vec![0; labels.len()];
        let mut place = 0;
        for rows in classes {
            // The sorted labels are dealt round in turn, and each class gets as many rows in each fold as fall to it.
            let mut shares = vec![0; self.n_splits];
            rows.iter().zip(place..).for_each(|(_, place)| shares[place % self.n_splits] += 1);
            place += rows.len();
            let mut folds: Vec<usize> =
                shares.iter().enumerate().flat_map(|(fold, &share)| std::iter::repeat_n(fold, share)).collect();
            if let Some(rng) = &mut rng {
                folds.shuffle(rng);
            }
            rows.iter().zip(folds).for_each(|(&row, fold)| fold_of[row] = fold);
        }
        Ok(dealt(&fold_of, self.n_splits))
    }
}

impl GroupKFold {
    /// Deals as many rows as there are entries in `groups`: the largest group first, each to the fold with fewest rows.
    ///
    /// # Errors
    /// [`Error::Argument`] for fewer than two folds, or more than groups.
    pub fn split(&self, groups: &[u32]) -> Result<Vec<Fold>> {
        let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
        groups.iter().for_each(|&group| *sizes.entry(group).or_default() += 1);
        check("GroupKFold", self.n_splits, sizes.len(), "groups")?;
        let mut order: Vec<(u32, usize)> = sizes.into_iter().collect();
        order.sort_by_key(|&(_, size)| size);
        let (mut rows, mut fold_of_group) = (vec![0; self.n_splits], BTreeMap::new());
        for (group, size) in order.into_iter().rev() {
            let lightest = (0..self.n_splits).min_by_key(|&fold| rows[fold]).unwrap_or(0);
            rows[lightest] += size;
            fold_of_group.insert(group, lightest);
        }
        let fold_of: Vec<usize> = groups.iter().map(|group| fold_of_group.get(group).copied().unwrap_or(0)).collect();
        Ok(dealt(&fold_of, self.n_splits))
    }
}

impl TimeSeriesSplit {
    /// Splits rows `0..rows`, which are in the order of time.
    ///
    /// # Errors
    /// [`Error::Argument`] when the rows do not suffice for the folds, their gaps and one row to learn from.
    pub fn split(&self, rows: usize) -> Result<Vec<Fold>> {
        const OP: &str = "TimeSeriesSplit";
        check(OP, self.n_splits, rows.saturating_sub(1), "rows after the first")?;
        let size = self.test_size.unwrap_or(rows / (self.n_splits + 1));
        let tested = size.checked_mul(self.n_splits).and_then(|tested| tested.checked_add(self.gap));
        if size == 0 || self.max_train_size == Some(0) || tested.is_none_or(|tested| tested >= rows) {
            let message = format!(
                "{rows} rows are too few for {} tests of {size} rows, a gap of {} and rows to learn from; give less of them",
                self.n_splits, self.gap
            );
            return Err(Error::argument(OP, message));
        }
        let first = rows - size * self.n_splits;
        let fold = |start: usize| {
            let end = start - self.gap;
            let begin = self.max_train_size.map_or(0, |most| end.saturating_sub(most));
            Fold { train: (begin..end).collect(), test: (start..start + size).collect() }
        };
        Ok((0..self.n_splits).map(|i| fold(first + i * size)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests(folds: &[Fold]) -> Vec<Vec<usize>> {
        folds.iter().map(|fold| fold.test.clone()).collect()
    }

    /// What scikit-learn 1.9.1 gives.
    #[test]
    fn folds_are_those_of_scikit_learn() {
        let folds = KFold { n_splits: 3, shuffle: None }.split(8).unwrap();
        assert_eq!(tests(&folds), [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7]]);
        assert_eq!(folds[1].train, [0, 1, 2, 6, 7]);
        let labels = [2, 0, 0, 1, 2, 2, 1, 0, 0, 2, 2];
        let folds = StratifiedKFold { n_splits: 3, shuffle: None }.split(&labels).unwrap();
        assert_eq!(tests(&folds), [vec![0, 1, 3, 4], vec![2, 5, 6, 9], vec![7, 8, 10]]);
        let groups = [0, 0, 1, 2, 2, 2, 3, 3, 4];
        let folds = GroupKFold { n_splits: 3 }.split(&groups).unwrap();
        assert_eq!(tests(&folds), [vec![3, 4, 5], vec![6, 7, 8], vec![0, 1, 2]]);
        let folds = TimeSeriesSplit { n_splits: 3, gap: 1, ..TimeSeriesSplit::default() }.split(10).unwrap();
        assert_eq!(tests(&folds), [vec![4, 5], vec![6, 7], vec![8, 9]]);
        assert_eq!(folds[0].train, [0, 1, 2]);
        let short = TimeSeriesSplit { n_splits: 2, test_size: Some(2), max_train_size: Some(3), gap: 0 };
        assert_eq!(short.split(9).unwrap()[1].train, [4, 5, 6]);
    }

    #[test]
    fn every_row_is_tested_once_and_never_learnt_from_there() {
        let labels: Vec<u32> = (0..47).map(|i| u32::from(i % 5 == 0) + u32::from(i % 11 == 0)).collect();
        let all = [
            KFold { n_splits: 4, shuffle: Some(1) }.split(47).unwrap(),
            StratifiedKFold { n_splits: 4, shuffle: Some(1) }.split(&labels).unwrap(),
            GroupKFold { n_splits: 3 }.split(&labels).unwrap(),
        ];
        for folds in all {
            let mut tested: Vec<usize> = tests(&folds).concat();
            tested.sort_unstable();
            assert_eq!(tested, (0..47).collect::<Vec<_>>());
            for fold in folds {
                assert_eq!(fold.train.len() + fold.test.len(), 47);
                assert!(fold.test.iter().all(|row| fold.train.binary_search(row).is_err()));
            }
        }
        let tested = |shuffle| tests(&KFold { n_splits: 4, shuffle }.split(47).unwrap());
        assert_ne!(tested(Some(1)), tested(None));
    }

    #[test]
    fn folds_that_cannot_be_dealt_are_refused() {
        for n_splits in [0, 1, 6] {
            assert!(KFold { n_splits, shuffle: None }.split(5).is_err());
            assert!(StratifiedKFold { n_splits, shuffle: None }.split(&[0, 0, 1, 1, 1]).is_err());
            assert!(GroupKFold { n_splits }.split(&[0, 1, 2, 2, 2]).is_err());
            assert!(TimeSeriesSplit { n_splits, ..TimeSeriesSplit::default() }.split(5).is_err());
        }
        assert!(TimeSeriesSplit { gap: usize::MAX, ..TimeSeriesSplit::default() }.split(50).is_err());
        assert!(TimeSeriesSplit { test_size: Some(usize::MAX), ..TimeSeriesSplit::default() }.split(50).is_err());
    }
}
