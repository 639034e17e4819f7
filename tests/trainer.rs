//! The training loop and the network estimator: determinism, resume, early stopping, faults, files.

mod common;

use common::devices;
use tilework::data::{Dataset, Schema, Target, Task, digits};
use tilework::models::{FittedMlp, Mlp, Scaling};
use tilework::nn::{BatchNorm1d, Dropout, Linear, Module, Relu, Sequential};
use tilework::optim::{Adam, OnPlateau, Optimizer, Sgd};
use tilework::train::{EarlyStopping, Event, Examples, Job, Objective, Order as TrainOrder, Progress, Silent, Trainer};
use tilework::{Device, Error, Rng, Tensor, metrics};

/// Two classes that a line separates, from a seed.
fn points(rows: usize) -> Dataset {
    let mut rng = Rng::seed(5);
    let features: Vec<f32> = rng.normals(rows * 4);
    let labels = features.chunks(4).map(|x| u32::from(x[0] + 2.0 * x[1] - x[2] > 0.3)).collect();
    let schema = Schema {
        features: (0..4).map(|i| format!("x{i}")).collect(),
        target: "side".into(),
        task: Task::Classes(vec!["left".into(), "right".into()]),
        ignored: Vec::new(),
    };
    Dataset::new(schema, features, Target::Labels(labels)).unwrap()
}

fn settings() -> Mlp {
    Mlp { hidden: vec![8], epochs: 6, batch_size: 16, learning_rate: 0.01, seed: 3, ..Mlp::default() }
}

fn bytes(model: &FittedMlp) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_file_and_another_seed_another() {
    let data = points(100);
    for device in devices() {
        let [a, b] = [(); 2].map(|()| bytes(&settings().fit(&data, &device, &mut Silent).unwrap()));
        assert!(a == b, "{device}: two runs of one seed differ");
        let other = Mlp { seed: 4, ..settings() };
        assert!(a != bytes(&other.fit(&data, &device, &mut Silent).unwrap()), "{device}");
    }
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one_bit_for_bit() {
    let data = points(100);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    for device in devices() {
        let whole = settings().fit(&data, &device, &mut Silent).unwrap();
        let half = Mlp { epochs: 2, ..settings() }.fit(&data, &device, &mut Silent).unwrap();
        half.save(&path).unwrap();
        let resumed = settings().resume(&path, &data, &device, &mut Silent).unwrap();
        assert_eq!(resumed.steps(), whole.steps());
        let losses = |m: &FittedMlp| m.history().epochs.iter().map(|e| e.loss).collect::<Vec<_>>();
        assert_eq!(losses(&resumed), losses(&whole), "{device}");
        assert!(bytes(&resumed) == bytes(&whole), "{device}: parameters differ after the resume");
    }
}

#[test]
fn a_saved_model_predicts_as_before_on_either_device() {
    let data = points(100);
    let model = settings().fit(&data, &Device::cpu(), &mut Silent).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    model.save(&path).unwrap();
    let before = model.predict_proba(data.features()).unwrap();
    for device in devices() {
        let loaded = FittedMlp::load(&path, &device).unwrap();
        let after = loaded.predict_proba(data.features()).unwrap();
        for (a, b) in before.iter().zip(&after) {
            assert!((a - b).abs() < 1e-5, "{device}: {a} became {b}");
        }
    }
}

#[test]
fn digits_are_recognised() {
    let data = digits().unwrap();
    let Target::Labels(truth) = data.test.target() else { panic!("digits are classes") };
    for device in devices() {
        let settings = Mlp { seed: 1, scaling: Scaling::None, ..Mlp::default() };
        let model = settings.fit(&data.train, &device, &mut Silent).unwrap();
        let accuracy = metrics::accuracy(truth, &model.predict(data.test.features()).unwrap()).unwrap();
        println!("{device}: accuracy {accuracy}");
        assert!(accuracy >= 0.97, "{device}: {accuracy}");
    }
}

#[test]
fn a_loss_that_explodes_ends_with_the_place_and_the_parameters_of_before() {
    for device in devices() {
        let x = Tensor::uniform([64, 3], -1.0, 1.0, &mut Rng::seed(1), &device);
        let data = Examples::new(x.clone(), x.sum_axes(&[1]).reshape([64, 1])).unwrap();
        let net = Sequential::new().add(Linear::new(3, 4, &mut Rng::seed(0), &device)).add(Relu);
        let net = net.add(Linear::new(4, 1, &mut Rng::seed(0), &device));
        let before = net.state()["0.weight"].to_vec::<f32>().unwrap();
        let mut optimizer = Optimizer::new(Sgd { lr: 1e30, ..Sgd::default() }, net.parameters());
        let mut trainer = Trainer { epochs: 5, batch_size: 4, ..Trainer::default() };
        let error = trainer.fit(Job::new(&net, &mut optimizer, Objective::values(), &data)).unwrap_err();
        assert!(matches!(error, Error::NonFinite { .. }), "{device}: {error}");
        let text = error.to_string();
        assert!(text.contains("epoch 1") && text.contains("learning rate"), "{device}: {text}");
        assert_eq!(net.state()["0.weight"].to_vec::<f32>().unwrap(), before, "{device}");
    }
}

#[test]
fn early_stopping_ends_the_run_with_the_best_parameters() {
    let device = Device::cpu();
    let rng = &mut Rng::seed(2);
    // Noise cannot be learnt: the validation loss soon rises.
    let noise = |rows: usize, rng: &mut Rng| {
        let x = Tensor::normal([rows, 8], 0.0, 1.0, rng, &device);
        Examples::new(x, Tensor::normal([rows, 1], 0.0, 1.0, rng, &device)).unwrap()
    };
    let (train, held_out) = (noise(32, rng), noise(32, rng));
    let net = Sequential::new().add(Linear::new(8, 64, rng, &device)).add(Relu).add(Linear::new(64, 1, rng, &device));
    let mut optimizer = Optimizer::new(Adam { lr: 0.01, ..Adam::default() }, net.parameters());
    let early_stopping = Some(EarlyStopping { patience: 5, min_delta: 0.0 });
    let mut trainer = Trainer { epochs: 500, batch_size: 8, early_stopping, ..Trainer::default() };
    let run = trainer
        .fit(Job { validation: Some(&held_out), ..Job::new(&net, &mut optimizer, Objective::values(), &train) })
        .unwrap();
    assert!(run.history.epochs.len() < 500);
    assert!(run.history.stopped.as_ref().unwrap().contains("5 epochs"));
    let best = run.history.epochs.iter().filter_map(|e| e.validation_loss).fold(f64::INFINITY, f64::min);
    let (now, _) = trainer.evaluate(&net, Objective::values(), &held_out).unwrap();
    assert!((now - best).abs() < 1e-9, "best {best}, now {now}");
}

/// Cancels after some steps, and counts events.
struct Canceller {
    after: usize,
    steps: usize,
    cancel: tilework::train::Cancel,
}

impl Progress for Canceller {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Step { .. } = event {
            self.steps += 1;
            if self.steps == self.after {
                self.cancel.cancel();
            }
        }
    }
}

#[test]
fn a_cancelled_run_ends_after_its_step() {
    let settings = settings();
    let mut progress = Canceller { after: 3, steps: 0, cancel: settings.cancel.0.clone() };
    let error = settings.fit(&points(100), &Device::cpu(), &mut progress).unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error}");
    assert_eq!(progress.steps, 3);
}

#[test]
fn wrong_settings_and_data_are_named() {
    let fit = |settings: Mlp| settings.fit(&points(20), &Device::cpu(), &mut Silent).unwrap_err().to_string();
    assert!(fit(Mlp { batch_size: 0, ..settings() }).contains("batch_size 0"));
    assert!(fit(Mlp { learning_rate: f64::NAN, ..settings() }).contains("learning_rate"));
    assert!(fit(Mlp { validation: 1.5, ..settings() }).contains("validation"));
    let model = settings().fit(&points(20), &Device::cpu(), &mut Silent).unwrap();
    let error = model.predict(&[1.0, 2.0, 3.0]).unwrap_err().to_string();
    assert!(error.contains("4 features") && error.contains("3 values"), "{error}");
}

/// A network with everything that a resume must bring back: masks, running values, momentum.
fn eventful(device: &Device) -> Sequential {
    let rng = &mut Rng::seed(8);
    let net = Sequential::new().add(Linear::new(4, 6, rng, device)).add(BatchNorm1d::new(6, device)).add(Relu);
    net.add(Dropout::new(0.3, rng)).add(Linear::new(6, 2, rng, device))
}

fn classes(rows: usize, device: &Device) -> Examples {
    let data = points(rows);
    let Target::Labels(labels) = data.target() else { panic!("points are classes") };
    let x = Tensor::from_slice(data.features(), [rows, 4], device);
    Examples::new(x, Tensor::from_slice(labels, [rows], device)).unwrap()
}

#[test]
fn a_checkpoint_brings_back_masks_running_values_momentum_and_the_plateau() {
    for device in devices() {
        let (train, held_out) = classes(60, &device).split(0.25, 1).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let run = |epochs: usize, file: Option<&str>| {
            let net = eventful(&device);
            let mut optimizer = Optimizer::new(Adam { lr: 0.05, ..Adam::default() }, net.parameters());
            // Noise of a few rows: the rate falls several times, at an epoch that depends on what came before.
            let plateau = OnPlateau { patience: 0, factor: 0.5, ..OnPlateau::default() };
            let mut trainer = Trainer {
                epochs,
                batch_size: 8,
                seed: 2,
                schedule: Some(Box::new(plateau)),
                early_stopping: Some(EarlyStopping { patience: 100, min_delta: 0.0 }),
                checkpoint: file.map(|file| folder.path().join(file)),
                ..Trainer::default()
            };
            let objective = Objective::classes();
            let at = trainer
                .resume(Job { validation: Some(&held_out), ..Job::new(&net, &mut optimizer, objective, &train) })
                .unwrap();
            let values = |(name, t): (String, Tensor)| (name, t.to_vec::<f32>().unwrap());
            let net: Vec<_> = net.state().into_iter().map(values).collect();
            let optimizer: Vec<_> = optimizer.state().into_iter().map(values).collect();
            let epochs = at.history.epochs.iter().map(|e| (e.loss, e.validation_loss, e.learning_rate));
            (epochs.collect::<Vec<_>>(), net, optimizer)
        };
        let whole = run(8, None);
        let rates: Vec<f64> = whole.0.iter().map(|e| e.2).collect();
        assert!(rates[7] < rates[0], "{device}: the plateau never lowered the rate: {rates:?}");
        for cut in [1, 4, 7] {
            let file = format!("{cut}.safetensors");
            run(cut, Some(&file));
            let resumed = run(8, Some(&file));
            assert_eq!(resumed, whole, "{device}: cut after {cut} epochs");
        }
    }
}

#[test]
fn a_stopped_run_stays_stopped_when_it_is_resumed() {
    let device = Device::cpu();
    let data = classes(40, &device);
    let folder = tempfile::tempdir().unwrap();
    let run = |epochs: usize| {
        let net = eventful(&device);
        let mut optimizer = Optimizer::new(Sgd { lr: 0.0, ..Sgd::default() }, net.parameters());
        let mut trainer = Trainer {
            epochs,
            early_stopping: Some(EarlyStopping { patience: 2, min_delta: 1e9 }), // only the first epoch can improve
            checkpoint: Some(folder.path().join("run.safetensors")),
            ..Trainer::default()
        };
        let at = trainer
            .resume(Job { validation: Some(&data), ..Job::new(&net, &mut optimizer, Objective::classes(), &data) })
            .unwrap();
        (at.history.epochs.len(), at.history.stopped)
    };
    let stopped = run(50);
    assert_eq!(stopped.0, 3);
    assert_eq!(run(50), stopped);
}

#[test]
fn a_validation_loss_that_is_nan_is_never_the_best() {
    let device = Device::cpu();
    let data = classes(20, &device);
    let rotten = Examples::new(&data.x * f32::NAN, data.y.clone()).unwrap();
    let net = eventful(&device);
    let mut optimizer = Optimizer::new(Sgd::default(), net.parameters());
    let early_stopping = Some(EarlyStopping { patience: 3, min_delta: 0.0 });
    let mut trainer = Trainer { epochs: 50, early_stopping, ..Trainer::default() };
    let run = trainer
        .fit(Job { validation: Some(&rotten), ..Job::new(&net, &mut optimizer, Objective::classes(), &data) })
        .unwrap();
    assert_eq!(run.history.epochs.len(), 3);
    assert!(run.history.stopped.unwrap().contains("3 epochs"));
    let error = trainer.fit(Job::new(&net, &mut optimizer, Objective::classes(), &data)).unwrap_err();
    assert!(error.to_string().contains("early_stopping has nothing to judge by"), "{error}");
}

#[test]
fn after_an_explosion_the_same_optimizer_can_go_on() {
    for device in devices() {
        let x = Tensor::uniform([64, 3], -1.0, 1.0, &mut Rng::seed(1), &device);
        let data = Examples::new(x.clone(), x.sum_axes(&[1]).reshape([64, 1])).unwrap();
        let net = Sequential::new().add(Linear::new(3, 8, &mut Rng::seed(0), &device)).add(Relu);
        let net = net.add(Linear::new(8, 1, &mut Rng::seed(0), &device));
        let mut optimizer = Optimizer::new(Sgd { lr: 1e30, momentum: 0.9, ..Sgd::default() }, net.parameters());
        let mut trainer = Trainer { epochs: 20, batch_size: 8, ..Trainer::default() };
        let mut fit = |optimizer: &mut Optimizer| trainer.fit(Job::new(&net, optimizer, Objective::values(), &data));
        assert!(fit(&mut optimizer).is_err());
        assert_eq!(optimizer.steps(), 0, "{device}");
        optimizer.set_learning_rate(0.01); // as the error advises
        let run = fit(&mut optimizer).unwrap();
        assert!(run.history.epochs[19].loss < 0.2 * run.history.epochs[0].loss, "{device}: {:?}", run.history.epochs);
    }
}

#[test]
fn events_tell_the_whole_run_in_order() {
    let device = Device::cpu();
    let data = classes(20, &device);
    let net = eventful(&device);
    let mut optimizer = Optimizer::new(Sgd::default(), net.parameters());
    let mut told = Vec::new();
    let mut listen = |event: &Event<'_>| {
        told.push(match event {
            Event::Start { epochs, done, steps, samples, parameters, .. } => {
                format!("start {epochs} {done} {steps} {samples} {parameters}")
            }
            Event::Step { epoch, step, loss, .. } => format!("step {epoch} {step} {}", loss.is_some()),
            Event::Epoch(e) => format!("epoch {} {}", e.epoch, e.accuracy.is_some()),
            Event::Finished { steps, .. } => format!("finished {steps}"),
            other => format!("{other:?}"),
        });
    };
    let mut trainer = Trainer { epochs: 2, batch_size: 16, ..Trainer::default() };
    trainer
        .fit(Job { progress: Some(&mut listen), ..Job::new(&net, &mut optimizer, Objective::classes(), &data) })
        .unwrap();
    let want = [
        "start 2 0 2 20 56", // 4·6 + 6, 6 + 6, 6·2 + 2
        "step 1 1 true",
        "step 1 2 true",
        "epoch 1 true",
        "step 2 1 true",
        "step 2 2 true",
        "epoch 2 true",
        "finished 4",
    ];
    assert_eq!(told, want);
}

#[test]
fn each_epoch_has_another_order_unless_it_is_as_given() {
    let device = Device::cpu();
    // The loss of a step that learns nothing is the first row's target: the order, told from outside.
    let rows = 16;
    let y: Vec<f32> = (0..rows).map(|i| i as f32).collect();
    let data = Examples::new(Tensor::zeros([rows, 1], &device), Tensor::from_vec(y, [rows, 1], &device)).unwrap();
    let orders = |order: TrainOrder, seed: u64| -> Vec<Vec<f64>> {
        let net = Linear::new(1, 1, &mut Rng::seed(0), &device);
        let mut optimizer = Optimizer::new(Sgd { lr: 0.0, ..Sgd::default() }, net.parameters());
        let mut means = vec![Vec::new(), Vec::new()];
        let mut listen = |event: &Event<'_>| {
            if let Event::Step { epoch, step, loss: Some(mean), .. } = event {
                means[epoch - 1].push(mean * *step as f64);
            }
        };
        let loss = |y: &Tensor, t: &Tensor| (t + y * 0.0).mean();
        let objective = Objective { loss: &loss, hits: None };
        let mut trainer = Trainer { epochs: 2, batch_size: 1, order, seed, ..Trainer::default() };
        trainer.fit(Job { progress: Some(&mut listen), ..Job::new(&net, &mut optimizer, objective, &data) }).unwrap();
        let rows = |sums: Vec<f64>| {
            sums.iter().scan(0.0, |last, sum| Some((sum - std::mem::replace(last, *sum)).round())).collect()
        };
        means.into_iter().map(rows).collect()
    };
    let given: Vec<f64> = (0..rows).map(|i| i as f64).collect();
    assert_eq!(orders(TrainOrder::AsGiven, 1), [given.clone(), given.clone()]);
    let shuffled = orders(TrainOrder::Shuffled, 1);
    assert_ne!(shuffled[0], shuffled[1]);
    for order in &shuffled {
        let mut sorted = order.clone();
        sorted.sort_by(f64::total_cmp);
        assert_eq!(sorted, given, "each row once");
    }
    assert_eq!(orders(TrainOrder::Shuffled, 1), shuffled);
    assert_ne!(orders(TrainOrder::Shuffled, 2), shuffled);
}
