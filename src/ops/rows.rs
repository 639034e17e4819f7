//! What operations on rows share: rows of any strides, how many threads of a GPU take one, and e^x of many rows at a time.

use crate::device::cpu::reduce::{Fold, fold_rows};
use crate::device::shader::{coordinates, place, word};
use crate::dtype::DType;
use crate::expr::{Code, Lane, Program, Scratch, Ty, gather};
use crate::ops::blocks::{Kept, lend};
use crate::ops::wgsl::{Words, load};
use crate::plan::kernel::Operand;
use crate::shape::{Layout, Shape};
use crate::tensor::Tensor;
use std::cell::Cell;
use std::sync::OnceLock;

/// Threads of a workgroup of the shaders that include `lib/team.wgsl`.
const WORKGROUP: usize = 256;
/// Elements of a row that one thread takes: few, so that a short row is one load deep; not one, so that joining is little work.
const PER_THREAD: usize = 8;
/// Rows that lie side by side (a transposed view) go to a thread each up to this width, if there are enough for a workgroup:
/// neighbours then read neighbours.
const SIDE_BY_SIDE: usize = 4096;
/// Rows longer than this are no work for one workgroup: they are composed of reductions, which cut them into parts.
pub(crate) const LONG_ROW: usize = 1 << 20;
/// Elements that the CPU takes at a time: whole rows that stay in the second cache with what is made of them.
const BLOCK: usize = 8192;
/// Elements that a thread of the CPU takes.
const PART: usize = 8 * BLOCK;

/// A view seen as rows along its last axis: `[rows, width]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    pub rows: usize,
    pub width: usize,
    dtype: DType,
    layout: Layout,
    collapsed: Layout,
}

impl Rows {
    /// The view of an operand of at least one dimension.
    pub fn of(operand: &Operand) -> Rows {
        let layout = operand.layout.at(0);
        let width = layout.shape.last().copied().unwrap_or(1);
        let rows = layout.shape[..layout.shape.rank().saturating_sub(1)].iter().product();
        Rows { rows, width, dtype: operand.dtype, layout, collapsed: layout.collapse() }
    }

    /// Where each row begins: a layout of one element a row.
    fn starts(&self) -> Layout {
        let rank = self.layout.shape.rank().saturating_sub(1);
        Layout::new(Shape::of(&self.layout.shape[..rank]), &self.layout.strides()[..rank], 0).collapse()
    }

    fn step(&self) -> isize {
        self.layout.strides().last().copied().unwrap_or(1)
    }

    /// Threads that take one row on a GPU: a power of two.
    pub fn team(&self) -> usize {
        let apart = self.starts().strides().last().map_or(isize::MAX, |stride| stride.abs());
        if apart < self.step().abs() && self.width <= SIDE_BY_SIDE && self.rows >= WORKGROUP {
            return 1;
        }
        self.width.div_ceil(PER_THREAD).next_power_of_two().min(WORKGROUP)
    }

    /// Rows that one workgroup takes at a time.
    pub fn teams(&self) -> usize {
        WORKGROUP / self.team()
    }

    /// The region `team` of `lib/team.wgsl`.
    pub fn team_text(&self) -> String {
        format!("const TEAM = {}u;", self.team())
    }

    /// WGSL functions `{name}_row(row)`, where a row begins, and `{name}(start, column)`, an element of the row that begins
    /// there. The view lies in `buffer` from the offset in variable `offset` on.
    pub fn text(&self, name: &str, buffer: &str, offset: usize, words: &mut Words) -> String {
        let offset = words.var(offset);
        let starts = self.starts();
        let dims: Vec<usize> = starts.shape.iter().map(|&d| words.position(d)).collect();
        let strides: Vec<usize> = starts.strides().iter().map(|&s| words.position(s)).collect();
        let find = coordinates("i", "row", &dims) + &place("at", "i", Some(offset), &strides);
        let at = match self.step() {
            1 => "start + column".to_string(),
            step => format!("start + column * {}", word(words.position(step))),
        };
        let element = load(self.dtype, buffer, &at);
        let kind = match Ty::of(self.dtype) {
            Ty::F32 => "f32",
            Ty::I32 => "i32",
            Ty::U32 => "u32",
            Ty::Bool => "bool",
        };
        format!(
            "fn {name}_row(row: u32) -> u32 {{\n{find}    return at;\n}}\n\
             fn {name}(start: u32, column: u32) -> {kind} {{\n    return {element};\n}}\n"
        )
    }

    /// Rows that the CPU takes at a time.
    pub fn block(&self) -> usize {
        (BLOCK / self.width.max(1)).max(1)
    }

    /// Rows that a thread of the CPU takes: whole blocks.
    pub fn part(&self) -> usize {
        (PART / self.width.max(1)).max(1).next_multiple_of(self.block())
    }

    /// Rows `first..first + count`, one after the other: where they lie, if they lie so, else gathered into `space`.
    pub fn read<'a>(
        &self,
        (words, offset): (&'a [u32], usize),
        first: usize,
        count: usize,
        space: &'a mut Vec<u32>,
    ) -> &'a [f32] {
        let (start, len) = (first * self.width, count * self.width);
        if self.collapsed.is_contiguous() && self.dtype.size() == 4 {
            return bytemuck::cast_slice(words.get(offset + start..offset + start + len).unwrap_or_default());
        }
        space.resize(len, 0);
        gather(self.dtype, words, &self.collapsed.at(offset), start, space);
        bytemuck::cast_slice(space)
    }
}

/// Integers as floats: rows are computed in floats.
#[track_caller]
pub(crate) fn floats(x: &Tensor) -> Tensor {
    if x.dtype().is_float() { x.clone() } else { x.to_dtype(DType::F32) }
}

/// All elements of a small operand, gathered.
pub(crate) fn gathered(operand: &Operand, (words, offset): (&[u32], usize)) -> Vec<u32> {
    let mut all = vec![0; operand.layout.numel()];
    gather(operand.dtype, words, &operand.layout.at(offset), 0, &mut all);
    all
}

/// `x - max`, `e^(x - max)` and its sum, for rows on the CPU. Kept from block to block.
#[derive(Default)]
pub(crate) struct Exponentials {
    space: Vec<u32>,
    scratch: Scratch,
    /// The largest element of each row.
    pub top: Vec<f32>,
    /// `x - max` of each element.
    pub shifted: Vec<f32>,
    /// `e^(x - max)` of each element.
    pub powers: Vec<f32>,
    /// Σ `e^(x - max)` of each row.
    pub sums: Vec<f32>,
}

impl Exponentials {
    /// Lends the thread's own.
    pub fn with<T>(f: impl FnOnce(&mut Exponentials) -> T) -> T {
        thread_local!(static KEPT: Kept<Exponentials> = const { Cell::new(None) });
        lend(&KEPT, f)
    }

    /// Takes rows `first..first + count`.
    pub fn take(&mut self, rows: &Rows, input: (&[u32], usize), first: usize, count: usize) {
        let width = rows.width;
        let x = rows.read(input, first, count, &mut self.space);
        self.top.resize(count, 0.0);
        self.sums.resize(count, 0.0);
        self.shifted.resize(x.len(), 0.0);
        self.powers.resize(x.len(), 0.0);
        fold_rows(1, Fold::Max, x, width, &mut self.top);
        let both = x.chunks_exact(width.max(1)).zip(self.shifted.chunks_exact_mut(width.max(1)));
        for ((x, shifted), &top) in both.zip(&self.top) {
            shifted.iter_mut().zip(x).for_each(|(z, x)| *z = x - top);
        }
        exp(&self.shifted, &mut self.powers, &mut self.scratch);
        fold_rows(1, Fold::Sum, &self.powers, width, &mut self.sums);
    }
}

/// `out = e^x`, by the same code as the operation `exp`.
pub(crate) fn exp(x: &[f32], out: &mut [f32], scratch: &mut Scratch) {
    static CODE: OnceLock<Code> = OnceLock::new();
    let code = CODE.get_or_init(|| Code::new(&Program::build("exp", &[DType::F32], 0, |_, x, _| vec![x[0].exp()])));
    code.run(&[Lane::Slice(bytemuck::cast_slice(x))], &[], &mut [bytemuck::cast_slice_mut(out)], scratch);
}
