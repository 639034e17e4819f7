//! A tensor seen around one axis, as the operations along an axis walk it.

use crate::dtype::DType;
use crate::shape::Shape;

/// `[outer, len, inner]`: the dimensions before an axis, its own, and those after it. Element `(o, j, i)` of a row-major tensor
/// lies at `(o·len + j)·inner + i`; a lane is the elements of one `(o, i)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Along {
    pub outer: usize,
    pub len: usize,
    pub inner: usize,
}

impl Along {
    /// `axis` is one of `shape`'s.
    pub fn of(shape: &Shape, axis: usize) -> Along {
        let (before, rest) = shape.split_at(axis.min(shape.rank()));
        let (len, after) = rest.split_first().map_or((1, rest), |(&len, after)| (len, after));
        Along { outer: before.iter().product(), len, inner: after.iter().product() }
    }

    pub fn lanes(&self) -> usize {
        self.outer * self.inner
    }

    pub fn numel(&self) -> usize {
        self.lanes() * self.len
    }
}

/// The sum of two stored values that are not 16 bits wide; integers wrap.
pub(crate) fn add(dtype: DType, a: u32, b: u32) -> u32 {
    match dtype {
        DType::F32 => (f32::from_bits(a) + f32::from_bits(b)).to_bits(),
        _ => a.wrapping_add(b), // two's complement: the same bits for i32
    }
}
