//! Long programs: memory stays bounded without a read, and depth costs no stack.

mod common;

use common::{alone, devices};
use tilework::{Device, Tensor};

#[test]
fn a_hundred_thousand_operations_without_a_read_stay_in_bounded_memory() {
    let _turn = alone();
    for device in devices() {
        let step = Tensor::full([1024], 1e-3f32, &device);
        let mut x = Tensor::zeros([1024], &device);
        let mut half_way = 0;
        for i in 0..100_000 {
            x = &x + &step;
            if i == 50_000 {
                half_way = device.stats().peak_bytes;
            }
        }
        let stats = device.stats();
        assert_eq!(stats.peak_bytes, half_way, "{device}: memory still grows");
        assert!(stats.peak_bytes < 64 << 20, "{device}: {} bytes", stats.peak_bytes);
        assert!(stats.plans_built < 100, "{device}: {} plans for one loop", stats.plans_built);
        let sum = x.to_vec::<f32>().unwrap()[7];
        // 100,000 roundings of at most half an ulp of 128
        assert!((sum - 100.0).abs() < 0.4, "{device}: {sum}");
    }
}

#[test]
fn a_chain_of_fifty_thousand_operations_differentiates() {
    let _turn = alone();
    for device in devices() {
        let x = Tensor::full([4], 2.0f32, &device).tracked();
        let mut y = x.clone();
        for _ in 0..25_000 {
            y = (&y + 1.0) - 1.0;
        }
        let grads = y.sum().backward().unwrap();
        assert_eq!(grads.get(&x).unwrap().to_vec::<f32>().unwrap(), [1.0; 4], "{device}");
        let kept = y.sum().backward();
        assert!(kept.unwrap_err().to_string().contains("released"), "{device}");
    }
}

#[test]
fn a_long_chain_that_is_never_differentiated_is_dropped_without_a_stack_overflow() {
    let _turn = alone();
    let x = Tensor::ones([2], &Device::cpu()).tracked();
    let mut y = x.clone();
    for _ in 0..50_000 {
        y = y.sin();
    }
    drop(x);
    drop(y);
}
