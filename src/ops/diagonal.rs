//! `diagonal`, `tril`, `triu`: parts of matrices. Source: `numpy.diagonal`, `numpy.tril`, `numpy.triu`.

use crate::error::{Error, Result};
use crate::ops::row::failed;
use crate::tensor::Tensor;
use std::ops::Range;

impl Tensor {
    /// Rows and columns of the matrices in the last two dimensions.
    fn matrix(&self, name: &'static str) -> Result<[usize; 2]> {
        match *self.shape().dims() {
            [.., rows, columns] => Ok([rows, columns]),
            _ => {
                let message = format!("needs a matrix in the last two dimensions: given shape {}", self.shape());
                Err(Error::shape(name, message + "; reshape it"))
            }
        }
    }

    /// The diagonal of the matrices in the last two dimensions, `offset` columns to the right (negative: rows down): `[.., R, C]`
    /// becomes `[.., D]`. A view where strides allow it.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::arange(0u32..6, &Device::cpu()).reshape([2, 3]);
    /// assert_eq!(x.diagonal(0).to_vec::<u32>()?, [0, 4]);
    /// assert_eq!(x.diagonal(1).to_vec::<u32>()?, [1, 5]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn diagonal(&self, offset: isize) -> Tensor {
        if self.ok().is_none() {
            return self.clone();
        }
        let [rows, columns] = match self.matrix("diagonal") {
            Ok(size) => size,
            Err(error) => return failed(error, self),
        };
        let (right, down) = if offset >= 0 { (offset.unsigned_abs(), 0) } else { (0, offset.unsigned_abs()) };
        let count = rows.saturating_sub(down).min(columns.saturating_sub(right));
        let (start, step) = (down.min(rows) * columns + right.min(columns), columns + 1);
        let range: Range<usize> = if count == 0 { 0..0 } else { start..start + (count - 1) * step + 1 };
        let mut flat = self.shape().dims()[..self.rank() - 2].to_vec();
        flat.push(rows * columns);
        self.reshape(flat).slice_step(-1, range, step)
    }

    /// The lower triangles of the matrices in the last two dimensions, up to the diagonal `offset` columns to the right (negative:
    /// rows down); 0 above.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::ones([2, 2], &Device::cpu());
    /// assert_eq!(x.tril(0).to_vec::<f32>()?, [1.0, 0.0, 1.0, 1.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn tril(&self, offset: isize) -> Tensor {
        self.triangle("tril", offset, |row, column| column.gt(row))
    }

    /// The upper triangles of the matrices in the last two dimensions, from the diagonal `offset` columns to the right (negative:
    /// rows down) on; 0 below.
    #[track_caller]
    pub fn triu(&self, offset: isize) -> Tensor {
        self.triangle("triu", offset, |row, column| column.lt(row))
    }

    /// This tensor with 0 where `zero(row + offset, column)` holds.
    #[track_caller]
    fn triangle(&self, name: &'static str, offset: isize, zero: fn(&Tensor, &Tensor) -> Tensor) -> Tensor {
        if self.ok().is_none() {
            return self.clone();
        }
        // A diagonal further away than the matrix is large is as good as one at its edge.
        let limits = self.matrix(name).and_then(|[rows, columns]| {
            let size = |n: usize| {
                let message =
                    format!("matrices of at most {} rows and columns: given shape {}", i32::MAX / 2, self.shape());
                i32::try_from(n)
                    .ok()
                    .filter(|&n| n <= i32::MAX / 2)
                    .ok_or_else(|| Error::shape(name, message + "; cut it"))
            };
            Ok((size(rows)?, size(columns)?))
        });
        let (rows, columns) = match limits {
            Ok(limits) => limits,
            Err(error) => return failed(error, self),
        };
        let offset = offset.clamp(-(rows as isize), columns as isize) as i32; // within i32, as both are
        let row = Tensor::arange(offset..offset + rows, self.device()).unsqueeze(-1);
        let column = Tensor::arange(0..columns, self.device());
        self.masked_fill(&zero(&row, &column), 0.0)
    }
}
