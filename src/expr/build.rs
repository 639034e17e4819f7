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
        let types: Vec<DType> = outputs.iter().map(|e| e.ty().dtype()).collect();
        self.finish_as(name, outputs, &types)
    }

    /// As [`Builder::finish`], with the element types that the outputs are stored in: one that is a 16-bit float has been
    /// [rounded](E::rounded_to) to it.
    pub fn finish_as(&self, name: impl Into<Cow<'static, str>>, outputs: &[E<'_>], types: &[DType]) -> Arc<Program> {
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
        Program::new(name.into(), state.inputs.clone(), state.params, nodes, results, types)
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

    /// Whether a value is one that `dtype`, a 16-bit float, can hold: it was read or rounded as such, or made of one by its sign.
    fn holds(&self, id: Id, dtype: DType) -> bool {
        match self.inst(id) {
            Inst::Input(n) => self.state.borrow().inputs.get(n as usize) == Some(&dtype),
            Inst::Apply(Prim::ToF16, _) => dtype == DType::F16,
            Inst::Apply(Prim::ToBF16, _) => dtype == DType::BF16,
            Inst::Apply(Prim::Neg | Prim::Abs, [x, ..]) => self.holds(x, dtype),
            _ => false,
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
            (Prim::ToF16, &[x]) if self.holds(x, DType::F16) => Some(value(x)),
            (Prim::ToBF16, &[x]) if self.holds(x, DType::BF16) => Some(value(x)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use DType::F32;
    use std::hash::BuildHasher;
    use std::ops::Neg;

    fn one(f: for<'b> fn(E<'b>) -> E<'b>) -> Arc<Program> {
        Program::build("one", &[F32], 0, |_, x, _| vec![f(x[0])])
    }

    #[test]
    fn only_exact_identities_are_folded() {
        for program in [
            one(|x| x * 1.0),
            one(|x| 1.0 * x),
            one(|x| x / 1.0),
            one(|x| x - 0.0),
            one(|x| x + -0.0),
            one(|x| -(-x)),
            one(|x| x.cast(Ty::F32)),
            one(|x| x.pow(1.0)),
            one(|x| x.lt(1.0).select(x, x)),
        ] {
            assert!(program.is_identity(), "{program:?}");
        }
        // -0 + 0 = 0, and infinity * 0 = NaN
        for program in [one(|x| x + 0.0), one(|x| 0.0 - x), one(|x| x * 0.0), one(|x| x - x), one(|x| x / x)] {
            assert_eq!(program.len(), 1, "{program:?}");
        }
        assert_eq!(one(|x| x * -1.0).formula(), "-x");
        assert_eq!(one(|x| x.pow(2.0)).formula(), "x * x");
    }

    #[test]
    fn constants_are_computed_while_building() {
        let program = Program::build("constants", &[], 0, |b, _, _| {
            let two = b.constant(2.0);
            vec![
                (two * 3.0 + 1.0).sqrt(),
                two.lt(3.0).select(5, 7),
                b.constant_i32(7).rem(4),
                b.constant_u32(1).shl(33),
            ]
        });
        assert_eq!(program.len(), 0);
        assert_eq!(program.eval_f64(&[], &[]), [f64::from(7f32.sqrt()), 5.0, 3.0, 2.0]);
    }

    #[test]
    fn equal_values_are_computed_once_and_unused_ones_never() {
        let program = Program::build("shared", &[F32, F32], 0, |_, x, _| {
            let _unused = x[0].exp();
            vec![(x[0] + x[1]) * (x[1] + x[0])]
        });
        assert_eq!(program.len(), 2);
        assert_eq!(program.formula(), "t0 = x0 + x1; t0 * t0");
        let idle = Program::build("idle", &[F32, F32], 2, |_, x, _| vec![x[1]]);
        assert_eq!((idle.inputs().len(), idle.params()), (2, 2), "declared inputs and parameters stay");
    }

    #[test]
    fn programs_are_equal_by_what_they_compute() {
        let hash = |program: &Program| rustc_hash::FxBuildHasher.hash_one(program);
        let a = Program::build("a", &[F32, F32], 0, |_, x, _| vec![x[0].exp() - x[1].ln()]);
        let b = Program::build("b", &[F32, F32], 0, |_, x, _| {
            let right = x[1].ln();
            vec![x[0].exp() - right]
        });
        assert_eq!(a, b);
        assert_eq!(hash(&a), hash(&b));
        let c = Program::build("a", &[F32, F32], 0, |_, x, _| vec![x[0].exp() + x[1].ln()]);
        assert_ne!(a, c);
        let zero = |value: f32| Program::build("z", &[F32], 0, move |b, x, _| vec![x[0] + b.constant(value)]);
        assert_ne!(zero(0.0), zero(1.0));
        let wide = |dtype| Program::build("w", &[dtype], 0, |_, x, _| vec![x[0].exp()]);
        assert_ne!(wide(F32), wide(DType::F16));
    }

    #[test]
    fn types_are_promoted_and_converted() {
        let types = [DType::Bool, DType::U32, DType::I32, F32];
        let program = Program::build("types", &types, 0, |_, x, _| {
            vec![
                x[0] + x[1],
                x[1] * x[2],
                x[2] - x[3],
                x[2].exp(),
                x[0].neg(),
                x[3].and(x[0]),
                x[1].shr(x[3]),
                x[1] / 2.0,
            ]
        });
        use DType::{I32, U32};
        assert_eq!(program.outputs(), [U32, I32, F32, F32, I32, I32, U32, F32]);
        assert_eq!(
            program.eval_f64(&[1.0, 7.0, -3.0, 1.5], &[]),
            [8.0, -21.0, -4.5, (-3f64).exp(), -1.0, 1.0, 3.0, 3.5]
        );
    }

    #[test]
    fn inlining_composes() {
        let inner = Program::build("inner", &[F32, F32], 1, |_, x, p| vec![x[0] * p[0] + x[1], x[0].max(x[1])]);
        let outer = Program::build("outer", &[F32], 2, |b, x, p| {
            let parts = b.inline(&inner, &[x[0].tanh(), b.constant(0.5)], &[p[1]]);
            vec![parts[0] - parts[1]]
        });
        for x in [-2.0f64, 0.1, 3.0] {
            let parts = inner.eval_f64(&[x.tanh(), 0.5], &[4.0]);
            assert_eq!(outer.eval_f64(&[x], &[9.0, 4.0]), [parts[0] - parts[1]]);
        }
        let again = Program::build("again", &[F32, F32], 1, |b, x, p| b.inline(&inner, x, p));
        assert_eq!(again, inner);
    }

    #[test]
    fn whole_powers_are_products() {
        for (n, len) in [(0, 0), (1, 0), (2, 1), (3, 2), (8, 3), (-2, 2)] {
            let program = Program::build("power", &[F32], 0, |_, x, _| vec![x[0].powi(n)]);
            assert_eq!(program.len(), len, "{program:?}");
            assert_eq!(program.eval_f64(&[-1.5], &[])[0], (-1.5f64).powi(n));
        }
    }
}
