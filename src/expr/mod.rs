//! Element-wise scalar maths as data.
//!
//! A [`Program`] is a formula over scalars: some inputs and run-time parameters in, some values out. It is written once, in
//! ordinary Rust operators on [`E`], and everything else follows from it: the gradient (`diff`), the vectorised CPU loop
//! (`cpu`), the WGSL text (`wgsl`), the reference in f64 (`reference`) and the readable formula (`formula`). All of them walk
//! one table of primitives (`prim`), so a new activation, loss term or optimizer update is its formula and nothing more.
//!
//! ```
//! use tilework::{DType, expr::Program};
//! let sigmoid = Program::build("sigmoid", &[DType::F32], 0, |_, x, _| vec![(1.0 + (-x[0]).exp()).recip()]);
//! assert_eq!(sigmoid.formula(), "1 / (1 + exp(-x))");
//! assert_eq!(sigmoid.eval_f64(&[0.0], &[]), [0.5]);
//! ```

mod build;
mod compiled;
mod cpu;
mod diff;
mod formula;
mod gather;
mod lift;
mod math;
mod math64;
mod prim;
mod reference;
#[cfg(feature = "verify")]
mod span;
mod traffic;
mod value;
mod wgsl;

#[cfg(test)]
mod tests;

pub use build::Builder;
pub use cpu::{Code, Scratch};
pub use diff::{Gradient, Source};
pub use gather::{Lane, gather, load, pack_halves};
pub(crate) use math::exp_below;
#[cfg(feature = "verify")]
pub(crate) use span::{Arithmetic, Span};
pub(crate) use traffic::Stores;
pub use value::{E, Operand};
pub use wgsl::{F16, MATH};

use crate::dtype::DType;
use prim::Prim;
use rustc_hash::FxHasher;
use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// The type of a value while it is computed with: one 32-bit register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ty {
    /// True or false; the word 1 or 0.
    Bool,
    /// 32-bit unsigned integer, wrapping.
    U32,
    /// 32-bit signed integer, wrapping.
    I32,
    /// 32-bit float.
    F32,
}

impl Ty {
    /// The register type of a stored element: 16-bit floats widen to `F32`.
    pub fn of(dtype: DType) -> Ty {
        match dtype {
            DType::Bool => Ty::Bool,
            DType::U32 => Ty::U32,
            DType::I32 => Ty::I32,
            DType::F16 | DType::BF16 | DType::F32 => Ty::F32,
        }
    }

    /// The element type that stores a register as it is.
    pub fn dtype(self) -> DType {
        match self {
            Ty::Bool => DType::Bool,
            Ty::U32 => DType::U32,
            Ty::I32 => DType::I32,
            Ty::F32 => DType::F32,
        }
    }
}

/// The number of a node within its program.
pub(crate) type Id = u32;

/// What computes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Inst {
    /// Element of input `n`.
    Input(u32),
    /// Run-time scalar `n`, an f32.
    Param(u32),
    /// A constant's bits.
    Const(u32),
    /// A primitive applied to earlier nodes; operands past its arity are 0.
    Apply(Prim, [Id; 3]),
}

/// A value of the program: how it comes about, and its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) inst: Inst,
    pub(crate) ty: Ty,
}

impl Node {
    /// The nodes that this one reads.
    pub(crate) fn operands(&self) -> &[Id] {
        match &self.inst {
            Inst::Apply(prim, args) => &args[..prim.row().arity],
            _ => &[],
        }
    }
}

/// An immutable formula over scalars, in static single assignment form.
///
/// Programs are compared by what they compute: two with the same instructions, inputs and outputs are equal, whatever their
/// names and attached gradients. The hash is computed once, when the program is finished.
pub struct Program {
    name: Cow<'static, str>,
    inputs: Box<[DType]>,
    params: usize,
    nodes: Box<[Node]>, // operands before users, each reached from an output
    results: Box<[Id]>,
    outputs: Box<[DType]>,
    hash: u64,
    gradients: Box<[OnceLock<Option<Gradient>>]>, // by input; derived when first asked for
}

impl Program {
    /// Writes a program: `f` gets the builder, the inputs and the parameters (run-time scalars, f32), and returns the outputs.
    ///
    /// Element types of the outputs are those of the values returned. 16-bit inputs are computed with as f32.
    ///
    /// ```
    /// use tilework::{DType, expr::Program};
    /// let axpy = Program::build("axpy", &[DType::F32, DType::F32], 1, |_, x, p| vec![p[0] * x[0] + x[1]]);
    /// assert_eq!(axpy.eval_f64(&[2.0, 1.0], &[10.0]), [21.0]);
    /// assert_eq!(axpy.outputs(), [DType::F32]);
    /// ```
    pub fn build(
        name: impl Into<Cow<'static, str>>,
        inputs: &[DType],
        params: usize,
        f: impl for<'b> FnOnce(&'b Builder, &[E<'b>], &[E<'b>]) -> Vec<E<'b>>,
    ) -> Arc<Program> {
        let b = Builder::new();
        let x: Vec<E<'_>> = inputs.iter().enumerate().map(|(i, &dtype)| b.input(i, dtype)).collect();
        let p: Vec<E<'_>> = (0..params).map(|j| b.param(j)).collect();
        let outputs = f(&b, &x, &p);
        b.finish(name, &outputs)
    }

    /// Nodes in order, reachable ones only; called by [`Builder::finish`].
    fn new(
        name: Cow<'static, str>,
        inputs: Vec<DType>,
        params: usize,
        nodes: Vec<Node>,
        results: Vec<Id>,
        outputs: &[DType],
    ) -> Arc<Program> {
        let mut hasher = FxHasher::default();
        (&inputs, params, &nodes, &results, outputs).hash(&mut hasher);
        Arc::new(Program {
            name,
            params,
            gradients: inputs.iter().map(|_| OnceLock::new()).collect(),
            inputs: inputs.into(),
            nodes: nodes.into(),
            results: results.into(),
            outputs: outputs.into(),
            hash: hasher.finish(),
        })
    }

    /// What it is called in traces and labels: `sigmoid`, or `add+relu` for a fused one.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Element types of the inputs.
    pub fn inputs(&self) -> &[DType] {
        &self.inputs
    }

    /// The number of run-time scalars.
    pub fn params(&self) -> usize {
        self.params
    }

    /// Element types of the outputs.
    pub fn outputs(&self) -> &[DType] {
        &self.outputs
    }

    /// The number of instructions, not counting inputs, parameters and constants.
    #[expect(clippy::len_without_is_empty, reason = "a program without instructions is a copy, not an empty one")]
    pub fn len(&self) -> usize {
        self.nodes.iter().filter(|node| matches!(node.inst, Inst::Apply(..))).count()
    }

    /// Whether its one output is its one input, unchanged.
    pub fn is_identity(&self) -> bool {
        let [result] = self.results[..] else { return false };
        self.inputs.len() == 1 && self.outputs == self.inputs && self.nodes[result as usize].inst == Inst::Input(0)
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The nodes whose values are the outputs.
    pub(crate) fn results(&self) -> &[Id] {
        &self.results
    }
}

impl PartialEq for Program {
    fn eq(&self, other: &Program) -> bool {
        self.hash == other.hash
            && self.inputs == other.inputs
            && self.params == other.params
            && self.results == other.results
            && self.outputs == other.outputs
            && self.nodes == other.nodes
    }
}

impl Eq for Program {}

impl Hash for Program {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.formula())
    }
}
