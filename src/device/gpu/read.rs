//! Words back from the GPU, through pooled staging buffers.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Instant;

use super::guard::lock;
use super::pool::{GpuBuffer, Raw, block_bytes};
use super::submit::{SLICE, WAIT_LIMIT};
use super::{Gpu, Inner};
use crate::error::{Error, Result};

/// The most that one staging buffer holds. Longer reads alternate between two, so that copying out overlaps copying over.
pub(super) const CHUNK_BYTES: u64 = 32 << 20;

/// Work for the thread that waits on behalf of futures.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// A copy that is on its way to the host.
pub(super) struct Pending {
    staging: Raw,
    bytes: u64,
    submit: wgpu::SubmissionIndex,
    mapped: mpsc::Receiver<Result<(), wgpu::BufferAsyncError>>,
}

impl Gpu {
    /// The words `start..start + words` of a buffer, after all work submitted before.
    ///
    /// # Errors
    /// [`Error::Argument`] past the buffer's end, [`Error::OutOfMemory`], [`Error::DeviceLost`].
    pub fn read(&self, buffer: &GpuBuffer, start: usize, words: usize) -> Result<Vec<u32>> {
        let inner = &*self.0;
        inner.check_owner("read", buffer)?;
        if start.checked_add(words).is_none_or(|end| end > buffer.words()) {
            let message = format!("words {start}..+{words} of a buffer of {}", buffer.words());
            return Err(Error::argument("read", message));
        }
        let mut out: Vec<u32> = Vec::new();
        if out.try_reserve_exact(words).is_err() {
            return Err(inner.out_of_memory(words as u64 * 4));
        }
        inner.counters.add(&inner.counters.reads, 1);
        let (mut at, end) = (start as u64 * 4, (start + words) as u64 * 4);
        let mut coming: Option<Pending> = None;
        while at < end || coming.is_some() {
            let next = if at < end { Some(inner.start_read(buffer, at, (end - at).min(CHUNK_BYTES))?) } else { None };
            at += next.as_ref().map_or(0, |next| next.bytes);
            if let Some(pending) = std::mem::replace(&mut coming, next) {
                inner.finish_read(pending, &mut out)?;
            }
        }
        Ok(out)
    }

    /// The same without blocking the caller's thread, under any executor: a thread of this device waits and wakes the future.
    /// Dropping the future abandons the read.
    pub async fn read_async(&self, buffer: &GpuBuffer, start: usize, words: usize) -> Result<Vec<u32>> {
        let answer = Arc::new(Mutex::new(Answer::default()));
        let sender = Sender(answer.clone());
        let (gpu, buffer) = (self.clone(), buffer.clone());
        self.0.send(Box::new(move || sender.send(gpu.read(&buffer, start, words))))?;
        std::future::poll_fn(|context| {
            let mut answer = lock(&answer);
            match answer.value.take() {
                Some(value) => Poll::Ready(value),
                None => {
                    answer.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Inner {
    pub(super) fn start_read(&self, buffer: &GpuBuffer, at: u64, bytes: u64) -> Result<Pending> {
        let staging = self.staging(bytes)?;
        let commands = self.guard.call(|| {
            let mut encoder =
                self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("read") });
            encoder.copy_buffer_to_buffer(buffer.raw(), at, &staging.buffer, 0, bytes);
            encoder.finish()
        });
        let submit = self.submit(Some(commands.map_err(|fault| fault.error("read"))?), bytes / 4)?;
        let (sender, mapped) = mpsc::channel();
        let map = || staging.buffer.map_async(wgpu::MapMode::Read, 0..bytes, move |outcome| drop(sender.send(outcome)));
        self.guard.call(map).map_err(|fault| fault.error("read"))?;
        Ok(Pending { staging, bytes, submit, mapped })
    }

    pub(super) fn finish_read(&self, pending: Pending, out: &mut Vec<u32>) -> Result<()> {
        let Pending { staging, bytes, submit, mapped } = pending;
        self.wait_for(Some(submit))?;
        let began = Instant::now();
        loop {
            // The wait calls the callback, unless another thread's poll is just about to.
            match mapped.recv_timeout(SLICE) {
                Ok(Ok(())) => break,
                Err(RecvTimeoutError::Timeout) if began.elapsed() < WAIT_LIMIT => {
                    let _ = self.guard.poll(wgpu::PollType::Poll)?;
                }
                Ok(Err(_)) | Err(_) => {
                    self.guard.probe()?;
                    return Err(Error::internal("read", "the staging buffer was not mapped"));
                }
            }
        }
        self.guard.probe()?; // after the map, or its bytes could be stale
        let copied = self.guard.call(|| {
            let view = staging.buffer.get_mapped_range(0..bytes).map_err(|error| error.to_string())?;
            let words = bytemuck::try_cast_slice(&view).map_err(|error| error.to_string())?;
            out.extend_from_slice(words);
            drop(view);
            staging.buffer.unmap();
            Ok::<(), String>(())
        });
        copied.map_err(|fault| fault.error("read"))?.map_err(|message| Error::internal("read", message))?;
        lock(&self.staging).give(staging);
        Ok(())
    }

    fn staging(&self, bytes: u64) -> Result<Raw> {
        let bytes = block_bytes(bytes, self.caps.max_buffer_bytes);
        if let Some(raw) = lock(&self.staging).take(bytes) {
            return Ok(raw);
        }
        let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ;
        self.create("tilework staging", bytes, usage).map(Raw::new)
    }

    /// Gives a job to the waiting thread, which starts with the first one and ends with the device.
    fn send(&self, job: Job) -> Result<()> {
        let mut jobs = lock(&self.jobs);
        let sender = match &*jobs {
            Some(sender) => sender.clone(),
            None => {
                let (sender, receiver) = mpsc::channel::<Job>();
                let started = std::thread::Builder::new()
                    .name("tilework-gpu-wait".to_string())
                    .spawn(move || receiver.into_iter().for_each(|job| job()));
                if let Err(error) = started {
                    return Err(Error::internal("read", format!("no thread to wait on: {error}")));
                }
                jobs.insert(sender).clone()
            }
        };
        sender.send(job).map_err(|_| Error::internal("read", "the waiting thread ended"))
    }
}

#[derive(Default)]
struct Answer {
    value: Option<Result<Vec<u32>>>,
    waker: Option<Waker>,
}

/// Answers a future, also when its job is dropped unrun.
struct Sender(Arc<Mutex<Answer>>);

impl Sender {
    fn send(self, value: Result<Vec<u32>>) {
        self.set(value);
    }

    fn set(&self, value: Result<Vec<u32>>) {
        let waker = {
            let mut answer = lock(&self.0);
            if answer.value.is_none() {
                answer.value = Some(value);
            }
            answer.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.set(Err(Error::internal("read", "the waiting thread ended")));
    }
}
