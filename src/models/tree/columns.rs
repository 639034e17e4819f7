//! Features as trees search them: each value as its rank among the distinct values of its column.

use super::sort::{ordered, radix};
use crate::data::Matrix;
use crate::device::cpu::parallel::for_chunks;
use crate::error::{Error, Result};

/// Columns of ranks. A split between two ranks is exact: nothing is rounded or binned.
#[derive(Debug)]
pub(super) struct Columns(Vec<Column>);

#[derive(Debug, Clone, Default)]
struct Column {
    /// The rank of each row's value.
    codes: Vec<u32>,
    /// The distinct values, ascending.
    values: Vec<f64>,
}

impl Columns {
    /// Sorts each column once.
    ///
    /// # Errors
    /// [`Error::Argument`] for 2³² rows or more.
    pub fn new(op: &'static str, x: Matrix<'_>, threads: usize) -> Result<Columns> {
        let rows = x.rows();
        if u32::try_from(rows).is_err() {
            return Err(Error::argument(op, format!("{rows} rows; trees take fewer than 2^32, so draw some of them")));
        }
        let mut columns = vec![Column::default(); x.width()];
        let work = 100 * rows as u64; // 12 ns a row and more, see WORK_PER_THREAD
        for_chunks(threads, &mut columns, 1, work, |feature, out| out.fill_with(|| Column::rank(&x.column(feature))));
        Ok(Columns(columns))
    }

    pub fn width(&self) -> usize {
        self.0.len()
    }

    /// The ranks of one column, `[N]`.
    pub fn codes(&self, feature: usize) -> &[u32] {
        self.0.get(feature).map_or(&[], |column| &column.codes)
    }

    /// The values that ranks of a column stand for.
    pub fn values(&self, feature: usize) -> &[f64] {
        self.0.get(feature).map_or(&[], |column| &column.values)
    }

    /// Half way between two ranks of a column; where rounding leaves nothing between them, the lower.
    pub fn between(&self, feature: usize, low: u32, high: u32) -> f64 {
        let value = |code: u32| self.values(feature).get(code as usize).copied().unwrap_or(0.0);
        middle(value(low), value(high))
    }
}

/// Half way between two numbers; where rounding leaves nothing between them, the lower.
pub(super) fn middle(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0; // halves first: the sum may be too large
    if middle >= low && middle < high { middle } else { low }
}

impl Column {
    fn rank(values: &[f64]) -> Column {
        let mut pairs: Vec<(u64, u32)> = values.iter().map(|&v| ordered(v)).zip(0..).collect();
        radix(&mut pairs, &mut Vec::new(), 0..64, 11, |pair| pair.0);
        let mut column = Column { codes: vec![0; values.len()], values: Vec::new() };
        let mut last = None;
        for &(key, row) in &pairs {
            let row = row as usize;
            if last != Some(key) {
                last = Some(key);
                column.values.push(values[row] + 0.0); // -0 is 0
            }
            column.codes[row] = column.values.len() as u32 - 1;
        }
        column
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_stand_for_distinct_values_in_order() {
        let x = ndarray::array![[3.0, -0.0], [-1.0, 0.0], [3.0, 1e300], [f64::MIN_POSITIVE, -1e300]];
        let columns = Columns::new("fit", (&x).into(), 2).unwrap();
        assert_eq!(columns.codes(0), [2, 0, 2, 1]);
        assert_eq!(columns.values(0), [-1.0, f64::MIN_POSITIVE, 3.0]);
        assert_eq!(columns.codes(1), [1, 1, 2, 0]);
        assert_eq!(columns.between(1, 0, 2), 0.0);
    }

    #[test]
    fn a_threshold_lies_below_the_right_value_even_between_neighbours() {
        let next = 1.0 + f64::EPSILON;
        let x = ndarray::array![[1.0], [next], [f64::MAX]];
        let columns = Columns::new("fit", (&x).into(), 1).unwrap();
        assert_eq!(columns.between(0, 0, 1), 1.0);
        assert!(columns.between(0, 1, 2).is_finite());
    }
}
