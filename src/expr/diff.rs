//! The derivative of a program is a program.
//!
//! Reverse mode over the instructions, from output 0: each primitive's row says how its operands' derivatives follow from
//! the result's. A program may carry a gradient of its own where the derived one would be NaN or wasteful.

use super::prim::Local;
use super::{Builder, E, Id, Inst, Program, Ty};
use crate::dtype::DType;
use std::sync::Arc;

/// The derivative of a program's output 0 with respect to one of its inputs, times the derivative of the loss with respect
/// to that output.
#[derive(Clone, Debug)]
pub struct Gradient {
    /// Its inputs are [`Gradient::uses`], in order; its parameters are the original program's.
    pub program: Arc<Program>,
    /// What it reads: only what the formula needs, so that nothing else has to be kept for it.
    pub uses: Vec<Source>,
}

/// Where an input of a gradient's program comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Input `n` of the original program.
    Input(usize),
    /// Output 0 of the original program.
    Output,
    /// The derivative of the loss with respect to output 0.
    Dy,
}

impl Program {
    /// The gradient with respect to input `wrt`: the attached one, or derived. Derived once, then kept.
    ///
    /// `None` where output 0 does not depend on it differentiably: integers, comparisons, `floor`.
    ///
    /// ```
    /// use tilework::{DType, expr::{Program, Source}};
    /// let square = Program::build("square", &[DType::F32], 0, |_, x, _| vec![x[0] * x[0]]);
    /// let gradient = square.gradient(0).unwrap();
    /// assert_eq!(gradient.uses, [Source::Input(0), Source::Dy]);
    /// assert_eq!(gradient.program.eval_f64(&[3.0, 1.0], &[]), [6.0]);
    /// ```
    pub fn gradient(&self, wrt: usize) -> Option<Gradient> {
        self.gradients.get(wrt)?.get_or_init(|| derive(self, wrt)).clone()
    }

    /// The same program with a gradient of its own for input `wrt`: `f` gets the inputs, output 0 and its derivative.
    ///
    /// ```
    /// use tilework::{DType, expr::{Program, Source}};
    /// // from y, not x: the derived form is 0 * inf = NaN where exp(-x) overflows
    /// let sigmoid = Program::build("sigmoid", &[DType::F32], 0, |_, x, _| vec![(1.0 + (-x[0]).exp()).recip()])
    ///     .with_gradient(0, |_, _, y, dy| y * (1.0 - y) * dy);
    /// assert_eq!(sigmoid.gradient(0).unwrap().uses, [Source::Output, Source::Dy]);
    /// ```
    pub fn with_gradient(
        self: Arc<Program>,
        wrt: usize,
        f: impl for<'b> Fn(&'b Builder, &[E<'b>], E<'b>, E<'b>) -> E<'b>,
    ) -> Arc<Program> {
        let b = Builder::new();
        let (x, y, dy) = declare(&b, &self);
        let gradient = finish(&self, wrt, &b, f(&b, &x, y, dy));
        let mut program = Arc::try_unwrap(self).unwrap_or_else(|shared| shared.duplicate());
        if let Some(slot) = program.gradients.get_mut(wrt) {
            *slot = gradient.into();
        }
        Arc::new(program)
    }

    fn duplicate(&self) -> Program {
        Program {
            name: self.name.clone(),
            inputs: self.inputs.clone(),
            params: self.params,
            nodes: self.nodes.clone(),
            results: self.results.clone(),
            outputs: self.outputs.clone(),
            hash: self.hash,
            gradients: self.gradients.clone(),
        }
    }
}

/// The inputs of a gradient before the unused ones go: the program's own, its output, and the derivative.
fn declare<'b>(b: &'b Builder, program: &Program) -> (Vec<E<'b>>, E<'b>, E<'b>) {
    let inputs = program.inputs();
    let output = program.outputs().first().copied().unwrap_or(DType::F32);
    let x = inputs.iter().enumerate().map(|(i, &dtype)| b.input(i, dtype)).collect();
    (x, b.input(inputs.len(), output), b.input(inputs.len() + 1, output))
}

/// Derives a gradient. Where the output's value occurs in the formula it may be read or computed anew from the inputs;
/// the form that reads fewer tensors is taken, then the shorter one.
fn derive(program: &Program, wrt: usize) -> Option<Gradient> {
    let read = reverse(program, wrt, OutputValue::Read)?;
    let computed = reverse(program, wrt, OutputValue::Computed)?;
    let cost = |g: &Gradient| (g.uses.len(), g.program.len());
    Some(if cost(&read) < cost(&computed) { read } else { computed })
}

#[derive(Clone, Copy, PartialEq)]
enum OutputValue {
    Read,
    Computed,
}

fn reverse(program: &Program, wrt: usize, output: OutputValue) -> Option<Gradient> {
    let nodes = program.nodes();
    let &last = program.results().first()?;
    let source = nodes.iter().position(|node| node.inst == Inst::Input(wrt as u32))?;
    if nodes[source].ty != Ty::F32 || nodes[last as usize].ty != Ty::F32 {
        return None;
    }
    let b = Builder::new();
    let (x, y, dy) = declare(&b, program);
    let p: Vec<E<'_>> = (0..program.params()).map(|j| b.param(j)).collect();
    let values = b.inline_nodes(program, &x, &p);

    // the nodes that the input reaches: only they need derivatives
    let mut depends = vec![false; nodes.len()];
    depends[source] = true;
    for (id, node) in nodes.iter().enumerate() {
        depends[id] |= node.operands().iter().any(|&operand| depends[operand as usize]);
    }
    let mut derivatives: Vec<Option<E<'_>>> = vec![None; nodes.len()];
    derivatives[last as usize] = Some(dy);
    for (id, node) in nodes.iter().enumerate().take(last as usize + 1).rev() {
        let (Inst::Apply(prim, args), Some(d), true) = (node.inst, derivatives[id], depends[id]) else { continue };
        let value = if id == last as usize && output == OutputValue::Read { y } else { values[id] };
        let local = Local { x: args.map(|a: Id| values[a as usize]), y: value, dy: d };
        let row = prim.row();
        for (&operand, part) in args.iter().zip((row.diff)(&local)).take(row.arity) {
            let operand = operand as usize;
            if let (true, Ty::F32, Some(part)) = (depends[operand], nodes[operand].ty, part) {
                derivatives[operand] = Some(derivatives[operand].map_or(part, |sum| sum + part));
            }
        }
    }
    finish(program, wrt, &b, derivatives[source]?)
}

/// The gradient's program with only those inputs that `dx` reads; `None` if there is no such input of the original program.
fn finish(program: &Program, wrt: usize, b: &Builder, dx: E<'_>) -> Option<Gradient> {
    let inputs = program.inputs();
    inputs.get(wrt)?;
    let name = match inputs.len() {
        1 => format!("d({})/dx", program.name()),
        _ => format!("d({})/dx{wrt}", program.name()),
    };
    let full = b.finish("", &[dx.cast(Ty::F32)]);
    let mut read: Vec<usize> = full
        .nodes()
        .iter()
        .filter_map(|node| match node.inst {
            Inst::Input(n) => Some(n as usize),
            _ => None,
        })
        .collect();
    read.sort_unstable();
    let b = Builder::new();
    let mut x = vec![b.constant(0.0); full.inputs().len()];
    for (place, &n) in read.iter().enumerate() {
        x[n] = b.input(place, full.inputs()[n]);
    }
    let p: Vec<E<'_>> = (0..program.params().max(full.params())).map(|j| b.param(j)).collect();
    let dx = b.inline(&full, &x, &p);
    let uses = read.iter().map(|&n| match n.checked_sub(inputs.len()) {
        None => Source::Input(n),
        Some(0) => Source::Output,
        Some(_) => Source::Dy,
    });
    Some(Gradient { uses: uses.collect(), program: b.finish(name, &dx) })
}
