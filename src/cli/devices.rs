//! `tilework devices`: what there is to run on.

use super::failure::Outcome;
use super::say;
use crate::device::Device;
#[cfg(feature = "gpu")]
use crate::device::gpu::adapters;

pub(super) fn run() -> Outcome {
    #[allow(unused_mut, reason = "GPUs follow only with their feature")]
    let mut rows =
        vec![[0.to_string(), Device::cpu().name().to_string(), "cpu".into(), "threads of this process".into()]];
    #[cfg(feature = "gpu")]
    rows.extend(adapters().into_iter().enumerate().map(|(i, info)| {
        let kind = match (info.is_software, info.is_discrete) {
            (true, _) => "gpu, software",
            (_, true) => "gpu, discrete",
            _ => "gpu",
        };
        let reached = format!("{}: {} [{:04x}:{:04x}]", info.backend, info.driver, info.vendor, info.device);
        [(i + 1).to_string(), info.name, kind.into(), reached]
    }));
    let header = ["", "name", "kind", "reached by"].map(str::to_string);
    let chars = |text: &String| text.chars().count();
    let widths: Vec<usize> = (0..header.len())
        .map(|column| rows.iter().chain([&header]).filter_map(|row| row.get(column).map(chars)).max().unwrap_or(0))
        .collect();
    for row in std::iter::once(&header).chain(&rows) {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        say(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    let auto = Device::auto();
    say(format_args!("\nauto takes {auto}: {}", auto.reason()))
}
