//! Where work runs best: what it consists of, what each device of this machine takes for that, and the choice between them.
//!
//! The figures are measured once a machine and kept in the user's cache folder. A choice is never in the way: little work goes
//! to the CPU without a look at any GPU, and where figures of a GPU are not known yet, it waits for them a fifth of a second at
//! most and then goes by those that are usual.

mod figures;
mod kept;
mod measure;

#[cfg(feature = "gpu")]
use crate::device::gpu::adapters;
use crate::device::{Device, DeviceKind};
pub use figures::Figures;

/// What a piece of work consists of: estimates do, a factor of two off does little harm.
///
/// ```
/// use tilework::Device;
/// use tilework::cost::Work;
/// // 1,000 products of two 2048 x 2048 matrices that come from the program, with one result that goes back.
/// let n = 2048.0;
/// let work = Work { flops: 1000.0 * 2.0 * n * n * n, bytes: 1000.0 * 12.0 * n * n, launches: 1000.0, transfer: 12.0 * n * n };
/// let device = Device::auto_for(&work);
/// println!("{}", device.explain());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Work {
    /// Operations of matrix products, two a multiply-add.
    pub flops: f64,
    /// Bytes that are read and written by all launches, products apart.
    pub bytes: f64,
    /// Kernels that are started.
    pub launches: f64,
    /// Bytes that come from the program and go back to it.
    pub transfer: f64,
}

impl Work {
    /// A training by Adam of dense layers of `sizes` (inputs first) on `rows`, `batch` a step, `epochs` passes.
    pub fn training(sizes: &[usize], rows: usize, batch: usize, epochs: usize) -> Work {
        let (rows, epochs) = (rows as f64, epochs as f64);
        let steps = epochs * (rows / batch.max(1) as f64).ceil();
        let forward = Work::prediction(sizes, rows as usize);
        let parameters: f64 = sizes.windows(2).map(|pair| ((pair[0] + 1) * pair[1]) as f64).sum();
        let layers = sizes.len().saturating_sub(1) as f64;
        Work {
            flops: 3.0 * forward.flops * epochs, // forward, and backward towards inputs and weights
            // Activations there and back; Adam reads parameter, gradient and two moments, and writes three of them.
            bytes: 3.0 * forward.bytes * epochs + 28.0 * parameters * steps,
            launches: (3.0 * layers + 1.0) * steps,
            transfer: forward.transfer,
        }
    }

    /// The outputs of dense layers of `sizes` for `rows` at once.
    pub fn prediction(sizes: &[usize], rows: usize) -> Work {
        let rows = rows as f64;
        let products: f64 = sizes.windows(2).map(|pair| pair[0] as f64 * pair[1] as f64).sum();
        let outputs: f64 = sizes.iter().skip(1).map(|&width| width as f64).sum();
        let ends = sizes.first().into_iter().chain(sizes.last()).map(|&width| width as f64).sum::<f64>();
        Work {
            flops: 2.0 * products * rows,
            bytes: 8.0 * outputs * rows,
            launches: sizes.len().saturating_sub(1) as f64,
            transfer: 4.0 * ends * rows,
        }
    }
}

impl std::iter::Sum for Work {
    fn sum<I: Iterator<Item = Work>>(parts: I) -> Work {
        parts.fold(Work::default(), |a, b| Work {
            flops: a.flops + b.flops,
            bytes: a.bytes + b.bytes,
            launches: a.launches + b.launches,
            transfer: a.transfer + b.transfer,
        })
    }
}

/// Work that a slow CPU does in less than this many seconds: to look for a GPU takes longer.
#[cfg(feature = "gpu")]
const LITTLE: f64 = 0.02;

impl Device {
    /// The device of this machine that is done with this work first, the opening of a GPU counted; or what `TILEWORK_DEVICE` names.
    /// [`Device::reason`] has both times. A software GPU is never chosen.
    pub fn auto_for(work: &Work) -> Device {
        if std::env::var("TILEWORK_DEVICE").is_ok_and(|name| !name.is_empty() && name != "auto") {
            return Device::auto();
        }
        let device = chosen(work);
        log::info!("device: {device}: {}", device.reason());
        device
    }

    /// The device, the reason for it, and its figures, in lines for people. Figures that are not known yet are measured now:
    /// some tenths of a second.
    pub fn explain(&self) -> String {
        let figures = match kept::of(self) {
            Ok(figures) => figures.to_string(),
            Err(error) => format!("its figures are not known: {error}"),
        };
        format!("{} {self}: {}\n{figures}", self.kind(), self.reason())
    }
}

#[cfg(feature = "gpu")]
fn chosen(work: &Work) -> Device {
    let little = Figures::usual(DeviceKind::Cpu, false).seconds(work);
    if little < LITTLE {
        let why = format!("about {} of work at most; to look for a GPU takes longer", figures::time(little));
        return Device::cpu().because(&why);
    }
    let Some(info) = adapters().into_iter().find(|info| !info.is_software) else { return Device::auto() };
    let cpu = kept::of(&Device::cpu()).unwrap_or_else(|_| Figures::usual(DeviceKind::Cpu, false));
    let (mut gpu, open) = kept::of_adapter(&info);
    if open.is_some() {
        gpu.start = 0.0;
    }
    let (kind, why) = choose(work, &cpu, &gpu, &info.name);
    match kind {
        DeviceKind::Cpu => Device::cpu().because(&why),
        DeviceKind::Gpu => match Device::on_adapter(&info) {
            Ok(device) => device.because(&why),
            Err(error) => Device::cpu().because(&format!("{} could not be opened: {error}", info.name)),
        },
    }
}

#[cfg(not(feature = "gpu"))]
fn chosen(_: &Work) -> Device {
    Device::auto()
}

/// The kind that is done first, and why.
#[cfg_attr(not(feature = "gpu"), allow(dead_code, reason = "nothing to choose from"))]
fn choose(work: &Work, cpu: &Figures, gpu: &Figures, name: &str) -> (DeviceKind, String) {
    let (here, there) = (cpu.seconds(work), gpu.seconds(work));
    let kind = if there < here { DeviceKind::Gpu } else { DeviceKind::Cpu };
    let times = format!("about {} on the CPU, {} on {name}", figures::time(here), figures::time(there));
    let opening =
        if gpu.start > 0.0 { format!(" ({} of it to open it)", figures::time(gpu.start)) } else { String::new() };
    (kind, format!("{times}{opening}{}", if gpu.measured { "" } else { ", which is not measured yet" }))
}

#[cfg(test)]
mod tests;
