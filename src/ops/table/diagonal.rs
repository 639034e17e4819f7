//! Samples of `diagonal`, `tril` and `triu`.

use super::view::{bad, samples};
use super::{Bad, OpInfo, Sample};
use crate::tensor::Tensor;
use ndarray::{ArrayD, Axis, IxDyn};

pub(super) static ROWS: &[OpInfo] = &[
    OpInfo::new("diagonal", "numpy.diagonal", diagonal, diagonal_bad),
    OpInfo::new("tril", "numpy.tril", tril, tril_bad),
    OpInfo::new("triu", "numpy.triu", triu, triu_bad),
];

/// Matrices and the offset of a diagonal.
const DIAGONALS: &[(&[usize], isize)] = &[
    (&[1, 1], 0),
    (&[3, 3], 0),
    (&[13, 17], 0),
    (&[13, 17], 5),
    (&[13, 17], -12),
    (&[3, 4], 4),
    (&[3, 4], -7),
    (&[4, 3], isize::MAX),
    (&[4, 3], isize::MIN),
    (&[2, 3, 5], 1),
    (&[2, 5, 3], -2),
    (&[0, 3], 0),
    (&[3, 0], 0),
    (&[0, 3, 3], 0),
];

fn diagonal() -> Vec<Sample> {
    let sample = |&(shape, offset): &(&[usize], isize)| {
        samples(
            shape,
            format!("{offset}"),
            move |x| x.diagonal(offset),
            move |x| {
                let (rows, columns) = (Axis(x.ndim() - 2), Axis(x.ndim() - 1));
                let place = |row: usize| (row as isize).saturating_add(offset);
                let inside = |&row: &usize| (0..x.len_of(columns) as isize).contains(&place(row));
                let parts: Vec<ArrayD<f64>> = (0..x.len_of(rows))
                    .filter(inside)
                    .map(|row| x.index_axis(columns, place(row) as usize).index_axis(rows, row).to_owned())
                    .collect();
                let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
                let empty: Vec<usize> = x.shape()[..rows.0].iter().copied().chain([0]).collect();
                ndarray::stack(rows, &views).unwrap_or_else(|_| ArrayD::zeros(IxDyn(&empty)))
            },
        )
    };
    DIAGONALS.iter().flat_map(sample).collect()
}

fn diagonal_bad() -> Vec<Bad> {
    vec![bad("diagonal: needs a matrix in the last two dimensions: given shape [3]", &[3], |x| x.diagonal(0))]
}

/// Values where `kept(column - row, offset)` holds, 0 elsewhere.
fn triangle(call: fn(&Tensor, isize) -> Tensor, kept: fn(isize, isize) -> bool) -> Vec<Sample> {
    let sample = |&(shape, offset): &(&[usize], isize)| {
        samples(
            shape,
            format!("{offset}"),
            move |x| call(x, offset),
            move |x| {
                let (mut y, rank) = (x.to_owned(), x.ndim());
                for (index, value) in y.indexed_iter_mut() {
                    let [row, column] = [rank - 2, rank - 1].map(|axis| index[axis] as isize);
                    *value = if kept(column - row, offset) { *value } else { 0.0 };
                }
                y
            },
        )
    };
    DIAGONALS.iter().flat_map(sample).collect()
}

fn tril() -> Vec<Sample> {
    triangle(Tensor::tril, |distance, offset| distance <= offset)
}

fn tril_bad() -> Vec<Bad> {
    vec![bad("tril: needs a matrix in the last two dimensions: given shape []", &[], |x| x.tril(0))]
}

fn triu() -> Vec<Sample> {
    triangle(Tensor::triu, |distance, offset| distance >= offset)
}

fn triu_bad() -> Vec<Bad> {
    vec![bad("triu: needs a matrix in the last two dimensions: given shape [3]", &[3], |x| x.triu(0))]
}
