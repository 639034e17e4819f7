//! `matmul`: matrix products over leading batch dimensions, operands of any strides, so that a transposed one costs no copy. A
//! map after it (bias, activation) is its epilogue.

use crate::device::cpu::gemm::{Mat, matmul};
use crate::device::cpu::parallel::for_chunks_of_all;
use crate::device::cpu::{Block, Cpu};
use crate::device::launch::{Arg, Launch};
use crate::device::shader::{coordinates, place, word};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::expr::Program;
use crate::ops::blocks::{Blocks, Work};
use crate::ops::wgsl::{Words, assemble_for, declarations, load, params, reads, store, written_type};
use crate::ops::{Accepts, Op};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Operand, Role};
use crate::shape::{Layout, Shape};
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record;
use smallvec::smallvec;
use std::panic::Location;
use std::sync::Arc;

/// Values of a result that its epilogue takes at a time.
const CHUNK: usize = 16 * 1024;
/// Outputs of one workgroup, along each side (`TILE` of the shader).
const TILE: usize = 64;

/// `[…, M, K] · […, K, N]`, equal batch dimensions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct MatMul {
    epilogue: Option<Arc<Program>>,
    /// How the storage of each operand lies: its gradient is computed to lie the same way.
    lies: [Lies; 2],
}

/// How a matrix lies in its storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Lies {
    ByRows,
    /// It is the transposed view of a matrix that lies by rows.
    ByColumns,
}

impl Lies {
    fn of(x: &Tensor) -> Lies {
        let columns = x.ok().is_some_and(|value| match value.layout.strides() {
            [.., row, column] => row.unsigned_abs() < column.unsigned_abs(),
            _ => false,
        });
        if columns { Lies::ByColumns } else { Lies::ByRows }
    }

    /// `a·b`, computed as `(bᵀ·aᵀ)ᵀ` where the result is to lie by columns.
    fn product(self, a: &Tensor, b: &Tensor) -> Tensor {
        match self {
            Lies::ByRows => product(a, b),
            Lies::ByColumns => product(&b.t(), &a.t()).t(),
        }
    }
}

/// The sizes of a product.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    batches: usize,
    m: usize,
    n: usize,
    k: usize,
}

impl Sizes {
    fn of(args: &Args<'_>) -> Sizes {
        let (a, b) = (&args.inputs[0].layout.shape, &args.inputs[1].layout.shape);
        let rank = a.rank();
        Sizes { batches: a[..rank - 2].iter().product(), m: a[rank - 2], k: a[rank - 1], n: b[rank - 1] }
    }
}

/// Where each batch's matrix begins, relative to the operand's offset.
fn batch_layout(layout: &Layout) -> Layout {
    let rank = layout.shape.rank() - 2;
    Layout::new(Shape::of(&layout.shape[..rank]), &layout.strides()[..rank], 0)
}

/// An operand on the CPU.
struct Factor {
    /// Of its matrices in `f32`.
    layout: Layout,
    /// Where each batch's matrix begins, relative to the offset.
    starts: Vec<isize>,
    /// What widens an operand of 16-bit floats, and how many elements that gives.
    widen: Option<(Blocks, usize)>,
}

impl Factor {
    fn new(x: &Operand) -> Result<Factor> {
        let (mut layout, mut widen) = (x.layout, None);
        if x.dtype.size() == 2 {
            // A batch that is read many times is widened once.
            let repeated = |axis: &usize| x.layout.strides()[*axis] == 0 && x.layout.shape[*axis] > 1;
            let once =
                (0..layout.shape.rank()).filter(repeated).fold(x.layout, |once, axis| once.narrow(axis, 0, 1, 1));
            let program = Program::build("widen", &[x.dtype], 0, |_, x, _| vec![x[0]]);
            widen = Some((Blocks::new(&program, &[Operand { layout: once, ..*x }]), once.numel()));
            layout = Layout::contiguous(once.shape).expand("matmul", &layout.shape)?;
        }
        // Relative to the offset, so below zero for flipped batches.
        let shifted = batch_layout(&layout).at(1 << 40);
        Ok(Factor { layout, starts: shifted.places().map(|place| place as isize - (1 << 40)).collect(), widen })
    }

    fn widened(&self, input: (&[u32], usize), cpu: &Cpu) -> Result<Option<Block>> {
        let Some((blocks, words)) = &self.widen else { return Ok(None) };
        let mut wide = cpu.alloc(*words)?;
        blocks.run_all(cpu, &[input], &[], &mut [wide.words_mut()]);
        Ok(Some(wide))
    }
}

fn matrix<'a>((words, offset): (&'a [u32], usize), layout: &Layout, batch_start: isize) -> Mat<'a> {
    let (shape, strides) = (&layout.shape, layout.strides());
    let rank = shape.rank();
    Mat {
        values: bytemuck::cast_slice(words),
        offset: offset.wrapping_add_signed(batch_start),
        rows: shape[rank - 2],
        cols: shape[rank - 1],
        row_stride: strides[rank - 2],
        col_stride: strides[rank - 1],
    }
}

impl Kernel for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel> {
        let sizes = Sizes::of(args);
        let [a, b] = [Factor::new(&args.inputs[0])?, Factor::new(&args.inputs[1])?];
        let epilogue = self.epilogue.as_ref().map(|program| Blocks::new(program, &args.inputs[2..]));
        let size = sizes.m * sizes.n;
        let product = move |inputs: &[(&[u32], usize)], out: &mut [u32], cpu: &Cpu| -> Result<()> {
            let (wide_a, wide_b) = (a.widened(inputs[0], cpu)?, b.widened(inputs[1], cpu)?);
            let a_words = wide_a.as_ref().map_or(inputs[0], |wide| (wide.words(), 0));
            let b_words = wide_b.as_ref().map_or(inputs[1], |wide| (wide.words(), 0));
            let out: &mut [f32] = bytemuck::cast_slice_mut(out);
            for ((out, &a_start), &b_start) in out.chunks_exact_mut(size).zip(&a.starts).zip(&b.starts) {
                let (a, b) = (matrix(a_words, &a.layout, a_start), matrix(b_words, &b.layout, b_start));
                matmul(out, a, b, cpu.threads())?;
            }
            Ok(())
        };
        Ok(Box::new(move |call| {
            let Some(epilogue) = &epilogue else { return product(call.inputs, call.outputs[0], call.cpu) };
            // The product goes where the last output will be, and is replaced there block by block.
            let Some(last) = call.outputs.last_mut() else { return Ok(()) };
            product(call.inputs, last, call.cpu)?;
            let (inputs, scalars) = (call.inputs, call.scalars);
            let parts = epilogue.cut(call.outputs, CHUNK);
            for_chunks_of_all(call.cpu.threads(), parts, 4 * CHUNK as u64, |index, outs| {
                Work::with(|work| epilogue.replace(&inputs[2..], scalars, index * CHUNK, outs, work));
            });
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let sizes = Sizes::of(args);
        let (a, b) = (args.inputs[0].layout, args.inputs[1].layout);
        let rank = a.shape.rank();
        let mut words = Words::default();
        for value in [sizes.m, sizes.n, sizes.k, sizes.batches] {
            words.push(value);
        }
        for layout in [&a, &b] {
            words.push(layout.strides()[rank - 2]);
            words.push(layout.strides()[rank - 1]);
        }
        let mut batch = String::new();
        for (name, input, layout) in [("a_start", 0, &a), ("b_start", 1, &b)] {
            let layout = batch_layout(layout).collapse();
            let offset = words.var(args.input_offset(input));
            let dims: Vec<usize> = layout.shape.iter().map(|&d| words.position(d)).collect();
            let strides: Vec<usize> = layout.strides().iter().map(|&s| words.position(s)).collect();
            let find = coordinates("i", "b", &dims) + &place("at", "i", Some(offset), &strides);
            batch += &format!("fn {name}(b: u32) -> u32 {{\n{find}\nreturn at;\n}}\n");
        }
        let along_k = |stride_k: isize, stride_other: isize| stride_k.unsigned_abs() <= stride_other.unsigned_abs();
        let order = format!(
            "const A_ALONG_K = {};\nconst B_ALONG_K = {};",
            along_k(a.strides()[rank - 1], a.strides()[rank - 2]),
            along_k(b.strides()[rank - 2], b.strides()[rank - 1])
        );
        let read = [("a_at", "in0", args.inputs[0].dtype), ("b_at", "in1", args.inputs[1].dtype)]
            .map(|(name, buffer, dtype)| {
                format!("fn {name}(at: u32) -> f32 {{ return {}; }}\n", load(dtype, buffer, "at"))
            })
            .concat();
        let [left, right] = [0, 1].map(|i| match written_type(args.inputs[i].dtype, args.caps) {
            "f16" => "f16",
            _ => "f32",
        });
        let tiles_in = format!("alias Left = {left};\nalias Right = {right};");
        let offsets: Vec<usize> = (0..args.outputs.len()).map(|o| words.var(args.output_offset(o))).collect();
        let write = |o: usize, value: &str| {
            store(args.outputs[o].dtype, &format!("out{o}"), &format!("{} + i", word(offsets[o])), value)
        };
        let body = match &self.epilogue {
            None => write(0, "result"),
            Some(program) => {
                let (find, extra) = reads(&args.inputs[2..], 2, "in", "i", &mut words);
                let loads: Vec<String> = std::iter::once("result".to_string()).chain(extra).collect();
                find + &program.wgsl(&loads, &params(args, 0, args.scalars, &mut words), write)
            }
        };
        let finish = format!("fn finish(i: u32, result: f32) {{\n{body}\n}}");
        let declared = declarations(args, words.0.len());
        let regions = [
            ("bindings", declared.as_str()),
            ("batch", &batch),
            ("read", &read),
            ("finish", &finish),
            ("order", &order),
            ("tiles", &tiles_in),
        ];
        let buffers = args.inputs.len() + args.outputs.len();
        let bound = (0..buffers).map(|b| if b < args.inputs.len() { Arg::Read(b) } else { Arg::Write(b) });
        let tiles = sizes.m.div_ceil(TILE) * sizes.n.div_ceil(TILE) * sizes.batches;
        Ok(Launch {
            name: "matmul",
            source: assemble_for(args, "matmul", &regions)?,
            args: bound.collect(),
            words: words.0,
            groups: tiles as u64,
            work: 2 * (sizes.batches * sizes.m * sizes.n) as u64 * sizes.k as u64,
        }
        .into())
    }

    fn role(&self) -> Role<'_> {
        Role::Other
    }

    fn fuse(&self, fusion: &Fusion) -> Option<Arc<dyn Kernel>> {
        match fusion {
            // The CPU writes the product where the last output goes, so that has to have its type. It is not asked for f16.
            Fusion::Epilogue(program) if matches!(program.outputs().last(), Some(DType::F32 | DType::F16)) => {
                Some(Arc::new(MatMul { epilogue: Some(program.clone()), ..self.clone() }))
            }
            _ => None,
        }
    }
}

impl Rule for MatMul {
    fn rule_name(&self) -> &'static str {
        "matmul"
    }

    fn saves(&self, wants: u32) -> Saves {
        // Each gradient is a product with the other operand.
        Saves { inputs: (wants & 1) << 1 | (wants >> 1 & 1), output: false }
    }

    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        let [a, b] = self.lies;
        let da = if call.wants(0) { Some(a.product(dy, &call.input(1)?.t())) } else { None };
        let db = if call.wants(1) { Some(b.product(&call.input(0)?.t(), dy)) } else { None };
        Ok(smallvec![da, db])
    }
}

impl Op for MatMul {
    fn infer(&self, inputs: &[Meta]) -> Result<Meta> {
        let (a, b) = (inputs[0], inputs[1]);
        let rank = a.shape.rank();
        if a.shape[rank - 1] != b.shape[rank - 2] {
            return Err(inner_differ(&a.shape, &b.shape));
        }
        Ok(Meta { shape: Shape::new(&a.shape.with(rank - 1, b.shape[rank - 1]))?, dtype: DType::F32 })
    }

    fn accepts(&self) -> Accepts {
        Accepts::Stored
    }
}

fn inner_differ(left: &Shape, right: &Shape) -> Error {
    Error::shape("matmul", format!("inner dimensions differ: left {left}, right {right}; transpose one?"))
}

/// The recorded product of operands of equal rank and batch dimensions. 16-bit ones are read as they are stored; their product,
/// summed in `f32`, is rounded to their common type.
#[track_caller]
fn product(a: &Tensor, b: &Tensor) -> Tensor {
    let y = record(MatMul { epilogue: None, lies: [Lies::of(a), Lies::of(b)] }, &[a, b], &[]);
    y.to_dtype(a.dtype().promote(b.dtype()))
}

impl Tensor {
    /// Matrix product. Shapes: `[…, M, K] · […, K, N] → […, M, N]`, batch dimensions broadcast; a vector `[K]` on the left is a
    /// row, on the right a column, and its dimension is gone from the result. Transposed operands are not copied. Integers and
    /// bools are multiplied as `f32`.
    ///
    /// Errors: inner dimensions differ; a scalar operand; batch dimensions that do not broadcast.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let a = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0], [2, 2], &Device::cpu());
    /// let v = Tensor::from_vec(vec![1.0, 1.0], [2], &Device::cpu());
    /// assert_eq!(a.matmul(&v).to_vec::<f32>()?, [3.0, 7.0]);
    /// assert_eq!(v.matmul(&a.t()).to_vec::<f32>()?, [3.0, 7.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn matmul(&self, other: &Tensor) -> Tensor {
        let (Some(a), Some(b)) = (self.ok(), other.ok()) else {
            return if self.ok().is_none() { self.clone() } else { other.clone() };
        };
        let (left, right) = (a.layout.shape, b.layout.shape);
        if left.rank() == 2 && right.rank() == 2 {
            return product(&floats(self), &floats(other));
        }
        let shapes = || -> Result<(Shape, Shape)> {
            if left.rank() == 0 || right.rank() == 0 {
                let message =
                    format!("needs vectors or matrices: left {left}, right {right}; multiply by a scalar with *");
                return Err(Error::shape("matmul", message));
            }
            let (rows, columns) = (left.rank() == 1, right.rank() == 1);
            let inner = (left[left.rank() - 1], right[right.rank() - if columns { 1 } else { 2 }]);
            if inner.0 != inner.1 {
                return Err(inner_differ(&left, &right));
            }
            let (batch_a, batch_b) = (&left[..left.rank().saturating_sub(2)], &right[..right.rank().saturating_sub(2)]);
            let batch = Shape::broadcast("matmul", &Shape::of(batch_a), &Shape::of(batch_b))?;
            let whole = |m: usize, n: usize| Shape::new(&[&batch[..], &[m, n]].concat());
            Ok((
                whole(if rows { 1 } else { left[left.rank() - 2] }, inner.0)?,
                whole(inner.1, if columns { 1 } else { right[right.rank() - 1] })?,
            ))
        };
        match shapes() {
            Ok((full_a, full_b)) => {
                let a = if left.rank() == 1 { self.unsqueeze(0) } else { self.clone() };
                let b = if right.rank() == 1 { other.unsqueeze(1) } else { other.clone() };
                let mut y = product(&floats(&a).expand(full_a), &floats(&b).expand(full_b));
                if right.rank() == 1 {
                    y = y.squeeze(-1);
                }
                if left.rank() == 1 {
                    y = y.squeeze(if right.rank() == 1 { -1 } else { -2 });
                }
                y
            }
            Err(error) => Tensor::failed(error.located(Location::caller()), &a.device),
        }
    }
}

/// Products are computed in floats.
fn floats(x: &Tensor) -> Tensor {
    if x.dtype().is_float() { x.clone() } else { x.to_dtype(DType::F32) }
}
