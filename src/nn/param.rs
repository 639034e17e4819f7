//! A parameter: a tensor that learns.

use crate::error::{Error, Result};
use crate::plan::kernel::Meta;
use crate::shape::Layout;
use crate::tensor::{Tensor, Value};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// A tensor that learns: a tracked leaf whose values an optimizer replaces. Clones are the same parameter.
///
/// ```
/// use tilework::{Device, Tensor, nn::Param};
/// let w = Param::new(&Tensor::ones([2], &Device::cpu()));
/// let grads = (&w.tensor() * 3.0).sum().backward()?;
/// assert_eq!(grads.get(&w.tensor())?.to_vec::<f32>()?, [3.0, 3.0]);
/// w.set(&Tensor::zeros([2], &Device::cpu()))?;
/// assert_eq!(w.tensor().to_vec::<f32>()?, [0.0, 0.0]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Clone)]
pub struct Param(Arc<RwLock<Tensor>>);

impl Param {
    /// A parameter that starts with the values of `start` (floats). A failed tensor stays failed: whatever is computed from
    /// the parameter carries the error.
    pub fn new(start: &Tensor) -> Param {
        Param(Arc::new(RwLock::new(start.tracked())))
    }

    /// Its values now: a tracked leaf, the same one to autograd through all updates.
    pub fn tensor(&self) -> Tensor {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces its values. Tensors computed from the old ones keep those.
    ///
    /// # Errors
    /// Another shape or element type; another device; the error that `values` carries.
    pub fn set(&self, values: &Tensor) -> Result<()> {
        let mut own = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let (old, new) = (own.value()?, values.value()?);
        if old.meta() != new.meta() {
            let say = |meta: Meta| format!("{} {}", meta.dtype, meta.shape);
            let message = format!(
                "the parameter is {}: given {}; give the same shape and type",
                say(old.meta()),
                say(new.meta())
            );
            return Err(Error::shape("set", message));
        }
        if old.device != new.device {
            let message =
                format!("the parameter is on {}: given a tensor on {}; move it with to_device", old.device, new.device);
            return Err(Error::argument("set", message));
        }
        let next = Tensor::new(Value { node: old.node.clone(), ..new.clone() });
        *own = next;
        Ok(())
    }

    /// Replaces its values by those of the flat tensor `all` from element `start` on: a view of them. Gives their number.
    pub(crate) fn set_part(&self, all: &Tensor, start: usize) -> Result<usize> {
        let mut own = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let (old, all) = (own.value()?, all.value()?);
        let layout = Layout::contiguous(old.layout.shape).at(all.layout.offset + start);
        let (device, slot, node) = (all.device.clone(), all.slot.clone(), old.node.clone());
        *own = Tensor::new(Value { device, slot, layout, node });
        Ok(layout.numel())
    }

    /// The parameter's identity to autograd.
    pub(crate) fn id(&self) -> Option<u64> {
        let own = self.0.read().unwrap_or_else(PoisonError::into_inner);
        own.ok().and_then(|value| value.node.as_ref()).map(|node| node.id)
    }
}

impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Param{}", self.tensor().shape())
    }
}
