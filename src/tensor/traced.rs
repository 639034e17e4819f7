//! A function of tensors, recorded once and run many times: what recording and planning cost is paid once.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::plan::batch::{Call, in_order, settle, taken};
use crate::plan::kernel::Meta;
use crate::plan::key::Structure;
use crate::plan::run::Plan;
use crate::plan::slot::Slot;
use crate::shape::Layout;
use crate::tensor::record::no_grad;
use crate::tensor::{Tensor, Value};
use std::fmt;
use std::sync::Arc;

/// A function of tensors that was recorded for inputs of some shapes, as `jax.jit` or `torch.jit.trace` do: a run binds new inputs
/// to the finished plan, and records nothing. Worth it for small networks at small batches, where recording costs as much as the
/// work; from many threads, whose runs on the CPU do not wait for each other.
///
/// What the function reads besides its inputs, such as weights, is taken as it was while recording: trace again after training.
/// So are numbers that the host computes in it; random ones are the same at each run.
///
/// ```
/// use tilework::{Device, Rng, Tensor, Traced, nn::{Linear, Module, Relu, Sequential}};
/// let (rng, device) = (&mut Rng::seed(0), Device::cpu());
/// let net = Sequential::new().add(Linear::new(4, 8, rng, &device)).add(Relu).add(Linear::new(8, 2, rng, &device));
/// let predict = Traced::new(&[&Tensor::zeros([1, 4], &device)], |x| net.forward(&x[0]))?;
/// let x = Tensor::from_vec(vec![0.1, 0.2, 0.3, 0.4], [1, 4], &device);
/// let y = predict.run(&[&x])?;
/// assert_eq!(y.to_vec::<f32>()?, net.forward(&x).to_vec::<f32>()?);
/// # Ok::<(), tilework::Error>(())
/// ```
pub struct Traced {
    device: Device,
    inputs: Vec<Meta>,
    plan: Plan,
    /// What the plan reads from outside.
    sources: Vec<Source>,
    vars: Vec<u32>,
    /// Variables that are offsets into an input: which variable, and of which input.
    offsets: Vec<(usize, usize)>,
    /// The storage of the result, by type and elements, and the view of it.
    output: (Meta, Layout),
}

enum Source {
    Input(usize),
    Fixed(Arc<Slot>),
}

impl Traced {
    /// Records `f` for inputs of the shapes and types of `examples`, all on one device. Gradients do not flow through a traced
    /// function.
    ///
    /// # Errors
    /// The error that an example or the result of `f` carries; no example; examples on different devices; an `f` that reads
    /// values, records more than 512 operations, keeps a tensor that it computed, or computes nothing.
    pub fn new(examples: &[&Tensor], f: impl FnOnce(&[Tensor]) -> Tensor) -> Result<Traced> {
        let Some(first) = examples.first() else {
            return Err(refused("no examples: give one tensor of the shape of each input"));
        };
        let device = first.device().clone();
        let mut inputs = Vec::with_capacity(examples.len());
        for example in examples {
            inputs.push(stand_in(&bound(&device, example)?)?);
        }
        let Some((result, calls)) = taken(&device, || no_grad(|| f(&inputs)))? else {
            return Err(refused(
                "the function reads values or records more than 512 operations: trace only what lies between reads",
            ));
        };
        let traced = Traced::of(device, &inputs, &result, &calls);
        // Whoever holds one of these slots all the same is told: left pending, they would be taken for values of later batches.
        let kept = refused("a tensor that a traced function computed has no values outside it");
        calls.iter().for_each(|call| call.output.fill(Err(kept.clone())));
        traced
    }

    /// The function of `inputs` that `calls` compute, none of which has run.
    fn of(device: Device, inputs: &[Tensor], result: &Tensor, calls: &[Call]) -> Result<Traced> {
        let slots: Vec<Arc<Slot>> = inputs.iter().filter_map(|x| Some(x.ok()?.slot.clone())).collect();
        let value = result.value()?;
        let structure = Structure::of(calls);
        let made = |slot: &Arc<Slot>| calls.iter().position(|call| Arc::ptr_eq(&call.output, slot));
        let Some(call) = made(&value.slot) else {
            return Err(refused("the function computes nothing: it gives back an input, or what was there before"));
        };
        if structure.live.iter().enumerate().any(|(n, &live)| live && n != call) {
            return Err(refused("the function keeps a tensor that it computed: give back all that is needed as one"));
        }
        let plan = Plan::build(&device, &structure.keys(), structure.externals.len())?;
        let input_of = |slot: &Arc<Slot>| slots.iter().position(|input| Arc::ptr_eq(input, slot));
        let source = |slot: &&Arc<Slot>| input_of(slot).map_or_else(|| Source::Fixed((*slot).clone()), Source::Input);
        let mut offsets = Vec::new();
        let mut var = 0;
        for call in calls {
            offsets.extend((var..).zip(&call.inputs).filter_map(|(var, input)| Some((var, input_of(&input.slot)?))));
            var += call.inputs.len() + 1 + call.scalars.len();
        }
        Ok(Traced {
            inputs: inputs.iter().filter_map(|x| Some(x.ok()?.meta())).collect(),
            sources: structure.externals.iter().map(source).collect(),
            vars: plan.variables(calls),
            offsets,
            output: (calls[call].meta, value.layout),
            plan,
            device,
        })
    }

    /// The function of `inputs`, of the shapes and types that it was traced for. Queues or does the work, as other operations do.
    ///
    /// # Errors
    /// The error that an input carries; another number of inputs, shape, type or device; no memory; a lost device.
    pub fn run(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        if inputs.len() != self.inputs.len() {
            let message = format!("traced for {} inputs: given {}", self.inputs.len(), inputs.len());
            return Err(refused(message));
        }
        let mut values = Vec::with_capacity(inputs.len());
        for (i, (input, wanted)) in inputs.iter().zip(&self.inputs).enumerate() {
            let given = input.value()?.meta();
            if given != *wanted {
                let message = format!(
                    "input {i} is {}{}: traced for {}{}; trace again for other shapes",
                    given.dtype, given.shape, wanted.dtype, wanted.shape
                );
                return Err(refused(message));
            }
            values.push(bound(&self.device, input)?);
        }
        let mut vars = self.vars.clone();
        for &(var, input) in &self.offsets {
            vars[var] += values[input].layout.offset as u32; // stand-ins begin at 0
        }
        let externals: Vec<&Arc<Slot>> = self
            .sources
            .iter()
            .map(|source| match source {
                Source::Input(i) => &values[*i].slot,
                Source::Fixed(slot) => slot,
            })
            .collect();
        let (meta, layout) = self.output;
        let slot = Arc::new(Slot::empty(meta.dtype, meta.shape.numel()));
        in_order(&self.device, || self.plan.run(&self.device, &externals, &vars, |_, buffer| slot.fill(Ok(buffer))))?;
        Ok(Tensor::new(Value { device: self.device.clone(), slot, layout, node: None }))
    }
}

impl fmt::Debug for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (meta, layout) = &self.output;
        let inputs: Vec<String> = self.inputs.iter().map(|meta| format!("{}{}", meta.dtype, meta.shape)).collect();
        write!(f, "Traced({} -> {}{}, {})", inputs.join(", "), meta.dtype, layout.shape, self.device.kind())
    }
}

/// The values of an input, computed, row by row in one piece of its storage.
fn bound(device: &Device, input: &Tensor) -> Result<Value> {
    if input.device() != device {
        let message = format!("an input is on {}, another on {device}; move it with to_device", input.device());
        return Err(refused(message));
    }
    let value = no_grad(|| input.contiguous()).value()?.clone();
    if value.slot.is_pending() {
        settle(device, &value.slot)?;
    }
    value.slot.buffer()?;
    Ok(value)
}

/// The same values in a slot of their own, as if they began it: what reads it is known by the slot.
fn stand_in(value: &Value) -> Result<Tensor> {
    let (slot, layout) = (&value.slot, Layout::contiguous(value.layout.shape));
    let own = Slot::filled(slot.dtype, slot.len, slot.buffer()?.clone());
    Ok(Tensor::new(Value { device: value.device.clone(), slot: Arc::new(own), layout, node: None }))
}

fn refused(message: impl Into<String>) -> Error {
    Error::argument("trace", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Linear, Module, Relu, Sequential};
    use crate::{DType, Rng};

    fn device() -> Device {
        Device::cpu()
    }

    fn numbers(shape: &[usize], seed: u64) -> Tensor {
        Tensor::uniform(shape, -1.0, 1.0, &mut Rng::seed(seed), &device())
    }

    #[test]
    fn a_traced_network_gives_what_the_network_gives_for_inputs_wherever_they_lie() {
        let rng = &mut Rng::seed(1);
        let net =
            Sequential::new().add(Linear::new(5, 7, rng, &device())).add(Relu).add(Linear::new(7, 3, rng, &device()));
        let traced = Traced::new(&[&numbers(&[2, 5], 2)], |x| net.forward(&x[0])).unwrap();
        let all = numbers(&[9, 5], 3);
        let turned = numbers(&[5, 2], 4);
        for x in [all.slice(0, 0..2), all.slice(0, 6..8), turned.t(), &all.slice(0, 2..4) * 2.0, numbers(&[2, 5], 5)] {
            let expected = net.forward(&x.contiguous()).to_vec::<f32>().unwrap();
            assert_eq!(traced.run(&[&x]).unwrap().to_vec::<f32>().unwrap(), expected);
        }
        // Weights are those of the time of tracing.
        let x = numbers(&[2, 5], 6);
        let before = net.forward(&x).to_vec::<f32>().unwrap();
        for (_, param) in net.parameters() {
            param.set(&param.tensor().zeros_like()).unwrap();
        }
        assert_eq!(traced.run(&[&x]).unwrap().to_vec::<f32>().unwrap(), before);
    }

    #[test]
    fn several_inputs_views_of_results_and_one_tensor_twice() {
        let (a, b) = (numbers(&[3, 4], 1), numbers(&[3, 4], 2));
        let f = |x: &[Tensor]| (&x[0].slice(1, 1..3) - &x[1].slice(1, 0..2)).t();
        let traced = Traced::new(&[&a, &a], f).unwrap();
        let y = traced.run(&[&a, &b]).unwrap();
        assert_eq!(y.shape(), [2, 3]);
        assert_eq!(y.to_vec::<f32>().unwrap(), f(&[a.clone(), b]).to_vec::<f32>().unwrap());
        assert_eq!(format!("{traced:?}"), "Traced(f32[3, 4], f32[3, 4] -> f32[2, 3], cpu)");
    }

    #[test]
    fn runs_from_many_threads_do_not_meet() {
        let traced = Traced::new(&[&numbers(&[8], 1)], |x| (&x[0] * 3.0).exp().sum()).unwrap();
        std::thread::scope(|scope| {
            for seed in 0..4 {
                let traced = &traced;
                scope.spawn(move || {
                    let x = numbers(&[8], seed);
                    let expected = (&x * 3.0).exp().sum().item::<f32>().unwrap();
                    for _ in 0..200 {
                        assert_eq!(traced.run(&[&x]).unwrap().item::<f32>().unwrap(), expected);
                    }
                });
            }
        });
    }

    #[test]
    fn threads_that_begin_meanwhile_do_not_disturb_a_trace() {
        let x = numbers(&[4], 1);
        x.exp().to_vec::<f32>().unwrap(); // this thread has a batch, and it was run
        let traced = Traced::new(&[&x], |x| {
            std::thread::scope(|scope| {
                let other = scope.spawn(|| (numbers(&[4], 2) * 2.0).to_vec::<f32>().unwrap());
                assert_eq!(other.join().unwrap().len(), 4);
            });
            x[0].exp()
        });
        let y = traced.unwrap().run(&[&x]).unwrap();
        assert_eq!(y.to_vec::<f32>().unwrap(), x.exp().to_vec::<f32>().unwrap());
    }

    #[test]
    fn what_cannot_be_traced_or_run_says_so() {
        let x = numbers(&[4], 1);
        let says = |result: Result<Traced>, words: &str| {
            let error = result.map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        says(Traced::new(&[], |_| numbers(&[1], 1)), "no examples");
        says(Traced::new(&[&x], |x| x[0].clone()), "computes nothing");
        says(Traced::new(&[&x], |x| &x[0] * (&x[0] * 2.0).sum().item::<f32>().unwrap()), "reads values");
        says(Traced::new(&[&x], |x| (0..600).fold(x[0].clone(), |y, i| y + i as f32)), "more than 512");
        says(Traced::new(&[&x], |x| x[0].matmul(&numbers(&[7, 7], 1))), "matmul");
        let mut kept = None;
        says(
            Traced::new(&[&x], |x| {
                let twice = &x[0] * 2.0;
                kept = Some(twice.clone());
                twice.exp()
            }),
            "keeps a tensor",
        );
        assert!(kept.unwrap().to_vec::<f32>().is_err());
        // Nor has one that is kept while nothing, or itself, is given back: it stands for no value of a later batch.
        let (mut beside, mut itself) = (None, None);
        says(
            Traced::new(&[&x], |x| {
                beside = Some(&x[0] * 2.0);
                x[0].clone()
            }),
            "computes nothing",
        );
        Traced::new(&[&x], |x| itself.insert(x[0].exp()).clone()).unwrap();
        for kept in [beside.unwrap(), itself.unwrap()] {
            let first = &x * 5.0;
            let error = (&kept + &first).to_vec::<f32>().unwrap_err().to_string();
            assert!(error.contains("no values outside"), "{error}");
        }
        let traced = Traced::new(&[&x], |x| x[0].exp()).unwrap();
        let fails = |inputs: &[&Tensor], words: &str| {
            let error = traced.run(inputs).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        fails(&[], "traced for 1 inputs: given 0");
        fails(&[&numbers(&[5], 1)], "f32[5]: traced for f32[4]");
        fails(&[&x.to_dtype(DType::I32)], "i32[4]");
        fails(&[&x.matmul(&numbers(&[7, 7], 1))], "matmul");
        assert_eq!((&x * 2.0).to_vec::<f32>().unwrap().len(), 4); // and the device goes on
    }
}
