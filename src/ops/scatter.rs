//! `scatter_add`, `index_add`: elements added where an index tensor says. Sums are taken in the order of the index, so that the
//! result is the same in every run; no atomics. Source: `torch.scatter_add`, `torch.index_add`.
//!
//! On a GPU the places are sorted by index, stably; each element of the result then adds up its run. Runs that reach over a
//! border of chunks are added in parts first, so that an index that occurs a million times is no million steps of one thread.

use crate::device::cpu::parallel::{WORK_PER_THREAD, for_chunks};
use crate::device::launch::{Arg, Launch, Word};
use crate::device::shader::{Access, assemble, bindings};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::ops::along::{Along, add};
use crate::ops::gather::{Picks, cut_to, gather_or_zero};
use crate::ops::row::failed;
use crate::ops::sort::Sorting;
use crate::ops::wgsl::{groups_of, storage_type};
use crate::ops::{Accepts, Op, Order};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Role};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// `y[o, v, i] = Σ x[o, k, i]` over all `k` with `index[o, k, i] = v`, for `v` below `len`. Inputs: `x`, the index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ScatterSum {
    axis: usize,
    picks: Picks,
    len: usize,
}

/// Places of a chunk of sorted order: about as many as there are chunks, so that both loops are short.
fn chunk_size(n: usize) -> usize {
    if n <= 512 { n.max(1) } else { n.isqrt().next_power_of_two().clamp(64, 32_768) }
}

impl Kernel for ScatterSum {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let Along { outer, len: n, inner } = Along::of(&args.inputs[0].layout.shape, self.axis);
        let (m, picks, dtype) = (self.len, self.picks, args.inputs[0].dtype);
        let work = outer * n * inner;
        Ok(Box::new(move |call| {
            let ((x, x_offset), (index, index_offset)) = (call.inputs[0], call.inputs[1]);
            // Every chunk of the result reads the whole index, so there are no more of them than are worth a thread.
            let shares = call.cpu.threads().min(work / WORK_PER_THREAD as usize).max(1);
            let rows = (outer * m).div_ceil(shares);
            for_chunks(call.cpu.threads(), call.outputs[0], rows * inner, (work / shares) as u64, |chunk, out| {
                out.fill(0);
                let first = chunk * rows;
                let end = first + out.len() / inner;
                for o in first / m..end.div_ceil(m) {
                    let row_of = |place: usize| {
                        let row = o * m + place;
                        (place < m && (first..end).contains(&row)).then(|| (row - first) * inner)
                    };
                    for k in 0..n {
                        let x = &x[x_offset + (o * n + k) * inner..][..inner];
                        if picks == Picks::Lanes {
                            let Some(to) = row_of(index[index_offset + k] as usize) else { continue };
                            out[to..to + inner].iter_mut().zip(x).for_each(|(y, &x)| *y = add(dtype, *y, x));
                            continue;
                        }
                        let index = &index[index_offset + (o * n + k) * inner..][..inner];
                        for (i, (&place, &x)) in index.iter().zip(x).enumerate() {
                            if let Some(to) = row_of(place as usize) {
                                out[to + i] = add(dtype, out[to + i], x);
                            }
                        }
                    }
                }
            });
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let x = Along::of(&args.inputs[0].layout.shape, self.axis);
        let y = Along { len: self.len, ..x };
        let kind = storage_type(args.outputs[0].dtype);
        let alias = format!("alias Sum = {kind};");
        let lanes = match self.picks {
            Picks::Elements => x,
            Picks::Lanes => Along { outer: 1, inner: 1, ..x },
        };
        // Of a lane (o, i) in the starts: o * step_o + i * step_i.
        let [step_o, step_i] = if self.picks == Picks::Lanes { [0, 0] } else { [x.inner, 1] };
        let [place_o, place_k, place_i] = self.picks.strides(x);
        let size = chunk_size(x.len);
        let chunks = x.len.div_ceil(size);
        let ends = self.len + 1;
        let [order, starts, parts, runs] = [0, 1, 2, 3].map(|s| args.scratch(s));
        let [x_offset, index_offset] = [0, 1].map(|i| Word::Var(args.input_offset(i)));
        let y_offset = Word::Var(args.output_offset(0));
        let read = |name| (name, "u32", Access::Read);

        // Negative indices are large as u32: with all that are out of range they come last.
        let key = Order::Ascending.wgsl(DType::U32);
        let along = Along { len: x.len, ..lanes };
        let sorting =
            Sorting { name: "scatter_add", along, key: &key, x: (1, index_offset), y: (order, Word::Const(0)), runs };
        let mut launches = sorting.launches()?;

        let count = lanes.lanes() * ends;
        let sizes = [count, ends, x.len, lanes.inner, place_o, place_k, place_i];
        let mut words: Vec<Word> = sizes.map(Word::from).to_vec();
        words.push(index_offset);
        launches.push(Launch {
            name: "scatter_add",
            source: assemble("scatter_starts", &[])?,
            args: vec![Arg::Read(1), Arg::Read(order), Arg::Write(starts)],
            words,
            groups: groups_of(count, 256),
            work: count as u64 * 3 * u64::from(x.len.max(2).ilog2()),
        });

        let places = [chunks, size, x.inner, x.len, ends, place_o, place_k, place_i, step_o, step_i];
        let common = |count: usize, offset: Word| {
            let mut words = vec![Word::from(count)];
            words.extend(places.map(Word::from));
            words.extend([x_offset, offset]);
            words
        };
        if chunks > 1 {
            let count = x.outer * chunks * x.inner;
            let words = common(count, index_offset);
            let buffers = [
                ("x", kind, Access::Read),
                read("index"),
                read("order"),
                read("starts"),
                ("parts", kind, Access::Write),
            ];
            let declared = bindings(&buffers, words.len());
            launches.push(Launch {
                name: "scatter_add",
                source: assemble("scatter_parts", &[("bindings", &declared), ("type", &alias)])?,
                args: vec![Arg::Read(0), Arg::Read(1), Arg::Read(order), Arg::Read(starts), Arg::Write(parts)],
                words,
                groups: groups_of(count, 64),
                work: 3 * x.numel() as u64,
            });
        }

        let words = common(y.numel(), y_offset);
        let buffers = [
            ("x", kind, Access::Read),
            read("order"),
            read("starts"),
            ("parts", kind, Access::Read),
            ("y", kind, Access::Write),
        ];
        let declared = bindings(&buffers, words.len());
        launches.push(Launch {
            name: "scatter_add",
            source: assemble("scatter_sum", &[("bindings", &declared), ("type", &alias)])?,
            args: vec![Arg::Read(0), Arg::Read(order), Arg::Read(starts), Arg::Read(parts), Arg::Write(2)],
            words,
            groups: groups_of(y.numel(), 256),
            work: (3 * x.numel() + 4 * y.numel()) as u64,
        });
        let scratch = vec![
            along.numel().max(1),
            count,
            if chunks > 1 { 2 * x.outer * chunks * x.inner } else { 1 },
            sorting.scratch(),
        ];
        Ok(Launches { launches, scratch })
    }

    fn role(&self) -> Role<'_> {
        Role::Other
    }

    fn fuse(&self, _: &Fusion) -> Option<Arc<dyn Kernel>> {
        None
    }
}

impl Rule for ScatterSum {
    fn rule_name(&self) -> &'static str {
        "scatter_add"
    }

    fn saves(&self, _: u32) -> Saves {
        Saves { inputs: 0b10, output: false }
    }

    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        Ok(smallvec![Some(gather_or_zero(self.picks, self.axis, call.input(1)?, dy)), None])
    }
}

impl Op for ScatterSum {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        let (x, index) = (inputs[0], inputs[1]);
        let name = match self.picks {
            Picks::Elements => "scatter_add",
            Picks::Lanes => "index_add",
        };
        self.picks.check(name, self.axis, &x.shape, &index)?;
        let taken = match self.picks {
            Picks::Elements => index.shape[self.axis],
            Picks::Lanes => index.shape[0],
        };
        if taken != x.shape[self.axis] {
            let message = format!(
                "index {} does not fit what is added, {}, along axis {}; give one place for each",
                index.shape, x.shape, self.axis
            );
            return Err(Error::shape(name, message));
        }
        if x.dtype == DType::Bool {
            return Err(Error::dtype(name, "bools do not add: given bool; convert with to_dtype"));
        }
        Ok(Meta { shape: Shape::new(&x.shape.with(self.axis, self.len))?, dtype: x.dtype })
    }

    fn accepts(&self) -> Accepts {
        Accepts::RowMajor
    }
}

/// The sums of `x` by index: zeros of length `len` along `axis`, each element of `x` added where its index says. Out of range
/// is dropped.
#[track_caller]
pub(crate) fn scatter_sum(picks: Picks, axis: usize, len: usize, index: &Tensor, x: &Tensor) -> Tensor {
    record(ScatterSum { axis, picks, len }, &[x, index], &[])
}

impl Tensor {
    /// This tensor with the elements of `src` added where the index (`u32` or `i32`) says: `y[index[i, j, k], j, k] += src[i, j, k]`
    /// for axis 0. All three have as many dimensions; the index is nowhere larger than `src`, and than this tensor but along
    /// `axis`. Source: `torch.scatter_add`.
    ///
    /// Sums are taken in the order of the index: the same bits in every run. An index out of range, a negative one too, is dropped.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let index = Tensor::from_vec(vec![0u32, 2, 0], [3], &Device::cpu());
    /// let src = Tensor::from_vec(vec![1.0, 2.0, 3.0], [3], &Device::cpu());
    /// let y = Tensor::ones([3], &Device::cpu()).scatter_add(0, &index, &src);
    /// assert_eq!(y.to_vec::<f32>()?, [5.0, 1.0, 3.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn scatter_add(&self, axis: isize, index: &Tensor, src: &Tensor) -> Tensor {
        if let Some(failed) = [self, index, src].into_iter().find(|x| x.ok().is_none()) {
            return failed.clone();
        }
        let (shape, places, given) = (self.shape(), index.shape(), src.shape());
        let axis = match shape.axis("scatter_add", axis) {
            Ok(axis) => axis,
            Err(error) => return failed(error, self),
        };
        let rank = shape.rank();
        let fits = places.rank() == rank
            && given.rank() == rank
            && (0..rank).all(|a| places[a] <= given[a] && (a == axis || places[a] <= shape[a]));
        if !fits {
            let message = format!(
                "index {places} does not fit src {given} and shape {shape} along axis {axis}; \
                 give as many dimensions, none larger than src, or than the shape but for the axis"
            );
            return failed(Error::shape("scatter_add", message), self);
        }
        let src = cut_to(src, &places, axis).slice(axis as isize, ..places[axis]);
        let sums = scatter_sum(Picks::Elements, axis, shape[axis], index, &src);
        let border = |a: usize| if a == axis { (0, 0) } else { (0, shape[a] - places[a]) };
        let borders: SmallVec<[(usize, usize); 8]> = (0..rank).map(border).collect();
        self.add(&sums.pad(&borders, 0.0))
    }

    /// This tensor with whole lanes of `src` added along `axis` where an index (`u32` or `i32`) of shape `[n]` says; `src` has this
    /// tensor's shape but for `n` along `axis`. Order and range as in [`Tensor::scatter_add`]. Source: `torch.index_add`.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let groups = Tensor::from_vec(vec![1u32, 0, 1], [3], &Device::cpu());
    /// let rows = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [3, 2], &Device::cpu());
    /// let sums = Tensor::zeros([2, 2], &Device::cpu()).index_add(0, &groups, &rows);
    /// assert_eq!(sums.to_vec::<f32>()?, [3.0, 4.0, 6.0, 8.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn index_add(&self, axis: isize, index: &Tensor, src: &Tensor) -> Tensor {
        if let Some(failed) = [self, index, src].into_iter().find(|x| x.ok().is_none()) {
            return failed.clone();
        }
        let (shape, given) = (self.shape(), src.shape());
        match shape.axis("index_add", axis) {
            Ok(axis) if given.rank() == shape.rank() && given.with(axis, shape[axis]) == shape => {
                self.add(&scatter_sum(Picks::Lanes, axis, shape[axis], index, src))
            }
            Ok(axis) => {
                let message = format!(
                    "src {given} does not fit shape {shape} along axis {axis}; all other dimensions must be equal"
                );
                failed(Error::shape("index_add", message), self)
            }
            Err(error) => failed(error, self),
        }
    }
}
