//! Training on known data from known weights, against what torch, jax and Keras compute.

mod common;
#[path = "training/traced.rs"]
mod traced;

use common::{alone, devices, gpu};
use tilework::data::{Target, digits};
use tilework::nn::{Init, Linear, Module, Relu, Sequential};
use tilework::optim::{Adam, Optimizer};
use tilework::{Device, Rng, Tensor};

/// splitmix64, the recipe of the reference sets.
fn raw(seed: u64, i: u64) -> u64 {
    let z = seed.wrapping_add((i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Standard normal number `k` of a stream.
fn norm(seed: u64, k: u64) -> f64 {
    let p = k / 2;
    let u1 = ((raw(seed, 2 * p) >> 11) + 1) as f64 * (-53f64).exp2();
    let u2 = (raw(seed, 2 * p + 1) >> 11) as f64 * (-53f64).exp2();
    let (r, a) = ((-2.0 * u1.ln()).sqrt(), std::f64::consts::TAU * u2);
    if k.is_multiple_of(2) { r * a.cos() } else { r * a.sin() }
}

/// The network of the given sizes with the reference start weights.
fn network(sizes: &[usize], base: u64, device: &Device) -> Sequential {
    let mut net = Sequential::new();
    for (l, pair) in sizes.windows(2).enumerate() {
        let (inputs, outputs) = (pair[0], pair[1]);
        let scale = (2.0 / inputs as f64).sqrt();
        let weight = |i: usize, o: usize| (scale * norm(base + l as u64, (i * outputs + o) as u64)) as f32;
        let values: Vec<f32> = (0..outputs).flat_map(|o| (0..inputs).map(move |i| weight(i, o))).collect();
        let layer = Linear::with_init(inputs, outputs, Init::Zeros, Init::Zeros, &mut Rng::seed(0), device);
        layer.weight.set(&Tensor::from_vec(values, [outputs, inputs], device)).unwrap();
        net = net.add(layer);
        if l + 2 < sizes.len() {
            net = net.add(Relu);
        }
    }
    net
}

/// Mean loss over the steps of one epoch, rows in order, the last short batch dropped.
fn first_epoch(net: &Sequential, x: &[f32], y: &[u32], batch: usize, device: &Device) -> f64 {
    let rows = y.len() / batch * batch;
    let width = x.len() / y.len();
    let x = Tensor::from_slice(&x[..rows * width], [rows, width], device);
    let y = Tensor::from_slice(&y[..rows], [rows], device);
    let mut adam = Optimizer::new(Adam::default(), net.parameters());
    let mut total = 0.0;
    for start in (0..rows).step_by(batch) {
        let logits = net.forward(&x.slice(0, start..start + batch));
        let loss = logits.cross_entropy(&y.slice(0, start..start + batch));
        adam.step(loss.backward().unwrap()).unwrap();
        total += f64::from(loss.item::<f32>().unwrap());
    }
    total / (rows / batch) as f64
}

#[test]
fn the_small_network_learns_digits_as_torch_does() {
    let _turn = alone();
    let data = digits().unwrap();
    let Target::Labels(labels) = data.train.target() else { panic!("digits are classes") };
    for device in devices() {
        let net = network(&[64, 64, 32, 10], 7010, &device);
        let loss = first_epoch(&net, data.train.features(), labels, 32, &device);
        println!("{device}: {loss}");
        // torch 2.15, jax 0.10 and Keras agree on 2.23394.
        assert!((loss / 2.23394 - 1.0).abs() < 2e-3, "{device}: {loss}");
    }
}

#[test]
fn the_big_network_learns_as_torch_does() {
    let _turn = alone();
    let (rows, width) = (60_000usize, 784usize);
    let x: Vec<f32> = (0..rows * width).map(|k| norm(6001, k as u64) as f32).collect();
    let t: Vec<f64> = (0..width * 10).map(|k| f64::from(norm(6002, k as u64) as f32)).collect();
    let label = |row: &[f32]| {
        let mut score = [0f64; 10];
        for (value, weights) in row.iter().zip(t.chunks(10)) {
            for (sum, weight) in score.iter_mut().zip(weights) {
                *sum += f64::from(*value) * weight;
            }
        }
        (0..10).rev().max_by(|&a, &b| score[a].total_cmp(&score[b])).unwrap_or(0) as u32
    };
    let y: Vec<u32> = x.chunks(width).map(label).collect();
    let device = Device::cpu();
    // The same in torch, jax and Keras.
    for (batch, known) in [(128, 1.0746), (1024, 1.7220)] {
        let net = network(&[784, 512, 256, 10], 6010, &device);
        let loss = first_epoch(&net, &x, &y, batch, &device);
        println!("batch {batch}: {loss}");
        assert!((loss / known - 1.0).abs() < 2e-3, "batch {batch}: {loss}, known {known}");
    }
}

/// What one step of the device's counters says.
fn counted(device: &Device, step: impl FnOnce()) -> [u64; 4] {
    let before = device.stats();
    step();
    let after = device.stats();
    [
        after.dispatches - before.dispatches,
        after.submits - before.submits,
        after.pipelines - before.pipelines,
        after.allocations - before.allocations,
    ]
}

#[test]
fn a_step_of_l_layers_is_at_most_4l_plus_2_launches_in_one_submit() {
    let _turn = alone();
    let Some(device) = gpu() else { return };
    for layers in [2usize, 3, 5] {
        let mut sizes = vec![20; layers];
        sizes.push(10);
        let net = network(&sizes, 7010, &device);
        let x = Tensor::uniform([64 * 16, 20], -1.0, 1.0, &mut Rng::seed(1), &device);
        let y = Tensor::from_vec((0..64 * 16).map(|i| i % 10).collect::<Vec<u32>>(), [64 * 16], &device);
        let mut adam = Optimizer::new(Adam::default(), net.parameters());
        for step in 0..16 {
            let rows = step * 64..(step + 1) * 64;
            let [launches, submits, pipelines, allocations] = counted(&device, || {
                let loss = net.forward(&x.slice(0, rows.clone())).cross_entropy(&y.slice(0, rows));
                adam.step(loss.backward().unwrap()).unwrap();
            });
            if step > 0 {
                assert!(launches <= 4 * layers as u64 + 2, "{layers} layers: {launches} launches");
                assert_eq!(submits, 1, "{layers} layers, step {step}");
            }
            if step >= 2 {
                assert_eq!(pipelines, 0, "{layers} layers, step {step}");
            }
            if step >= 3 {
                assert_eq!(allocations, 0, "{layers} layers, step {step}");
            }
        }
    }
}

#[test]
fn a_hundred_steps_build_plans_in_the_first_two_only() {
    let _turn = alone();
    for device in devices() {
        let net = network(&[20, 16, 10], 7010, &device);
        let x = Tensor::uniform([3200, 20], -1.0, 1.0, &mut Rng::seed(1), &device);
        let y = Tensor::from_vec((0..3200).map(|i| i % 10).collect::<Vec<u32>>(), [3200], &device);
        let mut adam = Optimizer::new(Adam::default(), net.parameters());
        let mut built = 0;
        for step in 0..100 {
            let rows = step * 32..(step + 1) * 32;
            adam.set_learning_rate(1e-3 / (step + 1) as f64);
            let loss = net.forward(&x.slice(0, rows.clone())).cross_entropy(&y.slice(0, rows));
            adam.step(loss.backward().unwrap()).unwrap();
            if step == 1 {
                built = device.stats().plans_built + device.stats().pipelines;
            }
        }
        let now = device.stats().plans_built + device.stats().pipelines;
        assert_eq!(now, built, "{device}: a plan or pipeline was built after the second step");
    }
}
