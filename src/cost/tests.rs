use super::*;

/// A made-up machine: eight good cores, and a card that takes 8 µs a launch.
const CPU: Figures =
    Figures { start: 0.0, launch: 1e-6, flops: 6e11, bandwidth: 2e10, cached: 2e11, transfer: 1e10, measured: true };
const CARD: Figures =
    Figures { start: 0.2, launch: 8e-6, flops: 2e13, bandwidth: 8e11, cached: 2e12, transfer: 5e9, measured: true };
const OPEN_CARD: Figures = Figures { start: 0.0, ..CARD };

fn place(work: Work, gpu: &Figures) -> DeviceKind {
    choose(&work, &CPU, gpu, "card").0
}

fn products(n: f64, times: f64) -> Work {
    Work { flops: times * 2.0 * n * n * n, launches: times, ..Work::default() }
}

#[test]
fn work_goes_where_it_is_done_first() {
    let small = Work::training(&[64, 64, 32, 10], 1438, 32, 50);
    let big = Work::training(&[784, 2048, 2048, 10], 60_000, 512, 10);
    assert_eq!([place(small, &CARD), place(big, &CARD)], [DeviceKind::Cpu, DeviceKind::Gpu]);
    assert_eq!(place(small, &OPEN_CARD), DeviceKind::Cpu, "small steps cost launches");
    // One sum over numbers that come from the program and go back: the way there is longer than the work.
    let passing = Work { bytes: 3e9, launches: 1.0, transfer: 3e9, ..Work::default() };
    assert_eq!(place(passing, &OPEN_CARD), DeviceKind::Cpu);
    assert_eq!(place(Work { bytes: 1e12, ..passing }, &OPEN_CARD), DeviceKind::Gpu);
    assert_eq!(place(Work::default(), &CARD), DeviceKind::Cpu, "nothing to do is done here");
}

#[test]
fn there_is_one_size_from_which_the_gpu_wins_and_opening_it_moves_that_up() {
    let crossover = |gpu: &Figures| {
        let kinds: Vec<DeviceKind> = (3..13).map(|power| place(products(2f64.powi(power), 100.0), gpu)).collect();
        let first = kinds.iter().position(|&kind| kind == DeviceKind::Gpu).unwrap();
        assert!(kinds[first..].iter().all(|&kind| kind == DeviceKind::Gpu), "{kinds:?}");
        first
    };
    // 8 µs against 2n³ / 0.6 TFLOP/s + 1 µs: n = 130 to 256; with 0.2 s shared by 100 products, n = 850 to 1024.
    assert_eq!((crossover(&OPEN_CARD), crossover(&CARD)), (5, 7));
}

#[test]
fn a_choice_says_both_times_and_whether_they_were_measured() {
    let (_, why) = choose(&products(4096.0, 1000.0), &CPU, &CARD, "card");
    assert_eq!(why, "about 3.8 min on the CPU, 7.1 s on card (200 ms of it to open it)");
    let (_, why) = choose(&products(4096.0, 1000.0), &CPU, &Figures { measured: false, ..OPEN_CARD }, "card");
    assert!(
        why.ends_with("7 s on card, which is not measured yet")
            || why.ends_with("6.9 s on card, which is not measured yet"),
        "{why}"
    );
}

#[test]
fn a_software_gpu_is_never_chosen_whatever_the_work() {
    let work = products(8192.0, 1e6);
    let device = Device::auto_for(&work);
    let real = Device::list().iter().skip(1).any(|line| !line.contains("(software"));
    if !real && std::env::var_os("TILEWORK_DEVICE").is_none() {
        assert_eq!(device.kind(), DeviceKind::Cpu, "{}", device.explain());
    }
}

#[test]
fn figures_of_this_cpu_are_those_of_a_computer_and_are_explained() {
    let figures = measure::measure(&Device::cpu()).unwrap();
    assert!(figures.are_sane() && figures.measured, "{figures:?}");
    assert!((1e-8..1e-3).contains(&figures.launch) && (1e8..1e14).contains(&figures.flops), "{figures:?}");
    let text = Device::cpu().explain();
    assert!(text.starts_with("cpu cpu (") && text.contains("asked for") && text.contains("GFLOP/s"), "{text}");
}

#[test]
fn figures_that_no_device_has_are_not_taken_from_a_file() {
    assert!(CARD.are_sane() && Figures::usual(DeviceKind::Gpu, true).are_sane());
    for wrong in [Figures { flops: 0.0, ..CARD }, Figures { start: -1.0, ..CARD }, Figures { launch: f64::NAN, ..CARD }]
    {
        assert!(!wrong.are_sane(), "{wrong:?}");
    }
}

#[test]
fn the_work_of_a_training_is_that_of_its_steps() {
    let work = Work::training(&[784, 512, 10], 1000, 100, 3);
    assert_eq!(work.flops, 6.0 * (784.0 * 512.0 + 5120.0) * 1000.0 * 3.0);
    assert_eq!(work.launches, 30.0 * 7.0);
    assert_eq!(work.transfer, 4.0 * 794.0 * 1000.0);
}
