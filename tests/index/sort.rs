//! Elements in order, and extremes.

use crate::{devices, error, values};
use std::cmp::Ordering;
use tilework::{Order, Tensor};

/// Values with ties, both zeros, infinities and NaN among them.
fn rough(n: usize) -> Vec<f32> {
    let odd = [f32::NAN, 0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, 1e-45, -1e-45];
    (0..n).map(|i| if i % 11 == 5 { odd[i / 11 % odd.len()] } else { ((i * 7919) % 613) as f32 - 300.0 }).collect()
}

/// NaN last, whatever the order.
fn compare(order: Order, a: f32, b: f32) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) if order == Order::Descending => b.partial_cmp(&a).unwrap(),
        (false, false) => a.partial_cmp(&b).unwrap(),
        (a, b) => a.cmp(&b),
    }
}

/// Places of sorted elements: std's stable sort.
fn argsorted(x: &[f32], order: Order) -> Vec<u32> {
    let mut places: Vec<u32> = (0..x.len() as u32).collect();
    places.sort_by(|&a, &b| compare(order, x[a as usize], x[b as usize]));
    places
}

#[test]
fn sorting_is_stable_at_every_length_with_nan_last() {
    for device in devices() {
        for n in [0, 1, 2, 3, 17, 255, 256, 257, 1023, 1024, 1025, 2048, 5003, 70_001] {
            let x = rough(n);
            let tensor = Tensor::from_slice(&x, [n], &device);
            for order in [Order::Ascending, Order::Descending] {
                let expected = argsorted(&x, order);
                assert!(tensor.argsort(0, order).to_vec::<u32>().unwrap() == expected, "{n} {order:?} {device}");
                let sorted = tensor.sort(0, order).to_vec::<f32>().unwrap();
                let bits: Vec<u32> = sorted.iter().map(|v| v.to_bits()).collect();
                assert!(
                    bits.iter().zip(&expected).all(|(&b, &i)| b == x[i as usize].to_bits()),
                    "{n} {order:?} {device}"
                );
            }
        }
    }
}

#[test]
fn extremes_are_found_in_every_lane_the_first_of_ties_and_nan_before_all() {
    for device in devices() {
        let shapes = [[1, 1, 1], [3, 255, 1], [2, 256, 3], [1, 257, 40], [300, 7, 1], [5, 1000, 33], [1, 70_001, 1]];
        for [a, n, b] in shapes.into_iter().chain([[2, 40_000, 2], [1, 20_000, 64]]) {
            for with_nan in [false, true] {
                let mut x: Vec<f32> = rough(a * n * b);
                if !with_nan {
                    x.iter_mut().filter(|v| v.is_nan()).for_each(|v| *v = 0.0);
                }
                let tensor = Tensor::from_slice(&x, [a, n, b], &device);
                let wins = |new: f32, old: f32, largest: bool| match (new.is_nan(), old.is_nan()) {
                    (false, false) => {
                        if largest {
                            new > old
                        } else {
                            new < old
                        }
                    }
                    (new, old) => new && !old,
                };
                for largest in [true, false] {
                    let expected: Vec<u32> = (0..a * b)
                        .map(|lane| {
                            let value = |j: usize| x[(lane / b * n + j) * b + lane % b];
                            (1..n).fold(0, |best, j| if wins(value(j), value(best), largest) { j } else { best }) as u32
                        })
                        .collect();
                    let found = if largest { tensor.argmax_axis(1) } else { tensor.argmin_axis(1) };
                    assert_eq!(found.to_vec::<u32>().unwrap(), expected, "{a} {n} {b} {with_nan} {largest} {device}");
                }
            }
        }
        let x = Tensor::from_vec(vec![3, -5, 7, 7], [2, 2], &device);
        assert_eq!((x.argmax().item::<u32>().unwrap(), x.argmin().item::<u32>().unwrap()), (2, 1), "{device}");
        assert_eq!(x.t().argmax().item::<u32>().unwrap(), 1, "row-major order of the view, {device}");
        assert_eq!(Tensor::scalar(1.0f32, &device).argmax().item::<u32>().unwrap(), 0);
        assert_eq!(Tensor::zeros([0, 3], &device).argmax_axis(1).shape(), [0]);
        let none = Tensor::zeros([3, 0], &device).argmin_axis(1);
        assert!(error(&none).starts_with("argmin: nothing to choose from: given shape [3, 0]"), "{}", error(&none));
        let all = Tensor::from_vec(values(50), [50], &device);
        assert_eq!(
            all.argmax().item::<u32>().unwrap(),
            all.argsort(0, Order::Descending).slice(0, ..1).item::<u32>().unwrap()
        );
    }
}
