//! Running sums.

use crate::{check_linear, devices, error, values};
use tilework::Tensor;

#[test]
fn running_sums_are_exact_for_integers_at_every_length() {
    for device in devices() {
        // The last ones are cut into parts.
        for [a, n, b] in [[1, 0, 1], [1, 1, 1], [3, 7, 2], [2, 255, 1], [1, 256, 3], [257, 257, 1], [2, 1025, 40]]
            .into_iter()
            .chain([[1, 100_003, 1], [3, 33_000, 2], [1, 65_537, 33]])
        {
            let x: Vec<i32> = (0..a * n * b).map(|i| (i as i32).wrapping_mul(1_000_003)).collect(); // wraps
            let mut expected = x.clone();
            for at in 0..x.len() {
                if at / b % n > 0 {
                    expected[at] = expected[at - b].wrapping_add(x[at]);
                }
            }
            let tensor = Tensor::from_slice(&x, [a, n, b], &device);
            let case = format!("{a} {n} {b} {device}");
            assert!(tensor.cumsum(1).to_vec::<i32>().unwrap() == expected, "{case}");
            let view = tensor.permute(&[2, 0, 1]).contiguous().permute(&[1, 2, 0]);
            assert!(view.cumsum(-2).to_vec::<i32>().unwrap() == expected, "a view {case}");
        }
        let bools = Tensor::from_vec(vec![true, false, true], [3], &device);
        assert_eq!(bools.cumsum(0).to_vec::<i32>().unwrap(), [1, 1, 2]);
        let wide = Tensor::from_vec(vec![u32::MAX, 2], [2], &device);
        assert_eq!(wide.cumsum(0).to_vec::<u32>().unwrap(), [u32::MAX, 1]);
        assert!(error(&wide.cumsum(1)).starts_with("cumsum: axis 1 is out of range for shape [2]"));
    }
}

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
    check_linear("cumsum", &[9], |x| x.cumsum(0));
    check_linear("cumsum of an inner axis", &[3, 4, 2], |x| x.cumsum(1));
    check_linear("cumsum of a view", &[5, 3], |x| x.t().cumsum(0).slice(1, 1..4));
    let n = 70_000;
    for device in devices() {
        let x = Tensor::zeros([n], &device).tracked();
        let dx = x.cumsum(0).sum().backward().unwrap().get(&x).unwrap().to_vec::<f32>().unwrap();
        assert!(dx.iter().enumerate().all(|(j, &d)| d == (n - j) as f32), "{device}");
    }
}
