//! `var`, `std` and `norm`.

use crate::common::{Meaning, TOLERANCE, alone, close, devices, noise, wide};
use tilework::{Correction, DType, Device, Tensor};

fn squares(width: usize, x: &[f64], centre: bool) -> Vec<f64> {
    let row = |row: &[f64]| {
        let mean = if centre { row.iter().sum::<f64>() / width as f64 } else { 0.0 };
        row.iter().map(|x| (x - mean).powi(2)).sum::<f64>()
    };
    x.chunks(width).map(row).collect()
}

#[test]
fn measures_of_spread_and_their_gradients_are_the_same_as_their_unfused_forms() {
    let _turn = alone();
    for (rows, width) in [(1, 2), (7, 5), (3, 31), (2, 97)] {
        let inputs = vec![(noise(rows * width, 1), vec![rows, width])];
        let what = |name| format!("{name} of [{rows}, {width}]");
        let plain = |x: &Tensor| (x - x.mean_axes(&[1]).unsqueeze(1)).square().sum_axes(&[1]);
        let n = width as f64;
        Meaning {
            what: what("var"),
            inputs: inputs.clone(),
            fused: &|x| x[0].var_axes(&[-1], Correction::Sample),
            unfused: &|x| plain(&x[0]) / (width - 1) as f32,
            reference: &|x| squares(width, &x[0], true).iter().map(|s| s / (n - 1.0)).collect(),
            tolerance: TOLERANCE,
        }
        .check();
        Meaning {
            what: what("std"),
            inputs: inputs.clone(),
            fused: &|x| x[0].std_axes(&[-1], Correction::Population),
            unfused: &|x| (plain(&x[0]) / width as f32).sqrt(),
            reference: &|x| squares(width, &x[0], true).iter().map(|s| (s / n).sqrt()).collect(),
            tolerance: TOLERANCE,
        }
        .check();
        Meaning {
            what: what("norm"),
            inputs,
            fused: &|x| x[0].norm_axes(&[-1]),
            unfused: &|x| x[0].square().sum_axes(&[1]).sqrt(),
            reference: &|x| squares(width, &x[0], false).iter().map(|s| s.sqrt()).collect(),
            tolerance: TOLERANCE,
        }
        .check();
    }
}

#[test]
fn any_axes_can_be_measured() {
    let _turn = alone();
    for device in devices() {
        let x = Tensor::from_vec(noise(60, 3), [3, 4, 5], &device);
        let moved = x.permute(&[1, 0, 2]).reshape([4, 15]);
        let want: Vec<f64> =
            squares(15, &wide(&moved.to_vec::<f32>().unwrap()), true).iter().map(|s| s / 15.0).collect();
        close(&x.var_axes(&[2, 0], Correction::Population), &want, TOLERANCE, "two axes");
        let all = squares(60, &wide(&x.to_vec::<f32>().unwrap()), true)[0];
        close(&x.var(), &[all / 59.0], TOLERANCE, "var");
        close(&x.std(), &[(all / 59.0).sqrt()], TOLERANCE, "std");
        assert_eq!(x.norm().shape(), []);
        let shifted = x.to_dtype(DType::F32) + 1000.0;
        let held = squares(60, &wide(&shifted.to_vec::<f32>().unwrap()), true)[0];
        // the mean is rounded to 3e-5, whose square is far below the tolerance
        close(&shifted.var(), &[held / 59.0], TOLERANCE, "a large mean");
    }
}

#[test]
fn too_few_elements_have_no_variance() {
    let _turn = alone();
    for device in devices() {
        let one = Tensor::ones([2, 1], &device);
        close(&one.var_axes(&[1], Correction::Sample), &[f64::NAN; 2], 0.0, "one element, n - 1");
        close(&one.var_axes(&[1], Correction::Population), &[0.0; 2], 0.0, "one element, n");
        close(&Tensor::zeros([2, 0], &device).var_axes(&[1], Correction::Population), &[f64::NAN; 2], 0.0, "none");
        close(&Tensor::zeros([2, 0], &device).norm_axes(&[1]), &[0.0; 2], 0.0, "the norm of nothing");
    }
}

#[test]
fn no_gradient_flows_where_a_root_is_zero() {
    let _turn = alone();
    for device in devices() {
        for measure in [Tensor::std as fn(&Tensor) -> Tensor, Tensor::norm] {
            let x = Tensor::zeros([4], &device).tracked();
            let grad = measure(&x).backward().unwrap().get(&x).unwrap();
            assert_eq!(grad.to_vec::<f32>().unwrap(), [0.0; 4], "{device}");
        }
    }
}

#[test]
fn sixteen_bit_values_are_measured_wide() {
    let _turn = alone();
    for device in devices() {
        let half = (Tensor::from_vec(noise(40, 3), [40], &device) + 50.0).to_dtype(DType::BF16);
        let y = half.var();
        assert_eq!(y.dtype(), DType::BF16);
        let wide = half.to_dtype(DType::F32).var().to_dtype(DType::BF16);
        let both = [y, wide].map(|y| y.to_dtype(DType::F32).item::<f32>().unwrap());
        assert_eq!(both[0], both[1], "{device}");
    }
}

#[test]
fn a_wrong_axis_is_named() {
    let x = Tensor::zeros([2, 3], &Device::cpu());
    for (failed, text) in [
        (x.var_axes(&[2], Correction::Sample), "var: axis 2 is out of range for shape [2, 3]"),
        (x.std_axes(&[-3], Correction::Sample), "std: axis -3 is out of range"),
        (x.norm_axes(&[0, 5]), "norm: axis 5 is out of range"),
    ] {
        let error = failed.check().err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains(text) && error.contains("variance.rs"), "{error}");
    }
}
