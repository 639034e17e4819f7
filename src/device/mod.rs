//! Devices run launches on buffers. They know neither operations nor tensors: those hand them plain data.

pub(crate) mod cache;
pub(crate) mod caps;
pub(crate) mod cpu;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
pub(crate) mod launch;
pub(crate) mod limit;
pub(crate) mod select;
pub(crate) mod shader;
pub(crate) mod stats;

use crate::error::{Error, Result};
use caps::Caps;
use cpu::{Cpu, CpuBuffer};
#[cfg(feature = "gpu")]
use gpu::{Gpu, GpuBuffer};
pub use limit::Limits;
use stats::Counters;
pub use stats::Stats;
use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Where tensors live and run: the CPU, or a GPU. A cheap handle; clones are the same device.
///
/// ```
/// use tilework::{Device, Tensor};
/// let device = Device::auto();
/// println!("{device}: {}", device.reason());
/// let x = Tensor::ones([2, 2], &device);
/// assert_eq!(x.sum().item::<f32>()?, 4.0);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Clone)]
pub struct Device(Arc<Handle>); // one count to raise: every tensor holds a clone

struct Handle {
    inner: Arc<Inner>,
    reason: Box<str>,
}

pub(crate) struct Inner {
    backend: Backend,
    caps: Caps,
    name: String,
    counters: Counters,
    /// The batch of recorded calls; its type belongs to the layer above.
    queue: OnceLock<Box<dyn Any + Send + Sync>>,
}

/// The two kinds of devices.
pub(crate) enum Backend {
    Cpu(Cpu),
    #[cfg(feature = "gpu")]
    Gpu(Gpu),
}

/// A value's memory on its device; immutable once it is in a slot.
#[derive(Debug, Clone)]
pub(crate) enum Buffer {
    Cpu(CpuBuffer),
    #[cfg(feature = "gpu")]
    Gpu(GpuBuffer),
}

/// Threads that work on the host is spread over, outside of plans: those of [`Device::cpu`].
pub(crate) fn host_threads() -> usize {
    match Device::cpu().backend() {
        Backend::Cpu(cpu) => cpu.threads(),
        #[cfg(feature = "gpu")]
        Backend::Gpu(_) => 1,
    }
}

/// CPU or GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceKind {
    /// Threads of this process.
    Cpu,
    /// A wgpu adapter.
    Gpu,
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            DeviceKind::Cpu => "cpu",
            DeviceKind::Gpu => "gpu",
        })
    }
}

impl Device {
    /// The CPU. All calls give the same device, so that tensors made in different places can meet.
    pub fn cpu() -> Device {
        static CPU: OnceLock<Device> = OnceLock::new();
        let new = || {
            let cpu = Cpu::new();
            let name = format!("cpu ({} threads)", cpu.threads());
            Device::of(Backend::Cpu(cpu), Caps::default(), name)
        };
        CPU.get_or_init(new).clone()
    }

    #[cfg(feature = "gpu")]
    pub(crate) fn on_gpu(gpu: Gpu) -> Device {
        let (mut caps, name) = (gpu.caps().clone(), gpu.info().name.clone());
        caps.shader_f16 = caps.shader_f16 && gpu.is_right_in_f16();
        Device::of(Backend::Gpu(gpu), caps, name)
    }

    fn of(backend: Backend, caps: Caps, name: String) -> Device {
        let inner = Inner { backend, caps, name, counters: Counters::default(), queue: OnceLock::new() };
        Device::handle(Arc::new(inner), "asked for")
    }

    fn handle(inner: Arc<Inner>, reason: &str) -> Device {
        Device(Arc::new(Handle { inner, reason: reason.into() }))
    }

    /// The same device, with another reason for its choice.
    pub(crate) fn because(&self, reason: &str) -> Device {
        Device::handle(self.0.inner.clone(), reason)
    }

    /// CPU or GPU.
    pub fn kind(&self) -> DeviceKind {
        match self.0.inner.backend {
            Backend::Cpu(_) => DeviceKind::Cpu,
            #[cfg(feature = "gpu")]
            Backend::Gpu(_) => DeviceKind::Gpu,
        }
    }

    /// The device's name, as its driver gives it.
    pub fn name(&self) -> &str {
        &self.0.inner.name
    }

    /// Why this device: what was asked for, or what `auto` found.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// What has run so far: plans, launches, pipelines, allocations, bytes.
    pub fn stats(&self) -> Stats {
        let mut stats = self.0.inner.counters.read();
        match &self.0.inner.backend {
            Backend::Cpu(cpu) => stats.add_cpu(cpu),
            #[cfg(feature = "gpu")]
            Backend::Gpu(gpu) => stats.add_gpu(gpu),
        }
        stats
    }

    /// Bytes that this device's tensors, plans and kept blocks may take together; an allocation beyond it is
    /// [`Error::OutOfMemory`]. At first 80 % of the machine's memory on the CPU, and what the driver gives on a GPU.
    ///
    /// ```no_run
    /// # use tilework::Device;
    /// Device::gpu()?.set_memory_budget(512 << 20); // leave the rest to the program around us
    /// # Ok::<(), tilework::Error>(())
    /// ```
    pub fn set_memory_budget(&self, bytes: u64) {
        match &self.0.inner.backend {
            Backend::Cpu(cpu) => cpu.set_budget(bytes),
            #[cfg(feature = "gpu")]
            Backend::Gpu(gpu) => gpu.set_budget(bytes),
        }
    }

    /// Gives memory that is kept for reuse back to the system. [`Device::clear_plans`] first frees what plans keep.
    pub fn trim(&self) {
        match &self.0.inner.backend {
            Backend::Cpu(cpu) => cpu.trim(),
            #[cfg(feature = "gpu")]
            Backend::Gpu(gpu) => gpu.trim(),
        }
    }

    /// Waits for everything that was started.
    pub(crate) fn wait(&self) -> Result<()> {
        match &self.0.inner.backend {
            Backend::Cpu(_) => Ok(()), // started work is done work
            #[cfg(feature = "gpu")]
            Backend::Gpu(gpu) => gpu.wait(),
        }
    }

    pub(crate) fn backend(&self) -> &Backend {
        &self.0.inner.backend
    }

    pub(crate) fn caps(&self) -> &Caps {
        &self.0.inner.caps
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.inner.counters
    }

    pub(crate) fn queue(&self, new: impl FnOnce() -> Box<dyn Any + Send + Sync>) -> &(dyn Any + Send + Sync) {
        &**self.0.inner.queue.get_or_init(new)
    }

    /// Takes words into the device's memory.
    pub(crate) fn upload(&self, words: &[u32]) -> Result<Buffer> {
        match &self.0.inner.backend {
            Backend::Cpu(cpu) => {
                let mut block = cpu.alloc(words.len().max(1))?;
                block.words_mut()[..words.len()].copy_from_slice(words);
                Ok(Buffer::Cpu(block.freeze()))
            }
            #[cfg(feature = "gpu")]
            Backend::Gpu(gpu) => gpu.upload(words).map(Buffer::Gpu),
        }
    }

    /// Words `start..start + len` of a buffer of this device; waits for the work that writes it.
    pub(crate) fn read(&self, buffer: &Buffer, start: usize, len: usize) -> Result<Vec<u32>> {
        match (&self.0.inner.backend, buffer) {
            (Backend::Cpu(_), Buffer::Cpu(buffer)) => {
                let words = buffer.words().get(start..start + len);
                words.map(<[u32]>::to_vec).ok_or_else(|| Error::internal("read", "a read past the end of a buffer"))
            }
            #[cfg(feature = "gpu")]
            (Backend::Gpu(gpu), Buffer::Gpu(buffer)) => gpu.read(buffer, start, len),
            #[cfg(feature = "gpu")]
            _ => Err(Error::internal("read", "a buffer of another kind of device")),
        }
    }

    /// [`Device::read`] without blocking the thread.
    pub(crate) async fn read_async(&self, buffer: &Buffer, start: usize, len: usize) -> Result<Vec<u32>> {
        match (&self.0.inner.backend, buffer) {
            #[cfg(feature = "gpu")]
            (Backend::Gpu(gpu), Buffer::Gpu(buffer)) => gpu.read_async(buffer, start, len).await,
            _ => self.read(buffer, start, len),
        }
    }
}

#[cfg(feature = "gpu")]
impl Inner {
    fn is_lost(&self) -> bool {
        match &self.backend {
            Backend::Gpu(gpu) => gpu.is_lost().is_some(),
            Backend::Cpu(_) => false,
        }
    }
}

impl PartialEq for Device {
    fn eq(&self, other: &Device) -> bool {
        Arc::ptr_eq(&self.0.inner, &other.0.inner)
    }
}

impl Eq for Device {}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.inner.name)
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({}, {})", self.kind(), self.0.inner.name)
    }
}
