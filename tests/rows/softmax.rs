//! `softmax`, `log_softmax`, `logsumexp`.

use crate::common::{Meaning, TOLERANCE, alone, close, devices, launches, noise, scaled};
use tilework::{DType, Device, Tensor};

fn softmax(width: usize, x: &[f64]) -> Vec<f64> {
    log_softmax(width, x).into_iter().map(f64::exp).collect()
}

fn log_softmax(width: usize, x: &[f64]) -> Vec<f64> {
    let totals = logsumexp(width, x);
    x.chunks(width).zip(totals).flat_map(|(row, total)| row.iter().map(move |x| x - total)).collect()
}

fn logsumexp(width: usize, x: &[f64]) -> Vec<f64> {
    let total = |row: &[f64]| {
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if top.is_infinite() { top } else { top + row.iter().map(|x| (x - top).exp()).sum::<f64>().ln() }
    };
    x.chunks(width).map(total).collect()
}

fn unfused_logsumexp(x: &Tensor) -> Tensor {
    let top = x.max_axes(&[-1]).unsqueeze(-1).detach();
    (x - &top).exp().sum_axes(&[-1]).ln() + top.squeeze(-1)
}

fn unfused_log_softmax(x: &Tensor) -> Tensor {
    x - unfused_logsumexp(x).unsqueeze(-1)
}

#[test]
fn softmax_and_its_logarithm_are_the_same_as_their_unfused_forms() {
    let _turn = alone();
    for (rows, width) in [(1, 1), (4, 1), (1, 2), (7, 5), (3, 31), (2, 97)] {
        let inputs = vec![(scaled(noise(rows * width, 1), 4.0), vec![rows, width])];
        let what = |name| format!("{name} of [{rows}, {width}]");
        let tolerance = TOLERANCE;
        Meaning {
            what: what("softmax"),
            inputs: inputs.clone(),
            fused: &|x| x[0].softmax(-1),
            unfused: &|x| unfused_log_softmax(&x[0]).exp(),
            reference: &|x| softmax(width, &x[0]),
            tolerance,
        }
        .check();
        Meaning {
            what: what("log_softmax"),
            inputs: inputs.clone(),
            fused: &|x| x[0].log_softmax(-1),
            unfused: &|x| unfused_log_softmax(&x[0]),
            reference: &|x| log_softmax(width, &x[0]),
            tolerance,
        }
        .check();
        Meaning {
            what: what("logsumexp"),
            inputs,
            fused: &|x| x[0].logsumexp(&[-1]),
            unfused: &|x| unfused_logsumexp(&x[0]),
            reference: &|x| logsumexp(width, &x[0]),
            tolerance,
        }
        .check();
    }
}

#[test]
fn rows_of_every_length_add_up_to_one() {
    let _turn = alone();
    for device in devices() {
        for (rows, width) in
            [(300, 3), (65, 255), (64, 256), (63, 257), (5, 1000), (2, 4099), (1, 100_003), (2, 70_001)]
        {
            let values = scaled(noise(rows * width, 9), 6.0);
            let exact: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
            let x = Tensor::from_vec(values, [rows, width], &device);
            let what = format!("[{rows}, {width}]");
            close(&x.log_softmax(-1), &log_softmax(width, &exact), TOLERANCE, &what);
            close(&x.softmax(-1).sum_axes(&[-1]), &vec![1.0; rows], TOLERANCE, &what);
            close(&x.logsumexp(&[1]), &logsumexp(width, &exact), TOLERANCE, &what);
        }
    }
}

#[test]
fn rows_too_long_for_one_workgroup_are_cut_into_parts() {
    let _turn = alone();
    let width = (1 << 20) + 77;
    let values = scaled(noise(width, 9), 6.0);
    let exact: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
    for device in devices() {
        let x = Tensor::from_slice(&values, [1, width], &device).tracked();
        close(&x.logsumexp(&[0, 1]), &logsumexp(width, &exact), TOLERANCE, "logsumexp");
        close(&x.log_softmax(-1), &log_softmax(width, &exact), TOLERANCE, "log_softmax");
        let y = x.softmax(-1);
        close(&y, &softmax(width, &exact), TOLERANCE, "softmax");
        // d Σ y² = 2y(y - Σ y²): numbers of 1e-6, compared at that size
        let squares: f64 = softmax(width, &exact).iter().map(|y| y * y).sum();
        let want: Vec<f64> = softmax(width, &exact).iter().map(|y| 1e6 * 2.0 * y * (y - squares)).collect();
        let grad = (y.square().sum() * 1e6).backward().unwrap().get(&x).unwrap();
        close(&grad, &want, TOLERANCE, "gradient");
        let n = width as f64;
        let mean = exact.iter().sum::<f64>() / n;
        let scale = (exact.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        let (w, b) = (Tensor::full([width], 2.0f32, &device), Tensor::ones([width], &device));
        let want: Vec<f64> = exact.iter().map(|v| 2.0 * (v - mean) / scale + 1.0).collect();
        close(&x.layer_norm(&w, &b, 0.0), &want, 2.0 * TOLERANCE, "layer_norm");
    }
}

#[test]
fn extreme_rows_stay_in_range() {
    let _turn = alone();
    let below = f32::NEG_INFINITY;
    let rows = [
        [1000.0f32, 1001.0, 1002.0],
        [88.0, -88.0, 0.0],
        [300.0, -300.0, 300.0],
        [below, 1.0, 2.0],
        [below, below, -5.0],
        [-1e30, 1e30, 0.0],
    ];
    let values: Vec<f32> = rows.into_iter().flatten().collect();
    let exact: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
    for device in devices() {
        let x = Tensor::from_slice(&values, [6, 3], &device);
        close(&x.softmax(-1), &softmax(3, &exact), TOLERANCE, "softmax");
        close(&x.log_softmax(-1), &log_softmax(3, &exact), TOLERANCE, "log_softmax");
        close(&x.logsumexp(&[-1]), &logsumexp(3, &exact), TOLERANCE, "logsumexp");
        let masked = Tensor::full([1, 3], below, &device);
        close(&masked.logsumexp(&[-1]), &[f64::NEG_INFINITY], 0.0, "logsumexp of nothing but -inf");
        close(&masked.softmax(-1), &[f64::NAN; 3], 0.0, "softmax of nothing but -inf");
        let high = Tensor::from_vec(vec![f32::INFINITY, 0.0], [2], &device);
        close(&high.logsumexp(&[0]), &[f64::INFINITY], 0.0, "logsumexp of inf");
    }
}

#[test]
fn other_axes_and_views_are_rows_too() {
    let _turn = alone();
    for device in devices() {
        let x = Tensor::from_vec(noise(60, 3), [3, 4, 5], &device);
        for axis in [0, 1, 2, -3] {
            let plain = x.transpose(axis, -1).contiguous().softmax(-1).transpose(axis, -1);
            assert_eq!(x.softmax(axis).shape(), x.shape());
            assert_eq!(x.softmax(axis).to_vec::<f32>().unwrap(), plain.to_vec::<f32>().unwrap(), "{axis} on {device}");
        }
        let all = x.to_vec::<f32>().unwrap().iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        close(&x.logsumexp(&[0, 1, 2]), &logsumexp(60, &all), TOLERANCE, "all axes");
        let outer = x.permute(&[1, 0, 2]).reshape([4, 15]);
        let want = outer.to_vec::<f32>().unwrap().iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        close(&x.logsumexp(&[0, 2]), &logsumexp(15, &want), TOLERANCE, "two axes");
        assert_eq!(x.logsumexp(&[]).to_vec::<f32>().unwrap(), x.to_vec::<f32>().unwrap());
        let cut = x.slice(2, 1..4);
        let copied = Tensor::from_vec(cut.to_vec::<f32>().unwrap(), [3, 4, 3], &device);
        assert_eq!(cut.softmax(-1).to_vec::<f32>().unwrap(), copied.softmax(-1).to_vec::<f32>().unwrap());
        assert_eq!(Tensor::zeros([0, 3], &device).softmax(-1).shape(), [0, 3]);
        close(&Tensor::zeros([2, 0], &device).logsumexp(&[1]), &[f64::NEG_INFINITY; 2], 0.0, "no elements");
    }
}

#[test]
fn a_map_before_and_a_map_after_cost_no_launch() {
    let _turn = alone();
    for device in devices() {
        let x = Tensor::from_vec(noise(64, 3), [8, 8], &device);
        let mask = Tensor::from_vec((0..64).map(|i| i % 8 <= i / 8).collect(), [8, 8], &device);
        let values = Tensor::from_vec(noise(64, 4), [8, 8], &device);
        let scaled_softmax = || {
            let scores = (&x * 0.5).masked_fill(&mask.logical_not(), f32::NEG_INFINITY);
            vec![scores.softmax(-1) * &values]
        };
        let count = launches(&device, scaled_softmax);
        assert!(count <= 1, "{count} launches on {device}");
        let fused = scaled_softmax().remove(0).to_vec::<f32>().unwrap();
        let scores = (&x * 0.5).masked_fill(&mask.logical_not(), f32::NEG_INFINITY);
        scores.to_vec::<f32>().unwrap(); // computed, so that nothing can be fused with it
        let shares = scores.softmax(-1);
        shares.to_vec::<f32>().unwrap();
        assert_eq!(fused, (shares * &values).to_vec::<f32>().unwrap(), "{device}");
    }
}

#[test]
fn gradients_are_one_launch() {
    let _turn = alone();
    let ops: [&dyn Fn(&Tensor) -> Tensor; 3] =
        [&|x| x.softmax(-1), &|x| x.log_softmax(-1), &|x| x.logsumexp(&[-1]).unsqueeze(-1)];
    for device in devices() {
        for op in ops {
            let x = Tensor::from_vec(noise(48, 3), [6, 8], &device).tracked();
            let slopes = Tensor::from_vec(noise(48, 4), [6, 8], &device);
            let y = op(&x);
            let slopes = slopes.slice(1, 0..y.shape()[1]);
            y.to_vec::<f32>().unwrap();
            // the loss itself is not wanted, so that only the gradient runs
            let count = launches(&device, || vec![(&y * &slopes).sum().backward().unwrap().get(&x).unwrap()]);
            assert!(count <= 2, "{count} launches on {device}"); // slopes times 1, then the gradient
        }
    }
}

#[test]
fn sixteen_bit_rows_are_rounded_once() {
    let _turn = alone();
    for device in devices() {
        let x = Tensor::from_vec(scaled(noise(40, 3), 3.0), [4, 10], &device);
        for dtype in [DType::F16, DType::BF16] {
            let half = x.to_dtype(dtype);
            let y = half.softmax(-1);
            assert_eq!(y.dtype(), dtype);
            let wide = half.to_dtype(DType::F32).softmax(-1).to_dtype(dtype);
            let both = [y, wide].map(|y| y.to_dtype(DType::F32).to_vec::<f32>().unwrap());
            assert_eq!(both[0], both[1], "{device}");
        }
    }
}

#[test]
fn integers_are_computed_as_floats_and_wrong_axes_say_so() {
    let cpu = Device::cpu();
    let y = Tensor::from_vec(vec![1i32, 1], [2], &cpu).softmax(0);
    assert_eq!(y.to_vec::<f32>().unwrap(), [0.5, 0.5]);
    for (failed, text) in [
        (y.softmax(1), "softmax: axis 1 is out of range for shape [2]"),
        (y.log_softmax(-2), "log_softmax: axis -2 is out of range"),
        (y.logsumexp(&[0, 3]), "logsumexp: axis 3 is out of range"),
        (Tensor::zeros((), &cpu).softmax(-1), "softmax: axis -1 is out of range for shape []"),
    ] {
        let error = failed.check().err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains(text) && error.contains("softmax.rs"), "{error}");
    }
}
