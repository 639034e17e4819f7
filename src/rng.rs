//! Random numbers by counter: a draw depends on the seed and its number alone, so that every device draws the same.

use serde::{Deserialize, Serialize};

/// Philox 4x32-10: Salmon, Moraes, Dror & Shaw 2011, SC'11. Explicit state: a seed and how many blocks were drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rng {
    seed: u64,
    counter: u64,
}

impl Rng {
    /// A generator that draws the stream of `seed`.
    pub fn seed(seed: u64) -> Rng {
        Rng { seed, counter: 0 }
    }

    /// The next four words.
    pub fn block(&mut self) -> [u32; 4] {
        self.counter += 1;
        philox(self.seed, self.counter - 1)
    }

    /// `n` values uniform in `[0, 1)`, multiples of 2^-24.
    pub fn uniforms(&mut self, n: usize) -> Vec<f32> {
        let mut words = Vec::with_capacity(n + 3);
        while words.len() < n {
            words.extend(self.block());
        }
        words[..n].iter().map(|w| (w >> 8) as f32 * (-24f32).exp2()).collect()
    }

    /// `n` standard normal values, by Box and Muller's method in f64.
    pub fn normals(&mut self, n: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(n + 1);
        while values.len() < n {
            let [a, b, c, d] = self.block().map(u64::from);
            let unit = |high: u64, low: u64| (((high << 32 | low) >> 11) as f64 + 1.0) * (-53f64).exp2();
            let (u, angle) = (unit(a, b), std::f64::consts::TAU * unit(c, d));
            let radius = (-2.0 * u.ln()).sqrt();
            values.extend([(radius * angle.cos()) as f32, (radius * angle.sin()) as f32]);
        }
        values.truncate(n);
        values
    }

    /// `0..n` in random order.
    pub fn permutation(&mut self, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        for i in (1..n).rev() {
            let [a, b, ..] = self.block();
            let j = ((u128::from(u64::from(a) << 32 | u64::from(b)) * (i as u128 + 1)) >> 64) as usize;
            order.swap(i, j);
        }
        order
    }
}

fn philox(key: u64, counter: u64) -> [u32; 4] {
    let mut c = [counter as u32, (counter >> 32) as u32, 0, 0];
    let mut k = [key as u32, (key >> 32) as u32];
    for _ in 0..10 {
        let (p, q) = (u64::from(c[0]) * 0xD251_1F53, u64::from(c[2]) * 0xCD9E_8D57);
        c = [(q >> 32) as u32 ^ c[1] ^ k[0], q as u32, (p >> 32) as u32 ^ c[3] ^ k[1], p as u32];
        k = [k[0].wrapping_add(0x9E37_79B9), k[1].wrapping_add(0xBB67_AE85)];
    }
    c
}
