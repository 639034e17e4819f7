//! Inputs of samples: values in f64 that their element type holds exactly, and the ways in which they can lie in memory.

use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::rng::Rng;
use crate::shape::Shape;
use crate::tensor::Tensor;
use half::{bf16, f16};
use ndarray::{ArrayD, IxDyn, Slice};
use std::fmt;

/// How a sample's inputs lie in memory. The values are the same (16-bit floats aside), and so must be the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Row-major from the storage's start.
    Plain,
    /// Column-major: the axes reversed.
    Transposed,
    /// Every second element along each axis of a larger storage, not from its start; NaN (or a large number) in between.
    Gapped,
    /// Each axis from its end to its start.
    Flipped,
    /// Row-major, f32 inputs rounded to f16.
    F16,
    /// Row-major, f32 inputs rounded to bf16.
    BF16,
}

impl Variant {
    /// Those that do not change values.
    pub const LAYOUTS: [Variant; 4] = [Variant::Plain, Variant::Transposed, Variant::Gapped, Variant::Flipped];
    /// 16-bit storage.
    pub const HALVES: [Variant; 2] = [Variant::F16, Variant::BF16];

    /// The 16-bit type that f32 inputs are stored in.
    pub fn half(self) -> Option<DType> {
        match self {
            Variant::F16 => Some(DType::F16),
            Variant::BF16 => Some(DType::BF16),
            _ => None,
        }
    }
}

/// An input of a sample.
#[derive(Clone)]
pub struct Data {
    /// Numbers that `dtype` holds exactly; bool is 0 or 1.
    pub values: ArrayD<f64>,
    /// The element type.
    pub dtype: DType,
}

impl Data {
    /// `values`, rounded to what `dtype` holds.
    pub fn new(dtype: DType, values: ArrayD<f64>) -> Data {
        Data { values: values.mapv(|v| rounded(dtype, v)), dtype }
    }

    /// f32 numbers in row-major order; of shape `[n]` when as many as `n` are given, repeated where `shape` has more.
    pub fn of(shape: &[usize], values: &[f64]) -> Data {
        Data::typed(DType::F32, shape, values)
    }

    /// [`Data::of`] in another element type.
    pub fn typed(dtype: DType, shape: &[usize], values: &[f64]) -> Data {
        let mut given = values.iter().copied().cycle();
        Data::new(dtype, ArrayD::from_shape_simple_fn(IxDyn(shape), || given.next().unwrap_or(0.0)))
    }

    /// f32 numbers drawn evenly from `low..high`. The same seed draws the same.
    pub fn uniform(shape: &[usize], low: f64, high: f64, seed: u64) -> Data {
        let mut draws = Rng::seed(seed).uniforms(shape.iter().product()).into_iter();
        let mut next = || low + (high - low) * draws.next().map_or(0.5, f64::from);
        Data::new(DType::F32, ArrayD::from_shape_simple_fn(IxDyn(shape), &mut next))
    }

    /// Integers drawn evenly from `low..high`, in any element type.
    pub fn integers(dtype: DType, shape: &[usize], low: i32, high: i32, seed: u64) -> Data {
        let drawn = Data::uniform(shape, f64::from(low), f64::from(high), seed);
        Data::new(dtype, drawn.values.mapv(f64::floor))
    }

    /// The numbers `0..n` in random order, in any element type: no two are equal.
    pub fn permutation(dtype: DType, shape: &[usize], seed: u64) -> Data {
        let order = Rng::seed(seed).permutation(shape.iter().product::<usize>() as u32);
        Data::typed(dtype, shape, &order.into_iter().map(f64::from).collect::<Vec<_>>())
    }

    /// The values as `variant` has them: rounded to 16 bits, or as they are.
    pub fn held(&self, variant: Variant) -> Data {
        match variant.half().filter(|_| self.dtype == DType::F32) {
            Some(half) => Data::new(half, self.values.clone()),
            None => self.clone(),
        }
    }

    /// A tensor of the values on `device`, laid out as `variant` says.
    pub fn tensor(&self, variant: Variant, device: &Device) -> Tensor {
        let rank = self.values.ndim();
        let axes: Vec<isize> = (0..rank as isize).collect();
        match variant {
            Variant::Plain | Variant::F16 | Variant::BF16 => {
                let held = self.held(variant);
                upload(&held.values, held.dtype, device)
            }
            Variant::Transposed => {
                let back: Vec<isize> = axes.iter().rev().copied().collect();
                upload(&self.values.t().to_owned(), self.dtype, device).permute(&back)
            }
            Variant::Flipped => {
                let mut reversed = self.values.clone();
                (0..rank).for_each(|axis| reversed.invert_axis(ndarray::Axis(axis)));
                upload(&reversed, self.dtype, device).flip(&axes)
            }
            Variant::Gapped => self.gapped(device),
        }
    }

    fn gapped(&self, device: &Device) -> Tensor {
        let dims = self.values.shape();
        if dims.is_empty() {
            let [value] = [self.values.first().copied().unwrap_or(0.0)];
            let spread = Data::typed(self.dtype, &[3], &[self.gap(), value, self.gap()]);
            return upload(&spread.values, spread.dtype, device).select(0, 1);
        }
        let large: Vec<usize> = dims.iter().map(|d| 2 * d + 1).collect();
        let mut spread = ArrayD::from_elem(IxDyn(&large), self.gap());
        spread.slice_each_axis_mut(|_| Slice::new(1, None, 2)).assign(&self.values);
        let whole = upload(&spread, self.dtype, device);
        (0..dims.len()).fold(whole, |x, axis| x.slice_step(axis as isize, 1.., 2))
    }

    /// What lies between the elements: a value that would be seen in any result.
    fn gap(&self) -> f64 {
        match self.dtype {
            DType::Bool => 1.0,
            DType::U32 | DType::I32 => 1e9,
            DType::F16 | DType::BF16 | DType::F32 => f64::NAN,
        }
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.dtype, self.values.shape())
    }
}

/// The nearest number that `dtype` holds.
fn rounded(dtype: DType, value: f64) -> f64 {
    match dtype {
        DType::Bool => f64::from(u8::from(value != 0.0)),
        DType::U32 => f64::from(value as u32),
        DType::I32 => f64::from(value as i32),
        DType::F16 => f16::from_f32(value as f32).to_f64(), // by f32, as a device that is given an f32 does
        DType::BF16 => bf16::from_f32(value as f32).to_f64(),
        DType::F32 => f64::from(value as f32),
    }
}

fn upload(values: &ArrayD<f64>, dtype: DType, device: &Device) -> Tensor {
    fn send<T: Element>(values: &ArrayD<f64>, device: &Device, convert: impl Fn(f64) -> T) -> Tensor {
        let shape = Shape::of(values.shape());
        Tensor::from_vec(values.iter().map(|&v| convert(v)).collect(), shape, device)
    }
    match dtype {
        DType::Bool => send(values, device, |v| v != 0.0),
        DType::U32 => send(values, device, |v| v as u32),
        DType::I32 => send(values, device, |v| v as i32),
        DType::F16 => send(values, device, |v| f16::from_f32(v as f32)),
        DType::BF16 => send(values, device, |v| bf16::from_f32(v as f32)),
        DType::F32 => send(values, device, |v| v as f32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_holds_the_same_values() {
        let cpu = Device::cpu();
        for shape in [&[][..], &[5], &[2, 3, 4], &[3, 0]] {
            for dtype in [DType::F32, DType::F16, DType::I32, DType::Bool] {
                let data = Data::integers(dtype, shape, 0, 9, 1);
                for variant in Variant::LAYOUTS {
                    let x = data.tensor(variant, &cpu).to_dtype(DType::F32);
                    let values: Vec<f64> = x.to_vec::<f32>().unwrap().into_iter().map(f64::from).collect();
                    assert_eq!(
                        values,
                        data.values.iter().copied().collect::<Vec<_>>(),
                        "{dtype} {shape:?} {variant:?}"
                    );
                }
            }
        }
    }
}
