//! Learning rates against the numbers and formulas that PyTorch's documentation gives.

use std::f64::consts::PI;
use tilework::optim::{Constant, Cosine, Goal, OnPlateau, OneCycle, Per, Schedule, StepDecay, Threshold, WarmUp};

/// The rates of the first `n` epochs.
fn epochs(schedule: &mut dyn Schedule, base: f64, n: u64) -> Vec<f64> {
    (0..n).map(|epoch| schedule.rate(base, epoch * 100, epoch, None)).collect()
}

fn close(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        // a few roundings of f64
        assert!((got - want).abs() <= 1e-13 * want.abs().max(1e-3), "{i}: {got}, not {want}");
    }
}

#[test]
fn step_decay_falls_by_the_factor_every_so_many_epochs() {
    // StepLR's example: 0.05 below epoch 30, 0.005 below 60, 0.0005 below 90
    let mut schedule = StepDecay { size: 30, gamma: 0.1, per: Per::Epoch };
    let rates = epochs(&mut schedule, 0.05, 90);
    close(
        &[rates[0], rates[29], rates[30], rates[59], rates[60], rates[89]],
        &[0.05, 0.05, 0.005, 0.005, 0.0005, 0.0005],
    );
    let mut by_step = StepDecay { size: 2, gamma: 0.5, per: Per::Step };
    let rates: Vec<f64> = (0..6).map(|step| by_step.rate(1.0, step, 0, None)).collect();
    close(&rates, &[1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
}

#[test]
fn cosine_follows_the_recursion_of_its_definition() {
    let (base, min, length) = (0.3, 0.01, 17u64);
    let mut rate = base;
    let mut want = Vec::new();
    for t in 0..length {
        want.push(rate);
        // CosineAnnealingLR is defined by the ratio of neighbours
        let ratio = (1.0 + ((t + 1) as f64 * PI / length as f64).cos()) / (1.0 + (t as f64 * PI / length as f64).cos());
        rate = min + (rate - min) * ratio;
    }
    want.extend([min; 3]);
    close(&epochs(&mut Cosine { length, min, per: Per::Epoch }, base, length + 3), &want);
    assert_eq!(epochs(&mut Cosine { length: 0, min, per: Per::Epoch }, base, 1), [min]);
}

#[test]
fn one_cycle_rises_over_three_tenths_and_falls_to_a_quarter_millionth() {
    let mut schedule = OneCycle::new(10);
    let rates: Vec<f64> = (0..12).map(|step| schedule.rate(0.1, step, 0, None)).collect();
    // OneCycleLR(max_lr=0.1, total_steps=10): 0.3·10 - 1 = 2 steps up from 0.004, 7 down to 4e-7
    let down = |k: f64| 4e-7 + (0.1 - 4e-7) * (1.0 + (PI * k / 7.0).cos()) / 2.0;
    let want = [0.004, 0.052, 0.1, down(1.0), down(2.0), down(3.0), down(4.0), down(5.0), down(6.0), 4e-7, 4e-7, 4e-7];
    close(&rates, &want);
    for steps in [0, 1, 2, 3] {
        let rates = (0..5).map(|step| OneCycle::new(steps).rate(0.1, step, 0, None));
        assert!(rates.into_iter().all(|rate| rate > 0.0 && rate <= 0.1), "{steps} steps");
    }
}

#[test]
fn warm_up_rises_in_a_line_and_hands_over() {
    // LinearLR's example: from a half in 4 epochs
    let mut schedule = WarmUp { start: 0.5, length: 4, per: Per::Epoch, then: Constant };
    close(&epochs(&mut schedule, 0.05, 6), &[0.025, 0.03125, 0.0375, 0.04375, 0.05, 0.05]);
    let then = StepDecay { size: 2, gamma: 0.5, per: Per::Epoch };
    let mut schedule = WarmUp::new(3, Per::Epoch, then);
    close(&epochs(&mut schedule, 0.9, 8), &[0.3, 0.5, 0.7, 0.9, 0.9, 0.45, 0.45, 0.225]);
}

/// The rates after each of a row of metrics, each asked for at three steps of its epoch.
fn judged(mut schedule: OnPlateau, metrics: &[f64]) -> Vec<f64> {
    assert_eq!(schedule.rate(1.0, 0, 0, None), 1.0);
    let mut ask = |epoch: u64, metric: f64| {
        let rates: Vec<f64> = (0..3).map(|step| schedule.rate(1.0, 3 * epoch + step, epoch, Some(metric))).collect();
        assert!(rates.iter().all(|rate| *rate == rates[0]), "an epoch counts once: {rates:?}");
        rates[0]
    };
    metrics.iter().zip(1..).map(|(metric, epoch)| ask(epoch, *metric)).collect()
}

#[test]
fn a_plateau_lowers_the_rate_after_its_patience() {
    let patient = OnPlateau { patience: 2, factor: 0.5, ..OnPlateau::default() };
    // 2.0 is the best; 1.9999 improves by less than a share of 1e-4; the third bad epoch is one too many
    close(&judged(patient, &[2.0, 1.9999, 2.0, 2.5, 2.0, 2.0, 2.0]), &[1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]);
    // an improvement starts the count again
    close(&judged(patient, &[2.0, 2.0, 2.0, 1.0, 2.0, 2.0, 2.0]), &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5]);
    // NaN is no improvement
    close(&judged(patient, &[f64::NAN, f64::NAN, f64::NAN]), &[1.0, 1.0, 0.5]);
}

#[test]
fn the_defaults_of_a_plateau_are_ten_epochs_and_a_tenth() {
    let rates = judged(OnPlateau::default(), &[1.0; 24]);
    let want: Vec<f64> = (0..24)
        .map(|i| {
            if i < 11 {
                1.0
            } else if i < 22 {
                0.1
            } else {
                0.01
            }
        })
        .collect();
    close(&rates, &want);
}

#[test]
fn cooldown_goal_floor_and_measure_of_a_plateau() {
    let cooling = OnPlateau { patience: 0, factor: 0.5, cooldown: 2, ..OnPlateau::default() };
    // each change is followed by two epochs that do not count
    close(&judged(cooling, &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0]), &[1.0, 0.5, 0.5, 0.5, 0.25, 0.25]);
    let score = OnPlateau { goal: Goal::Higher, patience: 0, factor: 0.5, ..OnPlateau::default() };
    close(&judged(score, &[0.5, 0.6, 0.6, 0.7]), &[1.0, 1.0, 0.5, 0.5]);
    let floor = OnPlateau { patience: 0, factor: 0.5, min: 0.4, ..OnPlateau::default() };
    close(&judged(floor, &[1.0; 4]), &[1.0, 0.5, 0.4, 0.4]);
    let absolute =
        OnPlateau { patience: 0, factor: 0.5, threshold: 0.1, measure: Threshold::Absolute, ..OnPlateau::default() };
    close(&judged(absolute, &[1.0, 0.95, 0.85]), &[1.0, 0.5, 0.5]);
    let tiny = OnPlateau { patience: 0, factor: 0.5, eps: 0.3, ..OnPlateau::default() };
    close(&judged(tiny, &[1.0; 4]), &[1.0, 0.5, 0.5, 0.5]);
}

#[test]
fn a_saved_plateau_goes_on_where_it_was() {
    let new = || WarmUp::new(1, Per::Epoch, OnPlateau { patience: 1, ..OnPlateau::default() });
    let losses = [3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0];
    let run = |schedule: &mut dyn Schedule, epochs: std::ops::Range<u64>| -> Vec<f64> {
        epochs.map(|epoch| schedule.rate(1.0, epoch, epoch, Some(losses[epoch as usize]))).collect()
    };
    let whole = run(&mut new(), 0..9);
    for cut in 0..9 {
        let mut first = new();
        let mut rates = run(&mut first, 0..cut);
        let saved = first.state().to_string();
        let mut second = new();
        second.load_state(&serde_json::from_str(&saved).unwrap()).unwrap();
        rates.extend(run(&mut second, cut..9));
        assert_eq!(rates, whole, "cut at {cut}");
    }
    assert!(new().load_state(&serde_json::json!({"best": "x"})).is_err());
}

#[test]
fn settings_are_plain_data() {
    let schedule = WarmUp::new(5, Per::Step, Cosine { length: 100, min: 1e-5, per: Per::Step });
    let text = serde_json::to_string(&schedule).unwrap();
    assert_eq!(serde_json::from_str::<WarmUp<Cosine>>(&text).unwrap(), schedule);
}
