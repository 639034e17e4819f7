//! Many tensors as one: an optimizer updates a single flat tensor. After the first step the parameters are neighbouring views
//! of one storage, so that flattening them again costs nothing.

use crate::shape::{Layout, Shape};
use crate::tensor::{Tensor, Value};
use std::sync::Arc;

/// All elements in one dimension: a view when the tensors lie one after the other in one storage, else a concatenation (which
/// the planner lets producers write directly).
pub(crate) fn flatten(tensors: &[Tensor]) -> Tensor {
    adjacent(tensors).unwrap_or_else(|| {
        let flat: Vec<Tensor> = tensors.iter().map(Tensor::flatten).collect();
        Tensor::cat(&flat.iter().collect::<Vec<_>>(), 0)
    })
}

fn adjacent(tensors: &[Tensor]) -> Option<Tensor> {
    let first = tensors.first()?.ok()?;
    let mut next = first.layout.offset;
    for tensor in tensors {
        let value = tensor.ok()?;
        let follows =
            Arc::ptr_eq(&value.slot, &first.slot) && value.layout.is_contiguous() && value.layout.offset == next;
        if !follows {
            return None;
        }
        next += value.layout.numel();
    }
    let layout = Layout::contiguous(Shape::new(&[next - first.layout.offset]).ok()?).at(first.layout.offset);
    Some(Tensor::new(Value { layout, node: None, ..first.clone() }))
}

/// Views of `flat` in the shapes of `like`, one after the other. Without a history: nothing is recorded for them. What does not
/// lie as a concatenation would, such as a rule's `zeros_like`, is cut by recorded views, which check it.
pub(crate) fn unflatten(flat: &Tensor, like: &[Tensor]) -> Vec<Tensor> {
    let total: usize = like.iter().map(Tensor::numel).sum();
    let Some(value) = flat.ok().filter(|v| v.layout.is_contiguous() && v.layout.numel() == total) else {
        let mut start = 0;
        let part = |tensor: &Tensor| {
            start += tensor.numel();
            flat.slice(0, start - tensor.numel()..start).reshape(tensor.shape())
        };
        return like.iter().map(part).collect();
    };
    let mut start = value.layout.offset;
    let view = |tensor: &Tensor| {
        let layout = Layout::contiguous(tensor.shape()).at(start);
        start += layout.numel();
        Tensor::new(Value { layout, node: None, ..value.clone() })
    };
    like.iter().map(view).collect()
}
