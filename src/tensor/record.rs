//! The one way in for every operation: checks, a new slot, a call on the device's batch, and a node for autograd.

use crate::device::Device;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::ops::{Accepts, Op};
use crate::plan::batch::{Call, Input, push};
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
    record_shared(Arc::new(op), inputs, scalars)
}

/// [`record`] of an operation that many calls share.
#[track_caller]
pub(crate) fn record_shared(op: Arc<impl Op>, inputs: &[&Tensor], scalars: &[u32]) -> Tensor {
    match inputs.first() {
        Some(x) => recorded(x.device(), op, inputs, scalars),
        None => recorded(&Device::cpu(), op, inputs, scalars),
    }
}

/// Records `op` on `device`, where its inputs must be.
#[track_caller]
pub(crate) fn record_on(device: &Device, op: impl Op, inputs: &[&Tensor], scalars: &[u32]) -> Tensor {
    recorded(device, Arc::new(op), inputs, scalars)
}

#[track_caller]
fn recorded<O: Op>(device: &Device, op: Arc<O>, inputs: &[&Tensor], scalars: &[u32]) -> Tensor {
    if let Some(failed) = inputs.iter().find(|x| x.ok().is_none()) {
        return (*failed).clone();
    }
    let line = Location::caller();
    if let Some(half) = half_result(inputs).filter(|_| op.accepts() != Accepts::Stored) {
        let wide: SmallVec<[Tensor; 3]> = inputs.iter().map(|x| widened(x)).collect();
        let wide: SmallVec<[&Tensor; 3]> = wide.iter().collect();
        let y = try_record(device, op, &wide, scalars).unwrap_or_else(|e| Tensor::failed(e.located(line), device));
        return if y.dtype() == DType::F32 { y.to_dtype(half) } else { y };
    }
    try_record(device, op, inputs, scalars).unwrap_or_else(|e| Tensor::failed(e.located(line), device))
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
    let mut metas: SmallVec<[Meta; 3]> = SmallVec::new();
    for x in inputs {
        if x.device() != device {
            return Err(Error::argument(
                Kernel::name(&*op),
                format!("tensors on different devices: {device} and {}; move one with to_device", x.device()),
            ));
        }
        metas.push(x.value()?.meta());
    }
    let meta = op.infer(&metas)?;
    let rule = is_remembered(inputs, meta.dtype).then(|| op.clone());
    let value = compute(device, op, inputs, meta, scalars)?;
    Ok(match rule {
        Some(rule) => attach(value, rule, inputs, scalars),
        None => Tensor::new(value),
    })
}

/// Runs `op` without autograd: pushes the call, or fills the result at once when it is empty.
fn compute<O: Op>(device: &Device, op: Arc<O>, inputs: &[&Tensor], meta: Meta, scalars: &[u32]) -> Result<Value> {
    let layout = Layout::contiguous(meta.shape);
    if meta.shape.numel() == 0 {
        let slot = Slot::filled(meta.dtype, 0, device.upload(&[])?);
        return Ok(Value { device: device.clone(), slot: Arc::new(slot), layout, node: None });
    }
    let accepts = op.accepts();
    let mut views: SmallVec<[Input; 2]> = SmallVec::new();
    for x in inputs {
        match accepts {
            Accepts::RowMajor => views.push(x.contiguous().value()?.input()),
            Accepts::Any | Accepts::Broadcast | Accepts::Stored => views.push(x.value()?.input()),
        }
        if let Some(view) = views.last_mut()
            && accepts == Accepts::Broadcast
            && view.layout.shape != meta.shape
        {
            view.layout = view.layout.expand(Kernel::name(&*op), &meta.shape)?;
        }
    }
    let slot = Arc::new(Slot::empty(meta.dtype, meta.shape.numel()));
    push(device, Call { kernel: op, inputs: views, output: slot.clone(), meta, scalars: scalars.into() })?;
    Ok(Value { device: device.clone(), slot, layout, node: None })
}

/// Whether autograd keeps a call on these inputs, with a result of this type.
fn is_remembered(inputs: &[&Tensor], dtype: DType) -> bool {
    dtype.is_float() && is_grad_enabled() && inputs.iter().any(|x| x.is_tracked())
}

/// `value`, computed from `inputs`, with a node that a gradient can flow back through by `rule`.
fn attach<R: Rule>(value: Value, rule: Arc<R>, inputs: &[&Tensor], scalars: &[u32]) -> Tensor {
    let wants = inputs.iter().enumerate().filter(|(_, x)| x.is_tracked()).map(|(i, _)| 1u32 << i.min(31));
    let saves = rule.saves(wants.fold(0, |all, bit| all | bit));
    let edge = |(i, x): (usize, &&Tensor)| {
        x.ok().map(|from| Edge {
            meta: from.meta(),
            node: from.node.clone(),
            value: (saves.inputs >> i.min(31) & 1 == 1).then(|| (*x).clone()),
        })
    };
    let output = saves.output.then(|| Tensor::new(Value { node: None, ..value.clone() }));
    let recorded = Recorded {
        rule,
        inputs: inputs.iter().enumerate().filter_map(edge).collect(),
        output,
        scalars: scalars.into(),
    };
    Tensor::new(Value { node: Some(Node::operation(recorded)), ..value })
}

/// Another view of the same storage, recorded for autograd only: nothing runs.
pub(crate) fn record_view(rule: impl Rule, x: &Tensor, layout: Layout) -> Tensor {
    let Some(value) = x.ok() else { return x.clone() };
    let view = Value { device: value.device.clone(), slot: value.slot.clone(), layout, node: None };
    remember(view, rule, &[x])
}

/// The result `y` (computed without tracking) as the output of `rule` on `inputs`.
pub(crate) fn record_rule(rule: impl Rule, inputs: &[&Tensor], y: Tensor) -> Tensor {
    match y.ok() {
        Some(value) if inputs.iter().all(|x| x.ok().is_some()) => {
            remember(Value { node: None, ..value.clone() }, rule, inputs)
        }
        _ => y,
    }
}

fn remember(value: Value, rule: impl Rule, inputs: &[&Tensor]) -> Tensor {
    match is_remembered(inputs, value.dtype()) {
        true => attach(value, Arc::new(rule), inputs, &[]),
        false => Tensor::new(value),
    }
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
    let _untracked = Untracked::begin();
    f()
}

/// As long as it lives, operations of this thread are not remembered.
pub(crate) struct Untracked(bool);

impl Untracked {
    pub fn begin() -> Untracked {
        Untracked(GRAD_ENABLED.replace(false))
    }
}

impl Drop for Untracked {
    fn drop(&mut self) {
        GRAD_ENABLED.set(self.0);
    }
}
