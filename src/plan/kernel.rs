//! What the planner knows of an operation: how it runs on each kind of device, and what it can be fused with.

use crate::device::caps::Caps;
use crate::device::cpu::Cpu;
use crate::device::launch::Launch;
use crate::dtype::DType;
use crate::error::Result;
use crate::expr::Program;
use crate::shape::{Layout, Shape};
use std::any::Any;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Shape and element type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Meta {
    /// Dimensions.
    pub shape: Shape,
    /// Element type.
    pub dtype: DType,
}

/// An input as a kernel is built for it: strides are fixed, the offset comes with each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operand {
    /// Element type as stored.
    pub dtype: DType,
    /// Shape and strides; the offset in it means nothing.
    pub layout: Layout,
}

/// Everything that is fixed when a kernel is built.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    /// The inputs, in the operation's order; those of a fused epilogue follow the operation's own.
    pub inputs: &'a [Operand],
    /// The outputs: row-major, at an offset that comes with each run.
    pub outputs: &'a [Meta],
    /// The number of run-time scalars.
    pub scalars: usize,
    /// What the device can do.
    pub caps: &'a Caps,
}

impl Args<'_> {
    /// The variable that carries the offset of input `i` ([`crate::device::launch::Word::Var`]).
    pub fn input_offset(&self, i: usize) -> usize {
        i
    }

    /// The variable that carries the offset of output `o`; also the number of its buffer.
    pub fn output_offset(&self, o: usize) -> usize {
        self.inputs.len() + o
    }

    /// The variable that carries run-time scalar `s`.
    pub fn scalar(&self, s: usize) -> usize {
        self.inputs.len() + self.outputs.len() + s
    }

    /// The number of scratch buffer `s`.
    pub fn scratch(&self, s: usize) -> usize {
        self.inputs.len() + self.outputs.len() + s
    }
}

/// The launches of one kernel, with the scratch buffers that they pass to each other.
#[derive(Debug, Clone, Default)]
pub struct Launches {
    /// In order; each sees what the ones before wrote.
    pub launches: Vec<Launch>,
    /// Sizes of the scratch buffers, in 32-bit words.
    pub scratch: Vec<usize>,
}

impl From<Launch> for Launches {
    fn from(launch: Launch) -> Launches {
        Launches { launches: vec![launch], scratch: Vec::new() }
    }
}

/// One run of a CPU kernel.
pub struct CpuCall<'a, 'b> {
    /// Each input's whole storage and the offset (in elements) of its view in it.
    pub inputs: &'a [(&'b [u32], usize)],
    /// Each output's words, row-major, to be written whole.
    pub outputs: &'a mut [&'b mut [u32]],
    /// The run-time scalars.
    pub scalars: &'a [u32],
    /// Threads and memory.
    pub cpu: &'a Cpu,
}

/// A kernel built for the CPU: shapes and strides are inside it, buffers and scalars come with each call.
pub type CpuKernel = Box<dyn Fn(&mut CpuCall<'_, '_>) -> Result<()> + Send + Sync>;

/// What the planner may do with a kernel.
#[derive(Debug, Clone, Copy)]
pub enum Role<'a> {
    /// An element-wise program: joins other maps, and becomes prologue or epilogue of what allows it.
    Map(&'a Arc<Program>),
    /// Its inputs, flattened one after the other: producers may write in place.
    Concat,
    /// Anything else.
    Other,
}

/// A change that the planner asks a kernel for.
#[derive(Debug, Clone)]
pub enum Fusion {
    /// A map takes this program instead of its own.
    Program(Arc<Program>),
    /// Input `0` is computed by this program from the inputs that take its place.
    Prologue(Arc<Program>),
    /// This program is applied to the result before it is written: its input 0 is the result, its further inputs are
    /// appended to the kernel's, read at the element of the output; its outputs are the kernel's.
    Epilogue(Arc<Program>),
}

/// An operation as the planner and the devices see it. Equal kernels on equal shapes run the same code.
pub trait Kernel: KernelEq + Debug + Send + Sync + 'static {
    /// The operation, as its method is spelled.
    fn name(&self) -> &'static str;
    /// Builds the CPU kernel for fixed shapes.
    ///
    /// # Errors
    /// Only for a fault of this crate: arguments were checked when the call was recorded.
    fn cpu(&self, args: &Args<'_>) -> Result<CpuKernel>;
    /// Builds the GPU launches for fixed shapes.
    ///
    /// # Errors
    /// As [`Kernel::cpu`].
    fn gpu(&self, args: &Args<'_>) -> Result<Launches>;
    /// What the planner may do with it.
    fn role(&self) -> Role<'_>;
    /// The kernel that does both, or `None` when this one has no place for it.
    fn fuse(&self, fusion: &Fusion) -> Option<Arc<dyn Kernel>>;
}

/// Equality and hashing through `dyn Kernel`; comes by itself with `Eq + Hash`.
pub trait KernelEq {
    #[doc(hidden)]
    fn as_any(&self) -> &dyn Any;
    #[doc(hidden)]
    fn equals(&self, other: &dyn Kernel) -> bool;
    #[doc(hidden)]
    fn hash_into(&self, state: &mut dyn Hasher);
}

impl<T: Eq + Hash + Kernel> KernelEq for T {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn equals(&self, other: &dyn Kernel) -> bool {
        other.as_any().downcast_ref::<T>() == Some(self)
    }
    fn hash_into(&self, mut state: &mut dyn Hasher) {
        std::any::TypeId::of::<T>().hash(&mut state);
        self.hash(&mut state);
    }
}
