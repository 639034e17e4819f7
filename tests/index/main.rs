//! Operations that pick, place and order elements, on every device of this machine, against plain Rust.

#[path = "../common/mod.rs"]
mod common;
mod places;
mod scan;
mod sort;
mod views;

use common::devices;
use tilework::Tensor;

/// `n` values that repeat late and hit exact binary fractions, so that sums of a few are exact.
fn values(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 37 + 11) % 101) as f32 / 8.0 - 6.0).collect()
}

/// Compares the gradient of `f`, linear in `x` as far as elements keep their order, with central differences, and the gradient of
/// that gradient's use with `f` itself: the adjoint of the adjoint.
fn check_linear(name: &str, shape: &[usize], f: impl Fn(&Tensor) -> Tensor) {
    for device in devices() {
        let n: usize = shape.iter().product();
        let start = values(n);
        let x = Tensor::from_slice(&start, shape, &device).tracked();
        let y = f(&x);
        let weights = Tensor::from_vec(values(y.numel() + 7)[7..].to_vec(), y.shape(), &device);
        let loss = |x: &Tensor| (&f(x) * &weights).sum();
        let dx = (&y * &weights).sum().grad(&[&x]).unwrap_or_else(|e| panic!("{name}: {e}")).remove(0);
        assert_eq!(dx.shape(), *shape, "{name}");
        let dx = dx.to_vec::<f32>().unwrap();
        for i in 0..n {
            let at = |step: f32| {
                let mut moved = start.clone();
                moved[i] += step;
                loss(&Tensor::from_vec(moved, shape, &device)).item::<f32>().unwrap()
            };
            // Values are multiples of 1/8 and keep their order; with this step all products are multiples of 1/128, below 2^6,
            // so that sums of fewer than 2^10 of them are exact in f32.
            let slope = (at(1.0 / 16.0) - at(-1.0 / 16.0)) * 8.0;
            assert_eq!(dx[i], slope, "{name} on {device}, element {i}");
        }
        // ⟨f(u), w⟩ = ⟨u, fᵀ(w)⟩ for tracked w: the gradient by w of ⟨u, fᵀ(w)⟩ is f(u).
        let w = weights.tracked();
        let dx = (&f(&x) * &w).sum().grad(&[&x]).unwrap().remove(0);
        let dw = (&dx * &x.detach()).sum().grad(&[&w]).unwrap_or_else(|e| panic!("{name}: {e}")).remove(0);
        assert_eq!(dw.to_vec::<f32>().unwrap(), y.to_vec::<f32>().unwrap(), "{name} on {device}, twice");
    }
}

fn error(x: &Tensor) -> String {
    x.check().unwrap_err().to_string()
}
