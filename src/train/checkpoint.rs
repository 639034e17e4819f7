//! The state of a run as one file: weights, optimizer, seeds, history. A resumed run equals an uninterrupted one.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::io::{Archive, HostTensor, to_json};
use crate::nn::{Item, Module, walk};
use crate::optim::Optimizer;
use crate::rng::Rng;
use crate::tensor::Tensor;
use crate::train::{History, Standing};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const KIND: &str = "checkpoint";

/// All of a run that is no tensor.
#[derive(Serialize, Deserialize)]
pub(crate) struct Notes {
    optimizer: String,
    steps: u64,
    learning_rate: f64,
    base_rate: f64,
    rng: Rng,
    /// Random numbers of layers, by path.
    layers: BTreeMap<String, Rng>,
    history: History,
    best: Option<(f64, usize)>,
    /// As the schedule gave it.
    #[serde(default)]
    schedule: Value,
}

/// Puts a run into a file's archive: its tensors there, the rest into what is returned.
pub(crate) fn pack(archive: &mut Archive, net: &dyn Module, optimizer: &Optimizer, at: &Standing) -> Result<Notes> {
    put(archive, "net.", &net.state())?;
    put(archive, "optimizer.", &optimizer.state())?;
    if let Some((.., best)) = &at.best {
        put(archive, "best.", best)?;
    }
    let mut layers = BTreeMap::new();
    walk(net, &mut |path, item| {
        if let Item::Random(random) = item {
            layers.insert(path.to_string(), random.lock().clone());
        }
    });
    Ok(Notes {
        optimizer: optimizer.name().to_string(),
        steps: optimizer.steps(),
        learning_rate: optimizer.learning_rate(),
        base_rate: at.base_rate,
        rng: at.rng.clone(),
        layers,
        history: at.history.clone(),
        best: at.best.as_ref().map(|(loss, epoch, _)| (*loss, *epoch)),
        schedule: at.schedule.clone(),
    })
}

/// Sets network and optimizer as they were when `pack` saw them.
pub(crate) fn unpack(
    path: &Path,
    archive: &Archive,
    notes: Notes,
    net: &dyn Module,
    optimizer: &mut Optimizer,
) -> Result<Standing> {
    if notes.optimizer != optimizer.name() {
        let message =
            format!("trained with {}, resumed with {}; use the same optimizer", notes.optimizer, optimizer.name());
        return Err(Error::format(path, message));
    }
    let device = net.parameters().first().map_or_else(Device::cpu, |(_, param)| param.tensor().device().clone());
    let other = |error: Error| Error::format(path, format!("belongs to another network: {error}"));
    net.load_state(&take(archive, "net.", &device)?).map_err(other)?;
    optimizer.load_state(&take(archive, "optimizer.", &device)?, notes.steps).map_err(other)?;
    optimizer.set_learning_rate(notes.learning_rate);
    walk(net, &mut |path, item| {
        if let (Item::Random(random), Some(rng)) = (item, notes.layers.get(path)) {
            random.set(rng.clone());
        }
    });
    let best = match notes.best {
        Some((loss, epoch)) => Some((loss, epoch, take(archive, "best.", &device)?)),
        None => None,
    };
    Ok(Standing { history: notes.history, rng: notes.rng, base_rate: notes.base_rate, best, schedule: notes.schedule })
}

/// Writes a checkpoint file.
pub(super) fn save(path: &Path, net: &dyn Module, optimizer: &Optimizer, at: &Standing) -> Result<()> {
    let mut archive = Archive::new(KIND);
    let notes = pack(&mut archive, net, optimizer, at)?;
    archive.metadata = to_json("checkpoint", &notes)?;
    archive.save(path)
}

/// Reads a checkpoint file.
pub(super) fn load(path: &Path, net: &dyn Module, optimizer: &mut Optimizer) -> Result<Standing> {
    let archive = Archive::load(path)?;
    archive.expect_kind(KIND)?;
    let notes = archive.metadata_as()?;
    unpack(path, &archive, notes, net, optimizer)
}

/// Adds tensors under a prefix.
fn put(archive: &mut Archive, prefix: &str, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    for (name, tensor) in tensors {
        archive.tensors.insert(format!("{prefix}{name}"), HostTensor::of(tensor)?);
    }
    Ok(())
}

/// The tensors under a prefix, on a device.
pub(crate) fn take(archive: &Archive, prefix: &str, device: &Device) -> Result<BTreeMap<String, Tensor>> {
    let named = archive.tensors.iter().filter_map(|(name, host)| Some((name.strip_prefix(prefix)?, host)));
    named.map(|(name, host)| Ok((name.to_string(), host.tensor(device)?))).collect()
}
