//! What this GPU does at most: the driver's own copy between two buffers, and chains of multiply-adds on registers.

use super::Gpu;
use crate::device::launch::{Arg, Launch, Word};
use crate::device::limit::{COPIED, LONG_ENOUGH, Limits, shortest};
use crate::device::shader::assemble;
use crate::error::Result;

/// Invocations of the arithmetic: enough for any GPU to be full.
const INVOCATIONS: usize = 1 << 18;
/// Multiply-adds of a link of `limit.wgsl`.
const LINK: usize = 8 * 4;

impl Gpu {
    pub(in crate::device) fn limits(&self) -> Result<Limits> {
        Ok(Limits { bandwidth: self.bandwidth()?, arithmetic: self.arithmetic()? })
    }

    fn bandwidth(&self) -> Result<f64> {
        let inner = &*self.0;
        let (from, to) = (self.alloc(COPIED / 4)?, self.alloc(COPIED / 4)?);
        let mut copies = 1;
        loop {
            let seconds = shortest(4, || {
                let commands = inner.guard.call(|| {
                    let mut encoder = inner.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                    for _ in 0..copies {
                        encoder.copy_buffer_to_buffer(from.raw(), 0, to.raw(), 0, COPIED as u64);
                    }
                    encoder.finish()
                });
                inner.submit(Some(commands.map_err(|fault| fault.error("limits"))?), 0)?;
                self.wait()
            })?;
            if seconds > LONG_ENOUGH || copies >= 256 {
                return Ok(2.0 * COPIED as f64 * f64::from(copies) / seconds);
            }
            copies *= 4;
        }
    }

    fn arithmetic(&self) -> Result<f64> {
        let out = self.alloc(INVOCATIONS)?;
        let source = assemble("limit", &[])?;
        let mut links = 16usize; // within the 65,535 rounds that any driver allows
        loop {
            let prepared = self.prepare(vec![Launch {
                name: "limit",
                source: source.clone(),
                args: vec![Arg::Write(0)],
                words: vec![Word::from(INVOCATIONS), Word::from(links)],
                groups: (INVOCATIONS / 256) as u64,
                work: 0, // never cut
            }])?;
            let run = || {
                self.run(&prepared, std::slice::from_ref(&out), &[])?;
                self.wait()
            };
            run()?;
            let seconds = shortest(3, run)?;
            if seconds > LONG_ENOUGH || links >= 1 << 15 {
                return Ok((2 * LINK * INVOCATIONS) as f64 * links as f64 / seconds);
            }
            links *= 4;
        }
    }
}
