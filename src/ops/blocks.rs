//! Programs on the CPU: evaluated in blocks that stay in cache, whatever the strides of the operands.

use crate::device::cpu::Cpu;
use crate::device::cpu::parallel::for_chunks_of_all;
use crate::dtype::DType;
use crate::expr::{Code, Lane, Program, Scratch, gather};
use crate::plan::kernel::Operand;
use crate::shape::{Layout, collapse_slice};
use smallvec::SmallVec;

/// Values that are computed at a time: they and their operands stay in the first cache.
const BLOCK: usize = 1024;
/// Values of an output that one thread takes at a time: large enough to be worth a hand-over, small enough to share out.
const CHUNK: usize = 16 * BLOCK;

/// A program bound to the layouts of its operands, all of one shape.
pub(crate) struct Blocks {
    code: Code,
    views: Vec<View>,
    cost: u64,
}

struct View {
    dtype: DType,
    layout: Layout,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Contiguous,
    Splat,
    Strided,
}

/// Memory that a thread keeps from block to block.
#[derive(Default)]
pub(crate) struct Work {
    scratch: Scratch,
    gathered: Vec<u32>,
}

impl Blocks {
    /// The last `operands.len()` inputs of the program are the operands; inputs before them are given with each run.
    pub fn new(program: &Program, operands: &[Operand]) -> Blocks {
        let mut layouts: Vec<Layout> = operands.iter().map(|x| x.layout.at(0)).collect();
        collapse_slice(&mut layouts);
        let view = |(x, layout): (&Operand, Layout)| {
            let kind = if layout.is_scalar() {
                Kind::Splat
            } else if layout.is_contiguous() && x.dtype.size() == 4 {
                Kind::Contiguous
            } else {
                Kind::Strided
            };
            View { dtype: x.dtype, layout, kind }
        };
        let views = operands.iter().zip(layouts).map(view).collect();
        Blocks { code: Code::new(program), views, cost: 1 + program.len() as u64 }
    }

    /// Elements `start..` of the common shape, as many as `outputs` hold. `given` are the program's first inputs, for the same
    /// elements; `inputs` the storages and offsets of the operands.
    pub fn run(
        &self,
        given: &[&[u32]],
        inputs: &[(&[u32], usize)],
        params: &[u32],
        start: usize,
        outputs: &mut [&mut [u32]],
        work: &mut Work,
    ) {
        let len = outputs.iter().map(|out| out.len()).min().unwrap_or(0);
        let strided = self.views.iter().filter(|view| view.kind != Kind::Contiguous).count();
        work.gathered.resize(strided * BLOCK, 0);
        let mut done = 0;
        while done < len {
            let size = BLOCK.min(len - done);
            let at = start + done;
            let mut free = work.gathered.chunks_exact_mut(BLOCK);
            let mut lanes: SmallVec<[Lane<'_>; 8]> =
                given.iter().map(|words| Lane::Slice(&words[done..done + size])).collect();
            for (view, &(words, offset)) in self.views.iter().zip(inputs) {
                if view.kind == Kind::Contiguous {
                    lanes.push(Lane::Slice(&words[offset + at..offset + at + size]));
                    continue;
                }
                let Some(block) = free.next() else { continue }; // there are as many as views that need one
                lanes.push(if view.kind == Kind::Splat {
                    gather(view.dtype, words, &view.layout.at(offset), 0, &mut block[..1]);
                    Lane::Splat(block[0])
                } else {
                    gather(view.dtype, words, &view.layout.at(offset), at, &mut block[..size]);
                    Lane::Slice(&block[..size])
                });
            }
            let mut outs: SmallVec<[&mut [u32]; 4]> =
                outputs.iter_mut().map(|out| &mut out[done..done + size]).collect();
            self.code.run(&lanes, params, &mut outs, &mut work.scratch);
            done += size;
        }
    }

    /// All elements, shared out over threads. The result does not depend on their number: every element is computed alone.
    pub fn run_all(&self, cpu: &Cpu, inputs: &[(&[u32], usize)], params: &[u32], outputs: &mut [&mut [u32]]) {
        let parts = outputs.iter_mut().map(|out| (&mut **out, CHUNK)).collect();
        for_chunks_of_all(cpu.threads(), parts, self.cost * CHUNK as u64, |index, outs| {
            self.run(&[], inputs, params, index * CHUNK, outs, &mut Work::default());
        });
    }
}
