//! What `TILEWORK_TRACE` prints on standard error: `plan` every plan as it is built, with its launches, what was fused, and its
//! memory; `wgsl` the shaders of its launches; `time` what each step of a plan took on the CPU, run by run; `plan,wgsl` both.

use crate::device::Device;
use crate::plan::place::Placement;
use crate::plan::step::Step;
use std::sync::OnceLock;
use std::time::Duration;

/// Whether the environment asks for `what`.
pub(crate) fn wants(what: &str) -> bool {
    static WANTED: OnceLock<String> = OnceLock::new();
    WANTED.get_or_init(|| std::env::var("TILEWORK_TRACE").unwrap_or_default()).split(',').any(|word| word == what)
}

/// Prints one shader on standard error.
#[cfg(feature = "gpu")]
pub(crate) fn print_shader(launch: &crate::device::launch::Launch) {
    eprintln!("// {}: {} groups\n{}", launch.name, launch.groups, launch.source);
}

/// Prints the steps of one run with their times on standard error.
pub(crate) fn print_times(steps: &[(&str, Duration)]) {
    let all: Duration = steps.iter().map(|(_, time)| *time).sum();
    let line = |(name, time): &(&str, Duration)| format!("{:10.2} µs  {name}\n", time.as_secs_f64() * 1e6);
    eprint!("run: {:.2} µs\n{}", all.as_secs_f64() * 1e6, steps.iter().map(line).collect::<String>());
}

/// Prints one plan on standard error.
pub(crate) fn print(device: &Device, calls: usize, steps: &[Step], placement: &Placement) {
    let temp_bytes: usize = placement.temps.iter().sum::<usize>() * 4;
    let output_bytes: usize = placement.outputs.iter().map(|(_, words)| words * 4).sum();
    eprintln!(
        "plan on {device} ({}): {calls} calls -> {} steps, {} outputs ({output_bytes} bytes), {} temporaries ({temp_bytes} bytes)",
        device.reason(),
        steps.len(),
        placement.outputs.len(),
        placement.temps.len(),
    );
    for (number, step) in steps.iter().enumerate() {
        let reads: Vec<String> = step
            .inputs
            .iter()
            .map(|input| {
                format!("b{}:{}{:?}", placement.get(input.value).buffer, input.operand.dtype, input.operand.layout)
            })
            .collect();
        let writes: Vec<String> = step
            .outputs
            .iter()
            .map(|output| {
                let place = placement.get(output.value);
                let base = if place.base > 0 { format!("+{}", place.base) } else { String::new() };
                format!("b{}{base}:{}{}", place.buffer, output.meta.dtype, output.meta.shape)
            })
            .collect();
        eprintln!("  {number:3} {}  {} -> {}", step.names.join("+"), reads.join(" "), writes.join(" "));
    }
}
