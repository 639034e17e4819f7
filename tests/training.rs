//! Training on known data from known weights, against what torch, jax and Keras compute.

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
        let loss = ce(&logits, &y.slice(0, start..start + batch));
        adam.step(loss.backward().unwrap()).unwrap();
        total += f64::from(loss.item::<f32>().unwrap());
    }
    total / (rows / batch) as f64
}

#[test]
fn the_small_network_learns_digits_as_torch_does() {
    let data = digits().unwrap();
    let Target::Labels(labels) = data.train.target() else { panic!("digits are classes") };
    for device in [Some(Device::cpu()), Device::gpu().ok()].into_iter().flatten() {
        let net = network(&[64, 64, 32, 10], 7010, &device);
        let t = std::time::Instant::now();
        let loss = first_epoch(&net, data.train.features(), labels, 32, &device);
        println!("{device} {loss} {:?} {:?}", t.elapsed(), device.stats());
        // torch 2.15, jax 0.10 and Keras agree on 2.23394.
        assert!((loss / 2.23394 - 1.0).abs() < 2e-3, "{device}: {loss}");
    }
}

fn ce(logits: &Tensor, y: &Tensor) -> Tensor {
    let b = logits.shape()[0];
    let z = logits - logits.max_axes(&[1]).reshape([b, 1]).detach();
    let lse = z.exp().sum_axes(&[1]).ln();
    let hot = y.reshape([b, 1]).eq(&Tensor::arange(0u32..10, y.device())).to_dtype(tilework::DType::F32);
    (lse - (&z * &hot).sum_axes(&[1])).mean()
}
