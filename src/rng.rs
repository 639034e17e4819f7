//! Random numbers as a function of a seed and a counter: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers:
//! as easy as 1, 2, 3", SC'11).
//!
//! There is no hidden state to share between threads or devices: element `i` of a tensor is computed from `(seed, base, i)`,
//! wherever it is computed, and `shaders/lib/rng.wgsl` does the same in the same integers. So the same seed gives the same
//! draws on every device, and a generator that is saved and loaded goes on where it was.

use rand::rand_core::Infallible;
use serde::{Deserialize, Serialize};

/// Marks counters of [`Rng::fork`] (ASCII `FORK`), so that they never meet those of draws, which have 0 there.
const FORK: u32 = 0x464f_524b;

/// Blocks that are computed side by side: the compiler makes vectors of them.
const LANES: usize = 8;

/// A source of random numbers: a seed, and how many blocks of four numbers have been drawn from it.
///
/// It drives [`rand`]'s shuffles and distributions. It is not meant for secrets.
///
/// ```
/// use rand::{RngExt, seq::SliceRandom};
/// use tilework::rng::Rng;
/// let mut rng = Rng::seed(7);
/// let die: u32 = rng.random_range(1..=6);
/// assert!((1..=6).contains(&die));
/// let mut cards: Vec<u32> = (0..52).collect();
/// cards.shuffle(&mut rng);
///
/// let saved = serde_json::to_string(&rng)?;
/// let mut resumed: Rng = serde_json::from_str(&saved)?;
/// assert_eq!(resumed.permutation(52), rng.permutation(52));
/// # serde_json::Result::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rng {
    seed: u64,
    counter: u64,
}

impl Rng {
    /// The generator with this seed, at its beginning.
    pub fn seed(seed: u64) -> Rng {
        Rng { seed, counter: 0 }
    }

    /// The seed and the number of blocks drawn, for a launch or a log.
    pub fn state(&self) -> (u64, u64) {
        (self.seed, self.counter)
    }

    /// An independent generator for each number: one for a layer, a tree, a worker. It depends on the seed and the number alone,
    /// not on what was drawn before.
    ///
    /// ```
    /// use tilework::rng::Rng;
    /// let mut rng = Rng::seed(7);
    /// let first = rng.fork(0);
    /// rng.permutation(10);
    /// assert_eq!(rng.fork(0), first);
    /// assert_ne!(rng.fork(1), first);
    /// ```
    pub fn fork(&self, stream: u64) -> Rng {
        let [low, high] = halves(stream);
        let [[a], [b], ..] = philox(halves(self.seed), [[low], [high], [FORK], [0]]);
        Rng::seed(u64::from(a) | u64::from(b) << 32)
    }

    /// Sets the next `n` numbers aside and returns their base: number `i` is `word(seed, base, i)`.
    pub fn reserve(&mut self, n: u64) -> u64 {
        let base = self.counter;
        self.counter = base.wrapping_add(n.div_ceil(4));
        base
    }

    /// The numbers `0..n` in random order, each order as likely as any other (Fisher and Yates, as Durstenfeld gave it).
    ///
    /// ```
    /// use tilework::rng::Rng;
    /// let mut order = Rng::seed(1).permutation(5);
    /// order.sort();
    /// assert_eq!(order, [0, 1, 2, 3, 4]);
    /// ```
    pub fn permutation(&mut self, n: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n).collect();
        let mut words = Words { rng: self, block: [0; 4], used: 4 };
        for last in (1..order.len()).rev() {
            let other = words.below(last as u32 + 1); // below n
            order.swap(last, other as usize);
        }
        order
    }

    /// The next `n` uniform numbers in `[0, 1)`, multiples of 2⁻²⁴.
    pub fn uniforms(&mut self, n: usize) -> Vec<f32> {
        let mut out = vec![0.0; n];
        let base = self.reserve(n as u64);
        fill_uniform(self.seed, base, 0, &mut out);
        out
    }

    /// The next `n` normal numbers, of mean 0 and variance 1.
    pub fn normals(&mut self, n: usize) -> Vec<f32> {
        let mut out = vec![0.0; n];
        let base = self.reserve(n as u64);
        fill_normal(self.seed, base, 0, &mut out);
        out
    }

    fn next_block(&mut self) -> [u32; 4] {
        let numbers = block(self.seed, self.counter);
        self.counter = self.counter.wrapping_add(1);
        numbers
    }
}

/// One block of four for each number, so that a draw depends on the count of draws alone.
impl rand::TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let [number, ..] = self.next_block();
        Ok(number)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let [low, high, ..] = self.next_block();
        Ok(u64::from(low) | u64::from(high) << 32)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for bytes in out.chunks_mut(16) {
            let numbers = self.next_block().map(u32::to_le_bytes);
            bytes.iter_mut().zip(numbers.as_flattened()).for_each(|(out, byte)| *out = *byte);
        }
        Ok(())
    }
}

/// Four numbers, each of 32 random bits: block `counter` of a seed.
pub fn block(seed: u64, counter: u64) -> [u32; 4] {
    let [low, high] = halves(counter);
    philox(halves(seed), [[low], [high], [0], [0]]).map(|[number]| number)
}

/// Number `index` of those that [`Rng::reserve`] set aside at `base`.
pub fn word(seed: u64, base: u64, index: u64) -> u32 {
    block(seed, base.wrapping_add(index / 4))[(index % 4) as usize]
}

/// A number in `[0, 1)`: the upper 24 bits, which an `f32` holds exactly.
pub fn uniform(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / (1 << 24) as f32)
}

/// Four normal numbers, of mean 0 and variance 1, from the four of a block: two pairs by Box and Muller's formula (1958), in
/// `f64` and rounded. The largest is 6.66.
///
/// Always computed on the host: a GPU's logarithm and cosine are not the same everywhere.
pub fn normals(block: [u32; 4]) -> [f32; 4] {
    let pair = |a: u32, b: u32| {
        let unit = 1.0 / (1u64 << 32) as f64;
        let radius = (-2.0 * ((f64::from(a) + 1.0) * unit).ln()).sqrt(); // of (0, 1], so finite
        let (sin, cos) = (std::f64::consts::TAU * f64::from(b) * unit).sin_cos();
        [(radius * cos) as f32, (radius * sin) as f32]
    };
    let [a, b, c, d] = block;
    let ([x, y], [z, w]) = (pair(a, b), pair(c, d));
    [x, y, z, w]
}

/// Numbers `start..` of those set aside at `base`, as [`word`] gives them.
pub fn fill_words(seed: u64, base: u64, start: u64, out: &mut [u32]) {
    fill(seed, base, start, out, |numbers| numbers);
}

/// Uniform numbers: element `i` is `uniform(word(seed, base, start + i))`.
///
/// ```
/// use tilework::rng::{self, Rng};
/// let mut rng = Rng::seed(7);
/// let (seed, _) = rng.state();
/// let base = rng.reserve(1000);
/// let mut all = [0.0; 1000];
/// rng::fill_uniform(seed, base, 0, &mut all);
/// let mut part = [0.0; 100];
/// rng::fill_uniform(seed, base, 450, &mut part);
/// assert_eq!(all[450..550], part);
/// ```
pub fn fill_uniform(seed: u64, base: u64, start: u64, out: &mut [f32]) {
    fill(seed, base, start, out, |numbers| numbers.map(uniform));
}

/// Normal numbers: element `i` is number `start + i` of the blocks' [`normals`].
pub fn fill_normal(seed: u64, base: u64, start: u64, out: &mut [f32]) {
    fill(seed, base, start, out, normals);
}

/// Fills `out` from blocks, of which the first may be entered in the middle.
fn fill<T: Copy>(seed: u64, base: u64, start: u64, out: &mut [T], of: impl Fn([u32; 4]) -> [T; 4]) {
    let first = base.wrapping_add(start / 4);
    let inside = (start % 4) as usize;
    let head = if inside == 0 { 0 } else { out.len().min(4 - inside) };
    let (head, rest) = out.split_at_mut(head);
    head.iter_mut().zip(&of(block(seed, first))[inside..]).for_each(|(out, value)| *out = *value);

    let mut counter = first.wrapping_add(u64::from(inside > 0));
    for out in rest.chunks_mut(4 * LANES) {
        let numbers = blocks(seed, counter);
        for (out, lane) in out.chunks_mut(4).zip(0..LANES) {
            let values = of(numbers.map(|word| word[lane]));
            out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
        }
        counter = counter.wrapping_add(LANES as u64);
    }
}

/// The blocks from `counter` on, side by side: word `w` of block `lane` is `[w][lane]`.
fn blocks(seed: u64, counter: u64) -> [[u32; LANES]; 4] {
    let counters: [u64; LANES] = std::array::from_fn(|lane| counter.wrapping_add(lane as u64));
    let (low, high) = (counters.map(|c| halves(c)[0]), counters.map(|c| halves(c)[1]));
    philox(halves(seed), [low, high, [0; LANES], [0; LANES]])
}

/// The bijection itself, of `L` counters at once.
#[inline(always)]
fn philox<const L: usize>(mut key: [u32; 2], mut counter: [[u32; L]; 4]) -> [[u32; L]; 4] {
    // Multipliers and Weyl increments (golden ratio, √3 - 1) of the paper.
    const MULTIPLIERS: [u64; 2] = [0xd251_1f53, 0xcd9e_8d57];
    const INCREMENTS: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
    for _ in 0..10 {
        let [a, b, c, d] = counter;
        for lane in 0..L {
            let even = halves(MULTIPLIERS[0] * u64::from(a[lane]));
            let odd = halves(MULTIPLIERS[1] * u64::from(c[lane]));
            counter[0][lane] = odd[1] ^ b[lane] ^ key[0];
            counter[1][lane] = odd[0];
            counter[2][lane] = even[1] ^ d[lane] ^ key[1];
            counter[3][lane] = even[0];
        }
        key = [key[0].wrapping_add(INCREMENTS[0]), key[1].wrapping_add(INCREMENTS[1])];
    }
    counter
}

/// The low and the high word.
#[inline(always)]
fn halves(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

/// The numbers of a generator one by one, all four of a block.
struct Words<'a> {
    rng: &'a mut Rng,
    block: [u32; 4],
    used: usize,
}

impl Words<'_> {
    fn next(&mut self) -> u32 {
        if self.used == 4 {
            self.block = self.rng.next_block();
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// A number below `n` > 0, all equally likely (Lemire, "Fast random integer generation in an interval", 2019).
    fn below(&mut self, n: u32) -> u32 {
        loop {
            let [low, high] = halves(u64::from(self.next()) * u64::from(n));
            // of the words that lead to a result, those with a low word under 2³² mod n are one too many
            if low >= n || low >= n.wrapping_neg() % n {
                return high;
            }
        }
    }
}

#[cfg(test)]
mod tests;
