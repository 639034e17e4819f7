//! Timings on request, so that a script can measure a peer a moment later on the same machine: see `benches/peers/tensors.py`.

use std::io::Write;
use std::time::Instant;

/// Seconds that a sample takes at least.
const SAMPLE: f64 = 0.008;
const SAMPLES: usize = 3;

/// When the program was started with `--beside`: reads a request a line, and answers each with the median seconds of what `case`
/// makes of it. False when it was not.
pub fn answers(case: impl Fn(&str) -> Box<dyn FnMut()>) -> bool {
    if !std::env::args().any(|arg| arg == "--beside") {
        return false;
    }
    for request in std::io::stdin().lines().map_while(Result::ok) {
        println!("{:e}", seconds(&mut *case(&request)));
        std::io::stdout().flush().expect("a reader");
    }
    true
}

fn seconds(run: &mut dyn FnMut()) -> f64 {
    let mut sample = |times: usize| {
        let began = Instant::now();
        (0..times).for_each(|_| run());
        began.elapsed().as_secs_f64() / times as f64
    };
    sample(3);
    let times = ((SAMPLE / sample(1)) as usize).clamp(1, 100_000);
    let mut samples: Vec<f64> = (0..SAMPLES).map(|_| sample(times)).collect();
    samples.sort_by(f64::total_cmp);
    samples[SAMPLES / 2]
}
