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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::prim::{Prim, Rule, rows};
    use crate::expr::tests::single;
    use DType::F32;

    /// The gradient's value at inputs `x` for a derivative `dy` of the output.
    fn apply(program: &Program, gradient: &Gradient, x: &[f64], params: &[f64], dy: f64) -> f64 {
        let read = gradient.uses.iter().map(|source| match *source {
            Source::Input(i) => x[i],
            Source::Output => program.eval_f64(x, params)[0],
            Source::Dy => dy,
        });
        gradient.program.eval_f64(&read.collect::<Vec<_>>(), params)[0]
    }

    /// Holds every gradient of the program to central differences in f64 at `x`.
    fn check(program: &Program, x: &[f64], params: &[f64]) {
        for wrt in 0..x.len() {
            let Some(gradient) = program.gradient(wrt) else { continue };
            let h = 1e-6 * x[wrt].abs().max(1.0);
            let at = |moved: f64| {
                let mut x = x.to_vec();
                x[wrt] += moved;
                program.eval_f64(&x, params)[0]
            };
            let want = 1.75 * (at(h) - at(-h)) / (2.0 * h);
            let got = apply(program, &gradient, x, params, 1.75);
            // h² of the third derivative, and rounding of 1e-16 / h
            let near = (got - want).abs() <= 1e-7 * want.abs().max(1.0);
            assert!(near, "{program:?} at {x:?} by x{wrt}: got {got}, want {want}");
        }
    }

    #[test]
    fn derivatives_of_all_primitives_agree_with_central_differences() {
        let mut checked = 0;
        for row in rows().filter(|row| row.types.contains(&Ty::F32) && row.rule == Rule::Same) {
            let program = single(row, Ty::F32);
            for x in [[0.3f64, 1.2, 0.0], [0.7, -0.4, 0.0], [2.6, 0.35, 0.0], [-0.6, 2.0, 0.0], [-1.7, -0.8, 0.0]] {
                let positive =
                    matches!(row.prim, Prim::Ln | Prim::Sqrt | Prim::Pow) || row.prim == Prim::Ln1P && x[0] < -1.0;
                let x = if positive { [x[0].abs(), x[1], 0.0] } else { x };
                check(&program, &x[..row.arity], &[]);
            }
            checked += usize::from(program.gradient(0).is_some());
        }
        assert_eq!(checked, 19, "all but sign, floor, ceil, round and trunc have a derivative");
    }

    #[test]
    fn derivatives_of_composites_agree_with_central_differences() {
        let all = [
            Program::build("sigmoid", &[F32, F32], 0, |_, x, _| vec![x[1] * (1.0 + (-x[0]).exp()).recip()]),
            Program::build("gelu", &[F32, F32], 0, |_, x, _| vec![0.5 * x[0] * (1.0 + (x[0] * x[1] * 0.7).erf())]),
            Program::build("softplus", &[F32, F32], 0, |_, x, _| {
                vec![x[0].max(x[1]) + (-(x[0] - x[1]).abs()).exp().ln_1p()]
            }),
            Program::build("huber", &[F32, F32], 1, |_, x, p| {
                let d = x[0] - x[1];
                vec![d.abs().le(p[0]).select(0.5 * d * d, p[0] * (d.abs() - 0.5 * p[0]))]
            }),
            Program::build("shared", &[F32, F32], 1, |_, x, p| {
                let t = (x[0] * p[0]).tanh();
                vec![t * t * x[1] + t / (x[1] * x[1] + 1.0) + x[0].powi(-3)]
            }),
        ];
        for program in &all {
            for x in [[0.3, -0.9], [-2.1, 0.4], [1.9, 1.1]] {
                check(program, &x, &[1.25]);
            }
        }
    }

    #[test]
    fn corners_follow_pytorch() {
        let at = |program: Arc<Program>, wrt: usize, x: &[f64]| {
            let gradient = program.gradient(wrt).unwrap();
            apply(&program, &gradient, x, &[], 1.0)
        };
        let two = |name: &'static str, f: for<'b> fn(E<'b>, E<'b>) -> E<'b>| {
            Program::build(name, &[F32, F32], 0, |_, x, _| vec![f(x[0], x[1])])
        };
        assert_eq!(at(two("abs", |a, _| a.abs()), 0, &[0.0, 0.0]), 0.0);
        assert_eq!(at(two("max", |a, b| a.max(b)), 0, &[2.0, 2.0]), 0.5);
        assert_eq!(at(two("max", |a, b| a.max(b)), 1, &[2.0, 2.0]), 0.5);
        assert_eq!(at(two("min", |a, b| a.min(b)), 1, &[3.0, 2.0]), 1.0);
        assert_eq!(at(two("min", |a, b| a.min(b)), 0, &[3.0, 2.0]), 0.0);
        // pow at a base of 0, and an exponent of 0
        assert_eq!(at(two("pow", |a, b| a.pow(b)), 0, &[0.0, 2.0]), 0.0);
        assert_eq!(at(two("pow", |a, b| a.pow(b)), 0, &[0.0, 0.0]), 0.0);
        assert_eq!(at(two("pow", |a, b| a.pow(b)), 1, &[0.0, 2.0]), 0.0);
        assert_eq!(at(two("pow", |a, b| a.pow(b)), 1, &[0.0, 0.0]), 0.0);
        assert_eq!(at(two("sqrt", |a, _| a.sqrt()), 0, &[0.0, 0.0]), f64::INFINITY);
    }

    #[test]
    fn what_has_no_derivative_says_so() {
        let none = |program: Arc<Program>| assert!(program.gradient(0).is_none(), "{program:?}");
        none(Program::build("floor", &[F32], 0, |_, x, _| vec![x[0].floor()]));
        none(Program::build("less", &[F32, F32], 0, |_, x, _| vec![x[0].lt(x[1])]));
        none(Program::build("mask", &[F32, F32], 0, |_, x, _| vec![x[0].gt(0.0).select(x[1], 1.0)]));
        none(Program::build("int", &[DType::I32], 0, |_, x, _| vec![x[0] + x[0]]));
        none(Program::build("cast", &[DType::I32], 0, |_, x, _| vec![x[0].cast(Ty::F32).exp()]));
        none(Program::build("unused", &[F32, F32], 0, |_, x, _| vec![x[1]]));
        none(Program::build("no input", &[], 0, |b, _, _| vec![b.constant(1.0)]));
    }

    #[test]
    fn a_gradient_reads_only_what_it_needs() {
        let uses = |program: Arc<Program>, wrt: usize| program.gradient(wrt).unwrap().uses;
        let one = |f: for<'b> fn(E<'b>) -> E<'b>| Program::build("one", &[F32], 0, |_, x, _| vec![f(x[0])]);
        assert_eq!(uses(one(|x| x + 1.0), 0), [Source::Dy]);
        assert_eq!(uses(one(|x| x.exp()), 0), [Source::Output, Source::Dy]);
        assert_eq!(uses(one(|x| x.tanh()), 0), [Source::Output, Source::Dy]);
        assert_eq!(uses(one(|x| x.sqrt()), 0), [Source::Output, Source::Dy]);
        assert_eq!(uses(one(|x| x.sin()), 0), [Source::Input(0), Source::Dy]);
        let mul = Program::build("mul", &[F32, F32], 0, |_, x, _| vec![x[0] * x[1]]);
        assert_eq!(uses(mul.clone(), 0), [Source::Input(1), Source::Dy]);
        assert_eq!(uses(mul, 1), [Source::Input(0), Source::Dy]);
        let half = Program::build("widened", &[DType::BF16], 0, |_, x, _| vec![x[0] * x[0]]);
        let gradient = half.gradient(0).unwrap();
        assert_eq!(gradient.program.inputs(), [DType::BF16, F32]);
    }

    #[test]
    fn an_attached_gradient_is_used_and_is_differentiable_itself() {
        let sigmoid = Program::build("sigmoid", &[F32], 0, |_, x, _| vec![(1.0 + (-x[0]).exp()).recip()])
            .with_gradient(0, |_, _, y, dy| y * (1.0 - y) * dy);
        let first = sigmoid.gradient(0).unwrap();
        assert_eq!(first.uses, [Source::Output, Source::Dy]);
        assert_eq!(apply(&sigmoid, &first, &[-1000.0], &[], 1.0), 0.0); // the derived form: 0 * inf
        for x in [-2.0, 0.3, 1.4] {
            check(&sigmoid, &[x], &[]);
            // by the chain rule: the first derivative depends on x through y, so that
            // d²y/dx² = d(first)/dy * dy/dx
            let y = sigmoid.eval_f64(&[x], &[])[0];
            let by_y = first.program.gradient(0).unwrap();
            let slope = apply(&sigmoid, &first, &[x], &[], 1.0);
            let got = apply(&first.program, &by_y, &[y, 1.0], &[], slope);
            let want = y * (1.0 - y) * (1.0 - 2.0 * y);
            assert!((got - want).abs() < 1e-12, "{got} {want}");
            // and it is linear in dy
            let by_dy = first.program.gradient(1).unwrap();
            assert!((apply(&first.program, &by_dy, &[y, 1.0], &[], 1.0) - slope).abs() < 1e-12);
        }
    }

    #[test]
    fn a_gradient_may_use_parameters() {
        let leaky = Program::build("leaky", &[F32], 1, |_, x, p| vec![x[0].gt(0.0).select(x[0], p[0] * x[0])])
            .with_gradient(0, |b, x, _, dy| x[0].gt(0.0).select(dy, b.param(0) * dy));
        let gradient = leaky.gradient(0).unwrap();
        assert_eq!(gradient.program.params(), 1);
        assert_eq!(apply(&leaky, &gradient, &[-3.0], &[0.1], 2.0), 0.2);
        let none = Program::build("none", &[F32], 3, |_, x, _| vec![x[0] * x[0]]);
        assert_eq!(none.gradient(0).unwrap().program.params(), 3, "parameters keep their numbers");
    }

    #[test]
    fn attaching_a_gradient_leaves_a_shared_program_alone() {
        let shared = Program::build("square", &[F32], 0, |_, x, _| vec![x[0] * x[0]]);
        let other = shared.clone().with_gradient(0, |b, _, _, _| b.constant(7.0));
        assert_eq!(other.gradient(0).unwrap().program.eval_f64(&[], &[]), [7.0]);
        assert_eq!(shared.gradient(0).unwrap().uses, [Source::Input(0), Source::Dy]);
        assert_eq!(shared, other);
    }
}
