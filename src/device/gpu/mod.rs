//! The GPU: the only place that names wgpu. It runs [`Launch`]es on [`GpuBuffer`]s and knows nothing of tensors.
//!
//! One queue, in order: what is uploaded or run first is done first, whatever thread it comes from. Nothing here panics:
//! `guard` turns all that wgpu and its drivers do wrong into errors.

mod adapter;
mod f16;
mod grid;
mod guard;
mod host;
mod kept;
mod limit;
mod pipeline;
mod pool;
mod prepared;
mod read;
mod submit;
#[cfg(test)]
mod tests;
mod trusted;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

pub use crate::device::caps::Caps;
pub use adapter::{GpuInfo, adapters};
pub use pool::GpuBuffer;
pub use prepared::Prepared;

use crate::device::launch::Launch;
use crate::error::{Error, Result};
use guard::{Fault, Guard, lock};
use kept::Kept;
use pipeline::{Checks, Pipeline, Pipelines};
use pool::{Pool, Raw, Staging, block_bytes};
use submit::Flight;

/// The most that one `write_buffer` copies. Its staging memory should come out of the driver's kept blocks (8 MiB or more): an
/// allocation of its own is slow, and if it fails the device is lost.
const UPLOAD_BYTES: usize = 4 << 20;

/// An open GPU. Clones share it.
#[derive(Clone)]
pub struct Gpu(Arc<Inner>);

struct Inner {
    info: GpuInfo,
    caps: Caps,
    device: wgpu::Device,
    queue: wgpu::Queue,
    guard: Guard,
    owner: Owner,
    pool: Arc<Pool>,
    pipelines: Mutex<Pipelines>,
    kept: Option<Kept>,
    flight: Mutex<Flight>,
    submit_budget: AtomicU64,
    staging: Mutex<Staging>,
    jobs: Mutex<Option<mpsc::Sender<read::Job>>>,
    counters: Counters,
}

/// Whose wgpu device it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Us,
    Host,
}

/// What a GPU has done and holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GpuStats {
    /// Submits to the queue, those of reads and uploads included.
    pub submits: u64,
    /// Launches run.
    pub dispatches: u64,
    /// Pipelines built.
    pub pipelines: u64,
    /// Bind groups created.
    pub bind_groups: u64,
    /// Blocks of the pool created.
    pub buffers: u64,
    /// Uploads.
    pub uploads: u64,
    /// Reads.
    pub reads: u64,
    /// Bytes of the blocks that buffers hold. Parameters and staging are not counted.
    pub bytes_in_use: u64,
    /// Bytes of the blocks that wait for reuse.
    pub bytes_pooled: u64,
    /// The most that was in use and pooled at once.
    pub peak_bytes: u64,
}

#[derive(Default)]
struct Counters {
    submits: AtomicU64,
    dispatches: AtomicU64,
    bind_groups: AtomicU64,
    uploads: AtomicU64,
    reads: AtomicU64,
}

impl Counters {
    fn add(&self, counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }
}

impl Gpu {
    /// Opens a GPU of [`adapters`] with its real limits and those of its features that kernels use.
    ///
    /// # Errors
    /// [`Error::NoDevice`] when its driver refuses.
    pub fn open(which: &GpuInfo) -> Result<Gpu> {
        Gpu::open_with(which, Checks::from_env())
    }

    fn open_with(which: &GpuInfo, checks: Checks) -> Result<Gpu> {
        let (device, queue) = which.request()?;
        Ok(Gpu::new(which.clone(), device, queue, Owner::Us, checks))
    }

    /// A host application's own device. It is never rebuilt or destroyed, its callbacks are left alone, its limits and features
    /// are taken as they are, and little is in flight at once, so that the host's frames come through. Reads and waits poll it:
    /// the host's own map callbacks may then run on the thread that waits.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] when it is lost already.
    pub fn from_wgpu(adapter: &wgpu::Adapter, device: wgpu::Device, queue: wgpu::Queue) -> Result<Gpu> {
        let gpu = Gpu::new(GpuInfo::new(adapter.clone()), device, queue, Owner::Host, Checks::from_env());
        gpu.0.guard.probe()?;
        Ok(gpu)
    }

    fn new(info: GpuInfo, device: wgpu::Device, queue: wgpu::Queue, owner: Owner, checks: Checks) -> Gpu {
        let guard = match owner {
            Owner::Us => Guard::owned(device.clone(), info.name.clone()),
            Owner::Host => Guard::borrowed(device.clone(), info.name.clone()),
        };
        Gpu(Arc::new(Inner {
            caps: info.caps(&device),
            submit_budget: AtomicU64::new(default_submit_budget(&info, owner)),
            kept: if owner == Owner::Us { Kept::open(&device, &guard, &info) } else { None },
            guard,
            info,
            device,
            queue,
            owner,
            pool: Pool::new(),
            pipelines: Mutex::new(Pipelines::new(checks)),
            flight: Mutex::default(),
            staging: Mutex::default(),
            jobs: Mutex::default(),
            counters: Counters::default(),
        }))
    }

    /// What this GPU is.
    pub fn info(&self) -> &GpuInfo {
        &self.0.info
    }

    /// What it can do.
    pub fn caps(&self) -> &Caps {
        &self.0.caps
    }

    /// A buffer of at least one word, from the pool where it has one. Its contents are unspecified.
    ///
    /// # Errors
    /// [`Error::Argument`] above the device's largest buffer; [`Error::OutOfMemory`] above the budget or the driver's memory,
    /// after the pool's free blocks were given back; [`Error::DeviceLost`].
    pub fn alloc(&self, words: usize) -> Result<GpuBuffer> {
        let inner = &*self.0;
        inner.guard.check()?;
        let bytes = (words.max(1) as u64).saturating_mul(4);
        let most = inner.caps.max_buffer_bytes.min(1 << 62);
        if bytes > most {
            let message = format!("too large for one buffer: {bytes} bytes, this GPU takes {most}; split the tensor");
            return Err(Error::argument("alloc", message));
        }
        let bytes = block_bytes(bytes, inner.caps.max_binding_bytes.min(most));
        let raw = match inner.pool.take(bytes) {
            Some(raw) => raw,
            None => inner.create_block(bytes)?,
        };
        Ok(GpuBuffer::new(raw, words, inner.pool.clone()))
    }

    /// A buffer with these words; ordered before every later run and read.
    ///
    /// # Errors
    /// As [`Gpu::alloc`].
    pub fn upload(&self, words: &[u32]) -> Result<GpuBuffer> {
        let inner = &*self.0;
        let buffer = self.alloc(words.len())?;
        inner.counters.add(&inner.counters.uploads, 1);
        for (i, chunk) in words.chunks(UPLOAD_BYTES / 4).enumerate() {
            let write =
                || inner.queue.write_buffer(buffer.raw(), (i * UPLOAD_BYTES) as u64, bytemuck::cast_slice(chunk));
            inner.guard.call(write).map_err(|fault| fault.error("upload"))?;
            inner.note_write(chunk.len() as u64 * 4)?;
        }
        Ok(buffer)
    }

    /// Waits until everything that was queued is done.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn wait(&self) -> Result<()> {
        self.0.flush_writes()?;
        self.0.wait_for(None)?;
        self.0.guard.probe()
    }

    /// Gives the pool's free blocks back to the driver, once the work that uses them is done.
    pub fn trim(&self) {
        self.0.trim();
    }

    /// What was done and is held.
    pub fn stats(&self) -> GpuStats {
        let (usage, counters) = (self.0.pool.usage(), &self.0.counters);
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        GpuStats {
            submits: get(&counters.submits),
            dispatches: get(&counters.dispatches),
            pipelines: lock(&self.0.pipelines).len() as u64,
            bind_groups: get(&counters.bind_groups),
            buffers: usage.created,
            uploads: get(&counters.uploads),
            reads: get(&counters.reads),
            bytes_in_use: usage.in_use,
            bytes_pooled: usage.pooled,
            peak_bytes: usage.peak,
        }
    }

    /// Bytes that buffers and the pool may hold together. Without it, what the driver gives.
    pub fn set_budget(&self, bytes: u64) {
        self.0.pool.set_budget(bytes);
    }

    /// Work of one submit, in the units of [`Launch::work`]; a run above it is cut into several submits.
    #[cfg(test)]
    fn set_submit_budget(&self, work: u64) {
        self.0.submit_budget.store(work.max(1), Ordering::Relaxed);
    }

    /// Why the device is lost, if it is known to be. A lost device stays lost.
    pub fn is_lost(&self) -> Option<String> {
        self.0.guard.lost().map(str::to_string)
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gpu({:?})", self.0.info)
    }
}

/// About 50 ms of a mixed load on the slower devices of a class. One number stands for arithmetic and for memory traffic, which
/// differ fiftyfold: a submit of nothing but traffic may take 0.2 s there, far below any watchdog, one of nothing but products
/// 1 ms, far above the cost of a submit. On a host's device a quarter of it: about a frame.
fn default_submit_budget(info: &GpuInfo, owner: Owner) -> u64 {
    let whole = match (info.is_software, info.is_discrete) {
        (true, _) => 500_000_000,
        (_, true) => 10_000_000_000,
        _ => 2_000_000_000,
    };
    match owner {
        Owner::Us => whole,
        Owner::Host => whole / 4,
    }
}

impl Inner {
    fn submit_budget(&self) -> u64 {
        self.submit_budget.load(Ordering::Relaxed)
    }

    fn pipeline(&self, launch: &Launch) -> Result<Arc<Pipeline>> {
        lock(&self.pipelines).get(self, launch)
    }

    fn check_owner(&self, op: &'static str, buffer: &GpuBuffer) -> Result<()> {
        self.guard.check()?;
        if buffer.is_of(&self.pool) {
            return Ok(());
        }
        Err(Error::argument(op, format!("a buffer of another device than {}; move it first", self.info.name)))
    }

    fn create_block(&self, bytes: u64) -> Result<Raw> {
        if !self.pool.reserve(bytes) {
            self.trim();
            if !self.pool.reserve(bytes) {
                return Err(self.out_of_memory(bytes));
            }
        }
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let created = self.create("tilework block", bytes, usage);
        created.map(Raw::new).map_err(|error| {
            self.pool.release(bytes);
            match error {
                Error::OutOfMemory { .. } => self.out_of_memory(bytes), // the numbers without this block
                other => other,
            }
        })
    }

    /// A wgpu buffer. Where the driver has no memory, the pool's free blocks are given back, and it is asked once more.
    fn create(&self, label: &'static str, size: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer> {
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        let create = || self.guard.call(|| self.device.create_buffer(&descriptor));
        let created = match create() {
            Err(Fault::Memory) => {
                self.trim();
                create()
            }
            other => other,
        };
        created.map_err(|fault| match fault {
            Fault::Memory => self.out_of_memory(size),
            other => other.error("alloc"),
        })
    }

    fn out_of_memory(&self, requested: u64) -> Error {
        let (in_use, budget) = (self.pool.usage().in_use, self.pool.budget());
        // Without a budget of ours the driver's is at its end, wherever that is.
        let budget = if budget == u64::MAX { in_use } else { budget };
        Error::OutOfMemory { device: self.info.name.clone(), requested, in_use, budget }
    }

    fn trim(&self) {
        let blocks = self.pool.drain();
        lock(&self.staging).clear();
        if self.guard.lost().is_some() {
            return;
        }
        // Wait first: releasing a block needs a lock that a wait of another thread holds.
        let _ = self.flush_writes().and_then(|()| self.wait_for(None));
        // Destroyed, not only dropped: bind groups of plans may still hold them, under ids that never come again.
        let _ = self.guard.call(|| blocks.iter().for_each(|raw| raw.buffer.destroy()));
        drop(blocks);
        let _ = self.guard.poll(wgpu::PollType::Poll);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.owner == Owner::Us && self.guard.lost().is_none() {
            let _ = self.wait_for(None);
            if let Some(kept) = self.kept.as_ref().filter(|_| lock(&self.pipelines).len() > 0) {
                kept.save(&self.guard);
            }
        }
        self.pool.close();
        if self.owner == Owner::Us && self.guard.lost().is_some() {
            // wgpu panics when it drops the queue of some lost devices: leak it, with its device.
            std::mem::forget((self.device.clone(), self.queue.clone()));
        }
    }
}
