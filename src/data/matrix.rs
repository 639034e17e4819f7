//! A matrix of features as models read it, whatever the caller keeps it in.

use super::sparse::Sparse;
use crate::device::cpu::parallel;
use crate::device::{Device, host_threads};
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use ndarray::{Array2, ArrayView2, Axis};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Rows of features to read, `[N, F]`: a view, so nothing is copied to make one. Whatever models are given as `x` becomes one:
/// an `Array2` or view of `f64` or `f32`, an array of arrays, or a [`Sparse`] matrix.
///
/// ```
/// use tilework::data::Matrix;
/// let x = Matrix::from(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
/// assert_eq!((x.rows(), x.width()), (3, 2));
/// assert_eq!(x.column(1), [2.0, 4.0, 6.0]);
/// assert_eq!(*x.block(1..3), [3.0, 4.0, 5.0, 6.0]);
/// ```
#[derive(Debug, Clone, Copy)]
pub enum Matrix<'a> {
    /// Of doubles.
    F64(ArrayView2<'a, f64>),
    /// Of singles; each is read as the double that it is.
    F32(ArrayView2<'a, f32>),
    /// Mostly zeros, which are not kept. Linear models and naive Bayes of counts learn from it as it is; whatever else reads it
    /// makes it dense, and [`Problem::check`](crate::models::Problem::check) refuses what would not fit.
    Sparse(&'a Sparse),
    /// Doubles of which some columns stand for texts: positions in that column's list, which is empty for plain numbers.
    Texts(ArrayView2<'a, f64>, &'a [Arc<[String]>]),
}

/// A matrix of features that is owned.
#[derive(Debug, Clone, PartialEq)]
pub enum Features {
    /// Doubles.
    Dense(Array2<f64>),
    /// Mostly zeros.
    Sparse(Sparse),
}

impl Features {
    /// A view of them.
    pub fn matrix(&self) -> Matrix<'_> {
        match self {
            Features::Dense(x) => x.into(),
            Features::Sparse(x) => x.into(),
        }
    }

    /// All values, zeros too.
    pub fn into_dense(self) -> Array2<f64> {
        match self {
            Features::Dense(x) => x,
            Features::Sparse(x) => x.to_dense(),
        }
    }
}

impl<'a> Matrix<'a> {
    /// The number of rows, `N`.
    pub fn rows(&self) -> usize {
        match self {
            Matrix::F64(x) | Matrix::Texts(x, _) => x.nrows(),
            Matrix::F32(x) => x.nrows(),
            Matrix::Sparse(x) => x.rows(),
        }
    }

    /// The number of features, `F`.
    pub fn width(&self) -> usize {
        match self {
            Matrix::F64(x) | Matrix::Texts(x, _) => x.ncols(),
            Matrix::F32(x) => x.ncols(),
            Matrix::Sparse(x) => x.width(),
        }
    }

    /// The same view for a shorter time: the compiler does not shorten it by itself.
    pub fn reborrow(&self) -> Matrix<'_> {
        match self {
            Matrix::F64(x) => Matrix::F64(x.reborrow()),
            Matrix::F32(x) => Matrix::F32(x.reborrow()),
            Matrix::Sparse(x) => Matrix::Sparse(x),
            Matrix::Texts(x, texts) => Matrix::Texts(x.reborrow(), texts),
        }
    }

    /// The texts that the numbers of a column stand for; none of a column of plain numbers.
    pub fn texts(&self, column: usize) -> Option<&'a Arc<[String]>> {
        match self {
            Matrix::Texts(_, texts) => texts.get(column).filter(|texts| !texts.is_empty()),
            _ => None,
        }
    }

    /// Doubles of which some columns stand for texts, where any of these lists has some.
    pub fn with_texts(x: &'a Array2<f64>, texts: &'a [Arc<[String]>]) -> Matrix<'a> {
        match texts.iter().any(|texts| !texts.is_empty()) {
            true => Matrix::Texts(x.view(), texts),
            false => x.into(),
        }
    }

    /// The texts of some columns, none of one of plain numbers.
    pub fn texts_of(&self, columns: &[usize]) -> Vec<Arc<[String]>> {
        columns.iter().map(|&column| self.texts(column).cloned().unwrap_or_default()).collect()
    }

    /// The same with the texts of another matrix of these columns, where that has any.
    pub fn with_texts_of<'b: 'a>(self, whole: &Matrix<'b>) -> Matrix<'a> {
        match (self, whole) {
            (Matrix::F64(x), Matrix::Texts(_, texts)) => Matrix::Texts(x, texts),
            (x, _) => x,
        }
    }

    /// One value; NaN outside the matrix.
    pub fn get(&self, row: usize, column: usize) -> f64 {
        match self {
            Matrix::F64(x) | Matrix::Texts(x, _) => x.get((row, column)).copied().unwrap_or(f64::NAN),
            Matrix::Sparse(x) => x.get(row, column),
            Matrix::F32(x) => x.get((row, column)).map_or(f64::NAN, |&v| f64::from(v)),
        }
    }

    /// The values of one feature, `[N]`; none outside the matrix.
    pub fn column(&self, column: usize) -> Vec<f64> {
        if column >= self.width() {
            return Vec::new();
        }
        match self {
            Matrix::F64(x) | Matrix::Texts(x, _) => x.column(column).to_vec(),
            Matrix::Sparse(x) => (0..x.rows()).map(|row| x.get(row, column)).collect(),
            Matrix::F32(x) => x.column(column).iter().map(|&v| f64::from(v)).collect(),
        }
    }

    /// Some rows after another, row by row, as doubles; borrowed where they lie so already. A range is cut at the last row.
    pub fn block(&self, rows: Range<usize>) -> Cow<'a, [f64]> {
        let end = rows.end.min(self.rows());
        let rows = rows.start.min(end)..end;
        let within = ndarray::Slice::from(rows.clone());
        match *self {
            Matrix::Sparse(x) => Cow::Owned(x.block(rows)),
            Matrix::F64(x) | Matrix::Texts(x, _) => {
                let part = x.slice_axis_move(Axis(0), within);
                match part.to_slice() {
                    Some(values) => Cow::Borrowed(values),
                    None => Cow::Owned(part.iter().copied().collect()),
                }
            }
            Matrix::F32(x) => {
                let part = x.slice_axis_move(Axis(0), within);
                match part.to_slice() {
                    Some(values) => Cow::Owned(values.iter().map(|&v| f64::from(v)).collect()), // whole vectors at a time
                    None => Cow::Owned(part.iter().map(|&v| f64::from(v)).collect()),
                }
            }
        }
    }

    /// All of it as doubles, row by row; borrowed where it lies so already.
    pub fn values(&self) -> Cow<'a, [f64]> {
        self.block(0..self.rows())
    }

    /// The rows at `indices` in that order, copied. A row may be taken more than once.
    ///
    /// # Errors
    /// [`Error::Argument`] for an index past the end.
    pub fn select(&self, indices: &[usize]) -> Result<Array2<f64>> {
        if let Some(index) = indices.iter().find(|&&index| index >= self.rows()) {
            return Err(Error::argument("select", format!("row {index} of {}; count from 0", self.rows())));
        }
        Ok(match self {
            Matrix::F64(x) | Matrix::Texts(x, _) => x.select(Axis(0), indices),
            Matrix::F32(x) => x.select(Axis(0), indices).mapv(f64::from),
            Matrix::Sparse(x) => x.select(indices)?.to_dense(),
        })
    }

    /// As [`Matrix::select`], sparse where the matrix is.
    ///
    /// # Errors
    /// As [`Matrix::select`].
    pub fn take(&self, indices: &[usize]) -> Result<Features> {
        match self {
            Matrix::Sparse(x) => x.select(indices).map(Features::Sparse),
            _ => self.select(indices).map(Features::Dense),
        }
    }

    /// The columns at `places` in that order, copied.
    ///
    /// # Errors
    /// [`Error::Argument`] for a column past the end.
    pub fn columns(&self, places: &[usize]) -> Result<Array2<f64>> {
        if let Some(place) = places.iter().find(|&&place| place >= self.width()) {
            return Err(Error::argument("columns", format!("column {place} of {}; count from 0", self.width())));
        }
        Ok(match self {
            Matrix::F64(x) | Matrix::Texts(x, _) => x.select(Axis(1), places),
            Matrix::F32(x) => x.select(Axis(1), places).mapv(f64::from),
            Matrix::Sparse(x) => Array2::from_shape_fn((x.rows(), places.len()), |(i, j)| x.get(i, places[j])),
        })
    }

    /// Refuses NaN and infinity, naming the first by row and column.
    ///
    /// # Errors
    /// [`Error::NonFinite`]. `names` are those of the columns, where known.
    pub fn check_finite(&self, op: &'static str, names: Option<&[String]>) -> Result<()> {
        self.check(op, names, f64::is_finite)
    }

    /// Refuses infinity alone: NaN stands for a missing value, in the models that know what to do with one.
    ///
    /// # Errors
    /// As [`Matrix::check_finite`].
    pub fn check_not_infinite(&self, op: &'static str, names: Option<&[String]>) -> Result<()> {
        self.check(op, names, |v| !v.is_infinite())
    }

    fn check(&self, op: &'static str, names: Option<&[String]>, good: impl Fn(f64) -> bool + Sync) -> Result<()> {
        let position = match self {
            Matrix::F64(x) | Matrix::Texts(x, _) => first(*x, |&v| !good(v)),
            Matrix::F32(x) => first(*x, |&v| !good(f64::from(v))),
            Matrix::Sparse(x) => x.first(|v| !good(v)),
        };
        let Some((row, column)) = position else { return Ok(()) };
        let name = names.and_then(|names| names.get(column)).map_or_else(String::new, |name| format!(" ({name})"));
        let value = self.get(row, column);
        let advice = match value.is_nan() {
            true => "fill missing values first (SimpleImputer), or drop the row",
            false => "correct it or drop the row",
        };
        let bad = match self {
            Matrix::F64(x) | Matrix::Texts(x, _) => x.iter().filter(|&&v| !good(v)).count(),
            Matrix::F32(x) => x.iter().filter(|&&v| !good(f64::from(v))).count(),
            Matrix::Sparse(x) => (0..x.rows()).flat_map(|row| x.entries(row)).filter(|&(_, v)| !good(v)).count(),
        };
        let more = if bad > 1 { format!(" ({} more like it)", bad - 1) } else { String::new() };
        let message = format!("{value} in row {row}, column {column}{name}{more}; {advice}");
        Err(Error::NonFinite { op, message })
    }

    /// The matrix as singles on a device, `[N, F]`.
    ///
    /// # Errors
    /// [`Error::NonFinite`] for a number beyond `f32`; not enough memory; a lost device.
    pub fn to_tensor(&self, device: &Device) -> Result<Tensor> {
        let shape = [self.rows(), self.width()];
        match self {
            Matrix::F32(x) => Tensor::from_ndarray(x, device),
            Matrix::Sparse(x) => return Matrix::from(&x.to_dense()).to_tensor(device),
            Matrix::F64(x) | Matrix::Texts(x, _) => {
                let narrow: Vec<f32> = x.iter().map(|&v| v as f32).collect();
                if let Some((row, column)) = first(*x, |&v| v.is_finite() && !(v as f32).is_finite()) {
                    let value = self.get(row, column);
                    let message =
                        format!("{value:e} in row {row}, column {column} is beyond 32-bit floats; scale the column");
                    return Err(Error::NonFinite { op: "to_tensor", message });
                }
                Tensor::from_vec(narrow, shape, device)
            }
        }
        .check()
        .cloned()
    }
}

fn first<T: Sync>(x: ArrayView2<'_, T>, found: impl Fn(&T) -> bool + Sync) -> Option<(usize, usize)> {
    const PART: usize = 1 << 15; // values
    let part = PART.div_ceil(x.ncols().max(1));
    let search = |rows: Range<usize>| {
        rows.clone().zip(x.slice_axis(Axis(0), rows.into()).rows()).find_map(|(row, values)| {
            let any = values.iter().fold(false, |any, v| any | found(v)); // without a branch it takes whole vectors
            let column = any.then(|| values.iter().position(&found)).flatten()?;
            Some((row, column))
        })
    };
    parallel::map_reduce(host_threads(), x.nrows(), part, PART as u64, search, Option::or).flatten()
}

impl<'a> From<ArrayView2<'a, f64>> for Matrix<'a> {
    fn from(x: ArrayView2<'a, f64>) -> Matrix<'a> {
        Matrix::F64(x)
    }
}

impl<'a> From<&'a Array2<f64>> for Matrix<'a> {
    fn from(x: &'a Array2<f64>) -> Matrix<'a> {
        Matrix::F64(x.view())
    }
}

impl<'a> From<&'a Sparse> for Matrix<'a> {
    fn from(x: &'a Sparse) -> Matrix<'a> {
        Matrix::Sparse(x)
    }
}

impl<'a> From<ArrayView2<'a, f32>> for Matrix<'a> {
    fn from(x: ArrayView2<'a, f32>) -> Matrix<'a> {
        Matrix::F32(x)
    }
}

impl<'a> From<&'a Array2<f32>> for Matrix<'a> {
    fn from(x: &'a Array2<f32>) -> Matrix<'a> {
        Matrix::F32(x.view())
    }
}

impl<'a, const N: usize> From<&'a [[f64; N]]> for Matrix<'a> {
    fn from(x: &'a [[f64; N]]) -> Matrix<'a> {
        Matrix::F64(ArrayView2::from(x))
    }
}

impl<'a, const M: usize, const N: usize> From<&'a [[f64; N]; M]> for Matrix<'a> {
    fn from(x: &'a [[f64; N]; M]) -> Matrix<'a> {
        Matrix::F64(ArrayView2::from(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn rows_are_borrowed_where_they_lie_in_order_and_copied_elsewhere() {
        let x = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
        assert!(matches!(Matrix::from(&x).block(1..9), Cow::Borrowed([3.0, 4.0, 5.0, 6.0])));
        let turned = Matrix::from(x.t());
        assert!(!matches!(turned.block(0..1), Cow::Borrowed(_)));
        assert_eq!(*turned.block(0..1), [1.0, 3.0, 5.0]);
        let single = x.mapv(|v| v as f32);
        assert_eq!(*Matrix::from(&single).values(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(*Matrix::from(&x).block(5..9), [0.0; 0]);
    }

    #[test]
    fn the_first_value_that_is_not_finite_is_named() {
        let x = array![[1.0, 2.0], [3.0, f64::NAN]];
        let names = ["age".to_string(), "income".to_string()];
        let text = Matrix::from(&x).check_finite("fit", Some(&names)).unwrap_err().to_string();
        assert!(text.starts_with("fit: NaN in row 1, column 1 (income); fill missing values first"), "{text}");
        let mixed = array![[1.0, f64::NAN], [f64::INFINITY, f64::NAN]];
        let (single, sparse) = (mixed.mapv(|v| v as f32), Sparse::of(&mixed).unwrap());
        for x in [Matrix::from(&mixed), (&single).into(), (&sparse).into()] {
            let text = x.check_finite("fit", Some(&names)).unwrap_err().to_string();
            assert!(text.starts_with("fit: NaN in row 0, column 1 (income) (2 more like it); fill"), "{text}");
            let text = x.check_not_infinite("fit", None).unwrap_err().to_string();
            assert!(text.starts_with("fit: inf in row 1, column 0; correct it"), "{text}");
        }
        assert!(Matrix::from(&x).check_not_infinite("fit", None).is_ok());
        assert!(Matrix::from(&array![[f32::INFINITY]]).check_not_infinite("fit", None).is_err());
    }

    #[test]
    fn chosen_rows_come_in_the_order_asked_for() {
        let x = array![[1.0f32], [2.0], [3.0]];
        assert_eq!(Matrix::from(&x).select(&[2, 0, 2]).unwrap(), array![[3.0], [1.0], [3.0]]);
        assert!(Matrix::from(&x).select(&[3]).is_err());
    }

    #[test]
    fn numbers_beyond_f32_do_not_become_infinity_on_a_device() {
        let text = Matrix::from(&array![[0.0, 1e39]]).to_tensor(&Device::cpu()).unwrap_err().to_string();
        assert!(text.contains("1e39 in row 0, column 1"), "{text}");
        assert_eq!(
            Matrix::from(&array![[0.5, 1.0]]).to_tensor(&Device::cpu()).unwrap().to_vec::<f32>().unwrap(),
            [0.5, 1.0]
        );
    }
}
