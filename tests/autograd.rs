//! Gradients: of gradients, where none may flow, added up, cut down; and the check that users have for their own.

mod common;

use common::devices;
use std::sync::atomic::{AtomicU32, Ordering};
use tilework::autograd::{CustomOp, GradCheck, gradcheck};
use tilework::{Correction, DType, Device, Rng, Tensor, is_grad_enabled, no_grad};

fn normal(shape: &[usize], seed: u64, device: &Device) -> Tensor {
    Tensor::normal(shape, 0.0, 1.0, &mut Rng::seed(seed), device)
}

/// `x·factor` with the gradient `dy·slope`, or none, plus something that differs from pass to pass.
#[derive(Debug)]
struct Scaled {
    factor: f32,
    slope: Option<f32>,
    drift: f32,
}

impl CustomOp for Scaled {
    fn name(&self) -> &'static str {
        "scaled"
    }

    fn forward(&self, inputs: &[&Tensor]) -> Tensor {
        inputs[0] * self.factor
    }

    fn backward(&self, _: &[&Tensor], _: &Tensor, dy: &Tensor) -> Vec<Option<Tensor>> {
        static PASS: AtomicU32 = AtomicU32::new(0);
        let pass = PASS.fetch_add(1, Ordering::Relaxed) as f32;
        vec![self.slope.map(|slope| dy * slope + pass * self.drift)]
    }
}

fn checked(slope: Option<f32>, drift: f32, device: &Device) -> Result<f64, String> {
    let op = move |x: &[Tensor]| Tensor::custom(Scaled { factor: 3.0, slope, drift }, &[&x[1]]).exp();
    let x = normal(&[2], 1, device);
    gradcheck(op, &[x.clone(), x.reshape([2, 1])], GradCheck::default()).map_err(|error| error.to_string())
}

#[test]
fn gradcheck_finds_what_is_wrong_and_says_where() {
    for device in devices() {
        assert!(checked(Some(3.0), 0.0, &device).unwrap() <= 1.0);
        let error = checked(Some(3.1), 0.0, &device).unwrap_err();
        let start = "gradcheck: the gradient is not the slope: input 1, element 0 [0, 0], where the value is ";
        assert!(
            error.starts_with(start) && error.contains("backward gives") && error.contains("autograd.rs"),
            "{error}"
        );
        let error = checked(None, 0.0, &device).unwrap_err();
        assert!(error.contains("backward gives 0, differences"), "{error}");
        let error = checked(Some(f32::NAN), 0.0, &device).unwrap_err();
        assert!(error.contains("backward gives NaN") || error.contains("two backward passes differ"), "{error}");
        let error = checked(Some(3.0), 1e-6, &device).unwrap_err();
        assert!(error.contains("two backward passes differ: input 1, element 0"), "{error}");
    }
}

#[test]
fn gradcheck_refuses_what_it_cannot_judge() {
    let x = Tensor::ones([2], &Device::cpu());
    let exp = |x: &[Tensor]| x[0].exp();
    let none = GradCheck { eps: 0.0, ..GradCheck::default() };
    assert!(
        gradcheck(exp, std::slice::from_ref(&x), none)
            .unwrap_err()
            .to_string()
            .contains("eps must be above 0: given 0")
    );
    let half = x.to_dtype(DType::F16);
    let error = gradcheck(exp, &[half], GradCheck::default()).unwrap_err().to_string();
    assert!(error.starts_with("gradcheck: input 0 is f16: too coarse"), "{error}");
    let failed = gradcheck(|x| x[0].matmul(&Tensor::ones([3], x[0].device())), &[x], GradCheck::default()).unwrap_err();
    assert!(failed.to_string().starts_with("matmul: "), "{failed}");
}

/// A function, the shapes of its inputs, and classes where it has them.
type Case = (&'static str, fn(&[Tensor]) -> Tensor, &'static [&'static [usize]]);

fn classes(like: &Tensor) -> Tensor {
    Tensor::from_vec(vec![2u32, 0, 3], [3], like.device())
}

/// Smooth functions of several inputs.
const SMOOTH: [Case; 9] = [
    ("matmul chain", |x| x[0].matmul(&x[1]).tanh().matmul(&x[1].t()), &[&[3, 4], &[4, 2]]),
    ("softmax", |x| x[0].softmax(-1).square(), &[&[3, 4]]),
    ("log_softmax along 0", |x| x[0].log_softmax(0) * &x[1], &[&[3, 4], &[4]]),
    ("logsumexp", |x| (&x[0] * &x[1]).logsumexp(&[-1]), &[&[3, 4], &[3, 1]]),
    ("cross_entropy", |x| x[0].matmul(&x[1]).cross_entropy(&classes(&x[0])), &[&[3, 2], &[2, 4]]),
    ("layer_norm", |x| x[0].layer_norm(&x[1], &x[2], 0.1).tanh(), &[&[3, 4], &[4], &[4]]),
    ("rms_norm", |x| x[0].rms_norm(&x[1], 0.1).sigmoid(), &[&[3, 4], &[4]]),
    ("var", |x| x[0].var_axes(&[0], Correction::Sample) * &x[1], &[&[3, 4], &[4]]),
    ("gelu of a division", |x| (&x[0] / (x[1].square() + 1.0)).gelu(), &[&[3, 4], &[4]]),
];

#[test]
fn gradients_are_slopes() {
    for device in devices() {
        for (name, f, shapes) in SMOOTH {
            let inputs: Vec<Tensor> =
                shapes.iter().zip(3..).map(|(shape, seed)| normal(shape, seed, &device)).collect();
            gradcheck(f, &inputs, GradCheck::default()).unwrap_or_else(|error| panic!("{name} on {device}: {error}"));
        }
    }
}

#[test]
fn gradients_of_gradients_are_slopes_of_gradients() {
    for device in devices() {
        for (name, f, shapes) in SMOOTH {
            let inputs: Vec<Tensor> =
                shapes.iter().zip(3..).map(|(shape, seed)| normal(shape, seed, &device)).collect();
            let gradient = |x: &[Tensor]| {
                let y = f(x);
                let mix = normal(&y.shape(), 9, y.device());
                let grads = (y * mix).sum().grad(&x.iter().collect::<Vec<_>>()).unwrap();
                let flat: Vec<Tensor> = grads.iter().map(Tensor::flatten).collect();
                Tensor::cat(&flat.iter().collect::<Vec<_>>(), 0)
            };
            let how = GradCheck { elements: 6, ..GradCheck::default() };
            gradcheck(gradient, &inputs, how).unwrap_or_else(|error| panic!("{name} on {device}: {error}"));
        }
    }
}

#[test]
fn derivatives_of_a_power_go_on_to_the_fourth() {
    for device in devices() {
        let x = Tensor::from_vec(vec![1.5f32], [1], &device).tracked();
        let mut y = (&x * &x * &x * &x).sum();
        for want in [13.5, 27.0, 36.0, 24.0] {
            y = y.grad(&[&x]).unwrap().remove(0).sum();
            assert_eq!(y.item::<f32>().unwrap(), want, "{device}"); // small binary fractions: exact
        }
    }
}

#[test]
fn the_hessian_of_a_quadratic_form_is_its_matrix() {
    for device in devices() {
        let a = Tensor::from_vec(vec![2.0, 1.0, -1.0, 3.0, 4.0, 0.5, 1.0, 0.0, -2.0], [3, 3], &device);
        let x = Tensor::from_vec(vec![0.5, -1.0, 2.0], [3], &device).tracked();
        let gradient = x.matmul(&a).matmul(&x).grad(&[&x]).unwrap().remove(0);
        let rows = (0..3).flat_map(|i| gradient.select(0, i).grad(&[&x]).unwrap()[0].to_vec::<f32>().unwrap());
        let want = [4.0, 4.0, 0.0, 4.0, 8.0, 0.5, 0.0, 0.5, -4.0]; // A + Aᵀ
        assert_eq!(rows.collect::<Vec<_>>(), want, "{device}");
    }
}

#[test]
fn nothing_is_remembered_inside_no_grad_and_everything_after_it() {
    for device in devices() {
        let x = Tensor::ones([2], &device).tracked();
        let (inside, still_off) = no_grad(|| {
            no_grad(|| assert!(!is_grad_enabled()));
            (&x * 2.0, !is_grad_enabled())
        });
        assert!(still_off && !inside.is_tracked() && is_grad_enabled());
        let error = inside.sum().backward().unwrap_err().to_string();
        assert!(error.contains("the result has no history"), "{error}");
        let grads = (&x * &inside).sum().backward().unwrap();
        assert_eq!(grads.get(&x).unwrap().to_vec::<f32>().unwrap(), [2.0, 2.0], "{device}"); // not 4
        let caught = std::panic::catch_unwind(|| no_grad(|| panic!("a fault of the caller")));
        assert!(caught.is_err() && is_grad_enabled(), "a panic leaves gradients off");
        no_grad(|| std::thread::scope(|s| s.spawn(|| assert!(is_grad_enabled())).join().unwrap())); // of this thread only
    }
}

#[test]
fn no_gradient_flows_through_detach() {
    for device in devices() {
        let x = Tensor::from_vec(vec![2.0, 3.0], [2], &device).tracked();
        let grads = (&x * x.square().detach()).sum().backward().unwrap();
        assert_eq!(grads.get(&x).unwrap().to_vec::<f32>().unwrap(), [4.0, 9.0], "{device}"); // not 3x² = 12, 27
        let error = x.detach().sum().backward().unwrap_err().to_string();
        assert!(error.contains("no history"), "{error}");
    }
}

#[test]
fn gradients_add_up_over_uses_and_over_passes() {
    for device in devices() {
        let x = Tensor::from_vec(vec![1.0, 2.0], [2], &device).tracked();
        let w = Tensor::from_vec(vec![3.0, -1.0], [2], &device).tracked();
        let mut all = (&x * &w + &x).sum().backward().unwrap();
        assert_eq!(all.get(&x).unwrap().to_vec::<f32>().unwrap(), [4.0, 0.0], "{device}");
        all.add(&x.square().sum().backward().unwrap());
        assert_eq!(all.len(), 2);
        assert_eq!(all.get(&x).unwrap().to_vec::<f32>().unwrap(), [6.0, 4.0], "{device}");
        assert_eq!(all.get(&w).unwrap().to_vec::<f32>().unwrap(), [1.0, 2.0], "{device}");
        all.scale(0.5);
        assert_eq!(all.get(&x).unwrap().to_vec::<f32>().unwrap(), [3.0, 2.0], "{device}");
        assert_eq!(all.get(&w).unwrap().to_vec::<f32>().unwrap(), [0.5, 1.0], "{device}");
    }
}

#[test]
fn clipping_by_norm_scales_all_gradients_together() {
    for device in devices() {
        let (a, b) = (Tensor::zeros([2], &device).tracked(), Tensor::zeros([1], &device).tracked());
        let pass = || {
            let by_a = &a * &Tensor::from_vec(vec![3.0, 0.0], [2], &device);
            (by_a.sum() + (&b * 4.0).sum()).backward().unwrap()
        };
        let values = |grads: &tilework::Gradients, x: &Tensor| grads.get(x).unwrap().to_vec::<f32>().unwrap();
        let mut grads = pass();
        let norm = grads.clip_norm(1.0).unwrap().item::<f32>().unwrap();
        assert!((norm - 5.0).abs() < 1e-6, "{device}: {norm}"); // √(3² + 4²)
        for (got, want) in [values(&grads, &a), values(&grads, &b)].concat().iter().zip([0.6, 0.0, 0.8]) {
            assert!((got - want).abs() < 1e-6, "{device}: {got}, not {want}"); // 1e-6 is in the denominator, too
        }
        let mut grads = pass();
        let _norm = grads.clip_norm(5.5).unwrap();
        assert_eq!([values(&grads, &a), values(&grads, &b)].concat(), [3.0, 0.0, 4.0], "{device}: below the limit");
        assert!(tilework::Gradients::default().clip_norm(1.0).is_none());
    }
}

#[test]
fn clipping_by_value_limits_each_element() {
    for device in devices() {
        let x = Tensor::zeros([3], &device).tracked();
        let mut grads = (&x * &Tensor::from_vec(vec![-3.0, 0.25, 2.0], [3], &device)).sum().backward().unwrap();
        grads.clip_value(0.5);
        assert_eq!(grads.get(&x).unwrap().to_vec::<f32>().unwrap(), [-0.5, 0.25, 0.5], "{device}");
    }
}

#[test]
fn backward_releases_the_graph_and_grad_keeps_it() {
    for device in devices() {
        let x = Tensor::from_vec(vec![2.0], [1], &device).tracked();
        let y = x.exp().sum();
        let [once, twice] = [(); 2].map(|()| y.grad(&[&x]).unwrap().remove(0).item::<f32>().unwrap());
        assert_eq!(once, twice, "{device}");
        y.backward().unwrap();
        let error = y.backward().unwrap_err().to_string();
        assert!(error.contains("the graph was released by an earlier backward"), "{error}");
        assert!(y.grad(&[&x]).is_err());
    }
}

#[test]
fn questions_without_an_answer_are_errors() {
    let device = Device::cpu();
    let (x, other) = (Tensor::ones([2], &device).tracked(), Tensor::ones([2], &device).tracked());
    let error = (&x * 2.0).backward().unwrap_err().to_string();
    assert!(error.contains("needs one element: given shape [2]"), "{error}");
    let grads = x.sum().backward().unwrap();
    for stranger in [&other, &Tensor::ones([2], &device)] {
        let error = grads.get(stranger).unwrap_err().to_string();
        assert!(error.contains("no gradient for this tensor"), "{error}");
    }
    let failed = x.matmul(&Tensor::ones([3], &device));
    assert!(failed.backward().unwrap_err().to_string().starts_with("matmul"));
}
