//! Operations of the user's own, with their own gradient.

use crate::error::{Error, Result};
use crate::expr::Program;
use crate::ops::map::Map;
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::{no_grad, record, record_rule};
use std::fmt::Debug;
use std::panic::Location;
use std::sync::Arc;

/// An operation made of tensor operations, with a gradient given by hand: for a better formula than the derived one, or to stop
/// or bend a gradient on purpose.
///
/// ```
/// use tilework::autograd::CustomOp;
/// use tilework::{Device, Tensor};
///
/// /// Rounds forwards, and lets the gradient through backwards (Bengio, Léonard & Courville 2013, arXiv:1308.3432).
/// #[derive(Debug)]
/// struct StraightThrough;
///
/// impl CustomOp for StraightThrough {
///     fn name(&self) -> &'static str {
///         "straight_through"
///     }
///     fn forward(&self, inputs: &[&Tensor]) -> Tensor {
///         inputs[0].round()
///     }
///     fn backward(&self, _inputs: &[&Tensor], _output: &Tensor, dy: &Tensor) -> Vec<Option<Tensor>> {
///         vec![Some(dy.clone())]
///     }
/// }
///
/// let x = Tensor::from_vec(vec![0.4, 1.7], [2], &Device::cpu()).tracked();
/// let y = Tensor::custom(StraightThrough, &[&x]);
/// assert_eq!(y.to_vec::<f32>()?, [0.0, 2.0]);
/// assert_eq!(y.sum().backward()?.get(&x)?.to_vec::<f32>()?, [1.0, 1.0]);
/// # Ok::<(), tilework::Error>(())
/// ```
pub trait CustomOp: Debug + Send + Sync + 'static {
    /// What it is called in errors.
    fn name(&self) -> &'static str;
    /// The output for these inputs. Not tracked: `backward` is its gradient.
    fn forward(&self, inputs: &[&Tensor]) -> Tensor;
    /// The gradient of each input (`None`: none flows) given the output's, `dy`.
    fn backward(&self, inputs: &[&Tensor], output: &Tensor, dy: &Tensor) -> Vec<Option<Tensor>>;
}

#[derive(Debug)]
struct Custom<O>(O);

impl<O: CustomOp> Rule for Custom<O> {
    fn rule_name(&self) -> &'static str {
        self.0.name()
    }

    fn saves(&self, _: u32) -> Saves {
        Saves { inputs: u32::MAX, output: true }
    }

    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        let inputs: Vec<&Tensor> = (0..call.len()).map(|i| call.input(i)).collect::<Result<_>>()?;
        let partials = self.0.backward(&inputs, &call.output()?, dy);
        if partials.len() != inputs.len() {
            let message = format!(
                "backward gave {} gradients for {} inputs; give one each, or None",
                partials.len(),
                inputs.len()
            );
            return Err(Error::argument(self.0.name(), message));
        }
        Ok(partials.into_iter().collect())
    }
}

impl Tensor {
    /// The output of an operation of the user's own.
    pub fn custom(op: impl CustomOp, inputs: &[&Tensor]) -> Tensor {
        if let Some(failed) = inputs.iter().find(|x| x.ok().is_none()) {
            return (*failed).clone();
        }
        let y = no_grad(|| op.forward(inputs));
        record_rule(Custom(op), inputs, y)
    }

    /// A formula of the user's own, applied element by element (inputs broadcast): one launch however long it is, with its
    /// gradient derived. `scalars` are its run-time parameters.
    ///
    /// ```
    /// use tilework::{DType, Device, Tensor, expr::Program};
    /// let swish = Program::build("swish", &[DType::F32], 1, |_, x, p| vec![x[0] / (1.0 + (-(x[0] * p[0])).exp())]);
    /// let x = Tensor::from_vec(vec![0.0, 1.0], [2], &Device::cpu());
    /// let y = Tensor::map(&swish, &[&x], &[1.0]);
    /// assert!((y.to_vec::<f32>()?[1] - 0.731_058_6).abs() < 1e-6);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn map(program: &Arc<Program>, inputs: &[&Tensor], scalars: &[f32]) -> Tensor {
        let (wanted, have) = (program.inputs(), inputs.iter().map(|x| x.dtype()));
        let fits = wanted.iter().copied().eq(have) && program.params() == scalars.len() && program.outputs().len() == 1;
        if inputs.is_empty() || !fits {
            let given: Vec<_> = inputs.iter().map(|x| x.dtype()).collect();
            let message = format!(
                "{} takes {wanted:?} and {} scalars and has {} outputs: given {given:?} and {} scalars; one output is needed",
                program.name(),
                program.params(),
                program.outputs().len(),
                scalars.len()
            );
            let device = inputs.first().map_or_else(crate::device::Device::cpu, |x| x.device().clone());
            return Tensor::failed(Error::argument("map", message).located(Location::caller()), &device);
        }
        let bits: Vec<u32> = scalars.iter().map(|s| s.to_bits()).collect();
        record(Map::new("map", program.clone()), inputs, &bits)
    }
}
