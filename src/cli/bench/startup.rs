//! `--startup`: how long a new process takes to its first results, with no caches and with warm ones. Each run is a process of its
//! own, which writes a line when it has got somewhere; the clock is here, and starts before the process does.

use super::super::failure::{Failure, Outcome};
use super::super::say;
use super::learner::Learner;
use super::report::time;
use crate::device::Device;
use crate::rng::Rng;
use crate::tensor::Tensor;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Where a process has got to, in this order.
const STAGES: [&str; 3] = ["device open", "product 256³ read", "training step done"];
const RUNS: usize = 3;

/// Where caches go: ours, and those that drivers keep where they can be told.
const CACHES: &[&str] = &["TILEWORK_CACHE", "XDG_CACHE_HOME", "MESA_SHADER_CACHE_DIR", "__GL_SHADER_DISK_CACHE_PATH"];

/// The part of the new process.
pub(super) fn first_results(name: &str) -> Outcome {
    let device = Device::open(name)?;
    say(STAGES[0])?;
    let uniform = |seed| Tensor::uniform([256, 256], -1.0, 1.0, &mut Rng::seed(seed), &device);
    uniform(1).matmul(&uniform(2)).to_vec::<f32>()?;
    say(STAGES[1])?;
    let mut learner = Learner::new(&[784, 512, 256, 10], 128, &device)?;
    learner.step()?;
    device.synchronize()?;
    say(STAGES[2])
}

pub(super) fn run(devices: &[Device]) -> Outcome {
    say(format_args!("seconds from the start of a process, median of {RUNS}\n"))?;
    say(format_args!("{:<28}  {:<6}  {:>16}  {:>18}  {:>18}", "device", "caches", STAGES[0], STAGES[1], STAGES[2]))?;
    for device in devices {
        let name = device.name().to_string() + if device.is_software() { " (software)" } else { "" };
        let name: String = name.chars().take(28).collect();
        let folder = || tempfile::tempdir().map_err(|e| Failure::failed(format!("a folder for caches: {e}")));
        let warm = folder()?;
        launch(device, warm.path())?; // fills it
        let cold = median((0..RUNS).map(|_| launch(device, folder()?.path())).collect::<Outcome<Vec<_>>>()?);
        let warm = median((0..RUNS).map(|_| launch(device, warm.path())).collect::<Outcome<Vec<_>>>()?);
        for (caches, seconds) in [("none", cold), ("warm", warm)] {
            let [open, product, step] = seconds.map(time);
            say(format_args!("{name:<28}  {caches:<6}  {open:>16}  {product:>18}  {step:>18}"))?;
        }
    }
    Ok(())
}

/// Seconds to each stage of a new process.
fn launch(device: &Device, caches: &Path) -> Outcome<[f64; 3]> {
    let failed = |what: String| Failure::failed(format!("startup: {what}"));
    let program = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
    let mut command = Command::new(program);
    command.args(["bench", "--first-results", "--device"]).arg(name_of(device)).stdout(Stdio::piped());
    command.envs(CACHES.iter().map(|variable| (variable, caches)));
    let began = Instant::now();
    let mut child = command.spawn().map_err(|e| failed(e.to_string()))?;
    let mut seconds = [f64::NAN; 3];
    if let Some(out) = child.stdout.take() {
        for (seconds, _) in seconds.iter_mut().zip(BufReader::new(out).lines().map_while(Result::ok)) {
            *seconds = began.elapsed().as_secs_f64();
        }
    }
    let status = child.wait().map_err(|e| failed(e.to_string()))?;
    match status.success() && seconds.iter().all(|s| s.is_finite()) {
        true => Ok(seconds),
        false => Err(failed(format!("a process on {device} ended early: {status}"))),
    }
}

/// What opens this device again.
fn name_of(device: &Device) -> String {
    let places = (0..Device::list().len()).map(|index| index.to_string());
    let opens = |place: &String| Device::open(place).is_ok_and(|other| other == *device);
    places.into_iter().find(opens).unwrap_or_else(|| device.name().to_string())
}

/// Of each stage.
fn median(runs: Vec<[f64; 3]>) -> [f64; 3] {
    [0, 1, 2].map(|stage| {
        let mut seconds: Vec<f64> = runs.iter().filter_map(|run| run.get(stage)).copied().collect();
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
    })
}
