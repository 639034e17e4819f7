//! Which GPUs there are, and what one can do.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, OnceLock};

use super::guard::{lock, panic_text};
use crate::device::caps::Caps;
use crate::error::{Error, Result};

/// A GPU that can be opened.
#[derive(Clone)]
#[non_exhaustive]
pub struct GpuInfo {
    /// The adapter's name, as its driver spells it.
    pub name: String,
    /// The interface it is reached through: `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: String,
    /// The driver's name and version.
    pub driver: String,
    /// PCI vendor number, where the backend knows it.
    pub vendor: u32,
    /// PCI device number, where the backend knows it.
    pub device: u32,
    /// A CPU that plays a GPU (lavapipe, WARP): right, but slower than this crate's own CPU device.
    pub is_software: bool,
    /// A card with memory of its own.
    pub is_discrete: bool,
    adapter: wgpu::Adapter,
}

impl fmt::Debug for GpuInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GpuInfo({} by {}, {})", self.name, self.backend, self.driver)
    }
}

/// What an adapter's limits and features mean to kernels.
fn caps_of(info: &wgpu::AdapterInfo, limits: &wgpu::Limits, features: wgpu::Features) -> Caps {
    let subgroups = (info.subgroup_min_size, info.subgroup_max_size);
    Caps {
        max_storage_buffers: limits.max_storage_buffers_per_shader_stage as usize,
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        max_buffer_bytes: limits.max_buffer_size,
        max_param_bytes: limits.max_uniform_buffer_binding_size,
        max_invocations: limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x),
        shared_bytes: limits.max_compute_workgroup_storage_size,
        max_groups_per_dim: limits.max_compute_workgroups_per_dimension,
        subgroups: features.contains(wgpu::Features::SUBGROUP).then_some(subgroups),
        shader_f16: features.contains(wgpu::Features::SHADER_F16),
        timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
        param_alignment: u64::from(limits.min_uniform_buffer_offset_alignment).max(16),
    }
}

/// Devices and pipelines are created one at a time in the whole process: doing it from several threads crashes some drivers
/// (gfx-rs/wgpu#10234).
pub(super) static CREATION: Mutex<()> = Mutex::new(());

/// All usable adapters, best first: discrete, integrated, virtual, software. A card that several backends offer appears once,
/// by the best of them. Empty when there is none, or when the drivers fail.
///
/// `WGPU_BACKEND` (`vulkan`, `metal`, `dx12`, `gl`, or several) chooses the backends. Without it OpenGL is not asked: wgpu-hal
/// 30 panics in destructors when two of its OpenGL contexts meet (`gles/egl.rs`), and that ends the process.
pub fn adapters() -> Vec<GpuInfo> {
    let backends = wgpu::Backends::from_env().unwrap_or(wgpu::Backends::PRIMARY);
    let found = enumerate(backends);
    best_first(found.into_iter().map(|adapter| (adapter.get_info(), adapter)).collect())
        .into_iter()
        .map(|(_, adapter)| GpuInfo::new(adapter))
        .collect()
}

/// The usable adapters of some backends; drivers that panic have none.
fn enumerate(backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    static INSTANCE: OnceLock<Option<wgpu::Instance>> = OnceLock::new();
    let _one = lock(&CREATION);
    let listed = catch_unwind(AssertUnwindSafe(|| {
        let instance = INSTANCE.get_or_init(|| catch_unwind(|| new_instance(backends)).ok()).as_ref()?;
        Some(pollster::block_on(instance.enumerate_adapters(backends)))
    }));
    match listed {
        Ok(adapters) => adapters.unwrap_or_default().into_iter().filter(usable).collect(),
        Err(panic) => {
            log::warn!("looking for GPUs failed: {}", panic_text(&*panic));
            Vec::new()
        }
    }
}

fn new_instance(backends: wgpu::Backends) -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        flags: wgpu::InstanceFlags::empty(), // no validation layers; also none of the passes that check indirect dispatches
        memory_budget_thresholds: wgpu::MemoryBudgetThresholds {
            for_resource_creation: Some(90), // percent: an error of ours comes before the driver begins to page
            for_device_loss: None,
        },
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    })
}

/// Whether the adapter runs compute shaders as this crate needs them.
fn usable(adapter: &wgpu::Adapter) -> bool {
    let compute = adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS);
    let limits = adapter.limits();
    let enough =
        limits.max_storage_buffers_per_shader_stage >= 4 && limits.max_compute_invocations_per_workgroup >= 128;
    compute && enough
}

impl GpuInfo {
    pub(super) fn new(adapter: wgpu::Adapter) -> GpuInfo {
        let info = adapter.get_info();
        GpuInfo {
            backend: info.backend.to_string(),
            driver: [info.driver, info.driver_info].join(" ").trim().to_string(),
            vendor: info.vendor,
            device: info.device,
            is_software: info.device_type == wgpu::DeviceType::Cpu,
            is_discrete: info.device_type == wgpu::DeviceType::DiscreteGpu,
            name: info.name,
            adapter,
        }
    }

    /// What kept results belong to: the adapter, its interface and its driver.
    pub(crate) fn key(&self) -> String {
        let GpuInfo { name, backend, driver, vendor, device, .. } = self;
        format!("{name} {vendor:04x}:{device:04x} {backend} {driver}")
    }

    #[cfg(test)]
    pub(super) fn adapter(&self) -> &wgpu::Adapter {
        &self.adapter
    }

    /// A new wgpu device on this adapter: its real limits, and of its features those that kernels use.
    pub(super) fn request(&self) -> Result<(wgpu::Device, wgpu::Queue)> {
        use wgpu::Features;
        let useful = Features::SHADER_F16 | Features::SUBGROUP | Features::TIMESTAMP_QUERY | Features::PIPELINE_CACHE;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("tilework"),
            required_features: self.adapter.features() & useful,
            required_limits: self.adapter.limits(),
            memory_hints: wgpu::MemoryHints::MemoryUsage, // small driver blocks: the pool does the reuse
            ..Default::default()
        };
        let _one = lock(&CREATION);
        let opened = catch_unwind(AssertUnwindSafe(|| pollster::block_on(self.adapter.request_device(&descriptor))));
        let refused = |why: &str| {
            Error::no_device(format!("{} refuses to open: {why}; update its driver or use the CPU device", self.name))
        };
        match opened {
            Ok(opened) => opened.map_err(|error| refused(&error.to_string())),
            Err(panic) => Err(refused(panic_text(&*panic))),
        }
    }

    pub(super) fn caps(&self, device: &wgpu::Device) -> Caps {
        caps_of(&self.adapter.get_info(), &device.limits(), device.features())
    }
}

/// Sorts by kind, and of the entries that are one card through different backends keeps the first. Two equal cards through one
/// backend both stay.
fn best_first<T>(mut found: Vec<(wgpu::AdapterInfo, T)>) -> Vec<(wgpu::AdapterInfo, T)> {
    found.sort_by_key(|(info, _)| match info.device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    });
    let mut kept: Vec<(wgpu::AdapterInfo, T)> = Vec::new();
    for (info, adapter) in found {
        if !kept.iter().any(|(other, _)| other.backend != info.backend && same_card(other, &info)) {
            kept.push((info, adapter));
        }
    }
    kept
}

fn same_card(a: &wgpu::AdapterInfo, b: &wgpu::AdapterInfo) -> bool {
    if a.device_type == wgpu::DeviceType::Cpu && b.device_type == wgpu::DeviceType::Cpu {
        return true; // the one CPU
    }
    if a.device != 0 && b.device != 0 {
        return (a.vendor, a.device) == (b.vendor, b.device);
    }
    // OpenGL has no PCI numbers, but its name holds the card's.
    a.name.contains(&b.name) || b.name.contains(&a.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgpu::{Backend, DeviceType};

    fn info(name: &str, device_type: DeviceType, backend: Backend, device: u32) -> wgpu::AdapterInfo {
        let mut info = wgpu::AdapterInfo::new(device_type, backend);
        (info.name, info.vendor, info.device) = (name.to_string(), 0x10de, device);
        info
    }

    #[test]
    fn adapters_come_best_first_and_each_card_once_a_backend() {
        let found = [
            info("llvmpipe", DeviceType::Cpu, Backend::Vulkan, 0),
            info("Iris Xe", DeviceType::IntegratedGpu, Backend::Vulkan, 7),
            info("RTX 5090", DeviceType::DiscreteGpu, Backend::Vulkan, 9),
            info("RTX 5090", DeviceType::DiscreteGpu, Backend::Vulkan, 9),
            info("RTX 5090", DeviceType::DiscreteGpu, Backend::Dx12, 9),
            info("Iris Xe/PCIe", DeviceType::Other, Backend::Gl, 0),
            info("Basic Render", DeviceType::Cpu, Backend::Dx12, 3),
        ];
        let kept = best_first(found.into_iter().map(|info| (info, ())).collect());
        let kept: Vec<_> = kept.iter().map(|(info, ())| (info.name.as_str(), info.backend)).collect();
        let expected = ["RTX 5090", "RTX 5090", "Iris Xe", "llvmpipe"].map(|name| (name, Backend::Vulkan));
        assert_eq!(kept, expected);
    }
}
