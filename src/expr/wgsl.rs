//! A program as WGSL statements, to be spliced into a kernel: one instruction a line, named temporaries, formula on top.

use super::prim::Prim;
use super::{Id, Inst, Node, Program, Ty};
use crate::dtype::DType;
use std::fmt::Write;

/// The functions that generated statements call; goes before any kernel that holds them.
pub const MATH: &str = include_str!("../../shaders/lib/math.wgsl");

/// The region `f16` of [`MATH`] for devices that compute in f16; the shader begins with `enable f16;`. Products stay in f32,
/// which holds them exactly: a product in f16 might be joined with a sum after it, and rounded once.
pub const F16: &str = "\
fn tw_f16(x: f32) -> f32 { return f32(f16(x)); }
fn tw_f16_add(a: f32, b: f32) -> f32 { return f32(f16(a) + f16(b)); }
fn tw_f16_sub(a: f32, b: f32) -> f32 { return f32(f16(a) - f16(b)); }
";

impl Program {
    /// Statements that compute the outputs, then what `out` makes of each: `out(n, value)` returns a statement (or several
    /// lines of them) that stores or passes on `value`, an expression of output `n`'s register type (`f32`, `i32`, `u32`,
    /// `bool`).
    ///
    /// `loads` and `params` hold an expression for each input and parameter, of its register type: a stored bool has been
    /// compared with 0, a 16-bit float unpacked. Each is evaluated once. Temporaries are named `x0…` and `t0…`; splice the
    /// text between braces where two programs meet. The kernel needs [`MATH`] before it.
    ///
    /// ```
    /// use tilework::{DType, expr::Program};
    /// let relu = Program::build("relu", &[DType::F32], 0, |_, x, _| vec![x[0].max(0.0)]);
    /// let text = relu.wgsl(&["a[i]".into()], &[], |_, value| format!("y[i] = {value};"));
    /// assert_eq!(text, "// relu: max(x, 0)\nlet x0 = a[i];\nlet t0 = max(x0, 0.0f);\ny[i] = t0;\n");
    /// ```
    pub fn wgsl(&self, loads: &[String], params: &[String], mut out: impl FnMut(usize, &str) -> String) -> String {
        debug_assert!(loads.len() >= self.inputs().len() && params.len() >= self.params());
        let given = |list: &[String], n: u32| list.get(n as usize).cloned().unwrap_or_default();
        let mut text = format!("// {self:?}\n");
        let mut line = |name: String, value: String| {
            let _ = writeln!(text, "let {name} = {value};"); // writing to a String cannot fail
            name
        };
        let sums = self.f16_sums();
        let mut temporaries = 0;
        let mut values: Vec<String> = Vec::with_capacity(self.nodes().len());
        for (id, node) in self.nodes().iter().enumerate() {
            let value = match node.inst {
                Inst::Apply(..) if sums.iter().any(|sum| sum.inner == id) => String::new(), // written with its rounding
                Inst::Input(n) => line(format!("x{n}"), given(loads, n)),
                Inst::Param(n) => line(format!("p{n}"), given(params, n)),
                Inst::Const(bits) => literal(bits, node.ty),
                Inst::Apply(prim, args) => {
                    let row = prim.row();
                    let mut value = (row.wgsl)(self.nodes()[args[0] as usize].ty).to_owned();
                    let (mut args, mut arity) = (args, row.arity);
                    if let Some(sum) = sums.iter().find(|sum| sum.outer == id) {
                        (value, args, arity) = (sum.text.to_owned(), sum.args, 2);
                    }
                    for (mark, arg) in ["$a", "$b", "$c"].iter().zip(args).take(arity) {
                        value = value.replace(mark, values.get(arg as usize).map_or("", String::as_str));
                    }
                    temporaries += 1;
                    line(format!("t{}", temporaries - 1), value)
                }
            };
            values.push(value);
        }
        for (n, &id) in self.results().iter().enumerate() {
            let _ = writeln!(text, "{}", out(n, &values[id as usize]).trim_end());
        }
        text
    }
}

/// The rounding of a sum to f16, nodes `outer` and `inner`, that is one operation of f16.
struct Sum {
    outer: usize,
    inner: usize,
    args: [Id; 3],
    text: &'static str,
}

impl Program {
    /// The sums of values that f16 can hold that are rounded to it and not used otherwise.
    fn f16_sums(&self) -> Vec<Sum> {
        let nodes = self.nodes();
        let uses = |id: Id| {
            let operands = nodes.iter().flat_map(Node::operands).chain(self.results());
            operands.filter(|&&operand| operand == id).count()
        };
        let sum = |(outer, node): (usize, &Node)| {
            let Inst::Apply(Prim::ToF16, [inner, ..]) = node.inst else { return None };
            let (text, args) = match nodes.get(inner as usize)?.inst {
                Inst::Apply(Prim::Add, args) => ("tw_f16_add($a, $b)", args),
                Inst::Apply(Prim::Sub, args) => ("tw_f16_sub($a, $b)", args),
                _ => return None,
            };
            let held = args[..2].iter().all(|&id| self.is_f16(id));
            (held && uses(inner) == 1).then_some(Sum { outer, inner: inner as usize, args, text })
        };
        nodes.iter().enumerate().filter_map(sum).collect()
    }

    /// Whether a node's value is one that f16 can hold: read or rounded as such, or made of one by its sign.
    fn is_f16(&self, id: Id) -> bool {
        match self.nodes().get(id as usize).map(|node| node.inst) {
            Some(Inst::Input(n)) => self.inputs().get(n as usize) == Some(&DType::F16),
            Some(Inst::Apply(Prim::ToF16, _)) => true,
            Some(Inst::Apply(Prim::Neg | Prim::Abs, [x, ..])) => self.is_f16(x),
            _ => false,
        }
    }
}

/// A constant in WGSL. Its constant expressions refuse infinity and NaN, and may flush subnormals: those go as bits.
fn literal(bits: u32, ty: Ty) -> String {
    match ty {
        Ty::F32 => {
            let value = f32::from_bits(bits);
            if value.is_normal() || bits == 0 { format!("{value:?}f") } else { format!("tw_bits({bits:#010x}u)") }
        }
        Ty::I32 => format!("i32({})", bits.cast_signed()),
        Ty::U32 => format!("{bits}u"),
        Ty::Bool => (bits != 0).to_string(),
    }
}
