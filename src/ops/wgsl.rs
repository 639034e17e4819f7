//! WGSL that the operations share: how elements of each type are read and written, and where they lie.

use crate::device::caps::Caps;
use crate::device::launch::Word;
use crate::device::shader::{Access, assemble, bindings, coordinates, place, word};
use crate::dtype::DType;
use crate::error::Result;
use crate::expr::F16;
use crate::plan::kernel::{Args, Operand};
use crate::shape::{Layout, collapse_slice};
use std::sync::Arc;

/// The WGSL element type of a storage buffer of `dtype`.
pub(crate) fn storage_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "f32",
        DType::I32 => "i32",
        DType::U32 | DType::Bool | DType::F16 | DType::BF16 => "u32",
    }
}

/// The same for an output: f16 by itself where the device computes in it.
pub(crate) fn written_type(dtype: DType, caps: &Caps) -> &'static str {
    if dtype == DType::F16 && caps.shader_f16 { "f16" } else { storage_type(dtype) }
}

/// The shader of a launch that reads and writes as `args` says: [`assemble`], in f16 itself where an operand or output is and the
/// device computes in it.
pub(crate) fn assemble_for(args: &Args<'_>, file: &str, regions: &[(&str, &str)]) -> Result<Arc<str>> {
    if !is_native(args) {
        return assemble(file, regions);
    }
    let text = assemble(file, &[regions, &[("f16", F16)]].concat())?;
    Ok(format!("enable f16;\n{text}").into())
}

fn is_native(args: &Args<'_>) -> bool {
    let mut types = args.inputs.iter().map(|x| x.dtype).chain(args.outputs.iter().map(|y| y.dtype));
    args.caps.shader_f16 && types.any(|dtype| dtype == DType::F16)
}

/// The expression that reads element `at` of `buffer` in the type that is computed with.
pub(crate) fn load(dtype: DType, buffer: &str, at: &str) -> String {
    match dtype {
        DType::F32 | DType::I32 | DType::U32 => format!("{buffer}[{at}]"),
        DType::Bool => format!("({buffer}[{at}] != 0u)"),
        DType::F16 => format!("unpack2x16float({buffer}[({at}) / 2u])[({at}) % 2u]"),
        DType::BF16 => {
            format!("bitcast<f32>((({buffer}[({at}) / 2u] >> (16u * (({at}) % 2u))) & 0xffffu) << 16u)")
        }
    }
}

/// The statement that writes `value` to element `at` of `buffer`; not for 16-bit types of which two share a word.
pub(crate) fn store(dtype: DType, buffer: &str, at: &str, value: &str) -> String {
    match dtype {
        DType::Bool => format!("{buffer}[{at}] = select(0u, 1u, {value});"),
        DType::F16 => format!("{buffer}[{at}] = f16({value});"),
        _ => format!("{buffer}[{at}] = {value};"),
    }
}

/// The expression of the 16 bits that `value` is stored as, low in a word.
pub(crate) fn half_bits(dtype: DType, value: &str) -> String {
    if dtype == DType::BF16 { format!("tw_bf16_bits({value})") } else { format!("tw_f16_bits({value})") }
}

/// Workgroups of `size` threads for `n` elements.
pub(crate) fn groups_of(n: usize, size: usize) -> u64 {
    n.div_ceil(size) as u64
}

/// The parameter words of a launch, and the text that reads them.
#[derive(Debug, Default)]
pub(crate) struct Words(pub Vec<Word>);

impl Words {
    /// Adds a word; the expression that reads it, a `u32`.
    pub fn push(&mut self, value: impl Into<Word>) -> String {
        word(self.position(value))
    }

    /// Adds a word; its position.
    pub fn position(&mut self, value: impl Into<Word>) -> usize {
        self.0.push(value.into());
        self.0.len() - 1
    }

    /// Adds a variable (an offset or a run-time scalar); its position.
    pub fn var(&mut self, var: usize) -> usize {
        self.0.push(Word::Var(var));
        self.0.len() - 1
    }
}

/// Statements that find the element with linear index `linear` of each operand (all of one shape), and the expressions that
/// read them. Operand `k` lies in buffer `{prefix}{first + k}`; its offset is variable `first + k`.
pub(crate) fn reads(
    operands: &[Operand],
    first: usize,
    prefix: &str,
    linear: &str,
    words: &mut Words,
) -> (String, Vec<String>) {
    let mut layouts: Vec<Layout> = operands.iter().map(|operand| operand.layout).collect();
    collapse_slice(&mut layouts);
    let mut text = String::new();
    let mut loads = Vec::new();
    let strided = layouts.iter().any(|layout| !layout.is_contiguous() && !layout.is_scalar());
    let axes = format!("{prefix}{first}_i");
    if strided {
        let shape = layouts[0].shape;
        let dims: Vec<usize> = shape.iter().map(|&d| words.position(d)).collect();
        text += &coordinates(&axes, linear, &dims);
    }
    for (k, (operand, layout)) in operands.iter().zip(&layouts).enumerate() {
        let buffer = format!("{prefix}{}", first + k);
        let offset = words.var(first + k);
        let at = if layout.is_scalar() {
            word(offset)
        } else if layout.is_contiguous() {
            format!("{} + {linear}", word(offset))
        } else {
            let strides: Vec<usize> = layout.strides().iter().map(|&s| words.position(s)).collect();
            text += &place(&format!("{buffer}_at"), &axes, Some(offset), &strides);
            format!("{buffer}_at")
        };
        loads.push(load(operand.dtype, &buffer, &at));
    }
    (text, loads)
}

/// Expressions that read `count` run-time scalars as `f32`, from the call's scalar `first` on.
pub(crate) fn params(args: &Args<'_>, first: usize, count: usize, words: &mut Words) -> Vec<String> {
    (first..first + count).map(|s| format!("bitcast<f32>({})", word(words.var(args.scalar(s))))).collect()
}

/// Declarations of all inputs as `in0…` (read) and all outputs as `out0…` (written), in the order of the call's buffers.
pub(crate) fn declarations(args: &Args<'_>, words: usize) -> String {
    let inputs = args.inputs.iter().enumerate().map(|(i, x)| (format!("in{i}"), x.dtype, Access::Read));
    let outputs = args.outputs.iter().enumerate().map(|(o, y)| (format!("out{o}"), y.dtype, Access::Write));
    let all: Vec<_> = inputs.chain(outputs).collect();
    let kind = |dtype: DType, access: Access| match access {
        Access::Read => storage_type(dtype),
        Access::Write => written_type(dtype, args.caps),
    };
    let all: Vec<_> = all.iter().map(|(name, dtype, access)| (name.as_str(), kind(*dtype, *access), *access)).collect();
    bindings(&all, words)
}
