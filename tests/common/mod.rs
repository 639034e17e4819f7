//! What the test files share: the devices of this machine, and turns on them.

#![allow(dead_code, reason = "no file uses all of it")]

use std::sync::{Mutex, MutexGuard, PoisonError};
use tilework::Device;

/// Tests that count what a device does take turns with all others of their file, which share it.
pub fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The GPU, where there is one; it must be there when `TILEWORK_REQUIRE_GPU` is 1.
pub fn gpu() -> Option<Device> {
    match Device::gpu() {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            let required = std::env::var("TILEWORK_REQUIRE_GPU").is_ok_and(|value| value == "1");
            assert!(!required, "a GPU device is required here: {error}");
            println!("no GPU device: {error}");
            None
        }
    }
}

/// The CPU, and the GPU where there is one.
pub fn devices() -> Vec<Device> {
    std::iter::once(Device::cpu()).chain(gpu()).collect()
}
