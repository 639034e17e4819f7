//! Where the elements of a view lie: dimensions, strides and an offset over a storage that views share.

use super::{MAX_RANK, Shape};
use crate::error::{Error, Result};
use std::fmt;

/// Where the elements of a view lie in its storage: element `[i, j, …]` at `offset + i·strides[0] + j·strides[1] + …`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Dimensions of the view.
    pub shape: Shape,
    strides: [isize; MAX_RANK], // past the rank 0, for derived equality
    /// The first element's place in the storage, in elements.
    pub offset: usize,
}

impl Layout {
    /// Row-major from the start of the storage.
    pub fn contiguous(shape: Shape) -> Layout {
        Layout { shape, strides: shape.strides(), offset: 0 }
    }

    /// A layout of the given strides, in elements; `strides` has one entry a dimension.
    pub(crate) fn new(shape: Shape, strides: &[isize], offset: usize) -> Layout {
        let mut all = [0; MAX_RANK];
        all[..shape.rank()].copy_from_slice(strides);
        Layout { shape, strides: all, offset }
    }

    /// The same strides from another first element.
    pub(crate) fn at(mut self, offset: usize) -> Layout {
        self.offset = offset;
        self
    }

    /// Strides in elements, one a dimension.
    pub fn strides(&self) -> &[isize] {
        &self.strides[..self.shape.rank()]
    }

    /// The number of elements of the view.
    pub fn numel(&self) -> usize {
        self.shape.numel()
    }

    /// Whether the elements lie in row-major order without gaps (at any offset).
    pub fn is_contiguous(&self) -> bool {
        let mut step = 1;
        for axis in (0..self.shape.rank()).rev() {
            let dim = self.shape[axis];
            if dim == 0 {
                return true;
            }
            if dim != 1 && self.strides[axis] != step {
                return false;
            }
            step *= dim as isize;
        }
        true
    }

    /// Whether every element is the same stored one.
    pub fn is_scalar(&self) -> bool {
        self.shape.iter().zip(self.strides()).all(|(&d, &s)| d == 1 || s == 0)
    }

    /// Reorders dimensions: the new dimension `i` is the old `axes[i]`, a permutation.
    pub fn permute(&self, axes: &[usize]) -> Layout {
        let mut out = *self;
        for (i, &axis) in axes.iter().enumerate() {
            out.shape.dims[i] = self.shape.dims[axis];
            out.strides[i] = self.strides[axis];
        }
        out
    }

    /// Stretches dimensions of 1 (and adds leading ones) to `shape`, without a copy.
    ///
    /// # Errors
    /// When a dimension is neither equal nor 1.
    pub fn expand(&self, op: &'static str, shape: &Shape) -> Result<Layout> {
        let lead = shape.rank().checked_sub(self.shape.rank());
        let fits = |lead: usize| self.shape.iter().zip(&shape[lead..]).all(|(&from, &to)| from == to || from == 1);
        let Some(lead) = lead.filter(|&lead| fits(lead)) else {
            return Err(Error::shape(
                op,
                format!("cannot expand {} to {shape}; only dimensions of 1 stretch", self.shape),
            ));
        };
        let mut out = Layout { shape: *shape, strides: [0; MAX_RANK], offset: self.offset };
        for (axis, &dim) in self.shape.iter().enumerate() {
            out.strides[lead + axis] = if dim == 1 && shape[lead + axis] != 1 { 0 } else { self.strides[axis] };
        }
        Ok(out)
    }

    /// Elements `start`, `start + step`, … (`count` of them) along `axis`; the caller has checked that they exist.
    pub(crate) fn narrow(&self, axis: usize, start: usize, count: usize, step: isize) -> Layout {
        let mut out = *self;
        out.shape.dims[axis] = count;
        out.strides[axis] = self.strides[axis] * step;
        if out.numel() > 0 {
            // A view of nothing stays where it is: its storage may not reach further.
            out.offset = self.offset.wrapping_add_signed(start as isize * self.strides[axis]);
        }
        out
    }

    /// Reverses `axis`.
    pub fn flip(&self, axis: usize) -> Layout {
        self.narrow(axis, self.shape[axis].saturating_sub(1), self.shape[axis], -1)
    }

    /// Sliding windows of `size` along `axis`, `step` apart: the windows stay on `axis`, their content is a new last axis.
    /// The caller has checked `1 <= size <= dim`, `step >= 1` and the rank.
    pub(crate) fn unfold(&self, axis: usize, size: usize, step: usize) -> Layout {
        let mut out = *self;
        let rank = self.shape.rank();
        out.shape.rank += 1;
        out.shape.dims[axis] = (self.shape[axis] - size) / step + 1;
        out.shape.dims[rank] = size;
        out.strides[rank] = self.strides[axis];
        out.strides[axis] = self.strides[axis] * step as isize;
        out
    }

    /// The same elements in the same order under another shape, if strides can express it; `None` means a copy is needed.
    pub fn reshape(&self, shape: &Shape) -> Option<Layout> {
        if shape.numel() != self.numel() {
            return None;
        }
        if self.is_contiguous() || self.numel() == 0 {
            return Some(Layout { offset: self.offset, ..Layout::contiguous(*shape) });
        }
        // Walk both shapes from the end; each run of old dimensions that lies evenly may be cut anew.
        let old = self.collapse();
        let mut out = Layout { shape: *shape, strides: [0; MAX_RANK], offset: self.offset };
        let mut new_axis = shape.rank();
        for axis in (0..old.shape.rank()).rev() {
            let (dim, stride) = (old.shape[axis], old.strides[axis]);
            let mut filled = 1;
            while filled < dim {
                new_axis = new_axis.checked_sub(1)?;
                out.strides[new_axis] = stride * filled as isize;
                filled *= shape[new_axis];
            }
            if filled != dim {
                return None;
            }
        }
        Some(out)
    }

    /// The same elements in the same order with as few dimensions as possible; dimensions of 1 go.
    pub fn collapse(&self) -> Layout {
        let [out] = collapse_together([*self]);
        out
    }

    /// Storage places in row-major order of the view.
    pub fn places(&self) -> Places {
        Places { layout: *self, index: [0; MAX_RANK], place: self.offset as isize, left: self.numel() }
    }

    /// One past the largest place in storage that the view touches; 0 when it is empty.
    pub fn end(&self) -> usize {
        if self.numel() == 0 {
            return 0;
        }
        let reach: isize = self.shape.iter().zip(self.strides()).map(|(&d, &s)| (d as isize - 1) * s.max(0)).sum();
        self.offset + reach as usize + 1
    }
}

impl fmt::Debug for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.shape)?;
        if !self.is_contiguous() {
            write!(f, " strides {:?}", self.strides())?;
        }
        if self.offset != 0 {
            write!(f, " from {}", self.offset)?;
        }
        Ok(())
    }
}

/// Merges neighbouring dimensions wherever all layouts (of one common shape) can be walked as one, and drops dimensions of 1.
/// An empty common shape collapses to `[0]`.
pub fn collapse_together<const N: usize>(layouts: [Layout; N]) -> [Layout; N] {
    let mut out = layouts;
    collapse_slice(&mut out);
    out
}

/// [`collapse_together`] for a number of layouts known at run time.
pub fn collapse_slice(layouts: &mut [Layout]) {
    let Some(first) = layouts.first() else { return };
    let shape = first.shape;
    debug_assert!(layouts.iter().all(|l| l.shape == shape), "collapse needs one common shape");
    if shape.numel() == 0 {
        for l in layouts {
            *l = Layout { shape: Shape::of(&[0]), strides: [1, 0, 0, 0, 0, 0, 0, 0], offset: l.offset };
        }
        return;
    }
    let mut rank = 0; // dimensions kept so far, written in place
    for axis in 0..shape.rank() {
        let dim = shape[axis];
        if dim == 1 {
            continue;
        }
        let joins = rank > 0 && layouts.iter().all(|l| l.strides[rank - 1] == l.strides[axis] * dim as isize);
        for l in layouts.iter_mut() {
            if joins {
                l.shape.dims[rank - 1] *= dim;
                l.strides[rank - 1] = l.strides[axis];
            } else {
                l.shape.dims[rank] = dim;
                l.strides[rank] = l.strides[axis];
            }
        }
        rank += usize::from(!joins);
    }
    for l in layouts {
        l.shape.rank = rank as u8;
        l.shape.dims[rank..].fill(0);
        l.strides[rank..].fill(0);
    }
}

/// Iterator over the storage places of a view, in row-major order.
#[derive(Debug, Clone)]
pub struct Places {
    layout: Layout,
    index: [usize; MAX_RANK],
    place: isize,
    left: usize,
}

impl Iterator for Places {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let place = self.place;
        for axis in (0..self.layout.shape.rank()).rev() {
            self.index[axis] += 1;
            self.place += self.layout.strides[axis];
            if self.index[axis] < self.layout.shape.dims[axis] {
                break;
            }
            self.index[axis] = 0;
            self.place -= self.layout.shape.dims[axis] as isize * self.layout.strides[axis];
        }
        Some(place as usize)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Places {}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(dims: &[usize]) -> Layout {
        Layout::contiguous(Shape::of(dims))
    }

    #[test]
    fn a_transposed_view_reads_its_storage_in_columns() {
        let t = layout(&[2, 3]).permute(&[1, 0]);
        assert_eq!(t.places().collect::<Vec<_>>(), [0, 3, 1, 4, 2, 5]);
        assert!(!t.is_contiguous());
        assert_eq!(t.end(), 6);
    }

    #[test]
    fn reshape_of_a_view_keeps_order_or_asks_for_a_copy() {
        let rows = layout(&[4, 6]).narrow(1, 0, 3, 1); // [4, 3] of stride 6
        let cut = rows.reshape(&Shape::of(&[2, 2, 3])).unwrap();
        assert_eq!(cut.places().collect::<Vec<_>>(), rows.places().collect::<Vec<_>>());
        assert!(rows.reshape(&Shape::of(&[12])).is_none());
        let ones = rows.reshape(&Shape::of(&[1, 4, 1, 3, 1])).unwrap();
        assert_eq!(ones.places().collect::<Vec<_>>(), rows.places().collect::<Vec<_>>());
        let flipped = layout(&[6]).flip(0);
        let cut = flipped.reshape(&Shape::of(&[2, 3])).unwrap();
        assert_eq!(cut.places().collect::<Vec<_>>(), [5, 4, 3, 2, 1, 0]);
    }

    #[test]
    fn collapse_merges_only_what_all_layouts_allow() {
        let a = layout(&[2, 3, 4]);
        let row = layout(&[4]).expand("t", &Shape::of(&[2, 3, 4])).unwrap();
        let [a, row] = collapse_together([a, row]);
        assert_eq!(a.shape, [6, 4]);
        assert_eq!(row.strides(), [0, 1]);
        assert_eq!(layout(&[2, 3, 4]).collapse().shape, [24]);
        assert_eq!(layout(&[1, 1]).collapse().shape.rank(), 0);
        assert_eq!(layout(&[3, 0]).collapse().shape, [0]);
    }

    #[test]
    fn windows_overlap_without_a_copy() {
        let w = layout(&[5]).unfold(0, 3, 1);
        assert_eq!(w.shape, [3, 3]);
        assert_eq!(w.places().collect::<Vec<_>>(), [0, 1, 2, 1, 2, 3, 2, 3, 4]);
    }

    #[test]
    fn empty_views_have_no_places() {
        assert_eq!(layout(&[3, 0]).places().count(), 0);
        assert_eq!(layout(&[3, 0]).end(), 0);
        assert_eq!(layout(&[33, 0]).narrow(0, 16, 2, 1).offset, 0, "past the end of a storage of nothing");
        assert_eq!(layout(&[33, 0]).flip(0).offset, 0);
        assert_eq!(layout(&[]).places().collect::<Vec<_>>(), [0]);
    }
}
