//! Reverse-mode differentiation over tracked tensors. Gradients are tensors; a gradient of a gradient works.

#[cfg(feature = "verify")]
mod curvature;
mod custom;
mod gradcheck;
#[cfg(feature = "verify")]
mod verify;

pub use custom::CustomOp;
pub use gradcheck::{GradCheck, gradcheck};
#[cfg(feature = "verify")]
pub use verify::{Report, doctor, verify};

use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tensor::node::Node;
use crate::tensor::record::no_grad;
use crate::tensor::{Tensor, Value};
use rustc_hash::FxHashMap;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Gradients of one `backward`, by leaf.
///
/// Adding two of them accumulates: `grads.add(&more)`.
#[derive(Debug, Clone, Default)]
pub struct Gradients {
    by_leaf: FxHashMap<u64, Tensor>,
}

impl Gradients {
    /// The gradient for `leaf`, in its shape.
    ///
    /// # Errors
    /// When `leaf` is not a leaf ([`Tensor::tracked`]), or the result does not depend on it.
    pub fn get(&self, leaf: &Tensor) -> Result<Tensor> {
        let found = leaf.value()?.node.as_ref().and_then(|node| self.by_leaf.get(&node.id));
        found.cloned().ok_or_else(|| {
            let message = "no gradient for this tensor: it is no tracked leaf, or the result does not depend on it";
            Error::argument("get", message)
        })
    }

    /// The gradient for a leaf's node.
    pub(crate) fn of_node(&self, id: u64) -> Option<&Tensor> {
        self.by_leaf.get(&id)
    }

    /// Adds the gradients of another pass: gradient accumulation over several small batches.
    pub fn add(&mut self, other: &Gradients) {
        for (&id, more) in &other.by_leaf {
            let sum = self.by_leaf.get(&id).map_or_else(|| more.clone(), |have| have + more);
            self.by_leaf.insert(id, sum);
        }
    }

    /// Multiplies all gradients by `factor`.
    pub fn scale(&mut self, factor: f32) {
        for grad in self.by_leaf.values_mut() {
            *grad = grad.mul_scalar(factor);
        }
    }

    /// Limits every element to `-limit..=limit`.
    pub fn clip_value(&mut self, limit: f32) {
        for grad in self.by_leaf.values_mut() {
            *grad = grad.clamp(-limit, limit);
        }
    }

    /// Scales all gradients together so that their common Euclidean norm is at most `max_norm`; returns the norm before.
    /// Nothing is read back.
    ///
    /// Source: Pascanu, Mikolov & Bengio 2013, algorithm 1; with PyTorch's `1e-6` in the denominator.
    pub fn clip_norm(&mut self, max_norm: f32) -> Option<Tensor> {
        let ordered = self.ordered();
        let squares = ordered.iter().map(|(_, grad)| grad.mul(grad).sum());
        let norm = squares.reduce(|a, b| &a + &b)?.sqrt();
        let factor = (max_norm / &(&norm + 1e-6)).clamp(0.0, 1.0);
        for (id, grad) in ordered {
            self.by_leaf.insert(id, grad.mul(&factor));
        }
        Some(norm)
    }

    /// The number of leaves.
    pub fn len(&self) -> usize {
        self.by_leaf.len()
    }

    /// Whether no leaf was reached.
    pub fn is_empty(&self) -> bool {
        self.by_leaf.is_empty()
    }

    /// By age of the leaf: the order never depends on hashing.
    fn ordered(&self) -> Vec<(u64, Tensor)> {
        let mut all: Vec<_> = self.by_leaf.iter().map(|(&id, grad)| (id, grad.clone())).collect();
        all.sort_unstable_by_key(|&(id, _)| id);
        all
    }
}

/// What happens to the graph that a pass walks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Graph {
    /// Its saved values are freed as they are used, and the gradients have no history.
    Release,
    /// It stays, and the gradients have a history: they can be differentiated again.
    Keep,
}

impl Tensor {
    /// Gradients of this tensor (one element) by every tracked leaf that it depends on. The graph is released: what it saved
    /// for the purpose is freed, and a second `backward` through it fails. Nothing is read back.
    ///
    /// # Errors
    /// The error that this tensor carries; more than one element; no tracked leaf; a graph already released.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let w = Tensor::from_vec(vec![1.0, 2.0], [2], &Device::cpu()).tracked();
    /// let grads = (&w * &w).sum().backward()?;
    /// assert_eq!(grads.get(&w)?.to_vec::<f32>()?, [2.0, 4.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    pub fn backward(&self) -> Result<Gradients> {
        no_grad(|| backward(self, Graph::Release))
    }

    /// Gradients of this tensor (one element) by each of `leaves` (any tracked tensors of the graph that are leaves). The graph
    /// stays, and the gradients can be differentiated again.
    ///
    /// # Errors
    /// As [`Tensor::backward`]; a leaf that this tensor does not depend on.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![2.0], [1], &Device::cpu()).tracked();
    /// let y = (&x * &x * &x).sum();
    /// let [dx] = &y.grad(&[&x])?[..] else { unreachable!() };
    /// let ddx = dx.sum().grad(&[&x])?;
    /// assert_eq!((dx.item::<f32>()?, ddx[0].item::<f32>()?), (12.0, 12.0));
    /// # Ok::<(), tilework::Error>(())
    /// ```
    pub fn grad(&self, leaves: &[&Tensor]) -> Result<Vec<Tensor>> {
        let grads = backward(self, Graph::Keep)?;
        leaves.iter().map(|leaf| grads.get(leaf)).collect()
    }
}

fn backward(result: &Tensor, graph: Graph) -> Result<Gradients> {
    let Value { layout, node, .. } = result.value()?;
    if layout.numel() != 1 {
        let message = format!("needs one element: given shape {}; reduce first, as with mean()", layout.shape);
        return Err(Error::shape("backward", message));
    }
    let Some(root) = node else {
        let message = "the result has no history: make a leaf with tracked() first, outside no_grad";
        return Err(Error::argument("backward", message));
    };
    let mut partials: FxHashMap<u64, Tensor> = FxHashMap::default();
    partials.insert(root.id, result.ones_like().detach());
    let mut grads = Gradients::default();
    // Numbers grow with time, so the largest waiting node has received all its partials.
    let mut waiting = BinaryHeap::from([Waiting(root.clone())]);
    while let Some(Waiting(node)) = waiting.pop() {
        let Some(dy) = partials.remove(&node.id) else { continue };
        if node.is_leaf {
            grads.by_leaf.insert(node.id, dy);
            continue;
        }
        let recorded = if graph == Graph::Release { node.release() } else { node.keep() };
        let Some(recorded) = recorded else {
            let message = "the graph was released by an earlier backward; use grad() to walk it twice";
            return Err(Error::argument("backward", message));
        };
        let found = recorded.rule.grad(&recorded.call(&node), &dy)?;
        for (input, partial) in recorded.inputs.iter().zip(found) {
            let (Some(next), Some(partial)) = (&input.node, partial) else { continue };
            let partial = partial.sum_to(&input.meta.shape).to_dtype(input.meta.dtype);
            partial.check()?;
            match partials.entry(next.id) {
                std::collections::hash_map::Entry::Occupied(mut have) => {
                    let sum = have.get() + &partial;
                    *have.get_mut() = sum;
                }
                std::collections::hash_map::Entry::Vacant(new) => {
                    new.insert(partial);
                    waiting.push(Waiting(next.clone()));
                }
            }
        }
    }
    Ok(grads)
}

/// A node by age, youngest first.
struct Waiting(Arc<Node>);

impl PartialEq for Waiting {
    fn eq(&self, other: &Waiting) -> bool {
        self.0.id == other.0.id
    }
}
impl Eq for Waiting {}
impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Waiting) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiting {
    fn cmp(&self, other: &Waiting) -> std::cmp::Ordering {
        self.0.id.cmp(&other.0.id)
    }
}

impl Tensor {
    /// Sums down to `shape`, which broadcasts to this tensor's.
    fn sum_to(&self, shape: &Shape) -> Tensor {
        let own = self.shape();
        if own == *shape {
            return self.clone();
        }
        let lead = own.rank() - shape.rank();
        let stretched = |axis: usize| axis < lead || (shape[axis - lead] == 1 && own[axis] != 1);
        let axes: Vec<isize> = (0..own.rank()).filter(|&axis| stretched(axis)).map(|axis| axis as isize).collect();
        if axes.is_empty() { self.reshape(shape) } else { self.sum_axes(&axes).reshape(shape) }
    }
}
