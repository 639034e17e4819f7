//! Reductions over any axes: `sum`, `prod`, `max`, `min`, `any`, `all`, and what is made of them (`mean`). A map before it is
//! its prologue, a map after it its epilogue.

use crate::device::launch::{Arg, Launch, Word};
use crate::device::shader::{Access, bindings, word};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::expr::{Program, Ty};
use crate::ops::reduce_cpu;
use crate::ops::wgsl::{
    Words, assemble_for, declarations, groups_of, load, params, reads, storage_type, store, written_type,
};
use crate::ops::{Accepts, Op};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Operand, Role};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record;
use smallvec::smallvec;
use std::panic::Location;
use std::sync::Arc;

/// What joins two elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Join {
    Sum,
    Prod,
    Max,
    Min,
}

impl Join {
    /// `join(identity, x) = x`; as the bits of a register of type `ty`.
    pub fn identity(self, ty: Ty) -> u32 {
        match (self, ty) {
            (Join::Sum, _) | (Join::Max, Ty::U32 | Ty::Bool) => 0,
            (Join::Prod, Ty::F32) => 1f32.to_bits(),
            (Join::Prod, _) | (Join::Min, Ty::Bool) => 1,
            (Join::Max, Ty::F32) => f32::NEG_INFINITY.to_bits(),
            (Join::Min, Ty::F32) => f32::INFINITY.to_bits(),
            (Join::Max, Ty::I32) => i32::MIN.cast_unsigned(),
            (Join::Min, Ty::I32) => i32::MAX.cast_unsigned(),
            (Join::Min, Ty::U32) => u32::MAX,
        }
    }

    /// The joint value of two, as a program. NaN is found by its bits: a GPU's `max` and `min` may drop it.
    fn program(self, dtype: DType) -> Arc<Program> {
        Program::build("join", &[dtype, dtype], 0, |_, x, _| {
            let extreme = |chosen| match dtype.is_float() {
                true => x[0].is_nan().select(x[0], x[1].is_nan().select(x[1], chosen)),
                false => chosen,
            };
            vec![match (self, dtype) {
                (Join::Sum, _) => x[0] + x[1],
                (Join::Prod, _) => x[0] * x[1],
                (Join::Max, DType::Bool) => x[0].or(x[1]),
                (Join::Min, DType::Bool) => x[0].and(x[1]),
                (Join::Max, _) => extreme(x[0].max(x[1])),
                (Join::Min, _) => extreme(x[0].min(x[1])),
            }]
        })
    }
}

/// A reduction over the axes with a bit in `axes`; the others keep their order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Reduce {
    pub name: &'static str,
    pub join: Join,
    pub axes: u8,
    pub prologue: Option<Arc<Program>>,
    pub epilogue: Option<Arc<Program>>,
}

impl Reduce {
    fn new(name: &'static str, join: Join, axes: u8) -> Reduce {
        Reduce { name, join, axes, prologue: None, epilogue: None }
    }

    /// Its own inputs: one, or those of the prologue.
    pub fn own(&self) -> usize {
        self.prologue.as_ref().map_or(1, |program| program.inputs().len())
    }

    fn reduces(&self, axis: usize) -> bool {
        self.axes >> axis & 1 == 1
    }

    /// The type that is joined.
    pub fn joined(&self, args: &Args<'_>) -> DType {
        self.prologue.as_ref().map_or(args.inputs[0].dtype.compute(), |program| program.outputs()[0])
    }

    /// The inputs seen as `[outputs, elements]`, or the other way round; and the two sizes.
    pub fn arranged(&self, args: &Args<'_>, elements_first: bool) -> (Vec<Operand>, usize, usize) {
        let shape = args.inputs[0].layout.shape;
        let (mut order, reduced): (Vec<usize>, Vec<usize>) = (0..shape.rank()).partition(|&axis| !self.reduces(axis));
        let count = |axes: &[usize]| axes.iter().map(|&axis| shape[axis]).product::<usize>();
        let (outputs, elements) = (count(&order), count(&reduced));
        let at = if elements_first { 0 } else { order.len() };
        order.splice(at..at, reduced);
        let permuted = |x: &Operand| Operand { layout: x.layout.permute(&order), ..*x };
        (args.inputs[..self.own()].iter().map(permuted).collect(), outputs, elements)
    }

    /// `fn finish`: the epilogue and the stores of output `i`.
    fn finish(&self, args: &Args<'_>, kind: &str, words: &mut Words) -> String {
        let own = self.own();
        let offsets: Vec<usize> = (0..args.outputs.len()).map(|o| words.var(args.output_offset(o))).collect();
        let write = |o: usize, value: &str| {
            store(args.outputs[o].dtype, &format!("out{o}"), &format!("{} + i", word(offsets[o])), value)
        };
        let body = match &self.epilogue {
            None => write(0, "result"),
            Some(program) => {
                let (find, extra) = reads(&args.inputs[own..], own, "in", "i", words);
                let loads: Vec<String> = std::iter::once("result".to_string()).chain(extra).collect();
                let first = args.scalars - program.params();
                find + &program.wgsl(&loads, &params(args, first, program.params(), words), write)
            }
        };
        format!("fn finish(i: u32, result: {kind}) {{\n{body}\n}}")
    }
}

/// The WGSL type of a register.
fn register(ty: Ty) -> &'static str {
    match ty {
        Ty::F32 => "f32",
        Ty::I32 => "i32",
        Ty::U32 => "u32",
        Ty::Bool => "bool",
    }
}

/// A constant of a register type from its bits.
fn literal(ty: Ty, bits: u32) -> String {
    match ty {
        Ty::F32 => format!("tw_bits({bits}u)"),
        Ty::I32 => format!("bitcast<i32>({bits}u)"),
        Ty::U32 => format!("{bits}u"),
        Ty::Bool => format!("{}", bits != 0),
    }
}

impl Kernel for Reduce {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        reduce_cpu::build(self, args)
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let dtype = self.joined(args);
        let ty = Ty::of(dtype);
        let kind = register(ty);
        let (views, outputs, elements) = self.arranged(args, false);
        let joined =
            self.join.program(dtype).wgsl(&["a".into(), "b".into()], &[], |_, value| format!("return {value};"));
        let identity = literal(ty, self.join.identity(ty));
        let combine = format!(
            "alias Sum = {kind};\nfn identity() -> Sum {{ return {identity}; }}\nfn combine(a: Sum, b: Sum) -> Sum {{\n{joined}\n}}"
        );
        // Rows go to a workgroup each when they are long. They are cut into parts first where they are few, or so long that a
        // thread would add more than 128 elements one after the other.
        let by_rows = elements >= 128;
        let cut = by_rows && (outputs < 256 || elements > 32_768);
        let parts = if cut { elements.div_ceil(16_384).min(4096) } else { 1 };
        let part = elements.div_ceil(parts);
        let load_text = |words: &mut Words| {
            let (find, loads) = reads(&views, 0, "in", "i", words);
            let body = match &self.prologue {
                None => format!("return {};", loads[0]),
                Some(program) => {
                    let own = args.scalars - self.epilogue.as_ref().map_or(0, |p| p.params());
                    let first = own - program.params();
                    program.wgsl(&loads, &params(args, first, program.params(), words), |_, value| {
                        format!("return {value};")
                    })
                }
            };
            format!("fn load(i: u32) -> Sum {{\n{find}{body}\n}}")
        };
        let buffers: Vec<Arg> = (0..args.inputs.len() + args.outputs.len())
            .map(|b| if b < args.inputs.len() { Arg::Read(b) } else { Arg::Write(b) })
            .collect();
        let cost = self.prologue.as_ref().map_or(1, |p| p.len()) + views.len();
        let work = (outputs * elements * cost) as u64;
        let mut words = Words::default();
        words.push(outputs);
        words.push(elements);
        if !by_rows {
            let (load, finish) = (load_text(&mut words), self.finish(args, kind, &mut words));
            let declared = declarations(args, words.0.len());
            let regions =
                [("bindings", declared.as_str()), ("combine", &combine), ("load", &load), ("finish", &finish)];
            let source = assemble_for(args, "reduce_columns", &regions)?;
            let groups = groups_of(outputs, 64);
            return Ok(Launch { name: self.name, source, args: buffers, words: words.0, groups, work }.into());
        }
        words.push(parts);
        words.push(part);
        if parts == 1 {
            let (load, finish) = (load_text(&mut words), self.finish(args, kind, &mut words));
            let declared = declarations(args, words.0.len());
            let regions =
                [("bindings", declared.as_str()), ("combine", &combine), ("load", &load), ("finish", &finish)];
            let source = assemble_for(args, "reduce_rows", &regions)?;
            let groups = outputs as u64;
            return Ok(Launch { name: self.name, source, args: buffers, words: words.0, groups, work }.into());
        }
        let scratch = args.scratch(0);
        let load = load_text(&mut words);
        let inputs = args.inputs[..self.own()].iter().enumerate();
        let mut named: Vec<(String, &str, Access)> =
            inputs.map(|(i, x)| (format!("in{i}"), storage_type(x.dtype), Access::Read)).collect();
        named.push(("parts".into(), storage_type(dtype), Access::Write));
        let named: Vec<(&str, &str, Access)> = named.iter().map(|(n, t, a)| (n.as_str(), *t, *a)).collect();
        let finish = format!("fn finish(i: u32, result: {kind}) {{\n{}\n}}", store(dtype, "parts", "i", "result"));
        let declared = bindings(&named, words.0.len());
        let regions = [("bindings", declared.as_str()), ("combine", &combine), ("load", &load), ("finish", &finish)];
        let first = Launch {
            name: self.name,
            source: assemble_for(args, "reduce_rows", &regions)?,
            args: (0..self.own()).map(Arg::Read).chain([Arg::Write(scratch)]).collect(),
            words: words.0,
            groups: (outputs * parts) as u64,
            work,
        };
        // The second launch joins the parts of each output.
        let mut words = Words::default();
        for value in [outputs, parts, 1, parts] {
            words.push(Word::from(value));
        }
        let finish = self.finish(args, kind, &mut words);
        let load = format!("fn load(i: u32) -> Sum {{ return {}; }}", load_part(dtype));
        let extra = args.inputs.iter().enumerate().skip(self.own());
        let mut named: Vec<(String, &str, Access)> =
            extra.map(|(i, x)| (format!("in{i}"), storage_type(x.dtype), Access::Read)).collect();
        named.extend(
            args.outputs
                .iter()
                .enumerate()
                .map(|(o, y)| (format!("out{o}"), written_type(y.dtype, args.caps), Access::Write)),
        );
        named.push(("parts".into(), storage_type(dtype), Access::Read));
        let named: Vec<(&str, &str, Access)> = named.iter().map(|(n, t, a)| (n.as_str(), *t, *a)).collect();
        let declared = bindings(&named, words.0.len());
        let regions = [("bindings", declared.as_str()), ("combine", &combine), ("load", &load), ("finish", &finish)];
        let second = Launch {
            name: self.name,
            source: assemble_for(args, "reduce_rows", &regions)?,
            args: buffers[self.own()..].iter().copied().chain([Arg::Read(scratch)]).collect(),
            words: words.0,
            groups: outputs as u64,
            work: (outputs * parts) as u64,
        };
        Ok(Launches { launches: vec![first, second], scratch: vec![outputs * parts] })
    }

    fn role(&self) -> Role<'_> {
        Role::Other
    }

    fn fuse(&self, fusion: &Fusion) -> Option<Arc<dyn Kernel>> {
        match fusion {
            Fusion::Prologue(program) => Some(Arc::new(Reduce { prologue: Some(program.clone()), ..self.clone() })),
            Fusion::Epilogue(program) => Some(Arc::new(Reduce { epilogue: Some(program.clone()), ..self.clone() })),
            Fusion::Program(_) => None,
        }
    }
}

fn load_part(dtype: DType) -> String {
    load(dtype, "parts", "i")
}

impl Rule for Reduce {
    fn rule_name(&self) -> &'static str {
        self.name
    }

    fn saves(&self, _: u32) -> Saves {
        match self.join {
            Join::Sum => Saves::NONE,
            Join::Prod => Saves { inputs: 1, output: false },
            Join::Max | Join::Min => Saves { inputs: 1, output: true },
        }
    }

    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        if self.join == Join::Prod {
            return self.product_grad(call, dy);
        }
        let shape = call.meta(0).shape;
        // The output's shape with the reduced axes as 1, so that it stretches over the input.
        let mut kept = shape;
        for axis in (0..shape.rank()).filter(|&axis| self.reduces(axis)) {
            kept = kept.with(axis, 1);
        }
        let dy = dy.reshape(kept).expand(shape);
        let dx = match self.join {
            Join::Sum | Join::Prod => dy,
            Join::Max | Join::Min => {
                // Ties share the gradient evenly, as in PyTorch's amax.
                let hit = call.input(0)?.eq(&call.output()?.reshape(kept)).to_dtype(DType::F32);
                let axes: Vec<isize> =
                    (0..shape.rank()).filter(|&axis| self.reduces(axis)).map(|axis| axis as isize).collect();
                let ties = hit.sum_axes(&axes).reshape(kept);
                &dy * &(&hit / &ties)
            }
        };
        Ok(smallvec![Some(dx)])
    }
}

impl Reduce {
    /// `dx_i = dy·Π_{j≠i} x_j`, without a division, so that zeros are factors like others: halves of the rows are multiplied
    /// until one element is left, and on the way back each half is multiplied by the other.
    fn product_grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        let x = call.input(0)?;
        let shape = x.shape();
        if shape.numel() == 0 {
            return Ok(smallvec![Some(x.zeros_like())]);
        }
        let (mut order, reduced): (Vec<usize>, Vec<usize>) = (0..shape.rank()).partition(|&axis| !self.reduces(axis));
        order.extend(reduced);
        let forth: Vec<isize> = order.iter().map(|&axis| axis as isize).collect();
        let mut back = vec![0; order.len()];
        for (to, &from) in order.iter().enumerate() {
            back[from] = to as isize;
        }
        let permuted = x.permute(&forth);
        let outputs = dy.numel();
        let mut rows = permuted.reshape([outputs, shape.numel() / outputs]);
        let mut halves = Vec::new();
        while rows.shape()[1] > 1 {
            let len = rows.shape()[1];
            let half = len.div_ceil(2);
            let (left, right) = (rows.slice(1, ..half), rows.slice(1, half..).pad(&[(0, 0), (0, 2 * half - len)], 1.0));
            rows = &left * &right;
            halves.push((left, right, len));
        }
        let mut dx = dy.reshape([outputs, 1]);
        for (left, right, len) in halves.iter().rev() {
            dx = Tensor::cat(&[&(&dx * right), &(&dx * left)], 1).slice(1, ..*len);
        }
        Ok(smallvec![Some(dx.reshape(permuted.shape()).permute(&back))])
    }
}

impl Op for Reduce {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        let x = inputs[0];
        let empty = (0..x.shape.rank()).any(|axis| self.reduces(axis) && x.shape[axis] == 0);
        if empty && matches!(self.join, Join::Max | Join::Min) && x.dtype != DType::Bool {
            let message = format!("nothing to choose from: given shape {}; check for empty tensors first", x.shape);
            return Err(Error::shape(self.name, message));
        }
        let kept: Vec<usize> = (0..x.shape.rank()).filter(|&a| !self.reduces(a)).map(|a| x.shape[a]).collect();
        Ok(Meta { shape: Shape::of(&kept), dtype: x.dtype })
    }

    fn accepts(&self) -> Accepts {
        Accepts::Any
    }
}

impl Tensor {
    /// Joins the elements along `axes` (all when empty and `every`), which then are gone from the shape.
    #[track_caller]
    fn reduce(&self, name: &'static str, join: Join, axes: &[isize]) -> Tensor {
        let Some(value) = self.ok() else { return self.clone() };
        let shape = value.layout.shape;
        let mask = axes.iter().try_fold(0u8, |mask, &axis| Ok::<u8, Error>(mask | 1 << shape.axis(name, axis)?));
        match mask {
            Ok(0) => self.clone(),
            Ok(mask) => record(Reduce::new(name, join, mask), &[self], &[]),
            Err(error) => Tensor::failed(error.located(Location::caller()), &value.device),
        }
    }

    fn every_axis(&self) -> Vec<isize> {
        (0..self.rank() as isize).collect()
    }

    /// Bools are counted: they are summed as integers.
    fn countable(&self) -> Tensor {
        if self.dtype() == DType::Bool { self.to_dtype(DType::I32) } else { self.clone() }
    }

    /// The sum of all elements: shape `[]`. Bools count as `i32`, integers wrap; of no elements it is 0.
    #[track_caller]
    pub fn sum(&self) -> Tensor {
        self.sum_axes(&self.every_axis())
    }

    /// Sums along `axes`, which go from the shape; [`Tensor::unsqueeze`] puts a dimension of 1 back where one is needed to
    /// broadcast (`keepdim` elsewhere): `&x / &x.sum_axes(&[1]).unsqueeze(1)`.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0], [2, 2], &Device::cpu());
    /// assert_eq!(x.sum_axes(&[0]).to_vec::<f32>()?, [4.0, 6.0]);
    /// assert_eq!(x.sum_axes(&[-1]).to_vec::<f32>()?, [3.0, 7.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn sum_axes(&self, axes: &[isize]) -> Tensor {
        self.countable().reduce("sum", Join::Sum, axes)
    }

    /// The mean of all elements: shape `[]`.
    #[track_caller]
    pub fn mean(&self) -> Tensor {
        self.mean_axes(&self.every_axis())
    }

    /// Means along `axes`, which go from the shape: of integers and bools as `f32`. Of no elements it is NaN.
    #[track_caller]
    pub fn mean_axes(&self, axes: &[isize]) -> Tensor {
        // A sum of 16-bit floats can be larger than their largest, when its mean is not.
        let x = self.to_dtype(DType::F32);
        let sum = x.reduce("mean", Join::Sum, axes);
        let count = x.numel() as f64 / sum.numel().max(1) as f64;
        let mean = if count == 0.0 { &sum * f32::NAN } else { &sum * (1.0 / count) as f32 };
        if self.dtype().is_float() { mean.to_dtype(self.dtype()) } else { mean }
    }

    /// The product of all elements: shape `[]`. Of no elements it is 1.
    #[track_caller]
    pub fn prod(&self) -> Tensor {
        self.prod_axes(&self.every_axis())
    }

    /// Products along `axes`, which go from the shape.
    #[track_caller]
    pub fn prod_axes(&self, axes: &[isize]) -> Tensor {
        self.countable().reduce("prod", Join::Prod, axes)
    }

    /// The largest element: shape `[]`. NaN if there is one.
    #[track_caller]
    pub fn max(&self) -> Tensor {
        self.max_axes(&self.every_axis())
    }

    /// The largest elements along `axes`, which go from the shape. NaN where there is one; ties share the gradient.
    ///
    /// Errors: nothing to choose from, an axis of 0 elements (bools aside).
    #[track_caller]
    pub fn max_axes(&self, axes: &[isize]) -> Tensor {
        self.reduce("max", Join::Max, axes)
    }

    /// The smallest element: shape `[]`. NaN if there is one.
    #[track_caller]
    pub fn min(&self) -> Tensor {
        self.min_axes(&self.every_axis())
    }

    /// The smallest elements along `axes`, as [`Tensor::max_axes`] does.
    #[track_caller]
    pub fn min_axes(&self, axes: &[isize]) -> Tensor {
        self.reduce("min", Join::Min, axes)
    }

    /// Whether any element is not zero: a bool of shape `[]`.
    #[track_caller]
    pub fn any(&self) -> Tensor {
        self.any_axes(&self.every_axis())
    }

    /// Whether any element along `axes` is not zero.
    #[track_caller]
    pub fn any_axes(&self, axes: &[isize]) -> Tensor {
        self.to_dtype(DType::Bool).reduce("any", Join::Max, axes)
    }

    /// Whether no element is zero: a bool of shape `[]`.
    #[track_caller]
    pub fn all(&self) -> Tensor {
        self.all_axes(&self.every_axis())
    }

    /// Whether no element along `axes` is zero.
    #[track_caller]
    pub fn all_axes(&self, axes: &[isize]) -> Tensor {
        self.to_dtype(DType::Bool).reduce("all", Join::Min, axes)
    }
}
