//! Histograms of large leaves on a GPU: the CPU's integers, so that the trees are the same.

use super::bins::{Binned, LANES};
use super::histogram::{BINS, Entry, Scale};
use crate::cost::Work;
use crate::device::cpu::parallel::for_chunks;
use crate::device::{Device, DeviceKind};
use crate::error::Result;
use crate::ops::histogram::{ENTRY, histogram};
use crate::tensor::Tensor;

/// Rows that a thread makes entries of at once.
const CHUNK: usize = 8192;
/// Rows, counted once a block of features, that a thread of the CPU adds in the time that a GPU takes to be asked and to
/// answer: 0.3 ms, and 4 ns a row.
const WORTH: usize = 75_000;
/// Bytes that adding a row in one block costs: 4 ns of a thread that moves 8 GB a second.
const ADDING: f64 = 32.0;
/// Launches that an answer takes the time of.
const ANSWER: f64 = 10.0;

/// Where histograms are made: rows as bins on a device, and when they are worth the way there.
#[derive(Debug)]
pub(super) struct There {
    bins: Tensor,
    blocks: usize,
    least: usize,
}

/// Gradients and hessians of one tree's rows beside the bins.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    there: &'a There,
    entries: Tensor,
}

/// What boosting's histograms consist of, for [`Device::auto_for`].
pub(super) fn work(rows: usize, width: usize, trees: usize, leaves: usize) -> Work {
    let (rows, blocks, trees) = (rows as f64, width.div_ceil(LANES) as f64, trees as f64);
    let leaves = (leaves as f64).min(rows).max(2.0);
    let added = rows * (1.0 + leaves.log2() / 2.0); // of each pair of children the smaller one
    let answers = 16.0 * LANES as f64 * BINS as f64 * blocks * leaves;
    Work {
        flops: 0.0,
        bytes: ADDING * added * blocks * trees,
        launches: ANSWER * leaves * trees,
        transfer: rows * blocks * 4.0 + trees * (16.0 * rows + 4.0 * added + answers),
    }
}

impl There {
    /// The rows on the device that was asked for, or the one that is done first; none where they are few, or that is the CPU,
    /// whose own loop needs no tensors. Where the choice was free, a GPU that has no room for them is none either.
    ///
    /// # Errors
    /// Not enough memory on the device that was asked for; a lost device.
    pub fn new(binned: &Binned, asked: Option<&Device>, work: &Work, threads: usize) -> Result<Option<There>> {
        let least = WORTH * threads;
        if binned.blocks.iter().map(Vec::len).sum::<usize>() < least {
            return Ok(None); // no leaf is worth it
        }
        let device = asked.cloned().unwrap_or_else(|| Device::auto_for(work));
        if device.kind() == DeviceKind::Cpu {
            return Ok(None);
        }
        match There::at(binned, &device, least) {
            Err(error) if asked.is_none() => {
                log::warn!("boosting stays on the CPU: {error}");
                Ok(None)
            }
            there => there.map(Some),
        }
    }

    /// On this device, for leaves of at least so many rows, counted once a block.
    pub fn at(binned: &Binned, device: &Device, least: usize) -> Result<There> {
        let (blocks, rows) = (binned.blocks.len(), binned.blocks.first().map_or(0, Vec::len));
        let words = binned.blocks.iter().flatten().map(|&bins| u32::from_le_bytes(bins)).collect();
        let bins = Tensor::from_vec(words, [blocks, rows], device).check()?.clone();
        Ok(There { bins, blocks, least })
    }

    /// Puts the entries of all rows beside their bins, where a leaf of so many rows may be worth it.
    pub fn entries(
        &self,
        steps: &[[f32; 2]],
        scale: Scale,
        rows: usize,
        threads: usize,
    ) -> Result<Option<Entries<'_>>> {
        if rows * self.blocks < self.least {
            return Ok(None);
        }
        let mut words = vec![0; steps.len() * ENTRY];
        for_chunks(threads, &mut words, CHUNK * ENTRY, 60 * CHUNK as u64, |chunk, out| {
            for (out, &step) in out.chunks_exact_mut(ENTRY).zip(&steps[chunk * CHUNK..]) {
                out.copy_from_slice(&scale.entry(step).words());
            }
        });
        let entries = Tensor::from_vec(words, [steps.len(), ENTRY], self.bins.device()).check()?.clone();
        Ok(Some(Entries { there: self, entries }))
    }
}

impl Entries<'_> {
    /// The histograms of these rows, all blocks; `false` where they are too few to be worth it, and nothing was done.
    pub fn sum(&self, rows: &[u32], out: &mut [Entry]) -> Result<bool> {
        if rows.is_empty() || rows.len() * self.there.blocks < self.there.least {
            return Ok(false);
        }
        // lists of few lengths, so that few plans are made
        let mut listed = rows.to_vec();
        listed.resize(rows.len().next_power_of_two(), 0);
        let listed = Tensor::from_vec(listed, [rows.len().next_power_of_two()], self.entries.device());
        let sums = histogram(&self.there.bins, &listed, rows.len() as u32, &self.entries).to_vec::<u32>()?;
        for (out, words) in out.iter_mut().zip(sums.chunks_exact(ENTRY)) {
            *out = Entry::of(words);
        }
        Ok(true)
    }
}
