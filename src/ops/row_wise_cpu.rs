//! Operations on rows on the CPU: blocks of rows that stay in cache, each formula a vectorised loop over a block.

use crate::device::cpu::parallel::{for_chunks, for_chunks_of_all};
use crate::device::cpu::reduce::{Fold, fold_rows};
use crate::dtype::DType;
use crate::expr::{Code, Lane, Program, Scratch, Stores};
use crate::ops::row_wise::Fused;
use crate::ops::rows::Rows;
use crate::plan::kernel::{Args, CpuKernel};
use crate::shape::Layout;

/// A walk, compiled.
struct Step {
    join: Fold,
    each: Code,
    made: usize,
    then: Code,
    numbers: usize,
    /// It joins the elements of input 0 as they are.
    plain: bool,
}

/// The result's formula, compiled.
struct Finish {
    code: Code,
    keeps: bool,
}

/// An operation on rows, compiled.
struct RowKernel {
    rows: Rows,
    views: Vec<(DType, Layout)>,
    own: usize,
    steps: Vec<Step>,
    finish: Option<Finish>,
}

/// Memory of one thread.
#[derive(Default)]
struct Space {
    scratch: Scratch,
    /// What a walk made of each element.
    made: Vec<Vec<u32>>,
    joined: Vec<Vec<u32>>,
    /// The numbers of each row.
    numbers: Vec<Vec<u32>>,
    /// The same, once for each element of the row.
    spread: Vec<Vec<u32>>,
}

/// The CPU kernel of an operation on rows.
pub(super) fn build(fused: &Fused, args: &Args<'_>) -> CpuKernel {
    let rows = Rows::of(&args.inputs[0]);
    let is_copy = |program: &Program| program.inputs().len() == 1 && program.is_identity();
    let steps = fused.walks.iter().enumerate().map(|(k, walk)| Step {
        join: walk.join,
        made: walk.each.outputs().len(),
        numbers: walk.then.outputs().len(),
        plain: k == 0 && is_copy(&walk.each) && !(fused.keeps && fused.walks.len() == 1),
        each: Code::new(&walk.each),
        then: Code::new(&walk.then),
    });
    let kernel = RowKernel {
        rows,
        views: args.inputs.iter().map(|x| (x.dtype, x.layout.at(0).collapse())).collect(),
        own: fused.own,
        steps: steps.collect(),
        finish: fused.result.as_ref().map(|program| Finish { code: Code::new(program), keeps: fused.keeps }),
    };
    let cost = fused.cost();
    Box::new(move |call| {
        let rows = &kernel.rows;
        let views: Vec<_> = kernel.views.iter().zip(call.inputs).map(|((t, l), &(w, o))| (*t, l.at(o), w)).collect();
        let params: Vec<u32> =
            [(rows.width as f32).to_bits()].into_iter().chain(call.scalars.iter().copied()).collect();
        let written = if kernel.finish.is_some() { rows.width } else { 1 };
        let part = rows.part();
        let outs = call.outputs.iter_mut().map(|out| (&mut **out, part * written)).collect();
        let work = (cost * part.min(rows.rows) * rows.width) as u64;
        for_chunks_of_all(call.cpu.threads(), outs, work, |index, outs| {
            let mut space = Space::default();
            let count = outs.first().map_or(0, |out| out.len() / written.max(1));
            for start in (0..count).step_by(rows.block()) {
                let size = rows.block().min(count - start);
                let range = start * written..(start + size) * written;
                let mut outs: Vec<&mut [u32]> = outs.iter_mut().map(|out| &mut out[range.clone()]).collect();
                kernel.block(&views, &params, index * part + start, size, &mut outs, &mut space);
            }
        });
        Ok(())
    })
}

/// Long rows of one input, one after the other, computed at one go: how the result is written, the width, the rows, the result.
/// What it gives is what the formulas give, to the bit.
pub(super) type WholeRows = fn(Stores, usize, &[f32], &mut [f32]);

/// Elements of a row that is worth a go of its own.
const LONG: usize = 128;
/// Operations on an element, about.
const COST: usize = 16;

/// The CPU kernel of such rows, where they lie so.
pub(super) fn build_whole(run: WholeRows, args: &Args<'_>) -> Option<CpuKernel> {
    let [input] = args.inputs else { return None };
    let rows = Rows::of(input);
    if input.dtype != DType::F32 || !input.layout.is_contiguous() || rows.width < LONG {
        return None;
    }
    let (width, len) = (rows.width, rows.rows * rows.width);
    let stores = Stores::of(len);
    let part = stores.at_a_time() * rows.part() * width;
    Some(Box::new(move |call| {
        let (words, offset) = call.inputs[0];
        let x: &[f32] = bytemuck::cast_slice(words.get(offset..offset + len).unwrap_or_default());
        for_chunks(call.cpu.threads(), call.outputs[0], part, (COST * part.min(len)) as u64, |i, out| {
            let x = x.get(i * part..i * part + out.len()).unwrap_or_default();
            run(stores, width, x, bytemuck::cast_slice_mut(out));
        });
        Ok(())
    }))
}

impl RowKernel {
    /// Rows `first..first + count`.
    fn block(
        &self,
        views: &[(DType, Layout, &[u32])],
        params: &[u32],
        first: usize,
        count: usize,
        outs: &mut [&mut [u32]],
        space: &mut Space,
    ) {
        let Space { scratch, made, joined, numbers, spread } = space;
        let width = self.rows.width;
        let len = count * width;
        let elements: Vec<Lane<'_>> =
            views.iter().map(|(dtype, layout, words)| Lane::of(*dtype, words, layout, first * width, len)).collect();
        let mut known = 0;
        for step in &self.steps {
            grow(made, step.made, len);
            grow(joined, step.made, count);
            grow(numbers, known + step.numbers, count);
            let (before, new) = numbers.split_at_mut(known);
            match elements.first() {
                Some(&Lane::Slice(words)) if step.plain => {
                    let out = bytemuck::cast_slice_mut(&mut joined[0]);
                    fold_rows(1, step.join, bytemuck::cast_slice(words), width, out);
                }
                _ => {
                    let mut lanes = elements[..self.own].to_vec();
                    lanes.extend(of_rows(before, spread));
                    let mut values: Vec<&mut [u32]> = made[..step.made].iter_mut().map(|v| &mut v[..]).collect();
                    step.each.run(&lanes, params, &mut values, scratch);
                    for (values, joined) in made.iter().zip(joined.iter_mut()).take(step.made) {
                        let (values, joined) = (bytemuck::cast_slice(values), bytemuck::cast_slice_mut(joined));
                        fold_rows(1, step.join, values, width, joined);
                    }
                }
            }
            let lanes: Vec<Lane<'_>> =
                joined[..step.made].iter().chain(before.iter()).map(|words| Lane::Slice(words)).collect();
            let mut new: Vec<&mut [u32]> = new[..step.numbers].iter_mut().map(|v| &mut v[..]).collect();
            step.then.run(&lanes, params, &mut new, scratch);
            known += step.numbers;
            if count > 1 {
                grow(spread, known, len);
                let new = numbers.iter().zip(spread.iter_mut()).take(known).skip(known - step.numbers);
                new.for_each(|(numbers, spread)| repeat(numbers, width, spread));
            }
        }
        let Some(finish) = &self.finish else {
            if let (Some(out), Some(last)) = (outs.first_mut(), numbers.get(known.wrapping_sub(1))) {
                out.copy_from_slice(last);
            }
            return;
        };
        let mut lanes = elements[..self.own].to_vec();
        lanes.extend(of_rows(&numbers[..known], spread));
        if let Some(step) = self.steps.last().filter(|_| finish.keeps) {
            lanes.extend(made[..step.made].iter().map(|words| Lane::Slice(words)));
        }
        lanes.extend_from_slice(&elements[self.own..]);
        finish.code.run(&lanes, params, outs, scratch);
    }
}

/// The numbers of rows, for each element of the rows.
fn of_rows<'a>(numbers: &'a [Vec<u32>], spread: &'a [Vec<u32>]) -> impl Iterator<Item = Lane<'a>> {
    numbers.iter().enumerate().filter_map(|(k, words)| match words[..] {
        [one] => Some(Lane::Splat(one)),
        _ => spread.get(k).map(|words| Lane::Slice(words)),
    })
}

/// Each value `width` times.
fn repeat(values: &[u32], width: usize, out: &mut [u32]) {
    const RUN: usize = 16;
    if width > RUN {
        return out.chunks_exact_mut(width).zip(values).for_each(|(out, &value)| out.fill(value));
    }
    for (row, &value) in values.iter().enumerate() {
        let rest = out.get_mut(row * width..).unwrap_or_default();
        // whole vectors, of which the next rows take back what is theirs
        match rest.first_chunk_mut::<RUN>() {
            Some(run) => *run = [value; RUN],
            None => rest.fill(value),
        }
    }
}

/// At least `count` buffers, the first `count` of them of `len` words.
fn grow(buffers: &mut Vec<Vec<u32>>, count: usize, len: usize) {
    if buffers.len() < count {
        buffers.resize_with(count, Vec::new);
    }
    buffers[..count].iter_mut().for_each(|buffer| buffer.resize(len, 0));
}
