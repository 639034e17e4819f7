//! Programs on the CPU: instruction by instruction over blocks that stay in cache.
//!
//! A block of 1,024 values a register keeps a handful of registers within the first-level cache, and each instruction is a
//! vectorised loop over the block. Inputs that lie contiguously are read where they are, and outputs are written where they
//! go; only other views and the ragged end are staged through a copy.

use super::ahead;
use super::compiled::{self, Loop};
use super::gather::{Lane, gather};
use super::lift::{Block, CHUNK, Chunk};
use super::{Inst, Node, Program, Ty};
use smallvec::SmallVec;
use std::ops::Range;

/// Values computed at a time.
pub(crate) const BLOCK: usize = 1024;

/// A program compiled for the CPU: once for each plan.
///
/// ```
/// use tilework::{DType, expr::{Code, Lane, Program, Scratch}};
/// let axpy = Program::build("axpy", &[DType::F32, DType::F32], 1, |_, x, p| vec![p[0] * x[0] + x[1]]);
/// let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
/// let (x, a) = (bits(&[1.0, 2.0, 3.0]), 10f32.to_bits());
/// let mut y = vec![0; 3];
/// let lanes = [Lane::Slice(&x), Lane::Splat(0.5f32.to_bits())];
/// Code::new(&axpy).run(&lanes, &[a], &mut [&mut y], &mut Scratch::default());
/// assert_eq!(y, bits(&[10.5, 20.5, 30.5]));
/// ```
#[derive(Debug)]
pub struct Code {
    /// The loop of a formula that is compiled whole.
    whole: Option<Loop>,
    steps: Vec<Step>,
    copies: Vec<(Place, usize)>, // outputs that are inputs, constants or other outputs
    constants: Vec<u32>,
    params: usize,
    lanes: usize,
    outputs: usize,
    registers: usize,
}

/// One instruction.
#[derive(Debug)]
struct Step {
    cpu: fn(Ty, &[Block<'_>; 3], &mut [u32]),
    ty: Ty,
    args: [Place; 3],
    out: Place,
}

/// Where a value is while a block is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Lane(usize),
    Splat(usize), // constants, then parameters
    Register(usize),
    Output(usize),
}

/// Working memory of one thread, reused from run to run.
#[derive(Debug, Default)]
pub struct Scratch {
    splats: Vec<Chunk>, // constants, parameters, lanes
    registers: Vec<Register>,
    lanes: Vec<Register>,
    tails: Vec<Register>,
}

/// A block of words that begins at a cache line.
#[derive(Debug, Default)]
struct Register {
    words: Vec<u32>,
    first: usize,
}

impl Register {
    fn new() -> Register {
        let words = vec![0; BLOCK + 16];
        let first = words.as_ptr().align_offset(64).min(16);
        Register { words, first }
    }

    /// The first `len` words.
    fn get(&self, len: usize) -> &[u32] {
        self.words.get(self.first..self.first + len).unwrap_or_default()
    }

    fn get_mut(&mut self, len: usize) -> &mut [u32] {
        self.words.get_mut(self.first..self.first + len).unwrap_or_default()
    }
}

impl Code {
    /// The program as it runs fastest.
    pub fn new(program: &Program) -> Code {
        Code { whole: compiled::find(program), ..Code::evaluated(program) }
    }

    /// The program instruction by instruction. Assigns registers: a value's is free again after its last use.
    pub(super) fn evaluated(program: &Program) -> Code {
        let (nodes, results) = (program.nodes(), program.results());
        let constant = |node: &Node| if let Inst::Const(bits) = node.inst { Some(bits) } else { None };
        let constants: Vec<u32> = nodes.iter().filter_map(constant).collect();
        let mut last_use = vec![0; nodes.len()];
        for (id, node) in nodes.iter().enumerate() {
            node.operands().iter().for_each(|&operand| last_use[operand as usize] = id);
        }
        let mut steps = Vec::new();
        let mut places: Vec<Place> = Vec::with_capacity(nodes.len());
        let (mut free, mut registers) = (Vec::new(), 0);
        let mut splats = 0..constants.len();
        for (id, node) in nodes.iter().enumerate() {
            places.push(match node.inst {
                Inst::Input(n) => Place::Lane(n as usize),
                Inst::Param(n) => Place::Splat(constants.len() + n as usize),
                Inst::Const(_) => Place::Splat(splats.next().unwrap_or(0)),
                Inst::Apply(prim, args) => {
                    let out = match results.iter().position(|&result| result as usize == id) {
                        Some(n) => Place::Output(n),
                        None => Place::Register(free.pop().unwrap_or_else(|| {
                            registers += 1;
                            registers - 1
                        })),
                    };
                    let args = args.map(|arg| places.get(arg as usize).copied().unwrap_or(Place::Splat(0)));
                    steps.push(Step { cpu: prim.row().cpu, ty: operand_type(node, nodes), args, out });
                    out
                }
            });
            // only after its own place is chosen: a step never writes what it reads
            for (i, &operand) in node.operands().iter().enumerate() {
                let repeated = node.operands()[..i].contains(&operand);
                if let (false, Place::Register(r)) = (repeated, places[operand as usize])
                    && last_use[operand as usize] == id
                {
                    free.push(r);
                }
            }
        }
        let copies = results.iter().map(|&id| places[id as usize]).enumerate();
        let copies = copies.filter(|&(n, place)| place != Place::Output(n)).map(|(n, place)| (place, n)).collect();
        let (params, lanes, outputs) = (program.params(), program.inputs().len(), results.len());
        Code { whole: None, steps, copies, constants, params, lanes, outputs, registers }
    }

    /// Computes all elements of the outputs, which have one length.
    ///
    /// `lanes` holds one entry for each input, `params` the bits of each parameter. The result of an element does not
    /// depend on where runs begin and end, nor on the CPU's instruction set.
    pub fn run(&self, lanes: &[Lane<'_>], params: &[u32], outputs: &mut [&mut [u32]], scratch: &mut Scratch) {
        debug_assert!(lanes.len() == self.lanes && params.len() >= self.params && outputs.len() == self.outputs);
        if let Some(whole) = self.whole
            && run_whole(whole, lanes, params, outputs)
        {
            return;
        }
        let len = outputs.iter().map(|out| out.len()).min().unwrap_or(0);
        self.prepare(lanes, params, scratch);
        for start in (0..len).step_by(BLOCK) {
            let range = start..len.min(start + BLOCK);
            let ragged = !range.len().is_multiple_of(CHUNK);
            Frame { code: self, lanes, range, ragged }.run(outputs, scratch);
        }
    }

    /// Fills what is the same for all blocks.
    fn prepare(&self, lanes: &[Lane<'_>], params: &[u32], scratch: &mut Scratch) {
        let grow = |blocks: &mut Vec<Register>, count: usize| {
            if blocks.len() < count {
                blocks.resize_with(count, Register::new);
            }
        };
        grow(&mut scratch.registers, self.registers);
        grow(&mut scratch.lanes, self.lanes);
        grow(&mut scratch.tails, self.outputs);
        scratch.splats.clear();
        scratch.splats.extend(self.constants.iter().map(|&word| Chunk([word; CHUNK])));
        scratch.splats.extend((0..self.params).map(|j| Chunk([params.get(j).copied().unwrap_or(0); CHUNK])));
        let word = |lane: &Lane<'_>| if let Lane::Splat(word) = lane { *word } else { 0 };
        scratch.splats.extend(lanes.iter().map(|lane| Chunk([word(lane); CHUNK])));
    }
}

/// A block of a run: elements `range`, at most [`BLOCK`] of them.
struct Frame<'f, 'a> {
    code: &'f Code,
    lanes: &'f [Lane<'a>],
    range: Range<usize>,
    /// Whether the range is no whole number of chunks: it is computed on padded copies then.
    ragged: bool,
}

impl Frame<'_, '_> {
    fn run(&self, outputs: &mut [&mut [u32]], scratch: &mut Scratch) {
        self.stage(scratch);
        self.look_ahead(outputs);
        for step in &self.code.steps {
            self.step(step, outputs, scratch);
        }
        for &(place, n) in &self.code.copies {
            self.copy(place, n, outputs, scratch);
        }
    }

    /// What the next block reads and writes in place is fetched while this one is computed.
    fn look_ahead(&self, outputs: &[&mut [u32]]) {
        let start = self.range.end;
        // The only instruction of a program has the memory busy all the time: what it lacks is the begin of the next page.
        let reach = if self.code.steps.len() > 1 { BLOCK } else { 96 };
        let next = |words: &[u32]| start..words.len().min(start + reach);
        for lane in self.lanes {
            if let Lane::Slice(words) = *lane {
                ahead::fetch(words.get(next(words)).unwrap_or_default(), false);
            }
        }
        for output in outputs {
            ahead::fetch(output.get(next(output)).unwrap_or_default(), true);
        }
    }

    /// Copies of the lanes that cannot be read in place.
    fn stage(&self, scratch: &mut Scratch) {
        for (lane, staged) in self.lanes.iter().zip(&mut scratch.lanes) {
            match *lane {
                Lane::Slice(words) if self.ragged => {
                    let tail = words.get(self.range.clone()).unwrap_or_default();
                    staged.get_mut(tail.len()).copy_from_slice(tail);
                }
                Lane::View { words, dtype, layout, start } => {
                    gather(dtype, words, layout, start + self.range.start, staged.get_mut(self.range.len()));
                }
                Lane::Slice(_) | Lane::Splat(_) => {}
            }
        }
    }

    /// One instruction. The block that it writes is taken out of its list, so that the others can be read meanwhile.
    fn step(&self, step: &Step, outputs: &mut [&mut [u32]], scratch: &mut Scratch) {
        let len = self.range.len();
        let padded = len.next_multiple_of(CHUNK);
        match step.out {
            Place::Register(r) => {
                let mut block = std::mem::take(&mut scratch.registers[r]);
                (step.cpu)(step.ty, &self.args(step, outputs, scratch), block.get_mut(padded));
                scratch.registers[r] = block;
            }
            Place::Output(n) if self.ragged => {
                let mut block = std::mem::take(&mut scratch.tails[n]);
                (step.cpu)(step.ty, &self.args(step, outputs, scratch), block.get_mut(padded));
                outputs[n][self.range.clone()].copy_from_slice(block.get(len));
                scratch.tails[n] = block;
            }
            Place::Output(n) => {
                let output = std::mem::take(&mut outputs[n]);
                (step.cpu)(step.ty, &self.args(step, outputs, scratch), &mut output[self.range.clone()]);
                outputs[n] = output;
            }
            Place::Lane(_) | Place::Splat(_) => {}
        }
    }

    fn args<'s>(&'s self, step: &Step, outputs: &'s [&mut [u32]], scratch: &'s Scratch) -> [Block<'s>; 3] {
        step.args.map(|place| self.block(place, outputs, scratch))
    }

    /// Where a value of this block is read.
    fn block<'s>(&'s self, place: Place, outputs: &'s [&mut [u32]], scratch: &'s Scratch) -> Block<'s> {
        match place {
            Place::Splat(s) => scratch.splats.get(s).map_or(Block::values(&[]), Block::splat),
            Place::Lane(l) => match self.lanes.get(l) {
                Some(Lane::Slice(words)) if !self.ragged => {
                    Block::values(words.get(self.range.clone()).unwrap_or_default())
                }
                Some(Lane::Splat(_)) => {
                    self.block(Place::Splat(self.code.constants.len() + self.code.params + l), outputs, scratch)
                }
                _ => Block::values(scratch.lanes[l].get(BLOCK)),
            },
            Place::Register(r) => Block::values(scratch.registers[r].get(BLOCK)),
            Place::Output(n) if self.ragged => Block::values(scratch.tails[n].get(BLOCK)),
            Place::Output(n) => Block::values(outputs[n].get(self.range.clone()).unwrap_or_default()),
        }
    }

    /// Output `n` from where its value is.
    fn copy(&self, place: Place, n: usize, outputs: &mut [&mut [u32]], scratch: &Scratch) {
        let output = std::mem::take(&mut outputs[n]);
        self.block(place, outputs, scratch).copy_to(&mut output[self.range.clone()]);
        outputs[n] = output;
    }
}

/// Runs a compiled loop, where all lanes are slices of floats; false, and nothing done, elsewhere.
fn run_whole(whole: Loop, lanes: &[Lane<'_>], params: &[u32], outputs: &mut [&mut [u32]]) -> bool {
    let mut inputs: SmallVec<[&[f32]; 4]> = SmallVec::new();
    for lane in lanes {
        let Lane::Slice(words) = lane else { return false };
        inputs.push(bytemuck::cast_slice(words));
    }
    let mut outs: SmallVec<[&mut [f32]; 4]> = outputs.iter_mut().map(|out| bytemuck::cast_slice_mut(out)).collect();
    whole(&inputs, bytemuck::cast_slice(params), &mut outs);
    true
}

/// The type that picks a row's loop: its first operand's.
fn operand_type(node: &Node, nodes: &[Node]) -> Ty {
    node.operands().first().map_or(node.ty, |&first| nodes[first as usize].ty)
}
