//! Every operation of the table, forward and backward, in all layouts of its inputs, on every device of this machine.

use std::time::{Duration, Instant};
use tilework::Device;
use tilework::autograd::{Report, verify};
use tilework::ops::table::ops;

/// The CPU, and the GPU where there is one, with its own limits and with low ones; it must be there when
/// `TILEWORK_REQUIRE_GPU` is 1. Without injected checks low limits are left out: grids fold alike with them and without, and a
/// software adapter compiles every shader anew for each device, which is most of this test's time.
fn devices() -> Vec<Device> {
    let mut all = vec![Device::cpu()];
    match Device::gpu() {
        Ok(gpu) => {
            all.push(gpu);
            if std::env::var("TILEWORK_CHECKED_SHADERS").is_ok_and(|value| value == "0") {
                return all;
            }
            all.extend(at_low_limits());
        }
        Err(error) => {
            let required = std::env::var("TILEWORK_REQUIRE_GPU").is_ok_and(|value| value == "1");
            assert!(!required, "a GPU device is required here: {error}");
            println!("no GPU device: {error}");
        }
    }
    all
}

/// A host program's device that promises no more than wgpu's defaults, and so few workgroups in a dimension of a grid that
/// some samples of every structural operation need more: its kernels run on folded grids.
#[cfg(feature = "gpu")]
fn at_low_limits() -> Option<Device> {
    use tilework::wgpu;
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let options = wgpu::RequestAdapterOptions { force_fallback_adapter: false, ..Default::default() };
    let adapter = pollster::block_on(instance.request_adapter(&options)).expect("an adapter, as there is a GPU device");
    // 41 in each dimension: 68,921 in all, and some samples have 65,893.
    let limits = wgpu::Limits { max_compute_workgroups_per_dimension: 41, ..Default::default() };
    let descriptor = wgpu::DeviceDescriptor { required_limits: limits, ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).expect("a device at default limits");
    Some(Device::from_wgpu(&adapter, device, queue).expect("default limits are enough"))
}

#[cfg(not(feature = "gpu"))]
fn at_low_limits() -> Option<Device> {
    None
}

#[test]
fn every_operation_agrees_with_its_f64_reference_forward_and_backward() {
    let devices = devices();
    let only = std::env::var("TILEWORK_OPS").unwrap_or_default(); // to look into one operation
    let mut reports: Vec<Report> = Vec::new();
    let mut times: Vec<(Duration, &str)> = Vec::new();
    for op in ops().iter().filter(|op| op.name.contains(&only)) {
        let start = Instant::now();
        reports.extend(verify(op, &devices));
        times.push((start.elapsed(), op.name));
    }
    times.sort_unstable();
    println!("slowest: {:?}", times.iter().rev().take(5).collect::<Vec<_>>());
    for device in &devices {
        let own = || reports.iter().filter(|report| report.device == *device);
        let (comparisons, elements) = own().fold((0, 0), |(c, e), r| (c + r.comparisons, e + r.elements));
        println!("{device}: {comparisons} comparisons of {elements} elements");
        if let Some(worst) = own().max_by(|a, b| a.worst.total_cmp(&b.worst)) {
            println!("  worst: {} at {} of its bound: {}", worst.op, worst.worst, worst.worst_at);
        }
    }
    let faults: Vec<&str> = reports.iter().filter_map(|report| report.failure.as_deref()).collect();
    assert!(faults.is_empty(), "{} operations are out of bounds:\n{}", faults.len(), faults.join("\n"));
    let comparisons: usize = reports.iter().map(|report| report.comparisons).sum();
    println!("{comparisons} comparisons in all");
    if only.is_empty() {
        assert!(comparisons >= 10_000 * devices.len(), "samples went missing: the table had more than 16,000 a device");
    }
}
