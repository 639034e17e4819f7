//! The one way in for every operation: checks, a new slot, a call on the device's batch, and a node for autograd.

use crate::device::Device;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::ops::{Accepts, Op};
use crate::plan::batch::{Call, push};
use crate::plan::kernel::{Kernel, Meta};
use crate::plan::slot::Slot;
use crate::shape::Layout;
use crate::tensor::node::{Edge, Node, Recorded, Rule};
use crate::tensor::{Tensor, Value};
use smallvec::SmallVec;
use std::cell::Cell;
use std::panic::Location;
use std::sync::Arc;

/// Records `op` on the device of its inputs, of which there is at least one.
#[track_caller]
pub(crate) fn record(op: impl Op, inputs: &[&Tensor], scalars: &[u32]) -> Tensor {
    let device = inputs.first().map_or_else(Device::cpu, |x| x.device().clone());
    record_on(&device, op, inputs, scalars)
}

/// Records `op` on `device`, where its inputs must be.
#[track_caller]
pub(crate) fn record_on<O: Op>(device: &Device, op: O, inputs: &[&Tensor], scalars: &[u32]) -> Tensor {
    if let Some(failed) = inputs.iter().find(|x| x.ok().is_none()) {
        return (*failed).clone();
    }
    let line = Location::caller();
    if let Some(half) = half_result(inputs).filter(|_| op.accepts() != Accepts::Stored) {
        let wide: SmallVec<[Tensor; 3]> = inputs.iter().map(|x| widened(x)).collect();
        let wide: SmallVec<[&Tensor; 3]> = wide.iter().collect();
        let y = try_record(device, Arc::new(op), &wide, scalars)
            .unwrap_or_else(|e| Tensor::failed(e.located(line), device));
        return if y.dtype() == DType::F32 { y.to_dtype(half) } else { y };
    }
    try_record(device, Arc::new(op), inputs, scalars).unwrap_or_else(|e| Tensor::failed(e.located(line), device))
}

/// The 16-bit type that the result is rounded to: when an input has one and no other input is wider.
fn half_result(inputs: &[&Tensor]) -> Option<DType> {
    let floats = inputs.iter().map(|x| x.dtype()).filter(|d| d.is_float());
    let any_half = inputs.iter().any(|x| x.dtype().size() == 2);
    if !any_half { None } else { floats.reduce(DType::promote) }
}

fn widened(x: &Tensor) -> Tensor {
    if x.dtype().size() == 2 { x.to_dtype(DType::F32) } else { x.clone() }
}

fn try_record<O: Op>(device: &Device, op: Arc<O>, inputs: &[&Tensor], scalars: &[u32]) -> Result<Tensor> {
    let metas: SmallVec<[Meta; 3]> = inputs.iter().map(|x| x.value().map(Value::meta)).collect::<Result<_>>()?;
    for x in inputs {
        if x.device() != device {
            return Err(Error::argument(
                Kernel::name(&*op),
                format!("tensors on different devices: {device} and {}; move one with to_device", x.device()),
            ));
        }
    }
    let meta = op.infer(&metas)?;
    let node = graph_node(&op, inputs, &metas, meta.dtype, scalars);
    let value = compute(device, op, inputs, meta, scalars)?;
    Ok(attach(value, node))
}

/// Runs `op` without autograd: pushes the call, or fills the result at once when it is empty.
fn compute<O: Op>(device: &Device, op: Arc<O>, inputs: &[&Tensor], meta: Meta, scalars: &[u32]) -> Result<Value> {
    let layout = Layout::contiguous(meta.shape);
    if meta.shape.numel() == 0 {
        let slot = Slot::filled(meta.dtype, 0, device.upload(&[])?);
        return Ok(Value { device: device.clone(), slot: Arc::new(slot), layout, node: None });
    }
    let accepts = op.accepts();
    let mut views = SmallVec::new();
    for x in inputs {
        let mut view = match accepts {
            Accepts::RowMajor => x.contiguous().value()?.input(),
            Accepts::Any | Accepts::Broadcast | Accepts::Stored => x.value()?.input(),
        };
        if accepts == Accepts::Broadcast {
            view.layout = view.layout.expand(Kernel::name(&*op), &meta.shape)?;
        }
        views.push(view);
    }
    let slot = Arc::new(Slot::empty(meta.dtype, meta.shape.numel()));
    let call = Call { kernel: op, inputs: views, output: slot.clone(), meta, scalars: scalars.into() };
    push(device, call)?;
    Ok(Value { device: device.clone(), slot, layout, node: None })
}

/// Whether autograd keeps a call on these inputs, with a result of this type.
fn is_remembered(inputs: &[&Tensor], dtype: DType) -> bool {
    dtype.is_float() && is_grad_enabled() && inputs.iter().any(|x| x.is_tracked())
}

/// The node of a call whose result a gradient can flow through, and whether it reads the output.
fn graph_node<R: Rule>(
    rule: &Arc<R>,
    inputs: &[&Tensor],
    metas: &[Meta],
    dtype: DType,
    scalars: &[u32],
) -> Option<(Recorded, bool)> {
    is_remembered(inputs, dtype).then(|| {
        let wants = inputs.iter().enumerate().filter(|(_, x)| x.is_tracked()).map(|(i, _)| 1u32 << i.min(31));
        let saves = rule.saves(wants.fold(0, |all, bit| all | bit));
        let edge = |(i, (x, meta)): (usize, (&&Tensor, &Meta))| Edge {
            meta: *meta,
            node: x.ok().and_then(|value| value.node.clone()),
            value: (saves.inputs >> i.min(31) & 1 == 1).then(|| (*x).clone()),
        };
        let inputs = inputs.iter().zip(metas).enumerate().map(edge).collect();
        let recorded = Recorded { rule: rule.clone(), inputs, output: None, scalars: scalars.into() };
        (recorded, saves.output)
    })
}

fn attach(value: Value, node: Option<(Recorded, bool)>) -> Tensor {
    let Some((mut recorded, saves_output)) = node else { return Tensor::new(value) };
    if saves_output {
        recorded.output = Some(value.clone()); // without its node: a node does not own itself
    }
    Tensor::new(Value { node: Some(Node::operation(recorded)), ..value })
}

/// Another view of the same storage, recorded for autograd only: nothing runs.
pub(crate) fn record_view(rule: impl Rule, x: &Tensor, layout: Layout) -> Tensor {
    let Some(value) = x.ok() else { return x.clone() };
    let view = Value { layout, node: None, ..value.clone() };
    if !is_remembered(&[x], value.dtype()) {
        return Tensor::new(view);
    }
    attach(view, graph_node(&Arc::new(rule), &[x], &[value.meta()], value.dtype(), &[]))
}

/// The result `y` (computed without tracking) as the output of `rule` on `inputs`.
pub(crate) fn record_rule(rule: impl Rule, inputs: &[&Tensor], y: Tensor) -> Tensor {
    let Some(value) = y.ok() else { return y };
    let metas: Option<SmallVec<[Meta; 3]>> = inputs.iter().map(|x| x.ok().map(Value::meta)).collect();
    let Some(metas) = metas else { return y };
    let node = graph_node(&Arc::new(rule), inputs, &metas, value.dtype(), &[]);
    attach(Value { node: None, ..value.clone() }, node)
}

thread_local! {
    static GRAD_ENABLED: Cell<bool> = const { Cell::new(true) };
}

/// Whether operations of this thread are remembered for gradients: not inside [`no_grad`].
pub fn is_grad_enabled() -> bool {
    GRAD_ENABLED.get()
}

/// Runs `f` without remembering its operations: for evaluation, and for updates of parameters.
///
/// ```
/// use tilework::{Device, Tensor, no_grad};
/// let w = Tensor::ones([2], &Device::cpu()).tracked();
/// assert!((&w * 2.0).is_tracked());
/// assert!(!no_grad(|| &w * 2.0).is_tracked());
/// ```
pub fn no_grad<T>(f: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            GRAD_ENABLED.set(self.0);
        }
    }
    let _restore = Restore(GRAD_ENABLED.replace(false));
    f()
}
