//! Dense linear algebra in f64: the doors to `faer`, which is named here only. Matrices are slices, column after column, unless
//! a function says otherwise. All of it runs on the calling thread: callers spread rows over threads, in parts that do not
//! depend on their number.

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor as llt;
use faer::linalg::evd;
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::qr::no_pivoting::factor as qr;
use faer::linalg::svd;
use faer::{Accum, MatMut, MatRef, Par};

/// The triangle `R` of `A = QR`, for `a` of `rows >= columns`: it takes the place of `a`'s first rows, zeros below it. A column
/// whose distance from the span of those before it is below `16 rows` roundings of its length counts as within it.
pub(super) fn triangle(rows: usize, columns: usize, a: &mut [f64]) {
    if columns == 0 {
        return;
    }
    let block = qr::recommended_block_size::<f64>(rows, columns);
    let mut factors = vec![0.0; block * columns];
    let mut scratch =
        MemBuffer::new(qr::qr_in_place_scratch::<f64>(rows, columns, block, Par::Seq, Default::default()));
    qr::qr_in_place(
        MatMut::from_column_major_slice_mut(a, rows, columns),
        MatMut::from_column_major_slice_mut(&mut factors, block, columns),
        Par::Seq,
        MemStack::new(&mut scratch),
        Default::default(),
    );
    for (j, column) in a.chunks_exact_mut(rows).enumerate() {
        column.iter_mut().skip(j + 1).for_each(|below| *below = 0.0);
    }
}

/// The first `n` rows of `n` columns.
pub(super) fn top(n: usize, stack: &[f64]) -> Vec<f64> {
    stack.chunks_exact((stack.len() / n.max(1)).max(1)).flat_map(|column| &column[..n]).copied().collect()
}

/// Adds `XᵀX` to the lower triangle of `sum`, `[width, width]`; the rows of `x` lie one after another.
pub(super) fn add_gram(width: usize, x: &[f64], sum: &mut [f64]) {
    let rows = x.len() / width.max(1);
    let x = MatRef::from_column_major_slice(x, width, rows);
    triangular::matmul(
        MatMut::from_column_major_slice_mut(sum, width, width),
        BlockStructure::TriangularLower,
        Accum::Add,
        x,
        BlockStructure::Rectangular,
        x.transpose(),
        BlockStructure::Rectangular,
        1.0,
        Par::Seq,
    );
}

/// `X Wᵀ`, `[rows, outputs]`, into `out`; the rows of all three lie one after another.
pub(super) fn scores(width: usize, x: &[f64], w: &[f64], out: &mut [f64]) {
    let (rows, outputs) = (x.len() / width.max(1), w.len() / width.max(1));
    if outputs == 1 {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || out.iter_mut().zip(x.chunks_exact(width)).for_each(|(out, row)| *out = wide_dot(row, w)),
        );
        return;
    }
    matmul(
        MatMut::from_row_major_slice_mut(out, rows, outputs),
        Accum::Replace,
        MatRef::from_row_major_slice(x, rows, width),
        MatRef::from_row_major_slice(w, outputs, width).transpose(),
        1.0,
        Par::Seq,
    );
}

/// Adds `RᵀX`, `[outputs, width]`, to `sum`; the rows of all three lie one after another.
pub(super) fn add_products(width: usize, residuals: &[f64], x: &[f64], sum: &mut [f64]) {
    let (rows, outputs) = (x.len() / width.max(1), sum.len() / width.max(1));
    if outputs == 1 {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                for (row, r) in x.chunks_exact(width).zip(residuals) {
                    sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += r * x);
                }
            },
        );
        return;
    }
    matmul(
        MatMut::from_row_major_slice_mut(sum, outputs, width),
        Accum::Add,
        MatRef::from_row_major_slice(residuals, rows, outputs).transpose(),
        MatRef::from_row_major_slice(x, rows, width),
        1.0,
        Par::Seq,
    );
}

/// The Cholesky factor `L` of a symmetric `a`, `[n, n]`, in place of its lower triangle; whether `a` is positive definite.
pub(super) fn cholesky(n: usize, a: &mut [f64]) -> bool {
    let mut scratch = MemBuffer::new(llt::cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default()));
    let a = MatMut::from_column_major_slice_mut(a, n, n);
    llt::cholesky_in_place(a, Default::default(), Par::Seq, MemStack::new(&mut scratch), Default::default()).is_ok()
}

/// Solves `L Lᵀ x = b` in place, for the lower triangle `l`.
pub(super) fn solve_cholesky(l: &[f64], b: &mut [f64]) {
    let n = b.len();
    for (j, column) in l.chunks_exact(n.max(1)).enumerate() {
        b[j] /= column[j];
        let x = b[j];
        b[j + 1..].iter_mut().zip(&column[j + 1..]).for_each(|(b, l)| *b -= x * l);
    }
    for (j, column) in l.chunks_exact(n.max(1)).enumerate().rev() {
        b[j] = (b[j] - dot(&b[j + 1..], &column[j + 1..])) / column[j];
    }
}

/// Solves `R x = b` in place, for an upper triangle.
pub(super) fn solve_upper(r: &[f64], b: &mut [f64]) {
    for (j, column) in r.chunks_exact(b.len().max(1)).enumerate().rev() {
        if b[j] == 0.0 {
            continue; // half of the work for the columns of an inverse
        }
        b[j] /= column[j];
        let x = b[j];
        b[..j].iter_mut().zip(column).for_each(|(b, r)| *b -= x * r);
    }
}

/// Solves `Rᵀ x = b` in place, for an upper triangle.
pub(super) fn solve_upper_transposed(r: &[f64], b: &mut [f64]) {
    for (j, column) in r.chunks_exact(b.len().max(1)).enumerate() {
        b[j] = (b[j] - dot(&b[..j], column)) / column[j];
    }
}

/// [`dot`] in eight sums, which the compiler keeps in vector registers.
#[inline(always)]
fn wide_dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>() + sums.iter().sum::<f64>()
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Singular values, largest first, and the columns of `U` and `V` that belong to them, of a square matrix; `None` when numbers
/// that are not finite keep the iteration from ending.
pub(super) fn singular(n: usize, a: &[f64]) -> Option<(Vec<f64>, Vec<f64>, Vec<f64>)> {
    let (mut s, mut u, mut v) = (vec![0.0; n], vec![0.0; n * n], vec![0.0; n * n]);
    let all = svd::ComputeSvdVectors::Full;
    let mut scratch = MemBuffer::new(svd::svd_scratch::<f64>(n, n, all, all, Par::Seq, Default::default()));
    svd::svd(
        MatRef::from_column_major_slice(a, n, n),
        DiagMut::from_slice_mut(&mut s),
        Some(MatMut::from_column_major_slice_mut(&mut u, n, n)),
        Some(MatMut::from_column_major_slice_mut(&mut v, n, n)),
        Par::Seq,
        MemStack::new(&mut scratch),
        Default::default(),
    )
    .ok()?;
    Some((s, u, v))
}

/// Eigenvalues of a symmetric matrix whose lower triangle is given, smallest first, and its eigenvectors in columns; `None` when
/// numbers that are not finite keep the iteration from ending.
pub(super) fn eigen(n: usize, a: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
    let (mut values, mut vectors) = (vec![0.0; n], vec![0.0; n * n]);
    let all = evd::ComputeEigenvectors::Yes;
    let scratch = evd::self_adjoint_evd_scratch::<f64>(n, all, Par::Seq, Default::default());
    evd::self_adjoint_evd(
        MatRef::from_column_major_slice(a, n, n),
        DiagMut::from_slice_mut(&mut values),
        Some(MatMut::from_column_major_slice_mut(&mut vectors, n, n)),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .ok()?;
    Some((values, vectors))
}

/// Singular values, largest first, and the right singular vectors, one after another, of rows that lie one after another: as many
/// as the lesser of rows and columns. `None` as [`eigen`].
pub(super) fn singular_rows(rows: usize, columns: usize, a: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
    let size = rows.min(columns);
    let (mut s, mut v) = (vec![0.0; size], vec![0.0; columns * size]);
    let (none, thin) = (svd::ComputeSvdVectors::No, svd::ComputeSvdVectors::Thin);
    let scratch = svd::svd_scratch::<f64>(rows, columns, none, thin, Par::Seq, Default::default());
    svd::svd(
        MatRef::from_row_major_slice(a, rows, columns),
        DiagMut::from_slice_mut(&mut s),
        None,
        Some(MatMut::from_column_major_slice_mut(&mut v, columns, size)),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .ok()?;
    Some((s, v))
}
