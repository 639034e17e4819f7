//! Random programs: whatever the engine fuses, drops, reuses and replays, results and gradients are those of the same operations
//! run one by one. `TILEWORK_PROGRAMS` sets how many are tried (`TILEWORK_SEED` where they begin).

mod ops;
mod program;

use program::{Outcome, Program, Way, noise_of};
use rand::RngExt;
use tilework::{Device, Rng};

/// How many programs: a multiple of the standard number when more are asked for.
fn seeds(standard: u64) -> std::ops::Range<u64> {
    let number = |name: &str, otherwise| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise);
    let first = number("TILEWORK_SEED", 0);
    first..first + number("TILEWORK_PROGRAMS", standard)
}

fn program(seed: u64) -> Program {
    Program::random(
        seed,
        match seed % 200 {
            49 => 300,
            199 => 700, // more than a batch holds
            _ => Rng::seed(seed).fork(7).random_range(5..60),
        },
    )
}

fn gpu() -> Option<Device> {
    let gpu = Device::gpu();
    assert!(gpu.is_ok() || std::env::var("TILEWORK_REQUIRE_GPU").is_err(), "a GPU device is required here: {gpu:?}");
    gpu.ok()
}

/// What differs, by more than `bound(value, element)`.
fn difference(got: &Outcome, want: &Outcome, bound: impl Fn(usize, usize) -> f64) -> Option<String> {
    for (i, (got_values, want_values)) in got.values.iter().zip(&want.values).enumerate() {
        let (Some(a), Some(b)) = (got_values, want_values) else { continue };
        if got.shapes[i] != want.shapes[i] || got.dtypes[i] != want.dtypes[i] || a.len() != b.len() {
            return Some(format!(
                "value {i} is {:?}{:?}, not {:?}{:?}",
                got.dtypes[i], got.shapes[i], want.dtypes[i], want.shapes[i]
            ));
        }
        for (at, (a, b)) in a.iter().zip(b).enumerate() {
            let near = (a - b).abs() <= bound(i, at); // not so if one of the two is NaN
            if a != b && !(a.is_nan() && b.is_nan()) && !near {
                return Some(format!("value {i} at {at}: {a}, not {b}, bound {}", bound(i, at)));
            }
        }
    }
    None
}

/// What rounding may do to each value: how far runs with some noise in every intermediate result lie from the run without, times
/// `FACTOR`, which makes up for their small number. Where a comparison or an order hangs on rounding, this is as large as what
/// follows from it.
fn bounds(program: &Program, data: u64, noise: f32, runs: u64, want: &Outcome) -> Vec<Option<Vec<f64>>> {
    const FACTOR: f64 = 8.0;
    const TINY: f64 = 1e-30; // GPUs may take subnormal numbers for zero
    let mut bounds: Vec<Option<Vec<f64>>> =
        want.values.iter().map(|v| v.as_ref().map(|v| vec![0.0; v.len()])).collect();
    for seed in 0..runs {
        let Ok(noisy) = program.run(&Device::cpu(), data, Way::Alone(noise, 1 + seed)) else { continue };
        let stored = want.dtypes.iter().map(|&dtype| noise_of(dtype, noise));
        for (((bounds, noisy), want), noise) in bounds.iter_mut().zip(&noisy.values).zip(&want.values).zip(stored) {
            let (Some(bounds), Some(noisy), Some(want)) = (bounds, noisy, want) else { continue };
            for ((bound, noisy), want) in bounds.iter_mut().zip(noisy).zip(want) {
                let far = FACTOR * ((noisy - want).abs() + noise * want.abs() + TINY);
                *bound = if far.is_nan() { f64::INFINITY } else { far.max(*bound) };
            }
        }
    }
    bounds
}

/// Compares free runs on a device with operations run alone on the CPU, for two sets of numbers: the second finds the plans of the
/// first. What is not equal must be within what rounding to `noise` may do.
fn fails(program: &Program, device: &Device, noise: f32) -> Option<String> {
    for data in [0, 1] {
        let Ok(want) = program.run(&Device::cpu(), data, Way::Alone(0.0, 0)) else { return None };
        let got = match program.run(device, data, Way::Free) {
            Ok(got) => got,
            Err(error) => return Some(format!("data {data}: {error}")),
        };
        let differs = |bound: &dyn Fn(usize, usize) -> f64| difference(&got, &want, bound);
        if differs(&|_, _| 0.0).is_none() {
            continue;
        }
        for runs in [2, 64] {
            let bounds = bounds(program, data, noise, runs, &want);
            let bound = |value: usize, at: usize| bounds[value].as_ref().map_or(0.0, |bounds| bounds[at]);
            match differs(&bound) {
                None => break,
                Some(text) if runs == 64 => return Some(format!("data {data}: {text}")),
                Some(_) => {}
            }
        }
    }
    None
}

/// Tries the programs of some seeds; the first that fails is cut down and shown.
fn check(seeds: impl Iterator<Item = u64>, device: &Device, noise: f32) {
    for seed in seeds {
        let program = program(seed);
        if fails(&program, device, noise).is_some() {
            let shrunk = program.shrunk(|program| fails(program, device, noise).is_some());
            let text = fails(&shrunk, device, noise).unwrap_or_default();
            panic!("seed {seed} on {device}: {text}\n{shrunk}");
        }
    }
}

/// Sums may be taken in another order when what is summed was never stored: a few units in the last place.
const ON_CPU: f32 = 1e-6;
/// GPUs may also contract `a·b + c`, and their functions have errors of their own.
const ON_GPU: f32 = 4e-6;

#[test]
fn fused_programs_give_what_their_operations_give_alone() {
    check(seeds(2000), &Device::cpu(), ON_CPU);
}

#[test]
fn programs_on_a_gpu_give_what_they_give_on_the_cpu() {
    let Some(gpu) = gpu() else { return };
    check(seeds(100), &gpu, ON_GPU);
}

#[test]
fn programs_of_several_threads_on_one_device_do_not_disturb_each_other() {
    let cpu = (Device::cpu(), ON_CPU, seeds(400));
    let gpu = gpu().map(|gpu| (gpu, ON_GPU, seeds(32)));
    for (device, noise, seeds) in std::iter::once(cpu).chain(gpu) {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (device, seeds) = (&device, seeds.clone());
                scope.spawn(move || check(seeds.skip(thread).step_by(4), device, noise));
            }
        });
    }
}
