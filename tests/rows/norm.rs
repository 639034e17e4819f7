//! `layer_norm` and `rms_norm`.

use crate::common::{Input, Meaning, TOLERANCE, alone, close, devices, launches, noise, wide};
use tilework::{DType, Device, Tensor};

/// Rows at one scale in f64.
fn hat(width: usize, x: &[f64], eps: f64, centre: bool) -> Vec<f64> {
    let row = |row: &[f64]| {
        let n = width as f64;
        let mean = if centre { row.iter().sum::<f64>() / n } else { 0.0 };
        let scale = (row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n + eps).sqrt();
        row.iter().map(|x| (x - mean) / scale).collect::<Vec<_>>()
    };
    x.chunks(width).flat_map(row).collect()
}

fn affine(width: usize, x: Vec<f64>, w: Option<&Vec<f64>>, b: Option<&Vec<f64>>) -> Vec<f64> {
    let at = |v: Option<&Vec<f64>>, i: usize, none: f64| v.map_or(none, |v| v[i % width]);
    x.into_iter().enumerate().map(|(i, x)| x * at(w, i, 1.0) + at(b, i, 0.0)).collect()
}

fn unfused(x: &Tensor, eps: f32, centre: bool) -> Tensor {
    let centred = if centre { x - x.mean_axes(&[-1]).unsqueeze(-1) } else { x.clone() };
    &centred * (centred.square().mean_axes(&[-1]).unsqueeze(-1) + eps).rsqrt()
}

fn batch(rows: usize, width: usize) -> Input {
    (noise(rows * width, 1).iter().map(|v| 3.0 * v + 0.5).collect(), vec![rows, width])
}

fn row(width: usize, seed: u32) -> Input {
    (noise(width, seed), vec![width])
}

#[test]
fn normalisation_is_the_same_as_its_unfused_form() {
    let _turn = alone();
    const EPS: f32 = 1e-2; // large enough to be seen in a wrong place
    let eps = f64::from(EPS);
    // the root and the quotient add a few roundings to those of the sums
    let tolerance = 2.0 * TOLERANCE;
    for (rows, width) in [(1, 1), (4, 2), (7, 5), (3, 31), (2, 97)] {
        let what = |name| format!("{name} of [{rows}, {width}]");
        Meaning {
            what: what("layer_norm"),
            inputs: vec![batch(rows, width), row(width, 2), row(width, 3)],
            fused: &|x| x[0].layer_norm(&x[1], &x[2], EPS),
            unfused: &|x| unfused(&x[0], EPS, true) * &x[1] + &x[2],
            reference: &|x| affine(width, hat(width, &x[0], eps, true), Some(&x[1]), Some(&x[2])),
            tolerance,
        }
        .check();
        Meaning {
            what: what("layer_norm without a bias"),
            inputs: vec![batch(rows, width), row(width, 2)],
            fused: &|x| x[0].layer_norm(&x[1], None, EPS),
            unfused: &|x| unfused(&x[0], EPS, true) * &x[1],
            reference: &|x| affine(width, hat(width, &x[0], eps, true), Some(&x[1]), None),
            tolerance,
        }
        .check();
        Meaning {
            what: what("layer_norm without a weight"),
            inputs: vec![batch(rows, width), row(width, 3)],
            fused: &|x| x[0].layer_norm(None, &x[1], EPS),
            unfused: &|x| unfused(&x[0], EPS, true) + &x[1],
            reference: &|x| affine(width, hat(width, &x[0], eps, true), None, Some(&x[1])),
            tolerance,
        }
        .check();
        Meaning {
            what: what("rms_norm"),
            inputs: vec![batch(rows, width), row(width, 2)],
            fused: &|x| x[0].rms_norm(&x[1], EPS),
            unfused: &|x| unfused(&x[0], EPS, false) * &x[1],
            reference: &|x| affine(width, hat(width, &x[0], eps, false), Some(&x[1]), None),
            tolerance,
        }
        .check();
        Meaning {
            what: what("rms_norm without a weight"),
            inputs: vec![batch(rows, width)],
            fused: &|x| x[0].rms_norm(None, EPS),
            unfused: &|x| unfused(&x[0], EPS, false),
            reference: &|x| hat(width, &x[0], eps, false),
            tolerance,
        }
        .check();
    }
}

#[test]
fn rows_of_every_length_and_of_a_large_mean_keep_their_digits() {
    let _turn = alone();
    for device in devices() {
        for (rows, width) in [(300, 3), (65, 255), (64, 256), (63, 257), (5, 1000), (2, 4099), (1, 70_001)] {
            for mean in [0.0f32, 1e3, 1e6] {
                let values: Vec<f32> = noise(rows * width, 5).iter().map(|v| 4.0 * v + mean).collect();
                let want = hat(width, &wide(&values), 1e-5, true);
                let x = Tensor::from_vec(values, [rows, width], &device);
                // at 1e6 neighbouring numbers are 0.06 apart, yet these are given exactly: so is their spread
                close(&x.layer_norm(None, None, 1e-5), &want, 2.0 * TOLERANCE, &format!("[{rows}, {width}] at {mean}"));
            }
        }
        let flat = Tensor::full([2, 5], 7.3f32, &device);
        close(&flat.layer_norm(None, None, 1e-5), &[0.0; 10], TOLERANCE, "equal elements");
        close(&Tensor::zeros([2, 5], &device).rms_norm(None, 1e-5), &[0.0; 10], 0.0, "zeros");
    }
}

#[test]
fn a_row_may_have_several_dimensions_and_any_strides() {
    let _turn = alone();
    for device in devices() {
        let x = Tensor::from_vec(noise(120, 3), [5, 4, 3, 2], &device);
        let w = Tensor::from_vec(noise(6, 4), [3, 2], &device);
        let flat = x.reshape([20, 6]).layer_norm(&w.reshape(6), None, 1e-5);
        let y = x.layer_norm(&w, None, 1e-5);
        assert_eq!(y.shape(), x.shape());
        assert_eq!(y.to_vec::<f32>().unwrap(), flat.to_vec::<f32>().unwrap(), "{device}");
        let turned = x.permute(&[3, 1, 0, 2]);
        let copied = Tensor::from_vec(turned.to_vec::<f32>().unwrap(), turned.shape(), &device);
        assert_eq!(
            turned.rms_norm(None, 1e-5).to_vec::<f32>().unwrap(),
            copied.rms_norm(None, 1e-5).to_vec::<f32>().unwrap(),
            "{device}"
        );
        assert_eq!(Tensor::zeros([0, 3], &device).layer_norm(None, None, 1e-5).shape(), [0, 3]);
    }
}

#[test]
fn a_norm_is_one_launch_with_the_maps_around_it_and_so_is_its_gradient() {
    let _turn = alone();
    for device in devices() {
        let x = Tensor::from_vec(noise(96, 3), [6, 16], &device).tracked();
        let (w, b) = (Tensor::ones([16], &device), Tensor::zeros([16], &device));
        let forward = launches(&device, || vec![x.layer_norm(&w, &b, 1e-5).relu()]);
        assert!(forward <= 1, "{forward} launches on {device}");
        let slopes = Tensor::from_vec(noise(96, 4), [6, 16], &device);
        let y = x.layer_norm(&w, &b, 1e-5);
        y.to_vec::<f32>().unwrap();
        let backward = launches(&device, || vec![(&y * &slopes).sum().backward().unwrap().get(&x).unwrap()]);
        assert!(backward <= 2, "{backward} launches on {device}"); // slopes times 1, then the gradient
    }
}

#[test]
fn sixteen_bit_rows_are_normalised_wide() {
    let _turn = alone();
    for device in devices() {
        let x = Tensor::from_vec(noise(40, 3), [4, 10], &device);
        for dtype in [DType::F16, DType::BF16] {
            let half = x.to_dtype(dtype);
            let y = half.layer_norm(None, None, 1e-5);
            assert_eq!(y.dtype(), dtype);
            let wide = half.to_dtype(DType::F32).layer_norm(None, None, 1e-5).to_dtype(dtype);
            let both = [y, wide].map(|y| y.to_dtype(DType::F32).to_vec::<f32>().unwrap());
            assert_eq!(both[0], both[1], "{device}");
        }
    }
}

#[test]
fn a_weight_of_another_shape_is_refused() {
    let cpu = Device::cpu();
    let (x, w) = (Tensor::zeros([2, 3], &cpu), Tensor::ones([2], &cpu));
    for (failed, text) in [
        (
            x.layer_norm(&w, None, 1e-5),
            "layer_norm: weight and bias must have the shape of the last dimensions: input [2, 3], weight [2], bias none",
        ),
        (x.layer_norm(&Tensor::ones([3], &cpu), &w, 1e-5), "weight [3], bias [2]"),
        (x.rms_norm(&Tensor::ones((), &cpu), 1e-5), "rms_norm: weight and bias"),
    ] {
        let error = failed.check().err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains(text) && error.contains("norm.rs"), "{error}");
    }
}
