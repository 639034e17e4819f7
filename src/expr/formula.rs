//! A program as a line of text: for traces, documentation and the comment above generated WGSL.

use super::prim::Prim;
use super::{Inst, Program, Ty};
use std::fmt::Write;

/// How tightly an expression's outermost operator binds, from "not at all" to "is one word".
const LOOSE: u8 = 0;
const TIGHT: u8 = 10;

impl Program {
    /// The formula on one line. A value that is used more than once is named first: `t0 = exp(-x); t0 / (1 + t0)`.
    ///
    /// Inputs are `x`, or `x0`, `x1`, … if there are several; parameters are `p0`, `p1`, ….
    pub fn formula(&self) -> String {
        let nodes = self.nodes();
        let mut uses = vec![0; nodes.len()];
        for id in nodes.iter().flat_map(|node| node.operands()).chain(self.results()) {
            uses[*id as usize] += 1;
        }
        let mut line = String::new();
        let mut named = 0;
        let mut texts: Vec<(String, u8)> = Vec::with_capacity(nodes.len());
        for (node, uses) in nodes.iter().zip(uses) {
            let text = match node.inst {
                Inst::Input(_) if self.inputs().len() == 1 => ("x".to_owned(), TIGHT),
                Inst::Input(n) => (format!("x{n}"), TIGHT),
                Inst::Param(n) => (format!("p{n}"), TIGHT),
                Inst::Const(bits) => constant(bits, node.ty),
                Inst::Apply(prim, args) => {
                    let text = apply(prim, &args[..prim.row().arity], &texts);
                    if uses < 2 {
                        text
                    } else {
                        let _ = write!(line, "t{named} = {}; ", text.0); // writing to a String cannot fail
                        named += 1;
                        (format!("t{}", named - 1), TIGHT)
                    }
                }
            };
            texts.push(text);
        }
        let results: Vec<&str> = self.results().iter().map(|&id| texts[id as usize].0.as_str()).collect();
        line + &results.join(", ")
    }
}

/// A number, shortest form that reads back the same.
fn constant(bits: u32, ty: Ty) -> (String, u8) {
    let text = match ty {
        Ty::F32 => f32::from_bits(bits).to_string(),
        Ty::I32 => bits.cast_signed().to_string(),
        Ty::U32 => bits.to_string(),
        Ty::Bool => (bits != 0).to_string(),
    };
    let binding = if text.starts_with('-') { 6 } else { TIGHT };
    (text, binding)
}

/// An operator between its operands, with the brackets that are needed; other primitives as calls.
fn apply(prim: Prim, args: &[u32], texts: &[(String, u8)]) -> (String, u8) {
    let (symbol, binding) = match prim {
        Prim::Or => ("|", 1),
        Prim::Xor => ("^", 1),
        Prim::And => ("&", 2),
        Prim::Lt => ("<", 3),
        Prim::Le => ("<=", 3),
        Prim::Gt => (">", 3),
        Prim::Ge => (">=", 3),
        Prim::Eq => ("==", 3),
        Prim::Ne => ("!=", 3),
        Prim::Add => ("+", 4),
        Prim::Sub => ("-", 4),
        Prim::Mul => ("*", 5),
        Prim::Div => ("/", 5),
        Prim::Rem => ("%", 5),
        Prim::Neg => ("-", 6),
        Prim::Not => ("!", 6),
        other => (other.row().name, LOOSE),
    };
    let at = |i: usize, least: u8| match texts.get(args.get(i).map_or(usize::MAX, |&id| id as usize)) {
        Some((text, b)) if *b >= least => text.clone(),
        Some((text, _)) => format!("({text})"),
        None => String::new(),
    };
    match (binding, args.len()) {
        (LOOSE, _) => {
            let list: Vec<String> = (0..args.len()).map(|i| at(i, LOOSE)).collect();
            (format!("{symbol}({})", list.join(", ")), TIGHT)
        }
        (_, 1) => (format!("{symbol}{}", at(0, binding + 1)), binding),
        // a - (b - c): the right side of equal rank needs its brackets
        _ => (format!("{} {symbol} {}", at(0, binding), at(1, binding + 1)), binding),
    }
}

#[cfg(test)]
mod tests {
    use crate::{DType::F32, expr::Program};

    #[test]
    fn formulas_have_the_brackets_they_need_and_no_others() {
        let p = Program::build("t", &[F32, F32, F32], 1, |_, x, p| {
            vec![x[0] - (x[1] - x[2]), (x[0] + x[1]) * -p[0], x[0] * x[1] + x[2]]
        });
        assert_eq!(p.formula(), "x0 - (x1 - x2), (x0 + x1) * -p0, x0 * x1 + x2");
    }

    #[test]
    fn a_value_used_twice_is_named() {
        let p = Program::build("t", &[F32], 0, |_, x, _| {
            let e = (-x[0]).exp();
            vec![e / (1.0 + e)]
        });
        assert_eq!(p.formula(), "t0 = exp(-x); t0 / (1 + t0)");
    }
}
