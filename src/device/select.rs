//! Which device: by kind, by name, or the one that suits this machine best, with the reason said.

use crate::device::{Backend, Device};
use crate::error::{Error, Result};
#[cfg(feature = "gpu")]
use {
    crate::device::Inner,
    crate::device::gpu::{Gpu, GpuInfo, adapters},
    std::sync::{Arc, Mutex, PoisonError, Weak},
};

/// The environment variable that overrides what [`Device::auto`] chooses: `cpu`, `gpu`, an index or a part of a name.
const CHOICE: &str = "TILEWORK_DEVICE";

impl Device {
    /// The best device of this machine, or what `TILEWORK_DEVICE` names. A GPU if there is a real one; without one, or when it
    /// cannot be opened, the CPU: that is a normal state, said in [`Device::reason`] and in one log line. A software GPU
    /// (lavapipe, WARP) is never chosen by itself: the CPU device is faster. [`Device::auto_for`] weighs the work at hand.
    pub fn auto() -> Device {
        let device = match std::env::var(CHOICE) {
            Ok(name) if !name.is_empty() && name != "auto" => {
                Device::open(&name).map(|device| device.because(&format!("{CHOICE}={name}"))).unwrap_or_else(|error| {
                    Device::cpu().because(&format!("{CHOICE}={name} could not be had ({error}), so the CPU"))
                })
            }
            _ => best(),
        };
        log::info!("device: {device}: {}", device.reason());
        device
    }

    /// The first GPU, real ones before software ones.
    ///
    /// # Errors
    /// [`Error::NoDevice`] when there is none, with what was found.
    #[cfg(feature = "gpu")]
    pub fn gpu() -> Result<Device> {
        let found = adapters();
        let first = found.first().ok_or_else(no_gpu)?;
        opened(first)
    }

    /// Without the feature `gpu` there is none.
    ///
    /// # Errors
    /// Always [`Error::NoDevice`].
    #[cfg(not(feature = "gpu"))]
    pub fn gpu() -> Result<Device> {
        Err(no_gpu())
    }

    /// The device called `name`: `auto`, `cpu`, `gpu`, an index of [`Device::list`], or a part of a name in it (any case).
    ///
    /// # Errors
    /// [`Error::NoDevice`] with the list of what there is.
    ///
    /// ```
    /// use tilework::Device;
    /// assert_eq!(Device::open("cpu")?, Device::cpu());
    /// assert!(Device::open("abacus").unwrap_err().to_string().contains("abacus"));
    /// # Ok::<(), tilework::Error>(())
    /// ```
    pub fn open(name: &str) -> Result<Device> {
        match name {
            "auto" => return Ok(Device::auto()),
            "cpu" | "0" => return Ok(Device::cpu()),
            "gpu" => return Device::gpu(),
            _ => {}
        }
        #[cfg(feature = "gpu")]
        {
            let found = adapters();
            let wanted = name.to_lowercase();
            let by_index = name.parse::<usize>().ok().and_then(|index| found.get(index.wrapping_sub(1)));
            let by_name = || found.iter().find(|info| label(info).to_lowercase().contains(&wanted));
            if let Some(info) = by_index.or_else(by_name) {
                return opened(info);
            }
        }
        let known = Device::list().join(", ");
        Err(Error::no_device(format!(
            "no device called '{name}': there are {known}; give auto, cpu, gpu, an index or part of a name"
        )))
    }

    /// The device on this adapter, opened if it is not.
    #[cfg(feature = "gpu")]
    pub(crate) fn on_adapter(info: &GpuInfo) -> Result<Device> {
        opened(info)
    }

    /// The device on this adapter if it is open.
    #[cfg(feature = "gpu")]
    pub(crate) fn open_on(info: &GpuInfo) -> Option<Device> {
        alive(&OPEN.lock().unwrap_or_else(PoisonError::into_inner), &label(info))
    }

    /// Whether a CPU plays this GPU (lavapipe, WARP): its figures say nothing of GPUs.
    pub fn is_software(&self) -> bool {
        match self.backend() {
            Backend::Cpu(_) => false,
            #[cfg(feature = "gpu")]
            Backend::Gpu(gpu) => gpu.info().is_software,
        }
    }

    /// What figures and verdicts that are kept belong to: the device, and its driver or processor.
    pub(crate) fn key(&self) -> String {
        match self.backend() {
            Backend::Cpu(_) => {
                let model = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
                    text.lines()
                        .find_map(|line| line.strip_prefix("model name"))
                        .map(|name| name.trim_matches([' ', '\t', ':']).to_string())
                });
                format!("{} {} {}", self.name(), std::env::consts::ARCH, model.unwrap_or_default())
            }
            #[cfg(feature = "gpu")]
            Backend::Gpu(gpu) => gpu.info().key(),
        }
    }

    /// Every device of this machine, as `INDEX: NAME`; index 0 is the CPU.
    pub fn list() -> Vec<String> {
        #[allow(unused_mut, reason = "GPUs follow only with their feature")]
        let mut all = vec![format!("0: {}", Device::cpu().name())];
        #[cfg(feature = "gpu")]
        all.extend(adapters().iter().enumerate().map(|(i, info)| format!("{}: {}", i + 1, label(info))));
        all
    }
}

fn no_gpu() -> Error {
    let why = if cfg!(feature = "gpu") { "no adapter was found" } else { "this build is without the feature gpu" };
    Error::no_device(format!("no GPU: {why}; use Device::auto() or Device::cpu()"))
}

/// GPUs that are open, by their label.
#[cfg(feature = "gpu")]
static OPEN: Mutex<Vec<(String, Weak<Inner>)>> = Mutex::new(Vec::new());

#[cfg(feature = "gpu")]
fn alive(open: &[(String, Weak<Inner>)], label: &str) -> Option<Device> {
    let inner = open.iter().find(|(known, _)| known == label)?.1.upgrade()?;
    (!inner.is_lost()).then(|| Device::handle(inner, "asked for"))
}

/// The device on this adapter: the one that is open already, so that tensors made in different places can meet, or a new one.
#[cfg(feature = "gpu")]
fn opened(info: &GpuInfo) -> Result<Device> {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|(_, device)| device.strong_count() > 0);
    let key = label(info);
    if let Some(device) = alive(&open, &key) {
        return Ok(device);
    }
    let device = Device::on_gpu(Gpu::open(info)?);
    open.retain(|(known, _)| *known != key);
    open.push((key, Arc::downgrade(&device.0.inner)));
    Ok(device)
}

#[cfg(feature = "gpu")]
fn label(info: &GpuInfo) -> String {
    let kind = if info.is_software { "software, " } else { "" };
    format!("{} ({kind}{})", info.name, info.backend)
}

#[cfg(feature = "gpu")]
fn best() -> Device {
    let found = adapters();
    let mut why = match found.iter().find(|info| info.is_software) {
        Some(software) => format!("no GPU but the software adapter {}, which is slower than the CPU", software.name),
        None => "no GPU was found".to_string(),
    };
    for info in found.iter().filter(|info| !info.is_software) {
        match opened(info) {
            Ok(device) => return device.because(&format!("the best of {} GPU(s) found", found.len())),
            Err(error) => why = format!("{} could not be opened: {error}", info.name),
        }
    }
    Device::cpu().because(&why)
}

#[cfg(not(feature = "gpu"))]
fn best() -> Device {
    Device::cpu().because("this build is without the feature gpu")
}
