//! Running sums.

use crate::{devices, values};
use tilework::Tensor;

#[test]
fn running_sums_of_floats_stay_near_those_in_f64() {
    let n = 100_003;
    for device in devices() {
        let x: Vec<f32> = values(n).iter().map(|v| (v / 3.0).exp()).collect();
        let y = Tensor::from_slice(&x, [n], &device).cumsum(0).to_vec::<f32>().unwrap();
        let mut sum = 0f64;
        for (i, (&x, &y)) in x.iter().zip(&y).enumerate() {
            sum += f64::from(x);
            // At most 4 + 8 + 32 + log2(1024) additions stand one after the other for a value on a GPU, each half an ulp off.
            let bound = sum * 64.0 * f64::from(f32::EPSILON) / 2.0;
            assert!((f64::from(y) - sum).abs() <= bound, "{i}: {y}, not {sum}, on {device}");
        }
    }
}

#[test]
fn the_gradient_of_a_running_sum_runs_backward() {
    let n = 70_000;
    for device in devices() {
        let x = Tensor::zeros([n], &device).tracked();
        let dx = x.cumsum(0).sum().backward().unwrap().get(&x).unwrap().to_vec::<f32>().unwrap();
        assert!(dx.iter().enumerate().all(|(j, &d)| d == (n - j) as f32), "{device}");
    }
}
