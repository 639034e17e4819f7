//! Operations that pick, place and order elements, on every device of this machine, against plain Rust.

use tilework::{Device, Tensor};

fn devices() -> Vec<Device> {
    let mut all = vec![Device::cpu()];
    match Device::gpu() {
        Ok(gpu) => all.push(gpu),
        Err(error) => {
            assert!(std::env::var("TILEWORK_REQUIRE_GPU").is_err(), "a GPU device is required here: {error}");
            println!("no GPU device: {error}");
        }
    }
    all
}

/// `n` values that repeat late and hit exact binary fractions, so that sums of a few are exact.
fn values(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 37 + 11) % 101) as f32 / 8.0 - 6.0).collect()
}

/// Compares the gradient of `f` (linear in `x`, so that differences are exact but for rounding) with central differences, and
/// the gradient of that gradient's use with `f` itself: the adjoint of the adjoint.
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
            let slope = (at(1.0) - at(-1.0)) / 2.0;
            // Values and weights are multiples of 1/8 below 7: sums of fewer than 2^10 products are exact in f32.
            assert_eq!(dx[i], slope, "{name} on {device}, element {i}");
        }
        // ⟨f(u), w⟩ = ⟨u, fᵀ(w)⟩ for tracked w: the gradient by w of ⟨u, fᵀ(w)⟩ is f(u).
        let w = weights.tracked();
        let dx = (&f(&x) * &w).sum().grad(&[&x]).unwrap().remove(0);
        let dw = (&dx * &x.detach()).sum().grad(&[&w]).unwrap_or_else(|e| panic!("{name}: {e}")).remove(0);
        assert_eq!(dw.to_vec::<f32>().unwrap(), y.to_vec::<f32>().unwrap(), "{name} on {device}, twice");
    }
}

#[test]
fn a_gradient_flows_back_through_views_to_where_the_elements_lay() {
    check_linear("slice", &[3, 5, 2], |x| x.slice(1, 1..4));
    check_linear("slice at both ends", &[4, 3], |x| &x.slice(0, ..2) + &x.slice(0, 2..));
    check_linear("slice of nothing", &[4], |x| x.slice(0, 2..2));
    check_linear("slice by step", &[7, 3], |x| x.slice_step(0, 1.., 3));
    check_linear("slice of one by a large step", &[7, 2], |x| x.slice_step(0, 5..6, usize::MAX));
    check_linear("slice by step of the last axis", &[2, 11], |x| x.slice_step(1, ..10, 2).transpose(0, 1));
    check_linear("flip", &[3, 4], |x| x.flip(&[0, 1]));
    check_linear("flip and slice", &[3, 4], |x| x.flip(&[1]).slice(1, 1..3));
    check_linear("unfold", &[9], |x| x.unfold(0, 3, 1));
    check_linear("unfold with gaps", &[2, 11, 2], |x| x.unfold(1, 2, 4));
    check_linear("unfold that leaves a rest", &[11, 2], |x| x.unfold(0, 4, 3));
    check_linear("unfold in two dimensions", &[2, 5, 6], |x| {
        x.unfold(1, 3, 2).unfold(2, 2, 1).permute(&[1, 2, 0, 3, 4]).reshape([2 * 5, 12])
    });
    check_linear("sum of a slice", &[4, 5], |x| x.slice(1, 2..4).sum_axes(&[0]));
}

#[test]
fn many_windows_over_one_element_all_count() {
    // More windows than one launch adds: an element in the middle lies in 5,000 of them.
    let (size, windows) = (5000, 5001);
    for device in devices() {
        let x = Tensor::zeros([size + windows - 1], &device).tracked();
        let dx = x.unfold(0, size, 1).sum().backward().unwrap().get(&x).unwrap().to_vec::<f32>().unwrap();
        let covers = |o: usize| (o + 1).min(windows) - (o + 1).saturating_sub(size);
        assert!(dx.iter().enumerate().all(|(o, &d)| d == covers(o) as f32), "{device}");
    }
}

/// `pad` in plain Rust for two dimensions.
fn padded(x: &[f32], [rows, columns]: [usize; 2], borders: [(usize, usize); 2], value: f32) -> Vec<f32> {
    let [(above, below), (left, right)] = borders;
    let mut y = Vec::new();
    for i in 0..above + rows + below {
        for j in 0..left + columns + right {
            let inside = (above..above + rows).contains(&i) && (left..left + columns).contains(&j);
            y.push(if inside { x[(i - above) * columns + j - left] } else { value });
        }
    }
    y
}

#[test]
fn pad_puts_a_border_around_a_tensor_and_around_its_views() {
    for device in devices() {
        for (rows, columns) in [(1, 1), (7, 13), (3, 255), (256, 2), (5, 257), (0, 3), (2, 0)] {
            let shape = [rows, columns];
            let x = values(rows * columns);
            let tensor = Tensor::from_slice(&x, shape, &device);
            for borders in [[(0, 0), (1, 2)], [(3, 0), (0, 0)], [(1, 1), (2, 1)]] {
                let expected = padded(&x, shape, borders, -0.5);
                assert_eq!(
                    tensor.pad(&borders, -0.5).to_vec::<f32>().unwrap(),
                    expected,
                    "{shape:?} {borders:?} {device}"
                );
                let view = tensor.t().contiguous().t();
                assert_eq!(view.pad(&borders, -0.5).to_vec::<f32>().unwrap(), expected, "a view of {shape:?} {device}");
            }
        }
        let cut = Tensor::from_vec(vec![1i32, 2, 3, 4, 5, 6], [6], &device).slice_step(0, 1.., 2);
        assert_eq!(cut.pad(&[(1, 1)], -7.0).to_vec::<i32>().unwrap(), [-7, 2, 4, 6, -7]);
        let bools = Tensor::from_vec(vec![false, true], [2], &device).pad(&[(1, 0)], 1.0);
        assert_eq!(bools.to_vec::<bool>().unwrap(), [true, false, true]);
        let one = Tensor::scalar(2.5f32, &device);
        assert_eq!(one.pad(&[], 0.0).to_vec::<f32>().unwrap(), [2.5]);
        let error = tensor_error(&one.pad(&[(1, 1)], 0.0));
        assert!(error.contains("pad: needs (before, after) for each axis: given 1 for shape []"), "{error}");
        let huge = Tensor::ones([2], &device).pad(&[(usize::MAX, 1)], 0.0);
        assert!(huge.check().is_err());
    }
    check_linear("pad", &[3, 4], |x| x.pad(&[(1, 0), (0, 2)], 0.0));
    check_linear("pad of an expanded tensor", &[3, 1], |x| x.expand([3, 4]).pad(&[(0, 1), (2, 0)], 0.0));
}

fn tensor_error(x: &Tensor) -> String {
    x.check().unwrap_err().to_string()
}
