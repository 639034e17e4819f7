//! Row numbers dealt into a training and a held-out part, and into batches.

use crate::error::{Error, Result};
use rand::Rng;
use rand::seq::SliceRandom;
use std::collections::BTreeMap;

/// Row numbers of two parts that share none and together are all rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Rows to learn from, in random order.
    pub train: Vec<usize>,
    /// Rows to validate on, in random order.
    pub held_out: Vec<usize>,
}

/// Deals `rows` rows at random; `fraction` of them, rounded up, are held out.
///
/// # Errors
/// [`Error::Argument`] when the fraction is not between 0 and 1, or a part would be empty.
pub fn shuffled_split<R: Rng + ?Sized>(rows: usize, fraction: f64, rng: &mut R) -> Result<Split> {
    let held_out = held_out_count(rows, fraction)?;
    let mut held: Vec<usize> = (0..rows).collect();
    held.shuffle(rng);
    let train = held.split_off(held_out);
    Ok(Split { train, held_out: held })
}

/// Holds out the last of `rows` rows, `fraction` of them, rounded up: what is tested lies after what was learnt from.
///
/// # Errors
/// As [`shuffled_split`].
pub fn last_split(rows: usize, fraction: f64) -> Result<Split> {
    let first = rows - held_out_count(rows, fraction)?;
    Ok(Split { train: (0..first).collect(), held_out: (first..rows).collect() })
}

/// Deals rows at random, so that each class has the same share of both parts, as nearly as counts allow. Every class keeps
/// at least one row to learn from.
///
/// Each class holds out the whole part of its share; what is left goes to the classes with the largest remainders, the
/// lower class first.
///
/// # Errors
/// As [`shuffled_split`]; also when keeping one row of every class leaves too few to hold out.
pub fn stratified_split<R: Rng + ?Sized>(labels: &[u32], fraction: f64, rng: &mut R) -> Result<Split> {
    let wanted = held_out_count(labels.len(), fraction)?;
    let mut classes: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, &label) in labels.iter().enumerate() {
        classes.entry(label).or_default().push(row);
    }
    let sizes: Vec<usize> = classes.values().map(Vec::len).collect();
    let shares: Vec<f64> = sizes.iter().map(|&size| size as f64 * wanted as f64 / labels.len() as f64).collect();
    let mut takes: Vec<usize> = shares.iter().map(|share| share.floor() as usize).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by(|&a, &b| shares[b].fract().total_cmp(&shares[a].fract())); // stable: the lower class comes first
    let mut left = wanted.saturating_sub(takes.iter().sum());
    while left > 0 {
        let before = left;
        for &class in &order {
            if left > 0 && takes[class] + 1 < sizes[class] {
                takes[class] += 1;
                left -= 1;
            }
        }
        if left == before {
            let message = format!(
                "too few rows to hold out {wanted} of {} and keep one of each of {} classes; hold out less",
                labels.len(),
                sizes.len()
            );
            return Err(Error::argument("stratified_split", message));
        }
    }
    let mut split = Split { train: Vec::new(), held_out: Vec::new() };
    for (rows, take) in classes.values_mut().zip(takes) {
        rows.shuffle(rng);
        let (held_out, train) = rows.split_at(take);
        split.held_out.extend(held_out);
        split.train.extend(train);
    }
    split.train.shuffle(rng);
    split.held_out.shuffle(rng);
    Ok(split)
}

/// The batches of one pass over the rows in `order`: `size` rows each, the last one what is left.
///
/// ```
/// use tilework::data::batches;
/// let sizes: Vec<usize> = batches(&[4, 0, 3, 1, 2], 2)?.map(<[usize]>::len).collect();
/// assert_eq!(sizes, [2, 2, 1]);
/// # Ok::<(), tilework::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for a size of 0.
pub fn batches(order: &[usize], size: usize) -> Result<std::slice::Chunks<'_, usize>> {
    match size {
        0 => Err(Error::argument("batches", "batches of 0 rows never end; give at least 1")),
        _ => Ok(order.chunks(size)),
    }
}

fn held_out_count(rows: usize, fraction: f64) -> Result<usize> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(Error::argument("split", format!("fraction {fraction} to hold out; give one between 0 and 1")));
    }
    let count = (rows as f64 * fraction).ceil() as usize;
    if count == 0 || count >= rows {
        let message = format!("an empty part: {rows} rows with {fraction} held out; both parts need at least one row");
        return Err(Error::argument("split", message));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    /// splitmix64, <https://prng.di.unimi.it/splitmix64.c>.
    struct SplitMix(u64);

    impl rand::TryRng for SplitMix {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok((self.try_next_u64()? >> 32) as u32)
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            Ok(z ^ (z >> 31))
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            for chunk in bytes.chunks_mut(8) {
                chunk.copy_from_slice(&self.try_next_u64()?.to_le_bytes()[..chunk.len()]);
            }
            Ok(())
        }
    }

    fn sorted(split: &Split) -> Vec<usize> {
        let mut all = [split.train.clone(), split.held_out.clone()].concat();
        all.sort_unstable();
        all
    }

    #[test]
    fn the_same_seed_deals_the_same_parts_and_another_seed_others() {
        let deal = |seed| shuffled_split(100, 0.2, &mut SplitMix(seed)).unwrap();
        assert_eq!(deal(1), deal(1));
        assert_ne!(deal(1), deal(2));
        assert_eq!((deal(1).train.len(), deal(1).held_out.len()), (80, 20));
        assert!(deal(1).train.windows(2).any(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn a_stratified_split_keeps_the_shares_of_the_classes() {
        let labels: Vec<u32> = (0..100).map(|i| u32::from(i % 10 == 0)).collect(); // 90 and 10
        let split = stratified_split(&labels, 0.2, &mut SplitMix(3)).unwrap();
        assert_eq!(split.held_out.iter().filter(|&&row| labels[row] == 1).count(), 2);
        assert_eq!(split.held_out.len(), 20);
    }

    #[test]
    fn a_class_of_one_row_is_learned_from() {
        let labels = [0, 0, 0, 0, 7, 0, 0, 0, 0, 0];
        let split = stratified_split(&labels, 0.5, &mut SplitMix(1)).unwrap();
        assert!(split.train.contains(&4));
        assert_eq!(split.held_out.len(), 5);
        assert!(stratified_split(&[0, 1, 2], 0.5, &mut SplitMix(1)).is_err());
    }

    #[test]
    fn fractions_and_counts_that_leave_a_part_empty_are_refused() {
        for (rows, fraction) in [(10, 0.0), (10, 1.0), (10, -0.1), (10, f64::NAN), (0, 0.5), (1, 0.5), (3, 0.9)] {
            assert!(shuffled_split(rows, fraction, &mut SplitMix(1)).is_err(), "{rows} {fraction}");
        }
        assert!(batches(&[1], 0).is_err());
    }

    proptest! {
        #[test]
        fn no_row_is_lost_or_dealt_twice(labels in prop::collection::vec(0u32..4, 2..60), fraction in 0.01f64..0.99, seed: u64) {
            let all: Vec<usize> = (0..labels.len()).collect();
            if let Ok(split) = shuffled_split(labels.len(), fraction, &mut SplitMix(seed)) {
                prop_assert_eq!(sorted(&split), all.clone());
                if let Ok(stratified) = stratified_split(&labels, fraction, &mut SplitMix(seed)) {
                    prop_assert_eq!(sorted(&stratified), all);
                    prop_assert_eq!(stratified.held_out.len(), split.held_out.len());
                    for label in &labels {
                        prop_assert!(stratified.train.iter().any(|&row| labels[row] == *label));
                    }
                }
            }
        }
    }
}
