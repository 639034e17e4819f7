//! Every optimizer against the algorithm in PyTorch's documentation, step by step in f64, on every device of this machine.

mod common;

use common::devices;
use std::collections::BTreeMap;
use tilework::nn::Param;
use tilework::optim::{AdaGrad, Adam, AdamW, At, Momentum, Optimizer, RmsProp, Rule, Sgd};
use tilework::{Device, Gradients, Tensor};

const STEPS: u64 = 15;
/// Two parameters, so that they are updated as one flat tensor.
const SHAPES: [&[usize]; 2] = [&[2, 3], &[2]];
const START: [f32; 8] = [0.5, -1.5, 2.0, 0.01, -0.3, 1.0, 3.0, -0.7];

/// The loss is Σ (a·w² / 2 + c·w), so that the gradient `a·w + c` changes sign on the way.
fn curvature(i: usize) -> f32 {
    0.25 + 0.5 * i as f32
}

fn pull(i: usize) -> f32 {
    [0.3, -0.8, 0.0, 1.5][i % 4]
}

fn parameters(device: &Device) -> Vec<(String, Param)> {
    let mut start = START.chunks(6);
    let part = |(i, shape): (usize, &&[usize])| {
        (format!("p{i}"), Param::new(&Tensor::from_slice(start.next().unwrap(), *shape, device)))
    };
    SHAPES.iter().enumerate().map(part).collect()
}

fn gradients(params: &[(String, Param)], device: &Device) -> Gradients {
    let mut first = 0;
    let term = |(_, param): &(String, Param)| {
        let (w, n) = (param.tensor(), param.tensor().numel());
        let of = |f: fn(usize) -> f32| Tensor::from_vec((first..first + n).map(f).collect(), w.shape(), device);
        let (a, c) = (of(curvature), of(pull));
        first += n;
        (&w * &w * a * 0.5 + &w * c).sum()
    };
    params.iter().map(term).reduce(|a, b| a + b).unwrap().backward().unwrap()
}

fn values(params: &[(String, Param)]) -> Vec<f32> {
    params.iter().flat_map(|(_, param)| param.tensor().to_vec::<f32>().unwrap()).collect()
}

/// One weight by PyTorch's pseudocode: gets the step from 1, the weight, its gradient and a memory that starts at 0.
type Documented<'a> = &'a dyn Fn(u64, f64, f64, &mut [f64; 2]) -> f64;

fn follows(rule: impl Rule + Copy + 'static, documented: Documented) {
    let mut want: Vec<f64> = START.iter().map(|&w| f64::from(w)).collect();
    let mut memory = vec![[0.0; 2]; want.len()];
    let mut path = Vec::new();
    for step in 1..=STEPS {
        for (i, (w, memory)) in want.iter_mut().zip(&mut memory).enumerate() {
            let g = f64::from(curvature(i)) * *w + f64::from(pull(i));
            *w = documented(step, *w, g, memory);
        }
        path.push(want.clone());
    }
    for device in devices() {
        let params = parameters(&device);
        let mut optimizer = Optimizer::new(rule, params.clone());
        for (step, want) in path.iter().enumerate() {
            optimizer.step(gradients(&params, &device)).unwrap();
            for (i, (got, want)) in values(&params).iter().zip(want).enumerate() {
                // A step rounds a dozen times; fifteen of them, each a contraction, add up to less than 200 · 2^-24.
                let close = (f64::from(*got) - want).abs() <= 1.2e-5 * want.abs().max(1.0);
                assert!(close, "{rule:?} on {device}: step {}, weight {i} is {got}, not {want}", step + 1);
            }
        }
        assert_eq!(optimizer.steps(), STEPS);
    }
}

/// torch.optim.SGD
fn sgd(s: Sgd) {
    follows(s, &|t, w, g, [v, _]| {
        let g = g + s.weight_decay * w;
        *v = if t > 1 { s.momentum * *v + g } else { g };
        let step = if s.momentum == 0.0 {
            g
        } else if s.kind == Momentum::Nesterov {
            g + s.momentum * *v
        } else {
            *v
        };
        w - s.lr * step
    });
}

#[test]
fn sgd_is_pytorchs() {
    let plain = Sgd { lr: 0.1, ..Sgd::default() };
    sgd(plain);
    sgd(Sgd { weight_decay: 0.1, ..plain });
    sgd(Sgd { momentum: 0.9, ..plain });
    sgd(Sgd { momentum: 0.9, kind: Momentum::Nesterov, ..plain });
    sgd(Sgd { momentum: 0.5, kind: Momentum::Nesterov, weight_decay: 0.2, ..plain });
    assert_eq!(Sgd::default(), Sgd { lr: 1e-3, momentum: 0.0, kind: Momentum::Heavy, weight_decay: 0.0 });
}

/// The moments and the step that torch.optim.Adam and AdamW share.
fn adam_step(t: u64, g: f64, [m, v]: &mut [f64; 2], [beta1, beta2, eps]: [f64; 3]) -> f64 {
    *m = beta1 * *m + (1.0 - beta1) * g;
    *v = beta2 * *v + (1.0 - beta2) * g * g;
    let (m_hat, v_hat) = (*m / (1.0 - beta1.powi(t as i32)), *v / (1.0 - beta2.powi(t as i32)));
    m_hat / (v_hat.sqrt() + eps)
}

#[test]
fn adam_is_pytorchs() {
    for s in [
        Adam { lr: 0.1, ..Adam::default() },
        Adam { lr: 0.05, beta1: 0.8, beta2: 0.95, eps: 1e-2, weight_decay: 0.0 },
        Adam { lr: 0.1, weight_decay: 0.3, ..Adam::default() },
    ] {
        follows(s, &|t, w, g, memory| {
            w - s.lr * adam_step(t, g + s.weight_decay * w, memory, [s.beta1, s.beta2, s.eps])
        });
    }
    assert_eq!(Adam::default(), Adam { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 });
}

#[test]
fn adamw_decays_the_weight_apart_from_the_gradient() {
    for s in [AdamW { lr: 0.1, ..AdamW::default() }, AdamW { lr: 0.05, weight_decay: 0.5, ..AdamW::default() }] {
        follows(s, &|t, w, g, memory| {
            let w = w - s.lr * s.weight_decay * w;
            w - s.lr * adam_step(t, g, memory, [s.beta1, s.beta2, s.eps])
        });
    }
    assert_eq!(AdamW::default(), AdamW { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 1e-2 });
}

#[test]
fn rmsprop_is_pytorchs() {
    for s in
        [RmsProp { lr: 0.05, ..RmsProp::default() }, RmsProp { lr: 0.02, alpha: 0.9, eps: 1e-2, weight_decay: 0.3 }]
    {
        follows(s, &|_, w, g, [v, _]| {
            let g = g + s.weight_decay * w;
            *v = s.alpha * *v + (1.0 - s.alpha) * g * g;
            w - s.lr * g / (v.sqrt() + s.eps)
        });
    }
    assert_eq!(RmsProp::default(), RmsProp { lr: 1e-2, alpha: 0.99, eps: 1e-8, weight_decay: 0.0 });
}

#[test]
fn adagrad_is_pytorchs() {
    for s in
        [AdaGrad { lr: 0.3, ..AdaGrad::default() }, AdaGrad { lr: 0.3, lr_decay: 0.2, eps: 1e-2, weight_decay: 0.3 }]
    {
        follows(s, &|t, w, g, [sum, _]| {
            let g = g + s.weight_decay * w;
            *sum += g * g;
            w - s.lr / (1.0 + (t - 1) as f64 * s.lr_decay) * g / (sum.sqrt() + s.eps)
        });
    }
    assert_eq!(AdaGrad::default(), AdaGrad { lr: 1e-2, lr_decay: 0.0, eps: 1e-10, weight_decay: 0.0 });
}

#[test]
fn the_first_steps_have_the_sizes_that_a_pencil_finds() {
    // w = 1, g = 2: Adam and AdamW go lr whatever the gradient, RMSprop lr / √(1 - α), Adagrad lr
    fn first(rule: impl Rule + 'static) -> f32 {
        let w = Param::new(&Tensor::ones([1], &Device::cpu()));
        let mut optimizer = Optimizer::new(rule, [("w".to_string(), w.clone())]);
        optimizer.step((&w.tensor() * &w.tensor()).sum().backward().unwrap()).unwrap();
        w.tensor().item().unwrap()
    }
    let close = |a: f32, b: f32| assert!((a - b).abs() < 1e-6, "{a}, not {b}");
    close(first(Sgd { lr: 0.1, ..Sgd::default() }), 0.8);
    close(first(Adam { lr: 0.1, ..Adam::default() }), 0.9);
    close(first(AdamW { lr: 0.1, ..AdamW::default() }), 0.899);
    close(first(RmsProp { lr: 0.01, ..RmsProp::default() }), 0.9);
    close(first(AdaGrad { lr: 0.1, ..AdaGrad::default() }), 0.9);
}

#[test]
fn a_parameter_without_a_gradient_stays() {
    for device in devices() {
        let params = parameters(&device);
        let mut optimizer = Optimizer::new(AdamW { lr: 0.1, ..AdamW::default() }, params.clone());
        optimizer.step(gradients(&params[1..], &device)).unwrap();
        let now = values(&params);
        assert_eq!(now[..6], START[..6], "{device}");
        assert!(now[6] != START[6] && now[7] != START[7], "{device}");
        let other = Tensor::ones([1], &device).tracked();
        let error = optimizer.step(other.sum().backward().unwrap()).unwrap_err().to_string();
        assert!(error.contains("no parameter has a gradient"), "{error}");
    }
}

#[test]
fn a_loaded_state_goes_on_bit_for_bit() {
    for device in devices() {
        let run = |params: &[(String, Param)], optimizer: &mut Optimizer, steps: u64| {
            for _ in 0..steps {
                optimizer.step(gradients(params, &device)).unwrap();
            }
        };
        let whole = parameters(&device);
        let mut optimizer = Optimizer::new(Adam { lr: 0.1, ..Adam::default() }, whole.clone());
        run(&whole, &mut optimizer, 4);
        let (state, weights) = (optimizer.state(), values(&whole));
        run(&whole, &mut optimizer, 3);
        let resumed = parameters(&device);
        let mut parts = weights.chunks(6);
        for (_, param) in &resumed {
            param.set(&Tensor::from_slice(parts.next().unwrap(), param.tensor().shape(), &device)).unwrap();
        }
        let mut again = Optimizer::new(Adam { lr: 0.1, ..Adam::default() }, resumed.clone());
        again.load_state(&state, 4).unwrap();
        run(&resumed, &mut again, 3);
        assert_eq!(values(&resumed), values(&whole), "{device}");
        let error = again.load_state(&BTreeMap::new(), 0).unwrap_err().to_string();
        assert!(error.contains("no tensor 'm.p0' of shape [2, 3]"), "{error}");
    }
}

/// Forgets its slot at each step, by a tensor that is one number stretched.
#[derive(Debug)]
struct Forgetful;

impl Rule for Forgetful {
    fn name(&self) -> &'static str {
        "forgetful"
    }

    fn learning_rate(&self) -> f64 {
        0.5
    }

    fn slots(&self) -> &'static [&'static str] {
        &["memory"]
    }

    fn update(&self, at: At, w: &Tensor, g: &Tensor, slots: &[Tensor]) -> (Tensor, Vec<Tensor>) {
        (w - &(g + &slots[0]) * at.lr as f32, vec![w.zeros_like()])
    }
}

#[test]
fn a_rule_may_give_back_tensors_that_are_one_number_stretched() {
    for device in devices() {
        let params = parameters(&device);
        let mut optimizer = Optimizer::new(Forgetful, params.clone());
        let mut expected = START;
        for _ in 0..3 {
            optimizer.step(gradients(&params, &device)).unwrap();
            for (i, w) in expected.iter_mut().enumerate() {
                *w -= 0.5 * (curvature(i) * *w + pull(i));
            }
        }
        for (got, expected) in values(&params).iter().zip(expected) {
            assert!((got - expected).abs() < 1e-5, "{device}: {got} is not {expected}"); // f32, three steps
        }
    }
}
