//! Programs as data: made at random, run in different ways, cut down to what fails.

use crate::ops::{Draw, KINDS};
use rand::RngExt;
use std::fmt;
use std::time::Instant;
use tilework::autograd::CustomOp;
use tilework::{DType, Device, Rng, Tensor};

/// A tensor that a program begins with.
#[derive(Debug, Clone)]
pub struct Leaf {
    shape: Vec<usize>,
    dtype: DType,
    tracked: bool,
}

/// One operation of a program.
#[derive(Debug, Clone)]
pub struct Step {
    kind: usize,
    /// Leaves first, then the steps before this one.
    inputs: Vec<usize>,
    seed: u64,
    /// Kept to the end and read there; else dropped after its last use.
    kept: bool,
    /// Read as soon as it is recorded.
    read: bool,
}

#[derive(Debug, Clone)]
pub struct Program {
    pub leaves: Vec<Leaf>,
    pub steps: Vec<Step>,
}

/// How a program runs.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    /// As a user's program: the engine fuses, reuses and drops as it likes.
    Free,
    /// Operation by operation: every result is read and comes back as a new tensor, so that nothing is fused and nothing is a
    /// view. Each float is moved by up to this part of it: what rounding may do.
    Alone(f32, u64),
}

/// What a program gave: its values in the order of leaves and steps (`None`: not read), then the gradients of its leaves.
pub struct Outcome {
    pub values: Vec<Option<Vec<f64>>>,
    pub shapes: Vec<Vec<usize>>,
    pub dtypes: Vec<DType>,
}

/// The values of any tensor; each type is exact in f64.
pub fn read(x: &Tensor) -> tilework::Result<Vec<f64>> {
    let wide = |v: Vec<f32>| v.into_iter().map(f64::from).collect();
    Ok(match x.dtype() {
        DType::F32 => wide(x.to_vec()?),
        DType::F16 => wide(x.to_vec::<half::f16>()?.into_iter().map(half::f16::to_f32).collect()),
        DType::BF16 => wide(x.to_vec::<half::bf16>()?.into_iter().map(half::bf16::to_f32).collect()),
        DType::U32 => x.to_vec::<u32>()?.into_iter().map(f64::from).collect(),
        DType::I32 => x.to_vec::<i32>()?.into_iter().map(f64::from).collect(),
        _ => x.to_vec::<bool>()?.into_iter().map(|b| f64::from(u8::from(b))).collect(),
    })
}

/// A tensor of these values.
fn write(values: &[f64], shape: &[usize], dtype: DType, device: &Device) -> Tensor {
    match dtype {
        DType::F32 => Tensor::from_vec(values.iter().map(|&v| v as f32).collect(), shape, device),
        DType::F16 => Tensor::from_vec(values.iter().map(|&v| half::f16::from_f64(v)).collect(), shape, device),
        DType::BF16 => Tensor::from_vec(values.iter().map(|&v| half::bf16::from_f64(v)).collect(), shape, device),
        DType::U32 => Tensor::from_vec(values.iter().map(|&v| v as u32).collect(), shape, device),
        DType::I32 => Tensor::from_vec(values.iter().map(|&v| v as i32).collect(), shape, device),
        _ => Tensor::from_vec(values.iter().map(|&v| v != 0.0).collect(), shape, device),
    }
}

/// The identity, through the host both ways.
#[derive(Debug)]
struct Barrier {
    noise: f32,
    seed: u64,
}

impl Barrier {
    fn pass(&self, x: &Tensor, stream: u64) -> Tensor {
        let Ok(mut values) = read(x) else { return x.clone() };
        if self.noise > 0.0 && x.dtype().is_float() {
            let (mut rng, noise) = (Rng::seed(self.seed).fork(stream), noise_of(x.dtype(), self.noise));
            values.iter_mut().for_each(|v| *v *= 1.0 + rng.random_range(-noise..noise));
        }
        write(&values, &x.shape(), x.dtype(), x.device())
    }
}

/// The relative error of a value: `noise` before it is stored. Where it is stored in 16 bits, that may turn a rounding.
pub fn noise_of(dtype: DType, noise: f32) -> f64 {
    f64::from(noise).max(match dtype {
        DType::F16 => 1.0 / 2048.0,
        DType::BF16 => 1.0 / 256.0,
        _ => 0.0,
    })
}

impl CustomOp for Barrier {
    fn name(&self) -> &'static str {
        "barrier"
    }
    fn forward(&self, inputs: &[&Tensor]) -> Tensor {
        self.pass(inputs[0], 0)
    }
    fn backward(&self, _: &[&Tensor], _: &Tensor, dy: &Tensor) -> Vec<Option<Tensor>> {
        vec![Some(self.pass(dy, 1))]
    }
}

impl Program {
    /// A program of about `length` steps whose values stay finite and of moderate size.
    pub fn random(seed: u64, length: usize) -> Program {
        let mut rng = Rng::seed(seed);
        let sizes = [0, 1, 2, 3, 4, 5, 7, 8, 17, 33];
        let small = rng.random_bool(0.95);
        let palette: Vec<usize> = (0..3).map(|_| sizes[rng.random_range(usize::from(small)..sizes.len())]).collect();
        let mut program = Program { leaves: Vec::new(), steps: Vec::new() };
        for i in 0..rng.random_range(2..6) {
            let rank = [0, 1, 2, 2, 2, 3, 3][rng.random_range(0..7)];
            let shape: Vec<usize> = if i == 0 && rng.random_bool(0.1) {
                vec![rng.random_range(1000..1300)]
            } else {
                (0..rank).map(|_| if rng.random_bool(0.1) { 1 } else { palette[rng.random_range(0..3)] }).collect()
            };
            let dtype = match rng.random_range(0..10) {
                0 => DType::F16,
                1 => DType::BF16,
                2 => DType::I32,
                3 => [DType::Bool, DType::U32][rng.random_range(0..2)],
                _ => DType::F32,
            };
            program.leaves.push(Leaf { shape, dtype, tracked: dtype.is_float() && rng.random_bool(0.7) });
        }
        // Recorded as it grows, to know what can be done; what fails or overflows is left out.
        let mut values: Vec<Tensor> =
            program.leaves.iter().enumerate().map(|(i, l)| l.make(i, 0, Way::Free, &Device::cpu())).collect();
        let mut tries = 0;
        while program.steps.len() < length && tries < 4 * length {
            tries += 1;
            let kind = rng.random_range(0..KINDS.len());
            let recent = rng.random_bool(0.6);
            let inputs: Vec<usize> = (0..KINDS[kind].inputs)
                .map(|_| rng.random_range(if recent { values.len().saturating_sub(5) } else { 0 }..values.len()))
                .collect();
            let [kept, read] = [0.15, if length > 500 { 0.0 } else { 0.03 }].map(|p| rng.random_bool(p));
            let step = Step { kind, inputs, seed: seed ^ (tries as u64) << 32, kept, read };
            let y = step.apply(&values.iter().map(Some).collect::<Vec<_>>(), 0).detach();
            let tame = y.numel() <= 3000 && y.rank() <= 6 && read_tame(&y);
            if tame {
                values.push(y);
                program.steps.push(step);
            }
        }
        if let Some(last) = program.steps.last_mut() {
            last.kept = true;
        }
        program
    }

    /// Runs on a device with a set of numbers.
    pub fn run(&self, device: &Device, data: u64, way: Way) -> tilework::Result<Outcome> {
        let leaves = self.leaves.iter().enumerate();
        let leaves: Vec<Tensor> = leaves.map(|(i, leaf)| leaf.make(i, data, way, device)).collect();
        let mut values: Vec<Option<Tensor>> = leaves.iter().cloned().map(Some).collect();
        let mut outcome = Outcome { values: vec![None; leaves.len()], shapes: Vec::new(), dtypes: Vec::new() };
        for x in &leaves {
            outcome.shapes.push(x.shape().to_vec());
            outcome.dtypes.push(x.dtype());
        }
        let last_use = self.last_uses();
        for (i, step) in self.steps.iter().enumerate() {
            let at = leaves.len() + i;
            let mut y = step.apply(&values.iter().map(Option::as_ref).collect::<Vec<_>>(), data);
            y.check()?;
            y = match way {
                // A node of its own in the graph here too, so that partial gradients are added in the same order.
                Way::Free => y.unsqueeze(0).squeeze(0),
                Way::Alone(noise, seed) => Tensor::custom(Barrier { noise, seed: seed ^ (at as u64) << 20 }, &[&y]),
            };
            outcome.shapes.push(y.shape().to_vec());
            outcome.dtypes.push(y.dtype());
            outcome.values.push(if step.read || matches!(way, Way::Alone(..)) { Some(read(&y)?) } else { None });
            values.push(Some(y));
            if matches!(way, Way::Free) {
                for (place, value) in values.iter_mut().enumerate() {
                    let kept = place.checked_sub(leaves.len()).is_some_and(|s| self.steps[s].kept);
                    if last_use[place] <= at && !kept {
                        *value = None;
                    }
                }
            }
        }
        let kept = |i: usize| i.checked_sub(leaves.len()).is_some_and(|s| self.steps[s].kept);
        let terms = values
            .iter()
            .enumerate()
            .filter_map(|(i, x)| x.as_ref().filter(|x| kept(i) && x.is_tracked() && x.numel() > 0));
        let terms = terms.map(|x| {
            let x = x.to_dtype(DType::F32);
            (&x * &x).mean() + x.mean()
        });
        let grads = terms.reduce(|a, b| a + b).map(|loss| loss.backward()).transpose()?;
        for (i, value) in values.iter().enumerate().rev() {
            if let Some(x) = value.as_ref().filter(|_| kept(i)) {
                outcome.values[i] = Some(read(x)?);
            }
        }
        for (leaf, x) in self.leaves.iter().zip(&leaves) {
            let grad = grads.as_ref().filter(|_| leaf.tracked).and_then(|grads| grads.get(x).ok());
            outcome.shapes.push(leaf.shape.clone());
            outcome.dtypes.push(leaf.dtype);
            outcome.values.push(grad.map(|grad| read(&grad)).transpose()?);
        }
        Ok(outcome)
    }

    /// The last step that uses each value; its own for those that none does.
    fn last_uses(&self) -> Vec<usize> {
        let first = self.leaves.len();
        let mut last: Vec<usize> = (0..first + self.steps.len()).collect();
        for (i, step) in self.steps.iter().enumerate() {
            step.inputs.iter().for_each(|&input| last[input] = first + i);
        }
        last
    }

    /// The smallest program found that still fails.
    pub fn shrunk(&self, fails: impl Fn(&Program) -> bool) -> Program {
        let began = Instant::now();
        let mut best = self.clone();
        // A GPU's driver may take a second to compile what one of them needs.
        let mut fails = |program: &Program| began.elapsed().as_secs() < 60 && fails(program);
        while let Some(program) = best.smaller().into_iter().find(&mut fails) {
            best = program;
        }
        best
    }

    /// Programs with one thing less.
    fn smaller(&self) -> Vec<Program> {
        let first = self.leaves.len();
        let mut all = Vec::new();
        for s in (0..self.steps.len()).rev() {
            // Without a step: its users read one of its inputs instead, if they can.
            for instead in self.steps[s].inputs.iter().copied().chain([0]) {
                let moved = |i: usize| {
                    if i == first + s {
                        instead
                    } else if i > first + s {
                        i - 1
                    } else {
                        i
                    }
                };
                let mut program = self.clone();
                program.steps.remove(s);
                program.steps.iter_mut().for_each(|step| step.inputs.iter_mut().for_each(|i| *i = moved(*i)));
                all.push(program);
            }
        }
        let change = |change: &dyn Fn(&mut Program)| {
            let mut program = self.clone();
            change(&mut program);
            program
        };
        for s in 0..self.steps.len() {
            if self.steps[s].kept {
                all.push(change(&|p| p.steps[s].kept = false));
            }
            if self.steps[s].read {
                all.push(change(&|p| p.steps[s].read = false));
            }
        }
        for l in 0..first {
            if self.leaves[l].tracked {
                all.push(change(&|p| p.leaves[l].tracked = false));
            }
        }
        all
    }
}

impl Leaf {
    fn make(&self, number: usize, data: u64, way: Way, device: &Device) -> Tensor {
        let mut rng = Rng::seed(data).fork(1000 + number as u64);
        let draw = |rng: &mut Rng| match self.dtype {
            DType::Bool => f64::from(rng.random_range(0..2)),
            DType::U32 => f64::from(rng.random_range(0..7)),
            DType::I32 => f64::from(rng.random_range(-5..6)),
            // some of them equal, and some zero
            _ if rng.random_bool(0.2) => f64::from(rng.random_range(-1..2)),
            _ => f64::from(rng.random_range(-2.0f32..2.0)),
        };
        let values: Vec<f64> = (0..self.shape.iter().product()).map(|_| draw(&mut rng)).collect();
        let mut x = write(&values, &self.shape, self.dtype, device);
        if let Way::Alone(noise, seed) = way {
            // Stands for what the first operation rounds on its way.
            x = Barrier { noise, seed: seed ^ (number as u64) << 20 }.pass(&x, 0);
        }
        if self.tracked { x.tracked() } else { x }
    }
}

impl Step {
    fn apply(&self, values: &[Option<&Tensor>], data: u64) -> Tensor {
        let missing = Tensor::ones([0], &Device::cpu());
        let inputs: Vec<&Tensor> = self.inputs.iter().map(|&i| values[i].unwrap_or(&missing)).collect();
        let mut draw = Draw { pick: Rng::seed(self.seed), data: Rng::seed(self.seed).fork(data) };
        (KINDS[self.kind].apply)(&inputs, &mut draw)
    }
}

/// Whether it can be read, and holds moderate numbers alone.
fn read_tame(x: &Tensor) -> bool {
    read(x).is_ok_and(|values| values.iter().all(|v| v.abs() < 1e4))
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = self.run(&Device::cpu(), 0, Way::Alone(0.0, 0)).ok();
        for (i, leaf) in self.leaves.iter().enumerate() {
            writeln!(f, "  {i} = {}{:?}{}", leaf.dtype, leaf.shape, if leaf.tracked { " tracked" } else { "" })?;
        }
        for (i, step) in self.steps.iter().enumerate() {
            let at = self.leaves.len() + i;
            let shape = outcome.as_ref().map(|outcome| &outcome.shapes[at]);
            let marks =
                [(step.kept, " kept"), (step.read, " read")].map(|(is, mark)| if is { mark } else { "" }).concat();
            writeln!(f, "  {at} = {}{:?} {shape:?}{marks} seed {}", KINDS[step.kind].name, step.inputs, step.seed)?;
        }
        Ok(())
    }
}
