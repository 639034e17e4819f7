//! Everything that wgpu can do wrong becomes an [`Error`] here, and only here.
//!
//! wgpu's defaults panic on any error that nobody catches, do nothing at all after a device loss, and panic inside `poll` when
//! the driver fails. So every call runs inside error scopes and `catch_unwind`, a loss is a flag that is set once and asked
//! often, and data is trusted only after [`Guard::probe`].

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::{Error, Result};

/// The health of one wgpu device.
pub(super) struct Guard {
    device: wgpu::Device,
    name: String,
    lost: Arc<OnceLock<String>>,
    stray: Arc<Mutex<Option<String>>>,
    /// Which call from now on fails, and how.
    #[cfg(test)]
    pub(super) plan: Mutex<Option<(usize, Strike)>>,
}

/// A fault made by a test.
#[cfg(test)]
#[derive(Debug, Clone, Copy)]
pub(super) enum Strike {
    Lost,
    Panic,
    /// The call finds no memory.
    Memory,
    /// This call and all later ones find none.
    NoMemory,
}

/// Why a guarded call failed.
pub(super) enum Fault {
    /// The device is gone.
    Lost(Error),
    /// The driver had no memory; the device lives on.
    Memory,
    /// wgpu refused the call.
    Refused(String),
}

impl Fault {
    /// The fault as an error of `op`, where running out of memory has no numbers of its own.
    pub(super) fn error(self, op: &'static str) -> Error {
        match self {
            Fault::Lost(error) => error,
            Fault::Memory => Error::internal(op, "the driver is out of memory"),
            Fault::Refused(message) => Error::internal(op, message),
        }
    }
}

impl Guard {
    /// Guards a device of our own: its callbacks are ours too. They store a message and touch nothing else, because wgpu may
    /// call them with its locks held.
    pub(super) fn owned(device: wgpu::Device, name: String) -> Guard {
        let guard = Guard::borrowed(device, name);
        let lost = guard.lost.clone();
        guard.device.set_device_lost_callback(move |reason, message| {
            let _ = lost.set(format!("{reason:?}: {message}")); // the first reason stays
        });
        let stray = guard.stray.clone();
        guard.device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            lock(&stray).get_or_insert_with(|| error.to_string());
        }));
        guard
    }

    /// Guards a device of someone else, whose callbacks are left alone: all of our calls run in scopes, so none of our errors
    /// reaches them, and a loss is found by [`Guard::probe`].
    pub(super) fn borrowed(device: wgpu::Device, name: String) -> Guard {
        Guard {
            device,
            name,
            lost: Arc::default(),
            stray: Arc::default(),
            #[cfg(test)]
            plan: Mutex::default(),
        }
    }

    /// The reason of the loss, if the device is lost.
    pub(super) fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }

    /// Marks the device lost for good.
    pub(super) fn lose(&self, reason: impl Into<String>) -> Error {
        let _ = self.lost.set(reason.into()); // the first reason stays
        self.lost_error()
    }

    fn lost_error(&self) -> Error {
        let reason = self.lost().unwrap_or("unknown reason").to_string();
        Error::DeviceLost { device: self.name.clone(), reason }
    }

    /// Fails when the device is lost, or with an error that wgpu reported outside of any call.
    pub(super) fn check(&self) -> Result<()> {
        if self.lost.get().is_some() {
            return Err(self.lost_error());
        }
        match lock(&self.stray).take() {
            Some(message) => Err(Error::internal("gpu", message)),
            None => Ok(()),
        }
    }

    /// Runs calls to wgpu: their errors, and their panics, come back as a [`Fault`].
    pub(super) fn call<T>(&self, calls: impl FnOnce() -> T) -> Result<T, Fault> {
        self.check().map_err(|error| match error {
            Error::DeviceLost { .. } => Fault::Lost(error),
            other => Fault::Refused(other.to_string()),
        })?;
        #[cfg(test)]
        self.strike()?;
        match self.scoped(calls) {
            Ok((value, None)) => Ok(value),
            Ok((_, Some(wgpu::Error::OutOfMemory { .. }))) => Err(Fault::Memory),
            // What is created on a lost device is invalid, and refused when it is used.
            Ok((_, Some(error))) => Err(self.probe().map_or_else(Fault::Lost, |()| Fault::Refused(error.to_string()))),
            Err(lost) => Err(Fault::Lost(lost)),
        }
    }

    /// Runs calls to wgpu inside error scopes, which belong to this thread: other threads' errors do not end up here.
    fn scoped<T>(&self, calls: impl FnOnce() -> T) -> Result<(T, Option<wgpu::Error>)> {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let scopes = [OutOfMemory, Internal, Validation].map(|filter| self.device.push_error_scope(filter));
            let value = calls();
            let error = scopes.into_iter().rev().fold(None, |first, scope| first.or(at_once(scope.pop()).flatten()));
            (value, error)
        }));
        outcome.map_err(|panic| self.lose(format!("wgpu panicked: {}", panic_text(&*panic))))
    }

    /// Polls the device. Callbacks run here; with a wait, for at most the given time.
    pub(super) fn poll(&self, poll: wgpu::PollType) -> Result<Result<wgpu::PollStatus, wgpu::PollError>> {
        self.check()?;
        #[cfg(test)]
        if let Err(Fault::Lost(error)) = self.strike() {
            return Err(error);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| self.device.poll(poll)));
        let outcome = outcome.map_err(|panic| self.lose(format!("wgpu panicked: {}", panic_text(&*panic))))?;
        self.check()?;
        Ok(outcome)
    }

    /// Fails if the device is lost, even when nobody has told us.
    ///
    /// After a loss wgpu 30.0.1 lets a pending map succeed with stale bytes (gfx-rs/wgpu#10246), and the lost callback comes
    /// late or goes to the device's owner. But a buffer mapped at creation exists only on a living device.
    pub(super) fn probe(&self) -> Result<()> {
        let descriptor = wgpu::BufferDescriptor {
            label: Some("tilework probe"),
            size: 8,
            usage: wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::MAP_WRITE,
            mapped_at_creation: true,
        };
        self.check()?;
        let (alive, error) = self.scoped(|| self.device.create_buffer(&descriptor).get_mapped_range(..).is_ok())?;
        if alive || matches!(error, Some(wgpu::Error::OutOfMemory { .. })) {
            return Ok(());
        }
        Err(self.lose("the driver or the device's owner ended it"))
    }
}

#[cfg(test)]
impl Guard {
    /// Counts down to the planned fault.
    fn strike(&self) -> Result<(), Fault> {
        let strike = {
            let mut plan = lock(&self.plan);
            match plan.take() {
                None => return Ok(()),
                Some((0, strike)) => {
                    *plan = matches!(strike, Strike::NoMemory).then_some((0, strike));
                    strike
                }
                Some((calls, strike)) => {
                    *plan = Some((calls - 1, strike));
                    return Ok(());
                }
            }
        };
        Err(match strike {
            Strike::Lost => Fault::Lost(self.lose("planned")),
            Strike::Memory | Strike::NoMemory => Fault::Memory,
            Strike::Panic => Fault::Lost(self.scoped::<()>(|| panic!("planned")).err().unwrap()),
        })
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("name", &self.name).field("lost", &self.lost).finish_non_exhaustive()
    }
}

/// Locks; a panic elsewhere while it was locked changes nothing, because no state of this module is half-written then.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The value of a future that is ready already, as wgpu's error scopes are on native devices.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// The text of a caught panic.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
