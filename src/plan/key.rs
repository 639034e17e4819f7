//! What makes two batches the same plan: kernels, wiring, shapes and strides, and which results are wanted. Offsets into
//! earlier results and run-time scalars are not part of it, so that the next training step finds its plan.

use crate::plan::batch::Call;
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

/// The structure of a batch, and where its values come from.
pub(crate) struct Structure<'a> {
    pub calls: Vec<CallKey>,
    /// Slots from outside, each with the offset that its readers share.
    pub externals: Vec<(&'a Arc<Slot>, usize)>,
    pub hash: u64,
}

impl<'a> Structure<'a> {
    pub fn of(calls: &'a [Call]) -> Structure<'a> {
        let mut uses = vec![0usize; calls.len()];
        let mut externals: Vec<(&Arc<Slot>, usize)> = Vec::new();
        let mut numbers: FxHashMap<(*const Slot, usize), u32> = FxHashMap::default();
        let mut keys: Vec<CallKey> = Vec::with_capacity(calls.len());
        for call in calls {
            let mut inputs = SmallVec::new();
            for input in &call.inputs {
                let mut layout = input.layout;
                let value = if input.slot.is_pending() {
                    if let Some(n) = uses.get_mut(input.slot.number() as usize) {
                        *n += 1;
                    }
                    input.slot.number()
                } else {
                    // A slot read at two offsets counts as two: an input's number then implies its offset.
                    layout.offset = 0;
                    *numbers.entry((Arc::as_ptr(&input.slot), input.layout.offset)).or_insert_with(|| {
                        externals.push((&input.slot, input.layout.offset));
                        (calls.len() + externals.len() - 1) as u32
                    })
                };
                inputs.push((value, Operand { dtype: input.slot.dtype, layout }));
            }
            keys.push(CallKey {
                kernel: call.kernel.clone(),
                inputs,
                meta: call.meta,
                live: false,
                scalars: call.scalars.len(),
            });
        }
        let mut hasher = FxHasher::default();
        for ((key, call), uses) in keys.iter_mut().zip(calls).zip(uses) {
            key.live = Arc::strong_count(&call.output) > 1 + uses;
            key.kernel.hash_into(&mut hasher);
            for (value, operand) in &key.inputs {
                (value, operand.layout).hash(&mut hasher);
            }
            (key.meta, key.live, key.scalars).hash(&mut hasher);
        }
        Structure { calls: keys, externals, hash: hasher.finish() }
    }
}

impl PartialEq for CallKey {
    fn eq(&self, other: &CallKey) -> bool {
        let same_kernel = || {
            std::ptr::addr_eq(Arc::as_ptr(&self.kernel), Arc::as_ptr(&other.kernel))
                || self.kernel.equals(&*other.kernel)
        };
        self.live == other.live
            && self.scalars == other.scalars
            && self.meta == other.meta
            && self.inputs == other.inputs
            && same_kernel()
    }
}

/// The words that a view of `layout` needs of its storage.
pub(crate) fn is_whole(layout: &Layout, meta: &Meta) -> bool {
    layout.offset == 0 && layout.is_contiguous() && layout.numel() == meta.shape.numel()
}
