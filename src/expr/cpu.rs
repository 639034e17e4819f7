//! Programs on the CPU: instruction by instruction over blocks that stay in cache.
//!
//! A block of 1,024 values a register keeps a handful of registers within the first-level cache, and each instruction is a
//! vectorised loop over the block. Inputs that lie contiguously are read where they are, and outputs are written where they
//! go; only other views and the ragged end are staged through a copy.

use super::compiled::{self, Loop};
use super::gather::{Lane, gather};
use super::lift::{Block, CHUNK, Chunk, Out, three};
use super::prim::Prim;
use super::traffic::{self, Stores};
use super::{Id, Inst, Node, Program, Ty};
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
    cpu: fn(Ty, &[Block<'_>; 3], Out<'_>),
    ty: Ty,
    args: [Place; 3],
    out: Place,
    /// Whether no instruction reads what it gives, nor another output.
    last: bool,
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
        let joined = products_of_sums(program);
        let is_joined = |id: usize| joined.iter().flatten().any(|&product| product == id);
        let mut last_use = vec![0; nodes.len()];
        for id in (0..nodes.len()).filter(|&id| !is_joined(id)) {
            operands_of(nodes, &joined, id).iter().for_each(|&operand| last_use[operand as usize] = id);
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
                Inst::Apply(..) if is_joined(id) => Place::Splat(0), // computed where it is added
                Inst::Apply(prim, _) => {
                    let out = match results.iter().position(|&result| result as usize == id) {
                        Some(n) => Place::Output(n),
                        None => Place::Register(free.pop().unwrap_or_else(|| {
                            registers += 1;
                            registers - 1
                        })),
                    };
                    let operands = operands_of(nodes, &joined, id);
                    let args =
                        std::array::from_fn(|i| operands.get(i).map_or(Place::Splat(0), |&arg| places[arg as usize]));
                    let cpu = if joined[id].is_some() { product_and_sum } else { prim.row().cpu };
                    steps.push(Step { cpu, ty: operand_type(node, nodes), args, out, last: false });
                    out
                }
            });
            // only after its own place is chosen: a step never writes what it reads
            let operands = if is_joined(id) { SmallVec::new() } else { operands_of(nodes, &joined, id) };
            for (i, &operand) in operands.iter().enumerate() {
                let repeated = operands[..i].contains(&operand);
                if let (false, Place::Register(r)) = (repeated, places[operand as usize])
                    && last_use[operand as usize] == id
                {
                    free.push(r);
                }
            }
        }
        let copies = results.iter().map(|&id| places[id as usize]).enumerate();
        let copies: Vec<(Place, usize)> =
            copies.filter(|&(n, place)| place != Place::Output(n)).map(|(n, place)| (place, n)).collect();
        let read = steps.iter().flat_map(|step| step.args).chain(copies.iter().map(|&(place, _)| place));
        let read: Vec<Place> = read.collect();
        steps.iter_mut().for_each(|step| step.last = !read.contains(&step.out));
        let (params, lanes, outputs) = (program.params(), program.inputs().len(), results.len());
        Code { whole: None, steps, copies, constants, params, lanes, outputs, registers }
    }

    /// Computes all elements of the outputs, which have one length.
    ///
    /// `lanes` holds one entry for each input, `params` the bits of each parameter. The result of an element does not
    /// depend on where runs begin and end, nor on the CPU's instruction set.
    pub fn run(&self, lanes: &[Lane<'_>], params: &[u32], outputs: &mut [&mut [u32]], scratch: &mut Scratch) {
        self.write(Stores::Cached, lanes, params, outputs, scratch);
    }

    /// [`Code::run`], with a choice of how the outputs are written.
    pub(crate) fn write(
        &self,
        stores: Stores,
        lanes: &[Lane<'_>],
        params: &[u32],
        outputs: &mut [&mut [u32]],
        scratch: &mut Scratch,
    ) {
        debug_assert!(lanes.len() == self.lanes && params.len() >= self.params && outputs.len() == self.outputs);
        // what has one result streams it from its last instruction on
        let evaluated = stores == Stores::Streamed && self.outputs == 1;
        let whole = self.whole.filter(|_| !evaluated && lanes.iter().all(|lane| matches!(lane, Lane::Slice(_))));
        if let (Some(whole), Stores::Cached) = (whole, stores) {
            return run_whole(whole, lanes, params, outputs);
        }
        let len = outputs.iter().map(|out| out.len()).min().unwrap_or(0);
        self.prepare(lanes, params, scratch);
        for start in (0..len).step_by(BLOCK) {
            let range = start..len.min(start + BLOCK);
            let ragged = !range.len().is_multiple_of(CHUNK);
            let frame = Frame { code: self, lanes, range, ragged, stores };
            match whole {
                Some(whole) => frame.run_whole(whole, params, outputs, scratch),
                None => frame.run(outputs, scratch),
            }
        }
        stores.settle();
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
    stores: Stores,
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

    /// The block by a compiled loop, in the cache, and from there to where it goes.
    fn run_whole(&self, whole: Loop, params: &[u32], outputs: &mut [&mut [u32]], scratch: &mut Scratch) {
        self.look_ahead(outputs);
        let parts = self.lanes.iter().map(|lane| lane.slice().get(self.range.clone()).unwrap_or_default());
        let lanes: SmallVec<[Lane<'_>; 4]> = parts.map(Lane::Slice).collect();
        let blocks = scratch.tails.iter_mut().take(outputs.len());
        let mut blocks: SmallVec<[&mut [u32]; 4]> = blocks.map(|block| block.get_mut(self.range.len())).collect();
        run_whole(whole, &lanes, params, &mut blocks);
        for (block, output) in blocks.iter().zip(outputs) {
            self.store(block, output);
        }
    }

    /// Whether outputs are computed in the cache first.
    fn apart(&self) -> bool {
        self.ragged || self.stores == Stores::Streamed
    }

    /// A block of results to where it goes in an output.
    fn store(&self, block: &[u32], output: &mut [u32]) {
        self.stores.copy(block, &mut output[self.range.clone()]);
    }

    /// What is fetched while this block is streamed out: what the next one reads.
    fn fetched(&self) -> SmallVec<[&[u32]; 4]> {
        let lanes = if self.fetches_with_stores() { self.lanes } else { &[] };
        lanes.iter().map(|lane| self.next(lane.slice(), BLOCK)).collect()
    }

    /// Whether the next block is fetched line by line while this one is streamed out: that of the only output.
    fn fetches_with_stores(&self) -> bool {
        self.stores == Stores::Streamed && self.code.outputs == 1 && self.code.copies.is_empty()
    }

    /// What the next block reads in place or writes of `words`, at most `reach` of it.
    fn next<'w>(&self, words: &'w [u32], reach: usize) -> &'w [u32] {
        let start = self.range.end;
        words.get(start..words.len().min(start + reach)).unwrap_or_default()
    }

    /// What the next block reads and writes in place is fetched while this one is computed.
    fn look_ahead(&self, outputs: &[&mut [u32]]) {
        if self.fetches_with_stores() {
            return;
        }
        // The only instruction of a program has the memory busy all the time: what it lacks is the begin of the next page.
        let reach = if self.code.steps.len() > 1 { BLOCK } else { 96 };
        for lane in self.lanes {
            traffic::fetch(self.next(lane.slice(), reach), false);
        }
        for output in outputs.iter().filter(|_| self.stores == Stores::Cached) {
            traffic::fetch(self.next(output, reach), true);
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
                (step.cpu)(step.ty, &self.args(step, outputs, scratch), Out::cached(block.get_mut(padded)));
                scratch.registers[r] = block;
            }
            Place::Output(n) if step.last && self.stores == Stores::Streamed && !self.ragged => {
                let output = std::mem::take(&mut outputs[n]);
                let next = self.fetched();
                let out = Out::streamed(&mut output[self.range.clone()], &next);
                (step.cpu)(step.ty, &self.args(step, outputs, scratch), out);
                outputs[n] = output;
            }
            Place::Output(n) if self.apart() => {
                let mut block = std::mem::take(&mut scratch.tails[n]);
                (step.cpu)(step.ty, &self.args(step, outputs, scratch), Out::cached(block.get_mut(padded)));
                self.store(block.get(len), outputs[n]);
                scratch.tails[n] = block;
            }
            Place::Output(n) => {
                let output = std::mem::take(&mut outputs[n]);
                let out = Out::cached(&mut output[self.range.clone()]);
                (step.cpu)(step.ty, &self.args(step, outputs, scratch), out);
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
            Place::Output(n) if self.apart() => Block::values(scratch.tails[n].get(BLOCK)),
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

/// Runs a compiled loop over lanes that are all slices.
fn run_whole(whole: Loop, lanes: &[Lane<'_>], params: &[u32], outputs: &mut [&mut [u32]]) {
    let inputs: SmallVec<[&[f32]; 4]> = lanes.iter().map(|lane| bytemuck::cast_slice(lane.slice())).collect();
    let mut outs: SmallVec<[&mut [f32]; 4]> = outputs.iter_mut().map(|out| bytemuck::cast_slice_mut(out)).collect();
    whole(&inputs, bytemuck::cast_slice(params), &mut outs);
}

/// The type that picks a row's loop: its first operand's.
fn operand_type(node: &Node, nodes: &[Node]) -> Ty {
    node.operands().first().map_or(node.ty, |&first| nodes[first as usize].ty)
}

/// For each sum of floats the product in it that nothing else reads: both are computed in one walk over the block, each rounded
/// as it is by itself.
fn products_of_sums(program: &Program) -> Vec<Option<usize>> {
    let (nodes, results) = (program.nodes(), program.results());
    let mut uses = vec![0; nodes.len()];
    let read = nodes.iter().flat_map(|node| node.operands()).chain(results);
    read.for_each(|&id| uses[id as usize] += 1);
    let is_product = |id: usize| matches!(nodes[id].inst, Inst::Apply(Prim::Mul, _)) && uses[id] == 1;
    let product = |node: &Node| match node.inst {
        Inst::Apply(Prim::Add, [a, b, _]) if node.ty == Ty::F32 => {
            [a as usize, b as usize].into_iter().find(|&id| is_product(id))
        }
        _ => None,
    };
    nodes.iter().map(product).collect()
}

/// What the step of a node reads: of a sum with a product in it, the factors and the other term.
fn operands_of(nodes: &[Node], joined: &[Option<usize>], id: usize) -> SmallVec<[Id; 3]> {
    let own = nodes[id].operands();
    let Some(product) = joined[id] else { return own.into() };
    let mut operands: SmallVec<[Id; 3]> = nodes[product].operands().into();
    operands.extend(own.iter().copied().find(|&operand| operand as usize != product));
    operands
}

fn product_and_sum(_: Ty, x: &[Block<'_>; 3], out: Out<'_>) {
    three(x, out, |a, b, c| (f32::from_bits(a) * f32::from_bits(b) + f32::from_bits(c)).to_bits());
}

#[cfg(test)]
mod tests {
    use super::super::E;
    use super::super::tests::Lcg;
    use super::*;
    use crate::dtype::DType::F32;

    /// What `code` makes of `len` numbers an input, written from a word behind the begin of a cache line on.
    fn outputs(code: &Code, stores: Stores, len: usize, behind: usize) -> Vec<Vec<u32>> {
        let mut numbers = Lcg(len as u64);
        let mut many =
            |count: usize| -> Vec<u32> { (0..count).map(|_| numbers.uniform(-3.0, 3.0).to_bits()).collect() };
        let (inputs, params): (Vec<Vec<u32>>, Vec<u32>) =
            ((0..code.lanes).map(|_| many(len)).collect(), many(code.params));
        let lanes: Vec<Lane<'_>> = inputs.iter().map(|x| Lane::Slice(x)).collect();
        let mut outputs = vec![vec![0; len + 32]; code.outputs];
        let placed = |y: &mut Vec<u32>| y.as_ptr().align_offset(64) + behind;
        let mut outs: Vec<&mut [u32]> = Vec::new();
        for y in &mut outputs {
            let first = placed(y);
            outs.push(&mut y[first..first + len]);
        }
        code.write(stores, &lanes, &params, &mut outs, &mut Scratch::default());
        outs.into_iter().map(|y| y.to_vec()).collect()
    }

    #[test]
    fn streamed_outputs_are_the_same_outputs() {
        let formulas = [
            Program::build("relu of ax + b", &[F32], 2, |_, x, p| vec![(p[0] * x[0] + p[1]).max(0.0)]),
            Program::build("one read by the other", &[F32, F32], 0, |_, x, _| {
                let sum = x[0] + x[1];
                vec![sum, sum * x[0], x[1]]
            }),
            Program::build("compiled whole", &[F32, F32], 0, |_, x, _| vec![(x[0] + x[1]).max(0.0)]),
            Program::build("several at once", &[F32], 0, |_, x, _| vec![x[0].exp(), (x[0] * 1e5).sin()]),
        ];
        assert!(Code::new(&formulas[2]).whole.is_some());
        for program in &formulas {
            let code = Code::new(program);
            for (len, behind) in [(1, 0), (63, 0), (64, 0), (1000, 0), (BLOCK, 0), (BLOCK, 1), (3 * BLOCK + 65, 0)] {
                let streamed = outputs(&code, Stores::Streamed, len, behind);
                let cached = outputs(&code, Stores::Cached, len, behind);
                assert!(streamed == cached, "{program:?}, {len} values");
            }
        }
    }

    #[test]
    fn a_product_in_a_sum_is_rounded_before_it_is_added() {
        let e = 2f32.powi(-12);
        let (x, y, z) = ((1.0 + e).to_bits(), (1.0 + e).to_bits(), (-1.0 - 2.0 * e).to_bits());
        assert_ne!((1.0 + e).mul_add(1.0 + e, -1.0 - 2.0 * e), 0.0); // what one rounding would give
        type Formula = for<'b> fn(E<'b>, E<'b>, E<'b>) -> Vec<E<'b>>;
        let formulas: [(&str, Formula, usize); 5] = [
            ("product first", |x, y, z| vec![x * y + z], 1),
            ("product last", |x, y, z| vec![z + x * y], 1),
            ("two products", |x, y, z| vec![x * y + z * z], 2),
            ("read elsewhere too", |x, y, z| vec![x * y + z, x * y], 2),
            ("squared", |x, y, z| vec![x * y + z, x.sqrt() * x.sqrt() + z * 0.5], 4),
        ];
        for (name, formula, steps) in formulas {
            let program = Program::build("sum", &[F32; 3], 0, |_, x, _| formula(x[0], x[1], x[2]));
            let code = Code::evaluated(&program);
            assert_eq!(code.steps.len(), steps, "{name}");
            let mut outputs = vec![vec![0u32; 70]; program.outputs().len()];
            let mut outs: Vec<&mut [u32]> = outputs.iter_mut().map(|y| &mut y[..]).collect();
            let lanes = [x, y, z].map(Lane::Splat);
            code.run(&lanes, &[], &mut outs, &mut Scratch::default());
            let exact = program.eval_f64(&[x, y, z].map(|bits| f64::from(f32::from_bits(bits))), &[]);
            for (n, (output, exact)) in outputs.iter().zip(exact).enumerate() {
                let y = f32::from_bits(output[69]);
                assert!(
                    (f64::from(y) - exact).abs() < 1e-6 && output.iter().all(|&bits| bits == output[0]),
                    "{name} {n}"
                );
            }
            if !name.contains("two") {
                assert_eq!(f32::from_bits(outputs[0][0]), 0.0, "{name}");
            }
        }
    }
}
