//! Steps that are recorded once give what steps give that are recorded anew, and what cannot be recorded once says so.

use crate::common::{alone, devices, gpu};
use tilework::nn::{BatchNorm1d, Dropout, Linear, Module, Relu, Sequential};
use tilework::optim::{AdaGrad, Adam, AdamW, At, Momentum, Optimizer, Per, RmsProp, Rule, Sgd, StepDecay, TracedStep};
use tilework::train::{Examples, Job, Objective, Recording, Trainer};
use tilework::{Device, DeviceKind, Result, Rng, Tensor};

fn network(device: &Device) -> Sequential {
    let rng = &mut Rng::seed(1);
    Sequential::new().add(Linear::new(5, 7, rng, device)).add(Relu).add(Linear::new(7, 3, rng, device))
}

/// So many rows in batches of eight.
fn data(rows: usize, device: &Device) -> (Tensor, Tensor) {
    let x = Tensor::uniform([rows, 5], -1.0, 1.0, &mut Rng::seed(2), device);
    let classes: Vec<u32> = (0..rows as u32).map(|i| (i * i + i / 3) % 3).collect();
    (x, Tensor::from_vec(classes, rows, device))
}

fn values(net: &dyn Module) -> Vec<f32> {
    net.parameters().iter().flat_map(|(_, param)| param.tensor().to_vec::<f32>().unwrap()).collect()
}

fn optimizer(name: &str, net: &dyn Module) -> Optimizer {
    let all = net.parameters();
    match name {
        "sgd" => Optimizer::new(Sgd { lr: 0.1, ..Sgd::default() }, all),
        "nesterov" => Optimizer::new(Sgd { lr: 0.1, momentum: 0.9, kind: Momentum::Nesterov, weight_decay: 0.01 }, all),
        "adam" => Optimizer::new(Adam { lr: 0.01, ..Adam::default() }, all),
        "adamw" => Optimizer::new(AdamW { lr: 0.01, ..AdamW::default() }, all),
        "adagrad" => Optimizer::new(AdaGrad { lr: 0.1, ..AdaGrad::default() }, all),
        _ => Optimizer::new(RmsProp { lr: 0.01, ..RmsProp::default() }, all),
    }
}

/// Equal to the bit on the CPU; on a GPU, whose compiler may fuse what lies in one kernel, within a few units in the last place.
fn assert_same(a: &[f32], b: &[f32], device: &Device, what: &str) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        let close = device.kind() != DeviceKind::Cpu && (a - b).abs() <= 1e-5 * a.abs().max(1.0);
        assert!(a.to_bits() == b.to_bits() || close, "{what} on {device}: {a} and {b}");
    }
}

#[test]
fn every_rule_gives_the_numbers_of_steps_recorded_anew() {
    let _turn = alone();
    for device in devices() {
        let (x, y) = data(40, &device);
        for name in ["sgd", "nesterov", "adam", "adamw", "adagrad", "rmsprop"] {
            let (anew, once) = (network(&device), network(&device));
            let [mut a, mut b] = [&anew, &once].map(|net| optimizer(name, net));
            let step = TracedStep::new(&mut b, &[&x.slice(0, 0..8), &y.slice(0, 0..8)], |batch| {
                once.forward(&batch[0]).cross_entropy(&batch[1])
            });
            let step = step.unwrap();
            assert_same(&values(&anew), &values(&once), &device, "tracing changed parameters");
            for n in 0..20 {
                let rows = n % 5 * 8..n % 5 * 8 + 8;
                let (x, y) = (x.slice(0, rows.clone()), y.slice(0, rows));
                let loss = anew.forward(&x).cross_entropy(&y);
                a.step(loss.backward().unwrap()).unwrap();
                let traced = step.run(&mut b, &[&x, &y]).unwrap();
                let [loss, traced] = [loss, traced].map(|loss| loss.detach().to_vec::<f32>().unwrap());
                assert_same(&loss, &traced, &device, name);
                if n == 10 {
                    let rate = a.learning_rate() * 0.5;
                    a.set_learning_rate(rate);
                    b.set_learning_rate(rate);
                }
            }
            assert_same(&values(&anew), &values(&once), &device, name);
            assert_eq!((a.steps(), b.steps()), (20, 20));
            for (key, slot) in a.state() {
                let other = b.state()[&key].to_vec::<f32>().unwrap();
                assert_same(&slot.to_vec::<f32>().unwrap(), &other, &device, name);
            }
        }
    }
}

#[test]
fn parameters_set_between_two_runs_and_states_loaded_are_gone_on_from() {
    let _turn = alone();
    let device = Device::cpu();
    let (x, y) = data(8, &device);
    let (anew, once) = (network(&device), network(&device));
    let [mut a, mut b] = [&anew, &once].map(|net| Optimizer::new(Adam::default(), net.parameters()));
    let step = TracedStep::new(&mut b, &[&x, &y], |batch| once.forward(&batch[0]).cross_entropy(&batch[1])).unwrap();
    let both = |a: &mut Optimizer, b: &mut Optimizer| {
        a.step(anew.forward(&x).cross_entropy(&y).backward().unwrap()).unwrap();
        drop(step.run(b, &[&x, &y]).unwrap());
        assert_same(&values(&anew), &values(&once), &device, "a step");
    };
    both(&mut a, &mut b);
    for net in [&anew, &once] {
        let (_, bias) = &net.parameters()[1];
        bias.set(&Tensor::full([7], 0.25, &device)).unwrap();
    }
    both(&mut a, &mut b);
    let (state, steps) = (a.state(), a.steps());
    both(&mut a, &mut b);
    a.load_state(&state, steps).unwrap();
    b.load_state(&state, steps).unwrap();
    both(&mut a, &mut b);
    // A step recorded anew in between changes nothing either.
    for (net, optimizer) in [(&anew, &mut a), (&once, &mut b)] {
        optimizer.step(net.forward(&x).cross_entropy(&y).backward().unwrap()).unwrap();
    }
    both(&mut a, &mut b);
}

fn fitted(recording: Recording, device: &Device, net: &dyn Module, mut optimizer: Optimizer) -> Vec<f64> {
    let (x, y) = data(30, device); // three batches of eight and a rest of six
    let examples = Examples::new(x, y).unwrap();
    let schedule = Some(Box::new(StepDecay { size: 5, gamma: 0.5, per: Per::Step }) as Box<_>);
    let mut trainer =
        Trainer { epochs: 4, batch_size: 8, clip_norm: Some(0.5), schedule, recording, ..Trainer::default() };
    let job = Job { validation: Some(&examples), ..Job::new(net, &mut optimizer, Objective::classes(), &examples) };
    let history = trainer.fit(job).unwrap().history;
    history
        .epochs
        .iter()
        .flat_map(|epoch| [epoch.loss, epoch.accuracy.unwrap(), epoch.validation_loss.unwrap()])
        .collect()
}

#[test]
fn a_training_recorded_once_is_the_one_recorded_at_each_step() {
    let _turn = alone();
    for device in devices() {
        let (anew, once) = (network(&device), network(&device));
        let seen = [(Recording::EachStep, &anew), (Recording::Once, &once)]
            .map(|(how, net)| fitted(how, &device, net, optimizer("adam", net)));
        let single = |all: &[f64]| all.iter().map(|&x| x as f32).collect::<Vec<f32>>();
        assert_same(&single(&seen[0]), &single(&seen[1]), &device, "history");
        assert_same(&values(&anew), &values(&once), &device, "parameters");
    }
}

#[test]
fn a_training_whose_network_draws_or_keeps_values_records_each_step() {
    let _turn = alone();
    let device = Device::cpu();
    let net = |kind: &str| {
        let (rng, first) = (&mut Rng::seed(1), Linear::new(5, 7, &mut Rng::seed(3), &device));
        let net = match kind {
            "dropout" => Sequential::new().add(first).add(Dropout::new(0.5, rng)),
            _ => Sequential::new().add(first).add(BatchNorm1d::new(7, &device)),
        };
        net.add(Linear::new(7, 3, rng, &device))
    };
    for kind in ["dropout", "norm"] {
        let (anew, once) = (net(kind), net(kind));
        let seen = [(Recording::EachStep, &anew), (Recording::Once, &once)]
            .map(|(how, net)| fitted(how, &device, net, optimizer("adam", net)));
        assert_eq!(seen[0], seen[1], "{kind}");
        assert_same(&values(&anew), &values(&once), &device, kind);
    }
}

/// A rule that does something else from its third step on.
#[derive(Debug, Clone, Copy)]
enum Changing {
    /// Another operation.
    What,
    /// The same operations of other operands.
    OfWhat,
    /// Nothing, but its rate is a tensor that it uploads.
    Rate,
}

impl Rule for Changing {
    fn name(&self) -> &'static str {
        "changing"
    }
    fn learning_rate(&self) -> f64 {
        0.1
    }
    fn slots(&self) -> &'static [&'static str] {
        &["before"]
    }
    fn update(&self, at: At, w: &Tensor, g: &Tensor, slots: &[Tensor]) -> (Tensor, Vec<Tensor>) {
        let rate = at.lr as f32 / at.step as f32;
        let by = match (self, at.step < 3) {
            (Changing::What, false) => g.tanh() * rate,
            (Changing::OfWhat, false) => &slots[0] * rate,
            (Changing::Rate, _) => g * &Tensor::from_vec(vec![rate], [1], w.device()),
            _ => g * rate,
        };
        (w - &by, vec![g * 1.0])
    }
}

fn says<T>(result: Result<T>, words: &str) {
    let error = result.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn what_cannot_be_recorded_once_says_so_and_loses_nothing() {
    let _turn = alone();
    let device = Device::cpu();
    let (x, y) = data(8, &device);
    let net = network(&device);
    let before = values(&net);
    let adam = |net: &Sequential| Optimizer::new(Adam::default(), net.parameters());
    let loss = |net: &Sequential, batch: &[Tensor]| net.forward(&batch[0]).cross_entropy(&batch[1]);
    let mut optimizer = adam(&net);
    let mut refused = |f: &dyn Fn(&[Tensor]) -> Tensor, words: &str| {
        says(TracedStep::new(&mut optimizer, &[&x, &y], f), words);
    };
    refused(&|b| net.forward(&b[1]).cross_entropy(&b[1]), "linear: x");
    refused(&|b| net.forward(&b[0]), "one element");
    refused(&|b| loss(&net, b) * loss(&net, b).item::<f32>().unwrap(), "reads values");
    refused(&|b| loss(&net, b) + Tensor::uniform([1], 0.0, 1.0, &mut Rng::seed(0), &device).sum(), "random numbers");
    refused(&|b| net.parameters()[3].1.tensor().sum() * b[0].sum(), "does not depend on parameter 0.weight");
    refused(&|b| (0..600).fold(loss(&net, b), |loss, _| loss * 1.0), "512 operations");
    assert_eq!(values(&net), before);
    says(TracedStep::new(&mut Optimizer::new(Adam::default(), []), &[&x], |b| b[0].sum()), "no parameters");

    // A network that keeps values goes on: they are as after a forward pass.
    let norm = Sequential::new().add(BatchNorm1d::new(5, &device)).add(network(&device));
    says(TracedStep::new(&mut adam(&norm), &[&x, &y], |b| loss(&norm, b)), "keeps a tensor");
    assert!(norm.state().values().all(|kept| kept.to_vec::<f32>().unwrap().iter().all(|x| x.is_finite())));
    norm.forward(&x).check().unwrap();

    let mut optimizer = adam(&net);
    let step = TracedStep::new(&mut optimizer, &[&x, &y], |b| loss(&net, b)).unwrap();
    assert_eq!(format!("{step:?}"), "TracedStep(f32[8, 5], u32[8], 66 parameters, cpu)");
    says(step.run(&mut optimizer, &[&x]), "traced for 2 inputs: given 1");
    says(step.run(&mut optimizer, &[&x.slice(0, 0..4), &y]), "f32[4, 5]: traced for f32[8, 5]");
    says(step.run(&mut Optimizer::new(Sgd::default(), net.parameters()), &[&x, &y]), "sgd does other operations");
    let small = Linear::new(5, 3, &mut Rng::seed(0), &device);
    says(step.run(&mut Optimizer::new(Adam::default(), small.parameters()), &[&x, &y]), "18 parameters");
    let failed = x.matmul(&x);
    says(step.run(&mut optimizer, &[&failed, &y]), "matmul");
    assert_eq!((values(&net), optimizer.steps()), (before, 0));

    for rule in [Changing::What, Changing::OfWhat] {
        let mut optimizer = Optimizer::new(rule, net.parameters());
        let step = TracedStep::new(&mut optimizer, &[&x, &y], |b| loss(&net, b)).unwrap();
        for _ in 0..2 {
            drop(step.run(&mut optimizer, &[&x, &y]).unwrap());
        }
        let then = values(&net);
        says(step.run(&mut optimizer, &[&x, &y]), "changing does other operations in step 3");
        assert_eq!(values(&net), then, "{rule:?}");
    }
    let mut optimizer = Optimizer::new(Changing::Rate, net.parameters());
    says(TracedStep::new(&mut optimizer, &[&x, &y], |b| loss(&net, b)), "a tensor that it made itself");
}

#[test]
fn a_training_by_a_rule_that_changes_is_the_one_recorded_at_each_step() {
    let _turn = alone();
    let device = Device::cpu();
    for rule in [Changing::What, Changing::OfWhat, Changing::Rate] {
        let (anew, once) = (network(&device), network(&device));
        let seen = [(Recording::EachStep, &anew), (Recording::Once, &once)]
            .map(|(how, net)| fitted(how, &device, net, Optimizer::new(rule, net.parameters())));
        assert_eq!(seen[0], seen[1], "{rule:?}");
        assert_same(&values(&anew), &values(&once), &device, "parameters");
    }
}

#[test]
fn a_traced_step_of_a_training_is_one_submit_with_its_sums() {
    let _turn = alone();
    let Some(device) = gpu() else { return };
    let net = network(&device);
    let (x, y) = data(8 * 24, &device);
    let examples = Examples::new(x, y).unwrap();
    let mut optimizer = Optimizer::new(Adam::default(), net.parameters());
    let mut submits = |epochs| {
        let before = device.stats().submits;
        let mut trainer = Trainer { epochs, batch_size: 8, recording: Recording::Once, ..Trainer::default() };
        trainer.fit(Job::new(&net, &mut optimizer, Objective::classes(), &examples)).unwrap();
        device.stats().submits - before
    };
    submits(1);
    let (two, one) = (submits(2), submits(1));
    // Besides the 24 steps an epoch puts its rows in order, and reads two sums.
    assert!(two - one <= 24 + 4, "{} submits an epoch of 24 steps", two - one);
}
