//! What this CPU does at most: a copy by all threads, and chains of multiply-adds on its widest registers.

use super::{Cpu, parallel};
use crate::device::limit::{COPIED, LONG_ENOUGH, Limits, shortest};
use crate::error::Result;
use pulp::{Arch, Simd, WithSimd};
use std::hint::black_box;

impl Cpu {
    pub(in crate::device) fn limits(&self) -> Result<Limits> {
        let threads = self.threads();
        let words = COPIED / 4;
        let (mut from, mut to) = (self.alloc(words)?, self.alloc(words)?);
        from.words_mut().fill(1);
        let source = from.words();
        let part = words.div_ceil(threads);
        let seconds = shortest(6, || {
            parallel::for_chunks(threads, to.words_mut(), part, u64::MAX >> 8, |i, to| {
                if let Some(from) = source.get(i * part..i * part + to.len()) {
                    to.copy_from_slice(from);
                }
            });
            black_box(to.words_mut());
            Ok(())
        })?;
        Ok(Limits { bandwidth: 2.0 * COPIED as f64 / seconds, arithmetic: arithmetic(threads)? })
    }
}

fn arithmetic(threads: usize) -> Result<f64> {
    let arch = Arch::new();
    let mut links = 1 << 12;
    loop {
        let mut done = vec![0.0; threads];
        let seconds = shortest(4, || {
            parallel::for_chunks(threads, &mut done, 1, u64::MAX >> 8, |_, done| {
                done.fill(arch.dispatch(Chains { links: black_box(links) }));
            });
            Ok(())
        })?;
        if seconds > LONG_ENOUGH || links > 1 << 28 {
            return Ok(done.iter().sum::<f64>() / seconds);
        }
        links *= 4;
    }
}

/// Independent chains `c = c * x + y`; enough of them that each of two units finds one ready (4 to 5 cycles a link).
struct Chains {
    links: usize,
}

impl WithSimd for Chains {
    /// Operations done.
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let (x, y) = (simd.splat_f32s(black_box(0.5)), simd.splat_f32s(black_box(1.0)));
        let mut chains = [y; 12];
        for _ in 0..self.links {
            for chain in &mut chains {
                *chain = simd.mul_add_f32s(*chain, x, y);
            }
        }
        black_box(chains);
        2.0 * (chains.len() * S::F32_LANES * self.links) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_a_computer() {
        let limits = Cpu::new().limits().unwrap();
        assert!((1e8..1e13).contains(&limits.bandwidth), "{limits:?}");
        assert!((1e8..1e15).contains(&limits.arithmetic), "{limits:?}");
    }
}
