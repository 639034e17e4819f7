//! The tensor: a view of a slot on a device, or the error of the operation that should have made it.

mod create;
mod display;
mod exchange;

pub(crate) mod node;
mod operators;
mod read;
pub(crate) mod record;
pub(crate) mod trace;
mod traced;
mod view;

use crate::device::Device;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::plan::batch::Input;
use crate::plan::kernel::Meta;
use crate::plan::slot::Slot;
use crate::shape::{Layout, Shape};
pub use traced::Traced;

use node::Node;
use std::fmt;
use std::sync::Arc;

/// An n-dimensional array on a device. Cheap to clone; immutable; `Send + Sync`.
///
/// Operations check shapes at once and return at once; the work is queued, planned and run when someone needs a value. A failed
/// operation returns a tensor that carries the error with the caller's line; every later operation hands it on, and whatever
/// needs values ([`Tensor::to_vec`], [`Tensor::item`], [`Tensor::backward`]) returns it. The first error wins; a failed tensor
/// has shape `[0]`.
///
/// ```
/// use tilework::{Device, Tensor};
/// let device = Device::cpu();
/// let x = Tensor::from_vec(vec![1.0, -2.0, 3.0, -4.0], [2, 2], &device);
/// let w = Tensor::eye(2, &device);
/// let b = Tensor::full([2], 0.5, &device);
/// let y = (&x.matmul(&w) + &b).relu();
/// assert_eq!(y.to_vec::<f32>()?, [1.5, 0.0, 3.5, 0.0]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "operations do nothing but return a new tensor"]
pub struct Tensor(Arc<Repr>);

enum Repr {
    Value(Value),
    Failed { error: Box<Error>, device: Device },
}

/// What a tensor that did not fail consists of.
#[derive(Clone)]
pub(crate) struct Value {
    pub device: Device,
    pub slot: Arc<Slot>,
    pub layout: Layout,
    /// How it was computed, when a gradient may be asked for.
    pub node: Option<Arc<Node>>,
}

impl Value {
    pub fn dtype(&self) -> DType {
        self.slot.dtype
    }

    pub fn meta(&self) -> Meta {
        Meta { shape: self.layout.shape, dtype: self.slot.dtype }
    }

    pub fn input(&self) -> Input {
        Input { slot: self.slot.clone(), layout: self.layout }
    }
}

impl Tensor {
    pub(crate) fn new(value: Value) -> Tensor {
        Tensor(Arc::new(Repr::Value(value)))
    }

    /// A tensor that carries `error` to whoever asks for values.
    pub(crate) fn failed(error: Error, device: &Device) -> Tensor {
        Tensor(Arc::new(Repr::Failed { error: Box::new(error), device: device.clone() }))
    }

    /// What it is, or the error it carries.
    pub(crate) fn value(&self) -> Result<&Value> {
        match &*self.0 {
            Repr::Value(value) => Ok(value),
            Repr::Failed { error, .. } => Err((**error).clone()),
        }
    }

    pub(crate) fn ok(&self) -> Option<&Value> {
        match &*self.0 {
            Repr::Value(value) => Some(value),
            Repr::Failed { .. } => None,
        }
    }

    /// Asks early for the error that this tensor carries; computes nothing.
    ///
    /// # Errors
    /// The first error among the operations that led here.
    pub fn check(&self) -> Result<&Tensor> {
        self.value().map(|_| self)
    }

    /// Its dimensions; `[0]` for a failed tensor.
    pub fn shape(&self) -> Shape {
        self.ok().map_or(Shape::of(&[0]), |value| value.layout.shape)
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.shape().rank()
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.shape().numel()
    }

    /// Its element type; `F32` for a failed tensor.
    pub fn dtype(&self) -> DType {
        self.ok().map_or(DType::F32, Value::dtype)
    }

    /// Where it lives.
    pub fn device(&self) -> &Device {
        match &*self.0 {
            Repr::Value(value) => &value.device,
            Repr::Failed { device, .. } => device,
        }
    }

    /// Whether a gradient can flow back through it.
    pub fn is_tracked(&self) -> bool {
        self.ok().is_some_and(|value| value.node.is_some())
    }

    /// Whether its elements lie in row-major order without gaps.
    pub fn is_contiguous(&self) -> bool {
        self.ok().is_none_or(|value| value.layout.is_contiguous())
    }
}

impl fmt::Debug for Tensor {
    /// Shape, type and device; never reads values back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Repr::Value(value) => {
                write!(f, "Tensor({}{}, {:?}", value.dtype(), value.layout.shape, value.device)?;
                f.write_str(if value.node.is_some() { ", tracked)" } else { ")" })
            }
            Repr::Failed { error, .. } => write!(f, "Tensor(failed: {error})"),
        }
    }
}
