//! `gather`, `index_select`, `take`: elements picked along an axis by an index tensor. Source: `torch.gather`,
//! `torch.index_select`, `numpy.take`.

use crate::device::cpu::parallel::for_chunks;
use crate::device::launch::{Arg, Launch, Word};
use crate::device::shader::assemble;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::ops::along::Along;
use crate::ops::row::failed;
use crate::ops::scatter::scatter_sum;
use crate::ops::wgsl::groups_of;
use crate::ops::{Accepts, Op};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Role};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// Words of the output that one thread takes at a time.
const CHUNK: usize = 16 * 1024;

/// What an index tensor names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Picks {
    /// One place an element: the index has the shape of what is picked or placed.
    Elements,
    /// One place for all lanes: the index has one dimension.
    Lanes,
}

impl Picks {
    /// Strides of the index by outer, place along the axis, and inner; `picked` is the shape of what is picked.
    pub fn strides(self, picked: Along) -> [usize; 3] {
        match self {
            Picks::Elements => [picked.len * picked.inner, picked.inner, 1],
            Picks::Lanes => [0, 1, 0],
        }
    }

    /// Checks an index against the shape that it picks from or places into.
    pub fn check(self, name: &'static str, axis: usize, shape: &Shape, index: &Meta) -> Result<()> {
        if !matches!(index.dtype, DType::U32 | DType::I32) {
            let message = format!("an index is u32 or i32: given {}; convert it with to_dtype", index.dtype);
            return Err(Error::dtype(name, message));
        }
        let fits = match self {
            Picks::Lanes => index.shape.rank() == 1,
            Picks::Elements => {
                index.shape.rank() == shape.rank() && (0..shape.rank()).all(|a| a == axis || index.shape[a] == shape[a])
            }
        };
        if fits {
            return Ok(());
        }
        let want = match self {
            Picks::Lanes => "give an index of one dimension",
            Picks::Elements => "give as many dimensions, none larger but for the axis",
        };
        let message = format!("index {} does not fit shape {shape} along axis {axis}; {want}", index.shape);
        Err(Error::shape(name, message))
    }
}

/// `y[o, k, i] = x[o, index[o, k, i], i]`; `fill` (bits) where the index is out of range.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Gather {
    name: &'static str,
    axis: usize,
    picks: Picks,
    fill: u32,
}

impl Kernel for Gather {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let m = Along::of(&args.inputs[0].layout.shape, self.axis).len;
        let Along { len: n, inner, .. } = Along::of(&args.outputs[0].shape, self.axis);
        let (picks, fill) = (self.picks, self.fill);
        let rows = (CHUNK / inner.max(1)).max(1);
        Ok(Box::new(move |call| {
            let ((x, x_offset), (index, index_offset)) = (call.inputs[0], call.inputs[1]);
            let work = (2 * rows * inner) as u64;
            for_chunks(call.cpu.threads(), call.outputs[0], rows * inner, work, |chunk, out| {
                for (j, out) in out.chunks_mut(inner).enumerate() {
                    let row = chunk * rows + j;
                    let (o, k) = (row / n, row % n);
                    let first = |place: usize| x_offset + (o * m + place) * inner;
                    match picks {
                        Picks::Lanes => match index[index_offset + k] as usize {
                            place if place < m => out.copy_from_slice(&x[first(place)..first(place) + inner]),
                            _ => out.fill(fill),
                        },
                        Picks::Elements => {
                            let index = &index[index_offset + row * inner..][..inner];
                            for (i, (y, &place)) in out.iter_mut().zip(index).enumerate() {
                                let place = place as usize;
                                *y = if place < m { x[first(place) + i] } else { fill };
                            }
                        }
                    }
                }
            });
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let m = Along::of(&args.inputs[0].layout.shape, self.axis).len;
        let y = Along::of(&args.outputs[0].shape, self.axis);
        let mut words: Vec<Word> = [y.numel(), y.len, y.inner, m].map(Word::from).to_vec();
        words.extend(self.picks.strides(y).map(Word::from));
        words.push(self.fill.into());
        words.extend([args.input_offset(0), args.input_offset(1), args.output_offset(0)].map(Word::Var));
        Ok(Launch {
            name: self.name,
            source: assemble("gather", &[])?,
            args: vec![Arg::Read(0), Arg::Read(1), Arg::Write(2)],
            words,
            groups: groups_of(y.numel(), 256),
            work: 3 * y.numel() as u64,
        }
        .into())
    }

    fn role(&self) -> Role<'_> {
        Role::Other
    }

    fn fuse(&self, _: &Fusion) -> Option<Arc<dyn Kernel>> {
        None
    }
}

impl Rule for Gather {
    fn rule_name(&self) -> &'static str {
        self.name
    }

    fn saves(&self, _: u32) -> Saves {
        Saves { inputs: 0b10, output: false }
    }

    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        let len = call.meta(0).shape[self.axis];
        Ok(smallvec![Some(scatter_sum(self.picks, self.axis, len, call.input(1)?, dy)), None])
    }
}

impl Op for Gather {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        let (x, index) = (inputs[0], inputs[1]);
        self.picks.check(self.name, self.axis, &x.shape, &index)?;
        let picked = match self.picks {
            Picks::Elements => index.shape[self.axis],
            Picks::Lanes => index.shape[0],
        };
        Ok(Meta { shape: Shape::new(&x.shape.with(self.axis, picked))?, dtype: x.dtype })
    }

    fn accepts(&self) -> Accepts {
        Accepts::RowMajor
    }
}

/// [`Tensor::gather`] or [`Tensor::index_select`] with 0 where the index is out of range: the gradient of what was dropped.
#[track_caller]
pub(crate) fn gather_or_zero(picks: Picks, axis: usize, index: &Tensor, x: &Tensor) -> Tensor {
    record(Gather { name: "gather", axis, picks, fill: 0 }, &[x, index], &[])
}

impl Tensor {
    #[track_caller]
    fn pick(&self, name: &'static str, axis: usize, picks: Picks, index: &Tensor) -> Tensor {
        let fill = if self.dtype().is_float() { f32::NAN.to_bits() } else { 0 };
        record(Gather { name, axis, picks, fill }, &[self, index], &[])
    }

    /// Elements picked along `axis`: `y[i, j, k] = x[index[i, j, k], j, k]` for axis 0. The index (`u32` or `i32`) has as many
    /// dimensions as this tensor and is nowhere larger but along `axis`; the result has its shape. Source: `torch.gather`.
    ///
    /// An index out of range, a negative one too, gives NaN, or 0 for integers and bools; nothing is read there.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3], &Device::cpu());
    /// let classes = Tensor::from_vec(vec![2u32, 0], [2, 1], &Device::cpu());
    /// assert_eq!(x.gather(1, &classes).to_vec::<f32>()?, [3.0, 4.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn gather(&self, axis: isize, index: &Tensor) -> Tensor {
        let (Some(own), Some(other)) = (self.ok(), index.ok()) else {
            return if self.ok().is_none() { self.clone() } else { index.clone() };
        };
        let (shape, wanted) = (own.layout.shape, other.layout.shape);
        let axis = match shape.axis("gather", axis) {
            Ok(axis) => axis,
            Err(error) => return failed(error, self),
        };
        cut_to(self, &wanted, axis).pick("gather", axis, Picks::Elements, index)
    }

    /// Whole lanes picked along `axis` by an index (`u32` or `i32`) of shape `[n]`; that dimension becomes `n`. Out of range as
    /// in [`Tensor::gather`]. Source: `torch.index_select`.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0], [2, 2], &Device::cpu());
    /// let rows = Tensor::from_vec(vec![1u32, 1, 0], [3], &Device::cpu());
    /// assert_eq!(x.index_select(0, &rows).to_vec::<f32>()?, [3.0, 4.0, 3.0, 4.0, 1.0, 2.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn index_select(&self, axis: isize, index: &Tensor) -> Tensor {
        let Some(own) = self.ok() else { return self.clone() };
        match own.layout.shape.axis("index_select", axis) {
            Ok(axis) => self.pick("index_select", axis, Picks::Lanes, index),
            Err(error) => failed(error, self),
        }
    }

    /// Whole lanes picked along `axis` by an index of any shape, which takes the place of that dimension: an embedding is
    /// `table.take(0, &tokens)`, `[V, D]` and `[B, T]` to `[B, T, D]`. Out of range as in [`Tensor::gather`]. Source: `numpy.take`.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let table = Tensor::from_vec(vec![0.0, 0.5, 1.0, 1.5], [2, 2], &Device::cpu());
    /// let tokens = Tensor::from_vec(vec![1u32, 0, 1], [1, 3], &Device::cpu());
    /// assert_eq!(table.take(0, &tokens).shape(), [1, 3, 2]);
    /// ```
    #[track_caller]
    pub fn take(&self, axis: isize, index: &Tensor) -> Tensor {
        let Some(own) = self.ok() else { return self.clone() };
        let shape = own.layout.shape;
        let found = shape.axis("take", axis).and_then(|axis| {
            let mut dims: SmallVec<[usize; 2 * MAX_RANK]> = SmallVec::from_slice(&shape[..axis]);
            dims.extend_from_slice(&index.shape());
            dims.extend_from_slice(&shape[axis + 1..]);
            Ok((axis, Shape::new(&dims)?))
        });
        match found {
            Ok((axis, shape)) => self.pick("take", axis, Picks::Lanes, &index.flatten()).reshape(shape),
            Err(error) => failed(error, self),
        }
    }

    /// 1 at each element's class, 0 elsewhere: a new last dimension of `classes`, as `f32`. Elements (`u32` or `i32`) that are no
    /// class give zeros.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let y = Tensor::from_vec(vec![2u32, 0], [2], &Device::cpu()).one_hot(3);
    /// assert_eq!(y.to_vec::<f32>()?, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn one_hot(&self, classes: usize) -> Tensor {
        let Some(own) = self.ok() else { return self.clone() };
        let all = match (own.dtype(), u32::try_from(classes), i32::try_from(classes)) {
            (DType::U32, Ok(classes), _) => Tensor::arange(0..classes, &own.device),
            (DType::I32, _, Ok(classes)) => Tensor::arange(0..classes, &own.device),
            (DType::U32 | DType::I32, ..) => {
                let message = format!("too many classes: given {classes}; at most {} for {}", i32::MAX, own.dtype());
                return failed(Error::argument("one_hot", message), self);
            }
            (dtype, ..) => {
                let message = format!("classes are u32 or i32: given {dtype}; convert them with to_dtype");
                return failed(Error::dtype("one_hot", message), self);
            }
        };
        self.unsqueeze(-1).eq(&all).to_dtype(DType::F32)
    }
}

/// `x` without what lies past `shape` on every axis but `axis`.
#[track_caller]
pub(crate) fn cut_to(x: &Tensor, shape: &Shape, axis: usize) -> Tensor {
    let own = x.shape();
    if own.rank() != shape.rank() {
        return x.clone(); // the shape rule says so with both shapes
    }
    (0..own.rank()).filter(|&a| a != axis && shape[a] < own[a]).fold(x.clone(), |x, a| x.slice(a as isize, ..shape[a]))
}
