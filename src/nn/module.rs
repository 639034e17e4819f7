//! What every layer and network has in common: a forward pass, and one walk over everything inside it.

use crate::error::{Error, Result};
use crate::nn::Param;
use crate::nn::summary::{Summary, summary, watched};
use crate::rng::Rng;
use crate::tensor::Tensor;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether a network is learning or being used. Dropout and batch normalisation differ between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Learning: the state of a new network, as in PyTorch.
    #[default]
    Train,
    /// Being evaluated or used.
    Eval,
}

/// A layer, or a network of layers.
///
/// A layer is a plain struct with a `forward`, and a `visit` that shows everything it holds. All else (named parameters, modes,
/// saved files, summaries) follows from the walk.
pub trait Module: fmt::Debug + Send + Sync {
    /// The output for a batch of inputs. Errors ride in the tensor.
    fn forward(&self, x: &Tensor) -> Tensor;

    /// Shows every parameter, buffer, mode and child, each with its name, always in the same order.
    fn visit(&self, visitor: &mut Visitor<'_>);

    /// What it is called in a summary.
    fn kind(&self) -> &'static str;

    /// All parameters with their names (`0.weight`, `0.bias`, …), in order.
    fn parameters(&self) -> Vec<(String, Param)> {
        let mut all = Vec::new();
        walk(self, &mut |path, item| {
            if let Item::Param(param) = item {
                all.push((path.to_string(), param.clone()));
            }
        });
        all
    }

    /// Switches all layers inside between learning and use.
    fn set_mode(&self, mode: Mode) {
        walk(self, &mut |_, item| {
            if let Item::Mode(cell) = item {
                cell.set(mode);
            }
        });
    }

    /// The layers inside with the shapes of their outputs for such an input, and the numbers that they learn. Printed, it is a
    /// table. The values of `input` do not matter: zeros of the right shape do. Nothing is computed, and modes, running values
    /// and random numbers stay as they are.
    ///
    /// # Errors
    /// What the network makes of such an input; the text names the layer.
    ///
    /// ```
    /// use tilework::{Device, Rng, Tensor, nn::{Linear, Module, Relu, Sequential}};
    /// let (device, mut rng) = (Device::cpu(), Rng::seed(0));
    /// let net = Sequential::new().add(Linear::new(64, 32, &mut rng, &device)).add(Relu);
    /// let summary = net.summary(&Tensor::zeros([1, 64], &device))?;
    /// println!("{summary}");
    /// assert_eq!(summary.parameters, 64 * 32 + 32);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    fn summary(&self, input: &Tensor) -> Result<Summary> {
        summary(self, input)
    }

    /// All parameters and buffers by name, detached: what a weights file holds.
    fn state(&self) -> BTreeMap<String, Tensor> {
        let mut all = BTreeMap::new();
        walk(self, &mut |path, item| match item {
            Item::Param(param) => drop(all.insert(path.to_string(), param.tensor().detach())),
            Item::Buffer(buffer) => drop(all.insert(path.to_string(), buffer.get())),
            Item::Mode(_) | Item::Random(_) | Item::Child(..) => {}
        });
        all
    }

    /// Takes over all parameters and buffers from `state`, moved to this network's device. Nothing changes on an error.
    ///
    /// # Errors
    /// A name that is missing, one too many, or another shape; all names are in the text.
    fn load_state(&self, state: &BTreeMap<String, Tensor>) -> Result<()> {
        let own = self.state();
        let missing: Vec<&str> = own.keys().filter(|name| !state.contains_key(*name)).map(String::as_str).collect();
        let surplus: Vec<&str> = state.keys().filter(|name| !own.contains_key(*name)).map(String::as_str).collect();
        if !missing.is_empty() || !surplus.is_empty() {
            let message = format!(
                "names differ: missing {missing:?}, not in the network {surplus:?}; build the network of the file"
            );
            return Err(Error::argument("load_state", message));
        }
        for (name, tensor) in &own {
            let given = state.get(name).map(Tensor::shape).unwrap_or(tensor.shape());
            if given != tensor.shape() {
                let message =
                    format!("{name}: the network has {}: given {given}; build the network of the file", tensor.shape());
                return Err(Error::shape("load_state", message));
            }
        }
        let mut result = Ok(());
        walk(self, &mut |path, item| {
            let Some(tensor) = state.get(path) else { return };
            let set = match item {
                Item::Param(param) => {
                    param.set(&tensor.to_device(param.tensor().device()).to_dtype(param.tensor().dtype()))
                }
                Item::Buffer(buffer) => buffer.set(&tensor.to_device(buffer.get().device())),
                Item::Mode(_) | Item::Random(_) | Item::Child(..) => Ok(()),
            };
            if result.is_ok() {
                result = set;
            }
        });
        result
    }
}

/// The output of a layer within a network: its `forward`, under the name that `visit` gives it. An error that begins in the
/// layer names it, and a [summary](Module::summary) knows the shape of its output. [`crate::nn::Sequential`] runs its layers so;
/// a network of your own does well to do the same.
///
/// ```
/// use tilework::nn::{Linear, Module, Visitor, call};
/// use tilework::{Device, Rng, Tensor};
///
/// #[derive(Debug)]
/// struct Residual(Linear);
///
/// impl Module for Residual {
///     fn forward(&self, x: &Tensor) -> Tensor {
///         x + call("inner", &self.0, x).relu()
///     }
///     fn visit(&self, visitor: &mut Visitor<'_>) {
///         visitor.child("inner", &self.0);
///     }
///     fn kind(&self) -> &'static str {
///         "Residual"
///     }
/// }
///
/// let net = Residual(Linear::new(4, 4, &mut Rng::seed(0), &Device::cpu()));
/// let error = net.forward(&Tensor::zeros([2, 3], &Device::cpu())).check().unwrap_err();
/// assert!(error.to_string().contains("[in layer inner, Linear]"), "{error}");
/// ```
pub fn call(name: impl fmt::Display, layer: &dyn Module, x: &Tensor) -> Tensor {
    let y = watched(&name, || layer.forward(x));
    match y.check() {
        Err(error) if x.check().is_ok() => Tensor::failed(error.in_layer(&name, layer.kind()), y.device()),
        _ => y,
    }
}

/// Something that a module holds.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    /// Learns.
    Param(&'a Param),
    /// Is kept from step to step, but does not learn: running means.
    Buffer(&'a Buffer),
    /// Differs between learning and use.
    Mode(&'a ModeCell),
    /// Draws random numbers.
    Random(&'a RandomCell),
    /// A layer within; its items follow.
    Child(&'a dyn Module),
}

/// Receives everything that a module shows, with the path of names that leads there.
pub struct Visitor<'a> {
    path: String,
    see: &'a mut dyn FnMut(&str, Item<'_>),
}

impl Visitor<'_> {
    /// Shows a parameter.
    pub fn param(&mut self, name: &str, param: &Param) {
        self.item(name, Item::Param(param));
    }

    /// Shows a buffer.
    pub fn buffer(&mut self, name: &str, buffer: &Buffer) {
        self.item(name, Item::Buffer(buffer));
    }

    /// Shows a mode.
    pub fn mode(&mut self, mode: &ModeCell) {
        self.item("mode", Item::Mode(mode));
    }

    /// Shows a source of random numbers.
    pub fn random(&mut self, random: &RandomCell) {
        self.item("random", Item::Random(random));
    }

    /// Shows a layer within, and all it holds.
    pub fn child(&mut self, name: &str, child: &dyn Module) {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        (self.see)(&self.path, Item::Child(child));
        child.visit(self);
        self.path.truncate(length);
    }

    fn item(&mut self, name: &str, item: Item<'_>) {
        let path = if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
        (self.see)(&path, item);
    }
}

/// Calls `see` with the path and content of everything in `module`.
pub fn walk<M: Module + ?Sized>(module: &M, see: &mut dyn FnMut(&str, Item<'_>)) {
    module.visit(&mut Visitor { path: String::new(), see });
}

/// A value that a layer keeps and changes while it runs.
#[derive(Default)]
pub struct Cell<T>(Mutex<T>);

/// A layer's mode.
pub type ModeCell = Cell<Mode>;
/// A layer's own random numbers.
pub type RandomCell = Cell<Rng>;

impl<T> Cell<T> {
    /// A cell holding `value`.
    pub fn new(value: T) -> Cell<T> {
        Cell(Mutex::new(value))
    }

    /// The value, locked.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the value.
    pub fn set(&self, value: T) {
        *self.lock() = value;
    }
}

impl<T: Copy> Cell<T> {
    /// A copy of the value.
    pub fn get(&self) -> T {
        *self.lock()
    }
}

impl<T: fmt::Debug> fmt::Debug for Cell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock().fmt(f)
    }
}

/// A tensor that is kept from step to step and saved, but does not learn. Clones are the same buffer.
#[derive(Debug, Clone)]
pub struct Buffer(Arc<Cell<Tensor>>);

impl Buffer {
    /// A buffer that starts as `start`.
    pub fn new(start: &Tensor) -> Buffer {
        Buffer(Arc::new(Cell::new(start.detach())))
    }

    /// Its values now.
    pub fn get(&self) -> Tensor {
        self.0.lock().clone()
    }

    /// Replaces its values.
    ///
    /// # Errors
    /// The error that `values` carries; another shape.
    pub fn set(&self, values: &Tensor) -> Result<()> {
        values.check()?;
        let mut own = self.0.lock();
        if own.shape() != values.shape() {
            let message = format!("the buffer is {}: given {}; give the same shape", own.shape(), values.shape());
            return Err(Error::shape("set", message));
        }
        *own = values.detach();
        Ok(())
    }
}
