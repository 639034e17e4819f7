//! Compiled pipelines, kept from one process to the next where the backend hands them out (Vulkan).
#![allow(unsafe_code)]

use super::adapter::{CREATION, GpuInfo};
use super::guard::{Guard, lock};
use crate::device::cache;

const KIND: &str = "pipelines";

/// wgpu's pipeline cache of one device.
pub(super) struct Kept {
    raw: wgpu::PipelineCache,
    key: String,
    loaded: Option<Vec<u8>>,
}

impl Kept {
    /// With what an earlier process kept of this adapter and driver. `None` where the backend keeps nothing.
    pub(super) fn open(device: &wgpu::Device, guard: &Guard, info: &GpuInfo) -> Option<Kept> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let key = info.key();
        let loaded = cache::load(KIND, &key);
        let descriptor = wgpu::PipelineCacheDescriptor { label: None, data: loaded.as_deref(), fallback: true };
        let _one = lock(&CREATION);
        // SAFETY: the data was handed out by `get_data` of a device on the same adapter and driver: the file names both and is
        // proved whole by its sum; it lies in a folder of this user alone; wgpu and the driver check its head once more.
        let raw = guard.call(|| unsafe { device.create_pipeline_cache(&descriptor) }).ok()?;
        Some(Kept { raw, key, loaded })
    }

    pub(super) fn raw(&self) -> &wgpu::PipelineCache {
        &self.raw
    }

    /// Keeps what was compiled, if that is new.
    pub(super) fn save(&self, guard: &Guard) {
        let data = guard.call(|| self.raw.get_data()).ok().flatten();
        if let Some(data) = data.filter(|data| self.loaded.as_ref() != Some(data)) {
            cache::store(KIND, &self.key, &data);
        }
    }
}
