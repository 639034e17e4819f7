//! Shapes and layouts: pure arithmetic on dimensions and strides. Views of tensors are layouts over the same storage.

mod layout;

pub use layout::{Layout, Places, collapse_slice, collapse_together};

use crate::error::{Error, Result};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

/// The largest number of dimensions of a tensor.
pub const MAX_RANK: usize = 8;

/// The dimensions of a tensor, outermost first. Reads as a slice: `shape[0]`, `shape.len()`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    rank: u8,
    dims: [usize; MAX_RANK], // dims past `rank` are 0, so that derived equality is right
}

impl Hash for Shape {
    /// The dimensions that there are: a plan is looked up at every step.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.dims().hash(state);
    }
}

impl Shape {
    /// The shape of a single value.
    pub const SCALAR: Shape = Shape { rank: 0, dims: [0; MAX_RANK] };

    /// Checks `dims`: at most [`MAX_RANK`] of them, and a number of elements that fits in 32 bits' reach.
    ///
    /// # Errors
    /// Too many dimensions, or too many elements.
    pub fn new(dims: &[usize]) -> Result<Shape> {
        if dims.len() > MAX_RANK {
            return Err(Error::shape(
                "shape",
                format!("at most {MAX_RANK} dimensions: given {}; merge some with reshape", dims.len()),
            ));
        }
        // A dimension of 0 counts as 1 here, so that no product of the others, a stride, can wrap either.
        let count = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1))).filter(|&n| n <= u32::MAX as usize);
        if count.is_none() {
            return Err(Error::shape(
                "shape",
                format!("too many elements: given {dims:?}; at most {} in one tensor", u32::MAX),
            ));
        }
        Ok(Shape::of(dims))
    }

    /// The shape of dims known to be few and small enough: parts of another shape.
    pub(crate) fn of(dims: &[usize]) -> Shape {
        let mut shape = Shape::SCALAR;
        for &d in dims.iter().take(MAX_RANK) {
            shape.dims[shape.rank as usize] = d;
            shape.rank += 1;
        }
        shape
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.rank as usize
    }

    /// The dimensions as a slice.
    pub fn dims(&self) -> &[usize] {
        &self.dims[..self.rank as usize]
    }

    /// The number of elements; 1 for a scalar.
    pub fn numel(&self) -> usize {
        self.dims().iter().product()
    }

    /// Row-major strides, in elements.
    pub(crate) fn strides(&self) -> [isize; MAX_RANK] {
        let mut strides = [0; MAX_RANK];
        let mut step = 1;
        for axis in (0..self.rank()).rev() {
            strides[axis] = step as isize;
            step *= self.dims[axis].max(1);
        }
        strides
    }

    /// The axis that `axis` names; negative counts from the end.
    pub(crate) fn axis(&self, op: &'static str, axis: isize) -> Result<usize> {
        let rank = self.rank() as isize;
        if axis < -rank || axis >= rank {
            return Err(Error::shape(
                op,
                format!("axis {axis} is out of range for shape {self}; it has {rank} dimensions"),
            ));
        }
        Ok(axis.rem_euclid(rank) as usize)
    }

    /// The same shape with dimension `axis` set to `dim`.
    pub(crate) fn with(mut self, axis: usize, dim: usize) -> Shape {
        self.dims[axis] = dim;
        self
    }

    /// The same shape without `axis`.
    pub(crate) fn without(self, axis: usize) -> Shape {
        let mut dims = self.dims().to_vec();
        dims.remove(axis);
        Shape::of(&dims)
    }

    /// The shape that two shapes broadcast to by NumPy's rule: align at the end, and a 1 stretches.
    ///
    /// # Errors
    /// Names both shapes when a pair of dimensions differs and neither is 1.
    pub(crate) fn broadcast(op: &'static str, a: &Shape, b: &Shape) -> Result<Shape> {
        let rank = a.rank().max(b.rank());
        let mut dims = [0; MAX_RANK];
        let dim = |s: &Shape, i: usize| (i + s.rank()).checked_sub(rank).map_or(1, |j| s.dims[j]);
        for (i, out) in dims[..rank].iter_mut().enumerate() {
            *out = match (dim(a, i), dim(b, i)) {
                (x, y) if x == y => x,
                (1, y) => y,
                (x, 1) => x,
                _ => {
                    return Err(Error::shape(
                        op,
                        format!(
                            "shapes do not broadcast: left {a}, right {b}; dimensions, aligned at the end, must be equal or 1"
                        ),
                    ));
                }
            };
        }
        Shape::new(&dims[..rank])
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        self.dims()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.dims())
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.dims())
    }
}

impl PartialEq<[usize]> for Shape {
    fn eq(&self, other: &[usize]) -> bool {
        self.dims() == other
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, other: &[usize; N]) -> bool {
        self.dims() == other
    }
}

/// What can be given where a shape is wanted: `[2, 3]`, `&[2, 3]`, `5`, `vec![2, 3]`, `()` for a scalar, another `Shape`.
pub trait IntoShape {
    /// The checked shape.
    ///
    /// # Errors
    /// As [`Shape::new`].
    fn into_shape(self) -> Result<Shape>;
}

impl IntoShape for Shape {
    fn into_shape(self) -> Result<Shape> {
        Ok(self)
    }
}
impl IntoShape for &Shape {
    fn into_shape(self) -> Result<Shape> {
        Ok(*self)
    }
}
impl IntoShape for () {
    fn into_shape(self) -> Result<Shape> {
        Ok(Shape::SCALAR)
    }
}
impl IntoShape for usize {
    fn into_shape(self) -> Result<Shape> {
        Shape::new(&[self])
    }
}
impl IntoShape for &[usize] {
    fn into_shape(self) -> Result<Shape> {
        Shape::new(self)
    }
}
impl IntoShape for Vec<usize> {
    fn into_shape(self) -> Result<Shape> {
        Shape::new(&self)
    }
}
impl<const N: usize> IntoShape for [usize; N] {
    fn into_shape(self) -> Result<Shape> {
        Shape::new(&self)
    }
}
impl<const N: usize> IntoShape for &[usize; N] {
    fn into_shape(self) -> Result<Shape> {
        Shape::new(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcast_aligns_at_the_end() {
        let shape = Shape::broadcast("add", &Shape::of(&[3, 1]), &Shape::of(&[4])).unwrap();
        assert_eq!(shape, [3, 4]);
        assert_eq!(Shape::broadcast("add", &Shape::of(&[1]), &Shape::of(&[0])).unwrap(), [0]);
        let text = Shape::broadcast("add", &Shape::of(&[3]), &Shape::of(&[4])).unwrap_err().to_string();
        assert!(text.starts_with("add: shapes do not broadcast: left [3], right [4]"), "{text}");
    }

    #[test]
    fn too_many_elements_are_refused_without_wrapping() {
        assert!(Shape::new(&[1 << 40, 1 << 40]).is_err());
        assert!(Shape::new(&[0, usize::MAX]).is_err());
        assert!(Shape::new(&[0, 1 << 31, 1 << 31, 1 << 31]).is_err(), "strides would wrap");
        assert_eq!(Shape::new(&[0, u32::MAX as usize]).unwrap().numel(), 0);
        assert!(Shape::new(&[1; 9]).is_err());
    }
}
