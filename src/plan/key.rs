//! What makes two batches the same plan: kernels, wiring, shapes and strides, and which results are wanted. Offsets into
//! earlier results and run-time scalars are not part of it, so that the next training step finds its plan.

use crate::plan::batch::{Call, Input};
use crate::plan::kernel::{Kernel, Meta, Operand};
use crate::plan::slot::Slot;
use crate::shape::Layout;
use rustc_hash::{FxHashMap, FxHasher};
use smallvec::SmallVec;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// One call of a batch in the terms of its plan.
#[derive(Debug)]
pub(crate) struct CallKey {
    pub kernel: Arc<dyn Kernel>,
    /// Value read and how. Values `0..calls` are the calls' outputs, the rest come from outside.
    pub inputs: SmallVec<[(u32, Operand); 3]>,
    pub meta: Meta,
    /// Somebody outside the batch holds the output.
    pub live: bool,
    pub scalars: usize,
}

/// The structure of a batch, and where its values come from. Read off the calls as they lie: the plan of a step that was run
/// before is found without a copy.
pub(crate) struct Structure<'a> {
    calls: &'a [Call],
    /// Of each input in turn: what it reads, in the numbers of [`CallKey`].
    values: Vec<u32>,
    /// Whether somebody outside the batch holds the output of each call.
    pub live: Vec<bool>,
    /// Slots from outside, one for each offset that it is read at.
    pub externals: Vec<&'a Arc<Slot>>,
    pub hash: u64,
}

impl<'a> Structure<'a> {
    pub fn of(calls: &'a [Call]) -> Structure<'a> {
        let mut uses = vec![0usize; calls.len()];
        let mut externals: Vec<&Arc<Slot>> = Vec::with_capacity(16);
        let mut numbers: FxHashMap<(*const Slot, usize), u32> = FxHashMap::default();
        let mut values = Vec::with_capacity(3 * calls.len());
        let mut hasher = FxHasher::default();
        for call in calls {
            call.kernel.hash_into(&mut hasher);
            for input in &call.inputs {
                let value = if input.slot.is_pending() {
                    if let Some(n) = uses.get_mut(input.slot.number() as usize) {
                        *n += 1;
                    }
                    input.slot.number()
                } else {
                    // A slot read at two offsets counts as two: an input's number then implies its offset.
                    *numbers.entry((Arc::as_ptr(&input.slot), input.layout.offset)).or_insert_with(|| {
                        externals.push(&input.slot);
                        (calls.len() + externals.len() - 1) as u32
                    })
                };
                let Layout { shape, offset, .. } = input.layout;
                let offset = if input.slot.is_pending() { offset } else { 0 };
                (value, shape, input.layout.strides(), offset).hash(&mut hasher);
                values.push(value);
            }
            (call.meta, call.scalars.len()).hash(&mut hasher);
        }
        let live = calls.iter().zip(uses).map(|(call, uses)| Arc::strong_count(&call.output) > 1 + uses);
        let live: Vec<bool> = live.collect();
        live.hash(&mut hasher);
        Structure { calls, values, live, externals, hash: hasher.finish() }
    }

    /// Whether a plan of these calls is the plan of this batch.
    pub fn is(&self, keys: &[CallKey]) -> bool {
        let mut values = self.values.iter();
        let same = |((key, call), &live): ((&CallKey, &Call), &bool)| {
            let same_kernel = || {
                std::ptr::addr_eq(Arc::as_ptr(&key.kernel), Arc::as_ptr(&call.kernel))
                    || key.kernel.equals(&*call.kernel)
            };
            key.live == live
                && key.scalars == call.scalars.len()
                && key.meta == call.meta
                && key.inputs.len() == call.inputs.len()
                && key.inputs.iter().zip(&call.inputs).all(|((value, operand), input)| {
                    let offset = if input.slot.is_pending() { input.layout.offset } else { 0 };
                    values.next() == Some(value)
                        && operand.layout.offset == offset
                        && operand.dtype == input.slot.dtype
                        && operand.layout.shape == input.layout.shape
                        && operand.layout.strides() == input.layout.strides()
                })
                && same_kernel()
        };
        keys.len() == self.calls.len() && keys.iter().zip(self.calls).zip(&self.live).all(same)
    }

    /// The calls in the terms of their plan.
    pub fn keys(&self) -> Vec<CallKey> {
        let mut values = self.values.iter();
        let key = |(call, &live): (&Call, &bool)| {
            let operand = |input: &Input| Operand {
                dtype: input.slot.dtype,
                layout: if input.slot.is_pending() { input.layout } else { input.layout.at(0) },
            };
            let inputs =
                call.inputs.iter().zip(values.by_ref()).map(|(input, &value)| (value, operand(input))).collect();
            let scalars = call.scalars.len();
            CallKey { kernel: call.kernel.clone(), inputs, meta: call.meta, live, scalars }
        };
        self.calls.iter().zip(&self.live).map(key).collect()
    }
}

/// The words that a view of `layout` needs of its storage.
pub(crate) fn is_whole(layout: &Layout, meta: &Meta) -> bool {
    layout.offset == 0 && layout.is_contiguous() && layout.numel() == meta.shape.numel()
}
