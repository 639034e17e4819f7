//! Operations on rows given as formulas: each row is walked a few times, every walk adds up (or takes the largest of) a formula
//! of its elements, and a last one writes a formula of elements and sums. One launch, whatever the number of walks.

use crate::device::cpu::reduce::Fold;
use crate::device::launch::{Arg, Launch};
use crate::device::shader::word;
use crate::dtype::DType;
use crate::error::Result;
use crate::expr::{Builder, E, Program};
use crate::ops::row_wise_cpu::{self, WholeRows};
use crate::ops::rows::Rows;
use crate::ops::wgsl::{Words, assemble_for, declarations, params, store};
use crate::ops::{Accepts, Op};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Role};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

/// An operation on rows: its formulas and its gradient.
pub(crate) trait RowFormula: Debug + Clone + Eq + Hash + Send + Sync + 'static {
    /// As the method is spelled.
    fn name(&self) -> &'static str;
    /// The walks over a row and the result. Parameter 0 of every program is the width of a row, the others are the run-time
    /// scalars.
    fn formulas(&self) -> Formulas;
    /// How the CPU computes long rows at one go, where it has more than the formulas for it.
    fn whole_rows(&self) -> Option<WholeRows> {
        None
    }
    /// What a row becomes.
    fn result(&self) -> RowResult;
    /// As [`Op::infer`]; [`RowFormula::result`] says what becomes of the first input's shape.
    ///
    /// # Errors
    /// Everything that can be wrong with a call.
    fn check(&self, inputs: &[Meta]) -> Result<()>;
    /// As [`Rule::saves`].
    fn saves(&self, wants: u32) -> Saves;
    /// As [`Rule::grad`].
    ///
    /// # Errors
    /// As [`Rule::grad`].
    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials>;
}

/// What a row becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowResult {
    /// A row of as many elements. The inputs are stretched to the first one's shape.
    Row,
    /// One element, the last number of the last walk. There is one input.
    One,
}

/// The formulas of an operation on rows. All values are `f32`.
pub(crate) struct Formulas {
    /// In order.
    pub walks: Vec<Walk>,
    /// An element of the result from: the inputs' elements, all numbers of the row, and then, if it has inputs for them, what
    /// the last walk made of the element. `None` where a row becomes one element.
    pub result: Option<Arc<Program>>,
}

/// One walk over a row.
pub(crate) struct Walk {
    /// How the elements' values are joined: by sum or maximum (of one value).
    pub join: Fold,
    /// Up to four values of an element, from the inputs' elements and the numbers of the row so far.
    pub each: Arc<Program>,
    /// New numbers of the row, from the joined values and the numbers so far.
    pub then: Arc<Program>,
}

impl Walk {
    /// A walk whose formulas are given by functions of (elements, numbers so far, parameters) and of (joined values, numbers so
    /// far, parameters).
    pub fn new(
        join: Fold,
        [inputs, numbers, params]: [usize; 3],
        each: impl for<'b> FnOnce(&[E<'b>], &[E<'b>], &[E<'b>]) -> Vec<E<'b>>,
        then: impl for<'b> FnOnce(&[E<'b>], &[E<'b>], &[E<'b>]) -> Vec<E<'b>>,
    ) -> Walk {
        let each = formula(inputs, numbers, params, each);
        let joined = each.outputs().len();
        Walk { join, each, then: formula(joined, numbers, params, then) }
    }
}

/// A program of two groups of floats and parameters.
pub(crate) fn formula(
    first: usize,
    second: usize,
    params: usize,
    f: impl for<'b> FnOnce(&[E<'b>], &[E<'b>], &[E<'b>]) -> Vec<E<'b>>,
) -> Arc<Program> {
    Program::build("row", &vec![DType::F32; first + second], params, |_, x, p| {
        let (x, s) = x.split_at(first);
        f(x, s, p)
    })
}

/// A [`RowFormula`] as an operation, with what was fused into it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RowWise<F> {
    formula: F,
    prologue: Option<Arc<Program>>,
    epilogue: Option<Arc<Program>>,
}

impl<F: RowFormula> RowWise<F> {
    pub fn new(formula: F) -> RowWise<F> {
        RowWise { formula, prologue: None, epilogue: None }
    }
}

/// The formulas with prologue and epilogue in them, for `inputs` operands.
pub(super) struct Fused {
    pub walks: Vec<Walk>,
    /// From the operation's own elements, the numbers, what the last walk made of the element, and the epilogue's elements.
    pub result: Option<Arc<Program>>,
    /// The operation's own inputs; the others are the epilogue's.
    pub own: usize,
    /// Whether `result` reads what the last walk made.
    pub keeps: bool,
}

impl Fused {
    fn of<F: RowFormula>(op: &RowWise<F>, args: &Args<'_>) -> Fused {
        let Formulas { mut walks, result } = op.formula.formulas();
        let after = op.epilogue.as_ref().map_or(0, |program| program.inputs().len() - 1);
        let own = args.inputs.len() - after;
        let epilogue_params = op.epilogue.as_ref().map_or(0, |program| program.params());
        let prologue_params = op.prologue.as_ref().map_or(0, |program| program.params());
        // the row's width, the operation's scalars, the prologue's, the epilogue's
        let plain = 1 + args.scalars - epilogue_params - prologue_params;
        let numbers: usize = walks.iter().map(|walk| walk.then.outputs().len()).sum();
        let made = walks.last().map_or(0, |walk| walk.each.outputs().len());
        let elements = if op.prologue.is_some() { 1 } else { own };
        let keeps = result.as_ref().is_some_and(|program| program.inputs().len() == elements + numbers + made);
        let mut result = result;
        if let Some(prologue) = &op.prologue {
            for walk in &mut walks {
                walk.each = before(&walk.each, prologue, plain);
            }
            result = result.map(|program| before(&program, prologue, plain));
        }
        if let Some(epilogue) = &op.epilogue {
            result = result.map(|program| after_it(&program, epilogue, plain + prologue_params));
        }
        Fused { walks, result, own, keeps }
    }
}

/// `program` with input 0 computed by `prologue`, whose parameters follow the first `plain`.
fn before(program: &Program, prologue: &Program, plain: usize) -> Arc<Program> {
    let b = Builder::new();
    let (x, p) = declared(&b, &[prologue.inputs(), &program.inputs()[1..]].concat(), plain + prologue.params());
    let (own, rest) = x.split_at(prologue.inputs().len());
    let mut inputs = b.inline(prologue, own, &p[plain..]);
    inputs.truncate(1);
    inputs.extend(rest);
    b.finish("row", &b.inline(program, &inputs, &p))
}

/// `epilogue` applied to the result of `program`; its parameters follow the first `plain`.
fn after_it(program: &Program, epilogue: &Program, plain: usize) -> Arc<Program> {
    let b = Builder::new();
    let (x, p) = declared(&b, &[program.inputs(), &epilogue.inputs()[1..]].concat(), plain + epilogue.params());
    let (own, rest) = x.split_at(program.inputs().len());
    let mut inputs = b.inline(program, own, &p);
    inputs.truncate(1);
    inputs.extend(rest);
    b.finish("row", &b.inline(epilogue, &inputs, &p[plain..]))
}

fn declared<'b>(b: &'b Builder, types: &[DType], params: usize) -> (Vec<E<'b>>, Vec<E<'b>>) {
    (types.iter().enumerate().map(|(i, &t)| b.input(i, t)).collect(), (0..params).map(|j| b.param(j)).collect())
}

const LANES: [&str; 4] = ["x", "y", "z", "w"];

/// The text of the kernel's regions.
struct Text {
    functions: String,
    walks: String,
}

impl Fused {
    fn text(&self, args: &Args<'_>, words: &mut Words) -> Text {
        let mut functions = String::new();
        let mut fields: Vec<String> = Vec::new();
        let mut starts = String::new();
        let mut elements: Vec<String> = Vec::new();
        for (i, operand) in args.inputs.iter().enumerate() {
            let name = format!("element{i}");
            functions += &Rows::of(operand).text(&name, &format!("in{i}"), args.input_offset(i), words);
            fields.push(format!("at{i}: u32"));
            starts += &format!("    r.at{i} = {name}_row(row);\n");
            elements.push(format!("{name}(r.at{i}, c)"));
        }
        let scalars: Vec<String> =
            std::iter::once("f32(p[0].y)".to_string()).chain(params(args, 0, args.scalars, words)).collect();
        let total: usize = self.walks.iter().map(|walk| walk.then.outputs().len()).sum();
        fields.extend((0..total).map(|s| format!("s{s}: f32")));
        let mut walks = String::new();
        let mut numbers: Vec<String> = Vec::new();
        let mut bodies = String::new();
        for (k, walk) in self.walks.iter().enumerate() {
            let loads = [&elements[..self.own], &numbers].concat();
            let body = walk.each.wgsl(&loads, &scalars, |o, value| format!("made.{} = {value};", LANES[o % 4]));
            bodies += &format!(
                "fn each{k}(r: Row, c: u32) -> vec4<f32> {{\nvar made = vec4<f32>();\n{body}return made;\n}}\n"
            );
            let joined = (0..walk.each.outputs().len()).map(|o| format!("joined.{}", LANES[o % 4]));
            let loads: Vec<String> = joined.chain(numbers.iter().cloned()).collect();
            let first = numbers.len();
            let body = walk.then.wgsl(&loads, &scalars, |o, value| format!("next.s{} = {value};", first + o));
            bodies +=
                &format!("fn then{k}(r: Row, joined: vec4<f32>) -> Row {{\nvar next = r;\n{body}return next;\n}}\n");
            numbers.extend((0..walk.then.outputs().len()).map(|o| format!("r.s{}", first + o)));
            walks += &match walk.join {
                Fold::Max => format!(
                    "    var top{k} = tw_bits(0xff800000u);\n    for (var c = mate; c < width; c += TEAM) {{\n        \
                     top{k} = max(top{k}, each{k}(r, c).x);\n    }}\n    \
                     r = then{k}(r, vec4<f32>(team_max(lane, top{k}), 0.0, 0.0, 0.0));\n"
                ),
                _ => format!(
                    "    var sum{k} = vec4<f32>();\n    for (var c = mate; c < width; c += TEAM) {{\n        \
                     sum{k} += each{k}(r, c);\n    }}\n    r = then{k}(r, team_sum(lane, sum{k}));\n"
                ),
            };
        }
        let offsets: Vec<usize> = (0..args.outputs.len()).map(|o| words.var(args.output_offset(o))).collect();
        let write = |o: usize, value: &str| {
            store(args.outputs[o].dtype, &format!("out{o}"), &format!("{} + i", word(offsets[o])), value)
        };
        let body = match &self.result {
            None => format!("let i = row;\n{}", write(0, numbers.last().map_or("0.0", String::as_str))),
            Some(program) => {
                let mut loads = [&elements[..self.own], &numbers].concat();
                let mut made = String::new();
                if let Some(walk) = self.walks.last().filter(|_| self.keeps) {
                    made = format!("let made = each{}(r, c);\n", self.walks.len() - 1);
                    loads.extend((0..walk.each.outputs().len()).map(|o| format!("made.{}", LANES[o % 4])));
                }
                loads.extend_from_slice(&elements[self.own..]);
                format!("let i = row * p[0].y + c;\n{made}{}", program.wgsl(&loads, &scalars, write))
            }
        };
        functions += &format!("struct Row {{\n    {},\n}}\n", fields.join(",\n    "));
        functions += &format!("fn row_of(row: u32) -> Row {{\n    var r: Row;\n{starts}    return r;\n}}\n{bodies}");
        functions += &format!("fn write(r: Row, row: u32, c: u32) {{\n{body}\n}}\n");
        functions += &format!("const ONE = {};\n", self.result.is_none());
        Text { functions, walks }
    }

    /// Instructions for an element, all walks together.
    pub fn cost(&self) -> usize {
        let walks: usize = self.walks.iter().map(|walk| walk.each.len() + 2).sum();
        walks + self.result.as_ref().map_or(0, |program| program.len() + 1)
    }
}

impl<F: RowFormula> Kernel for RowWise<F> {
    fn name(&self) -> &'static str {
        self.formula.name()
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let alone = self.prologue.is_none() && self.epilogue.is_none();
        let whole = self.formula.whole_rows().filter(|_| alone);
        if let Some(kernel) = whole.and_then(|run| row_wise_cpu::build_whole(run, args)) {
            return Ok(kernel);
        }
        Ok(row_wise_cpu::build(&Fused::of(self, args), args))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let fused = Fused::of(self, args);
        let rows = Rows::of(&args.inputs[0]);
        let mut words = Words::default();
        words.push(rows.rows);
        words.push(rows.width);
        let text = fused.text(args, &mut words);
        let declared = declarations(args, words.0.len());
        let team = rows.team_text();
        let regions =
            [("bindings", declared.as_str()), ("team", &team), ("functions", &text.functions), ("walks", &text.walks)];
        let buffers = args.inputs.len() + args.outputs.len();
        Ok(Launch {
            name: self.formula.name(),
            source: assemble_for(args, "row_wise", &regions)?,
            args: (0..buffers).map(|b| if b < args.inputs.len() { Arg::Read(b) } else { Arg::Write(b) }).collect(),
            words: words.0,
            groups: rows.rows.div_ceil(rows.teams()) as u64,
            work: (rows.rows * rows.width * fused.cost()) as u64,
        }
        .into())
    }

    fn role(&self) -> Role<'_> {
        Role::Other
    }

    fn fuse(&self, fusion: &Fusion) -> Option<Arc<dyn Kernel>> {
        match fusion {
            Fusion::Prologue(program) => Some(Arc::new(RowWise { prologue: Some(program.clone()), ..self.clone() })),
            Fusion::Epilogue(program) if self.formula.result() == RowResult::Row => {
                Some(Arc::new(RowWise { epilogue: Some(program.clone()), ..self.clone() }))
            }
            _ => None,
        }
    }
}

impl<F: RowFormula> Rule for RowWise<F> {
    fn rule_name(&self) -> &'static str {
        self.formula.name()
    }

    fn saves(&self, wants: u32) -> Saves {
        self.formula.saves(wants)
    }

    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        self.formula.grad(call, dy)
    }
}

impl<F: RowFormula> Op for RowWise<F> {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        self.formula.check(inputs)?;
        let shape = inputs[0].shape;
        let shape = match self.formula.result() {
            RowResult::Row => shape,
            RowResult::One => Shape::of(&shape[..shape.rank().saturating_sub(1)]),
        };
        Ok(Meta { shape, dtype: DType::F32 })
    }

    fn accepts(&self) -> Accepts {
        match self.formula.result() {
            RowResult::Row => Accepts::Broadcast,
            RowResult::One => Accepts::Any,
        }
    }
}
