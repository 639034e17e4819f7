//! Element-wise operations: one operation, `Map`, over a program; each method of a tensor is a row that names its formula.

use crate::device::caps::Caps;
use crate::device::launch::{Arg, Launch};
use crate::device::shader::word;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::expr::{Program, Source};
use crate::ops::blocks::Blocks;
use crate::ops::wgsl::{Words, assemble_for, declarations, groups_of, half_bits, params, reads, store, written_type};
use crate::ops::{Accepts, Op};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Role};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record;
use std::sync::Arc;

/// A program applied element by element, operands stretched to a common shape.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Map {
    /// What the row is called; fused maps are called `map`.
    name: &'static str,
    pub program: Arc<Program>,
}

impl Map {
    pub fn new(name: &'static str, program: Arc<Program>) -> Map {
        Map { name, program }
    }
}

/// Whether two elements of an output of the type share a word, which one thread has to write.
fn shares_words(dtype: DType, caps: &Caps) -> bool {
    dtype.size() == 2 && written_type(dtype, caps) == "u32"
}

/// `body`, which computes element `i` of `count`, for the two elements of word `i` of 16-bit outputs. Such an output begins at
/// its buffer's start: no part of a concatenation is written in place.
fn by_words(args: &Args<'_>, body: &str, count: &str) -> String {
    let halves = || (0..args.outputs.len()).filter(|&o| shares_words(args.outputs[o].dtype, args.caps));
    let declared: String = halves().map(|o| format!("var word{o} = 0u;\n")).collect();
    let written: String = halves().map(|o| format!("out{o}[word] = word{o};\n")).collect();
    format!(
        "let word = i;\n{declared}for (var half = 0u; half < 2u; half += 1u) {{\nlet i = 2u * word + half;\n\
         if (i >= {count}) {{ break; }}\n{body}}}\n{written}"
    )
}

impl Kernel for Map {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let blocks = Blocks::new(&self.program, args.inputs);
        Ok(Box::new(move |call| {
            blocks.run_all(call.cpu, call.inputs, call.scalars, call.outputs);
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let mut words = Words::default();
        let n = args.outputs[0].shape.numel();
        let each = if args.outputs.iter().any(|y| shares_words(y.dtype, args.caps)) { 2 } else { 1 };
        words.push(n.div_ceil(each));
        let (find, loads) = reads(args.inputs, 0, "in", "i", &mut words);
        let params = params(args, 0, args.scalars, &mut words);
        let offsets: Vec<usize> = (0..args.outputs.len()).map(|o| words.var(args.output_offset(o))).collect();
        let body = self.program.wgsl(&loads, &params, |o, value| {
            let dtype = args.outputs[o].dtype;
            if shares_words(dtype, args.caps) {
                return format!("word{o} |= {} << (16u * half);", half_bits(dtype, value));
            }
            store(dtype, &format!("out{o}"), &format!("{} + i", word(offsets[o])), value)
        });
        let mut body = find + &body;
        if each == 2 {
            body = by_words(args, &body, &words.push(n));
        }
        let source = assemble_for(args, "map", &[("bindings", &declarations(args, words.0.len())), ("body", &body)])?;
        let buffers = args.inputs.len() + args.outputs.len();
        let args = (0..buffers).map(|b| if b < args.inputs.len() { Arg::Read(b) } else { Arg::Write(b) });
        let work = (n * (self.program.len() + buffers)) as u64;
        Ok(Launch {
            name: self.name,
            source,
            args: args.collect(),
            words: words.0,
            groups: groups_of(n.div_ceil(each), 256),
            work,
        }
        .into())
    }

    fn role(&self) -> Role<'_> {
        Role::Map(&self.program)
    }

    fn fuse(&self, fusion: &Fusion) -> Option<Arc<dyn Kernel>> {
        match fusion {
            Fusion::Program(program) => Some(Arc::new(Map::new("map", program.clone()))),
            _ => None,
        }
    }
}

impl Rule for Map {
    fn rule_name(&self) -> &'static str {
        self.name
    }

    fn saves(&self, wants: u32) -> Saves {
        let mut saves = Saves::NONE;
        let wanted = (0..self.program.inputs().len()).filter(|i| wants >> i & 1 == 1);
        for source in wanted.filter_map(|i| self.program.gradient(i)).flat_map(|gradient| gradient.uses) {
            match source {
                Source::Input(i) => saves.inputs |= 1 << i,
                Source::Output => saves.output = true,
                Source::Dy => {}
            }
        }
        saves
    }

    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        let partial = |i: usize| -> Result<Option<Tensor>> {
            let Some(gradient) = self.program.gradient(i).filter(|_| call.wants(i)) else { return Ok(None) };
            if gradient.program.is_identity() && gradient.uses == [Source::Dy] {
                return Ok(Some(dy.clone()));
            }
            let inputs: Vec<Tensor> = gradient
                .uses
                .iter()
                .map(|source| match *source {
                    Source::Input(i) => call.input(i).cloned(),
                    Source::Output => call.output(),
                    Source::Dy => Ok(dy.clone()),
                })
                .collect::<Result<_>>()?;
            let inputs: Vec<&Tensor> = inputs.iter().collect();
            Ok(Some(record(Map::new(self.name, gradient.program.clone()), &inputs, call.scalars())))
        };
        (0..call.len()).map(partial).collect()
    }
}

impl Op for Map {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        let mut shape = Shape::SCALAR;
        for x in inputs {
            shape = Shape::broadcast(self.name, &shape, &x.shape)?;
        }
        if !inputs.iter().map(|x| x.dtype).eq(self.program.inputs().iter().copied()) {
            let given: Vec<DType> = inputs.iter().map(|x| x.dtype).collect();
            return Err(Error::internal(
                self.name,
                format!("the program takes {:?}: given {given:?}", self.program.inputs()),
            ));
        }
        let dtype = self.program.outputs().first().copied();
        Ok(Meta { shape, dtype: dtype.ok_or_else(|| Error::internal(self.name, "a program without an output"))? })
    }

    fn accepts(&self) -> Accepts {
        let widens = self.program.inputs().iter().any(|dtype| dtype.size() == 2);
        if widens { Accepts::Stored } else { Accepts::Broadcast }
    }
}
