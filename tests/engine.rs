//! The engine as a user meets it: tensors, plans and gradients on every device of this machine.

mod common;

use common::{alone, devices};
use tilework::{DType, Rng, Tensor};

#[test]
fn a_layer_and_its_gradients_agree_with_pencil_and_paper() {
    let _turn = alone();
    for device in devices() {
        let x = Tensor::from_vec(vec![1.0, -2.0, 3.0, 4.0], [2, 2], &device).tracked();
        let w = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0], [2, 2], &device).tracked();
        let b = Tensor::full([2], 0.5f32, &device).tracked();
        let y = (&x.matmul(&w) + &b).relu();
        // [1-6, 2-8] + 0.5 is below zero; [3+12, 6+16] + 0.5
        assert_eq!(y.to_vec::<f32>().unwrap(), [0.0, 0.0, 15.5, 22.5], "{device}");
        let grads = (&y * &y).mean().backward().unwrap();
        // dy = 2y/4 = [0, 0, 7.75, 11.25]
        assert_eq!(grads.get(&b).unwrap().to_vec::<f32>().unwrap(), [7.75, 11.25], "{device}");
        assert_eq!(grads.get(&w).unwrap().to_vec::<f32>().unwrap(), [23.25, 33.75, 31.0, 45.0], "{device}");
        assert_eq!(grads.get(&x).unwrap().to_vec::<f32>().unwrap(), [0.0, 0.0, 30.25, 68.25], "{device}");
    }
}

#[test]
fn bias_and_activation_are_one_launch_with_their_product() {
    let _turn = alone();
    let Some(gpu) = devices().into_iter().nth(1) else { return };
    let x = Tensor::ones([64, 32], &gpu);
    let w = Tensor::ones([32, 16], &gpu);
    let b = Tensor::ones([16], &gpu);
    let before = gpu.stats();
    let y = (&x.matmul(&w) + &b).relu();
    gpu.flush().unwrap();
    assert_eq!(gpu.stats().dispatches - before.dispatches, 1);
    assert!(y.to_vec::<f32>().unwrap().iter().all(|&v| v == 33.0));
}

#[test]
fn a_dead_result_is_never_computed() {
    let _turn = alone();
    for device in devices() {
        let x = Tensor::ones([8], &device);
        let before = device.stats();
        drop(x.exp());
        device.flush().unwrap();
        let after = device.stats();
        assert_eq!(after.dispatches, before.dispatches);
        assert_eq!(after.allocations, before.allocations, "{device}");
    }
}

#[test]
fn slices_of_one_size_from_many_places_share_a_plan() {
    let _turn = alone();
    for device in devices() {
        let x = Tensor::ones([20], &device).tracked();
        let step = |start: usize| {
            let grads = x.slice(0, start..start + 4).sum().backward().unwrap();
            grads.get(&x).unwrap().to_vec::<f32>().unwrap()
        };
        step(0);
        let before = device.stats().plans_built;
        for start in 1..16 {
            let dx = step(start);
            assert!(dx.iter().enumerate().all(|(i, &d)| d == f32::from((start..start + 4).contains(&i))));
        }
        assert_eq!(device.stats().plans_built, before, "{device}");
    }
}

#[test]
fn a_memory_budget_is_an_error_with_its_numbers_and_the_device_works_on() {
    let _turn = alone();
    for device in devices() {
        device.clear_plans().unwrap();
        device.trim();
        device.set_memory_budget(device.stats().bytes_in_use + (1 << 20));
        let large = Tensor::ones([1 << 20], &device).exp();
        let error = large.to_vec::<f32>().unwrap_err();
        assert_eq!(error.code(), "out-of-memory", "{device}: {error}");
        assert!(error.to_string().contains("bytes asked for, "), "{device}: {error}");
        device.set_memory_budget(u64::MAX);
        device.synchronize().unwrap();
        assert_eq!(
            large.to_vec::<f32>().unwrap_err().code(),
            "out-of-memory",
            "{device}: a failed result stays failed"
        );
        assert_eq!(Tensor::ones([1 << 20], &device).sum().item::<f32>().unwrap(), 1048576.0, "{device}");
    }
}

#[test]
fn products_read_16_bit_operands_as_they_are_stored() {
    let _turn = alone();
    for device in devices() {
        for half in [DType::F16, DType::BF16] {
            let rng = &mut Rng::seed(3);
            let x = Tensor::uniform([5, 3, 17], -1.0, 1.0, rng, &device).to_dtype(half);
            let w = Tensor::uniform([29, 17], -1.0, 1.0, rng, &device).to_dtype(half);
            device.synchronize().unwrap();
            let before = device.stats();
            let y = x.matmul(&w.t());
            device.flush().unwrap();
            let launches = device.stats().dispatches - before.dispatches;
            assert!(launches <= 2, "{device}: a product and its rounding: {launches} launches");
            assert_eq!(y.dtype(), half);
            let wide = x.to_dtype(DType::F32).matmul(&w.to_dtype(DType::F32).t()).to_dtype(half);
            assert_eq!(
                y.to_dtype(DType::F32).to_vec::<f32>().unwrap(),
                wide.to_dtype(DType::F32).to_vec::<f32>().unwrap(),
                "{device}, {half}"
            );
            let mixed = x.matmul(&Tensor::ones([17, 2], &device));
            assert_eq!(mixed.dtype(), DType::F32, "an f32 operand keeps the product in f32");
            let w = w.tracked();
            let dw = x.matmul(&w.t()).sum().backward().unwrap().get(&w).unwrap();
            assert_eq!((dw.dtype(), dw.shape()), (half, w.shape()), "{device}");
        }
        device.flush().unwrap(); // other tests count plans
    }
}

#[test]
fn bools_are_joined_to_bools() {
    let _turn = alone();
    for device in devices() {
        let x = Tensor::from_vec(vec![true, false, true, true], [2, 2], &device);
        assert_eq!(x.any_axes(&[1]).to_vec::<bool>().unwrap(), [true, true], "{device}");
        assert_eq!(x.all_axes(&[1]).to_vec::<bool>().unwrap(), [false, true], "{device}");
        assert_eq!(
            x.max().item::<bool>().and_then(|max| Ok((max, x.min().item()?))).unwrap(),
            (true, false),
            "{device}"
        );
        let y = Tensor::from_vec(vec![0.0, 2.0, 0.0], [3], &device);
        assert!(y.any().item::<bool>().unwrap() && !y.all().item::<bool>().unwrap(), "{device}");
    }
}

#[test]
fn a_view_of_nothing_reads_nothing() {
    let _turn = alone();
    for device in devices() {
        // Rows 16 and 17 of a tensor without elements: its storage has no place 16.
        let nothing = Tensor::zeros([33, 0], &device).contiguous().slice(0, 16..18);
        let made = Tensor::from_vec(Vec::<f32>::new(), [33, 0], &device).flip(&[0]).slice(0, 16..18);
        let x = Tensor::ones([2, 1], &device);
        for empty in [nothing, made] {
            assert_eq!(Tensor::cat(&[&empty, &x, &empty], 1).to_vec::<f32>().unwrap(), [1.0, 1.0], "{device}");
            assert_eq!(empty.pad(&[(0, 0), (1, 0)], 3.0).to_vec::<f32>().unwrap(), [3.0, 3.0], "{device}");
            assert_eq!(empty.sum_axes(&[1]).to_vec::<f32>().unwrap(), [0.0, 0.0], "{device}");
        }
    }
}

#[test]
fn steps_and_sizes_beyond_all_memory_are_no_overflow() {
    let _turn = alone();
    for device in devices() {
        let x = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [3, 2], &device).tracked();
        let first = x.slice_step(0, 1.., usize::MAX);
        assert_eq!(first.to_vec::<f32>().unwrap(), [3.0, 4.0], "{device}");
        let dx = first.sum().backward().unwrap().get(&x).unwrap();
        assert_eq!(dx.to_vec::<f32>().unwrap(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0], "{device}");
        assert_eq!(x.unfold(0, 2, usize::MAX).to_vec::<f32>().unwrap(), [1.0, 3.0, 2.0, 4.0], "{device}");
        assert!(Tensor::linspace(0.0, 1.0, usize::MAX, &device).check().is_err());
        assert!(Tensor::eye(usize::MAX, &device).check().is_err());
        assert!(Tensor::zeros([1 << 20, 1 << 20], &device).check().is_err());
    }
}

#[test]
fn uploads_that_only_the_batch_holds_are_run_before_memory_grows() {
    let _turn = alone();
    for device in devices() {
        let values = vec![0.5f32; 4 << 20];
        let mut total = Tensor::scalar(0.0f32, &device);
        for _ in 0..100 {
            // 16 MiB each, and nobody but the batch holds them
            total = &total + &Tensor::from_slice(&values, values.len(), &device).sum();
        }
        let peak = device.stats().peak_bytes;
        assert!(peak < 600 << 20, "{device}: {peak} bytes for 256 MiB of pending work");
        assert_eq!(total.item::<f32>().unwrap(), (200 << 20) as f32, "{device}");
    }
}

#[test]
fn plans_that_are_not_used_again_keep_little_memory() {
    let _turn = alone();
    let Some(gpu) = devices().into_iter().nth(1) else { return };
    let x = Tensor::ones([1 << 20], &gpu);
    for n in 0..50 {
        let total = x.slice(0, n..).pad(&[(1, 0)], 0.0).pad(&[(1, 0)], 0.0).sum(); // 8 MiB between the steps
        gpu.flush().unwrap();
        drop(total);
    }
    let kept = gpu.stats().bytes_in_use;
    assert!(kept < 300 << 20, "{kept} bytes are kept for 50 plans");
}
