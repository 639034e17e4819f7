//! `tilework devices`: what there is to run on.

use super::failure::Outcome;
use super::say;
use crate::device::Device;
#[cfg(feature = "gpu")]
use crate::device::gpu::{Gpu, adapters};

pub(super) fn run() -> Outcome {
    #[allow(unused_mut, reason = "GPUs follow only with their feature")]
    let mut rows = vec![[
        0.to_string(),
        Device::cpu().name().to_string(),
        "cpu".into(),
        "-".into(),
        "threads of this process".into(),
    ]];
    #[cfg(feature = "gpu")]
    rows.extend(adapters().into_iter().enumerate().map(|(i, info)| {
        let kind = match (info.is_software, info.is_discrete) {
            (true, _) => "gpu, software",
            (_, true) => "gpu, discrete",
            _ => "gpu",
        };
        let reached = format!("{}: {} [{:04x}:{:04x}]", info.backend, info.driver, info.vendor, info.device);
        let f16 = match Gpu::open(&info) {
            Ok(gpu) if !gpu.caps().shader_f16 => "no",
            Ok(gpu) if gpu.is_right_in_f16() => "right",
            Ok(_) => "off", // TILEWORK_F16=0, or it failed the test
            Err(_) => "-",
        };
        [(i + 1).to_string(), info.name, kind.into(), f16.into(), reached]
    }));
    let header = ["", "name", "kind", "f16", "reached by"].map(str::to_string);
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
