//! What autograd remembers of an operation: its rule, where its inputs came from, and the values that the rule reads.

use crate::error::{Error, Result};
use crate::plan::kernel::Meta;
use crate::tensor::{Tensor, Value};
use smallvec::SmallVec;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// One partial gradient for each input; `None` where none flows (integers, indices).
pub type Partials = SmallVec<[Option<Tensor>; 3]>;

/// Which values a rule reads; autograd keeps no others alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saves {
    /// Bit `i`: the values of input `i`.
    pub inputs: u32,
    /// The values of the output.
    pub output: bool,
}

impl Saves {
    /// Nothing: the rule needs shapes only.
    pub const NONE: Saves = Saves { inputs: 0, output: false };
    /// The values of all inputs.
    pub const INPUTS: Saves = Saves { inputs: u32::MAX, output: false };
    /// The values of the output.
    pub const OUTPUT: Saves = Saves { inputs: 0, output: true };
}

/// The gradient rule of an operation.
pub trait Rule: Debug + Send + Sync + 'static {
    /// The operation, as its method is spelled.
    fn rule_name(&self) -> &'static str;
    /// Which values [`Rule::grad`] reads when the inputs with a bit in `wants` want a gradient.
    fn saves(&self, wants: u32) -> Saves;
    /// The partial gradients given that of the output, `dy` (the output's shape). Written in tensor operations, so that it has
    /// a gradient itself. A partial may have any shape that the input's broadcast to: the engine sums it down.
    ///
    /// # Errors
    /// When a value is asked for that [`Rule::saves`] did not name.
    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials>;
}

/// A recorded call as its gradient rule sees it.
pub struct GradCall<'a> {
    recorded: &'a Recorded,
    node: &'a Arc<Node>,
}

impl GradCall<'_> {
    /// The values of input `i`, which [`Rule::saves`] must name.
    ///
    /// # Errors
    /// When it does not.
    pub fn input(&self, i: usize) -> Result<&Tensor> {
        let saved = self.recorded.inputs.get(i).and_then(|input| input.value.as_ref());
        saved.ok_or_else(|| self.fault(format!("gradient reads input {i}, which it did not save")))
    }

    /// The values of the output, which [`Rule::saves`] must name.
    ///
    /// # Errors
    /// When it does not.
    pub fn output(&self) -> Result<Tensor> {
        let saved = self.recorded.output.as_ref().and_then(Tensor::ok);
        let whole = saved.map(|value| Tensor::new(Value { node: Some(self.node.clone()), ..value.clone() }));
        whole.ok_or_else(|| self.fault("gradient reads the output, which it did not save".into()))
    }

    /// Shape and type of input `i`.
    pub fn meta(&self, i: usize) -> Meta {
        self.recorded.inputs[i].meta
    }

    /// Whether input `i` wants a gradient; rules may skip work for others.
    pub fn wants(&self, i: usize) -> bool {
        self.recorded.inputs.get(i).is_some_and(|input| input.node.is_some())
    }

    /// The number of inputs.
    pub fn len(&self) -> usize {
        self.recorded.inputs.len()
    }

    /// The run-time scalars of the call.
    pub fn scalars(&self) -> &[u32] {
        &self.recorded.scalars
    }

    fn fault(&self, message: String) -> Error {
        Error::internal(self.recorded.rule.rule_name(), message)
    }
}

/// An input of a recorded call.
#[derive(Clone)]
pub(crate) struct Edge {
    pub meta: Meta,
    pub node: Option<Arc<Node>>,
    /// Its values, if the rule reads them.
    pub value: Option<Tensor>,
}

/// A call that a gradient can flow back through.
#[derive(Clone)]
pub(crate) struct Recorded {
    pub rule: Arc<dyn Rule>,
    pub inputs: SmallVec<[Edge; 2]>,
    /// Its values, if the rule reads them; without the node, which does not own itself.
    pub output: Option<Tensor>,
    pub scalars: SmallVec<[u32; 4]>,
}

/// A place in the graph that gradients flow through: a leaf (a parameter), or the output of an operation.
pub(crate) struct Node {
    /// Grows with time: an operation's number is larger than its inputs'.
    pub id: u64,
    /// `None` for a leaf, and once `backward` has released it.
    recorded: Mutex<Option<Recorded>>,
    pub is_leaf: bool,
}

impl Node {
    pub fn leaf() -> Arc<Node> {
        Node::with(None, true)
    }

    #[inline]
    pub fn operation(recorded: Recorded) -> Arc<Node> {
        Node::with(Some(recorded), false)
    }

    #[inline]
    fn with(recorded: Option<Recorded>, is_leaf: bool) -> Arc<Node> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Arc::new(Node { id, recorded: Mutex::new(recorded), is_leaf })
    }

    /// Takes the record out, so that what it saved can be freed as soon as it was used.
    pub fn release(&self) -> Option<Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A copy of the record, which stays.
    pub fn keep(&self) -> Option<Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Recorded {
    pub fn call<'a>(&'a self, node: &'a Arc<Node>) -> GradCall<'a> {
        GradCall { recorded: self, node }
    }
}

impl Drop for Node {
    /// Frees a long chain one node at a time: dropped by nested calls, 50,000 operations would overflow the stack.
    fn drop(&mut self) {
        let Some(first) = self.recorded.get_mut().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let mut waiting = vec![first];
        while let Some(mut recorded) = waiting.pop() {
            for edge in recorded.inputs.drain(..) {
                let Edge { node, value, .. } = edge;
                drop(value); // holds the same node, so that this is never its end
                if let Some(node) = node.and_then(Arc::into_inner)
                    && let Some(next) = node.release()
                {
                    waiting.push(next);
                }
            }
        }
    }
}
