//! Programs on the CPU: evaluated in blocks that stay in cache, whatever the strides of the operands.

use crate::device::cpu::Cpu;
use crate::device::cpu::parallel::for_chunks_of_all;
use crate::dtype::DType;
use crate::expr::{Code, Lane, Program, Scratch, Stores, gather, pack_halves};
use crate::plan::kernel::Operand;
use crate::shape::{Layout, collapse_slice};
use smallvec::SmallVec;
use std::cell::Cell;
use std::thread::LocalKey;

/// Values that are computed at a time: they and their operands stay in the first cache.
const BLOCK: usize = 1024;
/// Values of an output that one thread takes at a time: large enough to be worth a hand-over, small enough to share out.
const CHUNK: usize = 16 * BLOCK;

/// A program bound to the layouts of its operands, all of one shape.
pub(crate) struct Blocks {
    code: Code,
    views: Vec<View>,
    outputs: SmallVec<[DType; 2]>,
    cost: u64,
    /// Whether the program is the identity.
    plain: bool,
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

/// Memory that a thread keeps from run to run.
#[derive(Default)]
pub(crate) struct Work {
    scratch: Scratch,
    gathered: Vec<u32>,
    /// Blocks of 16-bit outputs, before they are packed.
    wide: Vec<u32>,
    given: Vec<u32>,
}

impl Work {
    /// Lends the thread's own.
    pub fn with<T>(f: impl FnOnce(&mut Work) -> T) -> T {
        thread_local!(static KEPT: Kept<Work> = const { Cell::new(None) });
        lend(&KEPT, f)
    }
}

/// Working memory that a thread keeps: to allocate and clear it costs more than a small run.
pub(crate) type Kept<W> = Cell<Option<Box<W>>>;

/// Lends what the thread keeps to `f`. Another run on this thread meanwhile (rayon may start one within) gets a new one.
pub(crate) fn lend<W: Default, T>(kept: &'static LocalKey<Kept<W>>, f: impl FnOnce(&mut W) -> T) -> T {
    let mut work = kept.take().unwrap_or_default();
    let result = f(&mut work);
    kept.set(Some(work));
    result
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
        let plain = program.is_identity();
        Blocks {
            code: Code::new(program),
            views,
            outputs: program.outputs().into(),
            cost: 1 + program.len() as u64,
            plain,
        }
    }

    /// Elements `start..` (even where an output is a 16-bit float) of the common shape, as many as `outputs` hold. `given` are the program's first
    /// inputs, for the same elements; `inputs` the storages and offsets of the operands.
    pub fn run(
        &self,
        given: &[&[u32]],
        inputs: &[(&[u32], usize)],
        params: &[u32],
        start: usize,
        outputs: &mut [&mut [u32]],
        work: &mut Work,
    ) {
        self.write(Stores::Cached, given, inputs, params, start, outputs, work);
    }

    /// [`Blocks::run`], with a choice of how the outputs are written.
    #[allow(clippy::too_many_arguments, reason = "those of `run` and one more")]
    fn write(
        &self,
        stores: Stores,
        given: &[&[u32]],
        inputs: &[(&[u32], usize)],
        params: &[u32],
        start: usize,
        outputs: &mut [&mut [u32]],
        work: &mut Work,
    ) {
        let held = outputs.iter().zip(&self.outputs).map(|(out, dtype)| out.len() * per_word(*dtype));
        let len = match self.views.first() {
            Some(view) if self.halves() > 0 => held.min().unwrap_or(0).min(view.layout.numel() - start), // half a last word
            _ => held.min().unwrap_or(0),
        };
        let strided = self.views.iter().filter(|view| view.kind != Kind::Contiguous).count();
        let grow = |space: &mut Vec<u32>, blocks: usize| space.resize(space.len().max(blocks * BLOCK), 0);
        grow(&mut work.gathered, strided);
        grow(&mut work.wide, self.halves());
        // What lies in place needs no gathering: the evaluator cuts its own blocks, and a compiled loop none.
        let block = if strided == 0 && self.halves() == 0 { len } else { BLOCK };
        let mut done = 0;
        while done < len {
            let size = block.min(len - done);
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
            let mut wide = work.wide.chunks_exact_mut(BLOCK);
            let mut outs: SmallVec<[&mut [u32]; 4]> = SmallVec::new();
            for (out, dtype) in outputs.iter_mut().zip(&self.outputs) {
                outs.push(match dtype.size() {
                    2 => wide.next().and_then(|block| block.get_mut(..size)).unwrap_or_default(),
                    _ => &mut out[done..done + size],
                });
            }
            self.code.write(stores, &lanes, params, &mut outs, &mut work.scratch);
            drop(outs);
            let halves = outputs.iter_mut().zip(&self.outputs).filter(|(_, dtype)| dtype.size() == 2);
            for ((out, dtype), block) in halves.zip(work.wide.chunks_exact(BLOCK)) {
                pack_halves(*dtype, &block[..size], &mut out[done / 2..(done + size).div_ceil(2)]);
            }
            done += size;
        }
    }

    /// The number of 16-bit outputs.
    fn halves(&self) -> usize {
        self.outputs.iter().filter(|dtype| dtype.size() == 2).count()
    }

    /// As [`Blocks::run`], with the contents of the last output (32 bits each) as the program's first input: they are replaced block by block.
    pub fn replace(
        &self,
        inputs: &[(&[u32], usize)],
        params: &[u32],
        start: usize,
        outputs: &mut [&mut [u32]],
        work: &mut Work,
    ) {
        let len = outputs.last().map_or(0, |out| out.len());
        let mut given = std::mem::take(&mut work.given);
        for done in (0..len).step_by(BLOCK) {
            let end = len.min(done + BLOCK);
            given.clear();
            given.extend_from_slice(outputs.last().map_or(&[][..], |out| &out[done..end]));
            let outs = outputs.iter_mut().zip(&self.outputs);
            let mut outs: SmallVec<[&mut [u32]; 4]> =
                outs.map(|(out, dtype)| &mut out[done / per_word(*dtype)..end.div_ceil(per_word(*dtype))]).collect();
            self.run(&[&given], inputs, params, start + done, &mut outs, work);
        }
        work.given = given;
    }

    /// Elements `start..start + len` where they lie, when the program hands its one input on as it is.
    pub fn in_place<'a>(&self, inputs: &[(&'a [u32], usize)], start: usize, len: usize) -> Option<&'a [u32]> {
        match (&self.views[..], inputs) {
            ([view], &[(words, offset)]) if self.plain && view.kind == Kind::Contiguous => {
                words.get(offset + start..offset + start + len)
            }
            _ => None,
        }
    }

    /// The outputs, and the words of each that hold `chunk` elements.
    pub fn cut<'a>(&self, outputs: &'a mut [&mut [u32]], chunk: usize) -> Vec<(&'a mut [u32], usize)> {
        let words = outputs.iter_mut().zip(&self.outputs);
        words.map(|(out, dtype)| (&mut **out, chunk / per_word(*dtype))).collect()
    }

    /// All elements, shared out over threads. The result does not depend on their number: every element is computed alone.
    pub fn run_all(&self, cpu: &Cpu, inputs: &[(&[u32], usize)], params: &[u32], outputs: &mut [&mut [u32]]) {
        // 16-bit outputs are packed from a block that is read again
        let words = if self.halves() == 0 { outputs.iter().map(|out| out.len()).sum() } else { 0 };
        let stores = Stores::of(words);
        let chunk = stores.at_a_time() * CHUNK;
        let parts = self.cut(outputs, chunk);
        for_chunks_of_all(cpu.threads(), parts, self.cost * chunk as u64, |index, outs| {
            Work::with(|work| self.write(stores, &[], inputs, params, index * chunk, outs, work));
        });
    }
}

/// Elements of the type that share a word of storage.
fn per_word(dtype: DType) -> usize {
    4 / dtype.size()
}
