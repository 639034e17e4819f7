//! A program as WGSL statements, to be spliced into a kernel: one instruction a line, named temporaries, formula on top.

use super::{Inst, Program, Ty};
use std::fmt::Write;

/// The functions that generated statements call; goes before any kernel that holds them.
pub const MATH: &str = include_str!("../../shaders/lib/math.wgsl");

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
        let mut temporaries = 0;
        let mut values: Vec<String> = Vec::with_capacity(self.nodes().len());
        for node in self.nodes() {
            let value = match node.inst {
                Inst::Input(n) => line(format!("x{n}"), given(loads, n)),
                Inst::Param(n) => line(format!("p{n}"), given(params, n)),
                Inst::Const(bits) => literal(bits, node.ty),
                Inst::Apply(prim, args) => {
                    let row = prim.row();
                    let mut value = (row.wgsl)(self.nodes()[args[0] as usize].ty).to_owned();
                    for (mark, arg) in ["$a", "$b", "$c"].iter().zip(args).take(row.arity) {
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
