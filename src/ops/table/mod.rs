//! The table of operations: for each its samples with an f64 reference, what its results may differ by, and calls that must
//! fail. The tests, `tilework doctor` and the shader checks walk it, so that an operation is tested by being in it.
//!
//! An element-wise operation is in the table by being a row of `rows!`: its samples are drawn from its domain, its formula in
//! f64 is the reference. A structural operation writes its samples in the file here that is called as its own:
//!
//! ```text
//! pub(super) static ROWS: &[OpInfo] = &[OpInfo::new("cumsum", "numpy.cumsum", cumsum, cumsum_bad)];
//!
//! fn cumsum() -> Vec<Sample> {
//!     let sample = |shape: &[usize], axis: usize| {
//!         Sample::new(
//!             format!("{shape:?} axis {axis}"),
//!             vec![Data::uniform(shape, -1.0, 1.0, 1)],
//!             move |x| x[0].cumsum(axis as isize),
//!             move |x| { /* the same on ndarray's f64 */ },
//!         )
//!         .bound(Bound::within(1e-5, 1e-6, "at most 160 roundings of partial sums"))
//!         .gradient(&[0])
//!     };
//!     [(&[5][..], 0), (&[3, 257], 1)].map(|(shape, axis)| sample(shape, axis)).into()
//! }
//! ```

mod argmax;
mod bound;
mod cat;
mod create;
mod cross_entropy;
mod cumsum;
mod data;
mod diagonal;
mod gather;
mod histogram;
mod matmul;
mod norm;
mod pad;
mod random;
mod reduce;
mod row;
mod scatter;
mod slice;
mod softmax;
mod sort;
mod tree_ensemble;
mod variance;
mod view;

#[cfg(test)]
mod meaning;

pub use bound::Bound;
pub use data::{Data, Variant};

use crate::device::Device;
use crate::dtype::DType;
use crate::ops::row::Row;
use crate::tensor::Tensor;
use ndarray::ArrayD;
use std::fmt;

/// An operation's entry.
#[derive(Debug, Clone, Copy)]
pub struct OpInfo {
    /// As its method is spelled.
    pub name: &'static str,
    /// Where its meaning is taken from: the function of another library that it equals, a paper, or an equation.
    pub source: &'static str,
    made: Made,
}

/// Where samples and bad calls come from.
#[derive(Debug, Clone, Copy)]
enum Made {
    Written { samples: fn() -> Vec<Sample>, bad: fn() -> Vec<Bad> },
    Row(&'static Row),
}

/// What is computed from the inputs.
pub type Call = Box<dyn Fn(&[Tensor]) -> Tensor + Send + Sync>;
/// The same in f64.
pub type Reference = Box<dyn Fn(&[ArrayD<f64>]) -> ArrayD<f64> + Send + Sync>;

/// One use of an operation, and what is right for it.
pub struct Sample {
    /// What is special about it, in a word or two: shapes, axes.
    pub label: String,
    /// The inputs; there is at least one, and an operation without any finds its device in it.
    pub inputs: Vec<Data>,
    /// The operation on tensors.
    pub call: Call,
    /// The operation in f64. Its inputs are rounded to their element types; what it returns is exact.
    pub reference: Reference,
    /// How far results may be from the reference.
    pub bound: Bound,
    /// The element type of the result.
    pub dtype: DType,
    /// Inputs whose gradients are compared with central differences of the reference.
    pub gradient: Vec<usize>,
    /// Whether gradients of gradients are compared too, where it is small.
    pub twice: bool,
    /// How far gradients may be from the differences, relative to their size; see [`Sample::gradient_within`].
    pub slope: f64,
    /// How the inputs are laid out: each variant is one more run.
    pub variants: Vec<Variant>,
}

/// A call that must fail.
pub struct Bad {
    /// What is called.
    pub call: Box<dyn Fn(&Device) -> Tensor + Send + Sync>,
    /// How the text of its error begins.
    pub text: String,
}

/// All operations.
///
/// ```
/// let names: Vec<&str> = tilework::ops::table::ops().iter().map(|op| op.name).collect();
/// assert!(names.contains(&"cat"));
/// ```
pub fn ops() -> Vec<OpInfo> {
    let written = [
        argmax::ROWS,
        cat::ROWS,
        create::ROWS,
        cross_entropy::ROWS,
        cumsum::ROWS,
        diagonal::ROWS,
        gather::ROWS,
        histogram::ROWS,
        matmul::ROWS,
        norm::ROWS,
        pad::ROWS,
        random::ROWS,
        reduce::ROWS,
        scatter::ROWS,
        slice::ROWS,
        softmax::ROWS,
        sort::ROWS,
        tree_ensemble::ROWS,
        variance::ROWS,
        view::ROWS,
    ];
    row::all().map(OpInfo::of_row).chain(written.concat()).collect()
}

impl OpInfo {
    /// An operation with its samples and the calls that must fail.
    pub const fn new(
        name: &'static str,
        source: &'static str,
        samples: fn() -> Vec<Sample>,
        bad: fn() -> Vec<Bad>,
    ) -> OpInfo {
        OpInfo { name, source, made: Made::Written { samples, bad } }
    }

    fn of_row(row: &'static Row) -> OpInfo {
        OpInfo { name: row.name, source: "the formula at its method, in f64", made: Made::Row(row) }
    }

    /// Its samples: the same each time.
    pub fn samples(&self) -> Vec<Sample> {
        match self.made {
            Made::Written { samples, .. } => samples(),
            Made::Row(row) => row::samples(row),
        }
    }

    /// Calls of it that must fail.
    pub fn bad(&self) -> Vec<Bad> {
        match self.made {
            Made::Written { bad, .. } => bad(),
            Made::Row(row) => row::bad(row),
        }
    }
}

/// What gradients may differ by, relative to the largest of the input's, unless the sample says otherwise: the rounding of
/// some ten f32 operations, of functions that WGSL allows 20 ulp, and of the sum that the loss is.
const SLOPE: f64 = 1e-4;

impl Sample {
    /// A sample of an operation that is exact, without a gradient, of result type f32, in all layouts of its inputs.
    pub fn new(
        label: impl Into<String>,
        inputs: Vec<Data>,
        call: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static,
        reference: impl Fn(&[ArrayD<f64>]) -> ArrayD<f64> + Send + Sync + 'static,
    ) -> Sample {
        Sample {
            label: label.into(),
            inputs,
            call: Box::new(call),
            reference: Box::new(reference),
            bound: Bound::Exact,
            dtype: DType::F32,
            gradient: Vec::new(),
            twice: true,
            slope: SLOPE,
            variants: Variant::LAYOUTS.into(),
        }
    }

    /// Results may differ by this.
    pub fn bound(self, bound: Bound) -> Sample {
        Sample { bound, ..self }
    }

    /// Results are of this type.
    pub fn dtype(self, dtype: DType) -> Sample {
        Sample { dtype, ..self }
    }

    /// The gradients for these inputs are checked.
    pub fn gradient(self, inputs: &[usize]) -> Sample {
        Sample { gradient: inputs.into(), ..self }
    }

    /// The gradient jumps at the inputs, so that only the first is checked.
    pub fn once(self) -> Sample {
        Sample { twice: false, ..self }
    }

    /// A gradient `g` may be off by `slope·(|g| + the largest of the input's gradients)`; say why at the call.
    pub fn gradient_within(self, slope: f64) -> Sample {
        Sample { slope, ..self }
    }

    /// The inputs are laid out in these ways only.
    pub fn variants(self, variants: &[Variant]) -> Sample {
        Sample { variants: variants.into(), ..self }
    }

    /// The inputs are also stored as 16-bit floats: for operations that take any float.
    pub fn halves(mut self) -> Sample {
        self.variants.extend(Variant::HALVES);
        self
    }
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sample({}: {:?})", self.label, self.inputs)
    }
}

impl Bad {
    /// `call` must fail with an error whose text begins with `text`.
    pub fn new(text: impl Into<String>, call: impl Fn(&Device) -> Tensor + Send + Sync + 'static) -> Bad {
        Bad { call: Box::new(call), text: text.into() }
    }
}

impl fmt::Debug for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bad({})", self.text)
    }
}
