//! Random tensors are the same on every device, and a generator that goes on builds nothing anew.

mod common;

use common::{alone, devices};
use tilework::nn::{Dropout, Mode, Module};
use tilework::{Device, Rng, Tensor};

/// Fewer than a block, ragged ends, several CPU chunks, several dimensions.
const SIZES: [&[usize]; 8] = [&[], &[0], &[1], &[3], &[257], &[5, 7, 3], &[40_001], &[2, 65_536]];

/// A generator in the middle of its stream, its next counter about to pass 2³².
fn late(seed: u64) -> Rng {
    let mut rng = Rng::seed(seed);
    rng.reserve((1 << 34) - 12);
    rng
}

#[test]
fn uniform_tensors_have_the_same_bits_on_every_device() {
    let _turn = alone();
    for size in SIZES {
        for (low, high) in [(0.0, 1.0), (-0.1, 0.3), (3.0, 3.0), (-1e30, 1e30)] {
            let bits = |device: &Device| -> Vec<u32> {
                let x = Tensor::uniform(size, low, high, &mut late(9), device);
                assert_eq!(&x.shape()[..], size);
                x.to_vec::<f32>().unwrap().iter().map(|x| x.to_bits()).collect()
            };
            let n: usize = size.iter().product();
            let expected = late(9).uniforms(n).into_iter().map(|u| low + (high - low) * u);
            let expected: Vec<u32> = expected.map(|x| if x < high { x } else { low }.to_bits()).collect();
            for device in devices() {
                assert!(bits(&device) == expected, "{size:?} in {low}..{high} on {device}");
            }
        }
    }
}

#[test]
fn no_uniform_value_reaches_the_end() {
    let _turn = alone();
    // 1 + 2⁻²⁴·k rounds to steps of 2⁻²³ and would reach the end of the range for every second of the last k
    let (low, high) = (1.0, 1.0 + 2.0 * f32::EPSILON);
    for device in devices() {
        let x = Tensor::uniform([4096], low, high, &mut Rng::seed(1), &device).to_vec::<f32>().unwrap();
        assert!(x.iter().all(|x| (low..high).contains(x)), "{device}");
    }
}

#[test]
fn bernoulli_tensors_are_the_same_on_every_device_and_true_as_often_as_asked() {
    let _turn = alone();
    for p in [0.0, 1.0, 0.5, 0.1] {
        let n = 100_003;
        let expected: Vec<bool> = late(4).uniforms(n).into_iter().map(|u| u < p).collect();
        let share = expected.iter().filter(|&&x| x).count() as f64 / n as f64;
        let spread = f64::from(p * (1.0 - p)).sqrt() / (n as f64).sqrt();
        assert!((share - f64::from(p)).abs() <= 5.0 * spread, "{share} instead of {p}");
        for device in devices() {
            let x = Tensor::bernoulli([n], p, &mut late(4), &device);
            assert!(x.to_vec::<bool>().unwrap() == expected, "{p} on {device}");
        }
    }
}

#[test]
fn each_draw_takes_the_next_numbers_even_if_nobody_reads_it() {
    let _turn = alone();
    for device in devices() {
        let mut rng = Rng::seed(3);
        drop(Tensor::uniform([5], 0.0, 1.0, &mut rng, &device));
        let second = Tensor::uniform([5], 0.0, 1.0, &mut rng, &device).to_vec::<f32>().unwrap();
        let mut fresh = Rng::seed(3);
        fresh.reserve(5);
        assert_eq!(second, fresh.uniforms(5), "{device}");
    }
}

#[test]
fn a_permutation_is_that_of_the_generator() {
    let _turn = alone();
    for device in devices() {
        let order = Tensor::permutation(100, &mut Rng::seed(3), &device);
        assert_eq!(order.to_vec::<u32>().unwrap(), Rng::seed(3).permutation(100), "{device}");
        assert_eq!(Tensor::permutation(0, &mut Rng::seed(3), &device).shape(), [0]);
    }
}

#[test]
fn impossible_settings_are_errors() {
    let _turn = alone();
    let (device, mut rng) = (Device::cpu(), Rng::seed(0));
    for (low, high) in [(1.0, 0.0), (f32::NAN, 1.0), (0.0, f32::INFINITY), (f32::MIN, f32::MAX)] {
        assert!(Tensor::uniform([2], low, high, &mut rng, &device).check().is_err());
    }
    for p in [-0.1, 1.1, f32::NAN] {
        assert!(Tensor::bernoulli([2], p, &mut rng, &device).check().is_err());
        assert!(Dropout::new(p, &mut rng).forward(&Tensor::ones([2], &device)).check().is_err());
    }
}

#[test]
fn dropout_keeps_the_same_elements_on_every_device_and_scales_them() {
    let _turn = alone();
    let n = 50_000;
    let outputs = devices().into_iter().map(|device| {
        let layer = Dropout::new(0.2, &mut Rng::seed(5));
        let x = Tensor::ones([n], &device);
        let (first, second) = (layer.forward(&x).to_vec::<f32>().unwrap(), layer.forward(&x).to_vec::<f32>().unwrap());
        assert_ne!(first, second, "each call draws another mask");
        first
    });
    let outputs: Vec<Vec<f32>> = outputs.collect();
    assert!(outputs.iter().all(|y| *y == outputs[0]));
    let kept = outputs[0].iter().filter(|&&y| y == 1.25).count();
    assert_eq!(kept + outputs[0].iter().filter(|&&y| y == 0.0).count(), n);
    // 5 standard deviations of a binomial
    assert!((kept as f64 - 0.8 * n as f64).abs() < 5.0 * (n as f64 * 0.16).sqrt(), "{kept} of {n}");
}

#[test]
fn the_gradient_of_dropout_is_its_mask() {
    let _turn = alone();
    for device in devices() {
        for p in [0.0, 0.5, 1.0] {
            let layer = Dropout::new(p, &mut Rng::seed(5));
            let x = Tensor::ones([4, 100], &device).tracked();
            let y = layer.forward(&x);
            let grads = y.sum().backward().unwrap();
            assert_eq!(grads.get(&x).unwrap().to_vec::<f32>().unwrap(), y.to_vec::<f32>().unwrap(), "{p} on {device}");
        }
    }
}

#[test]
fn dropout_hides_what_it_drops_and_is_absent_in_use() {
    let _turn = alone();
    for device in devices() {
        let layer = Dropout::new(1.0, &mut Rng::seed(5));
        let x = Tensor::from_vec(vec![f32::NAN, f32::INFINITY, 1.0], [3], &device);
        assert_eq!(layer.forward(&x).to_vec::<f32>().unwrap(), [0.0; 3], "{device}");
        layer.set_mode(Mode::Eval);
        assert!(layer.forward(&x).to_vec::<f32>().unwrap()[0].is_nan(), "{device}");
    }
}

#[test]
fn steps_with_dropout_replay_their_plan() {
    let _turn = alone();
    for device in devices() {
        let layer = Dropout::new(0.5, &mut Rng::seed(5));
        let x = Tensor::uniform([16, 32], 0.0, 1.0, &mut Rng::seed(1), &device);
        let step = || layer.forward(&x).sum().item::<f32>().unwrap();
        let first = step();
        step();
        let before = device.stats();
        let sums: Vec<f32> = (0..20).map(|_| step()).collect();
        let after = device.stats();
        assert_eq!((after.plans_built, after.pipelines), (before.plans_built, before.pipelines), "{device}");
        assert!(sums.iter().all(|sum| *sum != first), "another mask each step on {device}");
    }
}
