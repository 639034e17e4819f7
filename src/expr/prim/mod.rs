//! The table of primitives: everything that is known about each, in one row.
//!
//! Derivatives follow PyTorch's conventions where a function has a corner: 0 for `abs` at 0, ties of `max` and `min` split
//! equally, `pow` at a base of 0 as `pow_backward`.

mod function;
mod number;

use super::Ty;
use super::lift::{Block, CHUNK, Chunk, Out};
use super::value::E;

/// A primitive: a name for its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[rustfmt::skip]
pub(crate) enum Prim {
    Add, Sub, Mul, Div, Rem, Max, Min, Neg, Abs, Sign,
    Lt, Le, Gt, Ge, Eq, Ne, And, Or, Xor, Not, Shl, Shr,
    Select, ToBool, ToU32, ToI32, ToF32, ToBits, FromBits, ToF16, ToBF16,
    Exp, ExpM1, Ln, Ln1P, Sin, Cos, Tanh, Erf, Sqrt, Pow, Floor, Ceil, Round, Trunc,
}

/// How operand types determine the result's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Operands of one type, a result of the same.
    Same,
    /// Operands of one type, a result of true or false.
    Test,
    /// The second operand is a number of bits (u32); the result is of the first's type.
    Shift,
    /// A condition and two values of one type, the result's.
    Select,
    /// Any of the types, to this one.
    To(Ty),
}

/// What a derivative is made from: operands, result, and the derivative with respect to the result.
pub(crate) struct Local<'b> {
    pub(crate) x: [E<'b>; 3],
    pub(crate) y: E<'b>,
    pub(crate) dy: E<'b>,
}

/// One primitive.
pub(crate) struct Row {
    #[cfg_attr(not(test), allow(dead_code, reason = "tests walk the table by it"))]
    pub(crate) prim: Prim,
    /// As the method of [`E`] is spelled.
    pub(crate) name: &'static str,
    pub(crate) arity: usize,
    /// Whether its first two operands may be swapped.
    pub(crate) commutes: bool,
    pub(crate) rule: Rule,
    /// Operand types that it takes.
    pub(crate) types: &'static [Ty],
    /// A block of results, for operands of a type.
    pub(crate) cpu: fn(Ty, &[Block<'_>; 3], Out<'_>),
    /// The result for f32 operands, in f64; tests and casts for all types.
    pub(crate) f64: fn(&[f64; 3]) -> f64,
    /// The WGSL expression: `$a $b $c` are the operands.
    pub(crate) wgsl: fn(Ty) -> &'static str,
    /// Derivatives with respect to the operands, for f32.
    pub(crate) diff: for<'b> fn(&Local<'b>) -> [Option<E<'b>>; 3],
}

impl Prim {
    /// Everything that is known about it.
    pub(crate) fn row(self) -> &'static Row {
        let place = self as usize;
        match place.checked_sub(number::ROWS.len()) {
            None => &number::ROWS[place],
            Some(place) => &function::ROWS[place],
        }
    }

    /// The result for one word an operand, of the first operand's type; as the CPU computes it.
    pub(crate) fn apply_words(self, ty: Ty, words: &[u32]) -> u32 {
        let splats: [Chunk; 3] = std::array::from_fn(|i| Chunk([words.get(i).copied().unwrap_or(0); CHUNK]));
        let mut out = [0; CHUNK];
        (self.row().cpu)(ty, &std::array::from_fn(|i| Block::splat(&splats[i])), Out::cached(&mut out));
        out[0]
    }
}

/// What most rows share: a smooth function of one f32.
const UNARY: Row = Row {
    prim: Prim::Neg,
    name: "",
    arity: 1,
    commutes: false,
    rule: Rule::Same,
    types: &[Ty::F32],
    cpu: |_, _, _| {},
    f64: |_| f64::NAN,
    wgsl: |_| "",
    diff: |_| [None; 3],
};

#[cfg(test)]
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    number::ROWS.iter().chain(&function::ROWS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_primitive_finds_its_own_row() {
        for (i, row) in rows().enumerate() {
            assert_eq!(row.prim as usize, i, "{}", row.name);
            assert_eq!(row.prim.row().name, row.name);
        }
        assert_eq!(Prim::Trunc as usize + 1, rows().count());
    }
}
