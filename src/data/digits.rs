//! The embedded set: 1,797 handwritten digits of 8 × 8 pixels.
//!
//! `digits.bin` is one stream of bits, lowest bit of each byte first. A row is 1 bit (1: test part), 4 bits of label, then 64
//! pixels from the top left, row by row: a 0 bit for a blank pixel, else a 1 bit and 4 bits of the value less 1. Half of all
//! pixels are blank, so this takes 45 kB where the CSV takes 265.

use super::dataset::{Dataset, Target};
use super::schema::{Schema, Task};
use crate::error::{Error, Result};

const BITS: &[u8] = include_bytes!("digits.bin");
const ROWS: usize = 1797;
const SIDE: usize = 8;

/// The two parts of [`digits`].
#[derive(Debug, Clone, PartialEq)]
pub struct Digits {
    /// 1,347 rows to learn from.
    pub train: Dataset,
    /// 450 rows to score on.
    pub test: Dataset,
}

/// Handwritten digits: 64 features `pixel_ROW_COLUMN` from 0 (blank) to 1, classes `0` to `9`, in a fixed stratified split.
///
/// Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998,
/// doi:10.24432/C50P49, CC BY 4.0; the test part of it, as bundled with scikit-learn. Values 0 to 16 are divided by 16.
///
/// ```
/// let digits = tilework::data::digits()?;
/// assert_eq!((digits.train.rows(), digits.test.rows()), (1347, 450));
/// # Ok::<(), tilework::Error>(())
/// ```
///
/// # Errors
/// None in a sound build: the data is part of the program.
pub fn digits() -> Result<Digits> {
    let names = (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| format!("pixel_{row}_{column}")));
    let classes = (0..10).map(|digit| digit.to_string()).collect();
    let (target, task) = ("digit".to_owned(), Task::Classes(classes));
    let schema = Schema { features: names.collect(), target, task, ignored: Vec::new() };
    let mut parts = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
    read(BITS, &mut parts).ok_or_else(|| Error::internal("digits", "the embedded data ends early"))?;
    let [train, test] = parts;
    Ok(Digits {
        train: Dataset::new(schema.clone(), train.0, Target::Labels(train.1))?,
        test: Dataset::new(schema, test.0, Target::Labels(test.1))?,
    })
}

/// Features and labels of the training and the test part; `None` when the stream ends early.
fn read(bytes: &[u8], parts: &mut [(Vec<f32>, Vec<u32>); 2]) -> Option<()> {
    let mut stream = bytes.iter().flat_map(|byte| (0..8).map(move |bit| u32::from(byte >> bit & 1)));
    let mut take = |count: u32| (0..count).try_fold(0, |value, bit| Some(value | stream.next()? << bit));
    for _ in 0..ROWS {
        let (features, labels) = &mut parts[take(1)? as usize];
        labels.push(take(4)?);
        for _ in 0..SIDE * SIDE {
            let value = if take(1)? == 0 { 0 } else { take(4)? + 1 };
            features.push(value as f32 / 16.0);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::{BASIS, fnv1a};

    fn labels(data: &Dataset) -> &[u32] {
        match data.target() {
            Target::Labels(labels) => labels,
            Target::Values(_) => panic!("digits are classes"),
        }
    }

    /// FNV-1a 64 of each row's 64 pixels and label as bytes.
    fn checksum(data: &Dataset) -> u64 {
        let rows = data.features().chunks(64).zip(labels(data));
        let bytes = rows.flat_map(|(row, &label)| row.iter().map(|&v| (v * 16.0) as u8).chain([label as u8]));
        fnv1a(BASIS, &bytes.collect::<Vec<_>>())
    }

    #[test]
    fn the_embedded_data_is_that_of_the_csv() {
        // Sums, counts and hashes were taken from scikit-learn's data in CSV form and the fixed split.
        let Digits { train, test } = digits().unwrap();
        assert_eq!((train.rows(), test.rows(), train.width()), (1347, 450, 64));
        assert_eq!(train.features().iter().map(|v| f64::from(*v) * 16.0).sum::<f64>(), 421_005.0);
        assert_eq!(test.features().iter().map(|v| f64::from(*v) * 16.0).sum::<f64>(), 140_713.0);
        assert_eq!((checksum(&train), checksum(&test)), (0x6ea2_5f05_8920_9f5a, 0x8198_3dbc_782c_0a08));
        let count =
            |data: &Dataset| (0..10).map(|c| labels(data).iter().filter(|&&l| l == c).count()).collect::<Vec<_>>();
        assert_eq!(count(&train), [133, 136, 133, 137, 136, 136, 136, 134, 131, 135]);
        assert_eq!(count(&test), [45, 46, 44, 46, 45, 46, 45, 45, 43, 45]);
    }

    #[test]
    fn the_first_row_is_a_zero_as_drawn() {
        let Digits { train, .. } = digits().unwrap();
        let top = [0, 0, 5, 13, 9, 1, 0, 0].map(|v| v as f32 / 16.0);
        assert_eq!((&train.features()[..8], labels(&train)[0]), (&top[..], 0));
        assert_eq!(train.schema().features[9], "pixel_1_1");
    }

    #[test]
    fn a_stream_cut_short_is_noticed() {
        assert!(read(&BITS[..BITS.len() - 1], &mut Default::default()).is_none());
    }
}
