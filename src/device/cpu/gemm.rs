//! Matrix products of `f32` on slices, by the crate `gemm-f32` (AVX-512, AVX2 and NEON kernels chosen at run time), and those with a
//! vector by [`matvec`](super::matvec).
//!
//! `gemm` takes pointers; here every index that it can reach is checked first.
#![allow(unsafe_code)]

use std::fmt;

use gemm_common::Parallelism;
use gemm_f32::gemm::f32::get_gemm_fn;

use super::matvec::{self, Rows};
use super::parallel;
use super::streamed::{self, Along};
use crate::error::{Error, Result};

/// Multiply-adds that a part of a product has at least, some 8 µs of them: each part packs operands for itself.
const PART: usize = 1 << 20;

/// A matrix in a slice: element `(i, j)` lies at `offset + i * row_stride + j * col_stride`. Strides may be 0 or negative.
#[derive(Clone, Copy)]
pub struct Mat<'a> {
    /// The slice.
    pub values: &'a [f32],
    /// Where element (0, 0) lies.
    pub offset: usize,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// From a row to the next, in elements.
    pub row_stride: isize,
    /// From a column to the next, in elements.
    pub col_stride: isize,
}

impl<'a> Mat<'a> {
    /// The transposed matrix, in the same place.
    pub fn transposed(self) -> Mat<'a> {
        Mat { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// Whether every element lies in the slice.
    fn in_bounds(&self) -> bool {
        if self.rows == 0 || self.cols == 0 {
            return true;
        }
        let span = |count: usize, stride: isize| (count as i128 - 1) * stride as i128;
        let (down, across) = (span(self.rows, self.row_stride), span(self.cols, self.col_stride));
        let first = self.offset as i128 + down.min(0) + across.min(0);
        let last = self.offset as i128 + down.max(0) + across.max(0);
        first >= 0 && last < self.values.len() as i128
    }
}

impl fmt::Debug for Mat<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mat { values, offset, rows, cols, row_stride, col_stride } = self;
        write!(f, "{rows}x{cols} at {offset}, strides {row_stride} and {col_stride}, in {} elements", values.len())
    }
}

/// `dst = a · b`, on up to `threads` threads, with the same result for any number of them. `dst` is `M × N`, row by row, and
/// need not be initialised; `a` is `M × K`, `b` is `K × N`. With `K = 0` the product is zero.
///
/// Each element is made of chains of fused multiply-adds along `K`, as long as this machine's caches and vectors make them: its
/// last bits may differ between machines.
///
/// # Errors
/// [`Error::Internal`] when shapes do not fit each other or reach past a slice: the plan's fault, not the user's.
pub fn matmul(dst: &mut [f32], a: Mat, b: Mat, threads: usize) -> Result<()> {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    if b.rows != k || m.checked_mul(n) != Some(dst.len()) {
        return Err(fault(format!("{m}x{k} by {}x{n} into {} elements", b.rows, dst.len())));
    }
    if n == 1 && with_vector(dst, a, b, threads) || m == 1 && with_vector(dst, b.transposed(), a.transposed(), threads)
    {
        return Ok(());
    }
    if a.in_bounds() && b.in_bounds() && a.col_stride == 1 && b.row_stride == 1 && streams(&a, &b) {
        let rows = Along { values: a.values, offset: a.offset, count: m, stride: a.row_stride, depth: k };
        let columns = Along { values: b.values, offset: b.offset, count: n, stride: b.col_stride, depth: k };
        streamed::products(threads, dst, rows, columns);
        return Ok(());
    }
    product(dst, a, b, threads)
}

/// Whether operands that both lie along `K` are multiplied by [`streamed`]: where `gemm`, which turns the second round, is slower.
/// That costs it as much as 24 to 60 rows of the first, and twice that where rows lie whole KiB apart, all in a few places of the
/// cache.
fn streams(a: &Mat, b: &Mat) -> bool {
    let smaller = a.rows.min(b.cols);
    a.cols >= 192 && (smaller <= 96 || smaller <= 192 && b.col_stride % 256 == 0)
}

/// `dst = a · x` for a column `x`, when one axis of `a` is contiguous. False, and nothing done, otherwise.
fn with_vector(dst: &mut [f32], a: Mat, x: Mat, threads: usize) -> bool {
    if !a.in_bounds() || !x.in_bounds() || (a.col_stride != 1 && a.row_stride != 1) {
        return false;
    }
    let place = |i: usize| x.offset.wrapping_add_signed(x.row_stride.wrapping_mul(i as isize));
    let copy: Vec<f32>;
    let x = match x.values.get(x.offset..x.offset + x.rows) {
        Some(whole) if x.row_stride == 1 => whole,
        _ => {
            copy = (0..x.rows).filter_map(|i| x.values.get(place(i)).copied()).collect();
            &copy
        }
    };
    if a.col_stride == 1 {
        let rows = Rows { values: a.values, offset: a.offset, stride: a.row_stride, width: a.cols };
        matvec::dots(threads, rows, x, dst);
    } else {
        let rows = Rows { values: a.values, offset: a.offset, stride: a.col_stride, width: a.rows };
        matvec::combine(threads, rows, x, dst);
    }
    true
}

/// The product, when all of it lies in the slices: in parts, by columns or by rows, of which each thread takes one.
fn product(dst: &mut [f32], a: Mat, b: Mat, threads: usize) -> Result<()> {
    struct Shared(*mut f32);
    // SAFETY: the pointer is only used to write, each element by one thread.
    unsafe impl Sync for Shared {}

    let (m, n, k) = (a.rows, b.cols, a.cols);
    if b.rows != k || m.checked_mul(n) != Some(dst.len()) || !a.in_bounds() || !b.in_bounds() {
        return Err(fault(format!("out of bounds: {a:?} by {b:?}")));
    }
    if dst.is_empty() || k == 0 {
        dst.fill(0.0);
        return Ok(());
    }
    // What is not cut is packed once for each part, and a first operand that lies along its columns is the one that costs.
    let by_rows = a.col_stride != 1 || m > n;
    let (len, other, units) = if by_rows { (m, n, [24, 72]) } else { (n, m, [64, 128]) };
    // `gemm` makes an element in the same way whatever it makes beside it, but for products up to 64 by 64, or of one line, whose
    // sums it cuts in other places. No part is one where the whole is not.
    let unit = units[usize::from(other <= 64)];
    let size = m.saturating_mul(n).saturating_mul(k);
    let parts = threads.min(size / PART).min(len / unit).max(1);
    let part = len / parts / unit * unit;
    let multiply = get_gemm_fn();
    let shared = Shared(dst.as_mut_ptr());
    let whole = &shared;
    // A vector unit does some 50 multiply-adds while it does 20 of what `work` counts.
    let work = (size / parts) as u64 * 2 / 5;
    parallel::for_chunks(threads, &mut vec![(); parts], 1, work, |index, _| {
        let start = index * part;
        let count = if index + 1 == parts { len - start } else { part };
        let (rows, cols) = if by_rows { (start, 0) } else { (0, start) };
        let (m, n_part) = if by_rows { (count, n) } else { (m, count) };
        // The kernels write columns, so what they are given is the transposed product, dstᵀ = bᵀ · aᵀ.
        // SAFETY: `dst` is exclusive and holds the elements of all parts, which share none; these are rows `rows..rows + m` of its
        // columns `cols..cols + n_part`. `in_bounds` has just shown that each element of the two operands lies in its slice, so
        // the first ones of their parts do.
        unsafe {
            multiply(
                n_part,
                m,
                k,
                whole.0.add(rows * n + cols),
                n as isize,
                1,
                false,
                b.values.as_ptr().add(b.offset).offset(b.col_stride * cols as isize),
                b.row_stride,
                b.col_stride,
                a.values.as_ptr().add(a.offset).offset(a.row_stride * rows as isize),
                a.row_stride,
                a.col_stride,
                0.0,
                1.0,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    });
    Ok(())
}

fn fault(what: impl Into<String>) -> Error {
    Error::internal("matmul", what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A whole slice, row by row.
    fn row_major(values: &[f32], rows: usize, cols: usize) -> Mat<'_> {
        Mat { values, offset: 0, rows, cols, row_stride: cols as isize, col_stride: 1 }
    }

    /// Numbers in -1..1 without a pattern that a wrong index could hide in.
    fn numbers(len: usize, seed: u32) -> Vec<f32> {
        let mix = |i: u32| (i ^ seed).wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b);
        (0..len as u32).map(|i| mix(i) as f32 / (1u32 << 31) as f32 - 1.0).collect()
    }

    fn at(m: Mat, i: usize, j: usize) -> f64 {
        m.values[(m.offset as isize + i as isize * m.row_stride + j as isize * m.col_stride) as usize] as f64
    }

    /// Holds the product against sums in f64. A chain of `k` roundings is off by at most k·2⁻²⁴ of the sum of magnitudes.
    fn check(a: Mat, b: Mat, threads: usize) {
        let (m, n, k) = (a.rows, b.cols, a.cols);
        let mut dst = vec![f32::NAN; m * n];
        matmul(&mut dst, a, b, threads).unwrap();
        for (index, got) in dst.iter().enumerate() {
            let (i, j) = (index / n, index % n);
            let terms = (0..k).map(|l| at(a, i, l) * at(b, l, j));
            let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()));
            let allowed = size * k as f64 / (1 << 24) as f64;
            assert!((*got as f64 - sum).abs() <= allowed, "{a:?} by {b:?} at ({i}, {j}): {got}, not {sum}");
        }
    }

    #[test]
    fn products_agree_with_f64_at_sizes_around_the_kernels_tiles() {
        for m in [1, 2, 7, 16, 65] {
            for n in [1, 3, 8, 33, 100] {
                for k in [1, 2, 3, 64, 301] {
                    let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
                    let (at, bt) = (row_major(&a, k, m).transposed(), row_major(&b, n, k).transposed());
                    let (a, b) = (row_major(&a, m, k), row_major(&b, k, n));
                    for (a, b) in [(a, b), (at, b), (a, bt), (at, bt)] {
                        check(a, b, 1);
                    }
                }
            }
        }
    }

    #[test]
    fn operands_that_both_lie_along_k_agree_with_f64() {
        for (m, n, k) in [(24, 48, 192), (32, 100, 231), (1, 9, 300), (65, 49, 300), (129, 61, 784), (7, 300, 2000)] {
            let (a, b) = (numbers((m + 1) * (k + 3), 1), numbers((n + 1) * (k + 5), 2));
            let a = Mat { values: &a, offset: 2, rows: m, cols: k, row_stride: k as isize + 3, col_stride: 1 };
            let forward = Mat { values: &b, offset: 4, rows: k, cols: n, row_stride: 1, col_stride: k as isize + 5 };
            let flipped = Mat { offset: 4 + (n - 1) * (k + 5), col_stride: -(k as isize + 5), ..forward };
            for b in [forward, flipped] {
                assert!(streams(&a, &b));
                check(a, b, 1);
                check(a, b, 2);
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        for (m, n, k) in [
            (300, 200, 100),
            (64, 512, 784),
            (1, 3000, 2001),
            (3000, 1, 2001),
            (1, 30, 60_001),
            (60_001, 1, 30),
            (17, 1030, 513),
            (300, 330, 256),
            (257, 10, 1000),
            (64, 128, 1000),
            (256, 64, 784),
            (129, 129, 150),
            (129, 129, 300),
            (2, 2, 1 << 21),
        ] {
            let (a, b) = (numbers(m * k, 3), numbers(k * n, 4));
            for (a, b) in [
                (row_major(&a, m, k), row_major(&b, k, n)),
                (row_major(&a, k, m).transposed(), row_major(&b, k, n)),
                (row_major(&a, m, k), row_major(&b, n, k).transposed()),
                (row_major(&a, k, m).transposed(), row_major(&b, n, k).transposed()),
            ] {
                let bits = |threads| {
                    let mut dst = vec![f32::NAN; m * n];
                    matmul(&mut dst, a, b, threads).unwrap();
                    dst.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
                };
                let one = bits(1);
                for threads in [2, 3, 4, 8] {
                    assert!(one == bits(threads), "{m}x{n}x{k} on {threads} threads, strides of {a:?} by {b:?}");
                }
            }
        }
    }

    #[test]
    fn a_large_vector_product_is_cut_right() {
        let (a, b) = (numbers(5000 * 900, 5), numbers(900, 6));
        check(row_major(&a, 5000, 900), row_major(&b, 900, 1), 2);
        check(row_major(&b, 1, 900), row_major(&a, 900, 5000), 2);
        check(row_major(&a, 900, 5000).transposed(), row_major(&b, 900, 1), 2);
        check(row_major(&b, 1, 900), row_major(&a, 5000, 900).transposed(), 2);
    }

    #[test]
    fn vectors_of_any_stride_meet_matrices_with_one_contiguous_axis() {
        let (a, x) = (numbers(70 * 50, 8), numbers(700, 9));
        for (rows, cols) in [(1, 1), (8, 16), (9, 17), (31, 50), (70, 3), (70, 50)] {
            let strides = [50, 0, -50];
            for (stride, offset) in strides.map(|s: isize| (s, if s < 0 { (rows - 1) * 50 } else { 0 })) {
                let a = Mat { values: &a, offset, rows, cols, row_stride: stride, col_stride: 1 };
                for (stride, offset) in [(1, 0), (7, 3), (0, 5), (-1, 100), (-3, 650)] {
                    let vector =
                        |len| Mat { values: &x, offset, rows: len, cols: 1, row_stride: stride, col_stride: 9 };
                    check(a, vector(cols), 1);
                    check(a.transposed(), vector(rows), 1);
                    check(vector(cols).transposed(), a.transposed(), 1);
                    check(vector(rows).transposed(), a, 1);
                }
            }
        }
    }

    #[test]
    fn nothing_to_add_is_zero_and_nothing_to_write_is_nothing() {
        let mut dst = [f32::NAN; 6];
        matmul(&mut dst, row_major(&[], 2, 0), row_major(&[], 0, 3), 1).unwrap();
        assert_eq!(dst, [0.0; 6]);
        matmul(&mut [], row_major(&[], 0, 4), row_major(&[1.0; 12], 4, 3), 1).unwrap();
    }

    #[test]
    fn nan_and_infinity_come_through_and_the_old_contents_do_not() {
        for n in [1, 5, 40] {
            let mut a = vec![1.0; 3 * 20];
            (a[0], a[20]) = (f32::NAN, f32::INFINITY);
            let mut dst = vec![f32::NAN; 3 * n];
            matmul(&mut dst, row_major(&a, 3, 20), row_major(&vec![1.0; 20 * n], 20, n), 1).unwrap();
            assert!(dst[..n].iter().all(|x| x.is_nan()));
            assert_eq!(dst[n..2 * n], vec![f32::INFINITY; n]);
            assert_eq!(dst[2 * n..], vec![20.0; n]);
        }
    }

    #[test]
    fn an_index_past_a_slice_is_an_error_and_not_a_read() {
        let values = [1.0; 12];
        let good = row_major(&values, 3, 4);
        let bad = [
            Mat { offset: 1, ..good },
            Mat { rows: 4, ..good },
            Mat { col_stride: 2, ..good },
            Mat { row_stride: -4, ..good },
            Mat { row_stride: isize::MAX, ..good },
            Mat { offset: usize::MAX, ..good },
        ];
        for bad in bad {
            let mut dst = vec![0.0; bad.rows * 3];
            let error = matmul(&mut dst, bad, good.transposed(), 1).unwrap_err();
            assert_eq!(error.code(), "internal", "{error}");
        }
        assert!(matmul(&mut [0.0; 9], good, good, 1).is_err());
        assert!(matmul(&mut [0.0; 8], good, good.transposed(), 1).is_err());
    }

    proptest! {
        #[test]
        fn any_strides_give_the_same_product(
            (m, n, k) in (1usize..20, 1usize..20, 1usize..40),
            strides in prop::array::uniform4(-45isize..45),
            start in 0usize..3,
        ) {
            let values = numbers(9000, 7);
            let mat = |rows: usize, cols: usize, row_stride: isize, col_stride: isize| {
                let below = row_stride.min(0) * (rows as isize - 1) + col_stride.min(0) * (cols as isize - 1);
                Mat { values: &values, offset: start + below.unsigned_abs(), rows, cols, row_stride, col_stride }
            };
            check(mat(m, k, strides[0], strides[1]), mat(k, n, strides[2], strides[3]), 1);
        }
    }
}
