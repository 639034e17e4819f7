//! What the tests of operations on rows share.

#[path = "../common/mod.rs"]
mod shared;

pub use shared::{alone, devices};
use tilework::{Device, Tensor};

/// e^x and ln on a GPU are right to a few units in the last place, and rows of a thousand add as many roundings in a tree.
pub const TOLERANCE: f64 = 2e-6;

/// Launches of the work; the CPU counts none.
pub fn launches(device: &Device, work: impl FnOnce() -> Vec<Tensor>) -> u64 {
    device.flush().unwrap();
    let before = device.stats();
    let kept = work();
    device.flush().unwrap();
    drop(kept);
    device.stats().dispatches - before.dispatches
}

/// Numbers in -1..1 that look random and are the same everywhere.
pub fn noise(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (f64::from(state) / f64::from(u32::MAX) * 2.0 - 1.0) as f32
    };
    (0..n).map(|_| next()).collect()
}

pub fn scaled(values: Vec<f32>, factor: f32) -> Vec<f32> {
    values.into_iter().map(|v| v * factor).collect()
}

pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// Within `tolerance`, relative for numbers above 1 and absolute below; NaN equals NaN, and infinities themselves.
#[track_caller]
pub fn close(got: &Tensor, want: &[f64], tolerance: f64, what: &str) {
    let device = got.device().clone();
    let got = got.to_vec::<f32>().unwrap();
    assert_eq!(got.len(), want.len(), "{what} on {device}");
    for (i, (&a, &b)) in got.iter().zip(want).enumerate() {
        let a = f64::from(a);
        let equal = a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance * b.abs().max(1.0);
        assert!(equal, "{what} on {device}: element {i} is {a}, not {b}");
    }
}

/// An input of an operation under test.
pub type Input = (Vec<f32>, Vec<usize>);

/// An operation, what it means in simpler ones, and in f64.
pub struct Meaning<'a> {
    pub what: String,
    pub inputs: Vec<Input>,
    pub fused: &'a dyn Fn(&[Tensor]) -> Tensor,
    pub unfused: &'a dyn Fn(&[Tensor]) -> Tensor,
    pub reference: &'a dyn Fn(&[Vec<f64>]) -> Vec<f64>,
    /// Of the values; gradients get ten times that: they add up products of values that were rounded before.
    pub tolerance: f64,
}

impl Meaning<'_> {
    /// Values against f64; gradients against differences in f64 and against the unfused form; gradients of gradients against
    /// the unfused form.
    #[track_caller]
    pub fn check(&self) {
        let exact: Vec<Vec<f64>> = self.inputs.iter().map(|(values, _)| wide(values)).collect();
        let want = (self.reference)(&exact);
        let slopes = noise(want.len(), 77);
        for device in devices() {
            let leaves = || -> Vec<Tensor> {
                self.inputs.iter().map(|(v, shape)| Tensor::from_slice(v, &shape[..], &device).tracked()).collect()
            };
            let (x, x2) = (leaves(), leaves());
            let (y, y2) = ((self.fused)(&x), (self.unfused)(&x2));
            close(&y, &want, self.tolerance, &self.what);
            assert_eq!(y.shape(), y2.shape(), "{}", self.what);
            close(&y2, &want, 5.0 * self.tolerance, &format!("the unfused form of {}", self.what));
            let slope = Tensor::from_slice(&slopes, y.shape(), &device);
            let gradients = |x: &[Tensor], y: &Tensor| (y * &slope).sum().grad(&x.iter().collect::<Vec<_>>()).unwrap();
            let (grads, grads2) = (gradients(&x, &y), gradients(&x2, &y2));
            for (k, (grad, grad2)) in grads.iter().zip(&grads2).enumerate() {
                let what = format!("gradient {k} of {}", self.what);
                close(grad, &wide(&grad2.to_vec::<f32>().unwrap()), 20.0 * self.tolerance, &what);
                close(grad, &self.difference(&exact, k, &slopes), 10.0 * self.tolerance, &what);
            }
            let second = |x: &[Tensor], grads: &[Tensor]| {
                let mixed = grads.iter().enumerate().map(|(k, grad)| {
                    let mix = Tensor::from_slice(&noise(grad.numel(), 80 + k as u32), grad.shape(), &device);
                    (grad * mix).sum()
                });
                let sum = mixed.reduce(|a, b| a + b).unwrap();
                // no gradient where a leaf has no part in it: a bias
                x.iter().map(|x| sum.grad(&[x]).map_or(x.zeros_like(), |mut grads| grads.remove(0))).collect::<Vec<_>>()
            };
            let pairs = second(&x, &grads).into_iter().zip(second(&x2, &grads2));
            for (k, (grad, grad2)) in pairs.enumerate() {
                let what = format!("second gradient {k} of {}", self.what);
                close(&grad, &wide(&grad2.to_vec::<f32>().unwrap()), 100.0 * self.tolerance, &what);
            }
        }
    }

    /// d Σ slope·y / d input `k`, by central differences: exact to some 1e-9.
    fn difference(&self, exact: &[Vec<f64>], k: usize, slopes: &[f32]) -> Vec<f64> {
        let value = |i: usize, step: f64| -> f64 {
            let mut inputs = exact.to_vec();
            inputs[k][i] += step;
            (self.reference)(&inputs).iter().zip(slopes).map(|(y, &s)| y * f64::from(s)).sum()
        };
        let step = |i: usize| 1e-5 * exact[k][i].abs().max(1.0);
        (0..exact[k].len()).map(|i| (value(i, step(i)) - value(i, -step(i))) / (2.0 * step(i))).collect()
    }
}
