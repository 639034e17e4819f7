//! A matrix that is mostly zeros, of which only the others are kept.

use super::matrix::Matrix;
use crate::error::{Error, Result};
use ndarray::Array2;
use std::ops::Range;

/// Rows of doubles, `[N, F]`, of which those that are not 0 are kept with their columns (CSR): the form of counts of words.
///
/// ```
/// use tilework::data::Sparse;
/// let x = Sparse::from_rows(4, [vec![(1, 2.0)], vec![], vec![(3, 1.0), (0, 5.0), (3, 1.0)]])?;
/// assert_eq!((x.rows(), x.width(), x.stored()), (3, 4, 3));
/// assert_eq!(x.row(2), (&[0, 3][..], &[5.0, 2.0][..]));
/// assert_eq!(x.to_dense().row(0).to_vec(), [0.0, 2.0, 0.0, 0.0]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sparse {
    width: usize,
    /// Where each row begins among the values, and where the last ends, `[N + 1]`.
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl Sparse {
    /// A matrix of its parts: `starts`, `[N + 1]`, says where each row begins among `columns` and `values`, and where the last
    /// ends; the columns of a row ascend.
    ///
    /// # Errors
    /// [`Error::Argument`] for parts that do not fit together, or columns at or beyond `width`.
    pub fn new(width: usize, starts: Vec<usize>, columns: Vec<u32>, values: Vec<f64>) -> Result<Sparse> {
        let wrong = |message: String| Err(Error::argument("sparse", message));
        if columns.len() != values.len() {
            return wrong(format!("{} columns and {} values; give as many", columns.len(), values.len()));
        }
        if starts.first() != Some(&0) || starts.last() != Some(&values.len()) || !starts.is_sorted() {
            return wrong(format!("starts begin at 0, ascend, and end at the number of values, {}", values.len()));
        }
        let matrix = Sparse { width, starts, columns, values };
        let fits = |columns: &[u32]| {
            columns.is_sorted_by(|a, b| a < b) && columns.last().is_none_or(|&c| (c as usize) < width)
        };
        match (0..matrix.rows()).find(|&row| !fits(matrix.row(row).0)) {
            Some(row) => wrong(format!("columns of row {row} do not ascend within {width}; sort them, each once")),
            None => Ok(matrix),
        }
    }

    /// A matrix of rows of columns and values in any order; values of one column are added up, zeros are dropped.
    ///
    /// # Errors
    /// [`Error::Argument`] for a column at or beyond `width`.
    pub fn from_rows(width: usize, rows: impl IntoIterator<Item = Vec<(u32, f64)>>) -> Result<Sparse> {
        let (mut starts, mut columns, mut values) = (vec![0], Vec::<u32>::new(), Vec::<f64>::new());
        for mut row in rows {
            row.sort_by_key(|&(column, _)| column); // stable: sums are in the order given
            for same in row.chunk_by(|a, b| a.0 == b.0) {
                let sum: f64 = same.iter().map(|(_, value)| value).sum();
                if let (Some((column, _)), true) = (same.first(), sum != 0.0) {
                    columns.push(*column);
                    values.push(sum);
                }
            }
            starts.push(values.len());
        }
        Sparse::new(width, starts, columns, values)
    }

    /// The values of any matrix that are not 0.
    ///
    /// # Errors
    /// [`Error::Argument`] for more columns than fit into 32 bits.
    pub fn of<'a>(x: impl Into<Matrix<'a>>) -> Result<Sparse> {
        let x = x.into();
        let row = |row: usize| x.block(row..row + 1).iter().zip(0..).map(|(&v, column)| (column, v)).collect();
        Sparse::from_rows(x.width(), (0..x.rows()).map(row))
    }

    /// The number of rows, `N`.
    pub fn rows(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The number of columns, `F`.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many values are kept.
    pub fn stored(&self) -> usize {
        self.values.len()
    }

    /// The columns of a row that are kept, ascending, and their values; none past the end.
    pub fn row(&self, row: usize) -> (&[u32], &[f64]) {
        let range = match (self.starts.get(row), self.starts.get(row + 1)) {
            (Some(&start), Some(&end)) => start..end,
            _ => 0..0,
        };
        (self.columns.get(range.clone()).unwrap_or_default(), self.values.get(range).unwrap_or_default())
    }

    /// Columns and values of a row together.
    pub fn entries(&self, row: usize) -> impl Iterator<Item = (usize, f64)> {
        let (columns, values) = self.row(row);
        columns.iter().map(|&column| column as usize).zip(values.iter().copied())
    }

    /// One value; NaN outside the matrix.
    pub fn get(&self, row: usize, column: usize) -> f64 {
        let (columns, values) = self.row(row);
        match columns.binary_search_by_key(&column, |&c| c as usize) {
            Ok(place) => values.get(place).copied().unwrap_or(f64::NAN),
            Err(_) if row < self.rows() && column < self.width => 0.0,
            Err(_) => f64::NAN,
        }
    }

    /// The product of a row with a vector, `[F]`.
    pub fn dot(&self, row: usize, v: &[f64]) -> f64 {
        self.entries(row).map(|(column, value)| value * v.get(column).copied().unwrap_or(0.0)).sum()
    }

    /// Adds a row, times a factor, to a vector, `[F]`.
    pub fn add_row(&self, row: usize, factor: f64, to: &mut [f64]) {
        for (column, value) in self.entries(row) {
            if let Some(to) = to.get_mut(column) {
                *to += factor * value;
            }
        }
    }

    /// The rows at `indices` in that order. A row may be taken more than once.
    ///
    /// # Errors
    /// [`Error::Argument`] for a row past the end.
    pub fn select(&self, indices: &[usize]) -> Result<Sparse> {
        if let Some(index) = indices.iter().find(|&&index| index >= self.rows()) {
            return Err(Error::argument("select", format!("row {index} of {}; count from 0", self.rows())));
        }
        let mut out = Sparse { width: self.width, starts: vec![0], columns: Vec::new(), values: Vec::new() };
        for &index in indices {
            let (columns, values) = self.row(index);
            out.columns.extend_from_slice(columns);
            out.values.extend_from_slice(values);
            out.starts.push(out.values.len());
        }
        Ok(out)
    }

    /// Each value as `f` gives it from its row, its column and itself. Zeros that are not kept stay 0.
    pub fn map(mut self, f: impl Fn(usize, usize, f64) -> f64) -> Sparse {
        for row in 0..self.rows() {
            let range = self.starts[row]..self.starts[row + 1];
            for at in range {
                self.values[at] = f(row, self.columns[at] as usize, self.values[at]);
            }
        }
        self
    }

    /// Some rows with their zeros, one after another.
    pub fn block(&self, rows: Range<usize>) -> Vec<f64> {
        let mut out = vec![0.0; rows.len() * self.width];
        for (row, out) in rows.zip(out.chunks_mut(self.width.max(1))) {
            self.add_row(row, 1.0, out);
        }
        out
    }

    /// The matrix with its zeros.
    pub fn to_dense(&self) -> Array2<f64> {
        let mut out = Array2::zeros((self.rows(), self.width));
        for row in 0..self.rows() {
            self.entries(row).for_each(|(column, value)| out[[row, column]] = value);
        }
        out
    }

    /// The place of the first value that is not as it should be.
    pub(super) fn first(&self, wrong: impl Fn(f64) -> bool) -> Option<(usize, usize)> {
        let at = |row| Some((row, self.entries(row).find(|&(_, value)| wrong(value))?.0));
        (0..self.rows()).find_map(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn parts_that_do_not_fit_together_are_refused() {
        let new = |starts: &[usize], columns: &[u32], values: &[f64]| {
            Sparse::new(3, starts.to_vec(), columns.to_vec(), values.to_vec())
        };
        assert!(new(&[0, 2, 2, 3], &[0, 2, 1], &[1.0, 2.0, 3.0]).is_ok());
        for (starts, columns, values) in [
            (&[][..], &[][..], &[][..]),
            (&[0, 1], &[0], &[]),
            (&[1, 1], &[0], &[1.0]),
            (&[0, 2], &[0], &[1.0]),
            (&[0, 2, 1], &[0], &[1.0]),
            (&[0, 1], &[3], &[1.0]),
            (&[0, 2], &[1, 1], &[1.0, 1.0]),
            (&[0, 2], &[2, 0], &[1.0, 1.0]),
        ] {
            assert!(new(starts, columns, values).is_err(), "{starts:?} {columns:?}");
        }
    }

    #[test]
    fn a_sparse_matrix_is_its_dense_one() {
        let dense = array![[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 4.0]];
        let x = Sparse::of(&dense).unwrap();
        assert_eq!((x.to_dense(), x.stored()), (dense.clone(), 3));
        assert_eq!(x.select(&[2, 0, 2]).unwrap().to_dense(), Matrix::from(&dense).select(&[2, 0, 2]).unwrap());
        assert!(x.select(&[3]).is_err());
        let (of, sparse) = (Matrix::from(&dense), Matrix::from(&x));
        assert_eq!((of.rows(), of.width()), (sparse.rows(), sparse.width()));
        assert_eq!((sparse.values(), sparse.block(1..9)), (of.values(), of.block(1..9)));
        for column in 0..4 {
            assert_eq!(of.column(column), sparse.column(column));
            (0..4).for_each(|row| assert_eq!(of.get(row, column).to_bits(), sparse.get(row, column).to_bits()));
        }
        assert_eq!(x.dot(2, &[1.0, 10.0, 100.0]), 399.0);
        let text =
            Matrix::from(&x.clone().map(|row, _, v| if row == 2 { f64::NAN } else { v })).check_finite("fit", None);
        assert!(text.unwrap_err().to_string().starts_with("fit: NaN in row 2, column 0"));
    }
}
