//! Gradients of views, and borders.

use crate::{check_linear, devices, error, values};
use tilework::Tensor;

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
        let text = error(&one.pad(&[(1, 1)], 0.0));
        assert!(text.contains("pad: needs (before, after) for each axis: given 1 for shape []"), "{text}");
        let huge = Tensor::ones([2], &device).pad(&[(usize::MAX, 1)], 0.0);
        assert!(huge.check().is_err());
    }
    check_linear("pad", &[3, 4], |x| x.pad(&[(1, 0), (0, 2)], 0.0));
    check_linear("pad of an expanded tensor", &[3, 1], |x| x.expand([3, 4]).pad(&[(0, 1), (2, 0)], 0.0));
}
