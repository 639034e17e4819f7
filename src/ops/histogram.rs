//! `histogram`: sums of rows by bin, for many features at once: what gradient boosting searches for splits. Source: Ke and
//! others, "LightGBM", 2017.
//!
//! What is added are whole numbers, so that atomics of a GPU, in whatever order, give the bits that the CPU does.

use crate::device::cpu::parallel::for_chunks;
use crate::device::launch::{Arg, Launch, Word};
use crate::device::shader::assemble;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::ops::wgsl::groups_of;
use crate::ops::{Accepts, Op};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Role};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record;
use smallvec::smallvec;
use std::sync::Arc;

/// Features of a block: a byte each in a word.
pub(crate) const LANES: usize = 4;
/// Bins of a feature.
pub(crate) const BINS: usize = 256;
/// Words of an entry: two 64-bit integers.
pub(crate) const ENTRY: usize = 4;
/// Words of a block's histograms: 16 KiB, what a workgroup has of shared memory.
const BLOCK: usize = LANES * BINS * ENTRY;

/// Rows of a chunk: enough that adding up the chunks' parts is little beside them, and fewer than a loop has rounds for.
const FEWEST: usize = 2048;
const MOST: usize = 1 << 20;
/// Chunks that keep a large GPU busy.
const CHUNKS: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Histogram;

/// Sizes of a call: blocks of features, rows in all, and those that are listed.
#[derive(Clone, Copy)]
struct Sizes {
    blocks: usize,
    rows: usize,
    listed: usize,
}

impl Sizes {
    fn of(args: &Args<'_>) -> Sizes {
        let shape = |input: usize| args.inputs[input].layout.shape;
        Sizes { blocks: shape(0)[0], rows: shape(0)[1], listed: shape(1)[0] }
    }

    fn work(&self) -> u64 {
        80 * (self.listed * self.blocks) as u64 // 4 ns a row and block, see WORK_PER_THREAD
    }
}

impl Kernel for Histogram {
    fn name(&self) -> &'static str {
        "histogram"
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let sizes = Sizes::of(args);
        Ok(Box::new(move |call| {
            let words = |input: usize, len: usize| {
                let (words, offset) = call.inputs[input];
                words.get(offset..offset + len).unwrap_or_default()
            };
            let (bins, entries) = (words(0, sizes.blocks * sizes.rows), words(2, sizes.rows * ENTRY));
            let taken = call.scalars.first().map_or(0, |&count| count as usize);
            let listed = words(1, taken.min(sizes.listed));
            let work = sizes.work() / sizes.blocks as u64;
            for_chunks(call.cpu.threads(), call.outputs[0], BLOCK, work, |block, out| {
                out.fill(0);
                let bins = bins.get(block * sizes.rows..).unwrap_or_default();
                for &row in listed {
                    let row = row as usize;
                    let (Some(of_row), Some(entry)) = (bins.get(row), entries.get(row * ENTRY..(row + 1) * ENTRY))
                    else {
                        continue;
                    };
                    for (lane, bin) in of_row.to_le_bytes().into_iter().enumerate() {
                        let at = (lane * BINS + usize::from(bin)) * ENTRY;
                        let sums = out.get_mut(at..at + ENTRY).unwrap_or_default();
                        for (sum, more) in sums.chunks_exact_mut(2).zip(entry.chunks_exact(2)) {
                            let [low, carry] =
                                [sum[0].wrapping_add(more[0]), u32::from(sum[0].checked_add(more[0]).is_none())];
                            sum.copy_from_slice(&[low, sum[1].wrapping_add(more[1]).wrapping_add(carry)]);
                        }
                    }
                }
            });
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let sizes = Sizes::of(args);
        let Sizes { blocks, rows, listed } = sizes;
        let size = listed.div_ceil(CHUNKS).clamp(FEWEST, MOST);
        let chunks = listed.div_ceil(size).max(1);
        let (parts, integers) = (args.scratch(0), blocks * BLOCK / 2);
        let [of_bins, of_rows, of_entries] = [0, 1, 2].map(|input| Word::Var(args.input_offset(input)));
        let sums = Launch {
            name: "histogram",
            source: assemble("histogram", &[])?,
            args: vec![Arg::Read(0), Arg::Read(1), Arg::Read(2), Arg::Write(parts)],
            words: vec![
                Word::Var(args.scalar(0)),
                rows.into(),
                blocks.into(),
                size.into(),
                chunks.into(),
                of_bins,
                of_rows,
                of_entries,
            ],
            groups: (chunks * blocks) as u64,
            work: sizes.work(),
        };
        let total = Launch {
            name: "histogram",
            source: assemble("histogram_total", &[])?,
            args: vec![Arg::Read(parts), Arg::Write(3)],
            words: vec![integers.into(), chunks.into(), Word::Var(args.output_offset(0))],
            groups: groups_of(integers, 256),
            work: (4 * integers * chunks) as u64,
        };
        Ok(Launches { launches: vec![sums, total], scratch: vec![chunks * blocks * BLOCK] })
    }

    fn role(&self) -> Role<'_> {
        Role::Other
    }

    fn fuse(&self, _: &Fusion) -> Option<Arc<dyn Kernel>> {
        None
    }
}

impl Rule for Histogram {
    fn rule_name(&self) -> &'static str {
        "histogram"
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::NONE
    }

    fn grad(&self, _: &GradCall<'_>, _: &Tensor) -> Result<Partials> {
        Ok(smallvec![None; 3]) // whole numbers have no gradient
    }
}

impl Op for Histogram {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        const OP: &str = "histogram";
        let [bins, rows, entries] = [0, 1, 2].map(|i| inputs[i]);
        for (what, meta) in [("bins", bins), ("rows", rows), ("entries", entries)] {
            if meta.dtype != DType::U32 {
                return Err(Error::dtype(OP, format!("{what} are u32: given {}", meta.dtype)));
            }
        }
        match (bins.shape.dims(), rows.shape.dims(), entries.shape.dims()) {
            (&[blocks, rows], &[listed], &[of_entries, ENTRY]) if rows == of_entries && rows.min(listed) > 0 => {
                let lanes = blocks.checked_mul(LANES).ok_or_else(|| Error::shape(OP, "too many features"))?;
                Ok(Meta { shape: Shape::new(&[lanes, BINS, ENTRY])?, dtype: DType::U32 })
            }
            _ => {
                let message = format!(
                    "shapes of bins {}, rows {} and entries {} are not [B, N], [R] and [N, 4]; give at least one row",
                    bins.shape, rows.shape, entries.shape
                );
                Err(Error::shape(OP, message))
            }
        }
    }

    fn accepts(&self) -> Accepts {
        Accepts::RowMajor
    }
}

/// Sums of entries by bin, of the first `count` of the `rows` that are listed, `[R]`: `u32` `[4·B, 256, 4]`. A word of `bins`,
/// `[B, N]`, has the bins of four features, the first in its lowest byte; an entry, `[N, 4]`, is two 64-bit integers, the low
/// word first, and the sums wrap. Rows that are not there add nothing. No gradient flows.
#[track_caller]
pub(crate) fn histogram(bins: &Tensor, rows: &Tensor, count: u32, entries: &Tensor) -> Tensor {
    record(Histogram, &[bins, rows, entries], &[count])
}
