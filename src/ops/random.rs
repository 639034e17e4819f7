//! Random tensors. An element depends on the seed, the numbers drawn before and its place alone, so that a seed gives the same
//! values on every device. Source: Philox 4x32-10, see [`crate::rng`].

use crate::device::Device;
use crate::device::cpu::parallel::for_chunks;
use crate::device::launch::{Arg, Launch};
use crate::device::shader::{Access, assemble, bindings};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::ops::wgsl::{Words, groups_of};
use crate::ops::{Accepts, Op};
use crate::plan::kernel::{Args, CpuKernel, Fusion, Kernel, Launches, Meta, Role};
use crate::rng::{self, Rng};
use crate::shape::{IntoShape, Shape};
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::record_on;
use std::panic::Location;
use std::sync::Arc;

/// Numbers that one thread of the CPU draws at a time: whole blocks, and worth a hand-over.
const CHUNK: usize = 16_384;
/// Integer operations of a number: ten rounds for four of them.
const COST: usize = 40;

/// What is made of random words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Draw {
    /// `f32` in `[low, high)`. Scalars after seed and base: low, high, their difference, 0.
    Uniform,
    /// Bool, true with probability p. Scalar after seed and base: p.
    Bernoulli,
}

/// A tensor without inputs. Run-time scalars: seed and base, each the low word first, then those of the draw.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Random {
    draw: Draw,
    shape: Shape,
}

/// Whether a kernel draws random numbers: other ones at each call, by its scalars.
pub(crate) fn draws(kernel: &dyn Kernel) -> bool {
    kernel.as_any().is::<Random>()
}

impl Kernel for Random {
    fn name(&self) -> &'static str {
        match self.draw {
            Draw::Uniform => "uniform",
            Draw::Bernoulli => "bernoulli",
        }
    }

    fn cpu(&self, _: &Args<'_>) -> Result<CpuKernel> {
        let (draw, name) = (self.draw, Kernel::name(self));
        Ok(Box::new(move |call| {
            let (&[s0, s1, b0, b1, ref of_draw @ ..], [out]) = (call.scalars, &mut *call.outputs) else {
                return Err(Error::internal(name, "called without seed, base or output"));
            };
            let (seed, base) = (joined(s0, s1), joined(b0, b1));
            let scalar = |i: usize| of_draw.get(i).map_or(f32::NAN, |&bits| f32::from_bits(bits));
            let finish = |word: u32| match draw {
                Draw::Uniform => {
                    let value = scalar(0) + scalar(2) * rng::uniform(word);
                    if value >= scalar(1) { scalar(0).to_bits() } else { value.to_bits() }
                }
                Draw::Bernoulli => u32::from(rng::uniform(word) < scalar(0)),
            };
            for_chunks(call.cpu.threads(), out, CHUNK, (CHUNK * COST) as u64, |index, out| {
                rng::fill_words(seed, base, (index * CHUNK) as u64, out);
                out.iter_mut().for_each(|word| *word = finish(*word));
            });
            Ok(())
        }))
    }

    fn gpu(&self, args: &Args<'_>) -> Result<Launches> {
        let n = self.shape.numel();
        let mut words = Words::default();
        words.push(n);
        words.var(args.output_offset(0));
        for scalar in 0..args.scalars {
            words.var(args.scalar(scalar));
        }
        let declared = bindings(&[("y", "u32", Access::Write)], words.0.len());
        let bernoulli = "fn draw(word: u32) -> u32 { return select(0u, 1u, tw_uniform(word) < bitcast<f32>(p[1].z)); }";
        let source = match self.draw {
            Draw::Uniform => assemble("random", &[("bindings", &declared)])?,
            Draw::Bernoulli => assemble("random", &[("bindings", &declared), ("draw", bernoulli)])?,
        };
        let (args, groups) = (vec![Arg::Write(0)], groups_of(n.div_ceil(4), 256));
        Ok(Launch { name: Kernel::name(self), source, args, words: words.0, groups, work: (n * COST) as u64 }.into())
    }

    fn role(&self) -> Role<'_> {
        Role::Other
    }

    fn fuse(&self, _: &Fusion) -> Option<Arc<dyn Kernel>> {
        None
    }
}

impl Rule for Random {
    fn rule_name(&self) -> &'static str {
        Kernel::name(self)
    }

    fn saves(&self, _: u32) -> Saves {
        Saves::NONE
    }

    fn grad(&self, _: &GradCall<'_>, _: &Tensor) -> Result<Partials> {
        Ok(Partials::new()) // there are no inputs
    }
}

impl Op for Random {
    fn infer(&self, _: &[Meta]) -> Result<Meta> {
        let dtype = match self.draw {
            Draw::Uniform => DType::F32,
            Draw::Bernoulli => DType::Bool,
        };
        Ok(Meta { shape: self.shape, dtype })
    }

    fn accepts(&self) -> Accepts {
        Accepts::Any
    }
}

fn joined(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

impl Random {
    /// Records the draw of the generator's next numbers.
    #[track_caller]
    fn record(self, scalars: &[f32], rng: &mut Rng, device: &Device) -> Tensor {
        let (seed, base) = (rng.state().0, rng.reserve(self.shape.numel() as u64));
        let mut words: Vec<u32> = [seed, base].into_iter().flat_map(|x| [x as u32, (x >> 32) as u32]).collect();
        words.extend(scalars.iter().map(|x| x.to_bits()));
        record_on(device, self, &[], &words)
    }
}

impl Tensor {
    /// Uniform values in `[low, high)`: `low + (high - low)·u`, with `u` a multiple of 2⁻²⁴. The generator gives the same values
    /// on every device.
    ///
    /// Errors: bounds that are not finite, or `high` below `low`.
    ///
    /// ```
    /// use tilework::{Device, Rng, Tensor};
    /// let x = Tensor::uniform([1000], -1.0, 1.0, &mut Rng::seed(1), &Device::cpu());
    /// assert!(x.to_vec::<f32>()?.iter().all(|x| (-1.0..1.0).contains(x)));
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn uniform(shape: impl IntoShape, low: f32, high: f32, rng: &mut Rng, device: &Device) -> Tensor {
        let shape = shape.into_shape().and_then(|shape| {
            if (high - low).is_finite() && low <= high {
                return Ok(shape);
            }
            let message = format!("bounds must be finite, low before high: given {low} and {high}; swap them?");
            Err(Error::argument("uniform", message))
        });
        match shape {
            Ok(shape) => Random { draw: Draw::Uniform, shape }.record(&[low, high, high - low, 0.0], rng, device),
            Err(error) => Tensor::failed(error.located(Location::caller()), device),
        }
    }

    /// Bools that are true with probability `p`, in steps of 2⁻²⁴. The generator gives the same values on every device.
    ///
    /// Errors: `p` outside `0..=1`.
    ///
    /// ```
    /// use tilework::{Device, Rng, Tensor};
    /// let x = Tensor::bernoulli([1000], 0.3, &mut Rng::seed(1), &Device::cpu());
    /// let share = x.sum().item::<i32>()?;
    /// assert!((200..400).contains(&share));
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn bernoulli(shape: impl IntoShape, p: f32, rng: &mut Rng, device: &Device) -> Tensor {
        let shape = shape.into_shape().and_then(|shape| {
            if (0.0..=1.0).contains(&p) {
                return Ok(shape);
            }
            Err(Error::argument("bernoulli", format!("p must be in 0..=1: given {p}; 0.5 is a fair coin")))
        });
        match shape {
            Ok(shape) => Random { draw: Draw::Bernoulli, shape }.record(&[p], rng, device),
            Err(error) => Tensor::failed(error.located(Location::caller()), device),
        }
    }

    /// Normal values. Drawn on the host: logarithm and cosine are not the same on every GPU.
    ///
    /// ```
    /// use tilework::{Device, Rng, Tensor};
    /// let x = Tensor::normal([2, 3], 0.0, 1.0, &mut Rng::seed(1), &Device::cpu());
    /// assert_eq!(x.shape(), [2, 3]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn normal(shape: impl IntoShape, mean: f32, std: f32, rng: &mut Rng, device: &Device) -> Tensor {
        match shape.into_shape() {
            Ok(shape) => {
                let values = rng.normals(shape.numel()).iter().map(|z| mean + std * z).collect();
                Tensor::from_vec::<f32>(values, shape, device)
            }
            Err(error) => Tensor::failed(error.located(Location::caller()), device),
        }
    }

    /// The numbers `0..n` in random order: `u32`, shape `[n]`. Drawn on the host, one number after the other.
    ///
    /// ```
    /// use tilework::{Device, Rng, Tensor};
    /// let mut order = Tensor::permutation(5, &mut Rng::seed(1), &Device::cpu()).to_vec::<u32>()?;
    /// order.sort();
    /// assert_eq!(order, [0, 1, 2, 3, 4]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn permutation(n: usize, rng: &mut Rng, device: &Device) -> Tensor {
        match Shape::new(&[n]).map(|shape| (shape, u32::try_from(n))) {
            Ok((shape, Ok(n))) => Tensor::from_vec(rng.permutation(n), shape, device),
            Ok((_, Err(_))) => {
                let message = format!("{n} numbers do not fit u32; give a smaller n");
                Tensor::failed(Error::argument("permutation", message).located(Location::caller()), device)
            }
            Err(error) => Tensor::failed(error.located(Location::caller()), device),
        }
    }
}
