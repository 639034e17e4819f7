//! Views: other shapes of the same storage. No element moves.

use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::ops;
use crate::shape::{IntoShape, Layout, MAX_RANK, Shape};
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record_view;
use crate::tensor::{Tensor, Value};
use smallvec::{SmallVec, smallvec};
use std::ops::{Bound, RangeBounds};
use std::panic::Location;

/// What a view did, for its gradient.
#[derive(Debug)]
enum View {
    Reshape,
    Permute(SmallVec<[usize; MAX_RANK]>),
    Expand,
    Slice { axis: usize, start: usize, step: usize },
    Flip(SmallVec<[usize; MAX_RANK]>),
    Unfold { axis: usize, size: usize, step: usize },
}

impl Rule for View {
    fn rule_name(&self) -> &'static str {
        match self {
            View::Reshape => "reshape",
            View::Permute(_) => "permute",
            View::Expand => "expand",
            View::Slice { .. } => "slice",
            View::Flip(_) => "flip",
            View::Unfold { .. } => "unfold",
        }
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::NONE
    }

    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        let shape = call.meta(0).shape;
        let dx = match self {
            View::Reshape => dy.reshape(shape),
            View::Permute(axes) => {
                let mut back = [0isize; MAX_RANK];
                for (i, &axis) in axes.iter().enumerate() {
                    back[axis] = i as isize;
                }
                dy.permute(&back[..axes.len()])
            }
            View::Expand => dy.clone(), // the engine sums stretched dimensions
            View::Slice { axis, start, step } => ops::spread(dy, *axis, *start, *step, shape[*axis]),
            View::Flip(axes) => {
                let axes: SmallVec<[isize; MAX_RANK]> = axes.iter().map(|&a| a as isize).collect();
                dy.flip(&axes)
            }
            View::Unfold { axis, size, step } => ops::fold_windows(dy, *axis, *size, *step, shape[*axis]),
        };
        Ok(smallvec![Some(dx)])
    }
}

impl Tensor {
    /// Another layout of this tensor's storage, or the error of finding it, with the caller's line.
    #[track_caller]
    fn viewed(&self, find: impl FnOnce(&Value) -> Result<(View, Layout)>) -> Tensor {
        let Some(value) = self.ok() else { return self.clone() };
        match find(value) {
            Ok((_, layout)) if layout == value.layout => self.clone(),
            Ok((view, layout)) => record_view(view, self, layout),
            Err(error) => Tensor::failed(error.located(Location::caller()), &value.device),
        }
    }

    /// The same elements in row-major order under another shape of as many elements. A view where strides allow it, else a copy.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::arange(0u32..6, &Device::cpu()).reshape([2, 3]);
    /// assert_eq!(x.shape(), [2, 3]);
    /// ```
    #[track_caller]
    pub fn reshape(&self, shape: impl IntoShape) -> Tensor {
        let Some(value) = self.ok() else { return self.clone() };
        let found = shape.into_shape().and_then(|shape| {
            if shape.numel() == value.layout.numel() {
                return Ok((shape, value.layout.reshape(&shape)));
            }
            let (old, have, want) = (value.layout.shape, value.layout.numel(), shape.numel());
            Err(Error::shape(
                "reshape",
                format!("{old} has {have} elements, {shape} has {want}; keep the number of elements"),
            ))
        });
        match found {
            Ok((_, Some(layout))) if layout == value.layout => self.clone(),
            Ok((_, Some(layout))) => record_view(View::Reshape, self, layout),
            Ok((shape, None)) => self.contiguous().reshape(shape),
            Err(error) => Tensor::failed(error.located(Location::caller()), &value.device),
        }
    }

    /// All elements in one dimension.
    #[track_caller]
    pub fn flatten(&self) -> Tensor {
        self.reshape(self.numel())
    }

    /// Reorders dimensions: the new dimension `i` is the old `axes[i]`; negative axes count from the end.
    #[track_caller]
    pub fn permute(&self, axes: &[isize]) -> Tensor {
        self.viewed(|value| {
            let shape = value.layout.shape;
            let order: SmallVec<[usize; MAX_RANK]> =
                axes.iter().map(|&axis| shape.axis("permute", axis)).collect::<Result<_>>()?;
            let mut seen = [false; MAX_RANK];
            let fresh = order.iter().all(|&axis| !std::mem::replace(&mut seen[axis], true));
            if order.len() != shape.rank() || !fresh {
                let message = format!("needs each axis of {shape} once: given {axes:?}");
                return Err(Error::shape("permute", message));
            }
            Ok((View::Permute(order.clone()), value.layout.permute(&order)))
        })
    }

    /// Swaps two dimensions.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Tensor {
        self.viewed(|value| {
            let shape = value.layout.shape;
            let mut order: SmallVec<[usize; MAX_RANK]> = (0..shape.rank()).collect();
            order.swap(shape.axis("transpose", a)?, shape.axis("transpose", b)?);
            Ok((View::Permute(order.clone()), value.layout.permute(&order)))
        })
    }

    /// The matrix transposed: the last two dimensions swapped.
    #[track_caller]
    pub fn t(&self) -> Tensor {
        self.transpose(-2, -1)
    }

    /// Stretches dimensions of 1, and adds leading ones, to `shape`. Alias: broadcast_to.
    #[track_caller]
    pub fn expand(&self, shape: impl IntoShape) -> Tensor {
        let shape = shape.into_shape();
        self.viewed(|value| Ok((View::Expand, value.layout.expand("expand", &shape?)?)))
    }

    /// Adds a dimension of 1 before `axis`; `-1` adds it at the end.
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Tensor {
        self.viewed(|value| {
            let shape = value.layout.shape;
            let rank = shape.rank() as isize + 1;
            if axis < -rank || axis >= rank || rank as usize > MAX_RANK {
                let message = format!("axis {axis} is out of range for shape {shape}; at most {MAX_RANK} dimensions");
                return Err(Error::shape("unsqueeze", message));
            }
            let at = axis.rem_euclid(rank) as usize;
            let mut dims = SmallVec::<[usize; MAX_RANK]>::from_slice(&shape);
            let mut strides = SmallVec::<[isize; MAX_RANK]>::from_slice(value.layout.strides());
            dims.insert(at, 1);
            strides.insert(at, 0);
            Ok((View::Reshape, Layout::new(Shape::of(&dims), &strides, value.layout.offset)))
        })
    }

    /// Removes dimension `axis`, which must be 1.
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Tensor {
        self.viewed(|value| {
            let shape = value.layout.shape;
            let at = shape.axis("squeeze", axis)?;
            if shape[at] != 1 {
                let message = format!("axis {axis} of {shape} is {}: only dimensions of 1 can go", shape[at]);
                return Err(Error::shape("squeeze", message));
            }
            let mut strides = SmallVec::<[isize; MAX_RANK]>::from_slice(value.layout.strides());
            strides.remove(at);
            Ok((View::Reshape, Layout::new(shape.without(at), &strides, value.layout.offset)))
        })
    }

    /// Elements `range` of `axis`.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::arange(0u32..10, &Device::cpu());
    /// assert_eq!(x.slice(0, 2..5).to_vec::<u32>()?, [2, 3, 4]);
    /// assert_eq!(x.slice_step(0, 1.., 4).to_vec::<u32>()?, [1, 5, 9]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn slice(&self, axis: isize, range: impl RangeBounds<usize>) -> Tensor {
        self.slice_step(axis, range, 1)
    }

    /// Every `step`-th element of `range` of `axis`, from its start on.
    #[track_caller]
    pub fn slice_step(&self, axis: isize, range: impl RangeBounds<usize>, step: usize) -> Tensor {
        self.viewed(|value| {
            let shape = value.layout.shape;
            let at = shape.axis("slice", axis)?;
            let dim = shape[at];
            let start = match range.start_bound() {
                Bound::Included(&s) => s,
                Bound::Excluded(&s) => s.saturating_add(1),
                Bound::Unbounded => 0,
            };
            let end = match range.end_bound() {
                Bound::Included(&e) => e.saturating_add(1),
                Bound::Excluded(&e) => e,
                Bound::Unbounded => dim,
            };
            if start > end || end > dim || step == 0 {
                let message = format!("{start}..{end} by {step} is not within axis {axis} of {shape}; give start <= end <= {dim}, step >= 1");
                return Err(Error::shape("slice", message));
            }
            let step = step.min(dim.max(1)); // a longer one picks the same element, and its stride could overflow
            let layout = value.layout.narrow(at, start, (end - start).div_ceil(step), step as isize);
            Ok((View::Slice { axis: at, start, step }, layout))
        })
    }

    /// Element `index` of `axis`, without that dimension.
    #[track_caller]
    pub fn select(&self, axis: isize, index: usize) -> Tensor {
        self.slice(axis, index..=index).squeeze(axis)
    }

    /// Reverses the given axes.
    #[track_caller]
    pub fn flip(&self, axes: &[isize]) -> Tensor {
        self.viewed(|value| {
            let mut layout = value.layout;
            let mut flipped = SmallVec::new();
            for &axis in axes {
                let at = layout.shape.axis("flip", axis)?;
                layout = layout.flip(at);
                flipped.push(at);
            }
            Ok((View::Flip(flipped), layout))
        })
    }

    /// Sliding windows of `size` along `axis`, `step` apart: the windows are counted by `axis`, their content is a new last axis.
    /// Shape: `dim` becomes `(dim - size) / step + 1`, and `size` is appended.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::arange(0u32..5, &Device::cpu());
    /// assert_eq!(x.unfold(0, 3, 2).to_vec::<u32>()?, [0, 1, 2, 2, 3, 4]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn unfold(&self, axis: isize, size: usize, step: usize) -> Tensor {
        self.viewed(|value| {
            let shape = value.layout.shape;
            let at = shape.axis("unfold", axis)?;
            if size == 0 || step == 0 || size > shape[at] || shape.rank() == MAX_RANK {
                let message = format!(
                    "windows of {size} by {step} do not fit axis {axis} of {shape}; give 1 <= size <= {}, step >= 1",
                    shape[at]
                );
                return Err(Error::shape("unfold", message));
            }
            let step = step.min(shape[at]); // as in `slice_step`
            Ok((View::Unfold { axis: at, size, step }, value.layout.unfold(at, size, step)))
        })
    }

    /// The same elements in row-major order: itself, or a copy.
    #[track_caller]
    pub fn contiguous(&self) -> Tensor {
        if self.is_contiguous() { self.clone() } else { ops::copy(self) }
    }

    /// The elements converted to `dtype`: floats to integers towards zero (beyond the range to its end, NaN to 0), integers to
    /// integers by their bits, numbers to bool as `!= 0`.
    #[track_caller]
    pub fn to_dtype(&self, dtype: DType) -> Tensor {
        if self.dtype() == dtype { self.clone() } else { ops::cast(self, dtype) }
    }
}
