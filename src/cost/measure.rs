//! Measures what a device takes for a launch, for products, for memory and for the way to it: under a fifth of a second.

use super::figures::{CACHED, Figures};
use crate::device::{Device, DeviceKind};
use crate::error::Result;
use crate::rng::Rng;
use crate::tensor::Tensor;
use crate::tensor::record::no_grad;
use std::time::Instant;

/// After so many seconds no larger size is tried.
const LONG: f64 = 0.1;
/// A product that takes this long shows the rate of large ones.
const ENOUGH: f64 = 0.003;
/// Launches of the chain that shows what one takes.
const CHAIN: usize = 32;

/// Measures a device that is open and does nothing else; `start` is 0.
pub(super) fn measure(device: &Device) -> Result<Figures> {
    no_grad(|| {
        let began = Instant::now();
        let flops = products(device, began)?;
        let cached = memory(device, CACHED as usize / 8, 8)?;
        let bandwidth = memory(device, 4 << 20, 1)?;
        // A launch of a GPU waits for memory in turn, which products of 128 show; the CPU's are left small, for they cost work.
        let n = if device.kind() == DeviceKind::Cpu { 16 } else { 128 };
        let chain = chain(device, n)? - 2.0 * (n as f64).powi(3) / flops;
        let least = if device.kind() == DeviceKind::Cpu { 2e-7 } else { 2e-6 };
        let transfer = transfer(device, 2 << 20)?;
        Ok(Figures { start: 0.0, launch: chain.max(least), flops, bandwidth, cached, transfer, measured: true })
    })
}

/// Shortest of a few runs, after one that builds plans and pipelines.
fn seconds(device: &Device, times: usize, run: impl Fn() -> Result<Tensor>) -> Result<f64> {
    let once = || -> Result<f64> {
        let began = Instant::now();
        let held = run()?;
        held.check()?;
        device.synchronize()?;
        Ok(began.elapsed().as_secs_f64())
    };
    once()?;
    (0..times).try_fold(f64::INFINITY, |best, _| Ok(once()?.min(best)))
}

fn uniform(shape: &[usize], device: &Device) -> Tensor {
    Tensor::uniform(shape, 0.0, 1.0, &mut Rng::seed(0), device)
}

/// Operations a second of the largest product that there is time for.
fn products(device: &Device, began: Instant) -> Result<f64> {
    let mut best = 0.0f64;
    for n in [256usize, 512, 1024, 2048] {
        let (a, b) = (uniform(&[n, n], device), uniform(&[n, n], device));
        let seconds = seconds(device, 3, || Ok(a.matmul(&b)))?;
        best = best.max(2.0 * (n as f64).powi(3) / seconds);
        if seconds > ENOUGH || began.elapsed().as_secs_f64() > LONG {
            break;
        }
    }
    Ok(best)
}

/// Bytes a second of `x + y` over arrays of `len`, `times` in a row.
fn memory(device: &Device, len: usize, times: usize) -> Result<f64> {
    let (x, y) = (uniform(&[len], device), uniform(&[len], device));
    let run = || {
        let sums: Vec<Tensor> = (0..times).map(|i| &x * i as f32 + &y).collect();
        device.flush()?;
        sums.into_iter().next_back().map_or_else(|| Ok(x.clone()), Ok)
    };
    Ok((12 * len * times) as f64 / seconds(device, 3, run)?)
}

/// Seconds of one of the products of a chain, each the next one's operand.
fn chain(device: &Device, n: usize) -> Result<f64> {
    let (x, w) = (uniform(&[n, n], device), uniform(&[n, n], device) / (n as f32));
    w.check()?;
    let run = || Ok((0..CHAIN).fold(x.clone(), |x, _| x.matmul(&w)));
    Ok(seconds(device, 3, run)? / CHAIN as f64)
}

/// Bytes a second there and back.
fn transfer(device: &Device, len: usize) -> Result<f64> {
    let values = vec![1.0f32; len];
    let run = || {
        let there = Tensor::from_slice(&values, len, device);
        there.to_vec::<f32>()?;
        Ok(there)
    };
    Ok((8 * len) as f64 / seconds(device, 2, run)?)
}
