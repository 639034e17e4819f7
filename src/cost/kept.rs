//! The figures of this machine's devices: known in this process, kept on disk, or measured.

use super::Figures;
use super::measure::measure;
use crate::device::cache;
#[cfg(feature = "gpu")]
use crate::device::gpu::GpuInfo;
use crate::device::{Device, DeviceKind};
use crate::error::Result;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
#[cfg(feature = "gpu")]
use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

/// A debug build is slower, and has figures of its own.
const KIND: &str = if cfg!(debug_assertions) { "figures-debug" } else { "figures" };

/// How long a choice waits for figures that are being measured.
#[cfg(feature = "gpu")]
const PATIENCE: Duration = Duration::from_millis(200);

/// By device.
static KNOWN: Mutex<BTreeMap<String, Figures>> = Mutex::new(BTreeMap::new());

/// The figures of an open device, measured now where they are not known.
pub(super) fn of(device: &Device) -> Result<Figures> {
    let key = device.key();
    if let Some(figures) = known(&key) {
        return Ok(figures);
    }
    let figures = measure(device)?;
    if device.kind() == DeviceKind::Gpu {
        // What its opening took is not known here; it is measured where it is opened for its figures.
        return Ok(figures);
    }
    learn(&key, figures);
    Ok(figures)
}

/// The figures of a GPU that need not be open. Where they are not known, a thread opens and measures it; those that are usual
/// stand in where that takes longer than [`PATIENCE`]. The device comes along where it is open.
#[cfg(feature = "gpu")]
pub(super) fn of_adapter(info: &GpuInfo) -> (Figures, Option<Device>) {
    let key = info.key();
    let open = Device::open_on(info);
    if let Some(figures) = known(&key) {
        return (figures, open);
    }
    let (sender, receiver) = mpsc::channel();
    let adapter = info.clone();
    let measuring = std::thread::Builder::new().name("tilework figures".into()).spawn(move || {
        let began = Instant::now();
        let opened = Device::on_adapter(&adapter).and_then(|device| device.synchronize().map(|()| device));
        let start = began.elapsed().as_secs_f64();
        match opened.and_then(|device| Ok((measure(&device)?, device))) {
            Ok((figures, device)) => {
                let figures = Figures { start, ..figures };
                learn(&adapter.key(), figures);
                let _ = sender.send((figures, device)); // nobody may be waiting any more
            }
            Err(error) => log::debug!("{}: no figures: {error}", adapter.name),
        }
    });
    match measuring.ok().and_then(|_| receiver.recv_timeout(PATIENCE).ok()) {
        Some((figures, device)) => (figures, Some(device)),
        None => (Figures::usual(DeviceKind::Gpu, info.is_discrete), None),
    }
}

fn known(key: &str) -> Option<Figures> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(figures) = known.get(key) {
        return Some(*figures);
    }
    let figures: Figures = serde_json::from_slice(&cache::load(KIND, key)?).ok()?;
    if !figures.are_sane() {
        return None;
    }
    known.insert(key.to_string(), figures);
    Some(figures)
}

/// In this process and on disk.
fn learn(key: &str, figures: Figures) {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_string(), figures);
    if let Ok(text) = serde_json::to_vec(&figures) {
        cache::store(KIND, key, &text);
    }
}
