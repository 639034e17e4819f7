//! Formulas that are compiled as one loop: those that every training step runs over all parameters or activations.
//!
//! The evaluator walks a program instruction by instruction, which costs several times what the memory does when the values are
//! few or the instructions many. A formula here is written once, over any kind of number: over [`E`] it gives the program by
//! which it is found, over `f32` the loop. Both round each operation alike, so the bits are the same; a test holds them together.

use super::Program;
use super::value::E;
use crate::dtype::DType::F32;
use pulp::{Arch, Simd, WithSimd};
use std::ops::{Add, Div, Mul, Sub};
use std::sync::{Arc, OnceLock};

/// What a formula needs of its numbers.
trait Number: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> {
    fn root(self) -> Self;
    /// `max(x, 0)`
    fn positive(self) -> Self;
    /// `y` where `self > 0`, else 0.
    fn gate(self, y: Self) -> Self;
}

/// A vector of the CPU found at run time.
#[derive(Clone, Copy)]
struct Lanes<S: Simd>(S, S::f32s);

macro_rules! operator {
    ($trait:ident, $method:ident, $lanes:ident) => {
        impl<S: Simd> $trait for Lanes<S> {
            type Output = Lanes<S>;
            #[inline(always)]
            fn $method(self, other: Lanes<S>) -> Lanes<S> {
                Lanes(self.0, self.0.$lanes(self.1, other.1))
            }
        }
    };
}
operator!(Add, add, add_f32s);
operator!(Sub, sub, sub_f32s);
operator!(Mul, mul, mul_f32s);
operator!(Div, div, div_f32s);

impl<S: Simd> Number for Lanes<S> {
    #[inline(always)]
    fn root(self) -> Self {
        Lanes(self.0, self.0.sqrt_f32s(self.1))
    }
    #[inline(always)]
    fn positive(self) -> Self {
        let zero = self.0.splat_f32s(0.0);
        Lanes(self.0, self.0.select_f32s(self.0.less_than_or_equal_f32s(self.1, zero), zero, self.1)) // NaN stays
    }
    #[inline(always)]
    fn gate(self, y: Self) -> Self {
        let zero = self.0.splat_f32s(0.0);
        Lanes(self.0, self.0.select_f32s(self.0.greater_than_f32s(self.1, zero), y.1, zero))
    }
}

impl Number for E<'_> {
    fn root(self) -> Self {
        self.sqrt()
    }
    fn positive(self) -> Self {
        self.max(0.0)
    }
    fn gate(self, y: Self) -> Self {
        self.gt(0.0).select(y, 0.0)
    }
}

/// Inputs, parameters, outputs.
pub(super) type Loop = fn(&[&[f32]], &[f32], &mut [&mut [f32]]);

/// A program that has a loop of its own.
struct Compiled {
    program: Arc<Program>,
    run: Loop,
}

/// The loop of a program, if it has one. All its inputs and outputs are `f32`.
pub(super) fn find(program: &Program) -> Option<Loop> {
    all().iter().find(|known| *known.program == *program).map(|known| known.run)
}

fn all() -> &'static [Compiled] {
    static ALL: OnceLock<Vec<Compiled>> = OnceLock::new();
    ALL.get_or_init(list)
}

/// Declares the list: each formula with its numbers of inputs, parameters and outputs.
macro_rules! compiled {
    ($($formula:ident[$inputs:literal, $params:literal] -> $outputs:literal;)*) => {
        fn list() -> Vec<Compiled> {
            vec![$({
                /// A type of its own, so that the loop is inlined into code for the CPU found at run time.
                struct Run<'a, 'x, 'y>(&'a [&'x [f32]], [f32; $params], &'a mut [&'y mut [f32]]);
                impl WithSimd for Run<'_, '_, '_> {
                    type Output = ();
                    #[inline(always)]
                    fn with_simd<S: Simd>(self, simd: S) {
                        let Run(inputs, params, outputs) = self;
                        let params = params.map(|p| Lanes(simd, simd.splat_f32s(p)));
                        each::<S, $inputs, $outputs>(simd, inputs, outputs, #[inline(always)] |x| $formula(x, params));
                    }
                }
                Compiled {
                    program: Program::build(stringify!($formula), &[F32; $inputs], $params, |b, x, p| {
                        let missing = |_| b.constant(f32::NAN);
                        let x: [E<'_>; $inputs] = x.try_into().unwrap_or_else(|_| [0; $inputs].map(missing));
                        let p: [E<'_>; $params] = p.try_into().unwrap_or_else(|_| [0; $params].map(missing));
                        $formula(x, p).to_vec()
                    }),
                    run: |inputs, params, outputs| {
                        let params = std::array::from_fn(|j| params.get(j).copied().unwrap_or(f32::NAN));
                        Arch::new().dispatch(Run(inputs, params, outputs));
                    },
                }
            }),*]
        }
    };
}

compiled! {
    adam[4, 8] -> 3;
    bias_relu[2, 0] -> 1;
    relu_gradient[2, 0] -> 1;
    sum_of_two[2, 0] -> 1;
}

/// `m`, `v` and the weights after a step of Adam, as the optimizer's three rows are fused.
#[inline(always)]
fn adam<T: Number>([m, g, v, w]: [T; 4], [b1, c1, b2, c2, keep, rate, scale, eps]: [T; 8]) -> [T; 3] {
    let m = b1 * m + c1 * g;
    let v = b2 * v + c2 * g * g;
    [m, v, keep * w - rate * m / (scale * v.root() + eps)]
}

/// The epilogue of a dense layer with ReLU.
#[inline(always)]
fn bias_relu<T: Number>([x, bias]: [T; 2], []: [T; 0]) -> [T; 1] {
    [(x + bias).positive()]
}

/// The epilogue of the product that gives a ReLU its gradient.
#[inline(always)]
fn relu_gradient<T: Number>([dy, y]: [T; 2], []: [T; 0]) -> [T; 1] {
    [y.gate(dy)]
}

/// The epilogue of a dense layer.
#[inline(always)]
fn sum_of_two<T: Number>([x, y]: [T; 2], []: [T; 0]) -> [T; 1] {
    [x + y]
}

/// `outputs = f(inputs)`, element by element, for as many as all have.
#[inline(always)]
fn each<S: Simd, const I: usize, const O: usize>(
    simd: S,
    inputs: &[&[f32]],
    outputs: &mut [&mut [f32]],
    f: impl Fn([Lanes<S>; I]) -> [Lanes<S>; O],
) {
    let (Some(inputs), Ok(outputs)) = (inputs.first_chunk::<I>(), <&mut [&mut [f32]; O]>::try_from(outputs)) else {
        return;
    };
    let len = inputs.iter().map(|x| x.len()).chain(outputs.iter().map(|y| y.len())).min().unwrap_or(0);
    let inputs = inputs.map(|x| S::as_simd_f32s(&x[..len]));
    let mut outputs = outputs.each_mut().map(|y| S::as_mut_simd_f32s(&mut y[..len]));
    for k in 0..len / S::F32_LANES {
        let y = f(inputs.map(
            #[inline(always)]
            |(x, _)| Lanes(simd, x[k]),
        ));
        for ((out, _), y) in outputs.iter_mut().zip(y) {
            out[k] = y.1;
        }
    }
    if !len.is_multiple_of(S::F32_LANES) {
        let y = f(inputs.map(
            #[inline(always)]
            |(_, tail)| Lanes(simd, simd.partial_load_f32s(tail)),
        ));
        for ((_, tail), y) in outputs.iter_mut().zip(y) {
            simd.partial_store_f32s(tail, y.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{Code, Lane, Scratch};

    #[test]
    fn a_compiled_loop_gives_the_bits_of_the_evaluator() {
        for known in all() {
            let program = &known.program;
            assert!(find(program).is_some());
            for len in [1, 15, 16, 17, 64, 1000] {
                let numbers = |seed: u32| -> Vec<u32> {
                    let special = [0.0f32, -0.0, f32::NAN, f32::INFINITY, 1e-40, f32::MAX].map(f32::to_bits);
                    let mix = |i: u32| (i ^ seed).wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b);
                    let number = |i: u32| (mix(i) as f32 / (1u32 << 31) as f32 - 1.0).to_bits();
                    (0..len)
                        .map(|i| if mix(i) % 9 == 0 { special[(mix(i) / 9) as usize % 6] } else { number(i) })
                        .collect()
                };
                let inputs: Vec<Vec<u32>> = (0..program.inputs().len() as u32).map(numbers).collect();
                let lanes: Vec<Lane<'_>> = inputs.iter().map(|x| Lane::Slice(x)).collect();
                let params: Vec<u32> = (0..program.params()).map(|j| (0.3 + j as f32 / 10.0).to_bits()).collect();
                let run = |code: &Code| {
                    let mut outputs = vec![vec![0u32; len as usize]; program.outputs().len()];
                    let mut outs: Vec<&mut [u32]> = outputs.iter_mut().map(|y| &mut y[..]).collect();
                    code.run(&lanes, &params, &mut outs, &mut Scratch::default());
                    // which of its bits a NaN has is nobody's business
                    let plain = |bits: u32| if f32::from_bits(bits).is_nan() { f32::NAN.to_bits() } else { bits };
                    outputs.into_iter().flatten().map(plain).collect::<Vec<u32>>()
                };
                assert_eq!(run(&Code::new(program)), run(&Code::evaluated(program)), "{program:?}, {len} values");
            }
        }
    }
}
