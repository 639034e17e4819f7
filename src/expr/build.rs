//! Writing programs: nodes are shared when equal, constants folded, and what no output needs is left out at the end.
//!
//! Building never fails. Operands of different types are promoted as PyTorch promotes (bool < u32 < i32 < f32), and a type
//! that a primitive does not take is converted to the next one that it does: `exp` of an integer is computed in f32.

use super::prim::{self, Prim, Rule};
use super::value::E;
use super::{Id, Inst, Node, Program, Ty};
use crate::dtype::DType;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

/// Collects the nodes of a program; its values are handed out as [`E`].
#[derive(Debug, Default)]
pub struct Builder {
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    nodes: Vec<Node>,
    ids: FxHashMap<Node, Id>,
    inputs: Vec<DType>,
    params: usize,
}

impl Builder {
    /// An empty program.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Input `index`, declared with its element type on first use. Inputs below it that were never declared are `F32`.
    pub fn input(&self, index: usize, dtype: DType) -> E<'_> {
        let dtype = {
            let mut state = self.state.borrow_mut();
            while state.inputs.len() < index {
                state.inputs.push(DType::F32);
            }
            if state.inputs.len() == index {
                state.inputs.push(dtype);
            }
            state.inputs[index]
        };
        self.value(Inst::Input(index as u32), Ty::of(dtype))
    }

    /// Run-time scalar `index`, an f32.
    pub fn param(&self, index: usize) -> E<'_> {
        {
            let mut state = self.state.borrow_mut();
            state.params = state.params.max(index + 1);
        }
        self.value(Inst::Param(index as u32), Ty::F32)
    }

    /// An f32 constant. It is part of the program's identity: numbers that change from call to call are parameters.
    pub fn constant(&self, value: f32) -> E<'_> {
        self.value(Inst::Const(value.to_bits()), Ty::F32)
    }

    /// An i32 constant.
    pub fn constant_i32(&self, value: i32) -> E<'_> {
        self.value(Inst::Const(value.cast_unsigned()), Ty::I32)
    }

    /// A u32 constant.
    pub fn constant_u32(&self, value: u32) -> E<'_> {
        self.value(Inst::Const(value), Ty::U32)
    }

    /// A bool constant.
    pub fn constant_bool(&self, value: bool) -> E<'_> {
        self.value(Inst::Const(u32::from(value)), Ty::Bool)
    }

    /// The outputs of another program applied to values of this one: how programs are composed and fused.
    ///
    /// `inputs` and `params` have one entry for each of the program's.
    pub fn inline<'b>(&'b self, program: &Program, inputs: &[E<'b>], params: &[E<'b>]) -> Vec<E<'b>> {
        let values = self.inline_nodes(program, inputs, params);
        program.results().iter().map(|&id| values[id as usize]).collect()
    }

    /// As [`Builder::inline`], with the value of every node.
    pub(super) fn inline_nodes<'b>(&'b self, program: &Program, inputs: &[E<'b>], params: &[E<'b>]) -> Vec<E<'b>> {
        debug_assert!(
            inputs.len() == program.inputs().len() && params.len() >= program.params(),
            "inline: {program:?}"
        );
        let given = |list: &[E<'b>], n: u32| list.get(n as usize).copied().unwrap_or_else(|| self.constant(f32::NAN));
        let mut values: Vec<E<'b>> = Vec::with_capacity(program.nodes().len());
        for node in program.nodes() {
            values.push(match node.inst {
                Inst::Input(n) => given(inputs, n).cast(node.ty),
                Inst::Param(n) => given(params, n).cast(Ty::F32),
                Inst::Const(_) => self.value(node.inst, node.ty),
                Inst::Apply(prim, args) => self.apply(prim, args.map(|id| values[id as usize])),
            });
        }
        values
    }

    /// The finished program: only nodes that `outputs` need, in an order that depends on nothing else. All declared inputs
    /// and parameters stay.
    pub fn finish(&self, name: impl Into<Cow<'static, str>>, outputs: &[E<'_>]) -> Arc<Program> {
        let state = self.state.borrow();
        let mut place: Vec<Option<Id>> = vec![None; state.nodes.len()];
        let mut nodes = Vec::new();
        // Depth first from the outputs, operands before users: equal formulas get equal programs, and values are computed
        // shortly before they are needed, which keeps few of them alive at a time.
        let mut stack: Vec<Id> = outputs.iter().rev().map(|e| e.id).collect();
        while let Some(&id) = stack.last() {
            let node = state.nodes[id as usize];
            if place[id as usize].is_some() {
                stack.pop();
                continue;
            }
            let depth = stack.len();
            stack.extend(node.operands().iter().rev().filter(|&&operand| place[operand as usize].is_none()));
            if stack.len() == depth {
                stack.pop();
                place[id as usize] = Some(nodes.len() as Id);
                let inst = match node.inst {
                    Inst::Apply(prim, args) => Inst::Apply(prim, moved(&place, prim, args)),
                    other => other,
                };
                nodes.push(Node { inst, ty: node.ty });
            }
        }
        let results = outputs.iter().map(|e| place[e.id as usize].unwrap_or(0)).collect();
        Program::new(name.into(), state.inputs.clone(), state.params, nodes, results)
    }

    /// The type of a node.
    pub(super) fn ty(&self, id: Id) -> Ty {
        self.state.borrow().nodes[id as usize].ty
    }

    /// What computes a node.
    pub(super) fn inst(&self, id: Id) -> Inst {
        self.state.borrow().nodes[id as usize].inst
    }

    /// A value for the node, the existing one if there is an equal one.
    fn value(&self, inst: Inst, ty: Ty) -> E<'_> {
        let mut state = self.state.borrow_mut();
        let node = Node { inst, ty };
        if let Some(&id) = state.ids.get(&node) {
            return E { b: self, id };
        }
        // a + b and b + a are one value, kept as it was first written
        if let Inst::Apply(prim, [x, y, z]) = inst
            && prim.row().commutes
            && let Some(&id) = state.ids.get(&Node { inst: Inst::Apply(prim, [y, x, z]), ty })
        {
            return E { b: self, id };
        }
        let id = state.nodes.len() as Id;
        state.nodes.push(node);
        state.ids.insert(node, id);
        E { b: self, id }
    }

    /// A primitive applied to values: operands past its arity are ignored, types are converted by its rule.
    pub(super) fn apply<'b>(&'b self, prim: Prim, args: [E<'b>; 3]) -> E<'b> {
        let row = prim.row();
        let ([x, y, z], ty) = self.convert(row, args);
        let args = match row.arity {
            1 => [x.id, 0, 0],
            2 => [x.id, y.id, 0],
            _ => [x.id, y.id, z.id],
        };
        self.fold(prim, &args[..row.arity], ty).unwrap_or_else(|| self.value(Inst::Apply(prim, args), ty))
    }

    /// The operands in the types that the row takes, and the type of its result.
    fn convert<'b>(&'b self, row: &prim::Row, [x, y, z]: [E<'b>; 3]) -> ([E<'b>; 3], Ty) {
        let taken = |ty: Ty| {
            let fits = row.types.iter().copied().filter(|&t| t >= ty).min();
            fits.or(row.types.iter().copied().max()).unwrap_or(ty)
        };
        match row.rule {
            Rule::Same | Rule::Test => {
                let ty = taken(if row.arity == 1 { x.ty() } else { x.ty().max(y.ty()) });
                let result = if row.rule == Rule::Test { Ty::Bool } else { ty };
                ([x.cast(ty), if row.arity == 1 { x } else { y.cast(ty) }, z], result)
            }
            Rule::Shift => {
                let ty = taken(x.ty());
                ([x.cast(ty), y.cast(Ty::U32), z], ty)
            }
            Rule::Select => {
                let ty = y.ty().max(z.ty());
                ([x.cast(Ty::Bool), y.cast(ty), z.cast(ty)], ty)
            }
            Rule::To(ty) => ([x.cast(taken(x.ty())), y, z], ty),
        }
    }

    /// A value that equals the result for every input, bit for bit (NaN payloads aside), if there is a simpler one.
    fn fold(&self, prim: Prim, args: &[Id], ty: Ty) -> Option<E<'_>> {
        let value = |id: Id| E { b: self, id };
        let constant = |id: Id| match self.inst(id) {
            Inst::Const(bits) => Some(bits),
            _ => None,
        };
        if let Some(words) = args.iter().map(|&id| constant(id)).collect::<Option<Vec<u32>>>() {
            return Some(self.value(Inst::Const(prim.apply_words(self.ty(args[0]), &words)), ty));
        }
        let is = |id: Id, number: f32| match self.ty(id) {
            Ty::F32 => constant(id) == Some(number.to_bits()),
            _ => constant(id) == Some(number as i32 as u32),
        };
        match (prim, args) {
            (Prim::Mul, &[x, one]) | (Prim::Mul, &[one, x]) if is(one, 1.0) => Some(value(x)),
            (Prim::Mul, &[x, m]) | (Prim::Mul, &[m, x]) if is(m, -1.0) && self.ty(x) == Ty::F32 => Some(-value(x)),
            (Prim::Div, &[x, one]) if is(one, 1.0) => Some(value(x)),
            // x + 0 is not x for x = -0; x + -0 and x - 0 are
            (Prim::Add, &[x, zero]) | (Prim::Add, &[zero, x]) if is(zero, -0.0) => Some(value(x)),
            (Prim::Sub, &[x, zero]) if is(zero, 0.0) => Some(value(x)),
            (Prim::Pow, &[x, n]) if is(n, 1.0) => Some(value(x)),
            (Prim::Pow, &[x, n]) if is(n, 2.0) => Some(value(x) * value(x)), // rounds once, as a right power does
            (Prim::Pow, &[x, n]) if is(n, -1.0) => Some(value(x).recip()),
            (Prim::Neg | Prim::Not, &[x]) => match self.inst(x) {
                Inst::Apply(inner, [y, ..]) if inner == prim => Some(value(y)),
                _ => None,
            },
            (Prim::Select, &[_, a, b]) if a == b => Some(value(a)),
            (Prim::Select, &[c, a, b]) => constant(c).map(|c| value(if c != 0 { a } else { b })),
            (Prim::And, &[a, b]) | (Prim::Or, &[a, b]) if a == b => Some(value(a)),
            _ => None,
        }
    }
}

/// Operands under their new numbers.
fn moved(place: &[Option<Id>], prim: Prim, mut args: [Id; 3]) -> [Id; 3] {
    for arg in args.iter_mut().take(prim.row().arity) {
        *arg = place[*arg as usize].unwrap_or(0);
    }
    args
}
