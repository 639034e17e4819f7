//! What a GPU is asked to run: plain data, built and checked without one.
//!
//! An operation describes its launches in its own terms: buffers `0..inputs`, then its outputs, then its scratch. The plan
//! renumbers them into its own table with [`Launch::renumber`]; the device knows only that table.

use std::sync::Arc;

/// One dispatch.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The operation, for traces and labels.
    pub name: &'static str,
    /// Complete WGSL: one entry point `main`. The pipeline is cached by this text.
    pub source: Arc<str>,
    /// Buffers, bound in this order from binding 1 of group 0 on.
    pub args: Vec<Arg>,
    /// Parameter words: binding 0, a uniform `array<vec4<u32>, ceil(words/4)>` (none: binding 0 is absent).
    pub words: Vec<Word>,
    /// Workgroups in all. The device folds them over the dimensions of its grid; a shader finds its own number with
    /// `group_index` of `lib/index.wgsl` and leaves when it is past the end. 0 launches nothing.
    pub groups: u64,
    /// Estimated cost: arithmetic operations plus words read and written, of the whole launch. The device cuts a long run into
    /// several submits by it, so that no watchdog fires and no host window freezes. A factor of two off does no harm.
    pub work: u64,
}

/// A buffer of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    /// Bound read-only.
    Read(usize),
    /// Bound for reading and writing.
    Write(usize),
}

impl Arg {
    /// The buffer's number in the table.
    pub fn buffer(self) -> usize {
        match self {
            Arg::Read(buffer) | Arg::Write(buffer) => buffer,
        }
    }
}

/// A parameter word: known when the plan is built, or given with each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The same in every run of the plan.
    Const(u32),
    /// Entry of the run's variables: for an operation, the offset (in elements) of its buffer `n` when `n` is an input or
    /// output, else run-time scalar `n - inputs - outputs`.
    Var(usize),
}

impl From<u32> for Word {
    fn from(word: u32) -> Word {
        Word::Const(word)
    }
}

impl From<usize> for Word {
    fn from(word: usize) -> Word {
        Word::Const(word as u32) // sizes and strides of tensors fit: `Shape::new` holds numel within u32
    }
}

impl From<isize> for Word {
    fn from(word: isize) -> Word {
        Word::Const(word as i32 as u32) // a negative stride, added in two's complement by the shader
    }
}

impl From<f32> for Word {
    fn from(word: f32) -> Word {
        Word::Const(word.to_bits())
    }
}

impl Launch {
    /// The same launch with its buffers and variables looked up in a larger table.
    pub fn renumber(mut self, buffer: impl Fn(usize) -> usize, var: impl Fn(usize) -> usize) -> Launch {
        for arg in &mut self.args {
            *arg = match *arg {
                Arg::Read(b) => Arg::Read(buffer(b)),
                Arg::Write(b) => Arg::Write(buffer(b)),
            };
        }
        for word in &mut self.words {
            if let Word::Var(v) = word {
                *v = var(*v);
            }
        }
        self
    }
}
