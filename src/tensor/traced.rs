//! A function of tensors, recorded once and run many times: what recording and planning cost is paid once.

use crate::error::Result;
use crate::plan::kernel::Meta;
use crate::tensor::Tensor;
use crate::tensor::record::no_grad;
use crate::tensor::trace::{Trace, metas_of, refused, stand_ins};
use smallvec::{SmallVec, smallvec};
use std::fmt;

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
    inputs: Vec<Meta>,
    trace: Trace,
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
        let device = first.device();
        let inputs = stand_ins(device, examples)?;
        let (trace, _) = Trace::record(device, &inputs, || Ok(smallvec![no_grad(|| f(&inputs))]))?;
        Ok(Traced { inputs: metas_of(&inputs)?, trace })
    }

    /// The function of `inputs`, of the shapes and types that it was traced for. Queues or does the work, as other operations do.
    ///
    /// # Errors
    /// The error that an input carries; another number of inputs, shape, type or device; no memory; a lost device.
    pub fn run(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        let mut values = SmallVec::new();
        self.trace.bind(inputs, &self.inputs, &mut values)?;
        let result = self.trace.run(&values, self.trace.vars.clone())?.pop();
        result.ok_or_else(|| refused("the function has no result"))
    }
}

impl fmt::Debug for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let say = |meta: &Meta| format!("{}{}", meta.dtype, meta.shape);
        let inputs: Vec<String> = self.inputs.iter().map(say).collect();
        let results: Vec<String> = self.trace.results().map(|meta| say(&meta)).collect();
        write!(f, "Traced({} -> {}, {})", inputs.join(", "), results.join(", "), self.trace.device.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
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
        assert_eq!(kept.unwrap().to_vec::<f32>().unwrap(), (&x * 2.0).to_vec::<f32>().unwrap());
        // One that is kept while nothing, or itself, is given back stands for no value of a later batch.
        let (mut beside, mut itself) = (None, None);
        says(
            Traced::new(&[&x], |x| {
                beside = Some(&x[0] * 2.0);
                x[0].clone()
            }),
            "computes nothing",
        );
        Traced::new(&[&x], |x| itself.insert(x[0].exp()).clone()).unwrap();
        let first = &x * 5.0;
        assert_eq!((&beside.unwrap() + &first).to_vec::<f32>().unwrap(), (&x * 7.0).to_vec::<f32>().unwrap());
        let error = (&itself.unwrap() + &(&x * 5.0)).to_vec::<f32>().unwrap_err().to_string();
        assert!(error.contains("no values outside"), "{error}");
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
