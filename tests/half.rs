//! 16-bit floats: rounded after every operation, whatever is fused, to the same bits as one operation at a time.

mod common;

use common::{alone, devices};
use half::{bf16, f16};
use tilework::{DType, Device, DeviceKind, Tensor};

/// Numbers of all sizes that an f16 has, subnormal ones and those that overflow when multiplied among them.
fn numbers(len: usize, seed: u32) -> Vec<f32> {
    let mix = |i: u32| (i ^ seed).wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b);
    let number = |i: u32| {
        let bits = mix(i);
        let size = 2f32.powi((bits >> 24) as i32 % 40 - 24);
        ((bits & 0xffff) as f32 / 32_768.0 - 1.0) * size
    };
    (0..len as u32).map(number).collect()
}

/// The bits of a 16-bit tensor. Reading runs what was recorded, and nothing is fused across it.
fn bits(x: &Tensor) -> Vec<u16> {
    match x.dtype() {
        DType::F16 => x.to_vec::<f16>().unwrap().into_iter().map(f16::to_bits).collect(),
        _ => x.to_vec::<bf16>().unwrap().into_iter().map(bf16::to_bits).collect(),
    }
}

/// Equal bits, or NaN both.
fn assert_same(dtype: DType, given: &[u16], wanted: &[u16], what: &str) {
    let float =
        |bits: u16| if dtype == DType::F16 { f16::from_bits(bits).to_f32() } else { bf16::from_bits(bits).to_f32() };
    assert_eq!(given.len(), wanted.len(), "{what}");
    for (i, (&y, &w)) in given.iter().zip(wanted).enumerate() {
        assert!(
            y == w || float(y).is_nan() && float(w).is_nan(),
            "{what}, element {i}: {}, not {}",
            float(y),
            float(w)
        );
    }
}

type Step = fn(&Tensor, &Tensor, &Tensor) -> Tensor;

/// What a chain does: from where it stands, with the operands that it began with.
const CHAIN: &[Step] = &[
    |h, _, y| h + y,
    |h, x, _| h * x,
    |h, _, y| h - y,
    |h, _, y| h / y,
    |h, _, _| h.relu(),
    |h, _, _| h.sqrt(),
    |h, x, _| h * x,
    |h, _, y| h + y,
    |h, _, _| h.mul_scalar(0.3),
    |h, x, _| h.maximum(x),
];

fn tensors(shape: &[usize], dtype: DType, device: &Device) -> [Tensor; 2] {
    let len = shape.iter().product();
    [1, 2].map(|seed| Tensor::from_vec(numbers(len, seed), shape, device).to_dtype(dtype))
}

#[test]
fn a_fused_chain_gives_the_bits_of_one_operation_at_a_time() {
    let _alone = alone();
    for device in devices() {
        for dtype in [DType::F16, DType::BF16] {
            for shape in [&[1][..], &[2], &[1025], &[33, 67], &[40_001]] {
                let [x, y] = tensors(shape, dtype, &device);
                bits(&y);
                let before = device.stats().dispatches;
                let given = bits(&CHAIN.iter().fold(x.clone(), |h, step| step(&h, &x, &y)));
                let launches = device.stats().dispatches - before;
                let single = CHAIN.iter().fold(x.clone(), |h, step| {
                    let next = step(&h, &x, &y);
                    bits(&next);
                    next
                });
                assert_same(dtype, &given, &bits(&single), &format!("{device}, {shape:?} {dtype}"));
                // that of x, which was not read before, is one of them or fused
                assert!(device.kind() == DeviceKind::Cpu || launches <= 2, "{launches} launches");
            }
        }
    }
}

#[test]
fn views_products_and_sums_keep_the_bits_of_one_operation_at_a_time() {
    let _alone = alone();
    // each from its first half, whose result is read or not
    let pairs: [(&str, Step, Step); 5] = [
        ("a transposed sum", |x, y, _| x + y, |h, x, _| &h.t() * x),
        ("an odd column on", |x, y, _| (x * y).slice(1, 1..), |h, _, _| h.relu() + 0.1),
        ("a product, a bias and a map", |x, y, _| x.matmul(&y.t()), |h, x, bias| (h + bias).relu() * x),
        ("a product with a row", |x, _, bias| x.matmul(bias), |h, _, bias| h.sqrt() - bias),
        ("a sum of a map", |x, _, bias| x * bias, |h, _, bias| h.sum_axes(&[1]) * bias),
    ];
    for device in devices() {
        for dtype in [DType::F16, DType::BF16] {
            let [x, y] = tensors(&[35, 35], dtype, &device);
            let [bias, _] = tensors(&[35], dtype, &device);
            for (what, first, second) in pairs {
                let given = bits(&second(&first(&x, &y, &bias), &x, &bias));
                let half_way = first(&x, &y, &bias);
                bits(&half_way);
                let wanted = bits(&second(&half_way, &x, &bias));
                assert_same(dtype, &given, &wanted, &format!("{device}, {what} {dtype}"));
            }
        }
    }
}

#[test]
fn one_operation_on_f16_is_that_of_f32_rounded_once() {
    let edges = [
        0.0, -0.0, 1.0, -1.5, 65504.0, -65504.0, 6.1035e-5, 6.0976e-5, 5.96e-8, -1.2e-7, 2049.0, 0.1, 3.0, 1e-3, 100.0,
    ];
    let edges: Vec<f16> = edges.into_iter().chain([f32::INFINITY]).map(f16::from_f32).collect();
    let (left, right): (Vec<f16>, Vec<f16>) = edges.iter().flat_map(|&a| edges.iter().map(move |&b| (a, b))).unzip();
    type Pair = (&'static str, fn(&Tensor, &Tensor) -> Tensor, fn(f32, f32) -> f32);
    let exact: [Pair; 3] =
        [("+", |a, b| a + b, |a, b| a + b), ("-", |a, b| a - b, |a, b| a - b), ("*", |a, b| a * b, |a, b| a * b)];
    let near: [Pair; 2] = [("/", |a, b| a / b, |a, b| a / b), ("sqrt", |a, _| a.sqrt(), |a, _| a.sqrt())];
    for device in devices() {
        let [a, b] = [&left, &right].map(|v| Tensor::from_vec(v.clone(), [v.len()], &device));
        for (name, call, wanted) in exact.iter().chain(&near) {
            let given = call(&a, &b).to_vec::<f16>().unwrap();
            // WGSL promises quotients and roots to 2.5 and some 6 units of an f32: next to a tie, the other f16 may be nearer
            let off = if device.kind() == DeviceKind::Gpu && near.iter().any(|(n, ..)| n == name) { 1 } else { 0 };
            for ((&a, &b), &y) in left.iter().zip(&right).zip(&given) {
                let w = f16::from_f32(wanted(a.to_f32(), b.to_f32()));
                let apart = y.to_bits().abs_diff(w.to_bits());
                assert!(apart <= off || y.is_nan() && w.is_nan(), "{device}: {a} {name} {b} = {y}, not {w}");
            }
        }
    }
}

/// A host program's device that offers no more than WebGPU's defaults: no f16 in shaders.
#[cfg(feature = "gpu")]
fn without_f16() -> Option<Device> {
    use tilework::wgpu;
    common::gpu()?;
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())).unwrap();
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default())).unwrap();
    Some(Device::from_wgpu(&adapter, device, queue).unwrap())
}

#[cfg(feature = "gpu")]
#[test]
fn a_gpu_gives_the_same_bits_with_and_without_f16_in_shaders() {
    let _alone = alone();
    let (Some(with), Some(without)) = (common::gpu(), without_f16()) else { return };
    let run = |device: &Device| {
        let [x, y] = tensors(&[67, 67], DType::F16, device);
        let [bias, _] = tensors(&[67], DType::F16, device);
        device.synchronize().unwrap();
        let before = device.stats().dispatches;
        let product = bits(&((x.matmul(&y.t()) + &bias).relu() - &x));
        let launches = device.stats().dispatches - before;
        (product, bits(&CHAIN.iter().fold(x.clone(), |h, step| step(&h, &x, &y))), launches)
    };
    let (given, wanted) = (run(&with), run(&without));
    assert_same(DType::F16, &given.0, &wanted.0, "product");
    assert_same(DType::F16, &given.1, &wanted.1, "chain");
    println!("launches of a product with its epilogue: {} with f16, {} without", given.2, wanted.2);
    assert!(given.2 <= wanted.2, "{} launches with f16, {} without", given.2, wanted.2);
    assert_eq!(wanted.2, 3, "the widened bias, the product, and a map that packs its results");
}
