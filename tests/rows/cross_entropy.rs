//! The cross entropy of rows.

use crate::common::{TOLERANCE, alone, close, devices, launches, noise, scaled, wide};
use tilework::{CrossEntropyOptions, DType, Device, Reduction, Tensor};

/// A batch for the cross entropy.
struct Case {
    logits: Vec<f32>,
    targets: Vec<u32>,
    weights: Option<Vec<f32>>,
    smoothing: f32,
    reduction: Reduction,
}

impl Case {
    fn of(rows: usize, classes: usize, seed: u32) -> Case {
        Case {
            logits: scaled(noise(rows * classes, seed), 5.0),
            targets: noise(rows, seed + 1).iter().map(|v| (v.to_bits() >> 3) % classes as u32).collect(),
            weights: None,
            smoothing: 0.0,
            reduction: Reduction::Mean,
        }
    }

    fn classes(&self) -> usize {
        self.logits.len() / self.targets.len()
    }

    fn tensors(&self, device: &Device) -> (Tensor, Tensor, Option<Tensor>) {
        let (rows, classes) = (self.targets.len(), self.classes());
        (
            Tensor::from_slice(&self.logits, [rows, classes], device).tracked(),
            Tensor::from_slice(&self.targets, [rows], device),
            self.weights.as_ref().map(|weights| Tensor::from_slice(weights, [classes], device)),
        )
    }

    fn loss(&self, logits: &Tensor, targets: &Tensor, weights: Option<&Tensor>) -> Tensor {
        let options = CrossEntropyOptions { label_smoothing: self.smoothing, weights, reduction: self.reduction };
        logits.cross_entropy_with(targets, options)
    }

    /// The loss and its gradient, in f64; the gradient is that of the sum where each row has a loss.
    fn reference(&self) -> (Vec<f64>, Vec<f64>) {
        let classes = self.classes();
        let weight = |c: usize| self.weights.as_ref().map_or(1.0, |weights| f64::from(weights[c]));
        let smoothing = f64::from(self.smoothing);
        let (mut losses, mut grads, mut total) = (Vec::new(), Vec::new(), 0.0);
        for (row, &target) in self.logits.chunks(classes).zip(&self.targets) {
            let row = wide(row);
            let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|x| (x - top).exp()).sum();
            let ln_p = |c: usize| row[c] - top - sum.ln();
            // the target distribution, weighted
            let q = |c: usize| {
                weight(c) * (f64::from(u8::from(c == target as usize)) * (1.0 - smoothing) + smoothing / classes as f64)
            };
            let terms = (0..classes).filter(|&c| q(c) != 0.0).map(|c| -q(c) * ln_p(c));
            losses.push(terms.sum::<f64>());
            let mass: f64 = (0..classes).map(q).sum();
            grads.extend((0..classes).map(|c| mass * ln_p(c).exp() - q(c)));
            total += weight(target as usize);
        }
        match self.reduction {
            Reduction::None => (losses, grads),
            Reduction::Sum => (vec![losses.iter().sum()], grads),
            Reduction::Mean => {
                grads.iter_mut().for_each(|g| *g /= total);
                (vec![losses.iter().sum::<f64>() / total], grads)
            }
        }
    }

    /// What it means in simpler operations.
    fn unfused(&self, logits: &Tensor, targets: &Tensor, weights: Option<&Tensor>) -> Tensor {
        let classes = self.classes();
        let top = logits.max_axes(&[-1]).unsqueeze(-1).detach();
        let shifted = logits - &top;
        let ln_p = &shifted - shifted.exp().sum_axes(&[-1]).ln().unsqueeze(-1);
        let hit = targets.unsqueeze(-1).eq(&Tensor::arange(0..classes as u32, logits.device())).to_dtype(DType::F32);
        let w = weights.map_or(hit.ones_like(), |w| w.expand(hit.shape()));
        let q = &w * (&hit * (1.0 - self.smoothing) + self.smoothing / classes as f32);
        let losses = -(q * ln_p).sum_axes(&[-1]);
        match self.reduction {
            Reduction::None => losses,
            Reduction::Sum => losses.sum(),
            Reduction::Mean => losses.sum() / (w * hit).sum(),
        }
    }

    #[track_caller]
    fn check(&self, what: &str) {
        let (loss, grad) = self.reference();
        for device in devices() {
            let (logits, targets, weights) = self.tensors(&device);
            let got = self.loss(&logits, &targets, weights.as_ref());
            close(&got, &loss, TOLERANCE, what);
            let grads = got.sum().backward().unwrap();
            close(&grads.get(&logits).unwrap(), &grad, TOLERANCE, &format!("gradient of {what}"));
        }
    }
}

#[test]
fn cross_entropy_equals_its_formula_for_sizes_of_every_kind() {
    let _turn = alone();
    for (rows, classes) in [(1, 1), (1, 7), (5, 1), (3, 2), (7, 10), (13, 255), (2, 256), (3, 257), (1, 3001), (300, 3)]
    {
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            Case { reduction, ..Case::of(rows, classes, 3) }
                .check(&format!("{rows} rows, {classes} classes, {reduction:?}"));
        }
    }
}

#[test]
fn class_weights_and_smoothing_follow_pytorch() {
    let _turn = alone();
    for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
        for (smoothing, weighted) in [(0.1, false), (0.0, true), (0.3, true), (1.0, true)] {
            let weights = weighted.then(|| noise(10, 9).iter().map(|v| v + 1.5).collect());
            let case = Case { reduction, smoothing, weights, ..Case::of(37, 10, 5) };
            case.check(&format!("smoothing {smoothing}, weights {weighted}, {reduction:?}"));
        }
    }
    let case = Case {
        logits: vec![1.0, 2.0, 3.0, 1.0, 0.0, -1.0],
        targets: vec![2, 1],
        weights: Some(vec![1.0, 2.0, 3.0]),
        smoothing: 0.1,
        reduction: Reduction::Mean,
    };
    // by hand: -ln P = [2.407606, 1.407606, 0.407606] and its mirror image, so that w·(-ln P) is
    // [2.407606, 2.815212, 1.222818] and [0.407606, 2.815212, 7.222818]
    let by_hand = (0.9 * (1.222_818 + 2.815_212) + 0.1 / 3.0 * (6.445_636 + 10.445_636)) / 5.0;
    assert!((case.reference().0[0] - by_hand).abs() < 1e-5);
}

#[test]
fn large_batches_are_summed_by_several_workgroups() {
    let _turn = alone();
    let weights = || Some(noise(100, 2).iter().map(|v| v + 1.5).collect());
    Case::of(1500, 100, 1).check("a large batch");
    Case { weights: weights(), smoothing: 0.1, ..Case::of(1500, 100, 1) }.check("a large weighted batch");
    Case { reduction: Reduction::Sum, ..Case::of(70_001, 2, 1) }.check("many short rows");
    Case { reduction: Reduction::Sum, ..Case::of(2, 70_001, 1) }.check("few long rows");
}

#[test]
fn cross_entropy_survives_extreme_logits() {
    let _turn = alone();
    let below = f32::NEG_INFINITY;
    let rows: &[[f32; 3]] = &[
        [1000.0, 1001.0, 1002.0],
        [88.0, -88.0, 0.0],
        [300.0, -300.0, 300.0],
        [-1e30, 1e30, 0.0],
        [below, 1.0, 2.0],
        [below, below, -5.0],
        [1.5e38, -1.5e38, 1.0],
        [1e-40, 0.0, -1e-40],
    ];
    for target in 0..3 {
        let case = Case {
            logits: rows.iter().flatten().copied().collect(),
            targets: vec![target; rows.len()],
            reduction: Reduction::None,
            ..Case::of(1, 1, 0)
        };
        case.check(&format!("target {target} of extreme rows"));
    }
}

#[test]
fn a_target_that_is_no_class_makes_its_row_nan_and_no_other() {
    let _turn = alone();
    for device in devices() {
        let logits = Tensor::from_vec(noise(12, 1), [4, 3], &device).tracked();
        let targets = Tensor::from_vec(vec![1i32, -1, 3, 2], [4], &device);
        let options = CrossEntropyOptions { reduction: Reduction::None, ..Default::default() };
        let losses = logits.cross_entropy_with(&targets, options);
        let nan: Vec<bool> = losses.to_vec::<f32>().unwrap().iter().map(|v| v.is_nan()).collect();
        assert_eq!(nan, [false, true, true, false], "{device}");
        let grad = losses.sum().backward().unwrap().get(&logits).unwrap().to_vec::<f32>().unwrap();
        let nan: Vec<bool> = grad.iter().map(|v| v.is_nan()).collect();
        assert_eq!(nan, [[false; 3], [true; 3], [true; 3], [false; 3]].concat(), "{device}");
        assert!(logits.cross_entropy(&targets).item::<f32>().unwrap().is_nan(), "{device}");
    }
}

#[test]
fn an_empty_batch_has_a_sum_of_zero_and_no_mean() {
    let _turn = alone();
    for device in devices() {
        let logits = Tensor::zeros([0, 3], &device);
        let targets = Tensor::from_vec(Vec::<u32>::new(), [0], &device);
        let with =
            |reduction| logits.cross_entropy_with(&targets, CrossEntropyOptions { reduction, ..Default::default() });
        assert!(with(Reduction::Mean).item::<f32>().unwrap().is_nan(), "{device}");
        assert_eq!(with(Reduction::Sum).item::<f32>().unwrap(), 0.0, "{device}");
        assert_eq!(with(Reduction::None).shape(), [0], "{device}");
    }
}

#[test]
fn cross_entropy_is_the_same_as_its_unfused_form() {
    let _turn = alone();
    let weights = || Some(noise(6, 4).iter().map(|v| v + 1.5).collect());
    for device in devices() {
        for (smoothing, weights) in [(0.0, None), (0.2, None), (0.0, weights()), (0.2, weights())] {
            for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
                let case = Case { reduction, smoothing, weights: weights.clone(), ..Case::of(5, 6, 8) };
                let (logits, targets, weights) = case.tensors(&device);
                let slope = Tensor::from_vec(noise(5, 7), [5], &device);
                let mixed = Tensor::from_vec(noise(30, 6), [5, 6], &device);
                // the gradient, and the gradient of a mixture of its elements
                let both = |loss: &Tensor| {
                    let loss = if reduction == Reduction::None { loss * &slope } else { loss.square() };
                    let grad = loss.sum().grad(&[&logits]).unwrap().remove(0);
                    let second = (&grad * &mixed).sum().grad(&[&logits]).unwrap().remove(0);
                    (grad, second)
                };
                let fused = case.loss(&logits, &targets, weights.as_ref());
                let unfused = case.unfused(&logits, &targets, weights.as_ref());
                let what = format!("smoothing {smoothing}, {reduction:?}");
                // both forms round; sums of five rows reach 30
                close(&fused, &wide(&unfused.to_vec::<f32>().unwrap()), 4e-6, &what);
                let ((grad, second), (want, want_second)) = (both(&fused), both(&unfused));
                close(&grad, &wide(&want.to_vec::<f32>().unwrap()), 2e-5, &format!("gradient, {what}"));
                close(&second, &wide(&want_second.to_vec::<f32>().unwrap()), 1e-4, &format!("second gradient, {what}"));
            }
        }
    }
}

#[test]
fn views_of_logits_are_read_where_they_lie() {
    let _turn = alone();
    let case = Case::of(11, 6, 2);
    let (loss, grad) = case.reference();
    for device in devices() {
        let (logits, targets, _) = case.tensors(&device);
        let columns = logits.t().contiguous().detach();
        device.flush().unwrap();
        let before = device.stats();
        let turned = columns.t().cross_entropy(&targets);
        device.flush().unwrap();
        if device.stats().dispatches > before.dispatches {
            assert_eq!(device.stats().dispatches - before.dispatches, 1, "{device}");
        }
        close(&turned, &loss, TOLERANCE, "a transposed view");
        let zeros = Tensor::zeros([11, 2], &device);
        let padded = Tensor::cat(&[&zeros, &logits, &zeros], 1);
        let sliced = padded.slice(1, 2..8).cross_entropy(&targets);
        close(&sliced, &loss, TOLERANCE, "a slice");
        let turned = logits.flip(&[0]).cross_entropy(&targets.flip(&[0]));
        close(&turned, &loss, TOLERANCE, "reversed rows");
        close(&turned.backward().unwrap().get(&logits).unwrap(), &grad, TOLERANCE, "gradient of reversed rows");
        let cube = logits.reshape([1, 11, 6]).cross_entropy(&targets.reshape([1, 11]));
        close(&cube, &loss, TOLERANCE, "leading dimensions");
        let single = logits.select(0, 4).cross_entropy(&targets.select(0, 4));
        assert_eq!(single.shape(), [], "one row without a batch");
    }
}

#[test]
fn sixteen_bit_logits_are_computed_wide() {
    let _turn = alone();
    let case = Case::of(9, 10, 2);
    for device in devices() {
        let (logits, targets, _) = case.tensors(&device);
        for dtype in [DType::F16, DType::BF16] {
            let half = logits.detach().to_dtype(dtype);
            let rounded = Case { logits: half.to_dtype(DType::F32).to_vec::<f32>().unwrap(), ..Case::of(9, 10, 2) };
            let half = half.tracked();
            let loss = half.cross_entropy(&targets);
            assert_eq!(loss.dtype(), dtype);
            // the result and the gradient are rounded once: bf16 has 8 bits
            let (want, want_grad) = rounded.reference();
            close(&loss.to_dtype(DType::F32), &want, 4e-3, "a half loss");
            let grad = loss.backward().unwrap().get(&half).unwrap();
            assert_eq!(grad.dtype(), dtype);
            close(&grad.to_dtype(DType::F32), &want_grad, 4e-3, "a half gradient");
        }
    }
}

#[test]
fn a_loss_is_one_launch_and_its_gradient_another() {
    let _turn = alone();
    for device in devices() {
        let case = Case::of(128, 10, 1);
        let (logits, targets, _) = case.tensors(&device);
        let forward = launches(&device, || vec![logits.cross_entropy(&targets)]);
        let both = launches(&device, || {
            let loss = logits.cross_entropy(&targets);
            let grad = loss.backward().unwrap().get(&logits).unwrap();
            vec![loss, grad]
        });
        let expected = if forward == 0 { (0, 0) } else { (1, 2) }; // the CPU counts no launches
        assert_eq!((forward, both), expected, "{device}");
    }
}

#[test]
fn smoothing_may_change_from_step_to_step_without_a_new_plan() {
    let _turn = alone();
    for device in devices() {
        let (logits, targets, _) = Case::of(8, 4, 1).tensors(&device);
        let step = |label_smoothing: f32| {
            let options = CrossEntropyOptions { label_smoothing, ..Default::default() };
            logits.cross_entropy_with(&targets, options).item::<f32>().unwrap()
        };
        let first = step(0.0);
        let plans = device.stats().plans_built;
        assert!(step(0.5) != first);
        assert_eq!(device.stats().plans_built, plans, "{device}");
    }
}

#[test]
fn wrong_calls_of_cross_entropy_say_what_is_wrong() {
    let _turn = alone();
    let cpu = Device::cpu();
    let (logits, targets) = (Tensor::zeros([2, 3], &cpu), Tensor::from_vec(vec![0u32, 1], [2], &cpu));
    let says = |loss: Tensor, text: &str| {
        let error = loss.check().err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains(text), "{error:?} does not say {text:?}");
        assert!(error.contains("tests/rows/"), "{error:?} has no line");
    };
    says(logits.to_dtype(DType::I32).cross_entropy(&targets), "logits must be floats: given i32");
    says(logits.cross_entropy(&targets.to_dtype(DType::F32)), "targets must be class numbers, u32 or i32: given f32");
    says(logits.cross_entropy(&targets.unsqueeze(1)), "logits [2, 3], targets [2, 1]; give one class number a row");
    says(Tensor::zeros([2, 0], &cpu).cross_entropy(&targets), "logits need a last axis of classes: given [2, 0]");
    says(Tensor::zeros((), &cpu).cross_entropy(&targets), "logits need a last axis of classes: given []");
    let smoothed = CrossEntropyOptions { label_smoothing: 1.5, ..Default::default() };
    says(logits.cross_entropy_with(&targets, smoothed), "label_smoothing is a share of the target: given 1.5");
    let weighted = CrossEntropyOptions { weights: Some(&logits), ..Default::default() };
    says(logits.cross_entropy_with(&targets, weighted), "weights must be floats of shape [3]: given [2, 3] of f32");
}
