//! Gradients of views.

use crate::{check_linear, devices};
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
