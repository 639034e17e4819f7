//! Reductions on the CPU. Partitions and the order of joining depend on shapes alone, never on the number of threads.

use crate::device::cpu::Cpu;
use crate::device::cpu::columns::fold_down;
use crate::device::cpu::parallel::for_chunks;
use crate::device::cpu::reduce::{Fold, fold, fold_rows};
use crate::dtype::DType;
use crate::error::Result;
use crate::expr::{Program, Ty};
use crate::ops::blocks::{Blocks, Work};
use crate::ops::reduce::{Join, Reduce};
use crate::plan::kernel::{Args, CpuKernel};

/// Elements that are computed and joined at a time: a block in the first cache.
const BLOCK: usize = 1024;
/// Elements of a long row that one thread takes.
const PART: usize = 64 * BLOCK;
/// Rows that are added up before their sum is joined with others: keeps rounding at the level of pairwise sums.
const ROWS: usize = 64;

/// Joins registers of one type.
#[derive(Clone, Copy)]
struct Joiner {
    join: Join,
    ty: Ty,
}

impl Joiner {
    fn identity(self) -> u32 {
        self.join.identity(self.ty)
    }

    /// What it does to floats.
    fn fold(self) -> Fold {
        match self.join {
            Join::Sum => Fold::Sum,
            Join::Prod => Fold::Product,
            Join::Max => Fold::Max,
            Join::Min => Fold::Min,
        }
    }

    fn two(self, a: u32, b: u32) -> u32 {
        match self.ty {
            Ty::F32 => {
                let (x, y) = (f32::from_bits(a), f32::from_bits(b));
                match self.join {
                    Join::Sum => x + y,
                    Join::Prod => x * y,
                    Join::Max => {
                        if x > y || x.is_nan() {
                            x
                        } else {
                            y
                        }
                    }
                    Join::Min => {
                        if x < y || x.is_nan() {
                            x
                        } else {
                            y
                        }
                    }
                }
                .to_bits()
            }
            Ty::I32 => {
                let (x, y) = (a.cast_signed(), b.cast_signed());
                match self.join {
                    Join::Sum => x.wrapping_add(y),
                    Join::Prod => x.wrapping_mul(y),
                    Join::Max => x.max(y),
                    Join::Min => x.min(y),
                }
                .cast_unsigned()
            }
            Ty::U32 | Ty::Bool => match self.join {
                Join::Sum => a.wrapping_add(b),
                Join::Prod => a.wrapping_mul(b),
                Join::Max => a.max(b),
                Join::Min => a.min(b),
            },
        }
    }

    /// A block of at most [`BLOCK`] elements.
    fn block(self, words: &[u32]) -> u32 {
        if self.ty == Ty::F32 {
            return fold(1, self.fold(), bytemuck::cast_slice(words)).to_bits();
        }
        words.iter().fold(self.identity(), |all, &x| self.two(all, x))
    }

    /// Each row of `width` words as one.
    fn each(self, words: &[u32], width: usize, out: &mut [u32]) {
        if self.ty == Ty::F32 {
            return fold_rows(1, self.fold(), bytemuck::cast_slice(words), width, bytemuck::cast_slice_mut(out));
        }
        out.iter_mut().zip(words.chunks(width)).for_each(|(y, row)| *y = self.block(row));
    }

    /// Neighbours pairwise, until one is left.
    fn pairwise(self, parts: &[u32]) -> u32 {
        match parts {
            [] => self.identity(),
            [one] => *one,
            _ => {
                let (left, right) = parts.split_at(parts.len().next_power_of_two() / 2);
                self.two(self.pairwise(left), self.pairwise(right))
            }
        }
    }

    /// `all[j] = all[j] + row[j]`, for each j and each row; rows begin `stride` apart.
    fn down(self, all: &mut [u32], rows: &[u32], stride: usize) {
        if self.ty == Ty::F32 {
            return fold_down(self.fold(), bytemuck::cast_slice_mut(all), bytemuck::cast_slice(rows), stride);
        }
        for row in rows.chunks(stride.max(1)) {
            for (a, &x) in all.iter_mut().zip(row) {
                *a = self.two(*a, x);
            }
        }
    }
}

/// The CPU kernel of a reduction.
pub(crate) fn build(op: &Reduce, args: &Args<'_>) -> Result<CpuKernel> {
    let joiner = Joiner { join: op.join, ty: Ty::of(op.joined(args)) };
    // Neighbouring elements that go to different outputs are walked row by row, so that memory is read in order.
    let by_columns = reads_columns(op, args);
    let (views, outputs, elements) = op.arranged(args, by_columns);
    let identity = |dtype: DType| Program::build("load", &[dtype], 0, |_, x, _| vec![x[0]]);
    let program = op.prologue.clone().unwrap_or_else(|| identity(args.inputs[0].dtype));
    let blocks = Blocks::new(&program, &views);
    let epilogue = op.epilogue.as_ref().map(|program| Blocks::new(program, &args.inputs[op.own()..]));
    let (own, after) = (op.own(), op.epilogue.as_ref().map_or(0, |p| p.params()));
    Ok(Box::new(move |call| {
        let (params, epilogue_params) = call.scalars.split_at(call.scalars.len() - after);
        let reduce = Reducing { joiner, blocks: &blocks, inputs: &call.inputs[..own], params, outputs, elements };
        let cpu = call.cpu;
        let (inputs, extra) = call.inputs.split_at(own);
        debug_assert_eq!(inputs.len(), own);
        let Some(epilogue) = &epilogue else {
            reduce.all(cpu, call.outputs[0], by_columns);
            return Ok(());
        };
        let mut results = vec![0u32; outputs];
        reduce.all(cpu, &mut results, by_columns);
        Work::with(|work| epilogue.run(&[&results], extra, epilogue_params, 0, call.outputs, work));
        Ok(())
    }))
}

/// Whether the innermost stored axis is one that stays.
fn reads_columns(op: &Reduce, args: &Args<'_>) -> bool {
    let layout = args.inputs[0].layout;
    let innermost = (0..layout.shape.rank())
        .filter(|&axis| layout.shape[axis] > 1 && layout.strides()[axis] != 0)
        .min_by_key(|&axis| layout.strides()[axis].unsigned_abs());
    innermost.is_some_and(|axis| op.axes >> axis & 1 == 0)
}

/// One run of a reduction.
struct Reducing<'a> {
    joiner: Joiner,
    blocks: &'a Blocks,
    inputs: &'a [(&'a [u32], usize)],
    params: &'a [u32],
    outputs: usize,
    elements: usize,
}

impl Reducing<'_> {
    fn all(&self, cpu: &Cpu, out: &mut [u32], by_columns: bool) {
        if self.elements == 0 {
            out.fill(self.joiner.identity());
        } else if by_columns {
            self.columns(cpu, out);
        } else if self.outputs < 16 && self.elements > 2 * PART {
            self.long_rows(cpu, out);
        } else {
            let rows = (PART / self.elements).max(1);
            let work = (rows.min(self.outputs) * self.elements) as u64;
            for_chunks(cpu.threads(), out, rows, work, |index, out| {
                Work::with(|work| {
                    if self.elements <= BLOCK {
                        return self.short_rows(index * rows, out, work);
                    }
                    for (j, y) in out.iter_mut().enumerate() {
                        *y = self.span((index * rows + j) * self.elements, self.elements, work);
                    }
                });
            });
        }
    }

    /// Rows from `first` on, each of at most a block: computed several at a time, or each would pay for the start of a run.
    fn short_rows(&self, first: usize, out: &mut [u32], work: &mut Work) {
        let rows = 4 * BLOCK / self.elements;
        let mut values = vec![0u32; rows.min(out.len()) * self.elements];
        for (k, out) in out.chunks_mut(rows).enumerate() {
            let values = &mut values[..out.len() * self.elements];
            let start = (first + k * rows) * self.elements;
            self.blocks.run(&[], self.inputs, self.params, start, &mut [&mut *values], work);
            self.joiner.each(values, self.elements, out);
        }
    }

    /// Elements `start..start + len` of the arranged input, joined: more than a block.
    fn span(&self, start: usize, len: usize, work: &mut Work) -> u32 {
        let mut block = [0u32; BLOCK];
        let mut parts = Vec::with_capacity(len.div_ceil(BLOCK));
        for at in (0..len).step_by(BLOCK) {
            let block = &mut block[..BLOCK.min(len - at)];
            self.blocks.run(&[], self.inputs, self.params, start + at, &mut [&mut *block], work);
            parts.push(self.joiner.block(block));
        }
        self.joiner.pairwise(&parts)
    }

    /// Few long rows: each is cut into parts that threads share.
    fn long_rows(&self, cpu: &Cpu, out: &mut [u32]) {
        let parts = self.elements.div_ceil(PART);
        let mut sums = vec![0u32; self.outputs * parts];
        for_chunks(cpu.threads(), &mut sums, 1, PART as u64, |index, sum| {
            let (row, part) = (index / parts, index % parts);
            let start = part * PART;
            let len = PART.min(self.elements - start);
            sum[0] = Work::with(|work| self.span(row * self.elements + start, len, work));
        });
        for (y, parts) in out.iter_mut().zip(sums.chunks(parts)) {
            *y = self.joiner.pairwise(parts);
        }
    }

    /// The arranged input is `[elements, outputs]`: whole stretches of outputs are joined row by row.
    fn columns(&self, cpu: &Cpu, out: &mut [u32]) {
        let work = (BLOCK.min(self.outputs) * self.elements) as u64;
        for_chunks(cpu.threads(), out, BLOCK, work, |index, out| {
            Work::with(|work| self.column_block(index * BLOCK, out, work));
        });
    }

    /// Columns from `first` on, as many as `out` has.
    fn column_block(&self, first: usize, out: &mut [u32], work: &mut Work) {
        let width = out.len();
        let mut row = Vec::new();
        let mut sums: Vec<Vec<u32>> = Vec::new(); // sums[i] covers 2^i groups of rows, as in a binary counter
        for (count, start) in (0..self.elements).step_by(ROWS).enumerate() {
            let end = self.elements.min(start + ROWS);
            let mut group = vec![self.joiner.identity(); width];
            let (at, len) = (start * self.outputs + first, (end - start - 1) * self.outputs + width);
            match self.blocks.in_place(self.inputs, at, len) {
                Some(words) => self.joiner.down(&mut group, words, self.outputs),
                None => {
                    row.resize(width, 0);
                    for r in start..end {
                        let at = r * self.outputs + first;
                        self.blocks.run(&[], self.inputs, self.params, at, &mut [&mut row], work);
                        self.joiner.down(&mut group, &row, width);
                    }
                }
            }
            for _ in 0..count.trailing_ones() {
                if let Some(mut have) = sums.pop() {
                    self.joiner.down(&mut have, &group, width);
                    group = have;
                }
            }
            sums.push(group);
        }
        out.fill(self.joiner.identity());
        for sum in sums.iter().rev() {
            self.joiner.down(out, sum, width);
        }
    }
}
