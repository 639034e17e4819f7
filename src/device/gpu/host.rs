//! The one public call that takes wgpu's types: a device on what a host program owns already.

use super::Gpu;
use crate::device::Device;
use crate::error::Result;

impl Device {
    /// A device on a wgpu device that the host program owns: its allocations stay within a budget, its submits are short, and
    /// it is never destroyed or rebuilt from here.
    ///
    /// # Errors
    /// When the device lacks what kernels need at least.
    pub fn from_wgpu(adapter: &wgpu::Adapter, device: wgpu::Device, queue: wgpu::Queue) -> Result<Device> {
        Ok(Device::on_gpu(Gpu::from_wgpu(adapter, device, queue)?).because("the host program's own device"))
    }
}
