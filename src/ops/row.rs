//! Rows: an element-wise operation is its formula. From a row come the tensor method, the CPU loop, the WGSL, the gradient, the
//! f64 reference, its samples in the table tests, and its documentation.

use crate::dtype::DType;
use crate::expr::{Builder, E, Program};
use crate::ops::map::Map;
use crate::tensor::Tensor;
use crate::tensor::record::record_shared;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::panic::Location;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A formula of values and run-time scalars.
pub(crate) type Formula = for<'b> fn(&'b Builder, &[E<'b>], &[E<'b>]) -> E<'b>;
/// A gradient written by hand: inputs, output, derivative of the output.
pub(crate) type Slope = for<'b> fn(&'b Builder, &[E<'b>], E<'b>, E<'b>) -> E<'b>;
type Types = SmallVec<[DType; 3]>;

/// An element-wise operation.
#[derive(Debug)]
#[cfg_attr(not(feature = "verify"), allow(dead_code, reason = "names of inputs and domain are for samples"))]
pub(crate) struct Row {
    /// As the method is spelled.
    pub name: &'static str,
    /// Names of the inputs, as in the formula.
    pub inputs: &'static [&'static str],
    /// Names of the run-time scalars.
    pub scalars: &'static [&'static str],
    /// Where its samples are drawn from, and where its gradient is checked.
    pub domain: (f64, f64),
    pub formula: Formula,
    /// Gradients given because the derived ones would be NaN or wasteful, by input.
    pub slopes: &'static [(usize, Slope)],
    pub cache: Cache,
}

/// What a row is recorded as, by element types; floats are found without a lock.
#[derive(Debug)]
pub(crate) struct Cache {
    floats: OnceLock<Arc<Map>>,
    others: Mutex<Option<FxHashMap<Types, Arc<Map>>>>,
}

impl Cache {
    pub const fn new() -> Cache {
        Cache { floats: OnceLock::new(), others: Mutex::new(None) }
    }
}

impl Row {
    /// The operation for inputs of these types.
    fn map(&self, types: &[DType]) -> Arc<Map> {
        if types.iter().all(|&t| t == DType::F32) {
            return self.cache.floats.get_or_init(|| self.build(types)).clone();
        }
        let mut others = self.cache.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.get_or_insert_default().entry(types.into()).or_insert_with(|| self.build(types)).clone()
    }

    /// The program for inputs of these types.
    #[cfg(feature = "verify")]
    pub fn program(&self, types: &[DType]) -> Arc<Program> {
        self.map(types).program.clone()
    }

    fn build(&self, types: &[DType]) -> Arc<Map> {
        let formula = self.formula;
        let program = Program::build(self.name, types, self.scalars.len(), |b, x, p| vec![formula(b, x, p)]);
        let float = program.outputs() == [DType::F32];
        let slopes = self.slopes.iter().filter(|_| float);
        let program = slopes.fold(program, |program, &(wrt, slope)| program.with_gradient(wrt, slope));
        Arc::new(Map::new(self.name, program))
    }

    /// Applies the row.
    #[track_caller]
    pub fn call(&self, inputs: &[&Tensor], scalars: &[f32]) -> Tensor {
        if let Some(failed) = inputs.iter().find(|x| x.ok().is_none()) {
            return (*failed).clone();
        }
        let half = inputs.iter().any(|x| x.dtype().size() == 2);
        let types: Types = inputs.iter().map(|x| if half { x.dtype().compute() } else { x.dtype() }).collect();
        let bits: SmallVec<[u32; 4]> = scalars.iter().map(|s| s.to_bits()).collect();
        record_shared(self.map(&types), inputs, &bits)
    }
}

/// Declares rows and the methods of [`Tensor`] that apply them, and lists the rows.
///
/// `name(x, y; scalar) on low..high = formula;` and, where wanted, `d 0(x, y, dy) = slope` after a comma: the gradient for
/// input 0 in terms of that input, the result and the result's derivative.
macro_rules! rows {
    ($list:ident; $(
        $(#[$doc:meta])*
        $name:ident($first:ident $(, $rest:ident)* $(; $($scalar:ident),+)?) on $low:literal .. $high:literal
        = $formula:expr $(, d $wrt:literal($input:ident, $output:ident, $dy:ident) = $slope:expr)*;
    )*) => {
        #[allow(non_upper_case_globals, reason = "a row is called as its method is")]
        mod rows {
            #[allow(unused_imports, reason = "formulas of some files name types")]
            use $crate::expr::Ty;
            use $crate::ops::row::{Cache, Row};
            $(
                #[allow(unused_variables, unused_mut, reason = "not every formula uses the builder and scalars")]
                pub(super) static $name: Row = Row {
                    name: stringify!($name),
                    inputs: &[stringify!($first) $(, stringify!($rest))*],
                    scalars: &[$($(stringify!($scalar)),+)?],
                    domain: ($low, $high),
                    formula: |b, inputs, scalars| {
                        let mut inputs = inputs.iter().copied();
                        let $first = inputs.next().unwrap_or_else(|| b.constant(f32::NAN));
                        $(let $rest = inputs.next().unwrap_or_else(|| b.constant(f32::NAN));)*
                        let mut scalars = scalars.iter().copied();
                        $($(let $scalar = scalars.next().unwrap_or_else(|| b.constant(f32::NAN));)+)?
                        $formula
                    },
                    slopes: &[$(($wrt, |b, inputs, $output, $dy| {
                        let $input = inputs.first().copied().unwrap_or_else(|| b.constant(f32::NAN));
                        $slope
                    })),*],
                    cache: Cache::new(),
                };
            )*
        }
        /// The rows of this file.
        #[cfg(feature = "verify")]
        pub(crate) static $list: &[&$crate::ops::row::Row] = &[$(&rows::$name),*];
        impl $crate::tensor::Tensor {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name(&self $(, $rest: &$crate::tensor::Tensor)* $($(, $scalar: f32)+)?) -> $crate::tensor::Tensor {
                    rows::$name.call(&[self $(, $rest)*], &[$($($scalar),+)?])
                }
            )*
        }
    };
}
pub(crate) use rows;

/// A failed tensor with the caller's line.
#[track_caller]
pub(crate) fn failed(error: crate::error::Error, like: &Tensor) -> Tensor {
    Tensor::failed(error.located(Location::caller()), like.device())
}
